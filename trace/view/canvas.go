package view

import (
	"bufio"
	"io"

	"github.com/clipperhouse/displaywidth"
)

// A style is how a cell is marked where colours are shown.
type style uint8

const (
	plain  style = iota
	dim          // what stays as it was
	bold         // what changed
	red          // lost, failed, wrong
	yellow       // sent again, late
	green        // arrows
	cyan         // calls
	purple       // timers
)

var escapes = [...]string{
	plain: "", dim: "\x1b[2m", bold: "\x1b[1m", red: "\x1b[31m", yellow: "\x1b[33m", green: "\x1b[32m", cyan: "\x1b[36m", purple: "\x1b[35m",
}

const escapeReset = "\x1b[0m"

// A canvas writes lines of cells. The line in work is drawn with put, in any order, and written with flush.
type canvas struct {
	w     *bufio.Writer
	color bool
	cells []cell
}

// A cell is one position of a line. What is two cells wide stands in the first; the second is then covered.
type cell struct {
	text    string
	style   style
	covered bool
}

func newCanvas(w io.Writer, o *Options) *canvas {
	return &canvas{w: bufio.NewWriter(w), color: o.Color, cells: make([]cell, o.columns())}
}

// put writes s from column x on and returns the column behind it. What would stand outside of the line is left out.
func (c *canvas) put(x int, s string, st style) int {
	if isASCII(s) {
		for i := range len(s) {
			if x >= 0 && x < len(c.cells) {
				c.cells[x] = cell{text: s[i : i+1], style: st}
			}
			x++
		}
		return x
	}
	for g := displaywidth.StringGraphemes(s); g.Next(); {
		w := g.Width()
		if w == 0 {
			continue
		}
		if x >= 0 && x+w <= len(c.cells) {
			c.cells[x] = cell{text: g.Value(), style: st}
			for i := 1; i < w; i++ {
				c.cells[x+i] = cell{covered: true}
			}
		}
		x += w
	}
	return x
}

// isASCII reports whether each octet of s is a character of one cell.
func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// at is what stands in a column, also where it is the second half of something two cells wide; a blank line is empty
// everywhere.
func (c *canvas) at(x int) string {
	if c.cells[x].covered {
		x--
	}
	return c.cells[x].text
}

// flush writes the line, without blanks at its end, and begins the next.
func (c *canvas) flush() {
	end := 0
	for x, cell := range c.cells {
		if cell.covered || cell.text != "" && cell.text != " " {
			end = x + 1
		}
	}
	now := plain
	for _, cell := range c.cells[:end] {
		if cell.covered {
			continue
		}
		if cell.text == "" {
			cell.text, cell.style = " ", plain
		}
		if c.color && cell.style != now {
			if now != plain {
				c.w.WriteString(escapeReset)
			}
			c.w.WriteString(escapes[cell.style])
			now = cell.style
		}
		c.w.WriteString(cell.text)
	}
	if now != plain {
		c.w.WriteString(escapeReset)
	}
	c.w.WriteByte('\n')
	clear(c.cells)
}

// line writes one text from column x on.
func (c *canvas) line(x int, s string, st style) {
	c.put(x, s, st)
	c.flush()
}

// paragraph writes a text from column x on, in as many lines as it takes.
func (c *canvas) paragraph(x int, s string, st style) {
	for _, l := range wrap(s, len(c.cells)-x) {
		c.line(x, l, st)
	}
}

// A column of a row is a text that is wrapped to a width.
type column struct {
	x, width int
	text     string
	style    style
}

// row writes texts beside each other, in as many lines as the longest takes.
func (c *canvas) row(columns ...column) {
	for more, i := true, 0; more; i++ {
		more = false
		for _, col := range columns {
			more = c.lineOf(col, i) || more
		}
		c.flush()
	}
}

// lineOf puts line i of a column on the line in work, and reports whether the column has more.
func (c *canvas) lineOf(col column, i int) bool {
	lines := wrap(col.text, col.width)
	if i >= 0 && i < len(lines) {
		c.put(col.x, lines[i], col.style)
	}
	return i+1 < len(lines)
}

// end writes what is still held back and returns the first error.
func (c *canvas) end() error { return c.w.Flush() }
