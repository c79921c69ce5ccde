package diff

import (
	"fmt"
	"strconv"
	"strings"

	"connectlab/trace"
)

// differences are what two counterparts differ in, or that there is none.
func (c *comparison) differences(a, b *move) []Difference {
	d := differences{c: c}
	if a == nil || b == nil {
		c.missing(&d, a, b)
		return d.list
	}
	switch x := a.event.Detail.(type) {
	case *trace.Call:
		if y, ok := b.event.Detail.(*trace.Call); ok {
			c.calls(&d, x, y)
		}
	case *trace.Return:
		if y, ok := b.event.Detail.(*trace.Return); ok {
			c.returns(&d, x, y)
			c.times(&d, a, b)
		}
	case *trace.StateChange:
		if y, ok := b.event.Detail.(*trace.StateChange); ok {
			d.text(States, "state", x.To.String(), y.To.String())
			c.times(&d, a, b)
		}
	case *trace.Sent:
		if b.packet != nil {
			d.packets(a.packet, b.packet)
			c.times(&d, a, b)
			if c.compares(Fates, a.event.Host) && !c.a.unfinished(a.root) && !c.b.unfinished(b.root) {
				d.text(Fates, "fate", fateText(c.a.fatesOf(a.event.N)), fateText(c.b.fatesOf(b.event.N)))
			}
		}
	case *trace.Control:
		if y, ok := b.event.Detail.(*trace.Control); ok {
			c.controls(&d, a, b, x, y)
		}
	case *trace.HostChange:
		c.worlds(&d, a, b)
		d.text(World, "time", a.event.At.String(), b.event.At.String())
	case *trace.Note:
		c.worlds(&d, a, b)
	case *trace.Arrived, *trace.Fate, *trace.Timer:
	}
	return d.list
}

// missing says of a move that one side does not have what the other has.
func (c *comparison) missing(d *differences, a, b *move) {
	m, left := a, true
	if m == nil {
		m, left = b, false
	}
	aspect, field, text := c.tells(m)
	if aspect == Header {
		return
	}
	if left {
		d.add(aspect, field, text, "")
	} else {
		d.add(aspect, field, "", text)
	}
}

// tells is what a move is, in short. The aspect Header stands for one that nobody misses.
func (c *comparison) tells(m *move) (a Aspect, field, text string) {
	switch x := m.event.Detail.(type) {
	case *trace.Call:
		return Calls, "call", x.Name
	case *trace.Return:
		return Returns, "result", resultText(x)
	case *trace.StateChange:
		return States, "state", x.To.String()
	case *trace.Sent:
		return Packets, "packet", m.packet.String()
	case *trace.Control:
		return Control, "item", itemsText(x)
	case *trace.HostChange:
		return World, "host-change", x.What.String()
	case *trace.Note:
		if x.Failed {
			return World, "note", x.Text
		}
	case *trace.Arrived, *trace.Fate, *trace.Timer:
	}
	return Header, "", ""
}

func (c *comparison) calls(d *differences, x, y *trace.Call) {
	d.text(Calls, "call", x.Name, y.Name)
	d.number(Calls, "descriptor", int64(x.FD), int64(y.FD))
	args := func(s *side, call *trace.Call) string {
		var list []string
		if call.Addr.IsValid() {
			list = append(list, s.numbers.endpoint(call.Addr).String())
		}
		if call.Text != "" {
			list = append(list, call.Text)
		}
		if call.Len != trace.NoLen {
			list = append(list, strconv.Itoa(call.Len))
		}
		return strings.Join(list, ", ")
	}
	d.text(Calls, "arguments", args(c.a, x), args(c.b, y))
}

func (c *comparison) returns(d *differences, x, y *trace.Return) {
	d.text(Returns, "result", resultText(x), resultText(y))
	d.text(Returns, "value", x.Value.String(), y.Value.String())
	if x.Addr != y.Addr {
		d.text(Returns, "connection", c.a.numbers.endpoint(x.Addr).String(), c.b.numbers.endpoint(y.Addr).String())
	}
}

// resultText is what a call returned, as in C, with the octets that went before an error.
func resultText(r *trace.Return) string {
	s := strconv.FormatInt(r.Result, 10)
	if r.Errno != "" {
		s += " " + r.Errno
	}
	if r.Count != 0 {
		s += fmt.Sprintf(" (%d)", r.Count)
	}
	return s
}

// times compares how long after what caused it a move was made, and what that was.
func (c *comparison) times(d *differences, a, b *move) {
	if c.caused(a, b) && c.compares(Time, a.event.Host) {
		d.text(Time, "cause", c.a.causeText(a), c.b.causeText(b))
	}
	if a.after >= 0 && b.after >= 0 && a.after != b.after && c.compares(Time, a.event.Host) {
		d.add(Time, "time", a.after.String(), b.after.String())
	}
}

// causeText is what a move was made because of: a call, or the packet that arrived.
func (s *side) causeText(m *move) string {
	switch d := m.root.Detail.(type) {
	case *trace.Call:
		return d.Name
	case *trace.Arrived:
		if l := s.laneOf[m.root.Cause]; l != nil {
			if v := l.moves[s.placeOf[m.root.Cause]].packet; v != nil {
				return fmt.Sprintf("%s #%d", v, s.copyOf(m.root)+1)
			}
		}
	case *trace.Return, *trace.Sent, *trace.Fate, *trace.StateChange, *trace.Control, *trace.Timer, *trace.HostChange, *trace.Note:
	}
	return ""
}

func fateText(fates []*trace.Fate) string {
	var list []string
	for _, f := range fates {
		text := f.Kind.String()
		switch {
		case f.Kind == trace.Corrupted:
			text += fmt.Sprintf(" %d.%d", f.Octet, f.Bit)
		case f.Delay != 0:
			text += " " + f.Delay.String()
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

func (c *comparison) worlds(d *differences, a, b *move) {
	switch x := a.event.Detail.(type) {
	case *trace.HostChange:
		if y, ok := b.event.Detail.(*trace.HostChange); ok {
			d.text(World, "host-change", x.What.String(), y.What.String())
		}
	case *trace.Note:
		if y, ok := b.event.Detail.(*trace.Note); ok && x.Failed != y.Failed {
			d.add(World, "note", x.Text, y.Text)
		}
	default:
	}
}

// controls compares what changed in the control information of a socket.
func (c *comparison) controls(d *differences, a, b *move, x, y *trace.Control) {
	i, j := 0, 0
	for i < len(x.Changes) || j < len(y.Changes) {
		switch {
		case j == len(y.Changes) || i < len(x.Changes) && x.Changes[i].Item < y.Changes[j].Item:
			d.add(Control, "item", c.a.itemText(a, &x.Changes[i]), "")
			i++
		case i == len(x.Changes) || y.Changes[j].Item < x.Changes[i].Item:
			d.add(Control, "item", "", c.b.itemText(b, &y.Changes[j]))
			j++
		default:
			p, q := &x.Changes[i], &y.Changes[j]
			if c.a.item(a, p) != c.b.item(b, q) || p.By != q.By || p.Field != q.Field {
				d.add(Control, "item", c.a.itemText(a, p), c.b.itemText(b, q))
			}
			i, j = i+1, j+1
		}
	}
}
