package book

import (
	"slices"

	"connectlab/trace"
)

// sectionA is what connecting means.
var sectionA = []*Statement{
	{ID: "A1", Scope: Course, Text: "The line is there before connect(): nothing is laid, nothing sent.", Source: "RFC 9293, Section 3.9.1.1", judge: a1},
	{ID: "A2", Scope: Course, Text: "A socket just created holds no information, least of all of a peer.", Source: "RFC 9293, Section 3.3.1", judge: a2},
	{ID: "A3", Scope: Course, Text: "So it cannot send: a send on a fresh socket goes nowhere.", Source: "RFC 9293, Section 3.10.2", judge: a3},
	{ID: "A4", Scope: Course, Text: "connect() hands the server's address and port down to the stack.", Source: "RFC 9293, Section 3.9.1.1", judge: a4},
	{ID: "A5", Scope: Course, Text: "The server knows no client until the client's request tells it.", Source: "RFC 9293, Section 3.10.7.2", judge: a5},
	{ID: "A6", Scope: Course, Text: "Connecting first exchanges control information and records it.", Source: "RFC 9293, Section 3.5", judge: a6},
	{ID: "A7", Scope: Course, Text: "Who follows the rules of the exchange can send and receive data.", Source: "RFC 9293, Section 3.5", WireDecides: true, judge: a7},
	{ID: "A8", Scope: Course, Text: "Buffer memory is set aside while the connect operation runs.", Source: "RFC 9293, Section 3.3.1", judge: a8},
}

// a1 looks for segments before the first connect(), and whether what connect() sends crosses a link that was up before.
func a1(r *record) Finding {
	if !r.showsCalls() {
		return Finding{Verdict: NotObservable, Observed: say("book.no-calls")}
	}
	opens := r.opens()
	if len(opens) == 0 {
		return Finding{Observed: say("book.A1.no-connect")}
	}
	first := opens[0].n
	var early []int
	for _, s := range r.segments {
		if s.n < first {
			early = append(early, s.n)
		}
	}
	if len(early) > 0 {
		return Finding{Verdict: Contradicted, Evidence: append(early, first), Observed: say("book.A1.early", len(early))}
	}
	up, laid := r.lines(opens)
	if len(laid) > 0 {
		return Finding{Verdict: Contradicted, Evidence: laid, Observed: say("book.A1.laid")}
	}
	var evidence []int
	for _, c := range opens {
		if !up[c] {
			continue
		}
		if s := r.crossed(c); s != nil {
			evidence = append(evidence, c.n, s.n)
			evidence = append(evidence, s.arrivals...)
		}
	}
	if len(evidence) == 0 {
		return Finding{Observed: say("book.A1.nothing-crossed")}
	}
	quiet := 0
	for _, c := range r.calls {
		if c.n < first {
			quiet++
		}
	}
	return Finding{Verdict: Holds, Evidence: evidence, Observed: say("book.A1.quiet", quiet)}
}

// lines tells at which calls of connect() the link was up, and names the events of those that brought it up.
func (r *record) lines(opens []*call) (up map[*call]bool, laid []int) {
	up = make(map[*call]bool, len(opens))
	down := 0
	for i, next := 0, 0; i < len(r.t.Events); i++ {
		e := &r.t.Events[i]
		if next < len(opens) && opens[next].n == e.N {
			up[opens[next]] = down == 0
			next++
		}
		if h, ok := e.Detail.(*trace.HostChange); ok {
			switch h.What {
			case trace.LinkGoesDown:
				down = e.N
			case trace.LinkComesUp:
				if c := r.callOf[e.Cause]; down != 0 && c != nil && c.call.Name == "connect" {
					laid = append(laid, down, c.n, e.N)
				}
				down = 0
			case trace.Reboot:
			}
		}
	}
	return up, laid
}

// crossed is the first segment of the socket that c connects which reached the other host; nil: none did.
func (r *record) crossed(c *call) *segment {
	for _, e := range r.endsOf[socketKey{c.event.Host, c.socket}] {
		for _, s := range e.segments {
			if s.n > c.n && s.event.Socket == c.socket && len(s.arrivals) > 0 {
				return s
			}
		}
	}
	return nil
}

