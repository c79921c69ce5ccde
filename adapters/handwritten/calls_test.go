package handwritten_test

import (
	"errors"
	"net/netip"
	"time"

	"connectlab/netns"
	"connectlab/trace"
)

// What each call may return is known from what the program did before, from the state, and from what ended the connection.

// family is that of the world.
func (h *host) family() netns.Family {
	if h.address.Is6() {
		return netns.IPv6
	}
	return netns.IPv4
}

func (h *host) socket() *end {
	s, err := h.stack.Socket(h.family())
	if err != nil {
		h.w.fatalf("socket: %v", err)
	}
	h.w.note("host %d: socket", h.index)
	h.look(byCall)
	e := h.of[s]
	if e == nil {
		h.w.fatalf("a new socket was not touched")
	}
	e.held = true
	if h.w.buffer > 0 {
		e.setOption(netns.SendBuffer, h.w.buffer)
		e.setOption(netns.ReceiveBuffer, h.w.buffer)
	}
	return e
}

// returned is what a call gave, held against what it may give.
func (e *end) returned(call string, got error, want ...error) {
	e.h.w.note("%v: %s: %v", e, call, got)
	ok := false
	for _, w := range want {
		ok = ok || errors.Is(got, w) && (w != nil || got == nil)
	}
	if !ok {
		e.h.w.fatalf("%s of %v returned %v, want one of %v", call, e, got, want)
	}
	e.h.look(byCall)
}

// tell is the pending error, which is told once.
func (e *end) tell() error {
	err := e.pending
	e.pending = nil
	return err
}

func (e *end) bind(port uint16) {
	want := error(nil)
	switch {
	case e.opened || e.port != 0 || e.state != trace.Closed:
		want = netns.ErrInvalid
	default:
		for _, o := range e.h.ends {
			if o.port == port && (!o.reuse || !e.reuse || o.state == trace.Listen) {
				want = netns.ErrAddressInUse
			}
		}
	}
	err := e.socket.Bind(netip.AddrPortFrom(e.h.address, port))
	if err == nil {
		e.port = port
	}
	e.returned("bind", err, want)
}

func (e *end) listen(backlog int) {
	want := error(nil)
	switch {
	case e.state == trace.Listen:
	case e.opened:
		want = netns.ErrInvalid
	default:
		for _, o := range e.h.ends {
			if e.port != 0 && o.port == e.port && o.state == trace.Listen {
				want = netns.ErrAddressInUse
			}
		}
	}
	err := e.socket.Listen(backlog)
	if err == nil {
		e.port = e.socket.LocalAddr().Port()
	}
	e.returned("listen", err, want)
}

// accept takes the connection that has waited longest.
func (e *end) accept() *end {
	want := error(nil)
	switch {
	case e.state != trace.Listen:
		want = netns.ErrInvalid
	case len(e.waiting) == 0:
		want = netns.ErrWouldBlock
	}
	s, err := e.socket.Accept()
	var n *end
	if err == nil {
		if n = e.h.of[s]; n == nil || want == nil && n != e.waiting[0] {
			e.h.w.fatalf("accept gave %v, want %v", n, e.waiting)
		}
		n.held = true
		e.waiting = remove(e.waiting, n)
	}
	e.returned("accept", err, want)
	return n
}

func (e *end) connect(port uint16) {
	var want []error
	switch {
	case e.opened && e.told && e.state == trace.Closed:
		want = []error{netns.ErrAborted}
	case e.opened && e.told:
		want = []error{netns.ErrConnected}
	case e.state == trace.SynSent || e.state == trace.SynReceived:
		want = []error{netns.ErrInProgress}
	case e.opened:
		e.told = true
		if want = []error{e.tell()}; want[0] == nil && !e.stood {
			want = []error{netns.ErrAborted} // another call has told why
		}
	case e.state == trace.Listen:
		want = []error{netns.ErrUnsupported}
	default:
		want = []error{netns.ErrInProgress, netns.ErrAddressInUse}
	}
	err := e.socket.Connect(netip.AddrPortFrom(e.h.other.address, port))
	if errors.Is(err, netns.ErrInProgress) {
		e.opened = true
	}
	e.returned("connect", err, want...)
}

