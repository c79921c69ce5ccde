package view

import (
	"regexp"

	"connectlab/trace"
)

// A legend tells what the signs of a ladder mean: those that were drawn, each by its first example.
type legend struct {
	numbers bool   // segments with sequence numbers
	window  uint16 // as in the header, of a segment with a window scale; 0: none
	shift   uint8  // of that window
	note    bool   // what an observer saw
	nth     [3]string
	socket  string // a state with the number of its socket
	stub    bool   // an arrow without a lane
}

// nthConnection is how a story names a connection that came to a descriptor: "3#1".
var nthConnection = regexp.MustCompile(`\b(\d+)#(\d+)\b`)

// drew takes in a packet whose description was drawn.
func (g *legend) drew(p *trace.Packet, n *numbering) {
	if p.Kind != trace.PacketTCP {
		return
	}
	g.numbers = true
	if n != nil && n.scales(p.TCP.Window) && g.window == 0 {
		g.window, g.shift = p.TCP.Window, n.shift
	}
}

// noted takes in a remark that was drawn.
func (g *legend) noted(n *trace.Note) {
	g.note = g.note || !n.Failed
	if m := nthConnection.FindStringSubmatch(n.Text); m != nil && g.nth[0] == "" {
		copy(g.nth[:], m)
	}
}

// draw writes the legend, a line or more for each sign, behind an empty line.
func (g *legend) draw(c *canvas, o *Options) {
	var texts []string
	if g.numbers {
		key := "ladder.legend"
		if o.Absolute {
			key = "ladder.legend-absolute"
		}
		texts = append(texts, o.text(key))
	}
	if g.window != 0 {
		texts = append(texts, o.text("ladder.legend.window", g.window, uint64(g.window)<<g.shift, uint64(1)<<g.shift))
	}
	if g.stub {
		texts = append(texts, o.text("ladder.legend.stub"))
	}
	if g.socket != "" {
		texts = append(texts, o.text("ladder.legend.socket", g.socket))
	}
	if g.note {
		texts = append(texts, o.text("ladder.legend.note"))
	}
	if g.nth[0] != "" {
		texts = append(texts, o.text("ladder.legend.nth", g.nth[0], g.nth[1], g.nth[2]))
	}
	if len(texts) > 0 {
		c.flush()
	}
	for _, text := range texts {
		c.paragraph(0, text, dim)
	}
}
