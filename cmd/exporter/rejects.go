package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"samespace-exporter/internal/app"
)

func (c *command) newRejects() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rejects",
		Short: "The quarantine: rows that did not fit the mapping",
		Long: `Rows that do not fit the mapping are kept as the API sent them, with the reason. Once the report's
fields are mended in the config, retry maps them again, without asking the API.`,
		Example: `  exporter rejects list --report calls
  exporter rejects retry --report calls`,
		Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.newRejectsList(), c.newRejectsRetry())
	return cmd
}

// shownRejects is how many rejects of a dataset are listed unless --limit says otherwise.
const shownRejects = 50

func (c *command) newRejectsList() *cobra.Command {
	var reports []string
	var raw bool
	limit := shownRejects
	cmd := c.jsonFlag(&cobra.Command{
		Use:   "list",
		Short: "Show rejected rows, those seen last first",
		Long: `Shows of each rejected row the time that it lies in, the field at fault and the reason; the row
itself only with --raw, since it may hold private values that the mapping hides.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return &usageError{errors.New("--limit must be at least 1, or 0 for all")}
			}
			return c.withApp(cmd.Context(), func(ctx context.Context, program *app.App) error {
				return c.listRejects(ctx, program, reports, limit, raw)
			})
		},
	})
	flags := cmd.Flags()
	flags.StringArrayVar(&reports, "report", nil, "only this dataset (may be given several times)")
	flags.IntVar(&limit, "limit", limit, "at most so many rows of each dataset; 0: all")
	flags.BoolVar(&raw, "raw", false, "show the rows as the API sent them")
	return cmd
}

func (c *command) listRejects(ctx context.Context, program *app.App, reports []string, limit int, raw bool) error {
	rejects := []app.Reject{}
	more, err := program.Rejects(ctx, reports, limit, raw, func(r app.Reject) { rejects = append(rejects, r) })
	if err != nil {
		return err
	}
	if more {
		_, _ = fmt.Fprintf(c.stderr, "exporter: there are more: --limit 0 shows all\n")
	}
	switch {
	case c.json:
		return c.printJSON(rejects)
	case len(rejects) == 0:
		c.printf("no rejected rows\n")
		return nil
	}
	header := []string{"dataset", "lies in (UTC)", "field", "reason", "first seen (UTC)", "last seen (UTC)", "attempts"}
	if raw {
		header = append(header, "raw")
	}
	var rows [][]string
	for _, r := range rejects {
		row := []string{
			r.Dataset, stretch(r.WindowStart, r.WindowEnd), r.Field, r.Reason, r.FirstSeen.Format(time.DateTime),
			r.LastSeen.Format(time.DateTime), count(r.Attempts),
		}
		if raw {
			row = append(row, r.Raw)
		}
		rows = append(rows, row)
	}
	printTable(c.stdout, header, rows)
	return nil
}

// stretch is a stretch of time for people: its end without the day where that is the same.
func stretch(from, to time.Time) string {
	if from.Format(time.DateOnly) == to.Format(time.DateOnly) {
		return from.Format(time.DateTime) + " - " + to.Format(time.TimeOnly)
	}
	return from.Format(time.DateTime) + " - " + to.Format(time.DateTime)
}

func (c *command) newRejectsRetry() *cobra.Command {
	var reports []string
	cmd := c.jsonFlag(&cobra.Command{
		Use:   "retry",
		Short: "Map rejected rows again, without asking the API",
		Long: `Maps the rejected rows again, after the report's fields were mended in the config. Those that fit now
are rows of the table, unless it has a later version of them; the others stay. It may run beside a daemon of the same
config. Exit code 1: some still do not fit.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withApp(cmd.Context(), func(ctx context.Context, program *app.App) error {
				retried, err := program.RetryRejects(ctx, reports)
				if printed := c.printRetried(retried); printed != nil {
					return printed
				}
				return err
			})
		},
	})
	cmd.Flags().StringArrayVar(&reports, "report", nil, "only this dataset (may be given several times)")
	return cmd
}

func (c *command) printRetried(retried []app.Retried) error {
	if c.json {
		if retried == nil {
			retried = []app.Retried{}
		}
		return c.printJSON(retried)
	}
	var rows [][]string
	for _, r := range retried {
		rows = append(rows, []string{
			r.Dataset, count(r.Inserted), count(r.Updated), count(r.Unchanged), count(r.Outdated), count(r.Left),
		})
	}
	if len(rows) > 0 {
		printTable(c.stdout, []string{"dataset", "inserted", "updated", "unchanged", "outdated", "still do not fit"}, rows)
	}
	return nil
}
