package netns_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"connectlab/netns"
	"connectlab/netns/internal/toy"
	"connectlab/trace"
	"connectlab/trace/wire"

	"github.com/google/go-cmp/cmp"
)

// idle is a server that does nothing.
func idle(*netns.Host) {}

// TestDialErrors: what the stack answers is in a net.OpError, as package net has it.
func TestDialErrors(t *testing.T) {
	drop, err := netns.ParseFault("drop client any")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		network, address string
		faults           []netns.Fault
		is               error
		timeout          bool
		text             string
		at               time.Duration
	}{
		"refused": {"tcp", "server:80", nil, netns.ErrRefused, false, "dial tcp 192.0.2.2:80: connect: Connection refused", 20 * ms},
		"no answer": {
			"tcp4", "192.0.2.2:80", []netns.Fault{drop}, netns.ErrTimeout, true, "dial tcp4 192.0.2.2:80: connect: Connection timed out", 127 * time.Second,
		},
		"no route":     {"tcp", "198.51.100.1:80", nil, netns.ErrNetUnreachable, false, "dial tcp 198.51.100.1:80: connect: Network is unreachable", 0},
		"no such host": {"tcp", "example.org:80", nil, nil, false, "dial tcp: lookup example.org: no such host", 0},
		"no port":      {"tcp", "server", nil, nil, false, "dial tcp: address server: missing port in address", 0},
		"bad port":     {"tcp", "server:http", nil, nil, false, "dial tcp: address server:http: the port must be a number from 0 to 65535", 0},
		"network":      {"udp", "server:80", nil, nil, false, "dial udp: unknown network udp", 0},
		"family":       {"tcp6", "server:80", nil, nil, false, "dial tcp6: address 192.0.2.2: not an address for tcp6", 0},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := onGVisor(1)
			cfg.Faults = c.faults
			var got error
			var at time.Duration
			tr := goRun(t, cfg, idle, func(h *netns.Host) {
				var conn net.Conn
				conn, got = h.Dial(c.network, c.address)
				at = h.Now().Sub(netns.Start)
				if conn != nil {
					t.Errorf("a connection: %v", conn)
				}
			})
			var op *net.OpError
			if !errors.As(got, &op) || got.Error() != c.text || op.Timeout() != c.timeout || c.is != nil && !errors.Is(got, c.is) || at != c.at {
				t.Errorf("got %v (%T, timeout %v) at %v, want %q (timeout %v) at %v", got, got, op != nil && op.Timeout(), at, c.text, c.timeout, c.at)
			}
			if l := returns(tr, netns.Client); len(l) > 0 && !strings.HasSuffix(l[len(l)-1], "close(3) = 0") {
				t.Errorf("the socket stays open: %q", l)
			}
		})
	}
}

// TestListenErrors: so are those of Listen; and of a port in use.
func TestListenErrors(t *testing.T) {
	goRun(t, onGVisor(1), func(h *netns.Host) {
		for address, want := range map[string]string{
			"client:80":     "listen tcp 192.0.2.1:80: bind: Cannot assign requested address",
			"server:70000":  "listen tcp: address server:70000: the port must be a number from 0 to 65535",
			"example.org:1": "listen tcp: lookup example.org: no such host",
		} {
			if _, err := h.Listen("tcp", address); err == nil || err.Error() != want {
				t.Errorf("%s: got %v, want %s", address, err, want)
			}
		}
		l, err := h.Listen("tcp", ":0")
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.Listen("tcp", l.Addr().String())
		if !errors.Is(err, netns.ErrAddressInUse) {
			t.Errorf("a second listener at %v: got %v", l.Addr(), err)
		}
		if _, port, err := net.SplitHostPort(l.Addr().String()); err != nil || port == "0" {
			t.Errorf("the listener's address is %v, %v", l.Addr(), err)
		}
	}, idle)
}

