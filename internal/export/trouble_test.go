package export_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source/simulator"
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

// A config whose mapping the table refuses is trouble until the right one is back, although nothing is due by then.
func TestTroubleIsOverWithAPassThatFindsNothingDue(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(50), start.AddDate(0, 0, -1), nil)
		w.export()
		w.changeType("duration_s", "boolean")
		if _, err := w.exporter.Export(t.Context(), passOnce()); err == nil {
			t.Fatal("a table was narrowed")
		}
		w.mustHaveTrouble(sink.ProblemFailing)
		w.exporter = w.newExporter(w.dataset(start.AddDate(0, 0, -1)), w.warehouse)
		if s := w.export(); s.Spans > 0 {
			t.Fatalf("%d spans were due: nothing is tried", s.Spans)
		}
		w.mustHaveTrouble("")
	})
}

// What windows fail of is trouble from the first failure on, also while they wait for their next attempt.
func TestTroubleLastsAsLongAsWindowsFail(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(50), start.AddDate(0, 0, -3), func(d *export.Dataset) { d.MaxSpan = aDay })
		w.sim.Script(simulator.Always(), simulator.Status(http.StatusBadGateway, "<html>bad gateway</html>"))
		for fails := true; fails; {
			s, err := w.exporter.Export(t.Context(), passOnce())
			fails = err != nil || s.Err() != nil
		}
		w.mustHaveTrouble(sink.ProblemFailing)
		w.sim.Unscript()
		w.clock.Advance(2 * time.Hour)
		w.export()
		w.mustHaveTrouble("")
	})
}

// Whether the API takes the key again is not known before it was asked.
func TestARefusedKeyIsTroubleUntilTheAPIWasAsked(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(50), start.AddDate(0, 0, -1), nil)
		w.export()
		refused := sink.Trouble{Problem: sink.ProblemKey, Reason: "as scripted", Since: w.clock.Now()}
		if err := w.warehouse.KeepTrouble(t.Context(), "calls", refused); err != nil {
			t.Fatal(err)
		}
		w.export()
		w.mustHaveTrouble(sink.ProblemKey)
		w.clock.Advance(time.Hour)
		w.export()
		w.mustHaveTrouble("")
	})
}

// keeps counts what is kept of the trouble of a dataset.
type keeps struct {
	warehouse
	kept int
}

func (k *keeps) KeepTrouble(ctx context.Context, dataset string, t sink.Trouble) error {
	k.kept++
	return k.warehouse.KeepTrouble(ctx, dataset, t)
}

// As long as a dataset is well its passes keep nothing of trouble, due or not.
func TestPassesThatAreWellKeepNoTrouble(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(50), start.AddDate(0, 0, -1), nil)
		counted := &keeps{warehouse: w.warehouse}
		w.exporter.Warehouse = counted
		for range 3 {
			w.export()
		}
		if counted.kept > 0 {
			t.Errorf("trouble was kept %d times", counted.kept)
		}
	})
}

// changeType has the exporter begin anew with another type of a field.
func (w *world) changeType(field, to string) {
	w.Helper()
	kind, err := schema.ParseType(to)
	if err != nil {
		w.Fatal(err)
	}
	m := w.mapping()
	for i := range m.Fields {
		if m.Fields[i].Name == field {
			m.Fields[i].Type = kind
		}
	}
	d := w.exporter.Dataset
	d.Mapper, d.ConfigHash = w.compile(m), "another type"
	w.exporter = w.newExporter(d, w.warehouse)
}
