package export

import (
	"maps"
	"sync"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

const (
	// crowd is how many spans of a pass may be overtaken until one lane does all of it: lanes whose spans share rows void what
	// the others read.
	crowd = 2
	// calm is after how many spans in a row that were read as any other the lanes are given another try.
	calm = 50
	// maxOvertaken is how often a span that is overtaken is read again at once. Then it fails as others do: it rests, shows, and
	// where it failed twice its windows are read one by one. So nobody can keep a pass from its end.
	maxOvertaken = 3
)

// contest is what a pass knows of others, lanes or replicas, that wrote rows which it was reading.
type contest struct {
	of *overtaken

	mu   sync.Mutex
	lost int       // spans that were overtaken, since it was calm
	won  int       // spans that were read since the last one that was overtaken
	left bool      // one that was overtaken was given back, to be read again at once
	seen time.Time // when the last version was written that was in the way
}

// overtaken counts how often spans were overtaken since they were read last, also in passes before, which may be short.
type overtaken struct {
	mu sync.Mutex
	of map[int64]int // by where they began
}

// worthAnotherTry counts a span, and reports whether it is worth another try.
func (o *overtaken) worthAnotherTry(span window.Window) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil {
		o.of = map[int64]int{}
	}
	began := span.Start.UnixMicro()
	if o.of[began]++; o.of[began] <= maxOvertaken {
		return true
	}
	delete(o.of, began)
	return false
}

// read forgets what was counted of a span.
func (o *overtaken) read(span window.Window) {
	o.mu.Lock()
	defer o.mu.Unlock()
	maps.DeleteFunc(o.of, func(began int64, _ int) bool {
		return began >= span.Start.UnixMicro() && began < span.End.UnixMicro()
	})
}

// overtook notes that a span was overtaken, and reports whether it is read again at once.
func (c *contest) overtook(span window.Window, by *sink.OvertakenError) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost, c.won = c.lost+1, 0
	if by.At.After(c.seen) {
		c.seen = by.At
	}
	again := c.of.worthAnotherTry(span)
	c.left = c.left || again
	return again
}

// settled notes a span that was read.
func (c *contest) settled(span window.Window) {
	c.of.read(span)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.won++; c.won >= calm {
		c.lost = 0
	}
}

// crowded reports whether several lanes are worse than one.
func (c *contest) crowded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lost >= crowd
}

// leavesWork reports whether a span was given back since it was asked last.
func (c *contest) leavesWork() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := c.left
	c.left = false
	return left
}

// since is the lease's claim time or, if that is later, when the newest overtaking version that was seen was written: one from
// before the database's clock was set back overtakes only once.
func (c *contest) since(claimedAt time.Time) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen.After(claimedAt) {
		return c.seen
	}
	return claimedAt
}
