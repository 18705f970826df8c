package main

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/source/simulator"
)

// amount is a line of progress.
type amount struct{ read, total, left int }

func amounts(t *testing.T, stderr string) (all []amount) {
	t.Helper()
	number := func(text string) int {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, m := range regexp.MustCompile(`(?m)^calls: (\d+) of (\d+) windows read, (\d+) left, 0 failed$`).FindAllStringSubmatch(stderr, -1) {
		now := amount{read: number(m[1]), total: number(m[2]), left: number(m[3])}
		if len(all) > 0 && now == all[len(all)-1] {
			t.Errorf("the same line twice: %s", m[0])
		}
		all = append(all, now)
	}
	if len(all) < 2 {
		t.Fatalf("no progress: %s", stderr)
	}
	return all
}

func TestBackfillGoesOn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.since = s.since.AddDate(0, 0, -4) // more than all lanes can claim at once
	s.configure()
	from := s.since.Format("2006-01-02")
	s.run("run", "--once").ends(app.ExitDone)
	once := s.sim.Stats().Requests

	asked, letGo := s.hold(once / 2)
	p := s.start(nil, "run", "--backfill", "--from", from)
	receive(t, asked, "a request in the middle")
	p.signal(syscall.SIGTERM)
	p.await("stopping")
	letGo()
	r := p.wait().ends(app.ExitFailed)
	if !strings.Contains(r.stderr, "exporter: interrupted; the same command goes on with what is left\n") {
		t.Errorf("on stderr: %s", r.stderr)
	}
	lines := amounts(t, r.stderr)
	begin, end := lines[0], lines[len(lines)-1]
	if begin.read != 0 || begin.left != begin.total || end.read == 0 || end.left == 0 {
		t.Errorf("from %+v to %+v", begin, end)
	}
	first := s.sim.Stats().Requests - once

	s.sim.Unscript()
	again := s.run("run", "--backfill", "--from", from).ends(app.ExitDone)
	lines = amounts(t, again.stderr)
	if lines[0] != end {
		t.Errorf("it goes on with %+v, was interrupted at %+v", lines[0], end)
	}
	if last := lines[len(lines)-1]; last.left != 0 || last.read != begin.total {
		t.Errorf("it ends with %+v", last)
	}
	second := s.sim.Stats().Requests - once - first
	if second >= once {
		t.Errorf("%d requests, as many as the whole range takes: %d", second, once)
	}
	s.mustBeWhole()

	// Once finished, the same call reads everything again.
	lines = amounts(t, s.run("run", "--backfill", "--from", from).ends(app.ExitDone).stderr)
	if lines[0].read != 0 {
		t.Errorf("a new backfill begins with %+v", lines[0])
	}
}

// A backfill that an outage ends says how it goes on, the status says what is left of it, and a run reads that.
func TestBackfillThroughAnOutage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run("run", "--once").ends(app.ExitDone)
	backfill := []string{"run", "--backfill", "--from", s.since.Format(time.DateOnly)}
	asked := 0
	s.sim.Script(simulator.When(func(simulator.Request) bool { asked++; return asked > 4 }), simulator.Status(http.StatusUnauthorized, "{}"))
	for words, command := range map[string][]string{
		"the same command goes on where this one stopped, and so does the daemon": backfill,
		"the same command without --restart goes on":                              append(backfill, "--restart"),
	} {
		r := s.run(command...).ends(app.ExitUnreachable)
		_, message, _ := strings.Cut(r.stderr, "exporter: ")
		if !strings.Contains(message, words) {
			t.Errorf("no %q in %s", words, r.stderr)
		}
		mustBeFitForPeople(t, message)
	}
	left := decoded[app.Report](t, s.run("status", "--json").ends(app.ExitDone).stdout).Datasets[0].Backfills
	if len(left) != 1 || left[0].Left == 0 || !left[0].From.Equal(s.since) {
		t.Fatalf("left: %+v", left)
	}
	s.run("status").ends(app.ExitDone).prints(fmt.Sprintf("calls: backfill from %s to ", s.since.Format(time.DateTime)), "left; the daemon reads what is left by itself")
	s.sim.Unscript()
	s.run("run", "--once").ends(app.ExitDone)
	if r := s.run("status").ends(app.ExitDone); strings.Contains(r.stdout, "backfill") {
		t.Errorf("all is read: %s", r.stdout)
	}

	s.key = "another-key" // nothing to go on with: the warehouse was never asked
	s.dsn = "postgres://exporter:" + canaryPassword + "@" + closedPort(t) + "/warehouse"
	s.configure()
	if r := s.run(backfill...).ends(app.ExitUnreachable); strings.Contains(r.stderr, "goes on") {
		t.Errorf("nothing had begun: %s", r.stderr)
	}
}

// A pass that is interrupted says so: not all is done.
func TestOnceInterrupted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.sim.Script(simulator.On(4), simulator.Meanwhile(func(*simulator.Simulator) { cancel() }))
	execute(t, ctx, "run", "--once", "-c", s.path).ends(app.ExitFailed).prints("| calls ").says("interrupted; the same command goes on")
	if s.read() == 0 || s.rows() == 0 {
		t.Error("what was being read is not committed")
	}
	s.run("run", "--once").ends(app.ExitDone)
	s.mustBeWhole()
}
