package view

import (
	"fmt"
	"io"
	"strings"

	"connectlab/trace"
)

// Told writes who told it: each item of control information that the two sockets of the first connection hold when
// the later of them has become ESTABLISHED, side by side, and who brought it: a call of the application, a header
// field of a segment, or the stack itself. What a socket knows of its peer without having been told is marked. The
// only errors are w's.
func Told(w io.Writer, t *trace.Trace, o Options) error {
	c := newCanvas(w, &o)
	if !t.Header.Control {
		c.paragraph(0, o.text("control.not-recorded"), bold)
		return c.end()
	}
	m, ok := trace.FirstConnection(t)
	if !ok {
		c.paragraph(0, o.text("told.none"), bold)
		return c.end()
	}
	v := &toldView{t: t, o: &o, c: c, at: m.N, sockets: [2]*trace.Socket{left: &m.Client, right: &m.Server}}
	for _, h := range trace.Told(t, m.N) {
		for s, socket := range v.sockets {
			if h.Host == socket.Host && h.Socket == socket.Number {
				v.holdings[s] = &h
			}
		}
	}
	v.layout()
	c.paragraph(0, o.text("told.title", newClock(t).print(t.Event(m.N).At), m.N), bold)
	c.flush()
	v.table()
	c.flush()
	v.summary()
	return c.end()
}

type toldView struct {
	t        *trace.Trace
	o        *Options
	c        *canvas
	at       int // N
	sockets  [2]*trace.Socket
	holdings [2]*trace.Holding // nil: its stack has told nothing

	nameW  int
	socket [2]struct{ valueX, valueW, byX, byW int }
	beside bool // who brought a value stands beside it, not below
}

const (
	toldBeside = 110 // columns from which on there is room beside a value
	toldNameX  = 4
	toldGap    = 2
)

// layout shares the columns among an item's name and both sockets.
func (v *toldView) layout() {
	for i := range trace.Item(trace.NumItems) {
		v.nameW = max(v.nameW, width(v.o.item(i)))
	}
	columns := min(len(v.c.cells), maxLadder)
	v.nameW = min(v.nameW, columns/3)
	v.beside = columns >= toldBeside
	x := toldNameX + v.nameW + toldGap
	room := (columns - x) / 2
	for s := range v.socket {
		at := &v.socket[s]
		at.valueX = x + s*room
		at.valueW = room - toldGap
		at.byX, at.byW = at.valueX+1, at.valueW-1
		if v.beside {
			at.valueW = room*2/5 - toldGap
			at.byX = at.valueX + at.valueW + toldGap
			at.byW = room - at.valueW - 2*toldGap
		}
	}
}

// table writes all items, group by group.
func (v *toldView) table() {
	var names []column
	for s, socket := range v.sockets {
		names = append(names, column{v.socket[s].valueX, v.socket[s].byX + v.socket[s].byW - v.socket[s].valueX, clean(socket.Host) + " " + v.o.socketName(socket, v.at), bold})
	}
	v.c.row(names...)
	end := v.socket[right].byX + v.socket[right].byW
	v.c.line(2, strings.Repeat("─", end-2), dim)
	for _, g := range groups {
		titled := false
		for _, item := range g.items {
			if !v.has(left, item) && !v.has(right, item) {
				continue
			}
			if !titled {
				v.c.line(2, v.o.text(g.key), dim)
				titled = true
			}
			v.item(item)
		}
	}
}

func (v *toldView) has(s side, i trace.Item) bool {
	return v.holdings[s] != nil && v.holdings[s].Info.Value(i).Kind != trace.None
}

