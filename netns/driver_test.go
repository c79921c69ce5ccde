package netns_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/netns/internal/toy"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/wire"

	"github.com/google/go-cmp/cmp"
)

// from are the events from the first on that has text in its line, as short prints them.
func from(t *testing.T, tr *trace.Trace, text string) []string {
	t.Helper()
	all := lines(tr)
	for i, l := range all {
		if strings.Contains(l, text) {
			return all[i:]
		}
	}
	t.Fatalf("no event with %q in\n%s", text, strings.Join(all, "\n"))
	return nil
}

// want compares lines with a text.
func want(t *testing.T, what, text string, got []string) {
	t.Helper()
	if d := cmp.Diff(strings.Split(strings.TrimSpace(text), "\n"), got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func TestEnds(t *testing.T) {
	listens := []netns.Call{{Op: netns.OpSocket}, {Op: netns.OpBind, FD: 3, Addr: serverPort}, {Op: netns.OpListen, FD: 3}, {Op: netns.OpAccept, FD: 3}}
	for name, c := range map[string]struct {
		until time.Duration
		set   func(*netns.Sandbox)
		want  trace.End
	}{
		"nothing to do": {set: func(*netns.Sandbox) {}, want: trace.End{Reason: trace.Finished}},
		"finished":      {set: func(sb *netns.Sandbox) { plain(t, sb, 5) }, want: trace.End{At: 70 * ms, Reason: trace.Finished}},
		"finished before until": {
			until: time.Hour, set: func(sb *netns.Sandbox) { plain(t, sb, 5) }, want: trace.End{At: 70 * ms, Reason: trace.Finished},
		},
		"idle": {
			set: func(sb *netns.Sandbox) { of(t, sb, netns.Server, listens...) }, want: trace.End{Reason: trace.Idle, Blocked: []int{7}},
		},
		"until": {
			until: 25 * ms, set: func(sb *netns.Sandbox) { plain(t, sb, 5) }, want: trace.End{At: 25 * ms, Reason: trace.UntilReached, Blocked: []int{20, 7}},
		},
		"until, its instant included": {
			until: 70 * ms, set: func(sb *netns.Sandbox) { plain(t, sb, 5) }, want: trace.End{At: 70 * ms, Reason: trace.Finished},
		},
		"until cuts off a program line": {
			until: time.Second, set: func(sb *netns.Sandbox) { of(t, sb, netns.Client, netns.Call{At: time.Minute}) },
			want: trace.End{At: time.Second, Reason: trace.UntilReached},
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := run(t, toys(netns.Config{Until: c.until}), c.set)
			if d := cmp.Diff(c.want, tr.End); d != "" {
				t.Errorf("end (-want +got):\n%s", d)
			}
			for _, e := range tr.Events {
				if e.At > c.want.At {
					t.Errorf("behind the end: %s", short(&e))
				}
			}
		})
	}
}

// TestDefaultUntil: a stack that is never quiet is cut off one hour after the last program line, and no program line is
// ever cut off by that.
func TestDefaultUntil(t *testing.T) {
	restless := blind(func(p *puppet) {
		var again func()
		again = func() {
			p.send(trace.ACK, 1)
			p.at(p.now+10*time.Minute, "again", again)
		}
		p.at(0, "again", again)
	})
	for name, c := range map[string]struct {
		set  func(*netns.Sandbox)
		want time.Duration
	}{
		"no line":       {func(*netns.Sandbox) {}, time.Hour},
		"a line at 5 h": {func(sb *netns.Sandbox) { of(t, sb, netns.Server, netns.Call{At: 5 * time.Hour}) }, 6 * time.Hour},
		"a world line":  {func(sb *netns.Sandbox) { sb.At(100*time.Minute, 1, func() {}) }, 160 * time.Minute},
		"a line a year away": {
			func(sb *netns.Sandbox) { of(t, sb, netns.Server, netns.Call{At: 1000 * time.Hour}) }, 1001 * time.Hour,
		},
	} {
		t.Run(name, func(t *testing.T) {
			tr := run(t, netns.Config{Client: restless, Server: blind(nil)}, c.set)
			if d := cmp.Diff(trace.End{At: c.want, Reason: trace.UntilReached}, tr.End); d != "" {
				t.Errorf("end (-want +got):\n%s", d)
			}
			last := tr.Events[len(tr.Events)-1]
			if last.At > c.want || last.At < c.want-10*time.Minute {
				t.Errorf("the last event is at %v, the end at %v", last.At, c.want)
			}
		})
	}
}

// TestTooManySteps: two stacks that answer each other on a link without delay never leave the instant. The error names
// the last event of each, and what was recorded is not lost.
func TestTooManySteps(t *testing.T) {
	pong := func(p *puppet) {
		p.onDeliver = func(p *puppet, packet *trace.Packet) { p.send(trace.ACK, packet.TCP.Seq+1) }
	}
	sb, err := netns.New(netns.Config{Delay: netns.NoLinkDelay, Record: netns.RecordNoControl, Client: blind(func(p *puppet) {
		pong(p)
		p.at(3*ms, "ping", func() { p.send(trace.ACK, 1) })
	}), Server: blind(pong)})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := sb.Run()
	var oe *netns.OpError
	if !errors.As(err, &oe) || oe.Op != "run" {
		t.Fatalf("error %v, want an OpError of run", err)
	}
	if d := cmp.Diff(trace.End{At: 3 * ms, Reason: trace.TooManySteps}, tr.End); d != "" {
		t.Errorf("end (-want +got):\n%s", d)
	}
	if d := cmp.Diff(tr.End, sb.End()); d != "" {
		t.Errorf("End() (-trace +sandbox):\n%s", d)
	}
	last := map[string]int{}
	for _, e := range tr.Events {
		last[e.Host] = e.N
	}
	if len(tr.Events) != 2*netns.MaxStepsPerInstant {
		t.Errorf("%d events were kept, want two for each step", len(tr.Events))
	}
	named := fmt.Sprintf("the last event of the client is %d, of the server %d", last[netns.Client], last[netns.Server])
	if !strings.Contains(err.Error(), named) {
		t.Errorf("error %v, want %q in it", err, named)
	}
}

// TestOrderAtOneInstant: deliveries in the order of sending, then timers, the client's first and each stack's in the
// order of arming, then lines in the order of the file.
func TestOrderAtOneInstant(t *testing.T) {
	speak := func(names ...string) func(*puppet) {
		return func(p *puppet) {
			p.at(0, "early", func() { p.send(trace.ACK, 1) })
			for _, n := range names {
				p.at(10*ms, n, func() { p.send(trace.ACK, 2) })
			}
		}
	}
	now := func(line int) netns.Call {
		return netns.Call{Op: netns.OpSocket, At: 10 * ms, Absolute: true, Line: line}
	}
	tr := run(t, netns.Config{Client: blind(speak("c1", "c2")), Server: blind(speak("s2", "s1"))}, func(sb *netns.Sandbox) {
		of(t, sb, netns.Client, now(4))
		of(t, sb, netns.Server, now(2))
		of(t, sb, netns.Client, now(0))
		sb.At(10*ms, 3, func() { sb.Note("", 0, trace.Note{Text: "line 3"}) })
		sb.At(10*ms, 1, func() { sb.Note("", 0, trace.Note{Text: "line 1"}) })
	})
	var got []string
	for _, e := range tr.Events {
		if e.At != 10*ms {
			continue
		}
		switch d := e.Detail.(type) {
		case *trace.Arrived:
			got = append(got, e.Host+" arrival")
		case *trace.Timer:
			got = append(got, e.Host+" timer "+d.Name)
		case *trace.Note:
			got = append(got, d.Text)
		case *trace.Call:
			got = append(got, fmt.Sprintf("%s line %d", e.Host, d.Line))
		default:
		}
	}
	want(t, "order", `
server arrival
client arrival
client timer c1
client timer c2
server timer s2
server timer s1
client line 0
line 1
server line 2
line 3
client line 4`, got)
}

// TestAt: functions run at their times, those of one time by line and then as they were given; a time that is over
// means now.
func TestAt(t *testing.T) {
	var got []string
	run(t, toys(netns.Config{}), func(sb *netns.Sandbox) {
		say := func(s string) func() { return func() { got = append(got, fmt.Sprintf("%v %s", sb.Now(), s)) } }
		sb.At(2*ms, 1, say("e"))
		sb.At(1*ms, 7, say("c"))
		sb.At(1*ms, 3, say("a"))
		sb.At(1*ms, 7, say("d"))
		sb.At(1*ms, 5, func() {
			say("b")()
			sb.At(0, 9, say("too late, at once"))
		})
	})
	want(t, "order", "1ms a\n1ms b\n1ms c\n1ms d\n1ms too late, at once\n2ms e", got)
}

// TestNote: a note stands where it was made, numbered as any event.
func TestNote(t *testing.T) {
	var n int
	tr := run(t, toys(netns.Config{}), func(sb *netns.Sandbox) {
		plain(t, sb, 5)
		sb.At(15*ms, 1, func() { n = sb.Note(netns.Server, 1, trace.Note{Text: "seen", Failed: true, Line: 4}) })
	})
	got := tr.Event(n)
	if got == nil {
		t.Fatalf("no event of number %d", n)
	}
	if d := cmp.Diff(trace.Event{N: n, At: 15 * ms, Host: netns.Server, Socket: 1, Detail: &trace.Note{Text: "seen", Failed: true, Line: 4}}, *got); d != "" {
		t.Errorf("note (-want +got):\n%s", d)
	}
}

// TestTimerWithoutConsequence: a timer of which nothing comes is no event, and leaves no gap in the numbers; one that
// sends or changes a state is.
func TestTimerWithoutConsequence(t *testing.T) {
	tr := run(t, netns.Config{Server: blind(nil), Client: glass(func(p *puppet) {
		p.onSocket = func(s *puppetSocket) {
			p.alarms = append(p.alarms,
				alarm{at: 1 * ms, owner: s, name: "disabled", do: func() { p.touch(s) }},
				alarm{at: 2 * ms, owner: s, name: "changes", do: func() { s.status.State = trace.SynSent; p.touch(s) }},
				alarm{at: 3 * ms, name: "disabled, too"},
				alarm{at: 4 * ms, name: "sends", do: func() { p.send(trace.SYN, 1) }},
			)
		}
	})}, func(sb *netns.Sandbox) { of(t, sb, netns.Client, netns.Call{}) })
	want(t, "events", `
4 2ms client/1 cause 0: *trace.Timer
5 2ms client/1 cause 4: *trace.StateChange
6 4ms client/0 cause 0: *trace.Timer
7 4ms client/0 cause 6: sent SYN len 0
8 14ms server/0 cause 7: arrived SYN len 0`, from(t, tr, "Timer"))
	if name := tr.Event(4).Detail.(*trace.Timer).Name; name != "changes" {
		t.Errorf("the first timer is %q, want changes", name)
	}
}

// TestSettleIsBeforeTheLook: after a call, a delivery, a timer and a call that was tried again the stack settles, once, before
// its sockets are looked at and its packets are taken. So what a stack does there is of the stimulus's step.
func TestSettleIsBeforeTheLook(t *testing.T) {
	states := []trace.State{trace.SynSent, trace.Established, trace.FinWait1, trace.FinWait2}
	client := glass(func(p *puppet) {
		settled := 0
		p.onSettle = func() {
			if p.now > 0 { // the socket is there
				p.sockets[0].status.State = states[settled]
				p.send(trace.ACK, trace.Seq(settled))
				p.touch(p.sockets[0])
				settled++
			}
		}
		p.onSocket = func(s *puppetSocket) {
			p.at(2*ms, "timer", func() { s.receive = func(b []byte) (int, error) { return len(b), nil } })
		}
	})
	server := blind(func(p *puppet) {
		p.onSocket = func(*puppetSocket) { p.at(3*ms, "timer", func() { p.send(trace.ACK, 1) }) }
	})
	tr := run(t, netns.Config{Client: client, Server: server}, func(sb *netns.Sandbox) {
		of(t, sb, netns.Server, netns.Call{})
		of(t, sb, netns.Client, netns.Call{}, netns.Call{Op: netns.OpReceive, FD: 3, N: 1, At: 1 * ms})
	})
	var got []string
	for _, line := range from(t, tr, "recv(3, 1)") {
		if strings.Contains(line, "client/") {
			got = append(got, line)
		}
	}
	want(t, "events of the client", `
6 1ms client/1 cause 0: recv(3, 1)
7 1ms client/1 cause 6: *trace.StateChange
8 1ms client/0 cause 6: sent ACK len 0
9 2ms client/0 cause 0: *trace.Timer
10 2ms client/1 cause 9: *trace.StateChange
11 2ms client/0 cause 9: sent ACK len 0
12 2ms client/1 cause 9: *trace.StateChange
13 2ms client/0 cause 9: sent ACK len 0
14 2ms client/1 cause 9: return of 6 = 1
20 13ms client/0 cause 16: arrived ACK len 0
21 13ms client/1 cause 20: *trace.StateChange
22 13ms client/0 cause 20: sent ACK len 0`, got)
}

// TestRetries: a call that blocks is tried when it is made, and again only when a step has touched its socket, or a
// connection that came to it; those on one socket in the order in which they blocked.
func TestRetries(t *testing.T) {
	var p *puppet
	server := glass(func(q *puppet) {
		p = q
		q.onSocket = func(s *puppetSocket) { s.name = string(rune('a' + len(q.sockets) - 1)) }
	})
	var got []string
	sb, err := netns.New(netns.Config{Client: blind(nil), Server: server})
	if err != nil {
		t.Fatal(err)
	}
	// Sockets a and b wait for data, c for a connection.
	for _, calls := range [][]netns.Call{
		{{}, {Op: netns.OpReceive, FD: 3, N: 1, At: 1 * ms}},
		{{}, {Op: netns.OpReceive, FD: 4, N: 1, At: 1 * ms}},
		{{}, {Op: netns.OpListen, FD: 5}, {Op: netns.OpAccept, FD: 5, At: 1 * ms}},
		{{Op: netns.OpReceive, FD: 3, N: 1, At: 2 * ms, Absolute: true}},
	} {
		of(t, sb, netns.Server, calls...)
	}
	var child *puppetSocket
	for i, step := range []func(){
		func() {}, // touches nothing
		func() { p.touch(p.sockets[0]) },
		func() { p.touch(p.sockets[1]) },
		func() {
			child = &puppetSocket{p: p, name: "child", status: netns.Status{State: trace.SynReceived, Listener: p.sockets[2]}}
			p.touch(child)
		},
		func() { p.touch(p.sockets[1], child) },
		func() {
			p.sockets[0].receive = func(b []byte) (int, error) { // enough for one of the two
				p.sockets[0].receive = nil
				return len(b), nil
			}
			p.touch(p.sockets[0])
		},
	} {
		name := fmt.Sprintf("step %d", i+1)
		sb.At(time.Duration(i+3)*ms, 1, func() {
			p.attempts = nil
			p.at(sb.Now(), name, step)
		})
		sb.At(time.Duration(i+3)*ms+1, 1, func() { got = append(got, fmt.Sprintf("%s: %s", name, strings.Join(p.attempts, ", "))) })
	}
	tr, err := sb.Run()
	if err != nil {
		t.Fatal(err)
	}
	want(t, "attempts", `
step 1: 
step 2: receive a, receive a
step 3: receive b
step 4: accept c
step 5: receive b, accept c
step 6: receive a, receive a`, got)
	if len(tr.End.Blocked) != 3 {
		t.Errorf("calls %v are blocked at the end, want three", tr.End.Blocked)
	}
	for _, e := range tr.Events {
		if r, ok := e.Detail.(*trace.Return); ok && r.Call == tr.End.Blocked[0] {
			t.Errorf("event %d is the return of a blocked call", e.N)
		}
	}
}

// TestRetryWakesAnother: what a call that was tried again touches may let another go on, within the same step and by
// the same cause.
func TestRetryWakesAnother(t *testing.T) {
	ready := false
	server := glass(func(p *puppet) {
		p.onSocket = func(s *puppetSocket) {
			if len(p.sockets) == 1 {
				s.receive = func([]byte) (int, error) {
					if !ready {
						return 0, netns.ErrWouldBlock
					}
					p.touch(p.sockets[1])
					p.sockets[1].receive = func([]byte) (int, error) { return 0, nil }
					return 1, nil
				}
				p.alarms = append(p.alarms, alarm{at: 9 * ms, owner: s, do: func() { ready = true; p.touch(s) }})
			}
		}
	})
	tr := run(t, netns.Config{Client: blind(nil), Server: server}, func(sb *netns.Sandbox) {
		of(t, sb, netns.Server, netns.Call{}, netns.Call{}, netns.Call{Op: netns.OpReceive, FD: 4, N: 1})
		of(t, sb, netns.Server, netns.Call{At: ms, Op: netns.OpReceive, FD: 3, N: 1})
	})
	want(t, "events", `
9 9ms server/1 cause 0: *trace.Timer
10 9ms server/1 cause 9: return of 8 = 1
11 9ms server/2 cause 9: return of 7 = 0`, from(t, tr, "Timer"))
}

// TestTwoGoOn: one step that touches two sockets lets a call on each go on, each Return by that step.
func TestTwoGoOn(t *testing.T) {
	server := glass(func(p *puppet) {
		p.at(9*ms, "data", func() {
			p.touch(p.sockets...)
			for _, s := range p.sockets {
				s.receive = func([]byte) (int, error) { return 1, nil }
			}
		})
	})
	tr := run(t, netns.Config{Client: blind(nil), Server: server}, func(sb *netns.Sandbox) {
		of(t, sb, netns.Server, netns.Call{}, netns.Call{}, netns.Call{Op: netns.OpReceive, FD: 4, N: 1})
		of(t, sb, netns.Server, netns.Call{At: ms, Op: netns.OpReceive, FD: 3, N: 1})
	})
	want(t, "events", `
9 9ms server/0 cause 0: *trace.Timer
10 9ms server/2 cause 9: return of 7 = 1
11 9ms server/1 cause 9: return of 8 = 1`, from(t, tr, "Timer"))
}

// TestRetrySends: what a call that was tried again sends is caused by the step that let it.
func TestRetrySends(t *testing.T) {
	server := glass(func(p *puppet) {
		p.at(9*ms, "room", func() {
			s := p.sockets[0]
			p.touch(s)
			s.send = func(b []byte) (int, error) {
				p.send(trace.ACK, 1, b...)
				s.send = nil
				return 2, nil
			}
		})
	})
	tr := run(t, netns.Config{Client: blind(nil), Server: server}, func(sb *netns.Sandbox) {
		of(t, sb, netns.Server, netns.Call{}, netns.Call{Op: netns.OpSend, FD: 3, N: 3})
	})
	want(t, "events", `
5 9ms server/0 cause 0: *trace.Timer
6 9ms server/0 cause 5: sent ACK len 3
7 19ms client/0 cause 6: arrived ACK len 3`, from(t, tr, "Timer"))
	if d := cmp.Diff(trace.End{At: 19 * ms, Reason: trace.Idle, Blocked: []int{4}}, tr.End); d != "" {
		t.Errorf("end: the third octet still waits (-want +got):\n%s", d)
	}
}

// TestErrorsOfCalls: an error in the middle comes with the next call for send, at once for sendall and the receives; one
// that no errno names is EIO.
func TestErrorsOfCalls(t *testing.T) {
	server := blind(func(p *puppet) {
		p.onSocket = func(s *puppetSocket) {
			left := 4
			s.send = func(b []byte) (int, error) {
				if left == 0 {
					return 0, netns.ErrReset
				}
				left--
				return 1, nil
			}
			got := 0
			s.receive = func([]byte) (int, error) {
				if got++; got > 2 {
					return 0, fmt.Errorf("wrapped: %w", netns.ErrTimeout)
				}
				return 1, nil
			}
			s.accept = func() (netns.Socket, error) { return nil, netns.ErrInvalid }
			s.connect = func() error { return errors.New("what no errno names") }
		}
	})
	tr := run(t, netns.Config{Client: blind(nil), Server: server}, func(sb *netns.Sandbox) {
		of(t, sb, netns.Server, netns.Call{}, netns.Call{Op: netns.OpSend, FD: 3, N: 2}, netns.Call{Op: netns.OpSend, FD: 3, N: 5},
			netns.Call{Op: netns.OpSend, FD: 3, N: 5}, netns.Call{}, netns.Call{Op: netns.OpSendAll, FD: 4, N: 5},
			netns.Call{Op: netns.OpReceiveAll, FD: 4, N: 5}, netns.Call{Op: netns.OpReceive, FD: 3, N: 5}, netns.Call{Op: netns.OpAccept, FD: 3},
			netns.Call{Op: netns.OpConnect, FD: 3, Addr: serverPort}, netns.Call{Op: netns.OpAbort, FD: 3},
			netns.Call{Op: netns.OpGetOption, FD: 4}, netns.Call{Op: netns.OpSetOption, FD: 4})
	})
	want(t, "server", `
0s socket() = 3
0s send(3, 2) = 2
0s send(3, 5) = 2
0s send(3, 5) = -1 ECONNRESET
0s socket() = 4
0s sendall(4, 5) = -1 ECONNRESET
0s recvall(4, 5) = -1 ETIMEDOUT
0s recv(3, 5) = 1
0s accept(3) = -1 EINVAL
0s connect(3, 192.0.2.2:80) = -1 EIO
0s abort(3) = -1 EOPNOTSUPP
0s getsockopt(4) = -1 EOPNOTSUPP
0s setsockopt(4) = -1 EOPNOTSUPP`, returns(tr, netns.Server))
}

// TestReusedDescriptor: a blocked call whose descriptor came to name another socket meanwhile answers EBADF, and does not
// work on either.
func TestReusedDescriptor(t *testing.T) {
	server := glass(func(p *puppet) {
		p.onSocket = func(s *puppetSocket) {
			s.name = string(rune('a' + len(p.sockets) - 1))
			s.quiet = true
		}
		p.at(9*ms, "data", func() { p.touch(p.sockets...) })
	})
	tr := run(t, netns.Config{Client: blind(nil), Server: server}, func(sb *netns.Sandbox) {
		of(t, sb, netns.Server, netns.Call{}, netns.Call{Op: netns.OpReceive, FD: 3, N: 1})
		of(t, sb, netns.Server, netns.Call{At: ms, Op: netns.OpClose, FD: 3}, netns.Call{})
	})
	want(t, "server", "0s socket() = 3\n1ms close(3) = 0\n1ms socket() = 3\n9ms recv(3, 1) = -1 EBADF", returns(tr, netns.Server))
}

// TestClosedListener: of a stack that cannot be looked into, a segment belongs to the listening socket until that is closed.
func TestClosedListener(t *testing.T) {
	tr := run(t, netns.Config{Server: blind(nil), Client: blind(func(p *puppet) {
		p.at(0, "SYN", func() { p.send(trace.SYN, 1) })
		p.at(10*ms, "SYN", func() { p.send(trace.SYN, 2) })
	})}, func(sb *netns.Sandbox) {
		of(t, sb, netns.Server, netns.Call{}, netns.Call{Op: netns.OpBind, FD: 3, Addr: serverPort}, netns.Call{Op: netns.OpListen, FD: 3},
			netns.Call{Op: netns.OpClose, FD: 3, At: 15 * ms})
	})
	var got []int
	for _, e := range tr.Events {
		if _, ok := e.Detail.(*trace.Arrived); ok {
			got = append(got, e.Socket)
		}
	}
	if d := cmp.Diff([]int{1, 0}, got); d != "" {
		t.Errorf("sockets that SYNs arrived at (-want +got):\n%s", d)
	}
}

// TestClosedConnection: a socket in CLOSED has no connection, though it still names its peer. The RST with which it came
// there is its own; the segment that comes then is nobody's, and so is its answer.
func TestClosedConnection(t *testing.T) {
	client := glass(func(p *puppet) {
		p.onSocket = func(s *puppetSocket) {
			s.status.State = trace.Established
			s.local, s.remote = netip.MustParseAddrPort("192.0.2.1:80"), serverPort
			p.at(10*ms, "gives up", func() { s.status.State = trace.Closed; p.touch(s); p.send(trace.RST, 1) })
		}
		p.onDeliver = func(p *puppet, _ *trace.Packet) { p.touch(p.sockets[0]); p.send(trace.RST, 2) }
	})
	server := blind(func(p *puppet) {
		p.at(0, "segment", func() { p.send(trace.ACK, 1) })
		p.at(ms, "segment", func() { p.send(trace.ACK, 2) })
	})
	tr := run(t, netns.Config{Client: client, Server: server}, func(sb *netns.Sandbox) { of(t, sb, netns.Client, netns.Call{}) })
	var got []string
	for _, l := range lines(tr) {
		if strings.Contains(l, "client") && (strings.Contains(l, "sent") || strings.Contains(l, "arrived")) {
			got = append(got, l)
		}
	}
	want(t, "client's packets", `
8 10ms client/1 cause 2: arrived ACK len 0
9 10ms client/1 cause 8: sent RST len 0
12 10ms client/1 cause 10: sent RST len 0
13 11ms client/0 cause 7: arrived ACK len 0
14 11ms client/0 cause 13: sent RST len 0`, got)
}

// TestWrongState: what a stack reports of itself is in the record as it is, right or wrong: the driver believes its eyes.
func TestWrongState(t *testing.T) {
	liar := glass(func(p *puppet) {
		p.onSocket = func(s *puppetSocket) {
			s.status = netns.Status{State: trace.TimeWait, Word: "EARLY", Source: trace.Reported}
			s.info = func(info *trace.ControlInfo) {
				info.SetNumber(trace.LocalPort, 7)
				info.SetText(trace.Protocol, "SCTP")
				info.Hide(trace.RTO)
			}
		}
	})
	tr := run(t, netns.Config{Client: liar, Server: blind(nil)}, func(sb *netns.Sandbox) {
		of(t, sb, netns.Client, netns.Call{})
		sb.At(1*ms, 1, func() {
			if got := sb.State(netns.Client, 1); got != trace.TimeWait {
				t.Errorf("State() = %s, want TIME-WAIT", got)
			}
			info, ok := sb.ControlInfo(netns.Client, 1)
			if v := info.Value(trace.LocalPort); !ok || v != (trace.Value{Kind: trace.Number, Num: 7}) {
				t.Errorf("ControlInfo() has local port %s, want 7", v)
			}
		})
	})
	if d := cmp.Diff(&trace.StateChange{To: trace.TimeWait, Word: "EARLY", Source: trace.Reported}, tr.Event(2).Detail); d != "" {
		t.Errorf("state (-want +got):\n%s", d)
	}
	if d := cmp.Diff(&trace.Control{Changes: []trace.Change{
		trace.Change{Item: trace.Protocol, By: trace.ByApplication}.With(trace.Value{}, trace.Value{Kind: trace.Text, Text: "SCTP"}),
		trace.Change{Item: trace.LocalPort}.With(trace.Value{}, trace.Value{Kind: trace.Number, Num: 7}),
		trace.Change{Item: trace.RTO}.With(trace.Value{}, trace.Value{Kind: trace.NotObservable}),
	}}, tr.Event(3).Detail); d != "" {
		t.Errorf("control information (-want +got):\n%s", d)
	}
	if e := tr.Event(2); e.Socket != 1 || e.Cause != 1 {
		t.Errorf("the state is of socket %d, by event %d; want socket 1, by the call", e.Socket, e.Cause)
	}
}

// TestGoneSocket: a socket that is gone is forgotten. A timer that still names it makes no new one of it, and the next
// socket has a number of its own.
func TestGoneSocket(t *testing.T) {
	client := glass(func(p *puppet) {
		p.onSocket = func(s *puppetSocket) {
			if len(p.sockets) > 1 {
				return
			}
			p.alarms = append(p.alarms,
				alarm{at: 1 * ms, owner: s, name: "last", do: func() { s.status.Word, s.status.Gone = "GONE", true; p.touch(s) }},
				alarm{at: 2 * ms, owner: s, name: "nobody stopped it", do: func() { p.touch(s) }},
				alarm{at: 3 * ms, owner: s, name: "nor this", do: func() { p.touch(s); p.send(trace.ACK, 1) }},
			)
		}
	})
	tr := run(t, netns.Config{Client: client, Server: blind(nil)}, func(sb *netns.Sandbox) {
		of(t, sb, netns.Client, netns.Call{}, netns.Call{At: 4 * ms})
		sb.At(2*ms, 1, func() {
			if s := sb.State(netns.Client, 1); s != trace.Closed {
				t.Errorf("State() of a socket that is gone = %s, want CLOSED", s)
			}
			if _, ok := sb.ControlInfo(netns.Client, 1); ok {
				t.Error("ControlInfo() of a socket that is gone is ok")
			}
		})
	})
	want(t, "events", `
4 1ms client/1 cause 0: *trace.Timer
5 1ms client/1 cause 4: *trace.StateChange
6 3ms client/0 cause 0: *trace.Timer
7 3ms client/0 cause 6: sent ACK len 0
8 4ms client/0 cause 0: socket()
9 4ms client/2 cause 8: *trace.StateChange
10 4ms client/2 cause 8: return of 8 = 4
11 13ms server/0 cause 7: arrived ACK len 0`, from(t, tr, "Timer"))
}

// TestDescriptors: socket hands out the lowest that is free, a call on one that is not open answers EBADF, and so does one
// that was blocked when another program closed its descriptor.
func TestDescriptors(t *testing.T) {
	open, closed := netns.Call{}, func(fd int) netns.Call { return netns.Call{Op: netns.OpClose, FD: fd} }
	tr := run(t, toys(netns.Config{}), func(sb *netns.Sandbox) {
		of(t, sb, netns.Client, open, open, open, closed(4), closed(3), open, open, open, closed(7), closed(0), netns.Call{Op: netns.OpListen, FD: -1},
			netns.Call{Op: netns.OpBind, FD: 6, Addr: serverPort}, closed(6), closed(6))
		of(t, sb, netns.Server, open, netns.Call{Op: netns.OpReceive, FD: 3, N: 9})
		of(t, sb, netns.Server, netns.Call{Op: netns.OpClose, FD: 3, At: 5 * ms}, open)
	})
	want(t, "client", `
0s socket() = 3
0s socket() = 4
0s socket() = 5
0s close(4) = 0
0s close(3) = 0
0s socket() = 3
0s socket() = 4
0s socket() = 6
0s close(7) = -1 EBADF
0s close(0) = -1 EBADF
0s listen(0) = -1 EBADF
0s bind(6, 192.0.2.2:80) = 0
0s close(6) = 0
0s close(6) = -1 EBADF`, returns(tr, netns.Client))
	want(t, "server", `
0s socket() = 3
5ms close(3) = 0
5ms recv(3, 9) = -1 EBADF
5ms socket() = 3`, returns(tr, netns.Server))
	if tr.End.Reason != trace.Finished {
		t.Errorf("ended %s, want finished: no call is blocked any more", tr.End.Reason)
	}
}

// TestNonBlocking: on a non-blocking descriptor no call blocks, and what it says instead is what POSIX has for it.
func TestNonBlocking(t *testing.T) {
	later := func(c netns.Call) netns.Call {
		c.At, c.Absolute = 100*ms, true
		return c
	}
	cfg := toys(netns.Config{})
	cfg.Client = narrow(300)
	tr := run(t, cfg, func(sb *netns.Sandbox) {
		of(t, sb, netns.Server, netns.Call{}, netns.Call{Op: netns.OpBind, FD: 3, Addr: serverPort}, netns.Call{Op: netns.OpListen, FD: 3, N: 1},
			netns.Call{Op: netns.OpNonBlocking, FD: 3, N: 1}, netns.Call{Op: netns.OpAccept, FD: 3}, later(netns.Call{Op: netns.OpAccept, FD: 3}),
			netns.Call{Op: netns.OpNonBlocking, FD: 4, N: 1}, netns.Call{Op: netns.OpReceive, FD: 4, N: 9}, netns.Call{Op: netns.OpReceiveAll, FD: 4, N: 9},
			netns.Call{Op: netns.OpNonBlocking, FD: 4}, netns.Call{Op: netns.OpReceiveAll, FD: 4, N: 200, Verify: true},
			netns.Call{Op: netns.OpNonBlocking, FD: 4, N: 1}, netns.Call{Op: netns.OpReceiveAll, FD: 4, N: 5000, Verify: true})
		connect := netns.Call{Op: netns.OpConnect, FD: 3, Addr: serverPort}
		of(t, sb, netns.Client, netns.Call{}, netns.Call{Op: netns.OpNonBlocking, FD: 3, N: 1}, connect, connect, later(connect),
			netns.Call{Op: netns.OpReceive, FD: 3, N: 9}, netns.Call{Op: netns.OpSend, FD: 3, N: 1000}, netns.Call{Op: netns.OpSend, FD: 3, N: 1000})
	})
	want(t, "client", `
0s socket() = 3
0s fcntl(3) = 0
0s connect(3, 192.0.2.2:80) = -1 EINPROGRESS
0s connect(3, 192.0.2.2:80) = -1 EALREADY
100ms connect(3, 192.0.2.2:80) = 0
100ms recv(3, 9) = -1 EAGAIN
100ms send(3, 1000) = 300
100ms send(3, 1000) = -1 EAGAIN`, returns(tr, netns.Client))
	want(t, "server", `
0s socket() = 3
0s bind(3, 192.0.2.2:80) = 0
0s listen(3, 1) = 0
0s fcntl(3) = 0
0s accept(3) = -1 EAGAIN
100ms accept(3) = 4
100ms fcntl(4) = 0
100ms recv(4, 9) = -1 EAGAIN
100ms recvall(4, 9) = -1 EAGAIN
100ms fcntl(4) = 0
110ms recvall(4, 200) = 200
110ms fcntl(4) = 0
110ms recvall(4, 5000) = 100`, returns(tr, netns.Server))
}

// narrow makes toys that take over only so many octets before they must have heard from the peer.
func narrow(room int) netns.Factory {
	return factory(func(env netns.Env) (netns.Stack, error) {
		s, err := toy.Factory{}.New(env)
		return &narrowStack{Stack: s.(*toy.Stack), most: room, room: room}, err
	})
}

type narrowStack struct {
	*toy.Stack
	most, room int
}

func (s *narrowStack) Deliver(packet []byte) {
	s.Stack.Deliver(packet)
	s.room = s.most
}

func (s *narrowStack) Socket(f netns.Family) (netns.Socket, error) {
	sock, err := s.Stack.Socket(f)
	return &narrowSocket{sock.(*toy.Socket), s}, err
}

type narrowSocket struct {
	*toy.Socket
	stack *narrowStack
}

func (s *narrowSocket) Send(data []byte) (int, error) {
	n := min(len(data), s.stack.room)
	if n == 0 {
		return 0, netns.ErrWouldBlock
	}
	s.stack.room -= n
	return s.Socket.Send(data[:n])
}

// TestManyPieces: sendall goes on each time the stack has room again, recvall until it has them all; each octet is the right
// one in the right place.
func TestManyPieces(t *testing.T) {
	const n = 200_001
	cfg := toys(netns.Config{OmitData: true})
	cfg.Client = narrow(1234)
	tr := run(t, cfg, func(sb *netns.Sandbox) { plain(t, sb, n) })
	sends, got := 0, map[string]int64{}
	for _, e := range tr.Events {
		switch d := e.Detail.(type) {
		case *trace.Sent:
			if e.Host == netns.Client && d.Packet.TCP.DataLen > 0 {
				sends++
			}
		case *trace.Return:
			got[e.Host+" "+tr.Event(d.Call).Detail.(*trace.Call).Name] = d.Result
		default:
		}
	}
	if sends < n/1234 {
		t.Errorf("the client sent its data in %d segments, want at least %d", sends, n/1234)
	}
	if got["client sendall"] != n || got["client recvall"] != n || got["server sendall"] != n || got["server recvall"] != 0 {
		t.Errorf("results %v, want %d of all but the server's last, the end of data", got, n)
	}
	if tr.End.Reason != trace.Finished {
		t.Errorf("ended %s, want finished", tr.End.Reason)
	}
}

// watched is a program of calls that keeps what came of them.
type watched struct {
	netns.Program
	outcomes []netns.Outcome
	data     []string
}

func watch(calls ...netns.Call) *watched { return &watched{Program: netns.Calls(calls...)} }

func (w *watched) Next(last netns.Outcome) (netns.Call, bool) {
	w.outcomes, w.data = append(w.outcomes, last), append(w.data, string(last.Data))
	return w.Program.Next(last)
}

// TestVerify: a receive that compares tells the position in the stream of the first wrong octet, counted from the
// beginning of the connection, over calls and over pieces.
func TestVerify(t *testing.T) {
	stream := make([]byte, 3000)
	netns.NewStream(5, netns.Client).Fill(stream, 0)
	for name, c := range map[string]struct {
		wrong []int
		want  []int64 // of the receives of 10, of 2000 and to the end
	}{
		"all right":                              {nil, []int64{-1, -1, -1}},
		"the first octet":                        {[]int{0}, []int64{0, -1, -1}},
		"two in one call, the first is told":     {[]int{7, 3}, []int64{3, -1, -1}},
		"in a call's second piece":               {[]int{1500}, []int64{-1, 1500, -1}},
		"in each call":                           {[]int{9, 10, 2999}, []int64{9, 10, 2999}},
		"in the last call, which takes the rest": {[]int{2010}, []int64{-1, -1, 2010}},
	} {
		t.Run(name, func(t *testing.T) {
			data := bytes.Clone(stream)
			for _, i := range c.wrong {
				data[i] ^= 0x80
			}
			receive := func(n int) netns.Call { return netns.Call{Op: netns.OpReceiveAll, FD: 4, N: n, Verify: true} }
			server := watch(netns.Call{}, netns.Call{Op: netns.OpBind, FD: 3, Addr: serverPort}, netns.Call{Op: netns.OpListen, FD: 3, N: 1},
				netns.Call{Op: netns.OpAccept, FD: 3}, receive(10), receive(2000), receive(-1))
			run(t, toys(netns.Config{Seed: 5}), func(sb *netns.Sandbox) {
				if err := sb.Program(netns.Server, "server", server); err != nil {
					t.Fatal(err)
				}
				of(t, sb, netns.Client, netns.Call{}, netns.Call{Op: netns.OpConnect, FD: 3, Addr: serverPort},
					netns.Call{Op: netns.OpSend, FD: 3, Data: data}, netns.Call{Op: netns.OpClose, FD: 3})
			})
			var got []int64
			for _, o := range server.outcomes[5:] {
				got = append(got, o.Mismatch)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("mismatches (-want +got):\n%s", d)
			}
			if all := strings.Join(server.data[5:], ""); all != string(data) {
				t.Error("what was received is not what was sent")
			}
		})
	}
}

// TestOutcome: what a program is told of its calls.
func TestOutcome(t *testing.T) {
	server := watch(netns.Call{}, netns.Call{Op: netns.OpBind, FD: 3, Addr: serverPort}, netns.Call{Op: netns.OpListen, FD: 3, N: 1},
		netns.Call{Op: netns.OpAccept, FD: 3}, netns.Call{Op: netns.OpReceive, FD: 4, N: 100}, netns.Call{Op: netns.OpReceive, FD: 4, N: -1},
		netns.Call{Op: netns.OpSend, FD: 4, N: -1}, netns.Call{Op: netns.OpShutdown, FD: 4}, netns.Call{Op: netns.OpGetError, FD: 4})
	run(t, toys(netns.Config{}), func(sb *netns.Sandbox) {
		if err := sb.Program(netns.Server, "server", server); err != nil {
			t.Fatal(err)
		}
		of(t, sb, netns.Client, netns.Call{}, netns.Call{Op: netns.OpConnect, FD: 3, Addr: serverPort},
			netns.Call{Op: netns.OpSendAll, FD: 3, Data: []byte("hello")})
	})
	for i := range server.outcomes {
		server.outcomes[i].Call = 0
	}
	peer := netip.MustParseAddrPort("192.0.2.1:40001")
	if d := cmp.Diff([]netns.Outcome{
		{Mismatch: -1},
		{Made: true, Socket: 1, Result: 3, Mismatch: -1},
		{Made: true, Socket: 1, Mismatch: -1},
		{Made: true, Socket: 1, Mismatch: -1},
		{Made: true, Socket: 1, Result: 4, Addr: peer, Mismatch: -1, At: 30 * ms},
		{Made: true, Socket: 2, Result: 5, Data: []byte("hello"), Mismatch: -1, At: 30 * ms},
		{Made: true, Socket: 2, Result: -1, Errno: netns.ErrInvalid, Mismatch: -1, At: 30 * ms},
		{Made: true, Socket: 2, Result: -1, Errno: netns.ErrInvalid, Mismatch: -1, At: 30 * ms},
		{Made: true, Socket: 2, Result: -1, Errno: netns.ErrUnsupported, Mismatch: -1, At: 30 * ms},
		{Made: true, Socket: 2, Result: -1, Errno: netns.ErrUnsupported, Mismatch: -1, At: 30 * ms},
	}, server.outcomes, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Errorf("outcomes (-want +got):\n%s", d)
	}
}

// TestReboot: the reboot ends the sockets, what the old stack still sends is lost, the blocked call never returns, and the
// program goes on with an empty table of descriptors on a fresh stack with a seed of its own.
func TestReboot(t *testing.T) {
	var envs []netns.Env
	server := glass(func(p *puppet) {
		envs = append(envs, p.env)
		p.onSocket = func(s *puppetSocket) {
			if len(p.sockets) == 1 { // the second stays CLOSED, and the reboot does not close it once more
				s.status.State = trace.Established
			}
		}
		p.onClose = func() { p.send(trace.RST, 9) }
	})
	program := watch(netns.Call{}, netns.Call{}, netns.Call{Op: netns.OpReceive, FD: 3, N: 1}, netns.Call{Op: netns.OpClose, FD: 3}, netns.Call{})
	tr := run(t, netns.Config{Client: blind(nil), Server: server}, func(sb *netns.Sandbox) {
		if err := sb.Program(netns.Server, "server", program); err != nil {
			t.Fatal(err)
		}
		sb.At(time.Second, 1, func() {
			if err := sb.Reboot(netns.Server); err != nil {
				t.Error(err)
			}
			if s := sb.State(netns.Server, 1); s != trace.Closed {
				t.Errorf("State() of the old socket = %s, want CLOSED", s)
			}
			if n := sb.Socket(netns.Server, 3); n != 0 {
				t.Errorf("descriptor 3 names socket %d, want none", n)
			}
		})
		if err := sb.Reboot("router"); err == nil {
			t.Error("a host that there is not was rebooted")
		}
	})
	want(t, "events", `
8 1s server/0 cause 0: reboot
9 1s server/0 cause 8: sent RST len 0
10 1s server/0 cause 9: host-gone by ""
11 1s server/1 cause 8: *trace.StateChange
12 1s server/0 cause 0: close(3)
13 1s server/0 cause 12: return of 12 = -1 EBADF
14 1s server/0 cause 0: socket()
15 1s server/3 cause 14: *trace.StateChange
16 1s server/3 cause 14: return of 14 = 3`, from(t, tr, "reboot"))
	if d := cmp.Diff(&trace.StateChange{From: trace.Established, To: trace.Closed, Source: trace.Inferred}, tr.Event(11).Detail); d != "" {
		t.Errorf("the old socket's end (-want +got):\n%s", d)
	}
	if d := cmp.Diff(trace.End{At: time.Second, Reason: trace.Finished}, tr.End); d != "" {
		t.Errorf("end: the abandoned call is not blocked any more (-want +got):\n%s", d)
	}
	if last := program.outcomes[3]; last.Made {
		t.Errorf("after the reboot the program is told %+v, want an Outcome that was not made", last)
	}
	if len(envs) != 2 || envs[0].Generation != 0 || envs[1].Generation != 1 || envs[0].Seed == envs[1].Seed || envs[1].Now != time.Second ||
		envs[0].Address != envs[1].Address {
		t.Errorf("the stacks were made with %+v", envs)
	}
}

// TestRebootOfAConnection: its end by the reboot names the listener, as each state of a connection does, and the listener's
// children are still known.
func TestRebootOfAConnection(t *testing.T) {
	server := glass(func(p *puppet) {
		if p.env.Generation > 0 {
			return
		}
		p.at(ms, "SYN", func() {
			p.touch(&puppetSocket{p: p, status: netns.Status{State: trace.SynReceived, Listener: p.sockets[0]}})
		})
	})
	tr := run(t, netns.Config{Client: blind(nil), Server: server}, func(sb *netns.Sandbox) {
		of(t, sb, netns.Server, netns.Call{}, netns.Call{Op: netns.OpListen, FD: 3})
		sb.At(2*ms, 1, func() {
			if err := sb.Reboot(netns.Server); err != nil {
				t.Error(err)
			}
			if d := cmp.Diff([]int{2}, sb.Children(netns.Server, 1)); d != "" {
				t.Errorf("children of the listener (-want +got):\n%s", d)
			}
		})
	})
	var got []trace.StateChange
	for _, e := range tr.Events {
		if s, ok := e.Detail.(*trace.StateChange); ok && e.At > 0 {
			got = append(got, *s)
		}
	}
	if d := cmp.Diff([]trace.StateChange{
		{To: trace.SynReceived, Listener: 1},
		{From: trace.Listen, To: trace.Closed, Source: trace.Inferred},
		{From: trace.SynReceived, To: trace.Closed, Source: trace.Inferred, Listener: 1},
	}, got); d != "" {
		t.Errorf("states (-want +got):\n%s", d)
	}
}

// TestRebootOfAWaitingProgram: a program that waits for its time goes on at that time, and packets on their way reach
// the fresh stack.
func TestRebootOfAWaitingProgram(t *testing.T) {
	generations := 0
	var got []int
	server := blind(func(p *puppet) {
		generations++
		p.onDeliver = func(*puppet, *trace.Packet) { got = append(got, p.env.Generation) }
	})
	tr := run(t, netns.Config{Server: server, Client: blind(func(p *puppet) {
		p.at(0, "a", func() { p.send(trace.ACK, 1) })
		p.at(9*ms, "b", func() { p.send(trace.ACK, 2) })
	})}, func(sb *netns.Sandbox) {
		of(t, sb, netns.Server, netns.Call{}, netns.Call{At: 30 * ms})
		sb.At(15*ms, 1, func() {
			if err := sb.Reboot(netns.Server); err != nil {
				t.Error(err)
			}
		})
	})
	if d := cmp.Diff([]int{0, 1}, got); d != "" || generations != 2 {
		t.Errorf("%d stacks; generations that packets reached (-want +got):\n%s", generations, d)
	}
	want(t, "returns", "0s socket() = 3\n30ms socket() = 3", returns(tr, netns.Server))
}

// TestRebootThatFails: when the fresh stack cannot be made, the run is over; a record that is written has no end.
func TestRebootThatFails(t *testing.T) {
	errBoot := errors.New("no more stacks")
	server := factory(func(env netns.Env) (netns.Stack, error) {
		if env.Generation > 0 {
			return nil, errBoot
		}
		return blind(nil).New(env)
	})
	for _, w := range []*bytes.Buffer{nil, {}} {
		cfg := netns.Config{Client: blind(nil), Server: server}
		if w != nil {
			cfg.Writer = w
		}
		sb, err := netns.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		sb.At(time.Second, 1, func() {
			if err := sb.Reboot(netns.Server); !errors.Is(err, errBoot) {
				t.Errorf("Reboot: %v, want %v", err, errBoot)
			}
		})
		sb.At(2*time.Second, 1, func() { t.Error("the run went on") })
		tr, err := sb.Run()
		if !errors.Is(err, errBoot) {
			t.Errorf("Run: %v, want %v", err, errBoot)
		}
		if w == nil {
			if len(tr.Events) != 1 || tr.End.At != time.Second {
				t.Errorf("%d events and the end at %v, want the reboot at 1 s", len(tr.Events), tr.End.At)
			}
			continue
		}
		read, err := trace.Read(w, "trace", wire.Decode)
		if !errors.Is(err, trace.ErrTruncated) || len(read.Events) != 1 {
			t.Errorf("reading what was written: %v, want the reboot and ErrTruncated", err)
		}
	}
}

// TestFullDisk: a writer that fails ends the run with its error, and what was recorded before is written.
func TestFullDisk(t *testing.T) {
	set := func(sb *netns.Sandbox) { plain(t, sb, 100) }
	var whole bytes.Buffer
	cfg := toys(netns.Config{Writer: &whole})
	run(t, cfg, set)
	size := whole.Len()
	for _, room := range []int{0, 10, size / 3, size / 2, size - 1, size} {
		w := &failing{room: room}
		cfg.Writer = w
		sb, err := netns.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		set(sb)
		tr, err := sb.Run()
		if tr != nil {
			t.Error("a trace, with a Writer")
		}
		if !bytes.Equal(w.got, whole.Bytes()[:room]) {
			t.Errorf("room for %d octets: %d were written, want the first %d of the whole record", room, len(w.got), room)
		}
		var oe *netns.OpError
		if room == size {
			if err != nil {
				t.Errorf("room enough: %v", err)
			}
		} else if !errors.Is(err, errFull) || !errors.As(err, &oe) {
			t.Errorf("room for %d of %d octets: error %v, want an OpError of %v", room, size, err, errFull)
		}
		if most := sb.Steps(); room < size/2 && most > 30 {
			t.Errorf("room for %d of %d octets: the run went on for %d steps", room, size, most)
		}
	}
}

// TestRecordLevels: with less recorded, the same happens.
func TestRecordLevels(t *testing.T) {
	levels := func(r netns.RecordLevel) (tr *trace.Trace, steps int, end trace.End) {
		clear := glass(func(p *puppet) {
			p.onSocket = func(s *puppetSocket) {
				s.info = func(info *trace.ControlInfo) { info.SetNumber(trace.LocalPort, int64(len(p.attempts))) }
				p.at(p.now+5*ms, "timer", func() { s.status.State = trace.SynSent; p.touch(s); p.send(trace.SYN, 1) })
			}
		})
		sb, err := netns.New(netns.Config{Client: clear, Server: blind(nil), Record: r, Faults: faults(t, "drop client SYN#2", "duplicate client 50%")})
		if err != nil {
			t.Fatal(err)
		}
		of(t, sb, netns.Client, netns.Call{}, netns.Call{}, netns.Call{Op: netns.OpBind, FD: 4, Addr: serverPort}, netns.Call{Op: netns.OpReceive, FD: 3, N: 1})
		sb.At(7*ms, 1, func() {
			if n := sb.Note("", 0, trace.Note{Text: "here"}); (n == 0) != (r == netns.RecordNothing) {
				t.Errorf("Note returned %d", n)
			}
			sb.SetLink(true)
		})
		tr, err = sb.Run()
		if err != nil {
			t.Fatal(err)
		}
		return tr, sb.Steps(), sb.End()
	}
	kinds := func(tr *trace.Trace) (controls int, rest []string) {
		for _, e := range tr.Events {
			if _, ok := e.Detail.(*trace.Control); ok {
				controls++
				continue
			}
			s := short(&e)
			rest = append(rest, fmt.Sprintf("%v %s", e.At, s[strings.LastIndex(s, ": "):]))
		}
		return controls, rest
	}
	all, steps, end := levels(netns.RecordAll)
	some, someSteps, someEnd := levels(netns.RecordNoControl)
	none, noSteps, noEnd := levels(netns.RecordNothing)
	controls, wantRest := kinds(all)
	if controls == 0 || !all.Header.Control {
		t.Errorf("RecordAll: %d control events, header says %v", controls, all.Header.Control)
	}
	controls, rest := kinds(some)
	if controls != 0 || some.Header.Control {
		t.Errorf("RecordNoControl: %d control events, header says %v", controls, some.Header.Control)
	}
	for i := range wantRest { // returns name their calls by number
		if j := strings.Index(wantRest[i], "return of"); j >= 0 {
			wantRest[i], rest[i] = wantRest[i][:j], rest[i][:j]
		}
	}
	if d := cmp.Diff(wantRest, rest); d != "" {
		t.Errorf("other events (-RecordAll +RecordNoControl):\n%s", d)
	}
	if none != nil {
		t.Error("RecordNothing: a trace")
	}
	if steps != someSteps || steps != noSteps {
		t.Errorf("%d, %d and %d steps, want the same", steps, someSteps, noSteps)
	}
	if end.At != someEnd.At || end.At != noEnd.At || end.Reason != trace.Idle || noEnd.Reason != trace.Idle {
		t.Errorf("ends %+v, %+v, %+v, want the same time and idle", end, someEnd, noEnd)
	}
}

// TestConfigErrors: what is wrong with a Config is told by New, by name.
func TestConfigErrors(t *testing.T) {
	closed := 0
	closes := blind(func(p *puppet) { p.onClose = func() { closed++ } })
	errStack := errors.New("no stack today")
	broken := factory(func(netns.Env) (netns.Stack, error) { return nil, errStack })
	for want, cfg := range map[string]netns.Config{
		"configure: client and server need a stack each":                                               {},
		"configure: client and server need":                                                            {Client: toy.Factory{}},
		"configure: an MTU of 575: it must be between 576 and 65535 octets":                            toys(netns.Config{MTU: 575}),
		"configure: an MTU of 65536":                                                                   toys(netns.Config{MTU: 65536}),
		"configure: an MTU of -1":                                                                      toys(netns.Config{MTU: -1}),
		"configure: an MTU of 1279: it must be between 1280 and 65535 octets":                          toys(netns.Config{Family: netns.IPv6, MTU: 1279}),
		"configure: a link 2, which there is not":                                                      toys(netns.Config{Link: 2}),
		"configure: an address family 2, which there is not":                                           toys(netns.Config{Family: 2}),
		`configure: unknown need "speed": the needs are Ethernet, IPv6, ECN, urgent data, SYN cookies`: toys(netns.Config{Needs: []string{"speed"}}),
		"client: configure: the stack toy cannot do what this run needs: Ethernet":                     toys(netns.Config{Link: trace.LinkEthernet, Needs: []string{"ECN", "Ethernet"}}),
		"server: configure: the stack toy cannot do what this run needs: Ethernet":                     {Client: closes, Server: toy.Factory{}, Link: trace.LinkEthernet},
		"configure: a delay of -2ns: it cannot be negative":                                            toys(netns.Config{Delay: -2}),
		"configure: until -1s: it cannot be negative":                                                  toys(netns.Config{Until: -time.Second}),
		"configure: a delay of 876000h0m0.000000001s: it cannot be longer than 100 years":              toys(netns.Config{Delay: netns.MaxTime + 1}),
		"configure: until 2562047h47m16.854775807s: it cannot be later than 100 years":                 toys(netns.Config{Until: 1<<63 - 1}),
		"configure: fault 1: a delay of 876000h0m0.000000001s: it cannot be longer than 100 years":     toys(netns.Config{Faults: []netns.Fault{{Host: netns.Client, Delay: netns.MaxTime + 1}}}),
		`configure: fault 2: unknown host "": the hosts are`:                                           toys(netns.Config{Faults: []netns.Fault{{Host: netns.Client}, {}}}),
		"configure: fault 1: an action 9, which there is not":                                          toys(netns.Config{Faults: []netns.Fault{{Host: netns.Client, Action: 9}}}),
		"configure: fault 1: a match 3, which there is not":                                            toys(netns.Config{Faults: []netns.Fault{{Host: netns.Client, Match: 3}}}),
		"configure: fault 1: packets from number 3 to number 2":                                        toys(netns.Config{Faults: []netns.Fault{{Host: netns.Client, First: 3, Last: 2}}}),
		"configure: fault 1: 101 percent":                                                              toys(netns.Config{Faults: []netns.Fault{{Host: netns.Client, Percent: 101}}}),
		"configure: fault 1: a delay of -1ns":                                                          toys(netns.Config{Faults: []netns.Fault{{Host: netns.Client, Delay: -1}}}),
		"configure: fault 1: overtaken by -1 packets":                                                  toys(netns.Config{Faults: []netns.Fault{{Host: netns.Client, Overtake: -1}}}),
		"configure: fault 1: octet 1, bit 8":                                                           toys(netns.Config{Faults: []netns.Fault{{Host: netns.Client, Octet: 1, Bit: 8}}}),
		"client: start the stack: no stack today":                                                      {Client: broken, Server: closes},
		"server: start the stack: no stack today":                                                      {Client: closes, Server: broken},
	} {
		sb, err := netns.New(cfg)
		var oe *netns.OpError
		if sb != nil || !errors.As(err, &oe) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want an OpError: %s", err, want)
		}
	}
	if closed != 1 {
		t.Errorf("%d stacks were closed, want one: the client's, when the server's could not be made", closed)
	}
}

