package app_test

import (
	"os"
	"sync"
	"testing"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink/testdb"
)

// Postgres crashes and comes back while spans are being read and committed: what was acknowledged is there afterwards,
// and the work goes on by itself.
func TestNetworkPostgresRestarts(t *testing.T) {
	t.Parallel()
	restarts := 3
	if os.Getenv("EXPORTER_RELIABILITY") == "long" {
		restarts = 30
	}
	node := testdb.NewNode(t)
	c := newClinic(t, node.DSN(), "samespace.calls")
	c.exportThrough(restarts, func() {
		node.Stop()
		node.Start()
	})
	t.Logf("reliability: Postgres crashes under load: faults: %d", restarts)
}

// A standby is promoted in place of a primary that crashed. The DSN names both.
func TestNetworkStandbyPromoted(t *testing.T) {
	t.Parallel()
	primary := testdb.NewNode(t)
	standby := primary.Standby()
	c := newClinic(t, primary.FailoverDSN(standby), "samespace.calls")
	c.exportThrough(1, func() {
		primary.Stop()
		standby.Promote()
	})
	t.Log("reliability: standby promoted under load: faults: 1")
}

// exportThrough exports while the warehouse crashes so many times, each time while something is committed. All rows must
// be there, and so what was said to be committed.
func (c *clinic) exportThrough(crashes int, crash func()) {
	c.Helper()
	var crashing sync.WaitGroup
	var mu sync.Mutex
	commits, acknowledged, busy := 0, int64(0), false
	c.exportAll(func(e export.Event) {
		mu.Lock()
		defer mu.Unlock()
		switch e.Step {
		case export.StepCommitting:
			if commits++; crashes == 0 || busy || commits%2 != 0 {
				return
			}
			crashes, busy = crashes-1, true
			crashing.Go(func() {
				crash()
				mu.Lock()
				defer mu.Unlock()
				busy = false
			})
		case export.StepCommitted:
			acknowledged += e.Counts.Inserted
		}
	}, crashing.Wait)
	if crashes > 0 {
		c.Errorf("%d crashes were left when all was exported", crashes)
	}
	calls := c.mustBeWhole()
	c.Logf("reliability: crashes of Postgres: rows checked: %d", calls)
	if acknowledged > int64(calls) {
		c.Errorf("%d rows were acknowledged, and %d are there", acknowledged, calls)
	}
}
