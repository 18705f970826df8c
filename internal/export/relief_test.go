package export_test

import (
	"context"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// backlog has two days to read, in spans of an hour. Each takes so long by the clock.
func backlog(t *testing.T, k kind, span time.Duration) (w *world, since time.Time) {
	since = start.Add(-48 * time.Hour)
	w = newWorld(t, k, calls(400), since, func(d *export.Dataset) { d.MaxSpan = time.Hour })
	w.exporter.Lanes = nil // one lane: how many spans a pass reads is known then
	w.exporter.Observe = func(e export.Event) {
		if e.Step == export.StepSettled {
			w.clock.Advance(span)
		}
	}
	return w, since
}

// scheduled makes a pass that is to leave what is left after so long to the next one.
func (w *world) scheduled(every time.Duration) export.Summary {
	w.Helper()
	return w.pass(export.Pass{Kind: sink.RunScheduled, Order: sink.LiveFirst, Until: w.clock.Now().Add(every)})
}

// readTo is up to where the latest window that was read, was read.
func (w *world) readTo() string {
	w.Helper()
	return w.query("select max(%s) from %s", w.kind.instant("read_to"), w.kind.own("windows"))[0][0]
}

// A pass with much to read leaves the rest to the next one when that is due, which first reads what has come meanwhile.
func TestTheLiveEdgeDoesNotWaitForABacklog(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w, since := backlog(t, k, time.Minute)
		passes := 0
		for again := true; again && passes < 48; again = w.unread() > 0 {
			edge := w.edge()
			w.scheduled(5 * time.Minute)
			passes++
			if readTo := w.readTo(); readTo != edge.Format("2006-01-02T15:04:05.000Z") {
				t.Errorf("pass %d read up to %s, want its edge, %s", passes, readTo, edge)
			}
		}
		if passes < 48/6 || passes > 48/4+1 {
			t.Errorf("48 spans of a minute were read in %d passes of five", passes)
		}
		w.clock.Advance(5 * 24 * time.Hour) // nothing is restated any more
		w.export()
		w.mustEqualTruth(since, start)
	})
}

// History is read to its end even where there is no time for all that is to be read before it.
func TestHistoryDoesNotWaitForReReads(t *testing.T) {
	t.Parallel()
	k := kinds()[0] // the order of claims is in the contract of both
	w, _ := backlog(t, k, 10*time.Minute)
	w.exporter.Dataset.Reread = nil
	for age := 20 * time.Minute; age < 6*time.Hour; age += 20 * time.Minute {
		w.exporter.Dataset.Reread = append(w.exporter.Dataset.Reread, age)
	}
	const windows = 48
	passes := 0
	for again := true; again && passes < windows; again = w.unread() > 0 {
		w.scheduled(5 * time.Minute)
		passes++
	}
	if unread := w.unread(); unread > 0 {
		t.Errorf("%d windows of %d are unread after %d passes", unread, windows, passes)
	}
}

// slowToBegin is a warehouse that takes long to plan.
type slowToBegin struct {
	export.Warehouse
	wait func()
}

func (s slowToBegin) Plan(ctx context.Context, dataset string, within window.Window, now time.Time, cut func(window.Window) []window.Window) (int, error) {
	s.wait()
	return s.Warehouse.Plan(ctx, dataset, within, now, cut)
}

// A pass that has no time left once it is prepared reads the live edge all the same.
func TestTheLiveEdgeAfterASlowBeginning(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w, _ := backlog(t, k, time.Second)
		w.exporter.Dataset.MaxSpan = 2 * time.Hour // at a bound the edge is in two windows
		w.exporter.Warehouse = slowToBegin{w.warehouse, func() { w.clock.Advance(time.Minute) }}
		for pass := range 5 {
			edge := w.edge()
			w.scheduled(time.Minute)
			if readTo := w.readTo(); readTo != edge.Format("2006-01-02T15:04:05.000Z") {
				t.Errorf("pass %d read up to %s, want its edge, %s", pass, readTo, edge)
			}
		}
	})
}

// Re-reads are made in time, or not much later, even where the live edge takes all the time that there is.
func TestReReadsDoNotStarve(t *testing.T) {
	t.Parallel()
	k := kinds()[0] // the order of claims is in the contract of both
	const every = 15 * time.Minute
	w := newWorld(t, k, calls(100), start.Add(-120*time.Hour), nil)
	for range 3 {
		w.export()
	}
	end := w.clock.Now().Add(36 * time.Hour)
	w.exporter.Observe = func(e export.Event) {
		if e.Step == export.StepRead {
			w.clock.Advance(every + time.Minute)
		}
	}
	for w.clock.Now().Before(end) {
		next := w.clock.Now().Truncate(every).Add(every)
		w.pass(export.Pass{Kind: sink.RunScheduled, Order: sink.LiveFirst, Until: next})
		w.clock.Advance(max(0, next.Sub(w.clock.Now())))
	}
	due := w.query("select min(%s) from %s where read_to >= end_at and next_read_at is not null", k.instant("next_read_at"), k.own("windows"))[0][0]
	if since, err := time.Parse(time.RFC3339, due); err != nil || w.clock.Now().Sub(since) > 4*time.Hour {
		t.Errorf("at %s a re-read is overdue since %s: %v", w.clock.Now(), due, err)
	}
}
