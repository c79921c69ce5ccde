package netns_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/netns/internal/toy"
	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
)

var serverPort = netip.MustParseAddrPort("192.0.2.2:80")

// plain gives both hosts the plain story: connect, n octets each way, close.
func plain(t *testing.T, sb *netns.Sandbox, n int) {
	t.Helper()
	for _, p := range []struct {
		host  string
		calls []netns.Call
	}{
		{netns.Server, []netns.Call{
			{Op: netns.OpSocket}, {Op: netns.OpBind, FD: 3, Addr: serverPort}, {Op: netns.OpListen, FD: 3, N: 128},
			{Op: netns.OpAccept, FD: 3}, {Op: netns.OpReceiveAll, FD: 4, N: n, Verify: true}, {Op: netns.OpSendAll, FD: 4, N: n},
			{Op: netns.OpReceiveAll, FD: 4, N: -1}, {Op: netns.OpClose, FD: 4}, {Op: netns.OpClose, FD: 3},
		}},
		{netns.Client, []netns.Call{
			{Op: netns.OpSocket, Line: 1}, {Op: netns.OpConnect, FD: 3, Addr: serverPort, Line: 1}, {Op: netns.OpSendAll, FD: 3, N: n},
			{Op: netns.OpReceiveAll, FD: 3, N: n, Verify: true}, {Op: netns.OpClose, FD: 3},
		}},
	} {
		if err := sb.Program(p.host, p.host, netns.Calls(p.calls...)); err != nil {
			t.Fatal(err)
		}
	}
}

// short prints an event in one line, for wants that are easy to read.
func short(e *trace.Event) string {
	s := fmt.Sprintf("%d %v %s/%d cause %d: ", e.N, e.At, e.Host, e.Socket, e.Cause)
	switch d := e.Detail.(type) {
	case *trace.Call:
		return s + d.String()
	case *trace.Return:
		return s + fmt.Sprintf("return of %d = %s", d.Call, d)
	case *trace.Sent:
		return s + fmt.Sprintf("sent %s len %d", d.Packet.TCP.Flags, d.Packet.TCP.DataLen)
	case *trace.Arrived:
		return s + fmt.Sprintf("arrived %s len %d", d.Packet.TCP.Flags, d.Packet.TCP.DataLen)
	case *trace.Fate:
		return s + fmt.Sprintf("%s by %q", d.Kind, d.Rule)
	case *trace.HostChange:
		return s + d.What.String()
	case *trace.Note:
		return s + d.Text
	case *trace.StateChange, *trace.Control, *trace.Timer:
	}
	return s + fmt.Sprintf("%T", e.Detail)
}

func lines(t *trace.Trace) []string {
	var l []string
	for i := range t.Events {
		l = append(l, short(&t.Events[i]))
	}
	return l
}

