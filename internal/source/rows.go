package source

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Rows reads all rows of a query, page by page, until the server has shown that there are no more. How its
// pages are cut is not documented, so nothing about it is believed:
//
//   - The next page begins where the rows received end, not where the limit would put it.
//   - Pages overlap by one row. When the seam does not match, rows moved while they were read.
//   - A page that repeats the one before (the server ignores skip) is never taken for rows.
//   - A short page is the last one only once the server has filled a page in the same reading, when it has
//     clearly less text than the longest page, and without Query.Prove: else it may be that the server caps its
//     pages, by rows or by size. Then only a page without a new row is the last one.
//
// Errors: *TooManyRowsError, *TornError, *Error, or the cause of ctx. With an error the Reading holds the
// counts but no rows.
func (c *Client) Rows(ctx context.Context, q Query) (Reading, error) {
	return readRows(ctx, q, func(ctx context.Context, skip, limit int) (Page, error) {
		return c.Page(ctx, q, skip, limit)
	})
}

// askPage asks for limit rows from skip on. It blocks until a page, an error or the end of ctx.
type askPage func(ctx context.Context, skip, limit int) (Page, error)

// readRows is the story of a reading. See Client.Rows.
func readRows(ctx context.Context, q Query, ask askPage) (Reading, error) {
	if q.PageSize < 2 {
		return Reading{}, fmt.Errorf("page size %d: must be at least 2, since pages overlap by a row", q.PageSize)
	}
	r := &reader{query: q, ask: ask}
	for {
		skip, overlaps := r.next()
		rows, err := r.page(ctx, skip, q.PageSize)
		if err != nil {
			return r.counts(), err
		}
		if !r.reading.Torn && r.fits(rows, overlaps) {
			r.take(rows, overlaps)
		} else if !q.Unstable {
			err := r.torn(ctx, rows, skip)
			return r.counts(), err
		} else if goOn := r.takeTorn(rows); !goOn {
			return r.reading, nil
		}
		r.move(skip, rows, overlaps)
		if many, err := r.tooMany(ctx); err != nil {
			return r.counts(), err
		} else if many {
			return r.counts(), &TooManyRowsError{MaxRows: q.MaxRows}
		}
		if r.ended(len(rows), overlaps) {
			return r.reading, nil
		}
	}
}

// reader is a reading on its way.
type reader struct {
	query   Query
	ask     askPage
	reading Reading
	at      int      // the place behind the last row received: that of the row to come
	before  []string // the rows of the page before
	largest int      // rows of the largest page so far
	longest int      // bytes of the longest page so far
	row     int      // bytes of the longest row so far
	length  int      // bytes of the last page
	short   bool     // the last page was short, after a full one
	stale   int      // pages in a row without a new row, once torn
}

// next is where the next page begins. It overlaps with the one before by a row, unless the server was never
// seen to send two rows at once: then that would get no further. (From a server that only ever sends single
// rows, rows that vanish meanwhile go unseen.)
func (r *reader) next() (skip int, overlaps bool) {
	if r.largest < 2 {
		return r.at, false
	}
	return r.at - 1, true
}

func (r *reader) page(ctx context.Context, skip, limit int) ([]string, error) {
	page, err := r.ask(ctx, skip, limit)
	r.reading.Requests++
	r.reading.Bytes += page.Bytes
	r.reading.Waited += page.Waited
	return page.Rows, err
}

// fits reports whether a page joins on to what was read: the last row before must be its first one where
// they overlap, and must not be in it where they do not.
func (r *reader) fits(rows []string, overlaps bool) bool {
	if r.repeats(rows) {
		return false
	}
	want := -1
	if overlaps {
		want = 0
	}
	return r.seam(rows) == want
}

// repeats reports whether a page is the one before once more.
func (r *reader) repeats(rows []string) bool {
	return len(rows) > 0 && slices.Equal(rows, r.before)
}

// seam is where a page holds the last row of the page before: -1 for nowhere.
func (r *reader) seam(rows []string) int {
	if len(r.before) == 0 {
		return -1
	}
	last := r.before[len(r.before)-1]
	if len(rows) > 0 && rows[0] == last {
		return 0
	}
	last = r.identity(last)
	return slices.IndexFunc(rows, func(row string) bool { return r.identity(row) == last })
}

