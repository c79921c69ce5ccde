package rfc9293

import (
	"net/netip"
	"testing"

	"connectlab/trace"
)

// TestHardError: which messages end a connection, and which connection they tell of.
func TestHardError(t *testing.T) {
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
		hard   bool
	}{
		{"net unreachable", four(3, 0), false},
		{"host unreachable", four(3, 1), false},
		{"protocol unreachable", four(3, 2), true},
		{"port unreachable", four(3, 3), true},
		{"fragmentation needed", four(3, 4), true},
		{"source route failed", four(3, 5), false},
		{"time exceeded", four(11, 0), false},
		{"echo", four(8, 3), false},
		{"it quotes UDP", changed(four(3, 3), func(p *trace.Packet) { p.Octets[28+9] = 17 }), false},
		{"it quotes options", changed(four(3, 3), func(p *trace.Packet) {
			o := p.Octets
			p.Octets = append(append(append([]byte(nil), o[:48]...), 1, 1, 1, 1), o[48:]...)
			p.Octets[28] = 0x46
		}), true},
		{"behind an Ethernet header", changed(four(3, 3), func(p *trace.Packet) {
			p.Ethernet.HeaderLen = 14
			p.Octets = append(make([]byte, 14), p.Octets...)
		}), true},
		{"IPv6, no route", six(1, 0), false},
		{"IPv6, administratively prohibited", six(1, 1), true},
		{"IPv6, address unreachable", six(1, 3), false},
		{"IPv6, port unreachable", six(1, 4), true},
		{"IPv6, packet too big", six(2, 4), false},
		{"IPv6, it quotes UDP", changed(six(1, 4), func(p *trace.Packet) { p.Octets[48+6] = 17 }), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			local, remote, hard := hardError(c.packet)
			wantLocal, wantRemote := us, them
			if c.packet.IP.Version == 6 {
				wantLocal, wantRemote = us6, them6
			}
			if hard != c.hard || hard && (local != wantLocal || remote != wantRemote) {
				t.Errorf("hard is %v, of %v to %v", hard, local, remote)
			}
			whole := c.packet.Octets
			for n := range len(whole) - 4 { // without the ports it is of no connection
				c.packet.Octets = whole[:n]
				if _, _, hard := hardError(c.packet); hard {
					t.Errorf("the first %d octets are a hard error", n)
				}
			}
		})
	}
}
