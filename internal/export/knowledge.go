package export

import (
	"math"
	"time"

	"samespace-exporter/internal/sink"
)

// knowledge is what is known of what the API takes: what it was seen to refuse, and what was measured. A pass and a forecast
// are capped by the same of it.
type knowledge struct {
	skip, span sink.Limit // learned; the span's count is of seconds
	contract   terms      // measured
	measuredAt time.Time
}

// knowledgeOf is what the warehouse has of it. With an error nothing is known of the contract.
func knowledgeOf(c sink.Condition) (knowledge, error) {
	contract, err := termsOf(c.Contract)
	return knowledge{skip: c.Skip, span: c.Range, contract: contract, measuredAt: c.MeasuredAt}, err
}

// Heeded is a limit that shapes what is asked of the API.
type Heeded struct {
	// Limit is "skip" (rows that a page may lie behind), "range" (seconds of a request) or "page" (rows).
	Limit string `json:"limit"`
	Most  int64  `json:"most"`
	// From says where it is from: "learned" from what was refused, or "measured" by check --contract.
	From  string     `json:"from"`
	At    *time.Time `json:"measured_at,omitempty"`
	Until *time.Time `json:"until,omitempty"` // then a learned one is tried again
}

// heededLimit is a limit that holds, and what it leaves to be asked for.
type heededLimit struct {
	Heeded
	caps caps
}

// holding are the limits of skip and range that hold at a time.
func (k knowledge) holding(now time.Time) (all []heededLimit) {
	if k.skip.Holds(now) {
		c := uncapped()
		c.skip = int(k.skip.Works)
		all = append(all, heededLimit{Heeded{Limit: "skip", Most: k.skip.Works, From: "learned", Until: &k.skip.Until}, c})
	}
	if k.span.Holds(now) {
		c := uncapped()
		c.span = max(time.Duration(k.span.Works)*time.Second, shortest)
		all = append(all, heededLimit{Heeded{Limit: "range", Most: k.span.Works, From: "learned", Until: &k.span.Until}, c})
	}
	if k.contract.span > 0 {
		c := uncapped()
		c.span = k.contract.span
		all = append(all, heededLimit{Heeded{Limit: "range", Most: int64(k.contract.span / time.Second), From: "measured", At: &k.measuredAt}, c})
	}
	return all
}

// caps are the most that is asked for in one query.
type caps struct {
	skip int           // no page lies further behind others
	span time.Duration // no range is longer
}

// uncapped is where nothing is known.
func uncapped() caps { return caps{skip: math.MaxInt, span: math.MaxInt64} }

// and are the caps of both.
func (c caps) and(other caps) caps {
	return caps{skip: min(c.skip, other.skip), span: min(c.span, other.span)}
}

// stretch is the longest stretch that is asked for in one query, which begins so much earlier.
func (c caps) stretch(lead time.Duration) time.Duration { return max(c.span-lead, shortest) }

// maxRows is the most rows of a part.
func (c caps) maxRows(d Dataset) int { return min(d.MaxRows, c.skip) }

// maxSpan is the longest span.
func (c caps) maxSpan(d Dataset) time.Duration {
	return min(d.MaxSpan, c.stretch(max(lead, d.Overlap)))
}

// Heeding is the dataset as a pass reads it, with smaller pages and spans where the API is known to take no larger ones, and
// the limits that made a difference.
func (d Dataset) Heeding(c sink.Condition, now time.Time) (Dataset, []Heeded) {
	heeded := []Heeded{}
	known, _ := knowledgeOf(c) // a pass tells of the error
	if page := known.contract.pageSize(d); page < d.Query.PageSize {
		d.Query.PageSize = page
		heeded = append(heeded, Heeded{Limit: "page", Most: int64(page), From: "measured", At: &known.measuredAt})
	}
	if d.whole() { // it is asked for as it is, whatever is known
		return d, heeded
	}
	for _, limit := range known.holding(now) {
		rows, span := limit.caps.maxRows(d), limit.caps.maxSpan(d)
		if rows < d.MaxRows || span < d.MaxSpan {
			d.MaxRows, d.MaxSpan = rows, span
			heeded = append(heeded, limit.Heeded)
		}
	}
	return d, heeded
}
