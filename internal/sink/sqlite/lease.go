package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"samespace-exporter/internal/sink"
)

// Renew lengthens the lease on those of its windows that are still running.
func (w *Warehouse) Renew(ctx context.Context, l sink.Lease) error {
	return w.underLease(ctx, "renew lease", l, func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, statement("renew"), leaseArgs(l)...)
		return err
	})
}

// Fail ends the lease on its windows that are still running: they are failed, with one more attempt.
func (w *Warehouse) Fail(ctx context.Context, l sink.Lease, f sink.Failure) error {
	return w.underLease(ctx, "record failure", l, func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, statement("fail"),
			append(leaseArgs(l), sql.Named("error", f.Error), sql.Named("next_read_at", stamp(f.NextReadAt)))...)
		return err
	})
}

// Release gives back the lease's windows that are still running as they were before the claim.
func (w *Warehouse) Release(ctx context.Context, l sink.Lease) error {
	return w.underLease(ctx, "release lease", l, func(tx *transaction) error {
		for _, e := range l.Entries {
			if e.State == sink.StateRunning { // it was taken over from a process that died
				e.State = sink.StateDue
			}
			if _, err := tx.ExecContext(ctx, statement("release"), append(leaseArgs(l),
				sql.Named("start_at", stamp(e.Window.Start)), sql.Named("state", string(e.State)))...); err != nil {
				return err
			}
		}
		return nil
	})
}

// Held is how much longer the first lease lasts that keeps a due window from being claimed; ok is false when none does.
func (w *Warehouse) Held(ctx context.Context, dataset string, now, edge time.Time) (left time.Duration, ok bool, err error) {
	var first time.Time
	err = w.reader.QueryRowContext(ctx, statement("held"), sql.Named("dataset", dataset),
		sql.Named("now", stamp(now)), sql.Named("edge", stamp(edge))).Scan(at(&first))
	if err != nil {
		return 0, false, w.explain(ctx, "see what is leased", err)
	}
	return time.Until(first), !first.IsZero(), nil
}

// underLease writes behind the lease's fence. A lease without windows has nothing to write to.
func (w *Warehouse) underLease(ctx context.Context, what string, l sink.Lease, do func(tx *transaction) error) error {
	if len(l.Entries) == 0 {
		return nil
	}
	return w.write(ctx, what, func(tx *transaction) error {
		if err := fence(ctx, tx, l, sink.Starts(l.Entries)); err != nil {
			return err
		}
		return do(tx)
	})
}

// fence fails with ErrLeaseLost unless the windows that start then, at one time at least, have the lease's epoch.
func fence(ctx context.Context, tx *transaction, l sink.Lease, starts []time.Time) error {
	epochs := make(map[int64]int64, len(starts))
	rows, err := tx.QueryContext(ctx, statement("fence"), sql.Named("dataset", l.Dataset), //nolint:sqlclosecheck // each closes them
		sql.Named("first", stamp(slices.MinFunc(starts, time.Time.Compare))), sql.Named("last", stamp(slices.MaxFunc(starts, time.Time.Compare))))
	err = each(rows, err, func() error {
		var start time.Time
		var epoch int64
		err := rows.Scan(at(&start), &epoch)
		epochs[start.UnixMicro()] = epoch
		return err
	})
	if err != nil {
		return err
	}
	for _, start := range starts {
		if epochs[start.UnixMicro()] != l.Epoch {
			return sink.ErrLeaseLost
		}
	}
	return nil
}