// TestDeadline: a deadline ends the call that is blocked at its instant, and the calls behind it at once; in the record the
// call returns EAGAIN because of a timer.
func TestDeadline(t *testing.T) {
	var fill int
	tr := goRun(t, onGVisor(1), func(h *netns.Host) {
		l := listen(t, h)
		_ = l.(*netns.Listener).SetDeadline(h.Now().Add(5 * ms))
		_, err := l.Accept()
		wantDeadline(t, "accept", h, err, 5*ms)
		_ = l.(*netns.Listener).SetDeadline(time.Time{})
		c := accept(t, l)
		_, err = io.ReadFull(c, make([]byte, 1))
		if err != nil {
			t.Error(err)
		}
		h.Sleep(10 * time.Second) // reads nothing
	}, func(h *netns.Host) {
		h.Sleep(time.Millisecond)
		c := dial(t, h)
		_ = c.SetReadDeadline(h.Now().Add(100*ms + 1))
		_, err := c.Read(make([]byte, 10))
		wantDeadline(t, "read", h, err, 121*ms+1)
		_, err = c.Read(make([]byte, 10))
		wantDeadline(t, "the read behind it", h, err, 121*ms+1)
		_ = c.SetWriteDeadline(h.Now().Add(time.Second))
		fill, err = c.Write(make([]byte, 64<<20))
		wantDeadline(t, "write", h, err, 1121*ms+1)
		_ = c.SetDeadline(netns.Start)
		n, err := c.Write([]byte("x"))
		wantDeadline(t, "a write after its time", h, err, 1121*ms+1)
		if n != 0 {
			t.Errorf("and it wrote %d octets", n)
		}
		// From another goroutine, for a call that is blocked: moved away, then moved near.
		_ = c.SetDeadline(h.Now().Add(time.Second))
		h.Go(func() {
			h.Sleep(100 * ms)
			_ = c.SetReadDeadline(time.Time{})
			h.Sleep(2 * time.Second)
			_ = c.SetReadDeadline(h.Now().Add(-time.Hour))
		})
		_, err = c.Read(make([]byte, 10))
		wantDeadline(t, "a read whose deadline moves", h, err, 3221*ms+1)
		_ = c.SetDeadline(time.Time{})
		if _, err := h.DialTimeout("tcp", "192.0.2.77:80", 300*ms); err == nil || err.Error() != "dial tcp 192.0.2.77:80: i/o timeout" {
			t.Errorf("a dial with a timeout: %v", err)
		} else {
			wantDeadline(t, "dial", h, err, 3521*ms+1)
		}
		// A deadline is no end of a run that has nothing else to do, however late it is.
		_ = c.SetReadDeadline(h.Now().Add(100 * time.Hour))
		_, err = c.Read(make([]byte, 10))
		wantDeadline(t, "a read for a long time", h, err, 100*time.Hour+3521*ms+1)
	})
	var timers []string
	for _, e := range tr.Events {
		if r, ok := e.Detail.(*trace.Return); ok && r.Errno != "" {
			cause := "the call"
			if timer, ok := tr.Event(e.Cause).Detail.(*trace.Timer); ok {
				cause = fmt.Sprintf("timer %s of socket %d at %v", timer.Name, tr.Event(e.Cause).Socket, tr.Event(e.Cause).At)
			}
			timers = append(timers, fmt.Sprintf("%s %v = %v: %s", e.Host, tr.Event(r.Call).Detail.(*trace.Call).Name, r, cause))
		}
	}
	if d := cmp.Diff([]string{
		"server accept = -1 EAGAIN: timer SO_RCVTIMEO of socket 1 at 5ms",
		"client recv = -1 EAGAIN: timer SO_RCVTIMEO of socket 1 at 121.000001ms",
		"client recv = -1 EAGAIN: the call",
		"client sendall = -1 EAGAIN: timer SO_SNDTIMEO of socket 1 at 1.121000001s",
		"client sendall = -1 EAGAIN: the call",
		"client recv = -1 EAGAIN: timer SO_RCVTIMEO of socket 1 at 3.221000001s",
		"client connect = -1 EINPROGRESS: timer SO_SNDTIMEO of socket 2 at 3.521000001s",
		"client recv = -1 EAGAIN: timer SO_RCVTIMEO of socket 1 at 100h0m3.521000001s",
	}, timers); d != "" {
		t.Errorf("calls that were ended (-want +got):\n%s", d)
	}
	if fill == 0 || fill == 64<<20 {
		t.Errorf("the write that timed out wrote %d octets", fill)
	}
}

func wantDeadline(t *testing.T, what string, h *netns.Host, err error, at time.Duration) {
	t.Helper()
	var timeout net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &timeout) || !timeout.Timeout() || h.Now() != netns.Start.Add(at) {
		t.Errorf("%s: got %v at %v, want a timeout at %v", what, err, h.Now().Sub(netns.Start), at)
	}
}

// TestDataAtDeadline: what arrives at the instant of the deadline is still received.
func TestDataAtDeadline(t *testing.T) {
	goRun(t, onGVisor(1), func(h *netns.Host) {
		c := accept(t, listen(t, h))
		_ = c.SetDeadline(netns.Start.Add(50 * ms))
		if n, err := c.Read(make([]byte, 9)); n != 1 || err != nil {
			t.Errorf("read %d, %v", n, err)
		}
	}, func(h *netns.Host) {
		c := dial(t, h)
		h.Sleep(20 * ms)
		if _, err := c.Write([]byte("x")); err != nil {
			t.Error(err)
		}
	})
}

