package pcapng_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"connectlab/trace"
	"connectlab/trace/pcapng"

	"github.com/google/go-cmp/cmp"
	"github.com/gopacket/gopacket/pcapgo"
)

// octetsOf are the octets of the packets that were sent.
func octetsOf(tr *trace.Trace) (all [][]byte) {
	for i := range tr.Events {
		if s, ok := tr.Events[i].Detail.(*trace.Sent); ok {
			all = append(all, s.Packet.Octets)
		}
	}
	return all
}

// times are when the packets were sent.
func times(tr *trace.Trace) (all []time.Duration) {
	for i := range tr.Events {
		if _, ok := tr.Events[i].Detail.(*trace.Sent); ok {
			all = append(all, tr.Events[i].At)
		}
	}
	return all
}

// checkWhole checks that a capture has one connection, which is the talk's.
func checkWhole(t *testing.T, name string, capture []byte, talk *talk) {
	t.Helper()
	all, sum := mustRead(t, name, capture)
	if len(all) != 1 || sum != (pcapng.Summary{Frames: len(talk.frames), TCP: len(talk.frames), Connections: 1}) {
		t.Fatalf("%s: %d connections, %+v", name, len(all), sum)
	}
	c := all[0]
	if client, server := path(c.Trace, "client"), path(c.Trace, "server"); client != clientPath || server != serverPath {
		t.Errorf("%s: the client goes %s, the server %s", name, client, server)
	}
	var octets [][]byte
	var at []time.Duration
	for _, f := range talk.frames {
		octets, at = append(octets, f.octets), append(at, time.Duration(f.at-second))
	}
	if diff := cmp.Diff(octets, octetsOf(c.Trace)); diff != "" {
		t.Errorf("%s: octets (-want +got)\n%s", name, diff)
	}
	if diff := cmp.Diff(at, times(c.Trace)); diff != "" {
		t.Errorf("%s: times (-want +got)\n%s", name, diff)
	}
	h := &c.Header
	if !h.Capture || !h.Data || h.Control || !h.Start.Equal(time.Unix(0, second)) || h.Hosts[0].Address != talk.addresses[0].String() || h.Hosts[1].Address != talk.addresses[1].String() {
		t.Errorf("%s: header %+v", name, h)
	}
	if c.End.Reason != trace.Finished {
		t.Errorf("%s: it ended %v", name, c.End.Reason)
	}
	checkCauses(t, name, c.Trace)
}

// checkCauses checks that what arrived was caused by its sending, a state by the segment that shows it, the SYN,ACK by the SYN, and nothing
// else by anything.
func checkCauses(t *testing.T, name string, tr *trace.Trace) {
	t.Helper()
	syn := 0
	for i := range tr.Events {
		e := &tr.Events[i]
		cause := tr.Event(e.Cause)
		switch d := e.Detail.(type) {
		case *trace.Sent:
			if want := map[bool]int{true: syn}[d.Packet.TCP.Flags.Has(trace.SYN|trace.ACK)]; e.Cause != want {
				t.Errorf("%s: event %d, %v sent, is caused by %d, want %d", name, e.N, d.Packet.TCP.Flags, e.Cause, want)
			}
		case *trace.Arrived:
			if s, ok := cause.Detail.(*trace.Sent); !ok || cause.Host == e.Host || !bytes.Equal(s.Packet.Octets, d.Packet.Octets) {
				t.Errorf("%s: event %d, arrived, is caused by %+v", name, e.N, cause)
			}
			if d.Packet.TCP.Flags == trace.SYN {
				syn = e.N
			}
		case *trace.StateChange:
			if e.Cause == 0 || cause.Host != e.Host || cause.At != e.At {
				t.Errorf("%s: event %d, %v, is caused by %+v", name, e.N, d.To, cause)
			}
		default:
			t.Errorf("%s: event %d is a %T", name, e.N, d)
		}
	}
}

var orders = []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian}

func TestReadPcap(t *testing.T) {
	for _, order := range orders {
		for _, nano := range []bool{false, true} {
			for _, addresses := range [][]string{nil, {"2001:db8::1", "2001:db8::2"}} {
				talk := newTalk(addresses...).whole()
				checkWhole(t, fmt.Sprintf("%v, nanoseconds %v, %v", order, nano, addresses), pcapFile(order, nano, 101, talk.frames...), talk)
			}
		}
	}
}

