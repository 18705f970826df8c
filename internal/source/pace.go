package source

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// pace spaces all requests of a client, retries included: so many at once, and each at a slot of the budget. Slots are
// taken some at a time, the next ones before the last are used up, so that hardly any request waits for the budget
// itself. A 429 halves the rate of all who share the budget; each success adds a little back, up to the full rate.
type pace struct {
	places places
	budget Budget
	full   float64 // requests a second

	mu          sync.Mutex
	held        []batchOfSlots
	want        int     // slots to be taken at once
	succeeded   int     // requests at the rate of now, since slots were taken last
	lowered     int64   // Slots.Lowered, as it was seen last
	voided      int     // times that all slots in hand became void, since the rate was lowered
	asking      *asking // nil: nobody asks for slots now
	pausedUntil time.Time

	life  context.Context // of what asks for slots
	end   context.CancelFunc
	asked sync.WaitGroup
}

const (
	// late is how long after its time a slot may still be used. Those that are older are void: else an idle client could
	// send many at once.
	late = time.Second
	// soon is how near a slot is used at once: timers are too coarse to space thousands of requests a second one by one.
	soon = time.Millisecond
	// askTimeout bounds one try to take slots.
	askTimeout = 30 * time.Second
)

// slot is the right to send one request.
type slot struct {
	at      time.Time
	lowered int64
	voided  int
}

// batchOfSlots is slots that were taken together and not handed out yet.
type batchOfSlots struct {
	first   time.Time
	every   time.Duration
	n, next int
	used    int
	slot    slot // of which the time is filled in
}

// asking is a try to take slots.
type asking struct {
	done chan struct{}
	err  error
}

func newPace(perSecond float64, inFlight int, budget Budget) *pace {
	p := &pace{places: places{free: inFlight}, budget: budget, full: perSecond, want: 1}
	if p.budget == nil {
		p.budget = &ownBudget{}
	}
	p.life, p.end = context.WithCancel(context.Background())
	return p
}

// close ends what asks for slots.
func (p *pace) close() {
	p.end()
	p.asked.Wait()
}

// enter waits until a request may be sent, in its turn; leave must be called once it is done. It returns how long it
// waited, and an error of the budget or the cause of ctx when that ends first (then there is nothing to leave).
func (p *pace) enter(ctx context.Context, t turn) (s slot, waited time.Duration, err error) {
	began := time.Now()
	if !p.places.take(ctx, t) {
		return slot{}, time.Since(began), context.Cause(ctx)
	}
	if s, err = p.wait(ctx); err != nil {
		p.leave()
	}
	return s, time.Since(began), err
}

func (p *pace) leave() { p.places.giveBack() }

// wait waits for the end of a pause, then for a slot; then again, if that became void meanwhile.
func (p *pace) wait(ctx context.Context) (slot, error) {
	for {
		if err := sleep(ctx, p.pause()); err != nil {
			return slot{}, err
		}
		s, err := p.slot(ctx)
		if err != nil {
			return slot{}, err
		}
		if ahead := time.Until(s.at); ahead >= soon {
			if err := sleep(ctx, ahead); err != nil {
				return slot{}, err
			}
		}
		if p.stands(s) {
			return s, nil
		}
	}
}

// pause is how long the server still wants no requests.
func (p *pace) pause() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Until(p.pausedUntil)
}

// stands reports whether a slot is still the right to send a request.
func (p *pace) stands(s slot) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return s.voided == p.voided && !time.Now().Before(p.pausedUntil)
}

// slot hands out the next slot, which may lie ahead.
func (p *pace) slot(ctx context.Context) (slot, error) {
	for {
		p.mu.Lock()
		s, ok := p.next(time.Now())
		var a *asking
		if !ok || p.runsOut() {
			a = p.ask()
		}
		p.mu.Unlock()
		if ok {
			return s, nil
		}
		select {
		case <-a.done:
			if a.err != nil {
				return slot{}, fmt.Errorf("take a slot of the request budget: %w", a.err)
			}
		case <-ctx.Done():
			return slot{}, context.Cause(ctx)
		}
	}
}

// next takes the next slot in hand. How many are taken the next time follows from how many were of use.
func (p *pace) next(now time.Time) (slot, bool) {
	for len(p.held) > 0 {
		b := &p.held[0]
		if over := now.Sub(b.first) - late; over > 0 && b.every > 0 {
			b.next = max(b.next, min(b.n, int(over/b.every)+1))
		}
		if b.next < b.n {
			s := b.slot
			s.at = b.first.Add(time.Duration(b.next) * b.every)
			b.next, b.used = b.next+1, b.used+1
			return s, true
		}
		p.want = max(b.used, 1)
		if b.used == b.n {
			p.want = 2 * b.n
		}
		p.held = p.held[1:]
	}
	return slot{}, false
}

// runsOut reports whether it is time to take more slots: most of the last ones are used.
func (p *pace) runsOut() bool {
	b := p.held[len(p.held)-1]
	return b.used > b.n/2 && b.n > 1
}

// ask takes slots, unless that is being done.
func (p *pace) ask() *asking {
	if p.asking != nil {
		return p.asking
	}
	a := &asking{done: make(chan struct{})}
	p.asking = a
	want, succeeded, lowered, voided := p.want, p.succeeded, p.lowered, p.voided
	if len(p.held) > 0 {
		want = 2 * p.held[0].n
	}
	p.succeeded = 0
	p.asked.Go(func() {
		defer close(a.done)
		ctx, cancel := context.WithTimeout(p.life, askTimeout)
		defer cancel()
		var after Slots
		var g grant
		a.err = p.budget.Take(ctx, func(now time.Time, s Slots) Slots {
			earned := succeeded
			if s.Lowered != lowered {
				earned = 0
			}
			after, g = s.take(now, p.full, want, earned)
			return after
		})
		p.mu.Lock()
		defer p.mu.Unlock()
		p.asking = nil
		switch {
		case a.err != nil:
			p.succeeded += succeeded
		case voided == p.voided: // else the rate was lowered meanwhile
			if after.Lowered != p.lowered {
				p.lowered, p.succeeded = after.Lowered, 0
			}
			p.held = append(p.held, batchOfSlots{
				first: time.Now().Add(g.wait), every: g.every, n: g.n, slot: slot{lowered: after.Lowered, voided: voided},
			})
		}
	})
	return a
}

// slowDown answers a 429 to the request of a slot: nobody who shares the budget sends a request for retryAfter, but for
// the slots that others have in hand, and all send fewer from then on.
func (p *pace) slowDown(s slot, retryAfter time.Duration) {
	p.mu.Lock()
	p.voided++
	p.held, p.want = nil, 1
	if until := time.Now().Add(retryAfter); until.After(p.pausedUntil) {
		p.pausedUntil = until
	}
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(p.life, askTimeout)
	defer cancel()
	// An error needs no words: without the budget no more requests are sent, and that says why.
	_ = p.budget.Take(ctx, func(now time.Time, slots Slots) Slots {
		return slots.slowDown(now, p.full, s.lowered, retryAfter)
	})
}

// speedUp answers a success of the request of a slot. At a higher rate than the one of now it says nothing.
func (p *pace) speedUp(s slot) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.lowered == p.lowered {
		p.succeeded++
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
