package book

import (
	"fmt"
	"slices"
	"time"

	"connectlab/trace"
)

// Match says how a step of the book and a run go together.
type Match uint8

// The matches.
const (
	// None: the book tells of the step, and the run has nothing of it.
	None Match = iota
	// Same: it happened as the book tells.
	Same
	// Differs: it happened, in another way.
	Differs
	// Untold: it happened, and the book does not tell of it.
	Untold
)

var matchNames = [...]string{"none", "same", "differs", "untold"}

// String prints the match as JSON has it: "differs".
func (m Match) String() string {
	if int(m) < len(matchNames) {
		return matchNames[m]
	}
	return fmt.Sprintf("Match(%d)", uint8(m))
}

// A Step is one step of the book's connect beside what a run has of it, or something that happened of which the book does not tell.
type Step struct {
	// Statements are the ids of the statements that tell of the step; none for what is untold.
	Statements []string
	// Text is the step as the book tells it; it says nothing for what is untold.
	Text  Text
	Match Match
	// Events are the numbers of the events that are the step, rising; empty where there is none.
	Events []int
	// Seen is what happened, or why nothing did.
	Seen Text
}

// Ladder puts the book's own course of a connect beside the first connection that a run asked for with connect(), step by step; in
// a packet capture, which has no calls, the first that a SYN asks for. Steps are in the book's order, and what is untold
// stands between them by the number of its first event: segments, calls, changes of state, from socket() to the end of the connection.
// Nil: nothing was asked for.
func Ladder(t *trace.Trace) []Step {
	c := newCourse(newRecord(t))
	if c == nil {
		return nil
	}
	c.connects()
	c.answered()
	c.lasts()
	return c.steps()
}

// A course is one connection, with what was found of the book's steps in it.
type course struct {
	r      *record
	open   *call // connect(); nil: not seen
	host   string
	number int  // of the client's socket
	client *end // nil: it never sent a segment
	server *end // nil: it never sent one
	stood  int  // the event with which the client's socket is connected; 0: none

	told []place
	has  map[int]bool // the events that the book's steps have
}

// A place is a step and the number of the event at which it stands.
type place struct {
	at   int
	step Step
}

// newCourse finds the connection that is followed; nil: there is none.
func newCourse(r *record) *course {
	c := &course{r: r, has: map[int]bool{}}
	switch opens := r.opens(); {
	case len(opens) > 0:
		c.open = opens[0]
		c.host, c.number = c.open.event.Host, c.open.socket
		for _, e := range r.endsOf[socketKey{c.host, c.number}] {
			if e.active && e.syn != nil && c.client == nil {
				c.client = e
			}
		}
	case r.t.Header.Capture:
		at := slices.IndexFunc(r.ends, func(e *end) bool { return e.active })
		if at < 0 {
			return nil
		}
		c.client = r.ends[at]
		c.host, c.number = c.client.host, c.client.socket()
	default:
		return nil
	}
	if c.client != nil {
		c.server = c.client.peer
	}
	c.stood = r.stood(c.host, c.number)
	return c
}

// tell puts a step of the book behind those that are told. It stands at the first of its events, but never before an earlier step.
// Where that is for a step without events is found out when all are told.
func (c *course) tell(s Step) {
	s.Events = rising(s.Events)
	at := 0
	if len(s.Events) > 0 {
		at = s.Events[0]
		for _, t := range c.told {
			at = max(at, t.at)
		}
	}
	for _, n := range s.Events {
		c.has[n] = true
	}
	c.told = append(c.told, place{at, s})
}

