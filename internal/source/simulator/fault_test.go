package simulator_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"samespace-exporter/internal/source/simulator"
)

func TestFaultsInPlaceOfAnAnswer(t *testing.T) {
	c := at()
	a := serve(t, c, 1000)
	v := between(c.now.Add(-24*time.Hour), c.now)
	for _, c := range []struct {
		name   string
		fault  simulator.Fault
		status int
		header string // of Content-Type or Retry-After
		body   string
	}{
		{"status", simulator.Status(503, `{"m":1}`, "Retry-After", "9"), 503, "9", `{"m":1}`},
		{"retry after", simulator.RetryAfter(429, 1500*time.Millisecond), 429, "2", `{"message":"too many requests"}`},
		{"errors", simulator.Errors("broken"), 200, "application/json; charset=utf-8", `{"errors":[{"message":"broken"}],"data":null}`},
		{"HTML", simulator.HTML(), 200, "text/html; charset=utf-8", "<!DOCTYPE html>"},
		{"empty", simulator.EmptyBody(), 200, "application/json; charset=utf-8", ""},
		{"null", simulator.NullData(), 200, "application/json; charset=utf-8", `{"data":{"getReportData":null}}`},
		{"refused", simulator.Refuse("no"), 200, "application/json; charset=utf-8",
			`{"errors":[{"message":"no","path":["getReportData"]}],"data":{"getReportData":null}}`},
		{"skip", simulator.MaxSkip(99), 200, "application/json; charset=utf-8", `{"errors":[{"message":"skip must not be above 99"`},
		{"range", simulator.RangeLimit(time.Hour), 200, "application/json; charset=utf-8", `{"errors":[{"message":"the time range must not be longer than 1h`},
	} {
		t.Run(c.name, func(t *testing.T) {
			a.Script(simulator.On(1), c.fault)
			w := a.post("GetReportData", v.with("skip", 100))
			header := w.Header().Get("Retry-After")
			if header == "" {
				header = w.Header().Get("Content-Type")
			}
			if body := w.Body.String(); w.Code != c.status || header != c.header ||
				!strings.HasPrefix(body, c.body) || c.body == "" && body != "" {
				t.Errorf("status %d, %q, %s", w.Code, header, body)
			}
			if got := a.Requests()[len(a.Requests())-1]; got.Status != c.status || got.Rows != 0 {
				t.Errorf("log: status %d, %d rows", got.Status, got.Rows)
			}
			if len(a.page(v)) == 0 {
				t.Error("the next request fails too")
			}
		})
	}
}

func TestErrorsBesideData(t *testing.T) {
	c := at()
	a := serve(t, c, 1000)
	a.Script(simulator.Always(), simulator.ErrorsBesideData("partly"), simulator.Pad(1000))
	w := a.post("GetReportData", between(c.now.Add(-24*time.Hour), c.now))
	var r response
	if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Errors) != 1 || r.Errors[0].Message != "partly" || len(r.Data["getReportData"].Data) != 50 {
		t.Errorf("errors %v", r.Errors)
	}
	if !bytes.HasSuffix(w.Body.Bytes(), bytes.Repeat([]byte(" "), 1000)) {
		t.Error("the body is not padded")
	}
}

func TestTriggers(t *testing.T) {
	deep := func(r simulator.Request) bool { return r.Skip >= 100 }
	for _, c := range []struct {
		name    string
		trigger simulator.Trigger
		skips   []int
		failed  []bool
	}{
		{"zero", simulator.Trigger{}, []int{0, 0}, []bool{false, false}},
		{"always", simulator.Always(), []int{0, 0}, []bool{true, true}},
		{"on", simulator.On(1, 3), []int{0, 0, 0, 0}, []bool{true, false, true, false}},
		{"every", simulator.Every(2), []int{0, 0, 0, 0}, []bool{false, true, false, true}},
		{"when", simulator.When(deep), []int{0, 100, 200, 50}, []bool{false, true, true, false}},
		{"on, where", simulator.On(2).Where(deep), []int{100, 0, 0, 100, 100}, []bool{false, false, false, true, false}},
	} {
		a := serve(t, at(), 0)
		a.Script(c.trigger, simulator.Status(500, ""))
		for i, skip := range c.skips {
			w := a.post("GetReportData", between(at().now, at().now).with("skip", skip))
			if failed := w.Code == 500; failed != c.failed[i] {
				t.Errorf("%s: request %d failed: %v", c.name, i+1, failed)
			}
		}
	}
	a := serve(t, at(), 0)
	a.Script(simulator.Always(), simulator.Status(500, ""))
	a.Unscript()
	a.page(between(at().now, at().now))
}

