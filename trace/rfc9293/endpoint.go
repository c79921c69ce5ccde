package rfc9293

import "connectlab/trace"

// An Endpoint is one side of a connection, as it can be concluded from the segments that it sent and that reached it.
// Sent and Arrived take these one by one, in the order in which that side had them; segments with a bad checksum are
// not for them. The zero value knows nothing, as of a connection that was there before the capture began.
//
// What cannot be seen from outside is taken to have happened when its segment shows it: a SYN that it sends is an OPEN,
// a FIN a CLOSE, a RST an ABORT. A SYN that arrives counts when it is answered: nobody may have listened. The end of
// TIME-WAIT and a timeout send nothing, so an Endpoint stays where it was.
//
// Where a capture was taken away from the host, the peer's SYN or FIN can be in it before ours and reach the host after. What ours
// acknowledges tells: such a FIN leads from CLOSE-WAIT, which was too early, to CLOSING.
//
// Of a connection joined in the middle, segments with ACK and without FIN both ways make ESTABLISHED; that a FIN of one
// side came before all that was seen cannot be told from it. A FIN seen before such segments leaves NotObserved until
// something shows what it was.
type Endpoint struct {
	State trace.State
	// Origin is how the connection began: who sent the first SYN. AnyOrigin: not known.
	Origin Origin
	// Knows says which of the fields below are known.
	Knows Knowledge

	ISS, IRS       trace.Seq
	SndUna, SndNxt trace.Seq // SND.NXT is the highest that was used, not gone back for a retransmission
	RcvNxt         trace.Seq
	// The shift counts of both windows; 0 where one side did not offer the option (RFC 7323, Section 2.2).
	SndWindShift, RcvWindShift uint8

	marks marks

	otherISS   trace.Seq // of an earlier answer to the same SYN, if otherAnswer: an ACK of a SYN cookie is good for long
	finSeq     trace.Seq // of our FIN, if finSent
	peerFinSeq trace.Seq // of the peer's FIN, if peerFin
	said       trace.Seq // what it has acknowledged, if it has sent an ACK: RCV.NXT is that or behind it
	edge       trace.Seq // the right edge of the receive window as it was shown farthest, if edgeKnown

	synSeq     trace.Seq // of the SYN that arrived and was not answered yet, if synWaits
	synBits    stimuli   // and what that SYN may be to the connection that was there before
	answerable stimuli   // what arrived that only a stack with a variant answers as that variant does

	ourShift, peerShift uint8 // as offered in the SYNs, if ourOffer, peerOffer
	tsRecent            uint32
}

// Knowledge is a set of what an Endpoint knows.
type Knowledge uint8

// What an Endpoint can know.
const (
	KnowsISS Knowledge = 1 << iota
	KnowsIRS
	KnowsSndUna
	KnowsSndNxt
	KnowsRcvNxt
	KnowsShifts // of both windows: both SYNs were seen
)

// Has reports whether all of g is known.
func (k Knowledge) Has(g Knowledge) bool { return k&g == g }

// marks are what has been seen of a connection.
type marks uint32

const (
	sentSome    marks = 1 << iota // anything but a RST
	synSent                       // our SYN: ISS is known
	synAcked                      // and was acknowledged
	finSent                       //
	finAcked                      //
	finFirst                      // ours does not acknowledge the peer's: that had not come
	peerFin                       // the peer's FIN has come
	peerFinIn                     // and all that comes before it
	edgeKnown                     //
	synWaits                      //
	otherAnswer                   //
	ourOffer                      // our SYN offers a window scale
	peerOffer                     //
	tsKnown                       // tsRecent is that of the peer's last segment
	saidKnown                     //
	notTaken                      // by its last ACK it has not taken all that came
	sentACK                       // a segment with ACK, without SYN and FIN
	gotACK                        //
	dataBehind                    // new data went out after the peer's FIN came in, or came in after ours went out
)

func (e *Endpoint) is(m marks) bool { return e.marks&m == m }

// Sent takes a segment that the endpoint sent. changed: State is another one now.
func (e *Endpoint) Sent(s *trace.Segment) (changed bool) {
	return e.move(standard, e.sent(s), true)
}

