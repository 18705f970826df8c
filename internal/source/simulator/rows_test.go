package simulator_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"samespace-exporter/internal/source/simulator"
)

func TestTheSeedAloneMakesTheRows(t *testing.T) {
	c := at()
	truth := func(seed uint64) (rows []string) {
		for _, report := range simulator.Reports() {
			s := simulator.New(simulator.Options{Seed: seed, Clock: c.Now})
			rows = append(rows, texts(slices.Collect(s.Truth(report.ID, c.now.Add(-48*time.Hour), c.now)))...)
		}
		return rows
	}
	first, again, other := truth(1), truth(1), truth(2)
	equalRows(t, again, first)
	if len(first) < 1000 || slices.Equal(first, other) {
		t.Errorf("%d rows; the rows of another seed are the same: %v", len(first), slices.Equal(first, other))
	}
}

func TestPagesTogetherAreTheTruth(t *testing.T) {
	c := at()
	a := serve(t, c, 150)
	rapid.Check(t, func(r *rapid.T) {
		hours := rapid.SampledFrom([]time.Duration{1, 9, 30, 49})
		jitter := rapid.Custom(func(r *rapid.T) time.Duration {
			return time.Duration(rapid.IntRange(0, 3_600_000).Draw(r, "ms")) * time.Millisecond
		})
		from := c.now.Add(-hours.Draw(r, "hours ago")*time.Hour - jitter.Draw(r, "from"))
		to := from.Add(hours.Draw(r, "hours long")*time.Hour - jitter.Draw(r, "to"))
		limit := rapid.SampledFrom([]int{49, 99, 10_000}).Draw(r, "limit")
		want := a.truth(from, to)
		equalRows(t, a.pages(between(from, to).byStart(), limit), want)
		slices.Reverse(want) // no two of these rows start in the same millisecond
		equalRows(t, a.pages(between(from, to).byStart().with("sortOrder", -1), limit), want)
		equalRows(t, sorted(a.pages(between(from, to), limit)), sorted(want))
	})
}

func TestAPageDeepInTheRangeIsFoundByCounts(t *testing.T) {
	c := at()
	a := serve(t, c, 1500)
	from, to := c.now.Add(-200*time.Hour), c.now
	if err := a.Remove(simulator.Calls().ID, id(t, a.truth(from, to)[4000])); err != nil {
		t.Fatal(err)
	}
	want := a.truth(from, to)
	for _, skip := range []int{0, 1, 999, 1500, 3999, 4001, len(want) - 5, len(want), len(want) + 10} {
		v := between(from, to).byStart().with("skip", skip).with("limit", 7)
		equalRows(t, a.page(v), want[min(skip, len(want)):min(skip+7, len(want))])
		backwards := slices.Clone(want)
		slices.Reverse(backwards)
		equalRows(t, a.page(v.with("sortOrder", -1)), backwards[min(skip, len(want)):min(skip+7, len(want))])
	}
}

func TestRangesOfOneMinuteAreToldApart(t *testing.T) {
	c := at()
	a := serve(t, c, 200_000)
	minute := c.now.Add(-12 * time.Hour)
	for _, second := range []time.Duration{10, 20, 30} {
		from, to := minute.Add(5*time.Second), minute.Add(second*time.Second)
		equalRows(t, sorted(a.page(between(from, to).with("limit", 1000))), sorted(a.truth(from, to)))
	}
}

func TestRowsFollowWorkingHours(t *testing.T) {
	c := at()
	a := serve(t, c, 10_000)
	kolkata := time.FixedZone("", 5*3600+1800)
	hour := func(day, hour int) int {
		start := time.Date(2024, 5, day, hour, 0, 0, 0, kolkata)
		return len(a.truth(start, start.Add(time.Hour)))
	}
	busy, night, sunday := hour(8, 10), hour(8, 2), hour(5, 10)
	if busy < 800 || night > busy/20 || sunday > busy/3 {
		t.Errorf("%d rows in a busy hour, %d at night, %d on a Sunday", busy, night, sunday)
	}
	week := len(a.truth(c.now.Add(-10*24*time.Hour), c.now.Add(-3*24*time.Hour)))
	if week < 65_000 || week > 75_000 {
		t.Errorf("%d rows in a week, want about 70,000", week)
	}
}

