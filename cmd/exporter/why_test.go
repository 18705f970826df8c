package main

import (
	"fmt"
	"testing"
	"time"

	"samespace-exporter/internal/app"
)

func TestWhy(t *testing.T) {
	for _, w := range warehouses() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.dsn = w.dsn(t)
			s.configure()
			s.run("why", "calls", "x").ends(app.ExitFailed).says("the exporter's own tables are not there yet")
			s.run("run", "--once").ends(app.ExitDone)
			id := s.query("select call_id from " + s.table("calls", "samespace.calls") + " where duration_s is not null order by started_at limit 1")[0][0]
			s.run("why", "calls", id).ends(app.ExitDone).prints("calls, row with call_id = "+id+" in table calls", "UTC  written (window of ",
				"  duration_s: ", "valid now", "history: true in calls")
			s.reports = "    history: true\n    deleted: mark\n"
			s.configure()
			s.run("why", "calls", id).ends(app.ExitFailed).says("prepared with another config, or never", "run --once begins")
			s.run("run", "--once").ends(app.ExitDone)
			readAgain := func() {
				t.Helper()
				s.run("run", "--backfill", "--restart", "--from", s.since.Format(time.DateOnly)).ends(app.ExitDone)
			}
			if err := s.sim.Change(s.report.ID, id, map[string]any{s.report.Metric("duration_s").ID: 4242, s.report.Metric("disposition").ID: "Sold"}); err != nil {
				t.Fatal(err)
			}
			readAgain()
			r := s.run("why", "calls", id).ends(app.ExitDone)
			r.prints("first version that is known (window of ", "  direction: ", "changed by run ", " -> 4242\n", "  _extra."+s.report.Metric("disposition").ID+": ", " -> \"Sold\"\n", "valid now")
			if err := s.sim.Remove(s.report.ID, id); err != nil {
				t.Fatal(err)
			}
			readAgain()
			s.run("why", "calls", id).ends(app.ExitDone).prints("marked as deleted by run ", "the API has it no more")
			life := decoded[app.Life](t, s.run("why", "calls", id, "--json").ends(app.ExitDone).stdout)
			if len(life.Versions) != 3 || !life.History || len(life.Key) != 1 || life.Key[0] != (app.KeyPart{Column: "call_id", Value: id}) {
				t.Fatalf("%+v", life)
			}
			first, changed, gone := life.Versions[0], life.Versions[1], life.Versions[2]
			if first.Cause != "" || first.Run != 0 || !first.To.Equal(changed.From) || len(first.Row) != 5 {
				t.Errorf("first: %+v", first)
			}
			if c := changed.Changes; changed.Cause != "read" || changed.Run == 0 || len(c) != 2 || c[0].Column != "duration_s" || fmt.Sprint(c[0].After) != "4242" || c[0].Before != first.Row["duration_s"] {
				t.Errorf("changed: %+v", changed)
			}
			if gone.Cause != "gone" || !gone.Deleted || gone.To != nil || len(gone.Changes) != 0 || gone.WindowStart.IsZero() {
				t.Errorf("gone: %+v", gone)
			}
			s.run("why", "calls", "nobody").ends(app.ExitFailed).says("there is no row with call_id = nobody in table calls or its history")
			s.run("why", "calls", id, "1").ends(app.ExitUsage).says("the key of calls is call_id", "not 2")
			s.run("why", "cals", id).ends(app.ExitUsage).says("cals", "calls")
			s.run("why", "calls").ends(app.ExitUsage).says("needs a report and the key of a row")
		})
	}
}
