package view

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"connectlab/trace"
)

// A HeaderField is one field of a TCP header, or one of its options.
type HeaderField struct {
	// Bit is the number of its first bit, counted from 0 at the beginning of the TCP header, and Bits its width.
	Bit  int `json:"bit"`
	Bits int `json:"bits"`
	// Name is RFC 9293's.
	Name string `json:"name"`
	// English and Korean are the book's names; of what the book does not have, the RFC's in the language.
	English string `json:"english"`
	Korean  string `json:"korean"`
	// Value is the number in the field. For an option it is its kind.
	Value uint64 `json:"value"`
	// Text is what the value says: "SYN,ACK", "40 octets", "maximum segment size 1460 octets". English.
	Text string `json:"text,omitempty"`
	key  string // of the catalogue
}

// An EventError says that an event has no TCP header to show.
type EventError struct {
	Event   int // the event that was asked for
	Problem EventProblem
	Last    int // the number of the trace's last event
	Try     int // the first event that has a TCP header; 0: none
}

// EventProblem is why an event has no TCP header to show.
type EventProblem uint8

// Why an event can have no TCP header to show.
const (
	NoSuchEvent EventProblem = iota
	NoPacket
	NoTCP
	// NoHeader: no event was asked for, and the trace has no TCP header at all.
	NoHeader
)

var eventProblems = [...]string{"error.no-such-event", "error.no-packet", "error.no-tcp", "error.no-header"}

// Error is the English text.
func (e *EventError) Error() string { return e.In(English) }

// In is the text in a language.
func (e *EventError) In(l Language) string {
	var s string
	switch e.Problem {
	case NoSuchEvent:
		s = Text(l, eventProblems[e.Problem], e.Event, e.Last)
	case NoPacket, NoTCP:
		s = Text(l, eventProblems[e.Problem], e.Event)
	case NoHeader:
		return Text(l, eventProblems[e.Problem])
	}
	if e.Try == 0 {
		return s + Text(l, "error.try-none")
	}
	return s + Text(l, "error.try", e.Try)
}

// packetAt finds the packet of an event. Event 0 is the first SYN, or the first segment of a trace without one.
func packetAt(t *trace.Trace, event int) (*trace.Event, *trace.Packet, error) {
	var syn, first *trace.Event
	for i := range t.Events {
		e := &t.Events[i]
		p := packetOf(e)
		if p == nil || p.Kind != trace.PacketTCP {
			continue
		}
		if first == nil {
			first = e
		}
		if p.TCP.Flags.Has(trace.SYN) {
			syn = e
			break
		}
	}
	if syn == nil {
		syn = first
	}
	fail := &EventError{Event: event, Last: len(t.Events)}
	if syn != nil {
		fail.Try = syn.N
	}
	if event == 0 {
		if syn == nil {
			fail.Problem = NoHeader
			return nil, nil, fail
		}
		return syn, packetOf(syn), nil
	}
	e := t.Event(event)
	if e == nil {
		fail.Problem = NoSuchEvent
		return nil, nil, fail
	}
	p := packetOf(e)
	switch {
	case p == nil:
		fail.Problem = NoPacket
	case p.Kind != trace.PacketTCP:
		fail.Problem = NoTCP
	default:
		return e, p, nil
	}
	return nil, nil, fail
}

// packetOf is the packet that was sent or that arrived with an event; nil for another event.
func packetOf(e *trace.Event) *trace.Packet {
	switch d := e.Detail.(type) {
	case *trace.Sent:
		return d.Packet
	case *trace.Arrived:
		return d.Packet
	default:
		return nil
	}
}

// HeaderFields are the fields of the TCP header of an event's packet, in their order in the header, each control
// bit by itself, options behind them. Event 0 is the first SYN. The error is an *EventError.
func HeaderFields(t *trace.Trace, event int) ([]HeaderField, error) {
	e, p, err := packetAt(t, event)
	if err != nil {
		return nil, err
	}
	return fields(p, numberingOf(t, e), &Options{}), nil
}

