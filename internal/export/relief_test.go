package export_test

import (
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
)

// backlog has two days to read, in spans of an hour. Each takes so long by the clock.
func backlog(t *testing.T, k kind, span time.Duration) (w *world, since time.Time) {
	since = start.Add(-48 * time.Hour)
	w = newWorld(t, k, calls(400), since, func(d *export.Dataset) { d.MaxSpan = time.Hour })
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
			readTo := w.query("select max(%s) from %s", k.instant("read_to"), k.own("windows"))[0][0]
			if want := edge.Format("2006-01-02T15:04:05.000Z"); readTo != want {
				t.Errorf("pass %d read up to %s, want its edge, %s", passes, readTo, want)
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
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
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
	})
}
