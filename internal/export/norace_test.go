//go:build !race

package export_test

// scale is by how much the largest tests are made smaller. See race_test.go.
const scale = 1

// sample is of how many cases one is tried. See race_test.go.
const sample = 1
