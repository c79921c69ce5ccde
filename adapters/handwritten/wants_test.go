package handwritten_test

import (
	"errors"
	"time"

	"connectlab/netns"
	"connectlab/trace"
)

// wantAfter looks, by what the stack answers on the wire, whether the connection still stands with all its numbers, or does no more.
func (p *peer) wantAfter(state trace.State) {
	p.Helper()
	p.mark()
	switch state {
	case trace.Closed:
		p.wantNoConnection()
	case trace.Listen:
		p.wantListener()
	case trace.SynSent:
		p.synAck()
		p.wantState("when the peer's SYN,ACK had come", trace.Established)
	case trace.SynReceived:
		p.wantStands(state)
		p.segment(trace.ACK, p.rcv, p.nxt, "")
		p.wantState("when the ACK of its SYN had come", trace.Established)
	default:
		p.wantStands(state)
	}
}

// wantStands: an old segment draws an ACK with both of the connection's numbers, and changes nothing.
func (p *peer) wantStands(state trace.State) {
	p.Helper()
	p.pass(time.Second / 2) // an ACK that is still owed goes out
	p.mark()
	p.segment(trace.ACK, p.rcv-1, p.una, "")
	if len(p.sent) != 1 || p.sent[0].TCP.Flags != trace.ACK || p.sent[0].TCP.Seq != p.nxt || p.sent[0].TCP.Ack != p.rcv {
		p.Errorf("afterwards an old segment drew %s, want <CTL=ACK><SEQ=%d><ACK=%d>", describe(p.sent), p.nxt, p.rcv)
	}
	p.wantState("after an old segment", state)
}

// wantNoConnection: the stack is silent for ever, and resets what comes for the connection.
func (p *peer) wantNoConnection() {
	p.Helper()
	p.pass(time.Hour)
	if len(p.sent) > 0 {
		p.Errorf("afterwards the stack sent %s, want nothing: there is no connection", describe(p.sent))
	}
	p.mark()
	p.segment(trace.ACK, p.rcv, p.nxt, "")
	if len(p.sent) != 1 || p.sent[0].TCP.Flags != trace.RST || p.sent[0].TCP.Seq != p.nxt {
		p.Errorf("afterwards an ACK drew %s, want <CTL=RST><SEQ=%d>", describe(p.sent), p.nxt)
	}
	if r, ok := p.sock.(netns.Reporter); ok && p.closed && !r.Status().Gone {
		p.Errorf("afterwards the socket that was given up is not gone")
	}
}

// wantListener: the listener, which the peer's own connection is no more in the way of, takes new ones.
func (p *peer) wantListener() {
	p.Helper()
	if state := stateOf(p.listener); state != trace.Listen && state != trace.NotObserved {
		p.Errorf("the listener is in %v, want LISTEN", state)
	}
	p.pass(time.Minute)
	if len(p.sent) > 0 {
		p.Errorf("afterwards the stack sent %s, want nothing: there is no connection", describe(p.sent))
	}
	p.mark()
	p.segment(trace.ACK, p.rcv, p.nxt, "")
	if len(p.sent) != 1 || p.sent[0].TCP.Flags != trace.RST || p.sent[0].TCP.Seq != p.nxt {
		p.Errorf("afterwards an ACK drew %s, want <CTL=RST><SEQ=%d>", describe(p.sent), p.nxt)
	}
	p.mark()
	p.sock, p.irs, p.issKnown = nil, p.irs.Add(100_000), false
	p.syn()
	p.ack()
	p.accept()
	p.wantState("when a new connection had come", trace.Established)
}

// sendFails calls send, and wants one of some errors.
func sendFails(want ...error) func(*peer) {
	return func(p *peer) {
		n, err := p.sock.Send([]byte("hello"))
		if p.wantError("send", err, want...); n != 0 {
			p.Errorf("send took %d octets, want none", n)
		}
		p.take()
	}
}

// receiveFails calls receive, and wants one of some errors; nil: the end of the peer's data.
func receiveFails(want ...error) func(*peer) {
	return func(p *peer) {
		n, err := p.sock.Receive(make([]byte, 100))
		if p.wantError("receive", err, want...); n != 0 {
			p.Errorf("receive gave %d octets, want none", n)
		}
		p.take()
	}
}

// wantError holds a call's error against those that it may be.
func (p *peer) wantError(call string, got error, want ...error) {
	p.Helper()
	for _, w := range want {
		if errors.Is(got, w) || got == nil && w == nil {
			return
		}
	}
	p.Errorf("%s returned error %v, want one of %v", call, got, want)
}

// wantTaking: the listener takes a connection.
func (p *peer) wantTaking() {
	p.Helper()
	p.mark()
	p.syn()
	p.ack()
	p.accept()
	p.wantState("when a connection had come", trace.Established)
}

// wantNotAccepted: the connection does not wait for accept.
func (p *peer) wantNotAccepted() {
	p.Helper()
	if s, err := p.listener.Accept(); !errors.Is(err, netns.ErrWouldBlock) {
		p.Errorf("accept gave %v, error %v, want %v before the ACK of the SYN", s, err, netns.ErrWouldBlock)
	}
}

// wantReceived: the program receives just that.
func (p *peer) wantReceived(want string) {
	p.Helper()
	buf := make([]byte, 1000)
	n, err := p.sock.Receive(buf)
	if string(buf[:n]) != want || err != nil {
		p.Errorf("received %q, error %v, want %q", buf[:n], err, want)
	}
	p.take()
}

// wantEnd: the program is told that the peer has closed.
func (p *peer) wantEnd() {
	p.Helper()
	receiveFails(nil)(p)
}

// wantNothing: there is nothing to receive, and no end of it.
func (p *peer) wantNothing() {
	p.Helper()
	receiveFails(netns.ErrWouldBlock)(p)
}

// wantConnected: accept or connect comes back.
func (p *peer) wantConnected() {
	p.Helper()
	if p.listener != nil {
		p.accept()
		return
	}
	p.connected()
}

// wantConnect: connect comes back with an error.
func wantConnect(want ...error) func(*peer) {
	return func(p *peer) {
		p.Helper()
		p.wantError("connect", p.sock.Connect(p.other), want...)
	}
}

// wantNames: the socket tells the names of both its ends.
func (p *peer) wantNames() {
	p.Helper()
	if a, b := p.sock.LocalAddr(), p.sock.RemoteAddr(); a != p.host || b != p.other {
		p.Errorf("the socket is from %v to %v, want from %v to %v", a, b, p.host, p.other)
	}
}
