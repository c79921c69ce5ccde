package handwritten

import (
	"time"

	"connectlab/netns"
	"connectlab/trace"
)

// listen is SEGMENT ARRIVES in LISTEN (Section 3.10.7.2).
func (c *tcb) listen(g *segment) {
	switch {
	case g.ctl.Has(trace.RST): // first
	case g.ctl.Has(trace.ACK): // second
		c.stack.reset(g, g.ack, 0, trace.RST)
	case g.ctl.Has(trace.SYN): // third; security does not apply
		c.spawn(g)
	} // fourth: anything else is dropped
}

// spawn makes a connection out of a SYN that came to the listener (Section 3.10.7.2, third). It is a record of its own, so that the
// listener goes on (MUST-41).
func (c *tcb) spawn(g *segment) {
	s := c.stack
	if c.halfOpen() >= s.factory.halfOpen() {
		return
	}
	iss := s.initialSequenceNumber(g.local, g.remote)
	if old := s.connections[tuple{g.remote, g.local.Port()}]; old != nil {
		// The SYN reopens it out of TIME-WAIT (MAY-2): the new ISS is beyond all that the old connection has used.
		if beyond := old.sndNxt.Add(reopenMargin); iss.Less(beyond) {
			iss = beyond
		}
		s.touch(old)
		old.end("")
	}
	n := s.newTCB(c.options)
	n.listener, n.waiting = c, true
	c.children = append(c.children, n)
	n.begin(g.local, g.remote, iss)
	n.irs, n.rcvNxt = g.seq, g.seq.Add(1)
	n.lastAck = n.rcvNxt
	n.rcvUp = n.rcvNxt
	n.ecn = s.ecn && g.ctl.Has(trace.ECE|trace.CWR) // RFC 3168, Section 6.1.1
	n.synOptions(g)
	n.state = trace.SynReceived
	n.later(g)
	n.sendSYN()
	n.arm(retransmission, n.rto)
	n.armUser()
}

// reopenMargin is how far beyond the old numbers those of a connection begin that follows it at once.
const reopenMargin = 1 << 17

// later keeps what a SYN has behind it, text and FIN, until the connection is established (Section 3.10.7.2, third).
func (c *tcb) later(g *segment) {
	first := g.seq.Add(1)
	c.hold(first, g.data)
	if g.ctl.Has(trace.FIN) {
		c.finSeen, c.finAt = true, first.Add(uint32(len(g.data)))
	}
}

// reopens tells whether a SYN begins a new connection where an old one is in TIME-WAIT: its number is higher than the last that was
// seen (Section 3.6.1, MAY-2), or its timestamp is newer, or the first that there is (SHLD-4; RFC 6191, Section 2). Only a
// listener can take it.
func (c *tcb) reopens(g *segment) bool {
	if g.ctl&(trace.SYN|trace.ACK|trace.RST|trace.FIN) != trace.SYN || c.stack.listeners[g.local.Port()] == nil {
		return false
	}
	switch {
	case c.tsOK && g.options.timestamps && g.options.tsVal != c.tsRecent:
		return newer(g.options.tsVal, c.tsRecent)
	case !c.tsOK && g.options.timestamps && c.stack.factory.Timestamps:
		return true
	}
	return c.rcvNxt.Less(g.seq)
}

// segmentArrives is Section 3.10.7 for a connection.
func (c *tcb) segmentArrives(g *segment) {
	if c.state == trace.SynSent {
		c.synSent(g)
	} else {
		c.synchronized(g)
	}
	c.answer()
}

// answer sends what a segment has made possible, and the ACK that it asks for, with data where there are some (MUST-58).
func (c *tcb) answer() {
	if c.state == trace.Closed || c.state == trace.Listen {
		return
	}
	c.send()
	switch {
	case c.ackNow:
		c.acknowledge()
	case c.ackOwed > 0 && !c.armed(delayedACK):
		c.arm(delayedACK, ackDelay) // SHLD-18
	}
}

