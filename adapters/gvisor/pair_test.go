package gvisor

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/trace"
)

// delay is how long a packet of a pair's is under way.
const delay = 10 * time.Millisecond

// timeWait is gVisor's TIME-WAIT, and a little more.
const timeWait = 61 * time.Second

// port is where a pair's server listens.
const port = 80

// A pair is two stacks with a link between them, driven by the smallest loop that keeps the rules of netns.Stack.
type pair struct {
	tb             testing.TB
	client, server *end
	now            time.Duration
	flying         []flight
	sent           []flight                  // all that was sent, in order
	drop           func(f flight) bool       // tells whether the link loses a packet
	delivered      func(to *end)             // is called when a packet has settled
	expired        func(*end, netns.Expired) // is called when a timer has run
}

type end struct {
	*netstack
	name string
	addr netip.AddrPort // with port
	peer *end
}

type flight struct {
	at     time.Duration
	from   *end
	octets []byte
	lost   bool
}

// flags are the control bits of the segment; 0 for another packet.
func (f flight) flags() trace.Flags {
	p := trace.Flags(0)
	if o := dissectTCP(f.octets); o != nil {
		p = trace.Flags(binary.BigEndian.Uint16(o[12:]) & 0x1ff)
	}
	return p
}

func dissectTCP(packet []byte) []byte {
	ip, ok := dissectIP(packet)
	if !ok || ip.protocol != protocolTCP {
		return nil
	}
	return packet[ip.length:]
}

func newPair(tb testing.TB, prefix string) *pair {
	return newPairOf(tb, prefix, &Factory{})
}

// environments are those of a client and a server on a network.
func environments(network string) [2]netns.Env {
	prefix := netip.MustParsePrefix(network)
	client := netns.Env{Host: "client", MTU: 1500, Seed: [32]byte{1}, Start: time.Unix(1e9, 0).UTC()}
	server := client
	server.Host, server.Seed = "server", [32]byte{2}
	client.Address = netip.PrefixFrom(prefix.Addr().Next(), prefix.Bits())
	server.Address = netip.PrefixFrom(prefix.Addr().Next().Next(), prefix.Bits())
	return [2]netns.Env{client, server}
}

// environmentsOn are those on a link.
func environmentsOn(link trace.LinkType, network string) [2]netns.Env {
	envs := environments(network)
	for i := range envs {
		if envs[i].Link = link; link == trace.LinkEthernet {
			envs[i].MAC = trace.MAC{0, 0, 0x5e, 0, 0x53, byte(i + 1)}
		}
	}
	return envs
}

func newPairOf(tb testing.TB, network string, f *Factory) *pair {
	tb.Helper()
	return newPairIn(tb, environments(network), f)
}

func newPairIn(tb testing.TB, envs [2]netns.Env, f *Factory) *pair {
	tb.Helper()
	p := &pair{tb: tb}
	p.client, p.server = p.boot(f, envs[0]), p.boot(f, envs[1])
	p.client.peer, p.server.peer = p.server, p.client
	tb.Cleanup(func() {
		p.client.Close()
		p.server.Close()
	})
	return p
}

func (p *pair) boot(f *Factory, env netns.Env) *end {
	p.tb.Helper()
	env.Now = p.now
	made, err := f.New(env)
	if err != nil {
		p.tb.Fatal(err)
	}
	return &end{netstack: made.(*netstack), name: env.Host, addr: netip.AddrPortFrom(env.Address.Addr(), port)}
}

// take puts what e sent on the link.
func (p *pair) take(e *end) {
	for {
		octets, lost, ok := e.Take(nil)
		if !ok {
			return
		}
		f := flight{p.now + delay, e, octets, lost}
		p.sent = append(p.sent, f)
		if !lost && (p.drop == nil || !p.drop(f)) {
			p.flying = append(p.flying, f)
		}
	}
}

// step does what is due next, if that is not after until.
func (p *pair) step(until time.Duration) bool {
	at, timerOf := time.Duration(1<<62), (*end)(nil)
	for _, e := range []*end{p.client, p.server} {
		if due, ok := e.Deadline(); ok && due < at {
			at, timerOf = due, e
		}
	}
	packet := len(p.flying) > 0 && p.flying[0].at <= at
	if packet {
		at = p.flying[0].at
	}
	if at > until || !packet && timerOf == nil {
		return false
	}
	p.now = at
	p.client.Advance(at)
	p.server.Advance(at)
	if packet {
		f := p.flying[0]
		p.flying = p.flying[1:]
		to := f.from.peer
		to.Deliver(f.octets)
		to.Settle()
		if p.delivered != nil {
			p.delivered(to)
		}
		p.take(to)
		return true
	}
	e := timerOf.Expire()
	if p.expired != nil {
		p.expired(timerOf, e)
	}
	p.take(timerOf)
	return true
}

// run does all that is due within d.
func (p *pair) run(d time.Duration) {
	until := p.now + d
	for p.step(until) {
	}
	p.now = until
	p.client.Advance(until)
	p.server.Advance(until)
}

// socket makes a socket.
func (p *pair) socket(e *end) *socket {
	p.tb.Helper()
	made, err := e.Socket(e.family)
	if err != nil {
		p.tb.Fatal(err)
	}
	return made.(*socket)
}

// listen makes a listener on the server's port.
func (p *pair) listen(backlog int) *socket {
	p.tb.Helper()
	l := p.socket(p.server)
	p.must(l.Bind(netip.AddrPortFrom(netip.IPv4Unspecified(), port)))
	p.must(l.Listen(backlog))
	return l
}

// dial makes a socket of the client's that begins to connect to the server, and puts its SYN on the link.
func (p *pair) dial() *socket {
	p.tb.Helper()
	c := p.socket(p.client)
	p.wantErr(c.Connect(p.server.addr), netns.ErrInProgress)
	p.take(p.client)
	return c
}

// connect opens a connection and returns both ends of it.
func (p *pair) connect(l *socket) (client, server *socket) {
	p.tb.Helper()
	client = p.dial()
	p.run(10 * delay)
	p.must(client.Connect(p.server.addr))
	accepted, err := l.Accept()
	p.must(err)
	return client, accepted.(*socket)
}

// do puts on the link what a call on e sent, and runs for a while.
func (p *pair) settle(e *end, d time.Duration) {
	p.take(e)
	p.run(d)
}

func (p *pair) must(err error) {
	p.tb.Helper()
	if err != nil {
		p.tb.Fatal(err)
	}
}

func (p *pair) wantErr(err error, want netns.Errno) {
	p.tb.Helper()
	if !errors.Is(err, want) {
		p.tb.Fatalf("error %v, want %v", err, want)
	}
}

func (p *pair) wantState(w *socket, want trace.State) {
	p.tb.Helper()
	if got := w.Status().State; got != want {
		p.tb.Fatalf("state %v, want %v", got, want)
	}
}
