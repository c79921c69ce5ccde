package gvisor

import (
	"testing"

	"connectlab/trace"
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
