package netns_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/trace"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/nettest"
)

// wallClock is the real one.
var wallClock = &netns.Wall{Now: time.Now, After: time.After}

// inRealTime runs a sandbox in real time, in a goroutine of its own, until the function that it returns is called.
func inRealTime(t testing.TB, cfg netns.Config) (sb *netns.Sandbox, stop func()) {
	t.Helper()
	cfg.Wall, cfg.RealTime = wallClock, true
	sb, err := netns.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	up, over := make(chan bool), make(chan error, 1)
	sb.Host(netns.Client).Go(func() { <-up })
	go func() {
		_, err := sb.Run()
		over <- err
	}()
	return sb, func() {
		close(up)
		sb.Stop()
		if err := <-over; err != nil {
			t.Error(err)
		}
	}
}

// TestNettest: in real time a Conn is a net.Conn in all that golang.org/x/net/nettest asks of one.
func TestNettest(t *testing.T) {
	leaks(t)
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		cfg := onGVisor(1)
		cfg.Delay = 100 * time.Microsecond
		cfg.OmitData, cfg.Record = true, netns.RecordNoControl
		sb, end := inRealTime(t, cfg)
		l, err := sb.Host(netns.Server).Listen("tcp", "server:80")
		if err != nil {
			return nil, nil, nil, err
		}
		accepted := make(chan error)
		go func() {
			c2, err = l.Accept()
			accepted <- err
		}()
		c1, err1 := sb.Host(netns.Client).Dial("tcp", "server:80")
		if err := <-accepted; err != nil || err1 != nil {
			return nil, nil, nil, net.ErrClosed
		}
		return c1, c2, func() {
			_ = c1.Close()
			_ = c2.Close()
			_ = l.Close()
			end()
		}, nil
	})
}

// TestHTTP: clients and a server of net/http, as they are, with goroutines and timeouts of their own.
func TestHTTP(t *testing.T) {
	leaks(t)
	cfg := onGVisor(1)
	cfg.Delay = time.Millisecond
	cfg.OmitData, cfg.Record = true, netns.RecordNoControl
	sb, stop := inRealTime(t, cfg)
	l, err := sb.Host(netns.Server).Listen("tcp", "server:80")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/never" {
			<-r.Context().Done() // which net/http knows of because its own read ends
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(append(body, body...))
	}), ReadHeaderTimeout: time.Minute}
	served := make(chan error)
	go func() { served <- server.Serve(l) }()
	transport := &http.Transport{DialContext: sb.Host(netns.Client).DialContext}
	client := http.Client{Transport: transport}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 3 {
				body := strings.Repeat(strconv.Itoa(i), 30_000)
				answer, err := client.Post("http://server/twice", "text/plain", strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				got, err := io.ReadAll(answer.Body)
				if err != nil || string(got) != body+body {
					t.Errorf("client %d: %d octets that are not those that were asked for, %v", i, len(got), err)
				}
				_ = answer.Body.Close()
			}
		})
	}
	group.Wait()
	impatient := http.Client{Transport: transport, Timeout: 50 * time.Millisecond}
	_, err = impatient.Get("http://server/never")
	if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
		t.Errorf("a request without an answer: %v", err)
	}
	transport.CloseIdleConnections()
	if err := server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
	stop()
}

// TestDialContext: in real time a context ends a Dial, and what it has opened is closed.
func TestDialContext(t *testing.T) {
	leaks(t)
	drop, err := netns.ParseFault("drop client any")
	if err != nil {
		t.Fatal(err)
	}
	cfg := onGVisor(1)
	cfg.Faults = []netns.Fault{drop}
	sb, stop := inRealTime(t, cfg)
	client := sb.Host(netns.Client)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = client.DialContext(ctx, "tcp", "server:80")
	if op, ok := errors.AsType[*net.OpError](err); !ok || !op.Timeout() || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a context whose time is up: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	if _, err = client.DialContext(ctx, "tcp", "server:80"); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that is cancelled: %v", err)
	}
	if _, err = client.DialContext(ctx, "tcp", "server:80"); !errors.Is(err, context.Canceled) {
		t.Errorf("one that was cancelled before: %v", err)
	}
	if _, err = client.DialTimeout("tcp", "server:80", 20*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a timeout: %v", err)
	}
	stop()
	if _, err = client.Dial("tcp", "server:80"); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a dial behind the end of the run: %v", err)
	}
	for fd := 3; fd < 6; fd++ {
		if n := sb.Socket(netns.Client, fd); n != 0 {
			t.Errorf("descriptor %d is open still", fd)
		}
	}
}

