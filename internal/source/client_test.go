package source

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/window"
)

const testKey = "canary-7f3a9c"

// serve starts a server and a client of it. Options that are zero are made fit for a test.
func serve(t *testing.T, o Options, handler http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	o.Endpoint = server.URL + "/analytics/api"
	return newClient(t, o)
}

func newClient(t *testing.T, o Options) *Client {
	t.Helper()
	if o.APIKey == "" {
		o.APIKey = testKey
	}
	if o.MaxAttempts == 0 {
		o.MaxAttempts = 1
	}
	if o.RequestsPerSecond == 0 {
		o.RequestsPerSecond = 1e9
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func replyWith(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func rowsReply(rows ...string) string {
	return `{"data":{"getReportData":{"data":[` + strings.Join(rows, ",") + `]}}}`
}

func TestPageSendsTheDocumentedRequest(t *testing.T) {
	start := time.Date(2023, 7, 4, 22, 39, 23, 260_999_999, time.FixedZone("IST", 19800))
	full := Query{
		Report: "r1", Range: window.Window{Start: start, End: start.Add(time.Hour)}, Timezone: "Asia/Kolkata",
		SortID: "s1", SortDesc: true,
		Filters: []Filter{
			{Metric: "m1", Type: "ATTRIBUTE", Operation: "nin"},
			{Metric: "m2", Type: "ATTRIBUTE", Operation: "in", Values: []any{"a", 2}},
			{Metric: "m3", Type: "MEASURE", Operation: "gt", Value: 1.5},
		},
	}
	tests := []struct {
		name  string
		dates string
		query Query
		want  string
	}{
		{"empty query", "", Query{Report: "r1", TimeRange: "PAST_3_MONTHS"},
			`{"reportId":"r1","startTime":null,"endTime":null,"timeRange":"PAST_3_MONTHS","timezone":null,"filters":[],"skip":5,"limit":7}`},
		{"full query", "", full,
			`{"reportId":"r1","startTime":"2023-07-04T17:09:23.260Z","endTime":"2023-07-04T18:09:23.261Z","timeRange":null,
			"timezone":"Asia/Kolkata","sortId":"s1","sortOrder":-1,"skip":5,"limit":7,"filters":[
			{"metricId":"m1","operation":"nin","type":"ATTRIBUTE","values":[]},
			{"metricId":"m2","operation":"in","type":"ATTRIBUTE","values":["a",2]},
			{"metricId":"m3","operation":"gt","type":"MEASURE","value":1.5}]}`},
		{"epoch", DatesEpochMillis, Query{Report: "r1", Range: window.Window{Start: start.Truncate(time.Second), End: start.Truncate(time.Second).Add(time.Second)}, SortID: "s1"},
			`{"reportId":"r1","startTime":1688490563000,"endTime":1688490564000,"timeRange":null,"timezone":null,"filters":[],
			"sortId":"s1","sortOrder":1,"skip":5,"limit":7}`},
	}
	query, err := queries.ReadFile("queries/GetReportData.graphql")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var sent struct {
				Query     string
				Variables map[string]any
			}
			var header http.Header
			c := serve(t, Options{DateFormat: test.dates}, func(w http.ResponseWriter, r *http.Request) {
				header = r.Header
				if err := json.NewDecoder(r.Body).Decode(&sent); err != nil || r.Method != http.MethodPost || r.URL.Path != "/analytics/api" {
					t.Errorf("%s %s: %v", r.Method, r.URL, err)
				}
				io.WriteString(w, rowsReply(`{"a":1}`))
			})
			page, err := c.Page(t.Context(), test.query, 5, 7)
			if err != nil || !slices.Equal(page.Rows, []string{`{"a":1}`}) || page.Attempts != 1 || page.Bytes != int64(len(rowsReply(`{"a":1}`))) || page.Took <= 0 {
				t.Fatalf("page %+v, error %v", page, err)
			}
			var want map[string]any
			if err := json.Unmarshal([]byte(test.want), &want); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(sent.Variables, want) || sent.Query != string(query) {
				t.Errorf("sent %v\nwant %v", sent.Variables, want)
			}
			if header.Get("X-Api-Key") != testKey || header.Get("User-Agent") != "samespace-exporter" || header.Get("Accept-Encoding") != "gzip" {
				t.Errorf("header %v", header)
			}
		})
	}
}

