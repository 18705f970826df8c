package export_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source/simulator"
	"samespace-exporter/internal/window"
)

// mustNotLose fails for every row of the truth that is not in the warehouse as it is, though its window was
// read to its end and will not be read again.
func (w *world) mustNotLose(from, to time.Time) {
	w.Helper()
	type final struct{ from, to string }
	var done []final
	for _, r := range w.query("select %s, %s from %s where next_read_at is null and read_to >= end_at",
		w.kind.instant("start_at"), w.kind.instant("end_at"), w.kind.own("windows")) {
		done = append(done, final{r[0], r[1]})
	}
	got, lost := w.table(), 0
	truth := w.truth(from, to)
	for id, c := range truth {
		if got[id] != c && slices.ContainsFunc(done, func(f final) bool { return c.started >= f.from && c.started < f.to }) {
			if lost++; lost <= 2 {
				w.Errorf("call %s is lost: the warehouse has %+v, the truth is %+v", id, got[id], c)
			}
		}
	}
	if len(truth) == 0 || lost > 0 {
		w.Fatalf("%d of %d calls are lost", lost, len(truth))
	}
}

// try makes a pass that may fail.
func (w *world) try(e *export.Exporter) {
	w.Helper()
	if s, err := e.Export(w.Context(), passOnce()); err != nil || s.Err() != nil {
		w.Logf("pass: %v, %v", err, s.Err())
	}
}

// A server may fill its first page and cap the later ones, always or now and then.
func TestPagesThatAreCappedLater(t *testing.T) {
	t.Parallel()
	later := func(r simulator.Request) bool { return r.Skip > 0 }
	for name, c := range map[string]struct {
		trigger simulator.Trigger
		most    int
	}{
		"always":       {simulator.When(later), 14},
		"now and then": {simulator.Every(7).Where(later), 19},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			since := start.AddDate(0, 0, -12)
			w := newWorld(t, kinds()[0], calls(300), since, func(d *export.Dataset) { d.Query.PageSize = 20 })
			w.sim.Script(c.trigger, simulator.PageCap(c.most))
			w.export()
			w.mustNotLose(since, start.AddDate(0, 0, -6))
		})
	}
}

// A late row within the overlap is read without a re-read, also where a window's bound lies in between.
func TestOverlapAcrossABound(t *testing.T) {
	for _, at := range []time.Duration{33 * time.Minute, 0} { // after the bound; at it
		t.Run(at.String(), func(t *testing.T) {
			since := start.Add(-3 * time.Hour)
			w := newWorld(t, kinds()[0], calls(300), since, func(d *export.Dataset) { d.Overlap, d.Reread = 10*time.Minute, nil })
			w.clock.Advance(at + 3*time.Minute)
			w.export()
			key, err := w.sim.Insert(w.report.ID, start.Add(at-time.Minute), nil)
			if err != nil {
				t.Fatal(err)
			}
			w.clock.Advance(2 * time.Minute)
			w.export() // reads back 10 minutes
			w.clock.Advance(72 * time.Hour)
			w.export()
			if _, ok := w.table()[key]; !ok {
				t.Errorf("the row; its window is %v", w.query("select start_at, state, next_read_at from exporter_windows where start_at <= '%s' order by 1 desc limit 1", start.Add(at-time.Minute).Format("2006-01-02T15:04:05")))
			}
		})
	}
}

// What was read while the clock was six days ahead is read again when it is right.
func TestClockSetAhead(t *testing.T) {
	t.Parallel()
	since := start.Add(-3 * time.Hour)
	w := newWorld(t, kinds()[0], calls(100), since, nil)
	w.export()
	real := w.exporter.Clock
	w.exporter.Clock = func() time.Time { return real().AddDate(0, 0, 6) }
	w.export()
	w.exporter.Clock = real
	for range 12 {
		w.clock.Advance(24 * time.Hour)
		w.try(w.exporter)
	}
	w.mustNotLose(since, start.AddDate(0, 0, 5))
}

// A clock that is set back during a pass makes no window due again and again.
func TestClockSetBack(t *testing.T) {
	since := start.Add(-3 * time.Hour)
	w := newWorld(t, kinds()[0], calls(300), since, nil)
	var began atomic.Bool
	real := w.exporter.Clock
	w.exporter.Clock = func() time.Time {
		if began.Load() {
			return real().Add(-10 * time.Minute)
		}
		return real()
	}
	w.exporter.Observe = func(export.Event) { began.Store(true) }
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err := w.exporter.Export(ctx, passOnce())
	if n := w.sim.Stats().Requests; n > 50 || err != nil {
		t.Errorf("the pass of 4 windows sent %d requests in 5 s and ended with %v", n, err)
	}
}

