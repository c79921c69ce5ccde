package netns

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"
)

// listenBacklog is the backlog of Host.Listen.
const listenBacklog = 128

// A handle is what a Conn or a Listener has hold of: a descriptor of its host, as long as that names the same socket.
type handle struct {
	s       *Sandbox
	h       *host
	network string
	fd      int // 0: not open yet
	number  int // of the socket
	closed  bool

	local, remote netip.AddrPort
	read, write   limit
	writers       []*lane // calls of Write: the first is made, the others wait for it
}

// An answer is what came of a call, as the goroutine that made it needs it.
type answer struct {
	over          bool // the run is, and the call has not come back
	closed        bool // the handle is
	result        int64
	errno         Errno
	octets        int // that were received, or sent, before an error too
	number        int // of the socket that it was made on, or that was accepted
	local, remote netip.AddrPort
}

// gone reports whether the descriptor names the handle's socket no more: it was closed, maybe by a program, or the host
// was rebooted.
func (f *handle) gone() bool {
	d := f.h.descriptor(f.fd)
	return d == nil || d.socket.number != f.number
}

// limit is the deadline that holds for a call.
func (f *handle) limit(op Op) limit {
	switch op {
	case OpReceive, OpAccept:
		return f.read
	case OpSendAll, OpConnect:
		return f.write
	default:
		return limit{}
	}
}

// call makes a call on the handle, for the goroutine that runs, and returns when it has come back.
func (f *handle) call(c Call, buf []byte) answer {
	s := f.s
	l := s.knock(f.h)
	if l == nil {
		return answer{over: true}
	}
	if f.fd != 0 && (f.closed || f.gone()) {
		a := answer{closed: f.closed, result: -1, errno: ErrBadDescriptor}
		s.turnAway(l)
		return a
	}
	c.FD = f.fd
	l.f, l.buf, l.proc.call = f, buf, c
	switch c.Op {
	case OpClose:
		f.closed = true
	case OpSendAll:
		if f.writers = append(f.writers, l); len(f.writers) > 1 {
			return s.park(l)
		}
	default:
	}
	s.schedule(l)
	return s.park(l)
}

// schedule puts the lane's call on the agenda.
func (s *Sandbox) schedule(l *lane) {
	s.agenda.push(entry{at: s.now, rank: l.proc.rank, do: l.begin})
}

// makeCall makes the lane's call, if its handle is still good: the descriptor may have become another socket's since it
// was asked for.
func (l *lane) makeCall() {
	f, p := l.f, l.proc
	if f.fd != 0 && (f.gone() || f.closed && p.call.Op != OpClose) {
		l.s.proceed(p, Outcome{})
		return
	}
	p.limit = f.limit(p.call.Op)
	l.s.makeCall(p)
}

// Next makes lane a Program: it hands over what came of the call. The next comes by itself.
func (l *lane) Next(last Outcome) (Call, bool) {
	f, p := l.f, l.proc
	a := answer{closed: f.closed, result: last.Result, errno: last.Errno, octets: int(max(last.Result, last.Count)), number: last.Socket}
	if !last.Made {
		a.result, a.errno = -1, ErrBadDescriptor // as any program hears that goes on with an empty table
	}
	copy(l.buf, last.Data)
	var k *socket
	switch p.call.Op {
	case OpConnect, OpListen:
		k = p.socket
	case OpAccept:
		k = p.host.byNumber[p.accept]
		a.number = p.accept
	case OpSendAll:
		f.writers = f.writers[1:]
		if len(f.writers) > 0 {
			l.s.schedule(f.writers[0])
		}
	default:
	}
	if a.result >= 0 && k != nil {
		a.local, a.remote = k.sock.LocalAddr(), k.sock.RemoteAddr()
	}
	l.answer(a)
	return Call{}, false
}

// fault is the error that a call has answered, nil if it has none.
func (a *answer) fault(call string) error {
	switch {
	case a.over, a.closed && a.errno == ErrBadDescriptor:
		return net.ErrClosed
	case a.errno == "":
		return nil
	case a.errno == ErrWouldBlock, a.errno == ErrInProgress:
		return os.ErrDeadlineExceeded // a descriptor of these is never made non-blocking
	}
	return os.NewSyscallError(call, a.errno)
}

// wrap tells of what an error is, as package net does.
func (f *handle) wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	e := &net.OpError{Op: op, Net: f.network, Err: err}
	if f.remote.IsValid() {
		e.Source, e.Addr = tcpAddr(f.local), tcpAddr(f.remote)
	} else {
		e.Addr = tcpAddr(f.local)
	}
	return e
}

func tcpAddr(a netip.AddrPort) net.Addr { return net.TCPAddrFromAddrPort(a) }

// close closes the descriptor.
func (f *handle) close() error {
	a := f.call(Call{Op: OpClose}, nil)
	return f.wrap("close", a.fault("close"))
}

// usable returns why the handle cannot be used any more; nil if it can. The caller is inside.
func (f *handle) usable() error {
	switch {
	case f.s.over, f.closed:
		return net.ErrClosed
	case f.gone():
		return ErrBadDescriptor
	}
	return nil
}

