// Package sinktest is the contract suite of the warehouses: every one of them must pass Exercise.
//
// Names of the exporter's own columns are a contract too, since people query them:
//
//	datasets  name, kind, table_name, config_hash, problem, problem_reason, problem_since, form, and as of the end of the
//	          run that ended last: through (null again once Prepare has made all due), last_run, last_run_at
//	through   (a view) dataset, through: as of now
//	windows   dataset, start_at, end_at, state, rows, reads, attempts, error, read_at, read_to, next_read_at,
//	          lease_owner, lease_until, epoch, older_form
//	runs      id, dataset, kind, started_at, ended_at, windows, rows_read, written, unchanged, rejected, deleted, outcome,
//	          fetch_ms, wait_ms, decode_ms, compare_ms, commit_ms (see sink.Spent)
//	rejects   dataset, window_start, window_end, raw, field, reason, first_seen, last_seen, attempts
//	alarms    dataset, alarm, since
//	fields    dataset, table_name, column_name, metric_id, title, type, promoted
//	limits    dataset, kind, works, refused, met, until
//	arrivals  dataset, month, bucket, rows, largest_s (see sink.Lags)
//	retentions dataset, before_at, rows, started_at, ended_at
//	contracts dataset, measured_at, terms
//	budgets   endpoint, next_slot_at, rate, lowered
//	reconciliations  dataset, insight, window_start, window_end, warehouse_value, api_value, difference, share, state,
//	          checked_at, read_at, insight_read_at, rereads, marked_at, again_at, definition (see sink.Reconciled)
package sinktest

import (
	"context"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/sink"
	"samespace-exporter/internal/window"
)

