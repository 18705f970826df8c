package export_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/source/simulator"
)

// Replicas share the windows: each is read once, by one of them.
func TestReplicasShareTheWork(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		since := start.AddDate(0, 0, -4)
		w := newWorld(t, k, calls(500), since, func(d *export.Dataset) { d.MaxSpan = 4 * time.Hour })
		w.clock.Advance(10 * 24 * time.Hour)
		var replicas sync.WaitGroup
		read := make([]int64, 3)
		for i := range read {
			replica := w.newExporter(w.exporter.Dataset, w.open())
			replicas.Go(func() {
				s, err := replica.Export(t.Context(), passOnce())
				if err != nil || s.Err() != nil {
					t.Errorf("replica %d: %v, %v", i, err, s.Err())
				}
				read[i] = int64(s.Windows)
			})
		}
		replicas.Wait()
		w.mustEqualTruth(since, w.edge())
		windows := w.count("select count(*) from %s", k.own("windows"))
		if sum := read[0] + read[1] + read[2]; sum != int64(windows) {
			t.Errorf("%d windows were read %d times (%v)", windows, sum, read)
		}
		if twice := w.count("select count(*) from %s where reads > 1", k.own("windows")); twice != 0 {
			t.Errorf("%d windows were read more than once", twice)
		}
	})
}

// cutOff is a source that cannot be reached.
type cutOff struct{ export.Source }

func (cutOff) Rows(context.Context, source.Query, source.Taker) (source.Reading, error) {
	return source.Reading{}, &source.Error{Class: source.Unreachable, Err: errors.New("cut off")}
}

// That the API cannot be reached is no window's fault: none is read alone for it afterwards.
func TestAnOutageIsNoWindowsFault(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.AddDate(0, 0, -2)
		w := newWorld(t, k, calls(500), since, nil)
		sound := w.exporter.Source
		w.exporter.Source = cutOff{}
		for range 3 {
			if _, err := w.exporter.Export(t.Context(), passOnce()); err == nil {
				t.Fatal("the API is away, and the pass went on")
			}
			w.clock.Advance(time.Hour)
		}
		if blamed := w.count("select count(*) from %s where attempts > 0 or state = 'failed'", k.own("windows")); blamed > 0 {
			t.Errorf("%d windows are blamed", blamed)
		}
		w.exporter.Source = sound
		if s := w.export(); s.Spans > 10 {
			t.Errorf("two quiet days were read in %d spans", s.Spans)
		}
		w.clock.Advance(5 * 24 * time.Hour)
		w.export()
		w.mustEqualTruth(since, start)
	})
}

// What a replica gave up that was cut off from the API is read by another one, in a pass that had begun before.
func TestReplicaThatIsCutOffHoldsNothingUp(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.AddDate(0, 0, -2)
		w := newWorld(t, k, calls(500), since, func(d *export.Dataset) { d.MaxSpan = 4 * time.Hour })
		w.clock.Advance(5 * 24 * time.Hour)
		other := w.newExporter(w.exporter.Dataset, w.open())
		other.Source = cutOff{}
		var once sync.Once
		w.exporter.Observe = func(e export.Event) {
			if e.Step != export.StepClaimed {
				return
			}
			once.Do(func() {
				w.clock.Advance(time.Minute)
				if _, err := other.Export(t.Context(), passOnce()); err == nil {
					t.Error("nothing failed")
				}
			})
		}
		w.export()
		if left := w.unread(); left > 0 {
			t.Errorf("%d windows were not read", left)
		}
		w.mustEqualTruth(since, start)
	})
}

// A replica whose lease was taken over cannot commit, and loses nothing by it.
func TestTakenOverSpanIsNotCommitted(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		since := start.Add(-5 * time.Hour)
		w := newWorld(t, k, calls(500), since, nil)
		slow := w.newExporter(w.exporter.Dataset, w.open())
		taken, claimed := false, make(chan struct{})
		slow.Observe = func(e export.Event) {
			if e.Step == export.StepClaimed {
				close(claimed) // that is all: what it would claim meanwhile is its own
			}
			if e.Step != export.StepCommitting || taken {
				return
			}
			taken = true
			// The replica was paused for longer than its lease; another one has read the windows since.
			w.exec(fmt.Sprintf("update %s set lease_until = %s where lease_until is not null", k.own("windows"), past(k)))
			w.export()
		}
		s, err := slow.Export(t.Context(), export.Pass{Kind: sink.RunOnce, Stop: claimed})
		if err != nil || s.Err() != nil {
			t.Fatalf("losing a lease is no failure: %v, %v", err, s.Err())
		}
		if !taken || s.Counts.Inserted+s.Counts.Updated+s.Counts.Unchanged != 0 {
			t.Errorf("the slow replica committed: %+v", s.Counts)
		}
		if twice := w.count("select count(*) from %s where reads > 1", k.own("windows")); twice != 0 {
			t.Errorf("%d windows were committed twice", twice)
		}
		w.mustEqualTruth(since, w.edge())
	})
}

