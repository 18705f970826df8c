package app

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/prometheus/client_golang/prometheus"

	"samespace-exporter/internal/config"
	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source/simulator"
	"samespace-exporter/internal/status"
)

// ward is a daemon of two datasets whose ticks are made by hand, on a fake clock.
type ward struct {
	*testing.T
	*App
	clock  *clockwork.FakeClock
	sim    *simulator.Simulator
	ids    []string
	config string
	log    *journal
}

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

// says is how often the log says something, at a level that people see.
func (j *journal) says(words string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), words)
}

func newWard(t *testing.T) *ward {
	t.Helper()
	w := &ward{T: t, clock: clockwork.NewFakeClockAt(time.Date(2024, 5, 6, 9, 0, 0, 0, time.UTC)), log: &journal{}}
	first, second := simulator.Calls(), simulator.Calls()
	first.RowsPerDay, second.RowsPerDay = 200, 100
	second.ID = "6007d54273902f0069dc68dd"
	w.ids = []string{first.ID, second.ID}
	w.sim = simulator.New(simulator.Options{
		APIKey: "key", Seed: 3, Clock: w.clock.Now, Reports: []simulator.Report{first, second}, KeepRequests: 10_000,
	})
	api := httptest.NewServer(w.sim)
	t.Cleanup(api.Close)
	report := func(name, id string) string {
		return fmt.Sprintf(`
  - name: %s
    report_id: %s
    since: 2024-05-05
    key: [call_id]
    time_field: started_at
    sort: {by: started_at}
    fields:
      %q: {name: call_id, type: text}
      %q: {name: started_at, type: timestamptz}
`, name, id, first.Key, first.TimeField)
	}
	w.config = fmt.Sprintf("source: {endpoint: %q, api_key: key, requests_per_second: 10000, max_attempts: 1}\nwarehouse: {dsn: %q}\nhttp: {listen: \"\"}\nreports:",
		api.URL, "sqlite:"+filepath.Join(t.TempDir(), "test.db")) + report("first", w.ids[0]) + report("second", w.ids[1])
	w.App = w.open(w.config)
	return w
}

// open starts a process of a config.
func (w *ward) open(text string) *App {
	w.Helper()
	path := filepath.Join(w.TempDir(), "exporter.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		w.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		w.Fatal(err)
	}
	a, err := New(w.Context(), c, Options{Logger: slog.New(slog.NewTextHandler(w.log, nil)), Clock: w.clock})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(a.Close)
	if err := a.Migrate(w.Context()); err != nil {
		w.Fatal(err)
	}
	return a
}

// tick is a tick of every dataset, three minutes after the one before.
func (w *ward) tick() {
	w.clock.Advance(3 * time.Minute)
	for _, j := range w.jobs {
		w.pass(w.Context(), j, nil)
	}
}

// nextRun is when a status says that a dataset's next pass begins.
func nextRun(a *App, dataset int) string {
	report, err := status.Read(context.Background(), a.shown())
	if err != nil {
		return err.Error()
	}
	return report.Datasets[dataset].NextRun.Format(time.TimeOnly)
}

