package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Query runs a reading statement and returns its rows as text, as psql would show them; NULL is "NULL".
func (w *Warehouse) Query(ctx context.Context, statement string) (header []string, rows [][]string, err error) {
	err = w.tryTx(ctx, reading, func(tx pgx.Tx) error {
		result := tx.Conn().PgConn().ExecParams(ctx, statement, nil, nil, nil, nil).Read()
		for _, field := range result.FieldDescriptions {
			header = append(header, field.Name)
		}
		for _, values := range result.Rows {
			row := make([]string, len(values))
			for i, value := range values {
				if row[i] = "NULL"; value != nil {
					row[i] = string(value)
				}
			}
			rows = append(rows, row)
		}
		return result.Err
	})
	return header, rows, classify(ctx, "query", err)
}
