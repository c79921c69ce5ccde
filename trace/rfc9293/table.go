package rfc9293

import "connectlab/trace"

// A Stimulus is what can bring a connection to another state: a call, a segment that arrives, a message, or the end of a
// time. A segment can be several: one that carries a FIN and acknowledges ours is FINWithAckOfFIN, AckOfFIN and FINInOrder.
type Stimulus uint8

// The stimuli. Where one segment is several, the one that says most comes first.
const (
	// The calls of RFC 9293, Section 3.9.1.
	OpenPassive Stimulus = iota // listen()
	OpenActive                  // connect()
	Send
	Close // close(), shutdown() of the direction of sending: the FIN
	Abort // a close() that sends a RST, as with SO_LINGER of 0 s

	// Segments that arrive.
	SYNArrives           // without ACK: LISTEN and SYN-SENT
	SYNWithNewerTime     // to TIME-WAIT: both connections have timestamps and the new one is later (RFC 6191, Section 2)
	SYNBeyond            // to TIME-WAIT, without timestamps: its number lies beyond RCV.NXT
	SYNInWindow          // to a connection that has had its SYN
	SYNACKWithFIN        // SYN,ACK,FIN that acknowledges our SYN
	SYNACKOfSYN          // SYN,ACK that acknowledges our SYN
	SYNACKCrossing       // of a simultaneous open: the SYN,ACK has the number that the SYN had
	FINWithAckOfSYN      // a FIN in order, and the ACK of our SYN
	AckOfSYN             //
	FINWithAckOfFIN      // a FIN in order, and the ACK of our FIN
	AckOfFIN             //
	FINInOrder           // all that comes before it has come
	RSTWithAckOfSYN      // the RST that SYN-SENT believes
	RSTAtNext            // the RST that all others believe: its number is RCV.NXT
	DataAfterClose       // new data to a host that has closed both directions
	HardError            // ICMP: protocol or port unreachable, fragmentation needed
	UserTimeout          // also R2: it has sent the same thing often enough
	FINWait2Timeout      // of a FIN-WAIT-2 that no descriptor names any more
	TimeWaitTimeout      // 2 MSL
	numStimuli       int = iota
)

var stimulusNames = [numStimuli]string{
	OpenPassive: "OPEN passive", OpenActive: "OPEN active", Send: "SEND", Close: "CLOSE", Abort: "ABORT",
	SYNArrives: "SYN", SYNWithNewerTime: "SYN with a newer timestamp", SYNBeyond: "SYN beyond RCV.NXT", SYNInWindow: "SYN in the window",
	SYNACKWithFIN: "SYN,ACK,FIN with the ACK of its SYN", SYNACKOfSYN: "SYN,ACK with the ACK of its SYN", SYNACKCrossing: "SYN,ACK that crosses its own",
	FINWithAckOfSYN: "FIN with the ACK of its SYN", AckOfSYN: "ACK of its SYN",
	FINWithAckOfFIN: "FIN with the ACK of its FIN", AckOfFIN: "ACK of its FIN", FINInOrder: "FIN in order",
	RSTWithAckOfSYN: "RST with the ACK of its SYN", RSTAtNext: "RST at RCV.NXT", DataAfterClose: "data after its CLOSE",
	HardError: "hard ICMP error", UserTimeout: "user timeout", FINWait2Timeout: "FIN-WAIT-2 timeout", TimeWaitTimeout: "TIME-WAIT timeout",
}

// String says what happens: "SYN", "CLOSE", "ACK of its FIN".
func (s Stimulus) String() string {
	if int(s) < numStimuli {
		return stimulusNames[s]
	}
	return "unknown stimulus"
}

// stimuli are several at once: bit s is Stimulus s.
type stimuli uint32

func (s Stimulus) bit() stimuli          { return 1 << s }
func (have stimuli) has(s Stimulus) bool { return have&s.bit() != 0 }

func set(s ...Stimulus) (all stimuli) {
	for _, one := range s {
		all |= one.bit()
	}
	return all
}

// Origin is how a connection began: SYN-RECEIVED goes back to where it came from.
type Origin uint8

// The origins.
const (
	AnyOrigin Origin = iota // of an Edge: it does not matter
	Passive                 // it came to a listener
	Active                  // it sent the first SYN
)

