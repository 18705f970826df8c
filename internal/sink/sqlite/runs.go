package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"samespace-exporter/internal/sink"
)

// BeginBackfill starts or goes on with a backfill.
func (w *Warehouse) BeginBackfill(ctx context.Context, r sink.BackfillRequest) (run sink.Run, goesOn bool, err error) {
	err = w.write(ctx, "begin backfill of "+r.Dataset, func(tx *transaction) error {
		if err := checkForm(ctx, tx, r.Dataset, r.Range); err != nil {
			return err
		}
		if !r.Restart {
			if run, err = findBackfill(ctx, tx, r); err != nil {
				return err
			}
			if goesOn = run.ID != 0 && run.Outcome != "done"; goesOn {
				return goOn(ctx, tx, &run, r.Now)
			}
		}
		run = sink.Run{
			Dataset: r.Dataset, Kind: sink.RunBackfill, StartedAt: r.Now.UTC(), Range: r.Range, OpenEnded: r.OpenEnded,
		}
		if run.ID, err = enterRun(ctx, tx, run); err != nil {
			return err
		}
		return mark(ctx, tx, r)
	})
	if err != nil {
		return sink.Run{}, false, err
	}
	return run, goesOn, nil
}

// findBackfill finds the latest backfill of the same range; its ID is zero when there is none.
func findBackfill(ctx context.Context, tx *transaction, r sink.BackfillRequest) (run sink.Run, err error) {
	row := tx.QueryRowContext(ctx, statement("backfill_find"), sql.Named("dataset", r.Dataset),
		sql.Named("from", stamp(r.Range.Start)), sql.Named("to", stamp(r.Range.End)), sql.Named("open_ended", r.OpenEnded))
	err = row.Scan(runColumns(&run)...)
	if errors.Is(err, sql.ErrNoRows) {
		return sink.Run{}, nil
	}
	return run, err
}

// runColumns are where a run's columns go, in the order of the statements that select them.
func runColumns(r *sink.Run) []any {
	return []any{
		&r.ID, &r.Dataset, &r.Kind, at(&r.StartedAt), at(&r.EndedAt), at(&r.Range.Start), at(&r.Range.End), &r.OpenEnded,
		&r.Windows, &r.RowsRead, &r.Written, &r.Unchanged, &r.Rejected, &r.Deleted, &r.Outcome,
		milliseconds{&r.Spent.Fetch}, milliseconds{&r.Spent.Wait}, milliseconds{&r.Spent.Decode},
		milliseconds{&r.Spent.Compare}, milliseconds{&r.Spent.Commit},
	}
}

// milliseconds scans a count of them.
type milliseconds struct{ into *time.Duration }

// Scan is part of sql.Scanner.
func (m milliseconds) Scan(v any) error {
	n, ok := v.(int64)
	if !ok {
		return fmt.Errorf("%T is no count of milliseconds", v)
	}
	*m.into = time.Duration(n) * time.Millisecond
	return nil
}

func goOn(ctx context.Context, tx *transaction, run *sink.Run, now time.Time) error {
	run.EndedAt, run.Outcome = sink.Run{}.EndedAt, ""
	if _, err := tx.ExecContext(ctx, statement("backfill_goes_on"), sql.Named("run", int64(run.ID))); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, statement("backfill_remark"), sql.Named("dataset", run.Dataset),
		sql.Named("from", stamp(run.Range.Start)), sql.Named("to", stamp(run.Range.End)),
		sql.Named("since", stamp(run.StartedAt)), sql.Named("now", stamp(now)))
	return err
}

// mark makes every window of the range due.
func mark(ctx context.Context, tx *transaction, r sink.BackfillRequest) error {
	result, err := tx.ExecContext(ctx, statement("backfill_mark"), sql.Named("dataset", r.Dataset),
		sql.Named("from", stamp(r.Range.Start)), sql.Named("to", stamp(r.Range.End)), sql.Named("now", stamp(r.Now)),
		sql.Named("before", stamp(r.Now.Add(-time.Microsecond))))
	if err != nil {
		return err
	}
	marked, err := result.RowsAffected()
	if err == nil && marked == 0 {
		return fmt.Errorf("the ledger has no window in %s: plan it first", r.Range)
	}
	return err
}

