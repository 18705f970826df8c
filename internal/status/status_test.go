package status_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/status"
	"samespace-exporter/internal/window"
)

var now = time.Date(2024, 5, 6, 12, 0, 0, 0, time.UTC)

// ledger answers with what a test gives it.
type ledger struct {
	all    []sink.DatasetStatus
	drifts []sink.Drift
	err    error

	unfinished []sink.Unfinished
}

func (l *ledger) Status(context.Context, time.Time) ([]sink.DatasetStatus, error) {
	return l.all, l.err
}

func (l *ledger) Unfinished(context.Context, time.Time) ([]sink.Unfinished, error) {
	return l.unfinished, l.err
}

func (l *ledger) Drifts(context.Context) ([]sink.Drift, error) { return l.drifts, l.err }

func serve(t *testing.T, l *ledger) func(path string) (int, string) {
	t.Helper()
	registry := prometheus.NewRegistry()
	metrics := status.NewMetrics(registry)
	metrics.Committed(status.Commit{Dataset: "calls", Windows: 3, Requests: 4, Rejected: 1, Counts: sink.Counts{Inserted: 70, Unchanged: 9}})
	metrics.Passed("calls", "done", 2*time.Second)
	metrics.Passed("calls", "failed", time.Second)
	metrics.ConfigTaken(now)
	server := httptest.NewServer(status.New(status.Options{
		Warehouse: l, Registry: registry, Clock: func() time.Time { return now }, Version: "v1",
		Next:     func(sink.DatasetStatus) time.Time { return now.Add(5 * time.Minute) },
		DueSince: func(_ string, through time.Time) time.Time { return through.Add(50 * time.Minute) },
	}))
	t.Cleanup(server.Close)
	return func(path string) (int, string) {
		response, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
}

func healthy() *ledger {
	return &ledger{all: []sink.DatasetStatus{
		{
			Name: "calls", Kind: sink.KindReport, Table: "calls", Through: now.Add(-time.Hour), ReadTo: now.Add(-time.Minute), Rows: 79, Windows: 5, Due: 2, Failed: 1, Rejects: 1,
			Error:   `<script>alert("x")</script>`,
			LastRun: sink.Run{ID: 1, Kind: sink.RunScheduled, StartedAt: now.Add(-time.Minute)},
		},
		{Name: "new", Kind: sink.KindReport, Table: "new"},
	}}
}

func TestJSON(t *testing.T) {
	code, body := serve(t, healthy())("/api/status")
	var report status.Report
	if err := json.Unmarshal([]byte(body), &report); err != nil || code != http.StatusOK {
		t.Fatalf("%d %s: %v", code, body, err)
	}
	calls, fresh := report.Datasets[0], report.Datasets[1]
	if *calls.LagSeconds != 3600 || calls.Due != 2 || calls.Failing != 1 || calls.LastRun.Outcome != "running" || !calls.NextRun.Equal(now.Add(5*time.Minute)) {
		t.Errorf("got %s", body)
	}
	if fresh.Through != nil || fresh.LagSeconds != nil || fresh.LastRun != nil {
		t.Errorf("what is not known was told: %+v", fresh)
	}
}

func TestPageEscapesWhatTheAPISaid(t *testing.T) {
	code, body := serve(t, healthy())("/")
	if code != http.StatusOK || !strings.Contains(body, "2024-05-06 11:00:00") || !strings.Contains(body, "nothing yet") {
		t.Errorf("%d %s", code, body)
	}
	if strings.Contains(body, "<script>") {
		t.Error("an error's text became a script")
	}
}

func TestMetrics(t *testing.T) {
	_, body := serve(t, healthy())("/metrics")
	for _, line := range []string{
		`exporter_rows_total{dataset="calls",result="inserted"} 70`,
		`exporter_windows_total{dataset="calls"} 3`,
		`exporter_passes_total{dataset="calls",outcome="done"} 1`,
		`exporter_lag_seconds{dataset="calls"} 3600`,
		`exporter_through_overdue_seconds{dataset="calls"} 600`,
		`exporter_read_to_overdue_seconds{dataset="calls"} 0`,
		`exporter_failing_windows{dataset="calls"} 1`,
		`exporter_warehouse_up 1`,
		`exporter_dataset_state{dataset="calls",state="failing"} 1`,
		`exporter_dataset_state{dataset="calls",state="ok"} 0`,
		`exporter_dataset_state{dataset="new",state="catching up"} 1`,
	} {
		if !strings.Contains(body, line+"\n") {
			t.Errorf("no %s in\n%s", line, body)
		}
	}
	if strings.Contains(body, `exporter_lag_seconds{dataset="new"}`) {
		t.Error("a dataset that has no through has a lag")
	}
	keepsConventions(t, body)
}

// Every metric, and every state, that the shipped rules name is one that the exporter serves.
func TestAlertsNameWhatIsServed(t *testing.T) {
	l := healthy()
	l.all[0].Lags.Add(sink.LagBucket(time.Minute), 1, time.Minute)
	l.drifts = []sink.Drift{{Dataset: "calls", Insight: "volume", Through: now, Differing: 1, Standing: 1}}
	_, body := serve(t, l)("/metrics")
	rules, err := os.ReadFile("../../deploy/prometheus/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`exporter_\w+(?:\{(\w+="[^"]*")\})?`).FindAllStringSubmatch(string(rules), -1)
	if len(named) < 13 {
		t.Fatalf("the rules name %d metrics", len(named))
	}
	for _, found := range named {
		name, _, _ := strings.Cut(found[0], "{")
		if series := regexp.MustCompile(`(?m)^` + name + `[ {].*` + regexp.QuoteMeta(found[1])); !series.MatchString(body) {
			t.Errorf("%s is not served", found[0])
		}
	}
}

// keepsConventions says which metrics are not named as Prometheus would have them.
func keepsConventions(t *testing.T, metrics string) {
	t.Helper()
	problems, err := promlint.New(strings.NewReader(metrics)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("metrics break conventions: %v %v", problems, err)
	}
}

func TestWarehouseThatDoesNotAnswer(t *testing.T) {
	get := serve(t, &ledger{err: errors.New("connection refused")})
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 503, "/api/status": 503, "/": 503, "/metrics": 200, "/else": 404} {
		if code, body := get(path); code != want {
			t.Errorf("%s: %d %s, want %d", path, code, body, want)
		}
	}
	if _, body := get("/metrics"); !strings.Contains(body, "exporter_warehouse_up 0\n") {
		t.Error("the warehouse counts as up")
	}
}

func TestStates(t *testing.T) {
	since := now.Add(-time.Hour)
	refused := sink.Condition{Trouble: sink.Trouble{Problem: sink.ProblemKey, Reason: "status 401", Since: since}}
	skip := sink.Condition{Skip: sink.Limit{Works: 900, Refused: 1000, Met: 1, Until: now.Add(time.Hour)}}
	past := sink.Condition{Range: sink.Limit{Works: 900, Refused: 1000, Met: 1, Until: now.Add(-time.Hour)}}
	for _, c := range []struct {
		name   string
		ledger sink.DatasetStatus
		here   status.State
		state  status.State
		reason string
		ready  int
	}{
		{"nothing read", sink.DatasetStatus{}, "", status.CatchingUp, "", 200},
		{"history to read", sink.DatasetStatus{Windows: 9, Behind: 5}, "", status.CatchingUp, "5 of 9 windows are still to be read", 200},
		{"all read", sink.DatasetStatus{Windows: 9, Due: 1, Behind: 1}, "", status.OK, "", 200},
		{"a window fails", sink.DatasetStatus{Windows: 9, Behind: 5, Failed: 1, Error: "status 500"}, "", status.Failing, "status 500", 200},
		{"the pass fails", sink.DatasetStatus{Windows: 9, Condition: sink.Condition{Trouble: sink.Trouble{Problem: sink.ProblemFailing, Reason: "narrowing"}}}, "", status.Failing, "narrowing", 200},
		{"no way", sink.DatasetStatus{Windows: 9, Condition: sink.Condition{Trouble: sink.Trouble{Problem: sink.ProblemUnreachable, Reason: "refused"}}}, "", status.Unreachable, "refused", 200},
		{"the key, as the ledger knows", sink.DatasetStatus{Windows: 9, Failed: 1, Error: "x", Condition: refused}, "", status.KeyRefused, "status 401", 200},
		{"the key, as we know", sink.DatasetStatus{Windows: 9}, status.KeyRefused, status.KeyRefused, "here", 200},
		{"another config", sink.DatasetStatus{Windows: 9, Condition: refused}, status.Superseded, status.Superseded, "here", 503},
		{"a limit", sink.DatasetStatus{Windows: 9, Condition: skip}, "", status.OK, "", 200},
		{"a limit that has run out", sink.DatasetStatus{Windows: 9, Condition: past}, "", status.OK, "", 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.ledger.Name = "calls"
			l := &ledger{all: []sink.DatasetStatus{c.ledger}}
			here := func(string) (status.State, string) {
				if c.here == "" {
					return "", ""
				}
				return c.here, "here"
			}
			report, err := status.Read(t.Context(), status.Options{Warehouse: l, Clock: func() time.Time { return now }, Version: "v1", Here: here})
			if err != nil {
				t.Fatal(err)
			}
			d := report.Datasets[0]
			if d.State != c.state || d.Reason != c.reason {
				t.Errorf("%s: %s, want %s: %s", d.State, d.Reason, c.state, c.reason)
			}
			if c.state == status.KeyRefused && c.here == "" && !d.Since.Equal(since) {
				t.Errorf("since %v", d.Since)
			}
			if want := c.ledger.Skip.Works; d.Limits.MaxSkip != want || d.Limits.MaxRangeSeconds != 0 {
				t.Errorf("limits %+v", d.Limits)
			}
			handler := status.New(status.Options{Warehouse: l, Registry: prometheus.NewRegistry(), Clock: func() time.Time { return now }, Here: here})
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", nil))
			if answer.Code != c.ready {
				t.Errorf("/readyz answers %d", answer.Code)
			}
		})
	}
}

func TestUnfinishedBackfillsAreShown(t *testing.T) {
	l := &ledger{
		all: []sink.DatasetStatus{{Name: "calls", Windows: 9}, {Name: "other", Windows: 9}},
		unfinished: []sink.Unfinished{{
			Dataset: "calls", Range: window.Window{Start: now.AddDate(0, 0, -2), End: now.AddDate(0, 0, -1)}, StartedAt: now, Left: 7,
		}},
	}
	get := serve(t, l)
	const told = "backfill from 2024-05-04 12:00:00 to 2024-05-05 12:00:00 UTC: 7 windows are left; the daemon reads what is left by itself"
	if _, page := get("/"); strings.Count(page, told) != 1 {
		t.Errorf("no %q in %s", told, page)
	}
	_, body := get("/api/status")
	var report status.Report
	if err := json.Unmarshal([]byte(body), &report); err != nil || len(report.Datasets[0].Backfills) != 1 || report.Datasets[0].Backfills[0].Left != 7 || report.Datasets[1].Backfills != nil {
		t.Errorf("%v: %s", err, body)
	}
}

// A run without an end goes on, unless what it had leased has run out.
func TestARunWhoseProcessDied(t *testing.T) {
	for name, c := range map[string]struct {
		running, lapsed int64
		ended           time.Time
		want            string
	}{
		"reads":                             {running: 3, want: "running"},
		"between spans":                     {want: "running"},
		"killed":                            {lapsed: 3, want: "died"},
		"another one has taken a span over": {running: 1, lapsed: 2, want: "running"},
		"ended, the one before was killed":  {lapsed: 3, ended: now, want: "done"},
	} {
		t.Run(name, func(t *testing.T) {
			run := sink.Run{ID: 1, StartedAt: now.Add(-time.Hour), EndedAt: c.ended}
			if !c.ended.IsZero() {
				run.Outcome = "done"
			}
			l := &ledger{all: []sink.DatasetStatus{{Name: "calls", Windows: 9, Running: c.running, Lapsed: c.lapsed, LastRun: run}}}
			_, page := serve(t, l)("/")
			report, err := status.Read(t.Context(), status.Options{Warehouse: l, Clock: func() time.Time { return now }})
			if err != nil {
				t.Fatal(err)
			}
			d := report.Datasets[0]
			if d.LastRun.Outcome != c.want {
				t.Errorf("%s, want %s", d.LastRun.Outcome, c.want)
			}
			if told := "ended without a word"; (c.want == "died") != strings.Contains(page, told) || strings.Contains(page, told) != (d.LastRun.Remark() != "") {
				t.Errorf("%s: %q: %s", c.want, d.LastRun.Remark(), page)
			}
		})
	}
}

// What is not in the config is nobody's trouble.
func TestADatasetThatIsNotInTheConfig(t *testing.T) {
	gone := sink.DatasetStatus{Name: "gone", Windows: 9, Failed: 1, Error: "status 500", Condition: sink.Condition{Trouble: sink.Trouble{Problem: sink.ProblemFailing, Reason: "narrowing"}}}
	l := &ledger{all: []sink.DatasetStatus{gone}}
	o := status.Options{
		Warehouse: l, Registry: prometheus.NewRegistry(), Clock: func() time.Time { return now }, Configured: func(string) bool { return false },
		Here: func(string) (status.State, string) { return status.Superseded, "here" },
	}
	report, err := status.Read(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if d := report.Datasets[0]; d.State != "not in config" || d.Bad() || d.Trouble() != "" || !strings.Contains(d.Reason, "does not name it") {
		t.Errorf("%+v", d)
	}
	for path, words := range map[string]string{"/": "not in config", "/api/status": `"state": "not in config"`, "/readyz": "ready"} {
		answer := httptest.NewRecorder()
		status.New(o).ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
		if body := answer.Body.String(); answer.Code != http.StatusOK || !strings.Contains(body, words) || strings.Contains(body, `class="bad"`) || strings.Contains(body, ` bad"`) {
			t.Errorf("%s answers %d: %s", path, answer.Code, body)
		}
	}
}

