package export

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"samespace-exporter/internal/sink"
)

// ErrInterrupted is the cause of a context that ends a pass before its work is done: a signal, or a drain
// that took too long. What was leased is given back.
var ErrInterrupted = errors.New("interrupted")

// held is a lease that is being renewed until it ends.
type held struct {
	mu    sync.Mutex
	lease sink.Lease // of the windows that are not done yet

	abandon context.CancelCauseFunc // ends the work on the span
	stop    context.CancelFunc      // ends the renewing
	done    sync.WaitGroup

	settling settling
}

// settling is what became of the parts of a span so far. It is known to the settling side of a lane only.
type settling struct {
	err     error            // why a part was not committed
	refused map[int64]string // why rows of a window that are gone are not marked, by its start in microseconds
}

// hold keeps the lease alive. The returned context ends, with the reason as its cause, when the lease is lost
// or could not be renewed for as long as it lasts: work on the span must stop then, since another replica
// may have begun it.
func (e *Exporter) hold(ctx context.Context, lease sink.Lease) (context.Context, *held) {
	working, lost := context.WithCancelCause(ctx)
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	h := &held{lease: lease, abandon: lost, stop: stop}
	h.done.Go(func() { lost(e.renew(renewing, h)) })
	return working, h
}

// remaining is the lease of the windows that are not done yet.
func (h *held) remaining() sink.Lease {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lease
}

// finish takes the windows that a commit was the last of out of the lease.
func (h *held) finish(readings []sink.Reading) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lease.Entries = slices.DeleteFunc(slices.Clone(h.lease.Entries), func(e sink.Entry) bool {
		return slices.ContainsFunc(readings, func(r sink.Reading) bool {
			return r.State != sink.StateRunning && r.Start.Equal(e.Window.Start)
		})
	})
}

// end stops the renewing and waits for it. The lease itself is ended by a commit, a failure or a release.
func (h *held) end() {
	h.stop()
	h.done.Wait()
}

// renew lengthens the lease three times within its life, until ctx ends (then it returns nil) or the lease is
// gone.
func (e *Exporter) renew(ctx context.Context, h *held) error {
	ttl := h.remaining().TTL
	every := time.NewTicker(ttl / 3)
	defer every.Stop()
	renewed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		lease := h.remaining()
		if len(lease.Entries) == 0 {
			continue // all is committed: what is still to be learned of the span may take its time
		}
		asked := time.Now()
		attempt, cancel := context.WithTimeout(ctx, ttl/3)
		err := e.Warehouse.Renew(attempt, lease)
		cancel()
		switch {
		case err == nil:
			renewed = asked
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, sink.ErrLeaseLost):
			return err
		case time.Since(renewed) >= ttl:
			return fmt.Errorf("%w: not renewed for %s: %w", sink.ErrLeaseLost, ttl, err)
		}
	}
}
