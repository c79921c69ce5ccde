package book

import (
	"slices"
	"strings"

	"connectlab/trace"
)

// urgent finds the segments with URG, and those without it whose urgent pointer is not zero all the same.
func (r *record) urgent() (set []*segment, stray []int) {
	for _, s := range r.segments {
		switch tcp := &s.packet.TCP; {
		case tcp.Flags.Has(trace.URG):
			set = append(set, s)
		case tcp.Urgent != 0:
			stray = append(stray, s.n)
		}
	}
	return set, stray
}

// notUrgent is the finding on a trace without URG.
func (r *record) notUrgent(stray int) Finding {
	for i := range r.t.Header.Hosts {
		if r.t.Header.Capture || slices.Contains(r.t.Header.Hosts[i].Capabilities, trace.CapabilityUrgent) {
			return Finding{Observed: say("book.no-urgent", stray)}
		}
	}
	return Finding{Observed: say("book.cannot-urgent", stray)}
}

// b7 looks at the pointer where URG is set: it must be there. It counts from the segment's sequence number to the octet
// behind the urgent data, so that 0 points at nothing.
func b7(r *record) Finding {
	set, stray := r.urgent()
	var right, wrong []int
	for _, s := range set {
		if s.packet.TCP.Urgent != 0 {
			right = append(right, s.n)
		} else {
			wrong = append(wrong, s.n)
		}
	}
	switch {
	case len(wrong) > 0:
		return Finding{Verdict: Contradicted, Evidence: wrong, Observed: say("book.B7.nothing", len(wrong))}
	case len(right) == 0:
		return r.notUrgent(len(stray))
	}
	return Finding{Verdict: Holds, Evidence: right, Observed: say("book.B7.seen", len(right), len(stray))}
}

// b8 looks whether an acknowledgment number can be valid wherever ACK is set: whether its sender has heard of a connection in
// which so much was sent. Usually data must have arrived by then: always, but where a connection is being made.
func b8(r *record) Finding {
	var tells, empty, wrong []int
	phases := r.phases()
	connect, without, unseen := 0, 0, 0
	for i, s := range r.segments {
		tcp, m := &s.packet.TCP, &r.follow().sent[i]
		switch {
		case !tcp.Flags.Has(trace.ACK):
			without++
			continue
		case m.peer == nil:
			continue // what it can acknowledge is not in the trace
		}
		place := near(tcp.Ack, m.peer.iss, m.peerNxt)
		data := place - 1
		if m.peerFin > 0 && place > m.peerFin {
			data--
		}
		switch {
		case r.neverSent(s, m, place):
			wrong = append(wrong, s.n)
		case place < 1 || place > m.peerNxt:
			if s.from.known && m.peer.known {
				unseen++
			}
		case data > 0:
			tells = append(tells, s.n)
		case phases[i] == connecting:
			connect++
		default:
			empty = append(empty, s.n)
		}
	}
	switch {
	case len(wrong) > 0:
		return Finding{Verdict: Contradicted, Evidence: wrong, Observed: say("book.B8.wrong", len(wrong))}
	case unseen > 0:
		return Finding{Verdict: NotObservable, Observed: say("book.B8.unseen", unseen)}
	case len(tells) == 0:
		return Finding{Observed: say("book.B8.none", len(empty), len(r.segments))}
	case len(empty) > 0:
		return Finding{Verdict: Refined, Evidence: empty, Observed: say("book.B8.empty", len(tells)+len(empty), len(empty), without)}
	}
	return Finding{Verdict: Holds, Evidence: tells, Observed: say("book.B8.seen", len(tells), connect, without)}
}

// A writer is what the programs have given to a socket to send.
type writer struct {
	ends  []int64 // the places behind each write, as segment.offset counts, rising
	back  []int   // the N of each write's Return; 0: it did not come back
	given int64   // octets, at most: a write that did not come back may have given all
}

// writers are those of all sockets.
func (r *record) writers() map[socketKey]*writer {
	all := map[socketKey]*writer{}
	for _, c := range r.calls {
		if !sends(c.call.Name) || c.socket == 0 {
			continue
		}
		octets := int64(max(c.call.Len, 0))
		switch {
		case c.ret == nil:
		case c.ret.Errno != "":
			octets = c.ret.Count
		default:
			octets = c.ret.Result
		}
		if octets <= 0 {
			continue
		}
		key := socketKey{c.event.Host, c.socket}
		if all[key] == nil {
			all[key] = &writer{}
		}
		w := all[key]
		w.given += octets
		w.ends, w.back = append(w.ends, 1+w.given), append(w.back, c.retN)
	}
	return all
}

