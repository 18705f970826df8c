package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"sync"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/status"
)

// notifier tells people something. Post blocks until it is told, or cannot be; the error is free of secrets.
type notifier interface {
	Post(ctx context.Context, text string) error
}

// board keeps which alarms are raised: of all that change one in the same way, one is told that it was the first.
type board interface {
	RaiseAlarm(ctx context.Context, dataset string, alarm sink.Alarm, now time.Time) (bool, error)
	LowerAlarm(ctx context.Context, dataset string, alarm sink.Alarm) (bool, error)
}

// alarms tells people of datasets that fail or fall behind: once when it begins, once when it is over. What the ledger
// knows (windows or passes that fail, also since the key is refused) is told by one of all replicas, by way of the warehouse's
// board. What only this process knows (its way to the warehouse or to the API is cut off, another config has taken its place) it
// tells by itself, and again after a restart.
type alarms struct {
	*App
	notifier notifier
	own      memory // a daemon's: it outlives a reload
	began    time.Time
	wake     chan struct{}

	mu     sync.Mutex
	passes map[string]error // how the last pass of each dataset failed, but for its spans; nil: it did not

	// Known to the watching goroutine only.

	known  map[alarmKey]bool // as this process last saw them: the board is asked for changes only
	silent bool              // the last message could not be told
}

type alarmKey struct {
	dataset string
	alarm   sink.Alarm
}

// The alarms of which a process knows by itself.
const (
	alarmPass      sink.Alarm = "pass"      // a pass fails, and not over its windows
	alarmWarehouse sink.Alarm = "warehouse" // of no dataset
)

const (
	checkEvery   = time.Minute
	checkTimeout = 10 * time.Second // of what is asked of the warehouse
)

// state is whether there is trouble of a kind, and what to say when that is new.
type state struct {
	alarmKey
	board          board
	on             bool
	begins, isOver string
}

func newAlarms(a *App, n notifier) *alarms {
	return &alarms{
		App: a, notifier: n, own: memory{}, wake: make(chan struct{}, 1),
		passes: map[string]error{}, known: map[alarmKey]bool{},
	}
}

// remember has it go on from what the process has told of its own trouble.
func (w *alarms) remember(told memory) {
	if w != nil {
		w.own = told
	}
}

// watch looks for trouble at once, every minute, and at each tick, until ctx ends. The returned func ends it and waits for that.
func (w *alarms) watch(ctx context.Context) (end func()) {
	if w == nil {
		return func() {}
	}
	w.began = w.Clock.Now()
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		ticker := w.Clock.NewTicker(checkEvery)
		defer ticker.Stop()
		for ctx.Err() == nil {
			w.check(ctx)
			select {
			case <-ctx.Done():
			case <-ticker.Chan():
			case <-w.wake:
			}
		}
	})
	return func() {
		cancel()
		watching.Wait()
	}
}

// passed tells why a pass failed, but for its spans; nil where it did not. It does not block.
func (w *alarms) passed(dataset string, failure error) {
	if w == nil {
		return
	}
	w.mu.Lock()
	w.passes[dataset] = failure
	w.mu.Unlock()
	w.look()
}

// look has it look for trouble now. It does not block.
func (w *alarms) look() {
	if w == nil {
		return
	}
	select {
	case w.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// check finds out what has changed, and tells of it. What could not be told is as if it had not been noticed, so that
// the next check finds it again.
func (w *alarms) check(ctx context.Context) {
	var lines []string
	var told []state
	for _, s := range w.states(ctx) {
		changed, err := w.change(ctx, s, s.on)
		if err != nil {
			w.Logger.Debug("alarm not kept", "dataset", s.dataset, "alarm", s.alarm, "error", err)
			continue
		}
		w.known[s.alarmKey] = s.on
		if !changed {
			continue
		}
		told = append(told, s)
		if s.on {
			lines = append(lines, s.begins)
		} else {
			lines = append(lines, s.isOver)
		}
	}
	if len(lines) == 0 {
		return
	}
	err := w.notifier.Post(ctx, title()+strings.Join(lines, "\n"))
	if err == nil {
		w.silent = false
		return
	}
	if !w.silent {
		w.silent = true
		w.Logger.Error("nobody was told; it is tried again every minute", "error", err, "message", strings.Join(lines, "; "))
	}
	for _, s := range told {
		if _, err := w.change(context.WithoutCancel(ctx), s, !s.on); err != nil {
			w.Logger.Warn("an alarm stays untold", "dataset", s.dataset, "alarm", s.alarm, "error", err)
		}
		delete(w.known, s.alarmKey)
	}
}

func title() string {
	host, err := os.Hostname()
	if err != nil {
		return "samespace-exporter: "
	}
	return "samespace-exporter on " + host + ": "
}

// change keeps whether an alarm is on, and reports whether that is new to all.
func (w *alarms) change(ctx context.Context, s state, on bool) (bool, error) {
	if known, ok := w.known[s.alarmKey]; ok && known == on {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	if on {
		return s.board.RaiseAlarm(ctx, s.dataset, s.alarm, w.Clock.Now())
	}
	return s.board.LowerAlarm(ctx, s.dataset, s.alarm)
}

// states are all kinds of trouble that can be judged now.
func (w *alarms) states(ctx context.Context) []state {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	now := w.Clock.Now()
	all, err := w.warehouse.Status(ctx, now)
	switch {
	case errors.Is(err, sink.ErrNotMigrated) || errors.Is(ctx.Err(), context.Canceled):
		return nil
	case err != nil:
		w.forgetAway()
		return []state{{alarmKey{"", alarmWarehouse}, w.own, true, "nothing is exported: " + err.Error(), ""}}
	}
	states := []state{{alarmKey{"", alarmWarehouse}, w.own, false, "", "the warehouse answers again"}}
	failures := w.failures()
	drifts, err := w.warehouse.Drifts(ctx)
	if err != nil {
		w.Logger.Debug("reconciliations not read", "error", err)
	}
	for _, j := range w.jobs {
		failure, passed := failures[j.exporter.Dataset.Name]
		d := sink.DatasetStatus{Name: j.exporter.Dataset.Name}
		if kept := sink.StatusOf(all, d.Name); kept != nil {
			d = *kept
		}
		failing := w.failing(d)
		states = append(states, failing, w.stale(j, d, now), w.late(j, d))
		if passed && (failure == nil || !failing.on || ownTrouble(failure)) {
			states = append(states, w.stopped(d.Name, failure))
		}
		for _, r := range j.exporter.Reconciles {
			if err == nil && r.Report.Name == d.Name {
				states = append(states, w.drifting(r, drifts))
			}
		}
	}
	return states
}

func (w *alarms) failures() map[string]error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.passes)
}

// forgetAway forgets of passes what is told of the warehouse by now. Once it is back they wait a little before they go on.
func (w *alarms) forgetAway() {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.passes, func(_ string, failure error) bool {
		var unavailable *sink.UnavailableError
		return errors.As(failure, &unavailable)
	})
}

