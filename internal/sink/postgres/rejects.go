package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// Rejects is a page of the quarantine.
func (w *Warehouse) Rejects(ctx context.Context, r sink.RejectsRequest) (page []sink.Quarantined, err error) {
	var seen *time.Time
	var fingerprint string
	if r.Behind != nil {
		seen, fingerprint = &r.Behind.LastSeen, r.Behind.Fingerprint
	}
	err = w.look(ctx, "read rejects", func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, statement("rejects_page"), r.Dataset, seen, fingerprint, r.Limit)
		if err == nil {
			page, err = pgx.CollectRows(rows, scanQuarantined)
		}
		return err
	})
	return page, err
}

func scanQuarantined(row pgx.CollectableRow) (q sink.Quarantined, err error) {
	err = row.Scan(&q.Fingerprint, &q.WindowStart, &q.WindowEnd, &q.Raw, &q.Field, &q.Reason, &q.FirstSeen, &q.LastSeen, &q.Attempts)
	for _, t := range []*time.Time{&q.WindowStart, &q.WindowEnd, &q.FirstSeen, &q.LastSeen} {
		*t = t.UTC()
	}
	return q, err
}

// RetryRejects writes the rows of rejects that fit now, in one transaction in which nothing else of the dataset is
// committed.
func (w *Warehouse) RetryRejects(ctx context.Context, r sink.Retry) (done sink.Retried, err error) {
	err = w.inTx(ctx, "retry rejects", func(tx pgx.Tx) error {
		at, err := alone(ctx, tx, r.Dataset, r.ConfigHash)
		if err != nil {
			return err
		}
		table, err := w.asMarked(ctx, tx, r.Table)
		if err != nil {
			return err
		}
		t := w.target(table)
		if at, err = t.takeHistoryTurn(ctx, tx.Conn(), at); err != nil {
			return err
		}
		seen, err := lastSeen(ctx, tx, r)
		if err != nil {
			return err
		}
		written, err := t.writtenAt(ctx, tx, r.Fits)
		if err != nil {
			return err
		}
		var rows, outdated []sink.Row
		rows, outdated, done = r.Judge(seen, written)
		if len(rows) > 0 {
			fitting := arrange(t, rows)
			fitting.origin.cause = sink.CauseRetry
			if done.Counts, err = fitting.store(ctx, tx.Conn(), r.Batch(table, rows), at); err != nil {
				return err
			}
		}
		return concludeRetry(ctx, tx, r, outdated)
	})
	if err != nil {
		return sink.Retried{}, err
	}
	return done, nil
}

// alone makes sure that nothing of the dataset is claimed or committed to the end of the transaction, and that the
// dataset was last prepared with the config. It returns the transaction's time.
func alone(ctx context.Context, tx pgx.Tx, dataset, config string) (at time.Time, err error) {
	if _, err := lockPrepared(ctx, tx, dataset, config); err != nil {
		return at, err
	}
	if _, err := tx.Exec(ctx, statement("windows_still"), dataset); err != nil {
		return at, err
	}
	return byIndex(ctx, tx)
}

// lastSeen says of those rejects of a retry that are still there when they were seen last.
func lastSeen(ctx context.Context, tx pgx.Tx, r sink.Retry) (map[string]time.Time, error) {
	rows, err := tx.Query(ctx, statement("rejects_last_seen"), r.Dataset, r.Fingerprints())
	if err != nil {
		return nil, err
	}
	seen := map[string]time.Time{}
	var fingerprint string
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&fingerprint, &at}, func() error {
		seen[fingerprint] = at
		return nil
	})
	return seen, err
}

// writtenAt says when the table's version of a row of the rejects was written.
func (t target) writtenAt(ctx context.Context, tx pgx.Tx, fits []sink.Refit) (func(sink.Row) (time.Time, bool), error) {
	written := map[string]time.Time{} // by key
	if len(t.Key) > 0 {
		keys := make([]schema.Row, len(fits))
		for i, f := range fits {
			keys[i] = f.Row.Row
		}
		err := t.findStored(ctx, tx.Conn().PgConn(), keys, func(row sink.StoredRow) { written[t.keyOf(row.Row.Row)] = row.ExportedAt })
		if err != nil {
			return nil, err
		}
	}
	return func(row sink.Row) (at time.Time, ok bool) {
		at, ok = written[t.keyOf(row.Row)]
		return at, ok
	}, nil
}

// keyOf is the row's key as one text, equal for equal keys.
func (t target) keyOf(row schema.Row) string {
	var key []byte
	for _, k := range t.KeyIndexes() {
		key = appendField(key, t.Columns[k].Type, row.Values[k])
	}
	return string(key)
}

// concludeRetry lets the rejects that fit go, keeps why the others do not, and makes the windows of outdated ones due:
// the API has the last word.
func concludeRetry(ctx context.Context, tx pgx.Tx, r sink.Retry, outdated []sink.Row) error {
	var fits, misfits, fields, reasons []string
	for _, f := range r.Fits {
		fits = append(fits, f.Fingerprint)
	}
	for _, m := range r.Misfits {
		misfits, fields, reasons = append(misfits, m.Fingerprint), append(fields, clean(m.Field)), append(reasons, clean(m.Reason))
	}
	var instants []time.Time
	for _, row := range outdated {
		instants = append(instants, row.WindowStart)
	}
	queued := &pgx.Batch{}
	queued.Queue(statement("rejects_drop"), r.Dataset, fits)
	queued.Queue(statement("rejects_leave"), r.Dataset, misfits, fields, reasons)
	queued.Queue(statement("windows_mark"), r.Dataset, instants, r.Now)
	return tx.SendBatch(ctx, queued).Close()
}