// TestHeader: the header has what shapes the run.
func TestHeader(t *testing.T) {
	f := faults(t, "drop  client SYN#9")
	cfg := netns.Config{
		Client: glass(nil), Server: toy.Factory{}, Seed: 3, Delay: netns.NoLinkDelay, MTU: 900, Faults: f, Until: time.Minute,
		Story: trace.Story{Name: "s", Text: "t"}, OmitData: true,
	}
	got := run(t, cfg, func(*netns.Sandbox) {}).Header
	if d := cmp.Diff(trace.Header{
		Story: trace.Story{Name: "s", Text: "t"}, Seed: 3, MTU: 900, Faults: []string{"drop client SYN#9"}, Until: time.Minute,
		Start: netns.Start, Control: true,
		Hosts: []trace.HostInfo{
			{Name: "client", Address: "192.0.2.1/24", Stack: "puppet", Version: "1", Capabilities: append(netns.Needed(), trace.CapabilityControl)},
			{Name: "server", Address: "192.0.2.2/24", Stack: toy.Name, Version: "1", Unsupported: toy.Factory{}.Info().Unsupported, Capabilities: toy.Factory{}.Info().Capabilities},
		},
	}, got); d != "" {
		t.Errorf("header (-want +got):\n%s", d)
	}
	if got := run(t, toys(netns.Config{}), func(*netns.Sandbox) {}).Header; got.Delay != netns.DefaultDelay || got.MTU != netns.DefaultMTU || !got.Data {
		t.Errorf("defaults: delay %v, MTU %d, data %v", got.Delay, got.MTU, got.Data)
	}
}