// synSent is SEGMENT ARRIVES in SYN-SENT (Section 3.10.7.3).
func (c *tcb) synSent(g *segment) {
	acceptable := false
	if g.ctl.Has(trace.ACK) { // first
		if g.ack.LessEq(c.iss) || c.sndNxt.Less(g.ack) {
			if !g.ctl.Has(trace.RST) {
				c.stack.reset(g, g.ack, 0, trace.RST)
			}
			return
		}
		acceptable = true
	}
	if g.ctl.Has(trace.RST) { // second
		if acceptable {
			c.end(netns.ErrRefused)
		}
		return
	}
	if !g.ctl.Has(trace.SYN) { // third: security does not apply; fifth
		return
	}
	c.irs, c.rcvNxt = g.seq, g.seq.Add(1) // fourth
	c.lastAck, c.rcvUp = c.rcvNxt, c.rcvNxt
	c.synOptions(g)
	c.setWindow(g.wnd, g.seq, g.ack) // not scaled: RFC 7323, Section 2.2
	if !acceptable {
		c.ecn = c.stack.ecn && g.ctl.Has(trace.ECE|trace.CWR)
		c.state = trace.SynReceived
		c.later(g)
		c.sendSYN()
		c.arm(retransmission, c.rto)
		return
	}
	c.ecn = c.stack.ecn && g.ctl&(trace.ECE|trace.CWR) == trace.ECE // RFC 3168, Section 6.1.1
	c.synAcknowledged(g.ack)
	c.establish()
	c.ackNow = true
	g.seq = c.rcvNxt
	c.urg(g) // sixth and what follows
	c.text(g)
	c.fin(g)
}

// synchronized is SEGMENT ARRIVES in all other states (Section 3.10.7.4): eight steps, each of which may be the last.
func (c *tcb) synchronized(g *segment) {
	_ = c.paws(g) &&
		c.sequence(g) && // first
		c.rst(g) && // second; third: security does not apply
		c.syn(g) && // fourth
		c.acknowledgment(g) && // fifth
		c.urg(g) && // sixth
		c.text(g) && // seventh
		c.fin(g) // eighth
}

// newer tells whether a timestamp is newer than another (RFC 7323, Section 5.2).
func newer(a, b uint32) bool { return int32(a-b) > 0 }

// paws looks at the timestamp (RFC 7323, Sections 3.2 and 5.3, R1).
func (c *tcb) paws(g *segment) bool {
	if !c.tsOK || g.ctl.Has(trace.RST) {
		return true
	}
	if !g.options.timestamps {
		return false
	}
	if c.stack.now-c.tsRecentAt >= tsRecentValid {
		c.tsRecent = g.options.tsVal // Section 5.5: after so long the old one says nothing
	}
	if newer(c.tsRecent, g.options.tsVal) {
		c.ackNow = true
		return false
	}
	return true
}

// acceptable is the test of Section 3.4, Table 6.
func (c *tcb) acceptable(seq trace.Seq, length uint32) bool {
	switch {
	case length == 0 && c.rcvWnd == 0:
		return seq == c.rcvNxt
	case length == 0:
		return seq.InWindow(c.rcvNxt, c.rcvWnd)
	case c.rcvWnd == 0:
		return false
	}
	return seq.InWindow(c.rcvNxt, c.rcvWnd) || seq.Add(length-1).InWindow(c.rcvNxt, c.rcvWnd)
}

// sequence is the first step: the segment must have something in the window; what lies outside is cut off.
func (c *tcb) sequence(g *segment) bool {
	switch {
	case g.ctl.Has(trace.RST): // the second step looks at its number, whatever data it has (SHLD-2)
		return true
	case c.acceptable(g.seq, g.len()):
	case c.rcvWnd == 0 && g.seq == c.rcvNxt:
		// A closed window takes no octet, but ACK and URG of such a segment count (MUST-66).
		c.ackNow = true
		g.data, g.ctl = nil, g.ctl&^trace.FIN
	default:
		c.ackNow = true
		if c.state == trace.TimeWait && g.ctl.Has(trace.FIN) && g.seq.Add(g.len()) == c.rcvNxt {
			c.waitTime() // the peer's FIN again: it has not seen our ACK
		}
		return false
	}
	if c.tsOK && !newer(c.tsRecent, g.options.tsVal) && g.seq.LessEq(c.lastAck) { // RFC 7323, Section 4.3
		c.tsRecent, c.tsRecentAt = g.options.tsVal, c.stack.now
	}
	c.trim(g)
	return true
}

