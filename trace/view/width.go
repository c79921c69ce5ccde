package view

import (
	"strings"
	"unicode"

	"github.com/clipperhouse/displaywidth"
)

// clean takes control characters out of a text that came out of a trace: a file is not to move the cursor of
// whoever looks at it.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar || unicode.Is(unicode.Bidi_Control, r) {
			return '·'
		}
		return r
	}, s)
}

// width is the number of cells that s takes on a screen. A Hangul syllable takes two.
func width(s string) int { return displaywidth.String(s) }

// wrap breaks s into lines of at most n cells, at blanks where it can; a longer word is cut. There is always at least
// one line.
func wrap(s string, n int) []string {
	if width(s) <= n && !strings.Contains(s, "  ") && s == strings.TrimSpace(s) {
		return []string{s}
	}
	var lines []string
	line, used := "", 0
	flush := func() {
		if line != "" {
			lines = append(lines, line)
		}
		line, used = "", 0
	}
	for word := range strings.FieldsSeq(s) {
		w := width(word)
		switch {
		case used > 0 && used+1+w <= n:
			line, used = line+" "+word, used+1+w
			continue
		case w <= n:
			flush()
			line, used = word, w
			continue
		}
		// A word longer than a line is cut, on a line that may have begun.
		if used > 0 && used+1 < n/2 {
			line, used = line+" ", used+1
		} else {
			flush()
		}
		for g := displaywidth.StringGraphemes(word); g.Next(); {
			if used+g.Width() > n {
				flush()
			}
			line, used = line+g.Value(), used+g.Width()
		}
	}
	flush()
	if len(lines) == 0 {
		return []string{""}
	}
	return lines
}
