package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// terminalWidth is the width of a terminal in cells; 0: the file is none.
func terminalWidth(f *os.File) int {
	fd := int(f.Fd())
	if !term.IsTerminal(fd) {
		return 0
	}
	if w, _, err := term.GetSize(fd); err == nil && w > 0 {
		return w
	}
	return defaultColumns
}

// progress shows on a terminal how far a run has come, once it has taken longer than a second of wall time.
type progress struct {
	w     io.Writer
	text  func(now time.Duration, steps int) string
	start time.Time
	shown time.Time
}

func newProgress(w io.Writer, text func(time.Duration, int) string) *progress {
	now := time.Now()
	return &progress{w: w, text: text, start: now, shown: now}
}

// step is a netns.Config.Progress.
func (p *progress) step(now time.Duration, steps int) {
	t := time.Now()
	if t.Sub(p.start) < time.Second || t.Sub(p.shown) < 200*time.Millisecond {
		return
	}
	p.shown = t
	fmt.Fprintf(p.w, "\r\x1b[K%s", p.text(now, steps))
}

// done clears the line.
func (p *progress) done() {
	if p.shown != p.start {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
