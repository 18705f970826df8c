package window_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"samespace-exporter/internal/window"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	parsed, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func location(t testing.TB, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func grid(t testing.TB, size time.Duration, zone string) window.Grid {
	t.Helper()
	g, err := window.NewGrid(size, location(t, zone))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

const day = 24 * time.Hour

func TestGridAlignment(t *testing.T) {
	for _, c := range []struct {
		name       string
		size       time.Duration
		zone       string
		at         string
		start, end string
	}{
		{"an hour, in UTC whatever the zone", time.Hour, "Asia/Kolkata", "2023-07-04T22:39:23Z", "2023-07-04T22:00:00Z", "2023-07-04T23:00:00Z"},
		{"a size that does not divide a day", 7 * time.Hour, "UTC", "1970-01-01T08:00:00Z", "1970-01-01T07:00:00Z", "1970-01-01T14:00:00Z"},
		{"before the epoch", time.Hour, "UTC", "1969-12-31T23:30:00Z", "1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z"},
		{"a day in Kolkata", day, "Asia/Kolkata", "2023-07-04T22:39:23Z", "2023-07-04T18:30:00Z", "2023-07-05T18:30:00Z"},
		{"a day of 23 hours", day, "Europe/Berlin", "2024-03-31T12:00:00Z", "2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z"},
		{"a day of 25 hours", day, "Europe/Berlin", "2024-10-27T12:00:00Z", "2024-10-26T22:00:00Z", "2024-10-27T23:00:00Z"},
		{"a day of 24.5 hours", day, "Australia/Lord_Howe", "2024-04-07T03:00:00Z", "2024-04-06T13:00:00Z", "2024-04-07T13:30:00Z"},
		{"a day that begins at 01:00", day, "America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		{"the day before one that does not exist", day, "Pacific/Apia", "2011-12-30T06:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"},
		{"a week begins on Monday", 7 * day, "UTC", "2024-05-09T12:00:00Z", "2024-05-06T00:00:00Z", "2024-05-13T00:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := grid(t, c.size, c.zone).At(at(t, c.at))
			want := window.Window{Start: at(t, c.start), End: at(t, c.end)}
			if !got.Start.Equal(want.Start) || !got.End.Equal(want.End) {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestGridRefusesSizes(t *testing.T) {
	for _, size := range []time.Duration{0, -time.Hour, time.Millisecond, 1500 * time.Millisecond, 36 * time.Hour} {
		if _, err := window.NewGrid(size, nil); err == nil {
			t.Errorf("size %s was taken", size)
		}
	}
}

// Zones whose clocks change at midnight, by half an hour, by a whole day, or not at all.
var zones = []string{
	"UTC", "Asia/Kolkata", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Havana",
	"Australia/Lord_Howe", "Pacific/Apia", "Atlantic/Azores", "Africa/Cairo", "America/Scoresbysund", "Asia/Beirut",
}

func drawGrid(t *rapid.T) window.Grid {
	size := rapid.OneOf(
		rapid.SampledFrom([]time.Duration{time.Second, time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 7 * time.Hour}),
		rapid.SampledFrom([]time.Duration{day, 2 * day, 7 * day, 30 * day}),
	).Draw(t, "size")
	zone, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := window.NewGrid(size, zone)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func drawTime(t *rapid.T, label string) time.Time {
	return time.UnixMilli(rapid.Int64Range(-1_000_000_000_000, 4_000_000_000_000).Draw(t, label)).UTC()
}

// Every instant falls into exactly one window, which is the same for each of the window's instants, and its
// neighbours begin where it ends.
func TestGridIsAPartition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGrid(t)
		instant := drawTime(t, "instant")
		w := g.At(instant)
		if !w.Contains(instant) {
			t.Fatalf("%s does not hold %s", w, instant)
		}
		inside := w.Start.Add(time.Duration(rapid.Int64Range(0, int64(w.Duration())-1).Draw(t, "inside")))
		if again := g.At(inside); again != w {
			t.Fatalf("%s falls into %s, not %s", inside, again, w)
		}
		if next := g.At(w.End); !next.Start.Equal(w.End) {
			t.Fatalf("%s is followed by %s", w, next)
		}
	})
}

func TestCutCoversAStretch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGrid(t)
		start := drawTime(t, "start")
		length := g.Size() * time.Duration(rapid.IntRange(0, 40).Draw(t, "windows")) / 3
		stretch := window.Window{Start: start, End: start.Add(length)}
		at := stretch.Start
		for _, piece := range g.Cut(stretch) {
			if piece.Empty() || !piece.Start.Equal(at) {
				t.Fatalf("piece %s does not begin at %s", piece, at)
			}
			if whole := g.At(piece.Start); whole.Intersect(stretch) != piece {
				t.Fatalf("piece %s is not what %s has of the grid's %s", piece, stretch, whole)
			}
			at = piece.End
		}
		if !at.Equal(stretch.End) {
			t.Fatalf("the pieces end at %s, not %s", at, stretch.End)
		}
	})
}

func TestHalve(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := drawTime(t, "start")
		w := window.Window{Start: start, End: start.Add(time.Duration(rapid.Int64Range(1, int64(day)).Draw(t, "length")))}
		first, second, ok := w.Halve()
		if !ok {
			if w.Duration() > 2*time.Second {
				t.Fatalf("%s was not cut", w)
			}
			return
		}
		if first.Empty() || second.Empty() || first.Start != w.Start || first.End != second.Start || second.End != w.End {
			t.Fatalf("%s was cut into %s and %s", w, first, second)
		}
		if first.End.Nanosecond() != 0 {
			t.Fatalf("%s was cut at %s, within a second", w, first.End)
		}
	})
}

