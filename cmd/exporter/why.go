package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"samespace-exporter/internal/app"
)

func (c *command) newWhy() *cobra.Command {
	return c.jsonFlag(&cobra.Command{
		Use:   "why REPORT KEY...",
		Short: "Tell a row's life: when each version was seen, and what changed",
		Long: `Tells of a row of the warehouse when each version of it was written, what changed from what to what, by
which run, and whether it is gone from the API. The key's values are given in the order of key in the config,
as the table has them; -- before them lets them begin with a dash. Without history: true in the config only
the version that the table has is known. It asks the warehouse only.

Exit code 1: there is no such row.`,
		Example: `  exporter why calls 672c1f0a9d3e4b0012ab34cd
  exporter why agent_sessions agent-7 2025-01-31T09:00:00Z --json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return errors.New("why needs a report and the key of a row, for example: exporter why calls 672c1f0a9d3e4b0012ab34cd")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withApp(cmd.Context(), func(ctx context.Context, program *app.App) error {
				life, err := program.Why(ctx, args[0], args[1:])
				switch {
				case err != nil:
					return err
				case c.json:
					return c.printJSON(life)
				}
				c.printLife(life)
				return nil
			})
		},
	})
}

// printLife prints a row's versions, the oldest first.
func (c *command) printLife(life app.Life) {
	var key []string
	for _, part := range life.Key {
		key = append(key, part.Column+" = "+valueText(part.Value))
	}
	c.printf("%s, row with %s in table %s\n", life.Dataset, strings.Join(key, ", "), life.Table)
	for i, v := range life.Versions {
		c.printf("\n%s UTC  %s (window of %s)\n", v.From.Format(time.DateTime), headline(life, i), v.WindowStart.Format(time.DateTime))
		if v.Cause == "" {
			c.printColumns(v)
			continue
		}
		for _, change := range v.Changes {
			c.printf("  %s: %s -> %s\n", change.Column, valueText(change.Before), valueText(change.After))
		}
	}
	switch last := life.Versions[len(life.Versions)-1]; {
	case last.To != nil:
		c.printf("\n%s UTC  changed again; the table does not have the row any more: somebody else took it away\n", last.To.Format(time.DateTime))
	case last.Deleted:
		c.printf("\nthe API has it no more\n")
	default:
		c.printf("\nvalid now\n")
	}
	if !life.History {
		c.printf("only what the table has is known: history: true in %s keeps what rows were before, from then on\n", life.Dataset)
	}
}

// headline says how a version came to be.
func headline(life app.Life, i int) string {
	v := life.Versions[i]
	by := ""
	if v.Run != 0 {
		by = fmt.Sprintf(" by run %d", v.Run)
	}
	back := i > 0 && life.Versions[i-1].Deleted && !v.Deleted
	switch {
	case v.Cause == "" && !life.History && v.Deleted:
		return "marked as deleted"
	case v.Cause == "" && !life.History:
		return "written"
	case v.Cause == "" && i == 0:
		return "first version that is known"
	case v.Cause == "":
		return "written while no history was kept"
	case v.Cause == "gone":
		return "marked as deleted" + by
	case v.Cause == "promotion":
		return "filled from _extra"
	case v.Cause == "retry":
		return "written by a retry of rejects"
	case back:
		return "returned" + by
	}
	return "changed" + by
}

func (c *command) printColumns(v app.Version) {
	for _, name := range v.Columns {
		c.printf("  %s: %s\n", name, valueText(v.Row[name]))
	}
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// valueText is a value for people: texts that could be taken for something else are in quotes.
func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case json.RawMessage:
		return string(v)
	case string:
		if v == "" || v == "null" || strings.ContainsFunc(v, unprintable) || strings.TrimSpace(v) != v {
			return fmt.Sprintf("%q", v)
		}
	}
	return fmt.Sprint(v)
}
