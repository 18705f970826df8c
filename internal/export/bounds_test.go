package export_test

import (
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source/simulator"
	"samespace-exporter/internal/window"
)

// A row whose time is exactly the end of what was asked for, where the API goes by another time, is sent with no other window.
func TestRowsWhoseTimeIsTheVeryEnd(t *testing.T) {
	t.Parallel()
	byWindow(t, func(t *testing.T, k kind, write sink.Write) {
		t.Helper()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(0), since, func(d *export.Dataset) { d.MaxSpan = time.Hour })
		w.keyless(write, func(m *schema.Mapping) { m.TimeField = "ended_at" })
		for h := since; h.Before(start); h = h.Add(time.Hour) {
			for _, lasts := range []time.Duration{3 * time.Minute, 5 * time.Minute, 7 * time.Minute} { // before, on and behind the bound
				w.call(h.Add(55*time.Minute), lasts, nil)
			}
		}
		w.clock.Advance(200 * time.Hour)
		w.pass(upToStart(since))
		w.again()
		w.hourly(since, start)
		w.mustHaveEach(since, start)
	})
}

// Days of a timezone to the east of the dataset's: the midnight of the next one is exactly the end of the window.
func TestDaysOfAnotherTimezone(t *testing.T) {
	t.Parallel()
	for zone, offset := range map[string]int{"east": 10 * 3600, "west": -5 * 3600} {
		t.Run(zone, func(t *testing.T) {
			t.Parallel()
			byWindow(t, func(t *testing.T, k kind, write sink.Write) {
				t.Helper()
				since := start.Truncate(24 * time.Hour).Add(-72 * time.Hour)
				end := since.Add(72 * time.Hour)
				w := newWorld(t, k, calls(200), since, func(d *export.Dataset) {
					d.Grid, d.MaxSpan = gridOf(t, 24*time.Hour, nil), 24*time.Hour
				})
				w.keyless(write, func(m *schema.Mapping) { m.Fields[fieldNamed(m, "started_at")].Type = schema.Date })
				w.startsAs(time.FixedZone(zone, offset), time.DateOnly)
				w.clock.Advance(200 * time.Hour)
				w.pass(export.Pass{Kind: sink.RunOnce, Within: windowOf(since, end)})
				w.mustHaveEach(since, end)
			})
		})
	}
}

func windowOf(from, to time.Time) window.Window { return window.Window{Start: from, End: to} }

// By the API's own time a row on a bound is one window's, whichever end belongs to what is asked for.
func TestBoundsByTheAPIsOwnTime(t *testing.T) {
	t.Parallel()
	for ends, fault := range map[string]simulator.Fault{"exclusive start": simulator.ExclusiveStart(), "inclusive end": simulator.InclusiveEnd()} {
		t.Run(ends, func(t *testing.T) {
			t.Parallel()
			byWindow(t, func(t *testing.T, k kind, write sink.Write) {
				t.Helper()
				since := start.Add(-6 * time.Hour)
				w := newWorld(t, k, calls(0), since, func(d *export.Dataset) { d.MaxSpan = time.Hour })
				w.keyless(write)
				w.every(time.Hour, since.Add(time.Hour), start)
				w.sim.Script(simulator.Always(), fault)
				w.clock.Advance(100 * time.Hour)
				w.pass(upToStart(since))
				w.again()
				w.mustHaveEach(since, start)
			})
		})
	}
}

// A reject whose time is exactly the end of what was asked for is not the next window's to forget.
func TestRejectsWhoseTimeIsTheVeryEnd(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(0), since, func(d *export.Dataset) { d.MaxSpan = time.Hour })
		m := w.mapping()
		m.TimeField = "ended_at"
		w.exporter.Dataset.Mapper = w.compile(m)
		w.every(20*time.Minute, since, start)
		w.call(since.Add(3*time.Hour-5*time.Minute), 5*time.Minute, map[string]any{"duration_s": "x"})
		w.clock.Advance(100 * time.Hour)
		w.pass(upToStart(since))
		rows, rejects := w.count("select count(*) from %s", k.table("calls")), w.count("select count(*) from %s", k.own("rejects"))
		if want := len(w.ids(since, start)); rows+rejects != want {
			t.Errorf("%d rows and %d rejects of %d calls", rows, rejects, want)
		}
	})
}

// Rows of a day that are alike but for what their day does not tell are all there, however many rows a day has.
func TestDaysAreAppendedWhole(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Truncate(24 * time.Hour).Add(-48 * time.Hour)
		end := since.Add(48 * time.Hour)
		w := newWorld(t, k, calls(600), since, func(d *export.Dataset) {
			d.Grid = gridOf(t, 24*time.Hour, nil)
			d.MaxRows, d.Query.PageSize = 200, 50
		})
		w.fewFields(schema.Date)
		w.startsAs(time.UTC, time.DateOnly)
		w.clock.Advance(200 * time.Hour)
		w.pass(upToStart(since))
		want, have := len(w.truth(since, end)), w.count("select count(*) from %s where started_at < '%s'", k.table("calls"), end.Format(time.DateOnly))
		if want != have {
			t.Errorf("the table has %d rows, the API %d", have, want)
		}
	})
}

// fewFields maps only a day and the direction of a call, without a key: many rows are equal.
func (w *world) fewFields(kind schema.Type) {
	w.keyless(sink.Append, func(m *schema.Mapping) {
		at, dir := m.Fields[fieldNamed(m, "started_at")], m.Fields[fieldNamed(m, "direction")]
		at.Type = kind
		m.Fields = []schema.Field{at, dir}
		m.Drop = nil
		m.Unmapped = schema.Ignore
	})
}
