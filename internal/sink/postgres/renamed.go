package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// renamed are the columns of a table whose metric ids others had, as long as the dictionary is that of before. One that is not
// there yet knows of none.
func (w *Warehouse) renamed(ctx context.Context, tx pgx.Tx, t schema.Table) ([]sink.Renamed, error) {
	var there bool
	if err := tx.QueryRow(ctx, statement("fields_exist")).Scan(&there); err != nil || !there {
		return nil, err
	}
	rows, err := tx.Query(ctx, statement("fields_of_table"), w.schema, t.Name)
	if err != nil {
		return nil, err
	}
	kept, err := pgx.CollectRows(rows, pgx.RowToStructByPos[sink.KeptField])
	return sink.RenamedOf(t, kept, w.target(t).name()), err
}
