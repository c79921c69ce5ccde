package handwritten

import (
	"net/netip"
	"slices"
	"time"

	"connectlab/netns"
	"connectlab/trace"
)

const (
	defaultBuffer = 65535   // octets: the widest window that there is without scaling
	scaledBuffer  = 1 << 20 // and with it
	defaultTTL    = 64
)

// A tcb is the record of a connection, or of a listener (Section 3.3.1), and the socket by which an application names it.
type tcb struct {
	stack    *stack
	seen     uint64 // the sockets of a stack are numbered in the order in which they were first seen
	stimulus uint64 // that touched it last

	state         trace.State
	local, remote netip.AddrPort
	remoteText    string
	described     bool // a descriptor names it
	opened        bool // connect was called, or it came to a listener
	stood         bool // it was established
	reported      bool // connect has told how it went
	synced        bool // the peer's SYN has come
	noRead        bool // the application will not receive any more
	isBound       bool
	pending       netns.Errno // that ended it, not told yet
	softError     netns.Errno // what an ICMP message has told
	options       socketOptions

	// Of a listener: the connections that came to it, and have not been accepted.
	backlog  int
	queue    []*tcb // established
	children []*tcb // those, and others in SYN-RECEIVED

	listener *tcb // the connection was opened passively, by a SYN to this one; nil: actively (MUST-11)
	waiting  bool // it is one of the listener's children

	// Send sequence variables (Section 3.3.1, Table 2).
	iss            trace.Seq
	sndUna, sndNxt trace.Seq
	sndWnd         uint32
	sndUp          trace.Seq // behind the last urgent octet
	sndWl1, sndWl2 trace.Seq
	maxSndWnd      uint32 // MAX.SND.WND (RFC 5961, Section 5)

	// Receive sequence variables (Section 3.3.1, Table 3).
	irs    trace.Seq
	rcvNxt trace.Seq
	rcvWnd uint32
	rcvUp  trace.Seq

	// What is to be sent.
	sndBuf     ring      // octets from SND.UNA on, sent or not
	sndEnd     trace.Seq // behind the last octet in it
	finQueued  bool      // and a FIN follows
	resend     trace.Seq // what is sent next: SND.NXT, or less after a loss
	sndMSS     int       // SendMSS: what the peer announced
	effSndMSS  int       // Eff.snd.MSS (Section 3.7.1)
	again      int       // retransmissions since something was acknowledged
	probes     int
	override   bool // SWS avoidance is put aside once
	urgent     bool // urgent data were sent
	synAgain   bool
	aliveAsked int
	userSince  time.Duration // when the user timeout began to run

	// What has arrived.
	rcvBuf           ring // octets up to RCV.NXT that the application has not read; behind them those that came out of order
	spans            []span
	newest           span      // the one that came last (RFC 2018, Section 4)
	finSeen          bool      // the peer's FIN has come, perhaps out of order
	finAt            trace.Seq // its number
	ackNow           bool      // an ACK is owed at once
	ackOwed          int       // octets that were not acknowledged yet
	lastAck          trace.Seq // Last.ACK.sent (RFC 7323, Section 4.3)
	sndSize, rcvSize int       // of the memory that was set aside

	// Options that both SYNs had.
	scaled, sackPermitted, tsOK bool
	sndShift, rcvShift          int
	tsRecent, tsOffset          uint32
	tsRecentAt                  time.Duration
	ecn, ecnEcho, sendCWR       bool
	ecnUntil                    trace.Seq

	// RFC 6298.
	rto, srtt, rttvar time.Duration
	sampled           bool // there is a SRTT
	timing            bool // the segment that ends at timed is being timed
	timed             trace.Seq
	timedAt           time.Duration

	// RFC 5681 and RFC 6582.
	cwnd, ssthresh int // octets
	acked          int // in congestion avoidance, since cwnd grew last
	dupAcks        int
	recovering     bool
	partial        bool // an ACK has not ended the recovery
	recover        trace.Seq
	lastSent       time.Duration

	// RFC 5961, Section 7.
	challenges     int
	challengesFrom time.Duration

	timers [kinds]timer
}

func (s *stack) newTCB(o socketOptions) *tcb {
	s.seen++
	c := &tcb{stack: s, seen: s.seen, state: trace.Closed, options: o}
	for k := range kinds {
		c.timers[k] = timer{owner: c, kind: k}
	}
	s.touch(c)
	return c
}

// begin makes the record of a connection that is being opened: its names, its ISS, and its buffers, whose memory is set aside now.
func (c *tcb) begin(local, remote netip.AddrPort, iss trace.Seq) {
	s := c.stack
	c.opened, c.local, c.remote, c.remoteText = true, local, remote, ""
	s.connections[tuple{remote, local.Port()}] = c
	c.sndSize, c.rcvSize = c.options.sendBuffer, c.options.receiveBuffer
	c.sndBuf, c.rcvBuf = s.ring(c.sndSize), s.ring(c.rcvSize)
	c.rcvWnd = uint32(c.options.receiveBuffer)
	c.iss, c.sndUna, c.sndNxt, c.resend, c.sndEnd = iss, iss, iss, iss, iss.Add(1)
	c.sndUp, c.recover, c.ecnUntil = iss, iss, iss
	c.rto = initialRTO
	c.sndMSS = c.defaultMSS()
	c.effSndMSS = c.sndMSS
	for s.factory.WindowScale && c.options.receiveBuffer>>c.rcvShift > 1<<16-1 {
		c.rcvShift++
	}
	if s.factory.Timestamps {
		c.tsOffset = s.timestampOffset(local, remote)
	}
}

