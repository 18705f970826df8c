package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// inFlight is how many requests go on at once.
const inFlight = 8

// exportTo has the exporter's program read all rows into a warehouse: those that are there already again.
func exportTo(dsn func(*workshop) string, variant string, delay time.Duration) func(*workshop, context.Context) (sample, error) {
	return func(w *workshop, ctx context.Context) (sample, error) {
		path := filepath.Join(w.dir, "exporter.yaml")
		if err := os.WriteFile(path, []byte(exporterConfig(w.endpoint(variant, delay.String()), dsn(w))), 0o600); err != nil {
			return sample{}, err
		}
		s, err := w.timed(ctx, func() (sample, error) {
			return program(exec.CommandContext(ctx, w.exporter, "run", "-c", path, "--backfill",
				"--from", firstCall().Format(time.RFC3339), "--to", end(w.rows).Format(time.RFC3339)))
		})
		if err != nil {
			return sample{}, err
		}
		if file, ok := strings.CutPrefix(dsn(w), "sqlite:"); ok {
			return s, w.checkSQLite(ctx, file)
		}
		return s, w.check(ctx, "samespace.calls", variant == "changed")
	}
}

func (w *workshop) checkSQLite(ctx context.Context, file string) error {
	out, err := exec.CommandContext(ctx, "sqlite3", "-readonly", file, "SELECT count(*), sum(duration_s) FROM calls").Output()
	if err != nil {
		return err
	}
	var rows, seconds int64
	if _, err := fmt.Sscanf(string(out), "%d|%d", &rows, &seconds); err != nil {
		return err
	}
	return w.checkSums(file, false, rows, seconds)
}

func exporterConfig(endpoint, dsn string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `source: {endpoint: %q, api_key: bench, requests_per_second: 10000, max_in_flight: %d}
warehouse: {dsn: %q}
http: {listen: ""}
log: {level: warn}
reports:
  - name: calls
    report_id: 6007d54273902f0069dc68dc
    since: %s
    key: [call_id]
    time_field: started_at
    sort: {by: started_at, order: asc}
    page_size: %d
    fields:
`, endpoint, inFlight, dsn, firstCall().Format(time.DateOnly), pageSize)
	for _, f := range fields() {
		fmt.Fprintf(&b, "      %q: {name: %s, type: %s}\n", f.id, f.name, f.kind)
	}
	return b.String()
}
