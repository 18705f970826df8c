package export

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// Lanes bound how much all datasets of a process do at once, and so how many rows it holds. A lane reads one part of
// a span while it commits the one before: it holds the rows of two transactions at most. Each dataset that has work
// has a lane of its own, so that none waits for another. One with more work takes free ones of these besides.
type Lanes struct {
	free   *semaphore.Weighted
	unused sync.Pool // of *memory
}

// NewLanes are so many lanes for all datasets to share.
func NewLanes(n int) *Lanes { return &Lanes{free: semaphore.NewWeighted(int64(n))} }

// memory is what the rows of a part lie in. Once they are committed, those of another part do.
type memory struct {
	chunk schema.Chunk
	rows  []sink.Row
}

// memory is some for the rows of a part. That of a part that is not committed is left to the garbage collector.
func (l *Lanes) memory() *memory {
	if l != nil {
		if m, ok := l.unused.Get().(*memory); ok {
			return m
		}
	}
	return &memory{}
}

// reuse takes the memory of rows that nobody uses any more.
func (l *Lanes) reuse(m *memory) {
	if l == nil || m == nil {
		return
	}
	m.chunk.Reset()
	clear(m.rows[:cap(m.rows)])
	l.unused.Put(m)
}

// take takes a free lane, if there is one. It must be given back.
func (l *Lanes) take() bool { return l != nil && l.free.TryAcquire(1) }

func (l *Lanes) giveBack() { l.free.Release(1) }

// exportDue reads what is due, span by span, in as many lanes as there is work for, until nothing is due or the pass
// is to stop.
func (p *passage) exportDue(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	w := &work{passage: p, end: end}
	w.lanes.Go(func() error { return w.lane(ctx) })
	err := w.lanes.Wait()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// work is what is due, while it is worked on in several lanes.
type work struct {
	*passage
	end   context.CancelCauseFunc // of all lanes: the pass cannot go on
	lanes errgroup.Group

	claiming sync.Mutex
	over     bool // nothing is left to be claimed, or that failed
}

// lane claims and reads one span after the other, and settles each part (commits it, or says why not) while the next
// one is being read. The parts of a span are committed in their order; the spans of several lanes are not.
func (w *work) lane(ctx context.Context) error {
	outcomes := make(chan outcome)
	var settling sync.WaitGroup
	settling.Go(func() {
		// Every outcome is taken, whatever became of the one before: each lease has to be ended.
		for o := range outcomes {
			if err := w.settle(ctx, o); err != nil {
				w.end(err)
			}
		}
	})
	err := w.readDue(ctx, outcomes)
	close(outcomes)
	settling.Wait()
	return err
}

// readDue claims and reads one span after the other until nothing is due or the pass is to stop.
func (w *work) readDue(ctx context.Context, outcomes chan<- outcome) error {
	for {
		c, ok, err := w.next(ctx)
		if err != nil || !ok {
			return err
		}
		if c.fit.more {
			w.another(ctx)
		}
		w.readSpan(ctx, c, outcomes)
	}
}

// next claims the next span. One lane does so at a time: what the others claimed, and whether the pass is to stop, is
// known by then.
func (w *work) next(ctx context.Context) (claimed, bool, error) {
	w.claiming.Lock()
	defer w.claiming.Unlock()
	if w.over || ctx.Err() != nil || w.stopped() {
		return claimed{}, false, nil
	}
	c, ok, err := w.claim(ctx)
	w.over = err != nil || !ok
	return c, ok, err
}

// another begins another lane, if there is a free one.
func (w *work) another(ctx context.Context) {
	if !w.Lanes.take() {
		return
	}
	w.lanes.Go(func() error {
		defer w.Lanes.giveBack()
		return w.lane(ctx)
	})
}