// TestTwoPrograms: two programs on one host share its descriptors, and each waits by itself.
func TestTwoPrograms(t *testing.T) {
	tr := run(t, toys(netns.Config{}), func(sb *netns.Sandbox) {
		plain(t, sb, 5)
		if err := sb.Program(netns.Client, "client.2", netns.Calls(
			netns.Call{At: 1 * ms}, netns.Call{Op: netns.OpConnect, FD: 4, Addr: serverPort}, netns.Call{Op: netns.OpClose, FD: 4},
		)); err != nil {
			t.Fatal(err)
		}
		if err := sb.Program("router", "router", netns.Calls()); err == nil || !strings.Contains(err.Error(), `unknown host "router"`) {
			t.Errorf("a program for a host that there is not: error %v", err)
		}
	})
	by := map[string][]string{}
	for _, e := range tr.Events {
		if r, ok := e.Detail.(*trace.Return); ok && e.Host == netns.Client {
			c := tr.Event(r.Call).Detail.(*trace.Call)
			by[c.Program] = append(by[c.Program], fmt.Sprintf("%v %s = %s", e.At, c, r))
		}
	}
	want(t, "client", "0s socket() = 3\n20ms connect(3, 192.0.2.2:80) = 0\n20ms sendall(3, 5) = 5\n40ms recvall(3, 5) = 5\n40ms close(3) = 0", by["client"])
	want(t, "client.2", "1ms socket() = 4\n21ms connect(4, 192.0.2.2:80) = 0\n21ms close(4) = 0", by["client.2"])
}

