package netns

import (
	"fmt"
	"math"
	"time"

	"connectlab/trace"
)

// progressSteps is how often Config.Progress is called.
const progressSteps = 4096

// loop makes one step after the other: the earliest of what the link, the stacks' timers and the agenda have. At one
// instant deliveries come first, in the order of sending; then timers, the client's before the server's, each
// stack's in the order of arming; then deadlines of calls; then program lines in the order of the file. What to do next is
// decided anew after each step. In real time it is done when the wall clock says so, and that is all the difference.
func (s *Sandbox) loop() {
	for {
		if s.cfg.RealTime {
			s.gate.Unlock() // a run that lags behind the clock lets others in, too
			s.gate.Lock()
		}
		if s.failure != nil || s.stopped() {
			return
		}
		at, do := s.choose()
		if s.cfg.RealTime && do != nil && !s.pace(min(at, s.until())) {
			continue
		}
		if do == nil {
			s.finish(trace.Finished)
			for _, h := range s.hosts {
				if len(h.blocked) > 0 {
					s.finish(trace.Idle)
				}
			}
			return
		}
		if at > s.until() {
			s.finish(trace.UntilReached)
			s.end.At = s.until()
			return
		}
		if at > s.now {
			s.now, s.instant, s.timers = at, 0, [2]int{}
		}
		if s.instant++; s.instant > MaxStepsPerInstant {
			s.finish(trace.TooManySteps)
			s.failure = s.stuck()
			return
		}
		s.steps++
		if s.rec != nil {
			s.rec.Begin()
		}
		s.packets, s.carried = [2]int{}, [2]int{}
		do(s)
		s.closeStep()
		if s.cfg.Progress != nil && s.steps%progressSteps == 0 {
			s.cfg.Progress(s.now, s.steps)
		}
	}
}

// choose finds the next step.
func (s *Sandbox) choose() (at time.Duration, do func(*Sandbox)) {
	if t, ok := s.link.next(); ok {
		at, do = t, (*Sandbox).deliver
	}
	if t, ok := s.hosts[0].stack.Deadline(); ok && (do == nil || t < at) {
		at, do = t, (*Sandbox).expireClient
	}
	if t, ok := s.hosts[1].stack.Deadline(); ok && (do == nil || t < at) {
		at, do = t, (*Sandbox).expireServer
	}
	for _, p := range s.limited {
		if t := max(p.limit.at, s.now); do == nil || t < at {
			at, do = t, (*Sandbox).runOut
		}
	}
	if t, ok := s.agenda.next(); ok && (do == nil || t < at) {
		at, do = t, (*Sandbox).line
	}
	if do == nil && s.cfg.RealTime && s.live > 0 {
		at, do = math.MaxInt64, (*Sandbox).nothing
	}
	return at, do
}

// nothing is what a run in real time has to do while only goroutines of Host.Go go on, which may ask for something at any time.
// It is behind every end of a run.
func (s *Sandbox) nothing() {}

// until is when the run is cut off. Without Config.Until no program line up to MaxTime is ever cut off.
func (s *Sandbox) until() time.Duration {
	if s.cfg.Until > 0 {
		return s.cfg.Until
	}
	if _, ok := s.agenda.next(); ok || len(s.limited) > 0 || s.cfg.RealTime && s.live > 0 {
		return MaxTime
	}
	return min(s.lastLine+DefaultRest, MaxTime)
}

// later is the time d after at, or the last that there is: no run gets there.
func later(at, d time.Duration) time.Duration {
	if d > math.MaxInt64-at {
		return math.MaxInt64
	}
	return at + d
}

func (s *Sandbox) finish(r trace.EndReason) { s.end = trace.End{At: s.lastEvent, Reason: r} }

// stuck says what a run that does not leave an instant is busy with.
func (s *Sandbox) stuck() error {
	for i, h := range s.hosts {
		if s.timers[i] > MaxStepsPerInstant/2 {
			return &OpError{Op: "Expire", Host: h.name, Err: fmt.Errorf(
				"the stack %s has run %d timers at %v and no end of them: Expire has to run the timer that Deadline tells, and take it away or arm it for later",
				h.factory.Info().Name, s.timers[i], s.now)}
		}
	}
	cause := "a program that makes call after call without waiting can do that"
	if s.cfg.Delay == 0 {
		cause = "a link without delay can do that"
	}
	return &OpError{Op: "run", Err: fmt.Errorf("%d steps at %v and no end of them; the last event of the client is %d, of the server %d; %s",
		MaxStepsPerInstant, s.now, s.hosts[0].last, s.hosts[1].last, cause)}
}

