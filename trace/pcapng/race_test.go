//go:build race

package pcapng_test

// underRace: the tests were built with -race, under which all is some ten times slower. Those that read much read less then.
const underRace = true
