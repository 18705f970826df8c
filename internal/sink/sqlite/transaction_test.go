package sqlite

import (
	"database/sql/driver"
	"path/filepath"
	"testing"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// newWarehouse has none of the exporter's tables yet.
func newWarehouse(t *testing.T) *Warehouse {
	t.Helper()
	w, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "w.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	return w
}

// A panic while the connection is lent comes out, and the next write finds the connection free.
func TestAPanicKeepsNoConnection(t *testing.T) {
	w := newWarehouse(t)
	insert := func(fill func()) error {
		return w.write(t.Context(), "insert", func(tx *transaction) error {
			if _, err := tx.ExecContext(t.Context(), `CREATE TABLE IF NOT EXISTS kept (n)`); err != nil {
				return err
			}
			return tx.repeat(t.Context(), `INSERT INTO kept VALUES (?)`, 2, 1, func(set int, args []driver.NamedValue) {
				args[0].Value = int64(set)
				if set == 1 {
					fill()
				}
			})
		})
	}
	func() {
		defer func() {
			if recover() != "as it was told" {
				t.Error("the panic did not come out")
			}
		}()
		_ = insert(func() { panic("as it was told") })
	}()
	if err := insert(func() {}); err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := w.reader.QueryRowContext(t.Context(), `SELECT count(*) FROM kept`).Scan(&rows); err != nil || rows != 2 {
		t.Errorf("%d rows (%v), want those of the second time alone", rows, err)
	}
}

// A trigger that people put on a table ignores what it says it ignores.
func TestTriggersOfPeople(t *testing.T) {
	w := newWarehouse(t)
	table := schema.Table{Name: "calls", Key: []string{"id"}, Columns: []schema.Column{{Name: "id", Type: schema.Integer}}}
	var rows []sink.Row
	for id := range int64(insertRows + 1) {
		rows = append(rows, sink.Row{WindowStart: time.Unix(0, 0), Row: schema.Row{Values: []schema.Value{schema.IntValue(id)}}})
	}
	err := w.write(t.Context(), "insert", func(tx *transaction) error {
		for _, statement := range []string{
			createTable(table), `CREATE TABLE seen (what UNIQUE)`,
			`CREATE TRIGGER note AFTER INSERT ON calls BEGIN INSERT OR IGNORE INTO seen VALUES ('a call'); END`,
		} {
			if _, err := tx.ExecContext(t.Context(), statement); err != nil {
				return err
			}
		}
		counts, err := encode(table, rows).store(t.Context(), tx, time.Now())
		if counts.Inserted != int64(len(rows)) {
			t.Errorf("%+v", counts)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
