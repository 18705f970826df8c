package export

import (
	"math"
	"slices"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Work is windows, and what reading them is expected to cost.
type Work struct {
	Windows  int   `json:"windows"`
	Requests int   `json:"requests"`
	Rows     int64 `json:"rows"`
}

// Plus is the work and another one.
func (w Work) Plus(other Work) Work {
	return Work{Windows: w.Windows + other.Windows, Requests: w.Requests + other.Requests, Rows: w.Rows + other.Rows}
}

// Forecast is what a pass would do, by why windows are due.
type Forecast struct {
	Live    Work `json:"live_edge"` // partly read, or reach to the edge
	Reread  Work `json:"rereads"`
	History Work `json:"history"` // never read
	Failed  Work `json:"failed"`  // the last read failed or was unstable
	// Resting are failed windows whose next attempt is later, Running those that a replica is reading now.
	Resting int `json:"resting"`
	Running int `json:"running"`
}

// Total is all of it.
func (f Forecast) Total() Work { return f.Live.Plus(f.Reread).Plus(f.History).Plus(f.Failed) }

// Forecast says what a pass would do now. ledger is what the ledger has of Planned, in order of time. rate is how many
// rows a second are expected where nothing is known nearby. Spans are made as a pass makes them, and what one is
// expected to hold is known to those after it. What must be read twice is not foreseen.
func (d Dataset) Forecast(ledger []sink.Entry, now time.Time, rate float64) Forecast {
	var f Forecast
	if d.Snapshot { // it is read whole, and is expected to be what it was
		var rows int64
		for _, e := range ledger {
			rows = e.Rows
		}
		f.Live = Work{Windows: 1, Requests: int(rows)/d.Query.PageSize + 1, Rows: rows}
		return f
	}
	o := outlook{Dataset: d, edge: d.edge(now), rate: rate}
	var live, reread, history, failed []sink.Entry
	for _, e := range d.withMissing(ledger, now) {
		if e.Complete() {
			o.known = append(o.known, e)
		}
		bad := e.State == sink.StateFailed || e.State == sink.StateUnstable
		switch {
		case e.State == sink.StateRunning:
			f.Running++
		case bad && e.NextReadAt.After(now):
			f.Resting++
		case !o.due(e, now):
		case bad:
			failed = append(failed, e)
		case !e.ReadTo.IsZero() && !e.Complete() || !e.Window.End.Before(o.edge):
			live = append(live, e)
		case e.Complete():
			reread = append(reread, e)
		default:
			history = append(history, e)
		}
	}
	f.Live, f.Reread, f.History, f.Failed = o.read(live), o.read(reread), o.read(history), o.read(failed)
	return f
}

// withMissing is the ledger with the windows that it lacks.
func (d Dataset) withMissing(ledger []sink.Entry, now time.Time) []sink.Entry {
	covered := make([]window.Window, len(ledger))
	for i, e := range ledger {
		covered[i] = e.Window
	}
	all := slices.Clone(ledger)
	for _, gap := range window.Gaps(d.Planned(now), covered) {
		for _, w := range d.Grid.Cut(gap) {
			all = append(all, sink.Entry{Window: w, State: sink.StateDue, NextReadAt: now})
		}
	}
	slices.SortFunc(all, byStart)
	return all
}

func byStart(a, b sink.Entry) int { return a.Window.Start.Compare(b.Window.Start) }

// outlook is a forecast in the making.
type outlook struct {
	Dataset
	edge  time.Time
	rate  float64
	known []sink.Entry // windows that were read to their ends, or are taken to have been, in order of time
}

// due is the meaning of due in package sink, but for leases.
func (o *outlook) due(e sink.Entry, now time.Time) bool {
	end := e.Window.End
	if o.edge.Before(end) {
		end = o.edge
	}
	return !e.NextReadAt.IsZero() && !e.NextReadAt.After(now) && e.Window.Start.Before(o.edge) &&
		(e.ReadTo.IsZero() || e.Complete() || end.After(e.ReadTo))
}

// read is the cost of reading windows, span by span.
func (o *outlook) read(due []sink.Entry) (all Work) {
	request := sink.ClaimRequest{MaxSpan: o.MaxSpan}
	for len(due) > 0 {
		candidates := request.Candidates(due)
		if o.whole() {
			candidates = candidates[:1]
		}
		near := o.near(candidates)
		span := due[:fitSpan(candidates, near, o.room(), false).windows]
		rows := o.expect(span, densityOf(near))
		all = all.Plus(Work{Windows: len(span), Requests: o.requests(rows), Rows: int64(math.Round(rows))})
		due = due[len(span):]
	}
	return all
}

// requests are those of a span: its pages, and those that show that it must be cut, or what drawing the end of each of its
// parts costs.
func (o *outlook) requests(rows float64) int {
	if o.inOrderOfTime() {
		const drawn = 1.0 / 6 // of a page, that the next part reads again
		parts := math.Ceil(rows / float64(o.MaxRows))
		return int(rows/float64(o.Query.PageSize)+drawn*parts) + 1
	}
	const find = 2 // a full page, and the probe behind it or its end
	cuts := 0
	for parts := 1; rows/float64(parts) > float64(o.MaxRows) && !o.whole(); parts *= 2 {
		cuts += parts
	}
	parts := cuts + 1
	return cuts*find + parts*(int(rows/float64(parts))/o.Query.PageSize+1)
}

// near are the known windows around the candidates, as a claim is told of them.
func (o *outlook) near(candidates []sink.Entry) []sink.Entry {
	from := candidates[0].Window.Start.Add(-sink.Nearby)
	to := candidates[len(candidates)-1].Window.End.Add(sink.Nearby)
	at := func(t time.Time) int {
		i, _ := slices.BinarySearchFunc(o.known, t, func(e sink.Entry, t time.Time) int { return e.Window.Start.Compare(t) })
		return i
	}
	return o.known[at(from):at(to)]
}

// expect is how many rows the windows of a span are expected to bring, and takes them for read.
func (o *outlook) expect(span []sink.Entry, known density) (all float64) {
	for _, e := range span {
		rows, _ := known.expect(e)
		if math.IsInf(rows, 1) {
			rows = o.rate * e.Window.Duration().Seconds()
		}
		all += rows * o.part(e)
		if !e.Complete() {
			e.Rows, e.ReadTo = int64(math.Round(rows)), e.Window.End
			i, _ := slices.BinarySearchFunc(o.known, e, byStart)
			o.known = slices.Insert(o.known, i, e)
		}
	}
	return all
}

// part is how much of a window is read: its tail, where it is partly read, and nothing at or after the edge.
func (o *outlook) part(e sink.Entry) float64 {
	from, to := e.Window.Start, e.Window.End
	if !e.ReadTo.IsZero() && !e.Complete() {
		if tail := e.ReadTo.Add(-o.Overlap); tail.After(from) {
			from = tail
		}
	}
	if o.edge.Before(to) {
		to = o.edge
	}
	return max(0, to.Sub(from).Seconds()/e.Window.Duration().Seconds())
}
