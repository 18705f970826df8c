package export_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source/simulator"
)

// describes makes the world's dataset a dashboard.
func (w *world) describes(id string) {
	w.Helper()
	mappers, err := export.DashboardMappers()
	if err != nil {
		w.Fatal(err)
	}
	d := &w.exporter.Dataset
	d.Kind, d.Snapshot, d.Mapper, d.FurtherMappers = sink.KindDashboard, true, mappers[0], mappers[1:]
	d.Query.Dashboard, d.Query.Report = id, ""
}

// redefine changes the text of a dashboard's definition.
func (w *world) redefine(id, old, now string) {
	w.Helper()
	definition := w.sim.Dashboard(id)
	if !bytes.Contains(definition, []byte(old)) {
		w.Fatalf("no %s in %s", old, definition)
	}
	w.sim.SetDashboard(id, bytes.Replace(definition, []byte(old), []byte(now), 1))
}

// cells are a statement's rows, each in a line.
func (w *world) cells(format string, args ...any) string {
	w.Helper()
	var lines []string
	for _, r := range w.query(format, args...) {
		lines = append(lines, strings.Join(r, " | "))
	}
	return strings.Join(lines, "\n")
}

// Everything that the documented sample says is there.
func TestTheDocumentedDashboard(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(1), time.Time{}, nil)
		w.describes(simulator.DashboardID)
		s := w.export()
		if s.Requests != 1 || s.Counts.Inserted != 1+2+6+4 {
			t.Errorf("%+v", s)
		}
		text := func(column string) string { return "coalesce(cast(" + column + " as text), '-')" }
		columns := func(names string) string {
			var all []string
			for name := range strings.FieldsSeq(names) {
				all = append(all, text(`"`+name+`"`))
			}
			return strings.Join(all, ", ")
		}
		for _, c := range []struct{ table, columns, order, want string }{
			{"dashboards", "dashboard_id owner access_level permission_level user_permission time_range start_time end_time timezone valid_to", "1",
				"64708408b289a50051bd6781 | - | Public | Read | Read | PAST_30_DAYS | - | - | Asia/Calcutta | -"},
			{"dashboard_insights", "insight_id ordinal title template_type template_id dataset_id beta time_range timezone preferences_type valid_to", "ordinal",
				"6470840db289a50051bd67e6 | 1 | Answered (Inbound) | STAT | 5ea6951db00b8f55e69bc8be | 5ea1861e465b4d80736a76e2 | - | PAST_HOUR | Asia/Calcutta | StatTemplatePreference | -\n" +
					"64708411b289a50051bd6802 | 2 | Answered (Outbound) | STAT | 5ea2d173cd041a5367738253 | 5ea1861e465b4d80736a76e2 | - | PAST_HOUR | Asia/Calcutta | StatTemplatePreference | -"},
			{"dashboard_filters", "insight_id ordinal metric_id title type operation values value", "insight_id, ordinal",
				"6470840db289a50051bd67e6 | 1 | 5ea18a55465b4d80736a76e8 | Channel | ATTRIBUTE | nin | [] | -\n" +
					"6470840db289a50051bd67e6 | 2 | 5ea18e7f465b4d80736a76ee | Team | ATTRIBUTE | nin | [] | -\n" +
					"6470840db289a50051bd67e6 | 3 | 5ea18e11465b4d80736a76eb | Agent | ATTRIBUTE | nin | [] | -\n" +
					"6470840db289a50051bd67e6 | 4 | 5ec384fb5c4345a0eb45ed32 | Flow | ATTRIBUTE | nin | [] | -\n" +
					"64708411b289a50051bd6802 | 1 | 5ea18e7f465b4d80736a76ee | Team | ATTRIBUTE | nin | [] | -\n" +
					"64708411b289a50051bd6802 | 2 | 5ea18e11465b4d80736a76eb | Agent | ATTRIBUTE | nin | [] | -"},
			{"metrics", "metric_id title dashboard_id last_seen", "title",
				"5ea18e11465b4d80736a76eb | Agent | 64708408b289a50051bd6781 | -\n5ea18a55465b4d80736a76e8 | Channel | 64708408b289a50051bd6781 | -\n" +
					"5ec384fb5c4345a0eb45ed32 | Flow | 64708408b289a50051bd6781 | -\n5ea18e7f465b4d80736a76ee | Team | 64708408b289a50051bd6781 | -"},
		} {
			if got := w.cells("select %s from %s order by %s", columns(c.columns), k.table(c.table), c.order); got != c.want {
				t.Errorf("%s:\n%s\nwant\n%s", c.table, got, c.want)
			}
		}
		placed := w.query("select bounds, position_md, position_lg, preferences from %s order by ordinal", k.table("dashboard_insights"))
		for _, c := range []struct{ got, want string }{
			{placed[1][0], `{"x":2,"y":0,"w":1,"h":1}`},
			{placed[0][3], `{"__typename":"StatTemplatePreference","colors":null,"trendType":"POSITIVE","valueFormat":"NUMBER"}`},
		} {
			if !sameJSON(t, c.got, c.want) {
				t.Errorf("%s, want %s", c.got, c.want)
			}
		}
		var position struct{ I string }
		if err := json.Unmarshal([]byte(placed[1][1]), &position); err != nil || position.I != simulator.OutboundInsightID || placed[1][2] != "NULL" {
			t.Errorf("positions %q: %v", placed[1], err)
		}
	})
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal([]byte(a), &x); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	if err := json.Unmarshal([]byte(b), &y); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}

