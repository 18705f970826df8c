package export_test

import (
	"context"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
)

// blank answers once as if there was nothing.
type blank struct {
	export.Source
	left *int
}

func (s blank) Rows(ctx context.Context, q source.Query, to source.Taker) (source.Reading, error) {
	if *s.left > 0 {
		*s.left--
		return source.Reading{Requests: 1, End: q.Range.End}, nil
	}
	return s.Source.Rows(ctx, q, to)
}

// An empty answer to the last question about a window is not believed before it was given twice.
func TestAnEmptyAnswerIsNotTheLastWord(t *testing.T) {
	t.Parallel()
	t.Run("of history", func(t *testing.T) {
		t.Parallel()
		onEach(t, func(t *testing.T, k kind) {
			t.Parallel()
			since := start.Add(-20 * 24 * time.Hour)
			w := newWorld(t, k, calls(20), since, nil)
			w.clock.Advance(200 * time.Hour)
			w.pass(upToStart(start.Add(-2 * 24 * time.Hour))) // something is known of it
			once := 1
			w.exporter.Source = blank{w.exporter.Source, &once}
			w.pass(upToStart(since))
			w.mustHaveEach(since, start)
			if once > 0 {
				t.Error("nothing was answered so")
			}
		})
	})
	t.Run("of what is replaced", func(t *testing.T) {
		t.Parallel()
		onEach(t, func(t *testing.T, k kind) {
			t.Parallel()
			since := start.Add(-6 * time.Hour)
			w := newWorld(t, k, calls(200), since, nil)
			w.keyless(sink.ReplaceWindows)
			w.clock.Advance(200 * time.Hour)
			w.pass(upToStart(since))
			once := 1
			w.exporter.Source = blank{w.exporter.Source, &once}
			w.hourly(since.Add(2*time.Hour), since.Add(4*time.Hour))
			w.mustHaveEach(since, start)
		})
	})
}