// Warehouse is the whole contract, gathered here so that one suite can hold every warehouse to it. The code
// that uses a warehouse declares the few methods that it needs.
//
// Every method may be called from several goroutines and, for one database, from several processes. Errors
// are *sink.UnavailableError when the warehouse cannot be reached or cannot write, *sink.UnpreparedError when a report
// table was altered since it was prepared, sink.ErrLeaseLost where that is said, else they are permanent. Times that come back are in UTC.
//
// What Plan, Claim, EndRun and Status cost does not grow with the number of final windows, nor what Plan and Claim cost
// with the number of due ones.
type Warehouse interface {
	// Migrate brings the exporter's own tables to the newest version. Safe when several processes start at once.
	Migrate(ctx context.Context) error
	// Prepare makes or widens the report table, keeps its comments and the data dictionary (exporter.fields)
	// current, and enters the dataset. Only additive DDL: else *schema.NarrowingError and nothing is changed.
	// When Dataset.Reread differs from what the dataset was last prepared with, NextReadAt of the windows
	// that were read to their end is worked out anew, so that a longer list makes final windows due again: those
	// whose state is read or final, which they then become anew.
	//
	// Tables of Dataset.FurtherTables are made and widened in the same way; one that was not there counts as the report table.
	//
	// When Dataset.Outgrows the form that it was last prepared with, windows that were read, as a whole or in part, are
	// final: they end where reading did, and nothing but BeginBackfill makes them due again until the table is a new one.
	//
	// When the dataset had another table before, the ledger's windows of the dataset are as if never read and due
	// whatever the time, and their leases are lost. When the table was not there, those of every dataset of that
	// table are.
	//
	// When Dataset.ConfigHash, the table's name or Dataset.Reread differs from what the dataset was last prepared
	// with, its open leases are void, so that nobody writes by the older config: windows that are running are due
	// at once, as after Release, and whoever held them gets sink.ErrLeaseLost.
	//
	// Where the table has a history, the table of it is made and widened in the same way, and so is what people query: see
	// Harness.AsOf. Their names are those of the report table with schema.HistorySuffix, VersionsSuffix and, where the
	// dialect has functions, AsOfSuffix. A history that was not there does not count as the report table.
	//
	// A column whose metric id or type is not what the dataset was last prepared with is unpromoted, unless the table was
	// made just now: until a promotion of it is done.
	Prepare(ctx context.Context, d sink.Dataset) (sink.Prepared, error)
	// Promote takes the next Limit rows, in the order of the key, that have an id of Columns in _extra, those that are marked
	// as deleted included, and writes those that change: the columns, _extra and _exported_at, nothing else. A row
	// whose _extra was changed meanwhile stays as it is: a commit has written it by the newer mapping. One transaction for
	// the writing. sink.ErrSuperseded as Claim.
	Promote(ctx context.Context, p sink.Promotion) (sink.Promoted, error)

	// Plan enters the windows that are missing from the ledger in within: it finds the stretches that no
	// window covers, has cut cut each, and enters the pieces as due, with NextReadAt = now. It returns how
	// many it entered. Calls for one dataset wait for each other. The dataset must have been prepared.
	//
	// In the same transaction it mends what a clock that was ahead left behind: windows of the dataset, wherever
	// they are, whose ReadAt or ReadTo is later than now + sink.ClockDrift, and which no unexpired lease is on, are
	// due again as if never read: State due, ReadAt and ReadTo zero, NextReadAt = now, Attempts 0, Error "". They do
	// not count in what it returns. What is due, failed or unstable, but by NextReadAt not before now + sink.ClockDrift +
	// sink.LongestRetry, was put off by such a clock, too: NextReadAt = now, the rest as it is.
	Plan(ctx context.Context, dataset string, within window.Window, now time.Time, cut func(window.Window) []window.Window) (int, error)
	// Claim leases the next span of due windows; ok is false when nothing is due. The span begins with the
	// window that is first in the request's order, whatever the class of those that follow it; the windows
	// that Fit is told of as near include candidates that were read before. sink.ErrSuperseded, whether or not
	// something is due, when the request has a ConfigHash that is not the one the dataset was last prepared with.
	Claim(ctx context.Context, r sink.ClaimRequest) (l sink.Lease, ok bool, err error)
	// Renew lengthens the lease on those of its windows that are still running, to TTL from now.
	// ErrLeaseLost when any of the lease's windows has another epoch.
	Renew(ctx context.Context, l sink.Lease) error
	// Held is how much longer the first of the leases lasts that keep windows from being claimed which are due by now and
	// edge, less than nothing when it has ended; ok is false when nothing that is due is under a lease.
	Held(ctx context.Context, dataset string, now, edge time.Time) (left time.Duration, ok bool, err error)
	// Commit writes the batch: the fence first, then the rows that differ from what the table has, in key
	// order, the rejects, and the ledger, in one transaction. ErrLeaseLost when any of the windows that
	// it has readings of has another epoch: then nothing was written. A lease that has ended but was not taken over still commits. The
	// same batch may be committed again, when the answer to the first time was lost: the ledger's rows of
	// windows that are no longer running stay as they are.
	//
	// A window of which a part was read (running) stays under its lease: its Rows are set when the reading's are
	// more than zero or its ReadTo is set, so that they are right if the process dies before the next part.
	//
	// Good reads (read, final) set ReadAt, count in Reads, and clear Attempts and Error. Unstable ones count in
	// Attempts and leave ReadAt and Reads. ReadTo never moves back. When a backfill marked the window after
	// Reading.ReadAt (then, and only then, a running window's NextReadAt is after it), the mark stands: the
	// window is due at the mark's time whatever the reading says, and its ReadTo is forgotten unless that is
	// its end.
	//
	// A row is unchanged when its mapped values and _extra are what the table has and it is not marked as
	// deleted. Its _window_start does not count, since for rows without a time it is that of the span they were
	// read in: it is written with the row when the row is written for another reason. A table without a key is
	// appended to.
	//
	// Rows of Batch.FurtherRows are upserted into their tables in the same transaction, and count as the others.
	//
	// With Batch.Arrivals the rows that the table did not have are counted there, and added to what is kept of the dataset in
	// exporter.arrivals, in the same transaction.
	//
	// Rejects of a dataset with the same Raw are one: it has the stretch, field and reason of the last time. Rejects
	// of the dataset that lie wholly in Batch.Range and are not among Batch.Rejects are forgotten; those that reach
	// out of it stay, since their rows may lie where nothing was read.
	//
	// Where the table has a history, a version of a row that gives way to another is copied into the table that
	// schema.HistoryTable says, in the same transaction, by whatever writes rows: Commit, its Sweep, RetryRejects, Promote. What
	// is valid now is in the report table alone, whose _exported_at is always later than that of the version before, and
	// where that one's _valid_to says that it ended. Commits that may change rows of such a table take turns.
	//
	// With a Sweep the commit marks rows as deleted (_deleted_at, and _exported_at: it is another version) that the
	// table has in the stretches, by their time field, and whose key neither the batch nor Sweep.Present has. Rows
	// without a time, rows that are marked already, and rows that were written after Sweep.SeenAt are left alone. Only
	// for a table that marks deleted rows and has a key and a time field.
	//
	// A row that is written has no mark any more, and one that has a mark is not unchanged. The marks that a table has count
	// for whatever reads or writes its rows, also where the batch's Table does not say MarksDeleted any more.
	Commit(ctx context.Context, b sink.Batch) (sink.Counts, error)
	// CommitsAtOnce reports whether commits to different rows of a table go on at once; else each waits for the one before.
	CommitsAtOnce(t schema.Table) bool
	// Standing is what the table has of a stretch of time and is not marked as deleted, and which of it is gone: has
	// none of the keys of the rows that are present. It changes nothing.
	Standing(ctx context.Context, t schema.Table, within sink.Stretch, present []sink.Row) (sink.Standing, error)
	// Fail ends the lease on its windows that are still running: they are failed, with one more attempt.
	Fail(ctx context.Context, l sink.Lease, f sink.Failure) error
	// Release gives back the lease's windows that are still running as they were before the claim, due at
	// once; what Commit kept as Rows and ReadTo in between stays. The state of one that was taken over while
	// running is due.
	Release(ctx context.Context, l sink.Lease) error

	// Rejects is a page of the quarantine of a dataset; empty when there is no more. sink.ErrNotMigrated before Migrate.
	Rejects(ctx context.Context, r sink.RejectsRequest) ([]sink.Quarantined, error)
	// RetryRejects writes the rows of rejects that fit now, and lets these rejects go; the others stay, with one more
	// attempt and the new reason. LastSeen stays: it says when the API sent the row. One transaction, in which nothing
	// else of the dataset is claimed or committed; leases stay as they are. sink.ErrSuperseded as Claim.
	//
	// Nothing is written over a newer version of a row. A reject that is not there any more was forgotten by a commit
	// that read all it may lie in: its row is not written. Where the table has a version of the row that was written when
	// the reject was seen last, or later, the reject goes and its row is not written; since the API may have sent it after
	// all, the window of the row is then due again at Retry.Now, whole, as if a backfill had marked it. Of several
	// rejects with one key the one that was seen last counts. The ledger's Rows are left alone: they are of a reading.
	RetryRejects(ctx context.Context, r sink.Retry) (sink.Retried, error)

	// Entries are as Windows. sink.ErrSuperseded when the dataset was never prepared, or with another config than the
	// given one.
	Entries(ctx context.Context, dataset, config string, within window.Window) ([]sink.Entry, error)
	// StoredIn are the rows that the table has of a stretch of time, by their time field, which the table must have;
	// StoredByKey those that have one of the keys. Rows that are marked as deleted say so. In no order.
	StoredIn(ctx context.Context, t schema.Table, within sink.Stretch) ([]sink.StoredRow, error)
	StoredByKey(ctx context.Context, t schema.Table, keys []schema.Row) ([]sink.StoredRow, error)
	// MarkDue makes the windows that hold the given instants due, as a backfill does: see BeginBackfill. sink.ErrSuperseded
	// as Claim.
	MarkDue(ctx context.Context, m sink.Mark) error

	// Measure evaluates an expression over each stretch, as a plain decimal; the sum of nothing, NULL, is 0. It cannot write,
	// whatever the expression says. *sink.ExpressionError when no number comes of it: of a mistake, of a text or an infinite
	// number, of one for each row, or of one that takes longer than the time it has.
	Measure(ctx context.Context, m sink.Measurement) ([]string, error)
	// StoredByWindow are the rows of the table whose _window_start lies in a stretch of time, in no order.
	StoredByWindow(ctx context.Context, t schema.Table, within window.Window) ([]sink.StoredRow, error)
	// Reconciled are the windows that were compared and overlap r.Within, in order of time.
	Reconciled(ctx context.Context, r sink.ReconciledRequest) ([]sink.Reconciled, error)
	// Reconcile shows change what the request names, keeps those that it returns, in the place of what was kept of their
	// windows, and leaves the others. change is a pure function: it may run several times, and the last time counts. Of
	// several calls for one window that was kept before, each sees what the one before it kept; where AgainBy is set, a
	// window that another call holds is left out.
	Reconcile(ctx context.Context, r sink.ReconciledRequest, change func([]sink.Reconciled) []sink.Reconciled) error
	// ForgetReconciled forgets what was compared of a dataset with other insights than these.
	ForgetReconciled(ctx context.Context, dataset string, insights []string) error
	// Rereads counts the windows of a definition that were read again since they differed.
	Rereads(ctx context.Context, dataset, insight, definition string) (sink.Rereads, error)
	// Drifts is how each dataset and insight compare of which a window was, in order of names; the earliest window is one
	// that stands, if there is one. What it costs does not grow with the number of windows that agree.
	// sink.ErrNotMigrated before Migrate.
	Drifts(ctx context.Context) ([]sink.Drift, error)

	// BeginBackfill starts or goes on with a backfill: a new run marks every window of the range (there must
	// be some: Plan comes first) as due now, whole; one that goes on marks only those that have lost the mark: State
	// read or final, not due now, and ReadAt before the run's StartedAt. The run's StartedAt says
	// since when windows count as read: it is Now. To mark is to set the state to due (a leased window stays
	// running), NextReadAt to Now and Attempts to 0, and to forget ReadTo where it is not the window's end. A
	// window is of the range when it overlaps it: one of an older, larger grid is read whole.
	//
	// *sink.OlderFormError, and nothing is marked, while the table has rows (by _window_start) of windows of the range that
	// Prepare ended since the dataset outgrew their form. Once they are deleted these windows are as any other.
	//
	// Going on means: the latest backfill run of the dataset with the same range (or the same start, where both
	// are OpenEnded) has no Outcome "done".
	BeginBackfill(ctx context.Context, r sink.BackfillRequest) (run sink.Run, goesOn bool, err error)
	// Remaining is how far a backfill is.
	Remaining(ctx context.Context, run sink.Run) (sink.Remaining, error)
	// Unfinished are the backfills that are not done and have windows left which begin before now: of each range the latest, in
	// order of dataset and range. They may be under way, interrupted, or dead. It costs as much as there are open windows and kept
	// runs. sink.ErrNotMigrated before Migrate.
	Unfinished(ctx context.Context, now time.Time) ([]sink.Unfinished, error)

	// Retire ends the windows of a dataset that end by Before and that no unexpired lease is on: those that had a NextReadAt
	// have none any more, are final, and count as read to their end at Now. It forgets the rejects whose stretch ends by
	// Before, and of the windows that begin before it what was compared and does not agree. It returns how many windows it ended.
	// sink.ErrSuperseded as Claim; sink.ErrClockAhead when Before is less than Keep ago by the database's clock, but for
	// sink.ClockDrift: then nothing is changed.
	Retire(ctx context.Context, r sink.Retirement) (windows int, err error)
	// Cut deletes the next Limit rows of a table whose time is before Cut.Time, or that have none (or the table has none) and
	// whose _window_start is before Before, or before the window of the ledger that reaches over it, the oldest first, whether or not they are marked as deleted. It adds to what is
	// kept of the deletion (exporter.retentions), in the same transaction, in which nothing else of the dataset is claimed or
	// committed. Errors as Retire.
	Cut(ctx context.Context, c sink.Cut) (sink.Cutting, error)

	// BeginRun enters a run and returns its ID.
	BeginRun(ctx context.Context, r sink.Run) (sink.RunID, error)
	// EndRun keeps when and how a run ended. Written and Unchanged are left as the commits made them. Behind that it
	// forgets the dataset's runs that began longer than sink.KeepRuns before EndedAt, but for its last sink.LastRuns and
	// its backfills, a bounded number each time; and the months of its arrivals that began longer than sink.KeepArrivals ago.
	// Deletions of old rows are kept as long as runs, the last one for good.
	EndRun(ctx context.Context, r sink.Run) error

	// Condition is what KeepTrouble, KeepLimit and KeepContract kept of a dataset; the zero Condition of one that is not known.
	Condition(ctx context.Context, dataset string) (sink.Condition, error)
	// KeepTrouble keeps what keeps a dataset from being read. While the problem is the same, so is the time since which
	// there has been one. A dataset that is not known has none.
	KeepTrouble(ctx context.Context, dataset string, t sink.Trouble) error
	// KeepLimit keeps a limit in the place of the one of that kind, or forgets it when l is zero.
	KeepLimit(ctx context.Context, dataset string, kind sink.LimitKind, l sink.Limit) error

	// KeepContract keeps what now makes of what was kept before, the zero Contract at first. Terms are JSON, and come back as
	// they were. The dataset need not have been prepared; Condition tells of its contract once it is. sink.ErrNotMigrated
	// before Migrate. now may run several times, and the last time counts.
	KeepContract(ctx context.Context, dataset string, now func(before sink.Contract) (sink.Contract, error)) error

	// TakeSlots shows take the slots of an endpoint, with the database's time, and keeps what it returns. Calls for one
	// endpoint wait for each other. take is a pure function: it may run several times, and the last time counts.
	TakeSlots(ctx context.Context, endpoint string, take func(now time.Time, s sink.Slots) sink.Slots) error

	// Status is what the warehouse knows of every dataset, in order of name. Through is where the unbroken run
	// of complete windows that begins with the ledger's first one ends, or the ReadTo of the partly read
	// window that follows it; the view through says the same. Running counts unexpired leases. Before Migrate it
	// is sink.ErrNotMigrated.
	Status(ctx context.Context, now time.Time) ([]sink.DatasetStatus, error)
	// Preview says what Prepare would do to a table of a dataset, or *schema.NarrowingError, and does nothing. The exporter's own
	// tables need not be there yet. Prepared.ConfigChanged is not set.
	Preview(ctx context.Context, dataset string, table schema.Table) (sink.Prepared, error)
	// Windows are the ledger's windows of a dataset that overlap within, in order of time. Before Migrate it is
	// sink.ErrNotMigrated.
	Windows(ctx context.Context, dataset string, within window.Window) ([]sink.Entry, error)

	// RaiseAlarm enters an alarm, and reports whether it was not there: of all processes that raise it, one is told
	// so, until it is lowered. The dataset need not have been prepared.
	RaiseAlarm(ctx context.Context, dataset string, alarm sink.Alarm, now time.Time) (bool, error)
	// LowerAlarm removes an alarm, and reports whether it was there.
	LowerAlarm(ctx context.Context, dataset string, alarm sink.Alarm) (bool, error)

	// Check tries, without changing anything that stays, whether the warehouse can do all that an export
	// needs (connect, rights to create and write), and describes it in a line. The exporter's own tables
	// need not be there yet.
	Check(ctx context.Context) (string, error)
	Close()
}
