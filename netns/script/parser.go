package script

import (
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"connectlab/netns"
	"connectlab/trace"
)

// What bounds a story, so that reading one takes little memory and time whatever it says.
const (
	maxDepth    = 32          // of brackets within brackets
	maxRepeats  = 8           // of repeats within repeats
	maxTimes    = 1_000_000   // of one repeat
	maxPrograms = 100_000     // of one host
	maxWork     = 2_000_000   // lines times the programs that they belong to
	maxCalls    = 100_000_000 // that repeats make
)

// Parse reads a story. name is the file's, for errors and for Story.Name. The error is an *Error.
func Parse(name, text string) (*Story, error) {
	lines, err := parse(name, text)
	if err != nil {
		return nil, err
	}
	s := &Story{Name: strings.TrimSuffix(filepath.Base(name), Extension), Text: text, Lines: lines}
	if s.code, err = compile(name, lines); err != nil {
		return nil, err
	}
	return s, nil
}

// Extension ends the name of a story's file.
const Extension = ".story"

// parse reads what is written, without asking whether it makes sense.
func parse(name, text string) ([]Line, error) {
	p := &parser{lexer: lexer{file: name, text: text, size: len(text), pos: Pos{1, 1}}}
	if len(text) > maxText {
		return nil, p.fail(p.pos, "expected at most %d octets, found %d", maxText, len(text))
	}
	if !utf8.ValidString(text) {
		n := 0
		for r, size := utf8.DecodeRuneInString(text); r != utf8.RuneError || size > 1; r, size = utf8.DecodeRuneInString(text[n:]) {
			n += size
		}
		p.take(n)
		return nil, p.fail(p.pos, "expected UTF-8, found the octet 0x%02x", text[n])
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	return p.lines(p.line)
}

// A parser reads tokens with one of look-ahead.
type parser struct {
	lexer
	tok    token
	last   int  // where the token before tok ends, octets
	inside int  // brackets that are open: within them a new line is white space
	depth  int  // of repeats
	begun  bool // a line that is no option was read
}

func (p *parser) advance() error {
	p.last = p.tok.end
	tok, err := p.next(p.inside > 0)
	if err != nil {
		return err
	}
	p.tok = tok
	return nil
}

func (p *parser) at(mark string) bool { return p.tok.kind == tokMark && p.tok.text == mark }

func (p *parser) atWord(word string) bool { return p.tok.kind == tokWord && p.tok.text == word }

func (p *parser) expected(what string) error {
	return p.fail(p.tok.pos, "expected %s, found %v", what, p.tok)
}

// mark reads a mark that must come.
func (p *parser) mark(mark string) error {
	if !p.at(mark) {
		return p.expected("`" + mark + "`")
	}
	return p.advance()
}

// open and close read brackets, between which a new line is white space.
func (p *parser) open(mark string) error {
	if !p.at(mark) {
		return p.expected("`" + mark + "`")
	}
	p.inside++
	return p.advance()
}

func (p *parser) close(mark, expected string) error {
	if !p.at(mark) {
		return p.expected(expected)
	}
	p.inside--
	return p.advance()
}

// word reads a word that must come.
func (p *parser) word(what string) (string, error) {
	if p.tok.kind != tokWord {
		return "", p.expected(what)
	}
	s := p.tok.text
	return s, p.advance()
}

// lines reads lines up to the end of the file or to a closing brace, each by one. At most one blank line stands
// between two lines, and none at the edges.
func (p *parser) lines(one func() (Node, error)) ([]Line, error) {
	var lines []Line
	blank := false
	add := func(l Line) {
		if blank && len(lines) > 0 {
			lines = append(lines, Line{})
		}
		blank = false
		lines = append(lines, l)
	}
	for {
		found := len(p.comments) > 0
		for _, c := range p.comments {
			for _, text := range c {
				add(Line{Comment: asComment(text)})
			}
		}
		p.comments = p.comments[:0]
		switch {
		case p.tok.kind == tokEnd || p.at("}") && p.depth > 0:
			return lines, nil
		case p.tok.kind == tokNewline:
			blank = blank || !found
			if err := p.advance(); err != nil {
				return nil, err
			}
			continue
		}
		pos := p.tok.pos
		what, err := one()
		if err != nil {
			return nil, err
		}
		add(Line{Pos: pos, What: what, Comment: p.behind()})
		if p.tok.kind != tokNewline && p.tok.kind != tokEnd {
			return nil, p.expected("the end of the line")
		}
		if p.tok.kind == tokNewline {
			if err := p.advance(); err != nil {
				return nil, err
			}
		}
	}
}

// behind takes the comments that stand in and behind a line that has just been read.
func (p *parser) behind() string {
	if len(p.comments) == 0 {
		return ""
	}
	var texts []string
	for _, c := range p.comments {
		for _, text := range c {
			if text = strings.Trim(text, " \t\r"); text != "" {
				texts = append(texts, text)
			}
		}
	}
	p.comments = p.comments[:0]
	return asComment(strings.Join(texts, " "))
}

func asComment(text string) string {
	if text == "" {
		return "//"
	}
	return "// " + text
}

// line reads a line of a story.
func (p *parser) line() (Node, error) {
	switch {
	case p.tok.kind == tokOption:
		if p.begun {
			return nil, p.fail(p.tok.pos, "expected options before all other lines, found %v", p.tok)
		}
		return p.option()
	case p.tok.kind == tokInt || p.tok.kind == tokFloat:
		p.begun = true
		at, err := p.seconds()
		if err != nil {
			return nil, err
		}
		return p.timed(at)
	case p.tok.kind == tokWord:
		p.begun = true
		return p.program()
	case p.at("+"):
		return nil, p.fail(p.tok.pos, "expected a time from the start, as .015: only a program's line can count from the line before, as in `client: +1 close(3)`")
	}
	return nil, p.expected("a host and `:`, a time, or an option")
}

// option reads --name=value, or --name of one that has no value.
func (p *parser) option() (Node, error) {
	o := &Option{Name: p.tok.text}
	def, ok := optionByName(o.Name)
	if !ok {
		return nil, p.fail(p.tok.pos, "unknown option --%s: the options are %s", clip(o.Name), optionNames())
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if def.alone {
		if p.at("=") {
			return nil, p.expected("no value, as in " + def.example)
		}
		return o, nil
	}
	if !p.at("=") {
		return nil, p.expected("`=`, as in " + def.example)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if o.Name == "define" {
		var err error
		if o.Define, err = p.word("a word to define, as in " + def.example); err != nil {
			return nil, err
		}
		if err := p.mark("="); err != nil {
			return nil, err
		}
	}
	pos := p.tok.pos
	o.at = p.tok.at
	switch {
	case def.kind == Seconds && (p.tok.kind == tokInt && !p.tok.hex || p.tok.kind == tokFloat):
		at, err := p.seconds()
		if err != nil {
			return nil, err
		}
		o.Value = Expr{Pos: pos, Kind: Seconds, Num: int64(at)}
	case def.kind == Int && p.tok.kind == tokInt, def.kind == String && p.tok.kind == tokString,
		def.kind == Word && p.tok.kind == tokWord, o.Name == "define":
		e, err := p.scalar("a number, a word or a string")
		if err != nil {
			return nil, err
		}
		o.Value = e
	default:
		return nil, p.expected("a value, as in " + def.example)
	}
	o.end = p.last
	return o, nil
}

// scalar reads a number, a word or a string.
func (p *parser) scalar(what string) (Expr, error) {
	e := Expr{Pos: p.tok.pos}
	sign := int64(1)
	if p.at("-") {
		sign = -1
		if err := p.advance(); err != nil {
			return e, err
		}
		if p.tok.kind != tokInt {
			return e, p.expected("a number")
		}
	}
	switch p.tok.kind {
	case tokInt:
		e.Kind, e.Num, e.Hex = Int, sign*p.tok.num, p.tok.hex
	case tokWord:
		e.Kind, e.Text = Word, p.tok.text
	case tokString:
		e.Kind, e.Text = String, p.tok.text
	case tokEnd, tokNewline, tokFloat, tokOption, tokDots, tokAddr, tokMark:
		return e, p.expected(what)
	}
	return e, p.advance()
}

// seconds reads a time.
func (p *parser) seconds() (time.Duration, error) {
	if p.tok.hex {
		return 0, p.expected("a time in seconds, as 1 or .015")
	}
	d, err := netns.ParseTime(p.tok.text)
	if err != nil {
		return 0, p.fail(p.tok.pos, "expected a time in seconds up to 100 years, to the nanosecond, found %v", p.tok)
	}
	return d, p.advance()
}

// timed reads what stands behind the time of an observer's or the world's line.
func (p *parser) timed(at time.Duration) (Node, error) {
	const what = "state(…), info(…), reboot, link up or link down"
	switch {
	case p.atWord("state") || p.atWord("info"):
		return p.observation(at)
	case p.atWord("reboot"):
		if err := p.advance(); err != nil {
			return nil, err
		}
		host, err := p.host()
		return &WorldChange{At: at, What: trace.Reboot, Host: host}, err
	case p.atWord("link"):
		if err := p.advance(); err != nil {
			return nil, err
		}
		w := &WorldChange{At: at, What: trace.LinkComesUp}
		switch {
		case p.atWord("up"):
		case p.atWord("down"):
			w.What = trace.LinkGoesDown
		default:
			return nil, p.expected("up or down")
		}
		return w, p.advance()
	}
	return nil, p.expected(what)
}

// host reads the name of a host.
func (p *parser) host() (string, error) {
	if !p.atWord(netns.Client) && !p.atWord(netns.Server) {
		return "", p.expected("client or server")
	}
	return p.word("")
}

// who reads a host and which of its programs.
func (p *parser) who() (Who, error) {
	t := p.tok
	host, numbers, numbered := strings.Cut(t.text, ".")
	if t.kind != tokWord || host != netns.Client && host != netns.Server {
		return Who{}, p.expected("a host: client or server")
	}
	w := Who{Host: host}
	if numbered {
		first, last, ranged := strings.Cut(numbers, "-")
		if !ranged {
			last = first
		}
		var err1, err2 error
		w.First, err1 = strconv.Atoi(first)
		w.Last, err2 = strconv.Atoi(last)
		if err1 != nil || err2 != nil || w.First < 1 || w.Last < w.First || w.Last > maxPrograms {
			return w, p.fail(t.pos, "expected numbers of programs from 1 to %d, as in %s.2 or %s.1-100, found %v", maxPrograms, host, host, t)
		}
	}
	return w, p.advance()
}

// program reads a program's line.
func (p *parser) program() (Node, error) {
	who, err := p.who()
	if err != nil {
		return nil, err
	}
	if !p.at(":") {
		return nil, p.expected("`:` behind the host")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	n, err := p.step()
	switch n := n.(type) {
	case *Step:
		n.Who = who
	case *Repeat:
		n.Who = who
	}
	return n, err
}

// step reads a call with its time, or a repeat.
func (p *parser) step() (Node, error) {
	if p.atWord("repeat") {
		return p.repeat()
	}
	s := &Step{}
	timed := true
	var err error
	switch {
	case p.at("+"):
		if err := p.advance(); err != nil {
			return nil, err
		}
		if p.tok.kind != tokInt && p.tok.kind != tokFloat {
			return nil, p.expected("a time in seconds behind `+`")
		}
		s.At.At, err = p.seconds()
	case p.tok.kind == tokInt || p.tok.kind == tokFloat:
		s.At.Absolute = true
		s.At.At, err = p.seconds()
	default:
		timed = false
	}
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokWord {
		if timed {
			return nil, p.expected("a call")
		}
		return nil, p.expected("a call or a time")
	}
	s.Call, err = p.call()
	return s, err
}

// repeat reads `repeat N {`, lines, and `}`.
func (p *parser) repeat() (Node, error) {
	r := &Repeat{}
	if p.depth == maxRepeats {
		return nil, p.fail(p.tok.pos, "expected at most %d repeats within each other", maxRepeats)
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	var err error
	if r.Times, err = p.scalar("how many times, as in `repeat 100 {`"); err != nil {
		return nil, err
	}
	if err := p.mark("{"); err != nil {
		return nil, err
	}
	if p.tok.kind != tokNewline {
		return nil, p.expected("the end of the line behind `{`")
	}
	r.Comment = p.behind()
	if err := p.advance(); err != nil {
		return nil, err
	}
	p.depth++
	r.Body, err = p.lines(p.step)
	p.depth--
	if err != nil {
		return nil, err
	}
	return r, p.mark("}")
}

// call reads name(args) and, if it stands there, the result.
func (p *parser) call() (Call, error) {
	c := Call{Pos: p.tok.pos, Name: p.tok.text}
	if err := p.advance(); err != nil {
		return c, err
	}
	var err error
	if c.Args, err = p.exprs("(", ")", 1, p.expr); err != nil || !p.at("=") {
		return c, err
	}
	if err := p.advance(); err != nil {
		return c, err
	}
	r := &Expected{Pos: p.tok.pos}
	if r.Value, err = p.scalar("a result, as 0 or -1 ECONNREFUSED"); err != nil {
		return c, err
	}
	c.Result = r
	if p.tok.kind == tokWord {
		r.Errno = p.tok.text
		if err := p.advance(); err != nil {
			return c, err
		}
		if p.at("(") {
			if r.Text, err = p.remark(); err != nil {
				return c, err
			}
			err = p.advance()
		}
	}
	return c, err
}

// exprs reads expressions between brackets, with commas between them.
func (p *parser) exprs(open, end string, depth int, one func(depth int) (Expr, error)) ([]Expr, error) {
	if depth > maxDepth {
		return nil, p.fail(p.tok.pos, "expected at most %d brackets within each other", maxDepth)
	}
	if err := p.open(open); err != nil {
		return nil, err
	}
	var list []Expr
	for !p.at(end) {
		if len(list) > 0 {
			if !p.at(",") {
				return nil, p.expected("`,` or `" + end + "`")
			}
			if err := p.advance(); err != nil {
				return nil, err
			}
		}
		e, err := one(depth)
		if err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, p.close(end, "`"+end+"`")
}

// expr reads an argument.
func (p *parser) expr(depth int) (Expr, error) {
	e, err := p.term(depth)
	if err != nil || !p.at("|") {
		return e, err
	}
	or := Expr{Pos: e.Pos, Kind: Or, Elems: []Expr{e}}
	for p.at("|") {
		if err := p.advance(); err != nil {
			return or, err
		}
		if e, err = p.term(depth); err != nil {
			return or, err
		}
		or.Elems = append(or.Elems, e)
	}
	return or, nil
}

func (p *parser) term(depth int) (Expr, error) {
	e := Expr{Pos: p.tok.pos}
	var err error
	switch {
	case p.tok.kind == tokDots:
		e.Kind = Ellipsis
		return e, p.advance()
	case p.at("["):
		e.Kind = List
		e.Elems, err = p.exprs("[", "]", depth+1, p.expr)
		return e, err
	case p.at("{"):
		e.Kind = Struct
		e.Elems, err = p.exprs("{", "}", depth+1, p.field)
		return e, err
	case p.tok.kind == tokAddr || p.at("*"):
		e.Text = p.tok.text
		if err := p.advance(); err != nil {
			return e, err
		}
		if !p.at(":") {
			return e, p.expected("`:` and a port")
		}
	default:
		if e, err = p.scalar("an argument"); err != nil || e.Kind != Word || !p.at(":") {
			return e, err
		}
	}
	e.Kind = Address
	if err := p.mark(":"); err != nil {
		return e, err
	}
	if p.tok.kind != tokInt && p.tok.kind != tokWord {
		return e, p.expected("a port")
	}
	port, err := p.scalar("a port")
	e.Elems = []Expr{port}
	return e, err
}

// field reads name=value, or a value alone.
func (p *parser) field(depth int) (Expr, error) {
	e, err := p.expr(depth)
	if err != nil || e.Kind != Word || !p.at("=") {
		return e, err
	}
	if err := p.advance(); err != nil {
		return e, err
	}
	value, err := p.expr(depth)
	return Expr{Pos: e.Pos, Kind: Field, Text: e.Text, Elems: []Expr{value}}, err
}

// observation reads state(HOST FD#N) = STATE or info(HOST FD#N, "ITEM") = VALUE.
func (p *parser) observation(at time.Duration) (Node, error) {
	o := &Observation{At: at, Name: p.tok.text}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.open("("); err != nil {
		return nil, err
	}
	var err error
	if o.Who, err = p.who(); err != nil {
		return nil, err
	}
	o.fdPos = p.tok.pos
	if p.tok.kind != tokInt {
		return nil, p.expected("a descriptor, as in `state(server 3)`, or `state(server 3#1)` for the first connection that came to it")
	}
	o.FD = p.tok.num
	if err := p.advance(); err != nil {
		return nil, err
	}
	end := "`#` or `)`"
	if p.at("#") {
		if err := p.advance(); err != nil {
			return nil, err
		}
		if p.tok.kind != tokInt || p.tok.num < 1 {
			return nil, p.expected("which connection, counted from 1")
		}
		o.Child = p.tok.num
		if err := p.advance(); err != nil {
			return nil, err
		}
		end = "`)`"
	}
	if o.Name == "info" {
		if err := p.mark(","); err != nil {
			return nil, err
		}
		if p.tok.kind != tokString {
			return nil, p.expected("an item of control information in quotes, as \"SND.NXT\"")
		}
		o.Item = p.tok.text
		if _, err := trace.ParseItem(o.Item); err != nil {
			return nil, p.fail(p.tok.pos, "unknown item %v: the items are %s", p.tok, itemNames())
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
		end = "`)`"
	}
	if err := p.close(")", end); err != nil || !p.at("=") {
		return o, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if o.Name == "state" {
		o.State, err = p.state()
		return o, err
	}
	want, err := p.scalar("a value: a number, a word or a string")
	o.Want = &want
	return o, err
}

// state reads the name of a state: words and numbers with hyphens between them.
func (p *parser) state() (trace.State, error) {
	t := p.tok
	var name strings.Builder
	for p.tok.kind == tokWord || p.tok.kind == tokInt || p.at("-") {
		name.WriteString(p.tok.text)
		if err := p.advance(); err != nil {
			return 0, err
		}
	}
	for _, s := range trace.States() {
		if s.String() == name.String() {
			return s, nil
		}
	}
	names := make([]string, 0, len(trace.States()))
	for _, s := range trace.States() {
		names = append(names, s.String())
	}
	if name.Len() > 0 {
		return 0, p.fail(t.pos, "unknown state `%s`: the states are %s", clip(name.String()), strings.Join(names, ", "))
	}
	return 0, p.expected("a state: " + strings.Join(names, ", "))
}

// itemNames lists the items of control information.
func itemNames() string {
	names := make([]string, trace.NumItems)
	for i := range names {
		names[i] = trace.Item(i).String()
	}
	return strings.Join(names, ", ")
}
