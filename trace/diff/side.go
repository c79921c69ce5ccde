package diff

import (
	"fmt"
	"slices"
	"time"

	"connectlab/trace"
)

// A side is one of the two traces, as lanes of moves.
type side struct {
	t       *trace.Trace
	numbers *numbering
	lanes   map[laneKey]*lane
	// By N: the root of its step; the lane and the place in it of what is a move; of a Sent its first Arrived, of an Arrived the next of
	// the same Sent; of a Sent its last Fate, of a Fate the one before of the same Sent.
	root     []int32
	laneOf   []*lane
	placeOf  []int32
	arrival  []int32
	fate     []int32
	mate     []int32 // the N of its counterpart on the other side; 0: none
	agreed   []int32 // how many moves up to and with N agree with their counterparts, and all before them in their lanes
	sockets  map[socketKey]*socket
	states   map[socketKey]*trace.Socket
	activity map[any]*activity
	recents  map[socketKey]uint32 // see recent
	flows    map[sending]laneKey  // of what was sent
	cut      int                  // the N of the event with which a step began that may not be whole; 0: none
}

type socketKey struct {
	host   string
	number int
}

// laneKind says what a lane is of. Within a step what is decided by what: the kinds are in the order in which they are shown.
type laneKind uint8

const (
	worldLane   laneKind = iota
	callLane             // the calls of a program, and what they return
	stateLane            // of a socket
	packetLane           // what a host sends for a connection
	otherLane            // what a host sends that is no segment
	controlLane          // of a socket
)

// laneKey names a lane in words that are the same in both traces: no port, number or name that a run chose.
type laneKey struct {
	host string
	kind laneKind
	name string
}

type lane struct {
	key   laneKey
	moves []move
}

// A move is one thing that a host did, or that was done to it.
type move struct {
	event *trace.Event
	root  *trace.Event
	key   uint64 // what identifies it among those of its lane
	// after is the time since what caused it; -1: nothing did, or the trace does not say.
	after  time.Duration
	packet *packet // of a Sent
}

// activity is when something last happened to a connection or a socket, and when before that step.
type activity struct {
	root       int
	at, before time.Duration
	some, had  bool
}

func (s *side) sign(key any, e *trace.Event, root int) {
	a := s.activity[key]
	if a == nil {
		a = &activity{}
		s.activity[key] = a
	}
	if a.root != root {
		a.before, a.had = a.at, a.some
	}
	a.root, a.at, a.some = root, e.At, true
}

// since is the time from the last activity before a step.
func (s *side) since(key any, e *trace.Event, root int) time.Duration {
	a := s.activity[key]
	switch {
	case a == nil:
	case a.root != root && a.some:
		return e.At - a.at
	case a.root == root && a.had:
		return e.At - a.before
	}
	return -1
}

