package sink

import (
	"fmt"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/window"
)

// Measurement asks for what an expression makes of the rows of stretches of time, of each by itself. Rows that are marked
// as deleted do not count.
type Measurement struct {
	Table schema.Table // with a time field
	// Expression is an aggregate over the columns of the table that makes a number, in the warehouse's SQL. It comes from
	// the config.
	Expression string
	Within     []Stretch
	// Timeout bounds each stretch; zero: 10 s.
	Timeout time.Duration
}

// MeasureTimeout is how long an expression may take for a stretch, unless a Measurement says otherwise.
const MeasureTimeout = 10 * time.Second

// ExpressionError says that the warehouse cannot make a number of an expression. Nothing was changed.
type ExpressionError struct {
	Reason string // what the warehouse says of it
	Err    error  // the warehouse's error; nil: there is none
}

func (e *ExpressionError) Error() string {
	return fmt.Sprintf("the expression cannot be evaluated: %s; mend sql in the config", e.Reason)
}

func (e *ExpressionError) Unwrap() error { return e.Err }

// Agreement says how two numbers of a window compare.
type Agreement string

// The ways in which numbers compare.
const (
	Agrees  Agreement = "agrees"
	Differs Agreement = "differs" // further apart than is allowed: both are to be read again
	Stands  Agreement = "stands"  // further apart still, after both were read again
)

// Reconciled is a window of an insight that was compared. Numbers are plain decimals.
type Reconciled struct {
	Window        window.Window
	Warehouse     string // what the warehouse has
	API           string // what the API says
	Difference    string // Warehouse minus API
	Share         float64
	State         Agreement
	CheckedAt     time.Time
	ReadAt        time.Time // when the oldest of the readings began that Warehouse is of
	InsightReadAt time.Time // when the reading began that API is of
	Rereads       int       // times that it was made due since it differs; kept when it agrees again
	MarkedAt      time.Time // when that was last; zero: never
	AgainAt       time.Time // when it is to be next; zero: no more
	Definition    string    // hash of what it was compared by
}

// ReconciledRequest asks for what was compared of a dataset with an insight, in order of time: the windows that overlap
// Within; or, with AgainBy, those whose AgainAt is not after it, at most Limit, those that were read again before
// first, then the longest waiting.
type ReconciledRequest struct {
	Dataset string
	Insight string // the dataset itself, where it is compared with previous values
	Within  window.Window
	AgainBy time.Time
	Limit   int
}

// Rereads is what reading again has come to, of one definition.
type Rereads struct {
	Helped   int // windows that agree since
	Unproven int // windows that do not, or not yet
}

// Drift is how a dataset and an insight compare as a whole.
type Drift struct {
	Dataset   string
	Insight   string     // the dataset itself, where it is compared with previous values
	Through   time.Time  // end of the latest window that was compared
	Differing int64      // windows that differ, those that stand included
	Standing  int64      // windows that differ after both were read again
	Earliest  Reconciled // of those that stand, or else of those that differ; the zero Reconciled: none does
}

// AlarmDrift is the alarm that a report and an insight do not agree, though both were read again.
func AlarmDrift(insight string) Alarm { return Alarm("drift:" + insight) }
