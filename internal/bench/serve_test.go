package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// The API sends every row once, in order of time, whatever the pages and the bounds; the changed ones differ in one of a hundred.
func TestPages(t *testing.T) {
	const rows = 1234
	dir := t.TempDir()
	if err := renderFiles(dir, rows); err != nil {
		t.Fatal(err)
	}
	pages, err := openPages(dir)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{variant}/{delay}", pages.reply)
	server := httptest.NewServer(mux)
	defer server.Close()
	read := func(variant string, from, to time.Time) (all []map[string]any) {
		for skip := 0; ; skip += 100 {
			body := fmt.Sprintf(`{"variables": {"startTime": %q, "endTime": %q, "skip": %d, "limit": 100}}`,
				from.Format(clockForm), to.Format(clockForm), skip)
			response, err := http.Post(server.URL+"/"+variant+"/0s", "application/json", bytes.NewBufferString(body))
			if err != nil {
				t.Fatal(err)
			}
			var page struct {
				Data struct {
					GetReportData struct{ Data []map[string]any }
				}
			}
			if err := json.NewDecoder(response.Body).Decode(&page); err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if len(page.Data.GetReportData.Data) == 0 {
				return all
			}
			all = append(all, page.Data.GetReportData.Data...)
		}
	}
	middle := startOf(777)
	plain := append(read("plain", firstCall(), middle), read("plain", middle, end(rows))...)
	changed := read("changed", firstCall(), end(rows))
	if len(plain) != rows || len(changed) != rows {
		t.Fatalf("%d and %d rows, want %d", len(plain), len(changed), rows)
	}
	id := fields()[0].id
	for n := range rows {
		if plain[n][id] != callAt(n, false).id || maps.Equal(plain[n], changed[n]) != (n%100 != 0) {
			t.Errorf("row %d is %v, and changed %v", n, plain[n], changed[n])
		}
	}
}
