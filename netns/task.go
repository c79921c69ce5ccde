package netns

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Patience is how long in wall time a goroutine of Host.Go may keep control in virtual time, and may go on after the end
// of the run. What others have deferred runs beside one that does not come back.
const Patience = 5 * time.Second

// A Host is one of the two hosts as Go code sees it that runs there: it dials, listens, sleeps, and starts goroutines.
//
// In virtual time such code runs in goroutines that Go has started, one at a time: each keeps control until it blocks in
// a call of the sandbox (of a Conn, a Listener or a Host) or ends, and nothing else happens meanwhile, so that they may
// share variables without a lock. A goroutine may use its own host alone, and may block nowhere else: not on a
// channel, not in time.Sleep. One that does so for longer than Patience ends the run with its stack, if there is a
// Config.Wall to tell. A call from a goroutine that the go statement has started, as those of net/http, panics.
//
// In real time (Config.RealTime) calls may come from any goroutine, which may block where it likes. The run goes on as
// long as a goroutine of Go does, or something is pending, or until Stop.
//
// Each call is in the record as that of a Program: a Write is one sendall(), a Read one recv(), a Dial a socket() and a
// connect(). The program's name is the host's, ".go" and a number: in virtual time the lowest that no goroutine of Go
// has, in real time the lowest that has no call under way. Sleep, Wait and setting a deadline are no calls.
type Host struct {
	s *Sandbox
	h *host
}

// Host returns a host by its name. There must be one.
func (s *Sandbox) Host(name string) *Host {
	h, err := s.host(name)
	if err != nil {
		panic("netns: " + err.Error())
	}
	return &Host{s, h}
}

// A PanicError is what Run panics with when a goroutine of Host.Go has panicked, whatever else went wrong; of several it is the
// first. The run is over then, and the sandbox closed. One that outlives the run and panics ends the process, as any goroutine.
type PanicError struct {
	Host  string
	Value any    // that it panicked with
	Stack string // of the goroutine
}

// Error tells the value, and the stack where it was.
func (p *PanicError) Error() string {
	return fmt.Sprintf("netns: a goroutine of the %s panicked: %v\n\n%s", p.Host, p.Value, p.Stack)
}

// A task is a goroutine of Host.Go.
type task struct {
	s      *Sandbox
	host   *host
	f      func()
	parent *task
	id     string        // of the goroutine, as its stack shows it
	lane   *lane         // in virtual time: its calls. In real time it is not known who calls
	back   chan struct{} // it has blocked again, in virtual time, or has ended
	late   bool          // it was abandoned

	children int     // that have not ended
	joins    []*lane // its calls of Wait
}

// Go starts a goroutine on the host, at this instant of the run, at whose beginning if that was not run yet. In virtual
// time it has its place among programs as if it had been given with Program now. Go may be called before Run, within
// At, and by goroutines of either host; when the run is over it does nothing.
//
// A goroutine that is blocked at the end of the run ends there in virtual time, as by runtime.Goexit: what it has
// deferred runs, in which calls of the sandbox answer net.ErrClosed. In real time its call does so, and it has to end
// by itself.
func (h *Host) Go(f func()) {
	s := h.s
	if mine := s.enter(); !mine {
		defer s.leave()
	}
	if s.over {
		return
	}
	t := &task{s: s, host: h.h, f: f, parent: s.caller(), back: make(chan struct{}, 1)}
	start := entry{at: s.now, do: t.start}
	if !s.cfg.RealTime {
		t.lane = s.lane(h.h)
		t.lane.task = t
		s.programs++
		t.lane.proc.rank, start.rank = s.programs, s.programs
	}
	t.parent.children++
	s.live++
	s.agenda.push(start)
}

// Wait blocks until the goroutines have ended that the caller has started with Go, on either host. In real time callers
// that are no goroutines of Go count as one.
func (h *Host) Wait() {
	s := h.s
	l := s.knock(h.h)
	if l == nil {
		return
	}
	t := s.caller()
	if t.children == 0 {
		s.turnAway(l)
		return
	}
	t.joins = append(t.joins, l)
	s.park(l)
}

// Sleep blocks for a time of the sandbox's clock. The record does not tell of it.
func (h *Host) Sleep(d time.Duration) {
	if d <= 0 {
		return
	}
	s := h.s
	if l := s.knock(h.h); l != nil {
		s.agenda.push(entry{at: later(s.now, d), rank: l.proc.rank, do: l.wake})
		s.park(l)
	}
}

// Now is the date on the sandbox's clock, which deadlines are compared with: in virtual time Start and what has passed
// since, in real time the wall clock's.
func (h *Host) Now() time.Time {
	if h.s.cfg.RealTime {
		return h.s.cfg.Wall.Now()
	}
	return Start.Add(h.s.now)
}

// start begins a task, as a step of the driver.
func (t *task) start() {
	id := make(chan string)
	go t.run(id)
	t.id = <-id
	t.s.running = append(t.s.running, t)
	if t.lane != nil {
		t.s.turn(t)
	}
}