// a2 reads what each socket holds when socket() returns.
func a2(r *record) Finding {
	if !r.showsCalls() {
		return Finding{Verdict: NotObservable, Observed: say("book.no-calls")}
	}
	var f Finding
	var calls, evidence []int
	var items, hides []trace.Item
	hidden, hidesPeer := false, false
	made := map[socketKey]bool{}
	for _, c := range r.calls {
		key := socketKey{c.event.Host, c.socket}
		if c.call.Name != "socket" || c.ret == nil || c.ret.Errno != "" || c.socket == 0 || made[key] {
			continue
		}
		made[key] = true
		if !r.showsControl(c.event.Host) {
			hidden = true
			continue
		}
		calls = append(calls, c.n)
		verdict := Holds
		for i, h := range r.holds(c.event.Host, c.socket, c.retN) {
			item := trace.Item(i)
			if h.hidden() {
				hides = append(hides, item)
				hidesPeer = hidesPeer || item.AboutPeer()
			}
			if h.n == 0 || !says(h.change) {
				continue
			}
			evidence = append(evidence, c.n, h.n)
			items = append(items, item)
			verdict = max(verdict, Refined)
			if item.AboutPeer() {
				verdict = Contradicted
			}
		}
		f.Verdict = max(f.Verdict, verdict)
	}
	items = rising(items)
	if f.Verdict == Holds && len(hides) > 0 || f.Verdict == Refined && hidesPeer {
		return unseen(hides)
	}
	switch f.Verdict {
	case NotExercised:
		f.Observed = say("book.A2.no-socket")
		if hidden {
			return unseen(nil)
		}
	case Holds:
		f.Evidence, f.Observed = calls, say("book.A2.nothing", len(calls))
	case Refined:
		f.Evidence, f.Observed = evidence, say("book.A2.own", items)
	default:
		f.Evidence, f.Observed = evidence, say("book.A2.peer", items)
	}
	return f
}

// says reports whether the new value of an item says anything: "no such option" does not, nor does what is hidden, nor what the
// stack holds by itself where it was told nothing.
func says(c *trace.Change) bool {
	v := c.New()
	switch u := c.Item.Unit(); {
	case v.Kind == trace.None, v.Kind == trace.NotObservable:
		return false
	case c.By == trace.ByStack:
		return !c.Item.Blank(v)
	default:
		return v.Kind != trace.Number || v.Num != 0 || u != trace.UnitBool && u != trace.UnitShift && u != trace.UnitPort
	}
}

// a3 looks at what comes of a send on a socket that was made and never connected.
func a3(r *record) Finding {
	if !r.showsCalls() {
		return Finding{Verdict: NotObservable, Observed: say("book.no-calls")}
	}
	fresh := map[socketKey]bool{} // made by socket(), and not asked to connect
	asked := map[int]*call{}      // the sends on such a socket, by N
	var f Finding
	var held, waits []int
	errno := ""
	for _, c := range r.calls {
		key := socketKey{c.event.Host, c.socket}
		switch {
		case c.call.Name == "socket":
			fresh[key] = true
		case c.call.Name == "connect":
			fresh[key] = false
		case sends(c.call.Name) && fresh[key] && c.call.Len != 0:
			asked[c.n] = c
			switch {
			case c.ret == nil:
				waits = append(waits, c.n)
			case c.ret.Errno == "" || c.ret.Count > 0:
				f.Evidence = append(f.Evidence, c.n, c.retN)
			default:
				held, errno = append(held, c.n, c.retN), c.ret.Errno
			}
		}
	}
	for _, s := range r.segments {
		if c := asked[s.event.Cause]; c != nil {
			f.Evidence = append(f.Evidence, c.n, s.n)
		}
	}
	switch {
	case len(f.Evidence) > 0:
		f.Verdict, f.Observed = Contradicted, say("book.A3.taken")
	case len(waits) > 0:
		f.Verdict, f.Observed, f.Evidence = Refined, say("book.A3.waits"), append(waits, held...)
	case len(held) > 0:
		f.Verdict, f.Observed, f.Evidence = Holds, say("book.A3.error", errno), held
	default:
		f.Observed = say("book.A3.no-send")
	}
	return f
}

