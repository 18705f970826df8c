package source

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"samespace-exporter/internal/window"
)

// asked is a table that notes what it is asked for.
type asked struct {
	timedTable
	mu   sync.Mutex
	what map[string]int
	late error // of what begins later than the table
}

func (a *asked) ask(ctx context.Context, within window.Window, skip, limit int) (Page, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.what[fmt.Sprint(within, " ", skip)]++
	if a.late != nil && within.Start.After(epoch) {
		return Page{}, a.late
	}
	return a.timedTable.ask(ctx, within, skip, limit)
}

// hundred is a table of a row a second.
func hundred() *asked {
	a := &asked{timedTable: timedTable{order: func(rows []timedRow) []timedRow { return rows }}, what: map[string]int{}}
	for n := range 100 {
		a.rows = append(a.rows, timedRow{id: n, asked: n, sorted: n})
	}
	return a
}

// halves reads up to an end that is drawn, and what the pages behind it are asked for by.
func halves(t *testing.T, a *asked, sure bool) (first *timedList, read Reading, rest Query) {
	t.Helper()
	whole := window.Window{Start: epoch, End: epoch.Add(100 * time.Second)}
	q := Query{Range: whole, PageSize: 5, MaxRows: 40, Nearer: true, Ahead: 3, Next: func(end time.Time) (window.Window, int, bool) {
		return window.Window{Start: end, End: whole.End}, 100, sure
	}}
	first = &timedList{end: 100, guess: []int{2}, seen: map[string]bool{}}
	read, err := readRows(t.Context(), q, first, a.ask)
	if err != nil || !read.End.Before(whole.End) || read.Early == nil {
		t.Fatalf("%+v, %v", read, err)
	}
	q.Range, q.MaxRows, q.Nearer, q.Early = window.Window{Start: read.End, End: whole.End}, 0, false, read.Early
	return first, read, q
}

// What is read next is under way when a part ends, and asked for once.
func TestEarlyPages(t *testing.T) {
	for _, sure := range []bool{false, true} {
		t.Run(fmt.Sprint("sure: ", sure), func(t *testing.T) { readHalves(t, sure) })
	}
}

func readHalves(t *testing.T, sure bool) {
	a := hundred()
	first, read, q := halves(t, a, sure)
	read.Early.pages.asking.Wait()
	if early := len(read.Early.pages.ahead); early != 3 {
		t.Errorf("%d pages were asked for early", early)
	}
	second := &timedList{end: 100, seen: map[string]bool{}}
	rest, err := readRows(t.Context(), q, second, a.ask)
	if err != nil || rest.Early != nil {
		t.Fatalf("%+v, %v", rest, err)
	}
	for n, row := range append(first.rows, second.rows...) {
		if row != a.rows[n].text() {
			t.Fatalf("row %d is %s", n, row)
		}
	}
	if all := len(first.rows) + len(second.rows); all != 100 {
		t.Errorf("%d rows", all)
	}
	requests := 0
	for what, times := range a.what {
		if requests += times; times > 1 {
			t.Errorf("%s was asked for %d times", what, times)
		}
	}
	if told := read.Requests + rest.Requests; told != requests {
		t.Errorf("%d requests, %d are told of", requests, told)
	}
}

// Pages of another range, or of another size, are no pages of a reading.
func TestEarlyPagesOfSomethingElse(t *testing.T) {
	for name, change := range map[string]func(*Query){
		"a range": func(q *Query) { q.Range.Start = q.Range.Start.Add(-10 * time.Second) },
		"a size":  func(q *Query) { q.PageSize = 7 },
	} {
		t.Run(name, func(t *testing.T) {
			a := hundred()
			_, read, q := halves(t, a, true)
			change(&q)
			rest := &timedList{end: 100, seen: map[string]bool{}}
			if _, err := readRows(t.Context(), q, rest, a.ask); err != nil {
				t.Fatal(err)
			}
			if want := int(epoch.Add(100*time.Second).Sub(q.Range.Start) / time.Second); len(rest.rows) != want {
				t.Errorf("%d rows, want %d", len(rest.rows), want)
			}
			if read.Early.pages.ctx.Err() == nil {
				t.Error("what was asked for early goes on")
			}
		})
	}
}

// An error of a page that was asked for early is that of the reading which wants it.
func TestEarlyPageThatFails(t *testing.T) {
	a := hundred()
	a.late = errors.New("gone")
	_, _, q := halves(t, a, true)
	if _, err := readRows(t.Context(), q, &timedList{seen: map[string]bool{}}, a.ask); !errors.Is(err, a.late) {
		t.Errorf("%v", err)
	}
}
