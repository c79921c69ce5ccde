package rfc9293

import (
	"time"

	"connectlab/trace"
)

// send holds a segment against what is true of each that a TCP sends, and pays the ACKs that are owed with it.
func (j *judge) send(e *trace.Event, p *trace.Packet) {
	if p.Kind != trace.PacketTCP {
		j.walk.event(e)
		return
	}
	s := &p.TCP
	c := j.connection(e.Host, p.Source(), p.Destination())
	before := j.connections[c].Endpoint
	first := true // of this connection in the step
	for _, n := range j.sents {
		first = first && j.was[n].conn != c
	}
	if !j.shows[e.Host] {
		shown := &j.of(c).end
		over := shown.State == trace.Closed
		if shown.Sent(s); over && shown.State == trace.Closed && !s.Flags.Has(trace.RST) {
			j.of(c).strange = true
		}
	}
	if e.Socket != 0 && !j.of(c).strange && (!j.shows[e.Host] || j.socket(e).seen) && before.is(synSent) && !s.Flags.Has(trace.RST) && s.Seq.InWindow(before.ISS, 1<<31) {
		j.invariants(e, c, p, first)
	}
	j.walk.event(e)
	j.sents = append(j.sents, e.N)
	n, end := j.of(c), &j.connections[c].Endpoint
	if e.Socket != 0 && j.socket(e).state != trace.Listen {
		n.socket = e.Socket
	}
	switch {
	case s.Flags.Has(trace.RST):
		j.resets(e, c)
		return
	case s.Flags.Has(trace.SYN):
		if !before.is(synSent) || before.ISS != end.ISS {
			*n = numbers{synAt: e.At, socket: n.socket, end: n.end, val: n.val, stamped: n.stamped}
			n.mss = 536 // without the option (RFC 9293, Section 3.7.1)
			if mss, ok := s.Options.MSS(); ok {
				n.mss = int(mss)
			}
			j.release(c)
		}
		if end.Knows.Has(KnowsRcvNxt) && !n.topKnown {
			var syn *trace.Segment
			if at := j.connections[c].syn; at != 0 {
				syn = &j.t.Events[at-1].Detail.(*trace.Arrived).Packet.TCP
			}
			n.begin(end, syn)
		}
		n.again = e.At
	case s.DataLen > 0:
		n.sent(p, end.SndUna)
	}
	if s.Len() > 0 && !n.alone {
		n.alone, n.aloneAt = true, e.At
	}
	if s.Flags.Has(trace.ACK) {
		n.unsaid, n.acked, n.ackAt = 0, true, e.At
		window := uint32(s.Window)
		if !s.Flags.Has(trace.SYN) {
			window <<= end.RcvWindShift
		}
		n.shown = s.Ack.Add(window)
		j.pays(e, c, s)
	}
}

// pays: an ACK that covers what is owed.
func (j *judge) pays(e *trace.Event, c int32, s *trace.Segment) {
	for _, d := range j.debts(c) {
		if d.upTo.LessEq(s.Ack) {
			j.verdict(d.answer, Keeps, e.N, "")
			d.answer = -1
		} else {
			d.short = e.N
		}
	}
}

// resets: the connection is over, and its peer has been told.
func (j *judge) resets(e *trace.Event, c int32) {
	for _, d := range j.debts(c) {
		if a := &j.list[d.answer]; a.Rule.lax&laxReset != 0 {
			j.verdict(d.answer, Keeps, e.N, "")
		} else {
			j.verdict(d.answer, NotObservable, e.N, "it was reset")
		}
		d.answer = -1
	}
}

// says notes what a segment shows of a rule about what is sent. Of the segments of a step the worst tells.
func (j *judge) says(e *trace.Event, p *trace.Packet, rule int, k Keeping, why string, args ...any) {
	answer := -1
	for i := j.first; i < len(j.list); i++ {
		if a := &j.list[i]; a.Rule == &rules[rule] && a.Socket == e.Socket && a.Host == e.Host {
			answer = i
		}
	}
	if answer < 0 {
		root := e
		if j.root != nil {
			root = j.root
		}
		_, state := j.who(e, j.connection(e.Host, p.Source(), p.Destination()))
		answer = j.meets(root, e.Socket, state, rule)
		j.list[answer].By = e.N
	}
	j.verdict(answer, k, e.N, why, args...)
}

