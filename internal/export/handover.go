package export

import (
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// handover is what a lane's reading hands to its settling: a part of a span, or the span's end.
type handover struct {
	held *held
	part *readPart // else nil
	end  *spanEnd  // else nil
	// settled is closed once it is settled.
	settled chan<- struct{}
}

// readPart is a part of a span that was read, and is to be committed.
type readPart struct {
	batch *sink.Batch
	// memory is what the batch's rows lie in; nil: nobody knows.
	memory *memory
	event  Event
	// evidence is what a part that held still says of rows that are gone; else nil.
	evidence *evidence
	took     time.Duration // its reading
}

// spanEnd says that nothing of a span follows.
type spanEnd struct {
	span window.Window
	err  error // why the rest of it was not read; nil: all of it was
}

// outlet is the way from what reads in a lane to what settles.
type outlet struct {
	handed chan handover
	// ahead is how many parts may be unsettled while the next one is read.
	ahead func() int
	// unsettled are the parts that were handed on, the oldest first: each is closed once its part is settled.
	unsettled []<-chan struct{}
}

// newOutlet is a way that takes one handover before the one that is being settled is done: the end of a span waits for nobody.
func newOutlet(ahead func() int) *outlet {
	return &outlet{handed: make(chan handover, 1), ahead: ahead}
}

// aheadAlone is how many parts may be unsettled where nobody else reads meanwhile.
const aheadAlone = 1

// handOn hands on a part, or the end of a span, and waits until no more parts are unsettled than the lane may hold. The end
// of a span is waited for only where the span failed: the pass may end by that.
func (o *outlet) handOn(what handover) {
	settled := make(chan struct{})
	what.settled = settled
	o.handed <- what
	most := o.ahead()
	if end := what.end; end != nil {
		if end.err == nil {
			return
		}
		most = 0
	}
	o.unsettled = append(o.unsettled, settled)
	for ; len(o.unsettled) > most; o.unsettled = o.unsettled[1:] {
		<-o.unsettled[0]
	}
}
