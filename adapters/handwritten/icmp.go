package handwritten

import (
	"encoding/binary"
	"net/netip"

	"connectlab/netns"
	"connectlab/trace"
)

// errorArrives takes in an ICMP error about a segment that this host has sent (Section 3.9.2.2; RFC 5927, Section 4: only one that
// is under way counts).
func (s *stack) errorArrives(ip *ipPacket) {
	p := ip.payload
	if len(p) < 8 || !s.icmpSound(ip) {
		return
	}
	quoted, ok := readIP(p[8:], true)
	if !ok || quoted.protocol != protocolTCP || quoted.src != s.own || len(quoted.payload) < 8 {
		return
	}
	ports, seq := quoted.payload, trace.Seq(binary.BigEndian.Uint32(quoted.payload[4:]))
	c := s.connections[tuple{netip.AddrPortFrom(quoted.dst, binary.BigEndian.Uint16(ports[2:])), binary.BigEndian.Uint16(ports)}]
	if c == nil || !c.sndUna.LessEq(seq) || !seq.Less(c.sndNxt) {
		return
	}
	s.touchWithListener(c)
	hard, soft := icmpErrors(ip.protocol, p[0], p[1])
	switch {
	case hard != "": // SHLD-26
		c.end(hard)
	case soft != "": // MUST-56
		c.softError = soft
	}
}

// icmpSound tells whether the checksum of an ICMP message is right.
func (s *stack) icmpSound(ip *ipPacket) bool {
	acc := uint64(0)
	if ip.protocol == protocolICMPv6 {
		acc = pseudo(ip.src, ip.dst, protocolICMPv6, len(ip.payload))
	}
	return fold(sum(ip.payload, acc)) == 0xffff
}

// icmpErrors are what an ICMP message means: an error that ends the connection, or one that is only told. Source Quench means
// nothing (MUST-55).
func icmpErrors(protocol, kind, code uint8) (hard, soft netns.Errno) {
	if protocol == protocolICMP {
		const unreachable, timeExceeded, parameterProblem = 3, 11, 12
		switch {
		case kind == unreachable && code == 2:
			return netns.ErrNoProtocolOption, ""
		case kind == unreachable && code == 3:
			return netns.ErrRefused, ""
		case kind == unreachable && code == 4:
			return netns.ErrMessageTooLong, ""
		case kind == unreachable && code == 0:
			return "", netns.ErrNetUnreachable
		case kind == unreachable && (code == 1 || code == 5), kind == timeExceeded, kind == parameterProblem:
			return "", netns.ErrHostUnreachable
		}
		return "", ""
	}
	const unreachable, timeExceeded, parameterProblem = 1, 3, 4
	switch {
	case kind == unreachable && (code == 1 || code == 4):
		return netns.ErrRefused, ""
	case kind == unreachable && code == 0:
		return "", netns.ErrNetUnreachable
	case kind == unreachable && code == 3, kind == timeExceeded, kind == parameterProblem:
		return "", netns.ErrHostUnreachable
	}
	return "", ""
}
