package handwritten

import (
	"encoding/binary"
	"math/bits"
	"net/netip"

	"connectlab/trace"
)

// A segment is what the rules of Section 3.10.7 look at: the header of TCP, and what IP says of it. The zero value is a segment
// without a control bit.
type segment struct {
	local, remote netip.AddrPort // as the connection here has them
	seq, ack      trace.Seq
	ctl           trace.Flags
	wnd           uint32 // as it stands in the header, not scaled
	up            uint32 // the urgent pointer: an offset from seq
	options       options
	data          []byte
	congested     bool // the network has marked the packet: "congestion experienced" (RFC 3168, Section 5)
}

// options are those that this stack knows. Others are skipped (MUST-6).
type options struct {
	mss           int // 0: none
	shift         int // of the window scale option; -1: none
	sackPermitted bool
	timestamps    bool
	tsVal, tsEcr  uint32
}

// len is SEG.LEN: the octets of data, and SYN and FIN, which count as one octet each (Section 3.4).
func (g *segment) len() uint32 {
	n := uint32(len(g.data))
	if g.ctl.Has(trace.SYN) {
		n++
	}
	if g.ctl.Has(trace.FIN) {
		n++
	}
	return n
}

const (
	protocolICMP   = 1
	protocolTCP    = 6
	protocolICMPv6 = 58

	ipv4Header = 20
	ipv6Header = 40
	tcpHeader  = 20

	ect0 = 2 // the two lower bits of the second octet: "ECN-capable transport" (RFC 3168, Section 5)
	ce   = 3 // and "congestion experienced"
)

// An ipPacket is a packet of IPv4 or IPv6 that is whole, sound and no fragment.
type ipPacket struct {
	src, dst netip.Addr
	protocol uint8
	ecn      uint8
	payload  []byte
}

// readIP reads the header of IP. quoted: the packet stands in an ICMP message, which may have cut it off.
func readIP(p []byte, quoted bool) (ip ipPacket, ok bool) {
	if len(p) == 0 {
		return ip, false
	}
	switch p[0] >> 4 {
	case 4:
		return readIPv4(p, quoted)
	case 6:
		return readIPv6(p, quoted)
	}
	return ip, false
}

// readIPv4 reads the header of RFC 791, Section 3.1. Its options are skipped (MUST-50).
func readIPv4(p []byte, quoted bool) (ip ipPacket, ok bool) {
	if len(p) < ipv4Header {
		return ip, false
	}
	header, total := int(p[0]&15)*4, int(binary.BigEndian.Uint16(p[2:]))
	if header < ipv4Header || len(p) < header || total < header || len(p) < total && !quoted {
		return ip, false
	}
	if !quoted && fold(sum(p[:header], 0)) != 0xffff {
		return ip, false
	}
	const moreFragmentsAndOffset = 0x3fff
	if binary.BigEndian.Uint16(p[6:])&moreFragmentsAndOffset != 0 {
		return ip, false
	}
	ip = ipPacket{src: netip.AddrFrom4([4]byte(p[12:])), dst: netip.AddrFrom4([4]byte(p[16:])), protocol: p[9], ecn: p[1] & 3}
	ip.payload = p[header:min(total, len(p))]
	return ip, true
}

// readIPv6 reads the header of RFC 8200, Section 3, and skips the extension headers that say nothing to an end host.
func readIPv6(p []byte, quoted bool) (ip ipPacket, ok bool) {
	if len(p) < ipv6Header {
		return ip, false
	}
	total := ipv6Header + int(binary.BigEndian.Uint16(p[4:]))
	if len(p) < total && !quoted {
		return ip, false
	}
	ip = ipPacket{src: netip.AddrFrom16([16]byte(p[8:])), dst: netip.AddrFrom16([16]byte(p[24:])), protocol: p[6], ecn: p[1] >> 4 & 3}
	ip.payload = p[ipv6Header:min(total, len(p))]
	const hopByHop, destinationOptions = 0, 60
	for ip.protocol == hopByHop || ip.protocol == destinationOptions {
		if len(ip.payload) < 8 {
			return ip, false
		}
		length := 8 + int(ip.payload[1])*8
		if len(ip.payload) < length {
			return ip, false
		}
		ip.protocol, ip.payload = ip.payload[0], ip.payload[length:]
	}
	return ip, true
}

