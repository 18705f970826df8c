package sinktest

import (
	"fmt"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
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
		{"windows that were counted for good", testStatusSettled},
		{"runs of long ago are forgotten", testRunsForgotten},
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
	leased := b.claim(within(hours(4, 5)))
	want := sink.DatasetStatus{
		Name: calls, Kind: sink.KindReport, Table: calls, Through: clock(2, 0), Rows: 7, Windows: 6, Due: 1,
		Running: 1, Failed: 2, Error: "earlier", Rejects: 2, Behind: 3, ReadTo: clock(2, 0),
	}
	equal(b, "the last window has not begun", b.statusAt(clock(5, 0)), want)
	want.Due, want.Behind = 2, 4
	equal(b, "unread", b.statusAt(clock(19, 59)), want)
	want.Due = 4
	equal(b, "and re-reads", b.statusAt(clock(20, 0)), want)
	want.Due = 6
	equal(b, "and failed ones", b.statusAt(clock(21, 0)), want)
	b.expireLeases()
	want.Running, want.Lapsed = 0, 1
	equal(b, "without leases", b.statusAt(clock(21, 0)), want)
	b.noError(b.Release(b.t.Context(), leased))
	want.Lapsed = 0
	equal(b, "given back", b.statusAt(clock(21, 0)), want)
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

// However windows change that a run's end has counted for good, the status is what they are.
func testStatusSettled(b bench) {
	b.planned(2, 8)
	settle := func(stretch window.Window, rows int64) {
		b.t.Helper()
		batch := read(b.claim(within(stretch)), stretch.End, time.Time{})
		for i := range batch.Readings {
			batch.Readings[i].Rows = rows
			batch.Readings[i].ReadAt = clock(100, 0)
		}
		b.commit(batch)
		run := sink.Run{Dataset: calls, Kind: sink.RunOnce, StartedAt: clock(9, 0)}
		var err error
		run.ID, err = b.BeginRun(b.t.Context(), run)
		b.noError(err)
		run.EndedAt, run.Outcome = clock(9, 0), "done"
		b.noError(b.EndRun(b.t.Context(), run))
	}
	counts := func(what string, windows, rows int64, through int) {
		b.t.Helper()
		s := b.status()
		equal(b, what+": windows", s.Windows, windows)
		equal(b, what+": rows", s.Rows, rows)
		want := clock(through, 0)
		if through == 0 {
			want = time.Time{} // nothing is complete
		}
		equal(b, what+": through", s.Through, want)
		all := b.query(`SELECT count(*), sum("rows") FROM ` + b.Own("windows") + ` WHERE dataset = 'calls'`)[0]
		equal(b, what+": windows in the ledger", b.number(all[0]), windows)
		equal(b, what+": rows in the ledger", b.number(all[1]), rows)
	}
	settle(hours(2, 4), 10)
	counts("two", 6, 20, 4)
	settle(hours(5, 6), 7)
	counts("one that does not adjoin", 6, 27, 4)
	settle(hours(4, 5), 1)
	counts("the one between", 6, 28, 6)

	b.backfill(sink.BackfillRequest{Range: hours(3, 4), Now: clock(101, 0)})
	counts("one is to be read again", 6, 28, 6)
	again := read(b.claim(within(hours(3, 4))), clock(101, 0), time.Time{})
	again.Readings[0].Rows = 100
	b.commit(again)
	counts("it has more rows", 6, 118, 6)
	settle(hours(6, 7), 5)
	counts("all again", 6, 123, 7)

	b.query(`UPDATE ` + b.Own("windows") + ` SET "rows" = 0 WHERE start_at = '2026-03-02T02:00:00.000000Z'`)
	counts("a person changed one", 6, 113, 7)
	settle(hours(7, 8), 2)
	b.query(`DELETE FROM ` + b.Own("windows") + ` WHERE start_at = '2026-03-02T05:00:00.000000Z'`)
	counts("a person deleted one", 5, 108, 5)
	equal(b, "entered again", b.plan(hours(2, 8), clock(102, 0)), 1)
	counts("planned again", 6, 108, 5)
	settle(hours(5, 6), 9)
	counts("read again", 6, 117, 8)
	equal(b, "since moved to earlier", b.plan(hours(0, 8), clock(102, 0)), 2)
	counts("since moved to earlier", 8, 117, 0)
	settle(hours(0, 2), 1)
	counts("history is read", 8, 119, 8)
}

func testRunsForgotten(b bench) {
	b.planned(0, 2)
	b.prepare(func() sink.Dataset { d := callsDataset(); d.Name, d.Table.Name = "other", "other"; return d }())
	began := func(dataset string, kind sink.RunKind, at time.Time) sink.RunID {
		id, err := b.BeginRun(b.t.Context(), sink.Run{Dataset: dataset, Kind: kind, StartedAt: at})
		b.noError(err)
		return id
	}
	now := clock(0, 0).AddDate(1, 0, 0)
	edge := now.Add(-sink.KeepRuns)
	began(calls, sink.RunBackfill, clock(0, 0))
	began("other", sink.RunOnce, clock(0, 0))
	for range 150 {
		began(calls, sink.RunScheduled, edge.Add(-time.Microsecond))
	}
	for range 30 {
		began(calls, sink.RunScheduled, edge)
	}
	last := began(calls, sink.RunOnce, now)
	runs := func(where string) int {
		return int(b.number(b.cell(`SELECT count(*) FROM ` + b.Own("runs") + ` WHERE ` + where)))
	}
	b.noError(b.EndRun(b.t.Context(), sink.Run{ID: last, Dataset: calls, EndedAt: now, Outcome: "done"}))
	equal(b, "runs of the dataset: the last ones and the backfill", runs(`dataset = 'calls'`), sink.LastRuns+1)
	equal(b, "backfills", runs(`kind = 'backfill'`), 1)
	equal(b, "of another dataset", runs(`dataset = 'other'`), 1)
	equal(b, "the last one", b.status().LastRun.ID, last)
	for range sink.LastRuns {
		last = began(calls, sink.RunScheduled, now)
	}
	b.noError(b.EndRun(b.t.Context(), sink.Run{ID: last, Dataset: calls, EndedAt: now, Outcome: "done"}))
	equal(b, "those that are not so old stay", runs(`dataset = 'calls'`), 1+30+1+sink.LastRuns)
}
