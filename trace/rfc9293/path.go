package rfc9293

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"connectlab/trace"
)

// A PathError is a change of state that is no path of the machine, or one that nothing in the trace can have brought.
type PathError struct {
	Host     string
	Socket   int
	N        int // of the StateChange
	From, To trace.State
	Source   trace.Source
	Why      string
}

// Error names socket and event, and says what is wrong.
func (p *PathError) Error() string {
	return fmt.Sprintf("event %d: socket %d of %s, %v to %v (%v): %s", p.N, p.Socket, p.Host, p.From, p.To, p.Source, p.Why)
}

// Paths looks at every change of state in a trace, in order, and returns those that are no path of the machine. A change that the
// stack reported must be one edge. One that was sampled, or inferred, may be several, when states came and went within a
// step. Each edge needs its stimulus, in order, among what the trace has of the step: the call, the segment that arrived
// with its numbers, the time that ran out. What was sent counts where it is what the RFC has that edge send: the FIN of a
// CLOSE that had to wait, the RST of a close() that aborts. An edge that opens a connection, or aborts one, needs its SYN, SYN,ACK
// or RST among what was sent, unless the host has asked for a MAC and has no answer yet.
//
// A trace without changes of state has nothing to judge, and no error. Of one that is broken off the last step is not judged.
func Paths(t *trace.Trace) []PathError { return standard.walk(t).errors }

// side is one side of a four-tuple, by the index of its host.
type side struct {
	host          int
	local, remote netip.AddrPort
}

// occurrence is what an event was, to whom.
type occurrence struct {
	happened stimuli
	conn     int32 // index of a connection; 0: none
}

// connection is one side of a four-tuple with what is known of its numbers, which outlives its sockets.
type connection struct {
	Endpoint
	syn    int            // the N of the last SYN that arrived; 0: none
	answer *trace.Segment // the last SYN,ACK that was sent; nil: none
	waits  bool           // since a segment arrived it has sent one below SND.NXT, again or as a probe; or that one closed the window
}

// socket is what a walk knows of a socket.
type socket struct {
	host     string
	number   int
	state    trace.State
	since    time.Duration // when it came to that
	seen     bool
	listener int
	accepted bool
	conn     int32
	closes   bool // it was told to send its FIN
	deaf     bool // and to take no more data, so that it is closed both ways
	limited  bool // its program has set the user timeout
	lingers0 bool // SO_LINGER of 0 s: its close() is an ABORT
	orphan   bool // no descriptor names it any more
	lost     bool // its host was rebooted
}

type socketKey struct{ host, number int }

// walk goes over a trace once. What an event was to a connection is found out when it comes; a change of state is judged at the
// end of its step, since what a stack sends is recorded behind the states that it came to.
type walk struct {
	*machine
	t       *trace.Trace
	errors  []PathError
	covered [][]int // events, of each edge
	varied  []int   // the changes that went along a variant, by N

	sides       map[side]int32
	connections []connection
	sockets     map[socketKey]*socket
	asking      map[int]bool // hosts that have asked for a MAC, and had no answer yet
	was         []occurrence // of each event
	root        int          // the N of what began the step
	waiting     []int        // the N of its changes of state
	list        []bringing
}

func (m *machine) newWalk(t *trace.Trace) *walk {
	return &walk{
		machine: m, t: t, covered: make([][]int, len(m.edges)), sides: make(map[side]int32), connections: make([]connection, 1),
		sockets: make(map[socketKey]*socket), asking: make(map[int]bool), was: make([]occurrence, len(t.Events)+1),
	}
}

func (m *machine) walk(t *trace.Trace) *walk {
	w := m.newWalk(t)
	for i := range t.Events {
		w.event(&t.Events[i])
	}
	if !w.brokenOff() {
		w.endStep(len(t.Events))
	}
	return w
}

// brokenOff reports whether the trace may end in the middle of a step, so that what came of the last one is not known. A capture has no
// steps.
func (w *walk) brokenOff() bool { return w.t.End.Reason == trace.BrokenOff && !w.t.Header.Capture }

