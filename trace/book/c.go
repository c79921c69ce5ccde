package book

import (
	"net/netip"
	"slices"

	"connectlab/trace"
)

// sectionC is what connect() really does.
var sectionC = []*Statement{
	{
		ID: "C1", Text: "It starts with the application calling connect() with the address.",
		Source: "RFC 9293, Section 3.9.1.1", judge: c1,
	},
	{
		ID: "C2", Text: "TCP is handed address and port and makes the header that begins.",
		Source: "RFC 9293, Section 3.10.1", judge: c2,
	},
	{
		ID: "C3", Text: "The ports in that header name the two sockets to be connected.",
		Source: "RFC 9293, Section 3.1", judge: c3,
	},
	{
		ID: "C4", Text: "In that first header the control bit SYN is set to 1.",
		Source: "RFC 9293, Section 3.5", WireDecides: true, judge: c4,
	},
	{
		ID: "C5", Text: "TCP asks IP to send, and IP sends from host to host.",
		Source: "RFC 9293, Section 3.9.2", judge: c5,
	},
	{
		ID: "C6", Text: "The server's TCP finds the socket by the port in the header.",
		Source: "RFC 9293, Section 3.10.7", judge: c6,
	},
	{
		ID: "C7", Text: "The socket found records what it needs and is then connecting.",
		Source: "RFC 9293, Section 3.10.7.2", judge: c7,
	},
	{
		ID: "C8", Text: "The answer to the SYN has ACK set instead of SYN.",
		Source: "RFC 9293, Section 3.5", WireDecides: true, judge: c8,
	},
	{
		ID: "C9", Text: "The client looks for SYN in the answer: if it is set, connected.",
		Source: "RFC 9293, Section 3.10.7.3", judge: c9,
	},
	{
		ID: "C10", Text: "Then it records the server's address and port, and completion.",
		Source: "RFC 9293, Section 3.10.1", judge: c10,
	},
	{
		ID: "C11", Text: "The client sends back an ACK to say that the answer arrived.",
		Source: "RFC 9293, Section 3.5", WireDecides: true, judge: c11,
	},
	{
		ID: "C12", Text: "Now both sockets send and receive, joined as by a pipe.",
		Source: "RFC 9293, Section 2.2", judge: c12,
	},
	{
		ID: "C13", Text: "The connection lasts until close() ends it.",
		Source: "RFC 9293, Section 3.6", judge: c13,
	},
}

// A tally joins what the single cases of a trace say of a statement: the worst verdict, with the evidence of all cases that
// have it. Observed is that of the first of them; before any case, why there is none.
type tally struct {
	Finding
	begun bool
}

func tallied(none Text) *tally { return &tally{Finding: Finding{Observed: none}} }

func (t *tally) add(v Verdict, observed Text, evidence ...int) {
	switch {
	case !t.begun || v > t.Verdict:
		t.Finding, t.begun = Finding{Verdict: v, Observed: observed, Evidence: slices.Clone(evidence)}, true
	case v == t.Verdict:
		t.Evidence = append(t.Evidence, evidence...)
	}
}

// numbers are the N of segments.
func numbers(segments ...*segment) []int {
	n := make([]int, len(segments))
	for i, s := range segments {
		n[i] = s.n
	}
	return n
}

// Texts that several statements of this section say.
var (
	noConnect = say("book.C.no-connect")
	inCapture = say("book.no-calls")
	blind     = say("book.no-control")
	noAnswer  = say("book.C.no-answer")
)

// c1: a call of connect(), on a descriptor of the socket and with an address, stands before the first segment.
func c1(r *record) Finding {
	t := tallied(noConnect)
	for _, c := range r.connects {
		switch {
		case c.end == nil: // no SYN was sent
		case !r.showsCalls():
			t.add(NotObservable, inCapture)
		case c.call == nil:
			t.add(Contradicted, say("book.C1.no-call", c.first.packet.TCP.Flags, c.host()), numbers(c.syns...)...)
		case !r.named(c.call):
			t.add(Contradicted, say("book.C1.descriptor", c.call.call.String()), c.call.n, c.first.n)
		case !c.call.call.Addr.IsValid() || c.call.call.Addr.Port() == 0:
			t.add(Contradicted, say("book.C1.no-address", c.call.call.String()), c.call.n, c.first.n)
		default:
			t.add(Holds, say("book.C1.call-first", c.call.call.String()), c.call.n, c.first.n)
		}
	}
	return t.Finding
}

// named reports whether the descriptor that a call was made on named its socket before.
func (r *record) named(c *call) bool {
	s := r.socket(c.event.Host, c.socket)
	return s != nil && slices.ContainsFunc(s.Descriptors, func(d trace.Descriptor) bool {
		return d.FD == c.call.FD && d.From < c.n && (d.To == 0 || d.To > c.n)
	})
}

