package export_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/export"
)

// keepingWorld is a world that marks deleted rows and keeps what rows were before.
func keepingWorld(t *testing.T, k kind, perDay int, since time.Time) *world {
	t.Helper()
	w := newWorld(t, k, calls(perDay), since, nil)
	mapping := w.mapping()
	mapping.MarksDeleted, mapping.History = true, true
	w.exporter.Dataset.Mapper = w.compile(mapping)
	w.exporter.Dataset.DeletedMaxShare = 0.5
	return w
}

// kept is a version of a call, and whether it is marked as deleted.
type kept struct {
	call
	deleted bool
}

// keptIn is what is selected from, by call, in order of time.
func (w *world) keptIn(from, order string) map[string][]kept {
	w.Helper()
	all := map[string][]kept{}
	rows := w.query(`select call_id, %s, coalesce(direction, 'NULL'), coalesce(cast(duration_s as text), 'NULL'),
		coalesce(cast(wrap_up_s as text), 'NULL'), coalesce(disposition, 'NULL'), case when _deleted_at is null then 'no' else 'yes' end
		from %s order by %s`, w.kind.instant("started_at"), from, order)
	for _, r := range rows {
		all[r[0]] = append(all[r[0]], kept{call{r[1], r[2], r[3], r[4], r[5]}, r[6] == "yes"})
	}
	return all
}

// asOf is what to select from to have the rows of a table as they were at a time.
func (k kind) asOf(table string, at time.Time) string {
	text := at.UTC().Format("2006-01-02T15:04:05.000000Z")
	if k.name == "sqlite" {
		return fmt.Sprintf("(select * from %s where _valid_from <= '%s' and (_valid_to > '%[2]s' or _valid_to is null))", k.allVersions(table), text)
	}
	return fmt.Sprintf("%s('%s')", k.table(table+"_as_of"), text)
}

// allVersions is what to select from to have all versions of the rows of a table.
func (k kind) allVersions(table string) string {
	if k.name == "sqlite" {
		return table + "_versions"
	}
	return k.table(table+"_versions") + "()"
}

// While the source restates, takes away and brings back: every version that it showed when it was read is in the history,
// nothing else is, and the table as of any time is what it was then.
func TestHistoryOfRestatements(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := keepingWorld(t, k, 150, since)
		shown := map[string][]kept{} // all versions so far
		var times []time.Time
		var tables []map[string][]kept
		look := func() {
			t.Helper()
			truth := w.truth(since, w.clock.Now())
			table := w.keptIn(w.kind.table("calls"), "call_id")
			for id, is := range table {
				was := shown[id]
				if len(was) > 0 && was[len(was)-1] == is[0] {
					continue
				}
				if c, there := truth[id]; there == is[0].deleted || there && c != is[0].call {
					t.Errorf("call %s is %+v, but the API shows %+v", id, is[0], c)
				}
				shown[id] = append(was, is[0])
			}
			times, tables = append(times, time.Now()), append(tables, table)
		}
		var gone string
		for n := range 12 {
			w.export()
			look()
			switch n {
			case 4:
				gone = w.ids(since, start)[3]
				w.remove(gone)
				w.backfill(since)
				look()
			case 5:
				w.insert(gone, shown[gone][0])
				w.backfill(since)
				look()
			}
			w.clock.Advance(time.Duration(n%7+1) * time.Hour)
		}
		restated := 0
		for _, want := range shown {
			if len(want) > 1 {
				restated++
			}
		}
		if len(shown[gone]) < 3 {
			t.Errorf("%s was not marked and brought back: %+v", gone, shown[gone])
		}
		if restated < 5 {
			t.Errorf("%d calls changed: nothing was restated", restated)
		}
		if got := w.keptIn(k.allVersions("calls"), "call_id, _valid_from"); !maps.EqualFunc(got, shown, slices.Equal[[]kept]) {
			t.Errorf("the versions differ: %s", differing(got, shown))
		}
		for i, at := range times {
			if got := w.keptIn(k.asOf("calls", at), "call_id"); !maps.EqualFunc(got, tables[i], slices.Equal[[]kept]) {
				t.Errorf("as of look %d of %d: %s", i+1, len(times), differing(got, tables[i]))
			}
		}
	})
}

