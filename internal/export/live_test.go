package export_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/source/simulator"
)

// mustMarkNoLiveRow fails when a row that the API has is marked.
func (w *world) mustMarkNoLiveRow() {
	w.Helper()
	live := w.truth(w.exporter.Dataset.Since.Add(-24*time.Hour), w.clock.Now())
	for _, id := range w.marked() {
		if c, ok := live[id]; ok {
			w.Fatalf("call %s of %s is marked as deleted, but the API has it", id, c.started)
		}
	}
}

// Nothing that goes wrong with a server may mark a row that it has.
func TestNoFaultMarksALiveRow(t *testing.T) {
	t.Parallel()
	type fault struct {
		name   string
		script func(w *world)
	}
	replace := func(w *world, at time.Duration) simulator.Fault { // a row comes and another goes, both before the reader
		var moving sync.Mutex
		n := 0
		return simulator.Meanwhile(func(s *simulator.Simulator) {
			moving.Lock()
			defer moving.Unlock()
			since := w.exporter.Dataset.Since
			ids := w.ids(since, since.Add(at))
			if n++; n > 3 || len(ids) == 0 {
				return
			}
			if err := s.Remove(w.report.ID, ids[0]); err != nil {
				w.Error(err)
			}
			if _, err := s.Insert(w.report.ID, since.Add(time.Duration(n)*time.Second), nil); err != nil {
				w.Error(err)
			}
		})
	}
	for i, f := range []fault{
		{"nothing for ever", func(w *world) { w.sim.Script(simulator.Always(), simulator.PageCap(0)) }},
		{"nothing once", func(w *world) { w.sim.Script(simulator.On(1), simulator.PageCap(0)) }},
		{"nothing now and then", func(w *world) { w.sim.Script(simulator.Every(5), simulator.PageCap(0)) }},
		{"nothing every other time", func(w *world) { w.sim.Script(simulator.Every(2), simulator.PageCap(0)) }},
		{"short pages now and then", func(w *world) { w.sim.Script(simulator.Every(4), simulator.PageCap(3)) }},
		{"short pages from the second on", func(w *world) {
			w.sim.Script(simulator.When(func(r simulator.Request) bool { return r.Skip > 0 }), simulator.PageCap(7))
		}},
		{"pages of one row", func(w *world) { w.sim.Script(simulator.Always(), simulator.PageCap(1)) }},
		{"no order", func(w *world) { w.sim.Script(simulator.Always(), simulator.Unordered()) }},
		{"no order now and then", func(w *world) { w.sim.Script(simulator.Every(3), simulator.Unordered()) }},
		{"another order", func(w *world) { w.sim.Script(simulator.Always(), simulator.IgnoreSort()) }},
		{"another order now and then", func(w *world) { w.sim.Script(simulator.Every(3), simulator.IgnoreSort()) }},
		{"no skip", func(w *world) { w.sim.Script(simulator.Always(), simulator.IgnoreSkip()) }},
		{"no skip now and then", func(w *world) { w.sim.Script(simulator.Every(3), simulator.IgnoreSkip()) }},
		{"errors", func(w *world) { w.sim.Script(simulator.Every(2), simulator.Errors("broken")) }},
		{"null", func(w *world) { w.sim.Script(simulator.Every(3), simulator.NullData()) }},
		{"cut bodies", func(w *world) { w.sim.Script(simulator.Every(3), simulator.CutBody(500)) }},
		{"wrong types", func(w *world) {
			w.sim.Script(simulator.Always(), simulator.WrongTypes(w.report.Metric("duration_s").ID, w.report.TimeField))
		}},
		{"no keys", func(w *world) { w.sim.Script(simulator.Every(2), simulator.MissingKeys(w.report.Key)) }},
		{"no times", func(w *world) { w.sim.Script(simulator.Always(), simulator.MissingKeys(w.report.TimeField)) }},
		{"exclusive start", func(w *world) { w.sim.Script(simulator.Always(), simulator.ExclusiveStart()) }},
		{"inclusive end", func(w *world) { w.sim.Script(simulator.Always(), simulator.InclusiveEnd()) }},
		{"a row for a row behind the reader", func(w *world) {
			w.sim.Script(simulator.Every(2).Where(func(r simulator.Request) bool { return r.Skip > 0 }), replace(w, time.Hour))
		}},
	} {
		if i%sample != 0 {
			continue
		}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			since := start.Add(-3 * time.Hour)
			w := markingWorld(t, kinds()[i%2], 400, since, func(d *export.Dataset) { d.Query.PageSize = 20 })
			f.script(w)
			for range 2 {
				w.clock.Advance(time.Second)
				// What fails is in the summary and in the ledger; what counts is what is marked.
				_, _ = w.exporter.Backfill(t.Context(), export.Range{From: since, To: start, Restart: true})
				w.mustMarkNoLiveRow()
				w.clock.Advance(time.Hour)
			}
		})
	}
}

