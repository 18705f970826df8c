package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"samespace-exporter/internal/app"
)

func (c *command) newPlan() *cobra.Command {
	return c.jsonFlag(&cobra.Command{
		Use:   "plan",
		Short: "What a run would do now: windows, requests, rows, DDL; changes nothing",
		Long: `What a run would do now, by why windows are due: the live edge, re-reads, history that was never
read, and windows that failed. How many rows they hold is expected from what is known nearby, or
from the latest rows where nothing is. It changes nothing, and works before the first run as well.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withApp(cmd.Context(), func(ctx context.Context, program *app.App) error {
				plan, err := program.Plan(ctx)
				if c.json {
					return planned(errors.Join(err, c.printJSON(plan)))
				}
				c.printPlan(plan)
				return planned(err)
			})
		},
	})
}

// planned is why a run would fail: no window is at stake yet, so what is wrong is to be mended in the config.
func planned(err error) error {
	if err != nil && app.ExitCode(err) == app.ExitFailed {
		return &usageError{err}
	}
	return err
}

func (c *command) printPlan(plan app.Plan) {
	if len(plan.Datasets) == 0 {
		return
	}
	var rows [][]string
	for _, d := range plan.Datasets {
		total := d.Total()
		rows = append(rows, []string{
			d.Dataset, count(d.Live.Windows), count(d.Reread.Windows), count(d.History.Windows), count(d.Failed.Windows),
			count(d.Running + d.Resting), count(total.Requests), count(total.Rows),
		})
	}
	printTable(c.stdout, []string{
		"dataset", "live edge", "re-reads", "history", "failed", "not now", "requests (about)", "rows (about)",
	}, rows)
	least := time.Duration(plan.Seconds * float64(time.Second)).Round(100 * time.Millisecond)
	c.printf("%d requests take at least %s at %g requests per second\n", plan.Total.Requests, least, plan.RequestsPerSecond)
	for _, d := range plan.Datasets {
		c.printDatasetPlan(d)
	}
}

// printDatasetPlan prints what is to be known of a dataset beside its windows; nothing when there is nothing.
func (c *command) printDatasetPlan(d app.DatasetPlan) {
	var lines []string
	for _, s := range d.Statements {
		lines = append(lines, "DDL: "+s)
	}
	if d.Refused != "" {
		lines = append(lines, "refused: "+d.Refused)
	}
	for _, l := range d.Limits {
		lines = append(lines, "limit: "+limitText(l))
	}
	if len(d.Sample.New) > 0 {
		lines = append(lines, "new in the API, not in the mapping: "+strings.Join(d.Sample.New, ", "))
	}
	if len(d.Sample.Gone) > 0 {
		lines = append(lines, fmt.Sprintf("in the mapping, in none of %d sampled rows: %s", d.Sample.Rows, strings.Join(d.Sample.Gone, ", ")))
	}
	if d.Sample.Error != "" {
		lines = append(lines, "no sample: "+d.Sample.Error)
	}
	for _, l := range append(lines, d.Lost...) {
		if d.Dataset != "" {
			c.printf("\n%s\n", d.Dataset)
			d.Dataset = ""
		}
		c.printf("  %s\n", strings.ReplaceAll(l, "\n", "\n  "))
	}
}

// limitText is a limit that shapes a plan, for people.
func limitText(l app.Heeded) string {
	var what string
	switch l.Limit {
	case "page":
		what = fmt.Sprintf("pages of %s rows at most", count(l.Most))
	case "skip":
		what = fmt.Sprintf("no page behind more than %s rows", count(l.Most))
	default:
		what = fmt.Sprintf("ranges of %s at most", app.Span(time.Duration(l.Most)*time.Second))
	}
	if l.At != nil {
		return fmt.Sprintf("%s, as exporter check --contract measured on %s", what, l.At.Format(time.DateTime))
	}
	return fmt.Sprintf("%s, as the API was seen to refuse more; it is tried again after %s", what, l.Until.Format(time.DateTime))
}
