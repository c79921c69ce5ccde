package handwritten

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/trace"
	"connectlab/trace/wire"
)

// Two stacks and no driver: what one sends the other gets at once, in order.
type twins struct {
	testing.TB
	client, server *stack
	now            time.Duration
	buf            []byte
	sent           []trace.Packet // if keep
	keep           bool
	bend           func(octets []byte) bool // may change a packet; false: it is lost
}

func newTwins(tb testing.TB, client, server *Factory, network string, ecn bool, seed byte) *twins {
	tb.Helper()
	prefix := netip.MustParsePrefix(network)
	t := &twins{TB: tb, keep: true}
	address := prefix.Addr()
	for _, host := range []struct {
		name    string
		factory *Factory
		stack   **stack
	}{{netns.Client, client, &t.client}, {netns.Server, server, &t.server}} {
		address = address.Next()
		made, err := host.factory.New(netns.Env{
			Host: host.name, Address: netip.PrefixFrom(address, prefix.Bits()), MTU: 1500, ECN: ecn, Seed: [32]byte{seed, byte(len(host.name)), host.name[0]},
		})
		if err != nil {
			tb.Fatal(err)
		}
		*host.stack = made.(*stack)
	}
	return t
}

// flow carries packets to and fro until there are none.
func (t *twins) flow() {
	for again := true; again; {
		again = false
		for _, way := range [][2]*stack{{t.client, t.server}, {t.server, t.client}} {
			for {
				packet, _, ok := way[0].Take(t.buf)
				if t.buf = packet; !ok {
					break
				}
				again = true
				passes := t.bend == nil || t.bend(packet)
				if t.keep {
					p := trace.Packet{Octets: slices.Clone(packet), Len: len(packet)}
					wire.Decode(&p)
					t.sent = append(t.sent, p)
				}
				if passes {
					way[1].Deliver(packet)
				}
			}
		}
	}
}

// pass lets time pass.
func (t *twins) pass(d time.Duration) {
	until := t.now + d
	for {
		next := until
		var due *stack
		for _, s := range []*stack{t.client, t.server} {
			if at, ok := s.Deadline(); ok && at <= next && (due == nil || at < next) {
				next, due = at, s
			}
		}
		t.now = next
		t.client.Advance(t.now)
		t.server.Advance(t.now)
		if due == nil {
			return
		}
		due.Expire()
		t.flow()
	}
}

