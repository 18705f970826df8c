package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/source/simulator"
)

func TestDemo(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "exporter-demo.yaml")
	demo := func() string {
		t.Helper()
		r := execute(t, t.Context(), "demo", "--dir", dir, "--days", "1").ends(app.ExitDone)
		r.prints("queue", "answered_percent", "Support", "A second pass wrote 0 rows", "exporter run -c "+path)
		if r.stderr != "" {
			t.Errorf("on stderr: %s", r.stderr)
		}
		if _, err := os.Stat(filepath.Join(dir, "exporter-demo.db")); err != nil {
			t.Fatal(err)
		}
		return r.stdout
	}
	first := demo()
	if rows := regexp.MustCompile(`(?m)^\| calls +\| +\d+ \| +\d+ \| +(\d+) `).FindStringSubmatch(first); rows == nil || len(rows[1]) < 3 {
		t.Errorf("no summary of a day of calls: %s", first)
	}
	demo() // into the same file

	t.Setenv("DEMO_ENDPOINT", simulated(t))
	execute(t, t.Context(), "check", "-c", path).ends(app.ExitDone).prints("ok     report calls", "ok     report callbacks")
	execute(t, t.Context(), "run", "--once", "-c", path).ends(app.ExitDone).prints("calls", "agent_sessions", "callbacks")
	r := execute(t, t.Context(), "status", "-c", path, "--json").ends(app.ExitDone)
	for _, d := range decoded[app.Report](t, r.stdout).Datasets {
		if d.Through == nil || d.Rows == 0 || d.Failing != 0 {
			t.Errorf("%+v", d)
		}
	}
}

func TestDemoIntoPostgres(t *testing.T) {
	t.Parallel()
	dir, dsn := t.TempDir(), server.Database(t)
	r := execute(t, t.Context(), "demo", "--dir", dir, "--days", "1", "--dsn", dsn).ends(app.ExitDone)
	r.prints("into Postgres", "from samespace.demo_calls", "Support", "A second pass wrote 0 rows", "export DEMO_DSN=")
	text, err := os.ReadFile(filepath.Join(dir, "exporter-demo.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, shown := range map[string]string{"stdout": r.stdout, "stderr": r.stderr, "the config": string(text)} {
		if strings.Contains(shown, dsn) {
			t.Errorf("the DSN is in %s: %s", name, shown)
		}
	}
	if r.stderr != "" {
		t.Errorf("on stderr: %s", r.stderr)
	}
}

// simulated is the endpoint that the command simulate says it serves, until the test ends.
func simulated(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	ended := make(chan int, 1)
	var stderr transcript
	go func() {
		ended <- run(ctx, []string{"simulate", "--listen", "127.0.0.1:0"}, writer, &stderr)
		_ = writer.Close()
	}()
	var reading sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		defer reading.Wait()
		if code := receive(t, ended, "the end of simulate"); code != app.ExitDone {
			t.Errorf("simulate ended with %d: %s", code, stderr.String())
		}
	})
	lines := bufio.NewScanner(reader)
	endpoint := ""
	for endpoint == "" && lines.Scan() {
		if word, rest, _ := strings.Cut(lines.Text(), " "); word == "endpoint" {
			endpoint = strings.TrimSpace(rest)
		}
	}
	reading.Go(func() {
		for lines.Scan() {
		}
	})
	if endpoint == "" {
		t.Fatalf("simulate names no endpoint: %s", stderr.String())
	}
	return endpoint
}

