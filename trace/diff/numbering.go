package diff

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"time"

	"connectlab/trace"
)

type endpoint = netip.AddrPort

// A flow is one direction of a connection.
type flow struct{ from, to endpoint }

func (f flow) back() flow { return flow{f.to, f.from} }

// A numbering takes out of a trace's packets what no two runs need have alike: it counts sequence numbers, ephemeral ports and timestamp
// values from where each began.
type numbering struct {
	c          *comparison
	fixed      map[endpoint]bool // ports that programs have named; with the zero address on any address
	ephemeral  map[endpoint]int
	used       map[netip.Addr]int // how many ephemeral ports of an address have been seen
	directions map[flow]*direction
	boots      map[string]int
	began      int               // how many incarnations have begun
	bases      map[socketKey]isn // of sockets, for their control information
	names      map[endpoint]portName
	old        map[int]bool // by the N of the Arrived, of segments with a TSval older than the one to be echoed (RFC 7323, Section 5.3)
}

// isn is what the packets of a socket say of its initial numbers.
type isn struct {
	iss, irs           trace.Seq
	knowsISS, knowsIRS bool
}

// A direction is what one end of a connection has sent so far: its present incarnation.
type direction struct {
	standing
	known       bool
	base        trace.Seq
	socket      int
	boots       int
	incarnation int
	peers       int        // the incarnation of the peer that a SYN,ACK has answered
	over        bool       // a FIN or a RST went out
	before      *direction // the incarnation before it; nil: it is the first, or what came before has no SYN

	tsBase  uint32
	tsAt    time.Duration           // when tsBase was sent
	echoes  map[uint32]span         // by TSval, which packets had it
	packets int                     // with timestamps
	times   map[int64]transmissions // by the place of a segment's first number
}

// A standing is how far a direction has come, and what it has told.
type standing struct {
	sawSYN           bool
	next             int64 // one past the highest number sent, counted from the first
	una              int64 // the highest that an ACK that arrived has acknowledged
	shift            int   // of the window scale that its SYN offered; -1: none
	mss              int   // that its SYN announced; 0: none
	timestamps, sack bool  // what its SYN offered
	tsKnown          bool
	tsLast           uint32 // the TSval that it last sent, if tsKnown
	acked            bool   // it has sent an ACK: ack and edge are its last SEG.ACK, and the right edge of its window
	ack, edge        int64  //
	lastArrived      stamp  // of the peer's segments that have arrived, the last
	arrivals         int    // how many of the peer's have arrived
	recent           stamp  // of those that have arrived, the one whose TSval is to be echoed (RFC 7323, Section 4.3)
	received         int64  // one past the highest of the peer's numbers that have arrived without a gap before them
	signs            int    // how many ACKs arrived that acknowledged nothing new while something was on its way
}

// A stamp is what a segment that arrived had for a timestamp.
type stamp struct {
	known bool
	tsval uint32
	seq   int64
	at    time.Duration
	fresh bool // it may have brought something new, or had nothing to bring
	n     int  // of the Arrived
}

// transmissions are when a segment was last sent, how long the timer had run then, if that is known, whether it was a timer that sent it, and
// how many segments had arrived until then.
type transmissions struct {
	at, gap  time.Duration
	timer    bool
	arrivals int
}

// A span is from the first to the last of several.
type span struct{ first, last int }

func newNumbering(t *trace.Trace, c *comparison) *numbering {
	m := &numbering{
		c: c, fixed: map[endpoint]bool{}, ephemeral: map[endpoint]int{}, used: map[netip.Addr]int{}, directions: map[flow]*direction{},
		boots: map[string]int{}, bases: map[socketKey]isn{}, names: map[endpoint]portName{}, old: map[int]bool{},
	}
	calls := false
	for i := range t.Events {
		if d, ok := t.Events[i].Detail.(*trace.Call); ok {
			calls = true
			if (d.Name == "bind" || d.Name == "connect") && d.Addr.Port() != 0 {
				at := d.Addr
				if at.Addr().IsUnspecified() {
					at = netip.AddrPortFrom(netip.Addr{}, at.Port())
				}
				m.fixed[at] = true
			}
		}
	}
	for i := range t.Events {
		e := &t.Events[i]
		d, ok := e.Detail.(*trace.Sent)
		if !ok || d.Packet.Kind != trace.PacketTCP {
			continue
		}
		if tcp := &d.Packet.TCP; !calls && tcp.Flags&(trace.SYN|trace.ACK) == trace.SYN {
			m.fixed[d.Packet.Destination()] = true // nobody says who named it: a connection goes to a port that is known
		}
		m.name(d.Packet.Source())
		m.name(d.Packet.Destination())
	}
	return m
}

