package book

import (
	"cmp"
	"slices"

	"connectlab/trace"
)

// A tcb has the sequence variables of one end's TCB up to a moment (RFC 9293, Section 3.3.1), by what it sent and by the segments that
// reached it whole. They are places, counted as segment.offset counts: the SYN has 0, the first octet of data 1.
type tcb struct {
	// peer is the other end, by its SYN that reached this one. Addresses alone do not name the other end: one of a connection
	// before may have had them. syn is that SYN; nil with a peer: an earlier part of the capture has it.
	peer *end
	syn  *segment
	// rcvNxt is RCV.NXT: one past the last place up to which all had arrived. A receiver may throw away what came with a gap before
	// it, or beyond rcvEdge, RCV.NXT+RCV.WND as it said last: rcvLeast is the least that RCV.NXT can be.
	rcvNxt, rcvLeast, rcvEdge int64
	// sndUna is SND.UNA, and sndEdge the highest SND.UNA+SND.WND: one past the last place that the other end has allowed to send.
	// Zero: it has not answered yet.
	sndUna, sndEdge int64
	// sndNxt is SND.NXT, fin the place of the FIN that was sent; 0: none yet.
	sndNxt, fin int64
	// newest is the highest timestamp value that has reached it; stamped: one has. A receiver throws away what is older (PAWS, RFC 7323,
	// Section 5.3).
	newest  trace.Seq
	stamped bool
	// unsure: what had arrived is not known. Data came with the SYN, and the trace does not tell whether they were taken then;
	// or there were more gaps than are kept.
	unsure bool
	beyond []span // what arrived with a gap before it, in order; none touches the next
}

// span are the places from the first up to, and without, the second. Behind them stands a FIN, or none.
type span struct {
	from, to int64
	fin      bool
}

// maxBeyond bounds the gaps that are followed in one direction at a time.
const maxBeyond = 1024

// A moment is what the variables of an end were when it sent a segment, or before one reached it: see tcb.
type moment struct {
	rcvNxt, rcvLeast, sndUna, sndEdge, sndNxt, fin int64
	// peer is the end whose SYN has reached it; nil: none. peerNxt is its SND.NXT, peerFin the place of its FIN.
	peer             *end
	peerNxt, peerFin int64
	unsure           bool
}

// probed reports whether a segment with data, sent at this moment, is a probe: a single octet that the other end had acknowledged
// before. Nothing but an answer can come of it, and the octet need not be the one of its place (RFC 9293, Section 3.8.4).
func (m *moment) probed(s *segment) bool {
	return s.packet.TCP.DataLen == 1 && s.dataFrom() < m.sndUna
}

// A followed has the variables of every end, moment after moment.
type followed struct {
	syns map[string]map[endKey]*segment // by host: those that reached addresses at which no end has answered yet
	// sent are the moments when segments were sent, as record.segments; landed those when they arrived, as record.arrivals. A
	// capture has no landed: what it knows of arrivals is a guess.
	sent, landed []moment
	// joined are the places between which RCV.NXT is behind each arrival, as record.arrivals: hearing.sure and hearing.taken; the zero
	// value: not known. A capture has none.
	joined [][2]int64
}

// follow goes through the trace, once.
func (r *record) follow() *followed {
	if r.followed == nil {
		f := &followed{syns: map[string]map[endKey]*segment{}, sent: make([]moment, 0, len(r.segments))}
		for _, e := range r.ends {
			e.goOn()
		}
		arrived := 0
		for i := range r.t.Events {
			switch n := r.t.Events[i].N; d := r.t.Events[i].Detail.(type) {
			case *trace.Sent:
				if at := len(f.sent); at < len(r.segments) && r.segments[at].n == n {
					f.send(r.segments[at])
				}
			case *trace.Arrived:
				if arrived < len(r.arrivals) && r.arrivals[arrived].n == n {
					if !r.t.Header.Capture {
						f.landed = append(f.landed, r.arrivals[arrived].moment())
					}
					f.arrive(&r.arrivals[arrived], r.t.Header.Capture, r.early(&r.arrivals[arrived]))
					if !r.t.Header.Capture {
						f.joined = append(f.joined, r.arrivals[arrived].joined())
					}
					arrived++
				}
			case *trace.HostChange:
				if d.What == trace.Reboot {
					delete(f.syns, r.t.Events[i].Host)
				}
			default:
			}
		}
		r.followed = f
	}
	return r.followed
}

// complete reports whether a trace has all that an end ever sent. A capture can lack some: it has all where nothing is missing
// between SYN and FIN.
func (r *record) complete(e *end) bool {
	return !r.t.Header.Capture || e.known && !e.gap && e.tcb.fin > 0
}

