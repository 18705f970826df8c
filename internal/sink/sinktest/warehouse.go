// Package sinktest is the contract suite of the warehouses: every one of them must pass Exercise.
package sinktest

import (
	"context"
	"time"

	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Warehouse is the whole contract, gathered here so that one suite can hold every warehouse to it. The code
// that uses a warehouse declares the few methods that it needs.
//
// Every method may be called from several goroutines and, for one database, from several processes. Errors
// are *sink.UnavailableError when the warehouse cannot be reached or cannot write, sink.ErrLeaseLost where
// that is said, else they are permanent.
type Warehouse interface {
	// Migrate brings the exporter's own tables to the newest version. Safe when several processes start at once.
	Migrate(ctx context.Context) error
	// Prepare makes or widens the report table, keeps its comments and the data dictionary (exporter.fields)
	// current, and enters the dataset. Only additive DDL: else *schema.NarrowingError and nothing is changed.
	// When Dataset.Reread differs from what the dataset was last prepared with, NextReadAt of the windows
	// that were read to their end is worked out anew, so that a longer list makes final windows due again.
	Prepare(ctx context.Context, d sink.Dataset) (sink.Prepared, error)

	// Plan enters the windows that are missing from the ledger in within: it finds the stretches that no
	// window covers, has cut cut each, and enters the pieces as due, with NextReadAt = now. It returns how
	// many it entered. Calls for one dataset wait for each other.
	Plan(ctx context.Context, dataset string, within window.Window, now time.Time, cut func(window.Window) []window.Window) (int, error)
	// Claim leases the next span of due windows; ok is false when nothing is due.
	Claim(ctx context.Context, r sink.ClaimRequest) (l sink.Lease, ok bool, err error)
	// Renew lengthens the lease on those of its windows that are still running, to TTL from now.
	// ErrLeaseLost when any of the lease's windows has another epoch.
	Renew(ctx context.Context, l sink.Lease) error
	// Commit writes the batch: the fence first, then the rows that differ from what the table has, in key
	// order, the rejects, and the ledger, in one transaction. ErrLeaseLost when the lease was taken over:
	// then nothing was written.
	Commit(ctx context.Context, b sink.Batch) (sink.Counts, error)
	// Fail ends the lease on its windows that are still running: they are failed, with one more attempt.
	Fail(ctx context.Context, l sink.Lease, f sink.Failure) error
	// Release gives back the lease's windows that are still running as they were before the claim, due at once.
	Release(ctx context.Context, l sink.Lease) error

	// BeginBackfill starts or goes on with a backfill: a new run marks every window of the range (there must
	// be some: Plan comes first) as due now, whole; one that goes on marks nothing. The run's StartedAt says
	// since when windows count as read. Going on means: the latest backfill run of the dataset with the same
	// range (or the same start, where both are OpenEnded) has no Outcome "done".
	BeginBackfill(ctx context.Context, r sink.BackfillRequest) (run sink.Run, goesOn bool, err error)
	// Remaining is how far a backfill is.
	Remaining(ctx context.Context, run sink.Run) (sink.Remaining, error)

	// BeginRun enters a run and returns its ID.
	BeginRun(ctx context.Context, r sink.Run) (sink.RunID, error)
	// EndRun keeps when and how a run ended. Written and Unchanged are left as the commits made them.
	EndRun(ctx context.Context, r sink.Run) error

	// Status is what the warehouse knows of every dataset, in order of name.
	Status(ctx context.Context, now time.Time) ([]sink.DatasetStatus, error)
	// Check tries, without changing anything that stays, whether the warehouse can do all that an export
	// needs (connect, rights to create and write), and describes it in a line. The exporter's own tables
	// need not be there yet.
	Check(ctx context.Context) (string, error)
	Close()
}
