package export

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Verifier is what a verification asks of a warehouse.
type Verifier interface {
	Entries(ctx context.Context, dataset, config string, within window.Window) ([]sink.Entry, error)
	StoredIn(ctx context.Context, t schema.Table, within sink.Stretch) ([]sink.StoredRow, error)
	StoredByKey(ctx context.Context, t schema.Table, keys []schema.Row) ([]sink.StoredRow, error)
	MarkDue(ctx context.Context, m sink.Mark) error
}

// ErrNotPrepared says that the warehouse does not hold the dataset as the config wants it.
var ErrNotPrepared = errors.New("the warehouse was last prepared with another config, or never: use the config that the daemon runs with; " +
	"where there is none yet, exporter run --once begins")

// ErrNothingToCompare says that rows of the dataset can neither be told apart nor put into their windows.
var ErrNothingToCompare = errors.New("a dashboard, a rolling range (time_range), and a report or insight that has neither key nor time_field, cannot be verified: " +
	"what the table has of a window is not known; name other datasets with --report")

// maxLooks is how often a window that differs is read before it is given up, since it changes meanwhile.
const maxLooks = 4

// VerifyRange says what is verified.
type VerifyRange struct {
	From time.Time
	To   time.Time // zero: up to now minus the dataset's delay
	// Repair reads the windows that differ again, as a backfill does, and compares them once more.
	Repair bool
	// Stop, when closed, ends the verification after the span that is being read.
	Stop <-chan struct{}
}

// Verification is what a verification found.
type Verification struct {
	Dataset  string
	Windows  int // that were compared
	Rows     int // that the API has of them
	Rejected int // of these, rows that do not fit the mapping: they are in the quarantine, not in the table
	Requests int
	Unread   int // windows of the range that have ended and were never read to their end: they are not compared
	// Differing are the windows in which the API and the table differ, in order of time.
	Differing []Difference
	// Left are those that still differ after a repair.
	Left []Difference
	// Repaired is set when the windows that differ were read again.
	Repaired bool
	// Failed are the spans that could not be compared, with why.
	Failed []SpanError
	// Stopped is set when it was asked to stop before all was done.
	Stopped bool
}

// Equal reports whether all that was compared is equal by now.
func (v Verification) Equal() bool {
	return len(v.Failed) == 0 && (len(v.Differing) == 0 || v.Repaired && len(v.Left) == 0)
}

// Verify reads a range again from the API, in the same way as an export, and compares it row by row with the table:
// every window of it that has been read to its end. It changes nothing, unless it is to repair. It may run beside any
// replica: a window that differs is read once more before it is told, and again as long as somebody else reads it, too.
func (e *Exporter) Verify(ctx context.Context, r VerifyRange) (Verification, error) {
	v := &verification{passage: newPassage(e, Pass{Stop: r.Stop}), found: Verification{Dataset: e.Dataset.Name}}
	err := v.verify(ctx, r)
	v.found.Stopped = v.stopped()
	return v.found, err
}

// Incomparable says why what the table has of a window is not known, so that it can never be verified; "": it can.
func (d Dataset) Incomparable() string {
	table := d.Mapper.Table()
	switch {
	case d.Kind == sink.KindDashboard:
		return "a dashboard"
	case d.Snapshot:
		return "a rolling range"
	case len(table.Key) == 0 && table.TimeField == "":
		return "neither key nor time_field"
	}
	return ""
}

// verification is a verification under way.
type verification struct {
	*passage
	found Verification
}

