package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
)

// Measure asks the API what its documentation leaves open, for each report whose rows say when they were: some twenty
// requests a report. It changes nothing. What was found is told one by one; the error joins why reports could not be
// measured.
func (a *App) Measure(ctx context.Context, tell func(Finding)) error {
	var wrong []error
	for _, e := range a.exporters {
		if !measurable(e.Dataset) {
			continue
		}
		f := Finding{Subject: "contract of " + e.Dataset.Name, OK: true}
		found, err := a.probe.Measure(ctx, e.Dataset.Query, a.Clock.Now().UTC().Truncate(time.Second), func(row string) (time.Time, bool) {
			v, ok := e.Dataset.Mapper.TimeOf(row)
			return v.Time(), ok
		})
		if f.Text = describe(found); err != nil {
			f.OK, f.Text, f.Err = false, err.Error(), err
			wrong = append(wrong, fmt.Errorf("%s: %w", f.Subject, err))
		}
		tell(f)
		if failsAll(err) {
			break
		}
	}
	return errors.Join(wrong...)
}

// measurable reports whether rows of a dataset can be told from those of another stretch of time.
func measurable(d export.Dataset) bool {
	table := d.Mapper.Table()
	at := table.ColumnIndex(table.TimeField)
	return d.Kind == sink.KindReport && !d.Snapshot && at >= 0 && table.Columns[at].Type == schema.Timestamptz
}

// describe is a contract in a few lines.
func describe(c source.Contract) string {
	var lines []string
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
	return strings.Join(lines, "\n")
}

func days(d time.Duration) int { return int(d / (24 * time.Hour)) }
