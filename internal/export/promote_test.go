package export_test

import (
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// A field that is added to the mapping later is filled for all rows that have its value in _extra, without asking the
// API, and reading them again writes nothing.
func TestAddedFieldIsFilledFromExtra(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-30 * time.Hour)
		w := newWorld(t, k, calls(400), since, nil)
		w.clock.Advance(100 * time.Hour) // nothing is restated any more
		within := export.Pass{Kind: sink.RunScheduled, Within: window.Window{Start: since, End: start}}
		whole := w.exporter
		w.exporter = w.remap("less", func(f *schema.Field) bool { return f.Name != "charge" && f.Name != "agent" && f.Name != "wait_s" })
		w.pass(within)
		total := w.count("select count(*) from %s", k.table("calls"))

		asked := w.sim.Stats().Requests
		w.exporter = w.newExporter(whole.Dataset, w.open())
		w.pass(within)
		if now := w.sim.Stats().Requests; now != asked {
			t.Errorf("the API was asked %d times", now-asked)
		}
		if left := w.count("select count(*) from %s where _extra is not null", k.table("calls")); left != 0 {
			t.Errorf("%d rows still have something in _extra", left)
		}
		filled := w.count("select count(charge) from %s", k.table("calls"))
		if filled == 0 || total < 300 {
			t.Errorf("%d of %d rows have a charge", filled, total)
		}
		w.mustEqualTruth(since, start)
		w.clock.Advance(time.Second)
		s, err := w.exporter.Backfill(t.Context(), export.Range{From: since, To: start})
		if err != nil || s.Err() != nil {
			t.Fatalf("read again: %v, %v", err, s.Err())
		}
		if s.Counts.Inserted+s.Counts.Updated > 0 || s.Counts.Unchanged == 0 {
			t.Errorf("reading again wrote what was promoted: %+v", s.Counts)
		}
	})
}

// What does not fit its new column stays in _extra until the type is mended.
func TestValuesThatDoNotFitStayInExtra(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(400), since, nil)
		w.clock.Advance(100 * time.Hour)
		pass := export.Pass{Kind: sink.RunOnce, Within: window.Window{Start: since, End: start}}
		whole := w.exporter
		w.exporter = w.remap("less", func(f *schema.Field) bool { return f.Name != "queue" })
		w.pass(pass)
		w.exporter = w.remap("wrong", func(f *schema.Field) bool {
			if f.Name == "queue" {
				f.Name, f.Type = "queue_no", schema.Integer
			}
			return true
		})
		before := w.query("select count(*), count(_extra) from %s", k.table("calls"))[0]
		w.pass(pass)
		after := w.query("select count(*), count(_extra) from %s", k.table("calls"))[0]
		if before[1] != after[1] || before[1] == "0" {
			t.Errorf("rows, and rows with _extra: %v before, %v after", before, after)
		}
		w.exporter = w.newExporter(whole.Dataset, w.open())
		w.pass(pass)
		if left := w.count("select count(_extra) from %s", k.table("calls")); left != 0 {
			t.Errorf("%d rows still have something in _extra", left)
		}
		if w.count("select count(queue) from %s", k.table("calls")) == 0 {
			t.Error("no row has a queue")
		}
	})
}
