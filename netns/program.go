package netns

import (
	"fmt"
	"net/netip"
	"time"

	"connectlab/trace"
)

// A Program is an application on a host: it is asked for its next call when the last one has returned. Calls block
// until they have a result, unless the descriptor was made non-blocking.
type Program interface {
	// Next returns the next call, or false when the program is over. last is what came of the call before; at first,
	// and after a reboot of the host (when the call before may never have returned), Made is false. The data of last
	// belong to the sandbox and are good until Next returns.
	Next(last Outcome) (Call, bool)
}

// A Binder is a Program whose calls are completed at the moment when they are made, since what a descriptor stands for
// may change between the return of one call and the time of the next: another program of the host makes it, or the host
// is rebooted.
type Binder interface {
	Program
	// Bind fills in FD and Addr of the call that Next returned last.
	Bind(*Call)
}

// Op is a socket call.
type Op uint8

// The calls, with what of Call they use.
const (
	OpSocket      Op = iota // Family
	OpBind                  // FD, Addr
	OpListen                // FD, N: the backlog
	OpAccept                // FD
	OpConnect               // FD, Addr
	OpSend                  // FD, Data, or N octets of the stream; Urgent
	OpReceive               // FD, N: octets at most
	OpSendAll               // FD, Data, or N octets of the stream: as many sends as it takes
	OpReceiveAll            // FD, N octets, fewer only at the end of data; N < 0: to the end of data
	OpShutdown              // FD, How
	OpClose                 // FD
	OpAbort                 // FD
	OpGetError              // FD: SO_ERROR, the value is the pending error's name, or 0
	OpGetOption             // FD, Option: the value is the option's
	OpSetOption             // FD, Option, N
	OpNonBlocking           // FD, N: 1 makes the descriptor non-blocking, 0 blocking
)

var opNames = [...]string{
	"socket", "bind", "listen", "accept", "connect", "send", "recv", "sendall", "recvall", "shutdown", "close", "abort",
	"getsockopt", "getsockopt", "setsockopt", "fcntl",
}

// String prints the call's name as in C.
func (o Op) String() string {
	if int(o) < len(opNames) {
		return opNames[o]
	}
	return fmt.Sprintf("Op(%d)", uint8(o))
}

// A Call is one line of a program.
type Call struct {
	Op Op
	// At is when the call is made: counted from the return of the program's previous call, or, if Absolute, from the
	// start of the run (at once, if that is over).
	At       time.Duration
	Absolute bool

	FD     int
	Family Family
	Addr   netip.AddrPort
	// Data are the octets to send. Nil: N octets of the stream, whose octet k is the same for a seed, a direction and
	// a k. See Stream.
	Data   []byte
	N      int
	How    How
	Option Option
	// Urgent sends with MSG_OOB: the last octet is the last urgent one. See UrgentSender.
	Urgent bool
	// Verify compares what is received with the stream; a difference makes Outcome.Mismatch.
	Verify bool

	Text string // other arguments as they print
	Line int    // the line of the story, from 1; 0: none. At one instant lines run in this order.
}

// An Outcome is what came of a call.
type Outcome struct {
	Made   bool           // false: there was no call before, or it died with its host
	Call   int            // the N of the Call's event; 0 without a recorder, and at first
	Socket int            // the number of the socket that it was made on, or that it made; 0: none
	Result int64          // as in C: -1 for an error; a descriptor; octets
	Errno  Errno          // empty: no error
	Value  trace.Value    // getsockopt: a Number, or a Text, the name of the pending error
	Count  int64          // octets that were sent or received before the error; 0: none, or no error
	Addr   netip.AddrPort // accept: the peer
	Data   []byte         // received, before an error too, at most the first 64 KiB
	// Mismatch is the position in the stream of the first octet that was received and is not the stream's; -1: none.
	Mismatch int64
	At       time.Duration
}

// Calls is a Program that makes the given calls one after the other, whatever comes of them.
func Calls(calls ...Call) Program { return &callList{calls} }

type callList struct{ rest []Call }

func (c *callList) Next(Outcome) (Call, bool) {
	if len(c.rest) == 0 {
		return Call{}, false
	}
	call := c.rest[0]
	c.rest = c.rest[1:]
	return call, true
}
