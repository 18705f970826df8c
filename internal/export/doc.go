// Package export keeps one dataset of the warehouse right: it is the package to read first.
//
// A pass (pass.go) plans the windows that are missing from the ledger, claims what is due span by span, reads
// each span (read.go), maps it (batch.go) and commits rows and ledger together, while the next span is being
// read. A backfill (backfill.go) is the same pass over a range that was marked as due. How many windows make
// a span follows from the rows that the ledger has seen (density.go); how a lease is kept is in lease.go.
package export