func (w *walk) host(name string) int {
	for i := range w.t.Header.Hosts {
		if w.t.Header.Hosts[i].Name == name {
			return i
		}
	}
	return -1
}

func (w *walk) socket(e *trace.Event) *socket { return w.socketOf(e.Host, e.Socket) }

func (w *walk) socketOf(host string, number int) *socket {
	key := socketKey{w.host(host), number}
	k := w.sockets[key]
	if k == nil {
		k = &socket{host: host, number: number}
		w.sockets[key] = k
	}
	return k
}

func (w *walk) connection(host string, local, remote netip.AddrPort) int32 {
	key := side{w.host(host), local, remote}
	c, ok := w.sides[key]
	if !ok {
		c = int32(len(w.connections))
		w.connections = append(w.connections, connection{})
		w.sides[key] = c
	}
	return c
}

func (w *walk) event(e *trace.Event) {
	switch d := e.Detail.(type) {
	case *trace.Call:
		w.begin(e)
		w.was[e.N].happened = w.call(e, d)
	case *trace.Return:
		if d.Accepted != 0 {
			w.socketOf(e.Host, d.Accepted).accepted = true
		}
	case *trace.Arrived:
		w.begin(e)
		w.was[e.N] = w.arrived(e, d.Packet)
	case *trace.Sent:
		if e.Cause != w.root || w.root == 0 {
			w.begin(e) // a capture has nothing that caused it
		}
		w.was[e.N] = w.sent(e, d.Packet)
	case *trace.Timer:
		w.begin(e)
	case *trace.HostChange:
		w.begin(e)
		if d.What == trace.Reboot {
			w.reboot(e)
		}
	case *trace.StateChange:
		w.waiting = append(w.waiting, e.N)
	case *trace.Fate, *trace.Control, *trace.Note:
	}
}

// begin ends the step before and begins one with its root.
func (w *walk) begin(e *trace.Event) {
	w.endStep(e.N - 1)
	w.root = e.N
}

// endStep judges the changes of state of the step that ends with the event of number last.
func (w *walk) endStep(last int) {
	for _, n := range w.waiting {
		w.change(&w.t.Events[n-1], w.t.Events[n-1].Detail.(*trace.StateChange), last)
	}
	w.waiting = w.waiting[:0]
}

// call is what a call is to the machine. A call on a listener is an ABORT to the connections that came to it and that nobody
// can accept any more.
func (w *walk) call(e *trace.Event, c *trace.Call) stimuli {
	if e.Socket == 0 {
		return 0
	}
	k := w.socket(e)
	switch c.Name {
	case "listen":
		return set(OpenPassive)
	case "connect":
		return set(OpenActive)
	case "send", "sendall":
		return set(Send)
	case "shutdown":
		if c.Text != "SHUT_WR" {
			k.deaf = true
		}
		if c.Text == "SHUT_RD" && k.state != trace.Listen {
			return 0
		}
		k.closes = true
		return set(Close)
	case "setsockopt":
		k.limited = k.limited || strings.Contains(c.Text, "TCP_USER_TIMEOUT")
		if strings.Contains(c.Text, "SO_LINGER") {
			k.lingers0 = strings.Contains(c.Text, "onoff=1") && strings.Contains(c.Text, "linger=0")
		}
	case "close":
		k.closes, k.deaf, k.orphan = true, true, true
		if k.lingers0 {
			return set(Close, Abort)
		}
		return set(Close)
	case "abort":
		k.orphan = true
		return set(Abort)
	}
	return 0
}

// reboot ends all sockets of a host; the stack that comes after it knows of no connection.
func (w *walk) reboot(e *trace.Event) {
	host := w.host(e.Host)
	delete(w.asking, host)
	for key, k := range w.sockets {
		if key.host == host {
			k.lost = true
		}
	}
	for key := range w.sides {
		if key.host == host {
			delete(w.sides, key)
		}
	}
}

