package script

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"connectlab/netns"
)

// code is a story made ready to run.
type code struct {
	file string
	settings
	programs []*programCode // in the order in which they were first named
	timed    []timed        // in the order of the text
}

// programCode is what one program does.
type programCode struct {
	name string // "client", "client.2"
	host string
	ops  []op
	last time.Duration // the last time from the start that was asked for
}

// op is a call, or calls to be made over and over.
type op struct {
	step  *step
	times int64
	body  []op
}

// step is a call, with what is expected of it.
type step struct {
	call      netns.Call // FD is a label: the number that the story gives a descriptor
	addr      address
	anyFamily bool // of a socket: that of the run
	label     int  // what socket and accept make; -1: the real descriptor's number
	want      *want
	data      []byte       // of a receive; nil: any
	value     *netns.Errno // of the pending error; nil: any
	num       *int64       // of an option; nil: any
	text      string
}

// want is the result that is expected.
type want struct {
	result int64
	errno  netns.Errno // empty: any with the result -1
}

// address is an address whose host is known by name until the run begins.
type address struct {
	host string // "client", "server", "nobody", "*"; empty: ip
	ip   netip.Addr
	port uint16
}

// timed is an observer's or the world's line.
type timed struct {
	line  int
	node  Node
	label int
	want  *wantInfo // of info; nil: any
	text  string
}

// wantInfo is the value that is expected of an item of control information.
type wantInfo struct {
	number bool
	num    int64
	text   string
}

// A compiler makes code of lines and finds what is wrong with them.
type compiler struct {
	file     string
	code     *code
	defined  map[string]Expr
	programs map[string]*programCode
	hosts    map[string]*hostCode
	work     int     // lines times programs
	calls    float64 // that repeats make
}

// hostCode is what is known of a host's programs as a whole.
type hostCode struct {
	literal  bool         // somebody sends octets of a string
	labels   map[int]bool // that somebody makes
	unnamed  bool         // somebody makes a descriptor without saying its number
	uses     map[int]Pos  // of labels, the first of each
	order    []int        // labels of uses
	receives []*step      //
}

func (c *compiler) fail(at Pos, format string, args ...any) error {
	return &Error{File: c.file, Line: at.Line, Column: at.Column, Msg: fmt.Sprintf(format, args...)}
}

func compile(file string, lines []Line) (*code, error) {
	c := &compiler{
		file: file, code: &code{file: file}, defined: map[string]Expr{}, programs: map[string]*programCode{},
		hosts: map[string]*hostCode{},
	}
	for _, h := range []string{netns.Client, netns.Server} {
		c.hosts[h] = &hostCode{labels: map[int]bool{}, uses: map[int]Pos{}}
	}
	if err := c.options(lines); err != nil {
		return nil, err
	}
	for i := range lines {
		if err := c.line(&lines[i]); err != nil {
			return nil, err
		}
	}
	return c.code, c.finish()
}

func (c *compiler) line(l *Line) error {
	switch n := l.What.(type) {
	case nil, *Option:
		return nil
	case *Step:
		o, err := c.step(n, n.Who.Host)
		if err != nil {
			return err
		}
		return c.assign(l.Pos, n.Who, o, n.At)
	case *Repeat:
		o, calls, err := c.repeat(n, n.Who.Host)
		if err != nil || calls == 0 {
			return err
		}
		first, last := n.Who.numbers()
		if c.calls += calls * float64(last-first+1); c.calls > maxCalls {
			return c.fail(l.Pos, "expected at most %d calls in all repeats together", maxCalls)
		}
		return c.assign(l.Pos, n.Who, o, Time{})
	case *Observation:
		return c.observation(l, n)
	case *WorldChange:
		c.code.timed = append(c.code.timed, timed{line: l.Pos.Line, node: n, text: formatNode(n)})
	}
	return nil
}

// assign gives an op to the programs that who names.
func (c *compiler) assign(pos Pos, who Who, o op, at Time) error {
	first, last := who.numbers()
	if c.work += last - first + 1; c.work > maxWork {
		return c.fail(pos, "expected at most %d lines for all programs together", maxWork)
	}
	for i := first; i <= last; i++ {
		name := programName(who.Host, i)
		p := c.programs[name]
		if p == nil {
			p = &programCode{name: name, host: who.Host}
			c.programs[name] = p
			c.code.programs = append(c.code.programs, p)
		}
		if at.Absolute && at.At < p.last {
			return c.fail(pos, "expected a time from %s on, as the program's line before has it", formatSeconds(p.last))
		} else if at.Absolute {
			p.last = at.At
		}
		p.ops = append(p.ops, o)
	}
	return nil
}

