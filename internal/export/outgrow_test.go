package export_test

import (
	"context"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/window"
)

// Windows that never held still have rows, which are of an older form, too.
func TestUnstableWindowsOfAnotherForm(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-2 * time.Second)
		w := newWorld(t, k, calls(0), since, func(d *export.Dataset) { d.Grid = gridOf(t, time.Minute, nil); d.MaxSpan = time.Minute })
		since = start.Add(-time.Minute)
		w.keyless(sink.Append, withoutTeam)
		w.every(10*time.Second, since, start)
		w.exporter.Source = tearing{w.exporter.Source}
		w.clock.Advance(100 * time.Hour)
		within := export.Pass{Kind: sink.RunOnce, Within: windowOf(since, start)}
		if _, err := w.exporter.Export(t.Context(), within); err != nil {
			t.Fatal(err)
		}
		if n := w.count("select count(*) from %s where state = 'unstable'", k.own("windows")); n == 0 {
			t.Fatal("no window is unstable")
		}
		w.mustHaveEach(since, start)
		w.keyless(sink.Append, withoutTeam, func(m *schema.Mapping) { m.Fields[fieldNamed(m, "agent")].Name = "agent_name" })
		w.reconfigure("renamed")
		w.clock.Advance(time.Hour)
		w.pass(within)
		w.mustHaveEach(since, start)
	})
}

// tearing never holds still.
type tearing struct{ export.Source }

func (s tearing) Rows(ctx context.Context, q source.Query, to source.Taker) (source.Reading, error) {
	if !q.Unstable {
		return source.Reading{}, &source.TornError{Skip: 500, Page: 2, Reason: "moved"}
	}
	return s.Source.Rows(ctx, q, to)
}

// Windows that were appended to are not replaced: they hold rows by their own times, and would lose those that are asked for with others.
func TestAppendGivesWayToReplace(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(0), since, func(d *export.Dataset) { d.MaxSpan = time.Hour; d.Reread = window.Reread{15 * time.Minute, time.Hour} })
		ends := func(m *schema.Mapping) { m.TimeField = "ended_at" }
		w.keyless(sink.Append, ends)
		for h := since; h.Before(start); h = h.Add(time.Hour) {
			for _, minute := range []int{10, 55} {
				w.call(h.Add(time.Duration(minute)*time.Minute), 7*time.Minute, nil)
			}
		}
		w.clock.Advance(10 * time.Minute)
		w.export()
		w.mustHaveEach(since, start)
		w.keyless(sink.ReplaceWindows, ends)
		w.reconfigure("replace")
		for range 40 {
			w.clock.Advance(30 * time.Minute)
			w.export()
		}
		w.mustHaveEach(since, start)
	})
}
