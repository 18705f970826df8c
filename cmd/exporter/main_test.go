package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/config"
	"samespace-exporter/internal/sink/testdb"
	"samespace-exporter/internal/source/simulator"
)

var server testdb.Server

// The test binary is also the program: see site.start.
func TestMain(m *testing.M) {
	if os.Getenv("EXPORTER_TEST_MAIN") != "" {
		limitFiles(os.Getenv("EXPORTER_TEST_FILE_SIZE"))
		main()
	}
	os.Exit(server.Run(m))
}

// limitFiles lets no file grow beyond a size, as a full disk would.
func limitFiles(size string) {
	if size == "" {
		return
	}
	most, err := strconv.ParseUint(size, 10, 64)
	if err != nil {
		panic(err)
	}
	signal.Ignore(syscall.SIGXFSZ) // so that a write returns an error instead
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
		panic(err)
	}
}

// What must never be printed.
const (
	canaryKey      = "canary-key-5b1f"
	canaryPassword = "canary-password-5b1f"
)

// madeWarehouse is a kind of warehouse, and how a test gets an empty one.
type madeWarehouse struct {
	name string
	dsn  func(*testing.T) string
}

func warehouses() []madeWarehouse {
	return []madeWarehouse{
		{"sqlite", func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "test.db") }},
		{"postgres", func(t *testing.T) string { return server.Database(t) }},
	}
}

// site is a simulated API, a warehouse, and a config that exports the calls of two days from the one into the
// other.
type site struct {
	*testing.T
	sim    *simulator.Simulator
	report simulator.Report
	since  time.Time

	// The config's.
	path, endpoint, key, dsn, listen string
	fields, reports                  string
	notify, schedule                 string // of a daemon
}

func newSite(t *testing.T) *site {
	t.Helper()
	return newSiteWithKey(t, canaryKey)
}

func newSiteWithKey(t *testing.T, key string) *site {
	t.Helper()
	s := &site{T: t, report: simulator.Calls(), since: time.Now().UTC().AddDate(0, 0, -2).Truncate(24 * time.Hour), key: key}
	s.report.RowsPerDay = 400
	now := time.Now() // it stands: nothing arrives during a test
	s.sim = simulator.New(simulator.Options{
		APIKey: key, Seed: 5, Clock: func() time.Time { return now }, Reports: []simulator.Report{s.report},
	})
	api := httptest.NewServer(s.sim)
	t.Cleanup(api.Close)
	dir := t.TempDir()
	s.path, s.endpoint, s.dsn = filepath.Join(dir, "exporter.yaml"), api.URL, "sqlite:"+filepath.Join(dir, "test.db")
	s.listen, s.schedule = "127.0.0.1:0", "*/15 * * * *"
	s.fields = fmt.Sprintf(`
      %q: {name: call_id, type: text}
      %q: {name: started_at, type: timestamptz}
      %q: {name: duration_s, type: integer}
      %q: {name: direction, type: text}
`, s.report.Key, s.report.TimeField, s.report.Metric("duration_s").ID, s.report.Metric("direction").ID)
	s.configure()
	return s
}

// configure writes the config.
func (s *site) configure() {
	s.Helper()
	s.write(fmt.Sprintf(`
source: {endpoint: %q, api_key: %q, requests_per_second: 10000, max_attempts: 1}
warehouse: {dsn: %q}
http: {listen: %q}
%s
defaults: {schedule: %q, page_size: 50, window: {size: 6h, max_rows: 120, delay: 2m}}
reports:
  - name: calls
    report_id: %s
    since: %s
    key: [call_id]
    time_field: started_at
    sort: {by: started_at}
    fields: %s
%s`, s.endpoint, s.key, s.dsn, s.listen, s.notify, s.schedule, s.report.ID, s.since.Format(time.DateOnly), s.fields, s.reports))
}

func (s *site) write(text string) {
	s.Helper()
	if err := os.WriteFile(s.path, []byte(text), 0o600); err != nil {
		s.Fatal(err)
	}
}

