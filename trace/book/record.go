package book

import (
	"net/netip"
	"slices"

	"connectlab/trace"
)

// A record is a trace with an index of what judges ask it for.
type record struct {
	t *trace.Trace
	// segments are the TCP segments that were sent, in that order.
	segments []*segment
	// arrivals are the TCP segments that arrived, in that order.
	arrivals []arrival
	// calls are the socket calls, in the order in which they were made. A capture has none.
	calls []*call
	// ends are the ends of connections, in the order in which they first sent or were sent a SYN.
	ends []*end
	// sockets are what package trace folds out of the events.
	sockets []trace.Socket

	controls map[socketKey][]int // the N of the Control events of each socket
	callOf   map[int]*call       // by N
	sentAt   map[int]*segment    // by N
	current  map[endKey]*end
}

type socketKey struct {
	host   string
	number int
}

// endKey names an end by its addresses. One after the other several can have the same.
type endKey struct {
	host          string
	local, remote netip.AddrPort
}

// A call is a socket call with what it came to.
type call struct {
	n      int // of the Call
	event  *trace.Event
	call   *trace.Call
	ret    *trace.Return // nil: it did not come back
	retN   int           // 0: it did not come back
	socket int           // that it was made on, or that it made; 0: none
}

// A segment is a TCP segment that was sent.
type segment struct {
	n        int // of the Sent
	event    *trace.Event
	packet   *trace.Packet
	from     *end
	to       *end  // the other end, if it was known when the segment was sent
	arrivals []int // the N of its Arrived events: none if it was lost, two if the link doubled it
	fates    []int // the N of its Fate events
	// offset is the place of its first octet in the direction: 0 is the SYN, 1 the first octet of data. Where the SYN was
	// not seen (from.known is false) the first octet that was seen counts as 1.
	offset int64
	// again: everything that it occupies had been sent before.
	again bool
}

// An arrival is a TCP segment that reached a host.
type arrival struct {
	n      int // of the Arrived
	event  *trace.Event
	packet *trace.Packet // as it arrived
	of     *segment
	at     *end // the end that it was for; nil: none was known
}

// An end is one side of a connection.
type end struct {
	host          string
	local, remote netip.AddrPort
	peer          *end // nil: never seen
	// known: the initial sequence number iss is known. syn is the first segment that had it; nil in a capture that goes on
	// from an earlier part. Where it is not known, iss is one before the first number that was seen.
	known bool
	iss   trace.Seq
	syn   *segment
	// peerKnown: the peer's initial sequence number irs was seen to reach it.
	peerKnown bool
	irs       trace.Seq
	// active: it sent a SYN without ACK.
	active bool
	// sockets are the numbers of the sockets that sent or received for it, in order: a listener may have answered first.
	sockets []int
	// segments are those that it sent.
	segments []*segment
	// next is SND.NXT as the wire shows it: one past the highest number sent, counted as segment.offset.
	next int64
}

// socket is the number of the socket that the end was in the end; 0: none.
func (e *end) socket() int {
	if len(e.sockets) == 0 {
		return 0
	}
	return e.sockets[len(e.sockets)-1]
}

// newRecord indexes a trace.
func newRecord(t *trace.Trace) *record {
	r := &record{
		t: t, sockets: trace.Sockets(t),
		controls: map[socketKey][]int{}, callOf: map[int]*call{}, sentAt: map[int]*segment{},
		current: map[endKey]*end{},
	}
	for i := range t.Events {
		r.event(&t.Events[i])
	}
	return r
}

func (r *record) event(e *trace.Event) {
	switch d := e.Detail.(type) {
	case *trace.Call:
		c := &call{n: e.N, event: e, call: d, socket: e.Socket}
		r.calls = append(r.calls, c)
		r.callOf[e.N] = c
	case *trace.Return:
		if c := r.callOf[d.Call]; c != nil {
			c.ret, c.retN, c.socket = d, e.N, e.Socket
		}
	case *trace.Sent:
		if d.Packet.Kind == trace.PacketTCP {
			r.sent(e, d.Packet)
		}
	case *trace.Arrived:
		if d.Packet.Kind == trace.PacketTCP {
			r.arrived(e, d.Packet)
		}
	case *trace.Fate:
		if s := r.sentAt[e.Cause]; s != nil {
			s.fates = append(s.fates, e.N)
		}
	case *trace.Control:
		key := socketKey{e.Host, e.Socket}
		r.controls[key] = append(r.controls[key], e.N)
	case *trace.HostChange:
		if d.What == trace.Reboot {
			for key := range r.current { // what is deleted does not depend on the order
				if key.host == e.Host {
					delete(r.current, key)
				}
			}
		}
	case *trace.StateChange, *trace.Timer, *trace.Note:
	}
}

