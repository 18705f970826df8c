package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/sink"
)

// BeginBackfill starts a backfill, or goes on with one that is unfinished.
func (w *Warehouse) BeginBackfill(ctx context.Context, r sink.BackfillRequest) (run sink.Run, goesOn bool, err error) {
	err = w.inTx(ctx, "begin backfill", func(tx pgx.Tx) error {
		if known, err := lockDataset(ctx, tx, r.Dataset); err != nil {
			return err
		} else if !known {
			return fmt.Errorf("dataset %s has not been prepared", r.Dataset)
		}
		if err := checkForm(ctx, tx, r.Dataset, r.Range); err != nil {
			return err
		}
		run, goesOn, err = latestBackfill(ctx, tx, r)
		if err != nil {
			return err
		}
		if goesOn {
			if _, err := tx.Exec(ctx, statement("backfill_resume"), run.ID); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, statement("backfill_remark"), r.Dataset, run.Range.Start, run.Range.End, run.StartedAt, r.Now)
			return err
		}
		return startBackfill(ctx, tx, r, &run)
	})
	return run, goesOn, err
}

// latestBackfill is the backfill that the request goes on with; goesOn is false when it is to begin anew.
func latestBackfill(ctx context.Context, tx pgx.Tx, r sink.BackfillRequest) (run sink.Run, goesOn bool, err error) {
	if r.Restart {
		return run, false, nil
	}
	runs, err := collectRuns(tx.Query(ctx, statement("backfill_latest"), r.Dataset, r.Range.Start, r.Range.End, r.OpenEnded))
	if err != nil || len(runs) == 0 || runs[0].Outcome == "done" {
		return run, false, err
	}
	run = runs[0]
	run.EndedAt, run.Outcome = instant(nil), ""
	return run, true, nil
}

func startBackfill(ctx context.Context, tx pgx.Tx, r sink.BackfillRequest, run *sink.Run) error {
	marked, err := tx.Exec(ctx, statement("backfill_mark"), r.Dataset, r.Range.Start, r.Range.End, r.Now)
	if err != nil {
		return err
	}
	if marked.RowsAffected() == 0 {
		return fmt.Errorf("the ledger of %s has no window in %s: plan it first", r.Dataset, r.Range)
	}
	*run = sink.Run{Dataset: r.Dataset, Kind: sink.RunBackfill, StartedAt: r.Now, Range: r.Range, OpenEnded: r.OpenEnded}
	run.ID, err = enterRun(ctx, tx, *run)
	return err
}

// Remaining is how far a backfill is.
func (w *Warehouse) Remaining(ctx context.Context, run sink.Run) (r sink.Remaining, err error) {
	err = w.tryTx(ctx, reading, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, statement("backfill_remaining"), run.Dataset, run.Range.Start, run.Range.End, run.StartedAt).
			Scan(&r.Total, &r.Left, &r.Failed, &r.Leased)
	})
	return r, classify(ctx, "count what is left of a backfill", err)
}

// Unfinished are the backfills that have windows left.
func (w *Warehouse) Unfinished(ctx context.Context, now time.Time) (all []sink.Unfinished, err error) {
	err = w.look(ctx, "see which backfills are unfinished", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, statement("backfills_unfinished"), now)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (b sink.Unfinished, err error) {
			err = row.Scan(&b.Dataset, &b.Range.Start, &b.Range.End, &b.StartedAt, &b.Left)
			b.Range.Start, b.Range.End, b.StartedAt = b.Range.Start.UTC(), b.Range.End.UTC(), b.StartedAt.UTC()
			return b, err
		})
		return err
	})
	return all, err
}
