package view

import (
	"fmt"
	"net/netip"

	"connectlab/trace"
)

// A board follows the states of all sockets through a trace, and finds the socket at the other end of each.
type board struct {
	o        *Options
	sockets  []trace.Socket
	index    map[socketKey]*trace.Socket
	ends     map[endKey][]*trace.Socket
	host     map[string][]*trace.Socket
	unnamed  map[string][]*trace.Socket // sockets of a host that never had both names
	several  map[string]bool            // hosts with more than one socket: their states are numbered
	now      map[socketKey]trace.State
	listener map[endKey]int // the listening socket of a host and a port
	last     map[string]int // the socket that was shown last
}

type socketKey struct {
	host   string
	number int
}

// endKey is a connection as one host sees it. For listeners only the local port is filled.
type endKey struct {
	host          string
	local, remote netip.AddrPort
}

func newBoard(t *trace.Trace, o *Options) *board {
	b := &board{
		o: o, sockets: trace.Sockets(t), index: make(map[socketKey]*trace.Socket), ends: make(map[endKey][]*trace.Socket),
		host: make(map[string][]*trace.Socket), unnamed: make(map[string][]*trace.Socket), several: make(map[string]bool),
		now: make(map[socketKey]trace.State), listener: make(map[endKey]int), last: make(map[string]int),
	}
	for i := range b.sockets {
		s := &b.sockets[i]
		b.index[socketKey{s.Host, s.Number}] = s
		key := endKey{s.Host, s.Local, s.Remote}
		b.ends[key] = append(b.ends[key], s)
		b.host[s.Host] = append(b.host[s.Host], s)
		if !known(s.Local) || !known(s.Remote) {
			b.unnamed[s.Host] = append(b.unnamed[s.Host], s)
		}
		b.several[s.Host] = len(b.host[s.Host]) > 1
	}
	return b
}

func listening(host string, port uint16) endKey {
	return endKey{host: host, local: netip.AddrPortFrom(netip.Addr{}, port)}
}

// change takes in another state.
func (b *board) change(e *trace.Event, s *trace.StateChange) {
	b.now[socketKey{e.Host, e.Socket}] = s.To
	if socket := b.index[socketKey{e.Host, e.Socket}]; socket != nil {
		key := listening(e.Host, socket.Local.Port())
		if s.To == trace.Listen {
			b.listener[key] = e.Socket
		} else if b.listener[key] == e.Socket {
			delete(b.listener, key)
		}
	}
}

// forget takes all sockets of a host away: it was rebooted.
func (b *board) forget(host string) {
	for _, s := range b.sockets {
		if s.Host == host {
			delete(b.now, socketKey{host, s.Number})
		}
	}
	for key := range b.listener {
		if key.host == host {
			delete(b.listener, key)
		}
	}
	delete(b.last, host)
}

// label is a socket's state, after its number where the host has several: "2:SYN-RECEIVED". Empty without a state.
func (b *board) label(host string, number int) string {
	s, ok := b.now[socketKey{host, number}]
	if !ok {
		return ""
	}
	return b.labelOf(host, number, s)
}

func (b *board) labelOf(host string, number int, s trace.State) string {
	if b.several[host] {
		return fmt.Sprintf("%d:%s", number, b.o.stateName(s))
	}
	return b.o.stateName(s)
}

// peer finds the socket of another host to show beside a socket: its other end, else one that may be its other end,
// else who listens there, else the one that was shown last.
func (b *board) peer(of socketKey, host string, n int) int {
	if s := b.index[of]; s != nil && s.Remote.IsValid() {
		found := 0
		for _, other := range b.ends[endKey{host, s.Remote, s.Local}] {
			if _, seen := b.now[socketKey{host, other.Number}]; seen && other.First <= n {
				found = other.Number
			}
		}
		if found != 0 && known(s.Local) { // without a name of its own it finds the listener, which has no peer
			return found
		}
		if found := b.unnamedPeer(s, host, n); found != 0 {
			return found
		}
		if l := b.listener[listening(host, s.Remote.Port())]; l != 0 {
			return l
		}
	}
	return b.last[host]
}

// unnamedPeer finds a socket that may be the other end of s as far as their stacks tell their names: the one that was
// shown last, else the newest; 0 if there is none. Without it the state would jump to the listener's whenever the
// other side does something.
func (b *board) unnamedPeer(s *trace.Socket, host string, n int) int {
	candidates := b.unnamed[host]
	if !known(s.Local) {
		candidates = b.host[host]
	}
	found := 0
	for _, other := range candidates {
		_, seen := b.now[socketKey{host, other.Number}]
		if !seen || other.First > n || !hasConnected(other, n) || !agree(s.Local, other.Remote) || !agree(s.Remote, other.Local) {
			continue
		}
		if other.Number == b.last[host] {
			return other.Number
		}
		found = other.Number
	}
	return found
}

// hasConnected reports whether a socket has been in a state of a connection: it is new no longer, and no listener.
func hasConnected(s *trace.Socket, n int) bool {
	connected := false
	for _, stay := range s.Stays {
		switch {
		case stay.N > n:
			return connected
		case stay.State == trace.Listen:
			return false
		case stay.State != trace.Closed:
			connected = true
		}
	}
	return connected
}

// known reports whether a name says which end of a connection it is.
func known(a netip.AddrPort) bool {
	return a.Addr().IsValid() && !a.Addr().IsUnspecified() && a.Port() != 0
}

// agree reports whether two names, as far as they are known, are the same.
func agree(a, b netip.AddrPort) bool { return a == b || !known(a) || !known(b) }
