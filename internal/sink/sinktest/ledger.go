package sinktest

import (
	"time"

	"samespace-exporter/internal/sink"
)

func ledgerTests() []exercise {
	return []exercise{
		{"read, read again, final", testLedgerReread},
		{"read in parts", testLedgerPartly},
		{"rows of what is read in parts", testLedgerPartlyRows},
		{"a read_to never moves back", testLedgerReadToStays},
		{"unstable after a good read", testLedgerUnstable},
	}
}

func testLedgerReread(b bench) {
	b.planned(0, 1)
	batch := read(b.claim(anything(1)), clock(1, 0), clock(2, 0))
	batch.Readings[0].Rows = 7
	b.commit(batch)
	want := sink.Entry{
		Window: hours(0, 1), State: sink.StateRead, Rows: 7, Reads: 1,
		ReadAt: clock(1, 0), ReadTo: clock(1, 0), NextReadAt: clock(2, 0),
	}
	equal(b, "read", b.entry(0), want)
	batch = read(b.claim(anything(2)), clock(2, 1), time.Time{})
	batch.Readings[0].Rows = 8
	b.commit(batch)
	want.State, want.Rows, want.Reads, want.ReadAt, want.NextReadAt = sink.StateFinal, 8, 2, clock(2, 1), time.Time{}
	equal(b, "final", b.entry(0), want)
	b.nothingDue(anything(1000))
}

func testLedgerPartly(b bench) {
	b.planned(0, 2)
	l := b.claim(anything(2))
	part := read(l, clock(2, 0), clock(9, 0), call("a", clock(1, 1), "Asha", 1))
	part.Readings[1] = sink.Reading{Start: clock(1, 0), State: sink.StateRunning, Rows: 5, ReadAt: clock(2, 0), ReadTo: clock(1, 20)}
	equal(b, "counts", b.commit(part), sink.Counts{Inserted: 1})
	equal(b, "done", b.entry(0).State, sink.StateRead)
	want := sink.Entry{Window: hours(1, 2), State: sink.StateRunning, Rows: 5, ReadTo: clock(1, 20), NextReadAt: clock(0, 0)}
	equal(b, "in parts", b.entry(1), want)
	b.nothingDue(anything(2))

	rest := l
	rest.Entries = l.Entries[1:]
	b.noError(b.Renew(b.t.Context(), rest))
	b.noError(b.Release(b.t.Context(), l))
	equal(b, "what is done stays done", b.entry(0).State, sink.StateRead)
	want.State = sink.StateDue
	equal(b, "given back", b.entry(1), want)

	l = b.claim(anything(2))
	equal(b, "read to, for the next one", l.Entries[0].ReadTo, clock(1, 20))
	b.noError(b.Fail(b.t.Context(), l, sink.Failure{Error: "x", NextReadAt: clock(2, 0)}))
	equal(b, "what was read stays read", b.entry(1).ReadTo, clock(1, 20))
	b.commit(read(b.claim(anything(2)), clock(2, 5), time.Time{}))
	equal(b, "to its end", b.entry(1).Complete(), true)
}

func testLedgerPartlyRows(b bench) {
	b.planned(0, 1)
	l := b.claim(anything(1))
	part := func(rows int64, readTo time.Time) int64 {
		batch := read(l, clock(1, 0), clock(9, 0))
		batch.Readings[0] = sink.Reading{Start: clock(0, 0), State: sink.StateRunning, Rows: rows, ReadAt: clock(1, 0), ReadTo: readTo}
		b.commit(batch)
		return b.entry(0).Rows
	}
	equal(b, "no rows yet", part(0, clock(0, 10)), 0)
	equal(b, "some", part(7, clock(0, 20)), 7)
	equal(b, "a reading that says nothing", part(0, time.Time{}), 7)
	equal(b, "more rows alone", part(8, time.Time{}), 8)
	equal(b, "read anew up to a point, without rows", part(0, clock(0, 30)), 0)
	equal(b, "some", part(9, clock(0, 40)), 9)
	b.expireLeases()
	equal(b, "for who takes over", b.claim(anything(1)).Entries[0].Rows, 9)
}

func testLedgerReadToStays(b bench) {
	b.planned(0, 1)
	b.settled(hours(0, 1), clock(1, 0))
	batch := read(b.claim(anything(1)), clock(5, 0), clock(6, 0))
	batch.Readings[0].ReadTo = time.Time{}
	b.commit(batch)
	equal(b, "when it is not given", b.entry(0).ReadTo, clock(1, 0))
	batch = read(b.claim(anything(6)), clock(6, 0), clock(7, 0))
	batch.Readings[0].State, batch.Readings[0].ReadTo = sink.StateRunning, clock(0, 30)
	b.commit(batch)
	equal(b, "when a re-read is half done", b.entry(0).ReadTo, clock(1, 0))
}

func testLedgerUnstable(b bench) {
	b.planned(0, 1)
	b.settled(hours(0, 1), clock(1, 0))
	batch := read(b.claim(anything(1)), clock(5, 0), clock(6, 0))
	batch.Readings[0] = sink.Reading{
		Start: clock(0, 0), State: sink.StateUnstable, Rows: 3, ReadAt: clock(5, 0), NextReadAt: clock(6, 0), Error: "rows moved",
	}
	b.commit(batch)
	equal(b, "the good read counts", b.entry(0), sink.Entry{
		Window: hours(0, 1), State: sink.StateUnstable, Rows: 3, Reads: 1, Attempts: 1, Error: "rows moved",
		ReadAt: clock(1, 0), ReadTo: clock(1, 0), NextReadAt: clock(6, 0),
	})
}
