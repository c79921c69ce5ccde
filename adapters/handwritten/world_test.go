package handwritten_test

import (
	"fmt"
	"net/netip"
	"time"

	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/trace"
	"connectlab/trace/rfc9293"
	"connectlab/trace/wire"
)

// A world is two stacks and what is under way between them. Nothing happens in it but what the test says, one stimulus after the
// other, and after each all that the stacks show is held against what can be.
type world struct {
	tb    failer
	now   time.Duration
	hosts [2]*host
	mtu   int
	// forged are the segments that neither stack has sent, if there are any.
	forged []forged
	log    []string // what happened, if it is kept
	keep   bool
	buffer int    // that programs set; 0: they leave it alone
	room   []byte // for what a program sends or receives
}

// octets are room for n octets, until the next call.
func (w *world) octets(n int) []byte {
	if len(w.room) < n {
		w.room = make([]byte, max(n, 10_000))
	}
	return w.room[:n]
}

// failer is what the tests of testing and of rapid have in common here.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// A host is one stack, and what was seen of it.
type host struct {
	w       *world
	index   int
	stack   netns.Stack
	address netip.Addr
	other   *host
	wire    []underway // what it has sent, on its way to the other, oldest first
	ends    []*end     // its sockets, in the order of first sight
	of      map[netns.Socket]*end
}

// underway is a packet on its way.
type underway struct {
	since  time.Duration
	octets []byte
}

// An end is a socket: what its program has done with it and knows of it, and what it was seen to be.
type end struct {
	h      *host
	socket netns.Reporter
	number int // in the host's order of first sight

	state trace.State
	gone  bool
	born  *end // the listener that it came to; nil: a program made it

	held, opened, told, ended bool // a descriptor names it; connect or a SYN; connect has told how it went; it came to CLOSED
	impatient                 bool // its program has set a user timeout
	stood                     bool // it was in ESTABLISHED or beyond
	noRead, noSend, reuse     bool
	port                      uint16 // that a program has bound; 0: none
	pending                   error  // that ended it, and that no call has told
	failed                    bool   // an error ended it
	waiting                   []*end // of a listener: established and not accepted, the first one first

	local, remote  netip.AddrPort
	iss, irs       trace.Seq
	synced         bool
	sent, received int // octets that Send took and that Receive gave
	eof            bool
	edge           trace.Seq // the right one of its receive window
	edged          bool
	limit          int64 // of the send buffer, as it was when the connection began
}

// newWorld starts two stacks. seed makes their secrets.
func newWorld(tb failer, factories [2]netns.Factory, ipv6, ecn bool, mtu int, seed uint64, keep bool) *world {
	tb.Helper()
	w := &world{tb: tb, mtu: mtu, keep: keep}
	network := netip.MustParsePrefix("192.0.2.0/24")
	if ipv6 {
		network = netip.MustParsePrefix("2001:db8::/64")
	}
	address := network.Addr()
	for i := range w.hosts {
		address = address.Next()
		stack, err := factories[i].New(netns.Env{
			Host: []string{netns.Client, netns.Server}[i], Address: netip.PrefixFrom(address, network.Bits()), MTU: mtu, ECN: ecn,
			Seed: [32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24), byte(i)},
		})
		if err != nil {
			tb.Fatalf("%v", err)
		}
		w.hosts[i] = &host{w: w, index: i, stack: stack, address: address, of: make(map[netns.Socket]*end)}
	}
	w.hosts[0].other, w.hosts[1].other = w.hosts[1], w.hosts[0]
	return w
}

func (w *world) fatalf(format string, args ...any) {
	w.tb.Helper()
	text := fmt.Sprintf(format, args...)
	for _, line := range w.log {
		text += "\n" + line
	}
	w.tb.Fatalf("at %v: %s", w.now, text)
}

// note keeps what happens, for who looks for the reason of a failure.
func (w *world) note(format string, args ...any) {
	if w.keep {
		w.log = append(w.log, fmt.Sprintf("%v ", w.now)+fmt.Sprintf(format, args...))
	}
}

