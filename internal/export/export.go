package export

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

// Source is what an export needs of the API. Rows blocks until all rows of the query were taken, an error or
// the end of ctx. Asking again is safe.
//
// Errors: *source.TooManyRowsError, *source.TornError, *source.Error, what the Taker returned, or the cause of ctx.
type Source interface {
	Rows(ctx context.Context, q source.Query, to source.Taker) (source.Reading, error)
}

// Ledger says what is due. See package sink for the meaning of due, lease and epoch.
type Ledger interface {
	// Prepare makes the report table what the mapping wants. Errors: *schema.NarrowingError, sink.ErrBeingPrepared.
	Prepare(ctx context.Context, d sink.Dataset) (sink.Prepared, error)
	// Plan enters the windows that within lacks, as cut makes them of a gap, and says how many; cut may be called again.
	Plan(ctx context.Context, dataset string, within window.Window, now time.Time, cut func(window.Window) []window.Window) (int, error)
	// Claim leases the next span; ok is false when nothing is due. Errors: sink.ErrSuperseded.
	Claim(ctx context.Context, r sink.ClaimRequest) (l sink.Lease, ok bool, err error)
}

// Leases keeps and ends a replica's right to work on a span, and says how long others have it. Errors of Renew, Fail and
// Release: sink.ErrLeaseLost.
type Leases interface {
	Renew(ctx context.Context, l sink.Lease) error
	Fail(ctx context.Context, l sink.Lease, f sink.Failure) error
	Release(ctx context.Context, l sink.Lease) error
	Held(ctx context.Context, dataset string, now, edge time.Time) (left time.Duration, ok bool, err error)
}

// Committer writes a span's rows, rejects, marks and ledger rows in one transaction, or nothing of it.
type Committer interface {
	// Commit may be asked again for the same batch. Errors: sink.ErrLeaseLost, *sink.OvertakenError, *sink.UnpreparedError, or
	// *sink.UnavailableError: then it may have been committed, and is to be committed again.
	Commit(ctx context.Context, b sink.Batch) (sink.Counts, error)
	// CommitsAtOnce reports whether several commits to a table go on at once.
	CommitsAtOnce(t schema.Table) bool
	// Standing says beforehand which rows a commit would mark as deleted. Errors: *sink.UnpreparedError.
	Standing(ctx context.Context, t schema.Table, within sink.Stretch, present []sink.Row) (sink.Standing, error)
}

// Runs keeps a record of each pass.
type Runs interface {
	BeginRun(ctx context.Context, r sink.Run) (sink.RunID, error)
	EndRun(ctx context.Context, r sink.Run) error
	Status(ctx context.Context, now time.Time) ([]sink.DatasetStatus, error)
}

// Backfills marks ranges as due again and says how far a backfill is.
type Backfills interface {
	BeginBackfill(ctx context.Context, r sink.BackfillRequest) (run sink.Run, goesOn bool, err error)
	Remaining(ctx context.Context, run sink.Run) (sink.Remaining, error)
}

// Knowledge keeps what is known of a dataset's source beside its windows.
type Knowledge interface {
	Condition(ctx context.Context, dataset string) (sink.Condition, error)
	KeepTrouble(ctx context.Context, dataset string, t sink.Trouble) error
	KeepLimit(ctx context.Context, dataset string, kind sink.LimitKind, l sink.Limit) error
}

// Warehouse is all that an export asks of a warehouse. Each method blocks until it is done, or fails with what it names, with
// *sink.UnavailableError (it may succeed later, and may have been done), with the cause of ctx, or with what does not pass by
// itself. Errors say what it was doing.
type Warehouse interface {
	Ledger
	Leases
	Committer
	Runs
	Backfills
	Quarantine
	Promoter
	Verifier
	Knowledge
	Reconciler
	Retirer
}

// Mapper turns the JSON of a row into a typed row. Errors: *schema.RejectError for a row that does not fit,
// *schema.UnmappedError where unknown ids are not allowed.
type Mapper interface {
	Table() schema.Table
	Form() schema.Form
	Map(raw string) (schema.Row, error)
	// MapInto is Map for rows that are kept together.
	MapInto(to *schema.Chunk, raw string) (schema.Row, error)
	// TimeOf is the value of the time field of a row that may not fit as a whole, KeyOf its key.
	TimeOf(raw string) (v schema.Value, ok bool)
	KeyOf(raw string) (key schema.Row, ok bool)
	// Promote moves the values of columns that the mapping names by now from a row's Extra to them. Those that do not fit
	// stay.
	Promote(row schema.Row, columns []string) (promoted schema.Row, changed bool, misfits []*schema.RejectError)
}

