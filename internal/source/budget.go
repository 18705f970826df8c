package source

import (
	"context"
	"sync"
	"time"
)

// Budget holds the slots of an endpoint for all who share its rate: several clients, in several processes.
type Budget interface {
	// Take shows take the slots and the time, by one clock for all, and keeps what it returns. Whoever shares the budget
	// waits meanwhile. take may be called several times, of which the last counts. It blocks until that is done, an
	// error, or the end of ctx.
	Take(ctx context.Context, take func(now time.Time, s Slots) Slots) error
}

// Slots is a line of times at which requests may be sent. Each request takes one of them, so that together there are
// never more than the rate allows, whoever sends them. The zero Slots are those that nobody has taken of yet.
type Slots struct {
	Next    time.Time // nobody has taken a slot at or after it
	Rate    float64   // the part of the full rate at which slots follow each other; zero: 1
	Lowered int64     // times that the rate was lowered
}

const (
	slowest  = 32              // the rate is never lowered below this part of the full one
	recovery = 50              // so many successes win back the full rate from nothing
	batch    = time.Second / 2 // the stretch of slots that a client takes at once, at most
	// forgiven is after how long without a request a lowered rate is the full one again.
	forgiven = 10 * time.Minute
)

// grant is some slots in a row.
type grant struct {
	wait  time.Duration // until the first
	every time.Duration // from one to the next
	n     int
}

// take takes up to n slots, after so many requests that succeeded. full is the full rate, in requests a second.
func (s Slots) take(now time.Time, full float64, n, succeeded int) (Slots, grant) {
	s = s.sound(now, full)
	s.Rate = min(s.Rate+float64(succeeded)/recovery, 1)
	g := grant{every: every(full * s.Rate), n: max(min(n, int(full*s.Rate*batch.Seconds())), 1)}
	if now.After(s.Next) {
		s.Next = now
	}
	g.wait = s.Next.Sub(now)
	s.Next = s.Next.Add(time.Duration(g.n) * g.every).Round(time.Microsecond)
	return s, g
}

// slowDown answers a 429 to a request that was sent when the rate had been lowered so many times: those that were under
// way when it was lowered do not lower it again. Nothing is to be sent for retryAfter.
func (s Slots) slowDown(now time.Time, full float64, lowered int64, retryAfter time.Duration) Slots {
	s = s.sound(now, full)
	if s.Lowered == lowered {
		s.Rate, s.Lowered = max(s.Rate/2, 1.0/slowest), s.Lowered+1
	}
	if until := now.Add(retryAfter); until.After(s.Next) {
		s.Next = until
	}
	return s
}

// sound is the slots without what no client can have left behind: a line that is longer than the longest pause and a
// crowd of clients make it was left by a clock that was ahead. And without what is forgiven.
func (s Slots) sound(now time.Time, full float64) Slots {
	if s.Rate <= 0 || s.Rate > 1 || now.Sub(s.Next) > forgiven {
		s.Rate = 1
	}
	if s.Next.Sub(now) > longestPause+time.Minute+100*every(full*s.Rate) {
		s.Next = now
	}
	return s
}

func every(perSecond float64) time.Duration { return time.Duration(float64(time.Second) / perSecond) }

// ownBudget is the budget of a client that shares it with nobody.
type ownBudget struct {
	mu    sync.Mutex
	slots Slots
}

// Take never fails.
func (b *ownBudget) Take(_ context.Context, take func(time.Time, Slots) Slots) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.slots = take(time.Now(), b.slots)
	return nil
}
