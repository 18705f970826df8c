// Package simulator acts the documented Samespace Analytics API as an http.Handler, for tests, for trying
// configurations and for the demo.
//
// What the documentation shows is answered as documented: a query is validated against the schema made from
// the three documented operations, and the documented payloads get the documented responses. What it does
// not show is invented here, in the plainest way, and can be changed by faults: the start of a range is
// inclusive and its end exclusive, rows are ordered by id where no sort is asked for, a relative time range
// ends at the next full minute, the server has no largest page.
//
// # Rows
//
// Rows are computed from a seed and never kept. Time is cut into buckets of a minute; a hash of seed, report
// and bucket gives the number of rows, which follows working hours, and a hash of bucket and place gives each
// row. So any range of time can be served at once, by any number of simulators, always the same.
//
// A row's id is an ObjectId whose first four bytes date its arrival: minutes after it ended for most, one to
// four hours for some. It is served once the clock has reached its arrival. One row in eight is restated: its
// restated metrics change at one or two moments up to four days after its start.
//
// Insert, Remove and Change alter single rows beside the computed ones. Truth tells what there is to read,
// whatever faults are scripted.
package simulator