// newSide indexes a trace. compared says which aspects of a host are compared; all else is left out.
func newSide(t *trace.Trace, c *comparison) *side {
	n := len(t.Events) + 1
	s := &side{
		t: t, lanes: map[laneKey]*lane{}, root: make([]int32, n), laneOf: make([]*lane, n), placeOf: make([]int32, n), arrival: make([]int32, n),
		fate: make([]int32, n), mate: make([]int32, n), agreed: make([]int32, n), sockets: map[socketKey]*socket{},
		states: map[socketKey]*trace.Socket{}, activity: map[any]*activity{}, recents: map[socketKey]uint32{}, flows: map[sending]laneKey{},
	}
	s.numbers = newNumbering(t, c)
	s.nameSockets()
	s.cut = lastStep(t)
	last := make([]int32, n) // of a Sent, its last Arrived
	ends := map[stepOf]int{} // of what a step did to a socket's state, the place of it
	for i := range t.Events {
		e := &t.Events[i]
		s.root[e.N] = int32(s.rootOf(e))
		switch d := e.Detail.(type) {
		case *trace.Arrived:
			if e.Cause != 0 {
				if last[e.Cause] == 0 {
					s.arrival[e.Cause] = int32(e.N)
				} else {
					s.arrival[last[e.Cause]] = int32(e.N)
				}
				last[e.Cause] = int32(e.N)
			}
			s.numbers.arrived(e, d.Packet)
			s.signPacket(e, d.Packet.Destination(), d.Packet.Source())
		case *trace.Fate:
			if e.Cause != 0 {
				s.fate[e.N], s.fate[e.Cause] = s.fate[e.Cause], int32(e.N)
			}
		case *trace.Sent:
			s.sent(e, d.Packet, c)
		case *trace.Call:
			if c.compares(Calls, e.Host) {
				s.add(laneKey{e.Host, callLane, d.Program}, move{event: e, key: hash("call", d.Name), after: -1})
			}
		case *trace.Return:
			s.returned(e, d, c)
		case *trace.StateChange:
			if c.compares(States, e.Host) && d.From != d.To && s.named(e) {
				s.state(e, c, ends)
			}
		case *trace.Control:
			if c.compares(Control, e.Host) && s.named(e) {
				h := newHash("control")
				for j := range d.Changes {
					h = h.int(int64(d.Changes[j].Item))
				}
				s.add(laneKey{e.Host, controlLane, s.socket(e).name}, move{event: e, key: uint64(h), after: -1})
			}
		case *trace.HostChange:
			if d.What == trace.Reboot {
				s.numbers.reboot(e.Host)
			}
			if c.compares(World, "") {
				s.add(laneKey{e.Host, worldLane, "change"}, move{event: e, key: hash("change", d.What.String()), after: -1})
			}
		case *trace.Note:
			if c.compares(World, "") {
				s.add(laneKey{e.Host, worldLane, noteName(d)}, move{event: e, key: hash("note"), after: -1})
			}
		case *trace.Timer:
		}
	}
	return s
}

// lastStep is the N of the event with which the step began that a trace was broken off in; 0: it was not.
func lastStep(t *trace.Trace) int {
	if t.End.Reason != trace.BrokenOff || t.Header.Capture || len(t.Events) == 0 {
		return 0
	}
	e := &t.Events[len(t.Events)-1]
	for rootKind(e) == 0 && e.Cause > 0 && e.Cause < e.N {
		e = t.Event(e.Cause)
	}
	return e.N
}

// unfinished reports whether a step may go on behind the end of the trace.
func (s *side) unfinished(root *trace.Event) bool {
	return s.cut != 0 && root != nil && root.N >= s.cut
}

// named reports whether the trace has what gives a socket its name: not that of one that came in a step which is not whole.
func (s *side) named(e *trace.Event) bool {
	k := s.states[socketKey{e.Host, e.Socket}]
	return s.cut == 0 || k == nil || len(k.Stays) == 0 || k.Stays[0].N < s.cut
}

// behindEnd reports whether a move of the other side, that has none behind it in its lane here, would be behind the end of a trace that
// ended before its time: this one does not show whether it comes. The other run may be slower or faster: what answers a packet that has not
// arrived here would be behind the end too.
func (s *side) behindEnd(m *move, other *side) bool {
	end := &s.t.End
	root := other.counterpart(m.root, s)
	switch {
	case end.Reason == trace.Finished, end.Reason == trace.Idle, s.t.Header.Capture:
		return false
	case s.unfinished(root), m.event.At > end.At, root == nil && rootKind(m.root) == 'a':
		return true
	}
	return root == nil && m.event.At == end.At && end.Reason != trace.UntilReached
}

type stepOf struct {
	socketKey
	root int32
}

