package sqlite_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/sink/sqlite"
	"samespace-exporter/internal/window"
)

// BenchmarkCommit commits 20,000 rows of the documented shape: new ones, and the same again.
func BenchmarkCommit(b *testing.B) {
	for _, again := range []bool{false, true} {
		b.Run(map[bool]string{false: "fresh", true: "unchanged"}[again], func(b *testing.B) {
			const size = 20_000
			w, table, start := benchWarehouse(b)
			lease, _, err := w.Claim(b.Context(), sink.ClaimRequest{
				Dataset: "calls", Now: start, Edge: start.Add(time.Hour), MaxSpan: time.Hour, Owner: "bench", TTL: time.Hour,
			})
			if err != nil {
				b.Fatal(err)
			}
			batch := sink.Batch{Lease: lease, Table: table, Rows: benchRows(0, size, start), Readings: []sink.Reading{
				{Start: start, State: sink.StateRunning, ReadAt: start, ReadTo: start.Add(time.Hour), NextReadAt: start},
			}}
			if again {
				if _, err := w.Commit(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			for n := 1; b.Loop(); n++ {
				if !again {
					b.StopTimer()
					batch.Rows = benchRows(n*size, size, start)
					b.StartTimer()
				}
				counts, err := w.Commit(b.Context(), batch)
				if err != nil || counts.Inserted+counts.Unchanged != size {
					b.Fatal(counts, err)
				}
			}
			b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

func benchTable() schema.Table {
	table := schema.Table{Name: "calls", Key: []string{"call_id"}, TimeField: "started_at"}
	for i, name := range []string{"call_id", "started_at", "ended_at", "direction", "from_number", "to_number", "seconds", "channel", "queue", "cost"} {
		types := []schema.Type{schema.Text, schema.Timestamptz, schema.Timestamptz, schema.Text, schema.Text, schema.Text, schema.Integer, schema.Text, schema.Text, schema.Numeric}
		table.Columns = append(table.Columns, schema.Column{Name: name, Type: types[i], ID: name})
	}
	return table
}

func benchRows(from, size int, start time.Time) []sink.Row {
	rows := make([]sink.Row, size)
	for i := range rows {
		n := from + i
		at := schema.TimeValue(start.Add(time.Duration(n) * time.Millisecond))
		rows[i] = sink.Row{WindowStart: start, Row: schema.Row{Values: []schema.Value{
			schema.StrValue(fmt.Sprintf("65a%021d", n)), at, at, schema.StrValue("inbound"), schema.StrValue(fmt.Sprintf("+9198%08d", n)),
			schema.StrValue("+911140000000"), schema.IntValue(int64(n % 900)), schema.StrValue("voice"),
			schema.StrValue("support"), schema.StrValue(fmt.Sprintf("%d.25", n%100)),
		}}}
	}
	return rows
}

func benchWarehouse(b *testing.B) (*sqlite.Warehouse, schema.Table, time.Time) {
	w, err := sqlite.Open(b.Context(), sqlite.Options{Path: filepath.Join(b.TempDir(), "bench.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(w.Close)
	if err := w.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	table, start := benchTable(), time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	if _, err := w.Prepare(b.Context(), sink.Dataset{Name: "calls", Kind: sink.KindReport, Table: table}); err != nil {
		b.Fatal(err)
	}
	whole := func(w window.Window) []window.Window { return []window.Window{w} }
	if _, err := w.Plan(b.Context(), "calls", window.Window{Start: start, End: start.Add(time.Hour)}, start, whole); err != nil {
		b.Fatal(err)
	}
	return w, table, start
}