// An Edge is a row of the table: a state, what happens, and the state after it. Edges that lead back to where they began
// are no rows.
type Edge struct {
	ID      string // From and On, and what tells it from another row: "SYN-RECEIVED: RST at RCV.NXT (passive)"
	From    trace.State
	On      Stimulus
	Origin  Origin // SYN-RECEIVED: only for a connection that began so
	To      trace.State
	Section string // of RFC 9293, without the word: "3.10.7.4"
	// Variant names what a stack may do and need not; empty: what RFC 9293 says.
	Variant string
}

// The variants.
const (
	variant793    = "RFC 793"           // before RFC 5961 a SYN in the window reset a connection
	variant6191   = "RFC 6191"          // TIME-WAIT is left early for a new connection
	variantMAY2   = "MAY-2"             // the same without timestamps
	variantFig7   = "Figure 7"          // of the figure and of the text about a simultaneous open, the figure
	variantHalf   = "half-duplex close" // a host whose CLOSE closes both directions (MAY-1)
	variantNote3  = "Note 3"            // who sends a RST keeps TIME-WAIT
	variantOrphan = "FIN-WAIT-2 timer"  // not in the RFC; Linux and gVisor have it
)

// table is the state machine: RFC 9293, Section 3.10, which has more edges than Figure 5. A hard ICMP error aborts a connection in any
// state that waits for its peer (Section 3.9.2.2, SHLD-26 names none); TIME-WAIT waits for its time alone.
var table = withIDs([]Edge{
	{From: trace.Closed, On: OpenPassive, To: trace.Listen, Section: "3.10.1"},
	{From: trace.Closed, On: OpenActive, To: trace.SynSent, Section: "3.10.1"},

	{From: trace.Listen, On: OpenActive, To: trace.SynSent, Section: "3.10.1"}, // no call of BSD does it, nor SEND
	{From: trace.Listen, On: Send, To: trace.SynSent, Section: "3.10.2"},
	{From: trace.Listen, On: Close, To: trace.Closed, Section: "3.10.4"},
	{From: trace.Listen, On: Abort, To: trace.Closed, Section: "3.10.5"},
	{From: trace.Listen, On: SYNArrives, To: trace.SynReceived, Section: "3.10.7.2"},

	{From: trace.SynSent, On: Close, To: trace.Closed, Section: "3.10.4"},
	{From: trace.SynSent, On: Abort, To: trace.Closed, Section: "3.10.5"},
	{From: trace.SynSent, On: RSTWithAckOfSYN, To: trace.Closed, Section: "3.10.7.3"},
	{From: trace.SynSent, On: SYNACKOfSYN, To: trace.Established, Section: "3.10.7.3"},
	{From: trace.SynSent, On: SYNACKWithFIN, To: trace.CloseWait, Section: "3.10.7.3"},
	{From: trace.SynSent, On: SYNArrives, To: trace.SynReceived, Section: "3.10.7.3"}, // Figure 7
	{From: trace.SynSent, On: HardError, To: trace.Closed, Section: "3.9.2.2"},
	{From: trace.SynSent, On: UserTimeout, To: trace.Closed, Section: "3.10.8"},

	{From: trace.SynReceived, On: Close, To: trace.FinWait1, Section: "3.10.4"},
	{From: trace.SynReceived, On: Abort, To: trace.Closed, Section: "3.10.5"},
	{From: trace.SynReceived, On: RSTAtNext, Origin: Passive, To: trace.Listen, Section: "3.10.7.4"}, // Figure 5, Note 1
	{From: trace.SynReceived, On: RSTAtNext, Origin: Active, To: trace.Closed, Section: "3.10.7.4"},  // MUST-11
	{From: trace.SynReceived, On: SYNInWindow, Origin: Passive, To: trace.Listen, Section: "3.10.7.4"},
	{From: trace.SynReceived, On: SYNInWindow, Origin: Active, To: trace.Closed, Section: "3.10.7.4", Variant: variant793},
	{From: trace.SynReceived, On: AckOfSYN, To: trace.Established, Section: "3.10.7.4"},
	{From: trace.SynReceived, On: FINWithAckOfSYN, To: trace.CloseWait, Section: "3.10.7.4"},
	{From: trace.SynReceived, On: SYNACKCrossing, Origin: Active, To: trace.Established, Section: "3.5", Variant: variantFig7},
	{From: trace.SynReceived, On: HardError, To: trace.Closed, Section: "3.9.2.2"},
	{From: trace.SynReceived, On: UserTimeout, To: trace.Closed, Section: "3.10.8"},

	{From: trace.Established, On: Close, To: trace.FinWait1, Section: "3.10.4"},
	{From: trace.Established, On: Abort, To: trace.Closed, Section: "3.10.5"},
	{From: trace.Established, On: Abort, To: trace.TimeWait, Section: "3.5.2", Variant: variantNote3},
	{From: trace.Established, On: RSTAtNext, To: trace.Closed, Section: "3.10.7.4"}, // with a window of 0 too (MUST-66)
	{From: trace.Established, On: SYNInWindow, To: trace.Closed, Section: "3.10.7.4", Variant: variant793},
	{From: trace.Established, On: FINInOrder, To: trace.CloseWait, Section: "3.10.7.4"},
	{From: trace.Established, On: HardError, To: trace.Closed, Section: "3.9.2.2"},
	{From: trace.Established, On: UserTimeout, To: trace.Closed, Section: "3.10.8"},

	{From: trace.FinWait1, On: Abort, To: trace.Closed, Section: "3.10.5"},
	{From: trace.FinWait1, On: RSTAtNext, To: trace.Closed, Section: "3.10.7.4"},
	{From: trace.FinWait1, On: SYNInWindow, To: trace.Closed, Section: "3.10.7.4", Variant: variant793},
	{From: trace.FinWait1, On: AckOfFIN, To: trace.FinWait2, Section: "3.10.7.4"},
	{From: trace.FinWait1, On: FINInOrder, To: trace.Closing, Section: "3.10.7.4"},       // Figure 13
	{From: trace.FinWait1, On: FINWithAckOfFIN, To: trace.TimeWait, Section: "3.10.7.4"}, // Figure 5, Note 2
	{From: trace.FinWait1, On: DataAfterClose, To: trace.Closed, Section: "3.6.1", Variant: variantHalf},
	{From: trace.FinWait1, On: HardError, To: trace.Closed, Section: "3.9.2.2"},
	{From: trace.FinWait1, On: UserTimeout, To: trace.Closed, Section: "3.10.8"},

	{From: trace.FinWait2, On: Abort, To: trace.Closed, Section: "3.10.5"},
	{From: trace.FinWait2, On: RSTAtNext, To: trace.Closed, Section: "3.10.7.4"},
	{From: trace.FinWait2, On: SYNInWindow, To: trace.Closed, Section: "3.10.7.4", Variant: variant793},
	{From: trace.FinWait2, On: FINInOrder, To: trace.TimeWait, Section: "3.10.7.4"},
	{From: trace.FinWait2, On: DataAfterClose, To: trace.Closed, Section: "3.6.1", Variant: variantHalf},
	{From: trace.FinWait2, On: HardError, To: trace.Closed, Section: "3.9.2.2"},
	{From: trace.FinWait2, On: UserTimeout, To: trace.Closed, Section: "3.10.8"},
	{From: trace.FinWait2, On: FINWait2Timeout, To: trace.Closed, Variant: variantOrphan},

	{From: trace.CloseWait, On: Close, To: trace.LastAck, Section: "3.10.4"},
	{From: trace.CloseWait, On: Abort, To: trace.Closed, Section: "3.10.5"},
	{From: trace.CloseWait, On: RSTAtNext, To: trace.Closed, Section: "3.10.7.4"},
	{From: trace.CloseWait, On: SYNInWindow, To: trace.Closed, Section: "3.10.7.4", Variant: variant793},
	{From: trace.CloseWait, On: HardError, To: trace.Closed, Section: "3.9.2.2"},
	{From: trace.CloseWait, On: UserTimeout, To: trace.Closed, Section: "3.10.8"},

	{From: trace.Closing, On: Abort, To: trace.Closed, Section: "3.10.5"},
	{From: trace.Closing, On: RSTAtNext, To: trace.Closed, Section: "3.10.7.4"},
	{From: trace.Closing, On: SYNInWindow, To: trace.Closed, Section: "3.10.7.4", Variant: variant793},
	{From: trace.Closing, On: AckOfFIN, To: trace.TimeWait, Section: "3.10.7.4"},
	{From: trace.Closing, On: HardError, To: trace.Closed, Section: "3.9.2.2"},
	{From: trace.Closing, On: UserTimeout, To: trace.Closed, Section: "3.10.8"},

	{From: trace.LastAck, On: Abort, To: trace.Closed, Section: "3.10.5"},
	{From: trace.LastAck, On: RSTAtNext, To: trace.Closed, Section: "3.10.7.4"},
	{From: trace.LastAck, On: SYNInWindow, To: trace.Closed, Section: "3.10.7.4", Variant: variant793},
	{From: trace.LastAck, On: AckOfFIN, To: trace.Closed, Section: "3.10.7.4"},
	{From: trace.LastAck, On: HardError, To: trace.Closed, Section: "3.9.2.2"},
	{From: trace.LastAck, On: UserTimeout, To: trace.Closed, Section: "3.10.8"},

	{From: trace.TimeWait, On: Abort, To: trace.Closed, Section: "3.10.5"},
	{From: trace.TimeWait, On: RSTAtNext, To: trace.Closed, Section: "3.10.7.4"},
	{From: trace.TimeWait, On: SYNWithNewerTime, To: trace.SynReceived, Section: "3.10.7.4", Variant: variant6191},
	{From: trace.TimeWait, On: SYNBeyond, To: trace.SynReceived, Section: "3.6.1", Variant: variantMAY2},
	{From: trace.TimeWait, On: TimeWaitTimeout, To: trace.Closed, Section: "3.10.8"},
})