func TestRowsArriveMinutesOrHoursAfterTheyEnded(t *testing.T) {
	c := at()
	a := serve(t, c, 5000)
	from, to := c.now.Add(-14*time.Hour), c.now.Add(-12*time.Hour)
	settled := a.truth(from, to)

	c.now = to
	early := a.truth(from, to)
	for _, row := range early {
		if arrival(t, row).After(c.now) {
			t.Fatalf("row from the future: %s", row)
		}
	}
	if len(early) == 0 || len(early) >= len(settled) {
		t.Errorf("%d rows at the end of the window, %d at last", len(early), len(settled))
	}
	var late int
	for _, row := range settled {
		delay := arrival(t, row).Sub(instant(t, row, "ended_at")).Truncate(time.Second)
		switch {
		case delay >= time.Hour && delay <= 4*time.Hour:
			late++
		case delay < 0 || delay > 5*time.Minute:
			t.Fatalf("arrived %s after the end", delay)
		}
	}
	if share := float64(late) / float64(len(settled)); share < 0.02 || share > 0.08 {
		t.Errorf("%d of %d rows were late", late, len(settled))
	}
	// Of the pages too, in every order, nothing is seen before it arrived.
	equalRows(t, a.pages(between(from, to).byStart(), 300), early)
	equalRows(t, sorted(a.pages(between(from, to), 300)), sorted(early))
	c.now = c.now.Add(time.Hour)
	equalRows(t, sorted(a.pages(between(from, to), 300)), sorted(a.truth(from, to)))
}

func TestRowsAreRestatedForFourDays(t *testing.T) {
	c := at()
	a := serve(t, c, 3000)
	from, to := c.now.Add(-20*time.Hour), c.now.Add(-8*time.Hour)
	first := a.truth(from, to)
	steps := map[int]int{} // rows that changed, by the hours that had passed
	before := first
	for _, hours := range []int{24, 48, 96 - 8 + 1, 200, 2000} {
		c.now = at().now.Add(time.Duration(hours) * time.Hour)
		now := a.truth(from, to)
		if len(now) != len(first) {
			t.Fatalf("%d rows, then %d", len(first), len(now))
		}
		for i := range now {
			if now[i] != before[i] {
				steps[hours]++
				onlyRestated(t, before[i], now[i])
			}
		}
		before = now
	}
	if steps[24] == 0 || steps[48] == 0 || steps[89] == 0 || steps[200] != 0 || steps[2000] != 0 {
		t.Errorf("rows changed after hours: %v", steps)
	}
}

// onlyRestated fails unless two versions of a row differ in metrics that may be restated, only.
func onlyRestated(t *testing.T, before, after string) {
	t.Helper()
	for _, m := range simulator.Calls().Metrics {
		if !m.Restated && cell(t, before, m.Name) != cell(t, after, m.Name) {
			t.Fatalf("%s changed:\n%s\n%s", m.Name, before, after)
		}
	}
}

