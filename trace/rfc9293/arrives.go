package rfc9293

import (
	"time"

	"connectlab/trace"
)

// arrives tells what a packet is to the host that it reaches, before the walk takes it in. What it returns is to be called after that.
func (j *judge) arrives(e *trace.Event, p *trace.Packet) (done func()) {
	done = func() {}
	switch p.Kind {
	case trace.PacketTCP:
		c := j.connection(e.Host, p.Destination(), p.Source())
		before := j.connections[c].Endpoint
		socket, state := j.who(e, c)
		if corrupted(p) {
			j.owes(e, c, socket, state, badChecksum, &p.TCP)
			return done
		}
		from := len(j.met)
		j.segment(e, c, socket, state, &p.TCP)
		return func() {
			if !j.shows[e.Host] {
				j.of(c).end.Arrived(&p.TCP)
			}
			j.takes(e, c, &before, &p.TCP)
			for i := from; i < len(j.met); i++ {
				m := &j.met[i]
				switch rule := j.list[m.answer].Rule; {
				case rule.moves:
					m.must = j.next(state, j.origin(e, socket, c), j.was[e.N].happened, false)
				case rule == &rules[secondFull]:
					m.high = j.of(c).top
				}
			}
		}
	case trace.PacketICMP:
		local, remote, what := icmpError(p)
		if what == noError {
			return done
		}
		c := j.connection(e.Host, local, remote)
		n := j.of(c)
		if n.socket == 0 {
			return done
		}
		state := j.socketOf(e.Host, n.socket).state
		if state <= trace.Listen || what == hardError && state == trace.TimeWait {
			return done
		}
		if what == softError {
			j.owes(e, c, n.socket, state, softICMP, nil)
			return done
		}
		j.owes(e, c, n.socket, state, hardICMP, nil)
		j.met[len(j.met)-1].must = trace.Closed
	case trace.PacketMalformed, trace.PacketOther, trace.PacketARP:
	}
	return done
}

// who meets a segment, and in which state: the socket that the record names, and its state, or, of a host whose states are not in
// the trace, the state that its segments show. Without a socket it is CLOSED.
func (j *judge) who(e *trace.Event, c int32) (socket int, state trace.State) {
	if !j.shows[e.Host] {
		if shown := j.of(c).end.State; shown != trace.NotObserved && shown != trace.Closed {
			return e.Socket, shown
		}
		if e.Socket != 0 {
			return e.Socket, trace.NotObserved
		}
		return 0, trace.Closed
	}
	if e.Socket == 0 {
		return 0, trace.Closed
	}
	k := j.socket(e)
	if !k.seen {
		return e.Socket, trace.NotObserved
	}
	return e.Socket, k.state
}

func (j *judge) origin(e *trace.Event, socket int, c int32) Origin {
	if k := j.socketOf(e.Host, socket); k.listener != 0 || c != 0 && j.connections[c].Origin == Passive {
		return Passive
	}
	return Active
}

// owes notes that a rule is met, and what is to be looked for when the step has ended.
func (j *judge) owes(e *trace.Event, c int32, socket int, state trace.State, rule int, s *trace.Segment) {
	end, n := &j.connections[c].Endpoint, j.of(c)
	m := met{answer: j.meets(e, socket, state, rule), conn: c, segment: s, sndNxt: end.SndNxt, low: end.RcvNxt, high: end.RcvNxt}
	if end.is(saidKnown) && end.said.Less(m.low) {
		m.low = end.said
	}
	if n.topKnown && m.high.Less(n.top) {
		m.high = n.top
	}
	if rule == synSentSYNACK {
		m.low, m.high = s.Seq.Add(1), s.Seq.Add(s.Len())
	}
	m.quiet = n.acked && e.At-n.ackAt < time.Second
	j.met = append(j.met, m)
}

// segment is SEGMENT ARRIVES (RFC 9293, Section 3.10.7).
func (j *judge) segment(e *trace.Event, c int32, socket int, state trace.State, s *trace.Segment) {
	owes := func(rule int) { j.owes(e, c, socket, state, rule, s) }
	syn, ack, rst := s.Flags.Has(trace.SYN), s.Flags.Has(trace.ACK), s.Flags.Has(trace.RST)
	switch state {
	case trace.NotObserved:
	case trace.Closed: // Section 3.10.7.1
		switch {
		case rst:
			owes(closedRST)
		case ack:
			owes(closedACK)
		default:
			owes(closedNoACK)
		}
	case trace.Listen: // Section 3.10.7.2
		switch {
		case rst:
			owes(listenRST)
		case j.socketOf(e.Host, socket).deaf: // shutdown() of a listener is no call of the RFC
		case ack:
			if !j.fitsCookie(c, s) {
				owes(listenACK)
			}
		case syn:
			owes(listenSYN)
		default:
			owes(listenOther)
		}
	case trace.SynSent:
		if rule, ok := j.connections[c].inSynSent(s); ok {
			owes(rule)
		}
	default:
		j.other(e, c, socket, state, s)
	}
}

