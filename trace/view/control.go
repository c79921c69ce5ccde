package view

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"connectlab/trace"
)

// groups order the items of control information for people.
var groups = []struct {
	key   string
	items []trace.Item
}{
	{"group.names", []trace.Item{
		trace.Protocol, trace.LocalAddress, trace.LocalPort, trace.RemoteAddress, trace.RemotePort,
	}},
	{"group.numbers", []trace.Item{trace.ISS, trace.SndUna, trace.SndNxt, trace.IRS, trace.RcvNxt}},
	{"group.windows", []trace.Item{trace.SndWnd, trace.SndWindShift, trace.RcvWnd, trace.RcvWindShift}},
	{"group.segments", []trace.Item{
		trace.SendMSS, trace.ReceiveMSS, trace.EffSendMSS, trace.SACKPermitted, trace.Timestamps, trace.TSRecent,
	}},
	{"group.buffers", []trace.Item{
		trace.SendBufferLimit, trace.SendBufferUsed, trace.ReceiveBufferLimit, trace.ReceiveBufferUsed, trace.ReceiveMemoryUsed,
	}},
	{"group.timing", []trace.Item{trace.RTO, trace.SRTT, trace.RTTVar, trace.Cwnd, trace.Ssthresh}},
	{"group.queues", []trace.Item{trace.Backlog, trace.SynQueue, trace.AcceptQueue}},
	{"group.errors", []trace.Item{trace.PendingError}},
}

// manyChanges is how many changes of one moment get the names of their groups.
const manyChanges = 8

// Control writes the control information of both hosts' sockets: what changed at each moment, from what to what, and
// who brought it; when the first connection stands, and at the end, all that the sockets hold, side by side. The
// only errors are w's.
func Control(w io.Writer, t *trace.Trace, o Options) error {
	v := &controlView{
		t: t, o: &o, c: newCanvas(w, &o), clock: newClock(t), numbers: numberings(t), sockets: trace.Sockets(t),
		index: make(map[socketKey]int), info: make(map[socketKey]*trace.ControlInfo),
	}
	for i, s := range v.sockets {
		v.index[socketKey{s.Host, s.Number}] = i
	}
	v.layout()
	if !t.Header.Control {
		v.c.paragraph(0, o.text("control.not-recorded"), bold)
		return v.c.end()
	}
	eachStep(t, v.moment)
	v.atEnd()
	return v.c.end()
}

type controlView struct {
	t       *trace.Trace
	o       *Options
	c       *canvas
	clock   clock
	numbers map[int]*numbering
	sockets []trace.Socket
	index   map[socketKey]int
	info    map[socketKey]*trace.ControlInfo
	stood   bool // the first connection has stood

	nameX, nameW, valueX, valueW, byX int
}

// layout shares the columns among an item's name, its values, and who brought them.
func (v *controlView) layout() {
	v.nameX = 4
	for i := range trace.Item(trace.NumItems) {
		v.nameW = max(v.nameW, width(v.o.item(i)))
	}
	columns := len(v.c.cells)
	v.nameW = min(v.nameW, columns*2/5)
	v.valueX = v.nameX + v.nameW + 2
	rest := columns - v.valueX - 2
	v.valueW = min(rest-min(rest*4/7, maxBringer), maxValue)
	v.byX = v.valueX + v.valueW + 2
}

// On a wide screen what belongs together stays together.
const (
	maxValue   = 40
	maxBringer = 30
)

// item is an item's name in human words.
func (o *Options) item(i trace.Item) string { return o.text(keyed("item.", i.String())) }

// moment writes what one step changed.
func (v *controlView) moment(events []trace.Event) {
	root := &events[0]
	titled := false
	for i := range events {
		e := &events[i]
		switch e.Detail.(type) {
		case *trace.StateChange, *trace.Control:
		default:
			continue
		}
		if e.Socket == 0 {
			continue
		}
		if v.shown(events[:i], e.Socket) {
			continue
		}
		if !titled {
			v.title(root, events[len(events)-1].N)
			titled = true
		}
		v.socket(events[i:], e.Host, e.Socket)
	}
	if titled {
		v.c.flush()
	}
	v.firstConnection(events)
}

// shown reports whether a socket's changes were written with an earlier event of the step.
func (v *controlView) shown(events []trace.Event, socket int) bool {
	for i := range events {
		switch events[i].Detail.(type) {
		case *trace.StateChange, *trace.Control:
			if events[i].Socket == socket {
				return true
			}
		default:
		}
	}
	return false
}

