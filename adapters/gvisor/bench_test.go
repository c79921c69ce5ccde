package gvisor

import (
	"testing"

	"connectlab/trace"
)

// BenchmarkNewAndClose makes and destroys two empty stacks.
func BenchmarkNewAndClose(b *testing.B) {
	for _, network := range []string{"192.0.2.0/24", "2001:db8::/64"} {
		b.Run(network, func(b *testing.B) {
			b.ReportAllocs()
			f := &Factory{}
			envs := environments(network)
			for b.Loop() {
				for _, env := range envs {
					s, err := f.New(env)
					if err != nil {
						b.Fatal(err)
					}
					s.Close()
				}
			}
		})
	}
}

// BenchmarkSettle is the barrier alone, with nothing in work.
func BenchmarkSettle(b *testing.B) {
	p := newPair(b, "192.0.2.0/24")
	b.ReportAllocs()
	for b.Loop() {
		p.client.barrier.wait()
	}
}

// BenchmarkDeliverAndSettle hands over a segment that an established connection drops after a look.
func BenchmarkDeliverAndSettle(b *testing.B) {
	p := newPair(b, "192.0.2.0/24")
	p.connect(p.listen(5))
	ack := p.sent[len(p.sent)-1].octets
	b.ReportAllocs()
	for b.Loop() {
		p.server.Deliver(ack)
		p.server.Settle()
	}
}

// BenchmarkReport reads all control information of an established connection.
func BenchmarkReport(b *testing.B) {
	p := newPair(b, "192.0.2.0/24")
	c, _ := p.connect(p.listen(5))
	var info trace.ControlInfo
	b.ReportAllocs()
	for b.Loop() {
		info.Reset()
		c.Report(&info)
	}
}

// BenchmarkConnection opens a connection, carries 5 octets, closes it at both ends and lets TIME-WAIT pass.
func BenchmarkConnection(b *testing.B) {
	p := newPair(b, "192.0.2.0/24")
	l := p.listen(5)
	buf := make([]byte, 16)
	b.ReportAllocs()
	for b.Loop() {
		p.sent = p.sent[:0]
		c, s := p.connect(l)
		if _, err := c.Send([]byte("hello")); err != nil {
			b.Fatal(err)
		}
		p.settle(p.client, 2*delay)
		if n, err := s.Receive(buf); n != 5 || err != nil {
			b.Fatal(n, err)
		}
		p.must(c.Close())
		p.settle(p.client, 2*delay)
		p.must(s.Close())
		p.settle(p.server, timeWait)
	}
}
