package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"connectlab/trace/view"

	"github.com/urfave/cli/v2"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // what the user asserted did not hold
	exitUsage  = 2 // a flag, a story, a trace, a file: something that cannot be used
)

const defaultColumns = 80

// A program is one call of connectlab. Everything that it reads of its surroundings is here.
type program struct {
	args           []string
	stdout, stderr io.Writer
	outWidth       int  // of stdout, if it is a terminal; 0: it is none
	errTerminal    bool // stderr is a terminal
	noColor        bool // the user wants none
	lang           view.Language
}

// errFailed ends the program with exitFailed. What failed has been said.
var errFailed = errors.New("an expectation did not hold")

// main runs the program and returns its exit status.
func (p program) main() int {
	lang, err := p.language()
	p.lang = lang
	if err == nil {
		err = p.app().Run(flagsFirst(p.app(), p.args))
	}
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errFailed):
		return exitFailed
	}
	fmt.Fprintf(p.stderr, "connectlab: %v\n", err)
	return exitUsage
}

// language finds --lang before anything is printed: help speaks it too.
func (p program) language() (view.Language, error) {
	for i, arg := range p.args {
		name, value, has := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if name != "lang" || !strings.HasPrefix(arg, "-") {
			continue
		}
		if !has && i+1 < len(p.args) {
			value = p.args[i+1]
		}
		return view.ParseLanguage(value)
	}
	return view.English, nil
}

// text is the catalogue's text in the user's language.
func (p *program) text(key string, args ...any) string { return view.Text(p.lang, key, args...) }

func (p *program) app() *cli.App {
	usage := func(_ *cli.Context, err error, _ bool) error { return p.usageError(err) }
	commands := []*cli.Command{p.runCommand(), p.listCommand(), p.showCommand()}
	for _, c := range commands {
		c.OnUsageError = usage
	}
	return &cli.App{
		Name: "connectlab", HelpName: "connectlab", Usage: p.text("cmd.about"), UsageText: p.text("cmd.usage"),
		Writer: p.stdout, ErrWriter: p.stderr, Commands: commands, HideVersion: true,
		OnUsageError:   usage,
		ExitErrHandler: func(*cli.Context, error) {},
		Flags:          []cli.Flag{p.langFlag()},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return p.fail("cmd.unknown-verb", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
	}
}

func (p *program) langFlag() cli.Flag {
	return &cli.StringFlag{Name: "lang", Value: string(view.English), Usage: p.text("cmd.flag.lang")}
}

// fail is an error in the user's language.
func (p *program) fail(key string, args ...any) error { return errors.New(p.text(key, args...)) }

// usageError says what to do about a flag that the library could not read.
func (p *program) usageError(err error) error {
	return fmt.Errorf("%v; %s", err, p.text("cmd.see-help"))
}

// flagsFirst moves the flags of a verb before its arguments, so that `run plain --seed 2` is as good as
// `run --seed 2 plain`. The library would take all that follows the first argument for arguments.
func flagsFirst(app *cli.App, args []string) []string {
	if len(args) < 2 {
		return args
	}
	command := app.Command(args[1])
	if command == nil {
		return args
	}
	withoutValue := map[string]bool{"h": true, "help": true}
	for _, f := range command.Flags {
		if b, ok := f.(*cli.BoolFlag); ok {
			for _, name := range b.Names() {
				withoutValue[name] = true
			}
		}
	}
	var flags, rest []string
	for i := 2; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			rest = append(rest, arg)
			continue
		}
		flags = append(flags, arg)
		if !strings.Contains(arg, "=") && !withoutValue[strings.TrimLeft(arg, "-")] && i+1 < len(args) {
			i++
			flags = append(flags, args[i])
		}
	}
	out := slices.Concat(args[:2], flags)
	if len(rest) > 0 {
		out = append(append(out, "--"), rest...)
	}
	return out
}
