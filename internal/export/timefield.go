package export

import (
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// timeField is the column that says when rows are. A wall-clock time or a day is one of the dataset's timezone.
type timeField struct {
	column   int // -1: there is none
	kind     schema.Type
	location *time.Location
}

// timeField is that of the dataset's own table.
func (d Dataset) timeField() timeField { return timeFieldOf(d.Mapper.Table(), d.Grid.Location()) }

func timeFieldOf(t schema.Table, location *time.Location) timeField {
	f := timeField{column: t.ColumnIndex(t.TimeField), location: location}
	if f.column >= 0 {
		f.kind = t.Columns[f.column].Type
	}
	return f
}

// at is when a row is; ok is false for a row without a time.
func (f timeField) at(row schema.Row) (at time.Time, ok bool) {
	if f.column < 0 || row.Values[f.column].IsNull() {
		return time.Time{}, false
	}
	return f.instant(row.Values[f.column]), true
}

// instant is the instant that a value of the field names.
func (f timeField) instant(v schema.Value) time.Time {
	at := v.Time()
	if f.kind == schema.Timestamptz {
		return at
	}
	return time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), f.location)
}

// value is an instant in the type of the field; a wall-clock time loses its fraction of a second. A table without the field is
// cut by _window_start, which is an instant.
func (f timeField) value(at time.Time) schema.Value {
	if f.column < 0 || f.kind == schema.Timestamptz {
		return schema.TimeValue(at)
	}
	local := at.In(f.location)
	if f.kind == schema.Date {
		return schema.TimeValue(time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC))
	}
	return schema.TimeValue(time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, time.UTC))
}

// endAfter is an end of a stretch that has a row's time in it. A day's rows are all at its midnight.
func (f timeField) endAfter(at time.Time) time.Time {
	if f.kind == schema.Date {
		return at.In(f.location).AddDate(0, 0, 1)
	}
	return at.Add(time.Second)
}

// Stretch is a stretch of time in the terms of the table's time field. ok is false where the two do not go together: for
// wall clocks near a change of the clocks, and days that are cut.
func (d Dataset) Stretch(w window.Window) (within sink.Stretch, ok bool) {
	return d.timeField().stretch(w)
}

func (f timeField) stretch(w window.Window) (within sink.Stretch, ok bool) {
	if f.column < 0 || w.Empty() {
		return sink.Stretch{}, false
	}
	if f.kind == schema.Timestamptz {
		return sink.Stretch{From: schema.TimeValue(w.Start), To: schema.TimeValue(w.End)}, true
	}
	const near = 24 * time.Hour
	_, before := w.Start.Add(-near).In(f.location).Zone()
	for _, t := range []time.Time{w.Start, w.End, w.End.Add(near)} {
		if _, offset := t.In(f.location).Zone(); offset != before {
			return sink.Stretch{}, false
		}
	}
	shift := time.Duration(before) * time.Second
	from, to := w.Start.UTC().Add(shift), w.End.UTC().Add(shift)
	const day = 24 * time.Hour
	if f.kind == schema.Date && (!from.Equal(from.Truncate(day)) || !to.Equal(to.Truncate(day))) {
		return sink.Stretch{}, false // of a day that was read in part all rows are at its midnight
	}
	return sink.Stretch{From: schema.TimeValue(from), To: schema.TimeValue(to)}, from.Before(to)
}

// around is a stretch of time in the terms of the field, with room where a wall clock or a day does not name an instant.
func (f timeField) around(w window.Window) sink.Stretch {
	if f.kind == schema.Timestamptz {
		return sink.Stretch{From: schema.TimeValue(w.Start), To: schema.TimeValue(w.End)}
	}
	const day = 24 * time.Hour // no timezone is further from UTC
	return sink.Stretch{From: schema.TimeValue(w.Start.Add(-day).Truncate(day)), To: schema.TimeValue(w.End.Add(2 * day).Truncate(day))}
}