// identity tells one row from another: the values of its key as they are written, or the whole row where it
// has no complete key.
func (r *reader) identity(row string) string {
	var values map[string]json.RawMessage
	if len(r.query.Key) == 0 || json.Unmarshal([]byte(row), &values) != nil {
		return row
	}
	var key strings.Builder
	for _, id := range r.query.Key {
		value := string(values[id])
		if value == "" || value == "null" {
			return row
		}
		key.WriteByte(0) // is in no JSON text, so that neither two keys nor a key and a row run together
		key.WriteString(value)
	}
	return key.String()
}

// take adds a page that fits. Of the row at the seam the newer version stays.
func (r *reader) take(rows []string, overlaps bool) {
	if overlaps {
		r.reading.Rows = r.reading.Rows[:len(r.reading.Rows)-1]
	}
	r.append(rows)
}

// append adds rows of one page.
func (r *reader) append(rows []string) {
	if len(rows) > 0 {
		r.reading.Pages = append(r.reading.Pages, len(r.reading.Rows))
		r.reading.Rows = append(r.reading.Rows, rows...)
	}
}

// takeTorn adds the rows of a page that does not fit, or comes after such a page, as far as they are new, and
// marks the reading. goOn is false when one page after another brings nothing new: the server ignores skip.
func (r *reader) takeTorn(rows []string) (goOn bool) {
	r.reading.Torn = true
	known := make(map[string]bool, len(r.reading.Rows))
	for _, row := range r.reading.Rows {
		known[row] = true
	}
	fresh := slices.DeleteFunc(slices.Clone(rows), func(row string) bool { return known[row] })
	if r.stale++; len(fresh) > 0 {
		r.stale = 0
	}
	r.append(fresh)
	return r.stale < 2
}

// torn says why a page does not fit. A page that repeats the one before can be chance, when rows came in
// before it: it takes another one, of another skip, to say that the server ignores skip.
func (r *reader) torn(ctx context.Context, rows []string, skip int) error {
	if r.repeats(rows) {
		again, err := r.page(ctx, skip+1, r.query.PageSize)
		if err != nil {
			return err
		}
		if slices.Equal(again, rows) {
			return &TornError{Skip: skip, Page: r.largest, IgnoresSkip: true, Reason: "the page repeats the one before: the server ignores skip"}
		}
	}
	return &TornError{Skip: skip, Page: r.largest, Reason: "a row before it appeared or vanished while the pages were read"}
}

// move advances by the rows received, whatever was asked for.
func (r *reader) move(skip int, rows []string, overlaps bool) {
	if news := len(rows) > 1 || len(rows) == 1 && !overlaps; r.short && news {
		r.reading.Short = true
	} else if r.short {
		r.reading.Proved = true
	}
	r.short = r.largest >= r.query.PageSize && len(rows) < r.query.PageSize
	r.at = skip + len(rows)
	r.before = rows
	r.largest = max(r.largest, len(rows))
	r.length = 0
	for _, row := range rows {
		r.length += len(row)
		r.row = max(r.row, len(row))
	}
	r.longest = max(r.longest, r.length)
}

// tooMany reports whether the query has more rows than MaxRows. After a full first page of an uncertain query
// it asks for the row behind MaxRows.
func (r *reader) tooMany(ctx context.Context) (bool, error) {
	most := r.query.MaxRows
	if most == 0 {
		return false, nil
	}
	if max(r.at, len(r.reading.Rows)) > most {
		return true, nil
	}
	if !r.query.Uncertain || r.reading.Requests > 1 || r.largest < r.query.PageSize {
		return false, nil
	}
	probe, err := r.page(ctx, most, 1)
	// The very first row is no row behind the others: this server ignores skip, as the next page will show.
	return len(probe) > 0 && probe[0] != r.reading.Rows[0], err
}

// ended reports whether nothing can follow a page of so many rows. A short page says so when it has clearly
// less text than the longest page: one that a cap on bytes made short has about as much, give or take a row.
func (r *reader) ended(received int, overlaps bool) bool {
	if received == 0 || received == 1 && overlaps {
		return true
	}
	return r.short && !r.query.Prove && r.length < r.longest-r.longest/10-r.row
}

// counts is the reading without its rows.
func (r *reader) counts() Reading {
	counts := r.reading
	counts.Rows, counts.Pages = nil, nil
	return counts
}
