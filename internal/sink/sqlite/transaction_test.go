package sqlite

import (
	"database/sql/driver"
	"path/filepath"
	"testing"
)

// A panic while the connection is lent comes out, and the next write finds the connection free.
func TestAPanicKeepsNoConnection(t *testing.T) {
	w, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "warehouse.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
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
