package export_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/source/simulator"
	"samespace-exporter/internal/window"
)

// The time field need not be the time that the API goes by, nor tell it as exactly.

// rewriting is an API that shows each row otherwise.
type rewriting struct {
	export.Source
	change func(raw string) string
}

func (s rewriting) Rows(ctx context.Context, q source.Query, to source.Taker) (source.Reading, error) {
	return s.Source.Rows(ctx, q, rewritten{to, s.change})
}

type rewritten struct {
	source.Taker
	change func(raw string) string
}

func (r rewritten) Take(rows []string, again bool) error {
	changed := make([]string, len(rows))
	for i, row := range rows {
		changed[i] = r.change(row)
	}
	return r.Taker.Take(changed, again)
}

// startsAs has the API show when calls start in a layout of a zone.
func (w *world) startsAs(zone *time.Location, layout string) {
	w.shows(w.report.TimeField, func(at time.Time) string { return at.In(zone).Format(layout) })
}

// showsLater has the API show the times of an id by so much later than it goes by.
func (w *world) showsLater(id string, later time.Duration) {
	w.shows(id, func(at time.Time) string { return at.Add(later).Format(time.RFC3339Nano) })
}

// shows has the API show the times of an id in another way.
func (w *world) shows(id string, as func(at time.Time) string) {
	field := regexp.MustCompile(`"` + id + `":"([^"]*)"`)
	w.exporter.Source = rewriting{w.exporter.Source, func(raw string) string {
		return field.ReplaceAllStringFunc(raw, func(found string) string {
			at, err := time.Parse(time.RFC3339Nano, field.FindStringSubmatch(found)[1])
			if err != nil {
				w.Error(err)
			}
			return fmt.Sprintf("%q:%q", id, as(at))
		})
	}}
}

// mustHaveEach fails unless each call is there exactly once.
func (w *world) mustHaveEach(since, end time.Time) {
	w.Helper()
	want := len(w.ids(since, end))
	have := w.query("select count(*), count(distinct call_id) from %s", w.kind.table("calls"))[0]
	if want == 0 || have[0] != fmt.Sprint(want) || have[1] != have[0] {
		w.Errorf("%s rows of %s calls, want %d", have[0], have[1], want)
	}
}

// hourly reads a range again, hour by hour.
func (w *world) hourly(since, end time.Time) {
	w.Helper()
	for from := since; from.Before(end); from = from.Add(time.Hour) {
		w.clock.Advance(time.Second)
		s, err := w.exporter.Backfill(w.Context(), export.Range{From: from, To: from.Add(time.Hour)})
		if err != nil || s.Err() != nil {
			w.Fatal(err, s.Err())
		}
	}
}

// Rows without a key whose time lies outside of what was asked for are sent to nobody else: none is dropped, none is double.
func TestRowsOfAnotherTimeThanTheAPIs(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	const wall = "2006-01-02T15:04:05.000"
	for _, of := range []struct {
		name   string
		write  sink.Write
		kind   schema.Type
		layout string
		size   time.Duration
	}{
		{"local times, appended", sink.Append, schema.Timestamp, wall, time.Hour},
		{"local times as instants, appended", sink.Append, schema.Timestamptz, wall, time.Hour},
		{"days, appended", sink.Append, schema.Date, time.DateOnly, time.Hour},
		{"local times of a day, replaced", sink.ReplaceWindows, schema.Timestamp, wall, 24 * time.Hour},
		{"days, replaced by the hour", sink.ReplaceWindows, schema.Date, time.DateOnly, time.Hour},
		{"days, replaced", sink.ReplaceWindows, schema.Date, time.DateOnly, 24 * time.Hour},
	} {
		t.Run(of.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, k kind) {
				t.Parallel()
				// The clocks are set back on the second of the days.
				since, end := time.Date(2024, 10, 26, 0, 0, 0, 0, berlin).UTC(), time.Date(2024, 10, 28, 0, 0, 0, 0, berlin).UTC()
				w := newWorld(t, k, calls(1000), since, func(d *export.Dataset) { d.Grid = gridOf(t, of.size, berlin) })
				w.keyless(of.write, func(m *schema.Mapping) {
					m.Location = berlin
					m.Fields[slices.IndexFunc(m.Fields, func(f schema.Field) bool { return f.ID == w.report.TimeField })].Type = of.kind
				})
				w.startsAs(berlin, of.layout)
				w.clock.Advance(end.Add(200 * time.Hour).Sub(w.clock.Now()))
				within := export.Pass{Kind: sink.RunOnce, Within: window.Window{Start: since, End: end}}
				w.pass(within)
				w.mustHaveEach(since, end)
				if of.size == time.Hour {
					w.hourly(since, end)
					w.mustHaveEach(since, end)
				}
			})
		})
	}
}

