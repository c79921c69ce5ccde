// Package wire turns octets into packets and packets into octets: IPv4 (RFC 791), IPv6 (RFC 8200) and TCP (RFC 9293,
// Section 3.1), with their checksums, and what carries them on Ethernet (RFC 894, RFC 2464) with the ARP (RFC 826) and the
// neighbor discovery (RFC 4861) that it needs.
//
//	p := trace.Packet{Octets: octets, Len: len(octets), Link: trace.LinkIP}
//	wire.Decode(&p)
//	fmt.Println(p.TCP.Flags, p.TCP.Seq)
//	octets = wire.Append(nil, &p, p.Data())
//
// It is the judge's own code, apart from that of every stack: neither gVisor's header code nor gopacket stands behind it.
// Tests compare it with gopacket, field by field.
//
// # Limits
//
// Of ICMP messages the type, the code and the checksum are read, and of neighbor solicitations and advertisements whom they
// are about. Fragments are not put together: each is PacketOther. VLAN tags are passed over; a frame with a length in place
// of an EtherType (IEEE 802.3) is PacketOther.
package wire

import (
	"encoding/binary"
	"net/netip"

	"connectlab/trace"
)

// Protocol numbers, which are also the numbers of IPv6 extension headers (RFC 8200, Section 4).
const (
	protoHopByHop    = 0
	protoICMP        = 1
	protoTCP         = 6
	protoRouting     = 43
	protoFragment    = 44
	protoICMPv6      = 58
	protoDestOptions = 60
)

// Lengths of headers without options, octets.
const (
	ethernetHeader = 14
	vlanTag        = 4
	arpPacket      = 28
	ipv4Header     = 20
	ipv6Header     = 40
	tcpHeader      = 20
	icmpHeader     = 4  // what all messages have in common: type, code, checksum
	neighborHeader = 24 // of a neighbor solicitation or advertisement, without options
)

// Why a packet could not be decoded further.
const (
	noLink            = "the link type is not known"
	shortEthernet     = "the packet ends within the Ethernet header"
	shortARP          = "the packet ends within the ARP packet"
	noVersion         = "the version is neither 4 nor 6"
	otherVersion      = "the version is not the one that the EtherType says"
	shortIP           = "the packet ends within the IP header"
	shortIHL          = "the IP header length is less than 20 octets"
	shortExtension    = "the packet ends within an IPv6 extension header"
	moreThanLen       = "the packet has more octets than its length says"
	totalBelowHeader  = "the IP total length is less than the IP header"
	totalBeyondPacket = "the IP total length is more than the packet"
	shortTCP          = "the packet ends within the TCP header"
	shortOffset       = "the TCP data offset is less than 5"
	offsetBeyond      = "the TCP data offset is beyond the packet"
	shortICMP         = "the packet ends within the ICMP header"
	shortNeighbor     = "the packet ends within the neighbor discovery message"
)

// Decode fills p from p.Octets, p.Len and p.Link; what the other fields held before does not matter. It never panics, and it
// allocates nothing. TCP.Options are a part of p.Octets.
//
// Octets may end before Len does, as they do where the record keeps no data. Everything is then as for the whole packet,
// except that a checksum which covers octets that are not at hand is ChecksumUnverified: a caller that verified it when it had
// them sets TCP.Checksum again.
//
// Octets behind the end of the IP datagram belong to no layer: they are counted in Len alone. A packet whose source
// route or routing header still names another hop is PacketOther, because its checksum is made with an address that comes
// later; so is one under IPsec. What a fragment header of IPv6 says stands in IP.MF and IP.FragOff; its
// identification, which has 32 bits, does not stand in IP.ID.
func Decode(p *trace.Packet) {
	octets, length, link := p.Octets, p.Len, p.Link
	*p = trace.Packet{Octets: octets, Len: length, Link: link}
	switch {
	case len(octets) > length:
		p.Malformed = moreThanLen
	case link == trace.LinkIP:
		decodeIP(p)
	case link == trace.LinkEthernet:
		decodeEthernet(p)
	default:
		p.Malformed = noLink
	}
}

func decodeEthernet(p *trace.Packet) {
	b := p.Octets
	at := ethernetHeader
	if len(b) < at {
		p.Malformed = shortEthernet
		return
	}
	kind := binary.BigEndian.Uint16(b[at-2:])
	for IsVLANTag(kind) {
		if at += vlanTag; len(b) < at {
			p.Malformed = shortEthernet
			return
		}
		kind = binary.BigEndian.Uint16(b[at-2:])
	}
	p.Ethernet = trace.EthernetHeader{HeaderLen: at, Dst: trace.MAC(b), Src: trace.MAC(b[6:]), EtherType: kind}
	version := byte(4)
	switch kind {
	case trace.EtherTypeARP:
		decodeARP(p, b[at:])
		return
	case trace.EtherTypeIPv6:
		version = 6
	case trace.EtherTypeIPv4:
	default:
		p.Kind = trace.PacketOther
		return
	}
	if at < len(b) && b[at]>>4 != version {
		p.Malformed = otherVersion
		return
	}
	decodeIP(p)
}