func decoded[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

func TestCheck(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run("check", "--offline").ends(app.ExitDone).prints("ok     config")
	if asked := s.sim.Stats().Requests; asked != 0 {
		t.Errorf("offline, the API was asked %d times", asked)
	}
	s.run("check").ends(app.ExitDone).prints("ok     config: exports calls\n", "ok     warehouse: SQLite", "ok     report calls: ")
	findings := decoded[[]app.Finding](t, s.run("check", "--json").ends(app.ExitDone).stdout)
	if len(findings) != 4 || !findings[0].OK || findings[2].Subject != "table calls" || findings[3].Subject != "report calls" {
		t.Errorf("%+v", findings)
	}
	s.key = "another-key"
	s.configure()
	s.run("check", "--offline").ends(app.ExitDone)
	r := s.run("check", "--json").ends(app.ExitUnreachable)
	r.says("one thing is wrong")
	findings = decoded[[]app.Finding](t, r.stdout)
	if len(findings) != 4 || !findings[1].OK || findings[3].OK || !strings.Contains(findings[3].Text, "source.api_key") {
		t.Errorf("%+v", findings)
	}
	s.dsn = "postgres://exporter:" + canaryPassword + "@" + closedPort(t) + "/warehouse"
	s.configure()
	s.run("check", "--json").ends(app.ExitUnreachable).says("2 things are wrong")
}

// What may be right is told apart from what is, and what the API refuses has a next step.
func TestCheckSaysWhatToLookAt(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.fields += `      "0123456789abcdef01234567": {name: nowhere, type: text}` + "\n"
	s.reports = fmt.Sprintf("  - {name: unknown, report_id: 6007d54273902f0069dc6000, write: append, time_field: at, since: %s, fields: {%q: {name: at, type: timestamptz}}}\n",
		s.since.Format(time.DateOnly), s.report.TimeField) +
		fmt.Sprintf("insights:\n  - {name: nobody, dashboard_id: 64708408b289a50051bd6781, insight_id: 6470840db289a50051bd6000, since: %s, fields: {value: {name: value, type: numeric}}}\n",
			s.since.Format(time.DateOnly))
	s.configure()
	r := s.run("check").ends(app.ExitUsage).prints(
		"ok     report calls: 200 sampled rows fit the mapping; ",
		"LOOK   report calls: not seen in the sample of 200 rows: nowhere (0123456789abcdef01234567); ", "exporter discover --report "+s.report.ID,
		"is not known; check reports[1].report_id (6007d54273902f0069dc6000)", "is not known; check insights[0].insight_id (6470840db289a50051bd6000)")
	if strings.Count(r.stdout, "nowhere") != 1 || strings.Contains(r.stdout, "very short") {
		t.Errorf("on stdout: %s", r.stdout)
	}
	findings := decoded[[]app.Finding](t, s.run("check", "--json").ends(app.ExitUsage).stdout)
	warned := slices.IndexFunc(findings, func(f app.Finding) bool { return f.Warning })
	if warned < 0 || !findings[warned].OK || findings[warned].Subject != "report calls" {
		t.Errorf("%+v", findings)
	}

	s.key = "e"
	s.configure()
	s.run("check", "--offline").ends(app.ExitDone).prints("LOOK   config: source.api_key is very short: check that it is the whole key")
}

// A key that several rows have is a mistake. A row that the API sends twice is none, nor are rows that nothing has to tell apart.
func TestCheckOfAKeyThatIsNotUnique(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	report := func(name, more string) string {
		return fmt.Sprintf("  - {name: %s, report_id: %s, time_field: started_at, since: %s, fields: %s, %s}\n",
			name, s.report.ID, s.since.Format(time.DateOnly), s.fields, more)
	}
	s.sim.Script(simulator.Always(), simulator.Duplicate())
	s.reports = report("several", "key: [direction, call_id]") + report("appended", "write: append")
	s.configure()
	s.run("check").ends(app.ExitDone).prints("ok     report several: ")
	s.reports += report("shared", "key: [direction]")
	s.configure()
	s.run("check").ends(app.ExitUsage).prints("ok     report calls: ", "ok     report several: ", "ok     report appended: ",
		"WRONG  report shared: key is not unique: 200 of 200 sampled rows share their direction with a row that is not the same", "name more fields under key, or write: append")
}

func TestStatus(t *testing.T) {
	for _, w := range warehouses() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.dsn = w.dsn(t)
			s.configure()
			nothing := func() {
				t.Helper()
				s.run("status").ends(app.ExitDone).prints("nothing has been exported yet")
				if report := decoded[app.Report](t, s.run("status", "--json").ends(app.ExitDone).stdout); report.Datasets == nil || len(report.Datasets) != 0 {
					t.Errorf("%+v", report)
				}
			}
			nothing()
			for range 2 {
				s.run("migrate").ends(app.ExitDone).prints("current")
			}
			nothing()
			s.run("run", "--once").ends(app.ExitDone).prints("| calls ")
			s.mustBeWhole()
			s.run("status").ends(app.ExitDone).prints("complete through (UTC)", "| calls ", "done ")
			report := decoded[app.Report](t, s.run("status", "--json").ends(app.ExitDone).stdout)
			if len(report.Datasets) != 1 {
				t.Fatalf("%+v", report)
			}
			d := report.Datasets[0]
			if d.Name != "calls" || int(d.Rows) != s.rows() || d.Through == nil || d.LastRun == nil || d.LastRun.Outcome != "done" || d.Failing != 0 {
				t.Errorf("%+v", d)
			}
			s.key = "another-key"
			s.configure()
			s.run("run", "--backfill", "--from", s.since.Format("2006-01-02")).ends(app.ExitUnreachable)
			s.run("status").ends(app.ExitDone).prints("failed ", "calls: key refused: getReportData", "check source.api_key")
		})
	}
}

