package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// origin is what makes new versions of rows.
type origin struct {
	table schema.Table
	cause sink.Cause
	run   sink.RunID
}

// writtenAt is when rows are written: now, which was before the transaction had the write lock; or, where there is a
// history, later than all that others wrote before.
func (s rowset) writtenAt(now time.Time) time.Time {
	if s.origin.table.History {
		return time.Now()
	}
	return now
}

// keepChanged keeps the versions of rows that are about to be written as they are given, and says when they are.
func (s rowset) keepChanged(ctx context.Context, tx *transaction, rows [][]any, now time.Time) (time.Time, error) {
	if !s.origin.table.History || len(rows) == 0 {
		return now, nil
	}
	is := make(map[string]schema.Row, len(rows))
	keys := make([]schema.Row, len(rows))
	for i, cells := range rows {
		keys[i] = restoredRow(s.origin.table, cells)
		is[keyOf(s.origin.table, keys[i])] = keys[i]
	}
	return s.origin.keepVersions(ctx, tx, now, keys, func(was sink.StoredRow) []string {
		return sink.Changed(s.origin.table, was, is[keyOf(s.origin.table, was.Row.Row)], false)
	})
}

// keepVersions copies the rows of the keys into the history, as they are before they are written at a time, with what
// differs of each; nil: that one stays as it is. It returns when they are to be written: at, or later.
func (o origin) keepVersions(ctx context.Context, tx *transaction, at time.Time, keys []schema.Row, differs func(was sink.StoredRow) []string) (time.Time, error) {
	var replaced [][]any // the values of insertVersion but the first one
	var last time.Time
	var run any
	if o.run != 0 {
		run = int64(o.run)
	}
	err := findStored(ctx, tx, o.table, keys, func(was sink.StoredRow) {
		names := differs(was)
		if names == nil {
			return
		}
		list, _ := json.Marshal(names) // strings always can be
		args := []any{string(list), string(o.cause), run}
		for _, place := range o.table.KeyIndexes() {
			args = append(args, stored(o.table.Columns[place].Type, was.Values[place]))
		}
		replaced = append(replaced, args)
		if was.ExportedAt.After(last) {
			last = was.ExportedAt
		}
	})
	if err != nil {
		return at, err
	}
	at = sink.Since(at.Truncate(time.Microsecond), last) // as fine as it is kept
	until := stamp(at)
	err = tx.repeat(ctx, o.insertVersion(), len(replaced), 4+len(o.table.Key), func(set int, args []driver.NamedValue) {
		args[0].Value = until
		for i, value := range replaced[set] {
			args[i+1].Value = value
		}
	})
	if err != nil {
		return at, fmt.Errorf("keep version: %w", err)
	}
	return at, nil
}

// insertVersion takes until when a version was valid, what changes, the cause and the run of what takes its place, and
// the values of the key.
func (o origin) insertVersion() string {
	var copied, match []string
	for _, c := range append(o.table.Columns[:len(o.table.Columns):len(o.table.Columns)], o.table.OwnColumns()...) {
		copied = append(copied, quote(c.Name))
	}
	for i, name := range o.table.Key {
		match = append(match, fmt.Sprintf("%s = ?%d", quote(name), i+5))
	}
	columns := strings.Join(copied, ", ")
	return fmt.Sprintf("INSERT INTO %s (%s, %s, %s, %s, %s, %s) SELECT %s, %s, ?1, ?2, ?3, ?4 FROM %s WHERE %s",
		quote(o.table.HistoryTable().Name), columns, quote(schema.ValidFromColumn), quote(schema.ValidToColumn),
		quote(schema.ChangedColumn), quote(schema.CauseColumn), quote(schema.RunColumn),
		columns, quote(schema.ExportedAtColumn), quote(o.table.Name), strings.Join(match, " AND "))
}
