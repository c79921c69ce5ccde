package book

import (
	"bytes"
	"testing"

	"connectlab/trace"
	"connectlab/trace/wire"
)

// FuzzJudge judges traces that no stack would make: real ones of which events are gone, doubled, moved to another host or
// socket, caused by something else, or have other octets. No judge may panic, and evidence are events of the trace.
func FuzzJudge(f *testing.F) {
	f.Add(uint8(0), []byte{})
	f.Add(uint8(1), []byte{0, 21, 1, 30, 2, 40, 3, 50, 4, 60, 5, 22, 6, 33})
	f.Add(uint8(2), []byte{5, 20, 13, 2, 6, 20, 33, 7, 0, 24, 1, 24, 2, 25})
	f.Add(uint8(3), []byte{0, 1, 0, 2, 0, 3, 0, 4, 0, 5})
	f.Add(uint8(0), []byte{7, 2, 7, 6, 7, 10, 7, 15, 7, 19, 7, 24, 7, 26, 7, 32, 7, 36, 7, 43, 7, 45, 5, 49, 13, 52})
	names := []string{"plain", "refused", "syn-cookies", "half-open-b", "simultaneous-open", "send-and-close", "fresh-send", "last-ack-lost"}
	f.Fuzz(func(t *testing.T, which uint8, ops []byte) {
		tr := bend(edit(t, names[int(which)%len(names)]).t, ops)
		for _, f := range Judge(tr) {
			for i, n := range f.Evidence {
				if tr.Event(n) == nil || i > 0 && n <= f.Evidence[i-1] {
					t.Fatalf("%s: evidence %v of a trace of %d events", f.Statement.ID, f.Evidence, len(tr.Events))
				}
			}
			if f.Verdict.Decides() != (len(f.Evidence) > 0) {
				t.Errorf("%s: %v with evidence %v", f.Statement.ID, f.Verdict, f.Evidence)
			}
		}
	})
}

// bendControl hides the changes of an event behind the first few, or gives one another bringer and value.
func bendControl(c *trace.Control, from int, hide bool) {
	for i := range c.Changes {
		ch := &c.Changes[i]
		switch {
		case hide && i >= from:
			*ch = trace.Change{Item: ch.Item}.With(ch.Old(), trace.Value{Kind: trace.NotObservable})
		case !hide && i == from%len(c.Changes):
			v := ch.New()
			v.Num++
			*ch = trace.Change{Item: ch.Item, By: (ch.By + 1) % 3, Field: ch.Field}.With(ch.Old(), v)
		}
	}
}

// bend changes a trace by pairs of octets: what to do, and to which event. It stays one: numbers rise by one, a cause comes before
// its effect, a packet's fields are those of its octets.
func bend(t *trace.Trace, ops []byte) *trace.Trace {
	for ; len(ops) >= 2 && len(t.Events) > 0; ops = ops[2:] {
		i := int(ops[1]) % len(t.Events)
		e := &t.Events[i]
		switch what := ops[0] % 8; what {
		case 0:
			t.Events = append(t.Events[:i], t.Events[i+1:]...)
		case 1:
			again := *e
			t.Events = append(t.Events[:i+1], append([]trace.Event{again}, t.Events[i+1:]...)...)
		case 2:
			e.Host = t.Header.Hosts[int(ops[0]>>3)%len(t.Header.Hosts)].Name
		case 3:
			e.Socket = int(ops[0] >> 3)
		case 4:
			e.Cause = int(ops[0]>>3) * 8
		default:
			var p *trace.Packet
			switch d := e.Detail.(type) {
			case *trace.Sent:
				p = d.Packet
			case *trace.Arrived:
				p = d.Packet
			case *trace.StateChange:
				d.To = trace.State(int(ops[0]>>3) % 12)
				continue
			case *trace.Control:
				bendControl(d, int(ops[0]>>3), what == 7)
				continue
			default:
				continue
			}
			b := bytes.Clone(p.Octets)
			at := 20 + int(ops[0]>>3)*2
			switch {
			case what == 7: // cut off
				b = b[:min(at, len(b))]
			case at < len(b):
				b[at] ^= 1 << (ops[1] & 7)
			}
			*p = trace.Packet{Octets: b, Len: len(b), Link: p.Link}
			wire.Decode(p)
		}
	}
	for i := range t.Events {
		e := &t.Events[i]
		e.N = i + 1
		e.Cause = min(e.Cause, i)
		if r, ok := e.Detail.(*trace.Return); ok {
			r.Call = min(r.Call, i)
		}
	}
	return t
}
