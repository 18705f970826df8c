package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// brief is a transaction that waits for the server as rarely as it can: it begins in one message with its first statements,
// and ends in one with its last. A statement that is new to the connection costs one more round trip, which may come before the
// transaction begins.
type brief struct {
	*pgx.Conn
	opening []string
}

// inBrief is inTx for work that begins the transaction with first, and ends it with last. It may run several times.
func (w *Warehouse) inBrief(ctx context.Context, verb string, work func(tx brief) error) error {
	return persist(ctx, verb, func() error {
		return w.onConnection(ctx, func(conn *pgx.Conn) error {
			defer undo(ctx, conn)
			if err := work(brief{conn, w.begin(writing)}); err != nil {
				return err
			}
			if conn.PgConn().TxStatus() != idle {
				return errors.New("the transaction was not ended")
			}
			return nil
		})
	})
}

// first begins the transaction and runs its first statements.
func (tx brief) first(ctx context.Context, statements *pgx.Batch) error {
	queued := &pgx.Batch{}
	for _, statement := range tx.opening {
		queued.Queue(statement)
	}
	queued.QueuedQueries = append(queued.QueuedQueries, statements.QueuedQueries...)
	return tx.SendBatch(ctx, queued).Close()
}

// last runs the last statements of the transaction and commits it.
func (tx brief) last(ctx context.Context, statements *pgx.Batch) error {
	statements.Queue("COMMIT").Exec(func(tag pgconn.CommandTag) error {
		if tag.String() == "ROLLBACK" {
			return pgx.ErrTxCommitRollback
		}
		return nil
	})
	return tx.SendBatch(ctx, statements).Close()
}

// idle is the status of a connection without a transaction.
const idle = 'I'

// undo ends a transaction of which nothing is to be kept, if there is one.
func undo(ctx context.Context, conn *pgx.Conn) {
	if conn.IsClosed() || conn.PgConn().TxStatus() == idle {
		return
	}
	if _, err := conn.Exec(ctx, "ROLLBACK"); err != nil {
		_ = conn.Close(ctx)
	}
}
