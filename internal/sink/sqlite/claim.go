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

// Claim leases the next span of due windows; ok is false when nothing is due.
func (w *Warehouse) Claim(ctx context.Context, r sink.ClaimRequest) (l sink.Lease, ok bool, err error) {
	err = w.write(ctx, "claim "+r.Dataset, func(tx *transaction) error {
		if err := checkConfig(ctx, tx, r.Dataset, r.ConfigHash); err != nil {
			return err
		}
		seed, err := findSeed(ctx, tx, r)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		candidates, err := findCandidates(ctx, tx, r, seed)
		if err != nil || len(candidates) == 0 { // the clock was set back, so that a lease lasts again
			return err
		}
		entries, err := fit(ctx, tx, r, candidates)
		if err != nil {
			return err
		}
		l = sink.Lease{Dataset: r.Dataset, Owner: r.Owner, Entries: entries, TTL: r.TTL, ClaimedAt: time.Now().UTC().Truncate(time.Microsecond)}
		ok = true
		return enterLease(ctx, tx, &l)
	})
	if err != nil || !ok {
		return sink.Lease{}, false, err
	}
	return l, true, nil
}

// checkConfig fails with ErrSuperseded when the dataset was prepared with another config than the given one ("": any).
func checkConfig(ctx context.Context, tx *transaction, dataset, config string) error {
	if config == "" {
		return nil
	}
	before, _, err := datasetBefore(ctx, tx, dataset)
	switch {
	case errors.Is(err, sql.ErrNoRows): // nothing of it can be due
		return nil
	case err == nil && before.config != config:
		return sink.ErrSuperseded
	}
	return err
}

// dueArgs are what the statement claim_due asks for.
func dueArgs(r sink.ClaimRequest) []any {
	from, to, readBefore := any(""), any(endOfTime), any(endOfTime)
	if r.Within != (window.Window{}) {
		from, to = stamp(r.Within.Start), stamp(r.Within.End)
	}
	if !r.ReadBefore.IsZero() {
		readBefore = stamp(r.ReadBefore)
	}
	return []any{
		sql.Named("dataset", r.Dataset), sql.Named("from", from), sql.Named("to", to), sql.Named("now", stamp(r.Now)),
		sql.Named("edge", stamp(r.Edge)), sql.Named("read_before", readBefore),
	}
}

// findSeed finds the due window that is first in the request's order.
func findSeed(ctx context.Context, tx *transaction, r sink.ClaimRequest) (seed window.Window, err error) {
	name := "claim_live_first"
	switch r.Order {
	case sink.OldestFirst:
		name = "claim_oldest_first"
	case sink.NewestFirst:
		name = "claim_newest_first"
	case sink.LongestDueFirst:
		name = "claim_longest_due_first"
	}
	row := tx.QueryRowContext(ctx, statement("claim_due")+statement(name), dueArgs(r)...)
	err = row.Scan(at(&seed.Start), at(&seed.End))
	return seed, err
}

// findCandidates finds the due windows that adjoin the seed: those after it, or before it when the newest go first.
func findCandidates(ctx context.Context, tx *transaction, r sink.ClaimRequest, seed window.Window) ([]sink.Entry, error) {
	name, limit := "claim_onward", seed.Start.Add(r.MaxSpan)
	if r.Order == sink.NewestFirst {
		name, limit = "claim_backward", seed.End.Add(-r.MaxSpan)
	}
	var due []sink.Entry
	rows, err := tx.QueryContext(ctx, statement("claim_due")+statement(name),
		append(dueArgs(r), sql.Named("seed", stamp(seed.Start)), sql.Named("limit", stamp(limit)), sql.Named("most", sink.MaxWindows))...)
	err = each(rows, err, func() error {
		e, err := scanEntry(rows)
		due = append(due, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r.Candidates(due), nil
}

func scanEntry(rows *sql.Rows) (e sink.Entry, err error) {
	err = rows.Scan(at(&e.Window.Start), at(&e.Window.End), &e.State, &e.Rows, &e.Reads, &e.Attempts, &e.Error,
		at(&e.ReadAt), at(&e.ReadTo), at(&e.NextReadAt))
	return e, err
}

// fit asks the request how many of the candidates to claim.
func fit(ctx context.Context, tx *transaction, r sink.ClaimRequest, candidates []sink.Entry) ([]sink.Entry, error) {
	if r.Fit == nil {
		return candidates, nil
	}
	var near []sink.Entry
	last := candidates[len(candidates)-1]
	rows, err := tx.QueryContext(ctx, statement("claim_near"), sql.Named("dataset", r.Dataset),
		sql.Named("from", stamp(candidates[0].Window.Start.Add(-sink.Nearby))), sql.Named("to", stamp(last.Window.End.Add(sink.Nearby))))
	err = each(rows, err, func() error {
		e, err := scanEntry(rows)
		near = append(near, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	return r.Fitting(candidates, near), nil
}

// enterLease writes the lease into the ledger, under an epoch that no lease of the dataset had before.
func enterLease(ctx context.Context, tx *transaction, l *sink.Lease) error {
	if err := tx.QueryRowContext(ctx, statement("next_epoch"), sql.Named("dataset", l.Dataset)).Scan(&l.Epoch); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, statement("claim_lease"), append(leaseArgs(*l), sql.Named("owner", l.Owner))...)
	return err
}

// leaseArgs name a lease's windows and its life to the statements that write to them.
func leaseArgs(l sink.Lease) []any {
	return []any{
		sql.Named("dataset", l.Dataset), sql.Named("epoch", l.Epoch), sql.Named("ttl", fmt.Sprintf("%+.3f seconds", l.TTL.Seconds())),
		sql.Named("first", stamp(l.Entries[0].Window.Start)), sql.Named("last", stamp(l.Entries[len(l.Entries)-1].Window.Start)),
	}
}
