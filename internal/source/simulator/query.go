package simulator

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

const defaultLimit = 50

// query is what is asked of a stream, made from a field's arguments. Faults may change it.
type query struct {
	stream  *stream
	now     int64   // Unix milliseconds: what has arrived by then is seen, as it is then
	from    int64   // Unix milliseconds, inclusive
	to      int64   // Unix milliseconds, exclusive
	sort    *Metric // nil: by id
	desc    bool
	filters filters
	skip    int
	limit   int

	twice   bool   // altered rows come twice
	shuffle uint64 // another number is another order; zero: ordered as asked
}

// arguments are those of getReportData and getInsightData.
type arguments struct {
	ReportID    any
	DashboardID any
	InsightID   any
	StartTime   date
	EndTime     date
	TimeRange   string
	Timezone    *string
	Filters     []filterInput
	SortID      string
	SortOrder   int
	Skip        int
	Limit       *int
}

// readArguments takes the coerced arguments of a field.
func readArguments(coerced map[string]any) (a arguments, err error) {
	data, err := json.Marshal(coerced)
	if err != nil {
		return a, fmt.Errorf("marshal arguments: %w", err)
	}
	if err := decodeJSON(data, &a); err != nil {
		return a, fmt.Errorf("arguments: %w", err)
	}
	return a, nil
}

// query is what the arguments ask of the stream at now.
func (a arguments) query(s *stream, now time.Time) (*query, error) {
	q := &query{stream: s, now: now.UnixMilli(), skip: a.Skip, limit: defaultLimit, desc: a.SortOrder < 0}
	var err error
	if q.from, q.to, err = a.span(s, now); err != nil {
		return nil, err
	}
	if q.filters, err = s.filters(a.Filters); err != nil {
		return nil, err
	}
	if a.SortID != "" {
		if q.sort = s.metrics[a.SortID]; q.sort == nil {
			return nil, fmt.Errorf("sortId: report %s has no metric %s", s.ID, a.SortID)
		}
	}
	if a.SortOrder < -1 || a.SortOrder > 1 {
		return nil, fmt.Errorf("sortOrder must be 1 or -1, not %d", a.SortOrder)
	}
	if a.Limit != nil {
		q.limit = *a.Limit
	}
	if q.skip < 0 || q.limit < 0 {
		return nil, fmt.Errorf("skip and limit must not be negative")
	}
	return q, nil
}

// span is the half-open stretch of time that is asked for: startTime and endTime, of which one may be
// missing; else timeRange; else the past 30 days.
func (a arguments) span(s *stream, now time.Time) (from, to int64, err error) {
	zone := time.UTC
	if a.Timezone != nil {
		if zone, err = loadZone(*a.Timezone); err != nil {
			return 0, 0, err
		}
	}
	if !a.StartTime.set && !a.EndTime.set {
		start, end := timeRange(strings.ToUpper(a.TimeRange), now.In(zone)) // as the coercion takes any case
		return start.UnixMilli(), end.UnixMilli(), nil
	}
	from, to = s.Since.UnixMilli(), now.Add(time.Minute).Truncate(time.Minute).UnixMilli()
	if a.StartTime.set {
		from = a.StartTime.millis
	}
	if a.EndTime.set {
		to = a.EndTime.millis
	}
	return from, to, nil
}

func loadZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, fmt.Errorf("timezone: %q is not an IANA time zone", name)
	}
	return zone, nil
}

// date is a Date scalar: a time of RFC 3339, or a number of milliseconds since the Unix epoch. A part of a
// millisecond is rounded up, which keeps [start, end) right for rows in whole milliseconds.
type date struct {
	set    bool
	millis int64
}

func (d *date) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	var ms float64
	if json.Unmarshal(data, &ms) == nil && math.Abs(ms) < 1e15 {
		*d = date{true, int64(math.Ceil(ms))}
		return nil
	}
	var at time.Time
	if at.UnmarshalJSON(data) != nil {
		return fmt.Errorf("%s is not a Date: want RFC 3339, or milliseconds since 1970", data)
	}
	*d = date{true, ceilMillis(at)}
	return nil
}

// ceilMillis is the time in whole milliseconds since the Unix epoch, rounded up.
func ceilMillis(at time.Time) int64 { return at.Add(time.Millisecond - 1).UnixMilli() }

// timeRange is a relative range at a local time. It ends at the next full minute, so that the pages of a
// query ask for the same range.
func timeRange(name string, now time.Time) (from, to time.Time) {
	end := now.Add(time.Minute - 1).Truncate(time.Minute)
	y, m, d := now.Date()
	midnight := func(months, days int) time.Time {
		return time.Date(y, m+time.Month(months), d+days, 0, 0, 0, 0, now.Location())
	}
	monday := -(int(now.Weekday()) + 6) % 7
	switch name {
	case "PAST_HOUR":
		return end.Add(-time.Hour), end
	case "PAST_24_HOURS":
		return end.Add(-24 * time.Hour), end
	case "PAST_7_DAYS":
		return end.AddDate(0, 0, -7), end
	case "PAST_3_MONTHS":
		return end.AddDate(0, -3, 0), end
	case "PAST_6_MONTHS":
		return end.AddDate(0, -6, 0), end
	case "PAST_YEAR":
		return end.AddDate(-1, 0, 0), end
	case "TODAY":
		return midnight(0, 0), end
	case "YESTERDAY":
		return midnight(0, -1), midnight(0, 0)
	case "THIS_WEEK":
		return midnight(0, monday), end
	case "LAST_WEEK":
		return midnight(0, monday-7), midnight(0, monday)
	case "THIS_MONTH":
		return midnight(0, 1-d), end
	case "LAST_MONTH":
		return midnight(-1, 1-d), midnight(0, 1-d)
	}
	return end.AddDate(0, 0, -30), end // PAST_30_DAYS
}
