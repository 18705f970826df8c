package export_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source/simulator"
	"samespace-exporter/internal/window"
)

// verify verifies all that was read, and must not fail.
func (w *world) verify(r export.VerifyRange) export.Verification {
	w.Helper()
	if r.From.IsZero() {
		r.From = w.exporter.Dataset.Since
	}
	v, err := w.exporter.Verify(w.Context(), r)
	if err != nil {
		w.Fatal(err)
	}
	for _, f := range v.Failed {
		w.Errorf("not compared: %v", f)
	}
	return v
}

// found is what a verification found, a line for each window that differs.
func found(differing []export.Difference) string {
	var lines []string
	for _, d := range differing {
		var examples []string
		for _, e := range d.Examples {
			examples = append(examples, strings.TrimSpace(fmt.Sprint(e.Kind, " ", e.Key, " ", strings.Join(e.Columns, ","))))
		}
		lines = append(lines, fmt.Sprintf("%s -%d +%d ~%d: %s", d.Window.Start.Format(time.TimeOnly), d.Missing, d.Extra, d.Different, strings.Join(examples, "; ")))
	}
	return strings.Join(lines, "\n")
}

// A verification reads as an export does, whatever the server does to its pages, and changes nothing.
func TestVerifyWhatIsEqual(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]simulator.Fault{
		"no fault": {}, "a page cap": simulator.PageCap(7), "an inclusive end": simulator.InclusiveEnd(), "a refused depth": simulator.MaxSkip(40),
		"a refused range": simulator.RangeLimit(3 * time.Hour),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, k kind) {
				since := start.Add(-12 * time.Hour)
				w := newWorld(t, k, calls(400), since, func(d *export.Dataset) { d.Query.PageSize, d.MaxRows = 20, 100 })
				w.clock.Advance(100 * time.Hour) // what began before start is not restated any more
				if name != "no fault" {
					w.sim.Script(simulator.Always(), fault)
				}
				w.pass(export.Pass{Kind: sink.RunOnce, Within: window.Window{Start: since, End: start}})
				state := "select * from " + k.own("windows") + " order by start_at"
				ledger := fmt.Sprint(w.query("%s", state))
				rows := fmt.Sprint(w.query("select call_id, _exported_at from %s order by call_id", k.table("calls")))
				v := w.verify(export.VerifyRange{})
				if truth := len(w.truth(since, start)); !v.Equal() || len(v.Differing) > 0 || v.Rows != truth || v.Windows != 12 || v.Requests < 3 {
					t.Errorf("%+v of %d rows", v, truth)
				}
				if fmt.Sprint(w.query("%s", state)) != ledger || fmt.Sprint(w.query("select call_id, _exported_at from %s order by call_id", k.table("calls"))) != rows {
					t.Error("the verification changed something")
				}
			})
		})
	}
}

func TestVerifyFindsDifferences(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(400), since, func(d *export.Dataset) { d.Query.PageSize, d.MaxRows = 20, 100 })
		w.clock.Advance(100 * time.Hour)
		w.pass(export.Pass{Kind: sink.RunOnce, Within: window.Window{Start: since, End: start}})
		rows := w.query("select call_id, %s from %s order by started_at, call_id", k.instant("started_at"), k.table("calls"))
		hourOf := func(i int) string {
			at, err := time.Parse(time.RFC3339, rows[i][1])
			if err != nil {
				t.Fatal(err)
			}
			return at.Truncate(time.Hour).Format(time.TimeOnly)
		}
		missing, different, extra, moved := len(rows)-1, 30, 31, 60
		w.exec(fmt.Sprintf("delete from %s where call_id = '%s'", k.table("calls"), rows[missing][0]))
		w.exec(fmt.Sprintf("update %s set direction = 'up', duration_s = -1 where call_id = '%s'", k.table("calls"), rows[different][0]))
		w.exec(fmt.Sprintf("update %s set call_id = 'nobody' where call_id = '%s'", k.table("calls"), rows[extra][0]))
		w.exec(fmt.Sprintf("update %s set started_at = '2024-05-06T06:30:00.000000Z' where call_id = '%s'", k.table("calls"), rows[moved][0]))

		v := w.verify(export.VerifyRange{})
		if hourOf(different) != hourOf(extra) {
			t.Fatal("choose other rows")
		}
		want := strings.Join([]string{
			fmt.Sprintf("%s -1 +1 ~1: different %s direction,duration_s; missing %s; extra nobody", hourOf(extra), rows[different][0], rows[extra][0]),
			fmt.Sprintf("%s -0 +0 ~1: different %s started_at", hourOf(moved), rows[moved][0]),
			"06:00:00 -0 +1 ~0: extra " + rows[moved][0],
			fmt.Sprintf("%s -1 +0 ~0: missing %s", hourOf(missing), rows[missing][0]),
		}, "\n")
		if got := found(v.Differing); got != want {
			t.Errorf("found\n%s\nwant\n%s", got, want)
		}

		w.clock.Advance(time.Second)
		v = w.verify(export.VerifyRange{Repair: true})
		if !v.Repaired || v.Equal() || len(v.Left) != 1 || v.Left[0].Extra != 1 || v.Left[0].Missing+v.Left[0].Different != 0 {
			t.Errorf("left after a repair: %s", found(v.Left))
		}
		w.exec(fmt.Sprintf("delete from %s where call_id = 'nobody'", k.table("calls")))
		if v := w.verify(export.VerifyRange{}); !v.Equal() {
			t.Errorf("after a repair: %s", found(v.Differing))
		}
	})
}

