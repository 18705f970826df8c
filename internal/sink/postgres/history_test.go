package postgres

import (
	"fmt"
	"testing"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// longHistory enters minute windows of years: read for the last time, but for the last thousand, which are to be read
// again; or a backlog, none of them read. A hundred before now are not planned yet.
func longHistory(t *testing.T, windows int, backlog bool) (w world, now time.Time) {
	w = newWorld(t)
	w.exec(`ALTER TABLE exporter.windows SET (autovacuum_enabled = false)`) // its work would be counted
	last, read, next := windows-1000, "s + interval '1 minute'", "s + interval '6 days'"
	if backlog {
		last, read, next = 0, "NULL::timestamptz", "s"
	}
	w.exec(fmt.Sprintf(`INSERT INTO exporter.windows (dataset, start_at, end_at, state, rows, read_at, read_to, next_read_at)
		SELECT 'calls', s, s + interval '1 minute', CASE WHEN n < %[2]d THEN 'final' ELSE 'due' END, 3,
			%[3]s + interval '5 days', %[3]s, CASE WHEN n >= %[2]d THEN %[4]s END
		FROM generate_series(0, %[1]d - 1) AS n, LATERAL (SELECT '2022-01-01T00:00:00Z'::timestamptz + n * interval '1 minute' AS s) AS at`,
		windows, last, read, next))
	return w, historyStart().Add(time.Duration(windows+100) * time.Minute)
}

func historyStart() time.Time { return time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC) }

func minutes(within window.Window) (all []window.Window) {
	for at := within.Start; at.Before(within.End); at = at.Add(time.Minute) {
		all = append(all, window.Window{Start: at, End: at.Add(time.Minute)})
	}
	return all
}

// What a tick costs does not grow with the history, nor the work of a claim with what is due: counted in pages of the
// database that are looked at.
func TestLongHistoryCostsNothing(t *testing.T) {
	const short, long = 15_000, 60_000
	for name, backlog := range map[string]bool{"read": false, "backlog": true} {
		t.Run(name, func(t *testing.T) {
			few, many := pagesOfATick(t, short, backlog), pagesOfATick(t, long, backlog)
			for step, pages := range many {
				t.Logf("%s: %d pages of %d windows, %d of %d", step, few[step], short, pages, long)
				if backlog && step == "status" {
					continue // it counts what is due
				}
				if pages > few[step]*3/2+50 {
					t.Errorf("%s looks at %d pages where the ledger has %d windows, and at %d where it has %d", step, few[step], short, pages, long)
				}
			}
		})
	}
}

// pagesOfATick is how many pages each step of a tick looks at, with a ledger of so many windows.
func pagesOfATick(t *testing.T, windows int, backlog bool) map[string]int64 {
	w, now := longHistory(t, windows, backlog)
	all := window.Window{Start: historyStart(), End: now}
	tick := func() map[string]int64 {
		pages := map[string]int64{}
		step := func(name string, do func() error) {
			t.Helper()
			before := w.pagesRead()
			w.noError(do())
			pages[name] += w.pagesRead() - before
		}
		step("plan", func() error {
			_, err := w.Plan(t.Context(), "calls", all, now, minutes)
			return err
		})
		for _, order := range []sink.Order{sink.LiveFirst, sink.OldestFirst, sink.NewestFirst, sink.LongestDueFirst} {
			var lease sink.Lease
			step(fmt.Sprint("claim ", order), func() (err error) {
				lease, _, err = w.Claim(t.Context(), sink.ClaimRequest{
					Dataset: "calls", Now: now, Edge: now, Order: order, MaxSpan: time.Hour, Owner: "test", TTL: time.Hour,
					Fit: func(candidates, _ []sink.Entry) int { return len(candidates) },
				})
				return err
			})
			w.noError(w.Release(t.Context(), lease))
		}
		step("status", func() error {
			_, err := w.Status(t.Context(), now)
			return err
		})
		step("run", func() error {
			id, err := w.BeginRun(t.Context(), sink.Run{Dataset: "calls", Kind: sink.RunOnce, StartedAt: now})
			w.noError(err)
			return w.EndRun(t.Context(), sink.Run{ID: id, Dataset: "calls", EndedAt: now, Outcome: "done"})
		})
		return pages
	}
	w.exec(`ANALYZE exporter.windows`)
	tick() // counts the windows for good, learns what is planned
	w.exec(`VACUUM ANALYZE exporter.windows`)
	now = now.Add(time.Minute)
	all.End = now
	return tick()
}

// pagesRead is how many pages of the exporter's own tables and their indexes were looked at so far.
func (w world) pagesRead() (pages int64) {
	w.t.Helper()
	w.pool.Reset() // a session reports what it counted when it ends
	const sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
	for began := time.Now(); w.cell(sessions) != "0"; {
		if time.Since(began) > 20*time.Second {
			w.t.Fatal("the warehouse's sessions do not end")
		}
	}
	w.exec(`SELECT pg_stat_force_next_flush()`)
	w.noError(w.conn.QueryRow(w.t.Context(), `SELECT sum(coalesce(heap_blks_read + heap_blks_hit, 0) + coalesce(idx_blks_read + idx_blks_hit, 0))::bigint
		FROM pg_statio_all_tables WHERE schemaname = 'exporter'`).Scan(&pages))
	return pages
}
