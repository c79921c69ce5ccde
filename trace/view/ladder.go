package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"connectlab/trace"
)

// Ladder draws a trace as a ladder: time, the client's side, what crosses the link, the server's side. A step (one
// stimulus and what came of it) begins with its time, and with the states of both sockets behind it. The only
// errors are w's.
func Ladder(w io.Writer, t *trace.Trace, o Options) error {
	l := newLadder(w, t, &o)
	l.head()
	eachStep(t, l.step)
	l.foot()
	return l.c.end()
}

// silence is the shortest time without an event that gets a line of its own.
const silence = 500 * time.Millisecond

const (
	// maxLadder is the width beyond which arrows would only get longer.
	maxLadder = 140

	laneStep = 2 // columns from one lane to the next
	laneEdge = 4 // columns from a host's line to the first lane
)

type ladder struct {
	t       *trace.Trace
	o       *Options
	c       *canvas
	clock   clock
	board   *board
	numbers map[int]*numbering
	flights map[int]*flight
	hosts   [2]string

	ports    bool           // segments are told apart by their ports
	programs map[string]int // how many programs a host runs

	edge   int    // the column behind the time
	end    int    // the column behind the last
	stateX [2]int // where the states of each side begin
	bar    [2]int // the hosts' lines
	lanes  [2][]*flight

	legend  legend
	states  [2][]stateCell
	at      time.Duration // of the last row
	printed bool          // whether at has been printed
}

type stateCell struct {
	text    string
	changed bool
}

func newLadder(w io.Writer, t *trace.Trace, o *Options) *ladder {
	l := &ladder{t: t, o: o, c: newCanvas(w, o), clock: newClock(t), board: newBoard(t, o), numbers: numberings(t), hosts: hostsOf(t)}
	l.ports, l.programs = connections(t) > 1, programs(t)
	l.layout()
	room := l.bar[right] - l.bar[left] - 1
	lanes := 3
	switch {
	case room < 30:
		lanes = 0
	case room >= 60:
		lanes = 4
	}
	l.lanes = [2][]*flight{make([]*flight, lanes), make([]*flight, lanes)}
	l.flights = flights(t, steps(t), l.side, lanes)
	return l
}

// hostsOf names the host on the left and the host on the right.
func hostsOf(t *trace.Trace) [2]string {
	hosts := [2]string{"client", "server"}
	for i := range min(2, len(t.Header.Hosts)) {
		hosts[i] = t.Header.Hosts[i].Name
	}
	return hosts
}

// connections counts the four-tuples of a trace.
func connections(t *trace.Trace) int {
	seen := make(map[direction]bool)
	n := 0
	for i := range t.Events {
		if s, ok := t.Events[i].Detail.(*trace.Sent); ok && s.Packet.Kind == trace.PacketTCP {
			way := direction{s.Packet.Source(), s.Packet.Destination()}
			if !seen[way] {
				n++
				seen[way], seen[direction{way.to, way.from}] = true, true
			}
		}
	}
	return n
}

// programs counts the programs of each host.
func programs(t *trace.Trace) map[string]int {
	type program struct{ host, name string }
	seen := make(map[program]bool)
	count := make(map[string]int)
	for i := range t.Events {
		e := &t.Events[i]
		if c, ok := e.Detail.(*trace.Call); ok && !seen[program{e.Host, c.Program}] {
			seen[program{e.Host, c.Program}] = true
			count[e.Host]++
		}
	}
	return count
}

// side is the right one for the second host only, so that a host that the header does not name has a place too.
func (l *ladder) side(host string) side {
	if host == l.hosts[right] {
		return right
	}
	return left
}