// a4 looks for the server's address and port in the socket on which connect() is called, before and after.
func a4(r *record) Finding {
	if !r.showsCalls() {
		return Finding{Verdict: NotObservable, Observed: say("book.no-calls")}
	}
	var before, otherwise, held []int
	var hides []trace.Item
	hidden := false
	told := 0 // sockets
	for _, c := range r.opens() {
		host := c.event.Host
		if !r.showsControl(host) {
			hidden = true
			continue
		}
		known := r.holds(host, c.socket, c.n)
		after := r.holds(host, c.socket, r.settled(c.n))
		if c.ret != nil && c.ret.Errno != "" && c.ret.Errno != "EINPROGRESS" && r.t.Event(c.retN).Cause == c.n && after[trace.RemotePort].n == 0 {
			continue // refused at once: nothing was handed down
		}
		var right []int
		for _, i := range remoteItems {
			switch h := after[i]; {
			case known[i].hidden() || h.hidden():
				hides = append(hides, i)
			case known[i].n != 0 && says(known[i].change):
				before = append(before, c.n, known[i].n)
			case h.n == 0:
				otherwise = append(otherwise, c.n)
			case !r.brings(h.change) || h.change.By != trace.ByApplication:
				otherwise = append(otherwise, c.n, h.n)
			default:
				right = append(right, c.n, h.n)
			}
		}
		if len(right) == 2*len(remoteItems) {
			told++
			held = append(held, right...)
		}
	}
	switch {
	case len(before) > 0:
		return Finding{Verdict: Contradicted, Evidence: before, Observed: say("book.A4.before")}
	case len(otherwise) > 0:
		return Finding{Verdict: Contradicted, Evidence: otherwise, Observed: say("book.A4.otherwise")}
	case told > 0:
		return Finding{Verdict: Holds, Evidence: held, Observed: say("book.A4.told", told)}
	case hidden || len(hides) > 0:
		return unseen(hides)
	}
	return Finding{Observed: say("book.A4.no-connect")}
}

// a5 looks at who tells the sockets of a server of their clients, and when.
func a5(r *record) Finding {
	var wrong, late, held []int
	told := 0 // connections
	var hides []trace.Item
	hidden := false
	for _, e := range r.ends {
		// A server is the side that answered a SYN and sent none of its own before.
		if e.active || e.syn == nil || e.peer == nil || e.peer.syn == nil {
			continue
		}
		if !r.showsControl(e.host) {
			hidden = true
			continue
		}
		s := r.socket(e.host, e.socket())
		if s == nil {
			continue
		}
		connecting := func(stay trace.Stay) bool { return stay.State >= trace.SynReceived }
		if !slices.ContainsFunc(s.Stays, connecting) {
			continue // a SYN cookie that nobody brought back: no socket ever held it
		}
		request := r.requested(e)
		var right, repeated []int
		for i, listens := range r.peerNames(e.host, s.Listener) {
			item, own := remoteItems[i], r.peerNames(e.host, s.Number)[i]
			switch early := listens.n != 0 && says(listens.change) && (request == 0 || listens.n < request); {
			case early:
				wrong = append(wrong, listens.n)
			case listens.hidden() || own.hidden():
				hides = append(hides, item)
			case own.n == 0:
				wrong = append(wrong, s.First, e.syn.n)
			case own.change.By != trace.BySegment || !r.brings(own.change):
				wrong = append(wrong, own.n)
			default:
				cause := r.t.Event(own.n).Cause // that it arrived brings has seen
				switch syn := r.t.Event(cause).Detail.(*trace.Arrived).Packet.TCP.Flags.Has(trace.SYN); {
				case syn:
				case request == 0 || own.n < request:
					wrong = append(wrong, own.n)
					continue
				default:
					repeated = append(repeated, cause, own.n)
				}
				right = append(right, cause, own.n)
			}
		}
		switch {
		case len(repeated) > 0:
			late = append(late, repeated...)
		case len(right) == 2*len(remoteItems):
			told++
			held = append(held, right...)
		}
	}
	switch {
	case len(wrong) > 0:
		return Finding{Verdict: Contradicted, Evidence: wrong, Observed: say("book.A5.otherwise")}
	case len(late) > 0:
		return Finding{Verdict: Refined, Evidence: late, Observed: say("book.A5.late")}
	case len(held) > 0:
		return Finding{Verdict: Holds, Evidence: held, Observed: say("book.A5.told", told)}
	case hidden || len(hides) > 0:
		return unseen(hides)
	}
	return Finding{Observed: say("book.A5.no-server")}
}

// peerNames are the first changes with which a socket came to hold a value of each of remoteItems, or would not let us see one. It
// goes through the socket's changes once, however often a listener is asked for.
func (r *record) peerNames(host string, number int) [len(remoteItems)]holding {
	key := socketKey{host, number}
	named, ok := r.names[key]
	if ok {
		return named
	}
	for _, n := range r.controls[key] {
		for i, item := range remoteItems {
			if c := changed(r.t.Event(n).Detail.(*trace.Control), item); named[i].n == 0 && c != nil && c.New().Kind != trace.None {
				named[i] = holding{n, c}
			}
		}
	}
	r.names[key] = named
	return named
}

