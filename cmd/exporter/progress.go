package main

import (
	"fmt"
	"io"
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
	lines map[string]time.Time     // when a dataset's last line was printed
}

// linesEvery is how often a line is printed for a dataset where there is no terminal.
const linesEvery = 10 * time.Second

func newProgress(out io.Writer) *progress {
	p := &progress{out: out, left: map[string]app.Remaining{}, lines: map[string]time.Time{}}
	if isTerminal(out) {
		p.bar = progressbar.NewOptions64(1, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("windows"),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionFullWidth(),
			progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond))
	}
	return p
}

// show is called by every dataset's backfill, at its start and after each commit.
func (p *progress) show(dataset string, left app.Remaining) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left[dataset] = left
	if p.bar == nil {
		p.line(dataset, left)
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

func (p *progress) line(dataset string, left app.Remaining) {
	if now := time.Now(); left.Left == 0 || now.Sub(p.lines[dataset]) >= linesEvery {
		p.lines[dataset] = now
		_, _ = fmt.Fprintf(p.out, "%s: %d of %d windows read, %d left, %d failed\n",
			dataset, left.Total-left.Left, left.Total, left.Left, left.Failed)
	}
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