// run is the goroutine of a task.
func (t *task) run(id chan<- string) {
	id <- goroutineID()
	s := t.s
	defer func() {
		s.gate.Lock()
		if s.driver.Load() == nil {
			s.gate.Unlock()
			return // Run has returned: it was told of this one, and a panic is the process's
		}
		if v := recover(); v != nil {
			if _, ok := errors.AsType[*PanicError](s.failure); !ok { // whatever else ended the run, that may be why
				s.failure = &PanicError{Host: t.host.name, Value: v, Stack: stack(false)}
			}
		}
		s.keepUp()
		i := slices.Index(s.running, t)
		s.running = slices.Delete(s.running, i, i+1)
		s.live--
		if t.lane != nil {
			t.lane.task = nil
			s.release(t.lane)
		}
		p := t.parent
		if p.children--; p.children == 0 {
			for _, l := range p.joins {
				s.agenda.push(entry{at: s.now, rank: l.proc.rank, do: l.wake})
			}
			p.joins = nil
		}
		s.leave()
		t.back <- struct{}{}
	}()
	t.f()
}

// caller is the task whose goroutine calls; one that stands for all others if it is none's.
func (s *Sandbox) caller() *task {
	if !s.cfg.RealTime {
		if s.current != nil {
			return s.current
		}
		return &s.others
	}
	id := goroutineID()
	for _, t := range s.running {
		if t.id == id {
			return t
		}
	}
	return &s.others
}

// enter lets a goroutine in from outside: the driver does nothing until leave. mine says that it is the driver's own, in
// the middle of a step, which is inside already. In virtual time nobody may come in but who has control: that goes on beside
// another would make the run a race.
func (s *Sandbox) enter() (mine bool) {
	if !s.gate.TryLock() {
		if id := s.driver.Load(); id != nil && *id == goroutineID() {
			return true
		}
		s.gate.Lock()
	}
	fine := false
	defer func() {
		if !fine {
			s.gate.Unlock()
		}
	}()
	s.keepUp()
	if s.current != nil && !s.over && !ofGo() {
		panic("netns: a call from a goroutine that Host.Go has not started, while another has control: in virtual time none can make it")
	}
	fine = true
	return false
}

// leave lets the driver go on, which looks what there is to do.
func (s *Sandbox) leave() {
	s.gate.Unlock()
	if s.cfg.RealTime {
		select {
		case s.asked <- struct{}{}:
		default: // it has not yet looked since the last time
		}
	}
}

// knock is enter for a call that may block: it returns the lane for it, or nil when the run is over.
func (s *Sandbox) knock(h *host) *lane {
	if mine := s.enter(); mine {
		panic("netns: a call that blocks, within At or a Program: only a goroutine can make it")
	}
	var t *task
	switch {
	case s.over:
		s.gate.Unlock()
		return nil
	case s.cfg.RealTime:
		return s.lane(h)
	case s.current == nil:
		s.gate.Unlock()
		panic("netns: a call from a goroutine that Host.Go has not started, or before its turn: in virtual time none can make it")
	}
	t = s.current
	if t.host != h {
		s.gate.Unlock()
		panic(fmt.Sprintf("netns: a goroutine of the %s makes a call on the %s", t.host.name, h.name))
	}
	return t.lane
}

// turnAway takes a knock back: there is nothing to wait for.
func (s *Sandbox) turnAway(l *lane) {
	if l.task == nil {
		s.release(l)
	}
	s.leave()
}

// A lane is a Program whose calls come from goroutines: in virtual time from one task after the other, in real time
// from whoever has a call to make, for as long as that takes.
type lane struct {
	s      *Sandbox
	number int // of the host's
	proc   *process
	task   *task
	begin  func() // makes the call, as a step of the driver
	wake   func() // ends a wait, as a step of the driver

	f      *handle // what the call is made on
	buf    []byte  // for what it receives
	parked bool    // a goroutine waits for reply
	reply  chan answer
}

// lane returns one that is free.
func (s *Sandbox) lane(h *host) *lane {
	if free := s.free[h.index]; len(free) > 0 {
		s.free[h.index] = free[1:]
		return free[0]
	}
	s.programs++
	h.lanes++
	l := &lane{s: s, number: h.lanes, reply: make(chan answer, 1)}
	l.proc = &process{host: h, name: fmt.Sprintf("%s.go%d", h.name, h.lanes), program: l, rank: s.programs}
	l.begin, l.wake = l.makeCall, func() { l.answer(answer{}) }
	s.lanes = append(s.lanes, l)
	return l
}

// release makes a lane free. That of the lowest number is used first.
func (s *Sandbox) release(l *lane) {
	free := &s.free[l.proc.host.index]
	i, _ := slices.BinarySearchFunc(*free, l, func(a, b *lane) int { return a.number - b.number })
	*free = slices.Insert(*free, i, l)
}

