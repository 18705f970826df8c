package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"

	"samespace-exporter/internal/app"
)

// progress shows how far a backfill is: a bar on a terminal, else a line now and then.
type progress struct {
	out io.Writer

	mu    sync.Mutex
	left  map[string]app.Remaining
	bar   *progressbar.ProgressBar // nil: lines
	lines map[string]line          // a dataset's last one
}

// line is what was printed of a dataset.
type line struct {
	at   time.Time
	left app.Remaining
}

// linesEvery is how often a line is printed for a dataset where there is no terminal.
const linesEvery = 10 * time.Second

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, left: map[string]app.Remaining{}, lines: map[string]line{}}
	if isTerminal(out) {
		p.bar = progressbar.NewOptions64(1, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("windows"),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionFullWidth(),
			progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	}
	return p
}

// show is called by every dataset's backfill, at its start and, twice a second at most, after commits.
func (p *progress) show(dataset string, left app.Remaining) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left[dataset] = left
	if p.bar == nil {
		if left.Left == 0 || time.Since(p.lines[dataset].at) >= linesEvery {
			p.printLine(dataset)
		}
		return
	}
	var all app.Remaining
	for _, l := range p.left {
		all.Total += l.Total
		all.Left += l.Left
	}
	p.bar.ChangeMax64(max(all.Total, 1))
	// A bar that cannot be drawn is no reason to stop.
	_ = p.bar.Set64(all.Total - all.Left)
}

// printLine prints how far a dataset is, unless that has been said.
func (p *progress) printLine(dataset string) {
	left := p.left[dataset]
	if last, ok := p.lines[dataset]; ok && last.left == left {
		return
	}
	p.lines[dataset] = line{at: time.Now(), left: left}
	_, _ = fmt.Fprintf(p.out, "%s: %d of %d windows read, %d left, %d failed\n",
		dataset, left.Total-left.Left, left.Total, left.Left, left.Failed)
}

// begun reports whether a backfill has begun: its windows are due then, whatever becomes of it.
func (p *progress) begun() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.left) > 0
}

// end takes the bar away, or prints where the lines end.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
		return
	}
	for _, dataset := range slices.Sorted(maps.Keys(p.left)) {
		p.printLine(dataset)
	}
}
