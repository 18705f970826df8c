package export_test

import (
	"context"
	"encoding/json"
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

// inbound is what the insight of inbound calls counts.
const inbound = "count(*) filter (where direction = 'in')"

// bound is a world with an insight beside the report, bound to it.
type bound struct {
	*world
	insight *export.Exporter
	events  []export.ReconcileEvent
}

// newBound makes a world whose report and insight began a few hours ago and are not read again by themselves. bind, when
// set, changes how they are bound.
func newBound(t *testing.T, k kind, hours int, bind func(*export.Reconciliation)) *bound {
	t.Helper()
	b := &bound{world: newWorld(t, k, calls(600), start.Add(-time.Duration(hours)*time.Hour), func(d *export.Dataset) { d.Reread = nil })}
	b.rebind(bind)
	return b
}

// rebind makes new exporters of both, as a process that begins anew.
func (b *bound) rebind(bind func(*export.Reconciliation)) {
	b.Helper()
	shown := insights()[0]
	answered := b.exporter.Dataset
	answered.Name, answered.Kind, answered.ConfigHash, answered.Write = "answered", sink.KindInsight, "insight", sink.ReplaceWindows
	answered.Query.Report, answered.Query.Dashboard, answered.Query.Insight = "", shown.dashboard, shown.insight
	answered.Query.SortID, answered.Query.Key = "", nil
	answered.Mapper = b.compile(schema.Mapping{Table: "answered", ByWindow: true, Fields: shown.fields[:2]})
	r := export.Reconciliation{Report: b.exporter.Dataset, Insight: answered, SQL: inbound, MaxShare: 0.01}
	if bind != nil {
		bind(&r)
	}
	b.exporter, b.insight = b.newExporter(r.Report, b.open()), b.newExporter(r.Insight, b.open())
	for _, e := range []*export.Exporter{b.exporter, b.insight} {
		e.Reconciles = []export.Reconciliation{r}
		e.OnReconciled = func(e export.ReconcileEvent) { b.events = append(b.events, e) }
	}
}

// tick is a pass of both, five minutes after the one before. It returns how many windows they read.
func (b *bound) tick() (report, insight int) {
	b.Helper()
	b.clock.Advance(5*time.Minute - 2*time.Second)
	for _, of := range []struct {
		*export.Exporter
		windows *int
	}{{b.exporter, &report}, {b.insight, &insight}} {
		b.clock.Advance(time.Second) // none of them reads just when the other one marks
		s, err := of.Export(b.Context(), export.Pass{Kind: sink.RunScheduled})
		if err != nil || s.Err() != nil {
			b.Fatalf("pass of %s: %v, %v", of.Dataset.Name, err, s.Err())
		}
		*of.windows = s.Windows
	}
	return report, insight
}

// found is what was compared, by window: "hour state warehouse api rereads".
func (b *bound) found(where string) string {
	b.Helper()
	var all []string
	for _, r := range b.query("select %s, state, cast(warehouse_value as text), cast(api_value as text), rereads from %s where %s order by window_start",
		b.kind.instant("window_start"), b.kind.own("reconciliations"), where) {
		all = append(all, r[0][11:13]+" "+strings.Join(r[1:], " "))
	}
	return strings.Join(all, ", ")
}

func (b *bound) mustFind(where, want string) {
	b.Helper()
	if got := b.found(where); got != want {
		b.Fatalf("where %s: got %q, want %q", where, got, want)
	}
}

// shownAt is what the insight shows of the hour that begins so many hours before the start.
func (b *bound) shownAt(hours int) int {
	b.Helper()
	var row struct{ Value int }
	from := start.Add(-time.Duration(hours) * time.Hour)
	shown := b.sim.InsightTruth(simulator.DashboardID, simulator.InboundInsightID, from, from.Add(time.Hour))
	if err := json.Unmarshal(shown[0], &row); err != nil {
		b.Fatal(err)
	}
	return row.Value
}

// ofHour are the requests for an insight's hour that begins so many hours before the start.
func ofHour(hours int) func(simulator.Request) bool {
	from := start.Add(-time.Duration(hours) * time.Hour)
	return func(r simulator.Request) bool {
		at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(r.Variables["startTime"]))
		return r.Variables["insightId"] != nil && err == nil && at.Equal(from)
	}
}

// Late rows come to both at their own times, so the readings are those of one time only where nothing comes any more.
const quiet = 6 * time.Hour

