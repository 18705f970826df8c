package status_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/status"
	"samespace-exporter/internal/window"
)

func TestDriftsAreShown(t *testing.T) {
	of := healthy()
	of.drifts = []sink.Drift{
		{Dataset: "calls", Insight: "abandoned", Through: now.Add(-time.Hour)},
		{
			Dataset: "calls", Insight: "answered", Through: now.Add(-time.Hour), Differing: 3, Standing: 1,
			Earliest: sink.Reconciled{
				Window: window.Window{Start: now.Add(-9 * time.Hour), End: now.Add(-8 * time.Hour)}, Warehouse: "97", API: "100", Difference: "-3",
				Share: 0.03, State: sink.Stands, Rereads: 2, AgainAt: now.Add(time.Hour),
			},
		},
	}
	get := serve(t, of)
	_, body := get("/api/status")
	var report status.Report
	if err := json.Unmarshal([]byte(body), &report); err != nil {
		t.Fatal(err)
	}
	shown := report.Datasets[0].Reconciled
	if len(shown) != 2 || shown[0].First != nil || shown[0].Differing != 0 || shown[1].Differing != 3 || shown[1].Standing != 1 ||
		shown[1].First.Warehouse != "97" || shown[1].First.Difference != "-3" || shown[1].First.AgainAt == nil {
		t.Errorf("JSON: %s", body)
	}
	const line = "3 windows differ from insight answered, 1 of them after they were read again; the first, 2024-05-06 03:00:00 UTC: the warehouse has 97, the API says 100"
	if _, page := get("/"); !strings.Contains(page, line) || strings.Contains(page, "abandoned") {
		t.Errorf("page: %s", page)
	}
	_, metrics := get("/metrics")
	for _, want := range []string{
		`exporter_differing_windows{dataset="calls",insight="answered",state="differs"} 2`,
		`exporter_differing_windows{dataset="calls",insight="answered",state="stands"} 1`,
		`exporter_differing_windows{dataset="calls",insight="abandoned",state="stands"} 0`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in the metrics", want)
		}
	}
}