// controlBits are the bits behind the data offset, from the highest: what the book says they are, and since when
// they are something else.
var controlBits = [...]struct {
	name string
	bit  trace.Flags // 0: reserved
	key  string
}{
	{"", 0, ""}, {"", 0, ""}, {"", 0, ""}, {"AE", trace.AE, "bit.AE"},
	{"CWR", trace.CWR, "bit.CWR"}, {"ECE", trace.ECE, "bit.ECE"}, {"URG", trace.URG, "bit.URG"}, {"ACK", trace.ACK, "bit.ACK"},
	{"PSH", trace.PSH, "bit.PSH"}, {"RST", trace.RST, "bit.RST"}, {"SYN", trace.SYN, "bit.SYN"}, {"FIN", trace.FIN, "bit.FIN"},
}

// firstControlBit is where the bits behind the data offset begin.
const firstControlBit = 100

// bitValue is the value of the i-th of controlBits.
func bitValue(s *trace.Segment, i int) uint64 {
	if controlBits[i].bit == 0 {
		// Segment.Reserved holds the three that still are.
		return uint64(s.Reserved >> (2 - i) & 1)
	}
	if s.Flags.Has(controlBits[i].bit) {
		return 1
	}
	return 0
}

// numberingOf is how the numbers of an event's packet are to be read.
func numberingOf(t *trace.Trace, e *trace.Event) *numbering {
	all := numberings(t)
	if n := all[e.N]; n != nil {
		return n
	}
	if n := all[e.Cause]; n != nil {
		return n
	}
	return &numbering{}
}

// fields reads a header. The texts are in the language of o.
func fields(p *trace.Packet, n *numbering, o *Options) []HeaderField {
	s := &p.TCP
	var list []HeaderField
	bit := 0
	add := func(bits int, name, key string, value uint64, text string) {
		list = append(list, HeaderField{
			Bit: bit, Bits: bits, Name: name, English: Text(English, key), Korean: Text(Korean, key), Value: value, Text: text, key: key,
		})
		bit += bits
	}
	add(16, "Source Port", "header.source-port", uint64(s.SrcPort), "")
	add(16, "Destination Port", "header.destination-port", uint64(s.DstPort), "")
	seq, ack := "", ""
	if n.seqKnown {
		seq = o.text("header.relative", n.seq(s.Seq))
	}
	switch {
	case !s.Flags.Has(trace.ACK):
		ack = o.text("header.not-valid", "ACK")
	case n.ackKnown:
		ack = o.text("header.relative", n.ack(s.Ack))
	}
	add(32, "Sequence Number", "header.sequence-number", uint64(s.Seq), seq)
	add(32, "Acknowledgment Number", "header.acknowledgment-number", uint64(s.Ack), ack)
	add(4, "Data Offset", "header.data-offset", uint64(s.HeaderLen/4), o.text("unit.octets", s.HeaderLen))
	add(3, "Reserved", "header.reserved", uint64(s.Reserved), "")
	for i, b := range controlBits {
		if b.bit != 0 {
			add(1, b.name, b.key, bitValue(s, i), "")
		}
	}
	add(16, "Window", "header.window", uint64(s.Window), "")
	add(16, "Checksum", "header.checksum", uint64(s.Sum), fmt.Sprintf("0x%04x, %s", s.Sum, o.text(keyed("checksum.", s.Checksum.String()))))
	urgent := ""
	if !s.Flags.Has(trace.URG) {
		urgent = o.text("header.not-valid", "URG")
	}
	add(16, "Urgent Pointer", "header.urgent-pointer", uint64(s.Urgent), urgent)
	for opt := range s.Options.All() {
		octets := len(opt.Data) + 2
		if opt.Kind == trace.OptionEnd || opt.Kind == trace.OptionNOP {
			octets = 1
		}
		add(8*octets, "Option", "header.option", uint64(opt.Kind), o.optionText(opt))
	}
	if rest := s.Options.Rest(); len(rest) > 0 {
		name, text := "header.padding", ""
		for _, b := range rest {
			if b != 0 {
				name, text = "header.broken", fmt.Sprintf("% x", rest)
				break
			}
		}
		add(8*len(rest), "Padding", name, 0, text)
	}
	return list
}