// Arrived takes a segment that reached the endpoint. changed: State is another one now.
func (e *Endpoint) Arrived(s *trace.Segment) (changed bool) {
	return e.move(standard, e.arrived(s), false)
}

// move lets the table decide where the endpoint goes because of what a segment has turned out to be.
func (e *Endpoint) move(m *machine, happened stimuli, sent bool) (changed bool) {
	before, from := e.State, e.State
	switch {
	case sent && happened.has(OpenActive):
		// A host that sends another SYN has no connection any more, whatever it had before: it was rebooted, say.
		if from != trace.Listen {
			from = trace.Closed
		}
	case sent && happened.has(SYNArrives):
		// Neither does one that answers another SYN. If it is a listener's answer, the listener was there before.
		if from != trace.TimeWait || happened&set(SYNWithNewerTime, SYNBeyond) == 0 {
			from, happened = trace.Listen, set(SYNArrives)
		}
	case from == trace.NotObserved:
		e.State = e.join(happened, sent)
		return e.State != before
	case sent && from == trace.CloseWait && e.cross(happened):
		from, happened = m.next(trace.Established, e.Origin, set(Close), true), set(FINInOrder)
	case sent && happened.has(Close) && happened.has(FINInOrder):
		// Its FIN acknowledges the peer's, before which a gap has closed.
		from, happened = m.next(from, e.Origin, set(FINInOrder), true), set(Close)
	case sent && (from == trace.Listen || from == trace.SynSent):
		happened &^= set(Abort) // there it sends nothing: the RST is an answer
	case !sent && from == trace.SynSent:
		happened &^= set(SYNACKWithFIN) // many a stack ignores that FIN: it counts when it is acknowledged
	case !sent:
		happened &^= set(SYNArrives) // it counts when it is answered
	}
	if happened == 0 {
		return false
	}
	if to := m.next(from, e.Origin, happened, sent); to != trace.NotObserved {
		e.State = to
	}
	return e.State != before
}

// cross reports whether the FINs of both sides cross, where a segment that was sent shows it: the peer's was captured on its way, and ours
// does not acknowledge it. Now both are on record, so that it is CLOSING: only their order was another one.
func (e *Endpoint) cross(happened stimuli) bool {
	return happened.has(Close) && e.is(finFirst|peerFinIn)
}

// join is the state of an endpoint of which no beginning was seen, as far as what was seen decides it.
func (e *Endpoint) join(happened stimuli, sent bool) trace.State {
	switch {
	case happened.has(RSTAtNext), sent && happened&set(Abort, SYNInWindow, DataAfterClose) != 0: // a RST has come, or was sent
		return trace.Closed
	case e.is(finSent | peerFinIn | finFirst):
		if e.is(finAcked) {
			return trace.TimeWait
		}
		return trace.Closing
	case e.is(finSent | peerFinIn):
		if e.is(finAcked) {
			return trace.Closed
		}
		return trace.LastAck
	case e.is(finSent | dataBehind):
		if e.is(finAcked) {
			return trace.FinWait2
		}
		return trace.FinWait1
	case e.is(peerFinIn | dataBehind):
		return trace.CloseWait
	case e.marks&(finSent|peerFin) == 0 && e.is(sentACK|gotACK):
		return trace.Established
	}
	return trace.NotObserved
}

// begin forgets the connection that was there: another one begins, with a SYN of ours.
func (e *Endpoint) begin(s *trace.Segment, origin Origin) {
	*e = Endpoint{
		State: e.State, Origin: origin, Knows: KnowsISS | KnowsSndUna | KnowsSndNxt, marks: synSent | sentSome | e.marks&(synWaits|peerOffer),
		ISS: s.Seq, SndUna: s.Seq, SndNxt: s.Seq.Add(s.Len()), synSeq: e.synSeq, synBits: e.synBits, peerShift: e.peerShift,
	}
	if shift, ok := s.Options.WindowScale(); ok {
		e.ourShift, e.marks = shift, e.marks|ourOffer
	}
}

// receiveFrom begins to count what arrives behind the peer's SYN.
func (e *Endpoint) receiveFrom(irs trace.Seq) {
	e.IRS, e.RcvNxt = irs, irs.Add(1)
	e.Knows |= KnowsIRS | KnowsRcvNxt
}

