package view

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"connectlab/trace/book"
)

// A BookColumn is what was judged on one stack.
type BookColumn struct {
	Stack string
	// Results are one a statement, in the book's order.
	Results []book.Result
}

// Differs reports whether the columns have different verdicts on the statement of index i.
func Differs(columns []BookColumn, i int) bool {
	return slices.ContainsFunc(columns, func(c BookColumn) bool { return c.Results[i].Verdict != columns[0].Results[i].Verdict })
}

// stackColumns lays out columns of stacks: where they begin, how wide each is, and where what stands behind them begins.
type stackColumns struct {
	x, width, end int
	names         []string
}

// maxStackWidth is how wide a column is made for the sake of a stack's name: a longer one is wrapped.
const maxStackWidth = 16

// stacks lays out a column a stack between x and the end of the line, each wide enough for its name and for least cells where
// there is room for them all.
func (o *Options) stacks(x, least int, names []string) stackColumns {
	const gap = 2
	s := stackColumns{x: x, width: least}
	for _, name := range names {
		name = clean(name)
		s.names = append(s.names, name)
		s.width = max(s.width, min(width(name), maxStackWidth))
	}
	s.width = max(min(s.width+gap, (o.columns()-x)/len(names)), gap+2)
	s.end = x + len(names)*s.width
	return s
}

// cell is the column of stack i with a text.
func (s *stackColumns) cell(i int, text string, st style) column {
	return column{x: s.x + i*s.width, width: s.width - 2, text: text, style: st}
}

// head is the line of the stacks' names.
func (s *stackColumns) head(c *canvas) {
	var cells []column
	for i, name := range s.names {
		cells = append(cells, s.cell(i, name, bold))
	}
	c.row(cells...)
}

func stackNames(columns []BookColumn) []string {
	names := make([]string, len(columns))
	for i := range columns {
		names[i] = columns[i].Stack
	}
	return names
}

// BookColumns prints a row a statement with the verdict on each stack. Where they differ the row is marked, and below it is
// told what was seen on each, and where. Then it counts the verdicts. There is at least one column; the only errors are w's.
func BookColumns(w io.Writer, columns []BookColumn, o Options) error {
	c := newCanvas(w, &o)
	const markX, idX, verdictX = 0, 2, 7
	const least = 24 // cells that a statement needs beside its verdicts
	s := o.stacks(verdictX, o.verdictWidth(), stackNames(columns))
	s.head(c)
	section := ""
	for i := range columns[0].Results {
		id := columns[0].Results[i].Statement.ID
		if id[:1] != section {
			if section != "" {
				c.flush()
			}
			section = id[:1]
			c.line(0, o.text("book.section."+section), bold)
		}
		row := []column{{x: idX, width: verdictX - idX, text: id, style: bold}}
		if Differs(columns, i) {
			row = append(row, column{x: markX, width: 1, text: differsSign, style: bold})
		}
		for j := range columns {
			word, st := o.verdict(columns[j].Results[i].Verdict)
			row = append(row, s.cell(j, word, st))
		}
		if text := o.text("book." + id); len(c.cells)-s.end >= least {
			c.row(append(row, column{x: s.end, width: len(c.cells) - s.end, text: text})...)
		} else {
			c.row(row...)
			c.paragraph(verdictX, text, dim)
		}
	}
	o.bookDifferences(c, columns)
	c.flush()
	c.line(0, o.text("book.columns.counts", len(columns[0].Results)), bold)
	counts := o.stacks(o.verdictWidth()+2, 0, s.names)
	counts.head(c)
	for _, v := range shownVerdicts {
		word, st := o.verdict(v)
		row := []column{{x: 0, width: counts.x, text: word, style: st}}
		for j := range columns {
			row = append(row, counts.cell(j, strconv.Itoa(countOf(columns[j].Results, v)), plain))
		}
		c.row(row...)
	}
	return c.end()
}

// differsSign marks what is not the same on all stacks.
const differsSign = "≠"

