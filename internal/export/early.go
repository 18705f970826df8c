package export

import (
	"slices"
	"time"

	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

// early are pages that are on their way while what was read before them is committed.
type early struct {
	pages *source.Early // nil: none
	began time.Time     // when they were asked for
}

// nextOf says what is read after a part of the stretch that ends earlier, while that part is committed.
func (s *span) nextOf(stretch window.Window) func(end time.Time) (within window.Window, rows int, sure bool) {
	return func(end time.Time) (window.Window, int, bool) {
		rest := window.Window{Start: end, End: stretch.End}
		if s.allowed(rest) != nil {
			return window.Window{}, 0, false
		}
		s.early.began = s.begun()
		rows := int(max(0, min(s.expect(rest), 1e9)))
		return window.Window{Start: rest.Start.Add(-s.lead(rest)), End: rest.End}, rows, s.known()
	}
}

// known reports whether all of the span was read before, so that where its parts end is hardly a guess.
func (s *span) known() bool {
	return !slices.ContainsFunc(s.tallies, func(t tally) bool { return !t.Complete() })
}

// takeEarly has a reading begin with the pages that are on their way, and says when it began: with these, if there are any.
// A backfill that came since then is not answered by them.
func (s *span) takeEarly(w *wanted) (began time.Time) {
	began = s.begun()
	if w.early = s.early.pages; w.early != nil {
		began = s.early.began
	}
	s.early = early{}
	return began
}