// connects tells of what happens until the server has the SYN.
func (c *course) connects() {
	made := Step{Statements: []string{"A2"}, Text: say("book.ladder.made"), Seen: say("book.no-calls")}
	for _, call := range c.r.callsOn[socketKey{c.host, c.number}] {
		if call.call.Name != "socket" || call.ret == nil {
			continue
		}
		made.Match, made.Events, made.Seen = Same, []int{call.n, call.retN}, say("book.ladder.made.nothing", c.number)
		var items []trace.Item
		for i, h := range c.r.holds(c.host, c.number, call.retN) {
			if h.n != 0 && says(h.change) {
				items = append(items, trace.Item(i))
				made.Events = append(made.Events, h.n)
			}
		}
		if len(items) > 0 {
			made.Match, made.Seen = Differs, say("book.ladder.made.own", c.number, items)
		}
		for i := call.n + 1; i < call.retN; i++ { // that it is CLOSED is no news
			if _, ok := c.r.t.Event(i).Detail.(*trace.StateChange); ok {
				made.Events = append(made.Events, i)
			}
		}
		break
	}
	c.tell(made)

	asks := Step{Statements: []string{"A4", "C1"}, Text: say("book.ladder.asks"), Seen: say("book.no-calls")}
	if c.open != nil {
		asks.Match, asks.Events, asks.Seen = Same, []int{c.open.n}, say("book.ladder.asks.seen", c.host, c.open.call.Addr)
	}
	c.tell(asks)

	header := Step{Statements: []string{"C2", "C3", "C4"}, Text: say("book.ladder.header"), Seen: say("book.ladder.nothing-sent")}
	ip := Step{Statements: []string{"C5"}, Text: say("book.ladder.ip"), Seen: say("book.ladder.nothing-sent")}
	arrives := Step{Statements: []string{"C6"}, Text: say("book.ladder.arrives"), Seen: say("book.ladder.never-arrived")}
	if c.client != nil {
		syn := c.client.syn
		seg := &syn.packet.TCP
		header.Match, header.Events = Same, []int{syn.n}
		if seg.Flags != trace.SYN {
			header.Match = Differs
		}
		header.Seen = say("book.ladder.header.seen", int(seg.SrcPort), int(seg.DstPort), seg.Flags)
		ip.Match, ip.Events, ip.Seen = Same, append([]int{syn.n}, syn.fates...), say("book.ladder.ip.seen", syn.packet.IP.Src.String(), syn.packet.IP.Dst.String())
		if len(syn.arrivals) == 0 {
			ip.Seen = say("book.ladder.ip.lost", syn.packet.IP.Src.String(), syn.packet.IP.Dst.String())
		}
		if n, nth := c.request(); n != 0 {
			arrives.Match, arrives.Events, arrives.Seen = Same, []int{n}, say("book.ladder.arrives.seen")
			if nth > 1 {
				arrives.Match, arrives.Seen = Differs, say("book.ladder.arrives.again", nth)
			}
		}
	}
	c.tell(header)
	c.tell(ip)
	c.tell(arrives)
}

// request is the number of the event with which the first whole SYN of the client reached the other host, and which of its SYNs it
// was; 0: none did.
func (c *course) request() (n, nth int) {
	for _, s := range c.client.segments {
		if !s.packet.TCP.Flags.Has(trace.SYN) {
			continue
		}
		nth++
		if n := c.r.whole(s); n != 0 {
			return n, nth
		}
	}
	return 0, 0
}

