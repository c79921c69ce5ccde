package view

import (
	"fmt"
	"io"
	"net/netip"
	"strings"
	"time"

	"connectlab/trace"
	"connectlab/trace/book"
)

// Say is what a check has to say, in a language.
func Say(l Language, t book.Text) string {
	if t.Key == "" {
		return ""
	}
	o := Options{Language: l}
	args := make([]any, len(t.Args))
	for i, a := range t.Args {
		args[i] = o.argument(a)
	}
	return o.text(t.Key, args...)
}

// argument is an argument of a book.Text as it prints.
func (o *Options) argument(a any) any {
	switch a := a.(type) {
	case string:
		return clean(a)
	case trace.Item:
		return o.text(keyed("item.", a.String()))
	case []trace.Item:
		names := make([]string, len(a))
		for i, item := range a {
			names[i] = o.text(keyed("item.", item.String()))
		}
		return strings.Join(names, "; ")
	case trace.State:
		return o.stateName(a)
	case time.Duration:
		return o.span(a)
	case netip.AddrPort:
		return a.String()
	case fmt.Stringer:
		return clean(a.String())
	}
	return a
}

// verdict is a verdict's word and how it is marked.
func (o *Options) verdict(v book.Verdict) (string, style) {
	text := o.text("verdict." + v.String())
	switch v {
	case book.Holds:
		return text, green
	case book.Refined:
		return text, yellow
	case book.Contradicted:
		return text, red
	case book.NotExercised, book.NotObservable:
	}
	return text, dim
}

// verdictWidth is the width of the widest verdict.
func (o *Options) verdictWidth() int {
	most := 0
	for _, v := range book.Verdicts() {
		text, _ := o.verdict(v)
		most = max(most, width(text))
	}
	return most
}

// Book prints a row a statement: its id, the verdict, the statement in one line; below, what was seen, and where. Then it
// counts the verdicts. The only errors are w's.
func Book(w io.Writer, results []book.Result, o Options) error {
	c := newCanvas(w, &o)
	const idX, verdictX = 0, 5
	textX := verdictX + o.verdictWidth() + 2
	room := len(c.cells) - textX
	section := ""
	for i := range results {
		r := &results[i]
		if s := r.Statement.ID[:1]; s != section {
			if section != "" {
				c.flush()
			}
			section = s
			c.line(0, o.text("book.section."+s), bold)
		}
		word, st := o.verdict(r.Verdict)
		c.row(column{x: idX, width: verdictX, text: r.Statement.ID, style: bold}, column{x: verdictX, width: textX - verdictX, text: word, style: st},
			column{x: textX, width: room, text: o.text("book." + r.Statement.ID)})
		for _, of := range shownFindings(r) {
			text := Say(o.Language, of.Observed)
			if where := o.where(&of); where != "" {
				text += " · " + where
			}
			c.row(column{x: textX, width: room, text: text, style: dim})
		}
		if n := len(r.Of) - len(shownFindings(r)) + r.More; n > 0 {
			c.row(column{x: textX, width: room, text: o.count("book.more", int64(n)), style: dim})
		}
	}
	c.flush()
	c.paragraph(0, o.verdictCounts(results), bold)
	return c.end()
}

// shownFindings are those of a result's findings that a row shows: the first, and the first that refines it.
func shownFindings(r *book.Result) []book.Of {
	if len(r.Of) > 1 && r.Of[0].Verdict != r.Of[1].Verdict {
		return r.Of[:2]
	}
	return r.Of[:1]
}

// maxEvidence is how many events a view names of those that a verdict rests on.
const maxEvidence = 5

// where is the story and the events that a finding rests on: "plain #21 #27"; of a capture, its frames.
func (o *Options) where(of *book.Of) string {
	found := of.Numbers()
	if len(found) == 0 {
		return ""
	}
	name := clean(of.Run.Name)
	if of.Run.Frames != nil {
		name += ", " + o.text("book.frames")
	}
	return name + " " + numbers(found)
}

// numbers names events: "#21 #27", the first few of many.
func numbers(events []int) string {
	var b strings.Builder
	for i, n := range events {
		if i == maxEvidence && len(events) > maxEvidence+1 {
			fmt.Fprintf(&b, " … (%d)", len(events))
			break
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "#%d", n)
	}
	return b.String()
}

// verdictCounts is how many statements have each verdict.
func (o *Options) verdictCounts(results []book.Result) string {
	count := make(map[book.Verdict]int)
	for i := range results {
		count[results[i].Verdict]++
	}
	var parts []string
	for _, v := range []book.Verdict{book.Holds, book.Refined, book.Contradicted, book.NotExercised, book.NotObservable} {
		word, _ := o.verdict(v)
		parts = append(parts, fmt.Sprintf("%d %s", count[v], word))
	}
	return o.text("book.counts", len(results), strings.Join(parts, ", "))
}

