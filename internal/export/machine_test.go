package export_test

import (
	"context"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/source/simulator"
	"samespace-exporter/internal/window"
)

// The promise as a whole: whatever rows, faults, kills, configs, clocks and backfills do, and in whatever order, every
// row that was there when its window was read is in the table as it was then, nothing is there that never was, and
// once the world stands still the table equals the truth.
func TestReliabilityOfRandomSchedules(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		checks := 60
		if os.Getenv("EXPORTER_RELIABILITY") != "long" {
			checks = 4
			setRapid(t, "rapid.seed", "1") // the same ones each time
		}
		setRapid(t, "rapid.checks", strconv.Itoa(checks))
		tried := map[string]int{}
		rapid.Check(t, func(check *rapid.T) {
			m := newMachine(stage{t, check}, check, k, tried)
			actions := m.actions()
			check.Repeat(actions)
			m.standStill()
		})
		for _, figure := range slices.Sorted(maps.Keys(tried)) {
			t.Logf("reliability: random schedules on %s: %s: %d", k.name, figure, tried[figure])
		}
	})
}

// setRapid sets a flag of rapid for the test, unless the command line does.
func setRapid(t *testing.T, name, value string) {
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if given {
		return
	}
	of := flag.Lookup(name).Value // not by flag.Set, after which it would count as given
	before := of.String()
	if err := of.Set(value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = of.Set(before) })
}

// stage is a test for one of its checks: what is reported fails the check, so that rapid can shrink it, and what was
// opened is closed when the check ends.
type stage struct {
	testing.TB
	check *rapid.T
}

func (s stage) Cleanup(f func())             { s.check.Cleanup(f) }
func (s stage) Context() context.Context     { return s.check.Context() }
func (s stage) Output() io.Writer            { return s.check.Output() }
func (s stage) Failed() bool                 { return s.check.Failed() }
func (s stage) Log(args ...any)              { s.check.Log(args...) }
func (s stage) Logf(f string, args ...any)   { s.check.Logf(f, args...) }
func (s stage) Error(args ...any)            { s.check.Error(args...) }
func (s stage) Errorf(f string, args ...any) { s.check.Errorf(f, args...) }
func (s stage) Fatal(args ...any)            { s.check.Fatal(args...) }
func (s stage) Fatalf(f string, args ...any) { s.check.Fatalf(f, args...) }
func (s stage) Fail()                        { s.check.Fail() }
func (s stage) FailNow()                     { s.check.FailNow() }

// machine is a world in which anything may happen next.
type machine struct {
	*world
	*oracle
	since    time.Time
	config   export.Dataset // the newest
	versions int            // of the config
	table    string
	wrapUp   bool // the newest config maps it
	replicas []*replica
	begun    map[window.Window]int // unfinished backfills: the moment at which they began
	marks    bool                  // rows that are gone are marked
	keeps    bool                  // what rows were is kept
	past     []looked              // the table as it was, where it keeps that
	moving   bool                  // rows are yet to move between two pages
	tried    map[string]int
}

// replica is a process, as far as that matters here.
type replica struct {
	*export.Exporter
	handle  warehouse
	through *unsteady
	ahead   time.Duration // of its clock
}

func newMachine(s stage, draw *rapid.T, k kind, tried map[string]int) *machine {
	m := &machine{oracle: newOracle(), since: start.Add(-5 * time.Hour), table: "calls", begun: map[window.Window]int{}, tried: tried}
	m.world = newWorld(s, k, calls(rapid.IntRange(30, 200).Draw(draw, "rows a day")), m.since, nil)
	m.config = m.dataset(m.since)
	m.config.Query.PageSize = rapid.IntRange(3, 20).Draw(draw, "page size")
	m.config.MaxRows = rapid.IntRange(10, 60).Draw(draw, "most rows")
	m.config.Reread = window.Reread{15 * time.Minute, time.Hour, 6 * time.Hour}
	m.marks, m.config.DeletedMaxShare = rapid.Bool().Draw(draw, "marks"), 1
	m.keeps = rapid.Bool().Draw(draw, "history")
	m.config.Mapper = m.mapper()
	for range 3 {
		m.replicas = append(m.replicas, &replica{handle: m.open()})
	}
	for _, r := range m.replicas {
		m.restart(r)
	}
	tried["schedules"]++
	return m
}

