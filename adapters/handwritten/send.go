package handwritten

import (
	"time"

	"connectlab/trace"
)

// sends tells whether the state lets data and FIN go out.
func (c *tcb) sends() bool {
	switch c.state {
	case trace.Established, trace.CloseWait, trace.FinWait1, trace.Closing, trace.LastAck:
		return true
	default:
		return false
	}
}

// send sends what may be sent now: data, and a FIN behind the last of them (Section 3.10.4).
func (c *tcb) send() {
	if !c.sends() {
		return
	}
	c.idle()
	for c.sendOne() {
	}
	c.watch()
}

// sendOne sends one segment, if a full one or a reason for a smaller one is there.
func (c *tcb) sendOne() bool {
	seq := c.resend
	if c.sndEnd.Less(seq) {
		return false // the FIN has gone out
	}
	left, usable := int(c.sndEnd.Sub(seq)), c.usable(seq)
	n := min(left, usable, c.effSndMSS) // SHLD-28
	fin := c.finQueued && n == left && usable > n
	if n == 0 && !fin {
		return false
	}
	again := seq.Add(uint32(n)).LessEq(c.sndNxt) && seq != c.sndNxt && (n == min(left, c.effSndMSS) || seq == c.sndUna)
	if n > 0 && !again && !c.worthSending(left, usable) { // what is sent again was worth it before
		return false
	}
	c.override = false
	c.emitData(seq, n, fin)
	c.resend = seq.Add(uint32(n))
	if fin {
		c.resend = c.resend.Add(1)
	}
	if !c.armed(retransmission) {
		c.arm(retransmission, c.rto) // RFC 6298, Section 5.1
	}
	return true
}

// usable is how many octets from seq on peer and network can take: no new data beyond the window (SHLD-15), also where it has
// shrunk (MUST-34).
func (c *tcb) usable(seq trace.Seq) int {
	edge := c.sndUna.Add(min(c.sndWnd, uint32(c.cwnd+c.limited())))
	if edge.LessEq(seq) {
		return 0
	}
	return int(edge.Sub(seq))
}

// worthSending is the sender's silly window avoidance (Section 3.8.6.2.1) with Nagle's algorithm (Section 3.7.4), of d octets that
// wait and u that may be sent. All data count as pushed (MUST-60).
func (c *tcb) worthSending(d, u int) bool {
	idle := c.options.noDelay || c.resend == c.sndUna
	switch {
	case min(d, u) >= c.effSndMSS: // 1
		return true
	case idle && d <= u: // 2
		return true
	case idle && 2*min(d, u) >= int(c.maxSndWnd): // 3: Fs is 1/2
		return true
	}
	return c.override // 4
}

// watch sees to it that something happens if no segment comes: exactly one of three timers runs as long as there is something to
// send or to be acknowledged.
func (c *tcb) watch() {
	end := c.sndEnd
	if c.finQueued {
		end = end.Add(1)
	}
	switch {
	case c.resend != c.sndUna: // segments are under way
		c.disarm(persist)
		c.disarm(sillyWindow)
		if !c.armed(retransmission) {
			c.arm(retransmission, c.rto)
		}
	case c.resend == end:
		c.disarm(persist)
		c.disarm(sillyWindow)
		c.disarm(retransmission)
		c.disarm(userTimeout)
		return
	case c.sndWnd == 0: // SHLD-29, SHLD-30
		c.disarm(retransmission)
		c.disarm(sillyWindow)
		if !c.armed(persist) {
			c.arm(persist, min(c.rto<<min(c.probes, 6), maxRTO))
		}
	default:
		c.disarm(retransmission)
		c.disarm(persist)
		if !c.armed(sillyWindow) {
			c.arm(sillyWindow, overrideTime)
		}
	}
	if !c.armed(userTimeout) {
		c.armUser()
	}
}

// sendAgain sends the segment at SND.UNA again, and leaves alone what is to be sent next: nothing that was not sent yet, and nothing
// beyond the window (SHLD-16).
func (c *tcb) sendAgain() {
	if c.sndEnd.Less(c.sndUna) || c.sndWnd == 0 {
		return
	}
	left := int(c.sndEnd.Sub(c.sndUna))
	n := min(left, c.flight(), c.effSndMSS, int(c.sndWnd))
	c.emitData(c.sndUna, n, c.finSent() && n == left && n < int(c.sndWnd))
}

// emitData sends n octets from the number seq on, and a FIN behind them. SND.NXT goes on, if they are new.
func (c *tcb) emitData(seq trace.Seq, n int, fin bool) {
	ctl := trace.ACK
	end := seq.Add(uint32(n))
	if n > 0 && end == c.sndEnd {
		ctl |= trace.PSH // the last octet that there is (MUST-61)
	}
	if n == 0 && c.finQueued && seq == c.sndEnd {
		fin = true // a probe has nothing else to offer
	}
	if fin {
		ctl |= trace.FIN
		end = end.Add(1)
	}
	isNew := seq == c.sndNxt && c.probes == 0 // a probe is neither timed nor marked
	if isNew && n > 0 && c.sendCWR {
		ctl |= trace.CWR // RFC 3168, Section 6.1.2
		c.sendCWR = false
	}
	c.emit(ctl, seq, n)
	switch {
	case c.sndNxt.Less(end):
		c.sndNxt = end
		if isNew && !c.timing {
			c.timing, c.timed, c.timedAt = true, end, c.stack.now
		}
	default:
		c.timing = false // Karn (RFC 6298, Section 3)
	}
	if fin && c.state == trace.CloseWait {
		c.state = trace.LastAck
	}
}

