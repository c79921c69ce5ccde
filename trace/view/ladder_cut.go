package view

import (
	"io"

	"connectlab/trace"
)

// LadderOf draws a ladder of the steps alone in which some events happened, and of those in which packets that they
// sent arrived; a line tells how much lies between. The only errors are w's.
func LadderOf(w io.Writer, t *trace.Trace, events []int, o Options) error {
	l := newLadder(w, t, &o)
	first := steps(t)
	shown := make(map[int]bool)
	for _, n := range events {
		if n < 1 || n > len(first) {
			continue
		}
		shown[first[n-1]] = true
		if f := l.flights[n]; f != nil && f.end <= len(first) {
			shown[first[f.end-1]] = true
		}
	}
	for _, f := range l.flights {
		// A packet gets no lane through what is not shown: where it arrives it is named again.
		f.crowd = f.crowd || f.end > len(first) || !shown[first[f.sent-1]] || !shown[first[f.end-1]]
	}
	l.head()
	hidden := 0
	leave := func() {
		if hidden > 0 {
			lo, hi := l.zone()
			text := "⋮ " + o.count("ladder.left-out", int64(hidden))
			l.c.put(lo+max(0, (hi-lo+1-width(text))/2), text, dim)
			l.bars()
			l.c.flush()
		}
		hidden = 0
	}
	eachStep(t, func(step []trace.Event) {
		if !shown[step[0].N] {
			hidden += len(step)
			l.follow(step)
			return
		}
		if hidden > 0 {
			leave()
			l.time(step[0].At)
		}
		l.step(step)
	})
	leave()
	l.legend.draw(l.c, &o)
	return l.c.end()
}
