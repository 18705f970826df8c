// Package migrations holds the exporter's own tables: the ledger, the runs, the rejects and the data
// dictionary, one folder for each kind of warehouse, as goose migrations. Only additive steps are added; a
// released file is never changed.
package migrations

import "embed"

// FS holds the folders postgres and sqlite.
//
//go:embed postgres/*.sql sqlite/*.sql
var FS embed.FS
