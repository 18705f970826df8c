package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
)

// Finding is one line of what Check found out.
type Finding struct {
	Subject string `json:"subject"` // "warehouse", "source", "report calls"
	OK      bool   `json:"ok"`
	Text    string `json:"text"` // what is right, or what is wrong and what to do about it
	// Warning is set where nothing is wrong for certain, but somebody should look.
	Warning bool  `json:"warning,omitempty"`
	Err     error `json:"-"` // when it is not OK
	// Contract is what was measured; nil: the finding is about something else.
	Contract *Measured `json:"contract,omitempty"`
}

// sampleRows is how many rows Check tries a mapping on.
const sampleRows = 200

// Check looks whether an export would work, and changes nothing: the config (which was read to get here), the
// warehouse, the API with the key, and each mapping against a page of rows. offline leaves the API and the
// warehouse alone. The findings are told one by one, as they come; the error joins what is wrong.
func (a *App) Check(ctx context.Context, offline bool, tell func(Finding)) error {
	var wrong []error
	note := func(subject, text string, err error) {
		f := Finding{Subject: subject, OK: err == nil, Text: text, Err: err}
		if err != nil {
			f.Text = err.Error()
			wrong = append(wrong, fmt.Errorf("%s: %w", subject, err))
		}
		tell(f)
	}
	warn := func(subject, text string) {
		if text != "" {
			tell(Finding{Subject: subject, OK: true, Warning: true, Text: text})
		}
	}
	note("config", "exports "+cmp.Or(strings.Join(a.Datasets(), ", "), "nothing yet: exporter discover --report ID --write adds a report"), nil)
	warn("config", shortKey(a.config.Source.APIKey.Reveal()))
	if offline {
		return nil
	}
	text, err := a.warehouse.Check(ctx)
	note("warehouse", text, err)
	sound, answers := err == nil, true
	for _, e := range a.exporters {
		if sound {
			for _, table := range e.Dataset.Tables() {
				text, renamed, err := a.checkTable(ctx, e.Dataset.Name, table)
				note("table "+table.Name, text, err)
				for _, r := range renamed {
					warn("table "+table.Name, r.String())
				}
			}
			a.checkReconciled(ctx, e, note)
		}
		if !answers { // it would answer the same of every dataset
			continue
		}
		subject := string(e.Dataset.Kind) + " " + e.Dataset.Name
		text, sample, err := a.checkSource(ctx, e.Dataset)
		note(subject, text, a.withPlace(e.Dataset, err))
		if err == nil {
			warn(subject, a.unseenText(e.Dataset, sample))
		}
		answers = !failsAll(err)
	}
	return errors.Join(wrong...)
}

// failsAll reports whether every report would fail for the same reason: host and key are the same for all.
func failsAll(err error) bool {
	var request *source.Error
	return errors.As(err, &request) && request.FailsAll()
}

// checkTable says whether the next run could make the table what the mapping wants.
func (a *App) checkTable(ctx context.Context, dataset string, table schema.Table) (text string, renamed []sink.Renamed, err error) {
	prepared, err := a.warehouse.Preview(ctx, dataset, table)
	switch {
	case err != nil:
		return "", nil, err
	case prepared.Created:
		return "is not there yet: the first run makes it", nil, nil
	case len(prepared.Changes) > 0:
		return "the next run changes it by " + plural(len(prepared.Changes), "statement; exporter plan shows it", "statements; exporter plan shows them"), prepared.Renamed, nil
	}
	return "is as the mapping wants it", prepared.Renamed, nil
}

// checkSource reads a dashboard, or tries the mapping of another dataset on its latest rows, which are the sample.
func (a *App) checkSource(ctx context.Context, d export.Dataset) (text string, sample []string, err error) {
	if d.Kind == sink.KindDashboard {
		dashboard, err := a.probe.Dashboard(ctx, d.Query.Dashboard)
		return fmt.Sprintf("the API describes it, with %d insights", len(dashboard.Insights)), nil, err
	}
	recent, err := a.recentRows(ctx, d)
	if err != nil {
		return "", nil, err
	}
	if len(recent.rows) == 0 {
		return "the API answers; it has no rows of the last 30 days to try the mapping on: if there should be some, check " + a.place(d), nil, nil
	}
	text, err = tryMapping(d.Mapper, recent.rows)
	if begins := toCome(d, a.Clock.Now()); err == nil && begins != "" {
		text += "; but " + begins
	}
	return text, recent.rows, err
}

