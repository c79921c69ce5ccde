package trace_test

import (
	"net/netip"
	"testing"

	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

// twoConnects records a server that accepts one connection, and two clients: one that is reset by a reboot of the
// client, and one that never opens its socket.
func twoConnects(t *testing.T) *trace.Trace {
	t.Helper()
	var none, info trace.ControlInfo
	r := trace.NewRecorder(trace.Header{})
	r.Begin()
	call := r.Call(0, "server", 1, trace.Call{Name: "socket", FD: -1, Len: trace.NoLen})
	r.State(0, "server", 1, call, trace.StateChange{To: trace.Closed, Word: "INITIAL"})
	r.Return(0, "server", 1, call, trace.Return{Call: call, Result: 3})
	call = r.Call(0, "server", 1, trace.Call{Name: "bind", FD: 3, Addr: netip.MustParseAddrPort("0.0.0.0:80"), Len: trace.NoLen})
	r.Return(0, "server", 1, call, trace.Return{Call: call})
	call = r.Call(0, "server", 1, trace.Call{Name: "listen", FD: 3, Len: 8})
	r.State(0, "server", 1, call, trace.StateChange{From: trace.Closed, To: trace.Listen, Word: "LISTEN"})
	r.Return(0, "server", 1, call, trace.Return{Call: call})
	accept := r.Call(0, "server", 1, trace.Call{Name: "accept", FD: 3, Len: trace.NoLen})
	call = r.Call(0, "client", 1, trace.Call{Name: "socket", FD: -1, Len: trace.NoLen})
	r.Return(0, "client", 1, call, trace.Return{Call: call, Result: 3})
	connect := r.Call(0, "client", 1, trace.Call{Name: "connect", FD: 3, Addr: netip.MustParseAddrPort("192.0.2.2:80"), Len: trace.NoLen})
	info.SetText(trace.LocalAddress, "192.0.2.1")
	info.SetNumber(trace.LocalPort, 49152)
	r.State(0, "client", 1, connect, trace.StateChange{From: trace.Closed, To: trace.SynSent, Word: "SYN-SENT"})
	r.Control(0, "client", 1, connect, &none, &info, nil)
	// The connection's socket, as the segments tell: no control information of it is in the record.
	sent := r.Sent(10, "server", 2, 0, &trace.Packet{Kind: trace.PacketTCP,
		IP:  trace.IPHeader{Src: netip.MustParseAddr("192.0.2.2"), Dst: netip.MustParseAddr("192.0.2.1")},
		TCP: trace.Segment{SrcPort: 80, DstPort: 49152, Flags: trace.SYN | trace.ACK}})
	r.State(10, "server", 2, sent, trace.StateChange{To: trace.SynReceived, Word: "SYN-RCVD", Listener: 1})
	r.Return(20, "server", 1, sent, trace.Return{Call: accept, Result: 4, Accepted: 2})
	call = r.Call(20, "server", 2, trace.Call{Name: "close", FD: 4, Len: trace.NoLen})
	r.State(20, "server", 2, call, trace.StateChange{From: trace.SynReceived, To: trace.TimeWait, Word: "TIME-WAIT"})
	r.Return(20, "server", 2, call, trace.Return{Call: call})
	r.HostChange(30, "client", trace.Reboot)
	r.State(40, "server", 2, 0, trace.StateChange{From: trace.TimeWait, To: trace.Closed, Word: "CLOSED"})
	tr, err := r.Finish(trace.End{At: 40})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func TestSockets(t *testing.T) {
	want := []trace.Socket{
		{
			Host: "server", Number: 1, First: 1,
			Descriptors: []trace.Descriptor{{FD: 3, From: 3}},
			Local:       netip.MustParseAddrPort("0.0.0.0:80"),
			Stays:       []trace.Stay{{N: 2, State: trace.Closed, Word: "INITIAL"}, {N: 7, State: trace.Listen, Word: "LISTEN"}},
		},
		{
			Host: "client", Number: 1, First: 10, Gone: 21,
			Descriptors: []trace.Descriptor{{FD: 3, From: 11, To: 21}},
			Local:       netip.MustParseAddrPort("192.0.2.1:49152"), Remote: netip.MustParseAddrPort("192.0.2.2:80"),
			Stays: []trace.Stay{{N: 13, State: trace.SynSent, Word: "SYN-SENT"}},
		},
		{
			Host: "server", Number: 2, Listener: 1, First: 15, Gone: 22,
			Descriptors: []trace.Descriptor{{FD: 4, From: 17, To: 18}},
			Local:       netip.MustParseAddrPort("192.0.2.2:80"), Remote: netip.MustParseAddrPort("192.0.2.1:49152"),
			Stays: []trace.Stay{
				{N: 16, State: trace.SynReceived, Word: "SYN-RCVD"}, {N: 19, State: trace.TimeWait, Word: "TIME-WAIT"}, {N: 22, State: trace.Closed, Word: "CLOSED"},
			},
		},
	}
	got := trace.Sockets(twoConnects(t))
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
		t.Errorf("Sockets: (-want +got)\n%s", diff)
	}
}

func TestSocketAt(t *testing.T) {
	embryo := trace.Sockets(twoConnects(t))[2]
	tests := []struct {
		n    int
		want trace.State
	}{{15, trace.NotObserved}, {16, trace.SynReceived}, {18, trace.SynReceived}, {19, trace.TimeWait}, {100, trace.Closed}}
	for _, tt := range tests {
		if got := embryo.At(tt.n).State; got != tt.want {
			t.Errorf("state behind event %d is %v, want %v", tt.n, got, tt.want)
		}
	}
}
