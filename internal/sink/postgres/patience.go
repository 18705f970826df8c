package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A server, or a net, that accepts everything and never answers must not stop the exporter, nor may an exporter that
// fell silent stop the others. So each transaction has a time on both sides: the client gives its connection up, and
// the server ends the transaction, whose locks others wait for.
const (
	defaultTimeout = 5 * time.Minute
	// ddlTimeout is long, since an index of a large table takes long; a peer that is gone is noticed sooner, by
	// keepalives.
	ddlTimeout = 6 * time.Hour
	// migrating is how many times as long as a transaction it may take to bring the exporter's own tables up to date.
	migrating = 12
	// pingTimeout is how long a connection that was idle for a second may take to show that it lives.
	pingTimeout = 5 * time.Second
	// silence is the part of a transaction's time that the server waits for its client's next message.
	silence = 5
	// turn is the part of a transaction's time that a Prepare waits for another one of its table: it holds a connection.
	turn = 5
)

// The modes of transactions.
const (
	writing  = " ISOLATION LEVEL READ COMMITTED" // whatever the role's default is: who waits for a lock must see what was done meanwhile
	reading  = " READ ONLY"
	snapshot = " ISOLATION LEVEL REPEATABLE READ READ ONLY"
)

// tryTx runs work in a transaction that ends within w.timeout.
func (w *Warehouse) tryTx(ctx context.Context, mode string, work func(tx pgx.Tx) error) error {
	return w.onConnection(ctx, func(conn *pgx.Conn) error {
		return pgx.BeginTxFunc(ctx, conn, pgx.TxOptions{BeginQuery: strings.Join(w.begin(mode), "; ")}, work)
	})
}

// onConnection runs work on a connection, for w.timeout. The time is the connection's, so it holds for every message,
// whatever work does; pgx closes a connection whose time is up, and who comes next gets another.
func (w *Warehouse) onConnection(ctx context.Context, work func(conn *pgx.Conn) error) error {
	return w.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		socket := conn.Conn().PgConn().Conn()
		if err := socket.SetDeadline(time.Now().Add(w.timeout)); err != nil {
			return err
		}
		err := work(conn.Conn())
		if inTheWay(err) {
			_ = conn.Conn().Close(ctx) // a kept session can fail again where a new one does not
		}
		_ = socket.SetDeadline(time.Time{}) // fails on a closed connection only
		return err
	})
}

// begin is the statements that begin a transaction, to be sent in one message: PgBouncer may give each another session.
func (w *Warehouse) begin(mode string) []string {
	return []string{
		"BEGIN" + mode,
		fmt.Sprintf("SET LOCAL statement_timeout = %d", w.timeout.Milliseconds()),
		fmt.Sprintf("SET LOCAL idle_in_transaction_session_timeout = %d", (w.timeout / silence).Milliseconds()),
	}
}

// patient is the warehouse with another time for transactions.
func (w *Warehouse) patient(timeout time.Duration) *Warehouse {
	patient := *w
	patient.timeout = timeout
	return &patient
}

// waitFor gives a transaction more time, for statements that take long.
func waitFor(ctx context.Context, tx pgx.Tx, timeout time.Duration) error {
	if err := tx.Conn().PgConn().Conn().SetDeadline(time.Now().Add(timeout)); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, statement("statement_timeout"), fmt.Sprint(timeout.Milliseconds()))
	return err
}

// lockWithin bounds how long each statement of a transaction waits for a lock. Zero: as long as it may run.
func lockWithin(ctx context.Context, tx pgx.Tx, timeout time.Duration) error {
	_, err := tx.Exec(ctx, statement("lock_timeout"), fmt.Sprint(timeout.Milliseconds()))
	return err
}
