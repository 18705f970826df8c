package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"samespace-exporter/internal/window"
)

// rowList takes rows and keeps them.
type rowList struct {
	rows   []string
	expect int
}

func (l *rowList) Take(rows []string, again bool) error {
	if again {
		l.rows = l.rows[:len(l.rows)-1]
	}
	for _, row := range rows {
		l.rows = append(l.rows, strings.Clone(row))
	}
	return nil
}

func (l *rowList) Expect() int                          { return max(0, l.expect-len(l.rows)) }
func (l *rowList) Nearer(int) (at time.Time, ok bool)   { return }
func (l *rowList) Back() (at time.Time, n int, ok bool) { return }

// readWhole is a Reading and its rows; none with an error.
type readWhole struct {
	Reading
	Rows []string
}

func readAll(ctx context.Context, q Query, ask askPage) (readWhole, error) {
	return readExpecting(ctx, 0, q, ask)
}

func readExpecting(ctx context.Context, rows int, q Query, ask askPage) (readWhole, error) {
	list := &rowList{expect: rows}
	reading, err := readRows(ctx, q, list, ask)
	if err != nil {
		return readWhole{Reading: reading}, err
	}
	if reading.Rows != len(list.rows) {
		return readWhole{}, fmt.Errorf("%d rows were handed on, the reading says %d", len(list.rows), reading.Rows)
	}
	return readWhole{reading, list.rows}, nil
}

// table is an API in memory: rows, and how it cuts them into pages.
type table struct {
	mu       sync.Mutex
	rows     []string
	most     int  // rows in a page; 0: as many as asked for
	least    int  // rows in a page whatever is asked for, if there are so many
	sameSkip bool // ignores skip
	move     func(t *table, request int)

	requests int
	farthest int // skip
}

func (t *table) ask(_ context.Context, _ window.Window, skip, limit int) (Page, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	if t.move != nil {
		t.move(t, t.requests)
	}
	if t.requests > 10_000 {
		return Page{}, errors.New("no end of requests")
	}
	t.farthest = max(t.farthest, skip)
	if t.sameSkip {
		skip = 0
	}
	if t.most > 0 {
		limit = min(limit, t.most)
	}
	limit = max(limit, t.least)
	rest := t.rows[min(skip, len(t.rows)):]
	return Page{Rows: slices.Clone(rest[:min(limit, len(rest))]), Bytes: 10, Waited: 1}, nil
}

// at makes a movement happen just before the request of that number is answered.
func at(request int, move func(t *table)) func(*table, int) {
	return func(t *table, n int) {
		if n == request {
			move(t)
		}
	}
}

func insert(i int, row string) func(*table) {
	return func(t *table) { t.rows = slices.Insert(slices.Clone(t.rows), min(i, len(t.rows)), row) }
}

func remove(i, n int) func(*table) {
	return func(t *table) { t.rows = slices.Delete(slices.Clone(t.rows), i, i+n) }
}

func callRows(n int) []string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = callRow(i, "in")
	}
	return rows
}

func callRow(id int, direction string) string {
	return fmt.Sprintf(`{"id":"c%d","direction":"%s"}`, id, direction)
}

func TestRowsStillTableIsReadWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(t, "rows")
		api := &table{rows: callRows(n), most: rapid.IntRange(0, 9).Draw(t, "most"), least: rapid.IntRange(0, 12).Draw(t, "least")}
		q := Query{PageSize: rapid.IntRange(2, 9).Draw(t, "pageSize"), MaxRows: rapid.IntRange(0, 70).Draw(t, "maxRows")}
		q.Uncertain = rapid.Bool().Draw(t, "uncertain")
		q.Unstable = rapid.Bool().Draw(t, "unstable")
		if rapid.Bool().Draw(t, "keyed") {
			q.Key = []string{"id"}
		}
		q.Ahead, q.Filled = rapid.IntRange(0, 4).Draw(t, "ahead"), rapid.Bool().Draw(t, "filled")
		got, err := readExpecting(t.Context(), rapid.IntRange(0, 90).Draw(t, "expected"), q, api.ask)

		if q.MaxRows > 0 && api.farthest > q.MaxRows+q.PageSize {
			t.Fatalf("skip %d goes beyond max_rows %d", api.farthest, q.MaxRows)
		}
		if q.MaxRows > 0 && n > q.MaxRows {
			var many *TooManyRowsError
			if !errors.As(err, &many) || many.MaxRows != q.MaxRows || got.Rows != nil {
				t.Fatalf("%d rows with max_rows %d: %d rows, error %v", n, q.MaxRows, len(got.Rows), err)
			}
			return
		}
		if err != nil || got.Torn || !slices.Equal(got.Rows, api.rows) {
			t.Fatalf("read %d of %d rows, torn %t, error %v", len(got.Rows), n, got.Torn, err)
		}
		if got.Requests != api.requests || q.Ahead < 2 && (got.Bytes != int64(10*api.requests) || int(got.Waited) != api.requests) {
			t.Fatalf("counts of %d requests: %+v", api.requests, got)
		}
	})
}

func TestRowsOneMovementIsSeenOrDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before := callRows(rapid.IntRange(0, 40).Draw(t, "rows"))
		// A server that only ever sends single rows leaves no seam to look at: see reader.next.
		api := &table{rows: before, most: rapid.SampledFrom([]int{0, 2, 3, 5}).Draw(t, "most")}
		q := Query{PageSize: rapid.IntRange(2, 9).Draw(t, "pageSize")}
		if rapid.Bool().Draw(t, "keyed") {
			q.Key = []string{"id"}
		}
		place := rapid.IntRange(0, len(before)).Draw(t, "place")
		move := insert(place, callRow(1000, "in"))
		if place < len(before) && rapid.Bool().Draw(t, "removes") {
			move = remove(place, 1)
		}
		api.move = at(rapid.IntRange(1, 30).Draw(t, "request"), move)
		q.Ahead, q.Filled = rapid.IntRange(0, 4).Draw(t, "ahead"), rapid.Bool().Draw(t, "filled")
		got, err := readExpecting(t.Context(), rapid.IntRange(0, 60).Draw(t, "expected"), q, api.ask)

		var torn *TornError
		switch {
		case errors.As(err, &torn) && !torn.IgnoresSkip && got.Rows == nil:
		case err == nil && (slices.Equal(got.Rows, before) || slices.Equal(got.Rows, api.rows)):
		default:
			t.Fatalf("read %q\nbefore %q\nafter %q\nerror %v", got.Rows, before, api.rows, err)
		}
	})
}

func TestRowsUnstableEndsAndInventsNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		api := &table{rows: callRows(rapid.IntRange(0, 30).Draw(t, "rows")), most: rapid.IntRange(0, 5).Draw(t, "most")}
		api.sameSkip = rapid.Bool().Draw(t, "sameSkip")
		ever := slices.Clone(api.rows)
		movements := rapid.SliceOfN(rapid.IntRange(-30, 30), 0, 40).Draw(t, "movements")
		api.move = func(a *table, request int) {
			if request > len(movements) {
				return
			}
			switch place := movements[request-1]; {
			case place >= 0:
				ever = append(ever, callRow(1000+request, "in"))
				insert(place, ever[len(ever)-1])(a)
			case -place < len(a.rows):
				remove(-place, 1)(a)
			}
		}
		q := Query{PageSize: rapid.IntRange(2, 9).Draw(t, "pageSize"), Unstable: true, Ahead: rapid.IntRange(0, 4).Draw(t, "ahead")}
		got, err := readExpecting(t.Context(), 30, q, api.ask)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, row := range got.Rows {
			if seen[row] || !slices.Contains(ever, row) {
				t.Fatalf("row %s: twice %t, known %t", row, seen[row], slices.Contains(ever, row))
			}
			seen[row] = true
		}
	})
}