// TestCloseUnblocks: Close ends what other goroutines of the host do with the connection or the listener, and what comes after it
// is told so.
func TestCloseUnblocks(t *testing.T) {
	for name, factory := range map[string]netns.Config{"gvisor": onGVisor(1), "toy": toys(netns.Config{})} {
		t.Run(name, func(t *testing.T) {
			var got []string
			closed := func(h *netns.Host, what string, err error) {
				if !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s: %v", what, err)
				}
				got = append(got, fmt.Sprintf("%v %s: %v", h.Now().Sub(netns.Start), what, err))
			}
			tr := goRun(t, factory, func(h *netns.Host) {
				l := listen(t, h)
				c := accept(t, l)
				h.Go(func() { _, err := l.Accept(); closed(h, "accept", err) })
				h.Go(func() { _, err := c.Read(make([]byte, 1)); closed(h, "read", err) })
				if name == "gvisor" { // the toy takes all that it is given
					h.Go(func() { _, err := c.Write(make([]byte, 64<<20)); closed(h, "write", err) })
					h.Go(func() { _, err := c.Write([]byte("behind it")); closed(h, "second write", err) })
				}
				h.Sleep(time.Second)
				if err := errors.Join(c.Close(), l.Close()); err != nil {
					t.Error(err)
				}
				h.Wait()
				closed(h, "close again", c.Close())
				_, err := c.Read(make([]byte, 1))
				closed(h, "read again", err)
				closed(h, "deadline", c.SetDeadline(time.Time{}))
				_, err = l.Accept()
				closed(h, "accept again", err)
			}, func(h *netns.Host) {
				c := dial(t, h)
				h.Sleep(2 * time.Second)
				_ = c.Close()
			})
			t.Log(got)
			if len(got) != map[string]int{"gvisor": 8, "toy": 6}[name] {
				t.Errorf("only these came back: %q", got)
			}
			for _, line := range got {
				if at, _, _ := strings.Cut(line, " "); at[:2] != "1s" && at[:2] != "1." {
					t.Errorf("late: %s", line)
				}
			}
			for _, line := range returns(tr, netns.Server) {
				if strings.Contains(line, "recv") && !strings.HasSuffix(line, "-1 EBADF") {
					t.Errorf("in the record: %s", line)
				}
			}
		})
	}
}

// TestNoOctets: a Read and a Write of no octets wait for nothing, and say so of a connection that is closed, as with package net.
func TestNoOctets(t *testing.T) {
	tr := goRun(t, onGVisor(1), func(h *netns.Host) {
		_ = accept(t, listen(t, h))
		h.Sleep(time.Minute) // reads nothing
	}, func(h *netns.Host) {
		c := dial(t, h)
		_ = c.SetWriteDeadline(h.Now().Add(time.Second))
		if n, err := c.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a write that fills the buffers: %d, %v", n, err)
		}
		_ = c.SetDeadline(time.Time{})
		before := h.Now()
		for _, f := range []func([]byte) (int, error){c.Read, c.Write} {
			if n, err := f(nil); n != 0 || err != nil || h.Now() != before {
				t.Errorf("no octets: %d, %v, after %v", n, err, h.Now().Sub(before))
			}
		}
		_ = c.Close()
		for _, f := range []func([]byte) (int, error){c.Read, c.Write} {
			if n, err := f(nil); n != 0 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("no octets after Close: %d, %v", n, err)
			}
		}
	})
	if got := len(returns(tr, netns.Client)); got != 4 { // socket, connect, sendall, close
		t.Errorf("%d calls: %q", got, returns(tr, netns.Client))
	}
}

// TestDialTimeout: the timeout is the Dial's and not the connection's.
func TestDialTimeout(t *testing.T) {
	goRun(t, onGVisor(1), func(h *netns.Host) { _ = accept(t, listen(t, h)) }, func(h *netns.Host) {
		c, err := h.DialTimeout("tcp", "server:80", 100*ms)
		if err != nil {
			t.Fatal(err)
		}
		h.Sleep(time.Second)
		if _, err := c.Write([]byte("x")); err != nil {
			t.Error(err)
		}
	})
}

// TestCloseAtTheInstantOfACall: a call that was asked for and is not made yet when another goroutine closes the connection is not
// made on the socket that has got the descriptor.
func TestCloseAtTheInstantOfACall(t *testing.T) {
	tr := goRun(t, onGVisor(1), func(h *netns.Host) {
		c := accept(t, listen(t, h))
		h.Sleep(90*ms - h.Now().Sub(netns.Start))
		if _, err := c.Write([]byte("x")); err != nil { // which arrives at 100 ms, ahead of what goroutines do
			t.Error(err)
		}
	}, func(h *netns.Host) {
		c := dial(t, h)
		h.Go(func() {
			for want := range 2 {
				if _, err := c.Read(make([]byte, 1)); errors.Is(err, net.ErrClosed) != (want == 1) {
					t.Errorf("read %d: %v", want, err)
				}
			}
		})
		h.Sleep(80 * ms)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if _, err := h.Listen("tcp", "client:1"); err != nil {
			t.Error(err)
		}
	})
	want(t, "client", "0s socket() = 3\n20ms connect(3, 192.0.2.2:80) = 0\n100ms recv(3, 1) = 1\n100ms close(3) = 0\n100ms socket() = 3\n"+
		"100ms setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0\n100ms bind(3, 192.0.2.1:1) = 0\n100ms listen(3, 128) = 0", returns(tr, netns.Client))
}

