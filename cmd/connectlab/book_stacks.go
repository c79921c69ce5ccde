package main

import (
	"bytes"
	"errors"
	"fmt"

	"connectlab/trace"
	"connectlab/trace/book"
	"connectlab/trace/view"

	"github.com/urfave/cli/v2"
)

// makers is the statement that speaks of stacks of several makers: it is judged on pairs of two of them.
var makers = book.StatementOf("B21")

// A stackBook is what is judged on one stack.
type stackBook struct {
	name    string
	world   world // both hosts run the stack
	jobs    []job
	joiner  book.Joiner
	pairs   book.Joiner     // of the stack as a client and each other as a server
	items   view.ItemColumn // of the pair of the first stack as a client with this one, or, of the first, with the second
	machine machine
}

// columnStacks reads --stacks: the stacks that book judges side by side; nil: it was not given.
func (p *program) columnStacks(c *cli.Context, w *world) ([]*stackBook, error) {
	if !c.IsSet("stacks") {
		return nil, nil
	}
	for _, flag := range []string{"client", "server"} {
		if c.IsSet(flag) {
			return nil, p.fail("cmd.book.stacks-or", flag)
		}
	}
	factories, err := p.comparedStacks(c)
	if err != nil {
		return nil, err
	}
	var all []*stackBook
	for _, f := range factories {
		s := &stackBook{name: f.Info().Name, world: *w, machine: machine{covered: map[string]bool{}}}
		s.world.config.Client, s.world.config.Server = f, f
		all = append(all, s)
	}
	return all, nil
}

// bookStacks judges the statements on several stacks, each with itself, and prints a column a stack.
func (p *program) bookStacks(c *cli.Context, stacks []*stackBook, names []string, f bookFormat) error {
	if c.Bool("ladder") {
		return p.ladderStacks(c, stacks, names, f)
	}
	var left []error
	for _, s := range stacks {
		lacks, err := p.findJobs(s, names)
		if err != nil {
			return err
		}
		left = append(left, lacks...)
	}
	p.sayLeft(left)
	var jobs []job
	for _, s := range stacks {
		for i := range s.jobs {
			j := &s.jobs[i]
			t, err := p.record(j, s.world.config, false)
			if err != nil {
				return err
			}
			j.on = s.name
			s.machine.add(j.name, t)
			s.joiner.Add(judged(j.name, t))
		}
		jobs = append(jobs, s.jobs...)
	}
	pairs, err := p.bookPairs(stacks)
	if err != nil {
		return err
	}
	if err := p.printColumns(stacks, f); err != nil {
		return err
	}
	if f.format == "text" && f.statement == nil {
		for i, s := range stacks {
			if i == 0 {
				fmt.Fprintln(p.stdout)
			}
			if err := p.printMachine(s.name+": ", &s.machine, f.options); err != nil {
				return err
			}
		}
		fmt.Fprintln(p.stdout)
		if err := view.Paragraph(p.stdout, 0, p.text("cmd.book.items"), f.options); err != nil {
			return err
		}
	}
	return p.judge(c, append(jobs, pairs...))
}

// findJobs finds the stories of a stack: those that were named, or all, without those that it cannot do, for the reason that lacks has.
// That it can do none is an error.
func (p *program) findJobs(s *stackBook, names []string) (lacks []error, err error) {
	if len(names) == 0 {
		s.jobs, lacks, err = p.allStories(&s.world)
		return lacks, err
	}
	for _, name := range names {
		j, err := p.namedJob(name, &s.world)
		if err != nil {
			return nil, err
		}
		cfg := j.story.Config(s.world.config)
		switch err := p.runnable(&j, s.world.config); {
		case err == nil:
			s.jobs = append(s.jobs, j)
		case cfg.Capable() == nil: // no stack could
			return nil, err
		default:
			lacks = append(lacks, err)
		}
	}
	if len(s.jobs) == 0 {
		return nil, lacks[0]
	}
	return lacks, nil
}

// bookPairs judges, for what is said of several makers, the plain story on each pair of two stacks.
func (p *program) bookPairs(stacks []*stackBook) (jobs []job, err error) {
	for i, client := range stacks {
		for k, server := range stacks {
			if client == server {
				continue
			}
			w := client.world
			w.config.Server = server.world.config.Server
			j, err := builtinJob("plain", &w)
			if err != nil {
				return nil, err
			}
			j.on = client.name + ", " + server.name
			t, err := p.record(&j, w.config, false)
			if err != nil {
				return nil, err
			}
			run := judged(j.name, t)
			client.pairs.Add(run)
			if ends := bothEnds(&run.Run); i == 0 {
				if server.items = ends[1]; k == 1 {
					client.items = ends[0]
				}
			}
			jobs = append(jobs, j)
		}
	}
	return jobs, nil
}

// bothEnds are what the two stacks of a run hold, the client's first; nil: it is of one stack alone.
func bothEnds(run *book.Run) []view.ItemColumn {
	if run.Client == run.Server {
		return nil
	}
	var columns []view.ItemColumn
	for i, stack := range []string{run.Client, run.Server} {
		items := &book.Items{}
		items.Add(run.Trace, run.Trace.Header.Hosts[i].Name)
		columns = append(columns, view.ItemColumn{Stack: stack, Run: *run, Items: items})
	}
	return columns
}

