package script_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
)

var (
	builtinMu   sync.Mutex
	builtinRuns = map[string]*script.Result{}
)

// twoGVisors runs stories between two gVisor stacks. Each run gets factories of its own.
func twoGVisors() netns.Config {
	return netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1}
}

// runBuiltin runs a built-in story once for all tests, which only read the result.
func runBuiltin(t *testing.T, name string) *script.Result {
	t.Helper()
	builtinMu.Lock()
	defer builtinMu.Unlock()
	if r := builtinRuns[name]; r != nil {
		return r
	}
	story, err := script.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := script.Run(story, twoGVisors())
	if err != nil {
		t.Fatal(err)
	}
	builtinRuns[name] = r
	return r
}

// runStory runs a story that a test has written, and holds its expectations.
func runStory(t *testing.T, text string) *trace.Trace {
	t.Helper()
	r := runWith(t, text, twoGVisors())
	for _, f := range r.Failures {
		t.Errorf("%v", f)
	}
	return r.Trace
}

// runWith runs a story that a test has written; what it expects is left to the test.
func runWith(t *testing.T, text string, cfg netns.Config) *script.Result {
	t.Helper()
	story, err := script.Parse("test.story", text)
	if err != nil {
		t.Fatal(err)
	}
	r, err := script.Run(story, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// socketID names a socket in a trace.
type socketID struct {
	host   string
	number int
}

func (id socketID) String() string { return fmt.Sprintf("%s %d", id.host, id.number) }

func idOf(e *trace.Event) socketID { return socketID{e.Host, e.Socket} }

// A segment is a TCP segment read from the octets of an IPv4 packet by this file's own hand, so that the tests do not lean on
// what the record says that they mean.
type segment struct {
	src, dst netip.AddrPort
	seq, ack uint32
	flags    trace.Flags
	window   uint32
	data     uint32
	// options; has tells which were there
	has           map[byte]bool
	mss, wscale   uint32
	tsval, tsecr  uint32
	wrongChecksum bool // of the TCP segment
}

// length is SEG.LEN.
func (s *segment) length() uint32 {
	n := s.data
	if s.flags&trace.SYN != 0 {
		n++
	}
	if s.flags&trace.FIN != 0 {
		n++
	}
	return n
}

// end is the first sequence number behind the segment.
func (s *segment) end() uint32 { return s.seq + s.length() }

// is reports whether the set of SYN, FIN, RST and ACK in the segment is exactly this.
func (s *segment) is(f trace.Flags) bool {
	return s.flags&(trace.SYN|trace.FIN|trace.RST|trace.ACK) == f
}

// behindEthernet is what a packet has behind the Ethernet header, and the EtherType; on another link all of it, and 0.
func behindEthernet(p *trace.Packet) (o []byte, etherType uint16) {
	if p.Link != trace.LinkEthernet {
		return p.Octets, 0
	}
	if len(p.Octets) < 14 {
		return nil, 0
	}
	return p.Octets[14:], binary.BigEndian.Uint16(p.Octets[12:])
}

// A neighborTalk is an ARP packet or a message of IPv6's neighbor discovery that asks for a MAC address or tells one.
type neighborTalk struct {
	asks     bool
	from, of netip.Addr // who sends it, and whom it is about
	mac      trace.MAC  // of from
}

func readNeighborTalk(p *trace.Packet) (n neighborTalk, ok bool) {
	o, etherType := behindEthernet(p)
	address := func(o []byte) netip.Addr {
		a, _ := netip.AddrFromSlice(o)
		return a
	}
	switch {
	case etherType == 0x0806 && len(o) >= 28 && string(o[:7]) == "\x00\x01\x08\x00\x06\x04\x00":
		n = neighborTalk{asks: o[7] == 1, from: address(o[14:18]), mac: trace.MAC(o[8:14]), of: address(o[24:28])}
		if !n.asks {
			n.of = n.from
		}
		return n, true
	case etherType == 0x86dd && len(o) == 72 && o[6] == 58 && (o[40] == 135 || o[40] == 136):
		return neighborTalk{asks: o[40] == 135, from: address(o[8:24]), mac: trace.MAC(o[66:72]), of: address(o[48:64])}, true
	}
	return n, false
}

// readSegment reads the octets; ok is false for what is not a whole TCP segment in IP without extension headers.
func readSegment(p *trace.Packet) (s segment, ok bool) {
	o, _ := behindEthernet(p)
	var addresses, h []byte
	switch {
	case len(o) >= 40 && o[0]>>4 == 4 && o[9] == 6:
		ihl, total := int(o[0]&15)*4, int(binary.BigEndian.Uint16(o[2:]))
		if ihl < 20 || total > len(o) || total < ihl+20 {
			return s, false
		}
		addresses, h = o[12:20], o[ihl:total]
	case len(o) >= 60 && o[0]>>4 == 6 && o[6] == 6:
		total := 40 + int(binary.BigEndian.Uint16(o[4:]))
		if total > len(o) || total < 60 {
			return s, false
		}
		addresses, h = o[8:40], o[40:total]
	default:
		return s, false
	}
	from, _ := netip.AddrFromSlice(addresses[:len(addresses)/2])
	to, _ := netip.AddrFromSlice(addresses[len(addresses)/2:])
	offset := int(h[12]>>4) * 4
	if offset < 20 || offset > len(h) {
		return s, false
	}
	s = segment{
		src: netip.AddrPortFrom(from, binary.BigEndian.Uint16(h)), dst: netip.AddrPortFrom(to, binary.BigEndian.Uint16(h[2:])),
		seq: binary.BigEndian.Uint32(h[4:]), ack: binary.BigEndian.Uint32(h[8:]),
		window: uint32(binary.BigEndian.Uint16(h[14:])), data: uint32(len(h) - offset), has: map[byte]bool{},
	}
	// The control bits stand in RFC 9293's order, FIN lowest.
	for i, f := range []trace.Flags{trace.FIN, trace.SYN, trace.RST, trace.PSH, trace.ACK, trace.URG, trace.ECE, trace.CWR} {
		if h[13]&(1<<i) != 0 {
			s.flags |= f
		}
	}
	for opts := h[20:offset]; len(opts) > 0 && opts[0] != 0; {
		if opts[0] == 1 {
			opts = opts[1:]
			continue
		}
		if len(opts) < 2 || opts[1] < 2 || int(opts[1]) > len(opts) {
			break
		}
		body := opts[2:opts[1]]
		length := map[byte]int{2: 2, 3: 1, 4: 0, 8: 8}
		if n, known := length[opts[0]]; known && n == len(body) {
			s.has[opts[0]] = true
		}
		switch {
		case !s.has[opts[0]]:
		case opts[0] == 2:
			s.mss = uint32(binary.BigEndian.Uint16(body))
		case opts[0] == 3:
			s.wscale = uint32(body[0])
		case opts[0] == 8:
			s.tsval, s.tsecr = binary.BigEndian.Uint32(body), binary.BigEndian.Uint32(body[4:])
		}
		opts = opts[opts[1]:]
	}
	sum := uint32(6 + len(h))
	add := func(b []byte) {
		for i, v := range b {
			sum += uint32(v) << (8 * (1 - i%2))
		}
	}
	add(addresses)
	add(h)
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	s.wrongChecksum = sum != 0xffff
	return s, true
}

// packetOf is the packet of a Sent or Arrived; nil for other events.
func packetOf(e *trace.Event) *trace.Packet {
	switch d := e.Detail.(type) {
	case *trace.Sent:
		return d.Packet
	case *trace.Arrived:
		return d.Packet
	default:
	}
	return nil
}

// before reports whether sequence number a comes before b (RFC 9293, Section 3.4).
func before(a, b uint32) bool { return int32(a-b) < 0 }

// A place tells which event is meant.
type place func(*trace.Event) bool

// findEvent is the first event that is meant.
func findEvent(t *testing.T, tr *trace.Trace, is place) *trace.Event {
	t.Helper()
	for i := range tr.Events {
		if is(&tr.Events[i]) {
			return &tr.Events[i]
		}
	}
	t.Fatal("the trace has no such event")
	return nil
}

// stateTo is a change of state of a host's socket.
func stateTo(host string, from, to trace.State) place {
	return func(e *trace.Event) bool {
		d, ok := e.Detail.(*trace.StateChange)
		return ok && e.Host == host && d.From == from && d.To == to
	}
}

// segmentWith is a packet that a host sent, or that arrived there.
func segmentWith(host string, arrived bool, flags trace.Flags) place {
	return func(e *trace.Event) bool {
		p := packetOf(e)
		_, a := e.Detail.(*trace.Arrived)
		return p != nil && a == arrived && e.Host == host && p.TCP.Flags == flags
	}
}

// changeOf is a change of an item that a field of a segment brought.
func changeOf(host string, item trace.Item, by trace.Bringer) place {
	return func(e *trace.Event) bool { return e.Host == host && changeIn(e, item, by) != nil }
}

func changeIn(e *trace.Event, item trace.Item, by trace.Bringer) *trace.Change {
	d, ok := e.Detail.(*trace.Control)
	if !ok {
		return nil
	}
	for i := range d.Changes {
		if c := &d.Changes[i]; c.Item == item && c.By == by {
			return c
		}
	}
	return nil
}

func callNamed(host, name string) place {
	return func(e *trace.Event) bool {
		d, ok := e.Detail.(*trace.Call)
		return ok && e.Host == host && d.Name == name
	}
}

func returnOf(tr *trace.Trace, host, name string) place {
	return func(e *trace.Event) bool {
		d, ok := e.Detail.(*trace.Return)
		return ok && e.Host == host && tr.Event(d.Call).Detail.(*trace.Call).Name == name
	}
}

func timerOf(host string) place {
	return func(e *trace.Event) bool { _, ok := e.Detail.(*trace.Timer); return ok && e.Host == host }
}