func (w *walk) arrived(e *trace.Event, p *trace.Packet) occurrence {
	switch {
	case corrupted(p):
	case p.Kind == trace.PacketTCP:
		c := w.connection(e.Host, p.Destination(), p.Source())
		if p.TCP.Flags&(trace.SYN|trace.ACK|trace.RST) == trace.SYN {
			w.connections[c].syn = e.N
		}
		conn := &w.connections[c]
		conn.waits = p.TCP.Window == 0
		fills := !w.t.Header.Capture && conn.fills(&p.TCP)
		o := occurrence{conn.arrived(&p.TCP), c}
		if fills {
			o.happened |= set(FINInOrder)
		}
		if e.Socket != 0 && w.socket(e).state == trace.SynReceived {
			o.happened |= conn.unsaid(&p.TCP)
		}
		return o
	case p.Kind == trace.PacketARP && p.ARP.Operation == trace.ARPReply, p.Neighbor() && p.ICMP.Type == trace.NeighborAdvertisement:
		delete(w.asking, w.host(e.Host))
	case p.Kind == trace.PacketICMP:
		if local, remote, kind := icmpError(p); kind == hardError {
			return occurrence{set(HardError), w.connection(e.Host, local, remote)}
		}
	}
	return occurrence{}
}

// fills: the peer's FIN has come, and what the stack has acknowledged since shows that it has dropped something before it. This may be the
// last of that.
func (e *Endpoint) fills(s *trace.Segment) bool {
	return e.is(peerFinIn|notTaken|saidKnown) && e.said.LessEq(e.peerFinSeq) && s.Len() > 0 && e.said.Less(s.Seq.Add(s.Len()))
}

// unsaid is what a segment is to SYN-RECEIVED if what came before it was dropped, as with a full accept queue the ACK is and what it carries:
// then RCV.NXT is what was acknowledged.
func (e *Endpoint) unsaid(s *trace.Segment) stimuli {
	switch {
	case !e.is(saidKnown) || s.Seq.Less(e.said):
	case s.Flags.Has(trace.RST) && s.Seq == e.said:
		return set(RSTAtNext)
	case s.Flags&(trace.SYN|trace.RST) == trace.SYN && s.Seq.InWindow(e.said, maxWindow<<e.RcvWindShift):
		return set(SYNInWindow) // the window of a SYN,ACK is not scaled, and the one that is meant may be wider (RFC 7323, Section 2.3)
	}
	return 0
}

// maxWindow is the greatest window that a header can show.
const maxWindow = 1<<16 - 1

// corrupted: a stack drops it (RFC 9293, Section 3.1, MUST-3).
func corrupted(p *trace.Packet) bool {
	return p.IP.Checksum == trace.ChecksumBad || p.TCP.Checksum == trace.ChecksumBad
}

// sent is what the trace shows by what a host sends. A capture has no calls, there each shows one. A record has them, and there a
// segment only shows when the stack did what it was told, or that it took a variant.
func (w *walk) sent(e *trace.Event, p *trace.Packet) occurrence {
	if p.Kind == trace.PacketARP && p.ARP.Operation == trace.ARPRequest ||
		p.Neighbor() && p.ICMP.Type == trace.NeighborSolicitation && !p.IP.Src.IsUnspecified() { // else it asks whether its own address is free
		w.asking[w.host(e.Host)] = true
	}
	if p.Kind != trace.PacketTCP || w.t.Header.Capture && corrupted(p) { // what was captured damaged is not what the host sent
		return occurrence{}
	}
	c := w.connection(e.Host, p.Source(), p.Destination())
	if conn := &w.connections[c]; conn.Knows.Has(KnowsSndNxt) && p.TCP.Seq.Less(conn.SndNxt) && !p.TCP.Flags.Has(trace.RST) {
		conn.waits = true
	}
	o := occurrence{w.connections[c].sent(&p.TCP), c}
	if p.TCP.Flags.Has(trace.SYN | trace.ACK) {
		w.connections[c].answer = &p.TCP
	}
	if e.Socket == 0 {
		return o
	}
	k := w.socket(e)
	if k.state != trace.Listen || p.TCP.Flags&(trace.SYN|trace.ACK) == trace.SYN { // else a listener sends for others
		k.conn = c
	}
	if w.t.Header.Capture {
		if w.connections[c].cross(o.happened) {
			o.happened |= set(FINInOrder)
		}
		return o
	}
	may := set(SYNWithNewerTime, SYNBeyond, SYNInWindow, SYNACKCrossing, FINInOrder)
	if k.closes {
		may |= set(Close)
	}
	if k.closes && k.deaf {
		may |= set(DataAfterClose)
	}
	if call, ok := w.t.Events[w.root-1].Detail.(*trace.Call); ok && (call.Name == "close" || call.Name == "shutdown" || call.Name == "abort") {
		may |= set(Abort)
	}
	o.happened &= may
	return o
}