// TestDialTimeoutIsOver: a Dial whose time is up when its connect is made has begun it all the same, which a timer ends: no call says of
// something that it is in progress which is not.
func TestDialTimeoutIsOver(t *testing.T) {
	leaks(t)
	wall := fakeWall{}
	clock := wall.wall()
	now := clock.Now
	clock.Now = func() time.Time { // it is later whenever it is looked at
		wall.advance(1)
		return now()
	}
	tr := run(t, toys(netns.Config{RealTime: true, Wall: clock}), func(sb *netns.Sandbox) {
		h := sb.Host(netns.Client)
		h.Go(func() {
			if _, err := h.DialTimeout("tcp", "server:80", 1); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("dial: %v", err)
			}
			sb.Stop()
		})
	})
	var got []string
	because := func(n int) string {
		if timer, ok := tr.Event(n).Detail.(*trace.Timer); ok {
			return " because of " + timer.Name
		}
		return " because of " + tr.Event(n).Detail.(*trace.Call).String()
	}
	for _, e := range tr.Events {
		switch d := e.Detail.(type) {
		case *trace.Sent:
			got = append(got, d.Packet.TCP.Flags.String()+because(e.Cause))
		case *trace.Return:
			got = append(got, d.String()+because(e.Cause))
		default:
		}
	}
	want := []string{
		"3 because of socket()", "SYN because of connect(3, 192.0.2.2:80)", "-1 EINPROGRESS because of SO_SNDTIMEO", "0 because of close(3)",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
}

// TestRealTimeEnd: a run in real time goes on as long as a goroutine of Go does; calls that are blocked at its end answer
// net.ErrClosed.
func TestRealTimeEnd(t *testing.T) {
	leaks(t)
	sb, err := netns.New(toys(netns.Config{RealTime: true, Wall: wallClock}))
	if err != nil {
		t.Fatal(err)
	}
	h := sb.Host(netns.Server)
	accepted := make(chan error)
	var ended atomic.Int32
	var took time.Duration
	h.Go(func() {
		l, err := h.Listen("tcp", "server:80")
		if err != nil {
			t.Error(err)
			return
		}
		go func() {
			_, err := l.Accept()
			accepted <- err
		}()
		for range 3 {
			h.Go(func() {
				time.Sleep(5 * time.Millisecond) // on the real wall clock, which the run shall keep
				h.Sleep(5 * time.Millisecond)
				ended.Add(1)
			})
		}
		start := h.Now()
		h.Wait()
		took = h.Now().Sub(start)
		if n := ended.Load(); n != 3 {
			t.Errorf("Wait came back when %d goroutines had ended", n)
		}
		h.Wait()
	})
	tr, err := sb.Run()
	if err != nil {
		t.Fatal(err)
	}
	if took < 10*time.Millisecond || sb.Now() < took {
		t.Errorf("two sleeps took %v, and the run %v", took, sb.Now())
	}
	if err := <-accepted; !errors.Is(err, net.ErrClosed) {
		t.Errorf("accept: %v", err)
	}
	if tr.End.Reason != trace.Idle || len(tr.End.Blocked) != 1 {
		t.Errorf("the run ended as %v", tr.End)
	}
}

// TestRealTimeNeverRun: what was asked before Run comes back when the sandbox is closed instead.
func TestRealTimeNeverRun(t *testing.T) {
	leaks(t)
	sb, err := netns.New(toys(netns.Config{RealTime: true, Wall: wallClock}))
	if err != nil {
		t.Fatal(err)
	}
	dialed := make(chan error)
	go func() {
		_, err := sb.Host(netns.Client).Dial("tcp", "server:80")
		dialed <- err
	}()
	time.Sleep(time.Millisecond) // to let the Dial come first more often; whether it comes before or behind Close, the answer is the same
	sb.Close()
	if err := <-dialed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// TestOutlives: a goroutine of Go that goes on after the end of a run in real time is told of, with its stack.
func TestOutlives(t *testing.T) {
	wall := fakeWall{}
	sb, err := netns.New(toys(netns.Config{RealTime: true, Wall: wall.wall()}))
	if err != nil {
		t.Fatal(err)
	}
	leave := make(chan bool)
	sb.Host(netns.Client).Go(func() {
		sb.Stop()
		waitOutside(&wall, leave)
	})
	_, err = sb.Run()
	close(leave)
	if err == nil || !strings.Contains(err.Error(), "waitOutside(") {
		t.Errorf("got %v", err)
	}
}

// TestManyOutlive: goroutines that go on after the end are waited for together, in virtual time when the first has not come back
// alone, and each is told of.
func TestManyOutlive(t *testing.T) {
	for name, real := range map[string]bool{"virtual time": false, "real time": true} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			wall := fakeWall{}
			sb, err := netns.New(toys(netns.Config{RealTime: real, Wall: wall.wall(), Until: time.Hour}))
			if err != nil {
				t.Fatal(err)
			}
			const many = 3
			began, stays, leave := make(chan bool, many), make(chan bool, many), make(chan bool)
			for i := range many {
				h := sb.Host([]string{netns.Client, netns.Server}[i%2])
				h.Go(func() {
					defer func() {
						stays <- true
						<-leave
					}()
					began <- true
					h.Sleep(2 * time.Hour)
				})
			}
			over := make(chan error)
			go func() {
				_, err := sb.Run()
				over <- err
			}()
			for range many {
				<-began
			}
			want := 2 * netns.Patience
			if real {
				sb.Stop()
				want = netns.Patience
			}
			<-stays
			for {
				select {
				case err = <-over:
				default:
					wall.ring()
					continue
				}
				break
			}
			close(leave)
			if err == nil || !strings.Contains(err.Error(), "3 goroutines of Host.Go") || strings.Count(err.Error(), "TestManyOutlive.func") < many {
				t.Errorf("got %v", err)
			}
			if wall.now != want {
				t.Errorf("it took %v of wall time, want %v", wall.now, want)
			}
		})
	}
}

