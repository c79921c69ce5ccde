package view

import (
	"slices"
	"strings"

	"connectlab/trace"
	"connectlab/trace/diff"
)

const (
	besideBefore = 3 // steps in front of the one at which two runs part
	besideAfter  = 4 // steps behind it
	besideGap    = 3 // cells between two panes
)

// A parting is where two runs part, in the steps of both panes.
type parting struct {
	event [2]int // 0: it did not happen
	step  [2]int // that of the event, or in which it would have been; where there is none, the one that comes then
	there [2]bool
}

// parting finds the steps of a divergence.
func (v *divergence) parting(d *diff.Divergence) (at parting) {
	places := [2]diff.Place{d.A, d.B}
	for s, p := range v.panes {
		switch here, there := places[s], places[1-s]; {
		case here.Event != 0:
			at.event[s], at.step[s] = here.Event, p.stepOf(here.Event)
		case here.Root != 0:
			at.step[s] = p.stepOf(here.Root)
		default:
			at.step[s] = p.stepAt(there.At)
			continue
		}
		at.there[s] = at.step[s] < len(p.steps)
	}
	return at
}

// beside draws two panes around the place where their runs part: the steps that are alike in one row, the parting marked.
// Where the columns are too few one stands below the other.
func (v *divergence) beside(d *diff.Divergence) {
	at := v.parting(d)
	columns := len(v.c.cells)
	half := (columns - besideGap) / 2
	stacked := half < max(v.panes[0].least(), v.panes[1].least())
	rows := pairSteps(v.panes, at)
	for s, p := range v.panes {
		if stacked {
			p.place(0, columns)
		} else {
			p.place(s*(half+besideGap), half)
		}
	}
	if stacked {
		for s := range v.panes {
			if s > 0 {
				v.c.flush()
			}
			v.title(s)
			v.c.flush()
			for _, l := range v.panes[s].head(v.panes[s].follow(rows.first(s))) {
				v.line(s, &l)
			}
			for i := range rows {
				for _, l := range v.cell(s, d, at, rows[i]) {
					v.line(s, &l)
				}
			}
		}
		return
	}
	var heads [2][]paneLine
	for s, p := range v.panes {
		v.title(s)
		heads[s] = p.head(p.follow(rows.first(s)))
	}
	v.c.flush()
	v.row(heads)
	for _, r := range rows {
		v.row([2][]paneLine{v.cell(0, d, at, r), v.cell(1, d, at, r)})
	}
}

// title puts a side's letter and its run's stacks on the line in work.
func (v *divergence) title(s int) {
	p := v.panes[s]
	x := v.c.put(p.x, sideNames[s], bold)
	text := v.stacks(s)
	if width(text) <= p.x+p.width-x-2 {
		v.c.put(x+2, text, dim)
	}
}

// line draws one line of one pane.
func (v *divergence) line(s int, l *paneLine) {
	v.panes[s].draw(v.c, l)
	v.c.flush()
}

// row draws lines of both panes beside each other, and a sign between them where they part. The hosts' lines go as far down as the
// longer one does.
func (v *divergence) row(lines [2][]paneLine) {
	signAt := -1
	for _, of := range lines {
		if i := slices.IndexFunc(of, func(l paneLine) bool { return l.marked }); i >= 0 && (signAt < 0 || i < signAt) {
			signAt = i
		}
	}
	for i := range max(len(lines[0]), len(lines[1])) {
		for s, p := range v.panes {
			l := &paneLine{}
			if i < len(lines[s]) {
				l = &lines[s][i]
			}
			p.draw(v.c, l)
		}
		if i == signAt {
			v.c.put(v.panes[1].x-besideGap+1, "≠", red)
		}
		v.c.flush()
	}
}

