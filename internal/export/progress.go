package export

import (
	"context"
	"fmt"
	"sync"
	"time"

	"samespace-exporter/internal/sink"
)

// progress looks how far a backfill is, for who asked for it and for those who watch.
type progress struct {
	warehouse Warehouse
	run       sink.Run             // what is counted
	told      func(sink.Remaining) // nil: nobody watches

	mu     sync.Mutex
	looked time.Time     // when it was looked last
	took   time.Duration // how long that took
}

// progressOf is that of the pass's run. Windows beyond the edge cannot be read yet, though the grid's last window may hold some:
// smaller ones, of an older grid or by a clock that is ahead.
func (p *passage) progressOf(told func(sink.Remaining)) *progress {
	readable := p.claims.run
	if p.edge.Before(readable.Range.End) {
		readable.Range.End = p.edge
	}
	return &progress{warehouse: p.Warehouse, run: readable, told: told}
}

// look counts what is left, and tells of it.
func (p *progress) look(ctx context.Context) (sink.Remaining, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	began := time.Now()
	defer func() { p.looked = time.Now(); p.took = p.looked.Sub(began) }()
	left, err := p.warehouse.Remaining(ctx, p.run)
	if err != nil {
		return left, fmt.Errorf("see what is left: %w", err)
	}
	if p.told != nil {
		p.told(left)
	}
	return left, nil
}

// glance looks if it was not looked lately. It is a picture only: the next look tells of an error.
func (p *progress) glance(ctx context.Context) {
	if p.due() {
		_, _ = p.look(ctx)
	}
}

// due reports whether a look is due. All windows of the range are counted, which may be millions: that may take a twentieth of
// the time, and is done no oftener than people can follow.
func (p *progress) due() bool {
	const (
		share       = 20
		atMostEvery = 500 * time.Millisecond
	)
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.looked) >= max(atMostEvery, share*p.took)
}
