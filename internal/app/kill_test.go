package app_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/config"
	"samespace-exporter/internal/export"
	"samespace-exporter/internal/netfault"
	"samespace-exporter/internal/sink/testdb"
	"samespace-exporter/internal/source/simulator"
)

var server testdb.Server

// The test binary is also the process that is killed: see child.
func TestMain(m *testing.M) {
	if path := os.Getenv("EXPORTER_TEST_CHILD"); path != "" {
		os.Exit(child(path))
	}
	os.Exit(server.Run(m))
}

// child makes one pass, as the command does, and kills itself at the step that EXPORTER_TEST_KILL_AT numbers
// (0: at none). With EXPORTER_TEST_RETRY it retries the rejects instead.
func child(path string) int {
	killAt, err := strconv.Atoi(os.Getenv("EXPORTER_TEST_KILL_AT"))
	if err != nil {
		return 99
	}
	var mu sync.Mutex
	steps := 0
	do := once
	if os.Getenv("EXPORTER_TEST_RETRY") != "" {
		do = retry
	}
	err = do(context.Background(), path, func(export.Event) {
		mu.Lock()
		defer mu.Unlock()
		if steps++; steps == killAt {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal ends this before anything else happens
		}
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return app.ExitCode(err)
}

func once(ctx context.Context, path string, observe func(export.Event)) error {
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	program, err := app.New(ctx, cfg, app.Options{Version: "test", LeaseTTL: 500 * time.Millisecond, Observe: observe})
	if err != nil {
		return err
	}
	defer program.Close()
	_, err = program.Once(ctx, nil)
	return err
}

// retry is exporter rejects retry.
func retry(ctx context.Context, path string, observe func(export.Event)) error {
	cfg, err := config.Load(path)
	if err != nil {
		return err
	}
	program, err := app.New(ctx, cfg, app.Options{Version: "test", Observe: observe})
	if err != nil {
		return err
	}
	defer program.Close()
	_, err = program.RetryRejects(ctx, nil)
	return err
}

// clinic is a simulated API and a config that exports its calls into a warehouse.
type clinic struct {
	*testing.T
	sim    *simulator.Simulator
	report simulator.Report
	since  time.Time
	config string
	dsn    string
	table  string
	// endpoint is where the API is.
	endpoint string
	// retries makes the child retry rejects.
	retries bool
}

// newClinic stands by for a warehouse. The calls are those of two days and of the morning after, or of three where the two were
// a weekend, which has few; in windows of six hours.
func newClinic(t *testing.T, dsn, table string) *clinic {
	t.Helper()
	// The clock stands, at noon, and that an hour ago at least: nothing arrives between the runs of a test, nor has a run rows to
	// read at the live edge that the one before has read. (In an evening's few rows none may fit, where a test spoils some.)
	now := time.Now().UTC().Add(-13 * time.Hour).Truncate(24 * time.Hour).Add(12 * time.Hour)
	days := 2
	if now.UTC().Weekday() == time.Monday {
		days = 3
	}
	c := &clinic{T: t, report: simulator.Calls(), since: now.UTC().AddDate(0, 0, -days).Truncate(24 * time.Hour), dsn: dsn, table: table}
	c.report.RowsPerDay = 300
	c.sim = simulator.New(simulator.Options{APIKey: "key", Seed: 3, Clock: func() time.Time { return now }, Reports: []simulator.Report{c.report}})
	api := httptest.NewServer(c.sim)
	t.Cleanup(api.Close)
	c.config = filepath.Join(t.TempDir(), "exporter.yaml")
	c.endpoint = api.URL
	c.write(api.URL, dsn)
	return c
}

func (c *clinic) write(endpoint, dsn string) {
	c.Helper()
	text := fmt.Sprintf(`
source: {endpoint: %q, api_key: key, requests_per_second: 10000}
warehouse: {dsn: %q}
http: {listen: ""}
reports:
  - name: calls
    report_id: %s
    since: %s
    page_size: 100
    window: {size: 6h, max_rows: 400, delay: 2m}
    key: [call_id]
    time_field: started_at
    sort: {by: started_at}
    fields:
      %q: {name: call_id, type: text}
      %q: {name: started_at, type: timestamptz}
      %q: {name: duration_s, type: integer}
`, endpoint, dsn, c.report.ID, c.since.Format(time.DateOnly), c.report.Key, c.report.TimeField, c.report.Metric("duration_s").ID)
	if err := os.WriteFile(c.config, []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
}

// sqliteFile is a new one's DSN.
func sqliteFile(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "test.db") }

// start runs the child that kills itself at a step.
func (c *clinic) start(killAt int) *exec.Cmd {
	c.Helper()
	executable, err := os.Executable()
	if err != nil {
		c.Fatal(err)
	}
	cmd := exec.Command(executable)
	cmd.Env = append(os.Environ(), "EXPORTER_TEST_CHILD="+c.config, "EXPORTER_TEST_KILL_AT="+strconv.Itoa(killAt))
	if c.retries {
		cmd.Env = append(cmd.Env, "EXPORTER_TEST_RETRY=yes")
	}
	cmd.Stderr = c.Output()
	if err := cmd.Start(); err != nil {
		c.Fatal(err)
	}
	return cmd
}

// killed reports whether a child was killed; any other end but a good one fails the test.
func (c *clinic) killed(cmd *exec.Cmd) bool {
	c.Helper()
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		c.Fatalf("child: %v", err)
	}
	return false
}

// program looks at what is there. It must be closed.
func (c *clinic) program() *app.App {
	c.Helper()
	cfg, err := config.Load(c.config)
	if err != nil {
		c.Fatal(err)
	}
	program, err := app.New(c.Context(), cfg, app.Options{})
	if err != nil {
		c.Fatal(err)
	}
	return program
}

// mustBeWhole compares the warehouse with the truth, by key and count, and looks for windows left undone. It returns how
// many calls are there.
func (c *clinic) mustBeWhole() (calls int) {
	c.Helper()
	program := c.program()
	defer program.Close()
	_, rows, err := program.Query(c.Context(), "select "+"call_id from "+c.table)
	if err != nil {
		c.Fatal(err)
	}
	have := map[string]int{}
	for _, r := range rows {
		have[r[0]]++
	}
	want := 0
	for raw := range c.sim.Truth(c.report.ID, c.since, time.Now().Add(-3*time.Minute)) {
		want++
		key := strings.Split(strings.SplitAfter(string(raw), `"`+c.report.Key+`":"`)[1], `"`)[0]
		if have[key] != 1 {
			c.Errorf("call %s is there %d times", key, have[key])
		}
	}
	if want < 200 || len(have) < want {
		c.Errorf("%d calls are there, the truth has %d", len(have), want)
	}
	report, err := program.Status(c.Context())
	if err != nil {
		c.Fatal(err)
	}
	for _, d := range report.Datasets {
		if d.Running != 0 || d.Failing != 0 {
			c.Errorf("%s has %d windows running and %d failing", d.Name, d.Running, d.Failing)
		}
	}
	return len(have)
}

// Killed at any numbered step of a span and started again: nothing missing, nothing double.
func TestKillAtEveryStep(t *testing.T) {
	for _, k := range []struct {
		name  string
		dsn   func(t testing.TB) string
		table string
	}{
		{"sqlite", sqliteFile, "calls"},
		{"postgres", server.Database, "samespace.calls"},
	} {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			kills, rows := 0, 0
			for step, goOn := 1, true; goOn && !t.Failed(); step += sample {
				t.Run(fmt.Sprint("step ", step), func(t *testing.T) {
					c := newClinic(t, k.dsn(t), k.table)
					if goOn = c.killed(c.start(step)); goOn {
						kills++
						if c.killed(c.start(0)) {
							t.Fatal("the second run was killed")
						}
					}
					rows += c.mustBeWhole()
				})
			}
			if kills < 10/sample {
				t.Errorf("only %d kills: a pass of several spans has more steps", kills)
			}
			counted(t, "kill -9 at every step, "+k.name, kills, rows)
		})
	}
}