// The table is renamed in a rolling deployment, and the old replica makes one more pass after the new one began:
// the new table gets all rows.
func TestRenamedTableBesideAnOldReplica(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.AddDate(0, 0, -20)
		w := newWorld(t, k, calls(100), since, nil)
		old := w.newExporter(w.exporter.Dataset, w.open())
		if _, err := old.Export(t.Context(), passOnce()); err != nil { // a daemon that has run for long
			t.Fatal(err)
		}
		before := w.count("select count(*) from %s", k.table("calls"))
		// The new one prepares and claims its first span; then the old one's tick comes.
		d := w.exporter.Dataset
		d.Mapper, d.ConfigHash = w.mapperInto("calls_new"), "newer"
		next := w.newExporter(d, w.open())
		once := false
		next.Observe = func(e export.Event) {
			if e.Step == export.StepClaimed && !once {
				once = true
				w.try(old)
			}
		}
		if _, err := next.Export(t.Context(), passOnce()); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(10 * 24 * time.Hour)
		next.Observe = nil
		if _, err := next.Export(t.Context(), passOnce()); err != nil {
			t.Fatal(err)
		}
		now := w.count("select count(*) from %s where started_at < '%s'", k.table("calls_new"), start.Format("2006-01-02"))
		final := w.count("select count(*) from %s where state = 'final'", k.own("windows"))
		if now < before*9/10 {
			t.Errorf("the new table has %d rows of about %d; %d windows are final", now, before, final)
		}
	})
}

// Reread is lengthened in a rolling deployment, while the old replica settles windows by the old list: they are read
// again by the new one.
func TestLongerRereadBesideAnOldReplica(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-3 * time.Hour)
		w := newWorld(t, k, calls(300), since, func(d *export.Dataset) { d.Reread = window.Reread{15 * time.Minute} })
		old := w.exporter
		d := w.exporter.Dataset
		d.Reread, d.ConfigHash = window.Reread{15 * time.Minute, 24 * time.Hour}, "newer"
		next := w.newExporter(d, w.open())
		once := false
		old.Observe = func(e export.Event) {
			if e.Step == export.StepClaimed && !once && e.Span.Start.Before(start.Add(-2*time.Hour)) {
				once = true
				w.try(next) // starts, prepares: nothing is due but what the old one holds
			}
		}
		w.try(old)
		old.Observe = nil
		if _, err := old.Export(t.Context(), passOnce()); !errors.Is(err, sink.ErrSuperseded) {
			t.Errorf("the old replica, which lost its lease to the new one's config, goes on with its own (%v)", err)
		}
		for range 3 {
			w.clock.Advance(20 * time.Minute)
			w.try(next)
		}
		key, err := w.sim.Insert(w.report.ID, start.Add(-150*time.Minute), nil)
		if err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(72 * time.Hour)
		w.try(next)
		again := w.newExporter(d, w.open()) // started again, by the new config
		w.try(again)
		if _, ok := w.table()[key]; !ok {
			t.Errorf("a row that came 2 h after its window's end, with a re-read at 1d configured; windows: %v", w.query("select start_at, state, reads from %s order by 1 limit 4", k.own("windows")))
		}
	})
}

// timingOut is a warehouse that gives a commit up, since what happens meanwhile holds a lock on the table.
type timingOut struct {
	export.Warehouse
	meanwhile func()
}

func (w timingOut) Commit(context.Context, sink.Batch) (sink.Counts, error) {
	w.meanwhile()
	return sink.Counts{}, errors.New("canceling statement due to statement timeout")
}

// A newer config is prepared while an old replica waits to commit, in vain: that one does not take the dataset back.
func TestACommitThatTimesOutDoesNotPrepareAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(100), start.Add(-5*time.Hour), nil)
		old := w.exporter
		d := old.Dataset
		d.ConfigHash = "newer"
		next := w.newExporter(d, w.open())
		w.export()
		w.clock.Advance(time.Hour)
		old.Warehouse = timingOut{w.warehouse, sync.OnceFunc(func() { w.try(next) })}
		w.try(old)
		old.Warehouse = w.warehouse
		w.clock.Advance(time.Hour)
		if _, err := old.Export(t.Context(), passOnce()); !errors.Is(err, sink.ErrSuperseded) {
			t.Errorf("got %v, want that the older config is superseded", err)
		}
		if hash := w.query("select config_hash from %s", k.own("datasets"))[0][0]; hash != "newer" {
			t.Errorf("the dataset was taken back by %q", hash)
		}
	})
}