// Each link type gives the same packets.
func TestReadLinkTypes(t *testing.T) {
	ether := func(tags ...byte) func([]byte) []byte {
		return func(packet []byte) []byte {
			kind := []byte{0x08, 0x00}
			if packet[0]>>4 == 6 {
				kind = []byte{0x86, 0xdd}
			}
			return append(append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}, tags...), kind...)
		}
	}
	tail := func(packet []byte, at int, header ...byte) []byte { return append(header, ether()(packet)[12:]...) }
	null := func(order binary.AppendByteOrder, v6 uint32) func([]byte) []byte {
		return func(packet []byte) []byte {
			family := uint32(2)
			if packet[0]>>4 == 6 {
				family = v6
			}
			return order.AppendUint32(nil, family)
		}
	}
	none := func([]byte) []byte { return nil }
	for _, tt := range []struct {
		name   string
		link   uint32
		header func(packet []byte) []byte
	}{
		{"Ethernet", 1, ether()},
		{"802.1Q", 1, ether(0x81, 0, 0x20, 5)},
		{"QinQ", 1, ether(0x88, 0xa8, 0, 7, 0x81, 0, 0, 5)},
		{"QinQ of old", 1, ether(0x91, 0, 0, 7, 0x81, 0, 0, 5)},
		{"Ethernet, frames with check sequence", 1 | 2<<28 | 1<<26, ether()},
		{"Linux cooked", 113, func(p []byte) []byte { return tail(p, 14, 0, 0, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0) }},
		{"Linux cooked with a tag", 113, func(p []byte) []byte { return tail(p, 14, 0, 0, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0x81, 0, 0, 5) }},
		{"Linux cooked 2", 276, func(p []byte) []byte {
			return append(ether()(p)[12:], 0, 0, 0, 0, 0, 1, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0)
		}},
		{"Linux cooked 2 with a tag", 276, func(p []byte) []byte {
			return append([]byte{0x81, 0, 0, 0, 0, 0, 0, 1, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0}, append([]byte{0, 5}, ether()(p)[12:]...)...)
		}},
		{"raw IP", 101, none}, {"raw IP of the BSDs", 12, none}, {"raw IP of OpenBSD", 14, none},
		{"BSD loopback, little-endian", 0, null(binary.LittleEndian, 30)}, {"BSD loopback, big-endian", 0, null(binary.BigEndian, 24)},
		{"BSD loopback of FreeBSD", 0, null(binary.LittleEndian, 28)}, {"OpenBSD loopback", 108, null(binary.BigEndian, 24)},
	} {
		for _, addresses := range [][]string{nil, {"2001:db8::1", "2001:db8::2"}} {
			talk := newTalk(addresses...).whole()
			checkWhole(t, fmt.Sprintf("%s, %v", tt.name, addresses), pcapFile(binary.LittleEndian, true, tt.link, talk.in(tt.header)...), talk)
		}
	}
	checkWhole(t, "IPv4", pcapFile(binary.BigEndian, true, 228, newTalk().whole().frames...), newTalk().whole())
	six := newTalk("2001:db8::1", "2001:db8::2").whole()
	checkWhole(t, "IPv6", pcapFile(binary.BigEndian, true, 229, six.frames...), six)
}

// Short frames are filled up on Ethernet, and may end with a check sequence: that is no part of the packet.
func TestReadStripsWhatFillsAFrame(t *testing.T) {
	talk := newTalk().whole()
	frames := talk.in(func([]byte) []byte { return []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0} })
	for i := range frames {
		frames[i].octets = append(frames[i].octets, make([]byte, 60-min(len(frames[i].octets), 60)+4)...)
		frames[i].length = len(frames[i].octets)
	}
	checkWhole(t, "filled up", pcapFile(binary.LittleEndian, true, 1, frames...), talk)
}

