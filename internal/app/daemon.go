package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"samespace-exporter/internal/config"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/systemd"
)

// Daemon exports every dataset on its schedule and serves http, by a config that may be read again meanwhile. It
// tells the service manager that started it how it is doing.
type Daemon struct {
	// Open reads the config as it is now and makes an App of it. All its Apps must have the same Counters.
	Open func(ctx context.Context) (*App, error)
	// Reload has the config read again at each value. nil: never.
	Reload <-chan os.Signal
	// Serving is told each address that is served; nil when http is turned off. nil: nobody is told.
	Serving func(net.Addr)

	front   *front
	told    memory // of trouble that is this process's own
	manager *systemd.Manager
	current atomic.Pointer[App]
}

// errReplaced is why an App ends whose place another one takes.
var errReplaced = errors.New("another config takes its place")

// Run runs until ctx ends. Then nothing new is started, and what is under way has DrainTimeout to end. It may start
// before the warehouse does.
//
// A reload makes an App of the new config. When that cannot be, when its http.listen cannot be had, when it names
// another warehouse that does not answer, or when it needs a change of a table that no run makes, the old one goes on as if
// nothing had happened. Else the old one's passes have DrainTimeout to end, and then the new one begins with a pass of every
// dataset: ticks of the meantime are made up for, and no dataset has two passes at once. http is served all the while.
func (d *Daemon) Run(ctx context.Context) error {
	app, err := d.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { app.Close() }()
	d.front, d.told = newFront(), memory{}
	defer d.front.close()
	if err := d.move(app.config.HTTP.Listen); err != nil {
		return err
	}
	d.manager = systemd.FromEnvironment(app.Logger)
	d.current.Store(app)
	defer d.watch(ctx)()
	for {
		d.take(app)
		next, err := d.runUntilReplaced(ctx, app)
		if next == nil {
			return err
		}
		answered := d.front.show(next.handler())
		answered()
		d.forget(app, next.Datasets())
		app.Close()
		app = next
	}
}

// take makes an App the one whose config is in use.
func (d *Daemon) take(app *App) {
	d.current.Store(app)
	app.alarms.remember(d.told)
	d.front.show(app.handler())
	app.metrics.ConfigTaken(app.Clock.Now())
	app.Logger.Info("config in use", "datasets", app.Datasets())
	d.manager.Ready(app.course.String())
}

// forget drops the counters and the alarms of the datasets that another config does not export any more.
func (d *Daemon) forget(old *App, kept []string) {
	for _, name := range old.Datasets() {
		if !slices.Contains(kept, name) {
			old.metrics.Forget(name)
			d.told.forget(name)
		}
	}
}

// runUntilReplaced runs an App until ctx ends or it fails, or until another App is to take its place, which it
// returns. Whatever the reason, nothing of the App runs any more then.
func (d *Daemon) runUntilReplaced(ctx context.Context, app *App) (next *App, err error) {
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	done := make(chan error, 1)
	go func() { done <- app.work(working) }()
	for {
		select {
		case err := <-done:
			return nil, err
		case err := <-d.front.failed: // half a daemon helps nobody
			stop(err)
			return nil, errors.Join(err, <-done)
		case <-d.Reload:
			d.manager.Reloading()
			next, err := d.reload(ctx, app)
			if err != nil {
				d.refuse(app, err)
				continue
			}
			stop(errReplaced)
			if err := <-done; err != nil || ctx.Err() != nil {
				next.Close()
				return nil, err
			}
			return next, nil
		}
	}
}

// reload makes an App of the config as it is now, and looks whether it can take the old one's place.
func (d *Daemon) reload(ctx context.Context, old *App) (*App, error) {
	next, err := d.Open(ctx)
	if err != nil {
		return nil, err
	}
	if err := next.canReplace(ctx, old); err != nil {
		next.Close()
		return nil, err
	}
	if err := d.move(next.config.HTTP.Listen); err != nil { // last: it is not undone
		next.Close()
		return nil, err
	}
	return next, nil
}

// probeTimeout bounds how long a warehouse that a new config names may take to answer.
const probeTimeout = 10 * time.Second

// canReplace says why an App cannot go on from where the old one is: its warehouse is another one, and of no use, or it
// needs a change of a table that no run makes. The old one's own warehouse may be down.
func (a *App) canReplace(ctx context.Context, old *App) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	if !sameWarehouse(a.config.Warehouse, old.config.Warehouse) {
		if err := a.Migrate(ctx); err != nil {
			return err
		}
	}
	return a.narrowings(ctx)
}

// narrowings are the changes of tables that no pass would make, of all datasets. What cannot be looked at now is left to
// the passes.
func (a *App) narrowings(ctx context.Context) error {
	var refused []error
	for _, e := range a.exporters {
		for _, table := range e.Dataset.Tables() {
			_, err := a.warehouse.Preview(ctx, e.Dataset.Name, table)
			var narrowing *schema.NarrowingError
			if errors.As(err, &narrowing) {
				refused = append(refused, fmt.Errorf("%s: %w", e.Dataset.Name, err))
			}
		}
	}
	return errors.Join(refused...)
}

func sameWarehouse(a, b config.Warehouse) bool {
	same := a.DSN.Reveal() == b.DSN.Reveal() && a.Password.Reveal() == b.Password.Reveal()
	a.DSN, a.Password, b.DSN, b.Password = config.Secret{}, config.Secret{}, config.Secret{}, config.Secret{}
	return same && a == b
}

// refuse says what is wrong with the new config, a line for each mistake.
func (d *Daemon) refuse(app *App, err error) {
	mistakes := []error{err}
	var malformed config.Errors
	switch joined, ok := err.(interface{ Unwrap() []error }); { //nolint:errorlint // the error itself, not what it wraps
	case errors.As(err, &malformed):
		mistakes = mistakes[:0]
		for _, one := range malformed {
			mistakes = append(mistakes, one)
		}
	case ok:
		mistakes = joined.Unwrap()
	}
	app.metrics.ConfigRefused()
	for _, one := range mistakes {
		app.Logger.Error("new config refused, the old one goes on", "error", one)
	}
	d.manager.Ready(fmt.Sprintf("new config refused (%d mistakes, see the log); %s", len(mistakes), &app.course))
}

// move serves at another address, and tells of it.
func (d *Daemon) move(address string) error {
	moved, err := d.front.move(address)
	if moved && d.Serving != nil {
		d.Serving(d.front.addr())
	}
	return err
}

// watch tells the service manager how the daemon is doing, as long as it lives. The returned func ends that.
func (d *Daemon) watch(ctx context.Context) (end func()) {
	every := d.manager.BeatEvery()
	if every == 0 {
		return func() {}
	}
	ended := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		told := ctx.Done()
		for {
			select {
			case <-ended:
				return
			case <-told:
				told = nil
				d.manager.Stopping()
			case <-ticker.C:
				if app := d.current.Load(); app.alive() {
					d.manager.Beat(app.course.String())
				}
			}
		}
	})
	return func() {
		close(ended)
		watching.Wait()
	}
}
