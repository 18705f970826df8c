package app_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/config"
	"samespace-exporter/internal/export"
	"samespace-exporter/internal/netfault"
)

// What the faults of the net are met with here: bounds of a second where the defaults have minutes.
const (
	outage = 1500 * time.Millisecond // longer than every bound
	// passBound is enough for any pass: each of the six requests or transactions that may fail in it takes two bounds
	// and the time for a connection at most.
	passBound = 30 * time.Second
	patience  = time.Minute // until all is done
)

// fault is a way in which a net lets a connection down, and how it is over.
type fault struct {
	name  string
	begin func(*netfault.Proxy)
}

func faults() []fault {
	set := func(f netfault.Fault) func(*netfault.Proxy) { return func(p *netfault.Proxy) { p.Set(f) } }
	return []fault{
		{"cut", set(netfault.Cut())},
		{"reset", set(netfault.Reset())},
		{"black hole", set(netfault.BlackHole())},
		{"latency", set(netfault.Latency(200 * time.Millisecond))},
		{"slow drip", set(netfault.Drip(16, 20*time.Millisecond))},
		{"half-open", (*netfault.Proxy).Abandon},
	}
}

// Whatever the net does, to the API or to Postgres, and at whichever byte it begins: each pass ends within a bound, and
// once the net is sound again the next passes bring all rows, none twice.
func TestNetworkFaults(t *testing.T) {
	places := []int{20_000} // bytes, in the middle of the rows
	if os.Getenv("EXPORTER_RELIABILITY") == "long" {
		places = []int{1, 500, 2_000, 5_000, 10_000, 15_000, 20_000, 25_000, 30_000, 40_000} // from the migration on
	}
	for _, way := range []string{"api", "postgres"} {
		for _, f := range faults() {
			for _, place := range places {
				t.Run(fmt.Sprintf("%s/%s/%d", way, f.name, place), func(t *testing.T) {
					t.Parallel()
					meet(t, way, f, place)
				})
			}
		}
	}
}

func meet(t *testing.T, way string, f fault, place int) {
	c := newClinic(t, server.Database(t), "samespace.calls")
	direct, err := os.ReadFile(c.config)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(direct), "requests_per_second", "timeout: 1s, max_attempts: 2, requests_per_second", 1)
	text = strings.Replace(text, "warehouse: {", "warehouse: {timeout: 1s, ", 1)
	address, rows := c.dsn, netfault.Client // who sends the rows
	if way == "api" {
		address, rows = c.endpoint, netfault.Target
	}
	net, through := netfault.Before(t, address)
	if err := os.WriteFile(c.config, []byte(strings.Replace(text, address, through, 1)), 0o600); err != nil {
		t.Fatal(err)
	}

	begun, over := make(chan struct{}), make(chan struct{})
	net.After(rows, place, func() {
		f.begin(net)
		close(begun)
	})
	go func() {
		defer close(over)
		select {
		case <-begun:
		case <-t.Context().Done():
			return
		}
		select {
		case <-time.After(outage):
		case <-t.Context().Done():
		}
		if f.name == "half-open" {
			net.Set(netfault.Reset()) // a server's keepalives have noticed by then: a proxy answers them, a dead host does not
		}
		net.Set(netfault.Pass())
	}()
	c.exportAll(nil, func() {
		select {
		case <-begun:
		default:
			t.Errorf("byte %d was never sent", place)
			return
		}
		<-over
		net.Set(netfault.Cut()) // pgx would say goodbye, for 15 seconds, on connections that nobody hears
	})
	t.Logf("reliability: faults of the net to %s: faults: 1", way)
	if err := os.WriteFile(c.config, direct, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Logf("reliability: faults of the net to %s: rows checked: %d", way, c.mustBeWhole())
}

// exportAll makes passes, an hour apart, until nothing is due or leased any more. before is called when that is so,
// before the connections are closed.
func (c *clinic) exportAll(observe func(export.Event), before func()) {
	c.Helper()
	cfg, err := config.Load(c.config)
	if err != nil {
		c.Fatal(err)
	}
	clock := clockwork.NewFakeClockAt(time.Now())
	program, err := app.New(c.Context(), cfg, app.Options{Version: "test", LeaseTTL: 500 * time.Millisecond, Clock: clock, Observe: observe})
	if err != nil {
		c.Fatal(err)
	}
	defer program.Close()
	defer before()
	for began := time.Now(); ; clock.Advance(time.Hour) { // what failed rests for a while
		pass := time.Now()
		_, err = program.Once(c.Context(), nil)
		if took := time.Since(pass); took > passBound {
			c.Errorf("a pass took %s", took)
		}
		if err == nil && done(c, program) {
			return
		}
		if time.Since(began) > patience {
			c.Fatalf("not done after %s: %v", patience, err)
		}
	}
}

// done reports whether every window was read and nobody works on one.
func done(c *clinic, program *app.App) bool {
	_, rows, err := program.Query(c.Context(), "select count(*) from exporter.windows where read_to is null or state not in ('read', 'final')")
	return err == nil && rows[0][0] == "0"
}
