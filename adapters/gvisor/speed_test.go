//go:build unix

package gvisor_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// Each benchmark here runs the driver and its peer, two gVisor stacks on goroutines and the real clock, by turns, so
// that both see the same machine, and reports ratios. No test fails on a time.

// A stopwatch adds up wall time and CPU time of the process.
type stopwatch struct {
	wall, cpu   time.Duration
	wall0, cpu0 time.Duration
}

var begin = time.Now()

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (w *stopwatch) start() { w.wall0, w.cpu0 = time.Since(begin), cpuTime() }
func (w *stopwatch) stop() {
	w.wall += time.Since(begin) - w.wall0
	w.cpu += cpuTime() - w.cpu0
}

// cycles are so many connects, one after the other, in one world or over one bare pair, that one op makes.
const cycles = 32

var port80 = netip.MustParseAddrPort("192.0.2.2:80")

// rest is how long the client waits behind cycles connects: until TIME-WAIT of the last is over.
const rest = 61 * time.Second

var listening = []netns.Call{{Op: netns.OpSocket}, {Op: netns.OpBind, FD: 3, Addr: port80}, {Op: netns.OpListen, FD: 3, N: 128}}

// A program makes its first calls once and then its loop over and over. Behind every so many loops it calls gate, which
// tells whether to go on.
type program struct {
	first, loop []netns.Call
	every       int
	gate        func() bool
	i, loops    int
}

func (p *program) Next(netns.Outcome) (netns.Call, bool) {
	if len(p.first) > 0 {
		c := p.first[0]
		p.first = p.first[1:]
		return c, true
	}
	if p.i == 0 && p.gate != nil && p.loops%p.every == 0 && !p.gate() {
		return netns.Call{}, false
	}
	c := p.loop[p.i]
	if p.i++; p.i == len(p.loop) {
		p.i = 0
		if p.loops++; p.gate != nil && p.loops%p.every == 0 {
			c.At = rest
		}
	}
	return c, true
}

func gvisors(cfg netns.Config) netns.Config {
	cfg.Client, cfg.Server = &gvisor.Factory{}, &gvisor.Factory{}
	return cfg
}

// A world is two gVisor stacks in the sandbox, whose client connects n times each time when it is told to, receives
// octets and closes; the server sends them and closes. Its run waits between these times.
type world struct {
	begin, done chan struct{}
	ended       chan error
}

func newWorld(tb testing.TB, cfg netns.Config, n, octets int) *world {
	w := &world{begin: make(chan struct{}), done: make(chan struct{}), ended: make(chan error)}
	sb, err := netns.New(gvisors(cfg))
	if err != nil {
		tb.Fatal(err)
	}
	server := &program{first: listening, loop: []netns.Call{{Op: netns.OpAccept, FD: 3}, {Op: netns.OpSendAll, FD: 4, N: octets}, {Op: netns.OpClose, FD: 4}}}
	// The loop ends with the next connect's socket, which waits for TIME-WAIT at the end of a round.
	client := &program{
		first: []netns.Call{{Op: netns.OpSocket}},
		loop: []netns.Call{
			{Op: netns.OpConnect, FD: 3, Addr: port80}, {Op: netns.OpReceiveAll, FD: 3, N: -1}, {Op: netns.OpClose, FD: 3}, {Op: netns.OpSocket},
		},
		every: n,
	}
	started := false
	client.gate = func() bool {
		if started {
			w.done <- struct{}{}
		}
		started = true
		_, more := <-w.begin
		return more
	}
	for _, p := range []struct {
		host    string
		program netns.Program
	}{{netns.Server, server}, {netns.Client, client}} {
		if err := sb.Program(p.host, p.host, p.program); err != nil {
			tb.Fatal(err)
		}
	}
	go func() {
		_, err := sb.Run()
		w.ended <- err
	}()
	return w
}

// round has the client make its connects.
func (w *world) round(watch *stopwatch) {
	watch.start()
	w.begin <- struct{}{}
	<-w.done
	watch.stop()
}

func (w *world) stop(tb testing.TB) {
	close(w.begin)
	if err := <-w.ended; err != nil {
		tb.Fatal(err)
	}
}

// A pair is two gVisor stacks on goroutines and the real clock.
type pair struct {
	client, server *stack.Stack
	listener       *gonet.TCPListener
	stop           func()
}

