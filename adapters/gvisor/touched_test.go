package gvisor

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// touchedNames are the touched sockets by their order of first sight, with their states: "1 LISTEN".
func touchedNames(e *end) string {
	var names []string
	for _, t := range e.Touched() {
		status := t.(netns.Reporter).Status()
		name := fmt.Sprintf("%d %v", t.(*socket).seen, status.State)
		if status.Listener != nil {
			name += fmt.Sprintf(" of %d", status.Listener.(*socket).seen)
		}
		if status.Gone {
			name += " gone"
		}
		names = append(names, name)
	}
	return strings.Join(names, ", ")
}

func (p *pair) wantTouched(e *end, want string) {
	p.tb.Helper()
	if got := touchedNames(e); got != want {
		p.tb.Errorf("%s touched %q, want %q", e.name, got, want)
	}
}

// next runs the next step of the pair and tells what it touched.
func (p *pair) next(e *end) string {
	p.tb.Helper()
	if !p.step(p.now + time.Hour) {
		p.tb.Fatal("nothing is due")
	}
	return touchedNames(e)
}

func TestTouchedTellsSocketsApart(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	l := p.listen(5)
	p.wantTouched(p.server, "1 LISTEN")

	c := p.dial()
	p.wantTouched(p.client, "1 SYN-SENT")
	if got, want := p.next(p.server), "1 LISTEN, 2 SYN-RECEIVED of 1"; got != want {
		t.Errorf("after the SYN: %q, want %q", got, want)
	}
	embryo := p.server.Touched()[1]
	if got, want := p.next(p.client), "1 ESTABLISHED"; got != want {
		t.Errorf("after the SYN,ACK: %q, want %q", got, want)
	}
	if got, want := p.next(p.server), "1 LISTEN, 2 ESTABLISHED of 1"; got != want {
		t.Errorf("after the ACK: %q, want %q", got, want)
	}
	accepted, err := l.Accept()
	p.must(err)
	p.wantTouched(p.server, "1 LISTEN, 2 ESTABLISHED of 1")
	if accepted != embryo {
		t.Errorf("Accept handed out another socket than was seen in SYN-RECEIVED")
	}
	s := accepted.(*socket)

	// The server closes first, so TIME-WAIT is with it, and no descriptor names it.
	p.must(c.Connect(p.server.addr))
	p.must(s.Close())
	p.wantTouched(p.server, "2 FIN-WAIT-1 of 1")
	p.settle(p.server, 4*delay)
	p.must(c.Close())
	p.settle(p.client, 4*delay)
	p.wantTouched(p.client, "1 CLOSED gone")
	p.wantState(s, trace.TimeWait)

	// A connection from the same port: the same four-tuple, another socket.
	again := p.socket(p.client)
	p.must(again.Bind(netip.AddrPortFrom(p.client.addr.Addr(), c.LocalAddr().Port())))
	p.wantErr(again.Connect(p.server.addr), netns.ErrInProgress)
	p.take(p.client)
	if got, want := p.next(p.server), "1 LISTEN, 2 CLOSED of 1 gone, 3 SYN-RECEIVED of 1"; got != want {
		t.Errorf("after the SYN to TIME-WAIT: %q, want %q", got, want)
	}
	if p.server.Touched()[2].(*socket).tuple != s.tuple {
		t.Errorf("the new connection has another four-tuple than the old one")
	}
	p.run(10 * delay)
	p.wantState(again, trace.Established)
}

