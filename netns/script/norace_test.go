//go:build !race

package script

// UnderRace: see race_test.go.
const UnderRace = false