// What changes is a new version, and nothing else is written.
func TestDashboardsAreVersioned(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(1), time.Time{}, nil)
		w.describes(simulator.FloorDashboardID)
		other := w.newExporter(w.exporter.Dataset, w.warehouse)
		other.Dataset.Name, other.Dataset.Query.Dashboard = "other", simulator.DashboardID
		pass := func() sink.Counts {
			w.clock.Advance(time.Hour)
			if _, err := other.Export(t.Context(), passOnce()); err != nil {
				t.Fatal(err)
			}
			return w.export().Counts
		}
		titles := func() string {
			return w.cells("select title, %s, coalesce(%s, '-') from %s where insight_id = '%s' order by 2",
				k.instant("valid_from"), k.instant("valid_to"), k.table("dashboard_insights"), simulator.LongCallsInsightID)
		}
		pass()
		if n := w.count("select count(*) from %s where dashboard_id = '%s' and preferences is not null", k.table("dashboard_insights"), simulator.FloorDashboardID); n != 5 {
			t.Errorf("%d insights have preferences", n)
		}
		if c := pass(); c != (sink.Counts{}) {
			t.Errorf("nothing had changed: %+v", c)
		}
		w.redefine(simulator.FloorDashboardID, `"title":"Long calls"`, `"title":"Longest calls"`)
		if c := pass(); c != (sink.Counts{Inserted: 1, Updated: 1}) {
			t.Errorf("a title had changed: %+v", c)
		}
		want := "Long calls | 2024-05-06T10:00:00.000Z | 2024-05-06T12:00:00.000Z\nLongest calls | 2024-05-06T12:00:00.000Z | -"
		if got := titles(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		w.redefine(simulator.FloorDashboardID, `"title":"Longest calls"`, `"title":"Long calls"`)
		if c := pass(); c != (sink.Counts{Inserted: 1, Updated: 1}) {
			t.Errorf("a title had changed back: %+v", c)
		}
		w.redefine(simulator.FloorDashboardID, `"id":"`+simulator.LongCallsInsightID+`"`, `"id":"65a1c0de7f3b2a004c9d1eff"`)
		pass()
		if got := titles(); strings.HasSuffix(got, "-") || strings.Count(got, "\n") != 2 {
			t.Errorf("an insight that is gone: %s", got)
		}
		before := w.cells("select * from %s order by 1, 2, 3", k.table("dashboard_insights"))
		w.sim.SetDashboard(simulator.FloorDashboardID, nil)
		w.clock.Advance(time.Hour)
		if s, err := w.exporter.Export(t.Context(), passOnce()); err == nil && s.Err() == nil {
			t.Error("a dashboard that is not there was read")
		}
		if got := w.cells("select * from %s order by 1, 2, 3", k.table("dashboard_insights")); got != before {
			t.Errorf("%s\nbefore\n%s", got, before)
		}
		if n := w.count("select count(*) from %s where dashboard_id = '%s' and valid_to is null", k.table("dashboard_insights"), simulator.DashboardID); n != 2 {
			t.Errorf("the other dashboard has %d insights", n)
		}
	})
}

// A process that is killed at whatever step has written all of a version, or nothing.
func TestKilledWhileItDescribes(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(1), time.Time{}, nil)
		w.describes(simulator.DashboardID)
		w.export()
		w.redefine(simulator.DashboardID, `"title":"Answered (Inbound)"`, `"title":"Inbound"`)
		w.redefine(simulator.DashboardID, `"title":"Channel"`, `"title":"Kanal"`)
		w.clock.Advance(time.Hour)
		pass := export.Pass{Kind: sink.RunScheduled, Tick: w.clock.Now()}
		kills := 0
		for n := int32(1); n < 100 && w.killedAt(n, pass); n++ {
			kills++
			w.clock.Advance(time.Second)
			states := map[string]bool{}
			for _, table := range []string{"dashboard_insights", "dashboard_filters"} {
				states[w.cells("select count(*), count(valid_to) from %s where insight_id = '%s' and ordinal = 1", k.table(table), simulator.InboundInsightID)] = true
			}
			states[w.cells("select count(*), count(last_seen) from %s where metric_id = '5ea18a55465b4d80736a76e8'", k.table("metrics"))] = true
			if len(states) != 1 {
				t.Fatalf("killed at step %d: %v", n, states)
			}
		}
		if kills < 3 {
			t.Fatalf("killed %d times only", kills)
		}
		w.pass(pass)
		if got := w.cells("select title from %s where valid_to is null order by ordinal", k.table("dashboard_insights")); got != "Inbound\nAnswered (Outbound)" {
			t.Errorf("insights: %s", got)
		}
		if n := w.count("select count(*) from %s", k.table("dashboard_insights")); n != 3 {
			t.Errorf("%d versions", n)
		}
	})
}
