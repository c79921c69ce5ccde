package script_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

// ephemeral is the first port that gVisor chooses by itself. Those below it are the story's.
const ephemeral = 16000

// A normalizer rewrites a trace so that nothing is left in it of what a seed may decide: initial sequence numbers,
// ephemeral ports, the clocks of the timestamps option, octets of the stream, checksums, and the identification of a
// datagram that may be fragmented, which has to be unique and nothing else (RFC 6864, Section 4). Each gets a name by order of
// first appearance, and what depends on it is written relative to it. Everything else stays as it is.
type normalizer struct {
	t       *trace.Trace
	streams map[netip.Addr]netns.Stream

	isns    map[way][]uint32          // the initial sequence numbers of each direction
	clocks  map[way][]uint32          // what the timestamp clock of each direction read at virtual time 0, in ms
	ticks   map[way]map[uint32]string // the names of timestamps that were sent
	ports   map[netip.AddrPort]int
	sockets map[owner]*way // from the socket to its peer
	found   found
}

// way is one direction of a connection.
type way struct{ from, to netip.AddrPort }

func (w way) back() way { return way{w.to, w.from} }

// owner is a socket.
type owner struct {
	host   string
	number int
}

// found is what was replaced, in the order of first appearance.
type found struct {
	ISNs, Clocks []uint32
	Ports, IDs   []uint16
	Data         []string
}

func normalize(t *trace.Trace) (events []plainEvent, f found) {
	n := &normalizer{
		t: t, streams: map[netip.Addr]netns.Stream{}, isns: map[way][]uint32{}, clocks: map[way][]uint32{}, ticks: map[way]map[uint32]string{},
		ports: map[netip.AddrPort]int{}, sockets: map[owner]*way{},
	}
	for _, h := range t.Header.Hosts {
		n.streams[netip.MustParsePrefix(h.Address).Addr()] = netns.NewStream(t.Header.Seed, h.Name)
	}
	for i := range t.Events {
		events = append(events, n.event(&t.Events[i]))
	}
	return events, n.found
}

// plainEvent is an event without what its seed decides.
type plainEvent struct {
	N      int
	At     time.Duration
	Host   string
	Socket int
	Cause  int
	Detail any
}

type plainPacket struct {
	Kind                      string // sent, arrived
	Source, Destination       string
	Len                       int
	PacketKind                trace.PacketKind
	Malformed                 string
	Version, TTL, TOS         uint8
	Protocol                  uint8
	ID                        string
	DF, MF                    bool
	FragOff                   int
	IPHeaderLen, TCPHeaderLen int
	IPChecksum, TCPChecksum   trace.Checksum
	Seq, Ack                  string
	Reserved                  uint8
	Flags                     string
	Window, Urgent            uint16
	Options                   []string
	Data                      string
}

type plainChange struct {
	Item     string
	By       string
	Field    string
	Source   string
	Old, New string
}

func (n *normalizer) event(e *trace.Event) plainEvent {
	p := plainEvent{N: e.N, At: e.At, Host: e.Host, Socket: e.Socket, Cause: e.Cause}
	switch d := e.Detail.(type) {
	case *trace.Sent:
		p.Detail = n.packet("sent", d.Packet, e.At)
	case *trace.Arrived:
		p.Detail = n.packet("arrived", d.Packet, n.t.Event(e.Cause).At)
	case *trace.Control:
		p.Detail = n.control(owner{e.Host, e.Socket}, d)
	case *trace.Call:
		c := *d
		c.Addr = netip.AddrPort{}
		p.Detail = fmt.Sprintf("call %+v, address %s", c, n.address(d.Addr))
	case *trace.Return:
		r := *d
		r.Addr = netip.AddrPort{}
		p.Detail = fmt.Sprintf("return %+v, address %s", r, n.address(d.Addr))
	case *trace.Fate, *trace.StateChange, *trace.Timer, *trace.HostChange, *trace.Note:
		p.Detail = fmt.Sprintf("%T %+v", d, d)
	}
	return p
}

// address is an address with its ephemeral port named.
func (n *normalizer) address(a netip.AddrPort) string {
	if !a.IsValid() || a.Port() < ephemeral {
		return a.String()
	}
	return fmt.Sprintf("%v:port %d", a.Addr(), n.port(a))
}

func (n *normalizer) port(a netip.AddrPort) int {
	k, ok := n.ports[a]
	if !ok {
		k = len(n.ports) + 1
		n.ports[a] = k
		n.found.Ports = append(n.found.Ports, a.Port())
	}
	return k
}

// near is how far a sequence number can be from its initial one in a story.
const near = 1 << 24

// seq writes a sequence number relative to the initial one that it follows, which it may itself be. 0 stands where a
// segment has none.
func (n *normalizer) seq(w way, v uint32) string {
	if v == 0 {
		return "0"
	}
	known := n.isns[w]
	best := -1
	for k, isn := range known {
		if v-isn < near && (best < 0 || v-isn < v-known[best]) {
			best = k
		}
	}
	if best < 0 {
		best = len(known)
		n.isns[w] = append(known, v)
		n.found.ISNs = append(n.found.ISNs, v)
	}
	return fmt.Sprintf("ISN %d + %d", best+1, v-n.isns[w][best])
}

