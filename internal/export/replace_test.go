package export_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/source/simulator"
	"samespace-exporter/internal/window"
)

// totals is a report that counts calls by direction over all that is asked for: what it says of a part of a window is
// of no use.
type totals struct {
	*world
	mu    sync.Mutex
	asked []window.Window
	err   error
}

func (s *totals) Rows(_ context.Context, q source.Query, to source.Taker) (source.Reading, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, q.Range)
	if s.err != nil {
		return source.Reading{}, s.err
	}
	counts := map[string]int{}
	for _, c := range s.truth(q.Range.Start, q.Range.End) {
		counts[c.direction]++
	}
	var rows []string
	for direction, n := range counts {
		row, err := json.Marshal(map[string]any{"direction": direction, "calls": n})
		if err != nil {
			return source.Reading{}, err
		}
		rows = append(rows, string(row))
	}
	return source.Reading{Rows: len(rows), Requests: 1, End: q.Range.End}, to.Take(rows, false)
}

func (w *world) totals(write sink.Write) *totals {
	w.Helper()
	s := &totals{world: w}
	w.exporter.Source = s
	w.exporter.Dataset.Write = write
	w.exporter.Dataset.Mapper = w.compile(schema.Mapping{Table: "calls", ByWindow: true, Fields: []schema.Field{
		{ID: "direction", Name: "direction", Type: schema.Text}, {ID: "calls", Name: "calls", Type: schema.Integer},
	}})
	return s
}

// sums are the totals that the warehouse has, by window.
func (w *world) sums() map[string]string {
	w.Helper()
	sums := map[string]string{}
	for _, r := range w.query("select %s, direction, calls from %s order by 1, 2, 3", w.kind.instant("_window_start"), w.kind.table("calls")) {
		sums[r[0]] += r[1] + "=" + r[2] + " "
	}
	return sums
}

// mustHaveSums compares the totals of complete hours with the truth.
func (w *world) mustHaveSums(from, to time.Time) {
	w.Helper()
	sums := w.sums()
	calls := 0
	for hour := from; hour.Before(to); hour = hour.Add(time.Hour) {
		counts := map[string]int{}
		for _, c := range w.truth(hour, hour.Add(time.Hour)) {
			counts[c.direction]++
			calls++
		}
		want := ""
		for _, direction := range []string{"in", "internal", "out"} {
			if counts[direction] > 0 {
				want += fmt.Sprintf("%s=%d ", direction, counts[direction])
			}
		}
		if got := sums[hour.Format("2006-01-02T15:04:05.000Z")]; got != want {
			w.Fatalf("%s: the warehouse has %q, the truth is %q", hour, got, want)
		}
	}
	if calls == 0 {
		w.Fatal("there is nothing to compare")
	}
}

func TestReplacedWindowsAreThoseOfTheAPI(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-4 * time.Hour)
		w := newWorld(t, k, calls(300), since, nil)
		s := w.totals(sink.ReplaceWindows)
		for range 30 { // late rows come in; the live edge moves within its window
			w.clock.Advance(20 * time.Minute)
			w.export()
			if ids := w.ids(since, w.edge()); len(ids) > 0 {
				w.remove(ids[len(ids)/2])
			}
		}
		for _, asked := range s.asked {
			if whole := w.exporter.Dataset.Grid.At(asked.Start); !asked.Start.Equal(whole.Start) || asked.End.After(whole.End) {
				t.Fatalf("asked for %s, which is not a window from its start", asked)
			}
		}
		w.clock.Advance(100 * time.Hour)
		w.pass(export.Pass{Kind: sink.RunOnce, Within: window.Window{Start: since, End: start.Add(10 * time.Hour)}})
		w.mustHaveSums(since, start.Add(10*time.Hour))
		w.clock.Advance(time.Second)
		again, err := w.exporter.Backfill(t.Context(), export.Range{From: since, To: start.Add(10 * time.Hour)})
		if err != nil || again.Err() != nil || again.Counts.Inserted+again.Counts.Removed != 0 || again.Counts.Unchanged == 0 {
			t.Fatalf("read again: %+v, %v, %v", again.Counts, err, again.Err())
		}
	})
}

