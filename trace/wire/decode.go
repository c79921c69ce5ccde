// Package wire turns octets into packets and packets into octets: IPv4 (RFC 791), IPv6 (RFC 8200) and TCP (RFC 9293,
// Section 3.1), with their checksums.
//
//	p := trace.Packet{Octets: octets, Len: len(octets)}
//	wire.Decode(&p)
//	fmt.Println(p.TCP.Flags, p.TCP.Seq)
//	octets = wire.Append(nil, &p, p.Data())
//
// It is the judge's own code, apart from that of every stack: neither gVisor's header code nor gopacket stands behind it.
// Tests compare it with gopacket, field by field.
//
// # Limits
//
// ICMP messages are told from others and not taken apart. Fragments are not put together: each is PacketOther.
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
	ipv4Header = 20
	ipv6Header = 40
	tcpHeader  = 20
)

// Why a packet could not be decoded further.
const (
	noVersion         = "the version is neither 4 nor 6"
	shortIP           = "the packet ends within the IP header"
	shortIHL          = "the IP header length is less than 20 octets"
	shortExtension    = "the packet ends within an IPv6 extension header"
	moreThanLen       = "the packet has more octets than its length says"
	totalBelowHeader  = "the IP total length is less than the IP header"
	totalBeyondPacket = "the IP total length is more than the packet"
	shortTCP          = "the packet ends within the TCP header"
	shortOffset       = "the TCP data offset is less than 5"
	offsetBeyond      = "the TCP data offset is beyond the packet"
)

// Decode fills p from p.Octets and p.Len; what the other fields held before does not matter. It never panics, and it
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
	octets, length := p.Octets, p.Len
	*p = trace.Packet{Octets: octets, Len: length}
	switch {
	case len(octets) > length:
		p.Malformed = moreThanLen
	case len(octets) == 0:
		p.Malformed = shortIP
	case octets[0]>>4 == 4:
		decodeIPv4(p)
	case octets[0]>>4 == 6:
		decodeIPv6(p)
	default:
		p.Malformed = noVersion
	}
}

func decodeIPv4(p *trace.Packet) {
	b := p.Octets
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
	case total > p.Len:
		p.Malformed = totalBeyondPacket
	case p.IP.MF || p.IP.FragOff != 0 || sourceRouted(b[ipv4Header:n]):
	case p.IP.Protocol == protoTCP:
		decodeTCP(p, total)
	case p.IP.Protocol == protoICMP:
		p.Kind = trace.PacketICMP
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

func decodeIPv6(p *trace.Packet) {
	b := p.Octets
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
	if total > p.Len {
		p.Malformed = totalBeyondPacket
		return
	}
	end := min(total, len(b))
	for {
		at := p.IP.HeaderLen
		var n int // octets of the extension header
		switch p.IP.Protocol {
		case protoTCP:
			decodeTCP(p, total)
			return
		case protoICMPv6:
			p.Kind = trace.PacketICMP
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
func decodeTCP(p *trace.Packet, total int) {
	at := p.IP.HeaderLen
	end := min(total, len(p.Octets))
	if end-at < tcpHeader {
		p.Malformed = shortTCP
		return
	}
	b := p.Octets[at:end:end]
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
		p.TCP.Checksum = verdict(fold(sum(b) + pseudoHeader(p.Octets, len(b))))
	}
}
