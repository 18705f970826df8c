package export

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Difference is how a window differs between the API and the table.
type Difference struct {
	Window     window.Window
	NextReadAt time.Time // when it is to be read again anyway; zero: never
	Missing    int       // rows that the API has and the table has not
	Extra      int       // rows that the table has and the API has not
	Different  int       // rows that both have, with other values
	// Columns are how many of the different rows differ in a column, by its name; _extra is one.
	Columns  map[string]int
	Examples []Example // a few of each kind
}

// Example is a row that differs.
type Example struct {
	Kind    string   // "missing", "extra" or "different"
	Key     string   // the values of its key; of a table without one, its time
	Columns []string // that differ
}

// maxExamples is how many examples of a kind a window keeps.
const maxExamples = 5

// comparison compares the parts of a span with the table.
type comparison struct {
	*Exporter
	table     schema.Table
	field     timeField
	entries   []sink.Entry
	rows      int
	rejected  int
	differing map[int64]*Difference // by the window's start in microseconds
}

func newComparison(e *Exporter, entries []sink.Entry) *comparison {
	return &comparison{Exporter: e, table: e.Dataset.Mapper.Table(), field: e.Dataset.timeField(), entries: entries, differing: map[int64]*Difference{}}
}

// compare compares a part that was read with what the table has of it.
func (c *comparison) compare(ctx context.Context, part *sink.Batch) error {
	c.rows += len(part.Rejects)
	c.rejected += len(part.Rejects)
	var stored []sink.StoredRow
	if c.table.TimeField != "" {
		var err error
		if stored, err = c.stored(ctx, part.Range); err != nil {
			return err
		}
	}
	if len(c.table.Key) == 0 {
		c.compareContent(part, stored)
		return nil
	}
	return c.compareByKey(ctx, part, stored)
}

// stored is what the table has of a stretch of time: of a window that is replaced what was sent for it, whatever its time.
func (c *comparison) stored(ctx context.Context, stretch window.Window) ([]sink.StoredRow, error) {
	if c.replaces() {
		return c.Warehouse.StoredByWindow(ctx, c.table, stretch)
	}
	rows, err := c.Warehouse.StoredIn(ctx, c.table, c.field.around(stretch))
	return slices.DeleteFunc(rows, func(row sink.StoredRow) bool {
		at, _ := c.field.at(row.Row.Row)
		return row.Deleted || !stretch.Contains(at)
	}), err
}

// compareByKey compares rows by key. Where in time the table has a row counts as one of its values.
func (c *comparison) compareByKey(ctx context.Context, part *sink.Batch, stored []sink.StoredRow) error {
	have := make(map[string]sink.StoredRow, len(stored))
	for _, row := range stored {
		have[c.keyOf(row.Row.Row)] = row
	}
	sent := c.sentIn(part)
	keys := slices.Sorted(maps.Keys(sent))
	var elsewhere []schema.Row
	for _, key := range keys {
		if _, ok := have[key]; !ok {
			elsewhere = append(elsewhere, sent[key])
		}
	}
	found, err := c.Warehouse.StoredByKey(ctx, c.table, elsewhere)
	if err != nil {
		return err
	}
	extra := maps.Clone(have)
	for _, row := range found {
		if !row.Deleted {
			have[c.keyOf(row.Row.Row)] = row
		}
	}
	for _, key := range keys {
		row := sent[key]
		c.rows++
		delete(extra, key)
		if has, ok := have[key]; !ok {
			c.tell("missing", part.Range, row, nil)
		} else if columns := sink.Changed(c.table, has, row, false); len(columns) > 0 {
			c.tell("different", part.Range, row, columns)
		}
	}
	for _, reject := range part.Rejects {
		if key, ok := c.Dataset.Mapper.KeyOf(reject.Raw); ok {
			delete(extra, c.keyOf(key))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(extra)) {
		c.tell("extra", part.Range, extra[key].Row.Row, nil)
	}
	return nil
}

// sentIn are the rows of a part by key, but for those of its neighbours: of each key the last version.
func (c *comparison) sentIn(part *sink.Batch) map[string]schema.Row {
	sent := make(map[string]schema.Row, len(part.Rows))
	for _, row := range part.Rows {
		if at, ok := c.field.at(row.Row); !ok || part.Range.Contains(at) {
			sent[c.keyOf(row.Row)] = row.Row
		}
	}
	return sent
}

func (c *comparison) replaces() bool { return c.Dataset.Write == sink.ReplaceWindows }

// compareContent compares rows that have no key: how often each is there. Rows without a time are left out, since they
// may be of any window, but where windows are replaced.
func (c *comparison) compareContent(part *sink.Batch, stored []sink.StoredRow) {
	more := map[string]int{} // how much more often the API has a row
	rows := map[string]schema.Row{}
	count := func(row schema.Row, n int) {
		if at, ok := c.field.at(row); c.replaces() || ok && part.Range.Contains(at) {
			content := row.Text(everyColumn(c.table)) + "\x00" + row.Extra.Str()
			more[content] += n
			rows[content] = row
		}
	}
	for _, row := range part.Rows {
		c.rows++
		count(row.Row, 1)
	}
	for _, row := range stored {
		count(row.Row.Row, -1)
	}
	for _, content := range slices.Sorted(maps.Keys(more)) { // the same rows are examples each time
		n := more[content]
		for ; n > 0; n-- {
			c.tell("missing", part.Range, rows[content], nil)
		}
		// Where rows are appended, each version that was seen of a row is there.
		for ; n < 0 && c.Dataset.Write != sink.Append; n++ {
			c.tell("extra", part.Range, rows[content], nil)
		}
	}
}

// tell notes a row that differs. One whose time is not of the stretch is said to be of the first window of it.
func (c *comparison) tell(kind string, stretch window.Window, row schema.Row, columns []string) {
	at, ok := c.field.at(row)
	if !ok || !stretch.Contains(at) {
		at = stretch.Start
	}
	d := c.differenceAt(at)
	n := &d.Different
	switch kind {
	case "missing":
		n = &d.Missing
	case "extra":
		n = &d.Extra
	}
	*n++
	for _, column := range columns {
		d.Columns[column]++
	}
	if *n <= maxExamples {
		d.Examples = append(d.Examples, Example{Kind: kind, Key: c.nameOf(row), Columns: columns})
	}
}

// differenceAt is the difference of the window that holds an instant of the span.
func (c *comparison) differenceAt(at time.Time) *Difference {
	i := max(0, slices.IndexFunc(c.entries, func(e sink.Entry) bool { return e.Window.Contains(at) }))
	w := c.entries[i].Window
	d := c.differing[w.Start.UnixMicro()]
	if d == nil {
		d = &Difference{Window: w, Columns: map[string]int{}}
		c.differing[w.Start.UnixMicro()] = d
	}
	return d
}

// keyOf is a row's key as one text, equal for equal keys.
func (c *comparison) keyOf(row schema.Row) string { return row.Text(c.table.KeyIndexes()) }

func everyColumn(t schema.Table) []int {
	places := make([]int, len(t.Columns))
	for i := range places {
		places[i] = i
	}
	return places
}

// nameOf is a row's key for people; of a row without one, its time.
func (c *comparison) nameOf(row schema.Row) string {
	places := c.table.KeyIndexes()
	if len(places) == 0 {
		places = []int{c.table.ColumnIndex(c.table.TimeField)}
	}
	var values []string
	for _, i := range places {
		values = append(values, row.Values[i].Text(c.table.Columns[i].Type))
	}
	return strings.Join(values, ", ")
}