func TestReadPcapng(t *testing.T) {
	talk := newTalk().whole()
	ethernet := talk.in(func([]byte) []byte { return []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0} })
	for _, order := range orders {
		// Three interfaces with link types and clocks of their own, and all kinds of blocks that hold a frame.
		n := ng{order: order}
		n.section()
		n.iface(101, 0)                                                                              // microseconds
		n.iface(1, 0, n.option(9, 9)...)                                                             // nanoseconds
		n.block(0x0bad, []byte("a block that nobody knows"))                                         //
		n.iface(101, 0, append(n.option(9, 3), n.option(14, order.AppendUint64(nil, 1e9)...)...)...) // milliseconds, from 2001 on
		n.iface(101, 0, n.option(9, 0x80|30)...)                                                     // 2 to the power of -30 s
		n.iface(101, 0, n.option(9, 12)...)                                                          // picoseconds
		for i, f := range talk.frames {
			at := uint64(f.at)
			switch i % 6 {
			case 0:
				n.enhanced(0, at/1000, f)
			case 1:
				n.enhanced(1, at, ethernet[i])
			case 2:
				n.old(2, at/1e6-1e12, f)
			case 3:
				n.enhanced(3, (at/1e9)<<30|((at%1e9)<<30+1e9-1)/1e9, f)
			case 4:
				n.old(0, at/1000, f)
			case 5:
				n.enhanced(4, (at/1e9*1e9)*1000&(1<<64-1)+at%1e9*1000, f)
			}
			n.block(5, n.words(0, 0, 0)) // statistics
		}
		// 64 bits of picoseconds are over after 213 days: the time of those is taken from where it wraps.
		all, sum := mustRead(t, "all blocks", n.b)
		if len(all) != 1 || sum.TCP != len(talk.frames) {
			t.Fatalf("%v: %d connections, %+v", order, len(all), sum)
		}
		got, want := times(all[0].Trace), []time.Duration{}
		last := time.Duration(0)
		for i, f := range talk.frames {
			if i%6 != 5 {
				last = time.Duration(f.at - second)
			}
			want = append(want, last)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v: times (-want +got)\n%s", order, diff)
		}
		if client := path(all[0].Trace, "client"); client != clientPath {
			t.Errorf("%v: the client goes %s", order, client)
		}
	}
}

// Sections have interfaces and byte orders of their own.
func TestReadSections(t *testing.T) {
	talk := newTalk().whole()
	var file []byte
	for i := range talk.frames {
		n := ng{order: orders[i%2]}
		n.section()
		if i%3 == 0 {
			n.iface(147, 0) // nobody's
		}
		n.iface(101, 0, n.option(9, 9)...)
		n.enhanced(uint32(1-min(i%3, 1)), uint64(talk.frames[i].at), talk.frames[i])
		file = append(file, n.b...)
	}
	checkWhole(t, "a section for each frame", file, talk)
}

// A simple packet block has neither interface nor time, and its captured length follows from the interface's snap length.
func TestReadSimplePackets(t *testing.T) {
	talk := newTalk().handshake().send(0, ack, strings.Repeat("x", 500))
	n := ng{order: binary.LittleEndian}
	n.section()
	n.iface(101, 98)
	for _, f := range talk.frames {
		f.octets = f.octets[:min(len(f.octets), 98)]
		n.simple(f)
	}
	all, sum := mustRead(t, "simple", n.b)
	if len(all) != 1 || sum.TCP != 4 {
		t.Fatalf("%d connections, %+v", len(all), sum)
	}
	last := all[0].Events[len(all[0].Events)-1].Detail.(*trace.Arrived).Packet
	if last.Len != 540 || len(last.Octets) != 98 || last.TCP.DataLen != 500 || len(last.Data()) != 58 || last.TCP.Checksum != trace.ChecksumUnverified {
		t.Errorf("the last packet is %+v", last)
	}
	if h := all[0].Header; h.Data || !h.Start.Equal(time.Unix(0, 0)) {
		t.Errorf("header %+v", h)
	}
}

