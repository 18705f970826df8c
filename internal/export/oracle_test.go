package export_test

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// oracle knows what must be in the warehouse. It looks at the simulator's truth and at the ledger after every action
// of a machine, and numbers these moments: a row that was there, as it is, before the moment at which its window was
// last read must be in the table, as it is.
type oracle struct {
	mu     sync.Mutex // rows move while requests are being answered
	moment int
	at     []time.Time // the true time at the end of each moment

	rows    map[string]*known
	gone    map[string]bool          // keys of rows that are no more
	seen    map[string]map[call]bool // every version that a row ever had
	windows map[string]reading       // by start
	checked int                      // rows compared
}

// known is a row of the truth, with the moments at which it came to its place, got its values, and was last within
// what was read.
type known struct {
	call
	appeared, changed, read int
}

// reading is what the ledger says of a window.
type reading struct{ start, end, state, reads, readAt, readTo, next string }

func newOracle() *oracle {
	return &oracle{
		at: []time.Time{{}}, rows: map[string]*known{}, gone: map[string]bool{}, seen: map[string]map[call]bool{},
		windows: map[string]reading{},
	}
}

// next begins a moment.
func (o *oracle) next() {
	o.moment++
	o.at = append(o.at, time.Time{})
}

// look takes in the truth as it is now; mapped is what the config maps of it.
func (o *oracle) look(truth, mapped map[string]call, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.at[o.moment] = now
	for key, c := range truth {
		if o.seen[key] == nil {
			o.seen[key] = map[call]bool{}
		}
		o.seen[key][c] = true // what is not mapped yet may be filled in later
		c = mapped[key]
		switch have := o.rows[key]; {
		case have == nil || have.started != c.started:
			o.rows[key] = &known{call: c, appeared: o.moment, changed: o.moment}
		case have.call != c:
			have.call, have.changed = c, o.moment
		}
	}
	for key := range o.rows {
		if _, ok := truth[key]; !ok {
			delete(o.rows, key)
			o.gone[key] = true
		}
	}
}

// anew forgets that anything was read: the rows go into another table.
func (o *oracle) anew() {
	for _, k := range o.rows {
		k.appeared, k.changed, k.read = o.moment, o.moment, 0
	}
}

// take notes which rows lie in what the ledger says was read since the last look.
func (o *oracle) take(windows []reading) {
	for _, w := range windows {
		before := o.windows[w.start]
		further := before.readTo == "" || before.readTo == "NULL" || w.readTo > before.readTo
		if w.readTo == "NULL" || w.reads == before.reads && !further {
			continue
		}
		from := w.start
		if before.readTo > w.start && before.readTo != "NULL" && before.readTo < w.end && w.readTo > before.readTo {
			from = before.readTo // perhaps no more than its tail was read
		}
		for _, k := range o.rows {
			if k.started >= from && k.started < w.readTo {
				k.read = o.moment
			}
		}
	}
	o.windows = map[string]reading{}
	for _, w := range windows {
		o.windows[w.start] = w
	}
}

// compare says what is wrong with the table; "" when nothing is. rejects is the raw text of the quarantine.
func (o *oracle) compare(table map[string]call, rejects string) string {
	var wrong strings.Builder
	for key, k := range o.rows {
		have, ok := table[key]
		if k.appeared >= k.read {
			continue // not read since it came
		}
		o.checked++
		switch {
		case strings.Contains(rejects, key):
		case !ok:
			fmt.Fprintf(&wrong, "row %s (there since moment %d, read at %d) is missing: %+v\n", key, k.appeared, k.read, k.call)
		case have != k.call && k.changed < k.read:
			fmt.Fprintf(&wrong, "row %s (so since moment %d, read at %d) is %+v, not %+v\n", key, k.changed, k.read, have, k.call)
		}
	}
	for key, have := range table {
		if o.rows[key] == nil && !o.gone[key] {
			fmt.Fprintf(&wrong, "row %s was invented: %+v\n", key, have)
		} else if !o.everWas(key, have) {
			fmt.Fprintf(&wrong, "row %s never was %+v\n", key, have)
		}
	}
	return wrong.String()
}

// everWas reports whether a row ever had these values. A column that the mapping got later is NULL until then.
func (o *oracle) everWas(key string, have call) bool {
	for was := range o.seen[key] {
		if have.wrapUp == "NULL" {
			was.wrapUp = "NULL"
		}
		if was == have {
			return true
		}
	}
	return false
}

// through is the end of the unbroken run of read windows, as the oracle sees it.
func through(windows []reading) string {
	end := ""
	for _, w := range windows { // in order of start
		switch {
		case end != "" && w.start > end:
			return end
		case w.readTo == "NULL":
			return max(end, w.start)
		case w.readTo < w.end:
			return max(end, w.readTo)
		}
		end = max(end, w.end)
	}
	return end
}

// overdue says which rows were changed so early that a re-read should have brought them, yet are not in the table as
// they are: the promise of the re-reads, once all of them that were due are done.
func (o *oracle) overdue(table map[string]call, rejects string, now time.Time, lastReread time.Duration) string {
	var wrong strings.Builder
	for key, k := range o.rows {
		for _, w := range o.windows {
			if k.started < w.start || k.started >= w.end {
				continue
			}
			end, err := time.Parse(time.RFC3339, w.end)
			if err != nil {
				return err.Error()
			}
			// A replica's clock may be ahead by sink.ClockDrift.
			if last := end.Add(lastReread); !o.at[k.changed].Before(last.Add(-10*time.Minute)) || last.After(now) {
				continue
			}
			o.checked++
			if have := table[key]; have != k.call && !strings.Contains(rejects, key) {
				fmt.Fprintf(&wrong, "row %s (so since %s) is %+v, not %+v, after the last re-read of %+v\n",
					key, o.at[k.changed].Format(time.RFC3339), have, k.call, w)
			}
		}
	}
	return wrong.String()
}
