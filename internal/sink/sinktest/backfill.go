package sinktest

import (
	"errors"
	"fmt"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

func backfillTests() []exercise {
	return []exercise{
		{"marks every window of the range", testBackfillMarks},
		{"takes windows that overlap the range", testBackfillOverlaps},
		{"takes windows that a clock a little ahead has read", testBackfillAhead},
		{"needs windows", testBackfillEmpty},
		{"goes on", testBackfillGoesOn},
		{"goes on with what has lost its mark", testBackfillRemarks},
		{"goes on without an end", testBackfillOpenEnded},
		{"remaining", testBackfillRemaining},
		{"unfinished", testBackfillUnfinished},
		{"a window under lease is read again", testBackfillLeased},
		{"a window under lease is read whole", testBackfillLeasedPartly},
		{"a failure leaves its mark", testBackfillFailure},
	}
}

// The clocks of two replicas need not agree to the second.
func testBackfillAhead(b bench) {
	b.planned(0, 3)
	b.commit(read(b.claim(within(hours(0, 1))), clock(10, 0), time.Time{}))
	b.commit(read(b.claim(within(hours(1, 2))), clock(10, 4), time.Time{}))
	run, _ := b.backfill(sink.BackfillRequest{Range: hours(0, 3), Now: clock(10, 0)})
	left, err := b.Remaining(b.t.Context(), run)
	b.noError(err)
	equal(b, "left", left, sink.Remaining{Total: 3, Left: 3})
	r := within(hours(0, 3))
	r.ReadBefore = run.StartedAt
	equal(b, "claimed", starts(b.claim(r).Entries), "00 01 02")
	equal(b, "never read", b.entry(2).ReadAt, time.Time{})
}

func (b bench) backfill(r sink.BackfillRequest) (sink.Run, bool) {
	b.t.Helper()
	r.Dataset = calls
	run, goesOn, err := b.BeginBackfill(b.t.Context(), r)
	b.noError(err)
	return run, goesOn
}

func testBackfillMarks(b bench) {
	b.planned(0, 7)
	b.settled(hours(1, 2), time.Time{})
	b.settled(hours(2, 3), clock(900, 0))
	partly := read(b.claim(within(hours(3, 4))), clock(4, 0), clock(900, 0))
	partly.Readings[0].ReadTo = clock(3, 30)
	b.commit(partly)
	b.noError(b.Fail(b.t.Context(), b.claim(within(hours(4, 5))), sink.Failure{Error: "x", NextReadAt: clock(900, 0)}))
	b.settled(hours(6, 7), time.Time{})

	run, goesOn := b.backfill(sink.BackfillRequest{Range: hours(1, 6), Now: clock(10, 0)})
	equal(b, "goes on", goesOn, false)
	equal(b, "run", run, sink.Run{ID: run.ID, Dataset: calls, Kind: sink.RunBackfill, StartedAt: clock(10, 0), Range: hours(1, 6)})
	for hour := 1; hour < 6; hour++ {
		e := b.entry(hour)
		equal(b, "state", e.State, sink.StateDue)
		equal(b, "next read at", e.NextReadAt, clock(10, 0))
		equal(b, "attempts", e.Attempts, 0)
	}
	equal(b, "read to its end", b.entry(1).ReadTo, clock(2, 0))
	equal(b, "read in part: now whole", b.entry(3).ReadTo, time.Time{})
	equal(b, "after the range", b.entry(6).State, sink.StateFinal)
	equal(b, "before the range", b.entry(0).NextReadAt, clock(0, 0))
	b.nothingDue(sink.ClaimRequest{Dataset: calls, Within: hours(1, 6), Now: clock(9, 59), Edge: clock(9, 59), MaxSpan: time.Hour, Owner: "first", TTL: time.Hour})
	r := within(hours(1, 6))
	r.ReadBefore = run.StartedAt
	equal(b, "claimed", starts(b.claim(r).Entries), "01 02 03 04 05")
}

// The windows may be those of an older grid: neither bound of the range need be one of theirs.
func testBackfillOverlaps(b bench) {
	b.prepare(callsDataset())
	threeHours, err := window.NewGrid(3*time.Hour, nil)
	b.noError(err)
	_, err = b.Plan(b.t.Context(), calls, hours(0, 15), clock(0, 0), threeHours.Cut)
	b.noError(err)
	for hour := 0; hour < 15; hour += 3 {
		b.settled(hours(hour, hour+3), time.Time{})
	}
	run, _ := b.backfill(sink.BackfillRequest{Range: hours(4, 10), Now: clock(20, 0)})
	left, err := b.Remaining(b.t.Context(), run)
	b.noError(err)
	equal(b, "left", left, sink.Remaining{Total: 3, Left: 3})
	equal(b, "before", b.entry(0).State, sink.StateFinal)
	equal(b, "after", b.entry(12).State, sink.StateFinal)
	r := within(run.Range)
	r.ReadBefore = run.StartedAt
	l := b.claim(r)
	equal(b, "claimed", starts(l.Entries), "03 06 09")
	b.commit(read(l, clock(20, 0), time.Time{}))
	left, err = b.Remaining(b.t.Context(), run)
	b.noError(err)
	equal(b, "left", left, sink.Remaining{Total: 3})
	inside, _ := b.backfill(sink.BackfillRequest{Range: hours(7, 8), Now: clock(21, 0)})
	left, err = b.Remaining(b.t.Context(), inside)
	b.noError(err)
	equal(b, "a range inside a window", left, sink.Remaining{Total: 1, Left: 1})
}

func testBackfillEmpty(b bench) {
	b.planned(0, 2)
	r := sink.BackfillRequest{Dataset: calls, Range: hours(2, 4), Now: clock(9, 0)}
	if run, _, err := b.BeginBackfill(b.t.Context(), r); err == nil {
		b.t.Errorf("began %+v over a range without windows", run)
	}
}

// A clock that was behind mended and read a window after it was marked: by its time of reading, before.
func testBackfillRemarks(b bench) {
	b.planned(0, 3)
	request := sink.BackfillRequest{Range: hours(0, 3), Now: clock(10, 0)}
	run, _ := b.backfill(request)
	b.plan(hours(0, 1), clock(9, 0))
	for hour, next := range map[int]time.Time{0: {}, 1: clock(900, 0)} {
		b.query(fmt.Sprintf(`UPDATE %s SET next_read_at = start_at WHERE start_at = '2026-03-02T0%d:00:00.000000Z'`, b.Own("windows"), hour))
		b.commit(read(b.claim(within(hours(hour, hour+1))), clock(9, 0), next))
	}
	request.Now = clock(12, 0)
	_, goesOn := b.backfill(request)
	equal(b, "goes on", goesOn, true)
	r := within(hours(0, 3))
	r.Now, r.Edge, r.ReadBefore = clock(12, 0), clock(12, 0), run.StartedAt
	equal(b, "claimed", starts(b.claim(r).Entries), "00 01 02")
}

func testBackfillGoesOn(b bench) {
	b.planned(0, 4)
	request := sink.BackfillRequest{Range: hours(0, 4), Now: clock(10, 0)}
	first, _ := b.backfill(request)
	r := within(hours(0, 2))
	batch := read(b.claim(r), clock(10, 0), time.Time{})
	batch.Run = first.ID
	b.commit(batch)
	ended := first
	ended.EndedAt, ended.Outcome = clock(11, 0), "interrupted"
	b.noError(b.EndRun(b.t.Context(), ended))

	request.Now = clock(12, 0)
	again, goesOn := b.backfill(request)
	equal(b, "goes on", goesOn, true)
	equal(b, "run", again.ID, first.ID)
	equal(b, "started at", again.StartedAt, clock(10, 0))
	equal(b, "range", again.Range, hours(0, 4))
	equal(b, "windows", again.Windows, 2)
	equal(b, "what was read stays read", b.entry(0).State, sink.StateFinal)

	other, goesOn := b.backfill(sink.BackfillRequest{Range: hours(0, 3), Now: clock(12, 30)})
	equal(b, "another range goes on", goesOn, false)
	equal(b, "its windows are marked", b.entry(0).State, sink.StateDue)
	if other.ID == first.ID {
		b.t.Error("another range has the same run")
	}

	request.Restart, request.Now = true, clock(13, 0)
	anew, goesOn := b.backfill(request)
	equal(b, "restart goes on", goesOn, false)
	equal(b, "started at", anew.StartedAt, clock(13, 0))

	anew.EndedAt, anew.Outcome = clock(14, 0), "done"
	b.noError(b.EndRun(b.t.Context(), anew))
	request.Restart, request.Now = false, clock(15, 0)
	_, goesOn = b.backfill(request)
	equal(b, "a finished one goes on", goesOn, false)
}

func testBackfillOpenEnded(b bench) {
	b.planned(0, 6)
	first, _ := b.backfill(sink.BackfillRequest{Range: hours(0, 4), OpenEnded: true, Now: clock(10, 0)})
	equal(b, "without an end", first.OpenEnded, true)
	again, goesOn := b.backfill(sink.BackfillRequest{Range: hours(0, 6), OpenEnded: true, Now: clock(12, 0)})
	equal(b, "goes on", goesOn, true)
	equal(b, "run", again.ID, first.ID)
	equal(b, "its own range", again.Range, hours(0, 4))
	again, goesOn = b.backfill(sink.BackfillRequest{Range: hours(0, 4), Now: clock(12, 0)})
	equal(b, "the same range goes on", goesOn, true)
	equal(b, "run", again.ID, first.ID)
	_, goesOn = b.backfill(sink.BackfillRequest{Range: hours(0, 6), Now: clock(12, 0)})
	equal(b, "another end goes on", goesOn, false)
	_, goesOn = b.backfill(sink.BackfillRequest{Range: hours(1, 6), OpenEnded: true, Now: clock(12, 0)})
	equal(b, "another start goes on", goesOn, false)
}

func testBackfillRemaining(b bench) {
	b.planned(0, 6)
	b.settled(hours(0, 1), time.Time{})
	run, _ := b.backfill(sink.BackfillRequest{Range: hours(0, 5), Now: clock(10, 0)})
	remaining := func() sink.Remaining {
		r, err := b.Remaining(b.t.Context(), run)
		b.noError(err)
		return r
	}
	equal(b, "at first", remaining(), sink.Remaining{Total: 5, Left: 5})
	b.commit(read(b.claim(within(hours(0, 1))), clock(10, 0), clock(10, 0)))
	b.claim(within(hours(0, 1))) // a re-read: it is none of those left
	b.noError(b.Fail(b.t.Context(), b.claim(within(hours(1, 2))), sink.Failure{Error: "x", NextReadAt: clock(11, 0)}))
	unstable := read(b.claim(within(hours(2, 3))), clock(10, 1), clock(11, 0))
	unstable.Readings[0].State, unstable.Readings[0].ReadTo, unstable.Readings[0].Error = sink.StateUnstable, time.Time{}, "rows moved"
	b.commit(unstable)
	l := b.claim(within(hours(3, 5)))
	equal(b, "in the middle", remaining(), sink.Remaining{Total: 5, Left: 4, Failed: 2, Leased: 2})
	b.commit(read(l, clock(10, 2), clock(11, 0)))
	b.commit(read(b.claim(within(hours(1, 3))), clock(11, 0), time.Time{}))
	equal(b, "at last", remaining(), sink.Remaining{Total: 5})
}

func testBackfillUnfinished(b bench) {
	_, fresh := b.Unmigrated()
	if _, err := fresh.Unfinished(b.t.Context(), clock(10, 0)); !errors.Is(err, sink.ErrNotMigrated) {
		b.t.Errorf("before the tables are there: %v", err)
	}
	b.planned(0, 6)
	b.settled(hours(0, 2), time.Time{})
	unfinished := func() []sink.Unfinished {
		b.t.Helper()
		all, err := b.Unfinished(b.t.Context(), clock(10, 0))
		b.noError(err)
		return all
	}
	equal(b, "no backfill", len(unfinished()), 0)
	run, _ := b.backfill(sink.BackfillRequest{Range: hours(0, 4), Now: clock(10, 0)})
	want := sink.Unfinished{Dataset: calls, Range: hours(0, 4), StartedAt: clock(10, 0), Left: 4}
	equal(b, "under way", fmt.Sprint(unfinished()), fmt.Sprint([]sink.Unfinished{want}))
	b.commit(read(b.claim(within(hours(0, 1))), clock(10, 0), clock(900, 0)))
	run.EndedAt, run.Outcome = clock(11, 0), "interrupted"
	b.noError(b.EndRun(b.t.Context(), run))
	want.Left = 3
	equal(b, "interrupted", fmt.Sprint(unfinished()), fmt.Sprint([]sink.Unfinished{want}))

	anew, _ := b.backfill(sink.BackfillRequest{Range: hours(0, 4), Now: clock(12, 0), Restart: true})
	later, _ := b.backfill(sink.BackfillRequest{Range: hours(3, 6), Now: clock(12, 0)})
	all, err := b.Unfinished(b.t.Context(), clock(5, 0))
	b.noError(err)
	want.StartedAt, want.Left = clock(12, 0), 4
	equal(b, "begun anew, and another one, but for a window that has not begun", fmt.Sprint(all),
		fmt.Sprint([]sink.Unfinished{want, {Dataset: calls, Range: hours(3, 6), StartedAt: clock(12, 0), Left: 2}}))

	b.commit(read(b.claim(anything(12)), clock(12, 0), time.Time{}))
	equal(b, "read by whoever it was", len(unfinished()), 0)
	for _, run := range []sink.Run{anew, later} {
		run.EndedAt, run.Outcome = clock(13, 0), "done"
		b.noError(b.EndRun(b.t.Context(), run))
	}
	b.query(`UPDATE ` + b.Own("windows") + ` SET next_read_at = start_at, read_at = NULL`)
	equal(b, "done, and due for another reason", len(unfinished()), 0)
}

// A replica whose clock is behind would read the window before the backfill does, by its own clock: then nobody would for it.
func testBackfillFailure(b bench) {
	b.planned(0, 2)
	l := b.claim(within(hours(0, 2)))
	b.backfill(sink.BackfillRequest{Range: hours(0, 1), Now: clock(10, 0)})
	b.noError(b.Fail(b.t.Context(), l, sink.Failure{Error: "x", NextReadAt: clock(9, 56)}))
	equal(b, "marked", b.entry(0).NextReadAt, clock(10, 0))
	equal(b, "not marked", b.entry(1).NextReadAt, clock(9, 56))
	equal(b, "failed all the same", b.entry(0).State, sink.StateFailed)
}

func testBackfillLeased(b bench) {
	b.planned(0, 2)
	l := b.claim(anything(3))
	run, _ := b.backfill(sink.BackfillRequest{Range: hours(0, 2), Now: clock(10, 0)})
	b.nothingDue(anything(11))
	batch := read(l, clock(9, 59), time.Time{})
	batch.Readings[1].ReadAt = clock(10, 0) // began with the backfill: it counts
	b.commit(batch)
	equal(b, "read before the backfill began", b.entry(0), sink.Entry{
		Window: hours(0, 1), State: sink.StateDue, Reads: 1, ReadAt: clock(9, 59), ReadTo: clock(1, 0), NextReadAt: clock(10, 0),
	})
	equal(b, "read since", b.entry(1).State, sink.StateFinal)
	r := anything(11)
	r.ReadBefore = run.StartedAt
	l = b.claim(r)
	equal(b, "claimed again", starts(l.Entries), "00")
	b.commit(read(l, clock(11, 0), time.Time{}))
	equal(b, "the mark is used up", b.entry(0).State, sink.StateFinal)
}

func testBackfillLeasedPartly(b bench) {
	b.planned(0, 2)
	l := b.claim(anything(3))
	b.backfill(sink.BackfillRequest{Range: hours(0, 2), Now: clock(10, 0)})
	batch := read(l, clock(9, 0), clock(9, 0))
	batch.Readings[0].ReadTo = clock(0, 30)
	batch.Readings[1].State, batch.Readings[1].ReadTo = sink.StateRunning, clock(1, 30)
	b.commit(batch)
	equal(b, "done, in part", b.entry(0).ReadTo, time.Time{})
	equal(b, "still leased", b.entry(1).ReadTo, time.Time{})
	b.noError(b.Release(b.t.Context(), sink.Lease{Dataset: l.Dataset, Owner: l.Owner, Epoch: l.Epoch, Entries: l.Entries[1:], TTL: l.TTL}))
	l = b.claim(anything(11))
	equal(b, "claimed", starts(l.Entries), "00 01")
}
