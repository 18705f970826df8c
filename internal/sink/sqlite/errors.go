package sqlite

import (
	"context"
	"errors"
	"fmt"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"samespace-exporter/internal/sink"
)

// explain classes an error of the driver: the end of ctx, a warehouse that is not available, a table that is not as it was
// prepared, or a lasting one.
func (w *Warehouse) explain(ctx context.Context, what string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	var driver *sqlite.Error
	if errors.As(err, &driver) {
		if hint := hint(driver.Code()); hint != "" {
			return &sink.UnavailableError{Err: fmt.Errorf("%s in %s: %w", what, w.path, err), Hint: hint}
		}
		// SQLite has one code for what is not there and for every other mistake in a statement.
		if driver.Code()&primary == sqlite3.SQLITE_ERROR {
			err = &sink.UnpreparedError{Err: err}
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// primary is the part of a result code that says what it is; the rest of an extended one tells the details.
const primary = 0xff

// isLocked reports whether another process holds a lock.
func isLocked(err error) bool {
	var driver *sqlite.Error
	return errors.As(err, &driver) && driver.Code()&primary == sqlite3.SQLITE_BUSY
}

// hint is what an operator can do about a result code; "" when the warehouse is not at fault.
func hint(code int) string {
	switch code & primary {
	case sqlite3.SQLITE_FULL:
		return "the disk is full: make room"
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return "another program holds the database's write lock: end its transaction"
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return "let the exporter's user write the database file and its directory"
	case sqlite3.SQLITE_CANTOPEN:
		return "check that the file's directory is there and writable, and that there are file handles left"
	case sqlite3.SQLITE_IOERR:
		return "the disk failed: check the room on it, the system's log, and that it is not a network share"
	case sqlite3.SQLITE_NOTADB:
		return "the file is not a SQLite database: name another path, or move the file away"
	case sqlite3.SQLITE_CORRUPT:
		return "the file is damaged: restore it from a backup, or move it away to read everything again"
	}
	return ""
}
