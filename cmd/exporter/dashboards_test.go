package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/export"
	"samespace-exporter/internal/source/simulator"
)

// The way of a user: a dashboard's description in tables, and what it was before.
func TestDashboards(t *testing.T) {
	for _, w := range warehouses() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.dsn = w.dsn(t)
			s.reports = fmt.Sprintf("dashboards:\n  - {name: operations, dashboard_id: %q}\n  - {name: floor, dashboard_id: %q}\n",
				simulator.DashboardID, simulator.FloorDashboardID)
			s.configure()
			s.run("check").ends(app.ExitDone).prints("exports calls, operations, floor", "table dashboard_filters: is not there yet", "dashboard floor: the API describes it, with 5 insights")
			plan := decoded[app.Plan](t, s.run("plan", "--json").ends(app.ExitDone).stdout)
			statements := strings.Join(plan.Datasets[1].Statements, "\n")
			if len(plan.Datasets) != 3 || plan.Datasets[1].Total().Requests != 1 || strings.Count(statements, "CREATE TABLE") != 4 || strings.Count(statements, "CREATE SCHEMA") > 1 {
				t.Errorf("%+v", plan)
			}
			for range 2 {
				s.run("run", "--once").ends(app.ExitDone)
			}
			s.run("plan", "--json").ends(app.ExitDone).prints(`"statements": []`)
			insights := s.table("dashboard_insights", "samespace.dashboard_insights")
			if n := s.count("select count(*) from " + insights); n != 7 {
				t.Errorf("%d insights", n)
			}
			definition := s.sim.Dashboard(simulator.DashboardID)
			s.sim.SetDashboard(simulator.DashboardID, bytes.Replace(definition, []byte("Answered (Inbound)"), []byte("Inbound"), 1))
			s.run("run", "--once", "--report", "operations").ends(app.ExitDone)
			got := s.query("select title from " + insights + " where insight_id = '" + simulator.InboundInsightID + "' order by valid_from")
			if len(got) != 2 || got[1][0] != "Inbound" {
				t.Errorf("versions: %q", got)
			}
			s.run("status").ends(app.ExitDone).prints("| operations ", "| floor ")
			s.run("run", "--backfill", "--from", s.since.Format("2006-01-02")).ends(app.ExitDone)
			s.run("rejects", "retry").ends(app.ExitDone)
			if r := s.run("verify", "--from", s.since.Format("2006-01-02")).ends(app.ExitDone); !strings.Contains(r.stderr, ": operations (a dashboard), floor (a dashboard)\n") {
				t.Errorf("stderr: %s", r.stderr)
			}
			s.sim.SetDashboard(simulator.DashboardID, nil)
			s.run("check").ends(app.ExitUsage).prints("dashboard operations: ", "check dashboard_id")
			s.run("run", "--once").ends(app.ExitUsage).says("operations", "check dashboard_id")
		})
	}
}

// No report may have a table that dashboards are kept in.
func TestDashboardsKeepTheirTables(t *testing.T) {
	t.Parallel()
	mappers, err := export.DashboardMappers()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mappers {
		s := newSite(t)
		s.reports = fmt.Sprintf("  - {name: taken, table: %s, report_id: r, since: 2024-01-01, key: [call_id], fields: %s}\n", m.Table().Name, s.fields)
		s.configure()
		s.run("check", "--offline").ends(app.ExitDone)
		s.reports += fmt.Sprintf("dashboards: [{name: operations, dashboard_id: %q}]\n", simulator.DashboardID)
		s.configure()
		s.run("check", "--offline").ends(app.ExitUsage).says("is kept in the table " + m.Table().Name)
	}
	s := newSite(t)
	s.reports = "dashboards: [{name: one, dashboard_id: d}, {name: two, dashboard_id: d}]\n"
	s.configure()
	s.run("check", "--offline").ends(app.ExitUsage).says("the same dashboard as line")
}
