package main

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/source/simulator"
)

func TestWrongKey(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.key = "another-key"
	s.configure()
	s.run("run", "--once").ends(app.ExitUnreachable).says("calls: ", "401", "check source.api_key")
	if n := s.read(); n != 0 {
		t.Errorf("%d windows are marked as read", n)
	}
	s.run("check").ends(app.ExitUnreachable).prints("ok     warehouse", "WRONG  report calls", "check source.api_key")
	s.key = canaryKey
	s.configure()
	s.run("run", "--once").ends(app.ExitDone)
	s.mustBeWhole()
}

// Windows that failed before and are not due again yet are not read either.
func TestOnceWhereWindowsRest(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.sim.Script(simulator.Always(), simulator.Errors("broken"))
	s.run("run", "--once").ends(app.ExitFailed).says("calls: ", "broken")
	s.sim.Unscript()
	s.run("run", "--once").ends(app.ExitFailed).says("could not be read before, and not tried again yet", "broken", "--backfill")
	s.run("run", "--backfill", "--from", s.since.Format(time.DateOnly)).ends(app.ExitDone)
	s.run("run", "--once").ends(app.ExitDone)
	s.mustBeWhole()
}

// What is wrong with all datasets is said once.
func TestWrongKeyOfSeveralDatasets(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.key = "another-key"
	s.reports = `
  - {name: second, report_id: 6007d54273902f0069dc68dd, since: 2026-01-01, key: [id], fields: {5ef594e0eba06ff9adbcfc07: {name: id, type: text}}}
  - {name: third, report_id: 6007d54273902f0069dc68de, since: 2026-01-01, key: [id], fields: {5ef594e0eba06ff9adbcfc07: {name: id, type: text}}}
`
	s.configure()
	r := s.run("run", "--once").ends(app.ExitUnreachable)
	r.says("calls, second, third: ", "401")
	if r.stdout != "" {
		t.Errorf("a pass that did nothing prints %s", r.stdout)
	}
}

func TestEndpointUnreachable(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	sound := s.endpoint
	s.endpoint = "http://" + closedPort(t)
	s.configure()
	s.run("run", "--once").ends(app.ExitUnreachable).says("calls: ", "connection refused", "check source.endpoint")
	if n := s.read(); n != 0 {
		t.Errorf("%d windows are marked as read", n)
	}
	s.run("check").ends(app.ExitUnreachable).prints("WRONG  report calls", "check source.endpoint")
	s.endpoint = sound
	s.configure()
	s.run("run", "--once").ends(app.ExitDone)
	s.mustBeWhole()
}

func TestPostgresDown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.dsn = "postgres://exporter:" + canaryPassword + "@" + closedPort(t) + "/warehouse"
	s.configure()
	for _, command := range [][]string{{"run", "--once"}, {"run", "--backfill", "--from", "2026-01-01"}, {"status"}, {"migrate"}} {
		s.run(command...).ends(app.ExitUnreachable).says("warehouse not available", "connection refused", "warehouse.dsn")
	}
	r := s.run("check").ends(app.ExitUnreachable).prints("WRONG  warehouse", "connection refused", "warehouse.dsn", "ok     report calls")
	mustBeFitForPeople(t, regexp.MustCompile(`(?m)^WRONG .*$`).FindString(r.stdout))
	if n := s.sim.Stats().Requests; n != 1 {
		t.Errorf("%d requests: only check asks the API while the warehouse is down", n)
	}
}

// RLIMIT_FSIZE acts like a disk that is full, without special rights.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run("migrate").ends(app.ExitDone)
	p := s.start([]string{"EXPORTER_TEST_FILE_SIZE=200000"}, "run", "--once", "--lease", "3s")
	p.wait().ends(app.ExitUnreachable).says("calls: ", "warehouse not available", "the disk")
	rows, read := s.rows(), s.read()
	counted := s.count("select coalesce(sum(rows), 0) from exporter_windows where read_to is not null")
	if all := s.count("select count(*) from exporter_windows"); read >= all || rows != counted {
		t.Errorf("%d of %d windows are marked as read, with %d rows, of which %d are there", read, all, counted, rows)
	}
	s.run("run", "--once", "--lease", "3s").ends(app.ExitDone)
	s.mustBeWhole()
}

func TestBadMapping(t *testing.T) {
	for _, c := range []struct {
		name, old, with string
		words           []string
	}{
		{"a key that no row has", `"5ef594e0eba06ff9adbcfc07"`, `"5ef594e0eba06ff9adbcfcff"`, []string{"call_id: is missing", "fields in the config"}},
		{"a type that no row fits", "direction, type: text", "direction, type: integer", []string{"direction: ", "is not an integer", "fields in the config"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.replace(c.old, c.with)
			s.run("run", "--once").ends(app.ExitFailed).says(c.words...)
			// A window in which the API has no row may be marked as read: one with rows would have rejects.
			if rejects, rows := s.count("select count(*) from exporter_rejects"), s.rows(); rejects != 0 || rows != 0 {
				t.Errorf("windows are marked as read, with %d rejects and %d rows", rejects, rows)
			}
			s.run("check").ends(app.ExitUsage).prints(append(c.words, "WRONG  report calls")...).says("see above")
		})
	}
}