// optionText says what an option says.
func (o *Options) optionText(opt trace.Option) string {
	whole := trace.Options(append([]byte{opt.Kind, byte(len(opt.Data) + 2)}, opt.Data...))
	switch opt.Kind {
	case trace.OptionEnd:
		return o.text("option.end")
	case trace.OptionNOP:
		return o.text("option.nop")
	case trace.OptionMSS:
		if v, ok := whole.MSS(); ok {
			return o.text("option.mss", v)
		}
	case trace.OptionWindowScale:
		if v, ok := whole.WindowScale(); ok {
			return o.text("option.ws", v)
		}
	case trace.OptionSACKPermitted:
		if whole.SACKPermitted() {
			return o.text("option.sack-permitted")
		}
	case trace.OptionTimestamps:
		if val, ecr, ok := whole.Timestamps(); ok {
			return o.text("option.timestamps", val, ecr)
		}
	case trace.OptionSACK:
		var blocks []string
		for l, r := range opt.SACKBlocks() {
			blocks = append(blocks, fmt.Sprintf("%d–%d", uint32(l), uint32(r)))
		}
		return o.text("option.sack", strings.Join(blocks, ", "))
	}
	return o.text("option.unknown", opt.Kind, fmt.Sprintf("% x", opt.Data))
}

// Header writes the TCP header of an event's packet field by field, what became of the book's twelve bits, and the
// packet as a bar. Event 0 is the first SYN; a trace without any TCP header then gets a line that says so. The error
// is an *EventError, or w's.
func Header(w io.Writer, t *trace.Trace, event int, o Options) error {
	v := &headerView{o: &o, c: newCanvas(w, &o)}
	e, p, err := packetAt(t, event)
	if err != nil && event == 0 {
		v.c.paragraph(0, o.text("error.no-header"), bold)
		return v.c.end()
	}
	if err != nil {
		return err
	}
	v.title(t, e, p)
	v.ip(p)
	v.fields(p, numberingOf(t, e))
	v.bits(&p.TCP)
	v.packets(t, e, p)
	return v.c.end()
}

type headerView struct {
	o *Options
	c *canvas
}

func (v *headerView) title(t *trace.Trace, e *trace.Event, p *trace.Packet) {
	key := "header.title-sent"
	if _, ok := e.Detail.(*trace.Arrived); ok {
		key = "header.title-arrived"
	}
	v.c.paragraph(0, v.o.text(key, e.N, newClock(t).print(e.At), clean(e.Host), p.TCP.Flags), bold)
	v.c.flush()
}

// ip tells of the headers before TCP's in one paragraph.
func (v *headerView) ip(p *trace.Packet) {
	if e := &p.Ethernet; e.HeaderLen > 0 {
		v.c.paragraph(0, v.o.text("header.ethernet", e.Src, e.Dst, e.EtherType, e.HeaderLen), plain)
	}
	h := &p.IP
	v.c.paragraph(0, v.o.text("header.ip", h.Version, h.Src, h.Dst, h.Protocol, h.TTL, h.HeaderLen), plain)
	v.c.flush()
}

