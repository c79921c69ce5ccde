package diff_test

import (
	"testing"

	"connectlab/trace/diff"
)

// BenchmarkCompare compares 1 MB both ways: with a run that differs in its numbers alone, and with one of other stacks, that has little
// in common with it.
func BenchmarkCompare(b *testing.B) {
	a := record(b, run{"bulk", "gvisor", "gvisor", 1})
	for _, bench := range []struct {
		name  string
		other run
	}{
		{"alike", run{"bulk", "gvisor", "gvisor", 2}},
		{"otherStacks", run{"bulk", "handwritten", "handwritten", 1}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			other := record(b, bench.other)
			b.ReportAllocs()
			for b.Loop() {
				if r := diff.Compare(a, other, diff.Options{}); r.Moves < 500 {
					b.Fatalf("%d moves", r.Moves)
				}
			}
			b.ReportMetric(float64(len(a.Events)+len(other.Events))*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
