package netns

import "time"

// An entry is something that the agenda has for a time: a program's next call, or a function.
type entry struct {
	at    time.Duration
	line  int
	rank  int // of the program, in the order in which they were given
	order uint64
	proc  *process
	do    func()
}

// agenda holds what programs, observers and the world have still to do: by time, at one instant by line, for one line
// (as without lines) by program, and then in the order in which the entries came.
type agenda struct {
	heap  []entry
	order uint64
}

func (a *agenda) less(i, j int) bool {
	x, y := &a.heap[i], &a.heap[j]
	if x.at != y.at {
		return x.at < y.at
	}
	if x.line != y.line {
		return x.line < y.line
	}
	if x.rank != y.rank {
		return x.rank < y.rank
	}
	return x.order < y.order
}

func (a *agenda) push(e entry) {
	a.order++
	e.order = a.order
	a.heap = append(a.heap, e)
	for i := len(a.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !a.less(i, up) {
			return
		}
		a.heap[i], a.heap[up] = a.heap[up], a.heap[i]
		i = up
	}
}

func (a *agenda) pop() entry {
	e := a.heap[0]
	last := len(a.heap) - 1
	a.heap[0] = a.heap[last]
	a.heap[last] = entry{}
	a.heap = a.heap[:last]
	for i := 0; ; {
		down := 2*i + 1
		if down >= last {
			return e
		}
		if down+1 < last && a.less(down+1, down) {
			down++
		}
		if !a.less(down, i) {
			return e
		}
		a.heap[i], a.heap[down] = a.heap[down], a.heap[i]
		i = down
	}
}

// next is the time of the first entry.
func (a *agenda) next() (time.Duration, bool) {
	if len(a.heap) == 0 {
		return 0, false
	}
	return a.heap[0].at, true
}