// TestSandboxNumbers: descriptors, children and addresses as a test of a run sees them.
func TestSandboxNumbers(t *testing.T) {
	run(t, toys(netns.Config{}), func(sb *netns.Sandbox) {
		plain(t, sb, 5)
		sb.At(35*ms, 1, func() {
			if l, c := sb.Socket(netns.Server, 3), sb.Socket(netns.Server, 4); l != 1 || c != 2 {
				t.Errorf("descriptors 3 and 4 name sockets %d and %d, want 1 and 2", l, c)
			}
			if d := cmp.Diff([]int{2}, sb.Children(netns.Server, 1)); d != "" {
				t.Errorf("children of the listener (-want +got):\n%s", d)
			}
			if sb.State(netns.Server, 2) != trace.NotObserved {
				t.Error("the toy's state was observed")
			}
			if sb.Socket(netns.Server, 9) != 0 || sb.Socket("router", 3) != 0 || sb.Children("router", 1) != nil || sb.State(netns.Server, 9) != trace.NotObserved {
				t.Error("what there is not has a number")
			}
		})
		if sb.Address(netns.Server) != serverPort.Addr() || sb.Address("router").IsValid() {
			t.Errorf("addresses %v and %v", sb.Address(netns.Server), sb.Address("router"))
		}
	})
}

