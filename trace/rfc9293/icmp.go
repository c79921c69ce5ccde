package rfc9293

import (
	"encoding/binary"
	"net/netip"

	"connectlab/trace"
)

// hardError reads an ICMP message that is a hard error (RFC 9293, Section 3.9.2.2): of ICMPv4 protocol or port unreachable, and
// fragmentation needed; of ICMPv6 administratively prohibited, and port unreachable. It quotes the segment that met it, so it
// tells of which connection: local is who sent that segment.
func hardError(p *trace.Packet) (local, remote netip.AddrPort, ok bool) {
	headers := p.Ethernet.HeaderLen + p.IP.HeaderLen + 8
	if headers > len(p.Octets) {
		return local, remote, false
	}
	kind, code, quote := p.ICMP.Type, p.ICMP.Code, p.Octets[headers:]
	var from, to netip.Addr
	switch {
	case p.IP.Version == 4 && kind == 3 && code >= 2 && code <= 4 && len(quote) >= 20 && quote[9] == 6:
		from, to = netip.AddrFrom4([4]byte(quote[12:])), netip.AddrFrom4([4]byte(quote[16:]))
		quote = quote[min(int(quote[0]&15)*4, len(quote)):]
	case p.IP.Version == 6 && kind == 1 && (code == 1 || code == 4) && len(quote) >= 40 && quote[6] == 6:
		from, to = netip.AddrFrom16([16]byte(quote[8:])), netip.AddrFrom16([16]byte(quote[24:]))
		quote = quote[40:]
	default:
		return local, remote, false
	}
	if len(quote) < 4 {
		return local, remote, false
	}
	return netip.AddrPortFrom(from, binary.BigEndian.Uint16(quote)), netip.AddrPortFrom(to, binary.BigEndian.Uint16(quote[2:])), true
}
