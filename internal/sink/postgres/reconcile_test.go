package postgres

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// What the status costs, and a look for what is to be read again, does not depend on how many windows agree.
func TestManyReconciliationsCostNothing(t *testing.T) {
	const few, many = 4_000, 20_000
	w := newWorld(t)
	w.exec(`ALTER TABLE exporter.reconciliations SET (autovacuum_enabled = false)`)
	w.exec(`UPDATE exporter.datasets SET kind = 'insight'`)
	pages := func() int64 {
		before := w.pagesRead()
		drifts, err := w.Drifts(t.Context())
		w.noError(err)
		if len(drifts) != 1 || drifts[0].Differing != 5 {
			t.Fatalf("%+v", drifts)
		}
		_, err = w.Rereads(t.Context(), "calls", "calls", "d")
		w.noError(err)
		w.noError(w.Reconcile(t.Context(), sink.ReconciledRequest{Dataset: "calls", Insight: "calls", AgainBy: time.Now(), Limit: 10},
			func(have []sink.Reconciled) []sink.Reconciled {
				if len(have) != 5 {
					t.Errorf("%d are to be read again", len(have))
				}
				return nil
			}))
		return w.pagesRead() - before
	}
	enter := func(from, to int) {
		w.exec(fmt.Sprintf(`INSERT INTO exporter.reconciliations (dataset, insight, window_start, window_end, warehouse_value, api_value,
				difference, share, state, checked_at, read_at, insight_read_at, rereads, again_at, definition)
			SELECT 'calls', 'calls', s, s + interval '1 hour', 1, 1, 0, 0, CASE WHEN n < 5 THEN 'stands' ELSE 'agrees' END, s, s, s,
				CASE WHEN n < 5 THEN 1 ELSE 0 END, CASE WHEN n < 5 THEN s END, 'd'
			FROM generate_series(%d, %d) AS n, LATERAL (SELECT '2022-01-01T00:00:00Z'::timestamptz + n * interval '1 hour' AS s) AS at`, from, to-1))
		w.exec(`VACUUM ANALYZE exporter.reconciliations`)
	}
	enter(0, few)
	short := pages()
	enter(few, many)
	if long := pages(); long > short*3/2+20 {
		t.Errorf("%d pages of %d windows, %d of %d", short, few, long, many)
	}
}

// However many windows are measured at once: each of them has its own time.
func TestManyMeasurementsTakeTheirTime(t *testing.T) {
	w := newWorld(t)
	w.timeout = 600 * time.Millisecond
	m := sink.Measurement{Table: dataset().Table, Expression: "count(*) + (SELECT 1 FROM pg_sleep(0.15))"}
	for i := range 6 {
		m.Within = append(m.Within, sink.Stretch{From: schema.TimeValue(at(i)), To: schema.TimeValue(at(i + 1))})
	}
	values, err := w.Measure(t.Context(), m)
	w.noError(err)
	if len(values) != 6 {
		t.Errorf("%v", values)
	}
	m.Expression = "count(*) + (SELECT 1 FROM pg_sleep(60))"
	var mistake *sink.ExpressionError
	if _, err := w.Measure(t.Context(), m); !errors.As(err, &mistake) {
		t.Errorf("one that takes too long: %v", err)
	}
}
