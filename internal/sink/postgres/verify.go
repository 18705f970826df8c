package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Entries are the ledger's windows that overlap a stretch of time.
func (w *Warehouse) Entries(ctx context.Context, dataset, config string, within window.Window) (entries []sink.Entry, err error) {
	err = w.tryTx(ctx, snapshot, func(tx pgx.Tx) error {
		var prepared bool
		if err := tx.QueryRow(ctx, statement("prepared_with"), dataset, config).Scan(&prepared); err != nil {
			return err
		}
		if !prepared {
			return sink.ErrSuperseded
		}
		entries, err = collectEntries(tx.Query(ctx, statement("windows_within"), dataset, within.Start, within.End))
		return err
	})
	if sqlState(err) == undefinedTable {
		return nil, sink.ErrNotMigrated
	}
	return entries, classify(ctx, "read ledger", err)
}

// StoredIn are the rows that the table has of a stretch of time.
func (w *Warehouse) StoredIn(ctx context.Context, t schema.Table, within sink.Stretch) ([]sink.StoredRow, error) {
	return w.storedRows(ctx, t, func(to target, tx pgx.Tx, found func(sink.StoredRow)) error {
		return to.eachStored(ctx, tx.Conn().PgConn(), to.storedByTime(), to.stretch(within), found)
	})
}

// StoredByKey are the rows of the table that have one of the keys.
func (w *Warehouse) StoredByKey(ctx context.Context, t schema.Table, keys []schema.Row) ([]sink.StoredRow, error) {
	return w.storedRows(ctx, t, func(to target, tx pgx.Tx, found func(sink.StoredRow)) error {
		return to.findStored(ctx, tx.Conn().PgConn(), keys, found)
	})
}

// storedRows reads rows of a table by the indexes.
func (w *Warehouse) storedRows(ctx context.Context, t schema.Table,
	read func(to target, tx pgx.Tx, found func(sink.StoredRow)) error,
) (rows []sink.StoredRow, err error) {
	err = w.inTx(ctx, "read rows", func(tx pgx.Tx) error {
		rows = nil // of an earlier attempt
		is, err := w.asMarked(ctx, tx, t)
		if err != nil {
			return err
		}
		if _, err := byIndex(ctx, tx); err != nil {
			return err
		}
		return read(w.target(is), tx, func(row sink.StoredRow) { rows = append(rows, row) })
	})
	return rows, err
}

// MarkDue makes windows due, as a backfill does.
func (w *Warehouse) MarkDue(ctx context.Context, m sink.Mark) error {
	return w.inTx(ctx, "mark windows", func(tx pgx.Tx) error {
		if _, err := lockPrepared(ctx, tx, m.Dataset, m.ConfigHash); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, statement("windows_mark"), m.Dataset, m.Holding, m.Now)
		return err
	})
}
