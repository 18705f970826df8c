package source

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// tap is the RoundTripper of one request. It takes the rows out of the reply as the body streams by, and
// hands the GraphQL client the same envelope with no rows in it: the client reads a body whole, and decodes
// it twice over.
type tap struct {
	wire      *wire
	operation string

	answer answer
	errors []graphQLError // the client keeps only the first one's message
	status int
}

// RoundTrip sends a request and returns the reply without its rows. A reply that holds neither rows nor
// GraphQL errors is an error.
func (t *tap) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.wire.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	watched := &watchedBody{body: resp.Body}
	got, err := decodeReply(watched, t.operation, resp.ContentLength)
	t.answer = answer{rows: got.rows, value: got.value, bytes: watched.bytes}
	t.errors, t.status = got.graphQLErrors(), resp.StatusCode
	switch {
	case watched.err != nil:
		return nil, watched.err
	case err == nil && !got.complete && len(t.errors) == 0:
		err = fmt.Errorf("no %s", wanted(t.operation))
	}
	if err != nil {
		return nil, t.malformed(err, watched)
	}
	envelope := got.envelope(t.operation)
	resp.Body = io.NopCloser(bytes.NewReader(envelope))
	resp.ContentLength = int64(len(envelope))
	return resp, nil
}

// wanted is what a reply to an operation has, in words.
func wanted(operation string) string {
	if operation == dashboardDefinition {
		return "value at data." + operation
	}
	return "rows at data." + operation + ".data"
}

// malformed is the error of a body that is no documented reply. One that ends in the middle was cut short.
func (t *tap) malformed(err error, watched *watchedBody) *Error {
	head, cut := watched.head()
	failed := &Error{
		Class: Malformed, Status: t.status,
		Hint: "check that source.endpoint is the address of the API and not of a web page",
		Err:  fmt.Errorf("%w: the reply begins %q", err, t.wire.redact.excerpt(head, cut)),
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		failed.Class, failed.Hint = Transient, ""
	}
	return failed
}

// watchedBody notes what goes by: how much, how it began, and what ended it.
type watchedBody struct {
	body  io.Reader
	bytes int64
	begin bytes.Buffer
	ended bool
	err   error
}

const longestHead = 2048

func (w *watchedBody) Read(p []byte) (int, error) {
	n, err := w.body.Read(p)
	w.bytes += int64(n)
	w.begin.Write(p[:min(n, longestHead-w.begin.Len())])
	if err == io.EOF {
		w.ended = true
	} else if err != nil {
		w.err = err
	}
	return n, err
}

// head is how the body begins. cut says that there may be more.
func (w *watchedBody) head() (text string, cut bool) {
	// The decoder stops at the first wrong byte, which may be in the middle of a word. What fails here is not
	// worth another error.
	_, _ = io.CopyN(io.Discard, w, int64(longestHead-w.begin.Len()))
	return w.begin.String(), !w.ended || w.bytes > longestHead
}

// reply is what a body holds.
type reply struct {
	rows     []string
	value    jsontext.Value   // data.dashboard
	complete bool             // what was asked for is there: data.dashboard, or an array at data.<operation>.data
	errors   []jsontext.Value // the values of "errors": more than one only in a very odd reply
}

// decodeReply takes a body apart: {"data": {<operation>: {"data": [row, ...]}}, "errors": [...]}, or, for a dashboard,
// {"data": {"dashboard": value}, "errors": [...]}. Whether the shape is right is for the caller to say: a reply with
// errors may lack the rest. length is the body's length where it is known. Errors never quote the body.
func decodeReply(body io.Reader, operation string, length int64) (reply, error) {
	var got reply
	rows := rowsText{}
	rows.text.Grow(int(min(max(length, 0), 1<<20)))
	in := jsontext.NewDecoder(body, jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))
	err := eachMember(in, func(name string) error {
		switch name {
		case "errors":
			value, err := in.ReadValue()
			got.errors = append(got.errors, value.Clone())
			return err
		case "data":
			return onlyMember(in, operation, func() error {
				if operation == dashboardDefinition {
					return got.readValue(in)
				}
				return onlyMember(in, "data", func() error {
					if got.complete {
						return errTwice
					}
					got.complete = in.PeekKind() == '['
					return rows.readArray(in)
				})
			})
		}
		return in.SkipValue()
	})
	if err == nil {
		err = atEnd(in)
	}
	got.rows = rows.split()
	return got, undressed(err)
}

