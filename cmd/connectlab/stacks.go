package main

import (
	"slices"
	"strings"

	"connectlab/adapters/gvisor"
	"connectlab/adapters/handwritten"
	"connectlab/netns"
)

// A namedStack is a stack that can be chosen.
type namedStack struct {
	name    string
	factory netns.Factory
}

// stacks are the stacks that can be chosen, the default first.
var stacks = []namedStack{
	{"gvisor", &gvisor.Factory{}},
	{"handwritten", &handwritten.Factory{}},
}

type handwrittenOption struct {
	name  string
	about string // the key of what it is called
	set   func(*handwritten.Factory)
}

// handwrittenOptions are what can stand behind "handwritten", each once and in this order: each is an option of TCP that it then asks for.
var handwrittenOptions = []handwrittenOption{
	{"+ws", "cmd.feature.ws", func(f *handwritten.Factory) { f.WindowScale = true }},
	{"+ts", "cmd.feature.ts", func(f *handwritten.Factory) { f.Timestamps = true }},
	{"+sack", "cmd.feature.sack", func(f *handwritten.Factory) { f.SACKPermitted = true }},
}

func (p *program) stack(flag, name string) (netns.Factory, error) {
	var names []string
	for _, s := range slices.Concat(stacks, p.stacks) {
		if s.name == name {
			return s.factory, nil
		}
		if names = append(names, s.name); s.name == "handwritten" {
			names[len(names)-1] += "[+ws][+ts][+sack]"
		}
	}
	if rest, ok := strings.CutPrefix(name, "handwritten"); ok {
		f := &handwritten.Factory{}
		for _, o := range handwrittenOptions {
			if after, ok := strings.CutPrefix(rest, o.name); ok {
				rest = after
				o.set(f)
			}
		}
		if rest == "" {
			return f, nil
		}
		if meant := inOrder(name); meant != "" {
			return nil, p.fail("cmd.stack-order", flag, name, meant)
		}
	}
	return nil, p.fail("cmd.unknown-stack", flag, name, strings.Join(names, ", "))
}

// inOrder is a name of "handwritten" with each of its options once and in their order; empty: there is another word behind it.
func inOrder(name string) string {
	words := strings.Split(name, "+")
	ordered := words[0]
	for _, o := range handwrittenOptions {
		if slices.Contains(words, o.name[1:]) {
			ordered += o.name
		}
	}
	for _, word := range words[1:] {
		if !slices.ContainsFunc(handwrittenOptions, func(o handwrittenOption) bool { return o.name[1:] == word }) {
			return ""
		}
	}
	if words[0] != "handwritten" {
		return ""
	}
	return ordered
}