func gridOf(t *testing.T, size time.Duration, location *time.Location) window.Grid {
	t.Helper()
	grid, err := window.NewGrid(size, location)
	if err != nil {
		t.Fatal(err)
	}
	return grid
}

// A call that ends in another hour than it began, by which the API goes.
func TestAppendedByAnotherTime(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-48 * time.Hour)
		w := newWorld(t, k, calls(400), since, nil)
		w.keyless(sink.Append, func(m *schema.Mapping) { m.TimeField = "ended_at" })
		w.clock.Advance(100 * time.Hour)
		w.pass(upToStart(since))
		w.mustHaveEach(since, start)
		w.hourly(since, start)
		w.mustHaveEach(since, start)
	})
}

// A call whose time is shown a little earlier than the API goes by is sent with no other window.
func TestAppendedALittleEarlier(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-12 * time.Hour)
		w := newWorld(t, k, calls(100), since, nil)
		w.keyless(sink.Append)
		w.showsLater(w.report.TimeField, -700*time.Millisecond)
		for h := since; h.Before(start); h = h.Add(time.Hour) {
			for _, at := range []time.Duration{200 * time.Millisecond, time.Hour - 200*time.Millisecond} {
				if _, err := w.sim.Insert(w.report.ID, h.Add(at), nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.clock.Advance(100 * time.Hour)
		w.pass(upToStart(since))
		w.mustHaveEach(since, start)
		w.hourly(since, start)
		w.mustHaveEach(since, start)
	})
}

// A reject stays until the range that sent it is read again, whatever its time says.
func TestRejectsOfAnotherTimeThanTheAPIs(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-48 * time.Hour)
		w := newWorld(t, k, calls(400), since, nil)
		mapping := w.mapping()
		mapping.TimeField = "ended_at"
		w.exporter.Dataset.Mapper = w.compile(mapping)
		w.clock.Advance(100 * time.Hour)
		w.sim.Script(simulator.Always(), simulator.WrongTypes(w.report.Metric("duration_s").ID))
		w.pass(upToStart(since))
		w.hourly(since, start)
		all := len(w.ids(since, start))
		rows, rejects := w.count("select count(*) from %s", k.table("calls")), w.count("select count(*) from %s", k.own("rejects"))
		if rejects == 0 || rows+rejects < all {
			t.Errorf("of %d calls %d are in the table and %d in the quarantine", all, rows, rejects)
		}
	})
}

// A reject whose time is of the second before the window that it was sent with stays when the window before is read again.
func TestARejectALittleEarlierThanItsWindow(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(100), since, func(d *export.Dataset) { d.MaxSpan = time.Hour })
		w.showsLater(w.report.TimeField, -700*time.Millisecond)
		bad := since.Add(3*time.Hour + 200*time.Millisecond)
		if _, err := w.sim.Insert(w.report.ID, bad, map[string]any{w.report.Metric("duration_s").ID: "x"}); err != nil {
			t.Fatal(err)
		}
		w.clock.Advance(100 * time.Hour)
		w.pass(upToStart(since))
		rejects := func() int { return w.count("select count(*) from %s", k.own("rejects")) }
		first := rejects()
		w.hourly(since.Add(2*time.Hour), since.Add(3*time.Hour))
		if then := rejects(); first != 1 || then != 1 {
			t.Errorf("%d rejects, then %d: the row is neither in the table nor in the quarantine", first, then)
		}
	})
}

// An appended row without a time cannot be told from itself when it is read again.
func TestAppendedRowsNeedATime(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(400), since, nil)
		w.keyless(sink.Append, func(m *schema.Mapping) { m.Timed = true })
		field := regexp.MustCompile(`"` + w.report.TimeField + `":"[^"]*"`)
		var n atomic.Int64
		w.exporter.Source = rewriting{w.exporter.Source, func(raw string) string {
			if n.Add(1)%10 == 0 {
				return field.ReplaceAllString(raw, `"`+w.report.TimeField+`":null`)
			}
			return raw
		}}
		w.clock.Advance(100 * time.Hour)
		if s := w.pass(upToStart(since)); s.Rejected == 0 || s.Rejected != w.count("select count(*) from %s", k.own("rejects")) {
			t.Errorf("%d rows were rejected", s.Rejected)
		}
	})
}

