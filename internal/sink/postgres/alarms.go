package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/sink"
)

// RaiseAlarm enters an alarm that is not there yet.
func (w *Warehouse) RaiseAlarm(ctx context.Context, dataset string, alarm sink.Alarm, now time.Time) (bool, error) {
	return w.changesRow(ctx, "raise alarm", statement("alarm_raise"), dataset, alarm, now)
}

// LowerAlarm removes an alarm that is there.
func (w *Warehouse) LowerAlarm(ctx context.Context, dataset string, alarm sink.Alarm) (bool, error) {
	return w.changesRow(ctx, "lower alarm", statement("alarm_lower"), dataset, alarm)
}

// changesRow reports whether a statement changed a row.
func (w *Warehouse) changesRow(ctx context.Context, verb, statement string, args ...any) (changed bool, err error) {
	err = w.inTx(ctx, verb, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, statement, args...)
		changed = tag.RowsAffected() > 0
		return err
	})
	return changed && err == nil, err
}