// send gives the stack so many octets of the stream.
func (e *end) send(n int, urgent bool) {
	var want []error
	switch {
	case e.pending != nil:
		want = []error{e.tell()}
	case e.noSend && e.opened:
		want = []error{netns.ErrPipe}
	case e.state == trace.SynSent, e.state == trace.SynReceived, e.state == trace.Established, e.state == trace.CloseWait:
		want = []error{nil}
		var info trace.ControlInfo
		e.socket.Report(&info)
		if info.Value(trace.SendBufferUsed).Num == e.limit {
			want = []error{netns.ErrWouldBlock}
		}
	case e.opened:
		want = []error{netns.ErrPipe}
	default:
		want = []error{netns.ErrNotConnected}
	}
	data := e.h.w.octets(n)
	for i := range data {
		data[i] = octet(e.iss, uint32(e.sent+i))
	}
	took, call := 0, e.socket.Send
	if urgent {
		call = e.socket.(netns.UrgentSender).SendUrgent
	}
	took, err := call(data)
	if took < 0 || took > n || err == nil && took == 0 || err != nil && took != 0 {
		e.h.w.fatalf("send of %d octets on %v took %d, error %v", n, e, took, err)
	}
	e.sent += took
	e.returned("send", err, want...)
}

// receive reads up to n octets, holds them against the stream, and tells how many there were.
func (e *end) receive(n int) int {
	var info trace.ControlInfo
	e.socket.Report(&info)
	var want []error
	there := int(info.Value(trace.ReceiveBufferUsed).Num)
	wantN := min(n, there)
	end := false
	switch {
	case there > 0:
		want = []error{nil}
	case e.pending != nil:
		want = []error{e.tell()}
	case !e.opened:
		want = []error{netns.ErrNotConnected}
	case !e.noRead && (e.state == trace.Established || e.state == trace.FinWait1 || e.state == trace.FinWait2):
		want = []error{netns.ErrWouldBlock}
	case e.state == trace.SynSent || e.state == trace.SynReceived:
		want = []error{netns.ErrWouldBlock}
	default:
		want = []error{nil}
		end = true
	}
	buf := e.h.w.octets(n)
	got, err := e.socket.Receive(buf)
	if got != wantN {
		e.h.w.fatalf("receive on %v gave %d octets, want %d (error %v)", e, got, wantN, err)
	}
	e.got(buf[:got])
	if end && err == nil && !e.noRead && !e.failed {
		e.ends()
	}
	e.returned("receive", err, want...)
	return got
}

// receiveAll reads all that there is.
func (e *end) receiveAll() {
	for e.state >= trace.Established && !e.eof && e.readable() && e.receive(10_000) > 0 {
	}
}

// readable tells whether there is something new for a program that reads.
func (e *end) readable() bool {
	if e.state != trace.Established && e.state != trace.FinWait1 && e.state != trace.FinWait2 {
		return true
	}
	var info trace.ControlInfo
	e.socket.Report(&info)
	return info.Value(trace.ReceiveBufferUsed).Num > 0
}

// got says that octets which a program got are those that the peer's program has sent, or that somebody has forged, at their place.
func (e *end) got(data []byte) {
	first := e.irs.Add(1).Add(uint32(e.received))
	for i, have := range data {
		if n := first.Add(uint32(i)); !e.wasSent(n, have) && !e.h.w.wasForged(e, n, have) {
			e.h.w.fatalf("%v got the octet %#x at %d, which was not sent; its peer: %v", e, have, e.received+i, e.partner())
		}
	}
	e.received += len(data)
}

// wasSent tells whether the other host's program has sent the octet at a number. A forged SYN can have made the number's place in the
// stream another one.
func (e *end) wasSent(n trace.Seq, have byte) bool {
	for _, p := range e.h.other.ends {
		if at := n.Sub(p.iss.Add(1)); e.names(p) && (p.iss == e.irs || e.h.w.forged != nil) && int64(at) < int64(p.sent) && have == octet(p.iss, at) {
			return true
		}
	}
	return false
}

// ends is the end of data: the peer's program has closed, and all that it sent was received.
func (e *end) ends() {
	e.eof = true
	for _, p := range e.h.other.ends {
		if e.names(p) && p.noSend && p.iss.Add(uint32(p.sent)) == e.irs.Add(uint32(e.received)) {
			return
		}
	}
	if !e.h.w.finForged(e) {
		e.h.w.fatalf("%v got the end of data; its peer, which has not closed, or has sent more: %v", e, e.partner())
	}
}