// shownVerdicts are the verdicts in the order in which they are counted.
var shownVerdicts = []book.Verdict{book.Holds, book.Refined, book.Contradicted, book.NotExercised, book.NotObservable}

func countOf(results []book.Result, v book.Verdict) int {
	n := 0
	for i := range results {
		if results[i].Verdict == v {
			n++
		}
	}
	return n
}

// bookDifferences tells of each statement whose verdicts differ what was seen on each stack.
func (o *Options) bookDifferences(c *canvas, columns []BookColumn) {
	c.flush()
	const labelX, seenX = 2, 4
	count := 0
	for i := range columns[0].Results {
		if Differs(columns, i) {
			count++
		}
	}
	if count == 0 {
		c.paragraph(0, o.text("book.columns.same"), bold)
		return
	}
	c.paragraph(0, o.count("book.columns.differ", int64(count)), bold)
	for i := range columns[0].Results {
		if !Differs(columns, i) {
			continue
		}
		id := columns[0].Results[i].Statement.ID
		c.flush()
		x := c.put(0, differsSign+" "+id+"  ", bold)
		for n, line := range wrap(o.text("book."+id), len(c.cells)-x) {
			if n > 0 {
				c.flush()
			}
			c.put(x, line, bold)
		}
		c.flush()
		for j := range columns {
			r := &columns[j].Results[i]
			word, st := o.verdict(r.Verdict)
			x := c.put(labelX, clean(columns[j].Stack)+": ", plain)
			c.put(x, word, st)
			c.flush()
			for _, of := range shownFindings(r) {
				c.paragraph(seenX, o.seenOnPair(&of), dim)
			}
			if n := len(r.Of) - len(shownFindings(r)) + r.More; n > 0 {
				c.paragraph(seenX, o.count("book.more", int64(n)), dim)
			}
		}
	}
}

// seenOnPair is what was seen, and where: of two makers with both their names.
func (o *Options) seenOnPair(of *book.Of) string {
	text := Say(o.Language, of.Observed)
	where := o.where(of)
	if where == "" {
		return text
	}
	if of.Run.Client != of.Run.Server {
		where += " " + o.text("book.columns.pair", clean(of.Run.Client), clean(of.Run.Server))
	}
	return text + " · " + where
}

// BookColumnsMarkdown prints the same as two tables in Markdown: the verdicts, and what was seen where they differ.
func BookColumnsMarkdown(w io.Writer, columns []BookColumn, o Options) error {
	var b strings.Builder
	table := func(cells ...string) {
		for _, text := range cells {
			b.WriteString("| " + markdown(text) + " ")
		}
		b.WriteString("|\n")
	}
	head := append([]string{" ", o.text("book.head.id"), o.text("book.head.statement")}, stackNames(columns)...)
	table(head...)
	b.WriteString(strings.Repeat("|---", len(head)) + "|\n")
	var seen [][]string
	for i := range columns[0].Results {
		id, mark := columns[0].Results[i].Statement.ID, ""
		if Differs(columns, i) {
			mark = differsSign
		}
		row := []string{mark, id, o.text("book." + id)}
		for j := range columns {
			r := &columns[j].Results[i]
			word, _ := o.verdict(r.Verdict)
			row = append(row, word)
			if mark == "" {
				continue
			}
			var texts []string
			for _, of := range shownFindings(r) {
				texts = append(texts, o.seenOnPair(&of))
			}
			seen = append(seen, []string{id, columns[j].Stack, word, strings.Join(texts, " / ")})
		}
		table(row...)
	}
	b.WriteByte('\n')
	if len(seen) > 0 {
		table(o.text("book.head.id"), o.text("book.head.stack"), o.text("book.head.verdict"), o.text("book.head.seen"))
		b.WriteString("|---|---|---|---|\n")
		for _, row := range seen {
			table(row...)
		}
		b.WriteByte('\n')
	}
	for j := range columns {
		fmt.Fprintf(&b, "- %s: %s\n", markdown(columns[j].Stack), o.verdictCounts(columns[j].Results))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