// answered tells of what the server does with the SYN, and the client with the answer.
func (c *course) answered() {
	request := 0
	if c.client != nil {
		request, _ = c.request()
	}
	c.tell(c.found(request))
	c.tell(c.records(request))

	answers := Step{Statements: []string{"C8"}, Text: say("book.ladder.answers"), Seen: say("book.ladder.no-answer")}
	returns := Step{Statements: []string{"C5", "C6"}, Text: say("book.ladder.returns"), Seen: say("book.ladder.no-answer")}
	looks := Step{Statements: []string{"C9"}, Text: say("book.ladder.looks"), Seen: say("book.ladder.no-answer")}
	answer, arrived, nth := c.answer(request)
	if answer != nil {
		flags := answer.packet.TCP.Flags
		answers.Match, answers.Events, answers.Seen = Differs, append([]int{answer.n}, answer.fates...), say("book.ladder.answers.seen", flags)
		if flags == trace.ACK {
			answers.Match = Same
		}
		returns.Seen = say("book.ladder.never-arrived")
		looks.Seen = say("book.ladder.never-arrived")
	}
	if arrived != nil {
		n := c.r.whole(arrived)
		returns.Match, returns.Events, returns.Seen = Same, []int{arrived.n, n}, say("book.ladder.returns.seen")
		if nth > 1 {
			returns.Match, returns.Seen = Differs, say("book.ladder.returns.again", nth)
		}
		looks.Events = []int{n}
		flags := arrived.packet.TCP.Flags
		switch failed := c.failed(); {
		case flags.Has(trace.SYN|trace.ACK) && c.stood != 0 && c.r.t.Event(c.stood).Cause == n:
			looks.Match, looks.Seen = Same, say("book.ladder.looks.success", flags)
		case flags.Has(trace.RST) && failed != nil:
			looks.Match, looks.Seen = Differs, say("book.ladder.looks.refused", flags, failed.ret.Errno)
			looks.Events = append(looks.Events, failed.retN)
		default:
			looks.Match, looks.Seen = Differs, say("book.ladder.looks.other", flags)
		}
	}
	c.tell(answers)
	c.tell(returns)
	c.tell(looks)
	c.tell(c.completes())

	acknowledges := Step{Statements: []string{"C11"}, Text: say("book.ladder.acknowledges"), Seen: say("book.ladder.nothing-sent")}
	if s := c.third(); s != nil {
		seg := &s.packet.TCP
		acknowledges.Match, acknowledges.Events = Same, append([]int{s.n}, s.fates...)
		acknowledges.Events = append(acknowledges.Events, s.arrivals...)
		acknowledges.Seen = say("book.ladder.acknowledges.seen", seg.Flags, seg.DataLen)
		if seg.Flags != trace.ACK || seg.DataLen > 0 {
			acknowledges.Match = Differs
		}
		if len(s.arrivals) == 0 {
			acknowledges.Match, acknowledges.Seen = Differs, say("book.ladder.acknowledges.lost", seg.Flags)
		}
	}
	c.tell(acknowledges)
}

// failed is the connect() call if it failed; else nil.
func (c *course) failed() *call {
	if c.open == nil || c.open.ret == nil || c.open.ret.Errno == "" {
		return nil
	}
	return c.open
}

// found tells which socket of the server got the SYN.
func (c *course) found(request int) Step {
	s := Step{Statements: []string{"C6"}, Text: say("book.ladder.found"), Seen: say("book.ladder.never-arrived")}
	if request == 0 {
		return s
	}
	if c.r.t.Header.Capture {
		s.Seen = say("book.no-control")
		return s
	}
	e := c.r.t.Event(request)
	s.Seen = say("book.ladder.found.none")
	if e.Socket == 0 {
		return s
	}
	s.Match, s.Events, s.Seen = Same, []int{request}, say("book.ladder.found.seen", e.Socket)
	if socket := c.r.socket(e.Host, e.Socket); socket != nil && socket.At(request).State != trace.Listen {
		s.Match, s.Seen = Differs, say("book.ladder.found.connecting", e.Socket)
	}
	return s
}

// records tells which socket of the server is connecting.
func (c *course) records(request int) Step {
	s := Step{Statements: []string{"A5", "C7"}, Text: say("book.ladder.records"), Seen: say("book.ladder.never-arrived")}
	if request == 0 {
		return s
	}
	if c.r.t.Header.Capture {
		s.Seen = say("book.no-control")
		return s
	}
	s.Seen = say("book.ladder.records.none")
	at := c.r.t.Event(request)
	for n := request + 1; n <= c.r.settled(request); n++ {
		e := c.r.t.Event(n)
		d, ok := e.Detail.(*trace.StateChange)
		if !ok || e.Host != at.Host || d.To != trace.SynReceived {
			continue
		}
		s.Match, s.Events, s.Seen = Same, []int{n}, say("book.ladder.records.seen", e.Socket)
		if e.Socket != at.Socket && at.Socket != 0 {
			s.Match, s.Seen = Differs, say("book.ladder.records.new", e.Socket, at.Socket)
		}
		for _, held := range c.r.controls[socketKey{e.Host, e.Socket}] {
			if held > request && held <= c.r.settled(request) {
				s.Events = append(s.Events, held)
			}
		}
		break
	}
	return s
}

