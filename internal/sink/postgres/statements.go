package postgres

import (
	"context"
	"embed"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

//go:embed sql/*.sql
var statements embed.FS

// statement is the text of a file in sql.
func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // a test reads every name that the code uses
	}
	return string(text)
}

// byIndex lets the transaction read rows by the indexes. It returns the transaction's time.
func byIndex(ctx context.Context, tx pgx.Tx) (at time.Time, err error) {
	err = tx.QueryRow(ctx, statement("commit_settings")).Scan(&at, nil, nil, nil, nil)
	return at, err
}

// collectEntries reads rows of the ledger, selected as "start_at, end_at, state, rows, reads, attempts, error,
// read_at, read_to, next_read_at".
func collectEntries(rows pgx.Rows, err error) ([]sink.Entry, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (e sink.Entry, err error) {
		var readAt, readTo, nextReadAt *time.Time
		err = row.Scan(&e.Window.Start, &e.Window.End, &e.State, &e.Rows, &e.Reads, &e.Attempts, &e.Error,
			&readAt, &readTo, &nextReadAt)
		e.Window = window.Window{Start: e.Window.Start.UTC(), End: e.Window.End.UTC()}
		e.ReadAt, e.ReadTo, e.NextReadAt = instant(readAt), instant(readTo), instant(nextReadAt)
		return e, err
	})
}

// instant is a nullable time of the database; NULL is the zero time.
func instant(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// nullable is a time for the database; the zero time is NULL.
func nullable(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
