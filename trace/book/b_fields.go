package book

import (
	"bytes"
	"encoding/binary"
	"slices"

	"connectlab/trace"
)

// tcpOctets are the octets of a segment's header, which are always at hand.
func tcpOctets(p *trace.Packet) []byte {
	from := p.Ethernet.HeaderLen + p.IP.HeaderLen
	return p.Octets[from : from+p.TCP.HeaderLen]
}

// phase is a phase of a connection as the book tells them.
type phase uint8

const (
	connecting phase = iota
	transferring
	disconnecting
)

// phases tells in which phase of its connection each segment was sent, as record.segments. The connect operation ends with the
// first segment without SYN of the end that asked for the connection, which belongs to it if it says nothing but ACK; a reset
// before it belongs to it as well. Where a capture has no SYN the connection is taken to stand.
func (r *record) phases() []phase {
	if r.phase != nil {
		return r.phase
	}
	stands, ending := map[*end]bool{}, map[*end]bool{}
	all := make([]phase, len(r.segments))
	r.phase = all
	for i, s := range r.segments {
		tcp := &s.packet.TCP
		switch {
		case tcp.Flags.Has(trace.SYN):
			continue
		case stands[s.from] || s.to != nil && stands[s.to] || r.answersStanding(s, stands):
		case !s.from.opened(s.n) && (s.to == nil || !s.to.opened(s.n)) && r.t.Header.Capture:
		case tcp.Flags.Has(trace.RST) || !s.from.opened(s.n):
			continue
		case !s.from.active && tcp.Len() == 0: // it answers a SYN once more
			continue
		default:
			stands[s.from] = true
			if tcp.Len() == 0 {
				continue
			}
		}
		if tcp.Flags&(trace.RST|trace.FIN) != 0 {
			ending[s.from] = true
		}
		all[i] = transferring
		if ending[s.from] || s.to != nil && ending[s.to] {
			all[i] = disconnecting
		}
	}
	return all
}

// answersStanding reports whether a reset answers a segment of an end whose connection stands, as its sender's does not.
func (r *record) answersStanding(s *segment, stands map[*end]bool) bool {
	cause := r.t.Event(s.event.Cause)
	if cause == nil || !s.packet.TCP.Flags.Has(trace.RST) {
		return false
	}
	sent := r.sentAt[cause.Cause]
	return sent != nil && stands[sent.from]
}

// b1 looks for segments of the three phases, and for packets of TCP that do not have its header in front of everything else of TCP.
// Its items are fixed but for the options, which the book has where a connection is made.
func b1(r *record) Finding {
	var broken, pieces []int
	for i := range r.t.Events {
		sent, ok := r.t.Events[i].Detail.(*trace.Sent)
		if !ok || sent.Packet.Kind != trace.PacketOther || sent.Packet.IP.Protocol != protocolTCP || len(sent.Packet.Octets) < sent.Packet.Len {
			continue
		}
		switch n := r.t.Events[i].N; {
		case sent.Packet.Malformed != "":
			if !r.t.Header.Capture { // where it may have been damaged
				broken = append(broken, n)
			}
		case sent.Packet.IP.FragOff > 0:
			pieces = append(pieces, n)
		}
	}
	var seen [3]int
	var before []int // the N of what tells that a capture's earlier parts have the connect
	for _, e := range r.ends {
		if n := r.connectedBefore(e); n != 0 {
			before = append(before, n)
		}
	}
	all, short, long := make([]int, 0, len(r.segments)), 0, 0
	var varied []int // headers with more than the fixed items, though nothing is being connected
	for i, p := range r.phases() {
		s := r.segments[i]
		seen[p]++
		all = append(all, s.n)
		if p != connecting && s.packet.TCP.HeaderLen > fixedItems {
			varied = append(varied, s.n)
		}
		long = max(long, s.packet.TCP.HeaderLen)
		if short == 0 || short > s.packet.TCP.HeaderLen {
			short = s.packet.TCP.HeaderLen
		}
	}
	switch {
	case len(broken) > 0:
		return Finding{Verdict: Contradicted, Evidence: broken, Observed: say("book.B1.broken", len(broken))}
	case len(pieces) > 0:
		return Finding{Verdict: Refined, Evidence: pieces, Observed: say("book.B1.pieces", len(pieces))}
	case len(before) > 0 && !slices.Contains(seen[transferring:], 0):
		f := Finding{Verdict: Holds, Evidence: append(all, before...), Observed: say("book.B1.part", seen[transferring], seen[disconnecting], short, long)}
		if len(varied) > 0 {
			f.Verdict = Refined
		}
		return f
	case slices.Contains(seen[:], 0):
		return Finding{Observed: say("book.B1.phases", seen[connecting], seen[transferring], seen[disconnecting])}
	case len(varied) > 0:
		return Finding{Verdict: Refined, Evidence: varied, Observed: say("book.B1.varied", len(varied), short, long, len(all))}
	}
	return Finding{Verdict: Holds, Evidence: all, Observed: say("book.B1.seen", seen[connecting], seen[transferring], seen[disconnecting], short, long)}
}

