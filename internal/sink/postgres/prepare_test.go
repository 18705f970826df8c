package postgres

import (
	"errors"
	"testing"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// A commit that was behind its fence when another process prepared the dataset: it settles its windows by the older
// list of delays, and these are then moved as all others are.
func TestPrepareWaitsForCommitsByTheOlderConfig(t *testing.T) {
	w := newWorld(t)
	b := batch(w.lease(0), rows(0, 3, 1))
	b.Readings[0].State, b.Readings[0].NextReadAt = sink.StateFinal, time.Time{}
	w.exec(`BEGIN; LOCK TABLE samespace.calls IN ACCESS EXCLUSIVE MODE`)
	committed, prepared := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := w.Commit(t.Context(), b)
		committed <- err
	}()
	w.awaitLockWaits(1)
	d := dataset()
	d.ConfigHash, d.Reread = "newer", window.Reread{time.Hour}
	go func() {
		_, err := w.Prepare(t.Context(), d)
		prepared <- err
	}()
	w.awaitLockWaits(2)
	w.exec(`COMMIT`)
	w.noError(<-committed)
	w.noError(<-prepared)
	w.equal("window", w.cell(`SELECT state || extract(hour FROM next_read_at AT TIME ZONE 'UTC') FROM exporter.windows`), "read2")
}

// A change of a table that takes long holds up no other table; who prepares the same one is told so before long.
func TestALongChangeHoldsUpItsOwnTableOnly(t *testing.T) {
	w := newWorld(t)
	w.lockTimeout = time.Minute
	w.exec(`BEGIN; LOCK TABLE samespace.calls IN ACCESS SHARE MODE`)
	widened, apart, renamed := dataset(), dataset(), dataset()
	widened.Table.Columns[2].Type = schema.Numeric
	apart.Name, apart.Table.Name = "apart", "apart"
	renamed.Table.Name = "renamed"
	prepared := make(chan error, 1)
	go func() {
		_, err := w.Prepare(t.Context(), widened)
		prepared <- err
	}()
	w.awaitLockWaits(1)
	_, err := w.Prepare(t.Context(), apart)
	w.noError(err)
	shared := dataset()
	shared.Name = "shared"
	hasty := w.patient(time.Second)
	for name, d := range map[string]sink.Dataset{"same": dataset(), "table": shared, "dataset": renamed} {
		_, err = hasty.Prepare(t.Context(), d)
		if unavailable(t, err); !errors.Is(err, sink.ErrBeingPrepared) {
			t.Errorf("%s: got %v, want that the table is being prepared", name, err)
		}
	}
	w.exec(`COMMIT`)
	w.noError(<-prepared)
	_, err = hasty.Prepare(t.Context(), widened)
	w.noError(err)
}

func TestAClaimWaitsForThePrepareOfANewerConfig(t *testing.T) {
	w := newWorld(t)
	w.exec(`UPDATE exporter.datasets SET config_hash = 'older'`)
	within := window.Window{Start: at(0), End: at(60)}
	_, err := w.Plan(t.Context(), "calls", within, at(0), func(g window.Window) []window.Window { return []window.Window{g} })
	w.noError(err)
	w.exec(`BEGIN; UPDATE exporter.datasets SET config_hash = 'newer'`)
	claimed := make(chan error, 1)
	go func() {
		_, _, err := w.Claim(t.Context(), sink.ClaimRequest{
			Dataset: "calls", Now: at(60), Edge: at(60), MaxSpan: time.Hour, Owner: "test", TTL: time.Minute, ConfigHash: "older",
		})
		claimed <- err
	}()
	w.awaitLockWaits(1)
	w.exec(`COMMIT`)
	if err := <-claimed; !errors.Is(err, sink.ErrSuperseded) {
		t.Errorf("got %v, want that the config is superseded", err)
	}
}