// scale settles the shift counts, when both SYNs have been seen.
func (e *Endpoint) scale() {
	e.Knows |= KnowsShifts
	if e.is(ourOffer | peerOffer) {
		e.SndWindShift, e.RcvWindShift = min(e.peerShift, maxShift), min(e.ourShift, maxShift)
	}
}

// maxShift is the greatest shift count (RFC 7323, Section 2.3).
const maxShift = 14

// sent notes a segment that was sent and tells what it shows to have happened.
func (e *Endpoint) sent(s *trace.Segment) (happened stimuli) {
	switch {
	case s.Flags.Has(trace.RST):
		return e.sentRST(s)
	case s.Flags.Has(trace.SYN):
		happened = e.sentSYN(s)
	default:
		e.sentNext(s)
		if s.DataLen > 0 {
			// Before it has had the ACK of its SYN a host sends no data, so the SYN,ACK was that ACK.
			if happened = e.answerable & set(SYNACKCrossing); happened != 0 {
				e.SndUna, e.marks = e.ISS.Add(1), e.marks|synAcked
			}
		}
		if s.Flags.Has(trace.FIN) && !e.is(finSent) {
			e.finSeq, e.marks = s.Seq.Add(uint32(s.DataLen)), e.marks|finSent
			if !e.is(peerFin) || s.Ack.LessEq(e.peerFinSeq) && (!e.is(saidKnown) || e.said.LessEq(e.peerFinSeq)) {
				e.marks |= finFirst
			}
			happened |= set(Close)
		}
		if s.Flags&(trace.FIN|trace.ACK) == trace.ACK {
			e.marks |= sentACK
		}
	}
	if s.Flags.Has(trace.ACK) {
		happened |= e.sentAck(s)
	}
	e.answerable = 0
	return happened
}

// sentRST tells a RST that ends the connection from one that answers a segment that cannot be right (RFC 9293, Section
// 3.10.7.4, fifth), whose number is that segment's acknowledgment number and none of the connection's.
func (e *Endpoint) sentRST(s *trace.Segment) stimuli {
	answer := s.Seq.Less(e.SndUna) || e.SndNxt.Less(s.Seq) || e.is(synSent) && !e.is(synAcked) && s.Seq == e.ISS
	if e.Knows.Has(KnowsSndNxt) && answer {
		// With the number 0 and the ACK of a SYN: there is no connection (Section 3.10.7.1).
		if !s.Flags.Has(trace.ACK) || s.Seq != 0 || !e.is(synWaits) || s.Ack != e.synSeq.Add(1) {
			return 0
		}
	}
	if because := e.answerable & set(SYNInWindow, DataAfterClose); because != 0 {
		return because
	}
	return set(Abort)
}

func (e *Endpoint) sentSYN(s *trace.Segment) stimuli {
	another := s.Flags.Has(trace.ACK) && e.Knows.Has(KnowsIRS) && !answers(s, e.IRS)
	if e.is(synSent) && s.Seq == e.ISS && !another && e.State != trace.Closed {
		if s.Flags.Has(trace.ACK) && !e.Knows.Has(KnowsRcvNxt) && e.is(synWaits) && answers(s, e.synSeq) {
			e.meet()
			return set(SYNArrives)
		}
		return 0 // again, or the SYN,ACK of a simultaneous open
	}
	if !s.Flags.Has(trace.ACK) {
		e.begin(s, Active) // a SYN of the peer may have been captured on its way
		return set(OpenActive)
	}
	before, again := e.ISS, e.is(synSent) && !e.is(synAcked) && e.Origin == Passive && !another
	e.begin(s, Passive)
	if again {
		e.otherISS, e.marks = before, e.marks|otherAnswer
	}
	answered := set(SYNArrives)
	if e.is(synWaits) && answers(s, e.synSeq) {
		answered |= e.synBits
		e.receiveFrom(e.synSeq)
		e.scale()
	} else {
		e.receiveFrom(s.Ack.Add(^uint32(0))) // this capture has missed the SYN
	}
	e.RcvNxt = s.Ack
	e.marks &^= synWaits
	return answered
}

// meet takes the SYN that was captured before ours for one that reached it after that: a simultaneous open.
func (e *Endpoint) meet() {
	e.receiveFrom(e.synSeq)
	e.scale()
	e.marks &^= synWaits
}

