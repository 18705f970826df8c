package window

import (
	"fmt"
	"time"
)

// Grid is the fixed cutting of time into windows of one size. The same instant always falls into the same
// window, whoever asks and whenever.
type Grid struct {
	days     int
	size     time.Duration
	location *time.Location
}

// NewGrid makes a grid of windows of the given size. Sizes below a day are aligned to the Unix epoch in UTC.
// A day or more must be whole days: those windows start at midnight in location (nil: UTC), so that a day
// on which the clocks change is 23 or 25 hours long, and several days are counted from Monday, 1970-01-05.
// Sizes are whole seconds.
func NewGrid(size time.Duration, location *time.Location) (Grid, error) {
	const day = 24 * time.Hour
	if location == nil {
		location = time.UTC
	}
	switch {
	case size < time.Second || size%time.Second != 0:
		return Grid{}, fmt.Errorf("window size %s is not a whole number of seconds above zero", size)
	case size < day:
		return Grid{size: size, location: location}, nil
	case size%day != 0:
		return Grid{}, fmt.Errorf("window size %s is above a day but not a whole number of days", size)
	}
	return Grid{days: int(size / day), size: size, location: location}, nil
}

// Size is the nominal length of a window; one that holds a change of the clocks is longer or shorter.
func (g Grid) Size() time.Duration { return g.size }

// Location is the timezone that windows of a day or more are aligned to, and that local times are in.
func (g Grid) Location() *time.Location { return g.location }

// At is the window of the grid that holds t.
func (g Grid) At(t time.Time) Window {
	if g.days == 0 {
		start := floor(t, g.size)
		return Window{start, start.Add(g.size)}
	}
	n := floorDiv(dayNumber(t.In(g.location)), g.days)
	for {
		w := Window{g.dayStart(n * g.days), g.dayStart((n + 1) * g.days)}
		switch {
		case t.Before(w.Start):
			n--
		case !t.Before(w.End):
			n++
		default:
			return w
		}
	}
}

// Cut cuts a stretch of time at the grid's bounds, in order of time. The first and the last piece are
// shorter than a window of the grid when the stretch does not begin or end on a bound.
func (g Grid) Cut(stretch Window) []Window {
	var pieces []Window
	for at := stretch.Start; at.Before(stretch.End); {
		piece := g.At(at).Intersect(stretch)
		pieces = append(pieces, piece)
		at = piece.End
	}
	return pieces
}

// monday is the day that windows of several days are counted from.
const monday = 4 // 1970-01-05, in days since 1970-01-01

// dayNumber is the number of the local date of t, in days since monday.
func dayNumber(local time.Time) int {
	y, m, d := local.Date()
	return floorDiv(int(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix()), 24*60*60) - monday
}

// dayStart is the first instant of a day in the grid's location. Where the clocks change at midnight a day
// begins at 01:00, has two midnights, or does not exist at all (then it begins where the next one does).
func (g Grid) dayStart(number int) time.Time {
	date := time.Date(1970, 1, 1+monday+number, 0, 0, 0, 0, time.UTC)
	y, m, d := date.Date()
	guess := time.Date(y, m, d, 0, 0, 0, 0, g.location)
	// A day's first instant is a bound between "earlier date" and "this date or later": search for it in a
	// stretch that surely holds it. Local dates never run backwards over a day's length.
	low, high := guess.Add(-36*time.Hour).Unix(), guess.Add(36*time.Hour).Unix()
	for low+1 < high {
		middle := low + (high-low)/2
		if dayNumber(time.Unix(middle, 0).In(g.location)) < number {
			low = middle
		} else {
			high = middle
		}
	}
	return time.Unix(high, 0).UTC()
}

// floor rounds t down to a multiple of size since the Unix epoch. (time.Truncate counts from the year 1,
// which gives other bounds for sizes that do not divide a day.)
func floor(t time.Time, size time.Duration) time.Time {
	step := int64(size / time.Second)
	seconds := t.Unix()
	n := seconds / step
	if seconds%step < 0 {
		n--
	}
	return time.Unix(n*step, 0).UTC()
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b != 0 && (a < 0) != (b < 0) {
		q--
	}
	return q
}
