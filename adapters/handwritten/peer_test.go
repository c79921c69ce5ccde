package handwritten_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/trace"
	"connectlab/trace/wire"
)

// A peer is the other end of one stack's connection, played by hand: calls on the stack's sockets on one side, segments made
// here on the other, and the clock between them. It keeps account of both ends' numbers by what crosses the wire alone, so that
// the stack's own account can be held against it.
type peer struct {
	testing.TB
	stack netns.Stack
	now   time.Duration

	host, other netip.AddrPort     // the stack's end of the connection and the peer's
	prepare     func(netns.Socket) // is called with each socket that the test makes; nil: nothing
	options     []byte             // of the peer's SYN
	timestamps  bool               // every segment of the peer's has a Timestamps option, with tsval, and all of the stack's shall
	tsval       uint32
	shift       uint8 // of the windows that the stack announces (RFC 7323, Section 2)

	listener netns.Socket // nil: the stack opened the connection
	sock     netns.Socket // the connection; nil: there is none
	closed   bool         // the program gave sock up

	iss, una, nxt trace.Seq // the stack's, by the RFC's names: ISS, SND.UNA, SND.NXT
	issKnown      bool
	irs, rcv      trace.Seq // the stack's IRS and RCV.NXT
	edge          trace.Seq // the first number that is right of the window for certain, as the stack announced it last
	inside        trace.Seq // the last number that is in it for certain
	window        uint16    // that the peer announces

	seg  trace.Segment // the peer's last segment: what the RFC calls SEG
	sent []sent        // what the stack sent since the last mark
	last sent          // the last that it sent at all
}

// sent is a segment of the stack's.
type sent struct {
	trace.Packet
	at time.Duration
}

// peerISS is the peer's initial sequence number: its numbers wrap early in the connection.
const peerISS = trace.Seq(0xffffff00)

// ackLimit is a delay that an ACK must stay below (RFC 9293, Section 3.8.6.3).
const ackLimit = 500 * time.Millisecond

