package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"samespace-exporter/internal/sink"
)

// countArrivals counts rows that the table did not have.
func (s rowset) countArrivals(fresh [][]any) {
	if s.arrivals == nil {
		return
	}
	s.arrivals.Reset()
	for _, row := range fresh {
		key, isText := row[s.shape.key[0]].(string)
		text, timed := row[s.timeField].(string)
		if !isText || !timed {
			continue
		}
		at, err := time.Parse(timestamptzLayout, text)
		if err != nil {
			continue // a year of five digits
		}
		if !s.arrivals.Count(key, at) {
			break
		}
	}
	s.arrivals.Settle()
}

// keepArrivals adds what was counted to what is kept.
func keepArrivals(ctx context.Context, tx *transaction, b sink.Batch) error {
	if b.Arrivals == nil {
		return nil
	}
	return b.Arrivals.Each(func(month time.Time, bucket int, rows int64, largest time.Duration) error {
		_, err := tx.ExecContext(ctx, statement("arrivals_add"), sql.Named("dataset", b.Lease.Dataset),
			sql.Named("month", month.Format(time.DateOnly)), sql.Named("bucket", bucket), sql.Named("rows", rows),
			sql.Named("largest_s", int64(largest/time.Second)))
		if err != nil {
			return fmt.Errorf("count arrivals: %w", err)
		}
		return nil
	})
}

// readLags fills in the arrival lags of datasets.
func (w *Warehouse) readLags(ctx context.Context, all []sink.DatasetStatus, since time.Time) error {
	rows, err := w.reader.QueryContext(ctx, statement("arrivals"), sql.Named("since", since.Format(time.DateOnly))) //nolint:sqlclosecheck // each closes them
	return each(rows, err, func() error {
		var dataset string
		var bucket int
		var n, largest int64
		err := rows.Scan(&dataset, &bucket, &n, &largest)
		if of := sink.StatusOf(all, dataset); of != nil {
			of.Lags.Add(bucket, n, time.Duration(largest)*time.Second)
		}
		return err
	})
}
