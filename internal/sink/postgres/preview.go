package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Preview says what Prepare would do to the table of a dataset.
func (w *Warehouse) Preview(ctx context.Context, dataset string, table schema.Table) (prepared sink.Prepared, err error) {
	err = w.look(ctx, "look at the table", func(tx pgx.Tx) error {
		is, err := w.asMarked(ctx, tx, table)
		if err != nil {
			return err
		}
		if prepared.Changes, prepared.Created, err = w.changes(ctx, tx, dataset, is); err != nil {
			return err
		}
		of, err := w.historyChanges(ctx, tx, is)
		prepared.Changes = append(prepared.Changes, of...)
		if err != nil || prepared.Created {
			return err
		}
		prepared.Renamed, err = w.renamed(ctx, tx, is)
		return err
	})
	return prepared, err
}

// Windows are the ledger's windows that overlap a stretch of time.
func (w *Warehouse) Windows(ctx context.Context, dataset string, within window.Window) (entries []sink.Entry, err error) {
	err = w.look(ctx, "read ledger", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, statement("windows_within"), dataset, within.Start, within.End)
		entries, err = collectEntries(rows, err)
		return err
	})
	return entries, err
}

// look runs what reads only.
func (w *Warehouse) look(ctx context.Context, verb string, read func(tx pgx.Tx) error) error {
	err := w.tryTx(ctx, reading, read)
	if sqlState(err) == undefinedTable {
		return sink.ErrNotMigrated
	}
	return classify(ctx, verb, err)
}
