package trace

import "time"

// Version is the version of the file format. A file of another version is refused.
const Version = 2

// A Header holds what shapes a run and repeats it. It does not hold the time, the machine, or file names: two runs
// of one seed give the same file.
type Header struct {
	Story   Story         // what the programs do; zero for a run driven from Go
	Seed    uint64        //
	Link    LinkType      // with which header the octets of packets begin
	Delay   time.Duration // of the link, one way; 0: it takes no time
	MTU     int           // of the link, octets; an Ethernet header is not counted
	Needs   []string      // what both stacks had to be able to do, and were asked to; behind "client " or "server ", that one alone
	Faults  []string      // rules of the link, in the order in which they are asked
	Until   time.Duration // virtual time at which the run is cut off
	Start   time.Time     // the sandbox clock's date at virtual time 0
	Data    bool          // whether octets of data are in the record
	Control bool          // whether control information is in the record
	// Capture: the trace was made from a packet capture. It has packets and what follows from them alone; an arrival is
	// taken to be at the time of capture.
	Capture bool
	// RealTime: the run kept the clock on the wall. One of programs alone is repeatable all the same; where goroutines made
	// calls, no two runs need be the same.
	RealTime bool
	Hosts    []HostInfo // client first
}

// Story is the text that was run.
type Story struct{ Name, Text string }

// HostInfo tells of one host and its stack.
type HostInfo struct {
	Name         string
	Address      string
	MAC          MAC // on LinkEthernet; else zero
	Stack        string
	Version      string
	Settings     []Setting // the stack's defaults, as it was run
	Capabilities []string  // what only some stacks can do and this one can
	Unsupported  []string  // calls and options of the Stack interface that this one cannot do
}

// CapabilityControl is the capability of a stack whose sockets can be looked at: their states and control information are
// in the record.
const CapabilityControl = "control information"

// What a run can need of its stacks (Header.Needs), and only some can do.
const (
	CapabilityEthernet   = "Ethernet"    // frames, with ARP for IPv4 and neighbor discovery for IPv6
	CapabilityIPv6       = "IPv6"        //
	CapabilityECN        = "ECN"         // explicit congestion notification (RFC 3168); the run asks both stacks to use it
	CapabilityUrgent     = "urgent data" // a program can send some (RFC 9293, Section 3.8.5)
	CapabilitySYNCookies = "SYN cookies" // a listener answers a SYN and keeps nothing of it (RFC 4987, Section 3.6)
)

// Setting is one setting of a stack, as it prints.
type Setting struct{ Name, Value string }

// Host returns what the header says of a host; nil if it has none of that name.
func (h *Header) Host(name string) *HostInfo {
	for i := range h.Hosts {
		if h.Hosts[i].Name == name {
			return &h.Hosts[i]
		}
	}
	return nil
}

// An End is how a run ended.
type End struct {
	At      time.Duration
	Reason  EndReason
	Blocked []int // the Calls that had not come back, by N
}

// EndReason is why a run ended.
type EndReason uint8

// Why a run can end.
const (
	// Finished: all programs have returned and nothing is pending.
	Finished EndReason = iota
	// Idle: nothing is scheduled, and calls are still blocked.
	Idle
	// UntilReached: the virtual time was up.
	UntilReached
	// TooManySteps: 100,000 steps in one instant.
	TooManySteps
	// BrokenOff: not known, the record ends before the run did. A run that could not go on has it, and Read gives it to a
	// trace without an end line.
	BrokenOff
	// Stopped: whoever ran it stopped it.
	Stopped
)

var endNames = [...]string{"finished", "idle", "until", "too-many-steps", "broken-off", "stopped"}

// String prints the reason in lower case with hyphens.
func (r EndReason) String() string { return nameOf("EndReason", endNames[:], r) }

// A Trace is a finished record.
type Trace struct {
	Header Header
	Events []Event // Events[i].N is i+1
	End    End
}

// Event returns the event of number n; nil if there is none.
func (t *Trace) Event(n int) *Event {
	if n < 1 || n > len(t.Events) {
		return nil
	}
	return &t.Events[n-1]
}
