package script

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"connectlab/netns"
	"connectlab/trace"
)

// A Result is what came of a run.
type Result struct {
	// Trace is the record; nil if there was none to keep, or it went to Config.Writer.
	Trace *trace.Trace
	End   trace.End
	// Failures are the expectations of the story that did not hold, in the order in which that came out.
	Failures []Failure
	Connect  Connect
	// Received is what came to the programs of each host: the client's, the server's.
	Received [2]Received
	// AsWritten: the run was the one that the story was written for. If the link, the address family, the delay, the
	// MTU, the end or more faults came from elsewhere, or With gave a word another value, what observers see is
	// recorded and not judged, since it depends on them; and of a run that was cut off at another time than the
	// story's, lines that were not reached are not judged either.
	AsWritten bool
	// NotObservable counts observers' lines about sockets of a stack that does not let them be looked at (netns.Inspector).
	// They are recorded and not judged.
	NotObservable int
}

// A Failure is an expectation that did not hold. It is also in the trace, as a Note that failed, unless it is about a
// line that was not reached or did not come back.
type Failure struct {
	Line     int    // of the story, from 1
	Text     string // what the line says
	Expected string
	Got      string
	Event    int // the N of the call or of the observer's note; 0: none, or nothing was recorded
}

// String prints the failure as a sentence.
func (f Failure) String() string {
	return fmt.Sprintf("line %d: %s: expected %s, got %s", f.Line, f.Text, f.Expected, f.Got)
}

// Connect is what the client's first connect() returned.
type Connect struct {
	Called   bool          // there was one
	Returned bool          // and it came back
	Result   int64         // 0, or -1
	Errno    netns.Errno   // empty: no error
	At       time.Duration // when it came back
}

// Received are the octets that recv and recvall calls of a host's programs returned, those before an error too.
type Received struct {
	Octets  int64
	Checked int64 // of them, those that were compared with what the peer sent
	Wrong   bool  // another octet was among them
}

// Run runs a story: base with the story's options, see Story.Config. An expectation that does not hold stops
// nothing. The error says why the run could not be made or not be finished; what there is of a result is returned all the
// same.
func Run(s *Story, base netns.Config) (*Result, error) {
	if s == nil {
		return nil, errors.New("script: no story to run: it is nil")
	}
	cfg := s.Config(base)
	sb, err := netns.New(cfg)
	if err != nil {
		return nil, err
	}
	r := &runner{
		sb: sb, hosts: map[string]*hostRun{}, byName: map[string]*program{},
		family: cfg.Family, otherEnd: cfg.Until != s.code.until,
	}
	r.result = &Result{
		AsWritten: cfg.Link == s.code.link && cfg.Family == s.code.family && sameDelay(cfg.Delay, s.code.delay) &&
			sameMTU(cfg.MTU, s.code.mtu) && slices.Equal(cfg.Needs, s.code.needs) && slices.EqualFunc(cfg.Faults, s.code.faults, sameFault) &&
			!r.otherEnd && s.written == "",
	}
	for _, h := range []string{netns.Client, netns.Server} {
		r.hosts[h] = &hostRun{address: sb.Address(h)}
	}
	for i := range s.code.timed {
		t := &s.code.timed[i]
		r.waiting = append(r.waiting, t)
		sb.At(timeOf(t.node), t.line, func() { r.timed(t) })
	}
	for _, c := range s.code.programs {
		p := &program{run: r, code: c, host: r.hosts[c.host], labels: map[int]socket{}, frames: []frame{{ops: c.ops, times: 1}}}
		p.host.programs = append(p.host.programs, p)
		r.byName[c.name] = p
		if err := sb.Program(c.host, c.name, p); err != nil {
			return nil, err
		}
	}
	r.result.Trace, err = sb.Run()
	r.result.End = sb.End()
	r.finish()
	return r.result, err
}

