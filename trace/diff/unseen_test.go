package diff_test

import (
	"fmt"
	"slices"
	"testing"

	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/diff"
)

// TestUnseenStatesAreNoDifference: the states in which sockets are left differ from nothing where a stack does not let them be looked at.
func TestUnseenStatesAreNoDifference(t *testing.T) {
	for _, name := range script.NamesFor(stacks["handwritten"], stacks["handwritten"]) {
		tr := record(t, run{name, "handwritten", "handwritten", 1})
		a, b := diff.OutcomeOf(tr), diff.OutcomeOf(unseen(t, tr))
		for _, host := range b.Hosts {
			if !host.Unseen {
				t.Errorf("%s: the states of %s are said to be seen", name, host.Host)
			}
		}
		for range 2 {
			if got, went := a.Differs(&b); len(got)+len(went) > 0 {
				t.Errorf("%s: %v %v", name, got, went)
			}
			a, b = b, a
		}
	}
}

// TestACaptureHasTheDataOfItsRun: which seed a capture was made with is not known, so that its data are compared.
func TestACaptureHasTheDataOfItsRun(t *testing.T) {
	a := recorded(t, "plain")
	captured := capture(t, a)
	r := diff.Compare(a, captured, diff.Options{})
	if r.First != nil || slices.ContainsFunc(r.NotCompared, func(o diff.Omission) bool { return o.Aspect == diff.Data }) {
		t.Errorf("first %s, not compared %v", brief(r.First), r.NotCompared)
	}
	if slices.ContainsFunc(r.Headers, func(d diff.Difference) bool { return d.Field == "seed" }) {
		t.Errorf("another seed: %v", r.Headers)
	}
	b := bend(t, a)
	n := b.segment("client", trace.ACK, true, 1)
	b.octets(n, func(o []byte) []byte { o[len(o)-1] ^= 1; return o })
	for _, other := range []*trace.Trace{b.finish(), capture(t, b.finish())} {
		r := diff.Compare(captured, other, diff.Options{})
		if r.First == nil || r.First.Differences[0].Aspect != diff.Data {
			t.Errorf("with another octet the first divergence is %s", brief(r.First))
		}
	}
}

// TestOtherDelays: on a link with another delay, what the clock of the timestamps shows follows from when a segment is sent.
func TestOtherDelays(t *testing.T) {
	for _, stack := range []string{"gvisor", "handwritten+"} {
		for _, name := range []string{"plain", "send-and-close", "bulk"} {
			a := record(t, run{name, stack, stack, 1})
			b := recordDelayed(t, run{name, stack, stack, 1}, 5*a.Header.Delay)
			for _, d := range divergences(diff.Compare(a, b, diff.Options{Ignore: []diff.Aspect{diff.Control}})) {
				for _, x := range d.Differences {
					if x.Field == "option-timestamps" {
						t.Errorf("%s, %s: %s: %s and %s", name, stack, brief(d), x.A, x.B)
					}
				}
			}
			mirror(t, a, b, diff.Options{})
		}
	}
	a := recorded(t, "plain")
	b := bend(t, recordDelayed(t, run{"plain", "gvisor", "gvisor", 1}, 5*a.Header.Delay))
	n := b.segment("client", trace.FIN|trace.ACK, false, 1)
	b.options(n, more(trace.OptionTimestamps, 2, 5))
	if r := diff.Compare(a, b.finish(), diff.Options{Ignore: []diff.Aspect{diff.Control}}); r.First == nil || r.First.B.Event != n || r.First.Differences[0].Field != "option-timestamps" {
		t.Errorf("a clock that is 5 ms ahead: first %s, want the timestamps of #%d", brief(r.First), n)
	}
	fast := bend(t, a)
	last := fast.segment("client", trace.FIN|trace.ACK, false, 1)
	fast.options(last, more(trace.OptionTimestamps, 2, 1))
	if r := diff.Compare(a, fast.finish(), diff.Options{}); r.First == nil || brief(r.First) != fmt.Sprintf("options option-timestamps #%d #%d", last, last) {
		t.Errorf("a clock that is 1 ms ahead at the same time: first %s", brief(r.First))
	}
}
