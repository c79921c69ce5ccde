package main

import (
	"strings"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
)

// stacks are the stacks that can be chosen, the default first.
var stacks = []struct {
	name    string
	factory netns.Factory
}{
	{"gvisor", &gvisor.Factory{}},
}

func (p *program) stack(flag, name string) (netns.Factory, error) {
	var names []string
	for _, s := range stacks {
		if s.name == name {
			return s.factory, nil
		}
		names = append(names, s.name)
	}
	return nil, p.fail("cmd.unknown-stack", flag, name, strings.Join(names, ", "))
}
