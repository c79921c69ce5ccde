package wire_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"connectlab/trace"
	"connectlab/trace/wire"
	"connectlab/trace/wire/internal/oracle"
)

var compareAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// A SYN as Linux sends it, written out by hand, the checksums computed apart from this package.
const syn = `
	45 00 00 3c 1c 46 40 00 40 06 9a 72 c0 00 02 01 c0 00 02 02
	9c 40 00 50 00 00 00 ff 00 00 00 00 a0 02 fa f0 2b 7b 00 00
	02 04 05 b4 04 02 08 0a 00 00 00 01 00 00 00 00 01 03 03 07`

func TestDecodeSYN(t *testing.T) {
	b := octets(t, syn)
	got := decode(b)
	want := &trace.Packet{
		Octets: b,
		Len:    60,
		Kind:   trace.PacketTCP,
		IP: trace.IPHeader{
			Version: 4, HeaderLen: 20, Src: v4Client, Dst: v4Server, Protocol: 6, TTL: 64, ID: 0x1c46, DF: true,
			Checksum: trace.ChecksumGood,
		},
		TCP: trace.Segment{
			SrcPort: 40000, DstPort: 80, Seq: 255, HeaderLen: 40, Flags: trace.SYN, Window: 64240, Sum: 0x2b7b,
			Options: trace.Options(b[40:60]), Checksum: trace.ChecksumGood,
		},
	}
	if diff := cmp.Diff(want, got, compareAddr); diff != "" {
		t.Errorf("the SYN (-want +got):\n%s", diff)
	}
	if &got.TCP.Options[0] != &b[40] {
		t.Error("the options are a copy, not a part of the octets")
	}
}