// An error replaces nothing. Neither does a reading that never held still.
func TestOnlyAGoodReadingReplaces(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		since := start.Add(-4 * time.Hour)
		w := newWorld(t, k, calls(300), since, nil)
		w.clock.Advance(100 * time.Hour)
		s := w.totals(sink.ReplaceWindows)
		w.pass(upToStart(since))
		before := fmt.Sprint(w.sums())
		for _, err := range []error{&source.Error{Class: source.Unreachable}, &source.Error{Class: source.TooHeavy}, &source.TornError{Skip: 5, Page: 5}} {
			s.err = err
			w.clock.Advance(time.Second)
			if summary, err := w.exporter.Backfill(t.Context(), export.Range{From: since, To: start, Restart: true}); err == nil && summary.Err() == nil {
				t.Error("the backfill succeeded")
			}
			if after := fmt.Sprint(w.sums()); after != before {
				t.Fatalf("the warehouse has %s, before it had %s", after, before)
			}
			w.clock.Advance(2 * time.Hour)
		}
		if n := w.count("select count(*) from %s where state = 'failed'", k.own("windows")); n == 0 {
			t.Error("no window shows it")
		}
		s.err = nil
		w.pass(upToStart(since))
		w.mustHaveSums(since, start)
		if n := w.count("select count(*) from %s where state = 'failed'", k.own("windows")); n != 0 {
			t.Errorf("%d windows still show it", n)
		}
	})
}

func (w *world) keyless(write sink.Write, changes ...func(*schema.Mapping)) {
	w.Helper()
	mapping := w.mapping()
	mapping.Key, mapping.ByWindow = nil, true
	for _, change := range changes {
		change(&mapping)
	}
	w.exporter.Dataset.Write = write
	w.exporter.Dataset.Mapper = w.compile(mapping)
}

// reconfigure has a new process go on by the dataset as it was changed.
func (w *world) reconfigure(hash string) {
	w.Helper()
	w.exporter.Dataset.ConfigHash = hash
	w.exporter = w.newExporter(w.exporter.Dataset, w.open())
}

// byWindow runs a test for each way to write rows without a key by windows.
func byWindow(t *testing.T, run func(t *testing.T, k kind, write sink.Write)) {
	t.Helper()
	for name, write := range map[string]sink.Write{"append": sink.Append, "replace": sink.ReplaceWindows} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, k kind) {
				t.Parallel()
				run(t, k, write)
			})
		})
	}
}

// call inserts a call that lasts so long, with other values where some are named.
func (w *world) call(at time.Time, lasts time.Duration, values map[string]any) (id string) {
	w.Helper()
	named := map[string]any{w.report.Metric("ended_at").ID: at.Add(lasts).Format(time.RFC3339)}
	for name, value := range values {
		named[w.report.Metric(name).ID] = value
	}
	id, err := w.sim.Insert(w.report.ID, at, named)
	if err != nil {
		w.Fatal(err)
	}
	return id
}

// However often windows are read, in parts and with overlaps, each row is appended once.
func TestAppendedRowsAreThereOnce(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-3 * time.Hour)
		w := newWorld(t, k, calls(400), since, func(d *export.Dataset) {
			d.Query.PageSize, d.MaxRows, d.Overlap = 20, 50, 10*time.Minute
		})
		w.keyless(sink.Append)
		ids := map[string]bool{}
		for range 12 {
			w.export()
			for id := range w.truth(since, w.edge()) {
				ids[id] = true
			}
			w.clock.Advance(25 * time.Minute)
		}
		w.clock.Advance(100 * time.Hour)
		w.pass(export.Pass{Kind: sink.RunOnce, Within: window.Window{Start: since, End: start.Add(6 * time.Hour)}})
		if versions, distinct := w.count("select count(*) from %s", k.table("calls")), w.count(`select count(*) from (select distinct call_id, duration_s, wrap_up_s, disposition, agent, talk_s, hold_s, wait_s, charge, recorded, ended_at, queue, team from %s) as t`, k.table("calls")); versions != distinct {
			t.Errorf("%d rows of %d versions", versions, distinct)
		}
		for id := range w.truth(since, start.Add(4*time.Hour)) {
			if !ids[id] {
				continue
			}
			if w.count("select count(*) from %s where call_id = '%s'", k.table("calls"), id) == 0 {
				t.Fatalf("call %s is missing", id)
			}
		}
		w.clock.Advance(time.Second)
		if s, err := w.exporter.Backfill(t.Context(), export.Range{From: since, To: start}); err != nil || s.Err() != nil || s.Counts.Inserted != 0 {
			t.Errorf("read again: %+v, %v, %v", s.Counts, err, s.Err())
		}
	})
}

