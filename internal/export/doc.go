// Package export keeps one dataset of the warehouse right: it is the package to read first.
//
// The story of a pass, in the order to read it: export.go (an Exporter, and what it needs of others), pass.go (plan, then span
// after span of what is due, then what follows), claim.go (a span is leased), lanes.go (in one lane or several), read.go (it is
// read, in halves where it must be), part.go and taking.go (a part of it is read and mapped), end.go (where the part is to end),
// batch.go (rows get their windows), handover.go (from reading to settling), settle.go and totals.go (commit, and the lease's end).
//
// Beside it: dataset.go and timefield.go (what a configuration makes of time), density.go and efforts.go (how long spans are, and
// how many lanes pay), lease.go, contest.go (who overtakes whom), snapshot.go and dashboard.go (datasets without windows), memory.go.
//
// Rows that are gone: gone.go, look.go. What is learned of the API: server.go, limits.go, contract.go, knowledge.go, order.go, trouble.go.
// Passes of another kind: backfill.go with progress.go, verify.go with compare.go, quarantine.go. What follows a pass: reconcile.go with pending.go,
// drift.go and decimal.go, promote.go, retention.go. For people: forecast.go, life.go, arrival.go.
package export
