package sqlite

import (
	"cmp"
	"slices"
	"strings"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// cells is the memory that encoded rows lie in.
type cells struct {
	rows   [][]any
	values []any // of all rows
}

// room is memory for so many rows of so many values each.
func (c *cells) room(rows, width int) ([][]any, []any) {
	c.rows = slices.Grow(c.rows[:0], rows)
	c.values = slices.Grow(c.values[:0], rows*width)[:rows*width]
	return c.rows, c.values
}

// spare is memory that lies idle, of a commit at most: that of the last one, for the next one. Else each commit would leave
// megabytes to the collector.
type spare chan *cells

func (s spare) take() *cells {
	select {
	case c := <-s:
		return c
	default:
		return &cells{}
	}
}

// spareAtMost is how many values memory may have room for that lies idle: those of 20,000 rows, in 40 columns.
const spareAtMost = 800_000

// giveBack takes the memory of rows that nobody uses any more. A batch that needed a lot may have been the only one.
func (s spare) giveBack(c *cells) {
	if cap(c.values) > spareAtMost {
		return
	}
	clear(c.values)
	select {
	case s <- c:
	default: // another commit gave its own back
	}
}

// encode encodes rows into memory of their own.
func encode(t schema.Table, rows []sink.Row) rowset { return encodeInto(&cells{}, t, rows) }

// encodeInto is done before the transaction, so that others can write meanwhile.
func encodeInto(memory *cells, t schema.Table, rows []sink.Row) rowset {
	s := rowset{shape: shapeOf(t), origin: origin{table: t}, timeField: t.ColumnIndex(t.TimeField)}
	width := len(s.shape.columns)
	var values []any
	s.rows, values = memory.room(len(rows), width)
	var times, windows clockTexts        // a window has many rows, which have times of their own
	texts := make([]any, len(t.Columns)) // the last one of each column: many have few values
	for i := range rows {
		row := &rows[i]
		r := values[i*width : (i+1)*width : (i+1)*width]
		for c := range t.Columns {
			v := row.Values[c]
			switch of := t.Columns[c].Type; {
			case of == schema.Timestamptz && !v.IsNull():
				r[c] = times.instant(v.Micros())
			case of == schema.Text && !v.IsNull():
				if last, ok := texts[c].(string); !ok || last != v.Str() {
					texts[c] = v.Str()
				}
				r[c] = texts[c]
			default:
				r[c] = stored(of, v)
			}
		}
		r[len(t.Columns)] = stored(schema.JSON, row.Extra)
		if !row.WindowStart.IsZero() {
			r[width-1] = windows.instant(row.WindowStart.UnixMicro())
		}
		s.rows = append(s.rows, r) // _deleted_at, where there is one, is NULL: the row is there
	}
	if len(s.shape.key) > 0 {
		s.sort()
	}
	return s
}

// sort orders the rows by key and keeps the last one of each.
func (s *rowset) sort() {
	if !slices.IsSortedFunc(s.rows, s.compareKeys) { // mostly they are
		slices.SortStableFunc(s.rows, s.compareKeys)
	}
	kept := s.rows[:0]
	for i, row := range s.rows {
		if i+1 < len(s.rows) && s.compareKeys(row, s.rows[i+1]) == 0 {
			s.duplicate++
			continue
		}
		kept = append(kept, row)
	}
	s.rows = kept
}

func (s *rowset) compareKeys(a, b []any) int {
	for _, place := range s.shape.key {
		if c := compare(a[place], b[place]); c != 0 {
			return c
		}
	}
	return 0
}

// compare orders stored values of one column. Values of one Go type are in SQLite's order; between an integer
// and a fraction of a numeric column any order will do.
func compare(a, b any) int {
	switch a := a.(type) {
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
	case float64:
		if b, ok := b.(float64); ok {
			return cmp.Compare(a, b)
		}
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b)
		}
	case []byte:
		if b, ok := b.([]byte); ok {
			return slices.Compare(a, b)
		}
	}
	return cmp.Compare(kind(a), kind(b))
}

func kind(v any) int {
	switch v.(type) {
	case nil:
		return 0
	case int64:
		return 1
	case float64:
		return 2
	case string:
		return 3
	}
	return 4
}
