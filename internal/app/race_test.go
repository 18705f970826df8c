//go:build race

package app_test

// sample is of how many steps the race detector tries a kill at one, which costs it two processes of seconds: the run
// without it tries all.
const sample = 8