// answers reports whether a SYN,ACK is the answer to the SYN of a number: to data beside the SYN too, if it takes them (RFC 7413).
func answers(s *trace.Segment, syn trace.Seq) bool { return s.Ack.InWindow(syn.Add(1), 1<<16) }

// sentNext notes how far was sent.
func (e *Endpoint) sentNext(s *trace.Segment) {
	end := s.Seq.Add(s.Len())
	e.marks |= sentSome
	switch {
	case !e.Knows.Has(KnowsSndNxt):
		e.SndUna, e.SndNxt, e.Knows = s.Seq, end, e.Knows|KnowsSndNxt
	case e.SndNxt.Less(end):
		e.SndNxt = end
	default:
		return
	}
	if s.DataLen > 0 && e.is(peerFinIn) {
		e.marks |= dataBehind
	}
}

// sentAck notes what the endpoint says that it has received: RCV.NXT is what it acknowledges, which also shows that
// a gap has closed. FINInOrder: so is the peer's FIN, which came before the gap closed.
func (e *Endpoint) sentAck(s *trace.Segment) (happened stimuli) {
	switch {
	case !e.Knows.Has(KnowsRcvNxt):
		e.RcvNxt, e.Knows = s.Ack, e.Knows|KnowsRcvNxt
		if e.is(synSent) && !e.is(synAcked) {
			// It acknowledges the SYN,ACK that this capture has missed.
			e.SndUna, e.marks = e.ISS.Add(1), e.marks|synAcked
			happened = set(SYNACKOfSYN)
		}
	case e.RcvNxt.Less(s.Ack):
		e.RcvNxt = s.Ack
	}
	if !e.is(saidKnown) || e.said.Less(s.Ack) {
		e.said, e.marks = s.Ack, e.marks|saidKnown
	}
	if e.marks &^= notTaken; s.Ack.Less(e.RcvNxt) {
		e.marks |= notTaken
	}
	if e.is(peerFinIn) && e.peerFinSeq.Add(1).Less(s.Ack) {
		e.marks &^= peerFin | peerFinIn // nothing comes behind a FIN, so that was none
	}
	if e.is(peerFin) && !e.is(peerFinIn) && e.peerFinSeq.Less(e.RcvNxt) {
		if e.RcvNxt == e.peerFinSeq.Add(1) {
			e.marks |= peerFinIn
			happened |= set(FINInOrder)
		} else {
			e.marks &^= peerFin // nothing comes behind a FIN, so that was none
		}
	}
	if e.Knows.Has(KnowsShifts) {
		window := uint32(s.Window)
		if !s.Flags.Has(trace.SYN) {
			window <<= e.RcvWindShift
		}
		if edge := s.Ack.Add(window); !e.is(edgeKnown) || e.edge.Less(edge) {
			e.edge, e.marks = edge, e.marks|edgeKnown
		}
	}
	return happened
}

// arrived notes a segment that arrived and tells what it was, by the checks of RFC 9293, Section 3.10.7.
func (e *Endpoint) arrived(s *trace.Segment) stimuli {
	e.answerable = 0
	switch {
	case s.Flags.Has(trace.RST):
		return e.arrivedRST(s)
	case s.Flags.Has(trace.SYN | trace.ACK):
		return e.arrivedSYNACK(s)
	case s.Flags.Has(trace.SYN):
		return e.arrivedSYN(s)
	case !s.Flags.Has(trace.ACK):
		return 0
	case !e.Knows.Has(KnowsRcvNxt):
		if e.is(synSent) {
			return 0 // SYN-SENT: an ACK without SYN is of no use
		}
		e.RcvNxt, e.Knows = s.Seq, e.Knows|KnowsRcvNxt
	case !e.acceptable(s):
		if s.Flags.Has(trace.FIN) && e.is(peerFinIn) && s.Seq.Add(s.Len()) == e.RcvNxt {
			return set(FINInOrder) // again: the stack may have dropped the first
		}
		return 0
	}
	happened, sense := e.arrivedAck(s)
	if !sense {
		// It is dropped, unless what it acknowledges was sent and this capture has missed it: the ACK of the FIN will tell.
		if !e.is(peerFin) {
			e.hear(s)
		}
		return 0
	}
	if s.Len() > 0 {
		happened |= e.arrivedText(s)
	}
	if happened.has(FINInOrder) {
		if happened.has(AckOfSYN) {
			happened |= set(FINWithAckOfSYN)
		}
		if happened.has(AckOfFIN) {
			happened |= set(FINWithAckOfFIN)
		}
	}
	if !s.Flags.Has(trace.FIN) {
		e.marks |= gotACK
	}
	return happened
}