// defaultMSS is SendMSS where the peer says nothing (MUST-15).
func (c *tcb) defaultMSS() int {
	if c.remote.Addr().Is4() {
		return 536
	}
	return 1220
}

// ownMSS is the MSS that this side announces (MUST-67).
func (c *tcb) ownMSS() int {
	mss := c.stack.mtu - ipv6Header - tcpHeader
	if c.local.Addr().Is4() {
		mss = c.stack.mtu - ipv4Header - tcpHeader
	}
	if c.options.maxSegment > 0 {
		mss = min(mss, c.options.maxSegment)
	}
	return mss
}

// synOptions takes in the options of the peer's SYN. Each is in force where both sides have it.
func (c *tcb) synOptions(g *segment) {
	f, o := &c.stack.factory, &g.options
	c.synced = true
	if o.mss > 0 {
		c.sndMSS = o.mss
	}
	if c.scaled = f.WindowScale && o.shift >= 0; c.scaled {
		c.sndShift = min(o.shift, 14) // RFC 7323, Section 2.3
	} else {
		c.rcvShift = 0
		c.rcvWnd = min(c.rcvWnd, 1<<16-1)
	}
	c.sackPermitted = f.SACKPermitted && o.sackPermitted
	if c.tsOK = f.Timestamps && o.timestamps; c.tsOK {
		c.tsRecent, c.tsRecentAt = o.tsVal, c.stack.now
	}
	// Eff.snd.MSS: what the peer takes and what the path takes, less the options of each segment (MUST-16).
	c.effSndMSS = max(min(c.sndMSS, c.ownMSS())-c.optionLength(), 1)
}

// optionLength is the length of the options that each segment has (RFC 6691).
func (c *tcb) optionLength() int {
	if c.tsOK {
		return 12
	}
	return 0
}

// establish begins the state ESTABLISHED, or what comes after it where CLOSE was called before (Section 3.10.4).
func (c *tcb) establish() {
	c.state = trace.Established
	c.stood = true
	if c.synAgain {
		c.rto = rtoAfterSYN // RFC 6298, Section 5.7
	}
	c.startCongestion()
	c.lastSent = c.stack.now
	if c.waiting {
		c.listener.queue = append(c.listener.queue, c)
	}
	if c.finQueued {
		c.state = trace.FinWait1
	}
	c.heard()
}

// finSent tells whether the FIN has gone out at least once.
func (c *tcb) finSent() bool { return c.finQueued && c.sndNxt == c.sndEnd.Add(1) }

// finAcked tells whether the peer has acknowledged it.
func (c *tcb) finAcked() bool { return c.finSent() && c.sndUna == c.sndNxt }

// waitTime begins TIME-WAIT, or begins its time anew. Nothing can be sent any more, so that memory goes back.
func (c *tcb) waitTime() {
	c.state = trace.TimeWait
	for _, k := range []kind{retransmission, persist, sillyWindow, userTimeout, keepAlive} {
		c.disarm(k)
	}
	c.arm(timeWait, 2*msl)
	c.free(false)
}

// end ends the connection: it is in CLOSED. err, if not empty, is what its application is told, and unread data are lost.
func (c *tcb) end(err netns.Errno) {
	s := c.stack
	c.state = trace.Closed
	for k := range kinds {
		c.disarm(k)
	}
	if name := (tuple{c.remote, c.local.Port()}); s.connections[name] == c {
		delete(s.connections, name)
	}
	c.pending = err
	c.free(err != "")
	c.unbind()
	if c.waiting && (err == "" || !slices.Contains(c.listener.queue, c)) {
		c.leave() // who waits for accept stays, to tell of the error
	}
	c.ackNow = false
}

// free gives back the memory that is not needed any more: data that arrived stay for the application to read.
func (c *tcb) free(all bool) {
	c.stack.release(&c.sndBuf)
	if all || c.rcvBuf.n == 0 || c.orphan() {
		c.stack.release(&c.rcvBuf)
	}
	c.spans = nil
}

// leave takes the connection out of its listener's queues.
func (c *tcb) leave() {
	l := c.listener
	c.waiting = false
	l.queue = without(l.queue, c)
	l.children = without(l.children, c)
}

// halfOpen is how many of a listener's connections are in SYN-RECEIVED.
func (c *tcb) halfOpen() int { return len(c.children) - len(c.queue) }

// orphan tells whether no application has the connection, nor can get it from a listener.
func (c *tcb) orphan() bool { return !c.described && !c.waiting }

func without(list []*tcb, c *tcb) []*tcb {
	return slices.DeleteFunc(list, func(other *tcb) bool { return other == c })
}

// unbind gives the port back.
func (c *tcb) unbind() {
	if c.isBound {
		c.isBound = false
		c.stack.bound = without(c.stack.bound, c)
	}
}