func (e *end) String() string {
	return fmt.Sprintf("socket %d of host %d (%v, %v to %v, sent %d, received %d)", e.number, e.h.index, e.state, e.local, e.remote, e.sent, e.received)
}

// A cause is what a stimulus was.
type cause uint8

const (
	byCall cause = iota
	bySegment
	byTimer
	causes
)

// edgesOf are the states that a connection can be in after a stimulus, a bit each: by the cause, whether it came to a listener, and
// the state before. They are the paths of RFC 9293's machine; a segment can lead over several edges.
var edgesOf = func() (ways [causes][2][trace.TimeWait + 1]uint16) {
	reasons := map[rfc9293.Stimulus]cause{
		rfc9293.OpenPassive: byCall, rfc9293.OpenActive: byCall, rfc9293.Close: byCall, rfc9293.Abort: byCall,
		rfc9293.UserTimeout: byTimer, rfc9293.TimeWaitTimeout: byTimer,
	}
	for _, e := range rfc9293.Edges() {
		if e.Variant != "" && e.On != rfc9293.DataAfterClose {
			continue // what a stack need not do, this one does not
		}
		why, ok := reasons[e.On]
		if !ok {
			why = bySegment
		}
		for origin := range 2 {
			if e.Origin == rfc9293.Passive && origin == 0 || e.Origin == rfc9293.Active && origin == 1 || e.From == trace.Listen && e.To == trace.SynSent {
				continue
			}
			to := e.To
			if e.From == trace.SynReceived && to == trace.Listen {
				to = trace.Closed // a connection is a socket of its own: it is gone, and the listener stays
			}
			ways[why][origin][e.From] |= 1 << to
		}
	}
	for origin := range 2 {
		// A CLOSE that had to wait: until the connection stands, or until the FIN can be sent.
		for _, why := range []cause{bySegment, byTimer} {
			ways[why][origin][trace.Established] |= 1 << trace.FinWait1
			ways[why][origin][trace.CloseWait] |= 1 << trace.LastAck
		}
		// A segment that arrives can be several stimuli.
		for range 3 {
			for from := range ways[bySegment][origin] {
				for through := range ways[bySegment][origin] {
					if st := trace.State(through); st > trace.SynReceived && st != trace.TimeWait && ways[bySegment][origin][from]&(1<<through) != 0 {
						ways[bySegment][origin][from] |= ways[bySegment][origin][through]
					}
				}
			}
		}
	}
	return ways
}()

// look is called after each stimulus of the host's stack.
func (h *host) look(why cause) {
	last := -1
	for _, s := range h.stack.(netns.Inspector).Touched() {
		e := h.of[s]
		if e == nil {
			e = h.meet(s.(netns.Reporter), why)
		}
		if e.number <= last {
			h.w.fatalf("%v stands behind number %d among the sockets that were touched", e, last)
		}
		last = e.number
		h.check(e, why)
	}
	for _, e := range h.ends {
		if e.gone {
			continue
		}
		if state := e.socket.Status().State; state != e.state {
			h.w.fatalf("%v is in %v, and was not touched", e, state)
		}
	}
	h.take()
	if at, ok := h.stack.Deadline(); ok && at < h.w.now {
		h.w.fatalf("a timer of host %d was due at %v", h.index, at)
	}
}

// meet sees a socket for the first time.
func (h *host) meet(s netns.Reporter, why cause) *end {
	e := &end{h: h, socket: s, number: len(h.ends), state: trace.Closed}
	if l := s.Status().Listener; l != nil {
		if why != bySegment {
			h.w.fatalf("a connection came to a listener, and no segment did")
		}
		e.born, e.state, e.opened, e.told = h.of[l], trace.Listen, true, true
		e.reuse, e.impatient = e.born.reuse, e.born.impatient
	}
	h.ends = append(h.ends, e)
	h.of[s] = e
	return e
}

