package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"samespace-exporter/internal/window"
)

// timedRow is a row of a timedTable.
type timedRow struct {
	id      int
	asked   int // when it is by what the range is about, in seconds
	sorted  int // by what the rows are sorted; -1: it has none
	arrived int
}

func (r timedRow) text() string { return fmt.Sprintf(`{"id":"c%d","at":%d}`, r.id, r.sorted) }

// timedTable is an API in memory whose rows have times, and how it orders them.
type timedTable struct {
	rows []timedRow
	// order is the list of the rows that lie in a range, which come in order of arrival.
	order func([]timedRow) []timedRow
	most  int // rows in a page; 0: as many as asked for
	// ends says that the end of a range belongs to it.
	ends bool
}

var epoch = time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)

func (t *timedTable) ask(_ context.Context, within window.Window, skip, limit int) (Page, error) {
	var list []timedRow
	for _, r := range t.rows {
		at := epoch.Add(time.Duration(r.asked) * time.Second)
		if within.Contains(at) || t.ends && at.Equal(within.End) {
			list = append(list, r)
		}
	}
	list = t.order(list)
	if t.most > 0 {
		limit = min(limit, t.most)
	}
	list = list[min(skip, len(list)):]
	var p Page
	for _, r := range list[:min(limit, len(list))] {
		p.Rows = append(p.Rows, r.text())
	}
	return p, nil
}

// timedList takes rows by what they are sorted by, as an export does, and draws the end where it is told to: not once
// a row had no time. Like an export it fails when the rows are not in order, or one comes again on a later page.
type timedList struct {
	rowList
	end      int // of the range, in seconds
	guess    []int
	page     []int
	seen     map[string]bool
	noTime   bool
	latest   int
	disorder bool
}

func (l *timedList) Take(rows []string, again bool) error {
	l.page = l.page[:0]
	first := len(l.rows)
	for i, row := range rows {
		n, _ := strconv.Atoi(strings.TrimSuffix(row[strings.LastIndexByte(row, ':')+1:], "}"))
		l.page = append(l.page, n)
		l.noTime = l.noTime || n < 0
		l.disorder = l.disorder || n >= 0 && n < l.latest || l.seen[row] && (i != 0 || first == 0 || l.rows[first-1] != row)
		l.latest = max(l.latest, n)
	}
	for _, row := range rows {
		l.seen[row] = true
	}
	return l.rowList.Take(rows, again)
}

func (l *timedList) Expect() int { return 1 << 20 }

// Nearer is a bad guess: anything behind the last row.
func (l *timedList) Nearer(int) (time.Time, bool) {
	last := l.page[len(l.page)-1]
	if l.noTime || l.disorder || last >= l.end || len(l.guess) == 0 {
		return time.Time{}, false
	}
	end := last + 1 + l.guess[0]%(l.end-last)
	l.guess = l.guess[1:]
	return epoch.Add(time.Duration(end) * time.Second), true
}

func (l *timedList) Back() (time.Time, int, bool) {
	if l.noTime || l.disorder {
		return time.Time{}, 0, false
	}
	end := l.page[len(l.page)-1]
	if end == l.page[0] {
		return time.Time{}, 0, false
	}
	before, _ := slices.BinarySearch(l.page, end)
	behind := len(l.page) - before
	for _, row := range l.rows[len(l.rows)-behind:] {
		delete(l.seen, row)
	}
	l.rows = l.rows[:len(l.rows)-behind]
	l.latest = l.page[before-1]
	return epoch.Add(time.Duration(end) * time.Second), behind, true
}

