package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"samespace-exporter/internal/sink/testdb/localpg"
)

// workshop is all that the figures are taken with: the rendered rows, the API, a Postgres as its defaults have it, and
// the exporter's program.
type workshop struct {
	settings
	dir    string // removed at the end
	server *localpg.Server
	admin  *pgx.Conn // to the database postgres
	api    *exec.Cmd
	base   string // URL of the API
}

func openWorkshop(ctx context.Context, s settings) (*workshop, error) {
	w := &workshop{settings: s}
	if err := w.open(ctx); err != nil {
		w.close() // of what was opened
		return nil, err
	}
	return w, nil
}

func (w *workshop) open(ctx context.Context) (err error) {
	for _, program := range []string{"psql", "sqlite3", w.exporter} {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	if w.dir, err = os.MkdirTemp("", "bench"); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "rendering %d rows\n", w.rows)
	if err := renderFiles(w.dir, w.rows); err != nil {
		return err
	}
	if err := w.startAPI(ctx); err != nil {
		return err
	}
	if w.server, err = localpg.Start(localpg.Disk); err != nil {
		return err
	}
	w.admin, err = pgx.Connect(ctx, w.server.DSN)
	return err
}

// startAPI starts this program again, as the API, which says where it listens.
func (w *workshop) startAPI(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	w.api = exec.CommandContext(ctx, self, "serve", "-dir", w.dir)
	w.api.Stderr = os.Stderr
	said, err := w.api.StdoutPipe()
	if err != nil {
		return err
	}
	if err := w.api.Start(); err != nil {
		return err
	}
	line, err := bufio.NewReader(said).ReadString('\n')
	w.base = strings.TrimSpace(line)
	return err
}

func (w *workshop) close() {
	if w.admin != nil {
		_ = w.admin.Close(context.Background())
	}
	if w.server != nil {
		w.server.Stop()
	}
	if w.api != nil && w.api.Process != nil {
		_ = w.api.Process.Signal(os.Interrupt)
		_ = w.api.Wait()
	}
	if w.dir != "" {
		_ = os.RemoveAll(w.dir)
	}
}

const database = "bench"

// clear makes the next figure begin on an empty database.
func (w *workshop) clear(ctx context.Context) error {
	for _, statement := range []string{"DROP DATABASE IF EXISTS " + database + " WITH (FORCE)", "CREATE DATABASE " + database} {
		if _, err := w.admin.Exec(ctx, statement); err != nil {
			return err
		}
	}
	old, err := filepath.Glob(w.sqliteFile() + "*")
	for _, path := range old {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

func (w *workshop) postgresDSN() string {
	u, err := url.Parse(w.server.DSN)
	if err != nil {
		panic(err) // localpg made it
	}
	u.Path = "/" + database
	return u.String()
}

func (w *workshop) sqliteFile() string { return filepath.Join(w.dir, "warehouse.db") }

func (w *workshop) sqliteDSN() string { return "sqlite:" + w.sqliteFile() }

// endpoint is the API's address for a variant of the rows.
func (w *workshop) endpoint(variant, delay string) string {
	return w.base + "/" + variant + "/" + delay
}

// exec runs a statement on the bench's database.
func (w *workshop) exec(ctx context.Context, statement string) error {
	conn, err := pgx.Connect(ctx, w.postgresDSN())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, statement)
	return err
}

// keyedTable is the table that people would make: a primary key on the id and an index on the time.
func keyedTable() string {
	var columns []string
	for _, f := range fields() {
		columns = append(columns, f.name+" "+f.sql)
	}
	return fmt.Sprintf("CREATE TABLE calls (%s, PRIMARY KEY (call_id)); CREATE INDEX calls_started_at ON calls (started_at)",
		strings.Join(columns, ", "))
}

// check makes sure that a table holds all rows, and their values as far as a sum tells.
func (w *workshop) check(ctx context.Context, table string, changed bool) error {
	conn, err := pgx.Connect(ctx, w.postgresDSN())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	var rows, seconds int64
	if err := conn.QueryRow(ctx, "SELECT count(*), sum(duration_s)::bigint FROM "+table).Scan(&rows, &seconds); err != nil {
		return err
	}
	return w.checkSums(table, changed, rows, seconds)
}

func (w *workshop) checkSums(table string, changed bool, rows, seconds int64) error {
	want := int64(0)
	for n := range w.rows {
		want += callAt(n, changed).duration()
	}
	if rows != int64(w.rows) || seconds != want {
		return fmt.Errorf("%s has %d rows of %d seconds, want %d of %d", table, rows, seconds, w.rows, want)
	}
	return nil
}
