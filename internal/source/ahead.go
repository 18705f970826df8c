package source

import (
	"context"
	"sync"
	"time"

	"samespace-exporter/internal/window"
)

// pages asks for the pages of one reading: when they are wanted, or ahead of that. It belongs to the goroutine of
// the reading; close ends what was asked for ahead, and waits for it.
type pages struct {
	around context.Context // of what is read next, too
	ctx    context.Context
	cancel context.CancelFunc
	send   askPage

	within window.Window
	ahead  map[int]*pageAhead // by skip
	asking sync.WaitGroup

	requests int
	ranges   int // that pages were asked of
	bytes    int64
	waited   time.Duration
	took     time.Duration
}

// pageAhead is a page that was asked for ahead.
type pageAhead struct {
	done chan struct{}
	page Page
	err  error
}

func newPages(ctx context.Context, send askPage) *pages {
	p := &pages{around: ctx, send: send, ahead: make(map[int]*pageAhead)}
	p.ctx, p.cancel = context.WithCancel(ctx)
	return p
}

// ask asks for a page ahead, unless that was done.
func (p *pages) ask(within window.Window, skip, limit int) {
	p.turnTo(within)
	if p.ahead[skip] != nil {
		return
	}
	a := &pageAhead{done: make(chan struct{})}
	p.ahead[skip] = a
	p.requests++
	p.asking.Go(func() {
		defer close(a.done)
		a.page, a.err = p.send(p.ctx, within, skip, limit)
	})
}

// get is the page at skip. It blocks until it is there, an error or the end of the reading's context.
func (p *pages) get(within window.Window, skip, limit int) (page Page, err error) {
	p.turnTo(within)
	if a := p.ahead[skip]; a != nil && limit > 1 {
		delete(p.ahead, skip)
		<-a.done
		page, err = a.page, a.err
	} else {
		p.requests++
		page, err = p.send(p.ctx, within, skip, limit)
	}
	p.bytes += page.Bytes
	p.waited += page.Waited
	p.took += page.Took
	return page, err
}

// turnTo forgets what was asked for ahead of another range: its pages are not those of this one.
func (p *pages) turnTo(within window.Window) {
	if within == p.within && p.ranges > 0 {
		return
	}
	p.within = within
	p.ranges++
	clear(p.ahead)
}

// close ends what was asked for ahead and not wanted.
func (p *pages) close() {
	p.cancel()
	p.asking.Wait()
}

// Early are the first pages of a reading that is yet to begin, on their way. Whoever has them closes them, or hands them
// to that reading.
type Early struct {
	pages *pages
	limit int
}

// Close ends what is on its way, and waits for it. A nil Early has nothing.
func (e *Early) Close() {
	if e != nil {
		e.pages.close()
	}
}

// pagesOf are the pages of a reading: those that were asked for early, if they are of the same range and size.
func pagesOf(ctx context.Context, q Query, send askPage) *pages {
	if q.Early != nil && q.Early.pages.within == q.Range && q.Early.limit == q.PageSize {
		return q.Early.pages
	}
	q.Early.Close()
	return newPages(ctx, send)
}

// askEarly asks for the first pages of what is read behind the end that was drawn: as many as are expected to hold rows,
// and one in any case. Before that end is proved it does so only where it is sure.
func (r *reader) askEarly(proved bool) {
	if r.query.Next == nil || r.drawn == 0 || r.early != nil || r.reading.Torn || r.largest < r.query.PageSize {
		return
	}
	within, rows, sure := r.query.Next(r.reading.End)
	if within.Empty() || !proved && !sure {
		return
	}
	r.early = &Early{pages: newPages(r.pages.around, r.pages.send), limit: r.query.PageSize}
	step := r.query.PageSize - 1 // pages overlap by a row
	for n := 0; n < max(1, r.query.Ahead); n++ {
		if n > 0 && (n*step+step/2 > rows*9/10 || r.nearlyFull(n*step+1)) {
			return
		}
		r.early.pages.ask(within, n*step, r.query.PageSize)
	}
}

// dropEarly ends what was asked for behind an end that is none.
func (r *reader) dropEarly() {
	r.early.Close()
	r.early = nil
}
