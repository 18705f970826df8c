package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Query runs a reading statement and returns its rows as text, as psql would show them; NULL is "NULL".
func (w *Warehouse) Query(ctx context.Context, sql string) (header []string, rows [][]string, err error) {
	err = pgx.BeginTxFunc(ctx, w.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		// The simple protocol sends every type as text.
		result, err := tx.Query(ctx, sql, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			return err
		}
		defer result.Close()
		for _, column := range result.FieldDescriptions() {
			header = append(header, column.Name)
		}
		for result.Next() {
			var row []string
			for _, cell := range result.RawValues() {
				if cell == nil {
					row = append(row, "NULL")
					continue
				}
				row = append(row, string(cell))
			}
			rows = append(rows, row)
		}
		return result.Err()
	})
	if err != nil {
		return nil, nil, classify(ctx, "query", err)
	}
	return header, rows, nil
}
