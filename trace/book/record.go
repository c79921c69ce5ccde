package book

import (
	"cmp"
	"net/netip"
	"slices"

	"connectlab/trace"
)

// A record is a trace with an index of what judges ask it for.
type record struct {
	t *trace.Trace
	// segments are the TCP segments that were sent, in that order.
	segments []*segment
	// arrivals are the TCP segments that arrived, in that order.
	arrivals []arrival
	// damaged are how many segments of a capture have a wrong checksum. They are in no list: what is in them may not be what was
	// sent, and nobody knows whether they were dropped.
	damaged int
	// calls are the socket calls, in the order in which they were made. A capture has none.
	calls []*call
	// ends are the ends of connections, in the order in which they first sent or were sent a SYN.
	ends []*end
	// connects are the tries to connect, in the order of their first event.
	connects []*connect
	// sockets are what package trace folds out of the events.
	sockets []trace.Socket
	// portMap is what ports begins with; nil: not yet looked at.
	portMap *portMap

	socketAt map[socketKey]*trace.Socket
	endsOf   map[socketKey][]*end                    // those that sent or received for a socket
	callsOn  map[socketKey][]*call                   // those that were made on a socket, or made it
	untrue   map[*trace.Change]bool                  // see brings; nil: not yet looked at
	names    map[socketKey][len(remoteItems)]holding // see peerNames
	controls map[socketKey][]int                     // the N of the Control events of each socket
	callOf   []*call                                 // by N
	sentAt   []*segment                              // by N
	steps    []int                                   // see settled; nil: nobody asked for it
	boots    map[string]int                          // by host: how often it was rebooted
	current  map[endKey]*end                         // see now
	spare    struct {                                // room that newRecord fills
		segments []segment
		calls    []call
	}
	former   map[endKey]*end        // of hosts that were rebooted: they may send a last reset
	followed *followed              // see follow; nil: nobody asked for it
	answers  map[answering]*segment // see answer; nil: nobody asked for it
	phase    []phase                // see phases; nil: nobody asked for it
}

type socketKey struct {
	host   string
	number int
}

// endKey names an end by its addresses. One after the other several can have the same.
type endKey struct {
	host          string
	local, remote netip.AddrPort
}

// A call is a socket call with what it came to.
type call struct {
	n      int // of the Call
	event  *trace.Event
	call   *trace.Call
	ret    *trace.Return // nil: it did not come back
	retN   int           // 0: it did not come back
	socket int           // that it was made on, or that it made; 0: none
}

// A segment is a TCP segment that was sent.
type segment struct {
	n        int // of the Sent
	event    *trace.Event
	packet   *trace.Packet
	from     *end
	to       *end   // the other end, if it was known when the segment was sent
	arrivals []int  // the N of its Arrived events: none if it was lost, two if the link doubled it
	once     [1]int // room for one of them
	fates    []int  // the N of its Fate events
	// offset is the place of its first octet in the direction: 0 is the SYN, 1 the first octet of data. Where the SYN was
	// not seen (from.known is false) the first octet that was seen counts as 1.
	offset int64
	// place is that of its first octet of data as counting tells: those that are new stand behind all that were sent before,
	// whatever their number says. In a capture, which may lack some, the number tells.
	place int64
	// again: everything that it occupies had been sent before.
	again bool
}

// An arrival is a TCP segment that reached a host.
type arrival struct {
	n      int // of the Arrived
	event  *trace.Event
	packet *trace.Packet // as it arrived
	of     *segment
	at     *end // the end that it was for; nil: none was known
}

// An end is one side of a connection.
type end struct {
	host          string
	local, remote netip.AddrPort
	peer          *end // nil: never seen
	// known: the initial sequence number iss is known. syn is the first segment that had it; nil in a capture that goes on
	// from an earlier part. Where it is not known, iss is one before the first number that was seen.
	known bool
	iss   trace.Seq
	syn   *segment
	// peerKnown: the peer's initial sequence number irs was seen to reach it.
	peerKnown bool
	irs       trace.Seq
	// active: it sent a SYN without ACK. connect is the try to connect that the SYN belongs to.
	active  bool
	connect *connect
	boot    int // how often its host had been rebooted
	// sockets are the numbers of the sockets that sent or received for it, rising: a listener may have answered first. What comes when
	// the last is gone goes to the listener once more, which is not counted.
	sockets []int
	// segments are those that it sent, toward those that its peer sent it.
	segments, toward []*segment
	// arrived are those that reached it, as indexes of record.arrivals.
	arrived []int
	// next is SND.NXT as the wire shows it: one past the highest number sent, counted as segment.offset. counted is one past the
	// last octet of data, as segment.place counts.
	next, counted int64
	// before is what a capture's earlier part has shown of the end; nil: nothing.
	before *earlier
	// gap: octets were left out that were sent, or a number is wrong.
	gap bool
	tcb tcb // see follow
}

