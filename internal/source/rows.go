package source

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"samespace-exporter/internal/window"
)

// Taker takes the rows of a reading as they come. All its methods are called from the goroutine of Rows.
type Taker interface {
	// Take takes rows of one page that fitted: JSON texts as the API sent them, each of which is one well-formed
	// JSON value, but whose strings may hold invalid UTF-8 and whose objects the same name twice. They lie in memory
	// that is other rows' once Take returns: what is kept of them must be copied. again says that the first one is a
	// newer version of the last row taken, to be put in its place. An error ends the reading.
	Take(rows []string, again bool) error
	// Expect is how many more rows are expected to come; so many are asked for ahead. Zero: nobody knows.
	Expect() int
	// Nearer is an end, nearer than that of the query's range and behind all rows taken, up to which about so many
	// more rows are expected. ok is false when there is none. It is asked for with Query.Nearer only.
	Nearer(rows int) (end time.Time, ok bool)
	// Back is an end among the rows of the last page. Those at or behind it, of which there are so many, are as if not
	// taken; of the rows taken last at least one stays. ok is false when there is no such end, and nothing is changed.
	// It is asked for with Query.Nearer only.
	Back() (end time.Time, behind int, ok bool)
}

// Rows reads all rows of a query, page by page, until the server has shown that there are no more. How its
// pages are cut is not documented, so nothing about it is believed:
//
//   - The next page begins where the rows received end, not where the limit would put it. A page that was asked
//     for ahead, of a place that turns out to be another, is thrown away.
//   - Pages overlap by one row. When the seam does not match, rows moved while they were read.
//   - A page that repeats the one before (the server ignores skip) is never taken for rows.
//   - A short page is the last one only once the server has filled a page in the same reading, when it has
//     clearly less text than the longest page, and without Query.Prove: else it may be that the server caps its
//     pages, by rows or by size. Then only a page without a new row is the last one.
//   - A single row as STAT insights have it is all there is: see isStat.
//
// Errors: *TooManyRowsError, *TornError, *Error, what the Taker returned, or the cause of ctx. With an error what
// was taken is not the query's rows.
func (c *Client) Rows(ctx context.Context, q Query, to Taker) (Reading, error) {
	turns := turns{begun: &c.readings}
	return readRows(ctx, q, to, func(ctx context.Context, within window.Window, skip, limit int) (Page, error) {
		part := q
		part.Range, part.reading = within, turns.of(skip, q.PageSize)
		return c.Page(ctx, part, skip, limit)
	})
}

// askPage asks for limit rows from skip on of what lies within. It blocks until a page, an error or the end of ctx.
type askPage func(ctx context.Context, within window.Window, skip, limit int) (Page, error)

// readRows is the story of a reading. See Client.Rows.
func readRows(ctx context.Context, q Query, to Taker, ask askPage) (Reading, error) {
	if q.PageSize < 2 {
		return Reading{}, fmt.Errorf("page size %d: must be at least 2, since pages overlap by a row", q.PageSize)
	}
	r := &reader{query: q, to: to, pages: newPages(ctx, ask), drawing: drawing{asked: q.Range.End}, reading: Reading{End: q.Range.End}}
	defer r.pages.close()
	err := r.read()
	r.forget()
	r.reading.Requests, r.reading.Bytes = r.pages.requests, r.pages.bytes
	r.reading.Waited, r.reading.Took = r.pages.waited, r.pages.took
	return r.reading, err
}

// reader is a reading on its way.
type reader struct {
	query   Query // its Range ends where the end was drawn last
	to      Taker
	pages   *pages
	reading Reading

	at      int  // the place behind the last row received: that of the row to come
	taken   int  // pages received
	before  Page // the page before
	sizes   sizes
	drawing drawing

	known map[string]bool // the rows taken; only of a reading that may be torn
	stale int             // pages in a row without a new row, once torn
}

// sizes are those of the pages received.
type sizes struct {
	largest int  // rows of the largest page
	longest int  // bytes of the longest page
	row     int  // bytes of the longest row
	length  int  // bytes of the last page
	short   bool // the last page was short, after a full one
}

// drawing is what became of the end of the range.
type drawing struct {
	asked time.Time // the end that was asked for
	times int       // how often another one was drawn
	full  int       // how often the page up to it was full
}

func (r *reader) read() error {
	for {
		r.askAhead()
		skip, overlaps := r.next()
		page, err := r.page(skip)
		if err != nil {
			return err
		}
		rows := page.Rows
		if !r.reading.Torn && r.fits(rows, overlaps) {
			err = r.take(rows, overlaps)
		} else if !r.query.Unstable {
			err = r.torn(rows, skip)
		} else if goOn, failed := r.takeTorn(rows); !goOn || failed != nil {
			return failed
		}
		if err != nil {
			return err
		}
		r.move(skip, page, overlaps)
		if many, err := r.tooMany(); err != nil {
			return err
		} else if many {
			return &TooManyRowsError{MaxRows: r.query.MaxRows}
		}
		if r.ended(len(rows), overlaps) || skip == 0 && isStat(r.query, rows) {
			return nil
		}
		r.drawEnd()
	}
}

