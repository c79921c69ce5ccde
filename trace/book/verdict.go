package book

import "fmt"

// A Verdict is what the experiment says of a statement.
type Verdict uint8

// The verdicts. The zero value is NotExercised.
const (
	// NotExercised: the trace never came to the point of which the statement speaks.
	NotExercised Verdict = iota
	// NotObservable: it came to the point, and the trace does not let us look.
	NotObservable
	// Holds: it is as the statement says.
	Holds
	// Refined: it is true in the book's sense, and a real stack does more, or does it elsewhere.
	Refined
	// Contradicted: it is otherwise.
	Contradicted
)

var verdictNames = [...]string{"not-exercised", "not-observable", "holds", "refined", "contradicted"}

// String prints the verdict as JSON has it: "not-exercised".
func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// Verdicts returns all verdicts, those that decide nothing first.
func Verdicts() []Verdict {
	return []Verdict{NotExercised, NotObservable, Holds, Refined, Contradicted}
}

// Decides reports whether the experiment came to the point and could look.
func (v Verdict) Decides() bool { return v >= Holds }

// Scope says how the findings on several traces join.
type Scope uint8

// The scopes.
const (
	// Course: the statement tells the normal course of a connect. The plain run decides (Judged.Plain), or the first that came to
	// the point if it did not; where another story is otherwise, holds becomes refined.
	Course Scope = iota
	// Every: the statement speaks of every segment, socket or run. One counterexample contradicts it.
	Every
)

var scopeNames = [...]string{"course", "every"}

// String prints "course" or "every".
func (s Scope) String() string {
	if int(s) < len(scopeNames) {
		return scopeNames[s]
	}
	return fmt.Sprintf("Scope(%d)", uint8(s))
}
