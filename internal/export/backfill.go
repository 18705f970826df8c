package export

import (
	"context"
	"fmt"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Range says what a backfill reads.
type Range struct {
	From time.Time
	To   time.Time // zero: up to now minus the dataset's delay
	// NewestFirst reads the latest windows first.
	NewestFirst bool
	// Restart begins anew, even if a backfill of the same range is unfinished.
	Restart bool
	// Stop, when closed, ends the backfill after the spans that are being read.
	Stop <-chan struct{}
	// Progress, when set, is told how far the backfill is, at its start, at its end, and after commits: twice a second at
	// most, and more rarely where the range has so many windows that it takes long to count them.
	Progress func(sink.Remaining)
}

// RangeError says that a range holds nothing that can be read: it ends before it begins, or begins after now
// minus the delay.
type RangeError struct {
	Purpose  string // "backfill" or "verify"
	From, To time.Time
}

func (e *RangeError) Error() string {
	return fmt.Sprintf("nothing to %s: from %s is not before %s", e.Purpose, e.From.Format(time.RFC3339), e.To.Format(time.RFC3339))
}

// Backfill reads every window of a range, read before or not, and works until none is left. One that was
// interrupted goes on with what is left when it is called again with the same range. It shares the work with
// any replica that runs beside it. The error is as that of Export.
func (e *Exporter) Backfill(ctx context.Context, r Range) (Summary, error) {
	p := newPassage(e, Pass{Kind: sink.RunBackfill, Order: sink.OldestFirst, Stop: r.Stop})
	if r.NewestFirst {
		p.Order = sink.NewestFirst
	}
	within, err := p.gridRange(r)
	if err != nil {
		return p.totals.summary, err // a mistake of who asks is no trouble of the dataset: nothing is kept of it
	}
	return p.finish(ctx, p.backfill(ctx, r, within))
}

// backfill reads the windows of a range, which within is on the grid's bounds.
func (p *passage) backfill(ctx context.Context, r Range, within window.Window) error {
	if err := p.recall(ctx); err != nil {
		return err
	}
	if err := p.prepare(ctx); err != nil {
		return err
	}
	p.Within = within
	if err := p.plan(ctx); err != nil {
		return err
	}
	run, goesOn, err := p.Warehouse.BeginBackfill(ctx, sink.BackfillRequest{
		Dataset: p.Dataset.Name, Range: within, OpenEnded: r.To.IsZero(), Restart: r.Restart, Now: p.dueAt,
	})
	if err != nil {
		return err
	}
	p.claims.run, p.Within, p.ReadBefore = run, run.Range, run.StartedAt
	if goesOn {
		p.Logger.Info("going on with a backfill", "dataset", p.Dataset.Name, "range", run.Range.String(), "begun", run.StartedAt)
	}
	if since := p.Dataset.firstStart(p.dueAt); run.Range.End.Before(since) {
		p.Logger.Warn("this range ends before since: the dataset is complete through its end only, until what lies between is read as well, or since is an earlier time",
			"dataset", p.Dataset.Name, "range", run.Range.String(), "since", since)
	}
	if err := p.untilNoneIsLeft(ctx, r.Progress); err != nil {
		return err
	}
	return p.reconcile(ctx)
}

// gridRange is the range on the grid's bounds, and no further than the edge. The error says why none can be read.
func (p *passage) gridRange(r Range) (window.Window, error) {
	if p.Dataset.Snapshot {
		return window.Window{}, &SnapshotError{Dataset: p.Dataset.Name}
	}
	to := r.To
	if to.IsZero() || to.After(p.edge) {
		to = p.edge
	}
	if !r.From.Before(to) {
		return window.Window{}, &RangeError{Purpose: "backfill", From: r.From, To: to}
	}
	if kept := p.Dataset.KeptFrom(p.dueAt); r.From.Before(kept) {
		return window.Window{}, &RetentionError{Dataset: p.Dataset.Name, From: r.From, Kept: kept}
	}
	last := p.Dataset.Grid.At(to)
	within := window.Window{Start: p.Dataset.Grid.At(r.From).Start, End: last.End}
	if last.Start.Equal(to) {
		within.End = to
	}
	return within, nil
}

// untilNoneIsLeft makes passes over the range until every window of it has been read, or has failed. Windows
// that another replica is working on are waited for.
func (p *passage) untilNoneIsLeft(ctx context.Context, told func(sink.Remaining)) error {
	progress := p.progressOf(told)
	p.onCommit = func() { progress.glance(ctx) }
	if _, err := progress.look(ctx); err != nil {
		return err
	}
	for {
		if err := p.exportDue(ctx); err != nil {
			return err
		}
		left, err := progress.look(ctx)
		switch {
		case err != nil || left.Left == 0 || p.stopped():
			return err
		case left.Leased == 0 && left.Left == left.Failed:
			return p.leftUnread(left)
		}
		// Another replica works on the rest, or gave it back or lost it since exportDue looked.
		if err := p.waitForOthers(ctx); err != nil {
			return err
		}
		p.dueAt = p.now()
	}
}

// leftUnread says that windows of a backfill are left which could not be read; the summary has the reasons of those
// that this process tried.
func (p *passage) leftUnread(left sink.Remaining) error {
	if len(p.totals.summary.Failed) > 0 {
		return nil
	}
	return fmt.Errorf("%d windows are left that could not be read, by another process or by this backfill before: see exporter status, then start it again", left.Failed)
}

// Finish makes passes until nothing is due and no other replica is working on what was: a pass of Export,
// then, for as long as a lease can last, another one over what a killed process may have left behind.
func (e *Exporter) Finish(ctx context.Context, pass Pass) (Summary, error) {
	p := newPassage(e, pass)
	// A lease that is seen before a pass and gone after it may have run out in between: what it was about is due.
	before, err := p.othersAtWork(ctx)
	if err == nil {
		err = p.export(ctx)
	}
	waiting := false
	deadline := time.Now().Add(2 * e.LeaseTTL)
	for last := false; err == nil && !last && !p.stopped(); {
		last = !time.Now().Before(deadline) // a lease that a killed process left has run out, so this look finds what it held
		var after bool
		if after, err = p.othersAtWork(ctx); err != nil || !before && !after {
			break
		}
		before = after
		if !waiting {
			waiting = true
			p.Logger.Info("waiting for windows that another process holds, or held when it was killed",
				"dataset", p.Dataset.Name, "at_most", (2 * e.LeaseTTL).String())
		}
		if err = p.waitForOthers(ctx); err == nil {
			err = p.exportDue(ctx)
		}
	}
	return p.finish(ctx, err)
}

func (p *passage) othersAtWork(ctx context.Context) (bool, error) {
	all, err := p.Warehouse.Status(ctx, p.dueAt)
	if err != nil {
		return false, fmt.Errorf("see who else is at work: %w", err)
	}
	of := sink.StatusOf(all, p.Dataset.Name)
	return of != nil && of.Running > 0, nil
}

// waitForOthers waits before another look at windows that another replica is working on. It returns early, and
// without an error, when the pass is to stop.
func (p *passage) waitForOthers(ctx context.Context) error {
	timer := time.NewTimer(min(time.Second, p.LeaseTTL/3))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-p.Stop:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return nil
}
