package postgres

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"samespace-exporter/internal/netfault"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// impatience is the time for a transaction in these tests. A call ends within that and the time for a connection;
// enough leaves room for a machine that is busy.
const (
	impatience = time.Second
	enough     = 20 * impatience
)

// remote is the world's warehouse behind a net that can fail.
func (w world) remote() (*Warehouse, *netfault.Proxy) {
	w.t.Helper()
	net, dsn := netfault.Before(w.t, w.dsn)
	u, err := url.Parse(dsn)
	w.noError(err)
	parameters := u.Query()
	parameters.Set("connect_timeout", "2")
	u.RawQuery = parameters.Encode()
	remote, err := Open(w.t.Context(), Options{DSN: u.String(), Timeout: impatience})
	w.noError(err)
	remote.ddlTimeout = impatience
	w.t.Cleanup(func() {
		net.Set(netfault.Cut())
		remote.Close()
	})
	return remote, net
}

// calls is every call of a warehouse that a pass makes, with the work left to do that it needs.
func (w world) calls(at *Warehouse) map[string]func() error {
	lease := w.lease(1)
	run, err := w.BeginRun(w.t.Context(), sink.Run{Dataset: "calls", Kind: sink.RunOnce, StartedAt: w.now()})
	w.noError(err)
	ctx := w.t.Context()
	return map[string]func() error{
		"migrate": func() error { return at.Migrate(ctx) },
		"prepare": func() error { _, err := at.Prepare(ctx, dataset()); return err },
		"plan": func() error {
			_, err := at.Plan(ctx, "calls", lease.Span(), w.now(), func(g window.Window) []window.Window { return []window.Window{g} })
			return err
		},
		"claim": func() error {
			_, _, err := at.Claim(ctx, sink.ClaimRequest{Dataset: "calls", Now: w.now(), Edge: w.now(), MaxSpan: time.Hour, Owner: "test", TTL: time.Minute})
			return err
		},
		"renew":   func() error { return at.Renew(ctx, lease) },
		"commit":  func() error { _, err := at.Commit(ctx, batch(lease, rows(60, 120, 1))); return err },
		"fail":    func() error { return at.Fail(ctx, lease, sink.Failure{Error: "test", NextReadAt: w.now()}) },
		"release": func() error { return at.Release(ctx, lease) },
		"held":    func() error { _, _, err := at.Held(ctx, "calls", w.now(), w.now()); return err },
		"begin run": func() error {
			_, err := at.BeginRun(ctx, sink.Run{Dataset: "calls", Kind: sink.RunOnce, StartedAt: w.now()})
			return err
		},
		"end run": func() error { return at.EndRun(ctx, sink.Run{ID: run, EndedAt: w.now()}) },
		"backfill": func() error {
			_, _, err := at.BeginBackfill(ctx, sink.BackfillRequest{Dataset: "calls", Range: lease.Span(), Now: w.now()})
			return err
		},
		"remaining": func() error {
			_, err := at.Remaining(ctx, sink.Run{ID: run, Dataset: "calls", Range: lease.Span(), StartedAt: w.now()})
			return err
		},
		"condition": func() error { _, err := at.Condition(ctx, "calls"); return err },
		"rejects":   func() error { _, err := at.Rejects(ctx, sink.RejectsRequest{Dataset: "calls", Limit: 1}); return err },
		"windows":   func() error { _, err := at.Windows(ctx, "calls", lease.Span()); return err },
		"entries":   func() error { _, err := at.Entries(ctx, "calls", "", lease.Span()); return err },
		"status":    func() error { _, err := at.Status(ctx, w.now()); return err },
		"query":     func() error { _, _, err := at.Query(ctx, "SELECT 1"); return err },
		"check":     func() error { _, err := at.Check(ctx); return err },
	}
}

func (w world) now() time.Time { return at(100_000) }

