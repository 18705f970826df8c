package sqlite

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"samespace-exporter/internal/schema"
)

func TestInstantsAreWrittenAsByTheLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var times clockTexts
		at := time.Date(-200, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
		for _, micros := range rapid.SliceOf(rapid.OneOf(
			rapid.Int64Range(at, time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()),
			rapid.Int64Range(-100_000_000_000, 100_000_000_000), rapid.Int64Range(-2, 2),
		)).Draw(t, "micros") {
			want := stored(schema.Timestamptz, schema.TimeValue(time.UnixMicro(micros)))
			if got := times.instant(micros); got != want {
				t.Fatalf("%d: got %v, want %v", micros, got, want)
			}
		}
	})
}