// programName is how a program is called: client, client.2.
func programName(host string, number int) string {
	if number == 1 {
		return host
	}
	return fmt.Sprintf("%s.%d", host, number)
}

// repeat tells besides how many calls it makes; one that makes none is no op.
func (c *compiler) repeat(r *Repeat, host string) (o op, calls float64, err error) {
	times, err := c.number(r.Times, "how many times", 0, maxTimes)
	if err != nil {
		return o, 0, err
	}
	o.times = times
	for i := range r.Body {
		var inner op
		more := 1.0
		switch n := r.Body[i].What.(type) {
		case nil:
			continue
		case *Step:
			inner, err = c.step(n, host)
		case *Repeat:
			inner, more, err = c.repeat(n, host)
		}
		if err != nil {
			return o, 0, err
		}
		if more > 0 {
			calls += more
			o.body = append(o.body, inner)
		}
	}
	return o, calls * float64(times), nil
}

func (c *compiler) step(s *Step, host string) (op, error) {
	st := &step{label: -1, text: formatCall(&s.Call)}
	a := &args{compiler: c, host: c.hosts[host], call: &s.Call, rest: s.Call.Args, step: st}
	if err := a.compile(); err != nil {
		return op{}, err
	}
	st.call.At, st.call.Absolute, st.call.Line = s.At.At, s.At.Absolute, s.Call.Pos.Line
	return op{step: st}, nil
}

func (c *compiler) observation(l *Line, o *Observation) error {
	if o.Who.First != o.Who.Last {
		return c.fail(l.Pos, "expected one program: an observer looks at one socket")
	}
	if o.FD > maxLabel {
		return c.fail(o.fdPos, "expected a descriptor up to %d, found %d", maxLabel, o.FD)
	}
	t := timed{line: l.Pos.Line, node: o, label: int(o.FD), text: formatNode(o)}
	c.hosts[o.Who.Host].use(t.label, o.fdPos)
	if o.Want != nil {
		e := c.expand(*o.Want)
		t.want = &wantInfo{number: e.Kind == Int, num: e.Num, text: e.Text}
	}
	c.code.timed = append(c.code.timed, t)
	return nil
}

func (h *hostCode) use(label int, at Pos) {
	if _, ok := h.uses[label]; !ok {
		h.uses[label] = at
		h.order = append(h.order, label)
	}
}

// finish does what needs the whole story.
func (c *compiler) finish() error {
	if len(c.code.programs) == 0 && len(c.code.timed) == 0 {
		return c.fail(Pos{1, 1}, "expected at least one line, as `client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3`")
	}
	for _, name := range []string{netns.Client, netns.Server} {
		h, peer := c.hosts[name], c.hosts[other(name)]
		for _, label := range h.order {
			if !h.unnamed && !h.labels[label] {
				return c.fail(h.uses[label], "unknown descriptor %d: no socket() or accept() of the %s makes it%s", label, name, h.list())
			}
		}
		for _, s := range h.receives {
			s.call.Verify = !peer.literal
		}
	}
	return nil
}

// list tells which labels there are.
func (h *hostCode) list() string {
	if len(h.labels) == 0 {
		return ""
	}
	var labels []int
	for l := range h.labels {
		labels = append(labels, l)
	}
	slices.Sort(labels)
	const most = 10
	text := fmt.Sprint(labels[:min(most, len(labels))])
	if len(labels) > most {
		text += " …"
	}
	return ", they make " + text
}

func other(host string) string {
	if host == netns.Client {
		return netns.Server
	}
	return netns.Client
}

// expand replaces a word that the story defines.
func (c *compiler) expand(e Expr) Expr {
	if e.Kind == Word {
		if v, ok := c.defined[e.Text]; ok {
			v.Pos = e.Pos
			return v
		}
	}
	return e
}

// number evaluates e, which must be a number from low to high.
func (c *compiler) number(e Expr, what string, low, high int64) (int64, error) {
	v := c.expand(e)
	if v.Kind != Int || v.Num < low || v.Num > high {
		return 0, c.fail(e.Pos, "expected %s, from %d to %d, found %s", what, low, high, c.found(e, v))
	}
	return v.Num, nil
}

// found describes an argument, and what it stands for if that is something else.
func (c *compiler) found(e, v Expr) string {
	if e.Kind == Word && (v.Kind != Word || v.Text != e.Text) {
		return fmt.Sprintf("`%s`, which is %s", clip(e.Text), clip(formatExpr(v)))
	}
	return clip("`" + formatExpr(e) + "`")
}