// replace changes the fields of the config.
func (s *site) replace(old, with string) {
	s.Helper()
	if !strings.Contains(s.fields, old) {
		s.Fatalf("no %q in %s", old, s.fields)
	}
	s.fields = strings.ReplaceAll(s.fields, old, with)
	s.configure()
}

// result is what a command left behind.
type result struct {
	*testing.T
	code           int
	stdout, stderr string
}

// run runs a command with the site's config within this process.
func (s *site) run(args ...string) result {
	s.Helper()
	return execute(s.T, s.Context(), append(args, "-c", s.path)...)
}

// execute runs a command within this process.
func execute(t *testing.T, ctx context.Context, args ...string) result {
	t.Helper()
	var stdout, stderr transcript
	code := run(ctx, args, &stdout, &stderr)
	r := result{T: t, code: code, stdout: stdout.String(), stderr: stderr.String()}
	mustHoldNoSecret(t, r.stdout)
	mustHoldNoSecret(t, r.stderr)
	return r
}

func mustHoldNoSecret(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, canaryKey) || strings.Contains(text, canaryPassword) || strings.Contains(text, canaryHook) {
		t.Errorf("a secret is printed: %s", text)
	}
}

// transcript is what was written, by several goroutines.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// ends checks the exit code.
func (r result) ends(code int) result {
	r.Helper()
	if r.code != code {
		r.Fatalf("exit code %d, want %d\nstdout: %s\nstderr: %s", r.code, code, r.stdout, r.stderr)
	}
	return r
}

// prints checks that words are on stdout.
func (r result) prints(words ...string) result {
	r.Helper()
	for _, word := range words {
		if !strings.Contains(r.stdout, word) {
			r.Errorf("no %q on stdout: %s", word, r.stdout)
		}
	}
	return r
}

