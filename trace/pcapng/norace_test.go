//go:build !race

package pcapng_test

// underRace: see race_test.go.
const underRace = false
