package sinktest

import (
	"fmt"
	"time"

	"samespace-exporter/internal/sink"
)

func statusTests() []exercise {
	return []exercise{
		{"nothing", testStatusNothing},
		{"through", testStatusThrough},
		{"through in parts", testStatusThroughPartly},
		{"through a moved since", testStatusThroughSince},
		{"counts", testStatusCounts},
		{"the live edge is due as it moves", testStatusLiveEdge},
		{"runs", testStatusRuns},
	}
}

// status is what the warehouse knows of the dataset calls at hour 1000.
func (b bench) status() sink.DatasetStatus { return b.statusAt(clock(1000, 0)) }

func (b bench) statusAt(now time.Time) sink.DatasetStatus {
	b.t.Helper()
	all, err := b.Status(b.t.Context(), now)
	b.noError(err)
	for _, s := range all {
		if s.Name == calls {
			view := b.column(`SELECT through FROM ` + b.Own("through") + ` WHERE dataset = 'calls' AND through IS NOT NULL`)
			if view == "" {
				view = "NULL"
			}
			equal(b, "through in the view", b.instant(view), s.Through)
			return s
		}
	}
	b.t.Fatalf("no status of %s in %+v", calls, all)
	return sink.DatasetStatus{}
}

func testStatusNothing(b bench) {
	all, err := b.Status(b.t.Context(), clock(0, 0))
	b.noError(err)
	equal(b, "datasets", len(all), 0)
	other := callsDataset()
	other.Name, other.Table.Name, other.Kind = "agents", "agents_table", sink.KindInsight
	b.prepare(callsDataset())
	b.prepare(other)
	all, err = b.Status(b.t.Context(), clock(0, 0))
	b.noError(err)
	equal(b, "datasets", len(all), 2)
	equal(b, "first", all[0], sink.DatasetStatus{Name: "agents", Kind: sink.KindInsight, Table: "agents_table"})
	equal(b, "second", all[1], sink.DatasetStatus{Name: calls, Kind: sink.KindReport, Table: calls})
}

func testStatusThrough(b bench) {
	b.planned(0, 4)
	b.plan(hours(6, 8), clock(0, 0))
	equal(b, "nothing read", b.status().Through, time.Time{})
	b.settled(hours(1, 2), clock(900, 0))
	equal(b, "the first is missing", b.status().Through, time.Time{})
	b.settled(hours(0, 1), clock(900, 0))
	equal(b, "two", b.status().Through, clock(2, 0))
	b.settled(hours(3, 4), time.Time{})
	b.settled(hours(6, 8), time.Time{})
	equal(b, "one is missing", b.status().Through, clock(2, 0))
	b.settled(hours(2, 3), time.Time{})
	equal(b, "up to the hole", b.status().Through, clock(4, 0))
	b.plan(hours(0, 8), clock(8, 0))
	equal(b, "the hole is planned", b.status().Through, clock(4, 0))
	b.settled(hours(4, 6), time.Time{})
	equal(b, "the hole is filled", b.status().Through, clock(8, 0))

	l := b.claim(within(hours(0, 2)))
	b.noError(b.Fail(b.t.Context(), l, sink.Failure{Error: "x", NextReadAt: clock(901, 0)}))
	equal(b, "a re-read that failed", b.status().Through, clock(8, 0))
	b.backfill(sink.BackfillRequest{Range: hours(0, 8), Now: clock(10, 0)})
	equal(b, "to be read again", b.status().Through, clock(8, 0))
	b.query(`DELETE FROM ` + b.Own("windows") + ` WHERE start_at = '2026-03-02T05:00:00.000000Z'`)
	equal(b, "one is gone", b.status().Through, clock(5, 0))
}

func testStatusThroughPartly(b bench) {
	b.planned(0, 2)
	part := read(b.claim(within(hours(0, 1))), clock(1, 0), clock(1, 0))
	part.Readings[0].State, part.Readings[0].ReadTo = sink.StateRunning, clock(0, 0)
	b.commit(part)
	equal(b, "nothing read", b.status().Through, time.Time{})
	part.Readings[0].ReadTo = clock(0, 20)
	b.commit(part)
	equal(b, "running", b.status().Through, clock(0, 20))
	part.Readings[0].State, part.Readings[0].ReadTo = sink.StateRead, clock(0, 40)
	b.commit(part)
	equal(b, "live", b.status().Through, clock(0, 40))
	b.settled(hours(0, 1), clock(900, 0))
	equal(b, "to its end", b.status().Through, clock(1, 0))
	part = read(b.claim(within(hours(1, 2))), clock(2, 0), clock(2, 0))
	part.Readings[0].ReadTo = clock(1, 10)
	b.commit(part)
	equal(b, "the next, in part", b.status().Through, clock(1, 10))
	b.backfill(sink.BackfillRequest{Range: hours(0, 2), Now: clock(10, 0)})
	equal(b, "the part is to be read again", b.status().Through, clock(1, 0))
}

