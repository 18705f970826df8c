package sink

import "time"

// Problem is what keeps a dataset from being read, beside the failures of single windows.
type Problem string

// The problems of a dataset; "": none.
const (
	ProblemKey         Problem = "key refused"        // the API refuses the key, for this dataset or for all
	ProblemUnreachable Problem = "source unreachable" // there is no way to the API
	ProblemFailing     Problem = "failing"            // the last pass could not go on, or read nothing but failures
)

// Trouble is a problem and since when there is one. The zero Trouble is none.
type Trouble struct {
	Problem Problem
	Reason  string    // the error that says so; free of secrets
	Since   time.Time // by the exporter's clock
}

// Limit is something of which the API was seen to refuse more. The zero Limit is none.
type Limit struct {
	Works   int64     // the most that is to be asked for
	Refused int64     // the least that was refused; more than Works
	Met     int       // times that it was met, each after the one before had run out
	Until   time.Time // then more is to be tried again; by the exporter's clock
}

// LongestLimit is how long a limit may be kept. One that is to be kept longer was met by a clock that was ahead.
const LongestLimit = 32 * 24 * time.Hour

// Holds reports whether the limit is to be kept at a time.
func (l Limit) Holds(now time.Time) bool {
	return l.Met > 0 && now.Before(l.Until) && l.Until.Sub(now) <= LongestLimit+ClockDrift
}

// LimitKind says what a Limit counts.
type LimitKind string

// The kinds of limit.
const (
	LimitSkip  LimitKind = "skip"  // rows that a page may lie behind
	LimitRange LimitKind = "range" // seconds that a request may span
)

// Condition is what is known of a dataset beside its windows.
type Condition struct {
	Trouble
	Skip  Limit // see LimitSkip
	Range Limit // see LimitRange
	Contract
}

// Contract is how the API was measured to answer for a dataset. The zero Contract is none.
type Contract struct {
	MeasuredAt time.Time // by the exporter's clock
	Terms      string    // what was found, as JSON
}

// Slots is a line of times at which requests to an endpoint may be sent by all who share it, each of which takes the
// next ones. The zero Slots are those that nobody has taken of yet.
type Slots struct {
	Next    time.Time // nobody has taken a slot at or after it; to the microsecond
	Rate    float64   // the part of the full rate at which slots follow each other; zero: 1
	Lowered int64     // times that the rate was lowered
}
