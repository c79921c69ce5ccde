// Package oracle compares package wire with gopacket/layers. It is for tests only: gopacket is the judge that does not
// share a line with wire.
package oracle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"connectlab/trace"
	"connectlab/trace/wire"
)

// Compare decodes one whole packet of a link with wire and with gopacket, and compares them field by field: IP header, TCP header,
// each option, what the options say, data, and whether the checksums are right; on Ethernet its header, ARP, and of IPv6's
// neighbor discovery whom it is about. It returns the number of fields that it
// compared, and what differed first.
//
// Where one of the two reads further than the other by design, the fields behind that point are not compared and not
// counted: gopacket gives a packet up over IP options or IPv6 destination options that make no sense, takes an IPv4 total
// length of zero for segmentation offload, reads jumbograms, and does not look behind the header of an atomic fragment; wire
// does not judge the inside of a multipath option.
func Compare(link trace.LinkType, octets []byte) (fields int, err error) {
	p := trace.Packet{Octets: octets, Len: len(octets), Link: link}
	wire.Decode(&p)
	c := comparison{p: &p}
	if link == trace.LinkEthernet {
		c.ethernet()
	} else {
		c.ip(octets)
	}
	return c.fields, c.err
}

// ip compares what begins with an IP header.
func (c *comparison) ip(octets []byte) {
	c.octets = octets
	switch {
	case len(octets) > 0 && octets[0]>>4 == 4:
		c.packet = gopacket.NewPacket(octets, layers.LayerTypeIPv4, gopacket.Default)
		c.ipv4()
	case len(octets) > 0 && octets[0]>>4 == 6:
		c.packet = gopacket.NewPacket(octets, layers.LayerTypeIPv6, gopacket.Default)
		c.ipv6()
	default:
		c.equal("kind", c.p.Kind, trace.PacketMalformed)
	}
}

type comparison struct {
	p      *trace.Packet
	octets []byte // from the IP header on
	packet gopacket.Packet
	fields int
	err    error
}

// equal compares one field.
func (c *comparison) equal(field string, wire, gopacket any) {
	c.fields++
	if wire != gopacket && c.err == nil {
		c.err = fmt.Errorf("%s: wire says %v, gopacket says %v", field, wire, gopacket)
	}
}

// unreadable compares what wire could not read further. gopacket says so too, or, where a header would stand at the very
// end of the datagram, ends there in silence.
func (c *comparison) unreadable() {
	read := c.packet.ErrorLayer() == nil && !c.packet.Metadata().Truncated && c.packet.TransportLayer() != nil
	c.equal("packet can be read", false, read)
}

func (c *comparison) ipv4() {
	ip, ok := c.packet.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	if c.p.Kind == trace.PacketMalformed {
		c.unreadable()
		return
	}
	offload := binary.BigEndian.Uint16(c.octets[2:]) == 0
	if !ok || ip.Version == 0 || offload { // given up over its length or its options
		return
	}
	w := &c.p.IP
	c.equal("version", w.Version, ip.Version)
	c.equal("IP header octets", w.HeaderLen, 4*int(ip.IHL))
	c.equal("TOS", w.TOS, ip.TOS)
	c.equal("ID", w.ID, ip.Id)
	c.equal("DF", w.DF, ip.Flags&layers.IPv4DontFragment != 0)
	c.equal("MF", w.MF, ip.Flags&layers.IPv4MoreFragments != 0)
	c.equal("fragment offset", w.FragOff, 8*int(ip.FragOffset))
	c.equal("TTL", w.TTL, ip.TTL)
	c.equal("protocol", w.Protocol, uint8(ip.Protocol))
	c.addresses(ip.SrcIP, ip.DstIP)
	err, sum := ip.VerifyChecksum()
	c.equal("IP checksum", w.Checksum, verdict(err, sum))
	for _, o := range ip.Options {
		if o.OptionType == 131 || o.OptionType == 137 { // source routes: wire looks whether they are at their end
			return
		}
	}
	c.payload(ip, 1, layers.LayerTypeICMPv4)
}