// What an earlier part of a capture has shown of an end: SND.UNA, the place of SND.NXT, and RCV.NXT.
type earlier struct {
	una trace.Seq
	nxt int64
	rcv trace.Seq
}

// socket is the number of the socket that the end was in the end; 0: none.
func (e *end) socket() int {
	if len(e.sockets) == 0 {
		return 0
	}
	return e.sockets[len(e.sockets)-1]
}

// newRecord indexes a trace.
func newRecord(t *trace.Trace) *record {
	r := &record{
		t: t, sockets: trace.Sockets(t),
		controls: map[socketKey][]int{}, callOf: make([]*call, len(t.Events)+1), sentAt: make([]*segment, len(t.Events)+1),
		boots: map[string]int{}, current: map[endKey]*end{}, former: map[endKey]*end{}, socketAt: map[socketKey]*trace.Socket{},
		endsOf: map[socketKey][]*end{}, callsOn: map[socketKey][]*call{}, names: map[socketKey][len(remoteItems)]holding{},
	}
	for i := range r.sockets {
		s := &r.sockets[i]
		r.socketAt[socketKey{s.Host, s.Number}] = s
	}
	r.reserve()
	for i := range t.Events {
		r.event(&t.Events[i])
	}
	for _, c := range r.calls {
		key := socketKey{c.event.Host, c.socket}
		r.callsOn[key] = append(r.callsOn[key], c)
	}
	for _, e := range r.ends {
		for _, number := range e.sockets {
			key := socketKey{e.host, number}
			r.endsOf[key] = append(r.endsOf[key], e)
		}
	}
	r.connects = connects(r)
	return r
}

// reserve makes room for all segments and calls at once: they are too many to be made one by one.
func (r *record) reserve() {
	sent, arrived, calls := 0, 0, 0
	for i := range r.t.Events {
		switch r.t.Events[i].Detail.(type) {
		case *trace.Sent:
			sent++
		case *trace.Arrived:
			arrived++
		case *trace.Call:
			calls++
		case *trace.Return, *trace.Fate, *trace.StateChange, *trace.Control, *trace.Timer, *trace.HostChange, *trace.Note:
		}
	}
	r.spare.segments, r.spare.calls = make([]segment, sent), make([]call, calls)
	r.segments, r.arrivals, r.calls = make([]*segment, 0, sent), make([]arrival, 0, arrived), make([]*call, 0, calls)
}

func (r *record) event(e *trace.Event) {
	switch d := e.Detail.(type) {
	case *trace.Call:
		c := &r.spare.calls[0]
		r.spare.calls = r.spare.calls[1:]
		*c = call{n: e.N, event: e, call: d, socket: e.Socket}
		r.calls = append(r.calls, c)
		r.callOf[e.N] = c
	case *trace.Return:
		if c := r.callOf[d.Call]; c != nil {
			c.ret, c.retN, c.socket = d, e.N, e.Socket
		}
	case *trace.Sent:
		switch {
		case d.Packet.Kind != trace.PacketTCP:
		case r.t.Header.Capture && d.Packet.TCP.Checksum == trace.ChecksumBad:
			r.damaged++
		default:
			r.sent(e, d.Packet)
		}
	case *trace.Arrived:
		if d.Packet.Kind == trace.PacketTCP && (!r.t.Header.Capture || d.Packet.TCP.Checksum != trace.ChecksumBad) {
			r.arrived(e, d.Packet)
		}
	case *trace.Fate:
		if s := r.sentAt[e.Cause]; s != nil {
			s.fates = append(s.fates, e.N)
		}
	case *trace.Control:
		key := socketKey{e.Host, e.Socket}
		r.controls[key] = append(r.controls[key], e.N)
	case *trace.HostChange:
		if d.What == trace.Reboot {
			r.boots[e.Host]++
		}
	case *trace.StateChange, *trace.Timer, *trace.Note:
	}
}

