package main

import (
	"bytes"

	"connectlab/trace"
	"connectlab/trace/diff"
)

// compareVersion is that of the description in JSON.md.
const compareVersion = 1

// A comparedGrid and what it holds is what compare prints with --format json, see JSON.md.
type comparedGrids struct {
	Version int             `json:"version"`
	Stacks  []string        `json:"stacks"`
	Seed    uint64          `json:"seed"`
	Stories []comparedStory `json:"stories"`
}

type comparedStory struct {
	Name  string         `json:"name"`
	Pairs []comparedPair `json:"pairs"`
}

type comparedPair struct {
	Client    string            `json:"client"`
	Server    string            `json:"server"`
	Lacks     []comparedLack    `json:"lacks"`
	Error     string            `json:"error"`
	Connects  []comparedConnect `json:"connects"`
	Hosts     []comparedHost    `json:"hosts"`
	Ends      []comparedEnd     `json:"ends"`
	Returned  int64             `json:"returned_at_ns"`
	End       string            `json:"end"`
	EndAt     int64             `json:"end_at_ns"`
	Blocked   int               `json:"blocked"`
	AsWritten bool              `json:"as_written"`
	Failures  []string          `json:"failures"`
	Differs   []comparedWith    `json:"differs"`
}

type comparedLack struct {
	Host  string `json:"host"`
	Stack string `json:"stack"`
	Need  string `json:"need"`
}

type comparedConnect struct {
	Host     string `json:"host"`
	Program  string `json:"program"`
	Event    int    `json:"event"`
	Returned bool   `json:"returned"`
	Result   int64  `json:"result"`
	Errno    string `json:"errno"`
	After    int64  `json:"after_ns"`
}

type comparedHost struct {
	Host     string   `json:"host"`
	Sent     int64    `json:"sent_octets"`
	Received int64    `json:"received_octets"`
	Checked  int64    `json:"checked_octets"`
	Wrong    bool     `json:"wrong"`
	Errors   []string `json:"errors"`
	Segments int      `json:"segments"`
	Again    int      `json:"segments_again"`
	comparedWrong
}

// A comparedWrong counts the packets of a host that no stack should send.
type comparedWrong struct {
	Malformed   int `json:"malformed"`
	BadChecksum int `json:"bad_checksum"`
	TooLong     int `json:"too_long"`
}

type comparedEnd struct {
	Host   string `json:"host"`
	Socket int    `json:"socket"`
	State  string `json:"state"`
}

type comparedWith struct {
	With string       `json:"with"`
	Got  []difference `json:"got"`
	Went []difference `json:"went"`
	// Diff is there with --diff.
	Diff *comparison `json:"diff,omitempty"`
}

// printJSON prints the table for programs.
func (r *comparedRuns) printJSON(b *bytes.Buffer) error {
	all := comparedGrids{Version: compareVersion, Stacks: r.stackNames(), Seed: r.base.Seed, Stories: []comparedStory{}}
	for _, g := range r.grids {
		story := comparedStory{Name: g.Story, Pairs: []comparedPair{}}
		for client, row := range g.Cells {
			for server := range row {
				pair := comparedPairOf(&row[server])
				pair.Client, pair.Server = g.Stacks[client], g.Stacks[server]
				story.Pairs = append(story.Pairs, pair)
			}
		}
		all.Stories = append(all.Stories, story)
	}
	story, at := map[*diff.Grid]int{}, 0
	for i, g := range r.grids {
		story[g] = i
	}
	err := r.eachDivergence(func(g *diff.Grid, client, server, with int, pair [2]*trace.Trace) error {
		differs := all.Stories[story[g]].Pairs[client*len(g.Stacks)+server].Differs
		for at = range differs {
			if differs[at].With == g.Stacks[with] {
				differs[at].Diff = r.comparisonOf(pair, diff.Compare(pair[0], pair[1], diff.Options{}))
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return encode(b, all)
}

func comparedPairOf(c *diff.Cell) comparedPair {
	p := comparedPair{
		Lacks: []comparedLack{}, Error: c.Error, Connects: []comparedConnect{}, Hosts: []comparedHost{}, Ends: []comparedEnd{},
		Returned: c.Outcome.Returned.Nanoseconds(), EndAt: c.Outcome.At.Nanoseconds(), Blocked: c.Outcome.Blocked, AsWritten: c.AsWritten,
		Failures: append([]string{}, c.Failures...), Differs: []comparedWith{},
	}
	for _, l := range c.Lacks {
		p.Lacks = append(p.Lacks, comparedLack(l))
	}
	if len(c.Lacks) == 0 {
		p.End = c.Outcome.Reason.String()
	}
	for _, o := range c.Outcome.Connects {
		p.Connects = append(p.Connects, comparedConnect{o.Host, o.Program, o.Event, o.Returned, o.Result, o.Errno, o.After.Nanoseconds()})
	}
	for _, h := range c.Outcome.Hosts {
		p.Hosts = append(p.Hosts, comparedHost{
			h.Host, h.Sent, h.Received, h.Checked, h.Wrong, append([]string{}, h.Errors...), h.Segments, h.Again,
			comparedWrong{h.Malformed, h.BadChecksum, h.TooLong},
		})
	}
	for _, e := range c.Outcome.Ends {
		p.Ends = append(p.Ends, comparedEnd{e.Host, e.Socket, stateWord(e.State)})
	}
	for _, d := range c.Differs {
		p.Differs = append(p.Differs, comparedWith{With: d.With, Got: differencesOf(d.Got), Went: differencesOf(d.Went)})
	}
	return p
}