// fixedItems are the octets of a header without options.
const fixedItems = 20

// connectedBefore is the N of the event which tells that an end was connected in an earlier part of a capture: that it knows both initial
// numbers; 0: none does.
func (r *record) connectedBefore(e *end) int {
	if controls := r.controls[socketKey{e.host, e.socket()}]; r.t.Header.Capture && len(controls) > 0 && e.known && e.peerKnown && e.syn == nil {
		return controls[0]
	}
	return 0
}

// protocolTCP is TCP's number in the IP header.
const protocolTCP = 6

// A field is one of the fields of the book's header: so many bits, beginning with a bit, and what they are taken to say.
type field struct {
	bit, bits int
	says      func(*trace.Segment) uint32
}

// bookFields are the fields of the book's header in their order, with the widths that the book gives them. What the bits say is that
// by which everything else is judged.
var bookFields = layOut(
	field{bits: 16, says: func(s *trace.Segment) uint32 { return uint32(s.SrcPort) }},
	field{bits: 16, says: func(s *trace.Segment) uint32 { return uint32(s.DstPort) }},
	field{bits: 32, says: func(s *trace.Segment) uint32 { return uint32(s.Seq) }},
	field{bits: 32, says: func(s *trace.Segment) uint32 { return uint32(s.Ack) }},
	field{bits: 4, says: func(s *trace.Segment) uint32 { return uint32(s.HeaderLen) / 4 }},
	field{bits: 6, says: func(*trace.Segment) uint32 { return 0 }}, // unused at present
	field{bits: 6, says: func(s *trace.Segment) uint32 { return uint32(s.Flags & bookFlags) }},
	field{bits: 16, says: func(s *trace.Segment) uint32 { return uint32(s.Window) }},
	field{bits: 16, says: func(s *trace.Segment) uint32 { return uint32(s.Sum) }},
	field{bits: 16, says: func(s *trace.Segment) uint32 { return uint32(s.Urgent) }},
)

// bookFlags are the six control bits that the book names.
const bookFlags = trace.URG | trace.ACK | trace.PSH | trace.RST | trace.SYN | trace.FIN

// layOut puts fields one behind the other.
func layOut(fields ...field) []field {
	bit := 0
	for i := range fields {
		fields[i].bit = bit
		bit += fields[i].bits
	}
	return fields
}

// read is what the field's bits hold. No field crosses the border of a 32-bit word.
func (f *field) read(header []byte) uint32 {
	word := binary.BigEndian.Uint32(header[f.bit/32*4:])
	return word << (f.bit % 32) >> (32 - f.bits)
}