func (r *record) sent(e *trace.Event, p *trace.Packet) {
	seg := &p.TCP
	key := endKey{e.Host, p.Source(), p.Destination()}
	from := r.now(key)
	if former := r.former[key]; from == nil && former != nil && e.Socket != 0 && former.socket() == e.Socket {
		from = former
	}
	if syn := seg.Flags.Has(trace.SYN); from == nil || syn && !from.begins(seg.Seq) {
		from = r.begin(key, e, seg)
	}
	if e.Socket > from.socket() {
		from.sockets = append(from.sockets, e.Socket)
	}
	s := &r.spare.segments[0]
	r.spare.segments = r.spare.segments[1:]
	*s = segment{n: e.N, event: e, packet: p, from: from}
	if seg.Flags.Has(trace.SYN) {
		if from.syn == nil {
			from.known, from.iss, from.syn = true, seg.Seq, s
		}
		if seg.Flags.Has(trace.ACK) {
			from.peerKnown, from.irs = true, seg.Ack.Add(^uint32(0))
		} else {
			from.active = true
		}
	}
	if from.peer == nil {
		if peer := r.counterpart(key, from); peer != nil && (peer.peer == nil || seg.Flags.Has(trace.SYN)) {
			from.peer = peer
			// A SYN into an old connection does not take that end from the one that it was connected to.
			if peer.peer == nil || peer.peer.peer != peer {
				peer.peer = from
			}
		}
	}
	if s.to = from.peer; s.to == nil {
		s.to = r.now(key.other(r)) // of an end that has forgotten the connection, and only resets it
	}
	s.offset = int64(int32(seg.Seq.Sub(from.iss.Add(uint32(from.next))))) + from.next
	s.again = seg.Len() > 0 && s.offset+int64(seg.Len()) <= from.next
	if !seg.Flags.Has(trace.RST) {
		from.gap = from.gap || s.offset > from.next
		from.next = max(from.next, s.offset+int64(seg.Len()))
		from.count(s, r.t.Header.Capture)
	}
	from.segments = append(from.segments, s)
	if s.to != nil {
		s.to.toward = append(s.to.toward, s)
	}
	r.segments = append(r.segments, s)
	r.sentAt[e.N] = s
}

// now is the end that has a key; nil: none has. That of a host which was rebooted since is a former one.
func (r *record) now(key endKey) *end {
	e := r.current[key]
	if e != nil && e.boot < r.boots[key.host] {
		r.former[key] = e
		delete(r.current, key)
		return nil
	}
	return e
}

// counterpart finds the other end of one that has none yet. Of one that knows its peer's initial number it is the end that began with
// that, though its host may have been rebooted since.
func (r *record) counterpart(key endKey, e *end) *end {
	other := key.other(r)
	now := r.now(other)
	former := r.former[other]
	switch {
	case !e.peerKnown, now != nil && (!now.known || now.iss == e.irs):
		return now
	case former != nil && former.known && former.iss == e.irs:
		return former
	}
	return nil
}

// count finds the place of a segment's data among those that the end has sent.
func (e *end) count(s *segment, gaps bool) {
	tcp := &s.packet.TCP
	s.place = s.dataFrom()
	switch {
	case tcp.DataLen == 0:
		return
	case e.counted == 0 && e.syn == nil:
		e.counted = s.place
	case e.counted == 0:
		e.counted = 1
	}
	if s.place > e.counted && !gaps {
		s.place = e.counted
	}
	e.counted = max(e.counted, s.place+int64(tcp.DataLen))
}

// dataFrom is the place of a segment's first octet of data as its number says.
func (s *segment) dataFrom() int64 {
	if s.packet.TCP.Flags.Has(trace.SYN) {
		return s.offset + 1
	}
	return s.offset
}

