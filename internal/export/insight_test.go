package export_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
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

// shown is an insight and how it is mapped: each template that is documented.
type shown struct {
	template           string
	dashboard, insight string
	size               time.Duration
	fields             []schema.Field
}

func insights() []shown {
	const day = 24 * time.Hour
	field := func(id, name string, kind schema.Type) schema.Field {
		return schema.Field{ID: id, Name: name, Type: kind}
	}
	calls := simulator.Calls()
	count := field(simulator.CountMetricID, "calls", schema.Integer)
	metric := func(name string, kind schema.Type) schema.Field { return field(calls.Metric(name).ID, name, kind) }
	stat := []schema.Field{
		field("value", "value", schema.Numeric), field("title", "title", schema.Text), field("previousValue", "previous_value", schema.Numeric),
	}
	return []shown{
		{"STAT", simulator.DashboardID, simulator.InboundInsightID, time.Hour, stat},
		{"STAT by day", simulator.FloorDashboardID, simulator.AbandonedInsightID, day, stat},
		{"TABLE", simulator.FloorDashboardID, simulator.LongCallsInsightID, 6 * time.Hour, []schema.Field{
			field(calls.Key, "call_id", schema.Text), metric("agent", schema.Text), metric("duration_s", schema.Integer),
		}},
		{"LINE", simulator.FloorDashboardID, simulator.CallsByHourInsightID, day, []schema.Field{field(calls.TimeField, "hour", schema.Text), count}},
		{"DONUT", simulator.FloorDashboardID, simulator.CallsByQueueInsightID, time.Hour, []schema.Field{field("title", "title", schema.Text), field("value", "value", schema.Integer)}},
		{"HORIZONTAL_BAR", simulator.FloorDashboardID, simulator.CallsByTeamInsightID, time.Hour, []schema.Field{metric("team", schema.Text), count}},
	}
}

// insight makes the world's dataset an insight.
func (w *world) insight(i shown, write sink.Write) {
	w.Helper()
	grid, err := window.NewGrid(i.size, nil)
	if err != nil {
		w.Fatal(err)
	}
	d := &w.exporter.Dataset
	d.Kind, d.Write, d.Grid = sink.KindInsight, write, grid
	d.Query.Report, d.Query.Dashboard, d.Query.Insight = "", i.dashboard, i.insight
	d.Query.SortID, d.Query.Key, d.Query.PageSize = "", nil, 3
	d.Mapper = w.compile(schema.Mapping{Table: "calls", ByWindow: true, Fields: i.fields})
}

// sumsByHour makes the exporter's dataset one of an insight's sums, a line by the hour, that are told apart by their hour.
func (w *world) sumsByHour(timeField string) shown {
	w.Helper()
	i := insights()[3]
	i.fields[0].Type = schema.Timestamptz
	w.insight(i, sink.Upsert)
	d := &w.exporter.Dataset
	d.Query.Key = []string{i.fields[0].ID}
	d.Mapper = w.compile(schema.Mapping{Table: "calls", Key: []string{"hour"}, TimeField: timeField, Fields: i.fields})
	return i
}

// sumsWorld is a world of a day's calls and an insight of their sums by hour, in windows of an hour, told apart by it.
func sumsWorld(t *testing.T, k kind) (w *world, i shown, since time.Time) {
	t.Helper()
	since = start.Truncate(24 * time.Hour).Add(-24 * time.Hour)
	w = newWorld(t, k, calls(600), since, nil)
	i = w.sumsByHour("hour")
	w.exporter.Dataset.Grid = gridOf(t, time.Hour, nil)
	return w, i, since
}

// kept are the rows that the warehouse has of an insight, by window.
func (w *world) kept(i shown) map[string][]string {
	w.Helper()
	columns := make([]string, len(i.fields))
	for n, f := range i.fields {
		columns[n] = "coalesce(cast(" + f.Name + " as text), 'null')"
	}
	kept := map[string][]string{}
	for _, r := range w.query("select %s, %s from %s", w.kind.instant("_window_start"), strings.Join(columns, ", "), w.kind.table("calls")) {
		kept[r[0]] = append(kept[r[0]], strings.Join(r[1:], " "))
	}
	for _, rows := range kept {
		slices.Sort(rows)
	}
	return kept
}

