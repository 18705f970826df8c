package export_test

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source/simulator"
	"samespace-exporter/internal/window"
)

// markingWorld is a world that marks deleted rows. It has read all windows from since to start, and no row changes or
// arrives in them any more.
func markingWorld(t *testing.T, k kind, perDay int, since time.Time, change func(*export.Dataset)) *world {
	t.Helper()
	w := newWorld(t, k, calls(perDay), since, change)
	mapping := w.mapping()
	mapping.MarksDeleted = true
	w.exporter.Dataset.Mapper = w.compile(mapping)
	w.exporter.Dataset.DeletedMaxShare = 0.5
	w.clock.Advance(100 * time.Hour)
	w.pass(upToStart(since))
	return w
}

// upToStart is a pass over what is due from since to start: the days after it cost time, and tell no more.
func upToStart(since time.Time) export.Pass {
	return export.Pass{Kind: sink.RunOnce, Within: window.Window{Start: since, End: start}}
}

// again reads everything up to start again.
func (w *world) again() export.Summary {
	w.Helper()
	w.clock.Advance(time.Second)
	s, err := w.exporter.Backfill(w.Context(), export.Range{From: w.exporter.Dataset.Since, To: start, Restart: true})
	if err != nil {
		w.Fatal(err)
	}
	return s
}

// marked are the ids of the rows that are marked as deleted.
func (w *world) marked() []string {
	w.Helper()
	var ids []string
	for _, r := range w.query("select call_id from %s where _deleted_at is not null order by call_id", w.kind.table("calls")) {
		ids = append(ids, r[0])
	}
	return ids
}

func (w *world) mustHaveMarked(want ...string) {
	w.Helper()
	slices.Sort(want)
	if got := w.marked(); !slices.Equal(got, want) {
		w.Fatalf("marked as deleted: %v, want %v", got, want)
	}
}

func (w *world) remove(ids ...string) {
	w.Helper()
	for _, id := range ids {
		if err := w.sim.Remove(w.report.ID, id); err != nil {
			w.Fatal(err)
		}
	}
}

// ids are the ids of the calls in a stretch of time, in order of time.
func (w *world) ids(from, to time.Time) []string {
	w.Helper()
	truth := w.truth(from, to)
	return slices.SortedFunc(maps.Keys(truth), func(a, b string) int {
		return strings.Compare(truth[a].started+a, truth[b].started+b)
	})
}

func TestRowsThatAreGoneAreMarked(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-12 * time.Hour)
		w := markingWorld(t, k, 300, since, func(d *export.Dataset) { d.Query.PageSize, d.MaxRows = 20, 60 })
		ids := w.ids(since, start)
		w.mustHaveMarked()
		gone := []string{ids[0], ids[len(ids)/2], ids[len(ids)/2+1], ids[len(ids)-1]}
		w.remove(gone...)
		s := w.again()
		if s.Err() != nil || s.Counts.Deleted != 4 || s.Counts.Inserted+s.Counts.Updated != 0 {
			t.Fatalf("%+v, %v", s.Counts, s.Err())
		}
		w.mustHaveMarked(gone...)
		if run := w.query("select deleted, outcome from %s order by id desc", k.own("runs"))[0]; run[0] != "4" || run[1] != "done" {
			t.Errorf("the run keeps %v", run)
		}
		if s := w.again(); s.Counts.Deleted+s.Counts.Inserted+s.Counts.Updated != 0 {
			t.Errorf("read once more: %+v", s.Counts)
		}
		at, err := time.Parse(time.RFC3339, w.table()[gone[1]].started)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.sim.Insert(w.report.ID, at, map[string]any{w.report.Key: gone[1]}); err != nil {
			t.Fatal(err)
		}
		w.again()
		w.mustHaveMarked(gone[0], gone[2], gone[3])
	})
}

