package handwritten_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/trace"
	"connectlab/trace/wire"

	"pgregory.net/rapid"
)

// FuzzPrograms looks for programs, links and times that break what TestPrograms holds, guided by the code that they reach.
func FuzzPrograms(f *testing.F) {
	for i := range byte(8) {
		f.Add(bytes.Repeat([]byte{i, 0, 1, 7 * i, 0, 0, 0, 0}, 300))
	}
	f.Fuzz(rapid.MakeFuzz(program))
}

// A missile is a packet to be delivered, and how.
type missile struct {
	aim    byte // see the bits below
	nudge  byte // how far from the expected numbers, to both sides
	gap    byte // how many eighths of a second pass before it
	octets []byte
}

// The bits of missile.aim. Without any the octets are delivered as they are.
const (
	aimNames = 1 << iota // addresses and ports become those of the connection
	aimSeq               // SEG.SEQ is one that is near what the stack expects
	aimAck               // and SEG.ACK
	aimSums              // checksums become right
)

const (
	missileHead = 5
	maxMissiles = 32
)

func (m missile) append(b []byte) []byte {
	b = append(b, m.aim, m.nudge, m.gap)
	return append(binary.BigEndian.AppendUint16(b, uint16(len(m.octets))), m.octets...)
}

// missiles splits a fuzzer's input.
func missiles(input []byte) (list []missile) {
	for len(input) >= missileHead && len(list) < maxMissiles {
		m := missile{aim: input[0], nudge: input[1], gap: input[2]}
		n := min(int(binary.BigEndian.Uint16(input[3:])), len(input)-missileHead)
		m.octets = bytes.Clone(input[missileHead:][:n])
		input = input[missileHead+n:]
		list = append(list, m)
	}
	return list
}

// fuzzWays are the ways into the states at which packets are thrown.
var fuzzWays = join(fresh, listening, synSent, synReceived, established, withData, finWait1, finWait2, closeWait, closing, lastAck, timeWait)

// The bits of what kind of stack there is.
const (
	overIPv6 = 1 << iota
	withAllOptions
)

// FuzzDeliver delivers any octets to a stack in any state. It does not panic, it sends sound segments only, its program gets no octet that
// no packet had at its place, and when its program gives up nothing is left.
func FuzzDeliver(f *testing.F) {
	for i := range fuzzWays {
		for _, family := range []byte{0, overIPv6, withAllOptions, overIPv6 | withAllOptions} {
			f.Add(byte(i), family, corpus(family&overIPv6 != 0, i))
		}
	}
	f.Fuzz(func(t *testing.T, way, kind byte, input []byte) {
		factory := &handwritten.Factory{}
		if kind&withAllOptions != 0 {
			factory = &handwritten.Factory{WindowScale: true, Timestamps: true, SACKPermitted: true, HalfOpen: 2}
		}
		network := "192.0.2.0/24"
		if kind&overIPv6 != 0 {
			network = "2001:db8::/64"
		}
		p := newPeer(t, factory, network, false)
		if kind&withAllOptions != 0 {
			p.options = []byte{1, 3, 3, 1, 1, 1, 4, 2}
			p.timestamps, p.tsval = true, 1000
		}
		fuzzWays[int(way)%len(fuzzWays)].take(p)
		var thrown []trace.Packet
		received := 0
		for _, m := range missiles(input) {
			p.settleUntil(p.now + time.Duration(m.gap)*time.Second/8)
			thrown = append(thrown, p.throw(m))
			received += p.read(thrown, received)
		}
		p.giveUp()
	})
}

