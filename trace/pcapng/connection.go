package pcapng

import (
	"net/netip"
	"time"

	"connectlab/trace"
	"connectlab/trace/rfc9293"
	"connectlab/trace/wire"
)

// A Connection is one TCP connection of a capture, or a part of a long one.
type Connection struct {
	// Trace has the hosts "client" and "server". The client sent the first SYN; where none was seen, the SYN,ACK was for it;
	// where neither was seen, its port is the higher. Each frame is a Sent and an Arrived, both at the time of capture, with
	// the octets from the IP header on, as far as they were captured. States are inferred, and caused by the
	// segment from which they follow. What a host sends has a cause where that is certain: the SYN that a SYN,ACK answers.
	//
	// A part that is not the first begins with what the parts before it have shown of both sockets.
	Trace *trace.Trace
	// Frames tells of each event which frame of the capture it comes from: Frames[n-1] for the event of number n. Frames
	// count from 1, over all interfaces, as in Wireshark. 0: none, it tells what earlier parts have shown.
	Frames []int
	// Number counts connections from 1, in the order of their first frames. Part counts the parts of one from 1.
	Number, Part int
	// More: what comes of the connection behind this part is in further ones, if anything does.
	More bool
	// Uncomputed are how many segments of client and of server had a checksum that the network card was still to compute
	// (trace.ChecksumUncomputed). From a segment whose checksum is bad nothing follows: its receiver would have dropped it.
	Uncomputed [2]int
}

// The hosts of a connection's trace.
const (
	client = 0
	server = 1
)

var hostNames = [2]string{client: "client", server: "server"}

// A part is a trace while it is made of what a flow has kept. There is one, whose memory is used again for each.
type part struct {
	events  []trace.Event
	from    []int // the frames that the events come from
	slots   []slot
	cut     bool // not all of each packet was captured
	control bool // it begins with what is known of the sockets
	off     [2]int
	c       Connection
}

// A slot holds what a frame needs besides its events, so that it costs no allocation.
type slot struct {
	packet  trace.Packet
	sent    trace.Sent
	arrived trace.Arrived
	states  [2]trace.StateChange
}

// connection makes a connection of what a flow has kept. It is good until the next is made. The flow's ends are behind it then.
func (p *part) connection(f *flow, began int64, more bool) *Connection {
	if n := f.kept.frames; len(p.slots) < n {
		p.slots = make([]slot, min(2*n, partFrames))
	}
	p.events, p.from = p.events[:0], p.from[:0]
	p.cut, p.control, p.off = false, false, [2]int{}
	f.ends[client].synAt, f.ends[server].synAt = 0, 0
	slots := p.slots
	for _, rest := range f.kept.chunks {
		for len(rest) > 0 {
			var k frame
			k, rest = next(rest)
			if f.parts > 1 && len(p.events) == 0 {
				for host := range f.ends {
					p.begin(host, &f.ends[host], k.at)
				}
			}
			p.frame(f, &slots[0], &k)
			slots = slots[1:]
		}
	}
	t := p.c.Trace
	if t == nil {
		t = &trace.Trace{Header: trace.Header{Hosts: make([]trace.HostInfo, len(hostNames))}}
	}
	t.Header = trace.Header{Capture: true, Start: date(began), Data: !p.cut, Control: p.control, Hosts: t.Header.Hosts[:len(hostNames)]}
	for i, address := range f.addresses() {
		t.Header.Hosts[i] = trace.HostInfo{Name: hostNames[i], Address: address.String()}
	}
	t.Events, t.End = p.events, trace.End{At: f.last, Reason: trace.BrokenOff}
	if f.over {
		t.End.Reason = trace.Finished
	}
	p.c = Connection{Trace: t, Frames: p.from, Number: f.number, Part: f.parts, More: more, Uncomputed: p.off}
	return &p.c
}

