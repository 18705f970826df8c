package export

import (
	"sync"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// reconciling is what is still to be compared, by pair. It is kept from pass to pass; a process that begins anew looks at
// every window once, and compares those that were read since they were compared last.
type reconciling struct {
	pairs []*pair

	mu      sync.Mutex // of pending, in all pairs: lanes commit at once
	started bool
}

// noteForComparison notes that windows were read, which are to be compared.
func (p *passage) noteForComparison(b *sink.Batch) {
	var read window.Window
	for _, r := range b.Readings {
		if r.State == sink.StateRunning {
			continue
		}
		if read.Start.IsZero() {
			read.Start = r.Start
		}
		read.End = r.Start
	}
	if read.Start.IsZero() {
		return
	}
	for _, e := range b.Lease.Entries {
		if e.Window.Start.Equal(read.End) {
			read.End = e.Window.End
			break
		}
	}
	r := &p.lasting.reconciling
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range r.pairs {
		c.pending = append(c.pending, read)
	}
}

// nextPiece is the latest stretch of a pair's pending ones, no longer than a piece.
func (p *passage) nextPiece(c *pair) (piece window.Window, ok bool) {
	r := &p.lasting.reconciling
	r.mu.Lock()
	defer r.mu.Unlock()
	c.pending = window.Union(c.pending)
	if len(c.pending) == 0 {
		return piece, false
	}
	piece = c.pending[len(c.pending)-1]
	if from := piece.End.Add(-time.Duration(c.piece) * c.Insight.Grid.Size()); from.After(piece.Start) {
		piece.Start = from
	}
	return piece, true
}

// pace makes the next piece larger or smaller, by how long one took.
func (c *pair) pace(took time.Duration) {
	if took > pieceFor {
		c.piece = max(1, c.piece/2)
	} else {
		c.piece = min(2*c.piece, reconcilePiece)
	}
}

// tookPiece takes a piece out of what is pending.
func (p *passage) tookPiece(c *pair, piece window.Window) {
	r := &p.lasting.reconciling
	r.mu.Lock()
	defer r.mu.Unlock()
	last := &c.pending[len(c.pending)-1]
	last.End = piece.Start
	if last.Empty() {
		c.pending = c.pending[:len(c.pending)-1]
	}
}
