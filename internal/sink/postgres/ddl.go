package postgres

import (
	"fmt"
	"slices"
	"strings"

	"samespace-exporter/internal/schema"
)

// dialect is schema.Dialect for the report tables of a schema.
type dialect struct{ schemaName string }

// Native is the type's name as format_type spells it.
func (dialect) Native(t schema.Type) string { return wireTypeOf(t).native }

// Comments reports that tables and columns carry comments.
func (dialect) Comments() bool { return true }

// TableName is the quoted name of a report table.
func (d dialect) TableName(table string) string {
	return target{Table: schema.Table{Name: table}, schemaName: d.schemaName}.name()
}

// Widens reports whether ALTER TYPE keeps every value as it is and as it reads.
func (dialect) Widens(from, to string) bool {
	base, _, _ := strings.Cut(from, "(")
	switch to {
	case "bigint":
		return base == "smallint" || base == "integer"
	case "numeric":
		return base == "smallint" || base == "integer" || base == "bigint" || base == "numeric"
	case "double precision":
		return base == "real"
	case "text":
		return base == "smallint" || base == "integer" || base == "bigint" || base == "character varying" || base == "uuid"
	}
	return false
}

func createSchema(name string) string { return "CREATE SCHEMA " + quote(name) }

// render is the statement that makes a change of the table.
func (t target) render(c schema.Change) string {
	column := quote(c.Column.Name)
	native := wireTypeOf(c.Column.Type).native
	switch c.Kind {
	case schema.CreateTable:
		return t.create()
	case schema.AddColumn:
		return fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", t.name(), column, native)
	case schema.WidenColumn:
		return fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s TYPE %s", t.name(), column, native)
	case schema.CommentTable:
		return fmt.Sprintf("COMMENT ON TABLE %s IS %s", t.name(), quoteText(c.Comment))
	case schema.CommentColumn:
		return fmt.Sprintf("COMMENT ON COLUMN %s.%s IS %s", t.name(), column, quoteText(c.Comment))
	case schema.CreateIndex:
		return fmt.Sprintf("CREATE INDEX ON %s (%s)", t.name(), column)
	}
	panic(fmt.Sprintf("change of an unknown kind %d", c.Kind))
}

func (t target) create() string {
	var lines []string
	for _, c := range slices.Concat(t.Columns, t.OwnColumns()) {
		line := quote(c.Name) + " " + wireTypeOf(c.Type).native
		if t.NotNull(c.Name) {
			line += " NOT NULL"
		}
		lines = append(lines, line)
	}
	if len(t.Key) > 0 {
		lines = append(lines, "PRIMARY KEY ("+strings.Join(quoteAll(t.Key), ", ")+")")
	}
	return fmt.Sprintf("CREATE TABLE %s (\n    %s\n)", t.name(), strings.Join(lines, ",\n    "))
}

// distribute spreads a new table over the workers of Citus by the first column of its key. A table without a
// key stays on the coordinator.
func (t target) distribute() string {
	return fmt.Sprintf("SELECT create_distributed_table(%s, %s)", quoteText(t.name()), quoteText(t.Key[0]))
}

// quoteText is a text constant, whatever standard_conforming_strings says.
func quoteText(text string) string {
	quoted := "'" + strings.ReplaceAll(clean(text), "'", "''") + "'"
	if strings.Contains(text, `\`) {
		return "E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}
