package sink

import (
	"slices"
	"time"
)

// Lane is one who reads and commits span after span, in that order: what it commits later it has read later, too. The
// zero Lane has committed nothing. It is for one goroutine.
type Lane struct {
	wrote []time.Time
}

// Wrote notes when a commit wrote, by the database's clock. A nil Lane notes nothing.
func (l *Lane) Wrote(at time.Time) {
	if l != nil {
		l.wrote = append(l.wrote, at.UTC())
	}
}

// wroteSince is when its commits wrote since a time, which grows from call to call. A nil Lane wrote never.
func (l *Lane) wroteSince(since time.Time) []time.Time {
	if l == nil {
		return nil
	}
	l.wrote = slices.DeleteFunc(l.wrote, func(at time.Time) bool { return !at.After(since) })
	return l.wrote
}

// Overtaking is when a version of a row was written that overtakes a batch: after Since, before Until, and not at one of the
// times in Own. The zero Overtaking is never.
type Overtaking struct {
	Since, Until time.Time
	Own          []time.Time
}

// Overtaking is what overtakes the batch, committed at a time by the database's clock. What that clock wrote when it was far
// ahead does not.
func (b Batch) Overtaking(at time.Time) Overtaking {
	since := b.Lease.ClaimedAt
	if since.IsZero() {
		return Overtaking{}
	}
	return Overtaking{Since: since, Until: at.Add(ClockDrift), Own: b.Lane.wroteSince(since)}
}

// By reports whether a version overtakes that was written at a time.
func (o Overtaking) By(written time.Time) bool {
	return written.After(o.Since) && written.Before(o.Until) && !slices.ContainsFunc(o.Own, written.Equal)
}
