package sinktest

import (
	"errors"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

func formTests() []exercise {
	return []exercise{
		{"another one ends what was read", testFormEnds},
		{"a field more ends nothing", testFormContinues},
		{"a backfill waits for rows to be deleted", testFormBackfill},
		{"of a table that is new is no matter", testFormDropped},
	}
}

// appended is a dataset whose rows are appended, of a form.
func appended(hash string, fields map[string]string) sink.Dataset {
	d := keylessDataset()
	d.ConfigHash, d.Form = hash, &schema.Form{Base: "b", Unmapped: "keep", Fields: fields}
	return d
}

// outgrown has hours of which the first was read, the second partly, and prepares another form.
func (b bench) outgrown() {
	b.t.Helper()
	b.prepare(appended("c1", map[string]string{"a": "agent"}))
	b.plan(hours(0, 4), clock(0, 0))
	row := call("x", clock(0, 5), "x", 1)
	whole := read(b.claim(within(hours(0, 1))), clock(1, 0), clock(5, 0), row)
	partly := read(b.claim(within(hours(1, 2))), clock(1, 40), clock(5, 0))
	partly.Readings[0].ReadTo = clock(1, 30)
	for _, batch := range []sink.Batch{whole, partly} {
		batch.Table, batch.Write = keylessDataset().Table, sink.Append
		b.commit(batch)
	}
	equal(b, "outgrown", b.prepare(appended("c2", map[string]string{"a": "agent_name"})).Outgrown, 2)
}

func testFormEnds(b bench) {
	b.outgrown()
	for i, w := range []window.Window{hours(0, 1), {Start: clock(1, 0), End: clock(1, 30)}} {
		e := b.ledger()[i]
		equal(b, "window", e.Window, w)
		equal(b, "state", e.State, sink.StateFinal)
		equal(b, "next", e.NextReadAt, time.Time{})
	}
	equal(b, "the rest is planned", b.plan(hours(0, 4), clock(2, 0)), 1)
	d := appended("c2", map[string]string{"a": "agent_name"})
	d.Reread = window.Reread{100 * time.Hour}
	equal(b, "outgrown again", b.prepare(d).Outgrown, 0)
	b.noError(b.MarkDue(b.t.Context(), sink.Mark{Dataset: calls, ConfigHash: "c2", Holding: []time.Time{clock(0, 10)}, Now: clock(3, 0)}))
	equal(b, "state, whoever asks for more", b.ledger()[0].State, sink.StateFinal)
	equal(b, "claimed", b.claim(anything(4)).Span(), window.Window{Start: clock(1, 30), End: clock(4, 0)})
}

func testFormContinues(b bench) {
	b.prepare(appended("c1", map[string]string{"a": "agent"}))
	b.plan(hours(0, 2), clock(0, 0))
	b.settled(hours(0, 1), clock(5, 0))
	equal(b, "outgrown", b.prepare(appended("c2", map[string]string{"a": "agent", "b": "team"})).Outgrown, 0)
	equal(b, "next", b.entry(0).NextReadAt, clock(5, 0))
}

func testFormBackfill(b bench) {
	b.outgrown()
	b.plan(hours(0, 4), clock(2, 0))
	r := sink.BackfillRequest{Dataset: calls, Range: hours(0, 4), Now: clock(3, 30)}
	_, _, err := b.BeginBackfill(b.t.Context(), r)
	var refused *sink.OlderFormError
	if !errors.As(err, &refused) {
		b.t.Fatalf("a backfill: %v, want that it is refused", err)
	}
	equal(b, "in the way", refused.Within, window.Window{Start: clock(0, 0), End: clock(1, 30)})
	equal(b, "state", b.ledger()[0].State, sink.StateFinal)
	r.Range = hours(2, 4)
	b.backfill(r) // is in nobody's way
	b.query(`DELETE FROM ` + b.Table(calls))
	r.Range = hours(0, 4)
	b.backfill(r)
	equal(b, "claimed", b.claim(anything(4)).Span(), hours(0, 4))
}

func testFormDropped(b bench) {
	b.outgrown()
	b.query(`DROP TABLE ` + b.Table(calls))
	b.prepare(appended("c2", map[string]string{"a": "agent_name"}))
	equal(b, "claimed", b.claim(anything(4)).Entries[0].Window, hours(0, 1))
	b.noError(b.MarkDue(b.t.Context(), sink.Mark{Dataset: calls, ConfigHash: "c2", Holding: []time.Time{clock(0, 10)}, Now: clock(3, 0)}))
}
