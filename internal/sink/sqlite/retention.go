package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// Retire ends the windows that are older than a dataset keeps its rows, and forgets their rejects and what does not agree of
// them.
func (w *Warehouse) Retire(ctx context.Context, r sink.Retirement) (retired int, err error) {
	err = w.write(ctx, "retire windows of "+r.Dataset, func(tx *transaction) error {
		if err := checkRetirement(ctx, tx, r); err != nil {
			return err
		}
		dataset, before := sql.Named("dataset", r.Dataset), sql.Named("before", stamp(r.Before))
		result, err := tx.ExecContext(ctx, statement("retire_windows"), dataset, before, sql.Named("now", stamp(r.Now)))
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return err
		}
		retired = int(n)
		if _, err := tx.ExecContext(ctx, statement("retire_rejects"), dataset, before); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, statement("retire_reconciled"), dataset, before)
		return err
	})
	return retired, err
}

func checkRetirement(ctx context.Context, tx *transaction, r sink.Retirement) error {
	if err := checkConfig(ctx, tx, r.Dataset, r.ConfigHash); err != nil {
		return err
	}
	if r.Before.After(time.Now().Add(sink.ClockDrift - r.Keep)) {
		return sink.ErrClockAhead
	}
	return nil
}

// Cut deletes the next rows from before a retirement: first those that have a time, then those that have none.
func (w *Warehouse) Cut(ctx context.Context, c sink.Cut) (done sink.Cutting, err error) {
	err = w.write(ctx, "delete old rows of "+c.Dataset, func(tx *transaction) error {
		if err := checkRetirement(ctx, tx, c.Retirement); err != nil {
			return err
		}
		windows, err := wholeWindows(ctx, tx, c.Retirement)
		if err != nil {
			return err
		}
		done.Done = true
		for _, old := range oldRows(c, windows) {
			deleted, all, err := old.deleteNext(ctx, tx, c.Limit)
			if err != nil {
				return err
			}
			done.Deleted += deleted
			if !all {
				done.Done = false
				break
			}
		}
		if done.Deleted == 0 {
			return nil
		}
		_, err = tx.ExecContext(ctx, statement("retention_add"), sql.Named("dataset", c.Dataset), sql.Named("before", stamp(c.Before)),
			sql.Named("rows", done.Deleted), sql.Named("now", stamp(time.Now())))
		return err
	})
	if err != nil {
		return sink.Cutting{}, err
	}
	return done, nil
}

// wholeWindows is the time before which windows are over: one that reaches over the bound is kept whole.
func wholeWindows(ctx context.Context, tx *transaction, r sink.Retirement) (before time.Time, err error) {
	err = tx.QueryRowContext(ctx, statement("window_over"), sql.Named("dataset", r.Dataset), sql.Named("before", stamp(r.Before))).Scan(at(&before))
	if errors.Is(err, sql.ErrNoRows) {
		return r.Before, nil
	}
	return before, err
}

// old is a set of rows from before a time, by one of their columns.
type old struct {
	table, column, and string // and is a further condition
	before             any
}

// oldRows are the rows to delete, by their time, and by their window where they have none: from before windows.
func oldRows(c sink.Cut, windows time.Time) []old {
	table := quote(c.Table.Name)
	byWindow := old{table: table, column: quote(schema.WindowStartColumn), before: stamp(windows)}
	at := c.Table.ColumnIndex(c.Table.TimeField)
	if at < 0 {
		return []old{byWindow}
	}
	column := quote(c.Table.TimeField)
	byWindow.and = " AND " + column + " IS NULL"
	return []old{{table: table, column: column, before: stored(c.Table.Columns[at].Type, c.Time)}, byWindow}
}

// deleteNext deletes the oldest of the rows; all is false when there are more. The plus keeps the driver from making times
// of text.
func (o old) deleteNext(ctx context.Context, tx *transaction, limit int) (deleted int64, all bool, err error) {
	before, comparison := o.before, "<"
	var last string
	err = tx.QueryRowContext(ctx, fmt.Sprintf("SELECT +%s FROM %s WHERE %s < ?%s ORDER BY %s LIMIT 1 OFFSET ?",
		o.column, o.table, o.column, o.and, o.column), o.before, limit-1).Scan(&last)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		all = true
	case err != nil:
		return 0, false, err
	default:
		before, comparison = last, "<="
	}
	result, err := tx.ExecContext(ctx, fmt.Sprintf("DELETE FROM %s WHERE %s %s ?%s", o.table, o.column, comparison, o.and), before)
	if err != nil {
		return 0, false, err
	}
	deleted, err = result.RowsAffected()
	return deleted, all, err
}

// readRetained fills in the last deletions of old rows of datasets.
func (w *Warehouse) readRetained(ctx context.Context, all []sink.DatasetStatus) error {
	rows, err := w.reader.QueryContext(ctx, statement("retentions")) //nolint:sqlclosecheck // each closes them
	return each(rows, err, func() error {
		var dataset string
		var last sink.Retained
		err := rows.Scan(&dataset, at(&last.Before), &last.Rows, at(&last.At))
		if of := sink.StatusOf(all, dataset); of != nil {
			of.Retained = last
		}
		return err
	})
}
