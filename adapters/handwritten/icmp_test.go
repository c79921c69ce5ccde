package handwritten_test

import (
	"encoding/binary"
	"errors"

	"connectlab/netns"
	"connectlab/trace"
	"connectlab/trace/wire"
)

// A message is an ICMP error, with type and code in both versions; a type 0 says that the version has none.
type message struct {
	name string
	v4   [2]byte
	v6   [2]byte
}

// The hard errors and the soft ones (RFC 9293, Section 3.9.2.2). "Fragmentation needed" is not among them: it tells a size.
var (
	hard = []message{
		{"protocol unreachable, or prohibited", [2]byte{3, 2}, [2]byte{1, 1}},
		{"port unreachable", [2]byte{3, 3}, [2]byte{1, 4}},
	}
	soft = []message{
		{"network unreachable, or no route", [2]byte{3, 0}, [2]byte{1, 0}},
		{"host unreachable, or address unreachable", [2]byte{3, 1}, [2]byte{1, 3}},
		{"source route failed, or no route", [2]byte{3, 5}, [2]byte{1, 0}},
		{"hops exceeded", [2]byte{11, 0}, [2]byte{3, 0}},
		{"reassembly time exceeded", [2]byte{11, 1}, [2]byte{3, 1}},
		{"parameter problem", [2]byte{12, 0}, [2]byte{4, 0}},
	}
)

// icmp delivers an error that quotes the last segment that the stack sent.
func (p *peer) icmp(m message) {
	p.Helper()
	kind, protocol := m.v4, byte(1)
	if p.host.Addr().Is6() {
		kind, protocol = m.v6, 58
	}
	quoted := p.last.Octets
	body := append([]byte{kind[0], kind[1], 7: 0}, quoted...)
	src, dst := p.other.Addr().AsSlice(), p.host.Addr().AsSlice()
	var header, sum []byte
	if p.host.Addr().Is6() {
		header = append([]byte{0x60, 5: byte(len(body)), 6: protocol, 7: 64}, src...)
		sum = append(append(append(sum, src...), dst...), 0, 0, 0, byte(len(body)), 0, 0, 0, protocol)
	} else {
		header = append([]byte{0x45, 3: byte(20 + len(body)), 8: 64, 9: protocol, 11: 0}, src...)
	}
	header = append(header, dst...)
	binary.BigEndian.PutUint16(body[2:], checksum(append(sum, body...)))
	packet := append(header, body...)
	wire.FixChecksums(packet) // the IPv4 header's
	p.octets(packet)
}

// checksum is the Internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
	if len(b)%2 == 1 {
		b = append(b, 0)
	}
	sum := uint32(0)
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// damage is a packet whose TCP checksum is wrong by one bit, and nothing else.
func damage(packet trace.Packet) []byte {
	b := wire.Append(nil, &packet, nil)
	at := 20
	if packet.IP.Src.Is6() {
		at = 40
	}
	b[at+16] ^= 1
	return b
}

// wantSoft: a soft error, which does not end the connection, reaches the program: at once, or as the reason for which it ends when
// nobody answers.
func wantSoft(call func(*peer) error) func(*peer) {
	return func(p *peer) {
		p.Helper()
		if err := p.sock.PendingError(); errors.Is(err, netns.ErrHostUnreachable) || errors.Is(err, netns.ErrNetUnreachable) {
			return
		}
		for p.state() != trace.Closed {
			if !p.expire(p.now + day) {
				p.Fatal("the stack does not give up within a day")
			}
		}
		p.wantError("the call that waits", call(p), netns.ErrHostUnreachable, netns.ErrNetUnreachable, netns.ErrNoProtocolOption)
	}
}
