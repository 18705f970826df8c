package export

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Reconciler is what reconciling asks of a warehouse.
type Reconciler interface {
	Measure(ctx context.Context, m sink.Measurement) ([]string, error)
	StoredByWindow(ctx context.Context, t schema.Table, within window.Window) ([]sink.StoredRow, error)
	Reconciled(ctx context.Context, r sink.ReconciledRequest) ([]sink.Reconciled, error)
	Reconcile(ctx context.Context, r sink.ReconciledRequest, change func([]sink.Reconciled) []sink.Reconciled) error
	ForgetReconciled(ctx context.Context, dataset string, insights []string) error
	Rereads(ctx context.Context, dataset, insight, definition string) (sink.Rereads, error)
}

// Reconciliation binds an insight to what the warehouse has of a report: what an expression makes of the rows of one of
// the insight's windows is to be the insight's value.
type Reconciliation struct {
	Report  Dataset
	Insight Dataset
	// SQL is an aggregate expression over the report's table, in the warehouse's SQL.
	SQL string
	// MaxShare is how far apart the two may be, as a share of the larger one: 0.01 is one in a hundred. Zero: not at all.
	MaxShare float64
}

// ReconcileEvent is what a pass found when it compared windows of a dataset with an insight.
type ReconcileEvent struct {
	Dataset   string
	Insight   string // the dataset itself, where values were compared with previous values
	Agreeing  int    // windows
	Differing int
	Marked    int // windows that were made due, to be read again
}

const (
	// firstPiece and reconcilePiece are how many windows of an insight are compared at once, at first and at most, and pieceFor
	// is how long that is to take: between two pieces a pass may be over.
	firstPiece     = 10
	reconcilePiece = 500
	pieceFor       = 5 * time.Second
	// reconcileFor is how long a scheduled pass compares before it leaves the rest to the next one.
	reconcileFor = time.Minute
	// mistakeRest is how long a pair is left in peace that cannot be compared: an expression may take all of its time.
	mistakeRest = 15 * time.Minute
	// rereadBatch is how many windows a pass makes due at most, of each pair.
	rereadBatch = 100
	// unprovenRereads is how many windows may be read again before it has helped one: a mistake of an expression must not
	// read all of history again.
	unprovenRereads = 10
)

// pair is a dataset and an insight whose numbers are compared: those of a Reconciliation; or an insight's values with the
// previous values that the windows after them show, where both are the insight.
type pair struct {
	Reconciliation
	previous   bool
	definition string
	pending    []window.Window // that may have windows to compare
	piece      int             // windows that are compared at once
	restsUntil time.Time       // since it cannot be compared
	told       string          // why it cannot, as it was logged last
	toldInVain bool            // that no more windows are read again
}

func (c *pair) request() sink.ReconciledRequest {
	return sink.ReconciledRequest{Dataset: c.Report.Name, Insight: c.Insight.Name}
}

// reconcile compares what was read with what insights say of it, and makes due what differs. It comes after what is due,
// and fails only over a warehouse that is not there.
func (p *passage) reconcile(ctx context.Context) error {
	if err := p.beginReconciling(ctx); err != nil {
		return err
	}
	began := time.Now()
	for _, c := range p.lasting.reconciling.pairs {
		if p.dueAt.Before(c.restsUntil) {
			continue
		}
		err := p.reconcilePair(ctx, c, began)
		var unavailable *sink.UnavailableError
		switch {
		case err == nil:
			c.told = ""
		case errors.As(err, &unavailable), ctx.Err() != nil:
			return err
		case errors.Is(err, sink.ErrSuperseded), errors.Is(err, errUndone):
			// The other dataset of the pair has not been prepared, or by another config: who does so looks at it anew.
		default: // a mistake of an expression, or a table that somebody dropped
			c.restsUntil = p.dueAt.Add(mistakeRest)
			c.tell(p, err)
		}
	}
	return nil
}

// errUndone says that something is left to the next pass.
var errUndone = errors.New("left to the next pass")

// tell logs once why a pair cannot be compared.
func (c *pair) tell(p *passage, err error) {
	if c.told != err.Error() {
		p.Logger.Warn("a report is not reconciled", "dataset", c.Report.Name, "insight", c.Insight.Name, "error", err)
	}
	c.told = err.Error()
}

