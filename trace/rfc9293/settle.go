package rfc9293

import (
	"slices"
	"time"

	"connectlab/trace"
)

// settle judges a rule that was met, by what was sent in the step and by the state after it.
func (j *judge) settle(m *met) {
	a := &j.list[m.answer]
	switch a.Rule {
	case &rules[listenSYN]:
		j.settleListen(m)
		return
	case &rules[timeWaitSYN]:
		j.settleTimeWaitSYN(m)
		return
	case &rules[synReceivedCrossing]:
		j.settleCrossing(m)
		return
	case &rules[callClose], &rules[callAbort], &rules[closedOpen], &rules[listenClose], &rules[synSentClose]:
		j.settleCall(m)
		return
	}
	j.output(m)
	j.state(m)
}

// sentOn are the segments of a connection in the step, by N.
func (j *judge) sentOn(c int32) (list []int) {
	for _, n := range j.sents {
		if j.was[n].conn == c {
			list = append(list, n)
		}
	}
	return list
}

func (j *judge) sentSegment(n int) *trace.Segment {
	return &j.t.Events[n-1].Detail.(*trace.Sent).Packet.TCP
}

// is reports whether a segment is what is owed, as far as control bits go, and wrong what is not right with it.
func (m *met) is(owes owed, s *trace.Segment) (is bool, wrong string) {
	rst, syn, ack := s.Flags.Has(trace.RST), s.Flags.Has(trace.SYN), s.Flags.Has(trace.ACK)
	switch owes {
	case owesRSTAck:
		if is = rst; is && s.Seq != m.segment.Ack {
			wrong = "its number is not what was acknowledged"
		}
	case owesRSTSeq:
		if is = rst; is && (!ack || s.Seq != 0 || s.Ack != m.segment.Seq.Add(m.segment.Len())) {
			wrong = "it is not <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>"
		}
	case owesACK:
		if is = ack && !rst && !syn; is {
			switch {
			case s.Ack.Less(m.low) || m.high.Less(s.Ack):
				wrong = "it does not acknowledge RCV.NXT"
			case s.Len() == 0 && s.Seq.Less(m.sndNxt):
				wrong = "its number is not SND.NXT"
			}
		}
	case owesSYNACK:
		if is = syn && ack; is && !answers(s, m.segment.Seq) {
			wrong = "it does not acknowledge the SYN"
		}
	case owesAny, owesNothing, owesLater:
	}
	return is, wrong
}

// output looks for what is owed among what was sent.
func (j *judge) output(m *met) {
	a := &j.list[m.answer]
	rule, host := a.Rule, a.Host
	sents := j.sentOn(m.conn)
	switch rule.owes {
	case owesAny, owesLater:
		return
	case owesNothing:
		for _, n := range sents {
			j.verdict(m.answer, Breaks, n, "it sends %v", j.sentSegment(n).Flags)
		}
		return
	case owesRSTAck, owesRSTSeq, owesACK, owesSYNACK:
	}
	wrongN, wrong := 0, ""
	for _, n := range sents {
		s := j.sentSegment(n)
		switch is, why := m.is(rule.owes, s); {
		case !is, why != "" && s.DataLen > 0: // data may go out before the segment's own are looked at
		case why != "":
			wrongN, wrong = n, why
		case rule.owes == owesRSTAck && s.Flags.Has(trace.ACK):
			j.verdict(m.answer, Open, n, "its ACK bit is set too")
			return
		default:
			j.verdict(m.answer, Keeps, n, "")
			return
		}
	}
	if wrong != "" {
		j.verdict(m.answer, Breaks, wrongN, "%s", wrong)
		return
	}
	harsh := false // it resets, or begins anew
	for _, n := range sents {
		flags := j.sentSegment(n).Flags
		if rule.lax&(laxReset|laxClose) != 0 && flags.Has(trace.RST) || rule.lax&laxSYNACK != 0 && flags.Has(trace.SYN|trace.ACK) {
			j.verdict(m.answer, Open, n, "")
			return
		}
		harsh = harsh || flags&(trace.RST|trace.SYN) != 0
	}
	closed := rule.lax&laxClose != 0 && j.changedTo(a, trace.Closed) != 0
	switch {
	case j.asking[j.host(host)]:
		j.verdict(m.answer, NotObservable, 0, "it waits for a MAC")
	case closed, rule.lax&laxSilence != 0 && !harsh, rule.lax&laxLimit != 0 && m.quiet:
		j.verdict(m.answer, Open, 0, "it sends nothing")
	case len(sents) > 0:
		j.verdict(m.answer, Breaks, sents[0], "it sends %v", j.sentSegment(sents[0]).Flags)
	default:
		j.verdict(m.answer, Breaks, 0, "it sends nothing")
	}
}