func testStatusThroughSince(b bench) {
	b.planned(4, 6)
	b.settled(hours(4, 6), clock(900, 0))
	equal(b, "through", b.status().Through, clock(6, 0))
	b.plan(hours(3, 6), clock(6, 0))
	equal(b, "since moved to earlier", b.status().Through, time.Time{})
	b.settled(hours(3, 4), clock(900, 0))
	equal(b, "history is read", b.status().Through, clock(6, 0))
}

func testStatusCounts(b bench) {
	b.planned(0, 6)
	batch := read(b.claim(within(hours(0, 2))), clock(2, 0), clock(20, 0), call("a", clock(0, 1), "Asha", 1))
	batch.Readings[0].Rows, batch.Readings[1].Rows = 3, 4
	batch.Rejects = []sink.Reject{reject(0, `"a"`, "x"), reject(1, `"b"`, "x")}
	b.commit(batch)
	b.noError(b.Fail(b.t.Context(), b.claim(within(hours(3, 4))), sink.Failure{Error: "later", NextReadAt: clock(21, 0)}))
	b.noError(b.Fail(b.t.Context(), b.claim(within(hours(2, 3))), sink.Failure{Error: "earlier", NextReadAt: clock(21, 0)}))
	b.claim(within(hours(4, 5)))
	want := sink.DatasetStatus{
		Name: calls, Kind: sink.KindReport, Table: calls, Through: clock(2, 0), Rows: 7, Windows: 6, Due: 1,
		Running: 1, Failed: 2, Error: "earlier", Rejects: 2, LastReadAt: clock(2, 0),
	}
	equal(b, "the last window has not begun", b.statusAt(clock(5, 0)), want)
	want.Due = 2
	equal(b, "unread", b.statusAt(clock(19, 59)), want)
	want.Due = 4
	equal(b, "and re-reads", b.statusAt(clock(20, 0)), want)
	want.Due = 6
	equal(b, "and failed ones", b.statusAt(clock(21, 0)), want)
	b.expireLeases()
	want.Running = 0
	equal(b, "without leases", b.statusAt(clock(21, 0)), want)
}

func testStatusLiveEdge(b bench) {
	b.planned(0, 1)
	part := read(b.claim(within(hours(0, 1))), clock(0, 30), clock(0, 30))
	part.Readings[0].ReadTo = clock(0, 30)
	b.commit(part)
	equal(b, "at once", b.statusAt(clock(0, 30)).Due, 0)
	equal(b, "a minute later", b.statusAt(clock(0, 31)).Due, 1)
}

func testStatusRuns(b bench) {
	b.prepare(callsDataset())
	ctx := b.t.Context()
	first := sink.Run{Dataset: calls, Kind: sink.RunOnce, StartedAt: clock(1, 0)}
	var err error
	first.ID, err = b.BeginRun(ctx, first)
	b.noError(err)
	equal(b, "not ended", b.status().LastRun, first)
	b.plan(hours(0, 2), clock(0, 0))
	b.settled(hours(0, 1), time.Time{})
	second := sink.Run{Dataset: calls, Kind: sink.RunScheduled, StartedAt: clock(2, 0)}
	second.ID, err = b.BeginRun(ctx, second)
	b.noError(err)
	if second.ID == first.ID || second.ID == 0 {
		b.t.Errorf("runs %d and %d", first.ID, second.ID)
	}
	first.EndedAt, first.Outcome = clock(3, 0), "failed"
	b.noError(b.EndRun(ctx, first))
	equal(b, "the one begun last", b.status().LastRun, second)
	second.EndedAt, second.Outcome = clock(4, 0), "done"
	b.noError(b.EndRun(ctx, second))
	equal(b, "ended", b.status().LastRun, second)
	last := b.query(`SELECT last_run, last_run_at, through FROM ` + b.Own("datasets"))[0]
	equal(b, "last run of the dataset", last[0], fmt.Sprint(second.ID))
	equal(b, "when it ended", b.instant(last[1]), clock(4, 0))
	equal(b, "how far the dataset was then", b.instant(last[2]), clock(1, 0))
}
