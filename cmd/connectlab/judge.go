package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"connectlab/trace"
	"connectlab/trace/book"
	"connectlab/trace/pcapng"
	"connectlab/trace/view"
	"connectlab/trace/wire"

	"github.com/urfave/cli/v2"
)

func (p *program) judgeCommand() *cli.Command {
	return p.command(cli.Command{
		Name: "judge", Usage: p.text("cmd.judge.about"), ArgsUsage: "FILE…", Description: p.text("cmd.judge.args"),
		Flags:  p.bookFlags(),
		Action: p.judgeFiles,
	})
}

// keptFindings is how many findings stand behind a verdict: a capture can have any number of connections.
const keptFindings = 3

// judgeFiles judges the book's statements on saved traces and captures. What a broken file had until then is judged, and
// printed, and the verb fails nevertheless.
func (p *program) judgeFiles(c *cli.Context) error {
	f, err := p.bookFormat(c)
	if err != nil {
		return err
	}
	if !c.Args().Present() {
		return p.fail("cmd.judge.none")
	}
	j := fileJudge{p: p, joiner: book.Joiner{Keep: keptFindings}, explain: f.statement, kept: map[book.Verdict]int{}}
	var broken error
	for _, name := range c.Args().Slice() {
		if broken = j.file(name); broken != nil {
			break
		}
	}
	results := j.joiner.Results()
	if len(results) == 0 {
		return broken
	}
	if err := p.printResults(results, nil, f); err != nil {
		return err
	}
	if f.format == "text" {
		for _, text := range j.captures {
			fmt.Fprintln(p.stdout)
			if err := view.Paragraph(p.stdout, 0, text, f.options); err != nil {
				return err
			}
		}
	}
	return broken
}

// A fileJudge judges files, one after the other.
type fileJudge struct {
	p        *program
	joiner   book.Joiner
	explain  *book.Statement      // traces are kept for it alone; nil: none is kept
	kept     map[book.Verdict]int // how many
	captures []string             // what is said of each capture
}

func (j *fileJudge) file(name string) error {
	in, shown := j.p.stdin, j.p.text("cmd.stdin")
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		in, shown = f, name
	}
	watch := j.p.watch()
	defer watch.done()
	buffered := bufio.NewReaderSize(in, 1<<20)
	begin, err := buffered.Peek(4)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return err
	case pcapng.IsCapture(begin):
		return j.capture(buffered, shown, watch)
	case len(begin) == 0 || begin[0] != '{':
		return j.p.fail("cmd.judge.neither", shown)
	}
	t, err := j.p.readTrace(buffered, shown, watch)
	if t != nil {
		j.joiner.Add(judged(shown, t))
	}
	return err
}

// judged judges the trace of a run, from where name says.
func judged(name string, t *trace.Trace) book.Judged {
	builtin, _ := isBuiltin(&t.Header)
	return book.Judged{Findings: book.Judge(t), Run: runOf(name, t), Plain: builtin && t.Header.Story.Name == "plain"}
}

// capture judges each connection of a capture as it comes: what it points to is good until then.
func (j *fileJudge) capture(in io.Reader, name string, watch *watch) error {
	in = &meter{r: in, count: func(n int) { watch.tick("cmd.progress.read", name, n>>20) }}
	uncomputed := 0
	sum, err := pcapng.Read(in, name, func(c *pcapng.Connection) error {
		findings := book.Judge(c.Trace)
		run := book.Run{Name: j.p.text("cmd.judge.connection", name, c.Number), Frames: slices.Clone(c.Frames)}
		if j.keeps(findings) {
			var err error
			if run.Trace, err = clone(c.Trace); err != nil {
				return err
			}
		}
		for _, n := range c.Uncomputed {
			uncomputed += n
		}
		j.joiner.Add(book.Judged{Findings: findings, Run: run, Part: c.Part, More: c.More})
		return nil
	})
	if sum.TCP > 0 {
		j.captures = append(j.captures, j.p.text("cmd.judge.capture", name, sum.Frames, sum.TCP, sum.Connections, sum.Other, sum.Unreadable))
	}
	if sum.Split > 0 {
		j.captures = append(j.captures, j.p.text("cmd.judge.split", sum.Split))
	}
	if uncomputed > 0 {
		j.captures = append(j.captures, j.p.text("cmd.judge.uncomputed", uncomputed))
	}
	return err
}

// keeps reports whether a connection's trace is kept, to be drawn.
func (j *fileJudge) keeps(findings []book.Finding) bool {
	for i := range findings {
		if f := &findings[i]; f.Statement == j.explain && f.Verdict.Decides() && j.kept[f.Verdict] < keptFindings {
			j.kept[f.Verdict]++
			return true
		}
	}
	return false
}

// clone is a trace with nothing in common with t.
func clone(t *trace.Trace) (*trace.Trace, error) {
	var b bytes.Buffer
	if err := trace.Write(&b, t); err != nil {
		return nil, err
	}
	return trace.Read(&b, "", wire.Decode)
}