func TestHalvingEnds(t *testing.T) {
	w := window.Window{Start: at(t, "2024-05-06T10:00:00Z"), End: at(t, "2024-05-06T11:00:00Z")}
	cuts := 0
	for ok := true; ok; cuts++ {
		w, _, ok = w.Halve()
		if cuts > 20 {
			t.Fatal("an hour is still cut after 20 halvings")
		}
	}
}

// The gaps and what is covered make up the whole, and share nothing.
func TestGaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := time.Unix(1_700_000_000, 0).UTC()
		draw := func(label string) window.Window {
			a := rapid.IntRange(0, 60).Draw(t, label+" start")
			n := rapid.IntRange(0, 20).Draw(t, label+" length")
			return window.Window{Start: base.Add(time.Duration(a) * time.Second), End: base.Add(time.Duration(a+n) * time.Second)}
		}
		within := draw("within")
		var covered []window.Window
		for range rapid.IntRange(0, 8).Draw(t, "n") {
			if w := draw("covered"); !w.Empty() {
				covered = append(covered, w)
			}
		}
		slices.SortFunc(covered, func(a, b window.Window) int { return a.Start.Compare(b.Start) })
		gaps := window.Gaps(within, covered)
		holds := func(ws []window.Window, instant time.Time) bool {
			return slices.ContainsFunc(ws, func(w window.Window) bool { return w.Contains(instant) })
		}
		for s := -1; s < 90; s++ {
			instant := base.Add(time.Duration(s) * time.Second)
			want := within.Contains(instant) && !holds(covered, instant)
			if got := holds(gaps, instant); got != want {
				t.Fatalf("second %d: in a gap is %v, want %v (within %s, covered %v, gaps %v)", s, got, want, within, covered, gaps)
			}
		}
	})
}

func TestRereadNext(t *testing.T) {
	end := time.Date(2024, 5, 6, 11, 0, 0, 0, time.UTC)
	r := window.Reread{15 * time.Minute, time.Hour, 6 * time.Hour, day, 4 * day}
	for _, c := range []struct {
		read time.Duration // after the end
		next time.Duration // after the end; 0: final
	}{
		{2 * time.Minute, 15 * time.Minute},
		{15 * time.Minute, time.Hour},
		{20 * time.Minute, time.Hour},
		{2 * day, 4 * day},
		{4 * day, 0},
		{400 * day, 0},
	} {
		next, ok := r.Next(end, end.Add(c.read))
		if ok != (c.next != 0) || ok && !next.Equal(end.Add(c.next)) {
			t.Errorf("read %s after the end: next is %s after it (%v), want %s", c.read, next.Sub(end), ok, c.next)
		}
	}
	if _, ok := (window.Reread{}).Next(end, end); ok {
		t.Error("without delays there is a next read")
	}
}

func FuzzGrid(f *testing.F) {
	f.Add(int64(3600), int64(1688510363), "Asia/Kolkata")
	f.Add(int64(86400), int64(1541300000), "America/Sao_Paulo")
	f.Add(int64(604800), int64(-1), "Pacific/Apia")
	f.Fuzz(func(t *testing.T, size, unix int64, zone string) {
		l, err := time.LoadLocation(zone)
		if err != nil || unix < -1e11 || unix > 1e11 || size > 1e9 || size < -1e9 {
			return
		}
		g, err := window.NewGrid(time.Duration(size)*time.Second, l)
		if err != nil {
			return
		}
		instant := time.Unix(unix, 0)
		w := g.At(instant)
		if !w.Contains(instant) || !g.At(w.End).Start.Equal(w.End) {
			t.Fatalf("size %d in %s: %s falls into %s, followed by %s", size, zone, instant.UTC(), w, g.At(w.End))
		}
	})
}
