package view

import (
	"io"
	"strings"
)

// A Table is rows of texts beside each other. The last column takes the cells that the others leave and is wrapped to
// them.
type Table struct {
	Head []string // empty: none
	Rows [][]string
}

// Print writes the table, no line wider than the options' columns.
func (t *Table) Print(w io.Writer, o Options) error {
	const gap = 2
	var widths []int
	for _, row := range append([][]string{t.Head}, t.Rows...) {
		for i, text := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(clean(text)))
		}
	}
	c := newCanvas(w, &o)
	line := func(row []string, st style) {
		var columns []column
		x := 0
		for i, text := range row {
			n := widths[i]
			if i == len(widths)-1 {
				n = max(len(c.cells)-x, 1)
			}
			text = clean(text)
			// wrap drops blanks; those that indent a text are kept as a place.
			indent := len(text) - len(strings.TrimLeft(text, " "))
			columns = append(columns, column{x: x + indent, width: max(n-indent, 1), text: text, style: st})
			x += widths[i] + gap
		}
		c.row(columns...)
	}
	if len(t.Head) > 0 {
		line(t.Head, bold)
	}
	for _, row := range t.Rows {
		line(row, plain)
	}
	return c.end()
}

// Paragraph writes a text from column x on, in as many lines as the options' columns ask for.
func Paragraph(w io.Writer, x int, text string, o Options) error {
	c := newCanvas(w, &o)
	c.paragraph(x, clean(text), plain)
	return c.end()
}
