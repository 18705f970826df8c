package export

import (
	"time"

	"samespace-exporter/internal/sink"
)

// outcome is what became of a span, or of a part of it.
type outcome struct {
	held  *held
	batch *sink.Batch // a part to commit
	// memory is what the batch's rows lie in; nil: nobody knows.
	memory *memory
	event  Event // of the part
	// evidence is what a part that held still says of rows that are gone; else nil.
	evidence *evidence
	err      error // why the rest of the span was not read
	last     bool  // nothing of the span follows
	// read is how long the part's reading took. settled is closed once the outcome is settled.
	read    time.Duration
	settled chan<- struct{}
}

// outlet is the way from what reads in a lane to what settles.
type outlet struct {
	outcomes chan outcome
	// ahead is how many parts may be unsettled while the next one is read.
	ahead func() int
	// unsettled are the parts that were handed on, the oldest first: each is closed once its part is settled.
	unsettled []<-chan struct{}
}

// newOutlet is a way that takes one outcome before the one that is being settled is done: the end of a span waits for nobody.
func newOutlet(ahead func() int) *outlet {
	return &outlet{outcomes: make(chan outcome, 1), ahead: ahead}
}

// aheadAlone is how many parts may be unsettled where nobody else reads meanwhile.
const aheadAlone = 1

// handOn hands on an outcome, and waits until no more parts are unsettled than the lane may hold. The end of a span is
// waited for only where the span failed: the pass may end by that.
func (o *outlet) handOn(what outcome) {
	settled := make(chan struct{})
	what.settled = settled
	o.outcomes <- what
	most := o.ahead()
	switch {
	case what.err != nil:
		most = 0
	case what.last:
		return
	}
	o.unsettled = append(o.unsettled, settled)
	for ; len(o.unsettled) > most; o.unsettled = o.unsettled[1:] {
		<-o.unsettled[0]
	}
}