// trim cuts off what lies outside the window, "including SYN and FIN".
func (c *tcb) trim(g *segment) {
	if g.seq.Less(c.rcvNxt) {
		old := c.rcvNxt.Sub(g.seq)
		if g.ctl.Has(trace.SYN) {
			g.ctl &^= trace.SYN
			g.wnd >>= c.sndShift // a SYN's is not scaled (RFC 7323, Section 2.2)
			g.seq = g.seq.Add(1)
			old--
		}
		g.up = max(g.up, old) - old
		n := min(int(old), len(g.data))
		g.data = g.data[n:]
		g.seq = c.rcvNxt
	}
	first := g.seq
	if g.ctl.Has(trace.SYN) {
		first = first.Add(1)
	}
	if room := c.rcvNxt.Add(c.rcvWnd).Sub(first); uint32(len(g.data)) > room {
		g.data = g.data[:room]
		g.ctl &^= trace.FIN
	} else if uint32(len(g.data)) == room && room > 0 {
		g.ctl &^= trace.FIN
	}
}

// rst is the second step (RFC 5961, Section 3.2).
func (c *tcb) rst(g *segment) bool {
	if !g.ctl.Has(trace.RST) {
		return true
	}
	switch {
	case g.seq != c.rcvNxt && !g.seq.InWindow(c.rcvNxt, c.rcvWnd): // 1
	case g.seq != c.rcvNxt: // 3
		c.challenge()
	case c.state == trace.SynReceived && c.listener != nil: // 2: it returns to LISTEN, the user need not be told
		c.end("")
	case c.state == trace.SynReceived:
		c.end(netns.ErrRefused)
	case c.state == trace.Closing, c.state == trace.LastAck, c.state == trace.TimeWait:
		c.end("")
	default:
		c.end(netns.ErrReset)
	}
	return false
}

// syn is the fourth step (RFC 5961, Section 4.2).
func (c *tcb) syn(g *segment) bool {
	if !g.ctl.Has(trace.SYN) {
		return true
	}
	if c.state == trace.SynReceived && c.listener != nil {
		c.end("") // it returns to LISTEN
		return false
	}
	c.challenge()
	return false
}

// challengeLimit is how many challenge ACKs a connection sends in a second (RFC 5961, Section 7).
const challengeLimit = 10

// challenge owes the ACK that asks a peer whether it meant what it sent.
func (c *tcb) challenge() {
	if c.challenges == 0 || c.stack.now-c.challengesFrom >= time.Second {
		c.challenges, c.challengesFrom = 0, c.stack.now
	}
	if c.challenges++; c.challenges <= challengeLimit {
		c.ackNow = true
	}
}

// acknowledgment is the fifth step.
func (c *tcb) acknowledgment(g *segment) bool {
	if !g.ctl.Has(trace.ACK) {
		return false
	}
	c.heard()
	if c.state == trace.SynReceived {
		if !c.sndUna.Less(g.ack) || c.sndNxt.Less(g.ack) {
			c.stack.reset(g, g.ack, 0, trace.RST)
			return false
		}
		if c.waiting && len(c.listener.queue) > c.listener.backlog {
			return false // nobody would accept it: it stays, and the SYN,ACK goes out again
		}
		c.setWindow(g.wnd<<c.sndShift, g.seq, g.ack)
		c.synAcknowledged(g.ack)
		c.establish()
		c.ackNow = len(c.spans) > 0
		c.deliver() // what came with the SYN
	}
	if g.ack.Less(c.sndUna.Add(-c.maxSndWnd)) || c.sndNxt.Less(g.ack) { // RFC 5961, Section 5 (MAY-12)
		c.challenge()
		return false
	}
	c.echo(g)
	switch {
	case c.sndUna.Less(g.ack):
		c.acknowledged(g)
	case c.duplicate(g):
		c.duplicateACK()
	}
	if c.sndUna.LessEq(g.ack) && (c.sndWl1.Less(g.seq) || c.sndWl1 == g.seq && c.sndWl2.LessEq(g.ack)) {
		c.setWindow(g.wnd<<c.sndShift, g.seq, g.ack)
	}
	return c.finAcknowledged(g)
}

// finAcknowledged does in addition what each state asks for when the FIN is acknowledged.
func (c *tcb) finAcknowledged(g *segment) bool {
	switch c.state {
	case trace.FinWait1:
		if c.finAcked() {
			c.state = trace.FinWait2
		}
	case trace.Closing:
		if !c.finAcked() {
			return false
		}
		c.waitTime()
	case trace.LastAck:
		if c.finAcked() {
			c.end("")
			return false
		}
	case trace.TimeWait:
		if g.ctl.Has(trace.FIN) {
			c.ackNow = true
			c.waitTime()
		}
		return false
	default:
	}
	return true
}