func (r *record) sent(e *trace.Event, p *trace.Packet) {
	seg := &p.TCP
	key := endKey{e.Host, p.Source(), p.Destination()}
	from := r.current[key]
	if syn := seg.Flags.Has(trace.SYN); from == nil || syn && (!from.known || from.iss != seg.Seq) {
		from = r.begin(key, e, seg)
	}
	if e.Socket != 0 && from.socket() != e.Socket {
		from.sockets = append(from.sockets, e.Socket)
	}
	s := &segment{n: e.N, event: e, packet: p, from: from}
	if seg.Flags.Has(trace.SYN) {
		if from.syn == nil {
			from.known, from.iss, from.syn = true, seg.Seq, s
		}
		if seg.Flags.Has(trace.ACK) {
			from.peerKnown, from.irs = true, seg.Ack.Add(^uint32(0))
		} else {
			from.active = true
		}
	}
	if from.peer == nil {
		if peer := r.current[key.other(r)]; peer != nil && (peer.peer == nil || seg.Flags.Has(trace.SYN)) {
			from.peer, peer.peer = peer, from
		}
	}
	s.to = from.peer
	s.offset = int64(int32(seg.Seq.Sub(from.iss.Add(uint32(from.next))))) + from.next
	s.again = seg.Len() > 0 && s.offset+int64(seg.Len()) <= from.next
	if !seg.Flags.Has(trace.RST) {
		from.next = max(from.next, s.offset+int64(seg.Len()))
	}
	from.segments = append(from.segments, s)
	r.segments = append(r.segments, s)
	r.sentAt[e.N] = s
}

// begin makes a new end the current one of its addresses, with the first segment that it sends. In a capture that goes on from
// an earlier part the trace begins with what is known of its socket.
func (r *record) begin(key endKey, e *trace.Event, first *trace.Segment) *end {
	made := &end{host: key.host, local: key.local, remote: key.remote, iss: first.Seq}
	if !first.Flags.Has(trace.SYN) {
		made.iss, made.next = first.Seq.Add(^uint32(0)), 1
	}
	if r.t.Header.Capture {
		info := r.info(key.host, e.Socket, e.N)
		if iss, next := info.Value(trace.ISS), info.Value(trace.SndNxt); iss.Kind == trace.Number && next.Kind == trace.Number {
			made.known, made.iss = true, trace.Seq(iss.Num)
			made.next = int64(trace.Seq(next.Num).Sub(made.iss))
		}
		if irs := info.Value(trace.IRS); irs.Kind == trace.Number {
			made.peerKnown, made.irs = true, trace.Seq(irs.Num)
		}
	}
	r.current[key] = made
	r.ends = append(r.ends, made)
	return made
}

// other is the key of the same addresses seen from the other host.
func (k endKey) other(r *record) endKey {
	o := endKey{local: k.remote, remote: k.local}
	for i := range r.t.Header.Hosts {
		if h := &r.t.Header.Hosts[i]; h.Name != k.host {
			o.host = h.Name
		}
	}
	return o
}

func (r *record) arrived(e *trace.Event, p *trace.Packet) {
	s := r.sentAt[e.Cause]
	key := endKey{e.Host, p.Destination(), p.Source()}
	at := r.current[key]
	r.arrivals = append(r.arrivals, arrival{n: e.N, event: e, packet: p, of: s, at: at})
	if s != nil {
		s.arrivals = append(s.arrivals, e.N)
	}
	if at == nil {
		return
	}
	if e.Socket != 0 && at.socket() != e.Socket {
		at.sockets = append(at.sockets, e.Socket)
	}
	if p.TCP.Flags.Has(trace.SYN) && p.TCP.Checksum != trace.ChecksumBad && !at.peerKnown {
		at.peerKnown, at.irs = true, p.TCP.Seq
	}
}

// showsCalls reports whether the trace would show the calls of programs: a capture does not.
func (r *record) showsCalls() bool { return !r.t.Header.Capture }

// showsControl reports whether the trace would show the control information of a host's sockets.
func (r *record) showsControl(host string) bool {
	h := r.t.Header.Host(host)
	return h != nil && r.t.Header.Control && slices.Contains(h.Capabilities, trace.CapabilityControl)
}

// info is the control information that a socket held when the event of number n had happened.
func (r *record) info(host string, number, n int) *trace.ControlInfo {
	info := &trace.ControlInfo{}
	for _, at := range r.controls[socketKey{host, number}] {
		if at > n {
			break
		}
		info.Apply(r.t.Event(at).Detail.(*trace.Control).Changes)
	}
	return info
}

// socket is what is known of a socket; nil if there is none of that number.
func (r *record) socket(host string, number int) *trace.Socket {
	for i := range r.sockets {
		if s := &r.sockets[i]; s.Host == host && s.Number == number {
			return s
		}
	}
	return nil
}

// call returns the first call of a name on a host; nil: none was made.
func (r *record) call(host, name string) *call {
	for _, c := range r.calls {
		if c.event.Host == host && c.call.Name == name {
			return c
		}
	}
	return nil
}

// causes reports whether event n was caused, directly or through others, by event root.
func (r *record) causes(root, n int) bool {
	for n > root {
		n = r.t.Event(n).Cause
	}
	return n == root
}

// rising sorts numbers and leaves each once.
func rising(numbers []int) []int {
	slices.Sort(numbers)
	return slices.Compact(numbers)
}
