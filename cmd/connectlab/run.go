package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/view"

	"github.com/clipperhouse/displaywidth"
	"github.com/urfave/cli/v2"
)

func (p *program) runCommand() *cli.Command {
	return p.command(cli.Command{
		Name: "run", Usage: p.text("cmd.run.about"), ArgsUsage: "[STORY…]", Description: p.text("cmd.run.args"),
		Flags: slices.Concat(p.worldFlags(),
			[]cli.Flag{&cli.StringFlag{Name: "time", Value: "virtual", Usage: p.text("cmd.flag.time"), Category: worldGroup}}, p.viewFlags(),
			[]cli.Flag{&cli.StringFlag{Name: "out", Usage: p.text("cmd.flag.out"), Category: viewGroup}}),
		Action: p.run,
	})
}

// worldFlags shape a run.
func (p *program) worldFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{Name: "client", Value: stacks[0].name, Usage: p.text("cmd.flag.client"), Category: worldGroup},
		&cli.StringFlag{Name: "server", Value: stacks[0].name, Usage: p.text("cmd.flag.server"), Category: worldGroup},
	}, p.linkFlags()...)
}

// linkFlags are the worldFlags that do not choose a stack.
func (p *program) linkFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "seed", Value: "1", Usage: p.text("cmd.flag.seed"), Category: worldGroup},
		&cli.StringFlag{Name: "link", Usage: p.text("cmd.flag.link"), Category: worldGroup},
		&cli.BoolFlag{Name: "ipv6", Usage: p.text("cmd.flag.ipv6"), Category: worldGroup},
		&cli.StringFlag{Name: "delay", Usage: p.text("cmd.flag.delay"), Category: worldGroup},
		&cli.StringFlag{Name: "mtu", Usage: p.text("cmd.flag.mtu"), Category: worldGroup},
		&cli.StringSliceFlag{Name: "fault", Usage: p.text("cmd.flag.fault"), Category: worldGroup, KeepSpace: true},
		&cli.StringFlag{Name: "bytes", Usage: p.text("cmd.flag.bytes"), Category: worldGroup},
		&cli.StringFlag{Name: "backlog", Usage: p.text("cmd.flag.backlog"), Category: worldGroup},
		&cli.StringFlag{Name: "until", Usage: p.text("cmd.flag.until"), Category: worldGroup},
	}
}

// changeFlags are the worldFlags that make another run than the one that a story was written for.
var changeFlags = []string{"link", "ipv6", "delay", "mtu", "fault", "bytes", "backlog", "until"}

// defineFlags are the worldFlags that give a word of a story another value.
var defineFlags = []struct {
	flag, word string
	min        int
}{{"bytes", "BYTES", 1}, {"backlog", "BACKLOG", 0}}

const maxDefine = 1 << 30

// world is what worldFlags say.
type world struct {
	config  netns.Config
	defines map[string]string
}

func (p *program) world(c *cli.Context) (w world, err error) {
	client, err := p.stack("client", c.String("client"))
	if err != nil {
		return w, err
	}
	server, err := p.stack("server", c.String("server"))
	if err != nil {
		return w, err
	}
	w, err = p.linkWorld(c)
	w.config.Client, w.config.Server = client, server
	return w, err
}

// linkWorld is what linkFlags say.
func (p *program) linkWorld(c *cli.Context) (w world, err error) {
	w.defines = map[string]string{}
	if w.config.Seed, err = strconv.ParseUint(c.String("seed"), 10, 64); err != nil {
		return w, p.badFlag(c, "seed", p.text("cmd.want.number", 0, uint64(1<<64-1)))
	}
	if c.IsSet("link") {
		if w.config.Link, err = trace.ParseLinkType(c.String("link")); err != nil {
			return w, p.badFlag(c, "link", p.text("cmd.want.link"))
		}
		if w.config.Link == trace.LinkIP {
			w.config.Link = netns.IPLink
		}
	}
	if c.Bool("ipv6") {
		w.config.Family = netns.IPv6
	}
	if c.IsSet("delay") {
		if w.config.Delay, err = netns.ParseTime(c.String("delay")); err != nil {
			return w, p.badFlag(c, "delay", p.text("cmd.want.delay"))
		}
		if w.config.Delay == 0 {
			w.config.Delay = netns.NoLinkDelay
		}
	}
	if c.IsSet("until") {
		if w.config.Until, err = netns.ParseTime(c.String("until")); err != nil || w.config.Until == 0 {
			return w, p.badFlag(c, "until", p.text("cmd.want.until"))
		}
	}
	if c.IsSet("mtu") {
		if w.config.MTU, err = p.number(c, "mtu", netns.MinMTU, netns.MaxMTU); err != nil {
			return w, err
		}
	}
	for _, text := range c.StringSlice("fault") {
		f, err := netns.ParseFault(text)
		if fe := (*netns.FaultError)(nil); errors.As(err, &fe) {
			return w, p.fail("cmd.bad-fault", text, fe.Offset+1, fe.Msg)
		} else if err != nil {
			return w, err
		}
		w.config.Faults = append(w.config.Faults, f)
	}
	for _, d := range defineFlags {
		if c.IsSet(d.flag) {
			n, err := p.number(c, d.flag, d.min, maxDefine)
			if err != nil {
				return w, err
			}
			w.defines[d.word] = strconv.Itoa(n)
		}
	}
	return w, nil
}

