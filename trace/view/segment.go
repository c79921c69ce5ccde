package view

import (
	"fmt"

	"connectlab/trace"
)

// A token is a piece of a segment's description that stays on one line.
type token struct {
	text  string
	style style
	glued bool // no blank before it
}

// segmentTokens describe a packet: bits first, then numbers, then options.
func (o *Options) segmentTokens(p *trace.Packet, n *numbering, ports bool) []token {
	if p.Kind != trace.PacketTCP {
		return o.otherTokens(p)
	}
	if n == nil {
		n = &numbering{}
	}
	s := &p.TCP
	tokens := o.shortTokens(p, n, ports)
	tokens = append(tokens, token{text: fmt.Sprintf("len %d", s.DataLen)})
	window := fmt.Sprintf("win %d", s.Window)
	if n.scales(s.Window) {
		window += fmt.Sprintf(" (%d)", uint64(s.Window)<<n.shift)
	}
	tokens = append(tokens, token{text: window})
	if s.Flags.Has(trace.URG) {
		tokens = append(tokens, token{text: fmt.Sprintf("urg %d", s.Urgent)})
	}
	first := len(tokens)
	for opt := range s.Options.All() {
		text := option(opt, n, o.Absolute)
		switch {
		case text == "":
			continue
		case len(tokens) == first:
			text = "<" + text
		default:
			tokens[len(tokens)-1].text += ","
		}
		tokens = append(tokens, token{text: text, glued: len(tokens) > first})
	}
	if len(tokens) > first {
		tokens[len(tokens)-1].text += ">"
	}
	if n.old {
		tokens = append(tokens, token{text: o.text("segment.old"), style: yellow})
	}
	return tokens
}

// shortTokens are as much of a segment as tells it from others.
func (o *Options) shortTokens(p *trace.Packet, n *numbering, ports bool) []token {
	if p.Kind != trace.PacketTCP {
		return o.otherTokens(p)[:1]
	}
	if n == nil {
		n = &numbering{}
	}
	s := &p.TCP
	var tokens []token
	if ports {
		tokens = append(tokens, token{text: fmt.Sprintf("%d→%d", s.SrcPort, s.DstPort)})
	}
	tokens = append(tokens, token{text: s.Flags.String(), style: bold})
	if n.again {
		tokens = append(tokens, token{text: o.text("segment.again"), style: yellow})
	}
	seq, ack := uint32(s.Seq), uint32(s.Ack)
	if !o.Absolute {
		seq, ack = n.seq(s.Seq), n.ack(s.Ack)
	}
	tokens = append(tokens, token{text: fmt.Sprintf("seq %d", seq)})
	if s.Flags.Has(trace.ACK) {
		tokens = append(tokens, token{text: fmt.Sprintf("ack %d", ack)})
	}
	return tokens
}

func (o *Options) otherTokens(p *trace.Packet) []token {
	name, says := o.text("packet.malformed"), o.count("unit.octets", int64(p.Len))
	switch p.Kind {
	case trace.PacketARP:
		name, says = "ARP", o.arp(&p.ARP)
	case trace.PacketICMP:
		name = "ICMP"
		if p.Neighbor() {
			name, says = "ND", o.neighbor(p)
		}
	case trace.PacketOther:
		name = o.text("packet.other", p.IP.Protocol)
		if p.IP.Version == 0 {
			name = o.text("packet.other-frame", p.Ethernet.EtherType)
		}
	case trace.PacketMalformed, trace.PacketTCP:
	}
	tokens := []token{{text: name, style: bold}, {text: says}}
	if p.Malformed != "" {
		tokens = append(tokens, token{text: clean(p.Malformed), style: red})
	}
	return tokens
}

// arp says what an ARP packet asks or tells.
func (o *Options) arp(a *trace.ARP) string {
	switch a.Operation {
	case trace.ARPRequest:
		return o.text("packet.who-has", a.TargetIP, a.SenderIP)
	case trace.ARPReply:
		return o.text("packet.is-at", a.SenderIP, a.SenderMAC)
	}
	return o.text("packet.arp", a.Operation)
}

// neighbor says what a neighbor solicitation asks or an advertisement tells.
func (o *Options) neighbor(p *trace.Packet) string {
	if p.ICMP.Type == trace.NeighborAdvertisement {
		return o.text("packet.is-at", p.ICMP.Target, p.ICMP.MAC)
	}
	return o.text("packet.who-has", p.ICMP.Target, p.IP.Src)
}

// arrivalTrouble says why a stack will not take a packet that arrived; empty if nothing is wrong with it.
func (o *Options) arrivalTrouble(p *trace.Packet) string {
	switch {
	case p.Malformed != "":
		return o.text("arrival.malformed", clean(p.Malformed))
	case p.IP.Checksum == trace.ChecksumBad:
		return o.text("arrival.ip-checksum")
	case p.Kind == trace.PacketTCP && p.TCP.Checksum == trace.ChecksumBad:
		return o.text("arrival.tcp-checksum")
	case p.Kind == trace.PacketICMP && p.ICMP.Checksum == trace.ChecksumBad:
		return o.text("arrival.icmp-checksum")
	}
	return ""
}

// flow lays tokens out in lines of at most n cells. Glued tokens stay together if a line can hold them. A token that
// is longer than a line is wrapped.
func flow(tokens []token, n int) [][]token {
	n = max(n, 1)
	var lines [][]token
	var line []token
	used := 0
	flush := func() {
		if len(line) > 0 {
			lines = append(lines, line)
		}
		line, used = nil, 0
	}
	for i, t := range tokens {
		if !t.glued {
			end := i + 1
			for end < len(tokens) && tokens[end].glued {
				end++
			}
			if group := flowWidth(tokens[i:end]); used+1+group > n && group <= n {
				flush()
			}
		}
		for j, text := range wrap(t.text, n) {
			piece := token{text: text, style: t.style, glued: t.glued && j == 0}
			gap := 1
			if piece.glued || used == 0 {
				gap = 0
			}
			if used > 0 && used+gap+width(text) > n {
				flush()
				gap = 0
			}
			line, used = append(line, piece), used+gap+width(text)
		}
	}
	flush()
	if len(lines) == 0 {
		return [][]token{nil}
	}
	return lines
}

// flowWidth is the number of cells that a line of tokens takes.
func flowWidth(line []token) int {
	w := 0
	for i, t := range line {
		if i > 0 && !t.glued {
			w++
		}
		w += width(t.text)
	}
	return w
}

// tokens writes a line of tokens from column x on.
func (c *canvas) tokens(x int, line []token) int {
	for i, t := range line {
		if i > 0 && !t.glued {
			x = c.put(x, " ", plain)
		}
		x = c.put(x, t.text, t.style)
	}
	return x
}
