// Package postgres keeps the warehouse in PostgreSQL 15 or newer. It is the only importer of pgx.
//
// A commit is one transaction that reads, compares and writes: it locks the ledger rows of its windows, reads what the
// table has of the batch, and writes only what differs, always in key order. See Commit.
//
// Statements that never change are files in the folder sql. What the mapping shapes is built in render.go for an upsert,
// and else beside what sends it.
// All shapes are right on Citus too: the report tables may be distributed, the exporter's own tables are local.
// No state outlives a transaction in a session, so that PgBouncer may pool by transaction.
package postgres