// check looks at a socket that was touched.
func (h *host) check(e *end, why cause) {
	status := e.socket.Status()
	if e.gone {
		h.w.fatalf("%v is gone, and was touched again", e)
	}
	if status.State != e.state {
		h.moved(e, status.State, why)
	}
	var info trace.ControlInfo
	e.socket.Report(&info)
	if e.opened && info.Value(trace.ISS).Kind == trace.Number {
		if e.limit == 0 {
			e.limit = info.Value(trace.SendBufferLimit).Num
		}
		e.iss = trace.Seq(info.Value(trace.ISS).Num)
		e.local, e.remote = e.socket.LocalAddr(), e.socket.RemoteAddr()
		if v := info.Value(trace.IRS); v.Kind == trace.Number {
			if e.synced && e.irs != trace.Seq(v.Num) {
				h.w.fatalf("%v has IRS %d, it was %d", e, v.Num, e.irs)
			}
			e.irs, e.synced = trace.Seq(v.Num), true
		}
	}
	if e.state != trace.Closed && e.state != trace.Listen && e.synced {
		if una, nxt := number(&info, trace.SndUna), number(&info, trace.SndNxt); nxt.Less(una) || una.Less(e.iss) || e.iss.Add(uint32(e.sent)+2).Less(nxt) {
			h.w.fatalf("%v has ISS %d, SND.UNA %d, SND.NXT %d", e, e.iss, una, nxt)
		}
	}
	if e.state >= trace.Established {
		nxt := number(&info, trace.RcvNxt)
		edge := nxt.Add(uint32(info.Value(trace.RcvWnd).Num))
		if e.edged && (e.edge.Less(nxt) || edge.Less(e.edge)) {
			h.w.fatalf("%v has RCV.NXT %d and a window up to %d, which was %d", e, nxt, edge, e.edge)
		}
		e.edge, e.edged = edge, true
	}
	if e.state == trace.TimeWait || e.state == trace.Closed {
		unread := info.Value(trace.ReceiveBufferUsed).Num > 0 && !status.Gone
		if send, receive := handwritten.MemoryOf(e.socket); send > 0 || receive > 0 && !unread {
			h.w.fatalf("%v has done with it, and has %d octets of memory to send and %d to receive", e, send, receive)
		}
	}
	if e.gone = status.Gone; e.gone {
		if e.held {
			h.w.fatalf("%v is gone, and a descriptor names it", e)
		}
		if e.born != nil {
			e.born.waiting = remove(e.born.waiting, e)
		}
	}
}

func number(info *trace.ControlInfo, item trace.Item) trace.Seq {
	return trace.Seq(info.Value(item).Num)
}

func remove(list []*end, e *end) []*end {
	for i := range list {
		if list[i] == e {
			return append(list[:i:i], list[i+1:]...)
		}
	}
	return list
}

// moved is that a connection came to another state: by a way that there is, and with what its program will be told.
func (h *host) moved(e *end, to trace.State, why cause) {
	origin := 0
	if e.born != nil {
		origin = 1
	}
	from := e.state
	if edgesOf[why][origin][from]&(1<<to) == 0 {
		h.w.fatalf("%v went to %v by cause %d, which is no way of RFC 9293", e, to, why)
	}
	h.w.note("%v: %v", e, to)
	e.state = to
	if e.born != nil && !e.stood && to >= trace.Established && !e.held {
		e.born.waiting = append(e.born.waiting, e)
	}
	e.stood = e.stood || to >= trace.Established
	if to != trace.Closed {
		return
	}
	e.ended, e.port = true, 0
	switch {
	case why == byTimer && from != trace.TimeWait:
		e.pending = netns.ErrTimeout
	case why != bySegment:
	case from == trace.SynSent, from == trace.SynReceived && e.born == nil:
		e.pending = netns.ErrRefused
	case from == trace.Established, from == trace.FinWait1, from == trace.FinWait2, from == trace.CloseWait:
		e.pending = netns.ErrReset
	}
	e.failed = e.pending != nil
}

