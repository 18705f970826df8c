package sinktest

import (
	"errors"
	"slices"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

func claimTests() []exercise {
	return []exercise{
		{"finds nothing of an unknown dataset", func(b bench) { b.nothingDue(anything(5)) }},
		{"never read", testDueNeverRead},
		{"live edge", testDueLiveEdge},
		{"re-read", testDueReread},
		{"failed", testDueFailed},
		{"unstable", testDueUnstable},
		{"live first", testClaimLiveFirst},
		{"oldest first", testClaimOldestFirst},
		{"newest first", testClaimNewestFirst},
		{"longest due first", testClaimLongestDueFirst},
		{"the longest span", testClaimMaxSpan},
		{"adjacent windows only", testClaimAdjacent},
		{"within", testClaimWithin},
		{"read before", testClaimReadBefore},
		{"fit", testClaimFit},
		{"says how the windows were", testClaimEntries},
		{"leaves other datasets alone", testClaimOthers},
		{"superseded by another config", testClaimSuperseded},
	}
}

// due tells whether anything can be claimed at now, up to edge, and gives it back.
func (b bench) due(now, edge time.Time) bool {
	b.t.Helper()
	r := anything(0)
	r.Now, r.Edge = now, edge
	l, ok, err := b.Claim(b.t.Context(), r)
	b.noError(err)
	if ok {
		b.noError(b.Release(b.t.Context(), l))
	}
	return ok
}

func testDueNeverRead(b bench) {
	b.prepare(callsDataset())
	b.plan(hours(10, 11), clock(10, 30))
	equal(b, "before next_read_at", b.due(clock(10, 29), clock(10, 29)), false)
	equal(b, "edge at the start", b.due(clock(10, 30), clock(10, 0)), false)
	equal(b, "edge before the start", b.due(clock(10, 30), clock(9, 0)), false)
	equal(b, "edge within", b.due(clock(10, 30), clock(10, 1)), true)
	equal(b, "edge after", b.due(clock(20, 0), clock(20, 0)), true)
}

func testDueLiveEdge(b bench) {
	b.planned(10, 11)
	r := anything(11)
	r.Now, r.Edge = clock(10, 30), clock(10, 30)
	batch := read(b.claim(r), clock(10, 30), clock(10, 30))
	batch.Readings[0].ReadTo = clock(10, 28)
	b.commit(batch)
	equal(b, "state", b.entry(10).State, sink.StateRead)
	equal(b, "edge where it was read to", b.due(clock(10, 30), clock(10, 28)), false)
	equal(b, "edge moved back", b.due(clock(10, 30), clock(10, 20)), false)
	equal(b, "edge moved on", b.due(clock(10, 31), clock(10, 29)), true)
	equal(b, "edge past the end", b.due(clock(15, 0), clock(15, 0)), true)
	equal(b, "before next_read_at", b.due(clock(10, 29), clock(10, 29)), false)
}

func testDueReread(b bench) {
	b.planned(10, 12)
	b.settled(hours(10, 11), clock(12, 0))
	b.settled(hours(11, 12), time.Time{})
	equal(b, "early", b.due(clock(11, 59), clock(11, 59)), false)
	equal(b, "on time", b.due(clock(12, 0), clock(12, 0)), true)
	equal(b, "claimed, without the final one", starts(b.claim(anything(1000)).Entries), "10")
}

func testDueFailed(b bench) {
	b.planned(10, 11)
	for i := range 2 {
		l := b.claim(anything(12 + i))
		b.noError(b.Fail(b.t.Context(), l, sink.Failure{Error: "status 500", NextReadAt: clock(13+i, 0)}))
		equal(b, "entry", b.entry(10), sink.Entry{
			Window: hours(10, 11), State: sink.StateFailed, Attempts: i + 1, Error: "status 500", NextReadAt: clock(13+i, 0),
		})
	}
	equal(b, "early", b.due(clock(13, 59), clock(13, 59)), false)
	equal(b, "later", b.due(clock(14, 0), clock(14, 0)), true)
	b.commit(read(b.claim(anything(14)), clock(14, 0), clock(34, 0)))
	equal(b, "entry once it is read", b.entry(10), sink.Entry{
		Window: hours(10, 11), State: sink.StateRead, Reads: 1, ReadAt: clock(14, 0), ReadTo: clock(11, 0), NextReadAt: clock(34, 0),
	})
}

func testDueUnstable(b bench) {
	b.planned(10, 11)
	batch := read(b.claim(anything(12)), clock(12, 0), clock(13, 0), call("a", clock(10, 1), "Asha", 1))
	batch.Readings[0] = sink.Reading{
		Start: clock(10, 0), State: sink.StateUnstable, Rows: 1, ReadAt: clock(12, 0), NextReadAt: clock(13, 0), Error: "rows moved",
	}
	equal(b, "counts", b.commit(batch), sink.Counts{Inserted: 1})
	equal(b, "entry", b.entry(10), sink.Entry{
		Window: hours(10, 11), State: sink.StateUnstable, Rows: 1, Attempts: 1, Error: "rows moved", NextReadAt: clock(13, 0),
	})
	equal(b, "early", b.due(clock(12, 59), clock(12, 59)), false)
	equal(b, "later", b.due(clock(13, 0), clock(13, 0)), true)
}

func testClaimLiveFirst(b bench) {
	b.planned(0, 10)
	b.settled(hours(2, 3), clock(5, 0)) // to be read again
	b.settled(hours(4, 5), clock(5, 0)) // to be read again
	partial := read(b.claim(within(hours(6, 7))), clock(7, 0), clock(7, 0))
	partial.Readings[0].ReadTo = clock(6, 30)
	b.commit(partial)

	r := anything(9)
	r.Order, r.Edge = sink.LiveFirst, clock(8, 40)
	r.Fit = func([]sink.Entry, []sink.Entry) int { return 1 }
	var order []string
	for range 9 {
		order = append(order, starts(b.claim(r).Entries))
	}
	want := []string{"06", "08", "02", "04", "00", "01", "03", "05", "07"}
	if !slices.Equal(order, want) {
		b.t.Errorf("claimed in order %v, want %v", order, want)
	}
	b.nothingDue(r)
}

func testClaimOldestFirst(b bench) {
	b.planned(0, 4)
	b.settled(hours(1, 2), clock(2, 0))
	r := anything(4)
	r.Fit = func([]sink.Entry, []sink.Entry) int { return 3 }
	equal(b, "claimed", starts(b.claim(r).Entries), "00 01 02")
	equal(b, "claimed", starts(b.claim(r).Entries), "03")
}

func testClaimNewestFirst(b bench) {
	b.planned(0, 6)
	r := anything(5) // the last window is not open yet
	r.Order = sink.NewestFirst
	r.Fit = func(candidates, _ []sink.Entry) int {
		equal(b, "candidates in order of time", slices.IsSortedFunc(candidates, func(x, y sink.Entry) int {
			return x.Window.Start.Compare(y.Window.Start)
		}), true)
		return 2
	}
	equal(b, "claimed", starts(b.claim(r).Entries), "03 04")
	equal(b, "claimed", starts(b.claim(r).Entries), "01 02")
	equal(b, "claimed", starts(b.claim(r).Entries), "00")
}

func testClaimLongestDueFirst(b bench) {
	b.planned(0, 6)
	b.settled(hours(0, 6), clock(6, 0))
	b.settled(hours(0, 1), clock(9, 0))
	b.settled(hours(1, 2), clock(8, 0))
	b.settled(hours(2, 3), clock(10, 0))
	b.settled(hours(3, 4), clock(5, 0))
	r := anything(12)
	r.Order = sink.LongestDueFirst
	r.MaxSpan = 2 * time.Hour
	equal(b, "claimed", starts(b.claim(r).Entries), "03 04")
	equal(b, "claimed", starts(b.claim(r).Entries), "05")
	equal(b, "from the one on", starts(b.claim(r).Entries), "01 02")
	equal(b, "claimed", starts(b.claim(r).Entries), "00")
}

func testClaimMaxSpan(b bench) {
	b.planned(0, 8)
	r := anything(8)
	r.MaxSpan = 3*time.Hour + 59*time.Minute
	equal(b, "three fit", starts(b.claim(r).Entries), "00 01 02")
	r.Order = sink.NewestFirst
	equal(b, "three fit", starts(b.claim(r).Entries), "05 06 07")
	r.MaxSpan = time.Minute
	equal(b, "a window may be longer", starts(b.claim(r).Entries), "04")
}

func testClaimAdjacent(b bench) {
	b.planned(0, 2)
	b.plan(hours(3, 6), clock(0, 0))
	b.settled(hours(4, 5), time.Time{})
	equal(b, "up to the hole", starts(b.claim(anything(9)).Entries), "00 01")
	equal(b, "up to the final window", starts(b.claim(anything(9)).Entries), "03")
	equal(b, "the rest", starts(b.claim(anything(9)).Entries), "05")
}

func within(w window.Window) sink.ClaimRequest {
	r := anything(1000)
	r.Within = w
	return r
}

func testClaimWithin(b bench) {
	b.planned(0, 6)
	for _, order := range []sink.Order{sink.LiveFirst, sink.OldestFirst, sink.NewestFirst, sink.LongestDueFirst} {
		r := within(hours(2, 4))
		r.Order = order
		l := b.claim(r)
		equal(b, "claimed", starts(l.Entries), "02 03")
		b.nothingDue(r)
		b.noError(b.Release(b.t.Context(), l))
	}
	r := within(window.Window{Start: clock(2, 30), End: clock(4, 30)})
	equal(b, "windows that overlap it", starts(b.claim(r).Entries), "02 03 04")
}

func testClaimReadBefore(b bench) {
	b.planned(0, 4)
	b.settled(hours(0, 1), clock(1, 0)) // read at 01:00
	b.settled(hours(1, 2), clock(2, 0))
	b.settled(hours(3, 4), clock(4, 0))
	r := anything(9)
	r.ReadBefore = clock(2, 0)
	equal(b, "not read since", starts(b.claim(r).Entries), "00")
	equal(b, "never read", starts(b.claim(r).Entries), "02")
	b.nothingDue(r)
}

func testClaimFit(b bench) {
	b.prepare(callsDataset())
	b.plan(hours(-9*24, -9*24+2), clock(-9*24, 0)) // too far away to tell
	b.plan(hours(-7*24, -7*24+2), clock(-9*24, 0))
	b.plan(hours(0, 5), clock(-9*24, 0))
	b.settled(hours(-9*24, -9*24+2), time.Time{})
	b.settled(hours(-7*24, -7*24+1), time.Time{})
	batch := read(b.claim(within(hours(1, 2))), clock(2, 0), clock(2, 0))
	batch.Readings[0].Rows = 77
	b.commit(batch)
	b.noError(b.Fail(b.t.Context(), b.claim(within(hours(-7*24+1, -7*24+2))), sink.Failure{Error: "x", NextReadAt: clock(900, 0)}))

	var candidates, near []sink.Entry
	r := anything(9)
	r.Fit = func(c, n []sink.Entry) int {
		candidates, near = slices.Clone(c), slices.Clone(n)
		return len(c) - 2
	}
	l := b.claim(r)
	equal(b, "claimed", starts(l.Entries), "00 01 02")
	equal(b, "candidates", starts(candidates), "00 01 02 03 04")
	equal(b, "near, a candidate that was read before included", starts(near), "-168 01")
	if len(near) == 2 {
		equal(b, "rows nearby", near[1].Rows, 77)
	}
	r.Fit = func([]sink.Entry, []sink.Entry) int { return 0 }
	equal(b, "one at least", starts(b.claim(r).Entries), "03")
	r.Fit = func([]sink.Entry, []sink.Entry) int { return 99 }
	equal(b, "what there is at most", starts(b.claim(r).Entries), "04")
}

func testClaimEntries(b bench) {
	b.planned(0, 3)
	batch := read(b.claim(within(hours(1, 2))), clock(2, 0), clock(2, 30))
	batch.Readings[0].Rows = 5
	b.commit(batch)
	before := b.ledger()
	l := b.claim(anything(3))
	equal(b, "windows", len(l.Entries), 3)
	for i, e := range l.Entries {
		equal(b, "entry as it was", e, before[i])
		equal(b, "state now", b.entry(i).State, sink.StateRunning)
	}
	equal(b, "span", l.Span(), hours(0, 3))
	equal(b, "dataset", l.Dataset, calls)
	equal(b, "owner", l.Owner, "first")
	equal(b, "time to live", l.TTL, time.Hour)
	equal(b, "owner in the ledger", b.column(`SELECT DISTINCT lease_owner FROM `+b.Own("windows")), "first")
}

func testClaimSuperseded(b bench) {
	older, newer := anything(9), anything(9)
	older.ConfigHash, newer.ConfigHash = "c1", "c2"
	b.nothingDue(older) // of a dataset that was never prepared
	b.planned(0, 2)
	b.noError(b.Release(b.t.Context(), b.claim(older)))
	d := callsDataset()
	d.ConfigHash = "c2"
	b.prepare(d)
	superseded := func() {
		b.t.Helper()
		if l, ok, err := b.Claim(b.t.Context(), older); ok || !errors.Is(err, sink.ErrSuperseded) {
			b.t.Errorf("claimed %s, %v, want that the config is superseded", starts(l.Entries), err)
		}
	}
	superseded()
	b.noError(b.Release(b.t.Context(), b.claim(newer)))
	equal(b, "without a config", starts(b.claim(anything(9)).Entries), "00 01")
	superseded() // though nothing is due
}

func testClaimOthers(b bench) {
	b.planned(0, 2)
	other := callsDataset()
	other.Name, other.Table.Name = "other", "other"
	b.prepare(other)
	r := anything(9)
	r.Dataset = "other"
	b.nothingDue(r)
	equal(b, "claimed", starts(b.claim(anything(9)).Entries), "00 01")
}
