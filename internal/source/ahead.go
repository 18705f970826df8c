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
	p := &pages{send: send, ahead: make(map[int]*pageAhead)}
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
