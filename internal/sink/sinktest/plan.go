package sinktest

import (
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

func planTests() []exercise {
	return []exercise{
		{"enters windows that are missing as due", testPlanEnters},
		{"is idempotent", testPlanIdempotent},
		{"fills gaps only", testPlanGaps},
		{"enters deleted windows again", testPlanDeleted},
		{"fits a new grid between old windows", testPlanGridChange},
		{"mends what was read in the future", testPlanMends},
		{"leaves a lease on what was read in the future", testPlanMendsNoLease},
		{"recalls what was put off by a clock that was ahead", testPlanRecalls},
		{"refuses an unknown dataset", testPlanUnknown},
	}
}

func testPlanEnters(b bench) {
	b.prepare(callsDataset())
	equal(b, "entered", b.plan(hours(0, 3), clock(5, 0)), 3)
	for i, e := range b.ledger() {
		want := sink.Entry{Window: hours(i, i+1), State: sink.StateDue, NextReadAt: clock(5, 0)}
		equal(b, "entry", e, want)
	}
	early := anything(4)
	b.nothingDue(early)
	equal(b, "claimed", starts(b.claim(anything(5)).Entries), "00 01 02")
}

func testPlanIdempotent(b bench) {
	b.planned(0, 3)
	b.settled(hours(0, 3), clock(9, 0))
	before := b.ledger()
	equal(b, "entered", b.plan(hours(0, 3), clock(6, 0)), 0)
	for i, e := range b.ledger() {
		equal(b, "entry", e, before[i])
	}
	equal(b, "entered in an empty stretch", b.plan(window.Window{}, clock(6, 0)), 0)
}

func testPlanGaps(b bench) {
	b.planned(4, 6)
	equal(b, "since moved to earlier", b.plan(hours(2, 6), clock(6, 0)), 2)
	equal(b, "later and with a hole", b.plan(hours(8, 9), clock(9, 0)), 1)
	equal(b, "the hole", b.plan(hours(0, 10), clock(10, 0)), 5)
	equal(b, "windows", len(b.ledger()), 10)
}

func testPlanDeleted(b bench) {
	b.planned(0, 4)
	b.settled(hours(0, 4), time.Time{})
	b.query(`DELETE FROM ` + b.Own("windows") + ` WHERE state = 'final' AND start_at >= '2026-03-02T01:00:00.000000Z'
		AND start_at < '2026-03-02T03:00:00.000000Z'`)
	equal(b, "entered", b.plan(hours(0, 4), clock(5, 0)), 2)
	equal(b, "claimed", starts(b.claim(anything(5)).Entries), "01 02")
}

func testPlanGridChange(b bench) {
	b.planned(1, 3)
	day := func(stretch window.Window) []window.Window {
		grid, err := window.NewGrid(24*time.Hour, nil)
		b.noError(err)
		return grid.Cut(stretch)
	}
	n, err := b.Plan(b.t.Context(), calls, hours(0, 48), clock(48, 0), day)
	b.noError(err)
	equal(b, "entered", n, 3)
	last := time.Time{}
	for i, e := range b.ledger() {
		if i > 0 && !e.Window.Start.Equal(last) {
			b.t.Errorf("window %s does not begin where the one before ends", e.Window)
		}
		last = e.Window.End
	}
	equal(b, "through the last day", last, clock(48, 0))
}

func testPlanMends(b bench) {
	b.planned(0, 8)
	other := callsDataset()
	other.Name, other.Table.Name = "other", "other"
	b.prepare(other)
	now, late := clock(20, 0), clock(20, 5).Add(time.Microsecond)
	reading := func(hour int, readAt, readTo time.Time, state sink.State) {
		batch := read(b.claim(within(hours(hour, hour+1))), readAt, time.Time{})
		batch.Readings[0].State, batch.Readings[0].ReadTo, batch.Readings[0].Rows = state, readTo, 3
		if state == sink.StateRead {
			batch.Readings[0].NextReadAt = clock(900, 0)
		}
		b.commit(batch)
	}
	reading(0, late, clock(1, 0), sink.StateFinal)
	reading(1, late, clock(2, 0), sink.StateRead)
	reading(2, clock(20, 5), clock(3, 0), sink.StateFinal) // no later than clocks may differ
	reading(3, clock(4, 0), late, sink.StateRead)
	reading(4, clock(5, 0), clock(20, 5), sink.StateFinal)
	reading(5, late, clock(6, 0), sink.StateFinal)
	b.query(`UPDATE ` + b.Own("windows") + ` SET state = 'failed', attempts = 4, error = 'x' WHERE start_at = '2026-03-02T05:00:00.000000Z'`)
	reading(6, late, clock(7, 0), sink.StateFinal)
	b.query(`UPDATE ` + b.Own("windows") + ` SET dataset = 'other' WHERE start_at = '2026-03-02T06:00:00.000000Z'`)
	before := b.ledger()

	equal(b, "entered", b.plan(hours(6, 8), now), 1)
	for _, e := range before {
		switch e.Window.Start.Hour() {
		case 0, 1, 3, 5:
			e = sink.Entry{Window: e.Window, State: sink.StateDue, Rows: 3, Reads: 1, NextReadAt: now}
		}
		equal(b, "entry", b.entry(e.Window.Start.Hour()), e)
	}
	equal(b, "of another dataset", b.cell(`SELECT state FROM `+b.Own("windows")+` WHERE dataset = 'other'`), "final")
	equal(b, "claimed", starts(b.claim(anything(20)).Entries), "00 01")
}

func testPlanMendsNoLease(b bench) {
	b.planned(0, 1)
	b.settled(hours(0, 1), clock(1, 0))
	b.commit(read(b.claim(anything(1)), clock(30, 0), clock(2, 0))) // by a clock that is ahead
	l := b.claim(anything(2))
	leased := b.entry(0)
	b.plan(hours(0, 1), clock(3, 0))
	equal(b, "under lease", b.entry(0), leased)
	b.expireLeases()
	b.plan(hours(0, 1), clock(3, 0))
	equal(b, "its process died", b.entry(0), sink.Entry{Window: hours(0, 1), State: sink.StateDue, Reads: 2, NextReadAt: clock(3, 0)})
	b.commit(read(l, clock(2, 0), time.Time{})) // it had not, but was late
	equal(b, "still due", b.entry(0).State, sink.StateDue)
	equal(b, "claimed", starts(b.claim(anything(3)).Entries), "00")
}

func testPlanRecalls(b bench) {
	b.prepare(callsDataset())
	b.plan(hours(0, 1), clock(10, 0).Add(sink.ClockDrift+sink.LongestRetry)) // no later than it may be
	b.plan(hours(3, 4), clock(4, 0))
	b.plan(hours(1, 5), clock(300, 0))
	ahead := func(hour int) sink.Lease {
		r := within(hours(hour, hour+1))
		r.Now, r.Edge = clock(300, 0), clock(300, 0)
		return b.claim(r)
	}
	fail := sink.Failure{Error: "x", NextReadAt: clock(400, 0)}
	b.noError(b.Fail(b.t.Context(), ahead(2), fail))
	b.settled(hours(3, 4), clock(500, 0)) // a re-read may be so late
	ahead(4)
	before := b.ledger()
	b.plan(hours(0, 1), clock(10, 0))
	for _, e := range before {
		if hour := e.Window.Start.Hour(); hour == 1 || hour == 2 {
			e.NextReadAt = clock(10, 0)
		}
		equal(b, "entry", b.entry(e.Window.Start.Hour()), e)
	}
	b.expireLeases()
	b.plan(hours(0, 1), clock(11, 0))
	equal(b, "its process died", b.entry(4).NextReadAt, clock(11, 0))
}

func testPlanUnknown(b bench) {
	if n, err := b.Plan(b.t.Context(), "nobody", hours(0, 3), clock(5, 0), hourly); err == nil {
		b.t.Errorf("planned %d windows of a dataset that was not prepared", n)
	}
}

func migrateTests() []exercise {
	return []exercise{
		{"again changes nothing", func(b bench) {
			b.planned(0, 2)
			b.noError(b.Migrate(b.t.Context()))
			equal(b, "windows", len(b.ledger()), 2)
		}},
		{"two at once", func(b bench) {
			first, second := b.Unmigrated()
			both := make(chan error, 2)
			for _, w := range []Warehouse{first, second} {
				go func() { both <- w.Migrate(b.t.Context()) }()
			}
			b.noError(<-both)
			b.noError(<-both)
			if _, err := second.Prepare(b.t.Context(), callsDataset()); err != nil {
				b.t.Error(err)
			}
		}},
		{"check needs no tables and leaves none", func(b bench) {
			first, _ := b.Unmigrated()
			for range 2 {
				if line, err := first.Check(b.t.Context()); err != nil || line == "" {
					b.t.Errorf("check: %q, %v", line, err)
				}
			}
			b.noError(first.Migrate(b.t.Context()))
			if _, err := first.Check(b.t.Context()); err != nil {
				b.t.Error(err)
			}
		}},
		{"a cancelled context is an error", func(b bench) {
			if _, err := b.Status(cancelled(b.t), clock(0, 0)); err == nil {
				b.t.Error("no error")
			}
		}},
	}
}
