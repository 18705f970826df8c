package simulator_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"samespace-exporter/internal/source/simulator"
)

// insight is all that an insight shows of a range, read in pages of so many rows.
func (a api) insight(id string, from, to time.Time, limit int) (all []json.RawMessage) {
	v := variables{
		"dashboardId": simulator.FloorDashboardID, "insightId": id,
		"startTime": from.UnixMilli(), "endTime": to.UnixMilli(), "limit": limit,
	}
	for {
		rows := a.reply("GetInsightData", v.with("skip", len(all))).Data["getInsightData"].Data
		if all = append(all, rows...); len(rows) < limit {
			return all
		}
	}
}

func TestGroupedInsightsCountEveryCall(t *testing.T) {
	c := at()
	a := serve(t, c, 4000)
	from, to := c.now.Add(-36*time.Hour), c.now.Add(-12*time.Hour)
	calls, returns := 0, 0
	for _, row := range a.truth(from, to) {
		if calls++; cell(t, row, "queue") == `"Returns"` {
			returns++
		}
	}
	for _, insight := range []struct {
		id, count    string
		groups, want int
	}{
		{simulator.CallsByHourInsightID, simulator.CountMetricID, 20, calls},
		{simulator.CallsByTeamInsightID, simulator.CountMetricID, 5, calls},
		{simulator.CallsByQueueInsightID, "value", 3, calls - returns},
	} {
		rows := a.insight(insight.id, from, to, 2)
		total := 0
		for _, row := range rows {
			var values map[string]json.RawMessage
			if err := json.Unmarshal(row, &values); err != nil {
				t.Fatal(err)
			}
			var n int
			if err := json.Unmarshal(values[insight.count], &n); err != nil {
				t.Fatalf("%s: %v", row, err)
			}
			total += n
		}
		if total != insight.want || calls == 0 || len(rows) < insight.groups {
			t.Errorf("%s: %d groups count %d calls, want %d", insight.id, len(rows), total, insight.want)
		}
		whole := a.InsightTruth(simulator.FloorDashboardID, insight.id, from, to)
		if !slices.EqualFunc(rows, whole, func(x, y json.RawMessage) bool { return string(x) == string(y) }) {
			t.Errorf("%s: the pages together are not the truth", insight.id)
		}
	}
}

func TestATableInsightListsCalls(t *testing.T) {
	c := at()
	a := serve(t, c, 4000)
	from, to := c.now.Add(-36*time.Hour), c.now.Add(-12*time.Hour)
	long := 0
	for _, row := range a.truth(from, to) {
		var seconds int
		if err := json.Unmarshal([]byte(cell(t, row, "duration_s")), &seconds); err != nil {
			t.Fatal(err)
		}
		if seconds >= 1200 {
			long++
		}
	}
	rows := a.insight(simulator.LongCallsInsightID, from, to, 100)
	if len(rows) != long || long == 0 {
		t.Fatalf("%d rows, want %d", len(rows), long)
	}
	var first map[string]json.RawMessage
	if err := json.Unmarshal(rows[0], &first); err != nil || len(first) == 0 || len(first) > 3 {
		t.Errorf("a row shows %s", rows[0])
	}
}

func TestADashboardCanChange(t *testing.T) {
	a := serve(t, at(), 0)
	title := func() string {
		var got struct {
			Data struct {
				Dashboard *struct{ Insights []struct{ Title string } }
			}
		}
		w := a.post("GetDashboard", variables{"id": simulator.FloorDashboardID})
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if got.Data.Dashboard == nil {
			return ""
		}
		return got.Data.Dashboard.Insights[0].Title
	}
	if got := title(); got != "Long calls" {
		t.Fatalf("title %q", got)
	}
	a.SetDashboard(simulator.FloorDashboardID, json.RawMessage(`{"insights": [{"title": "Longest calls"}]}`))
	if got := title(); got != "Longest calls" {
		t.Errorf("title %q after the change", got)
	}
	a.SetDashboard(simulator.FloorDashboardID, nil)
	if got := title(); got != "" {
		t.Errorf("a dashboard that was taken away has the title %q", got)
	}
}
