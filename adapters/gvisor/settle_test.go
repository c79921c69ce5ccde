package gvisor

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"

	"connectlab/netns"
	"connectlab/trace"

	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// The contract of the barrier: a SYN that a socket in TIME-WAIT hands over to the listener has been processed when
// Settle returns. The listener is served by another worker than the socket in TIME-WAIT, mostly. The second row
// takes away all rounds but one, and then it must fail: so the test can.
func TestSettleWaitsForSYNFromTimeWait(t *testing.T) {
	const stacks, runs = 20, 50
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	for _, test := range []struct {
		name   string
		change func(*barrier)
		holds  bool
	}{
		{"as it is", func(*barrier) {}, true},
		{"one round", func(b *barrier) { b.most = 1 }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			missed := 0
			for i := range stacks {
				missed += missedEmbryos(t, byte(i), runs, test.change)
			}
			t.Logf("the embryo was missing after the barrier in %d of %d runs", missed, stacks*runs)
			if test.holds != (missed == 0) {
				t.Errorf("the embryo was missing after the barrier in %d of %d runs; the barrier is to hold: %v", missed, stacks*runs, test.holds)
			}
		})
	}
}

// missedEmbryos tells in how many of some runs the new connection was not there after the changed barrier.
func missedEmbryos(t *testing.T, seed byte, runs int, change func(*barrier)) (missed int) {
	env := environments("192.0.2.0/24")[1]
	env.Seed = [32]byte{seed}
	made, err := (&Factory{}).New(env)
	if err != nil {
		t.Fatal(err)
	}
	s := made.(*netstack)
	defer s.Close()
	if workers := len(s.barrier.workers); workers != 8 {
		t.Fatalf("%d workers, want 8", workers)
	}
	change(s.barrier)
	most := s.barrier.most

	own := netip.AddrPortFrom(env.Address.Addr(), port)
	l, err := s.Socket(netns.IPv4)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Bind(own); err != nil {
		t.Fatal(err)
	}
	if err := l.Listen(100); err != nil {
		t.Fatal(err)
	}
	for i := range runs {
		s.barrier.most = 0
		peer := segment{from: netip.AddrPortFrom(own.Addr().Next(), uint16(10000+i)), to: own, window: 1000}
		deliver := func(flags trace.Flags, seq, ack uint32) {
			peer.flags, peer.seq, peer.ack = flags, seq, ack
			s.Deliver(peer.octets())
		}
		const irs = 1000
		deliver(trace.SYN, irs, 0)
		s.Settle()
		iss := lastSeq(t, s)
		deliver(trace.ACK, irs+1, iss+1)
		s.Settle()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		deliver(trace.FIN|trace.ACK, irs+1, iss+2)
		s.Settle()
		if state := c.(*socket).Status().State; state != trace.TimeWait {
			t.Fatalf("the server is in %v before the SYN, want TIME-WAIT", state)
		}

		s.barrier.most = most
		deliver(trace.SYN, irs+100_000, 0)
		s.barrier.wait()
		if !hasEmbryo(s) {
			missed++
		}
		s.barrier.most = 4
		s.Settle()
		if !hasEmbryo(s) {
			t.Fatal("the SYN made no connection at all")
		}
		if old := c.(*socket).Status(); !old.Gone {
			t.Fatalf("the socket in TIME-WAIT is %+v after the SYN, want gone", old)
		}
		lastSeq(t, s)
		deliver(trace.RST, irs+100_001, 0)
		s.Settle()
	}
	return missed
}

// hasEmbryo tells whether the four-tuple of the last packet has a connection in SYN-RECEIVED.
func hasEmbryo(s *netstack) bool {
	ep := s.find(s.arrived.tuple)
	return ep != nil && ep.TransportEndpointInfo.ID == s.arrived.tuple && ep.EndpointState() == tcp.StateSynRecv
}

// lastSeq is the sequence number of the last segment that s sent.
func lastSeq(t *testing.T, s *netstack) uint32 {
	t.Helper()
	var last []byte
	for {
		packet, _, ok := s.Take(nil)
		if !ok {
			break
		}
		last = dissectTCP(packet)
	}
	if last == nil {
		t.Fatal("the stack sent no segment")
	}
	return binary.BigEndian.Uint32(last[4:])
}
