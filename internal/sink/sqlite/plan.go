package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Plan enters the windows that are missing from the ledger in within, and mends those that were read in, or put off to, the future.
func (w *Warehouse) Plan(ctx context.Context, dataset string, within window.Window, now time.Time,
	cut func(window.Window) []window.Window,
) (entered int, err error) {
	err = w.write(ctx, "plan "+dataset, func(tx *transaction) error {
		planned, err := plannedOf(ctx, tx, dataset)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, statement("plan_mend"), sql.Named("dataset", dataset), sql.Named("now", stamp(now)),
			sql.Named("ahead", stamp(now.Add(sink.ClockDrift)))); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, statement("plan_recall"), sql.Named("dataset", dataset), sql.Named("now", stamp(now)),
			sql.Named("late", stamp(now.Add(sink.ClockDrift+sink.LongestRetry)))); err != nil {
			return err
		}
		enter, err := tx.PrepareContext(ctx, statement("plan_enter"))
		if err != nil {
			return err
		}
		defer func() { _ = enter.Close() }()
		for _, stretch := range window.Gaps(within, []window.Window{planned}) { // what is planned has no gap
			covered, err := coveredWindows(ctx, tx, dataset, stretch)
			if err != nil {
				return err
			}
			for _, gap := range window.Gaps(stretch, covered) {
				for _, piece := range cut(gap) {
					if _, err := enter.ExecContext(ctx, sql.Named("dataset", dataset), sql.Named("start_at", stamp(piece.Start)),
						sql.Named("end_at", stamp(piece.End)), sql.Named("now", stamp(now))); err != nil {
						return err
					}
					entered++
				}
			}
		}
		if all, grown := sink.Planned(planned, within); grown {
			_, err = tx.ExecContext(ctx, statement("plan_planned"), sql.Named("dataset", dataset),
				sql.Named("from", stamp(all.Start)), sql.Named("to", stamp(all.End)))
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	return entered, nil
}

// plannedOf is the stretch that is known to have no gap, which may be empty. It fails for a dataset that was never prepared.
func plannedOf(ctx context.Context, tx *transaction, dataset string) (planned window.Window, err error) {
	row := tx.QueryRowContext(ctx, statement("plan_dataset"), sql.Named("dataset", dataset))
	err = row.Scan(at(&planned.Start), at(&planned.End))
	if errors.Is(err, sql.ErrNoRows) {
		return planned, fmt.Errorf("dataset %q was not prepared", dataset)
	}
	return planned, err
}

func coveredWindows(ctx context.Context, tx *transaction, dataset string, within window.Window) ([]window.Window, error) {
	var covered []window.Window
	rows, err := tx.QueryContext(ctx, statement("plan_covered"), sql.Named("dataset", dataset),
		sql.Named("from", stamp(within.Start)), sql.Named("to", stamp(within.End)))
	err = each(rows, err, func() error {
		var c window.Window
		if err := rows.Scan(at(&c.Start), at(&c.End)); err != nil {
			return err
		}
		covered = append(covered, c)
		return nil
	})
	return covered, err
}

// each calls scan for every row of a query, and closes it.
func each(rows *sql.Rows, err error, scan func() error) error {
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := scan(); err != nil {
			return err
		}
	}
	return rows.Err()
}