func TestDecode(t *testing.T) {
	plain4 := segment(v4Client, v4Server, trace.ACK, "", 8)
	plain6 := segment(v6Client, v6Server, trace.ACK|trace.AE, "", 8)
	change := func(b []byte, at int, value ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], value)
		return b
	}
	fragment := func(offset uint16) []byte {
		return withExtensions(plain6, 44, []byte{6, 0, byte(offset >> 8), byte(offset), 0, 0, 0, 1})
	}
	const good, bad, unverified = trace.ChecksumGood, trace.ChecksumBad, trace.ChecksumUnverified
	tests := []struct {
		name      string
		octets    []byte
		len       int // 0: that of octets
		kind      trace.PacketKind
		malformed string
		ip, tcp   trace.Checksum
		ipHeader  int
		data      int
	}{
		{name: "IPv4", octets: plain4, kind: trace.PacketTCP, ip: good, tcp: good, ipHeader: 20, data: 8},
		{name: "IPv6", octets: plain6, kind: trace.PacketTCP, tcp: good, ipHeader: 40, data: 8},
		{name: "odd number of octets", octets: segment(v4Client, v4Server, trace.ACK, "", 7), kind: trace.PacketTCP, ip: good, tcp: good, ipHeader: 20, data: 7},
		{name: "data not kept", octets: plain4[:40], len: 48, kind: trace.PacketTCP, ip: good, tcp: unverified, ipHeader: 20, data: 8},
		{name: "data not kept/IPv6", octets: plain6[:60], len: 68, kind: trace.PacketTCP, tcp: unverified, ipHeader: 40, data: 8},
		{name: "octets behind the datagram", octets: append(bytes.Clone(plain4), 0, 0), kind: trace.PacketTCP, ip: good, tcp: good, ipHeader: 20, data: 8},
		{name: "octets behind the datagram not kept", octets: plain4, len: 50, kind: trace.PacketTCP, ip: good, tcp: good, ipHeader: 20, data: 8},
		{name: "a bit of the data turned", octets: change(plain4, 47, plain4[47]^1), kind: trace.PacketTCP, ip: good, tcp: bad, ipHeader: 20, data: 8},
		{name: "TTL turned", octets: change(plain4, 8, 63), kind: trace.PacketTCP, ip: bad, tcp: good, ipHeader: 20, data: 8},
		{name: "another source address", octets: change(plain6, 23, 9), kind: trace.PacketTCP, tcp: bad, ipHeader: 40, data: 8},
		{name: "IPv4 options", octets: withIPv4Options(plain4, "\x94\x04\x00\x00"), kind: trace.PacketTCP, ip: good, tcp: good, ipHeader: 24, data: 8},
		{name: "source route at its end", octets: withIPv4Options(plain4, "\x83\x07\x08\xc0\x00\x02\x09\x00"), kind: trace.PacketTCP, ip: good, tcp: good, ipHeader: 28, data: 8},
		{name: "source route not at its end", octets: withIPv4Options(plain4, "\x83\x07\x04\xc0\x00\x02\x09\x00"), kind: trace.PacketOther, ip: good, ipHeader: 28},
		{name: "IPv6 hop-by-hop and destination options", octets: withExtensions(plain6, 0, extension(60, 0), extension(6, 1)), kind: trace.PacketTCP, tcp: good, ipHeader: 64, data: 8},
		{name: "routing header at its end", octets: withExtensions(plain6, 43, []byte{6, 0, 0, 0, 0, 0, 0, 0}), kind: trace.PacketTCP, tcp: good, ipHeader: 48, data: 8},
		{name: "routing header with segments left", octets: withExtensions(plain6, 43, []byte{6, 2, 0, 1, 23: 0}), kind: trace.PacketOther, ipHeader: 64},
		{name: "atomic fragment", octets: fragment(0), kind: trace.PacketTCP, tcp: good, ipHeader: 48, data: 8},
		{name: "first fragment of IPv6", octets: fragment(1), kind: trace.PacketOther, ipHeader: 48},
		{name: "last fragment of IPv6", octets: fragment(16), kind: trace.PacketOther, ipHeader: 48},
		{name: "first fragment", octets: change(plain4, 6, 0x20, 0), kind: trace.PacketOther, ip: bad, ipHeader: 20},
		{name: "last fragment", octets: change(plain4, 6, 0, 1), kind: trace.PacketOther, ip: bad, ipHeader: 20},
		{name: "UDP", octets: change(plain4, 9, 17), kind: trace.PacketOther, ip: bad, ipHeader: 20},
		{name: "ICMP", octets: change(plain4, 9, 1), kind: trace.PacketICMP, ip: bad, ipHeader: 20},
		{name: "ICMPv6", octets: change(plain6, 6, 58), kind: trace.PacketICMP, ipHeader: 40},
		{name: "ICMPv6 in IPv4", octets: change(plain4, 9, 58), kind: trace.PacketOther, ip: bad, ipHeader: 20},
		{name: "no next header", octets: change(plain6, 6, 59), kind: trace.PacketOther, ipHeader: 40},

		{name: "nothing", octets: nil, malformed: "the packet ends within the IP header"},
		{name: "version 5", octets: change(plain4, 0, 0x55), malformed: "the version is neither 4 nor 6"},
		{name: "19 octets", octets: plain4[:19], malformed: "the packet ends within the IP header"},
		{name: "39 octets of IPv6", octets: plain6[:39], malformed: "the packet ends within the IP header"},
		{name: "IP header length 4", octets: change(plain4, 0, 0x44), malformed: "the IP header length is less than 20 octets"},
		{name: "IP header beyond the packet", octets: change(plain4[:40], 0, 0x4f), malformed: "the packet ends within the IP header"},
		{name: "more octets than Len", octets: plain4, len: 47, malformed: "the packet has more octets than its length says"},
		{name: "negative Len", octets: plain4, len: -1, malformed: "the packet has more octets than its length says"},
		{name: "total length below the header", octets: change(plain4, 2, 0, 19), kind: trace.PacketOther, ip: bad, ipHeader: 20, malformed: "the IP total length is less than the IP header"},
		{name: "total length beyond the packet", octets: change(plain4, 2, 0, 49), kind: trace.PacketOther, ip: bad, ipHeader: 20, malformed: "the IP total length is more than the packet"},
		{name: "payload length beyond the packet", octets: change(plain6, 4, 0, 29), kind: trace.PacketOther, ipHeader: 40, malformed: "the IP total length is more than the packet"},
		{name: "no room for a TCP header", octets: change(plain4, 2, 0, 39), kind: trace.PacketOther, ip: bad, ipHeader: 20, malformed: "the packet ends within the TCP header"},
		{name: "data offset 4", octets: change(plain4, 32, 0x40), kind: trace.PacketOther, ip: good, ipHeader: 20, malformed: "the TCP data offset is less than 5"},
		{name: "data offset beyond the packet", octets: change(plain4, 32, 0x80), kind: trace.PacketOther, ip: good, ipHeader: 20, malformed: "the TCP data offset is beyond the packet"},
		{name: "options not kept", octets: change(plain4, 32, 0x70)[:44], len: 48, kind: trace.PacketOther, ip: good, ipHeader: 20, malformed: "the packet ends within the TCP header"},
		{name: "extension header beyond the packet", octets: change(withExtensions(plain6, 60, extension(6, 0)), 41, 200), kind: trace.PacketOther, ipHeader: 40, malformed: "the packet ends within an IPv6 extension header"},
		{name: "extension header without a length", octets: change(plain6, 4, 0, 4, 60), kind: trace.PacketOther, ipHeader: 40, malformed: "the packet ends within an IPv6 extension header"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &trace.Packet{Octets: tt.octets, Len: len(tt.octets)}
			if tt.len != 0 {
				p.Len = tt.len
			}
			p.TCP.Seq, p.IP.ID, p.Malformed = 99, 99, "left over" // must not matter
			wire.Decode(p)
			type summary struct {
				Kind      trace.PacketKind
				Malformed string
				IP, TCP   trace.Checksum
				IPHeader  int
				Data      int
			}
			want := summary{tt.kind, tt.malformed, tt.ip, tt.tcp, tt.ipHeader, tt.data}
			got := summary{p.Kind, p.Malformed, p.IP.Checksum, p.TCP.Checksum, p.IP.HeaderLen, p.TCP.DataLen}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if p.Kind != trace.PacketTCP && (p.TCP.Seq != 0 || p.TCP.Options != nil) {
				t.Errorf("fields of TCP are filled for kind %v: %+v", p.Kind, p.TCP)
			}
		})
	}
}