// says checks that there is one message, fit for a person, with the given words.
func (r result) says(words ...string) {
	r.Helper()
	var lines []string
	for line := range strings.Lines(r.stderr) {
		if !strings.HasPrefix(line, "{") { // a log line
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "exporter: ") {
		r.Fatalf("no message: %q", r.stderr)
	}
	for _, line := range lines[1:] {
		if !strings.HasPrefix(line, "  ") {
			r.Errorf("more than one message: %q", lines)
		}
	}
	message := strings.Join(lines, "\n")
	for _, word := range words {
		if !strings.Contains(message, word) {
			r.Errorf("no %q in: %s", word, message)
		}
	}
	mustBeFitForPeople(r.T, message)
}

func mustBeFitForPeople(t *testing.T, message string) {
	t.Helper()
	for _, noise := range []string{"%!", "0x", "goroutine", ".go:", "runtime error", `Get "`, "context canceled", "<nil>", "\t", `\"`} {
		if strings.Contains(message, noise) {
			t.Errorf("noise (%s) in: %s", noise, message)
		}
	}
	said := map[string]bool{}
	for part := range strings.FieldsFuncSeq(message, func(c rune) bool { return strings.ContainsRune(":;\n", c) }) {
		if part = strings.TrimSpace(part); len(part) > 3 && part[0] != '/' && said[part] {
			t.Errorf("%q is said twice in: %s", part, message)
		}
		said[part] = true
	}
}

// query asks the warehouse.
func (s *site) query(sql string) [][]string {
	s.Helper()
	cfg, err := config.Load(s.path)
	if err != nil {
		s.Fatal(err)
	}
	program, err := app.New(s.Context(), cfg, app.Options{})
	if err != nil {
		s.Fatal(err)
	}
	defer program.Close()
	_, rows, err := program.Query(s.Context(), sql)
	if err != nil {
		s.Fatal(err)
	}
	return rows
}

// table is a table's name in the site's warehouse.
func (s *site) table(sqlite, postgres string) string {
	if strings.HasPrefix(s.dsn, "sqlite:") {
		return sqlite
	}
	return postgres
}

// count is a number in the warehouse.
func (s *site) count(sql string) int {
	s.Helper()
	n, err := strconv.Atoi(s.query(sql)[0][0])
	if err != nil {
		s.Fatal(err)
	}
	return n
}

// read is how many windows are marked as read, wholly or in part.
func (s *site) read() int {
	s.Helper()
	return s.count("select count(*) from " + s.table("exporter_windows", "exporter.windows") + " where reads > 0 or read_to is not null")
}

func (s *site) rows() int {
	s.Helper()
	return s.count("select count(*) from " + s.table("calls", "samespace.calls"))
}

// mustBeWhole checks that all that the API has is there, as of the last pass.
func (s *site) mustBeWhole() {
	s.Helper()
	want := 0
	for range s.sim.Truth(s.report.ID, s.since, time.Now().Add(-2*time.Minute)) {
		want++
	}
	if have := s.rows(); have < want-1 || have == 0 { // one may have come of age since
		s.Errorf("%d rows, the API has %d", have, want)
	}
	if left := s.count("select count(*) from " + s.table("exporter_windows", "exporter.windows") + " where read_to is null"); left > 0 {
		s.Errorf("%d windows were never read", left)
	}
}

// process is the program in a process of its own.
type process struct {
	*testing.T
	cmd    *exec.Cmd
	stdout transcript
	stderr transcript
	lines  chan string
	done   chan struct{} // all of stderr was read
}

// start starts the program with the site's config.
func (s *site) start(environment []string, args ...string) *process {
	s.Helper()
	executable, err := os.Executable()
	if err != nil {
		s.Fatal(err)
	}
	p := &process{T: s.T, lines: make(chan string, 10_000), done: make(chan struct{})}
	p.cmd = exec.Command(executable, append(args, "-c", s.path)...)
	p.cmd.Env = append(append(os.Environ(), "EXPORTER_TEST_MAIN=1"), environment...)
	p.cmd.Stdout = &p.stdout
	reader, writer := io.Pipe()
	p.cmd.Stderr = io.MultiWriter(&p.stderr, writer)
	go func() {
		defer close(p.done)
		defer close(p.lines)
		for scanner := bufio.NewScanner(reader); scanner.Scan(); {
			p.lines <- scanner.Text()
		}
	}()
	if err := p.cmd.Start(); err != nil {
		s.Fatal(err)
	}
	exited := make(chan struct{})
	s.Cleanup(func() {
		select {
		case <-exited:
		default:
			_ = p.cmd.Process.Kill()
			<-exited
		}
		<-p.done
	})
	go func() {
		_ = p.cmd.Wait() // its ProcessState says how it ended
		_ = writer.Close()
		close(exited)
	}()
	return p
}

// patience bounds how long a test waits for a process that does not do what it should.
const patience = 30 * time.Second

// await waits for a line on stderr that has the words, and returns it.
func (p *process) await(words string) string {
	p.Helper()
	tooLong := time.After(patience)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				p.Fatalf("it ended without a line with %q: %s", words, p.stderr.String())
			}
			if strings.Contains(line, words) {
				return line
			}
		case <-tooLong:
			p.Fatalf("no line with %q: %s", words, p.stderr.String())
		}
	}
}

func (p *process) signal(s os.Signal) {
	p.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.Fatal(err)
	}
}

// wait waits for the end. The exit code is -1 when a signal was the end.
func (p *process) wait() result {
	p.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.Fatalf("it does not end: %s", p.stderr.String())
	}
	r := result{T: p.T, code: p.cmd.ProcessState.ExitCode(), stdout: p.stdout.String(), stderr: p.stderr.String()}
	mustHoldNoSecret(p.T, r.stdout)
	mustHoldNoSecret(p.T, r.stderr)
	return r
}

// receive waits for a signal of the test's own.
func receive[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("%s did not happen", what)
	}
	return v
}

// closedPort is an address of this machine on which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	const port = "127.0.0.1:1" // below those that other programs are given
	if conn, err := net.Dial("tcp", port); err == nil {
		t.Fatalf("%s answers: %v", port, conn.Close())
	}
	return port
}
