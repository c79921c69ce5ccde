package trace

import (
	"net/netip"
	"slices"
)

// A Holding is what one socket holds at one moment, and how it came by each item.
type Holding struct {
	Host   string
	Socket int
	// Info is all of its control information.
	Info ControlInfo
	// Origins tell where each item's present value came from. That of an item that never changed is zero.
	Origins [NumItems]Origin
}

// An Origin is how an item came by its value.
type Origin struct {
	N      int // of the Control event that brought it
	By     Bringer
	Field  Field // of the segment, where By is BySegment
	Source Source
	// Cause is the N of what brought it: of the Arrived segment or of the application's Call; of what the stack chose
	// itself, the event at which it did (a call, an arrival, a timer). 0: the trace has no such event.
	Cause int
}

// Told tells of each socket that was seen up to the event of number upTo what it holds then, and who told it. The
// sockets come in the order in which their first control information came.
func Told(t *Trace, upTo int) []Holding {
	f := toldFold{t: t, index: make(map[socketKey]int), calls: make(map[socketKey][]int)}
	for i := range min(upTo, len(t.Events)) {
		f.event(&t.Events[i])
	}
	return f.holdings
}

type toldFold struct {
	t        *Trace
	holdings []Holding
	index    map[socketKey]int
	calls    map[socketKey][]int // the calls on a socket that have not come back
}

func (f *toldFold) event(e *Event) {
	key := socketKey{e.Host, e.Socket}
	switch d := e.Detail.(type) {
	case *Call:
		f.calls[key] = append(f.calls[key], e.N)
	case *Return:
		// A call on a socket that it makes is recorded without the socket.
		if call := f.t.Event(d.Call); call != nil {
			key.number = call.Socket
		}
		open := f.calls[key]
		for i, n := range open {
			if n == d.Call {
				f.calls[key] = append(open[:i], open[i+1:]...)
				break
			}
		}
	case *Control:
		i, ok := f.index[key]
		if !ok {
			i = len(f.holdings)
			f.index[key] = i
			f.holdings = append(f.holdings, Holding{Host: e.Host, Socket: e.Socket})
		}
		h := &f.holdings[i]
		h.Info.Apply(d.Changes)
		root := f.root(e)
		for j := range d.Changes {
			c := &d.Changes[j]
			h.Origins[c.Item] = Origin{N: e.N, By: c.By, Field: c.Field, Source: c.Source, Cause: f.cause(e, c.By, root)}
		}
	case *Sent, *Arrived, *Fate, *StateChange, *Timer, *HostChange, *Note:
	}
}

// root finds what an event's step began with: what was done to the host's stack.
func (f *toldFold) root(e *Event) *Event {
	for n := e.Cause; n != 0 && n < e.N; {
		cause := f.t.Event(n)
		switch cause.Detail.(type) {
		case *Call, *Arrived, *Timer, *HostChange:
			return cause
		case *Return, *Sent, *Fate, *StateChange, *Control, *Note:
		}
		if cause.Cause >= n {
			break
		}
		n = cause.Cause
	}
	return nil
}

// cause is the N of the event that brought a change, out of a step that began with root.
func (f *toldFold) cause(e *Event, by Bringer, root *Event) int {
	if root == nil || root.Host != e.Host {
		return 0
	}
	_, call := root.Detail.(*Call)
	_, arrived := root.Detail.(*Arrived)
	switch by {
	case BySegment:
		if !arrived {
			return 0
		}
	case ByApplication:
		if !call {
			return f.blocked(e, root.N)
		}
	case ByStack:
	}
	return root.N
}

// blocked finds the call that a step has let go on: that which comes back in it, else the last that waits on the
// socket.
func (f *toldFold) blocked(e *Event, root int) int {
	for n := e.N + 1; n <= len(f.t.Events); n++ {
		next := f.t.Event(n)
		if _, fate := next.Detail.(*Fate); fate {
			continue // whose cause is the packet's Sent
		}
		if next.Cause != root {
			break
		}
		if r, ok := next.Detail.(*Return); ok && next.Host == e.Host && next.Socket == e.Socket {
			return r.Call
		}
	}
	open := f.calls[socketKey{e.Host, e.Socket}]
	if len(open) == 0 {
		return 0
	}
	return open[len(open)-1]
}