// A row that is restated, and read by another replica, while its window is verified is no difference.
func TestVerifyBesideAReplica(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(200), since, nil)
		w.clock.Advance(100 * time.Hour)
		w.pass(export.Pass{Kind: sink.RunOnce, Within: window.Window{Start: since, End: start}})
		key := w.query("select call_id from %s where started_at < '2024-05-06T06:00:00.000000Z' order by call_id", k.table("calls"))[0][0]
		replica := w.newExporter(w.exporter.Dataset, w.open())
		steps := 0
		w.exporter.Observe = func(e export.Event) {
			if e.Step != export.StepRead {
				return
			}
			if steps++; steps > 1 {
				return
			}
			w.clock.Advance(time.Second)
			if err := w.sim.Change(w.report.ID, key, map[string]any{w.report.Metric("direction").ID: "sideways"}); err != nil {
				t.Error(err)
			}
			if _, err := replica.Backfill(t.Context(), export.Range{From: since, To: start}); err != nil {
				t.Error(err)
			}
		}
		if v := w.verify(export.VerifyRange{}); !v.Equal() || len(v.Differing) > 0 || steps < 2 {
			t.Errorf("%d readings: %s", steps, found(v.Differing))
		}
	})
}

// Windows that have not been read to their end are not compared; rejected rows are no differences.
func TestVerifyLeavesOutWhatIsNotRead(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(400), since, nil)
		if _, err := w.exporter.Verify(t.Context(), export.VerifyRange{From: since}); !errors.Is(err, export.ErrNotPrepared) {
			t.Errorf("verified what was never exported: %v", err)
		}
		w.clock.Advance(30 * time.Minute) // within an hour
		w.export()
		w.sim.Script(simulator.Always(), simulator.WrongTypes(w.report.Metric("duration_s").ID)) // of rows that are in the table
		v := w.verify(export.VerifyRange{})
		if v.Unread != 0 || v.Rejected == 0 || !v.Equal() {
			t.Errorf("%+v: %s", v, found(v.Differing))
		}
		var backwards *export.RangeError
		if _, err := w.exporter.Verify(t.Context(), export.VerifyRange{From: start, To: since}); !errors.As(err, &backwards) {
			t.Errorf("verified backwards: %v", err)
		}
		newer := w.remap("newer", func(*schema.Field) bool { return true })
		if _, err := newer.Verify(t.Context(), export.VerifyRange{From: since}); !errors.Is(err, export.ErrNotPrepared) {
			t.Errorf("verified by a config that nothing was read by: %v", err)
		}
	})
}

// A row that is marked as deleted is not there.
func TestVerifyTakesMarkedRowsForGone(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := markingWorld(t, k, 400, since, nil)
		gone := w.query("select call_id from %s order by started_at", k.table("calls"))[5][0]
		w.remove(gone)
		if v := w.verify(export.VerifyRange{}); len(v.Differing) != 1 || v.Differing[0].Extra != 1 || v.Differing[0].Examples[0].Key != gone {
			t.Errorf("before it is marked: %s", found(v.Differing))
		}
		w.clock.Advance(time.Second)
		if v := w.verify(export.VerifyRange{Repair: true}); !v.Equal() || !v.Repaired {
			t.Errorf("left: %s", found(v.Left))
		}
		w.mustHaveMarked(gone)
		if v := w.verify(export.VerifyRange{}); !v.Equal() {
			t.Errorf("once it is marked: %s", found(v.Differing))
		}
	})
}

// Rows without a key are compared by how often each is there.
func TestVerifyWithoutAKey(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-6 * time.Hour)
		w := newWorld(t, k, calls(400), since, nil)
		mapping := w.mapping()
		mapping.Key = nil
		d := w.exporter.Dataset
		d.Mapper, d.Query.Key = w.compile(mapping), nil
		w.exporter = w.newExporter(d, w.open())
		w.clock.Advance(100 * time.Hour)
		w.pass(export.Pass{Kind: sink.RunOnce, Within: window.Window{Start: since, End: start}})
		if v := w.verify(export.VerifyRange{}); !v.Equal() || v.Rows == 0 {
			t.Fatalf("%d rows: %s", v.Rows, found(v.Differing))
		}
		rows := w.query("select call_id from %s order by started_at, call_id", k.table("calls"))
		w.exec(fmt.Sprintf("delete from %s where call_id = '%s'", k.table("calls"), rows[10][0]))
		w.exec(fmt.Sprintf("insert into %[1]s select * from %[1]s where call_id = '%[2]s'", k.table("calls"), rows[11][0]))
		missing, extra := 0, 0
		for _, d := range w.verify(export.VerifyRange{}).Differing {
			missing, extra = missing+d.Missing, extra+d.Extra
		}
		if missing != 1 || extra != 1 {
			t.Errorf("%d missing, %d extra", missing, extra)
		}
	})
}