// changed is the N of the last change of state of a socket in the step; 0: none.
func (j *judge) changed(a *Answer) int {
	for i := len(j.changes) - 1; i >= 0; i-- {
		if e := &j.t.Events[j.changes[i]-1]; e.Host == a.Host && e.Socket == a.Socket {
			return e.N
		}
	}
	return 0
}

func (j *judge) changedTo(a *Answer, to trace.State) int {
	if n := j.changed(a); n != 0 && j.t.Events[n-1].Detail.(*trace.StateChange).To == to {
		return n
	}
	return 0
}

// wrong reports whether a change of state is no path.
func (j *judge) wrong(n int) bool {
	for i := len(j.errors) - 1; i >= 0 && j.errors[i].N >= n; i-- {
		if j.errors[i].N == n {
			return true
		}
	}
	return false
}

// variedAt reports whether a change of state went along a variant.
func (j *judge) variedAt(n int) bool { return slices.Contains(j.varied, n) }

// state judges the state after the step.
func (j *judge) state(m *met) {
	a := &j.list[m.answer]
	if a.Socket == 0 || !j.shows[a.Host] {
		return
	}
	n := j.changed(a)
	if n == 0 && a.State == trace.SynReceived && a.Rule.owes == owesLater {
		j.cancel(m.conn, m.answer, Open, "it stays in SYN-RECEIVED, and the segment is as lost")
		return
	}
	if n == 0 {
		switch {
		case a.Rule == &rules[rstAtNext] && a.State == trace.TimeWait:
			j.verdict(m.answer, Open, 0, "RFC 1337 has it stay")
		case !a.Rule.moves || m.must == trace.NotObserved || m.must == a.State:
		case a.Rule.lax&laxStay != 0, m.held:
			j.verdict(m.answer, Open, 0, "it stays")
		default:
			j.verdict(m.answer, Breaks, 0, "it stays in %v, and %v is next", a.State, m.must)
		}
		return
	}
	to := j.t.Events[n-1].Detail.(*trace.StateChange).To
	switch {
	case a.Rule == &rules[dataAfterClose] && to == trace.Closed && !j.wrong(n):
		j.verdict(m.answer, Keeps, n, "it closes")
	case to == trace.Closed && (a.Rule.lax&laxClose != 0 || a.Rule.lax&laxReset != 0 && !j.wrong(n)):
		j.verdict(m.answer, Open, n, "it closes")
	case j.wrong(n):
		j.verdict(m.answer, Breaks, n, "it goes to %v", to)
	case a.Rule == &rules[softICMP]:
		j.verdict(m.answer, Breaks, n, "it goes to %v", to)
	case j.variedAt(n):
		j.verdict(m.answer, Open, n, "a variant")
	default:
		j.verdict(m.answer, Keeps, n, "")
	}
}

// settleListen: a listener answers a SYN, with a connection in SYN-RECEIVED or from a SYN cookie. One that cannot take any more may drop it.
func (j *judge) settleListen(m *met) {
	a := &j.list[m.answer]
	j.output(m)
	for _, n := range j.changes {
		e := &j.t.Events[n-1]
		if e.Host == a.Host && e.Detail.(*trace.StateChange).Listener == a.Socket && j.wrong(n) {
			j.verdict(m.answer, Breaks, n, "a connection in %v", e.Detail.(*trace.StateChange).To)
		}
	}
}