func TestRows(t *testing.T) {
	calls := callRows(10)
	keyed := []string{"id"}
	changed := func(t *table) { t.rows = slices.Clone(t.rows); t.rows[3] = callRow(3, "out") }
	tests := []struct {
		name     string
		api      *table
		query    Query
		want     []string // nil: an error
		torn     bool     // TornError, or Reading.Torn
		ignores  bool     // TornError.IgnoresSkip
		requests int
	}{
		{"empty span", &table{}, Query{PageSize: 4}, []string{}, false, false, 1},
		{"one row needs an empty page behind it", &table{rows: calls[:1]}, Query{PageSize: 4}, calls[:1], false, false, 2},
		{"short first page proves nothing", &table{rows: calls[:3]}, Query{PageSize: 4}, calls[:3], false, false, 2},
		{"short page after a full one is the last", &table{rows: calls[:5]}, Query{PageSize: 4}, calls[:5], false, false, 2},
		{"short page with as much text as a full one", &table{rows: calls[:6]}, Query{PageSize: 4}, calls[:6], false, false, 3},
		{"short page is not trusted", &table{rows: calls[:5]}, Query{PageSize: 4, Prove: true}, calls[:5], false, false, 3},
		{"server caps pages at 3", &table{rows: calls, most: 3}, Query{PageSize: 8}, calls, false, false, 6},
		{"server caps pages at 1", &table{rows: calls[:3], most: 1}, Query{PageSize: 8}, calls[:3], false, false, 4},
		{"server ignores the limit", &table{rows: calls, least: 7}, Query{PageSize: 4}, calls, false, false, 3},
		{"server ignores skip", &table{rows: calls, sameSkip: true}, Query{PageSize: 4}, nil, true, true, 3},
		{"server ignores skip, short page", &table{rows: calls, sameSkip: true}, Query{PageSize: 40}, nil, true, true, 3},
		{"server ignores skip, one row", &table{rows: calls[:1], sameSkip: true}, Query{PageSize: 4}, nil, true, true, 3},
		{"server ignores skip, uncertain", &table{rows: calls, sameSkip: true}, Query{PageSize: 4, MaxRows: 5, Uncertain: true}, nil, true, true, 4},
		{"server ignores skip, rows alike", &table{rows: slices.Repeat(calls[:1], 9), sameSkip: true}, Query{PageSize: 4}, nil, true, true, 3},
		{"server ignores skip, unstable", &table{rows: calls, sameSkip: true}, Query{PageSize: 4, Unstable: true}, calls[:4], true, false, 3},
		{"rows alike without a key", &table{rows: slices.Repeat(calls[:1], 3)}, Query{PageSize: 4}, slices.Repeat(calls[:1], 3), false, false, 2},
		{
			"a row that came in front of one row is no ignored skip",
			&table{rows: calls[:1], move: at(2, insert(0, "9"))}, Query{PageSize: 4}, nil, true, false, 3,
		},
		{
			"a row that came in front of two rows is no ignored skip",
			&table{rows: calls[:2], move: at(2, insert(0, "9"))}, Query{PageSize: 4}, nil, true, false, 3,
		},
		{
			"two rows that came in front of one row",
			&table{rows: calls[:1], move: at(2, func(t *table) { insert(0, "8")(t); insert(0, "9")(t) })}, Query{PageSize: 4}, nil, true, false, 2,
		},
		{"all rows vanish", &table{rows: calls, move: at(2, remove(0, 10))}, Query{PageSize: 4}, nil, true, false, 2},
		{"many rows vanish", &table{rows: calls, move: at(2, remove(0, 3))}, Query{PageSize: 4}, nil, true, false, 2},
		{
			"changed row at the seam, told by key, newer version stays",
			&table{rows: calls[:6], move: at(2, changed)}, Query{PageSize: 4, Key: keyed},
			slices.Concat(calls[:3], []string{callRow(3, "out")}, calls[4:6]), false, false, 3,
		},
		{"changed row at the seam without a key", &table{rows: calls, move: at(2, changed)}, Query{PageSize: 4}, nil, true, false, 2},
		{
			"rows without a key value are told by content",
			&table{rows: []string{`{"id":null,"n":1}`, `{"id":null,"n":2}`, `{"id":null,"n":3}`}, move: at(2, remove(0, 1))},
			Query{PageSize: 2, Key: keyed}, nil, true, false, 2,
		},
		{
			"unstable: a row comes in front, none is lost or doubled",
			&table{rows: calls, move: at(2, insert(0, "9"))}, Query{PageSize: 4, Unstable: true}, calls, true, false, 4,
		},
		{
			"unstable: all rows vanish",
			&table{rows: calls, move: at(2, remove(0, 10))}, Query{PageSize: 4, Unstable: true}, calls[:4], true, false, 2,
		},
		{
			"unstable: the torn page comes short of the one before it",
			&table{rows: calls, move: at(3, remove(0, 2))}, Query{PageSize: 4, Unstable: true}, slices.Concat(calls[:7], calls[8:]), true, false, 3,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := readAll(t.Context(), test.query, test.api.ask)
			var torn *TornError
			if errors.As(err, &torn) != (test.want == nil) || err != nil && torn == nil {
				t.Fatalf("read %q, error %v", got.Rows, err)
			}
			if torn != nil && torn.IgnoresSkip != test.ignores {
				t.Errorf("ignores skip: %t", torn.IgnoresSkip)
			}
			if got.Torn != (test.torn && torn == nil) {
				t.Errorf("marked torn: %t", got.Torn)
			}
			if !slices.Equal(got.Rows, test.want) {
				t.Errorf("read %q\nwant %q", got.Rows, test.want)
			}
			if got.Requests != test.requests {
				t.Errorf("%d requests, want %d", got.Requests, test.requests)
			}
		})
	}
}

