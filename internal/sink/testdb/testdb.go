// Package testdb finds a real Postgres for tests and gives each test a database of its own. Only tests
// import it.
//
// Where the server comes from, first match wins:
//
//   - EXPORTER_TEST_POSTGRES: the DSN of a server on which databases may be created;
//   - a container, when a Docker daemon answers and has, or can pull, the image that
//     EXPORTER_TEST_POSTGRES_IMAGE names (default postgres:17-alpine);
//   - initdb and postgres from PATH or /usr/lib/postgresql.
//
// EXPORTER_TEST_POSTGRES_FROM=container or =machine allows only that way. A test that needs a database and
// gets none fails; it is never skipped.
package testdb

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/sink/testdb/localpg"
)

// The environment that steers where a server comes from.
const (
	dsnVariable   = "EXPORTER_TEST_POSTGRES"
	fromVariable  = "EXPORTER_TEST_POSTGRES_FROM"
	imageVariable = "EXPORTER_TEST_POSTGRES_IMAGE"
	defaultImage  = "postgres:17-alpine"
)

// Server is a Postgres server for the tests of one process. The zero Server is ready: it starts when the
// first test asks for a database. A package's tests share one:
//
//	var server testdb.Server
//
//	func TestMain(m *testing.M) { os.Exit(server.Run(m)) }
type Server struct {
	start sync.Once
	dsn   string // of a role that may create databases
	from  string // where the server came from, for people
	stop  func()
	state func() string // what became of the server, for people; nil where only others know
	err   error
}

// Run runs the tests, stops the server if one was started, and returns the exit code.
func (s *Server) Run(m *testing.M) int {
	defer func() {
		if s.stop != nil {
			s.stop()
		}
	}()
	return m.Run()
}

// Database makes an empty database for the test, drops it when the test ends, and returns its DSN, whose
// role is a superuser with a password.
func (s *Server) Database(t testing.TB) (dsn string) {
	t.Helper()
	s.start.Do(s.find)
	if s.err != nil {
		t.Fatal(s.err)
	}
	name := "test_" + strings.ToLower(rand.Text())
	if err := s.exec("CREATE DATABASE " + name); err != nil {
		if s.state != nil {
			t.Logf("%s: %s", s.from, s.state())
		}
		t.Fatalf("create a test database on %s: %v", s.from, err)
	}
	t.Cleanup(func() {
		if err := s.exec("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	return withDatabase(s.dsn, name)
}

// find starts or finds the server, once.
func (s *Server) find() {
	if dsn := os.Getenv(dsnVariable); dsn != "" {
		s.dsn, s.from = dsn, dsnVariable
		return
	}
	from := os.Getenv(fromVariable)
	var containerErr, machineErr error
	if from != "machine" {
		var c *container
		if c, containerErr = startContainer(); containerErr == nil {
			s.dsn, s.stop, s.state, s.from = c.dsn, c.stop, c.state, "a container"
			return
		}
	}
	if from != "container" {
		var local *localpg.Server
		if local, machineErr = localpg.Start(localpg.Scratch(), settings()...); machineErr == nil {
			s.dsn, s.stop, s.from = local.DSN, local.Stop, "this machine's postgres"
			return
		}
	}
	s.err = fmt.Errorf("no Postgres for tests: start Docker, or install PostgreSQL 15 or newer "+
		"(Debian: apt install postgresql; macOS: brew install postgresql), or set %s to a DSN that may create databases: %w",
		dsnVariable, errors.Join(containerErr, machineErr))
}

// settings are of a server whose data nobody needs: it may lose them, and keeps little of its log.
func settings() []string {
	return []string{
		"fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=128MB", "max_connections=200", "shared_buffers=64MB",
	}
}

func (s *Server) exec(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// withDatabase is the DSN with another database. In a keyword DSN the last dbname counts.
func withDatabase(dsn, name string) string {
	u, err := url.Parse(dsn)
	if err != nil || u.Scheme == "" {
		return dsn + " dbname=" + name
	}
	u.Path = "/" + name
	return u.String()
}
