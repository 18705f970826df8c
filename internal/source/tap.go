package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
)

// tap is the RoundTripper of one request. It takes the rows out of the reply, and hands the GraphQL client the same
// envelope with no rows in it: the client formats a body for a log that nobody reads, and decodes it twice over.
type tap struct {
	wire      *wire
	texts     *texts
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
	body, err := t.texts.read(resp.Body, resp.ContentLength)
	if err != nil {
		return nil, err
	}
	got, err := decodeReply(body.string(), t.operation, body.rows)
	body.rows = got.rows
	t.answer = answer{rows: got.rows, value: got.value, text: body}
	t.errors, t.status = got.graphQLErrors(), resp.StatusCode
	if err == nil && !got.complete && len(t.errors) == 0 {
		err = fmt.Errorf("no %s", wanted(t.operation))
	}
	if err != nil {
		return nil, t.malformed(err, body.string())
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

// longestHead is how many bytes of a body are looked through for what an error may show of it.
const longestHead = 2048

// malformed is the error of a body that is no documented reply. One that ends in the middle was cut short.
func (t *tap) malformed(err error, text string) *Error {
	head, cut := text, errors.Is(err, io.ErrUnexpectedEOF)
	if len(text) > longestHead {
		head, cut = text[:longestHead], true
	}
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

// refusal is the error that "errors" amount to: the first entry that says more than "try again" decides.
func (t *tap) refusal() *Error {
	class, hint, oneReport := Errored, "", false
	decides := max(0, slices.IndexFunc(t.errors, func(e graphQLError) bool {
		switch e.code {
		case "UNAUTHENTICATED", "FORBIDDEN":
			class, hint, oneReport = Unauthorized, hintKey, e.code == "FORBIDDEN"
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
	return &Error{
		Class: class, Status: t.status, OneReport: oneReport, Hint: hint,
		Err: errors.New(t.wire.redact.excerpt(said, false)),
	}
}
