package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/book"
	"connectlab/trace/rfc9293"
	"connectlab/trace/view"

	"github.com/urfave/cli/v2"
)

func (p *program) bookCommand() *cli.Command {
	return p.command(cli.Command{
		Name: "book", Usage: p.text("cmd.book.about"), ArgsUsage: "[STORY…]", Description: p.text("cmd.book.args"),
		Flags: slices.Concat(p.worldFlags(),
			[]cli.Flag{&cli.StringFlag{Name: "stacks", Usage: p.text("cmd.flag.book-stacks"), Category: worldGroup}},
			p.bookFlags(&cli.BoolFlag{Name: "ladder", Usage: p.text("cmd.flag.book-ladder"), Category: viewGroup})),
		Action: p.book,
	})
}

// bookFlags say what is printed of verdicts, with flags of the verb's own.
func (p *program) bookFlags(own ...cli.Flag) []cli.Flag {
	return append(append([]cli.Flag{&cli.StringFlag{Name: "statement", Usage: p.text("cmd.flag.statement"), Category: viewGroup}}, own...),
		p.columnsFlag(), p.formatFlag(p.text("cmd.flag.format-book")))
}

// runOf names the run of a trace, which it keeps.
func runOf(name string, t *trace.Trace) book.Run {
	run := book.Run{Name: name, Trace: t}
	if hosts := t.Header.Hosts; len(hosts) == 2 {
		run.Client, run.Server = hosts[0].Stack, hosts[1].Stack
	}
	return run
}

// book runs stories and judges the book's statements on their traces.
func (p *program) book(c *cli.Context) error {
	w, err := p.world(c)
	if err != nil {
		return err
	}
	f, err := p.bookFormat(c)
	if err != nil {
		return err
	}
	names := c.Args().Slice()
	if stacks, err := p.columnStacks(c, &w); err != nil {
		return err
	} else if stacks != nil {
		return p.bookStacks(c, stacks, names, f)
	}
	if c.Bool("ladder") {
		return p.bookLadder(c, &w, names, f)
	}
	jobs, err := p.jobs(names, &w)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		var left []error
		if jobs, left, err = p.allStories(&w); err != nil {
			return err
		}
		p.sayLeft(left)
	}
	var all book.Joiner
	machine := machine{covered: map[string]bool{}}
	tells := f.format == "text" && f.statement == nil // of the machine
	for i := range jobs {
		t, err := p.record(&jobs[i], w.config, false)
		if err != nil {
			return err
		}
		if tells {
			machine.add(jobs[i].name, t)
		}
		all.Add(judged(jobs[i].name, t))
	}
	results := all.Results()
	var items []view.ItemColumn // of two stacks, where the statement about several makers is explained
	if f.statement == makers {
		items = bothEnds(&only(results, makers)[0].Of[0].Run)
	}
	if err := p.printResults(results, items, f); err != nil {
		return err
	}
	if tells {
		fmt.Fprintln(p.stdout)
		if err := p.printMachine("", &machine, f.options); err != nil {
			return err
		}
	}
	return p.judge(c, jobs)
}

// allStories are the built-in stories that the stacks can do. One that cannot be in a world as the user wants it is left out, for
// the reason that left has; that all are is an error.
func (p *program) allStories(w *world) (jobs []job, left []error, err error) {
	for _, name := range script.NamesFor(w.config.Client, w.config.Server) {
		j, err := builtinJob(name, w)
		if err != nil {
			return nil, nil, err
		}
		if err := p.runnable(&j, w.config); err != nil {
			left = append(left, err)
			continue
		}
		jobs = append(jobs, j)
	}
	if len(jobs) == 0 {
		return nil, nil, left[0]
	}
	return jobs, left, nil
}

// sayLeft tells which stories were left out. What several stacks have as a reason is told once.
func (p *program) sayLeft(left []error) {
	told := map[string]bool{}
	for _, err := range left {
		if text := err.Error(); !told[text] {
			told[text] = true
			p.say(p.text("cmd.left-out", text))
		}
	}
}

// A machine is what RFC 9293's state machine has to say of some traces.
type machine struct {
	changes int             // of state
	strange []string        // those that are no path
	covered map[string]bool // edges, by their ids
}

func (m *machine) add(name string, t *trace.Trace) {
	for i := range t.Events {
		if _, ok := t.Events[i].Detail.(*trace.StateChange); ok {
			m.changes++
		}
	}
	for _, e := range rfc9293.Paths(t) {
		m.strange = append(m.strange, name+": "+e.Error())
	}
	for _, c := range rfc9293.Covered(t) {
		m.covered[c.Edge.ID] = true
	}
}

// printMachine tells of a machine, behind the name of a stack where there are several.
func (p *program) printMachine(name string, m *machine, o view.Options) error {
	texts := []string{name + p.text("cmd.machine", m.changes, len(m.covered), len(rfc9293.Edges()), len(m.strange))}
	for _, text := range append(texts, m.strange...) {
		if err := view.Paragraph(p.stdout, 0, text, o); err != nil {
			return err
		}
	}
	return nil
}

