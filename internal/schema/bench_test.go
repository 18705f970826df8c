package schema_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"samespace-exporter/internal/schema"
)

func BenchmarkMap(b *testing.B) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(sampleRow(b))); err != nil {
		b.Fatal(err)
	}
	raw := compact.String()
	for _, unmapped := range []schema.Unmapped{schema.Keep, schema.Ignore} {
		mapping := callsMapping()
		if unmapped == schema.Keep {
			mapping.Drop = mapping.Drop[1:]
		}
		mapping.Unmapped = unmapped
		b.Run(unmapped.String(), func(b *testing.B) {
			mapper := compile(b, mapping)
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := mapper.Map(raw); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(unmapped.String()+" into a chunk", func(b *testing.B) {
			const transaction = 20_000 // rows that are kept at once
			mapper, chunk := compile(b, mapping), &schema.Chunk{}
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				if n%transaction == 0 {
					chunk.Reset()
				}
				if _, err := mapper.MapInto(chunk, raw); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