// A dataset that is named twice has one pass.
func TestReportNamedTwice(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	r := s.run("run", "--once", "--report", "calls", "--report", "calls").ends(app.ExitDone)
	if n := strings.Count(r.stdout, "| calls "); n != 1 {
		t.Errorf("%d passes: %s", n, r.stdout)
	}
	s.mustBeWhole()
}

func TestSmallCommands(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ args, want string }{
		{"version", `^exporter \S+\n$`},
		{"completion bash", `__start_exporter`},
		{"", `(?s)Exit codes.*Available Commands`},
		{"help run", `(?s)--backfill.*Examples`},
		{"run --help", `(?s)--backfill.*Examples`},
	} {
		r := execute(t, t.Context(), strings.Fields(c.args)...).ends(app.ExitDone)
		if !regexp.MustCompile(c.want).MatchString(r.stdout) || r.stderr != "" {
			t.Errorf("%s: %s%s", c.args, r.stdout, r.stderr)
		}
	}
}

func TestHealthcheckWithoutDaemon(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.listen = closedPort(t)
	s.configure()
	s.run("healthcheck").ends(app.ExitFailed).says("no daemon answers on http.listen", s.listen, "connection refused", "exporter run")
	s.listen = ""
	s.configure()
	s.run("healthcheck").ends(app.ExitUsage).says("http.listen is off")
}

// Every way to write, by the config's words.
func TestWaysToWrite(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	report := func(name, more string) string {
		return fmt.Sprintf("  - {name: %s, report_id: %s, sort: {by: started_at}, fields: %s, %s}\n", name, s.report.ID, s.fields, more)
	}
	since := "time_field: started_at, since: " + s.since.Format(time.DateOnly)
	s.reports = report("replaced", "write: replace, "+since) +
		report("appended", "write: append, "+since) +
		report("rolling", "write: replace, time_range: PAST_24_HOURS") +
		report("snapshots", "write: append, time_range: PAST_24_HOURS, key: [call_id]") +
		report("upserted", "key: [call_id], time_range: PAST_24_HOURS") +
		report("marked", "key: [call_id], deleted: mark, "+since)
	s.configure()
	s.run("check").ends(app.ExitDone)
	for range 2 {
		s.run("run", "--once").ends(app.ExitDone)
	}
	s.mustBeWhole()
	rows := func(table string) int { return s.count("select count(*) from " + s.table(table, "samespace."+table)) }
	for _, table := range []string{"replaced", "appended", "marked"} {
		if have, want := rows(table), s.rows(); have < want-2 || have > want+2 { // one may come of age in between
			t.Errorf("%s has %d rows, calls has %d", table, have, want)
		}
	}
	if rows("rolling") == 0 || rows("upserted") == 0 {
		t.Errorf("rolling ranges have %d and %d rows", rows("rolling"), rows("upserted"))
	}
	if n := s.count("select count(distinct _window_start) from " + s.table("snapshots", "samespace.snapshots")); n != 2 {
		t.Errorf("%d snapshots", n)
	}
	s.run("run", "--backfill", "--from", s.since.Format(time.DateOnly), "--report", "rolling").ends(app.ExitFailed).says("no past to backfill")
	s.run("run", "--backfill", "--from", s.since.Format(time.DateOnly)).ends(app.ExitDone)
}

