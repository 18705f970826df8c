package app

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// course is what an App of a daemon is doing, for whoever watches over it. The zero course is that of one which has
// not begun.
type course struct {
	mu       sync.Mutex
	phase    phase
	draining time.Time         // since when
	outcomes map[string]string // of each dataset's last pass
	last     string            // what came of the last pass of all
}

type phase int

const (
	starting phase = iota
	waiting        // for the warehouse
	exporting
	draining
)

// drainSlack is how much longer than DrainTimeout a drain may take: what was cancelled is given back.
const drainSlack = 20 * time.Second

// alive reports whether the App gets on: a drain ends within its bound, and while it exports what sends the ticks has a
// pulse; until it shows, alive waits. The wait for a warehouse has no bound, and a pass its own.
func (a *App) alive() bool {
	a.course.mu.Lock()
	phase, since := a.course.phase, a.course.draining
	a.course.mu.Unlock()
	switch phase {
	case exporting:
		a.scheduler.AwaitPulse()
	case draining:
		return time.Since(since) < a.DrainTimeout+drainSlack
	}
	return true
}

func (c *course) enter(p phase) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p <= c.phase {
		return // it was told to stop meanwhile
	}
	if c.phase = p; p == draining {
		c.draining = time.Now()
	}
}

// passed keeps how a dataset's pass ended.
func (c *course) passed(dataset, outcome string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outcomes == nil {
		c.outcomes = map[string]string{}
	}
	c.outcomes[dataset] = outcome
	c.last = fmt.Sprintf("last pass: %s %s at %s", dataset, outcome, at.UTC().Format(time.DateTime+"Z"))
}

// String is a line for the service manager.
func (c *course) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.phase {
	case starting:
		return "starting"
	case waiting:
		return "waiting for the warehouse"
	case draining:
		return "what is being read has time to end"
	}
	line := []string{"exporting"}
	if c.last != "" {
		line = append(line, c.last)
	}
	var failing []string
	for _, name := range slices.Sorted(maps.Keys(c.outcomes)) {
		if c.outcomes[name] == "failed" {
			failing = append(failing, name)
		}
	}
	if len(failing) > 0 {
		line = append(line, "failing: "+strings.Join(failing, ", "))
	}
	return strings.Join(line, "; ")
}