func TestRowsAreShapedAsDocumented(t *testing.T) {
	c := at()
	for _, report := range simulator.Reports() {
		s := simulator.New(simulator.Options{Clock: c.Now})
		keys, absent := map[string]bool{}, 0
		for row := range s.Truth(report.ID, c.now.Add(-36*time.Hour), c.now) {
			var cells map[string]json.RawMessage
			if err := json.Unmarshal(row, &cells); err != nil {
				t.Fatalf("%v in %s", err, row)
			}
			for _, m := range report.Metrics {
				if m.CopyOf != "" && string(cells[m.ID]) != string(cells[m.CopyOf]) {
					t.Fatalf("%s differs from what it copies: %s", m.Name, row)
				}
			}
			absent += len(report.Metrics) - len(cells)
			if key := string(cells[report.Key]); len(key) != 26 || keys[key] {
				t.Fatalf("key %s is odd or comes twice", key)
			} else {
				keys[key] = true
			}
			if _, err := time.Parse(`"2006-01-02T15:04:05.000Z"`, string(cells[report.TimeField])); err != nil {
				t.Fatalf("start: %v", err)
			}
		}
		if len(keys) == 0 || absent == 0 {
			t.Errorf("%s: %d rows, %d absent keys", report.Name, len(keys), absent)
		}
	}
}

func TestABurstIsASecond(t *testing.T) {
	c := at()
	second := c.now.Add(-30 * time.Hour)
	calls := simulator.Calls()
	calls.Bursts = []simulator.Burst{{At: second.Add(300 * time.Millisecond), Rows: 2500}}
	a := api{simulator.New(simulator.Options{APIKey: key, Clock: c.Now, Reports: []simulator.Report{calls}}), t}
	want := a.truth(second, second.Add(time.Second))
	if len(want) < 2500 || len(want) > 2510 {
		t.Fatalf("%d rows in the second", len(want))
	}
	ordered := func(direction int) func(x, y string) int {
		return func(x, y string) int {
			starts := cmp.Compare(cell(t, x, "started_at"), cell(t, y, "started_at"))
			return cmp.Or(direction*starts, cmp.Compare(id(t, x), id(t, y)))
		}
	}
	if !slices.IsSortedFunc(want, ordered(1)) {
		t.Error("rows are not in order of start and id")
	}
	downwards := a.pages(between(second, second.Add(time.Second)).byStart().with("sortOrder", -1), 999)
	if !slices.IsSortedFunc(downwards, ordered(-1)) {
		t.Error("rows are not in order of start downwards and id")
	}
	equalRows(t, sorted(downwards), sorted(want))
	equalRows(t, a.pages(between(second, second.Add(time.Second)).byStart(), 999), want)
	around := a.truth(second.Add(-time.Hour), second.Add(time.Hour))
	equalRows(t, a.pages(between(second.Add(-time.Hour), second.Add(time.Hour)).byStart(), 999), around)
}

func TestNoRowStartsBeforeSince(t *testing.T) {
	c := at()
	calls := simulator.Calls()
	calls.Since = c.now.Add(-24 * time.Hour)
	s := simulator.New(simulator.Options{Clock: c.Now, Reports: []simulator.Report{calls}})
	for row := range s.Truth(calls.ID, time.Time{}, c.now) {
		if start := instant(t, string(row), "started_at"); start.Before(calls.Since) {
			t.Fatalf("a row starts at %s", start)
		}
	}
}

