package pcapng

import (
	"fmt"
	"io"
	"math"
	"time"
	"unicode/utf8"

	"connectlab/trace"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// Side is whose view of a run a capture is.
type Side uint8

// The sides.
const (
	// Wire has each packet once, as it was sent, on the interface of the host that sent it. A packet on the interfaces of
	// both hosts would be there twice, and Wireshark would take the second for a retransmission.
	Wire Side = iota
	// Client has what the first host sent and what reached it: a packet that was lost is missing here if it was sent to it, one
	// that was duplicated is there twice, one that was corrupted is as it arrived.
	Client
	// Server has the same of the second host.
	Server
)

// Sides are all of them.
var Sides = [...]Side{Wire, Client, Server}

var sideNames = [...]string{"wire", "client", "server"}

// String prints "wire", "client" or "server".
func (s Side) String() string {
	if int(s) < len(sideNames) {
		return sideNames[s]
	}
	return fmt.Sprintf("Side(%d)", uint8(s))
}

// maxText is how long a name or a comment gets, octets. The format has room for 65,535, Wireshark's window for fewer.
const maxText = 2000

// Write writes the packets of a trace to w as a pcapng file. An interface is a host, its description tells the stack. Times are
// nanoseconds of virtual time, counted from the header's Start (from 1970 where it has none). A packet whose data
// the trace does not have is captured up to there, with its length on the wire. Each packet has a comment: the number of its
// event, the states of the connection's two sockets after it, and what the link did to the packet.
//
// Nothing of the machine or the time is in the file: the same trace gives the same octets. The error is w's, or says what a
// capture cannot hold: a trace without two hosts, or one that begins before 1970 or ends after 2262.
func Write(w io.Writer, t *trace.Trace, side Side) error {
	hosts := t.Header.Hosts
	if len(hosts) != 2 {
		return fmt.Errorf("pcapng: a capture is of two hosts, this trace has %d", len(hosts))
	}
	start := t.Header.Start
	if start.IsZero() {
		start = time.Unix(0, 0)
	}
	if !hasNanoseconds(start) || !hasNanoseconds(start.Add(t.End.At)) {
		return fmt.Errorf("pcapng: the times of a capture lie between 1970 and 2262, this trace begins at %v and takes %v", start, t.End.At)
	}
	if side != Wire {
		hosts = hosts[side-Client : side-Client+1]
	}
	var ng *pcapgo.NgWriter
	for i := range hosts {
		iface := pcapgo.NgInterface{
			Name: clip(hosts[i].Name), Description: clip(description(&hosts[i])), LinkType: linkType(&t.Header),
		}
		var err error
		if i == 0 {
			ng, err = pcapgo.NewNgWriterInterface(w, iface, pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "connectlab"}})
		} else {
			_, err = ng.AddInterface(iface)
		}
		if err != nil {
			return err
		}
	}
	c := newCommentator(t)
	for i := range t.Events {
		e := &t.Events[i]
		var p *trace.Packet
		flags := pcapgo.NgEpbFlags{Direction: pcapgo.NgEpbFlagDirectionOutbound}
		switch d := e.Detail.(type) {
		case *trace.Sent:
			p = d.Packet
		case *trace.Arrived:
			if side == Wire {
				continue
			}
			p, flags.Direction = d.Packet, pcapgo.NgEpbFlagDirectionInbound
		default:
			continue
		}
		at := 0
		for at < len(hosts) && hosts[at].Name != e.Host {
			at++
		}
		if at == len(hosts) { // the other host's
			continue
		}
		options := pcapgo.NgPacketOptions{Comments: []string{clip(c.comment(e, p))}}
		if side != Wire {
			options.Flags = &flags
		}
		info := gopacket.CaptureInfo{
			Timestamp: start.Add(e.At), CaptureLength: len(p.Octets), Length: max(p.Len, len(p.Octets)), InterfaceIndex: at,
		}
		if err := ng.WritePacketWithOptions(info, p.Octets, options); err != nil {
			return err
		}
	}
	return ng.Flush()
}

// hasNanoseconds reports whether a time can be counted in nanoseconds since 1970.
func hasNanoseconds(t time.Time) bool {
	return !t.Before(time.Unix(0, 0)) && !t.After(time.Unix(0, math.MaxInt64))
}

// linkType is what the octets of a trace's packets begin with.
func linkType(h *trace.Header) layers.LinkType {
	if h.Link == trace.LinkEthernet {
		return layers.LinkTypeEthernet
	}
	return layers.LinkTypeRaw
}

// description tells of a host's stack and address.
func description(h *trace.HostInfo) string {
	s := h.Stack
	for _, word := range []string{h.Version, h.Address} {
		if word != "" && s != "" {
			s += " "
		}
		s += word
	}
	return s
}

// clip cuts a text that came from a file to what a block has room for.
func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	s = s[:maxText]
	for len(s) > 0 {
		if r, n := utf8.DecodeLastRuneInString(s); r != utf8.RuneError || n > 1 {
			break
		}
		s = s[:len(s)-1]
	}
	return s + "…"
}