// change judges a change of state, with the events up to last.
func (w *walk) change(e *trace.Event, d *trace.StateChange, last int) {
	k := w.socket(e)
	fail := func(format string, args ...any) {
		w.errors = append(w.errors, PathError{e.Host, e.Socket, e.N, d.From, d.To, d.Source, fmt.Sprintf(format, args...)})
	}
	before := *k
	k.seen, k.state = true, d.To
	if d.Listener != 0 {
		k.listener = d.Listener
	}
	if d.To == trace.Closed && k.conn != 0 {
		w.connections[k.conn].State = trace.Closed
	}
	switch {
	case d.From != before.state:
		fail("it was in %v", before.state)
	case d.To == trace.NotObserved:
		fail("a state that was observed is not unknown afterwards")
	case d.To == d.From && before.seen: // only the stack's own word is another one
	case before.lost:
		if _, reboot := w.cause(e).(*trace.HostChange); d.To != trace.Closed || !reboot {
			fail("its host was rebooted before")
		}
	case !before.seen:
		w.first(e, d, k, last, fail)
	default:
		from := route{before.state}
		if s, ok := w.cause(e).(*trace.Sent); ok && d.Source == trace.Inferred {
			c := &w.connections[k.conn]
			switch flags := s.Packet.TCP.Flags; {
			case flags.Has(trace.SYN) && (c.Origin == Passive || !flags.Has(trace.ACK)):
				// Of one side of a four-tuple in a capture, the next connection begins when it sends another SYN, or answers one.
				from = append(from, trace.Closed, trace.Listen)
			case before.state == trace.CloseWait && c.cross(w.was[e.Cause].happened):
				from = route{trace.FinWait1} // it was there before the peer's FIN came, and never in CLOSE-WAIT
			}
		}
		w.goes(e, d, k, from, last, fail)
	}
	k.since = e.At
}

// route are the states from which a path may begin.
type route []trace.State

// first judges the first that is known of a socket. A socket() begins in CLOSED; a connection that came to a listener begins
// in LISTEN.
func (w *walk) first(e *trace.Event, d *trace.StateChange, k *socket, last int, fail func(string, ...any)) {
	switch {
	case d.Listener != 0:
		if cause, ok := w.cause(e).(*trace.Arrived); ok && cause.Packet.Kind == trace.PacketTCP {
			k.conn = w.was[e.Cause].conn
			w.cookie(e, k, &cause.Packet.TCP, last)
		}
		w.goes(e, d, k, route{trace.Listen}, last, fail)
	case d.Source == trace.Inferred:
		w.joined(e, d, k, last, fail)
	case d.To != trace.Closed:
		fail("a socket begins in CLOSED, and a connection that came to a listener with what brought it")
	default:
		if call, ok := w.cause(e).(*trace.Call); !ok || call.Name != "socket" {
			fail("nobody has made a socket")
		}
	}
}

// cause is what caused an event; nil: nothing.
func (w *walk) cause(e *trace.Event) trace.Detail {
	if c := w.t.Event(e.Cause); c != nil {
		return c.Detail
	}
	return nil
}