// begin makes a new end the current one of its addresses, with the first segment that it sends. In a capture that goes on from
// an earlier part the trace begins with what is known of its socket.
func (r *record) begin(key endKey, e *trace.Event, first *trace.Segment) *end {
	made := &end{host: key.host, boot: r.boots[key.host], local: key.local, remote: key.remote, iss: first.Seq}
	if !first.Flags.Has(trace.SYN) {
		made.iss, made.next = first.Seq.Add(^uint32(0)), 1
	}
	if r.t.Header.Capture {
		info := r.info(key.host, e.Socket, e.N)
		if iss, next := info.Value(trace.ISS), info.Value(trace.SndNxt); iss.Kind == trace.Number && next.Kind == trace.Number {
			made.known, made.iss = true, trace.Seq(iss.Num)
			made.next = int64(trace.Seq(next.Num).Sub(made.iss))
		}
		if irs := info.Value(trace.IRS); irs.Kind == trace.Number {
			made.peerKnown, made.irs = true, trace.Seq(irs.Num)
		}
		una, rcv := info.Value(trace.SndUna), info.Value(trace.RcvNxt)
		if made.known && made.peerKnown && una.Kind == trace.Number && rcv.Kind == trace.Number {
			made.before = &earlier{una: trace.Seq(una.Num), nxt: made.next, rcv: trace.Seq(rcv.Num)}
			made.tcb.sndNxt = made.next
		}
	}
	r.current[key] = made
	r.ends = append(r.ends, made)
	return made
}

// begins reports whether a SYN of a number is the one that an end begins with. An end that has sent nothing yet but segments
// without data, of that number, begins with it now.
func (e *end) begins(iss trace.Seq) bool {
	if !e.known && e.next == 1 && e.iss.Add(1) == iss {
		e.known, e.iss, e.next = true, iss, 0
		for _, s := range e.segments {
			s.offset = 0
		}
	}
	return e.known && e.iss == iss
}

// other is the key of the same addresses seen from the other host.
func (k endKey) other(r *record) endKey {
	o := endKey{local: k.remote, remote: k.local}
	for i := range r.t.Header.Hosts {
		if h := &r.t.Header.Hosts[i]; h.Name != k.host {
			o.host = h.Name
		}
	}
	return o
}

func (r *record) arrived(e *trace.Event, p *trace.Packet) {
	s := r.sentAt[e.Cause]
	key := endKey{e.Host, p.Destination(), p.Source()}
	at := r.now(key)
	if at != nil && p.TCP.Flags&(trace.SYN|trace.ACK) == trace.SYN && at.peerKnown && at.irs != p.TCP.Seq && e.Socket != at.socket() {
		at = nil // it came to a listener, past what was left of an old connection
	}
	r.arrivals = append(r.arrivals, arrival{n: e.N, event: e, packet: p, of: s, at: at})
	if s != nil {
		if s.arrivals == nil {
			s.arrivals = s.once[:0]
		}
		s.arrivals = append(s.arrivals, e.N)
	}
	if at == nil {
		return
	}
	at.arrived = append(at.arrived, len(r.arrivals)-1)
	if e.Socket > at.socket() {
		at.sockets = append(at.sockets, e.Socket)
	}
	if p.TCP.Flags.Has(trace.SYN) && p.TCP.Checksum != trace.ChecksumBad && !at.peerKnown {
		at.peerKnown, at.irs = true, p.TCP.Seq
		if s != nil && s.from.host != at.host && s.from != at.peer { // of several that answered, the one that was heard
			at.peer, s.from.peer = s.from, at
		}
	}
}

// showsCalls reports whether the trace would show the calls of programs: a capture does not.
func (r *record) showsCalls() bool { return !r.t.Header.Capture }

// showsStates reports whether the trace would show the states of a host's sockets.
func (r *record) showsStates(host string) bool {
	h := r.t.Header.Host(host)
	return h != nil && !r.t.Header.Capture && slices.Contains(h.Capabilities, trace.CapabilityControl)
}

// begunBefore reports whether what is captured had begun before the capture: connecting, of which sections A and C speak, is not in
// it. A later part of a long connection has what the parts before have shown.
func (r *record) begunBefore() bool {
	return r.t.Header.Capture && len(r.ends) > 0 && !slices.ContainsFunc(r.ends, func(e *end) bool { return e.known })
}

// showsControl reports whether the trace would show the control information of a host's sockets.
func (r *record) showsControl(host string) bool {
	h := r.t.Header.Host(host)
	return h != nil && r.t.Header.Control && slices.Contains(h.Capabilities, trace.CapabilityControl)
}

// info is the control information that a socket held when the event of number n had happened.
func (r *record) info(host string, number, n int) *trace.ControlInfo {
	info := &trace.ControlInfo{}
	for _, at := range r.controls[socketKey{host, number}] {
		if at > n {
			break
		}
		info.Apply(r.t.Event(at).Detail.(*trace.Control).Changes)
	}
	return info
}