func TestDecodeEthernet(t *testing.T) {
	plain4, plain6 := segment(v4Client, v4Server, trace.ACK, "", 8), segment(v6Client, v6Server, trace.ACK, "", 8)
	arp, ns, na := octets(t, arpRequest), octets(t, solicitation), octets(t, advertisement)
	change := func(b []byte, at int, value ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], value)
		return b
	}
	header := func(n int, kind uint16) trace.EthernetHeader {
		return trace.EthernetHeader{HeaderLen: n, Dst: macServer, Src: macClient, EtherType: kind}
	}
	question := trace.ARP{Operation: trace.ARPRequest, SenderMAC: macClient, SenderIP: v4Client, TargetIP: v4Server}
	const v4, v6, isARP = trace.EtherTypeIPv4, trace.EtherTypeIPv6, trace.EtherTypeARP
	const good, bad, unverified = trace.ChecksumGood, trace.ChecksumBad, trace.ChecksumUnverified
	type summary struct {
		Kind      trace.PacketKind
		Malformed string
		Ethernet  trace.EthernetHeader
		ARP       trace.ARP
		IP        uint8 // version
		ICMP      trace.ICMP
		TCP       trace.Checksum
		Data      int
	}
	for name, tt := range map[string]struct {
		octets []byte
		len    int // 0: that of octets
		want   summary
	}{
		"IPv4":                        {framed(plain4), 0, summary{Kind: trace.PacketTCP, Ethernet: header(14, v4), IP: 4, TCP: good, Data: 8}},
		"IPv6":                        {framed(plain6), 0, summary{Kind: trace.PacketTCP, Ethernet: header(14, v6), IP: 6, TCP: good, Data: 8}},
		"padded":                      {append(framed(plain4[:40:40]), 0, 0), 0, summary{Kind: trace.PacketOther, Ethernet: header(14, v4), IP: 4, Malformed: "the IP total length is more than the packet"}},
		"data not kept":               {framed(plain4[:40]), 62, summary{Kind: trace.PacketTCP, Ethernet: header(14, v4), IP: 4, TCP: unverified, Data: 8}},
		"two VLAN tags":               {framed(plain4, 0x88a8, 0x8100), 0, summary{Kind: trace.PacketTCP, Ethernet: header(22, v4), IP: 4, TCP: good, Data: 8}},
		"a VLAN tag from before QinQ": {framed(plain4, 0x9100, 0x8100), 0, summary{Kind: trace.PacketTCP, Ethernet: header(22, v4), IP: 4, TCP: good, Data: 8}},
		"ARP":                         {frame(isARP, arp), 0, summary{Kind: trace.PacketARP, Ethernet: header(14, isARP), ARP: question}},
		"ARP, padded":                 {append(frame(isARP, arp), make([]byte, 18)...), 0, summary{Kind: trace.PacketARP, Ethernet: header(14, isARP), ARP: question}},
		"ARP of other hardware":       {frame(isARP, change(arp, 0, 0, 6)), 0, summary{Kind: trace.PacketOther, Ethernet: header(14, isARP)}},
		"ARP, an octet short":         {frame(isARP, arp[:27]), 0, summary{Ethernet: header(14, isARP), Malformed: "the packet ends within the ARP packet"}},
		"solicitation":                {framed(ns), 0, summary{Kind: trace.PacketICMP, Ethernet: header(14, v6), IP: 6, ICMP: trace.ICMP{Type: 135, Checksum: good, Target: v6Server, MAC: macClient}}},
		"advertisement":               {framed(na), 0, summary{Kind: trace.PacketICMP, Ethernet: header(14, v6), IP: 6, ICMP: trace.ICMP{Type: 136, Checksum: good, Target: v6Server, MAC: macServer}}},
		"solicitation, a bit turned":  {framed(change(ns, 63, 3)), 0, summary{Kind: trace.PacketICMP, Ethernet: header(14, v6), IP: 6, ICMP: trace.ICMP{Type: 135, Checksum: bad, Target: netip.MustParseAddr("2001:db8::3"), MAC: macClient}}},
		"solicitation without option": {framed(change(ns[:64:64], 5, 24)), 0, summary{Kind: trace.PacketICMP, Ethernet: header(14, v6), IP: 6, ICMP: trace.ICMP{Type: 135, Checksum: bad, Target: v6Server}}},
		"solicitation, a target short": {framed(change(ns[:63:63], 5, 23)), 0, summary{Kind: trace.PacketICMP, Ethernet: header(14, v6), IP: 6, ICMP: trace.ICMP{Type: 135, Checksum: bad},
			Malformed: "the packet ends within the neighbor discovery message"}},
		"three octets of ICMP":  {framed(change(ns[:43:43], 5, 3)), 0, summary{Kind: trace.PacketOther, Ethernet: header(14, v6), IP: 6, Malformed: "the packet ends within the ICMP header"}},
		"another protocol":      {frame(0x88cc, []byte{2, 7}), 0, summary{Kind: trace.PacketOther, Ethernet: header(14, 0x88cc)}},
		"a length":              {frame(3, []byte{0x42, 0x42, 3}), 0, summary{Kind: trace.PacketOther, Ethernet: header(14, 3)}},
		"IPv6 said to be IPv4":  {frame(v4, plain6), 0, summary{Ethernet: header(14, v4), Malformed: "the version is not the one that the EtherType says"}},
		"nothing in it":         {frame(v4, nil), 0, summary{Ethernet: header(14, v4), Malformed: "the packet ends within the IP header"}},
		"13 octets":             {framed(plain4)[:13], 0, summary{Malformed: "the packet ends within the Ethernet header"}},
		"half a VLAN tag":       {framed(plain4, 0x8100)[:17], 0, summary{Malformed: "the packet ends within the Ethernet header"}},
		"nothing":               {nil, 0, summary{Malformed: "the packet ends within the Ethernet header"}},
		"more octets than Len":  {framed(plain4), 61, summary{Malformed: "the packet has more octets than its length says"}},
		"cut within the option": {framed(ns)[:14+68], 14 + 72, summary{Kind: trace.PacketICMP, Ethernet: header(14, v6), IP: 6, ICMP: trace.ICMP{Type: 135, Target: v6Server}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := &trace.Packet{Octets: tt.octets, Len: len(tt.octets), Link: trace.LinkEthernet}
			if tt.len != 0 {
				p.Len = tt.len
			}
			p.ARP.Operation, p.ICMP.Type, p.Ethernet.EtherType = 9, 9, 9 // must not matter
			wire.Decode(p)
			got := summary{p.Kind, p.Malformed, p.Ethernet, p.ARP, p.IP.Version, p.ICMP, p.TCP.Checksum, p.TCP.DataLen}
			if diff := cmp.Diff(tt.want, got, compareAddr); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if data := p.Data(); p.Kind == trace.PacketTCP && len(data) != min(p.TCP.DataLen, len(tt.octets)-p.Ethernet.HeaderLen-p.IP.HeaderLen-20) {
				t.Errorf("%d octets of data", len(data))
			}
		})
	}
	unknown := trace.Packet{Octets: plain4, Len: len(plain4), Link: 9}
	if wire.Decode(&unknown); unknown.Malformed != "the link type is not known" {
		t.Errorf("of an unknown link: %+v", unknown)
	}
}

