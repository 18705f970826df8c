package sinktest

import (
	"errors"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

func previewTests() []exercise {
	return []exercise{
		{"says what prepare does, and does nothing", testPreview},
		{"before the first run", testPreviewUnmigrated},
		{"windows", testWindows},
	}
}

func testPreview(b bench) {
	same := func(d sink.Dataset) {
		b.t.Helper()
		first, err := b.Preview(b.t.Context(), d.Table)
		b.noError(err)
		again, err := b.Preview(b.t.Context(), d.Table) // nothing was done
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
	_, err := b.Preview(b.t.Context(), d.Table)
	var narrowing *schema.NarrowingError
	if !errors.As(err, &narrowing) || narrowing.Column != "seconds" {
		b.t.Errorf("narrowing: %v", err)
	}
}

func testPreviewUnmigrated(b bench) {
	w, _ := b.Unmigrated()
	prepared, err := w.Preview(b.t.Context(), callsTable())
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
