package sink

import (
	"fmt"
	"slices"
	"strings"

	"samespace-exporter/internal/schema"
)

// Renamed is a column whose metric id another column of the table had before: rows that are there keep its values in that one.
type Renamed struct {
	ID       string
	From, To string // columns
	// Statement is SQL that a person may run to have the values in the new column, too; "": their types differ.
	Statement string
	// Keyless is set where rows are not found again by a key: to read them again fills the column only where a window's rows
	// are replaced. Appended ones would be added once more, since they are not the same any more.
	Keyless bool
}

func (r Renamed) String() string {
	until, ways := " until they are read again", []string{"exporter run --backfill"}
	if r.Keyless {
		until, ways[0] = "", "with write: replace, exporter run --backfill"
	}
	if r.Statement != "" {
		ways = append(ways, r.Statement)
	}
	return fmt.Sprintf("column %s takes the place of %s, for the same id %s: rows that are there keep its values in %s, and %s is empty in them%s; to fill it: %s",
		r.To, r.From, r.ID, r.From, r.To, until, strings.Join(ways, ", or "))
}

// KeptField is what the data dictionary has of a column, as the table was last prepared.
type KeptField struct{ Column, ID, Type string }

// RenamedOf are the columns of a table whose ids others had, by what the dictionary has of it. name is the table's in SQL.
func RenamedOf(t schema.Table, kept []KeptField, name string) (all []Renamed) {
	quote := func(column string) string { return `"` + strings.ReplaceAll(column, `"`, `""`) + `"` }
	for _, c := range t.Columns {
		if slices.ContainsFunc(kept, func(k KeptField) bool { return k.Column == c.Name && k.ID == c.ID }) {
			continue
		}
		before := slices.IndexFunc(kept, func(k KeptField) bool { return k.ID == c.ID && t.ColumnIndex(k.Column) < 0 })
		if before < 0 {
			continue
		}
		r := Renamed{ID: c.ID, From: kept[before].Column, To: c.Name, Keyless: len(t.Key) == 0}
		if kept[before].Type == c.Type.String() {
			r.Statement = fmt.Sprintf("UPDATE %s SET %s = %s WHERE %[2]s IS NULL", name, quote(r.To), quote(r.From))
		}
		all = append(all, r)
	}
	return all
}

// FromExtra are the columns that _extra may have values of: those that take the place of others find theirs elsewhere.
func (p Prepared) FromExtra() (columns []string) {
	for _, c := range p.Unpromoted {
		if !slices.ContainsFunc(p.Renamed, func(r Renamed) bool { return r.To == c }) {
			columns = append(columns, c)
		}
	}
	return columns
}
