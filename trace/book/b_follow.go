package book

import (
	"slices"

	"connectlab/trace"
)

// A hearing is what one end has heard of the other up to a moment, by the segments that reached it whole. Places are counted
// as segment.offset counts: the SYN has 0, the first octet of data 1.
type hearing struct {
	// syn is the SYN of the other end that reached this one. Addresses alone do not name the other end: one of a connection
	// before may have had them.
	syn *segment
	// taken is one past the last place up to which all had arrived. A receiver may throw away what came with a gap before it, or
	// beyond the window that it offered last: sure is one past the last place that it cannot have thrown away.
	taken, sure, offered int64
	// answered is the place that the other end acknowledged last, edge one past the last that it has allowed to send: places
	// of this end. Zero: it has not answered yet.
	answered, edge int64
	// sent is one past the highest place that this end has sent itself, fin that of its FIN; 0: none yet.
	sent, fin int64
	// unsure: data came with the SYN, and the trace does not tell whether they were taken then.
	unsure bool
	beyond []span // what arrived with a gap before it, in order
}

// span are the places from the first up to, and without, the second. Behind them stands a FIN, or none.
type span struct {
	from, to int64
	fin      bool
}

// maxBeyond bounds the pieces that are kept with a gap before them, as a receiver does.
const maxBeyond = 1024

// A moment is what an end had heard when it sent a segment, or before one reached it: see hearing.
type moment struct {
	taken, sure, answered, edge, sent, fin int64
	// peer is the end that it has heard; nil: none. peerSent is one past the highest place which that has sent, peerFin that
	// of its FIN.
	peer              *end
	peerSent, peerFin int64
	unsure            bool
}

// probed reports whether a segment with data, sent at this moment, is a probe: a single octet that the other end had acknowledged
// before. Nothing but an answer can come of it, and the octet need not be the one of its place (RFC 9293, Section 3.8.4).
func (m *moment) probed(s *segment) bool {
	return s.packet.TCP.DataLen == 1 && s.dataFrom() < m.answered
}

// A followed is what every end has heard, moment after moment.
type followed struct {
	syns map[string]map[endKey]*segment // by host: those that reached addresses at which no end has answered yet
	// sent are the moments when segments were sent, as record.segments; landed those when they arrived, as record.arrivals. A
	// capture has no landed: what it knows of arrivals is a guess.
	sent, landed []moment
}

// follow goes through the trace, once.
func (r *record) follow() *followed {
	if r.heard == nil {
		f := &followed{syns: map[string]map[endKey]*segment{}, sent: make([]moment, 0, len(r.segments))}
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
					arrived++
				}
			case *trace.HostChange:
				if d.What == trace.Reboot {
					delete(f.syns, r.t.Events[i].Host)
				}
			default:
			}
		}
		r.heard = f
	}
	return r.heard
}

// opened reports whether an end had sent its SYN when event n happened.
func (e *end) opened(n int) bool { return e.syn != nil && e.syn.n <= n }

// moment is what an end knows now.
func (h *hearing) moment() moment {
	m := moment{taken: h.taken, sure: h.sure, answered: h.answered, edge: h.edge, sent: h.sent, fin: h.fin, unsure: h.unsure}
	if h.syn != nil {
		m.peer = h.syn.from
		m.peerSent, m.peerFin = m.peer.hearing.sent, m.peer.hearing.fin
	}
	return m
}

// moment is what the end that a segment reaches knows before.
func (a *arrival) moment() moment {
	if a.at == nil {
		return moment{}
	}
	return a.at.hearing.moment()
}

func (f *followed) send(s *segment) {
	tcp := &s.packet.TCP
	h := &s.from.hearing
	if tcp.Flags.Has(trace.RST) { // leaves nothing behind
		once := *h
		h = &once
	}
	key := endKey{s.from.host, s.from.local, s.from.remote}
	if syn := f.syns[key.host][key]; h.syn == nil && syn != nil {
		if tcp.Flags.Has(trace.ACK) {
			h.hear(s.from, syn, syn.packet)
		}
		if s.from.opened(s.n) || tcp.Flags.Has(trace.RST) { // else it may be answered once more
			delete(f.syns[key.host], key)
		}
	}
	f.sent = append(f.sent, h.moment())
	behind := s.offset + int64(tcp.Len())
	h.sent = max(h.sent, behind)
	if tcp.Flags.Has(trace.FIN) {
		h.fin = behind - 1
	}
	h.tell(s.from, tcp)
}

