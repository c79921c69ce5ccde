package handwritten

import (
	"net/netip"

	"connectlab/netns"
	"connectlab/trace"
)

var (
	_ netns.Reporter     = (*tcb)(nil)
	_ netns.UrgentSender = (*tcb)(nil)
)

// call starts a call; it answers ErrBadDescriptor when no descriptor names the socket.
func (c *tcb) call() error {
	if !c.described {
		return netns.ErrBadDescriptor
	}
	c.stack.begin()
	c.stack.touch(c)
	return nil
}

// failed returns the pending error, and clears it.
func (c *tcb) failed() error {
	err := c.pending
	if err == "" {
		return nil
	}
	c.pending = ""
	return err
}

// Bind gives the socket its own address and port; the unspecified address means the only one that there is, port 0 one that the
// stack picks.
func (c *tcb) Bind(local netip.AddrPort) error {
	if err := c.call(); err != nil {
		return err
	}
	s, address := c.stack, local.Addr().Unmap()
	switch {
	case c.isBound || c.opened || c.state != trace.Closed:
		return netns.ErrInvalid
	case !address.IsValid() || address.Is4() != s.own.Is4():
		return netns.ErrAddressFamily
	case !address.IsUnspecified() && address != s.own:
		return netns.ErrAddressNotOurs
	}
	port := local.Port()
	if port == 0 {
		if port = s.ephemeralPort(netip.AddrPort{}); port == 0 {
			return netns.ErrAddressInUse
		}
	}
	for _, other := range s.bound {
		if other.local.Port() == port && (!c.options.reuseAddress || !other.options.reuseAddress || other.state == trace.Listen) {
			return netns.ErrAddressInUse
		}
	}
	c.local, c.isBound = netip.AddrPortFrom(address, port), true
	s.bound = append(s.bound, c)
	return nil
}

// maxBacklog is the greatest backlog that is kept.
const maxBacklog = 1024

// Listen is the passive OPEN (Section 3.10.1). One connection more than the backlog can wait, as in BSD.
func (c *tcb) Listen(backlog int) error {
	if err := c.call(); err != nil {
		return err
	}
	if backlog < 0 || backlog > maxBacklog {
		backlog = maxBacklog
	}
	if c.state == trace.Listen {
		c.backlog = backlog
		return nil
	}
	s := c.stack
	switch {
	case c.opened:
		return netns.ErrInvalid
	case !c.isBound:
		port := s.ephemeralPort(netip.AddrPort{})
		if port == 0 {
			return netns.ErrAddressInUse
		}
		c.local, c.isBound = netip.AddrPortFrom(s.own, port), true
		s.bound = append(s.bound, c)
	case s.listeners[c.local.Port()] != nil:
		return netns.ErrAddressInUse
	}
	c.backlog = backlog
	c.state = trace.Listen
	s.listeners[c.local.Port()] = c
	return nil
}

// Accept hands out the connection that has waited longest.
func (c *tcb) Accept() (netns.Socket, error) {
	if err := c.call(); err != nil {
		return nil, err
	}
	if c.state != trace.Listen {
		return nil, netns.ErrInvalid
	}
	if len(c.queue) == 0 {
		return nil, netns.ErrWouldBlock
	}
	n := c.queue[0]
	n.leave()
	n.described, n.reported = true, true
	c.stack.touch(n)
	return n, nil
}

// Connect is the active OPEN (Section 3.10.1), and tells how it went when it is called again.
func (c *tcb) Connect(remote netip.AddrPort) error {
	if err := c.call(); err != nil {
		return err
	}
	switch {
	case c.opened && c.reported && c.state == trace.Closed:
		return netns.ErrAborted
	case c.opened && c.reported:
		return netns.ErrConnected
	case c.state == trace.SynSent || c.state == trace.SynReceived:
		return netns.ErrInProgress
	case c.opened:
		c.reported = true
		if err := c.failed(); err != nil || c.stood || c.finQueued {
			return err
		}
		return netns.ErrAborted // the error was told by another call
	}
	s, address := c.stack, remote.Addr().Unmap()
	switch {
	case c.state == trace.Listen:
		return netns.ErrUnsupported
	case !address.IsValid() || address.Is4() != s.own.Is4():
		return netns.ErrAddressFamily
	case !s.valid(address) || remote.Port() == 0: // MUST-46
		return netns.ErrNetUnreachable
	}
	remote = netip.AddrPortFrom(address, remote.Port())
	port := c.local.Port()
	if !c.isBound {
		port = s.ephemeralPort(remote)
	}
	if port == 0 || s.connections[tuple{remote, port}] != nil {
		return netns.ErrAddressInUse
	}
	local := netip.AddrPortFrom(s.own, port) // MUST-44
	c.begin(local, remote, s.initialSequenceNumber(local, remote))
	c.state = trace.SynSent
	c.sendSYN()
	c.arm(retransmission, c.rto)
	c.armUser()
	return netns.ErrInProgress
}

// Send is SEND (Section 3.10.2).
func (c *tcb) Send(data []byte) (int, error) { return c.take(data, false) }

// SendUrgent is SEND with the URGENT flag.
func (c *tcb) SendUrgent(data []byte) (int, error) { return c.take(data, true) }

