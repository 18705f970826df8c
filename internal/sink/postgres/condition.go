package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/sink"
)

// Condition is what is known of a dataset beside its windows.
func (w *Warehouse) Condition(ctx context.Context, dataset string) (s sink.Condition, err error) {
	scanned := condition{to: &s}
	err = w.tryTx(ctx, reading, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, statement("condition"), dataset).Scan(scanned.columns()...)
	})
	scanned.set()
	return s, classify(ctx, "read condition", err)
}

// condition is a Condition while its columns are read.
type condition struct {
	to                          *sink.Condition
	since, skip, span, measured *time.Time
}

func (s *condition) columns() []any {
	to := s.to
	return []any{
		&to.Problem, &to.Reason, &s.since,
		&to.Skip.Works, &to.Skip.Refused, &to.Skip.Met, &s.skip,
		&to.Range.Works, &to.Range.Refused, &to.Range.Met, &s.span,
		&s.measured, &to.Terms,
	}
}

// set takes over what could be NULL.
func (s *condition) set() {
	s.to.Since, s.to.Skip.Until, s.to.Range.Until = instant(s.since), instant(s.skip), instant(s.span)
	s.to.MeasuredAt = instant(s.measured)
}

// KeepTrouble keeps what keeps a dataset from being read.
func (w *Warehouse) KeepTrouble(ctx context.Context, dataset string, t sink.Trouble) error {
	return w.inTx(ctx, "keep trouble", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, statement("trouble_keep"), dataset, string(t.Problem), clean(t.Reason), nullable(t.Since))
		return err
	})
}

// KeepLimit keeps or forgets a limit.
func (w *Warehouse) KeepLimit(ctx context.Context, dataset string, kind sink.LimitKind, l sink.Limit) error {
	return w.inTx(ctx, "keep limit", func(tx pgx.Tx) error {
		if l == (sink.Limit{}) {
			_, err := tx.Exec(ctx, statement("limit_forget"), dataset, string(kind))
			return err
		}
		_, err := tx.Exec(ctx, statement("limit_keep"), dataset, string(kind), l.Works, l.Refused, l.Met, l.Until)
		return err
	})
}

// KeepContract keeps how the API was measured to answer, in the place of what was measured before.
func (w *Warehouse) KeepContract(ctx context.Context, dataset string, now func(before sink.Contract) (sink.Contract, error)) error {
	err := w.inTx(ctx, "keep contract", func(tx pgx.Tx) error {
		var before sink.Contract
		var at *time.Time
		err := tx.QueryRow(ctx, statement("contract"), dataset).Scan(&at, &before.Terms)
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		before.MeasuredAt = instant(at)
		is, err := now(before)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, statement("contract_keep"), dataset, is.MeasuredAt, is.Terms)
		return err
	})
	if sqlState(err) == undefinedTable {
		return sink.ErrNotMigrated
	}
	return err
}

// TakeSlots takes slots of an endpoint.
func (w *Warehouse) TakeSlots(ctx context.Context, endpoint string, take func(now time.Time, s sink.Slots) sink.Slots) error {
	return w.inTx(ctx, "take slots", func(tx pgx.Tx) error {
		now, s, err := lockSlots(ctx, tx, endpoint)
		if errors.Is(err, pgx.ErrNoRows) { // the first time
			if _, err := tx.Exec(ctx, statement("slots_enter"), endpoint); err != nil {
				return err
			}
			now, s, err = lockSlots(ctx, tx, endpoint)
		}
		if err != nil {
			return err
		}
		s = take(now, s)
		_, err = tx.Exec(ctx, statement("slots_keep"), endpoint, s.Next, s.Rate, s.Lowered)
		return err
	})
}

func lockSlots(ctx context.Context, tx pgx.Tx, endpoint string) (now time.Time, s sink.Slots, err error) {
	var setting string
	err = tx.QueryRow(ctx, statement("slots_lock"), endpoint).Scan(&now, &s.Next, &s.Rate, &s.Lowered, &setting)
	s.Next = s.Next.UTC()
	return now.UTC(), s, err
}