// pcapgo reads the same frames out of the same files.
func TestReadAgainstPcapgo(t *testing.T) {
	for _, w := range worlds()[:8] {
		tr := w.run(t)
		if tr.Header.Link != trace.LinkIP { // Read strips frames
			continue
		}
		for _, side := range pcapng.Sides {
			file := capture(t, tr, side)
			r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.NgReaderOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var octets [][]byte
			var at []time.Time
			for {
				data, info, err := r.ReadPacketData()
				if errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				octets, at = append(octets, data), append(at, info.Timestamp)
			}
			if len(octets) == 0 {
				continue
			}
			all, _ := mustRead(t, w.String(), file)
			got, gotAt := make([][]byte, len(octets)), make([]time.Time, len(octets))
			for _, c := range all {
				for i := range c.Events {
					if s, ok := c.Events[i].Detail.(*trace.Sent); ok {
						got[c.frames[i]-1], gotAt[c.frames[i]-1] = s.Packet.Octets, c.Header.Start.Add(c.Events[i].At)
					}
				}
			}
			if diff := cmp.Diff(octets, got); diff != "" {
				t.Errorf("%v, %v: octets (-pcapgo +Read)\n%s", w, side, diff)
			}
			if diff := cmp.Diff(at, gotAt); diff != "" {
				t.Errorf("%v, %v: times (-pcapgo +Read)\n%s", w, side, diff)
			}
		}
	}
}

func TestReadRefuses(t *testing.T) {
	talk := newTalk().whole()
	good := pcapFile(binary.LittleEndian, true, 101, talk.frames...)
	goodNG := func(change func(n *ng)) []byte {
		n := ng{order: binary.BigEndian}
		n.section()
		n.iface(101, 0)
		n.enhanced(0, 1, talk.frames[0])
		change(&n)
		return n.b
	}
	changed := func(b []byte, at int, octets ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], octets)
		return b
	}
	var aTrace bytes.Buffer
	if err := trace.Write(&aTrace, &trace.Trace{}); err != nil {
		t.Fatal(err)
	}
	arp := captured{second, append([]byte{255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6}, make([]byte, 28)...), 42}
	for _, tt := range []struct {
		name string
		file []byte
		says []string
		is   error
		tcp  int // segments that are handed out nevertheless
	}{
		{"an empty file", nil, []string{"not a packet capture", "empty"}, nil, 0},
		{"three octets", good[:3], []string{"not a packet capture"}, nil, 0},
		{"a text", []byte("client: connect(3, server:80) = 0\n"), []string{"not a packet capture", "63 6c 69 65"}, nil, 0},
		{"a trace", aTrace.Bytes(), []string{"not a packet capture", "trace of connectlab's"}, nil, 0},
		{"a compressed capture", []byte("\x1f\x8b\x08\x00 and so on"), []string{"not a packet capture", "gunzip"}, nil, 0},
		{"a file header that is cut", good[:23], []string{"truncated: the file ends within its header"}, trace.ErrTruncated, 0},
		{"another version", changed(good, 4, 3), []string{"version 3.4"}, nil, 0},
		{"no frame", good[:24], []string{"no TCP inside", "0 frames"}, pcapng.ErrNoTCP, 0},
		{"ARP alone", pcapFile(binary.LittleEndian, true, 1, arp, arp), []string{"no TCP inside", "2 frames, of which 2 are something else"}, pcapng.ErrNoTCP, 0},
		{"headers that are cut", pcapFile(binary.LittleEndian, true, 101, captured{second, talk.frames[0].octets[:30], 40}), []string{"no TCP inside", "1 cannot be read"}, pcapng.ErrNoTCP, 0},
		{"a frame that is cut", good[:24+3*(16+40)+20], []string{"behind frame 3", "octet 192", "truncated: the file ends within a frame"}, trace.ErrTruncated, 3},
		{"a frame's header that is cut", good[:24+2*(16+40)+15], []string{"behind frame 2", "octet 136", "truncated"}, trace.ErrTruncated, 2},
		{"a frame of 2 GB", changed(good, 24+16+40+8, 0, 0, 0, 0x80), []string{"behind frame 1", "octet 80", "2147483648 octets", "damaged"}, nil, 1},
		{"a link type of somebody's own", pcapFile(binary.LittleEndian, true, 147, talk.frames...), []string{"link type 147", "Ethernet"}, nil, 0},
		{"WLAN", pcapFile(binary.LittleEndian, true, 127, talk.frames...), []string{"link type 127", "802.11"}, nil, 0},
		{"a link type above all", pcapFile(binary.LittleEndian, true, 65535, talk.frames...), []string{"link type 65535"}, nil, 0},
		{"a section without byte order", changed(goodNG(func(*ng) {}), 8, 1, 2, 3, 4), []string{"01 02 03 04", "damaged"}, nil, 0},
		{"a section of another version", changed(goodNG(func(*ng) {}), 12, 0, 2), []string{"version 2.0"}, nil, 0},
		{"a section that is too short", changed(goodNG(func(*ng) {}), 4, 0, 0, 0, 20), []string{"20 octets", "damaged"}, nil, 0},
		{"a block that is too short", goodNG(func(n *ng) { n.b = append(n.b, n.words(6, 8)...) }), []string{"behind frame 1", "8 octets", "damaged"}, nil, 1},
		{"a block of 4 GB", goodNG(func(n *ng) { n.b = append(n.b, n.words(6, 0xfffffffc)...) }), []string{"4294967292 octets", "damaged"}, nil, 1},
		{"a block of 1 GB that nobody knows", goodNG(func(n *ng) { n.b = append(n.b, n.words(77, 1<<30)...) }), []string{"truncated"}, trace.ErrTruncated, 1},
		{"a frame longer than its block", goodNG(func(n *ng) { n.block(6, n.words(0, 0, 0, 100, 100)) }), []string{"100 octets", "damaged"}, nil, 1},
		{"a packet block without its header", goodNG(func(n *ng) { n.block(6, n.words(0, 0)) }), []string{"too short", "damaged"}, nil, 1},
		{"an interface that is not there", goodNG(func(n *ng) { n.enhanced(7, 1, talk.frames[0]) }), []string{"interface 7", "has 1"}, nil, 1},
		{"a simple packet before all interfaces", func() []byte { n := ng{order: orders[0]}; n.section(); n.simple(talk.frames[0]); return n.b }(), []string{"interface 0", "has 0"}, nil, 0},
		{"an option longer than its block", goodNG(func(n *ng) { n.block(1, append(n.words(101<<16, 0), 0, 9, 0, 200)) }), []string{"too short"}, nil, 1},
		{"link types that nobody reads", func() []byte {
			n := ng{order: orders[0]}
			n.section()
			n.iface(195, 0)
			n.enhanced(0, 1, talk.frames[0])
			return n.b
		}(), []string{"link type 195", "802.15.4"}, nil, 0},
	} {
		segments := 0
		sum, err := pcapng.Read(bytes.NewReader(tt.file), "some.pcap", func(c *pcapng.Connection) error {
			segments += len(octetsOf(c.Trace))
			return nil
		})
		var e *pcapng.Error
		if !errors.As(err, &e) || tt.is != nil && !errors.Is(err, tt.is) {
			t.Errorf("%s: error %v", tt.name, err)
			continue
		}
		for _, says := range append(tt.says, "some.pcap: ") {
			if !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: the error %q does not say %q in one line", tt.name, err, says)
			}
		}
		if segments != tt.tcp || sum.TCP != tt.tcp {
			t.Errorf("%s: %d segments were handed out, %+v, want %d", tt.name, segments, sum, tt.tcp)
		}
	}
}

