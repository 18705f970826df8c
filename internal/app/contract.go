package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
)

// Measured is how the API was measured to answer for a report, and what has changed since it was measured before.
type Measured struct {
	source.Contract
	At time.Time `json:"measured_at"`
	// Kept is false where the exporter's own tables are not there yet: then nobody will heed it.
	Kept    bool            `json:"kept"`
	Before  *time.Time      `json:"measured_before,omitempty"` // nil: never
	Changed []source.Change `json:"changed"`
}

// Measure asks the API what its documentation leaves open, for each report whose rows say when they were: some twenty
// requests a report. It keeps what it finds in the warehouse, in the place of what was measured before, for the passes to
// heed; what cannot be told this time stays as it was. What was found is told one by one; the error joins why reports could
// not be measured.
func (a *App) Measure(ctx context.Context, tell func(Finding)) error {
	var wrong []error
	for _, e := range a.exporters {
		if !measurable(e.Dataset) {
			continue
		}
		f := Finding{Subject: "contract of " + e.Dataset.Name, OK: true}
		measured, err := a.measure(ctx, e.Dataset)
		f.Text, f.Contract = measured.describe(), &measured
		if err != nil {
			f.OK, f.Text, f.Err, f.Contract = false, err.Error(), err, nil
			wrong = append(wrong, fmt.Errorf("%s: %w", f.Subject, err))
		}
		tell(f)
		if failsAll(err) {
			break
		}
	}
	return errors.Join(wrong...)
}

// measure measures a report's contract, and keeps it.
func (a *App) measure(ctx context.Context, d export.Dataset) (Measured, error) {
	now := a.Clock.Now().UTC().Truncate(time.Second)
	found, err := a.probe.Measure(ctx, d.Query, now, func(row string) (time.Time, bool) {
		v, ok := d.Mapper.TimeOf(row)
		return v.Time(), ok
	})
	if err != nil {
		return Measured{}, err
	}
	var m Measured
	err = a.warehouse.KeepContract(ctx, d.Name, func(before sink.Contract) (sink.Contract, error) {
		m = Measured{Contract: found, At: now, Kept: true, Changed: []source.Change{}}
		var was source.Contract
		if json.Unmarshal([]byte(before.Terms), &was) == nil { // else there was none, or nobody can read it
			m.Before, m.Changed = &before.MeasuredAt, append(m.Changed, found.Changes(was)...)
			m.Contract = found.Or(was)
		}
		terms, err := json.Marshal(m.Contract)
		return sink.Contract{MeasuredAt: now, Terms: string(terms)}, err
	})
	if errors.Is(err, sink.ErrNotMigrated) {
		return Measured{Contract: found, At: now, Changed: []source.Change{}}, nil
	}
	return m, err
}

// measurable reports whether rows of a dataset can be told from those of another stretch of time.
func measurable(d export.Dataset) bool {
	table := d.Mapper.Table()
	at := table.ColumnIndex(table.TimeField)
	return d.Kind == sink.KindReport && !d.Snapshot && at >= 0 && table.Columns[at].Type == schema.Timestamptz
}

// describe is a contract in a few lines, and what has changed of it.
func (m Measured) describe() string {
	c, lines := m.Contract, []string(nil)
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	unless := func(a source.Answer) string {
		if a == "" {
			return "not known"
		}
		return string(a)
	}
	switch {
	case c.PageAsked == 0:
		say("largest page: not known, there are too few rows")
	case c.LargestPage == 0:
		say("largest page: at least %d rows", c.PageAsked)
	default:
		say("largest page: %d rows, where %d were asked for", c.LargestPage, c.PageAsked)
	}
	say("rows come in the order that is asked for: %s", unless(c.Sorted))
	if c.DefaultOrder != "" {
		say("without an order they come in: %s", c.DefaultOrder)
	}
	say("a row on the start of a range is sent: %s; one on its end: %s", unless(c.StartInclusive), unless(c.EndInclusive))
	say("another timezone moves the range: %s", unless(c.TimezoneMoves))
	say("startTime and endTime count beside a timeRange: %s", unless(c.TimesWin))
	if c.RefusedRange > 0 {
		say("ranges of %d days are refused, of %d days not", days(c.RefusedRange), days(c.LongestRange))
	} else {
		say("ranges of %d days are answered", days(c.LongestRange))
	}
	for _, d := range c.Depths {
		if d.Refused {
			say("behind %d rows: refused", d.Skip)
			continue
		}
		say("behind %d rows a page takes %s", d.Skip, d.Took.Round(time.Millisecond))
	}
	for _, change := range m.Changed {
		say("CHANGED %s: on %s it was %q, on %s it is %q", change.Property, m.Before.Format(time.DateTime), change.Was, m.At.Format(time.DateTime), change.Is)
	}
	switch {
	case !m.Kept:
		say("not kept, since the exporter's own tables are not there yet: measure again after the first run, or exporter migrate")
	case m.Before == nil:
		say("kept; the next passes go by it")
	case len(m.Changed) == 0:
		say("as it was measured on %s", m.Before.Format(time.DateTime))
	}
	return strings.Join(lines, "\n")
}

func days(d time.Duration) int { return int(d / (24 * time.Hour)) }
