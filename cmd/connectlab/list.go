package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"connectlab/netns/script"
	"connectlab/trace/view"

	"github.com/urfave/cli/v2"
)

func (p *program) listCommand() *cli.Command {
	return &cli.Command{
		Name: "list", Usage: p.text("cmd.list.about"), ArgsUsage: " ",
		Flags:  append(p.worldFlags(), p.formatFlag(), p.langFlag(), p.columnsFlag()),
		Action: p.list,
	}
}

// listing is what list prints with --format json.
type listing struct {
	Stories []listedStory `json:"stories"`
	Stacks  []listedStack `json:"stacks"`
}

type listedStory struct {
	Name   string `json:"story"`
	About  string `json:"about"`
	Client string `json:"client"`
	Server string `json:"server"`
	// Whether the client called connect(), whether its first call returned, with what, and when.
	Called   bool   `json:"connect_called"`
	Returned bool   `json:"connect_returned"`
	Result   int64  `json:"result"`
	Errno    string `json:"errno,omitempty"`
	At       int64  `json:"at_ns"`
	End      string `json:"end"`
	EndAt    int64  `json:"end_at_ns"`
	Failures int    `json:"failures"`
}

type listedStack struct {
	Name     string          `json:"stack"`
	Version  string          `json:"version"`
	Settings []listedSetting `json:"settings"`
}

type listedSetting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (p *program) list(c *cli.Context) error {
	if c.Args().Present() {
		return p.fail("cmd.list.none", c.Args().First())
	}
	asJSON, err := p.json(c)
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
	var l listing
	failed := false
	for _, name := range script.Names() {
		s, err := script.Builtin(name)
		if err != nil {
			return err
		}
		for _, d := range defineFlags {
			if value, ok := w.defines[d.word]; ok {
				if with, err := s.With(d.word, value); err == nil { // not each story has the word
					s = with
				}
			}
		}
		result, _, err := p.record(s, w.config, "", false)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		failed = failed || len(result.Failures) > 0
		row := listedStory{
			Name: name, About: p.text(fmt.Sprintf("story.%s.1", name)), Client: c.String("client"), Server: c.String("server"),
			End: result.End.Reason.String(), EndAt: int64(result.End.At), Failures: len(result.Failures),
		}
		row.Called = result.Connect.Called
		if o := result.Connect; o.Returned {
			row.Returned, row.Result, row.Errno, row.At = true, o.Result, string(o.Errno), int64(o.At)
		}
		l.Stories = append(l.Stories, row)
	}
	for _, s := range stacks {
		info := s.factory.Info()
		row := listedStack{Name: info.Name, Version: info.Version}
		for _, set := range info.Settings {
			row.Settings = append(row.Settings, listedSetting(set))
		}
		l.Stacks = append(l.Stacks, row)
	}
	if asJSON {
		e := json.NewEncoder(p.stdout)
		e.SetIndent("", "  ")
		err = e.Encode(l)
	} else {
		err = p.printList(&l, options)
	}
	if err == nil && failed {
		return errFailed
	}
	return err
}

// printList prints the listing as text.
func (p *program) printList(l *listing, o view.Options) error {
	table := view.Table{Head: []string{p.text("cmd.list.story"), p.text("cmd.list.connect"), p.text("cmd.list.at"), p.text("cmd.list.what")}}
	for _, s := range l.Stories {
		connect, at := "-", "-"
		switch {
		case s.Returned:
			connect, at = strings.TrimSpace(fmt.Sprintf("%d %s", s.Result, s.Errno)), time.Duration(s.At).String()
		case s.Called:
			connect = p.text("cmd.list.never")
		}
		about, _, _ := strings.Cut(s.About, ". ")
		if s.Failures > 0 {
			about = p.text("cmd.list.failed", s.Failures)
		}
		table.Rows = append(table.Rows, []string{s.Name, connect, at, strings.TrimSuffix(about, ".")})
	}
	if err := table.Print(p.stdout, o); err != nil {
		return err
	}
	for _, s := range l.Stacks {
		fmt.Fprintf(p.stdout, "\n%s\n", p.text("cmd.list.stack", s.Name, s.Version))
		var rows view.Table
		for _, set := range s.Settings {
			rows.Rows = append(rows.Rows, []string{"  " + set.Name, set.Value})
		}
		if err := rows.Print(p.stdout, o); err != nil {
			return err
		}
	}
	return nil
}