// TestHalfClose: what was written before CloseWrite arrives, then the end; the other direction stays open.
func TestHalfClose(t *testing.T) {
	goRun(t, onGVisor(1), func(h *netns.Host) {
		c := accept(t, listen(t, h))
		b, err := io.ReadAll(c)
		if string(b) != "question" || err != nil {
			t.Errorf("the server read %q, %v", b, err)
		}
		if _, err := io.WriteString(c, "answer"); err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}, func(h *netns.Host) {
		c := dial(t, h)
		_, err := io.WriteString(c, "question")
		if err := errors.Join(err, c.(*netns.Conn).CloseWrite()); err != nil {
			t.Error(err)
		}
		if _, err := c.Write([]byte("x")); !errors.Is(err, netns.ErrPipe) || err.Error() != "write tcp "+c.LocalAddr().String()+"->192.0.2.2:80: send: Broken pipe" {
			t.Errorf("a write behind the end: %v", err)
		}
		b, err := io.ReadAll(c)
		if string(b) != "answer" || err != nil {
			t.Errorf("the client read %q, %v", b, err)
		}
	})
}

// TestBothWays: a transfer in both directions at once arrives as it was sent.
func TestBothWays(t *testing.T) {
	const size = 2 << 20
	exchange := func(h *netns.Host, c net.Conn, mine, theirs byte) {
		data := func(seed byte) []byte {
			b := make([]byte, size)
			netns.NewStream(uint64(seed), "").Fill(b, 0)
			return b
		}
		h.Go(func() {
			for rest := data(mine); len(rest) > 0; rest = rest[min(len(rest), 77_777):] {
				if _, err := c.Write(rest[:min(len(rest), 77_777)]); err != nil {
					t.Error(err)
				}
			}
			if err := c.(*netns.Conn).CloseWrite(); err != nil {
				t.Error(err)
			}
		})
		got, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(got, data(theirs)) {
			t.Errorf("%d octets, not those that were sent; %v", len(got), err)
		}
		h.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	cfg := onGVisor(1)
	cfg.OmitData, cfg.Record = true, netns.RecordNoControl
	goRun(t, cfg, func(h *netns.Host) { exchange(h, accept(t, listen(t, h)), 1, 2) },
		func(h *netns.Host) { exchange(h, dial(t, h), 2, 1) })
}

// TestWritesDoNotMix: of two goroutines that write at one time, each has its octets together.
func TestWritesDoNotMix(t *testing.T) {
	const size = 2 << 20 // more than a send buffer holds
	cfg := onGVisor(1)
	cfg.OmitData, cfg.Record = true, netns.RecordNoControl
	goRun(t, cfg, func(h *netns.Host) {
		got, err := io.ReadAll(accept(t, listen(t, h)))
		want := append(bytes.Repeat([]byte{1}, size), bytes.Repeat([]byte{2}, size)...)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d octets, which are not those of one Write and then those of the other; %v", len(got), err)
		}
	}, func(h *netns.Host) {
		c := dial(t, h)
		for _, b := range []byte{1, 2} {
			h.Go(func() {
				if n, err := c.Write(bytes.Repeat([]byte{b}, size)); n != size || err != nil {
					t.Errorf("wrote %d, %v", n, err)
				}
			})
		}
		h.Wait()
		_ = c.Close()
	})
}

// TestGoReboot: of a host that is rebooted, the goroutines go on, and what they had is gone.
func TestGoReboot(t *testing.T) {
	var got []string
	note := func(h *netns.Host, err error) {
		got = append(got, fmt.Sprintf("%v %v", h.Now().Sub(netns.Start), err))
		if errors.Is(err, net.ErrClosed) || !errors.Is(err, netns.ErrBadDescriptor) {
			t.Errorf("got %v", err)
		}
	}
	tr := run(t, onGVisor(1), func(sb *netns.Sandbox) {
		server, client := sb.Host(netns.Server), sb.Host(netns.Client)
		server.Go(func() {
			l := listen(t, server)
			c := accept(t, l)
			server.Go(func() { _, err := l.Accept(); note(server, err) })
			_ = c.SetDeadline(server.Now().Add(time.Minute)) // which nothing is left of
			_, err := c.Read(make([]byte, 1))
			note(server, err)
			again := listen(t, server) // which has the descriptor of the one before
			_, err = l.Accept()
			note(server, err)
			note(server, l.Close())
			note(server, c.SetDeadline(time.Time{}))
			_ = accept(t, again)
		})
		client.Go(func() {
			_ = dial(t, client)
			client.Sleep(time.Second)
			_ = dial(t, client)
		})
		sb.At(500*ms, 0, func() {
			if err := sb.Reboot(netns.Server); err != nil {
				t.Error(err)
			}
		})
	})
	if d := cmp.Diff([]string{
		"500ms read tcp 192.0.2.2:80->192.0.2.1:" + port(tr) + ": recv: Bad file descriptor",
		"500ms accept tcp 192.0.2.2:80: accept: Bad file descriptor",
		"500ms accept tcp 192.0.2.2:80: accept: Bad file descriptor",
		"500ms close tcp 192.0.2.2:80: close: Bad file descriptor",
		"500ms set tcp 192.0.2.2:80->192.0.2.1:" + port(tr) + ": Bad file descriptor",
	}, got); d != "" {
		t.Errorf("what the server's goroutines heard (-want +got):\n%s", d)
	}
	if tr.End.Reason != trace.Finished {
		t.Errorf("the run ended as %v", tr.End)
	}
}

