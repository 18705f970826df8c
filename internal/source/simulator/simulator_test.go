package simulator_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/source/simulator"
)

const key = "k-123"

// clock is a clock that stands still until it is set.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// at is 20:00 UTC on Wednesday, 2024-05-15: three days of rows before it are busy ones.
func at() *clock { return &clock{time.Date(2024, 5, 15, 20, 0, 0, 0, time.UTC)} }

// api posts to a simulator.
type api struct {
	*simulator.Simulator
	t *testing.T
}

// serve makes a simulator of the calls report with the given rows per day.
func serve(t *testing.T, c *clock, rowsPerDay int) api {
	t.Helper()
	calls := simulator.Calls()
	calls.RowsPerDay = rowsPerDay
	return api{simulator.New(simulator.Options{
		APIKey: key, Seed: 7, Clock: c.Now, Reports: []simulator.Report{calls}, KeepRequests: 1000,
	}), t}
}

type variables map[string]any

// with is the variables with one more.
func (v variables) with(name string, value any) variables {
	more := variables{name: value}
	for n, old := range v {
		if n != name {
			more[n] = old
		}
	}
	return more
}

// between asks for the calls of a range.
func between(from, to time.Time) variables {
	return variables{
		"reportId":  simulator.Calls().ID,
		"startTime": from.Format(time.RFC3339Nano),
		"endTime":   to.Format(time.RFC3339Nano),
	}
}

// byStart also asks for the order of start time.
func (v variables) byStart() variables {
	return v.with("sortId", simulator.Calls().TimeField).with("sortOrder", 1)
}

