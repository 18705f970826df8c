package source

import (
	"embed"
	"fmt"
	"time"

	"github.com/machinebox/graphql"
)

// The documented operations, word for word.
//
//go:embed queries/*.graphql
var queries embed.FS

// The operations, by the names of their fields.
const (
	reportData          = "getReportData"  // the rows of a report
	insightData         = "getInsightData" // the rows of an insight
	dashboardDefinition = "dashboard"      // a dashboard's own description
)

// How Date variables are sent. The API's documentation does not say which forms it takes.
const (
	DatesRFC3339     = "rfc3339"  // "2023-07-04T22:39:23.260Z": always UTC, always milliseconds
	DatesEpochMillis = "epoch_ms" // 1688510363260: a number
)

// operation is what reads the rows of the query.
func (q Query) operation() string {
	if q.Insight != "" {
		return insightData
	}
	return reportData
}

// rowsRequest is the request for one page of a report or an insight.
func (c *Client) rowsRequest(q Query, skip, limit int) *graphql.Request {
	request := graphql.NewRequest(c.queries[q.operation()])
	if q.Insight != "" {
		request.Var("dashboardId", q.Dashboard)
		request.Var("insightId", q.Insight)
	} else {
		request.Var("reportId", q.Report)
	}
	request.Var("startTime", nil)
	request.Var("endTime", nil)
	if !q.Range.Empty() {
		request.Var("startTime", c.date(q.Range.Start))
		// Rounded up, so that the last fraction of a millisecond is not left out.
		request.Var("endTime", c.date(q.Range.End.Add(time.Millisecond-time.Nanosecond)))
	}
	request.Var("timeRange", orNull(q.TimeRange))
	request.Var("timezone", orNull(q.Timezone))
	request.Var("filters", filterInputs(q.Filters))
	if q.SortID != "" {
		request.Var("sortId", q.SortID)
		request.Var("sortOrder", sortOrder(q.SortDesc))
	}
	request.Var("skip", skip)
	request.Var("limit", limit)
	return request
}

// date is a time as a Date variable, rounded down to the millisecond.
func (c *Client) date(t time.Time) any {
	if c.dateFormat == DatesEpochMillis {
		return t.UnixMilli()
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func sortOrder(desc bool) int {
	if desc {
		return -1
	}
	return 1
}

// filterInputs are filters as the API's FilterInput. No filters are sent as an empty list, as the documented
// samples do for values.
func filterInputs(filters []Filter) []map[string]any {
	inputs := make([]map[string]any, len(filters))
	for i, f := range filters {
		inputs[i] = map[string]any{"metricId": f.Metric, "operation": f.Operation, "type": f.Type}
		if f.Type == "MEASURE" {
			inputs[i]["value"] = f.Value
			continue
		}
		inputs[i]["values"] = append([]any{}, f.Values...)
	}
	return inputs
}

// readQueries are the texts of the operations.
func readQueries() (map[string]string, error) {
	texts := map[string]string{}
	for operation, name := range map[string]string{
		reportData: "GetReportData", insightData: "GetInsightData", dashboardDefinition: "GetDashboard",
	} {
		text, err := queries.ReadFile("queries/" + name + ".graphql")
		if err != nil {
			return nil, fmt.Errorf("read the query %s: %w", name, err)
		}
		texts[operation] = string(text)
	}
	return texts, nil
}