func (m *machine) actions() map[string]func(*rapid.T) {
	actions := map[string]func(*rapid.T){"": func(*rapid.T) { m.mustHold() }}
	for name, do := range map[string]func(*rapid.T){
		"tick": m.tick, "tick again": m.tick, "tick once more": m.tick, "all at once": m.allAtOnce,
		"time passes": m.timePasses, "more time passes": m.timePasses,
		"insert": m.insert, "change": m.change, "remove": m.remove, "meanwhile": m.meanwhile,
		"fault": m.fault, "another fault": m.fault, "heal": m.heal,
		"restart": m.restartAny, "deploy": m.deploy, "drift": m.drift, "astray": m.astray,
		"backfill": m.backfill, "leases run out": m.leasesRunOut,
	} {
		actions[name] = func(draw *rapid.T) {
			m.clock.Advance(time.Second) // no two things happen at once
			m.next()
			m.see()
			do(draw)
			m.tried["steps"]++
		}
	}
	return actions
}

// see lets the oracle look at the truth.
func (m *machine) see() {
	truth := m.truth(m.since.AddDate(0, 0, -1), m.clock.Now().Add(time.Hour))
	mapped := truth
	if !m.wrapUp {
		mapped = maps.Clone(truth)
		for key, c := range truth {
			c.wrapUp = "NULL"
			mapped[key] = c
		}
	}
	m.look(truth, mapped, m.clock.Now())
}

// mustHold checks all that must hold at every moment.
func (m *machine) mustHold() {
	m.Helper()
	if m.moment == 0 {
		return
	}
	m.see()
	windows := m.ledger()
	m.take(windows)
	if wrong := m.compare(m.rowsOfTable(), m.rejects()); wrong != "" {
		m.Fatalf("moment %d, %s:\n%s", m.moment, m.clock.Now(), wrong)
	}
	if claimed, is := m.claimedThrough(), through(windows); claimed > is {
		m.Fatalf("through is %s, the windows say %s: %+v", claimed, is, windows)
	}
	m.remember()
}

// standStill ends all trouble, lets time pass until the last re-read, and compares.
func (m *machine) standStill() {
	m.next()
	m.sim.Unscript()
	m.moving = false
	m.leasesRunOut(nil)
	for _, r := range m.replicas {
		r.ahead = 0
		m.restart(r)
	}
	last := slices.Max(m.config.Reread)
	for passed := time.Duration(0); passed < last+8*time.Hour; {
		step := 3 * time.Hour
		if passed > 12*time.Hour {
			step = 12 * time.Hour
		}
		passed += step
		m.next()
		m.see()
		m.pass(m.replicas[0])
		m.mustHold()
		m.clock.Advance(step)
	}
	m.next()
	m.see()
	m.pass(m.replicas[1])
	m.mustHold()
	if wrong := m.overdue(m.rowsOfTable(), m.rejects(), m.clock.Now(), last); wrong != "" {
		m.Fatalf("after all re-reads, %s:\n%s", m.clock.Now(), wrong)
	}
	m.next()
	s, err := m.replicas[2].Backfill(m.Context(), export.Range{From: m.since, Restart: true})
	if err != nil || s.Err() != nil {
		m.Fatalf("read everything: %v, %v", err, s.Err())
	}
	m.next() // what was read is of a moment that has passed: nothing is excused
	m.mustHold()
	const layout = "2006-01-02T15:04:05.000Z"
	since, edge := m.since.Format(layout), m.clock.Now().Add(-m.config.Delay).Format(layout)
	table := m.rowsOfTable()
	for key, k := range m.rows {
		if m.checked++; k.started >= since && k.started < edge && table[key] != k.call {
			m.Errorf("row %s is %+v, not %+v", key, table[key], k.call)
		}
	}
	for key, c := range table {
		if m.marks && m.rows[key] == nil && c.started >= since && c.started < edge {
			m.Errorf("row %s is gone, but not marked: %+v", key, c)
		}
	}
	if left := m.rejects(); left != "" {
		m.Errorf("rejects are left: %s", left)
	}
	m.mustRemember()
	m.tried["rows checked"] += m.checked
}

