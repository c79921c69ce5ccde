package handwritten

import (
	"cmp"
	"time"

	"connectlab/netns"
	"connectlab/trace"
)

// A kind names a timer that a connection has.
type kind uint8

const (
	retransmission kind = iota // RFC 6298
	persist                    // probes of a window that is closed (Section 3.8.6.1)
	delayedACK                 // Section 3.8.6.3
	sillyWindow                // the override of Section 3.8.6.2.1
	userTimeout                // Section 3.8.3: R2
	timeWait                   // Section 3.6.1: 2 MSL
	keepAlive                  // Section 3.8.4
	kinds
)

var kindNames = [kinds]string{"retransmission", "persist", "delayed ACK", "silly window", "user timeout", "TIME-WAIT", "keepalive"}

// The times of the RFCs.
const (
	initialRTO    = time.Second            // RFC 6298, Section 2.1
	minRTO        = time.Second            // RFC 6298, Section 2.4
	maxRTO        = 60 * time.Second       // RFC 6298, Section 2.5
	rtoAfterSYN   = 3 * time.Second        // RFC 6298, Section 5.7
	ackDelay      = 200 * time.Millisecond // less than 0.5 s (MUST-40)
	overrideTime  = 500 * time.Millisecond // 0.1 to 1 s (Section 3.8.6.2.1)
	synR2         = 3 * time.Minute        // MUST-23
	dataR2        = 5 * time.Minute        // Section 3.9.1.1, "user timeout"; at least 100 s (SHLD-11)
	msl           = 2 * time.Minute        // Section 3.4.2
	tsRecentValid = 24 * 24 * time.Hour    // RFC 7323, Section 5.5
)

// A timer belongs to a connection from its beginning and is armed again and again.
type timer struct {
	owner *tcb
	at    time.Duration
	order uint64 // of arming: of timers that are due at one time the one that was armed first goes first
	place int32  // in the heap, counted from 1; 0: not armed
	kind  kind
}

// timers is a heap of those that are armed, the next one first.
type timers struct {
	heap  []*timer
	armed uint64
}

func (t *timers) before(i, j int) bool {
	a, b := t.heap[i], t.heap[j]
	return a.at < b.at || a.at == b.at && a.order < b.order
}

func (t *timers) swap(i, j int) {
	t.heap[i], t.heap[j] = t.heap[j], t.heap[i]
	t.heap[i].place, t.heap[j].place = int32(i+1), int32(j+1)
}

// mend moves the timer at i to where it belongs.
func (t *timers) mend(i int) {
	for i > 0 && t.before(i, (i-1)/2) {
		t.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(t.heap); child++ {
			if t.before(child, least) {
				least = child
			}
		}
		if least == i {
			return
		}
		t.swap(i, least)
		i = least
	}
}

func (t *timers) arm(m *timer, at time.Duration) {
	t.armed++
	m.at, m.order = at, t.armed
	if m.place == 0 {
		t.heap = append(t.heap, m)
		m.place = int32(len(t.heap))
	}
	t.mend(int(m.place) - 1)
}

func (t *timers) disarm(m *timer) {
	if m.place == 0 {
		return
	}
	i, last := int(m.place)-1, len(t.heap)-1
	t.swap(i, last)
	t.heap[last] = nil
	t.heap = t.heap[:last]
	m.place = 0
	if i < last {
		t.mend(i)
	}
}

// arm sets a timer, which may be running, to go off after d.
func (c *tcb) arm(k kind, d time.Duration) { c.stack.timers.arm(&c.timers[k], c.stack.now+d) }

func (c *tcb) disarm(k kind) { c.stack.timers.disarm(&c.timers[k]) }

func (c *tcb) armed(k kind) bool { return c.timers[k].place != 0 }

// Deadline is the time at which the next timer is due.
func (s *stack) Deadline() (time.Duration, bool) {
	if len(s.timers.heap) == 0 {
		return 0, false
	}
	return s.timers.heap[0].at, true
}

