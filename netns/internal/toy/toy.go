// Package toy is a second stack for tests, so that nothing of gVisor's shape leaks into netns.Stack and what is built on
// it: polled, no goroutine, no timer, nothing to look into. It can do the plain story on a link that loses nothing, and
// besides only what gVisor cannot: it agrees on ECN and sends urgent data. It retransmits nothing, takes segments in their
// order only, answers no congestion, and has no state but "established".
package toy

import (
	"net/netip"
	"time"

	"connectlab/netns"
	"connectlab/trace"
	"connectlab/trace/wire"
)

// Name is what a trace's header calls the toy.
const Name = "toy"

// A Factory makes toys. Its zero value is ready.
type Factory struct{}

// A Stack is the toy of one host, a netns.Stack. Factory.New makes it.
type Stack struct {
	env     netns.Env
	out     [][]byte
	sockets []*Socket
	port    uint16
}

// Info makes Factory a netns.Factory.
func (Factory) Info() netns.Info {
	return netns.Info{
		Name: Name, Version: "1", Unsupported: []string{"abort", "getsockopt", "setsockopt but SO_OOBINLINE", "shutdown"},
		Capabilities: []string{trace.CapabilityIPv6, trace.CapabilityECN, trace.CapabilityUrgent},
	}
}

// New makes Factory a netns.Factory.
func (Factory) New(env netns.Env) (netns.Stack, error) { return &Stack{env: env, port: 40000}, nil }

func (*Stack) Advance(time.Duration)           {}
func (*Stack) Settle()                         {}
func (*Stack) Deadline() (time.Duration, bool) { return 0, false }
func (*Stack) Expire() netns.Expired           { return netns.Expired{} }
func (*Stack) Close()                          {}

func (t *Stack) Take(buf []byte) ([]byte, bool, bool) {
	if len(t.out) == 0 {
		return buf, false, false
	}
	p := t.out[0]
	t.out = t.out[1:]
	return append(buf, p...), false, true
}

func (t *Stack) Socket(netns.Family) (netns.Socket, error) {
	s := &Socket{stack: t}
	t.sockets = append(t.sockets, s)
	return s, nil
}

func (t *Stack) Deliver(octets []byte) {
	p := trace.Packet{Octets: octets, Len: len(octets)}
	if wire.Decode(&p); p.Kind != trace.PacketTCP || p.TCP.Checksum != trace.ChecksumGood {
		return
	}
	for _, s := range t.sockets {
		if s.local == p.Destination() && s.remote == p.Source() {
			s.segment(&p)
			return
		}
	}
	for _, l := range t.sockets {
		if l.listening && l.local == p.Destination() && p.TCP.Flags&^ecnSetup == trace.SYN {
			s := &Socket{stack: t, local: l.local, remote: p.Source(), listener: l, next: trace.Seq(t.env.Seed[0]), expect: p.TCP.Seq.Add(1)}
			t.sockets = append(t.sockets, s)
			flags := trace.SYN | trace.ACK
			if s.ecn = t.env.ECN && p.TCP.Flags.Has(ecnSetup); s.ecn {
				flags |= trace.ECE
			}
			s.send(flags, nil, 0)
			return
		}
	}
}

// ecnSetup is what a SYN has beside SYN that asks for ECN (RFC 3168, Section 6.1.1); the answer has ECE alone.
const ecnSetup = trace.ECE | trace.CWR

// capable is what the two lower bits of TOS say of a packet whose connection uses ECN (RFC 3168, Section 5): "ECN-capable transport".
const capable = 2

// A Socket is a connection, or a listener, of the toy: a netns.Socket. Stack.Socket makes it.
type Socket struct {
	netns.Unsupported
	stack                  *Stack
	local, remote          netip.AddrPort
	listening, established bool
	peerDone               bool // its FIN came
	ecn                    bool // both sides use it
	listener               *Socket
	queue                  []*Socket
	next, expect           trace.Seq
	data                   []byte
}