func TestFaultsOfPaging(t *testing.T) {
	c := at()
	from, to := c.now.Add(-48*time.Hour), c.now.Add(-10*time.Hour)
	v := between(from, to).byStart()
	first := func(t *testing.T, fault simulator.Fault, v variables) ([]string, api) {
		a := serve(t, at(), 1000)
		a.Script(simulator.Always(), fault)
		return a.page(v), a
	}
	t.Run("cap", func(t *testing.T) {
		rows, a := first(t, simulator.PageCap(7), v)
		equalRows(t, rows, a.truth(from, to)[:7])
	})
	t.Run("cap by bytes", func(t *testing.T) {
		all := serve(t, at(), 1000).truth(from, to)
		rows, _ := first(t, simulator.PageBytes(len(all[0])+len(all[1])), v)
		equalRows(t, rows, all[:2])
		one, _ := first(t, simulator.PageBytes(1), v)
		equalRows(t, one, all[:1])
	})
	t.Run("ignore skip", func(t *testing.T) {
		rows, a := first(t, simulator.IgnoreSkip(), v.with("skip", 300))
		equalRows(t, rows, a.truth(from, to)[:50])
	})
	t.Run("ignore sort", func(t *testing.T) {
		rows, a := first(t, simulator.IgnoreSort(), v)
		a.Unscript()
		equalRows(t, rows, a.page(between(from, to)))
	})
	t.Run("unordered", func(t *testing.T) {
		all := v.with("limit", 10_000)
		rows, a := first(t, simulator.Unordered(), all)
		again := a.page(all)
		if slices.Equal(rows, again) {
			t.Error("the order is the same again")
		}
		equalRows(t, sorted(again), sorted(rows))
		equalRows(t, sorted(again), sorted(a.truth(from, to)))
	})
	t.Run("bounds", func(t *testing.T) {
		a := serve(t, at(), 1000)
		rows := a.truth(from, to)
		lower, upper := instant(t, rows[3], "started_at"), instant(t, rows[9], "started_at")
		equalRows(t, a.page(between(lower, upper).byStart()), rows[3:9])
		a.Script(simulator.Always(), simulator.InclusiveEnd())
		equalRows(t, a.page(between(lower, upper).byStart()), rows[3:10])
		a.Script(simulator.Always(), simulator.ExclusiveStart())
		equalRows(t, a.page(between(lower, upper).byStart()), rows[4:10])
		equalRows(t, a.truth(lower, upper), rows[3:9])
	})
	t.Run("meanwhile", func(t *testing.T) {
		gone := ""
		rows, a := first(t, simulator.Meanwhile(func(s *simulator.Simulator) {
			if gone != "" {
				return
			}
			for row := range s.Truth(simulator.Calls().ID, from, to) {
				gone = id(t, string(row))
				break
			}
			if err := s.Remove(simulator.Calls().ID, gone); err != nil {
				t.Error(err)
			}
		}), v)
		if id(t, rows[0]) != gone {
			t.Errorf("the page was made after the row was removed")
		}
		next := a.page(v.with("skip", len(rows)))
		equalRows(t, next, a.truth(from, to)[len(rows):len(rows)+50])
	})
}