// A column that somebody dropped, or the table, comes back with the next pass.
func TestAnAlteredTableIsPreparedAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		for _, altered := range []string{"alter table %s drop column direction", "drop table %s"} {
			w := newWorld(t, k, calls(100), start.Add(-5*time.Hour), nil)
			mapping := w.mapping()
			mapping.MarksDeleted = true // so that a span may fail before its commit
			w.exporter.Dataset.Mapper = w.compile(mapping)
			w.export()
			w.exec(fmt.Sprintf(altered, k.table("calls")))
			w.clock.Advance(time.Hour)
			w.try(w.exporter)
			w.clock.Advance(time.Hour)
			w.export()
			w.count("select count(direction) from %s", k.table("calls"))
		}
	})
}

// Two datasets write one table: when it was dropped, the rows of both come again.
func TestTwoDatasetsOfADroppedTable(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.AddDate(0, 0, -20)
		w := newWorld(t, k, calls(100), since, nil)
		d := w.exporter.Dataset
		d.Name, d.Since = "calls_b", since
		w.exporter.Dataset.Since = start.AddDate(0, 0, -5) // the first keeps the last days only, the second all
		second := w.newExporter(d, w.open())
		w.export()
		w.try(second)
		before := w.count("select count(*) from %s", k.table("calls"))
		w.exec("drop table " + k.table("calls"))
		w.clock.Advance(6 * 24 * time.Hour)
		first := w.newExporter(w.exporter.Dataset, w.open()) // both are started again
		again := w.newExporter(d, w.open())
		w.try(first)
		w.try(again)
		after := w.count("select count(*) from %s", k.table("calls"))
		if after < before {
			t.Errorf("%d rows of at least %d; second's windows: %v", after, before, w.query("select state, count(*) from %s where dataset = 'calls_b' group by 1", k.own("windows")))
		}
	})
}

// Rejects of a span stay when only one of its windows is read again.
func TestRejectsAreNotForgotten(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.AddDate(0, 0, -5).Truncate(24 * time.Hour)
		w := newWorld(t, k, calls(100), since, nil)
		w.sim.Script(simulator.Always(), simulator.WrongTypes(w.report.Metric("duration_s").ID))
		w.export()
		rejects := w.count("select count(*) from %s", k.own("rejects"))
		truth := w.truth(since, w.edge())
		w.clock.Advance(time.Second)
		// One window is read again: the first one that the rejects are said to be of.
		firsts := w.query("select distinct %s from %s order by 1", k.instant("window_start"), k.own("rejects"))
		w.Logf("%d rejects are said to be of %d windows", rejects, len(firsts))
		first, err := time.Parse(time.RFC3339, firsts[len(firsts)/2][0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.exporter.Backfill(t.Context(), export.Range{From: first, To: first.Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		after := w.count("select count(*) from %s", k.own("rejects"))
		missing, got := 0, w.table()
		for id := range truth {
			if _, ok := got[id]; !ok {
				missing++
			}
		}
		if missing > after {
			t.Errorf("%d rows are not in the table, but only %d rejects (of %d) say so", missing, after, rejects)
		}
	})
}

// Rejects of a window that is read in parts go once all of it was read without them.
func TestRejectsOfAWindowInPartsAreForgotten(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-4 * time.Hour)
		w := newWorld(t, k, calls(1000), since, func(d *export.Dataset) { d.MaxRows, d.Query.PageSize = 30, 10 })
		w.sim.Script(simulator.Always(), simulator.WrongTypes(w.report.Metric("duration_s").ID))
		w.export()
		before := w.count("select count(*) from %s", k.own("rejects"))
		w.sim.Unscript()
		w.clock.Advance(time.Minute)
		if s, err := w.exporter.Backfill(t.Context(), export.Range{From: since}); err != nil || s.Err() != nil {
			t.Fatal(err, s.Err())
		}
		if left := w.count("select count(*) from %s", k.own("rejects")); before == 0 || left != 0 {
			t.Errorf("%d of %d rejects are left after all was read again without them", left, before)
		}
	})
}

// A backfill from the middle of a window of an older, larger grid reads that window, too.
func TestBackfillFromWithinALargerWindow(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.AddDate(0, 0, -20).Truncate(24 * time.Hour)
		day, _ := window.NewGrid(24*time.Hour, nil)
		w := newWorld(t, k, calls(100), since, func(d *export.Dataset) { d.Grid = day })
		w.export()
		from := since.AddDate(0, 0, 3).Add(6 * time.Hour)
		if _, err := w.sim.Insert(w.report.ID, from.Add(time.Hour), nil); err != nil {
			t.Fatal(err)
		}
		d := w.exporter.Dataset
		d.Grid, _ = window.NewGrid(time.Hour, nil)
		w.exporter = w.newExporter(d, w.open())
		w.clock.Advance(time.Minute)
		var last sink.Remaining
		s, err := w.exporter.Backfill(t.Context(), export.Range{From: from, To: from.AddDate(0, 0, 2), Progress: func(r sink.Remaining) { last = r }})
		w.Logf("backfill: %v, %v, %+v", err, s.Err(), last)
		if err == nil && s.Err() == nil {
			w.mustNotLose(from, from.AddDate(0, 0, 2))
		}
	})
}

