package status_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/status"
)

// Whatever datasets are named, and whatever the API or the warehouse said went wrong, becomes text: never a tag or an
// attribute of the page, never anything but a string of the JSON or a label of the metrics.
func FuzzWhatIsShown(f *testing.F) {
	f.Add("calls", "calls", "connection refused")
	f.Add(`"><script>alert(1)</script>`, `' onmouseover='x`, "<!-- </td></table><img src=x onerror=alert(1)>")
	f.Add("a\"b\\c\nd", "{{.Version}}", "\x00\xff\u2028</html>&lt;&#x3c;script")
	f.Fuzz(func(t *testing.T, name, table, failure string) {
		page := answer(t, "/", name, table, failure)
		// The texts are never empty, so that the page has the same parts.
		if plain := answer(t, "/", "", "", ""); strings.Count(page, "<") != strings.Count(plain, "<") || strings.Count(page, ">") != strings.Count(plain, ">") ||
			strings.Count(page, `"`) != strings.Count(plain, `"`) || strings.Count(page, "'") != strings.Count(plain, "'") {
			t.Errorf("a text became a part of the page:\n%s", page)
		}
		var shown status.Report
		if err := json.Unmarshal([]byte(answer(t, "/api/status", name, table, failure)), &shown); err != nil {
			t.Fatalf("no JSON: %v", err)
		}
		if d := shown.Datasets[0]; utf8.ValidString(name) && utf8.ValidString(table) && utf8.ValidString(failure) &&
			(d.Name != "n"+name || d.Table != "t"+table || d.Error != "e"+failure) {
			t.Errorf("got %+v", d)
		}
		if !utf8.ValidString(name) {
			return // Prometheus knows no such labels; a config cannot hold them either
		}
		for line := range strings.Lines(answer(t, "/metrics", name, table, failure)) {
			if !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "exporter_") {
				t.Errorf("a text became a line of the metrics: %q", line)
			}
		}
	})
}

// answer is what is served of a dataset with these texts, each behind a letter.
func answer(t *testing.T, path, name, table, failure string) string {
	t.Helper()
	of := &ledger{all: []sink.DatasetStatus{{
		Name: "n" + name, Kind: sink.KindReport, Table: "t" + table, Through: now.Add(-time.Hour), Failed: 1, Error: "e" + failure,
		LastRun: sink.Run{ID: 1, Kind: sink.RunScheduled, StartedAt: now.Add(-time.Minute)},
	}}}
	handler := status.New(status.Options{Warehouse: of, Registry: prometheus.NewRegistry(), Clock: func() time.Time { return now }, Version: "v1"})
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	if recorder.Code != http.StatusOK {
		t.Fatalf("%s: %d %s", path, recorder.Code, recorder.Body)
	}
	return recorder.Body.String()
}