// However the server orders its rows, a reading whose end was drawn has every row before that end, or it fails. It
// may order those of each range in another way, if the range is about what the rows are sorted by; and the range may
// be about something else, if there is one order for all ranges.
func TestNoRowIsMissingBeforeADrawnEnd(t *testing.T) {
	bySorted := func(a, b timedRow) int { return cmp.Or(cmp.Compare(a.sorted, b.sorted), cmp.Compare(a.id, b.id)) }
	sorted := func(list []timedRow) []timedRow { slices.SortFunc(list, bySorted); return list }
	orders := map[string]func(n int) func([]timedRow) []timedRow{
		"sorted": func(int) func([]timedRow) []timedRow { return sorted },
		"sorted, none last": func(int) func([]timedRow) []timedRow {
			return func(list []timedRow) []timedRow {
				slices.SortFunc(list, func(a, b timedRow) int {
					return cmp.Or(cmp.Compare(uint(a.sorted), uint(b.sorted)), cmp.Compare(a.id, b.id))
				})
				return list
			}
		},
		"only the first rows are sorted": func(n int) func([]timedRow) []timedRow {
			return func(list []timedRow) []timedRow {
				sorted(list[:min(n, len(list))])
				return list
			}
		},
		"sorted as text": func(int) func([]timedRow) []timedRow {
			return func(list []timedRow) []timedRow {
				slices.SortFunc(list, func(a, b timedRow) int {
					return cmp.Or(strings.Compare(strconv.Itoa(a.sorted), strconv.Itoa(b.sorted)), cmp.Compare(a.id, b.id))
				})
				return list
			}
		},
		"as they arrived": func(int) func([]timedRow) []timedRow { return func(list []timedRow) []timedRow { return list } },
	}
	drawn, whole, failed := 0, 0, 0
	for name, order := range orders {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				n := rapid.IntRange(0, 120).Draw(t, "rows")
				oneOrder := name != "only the first rows are sorted"
				api := &timedTable{order: order(rapid.IntRange(1, 60).Draw(t, "n")), ends: rapid.Bool().Draw(t, "ends")}
				if rapid.Bool().Draw(t, "caps") {
					api.most = rapid.IntRange(2, 12).Draw(t, "most")
				}
				seldom := func(label string) bool { return rapid.IntRange(0, 9).Draw(t, label) == 0 }
				at := 0
				for id := range n {
					at += rapid.IntRange(0, 2).Draw(t, "gap")
					r := timedRow{id: id, asked: at, sorted: at, arrived: at}
					if seldom("late") {
						r.arrived += rapid.IntRange(0, 60).Draw(t, "by")
					}
					if oneOrder && seldom("other time") {
						r.sorted = max(0, r.sorted+rapid.IntRange(-30, 30).Draw(t, "off"))
					}
					if oneOrder && seldom("no time") {
						r.sorted = -1
					}
					api.rows = append(api.rows, r)
				}
				slices.SortStableFunc(api.rows, func(a, b timedRow) int { return cmp.Compare(a.arrived, b.arrived) })
				q := Query{
					Range:    window.Window{Start: epoch, End: epoch.Add(time.Duration(at+1) * time.Second)},
					PageSize: rapid.IntRange(2, 9).Draw(t, "pageSize"), Key: []string{"id"}, Nearer: true,
					Ahead: rapid.IntRange(0, 5).Draw(t, "ahead"), Filled: rapid.Bool().Draw(t, "filled"), Prove: rapid.Bool().Draw(t, "prove"),
				}
				q.MaxRows = q.PageSize * rapid.IntRange(1, 8).Draw(t, "pages")
				list := &timedList{end: at + 1, seen: map[string]bool{}, guess: rapid.SliceOfN(rapid.IntRange(0, 200), 40, 40).Draw(t, "guesses")}
				reading, err := readRows(t.Context(), q, list, api.ask)
				var many *TooManyRowsError
				var torn *TornError
				if err == nil && list.disorder {
					failed++
					return
				}
				if err != nil {
					if failed++; !errors.As(err, &many) && !errors.As(err, &torn) {
						t.Fatal(err)
					}
					return
				}
				if reading.End.Before(q.Range.End) {
					drawn++
				} else {
					whole++
				}
				for _, r := range api.rows {
					in := window.Window{Start: q.Range.Start, End: reading.End}.Contains(epoch.Add(time.Duration(r.asked) * time.Second))
					if in && !slices.Contains(list.rows, r.text()) {
						t.Fatalf("row %+v is missing: %d rows were read up to %s of %s, in %d requests", r, len(list.rows), reading.End, q.Range.End, reading.Requests)
					}
				}
			})
		})
	}
	if drawn == 0 || whole == 0 || failed == 0 {
		t.Errorf("%d ends were drawn, %d readings were whole, %d failed", drawn, whole, failed)
	}
	t.Logf("%d ends were drawn, %d readings were whole, %d failed", drawn, whole, failed)
}
