package diff

import (
	"slices"

	"connectlab/trace"
)

// A pair is a place in a lane: of the moves of a and of b that stand there, -1 where there is none.
type pair struct{ a, b int }

// bound is how many steps away from each other two lanes may be before an alignment goes on from the farthest place that it has come to. It
// keeps the work for two lanes that have nothing in common in proportion to their length.
const bound = 256

// align pairs the moves of two lanes: first those of the same key, by the shortest edit script (E. Myers, "An O(ND) Difference Algorithm
// and Its Variations", 1986), then what stands between them, if it was made because of the same. cut: the bound was hit.
func (c *comparison) align(a, b *lane) (pairs []pair, cut bool) {
	var x, y []move
	if a != nil {
		x = a.moves
	}
	if b != nil {
		y = b.moves
	}
	// What is shortest may not be one alone. Which is found must not depend on which trace comes first.
	keyed := func(m, n move) int {
		switch {
		case m.key < n.key:
			return -1
		case m.key > n.key:
			return 1
		}
		return 0
	}
	swapped := slices.CompareFunc(x, y, keyed) > 0
	if swapped {
		x, y = y, x
	}
	matches, cut := match(x, y)
	i, j := 0, 0
	for _, m := range append(matches, pair{len(x), len(y)}) {
		pairs = c.between(pairs, x, y, pair{i, j}, m, swapped)
		if m.a < len(x) {
			pairs = append(pairs, m)
		}
		i, j = m.a+1, m.b+1
	}
	if swapped {
		for k := range pairs {
			pairs[k].a, pairs[k].b = pairs[k].b, pairs[k].a
		}
	}
	return pairs, cut
}

// between pairs what stands between two matches.
func (c *comparison) between(pairs []pair, x, y []move, from, to pair, swapped bool) []pair {
	const far = 16 // how far ahead a counterpart is looked for
	j := from.b
	for i := from.a; i < to.a; i++ {
		found := -1
		for k := j; k < min(to.b, j+far); k++ {
			if c.alike(&x[i], &y[k], swapped) {
				found = k
				break
			}
		}
		if found < 0 && to.a-from.a == to.b-from.b && i-from.a+from.b >= j && c.kin(&x[i], &y[i-from.a+from.b]) {
			found = i - from.a + from.b
		}
		if found < 0 {
			pairs = append(pairs, pair{i, -1})
			continue
		}
		for ; j < found; j++ {
			pairs = append(pairs, pair{-1, j})
		}
		pairs = append(pairs, pair{i, found})
		j = found + 1
	}
	for ; j < to.b; j++ {
		pairs = append(pairs, pair{-1, j})
	}
	return pairs
}

// alike reports whether moves with different keys stand in each other's place: the same has brought them, or it is the same data, or a
// SYN, a FIN or a RST, with something changed.
func (c *comparison) alike(m, n *move, swapped bool) bool {
	s, u := c.a, c.b
	if swapped {
		s, u = u, s
	}
	from, to := s.stimulus(m.root), u.stimulus(n.root)
	if from.kind == to.kind && (from.kind == 'a' || from.kind == 'c') && from == to && class(m) == class(n) {
		return true
	}
	if m.packet != nil && n.packet != nil {
		p, q := m.packet.p, n.packet.p
		if p.Kind != trace.PacketTCP || q.Kind != trace.PacketTCP {
			return p.Kind == q.Kind
		}
		if p.TCP.Flags&(trace.SYN|trace.FIN|trace.RST) != q.TCP.Flags&(trace.SYN|trace.FIN|trace.RST) {
			return false
		}
		return p.TCP.DataLen > 0 && q.TCP.DataLen > 0 && m.packet.seq == n.packet.seq || p.TCP.Flags&(trace.SYN|trace.FIN|trace.RST) != 0
	}
	return false
}

// class is what a move is: of two classes no move stands in the place of another.
func class(m *move) byte {
	switch m.event.Detail.(type) {
	case *trace.Call:
		return 'c'
	case *trace.Return:
		return 'r'
	case *trace.StateChange:
		return 's'
	case *trace.Sent:
		return 'p'
	case *trace.Control:
		return 'i'
	case *trace.Arrived, *trace.Fate, *trace.Timer, *trace.HostChange, *trace.Note:
	}
	return 'w'
}

