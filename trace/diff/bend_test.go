package diff_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"connectlab/trace"
	"connectlab/trace/wire"
)

// A bender changes a trace of its own. Events keep the numbers that they had until finish.
type bender struct {
	tb     testing.TB
	t      *trace.Trace
	gone   map[int]bool
	behind map[int][]trace.Event // events to be put in behind an event
}

// bend begins to change a copy of a trace.
func bend(tb testing.TB, t *trace.Trace) *bender {
	tb.Helper()
	return &bender{tb: tb, t: throughFile(tb, t), gone: map[int]bool{}, behind: map[int][]trace.Event{}}
}

// throughFile is a trace that was written and read again.
func throughFile(tb testing.TB, t *trace.Trace) *trace.Trace {
	tb.Helper()
	var b bytes.Buffer
	if err := trace.Write(&b, t); err != nil {
		tb.Fatal(err)
	}
	read, err := trace.Read(&b, "bent", wire.Decode)
	if err != nil {
		tb.Fatalf("the changed trace is none: %v", err)
	}
	return read
}

// find returns the number of the nth event (from 1) that is as wanted.
func (b *bender) find(nth int, want func(*trace.Event) bool) int {
	b.tb.Helper()
	n := find(b.t, nth, want)
	if n == 0 {
		b.tb.Fatal("the trace has no such event")
	}
	return n
}

func find(t *trace.Trace, nth int, want func(*trace.Event) bool) int {
	for i := range t.Events {
		if want(&t.Events[i]) {
			if nth--; nth == 0 {
				return t.Events[i].N
			}
		}
	}
	return 0
}

// segment returns the number of the nth segment that a host sent with exactly these control bits, PSH aside, with data or without.
func (b *bender) segment(host string, flags trace.Flags, data bool, nth int) int {
	b.tb.Helper()
	return b.find(nth, func(e *trace.Event) bool {
		s, ok := e.Detail.(*trace.Sent)
		return ok && e.Host == host && s.Packet.Kind == trace.PacketTCP && s.Packet.TCP.Flags&^trace.PSH == flags && data == (s.Packet.TCP.DataLen > 0)
	})
}

func (b *bender) call(host, name string, nth int) int {
	b.tb.Helper()
	return b.find(nth, func(e *trace.Event) bool {
		c, ok := e.Detail.(*trace.Call)
		return ok && e.Host == host && c.Name == name
	})
}

func (b *bender) returned(call int) int {
	b.tb.Helper()
	return b.find(1, func(e *trace.Event) bool {
		r, ok := e.Detail.(*trace.Return)
		return ok && r.Call == call
	})
}

func (b *bender) state(host string, s trace.State) int {
	b.tb.Helper()
	return b.find(1, func(e *trace.Event) bool {
		c, ok := e.Detail.(*trace.StateChange)
		return ok && e.Host == host && c.To == s
	})
}

// drop takes events out. A packet that was not sent did not arrive either and has no fate.
func (b *bender) drop(numbers ...int) {
	for _, n := range numbers {
		b.gone[n] = true
	}
	for i := range b.t.Events {
		switch e := &b.t.Events[i]; e.Detail.(type) {
		case *trace.Arrived, *trace.Fate:
			b.gone[e.N] = b.gone[e.N] || b.gone[e.Cause]
		default:
		}
	}
}

// insert puts an event in behind event n, at the same time and on the same host.
func (b *bender) insert(n int, e trace.Event) {
	if e.Host == "" {
		e.Host = b.t.Event(n).Host
	}
	e.At = b.t.Event(n).At
	b.behind[n] = append(b.behind[n], e)
}

// packets are the packet that event n sent and those that arrived of it.
func (b *bender) packets(n int) []*trace.Packet {
	all := []*trace.Packet{b.t.Event(n).Detail.(*trace.Sent).Packet}
	for i := range b.t.Events {
		if a, ok := b.t.Events[i].Detail.(*trace.Arrived); ok && b.t.Events[i].Cause == n {
			all = append(all, a.Packet)
		}
	}
	return all
}

