package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"samespace-exporter/internal/sink"
)

//go:embed sql/*.sql
var statements embed.FS

// statement is the text of an embedded statement.
func statement(name string) string {
	text, err := statements.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // the name is a constant of this package
	}
	return string(text)
}

// Options says which file is the warehouse.
type Options struct {
	// Path of the database file. It is made when it is not there, readable for its owner only since it holds
	// call records; SQLite gives the files beside it (-wal, -shm) the mode that it has. Its directory must be
	// there.
	Path string
	// BusyTimeout is how long a write waits for another process's; zero: 10 s.
	BusyTimeout time.Duration
	// Readers is how many reads may go on at once beside the one writer; zero: 4.
	Readers int
}

// Warehouse is a SQLite file. Make it with Open.
type Warehouse struct {
	path    string
	options Options
	file    os.FileInfo // of the file that was opened
	writer  *sql.DB     // of one connection, which does not wait by itself: see patiently
	reader  *sql.DB
	spare   spare
}

// Open opens the file, and makes it when it is not there. The exporter's own tables come with Migrate.
func Open(ctx context.Context, o Options) (*Warehouse, error) {
	path, err := filepath.Abs(o.Path)
	if err != nil {
		return nil, fmt.Errorf("open warehouse: %w", err)
	}
	info, err := makeFile(path)
	if err != nil {
		return nil, err
	}
	if o.BusyTimeout == 0 {
		o.BusyTimeout = 10 * time.Second
	}
	w := &Warehouse{path: path, options: o, file: info, spare: make(spare, 1)}
	if w.writer, err = sql.Open("sqlite", dsn(path, 0, "_txlock=immediate")); err != nil {
		return nil, fmt.Errorf("open warehouse: %w", err)
	}
	w.writer.SetMaxOpenConns(1)
	if w.reader, err = sql.Open("sqlite", dsn(path, o.BusyTimeout, "_query_only=1")); err != nil {
		return nil, errors.Join(fmt.Errorf("open warehouse: %w", err), w.writer.Close())
	}
	w.reader.SetMaxOpenConns(readers(o))
	w.reader.SetMaxIdleConns(readers(o))
	if err := w.patiently(ctx, func() error { return w.writer.PingContext(ctx) }); err != nil {
		w.Close()
		return nil, w.explain(ctx, "open warehouse", err)
	}
	return w, nil
}

func makeFile(path string) (os.FileInfo, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &sink.UnavailableError{Err: err, Hint: "make the directory of the warehouse file, or mount its volume"}
	case errors.Is(err, fs.ErrPermission):
		return nil, &sink.UnavailableError{Err: err, Hint: "let the exporter's user write the warehouse file and its directory"}
	case err != nil:
		return nil, &sink.UnavailableError{Err: err, Hint: "check the path of the warehouse file"}
	}
	info, err := file.Stat()
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("open warehouse: %w", err)
	}
	return info, nil
}

// dsn names the file and how each connection is set up. synchronous FULL makes a commit survive a power cut:
// NORMAL would be consistent too, since rows and ledger are one transaction, but a backfill that was told to
// be done might then not be. Pages of 8 KiB, which a new file gets, are a tenth cheaper to fill than SQLite's 4 KiB; still
// larger ones gain little more, and a commit of a few rows writes all of each page that it touches.
func dsn(path string, busy time.Duration, extra string) string {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // a drive letter
	}
	settings := fmt.Sprintf("_busy_timeout=%d&_journal_mode=WAL&_synchronous=FULL&_pragma=page_size(8192)&_pragma=journal_size_limit(67108864)&%s",
		busy.Milliseconds(), extra)
	return (&url.URL{Scheme: "file", Path: slashed, RawQuery: settings}).String()
}

func readers(o Options) int {
	if o.Readers == 0 {
		return 4
	}
	return o.Readers
}

// Close ends all connections.
func (w *Warehouse) Close() {
	// Nothing is lost by a connection that does not close well: what was committed is in the file.
	_ = errors.Join(w.reader.Close(), w.writer.Close())
}

// lookEvery is how soon a lock that another process holds is asked for again.
const lookEvery = 2 * time.Millisecond

// patiently tries until another process does not hold the lock any more, for BusyTimeout at most. SQLite's own wait sleeps
// for ever longer between two looks, and so misses the moments between the transactions of those who write without a pause.
func (w *Warehouse) patiently(ctx context.Context, try func() error) error {
	for deadline := time.Now().Add(w.options.BusyTimeout); ; {
		err := try()
		if !isLocked(err) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-time.After(lookEvery):
		case <-ctx.Done():
			return err
		}
	}
}

// unmoved checks that the path still leads to the file that was opened. SQLite would go on writing to a file
// that was removed, and all would be lost.
func (w *Warehouse) unmoved() error {
	info, err := os.Stat(w.path)
	if err == nil && !os.SameFile(info, w.file) {
		err = fmt.Errorf("%s is another file than the one that was opened", w.path)
	}
	if err != nil {
		return &sink.UnavailableError{Err: err, Hint: "put the warehouse file back, or restart the exporter to begin a new one"}
	}
	return nil
}
