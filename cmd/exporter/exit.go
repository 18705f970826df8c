package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"samespace-exporter/internal/app"
)

// usageError is a command line that makes no sense.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }

func (e *usageError) Unwrap() error { return e.err }

// exitCode is what the process ends with after err.
func exitCode(err error) int {
	var usage *usageError
	if errors.As(err, &usage) {
		return app.ExitUsage
	}
	return app.ExitCode(err)
}

// printError prints one message, its further lines indented under the first.
func printError(w io.Writer, err error) {
	text := strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "\n  ")
	_, _ = fmt.Fprintln(w, "exporter:", text)
}
