package trace

import (
	"math"
	"net/netip"
	"slices"
)

// A Socket is what a trace tells of one socket, from the event in which it was first seen until it is gone.
type Socket struct {
	Host   string
	Number int
	// Listener is the number of the listening socket that the connection came to; 0: none.
	Listener int
	// Descriptors are those that named it, in the order in which it got them.
	Descriptors []Descriptor
	// Local and Remote are the last names that it had. An address or a port that never became known is zero.
	Local, Remote netip.AddrPort
	// Stays are the states that it was in, in order.
	Stays []Stay
	// First is the N of the first event about it. Gone is the N of the event that ended it: it was in CLOSED and no
	// descriptor named it any more, or its host was rebooted. 0: it was there to the end.
	First, Gone int
}

// A Descriptor is a number by which a program named a socket for a while.
type Descriptor struct {
	FD int
	// From is the N of the Return that handed it out, or of the first Call on it that the trace has. To is the N of the
	// Call that gave it back, or of a reboot; 0: neither happened.
	From, To int
}

// A Stay is a state that a socket was in, from the event of number N on.
type Stay struct {
	N     int
	State State
	Word  string // the stack's own word
}

// At is the state that the socket was in when the event of number n had happened. Before the first one is known it
// is the zero Stay.
func (s *Socket) At(n int) Stay {
	behind, _ := slices.BinarySearchFunc(s.Stays, n+1, func(stay Stay, n int) int { return stay.N - n })
	if behind == 0 {
		return Stay{}
	}
	return s.Stays[behind-1]
}

// Sockets folds the events of a trace into its sockets, in the order in which they were first seen. The names come
// from the control information where the trace has it, else from calls and segments.
func Sockets(t *Trace) []Socket {
	f := socketFold{index: make(map[socketKey]int), fds: make(map[descriptorKey]socketPlace)}
	for i := range t.Events {
		f.event(t, &t.Events[i])
	}
	for i := range f.sockets {
		f.end(&f.sockets[i])
	}
	return f.sockets
}

type socketKey struct {
	host   string
	number int
}

type descriptorKey struct {
	host string
	fd   int
}

// socketPlace is where a descriptor stands: the index of its socket, and its index among that socket's descriptors.
type socketPlace struct{ socket, descriptor int }

type socketFold struct {
	sockets []Socket
	index   map[socketKey]int
	fds     map[descriptorKey]socketPlace // those that are open
}

// at returns the index of a socket, which is made if this is the first that is seen of it.
func (f *socketFold) at(host string, number, n int) int {
	key := socketKey{host, number}
	i, ok := f.index[key]
	if !ok {
		i = len(f.sockets)
		f.index[key] = i
		f.sockets = append(f.sockets, Socket{Host: host, Number: number, First: n})
	}
	return i
}

func (f *socketFold) event(t *Trace, e *Event) {
	if h, ok := e.Detail.(*HostChange); ok && h.What == Reboot {
		f.reboot(e)
	}
	if e.Socket == 0 {
		return
	}
	at := f.at(e.Host, e.Socket, e.N)
	s := &f.sockets[at]
	switch d := e.Detail.(type) {
	case *Call:
		f.call(e, d, at)
	case *Return:
		if call := t.Event(d.Call); call != nil && d.Errno == "" {
			f.returned(e, d, call.Detail, at)
		}
	case *StateChange:
		s.Stays = append(s.Stays, Stay{e.N, d.To, d.Word})
		if d.Listener != 0 {
			s.Listener = d.Listener
		}
	case *Control:
		for i := range d.Changes {
			s.control(&d.Changes[i])
		}
	case *Sent:
		// A listener sends for others: the answer from a SYN cookie, a RST.
		if d.Packet.Kind == PacketTCP && s.At(e.N).State != Listen {
			s.Local, s.Remote = d.Packet.Source(), d.Packet.Destination()
		}
	case *Arrived, *Fate, *Timer, *HostChange, *Note:
	}
}

