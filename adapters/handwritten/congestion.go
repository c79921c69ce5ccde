package handwritten

import "connectlab/trace"

// maxCwnd keeps cwnd from growing without end where the network never loses anything.
const maxCwnd = 1 << 30

// startCongestion sets cwnd for the first flight (RFC 5681, Section 3.1).
func (c *tcb) startCongestion() {
	c.cwnd, c.ssthresh = c.initialWindow(), maxCwnd
	if c.synAgain {
		c.cwnd = c.effSndMSS
	}
	c.recover = c.iss
}

// initialWindow is IW.
func (c *tcb) initialWindow() int {
	switch {
	case c.effSndMSS > 2190:
		return 2 * c.effSndMSS
	case c.effSndMSS > 1095:
		return 3 * c.effSndMSS
	}
	return 4 * c.effSndMSS
}

// flight is FlightSize: what was sent and not acknowledged.
func (c *tcb) flight() int { return int(c.sndNxt.Sub(c.sndUna)) }

// halve sets ssthresh after a sign of congestion (RFC 5681, Section 3.1, equation 4), without what limited transmit has sent beyond
// cwnd (Section 3.2, step 2). What the peer tells of the same window of data is the same congestion, and it is told that cwnd becomes
// less, for whatever reason (RFC 3168, Section 6.1.2).
func (c *tcb) halve() {
	c.ssthresh = max(min(c.flight(), c.cwnd)/2, 2*c.effSndMSS)
	c.ecnUntil = c.sndNxt.Add(1)
	c.sendCWR = c.ecn
}

// lost is what the retransmission timer means: the network has lost much (RFC 5681, Section 3.1; RFC 6582, Section 4).
func (c *tcb) lost() {
	if c.again == 1 {
		c.halve()
	}
	c.cwnd = c.effSndMSS // LW
	c.acked, c.dupAcks, c.recovering = 0, 0, false
	c.recover = c.sndNxt
}

// idle starts slow start again where nothing was sent for longer than RTO (RFC 5681, Section 4.1).
func (c *tcb) idle() {
	if c.sndUna == c.sndNxt && c.stack.now-c.lastSent > c.rto {
		c.cwnd = min(c.cwnd, c.initialWindow())
	}
}

// congestionACK takes in that n octets were acknowledged. echo: the ACK tells of congestion too. partial: it is not the first ACK of a
// recovery that does not end it, so that the retransmission timer runs on (RFC 6582, Section 3.2, step 5).
func (c *tcb) congestionACK(n int, echo bool) (partial bool) {
	mss := c.effSndMSS
	c.dupAcks = 0
	switch {
	case c.recovering && c.sndUna.Less(c.recover):
		c.cwnd = max(c.cwnd-n, 0)
		if n >= mss {
			c.cwnd += mss
		}
		c.cwnd = max(c.cwnd, mss)
		c.sendAgain()
		partial, c.partial = c.partial, true
	case c.recovering:
		c.recovering = false
		c.cwnd = min(c.ssthresh, max(c.flight(), mss)+mss)
	case c.ecn && echo: // it does not grow (RFC 3168, Section 6.1.2)
	case c.cwnd < c.ssthresh: // slow start
		c.cwnd += min(n, mss)
	default: // congestion avoidance
		if c.acked += n; c.acked >= c.cwnd {
			c.acked -= c.cwnd
			c.cwnd += mss
		}
	}
	c.cwnd = min(c.cwnd, maxCwnd)
	return partial
}

// duplicate tells whether a segment is a duplicate ACK (RFC 5681, Section 2). The answer to a probe is none.
func (c *tcb) duplicate(g *segment) bool {
	return c.sndUna != c.sndNxt && c.probes == 0 && len(g.data) == 0 && g.ctl&(trace.SYN|trace.FIN) == 0 && g.ack == c.sndUna &&
		g.wnd<<c.sndShift == c.sndWnd
}

// duplicateACK is fast retransmit and fast recovery (RFC 5681, Section 3.2; RFC 6582, Section 3.2).
func (c *tcb) duplicateACK() {
	c.dupAcks++
	switch {
	case c.recovering:
		c.cwnd += c.effSndMSS
	case c.dupAcks == 3 && c.recover.Less(c.sndUna):
		if c.ecnUntil.LessEq(c.sndUna) { // ECE has not told of this window already
			c.halve()
		}
		c.recovering, c.partial, c.recover = true, false, c.sndNxt
		c.cwnd = c.ssthresh + 3*c.effSndMSS
		c.sendAgain()
		c.arm(retransmission, c.rto)
	}
}

// limited is what may be sent beyond cwnd at the first two duplicate ACKs, of new data (RFC 5681, Section 3.2, step 1; RFC 3042).
func (c *tcb) limited() int {
	if c.recovering || c.resend != c.sndNxt {
		return 0
	}
	return min(c.dupAcks, 2) * c.effSndMSS
}

// echo takes in that the peer tells of congestion (RFC 3168, Section 6.1.2): cwnd is halved, at most once for each window of data.
func (c *tcb) echo(g *segment) {
	if !c.ecn || !g.ctl.Has(trace.ECE) || g.ctl.Has(trace.SYN) || g.ack.Less(c.ecnUntil) {
		return
	}
	c.halve()
	c.cwnd = min(c.cwnd, c.ssthresh)
	c.acked = 0
}