// closeStep ends a step: what it recorded becomes part of the record, sockets that are gone are forgotten.
func (s *Sandbox) closeStep() {
	for _, k := range s.gone {
		for _, h := range s.hosts {
			if h.sockets[k.sock] == k {
				h.forget(k)
			}
		}
	}
	s.gone = s.gone[:0]
	if s.rec != nil {
		if s.rec.Step() > 0 {
			s.lastEvent = s.now
		}
		s.rec.Commit()
		if err := s.rec.Err(); err != nil {
			s.failure = &OpError{Op: "write the record", Err: err}
		}
	} else {
		s.lastEvent = s.now
	}
	s.link.recycle()
}

// deliver hands the packet that arrives first to its host.
func (s *Sandbox) deliver() {
	f := s.link.pop()
	h := f.to
	cause := 0
	if s.rec != nil {
		number := 0
		if f.packet.Kind == trace.PacketTCP {
			if k := h.holder(tuple{f.packet.Destination(), f.packet.Source()}); k != nil {
				number = k.number
			}
		}
		// The record has the arrival before the stack sees the packet: a stack that dies of it leaves it as its last word.
		cause = s.rec.Arrived(s.now, h.name, number, f.sent, f.kept)
		s.rec.Flush()
		s.lastEvent = s.now
	}
	h.stack.Advance(s.now)
	h.stack.Deliver(f.octets)
	s.attr = attribution{packet: &f.packet}
	s.after(h, cause)
	s.link.put(f)
}

func (s *Sandbox) expireClient() { s.expire(s.hosts[0]) }
func (s *Sandbox) expireServer() { s.expire(s.hosts[1]) }

// expire runs the timer of a host that is due. If nothing comes of it that can be seen, it is no event.
func (s *Sandbox) expire(h *host) {
	s.timers[h.index]++
	h.stack.Advance(s.now)
	e := h.stack.Expire()
	cause := 0
	if s.rec != nil {
		number := 0
		if e.Socket != nil && !h.gone(e.Socket) {
			number = h.find(e.Socket).number
		}
		cause = s.rec.Timer(s.now, h.name, number, e.Name)
	}
	s.attr = attribution{}
	last := h.last
	s.after(h, cause)
	if s.rec != nil && s.rec.Step() == 1 {
		s.rec.Undo()
		h.last = last
	}
}

// line does what the agenda has next.
func (s *Sandbox) line() {
	e := s.agenda.pop()
	s.lastLine = s.now
	if e.do != nil {
		e.do()
		return
	}
	s.makeCall(e.proc)
}

// after follows up a stimulus of a host: let the stack settle, look at the sockets that were touched, take the packets
// that it sent, and try the calls again that are blocked on those sockets. cause is the root of the step.
func (s *Sandbox) after(h *host, cause int) {
	touched := s.look(h, cause)
	s.collect(h, touched, cause, false)
	s.wake(h, cause)
	if s.rec != nil {
		h.last = s.rec.N()
	}
}

// touched settles the stack and returns the sockets that the last stimulus may have changed.
func (s *Sandbox) touched(h *host) []*socket {
	h.stack.Settle()
	s.looks++
	if h.inspector == nil {
		for _, k := range h.live {
			k.mark = s.looks
		}
		return h.live
	}
	h.touched = h.touched[:0]
	for _, sock := range h.inspector.Touched() {
		k := h.sockets[sock]
		if k == nil {
			if h.gone(sock) {
				continue
			}
			k = h.find(sock)
		}
		k.mark = s.looks
		h.touched = append(h.touched, k)
	}
	return h.touched
}