// acceptable is the first check of RFC 9293, Section 3.10.7.4, with the receive window as far as it was shown: what has
// arrived and was not acknowledged may have been dropped. At RCV.NXT a segment's ACK counts also where the window is
// closed (MUST-66).
func (e *Endpoint) acceptable(s *trace.Segment) bool {
	next := e.RcvNxt
	if e.is(saidKnown) {
		next = e.said
	}
	if s.Seq == next || s.Seq == e.RcvNxt {
		return true
	}
	if s.Seq.Less(next) {
		return next.Less(s.Seq.Add(s.Len()))
	}
	return !e.is(edgeKnown) || s.Seq.Less(e.edge)
}

func (e *Endpoint) arrivedRST(s *trace.Segment) stimuli {
	switch {
	case e.Knows.Has(KnowsRcvNxt):
		if s.Seq == e.RcvNxt || e.is(notTaken) && s.Seq == e.said {
			return set(RSTAtNext)
		}
	case e.is(synSent) && s.Flags.Has(trace.ACK) && e.ISS.Less(s.Ack) && s.Ack.LessEq(e.SndNxt):
		return set(RSTWithAckOfSYN)
	}
	return 0
}

func (e *Endpoint) arrivedSYN(s *trace.Segment) stimuli {
	happened := set(SYNArrives)
	if e.Knows.Has(KnowsRcvNxt) {
		if !s.Seq.Less(e.RcvNxt) && e.acceptable(s) {
			happened |= set(SYNInWindow)
		}
		val, _, stamped := s.Options.Timestamps()
		switch {
		case stamped && e.is(tsKnown):
			if newer := int32(val - e.tsRecent); newer > 0 || newer == 0 && e.RcvNxt.Less(s.Seq) {
				happened |= set(SYNWithNewerTime)
			}
		case e.RcvNxt.Less(s.Seq):
			happened |= set(SYNBeyond)
		}
	}
	e.answerable = happened & set(SYNInWindow)
	e.synSeq, e.synBits, e.marks = s.Seq, happened&set(SYNWithNewerTime, SYNBeyond), e.marks|synWaits
	e.offered(s)
	if e.is(synSent) && !e.Knows.Has(KnowsRcvNxt) {
		e.receiveFrom(s.Seq)
		e.scale()
	}
	return happened
}

// offered notes the window scale that the peer's SYN offers.
func (e *Endpoint) offered(s *trace.Segment) {
	e.marks &^= peerOffer
	if shift, ok := s.Options.WindowScale(); ok {
		e.peerShift, e.marks = shift, e.marks|peerOffer
	}
}

func (e *Endpoint) arrivedSYNACK(s *trace.Segment) (happened stimuli) {
	acks := e.is(synSent) && e.SndUna.Less(s.Ack) && s.Ack.LessEq(e.SndNxt)
	switch {
	case !e.Knows.Has(KnowsRcvNxt) && acks && e.is(synWaits) && s.Seq == e.synSeq:
		happened = set(SYNArrives, SYNACKOfSYN, SYNACKCrossing) // the SYN of that number comes before it
		e.answerable = set(SYNACKCrossing)
		e.meet()
	case !e.Knows.Has(KnowsRcvNxt) && acks:
		happened = set(SYNACKOfSYN)
		e.offered(s)
		e.receiveFrom(s.Seq)
		e.scale()
		if s.Flags.Has(trace.FIN) {
			happened |= set(SYNACKWithFIN)
			e.peerFinSeq, e.marks = s.Seq.Add(1+uint32(s.DataLen)), e.marks|peerFin
		}
		e.SndUna, e.marks = s.Ack, e.marks|synAcked
	case !e.Knows.Has(KnowsRcvNxt) && !e.is(synSent):
		e.IRS, e.RcvNxt, e.Knows = s.Seq, s.Seq.Add(s.Len()), e.Knows|KnowsIRS|KnowsRcvNxt
		e.marks |= gotACK
	case !e.Knows.Has(KnowsRcvNxt):
	case e.Knows.Has(KnowsIRS) && s.Seq == e.IRS:
		if acks && !e.is(synAcked) && e.Origin == Active {
			happened = set(SYNACKCrossing)
			e.answerable = happened
		}
	case !s.Seq.Less(e.RcvNxt) && e.acceptable(s):
		happened = set(SYNInWindow)
		e.answerable = happened
	}
	return happened
}

