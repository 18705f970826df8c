package export

import (
	"context"
	"errors"
	"fmt"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
)

// tellTrouble keeps in the warehouse why the pass could not go on, or that nothing is in the way any more: the status is
// told by other processes too. It is written when it changes only.
func (p *passage) tellTrouble(ctx context.Context, err error) error {
	trouble, known := p.troubleOf(err)
	if err == nil && p.idle() && p.trouble.Problem == sink.ProblemFailing {
		if known, err = p.noWindowFails(ctx); err != nil {
			return err
		}
	}
	if !known || trouble.Problem == p.trouble.Problem && trouble.Reason == p.trouble.Reason {
		return nil
	}
	return p.Warehouse.KeepTrouble(ctx, p.Dataset.Name, trouble)
}

// troubleOf is what a pass says of its dataset. known is false when it says nothing: it was stopped, had nothing to do,
// could not ask the warehouse, or the dataset is another process's now.
func (p *passage) troubleOf(err error) (t sink.Trouble, known bool) {
	var unavailable *sink.UnavailableError
	var olderForm *sink.OlderFormError // a mistake of who asks for a backfill
	var request *source.Error
	switch {
	case err == nil:
		return sink.Trouble{}, p.totals.summary.Spans > 0
	case p.totals.summary.Stopped, errors.As(err, &unavailable), errors.Is(err, sink.ErrSuperseded), errors.Is(err, sink.ErrLeaseLost), errors.As(err, &olderForm):
		return sink.Trouble{}, false
	}
	t = sink.Trouble{Problem: sink.ProblemFailing, Reason: err.Error(), Since: p.began}
	if errors.As(err, &request) {
		switch request.Class {
		case source.Unauthorized:
			t.Problem = sink.ProblemKey
		case source.Unreachable:
			t.Problem = sink.ProblemUnreachable
		}
	}
	return t, true
}

// idle reports whether a pass that came to its end found nothing due. It did not ask the API: it can tell only that nothing else
// is in the way any more.
func (p *passage) idle() bool {
	return !p.totals.summary.Stopped && p.totals.summary.Spans == 0 && len(p.totals.summary.Failed) == 0
}

// noWindowFails reports whether no window waits to be read again after it failed, which may be what the trouble is about.
func (p *passage) noWindowFails(ctx context.Context) (bool, error) {
	all, err := p.Warehouse.Status(ctx, p.dueAt)
	if err != nil {
		return false, fmt.Errorf("see whether windows fail: %w", err)
	}
	of := sink.StatusOf(all, p.Dataset.Name)
	return of == nil || of.Failed == 0, nil
}
