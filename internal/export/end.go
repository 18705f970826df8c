package export

import (
	"sort"
	"time"
)

// Expect is how many more rows are expected: by the ledger where it knows, and never more than the last page's pace
// would bring.
func (t *taking) Expect() int {
	from := t.pace.last
	if from.IsZero() {
		from = t.wanted.stretch.Start
	}
	rows := -1.0
	if t.wanted.expect != nil {
		rows = t.wanted.expect(from)
	}
	if left := t.pace.until(t.wanted.stretch.End); rows < 0 || left >= 0 && left < rows {
		rows = left
	}
	return int(max(0, min(rows, 1e9)))
}

// Nearer is up to when so many more rows are expected: on a whole minute where that makes little of a difference,
// since nobody knows what a server makes of seconds.
func (t *taking) Nearer(rows int) (time.Time, bool) {
	last := t.pace.last
	if last.IsZero() || t.strays || t.order.reason != "" || !last.After(t.wanted.stretch.Start) {
		return time.Time{}, false
	}
	end, ok := t.foreseen(rows)
	if !ok {
		if end, ok = t.pace.after(rows); !ok {
			return time.Time{}, false
		}
	}
	if !end.Before(t.wanted.stretch.End) {
		return time.Time{}, false
	}
	for _, unit := range []time.Duration{time.Minute, 10 * time.Second, time.Second} {
		if whole := end.Round(unit); whole.After(last) && (20*unit < end.Sub(last) || unit == time.Second) {
			return whole, true
		}
	}
	whole := last.Truncate(time.Second).Add(time.Second)
	return whole, whole.Before(t.wanted.stretch.End)
}

// foreseen is when so many more rows will have come by what the ledger knows, where it does. What it expects is held
// against what came of the stretch so far.
func (t *taking) foreseen(rows int) (time.Time, bool) {
	if t.wanted.expect == nil || !t.wanted.sure {
		return time.Time{}, false
	}
	w, last := t.wanted.stretch, t.pace.last
	all, left := t.wanted.expect(w.Start), t.wanted.expect(last)
	if all-left < 1 || left < 1 {
		return time.Time{}, false
	}
	after := left - float64(rows)*(all-left)/float64(len(t.rows)+len(t.rejects))
	if after <= 0 {
		return w.End, true
	}
	seconds := sort.Search(int(w.End.Sub(last)/time.Second), func(i int) bool {
		return t.wanted.expect(last.Add(time.Duration(i)*time.Second)) <= after
	})
	return last.Add(time.Duration(seconds) * time.Second), true
}

// Back gives back the rows behind the last whole minute of the last page, or behind the last whole second.
func (t *taking) Back() (end time.Time, behind int, ok bool) {
	if t.strays || t.order.reason != "" || len(t.times) == 0 || len(t.rejects) > t.odd {
		return time.Time{}, 0, false
	}
	first, last := t.times[0], t.times[len(t.times)-1]
	for _, unit := range []time.Duration{time.Minute, time.Second} {
		if end = last.Truncate(unit); end.After(first) && end.After(t.wanted.stretch.Start) {
			before := sort.Search(len(t.times), func(i int) bool { return !t.times[i].Before(end) })
			behind = len(t.times) - before
			for _, row := range t.rows[len(t.rows)-behind:] {
				t.replaced -= row.Replaced
			}
			t.rows = t.rows[:len(t.rows)-behind]
			kept := t.rows[len(t.rows)-1].Row
			t.before = taken{len(t.rows) - 1, len(t.rejects), t.replaced - kept.Replaced} // the last row is another one now
			t.order.backTo(kept, behind)
			return end, behind, true
		}
	}
	return time.Time{}, 0, false
}

// pace is how fast time goes by with the rows.
type pace struct {
	last      time.Time // of the last row of the page before; zero: not known
	perSecond float64   // rows a second of the last page; 0: not known
}

// turn notes when the rows of a page are.
func (p *pace) turn(times []time.Time) {
	since, last := p.last, times[len(times)-1]
	if since.IsZero() {
		since = times[0]
	}
	p.last, p.perSecond = last, 0
	if !since.IsZero() && last.After(since) {
		p.perSecond = float64(len(times)) / last.Sub(since).Seconds()
	}
}

// until is how many rows are expected up to a time; less than 0: not known.
func (p *pace) until(end time.Time) float64 {
	if p.perSecond == 0 {
		return -1
	}
	return p.perSecond * max(0, end.Sub(p.last).Seconds())
}

// after is when so many rows will have come.
func (p *pace) after(rows int) (time.Time, bool) {
	const far = 366 * 24 * 3600
	if p.perSecond <= 0 || float64(rows)/p.perSecond > far {
		return time.Time{}, false
	}
	return p.last.Add(time.Duration(float64(rows) / p.perSecond * float64(time.Second))), true
}