// arrivedAck takes in an acknowledgment number. What it covers counts each time: a stack may have dropped the first, as one
// with a full accept queue does.
//
// sense is false for what was never sent, and, to SYN-RECEIVED, for what does not cover the SYN: the segment is dropped.
func (e *Endpoint) arrivedAck(s *trace.Segment) (happened stimuli, sense bool) {
	if !e.is(sentSome) {
		// All that is known of what it sends is what is acknowledged: a capture of one direction, or joined in the middle.
		if !e.Knows.Has(KnowsSndNxt) || e.SndNxt.Less(s.Ack) {
			e.SndUna, e.SndNxt, e.Knows = s.Ack, s.Ack, e.Knows|KnowsSndUna|KnowsSndNxt
		}
		return 0, true
	}
	if e.is(otherAnswer) && !e.is(synAcked) && s.Ack == e.otherISS.Add(1) {
		e.ISS, e.SndUna, e.SndNxt = e.otherISS, e.otherISS, s.Ack
	}
	if e.SndNxt.Less(s.Ack) {
		return 0, false
	}
	if e.SndUna.Less(s.Ack) {
		e.SndUna, e.Knows = s.Ack, e.Knows|KnowsSndUna
	}
	if e.is(synSent) && e.ISS.Less(s.Ack) {
		e.marks |= synAcked
		happened = set(AckOfSYN)
	}
	if e.is(finSent) && e.finSeq.Less(s.Ack) {
		e.marks |= finAcked
		happened |= set(AckOfFIN)
	}
	return happened, !e.is(synSent) || e.is(synAcked)
}

// hear notes where the peer's FIN is.
func (e *Endpoint) hear(s *trace.Segment) {
	if s.Flags.Has(trace.FIN) && !e.is(peerFinIn) {
		e.peerFinSeq, e.marks = s.Seq.Add(uint32(s.DataLen)), e.marks|peerFin
	}
}

// arrivedText takes in data and a FIN.
func (e *Endpoint) arrivedText(s *trace.Segment) (happened stimuli) {
	end := s.Seq.Add(uint32(s.DataLen))
	if e.is(peerFinIn) {
		if s.Flags.Has(trace.FIN) && end == e.peerFinSeq {
			return set(FINInOrder)
		}
		return 0
	}
	e.hear(s)
	if s.Flags.Has(trace.FIN) && end.Less(e.RcvNxt) && e.is(saidKnown) && e.said.LessEq(end) {
		e.RcvNxt = e.said // nothing comes behind a FIN: what had come was not taken, nor acknowledged
	}
	if e.RcvNxt.Less(end) && e.is(finSent) {
		happened = set(DataAfterClose)
		e.answerable, e.marks = happened, e.marks|dataBehind
	}
	if e.RcvNxt.Less(s.Seq) {
		return happened // a gap comes before it
	}
	if e.is(edgeKnown) && e.edge.Less(end) {
		end = e.edge // the rest is not taken
	}
	if e.RcvNxt.Less(end) {
		e.RcvNxt = end
	}
	if s.Flags.Has(trace.FIN) && e.RcvNxt == e.peerFinSeq && (!e.is(edgeKnown) || e.RcvNxt.Less(e.edge)) {
		e.RcvNxt = e.RcvNxt.Add(1)
		e.marks |= peerFinIn
		happened |= set(FINInOrder)
		if val, _, ok := s.Options.Timestamps(); ok {
			e.tsRecent, e.marks = val, e.marks|tsKnown // of the connection that comes after it, the SYN's is compared
		}
	}
	return happened
}