// toCome says that nothing is read of a dataset yet; "" where something is.
func toCome(d export.Dataset, now time.Time) string {
	if !d.Since.After(now) {
		return ""
	}
	return "since is to come: nothing before " + d.Since.Format(time.RFC3339) + " is read"
}

// recentRows are a page of rows, and the stretch of time before now that they are of.
type recentRows struct {
	rows  []string
	n     int // of rows that there are, as far as is known
	of    time.Duration
	query source.Query
}

// recentRows asks for a page of a dataset: of the last day, or of the last month where that is empty.
func (a *App) recentRows(ctx context.Context, d export.Dataset) (recentRows, error) {
	recent := recentRows{query: d.Query}
	for _, sample := range d.Samples(a.Clock.Now()) {
		if !d.Snapshot { // which has its own range
			recent.query.Range = sample
		}
		page, err := a.probe.Page(ctx, recent.query, 0, sampleRows)
		recent.rows, recent.n, recent.of = page.Rows, len(page.Rows), sample.Duration()
		if err != nil || len(page.Rows) > 0 {
			return recent, err
		}
	}
	return recent, nil
}

// rate is how many rows a second there are; of a page that is full it is the least, unless they were counted.
func (r recentRows) rate() float64 {
	if r.of == 0 {
		return 0
	}
	return float64(r.n) / r.of.Seconds()
}

// tryMapping says how well a mapping fits a sample of rows.
func tryMapping(mapper export.Mapper, sample []string) (string, error) {
	rejected, table := 0, mapper.Table()
	var first *schema.RejectError
	seen := make([]bool, len(table.Columns))
	extra := 0
	var rows []schema.Row
	for _, raw := range sample {
		row, err := mapper.Map(raw)
		var reject *schema.RejectError
		switch {
		case errors.As(err, &reject):
			if rejected++; first == nil {
				first = reject
			}
			continue
		case err != nil:
			return "", err
		}
		rows = append(rows, row)
		if !row.Extra.IsNull() {
			extra++
		}
		for i, v := range row.Values {
			seen[i] = seen[i] || !v.IsNull()
		}
	}
	if rejected > 0 {
		return "", fmt.Errorf("%d of %d sampled rows do not fit the mapping; the first one since %w; mend its fields in the config", rejected, len(sample), first)
	}
	if n := sharingKeys(table, rows); n > 0 {
		return "", fmt.Errorf("key is not unique: %d of %d sampled rows share their %s with a row that is not the same, and the table would keep one row of each key; name more fields under key, or write: append",
			n, len(sample), strings.Join(table.Key, ", "))
	}
	text := fmt.Sprintf("%d sampled rows fit the mapping", len(sample))
	if len(sample) == 1 {
		text = "the sampled row fits the mapping"
	}
	if extra > 0 {
		text += fmt.Sprintf("; %d of them have ids that it does not name (kept in _extra)", extra)
	}
	if never := neverSeen(table, seen, idsOf(sample)); len(never) > 0 {
		text += "; without a value in any of them: " + strings.Join(never, ", ")
	}
	return text, nil
}

// sharingKeys counts the rows whose key another row has that is not the same. What the API sends twice is one row.
func sharingKeys(table schema.Table, rows []schema.Row) int {
	if len(table.Key) == 0 {
		return 0
	}
	byKey, places := map[string][]schema.Row{}, table.KeyIndexes()
	for _, row := range rows {
		key := row.Text(places)
		byKey[key] = append(byKey[key], row)
	}
	n := 0
	for _, sharing := range byKey {
		if slices.ContainsFunc(sharing, func(row schema.Row) bool { return !sameRow(row, sharing[0]) }) {
			n += len(sharing)
		}
	}
	return n
}

// sameRow reports whether the table would have the same of two rows.
func sameRow(a, b schema.Row) bool { return a.Extra == b.Extra && slices.Equal(a.Values, b.Values) }

// neverSeen are the columns without a value whose ids the rows have: what they lack is told beside.
func neverSeen(table schema.Table, seen []bool, ids map[string]bool) []string {
	var never []string
	for i, c := range table.Columns {
		if !seen[i] && ids[c.ID] && !slices.Contains(table.Key, c.Name) {
			never = append(never, c.Name)
		}
	}
	return never
}
