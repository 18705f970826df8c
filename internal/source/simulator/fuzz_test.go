package simulator_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"samespace-exporter/internal/source/simulator"
)

func FuzzVariablesNeverBreakTheServer(f *testing.F) {
	query, err := os.ReadFile("samples/GetReportData.graphql")
	if err != nil {
		f.Fatal(err)
	}
	documented, err := os.ReadFile("samples/GetReportData.variables.json")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{
		string(documented), `{}`, `null`, `[]`, `{"reportId":1,"filters":{}}`,
		`{"reportId":"6007d54273902f0069dc68dc","filters":[{"metricId":5,"type":"MEASURE","operation":"gt","value":null,"values":[null]}]}`,
		`{"reportId":"6007d54273902f0069dc68dc","startTime":-1e14,"endTime":1e300,"limit":9223372036854775807,"skip":1}`,
		`{"reportId":"6007d54273902f0069dc68dc","startTime":0,"endTime":9e14,"sortId":"5e6f5fc04767c68072ee031c","sortOrder":-1,"limit":3}`,
		`{"reportId":"6007d54273902f0069dc68dc","timeRange":"past_hour","timezone":5,"limit":"7"}`,
	} {
		f.Add(seed)
	}
	clock := at()
	calls := simulator.Calls()
	calls.RowsPerDay, calls.Since = 50, clock.now.AddDate(0, 0, -5)
	s := simulator.New(simulator.Options{Clock: clock.Now, Reports: []simulator.Report{calls}})
	text, _ := json.Marshal(string(query))
	f.Fuzz(func(t *testing.T, variables string) {
		body := `{"query":` + string(text) + `,"variables":` + variables + `}`
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body)))
		if !json.Valid(w.Body.Bytes()) || w.Code != http.StatusOK && w.Code != http.StatusBadRequest {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
	})
}