// newPeer starts a stack on a network, at whose first address it is, and a peer at the second.
func newPeer(tb testing.TB, factory netns.Factory, network string, ecn bool) *peer {
	tb.Helper()
	prefix := netip.MustParsePrefix(network)
	host := prefix.Addr().Next()
	stack, err := factory.New(netns.Env{
		Host: netns.Server, Address: netip.PrefixFrom(host, prefix.Bits()), MTU: 1500, ECN: ecn, Seed: [32]byte{7}, Start: time.Unix(1e9, 0).UTC(),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(stack.Close)
	return &peer{
		TB: tb, stack: stack, window: 65535, irs: peerISS,
		host: netip.AddrPortFrom(host, 80), other: netip.AddrPortFrom(host.Next(), 5000),
	}
}

// must ends the test where a step that the test itself needs fails.
func (p *peer) must(err error) {
	p.Helper()
	if err != nil {
		p.Fatalf("a step before the event failed: %v", err)
	}
}

// socket makes a socket.
func (p *peer) socket() netns.Socket {
	p.Helper()
	family := netns.IPv4
	if p.host.Addr().Is6() {
		family = netns.IPv6
	}
	s, err := p.stack.Socket(family)
	p.must(err)
	if p.prepare != nil {
		p.prepare(s)
	}
	return s
}

// packet is one of the peer's: a segment from its end of the connection to the stack's, with the window that it announces.
func (p *peer) packet(flags trace.Flags, seq, ack trace.Seq, data string) trace.Packet {
	packet := trace.Packet{IP: trace.IPHeader{Src: p.other.Addr(), Dst: p.host.Addr(), TTL: 64}}
	packet.TCP = trace.Segment{
		SrcPort: p.other.Port(), DstPort: p.host.Port(), Seq: seq, Flags: flags, Window: p.window, DataLen: len(data),
	}
	if flags.Has(trace.ACK) {
		packet.TCP.Ack = ack
	}
	if flags.Has(trace.SYN) {
		packet.TCP.Options = p.options
	}
	if p.timestamps {
		option := binary.BigEndian.AppendUint32([]byte{1, 1, 8, 10}, p.tsval)
		echo, _, _ := p.last.TCP.Options.Timestamps()
		if !flags.Has(trace.ACK) {
			echo = 0
		}
		packet.TCP.Options = append(slices.Clone(packet.TCP.Options), binary.BigEndian.AppendUint32(option, echo)...)
	}
	return packet
}

// segment delivers one of the peer's segments, and takes what the stack sends on it at once. The ACK field is set with ACK only.
func (p *peer) segment(flags trace.Flags, seq, ack trace.Seq, data string) {
	p.Helper()
	p.put(p.packet(flags, seq, ack, data), data)
}

// put delivers a packet of the peer's.
func (p *peer) put(packet trace.Packet, data string) {
	p.Helper()
	p.seg = packet.TCP
	p.octets(wire.Append(nil, &packet, []byte(data)))
}

// octets delivers octets, and takes what the stack sends on them at once.
func (p *peer) octets(b []byte) {
	p.Helper()
	p.stack.Deliver(b)
	p.stack.Settle()
	p.look()
	p.take()
}

// look finds the connection among the sockets that the stack touched, where it came to a listener.
func (p *peer) look() {
	inspector, ok := p.stack.(netns.Inspector)
	if !ok || p.sock != nil || p.listener == nil {
		return
	}
	for _, s := range inspector.Touched() {
		if status := s.(netns.Reporter).Status(); status.Listener == p.listener && !status.Gone {
			p.sock = s
		}
	}
}

// take takes what the stack has sent, holds it against what is true of all its segments, and keeps account.
func (p *peer) take() {
	p.Helper()
	for {
		octets, lost, ok := p.stack.Take(nil)
		if !ok {
			return
		}
		s := sent{trace.Packet{Octets: octets, Len: len(octets)}, p.now}
		wire.Decode(&s.Packet)
		seg := &s.TCP
		switch {
		case lost:
			p.Errorf("the stack lost %v in its own queue", seg)
		case s.Kind != trace.PacketTCP || s.Malformed != "" || seg.Checksum != trace.ChecksumGood:
			p.Errorf("the stack sent a packet of kind %v (%s), checksum %v: % x", s.Kind, s.Malformed, seg.Checksum, octets)
		case s.Source().Addr() != p.host.Addr() || s.Destination() != p.other:
			p.Errorf("the stack sent %v from %v to %v, want from %v to %v", seg.Flags, s.Source(), s.Destination(), p.host, p.other)
		}
		if seg.Flags.Has(trace.RST) {
			p.sent = append(p.sent, s)
			continue
		}
		if seg.Flags.Has(trace.SYN) && !p.issKnown {
			p.iss, p.una, p.nxt, p.issKnown = seg.Seq, seg.Seq, seg.Seq, true
		}
		if end := seg.Seq.Add(seg.Len()); p.nxt.Less(end) {
			p.nxt = end
		}
		p.announced(seg)
		p.sent = append(p.sent, s)
		p.last = s
	}
}

// announced looks at the options of a segment of the stack's, and at the window in it.
func (p *peer) announced(seg *trace.Segment) {
	p.Helper()
	if _, _, has := seg.Options.Timestamps(); has != p.timestamps {
		p.Errorf("the stack sent %s, Timestamps option: %v, want %v", describeSegment(seg), has, p.timestamps)
	}
	shift, unsaid := p.shift, uint32(1)<<p.shift // what is less than a unit of the window cannot be announced
	if seg.Flags.Has(trace.SYN) {
		p.shift, _ = seg.Options.WindowScale()
		if shift, unsaid = 0, 1; p.shift > 0 { // a SYN's window is never scaled: the whole of it may be any (RFC 7323, Section 2.2)
			unsaid = 1 << 30
		}
	}
	if seg.Flags.Has(trace.ACK) {
		p.inside = seg.Ack.Add(uint32(seg.Window)<<shift) - 1
		p.edge = p.inside.Add(unsaid)
	}
}

// advance moves the clock, which no timer may be due before.
func (p *peer) advance(to time.Duration) {
	p.now = to
	p.stack.Advance(to)
}

// expire runs the next timer if it is due until then, and reports whether there was one.
func (p *peer) expire(until time.Duration) bool {
	p.Helper()
	at, ok := p.stack.Deadline()
	if !ok || at > until {
		return false
	}
	if at < p.now {
		p.Fatalf("a timer was due at %v, and it is %v", at, p.now)
	}
	p.advance(at)
	p.stack.Expire()
	p.look()
	p.take()
	return true
}

// pass lets time pass and runs each timer that is due meanwhile.
func (p *peer) pass(d time.Duration) {
	p.Helper()
	until := p.now + d
	for p.expire(until) {
	}
	p.advance(until)
}

// untilSent runs timers until the stack sends something, and fails where it does not within a time.
func (p *peer) untilSent(limit time.Duration) {
	p.Helper()
	p.mark()
	for until := p.now + limit; len(p.sent) == 0; {
		if !p.expire(until) {
			p.Fatalf("nothing was sent within %v", limit)
		}
	}
}

// mark forgets what the stack sent so far: what it sends from now on is the answer.
func (p *peer) mark() { p.sent = nil }

// answered takes the answer to a step before the event, which may be delayed as an ACK may. It is one segment with those bits.
func (p *peer) answered(flags trace.Flags) trace.Segment {
	p.Helper()
	for until := p.now + ackLimit; len(p.sent) == 0 && p.expire(until); {
	}
	if len(p.sent) != 1 || p.sent[0].TCP.Flags != flags {
		p.Fatalf("before the event the stack sent %s, want %v", describe(p.sent), flags)
	}
	s := p.sent[0].TCP
	p.mark()
	return s
}

// accepted tells that the stack must have taken the peer's last segment into its stream.
func (p *peer) accepted() { p.rcv = p.seg.Seq.Add(p.seg.Len()) }

// The steps that ways to a state are made of.

// listen makes a listener.
func (p *peer) listen() {
	p.Helper()
	p.listener = p.socket()
	p.must(p.listener.Bind(p.host))
	p.must(p.listener.Listen(5))
	p.take()
}

// syn is the peer's SYN, and the SYN,ACK to it.
func (p *peer) syn() {
	p.Helper()
	p.segment(trace.SYN, p.irs, 0, "")
	p.rcv = p.irs.Add(1)
	p.answered(trace.SYN | trace.ACK)
	if _, ok := p.stack.(netns.Inspector); ok && p.sock == nil {
		p.Fatal("the stack did not show the connection that came to the listener")
	}
}

// connect begins a connection from the stack's side.
func (p *peer) connect() {
	p.Helper()
	p.active()
	p.answered(trace.SYN)
}

// active is connect() on a new socket, whose SYN stays to be looked at.
func (p *peer) active() {
	p.Helper()
	p.host = netip.AddrPortFrom(p.host.Addr(), 0)
	p.sock = p.socket()
	p.must(p.sock.Bind(p.host))
	if err := p.sock.Connect(p.other); !errors.Is(err, netns.ErrInProgress) {
		p.Fatalf("connect returned %v, want %v", err, netns.ErrInProgress)
	}
	p.host = p.sock.LocalAddr()
	p.take()
}

// crossing is the peer's SYN that crosses the stack's own.
func (p *peer) crossing() {
	p.Helper()
	p.segment(trace.SYN, p.irs, 0, "")
	p.rcv = p.irs.Add(1)
	p.answered(trace.SYN | trace.ACK)
}

// synAck is the peer's answer to the stack's SYN.
func (p *peer) synAck() {
	p.Helper()
	p.segment(trace.SYN|trace.ACK, p.irs, p.nxt, "")
	p.rcv = p.irs.Add(1)
	p.una = p.nxt
	p.answered(trace.ACK)
}

// ack acknowledges all that the stack sent, on which it has nothing to say.
func (p *peer) ack() {
	p.Helper()
	p.segment(trace.ACK, p.rcv, p.nxt, "")
	p.una = p.nxt
	if len(p.sent) > 0 {
		p.Fatalf("before the event the stack sent %s on an ACK", describe(p.sent))
	}
}

// accept takes the connection from the listener.
func (p *peer) accept() {
	p.Helper()
	s, err := p.listener.Accept()
	if p.must(err); p.sock != nil && s != p.sock {
		p.Fatal("accept gave another socket than the one that was seen before")
	}
	p.sock = s
	p.take()
}

// connected is connect() that comes back.
func (p *peer) connected() {
	p.Helper()
	p.must(p.sock.Connect(p.other))
	p.take()
}

// fin is the peer's FIN. ack is what it acknowledges.
func (p *peer) fin(ack trace.Seq) {
	p.Helper()
	p.segment(trace.FIN|trace.ACK, p.rcv, ack, "")
	p.accepted()
	p.una = ack
	p.answered(trace.ACK)
}

// shutdown closes the stack's direction; the program keeps the socket.
func (p *peer) shutdown() {
	p.Helper()
	p.must(p.sock.Shutdown(netns.ShutWrite))
	p.take()
	p.answered(trace.FIN | trace.ACK)
}

// close gives the socket up.
func (p *peer) close() {
	p.Helper()
	p.must(p.sock.Close())
	p.closed = true
	p.take()
	p.answered(trace.FIN | trace.ACK)
}

// send sends data, which goes out at once.
func (p *peer) send(data string) {
	p.Helper()
	if n, err := p.sock.Send([]byte(data)); n != len(data) || err != nil {
		p.Fatalf("send took %d octets of %d, error %v", n, len(data), err)
	}
	p.take()
}

// outstanding sends data that the peer does not acknowledge.
func (p *peer) outstanding(data string) {
	p.Helper()
	p.send(data)
	p.answered(trace.PSH | trace.ACK)
}

// fill fills the stack's receive buffer, until no number is left in its window; fillNearly leaves 64.
func (p *peer) fill()       { p.Helper(); p.fillBut(0) }
func (p *peer) fillNearly() { p.Helper(); p.fillBut(64) }

func (p *peer) fillBut(rest uint32) {
	p.Helper()
	for range 10_000 {
		left := p.inside.Add(1).Sub(p.rcv)
		switch {
		case left == rest:
			p.mark()
			return
		case left < rest:
			p.Fatalf("%d numbers are left in the window, want %d", left, rest)
		}
		n := min(left-rest, 1400)
		p.segment(trace.ACK, p.rcv, p.una, strings.Repeat("x", int(n)))
		p.accepted()
		if n < 1400 {
			p.pass(ackLimit)
		}
	}
	p.Fatal("the window does not close")
}

// state is the connection's, or without one the listener's; not observed of a stack that cannot be looked into.
func (p *peer) state() trace.State {
	switch {
	case p.sock != nil:
		return stateOf(p.sock)
	case p.listener != nil:
		return stateOf(p.listener)
	}
	return trace.Closed
}

func stateOf(s netns.Socket) trace.State {
	if r, ok := s.(netns.Reporter); ok {
		return r.Status().State
	}
	return trace.NotObserved
}

// wantState says in which state the connection shall be.
func (p *peer) wantState(when string, want trace.State) {
	p.Helper()
	if got := p.state(); got != want && got != trace.NotObserved {
		p.Errorf("%s: the state is %v, want %v", when, got, want)
	}
}

// wantNumbers holds the stack's account of both ends against the peer's, in a state in which it has them.
func (p *peer) wantNumbers(when string, state trace.State) {
	p.Helper()
	r, ok := p.sock.(netns.Reporter)
	if !ok || state < trace.SynReceived {
		return
	}
	var info trace.ControlInfo
	r.Report(&info)
	for item, want := range map[trace.Item]trace.Seq{
		trace.ISS: p.iss, trace.IRS: p.irs, trace.SndUna: p.una, trace.SndNxt: p.nxt, trace.RcvNxt: p.rcv,
	} {
		if got := info.Value(item); got.Kind == trace.Number && trace.Seq(got.Num) != want {
			p.Errorf("%s: %v is %v, want %d", when, item, got, want)
		}
	}
}

// describe prints segments of the stack's.
func describe(all []sent) string {
	var words []string
	for _, s := range all {
		words = append(words, describeSegment(&s.TCP))
	}
	if len(words) == 0 {
		return "nothing"
	}
	return strings.Join(words, ", ")
}

func describeSegment(s *trace.Segment) string {
	ack := ""
	if s.Flags.Has(trace.ACK) {
		ack = fmt.Sprintf("<ACK=%d>", s.Ack)
	}
	return fmt.Sprintf("<CTL=%v><SEQ=%d>%s<LEN=%d><WND=%d>", s.Flags, s.Seq, ack, s.Len(), s.Window)
}