// Expire runs the timer that is due first (Section 3.10.8).
func (s *stack) Expire() netns.Expired {
	s.begin()
	if len(s.timers.heap) == 0 {
		return netns.Expired{}
	}
	m := s.timers.heap[0]
	s.timers.disarm(m)
	c := m.owner
	s.touchWithListener(c)
	switch m.kind {
	case retransmission:
		c.retransmit()
	case persist:
		c.probe()
	case delayedACK:
		c.acknowledge()
	case sillyWindow:
		c.override = true
		c.send()
	case userTimeout:
		c.end(c.timedOut())
	case timeWait:
		c.end("")
	case keepAlive:
		c.keepAlive()
	case kinds:
	}
	return netns.Expired{Socket: c, Name: kindNames[m.kind]}
}

// timedOut is the error of a connection that is given up: what an ICMP message has told, if any has (Section 3.9.2.2).
func (c *tcb) timedOut() netns.Errno { return cmp.Or(c.softError, netns.ErrTimeout) }

// r2 is how long segments are sent again before the connection is given up (Section 3.8.3; MUST-21: the application can set it).
func (c *tcb) r2() time.Duration {
	switch {
	case c.options.userTimeout > 0:
		return c.options.userTimeout
	case c.state == trace.SynSent || c.state == trace.SynReceived:
		return synR2
	}
	return dataR2
}

// armUser starts the time after which the connection is given up.
func (c *tcb) armUser() {
	c.userSince = c.stack.now
	c.arm(userTimeout, c.r2())
}

// retransmit sends again what was not acknowledged in time (RFC 6298, Section 5, steps 4 to 6).
func (c *tcb) retransmit() {
	c.again++
	c.timing = false             // Karn: what is sent twice measures nothing (RFC 6298, Section 3)
	c.rto = min(2*c.rto, maxRTO) // 5.5
	c.arm(retransmission, c.rto) // 5.6
	if !c.iss.Less(c.sndUna) {   // the SYN was not acknowledged
		c.synAgain = true
		c.sendSYN()
		return
	}
	c.lost()
	c.resend = c.sndUna
	c.send()
}

// measure takes the time of the segment that is being timed, if it is acknowledged (RFC 6298, Section 2).
func (c *tcb) measure(ack trace.Seq) {
	if !c.timing || ack.Less(c.timed) {
		return
	}
	c.timing = false
	if r := c.stack.now - c.timedAt; !c.sampled {
		c.sampled = true
		c.srtt, c.rttvar = r, r/2 // 2.2
	} else {
		c.rttvar += ((c.srtt - r).Abs() - c.rttvar) / 4 // 2.3: beta is 1/4
		c.srtt += (r - c.srtt) / 8                      // alpha is 1/8
	}
	c.rto = min(max(c.srtt+4*c.rttvar, minRTO), maxRTO) // 2.4, 2.5
}

// probe sends one octet beyond a closed window, so that the peer tells when it opens (Section 3.8.6.1). Intervals grow
// exponentially (SHLD-30); as long as the peer answers there is no end of it (MUST-37).
func (c *tcb) probe() {
	c.probes++
	n := min(1, c.sndBuf.n)
	c.emitData(c.sndUna, n, false)
	c.watch()
}

// keepAlive asks an idle peer whether it is there (Section 3.8.4): a segment without data that is old (SHLD-12).
func (c *tcb) keepAlive() {
	if c.sndUna != c.sndNxt || !c.options.keepAlive { // MUST-26
		return
	}
	if c.aliveAsked >= c.options.keepCount {
		c.end(netns.ErrTimeout)
		return
	}
	c.aliveAsked++
	c.emit(trace.ACK, c.sndNxt.Add(^uint32(0)), 0)
	c.arm(keepAlive, c.options.keepInterval)
}

// heard starts the time of idleness anew.
func (c *tcb) heard() {
	c.aliveAsked = 0
	if c.options.keepAlive && c.state >= trace.Established && c.state < trace.TimeWait {
		c.arm(keepAlive, c.options.keepIdle)
	}
}
