package trace

import "encoding/binary"

// AsCaptured takes a decoded packet for one of a packet capture. A capture on the sending machine has packets whose checksums
// the network card is still to compute: the field holds zero, or in TCP what the card goes on from, the sum of the pseudo header, with or
// without the segment's length in it. Such a checksum, which decoding calls bad, becomes ChecksumUncomputed: the packet went
// out whole. One that is bad in another way stays so.
func (p *Packet) AsCaptured() {
	if p.IP.Checksum == ChecksumBad {
		const at = 10 // of the checksum in an IPv4 header
		if b := p.Octets[p.Ethernet.HeaderLen+at:]; b[0] == 0 && b[1] == 0 {
			p.IP.Checksum = ChecksumUncomputed
		}
	}
	if p.Kind == PacketTCP && p.TCP.Checksum == ChecksumBad {
		s := &p.TCP
		if sum := pseudoSum(&p.IP); s.Sum == 0 || s.Sum == fold(sum) || s.Sum == fold(sum+uint32(s.HeaderLen+s.DataLen)) {
			s.Checksum = ChecksumUncomputed
		}
	}
}

// pseudoSum adds up the pseudo header without the segment's length (RFC 9293, Section 3.1; RFC 8200, Section 8.1).
func pseudoSum(ip *IPHeader) (sum uint32) {
	const protocol = 6
	sum = protocol
	for _, address := range [...][16]byte{ip.Src.As16(), ip.Dst.As16()} {
		words := address[:]
		if ip.Version == 4 {
			words = address[12:]
		}
		for ; len(words) > 0; words = words[2:] {
			sum += uint32(binary.BigEndian.Uint16(words))
		}
	}
	return sum
}

// fold brings a sum to 16 bits in ones' complement.
func fold(sum uint32) uint16 {
	sum = sum>>16 + sum&0xffff
	return uint16(sum>>16 + sum)
}
