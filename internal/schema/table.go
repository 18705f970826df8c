package schema

import (
	"fmt"
	"strings"
)

// Table is a report table as it should be: the mapped columns in the order of the mapping. The exporter's
// own columns (see OwnColumns) come with every table and are not listed in Columns.
type Table struct {
	Name      string
	Comment   string
	Columns   []Column
	Key       []string // names of the key's columns, in the key's order; empty: the table has no key
	TimeField string   // name of the column that windows are about; "" when the mapping names none
	// MarksDeleted is set where rows that are gone from a window that was read again are marked: the table
	// then has the column _deleted_at. A warehouse sets it, too, of a table with a key that has the column from an earlier
	// mapping: nothing is marked any more, but marks are cleared when rows come back.
	MarksDeleted bool
	// History is set where versions of rows that give way to others are kept, in the table that HistoryTable says. Only for
	// a table with a key.
	History bool
	// ByWindow is set where rows are looked up by their window: _window_start then has an index.
	ByWindow bool
}

// Column is a mapped column.
type Column struct {
	Name  string
	Type  Type
	ID    string // the metric id, or the response key of an insight
	Title string // as the mapping gives it; may be empty
	// Transform is what is done to the values, with which secret and in which timezone where that matters; "" for columns that are not of a mapping.
	Transform string
}

// Names of the exporter's own columns.
const (
	WindowStartColumn = "_window_start" // timestamptz, not null: start of the window that the row falls in
	ExportedAtColumn  = "_exported_at"  // timestamptz, not null: when this version of the row was written
	ExtraColumn       = "_extra"        // json: the ids that the mapping does not name; null when there is none
	DeletedAtColumn   = "_deleted_at"   // timestamptz: when the row was found gone; only where MarksDeleted, now or once
)

// OwnColumns are the exporter's own columns of the table, in order.
func (t Table) OwnColumns() []Column {
	own := []Column{
		{Name: WindowStartColumn, Type: Timestamptz, Title: "Start of the window that the row falls in"},
		{Name: ExportedAtColumn, Type: Timestamptz, Title: "When this version of the row was written"},
		{Name: ExtraColumn, Type: JSON, Title: "Values that the mapping does not name, by metric id"},
	}
	if t.MarksDeleted {
		own = append(own, Column{Name: DeletedAtColumn, Type: Timestamptz, Title: "When the row was found gone from the source"})
	}
	return own
}

// ColumnIndex is the place of a mapped column in Columns and in Row.Values; -1 when there is none.
func (t Table) ColumnIndex(name string) int {
	for i, c := range t.Columns {
		if c.Name == name {
			return i
		}
	}
	return -1
}

// KeyIndexes are the places of the key's columns in Columns, in the key's order.
func (t Table) KeyIndexes() []int {
	places := make([]int, 0, len(t.Key))
	for _, name := range t.Key {
		places = append(places, t.ColumnIndex(name))
	}
	return places
}

// Row is one mapped row: a value for each of Table.Columns, in their order.
type Row struct {
	Values []Value
	// Extra is the canonical JSON object of the ids that the mapping does not name; NULL when there is none.
	Extra Value
	// Replaced counts the characters that became U+FFFD in this row: NUL, and surrogates without a partner.
	Replaced int
}

// Text is some of the row's values as one text, equal for equal values.
func (r Row) Text(places []int) string {
	var b strings.Builder
	for _, i := range places {
		v := r.Values[i]
		fmt.Fprintf(&b, "%t:%d:%s/%d;", v.IsNull(), len(v.Str()), v.Str(), v.Int())
	}
	return b.String()
}
