package export

import (
	"context"
	"errors"
	"log/slog"
	"strings"
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

// Export makes one pass: plan, then span after span of what is due, then comparison with insights, filling of new columns,
// deletion of old rows. A span that fails stays due and stops no other; the error says why the pass itself could not go on.
func (e *Exporter) Export(ctx context.Context, pass Pass) (Summary, error) {
	p := newPassage(e, pass)
	return p.finish(ctx, p.export(ctx))
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
	if err := p.deleteOld(ctx); err != nil {
		return err
	}
	return p.seeHeld(ctx)
}

// exportHeld reads what others held when the pass before looked. The next pass does all the rest.
func (p *passage) exportHeld(ctx context.Context) error {
	if err := p.exportDue(ctx); err != nil {
		return err
	}
	if p.claims.run.ID != 0 {
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
		p.totals.summary.Held = Held{Due: p.dueAt, Left: left}
	}
	return err
}

// passage is a pass under way. What is due is fixed when it begins: a window that becomes due while it runs is the next
// pass's. What is its own is written by the goroutine of the pass, while no lane is at work.
type passage struct {
	*Exporter
	Pass
	began time.Time
	dueAt time.Time // what is due by then is read
	edge  time.Time // nothing at or after it is read

	trouble  sink.Trouble // as the warehouse has it
	onCommit func()       // when set, is called after each commit

	claims claims
	lanesShared
	totals totals
}

// lanesShared is what the lanes of a pass share. Each part of it guards itself.
type lanesShared struct {
	// atWork counts the lanes at work.
	atWork atomic.Int32
	// heavy counts the spans in a row that were cut since the source did not answer them.
	heavy atomic.Int32
	// contest is what others wrote of the rows that were being read.
	contest contest
	// efforts tell whether another lane is worth its memory.
	efforts efforts
	// spare is what rows lay in that are committed.
	spare spare
}

func newPassage(e *Exporter, pass Pass) *passage {
	began := e.now()
	dueAt := began
	if !pass.Due.IsZero() {
		dueAt = pass.Due
	}
	p := &passage{
		Exporter: e, Pass: pass, began: began, dueAt: dueAt, edge: e.Dataset.edge(dueAt),
		lanesShared: lanesShared{contest: contest{of: &e.lasting.overtaken}}, totals: totals{summary: Summary{Dataset: e.Dataset.Name}},
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
	if p.lasting.prepared.Load() {
		return nil
	}
	d := p.Dataset
	done, err := p.Warehouse.Prepare(ctx, sink.Dataset{
		Name: d.Name, Kind: d.Kind, Table: d.Mapper.Table(), FurtherTables: d.Tables()[1:], ConfigHash: d.ConfigHash, Reread: d.Reread, Form: d.form(),
	})
	if err != nil {
		return err
	}
	p.lasting.prepared.Store(true)
	p.lasting.deletedBefore = time.Time{} // the table may be another one
	p.lasting.promotion = promotion{columns: done.Unpromoted}
	if columns := done.FromExtra(); len(columns) > 0 {
		p.Logger.Info("columns are filled from _extra, after what is due", "dataset", d.Name, "columns", columns)
	}
	for _, renamed := range done.Renamed {
		p.Logger.Warn(renamed.String(), "dataset", d.Name)
	}
	switch {
	case done.Outgrown > 0:
		p.Logger.Warn("the mapping changed, and appended rows of the older one cannot be compared with new ones: the windows that were read stay as they are and are not read again, also for what comes late or is restated; to have them by the new mapping, delete their rows, then run --backfill",
			"dataset", d.Name, "windows", done.Outgrown)
	case done.ConfigChanged && !done.Created: // of a table that is new, all is read again
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

// plan enters the windows that are missing from the ledger.
func (p *passage) plan(ctx context.Context) error {
	within := p.Dataset.Planned(p.dueAt)
	if !p.Dataset.Snapshot && !p.Within.Empty() {
		within = p.Within
	}
	if within.Empty() {
		return nil
	}
	cut, keptOtherwise := p.Dataset.Grid.Cut, false
	if p.Dataset.Snapshot {
		cut = func(gap window.Window) []window.Window {
			if isSnapshot(gap) {
				return []window.Window{gap}
			}
			keptOtherwise = true // for good: it may be cut again
			return nil
		}
	}
	_, err := p.Warehouse.Plan(ctx, p.Dataset.Name, within, p.dueAt, cut)
	if err == nil && keptOtherwise {
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

// finish keeps how the run ended and sums the pass up.
func (p *passage) finish(ctx context.Context, err error) (Summary, error) {
	summary := &p.totals.summary
	summary.Took = p.now().Sub(p.began)
	summary.Stopped = p.stopped() || errors.Is(err, ErrInterrupted) || errors.Is(err, context.Canceled)
	writing, cancel := closing(ctx)
	defer cancel()
	if run := &p.claims.run; run.ID != 0 {
		run.EndedAt = p.now()
		run.Outcome, run.Spent = outcomeOf(*summary, err), summary.Spent
		err = errors.Join(err, p.Warehouse.EndRun(writing, *run))
	}
	if summary.Rejected > 0 {
		p.Logger.Warn("rows do not fit the mapping: they are kept as rejects, not in the table; exporter rejects list says why",
			"dataset", p.Dataset.Name, "rows", summary.Rejected, "of", summary.RowsRead)
	}
	if told := p.tellTrouble(writing, err); told != nil {
		err = errors.Join(err, told)
	}
	return *summary, err
}
