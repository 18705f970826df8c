package main

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/source/simulator"
)

// Three processes on one warehouse send together what requests_per_second allows one of them, however they start and end.
func TestReplicasShareTheRate(t *testing.T) {
	const rate, replicas = 40, 3
	for name, dsn := range map[string]func(s *site) string{
		"sqlite":   func(s *site) string { return s.dsn },
		"postgres": func(s *site) string { return server.Database(s.T) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.dsn = dsn(s)
			s.since = s.since.AddDate(0, 0, -2) // there is a working day among four, whatever day it is: weekends have few rows
			s.configure()
			text, err := os.ReadFile(s.path)
			if err != nil {
				t.Fatal(err)
			}
			s.write(strings.NewReplacer("requests_per_second: 10000", "requests_per_second: "+strconv.Itoa(rate), "page_size: 50", "page_size: 20").Replace(string(text)))
			s.run("migrate").ends(app.ExitDone)
			all := s.meet(replicas)
			began := s.seconds()
			var started []*process
			for range replicas {
				started = append(started, s.start(nil, "run", "--backfill", "--from", s.since.Format(time.DateOnly)))
			}
			receive(t, all, "a request of each replica")
			for _, p := range started {
				p.wait().ends(app.ExitDone)
			}
			took, sent := s.seconds()-began, s.sim.Stats().Requests
			t.Logf("%d requests in %.2f s", sent, took)
			if sent < 40 {
				t.Errorf("only %d requests: they tell nothing", sent)
			}
			// Each request has a slot of its own, and none was sent before its slot. A slow machine only takes longer.
			if least := float64(sent-1) / rate; took < least-0.05 {
				t.Errorf("%d requests in %.2f s, want no less than %.2f", sent, took, least)
			}
			s.mustBeWhole()
		})
	}
}

// meet holds the first n requests until all n are there, and then tells of it.
func (s *site) meet(n int) <-chan struct{} {
	all := make(chan struct{})
	var mu sync.Mutex
	come := 0
	release := sync.OnceFunc(func() { close(all) })
	s.Cleanup(release)
	s.sim.Script(simulator.On(1, 2, 3), simulator.Meanwhile(func(*simulator.Simulator) {
		mu.Lock()
		come++
		last := come == n
		mu.Unlock()
		if last {
			release()
		}
		<-all
	}))
	return all
}

// seconds is the database's time.
func (s *site) seconds() float64 {
	s.Helper()
	text := s.query(s.table("select (julianday('now') - 2440587.5) * 86400", "select extract(epoch from clock_timestamp())::float8"))[0][0]
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil {
		s.Fatal(err)
	}
	return seconds
}