// IsVLANTag reports whether an EtherType is that of a tag of four octets, behind which another EtherType stands: IEEE 802.1Q,
// 802.1ad (QinQ), and what was in use before it.
func IsVLANTag(etherType uint16) bool {
	return etherType == 0x8100 || etherType == 0x88a8 || etherType == 0x9100
}

// decodeARP decodes b, what follows the Ethernet header.
func decodeARP(p *trace.Packet, b []byte) {
	const ethernet, ipv4, lengths = 1, trace.EtherTypeIPv4, 0x0604 // of their addresses
	if len(b) < 8 {
		p.Malformed = shortARP
		return
	}
	if binary.BigEndian.Uint16(b) != ethernet || binary.BigEndian.Uint16(b[2:]) != ipv4 || binary.BigEndian.Uint16(b[4:]) != lengths {
		p.Kind = trace.PacketOther // it resolves other addresses
		return
	}
	if len(b) < arpPacket {
		p.Malformed = shortARP
		return
	}
	p.Kind = trace.PacketARP
	p.ARP = trace.ARP{
		Operation: binary.BigEndian.Uint16(b[6:]),
		SenderMAC: trace.MAC(b[8:]), SenderIP: netip.AddrFrom4([4]byte(b[14:])),
		TargetMAC: trace.MAC(b[18:]), TargetIP: netip.AddrFrom4([4]byte(b[24:])),
	}
}

// decodeIP decodes what follows the Ethernet header, where there is one.
func decodeIP(p *trace.Packet) {
	b := p.Octets[p.Ethernet.HeaderLen:]
	length := p.Len - p.Ethernet.HeaderLen
	switch {
	case len(b) == 0:
		p.Malformed = shortIP
	case b[0]>>4 == 4:
		decodeIPv4(p, b, length)
	case b[0]>>4 == 6:
		decodeIPv6(p, b, length)
	default:
		p.Malformed = noVersion
	}
}

// decodeIPv4 decodes b, which was length octets on the wire. The same goes for those below.
func decodeIPv4(p *trace.Packet, b []byte, length int) {
	if len(b) < ipv4Header {
		p.Malformed = shortIP
		return
	}
	n := int(b[0]&0xf) * 4
	switch {
	case n < ipv4Header:
		p.Malformed = shortIHL
		return
	case len(b) < n:
		p.Malformed = shortIP
		return
	}
	frag := binary.BigEndian.Uint16(b[6:])
	p.Kind = trace.PacketOther
	p.IP = trace.IPHeader{
		Version:   4,
		HeaderLen: n,
		Src:       netip.AddrFrom4([4]byte(b[12:16])),
		Dst:       netip.AddrFrom4([4]byte(b[16:20])),
		Protocol:  b[9],
		TTL:       b[8],
		TOS:       b[1],
		ID:        binary.BigEndian.Uint16(b[4:]),
		DF:        frag&0x4000 != 0,
		MF:        frag&0x2000 != 0,
		FragOff:   int(frag&0x1fff) * 8,
		Checksum:  verdict(fold(sum(b[:n]))),
	}
	switch total := int(binary.BigEndian.Uint16(b[2:])); {
	case total < n:
		p.Malformed = totalBelowHeader
	case total > length:
		p.Malformed = totalBeyondPacket
	case p.IP.MF || p.IP.FragOff != 0 || sourceRouted(b[ipv4Header:n]):
	case p.IP.Protocol == protoTCP:
		decodeTCP(p, b, total)
	case p.IP.Protocol == protoICMP:
		decodeICMP(p, b, total)
	}
}

// sourceRouted reports whether IPv4 options hold a source route that is not at its end yet (RFC 791, Section 3.1).
func sourceRouted(options []byte) bool {
	const (
		end         = 0
		nop         = 1
		looseRoute  = 131
		strictRoute = 137
	)
	for o := options; len(o) > 0; {
		switch o[0] {
		case end:
			return false
		case nop:
			o = o[1:]
			continue
		}
		if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
			return false
		}
		n := o[1]
		if (o[0] == looseRoute || o[0] == strictRoute) && n >= 3 && o[2] <= n {
			return true
		}
		o = o[n:]
	}
	return false
}

