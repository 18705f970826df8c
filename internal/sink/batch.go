package sink

import (
	"maps"
	"slices"
	"time"

	"samespace-exporter/internal/schema"
	"samespace-exporter/internal/window"
)

// Batch is the rows of a span, mapped, ready to commit.
type Batch struct {
	Lease    Lease
	Table    schema.Table
	Write    Write
	Rows     []Row // keyed tables: any order, keys may repeat (the last version counts)
	Rejects  []Reject
	Readings []Reading
	// Promote makes of a row that an older mapping wrote what this one makes of it: such a row is not appended again. Its
	// own columns stay as they are. nil: rows are compared as they are.
	Promote Promote
	// Lane is whose commits these are. What it wrote itself does not overtake it. nil: of nobody.
	Lane *Lane
	// Range is the stretch of time that was read. The dataset's rejects whose stretch lies wholly in it are
	// replaced by Rejects.
	Range window.Window
	// Run is the run whose counters (windows, rows read, written, unchanged, rejected, deleted) the commit adds to.
	// Zero: no run is kept.
	Run RunID
	// Compared, when set, is what the time of reading and comparing what the table has is added to.
	Compared *time.Duration
	// Arrivals, when set, is where the rows are counted that are new in the table, and the commit adds them to what the
	// ledger keeps of when rows arrive. Only for a table that CountsArrivals. nil: nothing is counted.
	Arrivals *Arrivals
	// RowsRead is how many rows the API sent for this batch, for the run's counter.
	RowsRead int64
	// Sweep marks rows that are gone. nil: none is. Only for a table with MarksDeleted, a key and a time field.
	Sweep *Sweep
	// FurtherRows are rows of further tables, each with a key: they are upserted by it, in this order.
	FurtherRows []TableRows
}

// Starts is when the windows start that the batch has readings of: those that its commit must still hold.
func (b Batch) Starts() []time.Time {
	starts := make([]time.Time, len(b.Readings))
	for i, r := range b.Readings {
		starts[i] = r.Start
	}
	return starts
}

// DistinctRejects are the batch's rejects by their fingerprints, and these in order, never nil. A row that came twice is one.
func (b Batch) DistinctRejects() (fingerprints []string, by map[string]Reject) {
	by = make(map[string]Reject, len(b.Rejects))
	for _, r := range b.Rejects {
		by[Fingerprint(r.Raw)] = r
	}
	fingerprints = slices.AppendSeq(make([]string, 0, len(by)), maps.Keys(by)) // nil would be NULL, which forgets no reject
	slices.Sort(fingerprints)
	return fingerprints, by
}

// Done is how many windows the batch ends the lease on.
func (b Batch) Done() (n int) {
	for _, r := range b.Readings {
		if r.State != StateRunning {
			n++
		}
	}
	return n
}

// TableRows are rows of a table.
type TableRows struct {
	Table schema.Table
	Rows  []Row // as Batch.Rows
}

// Counts says what a commit did.
type Counts struct {
	Inserted  int64
	Updated   int64
	Unchanged int64
	Duplicate int64 // rows of the batch whose key came again later in the batch
	Deleted   int64 // rows of the table that were marked as deleted
	Removed   int64 // rows of the table that gave way to those of the batch, where it replaces
}

// Plus is both together.
func (c Counts) Plus(other Counts) Counts {
	return Counts{
		Inserted: c.Inserted + other.Inserted, Updated: c.Updated + other.Updated, Unchanged: c.Unchanged + other.Unchanged,
		Duplicate: c.Duplicate + other.Duplicate, Deleted: c.Deleted + other.Deleted, Removed: c.Removed + other.Removed,
	}
}