// look records how the touched sockets have changed.
func (s *Sandbox) look(h *host, cause int) []*socket {
	touched := s.touched(h)
	for _, k := range touched {
		if k.reporter == nil {
			h.place(k)
			continue
		}
		st := k.reporter.Status()
		if st.Listener != nil && k.listener == nil && !k.seen {
			h.cameTo(h.find(st.Listener), k)
		}
		if k.listener != nil && !k.accepted {
			k.listener.mark = s.looks // an accept may go on
		}
		if !k.seen || st.State != k.state || st.Word != k.word {
			if s.rec != nil {
				c := trace.StateChange{From: k.state, To: st.State, Word: st.Word, Source: st.Source}
				if k.listener != nil {
					c.Listener = k.listener.number
				}
				s.rec.State(s.now, h.name, k.number, cause, c)
			}
			k.seen, k.state, k.word, k.moved = true, st.State, st.Word, s.looks
			h.setListens(k, st.State == trace.Listen)
		}
		if s.rec != nil {
			h.place(k) // only the record asks for it
		}
		if s.cfg.Record == RecordAll {
			s.control(h, k, cause)
		}
		if st.Gone && !k.gone {
			k.gone = true
			s.gone = append(s.gone, k)
		}
	}
	return touched
}

// control records how a socket's control information has changed.
func (s *Sandbox) control(h *host, k *socket, cause int) {
	if k.info == nil {
		k.info = &trace.ControlInfo{}
	}
	s.info.Reset()
	k.reporter.Report(&s.info)
	s.attr.before, s.attr.now = k.info, &s.info
	if s.rec.Control(s.now, h.name, k.number, cause, k.info, &s.info, s.by) != 0 {
		*k.info = s.info
	}
}

// collect takes the packets that a host has sent and hands them to the link. If the host is gone they are lost. A stack that has
// packets without end ends the run; what it sent until then is in the record.
func (s *Sandbox) collect(h *host, touched []*socket, cause int, gone bool) {
	for {
		f := s.link.get()
		octets, lost, ok := h.stack.Take(f.octets[:0])
		f.octets = octets
		if !ok {
			s.link.put(f)
			return
		}
		if s.packets[h.index] == MaxPacketsPerStep || s.carried[h.index] > MaxOctetsPerStep {
			s.link.put(f)
			s.failure = &OpError{Op: "Take", Host: h.name, Err: fmt.Errorf(
				"the stack %s has sent %d packets in one step, at %v, and no end of them: Take has to answer ok = false when there is no more",
				h.factory.Info().Name, s.packets[h.index], s.now)}
			return
		}
		s.packets[h.index]++
		s.carried[h.index] += len(octets)
		s.read(f)
		number := 0
		if s.rec != nil {
			number = s.sender(h, touched, f)
			f.sent = s.rec.Sent(s.now, h.name, number, cause, f.kept)
		}
		switch {
		case gone, lost:
			if s.rec != nil {
				kind := trace.QueueFull
				if gone {
					kind = trace.HostGone
				}
				s.rec.Fate(s.now, h.name, number, f.sent, trace.Fate{Kind: kind})
			}
			s.link.put(f)
		default:
			s.link.send(h, f, number)
		}
	}
}

// sender is the number of the socket that a packet came from: the newest touched one with its addresses, unless it was
// in CLOSED before, else the connection or the listener that has them; 0: none, as for the RST of a port that nobody
// listens on.
func (s *Sandbox) sender(h *host, touched []*socket, f *flight) int {
	if f.packet.Kind != trace.PacketTCP {
		return 0
	}
	t := tuple{f.packet.Source(), f.packet.Destination()}
	for i := len(touched) - 1; i >= 0; i-- {
		if k := touched[i]; k.at == t && (k.state != trace.Closed || k.moved == s.looks) {
			return k.number
		}
	}
	if k := h.holder(t); k != nil {
		return k.number
	}
	return 0
}

// wake tries the blocked calls again whose sockets were touched, in the order in which they blocked; what that touches
// may wake others.
func (s *Sandbox) wake(h *host, cause int) {
	for again := true; again && s.failure == nil; {
		again = false
		for _, p := range h.blocked {
			if p.socket.mark <= p.tried || p.socket.mark == 0 {
				continue
			}
			p.tried = s.looks
			progress, done := s.attempt(p)
			if !progress && !done {
				continue
			}
			if p.reach {
				s.attr = attribution{call: &p.call}
				touched := s.look(h, cause)
				s.collect(h, touched, cause, false)
			}
			if done {
				s.unblock(p)
				s.comeBack(p, cause)
			}
			again = true // the list has changed, or others may go on
			break
		}
	}
}