// answer is the first segment that the server sent to the client when it had the SYN, and the first like it that arrived, the nth;
// nil: there is none.
func (c *course) answer(request int) (answer, arrived *segment, nth int) {
	if request == 0 || c.server == nil {
		return nil, nil, 0
	}
	for _, s := range c.server.segments {
		switch {
		case s.n < request:
			continue
		case answer == nil:
			answer = s
		case s.packet.TCP.Flags != answer.packet.TCP.Flags || s.packet.TCP.Seq != answer.packet.TCP.Seq:
			continue
		}
		nth++
		if c.r.whole(s) != 0 {
			return answer, s, nth
		}
	}
	return answer, nil, 0
}

// completes tells when the client's socket holds the server's address, and when it is connected.
func (c *course) completes() Step {
	s := Step{Statements: []string{"C10"}, Text: say("book.ladder.completes"), Seen: say("book.ladder.completes.never")}
	if c.stood == 0 {
		return s
	}
	s.Match, s.Events, s.Seen = Same, []int{c.stood}, say("book.ladder.completes.seen")
	if c.open != nil && c.open.ret != nil {
		s.Events = append(s.Events, c.open.retN)
	}
	if h := c.r.peerNames(c.host, c.number)[0]; h.n != 0 && says(h.change) && h.n < c.stood && c.r.t.Event(h.n).Cause != c.r.t.Event(c.stood).Cause {
		s.Match, s.Seen = Differs, say("book.ladder.completes.before", h.n)
	}
	return s
}

// third is the segment with which the client answers the answer; nil: there is none.
func (c *course) third() *segment {
	if c.client == nil || c.server == nil {
		return nil
	}
	for _, s := range c.client.segments {
		if s.packet.TCP.Flags&trace.SYN == 0 && s.packet.TCP.Flags.Has(trace.ACK) && c.stood != 0 && !s.packet.TCP.Flags.Has(trace.RST) {
			return s
		}
	}
	return nil
}