// nothing is a Read or a Write of no octets, which waits for nothing and is no call.
func (f *handle) nothing(op string) (int, error) {
	if mine := f.s.enter(); !mine {
		defer f.s.leave()
	}
	return 0, f.wrap(op, f.usable())
}

// setDeadline sets the deadlines of calls to come, and of those that are blocked.
func (f *handle) setDeadline(t time.Time, read, write bool) error {
	s := f.s
	if mine := s.enter(); !mine {
		defer s.leave()
	}
	if err := f.usable(); err != nil {
		return f.wrap("set", err)
	}
	var to limit
	if !t.IsZero() {
		to = limit{at: t.Sub(s.date()), set: true}
	}
	if read {
		f.read = to
	}
	if write {
		f.write = to
	}
	for _, p := range f.h.blocked {
		if l, ok := p.program.(*lane); ok && l.f == f {
			s.bound(p, f.limit(p.call.Op))
		}
	}
	return nil
}

// resolve reads an address: the name of a host, or an IP address, and a number. Without either the address may be of
// any interface, if anyHost.
func (h *Host) resolve(network, address string, anyHost bool) (netip.AddrPort, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return netip.AddrPort{}, net.UnknownNetworkError(network)
	}
	name, service, err := net.SplitHostPort(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return netip.AddrPort{}, &net.AddrError{Err: "the port must be a number from 0 to 65535", Addr: address}
	}
	own := h.h.addr.Addr()
	var ip netip.Addr
	if peer, unknown := h.s.host(name); unknown == nil {
		ip = peer.addr.Addr()
	} else if name == "" && anyHost {
		if ip = netip.IPv4Unspecified(); own.Is6() {
			ip = netip.IPv6Unspecified()
		}
	} else if ip, err = netip.ParseAddr(name); err != nil {
		return netip.AddrPort{}, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	ip = ip.Unmap()
	if network == "tcp4" && ip.Is6() || network == "tcp6" && ip.Is4() {
		return netip.AddrPort{}, &net.AddrError{Err: "not an address for " + network, Addr: ip.String()}
	}
	return netip.AddrPortFrom(ip, uint16(port)), nil
}

// socket makes a socket of the family of an address.
func (h *Host) socket(network string, a netip.AddrPort) (*handle, error) {
	f := &handle{s: h.s, h: h.h, network: network}
	c := Call{Op: OpSocket}
	if a.Addr().Is6() {
		c.Family = IPv6
	}
	made := f.call(c, nil)
	if err := made.fault("socket"); err != nil {
		return nil, err
	}
	f.fd, f.number = int(made.result), made.number
	return f, nil
}

// Dial connects to an address: "server:80" or "192.0.2.2:80". The networks are "tcp", "tcp4" and "tcp6". The Conn is a
// *Conn, an error a *net.OpError, in which is an Errno where the stack said so.
func (h *Host) Dial(network, address string) (net.Conn, error) {
	return h.dial(context.Background(), network, address, 0)
}

// DialTimeout is Dial that waits no longer than that, on the sandbox's clock; 0: for as long as the stack does.
func (h *Host) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	return h.dial(context.Background(), network, address, timeout)
}

// DialContext is Dial that waits no longer than ctx lets it, as an http.Transport wants it. Contexts have the clock on
// the wall, so in virtual time ctx is looked at only once, at the beginning; DialTimeout has the sandbox's.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return h.dial(ctx, network, address, 0)
}

func (h *Host) dial(ctx context.Context, network, address string, timeout time.Duration) (net.Conn, error) {
	to, err := h.resolve(network, address, false)
	if err == nil {
		err = ctx.Err()
	}
	var f *handle
	if err == nil {
		f, err = h.socket(network, to)
	}
	if err == nil {
		err = f.connect(ctx, to, timeout)
	}
	if err != nil {
		e := &net.OpError{Op: "dial", Net: network, Err: err}
		if to.IsValid() {
			e.Addr = tcpAddr(to)
		}
		return nil, e
	}
	return &Conn{f}, nil
}

// connect connects the handle's socket, or closes it.
func (f *handle) connect(ctx context.Context, to netip.AddrPort, timeout time.Duration) error {
	if timeout > 0 {
		_ = f.setDeadline((&Host{f.s, f.h}).Now().Add(timeout), false, true)
	}
	stop := func() bool { return true }
	if f.s.cfg.RealTime && ctx.Done() != nil {
		stop = context.AfterFunc(ctx, func() { _ = f.setDeadline(time.Unix(1, 0), false, true) })
	}
	a := f.call(Call{Op: OpConnect, Addr: to}, nil)
	err := a.fault("connect")
	if !stop() && err == nil {
		err = ctx.Err() // it came too late for the call, and the deadline may not stay
	}
	if err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() != nil {
			err = ctx.Err()
		}
		_ = f.close()
		return err
	}
	f.local, f.remote = a.local, a.remote
	_ = f.setDeadline(time.Time{}, false, true)
	return nil
}