func (e *end) shutdown(how netns.How) {
	want := error(nil)
	if !e.opened || e.state == trace.Closed || e.state == trace.SynSent || e.state == trace.Listen {
		want = netns.ErrNotConnected
	} else {
		e.noRead = e.noRead || how != netns.ShutWrite
		e.noSend = e.noSend || how != netns.ShutRead
	}
	e.returned("shutdown", e.socket.Shutdown(how), want)
}

// close gives the socket up, by CLOSE or by ABORT; no call knows it any more.
func (e *end) close(abort bool) {
	e.held, e.noSend = false, true
	if e.state == trace.Listen {
		e.port, e.waiting = 0, nil
	}
	if e.state == trace.Closed {
		e.port = 0
	}
	call, name := e.socket.Close, "close"
	if abort {
		call, name = e.socket.Abort, "abort"
	}
	e.returned(name, call(), nil)
	if _, err := e.socket.Send([]byte{1}); !errors.Is(err, netns.ErrBadDescriptor) {
		e.h.w.fatalf("send on %v, which was closed, returned %v", e, err)
	}
}

func (e *end) setOption(o netns.Option, value int) {
	e.returned("setsockopt", e.socket.SetOption(o, value), nil)
	if o == netns.ReuseAddress {
		e.reuse = value != 0
	}
	e.impatient = e.impatient || o == netns.UserTimeout
}

func (e *end) pendingError() {
	want := e.tell()
	e.returned("SO_ERROR", e.socket.PendingError(), want)
}

// choose gives a number from 0 up to, not including, n.
type choose func(n int) int

// An action is something that happens in a world.
type action struct {
	name string
	much int // how often, beside others
	do   func(w *world, c choose)
}

// ports are the few that programs use, so that they meet.
const ports = 3

