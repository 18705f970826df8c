package simulator

import (
	"encoding/json"
	"fmt"
	"time"
)

// The documented dashboard and its insights, the counts of inbound and of outbound calls.
const (
	DashboardID       = "64708408b289a50051bd6781"
	InboundInsightID  = "6470840db289a50051bd67e6"
	OutboundInsightID = "64708411b289a50051bd6802"
)

// samples are the documented payloads and what they are answered with.
type samples struct {
	rows      map[string][]json.RawMessage // by payload
	dashboard json.RawMessage
}

func loadSamples() samples {
	s := samples{rows: make(map[string][]json.RawMessage)}
	for _, operation := range []string{"GetReportData", "GetInsightData"} {
		var variables map[string]any
		mustDecode(mustRead("samples/"+operation+".variables.json"), &variables)
		for name, v := range variables {
			if v == nil {
				delete(variables, name)
			}
		}
		var response struct {
			Data map[string]struct{ Data []json.RawMessage }
		}
		mustDecode(compact(mustRead("samples/"+operation+".response.json")), &response)
		for field, result := range response.Data {
			s.rows[payload(field, variables)] = result.Data
		}
	}
	var response struct {
		Data struct{ Dashboard json.RawMessage }
	}
	mustDecode(compact(mustRead("samples/GetDashboard.response.json")), &response)
	s.dashboard = response.Data.Dashboard
	return s
}

func mustDecode(data []byte, into any) {
	if err := decodeJSON(data, into); err != nil {
		panic(err) // only files of the program are decoded
	}
}

// payload names a field and its arguments.
func (c *call) payload() string { return payload(c.field.Name, c.arguments) }

func payload(field string, arguments map[string]any) string {
	data, err := json.Marshal(arguments) // keys are sorted
	if err != nil {
		panic(err) // arguments came as JSON
	}
	return field + " " + string(data)
}

// dashboard is the documented dashboard; null for any other id.
func (s *Simulator) dashboard(c *call) (json.RawMessage, error) {
	if c.arguments["id"] != DashboardID {
		return json.RawMessage("null"), nil
	}
	return project(nil, s.schema, c.field.SelectionSet, s.samples.dashboard)
}

// insightQuery asks for the calls that an insight counts.
func (s *Simulator) insightQuery(coerced map[string]any, now time.Time) (*query, error) {
	a, err := readArguments(coerced)
	if err != nil {
		return nil, err
	}
	directions := map[string]string{InboundInsightID: "in", OutboundInsightID: "out"}
	counted, ok := directions[fmt.Sprint(a.InsightID)]
	if !ok || fmt.Sprint(a.DashboardID) != DashboardID {
		return nil, fmt.Errorf("dashboard %v with insight %v is not known", a.DashboardID, a.InsightID)
	}
	if a.TimeRange == "" {
		a.TimeRange = "PAST_HOUR" // as the documented dashboard says of both
	}
	stream, err := s.stream(Calls().ID)
	if err != nil {
		return nil, err
	}
	a.Filters = append(a.Filters, filterInput{
		MetricID: directionMetric, Type: "ATTRIBUTE", Operation: "in", Values: []any{counted},
	})
	return a.query(stream, now)
}

// stat is the only row of a STAT insight: the number of rows of the query, and of the same length of time
// before.
func (q *query) stat() ([]json.RawMessage, error) {
	if q.skip > 0 || q.limit == 0 {
		return nil, nil
	}
	before := *q
	before.from, before.to = q.from-(q.to-q.from), q.from
	row, err := json.Marshal(struct {
		Value         int    `json:"value"`
		Title         string `json:"title"`
		PreviousValue int    `json:"previousValue"`
	}{q.number(), "Answered", before.number()})
	return []json.RawMessage{row}, err
}

func (q *query) number() (n int) {
	q.all(func(*row) { n++ })
	return n
}