// Exporter keeps one dataset. At most one pass of it runs at a time; any number of exporters, in any number
// of processes, may keep the same dataset.
type Exporter struct {
	Dataset   Dataset
	Source    Source
	Warehouse Warehouse
	Logger    *slog.Logger
	// Dashboards reads what a dashboard says of itself; only for such a dataset.
	Dashboards Describer
	// Clock says what is due. Leases go by the database's clock.
	Clock func() time.Time
	// Owner names this process in leases; it must be unique.
	Owner string
	// LeaseTTL is how long a lease outlives its last renewal, and so how long the windows of a killed
	// process stay unread.
	LeaseTTL time.Duration
	// Lanes are what all datasets of the process share, beside the one lane that each has; nil: nothing.
	Lanes *Lanes
	// Observe, when set, is told of every step, from the goroutine that takes it: of one at a time.
	Observe func(Event)
	// Reconciles are what binds the dataset to insights, or to reports.
	Reconciles []Reconciliation
	// OnReconciled, when set, is told what passes found that compared windows.
	OnReconciled func(ReconcileEvent)

	observing sync.Mutex
	lasting   lasting
}

// lasting is what a process knows of the dataset from pass to pass.
type lasting struct {
	// The goroutine of the pass alone touches these.
	promotion     promotion
	deletedBefore time.Time // rows from before it are deleted; zero: not known

	// Lanes touch these. Each guards itself.
	prepared    atomic.Bool
	reconciling reconciling
	server      server
	limits      limits
	overtaken   overtaken
	toldLate    atomic.Bool // that rows arrive when their window is read no more
}

// Step is a numbered step of a span. A crash between any two of them loses nothing.
type Step int

// The steps of a span, in order.
const (
	StepClaimed    Step = iota + 1 // the span is leased
	StepRead                       // its rows, or those of a part of it, are in memory
	StepMapped                     // they are typed
	StepCommitting                 // the transaction is about to begin
	StepCommitted                  // the transaction is durable
	StepSettled                    // nothing of the lease is left
)

// Event is a step that was taken.
type Event struct {
	Dataset  string
	Step     Step
	Span     window.Window // what the step is about: the lease's span, or the part of it
	Windows  int           // windows done by the step
	Rows     int           // rows read by it
	Requests int
	Rejected int
	Replaced int         // NUL characters that became U+FFFD
	Spent    sink.Spent  // by it, and by the steps before that it goes with
	Counts   sink.Counts // of a commit
}

// Summary is what a pass did.
type Summary struct {
	Dataset  string
	Took     time.Duration
	Spans    int
	Windows  int
	Requests int
	RowsRead int
	Rejected int
	Replaced int // NUL characters that became U+FFFD
	Counts   sink.Counts
	// Spent is where the time went, of what was committed. Much is done at once: the sum may be more than Took.
	Spent sink.Spent
	// Failed are the spans that were not read, or not stably, with why.
	Failed []SpanError
	// Held is what a scheduled pass that came to its end could not claim.
	Held Held
	// Stopped is set when the pass was asked to stop before all was done.
	Stopped bool
}

// Held are windows that were due when a pass began, and that another process has leased, or had when it was killed. Zero: none.
type Held struct {
	Due  time.Time     // Pass.Due of a pass that reads them
	Left time.Duration // how much longer the first of the leases lasts, if it is not renewed
}

// SpanError says why a span is not read.
type SpanError struct {
	Span window.Window
	Err  error
}

func (e SpanError) Error() string { return spanText(e.Span) + ": " + e.Err.Error() }

func (e SpanError) Unwrap() error { return e.Err }

// FailedError says that a pass was made but some spans were not read. Its text leaves the dataset's name to the
// caller.
type FailedError struct {
	Dataset string
	Failed  []SpanError
}

func (e *FailedError) Error() string {
	switch {
	case len(e.Failed) == 1 && isSnapshot(e.Failed[0].Span):
		return "it was not read: " + e.Failed[0].Err.Error()
	case len(e.Failed) == 1:
		return fmt.Sprintf("a span was not read, %v", e.Failed[0])
	}
	return fmt.Sprintf("%d spans were not read, the first of them %v", len(e.Failed), e.Failed[0])
}

func (e *FailedError) Unwrap() error { return e.Failed[0] }

// Err is a *FailedError when spans of the pass were not read, else nil.
func (s Summary) Err() error {
	if len(s.Failed) == 0 {
		return nil
	}
	return &FailedError{Dataset: s.Dataset, Failed: s.Failed}
}

// now is the clock's time, no finer than a warehouse keeps.
func (e *Exporter) now() time.Time { return e.Clock().UTC().Truncate(time.Microsecond) }

func (e *Exporter) observe(event Event) {
	e.observing.Lock()
	defer e.observing.Unlock()
	if e.Observe != nil {
		event.Dataset = e.Dataset.Name
		e.Observe(event)
	}
}
