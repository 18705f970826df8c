package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"samespace-exporter/internal/sink"
)

// Reject is a row of the quarantine, for whoever looks.
type Reject struct {
	Dataset     string    `json:"dataset"`
	WindowStart time.Time `json:"window_start"` // the row lies at or after it
	WindowEnd   time.Time `json:"window_end"`   // and before this
	Field       string    `json:"field"`
	Reason      string    `json:"reason"`
	FirstSeen   time.Time `json:"first_seen"`
	LastSeen    time.Time `json:"last_seen"`
	Attempts    int       `json:"attempts"`
	Raw         string    `json:"raw,omitempty"` // as the API sent it; only when it was asked for, since it may hold private values
}

// rejectsPage is how many rejects are read at a time.
const rejectsPage = 500

// Rejects calls tell for each reject of the named datasets (none: all), those seen last first, at most limit of each
// (0: all). Of a warehouse that was never exported to, there are none. more is set when there are more than limit.
func (a *App) Rejects(ctx context.Context, names []string, limit int, raw bool, tell func(Reject)) (more bool, err error) {
	chosen, err := a.choose(names)
	if err != nil {
		return false, err
	}
	for _, e := range chosen {
		rest, err := a.rejectsOf(ctx, e.Dataset.Name, limit, func(q sink.Quarantined) {
			r := Reject{
				Dataset: e.Dataset.Name, WindowStart: q.WindowStart, WindowEnd: q.WindowEnd, Field: q.Field, Reason: q.Reason,
				FirstSeen: q.FirstSeen, LastSeen: q.LastSeen, Attempts: q.Attempts,
			}
			if raw {
				r.Raw = q.Raw
			}
			tell(r)
		})
		if errors.Is(err, sink.ErrNotMigrated) {
			return false, nil
		}
		if err != nil {
			return more, err
		}
		more = more || rest
	}
	return more, nil
}

func (a *App) rejectsOf(ctx context.Context, dataset string, limit int, tell func(sink.Quarantined)) (more bool, err error) {
	request := sink.RejectsRequest{Dataset: dataset, Limit: rejectsPage}
	for told := 0; ; {
		page, err := a.warehouse.Rejects(ctx, request)
		if err != nil || len(page) == 0 {
			return false, err
		}
		for i := range page {
			if limit > 0 && told == limit {
				return true, nil
			}
			tell(page[i])
			told++
		}
		request.Behind = &page[len(page)-1]
	}
}

// MisfitsError says that rejects were mapped again and still do not fit.
type MisfitsError struct{ Left int64 }

func (e *MisfitsError) Error() string {
	return fmt.Sprintf("%d rejects still do not fit: exporter rejects list says why; mend the fields in the config, then retry", e.Left)
}

// Retried is what became of the rejects of a dataset that were mapped again.
type Retried struct {
	Dataset string `json:"dataset"`
	// Inserted and Updated rows are written; of Unchanged ones the table had this version already.
	Inserted  int64 `json:"inserted"`
	Updated   int64 `json:"updated"`
	Unchanged int64 `json:"unchanged"`
	// Outdated rejects went since the table has a later version of their row.
	Outdated int64 `json:"outdated"`
	Left     int64 `json:"left"` // still do not fit
}

// RetryRejects maps the rejects of the named datasets (none: all) again, without asking the API. What became of them is
// in the order of the config. The error is a *MisfitsError when some still do not fit, or says why a retry could not go
// on, or is ErrInterrupted.
func (a *App) RetryRejects(ctx context.Context, names []string) ([]Retried, error) {
	chosen, err := a.choose(names)
	if err != nil {
		return nil, err
	}
	if err := a.Migrate(ctx); err != nil {
		return nil, err
	}
	hard, cancel := a.drain(ctx)
	defer cancel()
	var all []Retried
	var left int64
	errs := make([]error, len(chosen))
	for i, e := range chosen {
		var r sink.Retried
		r, errs[i] = e.RetryRejects(hard, ctx.Done())
		all = append(all, Retried{
			Dataset: e.Dataset.Name, Inserted: r.Inserted, Updated: r.Updated, Unchanged: r.Unchanged + r.Duplicate,
			Outdated: r.Outdated, Left: r.Left,
		})
		left += r.Left
	}
	switch err := together(chosen, errs); {
	case err != nil:
		return all, err
	case ctx.Err() != nil:
		return all, ErrInterrupted
	case left > 0:
		return all, &MisfitsError{Left: left}
	}
	return all, nil
}
