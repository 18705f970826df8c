package simulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The documented dashboard and its insights, the counts of inbound and of outbound calls.
const (
	DashboardID       = "64708408b289a50051bd6781"
	InboundInsightID  = "6470840db289a50051bd67e6"
	OutboundInsightID = "64708411b289a50051bd6802"
)

// A dashboard with an insight of every template whose preferences are documented. What rows such insights have
// is not, so it is invented: see each.
const (
	FloorDashboardID      = "65a1c0de7f3b2a004c9d1e00"
	LongCallsInsightID    = "65a1c0de7f3b2a004c9d1e01" // TABLE: calls, three metrics each
	CallsByHourInsightID  = "65a1c0de7f3b2a004c9d1e02" // LINE: a count for each hour
	CallsByQueueInsightID = "65a1c0de7f3b2a004c9d1e03" // DONUT: a count for each queue, by title
	CallsByTeamInsightID  = "65a1c0de7f3b2a004c9d1e04" // HORIZONTAL_BAR: a count for each team
	AbandonedInsightID    = "65a1c0de7f3b2a004c9d1e05" // STAT: calls that nobody took
)

// CountMetricID is the id under which grouped insights count.
const CountMetricID = "5e6f5fc04767c68072ee0399"

// insight is what an insight of a dashboard shows of the calls.
type insight struct {
	dashboard string
	timeRange string // where the request names no time
	filters   []filterInput
	rows      func(*query, *indexes) ([]json.RawMessage, error)
}

func attribute(metric, operation string, values ...any) []filterInput {
	return []filterInput{{MetricID: metric, Type: "ATTRIBUTE", Operation: operation, Values: values}}
}

// insights are the known ones, by id.
func insights() map[string]insight {
	calls := Calls()
	longCalls := []filterInput{{
		MetricID: calls.Metric("duration_s").ID, Type: "MEASURE", Operation: "gte", Value: json.RawMessage("1200"),
	}}
	return map[string]insight{
		InboundInsightID:      {DashboardID, "PAST_HOUR", attribute(directionMetric, "in", "in"), stat("Answered")},
		OutboundInsightID:     {DashboardID, "PAST_HOUR", attribute(directionMetric, "in", "out"), stat("Answered")},
		AbandonedInsightID:    {FloorDashboardID, "TODAY", attribute(calls.Metric("disposition").ID, "in", "Abandoned"), stat("Abandoned")},
		LongCallsInsightID:    {FloorDashboardID, "TODAY", longCalls, table(calls.Key, agentMetric, calls.Metric("duration_s").ID)},
		CallsByHourInsightID:  {FloorDashboardID, "PAST_24_HOURS", nil, counts(calls.TimeField, CountMetricID, hourOf)},
		CallsByQueueInsightID: {FloorDashboardID, "TODAY", attribute(queueMetric, "nin", "Returns"), counts("title", "value", of(queueMetric))},
		CallsByTeamInsightID:  {FloorDashboardID, "TODAY", nil, counts(teamMetric, CountMetricID, of(teamMetric))},
	}
}

// InsightsOf are the ids of a dashboard's insights, in order.
func InsightsOf(dashboard string) (ids []string) {
	for id, i := range insights() {
		if i.dashboard == dashboard {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// insightQuery asks for the calls that an insight shows.
func (s *Simulator) insightQuery(coerced map[string]any, now time.Time) (*query, insight, error) {
	a, err := readArguments(coerced)
	if err != nil {
		return nil, insight{}, err
	}
	shown, ok := s.insights[fmt.Sprint(a.InsightID)]
	if !ok || fmt.Sprint(a.DashboardID) != shown.dashboard {
		return nil, insight{}, fmt.Errorf("dashboard %v with insight %v is not known", a.DashboardID, a.InsightID)
	}
	a.TimeRange = cmp.Or(a.TimeRange, shown.timeRange)
	stream, err := s.stream(Calls().ID)
	if err != nil {
		return nil, insight{}, err
	}
	a.Filters = slices.Concat(a.Filters, shown.filters)
	q, err := a.query(stream, now)
	return q, shown, err
}

// InsightTruth is what an insight shows of [from, to) now, all rows in the order of the first page on, whatever
// faults are scripted. It panics if the simulator has no such insight.
func (s *Simulator) InsightTruth(dashboard, insight string, from, to time.Time) []json.RawMessage {
	q, shown, err := s.insightQuery(map[string]any{
		"dashboardId": dashboard, "insightId": insight,
		"startTime": from.UTC().Format(time.RFC3339Nano), "endTime": to.UTC().Format(time.RFC3339Nano), "limit": 1 << 30,
	}, s.clock())
	if err != nil {
		panic(err)
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	rows, err := shown.rows(q, &s.indexes)
	if err != nil {
		panic(err)
	}
	return rows
}

// stat is a STAT insight: one row with the number of rows of the query, and of the same length of time before.
func stat(title string) func(*query, *indexes) ([]json.RawMessage, error) {
	return func(q *query, _ *indexes) ([]json.RawMessage, error) {
		if q.skip > 0 || q.limit == 0 {
			return nil, nil
		}
		before := *q
		before.from, before.to = q.from-(q.to-q.from), q.from
		row, err := json.Marshal(struct {
			Value         int    `json:"value"`
			Title         string `json:"title"`
			PreviousValue int    `json:"previousValue"`
		}{q.number(), title, before.number()})
		return []json.RawMessage{row}, err
	}
}

func (q *query) number() (n int) {
	q.all(func(*row) { n++ })
	return n
}

// table shows a few metrics of each row, as a report does.
func table(ids ...string) func(*query, *indexes) ([]json.RawMessage, error) {
	return func(q *query, x *indexes) (rows []json.RawMessage, err error) {
		q.each(x, func(r *row) {
			text := []byte{'{'}
			for _, id := range ids {
				v := q.stream.value(q.stream.metrics[id], r)
				if v.kind == absent {
					continue
				}
				if len(text) > 1 {
					text = append(text, ',')
				}
				text = v.appendJSON(append(appendText(text, id), ':'))
			}
			rows = append(rows, append(text, '}'))
		})
		return rows, nil
	}
}

// counts groups the rows of the query: one row a group, with its name under one key and its count under
// another, in order of the names.
func counts(nameKey, countKey string, group func(*query, *row) string) func(*query, *indexes) ([]json.RawMessage, error) {
	return func(q *query, _ *indexes) ([]json.RawMessage, error) {
		groups := map[string]int{}
		q.all(func(r *row) { groups[group(q, r)]++ })
		var rows []json.RawMessage
		for name, n := range groups {
			rows = append(rows, fmt.Appendf(nil, `{%q:%q,%q:%d}`, nameKey, name, countKey, n))
		}
		slices.SortFunc(rows, func(a, b json.RawMessage) int { return strings.Compare(string(a), string(b)) })
		from := min(q.skip, len(rows))
		return rows[from : from+min(q.limit, len(rows)-from)], nil
	}
}

func hourOf(_ *query, r *row) string {
	return time.UnixMilli(r.start).UTC().Truncate(time.Hour).Format(timeLayout)
}

// of groups by a metric; rows without it are "Unknown".
func of(metric string) func(*query, *row) string {
	return func(q *query, r *row) string {
		name, ok := q.stream.value(q.stream.metrics[metric], r).attribute()
		if !ok {
			return "Unknown"
		}
		return name
	}
}
