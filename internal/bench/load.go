package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"time"

	"golang.org/x/sync/errgroup"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/sink/postgres"
	"samespace-exporter/internal/window"
)

// The load of typed rows into Postgres by the exporter's warehouse alone: leases, ledger and all, but no API. The rows
// are made before the clock runs. It works in as many lanes as the exporter does where the API is not the slower side:
// one for new rows, two where the table has them.

// batchSpan is the windows of a batch: 19,920 rows.
const batchSpan = 83 * time.Hour

func (w *workshop) loadFresh(ctx context.Context) (sample, error) {
	return w.load(ctx, "fresh", loader{rows: w.rows, lanes: 1})
}

func (w *workshop) loadUnchanged(ctx context.Context) (sample, error) {
	return w.load(ctx, "unchanged", loader{rows: w.rows, lanes: 2, pass: 1})
}

func (w *workshop) loadChanged(ctx context.Context) (sample, error) {
	return w.load(ctx, "changed", loader{rows: w.rows, lanes: 2, pass: 2, changed: true})
}

// load writes all rows.
func (w *workshop) load(ctx context.Context, name string, l loader) (sample, error) {
	l.now = end(w.rows).Add(time.Duration(l.pass) * time.Hour)
	l.table = schema.Table{Name: "calls", Key: []string{"call_id"}, TimeField: "started_at"}
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
	// The collector rests meanwhile: it would walk a million rows, of which an exporter holds a few thousand.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	s, err := w.timed(ctx, func() (sample, error) {
		before := ownCPU()
		err := l.run(ctx)
		return sample{client: ownCPU() - before}, err
	})
	if err != nil {
		return sample{}, err
	}
	return s, w.check(ctx, "samespace.calls", l.changed)
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

// loader has all rows read for the pass-th time.
type loader struct {
	rows    int
	lanes   int
	pass    int
	changed bool

	warehouse *postgres.Warehouse
	table     schema.Table
	now       time.Time
	made      []sink.Row
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
	if _, err := l.warehouse.Plan(ctx, "calls", all, all.End, grid.Cut); err != nil {
		return err
	}
	for _, hour := range grid.Cut(all) {
		for n := l.place(hour.Start); n < l.place(hour.End); n++ {
			l.made = append(l.made, sink.Row{Row: schema.Row{Values: callAt(n, l.changed).values()}, WindowStart: hour.Start})
		}
	}
	return nil
}

func (l *loader) run(ctx context.Context) error {
	run, err := l.warehouse.BeginRun(ctx, sink.Run{Dataset: "calls", Kind: sink.RunOnce, StartedAt: l.now})
	if err != nil {
		return err
	}
	working, ctx := errgroup.WithContext(ctx)
	for range l.lanes {
		batches := make(chan sink.Batch)
		working.Go(func() error {
			defer close(batches)
			return l.read(ctx, batches)
		})
		working.Go(func() error { return l.commit(ctx, run, batches) })
	}
	return working.Wait()
}

// read claims one lease after the other, as an exporter does while it commits the one before.
func (l *loader) read(ctx context.Context, batches chan<- sink.Batch) error {
	for {
		lease, more, err := l.warehouse.Claim(ctx, sink.ClaimRequest{
			Dataset: "calls", Now: l.now, Edge: l.now, Order: sink.OldestFirst, MaxSpan: batchSpan, Owner: "bench",
			TTL: time.Hour, ConfigHash: "bench",
		})
		if err != nil || !more {
			return err
		}
		select {
		case batches <- l.batch(lease):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (l *loader) commit(ctx context.Context, run sink.RunID, batches <-chan sink.Batch) error {
	var lane sink.Lane
	for batch := range batches {
		batch.Run, batch.Lane = run, &lane
		if _, err := l.warehouse.Commit(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

// batch is the rows of the lease's windows, which follow each other, all of them to be read again an hour later.
func (l *loader) batch(lease sink.Lease) sink.Batch {
	span := lease.Span()
	b := sink.Batch{Lease: lease, Table: l.table, Range: span, Rows: l.made[l.place(span.Start):l.place(span.End)]}
	for _, e := range lease.Entries {
		b.Readings = append(b.Readings, sink.Reading{
			Start: e.Window.Start, State: sink.StateRead, ReadAt: l.now, ReadTo: e.Window.End, NextReadAt: l.now.Add(time.Hour),
		})
	}
	b.RowsRead = int64(len(b.Rows))
	return b
}

// place is that of the first row at or after a time.
func (l *loader) place(at time.Time) int { return min(l.rows, int(at.Sub(firstCall())/step)) }
