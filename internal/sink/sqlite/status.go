package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"samespace-exporter/internal/sink"
)

// Status is what the warehouse knows of every dataset, in order of name.
func (w *Warehouse) Status(ctx context.Context, now time.Time) ([]sink.DatasetStatus, error) {
	schema := w.schemaVersion(ctx)
	var all []sink.DatasetStatus
	rows, err := w.reader.QueryContext(ctx, statement("status"), sql.Named("now", stamp(now)), sql.Named("recent", stamp(now.Add(-sink.Nearby))))
	err = each(rows, err, func() error {
		var s sink.DatasetStatus
		columns := []any{
			&s.Name, &s.Kind, &s.Table, at(&s.Through), &s.Rows, &s.Windows, &s.Due, &s.Running, &s.Lapsed, &s.Failed, &s.Behind,
			&s.Error, &s.Rejects, at(&s.ReadTo),
		}
		columns = append(columns, runColumns(&s.LastRun)...)
		err := rows.Scan(append(columns, conditionColumns(&s.Condition)...)...)
		all = append(all, s)
		return err
	})
	if err == nil {
		err = errors.Join(w.readRetained(ctx, all), w.readLags(ctx, all, sink.ArrivalsSince(now)))
	}
	switch {
	case err != nil && w.inTheMaking(ctx, schema):
		return nil, sink.ErrNotMigrated
	case err != nil:
		return nil, w.explain(ctx, "read status", err)
	}
	return all, nil
}

// empty reports whether the exporter's own tables are seen not to be there.
func (w *Warehouse) empty(ctx context.Context) bool {
	var tables int
	row := w.reader.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name = 'exporter_datasets'`)
	return row.Scan(&tables) == nil && tables == 0
}

// inTheMaking reports whether a first run may be making the exporter's own tables, or was at that version of the schema.
func (w *Warehouse) inTheMaking(ctx context.Context, schema int64) bool {
	var datasets int
	row := w.reader.QueryRowContext(ctx, `SELECT count(*) FROM exporter_datasets`)
	return w.empty(ctx) || row.Scan(&datasets) == nil && datasets == 0 || w.schemaVersion(ctx) != schema
}

// schemaVersion is another one after each change of a table; 0: not known.
func (w *Warehouse) schemaVersion(ctx context.Context) (version int64) {
	if w.reader.QueryRowContext(ctx, `PRAGMA schema_version`).Scan(&version) != nil {
		return 0
	}
	return version
}
