package diff_test

import (
	"fmt"
	"testing"

	"connectlab/trace"
	"connectlab/trace/diff"
)

// TestCutTraces: a trace that is broken off differs from the whole one in its end alone, also where it is broken off in the middle of a step.
func TestCutTraces(t *testing.T) {
	for _, name := range []string{"plain", "hole", "syn-lost", "half-open-b", "slow-reader"} {
		for _, stack := range []string{"gvisor", "handwritten+"} {
			whole := record(t, run{name, stack, stack, 1})
			for n := 1; n < len(whole.Events); n += 1 + len(whole.Events)/50 {
				cut := &trace.Trace{Header: whole.Header, Events: whole.Events[:n], End: trace.End{Reason: trace.BrokenOff, At: whole.Event(n).At}}
				r := diff.Compare(cut, whole, diff.Options{})
				what := fmt.Sprintf("%s, %s, cut behind event %d of %d", name, stack, n, len(whole.Events))
				if r.First == nil || r.First.Differences[0].Aspect != diff.End {
					t.Errorf("%s: first %s: %+v", what, brief(r.First), r.First)
				}
				for i := range r.Rest {
					t.Errorf("%s: %d of %v, first %s", what, r.Rest[i].N, r.Rest[i].Aspect, brief(r.Rest[i].First))
				}
				mirror(t, cut, whole, diff.Options{})
			}
		}
	}
}

// TestMissingBeforeTheCut: what is missing where the trace goes on is not taken for what lies behind its end.
func TestMissingBeforeTheCut(t *testing.T) {
	whole := recorded(t, "plain")
	b := bend(t, whole)
	n := b.segment("server", trace.ACK, false, 1)
	b.drop(n)
	b.t.End.Reason = trace.BrokenOff
	r := diff.Compare(whole, b.finish(), diff.Options{})
	if want := fmt.Sprintf("packets packet #%d #0", n); brief(r.First) != want {
		t.Errorf("first divergence %s, want %s", brief(r.First), want)
	}
}

// TestCutBesideAnotherStack: what another stack does behind the break is not said to be missing in a trace that is broken off, whichever of
// the two is faster, if it is not missing in the whole one.
func TestCutBesideAnotherStack(t *testing.T) {
	for _, name := range []string{"plain", "hole", "syn-lost", "half-open-b", "simultaneous-close"} {
		for _, stacks := range [][2]string{{"gvisor", "handwritten"}, {"handwritten", "gvisor"}, {"gvisor", "handwritten+"}, {"handwritten+", "gvisor"}} {
			whole, other := record(t, run{name, stacks[0], stacks[0], 1}), record(t, run{name, stacks[1], stacks[1], 1})
			missing := map[int]bool{}
			for _, d := range divergences(diff.Compare(whole, other, diff.Options{})) {
				if d.A.Event == 0 {
					missing[d.B.Event] = true
				}
			}
			for n := 1; n < len(whole.Events); n += 1 + len(whole.Events)/50 {
				cut := &trace.Trace{Header: whole.Header, Events: whole.Events[:n], End: trace.End{Reason: trace.BrokenOff, At: whole.Event(n).At}}
				for _, d := range divergences(diff.Compare(cut, other, diff.Options{})) {
					if d.A.Event == 0 && d.B.Event != 0 && d.B.At >= cut.End.At && !missing[d.B.Event] {
						t.Errorf("%s, %v, cut behind event %d, at %v: %s, at %v", name, stacks, n, cut.End.At, brief(d), d.B.At)
					}
				}
				mirror(t, cut, other, diff.Options{})
			}
		}
	}
}
