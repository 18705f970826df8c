package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Entries are the ledger's windows that overlap a stretch of time.
func (w *Warehouse) Entries(ctx context.Context, dataset, config string, within window.Window) (entries []sink.Entry, err error) {
	entries, err = w.entries(ctx, dataset, config, within)
	switch {
	case err != nil && w.empty(ctx):
		return nil, sink.ErrNotMigrated
	case err != nil:
		return nil, w.explain(ctx, "read ledger", err)
	}
	return entries, nil
}

func (w *Warehouse) entries(ctx context.Context, dataset, config string, within window.Window) (entries []sink.Entry, err error) {
	tx, err := w.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }()
	var prepared bool
	row := tx.QueryRowContext(ctx, statement("prepared_with"), sql.Named("dataset", dataset), sql.Named("config", config))
	if err := row.Scan(&prepared); err != nil {
		return nil, err
	}
	if !prepared {
		return nil, sink.ErrSuperseded
	}
	rows, err := tx.QueryContext(ctx, statement("windows_within"), sql.Named("dataset", dataset),
		sql.Named("from", stamp(within.Start)), sql.Named("to", stamp(within.End)))
	err = each(rows, err, func() error {
		e, err := scanEntry(rows)
		entries = append(entries, e)
		return err
	})
	return entries, err
}

// StoredIn are the rows that the table has of a stretch of time.
func (w *Warehouse) StoredIn(ctx context.Context, t schema.Table, within sink.Stretch) ([]sink.StoredRow, error) {
	of := t.Columns[t.ColumnIndex(t.TimeField)].Type
	return w.storedRows(ctx, t, func(t schema.Table, found func(sink.StoredRow)) error {
		query := fmt.Sprintf("%s FROM %s AS t WHERE t.%s >= ? AND t.%[3]s < ?", selectStored(t), quote(t.Name), quote(t.TimeField))
		return eachStored(ctx, w.reader, t, query, []any{stored(of, within.From), stored(of, within.To)}, found)
	})
}

// StoredByKey are the rows of the table that have one of the keys.
func (w *Warehouse) StoredByKey(ctx context.Context, t schema.Table, keys []schema.Row) ([]sink.StoredRow, error) {
	return w.storedRows(ctx, t, func(t schema.Table, found func(sink.StoredRow)) error {
		return findStored(ctx, w.reader, t, keys, found)
	})
}

// storedRows reads rows of a table as it is.
func (w *Warehouse) storedRows(ctx context.Context, t schema.Table, read func(t schema.Table, found func(sink.StoredRow)) error) (rows []sink.StoredRow, err error) {
	if t, err = asMarked(ctx, w.reader, t); err == nil {
		err = read(t, func(row sink.StoredRow) { rows = append(rows, row) })
	}
	if err != nil {
		return nil, w.explain(ctx, "read rows", err)
	}
	return rows, nil
}

// MarkDue makes windows due, as a backfill does.
func (w *Warehouse) MarkDue(ctx context.Context, m sink.Mark) error {
	return w.write(ctx, "mark windows of "+m.Dataset, func(tx *transaction) error {
		if err := checkConfig(ctx, tx, m.Dataset, m.ConfigHash); err != nil {
			return err
		}
		for _, holds := range m.Holding {
			if err := markWindow(ctx, tx, m.Dataset, holds, m.Now); err != nil {
				return err
			}
		}
		return nil
	})
}
