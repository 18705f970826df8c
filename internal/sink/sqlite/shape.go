package sqlite

import (
	"fmt"
	"slices"
	"strings"

	"samespace-exporter/internal/schema"
)

// shape is a table as SQL names it. Statements that its mapping shapes are built here, or beside what runs them.
type shape struct {
	table   string
	columns []schema.Column // the mapped ones, then the exporter's own but _exported_at; _window_start is the last
	key     []int           // places of the key's columns in columns
}

func shapeOf(t schema.Table) shape {
	s := shape{table: quote(t.Name), columns: slices.Clone(t.Columns), key: t.KeyIndexes()}
	for _, own := range t.OwnColumns() {
		if own.Name != schema.ExportedAtColumn && own.Name != schema.WindowStartColumn {
			s.columns = append(s.columns, own)
		}
	}
	s.columns = append(s.columns, schema.Column{Name: schema.WindowStartColumn, Type: schema.Timestamptz})
	return s
}

// compared is how many of the columns, from the first, tell whether a row has changed: all but the window, since
// that of a row without a time depends on how it was read.
func (s shape) compared() int { return len(s.columns) - 1 }

func (s shape) name(place int) string { return quote(s.columns[place].Name) }

// insert takes _exported_at, which all rows share, and rows times the values of columns. A commit fails as a whole where it
// does: so the statement need not be undone by itself, for which SQLite would copy each page before it is changed. Not where
// people's triggers run, for whose statements that would hold as well, whatever they say.
func (s shape) insert(rows int, triggers bool) string {
	verb := "INSERT OR FAIL"
	if triggers {
		verb = "INSERT"
	}
	names := []string{quote(schema.ExportedAtColumn)}
	for i := range s.columns {
		names = append(names, s.name(i))
	}
	row := "(?1" + strings.Repeat(", ?", len(s.columns)) + ")"
	return fmt.Sprintf("%s INTO %s (%s) VALUES %s", verb, s.table, strings.Join(names, ", "), list(row, rows))
}

// existing takes keys times a number and the key's values, and returns the number, _exported_at and the compared columns
// of every row that has one of the keys. The plus keeps the driver from making times of text by the declared type.
func (s shape) existing(keys int) string {
	columns := []string{"k.column1", "+t." + quote(schema.ExportedAtColumn)}
	for i := range s.compared() {
		columns = append(columns, "+t."+s.name(i))
	}
	var on []string
	for n, place := range s.key {
		on = append(on, fmt.Sprintf("t.%s = k.column%d", s.name(place), n+2))
	}
	return fmt.Sprintf("SELECT %s FROM (VALUES %s) AS k CROSS JOIN %s AS t ON %s",
		strings.Join(columns, ", "), tuples(keys, len(s.key)+1), s.table, strings.Join(on, " AND "))
}

// update takes the values of columns and _exported_at, by number: the key's are what it looks for.
func (s shape) update() string {
	var set, where []string
	for i := range s.columns {
		equals := fmt.Sprintf("%s = ?%d", s.name(i), i+1)
		if slices.Contains(s.key, i) {
			where = append(where, equals)
		} else {
			set = append(set, equals)
		}
	}
	return fmt.Sprintf("UPDATE %s SET %s, %s = ?%d WHERE %s",
		s.table, strings.Join(set, ", "), quote(schema.ExportedAtColumn), len(s.columns)+1, strings.Join(where, " AND "))
}

// between takes the least and the greatest value of the key's first column.
func (s shape) between() string {
	return fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM %s WHERE %s BETWEEN ? AND ?)", s.table, s.name(s.key[0]))
}

// tuples is rows times "(?, ?)".
func tuples(rows, columns int) string {
	return list("("+list("?", columns)+")", rows)
}

// list is an item so many times.
func list(item string, times int) string {
	return strings.TrimSuffix(strings.Repeat(item+", ", times), ", ")
}

// createTable declares the table. Types are declared by the names that BI tools know; see package schema for
// what a column refuses.
func createTable(t schema.Table) string {
	var lines []string
	for _, c := range slices.Concat(t.Columns, t.OwnColumns()) {
		line := quote(c.Name) + " " + dialect{}.Native(c.Type)
		if t.NotNull(c.Name) {
			line += " NOT NULL"
		}
		lines = append(lines, line)
	}
	if len(t.Key) > 0 {
		var key []string
		for _, name := range t.Key {
			key = append(key, quote(name))
		}
		lines = append(lines, "PRIMARY KEY ("+strings.Join(key, ", ")+")")
	}
	return fmt.Sprintf("CREATE TABLE %s (\n    %s\n)", quote(t.Name), strings.Join(lines, ",\n    "))
}

func addColumn(t schema.Table, c schema.Column) string {
	return fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", quote(t.Name), quote(c.Name), dialect{}.Native(c.Type))
}

func createIndex(t schema.Table, c schema.Column, name string) string {
	return fmt.Sprintf("CREATE INDEX %s ON %s (%s)", quote(name), quote(t.Name), quote(c.Name))
}

// dialect is what a plan must know of SQLite.
type dialect struct{}

// Native is the declared type. INTEGER is not used, since a primary key of that very type would number rows
// without a key by itself. "JSON TEXT" holds text: a column declared as JSON would turn 1.50 into 1.5.
func (dialect) Native(t schema.Type) string {
	switch t {
	case schema.Integer:
		return "BIGINT"
	case schema.Numeric, schema.Duration:
		return "NUMERIC"
	case schema.Float:
		return "REAL"
	case schema.Boolean:
		return "BOOLEAN"
	case schema.Timestamptz:
		return "TIMESTAMPTZ"
	case schema.Timestamp:
		return "TIMESTAMP"
	case schema.Date:
		return "DATE"
	case schema.JSON:
		return "JSON TEXT"
	default:
		return "TEXT"
	}
}

// Widens: SQLite stores the values of these two alike, so that only the declaration has to change.
func (d dialect) Widens(from, to string) bool {
	return from == d.Native(schema.Integer) && to == d.Native(schema.Numeric)
}

// Comments: SQLite has none; titles and metric ids are in exporter_fields.
func (dialect) Comments() bool { return false }

func (dialect) TableName(table string) string { return quote(table) }