// b2 reads each header by the book's widths. Bits that are set where the book has unused ones contradict it: they are used.
func b2(r *record) Finding {
	var all, other []int
	var used trace.Flags
	reserved := 0
	for _, s := range r.segments {
		all = append(all, s.n)
		header := tcpOctets(s.packet)
		for i := range bookFields {
			if f := &bookFields[i]; f.read(header) != f.says(&s.packet.TCP) {
				other = append(other, s.n)
				used |= s.packet.TCP.Flags &^ bookFlags
				if s.packet.TCP.Reserved != 0 {
					reserved++
				}
				break
			}
		}
	}
	switch {
	case len(all) == 0:
		return Finding{Observed: say("book.no-segment")}
	case len(other) > 0:
		return Finding{Verdict: Contradicted, Evidence: other, Observed: say("book.B2.used", len(other), used, reserved)}
	}
	return Finding{Verdict: Holds, Evidence: all, Observed: say("book.B2.seen", len(all))}
}

// ownPorts are the ports that one socket has, 0 where it has none. A socket that closes forgets them, and may still send a reset:
// they are its last ones.
type ownPorts struct {
	local, remote uint16
	hidden        bool // the stack does not show one of them
}

// learn takes in how the control information of the socket changed.
func (p *ownPorts) learn(changes []trace.Change) {
	for i := range changes {
		port := &p.local
		switch changes[i].Item {
		case trace.LocalPort:
		case trace.RemotePort:
			port = &p.remote
		default:
			continue
		}
		switch now := changes[i].New(); {
		case now.Kind == trace.NotObservable:
			p.hidden = true
		case now.Kind == trace.Number && now.Num != 0:
			*port = uint16(now.Num)
		}
	}
}

// b3 compares the ports of each segment with those of the socket that sent it, and looks for a socket with the port that it is
// for, then or when it arrives. A host whose sockets cannot be looked at is left out.
func b3(r *record) Finding {
	if len(r.segments) == 0 {
		return Finding{Observed: say("book.no-segment")}
	}
	if !slices.ContainsFunc(r.t.Header.Hosts, func(h trace.HostInfo) bool { return r.looksInto(h.Name) }) {
		return Finding{Verdict: NotObservable, Observed: say("book.B3.hidden", len(r.segments))}
	}
	own, users := map[socketKey]*ownPorts{}, r.ports()
	var right, wrong, nobody []int
	hidden := 0
	awaited := map[int]bool{} // by the N of the Sent: nobody had the port that it is for, as yet
	for i := range r.t.Events {
		e := &r.t.Events[i]
		key := socketKey{e.Host, e.Socket}
		switch d := e.Detail.(type) {
		case *trace.Control:
			if own[key] == nil {
				own[key] = &ownPorts{}
			}
			own[key].learn(d.Changes)
		case *trace.Arrived:
			if awaited[e.Cause] && len(users.at(e.N, e.Host, d.Packet.TCP.DstPort)) > 0 {
				delete(awaited, e.Cause)
			}
		case *trace.Sent:
			s := r.sentAt[e.N]
			if s == nil {
				continue
			}
			tcp := &s.packet.TCP
			there := endKey{s.from.host, s.from.local, s.from.remote}.other(r).host
			here, far := r.looksInto(e.Host), r.looksInto(there)
			switch p := own[key]; {
			case !here && !far:
			case here && p == nil:
				nobody = append(nobody, e.N)
			case here && p.hidden:
				hidden++
			case here && (p.local != tcp.SrcPort || p.remote != 0 && p.remote != tcp.DstPort):
				wrong = append(wrong, e.N)
			default:
				if far && len(users.at(e.N, there, tcp.DstPort)) == 0 {
					awaited[e.N] = true
				}
				right = append(right, e.N)
			}
		default:
		}
	}
	right = slices.DeleteFunc(right, func(n int) bool {
		if awaited[n] {
			nobody = append(nobody, n)
		}
		return awaited[n]
	})
	switch {
	case len(wrong) > 0:
		return Finding{Verdict: Contradicted, Evidence: wrong, Observed: say("book.B3.other", len(wrong))}
	case len(nobody) > 0:
		return Finding{Verdict: Refined, Evidence: nobody, Observed: say("book.B3.nobody", len(nobody))}
	case hidden > 0:
		return unseen([]trace.Item{trace.LocalPort, trace.RemotePort})
	}
	return Finding{Verdict: Holds, Evidence: right, Observed: say("book.B3.seen", len(right))}
}

