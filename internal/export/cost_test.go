package export_test

import (
	"context"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source/simulator"
)

func passOnce() export.Pass { return export.Pass{Kind: sink.RunOnce} }

// A year of quiet history costs few requests, and none of them is deep.
func TestRequestsOfAQuietYear(t *testing.T) {
	t.Parallel()
	since := start.AddDate(0, 0, -365/scale)
	w := newWorld(t, kinds()[0], calls(27), since, func(d *export.Dataset) { d.Query.PageSize, d.MaxRows = 1000, 20000 })
	w.export()
	rows, asked := len(w.table()), w.sim.Stats().Requests
	w.mustEqualTruth(since, w.edge())
	t.Logf("%d rows in %d requests", rows, asked)
	if rows < 8000/scale || asked >= 100 {
		t.Errorf("%d rows cost %d requests; a year of 10,000 rows must cost under 100", rows, asked)
	}
}

// forgetful is a warehouse that keeps the ledger and forgets the rows.
type forgetful struct{ export.Warehouse }

func (f forgetful) Commit(ctx context.Context, b sink.Batch) (sink.Counts, error) {
	b.Rows = nil
	return f.Warehouse.Commit(ctx, b)
}

// Dense history costs a twentieth more requests than its rows need at the least, and its offsets stay small.
func TestRequestsOfADenseMonth(t *testing.T) {
	t.Parallel()
	const month, page, most = 30, 1000 / scale, 20_000 / scale
	since := start.AddDate(0, 0, -month)
	w := newWorld(t, kinds()[0], calls(1_040_000/scale/month), since, func(d *export.Dataset) { d.Query.PageSize, d.MaxRows = page, most })
	w.exporter.Warehouse = forgetful{w.warehouse}
	s := w.export()
	stats := w.sim.Stats()
	least := float64(s.RowsRead) / page
	t.Logf("%d rows in %d requests: %.3f times the least; deepest skip %d; %d spans", s.RowsRead, stats.Requests, float64(stats.Requests)/least, stats.MaxSkip, s.Spans)
	if s.RowsRead < 1_000_000/scale {
		t.Errorf("only %d rows", s.RowsRead)
	}
	if float64(stats.Requests) > 1.05*least {
		t.Errorf("%d rows cost %d requests, more than 1.05 times the least", s.RowsRead, stats.Requests)
	}
	if stats.MaxSkip > most+page {
		t.Errorf("skip reached %d, more than max_rows and a page", stats.MaxSkip)
	}
}

// Thousands of rows within one second are read on past max_rows, since time cannot be cut further.
func TestDenseSecond(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		report := calls(50)
		at := start.Add(-20 * time.Hour).Add(17 * time.Second)
		report.Bursts = []simulator.Burst{{At: at, Rows: 1500}}
		since := start.AddDate(0, 0, -1)
		w := newWorld(t, k, report, since, func(d *export.Dataset) { d.MaxRows = 300 })
		w.clock.Advance(100 * time.Hour)
		w.export()
		w.mustEqualTruth(since, w.edge())
		w.mustWriteNothing()
	})
}

// A tick with nothing new costs one request, and the live edge costs what is new.
func TestLiveEdge(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		since := start.Add(-3 * time.Hour)
		w := newWorld(t, k, calls(2000), since, nil)
		w.clock.Advance(20 * time.Minute) // no re-read falls due between 09:20 and 09:25
		w.export()
		before := w.sim.Stats()
		w.clock.Advance(5 * time.Minute)
		s := w.export()
		after := w.sim.Stats()
		if s.Windows != 1 || after.Requests-before.Requests > 2 {
			t.Errorf("five minutes later: %d windows in %d requests, want one in at most two", s.Windows, after.Requests-before.Requests)
		}
		last := w.sim.Requests()[len(w.sim.Requests())-1]
		if span := last.To.Sub(last.From); span > 7*time.Minute {
			t.Errorf("the live edge was read %s far back", span)
		}
		if s := w.export(); s.Spans != 0 || w.sim.Stats().Requests != after.Requests {
			t.Errorf("at the same instant the pass read %d spans", s.Spans)
		}
	})
}

// A tick behind the end of a window, and before all of it may be read, has the next one read no more than the tail.
func TestTailAfterATickBehindTheEnd(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(4000), start, nil)
		at := func(minute int) export.Summary {
			w.clock.Advance(start.Add(time.Duration(minute)*time.Minute + 50*time.Millisecond).Sub(w.clock.Now()))
			return w.export()
		}
		at(55)
		at(60)
		before := w.count("select rows from %s where read_to is not null order by start_at limit 1", k.own("windows"))
		if s := at(65); s.RowsRead > before/2 {
			t.Errorf("the tail of a window of %d rows took a reading of %d", before, s.RowsRead)
		}
	})
}