// fitsCookie: the listener has sent a SYN,ACK of which it may have kept nothing, and this is the answer to it.
func (j *judge) fitsCookie(c int32, s *trace.Segment) bool {
	answer := j.connections[c].answer
	return answer != nil && s.Ack == answer.Seq.Add(1)
}

// inSynSent is Section 3.10.7.3.
func (e *Endpoint) inSynSent(s *trace.Segment) (rule int, ok bool) {
	if !e.is(synSent) || e.is(synAcked) {
		return 0, false
	}
	syn, ack, rst := s.Flags.Has(trace.SYN), s.Flags.Has(trace.ACK), s.Flags.Has(trace.RST)
	acks := ack && e.ISS.Less(s.Ack) && s.Ack.LessEq(e.SndNxt)
	switch {
	case rst && acks:
		return synSentRST, true
	case rst:
		return synSentBadRST, true
	case ack && !acks:
		return synSentBadACK, true
	case syn && ack:
		return synSentSYNACK, true
	case syn:
		return synSentSYN, true
	}
	return synSentOther, true
}

// place is where a segment lies to the receive window.
type place uint8

const (
	unsure  place = iota // by what is known it may be one or the other
	outside              // it is not acceptable
	atNext               // it begins at RCV.NXT, or before it and brings something new
	behind               // it is in the window, and something is missing before it
)

// where is the first check of Section 3.10.7.4. low and high are between which RCV.NXT is, and near and far the right edge of the window.
func where(s *trace.Segment, low, high, near, far trace.Seq) place {
	size := s.Len()
	end := s.Seq.Add(size)
	switch {
	case size == 0 && s.Seq.Less(low), size > 0 && end.LessEq(low), !s.Seq.Less(far) && high.Less(s.Seq):
		return outside
	case size > 0 && s.Seq == far && s.Seq == high && near == far:
		return outside // the window is closed
	case low != high && s.Seq.Less(high):
		return unsure
	case s.Seq == high && (size == 0 || s.Seq.Less(near)), s.Seq.Less(high) && high.Less(near) && end.LessEq(near):
		return atNext
	case high.Less(s.Seq) && s.Seq.Less(near):
		return behind
	}
	return unsure
}

// window is between which numbers RCV.NXT and the right edge of the receive window of a connection are.
func (j *judge) window(e *trace.Event, c int32, socket int) (low, high, near, far trace.Seq, known bool) {
	end, n := &j.connections[c].Endpoint, j.of(c)
	if n.strange || !end.Knows.Has(KnowsRcvNxt) || !end.is(edgeKnown) || !n.topKnown {
		return 0, 0, 0, 0, false
	}
	low, high = end.RcvNxt, end.RcvNxt
	if end.is(saidKnown) && end.said.Less(low) {
		low = end.said
	}
	if high.Less(n.top) {
		high = n.top
	}
	near, far = end.edge, end.edge
	if n.shown.Less(near) {
		near = n.shown // the window was shrunk, or rounded
	}
	h := j.holds[socketKey{j.host(e.Host), socket}]
	if h.nextKnown {
		if next := trace.Seq(h.next); low.LessEq(next) && next.LessEq(high) {
			low, high = next, next
		}
	}
	if h.nextKnown && h.windowKnown {
		edge := trace.Seq(h.next).Add(uint32(h.window))
		if edge.Less(near) {
			near = edge
		}
		if far.Less(edge) {
			far = edge
		}
	}
	return low, high, near, far, true
}

// stale: timestamps tell that a stack may drop the segment (RFC 7323, Sections 3.2 and 5.3).
func (n *numbers) stale(s *trace.Segment) bool {
	val, _, ok := s.Options.Timestamps()
	return n.stamped && !s.Flags.Has(trace.RST) && (!ok || int32(val-n.val) < 0)
}

