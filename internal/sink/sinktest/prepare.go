package sinktest

import (
	"errors"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

func prepareTests() []exercise {
	return []exercise{
		{"creates the table", testPrepareCreates},
		{"again changes nothing", testPrepareAgain},
		{"adds a column", testPrepareAdds},
		{"keeps a column that is no longer mapped", testPrepareKeeps},
		{"widens a column", testPrepareWidens},
		{"refuses to narrow", testPrepareNarrow},
		{"refuses keys that are made otherwise", testPrepareOtherKeys},
		{"refuses rows of others, without a key", testPrepareStrangers},
		{"keeps comments current", testPrepareComments},
		{"keeps the dictionary current", testPrepareDictionary},
		{"a table that was dropped makes all due", testPrepareDropped},
		{"a table that was dropped makes all due of every dataset of it", testPrepareDroppedShared},
		{"another table makes all due", testPrepareRenamed},
		{"longer re-reads make final windows due", testPrepareReread},
		{"another config voids leases", testPrepareVoidsLeases},
		{"another config is told", testPrepareConfigChanged},
		{"another config makes failed windows due", testPrepareRetries},
	}
}

func testPrepareCreates(b bench) {
	p := b.prepare(callsDataset())
	equal(b, "created", p.Created, true)
	if len(p.Changes) == 0 || !strings.Contains(strings.Join(p.Changes, "\n"), "CREATE TABLE") {
		b.t.Errorf("changes: %q", p.Changes)
	}
	rows := b.query(`SELECT call_id, started_at, agent, seconds, _window_start, _exported_at, _extra FROM ` + b.Table(calls))
	equal(b, "rows", len(rows), 0)
	equal(b, "dataset", b.cell(`SELECT kind || ' ' || config_hash FROM `+b.Own("datasets")+` WHERE name = 'calls'`), "report c1")
}

func testPrepareAgain(b bench) {
	b.prepare(callsDataset())
	d := callsDataset()
	d.ConfigHash = "c2"
	p := b.prepare(d)
	equal(b, "created", p.Created, false)
	equal(b, "changes", len(p.Changes), 0)
	equal(b, "config hash", b.cell(`SELECT config_hash FROM `+b.Own("datasets")), "c2")
}

func testPrepareAdds(b bench) {
	b.planned(0, 1)
	b.store(call("a", clock(0, 1), "Asha", 1))
	d := callsDataset()
	d.Table.Columns = append(d.Table.Columns, schema.Column{Name: "channel", Type: schema.JSON, ID: "c", Title: "Channel"})
	d.Table.MarksDeleted = true
	p := b.prepare(d)
	equal(b, "created", p.Created, false)
	if len(p.Changes) == 0 {
		b.t.Error("no change was told")
	}
	equal(b, "old row", b.cell(`SELECT COALESCE(CAST(channel AS text), '-') || COALESCE(CAST(_deleted_at AS text), '-') FROM `+b.Table(calls)), "--")
	equal(b, "windows are as they were", b.entry(0).State, sink.StateRead)
	equal(b, "changes, again", len(b.prepare(d).Changes), 0)
}

func testPrepareKeeps(b bench) {
	b.planned(0, 1)
	b.store(call("a", clock(0, 1), "Asha", 1))
	d := callsDataset()
	d.Table.Columns = d.Table.Columns[:2]
	b.prepare(d)
	row := call("a", clock(0, 1), "", 0)
	row.Values = row.Values[:2]
	batch := read(b.claim(anything(1)), clock(1, 0), clock(1, 0), row)
	batch.Table = d.Table
	equal(b, "counts", b.commit(batch), sink.Counts{Unchanged: 1})
	equal(b, "rows", b.agents(), "a=Asha/1")
}

func testPrepareWidens(b bench) {
	b.planned(0, 1)
	b.store(call("a", clock(0, 1), "Asha", 1<<53+1))
	d := callsDataset()
	d.Table.Columns[3].Type = schema.Numeric
	equal(b, "changes", len(b.prepare(d).Changes), 1)
	equal(b, "changes, again", len(b.prepare(d).Changes), 0)
	store := func(seconds string) sink.Counts {
		row := call("a", clock(0, 1), "Asha", 0)
		row.Values[3] = schema.StrValue(seconds)
		batch := read(b.claim(anything(1)), clock(1, 0), clock(1, 0), row)
		batch.Table = d.Table
		return b.commit(batch)
	}
	equal(b, "what was there is the same", store("9007199254740993"), sink.Counts{Unchanged: 1})
	equal(b, "a decimal", store("9007199254740993.5"), sink.Counts{Updated: 1})
	equal(b, "a decimal", store("9007199254740993.5"), sink.Counts{Unchanged: 1})
	if cell := b.cell(`SELECT seconds FROM ` + b.Table(calls)); !holds(cell, schema.Numeric, schema.StrValue("9007199254740993.5")) {
		b.t.Errorf("reads %q", cell)
	}
}

func testPrepareNarrow(b bench) {
	b.planned(0, 1)
	b.store(call("a", clock(0, 1), "Asha", 1))
	d := callsDataset()
	d.ConfigHash = "c2"
	d.Table.Columns[2].Type = schema.Integer
	d.Table.Columns = append(d.Table.Columns, schema.Column{Name: "channel", Type: schema.Text, ID: "c"})
	_, err := b.Prepare(b.t.Context(), d)
	var narrowing *schema.NarrowingError
	if !errors.As(err, &narrowing) {
		b.t.Fatalf("prepare: %v, want that narrowing is refused", err)
	}
	if _, err := b.Query(b.t.Context(), `SELECT calls.channel FROM `+b.Table(calls)); err == nil {
		b.t.Error("the other column was added")
	}
	equal(b, "config hash", b.cell(`SELECT config_hash FROM `+b.Own("datasets")), "c1")
	equal(b, "fields", b.cell(`SELECT count(*) FROM `+b.Own("fields")+` WHERE column_name = 'channel'`), "0")
	equal(b, "old mapping still stores", b.store(call("a", clock(0, 1), "Asha", 2)), sink.Counts{Updated: 1})
}

func testPrepareComments(b bench) {
	if b.Comment == nil {
		b.t.Skip("the dialect has no comments")
	}
	d := callsDataset()
	d.Table.Comment = "It's calls"
	b.prepare(d)
	equal(b, "table", b.Comment(calls, ""), "It's calls")
	for _, part := range []string{"Call ID", "5ef594e0eba06ff9adbcfc07"} {
		if comment := b.Comment(calls, "call_id"); !strings.Contains(comment, part) {
			b.t.Errorf("comment %q does not name %q", comment, part)
		}
	}
	d.Table.Columns[0].Title = "Id of the call"
	b.prepare(d)
	if comment := b.Comment(calls, "call_id"); !strings.Contains(comment, "Id of the call") {
		b.t.Errorf("comment %q is not the new title", comment)
	}
	equal(b, "changes, again", len(b.prepare(d).Changes), 0)
}

func testPrepareDictionary(b bench) {
	fields := func() string {
		return b.column(`SELECT column_name || '|' || metric_id || '|' || title || '|' || type FROM ` + b.Own("fields") +
			` WHERE dataset = 'calls' AND table_name = 'calls' AND column_name IN ('seconds', 'agent', 'length') ORDER BY column_name`)
	}
	b.prepare(callsDataset())
	equal(b, "fields", fields(), "agent|5ea18e11465b4d80736a76eb||text seconds|5e6f5fc04767c68072ee0320||integer")
	d := callsDataset()
	d.Table.Columns[2].Title = "Agent"
	d.Table.Columns[3] = schema.Column{Name: "length", Type: schema.Duration, ID: "5e6f5fc04767c68072ee0320"}
	b.prepare(d)
	equal(b, "fields", fields(), "agent|5ea18e11465b4d80736a76eb|Agent|text length|5e6f5fc04767c68072ee0320||duration")
}

func testPrepareDropped(b bench) {
	b.planned(0, 3)
	b.settled(hours(0, 2), time.Time{})
	b.ended()
	held := b.claim(anything(3))
	b.query(`DROP TABLE ` + b.Table(calls))
	equal(b, "created", b.prepare(callsDataset()).Created, true)
	b.allReset()
	if err := b.Renew(b.t.Context(), held); !errors.Is(err, sink.ErrLeaseLost) {
		b.t.Errorf("renew: %v, want that a lease from before is lost", err)
	}
	equal(b, "claimed", starts(b.claim(anything(3)).Entries), "00 01 02")
}

func testPrepareDroppedShared(b bench) {
	same, apart := callsDataset(), callsDataset()
	same.Name, apart.Name, apart.Table.Name = "same", "apart", "apart"
	b.planned(0, 3)
	b.prepare(apart)
	_, err := b.Plan(b.t.Context(), apart.Name, hours(0, 1), clock(0, 0), hourly)
	b.noError(err)
	others := anything(9)
	others.Dataset = apart.Name
	other := b.claim(others)
	b.settled(hours(0, 2), time.Time{})
	b.ended()
	held := b.claim(anything(3))
	b.query(`DROP TABLE ` + b.Table(calls))
	equal(b, "created by a dataset that is new", b.prepare(same).Created, true)
	b.allReset()
	if err := b.Renew(b.t.Context(), held); !errors.Is(err, sink.ErrLeaseLost) {
		b.t.Errorf("renew: %v, want that a lease from before is lost", err)
	}
	b.noError(b.Renew(b.t.Context(), other)) // a dataset of another table is left alone
	p := b.prepare(callsDataset())
	equal(b, "created again", p.Created, false)
	equal(b, "config changed", p.ConfigChanged, false)
	equal(b, "claimed", starts(b.claim(anything(3)).Entries), "00 01 02")
}

// ended is a run that has ended, so that through is kept with the dataset.
func (b bench) ended() {
	b.t.Helper()
	run := sink.Run{Dataset: calls, Kind: sink.RunOnce, StartedAt: clock(5, 0)}
	var err error
	run.ID, err = b.BeginRun(b.t.Context(), run)
	b.noError(err)
	run.EndedAt, run.Outcome = clock(6, 0), "done"
	b.noError(b.EndRun(b.t.Context(), run))
	if through := b.kept(); through == "NULL" {
		b.t.Error("through is not kept")
	}
}

func (b bench) kept() string {
	b.t.Helper()
	return b.cell(`SELECT through FROM ` + b.Own("datasets") + ` WHERE name = 'calls'`)
}

// allReset checks that the ledger holds three windows as if they had never been read, due whatever the time.
func (b bench) allReset() {
	b.t.Helper()
	for i, e := range b.ledger() {
		if e.NextReadAt.IsZero() || e.NextReadAt.After(e.Window.End) {
			b.t.Errorf("window %s is due at %s only", e.Window, e.NextReadAt)
		}
		e.NextReadAt = time.Time{}
		equal(b, "entry", e, sink.Entry{Window: hours(i, i+1), State: sink.StateDue})
	}
	equal(b, "through", b.status().Through, time.Time{})
	equal(b, "through, as it was kept", b.kept(), "NULL")
}

func testPrepareRenamed(b bench) {
	other := callsDataset()
	other.Name, other.Table.Name = "other", "shared"
	b.prepare(other)
	b.planned(0, 3)
	b.settled(hours(0, 3), time.Time{})
	b.ended()
	d := callsDataset()
	d.Table.Name = "shared" // which is there, but has no rows of this dataset
	equal(b, "created", b.prepare(d).Created, false)
	b.allReset()
}

func testPrepareReread(b bench) {
	b.planned(0, 5)
	b.settled(hours(0, 1), time.Time{})
	b.settled(hours(1, 2), clock(3, 0))
	b.settled(hours(4, 5), clock(5, 0)) // and then failed to be read again
	for _, failed := range []window.Window{hours(2, 3), hours(4, 5)} {
		b.noError(b.Fail(b.t.Context(), b.claim(within(failed)), sink.Failure{Error: "x", NextReadAt: clock(6, 0)}))
	}
	others := b.ledger()[2:]
	d := callsDataset()
	d.Reread = window.Reread{100 * time.Hour}
	b.prepare(d)
	equal(b, "final before", b.entry(0).NextReadAt, clock(101, 0))
	equal(b, "state", b.entry(0).State, sink.StateRead)
	equal(b, "due before", b.entry(1).NextReadAt, clock(102, 0))
	for i, e := range b.ledger()[2:] {
		equal(b, "neither read nor final", e, others[i])
	}
	d.Reread = nil
	b.prepare(d)
	equal(b, "no re-read", b.entry(0).State, sink.StateFinal)
	equal(b, "next", b.entry(1).NextReadAt, time.Time{})
	b.settled(hours(3, 4), clock(5, 0))
	b.prepare(d)
	equal(b, "the same list changes nothing", b.entry(3).NextReadAt, clock(5, 0))
}

// What failed by an older config may not by the new one. It stays failed until it was read.
func testPrepareRetries(b bench) {
	b.planned(0, 3)
	b.noError(b.Fail(b.t.Context(), b.claim(within(hours(1, 2))), sink.Failure{Error: "x", NextReadAt: clock(900, 0)}))
	b.prepare(callsDataset())
	equal(b, "the same config", b.entry(1).NextReadAt, clock(900, 0))
	d := callsDataset()
	d.ConfigHash = "c2"
	b.prepare(d)
	equal(b, "state", b.entry(1).State, sink.StateFailed)
	equal(b, "attempts", b.entry(1).Attempts, 1)
	l := b.claim(within(hours(0, 3)))
	equal(b, "due at once", starts(l.Entries), "00 01 02")
}

func testPrepareVoidsLeases(b bench) {
	b.planned(0, 3)
	b.settled(hours(0, 1), time.Time{})
	for name, change := range map[string]func(d *sink.Dataset){
		"config hash": func(d *sink.Dataset) { d.ConfigHash = "c2" },
		"re-reads":    func(d *sink.Dataset) { d.Reread = window.Reread{time.Hour} },
	} {
		b.prepare(callsDataset())
		before := b.ledger()
		held := b.claim(within(hours(1, 3)))
		b.prepare(callsDataset()) // as it was: leases stay
		b.noError(b.Renew(b.t.Context(), held))
		d := callsDataset()
		change(&d)
		b.prepare(d)
		b.allLost(held)
		for i, e := range b.ledger()[1:] {
			equal(b, name+": as after a release", e, before[i+1])
		}
		equal(b, name+": reads of what was read", b.entry(0).Reads, 1)
		l := b.claim(within(hours(1, 3)))
		equal(b, name+": due at once", starts(l.Entries), "01 02")
		b.allLost(held)
		b.noError(b.Release(b.t.Context(), l))
	}
}

func testPrepareConfigChanged(b bench) {
	d := callsDataset()
	equal(b, "a dataset that is new", b.prepare(d).ConfigChanged, false)
	equal(b, "the same", b.prepare(d).ConfigChanged, false)
	d.ConfigHash = "c2"
	equal(b, "another", b.prepare(d).ConfigChanged, true)
	equal(b, "the same again", b.prepare(d).ConfigChanged, false)
}

// testPrepareOtherKeys: rows that come again under other keys would stand beside those that are there.
func testPrepareOtherKeys(b bench) {
	b.planned(0, 1)
	b.store(call("a", clock(0, 1), "Asha", 1))
	refused := func(what string, change func(*schema.Column)) schema.NarrowingError {
		b.t.Helper()
		d := callsDataset()
		d.ConfigHash = "refused"
		change(&d.Table.Columns[0])
		before := b.cell(`SELECT config_hash FROM ` + b.Own("datasets") + ` WHERE name = '` + calls + `'`)
		_, err := b.Prepare(b.t.Context(), d)
		_, early := b.Preview(b.t.Context(), d.Name, d.Table)
		var narrowing, seen *schema.NarrowingError
		if !errors.As(err, &narrowing) || narrowing.Column != "call_id" || !errors.As(early, &seen) || *seen != *narrowing {
			b.t.Fatalf("%s: prepare %v, preview %v, want that it is refused", what, err, early)
		}
		equal(b, what+": left alone", b.cell(`SELECT config_hash FROM `+b.Own("datasets")+` WHERE name = '`+calls+`'`), before)
		return *narrowing
	}
	lower := func(c *schema.Column) { c.Transform = "lower" }
	refused("another metric", func(c *schema.Column) { c.ID = "other" })
	refused("a transform", lower)

	d := callsDataset()
	d.ConfigHash = "c2"
	d.Table.Columns[2].Transform = "lower" // of no key
	b.prepare(d)
	d.Name = "renamed"
	b.prepare(d)
	d.Name, d.Table.Columns[0].ID = "more", "other"
	if _, err := b.Prepare(b.t.Context(), d); err == nil {
		b.t.Error("the dataset under another name has other keys")
	}

	again := callsDataset()
	lower(&again.Table.Columns[0])
	b.query(refused("a transform", lower).Alike)
	b.prepare(again)
	refused("the transform of before", func(*schema.Column) {})

	b.query(refused("none", func(*schema.Column) {}).Statement)
	prepared := b.prepare(callsDataset())
	equal(b, "created", prepared.Created, true)
}

// testPrepareStrangers: rows without a key that another dataset wrote, or this one in its time, would be there twice or give way.
func testPrepareStrangers(b bench) {
	d := keylessDataset()
	b.prepare(d)
	b.plan(hours(0, 1), clock(0, 0))
	batch := read(b.claim(within(hours(0, 1))), clock(1, 0), clock(5, 0), call("x", clock(0, 5), "x", 1))
	batch.Table, batch.Write = d.Table, sink.Append
	b.commit(batch)
	b.prepare(d)

	other := d
	other.Name = "renamed"
	_, err := b.Prepare(b.t.Context(), other)
	var narrowing *schema.NarrowingError
	if !errors.As(err, &narrowing) {
		b.t.Fatalf("another dataset: %v, want that it is refused", err)
	}
	moved := d
	moved.Table.Name = "elsewhere"
	b.prepare(moved)
	if _, err := b.Prepare(b.t.Context(), d); !errors.As(err, &narrowing) {
		b.t.Fatalf("the table of before: %v, want that it is refused", err)
	}
	b.query(narrowing.Statement)
	equal(b, "created", b.prepare(d).Created, true)
}
