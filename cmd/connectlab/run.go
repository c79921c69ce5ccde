package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/view"
	"connectlab/trace/wire"

	"github.com/urfave/cli/v2"
)

func (p *program) runCommand() *cli.Command {
	return &cli.Command{
		Name: "run", Usage: p.text("cmd.run.about"), ArgsUsage: p.text("cmd.run.args"),
		Flags: append(append(p.worldFlags(), p.viewFlags()...),
			&cli.StringFlag{Name: "out", Usage: p.text("cmd.flag.out")},
		),
		Action: p.run,
	}
}

// worldFlags shape a run.
func (p *program) worldFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "client", Value: stacks[0].name, Usage: p.text("cmd.flag.client")},
		&cli.StringFlag{Name: "server", Value: stacks[0].name, Usage: p.text("cmd.flag.server")},
		&cli.StringFlag{Name: "seed", Value: "1", Usage: p.text("cmd.flag.seed")},
		&cli.StringFlag{Name: "delay", Usage: p.text("cmd.flag.delay")},
		&cli.StringFlag{Name: "mtu", Usage: p.text("cmd.flag.mtu")},
		&cli.StringSliceFlag{Name: "fault", Usage: p.text("cmd.flag.fault"), KeepSpace: true},
		&cli.StringFlag{Name: "bytes", Usage: p.text("cmd.flag.bytes")},
		&cli.StringFlag{Name: "backlog", Usage: p.text("cmd.flag.backlog")},
		&cli.StringFlag{Name: "until", Usage: p.text("cmd.flag.until")},
	}
}

// world is what worldFlags say.
type world struct {
	config  netns.Config
	defines map[string]string
}

// defineFlags are flags that give a word of a story another value.
var defineFlags = []struct{ flag, word string }{{"bytes", "BYTES"}, {"backlog", "BACKLOG"}}

func (p *program) world(c *cli.Context) (w world, err error) {
	w.defines = map[string]string{}
	if w.config.Client, err = p.stack("client", c.String("client")); err != nil {
		return w, err
	}
	if w.config.Server, err = p.stack("server", c.String("server")); err != nil {
		return w, err
	}
	if w.config.Seed, err = strconv.ParseUint(c.String("seed"), 0, 64); err != nil {
		return w, p.badFlag(c, "seed", p.text("cmd.want.number", 0, "2^64-1"))
	}
	if c.IsSet("delay") {
		d, err := netns.ParseTime(c.String("delay"))
		if err != nil {
			return w, p.badFlag(c, "delay", err.Error())
		}
		if w.config.Delay = d; d == 0 {
			w.config.Delay = netns.NoLinkDelay
		}
	}
	if c.IsSet("until") {
		if w.config.Until, err = netns.ParseTime(c.String("until")); err != nil || w.config.Until == 0 {
			return w, p.badFlag(c, "until", p.text("cmd.want.time"))
		}
	}
	if c.IsSet("mtu") {
		w.config.MTU, err = strconv.Atoi(c.String("mtu"))
		if err != nil || w.config.MTU < netns.MinMTU || w.config.MTU > netns.MaxMTU {
			return w, p.badFlag(c, "mtu", p.text("cmd.want.number", netns.MinMTU, netns.MaxMTU))
		}
	}
	for _, text := range c.StringSlice("fault") {
		f, err := netns.ParseFault(text)
		if err != nil {
			return w, fmt.Errorf("--fault: %w", err)
		}
		w.config.Faults = append(w.config.Faults, f)
	}
	for _, d := range defineFlags {
		if !c.IsSet(d.flag) {
			continue
		}
		if n, err := strconv.Atoi(c.String(d.flag)); err != nil || n < 0 || n > 1<<30 {
			return w, p.badFlag(c, d.flag, p.text("cmd.want.number", 0, 1<<30))
		}
		w.defines[d.word] = c.String(d.flag)
	}
	return w, nil
}

func (p *program) badFlag(c *cli.Context, flag, want string) error {
	return p.fail("cmd.bad-flag", flag, c.String(flag), want)
}

// story is a built-in story, or one from a file, with the flags' values for its words.
func (p *program) story(name string, w *world) (*script.Story, error) {
	var s *script.Story
	var err error
	if strings.ContainsAny(name, "/.\\") {
		var text []byte
		if text, err = os.ReadFile(name); err != nil {
			return nil, err
		}
		s, err = script.Parse(name, string(text))
	} else {
		s, err = script.Builtin(name)
	}
	if err != nil {
		return nil, err
	}
	for _, d := range defineFlags {
		if value, ok := w.defines[d.word]; ok {
			if s, err = s.With(d.word, value); err != nil {
				return nil, fmt.Errorf("--%s: %w", d.flag, err)
			}
		}
	}
	return s, nil
}

