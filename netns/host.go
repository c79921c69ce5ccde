package netns

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"connectlab/trace"
)

// host is one end of the link.
type host struct {
	name       string
	index      int // 0: client
	addr       netip.Prefix
	mac        trace.MAC
	factory    Factory
	generation int
	stack      Stack
	inspector  Inspector // nil: the stack cannot be looked into
	stream     Stream    // what it sends
	peer       Stream    // what it receives

	numbers     int // of sockets handed out
	sockets     map[Socket]*socket
	live        []*socket // in the order in which they were first seen; only without an inspector
	byNumber    map[int]*socket
	byTuple     map[tuple]*socket
	children    map[int][]int // of each listener, by number, also when it is gone
	listeners   []*socket
	descriptors []descriptor // descriptors[i] is descriptor firstDescriptor+i
	blocked     []*process   // in the order in which they blocked
	touched     []*socket    // by the last stimulus
	last        int          // the N of its last event
	lanes       int          // how many there are
}

// firstDescriptor is the lowest descriptor that socket and accept hand out: 0, 1 and 2 are taken, as in any process.
const firstDescriptor = 3

type descriptor struct {
	socket      *socket // nil: free
	nonBlocking bool
}

// tuple names a connection from its host's side.
type tuple struct{ local, remote netip.AddrPort }

// socket is what the driver knows of one socket.
type socket struct {
	number   int
	sock     Socket
	reporter Reporter // nil without an inspector
	seen     bool     // its first StateChange was recorded
	state    trace.State
	word     string
	moved    uint64             // when it came to its state, in looks
	info     *trace.ControlInfo // as recorded last; nil where none is recorded
	at       tuple              // what it says of itself
	holds    bool               // it is in host.byTuple: segments with these addresses are its own
	listener *socket
	accepted bool // accept has handed it out
	listens  bool
	gone     bool

	sent, received uint64 // octets, the positions in the streams
	connecting     bool   // a connect was begun and has not reported its end
	mark           uint64 // when it was touched last, in looks
}

// find returns what the driver knows of s, and makes it known and numbered if it is new.
func (h *host) find(s Socket) *socket {
	if k := h.sockets[s]; k != nil {
		return k
	}
	h.numbers++
	k := &socket{number: h.numbers, sock: s}
	h.sockets[s] = k
	h.byNumber[k.number] = k
	if h.inspector != nil {
		k.reporter = s.(Reporter)
	} else {
		h.live = append(h.live, k)
	}
	return k
}

// gone reports whether s was forgotten: a timer that nobody stopped may still name it. It would get another number. So
// would one that a stack without an inspector has made and no call has handed out yet; it gets its number then.
func (h *host) gone(s Socket) bool {
	if h.sockets[s] != nil {
		return false
	}
	return h.inspector == nil || s.(Reporter).Status().Gone
}

// cameTo says that a connection came to a listener.
func (h *host) cameTo(listener, k *socket) {
	k.listener = listener
	h.children[listener.number] = append(h.children[listener.number], k.number)
}

// place keeps the tables of addresses in step with what the socket says. One that is CLOSED has its addresses still,
// but no packet is for it any more.
func (h *host) place(k *socket) {
	t := tuple{k.sock.LocalAddr(), k.sock.RemoteAddr()}
	holds := t.remote.IsValid() && k.state != trace.Closed
	if t == k.at && holds == k.holds {
		return
	}
	if k.holds && h.byTuple[k.at] == k {
		delete(h.byTuple, k.at)
	}
	k.at, k.holds = t, holds
	if holds {
		h.byTuple[t] = k
	}
}

// setListens keeps the list of listeners in step.
func (h *host) setListens(k *socket, listens bool) {
	if k.listens == listens {
		return
	}
	k.listens = listens
	if listens {
		h.listeners = append(h.listeners, k)
		return
	}
	for i, l := range h.listeners {
		if l == k {
			h.listeners = append(h.listeners[:i], h.listeners[i+1:]...)
			return
		}
	}
}

// forget drops a socket that is gone. Its number is never used again. Without an inspector that is one that was closed:
// the stack may still be busy with it, and segments with its addresses are its own until another socket takes them.
func (h *host) forget(k *socket) {
	delete(h.sockets, k.sock)
	delete(h.byNumber, k.number)
	if k.reporter != nil && k.holds && h.byTuple[k.at] == k {
		delete(h.byTuple, k.at)
	}
	h.setListens(k, false)
	for i, l := range h.live {
		if l == k {
			h.live = append(h.live[:i], h.live[i+1:]...)
			break
		}
	}
}

// listenerAt is the listening socket for a local address; nil if there is none.
func (h *host) listenerAt(local netip.AddrPort) *socket {
	for _, l := range h.listeners {
		if l.at.local.Port() == local.Port() && (l.at.local == local || !l.at.local.Addr().IsValid() || l.at.local.Addr().IsUnspecified()) {
			return l
		}
	}
	return nil
}

// holder is the socket that a packet with these addresses belongs to: the connection, else the listener, else nil.
func (h *host) holder(t tuple) *socket {
	if k := h.byTuple[t]; k != nil {
		return k
	}
	return h.listenerAt(t.local)
}

// open gives a socket the lowest descriptor that is free.
func (h *host) open(k *socket) int {
	for i := range h.descriptors {
		if h.descriptors[i].socket == nil {
			h.descriptors[i] = descriptor{socket: k}
			return i + firstDescriptor
		}
	}
	h.descriptors = append(h.descriptors, descriptor{socket: k})
	return len(h.descriptors) - 1 + firstDescriptor
}

// descriptor returns what a descriptor names; nil if nothing.
func (h *host) descriptor(fd int) *descriptor {
	i := fd - firstDescriptor
	if i < 0 || i >= len(h.descriptors) || h.descriptors[i].socket == nil {
		return nil
	}
	return &h.descriptors[i]
}

// boot makes a fresh stack and forgets everything about the one before.
func (h *host) boot(cfg *Config, now time.Duration) error {
	stack, err := h.factory.New(Env{
		Host: h.name, Address: h.addr, Link: cfg.Link, MAC: h.mac, MTU: cfg.MTU,
		ECN: slices.Contains(cfg.needs(h.name), trace.CapabilityECN), Seed: stackSeed(cfg.Seed, h.name, h.generation),
		Generation: h.generation, Start: Start, Now: now,
	})
	if err != nil {
		return &OpError{Op: "start the stack", Host: h.name, Err: err}
	}
	if stack == nil {
		return &OpError{Op: "start the stack", Host: h.name, Err: fmt.Errorf(
			"the stack %s answered no stack and no error, which a Factory never does", h.factory.Info().Name)}
	}
	h.stack = stack
	h.inspector, _ = stack.(Inspector)
	h.sockets = map[Socket]*socket{}
	h.byNumber = map[int]*socket{}
	h.byTuple = map[tuple]*socket{}
	if h.children == nil {
		h.children = map[int][]int{}
	}
	h.live, h.listeners, h.descriptors = nil, nil, nil
	return nil
}
