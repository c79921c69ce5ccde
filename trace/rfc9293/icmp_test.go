package rfc9293

import (
	"net/netip"
	"testing"

	"connectlab/trace"
)

// TestICMPError: which messages are errors of a connection, of which kind, and of which connection they tell.
func TestICMPError(t *testing.T) {
	six := func(kind, code byte) *trace.Packet {
		b := make([]byte, 40+8+40+8)
		quote := b[48:]
		quote[0], quote[6] = 0x60, 6
		quote[8], quote[23], quote[24], quote[39] = 0x20, 1, 0x20, 2
		quote[40], quote[41], quote[43] = 0x03, 0xe8, 80
		return &trace.Packet{
			Octets: b, Kind: trace.PacketICMP, IP: trace.IPHeader{Version: 6, HeaderLen: 40, Protocol: 58}, ICMP: trace.ICMP{Type: kind, Code: code},
		}
	}
	four := icmp
	changed := func(p *trace.Packet, change func(*trace.Packet)) *trace.Packet {
		change(p)
		return p
	}
	us6, them6 := netip.MustParseAddrPort("[2000::1]:1000"), netip.MustParseAddrPort("[2000::2]:80")
	for _, c := range []struct {
		name   string
		packet *trace.Packet
		what   errorKind
	}{
		{"net unreachable", four(3, 0), softError},
		{"host unreachable", four(3, 1), softError},
		{"protocol unreachable", four(3, 2), hardError},
		{"port unreachable", four(3, 3), hardError},
		{"fragmentation needed", four(3, 4), hardError},
		{"source route failed", four(3, 5), softError},
		{"time exceeded", four(11, 0), softError},
		{"echo", four(8, 3), noError},
		{"it quotes UDP", changed(four(3, 3), func(p *trace.Packet) { p.Octets[28+9] = 17 }), noError},
		{"it quotes options", changed(four(3, 3), func(p *trace.Packet) {
			o := p.Octets
			p.Octets = append(append(append([]byte(nil), o[:48]...), 1, 1, 1, 1), o[48:]...)
			p.Octets[28] = 0x46
		}), hardError},
		{"behind an Ethernet header", changed(four(3, 3), func(p *trace.Packet) {
			p.Ethernet.HeaderLen = 14
			p.Octets = append(make([]byte, 14), p.Octets...)
		}), hardError},
		{"IPv6, no route", six(1, 0), softError},
		{"IPv6, administratively prohibited", six(1, 1), hardError},
		{"IPv6, address unreachable", six(1, 3), softError},
		{"IPv6, port unreachable", six(1, 4), hardError},
		{"IPv6, packet too big", six(2, 4), noError},
		{"IPv6, it quotes UDP", changed(six(1, 4), func(p *trace.Packet) { p.Octets[48+6] = 17 }), noError},
	} {
		t.Run(c.name, func(t *testing.T) {
			local, remote, what := icmpError(c.packet)
			wantLocal, wantRemote := us, them
			if c.packet.IP.Version == 6 {
				wantLocal, wantRemote = us6, them6
			}
			if what != c.what || what != noError && (local != wantLocal || remote != wantRemote) {
				t.Errorf("error %d, of %v to %v", what, local, remote)
			}
			whole := c.packet.Octets
			for n := range len(whole) - 4 { // without the ports it is of no connection
				c.packet.Octets = whole[:n]
				if _, _, what := icmpError(c.packet); what != noError {
					t.Errorf("the first %d octets are an error", n)
				}
			}
		})
	}
}
