package book

import (
	"cmp"
	"net/netip"
	"slices"

	"connectlab/trace"
)

// A connect is one side's try to connect. In a simultaneous open there are two.
type connect struct {
	call *call // connect(); nil: none was seen before the first segment
	last *call // the last connect() of the try: a program whose socket does not block calls it again to ask
	end  *end  // that sent the SYN; nil: none was sent
	// first is the first segment that came of it, whatever it is; nil: none was sent.
	first *segment
	// syns are the segments of the end with SYN and without ACK: the first one and its retransmissions.
	syns []*segment
}

// host is the name of the host that connects.
func (c *connect) host() string {
	if c.call != nil {
		return c.call.event.Host
	}
	return c.first.event.Host
}

// socket is the number of the socket that connects; 0: not known.
func (c *connect) socket() int {
	if c.call != nil {
		return c.call.socket
	}
	return c.first.event.Socket
}

// connects finds what the calls and the SYNs of a trace tell of tries to connect, in the order of their first event.
func connects(r *record) []*connect {
	type addressed struct {
		host   string
		remote netip.AddrPort
	}
	var all []*connect
	bySocket, byAddress := map[socketKey]*connect{}, map[addressed]*connect{}
	calls := r.calls
	called := func(before int) {
		for ; len(calls) > 0 && calls[0].n < before; calls = calls[1:] {
			c := calls[0]
			if c.call.Name != "connect" {
				continue
			}
			key := socketKey{c.event.Host, c.socket}
			if try := bySocket[key]; c.socket != 0 && try != nil && !try.last.failed() {
				try.last = c
				continue
			}
			made := &connect{call: c, last: c}
			all = append(all, made)
			bySocket[key], byAddress[addressed{c.event.Host, c.call.Addr}] = made, made
		}
	}
	for _, s := range r.segments {
		called(s.n)
		c := s.from.connect
		switch {
		case c != nil:
		case s.event.Socket != 0:
			c = bySocket[socketKey{s.event.Host, s.event.Socket}]
		default: // the stack does not tell which socket sent it
			if c = byAddress[addressed{s.event.Host, s.packet.Destination()}]; c != nil && c.end != nil {
				c = nil
			}
		}
		syn := s.packet.TCP.Flags&(trace.SYN|trace.ACK) == trace.SYN
		if c == nil && !syn {
			continue
		}
		if c == nil {
			c = &connect{}
			all = append(all, c)
		}
		if c.first == nil {
			c.first = s
		}
		if syn {
			c.end, s.from.connect = s.from, c
			c.syns = append(c.syns, s)
		}
	}
	called(len(r.t.Events) + 1)
	slices.SortStableFunc(all, func(a, b *connect) int { return cmp.Compare(a.n(), b.n()) })
	return all
}

// n is the number of its first event.
func (c *connect) n() int {
	if c.call != nil {
		return c.call.n
	}
	return c.first.n
}

// failed reports whether a connect() came back with an error that ends its try.
func (c *call) failed() bool { return c.ret != nil && c.ret.Errno != "" && !c.underWay() }

// underWay reports whether a connect() came back before it was known what becomes of it.
func (c *call) underWay() bool {
	return c.ret != nil && slices.Contains([]string{"EINPROGRESS", "EALREADY", "EINTR"}, c.ret.Errno)
}