func (v *verification) verify(ctx context.Context, r VerifyRange) error {
	if v.Dataset.Incomparable() != "" {
		return ErrNothingToCompare
	}
	within := window.Window{Start: r.From, End: r.To}
	if r.To.IsZero() || r.To.After(v.edge) {
		within.End = v.edge
	}
	kept := v.Dataset.KeptFrom(v.dueAt)
	if within.Start.Before(kept) {
		v.Logger.Warn("what is older than the retention is not verified", "dataset", v.Dataset.Name, "before", kept)
		within.Start = kept
	}
	if within.Empty() {
		return &RangeError{Purpose: "verify", From: within.Start, To: within.End}
	}
	entries, err := v.entries(ctx, within)
	if err != nil {
		return err
	}
	entries = slices.DeleteFunc(entries, func(e sink.Entry) bool { return e.Window.Start.Before(kept) }) // of an older, larger grid
	if err := v.recall(ctx); err != nil {
		return err
	}
	complete := completeOf(entries)
	if n := len(complete); r.To.IsZero() && n > 0 { // what has just ended waits for its tick
		within.End = complete[n-1].Window.End
	}
	v.found.Unread = v.unread(within, complete)
	v.found.Differing, err = v.differing(ctx, complete, 1)
	if err != nil || !r.Repair || len(v.found.Differing) == 0 || v.stopped() {
		return err
	}
	return v.repair(ctx)
}

// entries are the ledger's windows of a range.
func (v *verification) entries(ctx context.Context, within window.Window) ([]sink.Entry, error) {
	entries, err := v.Warehouse.Entries(ctx, v.Dataset.Name, v.Dataset.ConfigHash, within)
	if errors.Is(err, sink.ErrSuperseded) || errors.Is(err, sink.ErrNotMigrated) {
		return nil, ErrNotPrepared
	}
	return entries, err
}

// completeOf are the windows that have been read to their end.
func completeOf(entries []sink.Entry) (complete []sink.Entry) {
	for _, e := range entries {
		if e.Complete() {
			complete = append(complete, e)
		}
	}
	return complete
}

// unread counts the windows of a range that have ended and are not complete, whether the ledger has them or not.
func (v *verification) unread(within window.Window, complete []sink.Entry) int {
	covered := make([]window.Window, len(complete))
	for i, e := range complete {
		covered[i] = e.Window
	}
	n := 0
	for _, gap := range window.Gaps(within, covered) {
		for _, piece := range v.Dataset.Grid.Cut(gap) {
			if !v.Dataset.Grid.At(piece.Start).End.After(v.edge) {
				n++
			}
		}
	}
	return n
}

// differing compares windows, span by span, and returns those that differ. look counts how often they are read.
func (v *verification) differing(ctx context.Context, entries []sink.Entry, look int) (differing []Difference, err error) {
	for len(entries) > 0 && !v.stopped() {
		n := v.readTogether(entries)
		span := entries[:n]
		entries = entries[n:]
		found, err := v.lookAt(ctx, span, look)
		differing = append(differing, found...)
		if err == nil {
			continue
		}
		if ctx.Err() != nil {
			return differing, context.Cause(ctx)
		}
		v.found.Failed = append(v.found.Failed, SpanError{Span: sink.SpanOf(span), Err: err})
		if fatal(err) {
			return differing, err
		}
	}
	return differing, nil
}

// readTogether is how many of the windows, counted from the first, make a span.
func (v *verification) readTogether(entries []sink.Entry) int {
	if v.Dataset.whole() {
		return 1
	}
	n := 1
	for n < len(entries) && entries[n].Window.Start.Equal(entries[n-1].Window.End) &&
		entries[n].Window.End.Sub(entries[0].Window.Start) <= v.caps().maxSpan(v.Dataset) {
		n++
	}
	return fitSpan(entries[:n], nil, v.room(), false).windows
}

