package pcapng

import (
	"fmt"
	"net/netip"
	"strings"

	"connectlab/trace"
)

// A commentator knows of each packet of a trace what its comment says.
type commentator struct {
	t       *trace.Trace
	sockets []trace.Socket
	number  map[socketKey]*trace.Socket
	ends    map[endKey][]*trace.Socket // in the order in which they were first seen
	listens map[endKey][]*trace.Socket // by local port alone
	fates   map[int][]*trace.Fate      // by the N of the Sent
	settled map[int]int                // by the N of a packet's event: the N of the last change of state that it brought
}

type socketKey struct {
	host   string
	number int
}

// endKey is a connection as one host sees it.
type endKey struct {
	host          string
	local, remote netip.AddrPort
}

func newCommentator(t *trace.Trace) *commentator {
	c := &commentator{
		t: t, sockets: trace.Sockets(t), number: map[socketKey]*trace.Socket{},
		ends: map[endKey][]*trace.Socket{}, listens: map[endKey][]*trace.Socket{}, fates: map[int][]*trace.Fate{}, settled: map[int]int{},
	}
	for i := range c.sockets {
		s := &c.sockets[i]
		c.number[socketKey{s.Host, s.Number}] = s
		key := endKey{s.Host, s.Local, s.Remote}
		c.ends[key] = append(c.ends[key], s)
		for _, stay := range s.Stays {
			if stay.State == trace.Listen {
				key := listenKey(s.Host, s.Local.Port())
				c.listens[key] = append(c.listens[key], s)
				break
			}
		}
	}
	for i := range t.Events {
		e := &t.Events[i]
		switch d := e.Detail.(type) {
		case *trace.Fate:
			c.fates[e.Cause] = append(c.fates[e.Cause], d)
		case *trace.StateChange:
			if cause := t.Event(e.Cause); cause != nil {
				switch cause.Detail.(type) {
				case *trace.Arrived, *trace.Sent: // of one that was sent only in a capture, where the segment shows the state
					c.settled[e.Cause] = e.N
				default:
				}
			}
		default:
		}
	}
	return c
}

func listenKey(host string, port uint16) endKey {
	return endKey{host: host, local: netip.AddrPortFrom(netip.Addr{}, port)}
}

// comment is the comment of the packet of an event.
func (c *commentator) comment(e *trace.Event, p *trace.Packet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "event %d", e.N)
	sent := e.N
	_, arrived := e.Detail.(*trace.Arrived)
	if arrived {
		fmt.Fprintf(&b, "; sent in event %d", e.Cause)
		sent = e.Cause
	}
	n := max(e.N, c.settled[e.N])
	for i := range c.t.Header.Hosts {
		if p.Kind != trace.PacketTCP { // of no connection
			break
		}
		host := c.t.Header.Hosts[i].Name
		local, remote := p.Source(), p.Destination()
		if own := host == e.Host; own == arrived {
			local, remote = remote, local
		}
		fmt.Fprintf(&b, "; %s ", host)
		if s := c.socket(e, host, local, remote, n); s != nil {
			fmt.Fprintf(&b, "%d %v", s.Number, s.At(n).State)
		} else {
			b.WriteString("no socket")
		}
	}
	for _, f := range c.fates[sent] {
		fmt.Fprintf(&b, "; %s", fate(f))
	}
	return b.String()
}

// socket finds the socket of a host that a packet is about: the one that has the connection, else the one that the event
// names, else who listens at the port. nil: there is none, or the host has been rebooted since.
func (c *commentator) socket(e *trace.Event, host string, local, remote netip.AddrPort, n int) *trace.Socket {
	var found *trace.Socket
	for _, s := range c.ends[endKey{host, local, remote}] {
		if s.First <= n {
			found = s
		}
	}
	if found == nil && e.Host == host {
		found = c.number[socketKey{host, e.Socket}]
	}
	if found == nil {
		for _, s := range c.listens[listenKey(host, local.Port())] {
			if s.First <= n {
				found = s
			}
		}
	}
	if found != nil && found.Gone != 0 && found.Gone <= n && found.At(n).State != trace.Closed {
		return nil
	}
	return found
}

// fate tells what the link did to a packet.
func fate(f *trace.Fate) string {
	s := f.Kind.String()
	switch f.Kind {
	case trace.Delayed, trace.Duplicated:
		s += fmt.Sprintf(" by %v", f.Delay)
	case trace.Corrupted:
		s += fmt.Sprintf(" in octet %d, bit %d", f.Octet, f.Bit)
	case trace.Dropped, trace.Reordered, trace.QueueFull, trace.LinkDown, trace.HostGone, trace.TooLong:
	}
	if f.Rule != "" {
		s += " (" + f.Rule + ")"
	}
	return s
}
