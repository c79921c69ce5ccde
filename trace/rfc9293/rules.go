package rfc9293

import (
	"strings"

	"connectlab/trace"
)

// A Rule is a row of the table of what RFC 9293 has a TCP do about what it meets.
type Rule struct {
	// ID tells the rule from all others, in words: where it holds, and what is met: "SYN-SENT: unacceptable ACK". "connection" stands for
	// the states of Section 3.10.7.4, from SYN-RECEIVED on; "sent" for what a TCP sends, by whatever it was brought.
	ID string
	// Section is that of RFC 9293, without the word: "3.10.7.3"; of another RFC with its number: "RFC 6298, 5.5".
	Section string
	// Requirement is the number of RFC 9293's requirement, "MUST-40"; empty where the text has none.
	Requirement string
	// States are those in which it can be met, in the order of RFC 9293, Section 3.3.2.
	States []trace.State
	// Owes is what is to be sent, as the RFC writes it: "<SEQ=SEG.ACK><CTL=RST>". Empty: nothing, or nothing that a segment alone brings.
	Owes string

	owes  owed
	moves bool // the table of edges has a row for it that is to be gone along
	lax   lax
	any   bool // it holds whatever the state is
}

// Key is the rule's key in the catalogue of texts: "rfc.rule." and the ID in lower case, with hyphens.
func (r *Rule) Key() string {
	return "rfc.rule." + strings.Join(strings.FieldsFunc(strings.ToLower(r.ID), func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9')
	}), "-")
}

// Rules are the rows of the table, by state. The slice is the caller's, what the rows hold is shared.
func Rules() []Rule { return append([]Rule(nil), rules[:]...) }

// owed is what is to be sent.
type owed uint8

const (
	owesAny     owed = iota // it is not looked at here
	owesNothing             //
	owesRSTAck              // the RST whose number is what was acknowledged
	owesRSTSeq              // the RST,ACK of what has no ACK
	owesACK                 // at once
	owesSYNACK              //
	owesLater               // an ACK that covers what has come, within half a second
)

// notation is what is owed as the RFC writes it.
var notation = [...]string{
	owesRSTAck: "<SEQ=SEG.ACK><CTL=RST>", owesRSTSeq: "<SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>", owesACK: "<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>",
	owesSYNACK: "<SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>", owesLater: "<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>",
}

// lax is what a stack may do otherwise: RFC 9293 says so, or says SHOULD.
type lax uint8

const (
	laxSilence lax = 1 << iota // send nothing
	laxReset                   // send a RST and close
	laxClose                   // close
	laxSYNACK                  // send its SYN,ACK again in the place of the ACK
	laxStay                    // stay in its state
	laxLimit                   // send nothing, if it has sent an ACK within the last second (RFC 5961, Section 7)
)

// The rows, by what they are about.
const (
	closedRST = iota
	closedNoACK
	closedACK
	closedOpen

	listenRST
	listenACK
	listenSYN
	listenOther
	listenClose

	synSentBadACK
	synSentBadRST
	synSentRST
	synSentSYNACK
	synSentSYN
	synSentOther
	synSentClose
	synSentTimeout

	synReceivedACK
	synReceivedBadACK
	synReceivedSYN
	synReceivedCrossing

	unacceptable
	unacceptableRST
	rstAtNext
	rstInWindow
	synConnected
	timeWaitSYN
	noACK
	ackBeyond
	ackLongAgo
	ackOnly
	ackOfFIN
	dataInOrder
	secondFull
	dataBehindGap
	finInOrder
	finBehindGap
	finAgain
	dataBehindFIN
	dataAfterClose
	callClose
	callAbort
	userTimeout
	timeWaitTimeout
	hardICMP
	softICMP
	badChecksum

	sentAcknowledges
	sentInWindow
	sentFIN
	againByTimer
	againOctets
	againBackOff
	numRules
)

// The states that several rules share.
var (
	otherStates  = trace.States()[3:] // of Section 3.10.7.4
	synchronized = trace.States()[4:]
	sending      = []trace.State{trace.SynReceived, trace.Established, trace.FinWait1, trace.CloseWait, trace.Closing, trace.LastAck}
	receiving    = []trace.State{trace.SynReceived, trace.Established, trace.FinWait1, trace.FinWait2}
	waiting      = []trace.State{trace.SynReceived, trace.Established, trace.FinWait1, trace.FinWait2, trace.CloseWait, trace.Closing, trace.LastAck}
	ended        = []trace.State{trace.CloseWait, trace.Closing, trace.LastAck, trace.TimeWait} // the peer's FIN has come
)

