package export_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source/simulator"
)

// rivalled is a warehouse in which somebody else may write before each commit, and which counts those that are overtaken.
type rivalled struct {
	export.Warehouse
	rival     func(b sink.Batch) // nil: none
	overtaken atomic.Int32
}

func (r *rivalled) Commit(ctx context.Context, b sink.Batch) (sink.Counts, error) {
	if r.rival != nil {
		r.rival(b)
	}
	counts, err := r.Warehouse.Commit(ctx, b)
	var overtaken *sink.OvertakenError
	if errors.As(err, &overtaken) {
		r.overtaken.Add(1)
	}
	return counts, err
}

// stamped is an instant as both warehouses take it.
func stamped(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000000Z") }

// Whoever is overtaken again and again gives up for now: the pass ends, the span shows as failed, and all else is read.
func TestAPassThatIsOvertakenForEverEnds(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w, since := lanesWorld(t, k)
		w.export()
		first := ""
		for key := range w.truth(since, since.Add(time.Hour)) {
			first = max(first, key)
		}
		r := &rivalled{Warehouse: w.warehouse}
		r.rival = func(b sink.Batch) {
			if b.Range.Start.Equal(since) {
				w.exec(fmt.Sprintf("update %s set direction = 'rival', _exported_at = '%s' where call_id = '%s'", k.table("calls"), stamped(time.Now()), first))
			}
		}
		w.exporter.Warehouse = r
		if _, _, err := w.exporter.Warehouse.BeginBackfill(t.Context(), backfillOf(since)); err != nil {
			t.Fatal(err)
		}
		s, err := w.exporter.Export(t.Context(), passOnce())
		var overtaken *sink.OvertakenError
		if err != nil || len(s.Failed) != 1 || !errors.As(s.Failed[0], &overtaken) {
			t.Fatalf("the pass ended with %v, failed: %v", err, s.Failed)
		}
		if n := r.overtaken.Load(); n > 5 {
			t.Errorf("%d commits were overtaken", n)
		}
		w.exporter.Warehouse = w.warehouse
		w.clock.Advance(2 * time.Hour)
		w.export()
		w.mustEqualTruth(since, start)
	})
}

func backfillOf(since time.Time) sink.BackfillRequest {
	r := sink.BackfillRequest{Dataset: "calls", Now: start.Add(6 * 24 * time.Hour)}
	r.Range.Start, r.Range.End = since, start
	return r
}

// What the database's clock wrote before it was set back is in the way once, not until the clock has caught up.
func TestAClockThatWasSetBackIsInTheWayOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w, since := lanesWorld(t, k)
		w.export()
		n := 0
		for key := range w.truth(since, start) {
			if n++; n%50 == 0 {
				if err := w.sim.Change(w.report.ID, key, map[string]any{w.report.Metric("direction").ID: "restated"}); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.exec(fmt.Sprintf("update %s set _exported_at = '%s'", k.table("calls"), stamped(time.Now().Add(10*time.Minute))))
		r := &rivalled{Warehouse: w.warehouse}
		w.exporter.Warehouse = r
		s, err := w.exporter.Backfill(t.Context(), export.Range{From: since, To: start})
		if err != nil || len(s.Failed) > 0 {
			t.Fatalf("%v, failed: %v", err, s.Failed)
		}
		// Of ten spans those that three lanes had claimed by then: each the one that it reads, and the one before.
		if n := r.overtaken.Load(); n == 0 || n > 6 {
			t.Errorf("%d commits were overtaken", n)
		}
		w.mustEqualTruth(since, start)
	})
}

// Lanes whose spans share rows end in favour of one.
func TestLanesThatShareKeys(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w, _ := lanesWorld(t, k)
		m := w.mapping()
		m.Key = []string{"direction"}
		w.exporter.Dataset.Mapper = w.compile(m)
		w.exporter.Dataset.Query.Key = []string{w.report.Metric("direction").ID}
		w.sim.Script(simulator.Always(), simulator.Delay(10*time.Millisecond)) // so that lanes begin
		r := &rivalled{Warehouse: w.warehouse}
		w.exporter.Warehouse = r
		w.export()
		if n := r.overtaken.Load(); n > 5 {
			t.Errorf("%d commits were overtaken", n)
		}
	})
}