// A call ends within its time whichever of its messages is the first that finds no way, and the next one, on another
// connection, succeeds.
func TestNetworkBlackHoleEndsEveryCall(t *testing.T) {
	var faults atomic.Int32
	w := newWorld(t)
	for name := range w.calls(w.Warehouse) {
		if os.Getenv("EXPORTER_RELIABILITY") != "long" && name != "commit" && name != "claim" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for message := 1; message <= 5; message++ {
				w := newWorld(t)
				remote, net := w.remote()
				call := w.calls(remote)[name]
				if message > 1 { // so that the first messages are not those of a new connection
					w.noError(remote.pool.Ping(t.Context()))
				}
				net.On(netfault.Client, message, func() { net.Set(netfault.BlackHole()) })
				began := time.Now()
				err := call()
				if took := time.Since(began); took > enough {
					t.Errorf("message %d: it took %s", message, took)
				}
				if err == nil { // it has fewer messages
					break
				}
				faults.Add(1)
				unavailable(t, err)
				net.Set(netfault.Pass())
				for began := time.Now(); ; {
					if err = call(); err == nil || errors.Is(err, sink.ErrLeaseLost) {
						break
					}
					if time.Since(began) > enough {
						t.Fatalf("message %d: afterwards: %v", message, err)
					}
				}
			}
		})
	}
	t.Cleanup(func() { t.Logf("reliability: black hole within a call to Postgres: faults: %d", faults.Load()) })
}

// Connections that died while they were idle cost a short wait, and no failure.
func TestNetworkConnectionsThatDiedAreReplaced(t *testing.T) {
	w := newWorld(t)
	remote, net := w.remote()
	const idle = 3
	hold := make([]func(), 0, idle)
	for range idle {
		conn, err := remote.pool.Acquire(t.Context())
		w.noError(err)
		hold = append(hold, conn.Release)
	}
	for _, release := range hold {
		release()
	}
	net.Abandon()
	<-time.After(1100 * time.Millisecond) // pgx asks a connection that was idle for a second whether it lives
	for range idle + 1 {
		if _, err := remote.Status(t.Context(), w.now()); err != nil {
			t.Error(err)
		}
	}
	t.Logf("reliability: idle connections that died: faults: %d", idle)
}

// A replica that falls silent in the middle of a transaction, whichever of its messages before its rows is the first that is
// lost, holds its locks for a bounded time: another one takes its windows over and goes on. (Within a COPY it is keepalives
// that end it, which a proxy answers: see docs/reliability-network.md.)
func TestNetworkSilentReplicaLosesItsLocks(t *testing.T) {
	for message := 2; message <= 4; message++ {
		t.Run(fmt.Sprint("message ", message), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			remote, net := w.remote()
			lease := w.lease(0)
			w.noError(remote.pool.Ping(t.Context()))
			silent := make(chan struct{})
			net.On(netfault.Client, message, func() {
				net.Abandon()
				close(silent)
			})
			ended := make(chan error, 1)
			go func() {
				_, err := remote.Commit(t.Context(), batch(lease, rows(0, 60, 1)))
				ended <- err
			}()
			select {
			case <-silent:
			case err := <-ended:
				t.Fatalf("the commit ended before it fell silent: %v", err)
			}
			began := time.Now()
			w.exec(`UPDATE exporter.windows SET lease_until = clock_timestamp() WHERE lease_until IS NOT NULL`) // waits for the locks
			taken, ok, err := w.claim(lease.Span())
			w.noError(err)
			if took := time.Since(began); !ok || took > enough {
				t.Fatalf("taken over: %v, after %s", ok, took)
			}
			_, err = w.Commit(t.Context(), batch(taken, rows(0, 60, 2)))
			w.noError(err)
			unavailable(t, <-ended)
			w.equal("rows of the one that took over", w.cell(`SELECT count(*) FROM samespace.calls WHERE n = 2`), "60")
			t.Log("reliability: replica that fell silent within a commit: faults: 1")
		})
	}
}