// output is what a stack sent in a step.
type output uint8

const (
	outSYN    output = 1 << iota
	outSYNACK        //
	outRST           //
	outAll    = outSYN | outSYNACK | outRST
)

// needs is what RFC 9293 has a stack send at once where it goes along an edge, and without which nobody can believe that it has.
func (e *Edge) needs() output {
	switch {
	case e.To == trace.SynSent:
		return outSYN // Sections 3.10.1, 3.10.2
	case e.To == trace.SynReceived:
		return outSYNACK // Sections 3.10.7.2, 3.10.7.3
	case e.On == Abort && e.From >= trace.SynReceived && e.From <= trace.CloseWait:
		return outRST // Section 3.10.5
	}
	return 0
}

func withIDs(edges []Edge) []Edge {
	for i := range edges {
		e := &edges[i]
		e.ID = e.From.String() + ": " + e.On.String()
		switch {
		case e.Origin == Passive:
			e.ID += " (passive)"
		case e.Origin == Active:
			e.ID += " (active)"
		case e.Variant != "" && e.On == Abort:
			e.ID += " (" + e.Variant + ")"
		}
	}
	return edges
}

// Edges are the rows of the table, by state in the order of RFC 9293, Section 3.3.2. The slice is the caller's.
func Edges() []Edge { return append([]Edge(nil), table...) }

