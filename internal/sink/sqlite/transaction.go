package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// transaction is one that holds the write lock.
type transaction struct {
	*sql.Tx
	conn *sql.Conn // that it is on, for what goes below database/sql
}

// write runs a function in a transaction that holds the database's write lock from its start. Nothing of it
// happened when an error comes back.
func (w *Warehouse) write(ctx context.Context, what string, do func(tx *transaction) error) error {
	if err := w.unmoved(); err != nil {
		return err
	}
	tx, err := w.begin(ctx)
	if err != nil {
		return w.explain(ctx, what, err)
	}
	defer tx.end() // deferred: a panic in do must not keep the only connection
	if err := do(tx); err != nil {
		return w.explain(ctx, what, err)
	}
	if err := tx.Commit(); err != nil {
		return w.explain(ctx, what, err)
	}
	return nil
}

// begin takes the write lock.
func (w *Warehouse) begin(ctx context.Context) (tx *transaction, err error) {
	err = w.patiently(ctx, func() error {
		conn, err := w.writer.Conn(ctx)
		if err != nil {
			return err
		}
		began, err := conn.BeginTx(ctx, nil)
		if err != nil {
			return errors.Join(err, conn.Close())
		}
		tx = &transaction{Tx: began, conn: conn}
		return nil
	})
	return tx, err
}

// end undoes the transaction, unless it is committed, and gives its connection back.
func (t *transaction) end() {
	// What does not go well here was not kept: the file is as it was before.
	_ = errors.Join(t.Rollback(), t.conn.Close())
}

// repeat runs one statement for each of so many sets of arguments. It does so below database/sql, which makes a copy of all
// arguments for each run: for the values of rows that is more garbage than all else that a commit leaves behind.
func (t *transaction) repeat(ctx context.Context, query string, sets, size int, fill func(set int, args []driver.NamedValue)) error {
	if sets == 0 {
		return nil
	}
	return t.lend(func(conn any) error {
		run, closeIt, err := prepareOn(ctx, conn, query)
		if err != nil {
			return err
		}
		defer closeIt()
		args := make([]driver.NamedValue, size)
		for i := range args {
			args[i].Ordinal = i + 1
		}
		// The end of ctx is looked for between the runs, which are short: the driver would start a goroutine for each. The
		// transaction is not undone while the connection is lent.
		uninterrupted := context.WithoutCancel(ctx)
		for set := range sets {
			if err := ctx.Err(); err != nil {
				return err
			}
			fill(set, args)
			if _, err := run.ExecContext(uninterrupted, args); err != nil {
				return err
			}
		}
		return nil
	})
}

// lend gives work the driver's connection. Raw must not see a panic or a lost connection: it would wait for the
// transaction to end, which waits for Raw.
func (t *transaction) lend(work func(conn any) error) (err error) {
	var panicked any
	lent := t.conn.Raw(func(conn any) error {
		defer func() { panicked = recover() }()
		err = work(conn)
		return nil
	})
	if panicked != nil {
		panic(panicked)
	}
	return cmp.Or(lent, err)
}

// prepareOn prepares a statement on a connection of the driver, which knows no other way.
func prepareOn(ctx context.Context, conn any, query string) (run driver.StmtExecContext, closeIt func(), err error) {
	preparer, ok := conn.(driver.ConnPrepareContext)
	if !ok {
		return nil, nil, fmt.Errorf("the driver's connections, of type %T, do not prepare statements", conn)
	}
	prepared, err := preparer.PrepareContext(ctx, query)
	if err != nil {
		return nil, nil, err
	}
	run, ok = prepared.(driver.StmtExecContext)
	if !ok {
		return nil, nil, errors.Join(fmt.Errorf("the driver's statements, of type %T, cannot be run", prepared), prepared.Close())
	}
	return run, func() { _ = prepared.Close() }, nil
}
