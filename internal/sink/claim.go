package sink

import (
	"time"

	"samespace-exporter/internal/window"
)

// MaxWindows is the most windows of a claim: years of minutes are not read into memory to choose an hour of them.
const MaxWindows = 10_000

// Nearby is how far around the candidates of a claim the windows lie that Fit is told of.
const Nearby = 8 * 24 * time.Hour

// Candidates are the unbroken run of due windows that the request may get: no longer than MaxSpan, from the first of
// them on, or for NewestFirst up to the last. due is in order of time.
func (r ClaimRequest) Candidates(due []Entry) []Entry {
	if len(due) == 0 {
		return nil
	}
	adjoin := func(i, j int) bool { return due[i].Window.End.Equal(due[j].Window.Start) }
	fits := func(first, last int) bool { return due[last].Window.End.Sub(due[first].Window.Start) <= r.MaxSpan }
	if r.Order == NewestFirst {
		last := len(due) - 1
		first := last
		for first > 0 && adjoin(first-1, first) && fits(first-1, last) {
			first--
		}
		return due[first:]
	}
	last := 0
	for last+1 < len(due) && adjoin(last, last+1) && fits(0, last+1) {
		last++
	}
	return due[:last+1]
}

// Fitting are those of the candidates that the request wants by its Fit, which must be set.
func (r ClaimRequest) Fitting(candidates, near []Entry) []Entry {
	n := min(max(r.Fit(candidates, near), 1), len(candidates))
	if r.Order == NewestFirst {
		return candidates[len(candidates)-n:]
	}
	return candidates[:n]
}

// Planned is the stretch that is known to have no gap once within has been planned too: both, where they meet, else the
// longer one. grown is false when that is planned as it was.
func Planned(planned, within window.Window) (all window.Window, grown bool) {
	apart := within.Start.After(planned.End) || planned.Start.After(within.End)
	switch {
	case within.Empty(), apart && within.Duration() <= planned.Duration():
		return planned, false
	case planned.Empty(), apart:
		return within, true
	}
	all = planned
	if within.Start.Before(all.Start) {
		all.Start, grown = within.Start, true
	}
	if within.End.After(all.End) {
		all.End, grown = within.End, true
	}
	return all, grown
}

// Starts is when the windows start.
func Starts(windows []Entry) []time.Time {
	starts := make([]time.Time, len(windows))
	for i, e := range windows {
		starts[i] = e.Window.Start
	}
	return starts
}
