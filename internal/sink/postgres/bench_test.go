package postgres

import (
	"fmt"
	"testing"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// BenchmarkCommit commits 20,000 rows of ten columns: all new, all as they are, every hundredth changed.
func BenchmarkCommit(b *testing.B) {
	const size = 20_000
	for _, kind := range []string{"fresh", "unchanged", "one in a hundred changed"} {
		b.Run(kind, func(b *testing.B) {
			w, err := Open(b.Context(), Options{DSN: server.Database(b)})
			if err != nil {
				b.Fatal(err)
			}
			defer w.Close()
			table := benchTable()
			hour := window.Window{Start: at(0), End: at(60)}
			if err := w.Migrate(b.Context()); err != nil {
				b.Fatal(err)
			}
			if _, err := w.Prepare(b.Context(), sink.Dataset{Name: "calls", Kind: sink.KindReport, Table: table}); err != nil {
				b.Fatal(err)
			}
			if _, err := w.Plan(b.Context(), "calls", hour, at(0), func(g window.Window) []window.Window { return []window.Window{g} }); err != nil {
				b.Fatal(err)
			}
			lease, _, err := w.Claim(b.Context(), sink.ClaimRequest{Dataset: "calls", Now: at(60), Edge: at(60), Owner: "test", TTL: time.Hour})
			if err != nil {
				b.Fatal(err)
			}
			var lane sink.Lane // of one reading goroutine, which its own commits do not overtake
			commit := func(first, changed int) {
				b.StopTimer()
				batch := batch(lease, benchRows(first, size, changed))
				batch.Table, batch.Lane, batch.Readings[0].State = table, &lane, sink.StateRunning
				b.StartTimer()
				if _, err := w.Commit(b.Context(), batch); err != nil {
					b.Fatal(err)
				}
			}
			commit(0, 0)
			n := 0
			for b.Loop() {
				n++
				switch kind {
				case "fresh":
					commit(n*size, 0)
				case "unchanged":
					commit(0, 0)
				default:
					commit(0, n)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(n*size), "us/row")
		})
	}
}

func benchTable() schema.Table {
	table := dataset().Table
	for i := range 7 {
		table.Columns = append(table.Columns, schema.Column{Name: fmt.Sprintf("c%d", i), Type: schema.Text, ID: fmt.Sprint(i)})
	}
	return table
}

func benchRows(first, count, changed int) []sink.Row {
	rows := make([]sink.Row, count)
	for i := range rows {
		n := int64(0)
		if i%100 == 0 {
			n = int64(changed)
		}
		values := []schema.Value{
			schema.StrValue(fmt.Sprintf("%024x", first+i)), schema.TimeValue(at(0).Add(time.Duration(first+i) * time.Second)), schema.IntValue(n),
		}
		for c := range 7 {
			values = append(values, schema.StrValue(fmt.Sprintf("value %d of %d", i%97, c)))
		}
		rows[i] = sink.Row{WindowStart: at(0), Row: schema.Row{Values: values}}
	}
	return rows
}
