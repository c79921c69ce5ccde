package view

import (
	"net/netip"

	"connectlab/trace"
)

// numbering is how the numbers of a segment are to be read.
type numbering struct {
	seqBase, ackBase   trace.Seq // the ISN from which seq and ack count
	seqKnown, ackKnown bool      // false: no SYN was seen, the number is shown as on the wire
	old                bool      // it speaks of a connection on this four-tuple that was there before the last one
	again              bool      // some of its sequence numbers had been sent before
	shift              uint8     // of the window
	scaled             bool      // whether shift is known
}

func (n *numbering) seq(s trace.Seq) uint32 {
	if n.seqKnown {
		return s.Sub(n.seqBase)
	}
	return uint32(s)
}

func (n *numbering) ack(s trace.Seq) uint32 {
	if n.ackKnown {
		return s.Sub(n.ackBase)
	}
	return uint32(s)
}

// scales reports whether the header's window means more octets than it says.
func (n *numbering) scales(window uint16) bool { return n.scaled && n.shift > 0 && window > 0 }

// direction is one half of a four-tuple's traffic.
type direction struct{ from, to netip.AddrPort }

// An incarnation is what one side sent of a connection, from its SYN on.
type incarnation struct {
	isn   trace.Seq
	top   trace.Seq // behind the last sequence number that was sent
	shift uint8     // of its window scale option
	wsOpt bool      // whether it sent one
	syns  [2]bool   // whether it sent its SYN without and with ACK
}

// numberings reads the segments of a trace in order. The result has an entry for the N of each Sent with a segment.
func numberings(t *trace.Trace) map[int]*numbering {
	result := make(map[int]*numbering)
	lives := make(map[direction][]incarnation)
	for i := range t.Events {
		e := &t.Events[i]
		if s, ok := e.Detail.(*trace.Sent); ok && s.Packet.Kind == trace.PacketTCP {
			result[e.N] = number(lives, s.Packet)
		}
	}
	return result
}

func number(lives map[direction][]incarnation, p *trace.Packet) *numbering {
	s := &p.TCP
	way := direction{p.Source(), p.Destination()}
	back := direction{way.to, way.from}
	own := lives[way]
	if s.Flags.Has(trace.SYN) && (len(own) == 0 || own[len(own)-1].isn != s.Seq) {
		shift, ok := s.Options.WindowScale()
		own = append(own, incarnation{isn: s.Seq, top: s.Seq, shift: shift, wsOpt: ok})
		lives[way] = own
	}
	n := &numbering{}
	if mine, last := spokenOf(own, s.Seq); mine != nil {
		n.seqBase, n.seqKnown, n.old = mine.isn, true, !last
		n.again = s.Len() > 0 && s.Seq.Less(mine.top)
		if s.Flags.Has(trace.SYN) {
			// A SYN,ACK behind a SYN is the answer in a simultaneous open (RFC 9293, Section 3.5, Figure 7), not the same once more.
			kind := 0
			if s.Flags.Has(trace.ACK) {
				kind = 1
			}
			n.again = mine.syns[kind]
			mine.syns[kind] = true
		}
		if end := s.Seq.Add(s.Len()); mine.top.Less(end) {
			mine.top = end
		}
	}
	if theirs, last := spokenOf(lives[back], s.Ack); theirs != nil && s.Flags.Has(trace.ACK) {
		n.ackBase, n.ackKnown, n.old = theirs.isn, true, n.old || !last
	}
	// RFC 7323, Section 2.2: scaling is on when both sides sent the option, and never on a SYN.
	if peer := lives[back]; !s.Flags.Has(trace.SYN) && len(own) > 0 && len(peer) > 0 {
		if mine := own[len(own)-1]; mine.wsOpt && peer[len(peer)-1].wsOpt {
			n.shift, n.scaled = min(mine.shift, 14), true
		}
	}
	return n
}

// spokenOf finds the incarnation that a number belongs to: the last one in which it was sent, or comes next. Where
// none fits it is the last. A host that knows only the connection before (RFC 9293, Section 3.5.1, Figure 9) so keeps its numbers.
func spokenOf(lives []incarnation, s trace.Seq) (life *incarnation, last bool) {
	for i := len(lives) - 1; i >= 0; i-- {
		if l := &lives[i]; s.Sub(l.isn) <= l.top.Sub(l.isn) {
			return l, i == len(lives)-1
		}
	}
	if len(lives) == 0 {
		return nil, false
	}
	return &lives[len(lives)-1], true
}