func (a api) post(operation string, v any) *httptest.ResponseRecorder {
	a.t.Helper()
	body, err := json.Marshal(map[string]any{"query": sample(a.t, operation+".graphql"), "variables": v})
	if err != nil {
		a.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/analytics/api", bytes.NewReader(body))
	r.Header.Set("x-api-key", key)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

type response struct {
	Data   map[string]*struct{ Data []json.RawMessage }
	Errors []struct {
		Message    string
		Path       []string
		Extensions map[string]any
	}
}

// page is the rows of a report's page. It fails the test on an error.
func (a api) page(v variables) []string {
	a.t.Helper()
	r := a.reply("GetReportData", v)
	if len(r.Errors) > 0 || r.Data["getReportData"] == nil {
		a.t.Fatalf("no rows: %+v", r)
	}
	return texts(r.Data["getReportData"].Data)
}

func (a api) reply(operation string, v any) (r response) {
	a.t.Helper()
	w := a.post(operation, v)
	if w.Code != http.StatusOK {
		a.t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		a.t.Fatalf("%v in %s", err, w.Body)
	}
	return r
}

// pages is the rows of all pages of a query.
func (a api) pages(v variables, limit int) (all []string) {
	a.t.Helper()
	for {
		page := a.page(v.with("skip", len(all)).with("limit", limit))
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}

func (a api) truth(from, to time.Time) []string {
	return texts(slices.Collect(a.Truth(simulator.Calls().ID, from, to)))
}

func texts(rows []json.RawMessage) (all []string) {
	for _, row := range rows {
		all = append(all, string(row))
	}
	return all
}

// cell is a row's value under a metric of the calls report, as JSON; "" when it is absent.
func cell(t *testing.T, row, metric string) string {
	t.Helper()
	_, rest, found := strings.Cut(row, `"`+simulator.Calls().Metric(metric).ID+`":`)
	if !found {
		return ""
	}
	var v json.RawMessage
	if err := json.NewDecoder(strings.NewReader(rest)).Decode(&v); err != nil {
		t.Fatalf("%v in row %s", err, row)
	}
	return string(v)
}

func id(t *testing.T, row string) string {
	t.Helper()
	return strings.Trim(cell(t, row, "call_id"), `"`)
}

func sample(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile("samples/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func sorted(rows []string) []string { return slices.Sorted(slices.Values(rows)) }

func equalRows(t *testing.T, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d rows, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("row %d is\n%s\nwant\n%s", i, got[i], want[i])
		}
	}
}

func TestDocumentedPayloadsGetTheDocumentedResponses(t *testing.T) {
	a := serve(t, at(), 1000)
	for _, operation := range []string{"GetReportData", "GetInsightData", "GetDashboard"} {
		w := a.post(operation, json.RawMessage(sample(t, operation+".variables.json")))
		var want bytes.Buffer
		if err := json.Compact(&want, []byte(sample(t, operation+".response.json"))); err != nil {
			t.Fatal(err)
		}
		if got := w.Body.String(); got != want.String() {
			t.Errorf("%s:\n%s\nwant\n%s", operation, got, &want)
		}
		if got := w.Header().Get("Content-Type"); got != "application/json; charset=utf-8" {
			t.Errorf("%s: content type %q", operation, got)
		}
	}
}

func TestDocumentedReportAlsoHasWindows(t *testing.T) {
	c := at()
	a := serve(t, c, 1000)
	if rows := a.page(between(c.now.Add(-24*time.Hour), c.now)); len(rows) != 50 {
		t.Fatalf("%d rows, want the default limit, 50", len(rows))
	}
}

func TestRequestsThatNeverReachGraphQL(t *testing.T) {
	a := serve(t, at(), 0)
	for _, c := range []struct {
		name, method, key, body string
		status                  int
	}{
		{"no key", http.MethodPost, "", "{}", http.StatusUnauthorized},
		{"wrong key", http.MethodPost, "k-1234", "{}", http.StatusUnauthorized},
		{"GET", http.MethodGet, key, "", http.StatusMethodNotAllowed},
		{"not JSON", http.MethodPost, key, "query { dashboard { id } }", http.StatusBadRequest},
		{"empty", http.MethodPost, key, "", http.StatusBadRequest},
	} {
		r := httptest.NewRequest(c.method, "/", strings.NewReader(c.body))
		if c.key != "" {
			r.Header.Set("x-api-key", c.key)
		}
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		if w.Code != c.status || !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s: status %d, want %d, body %s", c.name, w.Code, c.status, w.Body)
		}
	}
}

func TestWrongQueriesAreGraphQLErrors(t *testing.T) {
	a := serve(t, at(), 0)
	query := sample(t, "GetReportData.graphql")
	calls := between(at().now, at().now)
	for _, c := range []struct {
		name, query string
		variables   variables
		message     string
	}{
		{"syntax", "query {", nil, "Expected Name"},
		{"unknown operation", "{ reports { id } }", nil, `Cannot query field "reports"`},
		{"mutation", "mutation { drop }", nil, "mutation"},
		{"unknown argument", "{ getReportData(reportId: 1, page: 2) }", nil, `Unknown argument "page"`},
		{"no report", query, variables{}, "must be defined"},
		{"wrong type of limit", query, calls.with("limit", "many"), "cannot use"},
		{"unknown time range", query, calls.with("timeRange", "PAST_AGE"), "PAST_AGE is not a valid TimeRange"},
		{"unknown key of a filter", query, calls.with("filters", []any{variables{"metricId": "x", "operation": "in", "type": "ATTRIBUTE", "vals": nil}}), "unknown field"},
		{"unknown report", query, calls.with("reportId", "5"), `report "5" is not known`},
		{"unknown time zone", query, calls.with("timezone", "Asia/Nowhere"), "not an IANA time zone"},
		{"unknown sort", query, calls.with("sortId", "abc"), "has no metric abc"},
		{"sort order", query, calls.with("sortOrder", 2), "sortOrder"},
		{"date", query, calls.with("startTime", "yesterday"), "not a Date"},
		{"negative skip", query, calls.with("skip", -1), "negative"},
		{"filter on an unknown metric", query, calls.with("filters", filter("abc", "ATTRIBUTE", "in", "values", []any{"x"})), "has no metric abc"},
		{"unknown operation of a filter", query, calls.with("filters", filter("direction", "ATTRIBUTE", "like", "values", []any{"x"})), "must be in or nin"},
		{"unknown comparison", query, calls.with("filters", filter("duration_s", "MEASURE", "above", "value", 1)), "must be eq"},
		{"comparison with a text", query, calls.with("filters", filter("duration_s", "MEASURE", "gt", "value", "x")), "must be a number"},
		{"unknown type of a filter", query, calls.with("filters", filter("duration_s", "OTHER", "gt", "value", 1)), "ATTRIBUTE or MEASURE"},
		{"unknown insight", sample(t, "GetInsightData.graphql"), variables{"dashboardId": "a", "insightId": "b"}, "is not known"},
		{"introspection", "{ __schema { types { name } } }", nil, "introspection"},
	} {
		body, _ := json.Marshal(map[string]any{"query": c.query, "variables": c.variables})
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.Header.Set("x-api-key", key)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		var got struct {
			Data   map[string]any
			Errors []struct{ Message string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
			t.Fatalf("%s: status %d, %s", c.name, w.Code, w.Body)
		}
		if len(got.Errors) == 0 || !strings.Contains(got.Errors[0].Message, c.message) {
			t.Errorf("%s: errors %v, want %q", c.name, got.Errors, c.message)
		}
		for field, v := range got.Data {
			if v != nil {
				t.Errorf("%s: %s is %v beside the error", c.name, field, v)
			}
		}
	}
}

// filter is a list of one filter on a metric of the calls report, by name or id.
func filter(metric, kind, operation, operand string, value any) []any {
	if m := simulator.Calls().Metric(metric); m.ID != "" {
		metric = m.ID
	}
	return []any{variables{"metricId": metric, "type": kind, "operation": operation, operand: value}}
}

func TestDashboardAnswersTheSelection(t *testing.T) {
	a := serve(t, at(), 0)
	query := `query($id: String) { it: dashboard(id: $id) { zone: timezone, ...bounds
		insights { filters { __typename ... on AttributeFilter { values } ... on MeasureFilter { value } } } } }
		fragment bounds on Dashboard { permission { accessLevel } }`
	post := func(id string) string {
		body, _ := json.Marshal(map[string]any{"query": query, "variables": variables{"id": id}})
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.Header.Set("x-api-key", key)
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		return w.Body.String()
	}
	one := `{"__typename":"AttributeFilter","values":[]}`
	want := `{"data":{"it":{"zone":"Asia/Calcutta","permission":{"accessLevel":"Public"},"insights":[{"filters":[` +
		strings.Join([]string{one, one, one, one}, ",") + `]},{"filters":[` + one + "," + one + `]}]}}}`
	if got := post(simulator.DashboardID); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := post("64708408b289a50051bd6782"); got != `{"data":{"it":null}}` {
		t.Errorf("unknown dashboard: %s", got)
	}
}

func TestInsightsCountCalls(t *testing.T) {
	c := at()
	a := serve(t, c, 4000)
	from, to := c.now.Add(-24*time.Hour), c.now.Add(-12*time.Hour)
	count := func(direction string, from, to time.Time) (n int) {
		for _, row := range a.truth(from, to) {
			if cell(t, row, "direction") == direction {
				n++
			}
		}
		return n
	}
	for insight, direction := range map[string]string{simulator.InboundInsightID: `"in"`, simulator.OutboundInsightID: `"out"`} {
		v := variables{
			"dashboardId": simulator.DashboardID, "insightId": insight,
			"startTime": from.UnixMilli(), "endTime": to.UnixMilli(),
		}
		rows := a.reply("GetInsightData", v).Data["getInsightData"].Data
		var got struct {
			Value, PreviousValue int
			Title                string
		}
		if len(rows) != 1 || json.Unmarshal(rows[0], &got) != nil {
			t.Fatalf("rows %s", rows)
		}
		if want := count(direction, from, to); got.Value != want || want == 0 {
			t.Errorf("%s: %d calls, want %d", direction, got.Value, want)
		}
		if want := count(direction, from.Add(-12*time.Hour), from); got.PreviousValue != want || want == 0 {
			t.Errorf("%s: %d calls before, want %d", direction, got.PreviousValue, want)
		}
		if more := a.reply("GetInsightData", v.with("skip", 1)).Data["getInsightData"].Data; len(more) != 0 {
			t.Errorf("a second page has rows: %s", more)
		}
	}
}

func TestMetricsAreADictionary(t *testing.T) {
	for _, report := range simulator.Reports() {
		ids, names := map[string]bool{}, map[string]bool{}
		for _, m := range report.Metrics {
			if len(m.ID) != 24 || ids[m.ID] || names[m.Name] || m.Title == "" || m.Type == "" {
				t.Errorf("%s: bad metric %s %q %q %q", report.Name, m.ID, m.Name, m.Title, m.Type)
			}
			ids[m.ID], names[m.Name] = true, true
			if m.CopyOf != "" && !ids[m.CopyOf] {
				t.Errorf("%s: %s is a copy of %s", report.Name, m.Name, m.CopyOf)
			}
		}
		if !ids[report.Key] || !ids[report.TimeField] {
			t.Errorf("%s: key or time field is no metric", report.Name)
		}
	}
	if got := simulator.Calls().Metric("no such"); got.ID != "" {
		t.Errorf("unknown metric: %v", got)
	}
}