// pseudo sums up the pseudo-header (Section 3.1, "Checksum"; of IPv6: RFC 8200, Section 8.1).
func pseudo(src, dst netip.Addr, protocol uint8, length int) uint64 {
	acc := uint64(protocol) + uint64(length)
	if src.Is4() {
		a, b := src.As4(), dst.As4()
		return acc + uint64(binary.BigEndian.Uint32(a[:])) + uint64(binary.BigEndian.Uint32(b[:]))
	}
	a, b := src.As16(), dst.As16()
	return sum(b[:], sum(a[:], acc))
}

// sum adds up the 16-bit words of p, in ones' complement, eight octets at a time (RFC 1071, Section 2). An odd octet at the end
// counts as if a zero followed it.
func sum(p []byte, acc uint64) uint64 {
	var carry uint64
	for len(p) >= 32 {
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(p), carry)
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(p[8:]), carry)
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(p[16:]), carry)
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(p[24:]), carry)
		p = p[32:]
	}
	for len(p) >= 8 {
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(p), carry)
		p = p[8:]
	}
	if len(p) > 0 {
		var rest [8]byte
		copy(rest[:], p)
		acc, carry = bits.Add64(acc, binary.BigEndian.Uint64(rest[:]), carry)
	}
	for carry != 0 {
		acc, carry = bits.Add64(acc, 0, carry)
	}
	return acc
}

// fold makes sixteen bits of what sum has added up.
func fold(acc uint64) uint16 {
	for acc>>16 != 0 {
		acc = acc&0xffff + acc>>16
	}
	return uint16(acc)
}

// readSegment reads the header of TCP (Section 3.1). A segment whose checksum is wrong is none (MUST-3).
func readSegment(ip *ipPacket, g *segment) (ok bool) {
	p := ip.payload
	if len(p) < tcpHeader {
		return false
	}
	offset := int(p[12]>>4) * 4
	if offset < tcpHeader || len(p) < offset {
		return false
	}
	if fold(sum(p, pseudo(ip.src, ip.dst, protocolTCP, len(p)))) != 0xffff {
		return false
	}
	*g = segment{
		local:  netip.AddrPortFrom(ip.dst, binary.BigEndian.Uint16(p[2:])),
		remote: netip.AddrPortFrom(ip.src, binary.BigEndian.Uint16(p)),
		seq:    trace.Seq(binary.BigEndian.Uint32(p[4:])),
		ack:    trace.Seq(binary.BigEndian.Uint32(p[8:])),
		ctl:    trace.Flags(binary.BigEndian.Uint16(p[12:])) & trace.AllFlags,
		wnd:    uint32(binary.BigEndian.Uint16(p[14:])),
		up:     uint32(binary.BigEndian.Uint16(p[18:])),
		data:   p[offset:],

		congested: ip.ecn == ce,
	}
	g.options.read(p[tcpHeader:offset])
	return true
}

// Kinds of options (Section 3.2; RFC 7323; RFC 2018).
const (
	kindEnd, kindNone, kindMSS, kindShift, kindSACKPermitted, kindSACK, kindTimestamps = 0, 1, 2, 3, 4, 5, 8
)

