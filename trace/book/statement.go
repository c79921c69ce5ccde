package book

import (
	"slices"

	"connectlab/trace"
)

// A Statement is one thing that the book says.
type Statement struct {
	ID    string // "C8": stable
	Scope Scope
	// Text is the statement in one line, in our words; English. The catalogue has it in other languages.
	Text string
	// Source is where RFC 9293, or another, rules on it: "RFC 9293, Section 3.5".
	Source string
	// WireDecides says that packets are all that is needed to judge it, as a capture has them. Of a capture that lacks some of them,
	// it is not observable what they would tell.
	WireDecides bool

	judge    func(*record) Finding
	expected Text // what it lets expect, unless judge says otherwise
}

// statements are the book's, in its order.
var statements = slices.Concat(sectionA, sectionB, sectionB2, sectionC)

func init() {
	for _, s := range statements {
		s.expected = say("book." + s.ID + ".expected")
	}
}

// Statements are the book's statements, in its order. The slice is the caller's, the statements are not to be changed.
func Statements() []*Statement { return slices.Clone(statements) }

// StatementOf returns the statement of an id, as "C8"; nil if there is none.
func StatementOf(id string) *Statement {
	for _, s := range statements {
		if s.ID == id {
			return s
		}
	}
	return nil
}

// A Text is something to be said: a key of the catalogue, and what goes into its verbs: an int, a string, a
// trace.Item, []trace.Item, trace.Flags, trace.State, trace.PacketKind, time.Duration or netip.AddrPort. The zero value says nothing.
type Text struct {
	Key  string
	Args []any
}

// say makes a Text.
func say(key string, args ...any) Text { return Text{key, args} }

// A Finding is what one trace says of one statement.
type Finding struct {
	Statement *Statement
	Verdict   Verdict
	// Evidence are the numbers of the events that the verdict rests on, rising: all of them, so that without them the
	// verdict would be another. Empty where the verdict decides nothing.
	Evidence []int
	// Expected is what the statement lets expect, Observed what was seen; of a verdict that decides nothing, why.
	Expected, Observed Text
}

// Judge judges every statement on one trace, in the book's order.
func Judge(t *trace.Trace) []Finding {
	r := newRecord(t)
	findings := make([]Finding, 0, len(statements))
	for _, s := range statements {
		findings = append(findings, s.on(r))
	}
	return findings
}

// on judges s on an indexed trace. Evidence comes out sorted, each number once.
func (s *Statement) on(r *record) Finding {
	f := s.judge(r)
	if f.Verdict == NotExercised && s.ID[0] != 'B' && r.begunBefore() {
		f = Finding{Verdict: NotObservable, Observed: say("book.begun-before")}
	}
	f.Statement = s
	f.Evidence = r.inOrder(f.Evidence)
	if f.Expected.Key == "" {
		f.Expected = s.expected
	}
	return f
}
