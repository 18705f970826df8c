package postgres

import (
	"cmp"
	"slices"
	"sort"
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
	key      []int     // places of the key's columns
	verdicts []verdict // of each row
	tally    [changed + 1]int64
	// next is the row whose key the table will most likely send next.
	next int
	// exportedAt is when this version of the rows is written: the transaction's time.
	exportedAt time.Time
	duplicates int64
	comparing  *time.Duration // see sink.Batch.Compared
	origin     origin         // of what is written
	// overtaking tells the versions that, where a row would take the place of one, fail the commit.
	overtaking sink.Overtaking
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
	a := &arranged{target: t, rows: rows, key: t.KeyIndexes()}
	if len(t.Key) == 0 {
		return a
	}
	if !ascending(a.key, rows) {
		a.rows = inOrder(a.key, rows)
		a.duplicates = int64(len(rows) - len(a.rows))
	}
	a.forget()
	return a
}

// forget makes all rows unseen.
func (a *arranged) forget() {
	a.next = 0
	if len(a.key) > 0 {
		a.verdicts = make([]verdict, len(a.rows))
		a.tally = [changed + 1]int64{unseen: int64(len(a.rows))}
	}
}

// ascending reports whether the rows are in key order and no key is there twice, as is usual where ids grow with time.
func ascending(key []int, rows []sink.Row) bool {
	for i := 1; i < len(rows); i++ {
		if compareKeys(key, &rows[i-1], &rows[i]) >= 0 {
			return false
		}
	}
	return true
}

// inOrder is the rows in key order, of each key the last. It sorts places: rows are large.
func inOrder(key []int, rows []sink.Row) []sink.Row {
	places := make([]int32, len(rows))
	for i := range places {
		places[i] = int32(i)
	}
	slices.SortFunc(places, func(x, y int32) int {
		return cmp.Or(compareKeys(key, &rows[x], &rows[y]), cmp.Compare(x, y))
	})
	sorted := make([]sink.Row, 0, len(rows))
	for i, place := range places {
		if i+1 == len(places) || compareKeys(key, &rows[place], &rows[places[i+1]]) != 0 {
			sorted = append(sorted, rows[place])
		}
	}
	return sorted
}

// compareKeys is the same order for every commit; that it is not SQL's does not matter. NULL, which the table
// refuses, is like no other value.
func compareKeys(key []int, x, y *sink.Row) int {
	for _, k := range key {
		if order := compareValues(x.Values[k], y.Values[k]); order != 0 {
			return order
		}
	}
	return 0
}

func compareValues(x, y schema.Value) int {
	switch {
	case x.IsNull() != y.IsNull():
		if x.IsNull() {
			return -1
		}
		return 1
	case x.Str() != y.Str():
		return strings.Compare(x.Str(), y.Str())
	}
	return cmp.Compare(x.Int(), y.Int())
}

// seek is where the batch has the key of a row that the table has; ok is false when it has it not. The table mostly
// sends rows in the batch's order: then the place is known at the first look.
func (a *arranged) seek(fields [][]byte) (place int, ok bool, err error) {
	sent := make([]schema.Value, 0, 4)
	for _, k := range a.key {
		if t := a.Columns[k].Type; t != schema.Text { // which is compared as it came
			v, err := decodeValue(t, fields[k])
			if err != nil {
				return 0, false, err
			}
			sent = append(sent, v)
		}
	}
	if a.next < len(a.rows) && a.compareSent(a.next, fields, sent) == 0 {
		a.next++
		return a.next - 1, true, nil
	}
	place = sort.Search(len(a.rows), func(i int) bool { return a.compareSent(i, fields, sent) >= 0 })
	ok = place < len(a.rows) && a.compareSent(place, fields, sent) == 0
	if ok {
		a.next = place + 1
	}
	return place, ok, nil
}

// find is where the batch has the key of a row.
func (a *arranged) find(row sink.Row) (place int, ok bool) {
	return sort.Find(len(a.rows), func(i int) int { return compareKeys(a.key, &row, &a.rows[i]) })
}

// compareSent is compareKeys of a row and of one that the table sent; sent are those of its values that are no text.
func (a *arranged) compareSent(place int, fields [][]byte, sent []schema.Value) int {
	row := &a.rows[place]
	for _, k := range a.key {
		v := row.Values[k]
		if a.Columns[k].Type != schema.Text {
			if order := compareValues(v, sent[0]); order != 0 {
				return order
			}
			sent = sent[1:]
			continue
		}
		switch text := v.Str(); {
		case v.IsNull() || text < string(fields[k]):
			return -1
		case text > string(fields[k]):
			return 1
		}
	}
	return 0
}

// decide keeps the verdict on a row.
func (a *arranged) decide(place int, v verdict) {
	a.tally[a.verdicts[place]]--
	a.tally[v]++
	a.verdicts[place] = v
}

// count is how many rows have the verdict.
func (a *arranged) count(v verdict) int64 { return a.tally[v] }

// timeRange is the times of the earliest and the latest row; ok is false when rows have none.
func (a *arranged) timeRange() (first, last schema.Value, ok bool) {
	field := a.ColumnIndex(a.TimeField)
	if field < 0 || len(a.rows) == 0 {
		return first, last, false
	}
	first, last = a.rows[0].Values[field], a.rows[0].Values[field]
	for i := range a.rows {
		at := a.rows[i].Values[field]
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
