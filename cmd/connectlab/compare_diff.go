package main

import (
	"fmt"
	"io"

	"connectlab/trace"
	"connectlab/trace/diff"
	"connectlab/trace/rfc9293"
	"connectlab/trace/view"
)

// printDivergences prints where each cell parts first from those that it is held against: before all of them how they were compared, and of
// those that part in what another has shown already only that they do.
func (r *comparedRuns) printDivergences(w io.Writer, o view.Options) error {
	var results []*diff.Result
	err := r.eachDivergence(func(_ *diff.Grid, _, _, _ int, pair [2]*trace.Trace) error {
		results = append(results, diff.Compare(pair[0], pair[1], diff.Options{}))
		return nil
	})
	if err != nil || len(results) == 0 {
		return err
	}
	fmt.Fprint(w, "\n\n")
	if err := heading(w, '━', r.text("cmd.heading.compare-diffs"), o); err != nil {
		return err
	}
	if err := view.Basis(w, results, o); err != nil {
		return err
	}
	shown := map[parting]string{} // by the title under which it is told
	at := 0
	return r.eachDivergence(func(g *diff.Grid, client, server, with int, pair [2]*trace.Trace) error {
		result := results[at]
		at++
		fmt.Fprint(w, "\n\n")
		title := r.text("cmd.heading.compare-diff", oneLine(g.Story), g.Stacks[client], g.Stacks[server], g.Stacks[with])
		if err := heading(w, '━', title, o); err != nil {
			return err
		}
		fmt.Fprintln(w)
		key := partingOf(g.Story, result)
		if first, ok := shown[key]; ok && result.First != nil {
			return view.Paragraph(w, 0, r.text("cmd.compare.as", first), o)
		}
		shown[key] = title
		return view.DivergenceAlone(w, pair[0], pair[1], result, o)
	})
}

// A parting is by what one knows whether two comparisons of a story part in the same: where they do first, and where a rule is broken first.
type parting struct{ story, first, broken string }

// partingOf is that of a comparison. Which of the two runs is A does not matter.
func partingOf(story string, r *diff.Result) parting {
	first, broken := partingText(r.First, false), partingText(r.FirstBroken, false)
	back, backBroken := partingText(r.First, true), partingText(r.FirstBroken, true)
	if back < first || back == first && backBroken < broken {
		first, broken = back, backBroken
	}
	return parting{story, first, broken}
}

// partingText tells a divergence by the move, what differs and who keeps which rule; empty: there is none. Numbers of events are left out:
// they count what happened before on the other host too.
func partingText(d *diff.Divergence, mirrored bool) string {
	if d == nil {
		return ""
	}
	places, keeping := [2]diff.Place{d.A, d.B}, [2]rfc9293.Keeping{d.Ruling.A, d.Ruling.B}
	if mirrored {
		places[0], places[1] = places[1], places[0]
		keeping[0], keeping[1] = keeping[1], keeping[0]
	}
	text := fmt.Sprint(d.State, d.Consequence, d.Ruling.Rule, keeping)
	for _, p := range places {
		text += fmt.Sprint("\n", p.Event != 0, p.Host, p.Socket, p.At)
	}
	for _, difference := range d.Differences {
		a, b := difference.A, difference.B
		if mirrored {
			a, b = b, a
		}
		text += fmt.Sprintf("\n%v %s %q %q", difference.Aspect, difference.Field, a, b)
	}
	return text
}
