package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"samespace-exporter/internal/app"
)

// runFlags are the flags of run.
type runFlags struct {
	once, backfill       bool
	from, to             string
	newestFirst, restart bool
	reports              []string
	lease                time.Duration
}

func (c *command) newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Export on a schedule, once, or a range again",
		Long: `Without --once or --backfill: the daemon. It exports every dataset on its schedule and serves
the status page, until SIGTERM or Ctrl-C; then what is being read is committed first. A second
signal ends it at once; nothing is lost by that either. SIGHUP reads the config again; the old
one goes on when the new one is wrong, and the log says why.

--once makes one pass over all that is due, then ends.

--backfill reads every window of a range, read before or not. Interrupted and started again with
the same range it goes on with what is left. It may run beside a daemon.`,
		Example: `  exporter run
  exporter run --once --report calls
  exporter run --backfill --from 2024-01-01 --to 2024-02-01 --report calls`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.run(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.once, "once", false, "make one pass over all due windows, then exit")
	flags.BoolVar(&f.backfill, "backfill", false, "read every window of a range, then exit")
	flags.StringVar(&f.from, "from", "", "start of the backfill: a date (midnight in the dataset's timezone) or a time with offset")
	flags.StringVar(&f.to, "to", "", "end of the backfill, itself left out (default: now minus the delay)")
	flags.BoolVar(&f.newestFirst, "newest-first", false, "backfill the latest windows first")
	flags.BoolVar(&f.restart, "restart", false, "begin the backfill anew, even if one of this range is unfinished")
	flags.StringArrayVar(&f.reports, "report", nil, "only this dataset (may be given several times)")
	flags.DurationVar(&f.lease, "lease", app.DefaultLeaseTTL, "how long the windows of a killed process stay unread")
	return cmd
}

func (c *command) run(ctx context.Context, f runFlags) error {
	backfill, err := f.check()
	if err != nil {
		return err
	}
	counters := app.NewCounters() // a process has one set, whatever its config
	open := func(ctx context.Context) (*app.App, error) {
		cfg, err := c.loadConfig()
		if err != nil {
			return nil, err
		}
		return c.newApp(ctx, cfg, app.Options{Logger: c.logger(cfg.Log), LeaseTTL: f.lease, Counters: counters})
	}
	if !f.once && !f.backfill {
		return c.daemon(ctx, open)
	}
	program, err := open(ctx)
	if err != nil {
		return err
	}
	defer program.Close()
	if f.backfill {
		return c.backfill(ctx, program, f.reports, backfill)
	}
	summaries, err := program.Once(ctx, f.reports)
	c.printSummaries(summaries, err)
	return err
}

// daemon exports on a schedule. SIGHUP has the config read again.
func (c *command) daemon(ctx context.Context, open func(context.Context) (*app.App, error)) error {
	reload := make(chan os.Signal, 1) // one that comes during a reload is kept: the config may have changed since
	signal.Notify(reload, syscall.SIGHUP)
	defer signal.Stop(reload)
	daemon := app.Daemon{Open: open, Reload: reload, Serving: func(address net.Addr) {
		if address != nil {
			_, _ = fmt.Fprintf(c.stderr, "exporter: status page at http://%s/\n", address)
		}
	}}
	return daemon.Run(ctx)
}

// check refuses flags that make no sense together, and reads the backfill's range.
func (f runFlags) check() (app.Range, error) {
	r := app.Range{NewestFirst: f.newestFirst, Restart: f.restart}
	var err error
	switch {
	case f.once && f.backfill:
		err = errors.New("--once and --backfill exclude each other")
	case !f.backfill && (f.from != "" || f.to != "" || f.newestFirst || f.restart):
		err = errors.New("--from, --to, --newest-first and --restart go with --backfill")
	case f.backfill && f.from == "":
		err = errors.New("--backfill needs --from, for example --from 2024-01-01")
	case !f.backfill && !f.once && len(f.reports) > 0:
		err = errors.New("--report goes with --once or --backfill; the daemon exports every dataset of the config")
	case f.lease < time.Second:
		err = errors.New("--lease must be at least 1s")
	}
	if err == nil && f.from != "" {
		r.From, err = parseMoment("--from", f.from)
	}
	if err == nil && f.to != "" {
		r.To, err = parseMoment("--to", f.to)
	}
	if err != nil {
		return r, &usageError{err}
	}
	return r, nil
}

func parseMoment(flag, text string) (app.Moment, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return app.Moment{Time: t, IsDate: true}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return app.Moment{Time: t}, nil
	}
	return app.Moment{}, fmt.Errorf("%s %q is neither a date such as 2024-01-31 nor a time such as 2024-01-31T10:00:00Z", flag, text)
}

func (c *command) backfill(ctx context.Context, program *app.App, reports []string, r app.Range) error {
	progress := newProgress(c.stderr)
	summaries, err := program.Backfill(ctx, reports, r, progress.show)
	progress.end()
	c.printSummaries(summaries, err)
	same := "the same command"
	if r.Restart {
		same += " without --restart"
	}
	if progress.begun() && app.ExitCode(err) == app.ExitUnreachable {
		err = fmt.Errorf("%w\nwhat was read is kept: %s goes on where this one stopped, and so does the daemon by itself", err, same)
	}
	return err
}