// layout finds the columns. The states' are as wide as the widest state that the trace has.
func (l *ladder) layout() {
	wide := [2]int{width(l.hosts[left]), width(l.hosts[right])}
	for i := range l.t.Events {
		e := &l.t.Events[i]
		if s, ok := e.Detail.(*trace.StateChange); ok {
			at := l.side(e.Host)
			wide[at] = max(wide[at], width(l.board.labelOf(e.Host, e.Socket, s.To)))
		}
	}
	l.edge = 2 + max(l.clock.width, width(l.o.text("ladder.time")))
	l.stateX[left] = l.edge + 2
	l.bar[left] = l.stateX[left] + wide[left] + 1
	l.end = min(len(l.c.cells), maxLadder)
	l.stateX[right] = l.end - wide[right]
	l.bar[right] = l.stateX[right] - 2
	// Names too long for the screen: the states give way to what happens.
	if l.bar[right]-l.bar[left] < 16 {
		l.bar[left] = min(l.bar[left], len(l.c.cells)/2-8)
		l.bar[right] = l.bar[left] + 16
		l.stateX[right] = l.bar[right] + 2
	}
}

// head draws the names of both hosts.
func (l *ladder) head() {
	label := l.o.text("ladder.time")
	l.c.put(l.edge-width(label), label, dim)
	for s, host := range l.hosts {
		l.c.put(l.stateX[s], clean(host), bold)
	}
	l.bars()
	l.about(func(h *trace.HostInfo) string {
		address, _, _ := strings.Cut(h.Address, "/")
		if h.Stack == "" {
			return address
		}
		return address + " · " + h.Stack
	}, func(h *trace.HostInfo) string {
		address, _, _ := strings.Cut(h.Address, "/")
		return address
	})
	l.c.flush()
}

// about tells of each host beside its line, in the first of some ways that leaves room.
func (l *ladder) about(ways ...func(*trace.HostInfo) string) {
	for _, way := range ways {
		var texts [2]string
		for s, host := range l.hosts {
			if h := l.t.Header.Host(host); h != nil {
				texts[s] = clean(way(h))
			}
		}
		if width(texts[left])+width(texts[right])+5 <= l.bar[right]-l.bar[left] {
			l.c.put(l.bar[left]+2, texts[left], dim)
			l.c.put(l.bar[right]-1-width(texts[right]), texts[right], dim)
			return
		}
	}
}

// foot tells how the run ended.
func (l *ladder) foot() {
	l.pause(l.t.End.At)
	l.time(l.t.End.At)
	l.wide(l.o.text(endText(l.t)), bold)
	for _, n := range l.t.End.Blocked {
		e := l.t.Event(n)
		if e == nil {
			continue
		}
		if c, ok := e.Detail.(*trace.Call); ok {
			l.wide(l.o.text("end.blocked", clean(e.Host), callText(c), l.clock.print(e.At)), red)
		}
	}
	aloft := 0
	for _, lanes := range l.lanes {
		for _, f := range lanes {
			if f != nil {
				aloft++
			}
		}
	}
	if aloft > 0 {
		l.wide(l.o.text("end.aloft", aloft), yellow)
	}
	l.legend.draw(l.c, l.o)
}

// wide writes a text over both sides.
func (l *ladder) wide(text string, st style) {
	for i, line := range wrap(text, len(l.c.cells)-l.stateX[left]) {
		if i > 0 {
			l.c.put(l.stateX[left], line, st)
			l.c.flush()
			continue
		}
		l.stamp()
		l.c.put(l.stateX[left], line, st)
		l.c.flush()
	}
}

// time sets the time of the next rows. It is printed once.
func (l *ladder) time(at time.Duration) {
	if at != l.at {
		l.at, l.printed = at, false
	}
}

// stamp prints the time on the line in work, if it was not printed yet.
func (l *ladder) stamp() {
	if !l.printed {
		s := l.clock.print(l.at)
		l.c.put(l.edge-len(s), s, plain)
		l.printed = true
	}
}

// bars draws the hosts' lines and the packets on their way where nothing else stands.
func (l *ladder) bars() {
	for _, x := range l.bar {
		if l.c.at(x) == "" {
			l.c.put(x, "│", dim)
		}
	}
	for from, lanes := range l.lanes {
		for k, f := range lanes {
			if x := l.laneX(side(from), k); f != nil && l.c.at(x) == "" {
				l.c.put(x, "┊", green)
			}
		}
	}
}

