package sink

import (
	"errors"
	"time"

	"samespace-exporter/internal/schema"
)

// ErrClockAhead says that rows are older than a dataset keeps them by the caller's clock, but not by the database's.
var ErrClockAhead = errors.New("no old rows are deleted: the clock of this machine is ahead of the database's; mend the clock")

// Retirement says from when on windows of a dataset are kept. Those that end by then are over: they are not read again.
type Retirement struct {
	Dataset string
	// ConfigHash is what the caller prepared the dataset with: ErrSuperseded when another process has prepared it with
	// another one since.
	ConfigHash string
	Before     time.Time     // a bound of windows
	Keep       time.Duration // how long rows are kept: by the database's clock, too, or else ErrClockAhead
	Now        time.Time     // the caller's clock
}

// Cut asks for the deletion of the next rows of a table that are from before a retirement.
type Cut struct {
	Retirement
	Table schema.Table
	// Time is Before in the type of the table's time field. Rows that have no time go by the window that they were put into.
	Time  schema.Value
	Limit int // rows at once; more only where they are of one instant
}

// Cutting is what became of a Cut.
type Cutting struct {
	Deleted int64
	Done    bool // no row from before is left
}

// Retained is the last deletion of old rows of a dataset. The zero Retained is none.
type Retained struct {
	Before time.Time // rows from before it were deleted
	Rows   int64
	At     time.Time // when it ended, by the database's clock
}
