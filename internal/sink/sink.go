// Package sink is the vocabulary of the warehouse: what is asked of one, and what it answers. The warehouses
// themselves are the packages postgres and sqlite; both pass the contract suite in sinktest.
//
// A warehouse holds the report tables and the ledger: one row per dataset and window, which says what has
// been read and when it is to be read next. What is due follows from the ledger alone.
//
// # Due
//
// A window is due, for a caller whose clock says Now and who reads up to Edge (Now minus the configured
// delay), when no unexpired lease is on it, NextReadAt is set and not after Now, its Start is before Edge,
// and one of these holds: it was never read (ReadTo zero), it was read to its end (ReadTo >= End: a
// re-read), or it is partly read and there is more to read (min(End, Edge) > ReadTo).
//
// # Leases
//
// A lease is a replica's right to work on the windows of a span. It lives in the ledger rows: owner, an
// end by the database's clock, and an epoch, which each claim takes anew from the dataset's counter. Each
// later write names the epoch and changes nothing when the row has another one (ErrLeaseLost).
package sink

import (
	"errors"
	"fmt"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/window"
)

// ErrLeaseLost says that another replica took the span over. Nothing of the refused write happened; the
// holder must stop working on the span. It is no failure of the span.
var ErrLeaseLost = errors.New("lease lost: another replica took the span over")

// ErrSuperseded says that the dataset was prepared with another config since the caller prepared it: what the caller
// would read is no longer what the table and the ledger are to hold. It is no failure of the dataset.
var ErrSuperseded = errors.New("another process has prepared this dataset with another config: restart this one with the newer config")

// ErrBeingPrepared says that another process has been preparing the table for long: it builds an index, or widens a column
// of a large table. It comes with an UnavailableError, but is no trouble of the warehouse's.
var ErrBeingPrepared = errors.New("another process is preparing the same table")

// ErrNotMigrated says that the exporter's own tables are not there yet.
var ErrNotMigrated = errors.New("the exporter's own tables are not there yet: its first run makes them, or exporter migrate")

// UnavailableError says that the warehouse cannot be reached or cannot write now (down, starting, full
// disk). The same call may succeed later. Nothing of it happened, or all of it, where only the answer to its commit
// was lost: so a commit may be repeated.
type UnavailableError struct {
	Hint string // what the operator can do
	Err  error  // free of secrets
}

