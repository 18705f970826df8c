//go:build !race

package source

const spoil = false