// fields writes the table. The book's name in the view's language comes first.
func (v *headerView) fields(p *trace.Packet, n *numbering) {
	list := fields(p, n, v.o)
	const bitsX, widthX, valueX = 0, 9, 15
	heads := [2]string{v.o.text("header.english"), v.o.text("header.korean")}
	nameW := [2]int{width(heads[0]), width(heads[1])}
	for _, f := range list {
		nameW[0], nameW[1] = max(nameW[0], width(f.English)), max(nameW[1], width(f.Korean))
	}
	first, second := 0, 1
	if v.o.Language == Korean {
		first, second = 1, 0
	}
	columns := len(v.c.cells)
	room := (columns - valueX) / 3
	nameW[0], nameW[1] = min(nameW[0], room), min(nameW[1], room)
	secondX := columns - nameW[second]
	firstX := secondX - 2 - nameW[first]
	valueW := firstX - 2 - valueX
	if spare := valueW - 40; spare > 0 { // a wide screen: what belongs together stays together
		valueW, firstX, secondX = valueW-spare, firstX-spare, secondX-spare
	}
	row := func(bits, wide, value, one, two string, st style) {
		v.c.row(
			column{bitsX, widthX - 1, bits, dim}, column{widthX, valueX - widthX - 1, wide, plain}, column{valueX, valueW, value, st},
			column{firstX, nameW[first], one, plain}, column{secondX, nameW[second], two, dim},
		)
	}
	row(v.o.text("header.bits"), v.o.text("header.width"), v.o.text("header.value"), heads[first], heads[second], plain)
	v.c.line(0, strings.Repeat("─", secondX+nameW[second]), dim)
	for _, f := range list {
		names := [2]string{f.English, f.Korean}
		row(bitRange(f.Bit, f.Bits), strconv.Itoa(f.Bits), v.fieldValue(&f), names[first], names[second], bold)
	}
	v.c.flush()
}

func bitRange(bit, bits int) string {
	if bits == 1 {
		return strconv.Itoa(bit)
	}
	return fmt.Sprintf("%d–%d", bit, bit+bits-1)
}

// fieldValue is the number and what it says; of an option only the latter.
func (v *headerView) fieldValue(f *HeaderField) string {
	switch f.Name {
	case "Option":
		return f.Text
	case "Padding":
		if f.Text == "" {
			return "0"
		}
		return f.Text
	}
	s := strconv.FormatUint(f.Value, 10)
	if f.Text != "" {
		s += " (" + f.Text + ")"
	}
	return s
}

// bits shows the twelve bits behind the data offset: the book's division above, today's below, and what became of
// each.
func (v *headerView) bits(s *trace.Segment) {
	v.c.paragraph(0, v.o.text("bits.title"), bold)
	labels := [...]string{"bits.number", "bits.book", "bits.value", "bits.rfc", "bits.name"}
	x := 0
	for _, key := range labels {
		x = max(x, width(v.o.text(key)))
	}
	x += 4
	at := func(i int) int { return x + 4*i }
	label := func(key string) { v.c.put(2, v.o.text(key), dim) }

	label("bits.number")
	for i := range controlBits {
		v.c.put(at(i), fmt.Sprintf("%3d", firstControlBit+i), dim)
	}
	v.c.flush()
	label("bits.book")
	v.division(x, 6, "bits.book-unused")
	v.division(at(6), 6, "bits.book-control")
	v.c.flush()
	label("bits.value")
	for i := range controlBits {
		st := plain
		if bitValue(s, i) != 0 {
			st = bold
		}
		v.c.put(at(i), fmt.Sprintf("%3d", bitValue(s, i)), st)
	}
	v.c.flush()
	label("bits.rfc")
	v.division(x, 4, "bits.rfc-reserved")
	v.division(at(4), 8, "bits.rfc-control")
	v.c.flush()
	label("bits.name")
	for i, b := range controlBits {
		name := b.name
		if name == "" {
			name = "-"
		}
		v.c.put(at(i), fmt.Sprintf("%3s", name), plain)
	}
	v.c.flush()
	v.c.flush()
	for _, key := range []string{"bits.became-reserved", "bits.became-AE", "bits.became-ECN", "bits.became-control"} {
		v.c.row(column{2, 9, v.o.text(key + ".bits"), dim}, column{12, len(v.c.cells) - 12, v.o.text(key), plain})
	}
	v.c.flush()
}