func sameDelay(a, b time.Duration) bool {
	return a == b || max(a, b) == netns.DefaultDelay && min(a, b) == 0 // zero stands for it
}

func sameMTU(a, b int) bool { return a == b || max(a, b) == netns.DefaultMTU && min(a, b) == 0 }

func sameFault(a, b netns.Fault) bool { return a.String() == b.String() }

// A runner is one run of a story.
type runner struct {
	sb       *netns.Sandbox
	result   *Result
	family   netns.Family
	otherEnd bool // the run is cut off at another time than the story says
	hosts    map[string]*hostRun
	byName   map[string]*program
	waiting  []*timed // lines with a time that has not come
	connect  *step    // the client's first connect(), while it has not come back
	by       *program // that made it
}

type hostRun struct {
	address  netip.Addr
	programs []*program // in the order in which they were first named
}

// A socket is what a label stands for.
type socket struct{ fd, number int }

// A program makes the calls of a story's program, one after the other.
type program struct {
	run    *runner
	code   *programCode
	host   *hostRun
	labels map[int]socket
	frames []frame // repeats within repeats, the innermost last
	made   *step   // the call that has been handed out and has not come back
}

// A frame is calls to be made over and over.
type frame struct {
	ops   []op
	next  int   // index of the next op
	times int64 // that are left, this one included
}

// Next makes program a netns.Program.
func (p *program) Next(last netns.Outcome) (netns.Call, bool) {
	if p.made != nil {
		p.returned(p.made, last)
	}
	p.made = p.advance()
	if p.made == nil {
		return netns.Call{}, false
	}
	return p.made.call, true
}

// advance moves to the next call; nil when there is none.
func (p *program) advance() *step {
	for len(p.frames) > 0 {
		f := &p.frames[len(p.frames)-1]
		if f.times == 0 || len(f.ops) == 0 {
			p.frames = p.frames[:len(p.frames)-1]
			continue
		}
		if f.next == len(f.ops) {
			f.next = 0
			f.times--
			continue
		}
		o := &f.ops[f.next]
		f.next++
		if o.step != nil {
			return o.step
		}
		p.frames = append(p.frames, frame{ops: o.body, times: o.times})
	}
	return nil
}

// unreached is the first call with an expectation among those that the program has not come to; nil: none.
func (p *program) unreached() *step {
	for i := len(p.frames) - 1; i >= 0; i-- {
		f := &p.frames[i]
		if s := firstWanted(f.ops[f.next:]); s != nil {
			return s
		}
		if f.times > 1 {
			if s := firstWanted(f.ops); s != nil {
				return s
			}
		}
	}
	return nil
}

func firstWanted(ops []op) *step {
	for i := range ops {
		s := ops[i].step
		if s == nil {
			s = firstWanted(ops[i].body)
		}
		if s != nil && s.want != nil {
			return s
		}
	}
	return nil
}

// Bind makes program a netns.Binder: it puts in what only the run knows, descriptors and addresses.
func (p *program) Bind(c *netns.Call) {
	s, r := p.made, p.run
	if s.anyFamily {
		c.Family = r.family
	}
	if c.Op != netns.OpSocket {
		if c.FD = p.find(s.call.FD).fd; c.FD < 0 {
			// The record shows the descriptor that the program meant.
			c.Text = strings.TrimSuffix(fmt.Sprintf("%d, %s", s.call.FD, c.Text), ", ")
		}
	}
	c.Addr = r.resolve(s.addr)
	if c.Op == netns.OpConnect && p.code.host == netns.Client && !r.result.Connect.Called {
		r.result.Connect.Called, r.connect, r.by = true, s, p
	}
}

// find is what a label stands for: what this program made, else what the host's program 1 made. A label that neither
// has made names no descriptor.
func (p *program) find(label int) socket {
	if s, ok := p.labels[label]; ok {
		return s
	}
	return p.run.made(p.code.host, 1, label)
}

