package export

import (
	"context"
	"errors"
	"slices"
	"sort"
	"time"

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
// the time around, and where that took several pages in one page of each spot.
func (p *passage) makeSure(ctx context.Context, gone []time.Time, c caps) (sureness, error) {
	if len(gone) == 0 {
		return sureness{}, nil
	}
	stretch := window.Window{Start: gone[0], End: p.Dataset.timeField().endAfter(gone[len(gone)-1])}
	again, err := p.readAgain(ctx, stretch, c)
	if err != nil {
		return sureness{}, err
	}
	sure := sureness{present: again.present}
	if again.onePage {
		sure.within = []window.Window{stretch}
		return sure, nil
	}
	err = p.lookClosely(ctx, gone, again.times, &sure)
	return sure, err
}

// lookClosely reads one spot after the other, each in one page. there is when the rows are that the second reading had. A spot
// that does not fit in a page is chosen anew by the rows that it has; where that makes it no smaller, it is read again as
// often as a stretch that tears.
func (p *passage) lookClosely(ctx context.Context, gone, there []time.Time, sure *sureness) error {
	var before spot
	for again := 0; len(gone) > 0; {
		at, n := p.nextSpot(gone, there)
		read, err := p.readSteadily(ctx, wanted{stretch: at.asked, prove: true, rejects: true})
		if err != nil {
			return err
		}
		s, err := p.presentIn(read)
		if err != nil {
			return err
		}
		if at.among && len(s.present) == 0 {
			return errNothing
		}
		sure.present = append(sure.present, s.present...)
		if again++; at.asked != before.asked {
			again, before = 1, at
		}
		if !s.onePage && again <= maxTears {
			there = append(slices.DeleteFunc(there, at.asked.Contains), s.times...)
			continue
		}
		sure.within = append(sure.within, at.gone)
		gone = gone[n:]
	}
	return nil
}

// spot is a stretch of time with rows that seem to be gone, and few others.
type spot struct {
	gone  window.Window
	asked window.Window // with the nearest rows that are there
	among bool          // there are such rows
}

// nextSpot is where the first rows are that seem to be gone, and how many they are: so few that a page holds about twice what
// lies there.
func (p *passage) nextSpot(gone, there []time.Time) (at spot, n int) {
	slices.SortFunc(there, time.Time.Compare)
	behind := func(t time.Time) int {
		return sort.Search(len(there), func(i int) bool { return there[i].After(t) })
	}
	room := max(1, p.fullPage()/2)
	for n = 1; n < len(gone) && n+1+behind(gone[n])-behind(gone[0]) <= room; {
		n++
	}
	field := p.Dataset.timeField()
	at.gone = window.Window{Start: gone[0], End: field.endAfter(gone[n-1])}
	from, to := gone[0], at.gone.End
	if before := sort.Search(len(there), func(i int) bool { return !there[i].Before(from) }); before > 0 {
		from = there[before-1]
	}
	if next := behind(gone[n-1]); next < len(there) {
		to = field.endAfter(there[next])
	}
	at.among = from.Before(gone[0]) || to.After(at.gone.End)
	at.asked = window.Window{Start: from.Truncate(time.Second).Add(-lead), End: to.Add(lead)}
	return at, n
}

// fullPage is how many rows a page has that may be full: as many as were asked for, or as the server ever sent, which may be
// all that it sends.
func (p *passage) fullPage() int {
	return min(p.lasting.limits.pageSize(p.Dataset), p.lasting.server.page())
}

// errNothing says that the second reading had no row at all.
var errNothing = errors.New("the API sent no rows at all, not even of the time around")

// seen is what a reading had of rows that may be gone.
type seen struct {
	present []sink.Row
	times   []time.Time // of the rows, as far as they are known; in no order
	// onePage says that all of it came in one page, which was not full: nothing but what lay behind a full one would be
	// known by the one row of the next.
	onePage bool
}

// readAgain reads a stretch in which rows seem to be gone once more, with the time around it, and returns all that is
// there. Where a server has nothing it is asked for ever more time around, until it has something.
func (p *passage) readAgain(ctx context.Context, stretch window.Window, c caps) (seen, error) {
	size := p.Dataset.Grid.Size()
	for _, around := range []time.Duration{size, max(size, 24*time.Hour), max(size, p.Dataset.MaxSpan)} {
		// Not more than the API takes.
		around = max(min(around, (c.span-stretch.Duration())/2-size), lead)
		s, err := p.readStably(ctx, stretch, around, c.skip)
		var many *source.TooManyRowsError
		if errors.As(err, &many) { // there is something; the stretch itself is what counts
			s, err = p.readStably(ctx, stretch, lead, c.skip)
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
	e := p.Dataset.evidenceOf(read)
	if e.against != "" {
		return seen{}, errors.New(e.against)
	}
	rows := read.reading.Rows
	s := seen{present: slices.Concat(read.rows, e.present), onePage: 0 < rows && rows <= read.reading.LargestPage && rows < p.fullPage()}
	field := p.Dataset.timeField()
	for _, row := range read.rows {
		if at, ok := field.at(row.Row); ok {
			s.times = append(s.times, at)
		}
	}
	return s, nil
}
