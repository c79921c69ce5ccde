package diff_test

import (
	"testing"

	"connectlab/trace/diff"

	"github.com/google/go-cmp/cmp"
)

// turned exchanges the sides of a result. Several parts of it may share what they point to.
func turned(r *diff.Result) {
	differences := map[*diff.Difference]bool{}
	exchange := func(list []diff.Difference) {
		if len(list) == 0 || differences[&list[0]] {
			return
		}
		differences[&list[0]] = true
		for i := range list {
			d := &list[i]
			d.A, d.B = d.B, d.A
		}
	}
	exchange(r.Headers)
	divergences := map[*diff.Divergence]bool{nil: true}
	all := []*diff.Divergence{r.First, r.FirstBroken}
	for i := range r.Rest {
		all = append(all, r.Rest[i].First)
	}
	for _, d := range all {
		if divergences[d] {
			continue
		}
		divergences[d] = true
		d.A, d.B = d.B, d.A
		d.Ruling.A, d.Ruling.B = d.Ruling.B, d.Ruling.A
		d.Ruling.EventA, d.Ruling.EventB = d.Ruling.EventB, d.Ruling.EventA
		exchange(d.Differences)
	}
	if r.Apart != nil {
		r.Apart.A, r.Apart.B = r.Apart.B, r.Apart.A
	}
}

func compared(a, b *diff.Result) string { return cmp.Diff(a, b) }

// TestMirror: which trace comes first makes no difference, also where the runs have little in common.
func TestMirror(t *testing.T) {
	for _, name := range everyStory("handwritten+", "handwritten") {
		if name == "many" || name == "ecn" || name == "urgent" {
			continue // a hundred times plain, and what gVisor cannot do
		}
		a := recorded(t, name)
		for _, r := range []run{{name, "handwritten", "gvisor", 1}, {name, "handwritten+", "handwritten", 2}} {
			mirror(t, a, record(t, r), diff.Options{})
			mirror(t, a, record(t, r), diff.Options{Ignore: []diff.Aspect{diff.TCPOptions, diff.Window, diff.IP}})
		}
	}
}