// TestSameRunTwice: one seed gives one record.
func TestSameRunTwice(t *testing.T) {
	record := func(seed uint64) string {
		var b bytes.Buffer
		run(t, toys(netns.Config{Seed: seed, Writer: &b, Faults: faults(t, "duplicate client 30% 1ms")}), func(sb *netns.Sandbox) { plain(t, sb, 3000) })
		return b.String()
	}
	if once, again := record(4), record(4); once != again {
		t.Error("two runs of one seed differ")
	}
	if record(4) == record(5) {
		t.Error("two seeds give the same record")
	}
}

// TestRecordNothing: a run without a recorder, in which packets are not even decoded, gives the programs the same.
func TestRecordNothing(t *testing.T) {
	outcomes := func(r netns.RecordLevel) []netns.Outcome {
		w := watch(netns.Call{}, netns.Call{Op: netns.OpConnect, FD: 3, Addr: serverPort}, netns.Call{Op: netns.OpSendAll, FD: 3, N: 5000},
			netns.Call{Op: netns.OpReceiveAll, FD: 3, N: 5000, Verify: true}, netns.Call{Op: netns.OpClose, FD: 3})
		run(t, toys(netns.Config{Record: r}), func(sb *netns.Sandbox) {
			of(t, sb, netns.Server, netns.Call{}, netns.Call{Op: netns.OpBind, FD: 3, Addr: serverPort}, netns.Call{Op: netns.OpListen, FD: 3, N: 1},
				netns.Call{Op: netns.OpAccept, FD: 3}, netns.Call{Op: netns.OpReceiveAll, FD: 4, N: 5000, Verify: true},
				netns.Call{Op: netns.OpSendAll, FD: 4, N: 5000}, netns.Call{Op: netns.OpReceiveAll, FD: 4, N: -1})
			if err := sb.Program(netns.Client, "client", w); err != nil {
				t.Fatal(err)
			}
		})
		for i := range w.outcomes {
			w.outcomes[i].Call, w.outcomes[i].Data = 0, nil
		}
		return w.outcomes
	}
	all, none := outcomes(netns.RecordAll), outcomes(netns.RecordNothing)
	if d := cmp.Diff(all, none, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Errorf("outcomes (-RecordAll +RecordNothing):\n%s", d)
	}
	if last := all[4]; last.Result != 5000 || last.Mismatch != -1 {
		t.Errorf("the client received %d octets, mismatch %d", last.Result, last.Mismatch)
	}
}

