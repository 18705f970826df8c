package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"samespace-exporter/internal/app"
)

func (c *command) newCheck() *cobra.Command {
	offline := false
	cmd := c.jsonFlag(&cobra.Command{
		Use:   "check",
		Short: "Is the config right, do the API and the warehouse answer, do the mappings fit?",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withApp(cmd.Context(), func(ctx context.Context, program *app.App) error {
				return c.check(ctx, program, offline)
			})
		},
	})
	cmd.Flags().BoolVar(&offline, "offline", false, "look at the config only")
	return cmd
}

func (c *command) check(ctx context.Context, program *app.App, offline bool) error {
	var findings []app.Finding
	err := program.Check(ctx, offline, func(f app.Finding) {
		findings = append(findings, f)
		if !c.json {
			mark := "ok   "
			if !f.OK {
				mark = "WRONG"
			}
			c.printf("%s  %s: %s\n", mark, f.Subject, f.Text)
		}
	})
	if c.json {
		err = errors.Join(err, c.printJSON(findings))
	}
	if err != nil {
		return &checkError{err}
	}
	return nil
}

// checkError is what is wrong in sum: the findings have been printed already.
type checkError struct{ err error }

func (e *checkError) Error() string {
	wrong := 1
	var joined interface{ Unwrap() []error }
	if errors.As(e.err, &joined) {
		wrong = len(joined.Unwrap())
	}
	if wrong == 1 {
		return "one thing is wrong, see above"
	}
	return fmt.Sprintf("%d things are wrong, see above", wrong)
}

func (e *checkError) Unwrap() error { return e.err }
