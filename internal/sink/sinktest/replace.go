package sinktest

import (
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

func replaceTests() []exercise {
	return []exercise{
		{"a window's rows", testReplaceWindows},
		{"a window's rows by none", testReplaceByNone},
		{"the table's rows", testReplaceTable},
		{"values of every type", testReplaceValues},
		{"all or nothing", testReplacePoisoned},
		{"not under a lease that was lost", testReplaceFenced},
		{"appended rows are there once", testAppend},
		{"appended versions stay", testAppendVersions},
		{"appended in several windows", testAppendWindows},
		{"appended by another mapping", testAppendPromoted},
		{"only without a key", testReplaceKeyed},
		{"an index on the window", testReplaceIndex},
	}
}

// aggregates prepares the dataset calls without a key, written window by window.
func (b bench) aggregates(until int) {
	b.t.Helper()
	b.prepare(keylessDataset())
	b.plan(hours(0, until), clock(0, 0))
}

func keylessDataset() sink.Dataset {
	d := callsDataset()
	d.Table.Key, d.Table.ByWindow = nil, true
	return d
}

// rewrite commits rows of some hours in a way.
func (b bench) rewrite(w sink.Write, from, to int, rows ...sink.Row) sink.Counts {
	b.t.Helper()
	batch := read(b.claim(within(hours(from, to))), clock(to, 0), clock(0, 0), rows...)
	batch.Table, batch.Write = keylessDataset().Table, w
	return b.commit(batch)
}

func testReplaceWindows(b bench) {
	b.aggregates(3)
	total := func(hour int, agent string, seconds int64) sink.Row {
		return call(agent, clock(hour, 0), agent, seconds)
	}
	equal(b, "fresh", b.rewrite(sink.ReplaceWindows, 0, 2, total(0, "a", 1), total(0, "b", 2), total(0, "b", 2), total(1, "a", 3)),
		sink.Counts{Inserted: 4})
	equal(b, "another window", b.rewrite(sink.ReplaceWindows, 2, 3, total(2, "a", 9)), sink.Counts{Inserted: 1})
	written := b.column(`SELECT _exported_at FROM ` + b.Table(calls) + ` ORDER BY 1`)
	equal(b, "the same, in another order", b.rewrite(sink.ReplaceWindows, 0, 2, total(1, "a", 3), total(0, "b", 2), total(0, "a", 1), total(0, "b", 2)),
		sink.Counts{Unchanged: 4})
	equal(b, "written", b.column(`SELECT _exported_at FROM `+b.Table(calls)+` ORDER BY 1`), written)
	equal(b, "one fewer of two that are equal", b.rewrite(sink.ReplaceWindows, 0, 2, total(0, "b", 2), total(0, "a", 1), total(1, "a", 3)),
		sink.Counts{Inserted: 2, Unchanged: 1, Removed: 3})
	equal(b, "rows", b.column(`SELECT call_id || seconds FROM `+b.Table(calls)+` ORDER BY 1`), "a1 a3 a9 b2")
	equal(b, "changed", b.rewrite(sink.ReplaceWindows, 0, 1, total(0, "b", 2), total(0, "a", 7)), sink.Counts{Inserted: 2, Removed: 2})
	equal(b, "rows", b.column(`SELECT call_id || seconds FROM `+b.Table(calls)+` ORDER BY 1`), "a3 a7 a9 b2")
	equal(b, "read", b.entry(0).State, sink.StateRead)
}

func testReplaceByNone(b bench) {
	b.aggregates(2)
	b.rewrite(sink.ReplaceWindows, 0, 2, call("a", clock(0, 0), "a", 1), call("b", clock(1, 0), "b", 2))
	equal(b, "emptied", b.rewrite(sink.ReplaceWindows, 0, 1), sink.Counts{Removed: 1})
	equal(b, "rows", b.agents(), "b=b/2")
	equal(b, "emptied again", b.rewrite(sink.ReplaceWindows, 0, 1), sink.Counts{})
	equal(b, "the table", b.rewrite(sink.ReplaceTable, 0, 2), sink.Counts{Removed: 1})
	equal(b, "rows", b.agents(), "")
}

func testReplaceTable(b bench) {
	b.aggregates(2)
	snapshot := func(hour int, rows ...sink.Row) sink.Counts {
		for i := range rows {
			rows[i].WindowStart = clock(hour, 30)
		}
		return b.rewrite(sink.ReplaceTable, 0, 2, rows...)
	}
	at := clock(0, 5)
	equal(b, "fresh", snapshot(0, call("a", at, "a", 1), call("b", at, "b", 2)), sink.Counts{Inserted: 2})
	written := b.column(`SELECT _exported_at FROM ` + b.Table(calls) + ` ORDER BY 1`)
	equal(b, "later, the same", snapshot(1, call("b", at, "b", 2), call("a", at, "a", 1)), sink.Counts{Unchanged: 2})
	equal(b, "written", b.column(`SELECT _exported_at FROM `+b.Table(calls)+` ORDER BY 1`), written)
	equal(b, "changed", snapshot(2, call("b", at, "b", 2), call("c", at, "c", 1)), sink.Counts{Inserted: 2, Removed: 2})
	equal(b, "rows", b.agents(), "b=b/2 c=c/1")
}

func testReplaceValues(b bench) {
	d := keylessDataset()
	d.Table.Columns, d.Table.TimeField = []schema.Column{
		{Name: "t", Type: schema.Text}, {Name: "i", Type: schema.Integer}, {Name: "n", Type: schema.Numeric}, {Name: "f", Type: schema.Float},
		{Name: "b", Type: schema.Boolean}, {Name: "z", Type: schema.Timestamptz}, {Name: "w", Type: schema.Timestamp},
		{Name: "d", Type: schema.Date}, {Name: "u", Type: schema.Duration}, {Name: "j", Type: schema.JSON},
	}, ""
	b.prepare(d)
	b.plan(hours(0, 1), clock(0, 0))
	canonical := func(text string) schema.Value {
		text, err := schema.CanonicalJSON(text)
		b.noError(err)
		return schema.StrValue(text)
	}
	row := func(numeric, text string) sink.Row {
		return sink.Row{WindowStart: clock(0, 0), Row: schema.Row{Extra: canonical(`{"y":"z","x":1.50}`), Values: []schema.Value{
			schema.StrValue(text), schema.IntValue(1 << 60), schema.StrValue(numeric), schema.FloatValue(0.1), schema.BoolValue(true),
			schema.TimeValue(clock(0, 1).Add(time.Microsecond)), schema.TimeValue(clock(0, 2)), schema.TimeValue(clock(0, 0)), schema.StrValue("1.5"),
			canonical(`{"b":[1,2.0],"a":null}`),
		}}}
	}
	null := sink.Row{WindowStart: clock(0, 0), Row: schema.Row{Values: make([]schema.Value, len(d.Table.Columns))}}
	write := func(w sink.Write, rows ...sink.Row) sink.Counts {
		batch := read(b.claim(within(hours(0, 1))), clock(1, 0), clock(0, 0), rows...)
		batch.Table, batch.Write = d.Table, w
		return b.commit(batch)
	}
	rows := func() []sink.Row {
		return []sink.Row{row("12345678901234567890.5", "é"), row("100", ""), row("0.001", "i1"), null}
	}
	equal(b, "fresh", write(sink.ReplaceWindows, rows()...), sink.Counts{Inserted: 4})
	equal(b, "again", write(sink.ReplaceWindows, rows()...), sink.Counts{Unchanged: 4})
	equal(b, "as a table", write(sink.ReplaceTable, rows()...), sink.Counts{Unchanged: 4})
	equal(b, "appended", write(sink.Append, append(rows(), row("100", "x"))...), sink.Counts{Inserted: 1, Unchanged: 4})
}

func testReplacePoisoned(b bench) {
	b.aggregates(2)
	b.rewrite(sink.ReplaceWindows, 0, 2, call("a", clock(0, 0), "a", 1))
	for _, w := range []sink.Write{sink.ReplaceWindows, sink.ReplaceTable, sink.Append} {
		batch := read(b.claim(within(hours(0, 2))), clock(2, 0), clock(0, 0), call("b", clock(0, 0), "b", 1))
		batch.Table, batch.Write = keylessDataset().Table, w
		before := b.everything()
		if _, err := b.Commit(cancelled(b.t), batch); err == nil {
			b.t.Error("committed under a context that has ended")
		}
		equal(b, "what the warehouse holds", b.everything(), before)
		b.noError(b.Release(b.t.Context(), batch.Lease))
	}
}

func testReplaceFenced(b bench) {
	b.aggregates(1)
	b.rewrite(sink.ReplaceWindows, 0, 1, call("a", clock(0, 0), "a", 1))
	lost := read(b.claim(within(hours(0, 1))), clock(1, 0), clock(0, 0), call("b", clock(0, 0), "b", 1))
	b.expireLeases()
	b.claim(within(hours(0, 1)))
	for _, w := range []sink.Write{sink.ReplaceWindows, sink.ReplaceTable, sink.Append} {
		lost.Table, lost.Write = keylessDataset().Table, w
		if _, err := b.Commit(b.t.Context(), lost); err == nil {
			b.t.Error("committed under a lease that was lost")
		}
	}
	equal(b, "rows", b.agents(), "a=a/1")
}

// However often a window is read, each row of it is there once.
func testAppend(b bench) {
	b.aggregates(1)
	rows := []sink.Row{call("a", clock(0, 1), "a", 1), call("a", clock(0, 1), "a", 1), call("b", clock(0, 2), "b", 1)}
	equal(b, "fresh", b.rewrite(sink.Append, 0, 1, rows...), sink.Counts{Inserted: 3})
	equal(b, "again", b.rewrite(sink.Append, 0, 1, rows...), sink.Counts{Unchanged: 3})
	equal(b, "a part again", b.rewrite(sink.Append, 0, 1, rows[1]), sink.Counts{Unchanged: 1})
	equal(b, "a late one", b.rewrite(sink.Append, 0, 1, append(rows, call("c", clock(0, 3), "c", 1))...), sink.Counts{Inserted: 1, Unchanged: 3})
	equal(b, "once more of one content", b.rewrite(sink.Append, 0, 1, rows[0], rows[0], rows[0]), sink.Counts{Inserted: 1, Unchanged: 2})
	equal(b, "none", b.rewrite(sink.Append, 0, 1), sink.Counts{})
	equal(b, "rows", b.agents(), "a=a/1 a=a/1 a=a/1 b=b/1 c=c/1")
}

func testAppendVersions(b bench) {
	b.aggregates(1)
	b.rewrite(sink.Append, 0, 1, call("a", clock(0, 1), "a", 1))
	equal(b, "another version", b.rewrite(sink.Append, 0, 1, call("a", clock(0, 1), "a", 2)), sink.Counts{Inserted: 1})
	equal(b, "the first again", b.rewrite(sink.Append, 0, 1, call("a", clock(0, 1), "a", 1)), sink.Counts{Unchanged: 1})
	extra := call("a", clock(0, 1), "a", 1)
	extra.Extra = schema.StrValue(`{"x":1}`)
	equal(b, "with extra values", b.rewrite(sink.Append, 0, 1, extra), sink.Counts{Inserted: 1})
	equal(b, "rows", b.cell(`SELECT count(*) FROM `+b.Table(calls)), "3")
}

// The same content in another window is another row: a snapshot has the window of its time.
func testAppendWindows(b bench) {
	b.aggregates(2)
	snapshot := func(minute int) sink.Row {
		row := call("a", clock(0, 0), "a", 1)
		row.WindowStart = clock(0, minute)
		return row
	}
	equal(b, "one", b.rewrite(sink.Append, 0, 2, snapshot(15)), sink.Counts{Inserted: 1})
	equal(b, "another", b.rewrite(sink.Append, 0, 2, snapshot(30)), sink.Counts{Inserted: 1})
	equal(b, "both again", b.rewrite(sink.Append, 0, 2, snapshot(15), snapshot(30)), sink.Counts{Unchanged: 2})
}

// A row that was appended when a field was not mapped yet is there, though its value still lies among the extra ones.
func testAppendPromoted(b bench) {
	b.aggregates(1)
	with := func(extra string) sink.Row {
		row := call("a", clock(0, 1), "a", 1)
		row.Extra = schema.StrValue(extra)
		return row
	}
	b.rewrite(sink.Append, 0, 1, with(`{"q":"one"}`), with(`{"q":"two","z":1}`))
	d := withQueue()
	d.Table.Key, d.Table.ByWindow = nil, true
	b.prepare(d)
	mapped := func(queue, extra string) sink.Row {
		row := call("a", clock(0, 1), "a", 1)
		row.Values = append(row.Values, schema.StrValue(queue))
		if extra != "" {
			row.Extra = schema.StrValue(extra)
		}
		return row
	}
	batch := read(b.claim(within(hours(0, 1))), clock(1, 0), clock(0, 0), mapped("one", ""), mapped("two", `{"z":1}`), mapped("three", ""))
	batch.Table, batch.Write, batch.Promote = d.Table, sink.Append, promotion(d, 1).Promote
	equal(b, "again", b.commit(batch), sink.Counts{Inserted: 1, Unchanged: 2})
}

func testReplaceKeyed(b bench) {
	b.planned(0, 1)
	for _, w := range []sink.Write{sink.ReplaceWindows, sink.ReplaceTable, sink.Append} {
		batch := read(b.claim(anything(1)), clock(1, 0), clock(0, 0), call("a", clock(0, 0), "a", 1))
		batch.Write = w
		if _, err := b.Commit(b.t.Context(), batch); err == nil {
			b.t.Error("rows with a key were not upserted")
		}
		b.noError(b.Release(b.t.Context(), batch.Lease))
	}
	equal(b, "rows", b.agents(), "")
}

func testReplaceIndex(b bench) {
	equal(b, "made", b.prepare(keylessDataset()).Created, true)
	equal(b, "nothing to change", len(b.prepare(keylessDataset()).Changes), 0)
	d := keylessDataset()
	d.Name, d.Table.Name, d.Table.ByWindow = "plain", "plain", false
	b.prepare(d)
	d.Table.ByWindow = true
	equal(b, "later", len(b.prepare(d).Changes), 1)
}
