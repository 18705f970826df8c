package source

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
)

// places are the requests that may be under way at once. Those of the reading that began first go first: shared out
// evenly, the pages of several readings would be there at one time, and while all of them look for their ends hardly a
// request is under way.
type places struct {
	mu      sync.Mutex
	free    int
	waiting []*waiter // in their order
}

// turn is when a request goes: those of the reading that began first go first, and of one reading its first pages.
type turn struct {
	reading int64 // or a stretch of a long one: counted by the client, as they were begun
	skip    int
}

// pagesInATurn is how many pages of a reading go before those of readings that began later: those of a transaction, and
// some more. A longer reading goes on behind them.
const pagesInATurn = 25

// turns are those of one reading.
type turns struct {
	begun *atomic.Int64 // by all readings of the client

	mu    sync.Mutex
	taken map[int]int64 // by how many turns went before in this reading
}

// of is the turn of the page at skip.
func (t *turns) of(skip, pageSize int) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	nth := skip / (pagesInATurn * pageSize)
	if t.taken[nth] == 0 {
		if t.taken == nil {
			t.taken = make(map[int]int64)
		}
		t.taken[nth] = t.begun.Add(1)
	}
	return t.taken[nth]
}

// waiter is a request that waits for a place.
type waiter struct {
	turn  turn
	given chan struct{}
}

// take waits for a place. It returns false, and has none, when ctx ends first.
func (p *places) take(ctx context.Context, t turn) bool {
	p.mu.Lock()
	if p.free > 0 {
		p.free--
		p.mu.Unlock()
		return true
	}
	w := p.queue(t)
	p.mu.Unlock()
	select {
	case <-w.given:
		return true
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := slices.Index(p.waiting, w); at >= 0 {
		p.waiting = slices.Delete(p.waiting, at, at+1)
	} else { // it was given a place just now
		p.passOn()
	}
	return false
}

// queue adds a request behind those that go before it, or with it.
func (p *places) queue(t turn) *waiter {
	w := &waiter{turn: t, given: make(chan struct{})}
	at, _ := slices.BinarySearchFunc(p.waiting, t, func(other *waiter, t turn) int {
		return cmp.Or(cmp.Compare(other.turn.reading, t.reading), cmp.Compare(other.turn.skip, t.skip), -1)
	})
	p.waiting = slices.Insert(p.waiting, at, w)
	return w
}

// giveBack gives a place back.
func (p *places) giveBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passOn()
}

// passOn gives a place to who goes next.
func (p *places) passOn() {
	if len(p.waiting) == 0 {
		p.free++
		return
	}
	close(p.waiting[0].given)
	p.waiting = slices.Delete(p.waiting, 0, 1)
}