// TestRealTimePanics: there, too, a panic of a goroutine is Run's.
func TestRealTimePanics(t *testing.T) {
	leaks(t)
	sb, err := netns.New(toys(netns.Config{RealTime: true, Wall: wallClock}))
	if err != nil {
		t.Fatal(err)
	}
	h := sb.Host(netns.Client)
	h.Go(func() { h.Sleep(time.Hour) })
	h.Go(hurt)
	defer func() {
		if p, ok := recover().(*netns.PanicError); !ok || p.Value != "ouch" {
			t.Errorf("Run panicked with %v", p)
		}
	}()
	_, err = sb.Run()
	t.Errorf("Run returned %v", err)
}

// TestRealTimeStamps: a call has the time at which it came, but not one behind what was to happen before and has not yet.
func TestRealTimeStamps(t *testing.T) {
	leaks(t)
	var now atomic.Int64
	waits := make(chan time.Duration, 100)
	sb, err := netns.New(toys(netns.Config{RealTime: true, Wall: &netns.Wall{
		Now:   func() time.Time { return netns.Start.Add(time.Duration(now.Load())) },
		After: func(d time.Duration) <-chan time.Time { waits <- d; return nil }, // it never rings: the driver looks when it is called
	}}))
	if err != nil {
		t.Fatal(err)
	}
	of(t, sb, netns.Client, netns.Call{}, netns.Call{Op: netns.OpConnect, FD: 3, Addr: serverPort}) // which the server does not answer
	h := sb.Host(netns.Server)
	up := make(chan bool)
	h.Go(func() { <-up })
	traces := make(chan *trace.Trace)
	go func() {
		tr, err := sb.Run()
		if err != nil {
			t.Error(err)
		}
		traces <- tr
	}()
	if d := <-waits; d != 10*ms {
		t.Errorf("the driver waits for %v first", d)
	}
	for _, at := range []time.Duration{4 * ms, 30 * ms, 70 * ms} {
		now.Store(int64(at))
		l, err := h.Listen("tcp", "server:"+strconv.Itoa(int(at/ms)))
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
	}
	sb.Stop()
	close(up)
	var got []string
	for _, e := range (<-traces).Events {
		switch d := e.Detail.(type) {
		case *trace.Arrived:
			got = append(got, e.At.String()+" arrived")
		case *trace.Call:
			if d.Name == "bind" {
				got = append(got, e.At.String()+" "+d.String())
			}
		default:
		}
	}
	want := []string{"4ms bind(3, 192.0.2.2:4)", "10ms arrived", "30ms bind(3, 192.0.2.2:30)", "70ms bind(3, 192.0.2.2:70)"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
}

// TestRealTimeLag: a run that cannot keep up with the wall clock hears calls nevertheless, and no end comes while a goroutine of Go
// goes on.
func TestRealTimeLag(t *testing.T) {
	leaks(t)
	started := false
	restless := blind(func(p *puppet) {
		var again func()
		again = func() { p.at(p.now+time.Minute, "again", again) }
		p.at(0, "again", again)
	})
	sb, err := netns.New(netns.Config{Client: restless, Server: blind(nil), RealTime: true, Wall: &netns.Wall{
		Now: func() time.Time {
			if !started {
				started = true
				return netns.Start
			}
			return netns.Start.Add(netns.MaxTime)
		},
		After: time.After,
	}})
	if err != nil {
		t.Fatal(err)
	}
	h := sb.Host(netns.Server)
	h.Go(func() {
		time.Sleep(5 * time.Millisecond) // a driver that is never done makes what steps it can: hours pass
		if _, err := h.Listen("tcp", "server:80"); err != nil {
			t.Error(err)
		}
		sb.Stop()
	})
	tr, err := sb.Run()
	if err != nil {
		t.Fatal(err)
	}
	if tr.End.Reason != trace.Stopped || tr.End.At < 2*netns.DefaultRest {
		t.Errorf("the run ended as %v", tr.End)
	}
}

// TestRealTimeUntil: Config.Until is kept, also where nothing is to happen any more.
func TestRealTimeUntil(t *testing.T) {
	leaks(t)
	sb, err := netns.New(toys(netns.Config{RealTime: true, Wall: wallClock, Until: 20 * ms}))
	if err != nil {
		t.Fatal(err)
	}
	h := sb.Host(netns.Server)
	h.Go(func() {
		l, err := h.Listen("tcp", "server:80")
		if err != nil {
			t.Error(err)
			return
		}
		if _, err = l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept: %v", err)
		}
	})
	start := time.Now()
	tr, err := sb.Run()
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 20*ms || tr.End.Reason != trace.UntilReached || tr.End.At != 20*ms || len(tr.End.Blocked) != 1 {
		t.Errorf("after %v the run ended as %v", took, tr.End)
	}
}

