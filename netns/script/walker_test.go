package script_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"connectlab/trace"
)

// A walker walks over a trace from the first event to the last and complains of each whose cause, order or attribution cannot
// be. Its rules are taken from what design.md says of the record and from RFC 9293; none of them asks code of netns.
//
// What it takes for granted is one stimulus a step: a root (a call, a packet's arrival, a timer, something done to a host), and
// behind it what came of it, up to the next root.
type walker struct {
	t          *trace.Trace
	complaints []string

	root     *trace.Event // of the step; nil before the first
	touched  []*seenSocket
	segment  segment       // of the root, if a segment arrived
	talk     *neighborTalk // of the root, if it was about a neighbor's MAC address
	macs     map[neighbor]trace.MAC
	changed  map[socketID]int
	sockets  map[socketID]*seenSocket
	numbers  map[string]int              // the highest number of a socket on each host
	open     map[string]map[int]socketID // descriptors of each host
	calls    map[int]*trace.Event        // that have not come back, by N
	died     map[int]bool                // calls that died with their host
	arrived  map[int]int                 // arrivals of each Sent
	fates    map[int]*trace.Event        // of each Sent
	inFlight []*trace.Event              // Sents that have not arrived, in the order of sending
	highest  map[way4]uint32             // the end of what was sent, of each direction of a connection
	acked    map[way4]uint32             // the highest acknowledgment number that was sent
	heard    map[way4][]uint32           // the ends of the segments that arrived and occupy sequence numbers
}

// way4 is one direction of one connection: the sockets of a four-tuple differ in their numbers.
type way4 struct {
	socket           socketID
	source, destined netip.AddrPort
}

// neighbor is an address as one host knows it.
type neighbor struct {
	host string
	addr netip.Addr
}

// neighborTimer is the name of a timer that is of no socket, but of a neighbor.
const neighborTimer = "neighborEntry.timer"

// seenSocket is what the walker knows of a socket.
type seenSocket struct {
	id       socketID
	state    trace.State
	word     string
	listener int
	info     [trace.NumItems]trace.Value
	closing  bool // the application has closed it, or its direction of sending
	fds      int
	rebooted bool
	ended    bool // gone, in an earlier step
	first    int
}

func (s *seenSocket) number(i trace.Item) (uint32, bool) {
	v := s.info[i]
	return uint32(v.Num), v.Kind == trace.Number
}

// gone: the socket is closed, and nothing can name it.
func (s *seenSocket) gone() bool { return s.state == trace.Closed && (s.fds == 0 || s.rebooted) }

// walk returns what there is to complain of.
func walk(t *trace.Trace) []string {
	w := &walker{
		t: t, changed: map[socketID]int{}, sockets: map[socketID]*seenSocket{}, numbers: map[string]int{},
		open: map[string]map[int]socketID{}, calls: map[int]*trace.Event{}, died: map[int]bool{}, arrived: map[int]int{},
		fates: map[int]*trace.Event{}, macs: map[neighbor]trace.MAC{}, highest: map[way4]uint32{}, acked: map[way4]uint32{}, heard: map[way4][]uint32{},
	}
	for i := range t.Events {
		e := &t.Events[i]
		if e.N != i+1 {
			w.fail(e, "its number is %d and should be %d", e.N, i+1)
		}
		if i > 0 && e.At < t.Events[i-1].At {
			w.fail(e, "it happens at %v, before event %d at %v", e.At, i, t.Events[i-1].At)
		}
		if e.Cause < 0 || e.Cause >= e.N {
			w.fail(e, "its cause is %d, and an effect comes behind its cause", e.Cause)
			continue
		}
		w.event(e)
	}
	w.end()
	return w.complaints
}

func (w *walker) fail(e *trace.Event, format string, args ...any) {
	w.complaints = append(w.complaints, fmt.Sprintf("event %d (%s %d, %v, %T): ", e.N, e.Host, e.Socket, e.At, e.Detail)+fmt.Sprintf(format, args...))
}

func (w *walker) event(e *trace.Event) {
	switch d := e.Detail.(type) {
	case *trace.Call:
		w.step(e)
		w.call(e, d)
	case *trace.Timer:
		w.step(e)
		w.timer(e, d)
	case *trace.HostChange:
		w.step(e)
		w.hostChange(e, d)
	case *trace.Arrived:
		w.step(e)
		w.arrival(e, d)
	case *trace.Note:
		if e.Cause != 0 {
			w.fail(e, "a remark of the story has the cause %d", e.Cause)
		}
	case *trace.Sent:
		w.effect(e)
		w.sent(e, d)
	case *trace.Fate:
		w.fate(e, d)
	case *trace.StateChange:
		w.effect(e)
		w.state(e, d)
	case *trace.Control:
		w.effect(e)
		w.control(e, d)
	case *trace.Return:
		w.effect(e)
		w.comeBack(e, d)
	}
}

// step begins a step with its root.
func (w *walker) step(e *trace.Event) {
	w.endStep()
	w.root, w.changed = e, map[socketID]int{}
	if _, ok := e.Detail.(*trace.Arrived); !ok && e.Cause != 0 {
		w.fail(e, "it is a program's, a timer's or the world's own step, and its cause is %d", e.Cause)
	}
}

// endStep looks at the step as a whole.
func (w *walker) endStep() {
	r := w.root
	if r == nil {
		return
	}
	for _, s := range w.touched {
		s.ended = s.gone()
	}
	w.touched = w.touched[:0]
	if h, ok := r.Detail.(*trace.HostChange); ok && h.What == trace.Reboot { // the stack that went knew them to the last
		for n := range w.macs {
			if n.host == r.Host {
				delete(w.macs, n)
			}
		}
	}
	if _, ok := r.Detail.(*trace.Timer); ok && !w.hasEffect(r.N) {
		w.fail(r, "a timer that did nothing is no event")
	}
}

