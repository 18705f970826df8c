package source

import (
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Class says what to do about an Error.
type Class string

// The classes of error.
const (
	Transient    Class = "transient"    // resets, cut bodies, 5xx: the same request may succeed later
	RateLimited  Class = "rate limited" // 429
	Unauthorized Class = "unauthorized" // 401, 403: the key is wrong or lacks the right; asking again is useless
	Refused      Class = "refused"      // another 4xx: this request will never succeed as it is
	TooHeavy     Class = "too heavy"    // time-outs (ours, 408, 504), 413, an over-long page: a smaller span may succeed
	Malformed    Class = "malformed"    // a 2xx reply that is not what the API documents: HTML, empty, no rows
	// Errored is a GraphQL error in a 2xx reply that does not say whose fault it is: the same request may succeed
	// later, or a smaller one, since an API may refuse a depth or a range in this way.
	Errored     Class = "GraphQL error"
	Unreachable Class = "unreachable" // no connection: wrong host, refused, TLS
)

// Error is a request that got no rows, after all attempts. It holds no secret.
type Error struct {
	Class      Class
	Op         string        // the operation: "getReportData"
	Status     int           // HTTP status; zero when there was no reply
	OneReport  bool          // Unauthorized: the key itself is good, but may not read this report
	Skip       int           // of the page that was asked for
	RetryAfter time.Duration // as the server asked, at most 5 minutes; zero: it did not
	Hint       string        // what the operator can do
	Err        error
}

func (e *Error) Error() string {
	if e.Hint == "" {
		return fmt.Sprintf("%s: %s: %v", e.Op, e.Class, e.Err)
	}
	return fmt.Sprintf("%s: %s: %v (%s)", e.Op, e.Class, e.Err, e.Hint)
}

func (e *Error) Unwrap() error { return e.Err }

// FailsAll reports whether any other request would fail for the same reason: the key or the way to the API.
func (e *Error) FailsAll() bool { return e.Class == Unauthorized || e.Class == Unreachable }

// Overlong reports whether it is the page that is too long, rather than what it took the server to make it.
func (e *Error) Overlong() bool {
	return e.Status == http.StatusRequestEntityTooLarge || errors.Is(e.Err, errOverlong)
}

// TooManyRowsError says that a span holds more than Query.MaxRows rows: it is to be cut in time.
type TooManyRowsError struct{ MaxRows int }

func (e *TooManyRowsError) Error() string {
	return fmt.Sprintf("the span holds more than %d rows", e.MaxRows)
}

// TornError says that pages did not fit together: rows moved while they were read, or the server does not
// page as asked. What was read is not the span's rows.
type TornError struct {
	Skip   int // of the page that did not fit
	Page   int // rows of the largest page of the reading
	Reason string
	// IgnoresSkip is set when the server was seen to send the same page for two other skips: reading again is
	// useless.
	IgnoresSkip bool
}

func (e *TornError) Error() string {
	return fmt.Sprintf("pages do not fit together at row %d: %s", e.Skip, e.Reason)
}
