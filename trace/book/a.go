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
	found := [trace.NumItems]bool{}
	hidden := false
	for _, c := range r.calls {
		if c.call.Name != "socket" || c.ret == nil || c.ret.Errno != "" || c.socket == 0 {
			continue
		}
		if !r.showsControl(c.event.Host) {
			hidden = true
			continue
		}
		calls = append(calls, c.n)
		verdict := Holds
		for i, h := range r.holds(c.event.Host, c.socket, c.retN) {
			item := trace.Item(i)
			if h.n == 0 || !says(h.change) || empty(h.change) {
				continue
			}
			evidence = append(evidence, c.n, h.n)
			found[i] = true
			verdict = max(verdict, Refined)
			if aboutPeer(item) {
				verdict = Contradicted
			}
		}
		f.Verdict = max(f.Verdict, verdict)
	}
	var items []trace.Item
	for i := range found {
		if found[i] {
			items = append(items, trace.Item(i))
		}
	}
	switch f.Verdict {
	case NotExercised:
		f.Observed = say("book.A2.no-socket")
		if hidden {
			f.Verdict, f.Observed = NotObservable, say("book.no-control")
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

// aboutPeer reports whether an item tells of the other side: its names, its numbers, and what it said that it can do.
func aboutPeer(i trace.Item) bool {
	switch i {
	case trace.RemoteAddress, trace.RemotePort, trace.IRS, trace.RcvNxt, trace.SndWnd, trace.SendMSS, trace.SndWindShift,
		trace.SACKPermitted, trace.Timestamps, trace.TSRecent:
		return true
	default:
		return false
	}
}

// says reports whether the new value of an item says anything: "no such option" does not, nor does what is hidden, nor the MSS
// that a stack takes for the peer's when it was told none, over IPv4 or IPv6 (RFC 9293, Section 3.7.1, MUST-15).
func says(c *trace.Change) bool {
	v := c.New()
	switch v.Kind {
	case trace.None, trace.NotObservable:
		return false
	case trace.Number:
		if c.Item == trace.SendMSS && c.By == trace.ByStack && (v.Num == 536 || v.Num == 1220) {
			return false
		}
		u := c.Item.Unit()
		return v.Num != 0 || u != trace.UnitBool && u != trace.UnitShift && u != trace.UnitPort
	case trace.Text, trace.Unlimited:
		return true
	}
	return true
}

// empty reports whether an item says that a buffer or a queue has nothing in it.
func empty(c *trace.Change) bool {
	switch c.Item {
	case trace.SendBufferUsed, trace.ReceiveBufferUsed, trace.ReceiveMemoryUsed, trace.SynQueue, trace.AcceptQueue:
		return c.New().Num == 0
	default:
		return false
	}
}

// sends are the calls that hand data to a socket.
var sends = map[string]bool{"send": true, "sendall": true, "sendto": true, "sendmsg": true, "write": true, "writev": true}

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
		case sends[c.call.Name] && fresh[key] && c.call.Len != 0:
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
		for _, i := range []trace.Item{trace.RemoteAddress, trace.RemotePort} {
			switch h := after[i]; {
			case known[i].n != 0 && says(known[i].change):
				before = append(before, c.n, known[i].n)
			case h.n == 0:
				otherwise = append(otherwise, c.n)
			case h.change.New().Kind == trace.NotObservable:
				hidden = true
			case !r.brings(h.change) || h.change.By != trace.ByApplication:
				otherwise = append(otherwise, c.n, h.n)
			default:
				held = append(held, c.n, h.n)
				if i == trace.RemotePort {
					told++
				}
			}
		}
	}
	switch {
	case len(before) > 0:
		return Finding{Verdict: Contradicted, Evidence: before, Observed: say("book.A4.before")}
	case len(otherwise) > 0:
		return Finding{Verdict: Contradicted, Evidence: otherwise, Observed: say("book.A4.otherwise")}
	case told > 0:
		return Finding{Verdict: Holds, Evidence: held, Observed: say("book.A4.told", told)}
	case hidden:
		return Finding{Verdict: NotObservable, Observed: say("book.no-control")}
	}
	return Finding{Observed: say("book.A4.no-connect")}
}

// a5 looks at who tells the sockets of a server of their clients, and when.
func a5(r *record) Finding {
	var wrong, late, held []int
	told := 0 // connections
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
		if n := r.foretold(e, s); n != 0 {
			wrong = append(wrong, n)
			continue
		}
		for _, i := range []trace.Item{trace.RemoteAddress, trace.RemotePort} {
			n, c := r.comes(e.host, s.Number, i)
			if n == 0 {
				wrong = append(wrong, s.First, e.syn.n)
				continue
			}
			cause := r.t.Event(n).Cause
			switch {
			case c.New().Kind == trace.NotObservable:
				hidden = true
			case c.By != trace.BySegment || !r.brings(c):
				wrong = append(wrong, n)
			case !r.t.Event(cause).Detail.(*trace.Arrived).Packet.TCP.Flags.Has(trace.SYN): // that it arrived brings has seen
				late = append(late, cause, n)
			default:
				held = append(held, cause, n)
				if i == trace.RemotePort {
					told++
				}
			}
		}
	}
	switch {
	case len(wrong) > 0:
		return Finding{Verdict: Contradicted, Evidence: wrong, Observed: say("book.A5.otherwise")}
	case len(late) > 0:
		return Finding{Verdict: Refined, Evidence: late, Observed: say("book.A5.late")}
	case len(held) > 0:
		return Finding{Verdict: Holds, Evidence: held, Observed: say("book.A5.told", told)}
	case hidden:
		return Finding{Verdict: NotObservable, Observed: say("book.no-control")}
	}
	return Finding{Observed: say("book.A5.no-server")}
}

