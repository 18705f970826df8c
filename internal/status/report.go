package status

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"samespace-exporter/internal/sink"
)

// Report is how the exporter is doing, in the form that is served as JSON.
type Report struct {
	Version  string    `json:"version"`
	At       time.Time `json:"at"`
	Datasets []Dataset `json:"datasets"`
}

// Dataset is how a dataset is doing. Times are UTC; absent ones are not known.
type Dataset struct {
	Name       string     `json:"name"`
	Kind       string     `json:"kind"`
	Table      string     `json:"table"`
	State      State      `json:"state"`
	Reason     string     `json:"reason,omitempty"`  // why it is not ok, or has nothing
	Since      *time.Time `json:"since,omitempty"`   // of the state
	Through    *time.Time `json:"through,omitempty"` // data before it is complete
	LagSeconds *float64   `json:"lag_seconds,omitempty"`
	ReadTo     *time.Time `json:"read_to,omitempty"` // what is new is there up to then; older data may be missing still
	Rows       int64      `json:"rows"`
	Windows    int64      `json:"windows"`
	Due        int64      `json:"due"`
	Running    int64      `json:"running"`
	Failing    int64      `json:"failing"`
	Error      string     `json:"error,omitempty"` // of the earliest failing window
	Rejects    int64      `json:"rejects"`
	LastRun    *Run       `json:"last_run,omitempty"`
	NextRun    *time.Time `json:"next_run,omitempty"`
	Limits     Limits     `json:"limits,omitzero"`
	Arrival    *Arrival   `json:"arrival,omitempty"` // nil: not known
	// ContractMeasuredAt is when exporter check --contract measured the API for the dataset; nil: never.
	ContractMeasuredAt *time.Time `json:"contract_measured_at,omitempty"`
	Retention          *Retention `json:"retention,omitempty"` // nil: no old rows were deleted

	Reconciled []Reconciled `json:"reconciled,omitempty"` // with insights, in order of their names
	Backfills  []Backfill   `json:"backfills,omitempty"`  // those that have windows left
}

// Bad reports whether somebody should look at the dataset.
func (d Dataset) Bad() bool {
	return d.State != OK && d.State != CatchingUp && d.State != NotConfigured
}

// Trouble is why a window fails, unless the reason says it, or nobody is to do anything about it; "": nothing.
func (d Dataset) Trouble() string {
	if d.Error == d.Reason || d.State == NotConfigured {
		return ""
	}
	return d.Error
}

// Limits is what the API was seen to refuse of a dataset, and is not asked for until then. Zero ones are not known.
type Limits struct {
	MaxSkip         int64      `json:"max_skip,omitempty"`
	MaxSkipUntil    *time.Time `json:"max_skip_until,omitempty"`
	MaxRangeSeconds int64      `json:"max_range_seconds,omitempty"`
	MaxRangeUntil   *time.Time `json:"max_range_until,omitempty"`
}

// Arrival says how long after their own time rows were made in the source, of those that were made this month and the one
// before. What is read while it is new shows no lag that is longer than the last re-read.
type Arrival struct {
	Rows           int64   `json:"rows"`
	P50Seconds     float64 `json:"p50_seconds"` // half of the rows took no longer; known to a quarter
	P99Seconds     float64 `json:"p99_seconds"`
	LargestSeconds float64 `json:"largest_seconds"`
	// LateRows are those, at least, that came when their window was read no more, RereadSeconds the re-read that would
	// have caught them. Zero where none did, or the last re-read is not known.
	LateRows      int64   `json:"late_rows,omitempty"`
	RereadSeconds float64 `json:"reread_seconds,omitempty"`
	Warning       string  `json:"warning,omitempty"` // of late rows
}

// Retention is the last deletion of old rows.
type Retention struct {
	Before time.Time `json:"before"` // rows from before it were deleted
	Rows   int64     `json:"rows"`
	At     time.Time `json:"at"`
}

// What a run without an end is. The ledger has no outcome of it.
const (
	running = "running"
	died    = "died" // what it had leased has run out: it was killed, or is cut off from the warehouse
)