// send sends a segment, and counts what it occupies. urgent is the urgent pointer.
func (s *Socket) send(flags trace.Flags, data []byte, urgent int) {
	p := trace.Packet{Kind: trace.PacketTCP}
	p.IP = trace.IPHeader{Src: s.local.Addr(), Dst: s.remote.Addr(), TTL: 64}
	if s.ecn && len(data) > 0 {
		p.IP.TOS = capable
	}
	p.TCP = trace.Segment{
		SrcPort: s.local.Port(), DstPort: s.remote.Port(), Seq: s.next, Flags: flags, Window: 65535, Urgent: uint16(urgent), DataLen: len(data),
	}
	if flags.Has(trace.ACK) {
		p.TCP.Ack = s.expect
	}
	s.stack.out = append(s.stack.out, wire.Append(nil, &p, data))
	s.next = s.next.Add(p.TCP.Len())
}

func (s *Socket) segment(p *trace.Packet) {
	seg := &p.TCP
	switch {
	case seg.Flags&^ecnSetup == trace.SYN|trace.ACK && !s.established:
		s.expect, s.established = seg.Seq.Add(1), true
		s.ecn = s.stack.env.ECN && seg.Flags&ecnSetup == trace.ECE
		s.send(trace.ACK, nil, 0)
		return
	case s.listener != nil && !s.established:
		s.established = true
		s.listener.queue = append(s.listener.queue, s)
	}
	if seg.Len() == 0 || seg.Seq != s.expect {
		return
	}
	s.data = append(s.data, p.Data()...)
	s.expect = s.expect.Add(seg.Len())
	s.peerDone = s.peerDone || seg.Flags.Has(trace.FIN)
	s.send(trace.ACK, nil, 0)
}

func (s *Socket) Bind(a netip.AddrPort) error { s.local = a; return nil }
func (s *Socket) Listen(int) error            { s.listening = true; return nil }
func (s *Socket) LocalAddr() netip.AddrPort   { return s.local }
func (s *Socket) RemoteAddr() netip.AddrPort  { return s.remote }

func (s *Socket) Accept() (netns.Socket, error) {
	if len(s.queue) == 0 {
		return nil, netns.ErrWouldBlock
	}
	c := s.queue[0]
	s.queue = s.queue[1:]
	return c, nil
}

func (s *Socket) Connect(remote netip.AddrPort) error {
	switch {
	case s.established:
		return nil
	case !s.remote.IsValid():
		s.stack.port++
		s.local, s.remote = netip.AddrPortFrom(s.stack.env.Address.Addr(), s.stack.port), remote
		s.next = trace.Seq(s.stack.env.Seed[0])
		flags := trace.SYN
		if s.stack.env.ECN {
			flags |= ecnSetup
		}
		s.send(flags, nil, 0)
	}
	return netns.ErrInProgress
}

func (s *Socket) Send(data []byte) (int, error) { return s.give(data, false) }

// SendUrgent makes Socket a netns.UrgentSender: the urgent pointer points behind the last octet (RFC 9293, Section 3.1).
func (s *Socket) SendUrgent(data []byte) (int, error) { return s.give(data, true) }

func (s *Socket) give(data []byte, urgent bool) (int, error) {
	if !s.established {
		return 0, netns.ErrNotConnected
	}
	for rest := data; len(rest) > 0; {
		n, flags, pointer := min(len(rest), 1000), trace.PSH|trace.ACK, 0
		if urgent {
			flags, pointer = flags|trace.URG, len(rest)
		}
		s.send(flags, rest[:n], pointer)
		rest = rest[n:]
	}
	return len(data), nil
}

// SetOption takes what the toy does anyway: urgent octets stay among the data.
func (s *Socket) SetOption(option netns.Option, value int) error {
	if option == netns.OOBInline && value != 0 {
		return nil
	}
	return netns.ErrUnsupported
}

func (s *Socket) Receive(buf []byte) (int, error) {
	if len(s.data) == 0 && !s.peerDone {
		return 0, netns.ErrWouldBlock
	}
	n := copy(buf, s.data)
	s.data = s.data[n:]
	return n, nil
}

func (s *Socket) Close() error {
	if s.established {
		s.send(trace.FIN|trace.ACK, nil, 0)
	}
	return nil
}