// bound is a program whose calls get their descriptor when they are made.
type bound struct {
	*watched
	sb  *netns.Sandbox
	got []string
}

func (b *bound) Bind(c *netns.Call) {
	b.got = append(b.got, fmt.Sprintf("%v %s", b.sb.Now(), c.Op))
	if c.Op == netns.OpListen {
		c.FD = 4
	}
}

// TestBinder: a call is completed when it is made, not when it was asked for.
func TestBinder(t *testing.T) {
	b := &bound{watched: watch(netns.Call{}, netns.Call{At: 5 * ms}, netns.Call{Op: netns.OpListen, At: 5 * ms})}
	tr := run(t, toys(netns.Config{}), func(sb *netns.Sandbox) {
		b.sb = sb
		if err := sb.Program(netns.Server, "server", b); err != nil {
			t.Fatal(err)
		}
	})
	want(t, "completed", "0s socket\n5ms socket\n10ms listen", b.got)
	want(t, "returns", "0s socket() = 3\n5ms socket() = 4\n10ms listen(4, 0) = 0", returns(tr, netns.Server))
}

// TestProgress: the function is called now and then while the run goes on.
func TestProgress(t *testing.T) {
	var steps []int
	cfg := toys(netns.Config{Record: netns.RecordNothing, Progress: func(_ time.Duration, n int) { steps = append(steps, n) }})
	run(t, cfg, func(sb *netns.Sandbox) {
		for i := range 10_000 {
			sb.At(time.Duration(i), 1, func() {})
		}
	})
	if d := cmp.Diff([]int{4096, 8192}, steps); d != "" {
		t.Errorf("steps at which it was called (-want +got):\n%s", d)
	}
}

