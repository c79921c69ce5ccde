package gvisor

import (
	"cmp"
	"encoding/binary"
	"slices"

	"connectlab/netns"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// A table knows the sockets of a stack: each is one gVisor endpoint, from the moment when it is first seen until it is
// gone. A four-tuple may come back while its former holder is still there, with a descriptor that names it: byTuple
// has the holder that was seen last.
type table struct {
	byEndpoint map[*tcp.Endpoint]*socket
	byTuple    map[stack.TransportEndpointID]*socket
	seen       uint64 // how many sockets were seen
	stimulus   uint64 // how many stimuli there were
	touched    []netns.Socket
}

func newTable() table {
	return table{byEndpoint: make(map[*tcp.Endpoint]*socket), byTuple: make(map[stack.TransportEndpointID]*socket)}
}

// all are the sockets in the order in which they were first seen.
func (t *table) all() []*socket {
	list := make([]*socket, 0, len(t.byEndpoint))
	for _, w := range t.byEndpoint {
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b *socket) int { return cmp.Compare(a.seen, b.seen) })
	return list
}

// hold says that w has its endpoint's four-tuple from now on, and returns who had it before; nil if nobody had.
func (t *table) hold(w *socket) (before *socket) {
	w.tuple = w.ep.TransportEndpointInfo.ID
	before = t.byTuple[w.tuple]
	if before == w {
		return nil
	}
	t.byTuple[w.tuple] = w
	return before
}

// forget takes a socket that is gone out of the table.
func (t *table) forget(w *socket) {
	delete(t.byEndpoint, w.ep)
	if t.byTuple[w.tuple] == w {
		delete(t.byTuple, w.tuple)
	}
	w.unlink()
}

// Touched returns the sockets that the last stimulus may have changed.
func (s *netstack) Touched() []netns.Socket { return s.sockets.touched }

// begin starts a stimulus.
func (s *netstack) begin() {
	clear(s.sockets.touched)
	s.sockets.touched = s.sockets.touched[:0]
	s.sockets.stimulus++
}

// touch says that the stimulus may have changed w. Touched sockets are kept in the order of first sight.
func (s *netstack) touch(w *socket) {
	if w.stimulus == s.sockets.stimulus {
		return
	}
	w.stimulus = s.sockets.stimulus
	list := append(s.sockets.touched, w)
	for i := len(list) - 1; i > 0 && list[i-1].(*socket).seen > w.seen; i-- {
		list[i-1], list[i] = w, list[i-1]
	}
	s.sockets.touched = list
}

// touchWithListener touches w and, as long as w counts in a listener's queues, that listener.
func (s *netstack) touchWithListener(w *socket) {
	s.touch(w)
	if w.waiting {
		s.touch(w.listener)
	}
}

// touchChildren touches the connections that wait at a listener, before and after they are established.
func (s *netstack) touchChildren(listener *socket) {
	for w := listener.first; w != nil; w = w.next {
		s.touch(w)
	}
}

// finishSoon does what gVisor has put off until its caller has let its locks go: to ask for a neighbor's address, and,
// when that is known or nobody has answered, to send what waited for it or to tell the sockets. Which ones these are gVisor
// does not tell, so all are touched.
func (s *netstack) finishSoon() {
	done := false
	for s.clock.runSoon() {
		s.barrier.wait()
		done = true
	}
	if done {
		for _, w := range s.sockets.all() {
			s.touch(w)
		}
	}
}

// end finishes a stimulus: what was put off is done, timers get their names, and sockets that are gone leave the table.
// They are still among the touched.
func (s *netstack) end() {
	s.finishSoon()
	s.nameTimers()
	for _, t := range s.sockets.touched {
		if w := t.(*socket); !w.gone && w.isGone() {
			w.gone = true
			s.sockets.forget(w)
		}
	}
}

// adopt makes the socket for an endpoint that was not seen before, and touches it.
func (s *netstack) adopt(ep *tcp.Endpoint) *socket {
	s.sockets.seen++
	w := &socket{host: s, ep: ep, seen: s.sockets.seen}
	s.sockets.byEndpoint[ep] = w
	s.touch(w)
	return w
}

// adoptChild makes the socket for a connection that came to a listener.
func (s *netstack) adoptChild(ep *tcp.Endpoint) *socket {
	w := s.adopt(ep)
	if before := s.sockets.hold(w); before != nil {
		s.touch(before)
	}
	listener := s.sockets.byEndpoint[fields.listener(ep)]
	if listener == nil {
		// A connection from a SYN cookie does not know its listener.
		id := w.tuple
		id.RemoteAddress, id.RemotePort = tcpip.Address{}, 0
		listener = s.sockets.byEndpoint[s.find(id)]
	}
	if listener != nil {
		listener.link(w)
		s.touch(listener)
	}
	return w
}

// find is the endpoint that a segment with this four-tuple would go to now; nil if there is none.
func (s *netstack) find(id stack.TransportEndpointID) *tcp.Endpoint {
	ep, _ := s.stack.FindTransportEndpoint(s.network, tcp.ProtocolNumber, id, nic).(*tcp.Endpoint)
	return ep
}