// park leaves, and waits for the answer to what the lane has asked.
func (s *Sandbox) park(l *lane) answer {
	l.parked = true
	t := l.task
	if t == nil {
		l.reply = make(chan answer, 1) // the lane may be another's before this one has read
	}
	reply := l.reply
	s.leave()
	if t != nil {
		t.back <- struct{}{}
	}
	a := <-reply
	if a.over && t != nil {
		runtime.Goexit()
	}
	return a
}

// answer lets the goroutine go on that waits in the lane.
func (l *lane) answer(a answer) {
	if l.s.failure != nil {
		return // the run is ending, and the goroutine with it
	}
	l.parked, l.f, l.buf, l.proc.call.Data = false, nil, nil, nil
	l.reply <- a
	if l.task != nil {
		l.s.turn(l.task)
		return
	}
	l.s.release(l)
}

// turn gives a task control, in virtual time, until it has blocked again or has ended.
func (s *Sandbox) turn(t *task) {
	s.current = t
	if !s.await(t, s.patience()) {
		s.abandon(t)
	}
	s.current = nil
}

// patience is when, by the wall clock, a wait for tasks that begins now has lasted for Patience.
func (s *Sandbox) patience() time.Time {
	if s.cfg.Wall == nil {
		return time.Time{}
	}
	return s.cfg.Wall.Now().Add(Patience)
}

// await waits until a task has given control back, and reports whether it did so in time. Without a wall clock patience has
// no end.
func (s *Sandbox) await(t *task, end time.Time) bool {
	s.gate.Unlock()
	defer s.gate.Lock()
	wall := s.cfg.Wall
	if wall == nil {
		<-t.back
		return true
	}
	for {
		left := end.Sub(wall.Now())
		if left <= 0 {
			select {
			case <-t.back:
				return true
			default:
				return false
			}
		}
		if s.alarm == nil {
			s.alarm = wall.After(left)
		}
		select {
		case <-t.back:
			return true
		case <-s.alarm: // which may have been set for a turn before
			s.alarm = nil
		}
	}
}

// abandon ends the run because of tasks that keep control. They have no more to say in it.
func (s *Sandbox) abandon(late ...*task) {
	s.over = true
	for _, t := range late {
		t.late = true
	}
	if s.failure != nil {
		return
	}
	err := &OpError{Op: "run", Host: late[0].host.name}
	who, stacks := "a goroutine of Host.Go has", stackOf(late[0].id)
	if len(late) > 1 {
		err.Host, who = "", fmt.Sprintf("%d goroutines of Host.Go have", len(late))
		for _, t := range late[1:] {
			stacks += "\n\n" + stackOf(t.id)
		}
	}
	err.Err = fmt.Errorf("%s not come back for %v of wall time: in virtual time they may block only in calls of the sandbox, and none may "+
		"outlive the run:\n\n%s", who, Patience, stacks)
	s.failure = err
}

// endTasks answers all who wait, the run being over, and waits for the goroutines of Host.Go to end: in virtual time for one after the
// other, until one does not in time, then for all together.
func (s *Sandbox) endTasks() {
	s.over = true
	end := s.patience()
	for _, l := range s.lanes {
		if !l.parked {
			continue
		}
		l.parked = false
		l.reply <- answer{over: true}
		if l.task != nil {
			s.await(l.task, end)
		}
	}
	end = s.patience()
	var late []*task
	for _, t := range slices.Clone(s.running) {
		if !t.late && !s.await(t, end) {
			late = append(late, t)
		}
	}
	if late != nil {
		s.abandon(late...)
	}
}

// ofGo reports whether the calling goroutine is a task's, of which one alone goes on at a time in virtual time: its stack begins with
// run. That takes much less time than to ask for its id.
func ofGo() bool {
	const end = 2 // frames: run, and the runtime's
	var pcs [64]uintptr
	for skip := 2; ; skip += len(pcs) - end {
		n := runtime.Callers(skip, pcs[:])
		if n == len(pcs) {
			continue
		}
		return slices.ContainsFunc(pcs[max(n-end, 0):n], func(pc uintptr) bool { return runtime.FuncForPC(pc).Entry() == runEntry })
	}
}

var runEntry = reflect.ValueOf((*task).run).Pointer()

// goroutineID is the number that the calling goroutine has in stacks.
func goroutineID() string {
	var b [64]byte
	text := strings.TrimPrefix(string(b[:runtime.Stack(b[:], false)]), "goroutine ")
	id, _, _ := strings.Cut(text, " ")
	return id
}

// stack is the stack of the calling goroutine, or of all.
func stack(all bool) string {
	for b := make([]byte, 64<<10); ; b = make([]byte, 2*len(b)) {
		if n := runtime.Stack(b, all); n < len(b) {
			return string(b[:n])
		}
	}
}

// stackOf is the stack of a goroutine.
func stackOf(id string) string {
	for text := range strings.SplitSeq(stack(true), "\n\n") {
		if strings.HasPrefix(text, "goroutine "+id+" ") {
			return text
		}
	}
	return "goroutine " + id + ", which has ended meanwhile"
}
