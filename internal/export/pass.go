package export

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Pass says which windows a pass works on.
type Pass struct {
	Kind  sink.RunKind
	Order sink.Order
	// Within bounds the windows by their start; the zero Window: all.
	Within window.Window
	// ReadBefore leaves out windows whose last read began at or after it.
	ReadBefore time.Time
	// Tick is the time of the schedule that the pass is made for: a snapshot is read once for each, by whichever
	// replica comes first. Zero: now.
	Tick time.Time
	// Until is when the next pass is due, which sees what has become due meanwhile. A pass with work left by then reads one
	// more span, the one that has been due the longest, so that nothing starves, and ends. Zero: it reads all.
	Until time.Time
	// Due, when set, has the pass read only what Summary.Held of an earlier one told of, not what has become due since. Zero: all.
	Due time.Time
	// Stop, when closed, ends the pass after the spans that are being read.
	Stop <-chan struct{}
}

// Export makes one pass over all that is due of the dataset: the windows that are missing from the ledger are
// planned, then span after span is claimed, read, mapped and committed, until nothing is due or the next pass is. Then
// what was read is held against what insights say of it, columns that were added to the mapping are filled with what
// older rows have of them, and rows that are older than the retention are deleted. A span that fails stays due and does not stop the others; the
// returned error says why the pass itself could not go on (the source or the warehouse cannot be reached, or refuses).
func (e *Exporter) Export(ctx context.Context, pass Pass) (Summary, error) {
	began := e.now()
	p := e.passage(pass, began)
	err := p.export(ctx)
	return p.finish(ctx, began, err)
}

func (p *passage) export(ctx context.Context) error {
	if err := p.recall(ctx); err != nil {
		return err
	}
	if err := p.prepare(ctx); err != nil {
		return err
	}
	if !p.Due.IsZero() {
		return p.exportHeld(ctx)
	}
	if err := p.retire(ctx); err != nil {
		return err
	}
	if err := p.plan(ctx); err != nil {
		return err
	}
	if err := p.exportDue(ctx); err != nil {
		return err
	}
	if err := p.reconcile(ctx); err != nil {
		return err
	}
	if err := p.promote(ctx); err != nil {
		return err
	}
	if err := p.cut(ctx); err != nil {
		return err
	}
	return p.seeHeld(ctx)
}

// exportHeld reads what others held when the pass before looked. The next pass does all the rest.
func (p *passage) exportHeld(ctx context.Context) error {
	if err := p.exportDue(ctx); err != nil {
		return err
	}
	if p.run.ID != 0 {
		if err := p.reconcile(ctx); err != nil {
			return err
		}
	}
	return p.seeHeld(ctx)
}

// seeHeld sees what is left since others hold it. Nobody waits for it but who comes back on a schedule, and not where the next
// pass is due.
func (p *passage) seeHeld(ctx context.Context) error {
	if p.Kind != sink.RunScheduled || p.stopped() || p.relieved() {
		return nil
	}
	left, ok, err := p.Warehouse.Held(ctx, p.Dataset.Name, p.dueAt, p.edge)
	if ok {
		p.summary.Held = Held{Due: p.dueAt, Left: left}
	}
	return err
}

// passage is a pass under way. What is due is fixed when it begins: a window that becomes due while it runs is the next
// pass's.
type passage struct {
	*Exporter
	Pass
	began time.Time
	dueAt time.Time // what is due by then is read
	edge  time.Time // nothing at or after it is read

	run     sink.Run
	trouble sink.Trouble // as the warehouse has it

	// keptOtherwise is set when the ledger has windows that the dataset's configuration does not go with.
	keptOtherwise bool
	// heavy counts the spans in a row that were cut since the source did not answer them.
	heavy atomic.Int32
	// reading counts the lanes at work.
	reading atomic.Int32
	// contest is what others wrote of the rows that were being read.
	contest contest
	// efforts tell whether another lane is worth its memory.
	efforts efforts
	// spare is what rows lay in that are committed.
	spare spare
	// committed, when set, is called after each commit.
	committed func()

	// near are windows that were read, as the last claim that was told of any knew them.
	near []sink.Entry

	settling sync.Mutex // of what follows, until all lanes are done
	summary  Summary
	// failures counts the spans that failed in a row: a source that fails them all is left in peace.
	failures int
}

