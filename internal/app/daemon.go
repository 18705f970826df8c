package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schedule"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/status"
)

// job is when a dataset is exported.
type job struct {
	exporter *export.Exporter
	cron     string
	location *time.Location
}

// Run is the daemon: it exports every dataset on its schedule and serves http, until ctx ends. Then it starts
// nothing new, and what is under way has DrainTimeout to end. It may start before the warehouse does.
// serving, when set, is told the address that is served (nil when http is off).
func (a *App) Run(ctx context.Context, serving func(net.Addr)) error {
	a.warnOfSkipped()
	scheduler := schedule.New(a.Clock, a.Logger)
	server, listener, err := a.listen(scheduler)
	if err != nil {
		return err
	}
	if serving != nil {
		serving(address(listener))
	}
	// What fails ends the rest as well: half a daemon helps nobody.
	group, ctx := errgroup.WithContext(ctx)
	hard, cancel := a.drain(ctx)
	defer cancel()
	if server != nil {
		group.Go(func() error { return serve(ctx, server, listener) })
	}
	group.Go(func() error {
		if err := a.migrateUntilDone(ctx); err != nil {
			return err
		}
		return scheduler.Run(ctx, a.scheduled(hard, ctx.Done()))
	})
	return group.Wait()
}

func (a *App) warnOfSkipped() {
	for _, reason := range a.skipped {
		a.Logger.Warn("not exported", "reason", reason)
	}
}

// scheduled are the datasets as jobs of the scheduler.
func (a *App) scheduled(hard context.Context, stop <-chan struct{}) []schedule.Job {
	var jobs []schedule.Job
	for _, j := range a.jobs {
		jobs = append(jobs, schedule.Job{
			Name: j.exporter.Dataset.Name, Cron: j.cron, Location: j.location,
			Run: func(context.Context) { a.pass(hard, j, stop) },
		})
	}
	return jobs
}

// pass makes a scheduled pass and logs what came of it, once.
func (a *App) pass(ctx context.Context, j job, stop <-chan struct{}) {
	e := j.exporter
	// The config was checked: the cron text is right.
	tick, _ := schedule.Last(j.cron, j.location, a.Clock.Now())
	s, err := e.Export(ctx, export.Pass{Kind: sink.RunScheduled, Order: sink.LiveFirst, Stop: stop, Tick: tick})
	logger := a.Logger.With("dataset", e.Dataset.Name)
	outcome := "done"
	switch err := reason(s, err); {
	case s.Stopped:
		outcome = "interrupted"
		logger.Info("pass interrupted", "windows", s.Windows)
	case err != nil:
		outcome = "failed"
		logger.Error("pass failed", "error", err, "windows", s.Windows, "failed_spans", len(s.Failed))
	case s.Spans > 0:
		logger.Info("pass done", "windows", s.Windows, "requests", s.Requests, "rows", s.RowsRead, "inserted", s.Counts.Inserted,
			"updated", s.Counts.Updated, "unchanged", s.Counts.Unchanged, "deleted", s.Counts.Deleted, "rejected", s.Rejected,
			"replaced_characters", s.Replaced, "took", s.Took.String())
	default:
		logger.Debug("nothing due")
	}
	a.metrics.Passed(e.Dataset.Name, outcome, s.Took)
}

// migrateUntilDone waits for a warehouse that cannot be reached yet: a daemon that starts before its database
// does must not end.
func (a *App) migrateUntilDone(ctx context.Context) error {
	down := false
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := a.Migrate(ctx)
		var unavailable *sink.UnavailableError
		switch {
		case err == nil && down:
			a.Logger.Info("warehouse is back")
		case err == nil:
		case !errors.As(err, &unavailable):
			return struct{}{}, backoff.Permanent(err)
		case !down:
			down = true
			a.Logger.Error("waiting for the warehouse", "error", err)
		}
		return struct{}{}, err
	}, backoff.WithMaxElapsedTime(0))
	if ctx.Err() != nil {
		return nil //nolint:nilerr // told to stop while waiting: no failure
	}
	return err
}

// listen opens the http server's port; all nil when http is off.
func (a *App) listen(scheduler *schedule.Scheduler) (*http.Server, net.Listener, error) {
	if a.config.HTTP.Listen == "" {
		return nil, nil, nil
	}
	listener, err := net.Listen("tcp", a.config.HTTP.Listen)
	if err != nil {
		return nil, nil, fmt.Errorf("%w; choose another http.listen", err)
	}
	handler := status.New(status.Options{
		Warehouse: a.warehouse, Registry: a.registry, Clock: a.Clock.Now, Version: a.Version, Next: scheduler.Next,
	})
	return &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}, listener, nil
}

// serve serves until ctx ends, then lets answers under way end.
func serve(ctx context.Context, server *http.Server, listener net.Listener) error {
	var group errgroup.Group
	ctx, cancel := context.WithCancel(ctx)
	group.Go(func() error {
		<-ctx.Done()
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		return server.Shutdown(stopping)
	})
	group.Go(func() error {
		defer cancel()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve http: %w", err)
		}
		return nil
	})
	return group.Wait()
}

func address(l net.Listener) net.Addr {
	if l == nil {
		return nil
	}
	return l.Addr()
}