// joined judges the first state that was inferred: what the first segments show, or what was known before this part of
// a capture.
func (w *walk) joined(e *trace.Event, d *trace.StateChange, k *socket, last int, fail func(string, ...any)) {
	if w.cause(e) == nil {
		return
	}
	k.conn = w.was[e.Cause].conn
	if w.path(e, d, k, route{trace.Closed, trace.Listen}, last) {
		return
	}
	_, sent := w.cause(e).(*trace.Sent)
	if c := &w.connections[k.conn]; k.conn == 0 || c.is(synSent) || c.join(w.was[e.Cause].happened, sent) != d.To {
		fail("it begins here, and %s", w.told(e, k, last))
	}
}

// cookie looks at a connection anew that begins with the ACK of a SYN,ACK that was sent. What came before that ACK was kept by
// nobody, if the SYN,ACK was a SYN cookie; and it is good for more than one, so that an old segment can make another connection
// when the first is over.
func (w *walk) cookie(e *trace.Event, k *socket, s *trace.Segment, last int) {
	c := &w.connections[k.conn]
	if c.answer == nil || s.Flags&(trace.SYN|trace.ACK|trace.RST) != trace.ACK || s.Seq != c.answer.Ack || s.Ack != c.answer.Seq.Add(1) {
		return
	}
	c.Endpoint, c.waits = Endpoint{}, false
	if c.syn != 0 {
		c.arrived(&w.t.Events[c.syn-1].Detail.(*trace.Arrived).Packet.TCP)
	}
	c.sent(c.answer)
	w.was[e.Cause].happened = c.arrived(s)
	for n := e.Cause + 1; n <= last; n++ {
		next := &w.t.Events[n-1]
		if d, ok := next.Detail.(*trace.Sent); ok && w.was[n].conn == k.conn {
			w.was[n] = w.sent(next, d.Packet)
		}
	}
}

// goes judges a change from a state that was known.
func (w *walk) goes(e *trace.Event, d *trace.StateChange, k *socket, from route, last int, fail func(string, ...any)) {
	if !w.path(e, d, k, from, last) {
		fail("%s", w.told(e, k, last))
	}
}

// told is for a PathError: what happened that could have brought a change.
func (w *walk) told(e *trace.Event, k *socket, last int) string {
	var list []string
	for _, b := range w.brought(e, k, last) {
		for s := range Stimulus(numStimuli) {
			if b.happened.has(s) {
				list = append(list, fmt.Sprintf("%v (event %d)", s, b.n))
			}
		}
	}
	if len(list) == 0 {
		return "nothing happened that brings a connection to another state"
	}
	return "no edge leads there by what happened: " + strings.Join(list, ", ")
}

// bringing is an event that can have brought a change of state.
type bringing struct {
	n        int
	happened stimuli
	before   bool // it came in an earlier step
}

// brought lists what a change of state can come from, in order: what caused it, and what was sent in the same step. The list is
// good until the next.
func (w *walk) brought(e *trace.Event, k *socket, last int) []bringing {
	w.list = w.list[:0]
	cause := e.Cause
	if cause == 0 {
		cause = w.root
	}
	if cause == 0 {
		return nil
	}
	// A connection that came from a SYN cookie is seen first when the ACK has come: the stack kept no state, and so there was no
	// socket in SYN-RECEIVED. But the SYN did arrive and was answered for that four-tuple, and the ACK acknowledges the answer.
	c := &w.connections[k.conn]
	if k.conn != 0 && e.Detail.(*trace.StateChange).From == trace.NotObserved && c.Origin == Passive && c.is(synAcked) && c.syn != 0 && c.syn < cause {
		w.list = append(w.list, bringing{c.syn, set(SYNArrives), true})
	}
	root := len(w.list)
	for n := cause; n <= last; n++ {
		s := &w.t.Events[n-1]
		if _, sent := s.Detail.(*trace.Sent); n > cause && (!sent || s.Cause != cause) {
			continue
		}
		happened := w.applies(s, k, e.Detail.(*trace.StateChange).From)
		if n > cause && happened.has(Abort) && len(w.list) > root {
			w.list[root].happened &^= set(Close) // a close() that sends a RST is none
		}
		if happened != 0 {
			w.list = append(w.list, bringing{n, happened, false})
		}
	}
	return w.list
}

