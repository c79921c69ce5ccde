package handwritten

import (
	"math"
	"time"

	"connectlab/netns"
)

// socketOptions are what an application can set. A connection has those of its listener.
type socketOptions struct {
	reuseAddress, keepAlive, noDelay bool
	v6Only                           bool
	sendBuffer, receiveBuffer        int // octets
	buffersSet                       [2]bool
	linger                           int // seconds; -1: off
	maxSegment                       int // octets; 0: what the link takes
	keepIdle, keepInterval           time.Duration
	keepCount                        int
	userTimeout                      time.Duration // 0: R2 as the RFC has it
	ttl, tos                         uint8
}

func defaultOptions(f *Factory) socketOptions {
	return socketOptions{
		sendBuffer: defaultBuffer, receiveBuffer: f.receiveBuffer(), linger: -1, ttl: defaultTTL,
		keepIdle: 2 * time.Hour, keepInterval: 75 * time.Second, keepCount: 9, // MUST-28
	}
}

// Bounds of options.
const (
	leastBuffer    = 1024
	greatestBuffer = 1 << 30
	maxKeepSeconds = 32767
	maxKeepProbes  = 127
)

// Option reads an option.
func (c *tcb) Option(option netns.Option) (int, error) {
	if err := c.call(); err != nil {
		return 0, err
	}
	o := &c.options
	switch option {
	case netns.ReuseAddress:
		return boolInt(o.reuseAddress), nil
	case netns.SendBuffer:
		return o.sendBuffer, nil
	case netns.ReceiveBuffer:
		return o.receiveBuffer, nil
	case netns.KeepAlive:
		return boolInt(o.keepAlive), nil
	case netns.Linger:
		return o.linger, nil
	case netns.OOBInline:
		return 1, nil
	case netns.NoDelay:
		return boolInt(o.noDelay), nil
	case netns.MaxSegment:
		if c.effSndMSS > 0 {
			return c.effSndMSS, nil
		}
		return o.maxSegment, nil
	case netns.KeepIdle:
		return int(o.keepIdle / time.Second), nil
	case netns.KeepInterval:
		return int(o.keepInterval / time.Second), nil
	case netns.KeepCount:
		return o.keepCount, nil
	case netns.UserTimeout:
		return int(o.userTimeout / time.Millisecond), nil
	case netns.TTL:
		return int(o.ttl), nil
	case netns.TOS:
		return int(o.tos), nil
	case netns.V6Only:
		if c.stack.family != netns.IPv6 {
			return 0, netns.ErrNoProtocolOption
		}
		return boolInt(o.v6Only), nil
	}
	return 0, netns.ErrUnsupported
}

// SetOption sets an option.
func (c *tcb) SetOption(option netns.Option, value int) error {
	if err := c.call(); err != nil {
		return err
	}
	o := &c.options
	set := func(least, most int, to func()) error {
		if value < least || value > most {
			return netns.ErrInvalid
		}
		to()
		return nil
	}
	switch option {
	case netns.ReuseAddress:
		o.reuseAddress = value != 0
	case netns.SendBuffer:
		o.sendBuffer, o.buffersSet[0] = min(max(value, leastBuffer), greatestBuffer), true
	case netns.ReceiveBuffer:
		o.receiveBuffer, o.buffersSet[1] = min(max(value, leastBuffer), greatestBuffer), true
	case netns.KeepAlive:
		o.keepAlive = value != 0
		c.disarm(keepAlive)
		c.heard()
	case netns.Linger:
		o.linger = max(value, -1)
	case netns.OOBInline:
		if value == 0 {
			return netns.ErrUnsupported
		}
	case netns.NoDelay:
		o.noDelay = value != 0
		c.send()
	case netns.MaxSegment:
		return set(88, 1<<16-1, func() { o.maxSegment = value })
	case netns.KeepIdle:
		return set(1, maxKeepSeconds, func() { o.keepIdle = time.Duration(value) * time.Second; c.heard() })
	case netns.KeepInterval:
		return set(1, maxKeepSeconds, func() { o.keepInterval = time.Duration(value) * time.Second })
	case netns.KeepCount:
		return set(1, maxKeepProbes, func() { o.keepCount = value })
	case netns.UserTimeout:
		return set(0, math.MaxInt32, func() {
			o.userTimeout = time.Duration(value) * time.Millisecond
			if c.armed(userTimeout) { // MUST-21: it counts from where it began
				c.arm(userTimeout, max(c.userSince+c.r2()-c.stack.now, 0))
			}
		})
	case netns.TTL:
		return set(1, math.MaxUint8, func() { o.ttl = uint8(value) })
	case netns.TOS:
		return set(0, math.MaxUint8, func() { o.tos = uint8(value) })
	case netns.V6Only:
		switch {
		case c.stack.family != netns.IPv6:
			return netns.ErrNoProtocolOption
		case c.isBound || c.opened:
			return netns.ErrInvalid
		}
		o.v6Only = value != 0
	default:
		return netns.ErrUnsupported
	}
	return nil
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
