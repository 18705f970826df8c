package sqlite_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/sink/sinktest"
	"samespace-exporter/internal/sink/sqlite"
)

func TestSQLite(t *testing.T) {
	template := migrated(t)
	sinktest.Exercise(t, func(t *testing.T) sinktest.Harness { return harness(t, template) })
}

// migrated is a file that has been migrated: a copy of it is quicker to have than one more migration.
func migrated(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "template.db")
	w := open(t, path)
	if err := w.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Close()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func harness(t *testing.T, template []byte) sinktest.Harness {
	path := filepath.Join(t.TempDir(), "warehouse.db")
	if err := os.WriteFile(path, template, 0o600); err != nil {
		t.Fatal(err)
	}
	raw := plain(t, path)
	return sinktest.Harness{
		Warehouse: open(t, path),
		Second:    func() sinktest.Warehouse { return open(t, path) },
		Unmigrated: func() (first, second sinktest.Warehouse) {
			path := filepath.Join(t.TempDir(), "unmigrated.db")
			return open(t, path), open(t, path)
		},
		Query: func(ctx context.Context, statement string) ([][]string, error) { return query(ctx, raw, statement) },
		Table: func(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` },
		AsOf: func(table string, at time.Time) string {
			when := at.UTC().Format("2006-01-02T15:04:05.000000Z")
			return `(SELECT * FROM "` + table + `_versions" WHERE _valid_from <= '` + when + `' AND (_valid_to > '` + when + `' OR _valid_to IS NULL))`
		},
		Versions: func(table string) string { return `"` + table + `_versions"` },
		Own:      func(name string) string { return "exporter_" + name },
	}
}

func open(t *testing.T, path string) *sqlite.Warehouse {
	t.Helper()
	w, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// plain is the file as any other program sees it.
func plain(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_busy_timeout=10000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func query(ctx context.Context, db *sql.DB, statement string) ([][]string, error) {
	rows, err := db.QueryContext(ctx, statement)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var all [][]string
	for rows.Next() {
		cells, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range cells {
			to[i] = &cells[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		texts := make([]string, len(cells))
		for i, cell := range cells {
			texts[i] = text(cell)
		}
		all = append(all, texts)
	}
	return all, rows.Err()
}

func text(cell any) string {
	switch cell := cell.(type) {
	case nil:
		return "NULL"
	case int64:
		return strconv.FormatInt(cell, 10)
	case float64:
		return strconv.FormatFloat(cell, 'g', -1, 64)
	case bool:
		return strconv.FormatBool(cell)
	case []byte:
		return string(cell)
	case time.Time: // the driver makes these of columns declared as TIMESTAMP or DATE
		return cell.Format("2006-01-02T15:04:05.000000")
	}
	return cell.(string)
}
