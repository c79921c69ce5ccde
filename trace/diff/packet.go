package diff

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"connectlab/trace"
)

// A packet is one that was sent, without what a run has chosen.
type packet struct {
	p             *trace.Packet
	e             *trace.Event
	local, remote portName
	seq, ack      number
	window        int64 // octets
	place         int64 // of its first number, counted whatever is normalised
	again         bool  // all that is in it had been sent before
	// gap is how long after the time before it is sent again, gapBefore how long the timer had run that time; 0: it was not, or that is not known.
	gap, gapBefore time.Duration

	stamped      bool
	tsval, tsecr int64
	elapsed      time.Duration // since the first TSval of its end
	unechoed     bool          // TSecr is 0
	echoed       bool          // TSecr is the TSval of packets of the peer: echoes
	echoes       span
	echoedBefore bool // of the incarnation before

	own, peer standing // before it
}

// essential are the control bits without which a segment is another one.
const essential = trace.SYN | trace.FIN | trace.RST | trace.ACK

// key is what identifies a packet among those of its lane.
func (v *packet) key(c *comparison) uint64 {
	h := newHash(v.p.Kind.String())
	switch v.p.Kind {
	case trace.PacketTCP:
		s := &v.p.TCP
		if !c.ignores(ControlBits) {
			h = h.int(int64(s.Flags & essential))
		}
		if !c.ignores(Numbers) {
			h = h.number(v.seq).number(v.ack)
		}
		if !c.ignores(Segmentation) {
			h = h.int(int64(s.DataLen))
		}
	case trace.PacketICMP:
		h = h.int(int64(v.p.ICMP.Type)).int(int64(v.p.ICMP.Code)).text(v.p.ICMP.Target.String())
	case trace.PacketARP:
		h = h.int(int64(v.p.ARP.Operation)).text(v.p.ARP.TargetIP.String())
	case trace.PacketOther, trace.PacketMalformed:
		h = h.int(int64(v.p.Len))
	}
	return uint64(h)
}

// String tells of a packet in the RFC's words: "<SEQ=1><ACK=1><CTL=ACK>, 5 octets".
func (v *packet) String() string {
	p := v.p
	switch p.Kind {
	case trace.PacketTCP:
		s := "<SEQ=" + v.seq.String() + ">"
		if p.TCP.Flags.Has(trace.ACK) {
			s += "<ACK=" + v.ack.String() + ">"
		}
		s += "<CTL=" + p.TCP.Flags.String() + ">"
		if p.TCP.DataLen > 0 {
			s += "<LEN=" + strconv.Itoa(p.TCP.DataLen) + ">"
		}
		return s
	case trace.PacketICMP:
		return "ICMP " + v.icmpText()
	case trace.PacketARP:
		return "ARP " + v.arpText()
	case trace.PacketOther, trace.PacketMalformed:
	}
	return fmt.Sprintf("%v %d", p.Kind, p.Len)
}

func (v *packet) icmpText() string {
	s := fmt.Sprintf("%d/%d", v.p.ICMP.Type, v.p.ICMP.Code)
	if v.p.Neighbor() {
		s += " " + v.p.ICMP.Target.String() + " " + v.p.ICMP.MAC.String()
	}
	return s
}

func (v *packet) arpText() string {
	a := &v.p.ARP
	return fmt.Sprintf("%d %v %v %v %v", a.Operation, a.SenderMAC, a.SenderIP, a.TargetMAC, a.TargetIP)
}

// differences collects what two moves differ in, heaviest first.
type differences struct {
	c    *comparison
	list []Difference
}

func (d *differences) add(a Aspect, field, left, right string) {
	if !d.c.ignores(a) {
		d.list = append(d.list, Difference{Aspect: a, Field: field, A: left, B: right})
	}
}

func (d *differences) text(a Aspect, field, left, right string) {
	if left != right {
		d.add(a, field, left, right)
	}
}

func (d *differences) number(a Aspect, field string, left, right int64) {
	if left != right {
		d.add(a, field, strconv.FormatInt(left, 10), strconv.FormatInt(right, 10))
	}
}

func (d *differences) yes(a Aspect, field string, left, right bool) {
	if left != right {
		d.add(a, field, set(left), set(right))
	}
}

// set is a bit as it prints.
func set(bit bool) string {
	if bit {
		return "1"
	}
	return "0"
}