func (e *Exporter) passage(pass Pass, began time.Time) *passage {
	dueAt := began
	if !pass.Due.IsZero() {
		dueAt = pass.Due
	}
	p := &passage{
		Exporter: e, Pass: pass, began: began, dueAt: dueAt, edge: e.Dataset.edge(dueAt),
		contest: contest{of: &e.overtaken}, summary: Summary{Dataset: e.Dataset.Name},
	}
	if e.Dataset.Snapshot {
		p.edge = dueAt
		if !pass.Tick.IsZero() {
			p.edge = pass.Tick.UTC()
		}
	}
	return p
}

// prepare makes the report table what the mapping wants it to be.
func (p *passage) prepare(ctx context.Context) error {
	if p.prepared.Load() {
		return nil
	}
	d := p.Dataset
	done, err := p.Warehouse.Prepare(ctx, sink.Dataset{
		Name: d.Name, Kind: d.Kind, Table: d.Mapper.Table(), Besides: d.Tables()[1:], ConfigHash: d.ConfigHash, Reread: d.Reread,
	})
	if err != nil {
		return err
	}
	p.prepared.Store(true)
	p.cutOff = time.Time{} // the table may be another one
	p.promotion = promotion{columns: done.Unpromoted}
	if len(done.Unpromoted) > 0 {
		p.Logger.Info("columns are filled from _extra, after what is due", "dataset", d.Name, "columns", done.Unpromoted)
	}
	if done.ConfigChanged {
		p.Logger.Warn("the config changed: what was read before stays as it is until a backfill reads it again, but for new columns whose values are in _extra", "dataset", d.Name)
	}
	for _, change := range done.Changes {
		level := slog.LevelInfo
		if strings.HasPrefix(change, "COMMENT ") { // one for each column
			level = slog.LevelDebug
		}
		p.Logger.Log(ctx, level, "table changed", "dataset", d.Name, "statement", change)
	}
	return nil
}

// plan enters the windows that are missing from the ledger, from since to the window that holds the edge.
func (p *passage) plan(ctx context.Context) error {
	within := window.Window{Start: p.Dataset.begin(p.dueAt), End: p.Dataset.end(p.edge)}
	if !p.Within.Empty() {
		within = p.Within
	}
	if p.Dataset.Snapshot {
		within = snapshotWindow()
	}
	if within.Empty() {
		return nil
	}
	_, err := p.Warehouse.Plan(ctx, p.Dataset.Name, within, p.dueAt, p.pieces)
	if err == nil && p.keptOtherwise {
		err = &KeptOtherwiseError{Dataset: p.Dataset.Name}
	}
	return err
}

func (p *passage) stopped() bool {
	select {
	case <-p.Stop:
		return true
	default:
		return false
	}
}

// relieved reports whether the next pass is due.
func (p *passage) relieved() bool {
	return !p.Until.IsZero() && !p.now().Before(p.Until)
}

// outOfTime reports whether what comes after the spans, of which so many pieces were done since began, leaves the rest to the
// next pass: what is due goes first. One piece is done in each pass, so that this does not wait for good either.
func (p *passage) outOfTime(done int, began time.Time, most time.Duration) bool {
	return p.stopped() || done > 0 && p.Kind == sink.RunScheduled && (time.Since(began) >= most || p.relieved())
}

// claimed is a span that was leased, and what is known of its rows.
type claimed struct {
	lease sink.Lease
	fit   fit
}