// BookMarkdown prints the same as a table in Markdown.
func BookMarkdown(w io.Writer, results []book.Result, o Options) error {
	var b strings.Builder
	cells := func(texts ...string) {
		for _, text := range texts {
			b.WriteString("| " + markdown(text) + " ")
		}
		b.WriteString("|\n")
	}
	cells(o.text("book.head.id"), o.text("book.head.statement"), o.text("book.head.verdict"), o.text("book.head.seen"), o.text("book.head.where"))
	b.WriteString("|---|---|---|---|---|\n")
	for i := range results {
		r := &results[i]
		word, _ := o.verdict(r.Verdict)
		var seen, where []string
		for _, of := range shownFindings(r) {
			seen = append(seen, Say(o.Language, of.Observed))
			where = append(where, o.where(&of))
		}
		cells(r.Statement.ID, o.text("book."+r.Statement.ID), word, strings.Join(seen, " / "), strings.Join(where, " / "))
	}
	fmt.Fprintf(&b, "\n%s\n", o.verdictCounts(results))
	_, err := io.WriteString(w, b.String())
	return err
}

// markdown takes away what Markdown and HTML would read in a table's cell.
var markdownEscapes = strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", ">", "&gt;", "&", "&amp;", "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "]", `\]`, "\n", " ")

func markdown(text string) string { return markdownEscapes.Replace(text) }

// Statement explains one statement at length: what the book says, what was expected and seen, the ladder cut to the
// events that decide, where the run keeps its trace, why it matters, and where it is ruled. The only errors are w's.
func Statement(w io.Writer, r *book.Result, o Options) error {
	c := newCanvas(w, &o)
	word, st := o.verdict(r.Verdict)
	x := c.put(0, r.Statement.ID+"  ", bold)
	c.put(x, word, st)
	c.flush()
	o.statementSays(c, r.Statement)
	if err := o.statementSeen(c, r); err != nil {
		return err
	}
	o.statementRuled(c, r.Statement)
	return c.end()
}

// StatementOnStacks is Statement for several stacks: what was seen stands below each stack's name and verdict, all else once. There is
// at least one column, each with one result.
func StatementOnStacks(w io.Writer, columns []BookColumn, o Options) error {
	c := newCanvas(w, &o)
	s := columns[0].Results[0].Statement
	c.line(0, s.ID, bold)
	o.statementSays(c, s)
	for i := range columns {
		c.flush()
		r := &columns[i].Results[0]
		word, st := o.verdict(r.Verdict)
		x := c.put(0, "━━ "+clean(columns[i].Stack)+": ", bold)
		c.put(x, word, st)
		c.flush()
		if err := o.statementSeen(c, r); err != nil {
			return err
		}
	}
	o.statementRuled(c, s)
	return c.end()
}

// part writes a part of a statement behind an empty line.
func (o *Options) part(c *canvas, key, text string) {
	c.flush()
	c.line(0, o.text(key), bold)
	c.paragraph(2, text, plain)
}

// statementSays is the statement, and how it is judged.
func (o *Options) statementSays(c *canvas, s *book.Statement) {
	c.paragraph(0, o.text("book."+s.ID), bold)
	o.part(c, "book.part.says", o.text("book."+s.ID+".says"))
	o.part(c, "book.part.scope", o.text("book.scope."+s.Scope.String()))
}

// statementSeen is what was expected and what was seen, with a ladder of the events that decide.
func (o *Options) statementSeen(c *canvas, r *book.Result) error {
	o.part(c, "book.part.expected", Say(o.Language, r.Of[0].Expected))
	shown := shownFindings(r)
	for i, of := range shown {
		if i == 0 {
			c.flush()
			c.line(0, o.text("book.part.seen"), bold)
		}
		c.paragraph(2, o.seenOnPair(&of), plain)
		t := of.Run.Trace
		if t == nil || len(of.Evidence) == 0 {
			continue
		}
		c.flush()
		if err := c.end(); err != nil {
			return err
		}
		if err := LadderOf(c.w, t, of.Evidence[:min(len(of.Evidence), maxLadderEvents)], *o); err != nil {
			return err
		}
		if i+1 < len(shown) {
			c.flush()
		}
	}
	if n := len(r.Of) - len(shown) + r.More; n > 0 {
		c.paragraph(2, o.count("book.more", int64(n)), dim)
	}
	return nil
}

// statementRuled is why it matters, and where it is ruled.
func (o *Options) statementRuled(c *canvas, s *book.Statement) {
	o.part(c, "book.part.why", o.text("book."+s.ID+".why"))
	o.part(c, "book.part.source", o.section(s.Source))
}

// BookShort prints which statements a trace has something to say of, by verdict, in a few lines.
func BookShort(w io.Writer, findings []book.Finding, o Options) error {
	var table Table
	for _, v := range []book.Verdict{book.Holds, book.Refined, book.Contradicted} {
		var ids []string
		for i := range findings {
			if findings[i].Verdict == v {
				ids = append(ids, findings[i].Statement.ID)
			}
		}
		if word, _ := o.verdict(v); len(ids) > 0 {
			table.Rows = append(table.Rows, []string{"  " + word, strings.Join(ids, " ")})
		}
	}
	if len(table.Rows) == 0 {
		return Paragraph(w, 2, o.text("book.none"), o)
	}
	return table.Print(w, o)
}

// maxLadderEvents is how many of the events that decide are drawn: a statement about each segment has very many.
const maxLadderEvents = 8
