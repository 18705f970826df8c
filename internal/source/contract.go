package source

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"samespace-exporter/internal/window"
)

// Answer is what a measurement said to a question. "" is that it could not tell.
type Answer string

// The answers.
const (
	Yes Answer = "yes"
	No  Answer = "no"
)

func answerOf(yes bool) Answer {
	if yes {
		return Yes
	}
	return No
}

// Contract is how the API was seen to answer for a report, in what its documentation leaves open. Zero values are what
// could not be told, mostly since there were too few rows.
type Contract struct {
	// LargestPage is how many rows the server sends at most; 0: it sent as many as it was asked for, PageAsked.
	LargestPage int `json:"largest_page"`
	PageAsked   int `json:"page_asked"`
	// PageSent is how many rows a page had that was not full, where there were too few: there is no smaller cap. It is
	// not kept.
	PageSent int `json:"-"`
	// DefaultOrder is the order of rows that were asked for in none: "by time", "by time, latest first", "another
	// order, the same each time" or "another order each time".
	DefaultOrder string `json:"default_order"`
	// Sorted is whether rows come in the order that is asked for.
	Sorted Answer `json:"sorted"`
	// StartInclusive and EndInclusive are whether a row right on a bound of the range is sent.
	StartInclusive Answer `json:"start_inclusive"`
	EndInclusive   Answer `json:"end_inclusive"`
	// TimezoneMoves is whether another timezone moves the range, and so which rows are sent.
	TimezoneMoves Answer `json:"timezone_moves"`
	// TimesWin is whether startTime and endTime count where a timeRange is sent beside them.
	TimesWin Answer `json:"times_win"`
	// LongestRange is the longest range that was answered, and RefusedRange the shortest that was not; 0: none was
	// refused.
	LongestRange time.Duration `json:"longest_range_ns"`
	RefusedRange time.Duration `json:"refused_range_ns"`
	// Depths are how long pages of a row take, by how many rows are skipped before them.
	Depths []Depth `json:"depths"`
}

// Depth is a page far behind others.
type Depth struct {
	Skip    int           `json:"skip"`
	Took    time.Duration `json:"took_ns"`
	Refused bool          `json:"refused,omitempty"`
}

const (
	enough       = 50     // rows of a stretch that is measured
	largestAsked = 10_000 // rows asked for, to see whether the server caps its pages
	day          = 24 * time.Hour
)

// Measure asks the API what its documentation leaves open, of a report and a stretch of time before now. It takes some
// twenty requests. timeOf reads a row's time, which its range is about.
//
// Errors: *Error when the API cannot be asked at all, or the cause of ctx. A request that is refused or too heavy is a
// measurement.
func (c *Client) Measure(ctx context.Context, q Query, now time.Time, timeOf func(row string) (time.Time, bool)) (Contract, error) {
	m := &measuring{query: q, now: now, timeOf: timeOf, page: func(q Query, skip, limit int) (Page, error) {
		return c.Page(ctx, q, skip, limit)
	}}
	m.ranges()
	if m.findRows() {
		m.pages()
		m.orders()
		m.bounds()
		m.timezone()
		m.timeRange()
		m.depths()
	}
	return m.found, m.err
}

// measuring is a measurement under way. After an error that ends it nothing more is asked.
type measuring struct {
	page   func(q Query, skip, limit int) (Page, error)
	query  Query
	now    time.Time
	timeOf func(string) (time.Time, bool)
	within window.Window // a stretch that has rows
	found  Contract
	err    error
}

// ask asks for a page. refused says that the API does not answer this one; nothing is to be made of the rows then.
func (m *measuring) ask(q Query, skip, limit int) (page Page, refused bool) {
	if m.err != nil {
		return Page{}, true
	}
	page, err := m.page(q, skip, limit)
	var failed *Error
	switch {
	case err == nil:
		return page, false
	case errors.As(err, &failed) && slices.Contains([]Class{Refused, TooHeavy, Errored}, failed.Class):
		return Page{}, true
	}
	m.err = err
	return Page{}, true
}

// over is the query over another range.
func (m *measuring) over(start, end time.Time) Query {
	q := m.query
	q.Range = window.Window{Start: start, End: end}
	return q
}

func (m *measuring) ranges() {
	for _, length := range []time.Duration{day, 7 * day, 31 * day, 93 * day, 366 * day} {
		q := m.over(m.now.Add(-length), m.now)
		_, refused := m.ask(q, 0, 1)
		if refused { // a fault that passes is no contract, and what is measured is kept
			_, refused = m.ask(q, 0, 1)
		}
		if m.err != nil {
			return
		}
		if refused {
			m.found.RefusedRange = length
			return
		}
		m.found.LongestRange = length
	}
}

// findRows finds the shortest stretch that has some rows, away from the present, where rows still arrive. It is false
// when there are none.
func (m *measuring) findRows() bool {
	settled := m.now.Add(-6 * time.Hour)
	found := 0
	for _, length := range []time.Duration{time.Hour, day, 7 * day, 31 * day} {
		if length > max(m.found.LongestRange, time.Hour) || found == enough {
			break
		}
		m.within = window.Window{Start: settled.Add(-length), End: settled}
		page, _ := m.ask(m.over(m.within.Start, m.within.End), 0, enough)
		found = len(page.Rows)
	}
	return m.err == nil && found > 0
}

