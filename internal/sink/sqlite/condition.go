package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"samespace-exporter/internal/sink"
)

// Condition is what is known of a dataset beside its windows.
func (w *Warehouse) Condition(ctx context.Context, dataset string) (s sink.Condition, err error) {
	err = w.reader.QueryRowContext(ctx, statement("condition"), sql.Named("dataset", dataset)).Scan(conditionColumns(&s)...)
	if err != nil {
		return sink.Condition{}, w.explain(ctx, "read condition", err)
	}
	return s, nil
}

// conditionColumns are where a condition's columns go to.
func conditionColumns(s *sink.Condition) []any {
	return []any{
		&s.Problem, &s.Reason, at(&s.Since),
		&s.Skip.Works, &s.Skip.Refused, &s.Skip.Met, at(&s.Skip.Until),
		&s.Range.Works, &s.Range.Refused, &s.Range.Met, at(&s.Range.Until),
		at(&s.MeasuredAt), &s.Terms,
	}
}

// KeepTrouble keeps what keeps a dataset from being read.
func (w *Warehouse) KeepTrouble(ctx context.Context, dataset string, t sink.Trouble) error {
	return w.write(ctx, "keep trouble", func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, statement("trouble_keep"), sql.Named("dataset", dataset), sql.Named("problem", string(t.Problem)),
			sql.Named("reason", t.Reason), sql.Named("since", stamp(t.Since)))
		return err
	})
}

// KeepLimit keeps or forgets a limit.
func (w *Warehouse) KeepLimit(ctx context.Context, dataset string, kind sink.LimitKind, l sink.Limit) error {
	return w.write(ctx, "keep limit", func(tx *transaction) error {
		of := []any{sql.Named("dataset", dataset), sql.Named("kind", string(kind))}
		if l == (sink.Limit{}) {
			_, err := tx.ExecContext(ctx, statement("limit_forget"), of...)
			return err
		}
		_, err := tx.ExecContext(ctx, statement("limit_keep"), append(of, sql.Named("works", l.Works),
			sql.Named("refused", l.Refused), sql.Named("met", l.Met), sql.Named("until", stamp(l.Until)))...)
		return err
	})
}

// KeepContract keeps how the API was measured to answer, in the place of what was measured before.
func (w *Warehouse) KeepContract(ctx context.Context, dataset string, now func(before sink.Contract) (sink.Contract, error)) error {
	var tables int
	row := w.reader.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name = 'exporter_contracts'`)
	if err := row.Scan(&tables); err != nil {
		return w.explain(ctx, "keep contract", err)
	}
	if tables == 0 {
		return sink.ErrNotMigrated
	}
	return w.write(ctx, "keep contract", func(tx *transaction) error {
		var before sink.Contract
		err := tx.QueryRowContext(ctx, statement("contract"), sql.Named("dataset", dataset)).Scan(at(&before.MeasuredAt), &before.Terms)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		is, err := now(before)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, statement("contract_keep"), sql.Named("dataset", dataset), sql.Named("measured_at", stamp(is.MeasuredAt)), sql.Named("terms", is.Terms))
		return err
	})
}

// TakeSlots takes slots of an endpoint.
func (w *Warehouse) TakeSlots(ctx context.Context, endpoint string, take func(now time.Time, s sink.Slots) sink.Slots) error {
	return w.write(ctx, "take slots", func(tx *transaction) error {
		var now time.Time
		var s sink.Slots
		row := tx.QueryRowContext(ctx, statement("slots"), sql.Named("endpoint", endpoint))
		if err := row.Scan(at(&now), at(&s.Next), &s.Rate, &s.Lowered); err != nil {
			return err
		}
		s = take(now, s)
		_, err := tx.ExecContext(ctx, statement("slots_keep"), sql.Named("endpoint", endpoint), sql.Named("next_slot_at", stamp(s.Next)),
			sql.Named("rate", s.Rate), sql.Named("lowered", s.Lowered))
		return err
	})
}
