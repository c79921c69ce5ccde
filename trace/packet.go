package trace

import (
	"encoding/binary"
	"encoding/hex"
	"iter"
	"net/netip"
)

// A Packet is one packet as it crossed the link: its octets and what they say. What they say is decoded by
// package wire; this package only holds it.
type Packet struct {
	// Octets begin with the header that Link says. Where the record keeps no data they end with the last header; Len
	// tells the length on the wire then. The packet's owner may reuse the slice: see Recorder.Keep.
	Octets []byte
	// Len is the number of octets on the wire.
	Len int
	// Link says with which header Octets begin: that of the trace's Header.Link.
	Link LinkType
	// Kind says which of the fields below are filled.
	Kind PacketKind
	// Malformed is why the packet could not be decoded further: empty for a well-formed one.
	Malformed string
	// Ethernet is filled on LinkEthernet, unless not even that header can be read: its HeaderLen is 0 then.
	Ethernet EthernetHeader
	// ARP is filled for PacketARP.
	ARP ARP
	// IP is filled where there is an IP header that can be read: its Version is 0 where not.
	IP IPHeader
	// ICMP is filled for PacketICMP.
	ICMP ICMP
	// TCP is filled for PacketTCP.
	TCP Segment
}

// LinkType says with which header the octets of a link's packets begin.
type LinkType uint8

// The types of links.
const (
	// LinkIP: with the IP header.
	LinkIP LinkType = iota
	// LinkEthernet: with the Ethernet header. The frame check sequence at the end is not among the octets, and no frame is
	// padded to Ethernet's least length by connectlab.
	LinkEthernet
)

var linkNames = [...]string{"ip", "ethernet"}

// String prints "ip" or "ethernet".
func (l LinkType) String() string { return nameOf("LinkType", linkNames[:], l) }

// ParseLinkType reads what String prints.
func ParseLinkType(s string) (LinkType, error) {
	return parseName[LinkType]("link", linkNames[:], s)
}

// PacketKind is what a packet carries.
type PacketKind uint8

// The kinds of packets.
const (
	// PacketMalformed: not even the IP header can be read, or the Ethernet header or the ARP packet in its place.
	PacketMalformed PacketKind = iota
	// PacketTCP: a TCP segment, whole.
	PacketTCP
	// PacketICMP: an ICMP or ICMPv6 message.
	PacketICMP
	// PacketOther: another protocol, a fragment, or a TCP or ICMP header that cannot be read.
	PacketOther
	// PacketARP: an ARP packet of IPv4 over Ethernet.
	PacketARP
)

var packetKindNames = [...]string{"malformed", "tcp", "icmp", "other", "arp"}

// String prints the kind's name.
func (k PacketKind) String() string { return nameOf("PacketKind", packetKindNames[:], k) }

// Checksum says whether a checksum was right.
type Checksum uint8

// What a checksum can be.
const (
	// ChecksumUnverified: there is none, or not all octets that it covers are at hand.
	ChecksumUnverified Checksum = iota
	ChecksumGood
	ChecksumBad
	// ChecksumUncomputed: in a capture, it was still to be computed by the sender's network card. See Packet.AsCaptured.
	ChecksumUncomputed
)

var checksumNames = [...]string{"unverified", "good", "bad", "uncomputed"}

// String prints "unverified", "good", "bad" or "uncomputed".
func (c Checksum) String() string { return nameOf("Checksum", checksumNames[:], c) }

// A MAC is the address of an interface on Ethernet.
type MAC [6]byte

// String prints six octets in hexadecimal: "00:00:5e:00:53:01".
func (m MAC) String() string { return string(m.AppendTo(nil)) }

// AppendTo appends what String prints.
func (m MAC) AppendTo(b []byte) []byte {
	for i, octet := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = hex.AppendEncode(b, []byte{octet})
	}
	return b
}

// Broadcast reports whether m is the address of all: ff:ff:ff:ff:ff:ff.
func (m MAC) Broadcast() bool { return m == MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff} }

