package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/schema"
)

// historyChanges are the statements that make what shows the history of a table what it should be: the table of the
// versions that gave way, and the functions of all versions and of those of a time. They come behind those of the table.
func (w *Warehouse) historyChanges(ctx context.Context, tx pgx.Tx, table schema.Table) (statements []string, err error) {
	if !table.History {
		return nil, nil
	}
	if statements, _, err = w.changes(ctx, tx, "", table.HistoryTable()); err != nil {
		return nil, err
	}
	statements = slices.DeleteFunc(statements, func(s string) bool { return s == createSchema(w.schema) }) // the table's have it
	t := w.target(table)
	columns, err := w.columnsToBe(ctx, tx, table)
	if err != nil {
		return nil, err
	}
	kept, err := w.columnsToBe(ctx, tx, table.HistoryTable())
	if err != nil {
		return nil, err
	}
	for _, f := range []function{t.asOf(columns, kept), t.versions(columns, kept)} {
		changes, err := f.changes(ctx, tx)
		if err != nil {
			return nil, err
		}
		statements = append(statements, changes...)
	}
	return statements, nil
}

// columnsToBe are the columns that a table has once it is what it should be, in their order: those that the mapping does
// not know included.
func (w *Warehouse) columnsToBe(ctx context.Context, tx pgx.Tx, table schema.Table) ([]schema.ExistingColumn, error) {
	have, err := existing(ctx, tx, w.target(table))
	if err != nil {
		return nil, err
	}
	var columns []schema.ExistingColumn
	if have != nil {
		columns = have.Columns
	}
	for _, c := range slices.Concat(table.Columns, table.OwnColumns()) {
		is := schema.ExistingColumn{Name: c.Name, Native: dialect{}.Native(c.Type)}
		if i := indexOf(columns, c.Name); i >= 0 {
			columns[i] = is
		} else {
			columns = append(columns, is)
		}
	}
	return columns, nil
}

func indexOf(columns []schema.ExistingColumn, name string) int {
	return slices.IndexFunc(columns, func(c schema.ExistingColumn) bool { return c.Name == name })
}

// function is a function that returns rows as a table has them.
type function struct {
	schemaName, name, arguments string
	returns                     target
	body                        string
	comment                     string
}

// asOf is the function of the rows as they were at a time. It is one query, so that the planner takes it apart: what is
// asked of its rows is asked of the tables.
func (t target) asOf(columns, kept []schema.ExistingColumn) function {
	var now, was []string
	for _, c := range columns {
		now = append(now, "t."+quote(c.Name))
		was = append(was, columnOr(kept, "h", c))
	}
	return function{
		schemaName: t.schemaName, name: t.Name + schema.AsOfSuffix, arguments: "timestamp with time zone", returns: t,
		body: fmt.Sprintf("SELECT %s\nFROM %s AS t\nWHERE t.%s <= $1\nUNION ALL\nSELECT %s\nFROM %s AS h\nWHERE h.%s <= $1 AND h.%s > $1",
			strings.Join(now, ", "), t.name(), quote(schema.ExportedAtColumn), strings.Join(was, ", "), t.history().name(),
			quote(schema.ValidFromColumn), quote(schema.ValidToColumn)),
		comment: "Rows of " + t.Name + " as they were at a time",
	}
}

// versions is the function of all versions: those that gave way, and those that are valid now, which have no _valid_to.
func (t target) versions(columns, kept []schema.ExistingColumn) function {
	var now, was []string
	for _, c := range kept {
		was = append(was, "h."+quote(c.Name))
		if c.Name == schema.ValidFromColumn {
			now = append(now, "t."+quote(schema.ExportedAtColumn))
		} else {
			now = append(now, columnOr(columns, "t", c))
		}
	}
	return function{
		schemaName: t.schemaName, name: t.Name + schema.VersionsSuffix, returns: t.history(),
		body: fmt.Sprintf("SELECT %s\nFROM %s AS h\nUNION ALL\nSELECT %s\nFROM %s AS t",
			strings.Join(was, ", "), t.history().name(), strings.Join(now, ", "), t.name()),
		comment: "All versions of the rows of " + t.Name + ": those that are valid now have no " + schema.ValidToColumn,
	}
}

// columnOr is a column of the table that alias stands for, or NULL where it does not have it as wanted.
func columnOr(columns []schema.ExistingColumn, alias string, wanted schema.ExistingColumn) string {
	if i := indexOf(columns, wanted.Name); i >= 0 && columns[i].Native == wanted.Native {
		return alias + "." + quote(wanted.Name)
	}
	return "NULL::" + wanted.Native
}

// changes are the statements that make the function what it should be.
func (f function) changes(ctx context.Context, tx pgx.Tx) (statements []string, err error) {
	var body string
	var sameRows bool
	err = tx.QueryRow(ctx, statement("existing_function"), f.schemaName, f.name, f.returns.Name, f.arguments).Scan(&body, &sameRows)
	switch {
	case err != nil && !errors.Is(err, pgx.ErrNoRows):
		return nil, err
	case err == nil && sameRows && body == f.body:
		return nil, nil
	case err == nil && !sameRows: // of a table that was set aside
		statements = append(statements, "DROP FUNCTION "+f.signature())
	}
	return append(statements, f.create(), f.commentOn()), nil
}

func (f function) signature() string {
	return pgx.Identifier{f.schemaName, f.name}.Sanitize() + "(" + f.arguments + ")"
}

func (f function) create() string {
	return fmt.Sprintf("CREATE OR REPLACE FUNCTION %s RETURNS SETOF %s LANGUAGE sql STABLE PARALLEL SAFE AS %s",
		f.signature(), f.returns.name(), quoteText(f.body))
}

func (f function) commentOn() string {
	return fmt.Sprintf("COMMENT ON FUNCTION %s IS %s", f.signature(), quoteText(f.comment))
}