func (w *walker) hasEffect(n int) bool {
	for _, e := range w.t.Events[n:] {
		if e.Cause == n {
			return true
		}
		if e.At != w.t.Events[n-1].At {
			break
		}
	}
	return false
}

// effect: a packet that was sent, a state, control information, a return: each is caused by the root of its step, which
// happened on the same host, now.
func (w *walker) effect(e *trace.Event) {
	switch r := w.root; {
	case r == nil:
		w.fail(e, "nothing has happened that could have caused it")
	case e.Cause != r.N:
		w.fail(e, "its cause is %d, and the root of its step is %d", e.Cause, r.N)
	case r.Host != e.Host || r.At != e.At:
		w.fail(e, "its cause %d happened on %s at %v", r.N, r.Host, r.At)
	}
}

// socketOf is the socket of an event that must have been seen before.
func (w *walker) socketOf(e *trace.Event) *seenSocket {
	s := w.sockets[idOf(e)]
	if s == nil {
		w.fail(e, "socket %d of the %s has not been seen before", e.Socket, e.Host)
		return &seenSocket{id: idOf(e)}
	}
	return s
}

// touch: something happens to a socket that is not gone.
func (w *walker) touch(e *trace.Event, s *seenSocket) {
	if s.ended {
		w.fail(e, "the socket is gone")
	}
	w.touched = append(w.touched, s)
}

func (w *walker) call(e *trace.Event, c *trace.Call) {
	w.calls[e.N] = e
	if c.FD < 0 {
		if e.Socket != 0 {
			w.fail(e, "%s() has no descriptor and is on socket %d", c.Name, e.Socket)
		}
		return
	}
	named, ok := w.open[e.Host][c.FD]
	if ok != (e.Socket != 0) || ok && named != idOf(e) {
		w.fail(e, "descriptor %d names %v", c.FD, named)
	}
	s := w.sockets[idOf(e)]
	switch {
	case s == nil:
		return
	case c.Name == "close" || c.Name == "abort":
		s.closing = true
		s.fds--
		delete(w.open[e.Host], c.FD)
	case c.Name == "shutdown" && c.Text != "SHUT_RD":
		s.closing = true
	}
	w.touch(e, s)
}

func (w *walker) timer(e *trace.Event, d *trace.Timer) {
	if d.Name == neighborTimer && e.Socket == 0 && w.t.Header.Link == trace.LinkEthernet {
		return
	}
	if e.Socket == 0 || d.Name == "" {
		w.fail(e, "a timer without a socket or a name: %q", d.Name)
		return
	}
	if s := w.socketOf(e); s.state == trace.Closed || s.state == trace.Listen {
		w.fail(e, "a timer of a socket in %v", s.state)
	}
}

func (w *walker) hostChange(e *trace.Event, d *trace.HostChange) {
	if d.What != trace.Reboot {
		return
	}
	for n, c := range w.calls {
		if c.Host == e.Host {
			w.died[n] = true
			delete(w.calls, n)
		}
	}
	for id, s := range w.sockets {
		if id.host == e.Host {
			s.rebooted = true
		}
	}
	delete(w.open, e.Host)
}

// holder is the number of the socket that a segment for this host belongs to: the connection with its four-tuple, else the
// listening socket of its port, else 0.
func (w *walker) holder(host string, local, remote netip.AddrPort) int {
	best := 0
	for id, s := range w.sockets {
		if id.host != host || s.rebooted || s.state == trace.Closed || s.state == trace.Listen {
			continue
		}
		if s.has(local, remote) && id.number > best {
			best = id.number
		}
	}
	if best > 0 {
		return best
	}
	for id, s := range w.sockets {
		port, _ := s.number(trace.LocalPort)
		if id.host == host && !s.rebooted && s.state == trace.Listen && uint16(port) == local.Port() {
			return id.number
		}
	}
	return 0
}

// has reports whether the socket has these two names.
func (s *seenSocket) has(local, remote netip.AddrPort) bool {
	lp, ok1 := s.number(trace.LocalPort)
	rp, ok2 := s.number(trace.RemotePort)
	return ok1 && ok2 && uint16(lp) == local.Port() && uint16(rp) == remote.Port() &&
		s.info[trace.LocalAddress].Text == local.Addr().String() && s.info[trace.RemoteAddress].Text == remote.Addr().String()
}