// tick names a timestamp that is sent at a time, and keeps the name for those who echo it. gVisor sends a SYN again with
// the timestamp that it had.
func (n *normalizer) tick(w way, v uint32, at time.Duration) string {
	zero := v - uint32(at.Milliseconds())
	k := slices.Index(n.clocks[w], zero)
	if name, again := n.ticks[w][v]; again && k < 0 {
		return name
	}
	if k < 0 {
		k = len(n.clocks[w])
		n.clocks[w] = append(n.clocks[w], zero)
		n.found.Clocks = append(n.found.Clocks, zero)
	}
	name := fmt.Sprintf("clock %d at %d ms", k+1, at.Milliseconds())
	if n.ticks[w] == nil {
		n.ticks[w] = map[uint32]string{}
	}
	n.ticks[w][v] = name
	return name
}

// echo names a timestamp that came from the other side.
func (n *normalizer) echo(w way, v uint32) string {
	if v == 0 {
		return "0"
	}
	if name, ok := n.ticks[w][v]; ok {
		return name
	}
	return fmt.Sprintf("%d, which was never sent", v)
}

func (n *normalizer) packet(kind string, p *trace.Packet, sent time.Duration) plainPacket {
	s := &p.TCP
	w := way{p.Source(), p.Destination()}
	out := plainPacket{
		Kind: kind, Source: n.address(w.from), Destination: n.address(w.to), Len: p.Len, PacketKind: p.Kind, Malformed: p.Malformed,
		Version: p.IP.Version, TTL: p.IP.TTL, TOS: p.IP.TOS, Protocol: p.IP.Protocol, ID: n.id(&p.IP), DF: p.IP.DF, MF: p.IP.MF,
		FragOff: p.IP.FragOff, IPHeaderLen: p.IP.HeaderLen, TCPHeaderLen: s.HeaderLen, IPChecksum: p.IP.Checksum, TCPChecksum: s.Checksum,
		Reserved: s.Reserved, Flags: s.Flags.String(), Window: s.Window, Urgent: s.Urgent,
	}
	if p.Kind != trace.PacketTCP {
		out.Data = hex.EncodeToString(p.Octets)
		return out
	}
	out.Seq = n.seq(w, uint32(s.Seq))
	if s.Flags.Has(trace.ACK) {
		out.Ack = n.seq(w.back(), uint32(s.Ack))
	} else {
		out.Ack = fmt.Sprintf("without ACK: %d", s.Ack)
	}
	for o := range s.Options.All() {
		out.Options = append(out.Options, n.option(w, o, sent))
	}
	out.Options = append(out.Options, "then "+hex.EncodeToString(s.Options.Rest()))
	out.Data = n.data(w, p)
	return out
}

// id names the identification of a datagram that may be fragmented.
func (n *normalizer) id(ip *trace.IPHeader) string {
	if ip.DF || ip.Version != 4 {
		return fmt.Sprint(ip.ID)
	}
	k := slices.Index(n.found.IDs, ip.ID)
	if k < 0 {
		k = len(n.found.IDs)
		n.found.IDs = append(n.found.IDs, ip.ID)
	}
	return fmt.Sprintf("ID %d", k+1)
}

func (n *normalizer) option(w way, o trace.Option, sent time.Duration) string {
	text := fmt.Sprintf("option %d", o.Kind)
	one := trace.Options(append([]byte{o.Kind, byte(len(o.Data) + 2)}, o.Data...))
	switch o.Kind {
	case trace.OptionTimestamps:
		if val, ecr, ok := one.Timestamps(); ok {
			return fmt.Sprintf("%s: %s, echoes %s", text, n.tick(w, val, sent), n.echo(w.back(), ecr))
		}
	case trace.OptionSACK:
		for left, right := range o.SACKBlocks() {
			text += fmt.Sprintf(": %s to %s", n.seq(w.back(), uint32(left)), n.seq(w.back(), uint32(right)))
		}
		return text
	}
	return text + ": " + hex.EncodeToString(o.Data)
}

// data names octets of the stream by their place in it; others are shown as they are.
func (n *normalizer) data(w way, p *trace.Packet) string {
	data := p.Data()
	if len(data) == 0 {
		return ""
	}
	n.found.Data = append(n.found.Data, string(data))
	from := uint64(uint32(p.TCP.Seq) - n.isns[w][0] - 1)
	want := make([]byte, len(data))
	stream := n.streams[w.from.Addr()]
	if stream.Fill(want, from); bytes.Equal(data, want) {
		return fmt.Sprintf("octets %d to %d of the stream", from, from+uint64(len(data))-1)
	}
	if len(bytes.Trim(data, "\x00")) == 0 {
		return fmt.Sprintf("zeros in place of octets %d to %d", from, from+uint64(len(data))-1) // a window probe
	}
	for i := range want { // the link has changed them: how
		want[i] ^= data[i]
	}
	return fmt.Sprintf("octets %d to %d of the stream, changed by %x", from, from+uint64(len(data))-1, want)
}

