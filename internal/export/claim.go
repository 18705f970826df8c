package export

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"samespace-exporter/internal/sink"
)

// claims is what the lanes of a pass know when they claim, one at a time.
type claims struct {
	mu sync.Mutex
	// near are the read windows around the last claim that had any: a guess for one that has none.
	near []sink.Entry
	run  sink.Run // no ID: nothing was claimed yet
}

// next claims the next span. One lane does so at a time: what the others claimed, and whether the pass is to stop, is
// known by then.
func (w *work) next(ctx context.Context) (claimed, bool, error) {
	w.claims.mu.Lock()
	defer w.claims.mu.Unlock()
	if w.over || ctx.Err() != nil || w.stopped() {
		return claimed{}, false, nil
	}
	order := w.Order
	if w.claims.run.ID != 0 && w.relieved() { // not the first one: that is the live edge
		order, w.over = sink.LongestDueFirst, true
	}
	c, ok, err := w.claim(ctx, order)
	w.over = w.over || err != nil || !ok
	w.more.Store(!w.over && c.fit.more)
	return c, ok, err
}

// claimed is a span that was leased, and what is known of its rows.
type claimed struct {
	lease sink.Lease
	fit   fit
}

// claim leases the next span, as many windows as are expected to hold the rows of a transaction, or of several where
// the span can be read in parts.
func (p *passage) claim(ctx context.Context, order sink.Order) (claimed, bool, error) {
	var expected fit
	// A claim that is under way when the pass ends is waited for, and given back: else nobody would know of the lease.
	claiming, done := closing(ctx)
	defer done()
	room, maxSpan := p.room(), p.caps().maxSpan(p.Dataset) // Fit runs within the claim's transaction: it waits for nothing
	lease, ok, err := p.Warehouse.Claim(claiming, sink.ClaimRequest{
		Dataset: p.Dataset.Name, ConfigHash: p.Dataset.ConfigHash, Within: p.Within, Now: p.dueAt, Edge: p.edge, Order: order,
		MaxSpan: maxSpan, Owner: p.Owner, TTL: p.LeaseTTL, ReadBefore: p.ReadBefore,
		Fit: func(candidates, near []sink.Entry) int {
			if p.Dataset.whole() {
				expected = fit{windows: 1, more: len(candidates) > 1}
				return 1
			}
			expected = fitSpan(candidates, p.nearest(near, room), room, order == sink.NewestFirst)
			expected.uncertain = expected.uncertain || len(near) == 0
			expected.more = expected.more || p.full(candidates, maxSpan)
			return expected.windows
		},
	})
	if err != nil || !ok {
		return claimed{}, false, err
	}
	err = cmp.Or(context.Cause(ctx), p.checkKept(lease))
	if err == nil {
		err = p.beginRun(ctx)
	}
	if err != nil {
		return claimed{}, false, errors.Join(err, p.Warehouse.Release(claiming, lease))
	}
	lease.ClaimedAt = p.contest.since(lease.ClaimedAt)
	p.observe(Event{Step: StepClaimed, Span: lease.Span()})
	return claimed{lease: lease, fit: expected}, true, nil
}

// room is how much a span may hold, by what was seen of the server.
func (p *passage) room() room {
	r := p.Dataset.room()
	r.part = p.caps().maxRows(p.Dataset)
	if !p.lasting.server.draws() {
		r.parts = 1
	}
	return r
}

// nearest are the windows near a span that have been read. Where there are none they are those that the claim before was
// told of: a lane that goes on behind a long span which another one is reading need not begin with a single window. Only
// where a span can be read in parts: there a guess that is wrong costs little.
func (p *passage) nearest(near []sink.Entry, r room) []sink.Entry {
	if len(near) > 0 {
		p.claims.near = near
	}
	if r.parts == 1 {
		return near
	}
	return p.claims.near
}

// full reports whether the candidates are as many as a claim may get: there may be more windows behind them.
func (p *passage) full(candidates []sink.Entry, maxSpan time.Duration) bool {
	length := sink.SpanOf(candidates).Duration()
	return len(candidates) == sink.MaxWindows || length+p.Dataset.Grid.Size() > maxSpan
}

// checkKept fails when windows of a lease are not kept as the dataset is configured to be: a snapshot has one of its own.
func (p *passage) checkKept(l sink.Lease) error {
	for _, e := range l.Entries {
		if isSnapshot(e.Window) != p.Dataset.Snapshot {
			return &KeptOtherwiseError{Dataset: p.Dataset.Name}
		}
	}
	return nil
}

// beginRun enters the pass's run when the first span is claimed: a pass with nothing to do leaves no trace.
func (p *passage) beginRun(ctx context.Context) error {
	if p.claims.run.ID != 0 {
		return nil
	}
	run := sink.Run{Dataset: p.Dataset.Name, Kind: p.Kind, StartedAt: p.began}
	id, err := p.Warehouse.BeginRun(ctx, run)
	if err != nil {
		return err
	}
	run.ID = id
	p.claims.run = run
	return nil
}
