package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"samespace-exporter/internal/config"
	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// previews are what a plan asks of a warehouse.
type previews interface {
	Preview(ctx context.Context, dataset string, table schema.Table) (sink.Prepared, error)
	Windows(ctx context.Context, dataset string, within window.Window) ([]sink.Entry, error)
	KeepContract(ctx context.Context, dataset string, now func(before sink.Contract) (sink.Contract, error)) error
}

// Plan is what a pass over all datasets would do now.
type Plan struct {
	At       time.Time     `json:"at"`
	Datasets []DatasetPlan `json:"datasets"`
	Total    export.Work   `json:"total"`
	// RequestsPerSecond is the configured limit, and Seconds what all requests take at it: the least time.
	RequestsPerSecond float64 `json:"requests_per_second"`
	Seconds           float64 `json:"seconds_at_least"`
}

// DatasetPlan is what a pass of a dataset would do now.
type DatasetPlan struct {
	Dataset string `json:"dataset"`
	export.Forecast
	Statements []string `json:"statements"`        // DDL that would run
	Refused    string   `json:"refused,omitempty"` // why none of it would run, and so no pass
	Sample     Sample   `json:"sample"`
	// Limits are what is known of the API that shapes spans and pages.
	Limits []export.Heeded `json:"limits"`
	// Lost says what of the past will not be in the table, though windows are read or were.
	Lost []string `json:"lost,omitempty"`
}

// Sample is what a page of the API's latest rows shows.
type Sample struct {
	Rows  int      `json:"rows"`
	New   []string `json:"new_ids"`         // that the mapping does not name
	Gone  []string `json:"gone_fields"`     // fields that no row has
	Error string   `json:"error,omitempty"` // why there is no sample
}

// Plan finds out what a pass would do now, and changes nothing. It works before the first run as well. The plan is
// there even where the error, which joins what a pass would fail with, is not nil.
func (a *App) Plan(ctx context.Context) (Plan, error) {
	plan := Plan{
		At: a.Clock.Now().UTC(), RequestsPerSecond: a.config.Source.RequestsPerSecond, Datasets: []DatasetPlan{},
	}
	known, err := a.known(ctx)
	if err != nil {
		return plan, err
	}
	var wrong []error
	var unanswered error // host and key are the same for all
	for _, e := range a.exporters {
		d, heeded := e.Dataset.Heeding(known[e.Dataset.Name].Condition, plan.At)
		p := DatasetPlan{Dataset: d.Name, Statements: []string{}, Limits: heeded}
		recent, err := recentRows{}, unanswered
		if err == nil && d.Kind != sink.KindDashboard { // which has no rows of its own
			recent, err = a.recentRows(ctx, d)
		}
		if failsAll(err) {
			unanswered = err
		}
		p.Sample = a.sample(d, recent.rows, err)
		if err := errors.Join(err, a.planDataset(ctx, d, &p, recent), a.planRetention(ctx, d, &p, known[d.Name].Retained)); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", d.Name, err))
		}
		if n := known[d.Name].Rejects; n > 0 {
			p.Lost = append(p.Lost, fmt.Sprintf("%d rows do not fit the mapping and are in the quarantine", n))
		}
		plan.Datasets = append(plan.Datasets, p)
		plan.Total = plan.Total.Plus(p.Total())
	}
	plan.Seconds = float64(plan.Total.Requests) / plan.RequestsPerSecond
	return plan, errors.Join(wrong...)
}

// planDataset fills in what the warehouse knows.
func (a *App) planDataset(ctx context.Context, d export.Dataset, p *DatasetPlan, recent recentRows) error {
	created, err := a.preview(ctx, d, p)
	if err != nil && p.Refused == "" {
		return err
	}
	now := a.Clock.Now()
	ledger, failed := a.warehouse.Windows(ctx, d.Name, d.Planned(now))
	if failed != nil && !errors.Is(failed, sink.ErrNotMigrated) {
		return errors.Join(err, failed)
	}
	if created {
		ledger = nil // all is due again once the table is made
	}
	if len(recent.rows) > 0 && !slices.ContainsFunc(ledger, func(e sink.Entry) bool { return e.Complete() || d.Snapshot && !e.ReadTo.IsZero() }) {
		recent = a.counted(ctx, d, recent, now)
		if d.Snapshot { // expected to be what it was, and now it is known what it is
			ledger = []sink.Entry{{Window: d.Planned(now), Rows: int64(recent.n)}}
		}
	}
	p.Forecast = d.Forecast(ledger, now, recent.rate())
	if begins := toCome(d, now); begins != "" {
		p.Lost = append(p.Lost, begins)
	}
	return err
}

