package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"connectlab/trace"
	"connectlab/trace/diff"
	"connectlab/trace/pcapng"
	"connectlab/trace/view"

	"github.com/urfave/cli/v2"
)

func (p *program) diffCommand() *cli.Command {
	return p.command(cli.Command{
		Name: "diff", Usage: p.text("cmd.diff.about"), ArgsUsage: "A B", Description: p.text("cmd.diff.args"),
		Flags:  p.diffFlags(),
		Action: p.diff,
	})
}

func (p *program) diffFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "ignore", Usage: p.text("cmd.flag.ignore", names(diff.Aspects())), Category: viewGroup},
		&cli.StringFlag{Name: "raw", Usage: p.text("cmd.flag.raw", names(diff.Normalizations())), Category: viewGroup},
		&cli.BoolFlag{Name: "absolute", Usage: p.text("cmd.flag.absolute"), Category: viewGroup},
		p.columnsFlag(), p.formatFlag(p.text("cmd.flag.format-list")),
	}
}

// diff compares two saved traces. That they differ is what somebody wanted to know, and no failure. Of one that broke off it compares
// what there is, and fails nevertheless, as show does.
func (p *program) diff(c *cli.Context) error {
	format, err := p.format(c, "cmd.want.format", "text", "json")
	if err != nil {
		return err
	}
	if format == "json" && c.IsSet("absolute") {
		return p.fail("cmd.diff.text-only", "absolute")
	}
	options, err := p.options(c)
	if err != nil {
		return err
	}
	how, err := p.diffOptions(c)
	if err != nil {
		return err
	}
	files := c.Args().Slice()
	if len(files) != 2 {
		return p.fail("cmd.diff.two", len(files))
	}
	if files[0] == "-" && files[1] == "-" {
		return p.fail("cmd.diff.stdin")
	}
	watch := p.watch()
	defer watch.done()
	var traces [2]*trace.Trace
	var broken error
	var captures, parts []string
	for i, name := range files {
		traces[i], files[i], err = p.open(name, p.readRun, watch)
		if t := traces[i]; t != nil && t.Header.Capture && !slices.Contains(captures, files[i]) {
			captures = append(captures, files[i])
		}
		if err != nil && (traces[i] == nil || format == "json") {
			return err
		}
		if err != nil {
			parts = append(parts, p.text("cmd.diff.part", files[i], len(traces[i].Events)))
		}
		if broken == nil {
			broken = err
		}
	}
	watch.tick("cmd.progress.diff")
	r := diff.Compare(traces[0], traces[1], how)
	var b bytes.Buffer
	if format == "json" {
		err = p.diffJSON(&b, traces, r)
	} else {
		err = p.diffText(&b, files, parts, traces, r, options)
		if err == nil && len(captures) > 0 {
			fmt.Fprintln(&b)
			err = view.Paragraph(&b, 0, p.text("cmd.diff.capture", strings.Join(captures, ", ")), options)
		}
	}
	if err != nil {
		return err
	}
	watch.done()
	if _, err := p.stdout.Write(b.Bytes()); err != nil {
		return err
	}
	return broken
}

// readRun reads a trace, or a capture of one connection.
func (p *program) readRun(in io.Reader, name string, watch *watch) (t *trace.Trace, err error) {
	buffered := bufio.NewReader(in)
	if begin, _ := buffered.Peek(4); !pcapng.IsCapture(begin) {
		return p.readTrace(buffered, name, watch)
	}
	in = &meter{r: buffered, count: func(n int) { watch.tick("cmd.progress.read", name, n>>20) }}
	_, err = pcapng.Read(in, name, func(c *pcapng.Connection) (err error) {
		if c.Number > 1 || c.Part > 1 || c.More {
			t = nil
			return p.fail("cmd.diff.connections", name)
		}
		t, err = clone(c.Trace)
		return err
	})
	return t, err
}

// diffOptions reads what is not to be compared, and what is not to be made alike before.
func (p *program) diffOptions(c *cli.Context) (o diff.Options, err error) {
	if o.Ignore, err = wordsOf(p, c, "ignore", diff.Aspects()); err != nil {
		return o, err
	}
	o.Raw, err = wordsOf(p, c, "raw", diff.Normalizations())
	return o, err
}

// wordsOf reads a flag whose value is some of a few words, with commas between them.
func wordsOf[T fmt.Stringer](p *program, c *cli.Context, flag string, all []T) (chosen []T, err error) {
	if !c.IsSet(flag) {
		return nil, nil
	}
next:
	for name := range strings.SplitSeq(c.String(flag), ",") {
		name = strings.TrimSpace(name)
		for _, v := range all {
			if v.String() == name {
				chosen = append(chosen, v)
				continue next
			}
		}
		return nil, p.fail("cmd.diff.unknown", flag, name, names(all))
	}
	return chosen, nil
}

// names lists words.
func names[T fmt.Stringer](all []T) string { return strings.Join(wordList(all), ", ") }

// diffText prints a comparison for people. What there is to say of a file of which only a part could be read comes before it: what
// such a file lacks looks like a difference.
func (p *program) diffText(w io.Writer, files, parts []string, traces [2]*trace.Trace, r *diff.Result, o view.Options) error {
	if err := heading(w, '━', p.text("cmd.heading.diff", oneLine(files[0]), oneLine(files[1])), o); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, text := range parts {
		if err := view.Paragraph(w, 0, text, o); err != nil {
			return err
		}
	}
	if len(parts) > 0 {
		fmt.Fprintln(w)
	}
	return view.Divergence(w, traces[0], traces[1], r, o)
}