// giveUp ends that a label names a descriptor. Observers know its socket by it still.
func (p *program) giveUp(label int) {
	for _, q := range []*program{p, p.run.byName[programName(p.code.host, 1)]} {
		if q == nil {
			continue
		}
		if s, ok := q.labels[label]; ok {
			q.labels[label] = socket{-1, s.number}
			return
		}
	}
}

// made is what a label of one program stands for; no descriptor, if there is no such program or it has not made it.
func (r *runner) made(host string, number, label int) socket {
	if p := r.byName[programName(host, number)]; p != nil {
		if s, ok := p.labels[label]; ok {
			return s
		}
	}
	return socket{fd: -1}
}

func (r *runner) resolve(a address) netip.AddrPort {
	ip := a.ip
	switch h := r.hosts[a.host]; {
	case h != nil:
		ip = h.address
	case a.host == nobody:
		ip = netns.Nobody(r.family)
	case a.host == "*" && r.hosts[netns.Client].address.Is4():
		ip = netip.IPv4Unspecified()
	case a.host == "*":
		ip = netip.IPv6Unspecified()
	case !ip.IsValid():
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ip, a.port)
}

// returned judges what came of a call.
func (p *program) returned(s *step, out netns.Outcome) {
	r := p.run
	if !out.Made {
		if s.want != nil {
			p.fail(s, out, s.want.String(), "no return: the "+p.code.host+" was rebooted")
		}
		return
	}
	if r.connect == s && r.by == p {
		c := &r.result.Connect
		c.Returned, c.Result, c.Errno, c.At = true, out.Result, out.Errno, out.At
		r.connect = nil
	}
	if s.call.Op == netns.OpReceive || s.call.Op == netns.OpReceiveAll {
		p.received(s, out)
	}
	if out.Errno == "" && (s.call.Op == netns.OpSocket || s.call.Op == netns.OpAccept) {
		label := s.label
		if label < 0 {
			label = int(out.Result)
		}
		p.labels[label] = socket{int(out.Result), r.sb.Socket(p.code.host, int(out.Result))}
	}
	if out.Errno == "" && (s.call.Op == netns.OpClose || s.call.Op == netns.OpAbort) {
		p.giveUp(s.call.FD)
	}
	if s.want != nil && !s.holds(out) {
		p.fail(s, out, s.want.String(), returnText(s, out))
		return
	}
	switch {
	case out.Errno != "":
	case s.value != nil && string(*s.value) != out.Value.Text:
		p.fail(s, out, "the pending error "+errnoText(*s.value), out.Value.String())
	case s.num != nil && *s.num != out.Value.Num:
		p.fail(s, out, fmt.Sprintf("the value %d", *s.num), out.Value.String())
	case s.data != nil && string(s.data) != string(out.Data):
		p.fail(s, out, clip(quote(string(s.data))), clip(quote(string(out.Data))))
	case out.Mismatch >= 0:
		p.fail(s, out, "the octets that the "+other(p.code.host)+" sent, in their order", fmt.Sprintf("another octet at position %d", out.Mismatch))
	}
}

// received counts what came, and what of it was compared with something.
func (p *program) received(s *step, out netns.Outcome) {
	r := &p.run.result.Received[0]
	if p.code.host == netns.Server {
		r = &p.run.result.Received[1]
	}
	n := max(out.Result, 0) + out.Count
	r.Octets += n
	if s.call.Verify || s.data != nil {
		r.Checked += n
		r.Wrong = r.Wrong || out.Mismatch >= 0 || s.data != nil && n > 0 && string(s.data) != string(out.Data)
	}
}

