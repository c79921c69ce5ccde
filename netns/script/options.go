package script

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"connectlab/netns"
	"connectlab/trace"
)

// optionDef is an option that may stand at the top of a story.
type optionDef struct {
	name    string
	kind    ExprKind // of its value; define takes any
	example string
	alone   bool // it has no value
}

var optionDefs = []optionDef{
	{name: "define", kind: Word, example: "--define=BYTES=5"},
	{name: "link", kind: Word, example: "--link=ethernet"},
	{name: "ipv6", example: "--ipv6", alone: true},
	{name: "delay", kind: Seconds, example: "--delay=.010"},
	{name: "mtu", kind: Int, example: "--mtu=1500"},
	{name: "fault", kind: String, example: `--fault="drop server SYN,ACK#1"`},
	{name: "until", kind: Seconds, example: "--until=60"},
	{name: "needs", kind: String, example: `--needs="ECN"`},
}

func optionByName(name string) (optionDef, bool) {
	i := slices.IndexFunc(optionDefs, func(d optionDef) bool { return d.name == name })
	if i < 0 {
		return optionDef{}, false
	}
	return optionDefs[i], true
}

func optionNames() string {
	names := make([]string, len(optionDefs))
	for i, d := range optionDefs {
		names[i] = "--" + d.name
	}
	return strings.Join(names, ", ")
}

// settings are the values of a story's options.
type settings struct {
	delay   time.Duration // as in netns.Config
	until   time.Duration
	link    trace.LinkType
	family  netns.Family
	needs   []string
	mtu     int
	faults  []netns.Fault
	defines []*Option
}

// options reads the options among lines.
func (c *compiler) options(lines []Line) error {
	seen := map[string]bool{}
	for _, l := range lines {
		o, ok := l.What.(*Option)
		if !ok {
			continue
		}
		key := o.Name + " " + o.Define
		if seen[key] && o.Name != "fault" && o.Name != "needs" {
			return c.fail(l.Pos, "expected --%s once", strings.TrimSpace(key))
		}
		seen[key] = true
		if err := c.option(o); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) option(o *Option) error {
	switch o.Name {
	case "define":
		c.defined[o.Define] = o.Value
		c.code.defines = append(c.code.defines, o)
	case "link":
		link, err := trace.ParseLinkType(o.Value.Text)
		if err != nil {
			return c.fail(o.Value.Pos, "expected a link, ip or ethernet, found `%s`", clip(o.Value.Text))
		}
		c.code.link = link
	case "ipv6":
		c.code.family = netns.IPv6
	case "needs":
		if _, _, ok := netns.ParseNeed(o.Value.Text); !ok {
			return c.fail(o.Value.Pos, "expected what only some stacks can do, %s, or one of them behind client or server, found %s",
				strings.Join(netns.Needed(), " or "), clip(quote(o.Value.Text)))
		}
		c.code.needs = append(c.code.needs, o.Value.Text)
	case "delay":
		if c.code.delay = time.Duration(o.Value.Num); o.Value.Num == 0 {
			c.code.delay = netns.NoLinkDelay
		}
	case "until":
		if o.Value.Num == 0 {
			return c.fail(o.Value.Pos, "expected a time above 0")
		}
		c.code.until = time.Duration(o.Value.Num)
	case "mtu":
		if o.Value.Num < netns.MinMTU || o.Value.Num > netns.MaxMTU {
			return c.fail(o.Value.Pos, "expected an MTU from %d to %d octets, found %d", netns.MinMTU, netns.MaxMTU, o.Value.Num)
		}
		c.code.mtu = int(o.Value.Num)
	case "fault":
		f, err := netns.ParseFault(o.Value.Text)
		if fe := (*netns.FaultError)(nil); errors.As(err, &fe) {
			return c.fail(Pos{o.Value.Pos.Line, o.Value.Pos.Column + 1 + fe.Offset}, "%s", fe.Msg)
		} else if err != nil {
			return c.fail(o.Value.Pos, "%v", err)
		}
		c.code.faults = append(c.code.faults, f)
	}
	return nil
}

// Defines are the words that the story's --define options give a value, in their order.
func (s *Story) Defines() []string {
	names := make([]string, len(s.code.defines))
	for i, o := range s.code.defines {
		names[i] = o.Define
	}
	return names
}

// With returns the story with another value for a word that it defines, as an option of the command line asks. The
// value is written as behind `--define=NAME=`. The text changes with it, in place, so that it tells what is run and
// its lines keep their numbers. Unless it is the value that the story has anyway, a run is not as written any more (see
// Result.AsWritten).
func (s *Story) With(define, value string) (*Story, error) {
	i := slices.IndexFunc(s.code.defines, func(o *Option) bool { return o.Define == define })
	if i < 0 {
		if len(s.code.defines) == 0 {
			return nil, fmt.Errorf("%s defines no word, so there is no %s to set", s.Name, define)
		}
		return nil, fmt.Errorf("%s defines no word %s: it defines %s", s.Name, define, strings.Join(s.Defines(), ", "))
	}
	flag := "--define=" + define + "="
	p := &parser{lexer: lexer{file: "flag", text: value, size: len(value), pos: Pos{1, 1}}}
	if err := p.advance(); err != nil {
		return nil, badDefine(flag, err)
	}
	from := p.tok.at
	if _, err := p.scalar("a number, a word or a string"); err != nil {
		return nil, badDefine(flag, err)
	}
	if p.tok.kind != tokEnd || len(p.comments) > 0 {
		return nil, badDefine(flag, p.expected("one number, word or string"))
	}
	o := s.code.defines[i]
	with, err := Parse(s.code.file, s.Text[:o.at]+value[from:p.last]+s.Text[o.end:])
	if err != nil {
		return nil, err
	}
	if written := cmp.Or(s.written, s.Text); written != with.Text {
		with.written = written
	}
	return with, nil
}

// badDefine says what is wrong with a value from the command line.
func badDefine(flag string, err error) error {
	if e := (*Error)(nil); errors.As(err, &e) {
		return fmt.Errorf("%s: %s", flag, e.Msg)
	}
	return err
}

// Config is base with what the story's options say. What base itself says, as from the command line, overrides it;
// faults of base are asked after the story's own. A base whose Story is this one says everything already, and is returned as it
// is: so netns.ConfigOf a header gives the run of that header again.
func (s *Story) Config(base netns.Config) netns.Config {
	story := trace.Story{Name: s.Name, Text: s.Text}
	if base.Story == story {
		return base
	}
	base.Story = story
	switch base.Link {
	case trace.LinkIP:
		base.Link = s.code.link
	case netns.IPLink:
		base.Link = trace.LinkIP
	default:
	}
	switch base.Family {
	case netns.IPv4:
		base.Family = s.code.family
	case netns.OnlyIPv4:
		base.Family = netns.IPv4
	default:
	}
	base.Delay = cmp.Or(base.Delay, s.code.delay)
	base.MTU = cmp.Or(base.MTU, s.code.mtu)
	base.Until = cmp.Or(base.Until, s.code.until)
	needs := slices.Clone(s.code.needs)
	for _, need := range base.Needs {
		if !slices.Contains(needs, need) {
			needs = append(needs, need)
		}
	}
	base.Needs = needs
	base.Faults = slices.Concat(s.code.faults, base.Faults)
	return base
}