// applies is what an event was to a socket that was in a state.
func (w *walk) applies(e *trace.Event, k *socket, from trace.State) stimuli {
	o := w.was[e.N]
	if e.Host != k.host {
		return 0
	}
	switch d := e.Detail.(type) {
	case *trace.Call:
		if e.Socket == k.number {
			return o.happened
		}
		if e.Socket == k.listener && !k.accepted && o.happened&set(Close, Abort) != 0 {
			return set(Abort)
		}
	case *trace.Timer:
		if e.Socket == k.number || e.Socket == 0 {
			return w.ranOut(e, d, k, from)
		}
	case *trace.Sent, *trace.Arrived:
		if o.conn != 0 && o.conn == k.conn {
			return o.happened
		}
	case *trace.Return, *trace.Fate, *trace.StateChange, *trace.Control, *trace.HostChange, *trace.Note:
	}
	return 0
}

// ranOut is what a time that ran out is to a socket: the names of timers are the stack's own, so the state says which it was. A call's
// deadline is none of the connection's. 2 MSL are not over when they begin (RFC 9293, Section 3.6.1, MUST-13), and for a user
// timeout something has to wait for an answer: a SYN or a FIN, and in the other states what was sent, a keep-alive and a
// probe of the window too, or data for which there is no window.
func (w *walk) ranOut(e *trace.Event, d *trace.Timer, k *socket, from trace.State) stimuli {
	c := &w.connections[k.conn]
	switch {
	case d.Name == "SO_RCVTIMEO" || d.Name == "SO_SNDTIMEO":
		return 0
	case from == trace.TimeWait && e.At == k.since:
		return 0
	case from == trace.TimeWait:
		return set(TimeWaitTimeout)
	case from == trace.FinWait2 && k.orphan:
		return set(FINWait2Timeout)
	case from != trace.Established && from != trace.FinWait2 && from != trace.CloseWait,
		c.SndUna != c.SndNxt, c.waits, w.asking[w.host(k.host)]:
		return set(UserTimeout)
	}
	return 0
}

// step is how a state was reached: the edge, and how many edges it took.
type step struct {
	length int // 0: not reached; else one more than the edges
	edge   int // -1: a state to begin from
	before trace.State
}

// reach is how each state was reached, if it was.
type reach [trace.TimeWait + 1]step

// by goes on from each state that was reached, by what happened at once: it may be several edges, as an ACK and a FIN are. The
// shortest way to a state is kept. out is what was sent in the step.
func (r *reach) by(m *machine, happened stimuli, origin Origin, arrives bool, out output) {
	for changed := true; changed; {
		changed = false
		for s := trace.Closed; s <= trace.TimeWait; s++ {
			if r[s].length == 0 || happened&m.on[s][1] == 0 {
				continue
			}
			left := happened
			if left.has(FINWithAckOfFIN) && len(m.rows[s][FINWithAckOfFIN]) > 0 {
				left &^= set(FINInOrder) // its ACK is looked at first (RFC 9293, Section 3.10.7.4), so it is no FIN alone
			}
			for on := range Stimulus(numStimuli) {
				if !left.has(on) {
					continue
				}
				for _, row := range m.rows[s][on] {
					edge := &m.edges[row]
					if edge.Origin != AnyOrigin && edge.Origin != origin || arrives && edge.answered() || edge.needs()&^out != 0 {
						continue
					}
					if to := &r[edge.To]; to.length == 0 || to.length > r[s].length+1 {
						*to = step{r[s].length + 1, int(row), s}
						changed = true
					}
				}
			}
		}
	}
}

