package main

import (
	"encoding/binary"
	"net/netip"

	"connectlab/trace"
	"connectlab/trace/wire"
)

// A tcp stands for the stack that you bring: a TCP in miniature that knows nothing of netns. Packets go into input and come
// out of output. It sends each segment once, has no timer, and takes segments in their order only.
type tcp struct {
	addr  netip.Addr
	iss   trace.Seq // of each connection
	port  uint16    // the ephemeral one that was given last
	ports map[netip.AddrPort]*listener
	conns map[ends]*conn
	out   [][]byte // sent, and not yet taken
}

type ends struct{ local, remote netip.AddrPort }

// A listener has the connections that came to it and were not taken yet.
type listener struct {
	tcp   *tcp
	local netip.AddrPort
	queue []*conn
}

// A conn is a connection.
type conn struct {
	ends
	tcp            *tcp
	listener       *listener // that it came to; nil: it was made by connect
	established    bool
	reset          bool // by a RST
	finished       bool // the peer's FIN has come
	sndNxt, rcvNxt trace.Seq
	data           []byte // received, and not yet read
}

// newTCP takes everything random from seed, so that a run can be repeated.
func newTCP(addr netip.Addr, seed [32]byte) *tcp {
	return &tcp{
		addr: addr, iss: trace.Seq(binary.BigEndian.Uint32(seed[:])), port: 49152 + uint16(seed[4]),
		ports: map[netip.AddrPort]*listener{}, conns: map[ends]*conn{},
	}
}

func (t *tcp) output() (packet []byte, ok bool) {
	if len(t.out) == 0 {
		return nil, false
	}
	packet, t.out = t.out[0], t.out[1:]
	return packet, true
}

func (t *tcp) input(packet []byte) {
	p := trace.Packet{Octets: packet, Len: len(packet)}
	if wire.Decode(&p); p.Kind != trace.PacketTCP || p.TCP.Checksum != trace.ChecksumGood {
		return
	}
	seg, at := &p.TCP, ends{p.Destination(), p.Source()}
	if c := t.conns[at]; c != nil {
		c.arrives(seg, p.Data())
		return
	}
	c := &conn{ends: at, tcp: t, sndNxt: seg.Ack, rcvNxt: seg.Seq.Add(seg.Len())}
	if l := t.ports[at.local]; l != nil && seg.Flags == trace.SYN {
		c.listener, c.sndNxt = l, t.iss
		t.conns[at] = c
		c.send(trace.SYN|trace.ACK, nil)
	} else if seg.Flags&(trace.RST|trace.ACK) == 0 { // nobody is there (RFC 9293, Section 3.10.7.1)
		c.sndNxt = 0
		c.send(trace.RST|trace.ACK, nil)
	} else if !seg.Flags.Has(trace.RST) {
		c.send(trace.RST, nil)
	}
}

func (t *tcp) listen(local netip.AddrPort) *listener {
	t.ports[local] = &listener{tcp: t, local: local}
	return t.ports[local]
}

// next is the connection that has waited longest; nil: none. A nil listener has none.
func (l *listener) next() *conn {
	if l == nil || len(l.queue) == 0 {
		return nil
	}
	c := l.queue[0]
	l.queue = l.queue[1:]
	return c
}

func (l *listener) close() {
	if l != nil {
		delete(l.tcp.ports, l.local)
	}
}

// connect sends a SYN. A local address that is not valid stands for one with an ephemeral port.
func (t *tcp) connect(local, remote netip.AddrPort) *conn {
	if !local.IsValid() {
		t.port++
		local = netip.AddrPortFrom(t.addr, t.port)
	}
	c := &conn{ends: ends{local, remote}, tcp: t, sndNxt: t.iss}
	t.conns[c.ends] = c
	c.send(trace.SYN, nil)
	return c
}

func (c *conn) arrives(seg *trace.Segment, data []byte) {
	switch {
	case seg.Flags.Has(trace.RST):
		c.reset = true
		return
	case !c.established && c.listener != nil:
		c.listener.queue = append(c.listener.queue, c)
	case !c.established:
		c.rcvNxt = seg.Seq // of the SYN,ACK
	}
	c.established = true
	if seg.Seq == c.rcvNxt && seg.Len() > 0 {
		c.data, c.finished = append(c.data, data...), seg.Flags.Has(trace.FIN)
		c.rcvNxt = c.rcvNxt.Add(seg.Len())
		c.send(trace.ACK, nil)
	}
}

// open: octets can be sent. On a nil conn none can.
func (c *conn) open() bool { return c != nil && c.established && !c.reset }

// write takes as much as goes into one segment for a peer whose MSS is not known (RFC 9293, Section 3.7.1).
func (c *conn) write(data []byte) int {
	data = data[:min(len(data), 536)]
	c.send(trace.PSH|trace.ACK, data)
	return len(data)
}

// read hands out what was received; end: there will be no more.
func (c *conn) read(buf []byte) (n int, end bool) {
	n = copy(buf, c.data)
	c.data = c.data[n:]
	return n, c.finished
}

func (c *conn) close() {
	if c.open() {
		c.send(trace.FIN|trace.ACK, nil)
	}
}

func (c *conn) send(flags trace.Flags, data []byte) {
	p := trace.Packet{Kind: trace.PacketTCP, IP: trace.IPHeader{Src: c.local.Addr(), Dst: c.remote.Addr(), TTL: 64}}
	p.TCP = trace.Segment{SrcPort: c.local.Port(), DstPort: c.remote.Port(), Seq: c.sndNxt, Flags: flags, Window: 65535, DataLen: len(data)}
	if flags.Has(trace.ACK) {
		p.TCP.Ack = c.rcvNxt
	}
	c.tcp.out = append(c.tcp.out, wire.Append(nil, &p, data))
	c.sndNxt = c.sndNxt.Add(p.TCP.Len())
}
