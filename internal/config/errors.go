package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one mistake in a file. It never shows what a ${...} stands for.
type Error struct {
	File   string
	Line   int // from 1
	Column int // from 1
	Path   string
	// Message says what is wrong, and after a semicolon what would be right.
	Message string
}

// Error is "file:line:column: path: message".
func (e Error) Error() string {
	where := fmt.Sprintf("%s:%d:%d: ", e.File, e.Line, e.Column)
	if e.Path != "" {
		where += e.Path + ": "
	}
	return where + e.Message
}

// Errors are all mistakes of a file, in the file's order. Load and Parse return it.
type Errors []Error

// Error is one line for each mistake.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted is the errors by position, each once: a mistake in the defaults shows up for every report.
func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	seen := make(map[Error]bool, len(e))
	return slices.DeleteFunc(e, func(one Error) bool {
		again := seen[one]
		seen[one] = true
		return again
	})
}