// foretold looks whether a socket of a server, or the one that listens for it, held the client's address before a SYN of it
// arrived: the number of the event that brought it; 0: it did not.
func (r *record) foretold(e *end, s *trace.Socket) int {
	request := r.requested(e)
	for _, number := range []int{s.Listener, s.Number} {
		if n, c := r.comes(e.host, number, trace.RemoteAddress); n != 0 && says(c) && (request == 0 || n < request) {
			return n
		}
	}
	return 0
}

// requested is the number of the event with which the first whole SYN of the other side reached e; 0: none did.
func (r *record) requested(e *end) int {
	if e.peer == nil {
		return 0
	}
	for _, s := range e.peer.segments {
		if !s.packet.TCP.Flags.Has(trace.SYN) {
			continue
		}
		for _, n := range s.arrivals {
			if r.t.Event(n).Detail.(*trace.Arrived).Packet.TCP.Checksum != trace.ChecksumBad {
				return n
			}
		}
	}
	return 0
}

// comes is the first change with which a socket came to hold a value of an item, with the number of its event; 0: none did.
func (r *record) comes(host string, number int, i trace.Item) (int, *trace.Change) {
	for _, n := range r.controls[socketKey{host, number}] {
		changes := r.t.Event(n).Detail.(*trace.Control).Changes
		for j := range changes {
			if c := &changes[j]; c.Item == i && c.New().Kind != trace.None {
				return n, c
			}
		}
	}
	return 0, nil
}

// recorded are the items that a socket needs of its peer, so that it can send and receive.
var recorded = [...]trace.Item{trace.RemoteAddress, trace.RemotePort, trace.IRS, trace.RcvNxt, trace.SndWnd}

// a6 looks at what both sockets of a connection hold when it stands, and who brought that.
func a6(r *record) Finding {
	var missing, held []int
	var lacks []trace.Item
	came := [2]int{} // the items that came in headers, to the first connection's two sockets
	hidden := false
	pairs := 0
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
		pairs++
		for i, side := range both {
			has := r.holds(side.host, side.socket(), r.settled(stood[i]))
			for _, item := range recorded {
				h := has[item]
				inHeader := item != trace.RemoteAddress && item != trace.RemotePort
				switch {
				case h.n == 0, inHeader && (h.change.By != trace.BySegment || !r.brings(h.change)):
					missing = append(missing, e.syn.n, stood[i])
					lacks = append(lacks, item)
				case h.change.New().Kind == trace.NotObservable:
				default:
					held = append(held, stood[i], h.n)
				}
			}
			if pairs == 1 {
				for _, h := range has {
					if h.n != 0 && h.change.By == trace.BySegment {
						came[i]++
					}
				}
			}
		}
	}
	switch {
	case len(missing) > 0:
		return Finding{Verdict: Contradicted, Evidence: missing, Observed: say("book.A6.missing", rising(lacks))}
	case pairs > 0:
		return Finding{Verdict: Holds, Evidence: held, Observed: say("book.A6.recorded", came[0], came[1])}
	case hidden:
		return Finding{Verdict: NotObservable, Observed: say("book.no-control")}
	}
	return Finding{Observed: say("book.A6.no-connection")}
}

// a7 looks whether data go through in both directions once both SYNs are acknowledged. That they went through shows in
// the other side's acknowledgment.
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
		if e.peer == nil || e.peer.peer != e || !e.known || !e.peer.known || e.syn == nil || e.peer.syn == nil || e.syn.n > e.peer.syn.n {
			continue
		}
		if e.acknowledged(1) == 0 || e.peer.acknowledged(1) == 0 {
			continue
		}
		there, back := e.delivery(reset[e]), e.peer.delivery(reset[e.peer])
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

// A delivery is what came of the data that an end sent.
type delivery struct {
	events []int // the segments, and what acknowledges the first; empty: no data were sent, or it does not show
	failed bool  // they were sent again and never acknowledged, and nobody reset the connection
}

// delivery follows the data of an end, which was reset in the end or was not.
func (e *end) delivery(reset bool) delivery {
	var d delivery
	var first int64
	again := false
	for _, s := range e.segments {
		if s.packet.TCP.DataLen == 0 || s.packet.TCP.Flags.Has(trace.SYN) {
			continue
		}
		if len(d.events) == 0 {
			first = s.offset + 1
		}
		again = again || s.again
		d.events = append(d.events, s.n)
	}
	if len(d.events) == 0 {
		return d
	}
	if n := e.acknowledged(first + 1); n != 0 {
		d.events = append(d.events, n)
		return d
	}
	if reset || !again {
		return delivery{}
	}
	d.failed = true
	return d
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
	for _, e := range r.ends {
		number := e.socket()
		stood := r.stood(e.host, number)
		if stood == 0 || e.syn == nil || e.peer == nil {
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
