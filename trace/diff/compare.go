package diff

import (
	"cmp"
	"slices"
	"strings"

	"connectlab/trace"
	"connectlab/trace/rfc9293"
)

// A comparison is one call of Compare.
type comparison struct {
	raw     map[Normalization]bool
	ignored map[Aspect]bool
	omitted map[omission]bool
	settled map[string]bool // hosts whose states are compared as they were when a step had settled
	a, b    *side
	result  *Result
	found   []found
	judge   *judge
}

type omission struct {
	aspect Aspect
	host   string
}

// found is a divergence that was found, with what its place among the others depends on.
type found struct {
	Divergence
	a, b *move // nil: that side has none
	lane laneKey
	nth  int // in its lane
	// low and high are how much of what agrees lies before it, on the side where it is less and on the other.
	low, high int
}

// Compare aligns two finished traces and says where they part. It changes neither. Compare(b, a, o) is the same with the sides exchanged.
// It panics if one of them is nil.
//
// The time it takes is in proportion to the length of the traces, and where they have little in common to that and a bound: see
// Result.Bounded.
func Compare(a, b *trace.Trace, o Options) *Result {
	if a == nil || b == nil {
		panic("diff: Compare of a trace that is nil; a run that could not be finished may have none")
	}
	c := &comparison{
		raw: map[Normalization]bool{}, ignored: map[Aspect]bool{}, omitted: map[omission]bool{}, settled: map[string]bool{}, result: &Result{},
	}
	for _, n := range o.Raw {
		c.raw[n] = true
	}
	for _, a := range o.Ignore {
		c.ignored[a] = true
	}
	for _, n := range Normalizations() {
		if !c.raw[n] {
			c.result.Normalized = append(c.result.Normalized, n)
		}
	}
	for _, a := range Aspects() {
		if c.ignored[a] {
			c.result.Ignored = append(c.result.Ignored, a)
		}
	}
	c.result.Headers = headers(&a.Header, &b.Header)
	c.omit(a, b)
	c.a, c.b = newSide(a, c), newSide(b, c)
	c.judge = &judge{c: c}
	c.lanes()
	c.end()
	c.sort()
	c.tell()
	return c.result
}

func (c *comparison) normalizes(n Normalization) bool { return !c.raw[n] }
func (c *comparison) ignores(a Aspect) bool           { return c.ignored[a] }

// compares reports whether an aspect of a host is compared: it is to be, and both traces show it.
func (c *comparison) compares(a Aspect, host string) bool {
	return !c.ignored[a] && !c.omitted[omission{a, ""}] && !c.omitted[omission{a, host}]
}

// lanes compares lane by lane.
func (c *comparison) lanes() {
	var keys []laneKey
	for key := range c.a.lanes {
		keys = append(keys, key)
	}
	for key := range c.b.lanes {
		if c.a.lanes[key] == nil {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, compareKeys)
	aligned := make([][]pair, len(keys))
	for i, key := range keys {
		x, y := c.a.lanes[key], c.b.lanes[key]
		pairs, cut := c.align(x, y)
		aligned[i] = pairs
		c.result.Bounded = c.result.Bounded || cut
		for _, p := range pairs {
			if p.a >= 0 && p.b >= 0 {
				n, m := x.moves[p.a].event.N, y.moves[p.b].event.N
				c.a.mate[n], c.b.mate[m] = int32(m), int32(n)
			}
		}
	}
	for i, key := range keys {
		c.lane(key, c.apartByCause(key, aligned[i]))
	}
}

// apartByCause takes apart pairs of states, and of packets that are sent because of something that is not the same on both sides: what one side sends in
// answer to one segment, or in one call, and the other in answer to another, was not sent there where it was to be expected.
func (c *comparison) apartByCause(key laneKey, pairs []pair) []pair {
	caused := c.caused
	switch key.kind {
	case packetLane, otherLane:
	case stateLane: // also what one side comes to in time
		caused = c.elsewhere
	case worldLane, callLane, controlLane:
		return pairs
	}
	x, y := c.a.lanes[key], c.b.lanes[key]
	apart := make([]pair, 0, len(pairs))
	for _, p := range pairs {
		if p.a >= 0 && p.b >= 0 && caused(&x.moves[p.a], &y.moves[p.b]) {
			// Which comes first must not depend on which trace comes first.
			m, n := &x.moves[p.a], &y.moves[p.b]
			switch first := cmp.Or(cmp.Compare(m.event.N, n.event.N), cmp.Compare(m.root.N, n.root.N)); {
			case first < 0:
				apart = append(apart, pair{p.a, -1}, pair{-1, p.b})
				continue
			case first > 0:
				apart = append(apart, pair{-1, p.b}, pair{p.a, -1})
				continue
			}
		}
		apart = append(apart, p)
	}
	return apart
}

// caused reports whether two moves were made because of a segment or a call, and of one that is known to be another on each side.
func (c *comparison) caused(a, b *move) bool {
	return atOnce(a) && atOnce(b) && c.elsewhere(a, b)
}

// atOnce reports whether a move was made because of a segment or a call.
func atOnce(m *move) bool { return rootKind(m.root) == 'a' || rootKind(m.root) == 'c' }

// elsewhere reports whether one side made a move because of a segment or a call which the other had too, and did not make it then.
func (c *comparison) elsewhere(a, b *move) bool {
	x, y := c.a.counterpart(a.root, c.b), c.b.counterpart(b.root, c.a)
	return atOnce(a) && b.root != nil && x != nil && x != b.root || atOnce(b) && a.root != nil && y != nil && y != a.root
}

// lane compares the moves of a lane pair by pair.
func (c *comparison) lane(key laneKey, pairs []pair) {
	x, y := c.a.lanes[key], c.b.lanes[key]
	agree := true
	for nth, p := range c.shown(x, y, pairs) {
		f := found{lane: key, nth: nth}
		if p.a >= 0 {
			f.a = &x.moves[p.a]
		}
		if p.b >= 0 {
			f.b = &y.moves[p.b]
		}
		if f.a != nil && f.b != nil {
			c.result.Moves++
			c.apart(key, f.a, f.b)
		}
		f.Differences = c.differences(f.a, f.b)
		if len(f.Differences) > 0 {
			agree = false
			c.found = append(c.found, f)
		} else if agree && f.a != nil && f.b != nil {
			c.a.agreed[f.a.event.N], c.b.agreed[f.b.event.N] = 1, 1
		}
	}
}

// shown are the pairs without what one side would have behind the end of its trace: behind the last counterparts, wherever the alignment
// has put it.
func (c *comparison) shown(x, y *lane, pairs []pair) []pair {
	last := len(pairs)
	for last > 0 && (pairs[last-1].a < 0 || pairs[last-1].b < 0) {
		last--
	}
	behind := slices.DeleteFunc(pairs[last:], func(p pair) bool {
		return p.a < 0 && c.a.behindEnd(&y.moves[p.b], c.b) || p.b < 0 && c.b.behindEnd(&x.moves[p.a], c.a)
	})
	return pairs[:last+len(behind)]
}

func compareKeys(a, b laneKey) int {
	return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.host, b.host), cmp.Compare(a.name, b.name))
}