// socket is what is known of a socket; nil if there is none of that number.
func (r *record) socket(host string, number int) *trace.Socket {
	return r.socketAt[socketKey{host, number}]
}

// stood is the number of the event with which a socket came to a state in which both sides know each other's numbers:
// ESTABLISHED, or a later one where a sampled state has skipped it (FIN-WAIT-1 can also follow SYN-RECEIVED). 0: it never did.
func (r *record) stood(host string, number int) int {
	s := r.socket(host, number)
	if s == nil {
		return 0
	}
	for _, stay := range s.Stays {
		if stay.State >= trace.Established && stay.State != trace.FinWait1 {
			return stay.N
		}
	}
	return 0
}

// settled is the number of the last event of the step in which event n happened.
func (r *record) settled(n int) int {
	if r.steps == nil {
		events := r.t.Events
		r.steps = make([]int, len(events)+1)
		for n := len(events); n > 0; n-- {
			if n == len(events) || events[n].Begins(&events[n-1]) {
				r.steps[n] = n
			} else {
				r.steps[n] = r.steps[n+1]
			}
		}
	}
	return r.steps[n]
}

// A holding is what a socket holds of one item: the change that brought it last, and the number of its event. The zero value: it
// holds nothing of that item.
type holding struct {
	n      int
	change *trace.Change
}

// hidden reports whether the stack does not let us see what it holds of that item.
func (h holding) hidden() bool { return h.n != 0 && h.change.New().Kind == trace.NotObservable }

// unseen is the finding where the trace does not let us look at items that a verdict needs; none: at any.
func unseen(items []trace.Item) Finding {
	if len(items) == 0 {
		return Finding{Verdict: NotObservable, Observed: say("book.no-control")}
	}
	return Finding{Verdict: NotObservable, Observed: say("book.hidden", rising(items))}
}

// holds is what a socket holds, item by item, when the event of number n has happened.
func (r *record) holds(host string, number, n int) (held [trace.NumItems]holding) {
	for _, at := range r.controls[socketKey{host, number}] {
		if at > n {
			break
		}
		changes := r.t.Event(at).Detail.(*trace.Control).Changes
		for i := range changes {
			c := &changes[i]
			held[c.Item] = holding{}
			if c.New().Kind != trace.None {
				held[c.Item] = holding{at, c}
			}
		}
	}
	return held
}

// sends reports whether a call of a name hands data to a socket. write() is recorded as send(), read() as recv().
func sends(name string) bool { return name == "send" || name == "sendall" }

// receives reports whether a call of a name gets data from a socket.
func receives(name string) bool { return name == "recv" || name == "recvall" }

// opens are the calls of connect() that asked for a connection: the first on each socket.
func (r *record) opens() []*call {
	var opens []*call
	seen := map[socketKey]bool{}
	for _, c := range r.connects {
		if key := (socketKey{c.host(), c.socket()}); c.call != nil && key.number != 0 && !seen[key] {
			seen[key] = true
			opens = append(opens, c.call)
		}
	}
	return opens
}

// causes reports whether event n was caused, directly or through others, by event root.
func (r *record) causes(root, n int) bool {
	for n > root {
		n = r.t.Event(n).Cause
	}
	return n == root
}

// once appends numbers, unless the last of them was just appended: an event has many changes.
func once(list []int, numbers ...int) []int {
	if len(list) > 0 && list[len(list)-1] == numbers[len(numbers)-1] {
		return list
	}
	return append(list, numbers...)
}

// inOrder sorts numbers of events and leaves each once. Many are marked where they belong: evidence comes connection by
// connection, and sorting it would be a good part of judging.
func (r *record) inOrder(numbers []int) []int {
	if len(numbers) < 64 || slices.IsSorted(numbers) {
		return rising(numbers)
	}
	marked := make([]bool, len(r.t.Events)+1)
	for _, n := range numbers {
		marked[n] = true
	}
	numbers = numbers[:0]
	for n, is := range marked {
		if is {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// rising sorts numbers, or items, and leaves each once.
func rising[T cmp.Ordered](numbers []T) []T {
	if !slices.IsSorted(numbers) {
		slices.Sort(numbers)
	}
	return slices.Compact(numbers)
}
