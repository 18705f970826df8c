package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/source/simulator"
)

// bindsTo has the site's report reconciled with an insight of its inbound calls.
func (s *site) bindsTo(sql string) {
	s.reports = fmt.Sprintf(`
    reconcile: [{insight: answered, sql: %q}]
insights:
  - {name: answered, dashboard_id: %q, insight_id: %q, window: {size: 1h}, since: %s, fields: {value: {name: value, type: integer}, title: {name: title, type: text}, previousValue: {name: previous_value, type: integer}}}
`, sql, simulator.DashboardID, simulator.InboundInsightID, s.since.Format(time.DateOnly))
	s.configure()
}

const inboundCalls = "count(*) filter (where direction = 'in')"

// The way of a user: a report that does not agree with an insight is read again, shows, is told of once, and once when that
// is over.
func TestReconcile(t *testing.T) {
	for _, w := range warehouses() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s, c := newSite(t), newChat(t)
			s.dsn = w.dsn(t)
			s.bindsTo(inboundCalls)
			hour := s.since.Add(5 * time.Hour)
			s.sim.Script(simulator.When(func(r simulator.Request) bool {
				at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(r.Variables["startTime"]))
				return r.Variables["insightId"] != nil && err == nil && at.Equal(hour)
			}), simulator.Misstate("value", 40))
			s.run("check").ends(app.ExitDone).prints("report calls with insight answered: its sql is tried once the table is there")
			s.run("run", "--once").ends(app.ExitDone)
			driftOf := func(dataset string) app.Reconciled {
				t.Helper()
				report := decoded[app.Report](t, s.run("status", "--json").ends(app.ExitDone).stdout)
				for _, d := range report.Datasets {
					if d.Name == dataset && len(d.Reconciled) == 1 {
						return d.Reconciled[0]
					}
				}
				t.Fatalf("%+v", report)
				return app.Reconciled{}
			}
			drift := func() app.Reconciled { return driftOf("calls") }
			if d := drift(); d.Differing != 1 || d.Standing != 0 || !d.First.Start.Equal(hour) || d.First.Difference != "-40" {
				t.Errorf("%+v, %+v", d, d.First)
			}
			s.run("run", "--once").ends(app.ExitDone)
			if d := drift(); d.Differing != 1 || d.Standing != 1 || d.First.Rereads != 1 || d.First.AgainAt == nil {
				t.Errorf("%+v, %+v", d, d.First)
			}
			s.run("status").ends(app.ExitDone).prints("calls: 1 windows differ from insight answered, 1 of them after they were read again; the first, "+hour.Format(time.DateTime), "the warehouse has ")
			// The window after it says by its previous value what that one should be.
			if d := driftOf("answered"); d.Insight != "answered" || d.Differing != 1 || d.First.Difference != "40" || d.First.Rereads != 1 || d.First.AgainAt != nil {
				t.Errorf("%+v, %+v", d, d.First)
			}
			s.run("status").prints("answered: 1 windows differ from what the API says later (previousValue)")
			s.run("check").ends(app.ExitDone).prints("report calls with insight answered: its sql makes ")

			s.tellsTo(c, "2h")
			p := s.start(nil, "run")
			page := p.page()
			c.hears("calls does not agree with insight answered in 1 windows, though both were read again; the first, " + hour.Format(time.DateTime))
			mustServe(t, page+"metrics", `exporter_differing_windows{dataset="calls",insight="answered",state="stands"} 1`)
			mustServe(t, page, "1 windows differ from insight answered")
			s.sim.Unscript()
			s.run("run", "--backfill", "--from", hour.Format(time.RFC3339), "--to", hour.Add(time.Hour).Format(time.RFC3339), "--report", "answered").ends(app.ExitDone)
			c.hears("calls agrees with insight answered again")
			p.stop()
			c.hearsNoMore()
			for _, dataset := range []string{"calls", "answered"} {
				if d := driftOf(dataset); d.Differing != 0 || d.First != nil {
					t.Errorf("%+v, %+v", d, d.First)
				}
			}
		})
	}
}

// A mistake in the sql is told by check, and stops nothing.
func TestReconcileWithAMistake(t *testing.T) {
	for _, w := range warehouses() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.dsn = w.dsn(t)
			s.bindsTo("count(*) filter (where way = 'in')")
			if r := s.run("run", "--once").ends(app.ExitDone); !strings.Contains(r.stderr, "a report is not reconciled") {
				t.Errorf("stderr: %s", r.stderr)
			}
			if r := s.run("check").ends(app.ExitUsage); !strings.Contains(r.stdout, "report calls with insight answered") || !strings.Contains(r.stdout, "way") {
				t.Errorf("stdout: %s", r.stdout)
			}
			s.bindsTo("duration_s")
			if r := s.run("check").ends(app.ExitUsage); !strings.Contains(r.stdout, "mend sql in the config") {
				t.Errorf("stdout: %s", r.stdout)
			}
			s.bindsTo(inboundCalls)
			s.run("check").ends(app.ExitDone)
		})
	}
}