// Once nothing is marked any more, rows that are gone stay as they are, also those that are marked. One that comes back is
// there, as any other is: until it was read again verify tells of it.
func TestAMarkIsClearedWhereNothingIsMarkedAnyMore(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-12 * time.Hour)
		w := markingWorld(t, k, 300, since, nil)
		ids := w.ids(since, start)
		gone, back, later := ids[0], ids[len(ids)/2], ids[len(ids)-1]
		at, err := time.Parse(time.RFC3339, w.table()[back].started)
		if err != nil {
			t.Fatal(err)
		}
		w.remove(gone, back)
		w.again()
		w.mustHaveMarked(gone, back)
		d := w.exporter.Dataset
		d.Mapper, d.ConfigHash = w.compile(w.mapping()), "keep"
		w.exporter = w.newExporter(d, w.open())
		w.remove(later)
		if s := w.again(); s.Err() != nil || s.Counts.Updated != 0 {
			t.Fatalf("%+v, %v", s.Counts, s.Err())
		}
		w.mustHaveMarked(gone, back)
		if _, err := w.sim.Insert(w.report.ID, at, map[string]any{w.report.Key: back}); err != nil {
			t.Fatal(err)
		}
		differing := func() (missing, extra int) {
			v, err := w.exporter.Verify(t.Context(), export.VerifyRange{From: since, To: start})
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range v.Differing {
				missing, extra = missing+d.Missing, extra+d.Extra
			}
			return missing, extra
		}
		if missing, extra := differing(); missing != 1 || extra != 1 {
			t.Errorf("before it was read again %d rows are missing, %d are extra", missing, extra)
		}
		w.again()
		w.mustHaveMarked(gone)
		if missing, extra := differing(); missing != 0 || extra != 1 {
			t.Errorf("%d rows are missing, %d are extra", missing, extra)
		}
	})
}

// The usual case: a re-read of a single window finds a row gone. The tails of the live edge mark nothing else.
func TestReReadMarksWhatIsGone(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(900), start.Add(-time.Hour), func(d *export.Dataset) { d.DeletedMaxShare = 0.5 })
		mapping := w.mapping()
		mapping.MarksDeleted = true
		w.exporter.Dataset.Mapper = w.compile(mapping)
		var gone []string
		for hour := range 6 {
			w.clock.Advance(time.Hour)
			w.export()
			w.mustMarkNoLiveRow()
			if ids := w.ids(w.edge().Add(-time.Hour), w.edge()); hour%2 == 0 && len(ids) > 2 {
				w.remove(ids[len(ids)/2])
				if _, there := w.table()[ids[len(ids)/2]]; there { // else it went before it was read
					gone = append(gone, ids[len(ids)/2])
				}
			}
		}
		for range 5 { // the last re-read is four days after a window
			w.clock.Advance(20 * time.Hour)
			w.pass(export.Pass{Kind: sink.RunOnce, Within: window.Window{Start: start.Add(-time.Hour), End: start.Add(6 * time.Hour)}})
		}
		w.mustMarkNoLiveRow()
		if len(gone) < 3 {
			t.Fatalf("only %d rows went", len(gone))
		}
		w.mustHaveMarked(gone...)
	})
}

