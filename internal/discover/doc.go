// Package discover proposes a mapping for a report of which nothing is known but some of its rows: a name and a
// type for each metric id, the key, the time field, and which ids are copies of others, each with the evidence.
//
// The API has no schema. What a proposal says was seen in the sample, and no more: it names how many rows that
// were, and how sure each guess is.
package discover