func TestTouchedByTimers(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	p.listen(5)
	p.drop = func(f flight) bool { return f.from == p.server }
	c := p.dial()
	p.next(p.server)
	if got, want := p.next(p.client), "1 SYN-SENT"; got != want {
		t.Errorf("the client's timer touched %q, want %q", got, want)
	}
	if got, want := p.next(p.server), "1 LISTEN, 2 SYN-RECEIVED of 1"; got != want {
		t.Errorf("the server's timer, or the second SYN, touched %q, want %q", got, want)
	}
	// Both give up; nobody ever named the server's socket.
	gone := ""
	p.expired = func(e *end, _ netns.Expired) {
		if names := touchedNames(e); strings.Contains(names, "gone") {
			gone += names + "; "
		}
	}
	p.run(time.Hour)
	if want := "1 LISTEN, 2 CLOSED of 1 gone; "; gone != want {
		t.Errorf("gone: %q, want %q", gone, want)
	}
	p.wantErr(c.Connect(p.server.addr), netns.ErrTimeout)
	p.must(c.Close())
	p.wantTouched(p.client, "1 CLOSED gone")
}

func TestResetConnectionWaitsForAccept(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	l := p.listen(5)
	c := p.dial()
	p.run(10 * delay)
	p.must(c.Connect(p.server.addr))
	p.must(c.Abort())
	p.wantTouched(p.client, "1 CLOSED gone")
	p.settle(p.client, delay)
	p.wantTouched(p.server, "1 LISTEN, 2 CLOSED of 1")
	s, err := l.Accept()
	p.must(err)
	_, err = s.Receive(make([]byte, 1))
	p.wantErr(err, netns.ErrReset)
	p.must(s.Close())
	p.wantTouched(p.server, "2 CLOSED of 1 gone")
}

func TestClosedListenerTakesItsChildrenAlong(t *testing.T) {
	for name, end := range map[string]func(*socket) error{"close": (*socket).Close, "abort": (*socket).Abort} {
		t.Run(name, func(t *testing.T) {
			p := newPair(t, "192.0.2.0/24")
			l := p.listen(5)
			p.connect(l) // is accepted, and stays
			p.dial()
			p.run(10 * delay)
			p.drop = func(f flight) bool { return f.from == p.server }
			p.dial()
			p.run(5 * delay)
			p.must(end(l))
			p.wantTouched(p.server, "1 CLOSED gone, 3 CLOSED of 1 gone, 4 CLOSED of 1 gone")
			if n := len(p.server.sockets.byEndpoint); n != 1 {
				t.Errorf("the server knows %d sockets, want the one that was accepted", n)
			}
		})
	}
}

func TestShutdownListenerTouchesItsChildren(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	l := p.listen(5)
	p.dial()
	p.run(10 * delay)
	p.must(l.Shutdown(netns.ShutRead))
	p.wantTouched(p.server, "1 LISTEN, 2 CLOSED of 1 gone")
	p.must(l.Listen(3))
	p.wantTouched(p.server, "1 LISTEN")
}

// A connection that came from a SYN cookie has no handshake that would tell its listener.
func TestTouchedSeesConnectionFromCookie(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	p.listen(0)
	p.dial()
	if got, want := p.next(p.server), "1 LISTEN"; got != want {
		t.Errorf("after the SYN: %q, want %q", got, want)
	}
	p.next(p.client)
	if got, want := p.next(p.server), "1 LISTEN, 2 ESTABLISHED of 1"; got != want {
		t.Errorf("after the ACK: %q, want %q", got, want)
	}
}

func TestICMPErrorTouchesTheConnectionItQuotes(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	c := p.dial()
	syn := p.sent[len(p.sent)-1].octets
	p.flying = nil
	quoted := syn[:header.IPv4MinimumSize+8]
	icmp := make([]byte, header.IPv4MinimumSize+header.ICMPv4MinimumSize+len(quoted))
	ip := header.IPv4(icmp)
	ip.Encode(&header.IPv4Fields{
		TotalLength: uint16(len(icmp)), TTL: 64, Protocol: uint8(header.ICMPv4ProtocolNumber),
		SrcAddr: addressOf(p.server.addr.Addr()), DstAddr: addressOf(p.client.addr.Addr()),
	})
	ip.SetChecksum(^ip.CalculateChecksum())
	message := header.ICMPv4(icmp[header.IPv4MinimumSize:])
	message.SetType(header.ICMPv4DstUnreachable)
	message.SetCode(header.ICMPv4PortUnreachable)
	copy(message[header.ICMPv4MinimumSize:], quoted)
	message.SetChecksum(header.ICMPv4Checksum(message, 0))
	p.client.Deliver(icmp)
	p.client.Settle()
	p.wantTouched(p.client, "1 CLOSED")
	p.wantErr(c.Connect(p.server.addr), netns.ErrRefused)
}