// Each hour of the insight is compared with the report, whatever the report's windows are, and all agree.
func TestReconciled(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		for _, size := range []time.Duration{15 * time.Minute, time.Hour, 24 * time.Hour} {
			t.Run(size.String(), func(t *testing.T) {
				t.Parallel()
				grid, err := window.NewGrid(size, nil)
				if err != nil {
					t.Fatal(err)
				}
				b := newBound(t, k, 24+9, func(r *export.Reconciliation) { r.Report.Grid = grid })
				b.clock.Advance(24 * time.Hour)
				b.tick()
				b.tick()
				covered := b.count("select count(*) from %s where dataset = 'answered'", k.own("windows"))
				if size > time.Hour { // the report's last day is not over, the insight's last hours are
					covered = 48
				}
				b.mustFind("state <> 'agrees'", "")
				if n := b.count("select count(*) from %s where dataset = 'calls' and insight = 'answered'", k.own("reconciliations")); n != covered || n < 33 {
					t.Errorf("%d hours were compared, of %d", n, covered)
				}
				if want := fmt.Sprintf("05 agrees %d %[1]d 0", b.shownAt(4)); b.found("window_start = "+k.timestamp(start.Add(-4*time.Hour))) != want {
					t.Errorf("got %q, want %q", b.found("window_start = "+k.timestamp(start.Add(-4*time.Hour))), want)
				}
			})
		}
	})
}

// timestamp is a literal of a time.
func (k kind) timestamp(at time.Time) string {
	return "'" + at.Format("2006-01-02T15:04:05.000000Z") + "'"
}

// Rows that the warehouse lacks are noticed, read again, and then it agrees.
func TestMissingRowsAreReadAgain(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		b := newBound(t, k, 6, nil)
		b.clock.Advance(quiet)
		b.tick()
		b.mustFind("state <> 'agrees'", "")
		b.exec(fmt.Sprintf("delete from %s where started_at >= %s and started_at < %s and direction = 'in'", k.table("calls"),
			k.timestamp(start.Add(-4*time.Hour)), k.timestamp(start.Add(-3*time.Hour))))
		want := b.shownAt(4)
		// Nothing was read, so nothing is compared; a process that begins anew neither compares what it knows.
		b.tick()
		b.mustFind("state <> 'agrees'", "")
		if _, err := b.insight.Backfill(t.Context(), export.Range{From: start.Add(-4 * time.Hour), To: start.Add(-3 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		b.mustFind("state <> 'agrees'", fmt.Sprintf("05 differs 0 %d 1", want))
		if report, insight := b.tick(); report < 1 || insight < 1 {
			t.Errorf("read %d windows of the report and %d of the insight", report, insight)
		}
		b.mustFind("rereads > 0", fmt.Sprintf("05 agrees %d %[1]d 1", want))
		if report, insight := b.tick(); report != 1 || insight != 0 { // the live edge
			t.Errorf("read %d windows of the report and %d of the insight", report, insight)
		}
		var differing, marked int
		for _, e := range b.events {
			differing, marked = differing+e.Differing, marked+e.Marked
		}
		if differing != 1 || marked != 1 {
			t.Errorf("told of %d that differ and %d that are read again: %+v", differing, marked, b.events)
		}
	})
}

// A window that never agrees is read again a few times, with growing pauses, and then left as it is.
func TestADriftThatStands(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		b := newBound(t, k, 6, nil)
		b.sim.Script(simulator.When(ofHour(4)), simulator.Misstate("value", 7))
		b.clock.Advance(quiet)
		want := b.shownAt(4)
		b.tick()
		b.mustFind("state <> 'agrees'", fmt.Sprintf("05 differs %d %d 1", want, want+7))
		b.tick()
		b.mustFind("state <> 'agrees'", fmt.Sprintf("05 stands %d %d 1", want, want+7))
		reads := func(dataset string) int {
			return b.count("select reads from %s where dataset = '%s' and start_at = %s", k.own("windows"), dataset, k.timestamp(start.Add(-4*time.Hour)))
		}
		for n, pause := range []time.Duration{15 * time.Minute, time.Hour, 4 * time.Hour, 16 * time.Hour, 20 * time.Hour} {
			before := 2 + n
			b.clock.Advance(pause - 11*time.Minute)
			b.tick()
			if n := reads("calls"); n != before {
				t.Errorf("the window was read %d times before %s were over, want %d", n, pause, before)
			}
			b.clock.Advance(6 * time.Minute)
			for range 2 {
				b.tick()
			}
		}
		b.mustFind("state <> 'agrees'", fmt.Sprintf("05 stands %d %d 5", want, want+7))
		for _, dataset := range []string{"calls", "answered"} {
			if n := reads(dataset); n != 6 {
				t.Errorf("the window of %s was read %d times", dataset, n)
			}
		}
		drifts, err := b.warehouse.(interface { //nolint:errcheck // both have it
			Drifts(ctx context.Context) ([]sink.Drift, error)
		}).Drifts(t.Context())
		if err != nil || len(drifts) != 1 || drifts[0].Standing != 1 || !drifts[0].Earliest.AgainAt.IsZero() || drifts[0].Earliest.Difference != "-7" {
			t.Errorf("%+v, %v", drifts, err)
		}
		b.sim.Unscript()
		b.clock.Advance(time.Minute)
		if _, err := b.insight.Backfill(t.Context(), export.Range{From: start.Add(-4 * time.Hour), To: start.Add(-3 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		b.mustFind("state <> 'agrees'", "")
	})
}

// An expression that is wrong for all windows does not read all of history again.
func TestADriftOfEverything(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		b := newBound(t, k, 24, func(r *export.Reconciliation) { r.SQL = "count(*) + 1000" })
		b.clock.Advance(quiet)
		for range 5 {
			b.tick()
		}
		if n := b.count("select count(*) from %s where rereads > 0", k.own("reconciliations")); n != 10 {
			t.Errorf("%d windows were read again", n)
		}
		if n := b.count("select count(*) from %s where state <> 'agrees'", k.own("reconciliations")); n < 24 {
			t.Errorf("%d windows differ", n)
		}
		// Once it is right, a process that begins with it compares all anew.
		b.rebind(nil)
		b.tick()
		b.mustFind("state <> 'agrees'", "")
	})
}

