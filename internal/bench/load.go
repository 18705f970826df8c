package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/sink/postgres"
	"samespace-exporter/internal/window"
)

// The load of typed rows into Postgres by the exporter's warehouse alone: leases, ledger and all, but no API. The rows
// are made while the clock stands.

// batchSpan is the windows of a batch: 19,920 rows.
const batchSpan = 83 * time.Hour

func (w *workshop) loadFresh(ctx context.Context) (sample, error) {
	return w.load(ctx, "fresh", 0, false)
}

func (w *workshop) loadUnchanged(ctx context.Context) (sample, error) {
	return w.load(ctx, "unchanged", 1, false)
}

func (w *workshop) loadChanged(ctx context.Context) (sample, error) {
	return w.load(ctx, "changed", 2, true)
}

// load writes all rows for the pass-th time.
func (w *workshop) load(ctx context.Context, name string, pass int, changed bool) (sample, error) {
	l := loader{
		rows: w.rows, changed: changed, now: end(w.rows).Add(time.Duration(pass) * time.Hour),
		table: schema.Table{Name: "calls", Key: []string{"call_id"}, TimeField: "started_at"},
	}
	for _, f := range fields() {
		l.table.Columns = append(l.table.Columns, schema.Column{Name: f.name, Type: f.kind, ID: f.id})
	}
	var err error
	if l.warehouse, err = postgres.Open(ctx, postgres.Options{DSN: w.postgresDSN()}); err != nil {
		return sample{}, err
	}
	defer l.warehouse.Close()
	if err := l.prepare(ctx); err != nil {
		return sample{}, err
	}
	if w.profiles != "" {
		stop, err := profile(filepath.Join(w.profiles, "load-"+name+".pprof"))
		if err != nil {
			return sample{}, err
		}
		defer stop()
	}
	s, err := w.timed(ctx, func() (sample, error) {
		err := l.run(ctx)
		return l.spent, err
	})
	if err != nil {
		return sample{}, err
	}
	return s, w.check(ctx, "samespace.calls", changed)
}

func profile(path string) (stop func(), err error) {
	file, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = file.Close()
	}, nil
}

type loader struct {
	warehouse *postgres.Warehouse
	table     schema.Table
	rows      int
	changed   bool
	now       time.Time
	spent     sample
}

func (l *loader) prepare(ctx context.Context) error {
	if err := l.warehouse.Migrate(ctx); err != nil {
		return err
	}
	if _, err := l.warehouse.Prepare(ctx, sink.Dataset{Name: "calls", Kind: sink.KindReport, Table: l.table, ConfigHash: "bench"}); err != nil {
		return err
	}
	grid, err := window.NewGrid(time.Hour, time.UTC)
	if err != nil {
		return err
	}
	all := window.Window{Start: firstCall(), End: end(l.rows)}
	_, err = l.warehouse.Plan(ctx, "calls", all, all.End, grid.Cut)
	return err
}

func (l *loader) run(ctx context.Context) error {
	run, err := l.warehouse.BeginRun(ctx, sink.Run{Dataset: "calls", Kind: sink.RunOnce, StartedAt: l.now})
	if err != nil {
		return err
	}
	for {
		var lease sink.Lease
		var more bool
		err := l.clocked(func() (err error) {
			lease, more, err = l.warehouse.Claim(ctx, sink.ClaimRequest{
				Dataset: "calls", Now: l.now, Edge: l.now, Order: sink.OldestFirst, MaxSpan: batchSpan, Owner: "bench",
				TTL: time.Hour, ConfigHash: "bench",
			})
			return err
		})
		if err != nil || !more {
			return err
		}
		batch := l.batch(lease)
		batch.Run = run
		err = l.clocked(func() error {
			_, err := l.warehouse.Commit(ctx, batch)
			return err
		})
		if err != nil {
			return err
		}
	}
}

// clocked adds what work costs to what was spent.
func (l *loader) clocked(work func() error) error {
	before, began := ownCPU(), time.Now()
	err := work()
	l.spent.wall += time.Since(began)
	l.spent.client += ownCPU() - before
	return err
}

// batch is the rows of the lease's windows, all of them to be read again an hour later.
func (l *loader) batch(lease sink.Lease) sink.Batch {
	b := sink.Batch{Lease: lease, Table: l.table, Range: lease.Span()}
	for _, e := range lease.Entries {
		b.Readings = append(b.Readings, sink.Reading{
			Start: e.Window.Start, State: sink.StateRead, ReadAt: l.now, ReadTo: e.Window.End, NextReadAt: l.now.Add(time.Hour),
		})
		first := int(e.Window.Start.Sub(firstCall()) / step)
		for n := first; n < min(l.rows, first+int(time.Hour/step)); n++ {
			b.Rows = append(b.Rows, sink.Row{Row: schema.Row{Values: callAt(n, l.changed).values()}, WindowStart: e.Window.Start})
		}
	}
	b.RowsRead = int64(len(b.Rows))
	return b
}
