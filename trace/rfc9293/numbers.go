package rfc9293

import (
	"bytes"
	"slices"
	"time"

	"connectlab/trace"
)

// numbers are what judging needs to know of a connection beside its Endpoint. They begin anew with each SYN of ours.
type numbers struct {
	synAt  time.Duration // of our first SYN
	again  time.Duration // of our last SYN
	socket int           // that it belongs to; 0: not known
	mss    int           // that it has announced

	end     Endpoint // where the trace does not have the states of the host: by its segments
	strange bool     // it began with a segment that makes no connection: nothing is known

	// What has come: RCV.NXT of a stack that has kept all of it, and what lies behind gaps.
	top      trace.Seq
	topKnown bool
	behind   []span
	fin      trace.Seq // of the peer's FIN, if finKnown
	finKnown bool
	shown    trace.Seq // the right edge of the receive window, as its last ACK showed it
	unsaid   int       // octets that came in order since its last ACK
	stamped  bool      // a segment with timestamps has come, and val is the latest
	val      uint32

	// The send window of a stack that takes in at once what comes behind a gap, and of one that waits until that is closed.
	windows    [2]sendWindow
	rightKnown bool
	right      trace.Seq // the farther edge of both
	farthest   trace.Seq // that it has ever been
	widest     uint32    // SND.WND ever was

	flight []octets // what was sent, from a segment before SND.UNA on
	ackAt  time.Duration
	acked  bool // an ACK was sent, at ackAt

	alone      bool          // it has sent something since it heard of its peer, first at aloneAt
	aloneAt    time.Duration //
	timeWaitAt time.Duration // when it came to TIME-WAIT

	// What was last sent again when a timer ran out.
	againSeq trace.Seq
	againAt  time.Duration
	gap      time.Duration
	repeats  int // since an ACK came
}

// span are octets from one number to before another.
type span struct{ from, to trace.Seq }

// octets are those of a segment that was sent.
type octets struct {
	span
	data []byte
}

// begin begins to count what comes, behind the peer's SYN.
func (n *numbers) begin(end *Endpoint, syn *trace.Segment) {
	n.top, n.topKnown, n.behind, n.finKnown = end.IRS.Add(1), true, nil, false
	if syn == nil {
		n.top = end.RcvNxt
	} else {
		n.stamp(syn)
		n.comeBehindSYN(syn)
	}
}

// comeBehindSYN takes in the data of a segment with SYN.
func (n *numbers) comeBehindSYN(s *trace.Segment) {
	data := *s
	data.Seq = s.Seq.Add(1)
	n.come(&data)
}

// stamp notes the peer's timestamp.
func (n *numbers) stamp(s *trace.Segment) {
	if val, _, ok := s.Options.Timestamps(); ok {
		n.val, n.stamped = val, true
	}
}

// come takes in what a segment carries; the numbers behind a gap wait until it is closed.
func (n *numbers) come(s *trace.Segment) {
	from := s.Seq
	to := from.Add(uint32(s.DataLen))
	if s.Flags.Has(trace.FIN) && n.top.LessEq(to) {
		n.fin, n.finKnown = to, true
	}
	if s.DataLen > 0 && n.top.Less(to) && len(n.behind) < 1<<12 {
		n.behind = append(n.behind, span{from, to})
	}
	for again := true; again; {
		again = false
		n.behind = slices.DeleteFunc(n.behind, func(b span) bool {
			if n.top.Less(b.from) {
				return false
			}
			if n.top.Less(b.to) {
				n.top, again = b.to, true
			}
			return true
		})
	}
	if n.finKnown && n.top == n.fin {
		n.top = n.top.Add(1)
	}
}

// sendWindow is the send window (RFC 9293, Section 3.10.7.4): SND.UNA, SND.WND, and the segment that brought it.
type sendWindow struct {
	una      trace.Seq
	size     uint32
	wl1, wl2 trace.Seq
}

// take takes in a segment that acknowledges nothing that was not sent. An old one changes nothing; where the numbers are no later ones, SND.UNA
// goes on and SND.WND stays.
func (w *sendWindow) take(s *trace.Segment, size uint32) {
	if s.Ack.Less(w.una) {
		return
	}
	w.una = s.Ack
	if w.wl1.Less(s.Seq) || w.wl1 == s.Seq && w.wl2.LessEq(s.Ack) {
		w.size, w.wl1, w.wl2 = size, s.Seq, s.Ack
	}
}

// window takes in the window of a segment. inOrder: nothing is missing before it.
func (n *numbers) window(s *trace.Segment, shift uint8, inOrder bool) {
	size := uint32(s.Window)
	if !s.Flags.Has(trace.SYN) {
		size <<= shift
	}
	n.widest = max(n.widest, size)
	if !n.rightKnown {
		first := sendWindow{s.Ack, size, s.Seq, s.Ack}
		n.windows = [...]sendWindow{first, first}
		n.farthest, n.rightKnown = s.Ack.Add(size), true
	}
	n.windows[0].take(s, size)
	if inOrder {
		n.windows[1].take(s, size)
	}
	n.right = n.windows[1].una.Add(n.windows[1].size)
	if other := n.windows[0].una.Add(n.windows[0].size); n.right.Less(other) {
		n.right = other
	}
	if n.farthest.Less(n.right) {
		n.farthest = n.right
	}
}

// sent keeps the octets of a segment, and forgets those that were acknowledged, but for the last.
func (n *numbers) sent(p *trace.Packet, una trace.Seq) {
	for len(n.flight) > 1 && n.flight[0].to.LessEq(una) && n.flight[1].to.LessEq(una) {
		n.flight = n.flight[1:]
	}
	s := &p.TCP
	end := s.Seq.Add(uint32(s.DataLen))
	if last := len(n.flight) - 1; last >= 0 && end.LessEq(n.flight[last].to) {
		return
	}
	if data := p.Data(); s.DataLen > 0 && len(data) == s.DataLen {
		n.flight = append(n.flight, octets{span{s.Seq, end}, data})
	}
}

// same reports whether the octets of a segment are those that were sent with these numbers before; compared says how many were
// compared.
func (n *numbers) same(p *trace.Packet) (same bool, compared int) {
	s, data := &p.TCP, p.Data()
	if len(data) != s.DataLen {
		return true, 0
	}
	end := s.Seq.Add(uint32(s.DataLen))
	for _, before := range n.flight {
		from, to := before.from, before.to
		if from.Less(s.Seq) {
			from = s.Seq
		}
		if end.Less(to) {
			to = end
		}
		if !from.Less(to) {
			continue
		}
		compared += int(to.Sub(from))
		if !bytes.Equal(before.data[from.Sub(before.from):to.Sub(before.from)], data[from.Sub(s.Seq):to.Sub(s.Seq)]) {
			return false, compared
		}
	}
	return true, compared
}
