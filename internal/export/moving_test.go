package export_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/source/simulator"
	"samespace-exporter/internal/window"
)

// Rows that turn up behind the reader and rows that vanish before it shift the pages: the span is read again.
func TestRowsThatMoveWhileTheyAreRead(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		since := start.AddDate(0, 0, -4).Truncate(24 * time.Hour) // a Thursday
		day, err := window.NewGrid(24*time.Hour, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Parallel()
		w := newWorld(t, k, calls(300), since, func(d *export.Dataset) { d.Grid, d.Query.PageSize = day, 20 })
		first := slices.Sorted(maps.Keys(w.truth(since, since.Add(8*time.Hour))))
		moves := 0
		// The first day is one span of many pages: in the middle of it rows come and go at its beginning.
		w.sim.Script(simulator.On(4, 9, 15, 22).Where(func(r simulator.Request) bool { return r.Skip > 0 && r.From.Before(since.Add(12*time.Hour)) }),
			simulator.Meanwhile(func(s *simulator.Simulator) {
				if moves++; moves%2 == 1 {
					if _, err := s.Insert(w.report.ID, since.Add(time.Duration(moves)*time.Minute), nil); err != nil {
						t.Error(err)
					}
				} else if err := s.Remove(w.report.ID, first[moves]); err != nil {
					t.Error(err)
				}
			}))
		w.export()
		if moves < 2 {
			t.Fatalf("rows moved %d times only", moves)
		}
		got, want := w.table(), w.truth(since, since.Add(24*time.Hour))
		for id, c := range want {
			if got[id] != c {
				t.Fatalf("call %s: the warehouse has %+v, the truth is %+v", id, got[id], c)
			}
		}
	})
}

// A server that sends its rows in another order each time never fits together across pages. Spans of one page
// are right all the same; what is not stays due, and shows.
func TestServerWithoutAnOrder(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		since := start.Add(-12 * time.Hour)
		t.Parallel()
		w := newWorld(t, k, calls(600), since, func(d *export.Dataset) { d.Query.PageSize = 30 })
		w.clock.Advance(6 * time.Hour)
		w.sim.Script(simulator.Always(), simulator.Unordered())
		_, _ = w.exporter.Export(t.Context(), passOnce())
		got := w.table()
		want := w.truth(since, w.edge())
		for _, r := range w.query("select %s, %s, state from %s where state in ('read', 'final')", w.kind.instant("start_at"), w.kind.instant("end_at"), w.kind.own("windows")) {
			for id, c := range want {
				if c.started >= r[0] && c.started < r[1] && got[id] != c {
					t.Fatalf("window %s is %s, but call %s of it is missing", r[0], r[2], id)
				}
			}
		}
		w.sim.Unscript()
		w.clock.Advance(2 * time.Hour)
		w.export()
		got = w.table()
		for id, c := range w.truth(since, w.edge()) {
			if got[id] != c {
				t.Fatalf("call %s is still missing once the server has an order", id)
			}
		}
	})
}

// A server that ignores skip sends the first page for ever: never rows, always a failure that says so.
func TestServerThatIgnoresSkip(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		w := newWorld(t, k, calls(3000), start.Add(-3*time.Hour), nil)
		w.sim.Script(simulator.Always(), simulator.IgnoreSkip())
		s, err := w.exporter.Export(t.Context(), passOnce())
		if err == nil && s.Err() == nil {
			t.Fatal("the pass succeeded")
		}
		if read := w.count("select count(*) from %s where read_to is not null", k.own("windows")); read != 0 {
			t.Errorf("%d windows count as read", read)
		}
	})
}

// Whatever is scripted, a window that counts as read has all its rows.
func TestNothingIsReadWithRowsMissing(t *testing.T) {
	t.Parallel()
	for seed := range max(uint64(2), 6/sample) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			since := start.Add(-12 * time.Hour)
			w := newWorld(t, kinds()[0], calls(800), since, func(d *export.Dataset) {
				d.Query.PageSize = 20 + random.IntN(100)
				d.MaxRows = 100 + random.IntN(2000)
			})
			w.clock.Advance(6 * time.Hour)
			faults := []simulator.Fault{
				simulator.PageCap(10 + random.IntN(60)), simulator.InclusiveEnd(), simulator.ExclusiveStart(), simulator.Duplicate(),
				simulator.Errors("broken"), simulator.Status(503, "{}"), simulator.CutBody(random.IntN(3000)), simulator.Reset(),
				simulator.HTML(), simulator.EmptyBody(), simulator.NullData(), simulator.MaxSkip(100 + random.IntN(300)),
				simulator.Meanwhile(func(s *simulator.Simulator) {
					if _, err := s.Insert(w.report.ID, since.Add(time.Duration(random.IntN(12*3600))*time.Second), nil); err != nil {
						t.Error(err)
					}
				}),
			}
			w.sim.Script(simulator.When(func(simulator.Request) bool { return true }), faults[random.IntN(4)])
			for range 4 {
				w.sim.Script(simulator.Every(2+random.IntN(6)), faults[random.IntN(len(faults))])
			}
			for range 8 {
				_, _ = w.exporter.Export(t.Context(), passOnce())
				w.clock.Advance(time.Hour)
			}
			w.sim.Unscript()
			w.export()
			// Rows that came into windows that had been read already come with a later reading: all is read again.
			w.clock.Advance(time.Minute)
			if _, err := w.exporter.Backfill(t.Context(), export.Range{From: since}); err != nil {
				t.Fatal(err)
			}
			w.mustEqualTruth(since, w.edge())
		})
	}
}
