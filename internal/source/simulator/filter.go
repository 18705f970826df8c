package simulator

import (
	"encoding/json"
	"fmt"
	"strconv"
)

// filterInput is one FilterInput.
type filterInput struct {
	MetricID  any
	Operation string
	Type      string
	Values    []any
	Value     json.RawMessage
}

// filters are the conditions that a row must meet, all of them.
type filters []filter

type filter struct {
	metric *Metric
	// Of an attribute: the values that are let in, or kept out.
	values map[string]bool
	out    bool
	// Of a measure: whether a comparison's result (-1, 0, 1) with the operand is let in.
	operand value
	lets    func(int) bool
	text    string // the filter as it was asked for: the same text is the same filter
}

// filters reads the filters of a query. One that keeps nothing out is no filter.
func (s *stream) filters(inputs []filterInput) (filters, error) {
	var all filters
	for _, input := range inputs {
		f, needed, err := s.filter(input)
		if err != nil {
			return nil, fmt.Errorf("filters: %w", err)
		}
		if needed {
			all = append(all, f)
		}
	}
	return all, nil
}

func (s *stream) filter(input filterInput) (f filter, needed bool, err error) {
	id := fmt.Sprint(input.MetricID)
	if input.Type == "ATTRIBUTE" && input.Operation == "nin" && len(input.Values) == 0 {
		return f, false, nil
	}
	f.metric = s.metrics[id]
	if f.metric == nil {
		return f, false, fmt.Errorf("report %s has no metric %s", s.ID, id)
	}
	f.text = fmt.Sprintf("%s %s %s %q %s\n", id, input.Type, input.Operation, input.Values, input.Value)
	switch input.Type {
	case "ATTRIBUTE":
		err = f.attribute(input)
	case "MEASURE":
		err = f.measure(input)
	default:
		err = fmt.Errorf("type must be ATTRIBUTE or MEASURE, not %q", input.Type)
	}
	return f, true, err
}

func (f *filter) attribute(input filterInput) error {
	if input.Operation != "in" && input.Operation != "nin" {
		return fmt.Errorf("an ATTRIBUTE filter's operation must be in or nin, not %q", input.Operation)
	}
	f.out = input.Operation == "nin"
	f.values = make(map[string]bool)
	for _, v := range input.Values {
		f.values[fmt.Sprint(v)] = true
	}
	return nil
}

func (f *filter) measure(input filterInput) error {
	lets := map[string]func(int) bool{
		"eq":  func(c int) bool { return c == 0 },
		"ne":  func(c int) bool { return c != 0 },
		"gt":  func(c int) bool { return c > 0 },
		"gte": func(c int) bool { return c >= 0 },
		"lt":  func(c int) bool { return c < 0 },
		"lte": func(c int) bool { return c <= 0 },
	}
	if f.lets = lets[input.Operation]; f.lets == nil {
		return fmt.Errorf("a MEASURE filter's operation must be eq, ne, gt, gte, lt or lte, not %q", input.Operation)
	}
	f.operand = parseValue(input.Value, f.metric.Type)
	if n, err := strconv.ParseInt(f.operand.text, 10, 64); f.operand.kind == text && err == nil {
		f.operand = numberValue(n)
	}
	if !f.operand.numeric() && f.operand.kind != instant {
		return fmt.Errorf("a MEASURE filter's value must be a number, or a time for a time, not %s", input.Value)
	}
	return nil
}

// let reports whether the row meets all conditions.
func (all filters) let(s *stream, r *row) bool {
	for i := range all {
		if !all[i].let(s.value(all[i].metric, r)) {
			return false
		}
	}
	return true
}

func (f *filter) let(v value) bool {
	if f.values != nil {
		attribute, ok := v.attribute()
		return (ok && f.values[attribute]) != f.out
	}
	sameKind := v.kind == f.operand.kind || v.numeric() && f.operand.numeric()
	return sameKind && f.lets(v.compare(f.operand))
}

// text tells filters apart.
func (all filters) text() (s string) {
	for _, f := range all {
		s += f.text
	}
	return s
}

// restated reports whether a condition's outcome may change in the days after a row's start.
func (all filters) restated() bool {
	for _, f := range all {
		if f.metric.Restated {
			return true
		}
	}
	return false
}