// newPair joins two stacks by their link endpoints, over channels that two goroutines forward between, or by gVisor's
// own pipe.
func newPair(tb testing.TB, piped bool) *pair {
	p := &pair{}
	var ends [2]stack.LinkEndpoint
	var channels [2]*channel.Endpoint
	if piped {
		ends[0], ends[1] = pipe.New("\x02\x00\x00\x00\x00\x01", "\x02\x00\x00\x00\x00\x02", 1500)
	} else {
		for i := range channels {
			channels[i] = channel.New(4096, 1500, "")
			ends[i] = channels[i]
		}
	}
	for i, addr := range []tcpip.Address{tcpip.AddrFrom4([4]byte{192, 0, 2, 1}), tcpip.AddrFrom4([4]byte{192, 0, 2, 2})} {
		s := stack.New(stack.Options{
			NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol},
			TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
		})
		timeWait := tcpip.TCPTimeWaitTimeoutOption(time.Nanosecond)
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, &timeWait); err != nil {
			tb.Fatal(err)
		}
		if err := s.CreateNIC(1, ends[i]); err != nil {
			tb.Fatal(err)
		}
		address := tcpip.ProtocolAddress{Protocol: ipv4.ProtocolNumber, AddressWithPrefix: tcpip.AddressWithPrefix{Address: addr, PrefixLen: 24}}
		if err := s.AddProtocolAddress(1, address, stack.AddressProperties{}); err != nil {
			tb.Fatal(err)
		}
		s.SetRouteTable([]tcpip.Route{{Destination: address.AddressWithPrefix.Subnet(), NIC: 1}})
		if i == 0 {
			p.client = s
		} else {
			p.server = s
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	if !piped {
		for i := range channels {
			wg.Go(func() {
				for {
					pkt := channels[i].ReadContext(ctx)
					if pkt == nil {
						return
					}
					in := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: pkt.ToBuffer()})
					channels[1-i].InjectInbound(ipv4.ProtocolNumber, in)
					in.DecRef()
					pkt.DecRef()
				}
			})
		}
	}
	l, err := gonet.ListenTCP(p.server, p.address(), ipv4.ProtocolNumber)
	if err != nil {
		tb.Fatal(err)
	}
	p.listener = l
	p.stop = func() {
		l.Close()
		cancel()
		wg.Wait()
		p.client.Destroy()
		p.server.Destroy()
	}
	return p
}

func (*pair) address() tcpip.FullAddress {
	return tcpip.FullAddress{NIC: 1, Addr: tcpip.AddrFrom4([4]byte{192, 0, 2, 2}), Port: 80}
}

// serve accepts n connections, sends data on each and closes it.
func (p *pair) serve(n int, data []byte) error {
	for range n {
		c, err := p.listener.Accept()
		if err != nil {
			return err
		}
		if _, err := c.Write(data); err != nil {
			return err
		}
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil
}

// cycle runs n connects that each receive want octets.
func (p *pair) cycle(tb testing.TB, n int, data []byte, watch *stopwatch) {
	served := make(chan error, 1)
	watch.start()
	go func() { served <- p.serve(n, data) }()
	buf := make([]byte, 64<<10)
	for range n {
		c, err := gonet.DialTCP(p.client, p.address(), ipv4.ProtocolNumber)
		if err != nil {
			tb.Fatal(err)
		}
		got := 0
		for {
			n, err := c.Read(buf)
			got += n
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				tb.Fatal(err)
			}
		}
		if got != len(data) {
			tb.Fatalf("received %d octets, want %d", got, len(data))
		}
		if err := c.Close(); err != nil {
			tb.Fatal(err)
		}
	}
	if err := <-served; err != nil {
		tb.Fatal(err)
	}
	watch.stop()
}

// A contestant does one unit of work, measured by the watch. Its turn begins with a call of begin, which makes what
// works and returns how to work and how to stop it.
type contestant struct {
	name  string
	begin func() (work func(*stopwatch), stop func())
	watch stopwatch
}

// turn is how many units of work a contestant does before it is another's turn: so many that what it leaves to the
// garbage collector is collected on its own time, so few that all see the same machine.
const turn = 32

// compete lets contestants do their work by turns, one unit an op, and reports wall and CPU time of each for one of
// the parts of a unit, and how fast each is against the first.
func compete(b *testing.B, parts int, part string, contestants ...contestant) []contestant {
	done := make([]int, len(contestants))
	var work func(*stopwatch)
	var stop func()
	for n := 0; b.Loop(); n++ {
		i := n / turn % len(contestants)
		if n%turn == 0 {
			b.StopTimer()
			if stop != nil {
				stop()
			}
			work, stop = contestants[i].begin()
			runtime.GC()
			b.StartTimer()
		}
		work(&contestants[i].watch)
		done[i]++
	}
	stop()
	for i := range contestants {
		c := &contestants[i]
		if done[i] == 0 {
			b.Skipf("%d ops are not enough for each contestant's turn", b.N)
		}
		n := time.Duration(done[i] * parts)
		c.watch.wall, c.watch.cpu = c.watch.wall/n, c.watch.cpu/n
		b.ReportMetric(float64(c.watch.wall.Nanoseconds())/1e3, fmt.Sprintf("%s-µs/%s", c.name, part))
		b.ReportMetric(float64(c.watch.cpu.Nanoseconds())/1e3, fmt.Sprintf("%s-cpu-µs/%s", c.name, part))
		if i > 0 {
			b.ReportMetric(float64(contestants[0].watch.wall)/float64(c.watch.wall), c.name+"-x-"+contestants[0].name)
		}
	}
	return contestants
}

