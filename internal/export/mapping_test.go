package export_test

import (
	"errors"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/source/simulator"
)

// Where a row that does not fit is to fail, its span fails and no row becomes a reject; once it fits, all is read.
func TestABadRowFailsItsSpan(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(400), since, func(d *export.Dataset) { d.FailOnBadRow = true })
		w.sim.Script(simulator.Always(), simulator.WrongTypes(w.report.Metric("duration_s").ID))
		s, err := w.exporter.Export(t.Context(), passOnce())
		var reject *schema.RejectError
		if !errors.As(err, &reject) || reject.Field != "duration_s" || len(s.Failed) == 0 {
			t.Fatalf("a row that does not fit did not fail: %v, %v", err, s.Err())
		}
		if rejects := w.count("select count(*) from %s", k.own("rejects")); rejects > 0 {
			t.Errorf("%d rows are in the quarantine, and so count as read", rejects)
		}

		w.sim.Unscript()
		w.clock.Advance(time.Hour)
		edge := w.edge()
		w.export()
		w.mustEqualTruth(since, edge)
	})
}

// A mapping that fits no row is at fault, not the rows: none is written, and none of them goes to the quarantine.
func TestAMappingThatFitsNoRowWritesNothing(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(400), since, nil)
		wrong := w.remap("wrong", func(f *schema.Field) bool {
			if f.Name == "direction" {
				f.Name, f.Type = "direction_number", schema.Integer
			}
			return true
		})
		s, err := wrong.Export(t.Context(), passOnce())
		var mapping *export.MappingError
		if !errors.As(err, &mapping) || len(s.Failed) == 0 || mapping.Rows == 0 || mapping.First.Field != "direction_number" {
			t.Fatalf("a mapping that fits no row was taken for right: %v, %v", err, s.Err())
		}
		rows, rejects := w.count("select count(*) from %s", k.table("calls")), w.count("select count(*) from %s", k.own("rejects"))
		if rows+rejects > 0 {
			t.Errorf("%d rows and %d rejects count as read", rows, rejects)
		}

		w.clock.Advance(time.Hour)
		edge := w.edge()
		w.export()
		w.mustEqualTruth(since, edge)
	})
}

// Keys that are made otherwise would have every call that is read again stand there twice: nothing is read before a person has
// decided. Calls whose keys are the same nevertheless are the same calls.
func TestKeysThatAreMadeOtherwise(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(400), since, nil)
		w.export()
		w.clock.Advance(200 * time.Hour) // all is to be read for the last time
		trimmed := w.remap("trimmed", func(f *schema.Field) bool {
			if f.Name == "call_id" {
				f.Transform = schema.Trim
			}
			return true
		})
		read := w.sim.Stats().Requests
		var narrowing *schema.NarrowingError
		if _, err := trimmed.Export(t.Context(), passOnce()); !errors.As(err, &narrowing) || narrowing.Column != "call_id" {
			t.Fatalf("got %v, want that other keys are refused", err)
		}
		if more := w.sim.Stats().Requests; more != read {
			t.Errorf("%d requests for rows that cannot be written", more-read)
		}

		w.exec(narrowing.Alike)
		w.exporter = trimmed
		edge := w.edge()
		w.export()
		w.mustEqualTruth(since, edge)
	})
}
