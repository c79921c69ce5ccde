package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"connectlab/trace"
)

// A Sandbox is two hosts and the link between them. Make one with New, give its hosts programs, or goroutines, and
// Run it once. Goroutines may not share it, but that those of Host.Go may call it in virtual time, and any goroutine
// Stop and, in real time, what a Host can do.
type Sandbox struct {
	cfg    Config
	now    time.Duration
	hosts  [2]*host
	link   link
	agenda agenda
	rec    *trace.Recorder

	programs  int
	steps     int
	instant   int    // steps at now
	timers    [2]int // of each host, among them
	packets   [2]int // that each host has sent in this step
	carried   [2]int // octets in them
	lastLine  time.Duration
	lastEvent time.Duration
	end       trace.End
	looks     uint64 // for socket.mark
	attr      attribution
	by        func(*trace.Change)
	info      trace.ControlInfo
	gone      []*socket // in this step, still to be forgotten
	buffer    []byte    // for the octets of calls
	failure   error
	closed    bool

	limited []*process // blocked calls with a limit

	// Goroutines of Host.Go, and in real time others, come in through the gate: the driver has it, but for when it waits
	// for one of them or for the wall clock. So what is here and above is never in two hands.
	gate     sync.Mutex
	driver   atomic.Pointer[string] // the id of the goroutine of Run
	began    time.Time              // in real time: the wall clock's at virtual time 0; zero before Run
	live     int                    // tasks that have not ended
	running  []*task                // the goroutines of those that have started
	current  *task                  // in virtual time: who has control; nil: the driver
	others   task                   // stands for callers that are none
	lanes    []*lane                // all
	free     [2][]*lane             // of each host, by number
	over     bool                   // nobody may come in any more
	alarm    <-chan time.Time       // see await
	asked    chan struct{}          // in real time: somebody was inside
	stop     chan struct{}          // closed by Stop
	stopOnce sync.Once
}

// New makes a sandbox: two stacks, freshly made, and a link that is up. Nothing has happened in it yet. Its stacks
// live until Run returns, or Close.
func New(cfg Config) (*Sandbox, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	s := &Sandbox{cfg: cfg, asked: make(chan struct{}, 1), stop: make(chan struct{})}
	for i, name := range []string{Client, Server} {
		s.hosts[i] = &host{
			name: name, index: i, addr: addresses[cfg.Family][i], mac: macs[cfg.Link][i], stream: NewStream(cfg.Seed, name),
		}
	}
	s.hosts[0].factory, s.hosts[1].factory = cfg.Client, cfg.Server
	s.hosts[0].peer, s.hosts[1].peer = s.hosts[1].stream, s.hosts[0].stream
	for i, h := range s.hosts {
		if err := h.boot(&s.cfg, 0); err != nil {
			if i == 1 {
				s.hosts[0].stack.Close()
			}
			return nil, err
		}
	}
	s.link = link{s: s, up: true}
	for i, f := range cfg.Faults {
		s.link.rules = append(s.link.rules, newRule(f, cfg.Seed, i))
	}
	switch {
	case cfg.Record == RecordNothing:
	case cfg.Writer != nil:
		s.rec = trace.NewWriter(cfg.Writer, cfg.header(s.hosts))
	default:
		s.rec = trace.NewRecorder(cfg.header(s.hosts))
	}
	s.by = s.attr.by
	return s, nil
}

func (s *Sandbox) host(name string) (*host, error) {
	for _, h := range s.hosts {
		if h.name == name {
			return h, nil
		}
	}
	return nil, fmt.Errorf("unknown host %q: the hosts are client and server", name)
}

// Program gives a host one more program. name appears with its calls: "client", "client.2". At one instant, calls
// without a line are made program by program, in the order in which these were given.
func (s *Sandbox) Program(host, name string, p Program) error {
	h, err := s.host(host)
	if err != nil {
		return err
	}
	s.programs++
	proc := &process{host: h, name: name, program: p, rank: s.programs}
	s.proceed(proc, Outcome{Mismatch: -1})
	return nil
}

// At has do called at a virtual time, as a step of its own: to look at something, or to do something to the world.
// line is its place among the program lines of the same instant.
func (s *Sandbox) At(at time.Duration, line int, do func()) {
	s.agenda.push(entry{at: max(at, s.now), line: line, do: do})
}

// Close destroys the stacks of a sandbox that is not to be run. After Run, which does so itself, and a second time it
// does nothing. During Run it panics: Stop ends that.
func (s *Sandbox) Close() {
	if s.driver.Load() != nil {
		panic("netns: Close during Run, which Stop ends")
	}
	s.gate.Lock()
	defer s.gate.Unlock()
	s.close()
}

func (s *Sandbox) close() {
	if s.closed {
		return
	}
	s.closed = true
	s.endTasks()
	for _, h := range s.hosts {
		if h.stack != nil {
			h.stack.Close()
		}
	}
}