// descriptor gives fd to the socket of an index.
func (f *socketFold) descriptor(host string, fd, at, n int) {
	s := &f.sockets[at]
	s.Descriptors = append(s.Descriptors, Descriptor{FD: fd, From: n})
	f.fds[descriptorKey{host, fd}] = socketPlace{at, len(s.Descriptors) - 1}
}

func (f *socketFold) call(e *Event, c *Call, at int) {
	if c.FD >= 0 {
		key := descriptorKey{e.Host, c.FD}
		if open, ok := f.fds[key]; !ok || open.socket != at {
			f.descriptor(e.Host, c.FD, at, e.N)
		}
		if c.Name == "close" || c.Name == "abort" {
			open := f.fds[key]
			f.sockets[open.socket].Descriptors[open.descriptor].To = e.N
			delete(f.fds, key)
		}
	}
	s := &f.sockets[at]
	switch {
	case !c.Addr.IsValid():
	case c.Name == "bind":
		s.Local = c.Addr
	case c.Name == "connect":
		s.Remote = c.Addr
	}
}

// returned takes in what a call gave back. A descriptor is the result of socket and accept only.
func (f *socketFold) returned(e *Event, r *Return, call Detail, at int) {
	c, ok := call.(*Call)
	if !ok || r.Result < 0 || r.Result > math.MaxInt32 {
		return
	}
	switch {
	case c.Name == "socket":
		f.descriptor(e.Host, int(r.Result), at, e.N)
	case r.Accepted != 0:
		accepted := f.at(e.Host, r.Accepted, e.N)
		f.descriptor(e.Host, int(r.Result), accepted, e.N)
	}
}

func (s *Socket) control(c *Change) {
	switch c.Item {
	case LocalAddress:
		s.Local = netip.AddrPortFrom(addressOf(c.New(), s.Local), s.Local.Port())
	case RemoteAddress:
		s.Remote = netip.AddrPortFrom(addressOf(c.New(), s.Remote), s.Remote.Port())
	case LocalPort:
		s.Local = netip.AddrPortFrom(s.Local.Addr(), portOf(c.New(), s.Local))
	case RemotePort:
		s.Remote = netip.AddrPortFrom(s.Remote.Addr(), portOf(c.New(), s.Remote))
	default:
	}
}

// addressOf reads an address out of a value. A value without one leaves what was known: a socket that closes forgets
// its names, and the reader of a trace still wants them.
func addressOf(v Value, known netip.AddrPort) netip.Addr {
	a, err := netip.ParseAddr(v.Text)
	if v.Kind != Text || err != nil {
		return known.Addr()
	}
	return a
}

// portOf reads a port out of a value, as addressOf an address.
func portOf(v Value, known netip.AddrPort) uint16 {
	if v.Kind != Number || v.Num < 0 || v.Num > math.MaxUint16 {
		return known.Port()
	}
	return uint16(v.Num)
}

// reboot ends every socket of a host.
func (f *socketFold) reboot(e *Event) {
	for i := range f.sockets {
		s := &f.sockets[i]
		if s.Host != e.Host || s.Gone != 0 {
			continue
		}
		s.Gone = e.N
		for j := range s.Descriptors {
			if d := &s.Descriptors[j]; d.To == 0 {
				d.To = e.N
				delete(f.fds, descriptorKey{e.Host, d.FD})
			}
		}
	}
}

// end finds out whether a socket is gone: in CLOSED, and no descriptor names it.
func (f *socketFold) end(s *Socket) {
	if s.Gone != 0 || len(s.Stays) == 0 || s.Stays[len(s.Stays)-1].State != Closed {
		return
	}
	gone := s.Stays[len(s.Stays)-1].N
	for _, d := range s.Descriptors {
		if d.To == 0 {
			return
		}
		gone = max(gone, d.To)
	}
	if len(s.Stays) > 1 || len(s.Descriptors) > 0 {
		s.Gone = gone
	}
}