// A packet cut behind its headers reads as the whole one, the TCP checksum's verdict apart: a record may leave data out.
func TestDecodeCutPacket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		link := rapid.SampledFrom(links).Draw(t, "link")
		b := genFrame(t, link)
		whole := decodeOn(link, b)
		if whole.Kind != trace.PacketTCP {
			t.Skip("not TCP")
		}
		cut := &trace.Packet{Octets: b[:whole.Ethernet.HeaderLen+whole.IP.HeaderLen+whole.TCP.HeaderLen], Len: len(b), Link: link}
		wire.Decode(cut)
		if cut.TCP.DataLen == 0 {
			if cut.TCP.Checksum != whole.TCP.Checksum {
				t.Errorf("checksum %v, want %v: no octet is missing", cut.TCP.Checksum, whole.TCP.Checksum)
			}
		} else if cut.TCP.Checksum != trace.ChecksumUnverified {
			t.Errorf("checksum %v, want unverified: data are missing", cut.TCP.Checksum)
		}
		whole.Octets = cut.Octets
		whole.TCP.Checksum = cut.TCP.Checksum
		if diff := cmp.Diff(whole, cut, compareAddr); diff != "" {
			t.Errorf("(-whole +cut):\n%s", diff)
		}
	})
}

func TestAppendComputesLengthsAndChecksums(t *testing.T) {
	for _, tt := range []struct {
		name     string
		src, dst netip.Addr
		n        int
	}{
		{"IPv4", v4Client, v4Server, 60 + 5},
		{"IPv6", v6Client, v6Server, 80 + 5},
		{"IPv4-mapped addresses in IPv6", netip.MustParseAddr("::ffff:192.0.2.1"), netip.MustParseAddr("::ffff:192.0.2.2"), 80 + 5},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := []byte("before")
			p := trace.Packet{
				IP:  trace.IPHeader{Src: tt.src, Dst: tt.dst, TTL: 9, TOS: 0xb9},
				TCP: trace.Segment{SrcPort: 1, DstPort: 2, Seq: 3, Ack: 4, Flags: trace.SYN | trace.AE, Reserved: 5, Window: 6, Urgent: 7, Options: trace.Options(synOptions)},
			}
			b := wire.Append(before, &p, []byte("hello"))
			if !bytes.HasPrefix(b, before) {
				t.Fatalf("the octets that were there are gone: %q", b)
			}
			got := decode(b[len(before):])
			if got.Len != tt.n || got.Kind != trace.PacketTCP || string(got.Data()) != "hello" || got.TCP.Checksum != trace.ChecksumGood || got.IP.Checksum == trace.ChecksumBad {
				t.Errorf("decoded: %+v", got)
			}
			p.TCP.HeaderLen, p.TCP.DataLen, p.TCP.Checksum, p.TCP.Sum = 40, 5, trace.ChecksumGood, got.TCP.Sum
			if diff := cmp.Diff(p.TCP, got.TCP); diff != "" {
				t.Errorf("TCP (-want +got):\n%s", diff)
			}
			if got.IP.TTL != 9 || got.IP.TOS != 0xb9 || got.IP.Src != tt.src {
				t.Errorf("IP: %+v", got.IP)
			}
		})
	}
}

