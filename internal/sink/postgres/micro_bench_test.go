package postgres

import (
	"io"
	"math/rand/v2"
	"testing"

	"samespace-exporter/internal/sink"
)

// The parts of a commit that run in this process, for 20,000 rows of ten columns. Allocations are of the whole batch.

func BenchmarkArrange(b *testing.B) {
	inOrder := benchRows(0, 20_000, 0)
	mixed := make([]sink.Row, len(inOrder))
	for i, place := range rand.New(rand.NewPCG(1, 2)).Perm(len(inOrder)) {
		mixed[i] = inOrder[place]
	}
	for name, rows := range map[string][]sink.Row{"keys in order": inOrder, "keys in any order": mixed} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				arrange(benchTarget(), rows)
			}
			perRow(b, len(rows))
		})
	}
}

func BenchmarkCompare(b *testing.B) {
	a := arrange(benchTarget(), benchRows(0, 20_000, 0))
	compared := a.compared()
	sent := make([][][]byte, len(a.rows)) // as the table would send it
	for i, row := range a.rows {
		for c, v := range row.Values {
			sent[i] = append(sent[i], appendValue(nil, a.Columns[c].Type, v))
		}
		sent[i] = append(sent[i], nil, []byte{0})
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, fields := range sent {
			if err := a.judge(compared, fields); err != nil {
				b.Fatal(err)
			}
		}
	}
	if n := a.count(unchanged); n != int64(len(a.rows)) {
		b.Fatalf("%d rows are unchanged", n)
	}
	perRow(b, len(a.rows))
}

func BenchmarkEncode(b *testing.B) {
	a := arrange(benchTarget(), benchRows(0, 20_000, 0))
	b.ReportAllocs()
	var bytes int64
	for b.Loop() {
		var err error
		if bytes, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, a.encode(false), make([]byte, 1<<16)); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(bytes)
	perRow(b, len(a.rows))
}

func benchTarget() target { return target{Table: benchTable(), schemaName: "samespace"} }

func perRow(b *testing.B, rows int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
}
