package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/config"
	"samespace-exporter/internal/source/simulator"
)

func (c *command) newDemo() *cobra.Command {
	d := demo{command: c, days: 30}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Export a simulated month into an SQLite file and query it: nothing to set up",
		Args:  noArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context()) },
	}
	cmd.Flags().StringVar(&d.dir, "dir", ".", "where exporter-demo.yaml and exporter-demo.db are written")
	cmd.Flags().UintVar(&d.days, "days", d.days, "how much history is exported")
	cmd.Flags().StringVar(&d.dsn, "dsn", "", "export into this Postgres instead (postgres://…), tables named demo_…")
	return cmd
}

// demo exports a month of the simulated API's reports and shows what came of it.
type demo struct {
	*command
	dir, dsn string
	days     uint
}

func (d demo) run(ctx context.Context) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("serve simulated API: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var group errgroup.Group
	// The simulated API's clock stands, further back than a window is read: no row arrives between the two passes.
	now := time.Now().Add(-5 * time.Minute)
	group.Go(func() error {
		return simulate(ctx, listener, simulator.Options{Seed: 1, Clock: func() time.Time { return now }})
	})
	group.Go(func() error {
		defer cancel()
		return d.export(ctx, endpoint(listener))
	})
	return group.Wait()
}

func (d demo) export(ctx context.Context, endpoint string) error {
	path := filepath.Join(d.dir, "exporter-demo.yaml")
	text := []byte(d.config())
	err := os.MkdirAll(d.dir, 0o755)
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		return &usageError{fmt.Errorf("%w; choose another directory with --dir", err)}
	}
	cfg, err := config.Parse(path, text, d.environment(endpoint), os.ReadFile)
	if err != nil {
		return err
	}
	cfg.Log.Level = slog.LevelWarn // what is printed tells the story
	program, err := d.newApp(ctx, cfg, app.Options{Logger: d.logger(cfg.Log)})
	if err != nil {
		return err
	}
	defer program.Close()

	d.printf("A simulated contact centre is served at %s.\nExporting its last %d days, three reports, into %s ...\n\n", endpoint, d.days, d.warehouse())
	summaries, err := program.Once(ctx, nil)
	d.printSummaries(summaries, err)
	if err != nil {
		return err
	}
	if err := d.query(ctx, program); err != nil {
		return err
	}
	again, err := program.Once(ctx, nil)
	if err != nil {
		return err
	}
	written := int64(0)
	for _, s := range again {
		written += s.Counts.Inserted + s.Counts.Updated
	}
	d.printf("\nA second pass wrote %d rows: what has been read is read again only when it may have changed.\n", written)
	d.goOn(path)
	return nil
}

// environment is what the demo's config finds in the environment: the simulated API's address of this run.
func (d demo) environment(endpoint string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		switch name {
		case "DEMO_ENDPOINT":
			return endpoint, true
		case "DEMO_DSN":
			return d.dsn, true
		}
		return os.LookupEnv(name)
	}
}

func (d demo) file() string { return filepath.Join(d.dir, "exporter-demo.db") }

func (d demo) warehouse() string {
	if d.dsn != "" {
		return "Postgres"
	}
	return d.file()
}

// table is a report table's name in the demo's warehouse.
func (d demo) table(report string) string {
	name := d.dataset(report)
	if d.dsn != "" {
		name = "samespace." + name
	}
	return name
}

// dataset is what a report is called. In somebody's Postgres it must not be taken for one of theirs.
func (d demo) dataset(report string) string {
	if d.dsn != "" {
		return "demo_" + report
	}
	return report
}

// query prints what a contact centre's manager would look at.
func (d demo) query(ctx context.Context, program *app.App) error {
	statement := fmt.Sprintf(`select queue, count(*) as calls, count(agent) as answered,
       round(100.0 * count(agent) / count(*), 1) as answered_percent,
       cast(round(avg(wait_s)) as integer) as average_wait_s,
       cast(round(avg(talk_s)) as integer) as average_talk_s
from %s where direction = 'in' group by queue order by calls desc`, d.table("calls"))
	header, rows, err := program.Query(ctx, statement)
	if err != nil {
		return fmt.Errorf("query the calls: %w", err)
	}
	d.printf("\nWhich queues keep callers waiting?\n\n%s;\n\n", statement)
	printTable(d.stdout, header, rows)
	return nil
}

func (d demo) goOn(path string) {
	steps := [][2]string{
		{"less " + path, "the config that was used"},
		{"exporter simulate &", "serve the same API again, then"},
		{"exporter run -c " + path, "keep the warehouse current, as a daemon"},
		{"exporter status -c " + path, "see how far it is"},
	}
	if d.dsn == "" {
		steps = append([][2]string{{"sqlite3 " + d.file() + " 'select * from exporter_windows limit 5'", "what the ledger knows"}}, steps...)
	} else {
		steps = append([][2]string{{"export DEMO_DSN=postgres://...", "the same Postgres: its DSN is not in the config"}}, steps...)
	}
	width := 0
	for _, step := range steps {
		width = max(width, len(step[0]))
	}
	d.printf("\nTo go on:\n")
	for _, step := range steps {
		d.printf("  %-*s  %s\n", width, step[0], step[1])
	}
	d.printf("With an API key of your own: copy config.example.yaml to exporter.yaml, then exporter check.\n")
}

// config is the demo's config: the simulated API's reports, each metric mapped.
func (d demo) config() string {
	var b strings.Builder
	dsn := strings.ReplaceAll("sqlite:"+d.file(), "$", "$$")
	if d.dsn != "" {
		dsn = "${DEMO_DSN}"
	}
	fmt.Fprintf(&b, `# Written by "exporter demo". It reads the API that "exporter simulate" serves.
source:
  endpoint: ${DEMO_ENDPOINT:-http://%s/analytics/api}
  api_key: %s
  requests_per_second: 1000            # the simulated API has no limit; a real one deserves less

warehouse:
  dsn: %q

defaults:
  timezone: Asia/Kolkata
  schedule: "*/5 * * * *"

reports:
`, simulateAddress, simulatedKey, dsn)
	since := time.Now().AddDate(0, 0, -int(d.days)).Format(time.DateOnly)
	for _, r := range simulator.Reports() {
		writeReport(&b, r, d.dataset(r.Name), since)
	}
	return b.String()
}

func writeReport(b *strings.Builder, r simulator.Report, name, since string) {
	nameOf := map[string]string{}
	for _, m := range r.Metrics {
		nameOf[m.ID] = m.Name
	}
	fmt.Fprintf(b, "  - name: %s\n    report_id: %s\n    since: %s\n    key: [%s]\n    time_field: %s\n    sort: {by: %s, order: asc}\n    fields:\n",
		name, r.ID, since, nameOf[r.Key], nameOf[r.TimeField], nameOf[r.TimeField])
	for _, m := range r.Metrics {
		if m.CopyOf != "" {
			fmt.Fprintf(b, "      %q: {drop: true} # the same as %s\n", m.ID, nameOf[m.CopyOf])
			continue
		}
		fmt.Fprintf(b, "      %q: {name: %s, type: %s, title: %q}\n", m.ID, m.Name, m.Type, m.Title)
	}
}
