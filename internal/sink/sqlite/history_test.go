package sqlite

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/sink"
)

// What a tick does not depend on the length of the history: every statement finds windows of the ledger by their time, or by
// an index that holds only few of them.
func TestLongHistoryCostsNothing(t *testing.T) {
	w := newWarehouse(t)
	if err := w.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	due := dueArgs(sink.ClaimRequest{Dataset: "calls", Now: now, Edge: now})
	around := append(due, sql.Named("seed", stamp(now)), sql.Named("limit", stamp(now)), sql.Named("most", 10))
	stretch := []any{sql.Named("dataset", "calls"), sql.Named("from", stamp(now)), sql.Named("to", stamp(now))}
	tidy := []any{sql.Named("dataset", "calls"), sql.Named("most", 10), sql.Named("keep", 10), sql.Named("before", stamp(now))}
	for _, c := range []struct {
		name, text string
		args       []any
		ends       int // looks at the first or the last window of the dataset
	}{
		{"live first", statement("claim_due") + statement("claim_live_first"), due, 0},
		{"oldest first", statement("claim_due") + statement("claim_oldest_first"), due, 0},
		{"longest due first", statement("claim_due") + statement("claim_longest_due_first"), due, 0},
		{"newest first", statement("claim_due") + statement("claim_newest_first"), due, 0},
		{"onward", statement("claim_due") + statement("claim_onward"), around, 0},
		{"backward", statement("claim_due") + statement("claim_backward"), around, 0},
		{"near", statement("claim_near"), stretch, 0},
		{"covered", statement("plan_covered"), stretch, 0},
		{"mend", statement("plan_mend"), []any{sql.Named("dataset", "calls"), sql.Named("now", stamp(now)), sql.Named("ahead", stamp(now))}, 0},
		{"status", statement("status"), []any{sql.Named("now", stamp(now)), sql.Named("recent", stamp(now))}, 2},
		{"settle", statement("windows_settle"), tidy[:2], 0},
		{"forget", statement("runs_forget"), tidy, 0},
	} {
		plan := explain(t, w, c.text, c.args)
		whole := 0
		for _, line := range plan {
			if strings.HasPrefix(line, "SCAN exporter_windows") || line == "SEARCH exporter_windows USING PRIMARY KEY (dataset=?)" {
				whole++
			}
		}
		if whole != c.ends {
			t.Errorf("%s looks %d times at the windows of the dataset from an end on, want %d:\n%s", c.name, whole, c.ends, strings.Join(plan, "\n"))
		}
	}
}

func explain(t *testing.T, w *Warehouse, text string, args []any) (plan []string) {
	t.Helper()
	rows, err := w.writer.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, args...) //nolint:sqlclosecheck // each closes them
	err = each(rows, err, func() error {
		var id, parent, unused int
		var detail string
		err := rows.Scan(&id, &parent, &unused, &detail)
		plan = append(plan, detail)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}