// title says when, which events, and what it was.
func (v *controlView) title(root *trace.Event, last int) {
	numbers := fmt.Sprintf("#%d", root.N)
	if last != root.N {
		numbers = fmt.Sprintf("#%d–%d", root.N, last)
	}
	text := fmt.Sprintf("%s  %s  %s", v.clock.print(root.At), numbers, clean(root.Host))
	v.c.paragraph(0, text+": "+v.what(root), bold)
}

// what says what the first event of a step was.
func (v *controlView) what(e *trace.Event) string {
	switch d := e.Detail.(type) {
	case *trace.Call:
		return callText(d)
	case *trace.Arrived:
		n := v.numbers[e.Cause]
		line := v.o.shortTokens(d.Packet, n, false)
		words := make([]string, len(line))
		for i, t := range line {
			words[i] = t.text
		}
		return v.o.text("control.arrives", strings.Join(words, " "))
	case *trace.Timer:
		return v.o.timer(d.Name)
	case *trace.HostChange:
		return v.o.hostChange(e, d)
	case *trace.Note:
		return clean(d.Text)
	case *trace.Fate:
		return v.o.fate(d)
	case *trace.Sent, *trace.Return, *trace.StateChange, *trace.Control:
	}
	return v.o.text("control.itself")
}

// socketName names a socket with what people know it by: its number, its descriptor, its listener.
func (o *Options) socketName(s *trace.Socket, n int) string {
	name := o.text("socket", s.Number)
	for _, d := range s.Descriptors {
		if d.From <= n && (d.To == 0 || d.To > n) {
			name += ", " + o.text("socket.descriptor", d.FD)
		}
	}
	if s.Listener != 0 {
		name += ", " + o.text("socket.listener", s.Listener)
	}
	return name
}

// socket writes all changes of one socket in one step.
func (v *controlView) socket(events []trace.Event, host string, number int) {
	key := socketKey{host, number}
	info := v.info[key]
	if info == nil {
		info = new(trace.ControlInfo)
	}
	before := *info
	var changes [trace.NumItems][]broughtChange // an item can change twice in a step
	count := 0
	for i := range events {
		e := &events[i]
		d, ok := e.Detail.(*trace.Control)
		if !ok || e.Socket != number {
			continue
		}
		info.Apply(d.Changes)
		v.info[key] = info
		for j := range d.Changes {
			c := &d.Changes[j]
			changes[c.Item] = append(changes[c.Item], broughtChange{c, v.segmentOf(e)})
			count++
		}
	}
	v.c.line(2, v.o.socketName(&v.sockets[v.index[key]], events[len(events)-1].N), plain)
	for i := range events {
		e := &events[i]
		if d, ok := e.Detail.(*trace.StateChange); ok && e.Socket == number {
			v.stateChange(e, d)
		}
	}
	for _, g := range groups {
		named := count <= manyChanges
		for _, item := range g.items {
			for _, b := range changes[item] {
				if !named {
					v.c.line(2, v.o.text(g.key), dim)
					named = true
				}
				v.change(b, &before, info)
			}
		}
	}
}

// segmentOf is the number of the event that brought a change: what arrived, where the chain of causes has that.
func (v *controlView) segmentOf(e *trace.Event) int {
	for n := e.Cause; n != 0; {
		cause := v.t.Event(n)
		if cause == nil {
			break
		}
		if _, ok := cause.Detail.(*trace.Arrived); ok {
			return n
		}
		n = cause.Cause
	}
	return e.Cause
}

func (v *controlView) stateChange(e *trace.Event, d *trace.StateChange) {
	from := "-"
	if d.From != trace.NotObserved {
		from = v.o.stateName(d.From)
	}
	by := v.o.text("by.stack")
	if d.Source != trace.Sampled {
		by += v.o.text(keyed("source.", d.Source.String()))
	}
	v.changed(v.o.text("item.state"), from+" → "+v.o.state(d.To, d.Word), by)
}

// A broughtChange is a change with the number of the event that brought it.
type broughtChange struct {
	*trace.Change
	cause int
}

func (v *controlView) change(b broughtChange, before, now *trace.ControlInfo) {
	was := v.o.value(b.Item, b.Old(), before)
	if b.Old().Kind == trace.Number {
		// The number on the wire, and the unit, are told with the new value.
		switch b.Item.Unit() {
		case trace.UnitSeq:
			was, _, _ = strings.Cut(was, " ")
		case trace.UnitOctets:
			was = strconv.FormatInt(b.Old().Num, 10)
		default:
		}
	}
	v.changed(v.o.item(b.Item), was+" → "+v.o.value(b.Item, b.New(), now), v.o.brought(b.Change, b.cause))
}

