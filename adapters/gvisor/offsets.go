package gvisor

import (
	"container/list"
	"reflect"
	"strings"
	"unsafe"

	"connectlab/trace"

	"gvisor.dev/gvisor/pkg/sleep"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// gVisor tells nothing of a connection before it is established, and telling changes some of what it tells (LastError,
// Readiness). So its structs are read where they are, while no worker works. This file has all that is known
// of their layout. It is found once, by name and type; a field that is not there is named in missing and never read.

// A field is where a struct keeps something. The zero value is nowhere.
type field struct {
	offset uintptr
	found  bool
}

// in is where the struct at base has the field. The field must have been found.
func (f field) in(base unsafe.Pointer) unsafe.Pointer { return unsafe.Add(base, f.offset) }

// pointer is the pointer that the struct at base has in the field; nil without a base or a field.
func (f field) pointer(base unsafe.Pointer) unsafe.Pointer {
	if base == nil || !f.found {
		return nil
	}
	return *(*unsafe.Pointer)(f.in(base))
}

// A layout is where gVisor keeps what is read here.
type layout struct {
	endpoint struct {
		h, snd, rcv, amss, sndBuf, rcvMemUsed, lastError, hardError, listenCtx field
		accepted, pending, capacity                                            field // of the accept queue
		keepaliveTimer, finWait2Timer, timeWaitTimer                           field
	}
	handshake struct {
		listenEP, active, flags, ackNum, iss, rcvWnd, sndWnd, mss, sndWndScale, rcvWndScale, retransmitTimer field
	}
	backoff struct{ timeout, timer field } // of the handshake's retransmissions
	sender  struct {
		state, rtt                                       field
		resendTimer, reorderTimer, probeTimer, corkTimer field
	}
	receiver   struct{ state field }
	processors field // in the protocol; a slice
	processor  struct {
		size                                         uintptr
		queueHead, pauseWaker, pauseChan, resumeChan field
	}
	neighbors struct{ nics, resolvers, cache, timer field } // in the stack, and from each to the next

	missing []string
}

// fields is the layout of the gVisor that this program is built with.
var fields = findLayout(reflect.TypeFor[tcp.Endpoint](), reflect.TypeFor[stack.Stack]())

func findLayout(endpoint, whole reflect.Type) *layout {
	l := &layout{}

	e := &l.endpoint
	handshake := l.find(&e.h, endpoint, "h", "*tcp.handshake")
	sender := l.find(&e.snd, endpoint, "snd", "*tcp.sender")
	receiver := l.find(&e.rcv, endpoint, "rcv", "*tcp.receiver")
	l.find(&e.amss, endpoint, "amss", "uint16")
	l.find(&e.sndBuf, endpoint, "sndQueueInfo.TCPSndBufState", "tcp.TCPSndBufState")
	l.find(&e.rcvMemUsed, endpoint, "rcvMemUsed", "atomicbitops.Int32")
	l.find(&e.lastError, endpoint, "lastError", "tcpip.Error")
	l.find(&e.hardError, endpoint, "hardError", "tcpip.Error")
	l.find(&e.listenCtx, endpoint, "listenCtx", "*tcp.listenContext")
	l.find(&e.accepted, endpoint, "acceptQueue.endpoints", "list.List")
	l.find(&e.pending, endpoint, "acceptQueue.pendingEndpoints", "map[*tcp.Endpoint]struct {}")
	l.find(&e.capacity, endpoint, "acceptQueue.capacity", "int")
	l.find(&e.keepaliveTimer, endpoint, "keepalive.timer.timer", "tcpip.Timer")
	l.find(&e.finWait2Timer, endpoint, "finWait2Timer", "tcpip.Timer")
	l.find(&e.timeWaitTimer, endpoint, "timeWaitTimer", "tcpip.Timer")

	h := &l.handshake
	l.find(&h.listenEP, handshake, "listenEP", "*tcp.Endpoint")
	l.find(&h.active, handshake, "active", "bool")
	l.find(&h.flags, handshake, "flags", "header.TCPFlags")
	l.find(&h.ackNum, handshake, "ackNum", "seqnum.Value")
	l.find(&h.iss, handshake, "iss", "seqnum.Value")
	l.find(&h.rcvWnd, handshake, "rcvWnd", "seqnum.Size")
	l.find(&h.sndWnd, handshake, "sndWnd", "seqnum.Size")
	l.find(&h.mss, handshake, "mss", "uint16")
	l.find(&h.sndWndScale, handshake, "sndWndScale", "int")
	l.find(&h.rcvWndScale, handshake, "rcvWndScale", "int")
	backoff := l.find(&h.retransmitTimer, handshake, "retransmitTimer", "*tcp.backoffTimer")
	l.find(&l.backoff.timeout, backoff, "timeout", "time.Duration")
	l.find(&l.backoff.timer, backoff, "t", "tcpip.Timer")

	s := &l.sender
	l.find(&s.state, sender, "TCPSenderState", "tcp.TCPSenderState")
	l.find(&s.rtt, sender, "rtt.TCPRTTState", "tcp.TCPRTTState")
	l.find(&s.resendTimer, sender, "resendTimer.timer", "tcpip.Timer")
	l.find(&s.reorderTimer, sender, "reorderTimer.timer", "tcpip.Timer")
	l.find(&s.probeTimer, sender, "probeTimer.timer", "tcpip.Timer")
	l.find(&s.corkTimer, sender, "corkTimer.timer", "tcpip.Timer")
	l.find(&l.receiver.state, receiver, "TCPReceiverState", "tcp.TCPReceiverState")

	var at field
	protocol := l.find(&at, endpoint, "protocol", "*tcp.protocol")
	processor := l.find(&l.processors, protocol, "dispatcher.processors", "[]tcp.processor")
	if processor != nil {
		l.processor.size = processor.Size()
	}
	l.find(&l.processor.queueHead, processor, "epQ.list.head", "*tcp.Endpoint")
	l.find(&l.processor.pauseWaker, processor, "pauseWaker", "sleep.Waker")
	l.find(&l.processor.pauseChan, processor, "pauseChan", "chan struct {}")
	l.find(&l.processor.resumeChan, processor, "resumeChan", "chan struct {}")

	n := &l.neighbors
	nic := l.find(&n.nics, whole, pathToNICs, "map[tcpip.NICID]*stack.nic")
	resolver := l.find(&n.resolvers, nic, pathToResolvers, "map[tcpip.NetworkProtocolNumber]*stack.linkResolver")
	neighbor := l.find(&n.cache, resolver, pathToCache, "map[tcpip.Address]*stack.neighborEntry")
	l.find(&n.timer, neighbor, pathToTimer, "tcpip.Timer")
	return l
}

// find looks a field up, by the path of names that leads to it through structs within structs, and checks its type.
// It returns what the field points to or holds many of (of a map, what its values point to); nil if it does neither or was not
// found.
func (l *layout) find(to *field, in reflect.Type, path, want string) reflect.Type {
	if in == nil {
		l.missing = append(l.missing, "…."+path) // what has it is missing too, and named
		return nil
	}
	t, offset := in, uintptr(0)
	for name := range strings.SplitSeq(path, ".") {
		var f reflect.StructField
		var ok bool
		if t.Kind() == reflect.Struct {
			f, ok = t.FieldByName(name)
		}
		if !ok || len(f.Index) != 1 {
			l.missing = append(l.missing, in.Name()+"."+path)
			return nil
		}
		t, offset = f.Type, offset+f.Offset
	}
	if t.String() != want {
		l.missing = append(l.missing, in.Name()+"."+path+": "+t.String()+", not "+want)
		return nil
	}
	*to = field{offset, true}
	switch kind := t.Kind(); {
	case kind == reflect.Pointer, kind == reflect.Slice:
		return t.Elem()
	case kind == reflect.Map && t.Elem().Kind() == reflect.Pointer:
		return t.Elem().Elem()
	}
	return nil
}

// workers are the workers that process what arrives; nil if they were not found.
func (l *layout) workers(protocol stack.TransportProtocol) []worker {
	at := &l.processor
	if !l.processors.found || !at.queueHead.found || !at.pauseWaker.found || !at.pauseChan.found || !at.resumeChan.found {
		return nil
	}
	// A slice of a type that has no name here. Its length does not depend on the type.
	slice := (*[]struct{})(l.processors.in(reflect.ValueOf(protocol).UnsafePointer()))
	first := unsafe.Pointer(unsafe.SliceData(*slice))
	workers := make([]worker, len(*slice))
	for i := range workers {
		p := unsafe.Add(first, uintptr(i)*at.size)
		workers[i] = worker{
			queue: (*unsafe.Pointer)(at.queueHead.in(p)), pause: (*sleep.Waker)(at.pauseWaker.in(p)),
			paused: read[chan struct{}](p, at.pauseChan), resume: read[chan struct{}](p, at.resumeChan),
		}
	}
	return workers
}

// listener is the endpoint that a connection came to, as it knows it itself; nil if it knows none.
func (l *layout) listener(ep *tcp.Endpoint) *tcp.Endpoint {
	return (*tcp.Endpoint)(l.handshake.listenEP.pointer(l.endpoint.h.pointer(unsafe.Pointer(ep))))
}

// fromCookie tells whether a connection came from a SYN cookie: then it has had no handshake.
func (l *layout) fromCookie(ep *tcp.Endpoint) bool {
	return l.endpoint.h.found && l.endpoint.h.pointer(unsafe.Pointer(ep)) == nil
}

// waitsForAccept tells whether a connection is in a listener's accept queue.
func (l *layout) waitsForAccept(listener, ep *tcp.Endpoint) bool {
	if !l.endpoint.accepted.found {
		return false
	}
	queue := (*list.List)(l.endpoint.accepted.in(unsafe.Pointer(listener)))
	for e := queue.Front(); e != nil; e = e.Next() {
		if e.Value == ep {
			return true
		}
	}
	return false
}

// timerName is the name of the field in which an endpoint keeps the timer; empty if it is not one of its timers.
func (l *layout) timerName(ep *tcp.Endpoint, t *timer) string {
	at := func(base unsafe.Pointer, f field) bool {
		return base != nil && f.found && *(*tcpip.Timer)(f.in(base)) == tcpip.Timer(t)
	}
	e := unsafe.Pointer(ep)
	snd := l.endpoint.snd.pointer(e)
	switch {
	case at(l.handshake.retransmitTimer.pointer(l.endpoint.h.pointer(e)), l.backoff.timer):
		return "h.retransmitTimer"
	case at(snd, l.sender.resendTimer):
		return "snd.resendTimer"
	case at(snd, l.sender.probeTimer):
		return "snd.probeTimer"
	case at(snd, l.sender.reorderTimer):
		return "snd.reorderTimer"
	case at(snd, l.sender.corkTimer):
		return "snd.corkTimer"
	case at(e, l.endpoint.keepaliveTimer):
		return "keepalive.timer"
	case at(e, l.endpoint.timeWaitTimer):
		return "timeWaitTimer"
	case at(e, l.endpoint.finWait2Timer):
		return "finWait2Timer"
	}
	return ""
}

// nameTimers finds out whose the timers are that the stimulus made: they are in a field of a socket that it touched.
func (s *netstack) nameTimers() {
	s.fresh = s.clock.takeFresh(s.fresh)
	for i, t := range s.fresh {
		s.fresh[i] = nil
		for _, w := range s.sockets.touched {
			w := w.(*socket)
			if name := fields.timerName(w.ep, t); name != "" {
				t.owner, t.name = w, name
				break
			}
		}
		if t.owner == nil {
			t.name = s.neighborTimerName(t)
		}
	}
}

// The way from the stack to the timer of an entry of its tables of neighbors, one for each protocol of an interface.
const (
	pathToNICs      = "nics"
	pathToResolvers = "linkAddrResolvers"
	pathToCache     = "neigh.mu.cache"
	pathToTimer     = "mu.timer.timer"
)

// neighborTimerName is the name of the field in which an entry of the stack's tables of neighbors keeps the timer; empty if
// it is none of theirs, or they were not found. Only on Ethernet there are neighbors, and they are few: so this walks the maps.
func (s *netstack) neighborTimerName(t *timer) string {
	if s.link.kind != trace.LinkEthernet || !fields.neighbors.timer.found {
		return ""
	}
	for nics := inside(reflect.ValueOf(s.stack), pathToNICs).MapRange(); nics.Next(); {
		for resolvers := inside(nics.Value(), pathToResolvers).MapRange(); resolvers.Next(); {
			for entries := inside(resolvers.Value(), pathToCache).MapRange(); entries.Next(); {
				if armed := inside(entries.Value(), pathToTimer).Elem(); armed.IsValid() && armed.UnsafePointer() == unsafe.Pointer(t) {
					return "neighborEntry.timer"
				}
			}
		}
	}
	return ""
}

// inside follows a path of fields, which findLayout has found, from the struct that a value points to.
func inside(v reflect.Value, path string) reflect.Value {
	v = v.Elem()
	for name := range strings.SplitSeq(path, ".") {
		v = v.FieldByName(name)
	}
	return v
}
