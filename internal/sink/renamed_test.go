package sink_test

import (
	"strings"
	"testing"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

func TestRenamedOf(t *testing.T) {
	table := schema.Table{Name: "calls", Key: []string{"id"}, Columns: []schema.Column{
		{Name: "id", Type: schema.Text, ID: "1"}, {Name: "talk_s", Type: schema.Integer, ID: "2"}, {Name: "queue", Type: schema.Text, ID: "3"},
	}}
	kept := []sink.KeptField{{"duration_s", "2", "integer"}, {"id", "1", "text"}}
	all := sink.RenamedOf(table, kept, `"calls"`)
	if len(all) != 1 || all[0].Statement != `UPDATE "calls" SET "talk_s" = "duration_s" WHERE "talk_s" IS NULL` {
		t.Fatalf("%+v", all)
	}
	const told = `column talk_s takes the place of duration_s, for the same id 2: rows that are there keep its values in duration_s, and ` +
		`talk_s is empty in them until they are read again; to fill it: exporter run --backfill, or UPDATE "calls" SET `
	if text := all[0].String(); !strings.HasPrefix(text, told) {
		t.Errorf("%s", text)
	}
	if columns := (sink.Prepared{Unpromoted: []string{"talk_s", "queue"}, Renamed: all}).FromExtra(); len(columns) != 1 || columns[0] != "queue" {
		t.Errorf("from _extra: %q", columns)
	}
	table.Key = nil
	if text := sink.RenamedOf(table, kept, `"calls"`)[0].String(); !strings.Contains(text, "is empty in them; to fill it: with write: replace, exporter run --backfill, or UPDATE") {
		t.Errorf("without a key: %s", text)
	}
	swapped := []sink.KeptField{{"talk_s", "3", "text"}, {"queue", "2", "integer"}, {"id", "1", "text"}}
	if all := sink.RenamedOf(table, swapped, `"calls"`); len(all) != 0 {
		t.Errorf("names that were swapped: no column is new: %+v", all)
	}
}