// Deliver hands the stack one packet.
func (s *netstack) Deliver(packet []byte) {
	s.begin()
	s.unsettled = true
	if !s.link.takes(packet) {
		s.arrived = arrival{}
		return
	}
	s.arrived = dissect(s.link.network(packet))
	s.inject(packet)
}

// Settle waits until the packet is done with, and finds the sockets that it may have changed: who held its
// four-tuple before, who holds it now, and the listener where one had a part in it.
func (s *netstack) Settle() {
	if !s.unsettled {
		return
	}
	s.unsettled = false
	s.barrier.wait()
	s.finishSoon()
	switch s.arrived.concerns {
	case nobodys:
	case aTuple:
		s.touchTuple(s.arrived.tuple)
	case anybody:
		for _, w := range s.sockets.all() {
			s.touch(w)
		}
	}
	s.end()
}

func (s *netstack) touchTuple(id stack.TransportEndpointID) {
	if held := s.sockets.byTuple[id]; held != nil {
		s.touchWithListener(held)
		if !held.closed() {
			return
		}
	}
	ep := s.find(id)
	if ep == nil {
		return
	}
	w := s.sockets.byEndpoint[ep]
	switch {
	case w != nil:
		s.touchWithListener(w)
	case ep.TransportEndpointInfo.ID == id:
		w = s.adoptChild(ep)
		if fields.fromCookie(ep) {
			w.cookie = cookie{iss: s.arrived.ack - 1, irs: s.arrived.seq - 1}
		}
	}
}

// An arrival is what a packet says of the sockets that it may concern.
type arrival struct {
	concerns concern
	tuple    stack.TransportEndpointID // as the socket here has it
	seq, ack uint32                    // of the TCP header
}

type concern uint8

const (
	nobodys concern = iota // it is for no socket
	aTuple                 // it is for the socket with this four-tuple, or for a listener that a connection with it would come to
	anybody                // a fragment, or something behind extension headers: only the stack knows
)

const (
	protocolICMP    = 1
	protocolTCP     = 6
	protocolICMPv6  = 58
	protocolUnknown = 255    // stands for one that dissectIP did not look for
	fragmentBits    = 0x3fff // "more fragments" and the offset, in the IPv4 header's fourth 16 bits
)

// dissect finds the four-tuple that a packet is about. An ICMP message is about that of the packet that it quotes.
func dissect(packet []byte) arrival {
	ip, ok := dissectIP(packet)
	if !ok {
		return arrival{}
	}
	rest := packet[ip.length:]
	switch ip.protocol {
	case protocolTCP:
		if len(rest) < header.TCPMinimumSize {
			return arrival{}
		}
		return arrival{
			concerns: aTuple,
			tuple: stack.TransportEndpointID{
				LocalAddress: ip.destination, LocalPort: binary.BigEndian.Uint16(rest[2:]),
				RemoteAddress: ip.source, RemotePort: binary.BigEndian.Uint16(rest),
			},
			seq: binary.BigEndian.Uint32(rest[4:]), ack: binary.BigEndian.Uint32(rest[8:]),
		}
	case protocolICMP, protocolICMPv6:
		const icmpHeader = 8
		if len(rest) < icmpHeader {
			return arrival{}
		}
		quoted, ok := dissectIP(rest[icmpHeader:])
		switch {
		case !ok || quoted.protocol != protocolTCP && quoted.protocol != protocolUnknown:
			return arrival{} // an echo, or an error about something that is no segment
		case quoted.protocol == protocolUnknown:
			return arrival{concerns: anybody}
		}
		ports := rest[icmpHeader+quoted.length:]
		if len(ports) < 4 {
			return arrival{}
		}
		return arrival{concerns: aTuple, tuple: stack.TransportEndpointID{
			LocalAddress: quoted.source, LocalPort: binary.BigEndian.Uint16(ports),
			RemoteAddress: quoted.destination, RemotePort: binary.BigEndian.Uint16(ports[2:]),
		}}
	case protocolUnknown:
		return arrival{concerns: anybody}
	}
	return arrival{}
}

type ipHeader struct {
	source, destination tcpip.Address
	protocol            uint8
	length              int
}

func dissectIP(packet []byte) (ipHeader, bool) {
	if len(packet) == 0 {
		return ipHeader{}, false
	}
	switch packet[0] >> 4 {
	case 4:
		length := int(packet[0]&15) * 4
		if length < header.IPv4MinimumSize || len(packet) < length {
			return ipHeader{}, false
		}
		ip := ipHeader{
			source: tcpip.AddrFrom4Slice(packet[12:16]), destination: tcpip.AddrFrom4Slice(packet[16:20]),
			protocol: packet[9], length: length,
		}
		if binary.BigEndian.Uint16(packet[6:])&fragmentBits != 0 {
			ip.protocol = protocolUnknown
		}
		return ip, true
	case 6:
		if len(packet) < header.IPv6MinimumSize {
			return ipHeader{}, false
		}
		ip := ipHeader{
			source: tcpip.AddrFrom16Slice(packet[8:24]), destination: tcpip.AddrFrom16Slice(packet[24:40]),
			protocol: packet[6], length: header.IPv6MinimumSize,
		}
		if ip.protocol != protocolTCP && ip.protocol != protocolICMPv6 {
			ip.protocol = protocolUnknown
		}
		return ip, true
	}
	return ipHeader{}, false
}