// A row whose time has changed is not gone, wherever it is now.
func TestRowsThatMovedInTimeAreNotMarked(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-24 * time.Hour)
		w := markingWorld(t, k, 300, since, nil)
		first := start.Add(-5 * time.Hour)
		ids := w.ids(first, first.Add(time.Hour))
		if len(ids) < 3 {
			t.Fatalf("only %d calls in that hour", len(ids))
		}
		move := func(id string, to time.Time) {
			t.Helper()
			if err := w.sim.Change(w.report.ID, id, map[string]any{w.report.TimeField: to.Format("2006-01-02T15:04:05.000Z")}); err != nil {
				t.Fatal(err)
			}
		}
		move(ids[0], first.Add(90*time.Minute)) // the next window
		move(ids[1], first.Add(-time.Minute))   // the one before
		hour := func(from, to int) {
			t.Helper()
			w.clock.Advance(time.Second)
			r := export.Range{From: first.Add(time.Duration(from) * time.Hour), To: first.Add(time.Duration(to) * time.Hour)}
			if s, err := w.exporter.Backfill(t.Context(), r); err != nil || s.Err() != nil {
				t.Fatal(err, s.Err())
			}
		}
		hour(0, 1)
		w.mustHaveMarked()
		move(ids[2], first.Add(-18*time.Hour)) // far from what is read
		hour(0, 1)
		w.mustHaveMarked(ids[2])
		hour(-18, -17)
		w.mustHaveMarked() // whoever reads the row where it is now takes the mark away
		w.again()
		w.mustHaveMarked()
		w.mustEqualTruth(since, start)
	})
}

// A row that is rejected now is not gone. Where its key cannot be read it may be any.
func TestRejectedRowsAreNotGone(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-12 * time.Hour)
		w := markingWorld(t, k, 300, since, nil)
		ids := w.ids(since, start)
		healthy := slices.DeleteFunc(slices.Clone(ids), simulator.Altered)
		if len(healthy) == len(ids) {
			t.Fatal("no row is altered")
		}
		w.sim.Script(simulator.Always(), simulator.WrongTypes(w.report.Metric("duration_s").ID))
		w.remove(healthy[10])
		w.again()
		if w.count("select count(*) from %s", k.own("rejects")) == 0 {
			t.Fatal("no row was rejected")
		}
		w.mustHaveMarked(healthy[10])
		w.sim.Unscript()
		w.sim.Script(simulator.Always(), simulator.MissingKeys(w.report.Key))
		w.remove(healthy[20])
		w.again()
		w.mustHaveMarked(healthy[10])
		w.sim.Unscript()
		w.again()
		w.mustHaveMarked(healthy[10], healthy[20])
	})
}

// Too much that is gone is not believed: a person has to look.
func TestTooManyGoneAreRefused(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-5 * time.Hour)
		w := markingWorld(t, k, 600, since, func(d *export.Dataset) { d.Query.PageSize = 50 })
		hour := start.Add(-4 * time.Hour)
		ids := w.ids(hour, hour.Add(time.Hour))
		if len(ids) < 30 {
			t.Fatalf("only %d calls in that hour", len(ids))
		}
		w.remove(ids[:len(ids)-10]...)
		key, err := w.sim.Insert(w.report.ID, hour.Add(time.Minute), nil)
		if err != nil {
			t.Fatal(err)
		}
		s := w.again()
		if s.Err() == nil || !strings.Contains(s.Err().Error(), "deleted_max_share") {
			t.Fatalf("the pass says %v", s.Err())
		}
		w.mustHaveMarked()
		if _, ok := w.table()[key]; !ok {
			t.Error("the rows of the window were not committed")
		}
		status, err := w.warehouse.Status(t.Context(), w.clock.Now())
		if err != nil || status[0].Failed != 1 || !strings.Contains(status[0].Error, "gone from the source") {
			t.Errorf("status: %+v, %v", status, err)
		}
		if got := w.query("select state, attempts from %s where %s = '%s'", k.own("windows"), k.instant("start_at"), hour.Format("2006-01-02T15:04:05.000Z"))[0]; got[0] != string(sink.StateUnstable) || got[1] != "1" {
			t.Errorf("the window is %v", got)
		}
		w.clock.Advance(time.Hour)
		if s, err := w.exporter.Export(t.Context(), upToStart(since)); err != nil || s.Err() == nil {
			t.Errorf("read again: %v, %v", err, s.Err())
		}
		w.exporter.Dataset.DeletedMaxShare = 1
		w.clock.Advance(2 * time.Hour)
		w.pass(upToStart(since))
		w.mustHaveMarked(ids[:len(ids)-10]...)
		if n := w.count("select count(*) from %s where state in ('failed', 'unstable')", k.own("windows")); n != 0 {
			t.Errorf("%d windows still show it", n)
		}
	})
}