// read reads the options, at whatever octet they begin (MUST-64). An illegal length ends the list (MUST-7); an option that is known
// but has not its length is skipped.
func (o *options) read(p []byte) {
	o.shift = -1
	for len(p) > 0 {
		switch p[0] {
		case kindEnd:
			return
		case kindNone:
			p = p[1:]
			continue
		}
		if len(p) < 2 || p[1] < 2 || int(p[1]) > len(p) {
			return
		}
		value := p[2:p[1]]
		switch {
		case p[0] == kindMSS && len(value) == 2:
			o.mss = int(binary.BigEndian.Uint16(value))
		case p[0] == kindShift && len(value) == 1:
			o.shift = int(value[0])
		case p[0] == kindSACKPermitted && len(value) == 0:
			o.sackPermitted = true
		case p[0] == kindTimestamps && len(value) == 8:
			o.timestamps = true
			o.tsVal, o.tsEcr = binary.BigEndian.Uint32(value), binary.BigEndian.Uint32(value[4:])
		}
		p = p[p[1]:]
	}
}

// A span is the octets from from up to, not including, to.
type span struct{ from, to trace.Seq }

// append writes the options, and blocks of SACK if there are any, each padded to a multiple of four octets.
func (o *options) append(p []byte, blocks []span) []byte {
	if o.mss > 0 {
		p = binary.BigEndian.AppendUint16(append(p, kindMSS, 4), uint16(o.mss))
	}
	if o.shift >= 0 {
		p = append(p, kindNone, kindShift, 3, byte(o.shift))
	}
	if o.sackPermitted {
		p = append(p, kindNone, kindNone, kindSACKPermitted, 2)
	}
	if o.timestamps {
		p = append(p, kindNone, kindNone, kindTimestamps, 10)
		p = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(p, o.tsVal), o.tsEcr)
	}
	if len(blocks) > 0 {
		p = append(p, kindNone, kindNone, kindSACK, byte(2+8*len(blocks)))
		for _, b := range blocks {
			p = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(p, uint32(b.from)), uint32(b.to))
		}
	}
	return p
}

// An envelope is what of a packet stands around the segment.
type envelope struct {
	tos, ttl uint8
	id       uint16 // of IPv4: packets can be fragmented, so that each has its own (RFC 6864, Section 4)
}

// appendPacket writes a packet: the header of IP, that of TCP, the options and the data, which come in two pieces since the
// buffer that they come from is a ring.
func appendPacket(p []byte, e envelope, g *segment, blocks []span, one, two []byte) []byte {
	start := len(p)
	var room [40]byte
	list := g.options.append(room[:0], blocks)
	length := tcpHeader + len(list) + len(one) + len(two)
	src, dst := g.local.Addr(), g.remote.Addr()
	if src.Is4() {
		p = append(p, 4<<4|ipv4Header/4, e.tos)
		p = binary.BigEndian.AppendUint16(p, uint16(ipv4Header+length))
		p = binary.BigEndian.AppendUint16(p, e.id)
		p = append(p, 0, 0, e.ttl, protocolTCP, 0, 0)
		a, b := src.As4(), dst.As4()
		p = append(append(p, a[:]...), b[:]...)
		binary.BigEndian.PutUint16(p[start+10:], ^fold(sum(p[start:], 0)))
	} else {
		p = append(p, 6<<4|e.tos>>4, e.tos<<4, 0, 0)
		p = binary.BigEndian.AppendUint16(p, uint16(length))
		p = append(p, protocolTCP, e.ttl)
		a, b := src.As16(), dst.As16()
		p = append(append(p, a[:]...), b[:]...)
	}
	segment := len(p)
	p = binary.BigEndian.AppendUint16(p, g.local.Port())
	p = binary.BigEndian.AppendUint16(p, g.remote.Port())
	p = binary.BigEndian.AppendUint32(p, uint32(g.seq))
	p = binary.BigEndian.AppendUint32(p, uint32(g.ack))
	p = binary.BigEndian.AppendUint16(p, uint16(tcpHeader+len(list))/4<<12|uint16(g.ctl))
	p = binary.BigEndian.AppendUint16(p, uint16(g.wnd))
	p = append(p, 0, 0)
	p = binary.BigEndian.AppendUint16(p, uint16(g.up))
	p = append(append(append(p, list...), one...), two...)
	binary.BigEndian.PutUint16(p[segment+16:], ^fold(sum(p[segment:], pseudo(src, dst, protocolTCP, length))))
	return p
}
