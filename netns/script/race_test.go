//go:build race

package script

// UnderRace: the tests were built with -race, under which all is some ten times slower. The tests that repeat do it less often then.
const UnderRace = true
