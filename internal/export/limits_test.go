package export_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source/simulator"
)

// limit is a limit of a simulated API, and how to tell that a request goes beyond it.
type limit struct {
	name   string
	fault  simulator.Fault
	beyond func(simulator.Request) bool
	known  func(sink.DatasetStatus) sink.Limit
	most   int // refused requests, each of them sent three times, until it is learned
}

func limitsOfTheAPI() []limit {
	deep := func(r simulator.Request) bool { return r.Skip > 250 }
	long := func(r simulator.Request) bool { return r.To.Sub(r.From) > 30*time.Hour }
	skip := func(d sink.DatasetStatus) sink.Limit { return d.Skip }
	return []limit{
		{"a refused depth", simulator.MaxSkip(250), deep, skip, 3},
		{"deep pages time out", simulator.Status(http.StatusGatewayTimeout, ""), deep, skip, 3},
		{"a refused range", simulator.RangeLimit(30 * time.Hour), long, func(d sink.DatasetStatus) sink.Limit { return d.Range }, 4},
	}
}

// dataset is what the status says of calls.
func (w *world) status() sink.DatasetStatus {
	w.Helper()
	all, err := w.warehouse.Status(w.Context(), w.clock.Now())
	if err != nil || len(all) != 1 {
		w.Fatalf("%d datasets: %v", len(all), err)
	}
	return all[0]
}

// refused is how many requests went beyond a limit, since they were forgotten.
func (w *world) refused(l limit) int {
	n := 0
	for _, r := range w.sim.Requests() {
		if l.beyond(r) {
			n++
		}
	}
	return n
}

// refusals is how many requests may be refused each time that a limit is met: in each of two lanes as many pages as are
// asked for at once, and each as often as a request is sent.
const refusals = 2 * inFlight * attempts

// limitedWorld is a week of calls behind an API with a limit.
func limitedWorld(t *testing.T, k kind, l limit) *world {
	w := newWorld(t, k, calls(400), start.AddDate(0, 0, -7), func(d *export.Dataset) {
		d.Query.PageSize, d.MaxRows, d.MaxSpan, d.Reread = 50, 1000, 72*time.Hour, nil
	})
	w.clock.Advance(100 * time.Hour)
	w.sim.Script(simulator.When(l.beyond), l.fault)
	return w
}

// everythingAgain makes the last week due, and reads it, by a process that has just been started.
func (w *world) everythingAgain() {
	w.Helper()
	w.sim.ForgetRequests()
	w.clock.Advance(time.Minute)
	e := w.newExporter(w.exporter.Dataset, w.open())
	s, err := e.Backfill(w.Context(), export.Range{From: w.exporter.Dataset.Since})
	if err != nil || s.Err() != nil {
		w.Fatalf("backfill: %v, %v", err, s.Err())
	}
}

// A limit is met once, and never again: not in the pass that met it, not by another process.
func TestLimitsAreLearned(t *testing.T) {
	t.Parallel()
	for i, l := range limitsOfTheAPI() {
		if i%sample != 0 {
			continue
		}
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			onEach(t, func(t *testing.T, k kind) {
				w := limitedWorld(t, k, l)
				w.export()
				if n, most := w.refused(l), l.most*refusals; n == 0 || n > most {
					t.Errorf("%d requests were refused until it was learned, want 1 to %d", n, most)
				}
				w.mustEqualTruth(w.exporter.Dataset.Since, w.edge())
				known := l.known(w.status())
				if !known.Holds(w.clock.Now()) || known.Met != 1 {
					t.Fatalf("learned: %+v", known)
				}
				w.everythingAgain()
				if n := w.refused(l); n != 0 {
					t.Errorf("%d requests were refused by what was known", n)
				}
				if n := len(w.sim.Requests()); n > 250 {
					t.Errorf("%d requests for %d rows: the pieces are too small", n, len(w.table()))
				}
				w.mustEqualTruth(w.exporter.Dataset.Since, w.edge())

				w.sim.ForgetRequests()
				e := w.newExporter(w.exporter.Dataset, w.open())
				if v, err := e.Verify(t.Context(), export.VerifyRange{From: w.exporter.Dataset.Since}); err != nil || !v.Equal() || v.Rows == 0 {
					t.Errorf("verify: %v, %+v", err, v)
				}
				if n := w.refused(l); n != 0 {
					t.Errorf("%d requests of verify were refused by what was known", n)
				}
			})
		})
	}
}

// overtaking is a warehouse in which a limit is not kept before another lane's claim has begun.
type overtaking struct {
	warehouse
	kept            atomic.Bool
	claim           sync.Once
	keeping, inside chan struct{}
}

func (o *overtaking) KeepLimit(ctx context.Context, dataset string, kind sink.LimitKind, l sink.Limit) error {
	if o.kept.CompareAndSwap(false, true) {
		close(o.keeping)
		select {
		case <-o.inside:
		case <-ctx.Done():
		}
	}
	return o.warehouse.KeepLimit(ctx, dataset, kind, l)
}