func (w *walker) arrival(e *trace.Event, d *trace.Arrived) {
	sent := w.t.Event(e.Cause)
	if sent == nil {
		w.fail(e, "an arrival has no cause")
		return
	}
	s, ok := sent.Detail.(*trace.Sent)
	if !ok || sent.Host == e.Host {
		w.fail(e, "its cause %d is no packet of the other host", sent.N)
		return
	}
	w.arrived[sent.N]++
	at, fate := sent.At+w.t.Header.Delay, w.fates[sent.N]
	ft := &trace.Fate{Kind: trace.Dropped}
	if fate != nil {
		ft = fate.Detail.(*trace.Fate)
	}
	if fate != nil && ft.Kind.Lost() {
		w.fail(e, "the packet of %d was lost: %v", sent.N, ft.Kind)
	}
	octets := d.Packet.Octets
	switch {
	case fate == nil && w.arrived[sent.N] > 1:
		w.fail(e, "the packet of %d has arrived before", sent.N)
	case fate == nil:
	case ft.Kind == trace.Delayed:
		at += ft.Delay
	case ft.Kind == trace.Duplicated:
		if w.arrived[sent.N] == 2 {
			at += ft.Delay
		}
	case ft.Kind == trace.Reordered:
		if e.At >= at && e.At <= at+time.Second {
			at = e.At
		}
	case ft.Kind == trace.Corrupted && w.behindLink(ft.Octet) < len(octets):
		octets = slices.Clone(octets)
		octets[w.behindLink(ft.Octet)] ^= 0x80 >> ft.Bit
	}
	if e.At != at {
		w.fail(e, "the packet of %d arrives at %v and should at %v", sent.N, e.At, at)
	}
	if !bytes.Equal(octets, s.Packet.Octets) {
		w.fail(e, "the octets are not those of %d, or differ in other bits than the link corrupted", sent.N)
	}
	w.order(e, sent)
	w.segment, w.talk = segment{}, nil
	if talk, ok := readNeighborTalk(d.Packet); ok {
		w.talk = &talk
		w.macs[neighbor{e.Host, talk.from}] = talk.mac
	}
	seg, ok := readSegment(d.Packet)
	if !ok {
		if e.Socket != 0 {
			w.fail(e, "it is no segment, and for socket %d", e.Socket)
		}
		return
	}
	w.segment = seg
	if want := w.holder(e.Host, seg.dst, seg.src); e.Socket != want {
		w.fail(e, "the segment from %v to %v is for socket %d", seg.src, seg.dst, want)
	}
	if seg.length() > 0 && e.Socket != 0 {
		to := way4{idOf(e), seg.dst, seg.src}
		w.heard[to] = append(w.heard[to], seg.end())
	}
}

// behindLink is where an octet stands that is counted from the IP header.
func (w *walker) behindLink(octet int) int {
	if w.t.Header.Link == trace.LinkEthernet {
		return 14 + octet
	}
	return octet
}

// order: what was sent earlier and had no fate arrives earlier.
func (w *walker) order(e, sent *trace.Event) {
	for i, s := range w.inFlight {
		if s == sent {
			if w.fates[s.N] == nil || w.arrived[s.N] == 2 || w.fates[s.N].Detail.(*trace.Fate).Kind != trace.Duplicated {
				w.inFlight = slices.Delete(w.inFlight, i, i+1)
			}
			return
		}
		if w.fates[s.N] == nil && w.fates[sent.N] == nil {
			w.fail(e, "it overtakes %d", s.N)
		}
	}
	w.fail(e, "the packet of %d is not on its way", sent.N)
}

func (w *walker) fate(e *trace.Event, d *trace.Fate) {
	sent := w.t.Event(e.Cause)
	switch {
	case sent == nil || sent.N == 0 || packetOf(sent) == nil || w.arrived[sent.N] > 0:
		w.fail(e, "its cause %d is not a packet that was sent", e.Cause)
		return
	case sent.Host != e.Host || sent.Socket != e.Socket || sent.At != e.At:
		w.fail(e, "it is a fate of another packet than that of %d", sent.N)
	case w.fates[sent.N] != nil:
		w.fail(e, "the packet of %d has a fate already", sent.N)
	}
	byRule := d.Kind != trace.QueueFull && d.Kind != trace.LinkDown && d.Kind != trace.HostGone && d.Kind != trace.TooLong
	if byRule != slices.Contains(w.t.Header.Faults, d.Rule) {
		w.fail(e, "%v by the rule %q; the rules are %q", d.Kind, d.Rule, w.t.Header.Faults)
	}
	if _, reboot := w.root.Detail.(*trace.HostChange); (d.Kind == trace.HostGone) != reboot {
		w.fail(e, "%v, and the cause of the packet is %d", d.Kind, w.root.N)
	}
	w.fates[sent.N] = e
	if d.Kind.Lost() {
		w.inFlight = slices.DeleteFunc(w.inFlight, func(s *trace.Event) bool { return s == sent })
	}
}

func (w *walker) sent(e *trace.Event, d *trace.Sent) {
	w.inFlight = append(w.inFlight, e)
	seg, ok := readSegment(d.Packet)
	if w.t.Header.Link == trace.LinkEthernet {
		w.frame(e, d.Packet, &seg, ok)
	}
	if !ok {
		if e.Socket != 0 {
			w.fail(e, "it is no segment, and of socket %d", e.Socket)
		}
		return
	}
	if info := w.t.Header.Host(e.Host); info == nil || !strings.HasPrefix(info.Address, seg.src.Addr().String()+"/") {
		w.fail(e, "it comes from %v", seg.src)
	}
	if seg.wrongChecksum {
		w.fail(e, "its checksum is wrong")
	}
	s := &seenSocket{}
	if e.Socket != 0 {
		s = w.socketOf(e)
	}
	if s.state != trace.Listen && e.Socket != 0 && !s.has(seg.src, seg.dst) {
		w.fail(e, "socket %d is not from %v to %v", e.Socket, seg.src, seg.dst)
	}
	if e.Socket == 0 && !seg.flags.Has(trace.RST) {
		w.fail(e, "%v is of no socket", seg.flags)
	}
	w.sentBecause(e, s, &seg)
	w.sentFrom(e, s, &seg)

	from := way4{idOf(e), seg.src, seg.dst}
	if seg.flags.Has(trace.RST) {
		return
	}
	if end, known := w.highest[from]; !known || before(end, seg.end()) {
		w.highest[from] = seg.end()
	}
	if seg.flags.Has(trace.ACK) {
		if was, known := w.acked[from]; !known || before(was, seg.ack) {
			w.acked[from] = seg.ack
		}
	}
}

