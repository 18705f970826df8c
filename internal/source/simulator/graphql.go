package simulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator"
)

// problemEntry is one entry of a response's errors.
type problemEntry struct {
	Message    string              `json:"message"`
	Locations  []gqlerror.Location `json:"locations,omitempty"`
	Path       []string            `json:"path,omitempty"`
	Extensions map[string]any      `json:"extensions,omitempty"`
}

// parse validates a query against the schema and coerces its variables.
func (s *Simulator) parse(text, name string, variables map[string]any) (
	op *ast.OperationDefinition, coerced map[string]any, problems []problemEntry,
) {
	document, errs := gqlparser.LoadQueryWithRules(s.schema, text, s.rules)
	if len(errs) > 0 {
		return nil, nil, problemsOf("GRAPHQL_VALIDATION_FAILED", errs...)
	}
	op = document.Operations.ForName(name)
	if op == nil {
		return nil, nil, problemsOf("BAD_USER_INPUT", gqlerror.Errorf("operationName: no such operation in the query"))
	}
	coerced, err := validator.VariableValues(s.schema, op, variables)
	if err != nil {
		var at *gqlerror.Error
		if !errors.As(err, &at) {
			at = gqlerror.Wrap(err)
		}
		return nil, nil, problemsOf("BAD_USER_INPUT", gqlerror.Errorf("%s: %s", at.Path, at.Message))
	}
	return op, coerced, nil
}

func problemsOf(code string, errs ...*gqlerror.Error) (problems []problemEntry) {
	for _, err := range errs {
		problems = append(problems, problemEntry{
			Message: err.Message, Locations: err.Locations, Extensions: map[string]any{"code": code},
		})
	}
	return problems
}

// fields are the fields of a selection on an object type, in order, those of fragments included. Fields of
// one response key are merged.
func fields(schema *ast.Schema, set ast.SelectionSet, typeName string) (all []*ast.Field) {
	for _, selection := range set {
		var found []*ast.Field
		switch selection := selection.(type) {
		case *ast.Field:
			found = []*ast.Field{selection}
		case *ast.InlineFragment:
			if isA(schema, typeName, selection.TypeCondition) {
				found = fields(schema, selection.SelectionSet, typeName)
			}
		case *ast.FragmentSpread:
			if isA(schema, typeName, selection.Definition.TypeCondition) {
				found = fields(schema, selection.Definition.SelectionSet, typeName)
			}
		}
		for _, field := range found {
			all = merge(all, field)
		}
	}
	return all
}

func merge(all []*ast.Field, field *ast.Field) []*ast.Field {
	i := slices.IndexFunc(all, func(f *ast.Field) bool { return f.Alias == field.Alias })
	if i < 0 {
		return append(all, field)
	}
	merged := *all[i]
	merged.SelectionSet = slices.Concat(merged.SelectionSet, field.SelectionSet)
	all[i] = &merged
	return all
}

// isA reports whether an object of the type meets a fragment's condition.
func isA(schema *ast.Schema, typeName, condition string) bool {
	return condition == "" || condition == typeName ||
		slices.ContainsFunc(schema.PossibleTypes[condition], func(d *ast.Definition) bool { return d.Name == typeName })
}

// project appends what the selection asks for of a JSON value. An object's __typename says what it is. Keys
// that an object lacks stay out, as in the documented response.
func project(b []byte, schema *ast.Schema, set ast.SelectionSet, data json.RawMessage) ([]byte, error) {
	if len(set) == 0 || string(data) == "null" {
		return append(b, data...), nil
	}
	if bytes.HasPrefix(data, []byte("[")) {
		return projectList(b, schema, set, data)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, err
	}
	var err error
	b = append(b, '{')
	for _, field := range fields(schema, set, strings.Trim(string(object["__typename"]), `"`)) {
		v, ok := object[field.Name]
		if !ok {
			continue
		}
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(appendText(b, field.Alias), ':')
		if b, err = project(b, schema, field.SelectionSet, v); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func projectList(b []byte, schema *ast.Schema, set ast.SelectionSet, data json.RawMessage) ([]byte, error) {
	var list []json.RawMessage
	err := json.Unmarshal(data, &list)
	b = append(b, '[')
	for i, element := range list {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = project(b, schema, set, element); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), err
}

// decodeJSON decodes with numbers as they are written.
func decodeJSON(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decoder.Decode(into)
}

// compact is the JSON without white space.
func compact(data []byte) json.RawMessage {
	var b bytes.Buffer
	if err := json.Compact(&b, data); err != nil {
		panic(err) // only files of the program are compacted
	}
	return b.Bytes()
}
