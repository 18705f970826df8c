package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/sink"
)

// Renew lengthens the lease on its windows that are still running.
func (w *Warehouse) Renew(ctx context.Context, l sink.Lease) error {
	return w.writeLease(ctx, "renew lease", "renew", l, l.TTL)
}

// Fail ends the lease on its windows that are still running: they are failed.
func (w *Warehouse) Fail(ctx context.Context, l sink.Lease, f sink.Failure) error {
	return w.writeLease(ctx, "record failure", "fail", l, clean(f.Error), nullable(f.NextReadAt))
}

// Release gives back the lease's windows that are still running.
func (w *Warehouse) Release(ctx context.Context, l sink.Lease) error {
	before := make([]string, len(l.Entries))
	for i, e := range l.Entries {
		before[i] = string(e.State)
		if e.State == sink.StateRunning { // taken over from a lease that had ended
			before[i] = string(sink.StateDue)
		}
	}
	return w.writeLease(ctx, "release lease", "release", l, before)
}

// Held is how much longer the first lease lasts that keeps a due window from being claimed; ok is false when none does.
func (w *Warehouse) Held(ctx context.Context, dataset string, now, edge time.Time) (left time.Duration, ok bool, err error) {
	var first *time.Duration
	err = w.tryTx(ctx, reading, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, statement("held"), dataset, now, edge).Scan(&first)
	})
	if err != nil || first == nil {
		return 0, false, classify(ctx, "see what is leased", err)
	}
	return *first, true, nil
}

// writeLease runs a statement that counts the lease's windows which are still of its epoch.
func (w *Warehouse) writeLease(ctx context.Context, verb, name string, l sink.Lease, values ...any) error {
	arguments := append([]any{l.Dataset, sink.Starts(l.Entries), l.Epoch}, values...)
	return w.inTx(ctx, verb, func(tx pgx.Tx) error {
		var mine int
		err := tx.QueryRow(ctx, statement(name), arguments...).Scan(&mine)
		if err == nil && mine < len(l.Entries) {
			return sink.ErrLeaseLost
		}
		return err
	})
}
