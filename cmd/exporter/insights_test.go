package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/source/simulator"
)

// The way of a user: an insight's value for each hour, beside a snapshot for each run.
func TestInsights(t *testing.T) {
	for _, w := range warehouses() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.dsn = w.dsn(t)
			const fields = "{value: {name: value, type: integer}, title: {name: title, type: text}, previousValue: {name: previous_value, type: integer}}"
			s.reports = fmt.Sprintf(`
insights:
  - {name: answered, dashboard_id: %q, insight_id: %q, window: {size: 1h}, since: %s, fields: %s}
  - {name: answered_now, dashboard_id: %[1]q, insight_id: %[2]q, time_range: PAST_24_HOURS, fields: %[4]s}
`, simulator.DashboardID, simulator.InboundInsightID, s.since.Format(time.DateOnly), fields)
			s.configure()
			s.run("check").ends(app.ExitDone).prints("exports calls, answered, answered_now", "insight answered: the sampled row fits the mapping")
			plan := decoded[app.Plan](t, s.run("plan", "--json").ends(app.ExitDone).stdout)
			if len(plan.Datasets) != 3 || len(plan.Datasets[1].Sample.New)+len(plan.Datasets[1].Sample.Gone) > 0 || plan.Datasets[1].Total().Windows < 48 ||
				plan.Datasets[1].Total().Requests != plan.Datasets[1].Total().Windows {
				t.Errorf("%+v", plan)
			}
			for range 2 {
				s.run("run", "--once").ends(app.ExitDone)
			}
			report := decoded[app.Report](t, s.run("status", "--json").ends(app.ExitDone).stdout)
			if len(report.Datasets) != 3 || report.Datasets[0].Name != "answered" || report.Datasets[0].Due != 0 || report.Datasets[0].Failing != 0 {
				t.Errorf("%+v", report)
			}
			values := s.query("select value from " + s.table("answered", "samespace.answered") + " order by _window_start")
			if len(values) < 48 {
				t.Fatalf("%d hours", len(values))
			}
			for n, value := range values {
				var shown struct{ Value json.Number }
				from := s.since.Add(time.Duration(n) * time.Hour)
				if err := json.Unmarshal(s.sim.InsightTruth(simulator.DashboardID, simulator.InboundInsightID, from, from.Add(time.Hour))[0], &shown); err != nil {
					t.Fatal(err)
				}
				if value[0] != shown.Value.String() {
					t.Errorf("%s: %s, the API shows %s", from, value[0], shown.Value)
				}
			}
			if n := s.count("select count(distinct _window_start) from " + s.table("answered_now", "samespace.answered_now")); n != 2 {
				t.Errorf("%d snapshots", n)
			}
			s.run("run", "--backfill", "--from", s.since.Format(time.DateOnly), "--report", "answered").ends(app.ExitDone)
			const left = "exporter: not compared, since it is not known what the table has of a window: answered (neither key nor time_field), answered_now (a rolling range)\n"
			if r := s.run("verify", "--from", s.since.Format(time.DateOnly)).ends(app.ExitDone); !strings.Contains(r.stderr, left) || strings.Contains(r.stdout, "answered") {
				t.Errorf("stdout: %s stderr: %s", r.stdout, r.stderr)
			}
			found := decoded[[]app.Verification](t, s.run("verify", "--from", s.since.Format(time.DateOnly), "--json").ends(app.ExitDone).stdout)
			if len(found) != 3 || found[0].NotCompared != "" || found[1].NotCompared != "neither key nor time_field" || found[2].NotCompared != "a rolling range" {
				t.Errorf("%+v", found)
			}
			if r := s.run("verify", "--from", s.since.Format(time.DateOnly), "--report", "answered").ends(app.ExitFailed); !strings.Contains(r.stderr, "cannot be verified") {
				t.Errorf("stderr: %s", r.stderr)
			}
		})
	}
}
