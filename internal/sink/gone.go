package sink

import (
	"time"

	"samespace-exporter/internal/schema"
)

// Stretch is the half-open stretch of time [From, To) in the type of a table's time field: instants, wall-clock times
// or days.
type Stretch struct{ From, To schema.Value }

// Standing is what a table has of a stretch of time, as far as it is not marked as deleted.
type Standing struct {
	// At is when that was looked up, by the database's clock.
	At   time.Time
	Rows []StandingRow // in no order
}

// StandingRow is a row that the table has.
type StandingRow struct {
	Time schema.Value // of its time field
	Gone bool         // none of the rows that are present has its key
}

// Sweep asks a commit to mark the rows that are gone from the source: those of the table whose time lies in one of
// the stretches, and whose key no row of the batch and none that is present has.
type Sweep struct {
	Within []Stretch
	// Present are rows beside the batch's that the source still has. Only the values of their key count.
	Present []Row
	// SeenAt is Standing.At of the look at the table that came before the last reading of the source. Rows that were
	// written later are left alone: whoever wrote them may have seen more than this reading.
	SeenAt time.Time
}
