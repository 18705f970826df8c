package export

import (
	"math"
	"slices"
	"time"

	"samespace-exporter/internal/sink"
)

const (
	// fill is how full a span is meant to be: room for a day that is busier than those before it.
	fill = 0.85
	// growth is how much longer than all that is known nearby a span may be. One that is read in parts may be longer by
	// growthInParts: where it holds more than was thought, its parts end when a transaction is full.
	growth        = 4
	growthInParts = 24
	// week is how much history shows a contact centre's rhythm.
	week = 7 * 24 * time.Hour
	// aloneAfter is after how many failed reads a window is read alone: it shall not hold up its neighbours.
	aloneAfter = 2
	// weeks is how many weeks away a window may be that tells how many rows to expect.
	weeks = 6
)

// room is how many rows a span may hold: those of so many parts. Of several only where a span can be read in parts
// that end where a transaction is full.
type room struct{ part, parts int }

// room is how much a span of the dataset may hold.
func (d Dataset) room() room {
	if d.inOrderOfTime() {
		return room{part: d.MaxRows, parts: maxParts}
	}
	return room{part: d.MaxRows, parts: 1}
}

// maxParts is of how many parts a span is at most. Each span ends with a page that is not full: long ones cost fewer.
// But a span is what a failure costs, and what a replica holds.
const maxParts = 8

// share is which part of what is due a span takes at most, so that lanes and replicas end together.
const share = 0.5

// fit is how many of the candidates make a span, and whether that is more than a guess.
type fit struct {
	windows   int
	uncertain bool
	more      bool      // more windows are due, most likely
	expected  []float64 // how many rows each window of the span is expected to hold, in order of time; +Inf: not known
}

// fitSpan says how many of the adjacent candidates are expected to fill the room, counted from the first,
// or from the last when backwards: at least one. A window that was read before holds what it held. One that
// was not is expected to hold what the same hours of another week held; where that is not known, as much as
// the busiest window at the same time of a day nearby, or the busiest one nearby at all. A window that failed
// aloneAfter times makes a span of its own.
func fitSpan(candidates, near []sink.Entry, r room, backwards bool) fit {
	known := densityOf(near)
	space := r.rows(known.all(candidates))
	longest := r.growth() * known.length
	f := fit{}
	var length time.Duration
	for i := range candidates {
		c := candidates[i]
		if backwards {
			c = candidates[len(candidates)-1-i]
		}
		if f.windows > 0 && c.Attempts >= aloneAfter {
			break
		}
		rows, sure := known.expect(c)
		space -= rows
		length += c.Window.Duration()
		if f.windows > 0 && (space < 0 || !c.Complete() && length > longest) {
			break
		}
		f.windows++
		f.expected = append(f.expected, rows)
		f.uncertain = f.uncertain || !sure
		if c.Attempts >= aloneAfter {
			break
		}
	}
	f.more = f.windows < len(candidates)
	if backwards {
		slices.Reverse(f.expected)
	}
	return f
}

// rows is how many rows a span is meant to hold where so many are due in all. A span of several parts fills each;
// a span of one is to have room for a day that is busier than those before it.
func (r room) rows(due float64) float64 {
	if r.parts == 1 {
		return float64(r.part) * fill
	}
	return max(float64(2*r.part), min(float64(r.parts*r.part), due*share))
}

// growth is how many times longer than all that is known nearby a span may be.
func (r room) growth() time.Duration {
	if r.parts > 1 {
		return growthInParts
	}
	return growth
}

// density is what is known of how many rows a stretch of time holds. Rates are rows a second.
type density struct {
	length  time.Duration     // of all that is known
	busiest float64           // the highest rate
	byTime  map[int64]float64 // the highest rate by the second of the day at which a window starts (UTC)
	byStart map[int64]float64 // the rate of each window, by its start in Unix seconds
}

func densityOf(near []sink.Entry) density {
	d := density{byTime: make(map[int64]float64, len(near)), byStart: make(map[int64]float64, len(near))}
	for _, e := range near {
		length := e.Window.Duration()
		if length <= 0 {
			continue
		}
		rate := float64(e.Rows) / length.Seconds()
		d.length += length
		d.busiest = max(d.busiest, rate)
		d.byStart[e.Window.Start.Unix()] = rate
		at := timeOfDay(e.Window.Start)
		d.byTime[at] = max(d.byTime[at], rate)
	}
	return d
}

// expect is how many rows a window is expected to hold. sure is false while no other week is known: a weekend
// says little of a Monday.
func (d density) expect(e sink.Entry) (rows float64, sure bool) {
	seconds := e.Window.Duration().Seconds()
	if e.Complete() {
		return float64(e.Rows), true
	}
	for n := 1; n <= weeks; n++ {
		for _, away := range []time.Duration{-week, week} {
			if rate, ok := d.byStart[e.Window.Start.Add(time.Duration(n)*away).Unix()]; ok {
				return rate * seconds, true
			}
		}
	}
	if d.length == 0 {
		return math.Inf(1), false
	}
	rate, ok := d.byTime[timeOfDay(e.Window.Start)]
	if !ok {
		rate = d.busiest
	}
	return rate * seconds, d.length >= week
}

// all is how many rows all of the windows are expected to hold.
func (d density) all(windows []sink.Entry) (sum float64) {
	for _, e := range windows {
		rows, _ := d.expect(e)
		sum += rows
	}
	return sum
}

func timeOfDay(t time.Time) int64 {
	const day = 24 * 60 * 60
	return ((t.Unix() % day) + day) % day
}