// The whole of a quiet window may go; the time around it has to answer.
func TestAQuietWindowThatIsEmptied(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-48 * time.Hour)
		w := markingWorld(t, k, 30, since, nil)
		ids := w.ids(since, start)
		at, err := time.Parse(time.RFC3339, w.table()[ids[len(ids)/2]].started)
		if err != nil {
			t.Fatal(err)
		}
		hour := at.Truncate(time.Hour)
		gone := w.ids(hour, hour.Add(time.Hour))
		w.remove(gone...)
		w.again()
		w.mustHaveMarked(gone...)
	})
}

// All rows of a day are at its midnight. What a part of the day has tells nothing of the others; a whole day does.
func TestADayTellsOnlyAsAWhole(t *testing.T) {
	for _, size := range []time.Duration{30 * time.Minute, 24 * time.Hour} {
		t.Run(size.String(), func(t *testing.T) {
			onEach(t, func(t *testing.T, k kind) {
				t.Parallel()
				report := calls(0)
				const dayID = "5f7c2d9ab4e61f0052c30e04"
				midnight := time.Date(2024, 5, 4, 0, 0, 0, 0, report.Location)
				grid, err := window.NewGrid(size, report.Location)
				if err != nil {
					t.Fatal(err)
				}
				w := newWorld(t, k, report, midnight, func(d *export.Dataset) { d.Grid, d.DeletedMaxShare = grid, 1 })
				mapping := schema.Mapping{Table: "calls", Key: []string{"call_id"}, TimeField: "day", MarksDeleted: true, Location: report.Location}
				mapping.Fields = []schema.Field{
					{ID: report.Key, Name: "call_id", Type: schema.Text}, {ID: dayID, Name: "day", Type: schema.Date},
				}
				w.exporter.Dataset.Mapper = w.compile(mapping)
				var ids []string
				for _, at := range []time.Duration{5 * time.Minute, 10 * time.Minute, 10 * time.Hour, 11 * time.Hour, 26 * time.Hour} {
					day := midnight.Add(at).Format(time.DateOnly)
					id, err := w.sim.Insert(report.ID, midnight.Add(at), map[string]any{dayID: day})
					if err != nil {
						t.Fatal(err)
					}
					ids = append(ids, id)
				}
				w.clock.Advance(100 * time.Hour)
				w.pass(upToStart(midnight))
				w.remove(ids[1])
				w.clock.Advance(time.Second)
				first := export.Range{From: midnight, To: midnight.Add(size)}
				if s, err := w.exporter.Backfill(t.Context(), first); err != nil || s.Err() != nil {
					t.Fatal(err, s.Err())
				}
				if size < 24*time.Hour {
					w.mustHaveMarked()
				} else {
					w.mustHaveMarked(ids[1])
				}
			})
		})
	}
}

// A time field that the API's windows are not about tells nothing of what is gone.
func TestATimeFieldOfAnotherKindMarksNothing(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(300), since, nil)
		mapping := w.mapping()
		mapping.MarksDeleted, mapping.TimeField = true, "ended_at"
		if !slices.ContainsFunc(mapping.Fields, func(f schema.Field) bool { return f.Name == "ended_at" }) {
			t.Fatal("the report has no ended_at")
		}
		w.exporter.Dataset.Mapper = w.compile(mapping)
		w.exporter.Dataset.DeletedMaxShare = 1
		w.clock.Advance(100 * time.Hour)
		w.pass(upToStart(since))
		for hour := range 6 {
			w.clock.Advance(time.Second)
			r := export.Range{From: since.Add(time.Duration(hour) * time.Hour), To: since.Add(time.Duration(hour+1) * time.Hour)}
			if _, err := w.exporter.Backfill(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		w.mustMarkNoLiveRow()
	})
}
