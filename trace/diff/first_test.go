package diff_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"connectlab/trace"
	"connectlab/trace/diff"
)

// TestTheCauseIsFirst: what follows from a packet that differs does not come before it, though more than that differs.
func TestTheCauseIsFirst(t *testing.T) {
	a := recorded(t, "plain")
	b := bend(t, a)
	answer := b.segment("client", trace.ACK, false, 1)
	b.tcp(answer, func(tcp []byte) { add(tcp, 8, 1) })
	data := b.segment("client", trace.ACK, true, 1)
	b.tcp(data, func(tcp []byte) { add(tcp, 8, 1) })
	cause := b.segment("server", trace.SYN|trace.ACK, false, 1)
	b.tcp(cause, func(tcp []byte) { add(tcp, 8, 3) })
	b.t.Event(b.returned(b.call("client", "connect", 1))).Detail.(*trace.Return).Errno = "EIO"
	r := diff.Compare(a, b.finish(), diff.Options{})
	if r.First == nil || r.First.A.Event != cause || r.First.A.Root == 0 || r.First.State != trace.Listen {
		t.Errorf("first %s, in %v, want it at #%d: %+v", brief(r.First), r.First.State, cause, r.First)
	}
	n := 0
	for _, g := range r.Rest {
		n += g.N
	}
	if n != 3 {
		t.Errorf("%d differ behind it, want 3: %+v", n, r.Rest)
	}
}

// TestTheEarlierStepIsFirst: gVisor acknowledges the data when they arrive, and the handwritten stack only when they arrive once more: the
// former is first, though it comes later in its step.
func TestTheEarlierStepIsFirst(t *testing.T) {
	a, b := record(t, run{"twice", "gvisor", "gvisor", 1}), record(t, run{"twice", "handwritten", "handwritten", 1})
	o := diff.Options{Ignore: []diff.Aspect{diff.TCPOptions, diff.Window, diff.IP, diff.Control}}
	r := diff.Compare(a, b, o)
	if r.First == nil || r.First.Differences[0].Aspect != diff.Packets || r.First.A.Event == 0 || r.First.B.Event != 0 {
		t.Fatalf("first %s, want a packet that only A has", brief(r.First))
	}
	data := find(a, 1, func(e *trace.Event) bool {
		d, ok := e.Detail.(*trace.Arrived)
		return ok && e.Host == "server" && d.Packet.TCP.DataLen > 0
	})
	if r.First.A.Root != data {
		t.Errorf("first %s, which answers #%d, want the answer to #%d", brief(r.First), r.First.A.Root, data)
	}
	mirror(t, a, b, o)
}

// TestMissingHasItsStep: where a side lacks a move, its place says in which step it was to be expected.
func TestMissingHasItsStep(t *testing.T) {
	a := recorded(t, "plain")
	b := bend(t, a)
	n := b.state("server", trace.CloseWait)
	b.drop(n)
	r := diff.Compare(a, b.finish(), diff.Options{})
	want := diff.Place{Root: a.Event(n).Cause, Host: "server", Socket: 2, At: a.Event(n).At}
	if r.First == nil || r.First.B != want {
		t.Errorf("first %+v, want its place in B to be %+v", r.First, want)
	}
}

// TestConsequence: where a rule of the link counts packets, what it does may only follow from what differs before.
func TestConsequence(t *testing.T) {
	a := recorded(t, "hole")
	b := bend(t, a)
	first := b.segment("client", trace.SYN, false, 1)
	b.octets(first, func(o []byte) []byte { o[8]--; return o })
	fate := b.t.Event(b.find(1, func(e *trace.Event) bool { _, ok := e.Detail.(*trace.Fate); return ok }))
	fate.Detail.(*trace.Fate).Kind = trace.LinkDown
	r := diff.Compare(a, b.finish(), diff.Options{})
	if brief(r.First) != fmt.Sprintf("ip TTL #%d #%d", first, first) {
		t.Fatalf("first %s", brief(r.First))
	}
	if len(r.Rest) != 1 || r.Rest[0].Aspect != diff.Fates || r.Rest[0].Consequences != 1 || !r.Rest[0].First.Consequence {
		t.Errorf("behind it %+v, want a fate that may follow", r.Rest)
	}
	if r := diff.Compare(a, b.finish(), diff.Options{Ignore: []diff.Aspect{diff.IP}}); r.First == nil || r.First.Consequence {
		t.Errorf("with nothing before it: %+v", r.First)
	}
}

// TestApart: absolute times are no divergence, and it is told where they part.
func TestApart(t *testing.T) {
	a := recorded(t, "plain")
	b := bend(t, a)
	arrived := b.t.Event(b.segment("server", trace.SYN|trace.ACK, false, 1)).Cause
	b.later(arrived, 30*time.Millisecond)
	for i := range b.t.Events { // observers look when the story says
		if _, ok := b.t.Events[i].Detail.(*trace.Note); ok {
			b.gone[i+1] = true
		}
	}
	r := diff.Compare(a, b.finish(), diff.Options{})
	if r.First != nil || len(r.Rest) > 0 {
		t.Errorf("first divergence %s: %+v", brief(r.First), r.First)
	}
	if r.Apart == nil || r.Apart.A.Host != "server" || r.Apart.A.At != 10*time.Millisecond || r.Apart.B.At != 40*time.Millisecond {
		t.Errorf("times part at %+v, want the server's, at 10 ms and 40 ms", r.Apart)
	}
}

// TestBounded: runs that have little in common are compared up to a bound, which is told; runs that differ in little are not.
func TestBounded(t *testing.T) {
	if underRace {
		t.Skip("slow under the race detector")
	}
	a := recorded(t, "bulk")
	if r := diff.Compare(a, record(t, run{"bulk", "handwritten", "handwritten", 1}), diff.Options{}); !r.Bounded || r.First == nil {
		t.Errorf("other stacks: bounded %v, first %s", r.Bounded, brief(r.First))
	}
	b := bend(t, a)
	b.drop(b.segment("client", trace.ACK, true, 300))
	b.drop(b.segment("client", trace.ACK, true, 500))
	r := diff.Compare(a, b.finish(), diff.Options{Ignore: []diff.Aspect{diff.Control}})
	behind := 0
	for _, g := range r.Rest { // the segments, and the ACKs of them
		if behind += g.N; g.Aspect != diff.Packets {
			t.Errorf("%v differs: %+v", g.Aspect, g.First)
		}
	}
	if r.Bounded || r.First == nil || r.First.Differences[0].Aspect != diff.Packets || behind == 0 || behind > 5 {
		t.Errorf("two segments less: bounded %v, first %s, behind it %+v", r.Bounded, brief(r.First), r.Rest)
	}
}

// TestCompareOfNil: a trace that is nil is the caller's mistake, and told as that.
func TestCompareOfNil(t *testing.T) {
	a := recorded(t, "plain")
	for name, pair := range map[string][2]*trace.Trace{"A": {nil, a}, "B": {a, nil}} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "diff: Compare of a trace that is nil") {
					t.Errorf("without %s: panic %q", name, text)
				}
			}()
			diff.Compare(pair[0], pair[1], diff.Options{})
		}()
	}
}