// division draws a bracket over n bits with its name.
func (v *headerView) division(x, n int, key string) {
	end := x + 4*n - 2
	v.c.put(x, "├"+strings.Repeat("─", end-x-1)+"┤", dim)
	name := " " + v.o.text(key, n) + " "
	v.c.put(x+max(1, (end-x+1-width(name))/2), name, plain)
}

// packets draws the packet as a bar, and beneath it the first packet of the trace that is of the other kind: with
// data, or headers only.
func (v *headerView) packets(t *trace.Trace, e *trace.Event, p *trace.Packet) {
	v.c.paragraph(0, v.o.text("bar.title"), bold)
	other := -1
	for i := range t.Events {
		s, ok := t.Events[i].Detail.(*trace.Sent)
		if ok && s.Packet.Kind == trace.PacketTCP && (s.Packet.TCP.DataLen > 0) != (p.TCP.DataLen > 0) {
			other = i
			break
		}
	}
	longest := p.Len
	if other >= 0 {
		longest = max(longest, packetOf(&t.Events[other]).Len)
	}
	v.bar(p, e.N, longest)
	if other >= 0 {
		v.bar(packetOf(&t.Events[other]), t.Events[other].N, longest)
	}
}

// bar draws one packet; the longest packet takes the whole width. No part is narrower than its name.
func (v *headerView) bar(p *trace.Packet, n, longest int) {
	key := "bar.headers-only"
	if p.TCP.DataLen > 0 {
		key = "bar.with-data"
	}
	summary := fmt.Sprintf("IP %d · TCP %d · %s %d", p.IP.HeaderLen, p.TCP.HeaderLen, v.o.text("bar.data"), p.TCP.DataLen)
	if p.Ethernet.HeaderLen > 0 {
		summary = fmt.Sprintf("MAC %d · %s", p.Ethernet.HeaderLen, summary)
	}
	v.c.paragraph(2, fmt.Sprintf("#%d  %s  (%s)", n, summary, v.o.text(key)), plain)
	type part struct {
		name   string
		octets int
		st     style
	}
	parts := []part{{"IP", p.IP.HeaderLen, dim}, {"TCP", p.TCP.HeaderLen, plain}}
	if p.Ethernet.HeaderLen > 0 {
		parts = append([]part{{"MAC", p.Ethernet.HeaderLen, dim}}, parts...)
	}
	if p.TCP.DataLen > 0 {
		parts = append(parts, part{v.o.text("bar.data"), p.TCP.DataLen, green})
	}
	room := len(v.c.cells) - 2 - 1 - len(parts)
	names := make([]string, len(parts))
	cells := make([]int, len(parts))
	for i, q := range parts {
		names[i] = fmt.Sprintf(" %s %d ", q.name, q.octets)
		cells[i] = max(width(names[i]), q.octets*room/max(longest, 1))
	}
	// What the short parts took too much, the longest part gives.
	for over := sum(cells) - room; over > 0; over-- {
		cells[widest(cells)]--
	}
	top, middle, bottom := "┌", "│", "└"
	for i := range parts {
		between := [2]string{"┬", "┴"}
		if i == len(parts)-1 {
			between = [2]string{"┐", "┘"}
		}
		line := strings.Repeat("─", cells[i])
		top += line + between[0]
		bottom += line + between[1]
		pad := cells[i] - width(names[i])
		middle += strings.Repeat(" ", pad/2) + names[i] + strings.Repeat(" ", pad-pad/2) + "│"
	}
	v.c.line(2, top, plain)
	v.c.line(2, middle, plain)
	v.c.line(2, bottom, plain)
}

func sum(list []int) int {
	n := 0
	for _, v := range list {
		n += v
	}
	return n
}

// widest is the index of the greatest number.
func widest(list []int) int {
	at := 0
	for i, v := range list {
		if v > list[at] {
			at = i
		}
	}
	return at
}
