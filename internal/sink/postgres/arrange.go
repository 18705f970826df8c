package postgres

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// arranged is the rows of a batch as they are to be written: of each key the last version, in key order, and
// what is known of how each differs from what the table has.
type arranged struct {
	target
	rows     []sink.Row
	verdicts []verdict      // of each row
	places   map[string]int // of each key, encoded
	// exportedAt is when this version of the rows is written: the transaction's time.
	exportedAt time.Time
	duplicates int64
}

// verdict is how a row differs from what the table has.
type verdict uint8

const (
	unseen    verdict = iota // not found in the table, as far as it was read
	unchanged                // the table has it as it is
	changed                  // the table has another version
)

// arrange puts the rows of a table with a key into its order. All commits write in that order, whichever way they
// write, so that none waits for one that waits for it. Rows of a table without a key stay as they are.
func arrange(t target, rows []sink.Row) *arranged {
	a := &arranged{target: t, rows: rows}
	if len(t.Key) == 0 {
		return a
	}
	key := t.KeyIndexes()
	a.rows = slices.Clone(rows)
	slices.SortStableFunc(a.rows, func(x, y sink.Row) int { return compareKeys(key, x, y) })
	a.rows = keepLast(key, a.rows)
	a.duplicates = int64(len(rows) - len(a.rows))
	a.verdicts = make([]verdict, len(a.rows))
	a.places = make(map[string]int, len(a.rows))
	var buf []byte
	for i, row := range a.rows {
		buf = buf[:0]
		for _, k := range key {
			buf = appendField(buf, t.Columns[k].Type, row.Values[k])
		}
		a.places[string(buf)] = i
	}
	return a
}

// compareKeys is the same order for every commit; that it is not SQL's does not matter. NULL, which the table
// refuses, is like no other value.
func compareKeys(key []int, x, y sink.Row) int {
	for _, k := range key {
		a, b := x.Values[k], y.Values[k]
		switch {
		case a == b:
		case a.IsNull():
			return -1
		case b.IsNull():
			return 1
		default:
			return cmp.Or(strings.Compare(a.Str(), b.Str()), cmp.Compare(a.Int(), b.Int()))
		}
	}
	return 0
}

// keepLast drops of the rows with one key, which are neighbours, all but the last.
func keepLast(key []int, rows []sink.Row) []sink.Row {
	kept := rows[:0]
	for i, row := range rows {
		if i+1 == len(rows) || compareKeys(key, row, rows[i+1]) != 0 {
			kept = append(kept, row)
		}
	}
	return kept
}

// place is where the batch has the key of a row that the table has; ok is false when it has it not.
func (a *arranged) place(key []int, fields [][]byte, buf []byte) (place int, ok bool, err error) {
	for _, k := range key {
		switch t := a.Columns[k].Type; t {
		case schema.Numeric, schema.Duration, schema.JSON: // equal values can be spelled differently
			v, err := decodeValue(t, fields[k])
			if err != nil {
				return 0, false, err
			}
			buf = appendField(buf, t, v)
		default:
			buf = binary.BigEndian.AppendUint32(buf, uint32(len(fields[k])))
			buf = append(buf, fields[k]...)
		}
	}
	place, ok = a.places[string(buf)]
	return place, ok, nil
}

// count is how many rows have the verdict.
func (a *arranged) count(v verdict) (n int64) {
	for _, is := range a.verdicts {
		if is == v {
			n++
		}
	}
	return n
}

// timeRange is the times of the earliest and the latest row; ok is false when rows have none.
func (a *arranged) timeRange() (first, last schema.Value, ok bool) {
	field := a.ColumnIndex(a.TimeField)
	if field < 0 || len(a.rows) == 0 {
		return first, last, false
	}
	first, last = a.rows[0].Values[field], a.rows[0].Values[field]
	for _, row := range a.rows {
		at := row.Values[field]
		if at.IsNull() {
			return first, last, false
		}
		if at.Micros() < first.Micros() {
			first = at
		}
		if at.Micros() > last.Micros() {
			last = at
		}
	}
	return first, last, true
}
