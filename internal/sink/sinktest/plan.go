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
