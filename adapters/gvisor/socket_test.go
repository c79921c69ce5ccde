package gvisor

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/trace"
)

func TestConnectIsToldOnce(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	p.listen(5)
	c := p.dial()
	p.wantErr(c.Connect(p.server.addr), netns.ErrInProgress)
	p.run(10 * delay)
	p.must(c.Connect(p.server.addr))
	p.wantErr(c.Connect(p.server.addr), netns.ErrConnected)
}

func TestConnectRefused(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	c := p.dial()
	p.run(10 * delay)
	p.wantErr(c.Connect(p.server.addr), netns.ErrRefused)
	// As in gVisor's own system calls SO_ERROR has it too, once; and the socket cannot be used again.
	p.wantErr(c.PendingError(), netns.ErrRefused)
	p.must(c.PendingError())
	p.wantErr(c.Connect(p.server.addr), netns.ErrAborted)
}

func TestConnectTimesOut(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	p.drop = func(f flight) bool { return true }
	c := p.dial()
	var at time.Duration
	p.expired = func(*end, netns.Expired) { at = p.now }
	p.run(time.Hour)
	p.wantErr(c.Connect(p.server.addr), netns.ErrTimeout)
	var got []time.Duration
	for _, f := range p.sent {
		got = append(got, f.at-delay)
	}
	for i, want := range []time.Duration{0, 1, 3, 7, 15, 31, 63} {
		if i >= len(got) || got[i] != want*time.Second {
			t.Fatalf("SYNs at %v, want them at 0, 1, 3, 7, 15, 31 and 63 s", got)
		}
	}
	if want := 127 * time.Second; at != want || len(got) != 7 {
		t.Errorf("after %d SYNs it ended at %v, want 7 and %v", len(got), at, want)
	}
}

func TestConnectToNobodysNetwork(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	c := p.socket(p.client)
	if err := c.Connect(netip.MustParseAddrPort("198.51.100.1:80")); !errors.Is(err, netns.ErrHostUnreachable) && !errors.Is(err, netns.ErrNetUnreachable) {
		t.Errorf("connect() out of the network: %v", err)
	}
	p.wantErr(c.Connect(netip.MustParseAddrPort("[2001:db8::1]:80")), netns.ErrAddressFamily)
	if got, _, ok := p.client.Take(nil); ok {
		t.Errorf("it sent % x", got)
	}
}

func TestSocketsOfTheOtherFamily(t *testing.T) {
	for network, family := range map[string]netns.Family{"192.0.2.0/24": netns.IPv6, "2001:db8::/64": netns.IPv4} {
		p := newPair(t, network)
		if s, err := p.client.Socket(family); s != nil || !errors.Is(err, netns.ErrAddressFamily) {
			t.Errorf("%s: socket %v, error %v, want %v", network, s, err, netns.ErrAddressFamily)
		}
	}
}