// tell takes in what the end itself acknowledges and offers.
func (h *hearing) tell(from *end, tcp *trace.Segment) {
	if h.syn == nil || !tcp.Flags.Has(trace.ACK) {
		return
	}
	place := near(tcp.Ack, h.syn.from.iss, h.taken)
	if place > h.taken {
		return
	}
	h.sure = max(h.sure, place)
	shift := uint8(0)
	if !tcp.Flags.Has(trace.SYN) {
		_, shift = h.scales(from)
	}
	h.offered = place + int64(tcp.Window)<<shift
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
	h := &a.at.hearing
	if h.syn == nil || h.syn.from != a.of.from {
		return
	}
	shift, _ := h.scales(a.at)
	h.answer(a.at, tcp, shift)
	h.take(span{a.of.offset, a.of.offset + int64(tcp.DataLen), tcp.Flags.Has(trace.FIN)}, early)
}

// arriveSYN takes in a SYN: of an end that has heard none it is the one that it waited for, unless it acknowledges what was
// never sent; else it may be the first of another connection, also where it came before and is now answered by another end.
func (f *followed) arriveSYN(a *arrival) {
	tcp := &a.packet.TCP
	if a.at != nil && a.at.hearing.syn == nil && a.at.known {
		if !tcp.Flags.Has(trace.ACK) || tcp.Ack == a.at.iss.Add(1) {
			a.at.hearing.hear(a.at, a.of, a.packet)
		}
		return
	}
	key := endKey{a.event.Host, a.packet.Destination(), a.packet.Source()}
	if f.syns[key.host] == nil {
		f.syns[key.host] = map[endKey]*segment{}
	}
	f.syns[key.host][key] = a.of
	if a.at != nil && a.at.hearing.syn != nil && a.at.hearing.syn.from == a.of.from {
		a.at.hearing.answer(a.at, tcp, 0)
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

// hear binds a hearing to the end whose SYN has reached it. The window of a SYN is never scaled (RFC 7323, Section 2.2).
func (h *hearing) hear(at *end, syn *segment, p *trace.Packet) {
	h.syn, h.taken, h.sure, h.unsure = syn, 1, 1, p.TCP.DataLen > 0
	if at.syn != nil {
		h.offered = 1 + int64(at.syn.packet.TCP.Window)
	}
	h.answer(at, &p.TCP, 0)
}

// scales are the shifts of the windows that an end is told, and of those that it tells: those of the two SYNs, if both had the
// option.
func (h *hearing) scales(at *end) (told, tells uint8) {
	if at.syn == nil || h.syn == nil {
		return 0, 0
	}
	tells, own := at.syn.packet.TCP.Options.WindowScale()
	told, other := h.syn.packet.TCP.Options.WindowScale()
	if !own || !other {
		return 0, 0
	}
	return min(told, 14), min(tells, 14)
}

// answer takes in the acknowledgment number and the window.
func (h *hearing) answer(at *end, tcp *trace.Segment, shift uint8) {
	place := int64(1) // a SYN alone allows what comes behind this end's own SYN
	if tcp.Flags.Has(trace.ACK) {
		place = near(tcp.Ack, at.iss, h.sent)
		if place > h.sent {
			return
		}
		h.answered = max(h.answered, place)
	}
	h.edge = max(h.edge, place+int64(tcp.Window)<<shift)
}

// near is the place of a number in a direction that begins with iss, as it stands nearest to another place.
func near(number, iss trace.Seq, place int64) int64 {
	return place + int64(int32(number.Sub(iss.Add(uint32(place)))))
}

// take takes in what has arrived, early or with the connection up.
func (h *hearing) take(s span, early bool) {
	if s.from <= h.sure && s.to >= h.sure && !early {
		h.sure = max(h.sure, min(s.to, h.offered))
		if s.fin && s.to == h.sure {
			h.sure++
		}
	}
	i, _ := slices.BinarySearchFunc(h.beyond, s, func(a, b span) int { return int(max(-1, min(1, a.from-b.from))) })
	if s.from > h.taken {
		if len(h.beyond) < maxBeyond && (s.to > s.from || s.fin) {
			h.beyond = slices.Insert(h.beyond, i, s)
		}
		return
	}
	h.join(s)
	joined := 0
	for joined < len(h.beyond) && h.beyond[joined].from <= h.taken {
		h.join(h.beyond[joined])
		joined++
	}
	h.beyond = slices.Delete(h.beyond, 0, joined)
}

// join takes in what begins at or before the place that all has arrived up to.
func (h *hearing) join(s span) {
	h.taken = max(h.taken, s.to)
	if s.fin && s.to == h.taken {
		h.taken++
	}
}