// beginReconciling finds the dataset's pairs when its process begins, and forgets what was compared with others.
func (p *passage) beginReconciling(ctx context.Context) error {
	r := &p.lasting.reconciling
	r.mu.Lock()
	started := r.started
	r.mu.Unlock()
	if started {
		return nil
	}
	var bound []string
	pairs := p.pairs()
	for _, c := range pairs {
		if c.Report.Name == p.Dataset.Name {
			bound = append(bound, c.Insight.Name)
		}
		c.pending = []window.Window{{Start: c.Report.Since, End: p.edge}}
		if c.Insight.Since.Before(c.Report.Since) {
			c.pending[0].Start = c.Insight.Since
		}
		if kept := c.keptFrom(p.dueAt); kept.After(c.pending[0].Start) {
			c.pending[0].Start = kept
		}
	}
	if err := p.Warehouse.ForgetReconciled(ctx, p.Dataset.Name, bound); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pairs, r.started = pairs, true
	return nil
}

// pairs are those that the dataset is one of.
func (p *passage) pairs() (pairs []*pair) {
	for _, r := range p.Reconciles {
		sum := sha256.Sum256(fmt.Append(nil, r.MaxShare, " ", r.SQL))
		pairs = append(pairs, &pair{Reconciliation: r, definition: hex.EncodeToString(sum[:8]), piece: firstPiece})
	}
	if p.Dataset.showsPrevious() {
		own := Reconciliation{Report: p.Dataset, Insight: p.Dataset}
		pairs = append(pairs, &pair{Reconciliation: own, previous: true, definition: previousValueID, piece: firstPiece})
	}
	return pairs
}

// keptFrom is the time before which rows of one of the two are deleted: what is left of a window from before it cannot agree.
func (c *pair) keptFrom(now time.Time) time.Time {
	report, insight := c.Report.KeptFrom(now), c.Insight.KeptFrom(now)
	if report.After(insight) {
		return report
	}
	return insight
}

// reconcilePair compares what is pending of a pair, the latest first, and makes due what differs.
func (p *passage) reconcilePair(ctx context.Context, c *pair, began time.Time) error {
	for pieces := 0; ; pieces++ {
		piece, ok := p.nextPiece(c)
		if !ok {
			break
		}
		if p.outOfTime(pieces, began, reconcileFor) {
			return errUndone
		}
		begun := time.Now()
		if err := p.comparePiece(ctx, c, piece); err != nil {
			return err
		}
		c.pace(time.Since(begun))
		p.tookPiece(c, piece)
	}
	return p.askAgain(ctx, c)
}

// comparePiece compares the windows of a stretch of time that were read since they were compared last.
func (p *passage) comparePiece(ctx context.Context, c *pair, piece window.Window) error {
	found, err := p.bothRead(ctx, c, piece)
	if err != nil {
		return err
	}
	kept := c.keptFrom(p.now())
	found = slices.DeleteFunc(found, func(f sink.Reconciled) bool { return f.Window.Start.Before(kept) })
	if len(found) == 0 {
		return nil
	}
	request := c.request()
	request.Within = hull(found)
	known, err := p.Warehouse.Reconciled(ctx, request)
	if err != nil {
		return err
	}
	found = slices.DeleteFunc(found, func(f sink.Reconciled) bool { return c.compared(f, known) })
	if found, err = p.numbers(ctx, c, found); err != nil || len(found) == 0 {
		return err
	}
	event := ReconcileEvent{Dataset: c.Report.Name, Insight: c.Insight.Name}
	now := p.now()
	request.Within = hull(found)
	err = p.Warehouse.Reconcile(ctx, request, func(have []sink.Reconciled) (changed []sink.Reconciled) {
		event.Agreeing, event.Differing = 0, 0
		for _, f := range found {
			before, known := knownOf(have, f.Window)
			judged := c.judge(f, before, known, now)
			keep := !c.previous || c.tells(judged, before, known)
			if keep {
				changed = append(changed, judged)
			}
			switch {
			case judged.State == sink.Agrees:
				event.Agreeing++
			case keep:
				event.Differing++
			}
		}
		return changed
	})
	if err == nil {
		p.tellReconciled(event)
	}
	return err
}

// hull is the stretch of time that windows in order of time span.
func hull(all []sink.Reconciled) (h window.Window) {
	if len(all) > 0 {
		h = window.Window{Start: all[0].Window.Start, End: all[len(all)-1].Window.End}
	}
	return h
}