// next is where the next page begins. It overlaps with the one before by a row, unless the server was never
// seen to send two rows at once: then that would get no further. (From a server that only ever sends single
// rows, rows that vanish meanwhile go unseen.)
func (r *reader) next() (skip int, overlaps bool) {
	if r.sizes.largest < 2 {
		return r.at, false
	}
	return r.at - 1, true
}

func (r *reader) page(skip int) (Page, error) {
	return r.pages.get(r.query.Range, skip, r.query.PageSize)
}

// askAhead asks for the next pages before they are wanted: as many as are expected to hold rows, where they
// begin if the server goes on to fill its pages.
func (r *reader) askAhead() {
	if r.reading.Torn || r.sizes.largest < r.query.PageSize && (r.taken != 0 || !r.query.Filled) {
		return
	}
	skip, _ := r.next()
	step := max(r.sizes.largest, r.query.PageSize) - 1
	// Only so much of what is expected that a guess which is a little too high costs no request.
	end := r.at + r.to.Expect()*9/10
	if r.query.MaxRows > 0 {
		end = min(end, r.query.MaxRows)
	}
	for n := 0; n < r.query.Ahead; n++ {
		if n > 0 && (skip+step/2 > end || r.query.Nearer && r.nearlyFull(skip+1)) {
			return
		}
		r.pages.ask(r.query.Range, skip, r.query.PageSize)
		skip += step
	}
}

// fits reports whether a page joins on to what was read: the last row before must be its first one where
// they overlap, and must not be in it where they do not. A newer version of it that is sorted elsewhere tells nothing
// of the rows in between: it has moved past them, and as many as they are may have gone before it.
func (r *reader) fits(rows []string, overlaps bool) bool {
	if r.repeats(rows) {
		return false
	}
	if !overlaps {
		return r.seam(rows) == -1
	}
	return r.seam(rows) == 0 && r.sortedAlike(rows[0], r.before.last())
}

func (r *reader) sortedAlike(a, b string) bool {
	sort := r.query.SortID
	return sort == "" || a == b || valueOf(a, sort) == valueOf(b, sort)
}

// repeats reports whether a page is the one before once more.
func (r *reader) repeats(rows []string) bool {
	return len(rows) > 0 && slices.Equal(rows, r.before.Rows)
}

// seam is where a page holds the last row of the page before: -1 for nowhere.
func (r *reader) seam(rows []string) int {
	if len(r.before.Rows) == 0 {
		return -1
	}
	last := r.before.last()
	if len(rows) > 0 && rows[0] == last {
		return 0
	}
	key := identity(last, r.query.Key)
	return slices.IndexFunc(rows, func(row string) bool { return identity(row, r.query.Key) == key })
}

// take hands on a page that fits, without the row at the seam; or with it, if that is a newer version.
func (r *reader) take(rows []string, overlaps bool) error {
	again := false
	if overlaps {
		if again = rows[0] != r.before.last(); !again {
			rows = rows[1:]
		}
	}
	return r.handOn(rows, again)
}

func (r *reader) handOn(rows []string, again bool) error {
	if len(rows) == 0 {
		return nil
	}
	if r.query.Unstable {
		if r.known == nil {
			r.known = make(map[string]bool)
		}
		for _, row := range rows {
			r.known[row] = true
		}
	}
	r.reading.Rows += len(rows)
	if again {
		r.reading.Rows--
	}
	return r.to.Take(rows, again)
}

// takeTorn hands on the rows of a page that does not fit, or comes after such a page, as far as they are new, and
// marks the reading. goOn is false when one page after another brings nothing new: the server ignores skip.
func (r *reader) takeTorn(rows []string) (goOn bool, err error) {
	r.reading.Torn = true
	fresh := slices.DeleteFunc(slices.Clone(rows), func(row string) bool { return r.known[row] })
	if r.stale++; len(fresh) > 0 {
		r.stale = 0
	}
	return r.stale < 2, r.handOn(fresh, false)
}

// torn says why a page does not fit. A page that repeats the one before can be chance, when rows came in
// before it: it takes another one, of another skip, to say that the server ignores skip.
func (r *reader) torn(rows []string, skip int) error {
	if r.repeats(rows) {
		again, err := r.page(skip + 1)
		if err != nil {
			return err
		}
		if slices.Equal(again.Rows, rows) {
			return &TornError{Skip: skip, Page: r.sizes.largest, IgnoresSkip: true, Reason: "the page repeats the one before: the server ignores skip"}
		}
	}
	return &TornError{Skip: skip, Page: r.sizes.largest, Reason: "a row before it appeared or vanished while the pages were read"}
}