// insightTruth are the rows that the API shows of a window.
func (w *world) insightTruth(i shown, of window.Window) (rows []string) {
	w.Helper()
	for _, raw := range w.sim.InsightTruth(i.dashboard, i.insight, of.Start, of.End) {
		var values map[string]any
		if err := json.Unmarshal(raw, &values); err != nil {
			w.Fatal(err)
		}
		row := make([]string, len(i.fields))
		for n, f := range i.fields {
			if row[n] = fmt.Sprint(values[f.ID]); values[f.ID] == nil {
				row[n] = "null"
			}
		}
		rows = append(rows, strings.Join(row, " "))
	}
	slices.Sort(rows)
	return rows
}

// mustShow compares what the warehouse has of the windows of a range, and of no other, with what the API shows.
func (w *world) mustShow(i shown, within window.Window) (windows int) {
	w.Helper()
	kept, rows := w.kept(i), 0
	for _, of := range w.exporter.Dataset.Grid.Cut(within) {
		want, at := w.insightTruth(i, of), of.Start.Format("2006-01-02T15:04:05.000Z")
		if !slices.Equal(kept[at], want) {
			w.Fatalf("%s: the warehouse has %q, the API shows %q", at, kept[at], want)
		}
		delete(kept, at)
		rows, windows = rows+len(want), windows+1
	}
	if len(kept) > 0 || rows == 0 {
		w.Fatalf("%d rows are right; beside them there are %v", rows, kept)
	}
	return windows
}

// Each window that is over has what the insight shows of it; one that is not has nothing.
func TestInsightsByWindow(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		for n, i := range insights() {
			if n%sample != 0 {
				continue
			}
			t.Run(i.template, func(t *testing.T) {
				t.Parallel()
				since := start.Truncate(24 * time.Hour).Add(-48 * time.Hour)
				w := newWorld(t, k, calls(600), since, nil)
				w.insight(i, sink.ReplaceWindows)
				w.clock.Advance(31 * time.Minute)
				over := func() window.Window { return window.Window{Start: since, End: w.edge().Truncate(i.size)} }
				s := w.export()
				windows := w.mustShow(i, over())
				if s.Windows != windows || w.count("select count(*) from %s", k.own("windows")) != windows {
					t.Errorf("%d windows were read, %d are over", s.Windows, windows)
				}
				if strings.HasPrefix(i.template, "STAT") && s.Requests != windows {
					t.Errorf("%d requests for %d windows", s.Requests, windows)
				}
				if again := w.export(); again.Windows != 0 {
					t.Errorf("read again: %+v", again)
				}
				w.clock.Advance(i.size + 20*time.Hour) // another is over
				w.export()
				w.clock.Advance(time.Second)
				if _, err := w.exporter.Backfill(t.Context(), export.Range{From: since}); err != nil {
					t.Fatal(err)
				}
				if n := w.mustShow(i, over()); n <= windows {
					t.Errorf("%d windows, before %d", n, windows)
				}
				w.clock.Advance(time.Second)
				again, err := w.exporter.Backfill(t.Context(), export.Range{From: since})
				if err != nil || again.Err() != nil || again.Counts.Inserted+again.Counts.Removed != 0 || again.Counts.Unchanged == 0 {
					t.Errorf("all of it once more: %+v, %v, %v", again, err, again.Err())
				}
			})
		}
	})
}

// A snapshot for each run, which tells when it was taken.
func TestInsightsByRun(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		for _, i := range insights()[:3] {
			t.Run(i.template, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, k, calls(600), time.Time{}, nil)
				w.insight(i, sink.Append)
				w.exporter.Dataset.Snapshot, w.exporter.Dataset.Query.TimeRange = true, "PAST_24_HOURS"
				want := map[string][]string{}
				for range 3 {
					w.clock.Advance(time.Hour)
					now := w.clock.Now()
					w.pass(export.Pass{Kind: sink.RunScheduled, Tick: now})
					want[now.Format("2006-01-02T15:04:05.000Z")] = w.insightTruth(i, window.Window{Start: now.Add(-24 * time.Hour), End: now})
				}
				if got := w.kept(i); fmt.Sprint(got) != fmt.Sprint(want) || len(got) != 3 {
					t.Errorf("the warehouse has %v, the API showed %v", got, want)
				}
			})
		}
	})
}