// lasts tells of the pipe, and of its end.
func (c *course) lasts() {
	pipe := Step{Statements: []string{"A7", "C12"}, Text: say("book.ladder.pipe"), Seen: say("book.ladder.pipe.none")}
	closes := Step{Statements: []string{"C13"}, Text: say("book.ladder.closes"), Seen: say("book.ladder.pipe.none")}
	if c.stood == 0 || c.server == nil || c.r.stood(c.server.host, c.server.socket()) == 0 {
		c.tell(pipe)
		c.tell(closes)
		return
	}
	other := c.r.socket(c.server.host, c.server.socket())
	octets := [2]int{}
	for i, e := range []*end{c.client, c.server} {
		for _, s := range e.segments {
			seg := &s.packet.TCP
			if s.again || seg.Flags&(trace.SYN|trace.FIN|trace.RST) != 0 && seg.DataLen == 0 || seg.DataLen == 0 && !c.forData(s) {
				continue
			}
			octets[i] += seg.DataLen
			pipe.Events = append(append(append(pipe.Events, s.n), s.arrivals...), s.fates...)
		}
		for _, call := range c.r.callsOn[socketKey{e.host, e.socket()}] {
			if sends(call.call.Name) || receives(call.call.Name) {
				pipe.Events = append(pipe.Events, call.n)
				if call.ret != nil {
					pipe.Events = append(pipe.Events, call.retN)
				}
			}
		}
	}
	pipe.Match, pipe.Seen = Same, say("book.ladder.pipe.seen", octets[0], octets[1])
	if other.Listener != 0 {
		pipe.Match, pipe.Seen = Differs, say("book.ladder.pipe.new", other.Number, other.Listener, octets[0], octets[1])
	}
	if len(pipe.Events) == 0 {
		pipe.Events = []int{max(c.stood, c.r.stood(other.Host, other.Number))}
	}
	c.tell(pipe)

	closed := 0 // sockets that ended because they were closed
	for _, socket := range []*trace.Socket{c.r.socket(c.host, c.number), other} {
		asked := 0
		for _, call := range c.r.callsOn[socketKey{socket.Host, socket.Number}] {
			if call.call.Name == "close" && call.n > c.stood {
				asked = call.n
				closes.Events = append(closes.Events, call.n)
				if call.ret != nil {
					closes.Events = append(closes.Events, call.retN)
				}
			}
		}
		if last := socket.Stays[len(socket.Stays)-1]; asked != 0 && last.State == trace.Closed && last.N > asked {
			closed++
		}
	}
	switch {
	case len(closes.Events) == 0 && c.reset():
		closes.Seen = say("book.ladder.closes.reset")
	case len(closes.Events) == 0 && c.r.t.Header.Capture:
		closes.Seen = say("book.no-calls")
	case len(closes.Events) == 0:
		closes.Seen = say("book.ladder.closes.none")
	case c.reset():
		closes.Match, closes.Seen = Differs, say("book.ladder.closes.reset")
	case closed == 2:
		closes.Match, closes.Seen = Same, say("book.ladder.closes.seen")
	default:
		closes.Match, closes.Seen = Differs, say("book.ladder.closes.open")
	}
	c.tell(closes)
}

// reset reports whether a RST ended the connection: one of a socket of it, or one that reached it.
func (c *course) reset() bool {
	sent := slices.ContainsFunc(slices.Concat(c.client.segments, c.server.segments), func(s *segment) bool {
		return s.n > c.stood && s.packet.TCP.Flags.Has(trace.RST)
	})
	return sent || slices.ContainsFunc(c.r.arrivals, func(a arrival) bool {
		return a.n > c.stood && a.packet.TCP.Flags.Has(trace.RST) && c.mine(a.event.Host, a.event.Socket)
	})
}

// forData reports whether a segment without data was sent because data had arrived.
func (c *course) forData(s *segment) bool {
	if e := c.r.t.Event(s.event.Cause); e != nil {
		a, ok := e.Detail.(*trace.Arrived)
		return ok && a.Packet.TCP.DataLen > 0 && s.packet.TCP.Flags == trace.ACK
	}
	return false
}

// steps puts what is untold between what is told. A step that there was not stands before the next that there was.
func (c *course) steps() []Step {
	at := len(c.r.t.Events) + 1
	for i := len(c.told) - 1; i >= 0; i-- {
		if t := &c.told[i]; t.at == 0 {
			t.at = at
		}
		at = c.told[i].at
	}
	var steps []Step
	untold := c.untold()
	for _, t := range c.told {
		for len(untold) > 0 && untold[0].at < t.at {
			steps, untold = follow(steps, untold[0].step), untold[1:]
		}
		steps = append(steps, t.step)
	}
	for _, u := range untold {
		steps = follow(steps, u.step)
	}
	return steps
}

// follow puts what is untold behind steps, or, where the same happened just before, to it.
func follow(steps []Step, s Step) []Step {
	if n := len(steps); n > 0 && steps[n-1].Match == Untold && steps[n-1].Seen.Key == s.Seen.Key && slices.Equal(steps[n-1].Seen.Args, s.Seen.Args) {
		steps[n-1].Events = rising(append(steps[n-1].Events, s.Events...))
		return steps
	}
	return append(steps, s)
}