func (c *comparison) ipv6() {
	ip, ok := c.packet.Layer(layers.LayerTypeIPv6).(*layers.IPv6)
	if c.p.Kind == trace.PacketMalformed {
		c.unreadable()
		return
	}
	if !ok || ip.Length == 0 {
		return
	}
	w := &c.p.IP
	c.equal("version", w.Version, ip.Version)
	c.equal("traffic class", w.TOS, ip.TrafficClass)
	c.equal("hop limit", w.TTL, ip.HopLimit)
	c.equal("IP checksum", w.Checksum, trace.ChecksumUnverified)
	c.addresses(ip.SrcIP, ip.DstIP)
	if c.p.Malformed != "" { // gopacket may have walked on through what is there
		c.unreadable()
		return
	}

	header, next, at := 40, ip.NextHeader, 1
	for _, l := range c.packet.Layers()[1:] {
		switch l := l.(type) {
		case *layers.IPv6HopByHop:
			header, next = header+l.ActualLength, l.NextHeader
		case *layers.IPv6Destination:
			header, next = header+l.ActualLength, l.NextHeader
		case *layers.IPv6Routing:
			header, next = header+l.ActualLength, l.NextHeader
			if l.SegmentsLeft > 0 {
				return
			}
		case *layers.IPv6Fragment:
			if !l.MoreFragments && l.FragmentOffset == 0 { // atomic: wire reads on, gopacket does not
				return
			}
			c.equal("MF", w.MF, l.MoreFragments)
			c.equal("fragment offset", w.FragOff, 8*int(l.FragmentOffset))
			header, next = header+8, l.NextHeader
		default:
			if c.packet.ErrorLayer() == nil {
				c.equal("IP header octets", w.HeaderLen, header)
				c.equal("protocol", w.Protocol, uint8(next))
			}
			c.payload(ip, at, layers.LayerTypeICMPv6)
			return
		}
		at++
	}
}

func (c *comparison) addresses(src, dst []byte) {
	s, _ := netip.AddrFromSlice(src)
	d, _ := netip.AddrFromSlice(dst)
	c.equal("source address", c.p.IP.Src, s)
	c.equal("destination address", c.p.IP.Dst, d)
}

// payload compares what stands behind the IP header, in gopacket's layer of index at.
func (c *comparison) payload(ip gopacket.NetworkLayer, at int, icmp gopacket.LayerType) {
	ls := c.packet.Layers()
	if c.p.Malformed != "" {
		c.unreadable()
		return
	}
	if at >= len(ls) {
		c.equal("kind", c.p.Kind, trace.PacketOther)
		return
	}
	switch ls[at].LayerType() {
	case layers.LayerTypeTCP:
		c.equal("kind", c.p.Kind, trace.PacketTCP)
		if c.p.Kind == trace.PacketTCP {
			c.tcp(ip, ls[at].(*layers.TCP))
		}
	case icmp:
		c.equal("kind", c.p.Kind, trace.PacketICMP)
		c.icmp(ip)
	case gopacket.LayerTypeDecodeFailure: // ICMP that is cut short, or extension headers that make no sense
		if c.p.Kind != trace.PacketICMP && c.p.IP.HeaderLen == 40 {
			c.equal("kind", c.p.Kind, trace.PacketOther)
		}
	default:
		c.equal("kind", c.p.Kind, trace.PacketOther)
	}
}

// ethernet compares a frame. What its header carries is read on its own: gopacket stops at frames that are padded in a way
// that it does not expect.
func (c *comparison) ethernet() {
	const headers = 14
	p, octets := c.p, c.p.Octets
	if len(octets) < headers {
		c.equal("kind", p.Kind, trace.PacketMalformed)
		c.equal("Ethernet header octets", p.Ethernet.HeaderLen, 0)
		return
	}
	var g layers.Ethernet
	if err := g.DecodeFromBytes(octets, gopacket.NilDecodeFeedback); err != nil {
		return // it has a length that makes no sense
	}
	at, kind := headers, g.EthernetType
	rest := g.Payload
	for kind == layers.EthernetTypeDot1Q || kind == layers.EthernetTypeQinQ {
		var tag layers.Dot1Q
		if err := tag.DecodeFromBytes(rest, gopacket.NilDecodeFeedback); err != nil {
			c.equal("kind", p.Kind, trace.PacketMalformed)
			return
		}
		at, kind, rest = at+4, tag.Type, tag.Payload
	}
	c.equal("Ethernet header octets", p.Ethernet.HeaderLen, at)
	c.equal("destination MAC", p.Ethernet.Dst.String(), g.DstMAC.String())
	c.equal("source MAC", p.Ethernet.Src.String(), g.SrcMAC.String())
	version := byte(4)
	switch kind {
	case layers.EthernetTypeARP:
		c.equal("EtherType", p.Ethernet.EtherType, uint16(kind))
		c.arp(rest)
		return
	case layers.EthernetTypeIPv6:
		version = 6
	case layers.EthernetTypeIPv4:
	default:
		c.equal("kind", p.Kind, trace.PacketOther)
		return
	}
	c.equal("EtherType", p.Ethernet.EtherType, uint16(kind))
	if len(rest) > 0 && rest[0]>>4 != version {
		c.equal("kind", p.Kind, trace.PacketMalformed)
		return
	}
	c.ip(rest)
}