// A repair is a reading as any other.
func TestHistoryOfARepair(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-3 * time.Hour)
		w := keepingWorld(t, k, 100, since)
		w.export()
		id := w.ids(since, start)[2]
		right := w.table()[id]
		w.exec(fmt.Sprintf("update %s set duration_s = 99999 where call_id = '%s'", k.table("calls"), id))
		w.clock.Advance(time.Second)
		if v := w.verify(export.VerifyRange{Repair: true}); !v.Repaired || !v.Equal() {
			t.Fatalf("%+v", v)
		}
		wrong := right
		wrong.duration = "99999"
		got := w.keptIn(k.table("calls_history"), "call_id")
		if len(got) != 1 || !slices.Equal(got[id], []kept{{call: wrong}}) || w.table()[id] != right {
			t.Errorf("kept %+v, and %+v is now", got, w.table()[id])
		}
		if cause := w.query("select _cause from %s", k.table("calls_history"))[0][0]; cause != "read" {
			t.Errorf("cause %s", cause)
		}
	})
}

// backfill reads everything up to start again.
func (w *world) backfill(since time.Time) {
	w.Helper()
	w.clock.Advance(time.Second)
	if _, err := w.exporter.Backfill(w.Context(), export.Range{From: since, To: start, Restart: true}); err != nil {
		w.Fatal(err)
	}
}

// insert brings a call back, with what else it says made up anew.
func (w *world) insert(id string, was kept) {
	w.Helper()
	at, err := time.Parse(time.RFC3339Nano, was.started)
	if err != nil {
		w.Fatal(err)
	}
	if _, err := w.sim.Insert(w.report.ID, at, map[string]any{w.report.Key: id, w.report.Metric("duration_s").ID: 77}); err != nil {
		w.Fatal(err)
	}
}

// differing tells what is not the same, of a few calls.
func differing(got, want map[string][]kept) string {
	var told []string
	for id := range want {
		if !slices.Equal(got[id], want[id]) && len(told) < 3 {
			told = append(told, fmt.Sprintf("%s has %+v, want %+v", id, got[id], want[id]))
		}
	}
	for id := range got {
		if _, there := want[id]; !there && len(told) < 5 {
			told = append(told, id+" should not be there")
		}
	}
	return strings.Join(told, "\n")
}

// looked is a table as it was at a time.
type looked struct {
	table string
	at    time.Time
	rows  map[string]call
}

// remember looks at the table, and that the versions of each row follow each other without a gap.
func (m *machine) remember() {
	m.Helper()
	if !m.keeps || !m.hasTable() {
		return
	}
	broken := m.count(`select count(*) from %s as h where not exists (select 1 from %s as v where v.call_id = h.call_id and v._valid_from = h._valid_to)
		or h._valid_from >= h._valid_to`, m.kind.table(m.table+"_history"), m.kind.allVersions(m.table))
	if broken > 0 {
		m.Fatalf("moment %d: %d versions are followed by none", m.moment, broken)
	}
	rows := m.rowsOfTable()
	if n := len(m.past); n == 0 || m.past[n-1].table != m.table || !maps.Equal(m.past[n-1].rows, rows) {
		m.past = append(m.past, looked{m.table, time.Now(), rows})
	}
}

// mustRemember compares the table as of each look with what it was.
func (m *machine) mustRemember() {
	m.Helper()
	for i, l := range m.past {
		if l.table != m.table {
			continue
		}
		m.tried["times looked back to"]++
		if got := m.rowsOf(m.kind.asOf(l.table, l.at)); !maps.Equal(got, l.rows) {
			m.Errorf("as of look %d of %d, %d rows are not the %d of that time", i+1, len(m.past), len(got), len(l.rows))
		}
	}
}