// frame: each goes from the host's own MAC address to one that the host has heard of, and a question goes to many.
func (w *walker) frame(e *trace.Event, p *trace.Packet, seg *segment, isSegment bool) {
	dst, src := trace.MAC(p.Octets), trace.MAC(p.Octets[6:])
	own := w.t.Header.Host(e.Host)
	if src != own.MAC {
		w.fail(e, "the frame comes from %v", src)
	}
	talk, isTalk := readNeighborTalk(p)
	switch {
	case isSegment:
		if mac, known := w.macs[neighbor{e.Host, seg.dst.Addr()}]; !known || mac != dst {
			w.fail(e, "it is sent to %v, and the host has heard of %v for %v", dst, mac, seg.dst.Addr())
		}
	case !isTalk:
		w.fail(e, "it is neither a segment nor about a neighbor")
	case talk.mac != own.MAC || !strings.HasPrefix(own.Address, talk.from.String()+"/"):
		w.fail(e, "it tells that %v is %v", talk.from, talk.mac)
	case !talk.asks:
		asked := w.root != nil && w.talk != nil && w.talk.asks && w.talk.of == talk.of && w.talk.mac == dst
		if _, arrival := w.root.Detail.(*trace.Arrived); !arrival || !asked {
			w.fail(e, "%v tells its MAC address, and nobody has asked", talk.from)
		}
	case dst[0]&1 == 1: // to many, since nobody is known yet, or nobody answers
		timer, again := w.root.Detail.(*trace.Timer)
		if _, known := w.macs[neighbor{e.Host, talk.of}]; known || again && timer.Name != neighborTimer {
			w.fail(e, "it asks for %v, which is known: %v, because of %d", talk.of, known, e.Cause)
		}
	}
}

// waited reports whether the root is the answer for which packets to an address have waited.
func (w *walker) waited(to netip.Addr) bool {
	_, arrival := w.root.Detail.(*trace.Arrived)
	return arrival && w.talk != nil && w.talk.from == to
}

// sentBecause says what may let a socket send such a segment.
func (w *walker) sentBecause(e *trace.Event, s *seenSocket, seg *segment) {
	if w.waited(seg.dst.Addr()) {
		return // a call, a segment or a timer has let the socket send it, earlier
	}
	from := way4{idOf(e), seg.src, seg.dst}
	end, sentBefore := w.highest[from]
	fresh := !sentBefore || before(end, seg.end())

	because := func(ok bool, what string) {
		if !ok {
			w.fail(e, "%v (seq %d, %d octets of data) is caused by %d, and %s", seg.flags, seg.seq, seg.data, e.Cause, what)
		}
	}
	var in *segment
	var call *trace.Call
	timer := ""
	switch d := w.root.Detail.(type) {
	case *trace.Arrived:
		in = &w.segment
		because(in.src == seg.dst && in.dst == seg.src, "that is of another connection")
	case *trace.Call:
		call = d
		because(w.root.Socket == e.Socket || s.listener != 0 && s.listener == w.root.Socket, "that is a call on another socket")
	case *trace.Timer:
		timer = d.Name
		because(w.root.Socket == e.Socket, "that is another socket's timer")
	case *trace.HostChange:
		because(seg.flags.Has(trace.RST), "a host that is taken away only resets")
		return
	default:
	}
	called := func(names ...string) bool { return call != nil && slices.Contains(names, call.Name) }

	switch {
	case seg.flags.Has(trace.RST):
		because(in != nil && !in.flags.Has(trace.RST) || called("close", "abort", "shutdown") || timer != "",
			"a RST answers a segment that is no RST, or an application aborts")
		return
	case seg.is(trace.SYN) && fresh:
		because(called("connect"), "connect() sends a SYN")
	case seg.is(trace.SYN):
		because(strings.Contains(timer, "retransmit"), "the retransmission timer sends a SYN again")
	case seg.is(trace.SYN | trace.ACK):
		again := in != nil && in.is(trace.SYN) && seg.ack == in.seq+1
		because(again || !fresh && strings.Contains(timer, "retransmit"), "a SYN,ACK answers a SYN, or is sent again by the timer")
	case seg.flags.Has(trace.FIN) && fresh:
		because(s.closing, "nobody has closed")
		because(called("close", "shutdown") || in != nil, "only a call, or a segment that makes room, sends a FIN")
	case seg.data > 0 && fresh:
		because(called("send", "sendall") || in != nil || timer != "", "data are sent by send(), or when a segment makes room")
	case seg.length() > 0:
		because(in != nil || timer != "", "a timer or a duplicate acknowledgment sends again")
	}
	if !seg.flags.Has(trace.ACK) || seg.flags.Has(trace.SYN) || s.state == trace.Listen {
		return
	}
	// What is acknowledged for the first time is what has arrived: now, or earlier and not acknowledged at once.
	if was, known := w.acked[from]; !known || before(was, seg.ack) {
		because(slices.Contains(w.heard[from], seg.ack) || slices.Contains(w.heard[way4{socketID{e.Host, s.listener}, seg.src, seg.dst}], seg.ack) ||
			s.first == w.root.N+1 || s.info[trace.SendMSS].Kind == trace.NotObservable,
			fmt.Sprintf("no segment that ends before %d has arrived", seg.ack))
		if seg.length() == 0 {
			because(in != nil && (in.length() > 0 || in.is(trace.ACK)), "only an arrival makes a bare acknowledgment of something new")
		}
	}
}

