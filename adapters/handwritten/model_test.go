package handwritten_test

import (
	"testing"
	"time"

	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/trace"

	"pgregory.net/rapid"
)

// drawn is a choice that rapid makes, and can make smaller.
func drawn(t *rapid.T) choose {
	return func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") }
}

// drawWorld is a world with any two stacks.
func drawWorld(tb failer, c choose, keep bool) *world {
	var factories [2]netns.Factory
	for i := range factories {
		f := &handwritten.Factory{HalfOpen: c(3)}
		if c(2) == 1 {
			f.WindowScale, f.Timestamps, f.SACKPermitted = c(2) == 1, c(2) == 1, c(2) == 1
		}
		factories[i] = f
	}
	w := newWorld(tb, factories, c(2) == 1, c(2) == 1, []int{1500, 1280, 1281, 65535}[c(4)], uint64(c(1<<16)), keep)
	w.buffer = []int{0, 1024, 1500, 3000, 3000, 3000, 6000, 6000}[c(8)]
	return w
}

// program is a property: whatever programs, link and time do, all that the stacks show is right, and when the link loses nothing any
// more the connections carry what was sent, close, and leave nothing behind.
func program(t *rapid.T) {
	c := drawn(t)
	w := drawWorld(t, c, true)
	all := make(map[string]func(*rapid.T))
	for _, a := range actions {
		do := func(t *rapid.T) { w.tb = t; a.do(w, drawn(t)) }
		for i := range a.much {
			all[a.name+string(rune('a'+i))] = do // rapid takes all with the same probability
		}
	}
	for range 4 { // some 30 actions each
		t.Repeat(all)
	}
	w.tb = t
	w.settle()
	w.finish()
}

// TestPrograms: see program.
func TestPrograms(t *testing.T) {
	for range 5 { // rapid has a hundred worlds each time, if no flag says otherwise
		rapid.Check(t, program)
	}
}

// The times until which, with a link that loses nothing, connections must have carried what was sent, and be gone.
const (
	settled  = 30 * time.Minute
	finished = 3 * time.Hour
)

// calm lets programs accept and read, the link carry all in order, and timers run, until something is so or a time is over.
//
// Where the link does not come to rest it takes its time: two ends that do not agree on their numbers, as forged segments may leave
// them, answer each other's ACKs until one gives up.
func (w *world) calm(limit time.Duration, done func() bool) bool {
	for until := w.now + limit; ; {
		for round := 0; len(w.hosts[0].wire)+len(w.hosts[1].wire) > 0 && w.now < until; round++ {
			if round > 200 {
				w.pass(20 * time.Millisecond)
			}
			for _, h := range w.hosts {
				if len(h.wire) > 0 {
					h.deliver(0)
				}
			}
			w.service()
		}
		w.service()
		if done() {
			return true
		}
		if !w.timer(until) {
			w.advance(until)
			return done()
		}
	}
}

// service is what programs do that wait for connections and data.
func (w *world) service() {
	for _, h := range w.hosts {
		for _, e := range h.ends {
			if !e.held {
				continue
			}
			for e.state == trace.Listen && len(e.waiting) > 0 {
				e.accept()
			}
			e.receiveAll()
		}
	}
}

// settle lets nothing be lost any more. What was sent must arrive on each connection that both programs hold and that nothing has
// ended; and nothing ends one any more, when there was time enough for each segment to be sent again.
func (w *world) settle() {
	done := func() bool { return w.missing() == nil }
	if w.calm(2*maxRTO, done) {
		return
	}
	var stand []*end
	for _, h := range w.hosts {
		for _, e := range h.ends {
			if e.stands() && !e.impatient && !e.partner().impatient {
				stand = append(stand, e)
			}
		}
	}
	if !w.calm(settled, done) {
		w.fatalf("stuck: %v has not got what %v has sent", w.missing(), w.missing().partner())
	}
	for _, e := range stand {
		if e.failed {
			w.fatalf("%v was given up, and the link had lost nothing for long; its peer: %v", e, e.partner())
		}
	}
}

// maxRTO is the longest time after which a segment is sent again.
const maxRTO = time.Minute

// stands tells whether both programs hold the connection, and neither end has ended it.
func (e *end) stands() bool {
	p := e.partner()
	return e.held && e.agree(p) && p.held && !e.ended && !p.ended
}

// missing is a connection that has not received all; nil: there is none.
func (w *world) missing() *end {
	for _, h := range w.hosts {
		for _, e := range h.ends {
			if p := e.partner(); e.stands() && (e.received < p.sent || p.noSend && !e.noRead && !e.eof) {
				return e
			}
		}
	}
	return nil
}

// finish has all programs close. Both stacks come to rest, and have nothing left.
func (w *world) finish() {
	for _, h := range w.hosts {
		for _, e := range h.ends {
			if e.held && e.opened {
				e.shutdown(netns.ShutWrite)
			}
		}
	}
	w.settle()
	w.closeAll()
	w.gone(func(e *end) bool {
		// There is no timer of FIN-WAIT-2 (RFC 9293 has none): it waits for a peer that has given up.
		p := e.partner()
		return e.state == trace.FinWait2 && (p == nil || p.ended)
	})
}

// closeAll has all programs close all their sockets.
func (w *world) closeAll() {
	for _, h := range w.hosts {
		for _, e := range h.ends {
			if e.held {
				e.close(false)
			}
		}
	}
}

// gone lets all end, but for connections of which left is true.
func (w *world) gone(left func(*end) bool) {
	var stays *end
	done := w.calm(finished, func() bool {
		stays = nil
		for _, h := range w.hosts {
			for _, e := range h.ends {
				if !e.gone && (stays == nil || !left(e)) {
					stays = e
				}
			}
		}
		return stays == nil
	})
	if !done && !left(stays) {
		w.fatalf("after all programs have closed there is still %v; its peer: %v", stays, stays.partner())
	}
	for _, h := range w.hosts {
		if held := handwritten.HeldBy(h.stack); done && held != (handwritten.Held{}) {
			w.fatalf("all sockets of host %d are gone, and its stack has %+v", h.index, held)
		}
	}
}
