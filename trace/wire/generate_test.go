package wire_test

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"connectlab/trace"
	"connectlab/trace/wire"
)

// octets reads hex with spaces and line breaks.
func octets(t interface {
	Helper()
	Fatal(...any)
}, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// decode is a whole packet that begins with the IP header, decoded.
func decode(octets []byte) *trace.Packet { return decodeOn(trace.LinkIP, octets) }

func decodeOn(link trace.LinkType, octets []byte) *trace.Packet {
	p := &trace.Packet{Octets: octets, Len: len(octets), Link: link}
	wire.Decode(p)
	return p
}

var (
	v4Client, v4Server = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	v6Client, v6Server = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
)

// segment builds a whole packet of n octets of data.
func segment(src, dst netip.Addr, flags trace.Flags, options string, n int) []byte {
	p := trace.Packet{
		IP: trace.IPHeader{Src: src, Dst: dst, TTL: 64, DF: src.Is4()},
		TCP: trace.Segment{
			SrcPort: 40000, DstPort: 80, Seq: 0xfffffff0, Ack: 7, Flags: flags, Window: 65535,
			Options: trace.Options(options),
		},
	}
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i)
	}
	return wire.Append(nil, &p, data)
}

const synOptions = "\x02\x04\x05\xb4\x04\x02\x08\x0a\x00\x00\x00\x01\x00\x00\x00\x00\x01\x03\x03\x07"

// extension is an IPv6 extension header of n*8+8 octets that names next, filled with PadN.
func extension(next byte, n int) []byte {
	b := make([]byte, 8*n+8)
	b[0], b[1], b[2], b[3] = next, byte(n), 1, byte(8*n+4)
	return b
}

// withExtensions puts extension headers between the IPv6 header and what follows it.
func withExtensions(packet []byte, first byte, extensions ...[]byte) []byte {
	b := append([]byte(nil), packet[:40]...)
	for _, e := range extensions {
		b = append(b, e...)
	}
	b = append(b, packet[40:]...)
	b[6] = first
	binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
	return b
}

// withIPv4Options puts options behind the IPv4 header.
func withIPv4Options(packet []byte, options string) []byte {
	b := append([]byte(nil), packet[:20]...)
	b = append(append(b, options...), packet[20:]...)
	b[0] = 0x45 + byte(len(options)/4)
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	wire.FixChecksums(b)
	return b
}

var links = []trace.LinkType{trace.LinkIP, trace.LinkEthernet}

var macClient, macServer = trace.MAC{0, 0, 0x5e, 0, 0x53, 1}, trace.MAC{0, 0, 0x5e, 0, 0x53, 2}

// frame puts an Ethernet header before a packet, with VLAN tags if there are some.
func frame(kind uint16, packet []byte, tags ...uint16) []byte {
	b := slices.Concat(macServer[:], macClient[:])
	for _, tag := range tags {
		b = binary.BigEndian.AppendUint16(b, tag)
		b = binary.BigEndian.AppendUint16(b, 7)
	}
	return append(binary.BigEndian.AppendUint16(b, kind), packet...)
}

// framed is frame for an IP packet.
func framed(packet []byte, tags ...uint16) []byte {
	if packet[0]>>4 == 6 {
		return frame(trace.EtherTypeIPv6, packet, tags...)
	}
	return frame(trace.EtherTypeIPv4, packet, tags...)
}

// What finds a neighbor, the checksums computed apart from this package.
const (
	arpRequest   = "0001 0800 06 04 0001 00005e005301 c0000201 000000000000 c0000202"
	solicitation = `60000000 0020 3a ff 20010db8000000000000000000000001 ff0200000000000000000001ff000002
		87 00 6d26 00000000 20010db8000000000000000000000002 01 01 00005e005301`
	advertisement = `60000000 0020 3a ff 20010db8000000000000000000000002 20010db8000000000000000000000001
		88 00 db70 60000000 20010db8000000000000000000000002 02 01 00005e005302`
)

