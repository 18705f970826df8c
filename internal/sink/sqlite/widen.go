package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"samespace-exporter/internal/schema"
)

// widen changes the type that a column is declared with. SQLite has no ALTER COLUMN; to copy the table would
// need its size once more on the disk and would break views. Since both types are stored alike, it is enough
// to write the declaration anew, in the way that SQLite documents for changes which leave the contents of
// the file as they are (https://www.sqlite.org/lang_altertable.html, section 7). So there is no statement that people could
// run: what is returned is the new declaration, under a comment that says what it is.
func widen(ctx context.Context, tx *transaction, t schema.Table, c schema.Change) (ddl string, err error) {
	var declared string
	var version int64
	if err := tx.QueryRowContext(ctx, `SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ? COLLATE NOCASE`, t.Name).Scan(&declared); err != nil {
		return "", err
	}
	wanted, err := redeclare(declared, c)
	if err != nil {
		return "", err
	}
	if err := tx.QueryRowContext(ctx, `PRAGMA schema_version`).Scan(&version); err != nil {
		return "", err
	}
	if _, err := tx.ExecContext(ctx, `PRAGMA writable_schema = ON`); err != nil {
		return "", err
	}
	_, err = tx.ExecContext(ctx, `UPDATE sqlite_schema SET sql = ? WHERE type = 'table' AND sql = ?`, wanted, declared)
	if err == nil { // a new version makes every connection read the declaration again
		_, err = tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA schema_version = %d`, version+1))
	}
	_, reset := tx.ExecContext(ctx, `PRAGMA writable_schema = RESET`)
	if err := errors.Join(err, reset); err != nil {
		return "", err
	}
	return fmt.Sprintf("-- widens column %s from %s to %s: the table is declared anew, as follows; no row is rewritten\n%s",
		quote(c.Column.Name), c.From, dialect{}.Native(c.Column.Type), wanted), nil
}

// redeclare replaces the column's type in the text of CREATE TABLE. It refuses a text in which the column is
// not found exactly once, in the spelling of createTable and addColumn.
func redeclare(declared string, c schema.Change) (string, error) {
	name := quote(c.Column.Name) + " "
	var places []int
	for from := 0; ; {
		i := strings.Index(declared[from:], name+c.From)
		if i < 0 {
			break
		}
		i += from
		if end := i + len(name+c.From); strings.HasPrefix(declared[end:], ",") || strings.HasPrefix(declared[end:], "\n") ||
			strings.HasPrefix(declared[end:], ")") || strings.HasPrefix(declared[end:], " NOT NULL") {
			places = append(places, i)
		}
		from = i + 1
	}
	if len(places) != 1 || places[0] == 0 || declared[places[0]-1] != ' ' {
		return "", fmt.Errorf("the declaration of column %s was not written by the exporter: declare it as %s", c.Column.Name, dialect{}.Native(c.Column.Type))
	}
	end := places[0] + len(name)
	return declared[:end] + dialect{}.Native(c.Column.Type) + declared[end+len(c.From):], nil
}
