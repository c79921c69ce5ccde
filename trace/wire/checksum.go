package wire

import (
	"encoding/binary"
	"math/bits"

	"connectlab/trace"
)

// sum adds up b as 16-bit words in ones' complement (RFC 1071), as if an octet of zero stood behind it where its length is odd.
// The result is folded to 16 bits as far as it takes to add several of them without a carry getting lost.
//
// It takes 8 octets at a time: ones' complement sums of wider words fold to the same (RFC 1071, Section 2).
func sum(b []byte) uint64 {
	var s, carry uint64
	for len(b) >= 32 {
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b), 0)
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b[8:]), carry)
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b[16:]), carry)
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b[24:]), carry)
		s += carry // cannot overflow: a sum that carried is not all ones
		b = b[32:]
	}
	for len(b) >= 8 {
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b), 0)
		s += carry
		b = b[8:]
	}
	if len(b) > 0 {
		var last [8]byte
		copy(last[:], b)
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(last[:]), 0)
		s += carry
	}
	return uint64(fold(s))
}

// fold brings a sum to 16 bits.
func fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s)
}

// pseudoHeader sums what the checksum of a protocol above IP covers besides its own octets (RFC 9293, Section 3.1; RFC 8200,
// Section 8.1). octets begin with the IP header, n is the length of what stands behind it.
func pseudoHeader(octets []byte, protocol uint64, n int) uint64 {
	addresses := octets[12:20]
	if octets[0]>>4 == 6 {
		addresses = octets[8:40]
	}
	return sum(addresses) + protocol + uint64(n)
}

// verdict judges the sum over everything that a checksum covers, the checksum itself included.
func verdict(s uint16) trace.Checksum {
	if s == 0xffff {
		return trace.ChecksumGood
	}
	return trace.ChecksumBad
}

// FixChecksums computes the IPv4 header's and the TCP checksum anew, in place, as far as octets can be decoded: for a
// packet that was changed and shall be taken for a whole one. octets are one whole packet that begins with the IP header, so
// of a frame what stands behind its Ethernet header; where they are not TCP, only the IPv4 header's checksum changes.
func FixChecksums(octets []byte) {
	p := trace.Packet{Octets: octets, Len: len(octets)}
	Decode(&p)
	if p.IP.Version == 4 {
		b := octets[:p.IP.HeaderLen]
		b[10], b[11] = 0, 0
		binary.BigEndian.PutUint16(b[10:], ^fold(sum(b)))
	}
	if p.Kind == trace.PacketTCP {
		putTCPChecksum(octets, p.IP.HeaderLen, p.IP.HeaderLen+p.TCP.HeaderLen+p.TCP.DataLen)
	}
}

// putTCPChecksum writes the checksum of the segment in octets[at:end], with the IP header in front.
func putTCPChecksum(octets []byte, at, end int) {
	b := octets[at:end]
	b[16], b[17] = 0, 0
	binary.BigEndian.PutUint16(b[16:], ^fold(sum(b)+pseudoHeader(octets, protoTCP, len(b))))
}
