package diff

import (
	"slices"
	"time"

	"connectlab/trace"
	"connectlab/trace/rfc9293"
)

// Options say how traces are compared. The zero value makes all normalisations and compares all that can be compared.
type Options struct {
	// Raw are normalisations that are not to be made: what they would hide is compared as it stands in the packets.
	Raw []Normalization
	// Ignore are aspects in which nothing counts as a difference.
	Ignore []Aspect
}

// A Result says how two traces are alike and how they differ.
type Result struct {
	// Headers are the differences of the two runs: story, seed, link, faults, stacks. They explain, and are no divergence.
	Headers []Difference
	// Normalized are the normalisations that were made, Ignored the aspects that were not looked at because they were not to be.
	Normalized []Normalization
	Ignored    []Aspect
	// NotCompared is what at least one of the traces does not show: no divergence, and no agreement either.
	NotCompared []Omission
	// Moves is how many moves of the one have their counterpart in the other, alike or not. 0: nothing was held against anything.
	Moves int
	// First is where the traces part first; nil: nowhere.
	First *Divergence
	// FirstBroken is the first divergence at which one side breaks a rule; nil: none does. It may be First.
	FirstBroken *Divergence
	// Rest are the divergences behind First, in groups, by where each group's first is. One with differences in several aspects counts in
	// each.
	Rest []Group
	// Apart is where the absolute times of two counterparts differ first; nil: nowhere, or times are not compared.
	Apart *Apart
	// Bounded: the traces differ so much that behind First not every counterpart was looked for.
	Bounded bool
}

// A Divergence is a move on which the traces differ, or that only one of them has.
type Divergence struct {
	// A and B are where it is in each. One of them has no event where the move is missing.
	A, B Place
	// Differences are at least one; the first is the weightiest. A move that is missing has one, of the aspect of its kind.
	Differences []Difference
	// State is that of the socket before the step, where both sides say the same or one has no such step. NotObserved: it is not known,
	// or there is no socket.
	State  trace.State
	Ruling Ruling
	// Consequence: it may follow from an earlier divergence, since another packet was counted or drawn by the link's rule.
	Consequence bool
}

// A Place is where a move is in a trace.
type Place struct {
	// Event is the N of the move; 0: this side has no such move. Root is the N of the event that its step begins with; where the move is
	// missing, that of the step in which it would have been; 0: there is none.
	Event, Root int
	Host        string
	Socket      int // 0: none
	At          time.Duration
}

// A Difference is one thing in which two moves, or two headers, differ.
type Difference struct {
	Aspect Aspect
	// Field is what differs, one of Fields. The catalogue has it under "diff.field." and that.
	Field string
	// A and B are what each side has, sequence numbers and times relative where they are normalised. Empty: it has nothing there.
	A, B string
}

// A Ruling says which rule a divergence is about, and who keeps it.
type Ruling struct {
	// Rule is the catalogue's key of the rule: "rfc.rule.…" of package rfc9293, "diff.rule.…" of this package's own table.
	Rule string
	// Section is where the rule stands: "RFC 9293, Section 3.8.6".
	Section string
	// Requirement is RFC 9293's number of it, as "MUST-40"; empty: the text has none.
	Requirement string
	A, B        rfc9293.Keeping
	// EventA and EventB are the events that the rule was applied to, the roots of steps; 0: none.
	EventA, EventB int
}

// A Group is what divergences of one aspect and state come to that are about one rule, and where the same side keeps it: see First.Ruling.
type Group struct {
	Aspect Aspect
	Rule   string // as Ruling.Rule
	State  trace.State
	N      int // how many
	First  *Divergence
	// Consequences is how many of them may only follow from an earlier one: see Divergence.Consequence.
	Consequences int
}

// An Omission is an aspect that could not be compared.
type Omission struct {
	Aspect Aspect
	Host   string // empty: of any host
	// Why is one of Reasons. The catalogue has it under "diff.omitted." and that.
	Why string
}

// Apart is where absolute times part.
type Apart struct {
	A, B Place
}

// Fields are the words that Difference.Field can be.
func Fields() []string { return slices.Clone(fields) }

// Reasons are the words that Omission.Why can be.
func Reasons() []string { return slices.Clone(reasons) }

// Rules are the keys of this package's own rules, of what Ruling.Rule can be.
func Rules() []string {
	keys := make([]string, len(rules))
	for i, r := range rules {
		keys[i] = r.key()
	}
	return keys
}

var fields = []string{
	// of headers
	"story", "story-text", "seed", "link", "delay", "mtu", "needs", "faults", "until", "start", "data", "control", "capture", "real-time", "hosts",
	"address", "mac", "stack", "version", "settings", "capabilities", "unsupported",
	// of moves
	"call", "arguments", "descriptor", "program", "state", "packet", "connection", "control-bits", "reserved-bits", "SEG.SEQ", "SEG.ACK", "data-length",
	"data-octets", "option-MSS", "option-window-scale", "option-SACK-permitted", "option-SACK", "option-timestamps", "option-other", "option-order",
	"SEG.WND", "PSH", "urgent-pointer", "ECN", "ECN-bits", "TTL", "DSCP", "DF", "fragment", "IP-header", "ethernet", "ARP", "ICMP", "checksum",
	"malformed", "time", "cause", "fate", "result", "value", "item", "host-change", "note", "reason", "blocked",
	// of outcomes
	"connect", "octets-sent", "octets-received", "octets-wrong", "errors", "end-state", "returned", "ended", "segments", "segments-again", "too-long",
}

var reasons = []string{
	"no-calls",    // a capture has none
	"no-states",   // a stack does not let its sockets be looked at, or states were inferred from packets
	"no-control",  // the run did not record it, or a stack does not let its sockets be looked at
	"other-stack", // control information of two stacks is not the same
	"no-data",     // the octets of data are not in the record
	"other-seed",  // the octets that programs send come from the seed
	"no-times",    // a run in real time, or a capture
	"no-fates",    // a capture does not show what the link did
	"no-end",      // nor why the run ended
}
