package simulator

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// PageCap sends at most n rows in a page, whatever limit was asked for, and does not say so.
func PageCap(n int) Fault {
	return Fault{ask: func(_ Request, q *query) error { q.limit = min(q.limit, n); return nil }}
}

// PageBytes sends only as many of a page's first rows as have at most n bytes together, but one at least, and does not
// say so.
func PageBytes(n int) Fault {
	return Fault{rows: func(rows []json.RawMessage) []json.RawMessage {
		length := 0
		for i, row := range rows {
			if length += len(row); length > n && i > 0 {
				return rows[:i]
			}
		}
		return rows
	}}
}

// InclusiveEnd also sends the rows that start at the very end of the range.
func InclusiveEnd() Fault {
	return Fault{ask: func(_ Request, q *query) error { q.to++; return nil }}
}

// ExclusiveStart leaves out the rows that start at the very start of the range.
func ExclusiveStart() Fault {
	return Fault{ask: func(_ Request, q *query) error { q.from++; return nil }}
}

// IgnoreSkip sends the first page whatever skip was asked for.
func IgnoreSkip() Fault {
	return Fault{ask: func(_ Request, q *query) error { q.skip = 0; return nil }}
}

// IgnoreSort sends the rows in order of their ids whatever order was asked for.
func IgnoreSort() Fault {
	return Fault{ask: func(_ Request, q *query) error { q.sort, q.desc = nil, false; return nil }}
}

// Unordered sends the rows in another order at each request.
func Unordered() Fault {
	return Fault{ask: func(r Request, q *query) error { q.shuffle = uint64(r.Number); return nil }}
}

// MaxSkip refuses a skip above n.
func MaxSkip(n int) Fault {
	return Fault{ask: func(_ Request, q *query) error {
		if q.skip > n {
			return fmt.Errorf("skip must not be above %d", n)
		}
		return nil
	}}
}

// RangeLimit refuses a range longer than d.
func RangeLimit(d time.Duration) Fault {
	return Fault{ask: func(_ Request, q *query) error {
		if q.to-q.from > d.Milliseconds() {
			return fmt.Errorf("the time range must not be longer than %s", d)
		}
		return nil
	}}
}

// Refuse answers the query with a GraphQL error and null for its field.
func Refuse(message string) Fault {
	return Fault{ask: func(Request, *query) error { return errors.New(message) }}
}

// Meanwhile calls f once the page is made and before it is sent: rows that f inserts, removes or changes
// move between this page and the next one.
func Meanwhile(f func(*Simulator)) Fault { return Fault{after: f} }

// Altered reports whether the row with that key is one of those that Duplicate, WrongTypes, NUL and
// MissingKeys alter: one row in eight, always the same ones.
func Altered(key string) bool {
	id, ok := parseObjectID(key)
	return ok && isAltered(id)
}

func isAltered(id objectID) bool { return mix(binary.BigEndian.Uint64(id[4:]))%8 == 0 }

// Duplicate sends each altered row twice, one after the other. Skip and limit count both.
func Duplicate() Fault {
	return Fault{ask: func(_ Request, q *query) error { q.twice = true; return nil }}
}

// WrongTypes sends values of another type for the metrics, in altered rows: for a number the text "n/a", for
// anything else an object.
func WrongTypes(metrics ...string) Fault {
	return edit(true, func(pairs []pair) []pair {
		for i := range pairs {
			if !slices.Contains(metrics, pairs[i].id) {
				continue
			}
			if c := pairs[i].value[0]; c == '-' || c >= '0' && c <= '9' {
				pairs[i].value = json.RawMessage(`"n/a"`)
			} else {
				pairs[i].value = json.RawMessage(`{"unexpected":true}`)
			}
		}
		return pairs
	})
}

// NUL puts a NUL character at the end of the metrics' texts, in altered rows.
func NUL(metrics ...string) Fault {
	return edit(true, func(pairs []pair) []pair {
		for i := range pairs {
			if text := pairs[i].value; slices.Contains(metrics, pairs[i].id) && text[0] == '"' {
				pairs[i].value = append(slices.Clip(text[:len(text)-1]), `\u0000"`...)
			}
		}
		return pairs
	})
}

// MissingKeys leaves the metrics out, in altered rows.
func MissingKeys(metrics ...string) Fault {
	return edit(true, func(pairs []pair) []pair {
		return slices.DeleteFunc(pairs, func(p pair) bool { return slices.Contains(metrics, p.id) })
	})
}

// NewID is the metric id that NewIDs adds.
const NewID = "6f0000000000000000000001"

// NewIDs adds a metric that no dictionary names to every row: NewID, with the text "new".
func NewIDs() Fault {
	return edit(false, func(pairs []pair) []pair {
		return append(pairs, pair{NewID, json.RawMessage(`"new"`)})
	})
}

// pair is a metric of a row as it is sent.
type pair struct {
	id    string
	value json.RawMessage
}

// edit changes the pairs of a page's rows; onlyAltered: of the altered ones, which a text value of the row
// that is an altered key tells.
func edit(onlyAltered bool, change func([]pair) []pair) Fault {
	return Fault{rows: func(rows []json.RawMessage) []json.RawMessage {
		edited := slices.Clone(rows)
		for i, row := range rows {
			pairs, ok := split(row)
			if ok && (!onlyAltered || slices.ContainsFunc(pairs, isAlteredKey)) {
				edited[i] = join(change(pairs))
			}
		}
		return edited
	}}
}

func isAlteredKey(p pair) bool { return Altered(string(bytes.Trim(p.value, `"`))) }

// split takes a row apart, in the order of its keys.
func split(row json.RawMessage) (pairs []pair, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(row))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil, false
	}
	for decoder.More() {
		id, err := decoder.Token()
		if err != nil {
			return nil, false
		}
		p := pair{id: fmt.Sprint(id)}
		if err := decoder.Decode(&p.value); err != nil {
			return nil, false
		}
		pairs = append(pairs, p)
	}
	return pairs, true
}

func join(pairs []pair) json.RawMessage {
	b := []byte{'{'}
	for i, p := range pairs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(appendText(b, p.id), ':'), p.value...)
	}
	return append(b, '}')
}

// TimezoneMovesRange takes startTime and endTime for wall-clock times of the timezone.
func TimezoneMovesRange() Fault {
	return Fault{ask: func(r Request, q *query) error {
		name, _ := r.Variables["timezone"].(string)
		zone, err := time.LoadLocation(name)
		if err != nil {
			return err
		}
		_, offset := time.UnixMilli(q.from).In(zone).Zone()
		q.from, q.to = q.from-int64(offset)*1000, q.to-int64(offset)*1000
		return nil
	}}
}

// TimeRangeWins passes startTime and endTime over where a timeRange is sent beside them.
func TimeRangeWins() Fault {
	return Fault{ask: func(r Request, q *query) error {
		if name, ok := r.Variables["timeRange"].(string); ok {
			from, to := timeRange(name, time.UnixMilli(q.now).UTC())
			q.from, q.to = from.UnixMilli(), to.UnixMilli()
		}
		return nil
	}}
}