// kin reports whether moves with different keys, between which as many stand on both sides, are one and the same changed.
func (c *comparison) kin(m, n *move) bool {
	if class(m) != class(n) {
		return false
	}
	if class(m) != 'p' && class(m) != 's' {
		return true
	}
	return rootKind(m.root) == rootKind(n.root) && rootKind(m.root) != 'a'
}

func rootKind(root *trace.Event) byte {
	if root == nil {
		return 0
	}
	switch root.Detail.(type) {
	case *trace.Arrived:
		return 'a'
	case *trace.Call:
		return 'c'
	case *trace.Timer:
		return 't'
	case *trace.HostChange, *trace.Note:
		return 'h'
	case *trace.Return, *trace.Sent, *trace.Fate, *trace.StateChange, *trace.Control:
	}
	return 0
}

// match finds moves of the same key, in order in both.
func match(x, y []move) (matches []pair, cut bool) {
	i, j := 0, 0
	for i < len(x) && j < len(y) && x[i].key == y[j].key {
		matches = append(matches, pair{i, j})
		i, j = i+1, j+1
	}
	tail := 0
	for tail < len(x)-i && tail < len(y)-j && x[len(x)-1-tail].key == y[len(y)-1-tail].key {
		tail++
	}
	for i < len(x)-tail && j < len(y)-tail {
		part, whole := myers(x[i:len(x)-tail], y[j:len(y)-tail])
		for _, m := range part.matches {
			matches = append(matches, pair{i + m.a, j + m.b})
		}
		i, j = i+part.to.a, j+part.to.b
		if whole {
			break
		}
		cut = true
	}
	for k := tail; k > 0; k-- {
		matches = append(matches, pair{len(x) - k, len(y) - k})
	}
	return matches, cut
}

// A part of an alignment goes up to a place in both.
type part struct {
	matches []pair
	to      pair
}

// myers finds the shortest edit script, or where it would be longer than bound, that of as much as can be come through with so many
// steps. whole: all.
func myers(x, y []move) (p part, whole bool) {
	limit := min(bound, len(x)+len(y))
	far := make([]int, 2*limit+2) // by diagonal, how far in x
	var history [][]int
	at := func(d, k int) int {
		if k == -d || k != d && far[limit+k-1] < far[limit+k+1] {
			return far[limit+k+1]
		}
		return far[limit+k-1] + 1
	}
	best, bestK, bestD := -1, 0, 0
	for d := 0; d <= limit; d++ {
		history = append(history, slices.Clone(far[limit-min(d, limit):limit+min(d, limit)+1]))
		for k := -d; k <= d; k += 2 {
			i := 0
			if d > 0 {
				i = at(d, k)
			}
			j := i - k
			if i > len(x) || j > len(y) || j < 0 {
				far[limit+k] = i // off the edge: nothing goes on from there that is any good
				continue
			}
			for i < len(x) && j < len(y) && x[i].key == y[j].key {
				i, j = i+1, j+1
			}
			far[limit+k] = i
			if i+j > best {
				best, bestK, bestD = i+j, k, d
			}
			if i == len(x) && j == len(y) {
				return back(history, d, k, i), true
			}
		}
	}
	return back(history, bestD, bestK, (best+bestK)/2), false
}

// back goes back along an edit script from a place on diagonal k that took d steps.
func back(history [][]int, d, k, i int) part {
	p := part{to: pair{i, i - k}}
	for ; d > 0; d-- {
		before := history[d] // as it was when d-1 steps had been made: diagonals -d … d
		value := func(k int) int {
			if k < -d || k > d {
				return -1
			}
			return before[d+k]
		}
		from, start := k-1, 0
		if k == -d || k != d && value(k-1) < value(k+1) {
			from, start = k+1, value(k+1)
		} else {
			start = value(k-1) + 1
		}
		for i > start {
			i--
			p.matches = append(p.matches, pair{i, i - k})
		}
		k = from
		i = value(from)
	}
	for i > 0 {
		i--
		p.matches = append(p.matches, pair{i, i - k})
	}
	slices.Reverse(p.matches)
	return p
}
