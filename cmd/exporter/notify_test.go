package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/netfault"
	"samespace-exporter/internal/source/simulator"
)

// canaryHook is the part of a webhook's address that nobody may see.
const canaryHook = "canary-hook-5b1f"

// chat is a webhook.
type chat struct {
	*testing.T
	url      string
	messages chan string
	down     atomic.Bool // it refuses what it gets
}

func newChat(t *testing.T) *chat {
	t.Helper()
	c := &chat{T: t, messages: make(chan string, 100)}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.down.Load() {
			http.Error(w, "no such hook: "+r.URL.Path, http.StatusNotFound)
			return
		}
		var message struct{ Text string }
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
			t.Error(err)
		}
		mustHoldNoSecret(t, message.Text)
		// Once it has the answer it closes the connection. Who is stopped before takes the message for untold, and another one
		// tells it again.
		conn, reader, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		_, _ = io.Copy(io.Discard, reader)
		c.messages <- message.Text
	}))
	t.Cleanup(server.Close)
	c.url = server.URL + "/services/" + canaryHook
	return c
}

// hears waits for the next message, which must have the words.
func (c *chat) hears(words string) {
	c.Helper()
	if message := receive(c.T, c.messages, "a message with "+words); !strings.Contains(message, words) {
		c.Errorf("no %q in %q", words, message)
	}
}

// hearsNoMore checks that nothing was told beside what was heard.
func (c *chat) hearsNoMore() {
	c.Helper()
	select {
	case message := <-c.messages:
		c.Errorf("told as well: %q", message)
	default:
	}
}

// tellsTo has the site's daemons tell a chat, and make a pass each second.
func (s *site) tellsTo(c *chat, staleAfter string) {
	s.notify = "notify: {webhook: '" + c.url + "', stale_after: " + staleAfter + "}"
	s.schedule = "@every 1s"
	s.configure()
}

// Two replicas on one warehouse: each change is told once.
func TestNotify(t *testing.T) {
	t.Parallel()
	s, c := newSite(t), newChat(t)
	s.dsn = server.Database(t)
	s.tellsTo(c, "8s")
	s.sim.Script(simulator.Always(), simulator.Status(http.StatusBadGateway, "<html>bad gateway</html>"))
	one, two := s.start(nil, "run", "-v"), s.start(nil, "run", "-v")
	c.hears("calls fails: ")
	c.hears("calls is stale: nothing is complete yet")
	s.sim.Unscript()
	s.run("run", "--backfill", "--from", s.since.Format(time.DateOnly)).ends(app.ExitDone) // does not wait for the next attempt
	over := receive(t, c.messages, "the end of the trouble")
	if !strings.Contains(over, "calls is well again") || !strings.Contains(over, "calls has caught up") {
		over += receive(t, c.messages, "the rest of it")
	}
	if !strings.Contains(over, "calls is well again") || !strings.Contains(over, "calls has caught up") {
		t.Errorf("told: %q", over)
	}
	one.stop()
	two.stop()
	c.hearsNoMore()
}

// What cannot be told is told later, and the address of the webhook is not in the log.
func TestNotifyWhenTheWebhookIsDown(t *testing.T) {
	t.Parallel()
	s, c := newSite(t), newChat(t)
	c.down.Store(true)
	s.key = "another-key"
	s.tellsTo(c, "2h")
	p := s.start(nil, "run")
	if line := p.await("nobody was told"); !strings.Contains(line, "answers 404") || !strings.Contains(line, "check source.api_key") {
		t.Errorf("not why, or not what: %s", line)
	}
	c.down.Store(false)
	c.hears("check source.api_key")
	s.key = canaryKey
	s.configure()
	p.reload()
	c.hears("calls is well again")
	p.stop()
	c.hearsNoMore()
}

func TestNotifyOfAWarehouseThatIsDown(t *testing.T) {
	t.Parallel()
	s, c := newSite(t), newChat(t)
	way, dsn := netfault.Before(t, server.Database(t))
	way.Set(netfault.Cut())
	s.dsn = dsn
	s.tellsTo(c, "2h")
	p := s.start(nil, "run")
	c.hears("nothing is exported: read status: warehouse not available")
	way.Set(netfault.Pass())
	c.hears("the warehouse answers again")
	p.stop()
	c.hearsNoMore()
}

// Trouble of the process's own that a reload does not mend is not told anew; its end is told by whichever config mends it.
func TestNotifyAcrossReloads(t *testing.T) {
	t.Parallel()
	s, c := newSite(t), newChat(t)
	sound := s.endpoint
	s.endpoint = "http://" + closedPort(t)
	s.tellsTo(c, "2h")
	p := s.start(nil, "run")
	c.hears("calls is not exported: ")
	p.reload()
	p.await("pass failed")
	s.endpoint = sound
	s.configure()
	p.reload()
	c.hears("calls is exported again")
	p.stop()
	c.hearsNoMore()
}

// Rows that come when their window is read no more are told of once, until a longer reread is configured.
func TestNotifyOfRowsThatComeTooLate(t *testing.T) {
	t.Parallel()
	s, c := newSite(t), newChat(t)
	s.reports = s.timed("window: {reread: [15m]}")
	s.tellsTo(c, "3h")
	p := s.start(nil, "run")
	page := p.page()
	c.hears("timed misses rows: rows arrive up to ")
	mustServe(t, page+"api/status", "to window.reread, and read the past again by a backfill")
	mustServe(t, page+"metrics", `exporter_late_rows{dataset="calls"} 0`)
	s.reports = s.timed("window: {reread: [15m, 2d]}")
	s.configure()
	p.reload()
	c.hears("timed misses no rows any more")
	p.stop()
	c.hearsNoMore()
}