// TestGetsockopt: what getsockopt reads is its value. Its result is 0 as in C, unless the call itself has failed.
func TestGetsockopt(t *testing.T) {
	pending := func(err error) netns.Factory {
		return blind(func(p *puppet) { p.onSocket = func(s *puppetSocket) { s.pending, s.option = err, 7 } })
	}
	for name, c := range map[string]struct {
		stack netns.Factory
		call  netns.Call
		want  string
		value trace.Value
	}{
		"a pending error":       {pending(netns.ErrRefused), netns.Call{Op: netns.OpGetError, FD: 3}, "0 [ECONNREFUSED]", trace.Value{Kind: trace.Text, Text: "ECONNREFUSED"}},
		"an error without name": {pending(errFull), netns.Call{Op: netns.OpGetError, FD: 3}, "0 [EIO]", trace.Value{Kind: trace.Text, Text: "EIO"}},
		"no pending error":      {pending(nil), netns.Call{Op: netns.OpGetError, FD: 3}, "0 [0]", trace.Value{Kind: trace.Number}},
		"an option":             {pending(nil), netns.Call{Op: netns.OpGetOption, FD: 3}, "0 [7]", trace.Value{Kind: trace.Number, Num: 7}},
		"no descriptor":         {pending(netns.ErrRefused), netns.Call{Op: netns.OpGetError, FD: 4}, "-1 EBADF", trace.Value{}},
		"not supported":         {toy.Factory{}, netns.Call{Op: netns.OpGetError, FD: 3}, "-1 EOPNOTSUPP", trace.Value{}},
	} {
		t.Run(name, func(t *testing.T) {
			w := watch(netns.Call{}, c.call)
			tr := run(t, netns.Config{Client: c.stack, Server: blind(nil)}, func(sb *netns.Sandbox) {
				if err := sb.Program(netns.Client, "client", w); err != nil {
					t.Fatal(err)
				}
			})
			last := tr.Events[len(tr.Events)-1].Detail.(*trace.Return)
			if got := w.outcomes[2]; last.String() != c.want || last.Value != c.value || got.Value != c.value || got.Result != last.Result {
				t.Errorf("the record has %s, the program got %d with the value %v; want %s", last, got.Result, got.Value, c.want)
			}
		})
	}
}

// TestGetsockoptInAStory: an expected 0 is the call's result, so a call that has failed does not hold.
func TestGetsockoptInAStory(t *testing.T) {
	for call, want := range map[string]string{
		"getsockopt(3, SOL_SOCKET, SO_ERROR, ..., ...) = 0":               "expected 0, got -1 EBADF (Bad file descriptor)",
		"getsockopt(3, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0":    "expected 0, got -1 EBADF (Bad file descriptor)",
		"getsockopt(3, SOL_SOCKET, SO_ERROR, [0], [4]) = -1 EBADF":        "",
		"getsockopt(4, SOL_SOCKET, SO_ERROR, [ECONNREFUSED], [4]) = 0":    "",
		"getsockopt(4, SOL_SOCKET, SO_ERROR, ..., ...) = -1 ECONNREFUSED": "expected -1 ECONNREFUSED (Connection refused), got 0",
		"getsockopt(4, SOL_SOCKET, SO_ERROR, [EPIPE], [4]) = 0":           "expected the pending error EPIPE, got ECONNREFUSED",
		"getsockopt(4, SOL_SOCKET, SO_ERROR, [0], [4]) = 0":               "expected the pending error 0, got ECONNREFUSED",
		"getsockopt(4, IPPROTO_TCP, TCP_NODELAY, [7], [4]) = 0":           "",
		"getsockopt(4, IPPROTO_TCP, TCP_NODELAY, [1], [4]) = 0":           "expected the value 1, got 7",
	} {
		const socket = "client: socket(..., SOCK_STREAM, IPPROTO_TCP) = "
		story, err := script.Parse("story", socket+"3\n"+socket+"4\nclient: close(3) = 0\nclient: "+call)
		if err != nil {
			t.Fatal(err)
		}
		refused := blind(func(p *puppet) {
			p.onSocket = func(s *puppetSocket) { s.pending, s.option = netns.ErrRefused, 7 }
		})
		r, err := script.Run(story, netns.Config{Client: refused, Server: blind(nil)})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, f := range r.Failures {
			got += strings.TrimPrefix(f.String(), "line 4: "+call+": ")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", call, got, want)
		}
	}
}

// TestCountBesideError: what sendall and recvall had done before an error is told beside it.
func TestCountBesideError(t *testing.T) {
	// Each call of the stack moves two octets; the third fails.
	breaks := func() func([]byte) (int, error) {
		n := 0
		return func(b []byte) (int, error) {
			if n++; n == 3 {
				return 0, netns.ErrReset
			}
			return copy(b, "ab"), nil
		}
	}
	client := blind(func(p *puppet) { p.onSocket = func(s *puppetSocket) { s.send, s.receive = breaks(), breaks() } })
	w := watch(netns.Call{}, netns.Call{Op: netns.OpSendAll, FD: 3, N: 10}, netns.Call{Op: netns.OpReceiveAll, FD: 3, N: 10}, netns.Call{Op: netns.OpClose, FD: 9})
	tr := run(t, netns.Config{Client: client, Server: blind(nil)}, func(sb *netns.Sandbox) {
		if err := sb.Program(netns.Client, "client", w); err != nil {
			t.Fatal(err)
		}
	})
	var counts []int64
	for _, e := range tr.Events {
		if r, ok := e.Detail.(*trace.Return); ok && r.Result < 0 {
			counts = append(counts, r.Count)
		}
	}
	if d := cmp.Diff([]int64{4, 4, 0}, counts); d != "" {
		t.Errorf("counts in the record (-want +got):\n%s", d)
	}
	for i := range w.outcomes {
		w.outcomes[i].Call = 0
	}
	if d := cmp.Diff([]netns.Outcome{
		{Made: true, Socket: 1, Result: -1, Errno: netns.ErrReset, Count: 4, Mismatch: -1},
		{Made: true, Socket: 1, Result: -1, Errno: netns.ErrReset, Count: 4, Data: []byte("abab"), Mismatch: -1},
		{Made: true, Result: -1, Errno: netns.ErrBadDescriptor, Mismatch: -1},
	}, w.outcomes[2:], cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Errorf("outcomes (-want +got):\n%s", d)
	}
}

// TestBreach: a stack that answers a number of octets that cannot be ends the run with an error that names it.
func TestBreach(t *testing.T) {
	answers := func(n int) netns.Factory {
		return blind(func(p *puppet) {
			p.onSocket = func(s *puppetSocket) {
				s.send = func([]byte) (int, error) { return n, nil }
				s.receive = s.send
			}
		})
	}
	for want, c := range map[string]struct {
		n  int
		op netns.Op
	}{
		"client: sendall: the stack puppet answered 0 octets of 5": {0, netns.OpSendAll},
		"client: send: the stack puppet answered 6 octets of 5":    {6, netns.OpSend},
		"client: send: the stack puppet answered -1 octets of 5":   {-1, netns.OpSend},
		"client: recv: the stack puppet answered 6 octets of 5":    {6, netns.OpReceive},
		"client: recv: the stack puppet answered -1 octets of 5":   {-1, netns.OpReceive},
	} {
		sb, err := netns.New(netns.Config{Client: answers(c.n), Server: blind(nil)})
		if err != nil {
			t.Fatal(err)
		}
		of(t, sb, netns.Client, netns.Call{}, netns.Call{Op: c.op, FD: 3, N: 5}, netns.Call{Op: netns.OpClose, FD: 3})
		tr, err := sb.Run()
		var oe *netns.OpError
		if !errors.As(err, &oe) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want an OpError: %s", err, want)
		}
		if d := cmp.Diff(trace.End{Reason: trace.BrokenOff, Blocked: []int{3}}, tr.End); d != "" || len(tr.Events) != 3 {
			t.Errorf("%d events, want 3, the last the call; end (-want +got):\n%s", len(tr.Events), d)
		}
	}
}

// TestBreachByNil: a stack that answers neither a socket nor an error ends the run in the same way.
func TestBreachByNil(t *testing.T) {
	accepting := blind(func(p *puppet) {
		p.onSocket = func(s *puppetSocket) { s.accept = func() (netns.Socket, error) { return nil, nil } }
	})
	socketless := factory(func(env netns.Env) (netns.Stack, error) { return socketless{&puppet{env: env}}, nil })
	for want, c := range map[string]struct {
		stack netns.Factory
		calls []netns.Call
	}{
		"client: socket: the stack puppet answered no socket and no error, which a Stack never does":  {socketless, []netns.Call{{}}},
		"client: accept: the stack puppet answered no socket and no error, which a Socket never does": {accepting, []netns.Call{{}, {Op: netns.OpAccept, FD: 3}}},
	} {
		sb, err := netns.New(netns.Config{Client: c.stack, Server: blind(nil)})
		if err != nil {
			t.Fatal(err)
		}
		of(t, sb, netns.Client, append(c.calls, netns.Call{Op: netns.OpClose, FD: 3})...)
		tr, err := sb.Run()
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		last := 2*len(c.calls) - 1 // each call before it has returned
		if d := cmp.Diff(trace.End{Reason: trace.BrokenOff, Blocked: []int{last}}, tr.End); d != "" || len(tr.Events) != last {
			t.Errorf("%d events, want %d, the last the call; end (-want +got):\n%s", len(tr.Events), last, d)
		}
	}
}

