package handwritten

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"

	"connectlab/trace"
	"connectlab/trace/wire"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawSegment draws a segment with options and data.
func drawSegment(t *rapid.T) (g segment, blocks []span, data []byte) {
	address := func(name string, v6 bool) netip.AddrPort {
		n := 4
		if v6 {
			n = 16
		}
		a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, name))
		return netip.AddrPortFrom(a, rapid.Uint16().Draw(t, name+" port"))
	}
	v6 := rapid.Bool().Draw(t, "IPv6")
	g = segment{
		local: address("local", v6), remote: address("remote", v6),
		seq: trace.Seq(rapid.Uint32().Draw(t, "seq")), ack: trace.Seq(rapid.Uint32().Draw(t, "ack")),
		ctl: trace.Flags(rapid.Uint16().Draw(t, "bits")) & trace.AllFlags,
		wnd: uint32(rapid.Uint16().Draw(t, "window")), up: uint32(rapid.Uint16().Draw(t, "urgent pointer")),
	}
	g.options.shift = -1
	switch rapid.IntRange(0, 3).Draw(t, "options") {
	case 1:
		g.options = options{mss: rapid.IntRange(1, 65535).Draw(t, "MSS"), shift: rapid.IntRange(-1, 255).Draw(t, "shift"), sackPermitted: true}
	case 2:
		g.options = options{shift: -1, timestamps: true, tsVal: rapid.Uint32().Draw(t, "TSval"), tsEcr: rapid.Uint32().Draw(t, "TSecr")}
	case 3:
		for range rapid.IntRange(1, 4).Draw(t, "blocks") {
			blocks = append(blocks, span{trace.Seq(rapid.Uint32().Draw(t, "from")), trace.Seq(rapid.Uint32().Draw(t, "to"))})
		}
	}
	return g, blocks, rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "data")
}

// TestPacketsAreWhatTheDecoderReads: packets that are written here are read by the decoder of package wire, and by this one, as they
// were meant.
func TestPacketsAreWhatTheDecoderReads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, blocks, data := drawSegment(t)
		cut := rapid.IntRange(0, len(data)).Draw(t, "turn of the ring")
		e := envelope{tos: rapid.Byte().Draw(t, "TOS"), ttl: rapid.Byte().Draw(t, "TTL"), id: rapid.Uint16().Draw(t, "ID")}
		octets := appendPacket([]byte("before"), e, &g, blocks, data[:cut], data[cut:])[6:]

		p := trace.Packet{Octets: octets, Len: len(octets)}
		wire.Decode(&p)
		seg := &p.TCP
		if p.Kind != trace.PacketTCP || p.Malformed != "" || seg.Checksum != trace.ChecksumGood || p.IP.Version == 4 && p.IP.Checksum != trace.ChecksumGood {
			t.Fatalf("kind %v, malformed %q, checksums %v, %v", p.Kind, p.Malformed, p.IP.Checksum, seg.Checksum)
		}
		type fields struct {
			Source, Destination netip.AddrPort
			Seq, Ack            trace.Seq
			Flags               trace.Flags
			Window, Urgent      uint16
			TOS, TTL            uint8
			Data                string
		}
		want := fields{g.local, g.remote, g.seq, g.ack, g.ctl, uint16(g.wnd), uint16(g.up), e.tos, e.ttl, string(data)}
		got := fields{p.Source(), p.Destination(), seg.Seq, seg.Ack, seg.Flags, seg.Window, seg.Urgent, p.IP.TOS, p.IP.TTL, string(p.Data())}
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
			t.Errorf("wire reads (-want +got)\n%s", diff)
		}

		ip, ok := readIP(octets, false)
		var back segment
		if !ok || ip.protocol != protocolTCP || !readSegment(&ip, &back) {
			t.Fatal("not read back")
		}
		if back.options != g.options || !bytes.Equal(back.data, data) || back.seq != g.seq || back.ack != g.ack || back.ctl != g.ctl ||
			back.wnd != g.wnd || back.up != g.up || back.local != g.remote || back.remote != g.local || back.congested != (e.tos&3 == 3) {
			t.Errorf("read back %+v, want %+v", back, g)
		}
		if len(blocks) > 0 {
			var read []span
			for o := range seg.Options.All() {
				for from, to := range o.SACKBlocks() {
					read = append(read, span{from, to})
				}
			}
			if diff := cmp.Diff(blocks, read, cmp.AllowUnexported(span{})); diff != "" {
				t.Errorf("blocks of SACK (-want +got)\n%s", diff)
			}
		}
	})
}