// EthernetHeader is the header of an Ethernet frame (RFC 894, RFC 2464).
type EthernetHeader struct {
	// HeaderLen is in octets: 14, and 4 more for each VLAN tag, which are not looked into. 0: there is no such header.
	HeaderLen int
	Dst, Src  MAC
	EtherType uint16 // of what follows
}

// EtherTypes of what connectlab reads.
const (
	EtherTypeIPv4 = 0x0800
	EtherTypeARP  = 0x0806
	EtherTypeIPv6 = 0x86dd
)

// ARP is an ARP packet that asks for the MAC of an IPv4 address, or tells it (RFC 826).
type ARP struct {
	Operation            uint16 // ARPRequest, ARPReply
	SenderMAC, TargetMAC MAC
	SenderIP, TargetIP   netip.Addr
}

// Operations of ARP.
const (
	ARPRequest = 1
	ARPReply   = 2
)

// ICMP is what connectlab reads of an ICMP message (RFC 792; of IPv6: RFC 4443, RFC 4861). IP.Version tells of which.
type ICMP struct {
	Type, Code uint8
	Checksum   Checksum
	// Target is the address that a neighbor solicitation asks for, or a neighbor advertisement tells of; else invalid.
	Target netip.Addr
	// MAC is the solicitation's source link-layer address, or the advertisement's target link-layer address: zero where it
	// has none.
	MAC MAC
}

// Types of ICMPv6 messages that IPv6 needs to find a neighbor.
const (
	NeighborSolicitation  = 135
	NeighborAdvertisement = 136
)

// Neighbor reports whether the packet is a neighbor solicitation or advertisement whose target could be read.
func (p *Packet) Neighbor() bool { return p.Kind == PacketICMP && p.ICMP.Target.IsValid() }

// IPHeader is what connectlab reads of an IPv4 (RFC 791) or IPv6 (RFC 8200) header.
type IPHeader struct {
	Version   uint8
	HeaderLen int // octets, with IPv4 options or IPv6 extension headers
	Src, Dst  netip.Addr
	Protocol  uint8 // 6 is TCP
	TTL       uint8 // hop limit in IPv6
	TOS       uint8 // traffic class in IPv6: DSCP and ECN
	ID        uint16
	DF, MF    bool
	FragOff   int      // octets
	Checksum  Checksum // of the IPv4 header; IPv6 has none
}

// Segment is a TCP segment (RFC 9293, Section 3.1).
type Segment struct {
	SrcPort, DstPort uint16
	Seq, Ack         Seq
	HeaderLen        int   // octets: four times the data offset
	Reserved         uint8 // the three bits of RFC 9293's four that no RFC has given a meaning
	Flags            Flags
	Window           uint16 // as in the header: not scaled
	Sum              uint16 // the checksum field
	Urgent           uint16
	Options          Options // a part of the packet's octets
	DataLen          int     // octets of data, on the wire
	Checksum         Checksum
}

// Len is SEG.LEN: the sequence numbers that the segment occupies, SYN and FIN counted.
func (s *Segment) Len() uint32 {
	n := uint32(s.DataLen)
	if s.Flags.Has(SYN) {
		n++
	}
	if s.Flags.Has(FIN) {
		n++
	}
	return n
}

// Source is the packet's source address and port. Without TCP the port is 0, without an IP header the address is invalid.
func (p *Packet) Source() netip.AddrPort { return netip.AddrPortFrom(p.IP.Src, p.TCP.SrcPort) }

// Destination is the packet's destination address and port, as Source.
func (p *Packet) Destination() netip.AddrPort { return netip.AddrPortFrom(p.IP.Dst, p.TCP.DstPort) }

// Data are the segment's data as far as they were kept. The slice is a part of Octets.
func (p *Packet) Data() []byte {
	if p.Kind != PacketTCP {
		return nil
	}
	from := p.headers()
	to := from + p.TCP.DataLen
	if from > len(p.Octets) {
		return nil
	}
	return p.Octets[from:min(to, len(p.Octets))]
}