// counted logs the figures for make reliability.
func counted(t *testing.T, story string, kills, rows int) {
	t.Helper()
	t.Logf("reliability: %s: kills survived: %d", story, kills)
	t.Logf("reliability: %s: rows checked: %d", story, rows)
}

// Killed at any message to Postgres, so also within a transaction.
func TestKillAtMessagesToPostgres(t *testing.T) {
	t.Parallel()
	kills, rows := 0, 0
	stride := 15 * sample
	if long() {
		stride = 4
	}
	for message, goOn := 1, true; goOn && !t.Failed(); message += stride {
		t.Run(fmt.Sprint("message ", message), func(t *testing.T) {
			c := newClinic(t, server.Database(t), "samespace.calls")
			if goOn = c.killAtMessage(message); goOn {
				kills++
			}
			if c.killed(c.start(0)) {
				t.Fatal("the second run was killed")
			}
			rows += c.mustBeWhole()
		})
	}
	if kills < 3 {
		t.Errorf("only %d kills", kills)
	}
	counted(t, "kill -9 at messages to Postgres", kills, rows)
}

// killAtMessage starts a child and kills it when it has sent Postgres so many messages; false when it ended before.
func (c *clinic) killAtMessage(message int) (killed bool) {
	c.Helper()
	p, through := netfault.Before(c.T, c.dsn)
	p.Set(netfault.BlackHole()) // until it is known whom to kill
	direct, err := os.ReadFile(c.config)
	if err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(c.config, []byte(strings.ReplaceAll(string(direct), c.dsn, through)), 0o600); err != nil {
		c.Fatal(err)
	}
	child := c.start(0)
	p.On(netfault.Client, message, func() {
		_ = child.Process.Kill()
		p.Set(netfault.Cut())
	})
	p.Set(netfault.Pass())
	killed = c.killed(child)
	if err := os.WriteFile(c.config, direct, 0o600); err != nil {
		c.Fatal(err)
	}
	return killed
}

// long reports whether the long form of a test is asked for.
func long() bool { return os.Getenv("EXPORTER_RELIABILITY") == "long" }

// Killed again and again on the way, at random steps and random messages: the run that is let alone makes it whole.
func TestKillAgainAndAgain(t *testing.T) {
	t.Parallel()
	rounds, each := 1, 3
	if long() {
		rounds, each = 40, 6
	}
	kills, rows := 0, 0
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(round), 0)) // the same ones each time
			c := newClinic(t, server.Database(t), "samespace.calls")
			for range each {
				var killed bool
				if random.IntN(2) == 0 {
					killed = c.killed(c.start(1 + random.IntN(12)))
				} else {
					killed = c.killAtMessage(1 + random.IntN(60))
				}
				if killed {
					kills++
				}
			}
			if c.killed(c.start(0)) {
				t.Fatal("the last run was killed")
			}
			rows += c.mustBeWhole()
		})
	}
	if kills < rounds {
		t.Errorf("only %d kills", kills)
	}
	counted(t, "kill -9 again and again", kills, rows)
}