func TestRowsOverHTTP(t *testing.T) {
	api := &table{rows: callRows(25), most: 10}
	c := serve(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		var sent struct{ Variables struct{ Skip, Limit int } }
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Error(err)
		}
		page, err := api.ask(r.Context(), window.Window{}, sent.Variables.Skip, sent.Variables.Limit)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		io.WriteString(zip, rowsReply(page.Rows...))
		zip.Close()
	})
	got := &rowList{}
	if _, err := c.Rows(t.Context(), Query{Report: "r1", PageSize: 12}, got); err != nil || !slices.Equal(got.rows, api.rows) {
		t.Errorf("read %d rows, error %v", len(got.rows), err)
	}
}

func TestErrorsAreClassed(t *testing.T) {
	graphQL := func(code string) http.HandlerFunc {
		return replyWith(200, `{"data":{"getReportData":{"data":[{"a":1}]}},"errors":[{"message":"first"},{"message":"no","extensions":{"code":"`+code+`"}}]}`)
	}
	tests := []struct {
		name    string
		handler http.HandlerFunc
		class   Class
		status  int
		hint    string
	}{
		{"301", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "https://else.example/x?y", 301) }, Refused, 301, "https://else.example:"},
		{"307", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/analytics/api", 307) }, Refused, 307, "redirects"},
		{"304", replyWith(304, ""), Refused, 304, "redirects, to nowhere"},
		{"400", replyWith(400, `{"errors":[{"message":"bad"}]}`), Refused, 400, "filters"},
		{"401 with JSON", replyWith(401, `{"message":"Unauthorized"}`), Unauthorized, 401, "source.api_key"},
		{"403", replyWith(403, ""), Unauthorized, 403, "source.api_key"},
		{"404", replyWith(404, "<html>"), Refused, 404, "source.endpoint"},
		{"408", replyWith(408, ""), TooHeavy, 408, "page_size"},
		{"413", replyWith(413, ""), TooHeavy, 413, "page_size"},
		{"429", replyWith(429, rowsReply(`{}`)), RateLimited, 429, "requests_per_second"},
		{"500", replyWith(500, rowsReply(`{}`)), Transient, 500, ""},
		{"503", replyWith(503, rowsReply(`{}`)), Transient, 503, ""},
		{"504", replyWith(504, ""), TooHeavy, 504, "page_size"},
		{"204", replyWith(204, ""), Malformed, 204, "source.endpoint"},
		{"empty", replyWith(200, ""), Malformed, 200, "source.endpoint"},
		{"null", replyWith(200, "null"), Malformed, 200, "source.endpoint"},
		{"HTML", replyWith(200, "<html>Sign in"), Malformed, 200, "source.endpoint"},
		{"null operation", replyWith(200, `{"data":{"getReportData":null}}`), Malformed, 200, "source.endpoint"},
		{"trailing garbage", replyWith(200, rowsReply(`{}`)+"x"), Malformed, 200, "source.endpoint"},
		{"cut, length unknown", replyWith(200, rowsReply(`{}`)[:30]), Transient, 200, ""},
		{"cut, shorter than its length", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, rowsReply(`{}`))
		}, Transient, 200, ""},
		{"reset in the body", func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, rowsReply(`{}`))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, Transient, 200, ""},
		{"reset before the reply", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Transient, 0, ""},
		{"GraphQL error beside rows", graphQL("INTERNAL_SERVER_ERROR"), Errored, 200, ""},
		{"GraphQL error, rows null", replyWith(200, `{"data":{"getReportData":null},"errors":[{"message":"down"}]}`), Errored, 200, ""},
		{"GraphQL error twice, the second list empty", replyWith(200, `{"errors":[{"message":"down"}],"errors":[],"data":{"getReportData":{"data":[]}}}`), Errored, 200, ""},
		{"GraphQL UNAUTHENTICATED", graphQL("UNAUTHENTICATED"), Unauthorized, 200, "source.api_key"},
		{"GraphQL FORBIDDEN", graphQL("FORBIDDEN"), Unauthorized, 200, "source.api_key"},
		{"GraphQL BAD_USER_INPUT", graphQL("BAD_USER_INPUT"), Refused, 200, "filters"},
		{"GraphQL GRAPHQL_VALIDATION_FAILED", graphQL("GRAPHQL_VALIDATION_FAILED"), Refused, 200, "filters"},
		{"GraphQL GRAPHQL_PARSE_FAILED", graphQL("GRAPHQL_PARSE_FAILED"), Refused, 200, "filters"},
		{"time-out before the reply", func(_ http.ResponseWriter, r *http.Request) { stall(r) }, TooHeavy, 0, "source.timeout"},
		{"time-out in the body", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, `{"data":`)
			w.(http.Flusher).Flush()
			stall(r)
		}, TooHeavy, 200, "source.timeout"},
		{"too long, length known", replyWith(200, rowsReply(`"`+strings.Repeat("x", 2000)+`"`)), TooHeavy, 200, "max_page_bytes"},
		{"too long, length unknown", func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			io.WriteString(w, rowsReply(`"`+strings.Repeat("x", 2000)+`"`))
		}, TooHeavy, 200, "max_page_bytes"},
		{"too long once decompressed", gzipped(rowsReply(`"`+strings.Repeat("x", 2000)+`"`), -1), TooHeavy, 200, "max_page_bytes"},
		{"gzip cut short", gzipped(rowsReply(`{}`), 30), Transient, 200, ""},
		{"no gzip", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			io.WriteString(w, rowsReply(`{}`))
		}, Malformed, 200, ""},
		{"500 with no gzip", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(500)
		}, Transient, 500, ""},
		{"unknown encoding", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Encoding", "br") }, Malformed, 200, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			o := Options{MaxPageBytes: 1000}
			if strings.HasPrefix(test.name, "time-out") {
				o.Timeout = 100 * time.Millisecond
			}
			c := serve(t, o, test.handler)
			page, err := c.Page(t.Context(), Query{Report: "r1"}, 3, 10)
			var failed *Error
			if !errors.As(err, &failed) || page.Rows != nil {
				t.Fatalf("page %+v, error %v", page, err)
			}
			if failed.Class != test.class || failed.Status != test.status || failed.Op != reportData || failed.Skip != 3 || page.Attempts != 1 {
				t.Errorf("%+v after %d attempts", failed, page.Attempts)
			}
			if one := test.name == "403" || test.name == "GraphQL FORBIDDEN"; failed.OneReport != one {
				t.Errorf("it is about one report only: %t", failed.OneReport)
			}
			if !strings.Contains(failed.Hint, test.hint) || test.hint == "" && failed.Hint != "" {
				t.Errorf("hint %q", failed.Hint)
			}
		})
	}
}

