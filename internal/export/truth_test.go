package export_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source/simulator"
	"samespace-exporter/internal/window"
)

// calls is a report with so many rows a day.
func calls(perDay int) simulator.Report {
	r := simulator.Calls()
	r.RowsPerDay = perDay
	return r
}

// The promise: whatever the API does, the warehouse ends up with what the API would say if it stood still, and
// reading the same again writes no row.
func TestWarehouseEqualsTruth(t *testing.T) {
	t.Parallel()
	for i, c := range []struct {
		name   string
		script func(*simulator.Simulator)
		passes int // that may fail before the one that must not
	}{
		{name: "no fault", script: func(*simulator.Simulator) {}},
		{name: "page cap below page size", script: func(s *simulator.Simulator) {
			s.Script(simulator.Always(), simulator.PageCap(7))
		}},
		{name: "page cap of one", script: func(s *simulator.Simulator) {
			s.Script(simulator.Always(), simulator.PageCap(1))
		}},
		{name: "inclusive end", script: func(s *simulator.Simulator) {
			s.Script(simulator.Always(), simulator.InclusiveEnd())
		}},
		{name: "exclusive start", script: func(s *simulator.Simulator) {
			s.Script(simulator.Always(), simulator.ExclusiveStart())
		}},
		{name: "rows twice in a page", script: func(s *simulator.Simulator) {
			s.Script(simulator.Always(), simulator.Duplicate()) // of some requests only it would be rows that move
		}},
		{name: "errors in HTTP 200", script: func(s *simulator.Simulator) {
			s.Script(nowAndThen(), simulator.Errors("something broke"))
		}},
		{name: "errors beside data", script: func(s *simulator.Simulator) {
			s.Script(nowAndThen(), simulator.ErrorsBesideData("something broke"))
		}},
		{name: "503 with an empty object", script: func(s *simulator.Simulator) {
			s.Script(nowAndThen(), simulator.Status(http.StatusServiceUnavailable, "{}"))
		}},
		{name: "429 with Retry-After", script: func(s *simulator.Simulator) {
			s.Script(simulator.On(4), simulator.RetryAfter(http.StatusTooManyRequests, time.Second))
		}},
		{name: "resets", script: func(s *simulator.Simulator) {
			s.Script(nowAndThen(), simulator.Reset())
		}},
		{name: "cut bodies", script: func(s *simulator.Simulator) {
			s.Script(nowAndThen(), simulator.CutBody(400))
		}},
		{name: "HTML", script: func(s *simulator.Simulator) { s.Script(nowAndThen(), simulator.HTML()) }},
		{name: "empty bodies", script: func(s *simulator.Simulator) { s.Script(nowAndThen(), simulator.EmptyBody()) }},
		{name: "null for rows", script: func(s *simulator.Simulator) { s.Script(nowAndThen(), simulator.NullData()) }},
		{name: "a refused depth", script: func(s *simulator.Simulator) {
			s.Script(simulator.Always(), simulator.MaxSkip(70))
		}},
		{name: "a refused range", script: func(s *simulator.Simulator) {
			s.Script(simulator.Always(), simulator.RangeLimit(3*time.Hour))
		}},
		{name: "a source that fails for a while", passes: 12, script: func(s *simulator.Simulator) {
			s.Script(simulator.On(5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16), simulator.Status(http.StatusBadGateway, "<html>"))
		}},
	} {
		if i%sample != 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, k kind) {
				since := start.Add(-14 * time.Hour)
				w := newWorld(t, k, calls(300), since, func(d *export.Dataset) { d.Query.PageSize, d.MaxRows = 20, 120 })
				w.clock.Advance(100 * time.Hour) // what began before start is not restated any more
				c.script(w.sim)
				pass := export.Pass{Kind: sink.RunOnce, Within: window.Window{Start: since, End: start}}
				for range c.passes {
					// What fails is in the summary and in the ledger; what counts is how it ends.
					_, _ = w.exporter.Export(t.Context(), pass)
					w.clock.Advance(time.Hour)
				}
				w.pass(pass)
				w.mustEqualTruth(since, start)
				w.sim.Unscript()
				w.mustWriteNothing()
				w.mustEqualTruth(since, start)
			})
		})
	}
}

// nowAndThen is each third page, when it is asked for first. (By number a fault may meet a page again and again where
// requests overlap, and a page that is no JSON is asked for three times only.)
func nowAndThen() simulator.Trigger {
	var mu sync.Mutex
	asked := map[string]bool{}
	return simulator.When(func(r simulator.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		page := fmt.Sprint(r.From, r.To, r.Skip)
		again := asked[page]
		asked[page] = true
		return !again && len(asked)%3 == 0
	})
}

// Rows that arrive hours after the call and values that change for days: after each window's last re-read the
// warehouse has them all.
func TestLateAndRestatedRows(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(150), since, nil)
		restated := int64(0)
		for range 6 * 24 / sample {
			restated += w.export().Counts.Updated
			w.clock.Advance(sample * time.Hour)
		}
		w.export()
		if restated == 0 {
			t.Error("no row was ever updated: nothing was restated")
		}
		final := w.count("select count(*) from %s where state = 'final'", w.kind.own("windows"))
		if final < 24 {
			t.Errorf("%d windows are final after six days", final)
		}
		// Windows whose last re-read is behind them; four days and half an hour, for the schedule.
		quiet := w.clock.Now().Add(-4*24*time.Hour - time.Hour).Truncate(time.Hour)
		want, got := w.truth(since, quiet), w.table()
		for id, c := range want {
			if got[id] != c {
				t.Fatalf("call %s: the warehouse has %+v, the truth is %+v", id, got[id], c)
			}
		}
	})
}
