package app

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"samespace-exporter/internal/export"
	"samespace-exporter/internal/sink"
)

// reason is why a pass failed.
func reason(s export.Summary, err error) error {
	return errors.Join(passError(s, err), s.Err())
}

// passError is why a pass failed besides its spans, said once: one that ended over a span joins that span's error, and a warehouse
// that is gone fails all that is written after.
func passError(s export.Summary, err error) error {
	var reasons []error
	gone := false
	for _, one := range parts(err) {
		if slices.ContainsFunc(s.Failed, func(f export.SpanError) bool { return errors.Is(one, f.Err) }) {
			continue
		}
		var unavailable *sink.UnavailableError
		if errors.As(one, &unavailable) {
			if gone {
				continue
			}
			gone = true
		}
		reasons = append(reasons, one)
	}
	return errors.Join(reasons...)
}

// parts are the errors that were joined, in their order.
func parts(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error }) //nolint:errorlint // only what is joined at the top is taken apart
	if !ok {
		return []error{err}
	}
	var all []error
	for _, one := range joined.Unwrap() {
		all = append(all, parts(one)...)
	}
	return all
}

// together joins why datasets failed, under their names. What is the same for several is said once.
func together(chosen []*export.Exporter, reasons []error) error {
	var all []error
	said := map[string]bool{}
	for i, err := range reasons {
		if err == nil || said[err.Error()] {
			continue
		}
		said[err.Error()] = true
		var names []string
		for j, other := range reasons {
			if other != nil && other.Error() == err.Error() {
				names = append(names, chosen[j].Dataset.Name)
			}
		}
		all = append(all, fmt.Errorf("%s: %w", strings.Join(names, ", "), reasons[i]))
	}
	return errors.Join(all...)
}
