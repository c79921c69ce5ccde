package gvisor

import (
	"gvisor.dev/gvisor/pkg/buffer"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

// A link is the stack's end of the link: a channel endpoint that keeps what its full queue throws away, instead of
// losing it in silence.
//
// Workers write while the driver waits; the driver reads while no worker works.
type link struct {
	*channel.Endpoint
	read int // how many packets were read from the queue
	lost []lostPacket
}

type lostPacket struct {
	packet *stack.PacketBuffer
	after  int // it was sent after so many packets had gone through the queue
}

func newLink(size int, mtu uint32) *link { return &link{Endpoint: channel.New(size, mtu, "")} }

// WritePackets queues the packets. channel.Endpoint answers with the number that found room, and no error.
func (l *link) WritePackets(packets stack.PacketBufferList) (int, tcpip.Error) {
	n, err := l.Endpoint.WritePackets(packets)
	if n < packets.Len() && err == nil {
		for _, p := range packets.AsSlice()[n:] {
			l.lost = append(l.lost, lostPacket{packet: p.Clone(), after: l.read + l.NumQueued()})
		}
	}
	return n, err
}

// Close does nothing: what a stack sends while it is destroyed can still be taken.
func (l *link) Close() {}

// take appends the octets of the next packet to buf.
func (l *link) take(buf []byte) (packet []byte, lost, ok bool) {
	var p *stack.PacketBuffer
	if len(l.lost) > 0 && l.lost[0].after <= l.read {
		p, lost = l.lost[0].packet, true
		l.lost[0].packet = nil
		if l.lost = l.lost[1:]; len(l.lost) == 0 {
			l.lost = nil
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

// inject hands a copy of a packet to the stack.
func (s *netstack) inject(packet []byte) {
	p := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: buffer.MakeWithData(packet)})
	s.link.InjectInbound(s.network, p)
	p.DecRef()
}