// sentFrom compares a segment with the control information of the socket that sent it (RFC 9293, Section 3.3.1).
func (w *walker) sentFrom(e *trace.Event, s *seenSocket, seg *segment) {
	if e.Socket == 0 || s.state == trace.Listen || seg.flags.Has(trace.RST) {
		return
	}
	una, ok1 := s.number(trace.SndUna)
	next, ok2 := s.number(trace.SndNxt)
	// A probe of a window or of a peer that is silent has a number that is acknowledged already (RFC 9293, Section 3.8.4).
	if _, timer := w.root.Detail.(*trace.Timer); timer && seg.end() == una || seg.seq == una-1 && timer {
		return
	}
	if ok1 && ok2 && (before(seg.seq, una) || before(next, seg.end())) {
		w.fail(e, "it has SEQ %d to %d; SND.UNA is %d and SND.NXT %d", seg.seq, seg.end(), una, next)
	}
	if rcvNxt, ok := s.number(trace.RcvNxt); seg.flags.Has(trace.ACK) && (!ok || seg.ack != rcvNxt) {
		w.fail(e, "it acknowledges %d, and RCV.NXT is %d", seg.ack, rcvNxt)
	}
	wnd, known := s.number(trace.RcvWnd)
	shift, _ := s.number(trace.RcvWindShift)
	// gVisor does not shift the window of the bare ACK with which it answers an old SYN in SYN-RECEIVED.
	if seg.flags.Has(trace.SYN) || s.state == trace.SynReceived {
		shift = 0
	}
	// recv() may open it in several steps, each told at once; the socket was looked at behind the last.
	opening := w.sendsAgain(e) && seg.window < wnd>>shift
	if known && !opening && seg.window != min(wnd>>shift, 65535) {
		w.fail(e, "it offers a window of %d, and RCV.WND is %d with a shift of %d", seg.window, wnd, shift)
	}
}

// sendsAgain reports whether a call to receive lets the same socket send one more segment.
func (w *walker) sendsAgain(e *trace.Event) bool {
	call, ok := w.root.Detail.(*trace.Call)
	next := w.t.Event(e.N + 1)
	if !ok || call.Name != "recv" && call.Name != "recvall" || next == nil {
		return false
	}
	_, sent := next.Detail.(*trace.Sent)
	return sent && next.Cause == e.Cause && next.Socket == e.Socket
}

func (w *walker) state(e *trace.Event, d *trace.StateChange) {
	id := idOf(e)
	s := w.sockets[id]
	if s == nil {
		if d.From != trace.NotObserved {
			w.fail(e, "the first that is seen of the socket comes from %v", d.From)
		}
		if w.numbers[e.Host]++; e.Socket != w.numbers[e.Host] {
			w.fail(e, "a new socket has the number %d and should have %d", e.Socket, w.numbers[e.Host])
			w.numbers[e.Host] = max(w.numbers[e.Host], e.Socket)
		}
		s = &seenSocket{id: id, listener: d.Listener, first: e.N}
		w.sockets[id] = s
	}
	w.touch(e, s)
	if s.state != d.From {
		w.fail(e, "it comes from %v, and the socket was in %v", d.From, s.state)
	}
	if s.listener != d.Listener {
		w.fail(e, "it names the listener %d, and the socket came to %d", d.Listener, s.listener)
	}
	if d.From == d.To && d.Word == s.word {
		w.fail(e, "nothing has changed")
	}
	if (d.Source == trace.Inferred) != (d.Word == "") {
		w.fail(e, "source %v, the stack's word is %q", d.Source, d.Word)
	}
	if why := w.stateBecause(e, s, d); why != "" {
		w.fail(e, "%v → %v is caused by %d, and %s", d.From, d.To, e.Cause, why)
	}
	s.state, s.word = d.To, d.Word
}

