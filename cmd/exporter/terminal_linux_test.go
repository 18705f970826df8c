package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"samespace-exporter/internal/app"
)

// terminal is a pseudo-terminal: what is written to the one end can be read from the other.
func terminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { _ = ours.Close() })
	fd := int(ours.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 100}); err != nil {
		t.Fatal(err)
	}
	if theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	return ours, theirs
}

// On a terminal a backfill shows a bar, and logs are text.
func TestBackfillOnATerminal(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ours, theirs := terminal(t)
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), executable, "run", "--backfill", "--from", s.since.Format("2006-01-02"), "-c", s.path)
	cmd.Env = append(os.Environ(), "EXPORTER_TEST_MAIN=1")
	cmd.Stdout, cmd.Stderr = theirs, theirs
	shown := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(ours) // ends with an error once nobody holds the other end
		shown <- string(text)
	}()
	err = cmd.Run()
	if closed := theirs.Close(); err != nil || closed != nil || cmd.ProcessState.ExitCode() != app.ExitDone {
		t.Fatal(err, closed, cmd.ProcessState)
	}
	text := receive(t, shown, "the end of the terminal's text")
	mustHoldNoSecret(t, text)
	for _, words := range []string{"windows", "%", "INF", "table changed", "│ calls"} {
		if !strings.Contains(text, words) {
			t.Errorf("no %q in: %q", words, text)
		}
	}
	if strings.Contains(text, "windows read,") {
		t.Errorf("lines of progress beside the bar: %q", text)
	}
	s.mustBeWhole()
}
