package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"samespace-exporter/internal/jsonscan"
)

// reply is what a body holds.
type reply struct {
	rows     []string // parts of the body
	value    string   // data.dashboard
	complete bool     // what was asked for is there: data.dashboard, or an array at data.<operation>.data
	errors   []string // the values of "errors": more than one only in a very odd reply
}

var (
	errTwice    = errors.New("the rows are there twice")
	errTrailing = errors.New("the reply goes on after its JSON")
	errEmpty    = errors.New("the reply is empty")
)

// decodeReply takes a body apart: {"data": {<operation>: {"data": [row, ...]}}, "errors": [...]}, or, for a dashboard,
// {"data": {"dashboard": value}, "errors": [...]}. Whether the shape is right is for the caller to say: a reply with
// errors may lack the rest. The rows may lie in the memory of others. Errors never quote the body.
func decodeReply(text, operation string, rows []string) (reply, error) {
	got := reply{rows: rows[:0]}
	in := &jsonscan.Scanner{Text: text}
	if in.Kind() == 0 && in.Pos == len(text) {
		return got, errEmpty
	}
	err := eachMember(in, func(name string) error {
		switch name {
		case "errors":
			value, err := in.Value()
			if err == nil { // what is cut may end in a part of a secret
				got.errors = append(got.errors, value.Text)
			}
			return err
		case "data":
			return onlyMember(in, operation, func() error {
				if operation == dashboardDefinition {
					return got.readValue(in)
				}
				return onlyMember(in, "data", func() error { return got.readArray(in) })
			})
		}
		return passValue(in)
	})
	if err == nil && in.End() != nil {
		err = trailing(in)
	}
	return got, replyError(err)
}

func (r *reply) readValue(in *jsonscan.Scanner) error {
	if r.complete {
		return errors.New("the dashboard is there twice")
	}
	value, err := in.Value()
	r.value, r.complete = value.Text, err == nil
	return err
}

// readArray reads the values of an array. Any other value is skipped.
func (r *reply) readArray(in *jsonscan.Scanner) error {
	if r.complete {
		return errTwice
	}
	if in.Kind() != jsonscan.Array {
		return passValue(in)
	}
	r.complete = true
	if err := in.Open(); err != nil {
		return err
	}
	var before []member
	for first := true; ; first = false {
		more, err := in.More(jsonscan.Array, first)
		if err != nil || !more {
			return err
		}
		kind, start := in.Kind(), in.Pos
		if kind == jsonscan.Object {
			before, err = passRow(in, before)
		} else {
			err = passValue(in)
		}
		if err != nil {
			return err
		}
		r.rows = append(r.rows, in.Text[start:in.Pos])
	}
}

// member is one of a row, as it was written.
type member struct {
	lead string // what stands before its value: the comma, unless it is the first one, the name, the colon
	text string // its value, where that is a string
}

// passRow passes over a row. before are the members of the row before, by place: names are mostly the same, and more than
// half of a page, and so are many values.
func passRow(in *jsonscan.Scanner, before []member) ([]member, error) {
	if err := in.Open(); err != nil {
		return before, err
	}
	for place := 0; ; place++ {
		if place == len(before) || !in.Take(before[place].lead) {
			start := in.Pos
			more, err := in.More(jsonscan.Object, place == 0)
			if err != nil || !more {
				return before, err
			}
			if _, err := in.Name(); err != nil {
				return before, err
			}
			before = append(before[:place], member{lead: in.Text[start:in.Pos]})
		}
		is := &before[place]
		if in.TakeString(is.text) {
			continue
		}
		value, err := in.Value()
		if err != nil {
			return before, err
		}
		if value.Kind == jsonscan.String {
			is.text = value.Text
		}
	}
}

// eachMember calls visit for each member of an object, to read its value. Any other value is skipped.
func eachMember(in *jsonscan.Scanner, visit func(name string) error) error {
	if in.Kind() != jsonscan.Object {
		return passValue(in)
	}
	for name, err := range in.Members() {
		if err != nil {
			return err
		}
		id, _, err := name.Unquote()
		if err != nil { // it is no UTF-8, and none of the names that are looked for
			id = name.Text
		}
		if err := visit(id); err != nil {
			return err
		}
	}
	return nil
}

// onlyMember calls visit for the member of that name, to read its value, and skips the others.
func onlyMember(in *jsonscan.Scanner, wanted string, visit func() error) error {
	return eachMember(in, func(name string) error {
		if name == wanted {
			return visit()
		}
		return passValue(in)
	})
}

func passValue(in *jsonscan.Scanner) error {
	_, err := in.Value()
	return err
}

// trailing is the error of what follows a reply: another value, or what is none.
func trailing(in *jsonscan.Scanner) error {
	if in.Kind() != 0 {
		return errTrailing
	}
	return passValue(in)
}

// replyError is an error of the scanner as one of the reply. A body that ends too early wraps io.ErrUnexpectedEOF.
func replyError(err error) error {
	var syntax *jsonscan.SyntaxError
	switch {
	case !errors.As(err, &syntax):
		return err
	case syntax.Cut:
		return fmt.Errorf("the reply was cut short: %w", io.ErrUnexpectedEOF)
	}
	return fmt.Errorf("the reply is not JSON at byte %d", syntax.Offset)
}

// envelope is the reply without its rows, for the GraphQL client.
func (r *reply) envelope(operation string) []byte {
	out := fmt.Appendf(nil, `{"data":{%q:{"data":[]}}`, operation)
	for _, value := range r.errors {
		out = append(append(out, `,"errors":`...), value...)
	}
	return append(out, '}')
}

// graphQLError is an entry of "errors".
type graphQLError struct {
	message string
	code    string // of its extensions
}

// graphQLErrors are the entries of "errors". A value there that is no list counts as an entry too.
func (r *reply) graphQLErrors() []graphQLError {
	var all []graphQLError
	for _, value := range r.errors {
		var entries []json.RawMessage
		if json.Unmarshal([]byte(value), &entries) != nil {
			entries = []json.RawMessage{json.RawMessage(value)}
		}
		for _, entry := range entries {
			var e struct {
				Message    any
				Extensions struct{ Code any }
			}
			// An entry of another shape is an error without a message: its text says more than nothing.
			if json.Unmarshal(entry, &e) != nil || e.Message == nil {
				e.Message = string(entry)
			}
			code, _ := e.Extensions.Code.(string)
			all = append(all, graphQLError{message: fmt.Sprint(e.Message), code: code})
		}
	}
	return all
}
