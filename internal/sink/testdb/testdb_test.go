package testdb_test

import (
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/sink/testdb"
)

var server testdb.Server

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	first, second := connect(t, server.Database(t)), connect(t, server.Database(t))
	if _, err := first.Exec(t.Context(), "CREATE TABLE mine (n int)"); err != nil {
		t.Fatal(err)
	}
	var seen bool
	if err := second.QueryRow(t.Context(), "SELECT to_regclass('mine') IS NOT NULL").Scan(&seen); err != nil {
		t.Fatal(err)
	}
	if seen {
		t.Error("a table of one database is seen in the other")
	}
}

func TestTheDatabaseIsGoneAfterTheTest(t *testing.T) {
	var name string
	t.Run("a test that leaves a connection open", func(t *testing.T) {
		conn, err := pgx.Connect(t.Context(), server.Database(t))
		if err != nil {
			t.Fatal(err)
		}
		name = conn.Config().Database
	})
	if !strings.HasPrefix(name, "test_") {
		t.Fatalf("database is called %q", name)
	}
	var left bool
	err := connect(t, server.Database(t)).
		QueryRow(t.Context(), "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&left)
	if err != nil {
		t.Fatal(err)
	}
	if left {
		t.Errorf("%s is still there", name)
	}
}

func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	return conn
}