// settleTimeWaitSYN: the ACK of Section 3.10.7.4, or another connection (RFC 6191; MAY-2). RFC 6191 drops an old one in silence.
func (j *judge) settleTimeWaitSYN(m *met) {
	sents := j.sentOn(m.conn)
	if len(sents) == 0 {
		j.verdict(m.answer, Open, 0, "it sends nothing")
		return
	}
	s, n := j.sentSegment(sents[0]), sents[0]
	switch {
	case s.Flags.Has(trace.RST):
		j.verdict(m.answer, Breaks, n, "it sends %v", s.Flags)
	case s.Flags.Has(trace.SYN | trace.ACK):
		if j.was[j.root.N].happened&set(SYNWithNewerTime, SYNBeyond) == 0 {
			j.verdict(m.answer, Breaks, n, "the SYN is an old one")
			return
		}
		j.verdict(m.answer, Keeps, n, "")
	default:
		if is, wrong := m.is(owesACK, s); !is || wrong != "" {
			j.verdict(m.answer, Breaks, n, "%s", wrong)
			return
		}
		j.verdict(m.answer, Keeps, n, "")
		j.state(m)
	}
}

// settleCrossing: by Figure 7 it is ESTABLISHED, by the first check of Section 3.10.7.4 an ACK answers, and the peer's ACK makes it so.
func (j *judge) settleCrossing(m *met) {
	a := &j.list[m.answer]
	for _, n := range j.sentOn(m.conn) {
		if s := j.sentSegment(n); s.Flags.Has(trace.RST) {
			j.verdict(m.answer, Breaks, n, "it sends %v", s.Flags)
			return
		}
	}
	switch n := j.changed(a); {
	case n != 0 && j.wrong(n):
		j.verdict(m.answer, Breaks, n, "it goes to %v", j.t.Events[n-1].Detail.(*trace.StateChange).To)
	case n == 0 && j.shows[a.Host]:
		m.must = trace.NotObserved
		for _, n := range j.sentOn(m.conn) {
			if is, wrong := m.is(owesACK, j.sentSegment(n)); is && wrong == "" {
				j.verdict(m.answer, Keeps, n, "")
				return
			}
		}
		if m.quiet {
			j.verdict(m.answer, Open, 0, "it has sent an ACK before")
			return
		}
		j.verdict(m.answer, Breaks, 0, "neither ESTABLISHED nor an ACK")
	}
}

// r2SYN and r2 are for how long at least a TCP sends a SYN again, and other things (RFC 9293, Section 3.8.3, MUST-23, SHLD-11).
const (
	r2SYN = 3 * time.Minute
	r2    = 100 * time.Second
	msl2  = 4 * time.Minute // 2 MSL (Section 3.4.2), which a stack may have otherwise
)

// ranOut judges a connection that a timer has ended.
func (j *judge) ranOut(e *trace.Event, d *trace.Timer) {
	for _, n := range j.changes {
		change := &j.t.Events[n-1]
		to := change.Detail.(*trace.StateChange)
		if to.To != trace.Closed || j.wrong(n) {
			continue
		}
		k := j.socket(change)
		c := j.of(k.conn)
		rule, least, since := userTimeout, r2, c.aloneAt
		switch {
		case to.From == trace.SynSent:
			rule, least, since = synSentTimeout, r2SYN, c.synAt
		case to.From == trace.TimeWait:
			rule, least, since = timeWaitTimeout, msl2, c.timeWaitAt
		case to.From == trace.SynReceived:
			since = c.synAt
		}
		a := j.meets(e, change.Socket, to.From, rule)
		j.list[a].By = n
		switch {
		case e.At-since >= least && !j.variedAt(n):
		case rule == synSentTimeout && !k.limited && !j.asking[j.host(e.Host)]:
			j.verdict(a, Breaks, n, "after %v", e.At-since)
		default:
			j.verdict(a, Open, n, "after %v", e.At-since)
		}
	}
}