// requested is the number of the event with which the first whole SYN of the other side reached e, which need not be the one that was
// sent first; 0: none did.
func (r *record) requested(e *end) int {
	first := 0
	if e.peer == nil {
		return first
	}
	for _, s := range e.peer.segments {
		if n := r.whole(s); n != 0 && s.packet.TCP.Flags.Has(trace.SYN) && (first == 0 || n < first) {
			first = n
		}
	}
	return first
}

// whole is the number of the first arrival of a segment that was not corrupted; 0: there is none.
func (r *record) whole(s *segment) int {
	for _, n := range s.arrivals {
		if r.t.Event(n).Detail.(*trace.Arrived).Packet.TCP.Checksum != trace.ChecksumBad {
			return n
		}
	}
	return 0
}

// recorded are the items that a socket needs of its peer, so that it can send and receive.
var recorded = [...]trace.Item{trace.RemoteAddress, trace.RemotePort, trace.IRS, trace.RcvNxt, trace.SndWnd}

// a6 looks at what both sockets of a connection hold when it stands, and who brought that.
func a6(r *record) Finding {
	var missing, held []int
	var lacks []trace.Item
	came := [2]int{} // the items that came in headers, to the first connection's two sockets
	var hides []trace.Item
	hidden := false
	pairs := 0 // of which all is seen
	looked := map[socketKey]bool{}
	for _, e := range r.ends {
		if e.peer == nil || e.peer.peer != e || e.peer.host == e.host {
			continue
		}
		both := [2]*end{e, e.peer}
		stood := [2]int{r.stood(e.host, e.socket()), r.stood(e.peer.host, e.peer.socket())}
		if stood[0] == 0 || stood[1] == 0 || e.syn == nil || e.peer.syn == nil || e.syn.n > e.peer.syn.n {
			continue
		}
		if !r.showsControl(e.host) || !r.showsControl(e.peer.host) {
			hidden = true
			continue
		}
		key := socketKey{e.host, e.socket()}
		if looked[key] {
			continue
		}
		looked[key] = true
		var right []int
		headers := [2]int{}
		for i, side := range both {
			has := r.holds(side.host, side.socket(), r.settled(stood[i]))
			for _, item := range recorded {
				h := has[item]
				inHeader := item != trace.RemoteAddress && item != trace.RemotePort
				switch {
				case h.hidden():
					hides = append(hides, item)
				case h.n == 0, inHeader && (h.change.By != trace.BySegment || !r.brings(h.change)):
					missing = append(missing, e.syn.n, stood[i])
					lacks = append(lacks, item)
				default:
					right = append(right, stood[i], h.n)
				}
			}
			for _, h := range has {
				if h.n != 0 && h.change.By == trace.BySegment {
					headers[i]++
				}
			}
		}
		if len(right) == len(both)*2*len(recorded) {
			held = append(held, right...)
			if pairs++; pairs == 1 {
				came = headers
			}
		}
	}
	switch {
	case len(missing) > 0:
		return Finding{Verdict: Contradicted, Evidence: missing, Observed: say("book.A6.missing", rising(lacks))}
	case pairs > 0:
		return Finding{Verdict: Holds, Evidence: held, Observed: say("book.A6.recorded", came[0], came[1])}
	case hidden || len(hides) > 0:
		return unseen(hides)
	}
	return Finding{Observed: say("book.A6.no-connection")}
}