// What has no field is carried over from the octets: IPv4 options, the flow label, extension headers.
func TestAppendKeepsWhatHasNoField(t *testing.T) {
	flow := segment(v6Client, v6Server, trace.ACK, "", 3)
	flow[1], flow[2], flow[3] = 0x0a, 0xbc, 0xde
	evil := segment(v4Client, v4Server, trace.ACK, "", 3)
	evil[6] |= 0x80
	wire.FixChecksums(evil)
	for name, b := range map[string][]byte{
		"IPv4 options":      withIPv4Options(segment(v4Client, v4Server, trace.ACK, "", 3), "\x94\x04\x00\x00"),
		"unused flag":       evil,
		"flow label":        flow,
		"extension headers": withExtensions(flow, 0, extension(60, 0), extension(6, 1)),
		"atomic fragment":   withExtensions(flow, 44, []byte{6, 0, 0, 0, 1, 2, 3, 4}),
	} {
		p := decode(b)
		if got := wire.Append(nil, p, p.Data()); !bytes.Equal(got, b) {
			t.Errorf("%s:\n got %x\nwant %x", name, got, b)
		}
		b = framed(b, 0x88a8, 0x8100)
		p = decodeOn(trace.LinkEthernet, b)
		if got := wire.Append(nil, p, p.Data()); !bytes.Equal(got, b) {
			t.Errorf("%s on Ethernet, with VLAN tags:\n got %x\nwant %x", name, got, b)
		}
		p.Ethernet.Dst, p.Octets = macClient, nil
		q := decodeOn(trace.LinkEthernet, wire.Append(nil, p, nil))
		if want := (trace.EthernetHeader{HeaderLen: 14, Dst: macClient, Src: macClient, EtherType: p.Ethernet.EtherType}); q.Ethernet != want {
			t.Errorf("%s on Ethernet, from fields alone: %+v, want %+v", name, q.Ethernet, want)
		}
	}
}

