// Package systemd tells the service manager how the daemon is doing, by the protocol of sd_notify. It is the only
// importer of go-systemd. Where no manager listens (no NOTIFY_SOCKET) it does nothing.
package systemd

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Manager is the service manager that started the process. Its methods may be called from several goroutines.
type Manager struct {
	logger *slog.Logger

	mu     sync.Mutex
	status string // the last one told
	failed bool   // that it cannot be told was said
}

// FromEnvironment is the manager that NOTIFY_SOCKET names; nil, which may be used as well, when there is none. The
// logger gets, once, that it cannot be told.
func FromEnvironment(logger *slog.Logger) *Manager {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil
	}
	return &Manager{logger: logger}
}

// statusEvery is how often the status is told where no watchdog sets the pace.
const statusEvery = 10 * time.Second

// BeatEvery is how often Beat is to be called: twice within the time in which the watchdog wants to hear of the
// process. It is zero when there is no manager.
func (m *Manager) BeatEvery() time.Duration {
	if m == nil {
		return 0
	}
	// An interval that cannot be read is one that the manager did not set.
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval <= 0 {
		return statusEvery
	}
	return interval / 2
}

// Beat tells the watchdog that the process lives, and the status if it is another one.
func (m *Manager) Beat(status string) {
	m.tell(status, daemon.SdNotifyWatchdog)
}

// Ready tells that the process serves, after its start and after each reload.
func (m *Manager) Ready(status string) {
	m.tell(status, daemon.SdNotifyReady)
}

// Reloading tells that the config is being read again. Ready must follow, whatever comes of it.
func (m *Manager) Reloading() {
	m.tell("reading the config again", daemon.SdNotifyReloading, strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
}

// Stopping tells that the process ends.
func (m *Manager) Stopping() {
	m.tell("stopping: what is being read has time to end", daemon.SdNotifyStopping)
}

// tell tells states, and the status if it is another one than before.
func (m *Manager) tell(status string, states ...string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if status != m.status {
		m.status = status
		states = append(states, "STATUS="+strings.ReplaceAll(status, "\n", " "))
	}
	if _, err := daemon.SdNotify(false, strings.Join(states, "\n")); err != nil && !m.failed {
		m.failed = true
		m.logger.Warn("the service manager cannot be told how the exporter is doing", "error", fmt.Errorf("sd_notify: %w", err))
	}
}