func (c *tcb) take(data []byte, urgent bool) (int, error) {
	if err := c.call(); err != nil {
		return 0, err
	}
	if err := c.failed(); err != nil {
		return 0, err
	}
	switch c.state {
	case trace.SynSent, trace.SynReceived:
		if c.finQueued {
			return 0, netns.ErrPipe
		}
	case trace.Established, trace.CloseWait:
		if c.finQueued {
			return 0, netns.ErrPipe
		}
	default:
		if c.opened {
			return 0, netns.ErrPipe
		}
		return 0, netns.ErrNotConnected
	}
	n := c.sndBuf.write(data)
	if n == 0 && len(data) > 0 {
		return 0, netns.ErrWouldBlock
	}
	c.sndEnd = c.sndEnd.Add(uint32(n))
	if urgent && n > 0 {
		c.urgent, c.sndUp = true, c.sndEnd
	}
	c.send()
	return n, nil
}

// Receive is RECEIVE (Section 3.10.3).
func (c *tcb) Receive(buf []byte) (int, error) {
	if err := c.call(); err != nil {
		return 0, err
	}
	if c.rcvBuf.n > 0 {
		n := c.rcvBuf.read(buf)
		c.updateWindow()
		if c.rcvBuf.n == 0 && (c.state == trace.TimeWait || c.state == trace.Closed) {
			c.stack.release(&c.rcvBuf)
		}
		return n, nil
	}
	if err := c.failed(); err != nil {
		return 0, err
	}
	switch {
	case !c.opened:
		return 0, netns.ErrNotConnected
	case len(buf) == 0:
		return 0, nil
	case c.receives() && !c.noRead || c.state == trace.SynSent || c.state == trace.SynReceived:
		return 0, netns.ErrWouldBlock
	}
	return 0, nil // the end of data
}

// Shutdown closes one direction or both. That the application will not receive any more is known here only.
func (c *tcb) Shutdown(how netns.How) error {
	if err := c.call(); err != nil {
		return err
	}
	if !c.opened || c.state == trace.Closed || c.state == trace.SynSent || c.state == trace.Listen {
		return netns.ErrNotConnected
	}
	if how != netns.ShutWrite {
		c.noRead = true
	}
	if how != netns.ShutRead {
		c.close()
	}
	return nil
}

// close is CLOSE (Section 3.10.4): a FIN follows the data.
func (c *tcb) close() {
	if c.finQueued {
		return
	}
	switch c.state {
	case trace.SynReceived:
		c.finQueued = true
		if c.sndBuf.n > 0 {
			return // deferred until ESTABLISHED
		}
		c.startCongestion()
		c.state = trace.FinWait1
	case trace.Established:
		c.finQueued = true
		c.state = trace.FinWait1
	case trace.CloseWait:
		c.finQueued = true // LAST-ACK when the FIN goes out
	default:
		return
	}
	c.send()
}

// Close gives the socket up; the stack ends the connection by itself.
func (c *tcb) Close() error {
	if err := c.call(); err != nil {
		return err
	}
	c.described = false
	switch {
	case c.state == trace.Listen:
		c.stopListening()
	case c.state == trace.Closed:
		c.end("")
	case c.state == trace.SynSent:
		c.end("")
	case c.options.linger == 0, c.unread():
		c.abort("")
	case c.state == trace.TimeWait:
		c.free(true)
	default:
		c.close()
	}
	return nil
}

// unread tells whether data have come that nobody will read: then the peer is to know (Section 3.6.1, SHLD-3; RFC 2525, 2.17).
func (c *tcb) unread() bool {
	return (c.receives() || c.state == trace.CloseWait) && (c.rcvBuf.n > 0 || len(c.spans) > 0)
}

// stopListening is CLOSE in LISTEN (Section 3.10.4). Connections that were not accepted are aborted.
func (c *tcb) stopListening() {
	for len(c.children) > 0 {
		n := c.children[0]
		c.stack.touch(n)
		n.leave()
		n.abort("")
	}
	delete(c.stack.listeners, c.local.Port())
	c.state = trace.Closed
	c.unbind()
}

// Abort is ABORT.
func (c *tcb) Abort() error {
	if err := c.call(); err != nil {
		return err
	}
	c.described = false
	if c.state == trace.Listen {
		c.stopListening()
	} else {
		c.abort("")
	}
	return nil
}

// abort is ABORT (Section 3.10.5): where there is a connection the peer is told.
func (c *tcb) abort(err netns.Errno) {
	switch c.state {
	case trace.SynReceived, trace.Established, trace.FinWait1, trace.FinWait2, trace.CloseWait:
		g := segment{local: c.local, remote: c.remote, seq: c.sndNxt, ctl: trace.RST, options: options{shift: -1}}
		c.stack.transmit(&g, c.options.tos&^3, c.options.ttl, nil, nil, nil)
	default:
	}
	c.end(err)
	c.free(true)
}

// PendingError is SO_ERROR: what ended the connection, else what an ICMP message has told (MUST-47).
func (c *tcb) PendingError() error {
	if err := c.call(); err != nil {
		return err
	}
	if err := c.failed(); err != nil {
		return err
	}
	if err := c.softError; err != "" {
		c.softError = ""
		return err
	}
	return nil
}

// LocalAddr is the socket's own address.
func (c *tcb) LocalAddr() netip.AddrPort { return c.local }

// RemoteAddr is the peer's address.
func (c *tcb) RemoteAddr() netip.AddrPort { return c.remote }