// states are what another process says of the datasets.
func (w *ward) states() string {
	w.Helper()
	report, err := w.open(w.config).Status(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	var states []string
	for _, d := range report.Datasets {
		states = append(states, fmt.Sprintf("%s: %s", d.Name, d.State))
	}
	return strings.Join(states, ", ")
}

// whole fails unless a dataset has all rows up to an hour ago.
func (w *ward) whole(dataset int) {
	w.Helper()
	want := 0
	for range w.sim.Truth(w.ids[dataset], time.Date(2024, 5, 5, 0, 0, 0, 0, time.UTC), w.clock.Now().Add(-time.Hour)) {
		want++
	}
	_, rows, err := w.Query(w.Context(), "select call_id from "+w.exporters[dataset].Dataset.Name)
	if err != nil || want == 0 || len(rows) < want*9/10 { // late rows come by re-reads
		w.Errorf("%d rows of %s, want at least most of %d: %v", len(rows), w.exporters[dataset].Dataset.Name, want, err)
	}
}

func (w *ward) expect(what string, got, want any) {
	w.Helper()
	if got != want {
		w.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// A key that is refused: the API is asked now and then, by one dataset for all; it is told once, and once that it is over.
func TestARefusedKeyStopsTheAsking(t *testing.T) {
	for name, refused := range map[string]simulator.Fault{
		"by its status":    simulator.Status(http.StatusUnauthorized, "{}"),
		"by GraphQL alone": simulator.Status(http.StatusOK, refusedAs("UNAUTHENTICATED")),
	} {
		t.Run(name, func(t *testing.T) { testARefusedKeyStopsTheAsking(t, refused) })
	}
}

// refusedAs is a reply that refuses in the words of GraphQL, as it comes with status 200.
func refusedAs(code string) string {
	return fmt.Sprintf(`{"data":null,"errors":[{"message":"no","extensions":{"code":%q}}]}`, code)
}

func testARefusedKeyStopsTheAsking(t *testing.T, refused simulator.Fault) {
	w := newWard(t)
	w.sim.Script(simulator.Always(), refused)
	w.tick()
	if n := len(w.sim.Requests()); n < 1 || n > 2 { // the next span may be read while the first one fails
		t.Errorf("%d requests of the first tick: the second dataset knows by then", n)
	}
	w.expect("next run, by the schedule only", w.jobs[0].ticks.Next(w.clock.Now(), time.UTC).Format(time.TimeOnly), "09:15:00")
	w.expect("next run", nextRun(w.App, 0), "09:30:00") // the first tick a quarter of an hour after 09:03
	w.expect("next run, as another process says", nextRun(w.open(w.config), 0), "09:30:00")
	for range 39 {
		w.tick()
	}
	if n := len(w.sim.Requests()); n < 7 || n > 2*9 {
		t.Errorf("%d requests in two hours of ticks, want one or two each quarter of an hour", n)
	}
	w.expect("errors told", w.log.says("level=ERROR"), 1)
	w.expect("of the key", w.log.says("the API refuses the key"), 1)
	w.expect("what helps", w.log.says("at once when the exporter is reloaded or restarted with another key"), 1)
	w.expect("states", w.states(), "first: key refused")
	state, _ := w.health.of("second")
	w.expect("here", state, status.KeyRefused)
	w.sim.Unscript()
	for range 6 {
		w.tick()
	}
	w.expect("next run", nextRun(w.App, 0), "11:30:00")
	w.expect("told that it is over", w.log.says("the API takes the key again"), 1)
	w.expect("states", w.states(), "first: ok, second: ok")
	w.whole(0)
	w.whole(1)
}

// A key that may not read one report, and a report that the API refuses: that one waits, the other goes on.
func TestADatasetsFailureStopsNoOther(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		most   int // requests for it in an hour
		state  string
	}{
		{"forbidden", http.StatusForbidden, "{}", 2 * 5, "key refused"},
		{"forbidden by GraphQL alone", http.StatusOK, refusedAs("FORBIDDEN"), 2 * 5, "key refused"},
		{"bad request", http.StatusBadRequest, "{}", 40, "failing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWard(t)
			asked := 0
			w.sim.Script(simulator.When(func(r simulator.Request) bool { return r.Report == w.ids[0] }), simulator.Status(c.status, c.body))
			for range 20 {
				w.tick()
			}
			for _, r := range w.sim.Requests() {
				if r.Report == w.ids[0] {
					asked++
				}
			}
			if asked == 0 || asked > c.most {
				t.Errorf("%d requests for the report that is refused, want at most %d in an hour of ticks", asked, c.most)
			}
			w.expect("states", w.states(), "first: "+c.state+", second: ok")
			w.whole(1)
			w.sim.Unscript()
			for range 25 {
				w.tick()
			}
			w.expect("states", w.states(), "first: ok, second: ok")
			w.whole(0)
		})
	}
}

// away is a warehouse that is out of reach, or full, from the nth use on, until it is back.
type away struct {
	export.Warehouse
	mu    sync.Mutex
	left  int
	looks int // in vain; commits, of which several may be under way, are none
}

func (a *away) out() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.left--; a.left >= 0 {
		return nil
	}
	return fmt.Errorf("commit rows: %w", &sink.UnavailableError{Err: fmt.Errorf("could not extend file"), Hint: "free disk space on the database server"})
}