// a7 looks whether data go through in both directions once both SYNs are acknowledged. That they went through shows in
// the other side's acknowledgment, of all that was sent: a direction that gets stuck has failed.
func a7(r *record) Finding {
	var failed, held []int
	oneWay := false
	reset := map[*end]bool{} // that were sent a RST, perhaps by a host that had been rebooted
	for _, s := range r.segments {
		if s.to != nil && s.packet.TCP.Flags.Has(trace.RST) {
			reset[s.to] = true
		}
	}
	for _, e := range r.ends {
		if e.peer == nil || e.peer.peer != e || !e.known || !e.peer.known || r.connected(e) == 0 || r.connected(e) > r.connected(e.peer) {
			continue
		}
		if e.acknowledged(1) == 0 || e.peer.acknowledged(1) == 0 {
			continue
		}
		there, back := r.delivery(e, reset[e]), r.delivery(e.peer, reset[e.peer])
		if there.events == nil && back.events != nil {
			there.events = r.deliveredBefore(e)
		}
		if back.events == nil && there.events != nil {
			back.events = r.deliveredBefore(e.peer)
		}
		syns := slices.Concat(e.syns(), e.peer.syns())
		for _, d := range []delivery{there, back} {
			if d.failed {
				failed = append(append(failed, syns...), d.events...)
			}
		}
		through := func(d delivery) bool { return !d.failed && len(d.events) > 0 }
		if through(there) && through(back) {
			held = slices.Concat(held, syns, there.events, back.events)
		}
		oneWay = oneWay || through(there) || through(back)
	}
	switch {
	case len(failed) > 0:
		return Finding{Verdict: Contradicted, Evidence: failed, Observed: say("book.A7.failed")}
	case len(held) > 0:
		return Finding{Verdict: Holds, Evidence: held, Observed: say("book.A7.both")}
	case oneWay:
		return Finding{Observed: say("book.A7.one-way")}
	}
	return Finding{Observed: say("book.A7.no-data")}
}

// connected is the N of the event that shows the SYN of an end, or tells that an earlier part of a capture had it; 0: none.
func (r *record) connected(e *end) int {
	if e.syn != nil {
		return e.syn.n
	}
	return r.connectedBefore(e)
}

// deliveredBefore is the event which tells that data of an end were acknowledged in an earlier part of a capture: SND.UNA is beyond
// the SYN, and beyond a FIN. Empty: none does.
func (r *record) deliveredBefore(e *end) []int {
	n := r.connectedBefore(e)
	if n == 0 {
		return nil
	}
	if una := r.info(e.host, e.socket(), n).Value(trace.SndUna); una.Kind != trace.Number || int32(trace.Seq(una.Num).Sub(e.iss)) <= 2 {
		return nil
	}
	return []int{n}
}

// A delivery is what came of the data that an end sent.
type delivery struct {
	events []int // the segments, and what acknowledges the last of them; empty: no data were sent, or it does not show
	failed bool  // some were sent again and never acknowledged, and nobody reset the connection
}

// delivery follows the data of an end, which was reset in the end or was not. What is not acknowledged may still be when the
// trace ends, unless it was sent again and the trace goes on for longer than the sender had waited before it did.
func (r *record) delivery(e *end, reset bool) delivery {
	last := int64(0) // one past the last octet
	for _, s := range e.segments {
		if s.packet.TCP.DataLen > 0 && !s.packet.TCP.Flags.Has(trace.RST) {
			last = max(last, s.dataFrom()+int64(s.packet.TCP.DataLen))
		}
	}
	acked, by := r.acknowledgedOf(e, last)
	var through, stuck []int
	var first *segment // of those that are not acknowledged
	failed := false
	for _, s := range e.segments {
		length := int64(s.packet.TCP.DataLen)
		switch {
		case length == 0 || s.packet.TCP.Flags.Has(trace.SYN):
			continue
		case s.offset+length <= acked:
			through = append(through, s.n)
			continue
		case first == nil:
			first = s
		case s.again:
			failed = failed || r.t.End.At-s.event.At > s.event.At-first.event.At
		}
		stuck = append(stuck, s.n)
	}
	switch {
	case failed && !reset:
		return delivery{stuck, true}
	case len(through) == 0 || by == 0:
		return delivery{}
	}
	return delivery{events: append(through, by)}
}

// acknowledgedOf is the place (counted as segment.offset) up to which the peer acknowledges an end's octets, at least to last if it does, and
// the number of the first segment with which it does; 0: it acknowledges nothing. In a capture it may acknowledge what is missing there.
func (r *record) acknowledgedOf(e *end, last int64) (place int64, by int) {
	for _, s := range e.peer.segments {
		if seg := &s.packet.TCP; seg.Flags&(trace.ACK|trace.RST) == trace.ACK {
			if at := near(seg.Ack, e.iss, place); at > place && place < last && (at <= e.next || r.t.Header.Capture) {
				place, by = at, s.n
			}
		}
	}
	return place, by
}

