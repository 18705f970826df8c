package export_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
)

// Rows that were appended by an older mapping are not the same rows by a newer one. Windows that were read are not read again
// then, neither by re-reads nor at the live edge nor by a backfill, until their rows are deleted: each row is there once.
func TestAppendedRowsOfAnotherForm(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(m *schema.Mapping, d *export.Dataset){
		"a field is dropped": func(m *schema.Mapping, _ *export.Dataset) {
			m.Drop = append(m.Drop, m.Fields[fieldNamed(m, "agent")].ID)
			m.Fields = slices.Delete(m.Fields, fieldNamed(m, "agent"), fieldNamed(m, "agent")+1)
		},
		"a field is removed": func(m *schema.Mapping, _ *export.Dataset) {
			m.Fields = slices.Delete(m.Fields, fieldNamed(m, "agent"), fieldNamed(m, "agent")+1)
		},
		"a field is renamed": func(m *schema.Mapping, _ *export.Dataset) { m.Fields[fieldNamed(m, "agent")].Name = "agent_name" },
		"a field is transformed": func(m *schema.Mapping, _ *export.Dataset) {
			m.Fields[fieldNamed(m, "from_number")].Transform = schema.Last4
		},
		"unmapped ids are ignored": func(m *schema.Mapping, _ *export.Dataset) { m.Unmapped = schema.Ignore },
		"another time field":       func(m *schema.Mapping, _ *export.Dataset) { m.TimeField = "ended_at" },
		"a larger grid":            func(_ *schema.Mapping, d *export.Dataset) { d.Grid = gridOf(t, 2*time.Hour, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, k kind) {
				t.Parallel()
				since, end := start.Add(-4*time.Hour), start.Add(4*time.Hour)
				w := newWorld(t, k, calls(0), since, nil)
				w.every(10*time.Minute, since, end)
				w.keyless(sink.Append, withoutTeam)
				w.clock.Advance(33 * time.Minute)
				w.export()
				d := w.exporter.Dataset
				m := w.mapping()
				m.Key, m.ByWindow = nil, true
				withoutTeam(&m)
				change(&m, &d)
				d.Mapper, d.ConfigHash = w.compile(m), "another"
				w.exporter = w.newExporter(d, w.open())
				for range 5 {
					w.clock.Advance(time.Hour)
					w.export()
				}
				w.clock.Advance(200 * time.Hour)
				w.export()
				w.mustHaveEach(since, end)
				w.clock.Advance(time.Second)
				everything := export.Range{From: since, To: end}
				_, err := w.exporter.Backfill(t.Context(), everything)
				var refused *sink.OlderFormError
				if !errors.As(err, &refused) {
					t.Fatalf("a backfill: %v, want that it is refused", err)
				}
				w.mustHaveEach(since, end)
				w.exec(err.Error()[strings.Index(err.Error(), "DELETE FROM"):])
				if s, err := w.exporter.Backfill(t.Context(), everything); err != nil || s.Err() != nil {
					t.Fatal(err, s.Err())
				}
				w.mustHaveEach(since, end)
			})
		})
	}
}

// withoutTeam leaves something for _extra.
func withoutTeam(m *schema.Mapping) {
	m.Fields = slices.Delete(m.Fields, fieldNamed(m, "team"), fieldNamed(m, "team")+1)
}

func fieldNamed(m *schema.Mapping, name string) int {
	return slices.IndexFunc(m.Fields, func(f schema.Field) bool { return f.Name == name })
}

// every inserts calls that stay as they are.
func (w *world) every(d time.Duration, since, end time.Time) {
	w.Helper()
	for at := since; at.Before(end); at = at.Add(d) {
		values := map[string]any{
			w.report.Metric("ended_at").ID: at.Add(5 * time.Minute).Format(time.RFC3339), w.report.Metric("team").ID: "Sales",
			w.report.Metric("agent").ID: "Asha", w.report.Metric("from_number").ID: "+15550100",
		}
		if _, err := w.sim.Insert(w.report.ID, at, values); err != nil {
			w.Fatal(err)
		}
	}
}

// A text field that is added, of a number with a trailing zero: _extra has it without.
func TestAppendedTextOfANumber(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		const rate = "5f0000000000000000000002"
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(400), since, nil)
		w.clock.Advance(100 * time.Hour)
		api := rewriting{w.exporter.Source, func(raw string) string { return strings.TrimSuffix(raw, "}") + `,"` + rate + `":1.50}` }}
		for i := range 2 {
			w.keyless(sink.Append, func(m *schema.Mapping) {
				if i == 1 {
					m.Fields = append(m.Fields, schema.Field{ID: rate, Name: "rate", Type: schema.Text})
				}
			})
			w.reconfigure(fmt.Sprint(i))
			w.exporter.Source = api
			w.pass(upToStart(since))
			w.again()
			w.mustHaveEach(since, start)
		}
	})
}
