// Command bench measures how fast reports get into a warehouse, beside the limits of the same machine: the same rows by
// psql's \copy, by binary COPY, by a plain program as people write it, and an HTTP client that throws the pages away.
// See docs/performance.md. It needs the programs initdb, postgres, psql and sqlite3, and a build of the exporter.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// settings are what a person chooses.
type settings struct {
	rows     int
	rounds   int
	groups   string // names, by comma
	exporter string // path of the program under test
	profiles string // directory for CPU profiles of the warehouse's load; "" for none
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) > 0 && args[0] == "serve" {
		return serve(ctx, args[1:], out)
	}
	if len(args) > 0 && args[0] == "daemon" {
		return daemon(ctx, args[1:], out)
	}
	var s settings
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.IntVar(&s.rows, "rows", 1_000_000, "how many rows")
	flags.IntVar(&s.rounds, "rounds", 5, "how often each figure is taken")
	flags.StringVar(&s.groups, "groups", strings.Join(groupNames(), ","), "what to measure; copy is always")
	flags.StringVar(&s.exporter, "exporter", "bin/exporter", "the exporter's program")
	flags.StringVar(&s.profiles, "profiles", "", "write CPU profiles of the warehouse's load into this directory")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return measureAll(ctx, s, out)
}

// measureAll takes every figure once in each round, so that all of a round share the state that the machine is in.
func measureAll(ctx context.Context, s settings, out io.Writer) error {
	groups, err := chosen(s.groups)
	if err != nil {
		return err
	}
	w, err := openWorkshop(ctx, s)
	if err != nil {
		return err
	}
	defer w.close()
	results := newResults(s.rows)
	for round := range s.rounds {
		for _, g := range groups {
			if err := w.clear(ctx); err != nil {
				return err
			}
			for _, f := range g.figures {
				fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, s.rounds, f.name)
				sample, err := w.take(ctx, f)
				if err != nil {
					return fmt.Errorf("%s: %w", f.name, err)
				}
				results.add(f, sample)
			}
		}
	}
	return results.print(out)
}
