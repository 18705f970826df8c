package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"samespace-exporter/internal/config"
	"samespace-exporter/internal/discover"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

// Discovery asks for a mapping of a report of which no more is known than its id.
type Discovery struct {
	Report string
	// Dashboards are read for the titles of metrics: the API names them nowhere else.
	Dashboards []string
	Timezone   string // IANA name, to ask the API with; "": UTC
	// Say, when set, is told what is being done.
	Say func(string)
}

// What a command handles of package discover.
type (
	Discovered = discover.Proposal
	Section    = discover.Section
)

// NoRowsError says that there is nothing to make a proposal of.
type NoRowsError struct{ Report string }

func (e *NoRowsError) Error() string {
	return fmt.Sprintf("report %s has no rows of the past year, so nothing is known of it: check its id, and that the key may read it", e.Report)
}

const (
	enoughRows  = 1000 // sampled rows that end the search for more
	sliceRows   = 100  // rows of each slice of time
	sliceNumber = 24
)

// Discover samples a report, and proposes a mapping for it. It changes nothing.
//
// Rows are asked for by narrow slices of time all over a day; of a week, a month, a year, while they are few. Narrow
// slices tell the time that a range selects on from others that are near it.
//
// Errors: *NoRowsError, *source.UnknownDashboardError, *source.Error, or the cause of ctx.
func Discover(ctx context.Context, s config.Source, o Options, d Discovery) (Discovered, error) {
	o = withDefaults(o)
	client, err := openSource(s, o, nil)
	if err != nil {
		return Discovered{}, err
	}
	defer client.Close()
	if d.Say == nil {
		d.Say = func(string) {}
	}
	titles, err := d.titles(ctx, client)
	if err != nil {
		return Discovered{}, err
	}
	samples, err := d.sample(ctx, client, s, o.Clock.Now().UTC().Truncate(time.Minute))
	if err != nil {
		return Discovered{}, err
	}
	return discover.Propose(samples, titles), nil
}

// titles are what the dashboards' filters and columns call the metrics, the most frequent title first.
func (d Discovery) titles(ctx context.Context, client *source.Client) (discover.Titles, error) {
	counts := map[string]map[string]int{}
	for _, id := range d.Dashboards {
		d.Say("reading dashboard " + id)
		dashboard, err := client.Dashboard(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, t := range dashboard.Titles() {
			if counts[t.MetricID] == nil {
				counts[t.MetricID] = map[string]int{}
			}
			counts[t.MetricID][t.Title]++
		}
	}
	titles := discover.Titles{}
	for id, of := range counts {
		for title := range of {
			titles[id] = append(titles[id], title)
		}
		slices.SortFunc(titles[id], func(a, b string) int {
			if of[a] != of[b] {
				return of[b] - of[a]
			}
			return strings.Compare(a, b)
		})
	}
	return titles, nil
}

// sample asks for slices of time, further back while the rows are few.
func (d Discovery) sample(ctx context.Context, client *source.Client, s config.Source, now time.Time) ([]discover.Sample, error) {
	const day = 24 * time.Hour
	q := source.Query{Report: d.Report, Timezone: d.Timezone, TimeRange: s.WindowTimeRange}
	var samples []discover.Sample
	rows := 0
	for _, back := range []time.Duration{day, 7 * day, 30 * day, 365 * day} {
		q.Range = window.Window{Start: now.Add(-back), End: now}
		first, err := client.Page(ctx, q, 0, 1)
		if err != nil {
			return nil, err
		}
		if len(first.Rows) == 0 {
			continue
		}
		d.Say("asking for rows since " + q.Range.Start.Format(time.DateOnly))
		for n := range sliceNumber {
			start := now.Add(-back + time.Duration(n)*back/sliceNumber)
			q.Range = window.Window{Start: start, End: start.Add(back / sliceNumber / 4)}
			page, err := client.Page(ctx, q, 0, sliceRows)
			if err != nil {
				return nil, err
			}
			if len(page.Rows) > 0 {
				samples = append(samples, discover.Sample{Range: q.Range, Rows: page.Rows})
				rows += len(page.Rows)
			}
		}
		if rows >= enoughRows {
			break
		}
	}
	if rows == 0 {
		return nil, &NoRowsError{Report: d.Report}
	}
	return samples, nil
}
