package trace_test

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"connectlab/trace"
	"connectlab/trace/wire"
)

// A checksum that the network card was still to compute is told from one that is wrong, in a capture and nowhere else.
func TestChecksumsAsCaptured(t *testing.T) {
	const bad, uncomputed, good, unverified = trace.ChecksumBad, trace.ChecksumUncomputed, trace.ChecksumGood, trace.ChecksumUnverified
	v4 := packet(trace.ACK|trace.PSH, "", 10, true)
	v6 := func() *trace.Packet {
		p := &trace.Packet{Octets: wire.Append(nil, &trace.Packet{
			IP:  trace.IPHeader{Src: netip.MustParseAddr("2001:db8:ffff:ffff:ffff:ffff:ffff:fff1"), Dst: netip.MustParseAddr("2001:db8::2"), TTL: 64},
			TCP: trace.Segment{SrcPort: 1, DstPort: 2, Flags: trace.ACK},
		}, []byte("hello"))}
		p.Len = len(p.Octets)
		wire.Decode(p)
		return p
	}()
	for _, tt := range []struct {
		name    string
		of      *trace.Packet
		change  func(octets []byte)
		cut     int // octets that were not captured
		ip, tcp trace.Checksum
	}{
		{"whole", v4, func([]byte) {}, 0, good, good},
		{"zero", v4, tcpSum(20, 0), 0, good, uncomputed},
		// 192.0.2.1 and 192.0.2.2, protocol 6, 30 octets.
		{"pseudo header", v4, tcpSum(20, 0xc000+0x0201-0xffff+0xc000+0x0202+6+30), 0, good, uncomputed},
		{"pseudo header without length", v4, tcpSum(20, 0xc000+0x0201-0xffff+0xc000+0x0202+6), 0, good, uncomputed},
		{"pseudo header of another length", v4, tcpSum(20, 0xc000+0x0201-0xffff+0xc000+0x0202+6+31), 0, good, bad},
		{"its complement", v4, tcpSum(20, 0xffff-(0xc000+0x0201-0xffff+0xc000+0x0202+6+30)), 0, good, bad},
		{"a flipped bit", v4, func(b []byte) { b[45] ^= 1 }, 0, good, bad},
		{"cut", v4, tcpSum(20, 0), 5, good, unverified},
		{"no IP checksum", v4, func(b []byte) { b[10], b[11] = 0, 0 }, 0, uncomputed, good},
		{"a wrong IP checksum", v4, func(b []byte) { b[11] ^= 1 }, 0, bad, good},
		{"IPv6, zero", v6, tcpSum(40, 0), 0, unverified, uncomputed},
		// 2001:db8:ffff:ffff:ffff:ffff:ffff:fff1 and 2001:db8::2, protocol 6, 25 octets: ffff adds nothing.
		{"IPv6, pseudo header", v6, tcpSum(40, 2*(0x2001+0x0db8)+0xfff1-0xffff+2+6+25), 0, unverified, uncomputed},
		{"IPv6, a flipped bit", v6, func(b []byte) { b[62] ^= 1 }, 0, unverified, bad},
	} {
		octets := append([]byte(nil), tt.of.Octets...)
		tt.change(octets)
		p := trace.Packet{Octets: octets[:len(octets)-tt.cut], Len: len(octets)}
		wire.Decode(&p)
		before := p
		if p.AsCaptured(); p.IP.Checksum != tt.ip || p.TCP.Checksum != tt.tcp {
			t.Errorf("%s: IP %v, TCP %v; want %v, %v", tt.name, p.IP.Checksum, p.TCP.Checksum, tt.ip, tt.tcp)
		}
		file := func(capture bool, p *trace.Packet) []byte {
			return write(t, &trace.Trace{Header: trace.Header{Capture: capture}, Events: []trace.Event{{N: 1, Detail: &trace.Sent{Packet: p}}}})
		}
		if got, err := read(file(true, &p)); err != nil || got.Events[0].Detail.(*trace.Sent).Packet.TCP.Checksum != tt.tcp {
			t.Errorf("%s: a capture is not read again: %v", tt.name, err)
		}
		if _, err := read(file(false, &before)); err != nil {
			t.Errorf("%s: a run's packet is not read again: %v", tt.name, err)
		}
		if before.TCP.Checksum != p.TCP.Checksum || before.IP.Checksum != p.IP.Checksum {
			if _, err := read(file(false, &p)); err == nil || !strings.Contains(err.Error(), "checksum") {
				t.Errorf("%s: what only a capture can have is read of a run: %v", tt.name, err)
			}
		}
	}
}

// tcpSum writes the checksum of the segment behind an IP header of n octets.
func tcpSum(n int, sum uint16) func([]byte) {
	return func(octets []byte) { binary.BigEndian.PutUint16(octets[n+16:], sum) }
}
