// Package schema turns raw JSON rows, keyed by metric ids, into typed rows of a named table, exactly or not
// at all; and it works out which additive changes make a table that is there into the table that the mapping
// wants. It knows no SQL dialect and does no input or output.
package schema
