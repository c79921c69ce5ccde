package wire

import (
	"encoding/binary"
	"fmt"

	"connectlab/trace"
)

// Append appends a TCP segment with its IP header to b, and where p.Link is LinkEthernet with the Ethernet header before
// it: the headers from p's fields, then data. What follows from the rest is computed: lengths, data offset, both
// checksums. So p needs only what a writer of packets thinks of; Ethernet.HeaderLen and EtherType, IP.HeaderLen,
// TCP.HeaderLen, TCP.DataLen, TCP.Sum, Len, Kind and the checksum verdicts are not asked. Append(nil, p, p.Data()) of
// what Decode made of a whole TCP packet gives its octets again, with the checksums right.
//
// What p has no field for is taken from p.Octets where these are a TCP packet of the same link and IP version: VLAN tags,
// IPv4 options and the unused flag, the IPv6 flow label and extension headers. Otherwise there is none of it. The packet is whole: IP.MF
// and IP.FragOff are not asked either.
//
// It panics where no packet can be: addresses that are missing or of two families (an IPv4-mapped address is one of
// IPv6), IP.Version of another family (0 means that of the addresses), options that are longer than 40 octets or not a
// multiple of 4, Reserved above 7, Flags beyond trace.AllFlags, a segment longer than the IP header can say.
func Append(b []byte, p *trace.Packet, data []byte) []byte {
	check(p)
	given := given(p)
	if p.Link == trace.LinkEthernet {
		b = appendEthernet(b, p, given.ethernet)
	}
	from := len(b)
	b = appendIP(b, p, given.ip)
	at := len(b)
	s := &p.TCP
	b = binary.BigEndian.AppendUint16(b, s.SrcPort)
	b = binary.BigEndian.AppendUint16(b, s.DstPort)
	b = binary.BigEndian.AppendUint32(b, uint32(s.Seq))
	b = binary.BigEndian.AppendUint32(b, uint32(s.Ack))
	offset := uint16(tcpHeader+len(s.Options)) / 4
	b = binary.BigEndian.AppendUint16(b, offset<<12|uint16(s.Reserved)<<9|uint16(s.Flags))
	b = binary.BigEndian.AppendUint16(b, s.Window)
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint16(b, s.Urgent)
	b = append(b, s.Options...)
	b = append(b, data...)

	packet := b[from:]
	length := len(packet)
	if p.IP.Src.Is4() {
		if length > 0xffff {
			panic(fmt.Sprintf("wire: a packet of %d octets does not fit into IPv4", length))
		}
		binary.BigEndian.PutUint16(packet[2:], uint16(length))
		header := packet[:at-from]
		binary.BigEndian.PutUint16(header[10:], ^fold(sum(header)))
	} else {
		if length -= ipv6Header; length > 0xffff {
			panic(fmt.Sprintf("wire: a payload of %d octets does not fit into IPv6", length))
		}
		binary.BigEndian.PutUint16(packet[4:], uint16(length))
	}
	putTCPChecksum(packet, at-from, len(packet))
	return b
}

// check panics where p cannot be a packet.
func check(p *trace.Packet) {
	src, dst, s := p.IP.Src, p.IP.Dst, &p.TCP
	switch {
	case !src.IsValid() || !dst.IsValid():
		panic("wire: a packet without addresses")
	case src.Is4() != dst.Is4():
		panic(fmt.Sprintf("wire: a packet from %v to %v: two address families", src, dst))
	case p.IP.Version != 0 && (p.IP.Version == 4) != src.Is4():
		panic(fmt.Sprintf("wire: a packet of IP version %d from %v", p.IP.Version, src))
	case len(s.Options) > 40 || len(s.Options)%4 != 0:
		panic(fmt.Sprintf("wire: options of %d octets: they take a multiple of 4, up to 40", len(s.Options)))
	case s.Reserved > 7:
		panic(fmt.Sprintf("wire: reserved bits %#x: there are three", s.Reserved))
	case p.Link > trace.LinkEthernet:
		panic(fmt.Sprintf("wire: a packet of %v", p.Link))
	case s.Flags&^trace.AllFlags != 0:
		panic(fmt.Sprintf("wire: control bits %#x: there are nine", uint16(s.Flags)))
	}
}

// appendEthernet appends the Ethernet header. given is the one of p's octets; nil: none.
func appendEthernet(b []byte, p *trace.Packet, given []byte) []byte {
	kind := uint16(trace.EtherTypeIPv4)
	if p.IP.Src.Is6() {
		kind = trace.EtherTypeIPv6
	}
	b = append(b, p.Ethernet.Dst[:]...)
	b = append(b, p.Ethernet.Src[:]...)
	if tags := len(given) - ethernetHeader; tags > 0 {
		b = append(b, given[ethernetHeader-2:][:tags]...)
	}
	return binary.BigEndian.AppendUint16(b, kind)
}

// appendIP appends the IP header, its length and its checksum still zero. given is as for appendEthernet.
func appendIP(b []byte, p *trace.Packet, given []byte) []byte {
	from := len(b)
	ip := &p.IP
	if ip.Src.Is4() {
		if given == nil {
			given = []byte{0x45, 19: 0}
		}
		b = append(b, given...)
		h := b[from:]
		h[1] = ip.TOS
		binary.BigEndian.PutUint16(h[4:], ip.ID)
		frag := uint16(h[6]) << 8 & 0x8000
		if ip.DF {
			frag |= 0x4000
		}
		binary.BigEndian.PutUint16(h[6:], frag)
		h[8], h[9] = ip.TTL, protoTCP
		h[10], h[11] = 0, 0
		src, dst := ip.Src.As4(), ip.Dst.As4()
		copy(h[12:], src[:])
		copy(h[16:], dst[:])
		return b
	}
	if given == nil {
		given = []byte{0x60, 6: protoTCP, 39: 0}
	}
	b = append(b, given...)
	h := b[from:]
	h[0] = 0x60 | ip.TOS>>4
	h[1] = ip.TOS<<4 | h[1]&0xf
	h[7] = ip.TTL
	src, dst := ip.Src.As16(), ip.Dst.As16()
	copy(h[8:], src[:])
	copy(h[24:], dst[:])
	return b
}

// givenHeaders are headers of a packet's octets.
type givenHeaders struct{ ethernet, ip []byte }

// given are the headers in p.Octets if these are a TCP packet of p's link and IP version, else none.
func given(p *trace.Packet) givenHeaders {
	if len(p.Octets) == 0 {
		return givenHeaders{}
	}
	q := trace.Packet{Octets: p.Octets, Len: p.Len, Link: p.Link}
	Decode(&q)
	if q.Kind != trace.PacketTCP || (q.IP.Version == 4) != p.IP.Src.Is4() {
		return givenHeaders{}
	}
	at := q.Ethernet.HeaderLen
	return givenHeaders{p.Octets[:at], p.Octets[at : at+q.IP.HeaderLen]}
}
