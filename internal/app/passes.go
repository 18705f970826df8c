package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
)

// UnknownDatasetError names a dataset that is not in the config.
type UnknownDatasetError struct {
	Name  string
	Known []string
}

func (e *UnknownDatasetError) Error() string {
	return fmt.Sprintf("no dataset is named %q; the config has: %s", e.Name, strings.Join(e.Known, ", "))
}

// ErrInterrupted says that ctx ended before all was done. What was read is committed.
var ErrInterrupted = errors.New("interrupted; the same command goes on with what is left")

// Once makes one pass over all that is due of the named datasets (none: all), several at a time. The
// summaries are in the order of the config. The error joins why passes could not go on and which spans were
// not read (*export.FailedError), or where nothing failed what rests (*RestingError), or is ErrInterrupted.
func (a *App) Once(ctx context.Context, names []string) ([]export.Summary, error) {
	summaries, err := a.each(ctx, names, func(hard context.Context, e *export.Exporter) (export.Summary, error) {
		return e.Finish(hard, export.Pass{Kind: sink.RunOnce, Order: sink.LiveFirst, Stop: ctx.Done()})
	})
	if err == nil {
		err = a.resting(context.WithoutCancel(ctx), summaries) // what was asked for is done, even if it was told to end meanwhile
	}
	return summaries, err
}

// RestingError says that nothing failed now, but that windows which failed before were not due again yet.
type RestingError struct {
	Windows int64
	Reason  string // of the earliest
}

func (e *RestingError) Error() string {
	return fmt.Sprintf("%s before, and not tried again yet: %s (exporter run --backfill tries at once)",
		plural(int(e.Windows), "window could not be read", "windows could not be read"), e.Reason)
}

// resting joins a *RestingError for each dataset whose windows failed and wait to be read again.
func (a *App) resting(ctx context.Context, summaries []export.Summary) error {
	all, err := a.warehouse.Status(ctx, a.Clock.Now())
	for _, s := range summaries {
		if d := sink.StatusOf(all, s.Dataset); d != nil && d.Failed > 0 {
			err = errors.Join(err, fmt.Errorf("%s: %w", s.Dataset, &RestingError{Windows: d.Failed, Reason: d.Error}))
		}
	}
	return err
}

// Moment is a time, or a date that begins at midnight in the timezone of whatever dataset it is applied to.
type Moment struct {
	Time   time.Time // for a date: its midnight in UTC
	IsDate bool
}

// In is the moment for a dataset of a timezone.
func (m Moment) In(location *time.Location) time.Time {
	if !m.IsDate {
		return m.Time
	}
	y, month, d := m.Time.Date()
	return time.Date(y, month, d, 0, 0, 0, 0, location)
}

// Range is what a backfill or a verification reads.
type Range struct {
	From        Moment
	To          Moment // the zero Moment: up to now
	NewestFirst bool
	Restart     bool // begin anew, even if a backfill of this range is unfinished
}

// in is the range for a dataset of a timezone: a zero to is up to now.
func (r Range) in(location *time.Location) (from, to time.Time) {
	if !r.To.Time.IsZero() {
		to = r.To.In(location)
	}
	return r.From.In(location), to
}

// Backfill reads a range of the named datasets (none: all) whole, read before or not. See export.Range.
func (a *App) Backfill(ctx context.Context, names []string, r Range, progress func(dataset string, left sink.Remaining)) ([]export.Summary, error) {
	return a.each(ctx, names, func(hard context.Context, e *export.Exporter) (export.Summary, error) {
		if e.Dataset.Snapshot && len(names) == 0 {
			return export.Summary{Dataset: e.Dataset.Name}, nil // it has no past; who names it is told so
		}
		from, to := r.in(e.Dataset.Grid.Location())
		of := export.Range{From: from, To: to, NewestFirst: r.NewestFirst, Restart: r.Restart, Stop: ctx.Done()}
		if progress != nil {
			of.Progress = func(left sink.Remaining) { progress(e.Dataset.Name, left) }
		}
		return e.Backfill(hard, of)
	})
}

// each exports the named datasets, all at once: the source bounds the requests, the warehouse the connections.
func (a *App) each(ctx context.Context, names []string, work func(context.Context, *export.Exporter) (export.Summary, error)) ([]export.Summary, error) {
	chosen, err := a.choose(names)
	if err != nil {
		return nil, err
	}
	if err := a.Migrate(ctx); err != nil {
		return nil, err
	}
	summaries, err := atOnce(ctx, a, chosen, func(hard context.Context, e *export.Exporter) (export.Summary, error) {
		s, err := work(hard, e)
		return s, reason(s, err)
	})
	if ctx.Err() != nil && slices.ContainsFunc(summaries, func(s export.Summary) bool { return s.Stopped }) {
		return summaries, ErrInterrupted
	}
	return summaries, err
}

// atOnce works on datasets, all at once. When ctx ends no new span is begun, and those under way have DrainTimeout to end.
// What came of them is in the order of the datasets; the error joins all.
func atOnce[T any](ctx context.Context, a *App, chosen []*export.Exporter, work func(context.Context, *export.Exporter) (T, error)) ([]T, error) {
	hard, cancel := a.drain(ctx)
	defer cancel()
	done := make([]T, len(chosen))
	errs := make([]error, len(chosen))
	var working sync.WaitGroup
	for i, e := range chosen {
		working.Go(func() { done[i], errs[i] = work(hard, e) })
	}
	working.Wait()
	return done, together(chosen, errs)
}

func (a *App) choose(names []string) ([]*export.Exporter, error) {
	if len(names) == 0 {
		return a.exporters, nil
	}
	var chosen []*export.Exporter
	for _, name := range names {
		e := a.exporter(name)
		if e == nil {
			return nil, &UnknownDatasetError{Name: name, Known: a.Datasets()}
		}
		if !slices.Contains(chosen, e) { // a dataset has one pass at a time
			chosen = append(chosen, e)
		}
	}
	return chosen, nil
}

// exporter is that of a dataset; nil where the config has none of the name.
func (a *App) exporter(name string) *export.Exporter {
	if j, ok := a.job(name); ok {
		return j.exporter
	}
	return nil
}

// drain is a context that outlives ctx by DrainTimeout, so that what is under way when ctx ends can be
// committed; then it ends with export.ErrInterrupted as its cause.
func (a *App) drain(ctx context.Context) (context.Context, context.CancelFunc) {
	hard, interrupt := context.WithCancelCause(context.WithoutCancel(ctx))
	var waiting sync.WaitGroup
	stopWaiting := make(chan struct{})
	waiting.Go(func() {
		select {
		case <-stopWaiting:
			return
		case <-ctx.Done():
		}
		a.course.enter(draining)
		doing := "stopping"
		if errors.Is(context.Cause(ctx), errReplaced) {
			doing = "reloading"
		}
		a.Logger.Info(doing+": what is being read has time to end", "timeout", a.DrainTimeout.String())
		timer := a.Clock.NewTimer(a.DrainTimeout)
		defer timer.Stop()
		select {
		case <-stopWaiting:
		case <-timer.Chan():
			interrupt(export.ErrInterrupted)
		}
	})
	return hard, func() {
		close(stopWaiting)
		waiting.Wait()
		interrupt(nil)
	}
}