// opened reports whether an end had sent its SYN when event n happened.
func (e *end) opened(n int) bool { return e.syn != nil && e.syn.n <= n }

// moment is what an end knows now.
func (t *tcb) moment() moment {
	m := moment{rcvNxt: t.rcvNxt, rcvLeast: t.rcvLeast, sndUna: t.sndUna, sndEdge: t.sndEdge, sndNxt: t.sndNxt, fin: t.fin, unsure: t.unsure}
	if t.peer != nil {
		m.peer = t.peer
		m.peerNxt, m.peerFin = m.peer.tcb.sndNxt, m.peer.tcb.fin
	}
	return m
}

// moment is what the end that a segment reaches knows before.
func (a *arrival) moment() moment {
	if a.at == nil {
		return moment{}
	}
	return a.at.tcb.moment()
}

// joined are the places between which RCV.NXT is at the end that a segment has reached; the zero value: that is not known.
func (a *arrival) joined() [2]int64 {
	if a.at == nil || a.of == nil || a.at.tcb.unsure || a.at.tcb.peer != a.of.from {
		return [2]int64{}
	}
	return [2]int64{a.at.tcb.rcvLeast, a.at.tcb.rcvNxt}
}

func (f *followed) send(s *segment) {
	tcp := &s.packet.TCP
	t := &s.from.tcb
	if tcp.Flags.Has(trace.RST) { // leaves nothing behind
		once := *t
		t = &once
	}
	key := endKey{s.from.host, s.from.local, s.from.remote}
	if syn := f.syns[key.host][key]; t.peer == nil && syn != nil {
		if tcp.Flags.Has(trace.ACK) {
			t.synchronize(s.from, syn, syn.packet)
		}
		if s.from.opened(s.n) || tcp.Flags.Has(trace.RST) { // else it may be answered once more
			delete(f.syns[key.host], key)
		}
	}
	f.sent = append(f.sent, t.moment())
	behind := s.offset + int64(tcp.Len())
	t.sndNxt = max(t.sndNxt, behind)
	if tcp.Flags.Has(trace.FIN) {
		t.fin = behind - 1
	}
	t.tell(s.from, tcp)
}

// tell takes in what the end itself acknowledges and offers.
func (t *tcb) tell(from *end, tcp *trace.Segment) {
	if t.peer == nil || !tcp.Flags.Has(trace.ACK) {
		return
	}
	place := near(tcp.Ack, t.peer.iss, t.rcvNxt)
	if place > t.rcvNxt {
		return
	}
	t.rcvLeast = max(t.rcvLeast, place)
	shift := uint8(0)
	if !tcp.Flags.Has(trace.SYN) {
		_, shift = t.scales(from)
	}
	t.rcvEdge = place + int64(tcp.Window)<<shift
}

func (f *followed) arrive(a *arrival, capture, early bool) {
	tcp := &a.packet.TCP
	if a.of == nil || a.damaged() && !capture || tcp.Flags.Has(trace.RST) {
		return
	}
	if tcp.Flags.Has(trace.SYN) {
		f.arriveSYN(a)
		return
	}
	if a.at == nil || !tcp.Flags.Has(trace.ACK) {
		return
	}
	t := &a.at.tcb
	if t.peer == nil || t.peer != a.of.from {
		return
	}
	shift, _ := t.scales(a.at)
	t.answer(a.at, tcp, shift)
	t.take(span{a.of.offset, a.of.offset + int64(tcp.DataLen), tcp.Flags.Has(trace.FIN)}, early || t.old(tcp.Options))
}

// old reports whether the timestamp of a segment that arrives is older than the newest one, and remembers the newer of both.
func (t *tcb) old(o trace.Options) bool {
	value, _, ok := o.Timestamps()
	if !ok {
		return false
	}
	if at := trace.Seq(value); !t.stamped || t.newest.Less(at) {
		t.newest, t.stamped = at, true
	}
	return t.newest != trace.Seq(value)
}

// arriveSYN takes in a SYN: of an end that has heard none it is the one that it waited for, unless it acknowledges what was
// never sent; else it may be the first of another connection, also where it came before and is now answered by another end.
func (f *followed) arriveSYN(a *arrival) {
	tcp := &a.packet.TCP
	if a.at != nil && a.at.tcb.peer == nil && a.at.known {
		if !tcp.Flags.Has(trace.ACK) || tcp.Ack == a.at.iss.Add(1) {
			a.at.tcb.synchronize(a.at, a.of, a.packet)
		}
		return
	}
	key := endKey{a.event.Host, a.packet.Destination(), a.packet.Source()}
	if f.syns[key.host] == nil {
		f.syns[key.host] = map[endKey]*segment{}
	}
	f.syns[key.host][key] = a.of
	if a.at != nil && a.at.tcb.peer == a.of.from {
		a.at.tcb.answer(a.at, tcp, 0)
	}
}