// untold are the events of the connection that the book's steps do not have, what belongs together as one, by the number of its
// first event.
func (c *course) untold() []place {
	u := untold{course: c, groups: map[int]int{}, segments: map[int]*segment{}}
	for _, e := range []*end{c.client, c.server} {
		if e != nil {
			for _, s := range e.segments {
				u.segments[s.n] = s
			}
		}
	}
	gone := c.gone()
	for n := c.began(); n <= len(c.r.t.Events); n++ {
		if c.has[n] {
			continue
		}
		e := c.r.t.Event(n)
		switch d := e.Detail.(type) {
		case *trace.Sent, *trace.Arrived, *trace.Fate:
			u.packet(e)
		case *trace.StateChange:
			switch caller := c.r.callOf[e.Cause]; {
			case !c.mine(e.Host, e.Socket) || d.From == d.To:
			case caller != nil && d.From == trace.NotObserved:
				u.put(caller.n, callUntold(caller), n) // what it made
			default:
				u.put(n, c.stateUntold(e, d), c.timer(e), n)
			}
		case *trace.Call:
			if call := c.r.callOf[n]; c.mine(e.Host, call.socket) {
				u.put(n, callUntold(call), n)
			}
		case *trace.Return:
			call := c.r.callOf[d.Call]
			switch {
			case call == nil:
			case c.mine(e.Host, call.socket):
				u.put(call.n, callUntold(call), n)
			case d.Accepted != 0 && c.mine(e.Host, d.Accepted):
				u.put(n, callUntold(call), n)
			}
		case *trace.HostChange:
			if n <= gone {
				u.put(n, worldUntold(e, d), n)
			}
		case *trace.Timer, *trace.Control, *trace.Note:
		}
	}
	for i := range u.list {
		u.list[i].step.Events = rising(u.list[i].step.Events)
	}
	slices.SortStableFunc(u.list, func(a, b place) int { return a.at - b.at })
	return u.list
}

// An untold collects what the book does not tell.
type untold struct {
	*course
	list     []place
	groups   map[int]int // the index in list, by the number of the event that it is about
	segments map[int]*segment
}

// put adds events to what is about event root, or begins it. A number 0 is none.
func (u *untold) put(root int, seen Text, numbers ...int) {
	numbers = slices.DeleteFunc(numbers, func(n int) bool { return n == 0 || u.has[n] })
	i, ok := u.groups[root]
	if !ok {
		i = len(u.list)
		u.groups[root] = i
		u.list = append(u.list, place{numbers[0], Step{Match: Untold, Seen: seen}})
	}
	u.list[i].step.Events = append(u.list[i].step.Events, numbers...)
}

// packet takes in a packet that was sent or arrived, or its fate.
func (u *untold) packet(e *trace.Event) {
	a, arrived := e.Detail.(*trace.Arrived)
	n := e.N
	if _, sent := e.Detail.(*trace.Sent); !sent {
		n = e.Cause
	}
	if cause := u.r.t.Event(n); cause != nil {
		if d, ok := cause.Detail.(*trace.Sent); ok && d.Packet.Kind != trace.PacketTCP {
			u.put(n, say("book.ladder.untold.other", cause.Host, d.Packet.Kind.String()), e.N)
			return
		}
	}
	s := u.segments[n]
	if s == nil && !arrived && u.mine(e.Host, e.Socket) {
		s = u.r.sentAt[n] // of a host that was rebooted
	}
	switch {
	case s != nil && !u.has[n]:
		u.put(n, sentUntold(s), u.timer(e), e.N)
	case arrived && a.Packet.Kind == trace.PacketTCP && (s != nil || u.mine(e.Host, e.Socket)):
		// The second arrival of what the book tells to be sent, or a segment of another connection.
		u.put(e.N, say("book.ladder.untold.arrives", e.Host, a.Packet.TCP.Flags), e.N)
	}
}