// Run is the last pass of a dataset.
type Run struct {
	Kind      string     `json:"kind"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Outcome   string     `json:"outcome"` // "running" until it ends, or "died"
	Windows   int64      `json:"windows"`
	RowsRead  int64      `json:"rows_read"`
	Written   int64      `json:"rows_written"`
	Unchanged int64      `json:"rows_unchanged"`
	Rejected  int64      `json:"rows_rejected"`
	Deleted   int64      `json:"rows_deleted"` // marked as deleted
}

// Read asks the warehouse how every dataset is doing.
func Read(ctx context.Context, o Options) (Report, error) {
	now := o.Clock()
	all, err := o.Warehouse.Status(ctx, now)
	if err != nil {
		return Report{}, err
	}
	drifts, err := o.Warehouse.Drifts(ctx)
	if err != nil {
		return Report{}, err
	}
	unfinished, err := o.Warehouse.Unfinished(ctx, now)
	if err != nil {
		return Report{}, err
	}
	report := Report{Version: o.Version, At: now.UTC(), Datasets: make([]Dataset, 0, len(all))}
	for _, d := range all {
		shown := Dataset{
			Name: d.Name, Kind: string(d.Kind), Table: d.Table, Through: known(d.Through), ReadTo: known(d.ReadTo), Rows: d.Rows, Windows: d.Windows,
			Due: d.Due, Running: d.Running, Failing: d.Failed, Error: d.Error, Rejects: d.Rejects,
		}
		var since time.Time
		shown.State, shown.Reason, since = o.stateOf(d)
		shown.Since = known(since)
		if r := d.Retained; !r.Before.IsZero() {
			shown.Retention = &Retention{Before: r.Before, Rows: r.Rows, At: r.At}
		}
		shown.ContractMeasuredAt = known(d.MeasuredAt)
		shown.Arrival = o.arrivalOf(d)
		shown.Limits = limitsOf(d.Condition, now)
		shown.Reconciled = reconciledOf(drifts, d.Name)
		shown.Backfills = backfillsOf(unfinished, d.Name)
		if shown.Through != nil {
			lag := now.Sub(d.Through).Seconds()
			shown.LagSeconds = &lag
		}
		shown.LastRun = lastRunOf(d)
		if o.Next != nil {
			shown.NextRun = known(o.Next(d))
		}
		report.Datasets = append(report.Datasets, shown)
	}
	return report, nil
}

// lastRunOf is the run that began last; nil: there was none. Of one that has no end its leases tell whether its process is
// alive: it renews them while it reads. Between two spans it has none, so that no lease is no sign.
func lastRunOf(d sink.DatasetStatus) *Run {
	r := d.LastRun
	if r.ID == 0 {
		return nil
	}
	shown := &Run{
		Kind: string(r.Kind), StartedAt: r.StartedAt.UTC(), EndedAt: known(r.EndedAt), Outcome: r.Outcome, Windows: r.Windows,
		RowsRead: r.RowsRead, Written: r.Written, Unchanged: r.Unchanged, Rejected: r.Rejected, Deleted: r.Deleted,
	}
	switch {
	case !r.EndedAt.IsZero():
	case d.Running == 0 && d.Lapsed > 0:
		shown.Outcome = died
	default:
		shown.Outcome = running
	}
	return shown
}

// Remark says of a run what its outcome leaves open; "": nothing.
func (r *Run) Remark() string {
	if r == nil || r.Outcome != died {
		return ""
	}
	return "the last run ended without a word: its process was killed, or is cut off from the warehouse. " +
		"Nothing is lost: what it was reading is due again, and the next run reads it"
}

func (o Options) arrivalOf(d sink.DatasetStatus) *Arrival {
	rows := d.Lags.Total()
	if rows == 0 {
		return nil
	}
	a := &Arrival{
		Rows: rows, P50Seconds: d.Lags.Quantile(0.5).Seconds(), P99Seconds: d.Lags.Quantile(0.99).Seconds(), LargestSeconds: d.Lags.Largest.Seconds(),
	}
	if o.LastReread == nil {
		return a
	}
	if last := o.LastReread(d.Name); last > 0 && d.Lags.Later(last) > 0 {
		reread := sink.Catching(d.Lags.Largest)
		a.LateRows, a.RereadSeconds = d.Lags.Later(last), reread.Seconds()
		a.Warning = LateText(d.Lags, last)
	}
	return a
}

// LateText says of rows that arrive later than the last re-read what to do about them.
func LateText(l sink.Lags, last time.Duration) string {
	return fmt.Sprintf("rows arrive up to %s after their time, and windows are read for the last time after %s: add %s to window.reread, and read the past again by a backfill",
		Span(l.Largest), Span(last), Span(sink.Catching(l.Largest)))
}

// Span is a length of time as the config has it, in its two largest units.
func Span(d time.Duration) string {
	text, parts := "", 0
	for _, u := range []struct {
		name string
		size time.Duration
	}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		n := d / u.size
		if n == 0 && parts == 0 {
			continue
		}
		if parts++; n > 0 {
			text += strconv.Itoa(int(n)) + u.name
		}
		if d -= n * u.size; parts == 2 {
			break
		}
	}
	if text == "" {
		return "0s"
	}
	return text
}

// known is the time in UTC, or nil for the zero time.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func limitsOf(s sink.Condition, now time.Time) (l Limits) {
	if s.Skip.Holds(now) {
		l.MaxSkip, l.MaxSkipUntil = s.Skip.Works, known(s.Skip.Until)
	}
	if s.Range.Holds(now) {
		l.MaxRangeSeconds, l.MaxRangeUntil = s.Range.Works, known(s.Range.Until)
	}
	return l
}
