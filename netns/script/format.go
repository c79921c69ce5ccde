package script

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"connectlab/trace"
)

// Format returns the story in the one form that all stories of the same meaning have: one line each, one space
// where one belongs, times without zeros that say nothing. Comments and single blank lines stay. A formatted story
// reads as the same story.
func (s *Story) Format() string { return formatLines(s.Lines) }

func formatLines(lines []Line) string {
	var b strings.Builder
	writeLines(&b, lines, "")
	return b.String()
}

const indent = "    "

func writeLines(b *strings.Builder, lines []Line, margin string) {
	for _, l := range lines {
		switch n := l.What.(type) {
		case nil:
			if l.Comment != "" {
				b.WriteString(margin + l.Comment)
			}
		case *Repeat:
			writeComment(b, margin+formatNode(n), n.Comment)
			b.WriteByte('\n')
			writeLines(b, n.Body, margin+indent)
			writeComment(b, margin+"}", l.Comment)
		default:
			writeComment(b, margin+formatNode(n), l.Comment)
		}
		b.WriteByte('\n')
	}
}

func writeComment(b *strings.Builder, line, comment string) {
	b.WriteString(line)
	if comment != "" {
		b.WriteString(" " + comment)
	}
}

// formatNode writes a line without its comment; of a Repeat, its first line.
func formatNode(n Node) string {
	switch n := n.(type) {
	case *Option:
		if def, _ := optionByName(n.Name); def.alone {
			return "--" + n.Name
		}
		value := formatExpr(n.Value)
		if n.Define != "" {
			value = n.Define + "=" + value
		}
		return "--" + n.Name + "=" + value
	case *Step:
		return formatWho(n.Who, ": ") + formatTime(n.At) + formatCall(&n.Call)
	case *Repeat:
		return formatWho(n.Who, ": ") + "repeat " + formatExpr(n.Times) + " {"
	case *Observation:
		s := fmt.Sprintf("%s %s(%s%d", formatSeconds(n.At), n.Name, formatWho(n.Who, " "), n.FD)
		if n.Child > 0 {
			s += fmt.Sprintf("#%d", n.Child)
		}
		if n.Item != "" {
			s += ", " + quote(n.Item)
		}
		s += ")"
		switch {
		case n.State != trace.NotObserved:
			s += " = " + n.State.String()
		case n.Want != nil:
			s += " = " + formatExpr(*n.Want)
		}
		return s
	case *WorldChange:
		s := formatSeconds(n.At) + " " + n.What.String()
		if n.Host != "" {
			s += " " + n.Host
		}
		return s
	}
	panic(fmt.Sprintf("script: a node of type %T", n))
}

func formatWho(w Who, behind string) string {
	switch {
	case w.Host == "":
		return ""
	case w.First == 0:
		return w.Host + behind
	case w.First == w.Last:
		return fmt.Sprintf("%s.%d%s", w.Host, w.First, behind)
	}
	return fmt.Sprintf("%s.%d-%d%s", w.Host, w.First, w.Last, behind)
}

func formatTime(t Time) string {
	switch {
	case t.Absolute:
		return formatSeconds(t.At) + " "
	case t.At != 0:
		return "+" + formatSeconds(t.At) + " "
	}
	return ""
}

// formatSeconds writes a time in seconds, without zeros that say nothing: 0, .015, 1, 1.5.
func formatSeconds(d time.Duration) string {
	whole := strconv.FormatInt(int64(d/time.Second), 10)
	fraction := strings.TrimRight(fmt.Sprintf("%09d", int64(d%time.Second)), "0")
	if fraction == "" {
		return whole
	}
	if whole == "0" {
		whole = ""
	}
	return whole + "." + fraction
}

func formatCall(c *Call) string {
	var b strings.Builder
	b.WriteString(c.Name)
	writeExprs(&b, "(", c.Args, ", ", ")")
	if r := c.Result; r != nil {
		b.WriteString(" = " + formatExpr(r.Value))
		if r.Errno != "" {
			b.WriteString(" " + r.Errno)
		}
		if r.Text != "" {
			b.WriteString(" (" + r.Text + ")")
		}
	}
	return b.String()
}

func formatExpr(e Expr) string {
	var b strings.Builder
	writeExpr(&b, e)
	return b.String()
}

func writeExprs(b *strings.Builder, open string, list []Expr, between, end string) {
	b.WriteString(open)
	for i, e := range list {
		if i > 0 {
			b.WriteString(between)
		}
		writeExpr(b, e)
	}
	b.WriteString(end)
}

func writeExpr(b *strings.Builder, e Expr) {
	switch e.Kind {
	case Int:
		b.WriteString(formatInt(e))
	case Word:
		b.WriteString(e.Text)
	case String:
		b.WriteString(quote(e.Text))
	case Seconds:
		b.WriteString(formatSeconds(time.Duration(e.Num)))
	case Ellipsis:
		b.WriteString("...")
	case Address:
		if strings.Contains(e.Text, ":") {
			b.WriteString("[" + e.Text + "]")
		} else {
			b.WriteString(e.Text)
		}
		writeExprs(b, ":", e.Elems, "", "")
	case Or:
		writeExprs(b, "", e.Elems, "|", "")
	case List:
		writeExprs(b, "[", e.Elems, ", ", "]")
	case Struct:
		writeExprs(b, "{", e.Elems, ", ", "}")
	case Field:
		b.WriteString(e.Text)
		writeExprs(b, "=", e.Elems, "", "")
	}
}

func formatInt(e Expr) string {
	switch {
	case !e.Hex:
		return strconv.FormatInt(e.Num, 10)
	case e.Num < 0:
		return fmt.Sprintf("-0x%x", -e.Num)
	}
	return fmt.Sprintf("0x%x", e.Num)
}
