package main

import (
	"net/netip"
	"time"

	"connectlab/netns"
	"connectlab/trace"
)

// A factory makes the stacks of the hosts.
type factory struct{}

func (factory) Info() netns.Info {
	return netns.Info{
		Name: "mystack", Version: "1", Capabilities: []string{trace.CapabilityIPv6},
		Unsupported: []string{"abort", "getsockopt", "setsockopt", "shutdown", "SO_ERROR"},
	}
}

func (factory) New(env netns.Env) (netns.Stack, error) {
	return &stack{newTCP(env.Address.Addr(), env.Seed)}, nil
}

// A stack is a tcp as a netns.Stack. With a clock and timers, Advance, Deadline and Expire would have something to do.
type stack struct{ tcp *tcp }

func (s *stack) Advance(time.Duration)                     {}
func (s *stack) Deliver(packet []byte)                     { s.tcp.input(packet) }
func (s *stack) Settle()                                   {}
func (s *stack) Deadline() (time.Duration, bool)           { return 0, false }
func (s *stack) Expire() netns.Expired                     { return netns.Expired{} }
func (s *stack) Socket(netns.Family) (netns.Socket, error) { return &socket{tcp: s.tcp}, nil }
func (s *stack) Close()                                    {}

func (s *stack) Take(buf []byte) (packet []byte, lost, ok bool) {
	packet, ok = s.tcp.output()
	return append(buf, packet...), false, ok
}

// A socket is nothing yet, then a listener or a connection.
type socket struct {
	netns.Unsupported
	tcp           *tcp
	local, remote netip.AddrPort
	listener      *listener
	conn          *conn
}

func (k *socket) LocalAddr() netip.AddrPort   { return k.local }
func (k *socket) RemoteAddr() netip.AddrPort  { return k.remote }
func (k *socket) Bind(a netip.AddrPort) error { k.local = a; return nil }
func (k *socket) Listen(int) error            { k.listener = k.tcp.listen(k.local); return nil }
func (k *socket) Close() error                { k.listener.close(); k.conn.close(); return nil }

func (k *socket) Accept() (netns.Socket, error) {
	if c := k.listener.next(); c != nil {
		return &socket{tcp: k.tcp, local: c.local, remote: c.remote, conn: c}, nil
	}
	return nil, netns.ErrWouldBlock
}

func (k *socket) Connect(remote netip.AddrPort) error {
	if k.conn == nil {
		k.conn = k.tcp.connect(k.local, remote)
		k.local, k.remote = k.conn.local, remote
	}
	switch {
	case k.conn.reset:
		return netns.ErrRefused
	case k.conn.established:
		return nil
	}
	return netns.ErrInProgress
}

func (k *socket) Send(data []byte) (int, error) {
	if !k.conn.open() {
		return 0, netns.ErrNotConnected
	}
	return k.conn.write(data), nil
}

func (k *socket) Receive(buf []byte) (int, error) {
	if k.conn == nil {
		return 0, netns.ErrNotConnected
	}
	switch n, end := k.conn.read(buf); {
	case n > 0 || end:
		return n, nil
	case k.conn.reset:
		return 0, netns.ErrReset
	}
	return 0, netns.ErrWouldBlock
}
