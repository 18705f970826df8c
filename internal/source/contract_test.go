package source_test

import (
	"net/http/httptest"
	"reflect"
	"slices"
	"testing"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/source/simulator"
)

func measure(t *testing.T, rowsPerDay int, faults ...simulator.Fault) source.Contract {
	t.Helper()
	now := time.Date(2026, 3, 12, 15, 0, 0, 0, time.UTC)
	report := simulator.Calls()
	report.RowsPerDay = rowsPerDay
	sim := simulator.New(simulator.Options{Clock: func() time.Time { return now }, Reports: []simulator.Report{report}})
	if len(faults) > 0 {
		sim.Script(simulator.Always(), faults...)
	}
	return measureOf(t, sim, now, report)
}

func measureOf(t *testing.T, sim *simulator.Simulator, now time.Time, report simulator.Report) source.Contract {
	t.Helper()
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	client, err := source.New(source.Options{Endpoint: server.URL, APIKey: "any", RequestsPerSecond: 1e6, MaxAttempts: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	mapper, err := schema.Compile(schema.Mapping{
		Table: "calls", TimeField: "at", Fields: []schema.Field{{ID: report.TimeField, Name: "at", Type: schema.Timestamptz}},
	})
	if err != nil {
		t.Fatal(err)
	}
	found, err := client.Measure(t.Context(), source.Query{Report: report.ID, SortID: report.TimeField}, now, func(row string) (time.Time, bool) {
		v, ok := mapper.TimeOf(row)
		return v.Time(), ok
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range found.Depths {
		found.Depths[i].Took = 0
	}
	return found
}

func TestTheContractIsMeasured(t *testing.T) {
	const day = 24 * time.Hour
	plain := source.Contract{
		PageAsked: 10_000, DefaultOrder: "another order, the same each time", Sorted: source.Yes,
		StartInclusive: source.Yes, EndInclusive: source.No, TimezoneMoves: source.No, TimesWin: source.Yes, LongestRange: 366 * day,
		Depths: []source.Depth{{Skip: 0}, {Skip: 1000}, {Skip: 5000}},
	}
	for _, c := range []struct {
		name   string
		faults []simulator.Fault
		change func(*source.Contract)
		differ string
	}{
		{"as documented", nil, func(*source.Contract) {}, ""},
		{"pages are capped", []simulator.Fault{simulator.PageCap(500)}, func(c *source.Contract) { c.LargestPage = 500 }, "largest page"},
		{"inclusive end", []simulator.Fault{simulator.InclusiveEnd()}, func(c *source.Contract) { c.EndInclusive = source.Yes }, "end of a range"},
		{"exclusive start", []simulator.Fault{simulator.ExclusiveStart()}, func(c *source.Contract) { c.StartInclusive = source.No }, "start of a range"},
		{"no sort", []simulator.Fault{simulator.IgnoreSort()}, func(c *source.Contract) { c.Sorted = source.No }, "order of sorted rows"},
		{"no order", []simulator.Fault{simulator.Unordered()}, func(c *source.Contract) {
			c.Sorted, c.DefaultOrder = source.No, "another order each time"
		}, "default order"},
		{"timezone", []simulator.Fault{simulator.TimezoneMovesRange()}, func(c *source.Contract) { c.TimezoneMoves = source.Yes }, "timezone"},
		{"time range", []simulator.Fault{simulator.TimeRangeWins()}, func(c *source.Contract) { c.TimesWin = source.No }, "timeRange beside times"},
		{"a month", []simulator.Fault{simulator.RangeLimit(31 * day)}, func(c *source.Contract) {
			c.LongestRange, c.RefusedRange = 31*day, 93*day
		}, "longest range"},
		{"depth", []simulator.Fault{simulator.MaxSkip(4000)}, func(c *source.Contract) { c.Depths[2].Refused = true }, "deepest page"},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := plain
			want.Depths = slices.Clone(plain.Depths)
			c.change(&want)
			got := measure(t, 400, c.faults...)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
			differs := got.Changes(plain)
			if (c.differ == "") != (len(differs) == 0) || c.differ != "" && !slices.ContainsFunc(differs, func(d source.Change) bool { return d.Property == c.differ }) {
				t.Errorf("differs in %q, want %q", differs, c.differ)
			}
		})
	}
}

func TestAContractOfFewRowsClaimsNothing(t *testing.T) {
	got := measure(t, 0)
	if want := (source.Contract{LongestRange: 366 * 24 * time.Hour}); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v of no rows", got)
	}
}

// A page that was cut short once, or a row that came between two requests, is no cap for good.
func TestAPageThatIsShortOnceIsNoCap(t *testing.T) {
	now := time.Date(2026, 3, 12, 15, 0, 0, 0, time.UTC)
	report := simulator.Calls()
	report.RowsPerDay = 3
	large := func(r simulator.Request) bool { return r.Limit == 10_000 }
	for name, fault := range map[string]simulator.Fault{
		"cut short": simulator.PageCap(3),
		"a row comes": simulator.Meanwhile(func(sim *simulator.Simulator) {
			if _, err := sim.Insert(report.ID, now.Add(-20*time.Hour), nil); err != nil {
				t.Error(err)
			}
		}),
	} {
		sim := simulator.New(simulator.Options{Clock: func() time.Time { return now }, Reports: []simulator.Report{report}})
		sim.Script(simulator.On(1).Where(large), fault)
		if got := measureOf(t, sim, now, report); got.PageLimit() != 0 || got.PageAsked != 0 {
			t.Errorf("%s: pages of %d rows, where %d were asked for", name, got.LargestPage, got.PageAsked)
		}
	}
}

// A cap is believed until a larger page was seen, though it may not have been so large as the one that was asked for.
func TestACapThatWasLiftedIsForgotten(t *testing.T) {
	few := measure(t, 3)
	if kept := few.Or(source.Contract{LargestPage: 500, PageAsked: 10_000}); kept.PageLimit() != 500 {
		t.Errorf("a smaller page than is known says nothing: %+v", kept)
	}
	if kept := few.Or(source.Contract{LargestPage: 5, PageAsked: 10_000}); kept.PageLimit() != 0 || kept.PageAsked != 0 {
		t.Errorf("a larger page than was known was seen: %+v", kept)
	}
}