// item writes the row of one item.
func (v *toldView) item(i trace.Item) {
	row := []column{{toldNameX, v.nameW, v.o.item(i), plain}}
	var below [2]column
	rows := 0 // that the values take
	for _, s := range []side{left, right} {
		at := &v.socket[s]
		value := v.o.text("value.not-observable")
		if h := v.holdings[s]; h != nil {
			value = v.o.value(i, h.Info.Value(i), &h.Info)
		}
		by, st := v.by(s, i)
		row = append(row, column{at.valueX, at.valueW, value, plain})
		below[s] = column{at.byX, at.byW, by, st}
		rows = max(rows, len(wrap(value, at.valueW)))
	}
	if v.beside {
		v.c.row(append(row, below[:]...)...)
		return
	}
	for line, more := 0, true; more; line++ {
		more = line+1 < rows
		for _, col := range row {
			more = v.c.lineOf(col, line) || more
		}
		for _, col := range below {
			if col.text != "" {
				more = v.c.lineOf(col, line-rows) || more
			}
		}
		v.c.flush()
	}
}

// by says who brought what a socket holds; empty where it holds nothing that can be seen.
func (v *toldView) by(s side, i trace.Item) (string, style) {
	h := v.holdings[s]
	if !v.has(s, i) || h.Info.Value(i).Kind == trace.NotObservable {
		return "", plain
	}
	o := &h.Origins[i]
	var who string
	switch o.By {
	case trace.ByApplication:
		who = v.o.text("told.application", v.call(o.Cause))
	case trace.BySegment:
		who = v.o.text("told.segment", v.segment(o.Cause), v.field(o.Field))
	case trace.ByStack:
		who = v.o.text("by.stack")
	}
	if o.Source == trace.Inferred {
		who += v.o.text("by.inferred")
	}
	if h.Untold(i) {
		return "✗ " + v.o.text("told.untold", who), red
	}
	return who, dim
}

// call names the call of event n: "#18 connect()".
func (v *toldView) call(n int) string {
	if e := v.t.Event(n); e != nil {
		if c, ok := e.Detail.(*trace.Call); ok {
			return fmt.Sprintf("#%d %s()", n, clean(c.Name))
		}
	}
	return "?"
}

// segment names the packet that arrived with event n: "#31 SYN,ACK".
func (v *toldView) segment(n int) string {
	if e := v.t.Event(n); e != nil {
		if a, ok := e.Detail.(*trace.Arrived); ok {
			if a.Packet.Kind == trace.PacketTCP {
				return fmt.Sprintf("#%d %s", n, a.Packet.TCP.Flags)
			}
			return fmt.Sprintf("#%d %s", n, v.o.otherTokens(a.Packet)[0].text)
		}
	}
	return "?"
}

func (v *toldView) field(f trace.Field) string {
	if f == trace.NoField {
		return "?"
	}
	return v.o.text(keyed("field.", f.String()))
}

// summary counts the items of each kind of bringer, and says what nobody brought.
func (v *toldView) summary() {
	findings := false
	for s, h := range v.holdings {
		host := clean(v.sockets[s].Host)
		if h == nil {
			v.c.paragraph(0, v.o.text("told.summary-none", host), plain)
			continue
		}
		var by [3]int
		hidden := 0
		var untold []string
		for i := range trace.Item(trace.NumItems) {
			switch {
			case !v.has(side(s), i):
				continue
			case h.Info.Value(i).Kind == trace.NotObservable:
				hidden++
				continue
			}
			by[h.Origins[i].By]++
			if h.Untold(i) {
				untold = append(untold, v.o.item(i))
			}
		}
		text := v.o.text("told.summary", host, by[trace.ByApplication], by[trace.BySegment], by[trace.ByStack])
		if hidden > 0 {
			text = v.o.text("told.summary-hidden", text, hidden)
		}
		v.c.paragraph(0, text, plain)
		if len(untold) > 0 {
			findings = true
			v.c.paragraph(0, "✗ "+v.o.text("told.finding", host, strings.Join(untold, ", ")), red)
		}
	}
	if !findings && v.holdings[left] != nil && v.holdings[right] != nil {
		v.c.paragraph(0, v.o.text("told.right"), plain)
	}
}
