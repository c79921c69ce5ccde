package netns_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/trace"
	"connectlab/trace/wire"
)

// puppet is a stack that does what its test says and nothing else: timers and arrivals run the test's functions.
type puppet struct {
	env     netns.Env
	now     time.Duration
	out     []outgoing
	alarms  []alarm
	sockets []*puppetSocket // that Socket made
	touched []netns.Socket

	onSocket  func(*puppetSocket)
	onDeliver func(p *puppet, packet *trace.Packet)
	onSettle  func()
	onClose   func()
	attempts  []string // the calls that block, as they were tried
}

type outgoing struct {
	octets []byte
	lost   bool
}

type alarm struct {
	at    time.Duration
	owner netns.Socket
	name  string
	do    func()
}

func (p *puppet) Advance(now time.Duration) { p.now = now }

func (p *puppet) Settle() {
	if p.onSettle != nil {
		p.onSettle()
	}
}

func (p *puppet) Close() {
	if p.onClose != nil {
		p.onClose()
	}
}

func (p *puppet) Take(buf []byte) (packet []byte, lost, ok bool) {
	if len(p.out) == 0 {
		return buf, false, false
	}
	o := p.out[0]
	p.out = p.out[1:]
	return append(buf, o.octets...), o.lost, true
}

func (p *puppet) Deliver(octets []byte) {
	p.touched = nil
	if p.onDeliver != nil {
		packet := trace.Packet{Octets: octets, Len: len(octets), Link: p.env.Link}
		wire.Decode(&packet)
		p.onDeliver(p, &packet)
	}
}

// due is the index of the alarm that is due first, in the order of arming; -1: none.
func (p *puppet) due() int {
	first := -1
	for i, a := range p.alarms {
		if first < 0 || a.at < p.alarms[first].at {
			first = i
		}
	}
	return first
}

func (p *puppet) Deadline() (time.Duration, bool) {
	if i := p.due(); i >= 0 {
		return p.alarms[i].at, true
	}
	return 0, false
}

func (p *puppet) Expire() netns.Expired {
	i := p.due()
	a := p.alarms[i]
	p.alarms = append(p.alarms[:i:i], p.alarms[i+1:]...)
	p.touched = nil
	if a.do != nil {
		a.do()
	}
	return netns.Expired{Socket: a.owner, Name: a.name}
}

func (p *puppet) Socket(netns.Family) (netns.Socket, error) {
	s := &puppetSocket{p: p, status: netns.Status{State: trace.Closed, Word: "FRESH"}}
	p.sockets = append(p.sockets, s)
	if p.onSocket != nil {
		p.onSocket(s)
	}
	p.touched = []netns.Socket{s}
	return s, nil
}

// at arms an alarm.
func (p *puppet) at(t time.Duration, name string, do func()) {
	p.alarms = append(p.alarms, alarm{at: t, name: name, do: do})
}

// send sends a segment to the other host.
func (p *puppet) send(flags trace.Flags, seq trace.Seq, data ...byte) {
	p.out = append(p.out, outgoing{octets: segment(p.env.Host, flags, seq, data...)})
}

// segment is a packet from port 80 of a host to port 80 of the other.
func segment(host string, flags trace.Flags, seq trace.Seq, data ...byte) []byte {
	from, to := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	if host == netns.Server {
		from, to = to, from
	}
	p := trace.Packet{Kind: trace.PacketTCP}
	p.IP = trace.IPHeader{Version: 4, HeaderLen: 20, Src: from, Dst: to, Protocol: 6, TTL: 64}
	p.TCP = trace.Segment{SrcPort: 80, DstPort: 80, HeaderLen: 20, Seq: seq, Flags: flags, Window: 1000}
	return wire.Append(nil, &p, data)
}

// touch makes sockets the ones that the present stimulus has changed.
func (p *puppet) touch(s ...*puppetSocket) {
	for _, one := range s {
		p.touched = append(p.touched, one)
	}
}

// glassPuppet is a puppet that can be looked into.
type glassPuppet struct{ *puppet }

func (g glassPuppet) Touched() []netns.Socket { return g.touched }