func TestSortAndFilters(t *testing.T) {
	c := at()
	a := serve(t, c, 600)
	from, to := c.now.Add(-16*time.Hour), c.now
	rows := a.truth(from, to)
	number := func(row, metric string) int {
		n, err := strconv.Atoi(cell(t, row, metric))
		if err != nil {
			return -1 // absent
		}
		return n
	}
	sortBy := func(rows []string, metric string, direction int) {
		type keyed struct {
			number  int
			id, row string
		}
		var keys []keyed
		for _, row := range rows {
			keys = append(keys, keyed{number(row, metric), id(t, row), row})
		}
		slices.SortFunc(keys, func(x, y keyed) int {
			return cmp.Or(direction*cmp.Compare(x.number, y.number), cmp.Compare(x.id, y.id))
		})
		for i := range keys {
			rows[i] = keys[i].row
		}
	}
	for _, c := range []struct {
		name    string
		sort    string
		order   int
		filters []any
		keep    func(row string) bool
	}{
		{"id", "", 1, nil, nil},
		{"upwards", "wait_s", 1, nil, nil},
		{"downwards, absent ones last", "talk_s", -1, nil, nil},
		{"restated", "wrap_up_s", 1, nil, nil},
		{"in", "", 1, filter("direction", "ATTRIBUTE", "in", "values", []any{"out"}),
			func(row string) bool { return cell(t, row, "direction") == `"out"` }},
		{"in nothing", "", 1, filter("direction", "ATTRIBUTE", "in", "values", []any{}), func(string) bool { return false }},
		{"nin", "wait_s", 1, filter("queue", "ATTRIBUTE", "nin", "values", []any{"Sales", "Billing"}),
			func(row string) bool { return !strings.Contains(`"Sales" "Billing"`, cell(t, row, "queue")) }},
		{"nin nothing", "", 1, filter("queue", "ATTRIBUTE", "nin", "values", []any{}), nil},
		{"nin nothing of an unknown metric", "", 1, filter("abc", "ATTRIBUTE", "nin", "values", []any{}), nil},
		{"nin lets absent ones in", "", 1, filter("agent", "ATTRIBUTE", "nin", "values", []any{"Asha K."}),
			func(row string) bool { return cell(t, row, "agent") != `"Asha K."` }},
		{"eq", "", 1, filter("wait_s", "MEASURE", "eq", "value", 7), func(row string) bool { return number(row, "wait_s") == 7 }},
		{"ne", "", 1, filter("hold_s", "MEASURE", "ne", "value", 0), func(row string) bool { return number(row, "hold_s") > 0 }},
		{"gt", "", 1, filter("wait_s", "MEASURE", "gt", "value", 30), func(row string) bool { return number(row, "wait_s") > 30 }},
		{"gte", "", 1, filter("wait_s", "MEASURE", "gte", "value", "30"), func(row string) bool { return number(row, "wait_s") >= 30 }},
		{"lt, decimal", "", 1, filter("wait_s", "MEASURE", "lt", "value", 2.5), func(row string) bool { return number(row, "wait_s") < 3 }},
		{"lte, on a time", "", 1, filter("started_at", "MEASURE", "lte", "value", to.Add(-6*time.Hour).Format(time.RFC3339)),
			func(row string) bool { return !instant(t, row, "started_at").After(to.Add(-6 * time.Hour)) }},
	} {
		v := between(from, to).with("filters", c.filters).with("sortOrder", c.order)
		if c.sort != "" {
			v = v.with("sortId", simulator.Calls().Metric(c.sort).ID)
		}
		want := slices.Clone(rows)
		if c.keep != nil {
			want = slices.DeleteFunc(want, func(row string) bool { return !c.keep(row) })
		}
		sortBy(want, c.sort, c.order)
		t.Run(c.name, func(t *testing.T) { equalRows(t, a.pages(v, 133), want) })
	}
}

func TestSortByRestatedValuesFollowsTheClock(t *testing.T) {
	c := at()
	a := serve(t, c, 2000)
	from, to := c.now.Add(-10*time.Hour), c.now.Add(-6*time.Hour)
	v := between(from, to).with("sortId", simulator.Calls().Metric("duration_s").ID)
	for range 3 {
		var last int
		for _, row := range a.pages(v, 400) {
			n, err := strconv.Atoi(cell(t, row, "duration_s"))
			if err != nil || n < last {
				t.Fatalf("%d comes after %d: %v", n, last, err)
			}
			last = n
		}
		c.now = c.now.Add(30 * time.Hour)
	}
}