// changed writes the row of an item that changed. A value that needs more than its column may push who brought it
// to the right.
func (v *controlView) changed(name, value, by string) {
	v.c.put(2, "*", yellow)
	valueW, byX := v.valueW, v.byX
	if w := width(value); w > valueW && v.valueX+w+2+width(by) <= len(v.c.cells) {
		valueW, byX = w, v.valueX+w+2
	}
	v.c.row(
		column{v.nameX, v.nameW, name, plain},
		column{v.valueX, valueW, value, bold},
		column{byX, len(v.c.cells) - byX, by, dim},
	)
}

// firstConnection writes the full table when, for the first time, both ends of a connection are ESTABLISHED.
func (v *controlView) firstConnection(events []trace.Event) {
	if v.stood {
		return
	}
	last := events[len(events)-1].N
	for i := range events {
		e := &events[i]
		d, ok := e.Detail.(*trace.StateChange)
		if !ok || d.To != trace.Established || e.Socket == 0 {
			continue
		}
		own := &v.sockets[v.index[socketKey{e.Host, e.Socket}]]
		for j := range v.sockets {
			peer := &v.sockets[j]
			if peer.Host == own.Host || peer.First > last || peer.Local != own.Remote || peer.Remote != own.Local || peer.At(last).State != trace.Established {
				continue
			}
			v.stood = true
			pair := v.sided(own, peer)
			for _, s := range pair {
				if at, ok := v.index[socketKey{s.Host, s.Listener}]; ok {
					pair = append(pair, &v.sockets[at])
				}
			}
			v.c.paragraph(0, v.o.text("control.stands", v.clock.print(e.At)), bold)
			v.table(pair, last)
			return
		}
	}
}

// sided puts the client's socket first.
func (v *controlView) sided(a, b *trace.Socket) []*trace.Socket {
	if a.Host == hostsOf(v.t)[right] {
		a, b = b, a
	}
	return []*trace.Socket{a, b}
}

// atEnd writes the full table of all sockets that are there.
func (v *controlView) atEnd() {
	last := len(v.t.Events)
	var there []*trace.Socket
	for _, host := range hostsOf(v.t) {
		for i := range v.sockets {
			if s := &v.sockets[i]; s.Host == host && s.Gone == 0 {
				there = append(there, s)
			}
		}
	}
	if len(there) == 0 {
		v.c.paragraph(0, v.o.text("control.end-none", v.clock.print(v.t.End.At)), bold)
		return
	}
	v.c.paragraph(0, v.o.text("control.end", v.clock.print(v.t.End.At)), bold)
	v.table(there, last)
}

// tableColumn is the least width of a socket's column.
const tableColumn = 22

// table writes all that some sockets hold, side by side, as many as fit at a time.
func (v *controlView) table(sockets []*trace.Socket, n int) {
	x := 2 + v.nameW + 2
	room := len(v.c.cells) - x
	fit := max(1, room/(tableColumn+2))
	for len(sockets) > 0 {
		k := min(fit, len(sockets))
		v.tablePart(sockets[:k], n, x, min(room/k, 2*tableColumn)-2)
		sockets = sockets[k:]
	}
}

func (v *controlView) tablePart(sockets []*trace.Socket, n, x, w int) {
	row := func(name string, st style, cell func(*trace.Socket) string) {
		columns := []column{{2, v.nameW, name, plain}}
		for i, s := range sockets {
			columns = append(columns, column{x + i*(w+2), w, cell(s), st})
		}
		v.c.row(columns...)
	}
	row("", bold, func(s *trace.Socket) string { return clean(s.Host) + " " + v.o.socketName(s, n) })
	v.c.line(2, strings.Repeat("─", x-4+len(sockets)*(w+2)), dim)
	row(v.o.text("item.state"), plain, func(s *trace.Socket) string {
		stay := s.At(n)
		return v.o.state(stay.State, stay.Word)
	})
	leftOut := 0
	for _, g := range groups {
		titled := false
		for _, item := range g.items {
			if !v.has(sockets, item) {
				leftOut++
				continue
			}
			if !titled {
				v.c.line(2, v.o.text(g.key), dim)
				titled = true
			}
			row(v.o.item(item), plain, func(s *trace.Socket) string {
				info := v.info[socketKey{s.Host, s.Number}]
				if info == nil { // its stack has told nothing, not even the protocol
					return v.o.text("value.not-observable")
				}
				return v.o.value(item, info.Value(item), info)
			})
		}
	}
	if leftOut > 0 {
		v.c.paragraph(2, v.o.text("control.left-out", leftOut), dim)
	}
	v.c.flush()
}

// has reports whether any of some sockets has an item, or may have it without telling.
func (v *controlView) has(sockets []*trace.Socket, item trace.Item) bool {
	for _, s := range sockets {
		if info := v.info[socketKey{s.Host, s.Number}]; info == nil || info.Value(item).Kind != trace.None {
			return true
		}
	}
	return false
}