// claim leases the next span, as many windows as are expected to hold the rows of a transaction, or of several where
// the span can be read in parts.
func (p *passage) claim(ctx context.Context, order sink.Order) (claimed, bool, error) {
	var c claimed
	// A claim that is under way when the pass ends is waited for, and given back: else nobody would know of the lease.
	claiming, done := closing(ctx)
	defer done()
	room, maxSpan := p.room(), p.maxSpan() // Fit runs within the claim's transaction: it waits for nothing
	lease, ok, err := p.Warehouse.Claim(claiming, sink.ClaimRequest{
		Dataset: p.Dataset.Name, ConfigHash: p.Dataset.ConfigHash, Within: p.Within, Now: p.dueAt, Edge: p.edge, Order: order,
		MaxSpan: maxSpan, Owner: p.Owner, TTL: p.LeaseTTL, ReadBefore: p.ReadBefore,
		Fit: func(candidates, near []sink.Entry) int {
			if p.Dataset.whole() {
				c.fit = fit{windows: 1, more: len(candidates) > 1}
				return 1
			}
			c.fit = fitSpan(candidates, p.nearest(near, room), room, order == sink.NewestFirst)
			c.fit.uncertain = c.fit.uncertain || len(near) == 0
			c.fit.more = c.fit.more || p.full(candidates, maxSpan)
			return c.fit.windows
		},
	})
	if err != nil || !ok {
		return claimed{}, false, err
	}
	err = cmp.Or(context.Cause(ctx), p.checkForm(lease))
	if err == nil {
		err = p.beginRun(ctx)
	}
	if err != nil {
		return claimed{}, false, errors.Join(err, p.Warehouse.Release(claiming, lease))
	}
	lease.ClaimedAt = p.contest.since(lease.ClaimedAt)
	c.lease = lease
	p.observe(Event{Step: StepClaimed, Span: lease.Span()})
	return c, true, nil
}

// full reports whether the candidates are as many as a claim may get: there may be more windows behind them.
func (p *passage) full(candidates []sink.Entry, maxSpan time.Duration) bool {
	length := sink.SpanOf(candidates).Duration()
	return len(candidates) == sink.MaxWindows || length+p.Dataset.Grid.Size() > maxSpan
}

// nearest are the windows near a span that have been read. Where there are none they are those that the claim before was
// told of: a lane that goes on behind a long span which another one is reading need not begin with a single window. Only
// where a span can be read in parts: there a guess that is wrong costs little.
func (p *passage) nearest(near []sink.Entry, r room) []sink.Entry {
	if len(near) > 0 {
		p.near = near
	}
	if r.parts == 1 {
		return near
	}
	return p.near
}

// room is how much a span may hold, by what was seen of the server.
func (p *passage) room() room {
	r := p.Dataset.room()
	r.part = p.maxRows()
	if !p.server.draws() {
		r.parts = 1
	}
	return r
}

// readSpan reads a leased span, part by part, and hands on each part, and last what became of the whole.
func (p *passage) readSpan(ctx context.Context, c claimed, out *outlet) {
	ctx, held := p.hold(ctx, c.lease)
	s := newSpan(p, held, c.fit)
	err := s.read(ctx, s.rest(), out)
	out.handOn(outcome{held: held, event: Event{Span: c.lease.Span()}, err: err, last: true})
}

// beginRun enters the pass's run when the first span is claimed: a pass with nothing to do leaves no trace.
func (p *passage) beginRun(ctx context.Context) error {
	if p.run.ID != 0 {
		return nil
	}
	p.run = sink.Run{Dataset: p.Dataset.Name, Kind: p.Kind, StartedAt: p.began}
	id, err := p.Warehouse.BeginRun(ctx, p.run)
	if err != nil {
		return err
	}
	p.run.ID = id
	return nil
}

// finish keeps how the run ended and sums the pass up.
func (p *passage) finish(ctx context.Context, began time.Time, err error) (Summary, error) {
	p.summary.Took = p.now().Sub(began)
	p.summary.Stopped = p.stopped() || errors.Is(err, ErrInterrupted) || errors.Is(err, context.Canceled)
	writing, cancel := closing(ctx)
	defer cancel()
	if p.run.ID != 0 {
		p.run.EndedAt = p.now()
		p.run.Outcome, p.run.Spent = outcomeOf(p.summary, err), p.summary.Spent
		err = errors.Join(err, p.Warehouse.EndRun(writing, p.run))
	}
	if told := p.tellTrouble(writing, err); told != nil {
		err = errors.Join(err, told)
	}
	return p.summary, err
}
