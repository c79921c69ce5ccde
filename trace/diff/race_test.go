//go:build race

package diff_test

// underRace: the tests were built with -race, under which all is some ten times slower. Those that judge much judge less then.
const underRace = true
