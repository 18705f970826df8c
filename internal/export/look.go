package export

import (
	"context"
	"errors"
	"slices"
	"sort"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

// sureness is what was seen when rows that seem to be gone were looked for once more.
type sureness struct {
	present []sink.Row
	// within are the stretches in which all that is not present is gone.
	within []window.Window
}

// makeSure looks once more for rows that seem to be gone, by when they are, the earliest first: in a second reading, with
// the time around, and where that took several pages in one page of each place.
func (p *passage) makeSure(ctx context.Context, gone []time.Time, b bounds) (sureness, error) {
	if len(gone) == 0 {
		return sureness{}, nil
	}
	stretch := window.Window{Start: gone[0], End: p.behind(gone[len(gone)-1])}
	again, err := p.readAgain(ctx, stretch, b)
	if err != nil {
		return sureness{}, err
	}
	sure := sureness{present: again.present}
	if again.onePage {
		sure.within = []window.Window{stretch}
		return sure, nil
	}
	for _, at := range p.places(gone, again.times) {
		present, err := p.lookAt(ctx, at)
		if err != nil {
			return sureness{}, err
		}
		sure.present = append(sure.present, present...)
		sure.within = append(sure.within, at.gone)
	}
	return sure, nil
}

// behind is an end of a stretch that has a row's time in it. A day's rows are all at its midnight.
func (p *passage) behind(at time.Time) time.Time {
	table := p.Dataset.Mapper.Table()
	if table.Columns[table.ColumnIndex(table.TimeField)].Type == schema.Date {
		return at.In(p.Dataset.Grid.Location()).AddDate(0, 0, 1)
	}
	return at.Add(time.Second)
}

// place is a stretch of time with rows that seem to be gone, and few others.
type place struct {
	gone  window.Window
	asked window.Window // with the nearest rows that are there
	among bool          // there are such rows
}

// places are where rows seem to be gone, each so small that a page holds about twice what lies there. there is when the
// rows are that the second reading had.
func (p *passage) places(gone, there []time.Time) (all []place) {
	slices.SortFunc(there, time.Time.Compare)
	after := func(t time.Time) int {
		return sort.Search(len(there), func(i int) bool { return there[i].After(t) })
	}
	room := max(1, p.Dataset.Query.PageSize/2)
	for len(gone) > 0 {
		n := 1
		for n < len(gone) && n+1+after(gone[n])-after(gone[0]) <= room {
			n++
		}
		at := place{gone: window.Window{Start: gone[0], End: p.behind(gone[n-1])}}
		from, to := gone[0], at.gone.End
		before := sort.Search(len(there), func(i int) bool { return !there[i].Before(from) }) - 1
		if before >= 0 {
			from = there[before]
		}
		if next := after(gone[n-1]); next < len(there) {
			to = p.behind(there[next])
		}
		at.among = from.Before(gone[0]) || to.After(at.gone.End)
		at.asked = window.Window{Start: from.Truncate(time.Second).Add(-lead), End: to.Add(lead)}
		all, gone = append(all, at), gone[n:]
	}
	return all
}

// lookAt returns what is at a place: what one page has of it, or where a page does not hold it several readings of it.
func (p *passage) lookAt(ctx context.Context, at place) (present []sink.Row, err error) {
	for range maxTears + 1 {
		read, err := p.readSteadily(ctx, wanted{stretch: at.asked, prove: true, rejects: true})
		if err != nil {
			return nil, err
		}
		seen, err := p.presentIn(read)
		switch {
		case err != nil:
			return nil, err
		case at.among && len(seen.present) == 0:
			return nil, errNothing
		}
		if present = append(present, seen.present...); seen.onePage {
			break
		}
	}
	return present, nil
}

// errNothing says that the second reading had no row at all.
var errNothing = errors.New("the API sent no rows at all, not even of the time around")

// seen is what a reading had of rows that may be gone.
type seen struct {
	present []sink.Row
	times   []time.Time // of the rows, as far as they are known; in no order
	onePage bool        // all of it came in one page
}

// readAgain reads a stretch in which rows seem to be gone once more, with the time around it, and returns all that is
// there. Where a server has nothing it is asked for ever more time around, until it has something.
func (p *passage) readAgain(ctx context.Context, stretch window.Window, b bounds) (seen, error) {
	size := p.Dataset.Grid.Size()
	for _, around := range []time.Duration{size, max(size, 24*time.Hour), max(size, p.Dataset.MaxSpan)} {
		// Not more than the API takes.
		around = max(min(around, (b.span-stretch.Duration())/2-size), lead)
		s, err := p.readStably(ctx, stretch, around, b.rows)
		var many *source.TooManyRowsError
		if errors.As(err, &many) { // there is something; the stretch itself is what counts
			s, err = p.readStably(ctx, stretch, lead, b.rows)
			if err == nil {
				return s, nil
			}
		}
		if err != nil || len(s.present) > 0 {
			return s, err
		}
	}
	return seen{}, errNothing
}

// readStably reads a stretch with the time around it until its pages fit together, and looks behind its last page.
func (p *passage) readStably(ctx context.Context, stretch window.Window, around time.Duration, maxRows int) (seen, error) {
	w := wanted{stretch: window.Window{Start: stretch.Start.Add(-around).Truncate(time.Second), End: stretch.End.Add(around)}, prove: true, rejects: true}
	if around > lead { // whole windows
		w.stretch = window.Window{Start: p.Dataset.Grid.At(w.stretch.Start).Start, End: p.Dataset.Grid.At(w.stretch.End).End}
	}
	if p.edge.After(stretch.End) && p.edge.Before(w.stretch.End) {
		w.stretch.End = p.edge
	}
	if around > lead {
		w.maxRows = min(2*p.Dataset.MaxRows, maxRows)
	}
	var err error
	for range maxTears + 1 {
		var read part
		if read, err = p.readOnce(ctx, w); err == nil {
			return p.presentIn(read)
		}
		if !moved(err) {
			break
		}
	}
	return seen{}, err
}

// presentIn are the rows of a part, of rejected ones the key.
func (p *passage) presentIn(read part) (seen, error) {
	e := newEvidence(p.Dataset.Mapper, read.asked)
	for _, reject := range read.rejects {
		e.rejected(reject.Raw)
	}
	if e.against != "" {
		return seen{}, errors.New(e.against)
	}
	s := seen{present: slices.Concat(read.rows, e.present), onePage: read.reading.Rows > 0 && read.reading.Rows <= read.reading.LargestPage}
	table := p.Dataset.Mapper.Table()
	for _, row := range read.rows {
		if at, ok := p.timeOf(table, row.Row); ok {
			s.times = append(s.times, at)
		}
	}
	return s, nil
}
