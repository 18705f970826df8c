package sqlite

import (
	"database/sql"
	"strings"
	"testing"
	"time"
)

// What the status costs does not depend on how many windows agree.
func TestManyReconciliationsCostNothing(t *testing.T) {
	w := newWarehouse(t)
	if err := w.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	pair := []any{sql.Named("dataset", "calls"), sql.Named("insight", "answered")}
	now := stamp(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	for name, c := range map[string]struct {
		text string
		args []any
	}{
		"drifts": {statement("drifts"), nil},
		"again":  {statement("reconciled_again"), append(pair, sql.Named("by", now), sql.Named("limit", 10))},
		"reread": {statement("reconciled_rereads"), append(pair, sql.Named("definition", "d"))},
	} {
		plan := explain(t, w, c.text, c.args)
		for _, line := range plan {
			// By the primary key the drifts only find the latest window, and whether there is one: they enter it at an end.
			byKey := strings.Contains(line, "sqlite_autoindex") && strings.HasSuffix(line, "(dataset=? AND insight=?)")
			if strings.HasPrefix(line, "SCAN exporter_reconciliations") || byKey && name != "drifts" {
				t.Errorf("%s looks at all windows:\n%s", name, strings.Join(plan, "\n"))
			}
		}
	}
}