// sendSYN sends the SYN, or the SYN,ACK where the peer's SYN has come, for the first time or again.
func (c *tcb) sendSYN() {
	ctl := trace.SYN
	switch {
	case c.state != trace.SynSent && c.ecn:
		ctl |= trace.ACK | trace.ECE // RFC 3168, Section 6.1.1
	case c.state != trace.SynSent:
		ctl |= trace.ACK
	case c.stack.ecn:
		ctl |= trace.ECE | trace.CWR
	}
	if c.sndNxt == c.iss {
		c.sndNxt = c.iss.Add(1)
		c.timing, c.timed, c.timedAt = true, c.sndNxt, c.stack.now
	}
	c.resend = c.sndNxt
	c.emit(ctl, c.iss, 0)
}

// acknowledge sends an ACK without data: <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>.
func (c *tcb) acknowledge() { c.emit(trace.ACK, c.sndNxt, 0) }

// emit sends one segment. What it acknowledges is not owed any more.
func (c *tcb) emit(ctl trace.Flags, seq trace.Seq, n int) {
	s := c.stack
	g := segment{local: c.local, remote: c.remote, seq: seq, ctl: ctl, options: options{shift: -1}}
	if ctl.Has(trace.ACK) {
		g.ack = c.rcvNxt
		c.ackNow, c.ackOwed, c.lastAck = false, 0, c.rcvNxt
		c.disarm(delayedACK)
		if c.ecnEcho && !ctl.Has(trace.SYN) {
			g.ctl |= trace.ECE // RFC 3168, Section 6.1.3
		}
	}
	g.wnd = c.window(ctl)
	if c.urgent && seq.Less(c.sndUp) && !ctl.Has(trace.SYN) {
		g.ctl |= trace.URG
		g.up = min(c.sndUp.Sub(seq), 1<<16-1) // MUST-62
	}
	c.putOptions(&g)
	tos := c.options.tos &^ 3 // the two lower bits are ECN's
	if c.ecn && n > 0 && seq == c.sndNxt && c.probes == 0 {
		tos |= ect0 // neither what is sent again nor a probe has it (RFC 3168, Sections 6.1.5 and 6.1.6)
	}
	var one, two []byte
	if n > 0 {
		c.lastSent = s.now
		one, two = c.sndBuf.pieces(int(seq.Sub(c.sndEnd.Add(-uint32(c.sndBuf.n)))), n)
	}
	var room [4]span
	s.transmit(&g, tos, c.options.ttl, c.blocks(&g, n, room[:0]), one, two)
}

// putOptions gives a segment its options.
func (c *tcb) putOptions(g *segment) {
	f, o := &c.stack.factory, &g.options
	syn, answer := g.ctl.Has(trace.SYN), g.ctl.Has(trace.ACK)
	if syn {
		o.mss = c.ownMSS() // only here (MUST-65)
		o.sackPermitted = f.SACKPermitted && (!answer || c.sackPermitted)
		if f.WindowScale && (!answer || c.scaled) {
			o.shift = c.rcvShift
		}
	}
	if c.tsOK || syn && !answer && f.Timestamps {
		o.timestamps = true
		o.tsVal = c.tsOffset + uint32(c.stack.now/time.Millisecond)
		if answer {
			o.tsEcr = c.tsRecent
		}
	}
}

// blocks are the octets that came out of order, for a peer that wants to know them: those that came last first (RFC 2018,
// Section 4), and as many as there is room for in a segment with n octets of data.
func (c *tcb) blocks(g *segment, n int, list []span) []span {
	if !c.sackPermitted || len(c.spans) == 0 || !g.ctl.Has(trace.ACK) || g.ctl.Has(trace.SYN) {
		return nil
	}
	most := 4
	if c.tsOK {
		most = 3
	}
	most = min(most, (c.effSndMSS-n-4)/8) // MUST-16
	for _, b := range c.spans {
		if b == c.newest && most > 0 {
			list = append(list, b)
		}
	}
	for i := len(c.spans) - 1; i >= 0 && len(list) < most; i-- {
		if c.spans[i] != c.newest {
			list = append(list, c.spans[i])
		}
	}
	return list
}

// window is what the segment says of the receive window, after that was moved (Section 3.8.6.2.2): by little only if little is all
// that there is.
func (c *tcb) window(ctl trace.Flags) uint32 {
	if c.rcvBuf.memory == nil {
		return min(c.rcvWnd>>c.rcvShift, 1<<16-1)
	}
	if c.room() >= min(len(c.rcvBuf.memory)/2, c.effSndMSS) { // MUST-39
		c.rcvWnd = c.widest()
	}
	if ctl.Has(trace.SYN) {
		return min(c.rcvWnd, 1<<16-1) // never scaled (RFC 7323, Section 2.2)
	}
	return c.rcvWnd >> c.rcvShift
}

// widest is the window that the memory allows.
func (c *tcb) widest() uint32 {
	free := c.rcvBuf.free()
	if c.rcvShift == 0 {
		free = min(free, 1<<16-1)
	}
	return uint32(free)
}

// room is by how much the window could be opened: RCV.BUFF - RCV.USER - RCV.WND.
func (c *tcb) room() int { return int(c.widest()) - int(c.rcvWnd) }

// updateWindow tells the peer that the application has read, if that opens the window by half the buffer.
func (c *tcb) updateWindow() {
	if c.receives() && c.room() >= (len(c.rcvBuf.memory)+1)/2 {
		c.acknowledge()
	}
}