// stateBecause is RFC 9293, Section 3.3.2 and 3.10, as far as one step of a stack may show it. It answers with what is wrong.
func (w *walker) stateBecause(e *trace.Event, s *seenSocket, d *trace.StateChange) string {
	var in *segment
	var call *trace.Call
	timer, reboot := "", false
	switch r := w.root.Detail.(type) {
	case *trace.Arrived:
		if in = &w.segment; in.wrongChecksum {
			return "a segment whose checksum is wrong changes nothing"
		}
		if s.state != trace.NotObserved && !s.has(in.dst, in.src) {
			return "that is of another connection"
		}
	case *trace.Call:
		call = r
		mine := w.root.Socket == e.Socket || s.listener != 0 && w.root.Socket == s.listener || call.Name == "socket" || call.Name == "connect"
		if !mine {
			return "that is a call on another socket"
		}
	case *trace.Timer:
		if timer = r.Name; w.root.Socket != e.Socket && timer != neighborTimer {
			return "that is another socket's timer"
		}
	case *trace.HostChange:
		reboot = true
	default:
	}
	only := func(ok bool, what string) string {
		if ok {
			return ""
		}
		return what
	}
	called := func(names ...string) bool { return call != nil && slices.Contains(names, call.Name) }
	closed := called("close", "shutdown")
	next, _ := s.number(trace.SndNxt)
	acksAll := in != nil && in.flags.Has(trace.ACK) && in.ack == next
	reset := in != nil && in.flags.Has(trace.RST)
	fin := in != nil && in.flags.Has(trace.FIN)

	type move struct{ from, to trace.State }
	switch (move{d.From, d.To}) {
	case move{trace.NotObserved, trace.Closed}:
		return only(called("socket") && s.listener == 0, "socket() makes a socket")
	case move{trace.NotObserved, trace.SynReceived}:
		return only(in != nil && in.is(trace.SYN) && s.listener != 0, "a SYN to a listener makes an embryo")
	case move{trace.NotObserved, trace.Established}:
		return only(in != nil && in.is(trace.ACK) && s.listener != 0, "an ACK to a listener makes a connection of a SYN cookie")
	case move{trace.Closed, trace.Closed}:
		return only(called("bind", "connect", "close", "abort"), "bind(), connect() or close() changes a socket without a connection")
	case move{trace.Closed, trace.Listen}:
		return only(called("listen"), "listen() makes a listener")
	case move{trace.Closed, trace.SynSent}:
		return only(called("connect"), "connect() begins a connection")
	case move{trace.SynSent, trace.SynReceived}:
		return only(in != nil && in.is(trace.SYN), "a bare SYN does that")
	case move{trace.SynSent, trace.Established}:
		return only(in != nil && in.is(trace.SYN|trace.ACK) && acksAll, "a SYN,ACK of the SYN does that")
	case move{trace.SynSent, trace.Closed}:
		return only(reset && acksAll || strings.Contains(timer, "retransmit") || timer == neighborTimer || called("close", "abort", "shutdown") || reboot,
			"a RST that acknowledges the SYN does that, or the timer, or close()")
	case move{trace.SynReceived, trace.Established}:
		return only(in != nil && !in.flags.Has(trace.RST) && !in.flags.Has(trace.FIN) && acksAll, "an ACK of the SYN does that")
	case move{trace.SynReceived, trace.CloseWait}:
		return only(fin && acksAll, "a FIN that acknowledges the SYN does that")
	case move{trace.SynReceived, trace.FinWait1}, move{trace.Established, trace.FinWait1}:
		return only(closed, "close() or shutdown() does that")
	case move{trace.SynReceived, trace.Closed}:
		return only(reset || in != nil && in.flags.Has(trace.SYN) || timer != "" || called("close", "abort", "shutdown") || reboot,
			"a RST, a timer, or the end of its listener does that")
	case move{trace.Established, trace.CloseWait}:
		return only(fin, "a FIN does that")
	case move{trace.Established, trace.Closed}, move{trace.CloseWait, trace.Closed}:
		unaccepted := called("shutdown") && w.root.Socket == s.listener
		return only(reset || timer != "" || called("close", "abort") || unaccepted || reboot, "a RST, a timer or an abort does that")
	case move{trace.FinWait1, trace.FinWait2}:
		return only(acksAll && !fin, "an ACK of the FIN does that")
	case move{trace.FinWait1, trace.Closing}:
		return only(fin && !acksAll, "a FIN that does not acknowledge ours does that")
	case move{trace.FinWait1, trace.TimeWait}:
		return only(fin && acksAll, "a FIN that acknowledges ours does that")
	case move{trace.FinWait2, trace.TimeWait}:
		return only(fin, "a FIN does that")
	case move{trace.FinWait1, trace.Closed}, move{trace.FinWait2, trace.Closed}, move{trace.Closing, trace.Closed}:
		// RFC 9293, Section 3.6.1: data that nobody will read are answered with a RST. gVisor takes a bare ACK for such
		// data when its number is past RCV.NXT, as it is when the FIN before it was lost.
		beyond := in != nil && trace.Seq(s.info[trace.RcvNxt].Num).Less(trace.Seq(in.seq))
		unwanted := in != nil && s.closing && (in.data > 0 || beyond)
		return only(unwanted || reset || timer != "" || called("close", "abort") || reboot, "a RST or a timer does that")
	case move{trace.CloseWait, trace.LastAck}:
		return only(closed, "close() or shutdown() does that")
	case move{trace.Closing, trace.TimeWait}:
		return only(acksAll, "an ACK of the FIN does that")
	case move{trace.LastAck, trace.Closed}:
		return only(acksAll || reset || timer != "" || called("abort") || reboot, "an ACK of the FIN does that")
	case move{trace.TimeWait, trace.Closed}:
		rcvNxt, _ := s.number(trace.RcvNxt)
		syn := in != nil && in.is(trace.SYN) && before(rcvNxt, in.seq)
		return only(strings.Contains(timer, "timeWait") || syn || reset || called("connect", "abort") || reboot,
			"the TIME-WAIT timer does that, or a SYN beyond the old connection")
	case move{trace.Listen, trace.Closed}:
		return only(called("close", "shutdown", "abort") || reboot, "close() or shutdown() ends a listener")
	}
	return "there is no such transition in RFC 9293"
}

func (w *walker) control(e *trace.Event, d *trace.Control) {
	s := w.socketOf(e)
	w.touch(e, s)
	if len(d.Changes) == 0 {
		w.fail(e, "nothing has changed")
	}
	had := s.info
	for i, c := range d.Changes {
		if i > 0 && c.Item <= d.Changes[i-1].Item {
			w.fail(e, "%v stands behind %v", c.Item, d.Changes[i-1].Item)
		}
		if had[c.Item] != c.Old() {
			w.fail(e, "%v was %v, and it says %v", c.Item, had[c.Item], c.Old())
		}
		if c.Old() == c.New() {
			w.fail(e, "%v has not changed", c.Item)
		}
		s.info[c.Item] = c.New()
	}
	// The first that changes in a socket is the root's doing; what follows comes from a call that it woke.
	w.changed[s.id]++
	woken := w.changed[s.id] > 1
	for _, c := range d.Changes {
		if c.New().Kind == trace.NotObservable {
			if c.By != trace.ByStack || c.Field != trace.NoField {
				w.fail(e, "%v is not observable, and by %v %v", c.Item, c.By, c.Field)
			}
			continue
		}
		by, field := w.bringer(e, s, &had, &c, woken)
		if c.By != by || c.Field != field {
			w.fail(e, "%v %v → %v is by %v %v, and should be by %v %v", c.Item, c.Old(), c.New(), c.By, c.Field, by, field)
		}
	}
}

// bringer is who brought a change.
func (w *walker) bringer(e *trace.Event, s *seenSocket, had *[trace.NumItems]trace.Value, c *trace.Change, woken bool) (trace.Bringer, trace.Field) {
	switch r := w.root.Detail.(type) {
	case *trace.Call:
		if !woken {
			return byCall(r, had, c), trace.NoField
		}
	case *trace.Arrived:
		if !woken {
			if f := w.byField(s, had, c); f != trace.NoField {
				return trace.BySegment, f
			}
			return trace.ByStack, trace.NoField
		}
	default:
	}
	if woken {
		for _, call := range w.calls {
			if call.Host == e.Host && call.Socket == e.Socket && call.N != w.root.N && byCall(call.Detail.(*trace.Call), had, c) == trace.ByApplication {
				return trace.ByApplication, trace.NoField
			}
		}
	}
	return trace.ByStack, trace.NoField
}