func (d *differences) packets(a, b *packet) {
	p, q := a.p, b.p
	if p.Kind != q.Kind {
		d.add(Packets, "packet", a.String(), b.String())
		return
	}
	if a.local != b.local || a.remote != b.remote {
		d.add(Packets, "connection", a.local.String()+" > "+a.remote.String(), b.local.String()+" > "+b.remote.String())
	}
	switch p.Kind {
	case trace.PacketTCP:
		d.segments(a, b)
	case trace.PacketICMP:
		d.text(Link, "ICMP", a.icmpText(), b.icmpText())
	case trace.PacketARP:
		d.text(Link, "ARP", a.arpText(), b.arpText())
	case trace.PacketOther, trace.PacketMalformed:
		d.number(Packets, "packet", int64(p.Len), int64(q.Len))
	}
	d.headers(p, q)
	d.text(Checksums, "malformed", p.Malformed, q.Malformed)
	if p.TCP.Checksum != q.TCP.Checksum {
		d.add(Checksums, "checksum", p.TCP.Checksum.String(), q.TCP.Checksum.String())
	}
	if p.ICMP.Checksum != q.ICMP.Checksum {
		d.add(Checksums, "checksum", p.ICMP.Checksum.String(), q.ICMP.Checksum.String())
	}
}

func (d *differences) segments(a, b *packet) {
	s, u := &a.p.TCP, &b.p.TCP
	if s.Flags&essential != u.Flags&essential {
		d.add(ControlBits, "control-bits", s.Flags.String(), u.Flags.String())
	}
	d.number(ControlBits, "reserved-bits", int64(s.Reserved), int64(u.Reserved))
	if a.seq != b.seq {
		d.add(Numbers, "SEG.SEQ", a.seq.String(), b.seq.String())
	}
	if s.Flags.Has(trace.ACK) && u.Flags.Has(trace.ACK) {
		d.text(Numbers, "SEG.ACK", a.ack.String(), b.ack.String())
	}
	d.number(Segmentation, "data-length", int64(s.DataLen), int64(u.DataLen))
	d.data(a, b)
	d.options(a, b)
	d.number(Window, "SEG.WND", a.window, b.window)
	d.yes(Push, "PSH", s.Flags.Has(trace.PSH), u.Flags.Has(trace.PSH))
	if left, right := urgent(s), urgent(u); left != right {
		d.add(Urgent, "urgent-pointer", left, right)
	}
	const ecn = trace.ECE | trace.CWR | trace.AE
	if s.Flags&ecn != u.Flags&ecn {
		d.add(ECN, "ECN-bits", (s.Flags & ecn).String(), (u.Flags & ecn).String())
	}
}

// data compares the octets of data: of segments that begin with the same number as many as both have.
func (d *differences) data(a, b *packet) {
	if a.p.TCP.DataLen != b.p.TCP.DataLen && a.seq != b.seq || !d.c.compares(Data, "") {
		return
	}
	left, right := a.p.Data(), b.p.Data()
	both := min(len(left), len(right))
	if left, right = left[:both], right[:both]; !bytes.Equal(left, right) {
		x, y := parted(left, right)
		d.add(Data, "data-octets", x, y)
	}
}

// parted are two texts of octets from the first on that differs, a few of them.
func parted(a, b []byte) (left, right string) {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	const few = 8
	return fmt.Sprintf("%d: %x", i, a[i:min(i+few, len(a))]), fmt.Sprintf("%d: %x", i, b[i:min(i+few, len(b))])
}

func urgent(s *trace.Segment) string {
	if s.Flags.Has(trace.URG) {
		return strconv.Itoa(int(s.Urgent))
	}
	return ""
}

// headers compares what is below TCP. The fields of checksums are not compared, which follow from the rest, nor is the identification,
// which may be any that no other datagram on its way has (RFC 6864, Section 4).
func (d *differences) headers(p, q *trace.Packet) {
	a, b := &p.IP, &q.IP
	d.number(ECN, "ECN", int64(a.TOS&3), int64(b.TOS&3))
	d.number(IP, "TTL", int64(a.TTL), int64(b.TTL))
	d.number(IP, "DSCP", int64(a.TOS>>2), int64(b.TOS>>2))
	d.yes(IP, "DF", a.DF, b.DF)
	if a.MF != b.MF || a.FragOff != b.FragOff {
		d.add(IP, "fragment", fmt.Sprintf("%d %s", a.FragOff, set(a.MF)), fmt.Sprintf("%d %s", b.FragOff, set(b.MF)))
	}
	d.number(IP, "IP-header", int64(a.HeaderLen), int64(b.HeaderLen))
	if a.Checksum != b.Checksum {
		d.add(Checksums, "checksum", a.Checksum.String(), b.Checksum.String())
	}
	if p.Kind == trace.PacketICMP || p.Kind == trace.PacketOther {
		d.text(Packets, "packet", fmt.Sprintf("%v > %v, %d", a.Src, a.Dst, a.Protocol), fmt.Sprintf("%v > %v, %d", b.Src, b.Dst, b.Protocol))
	}
	if p.Link == q.Link {
		e, f := &p.Ethernet, &q.Ethernet
		if *e != *f {
			text := func(h *trace.EthernetHeader) string { return fmt.Sprintf("%v > %v, %#04x", h.Src, h.Dst, h.EtherType) }
			d.add(Link, "ethernet", text(e), text(f))
		}
	}
}
