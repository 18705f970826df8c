package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// What the daemon costs when there is nothing to do, and how soon it is at work.

// daemonSettings are what a person chooses.
type daemonSettings struct {
	datasets int
	minutes  int
	starts   int
}

// daemon measures an exporter of many datasets that tick once a minute with nothing new, on both warehouses: requests,
// transactions and statements of a tick, and the share of a core; before that, how long it is from the start of the
// process to its first request, where the warehouse is there.
func daemon(ctx context.Context, args []string, out io.Writer) error {
	d, s := daemonSettings{}, settings{rows: 1000}
	flags := flag.NewFlagSet("bench daemon", flag.ContinueOnError)
	flags.IntVar(&d.datasets, "datasets", 500, "how many datasets")
	flags.IntVar(&d.minutes, "minutes", 3, "how long to look at the idle daemon")
	flags.IntVar(&d.starts, "starts", 7, "how often to start")
	flags.StringVar(&s.exporter, "exporter", "bin/exporter", "the exporter's program")
	if err := flags.Parse(args); err != nil {
		return err
	}
	w, err := openWorkshop(ctx, s)
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.clear(ctx); err != nil {
		return err
	}
	for _, dsn := range []string{w.postgresDSN(), w.sqliteDSN()} {
		if err := w.firstRequests(ctx, d, dsn, out); err != nil {
			return err
		}
		if err := w.idle(ctx, d, dsn, out); err != nil {
			return err
		}
	}
	return nil
}

// kindOf is the name of a DSN's warehouse.
func kindOf(dsn string) string { return dsn[:strings.IndexByte(dsn, ':')] }

// firstRequests says how long a start takes up to the first request.
func (w *workshop) firstRequests(ctx context.Context, d daemonSettings, dsn string, out io.Writer) error {
	path, err := w.daemonConfig(1, dsn)
	if err != nil {
		return err
	}
	var took []float64
	for n := range d.starts + 1 {
		if _, err := w.traffic(ctx); err != nil {
			return err
		}
		began := time.Now()
		if _, err := program(exec.CommandContext(ctx, w.exporter, "run", "--backfill", "--restart", "-c", path,
			"--from", time.Now().UTC().Add(-time.Hour).Format(time.RFC3339))); err != nil {
			return err
		}
		seen, err := w.traffic(ctx)
		if err != nil {
			return err
		}
		if seen.requests == 0 {
			return errors.New("a start made no request")
		}
		if n > 0 { // the first one makes the tables
			took = append(took, seen.first.Sub(began).Seconds()*1000)
		}
	}
	slices.Sort(took)
	_, err = fmt.Fprintf(out, "%s: first request %.0f ms after the start (%.0f to %.0f; target: 100)\n",
		kindOf(dsn), middle(took), took[0], took[len(took)-1])
	return err
}

// idle says what a tick costs in which nothing is new.
func (w *workshop) idle(ctx context.Context, d daemonSettings, dsn string, out io.Writer) error {
	path, err := w.daemonConfig(d.datasets, dsn)
	if err != nil {
		return err
	}
	// Hundreds of first runs at once may ask too much of a file: what failed is tried again.
	for try := range 3 {
		if _, err := program(exec.CommandContext(ctx, w.exporter, "run", "--once", "-c", path)); err == nil {
			break
		} else if try == 2 {
			return err
		}
		if err := sleepUntil(ctx, time.Now().Add(time.Minute)); err != nil {
			return err
		}
	}
	command := exec.CommandContext(ctx, w.exporter, "run", "-c", path)
	command.Stderr = os.Stderr
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	if err := command.Start(); err != nil {
		return err
	}
	defer func() { _ = command.Wait() }()
	defer func() { _ = command.Process.Signal(os.Interrupt) }()
	// From the middle of a minute to the middle of another: the ticks lie in between.
	if err := sleepUntil(ctx, time.Now().Truncate(time.Minute).Add(90*time.Second)); err != nil {
		return err
	}
	before, err := w.look(ctx, command.Process.Pid)
	if err != nil {
		return err
	}
	if err := sleepUntil(ctx, time.Now().Add(time.Duration(d.minutes)*time.Minute)); err != nil {
		return err
	}
	after, err := w.look(ctx, command.Process.Pid)
	if err != nil {
		return err
	}
	ticks := float64(d.minutes * d.datasets)
	minutes := time.Duration(d.minutes) * time.Minute
	_, err = fmt.Fprintf(out, "%s: %d datasets, %d ticks each: %.2f requests, %.1f transactions, %.2f ms of CPU and %.2f of the server's a tick; "+
		"every five minutes that is %.2f %% of a core; %.0f MB\n",
		kindOf(dsn), d.datasets, d.minutes, float64(after.requests)/ticks, float64(after.transactions-before.transactions)/ticks,
		float64((after.cpu-before.cpu).Microseconds())/1000/ticks, float64((after.server-before.server).Microseconds())/1000/ticks,
		100*(after.cpu-before.cpu).Seconds()/minutes.Seconds()/5, float64(after.memory)/1e6)
	return err
}

