package status

import (
	"fmt"
	"time"

	"samespace-exporter/internal/sink"
)

// State says in a word how a dataset is.
type State string

// The states of a dataset, the worst first.
const (
	Superseded  State = "superseded"         // another process keeps it by another config: this one does nothing for it
	KeyRefused  State = "key refused"        // the API refuses the key: it is asked again now and then only
	Unreachable State = "source unreachable" // there is no way to the API
	Failing     State = "failing"            // the last pass could not go on, or windows cannot be read or held still
	CatchingUp  State = "catching up"        // windows that have ended are still to be read
	OK          State = "ok"
	// NotConfigured is a dataset that the ledger knows from before, or from another config: nobody is to look at it, and no
	// metric is about it.
	NotConfigured State = "not in config"
)

// states are those that a dataset of the config can be in.
func states() []State { return []State{Superseded, KeyRefused, Unreachable, Failing, CatchingUp, OK} }

// stateOf is a dataset's state, why, and since when, as far as that is known. What only this process knows goes first.
func (o Options) stateOf(d sink.DatasetStatus) (State, string, time.Time) {
	if !o.configured(d.Name) {
		return NotConfigured, "this config does not name it, so nothing of it is read; its table stays (the README says how to retire a dataset)", time.Time{}
	}
	var here State
	var why string
	if o.Here != nil {
		here, why = o.Here(d.Name)
	}
	switch {
	case here == Superseded:
		return here, why, time.Time{}
	case d.Problem == sink.ProblemKey, here == KeyRefused:
		if d.Problem == sink.ProblemKey {
			return KeyRefused, d.Reason, d.Since
		}
		return KeyRefused, why, time.Time{}
	case d.Problem == sink.ProblemUnreachable:
		return Unreachable, d.Reason, d.Since
	case d.Problem == sink.ProblemFailing:
		return Failing, d.Reason, d.Since
	case d.Failed > 0:
		return Failing, d.Error, time.Time{}
	case d.Windows == 0 && o.begins(d.Name).After(o.Clock()):
		return OK, "it begins at " + o.begins(d.Name).UTC().Format(time.DateTime) + " UTC, which is to come: since says so", time.Time{}
	case d.Behind > 1 || d.Windows == 0: // the last one that has ended may wait for its tick
		return CatchingUp, leftOf(d), time.Time{}
	}
	return OK, o.gapOf(d), time.Time{}
}

// gapOf says why a dataset that has nothing to catch up with is not complete: a backfill read what is before since, but not up to it.
// "": it is complete.
func (o Options) gapOf(d sink.DatasetStatus) string {
	since := o.begins(d.Name)
	if d.Through.IsZero() || !d.Through.Before(since) || !d.ReadTo.After(since) {
		return ""
	}
	return fmt.Sprintf("what is between %s and since (%s UTC) was never read: run --backfill of it, or set since to an earlier time",
		d.Through.UTC().Format(time.DateTime), since.UTC().Format(time.DateTime))
}

func (o Options) begins(dataset string) time.Time {
	if o.Begins == nil {
		return time.Time{}
	}
	return o.Begins(dataset)
}

// leftOf says how much a dataset has to catch up with, and that what is new does not wait for it.
func leftOf(d sink.DatasetStatus) string {
	if d.Windows == 0 {
		return ""
	}
	left := fmt.Sprintf("%d of %d windows are still to be read", d.Behind, d.Windows)
	if !d.ReadTo.IsZero() {
		left += "; what is new is read up to " + d.ReadTo.UTC().Format(time.DateTime) + " UTC"
	}
	return left
}
