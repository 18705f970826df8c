package export

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// hours are n windows of an hour from start, with the rows that rows says.
func hours(start time.Time, n int, read bool, rows func(time.Time) int64) []sink.Entry {
	var entries []sink.Entry
	for i := range n {
		w := window.Window{Start: start.Add(time.Duration(i) * time.Hour)}
		w.End = w.Start.Add(time.Hour)
		e := sink.Entry{Window: w}
		if read {
			e.Rows, e.ReadTo = rows(w.Start), w.End
		}
		entries = append(entries, e)
	}
	return entries
}

var monday = time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)

func flat(rows int64) func(time.Time) int64 { return func(time.Time) int64 { return rows } }

// office is a contact centre that is busy by day and shut at the weekend.
func office(t time.Time) int64 {
	if t.Weekday() == time.Saturday || t.Weekday() == time.Sunday || t.Hour() < 8 || t.Hour() >= 18 {
		return 20
	}
	return 3000
}

func (f fit) is(windows int, uncertain bool) bool {
	return f.windows == windows && f.uncertain == uncertain && len(f.expected) == windows
}

func TestFitSpanKnowsNothing(t *testing.T) {
	if got := fitSpan(hours(monday, 100, false, nil), nil, room{20000, 1}, false); !got.is(1, true) {
		t.Errorf("got %+v, want one window, uncertain", got)
	}
}

func TestFitSpanGrows(t *testing.T) {
	near := hours(monday, 2, true, flat(1))
	got := fitSpan(hours(monday.Add(2*time.Hour), 100, false, nil), near, room{20000, 1}, false)
	if !got.is(8, true) {
		t.Errorf("got %+v, want four times the two hours that are known", got)
	}
}

func TestFitSpanFillsQuietHistory(t *testing.T) {
	near := hours(monday, 8*24, true, flat(2))
	got := fitSpan(hours(monday.AddDate(0, 0, 8), 744, false, nil), near, room{20000, 1}, false)
	if !got.is(744, false) {
		t.Errorf("got %+v, want all 744 hours", got)
	}
}

func TestFitSpanFollowsTheTimeOfDay(t *testing.T) {
	near := hours(monday, 8*24, true, office)
	night := monday.AddDate(0, 0, 8).Add(18 * time.Hour)
	// 14 quiet hours, then five busy ones fill what is to be filled of 20,000.
	if got := fitSpan(hours(night, 100, false, nil), near, room{20000, 1}, false); !got.is(19, false) {
		t.Errorf("from the evening: got %+v, want 19 hours", got)
	}
	morning := monday.AddDate(0, 0, 8).Add(8 * time.Hour)
	if got := fitSpan(hours(morning, 100, false, nil), near, room{20000, 1}, false); !got.is(5, false) {
		t.Errorf("from the morning: got %+v, want 5 hours", got)
	}
}

func TestFitSpanOfARereadHoldsWhatItHeld(t *testing.T) {
	candidates := hours(monday, 48, true, office)
	got := fitSpan(candidates, nil, room{20000, 1}, false)
	if !got.is(13, false) { // eight quiet hours and five busy ones
		t.Errorf("got %+v, want 13 hours", got)
	}
}

func TestFitSpanBackwards(t *testing.T) {
	candidates := append(hours(monday, 1, true, flat(10)), hours(monday.Add(time.Hour), 1, true, flat(90000))...)
	if got := fitSpan(candidates, nil, room{20000, 1}, true); !got.is(1, false) {
		t.Errorf("got %+v, want the busy last hour alone", got)
	}
}

func TestFitSpanTakesOneToAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows := func(time.Time) int64 { return rapid.Int64Range(0, 100_000).Draw(t, "rows") }
		near := hours(monday, rapid.IntRange(0, 30).Draw(t, "near"), true, rows)
		candidates := append(hours(monday.AddDate(0, 0, 3), rapid.IntRange(0, 5).Draw(t, "read"), true, rows),
			hours(monday.AddDate(0, 0, 4), rapid.IntRange(1, 50).Draw(t, "unread"), false, nil)...)
		got := fitSpan(candidates, near, room{rapid.IntRange(1, 50_000).Draw(t, "max"), rapid.IntRange(1, 8).Draw(t, "parts")}, rapid.Bool().Draw(t, "backwards"))
		if got.windows < 1 || got.windows > len(candidates) {
			t.Fatalf("%d of %d windows", got.windows, len(candidates))
		}
	})
}
