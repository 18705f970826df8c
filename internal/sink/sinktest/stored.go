package sinktest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

func storedTests() []exercise {
	tests := []exercise{
		{"rows of a stretch of time", testStoredIn},
		{"rows by keys", testStoredByKey},
		{"ledger of a stretch of time", testEntries},
		{"windows that are marked", testMarkDue},
		{"windows that are marked and a clock a little ahead has read", testMarkDueAhead},
	}
	for t := schema.Text; t <= schema.JSON; t++ {
		tests = append(tests, exercise{"values of " + t.String(), func(b bench) { testStoredValues(b, t) }})
	}
	return tests
}

// ids are the keys of rows in their order, those that are marked as deleted in brackets.
func ids(rows []sink.StoredRow) string {
	var all []string
	for _, row := range rows {
		id := row.Values[0].Str()
		if row.Deleted {
			id = "(" + id + ")"
		}
		all = append(all, id)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// withMarked is the table calls with rows of which one is marked as deleted.
func (b bench) withMarked() schema.Table {
	b.t.Helper()
	d := callsDataset()
	d.Table.MarksDeleted = true
	b.prepare(d)
	b.plan(hours(0, 1), clock(0, 0))
	timeless := call("t", clock(0, 0), "Tim", 5)
	timeless.Values[1] = schema.Value{}
	b.store(call("a", clock(0, 10), "Ann", 1), call("b", clock(0, 20), "Bob", 2), call("c", clock(0, 30), "Cid", 3), call("d", clock(1, 0), "Dan", 4), timeless)
	b.query(`UPDATE ` + b.Table(calls) + ` SET _deleted_at = '2026-03-02T00:00:00.000000Z' WHERE call_id = 'b'`)
	return d.Table
}

func testStoredIn(b bench) {
	table := b.withMarked()
	in := func(from, to int) string {
		rows, err := b.StoredIn(b.t.Context(), table, sink.Stretch{From: schema.TimeValue(clock(0, from)), To: schema.TimeValue(clock(0, to))})
		b.noError(err)
		return ids(rows)
	}
	equal(b, "hour", in(0, 60), "(b) a c")
	equal(b, "half-open", in(10, 30), "(b) a")
	equal(b, "all", in(0, 61), "(b) a c d")
	equal(b, "nothing", in(11, 12), "")
	table.MarksDeleted = false
	equal(b, "of a table that marks nothing any more", in(10, 30), "(b) a")
}

func testStoredByKey(b bench) {
	table := b.withMarked()
	var keys []schema.Row
	for _, id := range []string{"a", "b", "t", "x"} {
		keys = append(keys, call(id, clock(0, 0), "", 0).Row)
	}
	rows, err := b.StoredByKey(b.t.Context(), table, keys)
	b.noError(err)
	equal(b, "rows", ids(rows), "(b) a t")
	i := slices.IndexFunc(rows, func(r sink.StoredRow) bool { return r.Values[0].Str() == "a" })
	equal(b, "a", fmt.Sprint(rows[i].Values), fmt.Sprint(call("a", clock(0, 10), "Ann", 1).Values))
	equal(b, "window of a", rows[i].WindowStart, clock(0, 0))
	equal(b, "a is exported", rows[i].ExportedAt, b.instant(b.cell(`SELECT _exported_at FROM `+b.Table(calls)+` WHERE call_id = 'a'`)))
	none, err := b.StoredByKey(b.t.Context(), table, nil)
	b.noError(err)
	equal(b, "rows of no keys", len(none), 0)
}

// What is read back is what was written, to the bit.
func testStoredValues(b bench, t schema.Type) {
	d := callsDataset()
	d.Table.Columns = append(d.Table.Columns, schema.Column{Name: "v", Type: t, ID: "v"})
	b.prepare(d)
	b.plan(hours(0, 1), clock(0, 0))
	var rows []sink.Row
	for i, v := range append(extremes(t), schema.Value{}) {
		row := call(fmt.Sprintf("%03d", i), clock(0, 10), "Ann", 1)
		row.Values = append(row.Values, v)
		row.Extra = schema.StrValue(`{"n":1.5,"s":"\"é"}`)
		rows = append(rows, row)
	}
	batch := read(b.claim(within(hours(0, 1))), clock(9, 0), clock(9, 0), rows...)
	batch.Table = d.Table
	b.commit(batch)
	got, err := b.StoredIn(b.t.Context(), d.Table, sink.Stretch{From: schema.TimeValue(clock(0, 0)), To: schema.TimeValue(clock(1, 0))})
	b.noError(err)
	slices.SortFunc(got, func(x, y sink.StoredRow) int { return strings.Compare(x.Values[0].Str(), y.Values[0].Str()) })
	equal(b, "rows", len(got), len(rows))
	for i, row := range got {
		if want := rows[i]; !slices.Equal(row.Values, want.Values) || row.Extra != want.Extra {
			b.t.Errorf("got %+v, want %+v", row.Row.Row, want.Row)
		}
	}
}

func testEntries(b bench) {
	if w, _ := b.Unmigrated(); true {
		if _, err := w.Entries(b.t.Context(), calls, "c1", hours(0, 1)); !errors.Is(err, sink.ErrNotMigrated) {
			b.t.Errorf("entries before migrate: %v", err)
		}
	}
	if _, err := b.Entries(b.t.Context(), calls, "c1", hours(0, 1)); !errors.Is(err, sink.ErrSuperseded) {
		b.t.Errorf("entries of a dataset that was never prepared: %v", err)
	}
	b.planned(0, 4)
	b.settled(hours(1, 2), clock(9, 0))
	entries, err := b.Entries(b.t.Context(), calls, "c1", window.Window{Start: clock(0, 30), End: clock(2, 0)})
	b.noError(err)
	equal(b, "windows", starts(entries), "00 01")
	equal(b, "entries", fmt.Sprint(entries), fmt.Sprint(b.ledger()[:2]))
	if _, err := b.Entries(b.t.Context(), calls, "other", hours(0, 1)); !errors.Is(err, sink.ErrSuperseded) {
		b.t.Errorf("entries by another config: %v", err)
	}
}

func testMarkDue(b bench) {
	b.planned(0, 4)
	b.settled(hours(0, 2), clock(30, 0)) // read, to be read again later
	lease := b.claim(within(hours(2, 3)))
	m := sink.Mark{Dataset: calls, ConfigHash: "c1", Holding: []time.Time{clock(1, 0), clock(1, 59), clock(2, 30)}, Now: clock(12, 0)}
	b.noError(b.MarkDue(b.t.Context(), m))
	equal(b, "the window before", b.entry(0).NextReadAt, clock(30, 0))
	equal(b, "a window that was read", fmt.Sprint(b.entry(1).State, b.entry(1).NextReadAt, b.entry(1).ReadTo), fmt.Sprint(sink.StateDue, clock(12, 0), clock(2, 0)))
	b.commit(read(lease, clock(9, 0), clock(30, 0)))
	equal(b, "a window that was leased", fmt.Sprint(b.entry(2).State, b.entry(2).NextReadAt), fmt.Sprint(sink.StateDue, clock(12, 0)))
	m.ConfigHash = "other"
	if err := b.MarkDue(b.t.Context(), m); !errors.Is(err, sink.ErrSuperseded) {
		b.t.Errorf("marked by another config: %v", err)
	}
}

func testMarkDueAhead(b bench) {
	b.planned(0, 3)
	b.commit(read(b.claim(within(hours(0, 1))), clock(10, 0), time.Time{}))
	b.commit(read(b.claim(within(hours(1, 2))), clock(10, 4), time.Time{}))
	m := sink.Mark{Dataset: calls, ConfigHash: "c1", Holding: []time.Time{clock(0, 0), clock(1, 0), clock(2, 0)}, Now: clock(10, 0)}
	b.noError(b.MarkDue(b.t.Context(), m))
	r := within(hours(0, 3))
	r.ReadBefore = m.Now
	equal(b, "claimed", starts(b.claim(r).Entries), "00 01 02")
	equal(b, "never read", b.entry(2).ReadAt, time.Time{})
}