// bookLadder prints the book's connect beside those of stories.
func (p *program) bookLadder(c *cli.Context, w *world, names []string, f bookFormat) error {
	if f.statement != nil {
		return p.fail("cmd.ladder-statement")
	}
	if f.format == "markdown" {
		return p.badFlag(c, "format", p.text("cmd.want.format-ladder"))
	}
	if len(names) == 0 {
		names = []string{"plain"}
	}
	if f.format == "json" && len(names) > 1 {
		return p.fail("cmd.ladder-json-one", len(names))
	}
	jobs, err := p.jobs(names, w)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	for i := range jobs {
		t, err := p.record(&jobs[i], w.config, false)
		if err != nil {
			return err
		}
		steps := book.Ladder(t)
		if f.format == "json" {
			err = p.ladderJSON(&b, steps)
		} else {
			if i > 0 {
				fmt.Fprint(&b, "\n\n")
			}
			if err = p.title(&b, &t.Header, f.options); err == nil {
				b.WriteByte('\n')
				err = view.BookLadder(&b, t, steps, f.options)
			}
		}
		if err != nil {
			return err
		}
	}
	if _, err := p.stdout.Write(b.Bytes()); err != nil {
		return err
	}
	return p.judge(c, jobs)
}

// A ladderStep is what book --ladder prints of a step with --format json, see JSON.md.
type ladderStep struct {
	Statements []string `json:"statements"`
	Match      string   `json:"match"`
	Text       string   `json:"text"`
	Events     []int    `json:"events"`
	Seen       string   `json:"seen"`
}

func (p *program) ladderJSON(b *bytes.Buffer, steps []book.Step) error {
	list := []ladderStep{}
	for _, s := range steps {
		step := ladderStep{
			Statements: []string{}, Match: s.Match.String(), Text: view.Say(p.lang, s.Text), Events: []int{}, Seen: view.Say(p.lang, s.Seen),
		}
		step.Statements, step.Events = append(step.Statements, s.Statements...), append(step.Events, s.Events...)
		list = append(list, step)
	}
	return encode(b, list)
}

// encode writes a value as JSON for people and programs.
func encode(b *bytes.Buffer, v any) error {
	e := json.NewEncoder(b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// bookFormat is how verdicts are printed.
type bookFormat struct {
	format    string // text, json or markdown
	statement *book.Statement
	options   view.Options
}

func (p *program) bookFormat(c *cli.Context) (f bookFormat, err error) {
	switch f.format = c.String("format"); f.format {
	case "text", "json", "markdown":
	default:
		return f, p.badFlag(c, "format", p.text("cmd.want.format-book"))
	}
	if c.IsSet("statement") {
		if f.statement = book.StatementOf(strings.ToUpper(c.String("statement"))); f.statement == nil {
			return f, p.badFlag(c, "statement", p.text("cmd.want.statement"))
		}
		if f.format == "markdown" {
			return f, p.fail("cmd.statement-format")
		}
	}
	f.options, err = p.options(c)
	return f, err
}

// only are the results of one statement; nil: of all.
func only(results []book.Result, s *book.Statement) []book.Result {
	for i := range results {
		if results[i].Statement == s {
			return results[i : i+1]
		}
	}
	return results
}

// printResults prints verdicts, and, behind the statement that speaks of them, the items of two makers.
func (p *program) printResults(results []book.Result, items []view.ItemColumn, f bookFormat) error {
	results = only(results, f.statement)
	var b bytes.Buffer
	var err error
	switch {
	case f.format == "json":
		err = p.resultsJSON(&b, results, items)
	case f.format == "markdown":
		err = view.BookMarkdown(&b, results, f.options)
	case f.statement != nil:
		if err = view.Statement(&b, &results[0], f.options); err == nil && items != nil {
			b.WriteByte('\n')
			err = view.ItemColumns(&b, items, f.options)
		}
	default:
		err = view.Book(&b, results, f.options)
	}
	if err == nil {
		_, err = p.stdout.Write(b.Bytes())
	}
	return err
}

// A judgedStatement is what book and judge print of a statement with --format json, see JSON.md.
type judgedStatement struct {
	Statement string `json:"statement"`
	Verdict   string `json:"verdict"`
	Scope     string `json:"scope"`
	foundIn
	// Also are the other findings that the verdict rests on.
	Also []alsoFound `json:"also,omitempty"`
	More int         `json:"more,omitempty"`
	// Items are those of the two stacks.
	Items []comparedItem `json:"items,omitempty"`
}

// foundIn is what one run says.
type foundIn struct {
	Story    string `json:"story"`
	Client   string `json:"client"`
	Server   string `json:"server"`
	Evidence []int  `json:"evidence"`
	Expected string `json:"expected"`
	Observed string `json:"observed"`
}

type alsoFound struct {
	Verdict string `json:"verdict"`
	foundIn
}

func (p *program) resultsJSON(b *bytes.Buffer, results []book.Result, items []view.ItemColumn) error {
	list := []judgedStatement{}
	for i := range results {
		s := p.judgedStatement(&results[i])
		if results[i].Statement == makers {
			s.Items = p.itemsJSON(items)
		}
		list = append(list, s)
	}
	return encode(b, list)
}

// judgedStatement is a result as JSON has it.
func (p *program) judgedStatement(r *book.Result) judgedStatement {
	found := func(of *book.Of) foundIn {
		f := foundIn{
			Story: of.Run.Name, Client: of.Run.Client, Server: of.Run.Server, Evidence: of.Numbers(),
			Expected: view.Say(p.lang, of.Expected), Observed: view.Say(p.lang, of.Observed),
		}
		if f.Evidence == nil {
			f.Evidence = []int{}
		}
		return f
	}
	s := judgedStatement{
		Statement: r.Statement.ID, Verdict: r.Verdict.String(), Scope: r.Statement.Scope.String(), foundIn: found(&r.Of[0]), More: r.More,
	}
	for j := range r.Of[1:] {
		of := &r.Of[j+1]
		s.Also = append(s.Also, alsoFound{of.Verdict.String(), found(of)})
	}
	return s
}
