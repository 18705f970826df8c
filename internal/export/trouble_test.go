package export_test

import (
	"errors"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
)

// Who asks for what cannot be read is told so. The dataset is as well as before.
func TestAMistakenBackfillIsNoTroubleOfTheDataset(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(50), start.AddDate(0, 0, -1), keeping)
		w.export()
		var tooOld *export.RetentionError
		if _, err := w.exporter.Backfill(t.Context(), export.Range{From: w.keptFrom().Add(-time.Hour)}); !errors.As(err, &tooOld) {
			t.Errorf("a backfill of what is not kept: %v", err)
		}
		w.mustHaveTrouble("")
		var backwards *export.RangeError
		if _, err := w.exporter.Backfill(t.Context(), export.Range{From: start.AddDate(1, 0, 0)}); !errors.As(err, &backwards) {
			t.Errorf("a backfill of what is to come: %v", err)
		}
		w.mustHaveTrouble("")
	})
}

// A rolling range has no past, which is no trouble of it either.
func TestABackfillOfARollingRangeIsNoTroubleOfIt(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(50), time.Time{}, func(d *export.Dataset) {
			d.Snapshot, d.Query.TimeRange = true, "PAST_24_HOURS"
		})
		w.export()
		var refused *export.SnapshotError
		if _, err := w.exporter.Backfill(t.Context(), export.Range{From: start.AddDate(0, 0, -1)}); !errors.As(err, &refused) {
			t.Errorf("a backfill of a rolling range: %v", err)
		}
		w.mustHaveTrouble("")
	})
}

// mustHaveTrouble fails unless the warehouse has kept this problem of the dataset.
func (w *world) mustHaveTrouble(want sink.Problem) {
	w.Helper()
	if s := w.status(); s.Problem != want {
		w.Errorf("the dataset's problem is %q, want %q: %s", s.Problem, want, s.Reason)
	}
}
