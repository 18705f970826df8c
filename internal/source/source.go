// Package source reads the Samespace Analytics GraphQL API. It is the only importer of the GraphQL client.
//
// What the API does not document is not assumed: see Client.Rows for how pages are put together.
package source

import (
	"time"

	"samespace-exporter/internal/window"
)

// Query asks for the rows of a report, or of an insight, in a stretch of time.
type Query struct {
	Report string // the report's id; "" for an insight
	// Dashboard and Insight are the ids of an insight and of the dashboard that it is on; "" for a report.
	Dashboard, Insight string
	// Range is the stretch of time: sent as startTime and endTime. Whether the API takes either end as
	// inclusive is not documented; the caller reads a little more and tells rows apart by key. The zero
	// Window sends neither (then TimeRange says what is read).
	Range     window.Window
	TimeRange string // the TimeRange enum value; "" sends null
	Timezone  string // IANA name; "" sends null
	Filters   []Filter
	SortID    string // metric id to sort by; "" sends neither it nor an order
	SortDesc  bool
	PageSize  int // rows asked for in one page; at least 2
	MaxRows   int // more rows than this end the reading with *TooManyRowsError; 0: no bound
	// Uncertain asks for a probe of one row at skip = MaxRows once the first page was full: a span that holds
	// far more than expected costs two requests, not MaxRows / PageSize.
	Uncertain bool
	// Unstable takes what comes: pages that do not fit together are not an error, and the Reading is marked
	// Torn. For a stretch of time that never held still.
	Unstable bool
	// Prove takes no short page for the last one, even after a full one: it asks on until a page brings nothing
	// new, at the cost of a request. For a server that is not trusted yet to fill its pages.
	Prove bool
	// Ahead is how many pages are asked for at once, where it is known where they begin and that they hold rows;
	// less than 2: each is asked for when the one before is there.
	Ahead int
	// Filled says that the server was seen to fill pages of this size, so that pages may be asked for ahead of the
	// first one.
	Filled bool
	// Nearer lets the end of the range be drawn nearer when it holds more than MaxRows rows: see Taker.Nearer and
	// Reading.End. It takes rows that are asked for in order of the time that the range is about, from its start on.
	Nearer bool
	// Key are the ids whose values tell one row from another; empty: the row's whole content does.
	Key []string

	reading int64 // that a page is of, see turn; 0: of none
}

// Filter is one entry of the API's FilterInput.
type Filter struct {
	Metric    string // metricId
	Type      string // ATTRIBUTE or MEASURE
	Operation string // in, nin, or a comparison
	Values    []any  // for ATTRIBUTE
	Value     any    // for MEASURE
}

// Reading is what is to be said of the rows of a query, beside the rows.
type Reading struct {
	Rows int // that were taken
	// End is up to where all rows were read: the end of the query's range, or a nearer one with Query.Nearer.
	End         time.Time
	LargestPage int   // rows of the largest page
	Requests    int   // pages asked for, retries not counted
	Bytes       int64 // of the bodies
	// Waited is the time spent waiting for the rate limit and for a place among the requests in flight.
	Waited time.Duration
	// Took is the time from sending the requests to the last bytes of their replies, summed up: several may have
	// been under way at once.
	Took time.Duration
	// Short says that a short page was not the last one, though the server had filled one before: its short
	// pages prove nothing. It is seen where the reading asks on behind a short page: see Query.Prove, Client.Rows.
	Short bool
	// Proved says that nothing was found behind a short page.
	Proved bool
	// Torn says that the pages did not fit together: rows may be missing or there twice. Only with
	// Query.Unstable.
	Torn bool
}

// Page is one response of the API.
type Page struct {
	Rows     []string      // well-formed JSON, as for Taker.Take; parts of one text: keeping one keeps the page in memory
	text     *text         // that text; nil: it is not to be released
	Bytes    int64         // of the body, decompressed
	Attempts int           // requests sent for it, retries included
	Waited   time.Duration // as Reading.Waited, over all attempts
	Took     time.Duration // from sending the last attempt to the last byte of its reply
}

// last is the last row of a page that has some.
func (p Page) last() string { return p.Rows[len(p.Rows)-1] }
