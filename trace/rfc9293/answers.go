package rfc9293

import (
	"fmt"

	"connectlab/trace"
)

// An Answer is what a connection or a listener did about something that it met, held against the rule that RFC 9293 has for it.
type Answer struct {
	// N is the event that it met, the root of a step: an Arrived, a Call or a Timer.
	N    int
	Host string
	// Socket is the number of the socket that met it; 0: no socket of the host did, or none that can be told.
	Socket int
	// State is the state before it. CLOSED where there is no connection and no listener either.
	State trace.State
	// Rule is a row of the table, which all answers share: it is not to be changed.
	Rule    *Rule
	Keeping Keeping
	// By is the N of the event that decided: the segment or the change of state by which the rule is kept or broken. 0: that nothing
	// came decided, or nothing was decided.
	By int

	why string
}

// String tells of the answer in a line, for a test or a log: what is shown to people comes from the catalogue, by Rule.Key.
func (a *Answer) String() string {
	s := fmt.Sprintf("event %d: socket %d of %s, %v: %v %q (Section %s)", a.N, a.Socket, a.Host, a.State, a.Keeping, a.Rule.ID, a.Rule.Section)
	if a.By != 0 {
		s += fmt.Sprintf(" by event %d", a.By)
	}
	if a.why != "" {
		s += ": " + a.why
	}
	return s
}

// Keeping says what became of a rule.
type Keeping uint8

// What can become of a rule.
const (
	// NotObservable: the trace does not show it. It ends before, its host is gone, or what would be sent waits for a MAC.
	NotObservable Keeping = iota
	// Keeps: what RFC 9293 says was done.
	Keeps
	// Breaks: something else was done, or nothing, and RFC 9293 does not permit it.
	Breaks
	// Open: RFC 9293 leaves it to the stack (MAY), advises otherwise (SHOULD), or permits a variant that was taken.
	Open
)

var keepingNames = [...]string{"not-observable", "keeps", "breaks", "open"}

// String prints "not-observable", "keeps", "breaks" or "open".
func (k Keeping) String() string {
	if int(k) < len(keepingNames) {
		return keepingNames[k]
	}
	return fmt.Sprintf("Keeping(%d)", uint8(k))
}

// Answers holds each thing that a connection or a listener of a trace met against what RFC 9293, Section 3.10, says of it, in the
// order of the events. One event can have several answers, as an ACK of a SYN that carries data, or none: what no rule speaks of, and what
// cannot be told from the trace to be one thing or the other.
//
// Where the record has control information, RCV.NXT and RCV.WND are taken from there; else they are what was shown to the peer, and what
// lies between the two readings has no answer. An answer that may wait (MUST-40) is looked for until it must be there.
//
// A trace that was made from a capture has no answers: when its segments reached the host, and what the host was asked to do, is not in it.
func Answers(t *trace.Trace) []Answer {
	if t.Header.Capture {
		return nil
	}
	return standard.answers(t)
}