// acknowledged is the number of the first segment with which the peer acknowledges that offset (counted as segment.offset) is the
// next that it expects, or more; 0: none does.
func (e *end) acknowledged(offset int64) int {
	for _, s := range e.peer.segments {
		seg := &s.packet.TCP
		if seg.Flags.Has(trace.ACK) && !seg.Flags.Has(trace.RST) && seg.Ack.InWindow(e.iss.Add(uint32(offset)), uint32(max(0, e.next-offset+1))) {
			return s.n
		}
	}
	return 0
}

// syns are the numbers of the segments with SYN that an end sent.
func (e *end) syns() []int {
	var syns []int
	for _, s := range e.segments {
		if s.packet.TCP.Flags.Has(trace.SYN) {
			syns = append(syns, s.n)
		}
	}
	return syns
}

// a8 looks when memory is really held for a socket: between connect() (at the server: the SYN) and ESTABLISHED, while no data wait
// in it. A limit is no memory: that it is there does not show that anything was taken.
func a8(r *record) Finding {
	var otherwise, held []int
	var worst *buffer
	hidden, inside := false, false
	looked := map[socketKey]bool{}
	for _, e := range r.ends {
		number := e.socket()
		if looked[socketKey{e.host, number}] || e.syn == nil || e.peer == nil {
			continue
		}
		looked[socketKey{e.host, number}] = true
		stood := r.stood(e.host, number)
		if stood == 0 {
			continue
		}
		if !r.showsCalls() || !r.showsControl(e.host) {
			hidden = true
			continue
		}
		from := r.requested(e)
		if e.active {
			from = r.asked(e)
		}
		if from == 0 {
			continue
		}
		b := r.buffer(e.host, number, from, r.settled(stood))
		if b == nil {
			hidden = true
			continue
		}
		moments := slices.Concat([]int{from, stood}, e.syns(), e.peer.syns(), b.events)
		if b.inside {
			inside = true
			held = append(held, moments...)
			continue
		}
		otherwise = append(otherwise, moments...)
		if worst == nil || worst.taken == 0 {
			worst = b
		}
	}
	switch {
	case worst == nil && inside:
		return Finding{Verdict: Holds, Evidence: held, Observed: say("book.A8.inside")}
	case worst == nil && hidden:
		return Finding{Verdict: NotObservable, Observed: say("book.no-control")}
	case worst == nil:
		return Finding{Observed: say("book.A8.no-connection")}
	}
	f := Finding{Verdict: Contradicted, Evidence: otherwise}
	switch {
	case worst.before:
		f.Observed = say("book.A8.before")
	case worst.taken > 0:
		f.Observed = say("book.A8.on-demand", worst.data, worst.taken)
	default:
		f.Observed = say("book.A8.none")
	}
	return f
}

// asked is the number of the connect() call that made an end; 0: none is known.
func (r *record) asked(e *end) int {
	for _, c := range r.callsOn[socketKey{e.host, e.socket()}] {
		if c.call.Name == "connect" {
			return c.n
		}
	}
	return 0
}

// A buffer is when memory was taken for what a socket receives.
type buffer struct {
	inside bool  // while the connect operation ran
	before bool  // earlier
	taken  int   // the octets that were taken when the first data came; 0: none
	data   int   // the octets of data that had come then
	events []int // that tell so
}

// buffer follows the memory that is held for a socket, between two events and beyond; nil: the stack does not show it.
func (r *record) buffer(host string, number, from, stood int) *buffer {
	b := &buffer{}
	shown := false
	var info trace.ControlInfo
	for _, n := range r.controls[socketKey{host, number}] {
		changes := r.t.Event(n).Detail.(*trace.Control).Changes
		info.Apply(changes)
		memory, waiting := info.Value(trace.ReceiveMemoryUsed), info.Value(trace.ReceiveBufferUsed)
		if memory.Kind != trace.Number {
			continue
		}
		if !shown {
			shown = true
			b.events = append(b.events, n)
		}
		if memory.Num <= 0 {
			continue
		}
		if waiting.Kind == trace.NotObservable {
			return nil // whether it is held without data does not show
		}
		if waiting.Num == 0 && n <= stood {
			b.inside, b.before = n > from, n <= from
			b.events = append(b.events, n)
			return b
		}
		b.taken, b.data = int(memory.Num), int(waiting.Num)
		if a := r.t.Event(r.t.Event(n).Cause); a != nil {
			if d, ok := a.Detail.(*trace.Arrived); ok { // what has come out of order does not wait yet
				b.data = d.Packet.TCP.DataLen
			}
		}
		b.events = append(b.events, n)
		return b
	}
	if !shown {
		return nil
	}
	return b
}