// state adds a change of state. Where one of the stacks only lets its sockets be looked at when a step has settled, what came and went
// within a step of the other is left out.
func (s *side) state(e *trace.Event, c *comparison, ends map[stepOf]int) {
	m := move{event: e, key: hash("state", e.Detail.(*trace.StateChange).To.String())}
	k := socketKey{e.Host, e.Socket}
	m.after = s.after(e, k)
	if began := s.opening(e); began != nil {
		m.after = e.At - began.At
	}
	key := laneKey{e.Host, stateLane, s.socket(e).name}
	step := stepOf{k, s.root[e.N]}
	if c.settled[e.Host] && step.root != 0 {
		if at, ok := ends[step]; ok {
			l := s.lanes[key]
			l.moves[at].event, l.moves[at].key = e, m.key
			s.laneOf[e.N], s.placeOf[e.N] = l, int32(at)
			return
		}
	}
	s.add(key, m)
	ends[step] = len(s.lanes[key].moves) - 1
}

// opening is the event that brought a socket to SYN-SENT which now gives up, because a timer ran out: for how long it tried is counted
// from there. nil: e is something else.
func (s *side) opening(e *trace.Event) *trace.Event {
	d, ok := e.Detail.(*trace.StateChange)
	k := s.states[socketKey{e.Host, e.Socket}]
	if !ok || d.From != trace.SynSent || d.To != trace.Closed || k == nil || rootKind(s.t.Event(int(s.root[e.N]))) != 't' {
		return nil
	}
	return s.t.Event(k.At(e.N - 1).N)
}

// gaveUp is the move with which a socket gave up its SYN; nil: it did not, or the trace does not show it.
func (s *side) gaveUp(key laneKey) *move {
	if l := s.lanes[key]; l != nil {
		for i := range l.moves {
			if s.opening(l.moves[i].event) != nil {
				return &l.moves[i]
			}
		}
	}
	return nil
}

func (s *side) returned(e *trace.Event, r *trace.Return, c *comparison) {
	call := s.t.Event(r.Call)
	if call == nil || !c.compares(Returns, e.Host) {
		return
	}
	made, ok := call.Detail.(*trace.Call)
	if !ok {
		return
	}
	m := move{event: e, key: hash("return", made.Name)}
	switch root := s.t.Event(int(s.root[e.N])); {
	case root == nil:
		m.after = -1
	case isTimer(root):
		m.after = e.At - call.At
	default:
		m.after = e.At - root.At
	}
	s.add(laneKey{e.Host, callLane, made.Program}, m)
}

func isTimer(e *trace.Event) bool {
	_, ok := e.Detail.(*trace.Timer)
	return ok
}

// sending is a flow of a host.
type sending struct {
	host string
	flow
}

// lastBreath reports whether a host sends something while it is taken off the link: nobody ever sees it.
func (s *side) lastBreath(e *trace.Event) bool {
	if rootKind(s.t.Event(int(s.root[e.N]))) != 'h' {
		return false
	}
	for i := e.N; i < len(s.t.Events) && s.t.Events[i].At == e.At; i++ { // the fate comes behind
		if f, ok := s.t.Events[i].Detail.(*trace.Fate); ok && s.t.Events[i].Cause == e.N {
			return f.Kind == trace.HostGone
		}
	}
	return false
}

func (s *side) sent(e *trace.Event, p *trace.Packet, c *comparison) {
	if s.lastBreath(e) {
		return
	}
	v := s.numbers.sent(e, s.t.Event(int(s.root[e.N])), p)
	key := laneKey{e.Host, otherLane, ""}
	m := move{event: e, packet: v}
	var on any = key
	if p.Kind == trace.PacketTCP {
		f := flow{p.Source(), p.Destination()}
		on = f
		known, ok := s.flows[sending{e.Host, f}]
		if !ok {
			known = laneKey{e.Host, packetLane, v.local.String() + " > " + v.remote.String()}
			s.flows[sending{e.Host, f}] = known
		}
		key = known
	}
	m.key = v.key(c)
	m.after = s.after(e, on)
	s.add(key, m)
	s.signPacket(e, p.Source(), p.Destination())
	s.sign(key, e, int(s.root[e.N]))
}

