package sqlite

import (
	"context"
	"database/sql"
	"time"

	"samespace-exporter/internal/sink"
)

// RaiseAlarm enters an alarm that is not there yet.
func (w *Warehouse) RaiseAlarm(ctx context.Context, dataset string, alarm sink.Alarm, now time.Time) (bool, error) {
	return w.changesRow(ctx, "raise alarm", statement("alarm_raise"),
		sql.Named("dataset", dataset), sql.Named("alarm", string(alarm)), sql.Named("since", stamp(now)))
}

// LowerAlarm removes an alarm that is there.
func (w *Warehouse) LowerAlarm(ctx context.Context, dataset string, alarm sink.Alarm) (bool, error) {
	return w.changesRow(ctx, "lower alarm", statement("alarm_lower"), sql.Named("dataset", dataset), sql.Named("alarm", string(alarm)))
}

// changesRow reports whether a statement changed a row.
func (w *Warehouse) changesRow(ctx context.Context, verb, statement string, args ...any) (bool, error) {
	var changed int64
	err := w.write(ctx, verb, func(tx *transaction) error {
		result, err := tx.ExecContext(ctx, statement, args...)
		if err != nil {
			return err
		}
		changed, err = result.RowsAffected()
		return err
	})
	return changed > 0 && err == nil, err
}