// TestOneWrongBitIsSeen: no packet with one bit turned is taken for a segment, but where IPv6 has no checksum over it.
func TestOneWrongBitIsSeen(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, own := range []string{"192.0.2.1", "2001:db8::1"} {
		g := segment{local: netip.AddrPortFrom(netip.MustParseAddr(own), 80), remote: netip.AddrPortFrom(netip.MustParseAddr(own).Next(), 81), options: options{shift: -1}}
		octets := appendPacket(nil, envelope{ttl: 64}, &g, nil, []byte("hello"), nil)
		for range 2000 {
			i, bit := random.IntN(len(octets)), random.IntN(8)
			if g.local.Addr().Is6() && i < 8 && i != 6 {
				continue // version, class, label, length and hop limit are not summed up
			}
			octets[i] ^= 1 << bit
			ip, ok := readIP(octets, false)
			var back segment
			if ok && ip.protocol == protocolTCP && readSegment(&ip, &back) {
				t.Errorf("octet %d, bit %d turned, and the packet was taken", i, bit)
			}
			octets[i] ^= 1 << bit
		}
	}
}

// TestSumIsTheNaiveOne: eight octets at a time give what one word at a time does (RFC 1071).
func TestSumIsTheNaiveOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 0, 200), rapid.SliceOfN(rapid.Just(byte(0xff)), 0, 200)).Draw(t, "octets")
		var want uint32
		for i := 0; i < len(p); i += 2 {
			word := uint32(p[i]) << 8
			if i+1 < len(p) {
				word |= uint32(p[i+1])
			}
			if want += word; want > 0xffff {
				want = want&0xffff + 1
			}
		}
		if got := fold(sum(p, 0)); uint32(got) != want {
			t.Errorf("%#x, want %#x", got, want)
		}
	})
}

// TestBadOctetsAreRead: whatever comes, nothing panics, and no data are read that did not come.
func TestBadOctetsAreRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g, blocks, data := drawSegment(t)
		octets := appendPacket(nil, envelope{}, &g, blocks, data, nil)
		for range rapid.IntRange(0, 6).Draw(t, "bent") {
			octets[rapid.IntRange(0, len(octets)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "octet")
		}
		octets = octets[:rapid.IntRange(0, len(octets)).Draw(t, "cut")]
		for _, quoted := range []bool{false, true} {
			if ip, ok := readIP(octets, quoted); ok {
				var back segment
				readSegment(&ip, &back)
				if len(ip.payload) > len(octets) || len(back.data) > len(ip.payload) {
					t.Errorf("%d octets of data out of %d", len(back.data), len(octets))
				}
			}
		}
		var o options
		o.read(octets)
	})
}

// TestIPOptionsAndExtensionHeadersAreSkipped: MUST-50.
func TestIPOptionsAndExtensionHeadersAreSkipped(t *testing.T) {
	v4 := segment{local: netip.MustParseAddrPort("192.0.2.2:81"), remote: netip.MustParseAddrPort("192.0.2.1:80"), options: options{shift: -1}}
	plain := appendPacket(nil, envelope{ttl: 64}, &v4, nil, []byte("hello"), nil)
	with := append(append(bytes.Clone(plain[:20]), 148, 4, 0, 0), plain[20:]...) // a router alert (RFC 2113)
	with[0], with[3] = 4<<4|6, byte(len(with))
	with[10], with[11] = 0, 0
	check := ^fold(sum(with[:24], 0))
	with[10], with[11] = byte(check>>8), byte(check)

	v6 := v4
	v6.local, v6.remote = netip.MustParseAddrPort("[2001:db8::2]:81"), netip.MustParseAddrPort("[2001:db8::1]:80")
	plain6 := appendPacket(nil, envelope{ttl: 64}, &v6, nil, []byte("hello"), nil)
	with6 := append(append(bytes.Clone(plain6[:40]), 6, 0, 1, 4, 0, 0, 0, 0), plain6[40:]...) // destination options: a PadN
	with6[5], with6[6] = byte(len(with6)-40), 60

	for name, octets := range map[string][]byte{"IPv4": with, "IPv6": with6} {
		ip, ok := readIP(octets, false)
		var back segment
		if !ok || !readSegment(&ip, &back) || string(back.data) != "hello" {
			t.Errorf("%s: not read: %+v", name, back)
		}
	}
}