// invariants hold a segment of a connection against what it has sent and what has come. first: it is the step's first of this connection.
func (j *judge) invariants(e *trace.Event, c int32, p *trace.Packet, first bool) {
	s, end, n := &p.TCP, &j.connections[c].Endpoint, j.of(c)
	data := s.Seq
	if s.Flags.Has(trace.SYN) {
		data = data.Add(1)
	}
	to := data.Add(uint32(s.DataLen))
	if n.topKnown && s.Flags&(trace.SYN|trace.ACK) == trace.ACK {
		switch {
		case n.top.Less(s.Ack):
			j.says(e, p, sentAcknowledges, Breaks, "it acknowledges %d, and only %d has come", s.Ack, n.top)
		case end.is(saidKnown) && s.Ack.Less(end.said):
			j.says(e, p, sentAcknowledges, Breaks, "it acknowledges %d, and did %d before", s.Ack, end.said)
		default:
			j.says(e, p, sentAcknowledges, Keeps, "")
		}
	}
	if s.DataLen > 0 && n.rightKnown && end.SndNxt.Less(to) {
		_, timer := detail[*trace.Timer](j.root)
		switch {
		case to.LessEq(n.right):
			j.says(e, p, sentInWindow, Keeps, "")
		case timer && n.right.LessEq(end.SndUna):
			j.says(e, p, sentInWindow, Keeps, "") // it probes the window (Section 3.8.6.1)
		case to.LessEq(n.farthest):
			j.says(e, p, sentInWindow, Open, "the window was shrunk (SHLD-15)")
		default:
			j.says(e, p, sentInWindow, Breaks, "data up to %d, and the window is up to %d", to, n.right)
		}
	}
	switch {
	case s.Flags.Has(trace.FIN) && end.is(finSent) && to != end.finSeq:
		j.says(e, p, sentFIN, Breaks, "its FIN was %d, and is %d", end.finSeq, to)
	case s.Flags.Has(trace.FIN) && !end.is(finSent) && to.Less(end.SndNxt):
		j.says(e, p, sentFIN, Breaks, "data up to %d were sent", end.SndNxt)
	case s.DataLen > 0 && end.is(finSent) && end.finSeq.Less(to):
		j.says(e, p, sentFIN, Breaks, "its FIN was %d", end.finSeq)
	case s.Flags.Has(trace.FIN):
		j.says(e, p, sentFIN, Keeps, "")
	}
	if s.DataLen > 0 && s.Seq.Less(end.SndNxt) {
		// A keep-alive may carry an octet of no meaning (MAY-6): nothing is in flight, and the window is open.
		alive := s.Seq == end.SndNxt.Add(^uint32(0)) && s.DataLen == 1 && end.SndUna == end.SndNxt && n.rightKnown && end.SndUna.Less(n.right)
		if same, compared := n.same(p); compared > 0 && !alive {
			if same {
				j.says(e, p, againOctets, Keeps, "")
			} else {
				j.says(e, p, againOctets, Breaks, "")
			}
		}
	}
	if _, timer := detail[*trace.Timer](j.root); timer && first && s.Len() > 0 && s.Seq.Less(end.SndNxt) {
		j.again(e, c, p)
	}
}

// again: a timer ran out, and a segment goes out that was sent before.
func (j *judge) again(e *trace.Event, c int32, p *trace.Packet) {
	s, end, n := &p.TCP, &j.connections[c].Endpoint, j.of(c)
	switch {
	case s.Seq == end.SndUna, n.rightKnown && s.Seq == n.windows[1].una:
	case s.Seq == end.SndUna.Add(^uint32(0)) && s.DataLen <= 1:
		return // a probe of the window, or a keep-alive
	case s.Flags.Has(trace.SYN):
		j.says(e, p, againByTimer, Breaks, "its ISS was %d", end.ISS)
		return
	case s.Seq.Less(end.SndUna):
		j.says(e, p, againByTimer, Breaks, "SND.UNA is %d", end.SndUna)
		return
	default:
		j.says(e, p, againByTimer, Open, "SND.UNA is %d: it may know that the peer has what lies between", end.SndUna)
		return
	}
	if gap := e.At - n.again; s.Flags.Has(trace.SYN) && gap < time.Second {
		j.says(e, p, againByTimer, Open, "%v after the SYN before it, and not 1 s (RFC 6298, 2.1)", gap)
	} else {
		j.says(e, p, againByTimer, Keeps, "")
	}
	if n.repeats > 0 && n.againSeq == s.Seq {
		gap := e.At - n.againAt
		if n.repeats > 1 {
			if gap < n.gap {
				j.says(e, p, againBackOff, Breaks, "after %v, and after %v the time before", gap, n.gap)
			} else {
				j.says(e, p, againBackOff, Keeps, "")
			}
		}
		n.gap = gap
		n.repeats++
	} else {
		n.repeats, n.gap = 1, 0
	}
	n.againSeq, n.againAt = s.Seq, e.At
}

// detail is what an event tells, if there is one and it is of type T.
func detail[T trace.Detail](e *trace.Event) (d T, ok bool) {
	if e == nil {
		return d, false
	}
	d, ok = e.Detail.(T)
	return d, ok
}