// stall blocks until the client has gone. (The body has to be read for the server to notice.)
func stall(r *http.Request) {
	io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// gzipped replies with so many bytes of a compressed body; -1: all.
func gzipped(body string, most int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		var zipped strings.Builder
		zip := gzip.NewWriter(&zipped)
		io.WriteString(zip, body)
		zip.Close()
		w.Header().Set("Content-Encoding", "gzip")
		text := zipped.String()
		if most >= 0 {
			text = text[:most]
		}
		io.WriteString(w, text)
	}
}

func TestUnreachableIsToldFromSlow(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	distrusted := httptest.NewUnstartedServer(replyWith(200, ""))
	distrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	distrusted.StartTLS()
	t.Cleanup(distrusted.Close)
	unnamed := http.DefaultTransport.(*http.Transport).Clone()
	unnamed.DialContext = func(context.Context, string, string) (net.Conn, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "nowhere.invalid", IsNotFound: true}
	}
	tests := []struct {
		name string
		o    Options
		hint string
	}{
		{"refused", Options{Endpoint: "http://" + closed.Addr().String()}, "check source.endpoint"},
		{"no such host", Options{Endpoint: "http://nowhere.invalid", Transport: unnamed}, "check source.endpoint"},
		{"certificate", Options{Endpoint: distrusted.URL}, "certificate"},
		// Nobody accepts, so no TLS handshake ends: a connection that is not there in time, not a slow query.
		{"silent", Options{Endpoint: "https://" + listener.Addr().String(), Timeout: 100 * time.Millisecond}, "check source.endpoint"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := newClient(t, test.o).Page(t.Context(), Query{}, 0, 10)
			var failed *Error
			if !errors.As(err, &failed) || failed.Class != Unreachable || failed.Status != 0 || !strings.Contains(failed.Hint, test.hint) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestMalformedReplyIsShown(t *testing.T) {
	c := serve(t, Options{}, replyWith(200, "<html>"+strings.Repeat(" ", 1000)+"<h1>Sign in</h1>"+strings.Repeat(" ", 5000)))
	if _, err := c.Page(t.Context(), Query{}, 0, 10); err == nil || !strings.Contains(err.Error(), "<h1>Sign in</h1>") {
		t.Errorf("error %v", err)
	}
}

func TestRequestThatCannotBeSent(t *testing.T) {
	c := serve(t, Options{MaxAttempts: 3}, replyWith(200, rowsReply()))
	page, err := c.Page(t.Context(), Query{Filters: []Filter{{Type: "MEASURE", Value: func() {}}}}, 0, 10)
	var failed *Error
	if !errors.As(err, &failed) || failed.Class != Refused || page.Attempts != 1 {
		t.Errorf("%v after %d attempts", err, page.Attempts)
	}
}

func TestCancelledCallReturnsItsCause(t *testing.T) {
	cause := &Error{Op: "another call's"} // so that it must stay as it is
	ctx, cancel := context.WithCancelCause(t.Context())
	c := serve(t, Options{MaxAttempts: 3}, func(_ http.ResponseWriter, r *http.Request) {
		cancel(cause)
		stall(r)
	})
	if _, err := c.Rows(ctx, Query{PageSize: 10}, &rowList{}); err != cause {
		t.Errorf("error %v", err)
	}
	if _, err := c.Page(ctx, Query{}, 0, 10); err != cause {
		t.Errorf("error of a call that began cancelled: %v", err)
	}
	if cause.Op != "another call's" {
		t.Errorf("the cause was changed: %v", cause)
	}
}

func TestNewRefusesBadOptions(t *testing.T) {
	good := Options{Endpoint: "https://x.example/api", APIKey: testKey}
	for name, spoil := range map[string]func(*Options){
		"no key":         func(o *Options) { o.APIKey = "" },
		"key with space": func(o *Options) { o.APIKey += "\n" },
		"no endpoint":    func(o *Options) { o.Endpoint = "" },
		"no scheme":      func(o *Options) { o.Endpoint = "x.example/api" },
		"no URL":         func(o *Options) { o.Endpoint = "https://x:" + testKey + "@" },
		"user in URL":    func(o *Options) { o.Endpoint = "https://u:" + testKey + "@x.example" },
		"user, no https": func(o *Options) { o.Endpoint = "ftp://" + testKey + "@x.example" },
		"dates":          func(o *Options) { o.DateFormat = "iso" },
		"negative":       func(o *Options) { o.MaxInFlight = -1 },
	} {
		o := good
		spoil(&o)
		if c, err := New(o); err == nil || strings.Contains(err.Error(), testKey) {
			t.Errorf("%s: client %v, error %v", name, c, err)
		}
	}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	if got := fmt.Sprint(good); !strings.Contains(got, "https://x.example/api") {
		t.Error(got)
	}
}