func TestRowsUncertainCostsTwoRequests(t *testing.T) {
	api := &table{rows: callRows(1000)}
	_, err := readAll(t.Context(), Query{PageSize: 10, MaxRows: 200, Uncertain: true}, api.ask)
	var many *TooManyRowsError
	if !errors.As(err, &many) || api.requests != 2 || api.farthest != 200 {
		t.Errorf("error %v after %d requests, up to row %d", err, api.requests, api.farthest)
	}
}

func TestRowsPassesErrorsOn(t *testing.T) {
	broken := &Error{Class: Transient, Err: errors.New("reset")}
	for failing := 1; failing <= 3; failing++ {
		api := &table{rows: callRows(10)}
		ask := func(ctx context.Context, within window.Window, skip, limit int) (Page, error) {
			if api.requests+1 == failing {
				return Page{Waited: 1}, broken
			}
			return api.ask(ctx, within, skip, limit)
		}
		got, err := readAll(t.Context(), Query{PageSize: 4, MaxRows: 20, Uncertain: true}, ask)
		if err != broken || got.Rows != nil || got.Requests != failing || int(got.Waited) != failing {
			t.Errorf("request %d fails: %+v, error %v", failing, got, err)
		}
	}
	if _, err := readAll(t.Context(), Query{PageSize: 1}, nil); err == nil {
		t.Error("a page size of 1 was taken")
	}
}

// The row at a seam may be a newer version of itself, and in its place all the same, though it has moved past others:
// where as many rows went before it.
func TestRowsAtASeamThatMoved(t *testing.T) {
	timed := func(id, at string) string { return fmt.Sprintf(`{"id":%q,"at":%q}`, id, at) }
	before := []string{timed("a", "1"), timed("b", "2"), timed("seam", "3"), timed("c", "4"), timed("d", "6"), timed("e", "7")}
	after := []string{timed("b", "2"), timed("c", "4"), timed("seam", "5"), timed("d", "6"), timed("e", "7")}
	q := Query{PageSize: 3, Key: []string{"id"}, SortID: "at"}
	api := &table{rows: before, move: at(2, func(t *table) { t.rows = after })}
	var torn *TornError
	if read, err := readAll(t.Context(), q, api.ask); !errors.As(err, &torn) {
		t.Errorf("%v, %v: c is in neither page", read.Rows, err)
	}
	restated := slices.Clone(before)
	restated[2] = `{"id":"seam","at":"3","more":true}`
	api = &table{rows: before, move: at(2, func(t *table) { t.rows = restated })}
	if read, err := readAll(t.Context(), q, api.ask); err != nil || !slices.Equal(read.Rows, restated) {
		t.Errorf("a row that was only restated: %v, %v", read.Rows, err)
	}
}
