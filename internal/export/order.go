package export

import (
	"cmp"
	"fmt"
	"strings"

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
	pages []int // where each page begins

	sorted     int // the column that was sorted by; -1: none, or one whose order we cannot know
	kind       schema.Type
	descending bool
	last       schema.Value

	key  []int
	seen map[string]int // the place of each key
	page int            // the page of the row that is being looked at

	reason string
}

func newOrder(d Dataset, pages []int) *order {
	o := &order{pages: pages, sorted: -1, descending: d.Query.SortDesc}
	if len(pages) < 2 {
		return o
	}
	table := d.Mapper.Table()
	for i, c := range table.Columns {
		if c.ID == d.Query.SortID && ordered(c.Type) {
			o.sorted, o.kind = i, c.Type
		}
	}
	o.key = table.KeyIndexes()
	o.seen = make(map[string]int)
	return o
}

// ordered reports whether values of a type can be ordered without knowing the server's collation.
func ordered(t schema.Type) bool {
	switch t {
	case schema.Integer, schema.Float, schema.Timestamptz, schema.Timestamp, schema.Date:
		return true
	}
	return false
}

// see looks at the row at a place of the reading.
func (o *order) see(place int, row schema.Row) {
	if len(o.pages) < 2 || o.reason != "" {
		return
	}
	o.seeSort(row)
	o.seeKey(place, row)
}

func (o *order) seeSort(row schema.Row) {
	if o.sorted < 0 || row.Values[o.sorted].IsNull() {
		return
	}
	v := row.Values[o.sorted]
	if !o.last.IsNull() {
		if c := o.compare(o.last, v); c > 0 != o.descending && c != 0 {
			o.reason = "the rows are not in the order that was asked for"
		}
	}
	o.last = v
}

func (o *order) compare(a, b schema.Value) int {
	if o.kind == schema.Float {
		return cmp.Compare(a.Float(), b.Float())
	}
	return cmp.Compare(a.Int(), b.Int()) // times are whole microseconds
}

// seeKey lets a row come twice within a page, or twice in a row: an API may do that.
func (o *order) seeKey(place int, row schema.Row) {
	if len(o.key) == 0 {
		return
	}
	for o.page+1 < len(o.pages) && o.pages[o.page+1] <= place {
		o.page++
	}
	key := o.keyOf(row)
	if before, ok := o.seen[key]; ok && before < o.pages[o.page] && before+1 < place {
		o.reason = "a row came again on a later page"
	}
	o.seen[key] = place
}

func (o *order) keyOf(row schema.Row) string {
	if len(o.key) == 1 {
		if v := row.Values[o.key[0]]; v.Str() != "" {
			return v.Str()
		}
	}
	var b strings.Builder
	for _, i := range o.key {
		v := row.Values[i]
		fmt.Fprintf(&b, "%d:%s/%d;", len(v.Str()), v.Str(), v.Int())
	}
	return b.String()
}

// err is a *disorderError when the pages are not of one list.
func (o *order) err() error {
	if o.reason == "" {
		return nil
	}
	return &disorderError{reason: o.reason}
}