// frame takes a frame in: it is sent, and it arrives.
func (p *part) frame(f *flow, slot *slot, k *frame) {
	packet := &slot.packet
	*packet = trace.Packet{Octets: k.octets, Len: k.length}
	wire.Decode(packet)
	packet.AsCaptured()
	slot.sent, slot.arrived = trace.Sent{Packet: packet}, trace.Arrived{Packet: packet}
	seg := &packet.TCP
	if packet.Len > len(packet.Octets) {
		p.cut = true
	}
	_, low := keyOf(packet)
	from := f.side(low)
	if seg.Checksum == trace.ChecksumUncomputed || packet.IP.Checksum == trace.ChecksumUncomputed {
		p.off[from]++
	}
	good := whole(packet)
	sender, receiver := &f.ends[from], &f.ends[1-from]

	cause := 0
	if seg.Flags.Has(trace.SYN|trace.ACK) && sender.synAt != 0 && seg.Ack == sender.syn.Add(1) {
		cause = sender.synAt
	}
	before, knew, iss := sender.State, sender.Knows.Has(rfc9293.KnowsISS), sender.ISS
	changed := good && sender.Sent(seg)
	begins := sender.Knows.Has(rfc9293.KnowsISS) && (!knew || sender.ISS != iss) && (knew || before != trace.NotObserved)
	if begins || changed && before == trace.Closed { // another connection of the same names: after a reboot, or tried again
		sender.socket++
		before, changed = trace.NotObserved, sender.State != trace.NotObserved
	}
	sent := p.add(trace.Event{At: k.at, Host: hostNames[from], Socket: sender.socket, Cause: cause, Detail: &slot.sent}, k.number)
	if changed {
		slot.states[0] = trace.StateChange{From: before, To: sender.State, Source: trace.Inferred}
		p.add(trace.Event{At: k.at, Host: hostNames[from], Socket: sender.socket, Cause: sent, Detail: &slot.states[0]}, k.number)
	}
	arrived := p.add(trace.Event{At: k.at, Host: hostNames[1-from], Socket: receiver.socket, Cause: sent, Detail: &slot.arrived}, k.number)
	if !good {
		return
	}
	if seg.Flags.Has(trace.SYN) {
		receiver.synAt, receiver.syn = arrived, seg.Seq
	}
	before = receiver.State
	if receiver.Arrived(seg) {
		slot.states[1] = trace.StateChange{From: before, To: receiver.State, Source: trace.Inferred}
		p.add(trace.Event{At: k.at, Host: hostNames[1-from], Socket: receiver.socket, Cause: arrived, Detail: &slot.states[1]}, k.number)
	}
}

// whole reports whether a packet came to its receiver as it was sent, as far as that is known: nothing follows from another.
func whole(p *trace.Packet) bool {
	return p.TCP.Checksum != trace.ChecksumBad && p.IP.Checksum != trace.ChecksumBad
}

// add adds an event and returns its number.
func (p *part) add(e trace.Event, frame int) int {
	e.N = len(p.events) + 1
	p.events, p.from = append(p.events, e), append(p.from, frame)
	return e.N
}

// begin tells what the parts before have shown of a socket.
func (p *part) begin(host int, e *end, at time.Duration) {
	if e.State != trace.NotObserved {
		p.add(trace.Event{
			At: at, Host: hostNames[host], Socket: e.socket, Detail: &trace.StateChange{To: e.State, Source: trace.Inferred},
		}, 0)
	}
	known := e.known()
	changes := known.Diff(&trace.ControlInfo{}, nil)
	if len(changes) == 0 {
		return
	}
	for i := range changes {
		switch c := &changes[i]; c.Item {
		case trace.IRS, trace.RcvNxt:
			c.By, c.Field = trace.BySegment, trace.FieldSequenceNumber
		case trace.SndUna:
			c.By, c.Field = trace.BySegment, trace.FieldAcknowledgmentNumber
		case trace.SndWindShift:
			c.By, c.Field = trace.BySegment, trace.FieldWindowScale
		default: // its own
		}
	}
	p.add(trace.Event{At: at, Host: hostNames[host], Socket: e.socket, Detail: &trace.Control{Changes: changes}}, 0)
	p.control = true
}

// addresses are those of client and server.
func (f *flow) addresses() [2]netip.Addr {
	address := func(at int) netip.Addr {
		a := netip.AddrFrom16([16]byte(f.key[at:]))
		if f.key[36] == 4 {
			return a.Unmap()
		}
		return a
	}
	if f.lowClient {
		return [2]netip.Addr{address(0), address(18)}
	}
	return [2]netip.Addr{address(18), address(0)}
}
