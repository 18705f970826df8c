package sinktest

import (
	"errors"
	"fmt"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

func previewTests() []exercise {
	return []exercise{
		{"says what prepare does, and does nothing", testPreview},
		{"before the first run", testPreviewUnmigrated},
		{"columns that take the place of others", testRenamed},
		{"windows", testWindows},
	}
}

func testPreview(b bench) {
	same := func(d sink.Dataset) {
		b.t.Helper()
		first, err := b.Preview(b.t.Context(), d.Name, d.Table)
		b.noError(err)
		again, err := b.Preview(b.t.Context(), d.Name, d.Table) // nothing was done
		b.noError(err)
		equal(b, "again", len(again.Changes), len(first.Changes))
		done := b.prepare(d)
		equal(b, "created", first.Created, done.Created)
		equal(b, "changes", len(first.Changes), len(done.Changes))
		for i, change := range done.Changes {
			equal(b, "change", first.Changes[i], change)
		}
	}
	d := callsDataset()
	same(d)
	same(d) // nothing is left to do
	d.Table.Columns = append(d.Table.Columns, schema.Column{Name: "channel", Type: schema.JSON, ID: "c", Title: "Channel"})
	d.Table.Columns[3].Type = schema.Numeric
	same(d)
	d.Table.Columns[3].Type = schema.Boolean
	_, err := b.Preview(b.t.Context(), d.Name, d.Table)
	var narrowing *schema.NarrowingError
	if !errors.As(err, &narrowing) || narrowing.Column != "seconds" {
		b.t.Errorf("narrowing: %v", err)
	}
}

func testRenamed(b bench) {
	d := callsDataset()
	place := d.Table.ColumnIndex("seconds")
	b.prepare(d)
	b.planned(0, 1)
	b.commit(read(b.claim(anything(2)), clock(2, 0), clock(9, 0), call("a", clock(0, 1), "Asha", 7)))
	preview := func(what string) []sink.Renamed {
		b.t.Helper()
		prepared, err := b.Preview(b.t.Context(), d.Name, d.Table)
		b.noError(err)
		equal(b, what+": prepared", fmt.Sprint(b.prepare(d).Renamed), fmt.Sprint(prepared.Renamed))
		return prepared.Renamed
	}
	equal(b, "none", len(preview("as it is")), 0)
	d.Table.Columns[place].Name, d.ConfigHash = "length", "c2"
	prepared, err := b.Preview(b.t.Context(), d.Name, d.Table)
	b.noError(err)
	if len(prepared.Renamed) != 1 {
		b.t.Fatalf("renamed: %+v", prepared.Renamed)
	}
	r := prepared.Renamed[0]
	equal(b, "from", r.From+" to "+r.To, "seconds to length")
	done := b.prepare(d)
	equal(b, "prepared", fmt.Sprint(done.Renamed), fmt.Sprint(prepared.Renamed))
	equal(b, "from _extra", len(done.FromExtra()), 0)
	equal(b, "before", b.column(`SELECT length FROM `+b.Table(calls)), "NULL")
	b.query(r.Statement)
	equal(b, "after", b.column(`SELECT length FROM `+b.Table(calls)), "7")
	equal(b, "told once", len(preview("again")), 0)

	d.Table.Columns[place].Name, d.Table.Columns[place].Type = "as_text", schema.Text
	renamed := preview("of another type")
	if len(renamed) != 1 || renamed[0].From != "length" || renamed[0].Statement != "" {
		b.t.Errorf("of another type: %+v", renamed)
	}
}

func testPreviewUnmigrated(b bench) {
	w, _ := b.Unmigrated()
	prepared, err := w.Preview(b.t.Context(), calls, callsTable())
	b.noError(err)
	equal(b, "created", prepared.Created, true)
	if _, err := w.Windows(b.t.Context(), calls, hours(0, 1)); !errors.Is(err, sink.ErrNotMigrated) {
		b.t.Errorf("windows: %v", err)
	}
	if _, err := w.Status(b.t.Context(), clock(0, 0)); !errors.Is(err, sink.ErrNotMigrated) {
		b.t.Errorf("the preview left tables: %v", err)
	}
}

func testWindows(b bench) {
	b.planned(0, 6)
	b.settled(hours(0, 2), clock(9, 0))
	all := b.ledger()
	some, err := b.Windows(b.t.Context(), calls, hours(1, 4))
	b.noError(err)
	equal(b, "windows", len(some), 3)
	for i, e := range some {
		equal(b, "window", e, all[1+i])
	}
	none, err := b.Windows(b.t.Context(), "agents", hours(0, 6))
	b.noError(err)
	equal(b, "of another dataset", len(none), 0)
}