// throw aims a missile and delivers it. It returns what the octets were.
func (p *peer) throw(m missile) trace.Packet {
	packet := trace.Packet{Octets: m.octets, Len: len(m.octets)}
	if wire.Decode(&packet); packet.Kind == trace.PacketTCP && m.aim&(aimNames|aimSeq|aimAck) != 0 {
		at := packet.IP.HeaderLen
		if tcp := m.octets[at:]; len(tcp) >= 20 {
			var info trace.ControlInfo
			if p.sock != nil {
				p.sock.(netns.Reporter).Report(&info)
			}
			if m.aim&aimNames != 0 {
				p.name(m.octets)
				binary.BigEndian.PutUint16(tcp, p.other.Port())
				binary.BigEndian.PutUint16(tcp[2:], p.host.Port())
			}
			off := uint32(int32(int8(m.nudge)))
			if m.nudge&1 != 0 {
				off *= 500 // beyond segments and windows too
			}
			if m.aim&aimSeq != 0 {
				binary.BigEndian.PutUint32(tcp[4:], uint32(number(&info, trace.RcvNxt).Add(off)))
			}
			if m.aim&aimAck != 0 {
				binary.BigEndian.PutUint32(tcp[8:], uint32(number(&info, trace.SndNxt).Add(off&7)))
			}
		}
	} else if m.aim&aimNames != 0 && len(m.octets) > 0 {
		p.name(m.octets)
	}
	if m.aim&aimSums != 0 && packet.Kind != trace.PacketMalformed {
		wire.FixChecksums(m.octets)
		fixICMP(&packet)
	}
	packet = trace.Packet{Octets: m.octets, Len: len(m.octets)}
	wire.Decode(&packet)
	before := bytes.Clone(m.octets)
	p.stack.Deliver(m.octets)
	if !bytes.Equal(before, m.octets) {
		p.Fatal("the stack wrote into a packet that it was given")
	}
	p.drain()
	return packet
}

// fixICMP makes the checksum of an ICMP message right.
func fixICMP(p *trace.Packet) {
	at := p.IP.HeaderLen
	if p.IP.Protocol != 1 && p.IP.Protocol != 58 || len(p.Octets) < at+8 {
		return
	}
	var pseudo []byte
	body := p.Octets[at:]
	if p.IP.Protocol == 58 {
		pseudo = append(append(p.IP.Src.AsSlice(), p.IP.Dst.AsSlice()...), 0, 0, byte(len(body)>>8), byte(len(body)), 0, 0, 0, 58)
	}
	binary.BigEndian.PutUint16(body[2:], 0)
	binary.BigEndian.PutUint16(body[2:], checksum(append(pseudo, body...)))
}

// name gives a packet the addresses of the connection.
func (p *peer) name(octets []byte) {
	src, dst := p.other.Addr().AsSlice(), p.host.Addr().AsSlice()
	if at := map[bool]int{false: 12, true: 8}[p.host.Addr().Is6()]; len(octets) >= at+2*len(src) {
		copy(octets[at:], src)
		copy(octets[at+len(src):], dst)
	}
}

// drain takes all that the stack has sent: packets to whomever, but sound ones.
func (p *peer) drain() {
	for {
		octets, _, ok := p.stack.Take(nil)
		if !ok {
			return
		}
		packet := trace.Packet{Octets: octets, Len: len(octets)}
		wire.Decode(&packet)
		if packet.Kind != trace.PacketTCP || packet.Malformed != "" || packet.TCP.Checksum != trace.ChecksumGood || packet.IP.Src != p.host.Addr() || len(octets) > 1500 {
			p.Fatalf("the stack sent % x", octets)
		}
	}
}

// settleUntil runs the timers until a time.
func (p *peer) settleUntil(until time.Duration) {
	for {
		at, ok := p.stack.Deadline()
		if !ok || at > until {
			break
		}
		if at < p.now {
			p.Fatalf("a timer was due at %v, and it is %v", at, p.now)
		}
		p.advance(at)
		p.stack.Expire()
		p.drain()
	}
	p.advance(until)
}

// read reads what has come, and holds it against the packets that were thrown. It returns how much it was.
func (p *peer) read(thrown []trace.Packet, before int) int {
	for p.listener != nil {
		s, err := p.listener.Accept()
		if err != nil {
			break
		}
		if s != p.sock {
			p.must(s.Abort())
		}
	}
	p.drain()
	if p.sock == nil || p.closed {
		return 0
	}
	buf := make([]byte, 1<<16)
	n, _ := p.sock.Receive(buf)
	p.drain()
	if n == 0 {
		return 0
	}
	var info trace.ControlInfo
	p.sock.(netns.Reporter).Report(&info)
	first := number(&info, trace.IRS).Add(1 + uint32(before))
	for i, have := range buf[:n] {
		if !slices.ContainsFunc(thrown, func(t trace.Packet) bool { return carries(&t, p.sock, first.Add(uint32(i)), have) }) {
			p.Fatalf("the program got the octet %#x at %d, which no packet had there", have, before+i)
		}
	}
	return n
}

