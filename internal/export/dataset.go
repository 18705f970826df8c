package export

import (
	"fmt"
	"slices"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

// Dataset is one configured report, insight or dashboard and how it is kept.
type Dataset struct {
	Name       string
	Kind       sink.Kind
	ConfigHash string
	Mapper     Mapper
	// FurtherMappers are those of further tables: those of a dashboard. See DashboardMappers.
	FurtherMappers []Mapper
	// Query is what is asked of the API, but for what each span fills in: Range, MaxRows, Uncertain, Unstable,
	// Nearer, Prove and Filled.
	Query source.Query
	// Write is how rows get into the table: by windows, or for a snapshot by the table. Zero: by key.
	Write sink.Write
	// Snapshot is set for a rolling range (Query.TimeRange), which is read whole by each pass: it has no windows, and
	// Grid counts for its timezone only.
	Snapshot bool
	Grid     window.Grid
	// Since is where the first window begins.
	Since time.Time
	// Retention is how long rows are kept, at least a window longer than windows are read again. Zero: for good.
	Retention time.Duration
	// Delay is how near to now a window is read.
	Delay time.Duration
	// Overlap is how far back the live edge is read again.
	Overlap time.Duration
	Reread  window.Reread
	// MaxRows is the most rows of a transaction. A span that is read in parts may hold several of them.
	MaxRows int
	// MaxSpan is the longest span.
	MaxSpan time.Duration
	// FailOnBadRow fails a span that has a row which does not fit; else such rows are quarantined.
	FailOnBadRow bool
	// DeletedMaxShare is the largest share of a window's rows that may be marked as deleted at once, where the table
	// marks deleted rows: 0.5 is half of them. Of more than a few rows; a few may always be.
	DeletedMaxShare float64
}

// Tables are all tables of the dataset, its own first.
func (d Dataset) Tables() []schema.Table {
	tables := []schema.Table{d.Mapper.Table()}
	for _, m := range d.FurtherMappers {
		tables = append(tables, m.Table())
	}
	return tables
}

// form is that of rows which are appended by windows; nil for others.
func (d Dataset) form() *schema.Form {
	if d.Write != sink.Append || d.Snapshot {
		return nil
	}
	form := d.Mapper.Form()
	form.Base += fmt.Sprintf(", windows of %s in %s", d.Grid.Size(), d.Grid.Location())
	return &form
}

// whole reports whether windows are read one by one, each whole and in one piece: where rows are of all of a window,
// not of an instant in it (sums are), or replace what was there.
func (d Dataset) whole() bool {
	field := d.timeField()
	coarse := field.column < 0 || field.kind == schema.Date // no part of a window has all rows that are alike
	return d.Snapshot || d.Kind == sink.KindInsight || d.Write == sink.ReplaceWindows || d.Write == sink.Append && coarse
}

// closed reports whether windows are read only once they are over. What an insight says of a part of a window is no
// value of that window. Rows that are told apart by key may be of hours that are over: they come as a report's do.
func (d Dataset) closed() bool {
	return d.Kind == sink.KindInsight && !d.Snapshot && d.Write != sink.Upsert
}

// inOrderOfTime reports whether rows are asked for in order of the time that windows are about, the earliest first.
func (d Dataset) inOrderOfTime() bool {
	table := d.Mapper.Table()
	i := table.ColumnIndex(table.TimeField)
	return i >= 0 && table.Columns[i].ID == d.Query.SortID && !d.Query.SortDesc && table.Columns[i].Type != schema.Date &&
		ordered(table.Columns[i].Type)
}

// edge is where reading ends: nothing at or after it is read.
func (d Dataset) edge(now time.Time) time.Time {
	edge := now.Add(-d.Delay).Truncate(time.Second)
	if d.closed() {
		return d.Grid.At(edge).Start
	}
	return edge
}

// Planned is the stretch of time of which a pass has all windows in the ledger: from the first window to the one that holds the
// edge.
func (d Dataset) Planned(now time.Time) window.Window {
	if d.Snapshot {
		return snapshotWindow()
	}
	return window.Window{Start: d.firstStart(now), End: d.lastEnd(d.edge(now))}
}

// firstStart is where the first window of the ledger begins that is of interest.
func (d Dataset) firstStart(now time.Time) time.Time {
	since, kept := d.Grid.At(d.Since).Start, d.KeptFrom(now)
	if kept.After(since) {
		return kept
	}
	return since
}

// KeptFrom is the bound of windows before which nothing is kept, read, verified or missed; zero where all is kept.
// Retention is at least as long as windows are read again, so that all windows before it are final.
func (d Dataset) KeptFrom(now time.Time) time.Time {
	if d.Retention == 0 || d.Snapshot {
		return time.Time{}
	}
	return d.Grid.At(now.Add(-d.Retention)).Start
}

// lastEnd is where the last window of the ledger ends.
func (d Dataset) lastEnd(edge time.Time) time.Time {
	if last := d.Grid.At(edge); !d.closed() || !last.Start.Equal(edge) {
		return last.End
	}
	return edge
}

// Latest is the latest window that is over.
func (d Dataset) Latest(now time.Time) window.Window { return d.Grid.At(d.edge(now).Add(-time.Second)) }

// Ripe is when more than what is complete through a time can be complete.
func (d Dataset) Ripe(through time.Time) time.Time {
	if d.Snapshot {
		return through // each tick reads it whole
	}
	if !d.closed() {
		return through.Add(d.Delay)
	}
	if through.Before(d.Since) {
		through = d.Since
	}
	return d.Grid.At(through).End.Add(d.Delay)
}

// LastReread is how long after its end a window is read for the last time; zero for a snapshot, which has no windows.
func (d Dataset) LastReread() time.Duration {
	if d.Snapshot {
		return 0
	}
	return max(d.Delay, slices.Max(append([]time.Duration{0}, d.Reread...)))
}

// Samples are stretches of time whose rows show what the API sends now: the next one where there are none.
func (d Dataset) Samples(now time.Time) []window.Window {
	const day = 24 * time.Hour
	end := now.UTC().Truncate(time.Second)
	samples := []window.Window{{Start: end.Add(-day), End: end}, {Start: end.Add(-30 * day), End: end}}
	if d.closed() {
		samples = slices.Insert(samples, 0, d.Grid.At(d.edge(now).Add(-time.Second)))
	}
	return samples
}
