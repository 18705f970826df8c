// Package export keeps one dataset of the warehouse right: it is the package to read first.
//
// A pass (pass.go) plans the windows that are missing from the ledger and works on what is due, in one lane or several
// (lanes.go): it claims it span by span, reads each (read.go) in parts (part.go), puts the rows into their windows
// (batch.go) and commits them with the ledger (settle.go), while the next part is being read. A backfill (backfill.go) is the same pass over a range that was marked as due. How many windows make
// a span follows from the rows that the ledger has seen (density.go); how a lease is kept is in lease.go.
package export