type socketless struct{ *puppet }

func (socketless) Socket(netns.Family) (netns.Socket, error) { return nil, nil }

// TestFactoryWithoutStack: New of a Factory that answers nothing, at the start and at a reboot, is an error that names it.
func TestFactoryWithoutStack(t *testing.T) {
	const want = "server: start the stack: the stack puppet answered no stack and no error, which a Factory never does"
	lives := func(n int) netns.Factory {
		return factory(func(env netns.Env) (netns.Stack, error) {
			if env.Generation >= n {
				return nil, nil
			}
			return &puppet{env: env}, nil
		})
	}
	if _, err := netns.New(netns.Config{Client: blind(nil), Server: lives(0)}); err == nil || err.Error() != want {
		t.Errorf("at the start: error %v, want %s", err, want)
	}
	sb, err := netns.New(netns.Config{Client: blind(nil), Server: lives(1)})
	if err != nil {
		t.Fatal(err)
	}
	sb.At(ms, 1, func() { _ = sb.Reboot(netns.Server) })
	if _, err := sb.Run(); err == nil || err.Error() != want {
		t.Errorf("at a reboot: error %v, want %s", err, want)
	}
}

// endless is a stack whose Take never says that there is no more, once a millisecond is over.
type endless struct {
	*puppet
	octets int // behind the headers
}

func (e endless) Take(buf []byte) (packet []byte, lost, ok bool) {
	if e.now < ms {
		return buf, false, false
	}
	return append(buf, segment(e.env.Host, trace.ACK, 1, make([]byte, e.octets)...)...), false, true
}

// TestPacketsWithoutEnd: a stack that always has one more packet ends the run with an error that names it, and what it sent until then
// is in the record.
func TestPacketsWithoutEnd(t *testing.T) {
	var made []*puppet
	closed := 0
	stack := func(octets int) netns.Factory {
		return factory(func(env netns.Env) (netns.Stack, error) {
			p := &puppet{env: env, onClose: func() { closed++ }}
			made = append(made, p)
			return endless{p, octets}, nil
		})
	}
	const want = "the stack puppet has sent %d packets in one step, at %v, and no end of them: Take has to answer ok = false when there is no more"
	for name, c := range map[string]struct {
		begin        func(*netns.Sandbox)
		at           time.Duration
		octets, want int
	}{
		"a call":       {func(sb *netns.Sandbox) { of(t, sb, netns.Client, netns.Call{At: ms}) }, ms, 0, netns.MaxPacketsPerStep},
		"long packets": {func(sb *netns.Sandbox) { of(t, sb, netns.Client, netns.Call{At: ms}) }, ms, 1<<15 - 40, netns.MaxOctetsPerStep>>15 + 1},
		"a reboot":     {func(sb *netns.Sandbox) { sb.At(2*ms, 1, func() { _ = sb.Reboot(netns.Client) }) }, 2 * ms, 0, netns.MaxPacketsPerStep},
	} {
		sb, err := netns.New(netns.Config{Record: netns.RecordNoControl, OmitData: true, Client: stack(c.octets), Server: blind(nil)})
		if err != nil {
			t.Fatal(err)
		}
		of(t, sb, netns.Client, netns.Call{}, netns.Call{Op: netns.OpReceive, FD: 3, N: 1})
		c.begin(sb)
		made, closed = made[len(made)-1:], 0
		tr, err := sb.Run()
		if d := cmp.Diff([]string{"receive "}, made[0].attempts); d != "" || len(made) != 1 || closed != 1 {
			t.Errorf("%s: %d stacks, closed %d times, want one and once; calls that it saw (-want +got):\n%s", name, len(made), closed, d)
		}
		var oe *netns.OpError
		if !errors.As(err, &oe) || oe.Op != "Take" || oe.Host != netns.Client || oe.Err.Error() != fmt.Sprintf(want, c.want, c.at) {
			t.Errorf("%s: error %v, want of Take of the client: %s", name, err, fmt.Sprintf(want, c.want, c.at))
		}
		sent := 0
		for _, e := range tr.Events {
			if _, ok := e.Detail.(*trace.Sent); ok {
				sent++
			}
		}
		if d := cmp.Diff(trace.End{At: c.at, Reason: trace.BrokenOff}, trace.End{At: tr.End.At, Reason: tr.End.Reason}); d != "" || sent != c.want {
			t.Errorf("%s: %d packets are in the record; end (-want +got):\n%s", name, sent, d)
		}
	}
}

// TestTimersWithoutEnd: of a stack whose Deadline stays where it is the error speaks, and not of the link, which has a delay.
func TestTimersWithoutEnd(t *testing.T) {
	stack := blind(func(p *puppet) {
		var again func()
		again = func() { p.at(5*ms, "stuck", again) }
		again()
	})
	sb, err := netns.New(netns.Config{Client: blind(nil), Server: stack})
	if err != nil {
		t.Fatal(err)
	}
	tr, err := sb.Run()
	const want = "server: Expire: the stack puppet has run 100000 timers at 5ms and no end of them: " +
		"Expire has to run the timer that Deadline tells, and take it away or arm it for later"
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant  %s", err, want)
	}
	if tr.End.Reason != trace.TooManySteps {
		t.Errorf("the run ended with %v, want too many steps", tr.End.Reason)
	}
}

// TestCallsWithoutEnd: a program that never waits is not a link without delay.
func TestCallsWithoutEnd(t *testing.T) {
	sb, err := netns.New(netns.Config{Record: netns.RecordNothing, Client: blind(nil), Server: blind(nil)})
	if err != nil {
		t.Fatal(err)
	}
	if err := sb.Program(netns.Client, netns.Client, restless{}); err != nil {
		t.Fatal(err)
	}
	if _, err := sb.Run(); err == nil || !strings.HasSuffix(err.Error(), "; a program that makes call after call without waiting can do that") {
		t.Errorf("error %v, want one that speaks of the program", err)
	}
}

// restless closes a descriptor that there is not, over and over.
type restless struct{}

func (restless) Next(netns.Outcome) (netns.Call, bool) {
	return netns.Call{Op: netns.OpClose, FD: 9}, true
}

// TestClosedWithoutInspector: nobody tells when a socket is gone, so it is forgotten when it is closed. Segments with its
// addresses are its own even so, until another socket has them.
func TestClosedWithoutInspector(t *testing.T) {
	const connections = 50
	var calls, accepts []netns.Call
	accepts = append(accepts, netns.Call{}, netns.Call{Op: netns.OpBind, FD: 3, Addr: serverPort}, netns.Call{Op: netns.OpListen, FD: 3, N: 9})
	for range connections {
		calls = append(calls, netns.Call{}, netns.Call{Op: netns.OpConnect, FD: 3, Addr: serverPort}, netns.Call{Op: netns.OpClose, FD: 3, At: time.Second})
		accepts = append(accepts, netns.Call{Op: netns.OpAccept, FD: 3}, netns.Call{Op: netns.OpReceiveAll, FD: 4, N: -1}, netns.Call{Op: netns.OpClose, FD: 4})
	}
	var sandbox *netns.Sandbox
	tr := run(t, toys(netns.Config{}), func(sb *netns.Sandbox) {
		sandbox = sb
		of(t, sb, netns.Client, calls...)
		of(t, sb, netns.Server, accepts...)
		sb.At(connections*time.Second/2, 1, func() {
			if s := sb.State(netns.Client, 1); s != trace.NotObserved {
				t.Errorf("the state of a closed socket is %v, and nobody tells it", s)
			}
		})
	})
	if c, s := sandbox.Known(netns.Client), sandbox.Known(netns.Server); c != 0 || s != 1 {
		t.Errorf("%d sockets of the client are known and %d of the server, want none and the listener", c, s)
	}
	for _, e := range tr.Events {
		if a, ok := e.Detail.(*trace.Arrived); ok && e.Socket == 0 {
			t.Errorf("event %d: %s arrived for no socket", e.N, a.Packet.TCP.Flags)
		}
	}
}

// TestHowThereIsNot: shutdown of a direction that there is not is an error, as in POSIX.
func TestHowThereIsNot(t *testing.T) {
	tr := run(t, toys(netns.Config{}), func(sb *netns.Sandbox) {
		of(t, sb, netns.Client, netns.Call{}, netns.Call{Op: netns.OpShutdown, FD: 3, How: 9})
	})
	want(t, "returns", "0s socket() = 3\n0s shutdown(3) = -1 EINVAL", returns(tr, netns.Client))
	if got := netns.Op(99).String(); got != "Op(99)" {
		t.Errorf("a call that there is not is %q, want Op(99)", got)
	}
}

// TestNegativeArguments: the record shows what a call was given, a negative number too.
func TestNegativeArguments(t *testing.T) {
	tr := run(t, toys(netns.Config{}), func(sb *netns.Sandbox) {
		of(t, sb, netns.Server, netns.Call{}, netns.Call{Op: netns.OpListen, FD: 3, N: -1}, netns.Call{Op: netns.OpSend, FD: 3, N: -1},
			netns.Call{Op: netns.OpReceive, FD: 3, N: -1})
	})
	want(t, "returns", "0s socket() = 3\n0s listen(3, -1) = 0\n0s send(3, -1) = -1 EINVAL\n0s recv(3, -1) = -1 EINVAL", returns(tr, netns.Server))
}

// A call that does not reach the stack has touched nothing: nobody is woken by it, whatever the stack touched last.
func TestCallsThatDoNotReachTheStackWakeNobody(t *testing.T) {
	var client *puppet
	stack := glass(func(p *puppet) { client = p })
	run(t, netns.Config{Client: stack, Server: blind(nil)}, func(sb *netns.Sandbox) {
		of(t, sb, netns.Client, netns.Call{Op: netns.OpSocket}, netns.Call{Op: netns.OpReceive, FD: 3, N: 1})
		if err := sb.Program(netns.Client, "client.2", netns.Calls(
			netns.Call{Op: netns.OpNonBlocking, FD: 3, N: 1, At: time.Second},
			netns.Call{Op: netns.OpReceive, FD: 9, N: 1},
			netns.Call{Op: netns.OpShutdown, FD: 3, How: 9},
			netns.Call{Op: netns.OpSendAll, FD: 3, N: -1},
		)); err != nil {
			t.Fatal(err)
		}
	})
	if len(client.attempts) != 1 {
		t.Errorf("the blocked call was tried as %q, want once", client.attempts)
	}
}