func TestRangesByDateAndByName(t *testing.T) {
	c := &clock{time.Date(2024, 5, 15, 20, 0, 30, 0, time.UTC)} // Thursday, 01:30:30 in Kolkata
	a := serve(t, c, 0)
	for _, c := range []struct {
		v        variables
		from, to string
	}{
		{variables{"startTime": "2024-05-01T00:00:00+05:30", "endTime": "2024-05-02T00:00:00.5Z"}, "2024-04-30T18:30:00Z", "2024-05-02T00:00:00.5Z"},
		{variables{"startTime": 1714521600000, "endTime": 1714521600001, "timeRange": "TODAY"}, "2024-05-01T00:00:00Z", "2024-05-01T00:00:00.001Z"},
		{variables{"startTime": "2024-05-01T00:00:00Z"}, "2024-05-01T00:00:00Z", "2024-05-15T20:01:00Z"},
		{variables{"endTime": "2024-05-01T00:00:00Z"}, "2023-01-01T00:00:00Z", "2024-05-01T00:00:00Z"},
		{variables{}, "2024-04-15T20:01:00Z", "2024-05-15T20:01:00Z"},
		{variables{"timeRange": "PAST_HOUR"}, "2024-05-15T19:01:00Z", "2024-05-15T20:01:00Z"},
		{variables{"timeRange": "past_hour"}, "2024-05-15T19:01:00Z", "2024-05-15T20:01:00Z"},
		{variables{"timeRange": "PAST_24_HOURS"}, "2024-05-14T20:01:00Z", "2024-05-15T20:01:00Z"},
		{variables{"timeRange": "PAST_7_DAYS"}, "2024-05-08T20:01:00Z", "2024-05-15T20:01:00Z"},
		{variables{"timeRange": "PAST_30_DAYS"}, "2024-04-15T20:01:00Z", "2024-05-15T20:01:00Z"},
		{variables{"timeRange": "PAST_3_MONTHS"}, "2024-02-15T20:01:00Z", "2024-05-15T20:01:00Z"},
		{variables{"timeRange": "PAST_6_MONTHS"}, "2023-11-15T20:01:00Z", "2024-05-15T20:01:00Z"},
		{variables{"timeRange": "PAST_YEAR"}, "2023-05-15T20:01:00Z", "2024-05-15T20:01:00Z"},
		{variables{"timeRange": "TODAY", "timezone": "Asia/Calcutta"}, "2024-05-15T18:30:00Z", "2024-05-15T20:01:00Z"},
		{variables{"timeRange": "YESTERDAY", "timezone": "Asia/Calcutta"}, "2024-05-14T18:30:00Z", "2024-05-15T18:30:00Z"},
		{variables{"timeRange": "YESTERDAY", "timezone": "UTC"}, "2024-05-14T00:00:00Z", "2024-05-15T00:00:00Z"},
		{variables{"timeRange": "THIS_WEEK"}, "2024-05-13T00:00:00Z", "2024-05-15T20:01:00Z"},
		{variables{"timeRange": "LAST_WEEK"}, "2024-05-06T00:00:00Z", "2024-05-13T00:00:00Z"},
		{variables{"timeRange": "THIS_MONTH"}, "2024-05-01T00:00:00Z", "2024-05-15T20:01:00Z"},
		{variables{"timeRange": "LAST_MONTH"}, "2024-04-01T00:00:00Z", "2024-05-01T00:00:00Z"},
	} {
		a.ForgetRequests()
		a.page(c.v.with("reportId", simulator.Calls().ID))
		r := a.Requests()[0]
		from, to := r.From.Format(time.RFC3339Nano), r.To.Format(time.RFC3339Nano)
		if from != c.from || to != c.to {
			t.Errorf("%v: from %s to %s, want %s to %s", c.v, from, to, c.from, c.to)
		}
	}
}

func arrival(t *testing.T, row string) time.Time {
	t.Helper()
	seconds, err := strconv.ParseInt(id(t, row)[:8], 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(seconds, 0)
}

func instant(t *testing.T, row, metric string) time.Time {
	t.Helper()
	at, err := time.Parse(fmt.Sprintf("%q", time.RFC3339Nano), cell(t, row, metric))
	if err != nil {
		t.Fatal(err)
	}
	return at
}
