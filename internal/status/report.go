package status

import (
	"context"
	"time"
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

// Read asks the warehouse how every dataset is doing.
func Read(ctx context.Context, w Warehouse, now time.Time, version string, next func(string) time.Time) (Report, error) {
	all, err := w.Status(ctx, now)
	if err != nil {
		return Report{}, err
	}
	report := Report{Version: version, At: now.UTC(), Datasets: make([]Dataset, 0, len(all))}
	for _, d := range all {
		shown := Dataset{
			Name: d.Name, Kind: string(d.Kind), Table: d.Table, Through: known(d.Through), Rows: d.Rows, Windows: d.Windows,
			Due: d.Due, Running: d.Running, Failing: d.Failed, Error: d.Error, Rejects: d.Rejects,
		}
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
