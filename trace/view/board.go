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
	several  map[string]bool // hosts with more than one socket: their states are numbered
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
		o: o, sockets: trace.Sockets(t), index: make(map[socketKey]*trace.Socket), ends: make(map[endKey][]*trace.Socket), several: make(map[string]bool),
		now: make(map[socketKey]trace.State), listener: make(map[endKey]int), last: make(map[string]int),
	}
	seen := make(map[string]int)
	for i := range b.sockets {
		s := &b.sockets[i]
		b.index[socketKey{s.Host, s.Number}] = s
		key := endKey{s.Host, s.Local, s.Remote}
		b.ends[key] = append(b.ends[key], s)
		if seen[s.Host]++; seen[s.Host] > 1 {
			b.several[s.Host] = true
		}
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

// peer finds the socket of another host to show beside a socket: its other end, else who listens there, else the one
// that was shown last.
func (b *board) peer(of socketKey, host string, n int) int {
	if s := b.index[of]; s != nil && s.Remote.IsValid() {
		found := 0
		for _, other := range b.ends[endKey{host, s.Remote, s.Local}] {
			if _, seen := b.now[socketKey{host, other.Number}]; seen && other.First <= n {
				found = other.Number
			}
		}
		if found != 0 {
			return found
		}
		if l := b.listener[listening(host, s.Remote.Port())]; l != 0 {
			return l
		}
	}
	return b.last[host]
}