// name counts an ephemeral port that is seen for the first time.
func (m *numbering) name(at endpoint) {
	if m.fixed[at] || m.fixed[netip.AddrPortFrom(netip.Addr{}, at.Port())] || m.ephemeral[at] != 0 {
		return
	}
	m.used[at.Addr()]++
	m.ephemeral[at] = m.used[at.Addr()]
}

// base notes from what the numbers of a socket count that has sent a segment, and those of its peer.
func (m *numbering) base(e *trace.Event, s *trace.Segment, d, r *direction) {
	key := socketKey{e.Host, e.Socket}
	b := m.bases[key]
	if s.Flags.Has(trace.SYN) && !b.knowsISS {
		b.iss, b.knowsISS = d.base, true
	}
	if s.Flags.Has(trace.ACK) && !s.Flags.Has(trace.RST) && !b.knowsIRS {
		b.irs, b.knowsIRS = r.base, true
	}
	m.bases[key] = b
}

// A portName is an endpoint with its port as it counts.
type portName struct {
	addr netip.Addr
	port uint16
	nth  int // of the address's ephemeral ports; 0: the port itself
}

func (p portName) String() string {
	if !p.addr.IsValid() {
		return "-"
	}
	port := strconv.Itoa(int(p.port))
	if p.nth != 0 {
		port = fmt.Sprintf("(%d)", p.nth)
	}
	if p.addr.Is6() && !p.addr.Is4In6() {
		return "[" + p.addr.String() + "]:" + port
	}
	return p.addr.String() + ":" + port
}

// endpoint is an endpoint as it counts.
func (m *numbering) endpoint(at endpoint) portName {
	n, ok := m.names[at]
	if !ok {
		n = portName{addr: at.Addr(), port: at.Port()}
		if m.c.normalizes(Ports) && at.Port() != 0 {
			m.name(at)
			if nth := m.ephemeral[at]; nth != 0 {
				n.port, n.nth = 0, nth
			}
		}
		m.names[at] = n
	}
	return n
}

func (m *numbering) direction(f flow) *direction {
	d := m.directions[f]
	if d == nil {
		d = &direction{standing: standing{shift: -1}}
		m.directions[f] = d
	}
	return d
}

// begin makes a direction begin anew with the number base.
func (m *numbering) begin(d *direction, base trace.Seq) {
	m.began++
	var before *direction
	if d.sawSYN {
		was := *d
		was.before = nil
		before = &was
	}
	*d = direction{
		standing: standing{shift: -1}, known: true, base: base, incarnation: m.began, boots: d.boots, socket: d.socket, before: before,
	}
}

// number is a number counted from the direction's first.
func (m *numbering) number(d *direction, s trace.Seq) number {
	if !m.c.normalizes(InitialSequenceNumbers) {
		return number{n: int64(s)}
	}
	return number{n: d.count(s)}
}

// known is a number that the direction's host has been told, or was told by the incarnation before: who has not heard that there is
// another one still speaks to that.
func (m *numbering) known(d *direction, s trace.Seq) number {
	n := m.number(d, s)
	if b := d.before; b != nil && m.c.normalizes(InitialSequenceNumbers) {
		if old := b.count(s); b.beside(old) < d.beside(n.n) {
			return number{n: old, before: true}
		}
	}
	return n
}

// beside is how far a number is from those that a direction has used.
func (d *direction) beside(n int64) int64 { return max(-n, n-d.next, 0) }

// A number is a sequence number as it counts.
type number struct {
	n      int64
	before bool // in the incarnation before
	zero   bool // it is 0 as it stands, counted from nothing
}

