package source

import (
	"container/heap"
	"context"
	"sync"
)

// places are the requests that may be under way at once. Those of the reading that began first go first: shared out
// evenly, the pages of several readings would be there at one time, and while all of them look for their ends hardly a
// request is under way.
type places struct {
	mu      sync.Mutex
	free    int
	waiting queue
}

// waiter is a request that waits for a place.
type waiter struct {
	turn  int64 // of its reading: the lowest goes first
	given chan struct{}
	index int // in the queue
}

// take waits for a place. It returns false, and has none, when ctx ends first.
func (p *places) take(ctx context.Context, turn int64) bool {
	p.mu.Lock()
	if p.free > 0 {
		p.free--
		p.mu.Unlock()
		return true
	}
	w := &waiter{turn: turn, given: make(chan struct{})}
	heap.Push(&p.waiting, w)
	p.mu.Unlock()
	select {
	case <-w.given:
		return true
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-w.given: // just now
		p.passOn()
	default:
		heap.Remove(&p.waiting, w.index)
	}
	return false
}

// giveBack gives a place back.
func (p *places) giveBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.passOn()
}

// passOn gives a place to who waits for one.
func (p *places) passOn() {
	if len(p.waiting) == 0 {
		p.free++
		return
	}
	close(heap.Pop(&p.waiting).(*waiter).given)
}

// queue is a heap of waiters by their turn.
type queue []*waiter

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].turn < q[j].turn }
func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push is for heap.
func (q *queue) Push(w any) {
	added := w.(*waiter)
	added.index = len(*q)
	*q = append(*q, added)
}

// Pop is for heap.
func (q *queue) Pop() any {
	last := len(*q) - 1
	popped := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return popped
}