func decodeIPv6(p *trace.Packet, b []byte, length int) {
	if len(b) < ipv6Header {
		p.Malformed = shortIP
		return
	}
	p.Kind = trace.PacketOther
	p.IP = trace.IPHeader{
		Version:   6,
		HeaderLen: ipv6Header,
		Src:       netip.AddrFrom16([16]byte(b[8:24])),
		Dst:       netip.AddrFrom16([16]byte(b[24:40])),
		Protocol:  b[6],
		TTL:       b[7],
		TOS:       b[0]<<4 | b[1]>>4,
	}
	total := ipv6Header + int(binary.BigEndian.Uint16(b[4:]))
	if total > length {
		p.Malformed = totalBeyondPacket
		return
	}
	end := min(total, len(b))
	for {
		at := p.IP.HeaderLen
		var n int // octets of the extension header
		switch p.IP.Protocol {
		case protoTCP:
			decodeTCP(p, b, total)
			return
		case protoICMPv6:
			decodeICMP(p, b, total)
			return
		case protoHopByHop, protoRouting, protoDestOptions:
			if at+8 > end {
				p.Malformed = shortExtension
				return
			}
			n = 8 + 8*int(b[at+1])
		case protoFragment:
			n = 8
		default:
			return
		}
		if at+n > end {
			p.Malformed = shortExtension
			return
		}
		extension := p.IP.Protocol
		p.IP.Protocol = b[at]
		p.IP.HeaderLen += n
		switch extension {
		case protoFragment:
			frag := binary.BigEndian.Uint16(b[at+2:])
			p.IP.MF, p.IP.FragOff = frag&1 != 0, int(frag&^7)
			if p.IP.MF || p.IP.FragOff != 0 {
				return
			}
		case protoRouting:
			if b[at+3] != 0 { // segments left
				return
			}
		}
	}
}

// decodeTCP decodes the segment between the IP header and total, the end of the datagram.
func decodeTCP(p *trace.Packet, datagram []byte, total int) {
	at := p.IP.HeaderLen
	end := min(total, len(datagram))
	if end-at < tcpHeader {
		p.Malformed = shortTCP
		return
	}
	b := datagram[at:end:end]
	n := int(b[12]>>4) * 4
	switch {
	case n < tcpHeader:
		p.Malformed = shortOffset
		return
	case n > total-at:
		p.Malformed = offsetBeyond
		return
	case n > len(b):
		p.Malformed = shortTCP
		return
	}
	p.Kind = trace.PacketTCP
	bits := binary.BigEndian.Uint16(b[12:])
	p.TCP = trace.Segment{
		SrcPort:   binary.BigEndian.Uint16(b),
		DstPort:   binary.BigEndian.Uint16(b[2:]),
		Seq:       trace.Seq(binary.BigEndian.Uint32(b[4:])),
		Ack:       trace.Seq(binary.BigEndian.Uint32(b[8:])),
		HeaderLen: n,
		Reserved:  uint8(bits>>9) & 7,
		Flags:     trace.Flags(bits) & trace.AllFlags,
		Window:    binary.BigEndian.Uint16(b[14:]),
		Sum:       binary.BigEndian.Uint16(b[16:]),
		Urgent:    binary.BigEndian.Uint16(b[18:]),
		Options:   trace.Options(b[tcpHeader:n:n]),
		DataLen:   total - at - n,
	}
	if end == total {
		p.TCP.Checksum = verdict(fold(sum(b) + pseudoHeader(datagram, protoTCP, len(b))))
	}
}

// decodeICMP decodes the message between the IP header and total.
func decodeICMP(p *trace.Packet, datagram []byte, total int) {
	at := p.IP.HeaderLen
	end := min(total, len(datagram))
	if end-at < icmpHeader {
		p.Malformed = shortICMP
		return
	}
	b := datagram[at:end]
	p.Kind = trace.PacketICMP
	m := &p.ICMP
	m.Type, m.Code = b[0], b[1]
	if end == total {
		s := sum(b)
		if p.IP.Version == 6 {
			s += pseudoHeader(datagram, protoICMPv6, len(b))
		}
		m.Checksum = verdict(fold(s))
	}
	if p.IP.Version == 6 && (m.Type == trace.NeighborSolicitation || m.Type == trace.NeighborAdvertisement) {
		decodeNeighbor(p, b)
	}
}

// decodeNeighbor decodes a neighbor solicitation or advertisement (RFC 4861, Sections 4.3 and 4.4).
func decodeNeighbor(p *trace.Packet, b []byte) {
	if len(b) < neighborHeader {
		p.Malformed = shortNeighbor
		return
	}
	m := &p.ICMP
	m.Target = netip.AddrFrom16([16]byte(b[8:24]))
	address := byte(1) // the option of a source link-layer address
	if m.Type == trace.NeighborAdvertisement {
		address = 2 // and of a target link-layer address
	}
	for o := b[neighborHeader:]; len(o) >= 8; {
		n := 8 * int(o[1])
		if n == 0 || n > len(o) {
			return
		}
		if o[0] == address && n == 8 {
			m.MAC = trace.MAC(o[2:])
			return
		}
		o = o[n:]
	}
}
