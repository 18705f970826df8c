package sqlite

import (
	"context"
	"database/sql"
)

// Query runs a reading statement and returns its rows as text, as sqlite3 would show them; NULL is "NULL".
func (w *Warehouse) Query(ctx context.Context, statement string) (header []string, rows [][]string, err error) {
	header, rows, err = query(ctx, w.reader, statement)
	if err != nil {
		return nil, nil, w.explain(ctx, "query", err)
	}
	return header, rows, nil
}

func query(ctx context.Context, db *sql.DB, statement string) (header []string, rows [][]string, err error) {
	result, err := db.QueryContext(ctx, statement)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = result.Close() }()
	if header, err = result.Columns(); err != nil {
		return nil, nil, err
	}
	cells := make([]sql.NullString, len(header))
	places := make([]any, len(header))
	for i := range cells {
		places[i] = &cells[i]
	}
	for result.Next() {
		if err := result.Scan(places...); err != nil {
			return nil, nil, err
		}
		row := make([]string, len(cells))
		for i, cell := range cells {
			row[i] = "NULL"
			if cell.Valid {
				row[i] = cell.String
			}
		}
		rows = append(rows, row)
	}
	return header, rows, result.Err()
}
