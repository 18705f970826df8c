package export

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

const (
	firstRetry = time.Minute
	lastRetry  = sink.LongestRetry
	// maxFailures is how many spans may fail in a row before a pass gives up.
	maxFailures = 3
	// settleTimeout bounds what is still written after a pass was cancelled.
	settleTimeout = 5 * time.Second
)

// closing is a context for what is written when work is over: it lasts for settleTimeout longer than ctx. As long as nobody
// cancels the pass there is no haste: of hundreds of datasets one may wait long for the warehouse.
func closing(ctx context.Context) (context.Context, context.CancelFunc) {
	writing, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(settleTimeout, cancel) })
	return writing, func() {
		stop()
		cancel()
	}
}

// retryDelay is how long a window rests after so many failed reads: a minute, twice as long each time, at
// most an hour.
func retryDelay(attempts int) time.Duration {
	if attempts > 6 {
		return lastRetry
	}
	return min(firstRetry<<max(attempts, 0), lastRetry)
}

// settle commits a part that was read, or ends the lease of a span of which nothing follows. The returned error says
// that the pass cannot go on.
func (p *passage) settle(ctx context.Context, o handover) error {
	h := o.held
	if o.part != nil && h.settling.err == nil {
		if err := p.commit(ctx, h, o.part); err != nil {
			p.doubt(err)
			h.settling.err = err
			h.abandon(err)
		}
	}
	if o.end == nil {
		return nil
	}
	h.end()
	return p.conclude(ctx, h, o.end.span, cmp.Or(h.settling.err, o.end.err))
}

// commit makes a part of a span durable.
func (p *passage) commit(ctx context.Context, h *held, read *readPart) error {
	if err := p.sweep(ctx, h, read); err != nil {
		return err
	}
	batch, event := read.batch, read.event
	event.Step = StepCommitting
	p.observe(event)
	batch.Lease = h.remaining()
	began, beganAt := time.Now(), p.now() // efforts go by the exporter's clock, as readings do
	batch.Compared, batch.Arrivals = &event.Spent.Compare, p.arrivals()
	counts, err := p.Warehouse.Commit(ctx, *batch)
	event.Spent.Commit = time.Since(began) - event.Spent.Compare
	if err != nil {
		return err
	}
	p.efforts.add(read.took, p.now().Sub(beganAt), counts)
	h.finish(batch.Readings)
	p.noteForComparison(batch)
	p.tellLate(batch.Arrivals)
	batch.Rows = nil
	p.spare.giveBack(read.memory)
	event.Step, event.Counts = StepCommitted, counts
	p.observe(event)
	if counts.Deleted > 0 {
		p.Logger.Info("rows that are gone are marked as deleted", "dataset", p.Dataset.Name, "span", spanText(event.Span), "rows", counts.Deleted)
	}
	p.totals.add(event)
	for _, r := range batch.Readings {
		if r.State == sink.StateUnstable {
			p.totals.fail(SpanError{Span: event.Span, Err: errors.New(r.Error)})
			break
		}
	}
	if p.onCommit != nil {
		p.onCommit()
	}
	return nil
}

// doubt has the next pass prepare again, if that mends what a commit failed of: somebody altered the table. After any other
// failure an older config must not take the dataset back from a newer one, for which the commit may have waited in vain.
func (p *passage) doubt(err error) {
	var unprepared *sink.UnpreparedError
	if errors.As(err, &unprepared) {
		p.lasting.prepared.Store(false)
	}
}

// conclude ends the lease of a span. A span that failed is kept as failed, to be read again later; windows
// that were not at fault are given back as they were.
func (p *passage) conclude(ctx context.Context, h *held, span window.Window, err error) error {
	lease := h.remaining()
	var overtaken *sink.OvertakenError
	// The pass may be over already: what is written now has its own, bounded time.
	writing, cancel := closing(ctx)
	defer cancel()
	switch {
	case err == nil:
		p.totals.succeed()
		p.contest.settled(span)
		p.observe(Event{Step: StepSettled, Span: span})
		return nil
	case errors.Is(err, sink.ErrLeaseLost):
		p.Logger.Warn("lease lost", "dataset", p.Dataset.Name, "span", spanText(span), "reason", err)
		return nil
	case len(lease.Entries) == 0:
		return nil // what failed came after the last commit: nothing is left to be read
	case errors.As(err, &overtaken) && p.contest.overtook(lease.Span(), overtaken):
		p.Logger.Info("span is read again", "dataset", p.Dataset.Name, "span", spanText(lease.Span()), "reason", err)
		return unwritten("release", p.Warehouse.Release(writing, lease))
	case ctx.Err() != nil:
		return unwritten("release", p.Warehouse.Release(writing, lease))
	case fatal(err):
		return errors.Join(err, unwritten("release", p.Warehouse.Release(writing, lease)))
	}
	p.totals.fail(SpanError{Span: lease.Span(), Err: err})
	failure := sink.Failure{Error: err.Error(), NextReadAt: p.now().Add(retryDelay(lease.Entries[0].Attempts))}
	failed := unwritten("record failure of", p.Warehouse.Fail(writing, lease, failure))
	if p.totals.failedAgain() >= maxFailures {
		return errors.Join(err, failed)
	}
	return failed
}

// fatal reports whether any span would fail for the same reason: it is not this one's fault, and no other need be tried.
func fatal(err error) bool {
	var request *source.Error
	if errors.As(err, &request) {
		return request.FailsAll()
	}
	var unavailable *sink.UnavailableError
	return errors.As(err, &unavailable)
}

// unwritten says what could not be written to the ledger. A lease that was lost needs no ending.
func unwritten(verb string, err error) error {
	if err == nil || errors.Is(err, sink.ErrLeaseLost) {
		return nil
	}
	return fmt.Errorf("%s span: %w", verb, err)
}

// outcomeOf is the word that a run keeps for how it ended.
func outcomeOf(s Summary, failure error) string {
	switch {
	case s.Stopped:
		return "interrupted"
	case failure != nil || len(s.Failed) > 0:
		return "failed"
	}
	return "done"
}