// TestStopBehindUntil: a run that is stopped when its time was up already, and has not noticed, ends when it was up.
func TestStopBehindUntil(t *testing.T) {
	leaks(t)
	wall := fakeWall{}
	tr := run(t, toys(netns.Config{RealTime: true, Wall: wall.wall(), Until: 5 * ms}), func(sb *netns.Sandbox) {
		sb.At(0, 0, func() {
			wall.advance(7 * ms)
			sb.Stop()
		})
	})
	if d := cmp.Diff(trace.End{At: 5 * ms, Reason: trace.Stopped}, tr.End); d != "" {
		t.Errorf("end (-want +got):\n%s", d)
	}
}

// TestNoDelayInRealTime: on a link without delay, too, time passes while much is carried, so that deadlines and sleeps come to their
// end, and no instant has too many steps.
func TestNoDelayInRealTime(t *testing.T) {
	leaks(t)
	var now atomic.Int64
	cfg := onGVisor(1)
	cfg.Delay, cfg.Record, cfg.RealTime = netns.NoLinkDelay, netns.RecordNothing, true
	cfg.Wall = &netns.Wall{
		Now:   func() time.Time { return netns.Start.Add(time.Duration(now.Add(20_000))) }, // each look takes its time
		After: time.After,
	}
	run(t, cfg, func(sb *netns.Sandbox) {
		server, client := sb.Host(netns.Server), sb.Host(netns.Client)
		listens := make(chan bool)
		server.Go(func() {
			l := listen(t, server)
			close(listens)
			_, _ = io.Copy(io.Discard, accept(t, l))
		})
		client.Go(func() {
			<-listens
			c := dial(t, client)
			_ = c.SetWriteDeadline(client.Now().Add(100 * ms))
			if _, err := c.Write(make([]byte, 1<<30)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a write that never ends: %v", err)
			}
			sb.Stop()
		})
	})
}

