package main

import (
	"bytes"
	"fmt"
	"slices"

	"connectlab/trace"
	"connectlab/trace/diff"
	"connectlab/trace/view"
)

// diffVersion is that of the description in JSON.md.
const diffVersion = 1

// A comparison is what diff prints with --format json, see JSON.md.
type comparison struct {
	Version     int              `json:"version"`
	A           comparedRun      `json:"a"`
	B           comparedRun      `json:"b"`
	Headers     []difference     `json:"headers"`
	Normalized  []string         `json:"normalized"`
	Raw         []string         `json:"raw"`
	Ignored     []string         `json:"ignored"`
	NotCompared []omission       `json:"not_compared"`
	Moves       int              `json:"moves"`
	First       *divergence      `json:"first"`
	FirstBroken *divergence      `json:"first_broken"`
	Rest        []divergentGroup `json:"rest"`
	Apart       *apart           `json:"apart"`
	Bounded     bool             `json:"bounded"`
}

type comparedRun struct {
	Story  string   `json:"story"`
	Seed   uint64   `json:"seed"`
	Stacks []string `json:"stacks"`
}

type difference struct {
	Aspect string `json:"aspect"`
	Field  string `json:"field"`
	A      string `json:"a"`
	B      string `json:"b"`
}

type omission struct {
	Aspect string `json:"aspect"`
	Host   string `json:"host"`
	Why    string `json:"why"`
}

type divergence struct {
	A           place        `json:"a"`
	B           place        `json:"b"`
	State       string       `json:"state"`
	Differences []difference `json:"differences"`
	Ruling      *ruling      `json:"ruling"`
	Consequence bool         `json:"consequence"`
}

type place struct {
	Event  int    `json:"event"`
	Root   int    `json:"root"`
	Host   string `json:"host"`
	Socket int    `json:"socket"`
	AtNS   int64  `json:"at_ns"`
}

type ruling struct {
	Rule        string `json:"rule"`
	Text        string `json:"text"`
	Section     string `json:"section"`
	Requirement string `json:"requirement"`
	A           string `json:"a"`
	B           string `json:"b"`
	EventA      int    `json:"event_a"`
	EventB      int    `json:"event_b"`
}

type divergentGroup struct {
	Aspect       string      `json:"aspect"`
	Rule         string      `json:"rule"`
	State        string      `json:"state"`
	Count        int         `json:"count"`
	Consequences int         `json:"consequences"`
	First        *divergence `json:"first"`
}

type apart struct {
	A place `json:"a"`
	B place `json:"b"`
}

// diffJSON prints a comparison for programs.
func (p *program) diffJSON(b *bytes.Buffer, traces [2]*trace.Trace, r *diff.Result) error {
	return encode(b, p.comparisonOf(traces, r))
}

func (p *program) comparisonOf(traces [2]*trace.Trace, r *diff.Result) *comparison {
	j := &comparison{
		Version: diffVersion, A: comparedRunOf(traces[0]), B: comparedRunOf(traces[1]), Headers: differencesOf(r.Headers),
		Normalized: wordList(r.Normalized), Raw: []string{}, Ignored: wordList(r.Ignored), NotCompared: []omission{}, Moves: r.Moves,
		First: p.divergenceOf(r.First), FirstBroken: p.divergenceOf(r.FirstBroken), Rest: []divergentGroup{}, Bounded: r.Bounded,
	}
	for _, n := range diff.Normalizations() {
		if !slices.Contains(r.Normalized, n) {
			j.Raw = append(j.Raw, n.String())
		}
	}
	for _, o := range r.NotCompared {
		j.NotCompared = append(j.NotCompared, omission{Aspect: o.Aspect.String(), Host: o.Host, Why: o.Why})
	}
	for i := range r.Rest {
		g := &r.Rest[i]
		j.Rest = append(j.Rest, divergentGroup{
			Aspect: g.Aspect.String(), Rule: g.Rule, State: stateWord(g.State), Count: g.N, Consequences: g.Consequences, First: p.divergenceOf(g.First),
		})
	}
	if r.Apart != nil {
		j.Apart = &apart{A: placeOf(r.Apart.A), B: placeOf(r.Apart.B)}
	}
	return j
}

func comparedRunOf(t *trace.Trace) comparedRun {
	run := comparedRun{Story: t.Header.Story.Name, Seed: t.Header.Seed, Stacks: []string{}}
	for _, h := range t.Header.Hosts {
		run.Stacks = append(run.Stacks, h.Stack)
	}
	return run
}

func (p *program) divergenceOf(d *diff.Divergence) *divergence {
	if d == nil {
		return nil
	}
	return &divergence{
		A: placeOf(d.A), B: placeOf(d.B), State: stateWord(d.State), Differences: differencesOf(d.Differences), Ruling: p.rulingOf(&d.Ruling),
		Consequence: d.Consequence,
	}
}

func (p *program) rulingOf(r *diff.Ruling) *ruling {
	if r.Rule == "" {
		return nil
	}
	j := &ruling{
		Rule: r.Rule, Section: r.Section, Requirement: r.Requirement, A: r.A.String(), B: r.B.String(), EventA: r.EventA, EventB: r.EventB,
	}
	if view.Has(r.Rule) {
		j.Text = p.text(r.Rule)
	}
	return j
}

func placeOf(at diff.Place) place {
	return place{Event: at.Event, Root: at.Root, Host: at.Host, Socket: at.Socket, AtNS: at.At.Nanoseconds()}
}

func differencesOf(list []diff.Difference) []difference {
	all := []difference{}
	for _, d := range list {
		all = append(all, difference{Aspect: d.Aspect.String(), Field: d.Field, A: d.A, B: d.B})
	}
	return all
}

// wordList are the names of some values, never nil: JSON's null is no list.
func wordList[T fmt.Stringer](list []T) []string {
	words := []string{}
	for _, v := range list {
		words = append(words, v.String())
	}
	return words
}

// stateWord is a state's name; empty for one that was not observed.
func stateWord(s trace.State) string {
	if s == trace.NotObserved {
		return ""
	}
	return s.String()
}