// some is one of the sockets that a descriptor names, for which ok is true; nil: there is none.
func (w *world) some(c choose, ok func(*end) bool) *end {
	var list []*end
	for _, h := range w.hosts {
		for _, e := range h.ends {
			if e.held && ok(e) {
				list = append(list, e)
			}
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[c(len(list))]
}

func anyOf(*end) bool { return true }

// with does something with a socket of some kind, if there is one.
func with(ok func(*end) bool, do func(e *end, c choose)) func(*world, choose) {
	return func(w *world, c choose) {
		if e := w.some(c, ok); e != nil {
			do(e, c)
		}
	}
}

func isOpen(e *end) bool   { return e.opened }
func isPair(e *end) bool   { p := e.partner(); return e.agree(p) && p.held }
func isFresh(e *end) bool  { return !e.opened && e.state == trace.Closed }
func listens(e *end) bool  { return e.state == trace.Listen }
func connects(e *end) bool { return e.opened && !e.told }

// wires does something with a packet that is under way.
func wires(do func(h *host, i int)) func(*world, choose) {
	return func(w *world, c choose) {
		n := len(w.hosts[0].wire) + len(w.hosts[1].wire)
		if n == 0 {
			return
		}
		if i := c(n); i < len(w.hosts[0].wire) {
			do(w.hosts[0], i)
		} else {
			do(w.hosts[1], i-len(w.hosts[0].wire))
		}
	}
}

// maxSockets is how many sockets a host's programs make.
const maxSockets = 6

// actions are all that can happen.
var actions = []action{
	{"socket", 2, func(w *world, c choose) {
		if h := w.hosts[c(2)]; len(h.ends) < maxSockets {
			h.socket()
		}
	}},
	{"bind", 2, with(isFresh, func(e *end, c choose) { e.bind(uint16(1 + c(ports))) })},
	{"bind any", 1, with(anyOf, func(e *end, c choose) { e.bind(uint16(1 + c(ports))) })},
	{"listen", 2, with(isFresh, func(e *end, c choose) { e.listen(c(3)) })},
	{"listen any", 1, with(anyOf, func(e *end, c choose) { e.listen(c(3)) })},
	{"accept", 3, with(listens, func(e *end, c choose) { e.accept() })},
	{"connect", 3, with(isFresh, func(e *end, c choose) { e.connect(uint16(1 + c(ports))) })},
	{"connect again", 2, with(connects, func(e *end, c choose) { e.connect(uint16(1 + c(ports))) })},
	{"connect any", 1, with(anyOf, func(e *end, c choose) { e.connect(uint16(1 + c(ports))) })},
	{"serve", 3, (*world).serve},
	{"send", 8, with(isOpen, func(e *end, c choose) { e.send(size(c), false) })},
	{"send any", 1, with(anyOf, func(e *end, c choose) { e.send(size(c), c(2) == 0) })},
	{"urgent", 1, with(isOpen, func(e *end, c choose) { e.send(size(c), true) })},
	{"exchange", 3, with(isPair, func(e *end, c choose) { // much, both ways
		for range 1 + c(4) {
			e.send(4000, false)
			e.partner().send(4000, false)
		}
	})},
	{"closed window", 2, with(isPair, func(e *end, c choose) { // and what opens it is lost
		p := e.partner()
		for range 2 + c(4) {
			e.send(4000, false)
			e.h.w.deliverAll(10)
			e.h.w.timer(e.h.w.now + time.Second)
		}
		e.h.w.deliverAll(20)
		if p.held && c(4) != 0 {
			p.receiveAll()
			p.h.wire = nil
		}
	})},
	{"receive", 6, with(isOpen, func(e *end, c choose) { e.receive(size(c)) })},
	{"receive any", 1, with(anyOf, func(e *end, c choose) { e.receive(size(c)) })},
	{"shutdown", 1, with(isOpen, func(e *end, c choose) { e.shutdown(netns.How(c(3))) })},
	{"close", 1, with(anyOf, func(e *end, c choose) { e.close(false) })},
	{"receive all and close", 1, with(isOpen, func(e *end, c choose) { e.receiveAll(); e.close(false) })},
	{"abort", 1, with(func(e *end) bool { return e.number%3 == 0 }, func(e *end, c choose) { e.close(true) })},
	{"error", 1, with(anyOf, func(e *end, c choose) { e.pendingError() })},
	{"option", 2, with(anyOf, func(e *end, c choose) {
		o := []struct {
			option netns.Option
			values []int
		}{
			{netns.NoDelay, []int{0, 1}}, {netns.SendBuffer, []int{0, 1500, 5000}}, {netns.ReceiveBuffer, []int{0, 1, 1500, 4000, 200_000}},
			{netns.ReuseAddress, []int{1, 0}}, {netns.KeepIdle, []int{1, 100}}, {netns.KeepAlive, []int{1, 0}}, {netns.Linger, []int{-1, 1, 0}},
			{netns.MaxSegment, []int{88, 536, 9000}}, {netns.UserTimeout, []int{0, 100, 60_000}}, {netns.TOS, []int{0, 255}},
		}[c(10)]
		e.setOption(o.option, o.values[c(len(o.values))])
	})},
	{"deliver in order", 30, wires(func(h *host, i int) { h.deliver(0) })},
	{"deliver overtaking", 5, wires(func(h *host, i int) { h.deliver(i) })},
	{"lose", 2, wires(func(h *host, i int) { h.wire = append(h.wire[:i], h.wire[i+1:]...) })},
	{"lose all", 1, func(w *world, c choose) { w.hosts[c(2)].wire = nil }},
	{"receive all", 2, with(isOpen, func(e *end, c choose) { e.receiveAll() })},
	{"double", 2, wires(func(h *host, i int) { h.wire = append(h.wire, h.wire[i]) })},
	{"deliver all", 3, func(w *world, c choose) { w.deliverAll(20) }},
	{"timer", 4, func(w *world, c choose) { w.timer(w.now + 10*time.Minute) }},
	{"time", 3, func(w *world, c choose) {
		w.pass([]time.Duration{time.Microsecond, 10 * time.Millisecond, 300 * time.Millisecond, 2 * time.Second, time.Minute, 5 * time.Minute}[c(6)])
	}},
}

// serve makes a listener and a connect to it: else most worlds stay empty.
func (w *world) serve(c choose) {
	h, port := w.hosts[c(2)], uint16(1+c(ports))
	if len(h.ends) < maxSockets && len(h.other.ends) < maxSockets {
		l := h.socket()
		if l.bind(port); l.port == port {
			l.listen(1 + c(3))
		}
		h.other.socket().connect(port)
	}
}

// size is how many octets a program sends or reads: one, some, a segment and about, many.
func size(c choose) int {
	switch c(4) {
	case 0:
		return 1
	case 1:
		return 1 + c(100)
	case 2:
		return 1455 + c(10)
	}
	return 1 + c(8000)
}

// deliverAll brings all packets, in order, and those that come of it, up to a number.
func (w *world) deliverAll(most int) {
	for range most {
		for _, h := range w.hosts {
			if len(h.wire) > 0 {
				h.deliver(0)
			}
		}
	}
}
