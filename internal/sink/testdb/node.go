package testdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/sink/testdb/localpg"
)

// Node is a Postgres for one test alone, which stops it, starts it again, or promotes it.
type Node struct {
	*localpg.Node
	t testing.TB
}

// NewNode makes a server from the machine's binaries and starts it. Without binaries the test fails where
// EXPORTER_TEST_POSTGRES_FROM is machine, and else says that it was not asked for.
func NewNode(t testing.TB) *Node {
	t.Helper()
	n, err := localpg.NewNode()
	if n == nil {
		unmet(t, os.Getenv(fromVariable) == "machine", fmt.Errorf("a Postgres that the test may stop: %w", err))
	}
	return keep(t, n, err)
}

// unmet ends a test that needs what is not there: it fails where that was asked for.
func unmet(t testing.TB, asked bool, err error) {
	t.Helper()
	if asked {
		t.Fatal(err)
	}
	t.Skipf("not asked for here, though .ci/run does: %v", err)
}

func keep(t testing.TB, n *localpg.Node, err error) *Node {
	t.Helper()
	if n != nil {
		t.Cleanup(func() {
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	return &Node{Node: n, t: t}
}

// Start starts the server and returns once it takes connections.
func (n *Node) Start() {
	n.t.Helper()
	if err := n.Node.Start(); err != nil {
		n.t.Error(err)
	}
}

// Standby makes a hot standby of the server and starts it. From then on the server tells no client that a transaction
// is committed before the standby has it.
func (n *Node) Standby() *Node {
	n.t.Helper()
	other, err := n.Node.Standby()
	standby := keep(n.t, other, err)
	n.exec("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
	n.exec("SELECT pg_reload_conf()")
	n.await("SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'")
	return standby
}

// FailoverDSN leads to whichever of two servers takes writes.
func (n *Node) FailoverDSN(other *Node) string { return n.Node.FailoverDSN(other.Node) }

// Promote makes a standby a server that takes writes.
func (n *Node) Promote() {
	n.t.Helper()
	n.exec("SELECT pg_promote()")
	n.await("SELECT NOT pg_is_in_recovery()")
}

func (n *Node) exec(statement string) {
	n.t.Helper()
	n.ask(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, statement)
		return err
	})
}

// await asks until the answer is true: there is no signal for it.
func (n *Node) await(question string) {
	n.t.Helper()
	n.ask(func(ctx context.Context, conn *pgx.Conn) error {
		for {
			var yes bool
			if err := conn.QueryRow(ctx, question).Scan(&yes); err != nil || yes {
				return err
			}
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				return fmt.Errorf("%s: not yet: %w", question, ctx.Err())
			}
		}
	})
}

func (n *Node) ask(work func(ctx context.Context, conn *pgx.Conn) error) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, n.DSN())
	if err == nil {
		err = errors.Join(work(ctx, conn), conn.Close(ctx))
	}
	if err != nil {
		n.t.Error(err) // maybe not in the test's goroutine
	}
}
