package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/sink"
)

// countArrivals counts the rows that the table did not have.
func (a *arranged) countArrivals(into *sink.Arrivals) {
	if into == nil || !sink.CountsArrivals(a.Table) {
		return
	}
	into.Reset() // an earlier attempt
	key, at := a.key[0], a.ColumnIndex(a.TimeField)
	for i := range a.rows {
		row := &a.rows[i]
		if a.verdicts[i] != unseen || row.Values[at].IsNull() {
			continue
		}
		if !into.Count(row.Values[key].Str(), row.Values[at].Time()) {
			break
		}
	}
	into.Settle()
}

// queueArrivals adds what was counted to what is kept. All commits do so in one order: none waits for one that waits for it.
func queueArrivals(queued *pgx.Batch, b sink.Batch) {
	if b.Arrivals == nil {
		return
	}
	var months []time.Time
	var buckets []int32
	var rows, largest []int64
	_ = b.Arrivals.Each(func(month time.Time, bucket int, n int64, longest time.Duration) error { // which never fails
		months, buckets = append(months, month), append(buckets, int32(bucket))
		rows, largest = append(rows, n), append(largest, int64(longest/time.Second))
		return nil
	})
	if len(rows) > 0 {
		queued.Queue(statement("arrivals_add"), b.Lease.Dataset, months, buckets, rows, largest)
	}
}

// readLags fills in the arrival lags of datasets.
func readLags(ctx context.Context, tx pgx.Tx, all []sink.DatasetStatus, since time.Time) error {
	rows, err := tx.Query(ctx, statement("arrivals"), since)
	if err != nil {
		return err
	}
	var dataset string
	var bucket int
	var n, largest int64
	_, err = pgx.ForEachRow(rows, []any{&dataset, &bucket, &n, &largest}, func() error {
		if of := sink.StatusOf(all, dataset); of != nil {
			of.Lags.Add(bucket, n, time.Duration(largest)*time.Second)
		}
		return nil
	})
	return err
}
