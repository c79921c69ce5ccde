package book

import (
	"bytes"
	"slices"

	"connectlab/trace"
)

// b13 compares the places of all data sent with those that windows had allowed when they had reached the sender. The book
// leaves three things out: the window scale option multiplies the number in the header, a zero window is probed with an octet,
// and a sender can have limits of its own, so that it waits for an acknowledgment where the window would let it go on.
func b13(r *record) Finding {
	writers := r.writers()
	before := map[int]int64{} // by the N of an arrival: the edge that its receiver knew before
	for i := range r.follow().landed {
		before[r.arrivals[i].n] = r.follow().landed[i].sndEdge
	}
	var within, beyond, probes, waited []int
	unknown, scaled, most := 0, 0, int64(0)
	for i, s := range r.segments {
		tcp, m := &s.packet.TCP, &r.follow().sent[i]
		if tcp.DataLen == 0 || tcp.Flags&(trace.RST|trace.SYN) != 0 {
			continue
		}
		to := s.offset + int64(tcp.DataLen)
		switch {
		case m.peer == nil:
			unknown++
			continue
		case m.probed(s), tcp.DataLen == 1 && s.offset == m.sndEdge && m.sndEdge == m.sndUna: // the window is 0
			probes = append(probes, s.n)
			continue
		case to <= m.sndEdge:
			within = append(within, s.n)
			most = max(most, to-m.sndUna)
		default:
			beyond = append(beyond, s.n)
			continue
		}
		if shift, _ := s.from.tcb.scales(s.from); shift > 0 {
			scaled++
		}
		if edge, ok := before[s.event.Cause]; ok && !s.again && to <= edge && writerOf(writers, s.from).had(s.event.Cause, to) {
			waited = append(waited, s.n)
		}
	}
	evidence := append(within, probes...)
	switch {
	case len(beyond)+len(evidence)+unknown == 0:
		return Finding{Observed: say("book.no-data")}
	case r.t.Header.Capture || len(beyond)+len(evidence) == 0: // a capture does not tell what has reached the sender
		return Finding{Verdict: NotObservable, Observed: say("book.B13.unknown", len(beyond)+len(evidence)+unknown)}
	case len(beyond) > 0:
		return Finding{Verdict: Contradicted, Evidence: beyond, Observed: say("book.B13.beyond", len(beyond), len(beyond)+len(evidence))}
	case scaled+len(probes)+len(waited) > 0:
		return Finding{Verdict: Refined, Evidence: evidence, Observed: say("book.B13.more", int(most), scaled, len(waited), len(probes))}
	}
	return Finding{Verdict: Holds, Evidence: evidence, Observed: say("book.B13.seen", len(evidence), int(most))}
}

// had reports whether the programs had given everything up to a place to the socket, by calls that had come back before event n.
func (w *writer) had(n int, to int64) bool {
	if w == nil {
		return false
	}
	i, _ := slices.BinarySearch(w.ends, to)
	return i < len(w.ends) && w.back[i] != 0 && w.back[i] < n
}

// b14 looks what becomes of packets that were damaged on their way: nothing may come of one. One whose checksum fits by chance
// passes for whole, and the error is not detected; one that was sent with a wrong checksum shows an error where there is none.
func b14(r *record) Finding {
	heard := make([]bool, len(r.t.Events)+1) // by number: something came of the event
	for i := range r.t.Events {
		if cause := r.t.Events[i].Cause; cause > 0 && cause < len(heard) {
			heard[cause] = true
		}
	}
	var dropped, heeded, missed, wrong []int
	for _, s := range r.segments {
		if s.packet.TCP.Checksum == trace.ChecksumBad {
			wrong = append(wrong, s.n)
		}
	}
	for i := range r.arrivals {
		a := &r.arrivals[i]
		if a.packet.IP.Checksum == trace.ChecksumBad {
			continue // IP drops it, TCP never sees it
		}
		switch bad := a.packet.TCP.Checksum == trace.ChecksumBad; {
		case bad && a.of != nil && !a.changed(): // it was sent so
		case bad && !heard[a.n]:
			dropped = append(dropped, a.n)
		case bad:
			heeded = append(heeded, a.n)
		case heard[a.n] && a.of != nil && a.changed():
			missed = append(missed, a.n)
		}
	}
	switch {
	case r.damaged > 0:
		return Finding{Verdict: NotObservable, Observed: say("book.B14.offload", r.damaged)}
	case len(wrong) > 0:
		return Finding{Verdict: Contradicted, Evidence: wrong, Observed: say("book.B14.sent", len(wrong), len(r.segments))}
	case len(heeded) > 0:
		return Finding{Verdict: Contradicted, Evidence: heeded, Observed: say("book.B14.heeded", len(heeded), len(heeded)+len(dropped))}
	case len(missed) > 0:
		return Finding{Verdict: Contradicted, Evidence: missed, Observed: say("book.B14.missed", len(missed))}
	case len(dropped) == 0:
		return Finding{Observed: say("book.B14.none", len(r.segments))}
	}
	return Finding{Verdict: Holds, Evidence: dropped, Observed: say("book.B14.seen", len(dropped), len(r.segments))}
}

