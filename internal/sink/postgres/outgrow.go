package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// outgrow ends the windows whose rows cannot be compared with new ones. It tells how many there are.
func outgrow(ctx context.Context, tx pgx.Tx, dataset string) (int64, error) {
	tag, err := tx.Exec(ctx, statement("windows_outgrow"), dataset)
	return tag.RowsAffected(), err
}

// checkForm fails where windows of a backfill have rows of an older form. Where these were deleted, the windows are as any other.
func checkForm(ctx context.Context, tx pgx.Tx, dataset string, within window.Window) error {
	var start, end *time.Time
	if err := tx.QueryRow(ctx, statement("older_form"), dataset, within.Start, within.End).Scan(&start, &end); err != nil || start == nil {
		return err
	}
	t := target{}
	if err := tx.QueryRow(ctx, "SELECT table_schema, table_name FROM exporter.datasets WHERE name = $1", dataset).Scan(&t.schemaName, &t.Name); err != nil {
		return err
	}
	var there bool
	text := fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s WHERE %s >= $1 AND %[2]s < $2)", t.name(), quote(schema.WindowStartColumn))
	if err := tx.QueryRow(ctx, text, *start, *end).Scan(&there); err != nil {
		return err
	}
	if there {
		return &sink.OlderFormError{Table: t.name(), Within: window.Window{Start: start.UTC(), End: end.UTC()}}
	}
	_, err := tx.Exec(ctx, statement("older_form_forget"), dataset, within.Start, within.End)
	return err
}
