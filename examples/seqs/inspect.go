package main

import (
	"slices"

	"connectlab/netns"
	"connectlab/trace"

	"github.com/soypat/seqs"
)

var (
	_ netns.Inspector = (*stack)(nil)
	_ netns.Reporter  = (*socket)(nil)
)

// states are the states of seqs in the RFC's words.
var states = [...]trace.State{
	seqs.StateClosed: trace.Closed, seqs.StateListen: trace.Listen, seqs.StateSynRcvd: trace.SynReceived, seqs.StateSynSent: trace.SynSent,
	seqs.StateEstablished: trace.Established, seqs.StateFinWait1: trace.FinWait1, seqs.StateFinWait2: trace.FinWait2,
	seqs.StateClosing: trace.Closing, seqs.StateTimeWait: trace.TimeWait, seqs.StateCloseWait: trace.CloseWait, seqs.StateLastAck: trace.LastAck,
}

// Touched are the sockets that were touched since it was asked last.
func (s *stack) Touched() []netns.Socket {
	touched := s.touched
	s.touched = nil
	return touched
}

// Status tells the state of a connection as TCPConn tells it. That of a listener is the adapter's, and that of a socket
// which waits for ARP: connect was called.
func (k *socket) Status() netns.Status {
	state := seqs.StateClosed
	switch {
	case k.listening:
		state = seqs.StateListen
	case k.conn != nil:
		state = k.conn.State()
	case slices.Contains(k.stack.resolving, k):
		state = seqs.StateSynSent
	}
	status := netns.Status{State: states[state], Word: state.String(), Gone: k.orphan && state == seqs.StateClosed}
	if l := k.listener; l != nil {
		status.Listener = l
		status.Gone = status.Gone && !slices.Contains(l.queue, k)
	}
	return status
}

// hidden is what seqs keeps for each connection and TCPConn does not show.
var hidden = [...]trace.Item{trace.ISS, trace.IRS, trace.SndUna, trace.SndNxt, trace.SndWnd, trace.RcvNxt, trace.RcvWnd}

// Report tells what there is of a socket. There is no more: seqs keeps no MSS, no round-trip time, no congestion window.
func (k *socket) Report(info *trace.ControlInfo) {
	info.SetText(trace.Protocol, "TCP")
	if k.local.IsValid() {
		info.SetText(trace.LocalAddress, k.local.Addr().String())
		info.SetNumber(trace.LocalPort, int64(k.local.Port()))
	}
	if k.remote.IsValid() {
		info.SetText(trace.RemoteAddress, k.remote.Addr().String())
		info.SetNumber(trace.RemotePort, int64(k.remote.Port()))
	}
	if k.listening {
		info.SetNumber(trace.Backlog, int64(k.backlog))
		info.SetNumber(trace.SynQueue, int64(len(k.half)))
		info.SetNumber(trace.AcceptQueue, int64(len(k.queue)))
	}
	if k.conn == nil {
		return
	}
	info.SetNumber(trace.SendBufferLimit, bufferSize)
	info.SetNumber(trace.SendBufferUsed, int64(k.unsent))
	info.SetNumber(trace.ReceiveBufferLimit, bufferSize)
	info.SetNumber(trace.ReceiveBufferUsed, int64(k.conn.BufferedInput()))
	for _, item := range hidden {
		info.Hide(item)
	}
}
