package netns

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"connectlab/trace"
)

// A process is a program that runs on a host.
type process struct {
	host    *host
	name    string
	program Program
	rank    int // among all programs, in the order in which they were given

	// The call that is being made.
	call   Call
	callN  int     // the N of its event
	socket *socket // that it is made on; nil: none
	dont   bool    // block: its descriptor was non-blocking when it was made
	reach  bool    // it reached the stack, so that it may have changed something
	count  int     // octets sent or received so far
	data   []byte  // received so far, its beginning
	wrong  int64   // Outcome.Mismatch so far
	out    Outcome // what came of it
	accept int     // the number of the socket that accept handed out
	tried  uint64  // when it was tried last, in looks
	made   []byte  // octets of the host's stream that a call offered last
	madeAt uint64  // and where they begin in it
	limit  limit   // when it ends at the latest
}

// A limit is a time at which a call that is blocked comes back without a result; the zero limit: never.
type limit struct {
	at  time.Duration
	set bool
}

const (
	maxData  = 64 << 10 // how much of what it received an Outcome shows
	maxPiece = 16 << 10 // the most octets that are handed over at once
)

// proceed asks the program for its next call and puts it on the agenda.
func (s *Sandbox) proceed(p *process, last Outcome) {
	call, ok := p.program.Next(last)
	if !ok {
		return
	}
	p.call = call
	at := max(call.At, s.now)
	if !call.Absolute {
		at = later(s.now, max(call.At, 0))
	}
	s.agenda.push(entry{at: at, line: call.Line, rank: p.rank, proc: p})
}

// makeCall makes the program's call: a step of its own.
func (s *Sandbox) makeCall(p *process) {
	h, call := p.host, &p.call
	if b, ok := p.program.(Binder); ok {
		b.Bind(call)
	}
	p.socket, p.dont, p.count, p.data, p.wrong, p.accept, p.callN = nil, false, 0, p.data[:0], -1, 0, 0
	if d := h.descriptor(call.FD); d != nil && call.Op != OpSocket {
		p.socket, p.dont = d.socket, d.nonBlocking
	}
	if s.rec != nil {
		number := 0
		if p.socket != nil {
			number = p.socket.number
		}
		p.callN = s.rec.Call(s.now, h.name, number, record(p))
	}
	h.stack.Advance(s.now)
	done := false
	if late := p.limit.set && p.limit.at <= s.now; late && call.Op != OpConnect { // which is begun whenever it ends
		done = p.expired()
	} else {
		_, done = s.attempt(p)
	}
	if p.reach {
		s.attr = attribution{call: call}
		touched := s.look(h, p.callN)
		s.collect(h, touched, p.callN, false)
	}
	p.tried = s.looks
	if done {
		s.comeBack(p, p.callN)
	} else {
		h.blocked = append(h.blocked, p)
		s.bound(p, p.limit)
	}
	if p.reach {
		s.wake(h, p.callN)
	}
	if s.rec != nil {
		h.last = s.rec.N()
	}
}

// record is the call as the trace shows it.
func record(p *process) trace.Call {
	c := &p.call
	r := trace.Call{Name: c.Op.String(), FD: c.FD, Len: trace.NoLen, Text: c.Text, Program: p.name, Line: c.Line}
	switch c.Op {
	case OpSocket:
		r.FD = -1
	case OpBind, OpConnect:
		r.Addr = c.Addr
	case OpListen:
		r.Len = c.N
	case OpReceive:
		r.Len = c.N
	case OpReceiveAll:
		if c.N >= 0 { // else to the end of data
			r.Len = c.N
		}
	case OpSend, OpSendAll:
		r.Len = toSend(c)
	case OpAccept, OpShutdown, OpClose, OpAbort, OpGetError, OpGetOption, OpSetOption, OpNonBlocking:
	}
	return r
}

func toSend(c *Call) int {
	if c.Data != nil {
		return len(c.Data)
	}
	return c.N
}