func TestArrivals(t *testing.T) {
	late := sink.DatasetStatus{Name: "calls", Windows: 9}
	late.Lags.Add(sink.LagBucket(time.Minute), 99, time.Minute)
	late.Lags.Add(sink.LagBucket(9*time.Hour), 1, 9*time.Hour)
	gone := late
	gone.Name = "gone"
	for _, c := range []struct {
		last  time.Duration
		rows  int64
		words string
	}{
		{0, 0, ""},
		{24 * time.Hour, 0, ""},
		{6 * time.Hour, 1, "rows arrive up to 9h after their time, and windows are read for the last time after 6h: add 12h to window.reread"},
	} {
		o := status.Options{
			Warehouse: &ledger{all: []sink.DatasetStatus{late, gone, {Name: "other"}}}, Registry: prometheus.NewRegistry(), Clock: func() time.Time { return now },
			LastReread: func(string) time.Duration { return c.last }, Configured: func(name string) bool { return name != "gone" },
		}
		report, err := status.Read(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		a := report.Datasets[0].Arrival
		if a == nil || a.Rows != 100 || a.P50Seconds < 60 || a.P50Seconds > 75 || a.P99Seconds != 9*3600 || a.LargestSeconds != 9*3600 ||
			a.LateRows != c.rows || !strings.HasPrefix(a.Warning, c.words) || (a.Warning == "") != (c.words == "") || report.Datasets[2].Arrival != nil {
			t.Errorf("last re-read %s: %+v", c.last, a)
		}
		handler := status.New(o)
		for path, words := range map[string]string{"/": c.words, "/metrics": `exporter_arrival_lag_seconds{dataset="calls",share="1"} 32400`} {
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
			if !strings.Contains(answer.Body.String(), words) || path == "/metrics" && strings.Contains(answer.Body.String(), "gone") {
				t.Errorf("%s: %s", path, answer.Body)
			}
			if path == "/metrics" {
				keepsConventions(t, answer.Body.String())
			}
		}
	}
}

func TestSpan(t *testing.T) {
	for d, text := range map[time.Duration]string{
		0: "0s", 59 * time.Second: "59s", 90 * time.Second: "1m30s", time.Hour + time.Second: "1h", 26*time.Hour + time.Minute: "1d2h", 24 * time.Hour: "1d",
	} {
		if got := status.Span(d); got != text {
			t.Errorf("%s: %s, want %s", d, got, text)
		}
	}
}