// headers is how many octets the headers take up to that of TCP.
func (p *Packet) headers() int { return p.Ethernet.HeaderLen + p.IP.HeaderLen + p.TCP.HeaderLen }

// Kinds of options.
const (
	OptionEnd           = 0
	OptionNOP           = 1
	OptionMSS           = 2
	OptionWindowScale   = 3
	OptionSACKPermitted = 4
	OptionSACK          = 5
	OptionTimestamps    = 8
)

// Options are the octets of a segment's options, padding included.
type Options []byte

// An Option is one option. Data leaves out kind and length.
type Option struct {
	Kind uint8
	Data []byte
}

// All yields the options one by one, NOP and the end of the list included. It stops at the first whose length
// cannot be (RFC 9293, Section 3.1, MUST-7: never a crash); Rest tells whether it did.
func (o Options) All() iter.Seq[Option] {
	return func(yield func(Option) bool) {
		for len(o) > 0 {
			opt, rest, ok := o.next()
			if !ok || !yield(opt) || opt.Kind == OptionEnd {
				return
			}
			o = rest
		}
	}
}

// next splits off the first option.
func (o Options) next() (opt Option, rest Options, ok bool) {
	switch o[0] {
	case OptionEnd, OptionNOP:
		return Option{Kind: o[0]}, o[1:], true
	}
	if len(o) < 2 || o[1] < 2 || int(o[1]) > len(o) {
		return Option{}, nil, false
	}
	return Option{o[0], o[2:o[1]]}, o[o[1]:], true
}

// Rest returns the octets behind the last option that could be read: padding behind the end of the list, or
// options that are broken.
func (o Options) Rest() []byte {
	for len(o) > 0 {
		opt, rest, ok := o.next()
		if !ok {
			return o
		}
		o = rest
		if opt.Kind == OptionEnd {
			break
		}
	}
	return o
}

// find returns the first option of a kind with n octets of data.
func (o Options) find(kind uint8, n int) ([]byte, bool) {
	for len(o) > 0 {
		opt, rest, ok := o.next()
		if !ok || opt.Kind == OptionEnd {
			return nil, false
		}
		if opt.Kind == kind && len(opt.Data) == n {
			return opt.Data, true
		}
		o = rest
	}
	return nil, false
}

// MSS is the maximum segment size option (RFC 9293, Section 3.7.1), in octets.
func (o Options) MSS() (uint16, bool) {
	d, ok := o.find(OptionMSS, 2)
	if !ok {
		return 0, false
	}
	return binary.BigEndian.Uint16(d), true
}

// WindowScale is the shift count of the window scale option (RFC 7323, Section 2.2).
func (o Options) WindowScale() (uint8, bool) {
	d, ok := o.find(OptionWindowScale, 1)
	if !ok {
		return 0, false
	}
	return d[0], true
}

// SACKPermitted reports the SACK-permitted option (RFC 2018, Section 2).
func (o Options) SACKPermitted() bool {
	_, ok := o.find(OptionSACKPermitted, 0)
	return ok
}

// Timestamps are TSval and TSecr of the timestamps option (RFC 7323, Section 3.2).
func (o Options) Timestamps() (val, ecr uint32, ok bool) {
	d, ok := o.find(OptionTimestamps, 8)
	if !ok {
		return 0, 0, false
	}
	return binary.BigEndian.Uint32(d), binary.BigEndian.Uint32(d[4:]), true
}

// SACKBlocks yields the left and right edges of a SACK option (RFC 2018, Section 3).
func (o Option) SACKBlocks() iter.Seq2[Seq, Seq] {
	return func(yield func(Seq, Seq) bool) {
		for d := o.Data; o.Kind == OptionSACK && len(d) >= 8; d = d[8:] {
			if !yield(Seq(binary.BigEndian.Uint32(d)), Seq(binary.BigEndian.Uint32(d[4:]))) {
				return
			}
		}
	}
}
