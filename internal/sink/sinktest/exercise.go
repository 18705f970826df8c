package sinktest

import (
	"context"
	"testing"
	"time"
)

// Harness is one warehouse under test and what the suite needs to look behind it.
type Harness struct {
	// Warehouse is migrated and on an empty database of its own. The opener closes it by t.Cleanup.
	Warehouse
	// Second opens another handle on the same database, as another process would. The opener closes it too.
	Second func() Warehouse
	// Unmigrated gives two handles on one more database, on which Migrate has not run.
	Unmigrated func() (first, second Warehouse)
	// Query runs a statement of any kind and returns its rows, every cell as the text that the dialect makes
	// of it: NULL as "NULL", a boolean as anything strconv.ParseBool takes, times in ISO 8601 with or without
	// a "T", and with an offset unless the column has none.
	Query func(ctx context.Context, statement string) ([][]string, error)
	// Table is the quoted, qualified name of a report table.
	Table func(name string) string
	// AsOf is what to select from to have the rows of a report table with a history as they were at a time; Versions, all
	// versions of them.
	AsOf     func(table string, at time.Time) string
	Versions func(table string) string
	// Own is the qualified name of one of the exporter's own tables: exporter.windows, exporter_windows.
	Own func(name string) string
	// Comment is the comment on a report table's column, or on the table where column is "". nil where the
	// dialect has no comments.
	Comment func(table, column string) string
}

// Exercise holds a warehouse to the contract. open is called for each subtest.
func Exercise(t *testing.T, open func(t *testing.T) Harness) {
	t.Helper()
	suites := []struct {
		name  string
		tests []exercise
	}{
		{"migrate", migrateTests()},
		{"prepare", prepareTests()},
		{"plan", planTests()},
		{"claim", claimTests()},
		{"lease", leaseTests()},
		{"commit", commitTests()},
		{"deleted", deletedTests()},
		{"replace", replaceTests()},
		{"form", formTests()},
		{"further", furtherTests()},
		{"arrivals", arrivalTests()},
		{"retention", retentionTests()},
		{"ledger", ledgerTests()},
		{"values", valueTests()},
		{"rejects", rejectTests()},
		{"retry", retryTests()},
		{"promote", promoteTests()},
		{"history", historyTests()},
		{"stored", storedTests()},
		{"reconcile", reconcileTests()},
		{"backfill", backfillTests()},
		{"status", statusTests()},
		{"alarms", alarmTests()},
		{"preview", previewTests()},
		{"condition", conditionTests()},
		{"slots", slotTests()},
		{"concurrency", concurrencyTests()},
	}
	for _, suite := range suites {
		t.Run(suite.name, func(t *testing.T) {
			for _, e := range suite.tests {
				t.Run(e.name, func(t *testing.T) { e.run(bench{Harness: open(t), t: t}) })
			}
		})
	}
}

type exercise struct {
	name string
	run  func(b bench)
}