// knownOf is what is known of a window, of windows in order of time.
func knownOf(known []sink.Reconciled, w window.Window) (sink.Reconciled, bool) {
	i, ok := slices.BinarySearchFunc(known, w.Start, func(k sink.Reconciled, start time.Time) int { return k.Window.Start.Compare(start) })
	if !ok {
		return sink.Reconciled{}, false
	}
	return known[i], true
}

// compared reports whether what was read of a window was compared already.
func (c *pair) compared(f sink.Reconciled, known []sink.Reconciled) bool {
	k, ok := knownOf(known, f.Window)
	return ok && k.Definition == f.Definition && k.Window == f.Window && k.ReadAt.Equal(f.ReadAt) && k.InsightReadAt.Equal(f.InsightReadAt)
}

func (p *passage) tellReconciled(e ReconcileEvent) {
	if p.OnReconciled != nil && e.Agreeing+e.Differing+e.Marked > 0 {
		p.OnReconciled(e)
	}
}

// askAgain makes due what differs and has rested: the windows of both.
func (p *passage) askAgain(ctx context.Context, c *pair) error {
	rereads, err := p.Warehouse.Rereads(ctx, c.Report.Name, c.Insight.Name, c.definition)
	if err != nil {
		return err
	}
	now := p.now()
	request := c.request()
	request.AgainBy, request.Limit = now, rereadBatch
	allowed := unprovenRereads + rereads.Helped - rereads.Unproven
	var marked []sink.Reconciled
	var inVain bool
	if err := p.Warehouse.Reconcile(ctx, request, func(have []sink.Reconciled) []sink.Reconciled {
		marked, inVain = c.toReadAgain(have, allowed, now)
		return nil
	}); err != nil {
		return err
	}
	if inVain && !c.toldInVain {
		p.Logger.Warn("more windows do not agree with an insight than are read again before that has helped: see exporter status", "dataset", c.Report.Name,
			"insight", c.Insight.Name, "helped", rereads.Helped)
	}
	if c.toldInVain = inVain; len(marked) == 0 {
		return nil
	}
	if err := p.markBoth(ctx, c, marked, now); err != nil {
		return err
	}
	// Kept once the windows are due: who is killed before that makes them due once more.
	if err := p.Warehouse.Reconcile(ctx, request, func(have []sink.Reconciled) []sink.Reconciled {
		kept, _ := c.toReadAgain(have, allowed, now)
		return slices.DeleteFunc(kept, func(k sink.Reconciled) bool {
			return !slices.ContainsFunc(marked, func(m sink.Reconciled) bool { return m.Window == k.Window })
		})
	}); err != nil {
		return err
	}
	p.tellReconciled(ReconcileEvent{Dataset: c.Report.Name, Insight: c.Insight.Name, Marked: len(marked)})
	p.Logger.Info("windows are read again, since they do not agree with an insight", "dataset", c.Report.Name, "insight", c.Insight.Name,
		"windows", len(marked), "first", marked[0].Window.String(), "warehouse", marked[0].Warehouse, "api", marked[0].API)
	return nil
}

// markBoth makes due the windows of the report that windows of the insight overlap, and these themselves: two numbers can
// only be held against each other when both are of now. What previous values are about is the insight's alone.
func (p *passage) markBoth(ctx context.Context, c *pair, marked []sink.Reconciled, now time.Time) error {
	insight := sink.Mark{Dataset: c.Insight.Name, ConfigHash: c.Insight.ConfigHash, Now: now}
	report := sink.Mark{Dataset: c.Report.Name, ConfigHash: c.Report.ConfigHash, Now: now}
	for _, m := range marked {
		insight.Holding = append(insight.Holding, m.Window.Start)
		if c.previous {
			continue
		}
		entries, err := p.Warehouse.Entries(ctx, report.Dataset, report.ConfigHash, m.Window)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !slices.ContainsFunc(report.Holding, e.Window.Start.Equal) {
				report.Holding = append(report.Holding, e.Window.Start)
			}
		}
	}
	if len(report.Holding) > 0 {
		if err := p.Warehouse.MarkDue(ctx, report); err != nil {
			return err
		}
	}
	return p.Warehouse.MarkDue(ctx, insight)
}