func (a *away) back() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left = 1 << 30
}

func (a *away) Commit(ctx context.Context, b sink.Batch) (sink.Counts, error) {
	if err := a.out(); err != nil {
		return sink.Counts{}, err
	}
	return a.Warehouse.Commit(ctx, b)
}

func (a *away) Condition(ctx context.Context, dataset string) (sink.Condition, error) {
	if err := a.out(); err != nil {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.looks++
		return sink.Condition{}, err
	}
	return a.Warehouse.Condition(ctx, dataset)
}

// looks lets a pass look for its warehouse so many times, in vain.
func (w *ward) looks(n int) {
	w.Helper()
	for range n {
		w.awaitWaiting()
		w.clock.Advance(lastWait)
	}
	w.awaitWaiting()
}

// awaitWaiting returns once a pass waits for its warehouse, or for others.
func (w *ward) awaitWaiting() {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	defer cancel()
	if err := w.clock.BlockUntilContext(ctx, 1); err != nil {
		w.Fatalf("no pass waits: %v", err)
	}
}

// A warehouse that is away or full is waited for: the pass goes on when it is back, nothing is lost, and it is told once.
func TestAWarehouseThatIsAwayIsWaitedFor(t *testing.T) {
	w := newWard(t)
	out := &away{Warehouse: w.warehouse, left: 1} // the first commit fails
	w.exporters[0].Warehouse = out
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.pass(t.Context(), w.jobs[0], nil)
	}()
	w.looks(20)
	w.expect("looks", out.looks, 20) // one for each time that the clock let it
	w.expect("errors told", w.log.says("level=ERROR"), 1)
	w.expect("with what to do", w.log.says("free disk space"), 1)
	out.back()
	w.clock.Advance(lastWait)
	<-done
	w.expect("told that it is back", w.log.says("warehouse is back"), 1)
	w.whole(0)
	w.expect("states", w.states(), "first: ok")
}

// What a pass leaves since the next one is due is read on at once, by that one.
func TestABacklogIsReadInOnePassAfterTheOther(t *testing.T) {
	w := newWard(t)
	w.exporters[0].Dataset.MaxSpan = time.Hour
	w.exporters[0].Observe = func(e export.Event) {
		if e.Step == export.StepSettled {
			w.clock.Advance(time.Minute)
		}
	}
	w.export(t.Context(), w.jobs[0], nil)
	w.whole(0)
	if passes := w.log.says("pass done"); passes < 3 {
		t.Errorf("33 spans of a minute were read in %d passes, of five minutes each", passes)
	}
}

// A tick that comes while a pass is under way is made up for at its end, once.
func TestATickDuringAPassIsMadeUpFor(t *testing.T) {
	w := newWard(t)
	var once sync.Once
	w.exporters[0].Observe = func(e export.Event) {
		if e.Step == export.StepSettled {
			once.Do(func() { w.clock.Advance(16 * time.Minute) })
		}
	}
	w.export(t.Context(), w.jobs[0], nil)
	w.expect("passes", w.log.says("pass done"), 2)
}

// The wait for a warehouse ends with the daemon.
func TestWaitingForAWarehouseCanBeStopped(t *testing.T) {
	w := newWard(t)
	w.exporters[0].Warehouse = &away{Warehouse: w.warehouse}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		w.pass(t.Context(), w.jobs[0], stop)
	}()
	w.awaitWaiting()
	close(stop)
	<-done
}