// looksInto reports whether the ports of a host's sockets are in the trace because the stack showed them: those of a capture
// are taken from its segments.
func (r *record) looksInto(host string) bool { return r.showsControl(host) && !r.t.Header.Capture }

// A stream is what an end has sent up to a moment, octet by octet.
type stream struct {
	pieces []piece
	next   int64 // one past the last place
	data   []int // the N of the segments that carried it
	wrong  []int // of those that stand elsewhere than their number says
}

// piece is a piece of a stream.
type piece struct {
	at     int64
	octets []byte // as far as they were kept
}

// add takes in a segment with data. It reports whether these stand where its number says: behind all that were sent before, or
// where the same octets were sent before.
func (st *stream) add(s *segment) bool {
	octets, place := s.packet.Data(), s.place
	right := place == s.dataFrom() && (place > 0 || !s.from.known)
	if place < st.next {
		right = right && st.repeats(place, octets)
		octets = octets[min(int64(len(octets)), st.next-place):]
		place = st.next
	}
	if to := s.place + int64(s.packet.TCP.DataLen); to > place {
		st.pieces = append(st.pieces, piece{place, octets})
		st.next = to
	}
	return right
}

// repeats reports whether octets are those that were sent at a place before, as far as both were kept.
func (st *stream) repeats(place int64, octets []byte) bool {
	i, found := slices.BinarySearchFunc(st.pieces, place, func(p piece, at int64) int { return int(max(-1, min(1, p.at-at))) })
	if !found {
		i = max(0, i-1)
	}
	for ; i < len(st.pieces) && len(octets) > 0; i++ {
		p := st.pieces[i]
		if skip := place - p.at; skip < 0 { // never seen
			skip = min(-skip, int64(len(octets)))
			octets, place = octets[skip:], place+skip
		} else {
			p.octets = p.octets[min(skip, int64(len(p.octets))):]
		}
		n := min(len(octets), len(p.octets))
		if !bytes.Equal(octets[:n], p.octets[:n]) {
			return false
		}
		octets, place = octets[n:], place+int64(n)
	}
	return true
}

// b4 counts the octets that each end sends and compares the place of a segment's first octet with its sequence number. That
// it is counted from a random number, and that a SYN takes one, the book does not say; nor that the octet of a probe is none of them.
func b4(r *record) Finding {
	sent := r.follow().sent
	streams := map[*end]*stream{}
	var order []*stream
	unknown, other, probes, gaps := 0, 0, 0, 0
	for i, s := range r.segments {
		if s.packet.TCP.DataLen == 0 || s.packet.TCP.Flags.Has(trace.RST) {
			continue
		}
		st := streams[s.from]
		if st == nil {
			st = &stream{next: s.place}
			streams[s.from] = st
			order = append(order, st)
		}
		st.data = append(st.data, s.n)
		switch right := st.add(s); {
		case right && s.from.tcb.fin > 0 && st.next > s.from.tcb.fin:
			st.wrong = append(st.wrong, s.n) // behind all that there is
		case right && s.from.gap && r.t.Header.Capture:
			gaps++
		case right:
		case sent[i].probed(s), r.t.Header.Capture && s.packet.TCP.DataLen == 1: // the answer may not have been captured
			probes++
		default:
			st.wrong = append(st.wrong, s.n)
		}
		switch {
		case !s.from.known:
			unknown++
		case s.from.iss != 0:
			other++
		}
	}
	var data, wrong, counted []int
	for _, st := range order {
		data = append(data, st.data...)
		if wrong = append(wrong, st.wrong...); len(st.wrong) > 0 {
			counted = append(counted, st.data...)
		}
	}
	switch {
	case len(wrong) > 0:
		return Finding{Verdict: Contradicted, Evidence: counted, Observed: say("book.B4.wrong", len(wrong), len(data))}
	case len(data) == 0:
		return Finding{Observed: say("book.no-data")}
	case unknown > 0:
		return Finding{Verdict: NotObservable, Observed: say("book.B4.unknown", unknown)}
	case gaps > 0:
		return Finding{Verdict: NotObservable, Observed: say("book.B4.gaps", gaps)}
	case other+probes > 0:
		return Finding{Verdict: Refined, Evidence: data, Observed: say("book.B4.counted", len(data), probes)}
	}
	return Finding{Verdict: Holds, Evidence: data, Observed: say("book.B4.seen", len(data))}
}