// What happens.

func (m *machine) tick(draw *rapid.T) {
	r := m.someReplica(draw)
	if m.fate(draw, r) {
		m.pass(r)
	}
}

func (m *machine) someReplica(draw *rapid.T) *replica {
	return m.replicas[rapid.IntRange(0, len(m.replicas)-1).Draw(draw, "replica")]
}

func (m *machine) pass(r *replica) {
	s, err := r.Export(m.Context(), export.Pass{Kind: sink.RunScheduled})
	m.settle(r, s, err)
}

// settle ends what fate had in store for a replica's pass.
func (m *machine) settle(r *replica, s export.Summary, err error) {
	m.Logf("%s: %d windows, %d rows, stopped %v; %v, %v", r.Owner, s.Windows, s.RowsRead, s.Stopped, err, s.Err())
	m.tried["passes"]++
	r.Observe = nil
	if r.through.dead() {
		m.tried["kills survived"]++
		m.restart(r)
		return
	}
	r.through.recover()
}

// fate chooses what befalls the next pass of a replica, at one of its steps.
func (m *machine) fate(draw *rapid.T, r *replica) bool {
	fate := rapid.SampledFrom([]string{"none", "none", "kill", "kill", "pause", "cut off", "answer lost"}).Draw(draw, "fate")
	if fate == "none" {
		return true
	}
	at := rapid.IntRange(1, 14).Draw(draw, "at step")
	other := m.someReplica(draw)
	count := rapid.IntRange(1, 4).Draw(draw, "calls")
	var mu sync.Mutex
	steps := 0
	r.Observe = func(export.Event) {
		mu.Lock()
		defer mu.Unlock()
		if steps++; steps != at {
			return
		}
		m.tried["passes with '"+fate+"'"]++
		switch fate {
		case "kill":
			r.through.kill()
		case "pause":
			if other != r {
				m.leasesRunOut(nil)
				s, err := other.Export(m.Context(), export.Pass{Kind: sink.RunScheduled})
				m.Logf("meanwhile %s: %d windows; %v, %v", other.Owner, s.Windows, err, s.Err())
			}
		case "cut off":
			r.through.cutOff(count)
		case "answer lost":
			r.through.loseAnswer()
		}
	}
	return true
}

func (m *machine) allAtOnce(*rapid.T) {
	var together sync.WaitGroup
	for _, r := range m.replicas {
		together.Go(func() {
			s, err := r.Export(m.Context(), export.Pass{Kind: sink.RunScheduled})
			m.Logf("%s: %d windows; %v, %v", r.Owner, s.Windows, err, s.Err())
		})
	}
	together.Wait()
	m.tried["passes"] += len(m.replicas)
}

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

// restart starts a process anew, by the newest config.
func (m *machine) restart(r *replica) {
	r.through = &unsteady{warehouse: r.handle}
	r.Exporter = m.newExporter(m.config, r.through)
	r.Exporter.Source = m.client(300 * time.Millisecond)
	r.Clock = func() time.Time { return m.clock.Now().Add(r.ahead) }
}

func (m *machine) restartAny(draw *rapid.T) {
	m.restart(m.someReplica(draw))
}

