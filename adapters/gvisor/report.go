package gvisor

import (
	"container/list"
	"time"
	"unsafe"

	"connectlab/netns"
	"connectlab/trace"

	"gvisor.dev/gvisor/pkg/atomicbitops"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/seqnum"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// names are the texts for a socket's addresses, kept as long as these stay the same.
type names struct {
	id            stack.TransportEndpointID
	local, remote string
}

// Status tells the socket's state. gVisor's states before a connection and after it are CLOSED, "no connection state
// at all".
func (w *socket) Status() netns.Status {
	state := w.ep.EndpointState()
	status := netns.Status{State: stateOf(state), Word: state.String(), Source: trace.Sampled, Gone: w.gone}
	if w.listener != nil {
		status.Listener = w.listener
	}
	return status
}

func stateOf(state tcp.EndpointState) trace.State {
	switch state {
	case tcp.StateListen:
		return trace.Listen
	case tcp.StateSynSent:
		return trace.SynSent
	case tcp.StateSynRecv:
		return trace.SynReceived
	case tcp.StateEstablished:
		return trace.Established
	case tcp.StateFinWait1:
		return trace.FinWait1
	case tcp.StateFinWait2:
		return trace.FinWait2
	case tcp.StateCloseWait:
		return trace.CloseWait
	case tcp.StateClosing:
		return trace.Closing
	case tcp.StateLastAck:
		return trace.LastAck
	case tcp.StateTimeWait:
		return trace.TimeWait
	case tcp.StateInitial, tcp.StateBound, tcp.StateConnecting, tcp.StateClose, tcp.StateError:
		return trace.Closed
	}
	return trace.NotObserved
}

// Report reads the socket's control information. Only what a SYN cookie did not keep is not observable; what
// the segments tell of it is inferred.
func (w *socket) Report(info *trace.ControlInfo) {
	r := reader{layout: fields, info: info, ep: unsafe.Pointer(w.ep)}
	r.h = r.endpoint.h.pointer(r.ep)
	r.snd = (*tcp.TCPSenderState)(r.part(r.endpoint.snd, r.sender.state))
	r.rcv = (*tcp.TCPReceiverState)(r.part(r.endpoint.rcv, r.receiver.state))
	// The handshake's flags get an ACK when the peer's SYN has come.
	r.synced = r.snd != nil || r.h != nil && r.handshake.flags.found && *(*header.TCPFlags)(r.handshake.flags.in(r.h))&header.TCPFlagAck != 0

	info.SetText(trace.Protocol, "TCP")
	w.reportAddresses(info)
	r.sequence(w)
	r.options(w.ep)
	r.buffers(w.ep)
	r.control()
	r.queues(w.ep)
	r.errors()
}

func (w *socket) reportAddresses(info *trace.ControlInfo) {
	id := &w.ep.TransportEndpointInfo.ID
	if w.names.id != *id {
		w.names = names{id: *id}
		if id.LocalPort != 0 {
			w.names.local = w.host.text(id.LocalAddress)
		}
		if id.RemoteAddress.Len() != 0 {
			w.names.remote = w.host.text(id.RemoteAddress)
		}
	}
	if w.names.local != "" {
		info.SetText(trace.LocalAddress, w.names.local)
		info.SetNumber(trace.LocalPort, int64(id.LocalPort))
	}
	if w.names.remote != "" {
		info.SetText(trace.RemoteAddress, w.names.remote)
		info.SetNumber(trace.RemotePort, int64(id.RemotePort))
	}
}

// text is an address as text, one string for each address.
func (s *netstack) text(a tcpip.Address) string {
	text, ok := s.texts[a]
	if !ok {
		text = s.addrOf(a).String()
		s.texts[a] = text
	}
	return text
}

// A reader reads one endpoint. h is nil for a socket that has not begun to connect, and for a connection from a SYN
// cookie; it stays when the connection is established. snd and rcv are nil before that.
type reader struct {
	*layout
	info *trace.ControlInfo
	ep   unsafe.Pointer
	h    unsafe.Pointer // *tcp.handshake
	snd  *tcp.TCPSenderState
	rcv  *tcp.TCPReceiverState
	// synced: the peer's SYN has come.
	synced bool
}

// part is where the struct that the endpoint's field points to has a part; nil if it does not point to one.
func (r *reader) part(pointer, part field) unsafe.Pointer {
	p := pointer.pointer(r.ep)
	if p == nil || !part.found {
		return nil
	}
	return part.in(p)
}

// read is what a struct has in a field.
func read[T any](base unsafe.Pointer, f field) T { return *(*T)(f.in(base)) }

// sees tells whether a field was found; if not it hides the item.
func (r *reader) sees(f field, item trace.Item) bool {
	if !f.found {
		r.info.Hide(item)
	}
	return f.found
}

// seesParts tells whether the parts of an endpoint that come with the connection were found; if not it hides the items.
func (r *reader) seesParts(items ...trace.Item) bool {
	if r.endpoint.h.found && r.endpoint.snd.found && r.sender.state.found && r.endpoint.rcv.found && r.receiver.state.found && r.handshake.flags.found {
		return true
	}
	for _, i := range items {
		r.info.Hide(i)
	}
	return false
}

// seq makes an item of UnitSeq.
func (r *reader) seq(item trace.Item, v seqnum.Value) { r.info.SetNumber(item, int64(v)) }

func (r *reader) inferred(item trace.Item, v seqnum.Value) {
	r.seq(item, v)
	r.info.Infer(item)
}

// sequence reads the variables of RFC 9293, Section 3.3.1. Until a connection is established gVisor has no SND.UNA and
// no SND.NXT of its own: they are what they must be when nothing but a SYN was sent.
func (r *reader) sequence(w *socket) {
	if !r.seesParts(trace.ISS, trace.IRS, trace.SndUna, trace.SndNxt, trace.RcvNxt, trace.SndWnd, trace.RcvWnd) {
		return
	}
	h := &r.handshake
	var iss, irs seqnum.Value
	switch {
	case r.h != nil:
		if r.sees(h.iss, trace.ISS) {
			iss = read[seqnum.Value](r.h, h.iss)
			r.seq(trace.ISS, iss)
		}
		if r.synced && r.sees(h.ackNum, trace.IRS) {
			irs = read[seqnum.Value](r.h, h.ackNum) - 1
			r.seq(trace.IRS, irs)
		}
	case r.snd != nil:
		r.inferred(trace.ISS, seqnum.Value(w.cookie.iss))
		r.inferred(trace.IRS, seqnum.Value(w.cookie.irs))
	}
	switch {
	case r.snd != nil:
		r.seq(trace.SndUna, r.snd.SndUna)
		r.seq(trace.SndNxt, r.snd.SndNxt)
		r.info.SetNumber(trace.SndWnd, int64(r.snd.SndWnd))
	case r.h != nil && r.sees(h.iss, trace.SndUna) && r.sees(h.iss, trace.SndNxt):
		r.inferred(trace.SndUna, iss)
		r.inferred(trace.SndNxt, iss+1)
		// gVisor does not take the window from the SYN that a listener got, but from the segment after it.
		if r.synced && r.sees(h.sndWnd, trace.SndWnd) && r.sees(h.active, trace.SndWnd) {
			if wnd := read[seqnum.Size](r.h, h.sndWnd); wnd != 0 || read[bool](r.h, h.active) {
				r.info.SetNumber(trace.SndWnd, int64(wnd))
			}
		}
	}
	switch {
	case r.rcv != nil:
		r.seq(trace.RcvNxt, r.rcv.RcvNxt)
		r.info.SetNumber(trace.RcvWnd, int64(r.rcv.RcvNxt.Size(r.rcv.RcvAcc)))
	case r.h != nil:
		if r.synced && r.sees(h.ackNum, trace.RcvNxt) {
			r.seq(trace.RcvNxt, irs+1)
		}
		if r.sees(h.rcvWnd, trace.RcvWnd) {
			r.info.SetNumber(trace.RcvWnd, int64(read[seqnum.Size](r.h, h.rcvWnd)))
		}
	}
}

// options reads what the two SYNs agreed on.
func (r *reader) options(ep *tcp.Endpoint) {
	if r.sees(r.endpoint.amss, trace.ReceiveMSS) {
		if amss := read[uint16](r.ep, r.endpoint.amss); amss != 0 {
			r.info.SetNumber(trace.ReceiveMSS, int64(amss))
		}
	}
	if !r.seesParts(trace.SendMSS, trace.EffSendMSS, trace.SndWindShift, trace.RcvWindShift, trace.SACKPermitted, trace.Timestamps, trace.TSRecent) {
		return
	}
	h := &r.handshake
	switch {
	case r.h != nil && r.synced:
		if r.sees(h.mss, trace.SendMSS) {
			r.info.SetNumber(trace.SendMSS, int64(read[uint16](r.h, h.mss)))
		}
	case r.snd != nil:
		r.info.Hide(trace.SendMSS) // the SYN cookie kept it, roughly, and gVisor has not
	}
	if r.snd != nil {
		r.info.SetNumber(trace.EffSendMSS, int64(r.snd.MaxPayloadSize))
	}
	switch {
	case r.snd != nil && r.rcv != nil:
		r.info.SetNumber(trace.SndWindShift, int64(r.snd.SndWndScale))
		r.info.SetNumber(trace.RcvWindShift, int64(r.rcv.RcvWndScale))
	case r.h != nil && r.sees(h.sndWndScale, trace.SndWindShift) && r.sees(h.rcvWndScale, trace.RcvWindShift):
		// RFC 7323, Section 2.2: without the option in both SYNs both shift counts are 0. gVisor notes a SYN without it as -1.
		snd, rcv := read[int](r.h, h.sndWndScale), read[int](r.h, h.rcvWndScale)
		if r.synced {
			if snd < 0 {
				snd, rcv = 0, 0
			}
			r.info.SetNumber(trace.SndWindShift, int64(snd))
		}
		r.info.SetNumber(trace.RcvWindShift, int64(rcv))
	}
	if r.synced {
		r.info.SetBool(trace.SACKPermitted, ep.SACKPermitted)
		r.info.SetBool(trace.Timestamps, ep.SendTSOk)
		if ep.SendTSOk {
			r.info.SetNumber(trace.TSRecent, int64(ep.RecentTS))
		}
	}
}

// buffers reads limits and use of the buffers.
func (r *reader) buffers(ep *tcp.Endpoint) {
	ops := ep.SocketOptions()
	r.info.SetNumber(trace.SendBufferLimit, ops.GetSendBufferSize())
	r.info.SetNumber(trace.ReceiveBufferLimit, ops.GetReceiveBufferSize())
	if r.sees(r.endpoint.sndBuf, trace.SendBufferUsed) {
		r.info.SetNumber(trace.SendBufferUsed, int64((*tcp.TCPSndBufState)(r.endpoint.sndBuf.in(r.ep)).SndBufUsed))
	}
	r.info.SetNumber(trace.ReceiveBufferUsed, int64(ep.RcvBufUsed))
	if r.sees(r.endpoint.rcvMemUsed, trace.ReceiveMemoryUsed) {
		r.info.SetNumber(trace.ReceiveMemoryUsed, int64((*atomicbitops.Int32)(r.endpoint.rcvMemUsed.in(r.ep)).Load()))
	}
}

// control reads what RFC 6298 and RFC 5681 keep.
func (r *reader) control() {
	if !r.seesParts(trace.RTO, trace.SRTT, trace.RTTVar, trace.Cwnd, trace.Ssthresh) {
		return
	}
	if r.snd == nil {
		backoff := r.handshake.retransmitTimer.pointer(r.h)
		if r.h != nil && r.sees(r.handshake.retransmitTimer, trace.RTO) && r.sees(r.backoff.timeout, trace.RTO) && backoff != nil {
			r.info.SetNumber(trace.RTO, int64(read[time.Duration](backoff, r.backoff.timeout)))
		}
		return
	}
	r.info.SetNumber(trace.RTO, int64(r.snd.RTO))
	r.info.SetNumber(trace.Cwnd, int64(r.snd.SndCwnd))
	if r.snd.Ssthresh == tcp.InitialSsthresh {
		r.info.SetUnlimited(trace.Ssthresh)
	} else {
		r.info.SetNumber(trace.Ssthresh, int64(r.snd.Ssthresh))
	}
	if r.sees(r.sender.rtt, trace.SRTT) && r.sees(r.sender.rtt, trace.RTTVar) {
		if rtt := (*tcp.TCPRTTState)(r.part(r.endpoint.snd, r.sender.rtt)); rtt.SRTTInited {
			r.info.SetNumber(trace.SRTT, int64(rtt.SRTT))
			r.info.SetNumber(trace.RTTVar, int64(rtt.RTTVar))
		}
	}
}

// queues reads a listener's queues. A socket that listened once keeps them, empty.
func (r *reader) queues(ep *tcp.Endpoint) {
	e := &r.endpoint
	if ep.EndpointState() != tcp.StateListen && (!e.listenCtx.found || e.listenCtx.pointer(r.ep) == nil) {
		return
	}
	if r.sees(e.capacity, trace.Backlog) {
		// listen(n) lets n+1 wait; a listener that was shut down lets none.
		r.info.SetNumber(trace.Backlog, int64(max(read[int](r.ep, e.capacity)-1, 0)))
	}
	if r.sees(e.pending, trace.SynQueue) {
		r.info.SetNumber(trace.SynQueue, int64(len(read[map[*tcp.Endpoint]struct{}](r.ep, e.pending))))
	}
	if r.sees(e.accepted, trace.AcceptQueue) {
		r.info.SetNumber(trace.AcceptQueue, int64((*list.List)(e.accepted.in(r.ep)).Len()))
	}
}

// errors reads the pending error: what SO_ERROR would answer, without clearing it.
func (r *reader) errors() {
	if !r.sees(r.endpoint.hardError, trace.PendingError) || !r.sees(r.endpoint.lastError, trace.PendingError) {
		return
	}
	err := read[tcpip.Error](r.ep, r.endpoint.hardError)
	if err == nil {
		err = read[tcpip.Error](r.ep, r.endpoint.lastError)
	}
	if err != nil {
		r.info.SetText(trace.PendingError, string(errno(err)))
	}
}
