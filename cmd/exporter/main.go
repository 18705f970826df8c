// Command exporter copies contact-centre reports out of the Samespace Analytics API into a SQL warehouse, and
// keeps the copy right.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // a container or a bare machine may have no zone files

	"samespace-exporter/internal/app"
)

func main() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		<-signals
		signal.Stop(signals) // before the work hears of it and drains: a second signal ends the process at once
		cancel()
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr)) // no os.Exit and no log.Fatal below this line
}

// run is the program: its exit code is that of the command contract.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	c := &command{stdout: stdout, stderr: stderr}
	root := c.newRoot()
	root.SetArgs(args)
	chosen, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return app.ExitDone
	case !c.begun: // the command line was not understood
		err = &usageError{fmt.Errorf("%w; see %s --help", err, chosen.CommandPath())}
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		err = errors.New("interrupted")
	}
	printError(stderr, err)
	return exitCode(err)
}
