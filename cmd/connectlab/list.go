package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace/view"

	"github.com/urfave/cli/v2"
)

func (p *program) listCommand() *cli.Command {
	return p.command(cli.Command{
		Name: "list", Usage: p.text("cmd.list.about"), Description: p.text("cmd.list.args"),
		Flags:  append(p.worldFlags(), p.formatFlag(p.text("cmd.flag.format-list")), p.columnsFlag()),
		Action: p.list,
	})
}

// listing is what list prints with --format json, see JSON.md.
type listing struct {
	Version int           `json:"version"`
	Stories []listedStory `json:"stories"`
	Stacks  []listedStack `json:"stacks"`
}

type listedStory struct {
	Name      string `json:"name"`
	About     string `json:"about"`
	Client    string `json:"client"`
	Server    string `json:"server"`
	Connect   string `json:"connect"` // one of the words below
	Result    int64  `json:"result"`
	Errno     string `json:"errno"`
	At        int64  `json:"at_ns"`
	End       string `json:"end"`
	EndAt     int64  `json:"end_at_ns"`
	AsWritten bool   `json:"as_written"`
	Failed    int    `json:"failed"`
	// Lacks is what the first of the two stacks lacks that cannot do the story.
	Lacks []string `json:"lacks"`
}

// What can become of the client's first connect().
const (
	connectNone     = "none"
	connectBlocked  = "blocked"
	connectReturned = "returned"
	connectNotRun   = "not-run" // a stack cannot do the story
)

type listedStack struct {
	Name     string          `json:"name"`
	Version  string          `json:"version"`
	Settings []listedSetting `json:"settings"`
	// Capabilities are what only some stacks can do and this one can.
	Capabilities []string `json:"capabilities"`
}

type listedSetting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (p *program) list(c *cli.Context) error {
	if c.Args().Present() {
		return p.fail("cmd.list.none", c.Args().First())
	}
	format, err := p.format(c, "cmd.want.format", "text", "json")
	if err != nil {
		return err
	}
	w, err := p.world(c)
	if err != nil {
		return err
	}
	options, err := p.options(c)
	if err != nil {
		return err
	}
	l := listing{Version: 1}
	var jobs []job
	for _, name := range script.Names() {
		j, err := builtinJob(name, &w)
		if err != nil {
			return err
		}
		row := listedStory{
			Name: name, About: p.text(fmt.Sprintf("story.%s.1", name)), Client: c.String("client"), Server: c.String("server"), Connect: connectNone,
			Lacks: []string{},
		}
		if err := p.runnable(&j, w.config); err != nil {
			row.Connect, row.About = connectNotRun, strings.TrimPrefix(err.Error(), name+": ")
			cfg := j.story.Config(w.config)
			if lack := (*netns.LackError)(nil); errors.As(cfg.Capable(), &lack) {
				row.About, row.Lacks = p.text("cmd.list.lacks", lack.Stack, p.capabilities(lack.Lacks)), lack.Lacks
			}
			l.Stories = append(l.Stories, row)
			continue
		}
		if _, err = p.record(&j, w.config, false); err != nil {
			return err
		}
		row.End, row.EndAt = j.result.End.Reason.String(), int64(j.result.End.At)
		row.AsWritten, row.Failed = j.result.AsWritten, len(j.result.Failures)
		switch o := j.result.Connect; {
		case o.Returned:
			row.Connect, row.Result, row.Errno, row.At = connectReturned, o.Result, string(o.Errno), int64(o.At)
		case o.Called:
			row.Connect = connectBlocked
		}
		l.Stories = append(l.Stories, row)
		jobs = append(jobs, j)
	}
	for _, s := range stacks {
		info := s.factory.Info()
		row := listedStack{Name: info.Name, Version: info.Version, Settings: []listedSetting{}, Capabilities: append([]string{}, info.Capabilities...)}
		for _, set := range info.Settings {
			row.Settings = append(row.Settings, listedSetting(set))
		}
		l.Stacks = append(l.Stacks, row)
	}
	var b bytes.Buffer
	if format == "json" {
		err = encode(&b, l)
	} else {
		err = p.printList(&b, &l, options)
	}
	if err == nil {
		_, err = p.stdout.Write(b.Bytes())
	}
	if err != nil {
		return err
	}
	return p.judge(c, jobs)
}

// printList prints the listing as text.
func (p *program) printList(b *bytes.Buffer, l *listing, o view.Options) error {
	table := view.Table{Head: []string{p.text("cmd.list.story"), p.text("cmd.list.connect"), p.text("cmd.list.at"), p.text("cmd.list.what")}}
	for _, s := range l.Stories {
		connect, at := "-", "-"
		switch s.Connect {
		case connectReturned:
			connect, at = strings.TrimSpace(fmt.Sprintf("%d %s", s.Result, s.Errno)), view.Span(time.Duration(s.At), p.lang)
		case connectBlocked:
			connect = p.text("cmd.list.blocked")
		case connectNotRun:
			connect = p.text("cmd.list.not-run")
		}
		about, _, _ := strings.Cut(s.About, ". ")
		about = strings.TrimSuffix(about, ".")
		if s.Failed > 0 {
			about = p.text("cmd.list.failed", s.Failed)
		}
		table.Rows = append(table.Rows, []string{s.Name, connect, at, about})
	}
	if err := table.Print(b, o); err != nil {
		return err
	}
	for _, s := range l.Stacks {
		b.WriteByte('\n')
		if err := heading(b, '─', p.text("cmd.list.stack", s.Name, s.Version), o); err != nil {
			return err
		}
		var rows view.Table
		for _, set := range s.Settings {
			rows.Rows = append(rows.Rows, []string{"  " + set.Name, set.Value})
		}
		rows.Rows = append(rows.Rows, []string{"  " + p.text("cmd.list.can"), p.capabilities(s.Capabilities)})
		if s.Name == "handwritten" {
			var features []string
			for _, o := range handwrittenOptions {
				features = append(features, o.name+" "+p.text(o.about))
			}
			rows.Rows = append(rows.Rows, []string{"  " + p.text("cmd.list.features"), strings.Join(features, ", ")})
		}
		if err := rows.Print(b, o); err != nil {
			return err
		}
	}
	return nil
}
