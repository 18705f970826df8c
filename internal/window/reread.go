package window

import "time"

// Reread is the list of delays after a window's end at which it is read again, once each, since the source
// restates. The order does not matter; an empty list means that a window is read once.
type Reread []time.Duration

// Next is when a window that ended at end and was last read at readAt is to be read again. Delays that had
// passed by then count as done, however many there were: one late read stands for all of them. ok is false
// when none is left: the window is final.
func (r Reread) Next(end, readAt time.Time) (next time.Time, ok bool) {
	for _, delay := range r {
		at := end.Add(delay)
		if at.After(readAt) && (!ok || at.Before(next)) {
			next, ok = at, true
		}
	}
	return next, ok
}