// octets are all that were given, at most.
func (w *writer) octets() int64 {
	if w == nil {
		return 0
	}
	return w.given
}

// writerOf is what was given to the socket that an end was; nil: nothing.
func writerOf(all map[socketKey]*writer, e *end) *writer { return all[socketKey{e.host, e.socket()}] }

// neverSent reports whether a segment acknowledges up to a place that the other end had not sent at that moment. Of a capture, where
// frames may be missing or out of order, it must be one that the other end never sent, and both SYNs must be there: else it
// may speak of a connection before.
func (r *record) neverSent(s *segment, m *moment, place int64) bool {
	if r.t.Header.Capture {
		return (place < 1 || place > m.peer.next) && s.from.known && r.complete(m.peer)
	}
	return place < 1 || place > m.peerNxt
}

// b9 compares PSH with what the programs wrote: a segment with it must bring the end of a write, which is flushed by it. What comes
// nearest to a program's asking for a flush is TCP_NODELAY, that what is written is sent at once.
func b9(r *record) Finding {
	writers, asked := r.writers(), r.noDelays()
	var pushed, flushed, unasked, middle []int
	for _, s := range r.segments {
		tcp := &s.packet.TCP
		if !tcp.Flags.Has(trace.PSH) || tcp.DataLen == 0 {
			continue
		}
		pushed = append(pushed, s.n)
		w := writerOf(writers, s.from)
		if w == nil {
			continue
		}
		i, _ := slices.BinarySearch(w.ends, s.place+1)
		if i < len(w.ends) && w.ends[i] <= s.place+int64(tcp.DataLen) {
			flushed = append(flushed, s.n)
			if n := asked[socketKey{s.from.host, s.from.socket()}]; n == 0 || n > s.n {
				unasked = append(unasked, s.n)
			}
		} else {
			middle = append(middle, s.n)
		}
	}
	switch {
	case len(pushed) == 0:
		return Finding{Observed: say("book.B9.none")}
	case len(middle) > 0:
		return Finding{Verdict: Contradicted, Evidence: middle, Observed: say("book.B9.middle", len(middle), len(pushed))}
	case len(flushed) == 0:
		return Finding{Verdict: NotObservable, Observed: say("book.B9.hidden", len(pushed))}
	}
	if len(unasked) > 0 {
		return Finding{Verdict: Refined, Evidence: flushed, Observed: say("book.B9.unasked", len(flushed), len(unasked))}
	}
	return Finding{Verdict: Holds, Evidence: flushed, Observed: say("book.B9.seen", len(flushed))}
}

// noDelays are the N of the first setsockopt of each socket that switched TCP_NODELAY on.
func (r *record) noDelays() map[socketKey]int {
	all := map[socketKey]int{}
	for _, c := range r.calls {
		key := socketKey{c.event.Host, c.socket}
		if c.call.Name == "setsockopt" && strings.Contains(c.call.Text, "TCP_NODELAY, [1]") && c.ret != nil && c.ret.Errno == "" && all[key] == 0 {
			all[key] = c.n
		}
	}
	return all
}

