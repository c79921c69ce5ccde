// Package compare runs a story with each of several stacks as client and as server, and holds what came of it against
// what came of each stack with itself.
//
//	grid, err := compare.Run(story, netns.Config{Seed: 1}, []netns.Factory{&gvisor.Factory{}, mine})
//	…
//	for _, d := range grid.Cells[0][1].Differs {
//		fmt.Println(d.With, d.Got, d.Went)
//	}
//
// # Reading a grid
//
// Cells[0][1] is the run in which the first stack is the client and the second the server. It is held against both runs in which
// one of the two stacks talks to itself. Where the programs got something else (what connect() returned, octets, errors, states at
// the end), at least one of the two stacks does what the other does not expect. Where only time or segments differ, the pair
// took another way to the same end: that is no fault by itself.
//
// # Limits
//
// A run is one seed. A stack that panics ends the program.
package compare

import (
	"errors"
	"fmt"

	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/diff"
)

// Run runs a story with each of stacks as client and each as server: base with the story's options, see script.Story.Config. What base
// says of the two stacks, and where a record goes, is not heeded. No trace is kept.
//
// A pair that cannot do the story, or a stack that breaks, is a cell of the grid and no error. The error is that of stacks that
// cannot be told apart, or of a base that suits no stack; there is no grid then.
func Run(story *script.Story, base netns.Config, stacks []netns.Factory) (*diff.Grid, error) {
	base.OmitData = true
	return runAll(story, base, stacks, false)
}

// RunKeeping is Run, and each cell that was run has its trace, with as much in it as base says.
func RunKeeping(story *script.Story, base netns.Config, stacks []netns.Factory) (*diff.Grid, error) {
	return runAll(story, base, stacks, true)
}

func runAll(story *script.Story, base netns.Config, stacks []netns.Factory, keep bool) (*diff.Grid, error) {
	if story == nil {
		return nil, errors.New("compare: no story to run: it is nil")
	}
	g := &diff.Grid{Story: story.Name}
	if len(stacks) == 0 {
		return nil, errors.New("compare: no stack to run the story on")
	}
	seen := map[string]bool{}
	for i, s := range stacks {
		if s == nil {
			return nil, fmt.Errorf("compare: stack %d of %d is nil: it has to be a Factory", i+1, len(stacks))
		}
		name := s.Info().Name
		if seen[name] {
			return nil, fmt.Errorf("compare: the stack %s twice", name)
		}
		seen[name] = true
		g.Stacks = append(g.Stacks, name)
	}
	base.Writer = nil
	for _, client := range stacks {
		row := make([]diff.Cell, len(stacks))
		for i, server := range stacks {
			base.Client, base.Server = client, server
			if err := run(&row[i], story, base); err != nil {
				return nil, err
			}
			if !keep {
				row[i].Trace = nil
			}
		}
		g.Cells = append(g.Cells, row)
	}
	g.Compare()
	return g, nil
}

// run fills a cell. The error is one of base, whatever the stacks.
func run(c *diff.Cell, story *script.Story, base netns.Config) error {
	cfg := story.Config(base)
	lack := (*netns.LackError)(nil)
	if err := cfg.Check(); err != nil && !errors.As(err, &lack) {
		return err
	}
	for _, h := range []struct {
		name  string
		stack netns.Factory
	}{{netns.Client, cfg.Client}, {netns.Server, cfg.Server}} {
		for _, need := range cfg.Lacks(h.name, h.stack) {
			c.Lacks = append(c.Lacks, diff.Lack{Host: h.name, Stack: h.stack.Info().Name, Need: need})
		}
	}
	if c.Lacks != nil {
		return nil
	}
	r, err := script.Run(story, base)
	if err != nil {
		c.Error = err.Error()
	}
	if r == nil {
		return nil
	}
	if c.AsWritten = r.AsWritten; r.Trace != nil {
		if err != nil && r.Trace.End.Reason != trace.TooManySteps {
			r.Trace.End.Reason = trace.BrokenOff
		}
		c.Trace, c.Outcome = r.Trace, diff.OutcomeOf(r.Trace)
	}
	for i, h := range r.Received {
		if i < len(c.Outcome.Hosts) {
			c.Outcome.Hosts[i].Checked, c.Outcome.Hosts[i].Wrong = h.Checked, h.Wrong
		}
	}
	for _, f := range r.Failures {
		if err != nil {
			break // what was not reached is no wonder
		}
		c.Failures = append(c.Failures, f.String())
	}
	return nil
}