func (e *UnavailableError) Error() string {
	return fmt.Sprintf("warehouse not available: %v (%s)", e.Err, e.Hint)
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// UnpreparedError says that a report table is not, or not any more, what Prepare made of it: it is not there, or lacks a column
// or its type. To prepare the dataset again mends that.
type UnpreparedError struct{ Err error }

func (e *UnpreparedError) Error() string { return e.Err.Error() }

func (e *UnpreparedError) Unwrap() error { return e.Err }

// What is kept of old runs.
const (
	KeepRuns = 90 * 24 * time.Hour // by when a run began
	LastRuns = 100                 // of each dataset, however old; and every backfill
)

// Bounds of what the end of a run tidies up.
const (
	ForgetRuns    = 200     // runs that are looked at
	SettleWindows = 100_000 // windows that are counted for good
)

// ClockDrift is how far the clocks of replicas may lie apart. What the ledger says was read later than this after
// now was written by a clock that was wrong: see Plan in sinktest.
const ClockDrift = 5 * time.Minute

// LongestRetry is the longest that a window which was not read may rest until it is tried again.
const LongestRetry = time.Hour

// Kind is what a dataset is in the API.
type Kind string

// The kinds of dataset.
const (
	KindReport    Kind = "report"
	KindInsight   Kind = "insight"
	KindDashboard Kind = "dashboard"
)

// Dataset is what a warehouse needs to know of a dataset before rows of it can be committed.
type Dataset struct {
	Name       string
	Kind       Kind
	Table      schema.Table
	ConfigHash string
	Reread     window.Reread
	// FurtherTables are further tables of the dataset, each with a key. The data dictionary does not have them.
	FurtherTables []schema.Table
	// Form is that of rows which are appended by windows. nil: rows are told apart by key, or take the place of others.
	Form *schema.Form
}

// Outgrows reports whether the rows that were appended before cannot be compared with those of the dataset's form. before is
// the form that it was last prepared with ("": none was known), changed whether by another config.
func (d Dataset) Outgrows(before string, changed bool) bool {
	switch {
	case d.Form == nil:
		return before != "" // to replace windows would delete what was appended to them from others
	case before == "":
		return changed
	}
	return !d.Form.Continues(before)
}

// FormText is the form for the ledger; "" where the dataset has none.
func (d Dataset) FormText() string {
	if d.Form == nil {
		return ""
	}
	return d.Form.String()
}

// Prepared says what Prepare did.
type Prepared struct {
	Changes []string // the statements that ran, one each; empty when the table was as it should be
	// Created is set when the report table was not there, or one beside it. The ledger's windows of every dataset of that table, if
	// any, were then all made due again in the same transaction: what they say of an older table is no longer so.
	Created bool
	// ConfigChanged is set when the dataset was last prepared with another ConfigHash. What was read before stays as
	// it was read: only a backfill brings it in line with the new config.
	ConfigChanged bool
	// Outgrown is how many windows had been read whose rows cannot be compared with those of the dataset's form any more. To
	// read them again would append their rows once more: they became final in the same transaction.
	Outgrown int64
	// Unpromoted are the columns whose metric id the rows of the table may have in _extra, from before the mapping named
	// it; see Promotion. A table without a key has none.
	Unpromoted []string
	// Renamed are columns of which older rows have the values in another one.
	Renamed []Renamed
}

// OlderFormError says that windows of a backfill have rows of an older form in the table: to read them again would append them
// once more. Nothing was marked.
type OlderFormError struct {
	Table  string        // as SQL names it
	Within window.Window // the windows whose rows are in the way
}

func (e *OlderFormError) Error() string {
	const layout = "2006-01-02T15:04:05.000000Z"
	return fmt.Sprintf("these windows were appended by another mapping, and to read them again would add each row once more; delete their rows first, then run the backfill again: DELETE FROM %s WHERE %s >= '%s' AND %s < '%s'",
		e.Table, schema.WindowStartColumn, e.Within.Start.UTC().Format(layout), schema.WindowStartColumn, e.Within.End.UTC().Format(layout))
}

// State is what the ledger says of a window.
type State string

// The states of a window.
const (
	StateDue      State = "due"      // to be read: never read, or asked for again
	StateRunning  State = "running"  // leased by a replica
	StateRead     State = "read"     // read; to be read again, or still open
	StateFinal    State = "final"    // read for the last time
	StateFailed   State = "failed"   // the last read failed; it stays due, later
	StateUnstable State = "unstable" // rows moved during every read; what was seen is committed, it stays due
)

// Entry is one window's row of the ledger.
type Entry struct {
	Window     window.Window
	State      State
	Rows       int64     // rows of the window at its last reading
	Reads      int       // times it was read to ReadTo
	Attempts   int       // failed or unstable reads since the last good one
	Error      string    // of the last failed read
	ReadAt     time.Time // when the last good read began; zero: never
	ReadTo     time.Time // up to where the window has been read; zero: never. Data before it is complete
	NextReadAt time.Time // when it is to be read next; zero: never again (final)
}

// Complete reports whether the window was read to its end at least once.
func (e Entry) Complete() bool { return !e.ReadTo.IsZero() && !e.ReadTo.Before(e.Window.End) }

// Order is the order in which due windows are claimed.
type Order int

// The orders of claiming.
const (
	// LiveFirst is that of a pass: windows that are partly read or reach to Edge, then re-reads, then windows
	// never read; the oldest first within each.
	LiveFirst Order = iota
	OldestFirst
	NewestFirst
	// LongestDueFirst is by when windows became due: none of them waits for good.
	LongestDueFirst
)

// ClaimRequest asks for a lease on the next span of due windows of a dataset.
type ClaimRequest struct {
	Dataset string
	Within  window.Window // only windows that overlap it; the zero Window: all
	Now     time.Time     // the caller's clock: see Due
	Edge    time.Time     // nothing at or after it is read
	Order   Order
	MaxSpan time.Duration // longest span; a single window may be longer
	Owner   string        // who claims: unique for each process
	TTL     time.Duration // the lease ends so long after the claim, by the database's clock
	// ConfigHash, when set, is what the caller prepared the dataset with: ErrSuperseded when another process has
	// prepared it with another one since.
	ConfigHash string
	// ReadBefore, when set, leaves out windows whose last good read began at or after it: a backfill does not
	// read a window twice.
	ReadBefore time.Time
	// Fit says how many of the candidates to claim, counted from the first: at least 1. The candidates are
	// adjacent due windows in order of time (for NewestFirst: Fit counts from the last). near are the
	// windows within Nearby of the candidates that have been read to their end, in order of time. Fit may
	// run again, where a claim is tried again: the last call counts. nil claims all.
	Fit func(candidates, near []Entry) int
}

// Lease is a claimed span.
type Lease struct {
	Dataset string
	Owner   string
	Epoch   int64
	Entries []Entry // as they were before the claim, adjacent, in order of time; at least one
	TTL     time.Duration
	// ClaimedAt is when it was claimed, by the database's clock: what is read under it is newer than all that was written
	// before. Zero: not known, so that nothing overtakes its batches.
	ClaimedAt time.Time
}

// Span is the stretch of time of the lease's windows.
func (l Lease) Span() window.Window { return SpanOf(l.Entries) }

// SpanOf is the stretch of time of windows in order of time, of which there is at least one.
func SpanOf(entries []Entry) window.Window {
	return window.Window{Start: entries[0].Window.Start, End: entries[len(entries)-1].Window.End}
}

// Row is a mapped row and the window that it falls in.
type Row struct {
	schema.Row
	WindowStart time.Time
}

// Reject is a row that could not be mapped. [WindowStart, WindowEnd) is the stretch of time that it is known to lie in:
// the second of its own time where that is known, else all that was read. Both must be set.
type Reject struct {
	WindowStart time.Time
	WindowEnd   time.Time
	Raw         string // the row's JSON as the API sent it
	Field       string // path of the value at fault: a column's name, or a metric id
	Reason      string
}

// Reading is what a commit says of one window of its lease.
type Reading struct {
	Start time.Time // of the window: the ledger's key
	// State is StateRead, StateFinal or StateUnstable when the window is done, which ends the lease on it; or
	// StateRunning when only a part of it has been read: the lease stays, and only Rows and ReadTo are kept.
	State      State
	Rows       int64     // with StateRunning: so far; zero leaves the ledger's as they are unless ReadTo is set
	ReadAt     time.Time // when this read began
	ReadTo     time.Time // zero: leave as it is
	NextReadAt time.Time // zero: never
	Error      string    // why it is unstable; else ""
}

// Write is how the rows of a batch get into the table.
type Write int

// The ways to write. All but Upsert are for tables without a key, and compare rows by their content: the mapped
// values and _extra. However often a batch is committed, the table is the same after it.
const (
	// Upsert is by key. Without a key the rows are added, whatever is there.
	Upsert Write = iota
	// Append adds what the rows' windows (by _window_start) do not have yet: as many rows of one content as the batch
	// has, those that are there counted. Nothing is changed or taken away.
	Append
	// ReplaceWindows makes the rows of the windows of the batch's readings those of the batch. A window whose rows
	// are the same is not written.
	ReplaceWindows
	// ReplaceTable makes the rows of the table those of the batch. Where they are the same nothing is written.
	ReplaceTable
)

// Failure says why the windows of a lease were not read.
type Failure struct {
	Error      string // free of secrets
	NextReadAt time.Time
}

// RunID names a run; zero is none.
type RunID int64

// RunKind is why a run was made.
type RunKind string

// The kinds of run.
const (
	RunScheduled RunKind = "scheduled"
	RunOnce      RunKind = "once"
	RunBackfill  RunKind = "backfill"
)

// Run is one pass over what is due of a dataset.
type Run struct {
	ID        RunID
	Dataset   string
	Kind      RunKind
	StartedAt time.Time // by the exporter's clock
	EndedAt   time.Time // zero: not ended, or the process died
	// Range is what a backfill covers; zero for other kinds. OpenEnded is set when no end was named.
	Range     window.Window
	OpenEnded bool
	Windows   int64
	RowsRead  int64
	Written   int64
	Unchanged int64
	Rejected  int64
	Deleted   int64  // rows that were marked as deleted
	Outcome   string // "", "done", "failed" or "interrupted"
	// Spent is where the time went; the warehouse keeps whole milliseconds.
	Spent Spent
}

// Spent is where time went. Much of it is spent at once, so that the sum may be more than the time that passed.
type Spent struct {
	Fetch   time.Duration // from sending requests to the last bytes of their replies, summed up over requests
	Wait    time.Duration // of requests for the rate limit and for a place among those in flight, summed up
	Decode  time.Duration // making typed rows
	Compare time.Duration // reading and comparing what the table had, within commits
	Commit  time.Duration // commits, without comparing
}

// Add adds what was spent besides.
func (s *Spent) Add(more Spent) {
	s.Fetch += more.Fetch
	s.Wait += more.Wait
	s.Decode += more.Decode
	s.Compare += more.Compare
	s.Commit += more.Commit
}

// SpentOf is what milliseconds say, in the order of Spent's fields.
func SpentOf(ms [5]int64) Spent {
	of := func(i int) time.Duration { return time.Duration(ms[i]) * time.Millisecond }
	return Spent{Fetch: of(0), Wait: of(1), Decode: of(2), Compare: of(3), Commit: of(4)}
}

// BackfillRequest asks for a backfill.
type BackfillRequest struct {
	Dataset   string
	Range     window.Window // on the grid's bounds
	OpenEnded bool          // no end was named: the last unfinished one with the same start and no end goes on
	Restart   bool          // begin anew, even if one is unfinished
	Now       time.Time
}

// Remaining is how far a backfill is.
type Remaining struct {
	Total  int64 // windows that overlap the range
	Left   int64 // of them, not read since the backfill began
	Failed int64 // of those left, windows whose last read failed or was unstable
	Leased int64 // of those left, windows that a replica is working on
}

// Unfinished is a backfill that has windows left.
type Unfinished struct {
	Dataset   string
	Range     window.Window
	StartedAt time.Time
	Left      int64 // windows that have begun and were not read since; they are due
}

// DatasetStatus is what the warehouse knows of a dataset.
type DatasetStatus struct {
	Name    string
	Kind    Kind
	Table   string
	Through time.Time // data before it is complete; zero: nothing is
	Rows    int64     // rows of all windows at their last reading
	Windows int64
	Due     int64 // windows that a claim with Now = Edge = the call's now would find, those under lease included
	Running int64
	Lapsed  int64  // windows whose lease has run out: who held it was killed, or is cut off from the warehouse
	Failed  int64  // failed or unstable
	Error   string // of the earliest failed or unstable window
	Rejects int64
	Behind  int64 // windows that had ended by the call's now and are not read to their end
	// ReadTo is up to where the latest of the windows that were read, of the 8 days before the call's now, was read: what is
	// new is there up to then, though older windows may be unread. Zero: none of them was.
	ReadTo  time.Time
	LastRun Run // zero ID: none yet
	// Lags are the arrival lags of the rows that were made in the source in the month of the call's now and the one before.
	Lags     Lags
	Retained Retained
	Condition
}

// StatusOf is that of a dataset; nil where there is none.
func StatusOf(all []DatasetStatus, dataset string) *DatasetStatus {
	for i := range all {
		if all[i].Name == dataset {
			return &all[i]
		}
	}
	return nil
}
