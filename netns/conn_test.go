package netns_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/internal/toy"
	"connectlab/trace"
	"connectlab/trace/wire"
)

// onGVisor is a run of two gVisor stacks.
func onGVisor(seed uint64) netns.Config {
	return netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: seed}
}

// goRun runs a server and a client, each a goroutine of Host.Go.
func goRun(t *testing.T, cfg netns.Config, server, client func(h *netns.Host)) *trace.Trace {
	t.Helper()
	return run(t, cfg, func(sb *netns.Sandbox) {
		s, c := sb.Host(netns.Server), sb.Host(netns.Client)
		s.Go(func() { server(s) })
		c.Go(func() { client(c) })
	})
}

func listen(t *testing.T, h *netns.Host) net.Listener {
	l, err := h.Listen("tcp", "server:80")
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	return l
}

func dial(t *testing.T, h *netns.Host) net.Conn {
	c, err := h.Dial("tcp", "server:80")
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	return c
}

func accept(t *testing.T, l net.Listener) net.Conn {
	c, err := l.Accept()
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	return c
}

// TestDial: what a client and a server do is in the record as if programs had done it.
func TestDial(t *testing.T) {
	for name, factory := range map[string]netns.Factory{"gvisor": &gvisor.Factory{}, "toy": toy.Factory{}} {
		t.Run(name, func(t *testing.T) {
			tr := goRun(t, netns.Config{Client: factory, Server: factory}, func(h *netns.Host) {
				l := listen(t, h)
				c := accept(t, l)
				b, err := io.ReadAll(c)
				if string(b) != "hello" || err != nil {
					t.Errorf("the server read %q, %v", b, err)
				}
				if a := c.RemoteAddr().String(); !strings.HasPrefix(a, "192.0.2.1:") || c.LocalAddr().String() != "192.0.2.2:80" {
					t.Errorf("the server's connection is %v to %v", c.LocalAddr(), a)
				}
				if err := errors.Join(c.Close(), l.Close()); err != nil {
					t.Error(err)
				}
			}, func(h *netns.Host) {
				c := dial(t, h)
				if n, err := io.WriteString(c, "hello"); n != 5 || err != nil {
					t.Errorf("wrote %d, %v", n, err)
				}
				if a := c.LocalAddr().String(); !strings.HasPrefix(a, "192.0.2.1:") || c.RemoteAddr().String() != "192.0.2.2:80" {
					t.Errorf("the client's connection is %v to %v", a, c.RemoteAddr())
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			})
			want(t, "client", "0s socket() = 3\n20ms connect(3, 192.0.2.2:80) = 0\n20ms sendall(3, 5) = 5\n20ms close(3) = 0", returns(tr, netns.Client))
			reuse := "0"
			if name == "toy" {
				reuse = "-1 EOPNOTSUPP"
			}
			want(t, "server", "0s socket() = 3\n0s setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = "+reuse+
				"\n0s bind(3, 192.0.2.2:80) = 0\n0s listen(3, 128) = 0\n30ms accept(3) = 4\n30ms recv(4, 512) = 5\n30ms recv(4, 507) = 0\n"+
				"30ms close(4) = 0\n30ms close(3) = 0", returns(tr, netns.Server))
			if tr.End.Reason != trace.Finished {
				t.Errorf("the run ended as %v", tr.End)
			}
		})
	}
}

// busy is a run with a bit of everything: several clients, goroutines for both directions, sleeps, deadlines, a bad link.
func busy(t *testing.T, seed uint64) []byte {
	t.Helper()
	var record bytes.Buffer
	cfg := onGVisor(seed)
	cfg.Writer = &record
	for _, rule := range []string{"drop client SYN#2", "drop server 5%", "reorder client data#3 2", "delay server ACK#4 .5"} {
		f, err := netns.ParseFault(rule)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Faults = append(cfg.Faults, f)
	}
	sb, err := netns.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	const clients = 5
	served := 0
	server, client := sb.Host(netns.Server), sb.Host(netns.Client)
	server.Go(func() {
		l := listen(t, server)
		for range clients {
			c := accept(t, l)
			server.Go(func() {
				defer c.Close()
				n, err := io.Copy(c, c)
				if n != 20_000 || err != nil {
					t.Errorf("seed %d: an echo of %d octets, %v", seed, n, err)
				}
				served++
			})
		}
		server.Wait()
		if served != clients {
			t.Errorf("seed %d: Wait returned when %d of %d were served", seed, served, clients)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	client.Go(func() {
		for i := range clients {
			client.Go(func() {
				client.Sleep(time.Duration(i/2) * time.Millisecond)
				c := dial(t, client)
				defer c.Close()
				sent := bytes.Repeat([]byte{byte(i), 1, 2, 3, 4}, 4_000)
				client.Go(func() {
					if _, err := c.Write(sent); err != nil {
						t.Error(err)
					}
					if err := c.(*netns.Conn).CloseWrite(); err != nil {
						t.Error(err)
					}
				})
				var got []byte
				for b := make([]byte, 3000); ; {
					_ = c.SetReadDeadline(client.Now().Add(7 * time.Millisecond))
					n, err := c.Read(b)
					got = append(got, b[:n]...)
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
						t.Error(err)
						break
					}
				}
				if !bytes.Equal(got, sent) {
					t.Errorf("seed %d: client %d got %d octets back that are not those that it sent", seed, i, len(got))
				}
			})
		}
		client.Wait()
	})
	if _, err := sb.Run(); err != nil {
		t.Fatal(err)
	}
	return record.Bytes()
}

// TestGoRepeatable: goroutines change nothing about it, a run is the same octet for octet, and what it leaves is a trace.
func TestGoRepeatable(t *testing.T) {
	for _, seed := range []uint64{1, 2} {
		var first []byte
		for _, processors := range []int{1, 2, 8} {
			for range 2 {
				got := func() []byte {
					defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
					return busy(t, seed)
				}()
				if first == nil {
					first = got
					tr, err := trace.Read(bytes.NewReader(got), "busy", wire.Decode)
					if err != nil {
						t.Fatal(err)
					}
					var again bytes.Buffer
					if err := trace.Write(&again, tr); err != nil || !bytes.Equal(again.Bytes(), got) {
						t.Errorf("seed %d: the trace read and written is another: %v", seed, err)
					}
				}
				if !bytes.Equal(got, first) {
					t.Fatalf("seed %d, GOMAXPROCS %d: another trace, %x and not %x", seed, processors, sha256.Sum256(got), sha256.Sum256(first))
				}
			}
		}
	}
}

// TestDialIPv6: on a link with Ethernet headers and IPv6 addresses, too.
func TestDialIPv6(t *testing.T) {
	cfg := onGVisor(1)
	cfg.Family, cfg.Link = netns.IPv6, trace.LinkEthernet
	goRun(t, cfg, func(h *netns.Host) {
		if _, err := h.Listen("tcp4", "server:80"); err == nil || err.Error() != "listen tcp4: address 2001:db8::2: not an address for tcp4" {
			t.Errorf("tcp4 on a host that has IPv6: %v", err)
		}
		l, err := h.Listen("tcp6", ":80")
		if err != nil {
			t.Error(err)
			return
		}
		c := accept(t, l)
		b, err := io.ReadAll(c)
		if string(b) != "hello" || err != nil || c.LocalAddr().String() != "[2001:db8::2]:80" {
			t.Errorf("%v read %q, %v", c.LocalAddr(), b, err)
		}
	}, func(h *netns.Host) {
		for _, address := range []string{"server:80", "[2001:db8::2]:80"} {
			c, err := h.Dial("tcp", address)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := io.WriteString(c, "hello"); err != nil {
				t.Error(err)
			}
			_ = c.Close()
		}
	})
}

// TestSharedDescriptors: goroutines and programs of a host have one table of descriptors. What a program closes is gone for
// a Conn, also when the descriptor names another socket by then.
func TestSharedDescriptors(t *testing.T) {
	tr := run(t, onGVisor(1), func(sb *netns.Sandbox) {
		of(t, sb, netns.Server, netns.Call{}, netns.Call{Op: netns.OpBind, FD: 3, Addr: serverPort}, netns.Call{Op: netns.OpListen, FD: 3, N: 5})
		h := sb.Host(netns.Client)
		h.Go(func() {
			c := dial(t, h)
			h.Go(func() {
				if _, err := c.Read(make([]byte, 1)); !errors.Is(err, netns.ErrBadDescriptor) || errors.Is(err, net.ErrClosed) {
					t.Errorf("a read when the program closes: %v", err)
				}
			})
			h.Sleep(time.Second)
			if _, err := c.Write([]byte("x")); !errors.Is(err, netns.ErrBadDescriptor) {
				t.Errorf("a write when the descriptor is another's: %v", err)
			}
			if err := c.Close(); !errors.Is(err, netns.ErrBadDescriptor) {
				t.Errorf("a close: %v", err)
			}
		})
		of(t, sb, netns.Client, netns.Call{At: 500 * ms, Op: netns.OpClose, FD: 3}, netns.Call{})
	})
	want(t, "client", "0s socket() = 3\n20ms connect(3, 192.0.2.2:80) = 0\n500ms close(3) = 0\n500ms recv(3, 1) = -1 EBADF\n500ms socket() = 3",
		returns(tr, netns.Client))
}
