package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// errUndo ends a transaction whose work is not to stay.
var errUndo = errors.New("undo")

// Preview says what Prepare would do to the table of a dataset: it does it, and undoes it.
func (w *Warehouse) Preview(ctx context.Context, dataset string, table schema.Table) (prepared sink.Prepared, err error) {
	err = w.write(ctx, "look at the table", func(tx *transaction) error {
		is, err := asMarked(ctx, tx, table)
		if err != nil {
			return err
		}
		if prepared, err = prepareTable(ctx, tx, dataset, is); err != nil {
			return err
		}
		of, err := prepareHistory(ctx, tx, is)
		if err != nil {
			return err
		}
		prepared.Changes = append(prepared.Changes, of...)
		if !prepared.Created {
			if prepared.Renamed, err = renamed(ctx, tx, is); err != nil {
				return err
			}
		}
		return errUndo
	})
	if errors.Is(err, errUndo) {
		return prepared, nil
	}
	return sink.Prepared{}, err
}

// Windows are the ledger's windows that overlap a stretch of time.
func (w *Warehouse) Windows(ctx context.Context, dataset string, within window.Window) (entries []sink.Entry, err error) {
	rows, err := w.reader.QueryContext(ctx, statement("windows_within"), sql.Named("dataset", dataset),
		sql.Named("from", stamp(within.Start)), sql.Named("to", stamp(within.End)))
	err = each(rows, err, func() error {
		e, err := scanEntry(rows)
		entries = append(entries, e)
		return err
	})
	switch {
	case err != nil && w.empty(ctx):
		return nil, sink.ErrNotMigrated
	case err != nil:
		return nil, w.explain(ctx, "read ledger", err)
	}
	return entries, nil
}