func TestIsCapture(t *testing.T) {
	for _, order := range orders {
		n := ng{order: order}
		n.section()
		for _, file := range [][]byte{n.b, pcapFile(order, true, 1), pcapFile(order, false, 1)} {
			if !pcapng.IsCapture(file) {
				t.Errorf("% x is said to be no capture", file[:4])
			}
		}
	}
	for _, file := range []string{"", "abc", `{"trace":"connectlab"`, "\x1f\x8b\x08\x00"} {
		if pcapng.IsCapture([]byte(file)) {
			t.Errorf("%q is said to be a capture", file)
		}
	}
}

func TestReadReturnsTheErrorOfEach(t *testing.T) {
	stop := errors.New("enough")
	for _, file := range [][]byte{pcapFile(orders[0], true, 101, newTalk().whole().frames...)} {
		if _, err := pcapng.Read(bytes.NewReader(file), "x", func(*pcapng.Connection) error { return stop }); err != stop { //nolint:errorlint // it is to be the same
			t.Errorf("error %v", err)
		}
	}
	if _, err := pcapng.Read(iotestReader{}, "x", nil); !errors.Is(err, errFullDisk) {
		t.Errorf("error %v", err)
	}
}

// iotestReader cannot be read.
type iotestReader struct{}

func (iotestReader) Read([]byte) (int, error) { return 0, errFullDisk }
