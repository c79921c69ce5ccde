package trace

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"time"
)

// An Event is one thing that happened.
type Event struct {
	// N numbers the events of a trace from 1, without a gap.
	N int
	// At is the virtual time since the start of the run.
	At time.Duration
	// Host is the name of the host on which it happened; empty for what happened to the world.
	Host string
	// Socket is the number of the socket on Host, from 1; 0 where no socket is concerned. A socket keeps its number
	// from the moment when it is first seen until it is gone; no other socket of the host ever gets it.
	Socket int
	// Cause is the N of the event that caused this one. 0: the program's own step.
	Cause int
	// Detail says what happened: a pointer to one of the types below.
	Detail Detail
}

// Detail is what an event tells: *Call, *Return, *Sent, *Arrived, *Fate, *StateChange, *Control, *Timer, *HostChange
// or *Note.
//
//sumtype:decl
type Detail interface{ detail() }

func (*Call) detail()        {}
func (*Return) detail()      {}
func (*Sent) detail()        {}
func (*Arrived) detail()     {}
func (*Fate) detail()        {}
func (*StateChange) detail() {}
func (*Control) detail()     {}
func (*Timer) detail()       {}
func (*HostChange) detail()  {}
func (*Note) detail()        {}

// A Call is a socket call, at the moment when it was made.
type Call struct {
	Name    string         // as in C: "connect"
	FD      int            // the descriptor it was made on; -1: none
	Addr    netip.AddrPort // the address it was given, where it takes one
	Len     int            // the octets or the backlog it was given, as it was given; NoLen: none
	Text    string         // its other arguments, as in the story
	Program string         // which of the host's programs: "client", "client.2"; of a goroutine "client.go1"
	Line    int            // the line of the story, from 1; 0: none
}

// NoLen is the Len of a Call that takes none. It is no number that a call is given.
const NoLen = math.MinInt32

// String prints the call as in C, with the arguments that say something: "connect(3, 192.0.2.2:80)".
func (c *Call) String() string {
	b := append([]byte(c.Name), '(')
	sep := ""
	if c.FD >= 0 {
		b = fmt.Appendf(b, "%d", c.FD)
		sep = ", "
	}
	if c.Addr.IsValid() {
		b = append(append(b, sep...), c.Addr.String()...)
		sep = ", "
	}
	if c.Text != "" {
		b = append(append(b, sep...), c.Text...)
		sep = ", "
	}
	if c.Len != NoLen {
		b = fmt.Appendf(append(b, sep...), "%d", c.Len)
	}
	return string(append(b, ')'))
}

// A Return is a socket call that came back. The event's Cause is what let it come back: the call itself, or what
// it waited for.
type Return struct {
	Call     int            // the N of the Call
	Result   int64          // as in C: -1 for an error; a descriptor; octets
	Errno    string         // "ECONNREFUSED"; empty without an error
	Value    Value          // what getsockopt read, a Number or a Text: of SO_ERROR the pending error's name, or 0; else None
	Count    int64          // octets that were sent or received before the error; 0: none, or no error
	Addr     netip.AddrPort // the peer's address, from accept
	Accepted int            // the number of the socket that accept handed out; 0: none
}

// String prints the result as in a story, and behind it in brackets what getsockopt read: "0", "-1 ECONNREFUSED",
// "0 [ECONNREFUSED]".
func (r *Return) String() string {
	s := strconv.FormatInt(r.Result, 10)
	if r.Errno != "" {
		s += " " + r.Errno
	}
	if r.Value.Kind != None {
		s += " [" + r.Value.String() + "]"
	}
	return s
}

// Sent is a packet that the host handed to its link.
type Sent struct{ Packet *Packet }

// Arrived is a packet that reached the host. The event's Cause is its Sent.
type Arrived struct{ Packet *Packet }

// A Fate is what the link did to a packet other than carrying it in time and in order. The event's Cause is the
// packet's Sent, and its Host the sender.
type Fate struct {
	Kind  FateKind
	Rule  string        // the rule that decided, as it was written; empty where no rule did
	Delay time.Duration // Delayed: how much later than without the rule; Duplicated: how much later than the first
	Octet int           // Corrupted: the octet, counted from the IP header; without one, from the end of the Ethernet header
	Bit   int           // Corrupted: the bit, 0 is the highest
}

// FateKind is what can happen to a packet.
type FateKind uint8

// What can happen to a packet.
const (
	Dropped FateKind = iota
	Delayed
	Duplicated
	Corrupted
	Reordered
	// QueueFull: the stack's own queue towards the link was full; the packet never reached the link.
	QueueFull
	// LinkDown: the link was down.
	LinkDown
	// HostGone: the host that sent it was taken off the link in the same step.
	HostGone
	// TooLong: the packet is longer than the link's MTU.
	TooLong
)

var fateNames = [...]string{"dropped", "delayed", "duplicated", "corrupted", "reordered", "queue-full", "link-down", "host-gone", "too-long"}

// String prints the fate in lower case with hyphens.
func (k FateKind) String() string { return nameOf("FateKind", fateNames[:], k) }

// Lost reports whether the packet will not arrive.
func (k FateKind) Lost() bool {
	switch k {
	case Dropped, QueueFull, LinkDown, HostGone, TooLong:
		return true
	case Delayed, Duplicated, Corrupted, Reordered:
		return false
	}
	return false
}

// A StateChange is a socket that came to another state. The first event about the state of a socket has From
// NotObserved.
type StateChange struct {
	From, To State
	Word     string // the stack's own word for To
	Source   Source
	Listener int // the number of the listening socket that the connection came to; 0: none
}

// Control is the control information of a socket that changed at one moment.
type Control struct{ Changes []Change }

// A Timer is a timer of a stack that ran out and did something, or the deadline of a call, which has the name of the socket
// option: SO_RCVTIMEO, SO_SNDTIMEO. The event's Socket is its owner.
type Timer struct{ Name string }

// A HostChange is something that was done to a host or to the link.
type HostChange struct{ What HostEvent }

// HostEvent is what can be done to a host or to the link.
type HostEvent uint8

// What can be done to a host or to the link.
const (
	Reboot HostEvent = iota
	LinkGoesDown
	LinkComesUp
)

var hostEventNames = [...]string{"reboot", "link down", "link up"}

// String prints "reboot", "link down" or "link up".
func (h HostEvent) String() string { return nameOf("HostEvent", hostEventNames[:], h) }

// A Note is a remark of the story: what an observer saw.
type Note struct {
	Text   string
	Failed bool // it was an expectation, and it did not hold
	Line   int  // the line of the story, from 1; 0: none
}