// cell is what one pane shows in a row.
func (v *divergence) cell(s int, d *diff.Divergence, at parting, r stepPair) []paneLine {
	p := v.panes[s]
	var lines []paneLine
	if r.step[s] >= 0 {
		lines = p.step(p.steps[r.step[s]])
	}
	if !r.parts {
		return lines
	}
	if at.event[s] == 0 {
		missing := token{text: v.o.text("diff.ladder.nothing"), style: red}
		return append(lines, paneLine{marked: true, from: p.side(v.host(d)), text: []token{missing}})
	}
	marked := false
	for i := range lines {
		lines[i].marked = lines[i].event == at.event[s]
		marked = marked || lines[i].marked
	}
	if !marked { // what a ladder does not show, as control information
		time := ""
		if len(lines) == 0 {
			time = p.clock.print([...]diff.Place{d.A, d.B}[s].At)
		}
		for _, text := range flow([]token{{text: v.move(d, s), style: red}}, p.bar[right]-p.bar[left]-3) {
			lines = append(lines, paneLine{marked: true, time: time, from: p.side(v.host(d)), text: text})
			time = ""
		}
	}
	return lines
}

// A stepPair is a row: a step of each pane, -1 where the other has nothing like it.
type stepPair struct {
	step  [2]int
	parts bool
}

type stepPairs []stepPair

// first is the first step that a side shows.
func (r stepPairs) first(s int) int {
	for _, p := range r {
		if p.step[s] >= 0 {
			return p.step[s]
		}
	}
	return 0
}

// pairSteps finds the rows around a parting.
func pairSteps(panes [2]*pane, at parting) stepPairs {
	var before, after [2][]int
	middle := stepPair{parts: true}
	for s, p := range panes {
		for i := max(0, at.step[s]-besideBefore); i < min(at.step[s], len(p.steps)); i++ {
			before[s] = append(before[s], i)
		}
		behind := at.step[s]
		middle.step[s] = -1
		if at.there[s] {
			middle.step[s] = behind
			behind++
		}
		for i := behind; i < min(behind+besideAfter, len(p.steps)); i++ {
			after[s] = append(after[s], i)
		}
	}
	rows := append(alike(panes, before), middle)
	return append(rows, alike(panes, after)...)
}

// alike pairs steps that begin in the same way, in order, as many as there are.
func alike(panes [2]*pane, steps [2][]int) stepPairs {
	a, b := steps[0], steps[1]
	same := func(i, j int) bool { return panes[0].kind(a[i]) == panes[1].kind(b[j]) }
	// The longest common subsequence, by the textbook: there are only a few steps.
	longest := make([][]int, len(a)+1)
	for i := range longest {
		longest[i] = make([]int, len(b)+1)
	}
	for i := range slices.Backward(a) {
		for j := range slices.Backward(b) {
			longest[i][j] = max(longest[i+1][j], longest[i][j+1])
			if same(i, j) {
				longest[i][j] = max(longest[i][j], longest[i+1][j+1]+1)
			}
		}
	}
	var rows stepPairs
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case i < len(a) && j < len(b) && same(i, j) && longest[i][j] == longest[i+1][j+1]+1:
			rows = append(rows, stepPair{step: [2]int{a[i], b[j]}})
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && longest[i+1][j] >= longest[i][j+1]:
			rows = append(rows, stepPair{step: [2]int{a[i], -1}})
			i++
		default:
			rows = append(rows, stepPair{step: [2]int{-1, b[j]}})
			j++
		}
	}
	return rows
}

// kind is by what a step is known in another run: the host and what it began with.
func (p *pane) kind(step int) string {
	e := &p.steps[step][0]
	kind := e.Host + " "
	switch d := e.Detail.(type) {
	case *trace.Call:
		return kind + d.Name
	case *trace.Arrived:
		if d.Packet.Kind == trace.PacketTCP {
			return kind + d.Packet.TCP.Flags.String()
		}
		return kind + d.Packet.Kind.String()
	case *trace.Timer:
		return kind + "timer"
	case *trace.HostChange:
		return kind + d.What.String()
	case *trace.Note:
		return kind + "note " + strings.TrimSpace(d.Text)
	case *trace.Fate:
		return kind + d.Kind.String()
	case *trace.Return, *trace.Sent, *trace.StateChange, *trace.Control:
	}
	return kind
}
