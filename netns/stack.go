package netns

import (
	"net/netip"
	"time"

	"connectlab/trace"
)

// A Factory makes stacks of one kind.
type Factory interface {
	// Info tells what goes into a trace's header.
	Info() Info
	// New makes a fresh stack for a host. nil and no error breaks the contract, here and where a Socket is answered, and ends
	// the run.
	New(Env) (Stack, error)
}

// Info describes the stacks that a Factory makes.
type Info struct {
	Name        string          // "gvisor"
	Version     string          // of the code that it runs
	Settings    []trace.Setting // the defaults that shape what it does, in a fixed order
	Unsupported []string        // the calls and options that answer ErrUnsupported
	// Capabilities are what only some stacks can do and these can, of those that a run can need: see Config.Needs. The slice is
	// the Factory's.
	Capabilities []string
}

// Env is what a stack needs to know of its host.
type Env struct {
	Host       string       // the host's name
	Address    netip.Prefix // the host's own address and its network
	Link       trace.LinkType
	MAC        trace.MAC // of the host, on trace.LinkEthernet; else zero
	MTU        int       // of the link, octets; an Ethernet header is not counted
	ECN        bool      // whether connections shall use ECN where the peer does (RFC 3168)
	Seed       [32]byte  // everything random in the stack comes from here
	Generation int       // 0, and one more after each reboot
	Start      time.Time // the date at virtual time 0
	Now        time.Duration
}

// A Stack is a TCP/IP stack that the driver can work: it is polled, it shows no clock and no goroutine. Packets are
// octets that begin with the header that Env.Link says; the frames of Ethernet have no check sequence and need no
// padding. A stack that knows only frames is at home on trace.LinkIP where its adapter puts a header before what is delivered
// and takes it off what is sent. The driver makes one call after the other, never two at once; in real time Deadline may come
// from any goroutine.
//
// A stimulus is a Deliver, an Expire, Socket, or a call of a Socket, but not one that is tried again and blocks again. After
// each come, in this order: Settle, the look at the sockets (Inspector), Take until there is no more, and the calls that are
// blocked.
//
// What only some stacks can do is another interface, found by type assertion: Inspector, of a Socket UrgentSender.
type Stack interface {
	// Advance moves the stack's clock to now, the virtual time since the start of the run. It runs no timer.
	Advance(now time.Duration)
	// Deliver hands the stack one packet. The slice is the caller's again when Deliver returns.
	Deliver(packet []byte)
	// Settle returns when nothing of the last stimulus is still in work. A stack that changes its state when it makes a
	// segment makes here all that it has to send: at Take it is too late, the sockets have been looked at.
	Settle()
	// Take returns the next packet that the stack sent, in the order of sending, appended to buf[:0]; ok is false
	// when there is none. lost: the stack's own queue towards the link was full, the packet was thrown away there. More
	// than MaxPacketsPerStep in one step end the run.
	Take(buf []byte) (packet []byte, lost, ok bool)
	// Deadline is the time at which the next timer is due; ok is false when none is armed.
	Deadline() (at time.Duration, ok bool)
	// Expire runs the one timer that is due first, in the order of arming where several are due at one time. The
	// driver calls it with the clock at its Deadline. That the Deadline stays where it is ends the run.
	Expire() Expired
	// Socket makes a TCP socket.
	Socket(Family) (Socket, error)
	// Close destroys the stack. What it sends while it goes can still be taken. Nothing else may be called afterwards.
	Close()
}

// Family is an address family.
type Family uint8

// The address families.
const (
	IPv4 Family = iota
	IPv6
)

// Expired tells which timer ran out.
type Expired struct {
	Socket Socket // its owner; nil: the stack's own, or not known
	Name   string // the stack's name for it; empty: not known
}

