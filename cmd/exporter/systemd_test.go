package main

import (
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"samespace-exporter/internal/app"
)

// systemd is a service manager's end of sd_notify.
type systemd struct {
	*testing.T
	socket *net.UnixConn
	path   string
}

func newSystemd(t *testing.T) *systemd {
	t.Helper()
	m := &systemd{T: t, path: filepath.Join(t.TempDir(), "notify")}
	var err error
	if m.socket, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.path, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.socket.Close() })
	return m
}

// environment is what systemd sets for a service with a watchdog of a fifth of a second.
func (m *systemd) environment() []string {
	return []string{"NOTIFY_SOCKET=" + m.path, "WATCHDOG_USEC=200000"}
}

// await waits for a message that has the words, and returns it.
func (m *systemd) await(words string) string {
	m.Helper()
	buffer := make([]byte, 4096)
	_ = m.socket.SetReadDeadline(time.Now().Add(patience))
	for {
		n, err := m.socket.Read(buffer)
		if err != nil {
			m.Fatalf("no message with %q: %v", words, err)
		}
		mustHoldNoSecret(m.T, string(buffer[:n]))
		if message := string(buffer[:n]); strings.Contains(message, words) {
			return message
		}
	}
}

func TestSystemd(t *testing.T) {
	t.Parallel()
	s, m := newSite(t), newSystemd(t)
	asked, letGo := s.hold(4)
	p := s.start(m.environment(), "run")
	m.await("READY=1")
	receive(t, asked, "the fourth request")
	m.await("WATCHDOG=1")
	letGo()
	m.await("STATUS=exporting; last pass: calls done at ")

	s.reports = "nonsense\n"
	s.configure()
	p.signal(syscall.SIGHUP)
	if message := m.await("RELOADING=1"); !regexp.MustCompile(`(?m)^MONOTONIC_USEC=\d+$`).MatchString(message) {
		t.Errorf("no time in %q", message)
	}
	if message := m.await("READY=1"); !strings.Contains(message, "STATUS=new config refused") {
		t.Errorf("not that it was refused: %q", message)
	}

	s.reports = s.second()
	s.configure()
	asked, letGo = s.hold(2)
	p.signal(syscall.SIGHUP)
	m.await("RELOADING=1")
	m.await("READY=1")
	receive(t, asked, "the second request")
	p.signal(syscall.SIGTERM)
	m.await("STOPPING=1")
	m.await("WATCHDOG=1") // it drains, and lives
	letGo()
	p.wait().ends(app.ExitDone)
}

// A daemon that waits for its warehouse serves, and lives.
func TestSystemdBeforePostgres(t *testing.T) {
	t.Parallel()
	s, m := newSite(t), newSystemd(t)
	s.dsn = "postgres://exporter:" + canaryPassword + "@" + closedPort(t) + "/warehouse"
	s.configure()
	p := s.start(m.environment(), "run")
	m.await("READY=1")
	m.await("WATCHDOG=1\nSTATUS=waiting for the warehouse")
	m.await("WATCHDOG=1")
	p.stop()
}