func TestAppendRefusesWhatCannotBe(t *testing.T) {
	ok := func() trace.Packet { return trace.Packet{IP: trace.IPHeader{Src: v4Client, Dst: v4Server}} }
	for name, tt := range map[string]struct {
		change func(*trace.Packet)
		data   int
		want   string
	}{
		"no address":         {func(p *trace.Packet) { p.IP.Dst = netip.Addr{} }, 0, "without addresses"},
		"two families":       {func(p *trace.Packet) { p.IP.Dst = v6Server }, 0, "two address families"},
		"another version":    {func(p *trace.Packet) { p.IP.Version = 6 }, 0, "IP version 6"},
		"three octets":       {func(p *trace.Packet) { p.TCP.Options = make([]byte, 3) }, 0, "options of 3 octets"},
		"too many options":   {func(p *trace.Packet) { p.TCP.Options = make([]byte, 44) }, 0, "options of 44 octets"},
		"reserved":           {func(p *trace.Packet) { p.TCP.Reserved = 8 }, 0, "reserved bits 0x8"},
		"bits":               {func(p *trace.Packet) { p.TCP.Flags = 1 << 9 }, 0, "control bits 0x200"},
		"another link":       {func(p *trace.Packet) { p.Link = 9 }, 0, "a packet of"},
		"too much data":      {func(*trace.Packet) {}, 65536 - 40, "65536 octets does not fit"},
		"too much data/IPv6": {func(p *trace.Packet) { p.IP.Src, p.IP.Dst = v6Client, v6Server }, 65536 - 20, "65536 octets does not fit"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if r := fmt.Sprint(recover()); !strings.HasPrefix(r, "wire: ") || !strings.Contains(r, tt.want) {
					t.Errorf("panic %q, want one with %q", r, tt.want)
				}
			}()
			p := ok()
			tt.change(&p)
			wire.Append(nil, &p, make([]byte, tt.data))
		})
	}
}

