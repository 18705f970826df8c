package export

import (
	"context"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"samespace-exporter/internal/sink"
)

// Lanes bound how much all datasets of a process do at once, and so how many rows it holds. Each dataset that has work
// has a lane of its own, so that none waits for another: it reads one part of a span while it commits the one before, and
// holds the rows of two transactions at most. One with more work takes free ones of these as well, where that pays (see
// work.pays). Then each lane holds the rows of one transaction: it reads, then commits, and the others read meanwhile.
type Lanes struct{ free *semaphore.Weighted }

// NewLanes are so many lanes for all datasets to share.
func NewLanes(n int) *Lanes { return &Lanes{free: semaphore.NewWeighted(int64(n))} }

// take takes a free lane, if there is one. It must be given back.
func (l *Lanes) take() bool { return l != nil && l.free.TryAcquire(1) }

func (l *Lanes) giveBack() { l.free.Release(1) }

// exportDue reads what is due, span by span, in as many lanes as there is work for, until nothing is due or the pass
// is to stop. What a lane gave back when the others had found nothing more to claim is read by one that begins anew.
func (p *passage) exportDue(ctx context.Context) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	for again := true; again; again = p.contest.leavesWork() && !p.relieved() {
		w := &work{passage: p, end: end}
		w.atWork.Add(1)
		w.lanes.Go(func() error { return w.lane(ctx, own) })
		err := w.lanes.Wait()
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// work is what is due, while it is worked on in several lanes.
type work struct {
	*passage
	end   context.CancelCauseFunc // of all lanes: the pass cannot go on
	lanes errgroup.Group

	over bool        // nothing is left to be claimed, or that failed; known to who claims
	more atomic.Bool // windows were due beside those that were claimed last

	beginning sync.Mutex // of another lane: one at a time
}

// ahead is how many parts a lane may hold beside the one that it reads. Where there are other lanes they read while this
// one commits.
func (w *work) ahead() int {
	if w.atWork.Load() > 1 {
		return 0
	}
	return aheadAlone
}

// lane reads one span after the other. A goroutine of its own settles what was read, in the order in which it was read; the
// lanes keep no order among themselves.
func (w *work) lane(ctx context.Context, as role) error {
	defer w.atWork.Add(-1)
	out := newOutlet(w.ahead)
	var settling sync.WaitGroup
	settling.Go(func() {
		var mine sink.Lane
		// Everything is taken, whatever became of what came before: each lease has to be ended.
		for o := range out.handed {
			if o.part != nil {
				o.part.batch.Lane = &mine
			}
			if err := w.settle(ctx, o); err != nil {
				w.end(err)
			}
			close(o.settled)
			w.another(ctx)
		}
	})
	err := w.readDue(ctx, as, out)
	close(out.handed)
	settling.Wait()
	return err
}

// role is whether a lane is the dataset's own, which goes on alone where several are in each other's way.
type role bool

const (
	own      role = false
	borrowed role = true
)

// readDue claims and reads one span after the other until nothing is due or the pass is to stop.
func (w *work) readDue(ctx context.Context, as role, out *outlet) error {
	for as == own || w.pays(int(w.atWork.Load())-1, longer) {
		c, ok, err := w.next(ctx)
		if err != nil || !ok {
			return err
		}
		w.another(ctx)
		w.readSpan(ctx, c, out)
	}
	return nil
}

// another begins another lane, if there is work for it and a free one.
func (w *work) another(ctx context.Context) {
	w.beginning.Lock()
	defer w.beginning.Unlock()
	if !w.more.Load() || !w.pays(int(w.atWork.Load()), muchLonger) || !w.Lanes.take() {
		return
	}
	w.atWork.Add(1)
	w.lanes.Go(func() error {
		defer w.Lanes.giveBack()
		return w.lane(ctx, borrowed)
	})
}

// pays reports whether a lane beside so many others is worth its memory. It is where reading takes slower times as long as
// committing. A second one also is where little is new: then lane and database wait for each other in turn, but for commits that
// append, which take turns. Where much is new one lane writes it better: several write between each other's keys, which leaves
// pages of an index half full.
func (w *work) pays(others, slower int) bool {
	if w.contest.crowded() {
		return false
	}
	if w.Dataset.Write != sink.Append && w.efforts.littleIsNew() && w.Warehouse.CommitsAtOnce(w.Dataset.Mapper.Table()) {
		if others < 2 {
			return true
		}
		slower *= 2 // two that share a processor take twice as long, whatever the API does
	}
	return w.efforts.readingTakes(slower)
}