// b5 compares each acknowledgment number with what had reached its sender by then, whole and without a gap, less what it may have
// thrown away. It counts one more than the book: the SYN, and the number itself is that of the next octet. In a capture what was sent may
// arrive later, or never: a smaller number is no counterexample there.
func b5(r *record) Finding {
	var all, wrong, literal []int
	octets, unsure, unseen := int64(0), 0, 0
	for i, s := range r.segments {
		tcp, m := &s.packet.TCP, &r.follow().sent[i]
		if !tcp.Flags.Has(trace.ACK) || tcp.Flags.Has(trace.RST) || m.peer == nil {
			continue
		}
		if m.unsure {
			unsure++
			continue
		}
		switch place := near(tcp.Ack, m.peer.iss, m.rcvNxt); {
		case place >= m.rcvLeast && place <= m.rcvNxt:
			all = append(all, s.n)
			data := place - 1
			if m.peerFin > 0 && place > m.peerFin {
				data--
			}
			octets = max(octets, data)
			if tcp.Ack == trace.Seq(data) {
				literal = append(literal, s.n)
			}
		case !r.t.Header.Capture, r.neverSent(s, m, place):
			wrong = append(wrong, s.n)
		case s.from.known && m.peer.known && place > m.rcvNxt:
			unseen++
		}
	}
	switch {
	case len(wrong) > 0:
		return Finding{Verdict: Contradicted, Evidence: wrong, Observed: say("book.B5.wrong", len(wrong), len(wrong)+len(all))}
	case unseen > 0, octets == 0 && unsure > 0:
		return Finding{Verdict: NotObservable, Observed: say("book.B5.unknown", unseen+unsure)}
	case octets == 0:
		return Finding{Observed: say("book.B5.no-data", len(all))}
	case len(literal) < len(all):
		return Finding{Verdict: Refined, Evidence: all, Observed: say("book.B5.next", len(all))}
	}
	return Finding{Verdict: Holds, Evidence: all, Observed: say("book.B5.seen", len(all))}
}

// b6 measures each header by its options, each of which tells its own length: the last must end where the data offset says that
// the data begin. Behind the end of the list of options only padding follows.
func b6(r *record) Finding {
	var all, wrong []int
	long, data := 0, 0
	for _, s := range r.segments {
		tcp := &s.packet.TCP
		all = append(all, s.n)
		long = max(long, tcp.HeaderLen)
		if tcp.DataLen > 0 {
			data++
		}
		if broken(tcp.Options) {
			wrong = append(wrong, s.n)
		}
	}
	switch {
	case len(wrong) > 0:
		return Finding{Verdict: Contradicted, Evidence: wrong, Observed: say("book.B6.wrong", len(wrong))}
	case data == 0:
		return Finding{Observed: say("book.no-data")}
	}
	return Finding{Verdict: Holds, Evidence: all, Observed: say("book.B6.seen", len(all), long, long/4)}
}

// broken reports whether the last option does not end where the header ends.
func broken(o trace.Options) bool {
	for option := range o.All() {
		if option.Kind == trace.OptionEnd {
			return false
		}
	}
	return len(o.Rest()) > 0
}