// A Socket is a TCP socket with calls as in BSD that never block: they answer ErrWouldBlock or ErrInProgress. The
// driver tries again when something has happened that may have changed that. Sockets are compared with ==, so
// they are pointers.
type Socket interface {
	Bind(local netip.AddrPort) error
	Listen(backlog int) error
	// Accept hands out the connection that has waited longest, or ErrWouldBlock. A connection that Inspector.Touched
	// showed earlier is the same Socket.
	Accept() (Socket, error)
	// Connect begins to connect and answers ErrInProgress. Called again, it answers ErrInProgress as long as that goes
	// on, then, once, nil or the error that ended it.
	Connect(remote netip.AddrPort) error
	// Send takes over some or all of data and tells how many octets; ErrWouldBlock when it can take none now. 0 and no
	// error, of data that are not empty, breaks the contract and ends the run.
	Send(data []byte) (int, error)
	// Receive fills buf with what has arrived. 0 and no error: the peer has closed, and all its data were received.
	Receive(buf []byte) (int, error)
	Shutdown(How) error
	// Close gives the socket up; the stack ends the connection by itself.
	Close() error
	// Abort ends the connection at once (ABORT of RFC 9293, Section 3.10.5) and gives the socket up.
	Abort() error
	// PendingError returns the socket's pending error and clears it, as SO_ERROR does; nil without one, ErrUnsupported from
	// a stack that does not do that.
	PendingError() error
	Option(Option) (int, error)
	SetOption(Option, int) error
	// LocalAddr and RemoteAddr are the socket's own name and its peer's; invalid while it has none. They change nothing. The
	// record finds by them which socket a packet is of.
	LocalAddr() netip.AddrPort
	RemoteAddr() netip.AddrPort
}

// An UrgentSender is a Socket that can send urgent data (RFC 9293, Section 3.8.5). Its Factory declares
// trace.CapabilityUrgent.
type UrgentSender interface {
	Socket
	// SendUrgent is Send with MSG_OOB: the last octet of data is the last urgent one.
	SendUrgent(data []byte) (int, error)
}

// How says which direction Shutdown closes.
type How uint8

// The directions.
const (
	ShutRead How = iota
	ShutWrite
	ShutBoth
)

// Option is a socket option with an int value.
type Option uint8

// The options, with the unit of their values. A bool is 0 or 1.
const (
	ReuseAddress  Option = iota // bool
	SendBuffer                  // octets
	ReceiveBuffer               // octets
	KeepAlive                   // bool
	Linger                      // seconds; -1: off
	OOBInline                   // bool
	NoDelay                     // bool: Nagle's algorithm off
	MaxSegment                  // octets
	KeepIdle                    // seconds
	KeepInterval                // seconds
	KeepCount                   // probes
	UserTimeout                 // milliseconds
	TTL                         // hops; in IPv6 the hop limit
	TOS                         // the octet; in IPv6 the traffic class
	V6Only                      // bool
)

// An Inspector is a stack that lets its sockets be looked at. Blocked calls on its sockets are tried again only where it
// says that something has changed; those of other stacks after each stimulus.
type Inspector interface {
	// Touched returns the sockets that the last stimulus may have changed, in the order in which they were first seen. Among
	// them are those that no descriptor names: a connection that has not been accepted, one that was closed and lives on. A
	// socket that is gone is returned once more. Each is a Reporter. A call that is blocked on one that is left out stays
	// blocked; an Accept goes on as well where a connection that came to its listener is there. Touched is asked once after
	// each stimulus. The slice is the stack's, until the next.
	Touched() []Socket
}

// A Reporter is a Socket that tells of its inside. Looking changes nothing.
type Reporter interface {
	Socket
	// Status tells the socket's state.
	Status() Status
	// Report fills info, which is zero, with all control information that the stack has for the socket now. An item
	// that the stack has but does not let be seen is hidden, one that it does not have is left alone.
	Report(info *trace.ControlInfo)
}

// Status is the state of a socket.
type Status struct {
	State    trace.State
	Word     string       // the stack's own word
	Source   trace.Source // whether State was read when the step had settled, or told by the stack
	Listener Socket       // the listening socket that the connection came to; nil: none
	Gone     bool         // the stack has done with it, and no descriptor names it
}