// deploy changes the config. One replica is restarted by it and makes a pass; the others go on with the old one.
func (m *machine) deploy(draw *rapid.T) {
	r := m.someReplica(draw)
	day := 24 * time.Hour
	d := m.config
	var anew bool
	change := rapid.SampledFrom([]string{"longer re-reads", "field", "table", "grid", "pages", "overlap"}).Draw(draw, "config")
	switch change {
	case "longer re-reads":
		d.Reread = append(slices.Clip(d.Reread), slices.Max(d.Reread)+day)
	case "field":
		if m.wrapUp {
			draw.Skip("the field is mapped")
		}
		m.wrapUp = true
		d.Mapper = m.mapper()
	case "table":
		m.table = fmt.Sprintf("calls_%d", m.versions)
		d.Mapper = m.mapper()
		anew = true
	case "grid":
		grid, err := window.NewGrid(rapid.SampledFrom([]time.Duration{30 * time.Minute, time.Hour, 4 * time.Hour}).Draw(draw, "size"), nil)
		if err != nil {
			m.Fatal(err)
		}
		d.Grid = grid
	case "pages":
		d.Query.PageSize = rapid.IntRange(15, 30).Draw(draw, "page size")
		d.MaxRows = rapid.IntRange(5, 80).Draw(draw, "most rows")
	case "overlap":
		d.Overlap = time.Duration(rapid.IntRange(0, 40).Draw(draw, "minutes")) * time.Minute
	}
	m.versions++
	d.ConfigHash = fmt.Sprintf("version %d", m.versions)
	m.config = d
	m.tried["configs deployed"]++
	m.see()
	// What was prepared last counts: one that only starts now would take the dataset back, a known limit.
	for _, other := range m.replicas {
		if other == r || !other.through.prepared() {
			m.restart(other)
		}
	}
	if anew {
		m.anew()
	}
	// The table is there, and the older ones are refused, from here on.
	prepared := sink.Dataset{Name: d.Name, Kind: d.Kind, Table: d.Mapper.Table(), ConfigHash: d.ConfigHash, Reread: d.Reread}
	if _, err := m.warehouse.Prepare(m.Context(), prepared); err != nil {
		m.Fatalf("prepare: %v", err)
	}
	m.pass(r)
}

// mostAhead is how far ahead or behind a replica's clock may be, so that no two of them lie more than sink.ClockDrift apart.
const mostAhead = sink.ClockDrift/2 - time.Second

// drift lets a replica's clock be as wrong as it may be.
func (m *machine) drift(draw *rapid.T) {
	most := int(mostAhead / time.Second)
	r := m.someReplica(draw)
	r.ahead = time.Duration(rapid.IntRange(-most, most).Draw(draw, "ahead")) * time.Second
}

// astray lets a replica's clock be far off for a pass, until somebody sets it right.
func (m *machine) astray(draw *rapid.T) {
	r := m.someReplica(draw)
	right := r.ahead
	r.ahead = time.Duration(rapid.IntRange(-72, 240).Draw(draw, "hours ahead")) * time.Hour
	m.restart(r) // an older config would not get as far as mending
	m.tried["clocks astray"]++
	m.pass(r)
	r.ahead = right
	m.pass(r)
}

// backfill reads a range whole; now and then it does not get to its end.
func (m *machine) backfill(draw *rapid.T) {
	r := m.someReplica(draw)
	// All of it lies in the past, so that the range stays what it is.
	of := export.Range{From: m.since.Add(time.Duration(rapid.IntRange(0, 3).Draw(draw, "from")) * time.Hour)}
	of.To = of.From.Add(time.Hour)
	if rapid.Bool().Draw(draw, "long") {
		of.To = start.Add(-time.Hour)
	}
	var span window.Window
	call := of
	call.Restart = rapid.IntRange(0, 3).Draw(draw, "restart") == 0
	call.NewestFirst = rapid.Bool().Draw(draw, "newest first")
	r.ahead = mostAhead // what is due by another's clock is due by this one: the clock stands still
	m.leasesRunOut(nil) // it waits for others, in real time
	m.fate(draw, r)
	through := r.through
	through.onBegin = func(run sink.Run, goesOn bool) {
		if !goesOn {
			m.begun[run.Range] = m.moment
		}
		span = run.Range
	}
	ctx, cancel := context.WithTimeout(m.Context(), 15*time.Second)
	defer cancel()
	s, err := r.Backfill(ctx, call)
	through.onBegin = nil
	if ctx.Err() != nil {
		m.Fatalf("the backfill of %s to %s does not end; now %s, ahead %s: %+v", of.From, of.To, m.clock.Now(), r.ahead, m.ledger())
	}
	m.settle(r, s, err)
	m.tried["backfills"]++
	if err != nil || s.Err() != nil || s.Stopped {
		return
	}
	began := m.begun[span]
	m.see()
	table, rejects := m.rowsOfTable(), m.rejects()
	edge := m.clock.Now().Add(r.ahead - m.config.Delay)
	for key, k := range m.rows {
		at, err := time.Parse(time.RFC3339, k.started)
		if err != nil {
			m.Fatal(err)
		}
		if at.Before(of.From) || !at.Before(of.To) || !at.Before(edge) || k.changed >= began || strings.Contains(rejects, key) {
			continue
		}
		if m.checked++; table[key] != k.call {
			m.Fatalf("row %s (so since moment %d) is %+v, not %+v, after a backfill of %s to %s that began at moment %d",
				key, k.changed, table[key], k.call, of.From, of.To, began)
		}
	}
}

