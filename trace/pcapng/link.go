package pcapng

import (
	"encoding/binary"
	"fmt"

	"connectlab/trace/wire"

	"github.com/gopacket/gopacket/layers"
)

// A link is a link type, as the registry of link types counts them (www.tcpdump.org/linktypes.html).
type link uint16

// The link types that are read.
const (
	linkNull     link = 0 // BSD loopback, in the byte order of the machine that captured
	linkEthernet link = 1
	linkRawBSD   link = 12 // raw IP on the BSDs, whose number was not given away
	linkRawOBSD  link = 14
	linkRaw      link = 101
	linkLoop     link = 108
	linkCooked   link = 113
	linkIPv4     link = 228
	linkIPv6     link = 229
	linkCooked2  link = 276
)

func (l link) known() bool {
	switch l {
	case linkNull, linkEthernet, linkRawBSD, linkRawOBSD, linkRaw, linkLoop, linkCooked, linkIPv4, linkIPv6, linkCooked2:
		return true
	}
	return false
}

// unknownLink is the error of a link type that is not read.
func unknownLink(l link) error {
	name := layers.LinkType(l).String()
	if more, ok := otherLinks[l]; ok {
		name = more
	}
	return fmt.Errorf("link type %d (%s) is not one of those that can be read: Ethernet, Linux cooked, raw IP, BSD loopback", l, name)
}

// otherLinks are names that gopacket does not know, of link types that people capture on.
var otherLinks = map[link]string{
	9: "PPP", 50: "PPP", 51: "PPPoE", 105: "IEEE 802.11", 119: "IEEE 802.11 with a Prism header", 127: "IEEE 802.11 with a radiotap header",
	189: "USB", 192: "IEEE 802.11 with a PPI header", 195: "IEEE 802.15.4", 201: "Bluetooth", 220: "USB", 251: "Bluetooth Low Energy",
	253: "Netlink",
}

// What a frame can be.
type content uint8

const (
	contentIP    content = iota
	contentOther         // not IP
	contentShort         // captured only up to within the link's header
)

// Ethertypes.
const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86dd
)

// ip strips the link's header off a frame: what is left begins with the IP header. length is the frame's on the wire, and
// then the packet's.
func (l link) ip(frame []byte, length int) (octets []byte, n int, c content) {
	switch l {
	case linkEthernet:
		return etherPayload(frame, length, 12)
	case linkCooked:
		return etherPayload(frame, length, 14)
	case linkCooked2:
		const header = 20
		if len(frame) < header {
			return nil, 0, contentShort
		}
		kind := binary.BigEndian.Uint16(frame)
		for at := header; ; at += 4 {
			switch {
			case !wire.IsVLANTag(kind):
				return frame[at:], length - at, contentOf(kind)
			case len(frame) < at+4:
				return nil, 0, contentShort
			}
			kind = binary.BigEndian.Uint16(frame[at+2:])
		}
	case linkNull, linkLoop:
		if len(frame) < 4 {
			return nil, 0, contentShort
		}
		family := binary.BigEndian.Uint32(frame)
		if l == linkNull && family > 0xffff { // from a machine of the other byte order
			family = binary.LittleEndian.Uint32(frame)
		}
		switch family {
		case 2, 10, 24, 28, 30: // AF_INET, and AF_INET6 of Linux, NetBSD, FreeBSD and Darwin
			return frame[4:], length - 4, contentIP
		}
		return nil, 0, contentOther
	default:
		return frame, length, contentIP
	}
}

// etherPayload strips a header that ends with an Ethertype, which stands at at, and the tags of VLANs behind it.
func etherPayload(frame []byte, length, at int) (octets []byte, n int, c content) {
	for {
		if len(frame) < at+2 {
			return nil, 0, contentShort
		}
		kind := binary.BigEndian.Uint16(frame[at:])
		if !wire.IsVLANTag(kind) {
			return frame[at+2:], length - at - 2, contentOf(kind)
		}
		at += 4
	}
}

func contentOf(kind uint16) content {
	if kind == etherIPv4 || kind == etherIPv6 {
		return contentIP
	}
	return contentOther
}
