package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// outgrow ends the windows whose rows cannot be compared with new ones. It tells how many there are.
func outgrow(ctx context.Context, tx *transaction, dataset string) (int64, error) {
	result, err := tx.ExecContext(ctx, statement("windows_outgrow"), sql.Named("dataset", dataset))
	if err != nil {
		return 0, fmt.Errorf("end windows of an older form: %w", err)
	}
	return result.RowsAffected()
}

// checkForm fails where windows of a backfill have rows of an older form. Where these were deleted, the windows are as any other.
func checkForm(ctx context.Context, tx *transaction, dataset string, within window.Window) error {
	var start, end time.Time
	var table string
	span := []any{sql.Named("dataset", dataset), sql.Named("from", stamp(within.Start)), sql.Named("to", stamp(within.End))}
	if err := tx.QueryRowContext(ctx, statement("older_form"), span...).Scan(at(&start), at(&end), &table); err != nil {
		return fmt.Errorf("look for an older form: %w", err)
	}
	if start.IsZero() {
		return nil
	}
	var there bool
	row := tx.QueryRowContext(ctx, fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s WHERE %s >= ? AND %[2]s < ?)", quote(table), quote(schema.WindowStartColumn)),
		start.UTC().Format(timestamptzLayout), end.UTC().Format(timestamptzLayout))
	if err := row.Scan(&there); err != nil {
		return fmt.Errorf("look for rows of an older form: %w", err)
	}
	if there {
		return &sink.OlderFormError{Table: quote(table), Within: window.Window{Start: start, End: end}}
	}
	_, err := tx.ExecContext(ctx, statement("older_form_forget"), span...)
	return err
}
