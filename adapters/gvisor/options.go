package gvisor

import (
	"math"
	"time"

	"connectlab/netns"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
)

// unsupported names what an application cannot have.
var unsupported = []string{"SO_OOBINLINE off"}

// Bounds that gVisor's setsockopt takes from Linux.
const (
	maxKeepSeconds = 32767
	maxKeepProbes  = 127
)

// option reads an option as gVisor's getsockopt does.
func (w *socket) option(option netns.Option) (int, error) {
	ep, ops := w.ep, w.ep.SocketOptions()
	switch option {
	case netns.ReuseAddress:
		return boolInt(ops.GetReuseAddress()), nil
	case netns.SendBuffer:
		return int(ops.GetSendBufferSize()), nil
	case netns.ReceiveBuffer:
		return int(ops.GetReceiveBufferSize()), nil
	case netns.KeepAlive:
		return boolInt(ops.GetKeepAlive()), nil
	case netns.Linger:
		linger := ops.GetLinger()
		if !linger.Enabled {
			return -1, nil
		}
		return int(linger.Timeout / time.Second), nil
	case netns.OOBInline:
		return boolInt(ops.GetOutOfBandInline()), nil
	case netns.NoDelay:
		return boolInt(!ops.GetDelayOption()), nil
	case netns.MaxSegment:
		return intOption(ep, tcpip.MaxSegOption)
	case netns.KeepIdle:
		var v tcpip.KeepaliveIdleOption
		err := ep.GetSockOpt(&v)
		return int(time.Duration(v) / time.Second), asError(err)
	case netns.KeepInterval:
		var v tcpip.KeepaliveIntervalOption
		err := ep.GetSockOpt(&v)
		return int(time.Duration(v) / time.Second), asError(err)
	case netns.KeepCount:
		return intOption(ep, tcpip.KeepaliveCountOption)
	case netns.UserTimeout:
		var v tcpip.TCPUserTimeoutOption
		err := ep.GetSockOpt(&v)
		return int(time.Duration(v) / time.Millisecond), asError(err)
	case netns.TTL:
		name, unset := tcpip.IPv4TTLOption, int(tcpip.UseDefaultIPv4TTL)
		if w.host.family == netns.IPv6 {
			name, unset = tcpip.IPv6HopLimitOption, tcpip.UseDefaultIPv6HopLimit
		}
		v, err := intOption(ep, name)
		if err == nil && v == unset {
			var ttl tcpip.DefaultTTLOption
			failed := w.host.stack.NetworkProtocolOption(w.host.network, &ttl)
			return int(ttl), asError(failed)
		}
		return v, err
	case netns.TOS:
		return intOption(ep, w.tosOption())
	case netns.V6Only:
		if w.host.family != netns.IPv6 {
			return 0, netns.ErrNoProtocolOption
		}
		return boolInt(ops.GetV6Only()), nil
	}
	return 0, netns.ErrUnsupported
}

// setOption sets an option as gVisor's setsockopt does.
func (w *socket) setOption(option netns.Option, value int) error {
	ep, ops := w.ep, w.ep.SocketOptions()
	switch option {
	case netns.ReuseAddress:
		ops.SetReuseAddress(value != 0)
	case netns.SendBuffer:
		ops.SetSendBufferSize(bufferSize(value, ops.SendBufferLimits), true)
	case netns.ReceiveBuffer:
		ops.SetReceiveBufferSize(bufferSize(value, ops.ReceiveBufferLimits), true)
	case netns.KeepAlive:
		ops.SetKeepAlive(value != 0)
	case netns.Linger:
		ops.SetLinger(tcpip.LingerOption{Enabled: value >= 0, Timeout: time.Duration(max(value, 0)) * time.Second})
	case netns.OOBInline:
		// gVisor knows no urgent data, so all data are in line.
		if value == 0 {
			return netns.ErrUnsupported
		}
	case netns.NoDelay:
		ops.SetDelayOption(value == 0)
	case netns.MaxSegment:
		return asError(ep.SetSockOptInt(tcpip.MaxSegOption, value))
	case netns.KeepIdle:
		v := tcpip.KeepaliveIdleOption(time.Duration(value) * time.Second)
		return within(value, 1, maxKeepSeconds, func() tcpip.Error { return ep.SetSockOpt(&v) })
	case netns.KeepInterval:
		v := tcpip.KeepaliveIntervalOption(time.Duration(value) * time.Second)
		return within(value, 1, maxKeepSeconds, func() tcpip.Error { return ep.SetSockOpt(&v) })
	case netns.KeepCount:
		return within(value, 1, maxKeepProbes, func() tcpip.Error { return ep.SetSockOptInt(tcpip.KeepaliveCountOption, value) })
	case netns.UserTimeout:
		v := tcpip.TCPUserTimeoutOption(time.Duration(value) * time.Millisecond)
		return within(value, 0, math.MaxInt32, func() tcpip.Error { return ep.SetSockOpt(&v) })
	case netns.TTL:
		if w.host.family == netns.IPv6 {
			return within(value, 0, math.MaxUint8, func() tcpip.Error { return ep.SetSockOptInt(tcpip.IPv6HopLimitOption, value) })
		}
		return within(value, 1, math.MaxUint8, func() tcpip.Error { return ep.SetSockOptInt(tcpip.IPv4TTLOption, value) })
	case netns.TOS:
		return within(value, 0, math.MaxUint8, func() tcpip.Error { return ep.SetSockOptInt(w.tosOption(), value) })
	case netns.V6Only:
		switch {
		case w.host.family != netns.IPv6:
			return netns.ErrNoProtocolOption
		case ep.EndpointState() != tcp.StateInitial:
			return netns.ErrInvalid
		}
		ops.SetV6Only(value != 0)
	default:
		return netns.ErrUnsupported
	}
	return nil
}

func (w *socket) tosOption() tcpip.SockOptInt {
	if w.host.network == header.IPv6ProtocolNumber {
		return tcpip.IPv6TrafficClassOption
	}
	return tcpip.IPv4TOSOption
}

// bufferSize is the size that a buffer gets when an application wants so many octets: twice that, for what
// gVisor keeps beside the data, within the stack's limits.
func bufferSize(wanted int, limits func() (least, most int64)) int64 {
	least, most := limits()
	return max(2*min(max(int64(wanted), 0), most), least)
}

func intOption(ep *tcp.Endpoint, name tcpip.SockOptInt) (int, error) {
	v, err := ep.GetSockOptInt(name)
	return v, asError(err)
}

func within(value, least, most int, set func() tcpip.Error) error {
	if value < least || value > most {
		return netns.ErrInvalid
	}
	return asError(set())
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