func (o *overtaking) Claim(ctx context.Context, r sink.ClaimRequest) (sink.Lease, bool, error) {
	fit := r.Fit
	r.Fit = func(candidates, near []sink.Entry) int {
		select {
		case <-o.keeping:
			o.claim.Do(func() { close(o.inside) })
		default:
		}
		return fit(candidates, near)
	}
	return o.warehouse.Claim(ctx, r)
}

// A lane that keeps a limit waits in SQLite for the claim of another one, which looks at the limits.
func TestAClaimDoesNotWaitForALimitThatIsKept(t *testing.T) {
	t.Parallel()
	if scale > 1 {
		t.Skip("what is waited for is the same without the race detector, in a twentieth of the time")
	}
	w := limitedWorld(t, kinds()[0], limitsOfTheAPI()[0])
	w.exporter.Dataset.MaxSpan, w.exporter.Dataset.MaxRows = 24*time.Hour, 400
	w.exporter.Lanes = export.NewLanes(1)
	o := &overtaking{warehouse: w.warehouse, keeping: make(chan struct{}), inside: make(chan struct{})}
	w.exporter.Warehouse = o
	done := make(chan error, 1)
	go func() {
		_, err := w.exporter.Export(t.Context(), passOnce())
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(2 * time.Minute):
		t.Fatal("the pass waits for ever")
	}
	select {
	case <-o.inside:
	default:
		t.Error("no claim began while a limit was kept")
	}
	w.mustEqualTruth(w.exporter.Dataset.Since, w.edge())
}

// A limit that is there to stay is tried again more and more rarely.
func TestLimitsAreTriedAgain(t *testing.T) {
	t.Parallel()
	l := limitsOfTheAPI()[0]
	w := limitedWorld(t, kinds()[0], l)
	w.export()
	for met, days := 1, 1; met <= 3; met, days = met+1, days*2 {
		known := l.known(w.status())
		if left := known.Until.Sub(w.clock.Now()); known.Met != met || left > time.Duration(days)*24*time.Hour || left < time.Duration(days)*24*time.Hour-time.Hour {
			t.Fatalf("%+v, with %s left, want met %d times, for %d days", known, left, met, days)
		}
		w.clock.Advance(time.Duration(days)*24*time.Hour - 10*time.Minute)
		w.everythingAgain()
		if n := w.refused(l); n != 0 {
			t.Errorf("%d requests were refused before it had run out", n)
		}
		w.clock.Advance(20 * time.Minute)
		w.everythingAgain()
		if n := w.refused(l); n == 0 || n > l.most*refusals {
			t.Errorf("%d requests were refused once it had run out", n)
		}
	}
}

// One that was only a fault that passed is forgotten as soon as it is tried again, or when the operator says so.
func TestLimitsThatAreNoneAnyMore(t *testing.T) {
	t.Parallel()
	for i, l := range limitsOfTheAPI() {
		if i%sample != 0 {
			continue
		}
		t.Run(l.name, func(t *testing.T) {
			w := limitedWorld(t, kinds()[0], l)
			w.export()
			w.sim.Unscript()
			w.everythingAgain()
			if w.refused(l) != 0 || l.known(w.status()).Met == 0 {
				t.Fatal("it is not kept")
			}
			w.clock.Advance(25 * time.Hour)
			w.everythingAgain()
			if n := w.refused(l); n == 0 {
				t.Error("no more was tried, though it had run out")
			}
			if known := l.known(w.status()); known.Met != 0 {
				t.Errorf("still known: %+v", known)
			}
		})
	}
	t.Run("the operator", func(t *testing.T) {
		l := limitsOfTheAPI()[0]
		w := limitedWorld(t, kinds()[0], l)
		w.export()
		w.sim.Unscript()
		w.exec("delete from exporter_limits")
		w.everythingAgain()
		if n := w.refused(l); n == 0 {
			t.Error("it was kept")
		}
	})
}

// An hour that the server cannot answer is no limit: what it refuses is refused at any length.
func TestPoisonIsNoLimit(t *testing.T) {
	t.Parallel()
	since := start.AddDate(0, 0, -10).Truncate(24 * time.Hour)
	w := newWorld(t, kinds()[0], calls(100), since, nil)
	poison := since.AddDate(0, 0, 4).Add(11 * time.Hour)
	w.sim.Script(simulator.When(func(r simulator.Request) bool {
		return r.From.Before(poison.Add(time.Hour)) && r.To.After(poison)
	}), simulator.Errors("internal error"))
	for range 12 {
		w.try(w.exporter)
		w.clock.Advance(2 * time.Hour)
	}
	if s := w.status(); s.Range.Met != 0 || s.Skip.Met != 0 || s.Failed == 0 {
		t.Errorf("learned %+v", s)
	}
}
