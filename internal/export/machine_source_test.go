package export_test

import (
	"maps"
	"net/http"
	"slices"
	"time"

	"pgregory.net/rapid"

	"samespace-exporter/internal/source/simulator"
)

// What becomes of the source.

func (m *machine) timePasses(draw *rapid.T) {
	m.clock.Advance(rapid.SampledFrom([]time.Duration{
		time.Second, time.Minute, 5 * time.Minute, 17 * time.Minute, time.Hour, 3 * time.Hour, 26 * time.Hour,
	}).Draw(draw, "time"))
}

// someTime is a time of the report, on a bound of windows now and then.
func (m *machine) someTime(draw *rapid.T) time.Time {
	span := m.clock.Now().Sub(m.since)
	at := m.since.Add(time.Duration(rapid.Int64Range(0, int64(span/time.Second)).Draw(draw, "seconds")) * time.Second)
	if rapid.IntRange(0, 3).Draw(draw, "bound") == 0 {
		at = at.Truncate(30 * time.Minute)
	}
	return at
}

// someRow is the key of a row.
func (m *machine) someRow(draw *rapid.T) string {
	if len(m.rows) == 0 {
		draw.Skip("there is no row")
	}
	return rapid.SampledFrom(slices.Sorted(maps.Keys(m.rows))).Draw(draw, "row")
}

// movement is something that happens to a row: drawn now, done now or later.
func (m *machine) movement(draw *rapid.T) func() error {
	m.tried["rows moved"]++
	switch rapid.IntRange(0, 3).Draw(draw, "movement") {
	case 0:
		at := m.someTime(draw)
		return func() error { _, err := m.sim.Insert(m.report.ID, at, nil); return err }
	case 1:
		key := m.someRow(draw)
		return func() error { return m.sim.Remove(m.report.ID, key) }
	case 2:
		key, at := m.someRow(draw), m.someTime(draw)
		return func() error {
			return m.sim.Change(m.report.ID, key, map[string]any{m.report.TimeField: at.UTC().Format("2006-01-02T15:04:05.000Z")})
		}
	}
	key, seconds := m.someRow(draw), rapid.IntRange(0, 5000).Draw(draw, "duration")
	return func() error {
		return m.sim.Change(m.report.ID, key, map[string]any{m.report.Metric("duration_s").ID: seconds})
	}
}

func (m *machine) move(draw *rapid.T) {
	if err := m.movement(draw)(); err != nil {
		m.Fatal(err)
	}
}

func (m *machine) insert(draw *rapid.T) { m.move(draw) }
func (m *machine) change(draw *rapid.T) { m.move(draw) }
func (m *machine) remove(draw *rapid.T) { m.move(draw) }

// meanwhile moves a row between two pages. One at a time: an insert and a delete between the same two requests may
// cancel out, which is a known limit.
func (m *machine) meanwhile(draw *rapid.T) {
	if m.moving {
		draw.Skip("a row is about to move")
	}
	m.moving = true
	move := m.movement(draw)
	m.sim.Script(simulator.On(rapid.IntRange(1, 9).Draw(draw, "request")), simulator.Meanwhile(func(*simulator.Simulator) {
		_ = move() // the row may have gone by now
		m.moving = false
		m.see()
	}))
}

func (m *machine) fault(draw *rapid.T) {
	n := func(low, high int) int { return rapid.IntRange(low, high).Draw(draw, "n") }
	steady := simulator.Always()
	faults := []struct {
		name string
		make func() simulator.Fault
		when func() simulator.Trigger
	}{
		{"page cap by rows", func() simulator.Fault { return simulator.PageCap(n(1, 9)) }, nil},
		{"page cap by bytes", func() simulator.Fault {
			// Where a page holds a few rows only, a large one that is cut off may go unseen: a known limit.
			if m.config.Query.PageSize < 15 {
				draw.Skip("pages are small")
			}
			return simulator.PageBytes(n(4000, 9000))
		}, nil},
		{"inclusive end", simulator.InclusiveEnd, nil},
		{"exclusive start", simulator.ExclusiveStart, nil},
		{"refused depth", func() simulator.Fault { return simulator.MaxSkip(n(5, 60)) }, nil},
		{"refused range", func() simulator.Fault {
			// Of a range that holds a single row, which is gone, no time around can be asked for: a known limit.
			if m.marks {
				draw.Skip("rows are marked")
			}
			return simulator.RangeLimit(time.Duration(n(1, 8)) * 30 * time.Minute)
		}, nil},
		{"values of another type", func() simulator.Fault { return simulator.WrongTypes(m.report.Metric("duration_s").ID) }, nil},
		{"unknown ids", simulator.NewIDs, nil},
		{"ignored skip", simulator.IgnoreSkip, nil},
		{"ignored sort", simulator.IgnoreSort, m.sometimes(draw)},
		{"no order", simulator.Unordered, m.sometimes(draw)},
		{"rows twice", simulator.Duplicate, m.sometimes(draw)},
		{"HTML", simulator.HTML, m.sometimes(draw)},
		{"empty body", simulator.EmptyBody, m.sometimes(draw)},
		{"null for rows", simulator.NullData, m.sometimes(draw)},
		{"reset", simulator.Reset, m.sometimes(draw)},
		{"cut body", func() simulator.Fault { return simulator.CutBody(n(0, 3000)) }, m.sometimes(draw)},
		{"429", func() simulator.Fault { return simulator.RetryAfter(http.StatusTooManyRequests, 0) }, m.sometimes(draw)},
		{"503", func() simulator.Fault { return simulator.Status(http.StatusServiceUnavailable, "{}") }, m.sometimes(draw)},
		{"401", func() simulator.Fault { return simulator.Status(http.StatusUnauthorized, "{}") }, m.sometimes(draw)},
		{"errors", func() simulator.Fault { return simulator.Errors("broken") }, m.sometimes(draw)},
		{"errors beside data", func() simulator.Fault { return simulator.ErrorsBesideData("broken") }, m.sometimes(draw)},
		{"time-out", simulator.Hang, func() simulator.Trigger { return simulator.On(n(1, 5)) }},
		{"poisoned hour", func() simulator.Fault { return simulator.Refuse("internal error") }, func() simulator.Trigger {
			hour := m.someTime(draw)
			return simulator.When(func(r simulator.Request) bool { return r.From.Before(hour.Add(time.Hour)) && r.To.After(hour) })
		}},
	}
	f := faults[rapid.IntRange(0, len(faults)-1).Draw(draw, "fault")]
	trigger := steady
	if f.when != nil {
		trigger = f.when()
	}
	draw.Logf("fault: %s", f.name)
	m.tried["faults"]++
	m.sim.Script(trigger, f.make())
}

// sometimes is one request, now and then one, or every one.
func (m *machine) sometimes(draw *rapid.T) func() simulator.Trigger {
	return func() simulator.Trigger {
		switch n := rapid.IntRange(1, 12).Draw(draw, "which requests"); {
		case n == 1:
			return simulator.Always()
		case n < 6:
			return simulator.Every(n)
		default:
			return simulator.On(n - 5)
		}
	}
}

func (m *machine) heal(*rapid.T) {
	m.sim.Unscript()
	m.moving = false
}
