package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"connectlab/netns"
	"connectlab/netns/compare"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/diff"
	"connectlab/trace/view"

	"github.com/urfave/cli/v2"
)

func (p *program) compareCommand() *cli.Command {
	return p.command(cli.Command{
		Name: "compare", Usage: p.text("cmd.compare.about"), ArgsUsage: "[STORY…]", Description: p.text("cmd.compare.args"),
		Flags: slices.Concat(
			[]cli.Flag{&cli.StringFlag{Name: "stacks", Value: strings.Join(p.baseStacks(), ","), Usage: p.text("cmd.flag.compare-stacks"), Category: worldGroup}},
			p.linkFlags(),
			[]cli.Flag{
				&cli.BoolFlag{Name: "diff", Usage: p.text("cmd.flag.compare-diff"), Category: viewGroup},
				p.columnsFlag(), p.formatFlag(p.text("cmd.flag.format-book")),
			}),
		Action: p.compare,
	})
}

// baseStacks are the stacks that can be chosen, without those that are another with something asked for.
func (p *program) baseStacks() []string {
	var names []string
	for _, s := range slices.Concat(stacks, p.stacks) {
		if !strings.Contains(s.name, "+") {
			names = append(names, s.name)
		}
	}
	return names
}

// compare runs stories with each of several stacks as client and as server. That they differ is what somebody wanted to know, and no
// failure; that a story's expectation does not hold is one.
func (p *program) compare(c *cli.Context) error {
	w, err := p.linkWorld(c)
	if err != nil {
		return err
	}
	format, err := p.format(c, "cmd.want.format-book", "text", "json", "markdown")
	if err != nil {
		return err
	}
	if c.Bool("diff") && format == "markdown" {
		return p.fail("cmd.compare.diff-format")
	}
	options, err := p.options(c)
	if err != nil {
		return err
	}
	factories, err := p.comparedStacks(c)
	if err != nil {
		return err
	}
	named := c.Args().Slice()
	jobs, err := p.comparedJobs(named, &w)
	if err != nil {
		return err
	}
	r := comparedRuns{program: p, base: w.config, stacks: factories, keep: c.Bool("diff"), watch: p.watch()}
	defer r.watch.done()
	for i := range jobs {
		if err := r.run(&jobs[i], len(named) > 0); err != nil {
			return err
		}
	}
	if len(r.grids) == 0 {
		return r.left[0]
	}
	r.watch.done()
	p.sayLeft(r.left)
	r.nameStories()
	var b bytes.Buffer
	switch format {
	case "json":
		err = r.printJSON(&b)
	case "markdown":
		err = view.GridsMarkdown(&b, r.grids, options)
	default:
		err = r.print(&b, options)
	}
	if err != nil {
		return err
	}
	r.watch.done()
	if _, err := p.stdout.Write(b.Bytes()); err != nil {
		return err
	}
	return r.judge(c)
}

// comparedStacks reads --stacks.
func (p *program) comparedStacks(c *cli.Context) ([]netns.Factory, error) {
	var names []string
	var factories []netns.Factory
	for name := range strings.SplitSeq(c.String("stacks"), ",") {
		name = strings.TrimSpace(name)
		factory, err := p.stack("stacks", name)
		if err != nil {
			return nil, err
		}
		// Two names can be of one stack.
		if name = factory.Info().Name; slices.Contains(names, name) {
			return nil, p.fail("cmd.compare.twice", name)
		}
		names, factories = append(names, name), append(factories, factory)
	}
	if len(names) < 2 {
		return nil, p.fail("cmd.compare.one", names[0])
	}
	return factories, nil
}