// signPacket notes that a packet was there on a connection, of the host that has the local address.
func (s *side) signPacket(e *trace.Event, local, remote endpoint) {
	root := int(s.root[e.N])
	s.sign(flow{local, remote}, e, root)
	if e.Socket != 0 {
		s.sign(socketKey{e.Host, e.Socket}, e, root)
	}
}

// after is the time from what caused a move: from a call or an arrival, and of what a timer brought, from the last packet before it on
// the connection.
func (s *side) after(e *trace.Event, on any) time.Duration {
	root := s.t.Event(int(s.root[e.N]))
	switch {
	case root == nil || root == e:
		return -1
	case isTimer(root):
		return s.since(on, e, root.N)
	}
	return e.At - root.At
}

func (s *side) add(key laneKey, m move) {
	l := s.lanes[key]
	if l == nil {
		l = &lane{key: key}
		s.lanes[key] = l
	}
	m.root = s.t.Event(int(s.root[m.event.N]))
	s.laneOf[m.event.N], s.placeOf[m.event.N] = l, int32(len(l.moves))
	l.moves = append(l.moves, m)
}

// rootOf is the N of the event with which the step of e began; 0: a capture does not tell.
func (s *side) rootOf(e *trace.Event) int {
	switch e.Detail.(type) {
	case *trace.Call, *trace.Arrived, *trace.Timer, *trace.HostChange, *trace.Note:
		return e.N
	case *trace.Return, *trace.Sent, *trace.Fate, *trace.StateChange, *trace.Control:
	}
	if e.Cause > 0 && e.Cause < e.N {
		return int(s.root[e.Cause])
	}
	return 0
}

// A stimulus is what a step began with, in words that are the same in both traces.
type stimulus struct {
	kind  byte // 'a'rrived, 'c'all, 't'imer, 'h'ost change or note; 0: not known
	lane  laneKey
	place int // of the call or of the packet that arrived
	copy  int // of a packet that arrived more than once
}

func (s *side) stimulus(root *trace.Event) stimulus {
	if root == nil {
		return stimulus{}
	}
	switch root.Detail.(type) {
	case *trace.Arrived:
		st := stimulus{kind: 'a', copy: s.copyOf(root)}
		if l := s.laneOf[root.Cause]; l != nil {
			st.lane, st.place = l.key, int(s.placeOf[root.Cause])
		}
		return st
	case *trace.Call:
		st := stimulus{kind: 'c'}
		if l := s.laneOf[root.N]; l != nil {
			st.lane, st.place = l.key, int(s.placeOf[root.N])
		}
		return st
	case *trace.Timer:
		return stimulus{kind: 't'}
	case *trace.HostChange, *trace.Note:
		return stimulus{kind: 'h'}
	case *trace.Return, *trace.Sent, *trace.Fate, *trace.StateChange, *trace.Control:
	}
	return stimulus{}
}

// copyOf counts the arrivals of the same packet before one.
func (s *side) copyOf(arrived *trace.Event) int {
	n := 0
	for at := s.arrival[arrived.Cause]; at != 0 && int(at) != arrived.N; at = s.arrival[at] {
		n++
	}
	return n
}

// counterpart is the root on the other side that root corresponds to; nil: none, or it cannot be told.
func (s *side) counterpart(root *trace.Event, other *side) *trace.Event {
	if root == nil {
		return nil
	}
	if _, ok := root.Detail.(*trace.Arrived); !ok {
		return other.t.Event(int(s.mate[root.N]))
	}
	if root.Cause == 0 || s.mate[root.Cause] == 0 {
		return nil
	}
	at := other.arrival[s.mate[root.Cause]]
	for range s.copyOf(root) {
		if at != 0 {
			at = other.arrival[at]
		}
	}
	return other.t.Event(int(at))
}

