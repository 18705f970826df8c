//go:build race

package export_test

// scale is by how much the largest tests are made smaller: the race detector makes them ten times as slow, and
// what they count does not depend on the size.
const scale = 10

// sample is of how many cases the race detector tries one, and of two warehouses one (onEach): the run without it tries all.
const sample = 10