// Sums by hour that are told apart by their hour: what the API says of the second before a window is no sum of an hour.
func TestSumsOfAnHourByKey(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w, i, since := sumsWorld(t, k)
		for h := range 24 { // calls in the last second of each hour
			if _, err := w.sim.Insert(w.report.ID, since.Add(time.Duration(h+1)*time.Hour-400*time.Millisecond), nil); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			w.clock.Advance(200 * time.Hour)
			w.pass(upToStart(since))
		}
		for h := since; h.Before(since.Add(24 * time.Hour)); h = h.Add(time.Hour) {
			want := w.insightTruth(i, window.Window{Start: h, End: h.Add(time.Hour)})
			got := w.query("select calls from %s where %s = '%s'", k.table("calls"), k.instant("hour"), h.Format("2006-01-02T15:04:05.000Z"))
			if len(want) != 1 || len(got) != 1 || !strings.HasSuffix(want[0], " "+got[0][0]) {
				t.Errorf("%s: the warehouse has %v, the API %v", h, got, want)
			}
		}
	})
}

// A value that did not fit once stays in _extra when another column is filled from there.
func TestAnotherColumnIsPromoted(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		const callback = "5f0000000000000000000001"
		berlin, err := time.LoadLocation("Europe/Berlin")
		if err != nil {
			t.Fatal(err)
		}
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(400), since, nil)
		w.clock.Advance(100 * time.Hour)
		api := rewriting{w.exporter.Source, func(raw string) string {
			return strings.TrimSuffix(raw, "}") + `,"` + callback + `":"2024-03-31T02:30:00"}` // in Berlin there is no such time
		}}
		deploy := func(hash string, zone *time.Location, agent bool, more ...schema.Field) {
			mapping := w.mapping()
			mapping.Location = zone
			fields := more
			for _, f := range mapping.Fields {
				if f.Name != "agent" || agent {
					fields = append(fields, f)
				}
			}
			mapping.Fields = fields
			d := w.exporter.Dataset
			d.Mapper, d.ConfigHash = w.compile(mapping), hash
			w.exporter = w.newExporter(d, w.open())
			w.exporter.Source = api
			w.pass(upToStart(since))
		}
		called := schema.Field{ID: callback, Name: "callback_at", Type: schema.Timestamptz}
		deploy("neither", berlin, false)
		deploy("a time that does not fit", berlin, false, called)
		deploy("the zone is another one", time.UTC, false, called)
		deploy("another column", time.UTC, true, called)
		if lost := w.count("select count(*) from %s where callback_at is null and _extra is null", k.table("calls")); lost > 0 {
			t.Errorf("%d values are neither in their column nor in _extra", lost)
		}
		if filled := w.count("select count(*) from %s where agent is not null", k.table("calls")); filled == 0 {
			t.Error("the other column was not filled")
		}
	})
}

// The tail of a window that was read behind its end is no re-read of it, whatever re-reads are configured next.
func TestOtherRereadsAfterATail(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(2), start, func(d *export.Dataset) { d.Reread = window.Reread{time.Hour} })
		readAt := func(minute int) {
			w.clock.Advance(start.Add(time.Duration(minute) * time.Minute).Sub(w.clock.Now()))
			w.export()
		}
		readAt(58)
		if _, err := w.sim.Insert(w.report.ID, start.Add(10*time.Minute), nil); err != nil {
			t.Fatal(err)
		}
		readAt(67)
		d := w.exporter.Dataset
		d.Reread, d.ConfigHash = window.Reread{5 * time.Minute}, "shorter"
		w.exporter = w.newExporter(d, w.open())
		readAt(68)
		w.mustHaveEach(start, start.Add(time.Hour))
	})
}

// A field that is added to the mapping makes no other rows of those that were appended before.
func TestAppendedRowsOfAnotherMapping(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-12 * time.Hour)
		w := newWorld(t, k, calls(400), since, nil)
		w.clock.Advance(100 * time.Hour)
		for _, agent := range []bool{false, true} {
			w.keyless(sink.Append, func(m *schema.Mapping) {
				m.Fields = slices.DeleteFunc(m.Fields, func(f schema.Field) bool { return f.Name == "agent" && !agent })
			})
			w.reconfigure(fmt.Sprint(agent))
			w.pass(upToStart(since))
			w.again()
			w.mustHaveEach(since, start)
		}
	})
}
