package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/netfault"
	"samespace-exporter/internal/source/simulator"
)

// get asks the daemon.
func get(t *testing.T, address string) (status int, body string) {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	mustHoldNoSecret(t, string(text))
	return response.StatusCode, string(text)
}

// page is the address of the status page that a daemon prints.
func (p *process) page() string {
	p.Helper()
	line := p.await("status page at ")
	address := regexp.MustCompile(`http://\S+:\d+/$`).FindString(line)
	if address == "" {
		p.Fatalf("no address in %q", line)
	}
	return address
}

func TestDaemon(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p := s.start(nil, "run")
	page := p.page()
	p.await("pass done")
	for path, words := range map[string]string{
		"healthz": "ok", "readyz": "ready", "metrics": "exporter_", "": "calls", "api/status": `"name": "calls"`,
	} {
		if status, body := get(t, page+path); status != http.StatusOK || !strings.Contains(body, words) {
			t.Errorf("/%s answers %d: %s", path, status, body)
		}
	}
	if status, _ := get(t, page+"nothing"); status != http.StatusNotFound {
		t.Errorf("/nothing answers %d", status)
	}
	_, body := get(t, page+"api/status")
	if d := decoded[app.Report](t, body).Datasets[0]; d.Through == nil || d.NextRun == nil || int(d.Rows) != s.rows() {
		t.Errorf("%+v", d)
	}
	asked, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	s.listen = asked.Host
	s.configure()
	s.run("healthcheck").ends(app.ExitDone).prints("ready\n")
	p.signal(syscall.SIGTERM)
	if r := p.wait().ends(app.ExitDone); r.stdout != "" {
		t.Errorf("on stdout: %s", r.stdout)
	}
	s.mustBeWhole()
	s.run("healthcheck").ends(app.ExitFailed).says("no daemon answers")
}

// hold lets the nth request from now on wait until it is let go, and tells of it.
func (s *site) hold(n int) (asked <-chan simulator.Request, letGo func()) {
	arrived, opened := make(chan simulator.Request, 1), make(chan struct{})
	note := func(r simulator.Request) bool {
		if n--; n == 0 { // the rules of a script are asked one at a time
			arrived <- r
		}
		return n == 0
	}
	s.sim.Script(simulator.When(note), simulator.Meanwhile(func(*simulator.Simulator) { <-opened }))
	letGo = sync.OnceFunc(func() { close(opened) })
	s.Cleanup(letGo)
	return arrived, letGo
}

func TestSignalLetsTheSpanBeCommitted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.since = s.since.AddDate(0, 0, -4) // more windows than the span that is being read may have, whatever the hour
	s.configure()
	asked, letGo := s.hold(4)
	p := s.start(nil, "run")
	held := receive(t, asked, "the fourth request")
	p.signal(syscall.SIGTERM)
	p.await("stopping")
	letGo()
	r := p.wait().ends(app.ExitDone)
	if !strings.Contains(r.stderr, "pass interrupted") {
		t.Errorf("on stderr: %s", r.stderr)
	}
	last := held.To.Unix() - 1
	if n := s.count(fmt.Sprintf("select count(*) from exporter_windows where unixepoch(start_at) <= %d and unixepoch(end_at) > %d and reads > 0", last, last)); n != 1 {
		t.Errorf("what was being read, up to %s, is not committed", held.To)
	}
	if read, all := s.read(), s.count("select count(*) from exporter_windows"); read == all {
		t.Errorf("all of %d windows are read", all)
	}
	if n := s.count("select count(*) from exporter_windows where lease_owner is not null"); n != 0 {
		t.Errorf("%d windows are still leased", n)
	}
	s.run("run", "--once").ends(app.ExitDone)
	s.mustBeWhole()
}

func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	asked := make(chan struct{})
	tell := sync.OnceFunc(func() { close(asked) })
	s.sim.Script(simulator.When(func(simulator.Request) bool { tell(); return true }), simulator.Hang())
	p := s.start(nil, "run", "--lease", "1s")
	receive(t, asked, "a request")
	p.signal(syscall.SIGTERM)
	p.await("stopping")
	p.signal(syscall.SIGTERM)
	p.wait().ends(-1)
	if n := s.read(); n != 0 {
		t.Errorf("%d windows are marked as read", n)
	}
	s.sim.Unscript()
	s.run("run", "--once", "--lease", "1s").ends(app.ExitDone)
	s.mustBeWhole()
}

func TestDaemonStartsBeforePostgres(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	way, dsn := netfault.Before(t, server.Database(t))
	way.Set(netfault.Cut())
	s.dsn = dsn
	s.configure()
	p := s.start(nil, "run")
	page := p.page()
	p.await("waiting for the warehouse")
	if status, _ := get(t, page+"healthz"); status != http.StatusOK {
		t.Errorf("/healthz answers %d", status)
	}
	if status, body := get(t, page+"readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d: %s", status, body)
	}
	way.Set(netfault.Pass())
	p.await("warehouse is back")
	p.await("pass done")
	if status, body := get(t, page+"readyz"); status != http.StatusOK {
		t.Errorf("/readyz answers %d: %s", status, body)
	}
	p.signal(syscall.SIGTERM)
	r := p.wait().ends(app.ExitDone)
	if n := strings.Count(r.stderr, "waiting for the warehouse"); n != 1 {
		t.Errorf("it is said %d times that the warehouse is down", n)
	}
	s.mustBeWhole()
}

// A daemon that waits for its warehouse can be stopped.
func TestDaemonStopsBeforePostgresIsThere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.dsn = "postgres://exporter:" + canaryPassword + "@" + closedPort(t) + "/warehouse"
	s.configure()
	p := s.start(nil, "run")
	p.await("waiting for the warehouse")
	p.signal(syscall.SIGTERM)
	p.wait().ends(app.ExitDone)
}
