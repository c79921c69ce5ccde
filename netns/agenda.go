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
	heap  heap[entry]
	order uint64
}

func (e entry) before(f entry) bool {
	if e.at != f.at {
		return e.at < f.at
	}
	if e.line != f.line {
		return e.line < f.line
	}
	if e.rank != f.rank {
		return e.rank < f.rank
	}
	return e.order < f.order
}

func (a *agenda) push(e entry) {
	a.order++
	e.order = a.order
	a.heap.push(e)
}

func (a *agenda) pop() entry { return a.heap.pop() }

// next is the time of the first entry.
func (a *agenda) next() (time.Duration, bool) {
	e, ok := a.heap.first()
	return e.at, ok
}