// other is Section 3.10.7.4, in the order of its steps.
func (j *judge) other(e *trace.Event, c int32, socket int, state trace.State, s *trace.Segment) {
	owes := func(rule int) { j.owes(e, c, socket, state, rule, s) }
	end, n := &j.connections[c].Endpoint, j.of(c)
	syn, ack, rst, fin := s.Flags.Has(trace.SYN), s.Flags.Has(trace.ACK), s.Flags.Has(trace.RST), s.Flags.Has(trace.FIN)
	low, high, near, far, known := j.window(e, c, socket)
	if !known || n.stale(s) {
		return
	}
	at := where(s, low, high, near, far)
	switch {
	case syn && !rst && state == trace.TimeWait:
		owes(timeWaitSYN)
	case syn && !rst && at != outside && s.Seq.Less(high): // its SYN is outside the window: what is done with the rest is left open
	case syn && !rst && state > trace.SynReceived:
		owes(synConnected)
	case syn && ack && !rst && end.Origin == Active && s.Seq == end.IRS && s.Ack == end.ISS.Add(1):
		owes(synReceivedCrossing)
	case at == unsure:
	case rst && at == outside:
		owes(unacceptableRST)
	case rst && at == atNext && s.Seq == high:
		owes(rstAtNext)
	case rst && at == behind:
		owes(rstInWindow)
	case rst:
	case at == outside && fin && end.is(peerFinIn) && s.Seq.Add(s.Len()) == high && state >= trace.CloseWait:
		owes(finAgain)
	case at == outside:
		owes(unacceptable)
	case syn && end.Origin == Passive:
		owes(synReceivedSYN)
	case syn:
		owes(synConnected)
	case !ack:
		owes(noACK)
	case end.is(otherAnswer) && s.Ack == end.otherISS.Add(1): // of a SYN cookie
	case state == trace.SynReceived && (s.Ack.LessEq(end.ISS) || end.SndNxt.Less(s.Ack)):
		owes(synReceivedBadACK)
	case state == trace.SynReceived:
		owes(synReceivedACK)
		j.text(e, c, socket, state, s, at, near)
	case end.SndNxt.Less(s.Ack):
		owes(ackBeyond)
	case s.Ack.Less(end.SndUna.Add(-n.widest)):
		owes(ackLongAgo)
	default:
		j.text(e, c, socket, state, s, at, near)
		if end.is(finSent) && !end.is(finAcked) && end.finSeq.Less(s.Ack) {
			if !fin || at != atNext {
				owes(ackOfFIN)
				j.met[len(j.met)-1].held = at == behind
			}
		} else if s.Len() == 0 {
			owes(ackOnly)
		}
	}
}

// text is the seventh and the eighth step: data, and the FIN behind them. near is the right edge of the window: what lies beyond is
// not taken.
func (j *judge) text(e *trace.Event, c int32, socket int, state trace.State, s *trace.Segment, at place, near trace.Seq) {
	end, n := &j.connections[c].Endpoint, j.of(c)
	upTo := s.Seq.Add(s.Len())
	if near.Less(upTo) {
		upTo = near
	}
	later := func(rule int) {
		j.owes(e, c, socket, state, rule, s)
		if rules[rule].owes == owesLater {
			j.delays(&debt{answer: len(j.list) - 1, conn: c, host: e.Host, upTo: upTo, until: e.At + delayedACK})
		}
	}
	switch {
	case s.Len() == 0:
	case state >= trace.CloseWait:
		j.owes(e, c, socket, state, dataBehindFIN, s)
	case at == behind && s.Flags.Has(trace.FIN):
		j.owes(e, c, socket, state, finBehindGap, s)
	case at == behind:
		if !j.closed(e, socket) {
			j.owes(e, c, socket, state, dataBehindGap, s)
		}
	case s.DataLen > 0 && end.is(finSent) && j.closed(e, socket):
		later(dataAfterClose)
	case s.Flags.Has(trace.FIN) && upTo == s.Seq.Add(s.Len()) && len(n.behind) == 0:
		later(finInOrder)
	case s.DataLen > 0:
		later(dataInOrder)
		if n.unsaid > 0 && n.unsaid+s.DataLen >= 2*n.mss {
			j.owes(e, c, socket, state, secondFull, s)
			j.met[len(j.met)-1].low = upTo
		}
	}
}

// closed: the program has closed both directions.
func (j *judge) closed(e *trace.Event, socket int) bool {
	k := j.socketOf(e.Host, socket)
	return k.closes && k.deaf
}

// takes notes what a segment has brought. before is the endpoint that it came to.
func (j *judge) takes(e *trace.Event, c int32, before *Endpoint, s *trace.Segment) {
	n, end := j.of(c), &j.connections[c].Endpoint
	if n.strange || s.Flags.Has(trace.RST) || !before.is(synSent) {
		return
	}
	if s.Flags.Has(trace.SYN) {
		if !before.Knows.Has(KnowsRcvNxt) && end.Knows.Has(KnowsRcvNxt) {
			n.begin(end, s)
			if s.Flags.Has(trace.ACK) {
				n.window(s, 0, true)
			}
		} else if n.topKnown {
			n.comeBehindSYN(s)
		}
		return
	}
	if !s.Flags.Has(trace.ACK) || !n.topKnown || !before.acceptable(s) || before.SndNxt.Less(s.Ack) {
		return
	}
	n.repeats, n.alone = 0, false
	inOrder := s.Seq.LessEq(n.top)
	if h := j.holds[socketKey{j.host(e.Host), n.socket}]; h.nextKnown {
		inOrder = inOrder && s.Seq.LessEq(trace.Seq(h.next))
	}
	n.window(s, end.SndWindShift, inOrder)
	if before := n.top; inOrder {
		n.come(s)
		n.unsaid += int(n.top.Sub(before))
	} else {
		n.come(s)
	}
	if s.Seq.LessEq(before.said) && !n.stale(s) {
		n.stamp(s)
	}
}
