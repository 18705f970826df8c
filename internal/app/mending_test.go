package app_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"samespace-exporter/internal/source/simulator"
)

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

// Killed at any message to Postgres while a column that was added is filled from _extra, or while rejects are retried: all
// of it is done or nothing, and the next one does the rest.
func TestKillWhileItMends(t *testing.T) {
	t.Parallel()
	const duration = "{name: duration_s, type: integer}"
	for _, k := range []struct {
		name    string
		before  func(c *clinic)
		mend    func(c *clinic)
		retries bool
		left    string // counts what is to be mended
		done    string // counts what is mended
	}{
		{
			name:   "promotion",
			before: func(c *clinic) { c.reword("      "+strconv.Quote(c.report.Metric("duration_s").ID)+": "+duration, "") },
			mend: func(c *clinic) {
				c.reword("    fields:", "    fields:\n      "+strconv.Quote(c.report.Metric("duration_s").ID)+": "+duration)
			},
			left: "select count(*) from samespace.calls where _extra ? '" + simulator.Calls().Metric("duration_s").ID + "'",
			done: "select count(duration_s) from samespace.calls",
		},
		{
			name: "rejects retry",
			before: func(c *clinic) {
				c.sim.Script(simulator.Always(), simulator.WrongTypes(c.report.Metric("duration_s").ID))
			},
			mend:    func(c *clinic) { c.reword(duration, "{name: duration_text, type: text}") },
			retries: true,
			left:    "select count(*) from exporter.rejects",
			done:    "select count(*) from samespace.calls where duration_text = 'n/a'",
		},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t, server.Database(t), "samespace.calls")
			k.before(c)
			if c.killed(c.start(0)) {
				t.Fatal("the first run was killed")
			}
			all := c.count(k.left)
			if all < 30 {
				t.Fatalf("only %d rows are to be mended", all)
			}
			k.mend(c)
			c.retries = k.retries
			kills, stride := 0, 15
			if long() {
				stride = 2
			}
			for message := 4; c.killAtMessage(message); message += stride {
				if kills++; t.Failed() {
					return
				}
				if left := c.count(k.left); left != all && left != 0 {
					t.Errorf("killed at message %d: %d of %d rows are left", message, left, all)
				}
			}
			if kills < 3 {
				t.Errorf("only %d kills", kills)
			}
			if left, done := c.count(k.left), c.count(k.done); left != 0 || done < all {
				t.Errorf("%d of %d rows are left, %d are mended", left, all, done)
			}
			rows := c.mustBeWhole()
			counted(t, fmt.Sprintf("kill -9 while it mends, %s", k.name), kills, rows)
		})
	}
}