// move advances by the rows received, whatever was asked for.
func (r *reader) move(skip int, page Page, overlaps bool) {
	rows := page.Rows
	if news := len(rows) > 1 || len(rows) == 1 && !overlaps; r.sizes.short && news {
		r.reading.Short = true
	} else if r.sizes.short {
		r.reading.Proved = true
	}
	r.sizes.short = r.sizes.largest >= r.query.PageSize && len(rows) < r.query.PageSize
	r.at = skip + len(rows)
	r.taken++
	r.forget()
	r.before = page
	r.sizes.largest = max(r.sizes.largest, len(rows))
	r.reading.LargestPage = r.sizes.largest
	r.sizes.length = 0
	for _, row := range rows {
		r.sizes.length += len(row)
		r.sizes.row = max(r.sizes.row, len(row))
	}
	r.sizes.longest = max(r.sizes.longest, r.sizes.length)
}

// forget gives the page before out of hand: its rows were taken. Those that may be torn are known for good.
func (r *reader) forget() {
	if !r.query.Unstable {
		r.before.text.release()
	}
	r.before = Page{}
}

// tooMany reports whether the query has more rows than MaxRows. After a full first page of an uncertain query
// it asks for the row behind MaxRows.
func (r *reader) tooMany() (bool, error) {
	most := r.query.MaxRows
	if most == 0 {
		return false, nil
	}
	if max(r.at, r.reading.Rows) > most {
		return true, nil
	}
	if !r.query.Uncertain || r.taken > 1 || r.sizes.largest < r.query.PageSize {
		return false, nil
	}
	probe, err := r.pages.get(r.query.Range, most, 1)
	defer probe.text.release()
	// The very first row is no row behind the others: this server ignores skip, as the next page will show.
	return len(probe.Rows) > 0 && probe.Rows[0] != r.before.Rows[0], err
}

// ended reports whether nothing can follow a page of so many rows. A short page says so when it has clearly
// less text than the longest page: one that a cap on bytes made short has about as much, give or take a row.
func (r *reader) ended(received int, overlaps bool) bool {
	if received == 0 || received == 1 && overlaps {
		return true
	}
	return r.sizes.short && !r.query.Prove && r.sizes.length < r.sizes.longest-r.sizes.longest/10-r.sizes.row
}

const (
	// lastPage is which part of a page is meant to be read up to an end that was drawn: so few rows that the page is
	// clearly short, though the guess is not exact.
	lastPage = 0.86
	// fewer is by how much less is meant after two guesses that were bad, since the pace of the rows changes.
	fewer = 3
	// guesses is how many pages must fit below MaxRows when the end is drawn for the first time.
	guesses = 4
)

// drawEnd draws the end of the range nearer once MaxRows is near, so that the next page is the last one, and nearly
// full. Where that page does not prove the end, since it is full or nearly so, the end is drawn anew, nearer or not:
// the next page shall bring rows, too. Where no other page fits below MaxRows, the end is drawn back among the rows
// of the last page: then the next page brings but the last row before the end once more.
//
// The pages before it are those of another range. If the server's order is one, whatever the range, then of two
// ranges with one start the rows of the shorter one come in the same order in both, in the longer one with others
// among them. So the seam matches only if none of these others lies before it: then all pages are as those of the
// one range would be. And its last page proves its end as any other does. So no row is missing, whatever the rows
// are ordered by.
func (r *reader) drawEnd() {
	switch {
	case !r.query.Nearer, r.reading.Torn, r.query.MaxRows == 0, r.sizes.largest < r.query.PageSize, !r.nearlyFull(r.at):
		return
	case r.sizes.short && (r.query.Prove || r.drawing.times == 0): // what is behind it shall show
		return
	case r.at+r.query.PageSize-1 > r.query.MaxRows:
		if !r.sizes.short {
			r.drawBack()
		}
		return
	case r.drawing.times == 0 && r.at+r.to.Expect() < r.query.MaxRows:
		return
	}
	if r.drawing.times > 0 && !r.sizes.short {
		r.drawing.full++
	}
	want := lastPage * float64(r.query.PageSize) / math.Pow(fewer, float64(max(0, r.drawing.full-1)))
	if end, ok := r.to.Nearer(int(want)); ok && !end.After(r.drawing.asked) {
		r.draw(end)
	}
}

func (r *reader) drawBack() {
	end, behind, ok := r.to.Back()
	if !ok {
		return
	}
	r.at, r.reading.Rows = r.at-behind, r.reading.Rows-behind
	r.before.Rows = r.before.Rows[:len(r.before.Rows)-behind]
	r.draw(end)
}

func (r *reader) draw(end time.Time) {
	r.query.Range.End, r.reading.End = end, end
	r.drawing.times++
	r.sizes.short = false // of this range nothing is known yet
}

// nearlyFull reports whether so many rows are too many to go on with the same range.
func (r *reader) nearlyFull(rows int) bool {
	return rows+guesses*(r.query.PageSize-1) > r.query.MaxRows
}
