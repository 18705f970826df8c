package app_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/fsnotify/fsnotify"

	"samespace-exporter/internal/source/simulator"
)

// Killed at any message to Postgres, or any write to a SQLite file, while a column that was added is filled from _extra, or
// while rejects are retried: all of it is done or nothing, and the next one does the rest.
func TestKillWhileItMends(t *testing.T) {
	t.Parallel()
	for _, w := range []struct {
		name, table, rejects string
		dsn                  func(t testing.TB) string
		killAt               func(c *clinic, n int) (killed bool)
		stride, least        int // of the kills
	}{
		{"postgres", "samespace.calls", "exporter.rejects", server.Database, (*clinic).killAtMessage, 15, 3},
		{"sqlite", "calls", "exporter_rejects", sqliteFile, (*clinic).killAtWrite, 1, 1},
	} {
		for _, m := range mendings(w.table, w.rejects) {
			t.Run(m.name+" on "+w.name, func(t *testing.T) {
				t.Parallel()
				c := newClinic(t, w.dsn(t), w.table)
				all := m.prepare(c)
				kills, stride := 0, w.stride
				if long() {
					stride = 1
				}
				for at := 1; w.killAt(c, at); at += stride {
					if kills++; t.Failed() {
						return
					}
					if left := c.count(m.left); left != all && left != 0 {
						t.Errorf("killed at %d: %d of %d rows are left", at, left, all)
					}
				}
				if kills < w.least {
					t.Errorf("only %d kills", kills)
				}
				if left, done := c.count(m.left), c.count(m.done); left != 0 || done < all {
					t.Errorf("%d of %d rows are left, %d are mended", left, all, done)
				}
				rows := c.mustBeWhole()
				counted(t, fmt.Sprintf("kill -9 while it mends, %s on %s", m.name, w.name), kills, rows)
			})
		}
	}
}

// mending is what a change of the config gives to do.
type mending struct {
	name         string
	before, mend func(c *clinic)
	retries      bool
	left, done   string // count what is to be mended, and what is
}

func mendings(table, rejects string) []mending {
	const typed, text = "{name: duration_s, type: integer}", "{name: duration_text, type: text}"
	id := simulator.Calls().Metric("duration_s").ID
	line := "\n      " + strconv.Quote(id) + ": " + typed
	return []mending{
		{
			name:   "promotion",
			before: func(c *clinic) { c.reword(line, "") },
			mend:   func(c *clinic) { c.reword("    fields:", "    fields:"+line) },
			left:   "select count(*) from " + table + " where cast(_extra as text) like '%" + id + "%'",
			done:   "select count(duration_s) from " + table,
		},
		{
			name:    "rejects retry",
			before:  func(c *clinic) { c.sim.Script(simulator.Always(), simulator.WrongTypes(id)) },
			mend:    func(c *clinic) { c.reword(typed, text) },
			retries: true,
			left:    "select count(*) from " + rejects,
			done:    "select count(*) from " + table + " where duration_text = 'n/a'",
		},
	}
}

// prepare makes that there is something to mend, and counts it.
func (m mending) prepare(c *clinic) (all int) {
	c.Helper()
	m.before(c)
	if c.killed(c.start(0)) {
		c.Fatal("the first run was killed")
	}
	if all = c.count(m.left); all < 30 {
		c.Fatalf("only %d rows are to be mended", all)
	}
	m.mend(c)
	c.retries = m.retries
	return all
}

// killAtWrite starts a child and kills it when it has written to its SQLite file, or the log beside it, so many times, as
// far as the system tells of each write by itself; false when it ended before. Of writes in a row that nobody heard of yet
// the system tells once: on a busy machine the child may end after a few.
func (c *clinic) killAtWrite(n int) (killed bool) {
	c.Helper()
	writes, err := fsnotify.NewWatcher()
	if err != nil {
		c.Fatal(err)
	}
	if err := writes.Add(filepath.Dir(strings.TrimPrefix(c.dsn, "sqlite:"))); err != nil {
		c.Fatal(err)
	}
	child := c.start(0)
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		for w := range writes.Events {
			if !w.Has(fsnotify.Write) {
				continue
			}
			if n--; n == 0 {
				_ = child.Process.Kill()
			}
		}
	}()
	failed := make(chan error, 1)
	go func() {
		defer close(failed)
		for err := range writes.Errors { // while nobody takes them no event comes
			select {
			case failed <- err:
			default:
			}
		}
	}()
	killed = c.killed(child)
	if err := writes.Close(); err != nil {
		c.Error(err)
	}
	<-counted
	if err := <-failed; err != nil {
		c.Error(err)
	}
	return killed
}

// reword writes something else in the config.
func (c *clinic) reword(from, to string) {
	c.Helper()
	text, err := os.ReadFile(c.config)
	if err != nil {
		c.Fatal(err)
	}
	if !strings.Contains(string(text), from) {
		c.Fatalf("the config has no %q", from)
	}
	if err := os.WriteFile(c.config, []byte(strings.Replace(string(text), from, to, 1)), 0o600); err != nil {
		c.Fatal(err)
	}
}

// count is a statement's one number.
func (c *clinic) count(statement string) int {
	c.Helper()
	program := c.program()
	defer program.Close()
	_, rows, err := program.Query(c.Context(), statement)
	if err != nil {
		c.Fatal(err)
	}
	n, err := strconv.Atoi(rows[0][0])
	if err != nil {
		c.Fatal(err)
	}
	return n
}
