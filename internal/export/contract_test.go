package export_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/source/simulator"
)

// measured keeps a contract of the report.
func (w *world) measured(c source.Contract) {
	w.Helper()
	terms, err := json.Marshal(c)
	if err != nil {
		w.Fatal(err)
	}
	keeper := w.warehouse.(interface {
		KeepContract(ctx context.Context, dataset string, now func(sink.Contract) (sink.Contract, error)) error
	})
	err = keeper.KeepContract(w.Context(), "calls", func(sink.Contract) (sink.Contract, error) {
		return sink.Contract{MeasuredAt: w.clock.Now(), Terms: string(terms)}, nil
	})
	if err != nil {
		w.Fatal(err)
	}
}

// What was measured is not found out again: pages are asked for as large as they are sent, and no longer range.
func TestTheContractIsHeeded(t *testing.T) {
	const longest = 30 * time.Hour
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(150), start.AddDate(0, 0, -2), func(d *export.Dataset) { d.Reread = nil })
		w.clock.Advance(24 * time.Hour)
		w.sim.Script(simulator.Always(), simulator.PageCap(40), simulator.RangeLimit(longest))
		w.exporter.Dataset.Query.PageSize = 100
		w.measured(source.Contract{PageAsked: 10_000, LargestPage: 40, LongestRange: longest, RefusedRange: 7 * 24 * time.Hour})
		// The first pass enters the dataset, of which the contract is; the second one goes by it.
		w.exporter.Dataset.Since = w.clock.Now().Add(-2 * time.Hour)
		w.export()
		w.exporter.Dataset.Since = start.AddDate(0, 0, -2)
		w.sim.ForgetRequests()
		w.export()
		w.mustEqualTruth(w.exporter.Dataset.Since, w.edge())
		pages := 0
		for _, r := range w.sim.Requests() {
			if r.Limit > 40 || r.To.Sub(r.From) > longest {
				t.Errorf("asked for %d rows of %s", r.Limit, r.To.Sub(r.From))
			}
			pages++
		}
		if most := len(w.table())/30 + 20; pages > most {
			t.Errorf("%d requests for %d rows, want %d at most", pages, len(w.table()), most)
		}
		if w.status().Range.Met != 0 {
			t.Error("a limit was learned that was known")
		}

		w.exec("update " + w.kind.own("contracts") + " set terms = '[]'") // by hand
		w.clock.Advance(time.Hour)
		if s := w.export(); s.Windows == 0 {
			t.Error("nothing is read")
		}
	})
}

// A plan goes by all limits that are known, and names those that make a difference.
func TestHeeding(t *testing.T) {
	now := start
	d := export.Dataset{Kind: sink.KindReport, Query: source.Query{PageSize: 100}, MaxRows: 2000, MaxSpan: 31 * 24 * time.Hour}
	mapper, err := schema.Compile(schema.Mapping{Table: "calls", Key: []string{"id"}, Fields: []schema.Field{{ID: "id", Name: "id", Type: schema.Text}}})
	if err != nil {
		t.Fatal(err)
	}
	d.Mapper = mapper
	skip := sink.Limit{Works: 900, Refused: 1000, Met: 1, Until: now.Add(time.Hour)}
	week := sink.Limit{Works: 7 * 24 * 3600, Refused: 8 * 24 * 3600, Met: 1, Until: now.Add(time.Hour)}
	over := week
	over.Until = now
	contract := func(text string) sink.Contract { return sink.Contract{MeasuredAt: now.Add(-time.Hour), Terms: text} }
	for name, c := range map[string]struct {
		known  sink.Condition
		limits string
		page   int
		rows   int
		span   time.Duration
	}{
		"nothing":         {sink.Condition{}, "", 100, 2000, 31 * 24 * time.Hour},
		"learned":         {sink.Condition{Skip: skip, Range: week}, "skip 900 learned, range 604800 learned, ", 100, 900, 7*24*time.Hour - time.Second},
		"run out":         {sink.Condition{Range: over}, "", 100, 2000, 31 * 24 * time.Hour},
		"measured":        {sink.Condition{Contract: contract(`{"largest_page":40,"page_asked":10000,"longest_range_ns":86400000000000,"refused_range_ns":604800000000000}`)}, "page 40 measured, range 86400 measured, ", 40, 2000, 24*time.Hour - time.Second},
		"no bounds":       {sink.Condition{Contract: contract(`{"largest_page":0,"page_asked":10000,"longest_range_ns":86400000000000}`)}, "", 100, 2000, 31 * 24 * time.Hour},
		"larger":          {sink.Condition{Contract: contract(`{"largest_page":500,"page_asked":10000}`)}, "", 100, 2000, 31 * 24 * time.Hour},
		"not a contract":  {sink.Condition{Contract: contract(`[]`)}, "", 100, 2000, 31 * 24 * time.Hour},
		"both, one wider": {sink.Condition{Range: week, Contract: contract(`{"longest_range_ns":2678400000000000,"refused_range_ns":8035200000000000}`)}, "range 604800 learned, ", 100, 2000, 7*24*time.Hour - time.Second},
	} {
		is, limits := d.Heeding(c.known, now)
		text := ""
		for _, l := range limits {
			text += fmt.Sprintf("%s %d %s, ", l.Limit, l.Most, l.From)
		}
		if text != c.limits || is.Query.PageSize != c.page || is.MaxRows != c.rows || is.MaxSpan != c.span {
			t.Errorf("%s: %q, pages of %d, spans of %d rows and %s; want %q, %d, %d, %s", name, text, is.Query.PageSize, is.MaxRows, is.MaxSpan, c.limits, c.page, c.rows, c.span)
		}
	}
}