// setWindow takes in the peer's window.
func (c *tcb) setWindow(wnd uint32, seq, ack trace.Seq) {
	c.sndWnd, c.sndWl1, c.sndWl2 = wnd, seq, ack
	c.maxSndWnd = max(c.maxSndWnd, wnd)
	if wnd > 0 {
		c.probes = 0
	}
	if c.sends() && (c.armed(persist) || wnd < c.sndNxt.Sub(c.sndUna) || wnd == 0) {
		c.disarm(userTimeout) // as long as the peer answers it is not given up (MUST-37, SHLD-17); send arms it anew
	}
}

// synAcknowledged takes in the ACK of the SYN.
func (c *tcb) synAcknowledged(ack trace.Seq) {
	c.measure(ack)
	c.sndUna, c.resend = ack, ack
	c.again = 0
	c.disarm(retransmission)
	c.disarm(userTimeout)
}

// acknowledged takes in an ACK of something new: SND.UNA goes on, and what is acknowledged leaves the buffer.
func (c *tcb) acknowledged(g *segment) {
	ack := g.ack
	n := int(ack.Sub(c.sndUna))
	c.measure(ack)
	c.sndUna = ack
	c.sndBuf.drop(min(n, c.sndBuf.n))
	if c.resend.Less(ack) {
		c.resend = ack
	}
	if c.urgent && c.sndUp.LessEq(ack) {
		c.urgent = false
	}
	c.again, c.probes = 0, 0
	// Marks that were passed go along: half the circle behind, they would seem to be ahead.
	if c.recover.Less(ack) {
		c.recover = ack.Add(^uint32(0))
	}
	if c.ecnUntil.Less(ack) {
		c.ecnUntil = ack
	}
	c.disarm(userTimeout)
	c.disarm(persist)
	partial := c.congestionACK(n, g.ctl.Has(trace.ECE))
	switch {
	case c.sndUna == c.sndNxt:
		c.disarm(retransmission) // RFC 6298, Section 5.2
	case !partial:
		c.arm(retransmission, c.rto) // 5.3
	}
}

// urg is the sixth step (MUST-32): the urgent pointer is noted. No call tells of it.
func (c *tcb) urg(g *segment) bool {
	if g.ctl.Has(trace.URG) && c.receives() {
		if up := g.seq.Add(g.up); c.rcvUp.Less(up) {
			c.rcvUp = up
		}
	}
	return true
}

// receives tells whether the peer can still send: its FIN has not come.
func (c *tcb) receives() bool {
	return c.state == trace.Established || c.state == trace.FinWait1 || c.state == trace.FinWait2
}

// text is the seventh step.
func (c *tcb) text(g *segment) bool {
	if g.ctl.Has(trace.FIN) && c.receives() {
		c.finSeen, c.finAt = true, g.seq.Add(uint32(len(g.data)))
	}
	if len(g.data) == 0 {
		return true
	}
	if !c.receives() {
		return true // after the peer's FIN there is no text
	}
	if c.orphan() { // nobody will ever read it (Section 3.6.1, SHLD-3)
		c.abort(netns.ErrReset)
		return false
	}
	if c.ecn {
		if g.ctl.Has(trace.CWR) {
			c.ecnEcho = false
		}
		if g.congested {
			c.ecnEcho = true // RFC 3168, Section 6.1.3
		}
	}
	c.ackOwed += len(g.data)
	if c.ackOwed >= 2*c.effSndMSS || g.seq != c.rcvNxt || len(c.spans) > 0 { // SHLD-19; RFC 5681, Section 4.2
		c.ackNow = true
	}
	c.hold(g.seq, g.data)
	c.deliver()
	return true
}

// fin is the eighth step. A FIN that came out of order waits until the octets before it are there.
func (c *tcb) fin(g *segment) bool {
	if g.ctl.Has(trace.FIN) {
		c.ackNow = true
	}
	if !c.finSeen || c.finAt != c.rcvNxt || !c.receives() {
		return true
	}
	c.rcvNxt = c.rcvNxt.Add(1)
	c.ackNow = true
	switch {
	case c.state == trace.Established:
		c.state = trace.CloseWait
	case c.state == trace.FinWait1:
		c.state = trace.Closing // its own FIN is not acknowledged: that was looked at in the fifth step
	case c.state == trace.FinWait2:
		c.waitTime()
	}
	return true
}
