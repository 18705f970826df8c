package sinktest

import (
	"errors"
	"fmt"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

func retentionTests() []exercise {
	return []exercise{
		{"deletes old rows in batches", testCut},
		{"of rows without a time", testCutByWindow},
		{"of days", testCutDays},
		{"ends old windows", testRetire},
		{"leaves what is leased", testRetireLeased},
		{"by an older config", testRetireSuperseded},
		{"by a clock that is ahead", testRetireAhead},
		{"is kept as long as runs", testRetentionsForgotten},
	}
}

// retirement keeps what is from an hour on.
func retirement(hour int) sink.Retirement {
	return sink.Retirement{Dataset: calls, ConfigHash: "c1", Before: clock(hour, 0), Keep: time.Hour, Now: clock(1000, 0)}
}

func cutting(hour, limit int) sink.Cut {
	return sink.Cut{Retirement: retirement(hour), Table: callsTable(), Time: schema.TimeValue(clock(hour, 0)), Limit: limit}
}

func (b bench) cut(c sink.Cut) sink.Cutting {
	b.t.Helper()
	done, err := b.Cut(b.t.Context(), c)
	b.noError(err)
	return done
}

func (b bench) ids() string {
	b.t.Helper()
	return b.column(`SELECT call_id FROM ` + b.Table(calls) + ` ORDER BY call_id`)
}

func testCut(b bench) {
	b.planned(0, 1)
	b.store(call("a", clock(0, 10), "Ann", 1), call("b", clock(0, 20), "Ann", 1), call("c", clock(1, 10), "Ann", 1),
		call("d", clock(2, 0), "Ann", 1), call("e", clock(3, 0), "Ann", 1))
	equal(b, "a batch", b.cut(cutting(2, 2)), sink.Cutting{Deleted: 2})
	equal(b, "left", b.ids(), "c d e")
	equal(b, "the rest", b.cut(cutting(2, 2)), sink.Cutting{Deleted: 1, Done: true})
	equal(b, "what is not before stays", b.ids(), "d e")
	equal(b, "no more", b.cut(cutting(2, 2)), sink.Cutting{Done: true})
	kept := b.status().Retained
	equal(b, "before", kept.Before, clock(2, 0))
	equal(b, "rows", kept.Rows, 3)
	if since := time.Since(kept.At); since < -time.Minute || since > time.Minute {
		b.t.Errorf("it was at %s", kept.At)
	}
	b.store(call("a", clock(0, 10), "Ann", 1), call("b", clock(0, 10), "Ann", 1), call("c", clock(0, 10), "Ann", 1))
	equal(b, "of one instant", b.cut(cutting(3, 2)), sink.Cutting{Deleted: 3})
	equal(b, "behind them", b.cut(cutting(3, 2)), sink.Cutting{Deleted: 1, Done: true})
	equal(b, "what is kept is the last", b.status().Retained.Rows, 4)
	equal(b, "one for each", b.cell(`SELECT count(*) FROM `+b.Own("retentions")), "2")
}

func testCutByWindow(b bench) {
	b.planned(0, 1)
	timeless := func(id string, hour int) sink.Row {
		row := call(id, clock(hour, 0), "Ann", 1)
		row.Values[1] = schema.Value{}
		return row
	}
	b.store(timeless("a", 0), timeless("b", 1), timeless("c", 2), call("d", clock(0, 0), "Ann", 1), call("e", clock(2, 0), "Ann", 1))
	equal(b, "those with a time first", b.cut(cutting(2, 1)), sink.Cutting{Deleted: 1})
	equal(b, "left", b.ids(), "a b c e")
	equal(b, "by window", b.cut(cutting(2, 5)), sink.Cutting{Deleted: 2, Done: true})
	equal(b, "left in the end", b.ids(), "c e")

	d := callsDataset()
	d.Name, d.Table.Name, d.Table.Key, d.Table.TimeField, d.Table.ByWindow = "sums", "sums", nil, "", true
	b.prepare(d)
	_, err := b.Plan(b.t.Context(), d.Name, hours(0, 3), clock(3, 0), hourly)
	b.noError(err)
	r := anything(3)
	r.Dataset = d.Name
	batch := read(b.claim(r), clock(3, 0), time.Time{}, call("a", clock(0, 0), "Ann", 1), call("b", clock(1, 0), "Ann", 1), call("c", clock(2, 0), "Ann", 1))
	batch.Table, batch.Write = d.Table, sink.ReplaceWindows
	b.commit(batch)
	c := cutting(2, 10)
	c.Dataset, c.Table = d.Name, d.Table
	equal(b, "of a table without a time", b.cut(c), sink.Cutting{Deleted: 2, Done: true})
	equal(b, "left of it", b.column(`SELECT call_id FROM `+b.Table("sums")), "c")

	// A window of an older, larger grid reaches into what is kept: it is kept whole.
	_, err = b.Plan(b.t.Context(), d.Name, hours(3, 6), clock(6, 0), func(w window.Window) []window.Window { return []window.Window{w} })
	b.noError(err)
	r = anything(6)
	r.Dataset = d.Name
	batch = read(b.claim(r), clock(6, 0), time.Time{}, call("d", clock(3, 0), "Ann", 1))
	batch.Table, batch.Write = d.Table, sink.ReplaceWindows
	b.commit(batch)
	c.Retirement = retirement(5)
	c.Dataset, c.Time = d.Name, schema.TimeValue(clock(5, 0))
	equal(b, "before a window that reaches over the bound", b.cut(c), sink.Cutting{Deleted: 1, Done: true})
	equal(b, "left of it in the end", b.column(`SELECT call_id FROM `+b.Table("sums")), "d")
}

func testCutDays(b bench) {
	for _, of := range []schema.Type{schema.Date, schema.Timestamp} {
		d := callsDataset()
		d.Name = "days_" + of.String()
		d.Table.Name, d.Table.Columns[1].Type = d.Name, of
		b.prepare(d)
		_, err := b.Plan(b.t.Context(), d.Name, hours(0, 1), clock(3, 0), hourly)
		b.noError(err)
		r := anything(3)
		r.Dataset = d.Name
		batch := read(b.claim(r), clock(3, 0), time.Time{}, call("a", clock(0, 0), "Ann", 1), call("b", clock(24, 0), "Ann", 1), call("c", clock(48, 0), "Ann", 1))
		batch.Table = d.Table
		b.commit(batch)
		c := cutting(48, 1)
		c.Dataset, c.Table = d.Name, d.Table
		equal(b, "a day", b.cut(c), sink.Cutting{Deleted: 1})
		equal(b, "the next", b.cut(c), sink.Cutting{Deleted: 1})
		equal(b, "no more", b.cut(c), sink.Cutting{Done: true})
		equal(b, "left", b.column(`SELECT call_id FROM `+b.Table(d.Name)), "c")
	}
}

func testRetire(b bench) {
	b.planned(0, 6)
	b.settled(hours(0, 1), time.Time{})
	b.settled(hours(1, 2), clock(900, 0))
	b.noError(b.Fail(b.t.Context(), b.claim(within(hours(2, 3))), sink.Failure{Error: "x", NextReadAt: clock(10, 0)}))
	first := read(b.claim(within(hours(4, 5))), clock(5, 0), clock(6, 0))
	first.Rejects = []sink.Reject{
		{WindowStart: clock(1, 0), WindowEnd: clock(1, 30), Raw: `{"a":1}`, Field: "a", Reason: "x"},
		{WindowStart: clock(3, 0), WindowEnd: clock(5, 0), Raw: `{"a":2}`, Field: "a", Reason: "x"},
	}
	b.commit(first)
	before := b.ledger()
	n, err := b.Retire(b.t.Context(), retirement(4))
	b.noError(err)
	equal(b, "ended", n, 3)
	after := b.ledger()
	equal(b, "one that was final", after[0], before[0])
	for i := 1; i < 4; i++ {
		e := after[i]
		equal(b, fmt.Sprintf("window %d", i), e, sink.Entry{
			Window: hours(i, i+1), State: sink.StateFinal, Rows: before[i].Rows, Reads: before[i].Reads, ReadAt: clock(1000, 0), ReadTo: clock(i+1, 0),
		})
	}
	for i := 4; i < 6; i++ {
		equal(b, fmt.Sprintf("window %d", i), after[i], before[i])
	}
	equal(b, "nothing fails", b.status().Failed, 0)
	equal(b, "rejects", b.status().Rejects, 1)
	if n, err = b.Retire(b.t.Context(), retirement(4)); n != 0 || err != nil {
		b.t.Errorf("again: %d, %v", n, err)
	}
	_, _, err = b.BeginBackfill(b.t.Context(), sink.BackfillRequest{Dataset: calls, Range: hours(4, 6), Now: clock(999, 0)})
	b.noError(err)
	_, err = b.Retire(b.t.Context(), retirement(6))
	b.noError(err)
	left, err := b.Remaining(b.t.Context(), sink.Run{Dataset: calls, Range: hours(4, 6), StartedAt: clock(999, 0)})
	b.noError(err)
	equal(b, "what a backfill waits for", left.Left, 0)
	// A window that reaches into what is kept stays as it is.
	_, err = b.Plan(b.t.Context(), calls, window.Window{Start: clock(10, 0), End: clock(12, 0)}, clock(1000, 0), func(w window.Window) []window.Window { return []window.Window{w} })
	b.noError(err)
	n, err = b.Retire(b.t.Context(), retirement(11))
	b.noError(err)
	equal(b, "one that reaches over the bound", n, 0)
}

func testRetireLeased(b bench) {
	b.planned(0, 2)
	l := b.claim(within(hours(0, 1)))
	n, err := b.Retire(b.t.Context(), retirement(2))
	b.noError(err)
	equal(b, "ended", n, 1)
	b.commit(read(l, clock(1, 0), clock(900, 0), call("a", clock(0, 10), "Ann", 1)))
	equal(b, "what was leased is read", b.entry(0).State, sink.StateRead)
	b.backfill(sink.BackfillRequest{Range: hours(0, 1), Now: clock(10, 0)})
	b.claim(within(hours(0, 1)))
	b.expireLeases()
	n, err = b.Retire(b.t.Context(), retirement(2))
	b.noError(err)
	equal(b, "one whose lease has ended", n, 1)
	b.nothingDue(anything(900))
}

func testRetireSuperseded(b bench) {
	b.planned(0, 1)
	b.store(call("a", clock(0, 10), "Ann", 1))
	r := retirement(1)
	r.ConfigHash = "another"
	c := cutting(1, 10)
	c.Retirement = r
	if _, err := b.Retire(b.t.Context(), r); !errors.Is(err, sink.ErrSuperseded) {
		b.t.Errorf("windows: %v", err)
	}
	if _, err := b.Cut(b.t.Context(), c); !errors.Is(err, sink.ErrSuperseded) {
		b.t.Errorf("rows: %v", err)
	}
	equal(b, "rows", b.ids(), "a")
}

func testRetireAhead(b bench) {
	b.planned(0, 1)
	b.store(call("a", clock(0, 10), "Ann", 1))
	r := retirement(0)
	r.Before = time.Now().Add(-time.Minute)
	c := cutting(0, 10)
	c.Retirement, c.Time = r, schema.TimeValue(r.Before)
	if _, err := b.Retire(b.t.Context(), r); !errors.Is(err, sink.ErrClockAhead) {
		b.t.Errorf("windows: %v", err)
	}
	if _, err := b.Cut(b.t.Context(), c); !errors.Is(err, sink.ErrClockAhead) {
		b.t.Errorf("rows: %v", err)
	}
	equal(b, "rows", b.ids(), "a")
}

func testRetentionsForgotten(b bench) {
	b.planned(0, 1)
	b.store(call("a", clock(0, 10), "Ann", 1), call("b", clock(1, 10), "Ann", 1))
	b.cut(cutting(1, 10))
	b.cut(cutting(2, 10))
	run := sink.Run{Dataset: calls, Kind: sink.RunOnce, StartedAt: clock(1, 0), Outcome: "done"}
	id, err := b.BeginRun(b.t.Context(), run)
	b.noError(err)
	for i, after := range []time.Duration{0, sink.KeepRuns + time.Hour} {
		run.ID, run.EndedAt = id, time.Now().Add(after)
		b.noError(b.EndRun(b.t.Context(), run))
		equal(b, "kept", b.cell(`SELECT count(*) FROM `+b.Own("retentions")), []string{"2", "1"}[i])
	}
	equal(b, "the last", b.status().Retained.Before, clock(2, 0))
}