// leasesRunOut lets so much time pass by the database's clock that all leases are over.
func (m *machine) leasesRunOut(*rapid.T) {
	m.exec(fmt.Sprintf("update %s set lease_until = %s where lease_until is not null", m.kind.own("windows"), past(m.kind)))
}

// What the warehouse has.

func (m *machine) mapper() *schema.Mapper {
	m.Helper()
	mapping := schema.Mapping{Table: m.table, Key: []string{"call_id"}, TimeField: "started_at", MarksDeleted: m.marks, History: m.keeps}
	for _, name := range []string{"call_id", "started_at", "direction", "duration_s", "disposition", "wrap_up_s"} {
		metric := m.report.Metric(name)
		kind, err := schema.ParseType(metric.Type)
		if err != nil {
			m.Fatal(err)
		}
		if name != "wrap_up_s" || m.wrapUp {
			mapping.Fields = append(mapping.Fields, schema.Field{ID: metric.ID, Name: name, Type: kind})
		}
	}
	mapper, err := schema.Compile(mapping)
	if err != nil {
		m.Fatal(err)
	}
	return mapper
}

// rowsOfTable are those that are not marked as deleted.
func (m *machine) rowsOfTable() map[string]call {
	m.Helper()
	return m.rowsOf(m.kind.table(m.table))
}

// rowsOf are the rows of what is selected from that are not marked as deleted.
func (m *machine) rowsOf(from string) map[string]call {
	m.Helper()
	found := map[string]call{}
	wrapUp := "'NULL'"
	if m.wrapUp {
		wrapUp = "coalesce(cast(wrap_up_s as text), 'NULL')"
	}
	if !m.hasTable() {
		return found
	}
	there := "true"
	if m.marks {
		there = "_deleted_at is null"
	}
	for _, r := range m.query(`select call_id, %s, coalesce(direction, 'NULL'), coalesce(cast(duration_s as text), 'NULL'), %s,
		coalesce(disposition, 'NULL') from %s where %s`, m.kind.instant("started_at"), wrapUp, from, there) {
		if _, twice := found[r[0]]; twice {
			m.Fatalf("row %s is there twice", r[0])
		}
		found[r[0]] = call{r[1], r[2], r[3], r[4], r[5]}
	}
	return found
}

func (m *machine) hasTable() bool {
	return m.count("select count(*) from %s where table_name = '%s'", m.kind.own("fields"), m.table) > 0
}

func (m *machine) rejects() string {
	var all strings.Builder
	for _, r := range m.query("select raw from %s", m.kind.own("rejects")) {
		all.WriteString(r[0])
	}
	return all.String()
}

func (m *machine) ledger() (windows []reading) {
	maybe := func(column string) string { return "coalesce(" + m.kind.instant(column) + ", 'NULL')" }
	for _, r := range m.query("select %s, %s, state, reads, %s, %s, %s from %s order by start_at", m.kind.instant("start_at"),
		m.kind.instant("end_at"), maybe("read_at"), maybe("read_to"), maybe("next_read_at"), m.kind.own("windows")) {
		windows = append(windows, reading{r[0], r[1], r[2], r[3], r[4], r[5], r[6]})
	}
	return windows
}

func (m *machine) claimedThrough() string {
	rows := m.query("select coalesce(%s, '') from %s", m.kind.instant("through"), m.kind.own("through"))
	if len(rows) == 0 {
		return ""
	}
	return rows[0][0]
}

// client is a source of its own for a replica.
func (m *machine) client(timeout time.Duration) *source.Client {
	client, err := source.New(source.Options{
		Endpoint: m.server.URL, APIKey: "key", Timeout: timeout, MaxAttempts: 3, FirstDelay: time.Millisecond,
		RequestsPerSecond: 1e6, MaxInFlight: 4, MaxPageBytes: 64 << 20,
	})
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(client.Close)
	return client
}
