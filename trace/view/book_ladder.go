package view

import (
	"fmt"
	"io"
	"strings"

	"connectlab/trace"
	"connectlab/trace/book"
)

// matchSigns stand between the book's step and what was recorded.
var matchSigns = map[book.Match]struct {
	sign string
	key  string
	st   style
}{
	book.Same:    {"=", "book.match.same", green},
	book.Differs: {"≠", "book.match.differs", red},
	book.None:    {"–", "book.match.none", dim},
	book.Untold:  {"+", "book.match.untold", yellow},
}

// BookLadder prints the book's connect beside the recorded one, step by step. The only errors are w's.
func BookLadder(w io.Writer, t *trace.Trace, steps []book.Step, o Options) error {
	c := newCanvas(w, &o)
	if len(steps) == 0 {
		c.paragraph(0, o.text("book.ladder.nothing"), dim)
		return c.end()
	}
	const idX, textX, gap = 0, 5, 2
	half := min(len(c.cells), maxLadder) * 9 / 20
	bar := half
	signX := bar + gap
	seenX := signX + 2
	end := min(len(c.cells), maxLadder)
	clock := newClock(t)
	c.put(textX, o.text("book.ladder.head.book"), bold)
	c.put(bar, "│", dim)
	c.put(seenX, o.text("book.ladder.head.recorded"), bold)
	c.flush()
	c.put(0, strings.Repeat("─", bar)+"┼"+strings.Repeat("─", end-bar-1), dim)
	c.flush()
	count := map[book.Match]int{}
	for i := range steps {
		s := &steps[i]
		m := matchSigns[s.Match]
		count[s.Match]++
		seen := Say(o.Language, s.Seen)
		if len(s.Events) > 0 {
			seen = fmt.Sprintf("%s %s · %s", clock.print(t.Event(s.Events[0]).At), numbers(s.Events), seen)
		}
		left := wrap(Say(o.Language, s.Text), bar-textX-1)
		right := wrap(seen, end-seenX)
		ids := s.Statements
		for line := range max(len(left), len(right), len(ids)) {
			if line < len(ids) {
				c.put(idX, ids[line], bold)
			}
			if line < len(left) {
				c.put(textX, left[line], plain)
			}
			c.put(bar, "│", dim)
			if line == 0 {
				c.put(signX, m.sign, m.st)
			}
			if line < len(right) {
				st := plain
				if s.Match == book.Untold {
					st = dim
				}
				c.put(seenX, right[line], st)
			}
			c.flush()
		}
	}
	c.flush()
	for _, m := range []book.Match{book.Same, book.Differs, book.None, book.Untold} {
		c.paragraph(0, matchSigns[m].sign+" "+o.text(matchSigns[m].key, count[m]), dim)
	}
	return c.end()
}
