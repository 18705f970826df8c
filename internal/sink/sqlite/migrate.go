package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"

	"samespace-exporter/internal/sink"
	"samespace-exporter/migrations"
)

// Migrate brings the exporter's own tables to the newest version. Processes that start at once take turns by
// a lock on a file beside the database: the migrations are one transaction each, so the database's own lock
// would not keep two of them from doing the same one.
func (w *Warehouse) Migrate(ctx context.Context) error {
	if err := w.unmoved(); err != nil {
		return err
	}
	turn := flock.New(w.path + ".migrate.lock")
	if _, err := turn.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("migrate: %w", context.Cause(ctx))
		}
		return &sink.UnavailableError{
			Err: fmt.Errorf("migrate: %w", err), Hint: "let the exporter's user write the directory of the warehouse file",
		}
	}
	defer func() { _ = turn.Close() }() // closing gives the lock back, whatever it returns
	if err := w.migrate(ctx); err != nil {
		return w.explain(ctx, "migrate", err)
	}
	return nil
}

func (w *Warehouse) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations.FS, "sqlite")
	if err != nil {
		return err
	}
	// One of its own, which waits by itself.
	db, err := sql.Open("sqlite", dsn(w.path, w.options.BusyTimeout, "_txlock=immediate"))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // what was committed is in the file
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files,
		goose.WithTableName("exporter_migrations"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	return err
}

// Check tries whether the file can be read and written. It leaves nothing behind.
func (w *Warehouse) Check(ctx context.Context) (string, error) {
	var version string
	err := w.reader.QueryRowContext(ctx, `SELECT sqlite_version()`).Scan(&version)
	if err != nil {
		return "", w.explain(ctx, "check", err)
	}
	if err := w.unmoved(); err != nil {
		return "", err
	}
	tx, err := w.begin(ctx)
	if err != nil {
		return "", w.explain(ctx, "check", err)
	}
	defer tx.end() // that is what leaves nothing behind
	if _, err := tx.ExecContext(ctx, `CREATE TABLE exporter_check (x); INSERT INTO exporter_check VALUES (1)`); err != nil {
		return "", w.explain(ctx, "check", err)
	}
	return fmt.Sprintf("SQLite %s, %s", version, w.path), nil
}