// past is a time long ago, as the dialect writes it.
func past(k kind) string {
	if k.name == "sqlite" {
		return "'2001-01-01T00:00:00.000000Z'"
	}
	return "'2001-01-01'"
}

// A pass that is interrupted gives back what it had claimed: the next one finds it due at once.
func TestInterruptedPassGivesItsWindowsBack(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		since := start.Add(-5 * time.Hour)
		w := newWorld(t, k, calls(500), since, nil)
		w.sim.Script(simulator.On(1), simulator.Hang())
		ctx, interrupt := context.WithCancelCause(t.Context())
		w.exporter.Observe = func(e export.Event) {
			if e.Step == export.StepClaimed {
				interrupt(export.ErrInterrupted)
			}
		}
		s, err := w.exporter.Export(ctx, passOnce())
		if !errors.Is(err, export.ErrInterrupted) || !s.Stopped {
			t.Fatalf("got %v, stopped %v", err, s.Stopped)
		}
		if running := w.count("select count(*) from %s where state = 'running'", k.own("windows")); running != 0 {
			t.Errorf("%d windows are still running", running)
		}
		w.exporter.Observe = nil
		w.sim.Unscript()
		w.export()
		w.mustEqualTruth(since, w.edge())
	})
}

// Stop lets the span that is being read be committed, and starts no other.
func TestStopDrains(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		w := newWorld(t, k, calls(500), start.Add(-48*time.Hour), func(d *export.Dataset) { d.MaxSpan = 3 * time.Hour })
		stop := make(chan struct{})
		once := sync.Once{}
		w.exporter.Observe = func(e export.Event) {
			if e.Step == export.StepClaimed {
				once.Do(func() { close(stop) })
			}
		}
		s, err := w.exporter.Export(t.Context(), export.Pass{Kind: sink.RunOnce, Stop: stop})
		if err != nil || !s.Stopped || s.Spans != 1 || s.Windows == 0 {
			t.Errorf("got %v, %+v; want one span, committed", err, s)
		}
	})
}

// A backfill that was stopped goes on with what is left; once finished, the same call reads everything again.
func TestBackfillGoesOn(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		since := start.Add(-48 * time.Hour)
		w := newWorld(t, k, calls(500), since, func(d *export.Dataset) { d.MaxSpan = 3 * time.Hour })
		w.export()
		w.clock.Advance(time.Minute)
		stop := make(chan struct{})
		spans := 0
		w.exporter.Observe = func(e export.Event) {
			if e.Step == export.StepClaimed {
				if spans++; spans == 4 {
					close(stop)
				}
			}
		}
		of := export.Range{From: since, To: start.Add(-24 * time.Hour)}
		first := of
		first.Stop = stop
		s, err := w.exporter.Backfill(t.Context(), first)
		if err != nil || !s.Stopped {
			t.Fatalf("got %v, %+v", err, s)
		}
		if s.Windows != 12 {
			t.Errorf("four spans of three hours read %d windows", s.Windows)
		}
		w.exporter.Observe = nil
		var left []sink.Remaining
		second := of
		second.Progress = func(r sink.Remaining) { left = append(left, r) }
		w.clock.Advance(time.Minute)
		s, err = w.exporter.Backfill(t.Context(), second)
		if err != nil || s.Windows != 12 {
			t.Errorf("it went on with %d windows (%v), 12 were left", s.Windows, err)
		}
		if len(left) == 0 || left[0].Total != 24 || left[0].Left != 12 || left[len(left)-1].Left != 0 {
			t.Errorf("progress was %+v", left)
		}
		w.clock.Advance(time.Minute)
		s, err = w.exporter.Backfill(t.Context(), of)
		if err != nil || s.Windows != 24 {
			t.Errorf("finished and called again it read %d windows (%v), want all 24", s.Windows, err)
		}
	})
}

// A backfill and a daemon at the same time read every window, and nothing twice over.
func TestBackfillBesideADaemon(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		since := start.Add(-72 * time.Hour)
		w := newWorld(t, k, calls(500), since, func(d *export.Dataset) { d.MaxSpan = 2 * time.Hour })
		daemon := w.newExporter(w.exporter.Dataset, w.open())
		var both sync.WaitGroup
		both.Go(func() {
			if s, err := daemon.Export(t.Context(), export.Pass{Kind: sink.RunScheduled}); err != nil || s.Err() != nil {
				t.Errorf("daemon: %v, %v", err, s.Err())
			}
		})
		both.Go(func() {
			if s, err := w.exporter.Backfill(t.Context(), export.Range{From: since, NewestFirst: true}); err != nil || s.Err() != nil {
				t.Errorf("backfill: %v, %v", err, s.Err())
			}
		})
		both.Wait()
		w.mustEqualTruth(since, w.edge())
		if unread := w.count("select count(*) from %s where read_at is null", k.own("windows")); unread != 0 {
			t.Errorf("%d windows were not read", unread)
		}
	})
}