// changed reports whether the segment arrived otherwise than it was sent, as far as both were kept.
func (a *arrival) changed() bool {
	sent, came := a.of.packet, a.packet
	return !bytes.Equal(tcpOctets(sent), tcpOctets(came)) || !bytes.Equal(sent.Data(), came.Data())
}

// b15 looks where the urgent pointer points: at a place in the data that its sender sends, at once or later.
func b15(r *record) Finding {
	set, stray := r.urgent()
	var right, wrong []int
	for _, s := range set {
		switch to := s.dataFrom() + int64(s.packet.TCP.Urgent); {
		case s.packet.TCP.Urgent == 0: // points at nothing
		case to > s.from.next:
			wrong = append(wrong, s.n)
		default:
			right = append(right, s.n)
		}
	}
	switch {
	case len(wrong) > 0:
		return Finding{Verdict: Contradicted, Evidence: wrong, Observed: say("book.B15.nowhere", len(wrong))}
	case len(right) == 0:
		return r.notUrgent(len(stray))
	}
	return Finding{Verdict: Holds, Evidence: right, Observed: say("book.B15.seen", len(right))}
}

// b16 counts the segments outside the connect operation, and those of them that carry options. Rarely is no number: where none does it
// is so, and where more do than do not it is not. Between them it is for the reader to say, by the counts.
func b16(r *record) Finding {
	var with, all []int
	connect := 0
	for i, p := range r.phases() {
		s := r.segments[i]
		options := len(s.packet.TCP.Options) > 0
		if p == connecting {
			if options {
				connect++
			}
			continue
		}
		all = append(all, s.n)
		if options {
			with = append(with, s.n)
		}
	}
	switch {
	case len(all) == 0:
		return Finding{Observed: say("book.B16.none", len(r.segments))}
	case len(with) == 0:
		return Finding{Verdict: Holds, Evidence: all, Observed: say("book.B16.seen", len(with), len(all), connect)}
	case 2*len(with) <= len(all):
		return Finding{Verdict: Refined, Evidence: with, Observed: say("book.B16.seen", len(with), len(all), connect)}
	}
	return Finding{Verdict: Contradicted, Evidence: with, Observed: say("book.B16.seen", len(with), len(all), connect)}
}

// b17 counts the octets behind the headers: they must be the programs' data, and no more of them than the programs gave.
func b17(r *record) Finding {
	writers := r.writers()
	ends := map[*end]*reach{}
	var order []*reach
	for i, s := range r.segments {
		if s.packet.TCP.DataLen == 0 || s.packet.TCP.Flags.Has(trace.RST) {
			continue
		}
		e := ends[s.from]
		if e == nil {
			e = &reach{given: writerOf(writers, s.from), shown: s.from.socket() != 0}
			ends[s.from] = e
			order = append(order, e)
		}
		e.data = append(e.data, s.n)
		if r.follow().sent[i].probed(s) {
			e.probes++
			continue
		}
		e.octets = max(e.octets, s.place+int64(s.packet.TCP.DataLen)-1)
	}
	var right, wrong []int
	data, octets, probes := 0, 0, 0
	for _, e := range order {
		data += len(e.data)
		switch {
		case !r.showsCalls() || !e.shown:
		case e.octets > e.given.octets():
			wrong = append(wrong, e.data...)
		default:
			right = append(right, e.data...)
			octets += int(e.octets)
			probes += e.probes
		}
	}
	switch {
	case data == 0:
		return Finding{Observed: say("book.no-data")}
	case len(wrong) > 0:
		return Finding{Verdict: Contradicted, Evidence: wrong, Observed: say("book.B17.more", len(wrong))}
	case len(right) == 0:
		return Finding{Verdict: NotObservable, Observed: say("book.B17.hidden", data)}
	}
	return Finding{Verdict: Holds, Evidence: right, Observed: say("book.B17.seen", len(right)-probes, octets)}
}

// A reach is how far an end has come with its data.
type reach struct {
	data   []int // the N of the segments that carry them, probes among them
	probes int
	octets int64
	given  *writer // nil: nothing
	shown  bool    // whose they are: the trace tells the socket
}
