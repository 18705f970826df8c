package simulator_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/source/simulator"
)

func TestInsertedRowsAreTruth(t *testing.T) {
	c := at()
	a := serve(t, c, 800)
	calls := simulator.Calls()
	start := c.now.Add(-30*time.Hour + 123*time.Millisecond)
	key, err := a.Insert(calls.ID, start, map[string]any{
		calls.Metric("direction").ID:  "in",
		calls.Metric("duration_s").ID: 12.5,
		"5ffffffffffffffffffffff1":    map[string]any{"odd": true},
	})
	if err != nil {
		t.Fatal(err)
	}
	rows := a.truth(start, start.Add(time.Millisecond))
	want := `{"5ef594e0eba06ff9adbcfc07":"` + key + `","5e6f5fc04767c68072ee031c":"2024-05-14T14:00:00.123Z",` +
		`"60af7ebc2c1f3d2b8e5faf7e":"2024-05-14T14:00:00.123Z","5e6f5fc04767c68072ee031d":"in",` +
		`"5e6f5fc04767c68072ee0320":12.5,"5ffffffffffffffffffffff1":{"odd":true}}`
	if len(rows) != 1 || rows[0] != want {
		t.Fatalf("rows %s\nwant %s", rows, want)
	}
	inEveryOrder(t, a, c.now.Add(-72*time.Hour), c.now)

	if _, err := a.Insert(calls.ID, start, map[string]any{calls.Key: key}); err == nil {
		t.Error("a second row of the same key was inserted")
	}
	if _, err := a.Insert(calls.ID, start, map[string]any{calls.Key: "short"}); err == nil {
		t.Error("a row with an odd key was inserted")
	}
	if _, err := a.Insert(calls.ID, start, map[string]any{"x": func() {}}); err == nil {
		t.Error("a function was inserted")
	}
	if _, err := a.Insert("no report", start, nil); err == nil {
		t.Error("a row was inserted into no report")
	}
}

func TestInsertedRowsWaitForTheClock(t *testing.T) {
	c := at()
	a := serve(t, c, 0)
	start := c.now.Add(-time.Hour)
	for _, at := range []time.Time{start, c.now.Add(48 * time.Hour)} {
		if _, err := a.Insert(simulator.Calls().ID, at, nil); err != nil {
			t.Fatal(err)
		}
		if rows := a.truth(at, at.Add(time.Minute)); len(rows) != 1 {
			t.Errorf("the inserted row is not seen: %s", rows)
		}
	}
	c.now = c.now.Add(-time.Minute)
	if rows := a.truth(start, start.Add(time.Minute)); len(rows) != 0 {
		t.Errorf("a row is seen before it was inserted: %s", rows)
	}
}

func TestRemovedRowsAreGone(t *testing.T) {
	c := at()
	a := serve(t, c, 800)
	calls := simulator.Calls()
	from, to := c.now.Add(-60*time.Hour), c.now.Add(-20*time.Hour)
	want := a.truth(from, to)
	for _, i := range []int{len(want) - 1, len(want) / 2, 0} {
		if err := a.Remove(calls.ID, id(t, want[i])); err != nil {
			t.Fatal(err)
		}
		if err := a.Remove(calls.ID, id(t, want[i])); err == nil {
			t.Error("a row was removed twice")
		}
		want = slices.Delete(want, i, i+1)
	}
	equalRows(t, a.truth(from, to), want)
	inEveryOrder(t, a, from, to)

	key, err := a.Insert(calls.ID, from, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Remove(calls.ID, key); err != nil {
		t.Fatal(err)
	}
	equalRows(t, a.truth(from, to), want)
	if err := a.Remove(calls.ID, "no key"); err == nil {
		t.Error("a row without a key was removed")
	}
}

func TestChangedRowsKeepTheRest(t *testing.T) {
	c := at()
	a := serve(t, c, 800)
	calls := simulator.Calls()
	from, to := c.now.Add(-60*time.Hour), c.now.Add(-20*time.Hour)
	want := a.truth(from, to)
	row := want[10]
	change := func(values map[string]any) {
		t.Helper()
		if err := a.Change(calls.ID, id(t, row), values); err != nil {
			t.Fatal(err)
		}
	}
	change(map[string]any{calls.Metric("direction").ID: "sideways"})
	change(map[string]any{calls.Metric("queue").ID: nil})
	for _, old := range []string{`"in"`, `"out"`} {
		want[10] = strings.Replace(want[10], `"`+calls.Metric("direction").ID+`":`+old, `"`+calls.Metric("direction").ID+`":"sideways"`, 1)
	}
	want[10] = strings.Replace(want[10], cell(t, row, "queue"), "null", 1)
	equalRows(t, a.truth(from, to), want)
	inEveryOrder(t, a, from, to)

	change(map[string]any{calls.TimeField: to.Add(time.Hour)})
	equalRows(t, a.truth(from, to), slices.Delete(want, 10, 11))
	moved := a.truth(to.Add(time.Hour), to.Add(time.Hour+time.Millisecond))
	if len(moved) != 1 || id(t, moved[0]) != id(t, row) {
		t.Errorf("the moved row is not where it should be: %s", moved)
	}
}

// inEveryOrder checks that the pages of a range hold the truth, by start and by id.
func inEveryOrder(t *testing.T, a api, from, to time.Time) {
	t.Helper()
	want := a.truth(from, to)
	equalRows(t, a.pages(between(from, to).byStart(), 77), want)
	equalRows(t, sorted(a.pages(between(from, to), 77)), sorted(want))
}