func run(t *testing.T, cfg netns.Config, set func(*netns.Sandbox)) *trace.Trace {
	t.Helper()
	sb, err := netns.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	set(sb)
	tr, err := sb.Run()
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func toys(cfg netns.Config) netns.Config {
	cfg.Client, cfg.Server = toy.Factory{}, toy.Factory{}
	return cfg
}

func TestToy(t *testing.T) {
	got := lines(run(t, toys(netns.Config{}), func(sb *netns.Sandbox) { plain(t, sb, 5) }))
	want := strings.Split(strings.TrimSpace(`
1 0s server/0 cause 0: socket()
2 0s server/1 cause 1: return of 1 = 3
3 0s server/1 cause 0: bind(3, 192.0.2.2:80)
4 0s server/1 cause 3: return of 3 = 0
5 0s server/1 cause 0: listen(3, 128)
6 0s server/1 cause 5: return of 5 = 0
7 0s server/1 cause 0: accept(3)
8 0s client/0 cause 0: socket()
9 0s client/1 cause 8: return of 8 = 3
10 0s client/1 cause 0: connect(3, 192.0.2.2:80)
11 0s client/1 cause 10: sent SYN len 0
12 10ms server/1 cause 11: arrived SYN len 0
13 10ms server/1 cause 12: sent SYN,ACK len 0
14 20ms client/1 cause 13: arrived SYN,ACK len 0
15 20ms client/1 cause 14: sent ACK len 0
16 20ms client/1 cause 14: return of 10 = 0
17 20ms client/1 cause 0: sendall(3, 5)
18 20ms client/1 cause 17: sent PSH,ACK len 5
19 20ms client/1 cause 17: return of 17 = 5
20 20ms client/1 cause 0: recvall(3, 5)
21 30ms server/1 cause 15: arrived ACK len 0
22 30ms server/1 cause 21: return of 7 = 4
23 30ms server/2 cause 18: arrived PSH,ACK len 5
24 30ms server/2 cause 23: sent ACK len 0
25 30ms server/2 cause 0: recvall(4, 5)
26 30ms server/2 cause 25: return of 25 = 5
27 30ms server/2 cause 0: sendall(4, 5)
28 30ms server/2 cause 27: sent PSH,ACK len 5
29 30ms server/2 cause 27: return of 27 = 5
30 30ms server/2 cause 0: recvall(4)
31 40ms client/1 cause 24: arrived ACK len 0
32 40ms client/1 cause 28: arrived PSH,ACK len 5
33 40ms client/1 cause 32: sent ACK len 0
34 40ms client/1 cause 32: return of 20 = 5
35 40ms client/1 cause 0: close(3)
36 40ms client/1 cause 35: sent FIN,ACK len 0
37 40ms client/1 cause 35: return of 35 = 0
38 50ms server/2 cause 33: arrived ACK len 0
39 50ms server/2 cause 36: arrived FIN,ACK len 0
40 50ms server/2 cause 39: sent ACK len 0
41 50ms server/2 cause 39: return of 30 = 0
42 50ms server/2 cause 0: close(4)
43 50ms server/2 cause 42: sent FIN,ACK len 0
44 50ms server/2 cause 42: return of 42 = 0
45 50ms server/1 cause 0: close(3)
46 50ms server/1 cause 45: return of 45 = 0
47 60ms client/1 cause 40: arrived ACK len 0
48 60ms client/1 cause 43: arrived FIN,ACK len 0
49 60ms client/1 cause 48: sent ACK len 0
50 70ms server/2 cause 49: arrived ACK len 0`), "\n")
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("record (-want +got):\n%s", d)
	}
}

// TestClose: the stacks of a sandbox are destroyed once, by Run or by Close, and it cannot be run then.
func TestClose(t *testing.T) {
	runs := func(sb *netns.Sandbox) {
		if _, err := sb.Run(); err != nil {
			t.Error(err)
		}
	}
	closes := (*netns.Sandbox).Close
	for name, ends := range map[string][]func(*netns.Sandbox){
		"run": {runs}, "run and close": {runs, closes}, "close": {closes}, "close twice": {closes, closes},
	} {
		t.Run(name, func(t *testing.T) {
			closed := 0
			counts := blind(func(p *puppet) { p.onClose = func() { closed++ } })
			sb, err := netns.New(netns.Config{Client: counts, Server: counts})
			if err != nil {
				t.Fatal(err)
			}
			for _, end := range ends {
				end(sb)
			}
			if closed != 2 {
				t.Errorf("%d stacks were destroyed, want two", closed)
			}
			defer func() {
				if p := fmt.Sprint(recover()); !strings.HasPrefix(p, "netns: Run called twice") {
					t.Errorf("Run: panic %s, want one that tells why", p)
				}
			}()
			_, _ = sb.Run()
		})
	}
}

// TestConfigOf: a run is repeated from its header alone.
func TestConfigOf(t *testing.T) {
	for name, cfg := range map[string]netns.Config{
		"defaults": {},
		"nothing of the defaults": {
			Seed: 7, Delay: netns.NoLinkDelay, MTU: 600, Faults: faults(t, "duplicate client 30% 1ms", "delay server any#2 5ms"), Until: time.Minute,
			Story: trace.Story{Name: "s", Text: "t"}, OmitData: true, Record: netns.RecordNoControl,
		},
	} {
		t.Run(name, func(t *testing.T) {
			record := func(cfg netns.Config) *trace.Trace {
				return run(t, toys(cfg), func(sb *netns.Sandbox) { plain(t, sb, 3000) })
			}
			want := record(cfg)
			again, err := netns.ConfigOf(&want.Header)
			if err != nil {
				t.Fatal(err)
			}
			got := record(again)
			if d := cmp.Diff(want.Header, got.Header); d != "" {
				t.Errorf("header (-first +again):\n%s", d)
			}
			if d := cmp.Diff(lines(want), lines(got)); d != "" {
				t.Errorf("events (-first +again):\n%s", d)
			}
		})
	}
	var fe *netns.FaultError
	if _, err := netns.ConfigOf(&trace.Header{Faults: []string{"lose client any"}}); !errors.As(err, &fe) {
		t.Errorf("a fault that cannot be read: error %v, want a FaultError", err)
	}
}