func sleepUntil(ctx context.Context, at time.Time) error {
	select {
	case <-time.After(time.Until(at)):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// usage is what a daemon has cost so far.
type usage struct {
	requests     int64 // since the last look
	transactions int64
	cpu, server  time.Duration
	memory       int64
}

func (w *workshop) look(ctx context.Context, pid int) (u usage, err error) {
	seen, err := w.traffic(ctx)
	if err != nil {
		return u, err
	}
	u.requests, u.server = seen.requests, w.serverCPU()
	if u.cpu, err = cpuOf(pid); err != nil {
		return u, err
	}
	ended := make(chan struct{})
	close(ended)
	u.memory = watchMemory(pid, ended)
	err = w.admin.QueryRow(ctx, "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = $1", database).Scan(&u.transactions)
	if errors.Is(err, pgx.ErrNoRows) {
		err = nil
	}
	return u, err
}

// cpuOf is what a process has cost so far; an error where there is no /proc.
func cpuOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		return 0, err
	}
	return time.Duration(user+system) * time.Second / 100, nil
}

// traffic is what the API saw since it was asked last.
type traffic struct {
	requests int64
	first    time.Time
}

func (w *workshop) traffic(ctx context.Context) (t traffic, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+"/traffic", http.NoBody)
	if err != nil {
		return t, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return t, err
	}
	defer func() { _ = response.Body.Close() }()
	var first int64
	if _, err := fmt.Fscan(response.Body, &t.requests, &first); err != nil {
		return t, fmt.Errorf("read what the API saw: %w", err)
	}
	t.first = time.UnixMicro(first)
	return t, nil
}

// daemonConfig is the config of many datasets, whose reports have no rows by now: it has all of a file's rows long ago.
func (w *workshop) daemonConfig(datasets int, dsn string) (path string, err error) {
	var b strings.Builder
	fmt.Fprintf(&b, `source: {endpoint: %q, api_key: bench, requests_per_second: 10000, max_in_flight: %d}
warehouse: {dsn: %q}
http: {listen: ""}
log: {level: warn}
defaults:
  schedule: "* * * * *"
  window: {delay: 0s}
reports:
`, w.endpoint("plain", "0s"), inFlight, dsn)
	for n := range datasets {
		fmt.Fprintf(&b, "  - {name: calls_%d, report_id: 6007d54273902f0069dc68dc, since: %s, key: [call_id], time_field: started_at, fields: {",
			n, time.Now().UTC().Add(-24*time.Hour).Format(time.DateOnly))
		for _, f := range fields() {
			fmt.Fprintf(&b, "%q: {name: %s, type: %s}, ", f.id, f.name, f.kind)
		}
		b.WriteString("}}\n")
	}
	path = filepath.Join(w.dir, "daemon.yaml")
	return path, os.WriteFile(path, []byte(b.String()), 0o600)
}
