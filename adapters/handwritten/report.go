package handwritten

import (
	"connectlab/netns"
	"connectlab/trace"
)

// Status tells the socket's state.
func (c *tcb) Status() netns.Status {
	status := netns.Status{State: c.state, Word: c.state.String(), Source: trace.Sampled, Gone: c.state == trace.Closed && c.orphan()}
	if c.listener != nil {
		status.Listener = c.listener
	}
	return status
}

// Report tells all that the record has.
func (c *tcb) Report(info *trace.ControlInfo) {
	info.SetText(trace.Protocol, "TCP")
	c.reportNames(info)
	if c.pending != "" {
		info.SetText(trace.PendingError, string(c.pending))
	} else if c.softError != "" {
		info.SetText(trace.PendingError, string(c.softError))
	}
	if c.state == trace.Listen {
		info.SetNumber(trace.Backlog, int64(c.backlog))
		info.SetNumber(trace.SynQueue, int64(c.halfOpen()))
		info.SetNumber(trace.AcceptQueue, int64(len(c.queue)))
	}
	c.reportBuffers(info)
	if c.opened {
		c.reportConnection(info)
	}
}

func (c *tcb) reportNames(info *trace.ControlInfo) {
	if c.local.IsValid() {
		if c.local.Addr() == c.stack.own {
			info.SetText(trace.LocalAddress, c.stack.text)
		} else {
			info.SetText(trace.LocalAddress, c.local.Addr().String())
		}
		info.SetNumber(trace.LocalPort, int64(c.local.Port()))
	}
	if c.remote.IsValid() {
		if c.remoteText == "" {
			c.remoteText = c.remote.Addr().String()
		}
		info.SetText(trace.RemoteAddress, c.remoteText)
		info.SetNumber(trace.RemotePort, int64(c.remote.Port()))
	}
}

// reportBuffers tells of the buffers, which there are from the opening of the connection on; their limits where an application has
// set them.
func (c *tcb) reportBuffers(info *trace.ControlInfo) {
	if c.opened {
		info.SetNumber(trace.SendBufferLimit, int64(c.sndSize))
		info.SetNumber(trace.ReceiveBufferLimit, int64(c.rcvSize))
		info.SetNumber(trace.SendBufferUsed, int64(c.sndBuf.n))
		info.SetNumber(trace.ReceiveBufferUsed, int64(c.rcvBuf.n))
		info.SetNumber(trace.ReceiveMemoryUsed, int64(len(c.rcvBuf.memory)))
		return
	}
	if c.options.buffersSet[0] {
		info.SetNumber(trace.SendBufferLimit, int64(c.options.sendBuffer))
	}
	if c.options.buffersSet[1] {
		info.SetNumber(trace.ReceiveBufferLimit, int64(c.options.receiveBuffer))
	}
}

func (c *tcb) reportConnection(info *trace.ControlInfo) {
	info.SetNumber(trace.ISS, int64(c.iss))
	info.SetNumber(trace.SndUna, int64(c.sndUna))
	info.SetNumber(trace.SndNxt, int64(c.sndNxt))
	info.SetNumber(trace.RcvWnd, int64(c.rcvWnd))
	info.SetNumber(trace.ReceiveMSS, int64(c.ownMSS()))
	info.SetNumber(trace.RTO, int64(c.rto))
	info.SetNumber(trace.RcvWindShift, int64(c.rcvShift))
	if c.sampled {
		info.SetNumber(trace.SRTT, int64(c.srtt))
		info.SetNumber(trace.RTTVar, int64(c.rttvar))
	}
	if c.synced {
		info.SetNumber(trace.IRS, int64(c.irs))
		info.SetNumber(trace.RcvNxt, int64(c.rcvNxt))
		info.SetNumber(trace.SndWnd, int64(c.sndWnd))
		info.SetNumber(trace.SendMSS, int64(c.sndMSS))
		info.SetNumber(trace.EffSendMSS, int64(c.effSndMSS))
		info.SetNumber(trace.SndWindShift, int64(c.sndShift))
		info.SetBool(trace.SACKPermitted, c.sackPermitted)
		info.SetBool(trace.Timestamps, c.tsOK)
		if c.tsOK {
			info.SetNumber(trace.TSRecent, int64(c.tsRecent))
		}
	}
	if c.cwnd > 0 {
		info.SetNumber(trace.Cwnd, int64(c.cwnd/c.effSndMSS))
		if c.ssthresh == maxCwnd {
			info.SetUnlimited(trace.Ssthresh)
		} else {
			info.SetNumber(trace.Ssthresh, int64(c.ssthresh/c.effSndMSS))
		}
	}
}
