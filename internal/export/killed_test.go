package export_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
)

// killedAt makes a pass that is killed at its nth step; killed is false when it has fewer.
func (w *world) killedAt(n int32, pass export.Pass) (killed bool) {
	w.Helper()
	process := &unsteady{warehouse: w.warehouse}
	e := w.newExporter(w.exporter.Dataset, w.warehouse)
	e.Source, e.Warehouse = w.exporter.Source, process
	ctx, kill := context.WithCancelCause(w.Context())
	var steps atomic.Int32
	e.Observe = func(export.Event) {
		if steps.Add(1) == n {
			process.kill()
			kill(errKilled)
		}
	}
	_, _ = e.Export(ctx, pass)
	w.exec(fmt.Sprintf("update %s set lease_until = %s where lease_until is not null", w.kind.own("windows"), past(w.kind)))
	return process.dead()
}

// However often a process is killed at whatever step, what is written in the end is right, in each way to write.
func TestKilledAtAnyStepInEachWayToWrite(t *testing.T) {
	t.Parallel()
	since := start.Add(-2 * time.Hour)
	for _, c := range []struct {
		name  string
		begin func(w *world)
		check func(w *world)
	}{
		{"replace windows", func(w *world) { w.totals(sink.ReplaceWindows) }, func(w *world) { w.mustHaveSums(since, start) }},
		{"append", func(w *world) { w.keyless(sink.Append) }, func(w *world) { w.mustEqualTruth(since, start) }},
		{"snapshot of a table", func(w *world) { w.snapshots(sink.ReplaceTable) }, func(w *world) {
			end := w.clock.Now().Truncate(time.Minute).Add(time.Minute)
			w.mustEqualTruth(end.Add(-24*time.Hour), end)
		}},
		{"snapshots", func(w *world) { w.snapshots(sink.Append) }, func(w *world) {
			got := w.query("select count(*), count(distinct call_id), count(distinct _window_start) from %s", w.kind.table("calls"))[0]
			if got[0] != got[1] || got[2] != "1" || got[0] == "0" {
				w.Fatalf("%s rows of %s calls in %s snapshots", got[0], got[1], got[2])
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, k kind) {
				t.Parallel()
				w := newWorld(t, k, calls(300), since, nil)
				w.clock.Advance(100 * time.Hour)
				c.begin(w)
				pass := export.Pass{Kind: sink.RunScheduled, Tick: w.clock.Now().Truncate(time.Hour)}
				if !w.exporter.Dataset.Snapshot {
					pass.Within.Start, pass.Within.End = since, start
				}
				kills := 0
				for n := int32(1); n < 100 && w.killedAt(n, pass); n++ {
					kills++
				}
				if kills < 3 {
					t.Fatalf("killed %d times only", kills)
				}
				w.pass(pass)
				c.check(w)
			})
		})
	}
}

// Marks are of the commit: a process that is killed around it has marked all rows that are gone, or none.
func TestKilledWhileItMarks(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		since := start.Add(-2 * time.Hour)
		w := markingWorld(t, k, 300, since, nil)
		hour := start.Add(-time.Hour)
		gone := w.ids(hour, hour.Add(time.Hour))[2:5]
		w.remove(gone...)
		w.clock.Advance(time.Second)
		pass := upToStart(since)
		w.exec(fmt.Sprintf("update %s set next_read_at = start_at where %s = '%s'", k.own("windows"), k.instant("start_at"), hour.Format("2006-01-02T15:04:05.000Z")))
		before := w.query("select state, read_at from %s where %s = '%s'", k.own("windows"), k.instant("start_at"), hour.Format("2006-01-02T15:04:05.000Z"))[0]
		kills := 0
		for n := int32(1); n < 100 && w.killedAt(n, pass); n++ {
			kills++
			after := w.query("select state, read_at from %s where %s = '%s'", k.own("windows"), k.instant("start_at"), hour.Format("2006-01-02T15:04:05.000Z"))[0]
			if marked, read := len(w.marked()), after[1] != before[1]; marked != 0 && marked != len(gone) || read != (marked > 0) {
				t.Fatalf("%d rows are marked, and the window says %v, before %v", marked, after, before)
			}
		}
		if kills < 4 {
			t.Fatalf("killed %d times only", kills)
		}
		w.pass(pass)
		w.mustHaveMarked(gone...)
	})
}
