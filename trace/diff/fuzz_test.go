package diff_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"connectlab/trace"
	"connectlab/trace/diff"
	"connectlab/trace/wire"

	"pgregory.net/rapid"
)

var bentStories = []string{"plain", "refused", "half-open-b", "simultaneous-open", "hole", "syn-lost", "ethernet", "abort"}

// broken bends a trace by pairs of octets: what to do, and to which event. It stays one: numbers rise by one, a cause comes before its
// effect.
func broken(t *trace.Trace, ops []byte) *trace.Trace {
	for ; len(ops) >= 2 && len(t.Events) > 0; ops = ops[2:] {
		i := int(ops[1]) % len(t.Events)
		e := &t.Events[i]
		how := int(ops[0] >> 3)
		switch ops[0] % 8 {
		case 0:
			t.Events = slices.Delete(t.Events, i, i+1)
		case 1:
			t.Events = slices.Insert(t.Events, i, *e)
		case 2:
			e.Host = append([]string{""}, t.Header.Hosts[0].Name, t.Header.Hosts[1].Name)[how%3]
		case 3:
			e.Socket = how
		case 4:
			e.Cause = how * 8
		case 5:
			for k := i; k < len(t.Events); k++ {
				t.Events[k].At += time.Duration(how) * time.Millisecond
			}
		default:
			brokenDetail(t, e, how, ops[1])
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

func brokenDetail(t *trace.Trace, e *trace.Event, how int, bit byte) {
	var p *trace.Packet
	switch d := e.Detail.(type) {
	case *trace.Sent:
		p = d.Packet
	case *trace.Arrived:
		p = d.Packet
	case *trace.StateChange:
		d.To = trace.State(how % 12)
		return
	case *trace.Call:
		d.FD = how
		return
	case *trace.Return:
		d.Call = how
		return
	default:
		return
	}
	b := bytes.Clone(p.Octets)
	at := 20 + how*2
	if bit&128 != 0 {
		b = b[:min(at, len(b))]
	} else if at < len(b) {
		b[at] ^= 1 << (bit & 7)
	}
	*p = trace.Packet{Octets: b, Len: len(b), Link: t.Header.Link}
	wire.Decode(p)
}

// sound are what holds of each comparison.
func sound(t interface {
	Helper()
	Errorf(string, ...any)
}, a, b *trace.Trace, o diff.Options) {
	t.Helper()
	r, back := diff.Compare(a, b, o), diff.Compare(b, a, o)
	if (r.First == nil) != (back.First == nil) || r.Moves != back.Moves {
		t.Errorf("%d moves, first %s; the other way round %d, %s", r.Moves, brief(r.First), back.Moves, brief(back.First))
	}
	turned(back)
	if d := compared(r, back); d != "" {
		t.Errorf("the other way round it is not the same:\n%s", d)
	}
	if r.First == nil && (len(r.Rest) > 0 || r.FirstBroken != nil) {
		t.Errorf("nothing is first, and there is a rest")
	}
	for _, d := range divergences(r) {
		switch {
		case len(d.Differences) == 0:
			t.Errorf("%+v has no differences", *d)
		case d.A.Event == 0 && d.B.Event == 0 && d.Differences[0].Aspect != diff.End:
			t.Errorf("%+v is nowhere", *d)
		case d.A.Event > len(a.Events) || d.B.Event > len(b.Events):
			t.Errorf("%+v is outside the traces", *d)
		}
	}
	for _, tr := range []*trace.Trace{a, b} {
		if r := diff.Compare(tr, tr, o); r.First != nil || len(r.Headers) > 0 || r.Apart != nil || r.Bounded {
			t.Errorf("a trace differs from itself: %s", brief(r.First))
		}
	}
}

func FuzzCompare(f *testing.F) {
	f.Add(uint8(0), []byte{})
	f.Add(uint8(1), []byte{0, 21, 1, 30, 2, 40, 3, 50, 4, 60, 5, 22, 6, 33})
	f.Add(uint8(2), []byte{5, 20, 13, 2, 6, 20, 33, 7, 0, 24, 1, 24, 2, 25})
	f.Add(uint8(12), []byte{7, 2, 7, 6, 7, 10, 7, 15, 7, 19, 7, 24, 15, 26, 23, 32, 31, 36, 39, 43, 47, 45, 5, 49, 13, 52})
	f.Fuzz(func(t *testing.T, which uint8, ops []byte) {
		a := recorded(t, bentStories[int(which)%len(bentStories)])
		var o diff.Options
		if which&8 != 0 {
			o.Raw = diff.Normalizations()
		}
		sound(t, a, broken(throughFile(t, a), ops), o)
	})
}

// TestBentTraces: however a trace is bent, a comparison is sound.
func TestBentTraces(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a := recorded(t, rapid.SampledFrom(bentStories).Draw(rt, "story"))
		ops := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "ops")
		more := rapid.SliceOfN(rapid.Byte(), 0, 10).Draw(rt, "more")
		sound(rt, broken(throughFile(t, a), more), broken(throughFile(t, a), ops), diff.Options{})
	})
}
