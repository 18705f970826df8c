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
	return fmt.Sprintf("all %d rows were rejected, the first one since %v: mend the mapping of this report", e.Rows, e.First)
}

func (e *MappingError) Unwrap() error { return e.First }

// mapRows makes a batch of what was read of a stretch: typed rows, each with its window, and the rejects.
func (s *span) mapRows(stretch window.Window, reading source.Reading) (batch *sink.Batch, replaced int, err error) {
	mapper := s.Dataset.Mapper
	batch = &sink.Batch{
		Lease: s.held.remaining(), Table: mapper.Table(), Range: stretch, Run: s.run.ID,
		RowsRead: int64(len(reading.Rows)), Rows: make([]sink.Row, 0, len(reading.Rows)),
	}
	place := s.placer(batch.Table, stretch)
	var first *schema.RejectError
	for _, raw := range reading.Rows {
		row, err := mapper.Map(raw)
		var reject *schema.RejectError
		switch {
		case err == nil:
		case errors.As(err, &reject) && !s.Dataset.FailOnBadRow:
			if first == nil {
				first = reject
			}
			batch.Rejects = append(batch.Rejects, sink.Reject{
				WindowStart: s.tallies[s.at(stretch.Start)].Window.Start, Raw: raw, Field: reject.Field, Reason: reject.Reason,
			})
			continue
		default:
			return nil, 0, fmt.Errorf("map row: %w", err)
		}
		replaced += row.Replaced
		if start, ok := place(row); ok {
			batch.Rows = append(batch.Rows, sink.Row{Row: row, WindowStart: start})
		}
	}
	if len(batch.Rejects) == len(reading.Rows) && first != nil &&
		(len(reading.Rows) >= minAllRejected || !s.mapped) {
		return nil, 0, &MappingError{Rows: len(reading.Rows), First: first}
	}
	s.mapped = s.mapped || len(batch.Rows) > 0
	return batch, replaced, nil
}

// placer tells the window that a row falls in, by its time, and counts it there. ok is false for a row that
// belongs to a neighbour and has no key by which to tell it from that neighbour's.
func (s *span) placer(table schema.Table, stretch window.Window) func(schema.Row) (start time.Time, ok bool) {
	field := table.ColumnIndex(table.TimeField)
	keyed := len(table.Key) > 0
	first := s.at(stretch.Start)
	return func(row schema.Row) (time.Time, bool) {
		if field < 0 || row.Values[field].IsNull() {
			s.tallies[first].rows++
			return s.tallies[first].Window.Start, true
		}
		at := s.instant(table.Columns[field].Type, row.Values[field])
		if !stretch.Contains(at) {
			return s.Dataset.Grid.At(at).Start, keyed
		}
		t := &s.tallies[s.at(at)]
		if !at.Before(t.from) {
			t.rows++
		}
		return t.Window.Start, true
	}
}

// instant is the instant that a row's time field names. A wall-clock time or a day is one of the dataset's
// timezone.
func (s *span) instant(t schema.Type, v schema.Value) time.Time {
	at := v.Time()
	if t == schema.Timestamptz {
		return at
	}
	return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), s.Dataset.Grid.Location())
}

// at is the place of the window that holds t, which must lie within the lease's span.
func (s *span) at(t time.Time) int {
	after := sort.Search(len(s.tallies), func(i int) bool { return s.tallies[i].Window.Start.After(t) })
	return max(0, after-1)
}