// TestRebootByAGoroutine: the goroutines of the host that is rebooted go on when the one that reboots it has blocked.
func TestRebootByAGoroutine(t *testing.T) {
	for _, rebooted := range []string{netns.Server, netns.Client} {
		t.Run(rebooted, func(t *testing.T) {
			leaks(t)
			var got []string
			note := func(h *netns.Host, what string) { got = append(got, fmt.Sprint(h.Now().Sub(netns.Start), " ", what)) }
			tr := run(t, onGVisor(1), func(sb *netns.Sandbox) {
				h, client := sb.Host(rebooted), sb.Host(netns.Client)
				h.Go(func() {
					l, err := h.Listen("tcp", ":80")
					if err != nil {
						t.Error(err)
					}
					if _, err = l.Accept(); !errors.Is(err, netns.ErrBadDescriptor) {
						t.Errorf("accept: %v", err)
					}
					note(h, "accept came back")
				})
				client.Go(func() {
					client.Sleep(time.Second)
					if err := sb.Reboot(rebooted); err != nil {
						t.Error(err)
					}
					note(client, "rebooted")
					client.Sleep(time.Second)
					note(client, "slept")
				})
			})
			if d := cmp.Diff([]string{"1s rebooted", "1s accept came back", "2s slept"}, got); d != "" {
				t.Errorf("order (-want +got):\n%s", d)
			}
			if tr.End.Reason != trace.Finished {
				t.Errorf("the run ended as %v", tr.End)
			}
		})
	}
}

// port is the client's of the first connection.
func port(t *trace.Trace) string {
	for _, e := range t.Events {
		if s, ok := e.Detail.(*trace.Sent); ok && s.Packet.Kind == trace.PacketTCP {
			return fmt.Sprint(s.Packet.TCP.SrcPort)
		}
	}
	return "?"
}

// leaks fails the test if it leaves goroutines behind.
func leaks(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for range 1000 {
			if runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(time.Millisecond) // Go tells nobody when a goroutine has gone
		}
		b := make([]byte, 1<<20)
		t.Errorf("%d goroutines before and %d now:\n%s", before, runtime.NumGoroutine(), b[:runtime.Stack(b, true)])
	})
}

// TestBlockedAtEnd: goroutines that are blocked when the run is over end there, what they deferred runs, and the record names
// their calls.
func TestBlockedAtEnd(t *testing.T) {
	leaks(t)
	var deferred []string
	tr := goRun(t, toys(netns.Config{Until: time.Hour}), func(h *netns.Host) {
		l := listen(t, h)
		defer func() {
			deferred = append(deferred, fmt.Sprint("server ", l.Close()))
			h.Go(func() { t.Error("a goroutine started after the end") })
			h.Sleep(time.Second)
			h.Wait()
		}()
		h.Go(func() {
			defer func() { deferred = append(deferred, "sleeper") }()
			h.Sleep(100 * time.Hour)
			t.Error("slept beyond the end")
		})
		_, _ = l.Accept()
		t.Error("accept came back")
	}, func(h *netns.Host) {
		h.Go(func() {
			defer func() { deferred = append(deferred, "client") }()
			h.Go(func() { h.Sleep(1000 * time.Hour) })
			h.Wait()
			t.Error("wait came back")
		})
	})
	if d := cmp.Diff([]string{"server close tcp 192.0.2.2:80: use of closed network connection", "sleeper", "client"}, deferred); d != "" {
		t.Errorf("deferred (-want +got):\n%s", d)
	}
	if d := cmp.Diff(trace.End{At: time.Hour, Reason: trace.UntilReached, Blocked: []int{9}}, tr.End); d != "" {
		t.Errorf("end (-want +got):\n%s", d)
	}
}

