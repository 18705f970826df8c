// Package window is the arithmetic of time windows: the grid that cuts time, the stretches that no window
// covers yet, the halving of a span that is too heavy, and the times at which a window is read again.
// Everything here is pure: no clock, no state, no input or output.
package window

import (
	"fmt"
	"slices"
	"time"
)

// Window is the half-open time span [Start, End). The zero Window is empty.
type Window struct {
	Start time.Time
	End   time.Time
}

// Empty reports whether the window holds no instant.
func (w Window) Empty() bool { return !w.Start.Before(w.End) }

// Duration is the window's length; negative or zero for an empty window.
func (w Window) Duration() time.Duration { return w.End.Sub(w.Start) }

// Contains reports whether t lies in [Start, End).
func (w Window) Contains(t time.Time) bool { return !t.Before(w.Start) && t.Before(w.End) }

// Intersect is the part that w and other share; empty when they share none.
func (w Window) Intersect(other Window) Window {
	if other.Start.After(w.Start) {
		w.Start = other.Start
	}
	if other.End.Before(w.End) {
		w.End = other.End
	}
	if w.Empty() {
		return Window{}
	}
	return w
}

// String is the window as "start/end", an ISO 8601 interval in UTC.
func (w Window) String() string {
	return fmt.Sprintf("%s/%s", w.Start.UTC().Format(time.RFC3339Nano), w.End.UTC().Format(time.RFC3339Nano))
}

// Halve cuts the window in two at a whole second near its middle. ok is false for a window that is one
// second or less: it cannot be cut further, since the API's times are not known to be finer.
func (w Window) Halve() (first, second Window, ok bool) {
	middle := w.Start.Add(w.Duration() / 2).Truncate(time.Second)
	if !middle.After(w.Start) {
		middle = middle.Add(time.Second)
	}
	if !middle.Before(w.End) {
		return Window{}, Window{}, false
	}
	return Window{w.Start, middle}, Window{middle, w.End}, true
}

// Gaps are the stretches of within that no window of covered holds, in order of time. covered must be
// ordered by Start; windows that overlap each other or reach outside within are fine.
func Gaps(within Window, covered []Window) []Window {
	var gaps []Window
	at := within.Start
	for _, c := range covered {
		if gap := (Window{at, c.Start}).Intersect(within); !gap.Empty() {
			gaps = append(gaps, gap)
		}
		if c.End.After(at) {
			at = c.End
		}
	}
	if rest := (Window{at, within.End}); !rest.Empty() {
		gaps = append(gaps, rest)
	}
	return gaps
}

// Union is the time of stretches in order, with those that meet as one. It sorts what it is given.
func Union(stretches []Window) []Window {
	slices.SortFunc(stretches, func(a, b Window) int { return a.Start.Compare(b.Start) })
	var all []Window
	for _, s := range stretches {
		switch last := len(all) - 1; {
		case s.Empty():
		case last >= 0 && !s.Start.After(all[last].End):
			if s.End.After(all[last].End) {
				all[last].End = s.End
			}
		default:
			all = append(all, s)
		}
	}
	return all
}