// finish ends a row: time, states, lines, packets on their way.
func (l *ladder) finish() {
	l.stamp()
	for s := range l.states {
		if len(l.states[s]) == 0 {
			continue
		}
		cell := l.states[s][0]
		if l.legend.socket == "" && l.board.several[l.hosts[s]] {
			l.legend.socket = cell.text
		}
		st := dim
		if cell.changed {
			st = bold
		}
		l.c.put(l.stateX[s], cell.text, st)
		l.states[s] = l.states[s][1:]
	}
	l.bars()
	for _, lanes := range l.lanes {
		for _, f := range lanes {
			if f != nil {
				f.rows++
			}
		}
	}
	l.c.flush()
}

// laneX is the column of a lane: packets go down close to the side that they go to.
func (l *ladder) laneX(from side, k int) int {
	if from == left {
		return l.bar[right] - laneEdge - laneStep*k
	}
	return l.bar[left] + laneEdge + laneStep*k
}

// zone is where text may stand without covering a packet on its way.
func (l *ladder) zone() (lo, hi int) {
	lo, hi = l.bar[left]+2, l.bar[right]-2
	for k, f := range l.lanes[left] {
		if f != nil {
			hi = min(hi, l.laneX(left, k)-2)
		}
	}
	for k, f := range l.lanes[right] {
		if f != nil {
			lo = max(lo, l.laneX(right, k)+2)
		}
	}
	return lo, hi
}

// pause draws a long time in which nothing happened.
func (l *ladder) pause(until time.Duration) {
	gap := until - l.at
	if gap < silence || gap <= l.t.Header.Delay {
		return
	}
	text := " " + l.o.text("ladder.silence", l.o.span(gap)) + " "
	lo, hi := l.zone()
	at := lo + max(0, (hi-lo+1-width(text))/2)
	for x := l.bar[left] + 1; x < l.bar[right]; x++ {
		l.c.put(x, "┈", dim)
	}
	for from, lanes := range l.lanes {
		for k, f := range lanes {
			if f != nil {
				l.c.put(l.laneX(side(from), k), "┊", green)
			}
		}
	}
	l.c.put(at, text, plain)
	l.bars()
	l.c.flush()
}

// step draws one step.
func (l *ladder) step(events []trace.Event) {
	root := &events[0]
	l.pause(root.At)
	l.time(root.At)
	l.printed = l.printed && root.At == l.at
	l.follow(events)
	for i := range events {
		e := &events[i]
		s := l.side(e.Host)
		switch d := e.Detail.(type) {
		case *trace.Call:
			l.says(s, l.o.called(events, e.N, d), cyan)
		case *trace.Return:
			if e.Cause != d.Call {
				l.says(s, "… "+l.o.cameBack(l.t, d, l.programs), cyan)
			}
		case *trace.Sent:
			l.sent(l.flights[e.N], fateOf(events, e.N))
		case *trace.Arrived:
			l.landed(e, d.Packet, l.o.arrivalTrouble(d.Packet))
		case *trace.Fate:
			if e.N == root.N {
				l.landed(e, nil, l.o.fate(d))
			}
		case *trace.Timer:
			l.says(s, l.o.timer(d.Name), purple)
		case *trace.HostChange:
			l.banner(l.o.hostChange(e, d))
		case *trace.Note:
			l.legend.noted(d)
			if d.Failed {
				l.says(s, "✗ "+clean(d.Text), red)
			} else {
				l.says(s, "• "+clean(d.Text), plain)
			}
		case *trace.StateChange, *trace.Control:
		}
	}
	for len(l.states[left])+len(l.states[right]) > 0 {
		l.finish()
	}
}

// fateOf lists what the link did at once to the packet that was sent with event n.
func fateOf(events []trace.Event, n int) []*trace.Fate {
	var fates []*trace.Fate
	for i := range events {
		if f, ok := events[i].Detail.(*trace.Fate); ok && events[i].Cause == n {
			fates = append(fates, f)
		}
	}
	return fates
}