// snapshots makes the dataset a rolling one of the past day.
func (w *world) snapshots(write sink.Write) {
	w.Helper()
	if write != sink.Upsert {
		w.keyless(write)
	}
	d := &w.exporter.Dataset
	d.Snapshot, d.Query.TimeRange, d.Since, d.Query.PageSize = true, "PAST_24_HOURS", time.Time{}, 50
}

func (w *world) tick(at time.Time) export.Summary {
	w.Helper()
	return w.pass(export.Pass{Kind: sink.RunScheduled, Tick: at})
}

func TestSnapshotReplacesTheTable(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(300), start, nil)
		w.snapshots(sink.ReplaceTable)
		tick := start
		for range 6 {
			w.clock.Advance(30 * time.Second) // the tick is behind the clock
			if s := w.tick(tick); s.Windows != 1 {
				t.Fatalf("%d windows", s.Windows)
			}
			// The simulator's range ends with the running minute.
			w.mustEqualTruth(w.clock.Now().Truncate(time.Minute).Add(time.Minute-24*time.Hour), w.clock.Now().Truncate(time.Minute).Add(time.Minute))
			if s := w.tick(tick); s.Windows != 0 || s.Requests != 0 {
				t.Fatalf("the same tick again: %+v", s)
			}
			if got := w.query("select %s, state from %s", k.instant("read_to"), k.own("windows")); len(got) != 1 || got[0][0] != tick.Format("2006-01-02T15:04:05.000Z") || got[0][1] != "read" {
				t.Fatalf("the ledger has %v", got)
			}
			tick = tick.Add(5 * time.Hour)
			w.clock.Advance(tick.Sub(w.clock.Now()))
		}
		status, err := w.warehouse.Status(t.Context(), w.clock.Now())
		if err != nil || !status[0].Through.Equal(tick.Add(-5*time.Hour)) || status[0].LastRun.Outcome != "done" {
			t.Errorf("status %+v, %v", status, err)
		}
		if _, err := w.exporter.Backfill(t.Context(), export.Range{From: start}); !errors.As(err, new(*export.SnapshotError)) {
			t.Errorf("a backfill: %v", err)
		}
	})
}

// Of a snapshot that failed people are told that it was not read: the window that the ledger has of it is no matter of theirs.
func TestASnapshotThatFailedIsToldWithoutAWindow(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(50), start, nil)
		w.snapshots(sink.ReplaceTable)
		w.sim.Script(simulator.Always(), simulator.Errors("broken"))
		s, err := w.exporter.Export(t.Context(), passOnce())
		if err != nil || len(s.Failed) != 1 {
			t.Fatalf("%d spans failed: %v", len(s.Failed), err)
		}
		if text := s.Err().Error(); !strings.HasPrefix(text, "it was not read: ") || strings.Contains(text, "9000") {
			t.Errorf("told: %s", text)
		}
		if text := s.Failed[0].Error(); !strings.HasPrefix(text, "all of it: ") {
			t.Errorf("the span's text: %s", text)
		}
	})
}

