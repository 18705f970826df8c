package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"samespace-exporter/internal/app"
)

func (c *command) newVerify() *cobra.Command {
	var from, to string
	var reports []string
	var repair bool
	cmd := c.jsonFlag(&cobra.Command{
		Use:   "verify",
		Short: "Read a range again and compare it with the warehouse, row by row",
		Long: `Reads a range again from the API and compares it with the warehouse, row by row: rows that are missing,
extra, or different, by window. It changes nothing, unless --repair is given: then the windows that
differ are read again as the daemon would, and compared once more. Windows that have not been read to
their end are left out, and counted. It may run beside a daemon of the same config.

Dashboards, rolling ranges (time_range), and reports and insights that have neither key nor time_field can never
be compared: what the table has of a window is not known. They are left out, and named; who asks for one by
--report is told so.

Exit code 0: all that can be compared is equal, by now. 1: there are differences, or something else could not be
compared: without --to what was not read since the last window that was is no matter.`,
		Example: `  exporter verify --from 2024-01-01 --to 2024-02-01
  exporter verify --from 2024-01-01 --report calls --repair`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := verifyRange(from, to)
			if err != nil {
				return &usageError{err}
			}
			return c.withApp(cmd.Context(), func(ctx context.Context, program *app.App) error {
				found, err := program.Verify(ctx, reports, r, repair)
				if printed := c.printVerifications(found, err); printed != nil {
					return printed
				}
				return err
			})
		},
	})
	flags := cmd.Flags()
	flags.StringVar(&from, "from", "", "start of the range: a date (midnight in the dataset's timezone) or a time with offset")
	flags.StringVar(&to, "to", "", "end of the range, itself left out (default: now minus the delay)")
	flags.StringArrayVar(&reports, "report", nil, "only this dataset (may be given several times)")
	flags.BoolVar(&repair, "repair", false, "read the windows that differ again")
	return cmd
}

func verifyRange(from, to string) (r app.Range, err error) {
	if from == "" {
		return r, errors.New("verify needs --from, for example --from 2024-01-01")
	}
	if r.From, err = parseMoment("--from", from); err == nil && to != "" {
		r.To, err = parseMoment("--to", to)
	}
	return r, err
}

// printVerifications prints what was found; nothing when nothing was compared since something went wrong.
func (c *command) printVerifications(found []app.Verification, err error) error {
	compared := slices.ContainsFunc(found, func(v app.Verification) bool { return v.Windows > 0 })
	if err != nil && !compared {
		return nil
	}
	c.printNotCompared(found)
	if c.json {
		return c.printJSON(found)
	}
	found = slices.DeleteFunc(slices.Clone(found), func(v app.Verification) bool { return v.NotCompared != "" })
	var rows [][]string
	for _, v := range found {
		missing, extra, different := 0, 0, 0
		for _, d := range v.Differing {
			missing, extra, different = missing+d.Missing, extra+d.Extra, different+d.Different
		}
		rows = append(rows, []string{
			v.Dataset, count(v.Windows), count(v.NotRead), count(v.Requests), count(v.Rows), count(v.Rejected),
			count(missing), count(extra), count(different), count(len(v.Differing)),
		})
	}
	printTable(c.stdout, []string{
		"dataset", "windows", "not read yet", "requests", "rows", "rejected", "missing", "extra", "different", "windows that differ",
	}, rows)
	for _, v := range found {
		c.printDifferences(v.Dataset, v.Differing)
		if v.Repaired {
			c.printf("\n%s: the windows that differ were read again; %d of %d still differ\n", v.Dataset, len(v.Left), len(v.Differing))
			c.printDifferences(v.Dataset, v.Left)
		}
	}
	return nil
}

// printNotCompared names the datasets that can never be compared, and why.
func (c *command) printNotCompared(found []app.Verification) {
	var names []string
	for _, v := range found {
		if v.NotCompared != "" {
			names = append(names, fmt.Sprintf("%s (%s)", v.Dataset, v.NotCompared))
		}
	}
	if len(names) > 0 {
		_, _ = fmt.Fprintln(c.stderr, "exporter: not compared, since it is not known what the table has of a window:", strings.Join(names, ", "))
	}
}

const (
	shownWindows  = 20 // of a dataset
	shownExamples = 3  // of a kind and window
)

// printDifferences prints windows that differ, with examples.
func (c *command) printDifferences(dataset string, differing []app.Difference) {
	for i, d := range differing {
		if i == shownWindows {
			c.printf("\n%s: %d more windows differ: --json has all\n", dataset, len(differing)-shownWindows)
			return
		}
		var what []string
		for _, n := range []struct {
			rows int
			kind string
		}{{d.Missing, "missing"}, {d.Extra, "extra"}, {d.Different, "different"}} {
			if n.rows > 0 {
				what = append(what, fmt.Sprintf("%d %s", n.rows, n.kind))
			}
		}
		again := "final"
		if d.NextReadAt != nil {
			again = "to be read again " + d.NextReadAt.Format(time.DateTime)
		}
		c.printf("\n%s %s (UTC): %s%s; %s\n", dataset, stretch(d.Start, d.End), strings.Join(what, ", "), columnsText(d.Columns), again)
		shown := map[string]int{}
		for _, e := range d.Examples {
			if shown[e.Kind]++; shown[e.Kind] <= shownExamples {
				c.printf("  %s %s", e.Kind, e.Key)
				if len(e.Columns) > 0 {
					c.printf(" in %s", strings.Join(e.Columns, ", "))
				}
				c.printf("\n")
			}
		}
	}
}

// columnsText names the columns in which rows differ, those with most rows first.
func columnsText(columns map[string]int) string {
	if len(columns) == 0 {
		return ""
	}
	names := slices.SortedFunc(maps.Keys(columns), func(a, b string) int {
		return cmp.Or(cmp.Compare(columns[b], columns[a]), strings.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, columns[name])
	}
	return " (" + strings.Join(names, ", ") + ")"
}
