package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/source/simulator"
)

// A person with an endpoint and a key only gets from there to rows in a table.
func TestDiscoverFromNothing(t *testing.T) {
	s := newSite(t)
	t.Setenv("SAMESPACE_API_KEY", canaryKey)
	head := fmt.Sprintf("# mine\nsource: {endpoint: %q, api_key: '${SAMESPACE_API_KEY}', requests_per_second: 1000} # the API\nwarehouse: {dsn: %q}\n"+
		"defaults: {window: {delay: 0s}} # up to the last call\n", s.endpoint, s.dsn)

	s.write(head)
	found := s.run("discover", "--report", s.report.ID, "--dashboard", simulator.DashboardID, "--name", "calls").ends(app.ExitDone)
	found.prints("key: [id]", "time_field: started_at", "title: Channel", "{drop: true}", "a copy of "+s.report.TimeField)
	s.write(head + strings.Replace(found.stdout, "since: 20", "since: "+s.since.Format("2006-01-02")+" # 20", 1))
	s.run("check").ends(app.ExitDone).prints("sampled rows fit the mapping")
	s.run("run", "--once").ends(app.ExitDone).prints("calls")
	truth := 0
	for range s.sim.Truth(s.report.ID, s.since, s.since.AddDate(0, 0, 3)) {
		truth++
	}
	if rows := s.query("select count(*), count(distinct started_at) from calls"); rows[0][0] != fmt.Sprint(truth) || truth == 0 {
		t.Errorf("%v rows in the table, want %d", rows, truth)
	}

	s.write(head)
	s.run("discover", "--report", s.report.ID, "--name", "calls", "--write").ends(app.ExitDone).prints("added to " + s.path + ": report calls")
	text, err := os.ReadFile(s.path)
	if err != nil || !strings.HasPrefix(string(text), head) {
		t.Errorf("%v: what a person wrote has changed: %s", err, text)
	}
	s.run("discover", "--report", s.report.ID, "--write").ends(app.ExitDone).prints("has all of it already")
	s.run("check").ends(app.ExitDone).prints("sampled rows fit the mapping")
}

func TestDiscoverSaysWhatToDo(t *testing.T) {
	s := newSite(t)
	s.run("discover").ends(app.ExitUsage).says("--report is missing")
	s.run("discover", "--report", "nosuch").ends(app.ExitFailed).says("nosuch", "is not known")
	s.run("discover", "--report", s.report.ID, "--dashboard", "nosuch").ends(app.ExitUsage).says("no dashboard nosuch", "check dashboard_id")
	execute(t, t.Context(), "discover", "--report", "r", "-c", t.TempDir()+"/none.yaml").ends(app.ExitUsage).says("--endpoint")
	t.Setenv("SAMESPACE_API_KEY", "")
	execute(t, t.Context(), "discover", "--report", "r", "--endpoint", s.endpoint).ends(app.ExitUsage).says("set SAMESPACE_API_KEY")
	t.Setenv("SAMESPACE_API_KEY", "wrong-key")
	execute(t, t.Context(), "discover", "--report", s.report.ID, "--endpoint", s.endpoint).ends(app.ExitUnreachable).says("source.api_key")
}

func TestCheckMeasuresTheContract(t *testing.T) {
	for _, w := range warehouses() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.dsn = w.dsn(t)
			s.configure()
			s.sim.Script(simulator.Always(), simulator.PageCap(40), simulator.InclusiveEnd(), simulator.RangeLimit(24*time.Hour+time.Minute))
			s.run("check", "--contract").ends(app.ExitDone).prints("contract of calls", "largest page: 40 rows", "one on its end: yes",
				"ranges of 7 days are refused, of 1 days not", "not kept, since the exporter's own tables are not there yet")
			s.run("migrate").ends(app.ExitDone)
			s.run("check", "--contract").ends(app.ExitDone).prints("kept; the next passes go by it")
			s.run("run", "--once").ends(app.ExitDone)
			s.mustBeWhole()
			s.run("plan").ends(app.ExitDone).prints("limit: pages of 40 rows at most, as exporter check --contract measured", "limit: ranges of 1d at most")
			if limits := s.plan().Datasets[0].Limits; len(limits) != 2 || limits[0].Limit != "page" || limits[0].Most != 40 || limits[0].From != "measured" {
				t.Errorf("%+v", limits)
			}
			s.run("status").ends(app.ExitDone).prints("calls: the API was measured on", "calls: rows arrive")
			s.run("check", "--contract").ends(app.ExitDone).prints("as it was measured on")

			s.sim.Unscript()
			s.sim.Script(simulator.Always(), simulator.PageCap(45))
			r := s.run("check", "--contract", "--json").ends(app.ExitDone)
			findings := decoded[[]app.Finding](t, r.stdout)
			found := findings[len(findings)-1].Contract
			if found == nil || !found.Kept || found.Before == nil || found.Before.After(found.At) || len(found.Changed) != 3 || found.LargestPage != 45 ||
				found.Changed[0].Property != "largest page" || found.Changed[0].Was != "40 rows" || found.Changed[0].Is != "45 rows" {
				t.Errorf("%s", r.stdout)
			}
			s.sim.Unscript()
			s.run("check", "--contract").ends(app.ExitDone).prints("CHANGED largest page: on ", `it was "45 rows", on `, `it is "at least `)
		})
	}
	s := newSite(t)
	s.key = "wrong-key"
	s.configure()
	s.run("check", "--contract").ends(app.ExitUnreachable).prints("WRONG").says("the contract was not measured")
	s.run("check", "--contract", "--offline").ends(app.ExitUsage).says("leave out --offline")
}