// take puts what the stack has sent on its way, and holds it against what all its segments have.
func (h *host) take() {
	for {
		octets, lost, ok := h.stack.Take(nil)
		if !ok {
			return
		}
		p := trace.Packet{Octets: octets, Len: len(octets)}
		wire.Decode(&p)
		s := &p.TCP
		if lost || len(octets) > h.w.mtu || p.Kind != trace.PacketTCP || p.Malformed != "" || s.Checksum != trace.ChecksumGood || p.Source().Addr() != h.address {
			h.w.fatalf("host %d sent %d octets, kind %v, %q, checksum %v, from %v: %v", h.index, len(octets), p.Kind, p.Malformed, s.Checksum, p.Source(), s)
		}
		if h.w.keep {
			h.w.note("host %d sends %v to %v: %s", h.index, p.Source(), p.Destination(), describeSegment(s))
		}
		if s.DataLen > 0 {
			h.holds(&p)
		}
		h.wire = append(h.wire, underway{h.w.now, octets})
	}
}

// holds says that data which a stack sends are those that a program has given it, at their place.
func (h *host) holds(p *trace.Packet) {
	data := p.Octets[len(p.Octets)-p.TCP.DataLen:]
	for _, e := range h.ends {
		if e.local != p.Source() || e.remote != p.Destination() {
			continue
		}
		at := p.TCP.Seq.Sub(e.iss.Add(1))
		if int64(at)+int64(len(data)) > int64(e.sent) {
			continue
		}
		right := true
		for i := range data {
			right = right && data[i] == octet(e.iss, at+uint32(i))
		}
		if right {
			return
		}
	}
	h.w.fatalf("host %d sent octets that no program gave it: %s", h.index, describeSegment(&p.TCP))
}

// octet is the octet at a place of the stream that begins behind an ISS.
func octet(iss trace.Seq, at uint32) byte {
	x := (uint32(iss) ^ at*0x9e3779b1) * 0x85ebca6b
	return byte(x>>24) ^ byte(x>>13)
}

// deliver brings a packet that is under way to the other host.
func (h *host) deliver(i int) {
	p := h.wire[i]
	h.wire = append(h.wire[:i], h.wire[i+1:]...)
	if p.since+oldest >= h.w.now {
		h.other.arrives(p.octets)
	}
}

func (h *host) arrives(octets []byte) {
	h.stack.Deliver(octets)
	h.stack.Settle()
	h.look(bySegment)
}

// oldest is how long a packet can be under way (MSL is two minutes).
const oldest = time.Minute

// advance moves both clocks.
func (w *world) advance(to time.Duration) {
	w.now = to
	for _, h := range w.hosts {
		h.stack.Advance(to)
	}
}

// timer runs the next timer of both hosts, if it is due until then.
func (w *world) timer(until time.Duration) bool {
	var next *host
	for _, h := range w.hosts {
		if at, ok := h.stack.Deadline(); ok && at <= until {
			next, until = h, at-1
		}
	}
	if next == nil {
		return false
	}
	w.advance(until + 1)
	expired := next.stack.Expire()
	w.note("host %d: timer %s", next.index, expired.Name)
	next.look(byTimer)
	return true
}

// pass lets time pass, in which nothing arrives.
func (w *world) pass(d time.Duration) {
	until := w.now + d
	for w.timer(until) {
	}
	w.advance(until)
}

// partners are the other side's records of a connection, the newest first: there can be more than one with the same ISS, where a
// listener took a SYN twice at the same time.
func (e *end) partners() (list []*end) {
	for i := len(e.h.other.ends) - 1; i >= 0 && e.synced; i-- {
		if p := e.h.other.ends[i]; e.names(p) && p.iss == e.irs {
			list = append(list, p)
		}
	}
	return list
}

// names tells whether the other host's socket has had the same names.
func (e *end) names(p *end) bool { return p.opened && p.local == e.remote && p.remote == e.local }

// partner is the one that there is, or was; nil: there is none.
func (e *end) partner() *end {
	list := e.partners()
	for _, p := range list {
		if !p.ended {
			return p
		}
	}
	if len(list) > 0 {
		return list[0]
	}
	return nil
}

// agree tells whether both ends have the other's SYN.
func (e *end) agree(p *end) bool { return p != nil && p.synced && p.irs == e.iss && e.stood && p.stood }
