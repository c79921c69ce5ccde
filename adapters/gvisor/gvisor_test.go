package gvisor

import (
	"bytes"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

func TestConnectCarriesData(t *testing.T) {
	for _, network := range []string{"192.0.2.0/24", "2001:db8::/64"} {
		t.Run(network, func(t *testing.T) {
			p := newPair(t, network)
			l := p.socket(p.server)
			p.must(l.Bind(p.server.addr))
			p.must(l.Listen(5))
			c, s := p.connect(l)
			p.wantState(c, trace.Established)
			p.wantState(s, trace.Established)
			if n, err := c.Send([]byte("hello")); n != 5 || err != nil {
				t.Fatalf("Send took %d octets, error %v", n, err)
			}
			p.settle(p.client, 10*delay)
			buf := make([]byte, 100)
			if n, err := s.Receive(buf); string(buf[:n]) != "hello" || err != nil {
				t.Errorf("received %q, error %v", buf[:n], err)
			}
		})
	}
}

// The version is a constant, so that tests and programs tell the same; go.mod has the last word.
func TestVersionIsThatOfGoMod(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if want := "gvisor.dev/gvisor " + Version; !strings.Contains(string(mod), want) {
		t.Errorf("go.mod does not require %q", want)
	}
}

func TestInfo(t *testing.T) {
	info := (&Factory{}).Info()
	got := make(map[string]string)
	for _, s := range info.Settings {
		if s.Name == "" || s.Value == "" {
			t.Errorf("setting %q is %q", s.Name, s.Value)
		}
		got[s.Name] = s.Value
	}
	want := map[string]string{
		"congestion control": "reno", "initial cwnd": "10 segments", "SACK": "on", "RACK loss detection": "on", "Nagle": "off", "delayed ACK": "off",
		"send buffer": "1048576, 4096 to 4194304 octets", "receive buffer": "1048576, 4096 to 4194304 octets", "receive buffer moderation": "on",
		"RTO": "200ms to 2m0s", "initial RTO": "1s", "retransmissions": "15 at most", "SYN retransmissions": "6, not heeded", "always SYN cookies": "off",
		"queue to the link": "1024 packets", "neighbor reachable": "30s, times 0.5 to 1.5",
		"neighbor solicitations": "3, one each 1s, then no route to host",
		"TIME-WAIT":              "1m0s", "TIME-WAIT reuse": "loopback only", "FIN-WAIT-2 after close": "1m0s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	info.Settings[0].Value = "changed"
	if again := (&Factory{}).Info(); again.Settings[0].Value == "changed" {
		t.Errorf("Info hands out its own slice")
	}
	if info.Name != "gvisor" || info.Version != Version {
		t.Errorf("name %q, version %q", info.Name, info.Version)
	}
}

// A stack that nobody uses is silent for ever.
func TestNothingIsSentBeforeTheFirstCall(t *testing.T) {
	for _, network := range []string{"192.0.2.0/24", "2001:db8::/64", "192.0.2.0/24 ethernet", "2001:db8::/64 ethernet"} {
		p := newPairIn(t, environmentsNamed(network), &Factory{})
		c := p.socket(p.client)
		p.must(c.Bind(netip.AddrPortFrom(p.client.addr.Addr(), 0)))
		p.must(c.Listen(1))
		for _, e := range []*end{p.client, p.server} {
			if at, ok := e.Deadline(); ok {
				t.Errorf("%s: a timer of the %s is due at %v", network, e.name, at)
			}
			e.Advance(1000 * time.Hour)
			if packet, _, ok := e.Take(nil); ok {
				t.Errorf("%s: the %s sent % x", network, e.name, packet)
			}
			if expired := e.Expire(); expired != (netns.Expired{}) {
				t.Errorf("%s: there was a timer to run: %+v", network, expired)
			}
		}
	}
}

// environmentsNamed are those of a network, and of a link if one stands behind it.
func environmentsNamed(name string) [2]netns.Env {
	network, link, _ := strings.Cut(name, " ")
	if link == "ethernet" {
		return environmentsOn(trace.LinkEthernet, network)
	}
	return environments(network)
}

// story is the life of some connections with losses, and all the octets that were sent in it.
func story(tb testing.TB, network string, seed byte) []byte {
	p := &pair{tb: tb}
	envs := environmentsNamed(network)
	envs[0].Seed[1], envs[1].Seed[1] = seed, seed
	p.client, p.server = p.boot(&Factory{}, envs[0]), p.boot(&Factory{}, envs[1])
	p.client.peer, p.server.peer = p.server, p.client
	n := 0
	p.drop = func(flight) bool { n++; return n%7 == 0 }
	l := p.socket(p.server)
	p.must(l.Bind(p.server.addr))
	p.must(l.Listen(5))
	for range 5 {
		c := p.dial()
		p.run(time.Minute)
		p.must(c.Connect(p.server.addr))
		s, err := l.Accept()
		p.must(err)
		if _, err := c.Send(make([]byte, 50_000)); err != nil {
			tb.Fatal(err)
		}
		p.settle(p.client, time.Minute)
		p.must(c.Close())
		p.settle(p.client, time.Minute)
		p.must(s.Close())
		p.settle(p.server, time.Minute)
	}
	// Destroying it sends too, in the order of the sockets.
	for range 3 {
		p.dial()
	}
	p.run(time.Second)
	p.server.Close()
	p.take(p.server)
	p.client.Close()
	p.take(p.client)
	var all []byte
	for _, f := range p.sent {
		all = append(all, f.octets...)
	}
	return all
}

func TestTheSameSeedSendsTheSameOctets(t *testing.T) {
	for _, network := range []string{"192.0.2.0/24", "2001:db8::/64", "192.0.2.0/24 ethernet", "2001:db8::/64 ethernet"} {
		want := story(t, network, 1)
		for _, procs := range []int{1, 2, 8} {
			func() {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				for range 5 {
					if !bytes.Equal(story(t, network, 1), want) {
						t.Errorf("%s, GOMAXPROCS %d: other octets with the same seed", network, procs)
					}
				}
			}()
		}
		if bytes.Equal(story(t, network, 2), want) {
			t.Errorf("%s: the same octets with another seed", network)
		}
	}
}

func TestFullQueueIsRecorded(t *testing.T) {
	for name, test := range map[string]struct{ limit, kept int }{
		"shorter than the channel": {3, 3}, "longer than the channel": {channelLength + 2, channelLength + 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPairOf(t, "192.0.2.0/24", &Factory{QueueLength: test.limit})
			var ports []uint16
			dial := func(n int) {
				for range n {
					c := p.socket(p.client)
					p.wantErr(c.Connect(p.server.addr), netns.ErrInProgress)
					ports = append(ports, c.LocalAddr().Port())
				}
			}
			check := func(n int, lost func(i int) bool) {
				t.Helper()
				for i := range n {
					packet, thrown, ok := p.client.Take(nil)
					if !ok {
						t.Fatalf("packet %d is missing", i)
					}
					if got := be16(dissectTCP(packet)); got != ports[0] || thrown != lost(i) {
						t.Errorf("packet %d comes from port %d, lost %v; want port %d, lost %v", i, got, thrown, ports[0], lost(i))
					}
					ports = ports[1:]
				}
			}
			dial(test.kept + 2)
			// Room is made, and taken, before all was taken: the order stays.
			check(1, func(int) bool { return false })
			dial(2)
			check(test.kept-1, func(int) bool { return false })
			check(2, func(int) bool { return true })
			check(2, func(i int) bool { return i == 1 })
			if packet, _, ok := p.client.Take(nil); ok {
				t.Errorf("one packet more: % x", packet)
			}
			dial(1)
			check(1, func(int) bool { return false })
		})
	}
}

func TestTakeUsesTheBuffer(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	c := p.socket(p.client)
	p.wantErr(c.Connect(p.server.addr), netns.ErrInProgress)
	buf := make([]byte, 10, 2000)
	packet, _, ok := p.client.Take(buf)
	if !ok || &packet[0] != &buf[0] || packet[0]>>4 != 4 || len(packet) != int(be16(packet[2:])) {
		t.Errorf("Take: ok %v, % x", ok, packet)
	}
}

func TestCloseLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 20 {
		story(t, "192.0.2.0/24", 1)
	}
	// A goroutine that has returned may still be counted for a moment.
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

// What a stack still sends while it is destroyed can be taken.
func TestCloseAbortsConnections(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	l := p.listen(5)
	for range 3 {
		p.connect(l)
	}
	var want []uint16
	for _, w := range p.client.sockets.all() {
		want = append(want, w.LocalAddr().Port())
	}
	p.take(p.client)
	n := len(p.sent)
	p.client.Close()
	p.take(p.client)
	var got []uint16
	for _, f := range p.sent[n:] {
		if !f.flags().Has(trace.RST) {
			t.Errorf("Close sent %v, want RST", f.flags())
		}
		got = append(got, be16(dissectTCP(f.octets)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ports that were reset (-want +got):\n%s", diff)
	}
	p.client = p.boot(&Factory{}, environments("192.0.2.0/24")[0]) // for the cleanup
}

func TestBadEnvironments(t *testing.T) {
	good := environments("192.0.2.0/24")[0]
	bad := map[string]func(f *Factory, env *netns.Env){
		"no address":     func(_ *Factory, env *netns.Env) { env.Address = netip.Prefix{} },
		"IPv4 MTU":       func(_ *Factory, env *netns.Env) { env.MTU = 67 },
		"IPv6 MTU":       func(_ *Factory, env *netns.Env) { env.Address, env.MTU = netip.MustParsePrefix("2001:db8::1/64"), 1279 },
		"great MTU":      func(_ *Factory, env *netns.Env) { env.MTU = 1 << 16 },
		"negative queue": func(f *Factory, _ *netns.Env) { f.QueueLength = -1 },
	}
	for name, change := range bad {
		f, env := Factory{}, good
		change(&f, &env)
		if s, err := f.New(env); err == nil || s != nil || !strings.HasPrefix(err.Error(), "gvisor: ") {
			t.Errorf("%s: stack %v, error %v", name, s, err)
		}
	}
}

// Whatever arrives, a stack does not panic and does not hang.
func FuzzDeliver(f *testing.F) {
	envs := environments("192.0.2.0/24")
	client, server := netip.AddrPortFrom(envs[0].Address.Addr(), 1234), netip.AddrPortFrom(envs[1].Address.Addr(), port)
	for _, flags := range []trace.Flags{trace.SYN, trace.ACK, trace.RST, trace.SYN | trace.ACK, trace.FIN | trace.ACK} {
		f.Add(segment{from: client, to: server, flags: flags, window: 1000, data: "data"}.octets())
	}
	f.Add([]byte("\x00\x00\x5e\x00\x53\x02\x00\x00\x5e\x00\x53\x01\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01\x00\x00\x5e\x00\x53\x01\xc0\x00\x02\x01\x00\x00\x00\x00\x00\x00\xc0\x00\x02\x02"))
	f.Fuzz(func(t *testing.T, packet []byte) {
		for _, network := range []string{"192.0.2.0/24", "192.0.2.0/24 ethernet"} {
			deliver(t, network, packet)
		}
	})
}

func deliver(t *testing.T, network string, packet []byte) {
	t.Helper()
	p := newPairIn(t, environmentsNamed(network), &Factory{})
	p.listen(1)
	p.server.Deliver(packet)
	p.server.Settle()
	for _, w := range p.server.Touched() {
		var info trace.ControlInfo
		w.(netns.Reporter).Report(&info)
	}
	p.take(p.server)
	p.run(time.Second)
}
