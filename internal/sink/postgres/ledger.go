package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Plan enters the windows that are missing in within, and mends those that were read in, or put off to, the future.
func (w *Warehouse) Plan(ctx context.Context, dataset string, within window.Window, now time.Time, cut func(window.Window) []window.Window) (int, error) {
	var entered int
	err := w.inTx(ctx, "plan windows", func(tx pgx.Tx) error {
		entered = 0 // of an earlier attempt
		planned, err := plannedOf(ctx, tx, dataset)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, statement("plan_mend"), dataset, now, now.Add(sink.ClockDrift)); err != nil {
			return err
		}
		late := now.Add(sink.ClockDrift + sink.LongestRetry)
		if _, err := tx.Exec(ctx, statement("plan_recall"), dataset, now, late); err != nil {
			return err
		}
		var from, to []time.Time
		for _, stretch := range window.Gaps(within, []window.Window{planned}) { // what is planned has no gap
			gaps, err := planGaps(ctx, tx, dataset, stretch)
			if err != nil {
				return err
			}
			for _, gap := range gaps {
				for _, piece := range cut(gap) {
					from, to = append(from, piece.Start), append(to, piece.End)
				}
			}
		}
		if len(from) > 0 {
			tag, err := tx.Exec(ctx, statement("plan_enter"), dataset, from, to, now)
			if err != nil {
				return err
			}
			entered = int(tag.RowsAffected())
		}
		if all, grown := sink.Planned(planned, within); grown {
			_, err = tx.Exec(ctx, statement("plan_planned"), dataset, all.Start, all.End)
		}
		return err
	})
	return entered, err
}

// plannedOf locks the dataset. It returns the stretch that is known to have no gap, which may be empty.
func plannedOf(ctx context.Context, tx pgx.Tx, dataset string) (planned window.Window, err error) {
	var from, to *time.Time
	err = tx.QueryRow(ctx, statement("plan_dataset"), dataset).Scan(&from, &to)
	if errors.Is(err, pgx.ErrNoRows) {
		return planned, fmt.Errorf("dataset %s has not been prepared", dataset)
	}
	return window.Window{Start: instant(from), End: instant(to)}, err
}

func lockDataset(ctx context.Context, tx pgx.Tx, dataset string) (known bool, err error) {
	tag, err := tx.Exec(ctx, statement("lock_dataset"), dataset)
	return tag.RowsAffected() > 0, err
}

func planGaps(ctx context.Context, tx pgx.Tx, dataset string, within window.Window) ([]window.Window, error) {
	rows, err := tx.Query(ctx, statement("plan_gaps"), dataset, within.Start, within.End)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (g window.Window, err error) {
		err = row.Scan(&g.Start, &g.End)
		return window.Window{Start: g.Start.UTC(), End: g.End.UTC()}, err
	})
}

// Claim leases the next span of due windows.
func (w *Warehouse) Claim(ctx context.Context, r sink.ClaimRequest) (sink.Lease, bool, error) {
	lease := sink.Lease{Dataset: r.Dataset, Owner: r.Owner, TTL: r.TTL}
	err := w.inTx(ctx, "claim windows", func(tx pgx.Tx) error {
		lease.Entries = nil
		if known, err := lockPrepared(ctx, tx, r.Dataset, r.ConfigHash); err != nil || !known {
			return err
		}
		span, err := lockSpan(ctx, tx, r)
		if err != nil || len(span) == 0 {
			return err
		}
		if err := tx.QueryRow(ctx, statement("claim_epoch"), r.Dataset).Scan(&lease.Epoch, &lease.ClaimedAt); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, statement("claim_take"), r.Dataset, sink.Starts(span), lease.Epoch, r.Owner, r.TTL); err != nil {
			return err
		}
		lease.Entries = span
		return nil
	})
	return lease, err == nil && len(lease.Entries) > 0, err
}

// lockPrepared locks the dataset, unless it was prepared with another config than the given one ("": any).
func lockPrepared(ctx context.Context, tx pgx.Tx, dataset, config string) (known bool, err error) {
	var hash string
	err = tx.QueryRow(ctx, statement("claim_dataset"), dataset).Scan(&hash)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, nil
	case err == nil && config != "" && config != hash:
		return false, sink.ErrSuperseded
	}
	return err == nil, err
}

// lockSpan chooses the windows to claim and locks them. Only a commit whose lease has ended can be in the way:
// then it chooses again, without the windows that are locked.
func lockSpan(ctx context.Context, tx pgx.Tx, r sink.ClaimRequest) ([]sink.Entry, error) {
	passedOver := []time.Time{}
	for {
		chosen, err := chooseSpan(ctx, tx, r, passedOver)
		if err != nil || len(chosen) == 0 {
			return nil, err
		}
		locked, err := collectEntries(tx.Query(ctx, statement("claim_lock"), r.Dataset, sink.Starts(chosen)))
		if err != nil || slices.Equal(locked, chosen) {
			return locked, err
		}
		for _, start := range sink.Starts(chosen) {
			if !slices.ContainsFunc(locked, func(e sink.Entry) bool { return e.Window.Start.Equal(start) }) {
				passedOver = append(passedOver, start)
			}
		}
	}
}

// chooseSpan is the windows that the request would get, in order of time.
func chooseSpan(ctx context.Context, tx pgx.Tx, r sink.ClaimRequest, passedOver []time.Time) ([]sink.Entry, error) {
	due := []any{r.Dataset, r.Now, r.Edge, nullable(r.Within.Start), nullable(r.Within.End), nullable(r.ReadBefore), passedOver}
	var first window.Window
	err := tx.QueryRow(ctx, statement("claim_due")+firstOf(r.Order), due...).Scan(&first.Start, &first.End)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	around, seed, limit := statement("claim_onward"), first.Start, first.Start.Add(max(r.MaxSpan, time.Microsecond))
	if r.Order == sink.NewestFirst {
		around, limit = statement("claim_backward"), first.End.Add(-max(r.MaxSpan, first.Duration()))
	}
	candidates, err := collectEntries(tx.Query(ctx, statement("claim_due")+around, append(due, seed, limit, sink.MaxWindows)...))
	if err != nil || len(candidates) == 0 {
		return nil, err
	}
	candidates = r.Candidates(candidates)
	if r.Fit == nil {
		return candidates, nil
	}
	span := sink.SpanOf(candidates)
	near, err := collectEntries(tx.Query(ctx, statement("claim_near"), r.Dataset, span.Start.Add(-sink.Nearby), span.End.Add(sink.Nearby)))
	if err != nil {
		return nil, err
	}
	return r.Fitting(candidates, near), nil
}

// firstOf is the statement that finds the first due window in an order.
func firstOf(o sink.Order) string {
	switch o {
	case sink.OldestFirst:
		return statement("claim_oldest_first")
	case sink.NewestFirst:
		return statement("claim_newest_first")
	case sink.LongestDueFirst:
		return statement("claim_longest_due_first")
	default:
		return statement("claim_live_first")
	}
}