// Two replicas of one schedule read a snapshot once for each tick.
func TestReplicasTakeOneSnapshot(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		w := newWorld(t, k, calls(300), start, nil)
		w.snapshots(sink.Append)
		other := w.newExporter(w.exporter.Dataset, w.open())
		for n := range 4 {
			tick := start.Add(time.Duration(n) * time.Hour)
			w.clock.Advance(tick.Sub(w.clock.Now()) + time.Second)
			var both sync.WaitGroup
			windows := make([]int, 2)
			for i, e := range []*export.Exporter{w.exporter, other} {
				both.Go(func() {
					s, err := e.Export(t.Context(), export.Pass{Kind: sink.RunScheduled, Tick: tick})
					if err != nil || s.Err() != nil {
						t.Error(err, s.Err())
					}
					windows[i] = s.Windows
				})
			}
			both.Wait()
			if windows[0]+windows[1] != 1 {
				t.Fatalf("snapshots: %v", windows)
			}
		}
		got := w.query("select %s, count(*), count(distinct call_id) from %s group by 1 order by 1", k.instant("_window_start"), k.table("calls"))
		if len(got) != 4 || got[3][0] != start.Add(3*time.Hour).Format("2006-01-02T15:04:05.000Z") {
			t.Fatalf("snapshots: %v", got)
		}
		for _, r := range got {
			if r[1] != r[2] || r[1] == "0" {
				t.Errorf("snapshot %s has %s rows of %s calls", r[0], r[1], r[2])
			}
		}
	})
}

func TestSnapshotIsUpserted(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		w := newWorld(t, k, calls(300), start, nil)
		w.snapshots(sink.Upsert)
		w.export()
		first := len(w.table())
		w.clock.Advance(6 * time.Hour)
		w.export()
		if n := len(w.table()); n <= first {
			t.Errorf("%d rows, then %d", first, n)
		}
		w.mustEqualTruth(w.clock.Now().Truncate(time.Minute).Add(time.Minute-18*time.Hour), w.clock.Now().Truncate(time.Minute).Add(time.Minute))
	})
}

// A snapshot that cannot be read leaves the table as it is, shows, and is taken later.
func TestSnapshotThatFails(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(300), start, nil)
		w.snapshots(sink.ReplaceTable)
		w.export()
		before := w.table()
		for _, fault := range []simulator.Fault{
			simulator.Unordered(), simulator.Errors("broken"), simulator.NullData(), simulator.CutBody(900), simulator.IgnoreSkip(),
		} {
			w.sim.Script(simulator.Always(), fault)
			w.clock.Advance(2 * time.Hour)
			if s, err := w.exporter.Export(t.Context(), passOnce()); err == nil && s.Err() == nil {
				t.Fatal("the pass succeeded")
			}
			w.sim.Unscript()
			if after := w.table(); len(after) != len(before) {
				t.Fatalf("%d rows, before %d", len(after), len(before))
			}
			status, err := w.warehouse.Status(t.Context(), w.clock.Now())
			if err != nil || status[0].Failed != 1 || status[0].LastRun.Outcome != "failed" {
				t.Fatalf("status %+v, %v", status, err)
			}
		}
		w.sim.Script(simulator.Always(), simulator.WrongTypes(w.report.Metric("duration_s").ID))
		w.clock.Advance(2 * time.Hour)
		w.export()
		if w.count("select count(*) from %s", k.own("rejects")) == 0 {
			t.Error("no row was rejected")
		}
		w.sim.Unscript()
		w.clock.Advance(2 * time.Hour)
		w.export()
		if n := w.count("select count(*) from %s", k.own("rejects")); n != 0 {
			t.Errorf("%d rejects are kept", n)
		}
		w.mustEqualTruth(w.clock.Now().Truncate(time.Minute).Add(time.Minute-24*time.Hour), w.clock.Now().Truncate(time.Minute).Add(time.Minute))
	})
}

// A dataset keeps its form: what the ledger says of windows is nothing for a snapshot.
func TestAnotherFormIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		w := newWorld(t, k, calls(300), start.Add(-3*time.Hour), nil)
		w.keyless(sink.Append)
		w.export()
		windows := w.exporter.Dataset
		w.clock.Advance(time.Hour)
		w.snapshots(sink.Append)
		if _, err := w.exporter.Export(t.Context(), passOnce()); !errors.As(err, new(*export.KeptOtherwiseError)) {
			t.Errorf("windows, then a snapshot: %v", err)
		}
		other := newWorld(t, k, calls(300), start.Add(-3*time.Hour), nil)
		other.snapshots(sink.Append)
		other.export()
		other.clock.Advance(time.Hour)
		other.exporter.Dataset = windows
		if _, err := other.exporter.Export(t.Context(), passOnce()); !errors.As(err, new(*export.KeptOtherwiseError)) || !strings.Contains(err.Error(), "another name") {
			t.Errorf("a snapshot, then windows: %v", err)
		}
	})
}
