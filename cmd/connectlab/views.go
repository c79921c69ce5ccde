package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"connectlab/trace"
	"connectlab/trace/view"

	"github.com/urfave/cli/v2"
)

// allViews are what --show can name, in the order in which they are printed.
var allViews = []string{"ladder", "control", "header"}

// views is what to print of a trace, and how.
type views struct {
	json    bool
	show    []string
	event   int // whose packet the header view is of; 0: the first SYN
	options view.Options
}

func (p *program) formatFlag() cli.Flag {
	return &cli.StringFlag{Name: "format", Value: "text", Usage: p.text("cmd.flag.format")}
}

func (p *program) columnsFlag() cli.Flag {
	return &cli.StringFlag{Name: "columns", Usage: p.text("cmd.flag.columns")}
}

func (p *program) viewFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "show", Value: strings.Join(allViews, ","), Usage: p.text("cmd.flag.show")},
		&cli.StringFlag{Name: "event", Usage: p.text("cmd.flag.event")},
		p.formatFlag(), p.langFlag(),
		&cli.BoolFlag{Name: "absolute", Usage: p.text("cmd.flag.absolute")},
		p.columnsFlag(),
	}
}

func (p *program) views(c *cli.Context) (v views, err error) {
	if v.json, err = p.json(c); err != nil {
		return v, err
	}
	for name := range strings.SplitSeq(c.String("show"), ",") {
		name = strings.TrimSpace(name)
		if !slices.Contains(allViews, name) {
			return v, p.fail("cmd.unknown-view", name, strings.Join(allViews, ", "))
		}
		v.show = append(v.show, name)
	}
	if c.IsSet("event") {
		if v.event, err = strconv.Atoi(c.String("event")); err != nil || v.event < 1 {
			return v, p.badFlag(c, "event", p.text("cmd.want.event"))
		}
		if !slices.Contains(v.show, "header") {
			v.show = append(v.show, "header")
		}
	}
	v.options, err = p.options(c)
	return v, err
}

// json reads --format.
func (p *program) json(c *cli.Context) (bool, error) {
	switch c.String("format") {
	case "text":
		return false, nil
	case "json":
		return true, nil
	}
	return false, p.badFlag(c, "format", p.text("cmd.want.format"))
}

// options are how views look.
func (p *program) options(c *cli.Context) (view.Options, error) {
	o := view.Options{Language: p.lang, Columns: p.outWidth, Absolute: c.Bool("absolute"), Color: p.outWidth > 0 && !p.noColor}
	if c.IsSet("columns") {
		n, err := strconv.Atoi(c.String("columns"))
		if err != nil || n < 60 || n > 1000 {
			return o, p.badFlag(c, "columns", p.text("cmd.want.number", 60, 1000))
		}
		o.Columns = n
	}
	return o, nil
}

// print prints the views of a trace, one after the other.
func (v *views) print(w io.Writer, t *trace.Trace) error {
	first := true
	for _, name := range allViews {
		if !slices.Contains(v.show, name) {
			continue
		}
		if !first {
			fmt.Fprintln(w)
		}
		first = false
		var err error
		switch name {
		case "ladder":
			err = view.Ladder(w, t, v.options)
		case "control":
			err = view.Control(w, t, v.options)
		case "header":
			err = view.Header(w, t, v.event, v.options)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
