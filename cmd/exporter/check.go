package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"samespace-exporter/internal/app"
)

func (c *command) newCheck() *cobra.Command {
	offline, contract := false, false
	cmd := c.jsonFlag(&cobra.Command{
		Use:   "check",
		Short: "Is the config right, do the API and the warehouse answer, do the mappings fit?",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if offline && contract {
				return &usageError{errors.New("--contract asks the API: leave out --offline")}
			}
			return c.withApp(cmd.Context(), func(ctx context.Context, program *app.App) error {
				return c.check(ctx, program, offline, contract)
			})
		},
	})
	cmd.Flags().BoolVar(&offline, "offline", false, "look at the config only")
	cmd.Flags().BoolVar(&contract, "contract", false, "also measure what the API's documentation leaves open: some twenty requests a report")
	return cmd
}

func (c *command) check(ctx context.Context, program *app.App, offline, contract bool) error {
	var findings []app.Finding
	wrong := 0
	tell := func(f app.Finding) {
		findings = append(findings, f)
		mark := "ok   "
		switch {
		case f.Warning:
			mark = "LOOK "
		case !f.OK:
			mark = "WRONG"
			wrong++
		}
		if !c.json {
			c.printf("%s  %s: %s\n", mark, f.Subject, strings.ReplaceAll(f.Text, "\n", "\n         "))
		}
	}
	err := program.Check(ctx, offline, tell)
	unmeasured := contract && err != nil
	if contract && err == nil {
		err = program.Measure(ctx, tell)
	}
	if c.json {
		err = errors.Join(err, c.printJSON(findings))
	}
	if err == nil {
		return nil
	}
	sum := &checkError{wrong: wrong, unmeasured: unmeasured, err: err}
	if app.ExitCode(err) == app.ExitFailed { // no window is at stake: what is wrong is to be mended in the config
		return &usageError{sum}
	}
	return sum
}

// checkError is what is wrong in sum: the findings have been printed already.
type checkError struct {
	wrong      int
	unmeasured bool // the contract, for what is wrong
	err        error
}

func (e *checkError) Error() string {
	text := "one thing is wrong, see above"
	if e.wrong != 1 {
		text = fmt.Sprintf("%d things are wrong, see above", e.wrong)
	}
	if e.unmeasured {
		text += "; the contract was not measured: mend that first"
	}
	return text
}

func (e *checkError) Unwrap() error { return e.err }
