package sink

import (
	"slices"
	"time"
)

// OvertakenError says that somebody else, in another lane or process, wrote a row that the batch has otherwise, and did so
// since the batch's lease was claimed: either may have seen the newer version. Nothing of the batch was written. What is
// read under a lease that is claimed now is newer.
type OvertakenError struct {
	At time.Time // when the other version was written, the last of several, by the database's clock
}

func (e *OvertakenError) Error() string {
	return "overtaken: another lane or replica wrote a row of the span while it was being read"
}

// Lane reads and commits one span after the other, so that what it commits later it also read later. The zero Lane has
// committed nothing. It is for one goroutine.
type Lane struct {
	wrote []time.Time
}

// Wrote notes when a commit writes, by the database's clock. A nil Lane notes nothing.
func (l *Lane) Wrote(at time.Time) {
	if l != nil {
		l.wrote = append(l.wrote, at.UTC().Truncate(time.Microsecond))
	}
}

// wroteSince is when its commits wrote since a time, and forgets what was before. A nil Lane wrote never.
func (l *Lane) wroteSince(since time.Time) []time.Time {
	if l == nil {
		return nil
	}
	l.wrote = slices.DeleteFunc(l.wrote, func(at time.Time) bool { return !at.After(since) })
	return slices.Clone(l.wrote)
}

// Overtaking is when versions of rows were written that overtake a batch: after Since, before Until, and at none of the times
// in Own. The zero Overtaking is never.
type Overtaking struct {
	Since, Until time.Time
	Own          []time.Time
}

// aheadAtMost bounds Until: a version that is dated longer than this after the commit was written by a clock that was ahead, and
// is ignored. A commit may wait for another's row as long as that.
const aheadAtMost = time.Hour

// Overtaking is what overtakes the batch where it is committed at a time, by the database's clock. To be asked for the
// batches of a lane in the order of their claims.
func (b Batch) Overtaking(at time.Time) Overtaking {
	since := b.Lease.ClaimedAt
	if since.IsZero() {
		return Overtaking{}
	}
	return Overtaking{Since: since, Until: at.Add(aheadAtMost), Own: b.Lane.wroteSince(since)}
}

// By reports whether a version overtakes that was written at a time.
func (o Overtaking) By(written time.Time) bool {
	return written.After(o.Since) && written.Before(o.Until) && !slices.ContainsFunc(o.Own, written.Equal)
}
