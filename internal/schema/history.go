package schema

import "slices"

// What a history's name is behind that of its table, and that of what shows all versions, those that the table has
// included.
const (
	HistorySuffix  = "_history"
	VersionsSuffix = "_versions"
	AsOfSuffix     = "_as_of"
)

// Names of the columns that a history has beside those of its table.
const (
	ValidFromColumn = "_valid_from" // timestamptz: when this version was written; the same as its _exported_at
	ValidToColumn   = "_valid_to"   // timestamptz, not null: when another version took its place
	ChangedColumn   = "_changed"    // json: a list of the columns that the next version has otherwise
	CauseColumn     = "_cause"      // text: what made the next version
	RunColumn       = "_run_id"     // integer: the run that made the next version; null where none did
)

// HistoryTable is where the versions of a table's rows are kept that gave way to others: a row as it was, from when to
// when, and what took its place. Nothing in it is ever changed. The version that is valid now is in the table alone.
func (t Table) HistoryTable() Table {
	return Table{
		Name: t.Name + HistorySuffix, Comment: "Rows of " + t.Name + " as they were before they changed",
		Key: append(slices.Clone(t.Key), ValidToColumn), TimeField: ValidToColumn, MarksDeleted: t.MarksDeleted,
		Columns: append(slices.Clone(t.Columns),
			Column{Name: ValidFromColumn, Type: Timestamptz, Title: "When this version of the row was written"},
			Column{Name: ValidToColumn, Type: Timestamptz, Title: "When another version took its place"},
			Column{Name: ChangedColumn, Type: JSON, Title: "Columns that the next version has otherwise"},
			Column{Name: CauseColumn, Type: Text, Title: "What made the next version: read, gone, retry or promotion"},
			Column{Name: RunColumn, Type: Integer, Title: "The run that made the next version"},
		),
	}
}
