package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"

	"github.com/lmittmann/tint"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"samespace-exporter/internal/app"
	"samespace-exporter/internal/config"
)

// command is what every command has at hand.
type command struct {
	stdout, stderr io.Writer
	configPath     string
	json           bool
	verbose        bool
	begun          bool // set once the command line was understood
}

// newRoot is the whole command tree.
func (c *command) newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "exporter",
		Short: "Copies contact-centre reports from the Samespace Analytics API into a SQL warehouse",
		Long: `Copies contact-centre reports from the Samespace Analytics API into a SQL warehouse,
on a schedule, and keeps the copy right while the source keeps changing.

  exporter demo                see it work, with nothing to set up
  exporter check               is the config right, do the API and the warehouse answer?
  exporter run                 the daemon
  exporter run --once          one pass over all that is due
  exporter run --backfill --from 2024-01-01

Exit codes: 0 all done, 1 some windows failed or differ, 2 usage or config, 3 source or warehouse not reachable.`,
		Args:                       knownCommand,
		RunE:                       func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors:              true,
		SilenceUsage:               true,
		SuggestionsMinimumDistance: 2,
		PersistentPreRun:           func(*cobra.Command, []string) { c.begun = true },
	}
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.PersistentFlags().StringVarP(&c.configPath, "config", "c", defaultConfig(), "the config file (or EXPORTER_CONFIG)")
	root.PersistentFlags().BoolVarP(&c.verbose, "verbose", "v", false, "log more")
	root.AddCommand(
		c.newRun(), c.newCheck(), c.newDiscover(), c.newPlan(), c.newStatus(), c.newRejects(), c.newVerify(), c.newWhy(), c.newMigrate(), c.newDemo(), c.newSimulate(), c.newConfig(), c.newHealthcheck(), c.newVersion(),
	)
	return root
}

func defaultConfig() string {
	if path := os.Getenv("EXPORTER_CONFIG"); path != "" {
		return path
	}
	return "exporter.yaml"
}

// loadConfig reads the config; what is wrong with it is a mistake of usage.
func (c *command) loadConfig() (*config.Config, error) {
	cfg, err := config.Load(c.configPath)
	if err != nil {
		return nil, &usageError{err}
	}
	return cfg, nil
}

// knownCommand refuses whatever is left for the root: no command has that name.
func knownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if near := root.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("unknown command %q; did you mean %s", args[0], strings.Join(near, " or "))
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// noArgs refuses arguments; cobra's own words would be that of an unknown command.
func noArgs(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%q is one word too many", args[0])
	}
	return nil
}

// GOGC where the environment has none. Rows and pages lie in memory that is used again, so that there is little garbage, and
// collecting often costs little and saves a tenth of the memory. SQLite's driver leaves more: half as often saves a tenth of
// the time there.
const (
	gcPercent       = 30
	gcPercentSQLite = 60
)

// collectGarbage sets how often garbage is collected.
func collectGarbage(w config.Warehouse) {
	percent := gcPercent
	if _, ok := w.SQLitePath(); ok {
		percent = gcPercentSQLite
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// newApp makes the program of a config. What it cannot be made of is a mistake in the config.
func (c *command) newApp(ctx context.Context, cfg *config.Config, o app.Options) (*app.App, error) {
	collectGarbage(cfg.Warehouse)
	o.Version = version()
	program, err := app.New(ctx, cfg, o)
	if err != nil && app.ExitCode(err) == app.ExitFailed {
		err = &usageError{err}
	}
	return program, err
}

// jsonFlag adds --json to a reading command.
func (c *command) jsonFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().BoolVar(&c.json, "json", false, "print JSON")
	return cmd
}

// logger writes to stderr: text on a terminal, else JSON, unless the config says which.
func (c *command) logger(log config.Log) *slog.Logger {
	level := log.Level
	if c.verbose {
		level = slog.LevelDebug
	}
	if log.Format == "text" || log.Format == "auto" && isTerminal(c.stderr) {
		return slog.New(tint.NewTextHandler(c.stderr, &tint.Options{Level: level, NoColor: !isTerminal(c.stderr)}))
	}
	return slog.New(slog.NewJSONHandler(c.stderr, &slog.HandlerOptions{Level: level}))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
