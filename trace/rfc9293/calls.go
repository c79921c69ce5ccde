package rfc9293

import "connectlab/trace"

// call tells what a call is to a socket. What it came to is judged when its step has ended; a call that was refused owes nothing.
func (j *judge) call(e *trace.Event, d *trace.Call) {
	if e.Socket == 0 || !j.shows[e.Host] {
		return
	}
	k := j.socket(e)
	if !k.seen {
		return
	}
	meets := func(rule int) {
		j.owes(e, k.conn, e.Socket, k.state, rule, nil)
	}
	closes := d.Name == "close" || d.Name == "shutdown" && d.Text != "SHUT_RD"
	switch {
	case d.Name == "connect" && k.state == trace.Closed:
		meets(closedOpen)
	case d.Name == "close" && k.state == trace.Listen:
		meets(listenClose)
	case closes && k.state == trace.SynSent:
		meets(synSentClose)
	case closes && (k.state == trace.Established || k.state == trace.CloseWait) && !k.closes:
		meets(callClose)
	case d.Name == "abort" && k.state >= trace.SynReceived:
		meets(callAbort)
	}
}

// refused: the call came back in its step with an error.
func (j *judge) refused() bool {
	for n := j.root.N + 1; n <= len(j.t.Events) && j.t.Events[n-1].Cause == j.root.N; n++ {
		if r, ok := j.t.Events[n-1].Detail.(*trace.Return); ok && r.Call == j.root.N {
			return r.Errno != "" && r.Errno != "EINPROGRESS"
		}
	}
	return false
}

// settleCall judges a call by what the socket sent at once, and by its state after it.
func (j *judge) settleCall(m *met) {
	a := &j.list[m.answer]
	if j.refused() {
		j.verdict(m.answer, NotObservable, 0, "it was refused")
		return
	}
	conn := j.socketOf(a.Host, a.Socket).conn
	var segment *trace.Segment
	by := 0
	for _, n := range j.sentOn(conn) {
		if s := j.sentSegment(n); conn != 0 && (by == 0 || s.Flags&(trace.SYN|trace.FIN|trace.RST) != 0) {
			segment, by = s, n
		}
	}
	has := func(f trace.Flags) bool { return segment != nil && segment.Flags.Has(f) }
	changed := j.changed(a)
	if changed != 0 && j.wrong(changed) {
		j.verdict(m.answer, Breaks, changed, "it goes to %v", j.t.Events[changed-1].Detail.(*trace.StateChange).To)
		return
	}
	switch a.Rule {
	case &rules[closedOpen]:
		j.stepCall(m, changed, by, trace.SynSent, has(trace.SYN) && !has(trace.ACK))
	case &rules[listenClose], &rules[synSentClose]:
		j.stepCall(m, changed, changed, trace.Closed, true)
		if by != 0 && a.Rule == &rules[synSentClose] {
			j.verdict(m.answer, Breaks, by, "it sends %v", segment.Flags)
		}
	case &rules[callAbort]:
		j.settleAbort(m, changed, by, segment)
	case &rules[callClose]:
		if has(trace.RST) {
			a.Rule = &rules[callAbort]
			j.settleAbort(m, changed, by, segment)
			return
		}
		j.settleClose(m, changed, by, segment)
	}
}

// stepCall judges a call that is to lead to a state, and to send what it has sent.
func (j *judge) stepCall(m *met, changed, by int, to trace.State, sent bool) {
	a := &j.list[m.answer]
	switch {
	case !sent && j.asking[j.host(a.Host)]:
		j.verdict(m.answer, NotObservable, 0, "it waits for a MAC")
	case !sent:
		j.verdict(m.answer, Breaks, by, "it does not send what it has to")
	case changed == 0:
		j.verdict(m.answer, Breaks, 0, "it stays in %v", a.State)
	default:
		j.verdict(m.answer, Keeps, by, "")
	}
}

// settleAbort: RFC 9293, Section 3.10.5.
func (j *judge) settleAbort(m *met, changed, by int, segment *trace.Segment) {
	a := &j.list[m.answer]
	tells := a.State <= trace.FinWait2 || a.State == trace.CloseWait
	switch {
	case tells && segment == nil && j.asking[j.host(a.Host)]:
		j.verdict(m.answer, NotObservable, 0, "it waits for a MAC")
	case tells && (segment == nil || !segment.Flags.Has(trace.RST)):
		j.verdict(m.answer, Breaks, by, "it sends no RST")
	case segment != nil && segment.Flags.Has(trace.RST) && segment.Seq != m.sndNxt:
		j.verdict(m.answer, Breaks, by, "the number of its RST is not SND.NXT")
	case changed == 0:
		j.verdict(m.answer, Breaks, 0, "it stays in %v", a.State)
	case j.variedAt(changed):
		j.verdict(m.answer, Open, changed, "a variant")
	default:
		j.verdict(m.answer, Keeps, by, "")
	}
}

// settleClose: RFC 9293, Section 3.10.4. The FIN waits for the data before it; if nothing is in flight, and the window is not small, nothing
// can wait before it.
func (j *judge) settleClose(m *met, changed, by int, segment *trace.Segment) {
	a := &j.list[m.answer]
	conn := j.socketOf(a.Host, a.Socket).conn
	end, n := &j.connections[conn].Endpoint, j.of(conn)
	usable := uint32(1<<32 - 1) // by the narrower window
	for _, w := range n.windows {
		usable = min(usable, w.una.Add(w.size).Sub(end.SndUna))
	}
	switch fin := segment != nil && segment.Flags.Has(trace.FIN); {
	case fin && changed == 0:
		j.verdict(m.answer, Breaks, by, "it stays in %v", a.State)
	case fin:
		j.verdict(m.answer, Keeps, by, "")
	case changed == 0 && a.State == trace.Established:
		j.verdict(m.answer, Breaks, 0, "it stays in %v", a.State)
	case j.asking[j.host(a.Host)], end.SndUna != end.SndNxt, !n.rightKnown, usable > 1<<31, usable < n.widest/2:
		j.verdict(m.answer, NotObservable, 0, "its FIN may wait for data")
	default:
		j.verdict(m.answer, Breaks, 0, "it sends no FIN")
	}
}
