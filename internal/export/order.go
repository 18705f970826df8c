package export

import (
	"cmp"
	"hash/maphash"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
)

// disorderError says that pages fitted together, but are not pages of one list: rows may be missing.
type disorderError struct{ reason string }

func (e *disorderError) Error() string { return e.reason }

// order looks whether several pages are pages of one list: in the order that was asked for, and without a row
// that comes again pages later. The seams alone do not tell: a server that orders its rows anew for each page
// may by chance begin one with the row that the page before ended with. One page by itself is what the API
// said at one instant, whatever its order.
type order struct {
	sorted     int // the column that was sorted by; -1: none, or one whose order we cannot know
	kind       schema.Type
	descending bool
	location   *time.Location // of times without an offset
	last       schema.Value

	key  []int
	seed maphash.Seed
	// seen is which row had each key, by its hash. Two keys of one hash look like disorder: the rows are read again.
	// Until a key is not greater than the one before, no key can have come again: they wait in ascending.
	seen      map[uint64]int32
	ascending []seenKey
	greatest  schema.Value

	pages int   // begun
	first int32 // which row is the page's first
	nth   int32 // which row is the one to come

	reason string
}

// newOrder looks at no rows yet. What it remembers lies in the memory of keys; what lies there is of no use any more.
func newOrder(d Dataset, keys []seenKey) *order {
	o := &order{ascending: keys[:0], sorted: -1, descending: d.Query.SortDesc, location: d.Grid.Location(), seed: maphash.MakeSeed()}
	table := d.Mapper.Table()
	for i, c := range table.Columns {
		if c.ID == d.Query.SortID && ordered(c.Type) {
			o.sorted, o.kind = i, c.Type
		}
	}
	o.key = table.KeyIndexes()
	if len(o.key) != 1 {
		o.seen = make(map[uint64]int32)
	}
	return o
}

// seenKey is the hash of a key, and which row has it.
type seenKey struct {
	hash uint64
	nth  int32
}

// ordered reports whether values of a type can be ordered without knowing the server's collation.
func ordered(t schema.Type) bool {
	switch t {
	case schema.Integer, schema.Float, schema.Timestamptz, schema.Timestamp, schema.Date:
		return true
	}
	return false
}

// turn begins the next page.
func (o *order) turn() {
	o.pages++
	o.first = o.nth
}

// skip passes over a row that cannot be looked at.
func (o *order) skip() { o.nth++ }

// back goes back to the row before, to see a newer version of it.
func (o *order) back() {
	o.remember()
	o.nth--
}

// backTo goes back to behind a row that so many rows followed.
func (o *order) backTo(row schema.Row, followed int) {
	o.remember()
	o.nth -= int32(followed)
	if o.sorted >= 0 && !row.Values[o.sorted].IsNull() {
		o.last = row.Values[o.sorted]
	}
}

// see looks at the next row.
func (o *order) see(row schema.Row) {
	if o.reason == "" {
		o.seeSort(row)
		o.seeKey(row)
	}
	o.nth++
}

func (o *order) seeSort(row schema.Row) {
	if o.sorted < 0 || row.Values[o.sorted].IsNull() {
		return
	}
	v := row.Values[o.sorted]
	if !o.last.IsNull() {
		if c := o.compare(o.last, v); c > 0 != o.descending && c != 0 && !o.shownTwice(o.last, v) {
			o.reason = "the rows are not in the order that was asked for"
		}
	}
	o.last = v
}

// shownTwice reports whether two times are of those that the clocks showed twice: without an offset they go back once.
func (o *order) shownTwice(a, b schema.Value) bool {
	return (o.kind == schema.Timestamp || o.kind == schema.Timestamptz) && o.twice(a.Time()) && o.twice(b.Time())
}

// twice reports whether the clocks showed a time twice: it is one by the offset before a change of them, and by the one after.
func (o *order) twice(at time.Time) bool {
	offset := func(at time.Time) time.Duration {
		_, seconds := at.In(o.location).Zone()
		return time.Duration(seconds) * time.Second
	}
	shown := at // as UTC
	if o.kind == schema.Timestamptz {
		shown = at.Add(offset(at))
	}
	const day = 24 * time.Hour // no zone is further from UTC
	before, after := offset(shown.Add(-day)), offset(shown.Add(day))
	return before != after && offset(shown.Add(-before)) == before && offset(shown.Add(-after)) == after
}

func (o *order) compare(a, b schema.Value) int {
	if o.kind == schema.Float {
		return cmp.Compare(a.Float(), b.Float())
	}
	return cmp.Compare(a.Int(), b.Int()) // times are whole microseconds
}

// seeKey lets a row come twice within a page, or twice in a row: an API may do that.
func (o *order) seeKey(row schema.Row) {
	if len(o.key) == 0 {
		return
	}
	key := o.hash(row)
	if o.seen == nil {
		if v := row.Values[o.key[0]]; o.above(v) {
			o.greatest = v
			o.ascending = append(o.ascending, seenKey{key, o.nth})
			return
		}
		o.remember()
	}
	if before, ok := o.seen[key]; ok && before < o.first && before+1 < o.nth {
		o.reason = "a row came again on a later page"
	}
	o.seen[key] = o.nth
}

// above reports whether a value of the key is greater than all before it, by some total order in which only identical values
// are equal.
func (o *order) above(v schema.Value) bool {
	return cmp.Or(strings.Compare(v.Str(), o.greatest.Str()), cmp.Compare(v.Int(), o.greatest.Int())) > 0
}

// remember has all keys from now on looked up among those that were seen.
func (o *order) remember() {
	if o.seen != nil {
		return
	}
	o.seen = make(map[uint64]int32, 2*len(o.ascending))
	for _, k := range o.ascending {
		o.seen[k.hash] = k.nth
	}
	o.ascending = o.ascending[:0]
}

func (o *order) hash(row schema.Row) uint64 {
	if len(o.key) == 1 {
		v := row.Values[o.key[0]]
		return maphash.String(o.seed, v.Str()) ^ uint64(v.Int())
	}
	var h maphash.Hash
	h.SetSeed(o.seed)
	for _, i := range o.key {
		maphash.WriteComparable(&h, row.Values[i])
	}
	return h.Sum64()
}

// err is a *disorderError when the pages are not of one list.
func (o *order) err() error {
	if o.reason == "" || o.pages < 2 {
		return nil
	}
	return &disorderError{reason: o.reason}
}