func (c *comparison) arp(octets []byte) {
	p := c.p
	var g layers.ARP
	err := g.DecodeFromBytes(octets, gopacket.NilDecodeFeedback)
	switch {
	case err == nil && g.AddrType == layers.LinkTypeEthernet && g.Protocol == layers.EthernetTypeIPv4 && g.HwAddressSize == 6 && g.ProtAddressSize == 4:
	case p.Kind == trace.PacketOther: // it resolves other addresses, and has room for the lengths of these
		c.equal("octets for lengths", len(octets) >= 8, true)
		c.equal("ARP of IPv4 over Ethernet", bytes.HasPrefix(octets, []byte{0, 1, 8, 0, 6, 4}), false)
		return
	default:
		c.equal("kind", p.Kind, trace.PacketMalformed)
		c.equal("ARP can be read", false, err == nil)
		return
	}
	c.equal("kind", p.Kind, trace.PacketARP)
	sender, _ := netip.AddrFromSlice(g.SourceProtAddress)
	target, _ := netip.AddrFromSlice(g.DstProtAddress)
	c.equal("operation", p.ARP.Operation, g.Operation)
	c.equal("sender MAC", p.ARP.SenderMAC.String(), net.HardwareAddr(g.SourceHwAddress).String())
	c.equal("sender IP", p.ARP.SenderIP, sender)
	c.equal("target MAC", p.ARP.TargetMAC.String(), net.HardwareAddr(g.DstHwAddress).String())
	c.equal("target IP", p.ARP.TargetIP, target)
}

// icmp compares an ICMP message.
func (c *comparison) icmp(ip gopacket.NetworkLayer) {
	w := &c.p.ICMP
	if g, ok := c.packet.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4); ok {
		c.equal("ICMP type", w.Type, g.TypeCode.Type())
		c.equal("ICMP code", w.Code, g.TypeCode.Code())
		err, sum := g.VerifyChecksum()
		c.equal("ICMP checksum", w.Checksum, verdict(err, sum))
		return
	}
	g, ok := c.packet.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6)
	if !ok {
		return
	}
	c.equal("ICMPv6 type", w.Type, g.TypeCode.Type())
	c.equal("ICMPv6 code", w.Code, g.TypeCode.Code())
	if err := g.SetNetworkLayerForChecksum(ip); err == nil {
		err, sum := g.VerifyChecksum()
		c.equal("ICMPv6 checksum", w.Checksum, verdict(err, sum))
	}
	if n, ok := c.packet.Layer(layers.LayerTypeICMPv6NeighborSolicitation).(*layers.ICMPv6NeighborSolicitation); ok {
		c.neighbor(n.TargetAddress, n.Options, layers.ICMPv6OptSourceAddress)
	}
	if n, ok := c.packet.Layer(layers.LayerTypeICMPv6NeighborAdvertisement).(*layers.ICMPv6NeighborAdvertisement); ok {
		c.neighbor(n.TargetAddress, n.Options, layers.ICMPv6OptTargetAddress)
	}
}

func (c *comparison) neighbor(target net.IP, options layers.ICMPv6Options, address layers.ICMPv6Opt) {
	t, _ := netip.AddrFromSlice(target)
	c.equal("neighbor discovery target", c.p.ICMP.Target, t)
	var mac trace.MAC
	for _, o := range options {
		if o.Type == address && len(o.Data) == 6 {
			mac = trace.MAC(o.Data)
			break
		}
	}
	c.equal("link-layer address", c.p.ICMP.MAC, mac)
}