// b10 looks what becomes of a connection when a reset reaches it, and which resets were for none. One whose number is not exactly
// the next that is expected need not be heeded (RFC 9293, Section 3.10.7.4).
func b10(r *record) Finding {
	var forced, deaf, other []int
	seen, strangers, refused, hidden := 0, 0, 0, 0
	for i, s := range r.segments {
		if !s.packet.TCP.Flags.Has(trace.RST) {
			continue
		}
		seen++
		if stranger(s, &r.follow().sent[i]) {
			strangers++
			other = append(other, s.n)
		}
	}
	if r.t.Header.Capture && seen > 0 {
		return Finding{Verdict: NotObservable, Observed: say("book.B10.hidden", seen)}
	}
	closed := r.closed()
	for i := range r.arrivals {
		a := &r.arrivals[i]
		if !a.packet.TCP.Flags.Has(trace.RST) || a.damaged() || a.at == nil || a.of == nil {
			continue
		}
		was := trace.NotObserved
		if socket := r.socket(a.event.Host, a.event.Socket); socket != nil {
			was = socket.At(a.n - 1).State
		}
		switch end := closed[closing{a.n, socketKey{a.event.Host, a.event.Socket}}]; {
		case was == trace.NotObserved:
			hidden++
		case end == 0 && slices.Contains([]trace.State{trace.Listen, trace.Closed, trace.TimeWait}, was): // nothing to force down
		case end == 0 && a.resets(&r.follow().landed[i]):
			deaf = append(deaf, a.of.n)
		case end == 0:
		case was == trace.SynSent || was == trace.SynReceived:
			refused++
			other = append(other, a.of.n, end)
		default:
			forced = append(forced, a.of.n, end)
		}
	}
	switch {
	case len(deaf) > 0:
		return Finding{Verdict: Contradicted, Evidence: deaf, Observed: say("book.B10.deaf", len(deaf))}
	case len(other) > 0:
		return Finding{Verdict: Refined, Evidence: other, Observed: say("book.B10.other", seen, strangers, refused)}
	case len(forced) > 0:
		return Finding{Verdict: Holds, Evidence: forced, Observed: say("book.B10.seen", len(forced)/2)}
	case hidden > 0:
		return Finding{Verdict: NotObservable, Observed: say("book.B10.hidden", hidden)}
	}
	return Finding{Observed: say("book.B10.none", seen)}
}

// stranger reports whether a reset answers a segment that belongs to no connection of its sender: there is none, or the numbers
// are not of the one that there is.
func stranger(s *segment, m *moment) bool {
	return s.event.Socket == 0 || !s.from.opened(s.n) || s.offset < 0 || s.offset > m.sndNxt
}

// resets reports whether a reset that arrives has the number that must be heeded; in SYN-SENT it must acknowledge the SYN
// (RFC 9293, Section 3.10.7.3).
func (a *arrival) resets(m *moment) bool {
	tcp := &a.packet.TCP
	if m.peer == nil {
		return a.at.known && tcp.Flags.Has(trace.ACK) && tcp.Ack == a.at.iss.Add(1)
	}
	return !m.unsure && tcp.Seq == m.peer.iss.Add(uint32(m.rcvNxt))
}

// A closing is a socket and what brought it to CLOSED.
type closing struct {
	cause  int
	socket socketKey
}

// closed are the events by which the stack told that a socket had come to CLOSED.
func (r *record) closed() map[closing]int {
	all := map[closing]int{}
	for i := range r.t.Events {
		e := &r.t.Events[i]
		if d, ok := e.Detail.(*trace.StateChange); ok && d.To == trace.Closed && d.Source != trace.Inferred && e.Cause != 0 {
			all[closing{e.Cause, socketKey{e.Host, e.Socket}}] = e.N
		}
	}
	return all
}