// c2: the call is what the first header came of, and the header goes to the address that the call was given.
func c2(r *record) Finding {
	t := tallied(noConnect)
	for _, c := range r.connects {
		switch {
		case c.end == nil: // no SYN was sent
		case !r.showsCalls():
			t.add(NotObservable, inCapture)
		case c.call == nil: // C1 speaks of that
		case !r.causes(c.call.n, c.first.n) && !r.released(c):
			t.add(Contradicted, say("book.C2.no-cause", c.first.packet.TCP.Flags), c.call.n, c.first.n)
		case inHeader(c.call.call.Addr) != c.first.packet.Destination():
			t.add(Contradicted, say("book.C2.elsewhere", c.call.call.Addr, c.first.packet.Destination()), c.call.n, c.first.n)
		default:
			t.add(Holds, say("book.C2.made", c.call.call.Addr), c.call.n, c.first.n)
		}
	}
	return t.Finding
}

// released reports whether the first segment of a try waited for the answer to the question which MAC address its destination has, and
// went with it: another try may have asked before.
func (r *record) released(c *connect) bool {
	cause := r.t.Event(c.first.event.Cause)
	if cause == nil || cause.N < c.call.n || cause.Host != c.host() {
		return false
	}
	a, ok := cause.Detail.(*trace.Arrived)
	if !ok {
		return false
	}
	to := c.first.packet.Destination().Addr()
	return a.Packet.Kind == trace.PacketARP && a.Packet.ARP.SenderIP == to || a.Packet.Neighbor() && a.Packet.ICMP.Target == to
}