func TestFixChecksums(t *testing.T) {
	for name, b := range map[string][]byte{
		"IPv4": segment(v4Client, v4Server, trace.PSH|trace.ACK, synOptions, 11),
		"IPv6": segment(v6Client, v6Server, trace.PSH|trace.ACK, synOptions, 11),
	} {
		want := bytes.Clone(b)
		at := 20
		if b[0]>>4 == 6 {
			at = 40
		} else {
			b[10] ^= 0xff
		}
		b[at+16], b[at+17] = 0x12, 0x34
		wire.FixChecksums(b)
		if !bytes.Equal(b, want) {
			t.Errorf("%s:\n got %x\nwant %x", name, b, want)
		}
	}
	for name, b := range map[string][]byte{"nothing": {}, "rubbish": []byte("rubbish"), "a fragment of a header": octets(t, syn)[:15]} {
		was := bytes.Clone(b)
		wire.FixChecksums(b)
		if !bytes.Equal(b, was) {
			t.Errorf("%s: changed to %x", name, b)
		}
	}
}

// FixChecksums makes both checksums right whatever else was changed, and changes nothing else.
func TestFixChecksumsOfMutatedPackets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := genPacket(t)
		for range rapid.IntRange(1, 4).Draw(t, "mutations") {
			b[rapid.IntRange(0, len(b)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "octet")
		}
		before := decode(bytes.Clone(b))
		wire.FixChecksums(b)
		after := decode(b)
		if after.IP.Version == 4 && after.IP.Checksum != trace.ChecksumGood || after.Kind == trace.PacketTCP && after.TCP.Checksum != trace.ChecksumGood {
			t.Errorf("IP checksum %v, TCP checksum %v", after.IP.Checksum, after.TCP.Checksum)
		}
		after.Octets, after.IP.Checksum, after.TCP.Checksum, after.TCP.Sum = before.Octets, before.IP.Checksum, before.TCP.Checksum, before.TCP.Sum
		if diff := cmp.Diff(before, after, compareAddr); diff != "" {
			t.Errorf("(-before +after):\n%s", diff)
		}
	})
}

// reencode checks that decode(encode(x)) = x for what octets say, if they are TCP.
func reencode(t interface {
	Errorf(string, ...any)
	Helper()
}, link trace.LinkType, b []byte) {
	t.Helper()
	p := decodeOn(link, b)
	if p.Kind != trace.PacketTCP {
		return
	}
	q := decodeOn(link, wire.Append(nil, p, p.Data()))
	end := p.Ethernet.HeaderLen + p.IP.HeaderLen + p.TCP.HeaderLen + p.TCP.DataLen
	if p.TCP.Checksum == trace.ChecksumGood && p.IP.Checksum != trace.ChecksumBad && !sameButForZero(link, q.Octets, b[:end]) {
		t.Errorf("other octets:\n got %x\nwant %x", q.Octets, b[:end])
	}
	if q.TCP.Checksum != trace.ChecksumGood || q.IP.Checksum == trace.ChecksumBad {
		t.Errorf("checksums: IP %v, TCP %v", q.IP.Checksum, q.TCP.Checksum)
	}
	q.Octets, q.Len, q.IP.Checksum, q.TCP.Checksum, q.TCP.Sum = p.Octets, p.Len, p.IP.Checksum, p.TCP.Checksum, p.TCP.Sum
	if diff := cmp.Diff(p, q, compareAddr); diff != "" {
		t.Errorf("decoded again (-want +got):\n%s", diff)
	}
}

// sameButForZero compares two packets octet by octet; the two ones' complement zeros are the same checksum.
func sameButForZero(link trace.LinkType, a, b []byte) bool {
	a, b = bytes.Clone(a), bytes.Clone(b)
	for _, c := range [][]byte{a, b} {
		p := decodeOn(link, c)
		at := []int{p.Ethernet.HeaderLen + p.IP.HeaderLen + 16}
		if p.IP.Version == 4 {
			at = append(at, p.Ethernet.HeaderLen+10)
		}
		for _, i := range at {
			if binary.BigEndian.Uint16(c[i:]) == 0xffff {
				c[i], c[i+1] = 0, 0
			}
		}
	}
	return bytes.Equal(a, b)
}

func TestDecodeOfEncodeIsTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		link := rapid.SampledFrom(links).Draw(t, "link")
		reencode(t, link, genFrame(t, link))
	})
}

