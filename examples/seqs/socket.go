package main

import (
	"net/netip"
	"slices"

	"connectlab/netns"
	"connectlab/trace"

	"github.com/soypat/seqs"
	"github.com/soypat/seqs/stacks"
)

// A socket is a listener, which is the adapter's alone, or a connection of seqs.
type socket struct {
	netns.Unsupported
	stack         *stack
	local, remote netip.AddrPort
	orphan        bool // no descriptor names it, and none will

	// Of a listener.
	listening bool
	backlog   int
	half      []*socket // in SYN-RECEIVED
	queue     []*socket // established, and not accepted

	// Of a connection.
	ports    *stacks.PortStack // nil: none yet
	conn     *stacks.TCPConn
	listener *socket // that it came to
	unsent   int     // octets in its send buffer
	err      error   // what ended it
	told     bool    // connect has told how it ended
}

// bufferSize is what a TCPConn has each way by default.
const bufferSize = 2048

func (k *socket) LocalAddr() netip.AddrPort  { return k.local }
func (k *socket) RemoteAddr() netip.AddrPort { return k.remote }

func (k *socket) Bind(local netip.AddrPort) error {
	own := k.stack.env.Address.Addr()
	if addr := local.Addr(); addr != own && !addr.IsUnspecified() {
		return netns.ErrAddressNotOurs
	}
	k.bind(local.Port())
	return nil
}

// bind gives k its local name; port 0: an ephemeral one, the next each time.
func (k *socket) bind(port uint16) {
	s := k.stack
	if port == 0 {
		s.nextPort++
		port = s.nextPort
	}
	k.local = netip.AddrPortFrom(s.env.Address.Addr(), port)
	s.touch(k)
}

func (k *socket) Listen(backlog int) error {
	if !k.local.IsValid() || k.remote.IsValid() {
		return netns.ErrInvalid
	}
	k.listening, k.backlog = true, backlog
	k.stack.listeners = append(k.stack.listeners, k)
	k.stack.touch(k)
	return nil
}

// child makes the connection for a SYN that came to the listener k.
func (k *socket) child(at pair) *socket {
	c := &socket{stack: k.stack, local: at.local, remote: at.remote, listener: k, orphan: true}
	if c.open() != nil || c.conn.OpenListenTCP(at.local.Port(), k.stack.iss()) != nil {
		return nil
	}
	k.half = append(k.half, c)
	k.stack.touch(k)
	return c
}

// open gives a connection its PortStack and its TCPConn.
func (k *socket) open() (err error) {
	k.ports = k.stack.newPortStack()
	if k.conn, err = stacks.NewTCPConn(k.ports, stacks.TCPConnConfig{}); err != nil {
		return err
	}
	k.stack.conns[pair{k.local, k.remote}] = k
	k.stack.touch(k)
	return nil
}

func (k *socket) Accept() (netns.Socket, error) {
	switch {
	case !k.listening:
		return nil, netns.ErrInvalid
	case len(k.queue) == 0:
		return nil, netns.ErrWouldBlock
	}
	c := k.queue[0]
	c.orphan = false
	k.queue = k.queue[1:]
	k.stack.touch(k)
	return c, nil
}

func (k *socket) Connect(remote netip.AddrPort) error {
	switch {
	case k.listening || k.told:
		return netns.ErrInvalid
	case !k.remote.IsValid():
		if !k.local.IsValid() {
			k.bind(0)
		}
		k.remote = remote
		k.stack.connect(k)
	case k.err != nil:
		k.told = true
		if k.conn != nil {
			k.release()
		}
		return k.err
	case k.conn != nil && k.conn.State().IsSynchronized():
		k.told = true
		return nil
	}
	return netns.ErrInProgress
}

// connect has k send its SYN as soon as its peer's MAC address is known.
func (s *stack) connect(k *socket) {
	s.touch(k)
	mac, known := s.macs[k.remote.Addr()]
	switch {
	case s.env.Link == trace.LinkIP:
		k.dial(s.peer)
	case known:
		k.dial(mac)
	default:
		s.resolving = append(s.resolving, k)
		if err := s.ports.ARP().BeginResolve(k.remote.Addr()); err != nil {
			k.err = netns.ErrHostUnreachable
		}
	}
}