func TestNarrowing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run("run", "--once").ends(app.ExitDone)
	ledger := "select start_at, state, reads, read_at, read_to from exporter_windows order by start_at"
	before := s.query(ledger)
	s.replace("duration_s, type: integer", "duration_s, type: boolean")
	s.run("run", "--backfill", "--from", s.since.Format("2006-01-02")).ends(app.ExitUsage).
		says("calls: ", "duration_s", "BIGINT", "BOOLEAN", "nothing was changed", `ALTER TABLE "calls" RENAME COLUMN "duration_s"`)
	after := s.query(ledger)
	if len(after) == 0 || len(after) != len(before) {
		t.Fatalf("%d windows, before %d", len(after), len(before))
	}
	for i := range after {
		if strings.Join(after[i], " ") != strings.Join(before[i], " ") {
			t.Errorf("the ledger changed: %v, was %v", after[i], before[i])
		}
	}
}

// All mistakes of a config come at once, each with its place.
func TestMalformedConfig(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.write(`source:
  endpoint: ftp://example.com
  api_key: ` + canaryKey + `
  max_attempts: none
  tmeout: 3s
warehouse: {dsn: "oracle://u:` + canaryPassword + `@h/db"}
reports:
  - name: calls
    report_id: 6007d54273902f0069dc68dc
    since: yesterday
    key: [call]
    fields: {5ef594e0eba06ff9adbcfc07: {name: call_id, type: txt}}
`)
	r := s.run("run", "--once").ends(app.ExitUsage)
	r.says()
	lines := strings.Split(strings.TrimPrefix(strings.TrimSpace(r.stderr), "exporter: "), "\n")
	for i, want := range []string{
		"2:13: source.endpoint: ", "4:17: source.max_attempts: ", "5:3: source.tmeout: is not a key here; did you mean timeout?",
		"6:18: warehouse.dsn: ", "10:12: reports[0].since: ", "11:11: reports[0].key[0]: ", "12:62: reports[0].fields.5ef594e0eba06ff9adbcfc07.type: ",
	} {
		if i >= len(lines) || !strings.HasPrefix(strings.TrimSpace(lines[i]), s.path+":"+want) {
			t.Errorf("line %d is not about %s: %q", i, want, lines)
		}
	}
	if s.sim.Stats().Requests != 0 {
		t.Error("the API was asked")
	}
}

// What a config says and only the packages below understand is a mistake of the config too.
func TestUnusableConfig(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.key = "two words"
	s.configure()
	s.run("run", "--once").ends(app.ExitUsage).says("source.api_key holds a space")
	s.key, s.dsn = canaryKey, "postgres://u:"+canaryPassword+"@h:port/db"
	s.configure()
	s.run("run", "--once").ends(app.ExitUsage).says("warehouse.dsn")
	s.dsn = "sqlite:" + filepath.Join(t.TempDir(), "nowhere", "test.db")
	s.configure()
	s.run("run", "--once").ends(app.ExitUnreachable).says("no such file or directory", "make the directory")
}

func TestConfigFile(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "exporter.yaml")
	for _, command := range [][]string{{"run"}, {"run", "--once"}, {"check"}, {"status"}, {"migrate"}, {"healthcheck"}} {
		execute(t, t.Context(), append(command, "-c", missing)...).ends(app.ExitUsage).says(missing, "no such file", "name the file with -c")
	}
	execute(t, t.Context(), "check", "-c", t.TempDir()).ends(app.ExitUsage).says("is a directory")
	if _, err := os.Stat(missing); err == nil {
		t.Error("the missing config was made")
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, c := range []struct {
		args  string
		words []string
	}{
		{"rnu", []string{`unknown command "rnu"; did you mean run`, "exporter --help"}},
		{"export", []string{`unknown command "export"`, "exporter --help"}},
		{"completion fish extra", []string{"--help"}},
		{"--nope", []string{"unknown flag: --nope", "exporter --help"}},
		{"run --nope", []string{"unknown flag: --nope", "exporter run --help"}},
		{"run --lease soon", []string{`"soon"`, "--lease", "exporter run --help"}},
		{"run --once calls", []string{`"calls" is one word too many`, "exporter run --help"}},
		{"run --once --backfill --from 2026-01-01", []string{"--once and --backfill exclude each other"}},
		{"run --backfill", []string{"--backfill needs --from"}},
		{"run --from 2026-01-01", []string{"go with --backfill"}},
		{"run --report calls", []string{"--report goes with --once or --backfill"}},
		{"run --backfill --from yesterday", []string{`--from "yesterday"`, "a date such as"}},
		{"run --backfill --from 2026-01-02 --to 2026-01-01", []string{"nothing to backfill"}},
		{"run --backfill --from 2999-01-01", []string{"nothing to backfill"}},
		{"run --once --report nope", []string{`no dataset is named "nope"`, "calls"}},
		{"run --backfill --from 2026-01-01 --report calls --report nope", []string{`no dataset is named "nope"`, "calls"}},
		{"simulate --listen nowhere", []string{"nowhere", "--listen"}},
		{"demo --dir /dev/null/at/all", []string{"/dev/null", "--dir"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			args := strings.Fields(c.args)
			if args[0] == "run" {
				args = append(args, "-c", s.path)
			}
			r := execute(t, t.Context(), args...).ends(app.ExitUsage)
			r.says(c.words...)
			if r.stdout != "" {
				t.Errorf("on stdout: %s", r.stdout)
			}
		})
	}
	if n := s.sim.Stats().Requests; n != 0 {
		t.Errorf("the API was asked %d times", n)
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := newSite(t)
	s.listen = l.Addr().String()
	s.configure()
	s.run("run").ends(app.ExitUsage).says("address already in use", "choose another http.listen")
	execute(t, t.Context(), "simulate", "--listen", l.Addr().String()).ends(app.ExitUsage).says("address already in use", "--listen")
}