// lookAt compares the windows of a span. What differs at the first look is looked at again: a row may have been written
// or restated between the two readings. So is a window whose ledger row changed while it was looked at.
func (v *verification) lookAt(ctx context.Context, span []sink.Entry, look int) ([]Difference, error) {
	compared, err := v.compare(ctx, span)
	if err != nil {
		return nil, err
	}
	if look == 1 {
		v.found.Windows += len(span)
		v.found.Rows += compared.rows
		v.found.Rejected += compared.rejected
	}
	if len(compared.differing) == 0 {
		return nil, nil
	}
	now, err := v.entries(ctx, sink.SpanOf(span))
	if err != nil {
		return nil, err
	}
	var told []Difference
	var again []sink.Entry
	for _, e := range now {
		d, differs := compared.differing[e.Window.Start.UnixMicro()]
		switch {
		case !differs:
		case look > 1 && stood(span, e):
			d.NextReadAt = e.NextReadAt
			told = append(told, *d)
		case look == maxLooks || !e.Complete():
			v.found.Failed = append(v.found.Failed, SpanError{Span: e.Window, Err: errRestless})
		default:
			again = append(again, e)
		}
	}
	more, err := v.differing(ctx, again, look+1)
	told = append(told, more...)
	slices.SortFunc(told, func(a, b Difference) int { return a.Window.Start.Compare(b.Window.Start) })
	return told, err
}

// errRestless says that a window was read by somebody else whenever it was looked at.
var errRestless = errors.New("the window was read by another process each time that it was compared: verify it again later")

// stood reports whether the ledger says the same of a window as it did before.
func stood(before []sink.Entry, now sink.Entry) bool {
	for _, e := range before {
		if e.Window.Start.Equal(now.Window.Start) {
			return e == now
		}
	}
	return false
}

// compare reads a span and compares it with the table, part by part.
func (v *verification) compare(ctx context.Context, span []sink.Entry) (*comparison, error) {
	all := newComparison(v.Exporter, span)
	err := v.readAll(ctx, span, func(part *sink.Batch) error { return all.compare(ctx, part) })
	return all, err
}

// readAll reads windows that nobody has to lease, as an export reads them, and hands on each part.
func (v *verification) readAll(ctx context.Context, entries []sink.Entry, each func(part *sink.Batch) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := spanOf(v.passage, entries)
	out := newOutlet(func() int { return aheadAlone })
	var group errgroup.Group
	group.Go(func() error {
		defer close(out.handed)
		return s.read(ctx, sink.SpanOf(entries), out)
	})
	var failure error
	for o := range out.handed {
		v.found.Requests += o.part.event.Requests
		if failure == nil {
			if failure = partError(o.part.batch); failure == nil {
				failure = each(o.part.batch)
			}
			if failure != nil {
				cancel(failure)
			}
		}
		close(o.settled)
	}
	if err := group.Wait(); failure == nil {
		failure = err
	}
	return failure
}

// partError says that a part never held still, so that nothing can be told from it.
func partError(part *sink.Batch) error {
	for _, r := range part.Readings {
		if r.State == sink.StateUnstable {
			return errors.New(r.Error)
		}
	}
	return nil
}

// repair makes the windows that differ due, reads them as any window is read, and compares them once more.
func (v *verification) repair(ctx context.Context) error {
	v.found.Repaired = true
	mark := sink.Mark{Dataset: v.Dataset.Name, ConfigHash: v.Dataset.ConfigHash, Now: v.now()}
	hull := v.found.Differing[0].Window
	for _, d := range v.found.Differing {
		mark.Holding = append(mark.Holding, d.Window.Start)
		hull.End = d.Window.End
	}
	if err := v.Warehouse.MarkDue(ctx, mark); err != nil {
		return err
	}
	summary, err := v.Finish(ctx, Pass{
		Kind: sink.RunOnce, Order: sink.OldestFirst, Within: hull, ReadBefore: mark.Now, Stop: v.Stop,
	})
	v.found.Requests += summary.Requests
	v.found.Failed = append(v.found.Failed, summary.Failed...)
	if err != nil {
		return fmt.Errorf("repair: %w", err)
	}
	entries, err := v.entries(ctx, hull)
	if err != nil {
		return err
	}
	var repaired []sink.Entry
	for _, e := range completeOf(entries) {
		for _, d := range v.found.Differing {
			if e.Window.Start.Equal(d.Window.Start) {
				repaired = append(repaired, e)
			}
		}
	}
	v.found.Left, err = v.differing(ctx, repaired, 2)
	return err
}