// A mistake of an expression is told, and the report is exported all the same.
func TestAWrongExpressionStopsNothing(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		b := newBound(t, k, 6, func(r *export.Reconciliation) { r.SQL = "cuont(*)" })
		b.clock.Advance(quiet)
		b.tick()
		b.mustEqualTruth(start.Add(-6*time.Hour), start)
		b.mustFind("1 = 1", "")
		b.tick() // it rests
		b.clock.Advance(15 * time.Minute)
		b.tick()
		b.rebind(nil) // what it could not compare it does now
		b.tick()
		b.mustFind("state <> 'agrees'", "")
		if n := b.count("select count(*) from %s", k.own("reconciliations")); n < 6 {
			t.Errorf("%d windows were compared", n)
		}
	})
}

// What somebody did to the insight's table is no failure of the report.
func TestADroppedInsightStopsNothing(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		b := newBound(t, k, 6, nil)
		b.clock.Advance(quiet)
		b.tick()
		b.exec("delete from " + k.own("reconciliations"))
		b.exec("drop table " + k.table("answered"))
		b.rebind(nil)
		if s, err := b.exporter.Export(t.Context(), passOnce()); err != nil || s.Err() != nil {
			t.Fatal(err, s.Err())
		}
		b.mustFind("1 = 1", "")
	})
}

// Whatever of the two is read last compares, also what was read by a process that died before it did.
func TestReconciledByWhoComesLast(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		b := newBound(t, k, 6, nil)
		b.clock.Advance(quiet)
		compared := func() int { return b.count("select count(*) from %s", k.own("reconciliations")) }
		for _, e := range []*export.Exporter{b.exporter, b.insight} {
			if n := compared(); n != 0 {
				t.Errorf("%d windows were compared before the second was read", n)
			}
			if s, err := e.Export(t.Context(), passOnce()); err != nil || s.Err() != nil {
				t.Fatal(err, s.Err())
			}
		}
		if n := compared(); n < 6 {
			t.Errorf("%d windows were compared", n)
		}
		b.exec("delete from " + k.own("reconciliations"))
		b.rebind(nil)
		if s, err := b.exporter.Export(t.Context(), passOnce()); err != nil || s.Windows != 0 {
			t.Fatal(err, s)
		}
		if n := compared(); n < 6 {
			t.Errorf("%d windows were compared by a process that read nothing", n)
		}
	})
}

// previous has the insight of a world keep previous values, which are compared, and nothing else.
func newPrevious(t *testing.T, k kind, hours int) *bound {
	b := newBound(t, k, hours, nil)
	d := b.insight.Dataset
	d.Mapper = b.compile(schema.Mapping{Table: "answered", ByWindow: true, Fields: insights()[0].fields})
	b.insight = b.newExporter(d, b.open())
	b.insight.OnReconciled = func(e export.ReconcileEvent) { b.events = append(b.events, e) }
	b.exporter.Reconciles = nil
	return b
}