// inHeader is an address as a header has it: without a zone, and an IPv4 address as one.
func inHeader(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// c3: when the first SYN is sent, its source port is that of one socket of the sender; when it arrives, its destination port is
// that of one socket there. Where several have the port it names none.
func c3(r *record) Finding {
	t := tallied(say("book.C.no-syn"))
	if !r.showsCalls() && len(r.connects) > 0 {
		t.add(NotObservable, inCapture)
		return t.Finding
	}
	ports := r.ports()
	clear := map[*connect]bool{} // the source port names the socket
	for _, s := range r.segments {
		c := s.from.connect
		if c == nil || c.call == nil || c.syns[0] != s || !r.showsStates(c.host()) {
			continue // C1 speaks of a SYN that nobody asked for
		}
		switch have := ports.at(s.n, c.host(), s.packet.TCP.SrcPort); {
		case !have[c.socket()]:
			t.add(Contradicted, say("book.C3.source", int(s.packet.TCP.SrcPort), c.host()), numbers(c.syns...)...)
		case len(have) > 1:
			t.add(Contradicted, say("book.C3.many", int(s.packet.TCP.SrcPort), len(have), c.host()), numbers(c.syns...)...)
		default:
			clear[c] = true
		}
	}
	ports = r.ports()
	seen := map[*connect]bool{}
	for i := range r.arrivals {
		a := &r.arrivals[i]
		if a.of == nil || !a.isSYN() {
			continue
		}
		c := a.of.from.connect
		if c == nil || c.call == nil || seen[c] {
			continue
		}
		seen[c] = true
		if !r.showsStates(c.host()) || !r.showsStates(a.event.Host) {
			t.add(NotObservable, blind)
			continue
		}
		tcp := &a.packet.TCP
		switch have := ports.at(a.n, a.event.Host, tcp.DstPort); {
		case !clear[c]:
		case len(have) == 0:
			t.add(NotExercised, say("book.C3.nobody", int(tcp.DstPort), a.event.Host))
		case len(have) > 1:
			t.add(Contradicted, say("book.C3.many", int(tcp.DstPort), len(have), a.event.Host), numbers(c.syns...)...)
		default:
			t.add(Holds, say("book.C3.one", int(tcp.SrcPort), int(tcp.DstPort)), numbers(c.syns...)...)
		}
	}
	return t.Finding
}

// c4: SYN and no other bit, in the first segment of each connect and in the SYNs that repeat it. Where others are set with
// it, the stack does more.
func c4(r *record) Finding {
	t := tallied(noConnect)
	for _, c := range r.connects {
		segments := c.syns
		if c.first != nil && !slices.Contains(segments, c.first) {
			segments = append([]*segment{c.first}, segments...)
		}
		for _, s := range segments {
			switch flags := s.packet.TCP.Flags; {
			case flags == trace.SYN:
				t.add(Holds, say("book.C4.syn"), s.n)
			case flags&(trace.SYN|trace.ACK|trace.RST) != trace.SYN:
				t.add(Contradicted, say("book.C4.no-syn", flags), s.n)
			case flags&^(trace.ECE|trace.CWR|trace.AE) == trace.SYN:
				t.add(Refined, say("book.C4.ecn", flags), s.n)
			default:
				t.add(Refined, say("book.C4.more", flags), s.n)
			}
		}
	}
	return t.Finding
}

// c5: around each SYN is an IP header from the address of the host that connects to that of the other host.
func c5(r *record) Finding {
	t := tallied(noConnect)
	for _, c := range r.connects {
		for _, s := range c.syns {
			ip := &s.packet.IP
			switch {
			case r.t.Header.Capture: // whose hosts have the addresses of the packets
				t.add(NotObservable, say("book.C5.captured"))
			case r.address(c.host()) == netip.Addr{}:
				t.add(NotObservable, say("book.C5.no-address", c.host()))
			case r.address(c.host()) != ip.Src:
				t.add(Contradicted, say("book.C5.source", ip.Src.String(), c.host()), s.n)
			case !r.othersAddress(c.host(), ip.Dst):
				t.add(Contradicted, say("book.C5.destination", ip.Dst.String()), s.n)
			default:
				t.add(Holds, say("book.C5.ip", int(ip.Version), ip.Src.String(), ip.Dst.String()), s.n)
			}
		}
	}
	return t.Finding
}

// address is a host's address, as the header has it: alone or with the length of the network's part.
func (r *record) address(host string) netip.Addr {
	h := r.t.Header.Host(host)
	if h == nil {
		return netip.Addr{}
	}
	if p, err := netip.ParsePrefix(h.Address); err == nil {
		return p.Addr()
	}
	a, err := netip.ParseAddr(h.Address)
	if err != nil {
		return netip.Addr{}
	}
	return a
}

// othersAddress reports whether another host has an address. On a loopback both have the same.
func (r *record) othersAddress(host string, a netip.Addr) bool {
	return slices.ContainsFunc(r.t.Header.Hosts, func(h trace.HostInfo) bool { return h.Name != host && r.address(h.Name) == a })
}

// isSYN reports whether an arrival is the SYN of somebody who connects, and whole.
func (a *arrival) isSYN() bool {
	return a.packet.TCP.Flags&(trace.SYN|trace.ACK|trace.RST) == trace.SYN && a.packet.TCP.Checksum != trace.ChecksumBad
}

// c6: the socket that a SYN came to is one whose local port is the destination port: the one that listens there, or the only one
// that has the port.
func c6(r *record) Finding {
	t := tallied(say("book.C.no-syn"))
	ports := r.ports()
	for i := range r.arrivals {
		a := &r.arrivals[i]
		if !a.isSYN() {
			continue
		}
		host, port := a.event.Host, a.packet.TCP.DstPort
		if !r.showsCalls() {
			t.add(NotObservable, inCapture)
			continue
		}
		if !r.showsStates(host) {
			t.add(NotObservable, blind)
			continue
		}
		have := ports.at(a.n, host, port)
		found := r.socket(host, a.event.Socket)
		reset := r.answer(a.n, trace.RST)
		switch {
		case found == nil && reset == nil:
			t.add(NotExercised, say("book.C6.nobody", int(port)))
		case found == nil && len(have) == 0:
			t.add(Refined, say("book.C6.reset", int(port)), a.n, reset.n)
		case found == nil:
			t.add(Contradicted, say("book.C6.not-found", int(port)), a.n, reset.n)
		case ports.of[socketKey{host, found.Number}] != port:
			t.add(Contradicted, say("book.C6.other", int(port), found.Number, int(ports.of[socketKey{host, found.Number}])), a.n)
		case found.At(a.n).State == trace.Listen:
			t.add(Holds, say("book.C6.listener", int(port), found.Number), a.n)
		case len(have) > 1:
			t.add(Refined, say("book.C6.four-tuple", len(have), int(port), found.Number), a.n)
		default:
			t.add(Holds, say("book.C6.only", int(port), found.Number), a.n)
		}
	}
	return t.Finding
}

// An answering is an arrival and a control bit of what it was answered with.
type answering struct {
	n   int
	bit trace.Flags
}

// answer is the first segment with SYN or with RST that the arrival of number n was answered with; nil: there was none.
func (r *record) answer(n int, bit trace.Flags) *segment {
	if r.answers == nil {
		r.answers = map[answering]*segment{}
		for _, s := range r.segments {
			for _, bit := range []trace.Flags{trace.SYN, trace.RST} {
				if key := (answering{s.event.Cause, bit}); s.packet.TCP.Flags.Has(bit) && r.answers[key] == nil {
					r.answers[key] = s
				}
			}
		}
	}
	return r.answers[answering{n, bit}]
}

// c7: at a SYN the socket that was found records the peer's number (and its address and port, where it does not know them) and
// is in SYN-RECEIVED. A new socket that does so in its place is the statement's, elsewhere.
func c7(r *record) Finding {
	t := tallied(say("book.C.no-syn"))
	for i := range r.arrivals {
		a := &r.arrivals[i]
		if !a.isSYN() {
			continue
		}
		host := a.event.Host
		if !r.showsCalls() {
			t.add(NotObservable, inCapture)
			continue
		}
		if !r.showsControl(host) {
			t.add(NotObservable, blind)
			continue
		}
		found := r.socket(host, a.event.Socket)
		if found == nil {
			t.add(NotExercised, say("book.C7.nobody", int(a.packet.TCP.DstPort)))
			continue
		}
		was := found.At(a.n).State
		if was != trace.Listen && was != trace.SynSent {
			continue // the SYN of a connection that is there, or was
		}
		e := r.received(a)
		if e == nil {
			if s := r.answer(a.n, trace.SYN); s != nil {
				t.add(Contradicted, say("book.C7.nothing", s.packet.TCP.Flags, found.Number, was), a.n, s.n)
			}
			continue
		}
		missing, controls, hidden := r.unrecorded(a, e.Socket, was)
		evidence := append([]int{a.n, e.N}, controls...)
		switch {
		case hidden:
			t.add(NotObservable, blind)
		case len(missing) > 0:
			t.add(Contradicted, say("book.C7.not-recorded", e.Socket, missing), evidence...)
		case e.Socket != found.Number:
			t.add(Refined, say("book.C7.new", found.Number, was, e.Socket), evidence...)
		default:
			t.add(Holds, say("book.C7.found", found.Number, was), evidence...)
		}
	}
	return t.Finding
}

// received is the event by which an arrival let a socket come to SYN-RECEIVED; nil: there was none.
func (r *record) received(a *arrival) *trace.Event {
	for n, last := a.n+1, r.settled(a.n); n <= last; n++ {
		e := r.t.Event(n)
		if s, ok := e.Detail.(*trace.StateChange); ok && s.To == trace.SynReceived && e.Cause == a.n {
			return e
		}
	}
	return nil
}

// unrecorded returns which items of what a SYN tells its arrival did not bring into a socket, and the Control events that
// brought the others; hidden: the stack does not let us see one of them. A socket that connects itself knows address and port.
func (r *record) unrecorded(a *arrival, socket int, was trace.State) (missing []trace.Item, controls []int, hidden bool) {
	if was == trace.Listen {
		missing = slices.Clone(remoteItems[:])
	}
	missing = append(missing, trace.IRS)
	all := r.controls[socketKey{a.event.Host, socket}]
	at, _ := slices.BinarySearch(all, a.n)
	for _, n := range all[at:] {
		e := r.t.Event(n)
		if e.Cause != a.n {
			break
		}
		missing = slices.DeleteFunc(missing, func(item trace.Item) bool {
			held := holding{n, changed(e.Detail.(*trace.Control), item)}
			if held.change == nil || held.change.New().Kind == trace.None || !held.hidden() && !r.brings(held.change) {
				return false
			}
			controls = append(controls, n)
			hidden = hidden || held.hidden()
			return true
		})
	}
	return missing, controls, hidden
}

// acknowledgesSYN reports whether a segment acknowledges the SYN that an end sent, and with it at most the data that it had.
func acknowledgesSYN(tcp *trace.Segment, e *end) bool {
	return e.known && e.syn != nil && tcp.Flags.Has(trace.ACK) && tcp.Ack.Sub(e.iss.Add(1)) <= uint32(e.syn.packet.TCP.DataLen)
}

// c8: the first segment that acknowledges a SYN, no reset, has not SYN set. Those that repeat it are counted with it.
func c8(r *record) Finding {
	t := tallied(noConnect)
	for _, c := range r.connects {
		if c.end == nil {
			continue
		}
		var both, bare []*segment
		refused := false
		for _, s := range c.end.toward {
			if !acknowledgesSYN(&s.packet.TCP, c.end) {
				continue
			}
			switch flags := s.packet.TCP.Flags; {
			case flags.Has(trace.RST):
				refused = true
			case flags.Has(trace.SYN):
				both = append(both, s)
			case len(both) == 0:
				bare = append(bare, s)
			}
		}
		// A number behind that of the SYN tells that a SYN,ACK was sent before, which a capture has missed; and one that has
		// missed all of them tells nothing.
		missed := len(both) == 0 && r.t.Header.Capture
		bare = slices.DeleteFunc(bare, func(s *segment) bool {
			return missed || len(both) > 0 && both[0].packet.TCP.Seq.Less(s.packet.TCP.Seq)
		})
		switch {
		case len(bare) > 0:
			t.add(Holds, say("book.C8.ack", bare[0].packet.TCP.Flags), append(numbers(bare...), c.syns[0].n)...)
		case len(both) > 0:
			t.add(Contradicted, say("book.C8.both", both[0].packet.TCP.Flags), append(numbers(both...), c.syns[0].n)...)
		case refused:
			t.add(NotExercised, say("book.C8.refused"))
		default:
			t.add(NotExercised, noAnswer)
		}
	}
	return t.Finding
}

// c9: of all that arrives while connect() is under way, what has SYN set lets it succeed, and nothing else does.
func c9(r *record) Finding {
	t := tallied(noConnect)
	for _, c := range r.connects {
		if c.end == nil {
			continue
		}
		if !r.showsCalls() {
			t.add(NotObservable, inCapture)
			continue
		}
		over, observable := r.over(c)
		if !observable {
			t.add(NotObservable, blind)
			continue
		}
		t.add(NotExercised, noAnswer)
		var ignored []int // what came without SYN and changed nothing: it tells something once it is known what does
		for _, i := range c.end.arrived {
			a := &r.arrivals[i]
			if over.n != 0 && a.n > over.n {
				break
			}
			if a.packet.TCP.Checksum == trace.ChecksumBad {
				continue
			}
			flags := a.packet.TCP.Flags
			success := over.connected && over.cause == a.n && !over.mixed
			switch {
			case success && flags.Has(trace.SYN):
				t.add(Holds, say("book.C9.success", flags), append(append(ignored, a.n), over.events...)...)
			case success:
				t.add(Contradicted, say("book.C9.without", flags), append(over.events, a.n)...)
			case flags.Has(trace.SYN|trace.ACK) && !acknowledgesSYN(&a.packet.TCP, c.end): // of another connection: it is no answer
			case flags.Has(trace.SYN) && r.brokenOff(a.n):
			case flags.Has(trace.SYN):
				t.add(Contradicted, say("book.C9.no-success", flags, r.stateAt(c, a.n)), a.n)
			case over.cause == a.n:
				t.add(Holds, say("book.C9.failed", flags), append(append(ignored, a.n), over.events...)...)
			default:
				ignored = append(ignored, a.n)
			}
		}
	}
	return t.Finding
}

// An outcome is how a try to connect was over.
type outcome struct {
	connected bool
	n, cause  int   // the first event that tells of it, and what caused it; 0: it was not over
	mixed     bool  // not all that tell of it have that cause
	events    []int // all that tell of it
}

// over looks up how a try to connect was over: by the state of the socket, and by what connect() returned. That it failed shows
// in the return alone, where the call waits for it. It is not observable where the stack shows no states and the call does not
// wait.
func (r *record) over(c *connect) (o outcome, observable bool) {
	waits := c.call != nil && !c.call.underWay()
	if s := r.socket(c.host(), c.socket()); s != nil && r.showsStates(c.host()) {
		observable = true
		at, _ := slices.BinarySearchFunc(s.Stays, c.syns[0].n, func(stay trace.Stay, n int) int { return stay.N - n })
		for _, stay := range s.Stays[at:] {
			if waits && c.call.ret != nil && stay.N > c.call.retN {
				break
			}
			if stay.State == trace.Established || stay.State == trace.Closed && (!waits || c.call.ret != nil) {
				o.tell(r.t.Event(stay.N), stay.State == trace.Established)
				break
			}
		}
	}
	if waits && c.call.ret != nil {
		o.tell(r.t.Event(c.call.retN), c.call.ret.Errno == "")
	}
	return o, observable || waits
}

// tell takes in an event that says whether the try succeeded. It did where all say so.
func (o *outcome) tell(e *trace.Event, connected bool) {
	o.connected = connected && (o.n == 0 || o.connected)
	if o.n == 0 {
		o.n, o.cause = e.N, e.Cause
	}
	o.mixed = o.mixed || e.Cause != o.cause
	o.events = append(o.events, e.N)
}

// brokenOff reports whether the record breaks off before it could tell all that came of event n.
func (r *record) brokenOff(n int) bool {
	return r.t.End.Reason == trace.BrokenOff && r.settled(n) == len(r.t.Events)
}

// stateAt is the state of the socket that connects when event n had been dealt with.
func (r *record) stateAt(c *connect, n int) trace.State {
	if s := r.socket(c.host(), c.socket()); s != nil {
		return s.At(r.settled(n)).State
	}
	return trace.NotObserved
}

// c10: before the answer arrives the socket knows neither address nor port of the server; it records them behind it, and that
// it is connected.
func c10(r *record) Finding {
	t := tallied(noConnect)
	for _, c := range r.connects {
		if c.end == nil {
			continue
		}
		if !r.showsControl(c.host()) {
			t.add(NotObservable, blind)
			continue
		}
		over, _ := r.over(c)
		if !over.connected {
			t.add(NotExercised, say("book.C.not-connected"))
			continue
		}
		answer := 0
		for _, i := range c.end.arrived {
			if a := &r.arrivals[i]; a.packet.TCP.Flags.Has(trace.SYN) && a.packet.TCP.Checksum != trace.ChecksumBad {
				answer = a.n
				break
			}
		}
		if answer == 0 {
			t.add(NotExercised, noAnswer)
			continue
		}
		early, late, hidden := r.recorded(c, answer, over)
		switch {
		case hidden:
			t.add(NotObservable, blind)
		case len(early) > 0:
			t.add(Contradicted, say("book.C10.before", r.t.Event(early[0]).At, r.t.Event(answer).At), append(append(early, answer), over.events...)...)
		case over.n < answer:
			t.add(Contradicted, say("book.C10.complete", r.t.Event(over.n).At, r.t.Event(answer).At), append(over.events, answer)...)
		case len(late) < len(remoteItems):
			t.add(Contradicted, say("book.C10.never"), append(over.events, answer)...)
		default:
			t.add(Holds, say("book.C10.then", r.t.Event(answer).At), append(append(late, answer), over.events...)...)
		}
	}
	return t.Finding
}

// remoteItems are what a socket holds of the other side's address.
var remoteItems = [...]trace.Item{trace.RemoteAddress, trace.RemotePort}

// recorded returns the events by which the socket that connects got to know the server's address and port, as long as the try
// went on: those before its answer that were true when it arrived, and those from then on. hidden: the stack does not let us see.
func (r *record) recorded(c *connect, answer int, over outcome) (early, late []int, hidden bool) {
	known := map[trace.Item]int{} // the event by which an item is known
	all := r.controls[socketKey{c.host(), c.socket()}]
	at, _ := slices.BinarySearch(all, c.n())
	for _, n := range all[at:] {
		if n > over.n && n > answer && r.t.Event(n).Cause != over.cause {
			break
		}
		for _, item := range remoteItems {
			change := changed(r.t.Event(n).Detail.(*trace.Control), item)
			switch {
			case change == nil, n > answer && known[item] != 0:
			case change.New().Kind == trace.NotObservable:
				hidden = true
			case change.New().Kind == trace.None:
				delete(known, item)
			default:
				known[item] = n
			}
		}
	}
	for _, item := range remoteItems {
		switch n := known[item]; {
		case n == 0:
		case n < answer:
			early = append(early, n)
		default:
			late = append(late, n)
		}
	}
	return early, late, hidden
}

// changed is how an item changed; nil: it did not.
func changed(c *trace.Control, item trace.Item) *trace.Change {
	for i := range c.Changes {
		if c.Changes[i].Item == item {
			return &c.Changes[i]
		}
	}
	return nil
}

// c11: behind the SYN,ACK the first segment of who connected, resets and repeated SYNs aside, acknowledges it, and the data that
// had arrived behind it by then, and no more.
func c11(r *record) Finding {
	t := tallied(noConnect)
	for _, c := range r.connects {
		if c.end == nil {
			continue
		}
		var answers []*segment
		for _, s := range c.end.toward {
			if s.packet.TCP.Flags&(trace.SYN|trace.RST) == trace.SYN && acknowledgesSYN(&s.packet.TCP, c.end) {
				answers = append(answers, s)
			}
		}
		if len(answers) == 0 {
			t.add(NotExercised, noAnswer)
			continue
		}
		silent := true
		at, _ := slices.BinarySearchFunc(c.end.segments, answers[0].n, func(s *segment, n int) int { return s.n - n })
		for _, s := range c.end.segments[at:] {
			tcp := &s.packet.TCP
			if tcp.Flags.Has(trace.SYN) || tcp.Flags.Has(trace.RST) {
				continue
			}
			evidence := append(numbers(answers...), s.n)
			heard := answers[0]
			for _, a := range answers { // one that began with another number may have been lost
				if most, _ := r.acknowledgeable(s, a.from); tcp.Ack.Sub(a.packet.TCP.Seq) <= uint32(most) && tcp.Ack != a.packet.TCP.Seq {
					heard = a
					break
				}
			}
			most, known := r.acknowledgeable(s, heard.from)
			switch place := int64(int32(tcp.Ack.Sub(heard.packet.TCP.Seq))); {
			case !tcp.Flags.Has(trace.ACK):
				t.add(Contradicted, say("book.C11.no-ack", tcp.Flags), evidence...)
			case place < 1:
				t.add(Contradicted, say("book.C11.other", int(place)), evidence...)
			case place > most && !known:
				t.add(NotObservable, say("book.C11.unseen", int(place)))
			case place > most:
				t.add(Contradicted, say("book.C11.ahead", int(place), int(most)), evidence...)
			default:
				t.add(Holds, say("book.C11.ack", tcp.Flags, int(place)), evidence...)
			}
			silent = false
			break
		}
		if silent {
			t.add(NotExercised, say("book.C11.silent"))
		}
	}
	return t.Finding
}

// acknowledgeable is the place up to which all of the other end's octets had arrived when a segment was sent; of a capture, which does not
// tell, the place up to which they were ever sent. known: no more of them can have arrived.
func (r *record) acknowledgeable(s *segment, other *end) (place int64, known bool) {
	if r.t.Header.Capture {
		return other.next, r.complete(other)
	}
	at, _ := slices.BinarySearchFunc(r.segments, s.n, func(s *segment, n int) int { return s.n - n })
	m := &r.follow().sent[at]
	if m.peer != other {
		return other.next, true // it has not heard the answer to which this is the answer
	}
	return m.rcvNxt, !m.unsure
}

// A flow is what went through a connection in one direction, from what calls say.
type flow struct {
	in, out  int64 // octets that calls handed over and got
	open     bool  // a call that hands over had not come back, so that in may be more
	drained  bool  // a call came to the end of the data
	wanted   bool  // a call that gets waited for more to the end, or failed
	cut      bool  // the socket that sends is in CLOSED in the end, so that nothing comes any more
	arrived  int64 // octets that arrived without a gap
	changed  *arrival
	evidence []int
}

// whole reports whether octets went in and all came out.
func (f *flow) whole() bool { return f.out > 0 && f.out == f.in && !f.open }

// c12: in each direction as many octets come out as went in, none is another, and none came out that had not arrived. The
// server's end is a socket that the SYN found; one that was made for it is the statement's, elsewhere.
func c12(r *record) Finding {
	t := tallied(noConnect)
	if !r.showsCalls() && len(r.connects) > 0 {
		t.add(NotObservable, inCapture)
		return t.Finding
	}
	puts, gets, accepted := map[socketKey][]*call{}, map[socketKey][]*call{}, map[socketKey]bool{}
	for _, c := range r.calls {
		key := socketKey{c.event.Host, c.socket}
		switch {
		case sends(c.call.Name):
			puts[key] = append(puts[key], c)
		case receives(c.call.Name):
			gets[key] = append(gets[key], c)
		case c.call.Name == "accept" && c.ret != nil:
			accepted[socketKey{c.event.Host, c.ret.Accepted}] = true
		}
	}
	done := map[*end]bool{} // a peer is joined once
	for _, c := range r.connects {
		if c.end == nil {
			continue
		}
		if over, observable := r.over(c); c.end.peer == nil || observable && !over.connected {
			t.add(NotExercised, say("book.C.not-connected"))
			continue
		}
		near, far := socketKey{c.host(), c.socket()}, socketKey{c.end.peer.host, c.end.peer.socket()}
		if near.number == 0 || far.number == 0 {
			t.add(NotObservable, say("book.C12.which"))
			continue
		}
		if done[c.end] || done[c.end.peer] {
			continue // in a simultaneous open both connected, and it is one pipe
		}
		done[c.end], done[c.end.peer] = true, true
		t.add(NotExercised, say("book.C12.one-way"))
		out := r.flow(c.end, puts[near], gets[far])
		back := r.flow(c.end.peer, puts[far], gets[near])
		out.cut, back.cut = r.isClosed(near), r.isClosed(far)
		evidence := append(slices.Clone(out.evidence), back.evidence...)
		answering := r.socket(far.host, far.number)
		switch broken := firstBroken(&out, &back); {
		case broken != nil && broken.changed != nil:
			t.add(Contradicted, say("book.C12.octets", int(broken.changed.of.offset)), append(broken.evidence, broken.changed.n)...)
		case broken != nil:
			t.add(Contradicted, say("book.C12.lost", int(broken.in), int(broken.out)), broken.evidence...)
		case !out.whole() || !back.whole():
		case accepted[far] || answering != nil && answering.Listener != 0:
			t.add(Refined, say("book.C12.new", int(out.out), int(back.out), far.number), evidence...)
		default:
			t.add(Holds, say("book.C12.joined", int(out.out), int(back.out), far.number), evidence...)
		}
	}
	return t.Finding
}

// firstBroken returns the first flow that contradicts a pipe.
func firstBroken(flows ...*flow) *flow {
	for _, f := range flows {
		switch {
		case f.changed != nil, f.out > f.arrived, !f.open && f.out > f.in, !f.open && f.out < f.in && (f.drained || f.wanted && f.cut):
			return f
		}
	}
	return nil
}

// isClosed reports whether a socket was in CLOSED in the end, or gone.
func (r *record) isClosed(key socketKey) bool {
	s := r.socket(key.host, key.number)
	return s != nil && (s.Gone != 0 || s.At(len(r.t.Events)).State == trace.Closed)
}

// flow follows the octets of one direction, from the calls that hand them over to those that get them.
func (r *record) flow(from *end, puts, gets []*call) flow {
	var f flow
	for _, c := range puts {
		f.evidence = append(f.evidence, c.n)
		if c.ret == nil {
			f.open = true
			continue
		}
		f.in += max(c.ret.Result, 0) + c.ret.Count
	}
	var whole []*segment // what arrived as it was sent, in order of the stream
	for _, s := range from.segments {
		if s.packet.TCP.DataLen == 0 {
			continue
		}
		f.evidence = append(f.evidence, s.n)
		for _, n := range s.arrivals {
			p := r.t.Event(n).Detail.(*trace.Arrived).Packet
			if p.TCP.Checksum == trace.ChecksumBad {
				continue
			}
			if string(p.Data()) != string(s.packet.Data()) && f.changed == nil {
				f.changed = &arrival{n: n, event: r.t.Event(n), packet: p, of: s}
			}
			whole = append(whole, s)
		}
	}
	slices.SortStableFunc(whole, func(a, b *segment) int { return int(min(max(a.offset-b.offset, -1), 1)) })
	next := int64(1)
	for _, s := range whole {
		if s.offset > next {
			break
		}
		next = max(next, s.offset+int64(s.packet.TCP.DataLen))
	}
	f.arrived = next - 1
	for _, c := range gets {
		switch {
		case c.ret == nil:
			reader := r.socket(c.event.Host, c.socket)
			f.wanted = f.wanted || reader != nil && reader.Gone == 0 // else a reboot has ended the program, too
			f.evidence = append(f.evidence, c.n)
			continue
		case c.call.Text == "MSG_PEEK":
			continue
		}
		f.wanted = f.wanted || c.ret.Errno != "" && c.ret.Errno != "EAGAIN" && c.ret.Errno != "EINTR"
		f.evidence = append(f.evidence, c.retN)
		got := max(c.ret.Result, 0) + c.ret.Count
		f.out += got
		if c.ret.Errno == "" && (c.call.Len == trace.NoLen || got < int64(c.call.Len) && (got == 0 || c.call.Name == "recvall")) {
			f.drained = true
		}
	}
	return f
}

// c13: nothing but a close() of one of the two programs ends a connection: not what else cuts it behind one, either.
func c13(r *record) Finding {
	t := tallied(noConnect)
	if len(r.connects) == 0 {
		return t.Finding
	}
	if !r.showsCalls() {
		t.add(NotObservable, inCapture)
		return t.Finding
	}
	closes := map[socketKey][]*call{}
	for _, c := range r.calls {
		if c.call.Name == "close" {
			key := socketKey{c.event.Host, c.socket}
			closes[key] = append(closes[key], c)
		}
	}
	done := map[*end]bool{}
	for _, c := range r.connects {
		if c.end == nil || done[c.end] {
			continue
		}
		if c.end.peer == nil {
			t.add(NotExercised, say("book.C.not-connected"))
			continue
		}
		near, far := socketKey{c.host(), c.socket()}, socketKey{c.end.peer.host, c.end.peer.socket()}
		if !r.showsStates(near.host) || !r.showsStates(far.host) {
			t.add(NotObservable, blind)
			continue
		}
		done[c.end.peer] = true // in a simultaneous open both connected, and it is one connection
		begun, over := r.lifetime(near)
		if begun == 0 {
			t.add(NotExercised, say("book.C.not-connected"))
			continue
		}
		_, overFar := r.lifetime(far)
		over = rising(append(over, overFar...))
		var closed []int
		for _, c := range slices.Concat(closes[near], closes[far]) {
			if c.n > begun {
				closed = append(closed, c.n)
			}
		}
		closed = rising(closed)
		cut := slices.IndexFunc(over, func(n int) bool { return len(closed) > 0 && closed[0] < n && r.byClose(n) })
		switch {
		case len(over) == 0:
			t.add(NotExercised, say("book.C13.lasts", r.t.End.At-r.t.Event(begun).At))
		case cut == 0:
			t.add(Holds, say("book.C13.close", r.t.Event(closed[0]).At-r.t.Event(begun).At), append(closed, over[0])...)
		case cut > 0:
			t.add(Contradicted, r.endedBy(over[0]), over[:cut]...)
		default:
			t.add(Contradicted, r.endedBy(over[0]), over...)
		}
	}
	return t.Finding
}

// lifetime returns when a socket was connected, and the state changes by which it was no more: into LAST-ACK, CLOSING,
// TIME-WAIT or CLOSED, all behind that.
func (r *record) lifetime(key socketKey) (begun int, over []int) {
	s := r.socket(key.host, key.number)
	if s == nil {
		return 0, nil
	}
	for _, stay := range s.Stays {
		switch stay.State {
		case trace.Established:
			if begun == 0 {
				begun = stay.N
			}
		case trace.LastAck, trace.Closing, trace.TimeWait, trace.Closed:
			if begun != 0 {
				over = append(over, stay.N)
			}
		case trace.NotObserved, trace.Listen, trace.SynSent, trace.SynReceived, trace.FinWait1, trace.FinWait2, trace.CloseWait:
		}
	}
	return begun, over
}

// byClose reports whether a state change by which a connection was no more, behind a close(), can come of it: of the call itself
// or of the FINs. To cut it in another way are a reboot, a timer, a call that is no close(), and a reset, whoever sends it.
func (r *record) byClose(n int) bool {
	e := r.t.Event(n)
	if e.Detail.(*trace.StateChange).To != trace.Closed {
		return true
	}
	cause := r.t.Event(e.Cause)
	if cause == nil {
		return false
	}
	switch d := cause.Detail.(type) {
	case *trace.Call:
		return d.Name == "close"
	case *trace.Arrived:
		reset := d.Packet.Kind != trace.PacketTCP || d.Packet.TCP.Flags.Has(trace.RST)
		return !reset && r.answer(cause.N, trace.RST) == nil
	default:
		return false
	}
}

// endedBy says what a connection ended by, if not by close(): what stands behind the state change.
func (r *record) endedBy(n int) Text {
	e := r.t.Event(n)
	cause := r.t.Event(e.Cause)
	if cause == nil {
		return say("book.C13.itself", e.Host)
	}
	switch d := cause.Detail.(type) {
	case *trace.HostChange:
		return say("book.C13.reboot", e.Host)
	case *trace.Timer:
		return say("book.C13.timer", e.Host, d.Name)
	case *trace.Arrived:
		if d.Packet.Kind != trace.PacketTCP {
			return say("book.C13.segment", e.Host, d.Packet.Kind)
		}
		return say("book.C13.segment", e.Host, d.Packet.TCP.Flags)
	case *trace.Call:
		return say("book.C13.call", e.Host, d.String())
	default:
		return say("book.C13.itself", e.Host)
	}
}
