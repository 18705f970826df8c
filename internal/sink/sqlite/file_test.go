package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"pgregory.net/rapid"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

var update = flag.Bool("update", false, "write the golden files anew")

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func opened(t *testing.T, path string) *Warehouse {
	t.Helper()
	w, err := Open(t.Context(), Options{Path: path, BusyTimeout: 50 * time.Millisecond})
	noError(t, err)
	t.Cleanup(w.Close)
	return w
}

func notesTable() schema.Table {
	return schema.Table{Name: "notes", Key: []string{"id"}, TimeField: "at", Columns: []schema.Column{
		{Name: "id", Type: schema.Integer, ID: "1"}, {Name: "at", Type: schema.Timestamptz, ID: "2"},
		{Name: "note", Type: schema.Text, ID: "3"}, {Name: "amount", Type: schema.Numeric, ID: "4"},
		{Name: "score", Type: schema.Integer, ID: "5"},
	}}
}

func hour() window.Window {
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	return window.Window{Start: start, End: start.Add(time.Hour)}
}

// claimed is a migrated warehouse with one window, and the lease on it.
func claimed(t *testing.T, path string) (*Warehouse, sink.Lease) {
	t.Helper()
	w := opened(t, path)
	noError(t, w.Migrate(t.Context()))
	_, err := w.Prepare(t.Context(), sink.Dataset{Name: "notes", Kind: sink.KindReport, Table: notesTable()})
	noError(t, err)
	_, err = w.Plan(t.Context(), "notes", hour(), hour().Start, func(w window.Window) []window.Window { return []window.Window{w} })
	noError(t, err)
	l, ok, err := w.Claim(t.Context(), sink.ClaimRequest{
		Dataset: "notes", Now: hour().End, Edge: hour().End, MaxSpan: time.Hour, Owner: "test", TTL: time.Hour,
	})
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	return w, l
}

func notes(l sink.Lease, n int, note string) sink.Batch {
	batch := sink.Batch{Lease: l, Table: notesTable(), Range: l.Span()}
	for i := range n {
		batch.Rows = append(batch.Rows, sink.Row{WindowStart: hour().Start, Row: schema.Row{Values: []schema.Value{
			schema.IntValue(int64(i)), schema.TimeValue(hour().Start), schema.StrValue(note), schema.StrValue("0.5"), schema.IntValue(1),
		}}})
	}
	batch.Readings = []sink.Reading{{Start: hour().Start, State: sink.StateFinal, Rows: int64(n), ReadAt: hour().End, ReadTo: hour().End}}
	return batch
}

func count(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	noError(t, db.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

// unavailable checks that an error says so, with a hint that has the given words.
func unavailable(t *testing.T, err error, words string) {
	t.Helper()
	var unavailable *sink.UnavailableError
	if !errors.As(err, &unavailable) || !strings.Contains(unavailable.Hint, words) {
		t.Errorf("%v: want that the warehouse is not available, with a hint on %q", err, words)
	}
}

func TestDiskFull(t *testing.T) {
	w, l := claimed(t, filepath.Join(t.TempDir(), "w.db"))
	_, err := w.writer.Exec(`PRAGMA max_page_count = 60`)
	noError(t, err)
	batch := notes(l, 2000, strings.Repeat("x", 500))
	_, err = w.Commit(t.Context(), batch)
	unavailable(t, err, "make room")
	if rows, read := count(t, w.reader, `SELECT count(*) FROM notes`), count(t, w.reader, `SELECT sum(reads) FROM exporter_windows`); rows != 0 || read != 0 {
		t.Errorf("%d rows and %d reads of a commit that failed", rows, read)
	}
	_, err = w.writer.Exec(`PRAGMA max_page_count = 100000`)
	noError(t, err)
	counts, err := w.Commit(t.Context(), batch)
	if err != nil || counts.Inserted != 2000 {
		t.Errorf("once there is room: %+v, %v", counts, err)
	}
}

func TestReadersSeeASnapshotDuringCommits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.db")
	w, l := claimed(t, path)
	reader, err := opened(t, path).reader.Begin() // another program's long query
	noError(t, err)
	defer func() { _ = reader.Rollback() }()
	see := func() (n int) {
		noError(t, reader.QueryRow(`SELECT count(*) FROM notes`).Scan(&n))
		return n
	}
	if n := see(); n != 0 {
		t.Fatalf("%d rows before the commit", n)
	}
	_, err = w.Commit(t.Context(), notes(l, 5000, "x"))
	noError(t, err)
	if n := see(); n != 0 {
		t.Errorf("the reader sees %d rows in the middle of its query", n)
	}
	if n := count(t, w.reader, `SELECT count(*) FROM notes`); n != 5000 {
		t.Errorf("a new reader sees %d rows, want 5000", n)
	}
}

func TestFileRemovedWhileOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.db")
	w, l := claimed(t, path)
	noError(t, os.Rename(path, path+".bak"))
	_, err := w.Commit(t.Context(), notes(l, 1, "x"))
	unavailable(t, err, "put the warehouse file back")
	noError(t, os.WriteFile(path, nil, 0o600))
	unavailable(t, w.Renew(t.Context(), l), "put the warehouse file back")
	noError(t, os.Rename(path+".bak", path))
	if _, err := w.Commit(t.Context(), notes(l, 1, "x")); err != nil {
		t.Errorf("once it is back: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "notes.txt")
	noError(t, os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600))
	for path, words := range map[string]string{
		filepath.Join(folder, "missing", "w.db"): "make the directory",
		text:                                     "not a SQLite database",
		folder:                                   "check the path",
	} {
		w, err := Open(t.Context(), Options{Path: path})
		unavailable(t, err, words)
		if err == nil {
			w.Close()
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "missing")); err == nil {
		t.Error("made a directory, which may be a volume that is not mounted")
	}
}

func TestFileIsForItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "odd ?name%20#1.db")
	claimed(t, path)
	for _, name := range []string{path, path + "-wal"} {
		info, err := os.Stat(name)
		noError(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %s", filepath.Base(name), info.Mode())
		}
	}
}

func TestAnotherProgramHoldsTheWriteLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.db")
	w, l := claimed(t, path)
	other, err := opened(t, path).writer.Begin()
	noError(t, err)
	_, err = w.Commit(t.Context(), notes(l, 1, "x"))
	unavailable(t, err, "write lock")
	reason := errors.New("told to stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(reason)
	if err := w.Renew(ctx, l); !errors.Is(err, reason) {
		t.Errorf("renew: %v, want the cause of the context's end", err)
	}
	noError(t, other.Rollback())
	if _, err := w.Commit(t.Context(), notes(l, 1, "x")); err != nil {
		t.Errorf("once it is free: %v", err)
	}
}

// Another handle, a view and an index live on when a column is widened.
func TestWidenInPlace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.db")
	w, l := claimed(t, path)
	other := opened(t, path)
	_, err := w.writer.Exec(`CREATE VIEW v AS SELECT score FROM notes; CREATE INDEX i ON notes (score)`)
	noError(t, err)
	if n := count(t, other.reader, `SELECT count(*) FROM v`); n != 0 {
		t.Fatal(n)
	}
	table := notesTable()
	table.Columns[4].Type = schema.Duration
	d := sink.Dataset{Name: "notes", Kind: sink.KindReport, Table: table}
	prepared, err := w.Prepare(t.Context(), d)
	noError(t, err)
	if len(prepared.Changes) != 1 || !strings.Contains(prepared.Changes[0], `"score" NUMERIC`) ||
		!strings.HasPrefix(prepared.Changes[0], `-- widens column "score" from BIGINT to NUMERIC: the table is declared anew, as follows; no row is rewritten`+"\nCREATE TABLE ") {
		t.Errorf("changes: %q", prepared.Changes)
	}
	if again, err := other.Prepare(t.Context(), d); err != nil || len(again.Changes) != 0 {
		t.Errorf("the other handle: %+v, %v", again, err)
	}
	batch := notes(l, 1, "x")
	batch.Table, batch.Rows[0].Values[4] = table, schema.StrValue("1.5")
	_, err = other.Commit(t.Context(), batch)
	noError(t, err)
	var score, check string
	noError(t, w.reader.QueryRow(`SELECT score FROM v`).Scan(&score))
	noError(t, w.reader.QueryRow(`PRAGMA integrity_check`).Scan(&check))
	if score != "1.5" || check != "ok" {
		t.Errorf("score %s, integrity %s", score, check)
	}
}

func TestRedeclareRefusesWhatItDidNotWrite(t *testing.T) {
	change := schema.Change{Column: schema.Column{Name: "n", Type: schema.Numeric}, From: "BIGINT"}
	for declared, ok := range map[string]bool{
		"CREATE TABLE \"t\" (\n    \"a\" TEXT,\n    \"n\" BIGINT\n)":                     true,
		"CREATE TABLE \"t\" (\n    \"a\" TEXT, \"n\" BIGINT)":                            true,
		"CREATE TABLE t (a TEXT, n BIGINT)":                                              false,
		"CREATE TABLE \"t\" (\"a\" TEXT, \"n\" bigint)":                                  false,
		"CREATE TABLE \"t\" (\n    \"x\"\"n\" BIGINT,\n    n BIGINT\n)":                  false,
		"CREATE TABLE \"t\" ( \"a\" TEXT DEFAULT ' \"n\" BIGINT,',\n    \"n\" BIGINT\n)": false,
	} {
		wanted, err := redeclare(declared, change)
		if (err == nil) != ok || ok && wanted != strings.Replace(declared, `"n" BIGINT`, `"n" NUMERIC`, 1) {
			t.Errorf("%s: %s, %v", declared, wanted, err)
		}
	}
}

