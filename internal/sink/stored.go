package sink

import "time"

// StoredRow is a row as the report table has it.
type StoredRow struct {
	Row
	ExportedAt time.Time // when this version of it was written, or it was marked, by the database's clock
	Deleted    bool      // it is marked as deleted
}

// Mark asks for windows to be read again.
type Mark struct {
	Dataset string
	// ConfigHash is what the caller prepared the dataset with: ErrSuperseded when another process has prepared it with
	// another one since.
	ConfigHash string
	Holding    []time.Time // the windows that hold these instants
	Now        time.Time   // the caller's clock: they are due from then on
}
