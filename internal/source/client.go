package source

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/machinebox/graphql"
)

// Client reads the API. It is safe for concurrent use: all callers share its rate and its bounds.
type Client struct {
	wire        *wire
	pace        *pace
	timeout     time.Duration
	maxAttempts int
	firstDelay  time.Duration
	dateFormat  string
	queries     map[string]string // the text of each operation
	readings    atomic.Int64      // that began: see turn
	texts       texts
}

// New makes a client. It does not talk to the API.
func New(o Options) (*Client, error) {
	o.setDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	endpoint, err := parseEndpoint(o.Endpoint)
	if err != nil {
		return nil, err
	}
	queries, err := readQueries()
	if err != nil {
		return nil, err
	}
	return &Client{
		wire: &wire{
			endpoint:  endpoint,
			key:       o.APIKey,
			userAgent: o.UserAgent,
			maxBytes:  o.MaxPageBytes,
			base:      o.Transport,
			redact:    newRedactor(o.APIKey),
		},
		pace:        newPace(o.RequestsPerSecond, o.MaxInFlight, o.Budget),
		timeout:     o.Timeout,
		maxAttempts: o.MaxAttempts,
		firstDelay:  o.FirstDelay,
		dateFormat:  o.DateFormat,
		queries:     queries,
	}, nil
}

// Close closes idle connections. Requests under way go on, but no new one is sent by a shared budget.
func (c *Client) Close() {
	c.pace.close()
	if t, ok := c.wire.base.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// String is the client without the key.
func (c *Client) String() string { return "source.Client(" + shown(c.wire.endpoint.String()) + ")" }

// GoString is the client without the key.
func (c *Client) GoString() string { return c.String() }

// LogValue is the client without the key.
func (c *Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

// Page reads one page of a query: at most limit rows from skip on, if the server does as it is asked. Of the
// query, what concerns several pages is not looked at. It blocks until the page, an error that another
// attempt would not mend, or the end of ctx. Asking again for the same page is safe.
//
// Errors: *Error, one of Options.Budget, or the cause of ctx. With an error the Page has no rows.
func (c *Client) Page(ctx context.Context, q Query, skip, limit int) (Page, error) {
	of := q.reading
	if of == 0 {
		of = c.readings.Add(1)
	}
	answer, sent, err := c.persist(ctx, c.rowsRequest(q, skip, limit), q.operation(), turn{of, skip})
	page := Page{Rows: answer.rows, text: answer.text, Attempts: sent.attempts, Waited: sent.waited, Took: sent.took}
	if answer.text != nil {
		page.Bytes = int64(len(answer.text.bytes))
	}
	return page, err
}

// Dashboard reads a dashboard's own description. It blocks until that is there, an error that another attempt would
// not mend, or the end of ctx.
//
// Errors: *UnknownDashboardError, *Error, or the cause of ctx.
func (c *Client) Dashboard(ctx context.Context, id string) (Dashboard, error) {
	request := graphql.NewRequest(c.queries[dashboardDefinition])
	request.Var("id", id)
	answer, _, err := c.persist(ctx, request, dashboardDefinition, turn{reading: c.readings.Add(1)})
	if err != nil {
		return Dashboard{}, err
	}
	return decodeDashboard(id, []byte(answer.value))
}

// answer is what a request is sent for.
type answer struct {
	rows  []string // of a report or an insight
	value string   // of another operation
	text  *text    // that both are parts of
}

// sending is what it took to get an answer.
type sending struct {
	attempts int           // requests sent, retries included
	waited   time.Duration // for the rate limit and a place, over all attempts
	took     time.Duration // from sending the last attempt to the last byte of its reply
}

// persist sends a request until it is answered, or another attempt would not help.
func (c *Client) persist(ctx context.Context, request *graphql.Request, operation string, t turn) (answer, sending, error) {
	retry := &retries{most: c.maxAttempts, first: c.firstDelay}
	var all sending
	// Once ctx has ended Retry returns its cause, whatever the attempt made of that.
	got, err := backoff.Retry(ctx, func() (answer, error) {
		got, one, err := c.attempt(ctx, request, operation, t)
		all.waited, all.took = all.waited+one.waited, one.took
		retry.made, retry.failed = retry.made+1, err
		return got, err
	}, backoff.WithBackOff(retry), backoff.WithMaxElapsedTime(0))
	all.attempts = retry.made
	return got, all, err
}

// attempt sends a request once.
func (c *Client) attempt(ctx context.Context, request *graphql.Request, operation string, t turn) (answer, sending, error) {
	slot, waited, err := c.pace.enter(ctx, t)
	if err != nil {
		return answer{}, sending{waited: waited}, err
	}
	defer c.pace.leave()
	sentAt := time.Now()
	tapped := &tap{wire: c.wire, texts: &c.texts, operation: operation}
	if failed := c.send(ctx, request, tapped); failed != nil {
		failed.Op, failed.Skip = operation, t.skip
		if failed.Class == RateLimited {
			c.pace.slowDown(slot, failed.RetryAfter)
		}
		return answer{}, sending{waited: waited}, failed
	}
	c.pace.speedUp(slot)
	return tapped.answer, sending{waited: waited, took: time.Since(sentAt)}, nil
}

// send runs a request through the GraphQL client, within the time for one request.
func (c *Client) send(ctx context.Context, request *graphql.Request, t *tap) *Error {
	requestCtx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	client := graphql.NewClient(c.wire.endpoint.String(), graphql.WithHTTPClient(&http.Client{Transport: t}))
	err := client.Run(requestCtx, request, nil)
	var failed *Error
	switch {
	case len(t.errors) > 0:
		return t.refusal()
	case err == nil:
		return nil
	case errors.As(err, &failed):
		return failed // without the address that the HTTP client puts before it
	}
	return &Error{Class: Refused, Hint: hintRequest, Err: c.wire.text("the request cannot be sent", err)}
}
