package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/config"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source/simulator"
)

// A daemon that runs for a year, in the long form, beside an API that fails again and again: in the end all rows are
// there, and what it takes of the machine and of the database does not grow.
func TestSoak(t *testing.T) {
	days := 3
	if long() {
		days = 365
	}
	for _, k := range []struct {
		name    string
		dsn     func(t testing.TB) string
		table   string
		own     string
		clients string // of the database
	}{
		{"sqlite", sqliteFile, "calls", "exporter_", "select 1"},
		{"postgres", server.Database, "samespace.calls", "exporter.",
			"select count(*) from pg_stat_activity where datname = current_database()"},
	} {
		t.Run(k.name, func(t *testing.T) { // one after the other: the goroutines and the heap are the process's
			s := newSoak(t, k.dsn(t))
			var sizes []size
			for day := 1; day <= days; day++ {
				s.day()
				if day%max(days/36, 1) == 0 || day == days {
					sizes = append(sizes, s.size(k.own, k.clients))
				}
			}
			s.recover()
			s.mustLevelOff(sizes)
			s.mustEqualTruth(k.table)
			s.end()
			last := sizes[len(sizes)-1]
			if windows := days * 4; last.windows < windows-4 || last.windows > windows+4 {
				t.Errorf("%d windows after %d days of four each", last.windows, days)
			}
			story := "a simulated year of the daemon, " + k.name
			t.Logf("reliability: %s: days: %d", story, days)
			t.Logf("reliability: %s: passes: %d", story, s.passes)
			t.Logf("reliability: %s: passes failed by faults: %d", story, s.failed)
			t.Logf("reliability: %s: faults: %d", story, s.faults)
			t.Logf("reliability: %s: rows checked: %d", story, s.checked)
			t.Logf("reliability: %s: KiB of heap at the end: %d", story, last.heap>>10)
			t.Logf("reliability: %s: goroutines at the end: %d", story, last.goroutines)
			if k.name == "postgres" {
				t.Logf("reliability: %s: connections at the end: %d", story, last.clients)
			}
			t.Logf("reliability: %s: runs kept at the end: %d", story, last.runs)
		})
	}
}

// tick is how often the daemon makes a pass.
const tick = 4 * time.Hour

// soak is a daemon on a fake clock.
type soak struct {
	*testing.T
	since   time.Time
	clock   *clockwork.FakeClock
	sim     *simulator.Simulator
	report  simulator.Report
	program *app.App // looks into the warehouse
	stop    context.CancelFunc
	ended   chan error
	passed  chan string // what the daemon said of each pass

	passes, failed, faults, checked int
}

func newSoak(t *testing.T, dsn string) *soak {
	t.Helper()
	since := time.Date(2023, 1, 2, 0, 0, 0, 0, time.UTC)
	s := &soak{
		T: t, since: since, clock: clockwork.NewFakeClockAt(since.Add(time.Minute)), report: simulator.Calls(),
		ended: make(chan error, 1), passed: make(chan string, 10),
	}
	s.report.RowsPerDay, s.report.Since = 100, since.AddDate(0, -1, 0)
	s.sim = simulator.New(simulator.Options{
		APIKey: "key", Seed: 5, Clock: s.clock.Now, Reports: []simulator.Report{s.report}, Uncompressed: true,
	})
	api := httptest.NewServer(s.sim)
	t.Cleanup(api.Close)
	for every, fault := range faultsOfASoak() {
		s.sim.Script(simulator.Every(every), fault)
	}
	path := filepath.Join(t.TempDir(), "exporter.yaml")
	text := fmt.Sprintf(`
source: {endpoint: %q, api_key: key, requests_per_second: 10000, max_attempts: 1}
warehouse: {dsn: %q}
http: {listen: ""}
reports:
  - name: calls
    report_id: %s
    since: %s
    schedule: "0 */4 * * *"
    page_size: 20
    window: {size: 6h, max_rows: 400, delay: 2m, reread: [15m, 6h, 1d, 4d]}
    key: [call_id]
    time_field: started_at
    sort: {by: started_at}
    fields:
      %q: {name: call_id, type: text}
      %q: {name: started_at, type: timestamptz}
      %q: {name: duration_s, type: integer}
`, api.URL, dsn, s.report.ID, since.Format(time.DateOnly), s.report.Key, s.report.TimeField, s.report.Metric("duration_s").ID)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if s.program, err = app.New(t.Context(), cfg, app.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.program.Close)
	daemon := &app.Daemon{Open: func(ctx context.Context) (*app.App, error) {
		return app.New(ctx, cfg, app.Options{Version: "test", Clock: s.clock, Logger: slog.New(s)})
	}}
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	go func() { s.ended <- daemon.Run(ctx) }()
	if !s.awaitPass(time.Minute) {
		t.Fatal("no pass at the start")
	}
	return s
}

// faultsOfASoak are what every so many requests meet.
func faultsOfASoak() map[int]simulator.Fault {
	return map[int]simulator.Fault{
		17: simulator.Status(http.StatusServiceUnavailable, "{}"), 29: simulator.CutBody(300), 37: simulator.HTML(), 43: simulator.Errors("broken"),
		53: simulator.Reset(), 61: simulator.RetryAfter(http.StatusTooManyRequests, 0), 71: simulator.EmptyBody(), 83: simulator.NullData(),
	}
}

// The soak is the daemon's log handler: passes are counted by what is said of them.

func (s *soak) Enabled(context.Context, slog.Level) bool { return true }
func (s *soak) WithAttrs([]slog.Attr) slog.Handler       { return s }
func (s *soak) WithGroup(string) slog.Handler            { return s }

