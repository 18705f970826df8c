package postgres

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/schema"
)

// target is a report table and the SQL that its mapping shapes. Names are quoted, values are parameters.
type target struct {
	schema.Table
	schemaName string
}

const (
	stageTable  = "pg_temp.exporter_stage"
	stageColumn = "_place" // of the row in the batch: the order in which rows are written
)

func (w *Warehouse) target(t schema.Table) target { return target{Table: t, schemaName: w.schema} }

func (t target) name() string { return pgx.Identifier{t.schemaName, t.Name}.Sanitize() }

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func quoteAll(names []string) []string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return quoted
}

// written are the columns that a commit writes: the mapped ones, and the exporter's own in the order window,
// exported at, extra.
func (t target) written() []schema.Column {
	return append(slices.Clone(t.Columns),
		schema.Column{Name: schema.WindowStartColumn, Type: schema.Timestamptz},
		schema.Column{Name: schema.ExportedAtColumn, Type: schema.Timestamptz},
		schema.Column{Name: schema.ExtraColumn, Type: schema.JSON})
}

func names(columns []schema.Column) []string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = c.Name
	}
	return all
}

// compared are the columns by which a row is told to have changed: the mapped ones and the extra values. The window
// is none, since that of a row without a time depends on how it was read.
func (t target) compared() []schema.Column {
	return append(slices.Clone(t.Columns), schema.Column{Name: schema.ExtraColumn, Type: schema.JSON})
}

// selectRows is the start of a read of what the table has: the compared columns and, where rows are marked as deleted,
// whether this one is.
func (t target) selectRows() string {
	columns := "SELECT t." + strings.Join(quoteAll(names(t.compared())), ", t.")
	if t.MarksDeleted {
		columns += ", t." + quote(schema.DeletedAtColumn) + " IS NOT NULL"
	}
	return columns
}

// readByTime reads the rows of a stretch of time, up to a limit.
func (t target) readByTime() string {
	at := quote(t.TimeField)
	return fmt.Sprintf("%s\nFROM %s AS t\nWHERE t.%s >= $1 AND t.%s <= $2\nLIMIT $3", t.selectRows(), t.name(), at, at)
}

// readByKey reads the rows that have one of so many keys.
func (t target) readByKey() string { return t.byKeys(t.selectRows()) }

// readTypes reads nothing, but says what types the columns have.
func (t target) readTypes() string {
	return fmt.Sprintf("%s\nFROM %s AS t\nLIMIT 0", t.selectRows(), t.name())
}

func (t target) copyRows() string {
	return fmt.Sprintf("COPY %s (%s) FROM STDIN (FORMAT binary)", t.name(), strings.Join(quoteAll(names(t.written())), ", "))
}

func (t target) createStage() string {
	var columns []string
	for _, c := range t.written() {
		columns = append(columns, quote(c.Name)+" "+wireTypeOf(c.Type).native)
	}
	columns = append(columns, quote(stageColumn)+" bigint")
	return fmt.Sprintf("CREATE TEMPORARY TABLE %s (\n    %s\n) ON COMMIT DROP", stageTable, strings.Join(columns, ",\n    "))
}

func (t target) copyStage() string {
	return fmt.Sprintf("COPY %s (%s) FROM STDIN (FORMAT binary)", stageTable,
		strings.Join(quoteAll(append(names(t.written()), stageColumn)), ", "))
}

// upsertStage writes the staged rows that the table does not have as they are, but none in place of a version that overtakes it
// (see sink.Overtaking, which $1 to $3 are), and counts them. (On Citus the command's own count is of the staged rows.)
func (t target) upsertStage() string {
	written := quoteAll(names(t.written()))
	var set []string
	for _, c := range t.written() {
		if !slices.Contains(t.Key, c.Name) {
			set = append(set, fmt.Sprintf("%s = excluded.%s", quote(c.Name), quote(c.Name)))
		}
	}
	deleted := ""
	if t.MarksDeleted {
		set = append(set, quote(schema.DeletedAtColumn)+" = NULL")
		deleted = "\n            OR t." + quote(schema.DeletedAtColumn) + " IS NOT NULL"
	}
	exportedAt := quote(schema.ExportedAtColumn)
	var have, want []string
	for _, c := range t.compared() {
		if !slices.Contains(t.Key, c.Name) {
			have = append(have, "t."+quote(c.Name))
			want = append(want, "excluded."+quote(c.Name))
		}
	}
	return fmt.Sprintf(`WITH written AS (
    INSERT INTO %s AS t (%s)
    SELECT %s
    FROM %s
    ORDER BY %s
    ON CONFLICT (%s) DO UPDATE SET
        %s
    WHERE ((%s) IS DISTINCT FROM (%s)%s)
        AND (t.%s > $1 AND t.%s < $2 AND t.%s <> ALL ($3)) IS NOT TRUE
    RETURNING 1
)
SELECT count(*) FROM written`, t.name(), strings.Join(written, ", "), strings.Join(written, ", "), stageTable, quote(stageColumn),
		strings.Join(quoteAll(t.Key), ", "), strings.Join(set, ",\n        "),
		strings.Join(have, ", "), strings.Join(want, ", "), deleted, exportedAt, exportedAt, exportedAt)
}
