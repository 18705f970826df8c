package sqlite

import (
	"context"
	"database/sql"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// renamed are the columns of a table whose metric ids others had, as long as the dictionary is that of before. One that is not
// there yet knows of none.
func renamed(ctx context.Context, tx *transaction, t schema.Table) ([]sink.Renamed, error) {
	var there bool
	err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'exporter_fields')`).Scan(&there)
	if err != nil || !there {
		return nil, err
	}
	var kept []sink.KeptField
	rows, err := tx.QueryContext(ctx, statement("fields_of_table"), sql.Named("table", t.Name)) //nolint:sqlclosecheck // each closes them
	err = each(rows, err, func() error {
		var k sink.KeptField
		err := rows.Scan(&k.Column, &k.ID, &k.Type)
		kept = append(kept, k)
		return err
	})
	return sink.RenamedOf(t, kept, quote(t.Name)), err
}
