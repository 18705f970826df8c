package export_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"pgregory.net/rapid"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// What becomes of the replicas.

func (m *machine) tick(draw *rapid.T) {
	r := m.someReplica(draw)
	var until time.Time
	if rapid.IntRange(0, 3).Draw(draw, "relieved") == 0 {
		until = r.Clock()
	}
	if m.fate(draw, r) {
		m.passUntil(r, until)
	}
}

func (m *machine) someReplica(draw *rapid.T) *replica {
	return m.replicas[rapid.IntRange(0, len(m.replicas)-1).Draw(draw, "replica")]
}

func (m *machine) pass(r *replica) { m.passUntil(r, time.Time{}) }

func (m *machine) passUntil(r *replica, until time.Time) {
	s, err := r.Export(m.Context(), export.Pass{Kind: sink.RunScheduled, Until: until})
	m.settle(r, s, err)
}

// settle ends what fate had in store for a replica's pass.
func (m *machine) settle(r *replica, s export.Summary, err error) {
	m.Logf("%s: %d windows, %d rows, stopped %v; %v, %v", r.Owner, s.Windows, s.RowsRead, s.Stopped, err, s.Err())
	m.tried["passes"]++
	r.Observe = nil
	if r.through.dead() {
		m.tried["kills survived"]++
		m.restart(r)
		return
	}
	r.through.recover()
}

// fate chooses what befalls the next pass of a replica, at one of its steps.
func (m *machine) fate(draw *rapid.T, r *replica) bool {
	fate := rapid.SampledFrom([]string{"none", "none", "kill", "kill", "pause", "cut off", "answer lost"}).Draw(draw, "fate")
	if fate == "none" {
		return true
	}
	at := rapid.IntRange(1, 14).Draw(draw, "at step")
	other := m.someReplica(draw)
	count := rapid.IntRange(1, 4).Draw(draw, "calls")
	var mu sync.Mutex
	steps := 0
	r.Observe = func(export.Event) {
		mu.Lock()
		defer mu.Unlock()
		if steps++; steps != at {
			return
		}
		m.tried["passes with '"+fate+"'"]++
		switch fate {
		case "kill":
			r.through.kill()
		case "pause":
			if other != r {
				m.leasesRunOut(nil)
				s, err := other.Export(m.Context(), export.Pass{Kind: sink.RunScheduled})
				m.Logf("meanwhile %s: %d windows; %v, %v", other.Owner, s.Windows, err, s.Err())
			}
		case "cut off":
			r.through.cutOff(count)
		case "answer lost":
			r.through.loseAnswer()
		}
	}
	return true
}

func (m *machine) allAtOnce(*rapid.T) {
	var together sync.WaitGroup
	for _, r := range m.replicas {
		together.Go(func() {
			s, err := r.Export(m.Context(), export.Pass{Kind: sink.RunScheduled})
			m.Logf("%s: %d windows; %v, %v", r.Owner, s.Windows, err, s.Err())
		})
	}
	together.Wait()
	m.tried["passes"] += len(m.replicas)
}

// restart starts a process anew, by the newest config.
func (m *machine) restart(r *replica) {
	r.through = &unsteady{warehouse: r.handle}
	r.Exporter = m.newExporter(m.config, r.through)
	r.Exporter.Source = m.client(300 * time.Millisecond)
	r.Clock = func() time.Time { return m.clock.Now().Add(r.ahead) }
}

func (m *machine) restartAny(draw *rapid.T) {
	m.restart(m.someReplica(draw))
}

// deploy changes the config. One replica is restarted by it and makes a pass; the others go on with the old one.
func (m *machine) deploy(draw *rapid.T) {
	r := m.someReplica(draw)
	day := 24 * time.Hour
	d := m.config
	var anew bool
	change := rapid.SampledFrom([]string{"longer re-reads", "field", "table", "grid", "pages", "overlap"}).Draw(draw, "config")
	switch change {
	case "longer re-reads":
		d.Reread = append(slices.Clip(d.Reread), slices.Max(d.Reread)+day)
	case "field":
		if m.wrapUp {
			draw.Skip("the field is mapped")
		}
		m.wrapUp = true
		d.Mapper = m.mapper()
	case "table":
		m.table = fmt.Sprintf("calls_%d", m.versions)
		d.Mapper = m.mapper()
		anew = true
	case "grid":
		grid, err := window.NewGrid(rapid.SampledFrom([]time.Duration{30 * time.Minute, time.Hour, 4 * time.Hour}).Draw(draw, "size"), nil)
		if err != nil {
			m.Fatal(err)
		}
		d.Grid = grid
	case "pages":
		d.Query.PageSize = rapid.IntRange(15, 30).Draw(draw, "page size")
		d.MaxRows = rapid.IntRange(5, 80).Draw(draw, "most rows")
	case "overlap":
		d.Overlap = time.Duration(rapid.IntRange(0, 40).Draw(draw, "minutes")) * time.Minute
	}
	m.versions++
	d.ConfigHash = fmt.Sprintf("version %d", m.versions)
	m.config = d
	m.tried["configs deployed"]++
	m.see()
	// What was prepared last counts: one that only starts now would take the dataset back, a known limit.
	for _, other := range m.replicas {
		if other == r || !other.through.prepared() {
			m.restart(other)
		}
	}
	if anew {
		m.anew()
	}
	// The table is there, and the older ones are refused, from here on.
	prepared := sink.Dataset{Name: d.Name, Kind: d.Kind, Table: d.Mapper.Table(), ConfigHash: d.ConfigHash, Reread: d.Reread}
	if _, err := m.warehouse.Prepare(m.Context(), prepared); err != nil {
		m.Fatalf("prepare: %v", err)
	}
	m.pass(r)
}

