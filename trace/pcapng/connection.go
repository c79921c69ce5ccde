package pcapng

import (
	"net/netip"
	"reflect"
	"time"

	"connectlab/trace"
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

// A part is what a flow has kept since it was handed out last.
type part struct {
	events  []trace.Event
	from    []int // the frames that the events come from
	slots   []*slots
	octets  [][]byte // the last one is filled
	frames  int
	cut     bool // not all of each packet was captured
	control bool // it begins with what is known of the sockets
	off     [2]int
}

// slots hold what a few frames need besides their events, so that a frame costs no allocation.
type slots [slotFrames]struct {
	packet  trace.Packet
	sent    trace.Sent
	arrived trace.Arrived
	states  [2]trace.StateChange
}

const slotFrames = 16

// A store has the memory of parts. What one has handed out goes to the next, so that memory is bounded by the connections
// that are open at once.
type store struct {
	events pool[trace.Event]
	from   pool[int]
	octets pool[byte]
	slots  []*slots
	used   int // octets of memory in parts, about
}

// Sizes of memory, for store.used.
var (
	eventSize = int(reflect.TypeFor[trace.Event]().Size() + reflect.TypeFor[int]().Size()) // with its frame's number
	slotsSize = int(reflect.TypeFor[slots]().Size())
)

// The first octets of a part have room for a short connection's, the last chunks for many segments.
const (
	firstOctets = 1 << 10
	lastOctets  = 64 << 10
	firstEvents = 32
)

// keep takes a frame's packet in and returns its slot.
func (s *store) keep(p *part, packet *trace.Packet) (at int, in *slots) {
	at = p.frames % slotFrames
	if at == 0 {
		if n := len(s.slots); n > 0 {
			p.slots, s.slots = append(p.slots, s.slots[n-1]), s.slots[:n-1]
		} else {
			p.slots = append(p.slots, new(slots))
		}
		s.used += slotsSize
	}
	in = p.slots[len(p.slots)-1]
	p.frames++

	n := len(packet.Octets)
	last := len(p.octets) - 1
	if last < 0 || cap(p.octets[last])-len(p.octets[last]) < n {
		size := firstOctets
		if last >= 0 {
			size = min(2*cap(p.octets[last]), lastOctets)
		}
		chunk := s.octets.get(max(size, n))
		s.used += cap(chunk)
		p.octets, last = append(p.octets, chunk), last+1
	}
	chunk := p.octets[last]
	from := len(chunk)
	chunk = append(chunk, packet.Octets...)
	p.octets[last] = chunk

	kept := &in[at].packet
	*kept = *packet
	kept.Octets = chunk[from:len(chunk):len(chunk)]
	options := packet.IP.HeaderLen + 20
	kept.TCP.Options = trace.Options(kept.Octets[options : options+len(packet.TCP.Options)])
	if kept.Len > n {
		p.cut = true
	}
	return at, in
}

// add adds an event and returns its number.
func (s *store) add(p *part, e trace.Event, frame int) int {
	if len(p.events) == cap(p.events) {
		events, from := s.events.get(max(2*cap(p.events), firstEvents)), s.from.get(max(2*cap(p.events), firstEvents))
		s.used += (cap(events) - cap(p.events)) * eventSize
		events, from = append(events, p.events...), append(from, p.from...)
		s.events.put(p.events)
		s.from.put(p.from)
		p.events, p.from = events, from
	}
	e.N = len(p.events) + 1
	p.events, p.from = append(p.events, e), append(p.from, frame)
	return e.N
}

// free takes a part's memory back.
func (s *store) free(p *part) {
	s.used -= cap(p.events)*eventSize + len(p.slots)*slotsSize
	s.events.put(p.events)
	s.from.put(p.from)
	s.slots = append(s.slots, p.slots...)
	for _, chunk := range p.octets {
		s.used -= cap(chunk)
		s.octets.put(chunk)
	}
	clear(p.octets)
	*p = part{slots: p.slots[:0], octets: p.octets[:0]}
}

// connection is a part as a connection. c and its trace are filled again each time.
func (p *part) connection(c *Connection, f *flow, began int64) {
	t := c.Trace
	if t == nil {
		t = &trace.Trace{Header: trace.Header{Capture: true, Hosts: make([]trace.HostInfo, len(hostNames))}}
	}
	t.Header.Start, t.Header.Data, t.Header.Control = date(began), !p.cut, p.control
	for i, address := range f.addresses() {
		t.Header.Hosts[i] = trace.HostInfo{Name: hostNames[i], Address: address.String()}
	}
	t.Events, t.End = p.events, trace.End{At: f.last, Reason: trace.BrokenOff}
	if f.over {
		t.End.Reason = trace.Finished
	}
	*c = Connection{Trace: t, Frames: p.from, Number: f.number, Part: f.parts, Uncomputed: p.off}
}

// begin tells what the parts before have shown of a socket.
func (s *store) begin(p *part, host int, e *end, at time.Duration) {
	if e.State != trace.NotObserved {
		s.add(p, trace.Event{
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
	s.add(p, trace.Event{At: at, Host: hostNames[host], Socket: e.socket, Detail: &trace.Control{Changes: changes}}, 0)
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