// genOption draws one option: those that TCP stacks send, others, and some whose length cannot be.
func genOption(t *rapid.T) []byte {
	octets := func(n int) []byte { return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "option data") }
	option := func(kind byte, data []byte) []byte { return append([]byte{kind, byte(2 + len(data))}, data...) }
	switch rapid.IntRange(0, 8).Draw(t, "option") {
	case 0:
		return option(trace.OptionMSS, octets(2))
	case 1:
		return option(trace.OptionWindowScale, octets(1))
	case 2:
		return option(trace.OptionSACKPermitted, nil)
	case 3:
		return option(trace.OptionTimestamps, octets(8))
	case 4:
		return option(trace.OptionSACK, octets(8*rapid.IntRange(0, 4).Draw(t, "blocks")))
	case 5:
		return option(rapid.Byte().Draw(t, "kind"), octets(rapid.IntRange(0, 8).Draw(t, "option octets")))
	case 6:
		return []byte{rapid.Byte().Draw(t, "kind"), rapid.Byte().Draw(t, "length")}
	case 7:
		return []byte{trace.OptionEnd}
	default:
		return []byte{trace.OptionNOP}
	}
}

func genOptions(t *rapid.T) trace.Options {
	b := []byte{}
	for range rapid.IntRange(0, 5).Draw(t, "options") {
		if o := genOption(t); len(b)+len(o) <= 40 {
			b = append(b, o...)
		}
	}
	for len(b)%4 != 0 {
		b = append(b, trace.OptionEnd)
	}
	return b
}

// genFrame draws what a link carries: TCP packets, and on Ethernet what finds neighbors.
func genFrame(t *rapid.T, link trace.LinkType) []byte {
	if link == trace.LinkIP {
		return genPacket(t)
	}
	tags := rapid.SliceOfN(rapid.SampledFrom([]uint16{0x8100, 0x88a8}), 0, 2).Draw(t, "VLAN tags")
	switch rapid.IntRange(0, 5).Draw(t, "frame") {
	case 0:
		return frame(trace.EtherTypeARP, octets(t, arpRequest), tags...)
	case 1:
		return framed(octets(t, rapid.SampledFrom([]string{solicitation, advertisement}).Draw(t, "message")), tags...)
	}
	return framed(genPacket(t), tags...)
}

// genPacket draws a TCP packet that holds together, and its octets.
func genPacket(t *rapid.T) []byte {
	p := trace.Packet{
		IP: trace.IPHeader{
			TTL: rapid.Byte().Draw(t, "TTL"),
			TOS: rapid.Byte().Draw(t, "TOS"),
		},
		TCP: trace.Segment{
			SrcPort:  rapid.Uint16().Draw(t, "source port"),
			DstPort:  rapid.Uint16().Draw(t, "destination port"),
			Seq:      trace.Seq(rapid.Uint32().Draw(t, "SEQ")),
			Ack:      trace.Seq(rapid.Uint32().Draw(t, "ACK")),
			Reserved: rapid.Uint8Range(0, 7).Draw(t, "reserved"),
			Flags:    trace.Flags(rapid.Uint16Range(0, uint16(trace.AllFlags)).Draw(t, "bits")),
			Window:   rapid.Uint16().Draw(t, "window"),
			Urgent:   rapid.Uint16().Draw(t, "urgent"),
			Options:  genOptions(t),
		},
	}
	data := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "data")
	address := func(n int, name string) netip.Addr {
		a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, name))
		return a
	}
	if rapid.Bool().Draw(t, "IPv4") {
		p.IP.ID = rapid.Uint16().Draw(t, "ID")
		p.IP.DF = rapid.Bool().Draw(t, "DF")
		p.IP.Src, p.IP.Dst = address(4, "source"), address(4, "destination")
		b := wire.Append(nil, &p, data)
		if rapid.IntRange(0, 3).Draw(t, "IPv4 options") == 0 {
			b = withIPv4Options(b, rapid.SampledFrom([]string{
				"\x01\x01\x01\x00", "\x94\x04\x00\x00", "\x07\x07\x04\xc0\x00\x02\x09\x00", "\x83\x07\x08\xc0\x00\x02\x09\x00", "\x83\x07\x04\xc0\x00\x02\x09\x00",
			}).Draw(t, "option octets"))
		}
		return b
	}
	p.IP.Src, p.IP.Dst = address(16, "source"), address(16, "destination")
	b := wire.Append(nil, &p, data)
	switch rapid.IntRange(0, 7).Draw(t, "extensions") {
	case 0:
		b = withExtensions(b, 60, extension(6, rapid.IntRange(0, 3).Draw(t, "length")))
	case 1:
		b = withExtensions(b, 0, extension(60, 0), extension(6, 1))
	case 2:
		b = withExtensions(b, 43, []byte{6, 2, 0, rapid.Byte().Draw(t, "segments left"), 23: 0})
	case 3:
		b = withExtensions(b, 44, []byte{6, 0, rapid.Byte().Draw(t, "offset"), rapid.Byte().Draw(t, "offset, more"), 0, 0, 0, 1})
	}
	return b
}
