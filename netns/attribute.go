package netns

import "connectlab/trace"

// attribution tells who brought a piece of control information to a socket: it knows what the driver last did to the
// stack, and says "a field of the segment" only where the field's value is the item's.
type attribution struct {
	call   *Call         // a call, or one that was tried again
	packet *trace.Packet // a packet that arrived; nil: neither call nor packet, so a timer

	// The control information of the socket, before and now.
	before, now *trace.ControlInfo
}

// by fills in Change.By and Change.Field.
func (a *attribution) by(c *trace.Change) {
	switch {
	case a.call != nil:
		if a.byCall(c) {
			c.By = trace.ByApplication
		}
	case a.packet != nil:
		if f := a.byPacket(c); f != trace.NoField {
			c.By, c.Field = trace.BySegment, f
		}
	}
}

// byCall reports whether the application brought the new value: as an argument, or as what its call does.
func (a *attribution) byCall(c *trace.Change) bool {
	call := a.call
	if c.Item == trace.PendingError && c.New().Kind == trace.None {
		return true // the call has returned it
	}
	switch call.Op {
	case OpSocket:
		return c.Item == trace.Protocol
	case OpBind:
		switch c.Item {
		case trace.LocalAddress:
			return c.New().Text == call.Addr.Addr().String()
		case trace.LocalPort:
			return c.New().Num == int64(call.Addr.Port())
		}
	case OpListen:
		return c.Item == trace.Backlog
	case OpConnect:
		switch c.Item {
		case trace.RemoteAddress, trace.RemotePort:
			return true
		}
	case OpSend, OpSendAll:
		switch c.Item {
		case trace.SendBufferUsed, trace.SndNxt:
			return true
		}
	case OpReceive, OpReceiveAll:
		switch c.Item {
		case trace.ReceiveBufferUsed, trace.ReceiveMemoryUsed, trace.RcvWnd:
			return true
		}
	case OpAccept:
		return c.Item == trace.AcceptQueue
	case OpShutdown, OpClose, OpAbort:
		switch c.Item {
		case trace.SndNxt, trace.SendBufferUsed, trace.ReceiveBufferUsed, trace.ReceiveMemoryUsed, trace.SynQueue, trace.AcceptQueue, trace.Backlog:
			return true
		}
	case OpSetOption:
		switch c.Item {
		case trace.SendBufferLimit:
			return call.Option == SendBuffer
		case trace.ReceiveBufferLimit:
			return call.Option == ReceiveBuffer
		}
	case OpGetError, OpGetOption, OpNonBlocking:
	}
	return false
}

// byPacket returns the field that brought the new value, or NoField.
func (a *attribution) byPacket(c *trace.Change) trace.Field {
	p := a.packet
	if p.Kind == trace.PacketICMP {
		if c.Item == trace.PendingError || c.Item == trace.EffSendMSS {
			return trace.FieldICMP
		}
		return trace.NoField
	}
	if p.Kind != trace.PacketTCP {
		return trace.NoField
	}
	seg := &p.TCP
	is := func(f trace.Field, yes bool) trace.Field {
		if yes {
			return f
		}
		return trace.NoField
	}
	if c.New().Kind == trace.None || c.New().Kind == trace.NotObservable {
		return trace.NoField // what is gone was not in a field, even where a field is 0
	}
	n := c.New().Num
	switch c.Item {
	case trace.LocalAddress:
		return is(trace.FieldDestinationAddress, c.New().Text == p.IP.Dst.String())
	case trace.LocalPort:
		return is(trace.FieldDestinationPort, n == int64(seg.DstPort))
	case trace.RemoteAddress:
		return is(trace.FieldSourceAddress, c.New().Text == p.IP.Src.String())
	case trace.RemotePort:
		return is(trace.FieldSourcePort, n == int64(seg.SrcPort))
	case trace.IRS:
		// Of a connection made from a SYN cookie the answer's ACK brings it: its number is one past.
		return is(trace.FieldSequenceNumber, n == int64(seg.Seq) || n == int64(seg.Seq.Add(^uint32(0))))
	case trace.ISS:
		// And so is its own: what the cookie was comes back in the acknowledgment number.
		return is(trace.FieldAcknowledgmentNumber, c.Source == trace.Inferred && seg.Flags.Has(trace.ACK) && n == int64(seg.Ack.Add(^uint32(0))))
	case trace.RcvNxt:
		if seg.DataLen > 0 && n != int64(seg.Seq.Add(seg.Len())) {
			return trace.FieldData // data that had come out of order joined
		}
		return is(trace.FieldSequenceNumber, n == int64(seg.Seq.Add(seg.Len())))
	case trace.SndUna:
		return is(trace.FieldAcknowledgmentNumber, seg.Flags.Has(trace.ACK) && n == int64(seg.Ack))
	case trace.SndWnd:
		shift := int64(0)
		if v := a.now.Value(trace.SndWindShift); v.Kind == trace.Number && !seg.Flags.Has(trace.SYN) {
			shift = v.Num
		}
		return is(trace.FieldWindow, n == int64(seg.Window)<<shift)
	case trace.SendMSS:
		mss, ok := seg.Options.MSS()
		return is(trace.FieldMSS, ok && n == int64(mss))
	case trace.SndWindShift:
		shift, ok := seg.Options.WindowScale()
		return is(trace.FieldWindowScale, ok && n == int64(shift))
	case trace.SACKPermitted:
		return is(trace.FieldSACKPermitted, n == 1 && seg.Options.SACKPermitted())
	case trace.Timestamps:
		_, _, ok := seg.Options.Timestamps()
		return is(trace.FieldTimestamps, n == 1 && ok)
	case trace.TSRecent:
		val, _, ok := seg.Options.Timestamps()
		return is(trace.FieldTimestamps, ok && n == int64(val))
	case trace.ReceiveBufferUsed, trace.ReceiveMemoryUsed:
		return is(trace.FieldData, seg.DataLen > 0)
	case trace.SendBufferUsed:
		// What is acknowledged leaves the buffer; a SYN or FIN acknowledged with it was not there. A buffer that is thrown
		// away is the stack's doing, as at a RST, whose acknowledgment is not looked at (RFC 9293, Section 3.10.7.4).
		una := a.before.Value(trace.SndUna)
		acked, freed := int64(seg.Ack.Sub(trace.Seq(una.Num))), c.Old().Num-n
		known := una.Kind == trace.Number && c.Old().Kind == trace.Number && seg.Flags&(trace.ACK|trace.RST) == trace.ACK
		return is(trace.FieldAcknowledgmentNumber, known && freed > 0 && (acked == freed || acked == freed+1))
	case trace.SynQueue, trace.AcceptQueue:
		return trace.FieldControlBits
	case trace.PendingError:
		return is(trace.FieldControlBits, seg.Flags&(trace.RST|trace.SYN) != 0)
	case trace.Protocol:
		return trace.NoField // the listener has it already; the stack copies it
	}
	return trace.NoField // RCV.WND, RTO, SRTT, cwnd …: the stack computes them
}