func (p *program) run(c *cli.Context) error {
	w, err := p.world(c)
	if err != nil {
		return err
	}
	v, err := p.views(c)
	if err != nil {
		return err
	}
	names := c.Args().Slice()
	if len(names) == 0 {
		names = []string{"plain"}
	}
	var list []*script.Story
	for _, name := range names {
		s, err := p.story(name, &w)
		if err != nil {
			return err
		}
		list = append(list, s)
	}
	out := c.String("out")
	if out != "" && len(list) > 1 {
		if err := os.MkdirAll(out, 0o777); err != nil {
			return err
		}
	}
	failed := false
	for i, s := range list {
		file := out
		if out != "" && len(list) > 1 {
			file = filepath.Join(out, s.Name+".trace")
		}
		if i > 0 && !v.json {
			fmt.Fprintln(p.stdout)
		}
		ok, err := p.runStory(c, s, names[i], w.config, v, file)
		if err != nil {
			return err
		}
		failed = failed || !ok
	}
	if failed {
		return errFailed
	}
	return nil
}

// runStory runs one story, prints it, and tells whether all its expectations held.
func (p *program) runStory(c *cli.Context, s *script.Story, name string, cfg netns.Config, v views, file string) (ok bool, err error) {
	result, t, err := p.record(s, cfg, file, v.json)
	if err != nil {
		return false, err
	}
	for _, f := range result.Failures {
		fmt.Fprintf(p.stderr, "connectlab: %s\n", p.text("cmd.failure", s.Name, f.Line, f.Text, f.Expected, f.Got, f.Event))
	}
	ok = len(result.Failures) == 0
	if v.json {
		return ok, nil
	}
	var b bytes.Buffer
	if err := p.title(&b, s, t, v.options); err != nil {
		return false, err
	}
	if err := v.print(&b, t); err != nil {
		return false, err
	}
	fmt.Fprintf(&b, "\n%s\n", p.text("cmd.again", p.again(c, name)))
	_, err = p.stdout.Write(b.Bytes())
	return ok, err
}

// record runs a story. The record goes to the file as it happens, if one is named; with asJSON it goes to stdout. The
// trace is nil with asJSON.
func (p *program) record(s *script.Story, cfg netns.Config, file string, asJSON bool) (*script.Result, *trace.Trace, error) {
	if p.errTerminal {
		shown := newProgress(p.stderr, func(now time.Duration, steps int) string { return p.text("cmd.progress", s.Name, now, steps) })
		cfg.Progress = shown.step
		defer shown.done()
	}
	var part *partFile
	var err error
	switch {
	case file != "":
		if part, err = createPart(file); err != nil {
			return nil, nil, err
		}
		cfg.Writer = part
		if asJSON {
			cfg.Writer = io.MultiWriter(part, p.stdout)
		}
	case asJSON:
		cfg.Writer = p.stdout
	}
	result, err := script.Run(s, cfg)
	if part != nil {
		if err2 := part.finish(err == nil); err == nil {
			err = err2
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%w; %s", err, p.text("cmd.kept-part", part.Name()))
		}
	}
	if err != nil {
		return nil, nil, err
	}
	t := result.Trace
	if part != nil && !asJSON {
		if t, err = readTrace(file); err != nil {
			return nil, nil, err
		}
	}
	return result, t, nil
}

func readTrace(file string) (*trace.Trace, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return trace.Read(f, file, wire.Decode)
}

// title is the story's name and what it ran on, and what to see in it.
func (p *program) title(w io.Writer, s *script.Story, t *trace.Trace, o view.Options) error {
	h := &t.Header
	fmt.Fprintln(w, p.text("cmd.title", s.Name, h.Hosts[0].Stack, h.Hosts[1].Stack, h.Delay, h.MTU, h.Seed))
	for i := 1; ; i++ {
		key := fmt.Sprintf("story.%s.%d", s.Name, i)
		if !view.Has(key) {
			break
		}
		if err := view.Paragraph(w, 2, p.text(key), o); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(w)
	return err
}

// again is the command line that repeats the run.
func (p *program) again(c *cli.Context, name string) string {
	words := []string{"connectlab", "run", quote(name)}
	for _, f := range c.Command.Flags {
		flag := f.Names()[0]
		if !c.IsSet(flag) && flag != "seed" || flag == "out" || flag == "help" {
			continue
		}
		switch f.(type) {
		case *cli.BoolFlag:
			words = append(words, "--"+flag)
		case *cli.StringSliceFlag:
			for _, v := range c.StringSlice(flag) {
				words = append(words, "--"+flag, quote(v))
			}
		default:
			words = append(words, "--"+flag, quote(c.String(flag)))
		}
	}
	return strings.Join(words, " ")
}

// quote quotes a word for a shell where it has to be.
func quote(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n'\"\\$`*?#&;|<>()[]{}!~") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
