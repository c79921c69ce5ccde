package gvisor

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/trace"
	"connectlab/trace/wire"

	"github.com/google/go-cmp/cmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// said is a packet in a few words.
func said(f flight) string {
	p := trace.Packet{Octets: f.octets, Len: len(f.octets), Link: trace.LinkEthernet}
	wire.Decode(&p)
	s := fmt.Sprintf("%v %s %v→%v ", f.at-delay, f.from.name, p.Ethernet.Src, p.Ethernet.Dst)
	switch {
	case p.Kind == trace.PacketTCP:
		return s + p.TCP.Flags.String()
	case p.Kind == trace.PacketARP:
		return s + fmt.Sprintf("ARP %d %v %v", p.ARP.Operation, p.ARP.SenderIP, p.ARP.TargetIP)
	}
	return s + fmt.Sprintf("ICMPv6 %d %v", p.ICMP.Type, p.ICMP.Target)
}

// The call that needs an address asks for it, within its own step; the answer's arrival sends what waited, within its step.
func TestNeighborIsFoundWithinTheStep(t *testing.T) {
	for network, want := range map[string][]string{
		"192.0.2.0/24": {
			"0s client 00:00:5e:00:53:01→ff:ff:ff:ff:ff:ff ARP 1 192.0.2.1 192.0.2.2",
			"10ms server 00:00:5e:00:53:02→00:00:5e:00:53:01 ARP 2 192.0.2.2 192.0.2.1",
			"20ms client 00:00:5e:00:53:01→00:00:5e:00:53:02 SYN",
			"30ms server 00:00:5e:00:53:02→00:00:5e:00:53:01 SYN,ACK",
			"40ms client 00:00:5e:00:53:01→00:00:5e:00:53:02 ACK",
		},
		"2001:db8::/64": {
			"0s client 00:00:5e:00:53:01→33:33:ff:00:00:02 ICMPv6 135 2001:db8::2",
			"10ms server 00:00:5e:00:53:02→00:00:5e:00:53:01 ICMPv6 136 2001:db8::2",
			"20ms client 00:00:5e:00:53:01→00:00:5e:00:53:02 SYN",
			"30ms server 00:00:5e:00:53:02→00:00:5e:00:53:01 SYN,ACK",
			"40ms client 00:00:5e:00:53:01→00:00:5e:00:53:02 ACK",
		},
	} {
		p := newPairIn(t, environmentsOn(trace.LinkEthernet, network), &Factory{})
		l := p.socket(p.server)
		p.must(l.Bind(p.server.addr))
		p.must(l.Listen(5))
		p.connect(l)
		var got []string
		for _, f := range p.sent {
			got = append(got, said(f))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", network, diff)
		}
	}
}

// Nobody answers: three questions, and the socket hears of it at once when the neighbor's timer gives up.
func TestNobodyHasTheAddress(t *testing.T) {
	for _, network := range []string{"192.0.2.0/24", "2001:db8::/64"} {
		p := newPairIn(t, environmentsOn(trace.LinkEthernet, network), &Factory{})
		var timers []string
		var touched int
		p.expired = func(_ *end, e netns.Expired) {
			if timers = append(timers, fmt.Sprintf("%v %s", p.now, e.Name)); p.now == 3*time.Second && e.Socket == nil {
				touched = len(p.client.Touched())
			}
		}
		c := p.socket(p.client)
		nobody := netip.AddrPortFrom(p.server.addr.Addr().Next().Next(), port)
		p.wantErr(c.Connect(nobody), netns.ErrInProgress)
		p.settle(p.client, 10*time.Second)
		p.wantErr(c.Connect(nobody), netns.ErrHostUnreachable)
		p.wantState(c, trace.Closed)
		want := []string{
			"1s h.retransmitTimer", "1s neighborEntry.timer", "2s neighborEntry.timer", "3s h.retransmitTimer", "3s neighborEntry.timer",
			"7s h.retransmitTimer", // it was disabled, and does nothing
		}
		if diff := cmp.Diff(want, timers); diff != "" || touched != 1 {
			t.Errorf("%s: the last timer touched %d sockets; timers (-want +got):\n%s", network, touched, diff)
		}
		for _, f := range p.sent {
			if f.flags() != 0 || f.from != p.client {
				t.Errorf("%s: %s", network, said(f))
			}
		}
		if len(p.sent) != 3 {
			t.Errorf("%s: %d questions, want 3", network, len(p.sent))
		}
	}
}

// Where a version of gVisor keeps its neighbors elsewhere, their timers have no name, and nothing else is lost.
func TestNeighborsThatAreNotFound(t *testing.T) {
	whole := fields
	defer func() { fields = whole }()
	fields = findLayout(reflect.TypeFor[tcp.Endpoint](), reflect.TypeFor[struct{}]())
	if diff := cmp.Diff([]string{".nics", "….linkAddrResolvers", "….neigh.mu.cache", "….mu.timer.timer"}, fields.missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	p := newPairIn(t, environmentsOn(trace.LinkEthernet, "192.0.2.0/24"), &Factory{})
	var timers []string
	p.expired = func(_ *end, e netns.Expired) { timers = append(timers, e.Name) }
	c := p.socket(p.client)
	p.wantErr(c.Connect(netip.AddrPortFrom(p.server.addr.Addr().Next().Next(), port)), netns.ErrInProgress)
	p.settle(p.client, 2*time.Second)
	if diff := cmp.Diff([]string{"h.retransmitTimer", "", ""}, timers); diff != "" {
		t.Errorf("timers (-want +got):\n%s", diff)
	}
}

// A frame for another network card is not seen, as a card would drop it.
func TestFrameForAnother(t *testing.T) {
	p := newPairIn(t, environmentsOn(trace.LinkEthernet, "192.0.2.0/24"), &Factory{})
	p.connect(p.listen(5))
	sent := len(p.sent)
	syn := bytes.Clone(p.sent[2].octets)
	for _, test := range []struct {
		name    string
		change  func()
		answers bool
	}{
		{"another MAC address", func() { syn[5]++ }, false},
		{"the server's", func() { syn[5]--; syn[14+20+1]++; wire.FixChecksums(syn[14:]) }, true},
		{"half an Ethernet header", func() { syn = syn[:7] }, false},
	} {
		test.change()
		p.server.Deliver(syn)
		p.server.Settle()
		p.take(p.server)
		if answered := len(p.sent) > sent; answered != test.answers {
			t.Errorf("%s: answered %v, want %v", test.name, answered, test.answers)
		}
		sent = len(p.sent)
	}
}

// The MTU does not count the Ethernet header: segments are as long as on a link without it.
func TestMTUOnEthernet(t *testing.T) {
	p := newPairIn(t, environmentsOn(trace.LinkEthernet, "192.0.2.0/24"), &Factory{})
	c, _ := p.connect(p.listen(5))
	if _, err := c.Send(make([]byte, 5000)); err != nil {
		t.Fatal(err)
	}
	p.settle(p.client, time.Second)
	longest := 0
	for _, f := range p.sent {
		longest = max(longest, len(f.octets))
	}
	if longest != 14+20+32+1420 {
		t.Errorf("the longest frame has %d octets, want 14 more than the datagram of a link without Ethernet, %d", longest, 20+32+1420)
	}
}
