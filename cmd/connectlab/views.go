package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/book"
	"connectlab/trace/view"

	"github.com/clipperhouse/displaywidth"
	"github.com/urfave/cli/v2"
)

// allViews are what --show can name: each with its heading's key in the catalogue.
var allViews = []struct {
	name, heading string
	print         func(io.Writer, *trace.Trace, *views) error
}{
	{"ladder", "cmd.heading.ladder", func(w io.Writer, t *trace.Trace, v *views) error { return view.Ladder(w, t, v.options) }},
	{"control", "cmd.heading.control", func(w io.Writer, t *trace.Trace, v *views) error { return view.Control(w, t, v.options) }},
	{"told", "cmd.heading.told", func(w io.Writer, t *trace.Trace, v *views) error { return view.Told(w, t, v.options) }},
	{"header", "cmd.heading.header", func(w io.Writer, t *trace.Trace, v *views) error { return view.Header(w, t, v.event, v.options) }},
}

// defaultViews are those that are printed if nobody asks for others.
const defaultViews = "ladder,control,header"

func viewNames() []string {
	var names []string
	for _, v := range allViews {
		names = append(names, v.name)
	}
	return names
}

// views is what to print of a trace, and how.
type views struct {
	json    bool
	mermaid bool // the diagram alone
	show    []string
	event   int // whose packet the header view is of; 0: the first SYN
	options view.Options
}

const (
	minColumns = 60
	maxColumns = 1000
)

func (p *program) formatFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "format", Value: "text", Usage: usage, Category: viewGroup}
}

func (p *program) columnsFlag() cli.Flag {
	return &cli.StringFlag{Name: "columns", Usage: p.text("cmd.flag.columns"), Category: viewGroup}
}

func (p *program) viewFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "show", Value: defaultViews, Usage: p.text("cmd.flag.show"), Category: viewGroup},
		&cli.StringFlag{Name: "event", Usage: p.text("cmd.flag.event"), Category: viewGroup},
		&cli.BoolFlag{Name: "absolute", Usage: p.text("cmd.flag.absolute"), Category: viewGroup},
		p.columnsFlag(), p.formatFlag(p.text("cmd.flag.format")),
		&cli.StringFlag{Name: "pcapng", Usage: p.text("cmd.flag.pcapng"), Category: viewGroup},
	}
}

func (p *program) views(c *cli.Context) (v views, err error) {
	format, err := p.format(c, "cmd.want.format-view", "text", "json", "mermaid")
	if err != nil {
		return v, err
	}
	v.json, v.mermaid = format == "json", format == "mermaid"
	for _, flag := range []string{"show", "event", "absolute"} {
		if v.json && c.IsSet(flag) {
			return v, p.fail("cmd.text-only", flag)
		}
	}
	for _, flag := range []string{"show", "event", "columns"} {
		if v.mermaid && c.IsSet(flag) {
			return v, p.fail("cmd.not-in-mermaid", flag)
		}
	}
	for name := range strings.SplitSeq(c.String("show"), ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(viewNames(), name) {
			return v, p.fail("cmd.unknown-view", name, strings.Join(viewNames(), ", "))
		}
		v.show = append(v.show, name)
	}
	if c.IsSet("event") {
		if v.event, err = strconv.Atoi(c.String("event")); err != nil || v.event < 1 {
			return v, p.badFlag(c, "event", p.text("cmd.want.event"))
		}
		v.show = append(v.show, "header")
	}
	v.options, err = p.options(c)
	return v, err
}

// format reads --format, which can be one of some words; want is the key of the text that lists them.
func (p *program) format(c *cli.Context, want string, words ...string) (string, error) {
	if format := c.String("format"); slices.Contains(words, format) {
		return format, nil
	}
	return "", p.badFlag(c, "format", p.text(want))
}

// diagram prints a trace for Mermaid, and tells on stderr what was too much for it.
func (p *program) diagram(w io.Writer, t *trace.Trace, v views) error {
	leftOut, err := view.Mermaid(w, t, v.options)
	if leftOut > 0 {
		p.say(p.text("cmd.mermaid-cut", t.Header.Story.Name, leftOut, len(t.Events), view.MermaidLimit))
	}
	return err
}

// options are how views look.
func (p *program) options(c *cli.Context) (o view.Options, err error) {
	o = view.Options{Language: p.lang, Columns: p.outWidth, Absolute: c.Bool("absolute"), Color: p.outWidth > 0 && !p.noColor}
	if c.IsSet("columns") {
		o.Columns, err = p.number(c, "columns", minColumns, maxColumns)
	}
	return o, err
}

// columns are the options' columns, as the views count them.
func columns(o view.Options) int {
	if o.Columns == 0 {
		return defaultColumns
	}
	return max(o.Columns, minColumns)
}

