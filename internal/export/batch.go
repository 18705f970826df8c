package export

import (
	"sort"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// batchOf makes a batch of a part: each row gets its window, and counts in that window's tally.
func (s *span) batchOf(p part) *sink.Batch {
	b := &sink.Batch{
		Table: s.Dataset.Mapper.Table(), Write: s.Dataset.Write, Range: p.stretch, Run: s.claims.run.ID, RowsRead: int64(p.reading.Rows), Rows: p.rows, Rejects: p.rejects, FurtherRows: p.furtherRows,
	}
	if b.Write == sink.Append {
		b.Promote = s.Dataset.Mapper.Promote
	}
	if s.Dataset.Kind == sink.KindDashboard { // of which only what changed is written
		s.tallies[0].rows = b.RowsRead
		return b
	}
	windowOf := s.windowFinder(b.Table, p)
	kept, later, earlier := 0, 0, 0
	for i := range b.Rows {
		start, at, ok := windowOf(b.Rows[i].Row)
		if !ok {
			switch when, _ := s.Dataset.timeField().at(b.Rows[i].Row); {
			case !start.Before(p.stretch.End):
				later++
			case when.Before(p.asked.Start):
				earlier++
			}
			continue
		}
		if kept < i {
			b.Rows[kept] = b.Rows[i]
		}
		b.Rows[kept].WindowStart = start
		kept++
		if at >= 0 {
			s.tallies[at].rows++
		}
	}
	if kept == 0 && later > 0 && (b.Write != sink.Upsert || s.Dataset.Kind == sink.KindInsight) {
		s.tellLater(p.stretch, later)
	}
	if earlier > 0 {
		s.tellEarlier(p.stretch, earlier)
	}
	b.Rows = b.Rows[:kept]
	for i := range b.Rejects {
		bounds := s.whereRejected(b.Rejects[i].Raw, p)
		b.Rejects[i].WindowStart, b.Rejects[i].WindowEnd = bounds.Start, bounds.End
	}
	return b
}

// tellLater warns of a stretch of which nothing is kept. That nobody else has its rows is likely, not certain: an API whose ranges
// hold their end sends the rows of that instant.
func (s *span) tellLater(stretch window.Window, rows int) {
	s.Logger.Warn("nothing of what the API sent for a window is kept, since its times are later: if it labels sums by the end of what "+
		"they are about, leave key and time_field out and set write: replace", "dataset", s.Dataset.Name, "window", stretch.String(), "rows", rows)
}

// tellEarlier warns of sums that begin before all that was asked for: the window may have a part of what they are about only.
func (s *span) tellEarlier(stretch window.Window, rows int) {
	s.Logger.Warn("sums that begin before the window are not kept, since it may have a part of them only: a window should begin where sums do; where the "+
		"timezone is not of whole hours, windows of days do", "dataset", s.Dataset.Name, "window", stretch.String(), "rows", rows)
}

// windowFinder tells the window that a row falls in by its time, and where in the lease that window is (-1: the row
// is not one of the stretch, or was counted by an earlier read). ok is false for a row that belongs to a
// neighbour and cannot be told from that neighbour's.
func (s *span) windowFinder(table schema.Table, p part) func(schema.Row) (start time.Time, at int, ok bool) {
	field, first := s.Dataset.timeField(), s.indexAt(p.stretch.Start)
	if s.Dataset.Snapshot {
		return func(schema.Row) (time.Time, int, bool) { return s.edge, first, true }
	}
	last := first
	return func(row schema.Row) (time.Time, int, bool) {
		instant, ok := field.at(row)
		if !ok {
			return s.tallies[first].Window.Start, first, true
		}
		if !p.stretch.Contains(instant) {
			return s.elsewhere(table, instant, p, first)
		}
		if !s.tallies[last].Window.Contains(instant) { // rows mostly come in order of time
			last = s.indexAt(instant)
		}
		t := &s.tallies[last]
		if instant.Before(t.from) {
			return t.Window.Start, -1, true
		}
		return t.Window.Start, last, true
	}
}

// elsewhere is the window of a row whose time is not of the stretch. Of what was asked for around the stretch it is the neighbour's,
// which is sent it, too. That is not certain in the second before: the API may have it a little later. There an appended row is kept,
// since these are compared. A row from beyond what was asked for may be sent to nobody else, so it is kept: the API goes by
// another time than the time field, or that is a day, or the clocks were set back.
func (s *span) elsewhere(table schema.Table, instant time.Time, p part, first int) (start time.Time, at int, ok bool) {
	own := s.Dataset.Grid.At(instant).Start
	switch {
	case s.Dataset.Kind == sink.KindInsight: // a sum over the second before the window, of what has a sum of its own
		return own, -1, false
	case len(table.Key) > 0:
		return own, -1, true
	case s.Dataset.Write == sink.Append && (p.led(instant) || instant.Equal(p.stretch.End)):
		return own, -1, true
	case s.Dataset.Write == sink.ReplaceWindows && instant.Equal(p.stretch.End) && s.otherTime():
		return s.tallies[first].Window.Start, first, true
	case !p.beyond(instant):
		return own, -1, false
	case s.Dataset.Write == sink.ReplaceWindows: // a window has what the API sends for it
		return s.tallies[first].Window.Start, first, true
	}
	return own, -1, true
}

// otherTime reports whether the API is known to go by another time than the time field: then a row's time says nothing of who else is
// sent it. A day may be one of another timezone.
func (s *span) otherTime() bool {
	return s.lasting.server.strayed() || s.Dataset.timeField().kind == schema.Date
}

// beyond reports whether a time is not of what was asked for.
func (p part) beyond(at time.Time) bool { return at.Before(p.asked.Start) || at.After(p.asked.End) }

// led reports whether a time is of the second before the stretch: the row may be the neighbour's, or be sent with no other
// stretch, since the API has it a little later. An overlap may be longer: who reads what is before that second is sent it.
func (p part) led(at time.Time) bool {
	return at.Before(p.stretch.Start) && !at.Before(p.stretch.Start.Add(-lead))
}

// whereRejected is where a rejected row is known to lie: in the second of its own time, or else in all that was read, where who
// reads that second may not be sent it. Not in its window: one that is read in parts has no reading that would hold all of it.
func (s *span) whereRejected(raw string, p part) window.Window {
	v, ok := s.Dataset.Mapper.TimeOf(raw)
	if !ok || s.Dataset.Snapshot {
		return p.stretch
	}
	instant := s.Dataset.timeField().instant(v)
	dropped := s.Dataset.Kind == sink.KindInsight || s.Dataset.Write == sink.ReplaceWindows // as a row of the second before is
	if p.beyond(instant) || p.led(instant) && !dropped || instant.Equal(p.stretch.End) || s.otherTime() {
		return p.stretch
	}
	at := instant.Truncate(time.Second)
	return window.Window{Start: at, End: at.Add(time.Second)}
}

// indexAt is which of the lease's windows holds t, which must lie within the lease's span.
func (s *span) indexAt(t time.Time) int {
	after := sort.Search(len(s.tallies), func(i int) bool { return s.tallies[i].Window.Start.After(t) })
	return max(0, after-1)
}
