package handwritten_test

import (
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"connectlab/adapters/gvisor"
	"connectlab/adapters/handwritten"
	"connectlab/netns"
)

var (
	clientAddress = netip.MustParsePrefix("192.0.2.1/24")
	serverAddress = netip.MustParsePrefix("192.0.2.2/24")
	port80        = netip.AddrPortFrom(serverAddress.Addr(), 80)
)

// bare is two stacks that are fed by hand: no driver, no recorder, no link.
type bare struct {
	testing.TB
	client, server netns.Stack
	listener       netns.Socket
	buf            []byte
	now            time.Duration
}

func newBare(tb testing.TB, f netns.Factory) *bare {
	w := &bare{TB: tb}
	for _, host := range []struct {
		address netip.Prefix
		stack   *netns.Stack
	}{{clientAddress, &w.client}, {serverAddress, &w.server}} {
		s, err := f.New(netns.Env{Address: host.address, MTU: 1500, Seed: [32]byte{1}})
		if err != nil {
			tb.Fatal(err)
		}
		*host.stack = s
	}
	l, err := w.server.Socket(netns.IPv4)
	w.must(err)
	w.must(l.Bind(port80))
	w.must(l.Listen(128))
	w.listener = l
	return w
}

func (w *bare) must(err error) {
	if err != nil {
		w.Fatal(err)
	}
}

// carry hands all that one stack has sent to the other.
func (w *bare) carry(from, to netns.Stack) (n int) {
	for {
		packet, _, ok := from.Take(w.buf)
		if w.buf = packet; !ok {
			return n
		}
		to.Deliver(packet)
		to.Settle()
		n++
	}
}

func (w *bare) flow() {
	for w.carry(w.client, w.server)+w.carry(w.server, w.client) > 0 {
	}
}

func (w *bare) connect() (c, s netns.Socket) {
	c, err := w.client.Socket(netns.IPv4)
	w.must(err)
	if err := c.Connect(port80); !errors.Is(err, netns.ErrInProgress) {
		w.Fatal(err)
	}
	w.flow()
	w.must(c.Connect(port80))
	s, err = w.listener.Accept()
	w.must(err)
	return c, s
}

// BenchmarkHandshake is a connection opened between two stacks that are fed by hand: socket, connect, SYN, SYN,ACK, ACK, accept. It
// is aborted at once, so that there is room for the next.
func BenchmarkHandshake(b *testing.B) {
	w := newBare(b, &handwritten.Factory{})
	b.ReportAllocs()
	for b.Loop() {
		c, s := w.connect()
		w.must(c.Abort())
		w.flow()
		w.must(s.Close())
	}
}

// transfer carries n octets from the client to the server, fed by hand.
func (w *bare) transfer(c, s netns.Socket, data, buf []byte, n int) {
	for got := 0; got < n; {
		sent, err := c.Send(data[:min(len(data), n-got)])
		if err != nil && !errors.Is(err, netns.ErrWouldBlock) {
			w.Fatal(err)
		}
		w.flow()
		received, err := s.Receive(buf)
		switch {
		case err == nil:
		case !errors.Is(err, netns.ErrWouldBlock):
			w.Fatal(err)
		case sent == 0: // an ACK is delayed
			at, ok := w.server.Deadline()
			if !ok {
				w.Fatal("nothing goes on")
			}
			w.now = at
			w.client.Advance(at)
			w.server.Advance(at)
			w.server.Expire()
		}
		w.flow()
		got += received
	}
}

const bulkOctets = 1 << 20

// BenchmarkHandFed is a transfer of 1 MiB in two stacks without driver: what of BenchmarkBulk is the stacks' own.
func BenchmarkHandFed(b *testing.B) {
	w := newBare(b, &handwritten.Factory{})
	c, s := w.connect()
	data, buf := make([]byte, 16<<10), make([]byte, 16<<10)
	b.SetBytes(bulkOctets)
	b.ReportAllocs()
	for b.Loop() {
		w.transfer(c, s, data, buf, bulkOctets)
	}
}

// driven is one run in the driver: connect, 1 MiB from client to server, both closes. Without recorder.
func driven(b *testing.B, f netns.Factory) {
	sb, err := netns.New(netns.Config{Client: f, Server: f, Seed: 1, Record: netns.RecordNothing})
	if err != nil {
		b.Fatal(err)
	}
	for host, calls := range map[string][]netns.Call{
		netns.Server: {{Op: netns.OpSocket}, {Op: netns.OpBind, FD: 3, Addr: port80}, {Op: netns.OpListen, FD: 3, N: 1}, {Op: netns.OpAccept, FD: 3},
			{Op: netns.OpReceiveAll, FD: 4, N: -1}, {Op: netns.OpClose, FD: 4}, {Op: netns.OpClose, FD: 3}},
		netns.Client: {{Op: netns.OpSocket}, {Op: netns.OpConnect, FD: 3, Addr: port80}, {Op: netns.OpSendAll, FD: 3, N: bulkOctets}, {Op: netns.OpClose, FD: 3}},
	} {
		if err := sb.Program(host, host, netns.Calls(calls...)); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := sb.Run(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkBulk is 1 MiB in the driver, without recorder: this stack and gVisor's by turns, so that both see the same machine, and
// this one fed by hand. It reports how many times faster this one is, and what of its time the driver and the stack's adapter for
// it take.
func BenchmarkBulk(b *testing.B) {
	begin := time.Now()
	var spent [4]time.Duration
	w := newBare(b, &handwritten.Factory{})
	c, s := w.connect()
	data, buf := make([]byte, 16<<10), make([]byte, 16<<10)
	plain, gv := &handwritten.Factory{}, &gvisor.Factory{}
	scaled := &handwritten.Factory{WindowScale: true, Timestamps: true, SACKPermitted: true}
	for b.Loop() {
		for i, do := range []func(){
			func() { driven(b, plain) }, func() { driven(b, gv) }, func() { w.transfer(c, s, data, buf, bulkOctets) }, func() { driven(b, scaled) },
		} {
			b.StopTimer()
			runtime.GC()
			b.StartTimer()
			from := time.Since(begin)
			do()
			spent[i] += time.Since(begin) - from
		}
	}
	perMiB := func(i int) float64 { return float64(spent[i].Microseconds()) / float64(b.N) }
	b.ReportMetric(perMiB(0), "handwritten-µs/MiB")
	b.ReportMetric(perMiB(1), "gvisor-µs/MiB")
	b.ReportMetric(perMiB(3), "all-options-µs/MiB")
	b.ReportMetric(perMiB(2), "handfed-µs/MiB")
	b.ReportMetric(perMiB(0)-perMiB(2), "driver-µs/MiB")
	b.ReportMetric(perMiB(1)/perMiB(0), "handwritten-x-gvisor")
}
