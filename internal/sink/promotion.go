package sink

import "samespace-exporter/internal/schema"

// Promotion asks for the next batch of rows, some of which may have ids in _extra that the mapping names by now.
type Promotion struct {
	Dataset string
	// ConfigHash is what the caller prepared the dataset with: ErrSuperseded when another process has prepared it with
	// another one since.
	ConfigHash string
	Table      schema.Table
	// Columns are those to fill: of Prepared.Unpromoted.
	Columns []string
	Behind  schema.Row // the row that the batch before ended with; the zero Row: from the first one on
	Limit   int        // how many rows of the table, in the order of the key, whatever they have in _extra
	// Promote may be called again for a row, when a batch is tried again.
	Promote Promote
}

// Promote moves values of a row from its Extra to columns, and no others. changed is false for a row that is to stay as it
// is, misfits are values that must stay in Extra.
type Promote func(row schema.Row, columns []string) (promoted schema.Row, changed bool, misfits []*schema.RejectError)

// Promoted is what became of a batch of a promotion.
type Promoted struct {
	Written int64                 // rows
	Misfits []*schema.RejectError // of the rows of the batch
	// Last is the row that the batch ended with, for the next one.
	Last schema.Row
	// Done is set when no row is left: the columns are promoted then, and not among Prepared.Unpromoted any more.
	Done bool
}