// number reads a flag whose value is a number.
func (p *program) number(c *cli.Context, flag string, from, to int) (int, error) {
	n, err := strconv.Atoi(c.String(flag))
	if err != nil || n < from || n > to {
		return 0, p.badFlag(c, flag, p.text("cmd.want.number", from, to))
	}
	return n, nil
}

// A job is a story to be run, and what came of it.
type job struct {
	name   string // as the user gave it
	path   string // of the story's file; empty: it is built in
	story  *script.Story
	file   string // where the trace goes; empty: nowhere
	folder string // where the captures go; empty: nowhere
	on     string // the stacks that it runs on, where a verb chooses several; else empty
	result *script.Result
}

// job finds a story that the two stacks can do.
func (p *program) job(name string, w *world) (j job, err error) {
	if j, err = p.namedJob(name, w); err != nil {
		return j, err
	}
	return j, p.runnable(&j, w.config)
}

// namedJob finds a story: a built-in one, else a file.
func (p *program) namedJob(name string, w *world) (j job, err error) {
	j.name = name
	if slices.Contains(script.Names(), name) {
		j.story, err = script.Builtin(name)
	} else if info, statErr := os.Stat(name); statErr == nil || strings.ContainsAny(name, `/\`) || strings.HasSuffix(name, script.Extension) {
		switch {
		case errors.Is(statErr, fs.ErrNotExist):
			err = p.fail("cmd.story.no-file", name)
		case statErr == nil && info.IsDir():
			err = p.fail("cmd.story.folder", name)
		default:
			j.path = name
			j.story, err = p.readStory(name)
		}
	} else {
		_, err = script.Builtin(name) // which names are near it
	}
	if err != nil {
		return j, err
	}
	for _, d := range defineFlags {
		if value, ok := w.defines[d.word]; ok {
			if j.story, err = j.story.With(d.word, value); err != nil {
				return j, fmt.Errorf("--%s: %w", d.flag, err)
			}
		}
	}
	return j, nil
}

// jobs finds several stories.
func (p *program) jobs(names []string, w *world) (jobs []job, err error) {
	for _, name := range names {
		j, err := p.job(name, w)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// builtinJob is a built-in story with the words that the user gave another value; not each story has them.
func builtinJob(name string, w *world) (j job, err error) {
	j.name = name
	if j.story, err = script.Builtin(name); err != nil {
		return j, err
	}
	for _, d := range defineFlags {
		if value, ok := w.defines[d.word]; ok {
			if with, err := j.story.With(d.word, value); err == nil {
				j.story = with
			}
		}
	}
	return j, nil
}

// maxStory is how long a story can be, octets: what is longer is something else.
const maxStory = 1 << 20

func (p *program) readStory(file string) (*script.Story, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxStory+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxStory {
		return nil, p.fail("cmd.story.too-long", file, maxStory)
	}
	return script.Parse(file, string(text))
}

func (p *program) run(c *cli.Context) error {
	w, err := p.world(c)
	if err != nil {
		return err
	}
	switch c.String("time") {
	case "virtual":
	case "real":
		w.config.RealTime, w.config.Wall = true, &netns.Wall{Now: time.Now, After: time.After}
	default:
		return p.badFlag(c, "time", p.text("cmd.want.time"))
	}
	v, err := p.views(c)
	if err != nil {
		return err
	}
	names := c.Args().Slice()
	if len(names) == 0 {
		names = []string{"plain"}
	}
	if v.json && len(names) > 1 {
		return p.fail("cmd.json-one", len(names))
	}
	if v.mermaid && len(names) > 1 {
		return p.fail("cmd.mermaid-one", len(names))
	}
	jobs, err := p.jobs(names, &w)
	if err != nil {
		return err
	}
	if c.IsSet("out") {
		if out := c.String("out"); out == "" || out == "-" {
			return p.badFlag(c, "out", p.text("cmd.want.file"))
		}
		if err := p.place(jobs, c.String("out")); err != nil {
			return fmt.Errorf("--out: %w", err)
		}
	}
	if folder, err := p.captureFolder(c); err != nil {
		return err
	} else if folder != "" {
		if err := p.placeCaptures(jobs, folder); err != nil {
			return fmt.Errorf("--pcapng: %w", err)
		}
	}
	for i := range jobs {
		if i > 0 {
			fmt.Fprint(p.stdout, "\n\n")
		}
		if err := p.runJob(c, &jobs[i], w.config, v); err != nil {
			_ = p.judge(c, jobs[:i]) // the error says more
			return err
		}
	}
	return p.judge(c, jobs)
}

// runnable is the error of a story that cannot be run, and says why: what a stack lacks, or what of the world cannot be.
func (p *program) runnable(j *job, cfg netns.Config) error {
	cfg = j.story.Config(cfg)
	err := cfg.Check()
	lack, op := (*netns.LackError)(nil), (*netns.OpError)(nil)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &lack) && errors.As(err, &op):
		return p.fail("cmd.lacks", j.name, lack.Stack, p.host(op.Host), p.capabilities(lack.Lacks))
	}
	least := netns.MinMTU
	if cfg.Family == netns.IPv6 {
		least = netns.MinMTU6
	}
	if cfg.MTU != 0 && (cfg.MTU < least || cfg.MTU > netns.MaxMTU) {
		return p.fail("cmd.mtu", j.name, cfg.MTU, least, netns.MaxMTU)
	}
	return fmt.Errorf("%s: %w", j.name, err)
}

// host is a host's name in a sentence.
func (p *program) host(name string) string { return p.text(fmt.Sprintf("cmd.host.%s", name)) }

// capabilities names what only some stacks can do.
func (p *program) capabilities(names []string) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = p.text(fmt.Sprintf("capability.%s", strings.ReplaceAll(name, " ", "-")))
	}
	return strings.Join(texts, ", ")
}

// runJob runs one story and prints it. Of a run that could not go on it prints what there is, and fails nevertheless.
func (p *program) runJob(c *cli.Context, j *job, cfg netns.Config, v views) error {
	t, broken := p.record(j, cfg, v.json)
	if v.json && j.folder == "" || broken != nil && t == nil {
		return broken
	}
	if broken != nil && t.End.Reason != trace.TooManySteps {
		t.End.Reason = trace.BrokenOff
	}
	watch := p.watch()
	defer watch.done()
	if j.file != "" {
		var err error
		if t, _, err = p.open(j.file, p.readTrace, watch); err != nil {
			return err
		}
	}
	if j.folder != "" {
		if err := p.writeCaptures(j.folder, t); err != nil {
			return err
		}
	}
	if v.json {
		if j.file == "" { // else it went to stdout as it happened
			if err := trace.Write(p.stdout, t); err != nil {
				return err
			}
		}
		return broken
	}
	var b bytes.Buffer
	if v.mermaid {
		watch.done()
		if err := p.diagram(p.stdout, t, v); err != nil {
			return err
		}
		return broken
	}
	if err := p.title(&b, &t.Header, v.options); err != nil {
		return err
	}
	left := 0
	if !c.IsSet("show") {
		left = v.spare(t)
	}
	if err := p.print(&b, t, v, watch); err != nil {
		return err
	}
	if left > 0 {
		fmt.Fprintln(&b)
		if err := view.Paragraph(&b, 0, p.text("cmd.control-left-out", left), v.options); err != nil {
			return err
		}
	}
	p.again(&b, c, j.name, v.options)
	if !c.IsSet("show") {
		if err := view.Paragraph(&b, 0, p.text("cmd.again-part"), v.options); err != nil {
			return err
		}
	}
	watch.done()
	if _, err := p.stdout.Write(b.Bytes()); err != nil {
		return err
	}
	return broken
}

// record runs a story. The record goes to the job's file as it happens, if it has one; with asJSON it goes to stdout, unless
// captures are to be made of it. The trace is nil then. With an error it is what was recorded until then, nil if there is none.
func (p *program) record(j *job, cfg netns.Config, asJSON bool) (*trace.Trace, error) {
	watch := p.watch()
	defer watch.done()
	cfg.Progress = func(now time.Duration, steps int) {
		watch.tick("cmd.progress.run", j.story.Name, now.Truncate(time.Millisecond), steps)
	}
	var part *partFile
	var err error
	if j.file != "" {
		if part, err = p.createPart(j.file); err != nil {
			return nil, fmt.Errorf("--out: %w", err)
		}
		defer p.onInterrupt(part.Name())()
	}
	switch {
	case part != nil && asJSON:
		cfg.Writer = io.MultiWriter(part, p.stdout)
	case part != nil:
		cfg.Writer = part
	case asJSON && j.folder == "": // captures are of a trace that was kept
		cfg.Writer = p.stdout
	}
	j.result, err = script.Run(j.story, cfg)
	if part != nil {
		if err2 := part.finish(err == nil); err == nil {
			err = err2
		}
	}
	switch {
	case err == nil:
		return j.result.Trace, nil
	case part != nil:
		return nil, p.fail("cmd.broke-off", j.name, err, part.Name())
	}
	if j.result == nil {
		return nil, fmt.Errorf("%s: %w", j.name, err)
	}
	return j.result.Trace, fmt.Errorf("%s: %w", j.name, err)
}

// maxFailures is how many expectations of a story are listed that did not hold.
const maxFailures = 10

// judge tells on stderr which expectations did not hold.
func (p *program) judge(c *cli.Context, jobs []job) error {
	err, asWritten := error(nil), true
	for _, j := range jobs {
		asWritten = asWritten && j.result.AsWritten
		name := j.path
		if name == "" {
			name = j.name + script.Extension
		}
		if j.on != "" {
			name += " (" + j.on + ")"
		}
		for i, f := range j.result.Failures {
			err = errFailed
			if i == maxFailures {
				p.say(p.text("cmd.failures-more", name, len(j.result.Failures)-i))
				break
			}
			text := p.text("cmd.failure", name, f.Line, f.Text, f.Expected, f.Got)
			if f.Event > 0 {
				text = p.text("cmd.failure-event", text, f.Event)
			}
			p.say(text)
		}
	}
	if !asWritten {
		p.sayNotAsWritten(c)
	}
	return err
}

// sayNotAsWritten tells which flags have made another run than the one that a story was written for.
func (p *program) sayNotAsWritten(c *cli.Context) {
	var flags []string
	for _, name := range changeFlags {
		if c.IsSet(name) {
			flags = append(flags, "--"+name)
		}
	}
	p.say(p.text("cmd.not-as-written", strings.Join(flags, ", ")))
}

// again prints the command line that repeats the run.
func (p *program) again(b *bytes.Buffer, c *cli.Context, name string, o view.Options) {
	if strings.HasPrefix(name, "-") {
		name = "./" + name // a file, not a flag
	}
	words := []string{p.text("cmd.again"), p.self(), "run", quote(name)}
	for _, f := range c.Command.Flags {
		flag := f.Names()[0]
		if flag == "out" || flag == "pcapng" || !c.IsSet(flag) && flag != "seed" {
			continue
		}
		switch f.(type) {
		case *cli.BoolFlag:
			words = append(words, "--"+flag)
		case *cli.StringSliceFlag:
			for _, v := range c.StringSlice(flag) {
				words = append(words, "--"+flag+" "+quote(v))
			}
		default:
			words = append(words, "--"+flag+" "+quote(c.String(flag)))
		}
	}
	b.WriteByte('\n')
	x := 0
	for n, word := range words {
		cells := displaywidth.String(word)
		switch {
		case n == 0:
		case x+1+cells+2 > columns(o): // the shell takes the backslash and goes on in the next line
			b.WriteString(" \\\n    ")
			x = 4
		default:
			b.WriteByte(' ')
			x++
		}
		b.WriteString(word)
		x += cells
	}
	b.WriteByte('\n')
}

// self is how the user called the program: by a path, or through the go tool, which runs a file that is gone
// afterwards.
func (p *program) self() string {
	if strings.Contains(filepath.ToSlash(p.args[0]), "/go-build") {
		return "go run ./cmd/connectlab"
	}
	return quote(p.args[0])
}

// quote quotes a word for a shell where it has to be.
func quote(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n'\"\\$`*?#&;|<>()[]{}!~") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