func in(s ...trace.State) []trace.State { return s }

// rules are the table: Section 3.10, and of the sections that it builds on what a trace shows.
var rules = withOwes([numRules]Rule{
	closedRST:   {ID: "CLOSED: RST", Section: "3.10.7.1", States: in(trace.Closed), owes: owesNothing},
	closedNoACK: {ID: "CLOSED: segment without ACK", Section: "3.10.7.1", States: in(trace.Closed), owes: owesRSTSeq},
	closedACK:   {ID: "CLOSED: segment with ACK", Section: "3.10.7.1", States: in(trace.Closed), owes: owesRSTAck},
	closedOpen:  {ID: "CLOSED: OPEN active", Section: "3.10.1", States: in(trace.Closed)},

	listenRST:   {ID: "LISTEN: RST", Section: "3.10.7.2", States: in(trace.Listen), owes: owesNothing},
	listenACK:   {ID: "LISTEN: segment with ACK", Section: "3.10.7.2", States: in(trace.Listen), owes: owesRSTAck},
	listenSYN:   {ID: "LISTEN: SYN", Section: "3.10.7.2", States: in(trace.Listen), owes: owesSYNACK, lax: laxSilence},
	listenOther: {ID: "LISTEN: neither SYN, ACK nor RST", Section: "3.10.7.2", States: in(trace.Listen), owes: owesNothing},
	listenClose: {ID: "LISTEN: CLOSE", Section: "3.10.4", States: in(trace.Listen)},

	synSentBadACK:  {ID: "SYN-SENT: unacceptable ACK", Section: "3.10.7.3", States: in(trace.SynSent), owes: owesRSTAck},
	synSentBadRST:  {ID: "SYN-SENT: RST without the ACK of its SYN", Section: "3.10.7.3", States: in(trace.SynSent), owes: owesNothing},
	synSentRST:     {ID: "SYN-SENT: RST with the ACK of its SYN", Section: "3.10.7.3", States: in(trace.SynSent), owes: owesNothing, moves: true, lax: laxStay},
	synSentSYNACK:  {ID: "SYN-SENT: SYN,ACK with the ACK of its SYN", Section: "3.10.7.3", States: in(trace.SynSent), owes: owesACK, moves: true},
	synSentSYN:     {ID: "SYN-SENT: SYN", Section: "3.10.7.3", Requirement: "MUST-10", States: in(trace.SynSent), owes: owesSYNACK, moves: true},
	synSentOther:   {ID: "SYN-SENT: neither SYN nor RST", Section: "3.10.7.3", States: in(trace.SynSent), owes: owesNothing},
	synSentClose:   {ID: "SYN-SENT: CLOSE", Section: "3.10.4", States: in(trace.SynSent)},
	synSentTimeout: {ID: "SYN-SENT: user timeout", Section: "3.8.3", Requirement: "MUST-23", States: in(trace.SynSent)},

	synReceivedACK:      {ID: "SYN-RECEIVED: ACK of its SYN", Section: "3.10.7.4", States: in(trace.SynReceived), moves: true, lax: laxStay},
	synReceivedBadACK:   {ID: "SYN-RECEIVED: unacceptable ACK", Section: "3.10.7.4", States: in(trace.SynReceived), owes: owesRSTAck},
	synReceivedSYN:      {ID: "SYN-RECEIVED: SYN in the window (passive)", Section: "3.10.7.4", States: in(trace.SynReceived), owes: owesNothing, moves: true},
	synReceivedCrossing: {ID: "SYN-RECEIVED: SYN,ACK that crosses its own", Section: "3.5", Requirement: "MUST-10", States: in(trace.SynReceived)},

	unacceptable:    {ID: "connection: unacceptable segment", Section: "3.10.7.4", States: otherStates, owes: owesACK, lax: laxSYNACK | laxLimit},
	unacceptableRST: {ID: "connection: unacceptable RST", Section: "3.10.7.4", States: otherStates, owes: owesNothing},
	rstAtNext:       {ID: "connection: RST at RCV.NXT", Section: "3.10.7.4", Requirement: "MUST-66", States: otherStates, owes: owesNothing, moves: true},
	rstInWindow:     {ID: "connection: RST in the window", Section: "3.10.7.4", States: otherStates, owes: owesACK, lax: laxClose | laxLimit},
	synConnected:    {ID: "connection: SYN", Section: "3.10.7.4", States: otherStates[:len(otherStates)-1], owes: owesACK, lax: laxReset | laxLimit},
	timeWaitSYN:     {ID: "TIME-WAIT: SYN", Section: "3.10.7.4", Requirement: "SHLD-4", States: in(trace.TimeWait)},
	noACK:           {ID: "connection: no ACK", Section: "3.10.7.4", States: otherStates, owes: owesNothing},
	ackBeyond:       {ID: "connection: ACK beyond SND.NXT", Section: "3.10.7.4", States: synchronized, owes: owesACK, lax: laxLimit},
	ackLongAgo:      {ID: "connection: ACK of long ago", Section: "3.10.7.4", Requirement: "MAY-12", States: synchronized},
	ackOnly:         {ID: "connection: ACK", Section: "3.10.7.4", States: synchronized},
	ackOfFIN:        {ID: "connection: ACK of its FIN", Section: "3.10.7.4", States: in(trace.FinWait1, trace.Closing, trace.LastAck), moves: true},
	dataInOrder:     {ID: "connection: data in order", Section: "3.8.6.3", Requirement: "MUST-40", States: receiving, owes: owesLater},
	secondFull:      {ID: "connection: second full segment", Section: "3.8.6.3", Requirement: "SHLD-19", States: receiving, owes: owesACK, lax: laxSilence},
	dataBehindGap:   {ID: "connection: data behind a gap", Section: "3.10.7.4", Requirement: "MAY-13", States: receiving, owes: owesACK, lax: laxSilence},
	finInOrder:      {ID: "connection: FIN in order", Section: "3.10.7.4", States: receiving, owes: owesLater, moves: true},
	finBehindGap:    {ID: "connection: FIN behind a gap", Section: "3.10.7.4", Requirement: "SHLD-31", States: receiving, owes: owesACK, lax: laxSilence},
	finAgain:        {ID: "connection: FIN again", Section: "3.10.7.4", States: ended, owes: owesACK, lax: laxLimit},
	dataBehindFIN:   {ID: "connection: data behind the FIN", Section: "3.10.7.4", States: ended, lax: laxClose},
	dataAfterClose:  {ID: "connection: data after its CLOSE", Section: "3.6.1", Requirement: "SHLD-3", States: in(trace.FinWait1, trace.FinWait2), owes: owesLater, lax: laxReset},
	callClose:       {ID: "connection: CLOSE", Section: "3.10.4", States: in(trace.SynReceived, trace.Established, trace.CloseWait)},
	callAbort:       {ID: "connection: ABORT", Section: "3.10.5", States: otherStates},
	userTimeout:     {ID: "connection: user timeout", Section: "3.8.3", Requirement: "SHLD-11", States: waiting},
	timeWaitTimeout: {ID: "TIME-WAIT: TIME-WAIT timeout", Section: "3.6.1", Requirement: "MUST-13", States: in(trace.TimeWait)},
	hardICMP:        {ID: "connection: hard ICMP error", Section: "3.9.2.2", Requirement: "SHLD-26", States: trace.States()[2:10], moves: true, lax: laxStay},
	softICMP:        {ID: "connection: soft ICMP error", Section: "3.9.2.2", Requirement: "MUST-56", States: trace.States()[2:]},
	badChecksum:     {ID: "any state: bad checksum", Section: "3.1", Requirement: "MUST-3", States: trace.States(), owes: owesNothing, any: true},

	sentAcknowledges: {ID: "sent: ACK of what has come", Section: "3.4", States: otherStates, any: true},
	sentInWindow:     {ID: "sent: data in the window", Section: "3.8.6", States: sending, any: true},
	sentFIN:          {ID: "sent: FIN behind all data", Section: "3.10.4", States: sending, any: true},
	againByTimer:     {ID: "sent again: when a timer runs out", Section: "3.10.8", States: append(in(trace.SynSent), sending...), any: true},
	againOctets:      {ID: "sent again: the same octets", Section: "3.4", States: sending, any: true},
	againBackOff:     {ID: "sent again: later each time", Section: "RFC 6298, 5.5", Requirement: "MUST-19", States: append(in(trace.SynSent), sending...), any: true},
})

func withOwes(rules [numRules]Rule) [numRules]Rule {
	for i := range rules {
		rules[i].Owes = notation[rules[i].owes]
	}
	rules[closedOpen].Owes = "<SEQ=ISS><CTL=SYN>"
	rules[callAbort].Owes = "<SEQ=SND.NXT><CTL=RST>"
	rules[callClose].Owes = "<SEQ=SND.NXT><ACK=RCV.NXT><CTL=FIN,ACK>"
	rules[againByTimer].Owes = "<SEQ=SND.UNA>"
	return rules
}