// A window that the source restates is noticed by the previous value of the one after it, and read again.
func TestARestatedWindowIsReadAgain(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		b := newPrevious(t, k, 6)
		b.clock.Advance(quiet)
		b.tick()
		b.mustFind("1 = 1", "")
		hour := int(b.clock.Now().Truncate(time.Hour).Sub(start).Hours()) // the last one that is over begins before it
		last := start.Add(time.Duration(hour-1) * time.Hour)
		was := b.shownAt(1 - hour)
		if _, err := b.sim.Insert(b.report.ID, last.Add(time.Minute), map[string]any{b.report.Metric("direction").ID: "in"}); err != nil {
			t.Fatal(err)
		}
		b.clock.Advance(time.Hour)
		b.tick()
		is := b.shownAt(1 - hour) // others came late, too
		b.mustFind("1 = 1", fmt.Sprintf("%02d differs %d %d 1", last.Hour(), was, is))
		if _, insight := b.tick(); insight != 1 {
			t.Errorf("%d windows were read again", insight)
		}
		b.mustFind("1 = 1", fmt.Sprintf("%02d agrees %d %[2]d 1", last.Hour(), is))
		if _, insight := b.tick(); insight != 0 {
			t.Errorf("%d windows were read again", insight)
		}
	})
}

// unmarking is a warehouse before a process that is killed makes a window due.
type unmarking struct{ export.Warehouse }

func (unmarking) MarkDue(context.Context, sink.Mark) error { return errors.New("killed") }

// A process that is killed on the way leaves what differs to the next one.
func TestKilledBeforeADriftIsReadAgain(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		b := newPrevious(t, k, 6)
		b.clock.Advance(quiet)
		b.tick()
		last := b.clock.Now().Truncate(time.Hour).Add(-time.Hour) // the last window that is over
		if _, err := b.sim.Insert(b.report.ID, last.Add(time.Minute), map[string]any{b.report.Metric("direction").ID: "in"}); err != nil {
			t.Fatal(err)
		}
		b.clock.Advance(time.Hour)
		b.insight.Warehouse = unmarking{b.insight.Warehouse}
		b.tick()
		if found := b.found("state = 'differs'"); !strings.HasPrefix(found, last.Format("15")+" differs") {
			t.Fatalf("differs: %q", found)
		}
		b.insight = b.newExporter(b.insight.Dataset, b.open())
		b.tick()
		if _, insight := b.tick(); insight != 1 {
			t.Errorf("%d windows were read again", insight)
		}
		b.mustFind("state = 'differs'", "")
	})
}

// A previous value that is about something else has each window read again once, and only a few of them.
func TestAPreviousValueOfSomethingElse(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		b := newPrevious(t, k, 24)
		b.sim.Script(simulator.When(func(r simulator.Request) bool { return r.Variables["insightId"] != nil }), simulator.Misstate("previousValue", 1000))
		b.clock.Advance(quiet)
		total := 0
		for range 6 {
			_, insight := b.tick()
			total += insight
		}
		windows := b.count("select count(*) from %s where dataset = 'answered'", k.own("windows"))
		if reread := total - windows; reread != 10 {
			t.Errorf("%d windows were read again, of %d", reread, windows)
		}
		if n := b.count("select count(*) from %s where state = 'stands'", k.own("reconciliations")); n != 10 {
			t.Errorf("%d windows stand", n)
		}
	})
}

// What the retention took away is not held against an insight that keeps longer, whatever is read again of that.
func TestWhatIsDeletedIsNoDrift(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		b := newBound(t, k, 20, func(r *export.Reconciliation) { r.Report.Retention = aDay })
		b.sim.Script(simulator.When(ofHour(4)), simulator.Misstate("value", 7))
		b.clock.Advance(quiet)
		b.tick()
		b.mustFind("state <> 'agrees'", fmt.Sprintf("05 differs %d %d 1", b.shownAt(4), b.shownAt(4)+7))
		b.clock.Advance(aDay)
		b.tick()
		b.mustFind("state <> 'agrees'", "") // nobody can mend it any more
		old := export.Range{From: start.Add(-10 * time.Hour), To: start.Add(-2 * time.Hour)}
		if s, err := b.insight.Backfill(t.Context(), old); err != nil || s.Windows != 8 {
			t.Fatal(err, s)
		}
		b.mustFind("state <> 'agrees'", "")
		for range 2 {
			if _, insight := b.tick(); insight > 1 {
				t.Errorf("%d windows were read again", insight)
			}
		}
	})
}