// holds reports whether the result is the expected one.
func (s *step) holds(out netns.Outcome) bool {
	w := s.want
	switch s.call.Op {
	case netns.OpSocket, netns.OpAccept:
		if w.result >= 0 {
			return out.Errno == "" // the number is a label
		}
	case netns.OpBind, netns.OpListen, netns.OpConnect, netns.OpSend, netns.OpReceive, netns.OpSendAll, netns.OpReceiveAll,
		netns.OpShutdown, netns.OpClose, netns.OpAbort, netns.OpGetError, netns.OpGetOption, netns.OpSetOption, netns.OpNonBlocking:
	}
	if w.errno != "" {
		return out.Errno == w.errno
	}
	return out.Result == w.result
}

// String prints the expected result.
func (w *want) String() string {
	if w.errno == "" {
		return fmt.Sprint(w.result)
	}
	return fmt.Sprintf("%d %s (%s)", w.result, string(w.errno), w.errno.Error())
}

// returnText prints what came, as in a story.
func returnText(s *step, out netns.Outcome) string {
	if out.Errno == "" {
		return fmt.Sprint(out.Result)
	}
	return (&want{result: -1, errno: out.Errno}).String()
}

func errnoText(e netns.Errno) string {
	if e == "" {
		return "0"
	}
	return string(e)
}

func (p *program) fail(s *step, out netns.Outcome, expected, got string) {
	f := Failure{Line: s.call.Line, Text: s.text, Expected: expected, Got: got, Event: out.Call}
	p.run.result.Failures = append(p.run.result.Failures, f)
	p.run.sb.Note(p.code.host, out.Socket, trace.Note{Text: f.note(), Failed: true, Line: f.Line})
}

// note is the failure as the trace has it, where the line stands apart.
func (f Failure) note() string {
	return fmt.Sprintf("%s: expected %s, got %s", f.Text, f.Expected, f.Got)
}

// timeOf is when a line with a time is due.
func timeOf(n Node) time.Duration {
	switch n := n.(type) {
	case *Observation:
		return n.At
	case *WorldChange:
		return n.At
	case *Option, *Step, *Repeat:
	}
	panic("script: a line without a time")
}

// timed does what a line with a time says.
func (r *runner) timed(t *timed) {
	for i := range r.waiting {
		if r.waiting[i] == t {
			r.waiting = append(r.waiting[:i], r.waiting[i+1:]...)
			break
		}
	}
	switch n := t.node.(type) {
	case *Observation:
		r.observe(t, n)
	case *WorldChange:
		switch n.What {
		case trace.LinkGoesDown:
			r.sb.SetLink(false)
		case trace.LinkComesUp:
			r.sb.SetLink(true)
		case trace.Reboot:
			for _, p := range r.hosts[n.Host].programs {
				clear(p.labels)
			}
			// An error ends the run and comes back from Run.
			_ = r.sb.Reboot(n.Host)
		}
	case *Option, *Step, *Repeat:
	}
}

// observe looks at a socket and compares what it sees.
func (r *runner) observe(t *timed, o *Observation) {
	parent, number, missing := r.observed(t, o)
	got, holds := missing, false
	switch {
	case parent != 0 && r.sb.State(o.Who.Host, parent) == trace.NotObserved:
		// Its stack does not tell of its sockets, nor of connections before they are accepted.
		got, holds = trace.NotObserved.String(), true
		r.result.NotObservable++
	case missing != "":
	case o.Name == "state":
		state := r.sb.State(o.Who.Host, number)
		got, holds = state.String(), o.State == trace.NotObserved || state == o.State
	default:
		got, holds = r.info(t, o, number)
	}
	if holds || !r.result.AsWritten {
		text, _, _ := strings.Cut(t.text, " = ")
		r.sb.Note(o.Who.Host, number, trace.Note{Text: withoutTime(text) + " = " + got, Line: t.line})
		return
	}
	r.failTimed(t, o, number, got, true)
}

func withoutTime(text string) string {
	_, rest, _ := strings.Cut(text, " ")
	return rest
}