func TestAgainstGopacket(t *testing.T) {
	packets, fields := 0, 0
	compare := func(t interface{ Errorf(string, ...any) }, link trace.LinkType, b []byte) {
		n, err := oracle.Compare(link, b)
		if err != nil {
			t.Errorf("%v\n%x", err, b)
		}
		packets++
		fields += n
	}
	compare(t, trace.LinkIP, octets(t, syn))
	for _, b := range [][]byte{frame(trace.EtherTypeARP, octets(t, arpRequest)), framed(octets(t, solicitation)), framed(octets(t, advertisement))} {
		compare(t, trace.LinkEthernet, b)
	}
	rapid.Check(t, func(t *rapid.T) {
		link := rapid.SampledFrom(links).Draw(t, "link")
		b := genFrame(t, link)
		compare(t, link, b)
		for range rapid.IntRange(0, 3).Draw(t, "mutations") {
			b[rapid.IntRange(0, min(len(b), 80)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "octet")
			compare(t, link, b)
		}
		compare(t, link, b[:rapid.IntRange(0, len(b)).Draw(t, "cut")])
	})
	t.Logf("compared %d fields of %d packets", fields, packets)
	if fields < 20*packets/2 {
		t.Errorf("compared %d fields of %d packets: fewer than 10 a packet", fields, packets)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(octets(f, syn), 0)
	f.Add(segment(v6Client, v6Server, trace.FIN|trace.ACK, "", 5), 5)
	f.Add(withExtensions(segment(v6Client, v6Server, trace.ACK, "", 0), 0, extension(44, 0), []byte{6, 0, 0, 0, 0, 0, 0, 0}), 0)
	f.Add(withIPv4Options(segment(v4Client, v4Server, trace.RST, "\x05\x0a\x00\x00\x00\x01\x00\x00\x00\x02\x01\x01", 0), "\x83\x07\x04\xc0\x00\x02\x09\x00"), 0)
	f.Add(frame(trace.EtherTypeARP, octets(f, arpRequest), 0x8100), 0)
	f.Add(framed(octets(f, solicitation)), 0)
	f.Add(framed(octets(f, advertisement), 0x88a8), 0)
	for _, b := range storyPackets(f) {
		f.Add(b, 0)
		f.Add(framed(b), 0)
	}
	f.Fuzz(func(t *testing.T, b []byte, cut int) {
		for _, link := range links {
			reencode(t, link, b)
			if _, err := oracle.Compare(link, b); err != nil {
				t.Errorf("%v: %v", link, err)
			}
			if cut >= 0 && cut <= len(b) {
				p := trace.Packet{Octets: b[:len(b)-cut], Len: len(b), Link: link}
				wire.Decode(&p)
				p.Data()
			}
		}
		wire.FixChecksums(bytes.Clone(b))
	})
}

func TestDecodeAllocatesNothing(t *testing.T) {
	packets := [][]byte{
		octets(t, syn), segment(v4Client, v4Server, trace.ACK, "", 1460),
		withExtensions(segment(v6Client, v6Server, trace.ACK, "", 9), 0, extension(60, 0), extension(6, 1)), []byte("rubbish"),
	}
	var p trace.Packet
	if n := testing.AllocsPerRun(100, func() {
		for _, b := range packets {
			p.Octets, p.Len = b, len(b)
			wire.Decode(&p)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, bb := range []struct {
		name   string
		octets []byte
	}{
		{"ack-40", segment(v4Client, v4Server, trace.ACK, "", 0)},
		{"segment-1500", segment(v4Client, v4Server, trace.ACK, "", 1460)},
	} {
		b.Run(bb.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bb.octets)))
			p := trace.Packet{Octets: bb.octets, Len: len(bb.octets)}
			for b.Loop() {
				wire.Decode(&p)
			}
			if p.TCP.Checksum != trace.ChecksumGood {
				b.Fatal("the checksum is not right")
			}
		})
	}
}

func BenchmarkAppend(b *testing.B) {
	b.ReportAllocs()
	p := decode(segment(v4Client, v4Server, trace.ACK, "", 1460))
	buf := make([]byte, 0, 1500)
	for b.Loop() {
		buf = wire.Append(buf[:0], p, p.Data())
	}
}
