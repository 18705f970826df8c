package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// Retire ends the windows that are older than a dataset keeps its rows, and forgets their rejects and what does not agree of
// them.
func (w *Warehouse) Retire(ctx context.Context, r sink.Retirement) (int, error) {
	retired := 0
	err := w.inTx(ctx, "retire windows", func(tx pgx.Tx) error {
		if err := checkRetirement(ctx, tx, r); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, statement("retire_windows"), r.Dataset, r.Before, r.Now)
		if err != nil {
			return err
		}
		retired = int(tag.RowsAffected())
		if _, err := tx.Exec(ctx, statement("retire_rejects"), r.Dataset, r.Before); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, statement("retire_reconciled"), r.Dataset, r.Before)
		return err
	})
	return retired, err
}

// checkRetirement locks the dataset, unless it is another config's or the caller's clock is ahead.
func checkRetirement(ctx context.Context, tx pgx.Tx, r sink.Retirement) error {
	if _, err := lockPrepared(ctx, tx, r.Dataset, r.ConfigHash); err != nil {
		return err
	}
	var now time.Time
	if err := tx.QueryRow(ctx, "SELECT clock_timestamp()").Scan(&now); err != nil {
		return err
	}
	if r.Before.After(now.Add(sink.ClockDrift - r.Keep)) {
		return sink.ErrClockAhead
	}
	return nil
}

// Cut deletes the next rows from before a retirement: first those that have a time, then those that have none.
func (w *Warehouse) Cut(ctx context.Context, c sink.Cut) (done sink.Cutting, err error) {
	t := w.target(c.Table)
	err = w.inTx(ctx, "delete old rows", func(tx pgx.Tx) error {
		done = sink.Cutting{}
		if err := checkRetirement(ctx, tx, c.Retirement); err != nil {
			return err
		}
		if _, err := alone(ctx, tx, c.Dataset, c.ConfigHash); err != nil {
			return err
		}
		windows, err := wholeWindows(ctx, tx, c.Retirement)
		if err != nil {
			return err
		}
		done.Done = true
		for _, old := range t.oldRows(c, windows) {
			deleted, all, err := t.deleteNext(ctx, tx, old, c.Limit)
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
		_, err = tx.Exec(ctx, statement("retention_add"), c.Dataset, c.Before, done.Deleted)
		return err
	})
	if err != nil {
		return sink.Cutting{}, err
	}
	return done, nil
}

// wholeWindows is the time before which windows are over: one that reaches over the bound is kept whole.
func wholeWindows(ctx context.Context, tx pgx.Tx, r sink.Retirement) (before time.Time, err error) {
	err = tx.QueryRow(ctx, statement("window_over"), r.Dataset, r.Before).Scan(&before)
	if errors.Is(err, pgx.ErrNoRows) {
		return r.Before, nil
	}
	return before, err
}

// old is a set of rows from before a time, by one of their columns.
type old struct {
	column, and string // and is a further condition
	kind        schema.Type
	before      schema.Value
}

// oldRows are the rows to delete, by their time, and by their window where they have none: from before windows.
func (t target) oldRows(c sink.Cut, windows time.Time) []old {
	byWindow := old{column: quote(schema.WindowStartColumn), kind: schema.Timestamptz, before: schema.TimeValue(windows)}
	at := t.ColumnIndex(t.TimeField)
	if at < 0 {
		return []old{byWindow}
	}
	byWindow.and = " AND t." + quote(t.TimeField) + " IS NULL"
	return []old{{column: quote(t.TimeField), kind: t.Columns[at].Type, before: c.Time}, byWindow}
}

// deleteNext deletes the oldest of the rows; all is false when there are more.
func (t target) deleteNext(ctx context.Context, tx pgx.Tx, o old, limit int) (deleted int64, all bool, err error) {
	conn := tx.Conn().PgConn()
	before := valueOf(o.kind, o.before)
	values, oids := split([]parameter{before, bigint(int64(limit - 1))})
	found := conn.ExecParams(ctx, t.lastOfNext(o), values, oids, []int16{binaryFormat}, []int16{binaryFormat}).Read()
	if found.Err != nil {
		return 0, false, found.Err
	}
	if all = len(found.Rows) == 0; !all {
		before.value = found.Rows[0][0]
	}
	values, oids = split([]parameter{before})
	result := conn.ExecParams(ctx, t.deleteUpTo(o, !all), values, oids, []int16{binaryFormat}, nil).Read()
	return result.CommandTag.RowsAffected(), all, result.Err
}

// lastOfNext takes a time and a number: it is the time of the row behind so many others.
func (t target) lastOfNext(o old) string {
	return fmt.Sprintf("SELECT t.%s\nFROM %s AS t\nWHERE t.%s < $1%s\nORDER BY t.%s\nOFFSET $2 LIMIT 1", o.column, t.name(), o.column, o.and, o.column)
}

// deleteUpTo takes a time. including says that rows of just that time go, too.
func (t target) deleteUpTo(o old, including bool) string {
	comparison := "<"
	if including {
		comparison = "<="
	}
	return fmt.Sprintf("DELETE FROM %s AS t\nWHERE t.%s %s $1%s", t.name(), o.column, comparison, o.and)
}

// readRetained fills in the last deletions of old rows of datasets.
func readRetained(ctx context.Context, tx pgx.Tx, all []sink.DatasetStatus) error {
	rows, err := tx.Query(ctx, statement("retentions"))
	if err != nil {
		return err
	}
	var dataset string
	var last sink.Retained
	_, err = pgx.ForEachRow(rows, []any{&dataset, &last.Before, &last.Rows, &last.At}, func() error {
		last.Before, last.At = last.Before.UTC(), last.At.UTC()
		if of := sink.StatusOf(all, dataset); of != nil {
			of.Retained = last
		}
		return nil
	})
	return err
}