// planRetention says what the retention has a pass delete, beside what it deleted before.
func (a *App) planRetention(ctx context.Context, d export.Dataset, p *DatasetPlan, before sink.Retained) error {
	kept := d.KeptFrom(a.Clock.Now())
	if !before.Before.Before(kept) {
		return nil
	}
	within := window.Window{Start: before.Before, End: kept}
	if within.Start.IsZero() {
		within.Start = time.Unix(0, 0).UTC()
	}
	old, err := a.warehouse.Windows(ctx, d.Name, within)
	if errors.Is(err, sink.ErrNotMigrated) {
		return nil
	}
	rows := int64(0)
	for _, e := range old {
		if !e.Window.Start.Before(within.Start) && !e.Window.End.After(kept) {
			rows += e.Rows
		}
	}
	if rows > 0 {
		p.Lost = append(p.Lost, fmt.Sprintf("retention: rows before %s are deleted, about %d", kept.Format(time.RFC3339), rows))
	}
	return err
}

// preview fills in what would be changed of the dataset's tables.
func (a *App) preview(ctx context.Context, d export.Dataset, p *DatasetPlan) (created bool, err error) {
	for _, table := range d.Tables() {
		prepared, failed := a.warehouse.Preview(ctx, d.Name, table)
		for _, change := range prepared.Changes {
			if !slices.Contains(p.Statements, change) { // the schema, which the first table's change makes for all
				p.Statements = append(p.Statements, change)
			}
		}
		for _, renamed := range prepared.Renamed {
			p.Lost = append(p.Lost, renamed.String())
		}
		created = created || prepared.Created
		var narrowing *schema.NarrowingError
		if errors.As(failed, &narrowing) {
			p.Refused = narrowing.Error()
		}
		err = errors.Join(err, failed)
	}
	return created, err
}

// counted is a sample with about how many rows there are, of the last week if the dataset reaches back so far: a day
// says little of the others where people work on weekdays.
func (a *App) counted(ctx context.Context, d export.Dataset, recent recentRows, now time.Time) recentRows {
	week := recent
	if !d.Snapshot { // which has its own range
		week.query.Range.Start = now.AddDate(0, 0, -7)
		if d.Since.After(week.query.Range.Start) {
			week.query.Range.Start = d.Since
		}
		week.of = week.query.Range.Duration()
	}
	page, err := a.probe.Page(ctx, week.query, 0, sampleRows)
	if err != nil || len(page.Rows) == 0 {
		week = recent
	} else {
		week.rows = page.Rows
	}
	recent.n, recent.of = a.countRows(ctx, week), week.of
	return recent
}

// mostRows is how many rows of a sample's stretch of time are counted.
const mostRows = 1 << 20

// countRows finds about how many rows there are, to an eighth: the API has no count, so behind a page that is full
// single rows are asked for, ever deeper. Where it does not answer, or ignores how deep it is asked, the number is what
// is known to be there.
func (a *App) countRows(ctx context.Context, recent recentRows) int {
	there, gone := len(recent.rows), 0
	if there < sampleRows {
		return there
	}
	for next := 2 * there; next < mostRows && (gone == 0 || gone-there > there/8); {
		page, err := a.probe.Page(ctx, recent.query, next, 1)
		switch {
		case err != nil, len(page.Rows) > 0 && page.Rows[0] == recent.rows[0]:
			return there
		case len(page.Rows) > 0:
			there = next
		default:
			gone = next
		}
		if next = 2 * there; gone > 0 {
			next = (there + gone) / 2
		}
	}
	return there
}

// known is what the warehouse knows of the datasets; nothing before the first run.
func (a *App) known(ctx context.Context) (map[string]sink.DatasetStatus, error) {
	all, err := a.warehouse.Status(ctx, a.Clock.Now())
	if err != nil && !errors.Is(err, sink.ErrNotMigrated) {
		return nil, err
	}
	known := map[string]sink.DatasetStatus{}
	for _, d := range all {
		known[d.Name] = d
	}
	return known, nil
}

// sample compares rows with the mapping: ids that it does not name, and fields that no row has.
func (a *App) sample(d export.Dataset, rows []string, err error) Sample {
	s := Sample{Rows: len(rows), New: []string{}, Gone: []string{}}
	if err != nil {
		s.Error = err.Error()
		return s
	}
	seen := idsOf(rows)
	for _, f := range a.fields(d.Name) {
		if !seen[f.ID] && len(rows) > 0 {
			s.Gone = append(s.Gone, cmp.Or(f.Name, f.ID))
		}
		delete(seen, f.ID)
	}
	s.New = slices.AppendSeq(s.New, maps.Keys(seen))
	slices.Sort(s.New)
	return s
}

// idsOf are the ids that rows have.
func idsOf(rows []string) map[string]bool {
	seen := map[string]bool{}
	for _, row := range rows {
		var values map[string]json.RawMessage
		if json.Unmarshal([]byte(row), &values) == nil { // what is no object is a reject: check says so
			for id := range values {
				seen[id] = true
			}
		}
	}
	return seen
}

// fields are the mapping of a dataset, as it is configured.
func (a *App) fields(dataset string) []config.Field {
	for _, r := range a.config.Reports {
		if r.Name == dataset {
			return r.Fields
		}
	}
	for _, i := range a.config.Insights {
		if i.Name == dataset {
			return i.Fields
		}
	}
	return nil
}
