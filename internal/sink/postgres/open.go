package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Options say where the warehouse is and how it is used.
type Options struct {
	DSN            string        // postgres://… or "host=… dbname=…"
	Password       string        // "": the DSN's, else what libpq would find (PGPASSWORD, the password file)
	Schema         string        // of the report tables; default samespace
	MaxConnections int           // default 4
	LockTimeout    time.Duration // how long DDL waits for a lock; default 5s
	Timeout        time.Duration // of a transaction, but for DDL; default 5m. See patience.go
	// Distribute tables by their first key column when they are created. Needs Citus.
	Distribute      bool
	ApplicationName string // as pg_stat_activity shows it, unless the DSN names one; default samespace-exporter
}

// Warehouse is a Postgres database. See sinktest.Warehouse for what its methods promise.
type Warehouse struct {
	pool        *pgxpool.Pool
	schema      string
	lockTimeout time.Duration
	timeout     time.Duration // of a transaction
	ddlTimeout  time.Duration // of one that alters tables
	distribute  bool
}

// Open makes a warehouse of the options. It does not connect: a server that is down shows at the first call, as
// *sink.UnavailableError. An error never holds the password.
func Open(ctx context.Context, o Options) (*Warehouse, error) {
	config, err := poolConfig(o)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open warehouse: %w", err)
	}
	return &Warehouse{
		pool:        pool,
		schema:      cmp.Or(o.Schema, "samespace"),
		lockTimeout: cmp.Or(o.LockTimeout, 5*time.Second),
		timeout:     cmp.Or(o.Timeout, defaultTimeout),
		ddlTimeout:  ddlTimeout,
		distribute:  o.Distribute,
	}, nil
}

// Close ends all connections, once the calls that use them have ended.
func (w *Warehouse) Close() { w.pool.Close() }

// poolConfig reads the DSN without its password, since pgx quotes pieces of what it cannot read.
func poolConfig(o Options) (*pgxpool.Config, error) {
	clean, password, err := takePassword(o.DSN)
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(clean)
	if err != nil {
		return nil, parseError(clean, err)
	}
	connection := config.ConnConfig
	connection.Password = cmp.Or(o.Password, password, connection.Password)
	connection.ConnectTimeout = cmp.Or(connection.ConnectTimeout, 10*time.Second)
	if !strings.Contains(clean, "default_query_exec_mode") {
		// Prepared statements do not outlive a transaction behind PgBouncer.
		connection.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
	if _, named := connection.RuntimeParams["application_name"]; !named {
		connection.RuntimeParams["application_name"] = cmp.Or(o.ApplicationName, "samespace-exporter")
	}
	config.MaxConns = int32(cmp.Or(o.MaxConnections, 4))
	config.PingTimeout = min(pingTimeout, cmp.Or(o.Timeout, defaultTimeout))
	config.AfterConnect = settle
	return config, nil
}

// parseError is pgx's, unless it could quote the password of a client key.
func parseError(clean string, err error) error {
	var parse *pgconn.ParseConfigError
	if !errors.As(err, &parse) || strings.Contains(clean, "sslpassword") {
		return errDSN
	}
	return fmt.Errorf("warehouse.dsn: %w", err)
}

// settle prepares a new session, see settle.sql.
func settle(ctx context.Context, conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, conn.Config().ConnectTimeout)
	defer cancel()
	_, err := conn.PgConn().Exec(ctx, statement("settle")).ReadAll()
	return err
}
