package export_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// A backfill that was stopped, then another form, and the rows of the older one deleted as it asks for: all windows are read, those that it had read before, too.
func TestBackfillOfAnotherForm(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w, since := stoppedBackfill(t, k, func(w *world) { w.keyless(sink.Append) })
		w.keyless(sink.Append, func(m *schema.Mapping) { m.Fields[fieldNamed(m, "from_number")].Transform = schema.Last4 })
		w.reconfigure("another")
		w.clock.Advance(time.Second)
		again := export.Range{From: since, To: start}
		_, err := w.exporter.Backfill(t.Context(), again)
		var refused *sink.OlderFormError
		if !errors.As(err, &refused) {
			t.Fatalf("a backfill: %v, want that it is refused", err)
		}
		w.exec(err.Error()[strings.Index(err.Error(), "DELETE FROM"):])
		if s, err := w.exporter.Backfill(t.Context(), again); err != nil || s.Err() != nil {
			t.Fatal(err, s.Err())
		}
		w.mustHaveEach(since, start)
	})
}

// A backfill that was stopped does not go on by another config: what it had read is by the older one.
func TestBackfillOfAnotherConfig(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w, since := stoppedBackfill(t, k, func(*world) {})
		m := w.mapping()
		m.Fields[fieldNamed(&m, "from_number")].Transform = schema.Last4
		w.exporter.Dataset.Mapper = w.compile(m)
		w.reconfigure("another")
		w.clock.Advance(time.Hour)
		s, err := w.exporter.Backfill(t.Context(), export.Range{From: since, To: start})
		if err != nil || s.Err() != nil {
			t.Fatal(err, s.Err())
		}
		if n := w.count("select count(*) from %s where length(from_number) > 4", k.table("calls")); n > 0 {
			t.Errorf("the backfill ended well (%d windows), and %d of %d rows are by the older config", s.Windows, n, len(w.ids(since, start)))
		}
	})
}

// stoppedBackfill is a world of eight hours that were read, and a backfill of them that was stopped after three spans.
func stoppedBackfill(t *testing.T, k kind, change func(w *world)) (w *world, since time.Time) {
	t.Helper()
	since = start.Add(-8 * time.Hour)
	w = newWorld(t, k, calls(0), since, func(d *export.Dataset) { d.MaxSpan = time.Hour })
	w.every(5*time.Minute, since, start)
	change(w)
	w.clock.Advance(200 * time.Hour)
	w.pass(upToStart(since))
	w.clock.Advance(time.Second)
	stop := make(chan struct{})
	n := 0
	w.exporter.Observe = func(e export.Event) {
		if e.Step == export.StepSettled {
			if n++; n == 3 {
				close(stop)
			}
		}
	}
	s, err := w.exporter.Backfill(t.Context(), export.Range{From: since, To: start, Stop: stop})
	w.exporter.Observe = nil
	if err != nil || !s.Stopped || s.Windows > 6 {
		t.Fatal(err, s.Stopped, s.Windows)
	}
	return w, since
}

// A reject of the second before a window, whose own window is read again by the mended mapping before it is retried, is there once.
func TestRetryBehindAReReading(t *testing.T) {
	t.Parallel()
	byWindow(t, func(t *testing.T, k kind, write sink.Write) {
		t.Helper()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(100), since, func(d *export.Dataset) { d.MaxSpan = time.Hour })
		w.keyless(write)
		at := since.Add(3*time.Hour - 400*time.Millisecond)
		id, err := w.sim.Insert(w.report.ID, at, map[string]any{w.report.Metric("duration_s").ID: 31.5})
		if err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(200 * time.Hour)
		w.pass(upToStart(since))
		w.keyless(write, func(m *schema.Mapping) { m.Fields[fieldNamed(m, "duration_s")].Type = schema.Numeric })
		w.reconfigure("mended")
		w.hourly(since.Add(2*time.Hour), since.Add(3*time.Hour))
		w.mustHave(id, "read again")
		if done, err := w.exporter.RetryRejects(t.Context(), nil); err != nil {
			t.Fatal(done, err)
		}
		w.mustHave(id, "retried")
		w.hourly(since.Add(3*time.Hour), start)
		w.mustHave(id, "next windows read again")
		w.hourly(since, start)
		w.mustHave(id, "all read again")
	})
}

// mustHave fails unless a call is there once.
func (w *world) mustHave(id, when string) {
	w.Helper()
	if n := w.count("select count(*) from %s where call_id = '%s'", w.kind.table("calls"), id); n != 1 {
		w.Errorf("%s: the call is there %d times", when, n)
	}
}