// What fails is tried again and replaces nothing; rows that do not fit are kept as rejects.
func TestInsightsFailAsReportsDo(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(600), since, nil)
		table := insights()[2]
		table.size = time.Hour
		w.insight(table, sink.ReplaceWindows)
		w.export()
		before := w.kept(table)
		w.clock.Advance(3 * time.Hour)
		w.sim.Script(simulator.Always(), simulator.Errors("broken"))
		if s, err := w.exporter.Export(t.Context(), passOnce()); err == nil && s.Err() == nil {
			t.Fatal("the pass succeeded")
		}
		if after := w.kept(table); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Fatalf("%v, before %v", after, before)
		}
		w.sim.Unscript()
		w.sim.Script(simulator.Always(), simulator.WrongTypes(table.fields[2].ID))
		w.clock.Advance(3 * time.Hour)
		w.export()
		if n := w.count("select count(*) from %s where field = 'duration_s'", k.own("rejects")); n == 0 {
			t.Error("no row was rejected")
		}
		w.sim.Unscript()
		w.clock.Advance(100 * time.Hour)
		w.pass(export.Pass{Kind: sink.RunOnce, Within: window.Window{Start: since, End: start}})
		if n := w.count("select count(*) from %s where window_end <= '%s'", k.own("rejects"), start.Format(time.DateTime)); n != 0 {
			t.Errorf("%d rejects are kept", n)
		}
	})
}

// The documented answer is kept value by value, for the documented request.
func TestTheDocumentedInsight(t *testing.T) {
	sample, err := os.ReadFile("../source/simulator/samples/GetInsightData.response.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../source/simulator/samples/GetInsightData.variables.json")
	if err != nil {
		t.Fatal(err)
	}
	var documented map[string]any
	if err := json.Unmarshal(text, &documented); err != nil {
		t.Fatal(err)
	}
	onEach(t, func(t *testing.T, k kind) {
		w := newWorld(t, k, calls(1), time.Time{}, nil)
		var asked []map[string]any
		w.server = httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
			var body struct{ Variables map[string]any }
			if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
				t.Error(err)
			}
			asked = append(asked, body.Variables)
			answer.Header().Set("Content-Type", "application/json")
			_, _ = answer.Write(sample)
		}))
		t.Cleanup(w.server.Close)
		w.exporter = w.newExporter(w.exporter.Dataset, w.warehouse)
		stat := insights()[0]
		w.insight(stat, sink.Append)
		w.exporter.Dataset.Snapshot, w.exporter.Dataset.Query.TimeRange = true, "PAST_30_DAYS"
		w.export()
		if len(asked) != 1 {
			t.Fatalf("%d requests", len(asked))
		}
		for name, value := range documented {
			if asked[0][name] != value {
				t.Errorf("%s was %v, is documented as %v", name, asked[0][name], value)
			}
		}
		for _, rows := range w.kept(stat) {
			if len(rows) != 1 || rows[0] != "2824 Answered 3189" {
				t.Errorf("the warehouse has %q", rows)
			}
		}
		if n := len(w.kept(stat)); n != 1 {
			t.Errorf("%d snapshots", n)
		}
	})
}

// An alarm waits for a window to be over.
func TestRipe(t *testing.T) {
	w := newWorld(t, kinds()[0], calls(1), start.Add(-48*time.Hour), nil)
	d := func() export.Dataset { return w.exporter.Dataset }
	if got := d().Ripe(start); !got.Equal(start.Add(d().Delay)) {
		t.Errorf("a report is ripe at %s", got)
	}
	rolling := d()
	rolling.Snapshot = true
	if got := rolling.Ripe(start); !got.Equal(start) {
		t.Errorf("a rolling range is ripe at %s", got)
	}
	w.insight(insights()[1], sink.ReplaceWindows)
	midnight := start.Truncate(24 * time.Hour)
	for _, c := range []struct{ through, want time.Time }{
		{midnight, midnight.Add(24 * time.Hour)},
		{time.Time{}, midnight.Add(-24 * time.Hour)},
	} {
		if got := d().Ripe(c.through); !got.Equal(c.want.Add(d().Delay)) {
			t.Errorf("complete through %s, it is ripe at %s, want %s", c.through, got, c.want)
		}
	}
}
