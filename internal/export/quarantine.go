package export

import (
	"context"
	"errors"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Quarantine keeps the rows that did not fit the mapping.
type Quarantine interface {
	Rejects(ctx context.Context, r sink.RejectsRequest) ([]sink.Quarantined, error)
	RetryRejects(ctx context.Context, r sink.Retry) (sink.Retried, error)
}

// retryBatch is how many rejects are retried in a transaction: nothing else of the dataset is committed meanwhile.
const retryBatch = 1000

// inexact is why a reject cannot fit: what is kept of it is not what the API sent.
const inexact = "the row was not sent as UTF-8, so that its copy is not exact: only reading its window again can bring it"

// RetryRejects maps the rejects of the dataset again from what is kept of them, batch by batch, without asking the API:
// after the mapping was mended. Those that fit are rows of the table then, and no rejects any more. It is safe beside
// any replica of the same config. stop, when closed, ends it after the batch that is being written.
func (e *Exporter) RetryRejects(ctx context.Context, stop <-chan struct{}) (sink.Retried, error) {
	var done sink.Retried
	p := newPassage(e, Pass{Stop: stop})
	if err := p.prepare(ctx); err != nil {
		return done, err
	}
	request := sink.RejectsRequest{Dataset: e.Dataset.Name, Limit: retryBatch}
	for !p.stopped() {
		page, err := e.Warehouse.Rejects(ctx, request)
		if err != nil || len(page) == 0 {
			return done, err
		}
		batch, err := e.Warehouse.RetryRejects(ctx, e.mapAgain(page, p.dueAt))
		if err != nil {
			return done, err
		}
		done.Add(batch)
		request.Behind = &page[len(page)-1]
	}
	return done, nil
}

// mapAgain tells the rejects that fit now from those that do not.
func (e *Exporter) mapAgain(page []sink.Quarantined, now time.Time) sink.Retry {
	retry := sink.Retry{Dataset: e.Dataset.Name, ConfigHash: e.Dataset.ConfigHash, Table: e.Dataset.Mapper.Table(), Now: now}
	for _, q := range page {
		row, err := e.Dataset.Mapper.Map(q.Raw)
		if err == nil && q.Exact() {
			retry.Fits = append(retry.Fits, sink.Refit{
				Fingerprint: q.Fingerprint, Row: sink.Row{Row: row, WindowStart: e.windowOf(row, q)},
			})
			continue
		}
		misfit := sink.Misfit{Fingerprint: q.Fingerprint, Reason: inexact}
		var reject *schema.RejectError
		switch {
		case errors.As(err, &reject):
			misfit.Field, misfit.Reason = reject.Field, reject.Reason
		case err != nil: // unmapped: fail
			misfit.Reason = err.Error()
		}
		retry.Misfits = append(retry.Misfits, misfit)
	}
	return retry
}

// windowOf is the start of the window that a reject's row falls in: by its time, or else by where it is known to lie. A
// row of a snapshot has none: when it was seen counts. Where windows are replaced a row of another time is the window's that it
// was sent for, but for one of the second before, which the window before is sent, too.
func (e *Exporter) windowOf(row schema.Row, q sink.Quarantined) time.Time {
	if e.Dataset.Snapshot {
		return q.LastSeen
	}
	at, ok := e.Dataset.timeField().at(row)
	sent := window.Window{Start: q.WindowStart.Add(-lead), End: q.WindowEnd}
	if !ok || e.Dataset.Write == sink.ReplaceWindows && !sent.Contains(at) {
		at = q.WindowStart
	}
	return e.Dataset.Grid.At(at).Start
}
