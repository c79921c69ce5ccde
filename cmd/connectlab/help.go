package main

import (
	"bytes"
	"fmt"
	"strings"

	"connectlab/trace/view"

	"github.com/urfave/cli/v2"
)

// help prints what connectlab can do, or one verb of it.
func (p *program) help(app *cli.App, verb *cli.Command) error {
	h := helpText{p: p}
	if verb == nil {
		h.paragraph(0, "connectlab: "+app.Usage)
		h.head("cmd.help.usage")
		h.paragraph(2, "connectlab "+p.text("cmd.help.verb")+" [FLAGS]")
		h.head("cmd.help.verbs")
		var rows [][]string
		for _, c := range app.Commands {
			rows = append(rows, []string{"  " + strings.TrimSpace(c.Name+" "+c.ArgsUsage), c.Usage})
		}
		h.table(append(rows, []string{"  help [VERB]", p.text("cmd.help.about")}))
		h.head("cmd.help.examples")
		h.table([][]string{
			{"  connectlab run", p.text("cmd.help.example.run")},
			{"  connectlab run syn-lost --show ladder", p.text("cmd.help.example.show")},
			{`  connectlab run --fault "drop server any#1"`, p.text("cmd.help.example.fault")},
			{"  connectlab run abort --out a.trace", p.text("cmd.help.example.out")},
			{"  connectlab show a.trace --event 21", p.text("cmd.help.example.event")},
			{"  connectlab diff a.trace b.trace", p.text("cmd.help.example.diff")},
			{"  connectlab compare half-close --diff", p.text("cmd.help.example.compare")},
		})
		h.flags(app.Flags)
		h.head("cmd.help.status")
		h.table([][]string{{"  0", p.text("cmd.help.status.0")}, {"  1", p.text("cmd.help.status.1")}, {"  2", p.text("cmd.help.status.2")}})
	} else {
		h.paragraph(0, "connectlab "+verb.Name+": "+verb.Usage)
		h.head("cmd.help.usage")
		h.paragraph(2, strings.TrimSpace("connectlab "+verb.Name+" "+verb.ArgsUsage)+" [FLAGS]")
		h.paragraph(2, verb.Description)
		h.flags(verb.Flags)
		if hasFlag(verb, "client") || hasFlag(verb, "stacks") {
			h.head("cmd.help.features")
			var rows [][]string
			for _, o := range handwrittenOptions {
				rows = append(rows, []string{"  " + o.name, p.text(o.about)})
			}
			h.table(rows)
		}
		if hasFlag(verb, "fault") {
			h.head("cmd.help.rule")
			h.table([][]string{
				{"  ACTION", p.text("cmd.help.rule.action")}, {"  HOST", p.text("cmd.help.rule.host")},
				{"  PACKETS", p.text("cmd.help.rule.packets")}, {"  ARGUMENT", p.text("cmd.help.rule.argument")},
			})
			h.paragraph(2, `"drop server SYN,ACK#1", "delay client data#2-3 .050", "duplicate client any 10%", "corrupt server data#1 52.7"`)
		}
	}
	if h.err != nil {
		return h.err
	}
	_, err := p.stdout.Write(h.b.Bytes())
	return err
}

func hasFlag(c *cli.Command, name string) bool {
	for _, f := range c.Flags {
		if f.Names()[0] == name {
			return true
		}
	}
	return false
}

// helpText is help while it is written.
type helpText struct {
	p   *program
	b   bytes.Buffer
	err error
}

func (h *helpText) options() view.Options { return view.Options{Columns: h.p.outWidth} }

// head begins a part.
func (h *helpText) head(key string) { fmt.Fprintf(&h.b, "\n%s\n", h.p.text(key)) }

func (h *helpText) paragraph(x int, text string) {
	if err := view.Paragraph(&h.b, x, text, h.options()); err != nil {
		h.err = err
	}
}

func (h *helpText) table(rows [][]string) {
	if err := (&view.Table{Rows: rows}).Print(&h.b, h.options()); err != nil {
		h.err = err
	}
}

// flags lists flags, group by group.
func (h *helpText) flags(flags []cli.Flag) {
	var rows [][]string
	group := ""
	for _, f := range flags {
		d := f.(cli.DocGenerationFlag)
		if g := f.(cli.CategorizableFlag).GetCategory(); g != group {
			rows = append(rows, []string{""}, []string{h.p.text(g)})
			group = g
		}
		// As in the library, the word within `` is what the value is called.
		before, value, _ := strings.Cut(d.GetUsage(), "`")
		value, after, named := strings.Cut(value, "`")
		use := "  --" + f.Names()[0]
		if named {
			use += " " + value
		}
		text := before + value + after
		if s, ok := f.(*cli.StringFlag); ok && s.Value != "" {
			text += h.p.text("cmd.help.default", s.Value)
		}
		rows = append(rows, []string{use, text})
	}
	h.table(rows)
}