// manyMoments is from how many events of control information on nobody reads them all.
const manyMoments = 60

// spare leaves control information out of the views where there is too much of it for somebody who did not ask for it,
// and returns how many events that are; 0: it is not left out.
func (v *views) spare(t *trace.Trace) int {
	moments := 0
	for _, e := range t.Events {
		if _, ok := e.Detail.(*trace.Control); ok {
			moments++
		}
	}
	if moments < manyMoments {
		return 0
	}
	v.show = slices.DeleteFunc(slices.Clone(v.show), func(name string) bool { return name == "control" })
	return moments
}

// print prints the views of a trace, one after the other, and behind them what the trace says of the book.
func (p *program) print(w io.Writer, t *trace.Trace, v views, watch *watch) error {
	w = &meter{w: w, count: func(n int) { watch.tick("cmd.progress.draw", t.Header.Story.Name, n>>10) }}
	for _, a := range allViews {
		if !slices.Contains(v.show, a.name) {
			continue
		}
		fmt.Fprintln(w)
		if err := heading(w, '─', p.text(a.heading), v.options); err != nil {
			return err
		}
		fmt.Fprintln(w)
		if err := a.print(w, t, &v); err != nil {
			return err
		}
	}
	return p.exercised(w, t, v.options)
}

// exercised prints which of the book's statements a run came to the point of.
func (p *program) exercised(w io.Writer, t *trace.Trace, o view.Options) error {
	fmt.Fprintln(w)
	if err := heading(w, '─', p.text("cmd.heading.book"), o); err != nil {
		return err
	}
	fmt.Fprintln(w)
	return view.BookShort(w, book.Judge(t), o)
}

// title is the story's name and what it ran on, and what to see in it if it is a built-in one.
func (p *program) title(w io.Writer, h *trace.Header, o view.Options) error {
	name := h.Story.Name
	if name == "" {
		name = p.text("cmd.no-story")
	}
	if err := heading(w, '━', name, o); err != nil {
		return err
	}
	var lines []string
	if len(h.Hosts) == 2 {
		lines = append(lines, p.text("cmd.title", h.Hosts[0].Stack, h.Hosts[1].Stack, view.Span(h.Delay, p.lang), h.MTU, h.Seed))
	}
	if h.Link == trace.LinkEthernet && len(h.Hosts) == 2 {
		lines = append(lines, p.text("cmd.title-ethernet", h.Hosts[0].MAC, h.Hosts[1].MAC))
	}
	for _, rule := range h.Faults {
		lines = append(lines, p.text("cmd.title-rule", rule))
	}
	if builtin, same := isBuiltin(h); builtin {
		lines = append(lines, "")
		if !same {
			lines = append(lines, p.text("cmd.title-as-written"))
		}
		for i := 1; i <= 3; i++ {
			lines = append(lines, p.text(fmt.Sprintf("story.%s.%d", name, i)))
		}
	}
	for _, line := range lines {
		if err := view.Paragraph(w, 2, line, o); err != nil {
			return err
		}
	}
	return nil
}

// isBuiltin reports whether a run was one of a built-in story, whatever values its words have, and whether words,
// link and end are those that the story was written with, so that its prose is true of it.
func isBuiltin(h *trace.Header) (builtin, same bool) {
	if !slices.Contains(script.Names(), h.Story.Name) {
		return false, false
	}
	s, err := script.Builtin(h.Story.Name)
	if err != nil || withoutDefines(s.Text) != withoutDefines(h.Story.Text) {
		return false, false
	}
	link := s.Config(netns.Config{})
	run, err := netns.ConfigOf(h)
	delay := max(cmp.Or(link.Delay, netns.DefaultDelay), 0) // netns.NoLinkDelay is negative
	return true, err == nil && s.Text == h.Story.Text && link.Link == h.Link && link.Family == run.Family && delay == h.Delay && link.Until == h.Until &&
		cmp.Or(link.MTU, netns.DefaultMTU) == h.MTU && len(link.Faults) == len(h.Faults)
}

func withoutDefines(text string) string {
	var rest strings.Builder
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "--define=") {
			rest.WriteString(line)
		}
	}
	return rest.String()
}

// heading is a text in a line that goes across the screen.
func heading(w io.Writer, line rune, text string, o view.Options) error {
	text = fmt.Sprintf("%c%c %s ", line, line, text)
	text += strings.Repeat(string(line), max(columns(o)-displaywidth.String(text), 0))
	if !o.Color {
		return view.Paragraph(w, 0, text, o)
	}
	var b strings.Builder
	if err := view.Paragraph(&b, 0, text, o); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\x1b[1m%s\x1b[0m\n", strings.TrimSuffix(b.String(), "\n"))
	return err
}
