package export_test

import (
	"errors"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source/simulator"
	"samespace-exporter/internal/window"
)

// remap is a replica that has another mapping: change is told of each field, and drops those for which it says so.
func (w *world) remap(hash string, change func(*schema.Field) (keep bool)) *export.Exporter {
	w.Helper()
	mapping := w.mapping()
	all := mapping.Fields
	mapping.Fields = nil
	for _, f := range all {
		if change(&f) {
			mapping.Fields = append(mapping.Fields, f)
		}
	}
	d := w.exporter.Dataset
	d.Mapper, d.ConfigHash = w.compile(mapping), hash
	return w.newExporter(d, w.open())
}

// After the mapping was mended, what was rejected is in the table, and the API was not asked.
func TestRetryRejects(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-12 * time.Hour).Truncate(time.Hour)
		w := newWorld(t, k, calls(400), since, nil)
		w.clock.Advance(100 * time.Hour) // nothing is restated any more
		wrong := w.report.Metric("duration_s").ID
		w.sim.Script(simulator.Always(), simulator.WrongTypes(wrong))
		w.pass(export.Pass{Kind: sink.RunOnce, Within: window.Window{Start: since, End: start}})
		rejects := w.count("select count(*) from %s", k.own("rejects"))
		if rejects == 0 {
			t.Fatal("nothing was rejected")
		}
		asked := w.sim.Stats().Requests

		if done, err := w.exporter.RetryRejects(t.Context(), nil); err != nil || done != (sink.Retried{Left: int64(rejects)}) {
			t.Fatalf("retried by the same mapping: %+v, %v", done, err)
		}
		mended := w.remap("mended", func(f *schema.Field) bool {
			if f.ID == wrong {
				f.Name, f.Type = "duration_text", schema.Text
			}
			return true
		})
		done, err := mended.RetryRejects(t.Context(), nil)
		if err != nil || done != (sink.Retried{Counts: sink.Counts{Inserted: int64(rejects)}}) {
			t.Fatalf("retried by the mended mapping: %+v, %v", done, err)
		}
		if now := w.sim.Stats().Requests; now != asked {
			t.Errorf("the API was asked %d times", now-asked)
		}
		if left := w.count("select count(*) from %s", k.own("rejects")); left != 0 {
			t.Errorf("%d rejects are left", left)
		}
		truth, have := w.truth(since, start), w.count("select count(*) from %s", k.table("calls"))
		if have != len(truth) {
			t.Errorf("the table has %d rows, the truth %d", have, len(truth))
		}
		if placed := w.count("select count(*) from %s where _window_start > started_at", k.table("calls")); placed != 0 {
			t.Errorf("%d rows are before their window", placed)
		}
		// What is read again is what was retried, to the letter. (The other rows get the new column.)
		w.clock.Advance(time.Second)
		s, err := mended.Backfill(t.Context(), export.Range{From: since, To: start})
		if err != nil || s.Err() != nil {
			t.Fatalf("read again: %v, %v", err, s.Err())
		}
		if s.Counts.Inserted > 0 || s.Counts.Unchanged < int64(rejects) || s.Rejected > 0 {
			t.Errorf("reading again wrote what a retry should have written: %+v", s)
		}
	})
}

// An exporter of an older config does not write what the newer one would not.
func TestRetryRejectsByAnOlderConfig(t *testing.T) {
	t.Parallel()
	w := newWorld(t, kinds()[0], calls(200), start.Add(-3*time.Hour), nil)
	w.sim.Script(simulator.Always(), simulator.WrongTypes(w.report.Metric("duration_s").ID))
	w.export()
	newer := w.remap("newer", func(*schema.Field) bool { return true })
	if _, err := newer.RetryRejects(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := w.exporter.RetryRejects(t.Context(), nil); !errors.Is(err, sink.ErrSuperseded) {
		t.Errorf("got %v, want that the config is superseded", err)
	}
}