// hold leases what is due of the first dataset, as another process does that has planned it.
func (w *ward) hold(ttl time.Duration) sink.Lease {
	w.Helper()
	stopped := make(chan struct{})
	close(stopped)
	e, now := w.exporters[0], w.clock.Now()
	if _, err := e.Export(w.Context(), export.Pass{Kind: sink.RunScheduled, Stop: stopped}); err != nil {
		w.Fatal(err)
	}
	l, ok, err := w.warehouse.Claim(w.Context(), sink.ClaimRequest{
		Dataset: e.Dataset.Name, ConfigHash: e.Dataset.ConfigHash, Now: now, Edge: now.Add(-time.Hour), Order: sink.OldestFirst,
		MaxSpan: 1000 * time.Hour, Owner: "another process", TTL: ttl,
	})
	if err != nil || !ok {
		w.Fatalf("claimed: %v, %v", ok, err)
	}
	return l
}

// lapse ends a lease that nobody renews.
func (w *ward) lapse(l sink.Lease) {
	w.Helper()
	l.TTL = -time.Second
	if err := w.warehouse.Renew(w.Context(), l); err != nil {
		w.Fatal(err)
	}
}

// What a killed process had leased is read once its lease has run out, and not at the next tick, which may be tomorrow's. As
// long as another one works on it, it is looked for once a minute, and nobody is told.
func TestWindowsOfAKilledProcessAreReadBeforeTheNextTick(t *testing.T) {
	w := newWard(t)
	w.config = strings.ReplaceAll(w.config, "    since:", "    schedule: \"@daily\"\n    since:")
	w.App = w.open(w.config)
	l := w.hold(time.Minute)
	done := make(chan bool)
	go func() { done <- w.pass(t.Context(), w.jobs[0], nil) }()
	w.awaitWaiting()
	asked := len(w.sim.Requests())
	for range 5 { // it is renewed
		w.clock.Advance(time.Minute)
		w.awaitWaiting()
	}
	w.expect("requests meanwhile", len(w.sim.Requests()), asked)
	w.expect("passes told", w.log.says("pass done"), 1)
	w.lapse(l)
	w.clock.Advance(time.Minute)
	w.expect("that the next pass is due", <-done, false)
	w.expect("passes told", w.log.says("pass done"), 2)
	w.expect("of the waiting", w.log.says("waiting for"), 0)
	w.whole(0)
}

// What others hold is the next tick's where that comes before their lease can end, and the wait for it ends with the daemon.
func TestWaitingForOthersIsBounded(t *testing.T) {
	w := newWard(t)
	w.hold(time.Hour) // the next tick is in five minutes
	w.expect("that the next pass is due", w.pass(t.Context(), w.jobs[0], nil), false)
	w = newWard(t)
	w.hold(time.Minute)
	stop, done := make(chan struct{}), make(chan bool)
	go func() { done <- w.pass(t.Context(), w.jobs[0], stop) }()
	w.awaitWaiting()
	close(stop)
	w.expect("that the next pass is due", <-done, false)
}

// A daemon whose dataset is kept by a newer config says so once, and is not ready any more.
func TestASupersededDaemonIsNotReady(t *testing.T) {
	w := newWard(t)
	ready := func() int {
		handler := status.New(status.Options{
			Warehouse: w.warehouse, Registry: prometheus.NewRegistry(), Clock: w.clock.Now, Here: w.health.of,
		})
		answer := httptest.NewRecorder()
		handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
		return answer.Code
	}
	w.tick()
	w.expect("ready", ready(), http.StatusOK)
	newer := w.open(strings.Replace(w.config, "    key:", "    window: {reread: [1h]}\n    key:", 1))
	if _, err := newer.exporters[0].Export(t.Context(), export.Pass{Kind: sink.RunScheduled}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.tick()
	}
	w.expect("told", w.log.says("another process has prepared this dataset with another config"), 1)
	state, _ := w.health.of("first")
	w.expect("state", state, status.Superseded)
	w.expect("ready", ready(), http.StatusServiceUnavailable)
	w.expect("states", w.states(), "first: ok, second: ok") // by the newer one
}
