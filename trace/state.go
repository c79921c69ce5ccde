package trace

import "fmt"

// State is a state of a connection (RFC 9293, Section 3.3.2). The zero value is a state that was not observed.
type State uint8

// The states, in the order of RFC 9293, Section 3.3.2, with CLOSED, "no connection state at all", first.
const (
	NotObserved State = iota
	Closed
	Listen
	SynSent
	SynReceived
	Established
	FinWait1
	FinWait2
	CloseWait
	Closing
	LastAck
	TimeWait
)

var stateNames = [...]string{
	"not observed", "CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2",
	"CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT",
}

// String prints the RFC's name.
func (s State) String() string { return nameOf("State", stateNames[:], s) }

// ParseState reads what String prints.
func ParseState(name string) (State, error) {
	for s, n := range stateNames {
		if n == name {
			return State(s), nil
		}
	}
	return 0, fmt.Errorf("unknown state %q: the states are those of RFC 9293, Section 3.3.2, as SYN-RECEIVED or FIN-WAIT-1", name)
}

// States returns the eleven states, CLOSED first.
func States() []State {
	return []State{Closed, Listen, SynSent, SynReceived, Established, FinWait1, FinWait2, CloseWait, Closing, LastAck, TimeWait}
}

// Source says how something about a socket came to be known.
type Source uint8

// The sources.
const (
	// Sampled: read from the stack when the step had settled. States that came and went within the step are missing.
	Sampled Source = iota
	// Reported: the stack told of each change itself.
	Reported
	// Inferred: concluded from the segments.
	Inferred
)

var sourceNames = [...]string{"sampled", "reported", "inferred"}

// String prints the source's name.
func (s Source) String() string { return nameOf("Source", sourceNames[:], s) }

func parseSource(name string) (Source, error) {
	return parseName[Source]("source", sourceNames[:], name)
}

// nameOf is the name of v among names, or, of a value that there is not, its type and number.
func nameOf[T ~uint8](what string, names []string, v T) string {
	if int(v) < len(names) {
		return names[v]
	}
	return fmt.Sprintf("%s(%d)", what, uint8(v))
}

// parseName finds name among names and answers with its index.
func parseName[T ~uint8](what string, names []string, name string) (T, error) {
	for i, n := range names {
		if n == name {
			return T(i), nil
		}
	}
	return 0, fmt.Errorf("unknown %s %q", what, name)
}