// After many connections nothing is left of them.
func TestTablesForgetWhatIsGone(t *testing.T) {
	p := newPair(t, "192.0.2.0/24")
	l := p.listen(5)
	for range 100 {
		c, s := p.connect(l)
		p.must(c.Close())
		p.settle(p.client, 2*delay)
		p.must(s.Close())
		p.settle(p.server, timeWait)
	}
	for _, e := range []*end{p.client, p.server} {
		got := []int{len(e.sockets.byEndpoint), len(e.sockets.byTuple), len(e.clock.due), len(e.clock.fresh)}
		want := []int{0, 0, 0, 0}
		if e == p.server {
			want[0] = 1 // the listener
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: sockets, four-tuples, timers, new timers (-want +got):\n%s", e.name, diff)
		}
	}
	if l.first != nil || l.last != nil {
		t.Errorf("connections still wait at the listener")
	}
}

func TestDissect(t *testing.T) {
	v4, v6 := netip.MustParseAddrPort("192.0.2.1:1234"), netip.MustParseAddrPort("[2001:db8::1]:1234")
	to4, to6 := netip.MustParseAddrPort("192.0.2.2:80"), netip.MustParseAddrPort("[2001:db8::2]:80")
	tuple := func(local, remote netip.AddrPort) arrival {
		return arrival{concerns: aTuple, seq: 7, ack: 9, tuple: stack.TransportEndpointID{
			LocalAddress: addressOf(local.Addr()), LocalPort: local.Port(), RemoteAddress: addressOf(remote.Addr()), RemotePort: remote.Port(),
		}}
	}
	four := segment{from: v4, to: to4, seq: 7, ack: 9, flags: trace.ACK}.octets()
	six := segment{from: v6, to: to6, seq: 7, ack: 9, flags: trace.ACK}.octets()
	with := func(packet []byte, at int, octet byte) []byte {
		changed := append([]byte(nil), packet...)
		changed[at] = octet
		return changed
	}
	quoting := append(append(with(four[:header.IPv4MinimumSize], 9, protocolICMP), make([]byte, 8)...), four...)
	aboutIt := tuple(v4, to4)
	aboutIt.seq, aboutIt.ack = 0, 0
	for _, test := range []struct {
		name   string
		packet []byte
		want   arrival
	}{
		{"nothing", nil, arrival{}},
		{"IPv4 segment", four, tuple(to4, v4)},
		{"IPv6 segment", six, tuple(to6, v6)},
		{"IPv4 fragment", with(four, 6, 0x20), arrival{concerns: anybody}},
		{"IPv4 UDP", with(four, 9, 17), arrival{}},
		{"IPv6 with an extension header", with(six, 6, 0), arrival{concerns: anybody}},
		{"ICMP about a segment", quoting, aboutIt},
		{"ICMP about a fragment", with(quoting, 28+6, 0x20), arrival{concerns: anybody}},
		{"ICMP about UDP", with(quoting, 28+9, 17), arrival{}},
		{"short header", four[:10], arrival{}},
		{"short segment", four[:30], arrival{}},
		{"short ICMP", quoting[:25], arrival{}},
		{"short quote", quoting[:28+22], arrival{}},
		{"another version", with(four, 0, 0x55), arrival{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := dissect(test.packet); got != test.want {
				t.Errorf("dissect: %+v, want %+v", got, test.want)
			}
		})
	}
}
