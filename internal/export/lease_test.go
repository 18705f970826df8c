package export_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/source/simulator"
)

// unrenewed is a warehouse whose renewals fail.
type unrenewed struct {
	warehouse
	err  error
	most int32 // so many fail; 0: all
	n    atomic.Int32
}

func (u *unrenewed) Renew(ctx context.Context, l sink.Lease) error {
	if n := u.n.Add(1); u.most == 0 || n <= u.most {
		return u.err
	}
	return u.warehouse.Renew(ctx, l)
}

// causes keeps why readings ended.
type causes struct {
	export.Source
	ended chan error
}

func (c *causes) Rows(ctx context.Context, q source.Query, to source.Taker) (source.Reading, error) {
	reading, err := c.Source.Rows(ctx, q, to)
	if err != nil {
		c.ended <- err
	}
	return reading, err
}

var errCutOff = errors.New("cut off from the database")

// A lease that cannot be renewed ends the reading with its cause: at once when another replica has it, else when it
// would have run out. Nothing of it is committed, and the windows are read by whoever takes them over.
func TestLostRenewalEndsTheWork(t *testing.T) {
	const ttl = 300 * time.Millisecond
	for _, c := range []struct {
		name    string
		err     error
		attempt int32 // the renewal at which it ends
	}{
		{"taken over", sink.ErrLeaseLost, 1},
		{"cut off", &sink.UnavailableError{Hint: "look", Err: errCutOff}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, k kind) {
				t.Parallel()
				since := start.Add(-5 * time.Hour)
				w := newWorld(t, k, calls(500), since, nil)
				lost := &unrenewed{warehouse: w.open(), err: c.err}
				replica := w.newExporter(w.exporter.Dataset, lost)
				source := &causes{Source: replica.Source, ended: make(chan error, 10)}
				var said strings.Builder
				replica.Source, replica.LeaseTTL, replica.Logger = source, ttl, slog.New(slog.NewTextHandler(&said, nil))
				replica.Observe = func(e export.Event) {
					if e.Step >= export.StepRead {
						t.Errorf("step %d was taken", e.Step)
					}
				}
				w.sim.Script(simulator.Always(), simulator.Hang())

				stop := make(chan struct{})
				go func() { // the pass would claim again what is due
					defer close(stop)
					if err := <-source.ended; !errors.Is(err, sink.ErrLeaseLost) || !errors.Is(err, c.err) {
						t.Errorf("the reading ended with %v", err)
					}
				}()
				s, err := replica.Export(t.Context(), export.Pass{Kind: sink.RunOnce, Stop: stop})
				if err != nil || s.Err() != nil {
					t.Errorf("losing a lease is no failure: %v, %v", err, s.Err())
				}
				if n := lost.n.Load(); n < c.attempt {
					t.Errorf("it ended after %d renewals, want %d", n, c.attempt)
				}
				if !strings.Contains(said.String(), "lease lost") {
					t.Errorf("the log says %q", said.String())
				}

				w.sim.Unscript()
				w.exec("update " + k.own("windows") + " set lease_until = " + past(k) + " where lease_until is not null")
				w.export()
				w.mustEqualTruth(since, w.edge())
			})
		})
	}
}

// Renewals that fail and then succeed, within the life of the lease, are nobody's concern.
func TestLateRenewalKeepsTheLease(t *testing.T) {
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		since := start.Add(-5 * time.Hour)
		w := newWorld(t, k, calls(500), since, nil)
		shaky := &unrenewed{warehouse: w.open(), err: &sink.UnavailableError{Hint: "look", Err: errCutOff}, most: 1}
		replica := w.newExporter(w.exporter.Dataset, shaky)
		replica.LeaseTTL = 600 * time.Millisecond
		w.sim.Script(simulator.On(1), simulator.Delay(replica.LeaseTTL*3/2))
		if s, err := replica.Export(t.Context(), passOnce()); err != nil || s.Err() != nil || s.Windows == 0 {
			t.Errorf("%v, %v, %d windows", err, s.Err(), s.Windows)
		}
		if n := shaky.n.Load(); n < 2 {
			t.Errorf("%d renewals", n)
		}
		w.mustEqualTruth(since, w.edge())
	})
}

// stopsAtClaim is a warehouse whose first claim the pass is stopped under: the answer comes to whoever still waits for it.
type stopsAtClaim struct {
	export.Warehouse
	stop context.CancelFunc
}

func (s stopsAtClaim) Claim(ctx context.Context, r sink.ClaimRequest) (sink.Lease, bool, error) {
	l, ok, err := s.Warehouse.Claim(ctx, r)
	s.stop()
	if ctx.Err() != nil {
		return sink.Lease{}, false, ctx.Err()
	}
	return l, ok, err
}

// What is being claimed when a pass is stopped is given back.
func TestAClaimThatAPassIsStoppedUnderIsGivenBack(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, k kind) {
		t.Parallel()
		w := newWorld(t, k, calls(100), start.Add(-24*time.Hour), nil)
		ctx, stop := context.WithCancel(t.Context())
		w.exporter.Warehouse = stopsAtClaim{w.warehouse, stop}
		if _, err := w.exporter.Export(ctx, passOnce()); err == nil {
			t.Error("the pass was stopped, and ended well")
		}
		if held := w.count("select count(*) from %s where state = 'running'", k.own("windows")); held > 0 {
			t.Errorf("%d windows are held by nobody", held)
		}
	})
}