// bound sets the limit of a call that is blocked.
func (s *Sandbox) bound(p *process, l limit) {
	if i := slices.Index(s.limited, p); i >= 0 {
		s.limited = slices.Delete(s.limited, i, i+1)
	}
	if p.limit = l; l.set {
		s.limited = append(s.limited, p)
	}
}

// runOut ends the call whose limit comes first, of several the one that was set first: a step of its own. It is recorded as
// a timer of the socket, with the name that POSIX has for it.
func (s *Sandbox) runOut() {
	p := s.limited[0]
	for _, q := range s.limited {
		if q.limit.at < p.limit.at {
			p = q
		}
	}
	s.unblock(p)
	cause := 0
	if s.rec != nil {
		name := "SO_RCVTIMEO"
		switch p.call.Op {
		case OpConnect, OpSend, OpSendAll:
			name = "SO_SNDTIMEO"
		default:
		}
		cause = s.rec.Timer(s.now, p.host.name, p.socket.number, name)
	}
	p.host.stack.Advance(s.now)
	p.expired()
	s.comeBack(p, cause)
	if s.rec != nil {
		p.host.last = s.rec.N()
	}
}

// expired is what came of a call whose limit is over: what POSIX has for SO_RCVTIMEO and SO_SNDTIMEO. A connect that was
// begun goes on.
func (p *process) expired() bool {
	p.out, p.reach = Outcome{}, false
	if p.call.Op == OpConnect {
		return p.fail(ErrInProgress)
	}
	return p.fail(ErrWouldBlock)
}

// unblock takes p off its host's list of blocked programs.
func (s *Sandbox) unblock(p *process) {
	s.bound(p, limit{})
	b := p.host.blocked
	for i := range b {
		if b[i] == p {
			p.host.blocked = append(b[:i], b[i+1:]...)
			return
		}
	}
}

// identify says in an outcome which call it is of.
func (p *process) identify(out *Outcome) {
	if out.Call = p.callN; p.socket != nil {
		out.Socket = p.socket.number
	}
}

// comeBack records that the program's call returned, because of the event cause, and lets the program go on.
func (s *Sandbox) comeBack(p *process, cause int) {
	s.lastLine = s.now
	p.out.Made, p.out.At, p.out.Mismatch = true, s.now, p.wrong
	p.identify(&p.out)
	if s.rec != nil {
		s.rec.Return(s.now, p.host.name, p.out.Socket, cause, trace.Return{
			Call: p.callN, Result: p.out.Result, Errno: string(p.out.Errno), Value: p.out.Value, Count: p.out.Count,
			Addr: p.out.Addr, Accepted: p.accept,
		})
	}
	s.proceed(p, p.out)
}

