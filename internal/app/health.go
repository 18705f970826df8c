package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/jonboulle/clockwork"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/status"
)

const (
	// keyProbe is how often the API is asked while it refuses the key.
	keyProbe = 15 * time.Minute
	// firstRest and lastRest bound how long a dataset rests of which a pass read nothing but failures: twice as long each
	// time, so that a report that the API refuses costs few requests.
	firstRest = time.Minute
	lastRest  = 15 * time.Minute
	// firstWait and lastWait bound the time between two looks for a warehouse that is away, or for windows that others hold.
	firstWait = time.Second
	lastWait  = time.Minute
)

// health is what a daemon knows of what is in its way, and that it has said so: each state is told when it begins and
// when it ends, not at every tick between.
type health struct {
	clock  clockwork.Clock
	logger *slog.Logger

	mu         sync.Mutex
	waiting    map[string]bool     // the datasets that wait for the warehouse; "": the daemon's start
	refused    map[string]*refusal // by dataset; under "": the key itself
	rests      map[string]*rest
	superseded map[string]bool
}

// rest is that a dataset is left in peace since its passes fail.
type rest struct {
	until  time.Time
	passes int // in a row
}

// refusal is that the API refuses the key.
type refusal struct {
	reason  string
	probeAt time.Time // when it is asked again
}

func newHealth(o Options) *health {
	return &health{
		clock: o.Clock, logger: o.Logger, waiting: map[string]bool{}, refused: map[string]*refusal{}, rests: map[string]*rest{},
		superseded: map[string]bool{},
	}
}

// mayAsk reports whether a dataset's pass may ask the API now: not while the dataset rests, nor while the API refuses the
// key, but for a probe now and then, by one dataset for all of them.
func (h *health) mayAsk(dataset string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := h.clock.Now()
	if r := h.rests[dataset]; r != nil && now.Before(r.until) {
		return false
	}
	for _, r := range []*refusal{h.refused[""], h.refused[dataset]} {
		if r != nil && now.Before(r.probeAt) {
			return false
		}
	}
	for _, r := range []*refusal{h.refused[""], h.refused[dataset]} {
		if r != nil {
			r.probeAt = now.Add(keyProbe)
		}
	}
	return true
}

// restsUntil is when mayAsk allows the next pass of a dataset; the zero time where it does now.
func (h *health) restsUntil(dataset string) (until time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.rests[dataset]; r != nil {
		until = r.until
	}
	for _, r := range []*refusal{h.refused[""], h.refused[dataset]} {
		if r != nil && r.probeAt.After(until) {
			until = r.probeAt
		}
	}
	return until
}

// note takes note of how a pass ended. news is false when that has been said before.
func (h *health) note(dataset string, s export.Summary, err error) (news bool) {
	if h.noteWarehouse(dataset, err) {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	superseded := errors.Is(err, sink.ErrSuperseded)
	news = !superseded || !h.superseded[dataset]
	h.superseded[dataset] = superseded
	if !h.noteKey(dataset, s, err) {
		return false
	}
	h.noteRest(dataset, s, err)
	return news
}

// noteRest lets a dataset rest of which nothing but failures was read.
func (h *health) noteRest(dataset string, s export.Summary, err error) {
	var request *source.Error
	failed := len(s.Failed) > 0 || errors.As(err, &request)
	if !failed || s.Requests > 0 || s.Stopped || errors.Is(err, sink.ErrSuperseded) {
		delete(h.rests, dataset)
		return
	}
	r := h.rests[dataset]
	if r == nil {
		r = &rest{}
		h.rests[dataset] = r
	}
	r.until = h.clock.Now().Add(min(firstRest<<min(r.passes, 10), lastRest))
	r.passes++
}

// noteWarehouse says once that the warehouse is away, when the first dataset waits for it, and once that it is back, when none
// does any more: it may be a table of one of them only that somebody holds.
func (h *health) noteWarehouse(dataset string, err error) (down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var unavailable *sink.UnavailableError
	down = errors.As(err, &unavailable)
	waited := len(h.waiting) > 0
	if down {
		h.waiting[dataset] = true
	} else {
		delete(h.waiting, dataset)
	}
	switch waits := len(h.waiting) > 0; {
	case waits && !waited:
		h.logger.Error("waiting for the warehouse", "error", err)
	case waited && !waits:
		h.logger.Info("warehouse is back")
	}
	return down
}

// noteKey says once that the API refuses the key, and once that it takes it again.
func (h *health) noteKey(dataset string, s export.Summary, err error) (news bool) {
	var request *source.Error
	if errors.As(err, &request) && request.Class == source.Unauthorized {
		of := ""
		if request.OneReport {
			of = dataset
		}
		known := h.refused[of]
		h.refused[of] = &refusal{reason: err.Error(), probeAt: h.clock.Now().Add(keyProbe)}
		if known == nil {
			h.logger.Error("the API refuses the key: it is asked again now and then, and at once when the exporter is reloaded or restarted with another key",
				"dataset", dataset, "all_datasets", of == "", "next_try", h.refused[of].probeAt, "error", err)
		}
		return false
	}
	for _, of := range []string{"", dataset} {
		switch r := h.refused[of]; {
		case r == nil:
		case s.Requests > 0:
			h.logger.Info("the API takes the key again", "dataset", dataset)
			delete(h.refused, of)
		default: // it was not asked
			r.probeAt = h.clock.Now()
		}
	}
	return true
}

// of is what only this process knows of a dataset: its state, and why. "": nothing.
func (h *health) of(dataset string) (status.State, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.superseded[dataset] {
		return status.Superseded, sink.ErrSuperseded.Error()
	}
	for _, of := range []string{"", dataset} {
		if r := h.refused[of]; r != nil {
			return status.KeyRefused, r.reason
		}
	}
	return "", ""
}

// wait waits before the nth next look for the warehouse; false when the daemon is to stop.
func (h *health) wait(ctx context.Context, stop <-chan struct{}, n int) bool {
	return h.pause(ctx, stop, waitBefore(n))
}

// waitBefore is how long to wait before the nth next look.
func waitBefore(n int) time.Duration { return min(firstWait<<min(n, 10), lastWait) }

// pause waits so long; false when the daemon is to stop.
func (h *health) pause(ctx context.Context, stop <-chan struct{}, d time.Duration) bool {
	timer := h.clock.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.Chan():
		return true
	case <-stop:
	case <-ctx.Done():
	}
	return false
}
