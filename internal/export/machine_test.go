package export_test

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

// The promise as a whole: whatever rows, faults, kills, configs, clocks and backfills do, and in whatever order, every
// row that was there when its window was read is in the table as it was then, nothing is there that never was, and
// once the world stands still the table equals the truth.
func TestReliabilityOfRandomSchedules(t *testing.T) {
	t.Parallel()
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