// octets changes the octets of a packet from the IP header on, mends lengths and checksums, and decodes it again.
func (b *bender) octets(n int, change func([]byte) []byte) {
	for _, p := range b.packets(n) {
		o := change(slices.Clone(p.Octets))
		binary.BigEndian.PutUint16(o[2:], uint16(len(o)))
		*p = trace.Packet{Octets: o, Len: len(o)}
		wire.Decode(p)
		p.Octets = wire.Append(nil, p, p.Data())
		p.Len = len(p.Octets)
		wire.Decode(p)
	}
}

// raw changes the octets of a packet and mends nothing.
func (b *bender) raw(n int, change func([]byte)) {
	for _, p := range b.packets(n) {
		o := slices.Clone(p.Octets)
		change(o)
		*p = trace.Packet{Octets: o, Len: len(o)}
		wire.Decode(p)
	}
}

// tcp changes the TCP header, options included.
func (b *bender) tcp(n int, change func(tcp []byte)) {
	b.octets(n, func(o []byte) []byte {
		change(o[20:])
		return o
	})
}

// number adds to a field of four octets.
func add(tcp []byte, at int, n uint32) {
	binary.BigEndian.PutUint32(tcp[at:], binary.BigEndian.Uint32(tcp[at:])+n)
}

// options gives a segment other options; they are padded with zeros.
func (b *bender) options(n int, change func([]byte) []byte) {
	b.octets(n, func(o []byte) []byte {
		header := int(o[32]>>4) * 4
		options := change(slices.Clone(o[40 : 20+header]))
		for len(options)%4 != 0 {
			options = append(options, 0)
		}
		data := slices.Clone(o[20+header:])
		o = append(append(o[:40], options...), data...)
		o[32] = o[32]&15 | byte(20+len(options))/4<<4
		return o
	})
}

// optionAt is where the first option of a kind begins.
func optionAt(o []byte, kind byte) int {
	for i := 0; i < len(o); {
		switch {
		case o[i] == kind:
			return i
		case o[i] <= trace.OptionNOP:
			i++
		default:
			i += int(o[i+1])
		}
	}
	panic("there is no such option")
}

// copyOf is an event that sends the same packet as another once more, in the same step.
func (b *bender) copyOf(n int) trace.Event {
	e := *b.t.Event(n)
	p := *e.Detail.(*trace.Sent).Packet
	p.Octets = slices.Clone(p.Octets)
	wire.Decode(&p)
	e.Detail = &trace.Sent{Packet: &p}
	return e
}

// finish numbers the events anew and returns the trace.
func (b *bender) finish() *trace.Trace {
	b.tb.Helper()
	now := map[int]int{}
	var events []trace.Event
	for i := range b.t.Events {
		e := b.t.Events[i]
		if !b.gone[e.N] {
			now[e.N] = len(events) + 1
			events = append(events, e)
		}
		events = append(events, b.behind[e.N]...)
	}
	number := func(n int) int {
		for n > 0 && now[n] == 0 {
			n = b.t.Event(n).Cause
		}
		return now[n]
	}
	for i := range events {
		e := &events[i]
		e.N, e.Cause = i+1, number(e.Cause)
		if r, ok := e.Detail.(*trace.Return); ok {
			r.Call = number(r.Call)
		}
	}
	var blocked []int
	for _, n := range b.t.End.Blocked {
		if !b.gone[n] {
			blocked = append(blocked, now[n])
		}
	}
	t := &trace.Trace{Header: b.t.Header, Events: events, End: b.t.End}
	t.End.Blocked = blocked
	return throughFile(b.tb, t)
}

// later moves event n, and all behind it, in time.
func (b *bender) later(n int, by time.Duration) {
	for i := n - 1; i < len(b.t.Events); i++ {
		b.t.Events[i].At += by
	}
	b.t.End.At += by
}
