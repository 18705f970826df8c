package export

import (
	"slices"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// closed reports whether windows are read only once they are over. What an insight says of a part of a window is no
// value of that window. Rows that are told apart by key may be of hours that are over: they come as a report's do.
func (d Dataset) closed() bool {
	return d.Kind == sink.KindInsight && !d.Snapshot && d.Write != sink.Upsert
}

// edge is where reading ends: nothing at or after it is read.
func (d Dataset) edge(now time.Time) time.Time {
	edge := now.Add(-d.Delay).Truncate(time.Second)
	if d.closed() {
		return d.Grid.At(edge).Start
	}
	return edge
}

// end is where the last window of the ledger ends.
func (d Dataset) end(edge time.Time) time.Time {
	if last := d.Grid.At(edge); !d.closed() || !last.Start.Equal(edge) {
		return last.End
	}
	return edge
}

// Ripe is when more than what is complete through a time can be complete.
func (d Dataset) Ripe(through time.Time) time.Time {
	if !d.closed() {
		return through.Add(d.Delay)
	}
	if through.Before(d.Since) {
		through = d.Since
	}
	return d.Grid.At(through).End.Add(d.Delay)
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
