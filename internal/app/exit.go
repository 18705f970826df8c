package app

import (
	"errors"
	"net"
	"time"

	"samespace-exporter/internal/config"
	"samespace-exporter/internal/export"
	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/source"
	"samespace-exporter/internal/status"
)

// The exit codes of the command contract.
const (
	ExitDone        = 0
	ExitFailed      = 1 // some windows were not read
	ExitUsage       = 2 // usage or config
	ExitUnreachable = 3 // source or warehouse not reachable, or it refuses the key
)

// ExitCode is what a command ends with after err.
func ExitCode(err error) int {
	var (
		malformed   config.Errors
		unknown     *UnknownDatasetError
		backwards   *export.RangeError
		tooOld      *export.RetentionError
		olderForm   *sink.OlderFormError
		dashboard   *source.UnknownDashboardError
		mapping     *schema.MappingError
		narrowing   *schema.NarrowingError
		key         *schema.KeyError
		unavailable *sink.UnavailableError
		request     *source.Error
		address     *net.OpError
	)
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &malformed), errors.As(err, &unknown), errors.As(err, &mapping), errors.As(err, &narrowing), errors.As(err, &key),
		errors.As(err, &backwards), errors.As(err, &tooOld), errors.As(err, &olderForm), errors.As(err, &dashboard):
		return ExitUsage
	case errors.As(err, &address) && address.Op == "listen":
		return ExitUsage // http.listen
	case errors.As(err, &unavailable):
		return ExitUnreachable
	case errors.As(err, &request) && unreachable(request):
		return ExitUnreachable
	}
	return ExitFailed
}

// unreachable reports whether it is the API that is at fault, rather than what it was asked for.
func unreachable(e *source.Error) bool {
	switch e.Class {
	case source.Refused, source.Malformed, source.TooHeavy, source.Errored:
		return false
	}
	return true
}

// What a command handles of the packages below.
type (
	Summary       = export.Summary
	Remaining     = sink.Remaining
	Report        = status.Report
	Reconciled    = status.Reconciled
	Work          = export.Work
	DatasetStatus = status.Dataset
	Heeded        = export.Heeded
)

// Span is a length of time as the config has it, in its two largest units.
func Span(d time.Duration) string { return status.Span(d) }