// String prints the number; with an apostrophe one of the incarnation before, with = before it one that is counted from nothing.
func (n number) String() string {
	switch {
	case n.zero:
		return "=0"
	case n.before:
		return strconv.FormatInt(n.n, 10) + "'"
	}
	return strconv.FormatInt(n.n, 10)
}

func (d *direction) count(s trace.Seq) int64 {
	return d.next + int64(int32(s.Sub(d.base.Add(uint32(d.next)))))
}

// sent takes a packet that was sent in, and says what it is without what a run has chosen.
func (m *numbering) sent(e, root *trace.Event, p *trace.Packet) *packet {
	v := &packet{p: p, e: e, local: m.endpoint(p.Source()), remote: m.endpoint(p.Destination())}
	if p.Kind != trace.PacketTCP {
		return v
	}
	s := &p.TCP
	f := flow{p.Source(), p.Destination()}
	d, r := m.direction(f), m.direction(f.back())
	m.incarnate(e, s, d, r)
	if s.Flags.Has(trace.ACK) && !r.known {
		m.begin(r, s.Ack.Add(^uint32(0)))
		r.next = 1
	}
	if !d.known && !(s.Flags.Has(trace.RST) && s.Seq == 0) {
		m.begin(d, s.Seq.Add(^uint32(0)))
		d.next = 1
	}
	m.base(e, s, d, r)
	switch {
	case s.Flags.Has(trace.RST) && s.Seq == 0 && m.c.normalizes(InitialSequenceNumbers):
		v.seq.zero = true
	case s.Flags.Has(trace.RST):
		v.seq = m.known(d, s.Seq)
	default:
		v.seq = m.number(d, s.Seq)
	}
	if s.Flags.Has(trace.ACK) {
		v.ack = m.known(r, s.Ack)
	}
	v.own, v.peer = d.standing, r.standing
	if s.Flags.Has(trace.SYN) {
		d.offer(s)
	}
	v.window = int64(s.Window)
	if !s.Flags.Has(trace.SYN) && d.shift >= 0 && r.shift >= 0 {
		v.window <<= uint(min(d.shift, 14))
	}
	m.stamp(v, d, r)
	m.count(v, d, rootKind(root) == 't')
	return v
}

// incarnate begins a new incarnation where a SYN does. One that the same socket sends again with another number does not: that it has
// another is to be seen.
func (m *numbering) incarnate(e *trace.Event, s *trace.Segment, d, r *direction) {
	if !s.Flags.Has(trace.SYN) {
		return
	}
	boots := m.boots[e.Host]
	other := e.Socket != d.socket || boots != d.boots || e.Socket == 0 && (d.over || r.over)
	anew := !d.sawSYN || s.Seq != d.base && (other || s.Flags.Has(trace.ACK) && r.incarnation != d.peers)
	if !d.sawSYN && d.known && d.next == 1 && d.base == s.Seq {
		anew = false // what acknowledged it was seen before
	}
	if anew {
		m.begin(d, s.Seq)
	}
	if s.Flags.Has(trace.ACK) {
		d.peers = r.incarnation
	}
	d.sawSYN, d.socket, d.boots = true, e.Socket, boots
}

// offer notes what a SYN announces.
func (d *direction) offer(s *trace.Segment) {
	if shift, ok := s.Options.WindowScale(); ok {
		d.shift = int(shift)
	}
	if mss, ok := s.Options.MSS(); ok {
		d.mss = int(mss)
	}
	_, _, d.timestamps = s.Options.Timestamps()
	d.sack = s.Options.SACKPermitted()
}

