package gvisor

import (
	"connectlab/netns"
	"connectlab/trace"

	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// A link is the stack's end of the link: a channel endpoint that keeps what its full queue throws away, instead of
// losing it in silence.
//
// Workers write while the driver waits; the driver reads while no worker works.
type link struct {
	*channel.Endpoint
	kind    trace.LinkType
	limit   int // how many packets can wait
	read    int // how many were read from the channel
	spill   []overflow
	spilled int // how many of spill are not lost
}

// channelLength is how many packets the channel holds. A step seldom sends more, and a channel as long as the whole
// queue would be most of what it costs to make a stack.
const channelLength = 128

// An overflow is a packet that found no room in the channel.
type overflow struct {
	packet *stack.PacketBuffer
	after  int  // it was sent after so many packets had gone into the channel
	lost   bool // it found no room in the queue either
}

func newLink(limit int, env *netns.Env) *link {
	mtu, mac := uint32(env.MTU), tcpip.LinkAddress("")
	if env.Link == trace.LinkEthernet {
		mtu += header.EthernetMinimumSize // of which the Ethernet endpoint takes its header away
		mac = tcpip.LinkAddress(env.MAC[:])
	}
	return &link{Endpoint: channel.New(min(limit, channelLength), mtu, mac), kind: env.Link, limit: limit}
}

// attached is what the stack's interface is attached to: the link itself, or what writes and reads Ethernet headers.
func (l *link) attached() stack.LinkEndpoint {
	if l.kind == trace.LinkEthernet {
		return ethernet.New(l)
	}
	return l
}

// WritePackets queues the packets. The channel answers with the number that found room there, and with no error.
func (l *link) WritePackets(packets stack.PacketBufferList) (int, tcpip.Error) {
	n, err := l.Endpoint.WritePackets(packets)
	if err != nil {
		return n, err
	}
	for _, p := range packets.AsSlice()[n:] {
		o := overflow{packet: p.Clone(), after: l.read + l.NumQueued(), lost: l.NumQueued()+l.spilled >= l.limit}
		if !o.lost {
			l.spilled++
			n++
		}
		l.spill = append(l.spill, o)
	}
	return n, nil
}

// Close does nothing: what a stack sends while it is destroyed can still be taken.
func (l *link) Close() {}

// take appends the octets of the next packet to buf.
func (l *link) take(buf []byte) (packet []byte, lost, ok bool) {
	var p *stack.PacketBuffer
	if len(l.spill) > 0 && l.spill[0].after <= l.read {
		p, lost = l.spill[0].packet, l.spill[0].lost
		l.spill[0].packet = nil
		if !lost {
			l.spilled--
		}
		if l.spill = l.spill[1:]; len(l.spill) == 0 {
			l.spill = nil
		}
	} else {
		if p = l.Read(); p == nil {
			return buf, false, false
		}
		l.read++
	}
	views, skip := p.AsViewList()
	for v := views.Front(); v != nil; v = v.Next() {
		octets := v.AsSlice()
		if skip >= len(octets) {
			skip -= len(octets)
			continue
		}
		buf = append(buf, octets[skip:]...)
		skip = 0
	}
	p.DecRef()
	return buf, lost, true
}

// network is what of a packet stands behind the Ethernet header, where there is one, if it is IP; else nothing.
func (l *link) network(packet []byte) []byte {
	if l.kind == trace.LinkIP {
		return packet
	}
	if len(packet) < header.EthernetMinimumSize {
		return nil
	}
	switch header.Ethernet(packet).Type() {
	case header.IPv4ProtocolNumber, header.IPv6ProtocolNumber:
		return packet[header.EthernetMinimumSize:]
	}
	return nil
}

// takes reports whether a packet is for this host at all. On Ethernet a network card drops frames for others, and gVisor
// relies on that.
func (l *link) takes(packet []byte) bool {
	if l.kind == trace.LinkIP {
		return true
	}
	if len(packet) < header.EthernetMinimumSize {
		return false
	}
	to := header.Ethernet(packet).DestinationAddress()
	return to == l.LinkAddress() || to == header.EthernetBroadcastAddress || header.IsMulticastEthernetAddress(to)
}

// inject hands a copy of a packet to the stack. The number of the protocol counts only without an Ethernet header, which
// has it.
func (s *netstack) inject(packet []byte) {
	p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(packet)})
	s.link.InjectInbound(s.network, p)
	p.DecRef()
}
