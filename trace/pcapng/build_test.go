package pcapng_test

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"connectlab/trace"
	"connectlab/trace/wire"
)

// A captured is a frame as it stands in a capture.
type captured struct {
	at     int64 // nanoseconds since 1970
	octets []byte
	length int // on the wire
}

// second is the time of the first frame in captures that tests make.
const second = 1_700_000_000_000_000_000

// pcapFile is a classic capture.
func pcapFile(order binary.AppendByteOrder, nano bool, link uint32, frames ...captured) []byte {
	magic, unit := uint32(0xa1b2c3d4), int64(1000)
	if nano {
		magic, unit = 0xa1b23c4d, 1
	}
	b := order.AppendUint32(nil, magic)
	b = order.AppendUint16(order.AppendUint16(b, 2), 4)
	for _, v := range []uint32{0, 0, 262144, link} {
		b = order.AppendUint32(b, v)
	}
	for _, f := range frames {
		for _, v := range []uint32{uint32(f.at / 1e9), uint32(f.at % 1e9 / unit), uint32(len(f.octets)), uint32(f.length)} {
			b = order.AppendUint32(b, v)
		}
		b = append(b, f.octets...)
	}
	return b
}

// ng makes pcapng files, block by block.
type ng struct {
	order binary.AppendByteOrder
	b     []byte
}

func (n *ng) block(kind uint32, body []byte) {
	for len(body)%4 != 0 {
		body = append(body, 0)
	}
	total := uint32(len(body) + 12)
	n.b = n.order.AppendUint32(n.order.AppendUint32(n.b, kind), total)
	n.b = n.order.AppendUint32(append(n.b, body...), total)
}

func (n *ng) words(values ...uint32) (b []byte) {
	for _, v := range values {
		b = n.order.AppendUint32(b, v)
	}
	return b
}

func (n *ng) option(code uint16, value ...byte) []byte {
	b := n.order.AppendUint16(n.order.AppendUint16(nil, code), uint16(len(value)))
	b = append(b, value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func (n *ng) section() {
	b := n.order.AppendUint32(nil, 0x1a2b3c4d)
	b = n.order.AppendUint16(n.order.AppendUint16(b, 1), 0)
	b = n.order.AppendUint64(b, 1<<64-1)
	b = append(b, n.option(4, []byte("somebody's program")...)...)
	n.block(0x0a0d0d0a, append(b, n.option(0)...))
}

func (n *ng) iface(link uint16, snap uint32, options ...byte) {
	b := n.order.AppendUint16(n.order.AppendUint16(nil, link), 0)
	b = append(n.order.AppendUint32(b, snap), options...)
	if options != nil {
		b = append(b, n.option(0)...)
	}
	n.block(1, b)
}

func (n *ng) enhanced(iface uint32, stamp uint64, f captured) {
	b := n.words(iface, uint32(stamp>>32), uint32(stamp), uint32(len(f.octets)), uint32(f.length))
	b = append(b, f.octets...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	b = append(b, n.option(1, []byte("a comment")...)...)
	n.block(6, append(b, n.option(0)...))
}

func (n *ng) old(iface uint16, stamp uint64, f captured) {
	b := n.order.AppendUint16(n.order.AppendUint16(nil, iface), 0xffff)
	b = append(b, n.words(uint32(stamp>>32), uint32(stamp), uint32(len(f.octets)), uint32(f.length))...)
	n.block(2, append(b, f.octets...))
}

func (n *ng) simple(f captured) { n.block(3, append(n.words(uint32(f.length)), f.octets...)) }

// talk makes the packets of connections.
type talk struct {
	addresses [2]netip.Addr
	ports     [2]uint16
	seq       [2]trace.Seq
	frames    []captured
}

func newTalk(addresses ...string) *talk {
	t := &talk{addresses: [2]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}, ports: [2]uint16{40000, 80}, seq: [2]trace.Seq{1000, 0xfffffff0}}
	for i, a := range addresses {
		t.addresses[i] = netip.MustParseAddr(a)
	}
	return t
}

// send appends a segment of the client (0) or the server (1), 1 ms behind the one before.
func (t *talk) send(from int, flags trace.Flags, data string) *talk {
	p := trace.Packet{
		IP:  trace.IPHeader{Src: t.addresses[from], Dst: t.addresses[1-from], TTL: 64},
		TCP: trace.Segment{SrcPort: t.ports[from], DstPort: t.ports[1-from], Seq: t.seq[from], Ack: t.seq[1-from], Flags: flags, Window: 65535},
	}
	if !flags.Has(trace.ACK) {
		p.TCP.Ack = 0
	}
	octets := wire.Append(nil, &p, []byte(data))
	t.frames = append(t.frames, captured{second + int64(len(t.frames))*1_000_000, octets, len(octets)})
	t.seq[from] = t.seq[from].Add(uint32(len(data)))
	if flags&(trace.SYN|trace.FIN) != 0 {
		t.seq[from] = t.seq[from].Add(1)
	}
	return t
}

const (
	syn, ack, fin, rst = trace.SYN, trace.ACK, trace.FIN, trace.RST
)

func (t *talk) handshake() *talk { return t.send(0, syn, "").send(1, syn|ack, "").send(0, ack, "") }
func (t *talk) goodbye() *talk {
	return t.send(0, fin|ack, "").send(1, ack, "").send(1, fin|ack, "").send(0, ack, "")
}

// whole is a connection from the first SYN to the last ACK, with 5 octets of data each way.
func (t *talk) whole() *talk {
	return t.handshake().send(0, ack|trace.PSH, "hello").send(1, ack|trace.PSH, "world").send(0, ack, "").goodbye()
}

// in puts a link's header in front of each packet.
func (t *talk) in(header func(packet []byte) []byte) []captured {
	frames := slices.Clone(t.frames)
	for i, f := range frames {
		octets := append(header(f.octets), f.octets...)
		frames[i] = captured{f.at, octets, f.length + len(octets) - len(f.octets)}
	}
	return frames
}

// Paths that whole goes.
const (
	clientPath = "1: SYN-SENT ESTABLISHED FIN-WAIT-1 FIN-WAIT-2 TIME-WAIT"
	serverPath = "1: SYN-RECEIVED ESTABLISHED CLOSE-WAIT LAST-ACK CLOSED"
)