// pages looks whether the server sends fewer rows than it is asked for and has.
func (m *measuring) pages() {
	longest := min(m.found.LongestRange, 31*day)
	q := m.over(m.within.End.Add(-longest), m.within.End)
	sent := 0
	for range 2 { // one page may be cut short by a fault, or a row come behind it
		page, refused := m.ask(q, 0, largestAsked)
		if sent = max(sent, len(page.Rows)); refused || sent == 0 {
			return
		}
		if sent == largestAsked {
			m.found.PageAsked = largestAsked
			return
		}
		next, refused := m.ask(q, sent, 1)
		if refused || len(next.Rows) == 0 {
			m.found.PageSent = sent
			return
		}
	}
	m.found.LargestPage, m.found.PageAsked = sent, largestAsked
}

func (m *measuring) orders() {
	q := m.over(m.within.Start, m.within.End)
	if q.SortID != "" {
		if page, refused := m.ask(q, 0, 200); !refused {
			if times, ok := m.times(page.Rows); ok {
				sorted := slices.IsSortedFunc(times, time.Time.Compare)
				if q.SortDesc {
					slices.Reverse(times)
					sorted = slices.IsSortedFunc(times, time.Time.Compare)
				}
				m.found.Sorted = answerOf(sorted)
			}
		}
	}
	q.SortID = ""
	first, refused := m.ask(q, 0, 200)
	if refused {
		return
	}
	times, ok := m.times(first.Rows)
	if !ok {
		return
	}
	ascending := slices.IsSortedFunc(times, time.Time.Compare)
	slices.Reverse(times)
	switch {
	case ascending:
		m.found.DefaultOrder = "by time"
	case slices.IsSortedFunc(times, time.Time.Compare):
		m.found.DefaultOrder = "by time, latest first"
	default:
		again, refused := m.ask(q, 0, 200)
		if refused {
			return
		}
		m.found.DefaultOrder = "another order each time"
		if slices.Equal(first.Rows, again.Rows) {
			m.found.DefaultOrder = "another order, the same each time"
		}
	}
}

// times are the rows' times; ok is false when they are too few, or all the same.
func (m *measuring) times(rows []string) (times []time.Time, ok bool) {
	for _, row := range rows {
		if at, ok := m.timeOf(row); ok {
			times = append(times, at)
		}
	}
	return times, len(times) > 2 && slices.ContainsFunc(times, func(at time.Time) bool { return !at.Equal(times[0]) })
}

// bounds asks for ranges that begin and end on the very time of a row.
func (m *measuring) bounds() {
	page, _ := m.ask(m.over(m.within.Start, m.within.End), 0, 200)
	i := slices.IndexFunc(page.Rows, func(row string) bool {
		at, ok := m.timeOf(row)
		// A Date variable has milliseconds.
		return ok && at.Equal(at.Truncate(time.Millisecond)) && at.After(m.within.Start)
	})
	if i < 0 {
		return
	}
	row := strings.Clone(page.Rows[i])
	at, _ := m.timeOf(row)
	sends := func(start, end time.Time) (sent, ok bool) {
		page, refused := m.ask(m.over(start, end), 0, 1000)
		return slices.Contains(page.Rows, row), !refused
	}
	// Inside it must be sent: else the range is about another time than was thought.
	if sent, ok := sends(at.Add(-time.Second), at.Add(time.Second)); !ok || !sent {
		return
	}
	if sent, ok := sends(at, at.Add(time.Second)); ok {
		m.found.StartInclusive = answerOf(sent)
	}
	if sent, ok := sends(at.Add(-time.Second), at); ok {
		m.found.EndInclusive = answerOf(sent)
	}
}

// timezone asks for the same range in timezones that are 11 hours and more apart.
func (m *measuring) timezone() {
	q := m.over(m.within.Start, m.within.End)
	var sent [2]int
	var first [2]time.Time
	for i, zone := range []string{"UTC", "Pacific/Noumea"} {
		q.Timezone = zone
		page, refused := m.ask(q, 0, 1000)
		if refused || len(page.Rows) == 0 {
			if i == 1 && !refused {
				m.found.TimezoneMoves = Yes
			}
			return
		}
		sent[i] = len(page.Rows)
		for _, row := range page.Rows {
			if at, ok := m.timeOf(row); ok && (first[i].IsZero() || at.Before(first[i])) {
				first[i] = at
			}
		}
	}
	m.found.TimezoneMoves = answerOf(sent[0] != sent[1] || !first[0].Equal(first[1]))
}

// timeRange sends a timeRange that the range has nothing in common with.
func (m *measuring) timeRange() {
	q := m.over(m.within.Start, m.within.End)
	q.TimeRange = "PAST_HOUR"
	page, refused := m.ask(q, 0, 200)
	if refused {
		return
	}
	m.found.TimesWin = No
	if len(page.Rows) > 0 && !slices.ContainsFunc(page.Rows, func(row string) bool {
		at, ok := m.timeOf(row)
		return ok && !m.within.Contains(at) && !at.Equal(m.within.End)
	}) {
		m.found.TimesWin = Yes
	}
}

func (m *measuring) depths() {
	longest := min(m.found.LongestRange, 31*day)
	q := m.over(m.within.End.Add(-longest), m.within.End)
	for _, skip := range []int{0, 1000, 5000, 20_000, 50_000} {
		page, refused := m.ask(q, skip, 1)
		if m.err != nil || !refused && len(page.Rows) == 0 {
			return // there are no rows that deep
		}
		m.found.Depths = append(m.found.Depths, Depth{Skip: skip, Took: page.Took, Refused: refused})
		if refused {
			return
		}
	}
}