// results are the stack's: of its pairs with itself, but for what is said of several makers.
func (s *stackBook) results() []book.Result {
	results := s.joiner.Results()
	for i, r := range s.pairs.Results() {
		if r.Statement == makers {
			results[i] = r
		}
	}
	return results
}

func (p *program) printColumns(stacks []*stackBook, f bookFormat) error {
	var columns []view.BookColumn
	var items []view.ItemColumn
	for _, s := range stacks {
		columns = append(columns, view.BookColumn{Stack: s.name, Results: only(s.results(), f.statement)})
		items = append(items, s.items)
	}
	var b bytes.Buffer
	var err error
	switch {
	case f.format == "json":
		err = p.columnsJSON(&b, columns, items)
	case f.format == "markdown":
		err = view.BookColumnsMarkdown(&b, columns, f.options)
	case f.statement == nil:
		err = view.BookColumns(&b, columns, f.options)
	default:
		err = view.StatementOnStacks(&b, columns, f.options)
		if err == nil && f.statement == makers {
			b.WriteByte('\n')
			err = view.ItemColumns(&b, items, f.options)
		}
	}
	if err == nil {
		_, err = p.stdout.Write(b.Bytes())
	}
	return err
}

// ladderStacks prints the book's connect beside those of each stack.
func (p *program) ladderStacks(c *cli.Context, stacks []*stackBook, names []string, f bookFormat) (failed error) {
	if f.format == "json" {
		return p.fail("cmd.book.stacks-ladder-json")
	}
	for i, s := range stacks {
		if i > 0 {
			fmt.Fprint(p.stdout, "\n\n")
		}
		switch err := p.bookLadder(c, &s.world, names, f); {
		case errors.Is(err, errFailed):
			failed = err
		case err != nil:
			return err
		}
	}
	return failed
}

// A comparedStatement is what book --stacks prints of a statement with --format json, see JSON.md.
type comparedStatement struct {
	Statement string         `json:"statement"`
	Scope     string         `json:"scope"`
	Differs   bool           `json:"differs"`
	Stacks    []stackVerdict `json:"stacks"`
	Items     []comparedItem `json:"items,omitempty"`
}

type stackVerdict struct {
	Stack   string `json:"stack"`
	Verdict string `json:"verdict"`
	foundIn
	Also []alsoFound `json:"also,omitempty"`
	More int         `json:"more,omitempty"`
}

// A comparedItem is what stacks hold of an item of control information.
type comparedItem struct {
	Item   string     `json:"item"`
	Shared string     `json:"shared"`
	Stacks []heldItem `json:"stacks"`
}

type heldItem struct {
	Stack     string    `json:"stack"`
	Connected heldValue `json:"connected"`
	Made      heldValue `json:"made"`
}

type heldValue struct {
	Held  string `json:"held"`
	Value string `json:"value"`
	// Elsewhere: another socket held it than that of a connection.
	Elsewhere bool `json:"elsewhere,omitempty"`
}

func (p *program) columnsJSON(b *bytes.Buffer, columns []view.BookColumn, items []view.ItemColumn) error {
	list := []comparedStatement{}
	for i := range columns[0].Results {
		s := columns[0].Results[i].Statement
		row := comparedStatement{Statement: s.ID, Scope: s.Scope.String(), Differs: view.Differs(columns, i)}
		for j := range columns {
			of := p.judgedStatement(&columns[j].Results[i])
			row.Stacks = append(row.Stacks, stackVerdict{columns[j].Stack, of.Verdict, of.foundIn, of.Also, of.More})
		}
		if s == makers {
			row.Items = p.itemsJSON(items)
		}
		list = append(list, row)
	}
	return encode(b, list)
}

// itemsJSON are the items of columns; nil of none.
func (p *program) itemsJSON(columns []view.ItemColumn) []comparedItem {
	if len(columns) == 0 {
		return nil
	}
	var list []comparedItem
	for _, r := range view.ItemRows(columns, p.lang) {
		item := comparedItem{Item: r.Name, Shared: r.Sharing.String()}
		for j, v := range r.Values {
			held := heldItem{Stack: columns[j].Stack, Connected: heldAs(v, r.Texts[j]), Made: heldAs(trace.Value{}, "")}
			held.Connected.Elsewhere = r.Elsewhere[j]
			if r.Made != nil {
				held.Made = heldAs(r.Made[j], r.MadeTexts[j])
			}
			item.Stacks = append(item.Stacks, held)
		}
		list = append(list, item)
	}
	return list
}

// heldAs is a value as JSON has it.
func heldAs(v trace.Value, text string) heldValue {
	switch v.Kind {
	case trace.None:
		return heldValue{Held: "none"}
	case trace.NotObservable:
		return heldValue{Held: "not-observable"}
	case trace.Number, trace.Text, trace.Unlimited:
	}
	return heldValue{Held: "held", Value: text}
}
