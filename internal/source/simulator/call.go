package simulator

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// call is one field of the operation.
type call struct {
	field     *ast.Field
	arguments map[string]any // coerced, without nulls
	insight   *insight       // nil: the rows are a report's
	query     *query         // of a report or an insight
	err       error          // what is wrong with the arguments
}

// call reads a field's arguments.
func (s *Simulator) call(field *ast.Field, variables map[string]any, now time.Time) *call {
	c := &call{field: field, arguments: field.ArgumentMap(variables)}
	for name, v := range c.arguments {
		if v == nil {
			delete(c.arguments, name)
		}
	}
	switch field.Name {
	case "getReportData":
		c.query, c.err = s.reportQuery(c.arguments, now)
	case "getInsightData":
		var shown insight
		c.query, shown, c.err = s.insightQuery(c.arguments, now)
		c.insight = &shown
	}
	return c
}

func (s *Simulator) reportQuery(coerced map[string]any, now time.Time) (*query, error) {
	a, err := readArguments(coerced)
	if err != nil {
		return nil, err
	}
	stream, err := s.stream(fmt.Sprint(a.ReportID))
	if err != nil {
		return nil, err
	}
	return a.query(stream, now)
}

// execute is the field's result as JSON.
func (x *exchange) execute(c *call) (json.RawMessage, error) {
	switch {
	case c.err != nil:
		return nil, c.err
	case c.field.Name == "dashboard":
		return x.sim.dashboard(c)
	case c.field.Name == "__typename":
		return json.RawMessage(`"Query"`), nil
	case c.query == nil:
		return nil, fmt.Errorf("%s: introspection is switched off", c.field.Name)
	}
	for _, fault := range x.faults {
		if fault.ask != nil {
			if err := fault.ask(x.Request, c.query); err != nil {
				return nil, err
			}
		}
	}
	rows, err := x.rows(c)
	if err != nil {
		return nil, err
	}
	for _, fault := range x.faults {
		if fault.rows != nil {
			rows = fault.rows(rows)
		}
	}
	x.Rows += len(rows)
	return list(rows), nil
}

// rows are the rows of the field's page.
func (x *exchange) rows(c *call) ([]json.RawMessage, error) {
	if rows, ok := x.sim.samples.rows[c.payload()]; ok {
		return rows, nil
	}
	x.sim.mu.RLock()
	defer x.sim.mu.RUnlock()
	if c.insight != nil {
		return c.insight.rows(c.query, &x.sim.indexes)
	}
	return c.query.page(&x.sim.indexes), nil
}

// page renders the rows of the query's page, all into one buffer.
func (q *query) page(indexes *indexes) []json.RawMessage {
	const usual = 900 // bytes of a call
	expected := min(q.limit, 2000)
	buffer, ends := make([]byte, 0, expected*usual), make([]int, 0, expected)
	q.each(indexes, func(r *row) {
		buffer = q.stream.appendRow(buffer, r)
		ends = append(ends, len(buffer))
	})
	rows := make([]json.RawMessage, len(ends))
	begin := 0
	for i, end := range ends {
		rows[i] = buffer[begin:end:end]
		begin = end
	}
	return rows
}

// list is what the API wraps rows in.
func list(rows []json.RawMessage) json.RawMessage {
	size := len(`{"data":[]}`)
	for _, row := range rows {
		size += len(row) + 1
	}
	b := append(make([]byte, 0, size), `{"data":[`...)
	for i, row := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, row...)
	}
	return append(b, `]}`...)
}
