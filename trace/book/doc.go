// Package book judges the statements that a network textbook makes about connect() on finished traces. The statements
// are told in our words, with stable ids: A1 to A8 say what connecting means, B1 to B21 what a header and a socket
// hold, C1 to C13 what connect() really does.
//
//	for _, f := range book.Judge(t) {
//		fmt.Println(f.Statement.ID, f.Verdict, f.Evidence)
//	}
//
// The ideas in order. A trace is indexed once: its calls, its segments with the two ends that they run between, what
// each socket holds at a moment (record.go). A Statement is judged by one function of that index, which gives a Finding:
// a verdict, what was expected, what was seen, and the evidence, which are the numbers of the events that the verdict
// rests on: without them it would be another. A Joiner makes one Result a statement out of the
// findings on several traces, by the statement's scope.
//
// No judge knows any stack by its name, and none reads a story's text or an observer's note: what the header says of a
// stack's abilities decides only whether something could have been seen. A judge that cannot look says NotObservable. Which run
// tells the normal course is not read out of a name, either: who runs the stories says so (Judged.Plain).
//
// # Limits
//
// What is said beside a verdict is a key of a catalogue with arguments (Text): package view makes sentences of it.
package book
