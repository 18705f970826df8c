package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// sample is what a figure cost once.
type sample struct {
	wall   time.Duration
	client time.Duration // CPU of the program that is measured
	server time.Duration // CPU of Postgres
	wal    int64         // bytes
	peak   int64         // most bytes of memory of a program that is measured; 0: it is a part of this one
}

// take measures a figure. A checkpoint before it makes the server's state the same for all.
func (w *workshop) take(ctx context.Context, f figure) (sample, error) {
	if _, err := w.admin.Exec(ctx, "CHECKPOINT"); err != nil {
		return sample{}, err
	}
	syscall.Sync()
	return f.take(w, ctx)
}

// timed measures work, which says what its own part cost.
func (w *workshop) timed(ctx context.Context, work func() (sample, error)) (sample, error) {
	walBefore, err := w.walPosition(ctx)
	if err != nil {
		return sample{}, err
	}
	serverBefore, began := w.serverCPU(), time.Now()
	s, err := work()
	if err != nil {
		return sample{}, err
	}
	if s.wall == 0 {
		s.wall = time.Since(began)
	}
	s.server = w.serverCPU() - serverBefore
	walAfter, err := w.walPosition(ctx)
	s.wal = walAfter - walBefore
	return s, err
}

func (w *workshop) walPosition(ctx context.Context) (at int64, err error) {
	err = w.admin.QueryRow(ctx, "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&at)
	return at, err
}

// program runs another program and says what it cost.
func program(command *exec.Cmd) (sample, error) {
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		return sample{}, err
	}
	ended, peak := make(chan struct{}), make(chan int64)
	go func() { peak <- watchMemory(command.Process.Pid, ended) }()
	err := command.Wait()
	close(ended)
	s := sample{peak: <-peak, client: command.ProcessState.UserTime() + command.ProcessState.SystemTime()}
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w\n%s", command.Path, err, out.Bytes())
	}
	return s, nil
}

// watchMemory is the most memory that a process has had until it ended; 0 where there is no /proc. What the system says
// of an ended process counts this one's memory too, which it began with.
func watchMemory(pid int, ended <-chan struct{}) (peak int64) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			if size, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				var kilobytes int64
				_, _ = fmt.Sscan(size, &kilobytes)
				peak = kilobytes << 10
			}
		}
		select {
		case <-ended:
			return peak
		case <-tick.C:
		}
	}
}

// ownCPU is what this process has cost so far.
func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// serverCPU is what Postgres has cost so far, all its processes and those that have ended; 0 where there is no /proc.
func (w *workshop) serverCPU() (spent time.Duration) {
	file, err := os.ReadFile(filepath.Join(w.server.Directory, "data", "postmaster.pid"))
	if err != nil {
		return 0
	}
	postmaster, _, _ := strings.Cut(string(file), "\n")
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// After the name, which may hold spaces: state ppid ... utime stime cutime cstime, the 14th to 17th of all.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		if len(fields) < 15 || fields[1] != postmaster && filepath.Base(filepath.Dir(path)) != postmaster {
			continue
		}
		for _, ticks := range fields[11:15] {
			n, _ := strconv.ParseInt(ticks, 10, 64)
			spent += time.Duration(n) * time.Second / 100
		}
	}
	return spent
}