// barePair is the contestant that all are measured by, or with pipe the same over gVisor's own link.
func barePair(b *testing.B, name string, piped bool, n, octets int) contestant {
	return contestant{name: name, begin: func() (func(*stopwatch), func()) {
		p := newPair(b, piped)
		data := make([]byte, octets)
		return func(w *stopwatch) { p.cycle(b, n, data, w) }, p.stop
	}}
}

// driven is a world as a contestant.
func driven(b *testing.B, name string, cfg netns.Config, n, octets int) contestant {
	return contestant{name: name, begin: func() (func(*stopwatch), func()) {
		w := newWorld(b, cfg, n, octets)
		return w.round, func() { w.stop(b) }
	}}
}

// BenchmarkConnect is connect, 5 octets read, both closes, TIME-WAIT over.
func BenchmarkConnect(b *testing.B) {
	compete(b, cycles, "connect",
		barePair(b, "bare", false, cycles, 5),
		barePair(b, "pipe", true, cycles, 5),
		driven(b, "norecorder", netns.Config{Record: netns.RecordNothing}, cycles, 5),
		driven(b, "all", netns.Config{}, cycles, 5),
	)
}

// BenchmarkRecording is the same connects without a recorder, with segments, calls and states recorded, and with all
// control information.
func BenchmarkRecording(b *testing.B) {
	done := compete(b, cycles, "connect",
		driven(b, "norecorder", netns.Config{Record: netns.RecordNothing}, cycles, 5),
		driven(b, "segments", netns.Config{Record: netns.RecordNoControl}, cycles, 5),
		driven(b, "all", netns.Config{}, cycles, 5),
	)
	for _, c := range done[1:] {
		b.ReportMetric(100*(float64(c.watch.wall)/float64(done[0].watch.wall)-1), c.name+"-cost-%")
	}
}

// BenchmarkBulk is 256 KiB from server to client at MTU 1500, the octets of data not kept.
func BenchmarkBulk(b *testing.B) {
	const octets = 256 << 10
	done := compete(b, 1, "transfer",
		barePair(b, "bare", false, 1, octets),
		driven(b, "norecorder", netns.Config{Record: netns.RecordNothing}, 1, octets),
		driven(b, "all", netns.Config{OmitData: true}, 1, octets),
	)
	for _, c := range done {
		b.ReportMetric(octets/c.watch.wall.Seconds()/1e6, c.name+"-MB/s")
	}
}

// BenchmarkWorld is a fresh world, one handshake, recorded, torn down.
func BenchmarkWorld(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		sb, err := netns.New(gvisors(netns.Config{Until: time.Second}))
		if err != nil {
			b.Fatal(err)
		}
		if err := sb.Program(netns.Server, "server", netns.Calls(append(listening[:3:3], netns.Call{Op: netns.OpAccept, FD: 3})...)); err != nil {
			b.Fatal(err)
		}
		if err := sb.Program(netns.Client, "client", netns.Calls(netns.Call{Op: netns.OpSocket}, netns.Call{Op: netns.OpConnect, FD: 3, Addr: port80})); err != nil {
			b.Fatal(err)
		}
		if _, err := sb.Run(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStory is a whole story: parsed before, run in a fresh world, recorded.
func BenchmarkStory(b *testing.B) {
	for _, name := range []string{"plain", "silent-host", "idle-year"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			s, err := script.Builtin(name)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				r, err := script.Run(s, gvisors(netns.Config{}))
				if err != nil || len(r.Failures) > 0 {
					b.Fatal(err, r.Failures)
				}
			}
		})
	}
}

// BenchmarkTwoWorlds compares two worlds at once, each on a goroutine, with one.
func BenchmarkTwoWorlds(b *testing.B) {
	done := compete(b, cycles, "connect",
		driven(b, "one", netns.Config{}, cycles, 5),
		contestant{name: "two", begin: func() (func(*stopwatch), func()) {
			worlds := [2]*world{newWorld(b, netns.Config{}, cycles, 5), newWorld(b, netns.Config{}, cycles, 5)}
			work := func(watch *stopwatch) {
				watch.start()
				for _, w := range worlds {
					w.begin <- struct{}{}
				}
				for _, w := range worlds {
					<-w.done
				}
				watch.stop()
			}
			return work, func() {
				for _, w := range worlds {
					w.stop(b)
				}
			}
		}},
	)
	b.ReportMetric(2*float64(done[0].watch.wall)/float64(done[1].watch.wall), "rate-of-two-x-one")
}
