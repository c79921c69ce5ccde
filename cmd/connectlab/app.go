package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"connectlab/trace/view"

	"github.com/urfave/cli/v2"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // what a story expects did not hold
	exitUsage  = 2 // a flag, a story, a trace, a file: something that cannot be used
)

const defaultColumns = 80

// Groups of flags in help, by their keys in the catalogue.
const (
	worldGroup   = "cmd.group.world"
	viewGroup    = "cmd.group.view"
	generalGroup = "cmd.group.general"
)

// A program is one call of connectlab. Everything that it reads of its surroundings is here, but for files.
type program struct {
	args           []string
	stdin          io.Reader
	stdout, stderr io.Writer
	outWidth       int  // of stdout, if it is a terminal; 0: it is none
	errTerminal    bool // stderr is a terminal
	noColor        bool // the user wants none
	lang           view.Language
	stacks         []namedStack // that can be chosen beside those of the program
}

// errFailed ends the program with exitFailed. What failed has been said.
var errFailed = errors.New("an expectation did not hold")

// main runs the program and returns its exit status.
func (p program) main() int {
	err := p.do()
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFailed):
		return exitFailed
	}
	p.say(err.Error())
	return exitUsage
}

func (p *program) do() (err error) {
	if p.lang, err = language(p.args); err != nil {
		return err // in English: the user's language is what could not be read
	}
	app := p.app()
	r, err := p.request(app)
	switch {
	case err != nil:
		return err
	case r.help:
		return p.help(app, r.verb)
	}
	return app.Run(r.args)
}

// app is the verbs and their flags. Help is the program's own: the library's speaks English only, and knows no columns.
func (p *program) app() *cli.App {
	return &cli.App{
		Name: "connectlab", Usage: p.text("cmd.about"), ArgsUsage: "VERB",
		Commands: []*cli.Command{p.runCommand(), p.listCommand(), p.showCommand(), p.compareCommand(), p.diffCommand(), p.bookCommand(), p.judgeCommand()},
		Flags:    p.generalFlags(),
		Writer:   p.stdout, ErrWriter: p.stderr, ExitErrHandler: func(*cli.Context, error) {},
		HideHelp: true, HideVersion: true, DisableSliceFlagSeparator: true,
	}
}

// command is a verb. All verbs have --lang and --help.
func (p *program) command(c cli.Command) *cli.Command {
	c.HideHelp = true
	c.Flags = append(c.Flags, p.generalFlags()...)
	return &c
}

func (p *program) generalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "lang", Value: string(view.English), Usage: p.text("cmd.flag.lang"), Category: generalGroup},
		&cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: p.text("cmd.flag.help"), Category: generalGroup},
	}
}

// text is the catalogue's text in the user's language.
func (p *program) text(key string, args ...any) string { return view.Text(p.lang, key, args...) }

// fail is an error in the user's language.
func (p *program) fail(key string, args ...any) error { return errors.New(p.text(key, args...)) }

// badFlag is the error of a flag whose value cannot be used.
func (p *program) badFlag(c *cli.Context, flag, want string) error {
	return p.fail("cmd.bad-flag", flag, c.String(flag), want)
}

// say prints one line to stderr.
func (p *program) say(text string) { fmt.Fprintf(p.stderr, "connectlab: %s\n", oneLine(text)) }

// oneLine takes out what is no text: names of files and stories come from outside.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '·'
		}
		return r
	}, text)
}