// puppetSocket is a socket of a puppet. A call whose function is nil blocks, but for close, bind and listen.
type puppetSocket struct {
	netns.Unsupported
	p             *puppet
	name          string
	quiet         bool // close touches nothing
	status        netns.Status
	info          func(*trace.ControlInfo)
	local, remote netip.AddrPort
	send, receive func([]byte) (int, error)
	accept        func() (netns.Socket, error)
	connect       func() error
	pending       error
	option        int // the value of each; 0: there are none
}

func (s *puppetSocket) Status() netns.Status { return s.status }

func (s *puppetSocket) Report(info *trace.ControlInfo) {
	if s.info != nil {
		s.info(info)
	}
}

// called begins the stimulus of a call.
func (s *puppetSocket) called(call string) {
	s.p.attempts = append(s.p.attempts, call+" "+s.name)
	s.p.touched = []netns.Socket{s}
}

func (s *puppetSocket) Bind(a netip.AddrPort) error {
	s.called("bind")
	s.local = a
	return nil
}

func (s *puppetSocket) Listen(int) error {
	s.called("listen")
	s.status.State = trace.Listen
	return nil
}

func (s *puppetSocket) Close() error {
	s.called("close")
	if s.quiet {
		s.p.touched = nil
	}
	return nil
}

func (s *puppetSocket) Receive(b []byte) (int, error) {
	s.called("receive")
	if s.receive == nil {
		return 0, netns.ErrWouldBlock
	}
	return s.receive(b)
}

func (s *puppetSocket) Send(b []byte) (int, error) {
	s.called("send")
	if s.send == nil {
		return 0, netns.ErrWouldBlock
	}
	return s.send(b)
}

func (s *puppetSocket) Accept() (netns.Socket, error) {
	s.called("accept")
	if s.accept == nil {
		return nil, netns.ErrWouldBlock
	}
	return s.accept()
}

func (s *puppetSocket) Connect(a netip.AddrPort) error {
	s.called("connect")
	s.remote = a
	if s.connect == nil {
		return netns.ErrInProgress
	}
	return s.connect()
}

func (s *puppetSocket) PendingError() error {
	s.called("getsockopt")
	return s.pending
}

func (s *puppetSocket) Option(o netns.Option) (int, error) {
	if s.option == 0 {
		return s.Unsupported.Option(o)
	}
	s.called("getsockopt")
	return s.option, nil
}

func (s *puppetSocket) LocalAddr() netip.AddrPort  { return s.local }
func (s *puppetSocket) RemoteAddr() netip.AddrPort { return s.remote }

// factory makes stacks with a function. They can do all that a run can need, since they do what they are told.
type factory func(netns.Env) (netns.Stack, error)

func (factory) Info() netns.Info {
	return netns.Info{Name: "puppet", Version: "1", Capabilities: netns.Needed()}
}
func (f factory) New(env netns.Env) (netns.Stack, error) { return f(env) }

// blind makes puppets that cannot be looked into; set, which may be nil, tells each what to do.
func blind(set func(*puppet)) netns.Factory {
	return factory(func(env netns.Env) (netns.Stack, error) {
		p := &puppet{env: env, now: env.Now}
		if set != nil {
			set(p)
		}
		return p, nil
	})
}

// glass makes puppets that can be looked into.
func glass(set func(*puppet)) netns.Factory {
	return factory(func(env netns.Env) (netns.Stack, error) {
		p := &puppet{env: env, now: env.Now}
		if set != nil {
			set(p)
		}
		return glassPuppet{p}, nil
	})
}

// of gives a host a program of calls.
func of(t *testing.T, sb *netns.Sandbox, host string, calls ...netns.Call) {
	t.Helper()
	if err := sb.Program(host, host, netns.Calls(calls...)); err != nil {
		t.Fatal(err)
	}
}

// returns are a host's calls that came back, each with its result.
func returns(t *trace.Trace, host string) []string {
	var l []string
	for _, e := range t.Events {
		if r, ok := e.Detail.(*trace.Return); ok && e.Host == host {
			l = append(l, fmt.Sprintf("%v %s = %s", e.At, t.Event(r.Call).Detail.(*trace.Call), r))
		}
	}
	return l
}

// failing is a writer that is full after so many octets.
type failing struct {
	room int
	got  []byte
}

var errFull = errors.New("the disk is full")

func (f *failing) Write(b []byte) (int, error) {
	n := min(len(b), f.room)
	f.got = append(f.got, b[:n]...)
	if f.room -= n; n < len(b) {
		return n, errFull
	}
	return n, nil
}