// cameBack is a call that returns later than it was made: "connect = 0", with its descriptor where several programs
// of the host may be waiting.
func (o *Options) cameBack(t *trace.Trace, r *trace.Return, programs map[string]int) string {
	name := "?"
	if e := t.Event(r.Call); e != nil {
		if c, ok := e.Detail.(*trace.Call); ok {
			name = clean(c.Name)
			if programs[e.Host] > 1 && c.FD >= 0 {
				name += fmt.Sprintf("(%d)", c.FD)
			}
		}
	}
	return name + " = " + o.returned(r)
}

// hostChange says what was done to a host or to the link.
func (o *Options) hostChange(e *trace.Event, h *trace.HostChange) string {
	if h.What == trace.Reboot {
		return o.text("host.reboot", clean(e.Host))
	}
	return o.text(keyed("host.", h.What.String()))
}

// follow finds the states to show on the rows of a step.
func (l *ladder) follow(events []trace.Event) {
	root := &events[0]
	l.states = [2][]stateCell{}
	if h, ok := root.Detail.(*trace.HostChange); ok {
		if h.What == trace.Reboot {
			l.board.forget(root.Host)
		}
		return
	}
	if root.Host == "" {
		return
	}
	host, about := root.Host, root.Socket
	var changed []int
	for i := range events {
		e := &events[i]
		switch d := e.Detail.(type) {
		case *trace.StateChange:
			l.board.change(e, d)
			changed = append(changed, e.Socket)
			about = e.Socket
		case *trace.Return:
			if d.Accepted != 0 && len(changed) == 0 {
				about = d.Accepted
			}
		case *trace.Call, *trace.Sent, *trace.Arrived, *trace.Fate, *trace.Control, *trace.Timer, *trace.HostChange, *trace.Note:
		}
	}
	if about == 0 {
		about = l.board.last[host]
	}
	here := l.side(host)
	for i, n := range changed {
		// A state that was only passed through in this step is not shown; each socket is, once.
		if !slices.Contains(changed[i+1:], n) {
			l.states[here] = append(l.states[here], stateCell{l.board.label(host, n), true})
		}
	}
	if len(changed) == 0 {
		l.states[here] = append(l.states[here], stateCell{text: l.board.label(host, about)})
	}
	l.board.last[host] = about
	there := l.hosts[here.other()]
	peer := l.sender(root)
	if peer == 0 || l.board.label(there, peer) == "" {
		peer = l.board.peer(socketKey{host, about}, there, root.N)
	}
	if peer != 0 {
		l.states[here.other()] = append(l.states[here.other()], stateCell{text: l.board.label(there, peer)})
		l.board.last[there] = peer
	}
}

// sender is the socket that sent what arrived with an event; 0 if that is not known.
func (l *ladder) sender(e *trace.Event) int {
	if _, ok := e.Detail.(*trace.Arrived); !ok {
		return 0
	}
	sent := l.t.Event(e.Cause)
	if sent == nil || sent.Host == e.Host {
		return 0
	}
	return sent.Socket
}

// banner draws what concerns the world over the whole width.
func (l *ladder) banner(text string) {
	text = " " + text + " "
	l.stamp()
	from, to := l.stateX[left], l.end
	for x := from; x < to; x++ {
		l.c.put(x, "═", bold)
	}
	l.c.put(from+max(0, (to-from-width(text))/2), text, bold)
	l.c.flush()
}

// says writes a text beside a host's line.
func (l *ladder) says(s side, text string, st style) {
	lo, hi := l.zone()
	l.block(s, lo, hi, text, st)
}

// block writes a text between two columns, close to a side's line, its first line the widest where it is wrapped.
func (l *ladder) block(s side, lo, hi int, text string, st style) {
	const hang = 2
	lines := wrap(text, hi-lo+1)
	if len(lines) > 1 {
		lines = append(lines[:1], wrap(strings.TrimSpace(strings.TrimPrefix(text, lines[0])), hi-lo+1-hang)...)
	}
	wide := width(lines[0])
	for _, line := range lines[1:] {
		wide = max(wide, hang+width(line))
	}
	for i, line := range lines {
		x := lo
		if s == right {
			x = hi + 1 - wide
		}
		if i > 0 {
			x += hang
		}
		l.c.put(x, line, st)
		l.finish()
	}
}