func (s *soak) Handle(_ context.Context, r slog.Record) error {
	if strings.HasPrefix(r.Message, "pass ") || r.Message == "nothing due" {
		s.passed <- r.Message
	}
	return nil
}

// day lets a day pass, tick by tick.
func (s *soak) day() {
	s.Helper()
	for range 24 * time.Hour / tick {
		if err := s.clock.BlockUntilContext(s.Context(), 1); err != nil {
			s.Fatal(err)
		}
		s.takeMadeUp()
		s.clock.Advance(tick)
		// Seldom a tick comes before the daemon waits for it and is dropped: then the next one serves.
		if !s.awaitPass(500 * time.Millisecond) {
			s.Log("a tick was dropped")
		}
	}
}

// takeMadeUp takes what was said of passes that made up for a tick that came while one was under way.
func (s *soak) takeMadeUp() {
	for {
		select {
		case said := <-s.passed:
			s.count(said)
		default:
			return
		}
	}
}

func (s *soak) count(said string) {
	if s.passes++; said == "pass failed" {
		s.failed++
	}
}

// awaitPass reports whether a pass was made within so long.
func (s *soak) awaitPass(patience time.Duration) bool {
	s.Helper()
	select {
	case said := <-s.passed:
		s.count(said)
		return true
	case err := <-s.ended:
		s.Fatalf("the daemon ended: %v", err)
	case <-time.After(patience):
	}
	return false
}

// recover lets the API recover and the last re-reads be made.
func (s *soak) recover() {
	s.Helper()
	for every := range faultsOfASoak() {
		s.faults += s.sim.Stats().Requests / every
	}
	s.sim.Unscript()
	for range 6 {
		s.day()
	}
	for s.awaitPass(time.Second) { // nothing is under way any more
	}
}

// end stops the daemon.
func (s *soak) end() {
	s.Helper()
	s.stop()
	if err := <-s.ended; err != nil {
		s.Errorf("the daemon ended: %v", err)
	}
}

// size is what the daemon takes.
type size struct{ heap, goroutines, files, clients, runs, windows int }

func (s *soak) size(own, clients string) size {
	s.Helper()
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	files, _ := os.ReadDir("/proc/self/fd") // where there is none, it is none each time
	return size{
		heap: int(memory.HeapAlloc), goroutines: runtime.NumGoroutine(), files: len(files), clients: s.number(clients),
		runs: s.number("select count(*) from " + own + "runs"), windows: s.number("select count(*) from " + own + "windows where end_at <= '" + s.clock.Now().Format(time.DateTime) + "'"),
	}
}

func (s *soak) number(sql string) int {
	s.Helper()
	_, rows, err := s.program.Query(s.Context(), sql)
	if err != nil {
		s.Fatal(err)
	}
	n, err := strconv.Atoi(rows[0][0])
	if err != nil {
		s.Fatal(err)
	}
	return n
}

// mustLevelOff compares the middle third with the last one.
func (s *soak) mustLevelOff(sizes []size) {
	s.Helper()
	third := len(sizes) / 3
	for _, c := range []struct {
		what  string
		of    func(size) int
		share float64 // that the last third's median may be larger
		slack int     // and this
	}{
		{"bytes of heap", func(z size) int { return z.heap }, 0.15, 1 << 20},
		{"goroutines", func(z size) int { return z.goroutines }, 0, 8},
		{"open files", func(z size) int { return z.files }, 0, 8},
		{"connections", func(z size) int { return z.clients }, 0, 2},
		{"runs", func(z size) int { return z.runs }, 0.05, sink.LastRuns},
	} {
		median := func(of []size) int {
			var all []int
			for _, z := range of {
				all = append(all, c.of(z))
			}
			slices.Sort(all)
			return all[len(all)/2]
		}
		middle, last := median(sizes[third:2*third]), median(sizes[2*third:])
		s.Logf("%s: %d in the middle third, %d in the last one", c.what, middle, last)
		if len(sizes) < 36 { // the short form: a single look each, while connections come and go
			if c.what == "runs" {
				continue // they are kept for 90 days
			}
			c.slack *= 4
		}
		if float64(last) > float64(middle)*(1+c.share)+float64(c.slack) {
			s.Errorf("%s grow: %d in the middle third, %d in the last one", c.what, middle, last)
		}
	}
}

// mustEqualTruth compares all rows whose last re-read is done.
func (s *soak) mustEqualTruth(table string) {
	s.Helper()
	_, rows, err := s.program.Query(s.Context(), "select call_id, duration_s from "+table)
	if err != nil {
		s.Fatal(err)
	}
	have := map[string]string{}
	for _, r := range rows {
		if _, twice := have[r[0]]; twice {
			s.Errorf("row %s is there twice", r[0])
		}
		have[r[0]] = r[1]
	}
	duration := s.report.Metric("duration_s").ID
	for raw := range s.sim.Truth(s.report.ID, s.since, s.clock.Now().AddDate(0, 0, -5)) {
		var row map[string]json.RawMessage
		if err := json.Unmarshal(raw, &row); err != nil {
			s.Fatal(err)
		}
		key := strings.Trim(string(row[s.report.Key]), `"`)
		if s.checked++; have[key] != string(row[duration]) {
			s.Errorf("row %s of %s: %q, not %s", key, row[s.report.TimeField], have[key], row[duration])
		}
	}
	if s.checked == 0 {
		s.Error("nothing was compared")
	}
}
