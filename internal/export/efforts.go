package export

import (
	"sync"
	"time"

	"samespace-exporter/internal/sink"
)

// efforts are what parts took and brought of late.
type efforts struct {
	mu                          sync.Mutex
	parts                       int
	readingTook, committingTook time.Duration
	rows, fresh                 float64
}

const (
	// muchLonger is how many times as long as committing reading must take for another lane to begin: where one machine does
	// both, they take about equally long, and a second lane gains nothing. It goes on while reading takes longer.
	muchLonger = 2
	longer     = 1
	// little is how many rows there must be for each that is new.
	little = 20
)

// readingTakes reports whether reading takes so many times as long as committing; false until something was committed.
func (e *efforts) readingTakes(times int) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.parts > 0 && e.readingTook >= time.Duration(times)*e.committingTook
}

// littleIsNew reports whether the warehouse had nearly all rows; false until something was committed.
func (e *efforts) littleIsNew() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rows > little*e.fresh
}

// add adds a part. What it took counts twice as much as the one before. The clock may have been set back meanwhile.
func (e *efforts) add(reading, committing time.Duration, c sink.Counts) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.parts++
	e.readingTook, e.committingTook = e.readingTook/2+max(0, reading), e.committingTook/2+max(0, committing)
	e.rows, e.fresh = e.rows/2+float64(c.Inserted+c.Updated+c.Unchanged), e.fresh/2+float64(c.Inserted)
}