func (r *reply) readValue(in *jsontext.Decoder) error {
	if r.complete {
		return errors.New("the dashboard is there twice")
	}
	value, err := in.ReadValue()
	r.value, r.complete = value.Clone(), err == nil
	return err
}

var (
	errTwice    = errors.New("the rows are there twice")
	errTrailing = errors.New("the reply goes on after its JSON")
)

// eachMember calls visit for each member of an object, to read its value. Any other value is skipped.
func eachMember(in *jsontext.Decoder, visit func(name string) error) error {
	if in.PeekKind() != '{' {
		return in.SkipValue()
	}
	if _, err := in.ReadToken(); err != nil {
		return err
	}
	for in.PeekKind() != '}' {
		name, err := in.ReadToken()
		if err != nil {
			return err
		}
		if err := visit(name.String()); err != nil {
			return err
		}
	}
	_, err := in.ReadToken()
	return err
}

// onlyMember calls visit for the member of that name, to read its value, and skips the others.
func onlyMember(in *jsontext.Decoder, wanted string, visit func() error) error {
	return eachMember(in, func(name string) error {
		if name == wanted {
			return visit()
		}
		return in.SkipValue()
	})
}

// atEnd makes sure that nothing but space follows, which also checks the sums and lengths below.
func atEnd(in *jsontext.Decoder) error {
	_, err := in.ReadToken()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return errTrailing
	}
	return err
}

// undressed is an error of the decoder without the parts of the body that it quotes.
func undressed(err error) error {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, io.EOF):
		return errors.New("the reply is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the reply was cut short: %w", io.ErrUnexpectedEOF)
	case errors.As(err, &syntax):
		return fmt.Errorf("the reply is not JSON at byte %d", syntax.ByteOffset)
	}
	return err
}

// rowsText gathers the texts of a page's rows in one string.
type rowsText struct {
	text strings.Builder
	ends []int
}

// readArray adds the values of an array. Any other value is skipped.
func (r *rowsText) readArray(in *jsontext.Decoder) error {
	if in.PeekKind() != '[' {
		return in.SkipValue()
	}
	if _, err := in.ReadToken(); err != nil {
		return err
	}
	for in.PeekKind() != ']' {
		row, err := in.ReadValue()
		if err != nil {
			return err
		}
		r.text.Write(row)
		r.ends = append(r.ends, r.text.Len())
	}
	_, err := in.ReadToken()
	return err
}

// split is the gathered rows.
func (r *rowsText) split() []string {
	text, rows, start := r.text.String(), make([]string, len(r.ends)), 0
	for i, end := range r.ends {
		rows[i], start = text[start:end], end
	}
	return rows
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
		if json.Unmarshal(value, &entries) != nil {
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

// refusal is the error that "errors" amount to: the first entry that says more than "try again" decides.
func (t *tap) refusal() *Error {
	class, hint := Errored, ""
	decides := max(0, slices.IndexFunc(t.errors, func(e graphQLError) bool {
		switch e.code {
		case "UNAUTHENTICATED", "FORBIDDEN":
			class, hint = Unauthorized, hintKey
		case "BAD_USER_INPUT", "GRAPHQL_VALIDATION_FAILED", "GRAPHQL_PARSE_FAILED":
			class, hint = Refused, hintRequest
		}
		return class != Errored
	}))
	e := t.errors[decides]
	said := e.message
	if e.code != "" {
		said += " (" + e.code + ")"
	}
	return &Error{Class: class, Status: t.status, Hint: hint, Err: errors.New(t.wire.redact.excerpt(said, false))}
}