func (k *socket) dial(mac [6]byte) {
	if k.open() != nil || k.conn.OpenDialTCP(k.local.Port(), mac, k.remote, k.stack.iss()) != nil {
		k.err = netns.ErrNoBuffer
	}
}

// arrives takes a frame for the connection. TCPConn forgets why it has ended, so that is told by its states.
func (k *socket) arrives(frame []byte) {
	k.stack.touch(k)
	before := k.conn.State()
	_ = k.ports.RecvEth(frame) // it tells of what it throws away, as hosts do all the time
	switch after := k.conn.State(); {
	case before == seqs.StateSynSent && (after == seqs.StateListen || after == seqs.StateClosed):
		k.err = netns.ErrRefused
	case before == seqs.StateSynRcvd && after == seqs.StateListen && k.listener != nil:
		k.release() // its listener goes on listening
	case before.IsSynchronized() && before != seqs.StateLastAck && after == seqs.StateClosed:
		k.err = netns.ErrReset
	}
}

// settled follows up what has become of the connection.
func (k *socket) settled() {
	if l := k.listener; l != nil && k.conn.State().IsSynchronized() {
		if i := slices.Index(l.half, k); i >= 0 {
			l.half = slices.Delete(l.half, i, i+1)
			l.queue = append(l.queue, k)
			k.stack.touch(l)
		}
	}
	if k.conn.State() == seqs.StateClosed {
		k.release()
	}
}

// release ends seqs' connection without a segment, if it has not ended, and lets its addresses go.
func (k *socket) release() {
	_ = k.ports.CloseTCP(k.local.Port()) // an error: it has ended
	if at := (pair{k.local, k.remote}); k.stack.conns[at] == k {
		delete(k.stack.conns, at)
	}
	if l := k.listener; l != nil {
		l.half = slices.DeleteFunc(l.half, func(c *socket) bool { return c == k })
		k.stack.touch(l)
	}
	k.stack.touch(k)
}

func (k *socket) Send(data []byte) (int, error) {
	switch {
	case k.err != nil:
		return 0, k.err
	case k.conn == nil || k.conn.State().IsPreestablished():
		return 0, netns.ErrNotConnected
	}
	n := min(len(data), bufferSize-k.unsent)
	if n == 0 && len(data) > 0 {
		return 0, netns.ErrWouldBlock
	}
	if _, err := k.conn.Write(data[:n]); err != nil { // it does not block, as there is room
		return 0, netns.ErrPipe
	}
	k.unsent += n
	k.stack.touch(k)
	return n, nil
}

func (k *socket) Receive(buf []byte) (int, error) {
	switch {
	case k.err != nil:
		return 0, k.err
	case k.conn == nil:
		return 0, netns.ErrNotConnected
	case k.conn.BufferedInput() > 0:
		n, err := k.conn.Read(buf) // it does not block, as there is something
		if err != nil {
			return 0, netns.ErrOther // it hands out nothing after a FIN
		}
		k.stack.touch(k)
		return n, nil
	case k.conn.State().IsPreestablished() || k.conn.State() == seqs.StateEstablished:
		return 0, netns.ErrWouldBlock
	}
	return 0, nil
}

func (k *socket) Close() error {
	k.orphan = true
	s := k.stack
	s.touch(k)
	same := func(other *socket) bool { return other == k }
	s.resolving = slices.DeleteFunc(s.resolving, same)
	s.listeners = slices.DeleteFunc(s.listeners, same)
	for _, c := range slices.Concat(k.half, k.queue) {
		c.release()
	}
	k.half, k.queue, k.listening = nil, nil, false
	if k.conn == nil {
		return nil
	}
	switch k.conn.State() {
	case seqs.StateListen, seqs.StateSynSent:
		k.release()
	case seqs.StateSynRcvd, seqs.StateEstablished:
		if k.conn.Close() != nil {
			k.release()
		}
	default: // its FIN is on its way: it did not wait for this call
	}
	return nil
}