// b11 follows each SYN: what let it be sent, whether both sides acknowledged the other's, and whether both sockets recorded the
// two numbers.
func b11(r *record) Finding {
	asked := map[socketKey]int{} // the N of the first connect()
	for _, c := range r.calls {
		if key := (socketKey{c.event.Host, c.socket}); c.call.Name == "connect" && asked[key] == 0 {
			asked[key] = c.n
		}
	}
	var syns, wrong, confirmed []int
	others := 0
	acked := map[*end]int{} // ends whose SYN the other acknowledged, with the first segment that did
	for i, s := range r.segments {
		tcp, m := &s.packet.TCP, &r.follow().sent[i]
		if m.peer != nil && tcp.Flags.Has(trace.ACK) && acked[m.peer] == 0 && near(tcp.Ack, m.peer.iss, m.peerNxt) >= 1 && !tcp.Flags.Has(trace.RST) {
			acked[m.peer] = s.n
		}
		if !tcp.Flags.Has(trace.SYN) {
			continue
		}
		syns = append(syns, s.n)
		if n := asked[socketKey{s.event.Host, s.event.Socket}]; r.showsCalls() && m.peer == nil && (n == 0 || n > s.n) {
			wrong = append(wrong, s.n)
			others++
		}
	}
	pairs, recorded := 0, false
	var hides []trace.Item
	for _, e := range r.ends {
		h := &e.tcb
		if e.syn == nil || h.syn == nil || acked[e] == 0 || acked[h.syn.from] == 0 {
			continue
		}
		pairs++
		confirmed = append(confirmed, acked[e])
		if !r.looksInto(e.host) || e.socket() == 0 {
			continue
		}
		for _, own := range []struct {
			item trace.Item
			iss  trace.Seq
			syn  *segment
		}{{trace.ISS, e.iss, e.syn}, {trace.IRS, h.syn.packet.TCP.Seq, h.syn}} {
			switch held, n := r.initial(e, own.item); {
			case n == 0:
				wrong = append(wrong, own.syn.n)
				others++
			case held.Kind != trace.Number:
				hides = append(hides, own.item)
			case trace.Seq(held.Num) != own.iss:
				wrong = append(wrong, own.syn.n, n)
				others++
			default:
				confirmed = append(confirmed, n)
				recorded = true
			}
		}
	}
	switch {
	case len(wrong) > 0:
		return Finding{Verdict: Contradicted, Evidence: wrong, Observed: say("book.B11.wrong", others, len(syns))}
	case pairs == 0:
		return Finding{Observed: say("book.B11.none", len(syns))}
	case len(hides) > 0:
		return unseen(hides)
	}
	if !recorded {
		return Finding{Verdict: Holds, Evidence: append(confirmed, syns...), Observed: say("book.B11.wire", len(syns), pairs/2)}
	}
	return Finding{Verdict: Holds, Evidence: append(confirmed, syns...), Observed: say("book.B11.seen", len(syns), pairs/2)}
}

// initial is the first value that the socket of an end had for an item, with the N of the event that tells; 0: none does.
func (r *record) initial(e *end, i trace.Item) (trace.Value, int) {
	for _, n := range r.controls[socketKey{e.host, e.socket()}] {
		changes := r.t.Event(n).Detail.(*trace.Control).Changes
		for j := range changes {
			if c := &changes[j]; c.Item == i && c.New().Kind != trace.None {
				return c.New(), n
			}
		}
	}
	return trace.Value{}, 0
}

// ends reports whether a call ends the sending on its socket: close(), or shutdown() of more than reading.
func (c *call) ends() bool {
	return c.call.Name == "close" || c.call.Name == "shutdown" && c.call.Text != "SHUT_RD"
}

// b12 looks for the call that each FIN says, and whether the connection was at its end with it: one side may go on sending.
func b12(r *record) Finding {
	said := map[socketKey]int{} // the N of the first call that says that no more data come
	for _, c := range r.calls {
		if key := (socketKey{c.event.Host, c.socket}); c.ends() && said[key] == 0 {
			said[key] = c.n
		}
	}
	var fins, early, behind, open []int
	for i, s := range r.segments {
		tcp, m := &s.packet.TCP, &r.follow().sent[i]
		if tcp.Flags.Has(trace.FIN) {
			fins = append(fins, s.n)
			if n := said[socketKey{s.event.Host, s.event.Socket}]; r.showsCalls() && (n == 0 || n > s.n) {
				early = append(early, s.n)
			}
		}
		if tcp.DataLen == 0 || tcp.Flags.Has(trace.RST) {
			continue
		}
		if m.fin > 0 && s.dataFrom()+int64(tcp.DataLen) > m.fin {
			behind = append(behind, s.n)
		}
		if m.peerFin > 0 && !s.again && near(tcp.Ack, m.peer.iss, m.peerNxt) > m.peerFin {
			open = append(open, s.n)
		}
	}
	switch {
	case len(early) > 0:
		return Finding{Verdict: Contradicted, Evidence: early, Observed: say("book.B12.early", len(early), len(fins))}
	case len(behind) > 0:
		return Finding{Verdict: Contradicted, Evidence: append(behind, fins...), Observed: say("book.B12.behind", len(behind))}
	case len(fins) == 0:
		return Finding{Observed: say("book.B12.none")}
	case len(open) > 0:
		return Finding{Verdict: Refined, Evidence: open, Observed: say("book.B12.open", len(open))}
	}
	if !r.showsCalls() {
		return Finding{Verdict: Holds, Evidence: fins, Observed: say("book.B12.wire", len(fins))}
	}
	return Finding{Verdict: Holds, Evidence: fins, Observed: say("book.B12.seen", len(fins))}
}