// attempt makes the call, or tries a blocked one again. progress: it has changed something. done: it is over, and
// p.out says what came of it.
func (s *Sandbox) attempt(p *process) (progress, done bool) {
	p.out, p.reach = Outcome{}, false
	h, call := p.host, &p.call
	if call.Op == OpSocket {
		sock, err := h.stack.Socket(call.Family)
		if err != nil {
			return true, p.fail(err)
		}
		if sock == nil {
			s.breach(p, "no socket and no error, which a Stack never does")
			return false, false
		}
		p.reach = true
		p.socket = h.find(sock)
		p.out.Result = int64(h.open(p.socket))
		return true, true
	}
	d := h.descriptor(call.FD)
	if d == nil || d.socket != p.socket {
		return p.refuse(ErrBadDescriptor)
	}
	k := p.socket
	p.reach = call.Op != OpNonBlocking
	switch call.Op {
	case OpBind:
		return true, p.end(k.sock.Bind(call.Addr))
	case OpListen:
		err := k.sock.Listen(call.N)
		if err == nil && h.inspector == nil {
			h.place(k)
			h.setListens(k, true)
		}
		return true, p.end(err)
	case OpAccept:
		return s.accept(p)
	case OpConnect:
		return s.connect(p)
	case OpSend, OpSendAll:
		return s.send(p)
	case OpReceive, OpReceiveAll:
		return s.receive(p)
	case OpShutdown:
		if call.How > ShutBoth {
			return p.refuse(ErrInvalid)
		}
		return true, p.end(k.sock.Shutdown(call.How))
	case OpClose, OpAbort:
		*d = descriptor{}
		if h.inspector == nil {
			h.setListens(k, false)
			s.gone = append(s.gone, k) // nobody tells how long the stack keeps it
		}
		if call.Op == OpAbort {
			return true, p.end(k.sock.Abort())
		}
		return true, p.end(k.sock.Close())
	case OpGetError:
		switch err := k.sock.PendingError(); {
		case err == nil:
			p.out.Value = trace.Value{Kind: trace.Number}
		case errors.Is(err, ErrUnsupported):
			return true, p.fail(err)
		default:
			p.out.Value = trace.Value{Kind: trace.Text, Text: string(errno(err))}
		}
		return true, true
	case OpGetOption:
		n, err := k.sock.Option(call.Option)
		if err == nil {
			p.out.Value = trace.Value{Kind: trace.Number, Num: int64(n)}
		}
		return true, p.end(err)
	case OpSetOption:
		return true, p.end(k.sock.SetOption(call.Option, call.N))
	case OpNonBlocking:
		d.nonBlocking = call.N != 0
		return true, true
	case OpSocket:
	}
	panic("netns: a call that does not exist: " + call.Op.String())
}

// end is what came of a call that returns 0 or an error.
func (p *process) end(err error) bool {
	if err != nil {
		return p.fail(err)
	}
	return true
}

// fail makes err the call's outcome. What was sent or received before is told beside it.
func (p *process) fail(err error) bool {
	p.out.Result, p.out.Errno = -1, errno(err)
	if p.count > 0 {
		p.out.Count = int64(p.count)
	}
	if len(p.data) > 0 {
		p.out.Data = p.data
	}
	return true
}

// refuse is fail for what the stack is not even asked.
func (p *process) refuse(err Errno) (progress, done bool) {
	p.reach = false
	return false, p.fail(err)
}

// errno is the name of a stack's error.
func errno(err error) Errno {
	var e Errno
	if errors.As(err, &e) {
		return e
	}
	return ErrOther
}

// breach ends the run: a stack gave an answer that its contract does not have. The call does not come back.
func (s *Sandbox) breach(p *process, answer string) {
	s.failure = &OpError{Op: p.call.Op.String(), Host: p.host.name, Err: fmt.Errorf(
		"the stack %s answered %s", p.host.factory.Info().Name, answer)}
}

// breachOfCount is breach by a stack that answered n octets and no error, of most that there were.
func (s *Sandbox) breachOfCount(p *process, n, most int) {
	s.breach(p, fmt.Sprintf("%d octets of %d and no error, which a Socket never does", n, most))
}

// wait is for a call that cannot be done now: it blocks, or comes back with err.
func (p *process) wait(err Errno) (progress, done bool) {
	if p.dont {
		return false, p.fail(err)
	}
	return false, false
}

func (s *Sandbox) accept(p *process) (progress, done bool) {
	sock, err := p.socket.sock.Accept()
	switch {
	case errors.Is(err, ErrWouldBlock):
		return p.wait(ErrWouldBlock)
	case err != nil:
		return true, p.fail(err)
	case sock == nil:
		s.breach(p, "no socket and no error, which a Socket never does")
		return false, false
	}
	k := p.host.find(sock)
	if k.listener == nil {
		p.host.cameTo(p.socket, k)
	}
	k.accepted = true
	p.accept = k.number
	p.out.Result = int64(p.host.open(k))
	p.out.Addr = sock.RemoteAddr()
	return true, true
}

func (s *Sandbox) connect(p *process) (progress, done bool) {
	k := p.socket
	first := !k.connecting
	err := k.sock.Connect(p.call.Addr)
	if errors.Is(err, ErrInProgress) {
		k.connecting = true
		if first {
			_, done = p.wait(ErrInProgress)
			return true, done
		}
		return p.wait(ErrAlready)
	}
	k.connecting = false
	return true, p.end(err)
}