// TestNotes: goroutines put remarks into the record as long as that has no end; with those, it is read again.
func TestNotes(t *testing.T) {
	for name, real := range map[string]bool{"virtual time": false, "real time": true} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			wall := fakeWall{}
			var sb *netns.Sandbox
			var n []int
			note := func(text string) { n = append(n, sb.Note(netns.Server, 0, trace.Note{Text: text})) }
			tr := run(t, toys(netns.Config{RealTime: real, Wall: wall.wall()}), func(made *netns.Sandbox) {
				sb = made
				h := sb.Host(netns.Server)
				note("before")
				h.Go(func() {
					defer note("behind the end")
					l := listen(t, h)
					note("listens")
					if real {
						wall.advance(time.Second)
						note("a second later")
						sb.Stop()
					} else {
						h.Go(func() { h.Sleep(3 * time.Second) })
					}
					_, _ = l.Accept()
				})
			})
			last := len(tr.Events)
			if n[0] == 0 || n[1] == 0 || n[len(n)-1] != 0 {
				t.Errorf("the notes are events %d of %d", n, last)
			}
			var b bytes.Buffer
			if err := trace.Write(&b, tr); err != nil {
				t.Fatal(err)
			}
			if _, err := trace.Read(&b, "record", wire.Decode); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestGoNeverRun: a sandbox that is closed and not run starts no goroutine.
func TestGoNeverRun(t *testing.T) {
	leaks(t)
	sb, err := netns.New(toys(netns.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	sb.Host(netns.Client).Go(func() { t.Error("it started") })
	sb.Close()
}

// TestStop: Stop ends the run where it is.
func TestStop(t *testing.T) {
	leaks(t)
	tr := run(t, toys(netns.Config{}), func(sb *netns.Sandbox) {
		h := sb.Host(netns.Client)
		h.Go(func() {
			h.Sleep(time.Minute)
			sb.Stop()
			sb.Stop()
			h.Sleep(time.Minute)
			t.Error("the run went on")
		})
	})
	if d := cmp.Diff(trace.End{At: time.Minute, Reason: trace.Stopped}, tr.End); d != "" {
		t.Errorf("end (-want +got):\n%s", d)
	}
}

// TestGoOrder: goroutines and programs of one instant come in the order in which they were given, and At may start more.
func TestGoOrder(t *testing.T) {
	var got []string
	tr := run(t, toys(netns.Config{}), func(sb *netns.Sandbox) {
		h := sb.Host(netns.Client)
		say := func(what string) func() {
			return func() {
				got = append(got, fmt.Sprint(what, " ", sb.Now()))
				if _, err := h.Listen("tcp", "client:0"); err != nil {
					t.Error(err)
				}
			}
		}
		h.Go(func() {
			h.Go(say("child"))
			say("first")()
			h.Sleep(ms)
			say("first")()
			h.Wait()
			say("first")()
		})
		if err := sb.Program(netns.Client, "client", netns.Calls(netns.Call{}, netns.Call{At: ms})); err != nil {
			t.Error(err)
		}
		h.Go(say("second"))
		sb.At(ms, 0, func() { h.Go(say("at")) })
	})
	if d := cmp.Diff([]string{"first 0s", "second 0s", "child 0s", "first 1ms", "first 1ms", "at 1ms"}, got); d != "" {
		t.Errorf("order (-want +got):\n%s", d)
	}
	names := map[string]int{}
	for _, e := range tr.Events {
		if c, ok := e.Detail.(*trace.Call); ok && c.Name == "socket" {
			names[c.Program]++
		}
	}
	if d := cmp.Diff(map[string]int{"client.go1": 3, "client": 2, "client.go2": 2, "client.go3": 1}, names); d != "" {
		t.Errorf("programs (-want +got):\n%s", d)
	}
}

// fakeWall is a clock on the wall that goes on when the test says so.
type fakeWall struct {
	mu     sync.Mutex
	now    time.Duration
	alarms map[chan time.Time]time.Duration
}

func (f *fakeWall) wall() *netns.Wall {
	f.alarms = map[chan time.Time]time.Duration{}
	return &netns.Wall{
		Now: func() time.Time {
			f.mu.Lock()
			defer f.mu.Unlock()
			return netns.Start.Add(f.now)
		},
		After: func(d time.Duration) <-chan time.Time {
			f.mu.Lock()
			defer f.mu.Unlock()
			c := make(chan time.Time, 1)
			f.alarms[c] = f.now + d
			return c
		},
	}
}

func (f *fakeWall) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now += d
	for c, at := range f.alarms {
		if at <= f.now {
			c <- netns.Start.Add(f.now)
			delete(f.alarms, c)
		}
	}
}

// ring advances the clock to an alarm that is due within Patience, if there is one.
func (f *fakeWall) ring() {
	f.mu.Lock()
	var wait time.Duration
	for _, at := range f.alarms {
		if left := at - f.now; left <= netns.Patience {
			wait = left
		}
	}
	f.mu.Unlock()
	if wait > 0 {
		f.advance(wait)
	}
	runtime.Gosched()
}

// TestStuck: a goroutine that blocks outside of the sandbox ends the run with its stack.
func TestStuck(t *testing.T) {
	leaks(t)
	var record bytes.Buffer
	wall := fakeWall{}
	sb, err := netns.New(toys(netns.Config{Wall: wall.wall(), Writer: &record}))
	if err != nil {
		t.Fatal(err)
	}
	never, over := make(chan bool), make(chan error)
	h := sb.Host(netns.Client)
	h.Go(func() {
		defer func() {
			_, err := h.Dial("tcp", "server:80")
			over <- err
		}()
		waitOutside(&wall, never)
	})
	cleaned := false
	h.Go(func() {
		defer func() { cleaned = true }()
		h.Sleep(time.Hour)
	})
	tr, err := sb.Run()
	var op *netns.OpError
	if !errors.As(err, &op) || op.Host != netns.Client || tr != nil {
		t.Fatalf("got %v, %v", tr, err)
	}
	for _, part := range []string{"client: run: a goroutine of Host.Go has not come back for 5s of wall time", "waitOutside("} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("no %q in: %v", part, err)
		}
	}
	if strings.Contains(err.Error(), "TestStuck(") {
		t.Errorf("other goroutines are in it: %v", err)
	}
	if cleaned {
		t.Error("the other goroutine, which had not begun, was run")
	}
	if _, err := trace.Read(bytes.NewReader(record.Bytes()), "record", wire.Decode); err == nil {
		t.Error("the record has an end")
	}
	close(never)
	if err := <-over; !errors.Is(err, net.ErrClosed) {
		t.Errorf("a call after the end: %v", err)
	}
}