// ownTrouble reports whether other replicas may do well where this one fails: its way to the warehouse or to the API, or its
// config, is its own.
func ownTrouble(failure error) bool {
	var unavailable *sink.UnavailableError
	var request *source.Error
	return errors.As(failure, &unavailable) || errors.Is(failure, sink.ErrSuperseded) ||
		errors.As(failure, &request) && request.Class == source.Unreachable
}

// failing is trouble with windows, or with all of them, that is any replica's. What the ledger tells, it tells of whoever mended
// it, too.
func (w *alarms) failing(d sink.DatasetStatus) state {
	begins := fmt.Sprintf("%s fails: %s", d.Name, d.Reason)
	if d.Failed > 0 {
		begins = fmt.Sprintf("%s fails: %s, and will be tried again: %s", d.Name, plural(int(d.Failed), "window could not be read", "windows could not be read"), d.Error)
	}
	return state{
		alarmKey{d.Name, sink.AlarmFailing}, w.warehouse,
		d.Failed > 0 || d.Problem == sink.ProblemFailing || d.Problem == sink.ProblemKey, begins,
		d.Name + " is well again: no window fails",
	}
}

// stopped is trouble with passes that is this process's, or of which the ledger does not tell.
func (w *alarms) stopped(dataset string, failure error) state {
	begins := ""
	if failure != nil {
		begins = fmt.Sprintf("%s is not exported: %v", dataset, failure)
	}
	return state{alarmKey{dataset, alarmPass}, w.own, failure != nil, begins, dataset + " is exported again"}
}

// stale is trouble with what is complete: the tick that should have moved it on is stale_after ago, and this process
// has had as long to catch up.
func (w *alarms) stale(j job, d sink.DatasetStatus, now time.Time) state {
	through := "nothing is complete yet"
	if !d.Through.IsZero() {
		through = fmt.Sprintf("it is complete through %s UTC only, %s ago", d.Through.UTC().Format(time.DateTime), now.Sub(d.Through).Round(time.Minute))
	}
	return state{
		alarmKey{d.Name, sink.AlarmStale}, w.warehouse, now.Sub(j.dueSince(d.Through, w.began)) > w.config.Notify.StaleAfter,
		fmt.Sprintf("%s is stale: %s", d.Name, through), d.Name + " has caught up",
	}
}

// late is trouble with rows that arrive when their window is read no more.
func (w *alarms) late(j job, d sink.DatasetStatus) state {
	last := j.exporter.Dataset.LastReread()
	return state{
		alarmKey{d.Name, sink.AlarmLate}, w.warehouse, last > 0 && d.Lags.Later(last) > 0,
		d.Name + " misses rows: " + status.LateText(d.Lags, last), d.Name + " misses no rows any more that arrive late",
	}
}

// memory is a board of one process.
type memory map[alarmKey]bool

// RaiseAlarm is part of board.
func (m memory) RaiseAlarm(_ context.Context, dataset string, alarm sink.Alarm, _ time.Time) (bool, error) {
	raised := m[alarmKey{dataset, alarm}]
	m[alarmKey{dataset, alarm}] = true
	return !raised, nil
}

// LowerAlarm is part of board.
func (m memory) LowerAlarm(_ context.Context, dataset string, alarm sink.Alarm) (bool, error) {
	raised := m[alarmKey{dataset, alarm}]
	m[alarmKey{dataset, alarm}] = false
	return raised, nil
}

// forget forgets a dataset that is not exported any more: nobody is told that its trouble is over.
func (m memory) forget(dataset string) {
	maps.DeleteFunc(m, func(k alarmKey, _ bool) bool { return k.dataset == dataset })
}