// A table that a person set aside keeps its index; the new one gets another name.
func TestTableSetAside(t *testing.T) {
	w, _ := claimed(t, filepath.Join(t.TempDir(), "w.db"))
	_, err := w.writer.Exec(`ALTER TABLE notes RENAME TO notes_old`)
	noError(t, err)
	prepared, err := w.Prepare(t.Context(), sink.Dataset{Name: "notes", Kind: sink.KindReport, Table: notesTable()})
	if err != nil || !prepared.Created {
		t.Errorf("%+v, %v", prepared, err)
	}
}

func TestOwnTablesAreNotForReports(t *testing.T) {
	w, _ := claimed(t, filepath.Join(t.TempDir(), "w.db"))
	table := notesTable()
	table.Name = "Exporter_windows"
	if _, err := w.Prepare(t.Context(), sink.Dataset{Name: "x", Kind: sink.KindReport, Table: table}); err == nil {
		t.Error("a report took the ledger's table")
	}
}

// What people see who know nothing of the exporter: sums, comparisons and types that are right.
func TestStoredForm(t *testing.T) {
	w, l := claimed(t, filepath.Join(t.TempDir(), "w.db"))
	batch := notes(l, 5, "x")
	for i, amount := range []string{"0.5", "-3", "12345678901234567890.25", "9223372036854775808", "0.1"} {
		batch.Rows[i].Values[3] = schema.StrValue(amount)
	}
	_, err := w.Commit(t.Context(), batch)
	noError(t, err)
	for query, want := range map[string]string{
		`SELECT group_concat(typeof(amount)) FROM notes`:                                              "real,integer,blob,blob,real",
		`SELECT CAST(amount AS TEXT) FROM notes WHERE id = 2`:                                         "12345678901234567890.25",
		`SELECT sum(amount) - 0.1 = 12345678901234567890.25 + 9223372036854775808.0 - 2.5 FROM notes`: "1",
		`SELECT count(*) FROM notes WHERE amount < 0.2`:                                               "2",
		`SELECT count(*) FROM notes WHERE "at" = '2026-03-02T00:00:00.000000Z'`:                       "5",
		`SELECT strftime('%s', "at") FROM notes LIMIT 1`:                                              "1772409600",
		`SELECT count(*) FROM notes WHERE _window_start >= '2026-03-02'`:                              "5",
	} {
		var got string
		noError(t, w.reader.QueryRow(query).Scan(&got))
		if got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
}

// A decimal comes out of a NUMERIC column as it went in, whatever SQLite makes of numbers.
func TestDecimalsAreExact(t *testing.T) {
	w := opened(t, filepath.Join(t.TempDir(), "w.db"))
	_, err := w.writer.Exec(`CREATE TABLE d (v NUMERIC)`)
	noError(t, err)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`-?(0|[1-9][0-9]{0,24})\.[0-9]{0,20}[1-9]|-?[1-9][0-9]{0,30}|0`).Draw(t, "decimal")
		want := storedDecimal(text)
		var got any
		tx, err := w.writer.Begin()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		if _, err := tx.Exec(`INSERT INTO d VALUES (?)`, want); err != nil {
			t.Fatal(err)
		}
		if err := tx.QueryRow(`SELECT +v FROM d`).Scan(&got); err != nil {
			t.Fatal(err)
		}
		if !same(got, want) {
			t.Fatalf("%s is stored as %T %v and read as %T %v", text, want, want, got, got)
		}
	})
}

func TestShapesAsSQL(t *testing.T) {
	table := notesTable()
	table.Key, table.MarksDeleted = []string{"id", "note"}, true
	s := shapeOf(table)
	columns := func(t schema.Table) (all []schema.ExistingColumn) {
		for _, c := range append(t.Columns[:len(t.Columns):len(t.Columns)], t.OwnColumns()...) {
			all = append(all, schema.ExistingColumn{Name: c.Name})
		}
		return all
	}
	got := strings.Join([]string{
		createTable(table), addColumn(table, schema.Column{Name: "ex\"tra", Type: schema.JSON}),
		createIndex(table, table.Columns[1], "notes_at_idx"), s.insert(2, false), s.existing(2), s.update(), s.between(), standingRows(table), s.mark(),
		origin{table: table}.insertVersion(), createVersions(table, columns(table), columns(table.HistoryTable())),
	}, ";\n\n") + ";\n"
	golden := filepath.Join("testdata", "shapes.sql")
	if *update {
		noError(t, os.WriteFile(golden, []byte(got), 0o644))
	}
	want, err := os.ReadFile(golden)
	noError(t, err)
	if got != string(want) {
		t.Errorf("the SQL differs from %s (-update writes it anew):\n%s", golden, got)
	}
}

// goose does not keep two processes from doing the same migration: the lock beside the file does.
func TestMigrateWaitsItsTurn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.db")
	w := opened(t, path)
	other := flock.New(path + ".migrate.lock")
	noError(t, other.Lock())
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := w.Migrate(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside another: %v, want that it waits", err)
	}
	if n := count(t, w.reader, `SELECT count(*) FROM sqlite_schema`); n != 0 {
		t.Errorf("made %d tables and indexes out of turn", n)
	}
	noError(t, other.Unlock())
	noError(t, w.Migrate(t.Context()))
}
