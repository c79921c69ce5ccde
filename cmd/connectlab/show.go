package main

import (
	"bufio"
	"os"

	"connectlab/trace"
	"connectlab/trace/wire"

	"github.com/urfave/cli/v2"
)

func (p *program) showCommand() *cli.Command {
	return &cli.Command{
		Name: "show", Usage: p.text("cmd.show.about"), ArgsUsage: p.text("cmd.show.args"),
		Flags:  p.viewFlags(),
		Action: p.show,
	}
}

func (p *program) show(c *cli.Context) error {
	v, err := p.views(c)
	if err != nil {
		return err
	}
	if c.NArg() != 1 {
		return p.fail("cmd.show.one", c.NArg())
	}
	var t *trace.Trace
	if name := c.Args().First(); name == "-" {
		t, err = trace.Read(os.Stdin, "standard input", wire.Decode)
	} else {
		t, err = readTrace(name)
	}
	if err != nil {
		return err
	}
	w := bufio.NewWriter(p.stdout)
	if v.json {
		err = trace.Write(w, t)
	} else {
		err = v.print(w, t)
	}
	if err != nil {
		return err
	}
	return w.Flush()
}
