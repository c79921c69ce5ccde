package rfc9293

import (
	"encoding/binary"
	"net/netip"

	"connectlab/trace"
)

// errorKind is what an ICMP message is to a connection (RFC 9293, Section 3.9.2.2).
type errorKind uint8

const (
	noError   errorKind = iota // none, or the segment that it quotes cannot be read
	softError                  // it may pass, and must not end a connection
	hardError                  // it will not
)

// icmpError reads an ICMP message about a segment. Hard errors are of ICMPv4 protocol or port unreachable, and fragmentation needed; of
// ICMPv6 administratively prohibited, and port unreachable. Soft ones are the other reasons that something is unreachable for, time exceeded
// and parameter problem. It quotes the segment that met it, so it tells of which connection: local is who sent that segment.
func icmpError(p *trace.Packet) (local, remote netip.AddrPort, what errorKind) {
	headers := p.Ethernet.HeaderLen + p.IP.HeaderLen + 8
	if p.Kind != trace.PacketICMP || headers > len(p.Octets) {
		return local, remote, noError
	}
	quote := p.Octets[headers:]
	var from, to netip.Addr
	switch {
	case p.IP.Version == 4 && len(quote) >= 20 && quote[9] == 6:
		what = kindV4(p.ICMP.Type, p.ICMP.Code)
		from, to = netip.AddrFrom4([4]byte(quote[12:])), netip.AddrFrom4([4]byte(quote[16:]))
		quote = quote[min(int(quote[0]&15)*4, len(quote)):]
	case p.IP.Version == 6 && len(quote) >= 40 && quote[6] == 6:
		what = kindV6(p.ICMP.Type, p.ICMP.Code)
		from, to = netip.AddrFrom16([16]byte(quote[8:])), netip.AddrFrom16([16]byte(quote[24:]))
		quote = quote[40:]
	}
	if what == noError || len(quote) < 4 {
		return local, remote, noError
	}
	return netip.AddrPortFrom(from, binary.BigEndian.Uint16(quote)), netip.AddrPortFrom(to, binary.BigEndian.Uint16(quote[2:])), what
}

// kindV4 is for ICMP (RFC 792).
func kindV4(kind, code uint8) errorKind {
	switch {
	case kind == 3 && code >= 2 && code <= 4:
		return hardError
	case kind == 3 && (code <= 1 || code == 5), kind == 11, kind == 12:
		return softError
	}
	return noError
}

// kindV6 is for ICMPv6 (RFC 4443).
func kindV6(kind, code uint8) errorKind {
	switch {
	case kind == 1 && (code == 1 || code == 4):
		return hardError
	case kind == 1 && (code == 0 || code == 3), kind == 3, kind == 4:
		return softError
	}
	return noError
}
