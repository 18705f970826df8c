package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// Commit writes a batch in one transaction: fence, rows, rejects, run. The fence locks the batch's windows, so
// that nobody can take them over before the end; the rows are read, compared, and written only where they differ.
// What several commits of one run share, the run's counters, comes last.
func (w *Warehouse) Commit(ctx context.Context, b sink.Batch) (counts sink.Counts, err error) {
	if len(b.Readings) == 0 {
		return counts, errors.New("commit: a batch without readings says nothing of its lease")
	}
	rows := arrange(w.target(b.Table), b.Rows)
	rows.comparing, rows.origin = b.Compared, origin{sink.CauseRead, b.Run}
	err = w.inBrief(ctx, "commit", func(tx brief) error {
		at, err := fence(ctx, tx, b, &rows.target)
		if err != nil {
			return err
		}
		if at, err = rows.takeHistoryTurn(ctx, tx.Conn, at); err != nil {
			return err
		}
		rows.overtaking = b.Overtaking(at)
		if counts, err = rows.store(ctx, tx.Conn, b, at); err != nil {
			return err
		}
		rows.countArrivals(b.Arrivals)
		further, err := w.storeFurtherRows(ctx, tx.Conn, b, at)
		if err != nil {
			return err
		}
		counts = counts.Plus(further)
		if counts.Deleted, err = rows.sweep(ctx, tx.Conn, b.Sweep, at); err != nil {
			return err
		}
		b.Lane.Wrote(rows.exportedAt) // also where the answer is lost
		return conclude(ctx, tx, b, counts)
	})
	if err != nil {
		return sink.Counts{}, err
	}
	return counts, nil
}

// CommitsAtOnce is false of a table with a history, whose commits take turns.
func (w *Warehouse) CommitsAtOnce(t schema.Table) bool { return !t.History }

// storeFurtherRows writes the batch's rows of further tables, which all are staged in the same place.
func (w *Warehouse) storeFurtherRows(ctx context.Context, conn *pgx.Conn, b sink.Batch, at time.Time) (counts sink.Counts, err error) {
	for _, t := range b.FurtherRows {
		if _, err := conn.Exec(ctx, "DROP TABLE IF EXISTS "+stageTable, pgx.QueryExecModeSimpleProtocol); err != nil {
			return counts, err
		}
		of, err := arrange(w.target(t.Table), t.Rows).write(ctx, conn, at)
		if err != nil {
			return counts, err
		}
		counts = counts.Plus(of)
	}
	return counts, nil
}

// fence begins the transaction. It makes sure that the lease still holds for the windows of the readings, locks them and enters
// the readings. It learns whether the table has marks, and returns the transaction's time.
func fence(ctx context.Context, tx brief, b sink.Batch, t *target) (at time.Time, err error) {
	var r readings
	for _, reading := range b.Readings {
		r.add(reading)
	}
	var mine int
	queued := &pgx.Batch{}
	queued.Queue(statement("commit_fence"), b.Lease.Dataset, b.Starts(), b.Lease.Epoch).
		QueryRow(func(row pgx.Row) error { return row.Scan(&mine) })
	queued.Queue(statement("commit_readings"), b.Lease.Dataset, b.Lease.Epoch, b.Lease.TTL,
		r.starts, r.states, r.rows, r.readAt, r.readTo, r.nextReadAt, r.errors)
	queued.Queue(statement("commit_settings")).QueryRow(func(row pgx.Row) error { return row.Scan(&at, nil, nil, nil, nil) })
	t.learnMarks(queued)
	if err := tx.first(ctx, queued); err != nil {
		return at, err
	}
	if mine < len(b.Readings) {
		return at, sink.ErrLeaseLost
	}
	return at, nil
}

// readings are the columns of sink.Reading, for unnest.
type readings struct {
	starts                     []time.Time
	states, errors             []string
	rows                       []int64
	readAt, readTo, nextReadAt []*time.Time
}

func (r *readings) add(reading sink.Reading) {
	r.starts = append(r.starts, reading.Start)
	r.states = append(r.states, string(reading.State))
	r.rows = append(r.rows, reading.Rows)
	r.readAt = append(r.readAt, nullable(reading.ReadAt))
	r.readTo = append(r.readTo, nullable(reading.ReadTo))
	r.nextReadAt = append(r.nextReadAt, nullable(reading.NextReadAt))
	r.errors = append(r.errors, clean(reading.Error))
}

// conclude keeps the batch's rejects in place of those that are known to lie in its range, adds to the run, and commits.
func conclude(ctx context.Context, tx brief, b sink.Batch, counts sink.Counts) error {
	fingerprints, rejects := b.DistinctRejects()
	var from, to []time.Time
	var raw, fields, reasons []string
	for _, fingerprint := range fingerprints {
		r := rejects[fingerprint]
		from, to = append(from, r.WindowStart), append(to, r.WindowEnd)
		raw, fields, reasons = append(raw, rawJSON(r.Raw)), append(fields, clean(r.Field)), append(reasons, clean(r.Reason))
	}
	queued := &pgx.Batch{}
	queued.Queue(statement("rejects_forget"), b.Lease.Dataset, b.Range.Start, b.Range.End, fingerprints)
	if len(rejects) > 0 {
		queued.Queue(statement("rejects_keep"), b.Lease.Dataset, fingerprints, from, to, raw, fields, reasons)
	}
	queueArrivals(queued, b)
	if b.Run != 0 {
		queued.Queue(statement("run_add"), b.Run, b.Done(), b.RowsRead,
			counts.Inserted+counts.Updated, counts.Unchanged, len(b.Rejects), counts.Deleted)
	}
	return tx.last(ctx, queued)
}

// clean makes any text one that Postgres takes.
func clean(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\uFFFD"), "\uFFFD")
}

// rawJSON is a rejected row for a column of type json: as it came when it is JSON, else as a JSON string.
func rawJSON(raw string) string {
	if text := strings.ToValidUTF8(raw, "\uFFFD"); json.Valid([]byte(text)) {
		return text
	}
	quoted, _ := json.Marshal(raw) // a string always can be
	return string(quoted)
}