// A machine is a table made ready to be asked. The judging code takes one as a value, so that a test can hand it a wrong one.
type machine struct {
	edges []Edge
	// rows are the indices of edges from a state, on a stimulus: what the RFC says first, variants after it.
	rows [trace.TimeWait + 1][numStimuli][]uint8
	// on are the stimuli that a state has rows for: without variants, and all.
	on [trace.TimeWait + 1][2]stimuli
}

var standard = newMachine(table)

func newMachine(edges []Edge) *machine {
	m := &machine{edges: edges}
	for _, variants := range []bool{false, true} {
		for i := range edges {
			e := &edges[i]
			if (e.Variant != "") != variants {
				continue
			}
			m.rows[e.From][e.On] = append(m.rows[e.From][e.On], uint8(i))
			m.on[e.From][1] |= e.On.bit()
			if !variants {
				m.on[e.From][0] |= e.On.bit()
			}
		}
	}
	return m
}

// next is where a connection goes of which all we know is its segments: by the first stimulus that has a row.
// NotObserved: nowhere. Variants are for those who know by what was sent that the stack has taken one.
func (m *machine) next(from trace.State, origin Origin, happened stimuli, variants bool) trace.State {
	which := 0
	if variants {
		which = 1
	}
	for s, left := Stimulus(0), happened&m.on[from][which]; left != 0; s, left = s+1, left&^s.bit() {
		if !left.has(s) {
			continue
		}
		for _, row := range m.rows[from][s] {
			if e := &m.edges[row]; (e.Origin == AnyOrigin || e.Origin == origin) && (variants || e.Variant == "") {
				return e.To
			}
		}
	}
	return trace.NotObserved
}
