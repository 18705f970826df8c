package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"samespace-exporter/internal/app"
)

func (c *command) newStatus() *cobra.Command {
	return c.jsonFlag(&cobra.Command{
		Use:   "status",
		Short: "How every dataset is doing: how far it is complete, what is due, what failed",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withApp(cmd.Context(), func(ctx context.Context, program *app.App) error {
				report, err := program.Status(ctx)
				if err != nil {
					return err
				}
				if c.json {
					return c.printJSON(report)
				}
				c.printStatus(report)
				return nil
			})
		},
	})
}

// withApp loads the config and hands on the program made of it.
func (c *command) withApp(ctx context.Context, do func(context.Context, *app.App) error) error {
	cfg, err := c.loadConfig()
	if err != nil {
		return err
	}
	program, err := c.newApp(ctx, cfg, app.Options{Logger: c.logger(cfg.Log)})
	if err != nil {
		return err
	}
	defer program.Close()
	return do(ctx, program)
}

func (c *command) printStatus(report app.Report) {
	var rows [][]string
	for _, d := range report.Datasets {
		through, lag := "nothing yet", ""
		if d.Through != nil {
			through = d.Through.Format(time.DateTime)
			lag = app.Span(time.Duration(*d.LagSeconds) * time.Second)
		}
		last, next := "none", ""
		if d.LastRun != nil {
			last = d.LastRun.Outcome + " " + d.LastRun.StartedAt.Format(time.DateTime)
		}
		if d.NextRun != nil {
			next = d.NextRun.Format(time.DateTime)
		}
		rows = append(rows, []string{
			d.Name, string(d.State), through, lag, count(d.Rows), count(d.Windows), count(d.Due), count(d.Running), count(d.Failing), count(d.Rejects), last, next,
		})
	}
	if len(rows) == 0 {
		c.printf("nothing has been exported yet: exporter run, or exporter run --once, begins\n")
		return
	}
	printTable(c.stdout, []string{
		"dataset", "state", "complete through (UTC)", "lag", "rows", "windows", "due", "running", "failing", "rejects", "last run (UTC)", "next run (UTC)",
	}, rows)
	for _, d := range report.Datasets {
		if d.Reason != "" {
			c.printf("%s: %s: %s\n", d.Name, d.State, d.Reason)
		}
		if trouble := d.Trouble(); trouble != "" {
			c.printf("%s: %s\n", d.Name, trouble)
		}
		if remark := d.LastRun.Remark(); remark != "" {
			c.printf("%s: %s\n", d.Name, remark)
		}
		for _, backfill := range d.Unfinished() {
			c.printf("%s: %s\n", d.Name, backfill)
		}
		for _, drift := range d.Drifts() {
			c.printf("%s: %s\n", d.Name, drift)
		}
		c.printArrival(d)
		if d.ContractMeasuredAt != nil {
			c.printf("%s: the API was measured on %s (check --contract)\n", d.Name, d.ContractMeasuredAt.Format(time.DateTime))
		}
		if r := d.Retention; r != nil {
			c.printf("%s: rows from before %s are deleted: %s of them on %s\n",
				d.Name, r.Before.Format(time.DateTime), count(r.Rows), r.At.Format(time.DateTime))
		}
	}
}

// printArrival prints when the rows of a dataset arrive, as far as it is known.
func (c *command) printArrival(d app.DatasetStatus) {
	if d.Arrival == nil {
		return
	}
	span := func(seconds float64) string { return app.Span(time.Duration(seconds * float64(time.Second))) }
	c.printf("%s: rows arrive %s after their time (half of them, at most), %s (99 %%), %s (the latest)\n",
		d.Name, span(d.Arrival.P50Seconds), span(d.Arrival.P99Seconds), span(d.Arrival.LargestSeconds))
	if d.Arrival.Warning != "" {
		c.printf("%s: %s\n", d.Name, d.Arrival.Warning)
	}
}