// byCall: a call's arguments, and what the call is there to do, are the application's.
func byCall(call *trace.Call, had *[trace.NumItems]trace.Value, c *trace.Change) trace.Bringer {
	yes := false
	switch call.Name {
	case "socket":
		yes = c.Item == trace.Protocol
	case "bind":
		yes = c.Item == trace.LocalAddress && c.New().Text == call.Addr.Addr().String() ||
			c.Item == trace.LocalPort && c.New().Num == int64(call.Addr.Port())
	case "connect":
		yes = c.Item == trace.RemoteAddress && c.New().Text == call.Addr.Addr().String() ||
			c.Item == trace.RemotePort && c.New().Num == int64(call.Addr.Port())
	case "listen":
		yes = c.Item == trace.Backlog
	case "accept":
		yes = c.Item == trace.AcceptQueue && c.New().Num == c.Old().Num-1
	case "send", "sendall":
		yes = c.Item == trace.SndNxt || c.Item == trace.SendBufferUsed
	case "recv", "recvall":
		// What the application takes makes room for more.
		yes = c.Item == trace.ReceiveBufferUsed || c.Item == trace.ReceiveMemoryUsed || c.Item == trace.RcvWnd
	case "setsockopt":
		yes = c.Item == trace.SendBufferLimit && strings.Contains(call.Text, "SO_SNDBUF") ||
			c.Item == trace.ReceiveBufferLimit && strings.Contains(call.Text, "SO_RCVBUF")
	case "close", "shutdown", "abort":
		switch c.Item {
		case trace.SndNxt: // of the FIN
			yes = c.New().Num == int64(uint32(c.Old().Num+1))
		case trace.SendBufferUsed, trace.ReceiveBufferUsed, trace.ReceiveMemoryUsed, trace.SynQueue, trace.AcceptQueue, trace.Backlog:
			yes = true
		}
	}
	// Whoever is told of the pending error takes it away.
	if c.Item == trace.PendingError && c.New().Kind == trace.None {
		yes = true
	}
	if yes {
		return trace.ByApplication
	}
	return trace.ByStack
}

// byField is the field of the segment that arrived whose value the change is; NoField if it is none.
func (w *walker) byField(s *seenSocket, had *[trace.NumItems]trace.Value, c *trace.Change) trace.Field {
	in := &w.segment
	is := func(f trace.Field, yes bool) trace.Field {
		if yes {
			return f
		}
		return trace.NoField
	}
	n := uint32(c.New().Num)
	number := c.New().Kind == trace.Number
	ack := in.flags.Has(trace.ACK)
	switch c.Item {
	case trace.LocalAddress:
		return is(trace.FieldDestinationAddress, c.New().Text == in.dst.Addr().String())
	case trace.LocalPort:
		return is(trace.FieldDestinationPort, n == uint32(in.dst.Port()))
	case trace.RemoteAddress:
		return is(trace.FieldSourceAddress, c.New().Text == in.src.Addr().String())
	case trace.RemotePort:
		return is(trace.FieldSourcePort, n == uint32(in.src.Port()))
	case trace.ISS: // a SYN cookie comes back
		return is(trace.FieldAcknowledgmentNumber, c.Source == trace.Inferred && ack && n+1 == in.ack)
	case trace.IRS:
		return is(trace.FieldSequenceNumber, in.flags.Has(trace.SYN) && n == in.seq || c.Source == trace.Inferred && n+1 == in.seq)
	case trace.SndUna:
		return is(trace.FieldAcknowledgmentNumber, ack && n == in.ack)
	case trace.SndWnd:
		shift := uint32(0)
		if v, ok := s.number(trace.SndWindShift); ok && !in.flags.Has(trace.SYN) {
			shift = v
		}
		return is(trace.FieldWindow, n == in.window<<shift)
	case trace.RcvNxt:
		if n != in.end() && in.data > 0 && before(in.end(), n) {
			return trace.FieldData // it closed a gap
		}
		return is(trace.FieldSequenceNumber, n == in.end())
	case trace.SendMSS:
		return is(trace.FieldMSS, in.has[2] && n == in.mss)
	case trace.SndWindShift:
		return is(trace.FieldWindowScale, in.has[3] && n == in.wscale)
	case trace.SACKPermitted:
		return is(trace.FieldSACKPermitted, in.has[4] && n == 1)
	case trace.Timestamps:
		return is(trace.FieldTimestamps, in.has[8] && n == 1)
	case trace.TSRecent:
		return is(trace.FieldTimestamps, in.has[8] && n == in.tsval)
	case trace.SendBufferUsed: // what is acknowledged leaves the buffer
		una := uint32(had[trace.SndUna].Num)
		return is(trace.FieldAcknowledgmentNumber, ack && c.Old().Kind == trace.Number && c.Old().Num-c.New().Num == int64(in.ack-una) && in.ack != una)
	case trace.ReceiveBufferUsed, trace.ReceiveMemoryUsed:
		return is(trace.FieldData, in.data > 0 && c.New().Num != c.Old().Num)
	case trace.SynQueue, trace.AcceptQueue:
		return is(trace.FieldControlBits, number)
	case trace.PendingError:
		return is(trace.FieldControlBits, in.flags&(trace.RST|trace.SYN) != 0 && c.New().Kind == trace.Text)
	}
	return trace.NoField
}