// stateBefore is the state that a socket was in before a step. One that a SYN made was in LISTEN.
func (s *side) stateBefore(host string, number, root int) trace.State {
	k := s.states[socketKey{host, number}]
	if k == nil {
		return trace.NotObserved
	}
	was := k.At(root - 1).State
	if was == trace.NotObserved && k.Listener != 0 {
		return trace.Listen // a record has a socket for each connection, where the machine has one
	}
	return was
}

// place is where an event is.
func (s *side) place(e, root *trace.Event) Place {
	p := Place{Event: e.N, Host: e.Host, Socket: e.Socket, At: e.At}
	if root != nil {
		p.Root = root.N
	}
	return p
}

// A socket is what is known of one apart from its events.
type socket struct {
	name string
	of   *trace.Socket
}

// nameSockets gives the sockets names that are the same in both traces: those that a program made are counted for each program, those
// that came to a listener have their connection's.
func (s *side) nameSockets() {
	all := trace.Sockets(s.t)
	for i := range all {
		s.states[socketKey{all[i].Host, all[i].Number}] = &all[i]
	}
	type maker struct{ host, program string }
	made := map[maker]int{}
	for i := range s.t.Events {
		e := &s.t.Events[i]
		r, ok := e.Detail.(*trace.Return)
		if !ok || e.Socket == 0 || r.Errno != "" {
			continue
		}
		if call := s.t.Event(r.Call); call != nil {
			if c, ok := call.Detail.(*trace.Call); ok && c.Name == "socket" {
				by := maker{e.Host, c.Program}
				made[by]++
				s.sockets[socketKey{e.Host, e.Socket}] = &socket{
					name: fmt.Sprintf("%s %d", c.Program, made[by]), of: s.states[socketKey{e.Host, e.Socket}],
				}
			}
		}
	}
	came := map[string]int{}
	for i := range all {
		k := &all[i]
		key := socketKey{k.Host, k.Number}
		if s.sockets[key] != nil {
			continue
		}
		name := k.Host + " " + s.numbers.endpoint(k.Local).String() + " < " + s.numbers.endpoint(k.Remote).String()
		came[name]++
		s.sockets[key] = &socket{name: fmt.Sprintf("%s %d", name, came[name]), of: k}
	}
}

func (s *side) socket(e *trace.Event) *socket {
	if k := s.sockets[socketKey{e.Host, e.Socket}]; k != nil {
		return k
	}
	return &socket{}
}

// fatesOf are what the link did to the packet that event n sent, in the order of the record.
func (s *side) fatesOf(n int) []*trace.Fate {
	var all []*trace.Fate
	for at := s.fate[n]; at != 0; at = s.fate[at] {
		all = append(all, s.t.Event(int(at)).Detail.(*trace.Fate))
	}
	slices.Reverse(all)
	return all
}

// noteName is what a note is about: the line of the story, or where it has none the text up to what was seen.
func noteName(n *trace.Note) string {
	if n.Line != 0 {
		return fmt.Sprint(n.Line)
	}
	return n.Text
}

// A hash is FNV-1a, 64 bits: the same in each run.
type hashed uint64

func newHash(s string) hashed { return hashed(14695981039346656037).text(s) }

func (h hashed) text(s string) hashed {
	for i := range len(s) {
		h = (h ^ hashed(s[i])) * 1099511628211
	}
	return (h ^ 0xff) * 1099511628211
}

func (h hashed) number(n number) hashed {
	switch {
	case n.zero:
		return h.text("=0")
	case n.before:
		return h.text("'").int(n.n)
	}
	return h.int(n.n)
}

func (h hashed) int(n int64) hashed {
	for range 8 {
		h = (h ^ hashed(byte(n))) * 1099511628211
		n >>= 8
	}
	return h
}

func hash(words ...string) uint64 {
	h := newHash("")
	for _, w := range words {
		h = h.text(w)
	}
	return uint64(h)
}