// early reports whether a segment came to a socket whose connection does not stand yet: where the queue for accept() is full, what it
// brings may be thrown away.
func (r *record) early(a *arrival) bool {
	s := r.socket(a.event.Host, a.event.Socket)
	return s != nil && slices.Contains([]trace.State{trace.Listen, trace.SynReceived}, s.At(a.n).State)
}

// damaged reports whether the packet arrived with a checksum that is wrong: nobody has received it then.
func (a *arrival) damaged() bool {
	return a.packet.TCP.Checksum == trace.ChecksumBad || a.packet.IP.Checksum == trace.ChecksumBad
}

// synchronize begins with the end whose SYN has reached it. The window of a SYN is never scaled (RFC 7323, Section 2.2).
func (t *tcb) synchronize(at *end, syn *segment, p *trace.Packet) {
	t.peer, t.syn, t.rcvNxt, t.rcvLeast, t.unsure = syn.from, syn, 1, 1, p.TCP.DataLen > 0
	if at.syn != nil {
		t.rcvEdge = 1 + int64(at.syn.packet.TCP.Window)
	}
	t.answer(at, &p.TCP, 0)
}

// goOn begins with what an earlier part of the capture has shown of both ends.
func (e *end) goOn() {
	if e.before == nil || e.peer == nil || e.peer.before == nil || e.irs != e.peer.iss {
		return
	}
	t := &e.tcb
	t.peer = e.peer
	t.rcvNxt = near(e.before.rcv, e.peer.iss, e.peer.before.nxt)
	t.rcvLeast = t.rcvNxt
	t.sndUna = near(e.before.una, e.iss, e.before.nxt)
}

// scales are the shifts of the windows that an end is told, and of those that it tells: those of the two SYNs, if both had the
// option.
func (t *tcb) scales(at *end) (told, tells uint8) {
	if at.syn == nil || t.syn == nil {
		return 0, 0
	}
	tells, own := at.syn.packet.TCP.Options.WindowScale()
	told, other := t.syn.packet.TCP.Options.WindowScale()
	if !own || !other {
		return 0, 0
	}
	return min(told, maxShift), min(tells, maxShift)
}

// answer takes in the acknowledgment number and the window.
func (t *tcb) answer(at *end, tcp *trace.Segment, shift uint8) {
	place := int64(1) // a SYN alone allows what comes behind this end's own SYN
	if tcp.Flags.Has(trace.ACK) {
		place = near(tcp.Ack, at.iss, t.sndNxt)
		if place > t.sndNxt {
			return
		}
		t.sndUna = max(t.sndUna, place)
	}
	t.sndEdge = max(t.sndEdge, place+int64(tcp.Window)<<shift)
}

// near is the place of a number in a direction that begins with iss, as it stands nearest to another place.
func near(number, iss trace.Seq, place int64) int64 {
	return place + int64(int32(number.Sub(iss.Add(uint32(place)))))
}

// take takes in what has arrived; lost: it may have been thrown away. So may a FIN with data that had all arrived before: a FIN is none.
func (t *tcb) take(s span, lost bool) {
	if least := t.rcvLeast; s.from <= least && s.to >= least && !lost {
		t.rcvLeast = max(least, min(s.to, t.rcvEdge))
		if s.fin && s.to == t.rcvLeast && (s.from == least || s.to > least) {
			t.rcvLeast++
		}
	}
	if s.from > t.rcvNxt {
		if s.to > s.from || s.fin {
			t.keep(s)
		}
		return
	}
	t.join(s)
	joined := 0
	for joined < len(t.beyond) && t.beyond[joined].from <= t.rcvNxt {
		t.join(t.beyond[joined])
		joined++
	}
	t.beyond = slices.Delete(t.beyond, 0, joined)
}

// keep keeps what has a gap before it, as one span with all that it touches.
func (t *tcb) keep(s span) {
	first, _ := slices.BinarySearchFunc(t.beyond, s.from, func(b span, from int64) int { return cmp.Compare(b.to, from) })
	last := first
	for last < len(t.beyond) && t.beyond[last].from <= s.to {
		b := t.beyond[last]
		s = span{min(s.from, b.from), max(s.to, b.to), s.fin && s.to >= b.to || b.fin && b.to >= s.to}
		last++
	}
	if first == last && len(t.beyond) == maxBeyond {
		t.unsure = true
		return
	}
	t.beyond = slices.Replace(t.beyond, first, last, s)
}

// join takes in what begins at or before the place that all has arrived up to.
func (t *tcb) join(s span) {
	t.rcvNxt = max(t.rcvNxt, s.to)
	if s.fin && s.to == t.rcvNxt {
		t.rcvNxt++
	}
}
