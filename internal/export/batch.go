package export

import (
	"errors"
	"fmt"
	"sort"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

// minAllRejected is how many rows must be rejected, all of a batch, before the mapping is held to be wrong
// rather than the rows.
const minAllRejected = 10

// MappingError says that the mapping fits none of the rows that the API sends: nothing is marked as read.
type MappingError struct {
	Rows  int
	First *schema.RejectError
}

func (e *MappingError) Error() string {
	return fmt.Sprintf("no row fits the mapping (%d read), the first one since %v; mend the report's fields in the config", e.Rows, e.First)
}

func (e *MappingError) Unwrap() error { return e.First }

// mapped is what was read of a stretch: typed rows, each with its window, and the rejects.
type mapped struct {
	batch    *sink.Batch
	places   []int // of each row: its window in the lease; -1 when it is a neighbour's or was counted before
	requests int
	waited   time.Duration
	replaced int       // NUL characters that became U+FFFD
	unstable string    // why it never held still; else ""
	evidence *evidence // of rows that are gone; nil where none are marked
}

// mapRows makes a batch of what was read of a stretch. With a *disorderError the batch is made as well.
func (s *span) mapRows(stretch window.Window, reading source.Reading) (mapped, error) {
	m := mapped{
		requests: reading.Requests, waited: reading.Waited,
		batch: &sink.Batch{
			Table: s.Dataset.Mapper.Table(), Write: s.Dataset.Write, Range: stretch, Run: s.run.ID, RowsRead: int64(len(reading.Rows)),
			Rows: make([]sink.Row, 0, len(reading.Rows)),
		},
	}
	s.observe(Event{Step: StepRead, Span: stretch, Rows: len(reading.Rows), Requests: reading.Requests, Waited: reading.Waited})
	if m.batch.Table.MarksDeleted && !s.Dataset.Snapshot { // whose rows are gone once their time is
		m.evidence = newEvidence(s.Dataset.Mapper, window.Window{Start: stretch.Start.Add(-s.lead(stretch)), End: stretch.End})
	}
	place := s.placer(m.batch.Table, stretch)
	order := newOrder(s.Dataset, reading.Pages)
	var first *schema.RejectError
	for i, raw := range reading.Rows {
		row, err := s.Dataset.Mapper.Map(raw)
		var reject *schema.RejectError
		switch {
		case err == nil:
		case errors.As(err, &reject) && !s.Dataset.FailOnBadRow:
			if first == nil {
				first = reject
			}
			m.evidence.rejected(raw)
			bounds := s.boundsOf(raw, stretch)
			m.batch.Rejects = append(m.batch.Rejects, sink.Reject{
				WindowStart: bounds.Start, WindowEnd: bounds.End, Raw: raw, Field: reject.Field, Reason: reject.Reason,
			})
			continue
		default:
			return mapped{}, fmt.Errorf("map row: %w", err)
		}
		order.see(i, row)
		m.evidence.saw(s.timeOf(m.batch.Table, row))
		m.replaced += row.Replaced
		if start, at, ok := place(row); ok {
			m.batch.Rows = append(m.batch.Rows, sink.Row{Row: row, WindowStart: start})
			m.places = append(m.places, at)
		}
	}
	if len(m.batch.Rejects) == len(reading.Rows) && first != nil && (len(reading.Rows) >= minAllRejected || !s.mapped) {
		return mapped{}, &MappingError{Rows: len(reading.Rows), First: first}
	}
	s.mapped = s.mapped || len(m.batch.Rows) > 0
	return m, order.err()
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
	return func(row schema.Row) (time.Time, int, bool) {
		if field < 0 || row.Values[field].IsNull() {
			return s.tallies[first].Window.Start, first, true
		}
		instant := s.instant(table.Columns[field].Type, row.Values[field])
		if !stretch.Contains(instant) {
			return s.Dataset.Grid.At(instant).Start, -1, keyed
		}
		at := s.at(instant)
		if t := s.tallies[at]; instant.Before(t.from) {
			return t.Window.Start, -1, true
		}
		return s.tallies[at].Window.Start, at, true
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

// count adds what was read to the windows' tallies.
func (s *span) count(m mapped) {
	for _, at := range m.places {
		if at >= 0 {
			s.tallies[at].rows++
		}
	}
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

// timeOf is when a row is, by its time field; ok is false for a row without a time.
func (e *Exporter) timeOf(t schema.Table, row schema.Row) (at time.Time, ok bool) {
	i := t.ColumnIndex(t.TimeField)
	if i < 0 || row.Values[i].IsNull() {
		return time.Time{}, false
	}
	return e.instant(t.Columns[i].Type, row.Values[i]), true
}

// at is the place in the lease of the window that holds t, which must lie within the lease's span.
func (s *span) at(t time.Time) int {
	after := sort.Search(len(s.tallies), func(i int) bool { return s.tallies[i].Window.Start.After(t) })
	return max(0, after-1)
}