// Remaining is how far a backfill is.
func (w *Warehouse) Remaining(ctx context.Context, run sink.Run) (r sink.Remaining, err error) {
	row := w.reader.QueryRowContext(ctx, statement("backfill_remaining"), sql.Named("dataset", run.Dataset),
		sql.Named("from", stamp(run.Range.Start)), sql.Named("to", stamp(run.Range.End)), sql.Named("since", stamp(run.StartedAt)))
	if err := row.Scan(&r.Total, &r.Left, &r.Failed, &r.Leased); err != nil {
		return sink.Remaining{}, w.explain(ctx, "count what remains", err)
	}
	return r, nil
}

// Unfinished are the backfills that have windows left.
func (w *Warehouse) Unfinished(ctx context.Context, now time.Time) (all []sink.Unfinished, err error) {
	rows, err := w.reader.QueryContext(ctx, statement("backfills_unfinished"), sql.Named("now", stamp(now)))
	err = each(rows, err, func() error {
		var b sink.Unfinished
		err := rows.Scan(&b.Dataset, at(&b.Range.Start), at(&b.Range.End), at(&b.StartedAt), &b.Left)
		all = append(all, b)
		return err
	})
	switch {
	case err != nil && w.empty(ctx):
		return nil, sink.ErrNotMigrated
	case err != nil:
		return nil, w.explain(ctx, "see which backfills are unfinished", err)
	}
	return all, nil
}

// BeginRun enters a run and returns its ID.
func (w *Warehouse) BeginRun(ctx context.Context, r sink.Run) (id sink.RunID, err error) {
	err = w.write(ctx, "begin run", func(tx *transaction) error {
		id, err = enterRun(ctx, tx, r)
		return err
	})
	return id, err
}

func enterRun(ctx context.Context, tx *transaction, r sink.Run) (id sink.RunID, err error) {
	row := tx.QueryRowContext(ctx, statement("run_begin"), sql.Named("dataset", r.Dataset), sql.Named("kind", string(r.Kind)),
		sql.Named("started_at", stamp(r.StartedAt)), sql.Named("range_start", stamp(r.Range.Start)),
		sql.Named("range_end", stamp(r.Range.End)), sql.Named("open_ended", r.OpenEnded))
	err = row.Scan(&id)
	return id, err
}

// EndRun keeps when and how a run ended, and how far its dataset is now. Behind that it tidies up, a bounded share each
// time: runs of long ago are forgotten, windows that have become final are counted for good.
func (w *Warehouse) EndRun(ctx context.Context, r sink.Run) error {
	return w.write(ctx, "end run", func(tx *transaction) error {
		dataset := sql.Named("dataset", r.Dataset)
		if _, err := tx.ExecContext(ctx, statement("run_end"), sql.Named("run", int64(r.ID)),
			sql.Named("ended_at", stamp(r.EndedAt)), sql.Named("outcome", r.Outcome),
			sql.Named("fetch_ms", r.Spent.Fetch.Milliseconds()), sql.Named("wait_ms", r.Spent.Wait.Milliseconds()),
			sql.Named("decode_ms", r.Spent.Decode.Milliseconds()), sql.Named("compare_ms", r.Spent.Compare.Milliseconds()),
			sql.Named("commit_ms", r.Spent.Commit.Milliseconds())); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, statement("run_last"), dataset,
			sql.Named("run", int64(r.ID)), sql.Named("ended_at", stamp(r.EndedAt))); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, statement("windows_settle"), dataset, sql.Named("most", sink.SettleWindows)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, statement("arrivals_forget"), dataset,
			sql.Named("before", r.EndedAt.Add(-sink.KeepArrivals).UTC().Format(time.DateOnly))); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, statement("retentions_forget"), dataset, sql.Named("before", stamp(r.EndedAt.Add(-sink.KeepRuns)))); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, statement("runs_forget"), dataset, sql.Named("before", stamp(r.EndedAt.Add(-sink.KeepRuns))),
			sql.Named("keep", sink.LastRuns), sql.Named("most", sink.ForgetRuns))
		return err
	})
}
