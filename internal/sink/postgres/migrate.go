package postgres

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"samespace-exporter/migrations"
)

// Locks of the exporter in a database, held to the end of a transaction: that works behind PgBouncer too.
const (
	migrateLock = 0x65787000 + iota // "exp"
	schemaLock
)

// Migrate brings the exporter's own tables to the newest version. Processes that start at once wait for each
// other: each holds a lock in a transaction of its own while it migrates on another connection.
func (w *Warehouse) Migrate(ctx context.Context) error {
	w = w.patient(migrating * w.timeout)
	return w.inTx(ctx, "migrate", func(lock pgx.Tx) error {
		if err := takeLock(ctx, lock, migrateLock); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, w.timeout)
		defer cancel()
		db := stdlib.OpenDB(*w.pool.Config().ConnConfig, stdlib.OptionAfterConnect(w.settleMigration))
		defer func() { _ = db.Close() }()
		// The schema comes first: goose keeps its version table there.
		if exists, err := schemaExists(ctx, lock, "exporter"); err != nil {
			return err
		} else if !exists {
			if _, err := db.ExecContext(ctx, "CREATE SCHEMA exporter"); err != nil {
				return fmt.Errorf("create schema exporter: %w", err)
			}
		}
		files, err := fs.Sub(migrations.FS, "postgres")
		if err != nil {
			return err
		}
		provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
			goose.WithTableName("exporter.migrations"), goose.WithDisableGlobalRegistry(true))
		if err != nil {
			return err
		}
		_, err = provider.Up(ctx)
		return err
	})
}

// settleMigration prepares the session of migrations, whose transactions goose begins: one that falls silent must not
// keep others from migrating.
func (w *Warehouse) settleMigration(ctx context.Context, conn *pgx.Conn) error {
	if err := settle(ctx, conn); err != nil {
		return err
	}
	_, err := conn.Exec(ctx, fmt.Sprintf("SET idle_in_transaction_session_timeout = %d", (w.timeout/silence).Milliseconds()))
	return err
}

func takeLock(ctx context.Context, tx pgx.Tx, key int64) error {
	_, err := tx.Exec(ctx, statement("take_lock"), key)
	return err
}

func schemaExists(ctx context.Context, tx pgx.Tx, name string) (exists bool, err error) {
	err = tx.QueryRow(ctx, statement("schema_exists"), name).Scan(&exists)
	return exists, err
}
