package sinktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"samespace-exporter/internal/sink"
)

func concurrencyTests() []exercise {
	return []exercise{
		{"every window is read once", testConcurrentClaims},
		{"the same keys from two sides", testConcurrentKeys},
		{"the same appended rows from two sides", testConcurrentAppends},
		{"planned at once", testConcurrentPlans},
		{"prepared at once", testConcurrentPrepares},
		{"the first tables prepared at once", testConcurrentFirstPrepares},
	}
}

// together runs a function in four goroutines on two handles and returns the first error.
func (b bench) together(run func(ctx context.Context, w Warehouse, n int) error) {
	b.t.Helper()
	second := b.Second()
	errs := make([]error, 4)
	var group sync.WaitGroup
	for n := range errs {
		w := b.Warehouse
		if n%2 == 1 {
			w = second
		}
		group.Go(func() { errs[n] = run(b.t.Context(), w, n) })
	}
	group.Wait()
	b.noError(errors.Join(errs...))
}

func testConcurrentClaims(b bench) {
	const windows = 60
	b.planned(0, windows)
	b.together(func(ctx context.Context, w Warehouse, n int) error {
		r := anything(windows)
		r.Owner = fmt.Sprint(n)
		r.Fit = func([]sink.Entry, []sink.Entry) int { return 1 + n }
		for {
			l, ok, err := w.Claim(ctx, r)
			if err != nil || !ok {
				return err
			}
			var rows []sink.Row
			for _, e := range l.Entries {
				at := e.Window.Start
				rows = append(rows, call(at.Format("02T15"), at, r.Owner, 1))
			}
			counts, err := w.Commit(ctx, read(l, clock(windows, 0), clock(900, 0), rows...))
			if err != nil {
				return err
			}
			if counts.Inserted != int64(len(rows)) {
				return fmt.Errorf("%s: %+v of %d rows", starts(l.Entries), counts, len(rows))
			}
		}
	})
	for _, e := range b.ledger() {
		equal(b, "reads of "+e.Window.String(), e.Reads, 1)
	}
	equal(b, "rows", b.cell(`SELECT count(*) FROM `+b.Table(calls)), fmt.Sprint(windows))
	equal(b, "through", b.status().Through, clock(windows, 0))
}

// Overlapping reads of neighbours commit the same rows, in any order: nobody may fail of it, but whoever is overtaken reads
// again.
func testConcurrentKeys(b bench) {
	const keys = 200
	b.planned(0, 4)
	b.together(func(ctx context.Context, w Warehouse, n int) error {
		r := within(hours(n, n+1))
		for round := 0; round < 4; {
			l, ok, err := w.Claim(ctx, r)
			if err != nil || !ok {
				return fmt.Errorf("claim: %t, %w", ok, err)
			}
			var rows []sink.Row
			for key := range keys {
				rows = append(rows, call(fmt.Sprintf("%03d", key), clock(1, 0), fmt.Sprint(n), int64(round)))
			}
			if n%2 == 0 {
				slices.Reverse(rows)
			}
			var overtaken *sink.OvertakenError
			switch _, err := w.Commit(ctx, read(l, clock(5, 0), clock(5, 0), rows...)); {
			case err == nil:
				round++
			case !errors.As(err, &overtaken):
				return err
			default:
				if err := w.Release(ctx, l); err != nil {
					return err
				}
			}
		}
		return nil
	})
	equal(b, "rows", b.cell(`SELECT count(*) FROM `+b.Table(calls)), fmt.Sprint(keys))
	equal(b, "round", b.cell(`SELECT DISTINCT seconds FROM `+b.Table(calls)), "3")
}

// A row whose time is another window's may be sent with several windows, and is appended once.
func testConcurrentAppends(b bench) {
	const rounds, keys = 5, 500
	b.aggregates(4 * rounds)
	b.together(func(ctx context.Context, w Warehouse, n int) error {
		for round := range rounds {
			l, ok, err := w.Claim(ctx, within(hours(4*round+n, 4*round+n+1)))
			if err != nil || !ok {
				return fmt.Errorf("claim: %t, %w", ok, err)
			}
			var rows []sink.Row
			for key := range keys {
				rows = append(rows, call(fmt.Sprintf("%d %03d", round, key), clock(0, 1), "a", 1))
			}
			batch := read(l, clock(4*rounds, 0), clock(0, 0), rows...)
			batch.Table, batch.Write = keylessDataset().Table, sink.Append
			if _, err := w.Commit(ctx, batch); err != nil {
				return err
			}
		}
		return nil
	})
	equal(b, "rows", b.cell(`SELECT count(*) FROM `+b.Table(calls)), fmt.Sprint(rounds*keys))
}

func testConcurrentPlans(b bench) {
	b.prepare(callsDataset())
	b.together(func(ctx context.Context, w Warehouse, n int) error {
		_, err := w.Plan(ctx, calls, hours(0, 50+n), clock(60, 0), hourly)
		return err
	})
	ledger := b.ledger()
	equal(b, "windows", len(ledger), 53)
	for i, e := range ledger {
		equal(b, "window", e.Window, hours(i, i+1))
	}
}

func testConcurrentPrepares(b bench) {
	var created [4]bool
	b.together(func(ctx context.Context, w Warehouse, n int) error {
		p, err := w.Prepare(ctx, callsDataset())
		created[n] = p.Created
		return err
	})
	n := 0
	for _, c := range created {
		if c {
			n++
		}
	}
	equal(b, "tables created", n, 1)
}

func testConcurrentFirstPrepares(b bench) {
	b.together(func(ctx context.Context, w Warehouse, n int) error {
		d := callsDataset()
		d.Name = fmt.Sprint("calls", n)
		d.Table.Name = d.Name
		p, err := w.Prepare(ctx, d)
		if err == nil && !p.Created {
			return fmt.Errorf("%s was there", d.Name)
		}
		return err
	})
}
