package export

import (
	"math"
	"time"

	"samespace-exporter/internal/sink"
)

const (
	// fill is how full a span is meant to be: room for a day that is busier than those before it.
	fill = 0.85
	// growth is how much longer than all that is known nearby a span may be.
	growth = 4
	// week is how much history shows a contact centre's rhythm.
	week = 7 * 24 * time.Hour
	// aloneAfter is after how many failed reads a window is read alone: it shall not hold up its neighbours.
	aloneAfter = 2
	// weeks is how many weeks away a window may be that tells how many rows to expect.
	weeks = 6
)

// fit is how many of the candidates make a span, and whether that is more than a guess.
type fit struct {
	windows   int
	uncertain bool
}

// fitSpan says how many of the adjacent candidates are expected to hold maxRows rows, counted from the first,
// or from the last when backwards: at least one. A window that was read before holds what it held. One that
// was not is expected to hold what the same hours of another week held; where that is not known, as much as
// the busiest window at the same time of a day nearby, or the busiest one nearby at all. A window that failed
// aloneAfter times makes a span of its own.
func fitSpan(candidates, near []sink.Entry, maxRows int, backwards bool) fit {
	known := densityOf(near)
	room := float64(maxRows) * fill
	longest := growth * known.length
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
		room -= rows
		length += c.Window.Duration()
		if f.windows > 0 && (room < 0 || !c.Complete() && length > longest) {
			break
		}
		f.windows++
		f.uncertain = f.uncertain || !sure
		if c.Attempts >= aloneAfter {
			break
		}
	}
	return f
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

func timeOfDay(t time.Time) int64 {
	const day = 24 * 60 * 60
	return ((t.Unix() % day) + day) % day
}