// defaultMSS are what a stack takes for the peer's MSS without having been told one (RFC 9293, Section 3.7.1,
// MUST-15): over IPv4 and over IPv6.
var defaultMSS = [...]int64{536, 1220}

// AboutPeer reports whether an item tells of the other side: its names, its numbers, and what it said that it can do. SND.UNA is
// not among them, though it tells of the peer once that has acknowledged something.
func (i Item) AboutPeer() bool {
	switch i {
	case RemoteAddress, RemotePort, IRS, RcvNxt, SndWnd, SendMSS, SndWindShift, SACKPermitted, Timestamps, TSRecent:
		return true
	default:
		return false
	}
}

// Blank reports whether a value of item i, if the stack has it from nobody, says nothing: a number that is 0, an option that is
// off, the default MSS, no value, or one that is not observable.
func (i Item) Blank(v Value) bool {
	switch v.Kind {
	case None, NotObservable:
		return true
	case Number:
		return v.Num == 0 || i == SendMSS && slices.Contains(defaultMSS[:], v.Num)
	case Text:
		return v.Text == ""
	case Unlimited:
	}
	return false
}

// Untold reports whether the socket knows item i, which is about its peer, without anybody having told it: names may
// come from the application or from a segment, all else only from a segment. What holds where the peer has told
// nothing (Blank), and SND.UNA before the peer has acknowledged anything, is no knowledge about it.
func (h *Holding) Untold(i Item) bool {
	v, o := h.Info.Value(i), &h.Origins[i]
	told := o.By == BySegment && o.Cause != 0
	known := (i.AboutPeer() || i == SndUna) && !i.Blank(v)
	switch {
	case i == RemoteAddress, i == RemotePort:
		told = told || o.By == ByApplication && o.Cause != 0
	case i == SndUna && v == h.Info.Value(ISS):
		return false
	case i == SendMSS && v.Kind == Number && v.Num != 0: // the other family's default is none
		standard := defaultMSS[0]
		if a, err := netip.ParseAddr(h.Info.Value(LocalAddress).Text); err == nil && a.Unmap().Is6() {
			standard = defaultMSS[1]
		}
		known = v.Num != standard
	}
	return known && !told
}

// A Meeting is a connection from the moment on at which both of its ends are or have been ESTABLISHED.
type Meeting struct {
	Client, Server Socket // the first host's socket is the client
	N              int    // the last event of the step in which the later one became ESTABLISHED
}

// FirstConnection finds the connection whose ends were the first to be both ESTABLISHED; false if there is none.
func FirstConnection(t *Trace) (Meeting, bool) {
	sockets := Sockets(t)
	index := make(map[socketKey]int, len(sockets))
	for i, s := range sockets {
		index[socketKey{s.Host, s.Number}] = i
	}
	var stood []int // the sockets that have become ESTABLISHED, in order
	for i := range t.Events {
		e := &t.Events[i]
		d, ok := e.Detail.(*StateChange)
		if !ok || d.To != Established || e.Socket == 0 {
			continue
		}
		at := index[socketKey{e.Host, e.Socket}]
		own := &sockets[at]
		for j := len(stood) - 1; j >= 0; j-- {
			peer := &sockets[stood[j]]
			if peer.Host == own.Host || peer.Local != own.Remote || peer.Remote != own.Local || own.Remote.Port() == 0 {
				continue
			}
			m := Meeting{Client: *own, Server: *peer, N: stepEnd(t, e.N)}
			if len(t.Header.Hosts) > 1 && own.Host == t.Header.Hosts[1].Name {
				m.Client, m.Server = m.Server, m.Client
			}
			return m, true
		}
		stood = append(stood, at)
	}
	return Meeting{}, false
}

// stepEnd is the N of the last event of the step that has the event of number n.
func stepEnd(t *Trace, n int) int {
	for n < len(t.Events) && !t.Events[n].Begins(&t.Events[n-1]) {
		n++
	}
	return n
}

// Begins reports whether e, which comes right behind another event, begins a step: a packet arrives, something is done that nothing
// caused, or time has passed. The other events of a step are what that came to at once.
func (e *Event) Begins(before *Event) bool {
	switch e.Detail.(type) {
	case *Arrived:
		return true
	case *Call, *Timer, *HostChange, *Note:
		return e.Cause == 0 || e.At != before.At
	case *Return, *Sent, *Fate, *StateChange, *Control:
	}
	return e.At != before.At
}