// A backfill does not wait for windows that lie ahead, within the larger window of a newer grid.
func TestBackfillIntoALargerWindow(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-4 * time.Hour)
		w := newWorld(t, k, calls(300), since, nil)
		w.clock.Advance(30 * time.Minute)
		w.export() // plans up to 10:00
		d := w.exporter.Dataset
		d.Grid, _ = window.NewGrid(4*time.Hour, nil) // 08:00 to 12:00
		w.exporter = w.newExporter(d, w.open())
		w.clock.Advance(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if s, err := w.exporter.Backfill(ctx, export.Range{From: since}); err != nil || s.Err() != nil || s.Windows != 6 {
			t.Errorf("%v, %v, %d windows of 6", err, s.Err(), s.Windows)
		}
		w.mustEqualTruth(since, w.edge())
	})
}

// An hour that the server cannot answer does not keep the hours around it from being read.
func TestPoisonedHour(t *testing.T) {
	t.Parallel()
	since := start.AddDate(0, 0, -10).Truncate(24 * time.Hour)
	w := newWorld(t, kinds()[0], calls(100), since, nil)
	poison := since.AddDate(0, 0, 4).Add(11 * time.Hour)
	w.sim.Script(simulator.When(func(r simulator.Request) bool {
		return r.From.Before(poison.Add(time.Hour)) && r.To.After(poison)
	}), simulator.Errors("internal error"))
	for range 40 {
		w.try(w.exporter)
		w.clock.Advance(2 * time.Hour)
	}
	// The hour itself and the one whose reading begins a second earlier, within it.
	if unread := w.count("select count(*) from exporter_windows where read_to is null and end_at <= '%s'", start.Format(time.RFC3339)); unread > 2 {
		t.Errorf("%d windows were never read, of which one is poisoned", unread)
	}
	w.mustNotLose(since, start)
}

// A window whose tail is being read when a backfill marks it is read whole after that.
func TestTailDoesNotTakeABackfillsMark(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-2 * time.Hour)
		w := newWorld(t, k, calls(300), since, func(d *export.Dataset) { d.Reread = nil })
		w.clock.Advance(30 * time.Minute)
		w.export() // 09:00 to 09:28 of the open window
		key, err := w.sim.Insert(w.report.ID, start.Add(5*time.Minute), nil)
		if err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(10 * time.Minute)
		backfill := w.newExporter(w.exporter.Dataset, w.open())
		marked, done := make(chan struct{}), make(chan struct{})
		w.exporter.Observe = func(e export.Event) {
			if e.Step != export.StepClaimed {
				return
			}
			w.exporter.Observe = nil
			w.clock.Advance(time.Second)
			go func() {
				defer close(done)
				seen := false
				s, err := backfill.Backfill(t.Context(), export.Range{From: since, Progress: func(r sink.Remaining) {
					if !seen {
						seen = true
						close(marked)
					}
					w.Logf("backfill: %+v", r)
				}})
				w.Logf("backfill ended: %v %v, %d windows", err, s.Err(), s.Windows)
			}()
			<-marked
			w.clock.Advance(time.Second)
		}
		w.export()
		<-done
		w.clock.Advance(72 * time.Hour)
		w.export()
		if _, ok := w.table()[key]; !ok {
			t.Errorf("the row that the backfill was to fetch; windows: %v", w.query("select start_at, state, reads from %s order by 1 limit 4", k.own("windows")))
		}
	})
}

// mapperInto maps every metric into another table.
func (w *world) mapperInto(table string) *schema.Mapper {
	w.Helper()
	mapping := schema.Mapping{Table: table, Key: []string{"call_id"}, TimeField: "started_at"}
	for _, m := range w.report.Metrics {
		if m.CopyOf != "" {
			mapping.Drop = append(mapping.Drop, m.ID)
			continue
		}
		kind, _ := schema.ParseType(m.Type)
		mapping.Fields = append(mapping.Fields, schema.Field{ID: m.ID, Name: m.Name, Type: kind, Title: m.Title})
	}
	mapper, err := schema.Compile(mapping)
	if err != nil {
		w.Fatal(err)
	}
	return mapper
}
