package view

import (
	"slices"
	"strings"
	"time"

	"connectlab/trace"
)

// A pane is a narrow ladder of a few steps, to stand beside another: time, the hosts' lines, and between them what
// they did. A packet is named where it leaves and where it arrives; there is no room for its way.
type pane struct {
	t        *trace.Trace
	o        *Options
	clock    clock
	board    *board
	numbers  map[int]*numbering
	hosts    [2]string
	ports    bool           // segments are told apart by their ports
	programs map[string]int // how many programs a host runs
	steps    [][]trace.Event
	x, width int
	bar      [2]int
	legend   *legend
}

// A paneLine is one line of a pane.
type paneLine struct {
	event  int // that it tells of
	time   string
	from   side
	arrow  paneArrow
	text   []token
	hang   int
	marked bool
}

// A paneArrow is what stands between a packet's name and its host's line.
type paneArrow uint8

const (
	noArrow paneArrow = iota
	leaving
	losing // it leaves and will not arrive
	arriving
	lostThere // nobody takes it where it should arrive
	across    // the text is about the world
)

const (
	paneMark = 2  // cells before the time
	paneMin  = 40 // cells between the hosts' lines, at the least, for two panes to stand beside each other
	paneMax  = 70 // beyond them arrows would only get longer
)

// newPane makes a pane of the steps that it can show something of, and of the one that has event keep.
func newPane(t *trace.Trace, o *Options, g *legend, keep int) *pane {
	p := &pane{t: t, o: o, clock: newClock(t), board: newBoard(t, o), numbers: numberings(t), hosts: hostsOf(t), legend: g}
	p.ports, p.programs = connections(t) > 1, programs(t)
	eachStep(t, func(step []trace.Event) {
		if slices.ContainsFunc(step, func(e trace.Event) bool { return e.N == keep || tells(&e) }) {
			p.steps = append(p.steps, step)
		}
	})
	return p
}

// tells reports whether a pane shows an event. What an observer of the story saw, as it was expected, is nothing that a
// host did.
func tells(e *trace.Event) bool {
	switch d := e.Detail.(type) {
	case *trace.Control:
		return false
	case *trace.Note:
		return d.Failed
	default:
		return true
	}
}

// least is the width of a pane that is just wide enough.
func (p *pane) least() int { return paneMark + p.clock.width + 1 + paneMin + 2 }

// place says where the pane stands.
func (p *pane) place(x, w int) {
	p.x, p.width = x, min(w, p.least()-paneMin+paneMax)
	p.bar = [2]int{left: x + paneMark + p.clock.width + 1, right: x + p.width - 1}
}

func (p *pane) side(host string) side {
	if host == p.hosts[right] {
		return right
	}
	return left
}

// stepOf is the index of the step that has the event of number n, or that comes behind it; len(p.steps): none does.
func (p *pane) stepOf(n int) int {
	i, _ := slices.BinarySearchFunc(p.steps, n, func(step []trace.Event, n int) int { return step[len(step)-1].N - n })
	return i
}

// stepAt is the index of the first step at a time or behind it.
func (p *pane) stepAt(at time.Duration) int {
	i, _ := slices.BinarySearchFunc(p.steps, at, func(step []trace.Event, at time.Duration) int { return int(step[0].At - at) })
	return i
}

// follow takes in the states up to a step, and returns those that both hosts show then.
func (p *pane) follow(step int) (states [2]string) {
	end := len(p.t.Events)
	if step < len(p.steps) {
		end = p.steps[step][0].N - 1
	}
	for i := range p.t.Events[:end] {
		e := &p.t.Events[i]
		switch d := e.Detail.(type) {
		case *trace.StateChange:
			p.board.change(e, d)
			p.board.last[e.Host] = e.Socket
		case *trace.HostChange:
			if d.What == trace.Reboot {
				p.board.forget(e.Host)
			}
		default:
		}
	}
	for s, host := range p.hosts {
		states[s] = p.board.label(host, p.board.last[host])
	}
	return states
}

// head is the hosts' names over their lines, and below them the states that they begin with.
func (p *pane) head(states [2]string) []paneLine {
	lines := []paneLine{}
	for _, row := range []struct {
		texts [2]string
		st    style
	}{{[2]string{clean(p.hosts[left]), clean(p.hosts[right])}, bold}, {states, dim}} {
		room := p.bar[right] - p.bar[left] - 3
		gap := room - width(row.texts[left]) - width(row.texts[right])
		if gap < 1 || row.texts == [2]string{} {
			continue
		}
		lines = append(lines, paneLine{text: []token{
			{text: row.texts[left], style: row.st}, {text: strings.Repeat(" ", gap), glued: true}, {text: row.texts[right], style: row.st, glued: true},
		}})
	}
	return lines
}