// timer is the number of the timer that caused an event; 0: it was something else.
func (c *course) timer(e *trace.Event) int {
	if cause := c.r.t.Event(e.Cause); cause != nil {
		if _, ok := cause.Detail.(*trace.Timer); ok {
			return cause.N
		}
	}
	return 0
}

// began is the first event of the connection.
func (c *course) began() int {
	for _, t := range c.told {
		if len(t.step.Events) > 0 {
			return t.step.Events[0]
		}
	}
	return 1
}

// gone is the last event that can have to do with the connection: with it, or before, both sockets are gone.
func (c *course) gone() int {
	last := 0
	sockets := []*trace.Socket{c.r.socket(c.host, c.number)}
	if c.server != nil {
		sockets = append(sockets, c.r.socket(c.server.host, c.server.socket()))
	}
	for _, s := range sockets {
		if s == nil || s.Gone == 0 {
			return len(c.r.t.Events)
		}
		last = max(last, s.Gone)
	}
	return last
}

// mine reports whether a socket is one of the connection. One that only listened is not: it serves others too.
func (c *course) mine(host string, number int) bool {
	if host == c.host && number == c.number {
		return true
	}
	return c.server != nil && host == c.server.host && number != 0 && number == c.server.socket()
}

// sentUntold says what a segment was.
func sentUntold(s *segment) Text {
	flags := s.packet.TCP.Flags
	again := s.again && (s.from.syn == nil || flags.Has(trace.ACK) == s.from.syn.packet.TCP.Flags.Has(trace.ACK) || !flags.Has(trace.SYN))
	switch lost := len(s.arrivals) == 0; {
	case again && lost:
		return say("book.ladder.untold.again-lost", s.event.Host, flags)
	case again:
		return say("book.ladder.untold.again", s.event.Host, flags)
	case lost:
		return say("book.ladder.untold.lost", s.event.Host, flags)
	}
	return say("book.ladder.untold.sent", s.event.Host, flags)
}

// stateUntold says what a change of state means that the book leaves out.
func (c *course) stateUntold(e *trace.Event, d *trace.StateChange) Text {
	late := time.Duration(0)
	if c.stood != 0 {
		late = e.At - c.r.t.Event(c.stood).At
	}
	switch {
	case d.From == trace.NotObserved && c.r.t.Header.Capture: // that it is seen does not make it new
	case d.To == trace.Established && e.Host != c.host && late > 0 && d.From == trace.NotObserved:
		return say("book.ladder.untold.late-new", e.Host, e.Socket, late)
	case d.To == trace.Established && e.Host != c.host && late > 0:
		return say("book.ladder.untold.late", e.Host, late)
	case d.To == trace.TimeWait:
		return say("book.ladder.untold.time-wait", e.Host, c.stay(e))
	case d.From == trace.NotObserved:
		return say("book.ladder.untold.new", e.Host, e.Socket, d.To)
	}
	return say("book.ladder.untold.state", e.Host, d.From, d.To)
}

// worldUntold says what was done to a host or the link.
func worldUntold(e *trace.Event, d *trace.HostChange) Text {
	switch d.What {
	case trace.LinkGoesDown:
		return say("book.ladder.untold.link-down")
	case trace.LinkComesUp:
		return say("book.ladder.untold.link-up")
	case trace.Reboot:
	}
	return say("book.ladder.untold.reboot", e.Host)
}

// stay is how long a socket is in the state to which event e brings it.
func (c *course) stay(e *trace.Event) time.Duration {
	for _, stay := range c.r.socket(e.Host, e.Socket).Stays {
		if stay.N > e.N {
			return c.r.t.Event(stay.N).At - e.At
		}
	}
	return c.r.t.End.At - e.At
}

// callUntold says what a program called.
func callUntold(c *call) Text {
	if c.ret == nil {
		return say("book.ladder.untold.blocked", c.event.Host, c.call.String())
	}
	return say("book.ladder.untold.call", c.event.Host, c.call.String(), c.ret.String())
}