// Listen listens at an address of the host: "server:80", or ":80"; port 0 lets the stack choose one. The networks are
// "tcp", "tcp4" and "tcp6". As in package net, addresses in TIME-WAIT can be listened at (SO_REUSEADDR), where the stack
// can do that. The Listener is a *Listener, an error a *net.OpError.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	at, err := h.resolve(network, address, true)
	var f *handle
	if err == nil {
		f, err = h.socket(network, at)
	}
	if err == nil {
		err = f.listen(at)
	}
	if err != nil {
		e := &net.OpError{Op: "listen", Net: network, Err: err}
		if at.IsValid() {
			e.Addr = tcpAddr(at)
		}
		return nil, e
	}
	return &Listener{f}, nil
}

// listen makes the handle's socket listen, or closes it.
func (f *handle) listen(at netip.AddrPort) error {
	for _, step := range []struct {
		call Call
		name string
	}{
		{Call{Op: OpSetOption, Option: ReuseAddress, N: 1, Text: "SOL_SOCKET, SO_REUSEADDR, [1], 4"}, "setsockopt"},
		{Call{Op: OpBind, Addr: at}, "bind"},
		{Call{Op: OpListen, N: listenBacklog}, "listen"},
	} {
		a := f.call(step.call, nil)
		if err := a.fault(step.name); err != nil && (step.call.Op != OpSetOption || !errors.Is(err, ErrUnsupported)) {
			_ = f.close()
			return err
		}
		f.local = a.local
	}
	return nil
}

// A Conn is a connection: a net.Conn on a socket of the sandbox. Writes that come while another is under way wait for
// it. Close ends calls that are blocked.
type Conn struct{ f *handle }

var _ net.Conn = (*Conn)(nil)

// Read makes one recv(), of no octets none. The octets that it returns are the caller's.
func (c *Conn) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return c.f.nothing("read")
	}
	a := c.f.call(Call{Op: OpReceive, N: len(b)}, b)
	if err := a.fault("recv"); err != nil {
		return 0, c.f.wrap("read", err)
	}
	if a.octets == 0 {
		return 0, io.EOF
	}
	return a.octets, nil
}

// Write makes one sendall(), of no octets none. The octets are read until it returns.
func (c *Conn) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return c.f.nothing("write")
	}
	a := c.f.call(Call{Op: OpSendAll, Data: b}, nil)
	return a.octets, c.f.wrap("write", a.fault("send"))
}

// Close closes the descriptor; the stack ends the connection by itself.
func (c *Conn) Close() error { return c.f.close() }

// CloseRead shuts the receiving side down.
func (c *Conn) CloseRead() error { return c.f.shutdown(ShutRead, "SHUT_RD") }

// CloseWrite shuts the sending side down: a FIN follows what was written.
func (c *Conn) CloseWrite() error { return c.f.shutdown(ShutWrite, "SHUT_WR") }

func (f *handle) shutdown(how How, name string) error {
	a := f.call(Call{Op: OpShutdown, How: how, Text: name}, nil)
	return f.wrap("close", a.fault("shutdown"))
}

// LocalAddr is the connection's own address, a *net.TCPAddr.
func (c *Conn) LocalAddr() net.Addr { return tcpAddr(c.f.local) }

// RemoteAddr is the peer's address, a *net.TCPAddr.
func (c *Conn) RemoteAddr() net.Addr { return tcpAddr(c.f.remote) }

// SetDeadline sets the date, on the clock of Host.Now, from which Read and Write fail with os.ErrDeadlineExceeded; the
// zero time: never. A call that it ends returns EAGAIN in the record, as POSIX has it of SO_RCVTIMEO and SO_SNDTIMEO,
// because of a timer of that name.
func (c *Conn) SetDeadline(t time.Time) error { return c.f.setDeadline(t, true, true) }

// SetReadDeadline is SetDeadline for Read alone.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.f.setDeadline(t, true, false) }

// SetWriteDeadline is SetDeadline for Write alone.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.f.setDeadline(t, false, true) }

// A Listener is a net.Listener on a socket of the sandbox. Close ends calls of Accept.
type Listener struct{ f *handle }

var _ net.Listener = (*Listener)(nil)

// Accept makes one accept(). The Conn is a *Conn.
func (l *Listener) Accept() (net.Conn, error) {
	f := l.f
	a := f.call(Call{Op: OpAccept}, nil)
	if err := a.fault("accept"); err != nil {
		return nil, f.wrap("accept", err)
	}
	return &Conn{&handle{s: f.s, h: f.h, network: f.network, fd: int(a.result), number: a.number, local: a.local, remote: a.remote}}, nil
}

// Close closes the descriptor.
func (l *Listener) Close() error { return l.f.close() }

// Addr is the address that is listened at, a *net.TCPAddr.
func (l *Listener) Addr() net.Addr { return tcpAddr(l.f.local) }

// SetDeadline is Conn.SetDeadline for Accept.
func (l *Listener) SetDeadline(t time.Time) error { return l.f.setDeadline(t, true, false) }
