package diff

import (
	"cmp"
	"math"
	"slices"

	"connectlab/trace"
)

// sort puts what was found into the order of the record: by how much of what agrees lies before it, on the side where less does; then by
// time. Both sides agree up to the first, so that it is the first on both.
func (c *comparison) sort() {
	for _, s := range []*side{c.a, c.b} {
		for n := 1; n < len(s.agreed); n++ {
			s.agreed[n] += s.agreed[n-1]
		}
	}
	for i := range c.found {
		f := &c.found[i]
		f.low, f.high = -1, -1
		c.rank(f, c.a, f.a, &f.A)
		c.rank(f, c.b, f.b, &f.B)
		if f.low < 0 {
			f.low, f.high = len(c.a.t.Events)+len(c.b.t.Events), 0 // the end of the run
		}
		if f.notes() > 0 {
			f.low = f.high // an observer sees what came of something else: on no side does that come behind it
		}
		c.missed(f)
	}
	slices.SortStableFunc(c.found, func(x, y found) int {
		return cmp.Or(cmp.Compare(x.low, y.low), cmp.Compare(x.earliest(), y.earliest()), cmp.Compare(x.notes(), y.notes()),
			cmp.Compare(x.step(), y.step()), cmp.Compare(x.inStep(), y.inStep()), cmp.Compare(x.lane.kind, y.lane.kind), cmp.Compare(x.high, y.high),
			compareKeys(x.lane, y.lane), cmp.Compare(x.nth, y.nth))
	})
	c.cause()
}

// notes is 1 for a divergence of what an observer saw.
func (f *found) notes() int {
	for _, m := range []*move{f.a, f.b} {
		if m != nil {
			if _, ok := m.event.Detail.(*trace.Note); ok {
				return 1
			}
		}
	}
	return 0
}

func (f *found) earliest() int64 {
	switch {
	case f.A.Event == 0 && f.a == nil && f.b != nil:
		return int64(f.B.At)
	case f.B.Event == 0 && f.b == nil && f.a != nil:
		return int64(f.A.At)
	}
	return int64(min(f.A.At, f.B.At))
}

// step is where its step lies in both traces together: of two that have as much before them, the one whose step comes first.
func (f *found) step() int {
	at := 0
	for _, p := range []*Place{&f.A, &f.B} {
		other := &f.A
		if p == other {
			other = &f.B
		}
		at += cmp.Or(p.Root, p.Event, other.Root, other.Event)
	}
	return at
}

// inStep is how many events lie between the beginning of the step and the move, on the side that has it first. Control information tells
// of what a step has done, so it is behind the rest.
func (f *found) inStep() int {
	least := math.MaxInt
	if f.lane.kind == controlLane {
		return least
	}
	for _, p := range []*Place{&f.A, &f.B} {
		if p.Event != 0 && int64(p.At) == f.earliest() {
			least = min(least, p.Event-p.Root)
		}
	}
	return least
}

func (c *comparison) rank(f *found, s *side, m *move, p *Place) {
	if m == nil {
		return
	}
	*p = s.place(m.event, m.root)
	before := m.event.N - 1
	if m.root != nil {
		before = m.root.N - 1
	}
	agreed := int(s.agreed[before])
	if f.low < 0 {
		f.low, f.high = agreed, agreed
	}
	f.low, f.high = min(f.low, agreed), max(f.high, agreed)
}

// missed finds the step in which a move that is missing would have been.
func (c *comparison) missed(f *found) {
	step := func(m *move, s, other *side, p *Place) {
		if root := s.counterpart(m.root, other); root != nil {
			*p = Place{Root: root.N, Host: root.Host, Socket: root.Socket, At: root.At}
		} else {
			p.Host = m.event.Host
		}
	}
	switch {
	case f.a != nil && f.b == nil:
		step(f.a, c.a, c.b, &f.B)
	case f.b != nil && f.a == nil:
		step(f.b, c.b, c.a, &f.A)
	}
	f.State = c.stateOf(f)
}

// stateOf is the state of the socket before the step, where both sides say the same.
func (c *comparison) stateOf(f *found) trace.State {
	before := func(s *side, p *Place) trace.State {
		if p.Root == 0 {
			return trace.NotObserved
		}
		return s.stateBefore(p.Host, p.Socket, p.Root)
	}
	x, y := before(c.a, &f.A), before(c.b, &f.B)
	switch {
	case f.a == nil:
		return y
	case f.b == nil, x == y:
		return x
	}
	return trace.NotObserved
}

// cause moves to the front what the first divergence comes from: the packet that brought it, if that differs itself. Where one side came
// to it earlier and by something else, the other side's packet has not brought it.
func (c *comparison) cause() {
	byA, byB := map[int]int{}, map[int]int{}
	for i := range c.found {
		byA[c.found[i].A.Event], byB[c.found[i].B.Event] = i, i
	}
	delete(byA, 0)
	delete(byB, 0)
	arrived := func(m *move) int {
		if m != nil && m.root != nil {
			if _, ok := m.root.Detail.(*trace.Arrived); ok {
				return m.root.Cause
			}
		}
		return 0
	}
	at := 0
	for range c.found {
		f := &c.found[at]
		next, ok := byA[arrived(f.a)]
		other, too := byB[arrived(f.b)]
		if !ok || too && other < next {
			next, ok = other, too
		}
		if !ok || next == at || c.found[next].earliest() > f.earliest() {
			break
		}
		at = next
	}
	if at > 0 {
		f := c.found[at]
		copy(c.found[1:at+1], c.found[:at])
		c.found[0] = f
	}
}

// merge makes one of the first divergence and another: a packet that one side has on one connection and the other on another, in the same
// step.
func (c *comparison) merge() {
	f := &c.found[0]
	if (f.a == nil) == (f.b == nil) || f.lane.kind != packetLane {
		return
	}
	for i := 1; i < len(c.found); i++ {
		g := &c.found[i]
		if g.lane.kind != packetLane || g.lane.host != f.lane.host || (g.a == nil) == (g.b == nil) || (g.a == nil) == (f.a == nil) {
			continue
		}
		x, y := f.a, g.b
		if x == nil {
			x, y = g.a, f.b
		}
		if x == nil || y == nil || c.a.stimulus(x.root) != c.b.stimulus(y.root) {
			continue
		}
		if rootKind(x.root) == 't' && (x.event.At != y.event.At || x.event.Socket != y.event.Socket) {
			continue
		}
		d := differences{c: c}
		d.packets(x.packet, y.packet)
		if len(d.list) == 0 {
			continue
		}
		f.a, f.b, f.Differences = x, y, d.list
		f.A, f.B = c.a.place(x.event, x.root), c.b.place(y.event, y.root)
		f.State = c.stateOf(f)
		c.found = slices.Delete(c.found, i, i+1)
		return
	}
}
