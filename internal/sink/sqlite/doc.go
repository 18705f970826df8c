// Package sqlite keeps the warehouse in a SQLite file: the embedded default, with nothing to install. It is
// the only importer of the SQLite driver.
//
// # One writer
//
// The file is in WAL mode: BI tools read a snapshot while the exporter writes. SQLite has one writer at a
// time, so every write here is one BEGIN IMMEDIATE transaction on one connection; other processes wait for it.
// The write lock is what holds a lease's fence in place until the commit.
//
// # How values are stored
//
// Times are ISO 8601 text of one width, in UTC and with a Z for timestamptz, so that text order is time order.
// Booleans are 0 and 1. JSON is canonical text.
//
// SQLite has no decimals. A numeric is stored as INTEGER or REAL when that is exactly the same number, so
// that sums and comparisons work as people expect. Where it is not (more digits than a double has), it is
// stored as a BLOB of its decimal text: a NUMERIC column leaves a BLOB alone, where it would turn text into a
// REAL and lose digits. SUM and CAST(x AS REAL) read the BLOB as a number; CAST(x AS TEXT) shows it exactly;
// a comparison holds it larger than any number.
package sqlite
