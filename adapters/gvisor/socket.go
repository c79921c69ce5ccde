package gvisor

import (
	"bytes"
	"net/netip"

	"connectlab/netns"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// A socket is a gVisor endpoint: one that the application made, or a connection that came to a listener.
type socket struct {
	host *netstack
	ep   *tcp.Endpoint
	seen uint64 // the sockets of a stack are numbered in the order in which they were first seen

	tuple     stack.TransportEndpointID // under which it is in table.byTuple
	stimulus  uint64                    // the stimulus that touched it last
	described bool                      // a descriptor names it
	gone      bool
	cookie    cookie

	// A connection that came to a listener waits there, in SYN-RECEIVED or for accept(). Those that wait are a list, in
	// the order in which they came.
	listener    *socket // stays when it has been accepted
	waiting     bool
	next, prev  *socket
	first, last *socket // of a listener

	payload bytes.Reader      // what Send gives gVisor to read
	room    tcpip.SliceWriter // where Receive lets gVisor write
	names   names
}

// A cookie is what the segment tells that made a connection from a SYN cookie; gVisor does not keep it.
type cookie struct{ iss, irs uint32 }

var (
	_ netns.Socket   = (*socket)(nil)
	_ netns.Reporter = (*socket)(nil)
)

// link puts child at the end of those that wait at listener w.
func (w *socket) link(child *socket) {
	child.listener, child.waiting, child.prev = w, true, w.last
	if w.last == nil {
		w.first = child
	} else {
		w.last.next = child
	}
	w.last = child
}

// unlink says that w waits no more.
func (w *socket) unlink() {
	if !w.waiting {
		return
	}
	w.waiting = false
	if w.prev == nil {
		w.listener.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		w.listener.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.next, w.prev = nil, nil
}

// closed tells whether the endpoint has come to an end: gVisor has no connection for it any more.
func (w *socket) closed() bool {
	state := w.ep.EndpointState()
	return state == tcp.StateClose || state == tcp.StateError
}

// isGone tells whether nothing will happen to the socket any more: it is closed, and nobody can name it. A connection
// that was reset while it waited for accept() can still be accepted.
func (w *socket) isGone() bool {
	return w.closed() && !w.described && !(w.waiting && fields.waitsForAccept(w.listener.ep, w.ep))
}

// call starts a call; it answers ErrBadDescriptor when no descriptor names the socket.
func (w *socket) call() error {
	if !w.described {
		return netns.ErrBadDescriptor
	}
	w.host.begin()
	w.host.touch(w)
	return nil
}

// Bind gives the socket its own address; the unspecified address means any, port 0 one that the stack picks.
func (w *socket) Bind(local netip.AddrPort) error {
	if err := w.call(); err != nil {
		return err
	}
	defer w.host.end()
	address, ok := w.host.fullAddress(local)
	if !ok {
		return netns.ErrAddressFamily
	}
	if local.Addr().IsUnspecified() {
		address.Addr = tcpip.Address{}
	}
	return asError(w.ep.Bind(address))
}

// maxBacklog is the greatest backlog that gVisor's listen() lets through.
const maxBacklog = 1024

// Listen makes the socket a listener. As gVisor's system call it lets one more connection wait than it is told, so
// that a backlog of 1 is not answered from SYN cookies; a negative backlog is a very great one, as in Linux.
func (w *socket) Listen(backlog int) error {
	if err := w.call(); err != nil {
		return err
	}
	defer w.host.end()
	if backlog < 0 || backlog > maxBacklog {
		backlog = maxBacklog
	}
	w.host.touchChildren(w)
	return asError(w.ep.Listen(backlog + 1))
}

// Accept hands out the connection that has waited longest.
func (w *socket) Accept() (netns.Socket, error) {
	if err := w.call(); err != nil {
		return nil, err
	}
	defer w.host.end()
	accepted, _, err := w.ep.Accept(nil)
	if err != nil {
		return nil, errno(err)
	}
	ep := accepted.(*tcp.Endpoint)
	child := w.host.sockets.byEndpoint[ep]
	if child == nil {
		child = w.host.adoptChild(ep)
	}
	child.unlink()
	child.described = true
	w.host.touch(child)
	return child, nil
}

// Connect begins to connect, or tells how it went.
func (w *socket) Connect(remote netip.AddrPort) error {
	if err := w.call(); err != nil {
		return err
	}
	defer w.host.end()
	address, ok := w.host.fullAddress(remote)
	if !ok {
		return netns.ErrAddressFamily
	}
	err := w.ep.Connect(address)
	switch err.(type) {
	case *tcpip.ErrConnectStarted:
		// Who had the four-tuple in TIME-WAIT may have been closed for it.
		if before := w.host.sockets.hold(w); before != nil {
			w.host.touch(before)
		}
		return netns.ErrInProgress
	case *tcpip.ErrAlreadyConnecting:
		return netns.ErrInProgress
	}
	// As in gVisor's system call, an error stays behind in SO_ERROR.
	return asError(err)
}

// Send gives the stack as much of data as it takes.
func (w *socket) Send(data []byte) (int, error) {
	if err := w.call(); err != nil {
		return 0, err
	}
	defer w.host.end()
	w.payload.Reset(data)
	// Atomic keeps the endpoint locked while it copies; without it gVisor lets go, in case data were slow to read.
	n, err := w.ep.Write(&w.payload, tcpip.WriteOptions{Atomic: true})
	w.payload.Reset(nil)
	return int(n), asError(err)
}

// Receive fills buf with what has arrived.
func (w *socket) Receive(buf []byte) (int, error) {
	if err := w.call(); err != nil {
		return 0, err
	}
	defer w.host.end()
	if len(buf) == 0 {
		return 0, nil
	}
	w.room = buf
	result, err := w.ep.Read(&w.room, tcpip.ReadOptions{})
	w.room = nil
	switch err.(type) {
	case nil:
	case *tcpip.ErrClosedForReceive:
		return 0, nil
	default:
		return 0, errno(err)
	}
	if result.Count > 0 {
		w.ep.ModerateRecvBuf(result.Count)
	}
	return result.Count, nil
}

// Shutdown closes one direction or both.
func (w *socket) Shutdown(how netns.How) error {
	if err := w.call(); err != nil {
		return err
	}
	defer w.host.end()
	w.host.touchChildren(w)
	flags := [...]tcpip.ShutdownFlags{
		netns.ShutRead: tcpip.ShutdownRead, netns.ShutWrite: tcpip.ShutdownWrite, netns.ShutBoth: tcpip.ShutdownRead | tcpip.ShutdownWrite,
	}
	return asError(w.ep.Shutdown(flags[how]))
}

// Close gives the socket up. gVisor's system call would wait here if SO_LINGER told it to.
func (w *socket) Close() error {
	if err := w.call(); err != nil {
		return err
	}
	defer w.host.end()
	w.host.touchChildren(w)
	w.described = false
	w.ep.Close()
	return nil
}

// Abort ends the connection at once.
func (w *socket) Abort() error {
	if err := w.call(); err != nil {
		return err
	}
	defer w.host.end()
	w.host.touchChildren(w)
	w.described = false
	switch w.ep.EndpointState() {
	case tcp.StateClosing, tcp.StateLastAck, tcp.StateTimeWait:
		// RFC 9293, Section 3.10.5: these just end. gVisor has no way to end them that sends nothing: this sends a RST.
		w.ep.Abort()
	default:
		// And in the other states with a connection a RST is sent. Close without lingering is what sends it in just these.
		w.ep.SocketOptions().SetLinger(tcpip.LingerOption{Enabled: true})
		w.ep.Close()
	}
	return nil
}

// PendingError is SO_ERROR.
func (w *socket) PendingError() error {
	if err := w.call(); err != nil {
		return err
	}
	defer w.host.end()
	return asError(w.ep.LastError())
}

// LocalAddr is the socket's own address, unspecified as long as any will do.
func (w *socket) LocalAddr() netip.AddrPort {
	id := &w.ep.TransportEndpointInfo.ID
	if id.LocalPort == 0 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(w.host.addrOf(id.LocalAddress), id.LocalPort)
}

// RemoteAddr is the peer's address.
func (w *socket) RemoteAddr() netip.AddrPort {
	id := &w.ep.TransportEndpointInfo.ID
	if id.RemoteAddress.Len() == 0 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(w.host.addrOf(id.RemoteAddress), id.RemotePort)
}

// Option reads an option.
func (w *socket) Option(option netns.Option) (int, error) {
	if err := w.call(); err != nil {
		return 0, err
	}
	defer w.host.end()
	return w.option(option)
}

// SetOption sets an option, within the bounds that gVisor's system calls set.
func (w *socket) SetOption(option netns.Option, value int) error {
	if err := w.call(); err != nil {
		return err
	}
	defer w.host.end()
	return w.setOption(option, value)
}

// addressOf is an address as gVisor has it.
func addressOf(a netip.Addr) tcpip.Address {
	if a.Is4() {
		return tcpip.AddrFrom4(a.As4())
	}
	return tcpip.AddrFrom16(a.As16())
}

// addrOf is gVisor's address as others have it; none is the unspecified one.
func (s *netstack) addrOf(a tcpip.Address) netip.Addr {
	if addr, ok := netip.AddrFromSlice(a.AsSlice()); ok {
		return addr
	}
	if s.family == netns.IPv4 {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// fullAddress is an address and a port as gVisor has them; ok is false when the stack does not speak that family.
func (s *netstack) fullAddress(a netip.AddrPort) (_ tcpip.FullAddress, ok bool) {
	addr := a.Addr().Unmap()
	if !addr.IsValid() || addr.Is4() != (s.family == netns.IPv4) {
		return tcpip.FullAddress{}, false
	}
	return tcpip.FullAddress{Addr: addressOf(addr), Port: a.Port()}, true
}
