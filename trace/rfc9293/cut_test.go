package rfc9293_test

import (
	"testing"

	"connectlab/netns"
	"connectlab/trace"
	"connectlab/trace/rfc9293"
)

// TestCutTraces: that a trace ends in the middle of a step makes nobody break a rule, or leave the machine's paths.
func TestCutTraces(t *testing.T) {
	for _, name := range []string{"plain", "refused", "simultaneous-open", "syn-lost", "half-open-b", "abort", "slow-reader"} {
		whole := recorded(t, builtin(t, name), netns.Config{})
		breaks := map[string]bool{}
		for _, a := range rfc9293.Answers(whole) {
			if a.Keeping == rfc9293.Breaks {
				breaks[a.String()] = true
			}
		}
		for n := range whole.Events {
			cut := &trace.Trace{Header: whole.Header, Events: whole.Events[:n], End: trace.End{Reason: trace.BrokenOff}}
			if n > 0 {
				cut.End.At = cut.Events[n-1].At
			}
			for _, a := range rfc9293.Answers(cut) {
				if a.Keeping == rfc9293.Breaks && !breaks[a.String()] {
					t.Errorf("%s, cut behind event %d: %v", name, n, &a)
				}
			}
			for _, p := range rfc9293.Paths(cut) {
				t.Errorf("%s, cut behind event %d: %v", name, n, &p)
			}
		}
	}
}