// carries tells whether a packet has an octet of a connection at a number.
func carries(t *trace.Packet, s netns.Socket, number trace.Seq, have byte) bool {
	if t.Kind != trace.PacketTCP || t.Source() != s.RemoteAddr() || t.Destination().Port() != s.LocalAddr().Port() {
		return false
	}
	first := t.TCP.Seq
	if t.TCP.Flags.Has(trace.SYN) {
		first++
	}
	end := t.IP.HeaderLen + t.TCP.HeaderLen + t.TCP.DataLen
	data := t.Octets[end-t.TCP.DataLen : end]
	at := number.Sub(first)
	return at < uint32(len(data)) && data[at] == have
}

// giveUp has the program give all up. A connection that it had closed before, and that waits for its peer, gets a RST.
func (p *peer) giveUp() {
	if p.sock != nil && !p.closed {
		if err := p.sock.Abort(); err != nil && !errors.Is(err, netns.ErrBadDescriptor) { // it was not accepted
			p.Fatal(err)
		}
	}
	if p.listener != nil {
		p.must(p.listener.Close())
	}
	p.settleUntil(p.now + time.Hour)
	if p.closed && p.state() == trace.FinWait2 {
		var info trace.ControlInfo
		p.sock.(netns.Reporter).Report(&info)
		packet := p.packet(trace.RST, number(&info, trace.RcvNxt), 0, "")
		packet.TCP.SrcPort, packet.TCP.DstPort = p.sock.RemoteAddr().Port(), p.sock.LocalAddr().Port()
		p.stack.Deliver(wire.Append(nil, &packet, nil))
	}
	p.drain()
	if held := handwritten.HeldBy(p.stack); held != (handwritten.Held{}) {
		p.Fatalf("all was given up, and the stack has %+v", held)
	}
}

// corpus are packets that mean something, in an order that depends on i.
func corpus(ipv6 bool, i int) (input []byte) {
	src, dst := netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("192.0.2.1")
	if ipv6 {
		src, dst = netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8::1")
	}
	const all = aimNames | aimSeq | aimAck | aimSums
	segments := []struct {
		flags   trace.Flags
		options string
		data    string
		nudge   byte
	}{
		{trace.ACK | trace.PSH, "", "some octets", 0},
		{trace.ACK, "\x01\x01\x08\x0a\x00\x00\x00\x01\x00\x00\x00\x00", "and some that overtook others", 8},
		{trace.FIN | trace.ACK, "", "", 0},
		{trace.FIN | trace.ACK, "\x01\x01\x05\x0a\x00\x00\x00\x01\x00\x00\x00\x09", "the last", 3},
		{trace.SYN, "\x02\x04\x05\xb4\x01\x03\x03\x07\x01\x01\x04\x02", "", 1},
		{trace.SYN | trace.ACK | trace.ECE, "\x02\x04\x05\xb4", "", 0},
		{trace.ACK | trace.URG, "\x02\x00\x08\x0a", "urgent", 0xfe},
		{trace.RST, "", "", 3},
		{trace.RST | trace.ACK, "", "", 0},
	}
	for k := range segments {
		s := segments[(k+i)%len(segments)]
		p := trace.Packet{IP: trace.IPHeader{Src: src, Dst: dst, TTL: 64}}
		p.TCP = trace.Segment{SrcPort: 5000, DstPort: 80, Seq: 0xffffff01, Flags: s.flags, Window: uint16(k * 1000), Urgent: 3, Options: trace.Options(s.options), DataLen: len(s.data)}
		octets := wire.Append(nil, &p, []byte(s.data))
		input = missile{aim: all, nudge: s.nudge, gap: byte(k), octets: octets}.append(input)
		if k == 4 { // an ICMP error about a segment of the stack's own
			p.IP.Src, p.IP.Dst = dst, src
			p.TCP.SrcPort, p.TCP.DstPort = 80, 5000
			input = missile{aim: aimSums, octets: unreachable(src, dst, wire.Append(nil, &p, nil))}.append(input)
		}
	}
	return input
}

// unreachable is an ICMP error of port unreachable, which quotes a packet.
func unreachable(src, dst netip.Addr, quoted []byte) []byte {
	message := append([]byte{3, 3, 0, 0, 0, 0, 0, 0}, quoted...)
	if src.Is6() {
		message[0], message[1] = 1, 4
		packet := append([]byte{0x60, 0, 0, 0, 0, byte(len(message)), 58, 64}, append(src.AsSlice(), dst.AsSlice()...)...)
		return append(packet, message...)
	}
	packet := append([]byte{0x45, 0, 0, byte(20 + len(message)), 0, 0, 0, 0, 64, 1, 0, 0}, append(src.AsSlice(), dst.AsSlice()...)...)
	return append(packet, message...)
}