func (n *normalizer) control(o owner, c *trace.Control) []plainChange {
	w := n.sockets[o]
	if w == nil {
		w = &way{}
		n.sockets[o] = w
	}
	var out []plainChange
	for _, ch := range c.Changes { // addresses come before all that is relative to them
		switch number := uint16(ch.New().Num); ch.Item {
		case trace.LocalAddress:
			w.from = netip.AddrPortFrom(addressOf(ch.New()), w.from.Port())
		case trace.LocalPort:
			w.from = netip.AddrPortFrom(w.from.Addr(), number)
		case trace.RemoteAddress:
			w.to = netip.AddrPortFrom(addressOf(ch.New()), w.to.Port())
		case trace.RemotePort:
			w.to = netip.AddrPortFrom(w.to.Addr(), number)
		}
		out = append(out, plainChange{
			Item: ch.Item.String(), By: ch.By.String(), Field: ch.Field.String(), Source: ch.Source.String(),
			Old: n.value(*w, ch.Item, ch.Old()), New: n.value(*w, ch.Item, ch.New()),
		})
	}
	return out
}

func addressOf(v trace.Value) netip.Addr {
	a, _ := netip.ParseAddr(v.Text) // no address: the socket has none
	return a
}

func (n *normalizer) value(w way, i trace.Item, v trace.Value) string {
	if v.Kind != trace.Number {
		return v.String()
	}
	switch i {
	case trace.LocalPort:
		return n.address(netip.AddrPortFrom(w.from.Addr(), uint16(v.Num)))
	case trace.RemotePort:
		return n.address(netip.AddrPortFrom(w.to.Addr(), uint16(v.Num)))
	case trace.ISS, trace.SndUna, trace.SndNxt:
		return n.seq(w, uint32(v.Num))
	case trace.IRS, trace.RcvNxt:
		return n.seq(w.back(), uint32(v.Num))
	case trace.TSRecent:
		return n.echo(w.back(), uint32(v.Num))
	}
	return v.String()
}

// Two seeds differ in initial sequence numbers, ephemeral ports, timestamps and octets of data, and in nothing else.
func TestSeedsDifferInWhatIsRandomOnly(t *testing.T) {
	t.Parallel()
	for _, name := range gvisorStories() {
		t.Run(name, func(t *testing.T) {
			first := traceOf(t, name, seeds[0])
			want, before := normalize(first)
			for _, seed := range seeds[1:unlessRace(len(seeds), 2)] {
				other := traceOf(t, name, seed)
				got, now := normalize(other)
				h := other.Header
				h.Seed = first.Header.Seed
				if d := cmp.Diff(first.Header, h); d != "" {
					t.Errorf("header, seeds %d and %d (-want +got):\n%s", seeds[0], seed, d)
				}
				if d := cmp.Diff(first.End, other.End); d != "" {
					t.Errorf("end, seeds %d and %d (-want +got):\n%s", seeds[0], seed, d)
				}
				for i := range min(len(want), len(got)) {
					if !reflect.DeepEqual(want[i], got[i]) { // sooner done than cmp.Diff
						t.Fatalf("event %d, seeds %d and %d (-want +got):\n%s", i+1, seeds[0], seed, cmp.Diff(want[i], got[i]))
					}
				}
				if len(want) != len(got) {
					t.Errorf("%d events with seed %d, %d with seed %d", len(want), seeds[0], len(got), seed)
				}
				differ(t, "initial sequence numbers", before.ISNs, now.ISNs)
				differ(t, "ephemeral ports", before.Ports, now.Ports)
				differ(t, "identifications", before.IDs, now.IDs)
				differ(t, "clocks of the timestamps", before.Clocks, now.Clocks)
				differ(t, "octets of data", before.Data, now.Data)
			}
			t.Logf("%d events; replaced: %d initial sequence numbers, %d ports, %d clocks, %d identifications, %d segments' data",
				len(want), len(before.ISNs), len(before.Ports), len(before.Clocks), len(before.IDs), len(before.Data))
			segments := slices.ContainsFunc(first.Events, func(e trace.Event) bool {
				p := packetOf(&e)
				return p != nil && p.Kind == trace.PacketTCP
			})
			if segments != (len(before.ISNs) > 0 && len(before.Clocks) > 0) || segments == (name == "fresh-send" || name == "nobody-ethernet") {
				t.Errorf("initial sequence numbers %v and clocks %v were replaced: want some of each just where segments are sent", before.ISNs, before.Clocks)
			}
		})
	}
}

// differ checks that what was replaced is as much, and not the same: a normalizer proves nothing where nothing differed.
func differ[T comparable](t *testing.T, what string, a, b []T) {
	t.Helper()
	switch {
	case len(a) != len(b):
		t.Errorf("%d %s with one seed, %d with another", len(a), what, len(b))
	case len(a) > 0 && slices.Equal(a, b):
		t.Errorf("%s: both seeds have %v", what, a)
	}
}
