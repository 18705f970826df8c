package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// Commit writes the batch: the fence, the rows that differ from what the table has, the rejects and the
// ledger, in one transaction.
func (w *Warehouse) Commit(ctx context.Context, b sink.Batch) (counts sink.Counts, err error) {
	if len(b.Readings) == 0 {
		return sink.Counts{}, errors.New("commit: a batch without readings says nothing of its lease")
	}
	began := time.Now() // the database's clock is this machine's
	memory := w.spare.take()
	defer w.spare.giveBack(memory)
	rows := encodeBatch(memory, b)
	err = w.write(ctx, "commit", func(tx *transaction) error {
		if err := fence(ctx, tx, b.Lease, b.Starts()); err != nil {
			return err
		}
		table, err := asMarked(ctx, tx, b.Table)
		if err != nil {
			return fmt.Errorf("look at table: %w", err)
		}
		if table.MarksDeleted && !b.Table.MarksDeleted { // seldom: so rows are encoded before it is known, while others can write
			b.Table = table
			rows = encodeBatch(&cells{}, b)
		}
		at := rows.writtenAt(began)
		rows.overtaking = b.Overtaking(at)
		if counts, err = rows.write(ctx, tx, b, at); err != nil {
			return fmt.Errorf("store rows: %w", err)
		}
		if err := keepArrivals(ctx, tx, b); err != nil {
			return err
		}
		for _, t := range b.FurtherRows {
			of, err := encode(t.Table, t.Rows).store(ctx, tx, began)
			if err != nil {
				return fmt.Errorf("store rows of %s: %w", t.Table.Name, err)
			}
			counts = counts.Plus(of)
		}
		if counts.Deleted, err = rows.sweep(ctx, tx, b, at); err != nil {
			return fmt.Errorf("mark rows that are gone: %w", err)
		}
		if err := quarantine(ctx, tx, b, began); err != nil {
			return fmt.Errorf("keep rejects: %w", err)
		}
		windows, err := settle(ctx, tx, b)
		if err != nil {
			return fmt.Errorf("settle windows: %w", err)
		}
		b.Lane.Wrote(at) // also where the answer is lost
		return countRun(ctx, tx, b, windows, counts)
	})
	if err != nil {
		return sink.Counts{}, err
	}
	return counts, nil
}

// encodeBatch encodes the rows of a batch into memory.
func encodeBatch(memory *cells, b sink.Batch) rowset {
	rows := encodeInto(memory, b.Table, b.Rows)
	rows.comparing, rows.origin.cause, rows.origin.run = b.Compared, sink.CauseRead, b.Run
	if sink.CountsArrivals(b.Table) {
		rows.arrivals = b.Arrivals
	}
	return rows
}

// CommitsAtOnce is false: a file has one writer.
func (w *Warehouse) CommitsAtOnce(schema.Table) bool { return false }

// quarantine keeps the batch's rejects, and clears those that lie wholly in its range and did not come again.
func quarantine(ctx context.Context, tx *transaction, b sink.Batch, now time.Time) error {
	fingerprints, rejects := b.DistinctRejects()
	for _, fingerprint := range fingerprints {
		r := rejects[fingerprint]
		if _, err := tx.ExecContext(ctx, statement("reject"), sql.Named("dataset", b.Lease.Dataset),
			sql.Named("fingerprint", fingerprint), sql.Named("window_start", stamp(r.WindowStart)),
			sql.Named("window_end", stamp(r.WindowEnd)), sql.Named("raw", r.Raw), sql.Named("field", r.Field), sql.Named("reason", r.Reason), sql.Named("now", stamp(now))); err != nil {
			return err
		}
	}
	if b.Range.Empty() {
		return nil
	}
	list, err := json.Marshal(fingerprints)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, statement("reject_clear"), sql.Named("dataset", b.Lease.Dataset),
		sql.Named("from", stamp(b.Range.Start)), sql.Named("to", stamp(b.Range.End)), sql.Named("seen", string(list)))
	return err
}

// settle writes the readings into the ledger, and tells how many windows are done by it. A window that is no
// longer running was settled before, by the same batch: it stays as it is.
func settle(ctx context.Context, tx *transaction, b sink.Batch) (done int64, err error) {
	settled, err := tx.PrepareContext(ctx, statement("settle")) // to parse it takes as long as to run it
	if err != nil {
		return 0, err
	}
	defer func() { _ = settled.Close() }()
	for _, r := range b.Readings {
		args := []any{
			sql.Named("dataset", b.Lease.Dataset), sql.Named("start_at", stamp(r.Start)),
			sql.Named("read_at", stamp(r.ReadAt)), sql.Named("read_to", stamp(r.ReadTo)),
			sql.Named("rows", r.Rows),
		}
		if r.State == sink.StateRunning {
			if _, err := tx.ExecContext(ctx, statement("settle_part"), args...); err != nil {
				return 0, err
			}
			continue
		}
		result, err := settled.ExecContext(ctx, append(args, sql.Named("state", string(r.State)),
			sql.Named("good", r.State != sink.StateUnstable), sql.Named("error", r.Error),
			sql.Named("next_read_at", stamp(r.NextReadAt)))...)
		if err != nil {
			return 0, err
		}
		n, err := result.RowsAffected()
		if err != nil {
			return 0, err
		}
		done += n
	}
	return done, nil
}

func countRun(ctx context.Context, tx *transaction, b sink.Batch, windows int64, counts sink.Counts) error {
	if b.Run == 0 {
		return nil
	}
	_, err := tx.ExecContext(ctx, statement("run_count"), sql.Named("run", int64(b.Run)), sql.Named("windows", windows),
		sql.Named("rows_read", b.RowsRead), sql.Named("written", counts.Inserted+counts.Updated),
		sql.Named("unchanged", counts.Unchanged), sql.Named("rejected", len(b.Rejects)), sql.Named("deleted", counts.Deleted))
	return err
}