//go:noinline
func waitOutside(wall *fakeWall, never <-chan bool) {
	for {
		select {
		case <-never:
			return
		default:
			wall.advance(time.Second)
			runtime.Gosched()
		}
	}
}

// TestPatience: turns that are short together take as long as they like.
func TestPatience(t *testing.T) {
	wall := fakeWall{}
	goRun(t, toys(netns.Config{Wall: wall.wall()}), idle, func(h *netns.Host) {
		for range 100 {
			wall.advance(netns.Patience - 1)
			h.Sleep(time.Hour)
		}
	})
}

// TestGoPanics: a panic of a goroutine is Run's, with the stack where it was; the other goroutines and the stacks are gone then.
func TestGoPanics(t *testing.T) {
	leaks(t)
	for name, factory := range map[string]netns.Config{"gvisor": onGVisor(1), "toy": toys(netns.Config{})} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				p, ok := recover().(*netns.PanicError)
				if !ok || p.Host != netns.Client || p.Value != "ouch" || !strings.Contains(p.Stack, "hurt(") {
					t.Errorf("Run panicked with %v", p)
				}
			}()
			tr := goRun(t, factory, func(h *netns.Host) { _ = accept(t, listen(t, h)) }, func(h *netns.Host) {
				_ = dial(t, h)
				hurt()
			})
			t.Errorf("Run returned %v", tr)
		})
	}
}

// TestPanicIsTheEnd: when one goroutine has panicked, others do not go on, not even those whose calls came back with it.
func TestPanicIsTheEnd(t *testing.T) {
	leaks(t)
	sb, err := netns.New(onGVisor(1))
	if err != nil {
		t.Fatal(err)
	}
	h := sb.Host(netns.Server)
	h.Go(func() {
		l := listen(t, h)
		h.Go(func() { _, _ = l.Accept(); hurt() })
		h.Go(func() { _, _ = l.Accept(); t.Error("the other goroutine went on") })
		h.Sleep(time.Second)
		_ = l.Close()
	})
	defer func() {
		if _, ok := recover().(*netns.PanicError); !ok {
			t.Error("Run did not panic")
		}
	}()
	_, err = sb.Run()
	t.Errorf("Run returned %v", err)
}

// TestPanicAfterAFailure: a panic is Run's also when the run is ending for another reason: of a goroutine that the end lets go on, and
// of the one that did not come back in time, if it does now.
func TestPanicAfterAFailure(t *testing.T) {
	for name, set := range map[string]func(h *netns.Host, wall *fakeWall){
		"the record cannot be written": func(h *netns.Host, _ *fakeWall) {
			h.Go(func() {
				defer hurt()
				_, _ = h.Listen("tcp", ":80")
			})
		},
		"it did not come back": func(h *netns.Host, wall *fakeWall) {
			never := make(chan bool)
			h.Go(func() {
				defer func() {
					before := runtime.NumGoroutine()
					close(never)
					for runtime.NumGoroutine() == before {
						runtime.Gosched()
					}
				}()
				h.Sleep(time.Hour)
			})
			h.Go(func() {
				defer hurt()
				l := listen(t, h).(*netns.Listener)
				for l.SetDeadline(time.Time{}) == nil { // the run goes on
					wall.advance(time.Second)
					runtime.Gosched()
				}
				<-never
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			leaks(t)
			wall := fakeWall{}
			cfg := toys(netns.Config{Wall: wall.wall()})
			if name == "the record cannot be written" {
				cfg.Writer = &failing{}
			}
			sb, err := netns.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			set(sb.Host(netns.Server), &wall)
			defer func() {
				if p, ok := recover().(*netns.PanicError); !ok || p.Value != "ouch" {
					t.Errorf("Run panicked with %v", p)
				}
			}()
			_, err = sb.Run()
			t.Errorf("Run returned %v", err)
		})
	}
}

// TestPanicAfterRun: a goroutine that has outlived the run and panics ends the process: nobody else would hear of it.
func TestPanicAfterRun(t *testing.T) {
	const child = "CONNECTLAB_TEST_PANIC_AFTER_RUN"
	if os.Getenv(child) == "" {
		c := exec.Command(os.Args[0], "-test.run=^TestPanicAfterRun$")
		c.Env = append(os.Environ(), child+"=1")
		out, err := c.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "panic: ouch") || !strings.Contains(string(out), "hurt(") {
			t.Errorf("the process ended with %v:\n%s", err, out)
		}
		return
	}
	wall := fakeWall{}
	sb, err := netns.New(toys(netns.Config{Wall: wall.wall()}))
	if err != nil {
		t.Fatal(err)
	}
	never := make(chan bool)
	sb.Host(netns.Client).Go(func() {
		defer hurt()
		waitOutside(&wall, never)
	})
	if _, err = sb.Run(); err == nil {
		t.Error("the run has an end")
	}
	before := runtime.NumGoroutine()
	close(never)
	for runtime.NumGoroutine() == before {
		runtime.Gosched()
	}
}

