package testdb

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/sink/testdb/localpg"
)

const bouncerVariable = "EXPORTER_TEST_PGBOUNCER"

// poolerConfig pools by transaction, with fewer sessions than clients. It lets nobody pass startup parameters that
// PgBouncer does not know, as it does when it is installed.
const poolerConfig = `[databases]
* = host=%s port=%d user=%s password=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 100
`

// PgBouncer starts a PgBouncer before a database, which ends with the test, and returns the DSN that leads through it.
// Without the program the test fails where EXPORTER_TEST_PGBOUNCER is set, and else says that it was not asked for.
func PgBouncer(t testing.TB, dsn string) (through string) {
	t.Helper()
	program, err := bouncer()
	if err != nil {
		unmet(t, os.Getenv(bouncerVariable) != "", err)
	}
	to, err := pgx.ParseConfig(dsn)
	if err != nil {
		t.Fatal(err)
	}
	account, err := localpg.Unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	port, err := localpg.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := localpg.Directory(account)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "pgbouncer.ini")
	config := fmt.Sprintf(poolerConfig, to.Host, to.Port, to.User, to.Password, port)
	if err := os.WriteFile(path, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	p, err := localpg.Launch(exec.Command(program, path), dir, account)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	through = fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable", to.User, port, to.Database)
	if err := p.AwaitReady(through); err != nil {
		t.Fatal(err)
	}
	return through
}

func bouncer() (string, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("pgbouncer is not there (Debian: apt install pgbouncer)")
}