// step is the lines of one step.
func (p *pane) step(events []trace.Event) []paneLine {
	var lines []paneLine
	add := func(e *trace.Event, arrow paneArrow, text ...token) {
		s := p.side(e.Host)
		room := p.bar[right] - p.bar[left] - 3
		switch arrow {
		case noArrow, across:
		default:
			room -= 7
		}
		const hang = 2
		for i, t := range flow(text, room-hang) {
			l := paneLine{event: e.N, from: s, arrow: arrow, text: t}
			if i > 0 {
				if s == left || arrow != noArrow {
					l.hang = hang
				}
				l.arrow = noArrow
			}
			lines = append(lines, l)
		}
	}
	for i := range events {
		e := &events[i]
		if !tells(e) {
			continue
		}
		switch d := e.Detail.(type) {
		case *trace.Call:
			add(e, noArrow, token{text: p.o.called(events, e.N, d), style: cyan})
		case *trace.Return:
			if e.Cause != d.Call {
				add(e, noArrow, token{text: "… " + p.o.cameBack(p.t, d, p.programs), style: cyan})
			}
		case *trace.Sent:
			arrow := leaving
			fates := fateOf(events, e.N)
			if slices.ContainsFunc(fates, func(f *trace.Fate) bool { return f.Kind.Lost() }) {
				arrow = losing
			}
			p.legend.drew(d.Packet, p.numbers[e.N])
			add(e, arrow, p.o.segmentTokens(d.Packet, p.numbers[e.N], p.ports)...)
			for _, f := range fates {
				add(e, noArrow, p.fateToken(f))
			}
		case *trace.Arrived:
			add(e, arriving, p.o.shortTokens(d.Packet, p.numbers[e.Cause], p.ports)...)
			if trouble := p.o.arrivalTrouble(d.Packet); trouble != "" {
				add(e, noArrow, token{text: "✗ " + trouble, style: red})
			}
		case *trace.Fate:
			if e.N != events[0].N {
				break // said where the packet was sent
			}
			there := *e
			there.Host = p.hosts[p.side(e.Host).other()]
			if sent := p.t.Event(e.Cause); sent != nil {
				if s, ok := sent.Detail.(*trace.Sent); ok {
					add(&there, lostThere, p.o.shortTokens(s.Packet, p.numbers[sent.N], p.ports)...)
				}
			}
			add(&there, noArrow, p.fateToken(d))
		case *trace.StateChange:
			p.board.change(e, d)
			p.board.last[e.Host] = e.Socket
			if d.From != d.To { // else only the stack's own word is another
				add(e, noArrow, p.stateTokens(e, d)...)
			}
		case *trace.Timer:
			add(e, noArrow, token{text: p.o.timer(d.Name), style: purple})
		case *trace.HostChange:
			if d.What == trace.Reboot {
				p.board.forget(e.Host)
			}
			add(e, across, token{text: p.o.hostChange(e, d), style: bold})
		case *trace.Note:
			add(e, noArrow, token{text: "✗ " + clean(d.Text), style: red})
		case *trace.Control:
		}
	}
	if len(lines) > 0 {
		lines[0].time = p.clock.print(events[0].At)
	}
	return lines
}

func (p *pane) fateToken(f *trace.Fate) token {
	text, st := p.o.fate(f), yellow
	if f.Kind.Lost() || f.Kind == trace.Corrupted {
		text, st = "✗ "+text, red
	}
	return token{text: text, style: st}
}

// stateTokens say from which state a socket came to which: "2: LISTEN → SYN-RECEIVED".
func (p *pane) stateTokens(e *trace.Event, d *trace.StateChange) []token {
	to := p.board.labelOf(e.Host, e.Socket, d.To)
	if p.legend.socket == "" && p.board.several[e.Host] {
		p.legend.socket = to
	}
	if d.From == trace.NotObserved {
		return []token{{text: to, style: bold}}
	}
	return []token{{text: p.board.labelOf(e.Host, e.Socket, d.From)}, {text: "→"}, {text: p.o.stateName(d.To), style: bold}}
}

// draw puts a line on the line in work of a canvas.
func (p *pane) draw(c *canvas, l *paneLine) {
	if l.marked {
		c.put(p.x, "▸", red)
	}
	c.put(p.bar[left]-1-width(l.time), l.time, plain)
	if l.arrow == across {
		for x := p.bar[left]; x <= p.bar[right]; x++ {
			c.put(x, "═", bold)
		}
		wide := flowWidth(l.text)
		x := p.bar[left] + max(1, (p.width-wide)/2-paneMark)
		c.put(x-1, " ", plain)
		c.put(c.tokens(x, l.text), " ", plain)
		return
	}
	for _, x := range p.bar {
		c.put(x, "│", dim)
	}
	// The cells between the host's line and the text, from the left.
	lead := [...]string{noArrow: " ", leaving: "├── ", losing: "├── ", arriving: "│◄── ", lostThere: "│✗── "}
	if l.from == right {
		lead = [...]string{noArrow: " ", leaving: " ──┤", losing: " ──┤", arriving: " ──►│", lostThere: " ──✗│"}
	}
	wide := flowWidth(l.text)
	far := map[paneArrow]string{leaving: "─╌", losing: "─✗", arriving: "╌─", lostThere: "╌─"}[l.arrow]
	farStyle := green
	if l.arrow == losing {
		farStyle = red
	}
	near := width(lead[l.arrow])
	if l.arrow == noArrow {
		near += 1 + l.hang
	}
	if l.from == left {
		x := p.bar[left]
		if l.arrow != noArrow {
			c.put(x, lead[l.arrow], green)
		}
		end := c.tokens(x+near, l.text)
		c.put(end+1, far, farStyle)
		return
	}
	x := p.bar[right] + 1 - near - wide
	if l.arrow != noArrow {
		c.put(p.bar[right]+1-near, lead[l.arrow], green)
	}
	c.tokens(x, l.text)
	if l.arrow == losing {
		far = "✗─"
	} else if far != "" {
		far = "╌─"
	}
	c.put(x-1-width(far), far, farStyle)
}