func TestDataInBothDirections(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	c, s := p.connect(p.listen(5))
	buf := make([]byte, 1<<16)
	_, err := s.Receive(buf)
	p.wantErr(err, netns.ErrWouldBlock)

	data := make([]byte, 300_000)
	for i := range data {
		data[i] = byte(i * i >> 8)
	}
	for _, test := range []struct{ from, to *socket }{{c, s}, {s, c}} {
		var got []byte
		rest := data
		for len(got) < len(data) {
			if len(rest) > 0 {
				n, err := test.from.Send(rest)
				if err != nil && !errors.Is(err, netns.ErrWouldBlock) {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			p.settle(p.client, 0)
			p.settle(p.server, delay)
			n, err := test.to.Receive(buf)
			if err != nil && !errors.Is(err, netns.ErrWouldBlock) {
				t.Fatal(err)
			}
			got = append(got, buf[:n]...)
			p.take(p.server)
			p.take(p.client)
		}
		if !bytes.Equal(got, data) {
			t.Errorf("the data that arrived are not those that were sent")
		}
	}

	// A full buffer takes no more, and says so.
	p.drop = func(flight) bool { return true }
	sent := 0
	for {
		n, err := c.Send(data)
		if err != nil {
			p.wantErr(err, netns.ErrWouldBlock)
			break
		}
		sent += n
	}
	if limit, _ := c.Option(netns.SendBuffer); sent < limit/2 || sent > 2*limit {
		t.Errorf("%d octets were taken, with a send buffer of %d", sent, limit)
	}
}

func TestEndOfData(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	c, s := p.connect(p.listen(5))
	if _, err := c.Send([]byte("bye")); err != nil {
		t.Fatal(err)
	}
	p.must(c.Shutdown(netns.ShutWrite))
	p.settle(p.client, 10*delay)
	p.wantState(c, trace.FinWait2)
	p.wantState(s, trace.CloseWait)
	_, err := c.Send([]byte("more"))
	p.wantErr(err, netns.ErrPipe)
	buf := make([]byte, 10)
	if n, err := s.Receive(buf); string(buf[:n]) != "bye" || err != nil {
		t.Errorf("received %q, %v", buf[:n], err)
	}
	for range 2 {
		if n, err := s.Receive(buf); n != 0 || err != nil {
			t.Errorf("at the end of data: %d octets, error %v", n, err)
		}
	}
}

func TestAbortSendsReset(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	c, s := p.connect(p.listen(5))
	if _, err := s.Send([]byte("unread")); err != nil {
		t.Fatal(err)
	}
	p.settle(p.server, 2*delay)
	n := len(p.sent)
	p.must(c.Abort())
	p.wantTouched(p.client, "1 CLOSED gone")
	p.settle(p.client, 2*delay)
	if len(p.sent) != n+1 || !p.sent[n].flags().Has(trace.RST) {
		t.Errorf("an aborted connection sent %d segments, want one with RST", len(p.sent)-n)
	}
	_, err := s.Receive(make([]byte, 1))
	p.wantErr(err, netns.ErrReset)

	// Without a peer nothing is sent.
	for name, w := range map[string]*socket{"connecting": p.dial(), "fresh": p.socket(p.client)} {
		n := len(p.sent)
		p.must(w.Abort())
		p.take(p.client)
		if len(p.sent) != n || !w.Status().Gone {
			t.Errorf("%s: aborting it sent %d segments; gone: %v", name, len(p.sent)-n, w.Status().Gone)
		}
	}
}

// RFC 9293, Section 3.10.5: in TIME-WAIT the TCB is deleted.
func TestAbortInTimeWait(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	c, s := p.connect(p.listen(5))
	p.must(c.Shutdown(netns.ShutWrite))
	p.settle(p.client, 2*delay)
	p.must(s.Close())
	p.settle(p.server, 2*delay)
	p.wantState(c, trace.TimeWait)
	p.must(c.Abort())
	p.wantTouched(p.client, "1 CLOSED gone")
	if _, ok := p.client.Deadline(); ok {
		t.Errorf("a timer is armed after the abort")
	}
}

func TestCallsOnWhatNobodyNames(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	c := p.socket(p.client)
	p.must(c.Close())
	_, accept := c.Accept()
	_, send := c.Send([]byte{1})
	_, receive := c.Receive(make([]byte, 1))
	_, option := c.Option(netns.TTL)
	for name, err := range map[string]error{
		"bind": c.Bind(p.client.addr), "listen": c.Listen(1), "connect": c.Connect(p.server.addr), "shutdown": c.Shutdown(netns.ShutBoth), "close": c.Close(),
		"abort": c.Abort(), "pending error": c.PendingError(), "set option": c.SetOption(netns.TTL, 1), "accept": accept, "send": send, "receive": receive, "option": option,
	} {
		if !errors.Is(err, netns.ErrBadDescriptor) {
			t.Errorf("%s: %v, want %v", name, err, netns.ErrBadDescriptor)
		}
	}
}

func TestCallsInTheWrongState(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	c := p.socket(p.client)
	_, err := c.Send([]byte{1})
	p.wantErr(err, netns.ErrPipe)
	_, err = c.Receive(make([]byte, 1))
	p.wantErr(err, netns.ErrNotConnected)
	p.wantErr(c.Shutdown(netns.ShutBoth), netns.ErrNotConnected)
	_, err = c.Accept()
	p.wantErr(err, netns.ErrInvalid)
	p.wantErr(c.Bind(p.server.addr), netns.ErrAddressNotOurs)
	l := p.listen(1)
	_, err = l.Accept()
	p.wantErr(err, netns.ErrWouldBlock)
	other := p.socket(p.server)
	p.wantErr(other.Bind(p.server.addr), netns.ErrAddressInUse)
	p.wantErr(l.Bind(p.server.addr), netns.ErrInvalid)
}

func TestAddresses(t *testing.T) {
	for _, network := range []string{"192.0.2.0/24", "2001:db8::/64"} {
		p := newPair(t, network)
		l := p.socket(p.server)
		if l.LocalAddr().IsValid() || l.RemoteAddr().IsValid() {
			t.Errorf("a new socket has addresses %v, %v", l.LocalAddr(), l.RemoteAddr())
		}
		unspecified := netip.IPv4Unspecified()
		if p.server.family == netns.IPv6 {
			unspecified = netip.IPv6Unspecified()
		}
		p.must(l.Bind(netip.AddrPortFrom(unspecified, port)))
		p.must(l.Listen(1))
		if got, want := l.LocalAddr(), netip.AddrPortFrom(unspecified, port); got != want || l.RemoteAddr().IsValid() {
			t.Errorf("the listener is %v with peer %v, want %v and none", got, l.RemoteAddr(), want)
		}
		c, s := p.connect(l)
		if c.RemoteAddr() != p.server.addr || s.LocalAddr() != p.server.addr || c.LocalAddr() != s.RemoteAddr() || c.LocalAddr().Addr() != p.client.addr.Addr() {
			t.Errorf("client %v to %v, server %v to %v", c.LocalAddr(), c.RemoteAddr(), s.LocalAddr(), s.RemoteAddr())
		}
	}
}

func TestBacklog(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	l := p.listen(1)
	for range 4 {
		p.dial()
		p.run(2 * delay)
	}
	p.run(10 * delay)
	n := 0
	for {
		if _, err := l.Accept(); err != nil {
			p.wantErr(err, netns.ErrWouldBlock)
			break
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d connections waited at listen(1), want 2: one more than the backlog", n)
	}
	for backlog, want := range map[int]string{0: "0", 7: "7", 1024: "1024", 5000: "1024", -1: "1024"} {
		p.must(l.Listen(backlog))
		if got := reported(l)[trace.Backlog]; got != want {
			t.Errorf("listen(%d) has a backlog of %s, want %s", backlog, got, want)
		}
	}
}

func TestOptions(t *testing.T) {
	for _, test := range []struct {
		option              netns.Option
		first, value, after int
	}{
		{netns.ReuseAddress, 0, 1, 1},
		{netns.SendBuffer, 1 << 20, 10_000, 20_000},
		{netns.SendBuffer, 1 << 20, 1, 4096},
		{netns.ReceiveBuffer, 1 << 20, 10_000, 20_000},
		{netns.ReceiveBuffer, 1 << 20, 1 << 30, 8 << 20},
		{netns.KeepAlive, 0, 1, 1},
		{netns.Linger, -1, 5, 5},
		{netns.OOBInline, 1, 1, 1},
		{netns.NoDelay, 1, 0, 0},
		{netns.MaxSegment, 536, 1000, 1000},
		{netns.KeepIdle, 7200, 10, 10},
		{netns.KeepInterval, 75, 10, 10},
		{netns.KeepCount, 9, 3, 3},
		{netns.UserTimeout, 0, 1500, 1500},
		{netns.TTL, 64, 7, 7},
		{netns.TOS, 0, 0xbb, 0xb8},
	} {
		for _, network := range []string{"192.0.2.0/24", "2001:db8::/64"} {
			p := newPair(t, network)
			w := p.socket(p.client)
			if got, err := w.Option(test.option); got != test.first || err != nil {
				t.Errorf("%s: option %d is %d at first, error %v, want %d", network, test.option, got, err, test.first)
			}
			if err := w.SetOption(test.option, test.value); err != nil {
				t.Errorf("%s: option %d to %d: %v", network, test.option, test.value, err)
			}
			if got, err := w.Option(test.option); got != test.after || err != nil {
				t.Errorf("%s: option %d is %d after it was set to %d, error %v, want %d", network, test.option, got, test.value, err, test.after)
			}
		}
	}
}

func TestOptionsOutOfBounds(t *testing.T) {
	p := newPair(t, "2001:db8::/64")
	for option, values := range map[netns.Option][]int{
		netns.KeepIdle: {0, 32768}, netns.KeepInterval: {0, 32768}, netns.KeepCount: {0, 128}, netns.UserTimeout: {-1}, netns.TTL: {-1, 256},
		netns.TOS: {-1, 256}, netns.MaxSegment: {0, 1 << 20},
	} {
		for _, value := range values {
			if err := p.socket(p.client).SetOption(option, value); !errors.Is(err, netns.ErrInvalid) {
				t.Errorf("option %d to %d: %v, want %v", option, value, err, netns.ErrInvalid)
			}
		}
	}
	w := p.socket(p.client)
	if got, err := w.Option(netns.V6Only); got != 0 || err != nil {
		t.Errorf("IPV6_V6ONLY is %d, error %v", got, err)
	}
	p.must(w.SetOption(netns.V6Only, 1))
	p.must(w.Bind(p.client.addr))
	p.wantErr(w.SetOption(netns.V6Only, 0), netns.ErrInvalid)
	p4 := newPair(t, "192.0.2.0/24")
	p4.wantErr(p4.socket(p4.client).SetOption(netns.V6Only, 1), netns.ErrNoProtocolOption)
}

// Options change what is sent.
func TestOptionsTakeEffect(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	p.listen(5)
	c := p.socket(p.client)
	for option, value := range map[netns.Option]int{netns.TTL: 7, netns.TOS: 0xb8, netns.MaxSegment: 600} {
		p.must(c.SetOption(option, value))
	}
	p.wantErr(c.Connect(p.server.addr), netns.ErrInProgress)
	p.take(p.client)
	syn := p.sent[0].octets
	if mss := be16(dissectTCP(syn)[22:]); syn[8] != 7 || syn[1] != 0xb8 || mss != 600 {
		t.Errorf("the SYN has TTL %d, TOS %#x and MSS %d, want 7, 0xb8 and 600", syn[8], syn[1], mss)
	}
	p.run(10 * delay)
	p.must(c.Connect(p.server.addr))
	p.must(c.SetOption(netns.Linger, 0))
	p.must(c.Close())
	p.take(p.client)
	if last := p.sent[len(p.sent)-1]; !last.flags().Has(trace.RST) {
		t.Errorf("close() with SO_LINGER 0 sent %v, want RST", last.flags())
	}
}

// What answers ErrUnsupported is what Info names, and nothing else.
func TestUnsupportedIsNamed(t *testing.T) {
	p := newPair(t, "2001:db8::/64")
	var got []string
	for option := netns.ReuseAddress; option <= netns.V6Only; option++ {
		w := p.socket(p.client)
		if _, err := w.Option(option); errors.Is(err, netns.ErrUnsupported) {
			got = append(got, "getsockopt")
		}
		for _, value := range []int{0, 1, 100} {
			if err := w.SetOption(option, value); errors.Is(err, netns.ErrUnsupported) {
				if option != netns.OOBInline || value != 0 {
					t.Errorf("option %d to %d is unsupported", option, value)
					continue
				}
				got = append(got, "SO_OOBINLINE off")
			}
		}
	}
	info := (&Factory{}).Info()
	if len(got) != len(info.Unsupported) || len(got) != 1 || got[0] != info.Unsupported[0] {
		t.Errorf("unsupported: %q, Info names %q", got, info.Unsupported)
	}
	w := p.socket(p.client)
	p.wantErr(w.SetOption(netns.V6Only+1, 1), netns.ErrUnsupported)
	_, err := w.Option(netns.V6Only + 1)
	p.wantErr(err, netns.ErrUnsupported)
}