func (w *walker) comeBack(e *trace.Event, d *trace.Return) {
	call := w.calls[d.Call]
	if call == nil {
		w.fail(e, "call %d was not made, or has come back before", d.Call)
		return
	}
	delete(w.calls, d.Call)
	c := call.Detail.(*trace.Call)
	s := w.sockets[idOf(e)]
	switch {
	case call.Host != e.Host:
		w.fail(e, "call %d was made on the %s", d.Call, call.Host)
	case call.Socket != e.Socket && c.Name != "socket":
		w.fail(e, "call %d was made on socket %d", d.Call, call.Socket)
	}
	if (d.Result == -1) != (d.Errno != "") && c.Name != "getsockopt" {
		w.fail(e, "the result is %d and the error %q", d.Result, d.Errno)
	}
	// What lets a call come back is the call itself, or something on its socket or on a connection that came to it.
	timer, _ := w.root.Detail.(*trace.Timer)
	neighbors := timer != nil && timer.Name == neighborTimer && d.Errno == "EHOSTUNREACH" // it is of no socket
	if w.root.N != d.Call && w.root.Socket != e.Socket && !neighbors {
		if r := w.sockets[idOf(w.root)]; r == nil || r.listener != e.Socket {
			w.fail(e, "%s() comes back because of %d, which is on socket %d", c.Name, w.root.N, w.root.Socket)
		}
	}
	switch {
	case c.Name == "socket" && d.Errno == "":
		w.name(e, s, int(d.Result))
	case c.Name == "accept" && d.Errno == "":
		w.accepted(e, d)
	case c.Name == "connect":
		w.connected(e, s, d)
	case d.Accepted != 0 || d.Addr.IsValid():
		w.fail(e, "%s() hands out socket %d", c.Name, d.Accepted)
	case (c.Name == "recv" || c.Name == "recvall") && w.root.N != d.Call:
		in := &w.segment
		_, arrival := w.root.Detail.(*trace.Arrived)
		if call, ok := w.root.Detail.(*trace.Call); !ok || call.Name != "shutdown" && call.Name != "close" {
			if arrival && in.data == 0 && in.flags&(trace.FIN|trace.RST) == 0 {
				w.fail(e, "%s() comes back because of %d, which brought neither data nor an end", c.Name, w.root.N)
			}
		}
	}
}

// name gives a descriptor to a socket.
func (w *walker) name(e *trace.Event, s *seenSocket, fd int) {
	if s == nil {
		w.fail(e, "it names socket %d, which has not been seen", e.Socket)
		return
	}
	if w.open[e.Host] == nil {
		w.open[e.Host] = map[int]socketID{}
	}
	if other, taken := w.open[e.Host][fd]; taken {
		w.fail(e, "descriptor %d names %v already", fd, other)
	}
	s.fds++
	w.open[e.Host][fd] = s.id
}

func (w *walker) accepted(e *trace.Event, d *trace.Return) {
	s := w.sockets[socketID{e.Host, d.Accepted}]
	if s == nil || s.listener != e.Socket {
		w.fail(e, "accept() hands out socket %d, which did not come to socket %d", d.Accepted, e.Socket)
		return
	}
	if !s.has(netip.AddrPortFrom(netip.MustParseAddr(s.info[trace.LocalAddress].String()), uint16(s.info[trace.LocalPort].Num)), d.Addr) {
		w.fail(e, "accept() says that the peer is %v", d.Addr)
	}
	switch s.state {
	case trace.NotObserved, trace.Listen, trace.SynSent, trace.SynReceived:
		w.fail(e, "accept() hands out a socket in %v", s.state)
	default:
	}
	w.name(e, s, int(d.Result))
}

func (w *walker) connected(e *trace.Event, s *seenSocket, d *trace.Return) {
	if s == nil || w.root.N == d.Call {
		return
	}
	switch d.Errno {
	case "":
		if s.state != trace.Established && s.state != trace.CloseWait {
			w.fail(e, "connect() returned 0 in %v", s.state)
		}
	case "ETIMEDOUT":
		if _, ok := w.root.Detail.(*trace.Timer); !ok {
			w.fail(e, "only a timer ends connect() with ETIMEDOUT")
		}
	case "ECONNREFUSED":
		if !w.segment.flags.Has(trace.RST) {
			w.fail(e, "only a RST ends connect() with ECONNREFUSED")
		}
	}
}

// end looks at what is left when the run is over.
func (w *walker) end() {
	w.endStep()
	t := w.t
	last := &trace.Event{N: len(t.Events), At: t.End.At}
	var blocked []int
	for n := range w.calls {
		blocked = append(blocked, n)
	}
	slices.Sort(blocked)
	got := slices.Clone(t.End.Blocked)
	slices.Sort(got)
	if !slices.Equal(got, blocked) {
		w.fail(last, "the end names the blocked calls %v, and those that have not come back are %v", got, blocked)
	}
	if t.End.Reason == trace.Finished && len(blocked) > 0 {
		w.fail(last, "the run is finished, and calls are blocked: %v", blocked)
	}
	over := t.End.Reason == trace.Finished || t.End.Reason == trace.Idle
	for _, s := range w.inFlight {
		if over || s.At+t.Header.Delay < t.End.At && w.fates[s.N] == nil {
			w.fail(s, "the packet has neither arrived nor got lost")
		}
	}
	for id, s := range w.sockets {
		// What the application has given up comes to an end before the run does.
		if t.End.Reason == trace.Finished && s.closing && s.fds == 0 && s.state != trace.Closed {
			w.fail(last, "the run is finished, and %v, which is closed, is in %v", id, s.state)
		}
	}
	if n := len(t.Events); n > 0 && over && t.End.At != t.Events[n-1].At {
		w.fail(last, "the run ends at %v, and its last event is at %v", t.End.At, t.Events[n-1].At)
	}
}