// Run runs the sandbox until its end, destroys the stacks, and returns the trace: nil without a recorder or with
// Config.Writer. An error says why there is no whole record: the run could not go on, or the record could not be
// written. What was recorded until then is in the trace (or was written) all the same. A second Run panics, and so
// does one after Close, and one in which a goroutine of Host.Go has panicked: with a *PanicError.
func (s *Sandbox) Run() (*trace.Trace, error) {
	s.gate.Lock()
	defer s.gate.Unlock()
	if s.closed {
		panic("netns: Run called twice, or after Close")
	}
	id := goroutineID()
	s.driver.Store(&id)
	defer s.driver.Store(nil) // from now on this goroutine is one like others
	if s.cfg.RealTime {
		s.began = s.cfg.Wall.Now()
	}
	s.loop()
	for _, h := range s.hosts {
		for _, p := range h.blocked {
			if p.callN != 0 {
				s.end.Blocked = append(s.end.Blocked, p.callN)
			}
		}
	}
	s.close()
	if p, ok := errors.AsType[*PanicError](s.failure); ok {
		panic(p)
	}
	if s.rec == nil {
		return nil, s.failure
	}
	if s.failure != nil && s.end.Reason != trace.TooManySteps {
		s.end.At, s.end.Reason = s.lastEvent, trace.BrokenOff
		if s.cfg.Writer != nil {
			return nil, s.failure // without an end a reader sees that the run broke off
		}
	}
	t, err := s.rec.Finish(s.end)
	switch {
	case s.failure != nil:
		err = s.failure
	case err != nil:
		err = &OpError{Op: "write the record", Err: err}
	}
	return t, err
}

// End is how the run ended, once Run has returned.
func (s *Sandbox) End() trace.End { return s.end }

// Now is the virtual time since the start of the run.
func (s *Sandbox) Now() time.Duration { return s.now }

// Steps is the number of steps done.
func (s *Sandbox) Steps() int { return s.steps }

// Address is a host's address; invalid for an unknown host.
func (s *Sandbox) Address(host string) netip.Addr {
	h, err := s.host(host)
	if err != nil {
		return netip.Addr{}
	}
	return h.addr.Addr()
}

// Socket is the number of the socket that a host's descriptor names now; 0: it names none.
func (s *Sandbox) Socket(host string, fd int) int {
	h, err := s.host(host)
	if err != nil {
		return 0
	}
	if d := h.descriptor(fd); d != nil {
		return d.socket.number
	}
	return 0
}

// Children are the numbers of the connections that came to a listening socket, in that order, also when either is
// gone. The slice is the sandbox's.
func (s *Sandbox) Children(host string, number int) []int {
	h, err := s.host(host)
	if err != nil {
		return nil
	}
	return h.children[number]
}

func (s *Sandbox) socket(host string, number int) *socket {
	h, err := s.host(host)
	if err != nil {
		return nil
	}
	return h.byNumber[number]
}

// State is a socket's state now: CLOSED for one that is gone, NotObserved for one that never was or whose stack
// does not tell.
func (s *Sandbox) State(host string, number int) trace.State {
	h, err := s.host(host)
	if err != nil || number < 1 || number > h.numbers {
		return trace.NotObserved
	}
	k := h.byNumber[number]
	switch {
	case h.inspector == nil:
		return trace.NotObserved
	case k == nil:
		return trace.Closed
	}
	return k.reporter.Status().State
}

// ControlInfo is a socket's control information now; ok is false when it is gone or its stack does not tell.
func (s *Sandbox) ControlInfo(host string, number int) (info trace.ControlInfo, ok bool) {
	k := s.socket(host, number)
	if k == nil || k.reporter == nil {
		return info, false
	}
	k.reporter.Report(&info)
	return info, true
}

// Note puts a remark into the record, and returns the N of its event; 0 without a recorder, and when the run is over, as it is for
// what a goroutine of Host.Go has deferred: the record has its end then. It may be called within At, by a Program within
// Next, and by goroutines of Host.Go, in real time too.
func (s *Sandbox) Note(host string, number int, n trace.Note) int {
	if mine := s.enter(); !mine {
		defer s.leave()
	}
	if s.rec == nil || s.over {
		return 0
	}
	at := min(s.now, s.until())
	s.lastLine, s.lastEvent = at, at // in real time it is part of no step
	return s.rec.Note(at, host, number, n)
}

// SetLink takes the link down or up. What is on its way arrives; what is sent while it is down is lost. It may be
// called within At.
func (s *Sandbox) SetLink(up bool) {
	s.link.up = up
	what := trace.LinkGoesDown
	if up {
		what = trace.LinkComesUp
	}
	if s.rec != nil {
		s.rec.HostChange(s.now, "", what)
	}
}

// Reboot destroys a host's stack and puts a fresh one of the same factory, with the same address and the next seed, in
// its place. What the old one sends as it goes is lost. The host's sockets are gone; calls that were blocked never
// return; its programs go on with an empty table of descriptors. It may be called within At.
func (s *Sandbox) Reboot(host string) error {
	h, err := s.host(host)
	if err != nil {
		return err
	}
	cause := 0
	if s.rec != nil {
		cause = s.rec.HostChange(s.now, h.name, trace.Reboot)
	}
	h.stack.Advance(s.now)
	h.stack.Close()
	if s.collect(h, nil, cause, true); s.failure != nil {
		h.stack = nil
		return s.failure
	}
	for n := 1; n <= h.numbers; n++ {
		if k := h.byNumber[n]; k != nil && k.seen && k.state != trace.Closed && s.rec != nil {
			c := trace.StateChange{From: k.state, To: trace.Closed, Source: trace.Inferred}
			if k.listener != nil {
				c.Listener = k.listener.number
			}
			s.rec.State(s.now, h.name, n, cause, c)
		}
	}
	h.generation++
	h.stack = nil
	if err := h.boot(&s.cfg, s.now); err != nil {
		s.failure = err
		return err
	}
	h.stack.Advance(s.now)
	blocked := h.blocked
	h.blocked = nil
	for _, p := range blocked {
		s.bound(p, limit{})
		out := Outcome{Mismatch: -1}
		p.identify(&out)
		if l, ok := p.program.(*lane); ok { // its goroutine has its turn when the one has had it that reboots
			s.agenda.push(entry{at: s.now, do: func() { l.Next(out) }})
			continue
		}
		s.proceed(p, out)
	}
	return nil
}
