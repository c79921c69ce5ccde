package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"

	"connectlab/trace"
	"connectlab/trace/pcapng"
	"connectlab/trace/wire"

	"github.com/urfave/cli/v2"
)

func (p *program) showCommand() *cli.Command {
	return p.command(cli.Command{
		Name: "show", Usage: p.text("cmd.show.about"), ArgsUsage: "TRACE", Description: p.text("cmd.show.args"),
		Flags:  p.viewFlags(),
		Action: p.show,
	})
}

// show prints a saved trace. Of one that broke off it prints what there is, and fails nevertheless: it is for such a
// trace that somebody wants to see the last events.
func (p *program) show(c *cli.Context) error {
	v, err := p.views(c)
	if err != nil {
		return err
	}
	if c.NArg() != 1 {
		return p.fail("cmd.show.one", c.NArg())
	}
	watch := p.watch()
	defer watch.done()
	var broken error
	t, _, err := p.open(c.Args().First(), p.readTrace, watch)
	if t != nil && !v.json {
		broken, err = err, nil
	}
	if err != nil {
		return err
	}
	if folder, err := p.captureFolder(c); err != nil {
		return err
	} else if folder != "" {
		if err := p.writeCaptures(folder, t); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	if v.json {
		err = trace.Write(&b, t)
	} else if v.mermaid {
		err = p.diagram(&b, t, v)
	} else if err = p.title(&b, &t.Header, v.options); err == nil {
		err = p.print(&b, t, v, watch)
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

// A traceReader reads a trace, of which it says under what name it was found.
type traceReader func(in io.Reader, name string, watch *watch) (*trace.Trace, error)

// open reads a trace from a file, or from standard input, which is "-", and says what that is called.
func (p *program) open(file string, read traceReader, watch *watch) (*trace.Trace, string, error) {
	if file == "-" {
		name := p.text("cmd.stdin")
		t, err := read(p.stdin, name, watch)
		return t, name, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, file, err
	}
	defer f.Close()
	t, err := read(f, file, watch)
	return t, file, err
}

// readTrace reads a trace. A file that cannot be read is no matter of its line.
func (p *program) readTrace(r io.Reader, name string, watch *watch) (*trace.Trace, error) {
	buffered := bufio.NewReader(r)
	if begin, _ := buffered.Peek(4); pcapng.IsCapture(begin) {
		return nil, p.fail("cmd.show.capture", name)
	}
	t, err := trace.Read(&meter{r: buffered, count: func(n int) { watch.tick("cmd.progress.read", name, n>>20) }}, name, wire.Decode)
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe
	}
	return t, err
}
