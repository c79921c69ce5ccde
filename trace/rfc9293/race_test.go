//go:build race

package rfc9293_test

// underRace: the race detector makes everything ten times slower.
const underRace = true
