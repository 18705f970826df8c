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

// asOf is what to select from to have the calls as they were at a time.
func (w *world) asOf(at time.Time) string {
	text := at.UTC().Format("2006-01-02T15:04:05.000000Z")
	if w.kind.name == "sqlite" {
		return fmt.Sprintf("(select * from calls_versions where _valid_from <= '%s' and (_valid_to > '%[1]s' or _valid_to is null))", text)
	}
	return fmt.Sprintf("samespace.calls_as_of('%s')", text)
}

func (w *world) allVersions() string {
	if w.kind.name == "sqlite" {
		return "calls_versions"
	}
	return "samespace.calls_versions()"
}

// While the source restates, takes away and brings back: every version that it showed when it was read is in the history,
// nothing else is, and the table as of any time is what it was then.
func TestHistoryOfRestatements(t *testing.T) {
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
		if got := w.keptIn(w.allVersions(), "call_id, _valid_from"); !maps.EqualFunc(got, shown, slices.Equal[[]kept]) {
			t.Errorf("the versions differ: %s", differing(got, shown))
		}
		for i, at := range times {
			if got := w.keptIn(w.asOf(at), "call_id"); !maps.EqualFunc(got, tables[i], slices.Equal[[]kept]) {
				t.Errorf("as of look %d of %d: %s", i+1, len(times), differing(got, tables[i]))
			}
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
