package source

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
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
	reportQuery string
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
	reportQuery, err := readQuery("GetReportData")
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
		pace:        newPace(o.RequestsPerSecond, o.MaxInFlight),
		timeout:     o.Timeout,
		maxAttempts: o.MaxAttempts,
		firstDelay:  o.FirstDelay,
		dateFormat:  o.DateFormat,
		reportQuery: reportQuery,
	}, nil
}

// Close closes idle connections. Requests under way go on.
func (c *Client) Close() {
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
// Errors: *Error, or the cause of ctx. With an error the Page has no rows.
func (c *Client) Page(ctx context.Context, q Query, skip, limit int) (Page, error) {
	request := c.reportRequest(q, skip, limit)
	retry := &retries{most: c.maxAttempts, first: c.firstDelay}
	var waited time.Duration
	// Once ctx has ended Retry returns its cause, whatever the attempt made of that.
	page, err := backoff.Retry(ctx, func() (Page, error) {
		page, err := c.attempt(ctx, request, skip)
		waited += page.Waited
		retry.made, retry.failed = retry.made+1, err
		return page, err
	}, backoff.WithBackOff(retry), backoff.WithMaxElapsedTime(0))
	page.Attempts, page.Waited = retry.made, waited
	return page, err
}

// attempt sends the request for the page at skip once.
func (c *Client) attempt(ctx context.Context, request *graphql.Request, skip int) (Page, error) {
	waited, err := c.pace.enter(ctx)
	if err != nil {
		return Page{Waited: waited}, err
	}
	defer c.pace.leave()
	sentAt := time.Now()
	t := &tap{wire: c.wire, operation: reportData}
	if failed := c.send(ctx, request, t); failed != nil {
		failed.Op, failed.Skip = reportData, skip
		if failed.Class == RateLimited {
			c.pace.slowDown(sentAt, failed.RetryAfter)
		}
		return Page{Waited: waited}, failed
	}
	c.pace.speedUp()
	return Page{Rows: t.rows, Bytes: t.bytes, Waited: waited, Took: time.Since(sentAt)}, nil
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
