package export

import (
	"sort"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// place makes a batch of a part: each row gets its window, and counts in that window's tally.
func (s *span) place(p part) *sink.Batch {
	b := &sink.Batch{
		Table: s.Dataset.Mapper.Table(), Write: s.Dataset.Write, Range: p.stretch, Run: s.run.ID, RowsRead: int64(p.reading.Rows), Rows: p.rows, Rejects: p.rejects, Besides: p.besides,
	}
	if s.Dataset.Kind == sink.KindDashboard { // of which only what changed is written
		s.tallies[0].rows = b.RowsRead
		return b
	}
	placeOf := s.placer(b.Table, p.stretch)
	kept := 0
	for i := range b.Rows {
		start, at, ok := placeOf(b.Rows[i].Row)
		if !ok {
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
	b.Rows = b.Rows[:kept]
	for i := range b.Rejects {
		bounds := s.boundsOf(b.Rejects[i].Raw, p.stretch)
		b.Rejects[i].WindowStart, b.Rejects[i].WindowEnd = bounds.Start, bounds.End
	}
	return b
}

// placer tells the window that a row falls in by its time, and where in the lease that window is (-1: the row
// is not one of the stretch, or was counted by an earlier read). ok is false for a row that belongs to a
// neighbour and has no key by which to tell it from that neighbour's.
func (s *span) placer(table schema.Table, stretch window.Window) func(schema.Row) (start time.Time, at int, ok bool) {
	field := table.ColumnIndex(table.TimeField)
	keyed := len(table.Key) > 0
	first := s.at(stretch.Start)
	if s.Dataset.Snapshot {
		return func(schema.Row) (time.Time, int, bool) { return s.edge, first, true }
	}
	last := first
	return func(row schema.Row) (time.Time, int, bool) {
		if field < 0 || row.Values[field].IsNull() {
			return s.tallies[first].Window.Start, first, true
		}
		instant := s.instant(table.Columns[field].Type, row.Values[field])
		if !stretch.Contains(instant) {
			return s.Dataset.Grid.At(instant).Start, -1, keyed
		}
		if !s.tallies[last].Window.Contains(instant) { // rows mostly come in order of time
			last = s.at(instant)
		}
		t := &s.tallies[last]
		if instant.Before(t.from) {
			return t.Window.Start, -1, true
		}
		return t.Window.Start, last, true
	}
}

// boundsOf is where a rejected row is known to lie: in the second of its own time, or else in all that was read. Not in
// its window: one that is read in parts has no reading that would hold all of it.
func (s *span) boundsOf(raw string, stretch window.Window) window.Window {
	table := s.Dataset.Mapper.Table()
	v, ok := s.Dataset.Mapper.TimeOf(raw)
	if !ok || s.Dataset.Snapshot {
		return stretch
	}
	at := s.instant(table.Columns[table.ColumnIndex(table.TimeField)].Type, v).Truncate(time.Second)
	return window.Window{Start: at, End: at.Add(time.Second)}
}

// instant is the instant that a row's time field names. A wall-clock time or a day is one of the dataset's
// timezone.
func (e *Exporter) instant(t schema.Type, v schema.Value) time.Time {
	at := v.Time()
	if t == schema.Timestamptz {
		return at
	}
	return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), e.Dataset.Grid.Location())
}

// timed tells when the rows of the dataset are.
type timed struct {
	*Exporter
	place int // of the time field; -1: there is none
	kind  schema.Type
}

func (e *Exporter) timed() timed {
	table := e.Dataset.Mapper.Table()
	t := timed{Exporter: e, place: table.ColumnIndex(table.TimeField)}
	if t.place >= 0 {
		t.kind = table.Columns[t.place].Type
	}
	return t
}

// at is when a row is; ok is false for a row without a time.
func (t timed) at(row schema.Row) (at time.Time, ok bool) {
	if t.place < 0 || row.Values[t.place].IsNull() {
		return time.Time{}, false
	}
	return t.instant(t.kind, row.Values[t.place]), true
}

// at is the place in the lease of the window that holds t, which must lie within the lease's span.
func (s *span) at(t time.Time) int {
	after := sort.Search(len(s.tallies), func(i int) bool { return s.tallies[i].Window.Start.After(t) })
	return max(0, after-1)
}
