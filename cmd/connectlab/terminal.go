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

// A watch shows on stderr, if that is a terminal, how far work has come that has taken longer than a second of wall
// time.
type watch struct {
	p     *program
	now   func() time.Time
	start time.Time
	shown time.Time // zero: nothing stands on the terminal
}

func (p *program) watch() *watch { return &watch{p: p, now: time.Now, start: time.Now()} }

// tick is called now and then by what works; the text of the key tells how far it is.
func (w *watch) tick(key string, args ...any) {
	if !w.p.errTerminal {
		return
	}
	now := w.now()
	if now.Sub(w.start) < time.Second || now.Sub(w.shown) < 200*time.Millisecond {
		return
	}
	w.shown = now
	fmt.Fprintf(w.p.stderr, "\r\x1b[K%s", oneLine(w.p.text(key, args...)))
}

// done clears the line.
func (w *watch) done() {
	if !w.shown.IsZero() {
		fmt.Fprint(w.p.stderr, "\r\x1b[K")
		w.shown = time.Time{}
	}
}

// A meter counts the octets that are read from r or written to w.
type meter struct {
	r     io.Reader
	w     io.Writer
	n     int
	count func(n int)
}

// Read makes meter an io.Reader.
func (m *meter) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	m.n += n
	m.count(m.n)
	return n, err
}

// Write makes meter an io.Writer.
func (m *meter) Write(b []byte) (int, error) {
	n, err := m.w.Write(b)
	m.n += n
	m.count(m.n)
	return n, err
}