// failTimed records an observer's line that does not hold.
func (r *runner) failTimed(t *timed, o *Observation, number int, got string, note bool) {
	f := Failure{Line: t.line, Text: t.text, Got: got}
	switch {
	case o.State != trace.NotObserved:
		f.Expected = o.State.String()
	case t.want != nil:
		f.Expected = t.want.String()
	default:
		f.Expected = "a socket"
	}
	if note {
		f.Text = withoutTime(f.Text)
		f.Event = r.sb.Note(o.Who.Host, number, trace.Note{Text: f.note(), Failed: true, Line: t.line})
		f.Text = t.text
	}
	r.result.Failures = append(r.result.Failures, f)
}

// String prints the expected value.
func (w *wantInfo) String() string {
	if w.number {
		return fmt.Sprint(w.num)
	}
	return w.text
}

// observed is the number of the socket that a line names, or why there is none. parent is that of the descriptor's own
// socket, 0 if there is none.
func (r *runner) observed(t *timed, o *Observation) (parent, number int, missing string) {
	first, _ := o.Who.numbers()
	s := r.made(o.Who.Host, first, t.label)
	if s.number == 0 {
		s = r.made(o.Who.Host, 1, t.label)
	}
	switch {
	case s.number == 0:
		return 0, 0, fmt.Sprintf("nothing: the %s has no descriptor %d at that time", o.Who.Host, o.FD)
	case o.Child == 0:
		return s.number, s.number, ""
	}
	children := r.sb.Children(o.Who.Host, s.number)
	if int64(len(children)) < o.Child {
		return s.number, 0, fmt.Sprintf("nothing: %d connections have come to descriptor %d at that time", len(children), o.FD)
	}
	return s.number, children[o.Child-1], ""
}

// info reads an item of control information and compares it. A sequence number counts from the initial one of its
// direction, as in packetdrill's packets, so that a story can tell it in advance.
func (r *runner) info(t *timed, o *Observation, number int) (got string, holds bool) {
	item, err := trace.ParseItem(o.Item)
	if err != nil {
		panic("script: an item that the parser let pass: " + o.Item)
	}
	info, ok := r.sb.ControlInfo(o.Who.Host, number)
	if !ok {
		return "no control information", false
	}
	v := info.Value(item)
	if base, relative := initial(item); relative && v.Kind == trace.Number {
		start := info.Value(base)
		if start.Kind != trace.Number {
			return fmt.Sprintf("%v, and %v is not known", v, base), false
		}
		v.Num = int64(uint32(v.Num) - uint32(start.Num))
	}
	switch {
	case t.want == nil:
		return v.String(), true
	case t.want.number:
		return v.String(), v.Kind == trace.Number && v.Num == t.want.num
	}
	return v.String(), v.String() == t.want.text
}

// initial is the sequence number from which an item counts.
func initial(i trace.Item) (trace.Item, bool) {
	switch i {
	case trace.SndUna, trace.SndNxt:
		return trace.ISS, true
	case trace.RcvNxt:
		return trace.IRS, true
	default:
		return 0, false
	}
}

// finish adds what shows only at the end: calls that did not come back, and lines that were not reached.
func (r *runner) finish() {
	if r.otherEnd && r.result.End.Reason == trace.UntilReached {
		return
	}
	for _, name := range []string{netns.Client, netns.Server} {
		for _, p := range r.hosts[name].programs {
			if p.made == nil {
				continue
			}
			s, got := p.made, "no return up to the end of the run"
			if s.want == nil {
				s, got = p.unreached(), "the end of the run before that"
			}
			if s != nil {
				r.result.Failures = append(r.result.Failures, Failure{Line: s.call.Line, Text: s.text, Expected: s.want.String(), Got: got})
			}
		}
	}
	if !r.result.AsWritten {
		return
	}
	for _, t := range r.waiting {
		if o, ok := t.node.(*Observation); ok {
			r.failTimed(t, o, 0, "the end of the run before that", false)
		}
	}
}