// Pages that fit together need not be of one list. A server that orders some pages by id sends in the first one what
// comes first by both, but for a row that is late by its id; one that goes before it at once makes the next page, in order
// of time, begin where it should. So a live row is missing from a reading that held still: from two in a row.
func TestPagesOfTwoListsMarkNoLiveRow(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-3 * time.Hour)
		w := markingWorld(t, k, 0, since, func(d *export.Dataset) { d.Query.PageSize, d.Query.Ahead = 4, 0 })
		put := func(id string, at time.Duration) {
			t.Helper()
			if _, err := w.sim.Insert(w.report.ID, start.Add(-2*time.Hour+at), map[string]any{w.report.Key: id}); err != nil {
				t.Fatal(err)
			}
		}
		var ids []string
		for i := range 10 {
			ids = append(ids, fmt.Sprintf("66000000000000000000000%x", i))
			put(ids[i], time.Duration(i)*4*time.Minute)
		}
		const late = "66000000000000000000000f"
		put(late, 9*time.Minute)
		w.again()
		first := func(r simulator.Request) bool { return r.Skip == 0 }
		w.sim.Script(simulator.When(first), simulator.IgnoreSort())
		removed := 0
		w.sim.Script(simulator.On(1, 2).Where(first), simulator.Meanwhile(func(*simulator.Simulator) {
			w.remove(ids[removed])
			removed++
		}))
		w.again()
		w.mustMarkNoLiveRow()
		if removed != 2 {
			t.Fatalf("%d rows went", removed)
		}
		w.sim.Unscript()
		w.again()
		w.mustHaveMarked(ids[:2]...)
	})
}

// A day that is read while it changes, with faults: no live row is ever marked, and in the end all that are gone are.
func TestMarksFollowAMovingSource(t *testing.T) {
	t.Parallel()
	for seed := range uint64(max(1, 2/scale)) { //nolint:unconvert // scale is a variable with the race detector only
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			onEach(t, func(t *testing.T, k kind) {
				t.Parallel()
				random := rand.New(rand.NewPCG(seed, 1))
				since := start.Add(-5 * time.Hour)
				w := markingWorld(t, k, 400, since, func(d *export.Dataset) {
					d.Query.PageSize, d.MaxRows = 10+random.IntN(40), 50+random.IntN(300)
				})
				kept := w.table()
				var moving sync.Mutex // a part is confirmed while the next one is read
				move := func(s *simulator.Simulator) {
					moving.Lock()
					defer moving.Unlock()
					at := since.Add(time.Duration(random.IntN(5*3600)) * time.Second)
					if random.IntN(2) == 0 {
						if _, err := s.Insert(w.report.ID, at, nil); err != nil {
							t.Error(err)
						}
						return
					}
					if ids := w.ids(at, at.Add(time.Hour)); len(ids) > 0 {
						if err := s.Remove(w.report.ID, ids[random.IntN(len(ids))]); err != nil {
							t.Error(err)
						}
					}
				}
				for range 2 {
					w.sim.Script(simulator.Every(2+random.IntN(3)), simulator.Meanwhile(move))
					w.sim.Script(simulator.Every(3+random.IntN(9)), []simulator.Fault{
						simulator.PageCap(random.IntN(9)), simulator.Errors("broken"), simulator.IgnoreSort(), simulator.Reset(),
					}[random.IntN(4)])
					for range 2 {
						w.clock.Advance(time.Second)
						_, _ = w.exporter.Backfill(t.Context(), export.Range{From: since, To: start, Restart: true})
						w.mustMarkNoLiveRow()
						w.clock.Advance(time.Hour)
					}
					w.sim.Unscript()
				}
				w.exporter.Dataset.DeletedMaxShare = 1
				w.clock.Advance(2 * time.Hour)
				w.pass(upToStart(since))
				w.again()
				maps.Copy(kept, w.table())
				var gone []string
				live := w.truth(since, start)
				for id, c := range kept {
					if _, ok := live[id]; !ok && c.started >= since.Format(time.RFC3339) && c.started < start.Format(time.RFC3339) {
						gone = append(gone, id)
					}
				}
				if len(gone) < 2 {
					t.Fatalf("only %d rows went", len(gone))
				}
				w.mustHaveMarked(gone...)
			})
		})
	}
}