// The way of a user: rows are rejected, the mapping is mended, the rejects are retried without the API.
func TestRejects(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run("rejects", "list").ends(app.ExitDone).prints("no rejected rows")
	s.sim.Script(simulator.Always(), simulator.WrongTypes(s.report.Metric("duration_s").ID))
	// By day, some days ago: of a window with a row or two none might fit, which is another story.
	day := s.since.Format(time.DateOnly)
	s.run("run", "--backfill", "--from", day+"T06:00:00Z", "--to", day+"T18:00:00Z").ends(app.ExitDone)
	s.run("rejects", "list", "--report", "calls").ends(app.ExitDone).prints("calls", "duration_s", "is not an integer", "attempts")
	all := decoded[[]app.Reject](t, s.run("rejects", "list", "--json", "--limit", "0").ends(app.ExitDone).stdout)
	if len(all) < 2 || all[0].Raw != "" || all[0].Field != "duration_s" || all[0].Attempts == 0 || !all[0].WindowStart.Before(all[0].WindowEnd) {
		t.Fatalf("%d rejects, the first of them %+v", len(all), all[0])
	}
	one := s.run("rejects", "list", "--json", "--raw", "--limit", "1").ends(app.ExitDone)
	if raw := decoded[[]app.Reject](t, one.stdout); len(raw) != 1 || !json.Valid([]byte(raw[0].Raw)) {
		t.Errorf("%+v", raw)
	}
	if !strings.Contains(one.stderr, "--limit 0 shows all") {
		t.Errorf("nothing says that there are more: %s", one.stderr)
	}
	r := s.run("rejects", "retry", "--json").ends(app.ExitFailed)
	if want := (app.Retried{Dataset: "calls", Left: int64(len(all))}); decoded[[]app.Retried](t, r.stdout)[0] != want {
		t.Errorf("retried by the same mapping: %s", r.stdout)
	}
	if !strings.Contains(r.stderr, "still do not fit") {
		t.Errorf("stderr: %s", r.stderr)
	}

	asked := s.sim.Stats().Requests
	s.replace("name: duration_s, type: integer", "name: duration, type: text")
	s.run("rejects", "retry").ends(app.ExitDone).prints("inserted", count(len(all)))
	if now := s.sim.Stats().Requests; now != asked {
		t.Errorf("a retry asked the API %d times", now-asked)
	}
	s.run("rejects", "list", "--json").ends(app.ExitDone).prints("[]")
	s.run("rejects", "lost").ends(app.ExitUsage)
	s.run("rejects", "list", "--report", "nosuch").ends(app.ExitUsage)
	s.run("rejects", "list", "--limit", "-1").ends(app.ExitUsage)
}

// What somebody did to the table is found, and repaired.
func TestVerify(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	from, noon := s.since.Format(time.DateOnly), s.since.Format(time.DateOnly)+"T12:00"
	s.run("verify").ends(app.ExitUsage)
	s.run("verify", "--from", "yesterday").ends(app.ExitUsage)
	s.run("verify", "--from", "2999-01-01").ends(app.ExitUsage)
	if r := s.run("verify", "--from", from).ends(app.ExitFailed); !strings.Contains(r.stderr, "exporter run --once") {
		t.Errorf("nothing says what to do first: %s", r.stderr)
	}
	s.run("run", "--once").ends(app.ExitDone)
	s.run("verify", "--from", from).ends(app.ExitDone).prints("calls", "windows that differ")
	long := s.since.AddDate(0, 0, -3).Format(time.DateOnly) // before what is exported
	s.run("verify", "--from", long, "--to", s.since.AddDate(0, 0, -1).Format(time.DateOnly)).ends(app.ExitFailed).says("windows of the range are not read yet", "run --backfill")

	db, err := sql.Open("sqlite", strings.TrimPrefix(s.dsn, "sqlite:"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{
		"update calls set duration_s = -1 where started_at = (select max(started_at) from calls where started_at < '" + noon + "')",
		"delete from calls where started_at = (select min(started_at) from calls)",
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	r := s.run("verify", "--from", from, "--report", "calls").ends(app.ExitFailed).prints("1 missing", "1 different (duration_s 1)", "in duration_s")
	if !strings.Contains(r.stderr, "--repair") {
		t.Errorf("stderr: %s", r.stderr)
	}
	found := decoded[[]app.Verification](t, s.run("verify", "--from", from, "--json").ends(app.ExitFailed).stdout)
	if len(found) != 1 || found[0].Equal || len(found[0].Differing) == 0 || found[0].Rows < 100 {
		t.Errorf("%+v", found)
	}
	s.run("verify", "--from", from, "--repair").ends(app.ExitDone).prints("were read again; 0 of")
	s.run("verify", "--from", from).ends(app.ExitDone)

	s.endpoint = "http://127.0.0.1:1/"
	s.configure()
	s.run("verify", "--from", from).ends(app.ExitUnreachable)
}
