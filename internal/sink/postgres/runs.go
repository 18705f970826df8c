package postgres

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/sink"
)

// BeginRun enters a run.
func (w *Warehouse) BeginRun(ctx context.Context, r sink.Run) (id sink.RunID, err error) {
	err = w.inTx(ctx, "begin run", func(tx pgx.Tx) error {
		id, err = enterRun(ctx, tx, r)
		return err
	})
	return id, err
}

func enterRun(ctx context.Context, tx pgx.Tx, r sink.Run) (id sink.RunID, err error) {
	err = tx.QueryRow(ctx, statement("run_begin"), r.Dataset, r.Kind, r.StartedAt,
		nullable(r.Range.Start), nullable(r.Range.End), r.OpenEnded).Scan(&id)
	return id, err
}

// EndRun keeps when and how a run ended, and how far its dataset is now. Behind that it tidies up, a bounded share each
// time: runs of long ago are forgotten, windows that have become final are counted for good.
func (w *Warehouse) EndRun(ctx context.Context, r sink.Run) error {
	return w.inTx(ctx, "end run", func(tx pgx.Tx) error {
		var dataset string
		err := tx.QueryRow(ctx, statement("run_dataset"), r.ID).Scan(&dataset)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // forgotten, or its dataset is
		}
		if err != nil {
			return err
		}
		queued := &pgx.Batch{}
		queued.Queue(statement("run_end"), r.ID, nullable(r.EndedAt), r.Outcome,
			r.Spent.Fetch.Milliseconds(), r.Spent.Wait.Milliseconds(), r.Spent.Decode.Milliseconds(), r.Spent.Compare.Milliseconds(), r.Spent.Commit.Milliseconds())
		queued.Queue(statement("windows_settle"), dataset, sink.SettleWindows)
		queued.Queue(statement("runs_forget"), dataset, r.EndedAt.Add(-sink.KeepRuns), sink.LastRuns, sink.ForgetRuns)
		queued.Queue(statement("arrivals_forget"), dataset, r.EndedAt.Add(-sink.KeepArrivals).UTC())
		queued.Queue(statement("retentions_forget"), dataset, r.EndedAt.Add(-sink.KeepRuns))
		return tx.SendBatch(ctx, queued).Close()
	})
}

// Status is what the warehouse knows of every dataset.
func (w *Warehouse) Status(ctx context.Context, now time.Time) (all []sink.DatasetStatus, err error) {
	err = w.tryTx(ctx, snapshot, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, statement("status"), now, now.Add(-sink.Nearby))
		if err != nil {
			return err
		}
		if all, err = pgx.CollectRows(rows, scanStatus); err != nil {
			return err
		}
		ids := make([]int64, len(all))
		for i, s := range all {
			ids[i] = int64(s.LastRun.ID)
		}
		runs, err := collectRuns(tx.Query(ctx, statement("status_runs"), ids))
		for i := range all {
			for _, run := range runs {
				if run.ID == all[i].LastRun.ID {
					all[i].LastRun = run
				}
			}
		}
		if err != nil {
			return err
		}
		if err := readRetained(ctx, tx, all); err != nil {
			return err
		}
		return readLags(ctx, tx, all, sink.ArrivalsSince(now))
	})
	switch sqlState(err) {
	case undefinedTable, undefinedColumn: // nothing was migrated yet, or another process is about it
		return nil, sink.ErrNotMigrated
	}
	return all, classify(ctx, "read status", err)
}

func scanStatus(row pgx.CollectableRow) (s sink.DatasetStatus, err error) {
	var through, readTo *time.Time
	scanned := condition{to: &s.Condition}
	err = row.Scan(append([]any{
		&s.Name, &s.Kind, &s.Table, &through, &s.Rows, &s.Windows, &s.Due, &s.Running, &s.Lapsed, &s.Failed,
		&s.Behind, &s.Error, &s.Rejects, &readTo, &s.LastRun.ID,
	}, scanned.columns()...)...)
	scanned.set()
	s.Through, s.ReadTo = instant(through), instant(readTo)
	return s, err
}

func collectRuns(rows pgx.Rows, err error) ([]sink.Run, error) {
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r sink.Run, err error) {
		var startedAt, endedAt, rangeStart, rangeEnd *time.Time
		var ms [5]int64
		err = row.Scan(&r.ID, &r.Dataset, &r.Kind, &startedAt, &endedAt, &rangeStart, &rangeEnd, &r.OpenEnded,
			&r.Windows, &r.RowsRead, &r.Written, &r.Unchanged, &r.Rejected, &r.Deleted, &r.Outcome,
			&ms[0], &ms[1], &ms[2], &ms[3], &ms[4])
		r.Spent = sink.SpentOf(ms)
		r.StartedAt, r.EndedAt = instant(startedAt), instant(endedAt)
		r.Range.Start, r.Range.End = instant(rangeStart), instant(rangeEnd)
		return r, err
	})
}