func TestFaultsOfRows(t *testing.T) {
	c := at()
	from, to := c.now.Add(-48*time.Hour), c.now.Add(-10*time.Hour)
	metric := func(name string) string { return simulator.Calls().Metric(name).ID }
	for _, c := range []struct {
		name  string
		fault simulator.Fault
		check func(t *testing.T, sent, want string) // of an altered row
	}{
		{"wrong types", simulator.WrongTypes(metric("duration_s"), metric("started_at")), func(t *testing.T, sent, _ string) {
			if cell(t, sent, "duration_s") != `"n/a"` || cell(t, sent, "started_at") != `{"unexpected":true}` {
				t.Errorf("row %s", sent)
			}
		}},
		{"NUL", simulator.NUL(metric("direction"), metric("duration_s")), func(t *testing.T, sent, want string) {
			if sent != strings.Replace(want, `"`+metric("direction")+`":`+cell(t, want, "direction"),
				`"`+metric("direction")+`":`+strings.TrimSuffix(cell(t, want, "direction"), `"`)+`\u0000"`, 1) {
				t.Errorf("row %s", sent)
			}
		}},
		{"missing keys", simulator.MissingKeys(metric("direction"), metric("ended_at")), func(t *testing.T, sent, _ string) {
			if cell(t, sent, "direction") != "" || cell(t, sent, "ended_at") != "" || cell(t, sent, "duration_s") == "" {
				t.Errorf("row %s", sent)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := serve(t, at(), 300)
			a.Script(simulator.Always(), c.fault)
			sent, truth := a.pages(between(from, to).byStart(), 500), a.truth(from, to)
			altered := 0
			for i := range sent {
				if !simulator.Altered(id(t, truth[i])) {
					equalRows(t, sent[i:i+1], truth[i:i+1])
					continue
				}
				altered++
				c.check(t, sent[i], truth[i])
			}
			if share := len(truth) / max(altered, 1); share < 5 || share > 12 {
				t.Errorf("%d of %d rows are altered", altered, len(truth))
			}
		})
	}
	t.Run("new ids", func(t *testing.T) {
		a := serve(t, at(), 300)
		a.Script(simulator.Always(), simulator.NewIDs())
		want := a.truth(from, to)
		for i := range want {
			want[i] = strings.TrimSuffix(want[i], "}") + `,"` + simulator.NewID + `":"new"}`
		}
		equalRows(t, a.pages(between(from, to).byStart(), 500), want)
	})
	t.Run("duplicates", func(t *testing.T) {
		a := serve(t, at(), 300)
		a.Script(simulator.Always(), simulator.Duplicate())
		var want []string
		for _, row := range a.truth(from, to) {
			want = append(want, row)
			if simulator.Altered(id(t, row)) {
				want = append(want, row)
			}
		}
		equalRows(t, a.pages(between(from, to).byStart(), 101), want)
		equalRows(t, sorted(a.pages(between(from, to), 101)), sorted(want))
	})
}

// listen serves the simulator on loopback and returns a func that posts a report's query to it.
func listen(t *testing.T, a api, options ...func(*httptest.Server)) func(context.Context, variables) (*http.Response, error) {
	t.Helper()
	server := httptest.NewUnstartedServer(a)
	for _, option := range options {
		option(server)
	}
	if server.TLS == nil {
		server.Start()
	}
	t.Cleanup(server.Close)
	return func(ctx context.Context, v variables) (*http.Response, error) {
		body, err := json.Marshal(map[string]any{"query": sample(t, "GetReportData.graphql"), "variables": v})
		if err != nil {
			return nil, err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL, bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		r.Header.Set("x-api-key", key)
		return server.Client().Do(r)
	}
}

func TestRepliesAreGzippedWhenAsked(t *testing.T) {
	c := at()
	a := serve(t, c, 1000)
	body, _ := json.Marshal(map[string]any{
		"query": sample(t, "GetReportData.graphql"), "variables": between(c.now.Add(-24*time.Hour), c.now),
	})
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set("x-api-key", key)
	r.Header.Set("Accept-Encoding", "gzip")
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	unzipped, err := gzip.NewReader(w.Body)
	if err != nil || w.Header().Get("Content-Encoding") != "gzip" {
		t.Fatalf("%v, %v", err, w.Header())
	}
	var got response
	if err := json.NewDecoder(unzipped).Decode(&got); err != nil || len(got.Data["getReportData"].Data) != 50 {
		t.Fatalf("%v, %v", err, got)
	}
}

func TestABodyCutShort(t *testing.T) {
	c := at()
	a := serve(t, c, 1000)
	post := listen(t, a)
	a.Script(simulator.On(1), simulator.CutBody(100))
	v := between(c.now.Add(-24*time.Hour), c.now)
	r, err := post(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if r.StatusCode != 200 || len(body) > 100 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("status %d, %d bytes, %v", r.StatusCode, len(body), err)
	}
	if r, err = post(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	if _, err = io.Copy(io.Discard, r.Body); err != nil {
		t.Error(err)
	}
	_ = r.Body.Close()
}

func TestAConnectionReset(t *testing.T) {
	for name, option := range map[string]func(*httptest.Server){
		"plain":  func(*httptest.Server) {},
		"TLS":    func(s *httptest.Server) { s.StartTLS() },
		"HTTP/2": func(s *httptest.Server) { s.EnableHTTP2 = true; s.StartTLS() },
	} {
		a := serve(t, at(), 0)
		a.Script(simulator.Always(), simulator.Reset())
		_, err := listen(t, a, option)(t.Context(), between(at().now, at().now))
		if err == nil || name != "HTTP/2" && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestHangingAndDelayedRequestsEndWithTheClient(t *testing.T) {
	for name, fault := range map[string]simulator.Fault{"hang": simulator.Hang(), "delay": simulator.Delay(time.Hour)} {
		a := serve(t, at(), 0)
		ctx, cancel := context.WithCancel(t.Context())
		arrived := func(simulator.Request) bool { cancel(); return true }
		a.Script(simulator.When(arrived), fault)
		_, err := listen(t, a)(ctx, between(at().now, at().now)) // its clean-up waits for the handler
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDelayThenAnswers(t *testing.T) {
	a := serve(t, at(), 0)
	a.Script(simulator.Always(), simulator.Delay(time.Millisecond))
	a.page(between(at().now, at().now))
}

func TestTheRequestLog(t *testing.T) {
	c := at()
	calls := simulator.Calls()
	a := api{simulator.New(simulator.Options{APIKey: key, Clock: c.Now, KeepRequests: 2}), t}
	v := between(c.now.Add(-2*time.Hour), c.now).with("sortId", calls.TimeField).with("sortOrder", -1)
	a.page(v.with("skip", 3).with("limit", 11))
	a.page(v.with("skip", 2).with("limit", 10))
	a.post("GetDashboard", variables{"id": simulator.DashboardID})
	got := a.Requests()
	if len(got) != 2 {
		t.Fatalf("%d requests are kept", len(got))
	}
	page, dashboard := got[0], got[1]
	if page.Number != 2 || page.Operation != "getReportData" || page.Report != calls.ID || !page.At.Equal(c.now) ||
		!page.From.Equal(c.now.Add(-2*time.Hour)) || !page.To.Equal(c.now) || page.SortID != calls.TimeField ||
		!page.Descending || page.Skip != 2 || page.Limit != 10 || page.Rows != 10 || page.Status != 200 ||
		page.Variables["reportId"] != calls.ID {
		t.Errorf("page: %+v", page)
	}
	if dashboard.Operation != "dashboard" || dashboard.Dashboard != simulator.DashboardID {
		t.Errorf("dashboard: %+v", dashboard)
	}
	stats := a.Stats()
	if stats.Requests != 3 || stats.Rows != 21 || stats.MaxSkip != 3 || stats.MaxLimit != 11 ||
		stats.MaxInFlight != 1 || stats.Statuses[200] != 3 {
		t.Errorf("stats: %+v", stats)
	}
	a.ForgetRequests()
	if len(a.Requests()) != 0 {
		t.Error("requests are still kept")
	}
}

func TestManyClientsAtOnce(t *testing.T) {
	c := at()
	a := serve(t, c, 1000)
	a.Script(simulator.Every(3), simulator.Unordered())
	from, to := c.now.Add(-30*time.Hour), c.now
	calls := simulator.Calls()
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			for n := range 6 {
				a.page(between(from, to).with("skip", 10*i))
				a.page(between(from, to).byStart().with("skip", 10*n))
				key, err := a.Insert(calls.ID, from.Add(time.Duration(i)*time.Hour), nil)
				if err != nil {
					t.Error(err)
				}
				if n%2 == 0 {
					continue
				}
				for range a.Truth(calls.ID, from, to) {
					break
				}
				if err := a.Remove(calls.ID, key); err != nil {
					t.Error(err)
				}
			}
		})
	}
	clients.Wait()
	a.Unscript()
	inEveryOrder(t, a, from, to)
}

func BenchmarkPages(b *testing.B) {
	c := at()
	calls := simulator.Calls()
	calls.RowsPerDay = 33_000
	s := simulator.New(simulator.Options{Clock: c.Now, Reports: []simulator.Report{calls}})
	from, to := c.now.Add(-31*24*time.Hour), c.now.Add(-24*time.Hour)
	query := `query($v: ID!, $from: Date, $to: Date, $sort: String, $skip: Int) {
		getReportData(reportId: $v, startTime: $from, endTime: $to, sortId: $sort, skip: $skip, limit: 1000) }`
	for name, sort := range map[string]any{"by start": calls.TimeField, "by id": nil, "by duration": calls.Metric("talk_s").ID} {
		for _, encoding := range []string{"", "gzip"} {
			b.Run(name+" "+encoding, func(b *testing.B) {
				for i := range b.N {
					body, _ := json.Marshal(map[string]any{"query": query, "variables": variables{
						"v": calls.ID, "from": from, "to": to, "sort": sort, "skip": i * 1000 % 900_000,
					}})
					r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
					r.Header.Set("Accept-Encoding", encoding)
					w := httptest.NewRecorder()
					s.ServeHTTP(w, r)
					b.SetBytes(int64(w.Body.Len()))
				}
				b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}