// answered reports whether an edge that a segment brings is a variant that what the stack sends shows: else it has stayed.
func (e *Edge) answered() bool { return e.Variant != "" && e.Variant != variantFig7 }

// output is what was sent in the step of a change of state, so far as an edge can need it. What waits for the peer's MAC will be
// sent. In a capture, where each segment is a step, an edge needs nothing beside its segment; nor does the end of a
// connection in SYN-RECEIVED when its listener is closed.
func (w *walk) output(e *trace.Event, d *trace.StateChange, k *socket, last int) (out output) {
	if d.Source == trace.Inferred || w.asking[w.host(k.host)] {
		return outAll
	}
	root := w.t.Event(e.Cause)
	if root == nil {
		return 0
	}
	if _, call := root.Detail.(*trace.Call); call && d.From == trace.SynReceived && root.Socket == k.listener {
		out = outRST
	}
	for n := e.Cause; n <= last; n++ {
		s, ok := w.t.Events[n-1].Detail.(*trace.Sent)
		if !ok || w.was[n].conn == 0 || w.was[n].conn != k.conn {
			continue
		}
		switch flags := s.Packet.TCP.Flags; {
		case flags.Has(trace.RST):
			out |= outRST
		case flags.Has(trace.SYN | trace.ACK):
			out |= outSYNACK
		case flags.Has(trace.SYN):
			out |= outSYN
		}
	}
	return out
}

// tookFIN reports whether in the step that ends with a change of state a FIN came that the stack has acknowledged. One that
// it has not it may have thrown away, and gone where the rest of the segment brings it.
func (w *walk) tookFIN(e *trace.Event, k *socket, happened stimuli) bool {
	for _, n := range w.waiting {
		if other := &w.t.Events[n-1]; n > e.N && other.Host == e.Host && other.Socket == e.Socket {
			return false // it is on its way
		}
	}
	c := &w.connections[k.conn]
	return happened.has(FINInOrder) && c.is(peerFin|saidKnown) && c.peerFinSeq.Less(c.said)
}

// beforeFIN reports whether a connection in a state has not had the peer's FIN.
func beforeFIN(s trace.State) bool { return s >= trace.SynSent && s <= trace.FinWait2 }

// path looks for the shortest path to the state that a socket has come to, by what happened, and counts its edges.
func (w *walk) path(e *trace.Event, d *trace.StateChange, k *socket, from route, last int) bool {
	var r reach
	for _, s := range from {
		r[s] = step{length: 1, edge: -1}
	}
	origin := Active
	if k.listener != 0 || k.conn != 0 && w.connections[k.conn].Origin == Passive {
		origin = Passive
	}
	var happened stimuli
	out := w.output(e, d, k, last)
	for _, b := range w.brought(e, k, last) {
		_, arrives := w.t.Events[b.n-1].Detail.(*trace.Arrived)
		have := out
		if b.before {
			have |= outSYNACK
		}
		r.by(w.machine, b.happened, origin, arrives, have)
		happened |= b.happened
		if b.before && r[trace.SynReceived].length > 0 {
			r[trace.SynReceived].length = 1 // the SYN of a SYN cookie brings nowhere by itself
		}
	}
	if beforeFIN(d.To) && w.tookFIN(e, k, happened) {
		return false
	}
	end := &r[d.To]
	if end.length < 2 && d.To == trace.Closed {
		// A record has a socket for each connection. Where the machine goes back to LISTEN, or on to another connection, it ends.
		if back := &r[trace.Listen]; back.before == trace.SynReceived && k.listener != 0 {
			end = back
		}
		if next := &r[trace.SynReceived]; next.before == trace.TimeWait {
			end = next
		}
	}
	if end.length < 2 || d.Source == trace.Reported && end.length > 2 && d.From != trace.NotObserved {
		return false
	}
	for ; end.edge >= 0; end = &r[end.before] {
		w.covered[end.edge] = append(w.covered[end.edge], e.N)
		if w.edges[end.edge].Variant != "" {
			w.varied = append(w.varied, e.N)
		}
	}
	return true
}
