package gvisor

import (
	"encoding/binary"
	"net/netip"

	"connectlab/trace"

	"gvisor.dev/gvisor/pkg/tcpip/checksum"
	"gvisor.dev/gvisor/pkg/tcpip/header"
)

// A segment is one that a test writes itself.
type segment struct {
	from, to netip.AddrPort
	flags    trace.Flags
	seq, ack uint32
	window   uint16
	options  []byte
	data     string
}

// octets are the packet, with valid checksums.
func (s segment) octets() []byte {
	tcpLen := header.TCPMinimumSize + len(s.options) + len(s.data)
	source, destination := addressOf(s.from.Addr()), addressOf(s.to.Addr())
	var packet []byte
	if s.from.Addr().Is4() {
		packet = make([]byte, header.IPv4MinimumSize+tcpLen)
		ip := header.IPv4(packet)
		ip.Encode(&header.IPv4Fields{
			TotalLength: uint16(len(packet)), TTL: 64, Protocol: uint8(header.TCPProtocolNumber), SrcAddr: source, DstAddr: destination,
		})
		ip.SetChecksum(^ip.CalculateChecksum())
	} else {
		packet = make([]byte, header.IPv6MinimumSize+tcpLen)
		header.IPv6(packet).Encode(&header.IPv6Fields{
			PayloadLength: uint16(tcpLen), TransportProtocol: header.TCPProtocolNumber, HopLimit: 64, SrcAddr: source, DstAddr: destination,
		})
	}
	tcp := header.TCP(packet[len(packet)-tcpLen:])
	tcp.Encode(&header.TCPFields{
		SrcPort: s.from.Port(), DstPort: s.to.Port(), SeqNum: s.seq, AckNum: s.ack, DataOffset: uint8(header.TCPMinimumSize + len(s.options)),
		Flags: header.TCPFlags(s.flags), WindowSize: s.window,
	})
	copy(tcp[header.TCPMinimumSize:], s.options)
	copy(tcp[header.TCPMinimumSize+len(s.options):], s.data)
	pseudo := header.PseudoHeaderChecksum(header.TCPProtocolNumber, source, destination, uint16(tcpLen))
	tcp.SetChecksum(^tcp.CalculateChecksum(checksum.Checksum([]byte(s.data), pseudo)))
	return packet
}

func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }
func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
