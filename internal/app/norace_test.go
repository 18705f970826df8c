//go:build !race

package app_test

// sample is of how many steps a kill is tried at one. See race_test.go.
const sample = 1
