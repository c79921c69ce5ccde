package netns

import (
	"time"

	"connectlab/trace"
)

// A Wall is a clock on the wall. The sandbox has none of its own, so that nothing in a run depends on one unseen: who
// wants real time, or a watch over goroutines, hands it in, as &Wall{Now: time.Now, After: time.After}.
type Wall struct {
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// elapsed is the wall time since the start of a run in real time.
func (s *Sandbox) elapsed() time.Duration { return s.cfg.Wall.Now().Sub(s.began) }

// date is what the sandbox's clock, or in real time the one on the wall, shows at virtual time 0.
func (s *Sandbox) date() time.Time {
	if s.cfg.RealTime {
		return s.began
	}
	return Start
}

// keepUp moves the clock of a run in real time to where the wall clock is, though not past anything that has still to
// happen: something is asked from outside now. When the run is over its clock stands, and no stack is asked any more.
func (s *Sandbox) keepUp() {
	if !s.cfg.RealTime || s.began.IsZero() || s.over || s.failure != nil {
		return
	}
	to := s.elapsed()
	if at, do := s.choose(); do != nil {
		to = min(to, at)
	}
	if to > s.now {
		s.now, s.instant = to, 0
	}
}

// pace waits in a run in real time until the wall clock has come to at. It reports false when anything may have changed
// meanwhile, and what to do next is to be chosen anew.
func (s *Sandbox) pace(at time.Duration) bool {
	left := at - s.elapsed()
	if left <= 0 {
		return true
	}
	if s.cfg.Progress != nil {
		s.cfg.Progress(at-left, s.steps)
		left = min(left, time.Second) // long waits are to be seen passing
	}
	ring := s.cfg.Wall.After(left)
	s.gate.Unlock()
	select {
	case <-ring:
	case <-s.asked:
	case <-s.stop:
	}
	s.gate.Lock()
	return false
}

// Stop ends the run after the present step, as Config.Until does at its time. Any goroutine may call it, at any time.
func (s *Sandbox) Stop() { s.stopOnce.Do(func() { close(s.stop) }) }

// stopped reports whether Stop was called, and ends the run then.
func (s *Sandbox) stopped() bool {
	select {
	case <-s.stop:
		s.keepUp()
		s.end = trace.End{At: min(s.now, s.until()), Reason: trace.Stopped} // behind that nothing has happened
		return true
	default:
		return false
	}
}