//go:noinline
func hurt() { panic("ouch") }

// TestGoMisuse: what would block for ever, or race, panics.
func TestGoMisuse(t *testing.T) {
	panics := func(name, want string, f func()) {
		t.Helper()
		defer func() {
			if got := fmt.Sprint(recover()); !strings.Contains(got, want) {
				t.Errorf("%s: panic %q, want %q", name, got, want)
			}
		}()
		f()
	}
	sb, err := netns.New(toys(netns.Config{}))
	if err != nil {
		t.Fatal(err)
	}
	server, client := sb.Host(netns.Server), sb.Host(netns.Client)
	panics("unknown host", "netns: unknown host", func() { sb.Host("nobody") })
	panics("before Run", "a goroutine that Host.Go has not started", func() { client.Sleep(1) })
	sb.At(0, 0, func() {
		panics("within At", "within At or a Program", func() { client.Sleep(1) })
		panics("Close within At", "Close during Run", sb.Close)
	})
	client.Go(func() {
		panics("Close by a goroutine", "Close during Run", sb.Close)
		panics("another host", "a goroutine of the client makes a call on the server", func() { server.Sleep(1) })
	})
	if _, err := sb.Run(); err != nil {
		t.Error(err)
	}
}

// TestForeignGoroutine: in virtual time a goroutine that Host.Go has not started can make no call, not even while one that it has
// waits for it outside of the sandbox and so has control.
func TestForeignGoroutine(t *testing.T) {
	leaks(t)
	const want = "netns: a call from a goroutine that Host.Go has not started, while another has control"
	// foreign makes a call in a goroutine of the go statement, waits for it, and checks that it panics.
	foreign := func(what string, call func()) {
		panicked := make(chan any)
		go func() {
			defer func() { panicked <- recover() }()
			call()
		}()
		if got := fmt.Sprint(<-panicked); !strings.HasPrefix(got, want) {
			t.Errorf("%s: panic %q, want %q", what, got, want)
		}
	}
	goRun(t, onGVisor(1), func(h *netns.Host) {
		b, err := io.ReadAll(accept(t, listen(t, h)))
		if string(b) != "mine" || err != nil {
			t.Errorf("the server read %q, %v", b, err)
		}
	}, func(h *netns.Host) {
		c := dial(t, h)
		foreign("write", func() { _, _ = c.Write([]byte("foreign")) })
		foreign("deadline", func() { _ = c.SetDeadline(time.Time{}) })
		foreign("go", func() { h.Go(func() {}) })
		foreign("sleep", func() { h.Sleep(1) })
		web := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (conn net.Conn, err error) {
			defer func() { err = fmt.Errorf("panic %v", recover()) }() // in a goroutine of net/http, which would take the test with it
			return h.DialContext(ctx, network, address)
		}}}
		if _, err := web.Get("http://server/"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("net/http: got %v, want %q", err, want)
		}
		for depth := range 200 {
			deep(depth, func() { h.Sleep(1) }) // which comes from its own goroutine, however deep
		}
		if _, err := c.Write([]byte("mine")); err != nil {
			t.Error(err)
		}
		_ = c.Close()
	})
}

// deep calls f so many calls below its caller.
//
//go:noinline
func deep(depth int, f func()) {
	if depth == 0 {
		f()
		return
	}
	deep(depth-1, f)
}

// TestConfigWall: real time needs a whole clock.
func TestConfigWall(t *testing.T) {
	for want, cfg := range map[string]netns.Config{
		"configure: real time needs a clock: set Config.Wall":                                    {RealTime: true},
		"configure: the clock on the wall needs both its functions: set Wall.Now and Wall.After": {Wall: &netns.Wall{Now: time.Now}},
	} {
		cfg.Client, cfg.Server = toy.Factory{}, toy.Factory{}
		if _, err := netns.New(cfg); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
