package sqlite_test

import (
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/sink/sqlite"
)

// Who asks for the status while a first run makes the tables is told that there are none yet, or has it.
func TestStatusWhileTheTablesAreMade(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "new.db")
		w, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		other, err := sqlite.Open(t.Context(), sqlite.Options{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		made := make(chan struct{})
		var asking sync.WaitGroup
		asking.Go(func() {
			for {
				if _, err := other.Status(t.Context(), time.Now()); err != nil && !errors.Is(err, sink.ErrNotMigrated) {
					t.Error(err)
				}
				select {
				case <-made:
					return
				default:
				}
			}
		})
		if err := w.Migrate(t.Context()); err != nil {
			t.Error(err)
		}
		close(made)
		asking.Wait()
		w.Close()
		other.Close()
	}
}
