package netns

import (
	"cmp"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// key is what an entry is told by.
type key struct {
	At         time.Duration
	Line, Rank int
	Push       int
}

// TestAgenda: whatever is pushed and popped in between, entries come by time, line, program, and order of pushing.
func TestAgenda(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var a agenda
		var model []key
		pushed := map[uint64]key{}
		for n := range rapid.IntRange(1, 60).Draw(t, "operations") {
			if len(model) > 0 && rapid.IntRange(0, 2).Draw(t, "pop") == 0 {
				checkFirst(t, &a, &model, pushed)
				continue
			}
			k := key{
				At: time.Duration(rapid.IntRange(0, 3).Draw(t, "at")), Line: rapid.IntRange(0, 2).Draw(t, "line"),
				Rank: rapid.IntRange(0, 2).Draw(t, "rank"), Push: n,
			}
			a.push(entry{at: k.At, line: k.Line, rank: k.Rank})
			pushed[a.order] = k
			model = append(model, k)
		}
		for len(model) > 0 {
			checkFirst(t, &a, &model, pushed)
		}
		if _, ok := a.next(); ok {
			t.Fatal("an entry too many")
		}
	})
}

// checkFirst pops the first entry and compares it with the first of the sorted model.
func checkFirst(t *rapid.T, a *agenda, model *[]key, pushed map[uint64]key) {
	slices.SortFunc(*model, func(x, y key) int {
		return cmp.Or(cmp.Compare(x.At, y.At), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Rank, y.Rank), cmp.Compare(x.Push, y.Push))
	})
	want := (*model)[0]
	*model = (*model)[1:]
	at, ok := a.next()
	if !ok || at != want.At {
		t.Fatalf("next() = %v, %v, want %v", at, ok, want.At)
	}
	e := a.pop()
	got := key{e.at, e.line, e.rank, pushed[e.order].Push}
	if d := gocmp.Diff(want, got); d != "" {
		t.Fatalf("popped (-want +got):\n%s", d)
	}
}