func (s *Sandbox) send(p *process) (progress, done bool) {
	k, call := p.socket, &p.call
	total := toSend(call)
	if total < 0 {
		return p.refuse(ErrInvalid)
	}
	give := k.sock.Send
	if call.Urgent {
		u, ok := k.sock.(UrgentSender)
		if !ok {
			return p.refuse(ErrUnsupported)
		}
		give = u.SendUrgent
	}
	for {
		piece := call.Data
		if piece != nil {
			piece = piece[p.count:]
		} else {
			piece = p.octets(k.sent, min(total-p.count, maxPiece))
		}
		n, err := give(piece)
		switch {
		case errors.Is(err, ErrWouldBlock):
			if p.dont && p.count > 0 {
				p.out.Result = int64(p.count)
				return true, true
			}
			_, done = p.wait(ErrWouldBlock)
			return progress, done
		case err != nil && p.count > 0 && call.Op == OpSend:
			p.out.Result = int64(p.count) // as in POSIX, the error comes with the next call
			return true, true
		case err != nil:
			return true, p.fail(err)
		case n < 0 || n > len(piece) || n == 0 && len(piece) > 0:
			s.breachOfCount(p, n, len(piece))
			return progress, false
		}
		k.sent += uint64(n)
		p.count += n
		progress = progress || n > 0
		if p.count >= total {
			p.out.Result = int64(p.count)
			return true, true
		}
	}
}

func (s *Sandbox) receive(p *process) (progress, done bool) {
	k, call := p.socket, &p.call
	if call.N < 0 && call.Op == OpReceive {
		return p.refuse(ErrInvalid)
	}
	for {
		want := call.N
		if call.Op == OpReceiveAll {
			want -= p.count
			if call.N < 0 {
				want = maxPiece
			}
		}
		piece := s.octets(min(want, maxPiece))
		n, err := k.sock.Receive(piece)
		switch {
		case errors.Is(err, ErrWouldBlock):
			if p.dont && p.count > 0 {
				return p.received()
			}
			_, done = p.wait(ErrWouldBlock)
			return progress, done
		case err != nil:
			return true, p.fail(err)
		case n < 0 || n > len(piece):
			s.breachOfCount(p, n, len(piece))
			return progress, false
		}
		piece = piece[:n]
		if call.Verify && p.wrong < 0 {
			if i := p.host.peer.Mismatch(piece, k.received); i >= 0 {
				p.wrong = int64(k.received) + int64(i)
			}
		}
		if room := maxData - len(p.data); room > 0 {
			p.data = append(p.data, piece[:min(room, n)]...)
		}
		k.received += uint64(n)
		p.count += n
		progress = true
		if n == 0 || call.Op == OpReceive || call.N >= 0 && p.count >= call.N {
			return p.received()
		}
	}
}

// received is what came of a receive call that has got what it wanted, or the end of data.
func (p *process) received() (progress, done bool) {
	p.out.Result, p.out.Data = int64(p.count), p.data
	return true, true
}

// octets are n octets of the host's stream from at on. A stack often takes a part of what it is offered: the rest is not made again.
func (p *process) octets(at uint64, n int) []byte {
	have := 0
	if ahead := at - p.madeAt; ahead < uint64(len(p.made)) {
		have = min(copy(p.made, p.made[ahead:]), n)
	}
	if cap(p.made) < n {
		p.made = append(make([]byte, 0, n), p.made[:have]...)
	}
	p.made, p.madeAt = p.made[:n], at
	p.host.stream.Fill(p.made[have:], at+uint64(have))
	return p.made
}

// octets returns n octets that are good until the next call.
func (s *Sandbox) octets(n int) []byte {
	if cap(s.buffer) < n {
		s.buffer = make([]byte, max(n, 4096))
	}
	return s.buffer[:n]
}
