package source

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"
)

// pace spaces all requests of a client, retries included: so many a second, so many at once, none while the
// server has asked for a pause. A 429 halves the rate; each success adds a little back, up to the configured
// rate.
type pace struct {
	places  *semaphore.Weighted
	limiter *rate.Limiter
	full    rate.Limit // the configured rate

	mu          sync.Mutex
	pausedUntil time.Time
	loweredAt   time.Time
}

const (
	slowest  = 32 // the rate is never lowered below this part of the configured one
	recovery = 50 // so many successes win back the configured rate from nothing
)

func newPace(perSecond float64, inFlight int) *pace {
	// Timers are too coarse to space thousands of requests a second one by one.
	burst := int(min(max(perSecond/10, 1), 1000))
	return &pace{
		places:  semaphore.NewWeighted(int64(inFlight)),
		limiter: rate.NewLimiter(rate.Limit(perSecond), burst),
		full:    rate.Limit(perSecond),
	}
}

// enter waits until a request may be sent; leave must be called once it is done. It returns how long it
// waited, and the cause of ctx when that ends first (then there is nothing to leave).
func (p *pace) enter(ctx context.Context) (waited time.Duration, err error) {
	began := time.Now()
	if p.places.Acquire(ctx, 1) != nil {
		return time.Since(began), context.Cause(ctx)
	}
	if err := p.wait(ctx); err != nil {
		p.leave()
		return time.Since(began), err
	}
	return time.Since(began), nil
}

func (p *pace) leave() { p.places.Release(1) }

// wait waits for the end of a pause, then for the rate; then again, if a pause began meanwhile.
func (p *pace) wait(ctx context.Context) error {
	for {
		if err := sleep(ctx, p.pause()); err != nil {
			return err
		}
		if err := p.limiter.Wait(ctx); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("wait for the rate limit: %w", context.DeadlineExceeded) // it would be, by then
		}
		if p.pause() <= 0 {
			return nil
		}
	}
}

// pause is how long the server still wants no requests.
func (p *pace) pause() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.pausedUntil)
}

// slowDown answers a 429 to a request that was sent at sentAt. Requests that were under way when the rate was
// lowered do not lower it again.
func (p *pace) slowDown(sentAt time.Time, retryAfter time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if until := now.Add(retryAfter); until.After(p.pausedUntil) {
		p.pausedUntil = until
	}
	if sentAt.Before(p.loweredAt) {
		return
	}
	p.loweredAt = now
	p.limiter.SetLimit(max(p.limiter.Limit()/2, p.full/slowest))
}

// speedUp answers a success.
func (p *pace) speedUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.limiter.Limit(); now < p.full {
		p.limiter.SetLimit(min(now+p.full/recovery, p.full))
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
