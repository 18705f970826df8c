package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// Rejects is a page of the quarantine.
func (w *Warehouse) Rejects(ctx context.Context, r sink.RejectsRequest) (page []sink.Quarantined, err error) {
	var seen any
	var fingerprint string
	if r.Behind != nil {
		seen, fingerprint = stamp(r.Behind.LastSeen), r.Behind.Fingerprint
	}
	rows, err := w.reader.QueryContext(ctx, statement("rejects_page"), sql.Named("dataset", r.Dataset), sql.Named("seen", seen),
		sql.Named("fingerprint", fingerprint), sql.Named("limit", r.Limit))
	err = each(rows, err, func() error {
		var q sink.Quarantined
		err := rows.Scan(&q.Fingerprint, at(&q.WindowStart), at(&q.WindowEnd), &q.Raw, &q.Field, &q.Reason,
			at(&q.FirstSeen), at(&q.LastSeen), &q.Attempts)
		page = append(page, q)
		return err
	})
	switch {
	case err != nil && w.empty(ctx):
		return nil, sink.ErrNotMigrated
	case err != nil:
		return nil, w.explain(ctx, "read rejects", err)
	}
	return page, nil
}

// RetryRejects writes the rows of rejects that fit now, in one transaction: nothing else is committed meanwhile.
func (w *Warehouse) RetryRejects(ctx context.Context, r sink.Retry) (done sink.Retried, err error) {
	now := time.Now()
	err = w.write(ctx, "retry rejects of "+r.Dataset, func(tx *transaction) error {
		if err := checkConfig(ctx, tx, r.Dataset, r.ConfigHash); err != nil {
			return err
		}
		table, err := asMarked(ctx, tx, r.Table)
		if err != nil {
			return fmt.Errorf("look at table: %w", err)
		}
		seen, err := lastSeen(ctx, tx, r)
		if err != nil {
			return err
		}
		written, err := writtenAt(ctx, tx, r)
		if err != nil {
			return fmt.Errorf("look at rows: %w", err)
		}
		var rows, outdated []sink.Row
		rows, outdated, done = r.Judge(seen, written)
		fitting := encode(table, rows)
		fitting.origin.cause = sink.CauseRetry
		if done.Counts, err = fitting.write(ctx, tx, r.Batch(table, rows), now); err != nil {
			return fmt.Errorf("store rows: %w", err)
		}
		return concludeRetry(ctx, tx, r, outdated)
	})
	if err != nil {
		return sink.Retried{}, err
	}
	return done, nil
}

// lastSeen says of those rejects of a retry that are still there when they were seen last.
func lastSeen(ctx context.Context, tx *transaction, r sink.Retry) (map[string]time.Time, error) {
	list, err := json.Marshal(r.Fingerprints())
	if err != nil {
		return nil, err
	}
	seen := map[string]time.Time{}
	rows, err := tx.QueryContext(ctx, statement("rejects_last_seen"), sql.Named("dataset", r.Dataset), sql.Named("fingerprints", string(list))) //nolint:sqlclosecheck // each closes them
	err = each(rows, err, func() error {
		var fingerprint string
		var last time.Time
		err := rows.Scan(&fingerprint, at(&last))
		seen[fingerprint] = last
		return err
	})
	return seen, err
}

// writtenAt says when the table's version of a row of the rejects was written.
func writtenAt(ctx context.Context, tx *transaction, r sink.Retry) (func(sink.Row) (time.Time, bool), error) {
	written := map[string]time.Time{} // by key
	if len(r.Table.Key) > 0 {
		keys := make([]schema.Row, len(r.Fits))
		for i, f := range r.Fits {
			keys[i] = f.Row.Row
		}
		err := findStored(ctx, tx, r.Table, keys, func(row sink.StoredRow) { written[keyOf(r.Table, row.Row.Row)] = row.ExportedAt })
		if err != nil {
			return nil, err
		}
	}
	return func(row sink.Row) (at time.Time, ok bool) {
		at, ok = written[keyOf(r.Table, row.Row)]
		return at, ok
	}, nil
}

// keyOf is the row's key as one text, equal for equal keys.
func keyOf(t schema.Table, row schema.Row) string {
	key := ""
	for _, place := range t.KeyIndexes() {
		key += fmt.Sprintf("%T %[1]v\x00", stored(t.Columns[place].Type, row.Values[place]))
	}
	return key
}

// concludeRetry lets the rejects that fit go, keeps why the others do not, and makes the windows of outdated ones due:
// the API has the last word.
func concludeRetry(ctx context.Context, tx *transaction, r sink.Retry, outdated []sink.Row) error {
	for _, f := range r.Fits {
		if _, err := tx.ExecContext(ctx, statement("reject_drop"), sql.Named("dataset", r.Dataset), sql.Named("fingerprint", f.Fingerprint)); err != nil {
			return fmt.Errorf("drop reject: %w", err)
		}
	}
	for _, m := range r.Misfits {
		if _, err := tx.ExecContext(ctx, statement("reject_leave"), sql.Named("dataset", r.Dataset),
			sql.Named("fingerprint", m.Fingerprint), sql.Named("field", m.Field), sql.Named("reason", m.Reason)); err != nil {
			return fmt.Errorf("keep reject: %w", err)
		}
	}
	for _, row := range outdated {
		if err := markWindow(ctx, tx, r.Dataset, row.WindowStart, r.Now); err != nil {
			return err
		}
	}
	return nil
}

// markWindow makes the window that holds an instant due again, whole.
func markWindow(ctx context.Context, tx *transaction, dataset string, holds, now time.Time) error {
	if _, err := tx.ExecContext(ctx, statement("window_mark"), sql.Named("dataset", dataset), sql.Named("at", stamp(holds)),
		sql.Named("now", stamp(now)), sql.Named("before", stamp(now.Add(-time.Microsecond)))); err != nil {
		return fmt.Errorf("mark window: %w", err)
	}
	return nil
}
