package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"samespace-exporter/internal/schema"
)

// prepareHistory makes what shows the history of a table what it should be: the table of the versions that gave way,
// and the view of all versions. It returns the statements that did it.
func prepareHistory(ctx context.Context, tx *transaction, t schema.Table) (changes []string, err error) {
	if !t.History {
		return nil, nil
	}
	prepared, err := prepareTable(ctx, tx, "", t.HistoryTable())
	if err != nil {
		return nil, err
	}
	now, err := existing(ctx, tx, t.Name)
	if err != nil {
		return nil, err
	}
	kept, err := existing(ctx, tx, t.HistoryTable().Name)
	if err != nil {
		return nil, err
	}
	view, err := viewVersions(ctx, tx, t, now.Columns, kept.Columns)
	return append(prepared.Changes, view...), err
}

// viewVersions makes the view of all versions, unless it is as it should be.
func viewVersions(ctx context.Context, tx *transaction, t schema.Table, now, kept []schema.ExistingColumn) (changes []string, err error) {
	name := t.Name + schema.VersionsSuffix
	want := createVersions(t, now, kept)
	var is string
	err = tx.QueryRowContext(ctx, `SELECT sql FROM sqlite_schema WHERE type = 'view' AND name = ? COLLATE NOCASE`, name).Scan(&is)
	switch {
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return nil, err
	case is == want:
		return nil, nil
	case err == nil:
		changes = append(changes, "DROP VIEW "+quote(name))
	}
	changes = append(changes, want)
	for _, ddl := range changes {
		if _, err := tx.ExecContext(ctx, ddl); err != nil {
			return nil, fmt.Errorf("%s: %w", ddl, err)
		}
	}
	return changes, nil
}

// createVersions declares the view of all versions: those that gave way, and those that are valid now, which have no
// _valid_to.
func createVersions(t schema.Table, now, kept []schema.ExistingColumn) string {
	var is, was []string
	for _, c := range kept {
		was = append(was, "h."+quote(c.Name))
		there := slices.ContainsFunc(now, func(of schema.ExistingColumn) bool { return of.Name == c.Name })
		switch {
		case c.Name == schema.ValidFromColumn:
			is = append(is, "t."+quote(schema.ExportedAtColumn))
		case there:
			is = append(is, "t."+quote(c.Name))
		default:
			is = append(is, "NULL")
		}
	}
	return fmt.Sprintf("CREATE VIEW %s AS SELECT %s FROM %s AS h UNION ALL SELECT %s FROM %s AS t", quote(t.Name+schema.VersionsSuffix),
		strings.Join(was, ", "), quote(t.HistoryTable().Name), strings.Join(is, ", "), quote(t.Name))
}
