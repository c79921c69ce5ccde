//go:build unix

package gvisor_test

import (
	"context"
	"fmt"
	"io"
	"net/netip"
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

// Each benchmark here runs the driver and its peer, two gVisor stacks on goroutines and the real clock, by turns in one
// op, so that both see the same machine, and reports ratios. No test fails on a time.

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
const cycles = 16

var port80 = netip.MustParseAddrPort("192.0.2.2:80")

// clientCycle connects, reads 5 octets to the end of data, and closes; serverCycle is the other side of it.
func clientCycle() []netns.Call {
	return []netns.Call{
		{Op: netns.OpSocket}, {Op: netns.OpConnect, FD: 3, Addr: port80},
		{Op: netns.OpReceiveAll, FD: 3, N: -1}, {Op: netns.OpClose, FD: 3},
	}
}

func serverCycle() []netns.Call {
	return []netns.Call{{Op: netns.OpAccept, FD: 3}, {Op: netns.OpSendAll, FD: 4, N: 5}, {Op: netns.OpClose, FD: 4}}
}

// again is a program that makes some calls once and then others again and again.
type again struct {
	first, loop []netns.Call
	times       int
	i           int
}

func (a *again) Next(netns.Outcome) (netns.Call, bool) {
	if len(a.first) > 0 {
		c := a.first[0]
		a.first = a.first[1:]
		return c, true
	}
	if a.times == 0 {
		return netns.Call{}, false
	}
	c := a.loop[a.i]
	if a.i++; a.i == len(a.loop) {
		a.i = 0
		a.times--
	}
	return c, true
}

var listening = []netns.Call{{Op: netns.OpSocket}, {Op: netns.OpBind, FD: 3, Addr: port80}, {Op: netns.OpListen, FD: 3, N: 128}}

func gvisors(cfg netns.Config) netns.Config {
	cfg.Client, cfg.Server = &gvisor.Factory{}, &gvisor.Factory{}
	return cfg
}

// drive runs n cycles in a fresh world and has watch measure all of it but the making and the end of the world.
func drive(tb testing.TB, cfg netns.Config, n int, watch *stopwatch) {
	sb, err := netns.New(gvisors(cfg))
	if err != nil {
		tb.Fatal(err)
	}
	watched(tb, sb, watch, &again{first: listening, loop: serverCycle(), times: n}, &again{loop: clientCycle(), times: n})
}

// watched runs the programs in sb. The last step of the world, an hour after all timers, stops the watch.
func watched(tb testing.TB, sb *netns.Sandbox, watch *stopwatch, server, client netns.Program) {
	for _, p := range []struct {
		host    string
		program netns.Program
	}{{netns.Server, server}, {netns.Client, client}} {
		if err := sb.Program(p.host, p.host, p.program); err != nil {
			tb.Fatal(err)
		}
	}
	sb.At(1000*time.Hour, 0, watch.stop)
	watch.start()
	if _, err := sb.Run(); err != nil {
		tb.Fatal(err)
	}
	if len(sb.End().Blocked) > 0 {
		tb.Fatalf("calls %v never came back", sb.End().Blocked)
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
			if err == io.EOF { //nolint:errorlint // gonet returns io.EOF itself
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

// report prints wall and CPU time of each contestant for one unit of work, and how fast each is against the first.
func report(b *testing.B, units int, unit string, names []string, watches []stopwatch) {
	for i, name := range names {
		w := &watches[i]
		b.ReportMetric(float64(w.wall.Nanoseconds())/float64(units)/1e3, fmt.Sprintf("%s-µs/%s", name, unit))
		b.ReportMetric(float64(w.cpu.Nanoseconds())/float64(units)/1e3, fmt.Sprintf("%s-cpu-µs/%s", name, unit))
		if i > 0 {
			b.ReportMetric(float64(watches[0].wall)/float64(w.wall), name+"-x-"+names[0])
		}
	}
	b.ReportMetric(0, "ns/op") // an op is all contestants together: it says nothing
}

// BenchmarkConnect is connect, 5 octets read, both closes, TIME-WAIT over.
func BenchmarkConnect(b *testing.B) {
	names := []string{"bare", "pipe", "norecorder", "all"}
	watches := make([]stopwatch, len(names))
	bare, piped := newPair(b, false), newPair(b, true)
	defer bare.stop()
	defer piped.stop()
	for b.Loop() {
		bare.cycle(b, cycles, []byte("12345"), &watches[0])
		piped.cycle(b, cycles, []byte("12345"), &watches[1])
		drive(b, netns.Config{Record: netns.RecordNothing}, cycles, &watches[2])
		drive(b, netns.Config{}, cycles, &watches[3])
	}
	report(b, b.N*cycles, "connect", names, watches)
}

// BenchmarkRecording is the same connects without a recorder, with segments, calls and states recorded, and with all
// control information.
func BenchmarkRecording(b *testing.B) {
	names := []string{"norecorder", "segments", "all"}
	levels := []netns.RecordLevel{netns.RecordNothing, netns.RecordNoControl, netns.RecordAll}
	watches := make([]stopwatch, len(names))
	for b.Loop() {
		for i, level := range levels {
			drive(b, netns.Config{Record: level}, cycles, &watches[i])
		}
	}
	report(b, b.N*cycles, "connect", names, watches)
	for i, name := range names[1:] {
		b.ReportMetric(100*(float64(watches[i+1].wall)/float64(watches[0].wall)-1), name+"-cost-%")
	}
}

// BenchmarkBulk is 256 KiB from server to client at MTU 1500, the octets of data not kept.
func BenchmarkBulk(b *testing.B) {
	const octets = 256 << 10
	names := []string{"bare", "norecorder", "all"}
	watches := make([]stopwatch, len(names))
	bare := newPair(b, false)
	defer bare.stop()
	data := make([]byte, octets)
	bulk := func(cfg netns.Config, watch *stopwatch) {
		cfg.OmitData = true
		sb, err := netns.New(gvisors(cfg))
		if err != nil {
			b.Fatal(err)
		}
		server := serverCycle()
		server[1].N = octets
		watched(b, sb, watch, &again{first: listening, loop: server, times: 1}, &again{loop: clientCycle(), times: 1})
	}
	for b.Loop() {
		bare.cycle(b, 1, data, &watches[0])
		bulk(netns.Config{Record: netns.RecordNothing}, &watches[1])
		bulk(netns.Config{}, &watches[2])
	}
	report(b, b.N, "transfer", names, watches)
	for i, name := range names {
		b.ReportMetric(octets*float64(b.N)/watches[i].wall.Seconds()/1e6, name+"-MB/s")
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
		if err := sb.Program(netns.Client, "client", netns.Calls(clientCycle()[:2]...)); err != nil {
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
	var one, two stopwatch
	world := func(n int) {
		var w stopwatch
		drive(b, netns.Config{}, n, &w)
	}
	for b.Loop() {
		one.start()
		world(2 * cycles)
		one.stop()
		two.start()
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() { world(2 * cycles) })
		}
		wg.Wait()
		two.stop()
	}
	b.ReportMetric(2*float64(one.wall)/float64(two.wall), "two-x-one")
	b.ReportMetric(0, "ns/op")
}
