package export_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

// lastSeconds inserts a call 400 ms before the end of each hour.
func (w *world) lastSeconds(since, end time.Time, lasts ...time.Duration) {
	w.Helper()
	for h := since; h.Before(end); h = h.Add(time.Hour) {
		values := map[string]any{}
		at := h.Add(time.Hour - 400*time.Millisecond)
		for _, d := range lasts {
			values[w.report.Metric("ended_at").ID] = at.Add(d).Format("2006-01-02T15:04:05.000Z07:00")
		}
		if _, err := w.sim.Insert(w.report.ID, at, values); err != nil {
			w.Fatal(err)
		}
	}
}

// What the API sends of the second before a window is of the window before, whatever its time says.
func TestReplacedByAnotherTime(t *testing.T) {
	t.Parallel()
	for name, lasts := range map[string][]time.Duration{"ends later": {5 * time.Minute}, "has no time": nil} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, k kind) {
				t.Parallel()
				since := start.Add(-12 * time.Hour)
				w := newWorld(t, k, calls(100), since, nil)
				w.keyless(sink.ReplaceWindows, func(m *schema.Mapping) { m.TimeField = "ended_at" })
				w.lastSeconds(since, start, lasts...)
				w.clock.Advance(100 * time.Hour)
				w.pass(upToStart(since))
				w.mustHaveEach(since, start)
				w.again()
				w.mustHaveEach(since, start)
			})
		})
	}
}

// hourSums is a report of calls by direction and hour over all that is asked for.
type hourSums struct {
	*world
	layout string
	unit   time.Duration
}

func (s *hourSums) Rows(_ context.Context, q source.Query, to source.Taker) (source.Reading, error) {
	counts := map[[2]string]int{}
	for _, c := range s.truth(q.Range.Start, q.Range.End) {
		at, err := time.Parse(time.RFC3339Nano, c.started)
		if err != nil {
			return source.Reading{}, err
		}
		counts[[2]string{c.direction, at.UTC().Truncate(s.unit).Format(s.layout)}]++
	}
	var rows []string
	for by, n := range counts {
		row, err := json.Marshal(map[string]any{"direction": by[0], "hour": by[1], "calls": n})
		if err != nil {
			return source.Reading{}, err
		}
		rows = append(rows, string(row))
	}
	return source.Reading{Rows: len(rows), Requests: 1, End: q.Range.End}, to.Take(rows, false)
}

// Sums of the second before a window are none of the window before, nor rows of the window.
func TestReplacedSumsOfAnHour(t *testing.T) {
	t.Parallel()
	for _, of := range []struct {
		name string
		kind schema.Type
		unit time.Duration
	}{{"hours", schema.Timestamptz, time.Hour}, {"days as instants", schema.Timestamptz, 24 * time.Hour}, {"days", schema.Date, 24 * time.Hour}} {
		t.Run(of.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, k kind) {
				t.Parallel()
				since := start.Truncate(24 * time.Hour).Add(-48 * time.Hour)
				w := newWorld(t, k, calls(300), since, func(d *export.Dataset) { d.Grid = gridOf(t, of.unit, nil) })
				end := start.Truncate(of.unit)
				layout := time.RFC3339
				if of.kind == schema.Date {
					layout = time.DateOnly
				}
				w.lastSeconds(since, start)
				w.exporter.Source = &hourSums{w, layout, of.unit}
				w.exporter.Dataset.Write = sink.ReplaceWindows
				w.exporter.Dataset.Mapper = w.compile(schema.Mapping{Table: "calls", ByWindow: true, TimeField: "hour", Fields: []schema.Field{
					{ID: "direction", Name: "direction", Type: schema.Text}, {ID: "hour", Name: "hour", Type: of.kind}, {ID: "calls", Name: "calls", Type: schema.Integer},
				}})
				w.clock.Advance(100 * time.Hour)
				w.pass(export.Pass{Kind: sink.RunOnce, Within: window.Window{Start: since, End: end}})
				want := len(w.truth(since, end))
				if got := w.count("select sum(calls) from %s", k.table("calls")); got != want {
					t.Errorf("the sums say %d calls, there are %d", got, want)
				}
				if n := w.count("select count(*) from (select 1 as one from %s group by direction, hour having count(*) > 1) as t", k.table("calls")); n > 0 {
					t.Errorf("%d sums are there twice", n)
				}
			})
		})
	}
}

// Sums of an hour for which a day is asked: those of the second before it are no sums of the hour before.
func TestSumsOfADayByKey(t *testing.T) {
	t.Parallel()
	for _, timed := range []bool{true, false} {
		t.Run(fmt.Sprint("time_field ", timed), func(t *testing.T) {
			onEach(t, func(t *testing.T, k kind) {
				t.Parallel()
				since := start.Truncate(24 * time.Hour).Add(-48 * time.Hour)
				end := since.Add(48 * time.Hour)
				w := newWorld(t, k, calls(600), since, nil)
				timeField := ""
				if timed {
					timeField = "hour"
				}
				i := w.sumsByHour(timeField)
				w.lastSeconds(since, end)
				for h := since; h.Before(end); h = h.Add(time.Hour) {
					if _, err := w.sim.Insert(w.report.ID, h.Add(10*time.Minute), nil); err != nil {
						t.Fatal(err)
					}
				}
				w.clock.Advance(200 * time.Hour)
				w.pass(export.Pass{Kind: sink.RunOnce, Within: window.Window{Start: since, End: end}})
				w.clock.Advance(time.Second)
				if s, err := w.exporter.Backfill(t.Context(), export.Range{From: since.Add(24 * time.Hour), To: end}); err != nil || s.Err() != nil {
					t.Fatal(err, s.Err())
				}
				for h := since; h.Before(end); h = h.Add(time.Hour) {
					want := w.insightTruth(i, window.Window{Start: h, End: h.Add(time.Hour)})
					got := w.query("select calls from %s where %s = '%s'", k.table("calls"), k.instant("hour"), h.Format("2006-01-02T15:04:05.000Z"))
					if len(want) != 1 || len(got) != 1 || !strings.HasSuffix(want[0], " "+got[0][0]) {
						t.Errorf("%s: the warehouse has %v, the API %v", h, got, want)
					}
				}
			})
		})
	}
}