func (c *comparison) tcp(ip gopacket.NetworkLayer, tcp *layers.TCP) {
	w := &c.p.TCP
	c.equal("source port", w.SrcPort, uint16(tcp.SrcPort))
	c.equal("destination port", w.DstPort, uint16(tcp.DstPort))
	c.equal("sequence number", uint32(w.Seq), tcp.Seq)
	c.equal("acknowledgment number", uint32(w.Ack), tcp.Ack)
	c.equal("TCP header octets", w.HeaderLen, 4*int(tcp.DataOffset))
	c.equal("reserved bits", w.Reserved, tcp.Contents[12]>>1&7)
	for _, f := range []struct {
		bit trace.Flags
		set bool
	}{
		{trace.FIN, tcp.FIN}, {trace.SYN, tcp.SYN}, {trace.RST, tcp.RST}, {trace.PSH, tcp.PSH}, {trace.ACK, tcp.ACK},
		{trace.URG, tcp.URG}, {trace.ECE, tcp.ECE}, {trace.CWR, tcp.CWR}, {trace.AE, tcp.NS},
	} {
		c.equal("control bit "+f.bit.String(), w.Flags.Has(f.bit), f.set)
	}
	c.equal("window", w.Window, tcp.Window)
	c.equal("checksum field", w.Sum, tcp.Checksum)
	c.equal("urgent pointer", w.Urgent, tcp.Urgent)
	c.equal("data octets", w.DataLen, len(tcp.Payload))
	c.equal("data", true, bytes.Equal(c.p.Data(), tcp.Payload))
	c.options(w.Options, tcp)

	err := tcp.SetNetworkLayerForChecksum(ip)
	if err != nil {
		c.err = err
		return
	}
	err, sum := tcp.VerifyChecksum()
	c.equal("TCP checksum", w.Checksum, verdict(err, sum))
}

func (c *comparison) options(w trace.Options, tcp *layers.TCP) {
	i := 0
	for o := range w.All() {
		if i == len(tcp.Options) {
			if o.Kind != layers.TCPOptionKindMultipathTCP {
				c.equal("number of options", "more", len(tcp.Options))
			}
			return
		}
		g := tcp.Options[i]
		c.equal("option kind", o.Kind, uint8(g.OptionType))
		c.equal("option data", true, bytes.Equal(o.Data, g.OptionData))
		i++
	}
	c.equal("number of options", i, len(tcp.Options))
	c.equal("octets behind the options", true, bytes.Equal(w.Rest(), tcp.Padding))
	c.said(w, tcp)
}

// said compares what the options say: the first of a kind that has the right length counts.
func (c *comparison) said(w trace.Options, tcp *layers.TCP) {
	find := func(kind layers.TCPOptionKind, n int) ([]byte, bool) {
		for _, o := range tcp.Options {
			if o.OptionType == kind && len(o.OptionData) == n {
				return o.OptionData, true
			}
		}
		return nil, false
	}
	mss, has := w.MSS()
	d, ok := find(layers.TCPOptionKindMSS, 2)
	c.equal("option MSS", has, ok)
	if ok {
		c.equal("MSS", mss, binary.BigEndian.Uint16(d))
	}
	shift, has := w.WindowScale()
	d, ok = find(layers.TCPOptionKindWindowScale, 1)
	c.equal("option window scale", has, ok)
	if ok {
		c.equal("shift", shift, d[0])
	}
	_, ok = find(layers.TCPOptionKindSACKPermitted, 0)
	c.equal("option SACK permitted", w.SACKPermitted(), ok)
	val, ecr, has := w.Timestamps()
	d, ok = find(layers.TCPOptionKindTimestamps, 8)
	c.equal("option timestamps", has, ok)
	if ok {
		c.equal("TSval", val, binary.BigEndian.Uint32(d))
		c.equal("TSecr", ecr, binary.BigEndian.Uint32(d[4:]))
	}
}

func verdict(err error, sum gopacket.ChecksumVerificationResult) trace.Checksum {
	switch {
	case err != nil:
		return trace.ChecksumUnverified
	case sum.Valid:
		return trace.ChecksumGood
	}
	return trace.ChecksumBad
}
