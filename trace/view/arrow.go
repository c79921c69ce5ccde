package view

import (
	"connectlab/trace"
)

// The pieces of arrows of each side's packets.
var arrows = [2]struct{ tail, turn, land, head string }{
	left:  {"├", "╮", "╰", "►"},
	right: {"┤", "╭", "╯", "◄"},
}

// sent draws a packet that leaves its host: an arrow with the packet's description, as far as its lane.
func (l *ladder) sent(f *flight, fates []*trace.Fate) {
	lo, hi := l.zone()
	lost := f.lost && f.landings == 0
	var tip int
	switch {
	case lost:
		tip = -1
	case l.takeLane(f):
		tip = l.laneX(f.from, f.lane)
		if f.from == left {
			hi = min(hi, tip-2)
		} else {
			lo = max(lo, tip+2)
		}
	case f.from == left:
		tip = l.bar[right] - 2
	default:
		tip = l.bar[left] + 2
	}
	// Room for the arrow's tail before the text and a piece of it behind.
	if f.from == left {
		lo = max(lo, l.bar[left]+4)
		hi--
	} else {
		lo++
		hi = min(hi, l.bar[right]-4)
	}
	if lost {
		hi -= 3 * int(f.from.other())
		lo += 3 * int(f.from)
	}
	l.legend.drew(f.packet, l.numbers[f.sent])
	lines := flow(l.o.segmentTokens(f.packet, l.numbers[f.sent], l.ports), hi-lo+1)
	for i, line := range lines {
		w := flowWidth(line)
		x := lo
		if f.from == right {
			x = hi + 1 - w
		}
		if i == 0 {
			if lost {
				tip = l.lostTip(f.from, x, w)
			}
			l.arrow(f, tip, lost)
			l.c.put(x-1, " ", plain)
			l.c.put(x+w, " ", plain)
		}
		l.c.tokens(x, line)
		l.finish()
	}
	if lost { // nothing flies beside the text
		lo, hi = l.zone()
		lo, hi = lo+2*int(f.from.other()), hi-2*int(f.from)
	}
	for _, fate := range fates {
		st := yellow
		if fate.Kind.Lost() {
			st = red
		}
		text := l.o.fate(fate)
		if fate.Kind.Lost() || fate.Kind == trace.Corrupted {
			text = "✗ " + text
		}
		l.block(f.from, lo, hi, text, st)
	}
}

// lostTip is where the arrow of a lost packet ends: past the middle, and past its text.
func (l *ladder) lostTip(from side, x, w int) int {
	third := (l.bar[right] - l.bar[left]) / 3
	if from == left {
		return max(x+w+2, l.bar[right]-third)
	}
	return min(x-3, l.bar[left]+third)
}

// arrow draws the first part of a packet's way.
func (l *ladder) arrow(f *flight, tip int, lost bool) {
	a := arrows[f.from]
	start := l.bar[f.from]
	l.line(start, tip, green)
	l.c.put(start, a.tail, green)
	switch {
	case lost:
		l.c.put(tip, "✗", red)
	case f.lane >= 0:
		l.c.put(tip, a.turn, green)
	default:
		l.legend.stub = true
		l.c.put(tip, "╌", green)
	}
}

// line draws from one column to another, over the packets on their way.
func (l *ladder) line(from, to int, st style) {
	for x := min(from, to); x <= max(from, to); x++ {
		l.c.put(x, "─", st)
	}
	for s, lanes := range l.lanes {
		for k, f := range lanes {
			if x := l.laneX(side(s), k); f != nil && x > min(from, to) && x < max(from, to) {
				l.c.put(x, "┼", st)
			}
		}
	}
}

// takeLane gives a flight the first free lane of its direction.
func (l *ladder) takeLane(f *flight) bool {
	if f.crowd {
		return false
	}
	for k, other := range l.lanes[f.from] {
		if other == nil {
			l.lanes[f.from][k], f.lane = f, k
			return true
		}
	}
	return false
}

// landed draws the end of a packet's way. p is nil where nobody took it; trouble says why it is of no use.
func (l *ladder) landed(e *trace.Event, p *trace.Packet, trouble string) {
	f := l.flights[e.Cause]
	if f == nil {
		l.says(l.side(e.Host), trouble, red)
		return
	}
	a := arrows[f.from]
	end := l.bar[f.from.other()]
	tip := end - 1 + 2*int(f.from)
	head, st := a.head, green
	if p == nil {
		head = "✗"
	}
	if trouble != "" {
		st = red
	}
	f.landings--
	start, turn := end-4+8*int(f.from), "╌"
	named := f.lane < 0
	if f.lane >= 0 {
		start, turn = l.laneX(f.from, f.lane), a.land
		others := 0
		for _, other := range l.lanes[f.from] {
			if other != nil {
				others++
			}
		}
		named = others > 1 || f.rows > 6
		if f.landings > 0 {
			turn = a.tail
		} else {
			l.lanes[f.from][f.lane] = nil
		}
	}
	l.line(start, tip, st)
	l.c.put(start, turn, st)
	l.c.put(tip, head, st)
	if named {
		packet := p
		if p == nil {
			packet = f.packet
		}
		lo, hi := l.zone()
		if f.from == left {
			hi = min(hi, start-2)
		} else {
			lo = max(lo, start+2)
		}
		line := flow(l.o.shortTokens(packet, l.numbers[f.sent], l.ports), hi-lo+1)[0]
		x := lo
		if f.from == left {
			x = hi + 1 - flowWidth(line)
		}
		l.c.tokens(x, line)
	}
	l.finish()
	if trouble != "" {
		l.says(f.from.other(), "✗ "+trouble, red)
	}
}
