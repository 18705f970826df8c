//go:build race

package source

// spoil has texts spoilt when they are released: what was kept of one shows.
const spoil = true
