package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"samespace-exporter/internal/sink"
)

// attempts is how often a transaction is tried that the server ends only since another was in its way.
const attempts = 4

// undefinedTable says that a table is not there, or its schema.
const undefinedTable = "42P01"

// undefinedColumn says that a table is there, but is not what this version of the program makes of it.
const undefinedColumn = "42703"

// notSupported says that the server does not do such a thing, as to change the type of a column that a view has.
const notSupported = "0A000"

// lockTimedOut says that somebody held a lock for longer than a statement was to wait for it.
const lockTimedOut = "55P03"

// inTx runs work in a transaction: all of it is kept, or nothing. work may run several times, each time on
// another connection. The error says what was tried.
func (w *Warehouse) inTx(ctx context.Context, verb string, work func(tx pgx.Tx) error) error {
	return persist(ctx, verb, func() error { return w.tryTx(ctx, writing, work) })
}

// persist tries again what the server ended only since another transaction was in its way.
func persist(ctx context.Context, verb string, try func() error) error {
	var err error
	for range attempts {
		if err = try(); err == nil || !inTheWay(err) {
			break
		}
	}
	return classify(ctx, verb, err)
}

// inTheWay reports whether a transaction may succeed when it is tried again at once: deadlock, serialization
// failure, and what Citus says of a worker that went away.
func inTheWay(err error) bool {
	switch sqlState(err) {
	case "40001", "40P01", "XX000":
		return true
	}
	return false
}

// classify says what was tried, and makes an UnavailableError of what may succeed later, an UnpreparedError of what may once
// the table is prepared again.
func classify(ctx context.Context, verb string, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", verb, context.Cause(ctx))
	}
	if hint := unavailableHint(err); hint != "" {
		return fmt.Errorf("%s: %w", verb, &sink.UnavailableError{Hint: hint, Err: inOneLine{err}})
	}
	switch sqlState(err) {
	case undefinedTable, undefinedColumn:
		err = &sink.UnpreparedError{Err: err}
	case notSupported:
		if server := new(pgconn.PgError); errors.As(err, &server) && server.Detail != "" { // as of a view on a column that is to be widened
			err = fmt.Errorf("%w: %s: drop what is in the way and create it again afterwards, or take the change back", err, server.Detail)
		}
	}
	return fmt.Errorf("%s: %w", verb, err)
}

// inOneLine is an error in one line that says nothing twice: of a connection that failed pgx tells in a line for
// each address, with TLS and without it.
type inOneLine struct{ err error }

func (e inOneLine) Error() string {
	var said []string
	for line := range strings.Lines(e.err.Error()) {
		if line = strings.TrimSpace(line); !slices.Contains(said, line) {
			said = append(said, line)
		}
	}
	return strings.Join(said, " ")
}

func (e inOneLine) Unwrap() error { return e.err }

func sqlState(err error) string {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code
	}
	return ""
}

// unavailableHint is what an operator can do about a warehouse that cannot be used now; "" for other errors.
func unavailableHint(err error) string {
	code := sqlState(err)
	switch {
	case code == "53100":
		return "free disk space on the database server"
	case code == "53300":
		return "raise the server's max_connections, or lower warehouse.max_connections"
	case code == "25006":
		return "the server is read-only: point warehouse.dsn at the primary"
	case code == "3D000":
		return "create the database, or mend its name in warehouse.dsn"
	case code == "42501":
		return "grant the user of warehouse.dsn what deploy/postgres/roles.sql grants the exporter; exporter check says what lacks"
	case code == lockTimedOut:
		return "a long query or transaction holds a lock on the table: it is tried again"
	case code == "25P03": // see silence
		return "the exporter fell silent within a transaction: see whether its machine, or the net between, is overloaded"
	case code == "57014":
		return "" // cancelled: statement_timeout, or a person
	case strings.HasPrefix(code, "28"):
		return "check user and password in warehouse.dsn and warehouse.password, and the server's pg_hba.conf"
	case strings.HasPrefix(code, "53"):
		return "the database server is short of memory or disk"
	case strings.HasPrefix(code, "57P"), strings.HasPrefix(code, "08"), code == "58030":
		return "see the database server's log: it is starting, stopping or broken"
	case code != "":
		return ""
	case lostConnection(err):
		return "check that the database server runs and that warehouse.dsn names its host and port"
	}
	return ""
}

func lostConnection(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, pgconn.ErrConnClosed) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
