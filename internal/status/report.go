package status

import (
	"context"
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
	Reason     string     `json:"reason,omitempty"`  // why it is not ok
	Since      *time.Time `json:"since,omitempty"`   // of the state
	Through    *time.Time `json:"through,omitempty"` // data before it is complete
	LagSeconds *float64   `json:"lag_seconds,omitempty"`
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

	Reconciled []Reconciled `json:"reconciled,omitempty"` // with insights, in order of their names
}

// Bad reports whether somebody should look at the dataset.
func (d Dataset) Bad() bool { return d.State != OK && d.State != CatchingUp }

// Limits is what the API was seen to refuse of a dataset, and is not asked for until then. Zero ones are not known.
type Limits struct {
	MaxSkip         int64      `json:"max_skip,omitempty"`
	MaxSkipUntil    *time.Time `json:"max_skip_until,omitempty"`
	MaxRangeSeconds int64      `json:"max_range_seconds,omitempty"`
	MaxRangeUntil   *time.Time `json:"max_range_until,omitempty"`
}

// Run is the last pass of a dataset.
type Run struct {
	Kind      string     `json:"kind"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at,omitempty"`
	Outcome   string     `json:"outcome"` // "running" until it ends
	Windows   int64      `json:"windows"`
	RowsRead  int64      `json:"rows_read"`
	Written   int64      `json:"rows_written"`
	Unchanged int64      `json:"rows_unchanged"`
	Rejected  int64      `json:"rows_rejected"`
	Deleted   int64      `json:"rows_deleted"` // marked as deleted
}

// Read asks the warehouse how every dataset is doing. next and here, unless nil, are as in Options.
func Read(ctx context.Context, w Warehouse, now time.Time, version string, next func(string) time.Time,
	here func(string) (State, string),
) (Report, error) {
	all, err := w.Status(ctx, now)
	if err != nil {
		return Report{}, err
	}
	drifts, err := w.Drifts(ctx)
	if err != nil {
		return Report{}, err
	}
	report := Report{Version: version, At: now.UTC(), Datasets: make([]Dataset, 0, len(all))}
	for _, d := range all {
		shown := Dataset{
			Name: d.Name, Kind: string(d.Kind), Table: d.Table, Through: known(d.Through), Rows: d.Rows, Windows: d.Windows,
			Due: d.Due, Running: d.Running, Failing: d.Failed, Error: d.Error, Rejects: d.Rejects,
		}
		var local State
		var why string
		if here != nil {
			local, why = here(d.Name)
		}
		var since time.Time
		shown.State, shown.Reason, since = stateOf(d, local, why)
		shown.Since = known(since)
		shown.Limits = limitsOf(d.Condition, now)
		shown.Reconciled = reconciledOf(drifts, d.Name)
		if shown.Through != nil {
			lag := now.Sub(d.Through).Seconds()
			shown.LagSeconds = &lag
		}
		if r := d.LastRun; r.ID != 0 {
			shown.LastRun = &Run{
				Kind: string(r.Kind), StartedAt: r.StartedAt.UTC(), EndedAt: known(r.EndedAt), Outcome: r.Outcome, Windows: r.Windows,
				RowsRead: r.RowsRead, Written: r.Written, Unchanged: r.Unchanged, Rejected: r.Rejected, Deleted: r.Deleted,
			}
			if r.EndedAt.IsZero() {
				shown.LastRun.Outcome = "running"
			}
		}
		if next != nil {
			shown.NextRun = known(next(d.Name))
		}
		report.Datasets = append(report.Datasets, shown)
	}
	return report, nil
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