// stamp counts timestamps: TSval from the sender's first, TSecr from the peer's first, and which of the peer's packets it echoes.
func (m *numbering) stamp(v *packet, d, r *direction) {
	val, ecr, ok := v.p.TCP.Options.Timestamps()
	if !ok {
		return
	}
	if !d.tsKnown {
		d.tsKnown, d.tsBase, d.tsAt, d.echoes = true, val, v.e.At, map[uint32]span{}
	}
	at, seen := d.echoes[val]
	if !seen {
		at.first = d.packets
	}
	at.last = d.packets
	d.echoes[val] = at
	d.packets++
	d.tsLast = val
	v.tsval, v.tsecr, v.stamped = int64(val), int64(ecr), true
	if !m.c.normalizes(TimestampValues) {
		return
	}
	v.tsval = int64(int32(val - d.tsBase))
	v.elapsed = v.e.At - d.tsAt
	v.unechoed = ecr == 0
	if !r.tsKnown {
		return
	}
	v.tsecr = int64(int32(ecr - r.tsBase))
	v.echoes, v.echoed = r.echoes[ecr]
	if b := r.before; b != nil && !v.echoed {
		if v.echoes, v.echoed = b.echoes[ecr]; v.echoed {
			v.tsecr, v.echoedBefore = int64(int32(ecr-b.tsBase)), true
		}
	}
}

// count goes on behind a segment.
func (m *numbering) count(v *packet, d *direction, timer bool) {
	s := &v.p.TCP
	seq := d.count(s.Seq)
	if v.seq.zero {
		return
	}
	end := seq + int64(s.Len())
	v.place = seq
	v.again = s.Len() > 0 && end <= d.next
	if s.Flags.Has(trace.RST) {
		d.over = true
		return
	}
	if s.Len() > 0 {
		if d.times == nil {
			d.times = map[int64]transmissions{}
		}
		now := transmissions{at: v.e.At, timer: timer && v.again, arrivals: d.arrivals}
		if was, ok := d.times[seq]; ok && v.again {
			v.gap, v.gapBefore = v.e.At-was.at, was.gap
			// An ACK of what was sent before it starts the timer anew, and what a timer sends first may be a probe (RFC 8985, Section 7.3).
			if was.timer || s.Flags.Has(trace.SYN) && was.arrivals == now.arrivals {
				now.gap = v.gap
			}
		}
		d.times[seq] = now
	}
	if end-d.next < math.MaxInt32/2 {
		d.next = max(d.next, end)
	}
	d.over = d.over || s.Flags.Has(trace.FIN)
	if s.Flags.Has(trace.ACK) {
		d.ack, d.edge, d.acked = v.ack.n, v.ack.n+v.window, true
	}
}

// arrived takes in what a packet that arrived tells the host of its own numbers.
func (m *numbering) arrived(e *trace.Event, p *trace.Packet) {
	if p.Kind != trace.PacketTCP || p.TCP.Checksum == trace.ChecksumBad {
		return
	}
	f := flow{p.Destination(), p.Source()}
	d := m.directions[f]
	if d == nil || !d.known {
		return
	}
	d.arrivals++
	if p.TCP.Flags.Has(trace.ACK) {
		if una := d.count(p.TCP.Ack); una <= d.next {
			if una == d.una && una < d.next {
				d.signs++
			}
			d.una = max(d.una, una)
		}
	}
	if r := m.directions[f.back()]; r != nil && r.known {
		m.take(d, e, &p.TCP, r.count(p.TCP.Seq))
	}
}

// take notes a segment of the peer's that has arrived.
func (m *numbering) take(d *direction, e *trace.Event, s *trace.Segment, seq int64) {
	end := seq + int64(s.Len())
	d.received = max(d.received, d.ack)
	at := stamp{seq: seq, n: e.N, at: e.At, fresh: end > d.received || s.Len() == 0 && seq == d.received}
	at.tsval, _, at.known = s.Options.Timestamps()
	const valid = 24 * 24 * time.Hour // an older one says nothing (RFC 7323, Section 5.5)
	if was := d.recent; at.known && was.known && int32(at.tsval-was.tsval) < 0 && at.at-was.at < valid && s.Flags&(trace.SYN|trace.RST) == 0 {
		m.old[e.N] = true
		at.fresh = false
	}
	if d.lastArrived = at; !at.fresh {
		return
	}
	if seq <= d.received {
		d.received = max(d.received, end)
	}
	if at.known && seq <= d.ack {
		d.recent = at
	}
}

// reboot notes that a host has a new stack.
func (m *numbering) reboot(host string) { m.boots[host]++ }