// TestCloseFromAllSides: in real time several goroutines may close a connection, and use it, at once. One Close is the first.
func TestCloseFromAllSides(t *testing.T) {
	leaks(t)
	cfg := onGVisor(1)
	cfg.Delay = 100 * time.Microsecond
	sb, stop := inRealTime(t, cfg)
	defer stop()
	l, err := sb.Host(netns.Server).Listen("tcp", "server:80")
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		c, err := sb.Host(netns.Client).Dial("tcp", "server:80")
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		var first atomic.Int32
		for range 4 {
			group.Go(func() { _, _ = c.Read(make([]byte, 1)) })
			group.Go(func() { _, _ = c.Write([]byte("x")) })
			group.Go(func() { _ = c.SetDeadline(time.Now().Add(time.Millisecond)) })
			group.Go(func() {
				if err := c.Close(); err == nil {
					first.Add(1)
				} else if !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if n := first.Load(); n != 1 {
			t.Errorf("%d calls of Close had no error", n)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestOwnerAfterRun: when Run has returned, its goroutine is one like others: what it asks of a Listener, while others are inside,
// waits for its turn.
func TestOwnerAfterRun(t *testing.T) {
	leaks(t)
	sb, err := netns.New(toys(netns.Config{RealTime: true, Wall: wallClock}))
	if err != nil {
		t.Fatal(err)
	}
	h := sb.Host(netns.Server)
	var l net.Listener
	h.Go(func() { l = listen(t, h) })
	if _, err := sb.Run(); err != nil {
		t.Fatal(err)
	}
	accepts := func() {
		for range 20_000 {
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("accept: %v", err)
			}
		}
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(accepts)
	}
	accepts()
	group.Wait()
}

// asked is a stack whose Deadline the test sees.
type asked struct {
	netns.Stack
	closed   atomic.Bool
	deadline func(closed bool)
}

func (a *asked) Close() {
	a.closed.Store(true)
	a.Stack.Close()
}

func (a *asked) Deadline() (time.Duration, bool) {
	a.deadline(a.closed.Load())
	return a.Stack.Deadline()
}

// TestCallsAfterRun: when a run in real time is over its clock stands, whoever calls, and no closed stack is asked.
func TestCallsAfterRun(t *testing.T) {
	leaks(t)
	wall := fakeWall{}
	puppets := blind(nil)
	stacks := factory(func(env netns.Env) (netns.Stack, error) {
		stack, err := puppets.New(env)
		return &asked{Stack: stack, deadline: func(closed bool) {
			if closed {
				t.Errorf("the stack of the %s was asked when it was closed", env.Host)
			}
		}}, err
	})
	sb, err := netns.New(netns.Config{Client: stacks, Server: stacks, RealTime: true, Wall: wall.wall()})
	if err != nil {
		t.Fatal(err)
	}
	h := sb.Host(netns.Client)
	h.Go(func() {})
	if _, err := sb.Run(); err != nil {
		t.Fatal(err)
	}
	end := sb.Now()
	wall.advance(time.Second)
	var group sync.WaitGroup
	group.Go(func() { h.Sleep(1) })
	if now := sb.Now(); now != end { // beside the call, which the race detector watches
		t.Errorf("the clock went on from %v to %v", end, now)
	}
	group.Wait()
	if now := sb.Now(); now != end {
		t.Errorf("the clock went on from %v to %v", end, now)
	}
}

// TestCallsWithoutAStack: when a reboot has failed, so that the host has no stack, calls from outside wait for the end of the run.
func TestCallsWithoutAStack(t *testing.T) {
	leaks(t)
	wall := fakeWall{}
	made, errNoMore := 0, errors.New("no more stacks")
	stacks := factory(func(env netns.Env) (netns.Stack, error) {
		if made++; made > 2 {
			return nil, errNoMore
		}
		return blind(nil).New(env)
	})
	sb, err := netns.New(netns.Config{Client: stacks, Server: stacks, RealTime: true, Wall: wall.wall()})
	if err != nil {
		t.Fatal(err)
	}
	h := sb.Host(netns.Client)
	failed, went := make(chan bool), make(chan bool)
	h.Go(func() {
		<-failed
		h.Sleep(1)
		close(went)
	})
	sb.At(0, 1, func() {
		if err := sb.Reboot(netns.Server); !errors.Is(err, errNoMore) {
			t.Errorf("the reboot: %v", err)
		}
		close(failed)
	})
	if _, err = sb.Run(); !errors.Is(err, errNoMore) {
		t.Errorf("got %v", err)
	}
	<-went
}

// TestStackPanicsForACaller: a stack that panics for a call from outside ends the run, and keeps nobody out.
func TestStackPanicsForACaller(t *testing.T) {
	leaks(t)
	wall := fakeWall{}
	var dying atomic.Bool
	puppets := blind(nil)
	stacks := factory(func(env netns.Env) (netns.Stack, error) {
		stack, err := puppets.New(env)
		return &asked{Stack: stack, deadline: func(bool) {
			if dying.CompareAndSwap(true, false) {
				panic("the stack dies")
			}
		}}, err
	})
	waits := make(chan bool)
	sb, err := netns.New(netns.Config{Client: stacks, Server: stacks, RealTime: true, Wall: &netns.Wall{
		Now:   wall.wall().Now,
		After: func(time.Duration) <-chan time.Time { waits <- true; return nil },
	}})
	if err != nil {
		t.Fatal(err)
	}
	h := sb.Host(netns.Client)
	h.Go(func() {
		<-waits // which Go itself ends
		<-waits
		dying.Store(true)
		h.Sleep(1)
		t.Error("the call came back")
	})
	defer func() {
		if p, ok := recover().(*netns.PanicError); !ok || p.Value != "the stack dies" {
			t.Errorf("Run panicked with %v", p)
		}
	}()
	_, err = sb.Run()
	t.Errorf("Run returned %v", err)
}