// mostAhead is how far ahead or behind a replica's clock may be, so that no two of them lie more than sink.ClockDrift apart.
const mostAhead = sink.ClockDrift/2 - time.Second

// drift lets a replica's clock be as wrong as it may be.
func (m *machine) drift(draw *rapid.T) {
	most := int(mostAhead / time.Second)
	r := m.someReplica(draw)
	r.ahead = time.Duration(rapid.IntRange(-most, most).Draw(draw, "ahead")) * time.Second
}

// astray lets a replica's clock be far off for a pass, until somebody sets it right.
func (m *machine) astray(draw *rapid.T) {
	r := m.someReplica(draw)
	right := r.ahead
	r.ahead = time.Duration(rapid.IntRange(-72, 240).Draw(draw, "hours ahead")) * time.Hour
	m.restart(r) // an older config would not get as far as mending
	m.tried["clocks astray"]++
	m.pass(r)
	r.ahead = right
	m.pass(r)
}

// backfill reads a range whole; now and then it does not get to its end.
func (m *machine) backfill(draw *rapid.T) {
	r := m.someReplica(draw)
	// All of it lies in the past, so that the range stays what it is.
	of := export.Range{From: m.since.Add(time.Duration(rapid.IntRange(0, 3).Draw(draw, "from")) * time.Hour)}
	of.To = of.From.Add(time.Hour)
	if rapid.Bool().Draw(draw, "long") {
		of.To = start.Add(-time.Hour)
	}
	var span window.Window
	call := of
	call.Restart = rapid.IntRange(0, 3).Draw(draw, "restart") == 0
	call.NewestFirst = rapid.Bool().Draw(draw, "newest first")
	r.ahead = mostAhead // what is due by another's clock is due by this one: the clock stands still
	m.leasesRunOut(nil) // it waits for others, in real time
	m.fate(draw, r)
	through := r.through
	through.onBegin = func(run sink.Run, goesOn bool) {
		if !goesOn {
			m.begun[run.Range] = m.moment
		}
		span = run.Range
	}
	ctx, cancel := context.WithTimeout(m.Context(), 15*time.Second)
	defer cancel()
	s, err := r.Backfill(ctx, call)
	through.onBegin = nil
	if ctx.Err() != nil {
		m.Fatalf("the backfill of %s to %s does not end; now %s, ahead %s: %+v", of.From, of.To, m.clock.Now(), r.ahead, m.ledger())
	}
	m.settle(r, s, err)
	m.tried["backfills"]++
	if err != nil || s.Err() != nil || s.Stopped {
		return
	}
	began := m.begun[span]
	m.see()
	table, rejects := m.rowsOfTable(), m.rejects()
	edge := m.clock.Now().Add(r.ahead - m.config.Delay)
	for key, k := range m.rows {
		at, err := time.Parse(time.RFC3339, k.started)
		if err != nil {
			m.Fatal(err)
		}
		if at.Before(of.From) || !at.Before(of.To) || !at.Before(edge) || k.changed >= began || strings.Contains(rejects, key) {
			continue
		}
		if m.checked++; table[key] != k.call {
			m.Fatalf("row %s (so since moment %d) is %+v, not %+v, after a backfill of %s to %s that began at moment %d",
				key, k.changed, table[key], k.call, of.From, of.To, began)
		}
	}
}

// leasesRunOut lets so much time pass by the database's clock that all leases are over.
func (m *machine) leasesRunOut(*rapid.T) {
	m.exec(fmt.Sprintf("update %s set lease_until = %s where lease_until is not null", m.kind.own("windows"), past(m.kind)))
}