// apart notes the earliest place at which counterparts have different times. Stories say when the world changes.
func (c *comparison) apart(key laneKey, a, b *move) {
	if a.event.At == b.event.At || key.kind == worldLane || !c.compares(Time, key.host) {
		return
	}
	was := c.result.Apart
	if was != nil {
		old, now := min(was.A.At, was.B.At), min(a.event.At, b.event.At)
		if cmp.Or(cmp.Compare(old, now), cmp.Compare(was.A.Event+was.B.Event, a.event.N+b.event.N)) <= 0 {
			return
		}
	}
	c.result.Apart = &Apart{c.a.place(a.event, a.root), c.b.place(b.event, b.root)}
}

// end compares how the runs ended.
func (c *comparison) end() {
	if !c.compares(End, "") {
		return
	}
	a, b := &c.a.t.End, &c.b.t.End
	d := differences{c: c}
	d.text(End, "reason", a.Reason.String(), b.Reason.String())
	blocked := func(t *trace.Trace) string {
		var list []string
		for _, n := range t.End.Blocked {
			if e := t.Event(n); e != nil {
				if call, ok := e.Detail.(*trace.Call); ok {
					list = append(list, call.Program+" "+call.Name)
				}
			}
		}
		return strings.Join(list, ", ")
	}
	d.text(End, "blocked", blocked(c.a.t), blocked(c.b.t))
	if len(d.list) > 0 {
		f := found{lane: laneKey{kind: ^laneKind(0)}}
		f.Differences = d.list
		f.A, f.B = Place{At: a.At}, Place{At: b.At}
		c.found = append(c.found, f)
	}
}

// tell makes the result of what was found.
func (c *comparison) tell() {
	if len(c.found) == 0 {
		return
	}
	c.merge()
	groups := map[groupKey]int{}
	for i := range c.found {
		f := &c.found[i]
		seen := map[groupKey]bool{}
		for k := range f.Differences {
			d := c.told(f, k, i > 0)
			if c.result.FirstBroken == nil && (d.Ruling.A == rfc9293.Breaks || d.Ruling.B == rfc9293.Breaks) {
				c.result.FirstBroken = &d
			}
			key := groupKey{f.Differences[k].Aspect, d.Ruling.Rule, f.State, d.Ruling.A, d.Ruling.B}
			switch {
			case i == 0 && k == 0:
				c.result.First = &d
			case i > 0 && !seen[key]:
				seen[key] = true
				c.count(groups, key, &d)
			}
		}
	}
}

// told is a divergence that has the difference of number k first, with the rule that is about that.
func (c *comparison) told(f *found, k int, later bool) Divergence {
	d := f.Divergence
	if k > 0 {
		d.Differences = slices.Concat(f.Differences[k:k+1], f.Differences[:k], f.Differences[k+1:])
	}
	d.Ruling = c.judge.ruling(f, &f.Differences[k])
	d.Consequence = later && f.Differences[k].Aspect == Fates && (c.counted(c.a, f.a) || c.counted(c.b, f.b))
	return d
}

// count puts a divergence into its group.
func (c *comparison) count(groups map[groupKey]int, key groupKey, d *Divergence) {
	at, ok := groups[key]
	if !ok {
		at = len(c.result.Rest)
		groups[key] = at
		c.result.Rest = append(c.result.Rest, Group{Aspect: key.aspect, Rule: key.rule, State: key.state, First: d})
	}
	g := &c.result.Rest[at]
	g.N++
	if d.Consequence {
		g.Consequences++
	}
}

type groupKey struct {
	aspect Aspect
	rule   string
	state  trace.State
	a, b   rfc9293.Keeping
}

// counted reports whether a rule that counts or draws packets decided what became of one.
func (c *comparison) counted(s *side, m *move) bool {
	if m == nil {
		return false
	}
	return slices.ContainsFunc(s.fatesOf(m.event.N), func(f *trace.Fate) bool { return strings.ContainsAny(f.Rule, "#%") })
}
