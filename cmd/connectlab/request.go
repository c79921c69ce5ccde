package main

import (
	"fmt"
	"slices"
	"strings"

	"connectlab/trace/view"

	"github.com/urfave/cli/v2"
)

// A request is what a command line asks for.
type request struct {
	verb *cli.Command // nil: none
	help bool
	args []string // for the library
}

// request reads the command line. Flags may stand anywhere, as in `run plain --seed 2`: the library, which would take
// all that follows the first argument for arguments, gets them in front of these. Its own messages are never seen.
func (p *program) request(app *cli.App) (r request, err error) {
	var flags, rest, names []string
	for i := 1; i < len(p.args); i++ {
		arg := p.args[i]
		if arg == "--" {
			rest = append(rest, p.args[i+1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			rest = append(rest, arg)
			continue
		}
		name, value, has := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		flag := findFlag(app, name)
		if flag == nil {
			return r, p.fail("cmd.unknown-flag", arg)
		}
		name = flag.Names()[0]
		names = append(names, name)
		if _, alone := flag.(*cli.BoolFlag); alone {
			if has {
				return r, p.fail("cmd.flag-without-value", name, value)
			}
			flags = append(flags, "--"+name)
			r.help = r.help || name == "help"
			continue
		}
		if !has {
			if i++; i == len(p.args) || strings.HasPrefix(p.args[i], "--") {
				return r, p.fail("cmd.flag-needs-value", name)
			}
			value = p.args[i]
		}
		flags = append(flags, "--"+name+"="+value)
	}
	if len(rest) > 0 && rest[0] == "help" {
		r.help, rest = true, rest[1:]
	}
	r.args = append([]string{app.Name}, flags...)
	if len(rest) == 0 {
		r.help = true
		return r, p.takes(app.Name, app.Flags, names)
	}
	if r.verb = app.Command(rest[0]); r.verb == nil {
		var verbs []string
		for _, c := range app.Commands {
			verbs = append(verbs, c.Name)
		}
		return r, p.fail("cmd.unknown-verb", rest[0], strings.Join(verbs, ", "))
	}
	r.args = slices.Concat([]string{app.Name, rest[0]}, flags, []string{"--"}, rest[1:])
	return r, p.takes(app.Name+" "+rest[0], r.verb.Flags, names)
}

// findFlag finds a flag of any verb; nil: there is none of that name.
func findFlag(app *cli.App, name string) cli.Flag {
	flags := app.Flags
	for _, c := range app.Commands {
		flags = slices.Concat(flags, c.Flags)
	}
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

// takes refuses flags that are another verb's.
func (p *program) takes(verb string, flags []cli.Flag, names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(flags, func(f cli.Flag) bool { return f.Names()[0] == name }) {
			return p.fail("cmd.not-its-flag", verb, name)
		}
	}
	return nil
}

// language finds --lang before anything else is read: errors and help speak it too.
func language(args []string) (view.Language, error) {
	lang := view.English
	for i, arg := range args {
		if arg == "--" {
			break
		}
		name, value, has := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if name != "lang" || arg[0] != '-' {
			continue
		}
		if !has && i+1 < len(args) {
			value = args[i+1]
		}
		var err error
		if lang, err = view.ParseLanguage(value); err != nil {
			return "", fmt.Errorf("--lang: %w", err)
		}
	}
	return lang, nil
}
