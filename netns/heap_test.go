package netns

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

type rank struct{ n int }

func (r *rank) before(s *rank) bool { return r.n < s.n }

// TestHeap: whatever is pushed, popped and changed in between, the first item is the least.
func TestHeap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h heap[*rank]
		number := rapid.IntRange(0, 9)
		pop := func(t *rapid.T) {
			want := slices.MinFunc(h.items, func(a, b *rank) int { return a.n - b.n }).n
			first, ok := h.first()
			if got := h.pop(); !ok || got != first || got.n != want {
				t.Fatalf("popped %d, first %v, want %d", got.n, first, want)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) { h.push(&rank{number.Draw(t, "n")}) },
			"pop": func(t *rapid.T) {
				if len(h.items) > 0 {
					pop(t)
				}
			},
			"change": func(t *rapid.T) {
				if len(h.items) > 0 {
					i := rapid.IntRange(0, len(h.items)-1).Draw(t, "i")
					h.items[i].n = number.Draw(t, "n")
					h.changed(i)
				}
			},
		})
		for len(h.items) > 0 {
			pop(t)
		}
		if _, ok := h.first(); ok {
			t.Fatal("a first item of none")
		}
	})
}