// comparedJobs finds the stories with these names, or all that are built in.
func (p *program) comparedJobs(names []string, w *world) (jobs []job, err error) {
	if len(names) == 0 {
		for _, name := range script.Names() {
			j, err := builtinJob(name, w)
			if err != nil {
				return nil, err
			}
			jobs = append(jobs, j)
		}
		return jobs, nil
	}
	for _, name := range names {
		j, err := p.namedJob(name, w)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// comparedRuns are the stories of one call of compare.
type comparedRuns struct {
	*program
	base   netns.Config
	stacks []netns.Factory
	keep   bool // the traces of cells that differ, and those on the diagonal
	watch  *watch
	jobs   []*job // those that were run
	grids  []*diff.Grid
	left   []error // why stories were left out
}

// run runs a story. One that cannot be in a world as the user wants it, or that no pair can do, is an error only if the user has named it.
func (r *comparedRuns) run(j *job, named bool) error {
	cfg := r.base
	cfg.Progress = func(now time.Duration, steps int) {
		r.watch.tick("cmd.progress.run", j.story.Name, now.Truncate(time.Millisecond), steps)
	}
	run := compare.Run
	if r.keep {
		run = compare.RunKeeping
	}
	g, err := run(j.story, cfg, r.stacks)
	switch {
	case err != nil && named:
		return fmt.Errorf("%s: %w", j.name, err)
	case err != nil:
		r.left = append(r.left, fmt.Errorf("%s: %w", j.name, err))
		return nil
	case named && allLack(g):
		return r.fail("cmd.compare.nobody", j.name, view.GridLacks(g, r.lang))
	}
	if r.keep {
		dropAlike(g)
	}
	r.jobs, r.grids = append(r.jobs, j), append(r.grids, g)
	return nil
}

// nameStories calls each story as run does; those of one name are told apart by how the user gave them.
func (r *comparedRuns) nameStories() {
	times := map[string]int{}
	for _, g := range r.grids {
		times[g.Story]++
	}
	for i, g := range r.grids {
		if times[g.Story] > 1 {
			g.Story = r.jobs[i].name
		}
	}
}

// allLack reports whether no pair of stacks can do a story.
func allLack(g *diff.Grid) bool {
	for _, row := range g.Cells {
		for i := range row {
			if len(row[i].Lacks) == 0 {
				return false
			}
		}
	}
	return true
}

// dropAlike throws away the traces that nobody is going to compare.
func dropAlike(g *diff.Grid) {
	needed := map[string]bool{}
	for _, row := range g.Cells {
		for i := range row {
			for _, d := range row[i].Differs {
				needed[d.With] = true
			}
		}
	}
	for client, row := range g.Cells {
		for server := range row {
			if len(row[server].Differs) == 0 && !(client == server && needed[g.Stacks[client]]) {
				row[server].Trace = nil
			}
		}
	}
}

// print prints the table, and with --diff where each cell parts first from those that it is held against.
func (r *comparedRuns) print(w io.Writer, o view.Options) error {
	if err := heading(w, '━', r.text("cmd.heading.compare", strings.Join(r.stackNames(), ", "), r.base.Seed), o); err != nil {
		return err
	}
	fmt.Fprintln(w)
	if err := view.Grids(w, r.grids, o); err != nil {
		return err
	}
	return r.printDivergences(w, o)
}

// eachDivergence calls f for each pair of kept traces that are held against each other: that of a cell, and that of a stack with itself.
func (r *comparedRuns) eachDivergence(f func(g *diff.Grid, client, server, with int, pair [2]*trace.Trace) error) error {
	for _, g := range r.grids {
		for client, row := range g.Cells {
			for server := range row {
				for _, d := range row[server].Differs {
					with := slices.Index(g.Stacks, d.With)
					pair := [2]*trace.Trace{row[server].Trace, g.Cells[with][with].Trace}
					if pair[0] == nil || pair[1] == nil {
						continue
					}
					r.watch.tick("cmd.progress.diff")
					if err := f(g, client, server, with, pair); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func (r *comparedRuns) stackNames() []string {
	var names []string
	for _, s := range r.stacks {
		names = append(names, s.Info().Name)
	}
	return names
}

// judge tells on stderr what did not go as the stories expect.
func (r *comparedRuns) judge(c *cli.Context) error {
	var err error
	asWritten := true
	for i, g := range r.grids {
		name := r.jobs[i].path
		if name == "" {
			name = r.jobs[i].name + script.Extension
		}
		for client, row := range g.Cells {
			for server := range row {
				cell := &row[server]
				where := r.text("cmd.compare.of", name, g.Stacks[client], g.Stacks[server])
				if cell.Error != "" {
					err = errFailed
					r.say(r.text("cmd.compare.error", where, cell.Error))
				}
				for n, f := range cell.Failures {
					err = errFailed
					if n == maxFailures {
						r.say(r.text("cmd.failures-more", where, len(cell.Failures)-n))
						break
					}
					r.say(r.text("cmd.compare.failure", where, f))
				}
				asWritten = asWritten && (cell.AsWritten || len(cell.Lacks) > 0 || cell.Error != "")
			}
		}
	}
	if !asWritten {
		r.sayNotAsWritten(c)
	}
	return err
}
