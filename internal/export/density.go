package export

import (
	"math"
	"time"

	"samespace-exporter/internal/sink"
)

const (
	// fill is how full a span is meant to be: room for a day that is busier than those before it.
	fill = 0.8
	// growth is how much longer than all that is known nearby a span may be.
	growth = 4
	// week is how much history shows a contact centre's rhythm.
	week = 7 * 24 * time.Hour
)

// fit is how many of the candidates make a span, and whether that is more than a guess.
type fit struct {
	windows   int
	uncertain bool
}

// fitSpan says how many of the adjacent candidates are expected to hold maxRows rows, counted from the first,
// or from the last when backwards: at least one. A window that was read before holds what it held. One that
// was not is expected to hold as much as the busiest window at the same time of a day nearby; where there
// is none, as much as the busiest one nearby at all.
func fitSpan(candidates, near []sink.Entry, maxRows int, backwards bool) fit {
	known := learn(near)
	room := float64(maxRows) * fill
	longest := growth * known.length
	f := fit{}
	var length time.Duration
	for i := range candidates {
		c := candidates[i]
		if backwards {
			c = candidates[len(candidates)-1-i]
		}
		rows, sure := known.expect(c)
		room -= rows
		length += c.Window.Duration()
		if f.windows > 0 && (room < 0 || !c.Complete() && length > longest) {
			break
		}
		f.windows++
		f.uncertain = f.uncertain || !sure
	}
	return f
}

// density is what is known of how many rows a stretch of time holds.
type density struct {
	length  time.Duration     // of all that is known
	busiest float64           // rows a second, at most
	byTime  map[int64]float64 // the same, by the second of the day at which a window starts (UTC)
}

func learn(near []sink.Entry) density {
	d := density{byTime: make(map[int64]float64, len(near))}
	for _, e := range near {
		length := e.Window.Duration()
		if length <= 0 {
			continue
		}
		rate := float64(e.Rows) / length.Seconds()
		d.length += length
		d.busiest = max(d.busiest, rate)
		at := timeOfDay(e.Window.Start)
		d.byTime[at] = max(d.byTime[at], rate)
	}
	return d
}

// expect is how many rows a window is expected to hold. sure is false while less than a week is known: a
// weekend says little of a Monday.
func (d density) expect(e sink.Entry) (rows float64, sure bool) {
	if e.Complete() {
		return float64(e.Rows), true
	}
	rate, ok := d.byTime[timeOfDay(e.Window.Start)]
	if !ok {
		rate = d.busiest
	}
	if d.length == 0 {
		rate = math.Inf(1)
	}
	return rate * e.Window.Duration().Seconds(), d.length >= week
}

func timeOfDay(t time.Time) int64 {
	const day = 24 * 60 * 60
	return ((t.Unix() % day) + day) % day
}
