package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schedule"
	"samespace-exporter/internal/schedule/crontab"
	"samespace-exporter/internal/sink"
)

// job is when a dataset is exported.
type job struct {
	exporter *export.Exporter
	ticks    crontab.Schedule
	location *time.Location
}

// dueSince is the tick that should move on what is complete, or read, through a time: the first one after which there is more, and
// that is not before earliest. It may be to come.
func (j job) dueSince(through, earliest time.Time) time.Time {
	from := slices.MaxFunc([]time.Time{j.exporter.Dataset.Ripe(through), j.exporter.Dataset.Since, earliest}, time.Time.Compare)
	return j.ticks.Next(from, j.location)
}

// work exports every dataset on its schedule until ctx ends. Then it starts nothing new, and what is under way has
// DrainTimeout to end.
func (a *App) work(ctx context.Context) error {
	hard, cancel := a.drain(ctx)
	defer cancel()
	defer a.alarms.watch(ctx)()
	a.course.enter(waiting)
	if err := a.migrateUntilDone(ctx); err != nil {
		return err
	}
	a.course.enter(exporting)
	return a.scheduler.Run(ctx, a.scheduled(hard, ctx.Done()))
}

// scheduled are the datasets as jobs of the scheduler.
func (a *App) scheduled(hard context.Context, stop <-chan struct{}) []schedule.Job {
	var jobs []schedule.Job
	for _, j := range a.jobs {
		jobs = append(jobs, schedule.Job{
			Name: j.exporter.Dataset.Name, Ticks: j.ticks, Location: j.location,
			Run: func(context.Context) { a.export(hard, j, stop) },
		})
	}
	return jobs
}

// export makes a scheduled pass, and goes on with the next one for as long as each is due before the one before has ended:
// the scheduler drops a tick that comes meanwhile.
func (a *App) export(ctx context.Context, j job, stop <-chan struct{}) {
	for due := true; due; {
		due = a.pass(ctx, j, stop)
	}
}

// pass makes a scheduled pass, and reports whether the next one is due by its end. What others hold it waits for and reads:
// the windows of a killed process, or its own of before the warehouse went away, would else lie until the next tick, which
// may be tomorrow's.
func (a *App) pass(ctx context.Context, j job, stop <-chan struct{}) (nextIsDue bool) {
	if name := j.exporter.Dataset.Name; !a.health.mayAsk(name) {
		a.Logger.Debug("no pass: the last ones were refused or failed", "dataset", name)
		a.alarms.look() // what could not be told yet, or has become stale
		return false
	}
	var held export.Held
	for waits := 0; ; waits++ {
		s, until, err := a.passOnceBack(ctx, j, stop, held.Due)
		held = s.Held
		if err != nil || s.Stopped || !a.waitForOthers(ctx, stop, s, until, waits) {
			return err == nil && !s.Stopped && !until.IsZero() && !a.Clock.Now().Before(until)
		}
	}
}

// passOnceBack makes a pass over what is due, or with due over what others held then. When the warehouse is away it waits, and
// goes on with all that is due as soon as that is back. until is when the next pass is due.
func (a *App) passOnceBack(ctx context.Context, j job, stop <-chan struct{}, due time.Time) (s export.Summary, until time.Time, err error) {
	e := j.exporter
	for looks := 0; ; looks++ {
		now := a.Clock.Now()
		tick, until := j.ticks.Last(now, j.location), j.ticks.Next(now, j.location)
		s, err := e.Export(ctx, export.Pass{Kind: sink.RunScheduled, Order: sink.LiveFirst, Stop: stop, Tick: tick, Until: until, Due: due})
		a.conclude(s, reason(s, err), a.health.note(e.Dataset.Name, s, err))
		var unavailable *sink.UnavailableError
		away := errors.As(err, &unavailable)
		// A warehouse that is back at the next look is no news, nor is a table that another replica alters.
		if !s.Stopped && (!away || looks > 0) && !errors.Is(err, sink.ErrBeingPrepared) {
			a.alarms.passed(s.Dataset, passError(s, err)) // of spans that failed the ledger tells, whoever reads them next
		}
		if !away || !a.health.wait(ctx, stop, looks) {
			return s, until, err
		}
		due = time.Time{}
	}
}

// waitForOthers waits before the nth look at what others held when a pass ended, until the first of their leases can have ended;
// false when that is nothing, when the next tick comes before and finds it, or when the daemon is to stop.
func (a *App) waitForOthers(ctx context.Context, stop <-chan struct{}, s export.Summary, until time.Time, n int) bool {
	// Longer each time, up to a minute: a lease that has ended may stay in the way, of a commit that is under way.
	wait := max(s.Held.Left, waitBefore(n))
	if s.Held.Due.IsZero() || !until.IsZero() && !a.Clock.Now().Add(wait).Before(until) {
		return false
	}
	a.Logger.Debug("waiting for windows that another process holds, or held when it was killed", "dataset", s.Dataset, "wait", wait.String())
	return a.health.pause(ctx, stop, wait)
}

// conclude tells what came of a pass; the log only when that is news.
func (a *App) conclude(s export.Summary, err error, news bool) {
	logger := a.Logger.With("dataset", s.Dataset)
	outcome := "done"
	switch {
	case s.Stopped:
		outcome = "interrupted"
		logger.Info("pass interrupted", "windows", s.Windows)
	case err != nil:
		outcome = "failed"
		level := slog.LevelError
		if !news {
			level = slog.LevelDebug
		}
		logger.Log(context.Background(), level, "pass failed", "error", err, "windows", s.Windows, "failed_spans", len(s.Failed))
	case s.Spans > 0:
		logger.Info("pass done", "windows", s.Windows, "requests", s.Requests, "rows", s.RowsRead, "inserted", s.Counts.Inserted,
			"updated", s.Counts.Updated, "unchanged", s.Counts.Unchanged, "deleted", s.Counts.Deleted, "rejected", s.Rejected,
			"replaced_characters", s.Replaced, "took", s.Took.String(),
			"fetch", s.Spent.Fetch.String(), "wait", s.Spent.Wait.String(), "decode", s.Spent.Decode.String(),
			"compare", s.Spent.Compare.String(), "commit", s.Spent.Commit.String())
	default:
		logger.Debug("nothing due")
	}
	a.metrics.Passed(s.Dataset, outcome, s.Took)
	a.course.passed(s.Dataset, outcome, a.Clock.Now())
}

// migrateUntilDone waits for a warehouse that cannot be reached yet: a daemon that starts before its database
// does must not end.
func (a *App) migrateUntilDone(ctx context.Context) error {
	for looks := 0; ; looks++ {
		err := a.Migrate(ctx)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // told to stop while waiting: no failure
		case !a.health.noteWarehouse("", err):
			return err
		case !a.health.wait(ctx, nil, looks):
			return nil
		}
	}
}