func (t *twins) must(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// listen makes a listener at port 80.
func (t *twins) listen() *tcb {
	t.Helper()
	l, err := t.server.Socket(t.server.family)
	t.must(err)
	t.must(l.Bind(netip.AddrPortFrom(t.server.own, 80)))
	t.must(l.Listen(128))
	return l.(*tcb)
}

// connect makes a connection.
func (t *twins) connect(l *tcb) (client, server *tcb) {
	t.Helper()
	c, err := t.client.Socket(t.client.family)
	t.must(err)
	if err := c.Connect(netip.AddrPortFrom(t.server.own, 80)); !errors.Is(err, netns.ErrInProgress) {
		t.Fatal(err)
	}
	t.flow()
	t.must(c.Connect(netip.AddrPortFrom(t.server.own, 80)))
	s, err := l.Accept()
	t.must(err)
	return c.(*tcb), s.(*tcb)
}

func (t *twins) send(c *tcb, data string) {
	t.Helper()
	if n, err := c.Send([]byte(data)); n != len(data) || err != nil {
		t.Fatalf("send took %d octets, %v", n, err)
	}
	t.flow()
}

func (t *twins) wantReceived(c *tcb, want string) {
	t.Helper()
	buf := make([]byte, len(want)+10)
	if n, err := c.Receive(buf); string(buf[:n]) != want || err != nil {
		t.Errorf("received %q, %v, want %q", buf[:n], err, want)
	}
}

// ladder prints what was sent, in short, and forgets it.
func (t *twins) ladder() string {
	var words []string
	for _, p := range t.sent {
		word := p.TCP.Flags.String()
		if p.TCP.DataLen > 0 {
			word += fmt.Sprintf("+%d", p.TCP.DataLen)
		}
		words = append(words, word)
	}
	t.sent = nil
	return strings.Join(words, " ")
}

func (t *twins) wantLadder(when, want string) {
	t.Helper()
	if got := t.ladder(); got != want {
		t.Errorf("%s: sent %q, want %q", when, got, want)
	}
}

func (t *twins) wantStates(when string, client, server *tcb, want ...trace.State) {
	t.Helper()
	if got := []trace.State{client.state, server.state}; !slices.Equal(got, want) {
		t.Errorf("%s: states %v, want %v", when, got, want)
	}
}

var networks = []string{"192.0.2.0/24", "2001:db8::/64"}

// TestPlain is the course of a connection without the driver, over IPv4 and IPv6.
func TestPlain(t *testing.T) {
	for _, network := range networks {
		t.Run(network, func(tb *testing.T) {
			t := newTwins(tb, &Factory{}, &Factory{}, network, false, 1)
			l := t.listen()
			c, s := t.connect(l)
			t.wantLadder("connect", "SYN SYN,ACK ACK")
			t.wantStates("connect", c, s, trace.Established, trace.Established)
			t.send(c, "hello")
			t.wantReceived(s, "hello")
			t.send(s, "hello, too")
			t.wantReceived(c, "hello, too")
			t.pass(time.Second)
			t.wantLadder("data", "PSH,ACK+5 PSH,ACK+10 ACK")
			t.must(c.Close())
			t.flow()
			t.wantStates("the client closes", c, s, trace.FinWait2, trace.CloseWait)
			t.wantReceived(s, "")
			t.must(s.Close())
			t.flow()
			t.wantLadder("both close", "FIN,ACK ACK FIN,ACK ACK")
			t.wantStates("both close", c, s, trace.TimeWait, trace.Closed)
			t.pass(4*time.Minute - time.Nanosecond)
			t.wantStates("before 2 MSL", c, s, trace.TimeWait, trace.Closed)
			t.pass(time.Nanosecond)
			t.wantStates("after 2 MSL", c, s, trace.Closed, trace.Closed)
			t.must(l.Close())
			for name, s := range map[string]*stack{"client": t.client, "server": t.server} {
				if len(s.connections)+len(s.listeners)+len(s.bound)+len(s.timers.heap) > 0 {
					t.Errorf("the %s still has %d connections, %d listeners, %d ports, %d timers", name, len(s.connections), len(s.listeners), len(s.bound), len(s.timers.heap))
				}
			}
		})
	}
}

// TestECN: the handshake of RFC 3168, Section 6.1.1, marks on data alone, and the answer to congestion.
func TestECN(t *testing.T) {
	for _, test := range []struct {
		name           string
		client, server bool
		syn, synAck    string
		marked         bool
	}{
		{"both", true, true, "SYN,ECE,CWR", "SYN,ACK,ECE", true},
		{"client", true, false, "SYN,ECE,CWR", "SYN,ACK", false},
		{"server", false, true, "SYN", "SYN,ACK", false},
	} {
		t.Run(test.name, func(tb *testing.T) {
			t := newTwins(tb, &Factory{}, &Factory{}, networks[0], false, 1)
			t.client.ecn, t.server.ecn = test.client, test.server
			c, s := t.connect(t.listen())
			t.wantLadder("connect", test.syn+" "+test.synAck+" ACK")
			t.send(c, strings.Repeat("x", 4*1460))
			for _, p := range t.sent {
				if got, want := p.IP.TOS&3 == ect0, test.marked && p.TCP.DataLen > 0; got != want {
					t.Errorf("%v of %d octets: marked %v, want %v", p.TCP.Flags, p.TCP.DataLen, got, want)
				}
			}
			if !test.marked {
				return
			}
			t.sent = nil
			before := c.cwnd
			congested := false
			t.bend = func(octets []byte) bool {
				if octets[1]&3 == ect0 && !congested {
					congested = true
					octets[1] |= ce
					octets[10], octets[11] = 0, 0
					check := ^fold(sum(octets[:20], 0))
					octets[10], octets[11] = byte(check>>8), byte(check)
				}
				return true
			}
			t.send(c, strings.Repeat("x", 2*1460))
			t.wantLadder("a packet is marked", "ACK+1460 PSH,ACK+1460 ACK,ECE")
			if want := 2 * 1460; c.cwnd != want {
				t.Errorf("cwnd was %d and is %d, want %d", before, c.cwnd, want)
			}
			t.send(s, "x")
			t.wantLadder("it is told until CWR comes", "PSH,ACK,ECE+1")
			t.send(c, "x")
			t.wantLadder("CWR", "PSH,ACK,CWR+1")
			t.send(s, "x")
			t.send(c, "x")
			t.wantLadder("no more", "PSH,ACK+1 PSH,ACK+1")
			if want := 2 * 1460; c.cwnd < want {
				t.Errorf("cwnd is %d after the same window's ECE, want %d", c.cwnd, want)
			}
		})
	}
}

// TestUrgent: the pointer points behind the last urgent octet (RFC 9293, Section 3.8.5, MUST-62), which stays among the data.
func TestUrgent(t *testing.T) {
	w := newTwins(t, &Factory{}, &Factory{}, networks[0], false, 1)
	c, s := w.connect(w.listen())
	w.must(c.SetOption(netns.NoDelay, 1))
	w.sent = nil
	w.send(c, "before")
	if n, err := c.SendUrgent([]byte("!")); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	w.flow()
	w.send(c, "behind")
	var got []string
	for _, p := range w.sent {
		if p.TCP.DataLen > 0 {
			got = append(got, fmt.Sprintf("%s %v %d", p.Data(), p.TCP.Flags.Has(trace.URG), p.TCP.Urgent))
		}
	}
	if want := []string{"before false 0", "! true 1", "behind false 0"}; !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
	if want := s.irs.Add(1 + 7); s.rcvUp != want {
		t.Errorf("RCV.UP is %d, want %d", s.rcvUp, want)
	}
	w.wantReceived(s, "before!behind")
}

// TestICMPErrors: RFC 9293, Section 3.9.2.2; RFC 5927, Section 4.
func TestICMPErrors(t *testing.T) {
	for _, test := range []struct {
		name       string
		kind, code byte
		off        int // of the quoted number from the SYN's
		state      trace.State
		err        error
	}{
		{"port unreachable", 3, 3, 0, trace.Closed, netns.ErrRefused},
		{"host unreachable", 3, 1, 0, trace.SynSent, netns.ErrHostUnreachable},
		{"time exceeded", 11, 0, 0, trace.SynSent, netns.ErrHostUnreachable},
		{"source quench", 4, 0, 0, trace.SynSent, nil},
		{"another number", 3, 3, 1, trace.SynSent, nil},
		{"an older number", 3, 3, -1, trace.SynSent, nil},
	} {
		t.Run(test.name, func(tb *testing.T) {
			t := newTwins(tb, &Factory{}, &Factory{}, networks[0], false, 1)
			sock, err := t.client.Socket(netns.IPv4)
			t.must(err)
			if err := sock.Connect(netip.AddrPortFrom(t.server.own, 80)); !errors.Is(err, netns.ErrInProgress) {
				t.Fatal(err)
			}
			c := sock.(*tcb)
			syn, _, _ := t.client.Take(nil)
			quoted := slices.Clone(syn[:28])
			quoted[27] += byte(test.off)
			icmp := append([]byte{test.kind, test.code, 0, 0, 0, 0, 0, 0}, quoted...)
			check := ^fold(sum(icmp, 0))
			icmp[2], icmp[3] = byte(check>>8), byte(check)
			packet := slices.Clone(syn[:20])
			packet[3], packet[9], packet[10], packet[11] = byte(20+len(icmp)), protocolICMP, 0, 0
			copy(packet[12:], syn[16:20])
			copy(packet[16:], syn[12:16])
			check = ^fold(sum(packet, 0))
			packet[10], packet[11] = byte(check>>8), byte(check)
			t.client.Deliver(append(packet, icmp...))
			if c.state != test.state {
				t.Errorf("state %v, want %v", c.state, test.state)
			}
			if err := c.PendingError(); !errors.Is(err, test.err) {
				t.Errorf("pending error %v, want %v", err, test.err)
			}
		})
	}
}

// TestOptionsOnRequest: each option is offered where it is asked for, and in force where both sides ask.
func TestOptionsOnRequest(t *testing.T) {
	all := func() (list []*Factory) {
		for i := range 8 {
			list = append(list, &Factory{WindowScale: i&1 != 0, Timestamps: i&2 != 0, SACKPermitted: i&4 != 0})
		}
		return list
	}
	for _, client := range all() {
		for _, server := range all() {
			t.Run(client.Info().Name+" to "+server.Info().Name, func(tb *testing.T) {
				t := newTwins(tb, client, server, networks[0], false, 1)
				c, s := t.connect(t.listen())
				both := Factory{client.WindowScale && server.WindowScale, client.Timestamps && server.Timestamps, client.SACKPermitted && server.SACKPermitted, 0}
				t.wantOptions("SYN", &t.sent[0], client, true)
				t.wantOptions("SYN,ACK", &t.sent[1], &both, true)
				later := &Factory{Timestamps: both.Timestamps}
				t.wantOptions("ACK", &t.sent[2], later, false)
				t.sent = nil
				first := true
				t.bend = func(octets []byte) bool { // the first segment is lost
					lost := first
					first = false
					return !lost
				}
				t.send(c, strings.Repeat("x", 3*1448))
				blocks := 0
				for i := range t.sent {
					p := &t.sent[i]
					t.wantOptions("data", p, later, false)
					for o := range p.TCP.Options.All() {
						for range o.SACKBlocks() {
							blocks++
						}
					}
				}
				if (blocks > 0) != both.SACKPermitted {
					t.Errorf("%d blocks of SACK", blocks)
				}
				t.pass(10 * time.Second)
				t.wantReceived(s, strings.Repeat("x", 3*1448))
				if want := both.WindowScale; (s.rcvShift > 0) != want || (c.sndShift > 0) != want || (c.sndWnd > 65535) != want {
					t.Errorf("shifts %d, %d, window %d: scaled is to be %v", s.rcvShift, c.sndShift, c.sndWnd, want)
				}
			})
		}
	}
}

func (t *twins) wantOptions(what string, p *trace.Packet, f *Factory, mss bool) {
	t.Helper()
	o := p.TCP.Options
	_, hasMSS := o.MSS()
	_, scale := o.WindowScale()
	_, _, ts := o.Timestamps()
	if hasMSS != mss || scale != f.WindowScale || ts != f.Timestamps || o.SACKPermitted() != f.SACKPermitted {
		t.Errorf("%s: options % x, want MSS %v and those of %s", what, []byte(o), mss, f.Info().Name)
	}
}

// TestSameSeedSameOctets: what a stack sends depends on nothing but its seed and what is done to it.
func TestSameSeedSameOctets(t *testing.T) {
	run := func(seed byte) (octets []string) {
		f := &Factory{WindowScale: true, Timestamps: true, SACKPermitted: true}
		w := newTwins(t, f, f, networks[0], true, seed)
		n := 0
		w.bend = func([]byte) bool { n++; return n%7 != 0 }
		l := w.listen()
		for range 5 {
			c, err := w.client.Socket(netns.IPv4)
			w.must(err)
			if err := c.Connect(netip.AddrPortFrom(w.server.own, 80)); !errors.Is(err, netns.ErrInProgress) {
				t.Fatal(err)
			}
			w.flow()
			w.pass(10 * time.Second)
			w.send(c.(*tcb), strings.Repeat("x", 20_000))
			w.pass(time.Minute)
			w.must(c.Close())
			w.pass(time.Minute)
		}
		w.must(l.Close())
		w.client.Close()
		w.server.Close()
		w.flow()
		for _, p := range w.sent {
			octets = append(octets, string(p.Octets))
		}
		return octets
	}
	first := run(1)
	if len(first) < 100 {
		t.Errorf("only %d packets", len(first))
	}
	if !slices.Equal(first, run(1)) {
		t.Error("the same seed, other octets")
	}
	if slices.Equal(first[:1], run(2)[:1]) {
		t.Error("another seed, the same first SYN")
	}
}

// TestPortsAndNumbers: RFC 6056, Sections 3.2 and 3.3; RFC 6528, Section 3.
func TestPortsAndNumbers(t *testing.T) {
	w := newTwins(t, &Factory{}, &Factory{}, networks[0], false, 1)
	l := w.listen()
	ports := map[uint16]bool{}
	next, low := 0, 0
	var last uint16
	for range 1000 {
		c, _ := w.connect(l)
		port := c.local.Port()
		if port < 1024 || ports[port] {
			t.Fatalf("port %d", port)
		}
		ports[port] = true
		if port == last+1 {
			next++
		}
		if last = port; port < 32768 {
			low++
		}
	}
	if next > 5 || low < 400 || low > 600 {
		t.Errorf("of 1000 ports %d follow the one before, %d lie in the lower half", next, low)
	}
	a, b := netip.AddrPortFrom(w.client.own, 5000), netip.AddrPortFrom(w.server.own, 80)
	first := w.client.initialSequenceNumber(a, b)
	w.client.Advance(w.now + 4*time.Second)
	if got := w.client.initialSequenceNumber(a, b).Sub(first); got != 1_000_000 {
		t.Errorf("the ISS went on by %d in 4 s, want 1000000", got)
	}
	if w.client.initialSequenceNumber(b, a) == w.client.initialSequenceNumber(a, b) || w.server.initialSequenceNumber(a, b) == w.client.initialSequenceNumber(a, b) {
		t.Error("the ISS is that of other names, or of another host")
	}
}

// bulk carries n octets from the client to the server.
func (t *twins) bulk(c, s *tcb, data, buf []byte, n int) {
	for got := 0; got < n; {
		sent, err := c.Send(data)
		if err != nil && !errors.Is(err, netns.ErrWouldBlock) {
			t.Fatal(err)
		}
		t.flow()
		received, err := s.Receive(buf)
		switch {
		case err == nil:
		case !errors.Is(err, netns.ErrWouldBlock):
			t.Fatal(err)
		case sent == 0:
			t.pass(time.Second)
		}
		t.flow()
		got += received
	}
}

// TestMarksGoAlong: fast retransmit and the answer to ECE are not forgotten where more than half the circle of numbers was sent since the
// last congestion.
func TestMarksGoAlong(t *testing.T) {
	w := newTwins(t, &Factory{}, &Factory{}, networks[0], false, 1)
	w.client.ecn, w.server.ecn = true, true
	c, _ := w.connect(w.listen())
	old := c.sndUna.Add(1<<31 + 100) // a hundred octets less than half the circle behind
	c.recover, c.ecnUntil = old, old
	for _, n := range []int{50, 1000} {
		w.send(c, strings.Repeat("x", n))
		w.pass(time.Second)
	}
	if c.sndUna.Less(c.recover) || c.sndUna.Less(c.ecnUntil) {
		t.Errorf("SND.UNA is %d: recover %d and the mark of ECE %d are ahead", c.sndUna, c.recover, c.ecnUntil)
	}
}

// TestBulkDoesNotAllocate: in the steady state a transfer takes no memory.
func TestBulkDoesNotAllocate(t *testing.T) {
	for _, f := range []*Factory{{}, {WindowScale: true, Timestamps: true, SACKPermitted: true}} {
		t.Run(f.Info().Name, func(t *testing.T) {
			w := newTwins(t, f, f, networks[0], false, 1)
			c, s := w.connect(w.listen())
			w.keep, w.sent = false, nil
			data, buf := make([]byte, 16<<10), make([]byte, 1<<20)
			w.bulk(c, s, data, buf, 4<<20)
			if allocs := testing.AllocsPerRun(20, func() { w.bulk(c, s, data, buf, 1<<20) }); allocs != 0 {
				t.Errorf("%v allocations in 1 MiB, want 0", allocs)
			}
		})
	}
}

// TestMemoryOfOtherSizesMakesRoom: what connections with buffers of other sizes have left does not keep out that of the usual ones.
func TestMemoryOfOtherSizesMakesRoom(t *testing.T) {
	w := newTwins(t, &Factory{}, &Factory{}, networks[0], false, 1)
	for i := range 2 * poolSize {
		odd := w.client.ring(leastBuffer + i)
		w.client.release(&odd)
	}
	usual := w.client.ring(defaultBuffer)
	memory := &usual.memory[0]
	w.client.release(&usual)
	if again := w.client.ring(defaultBuffer); &again.memory[0] != memory {
		t.Error("the memory that was given back last is not used again")
	}
	if len(w.client.pool) > poolSize {
		t.Errorf("%d rings are kept, want at most %d", len(w.client.pool), poolSize)
	}
}

// TestRingTurns: what is written at any offset is read back, across the ring's end.
func TestRingTurns(t *testing.T) {
	r := ring{memory: make([]byte, 7)}
	var want, got []byte
	octet := byte(0)
	buf := make([]byte, 7)
	for i := range 1000 {
		piece := make([]byte, i%8)
		for j := range piece {
			piece[j] = octet + byte(j)
		}
		n := r.write(piece)
		octet += byte(n)
		want = append(want, piece[:n]...)
		got = append(got, buf[:r.read(buf[:i*5%8])]...)
	}
	got = append(got, buf[:r.read(buf)]...)
	if !slices.Equal(got, want) || len(want) < 2000 {
		t.Errorf("%d octets written, %d read, the same: %v", len(want), len(got), slices.Equal(got, want))
	}
}

// TestFactoryRefuses: what cannot be is said in one line.
func TestFactoryRefuses(t *testing.T) {
	good := netns.Env{Address: netip.MustParsePrefix("192.0.2.1/24"), MTU: 1500}
	for name, test := range map[string]struct {
		factory Factory
		change  func(*netns.Env)
		want    string
	}{
		"no address":         {Factory{}, func(e *netns.Env) { e.Address = netip.Prefix{} }, "handwritten: a host needs an address"},
		"Ethernet":           {Factory{}, func(e *netns.Env) { e.Link = trace.LinkEthernet }, "handwritten: only a link of IP packets is possible"},
		"MTU":                {Factory{}, func(e *netns.Env) { e.MTU = 67 }, "handwritten: MTU of 67 octets: 68 to 65535 are possible"},
		"negative half-open": {Factory{HalfOpen: -1}, func(*netns.Env) {}, "handwritten: -1 connections in SYN-RECEIVED are negative"},
	} {
		env := good
		test.change(&env)
		if _, err := test.factory.New(env); err == nil || err.Error() != test.want {
			t.Errorf("%s: error %v, want %s", name, err, test.want)
		}
	}
	if _, err := (&Factory{}).New(good); err != nil {
		t.Error(err)
	}
}

// TestTimersGoInOrderOfTimeAndOfArming: of timers that are due at one time the one that was armed first goes first.
func TestTimersGoInOrderOfTimeAndOfArming(t *testing.T) {
	var heap timers
	all := make([]timer, 50)
	for i := range all {
		heap.arm(&all[i], time.Duration(i%5))
	}
	for i := 0; i < 50; i += 10 {
		heap.arm(&all[i], 0) // again: behind the others of its time
	}
	for i := 3; i < 50; i += 7 {
		heap.disarm(&all[i])
	}
	gone := 0
	for at, order := time.Duration(-1), uint64(0); len(heap.heap) > 0; gone++ {
		m := heap.heap[0]
		if m.at < at || m.at == at && m.order < order {
			t.Errorf("the timer of %d, the %dth that was armed, goes behind that of %d, the %dth", m.at, m.order, at, order)
		}
		at, order = m.at, m.order
		heap.disarm(m)
	}
	if gone != 50-7 {
		t.Errorf("%d timers went, want 43", gone)
	}
}
