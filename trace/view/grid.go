package view

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectlab/trace"
	"connectlab/trace/diff"
)

// Grids prints a block for each story: a line for each pair of stacks, client first, with what connect() returned, the octets that
// arrived, the segments and the time that it took, and in what the pair is unlike each of its stacks with itself. Below stands
// what the programs got otherwise. The only errors are w's.
func Grids(w io.Writer, grids []*diff.Grid, o Options) error {
	c := newCanvas(w, &o)
	all := make([][]gridRow, len(grids))
	for i, g := range grids {
		all[i] = o.gridRows(g)
	}
	head := gridRow{pair: o.text("grid.head.pair")}
	for i, key := range gridColumns {
		head.facts[i] = o.text(key)
	}
	width := o.gridWidths(append([][]gridRow{{head}}, all...))
	l := o.gridLayout(width, nil)
	l.row(c, &head, bold)
	for i, g := range grids {
		l := o.gridLayout(width, all[i])
		c.flush()
		verdict, st := o.gridVerdict(g)
		x := c.put(0, clean(g.Story), bold)
		x = c.put(x, " · ", dim)
		c.row(column{x: x, width: max(len(c.cells)-x, 1), text: verdict, style: st}, column{text: "", width: 1})
		for j := range all[i] {
			l.row(c, &all[i][j], all[i][j].style)
		}
		for _, text := range o.gridDifferences(g) {
			c.paragraph(gridIndent+2, text, yellow)
		}
	}
	if len(grids) > 1 {
		c.flush()
		for _, text := range o.gridSummary(grids) {
			c.paragraph(0, text, plain)
		}
	}
	c.flush()
	c.paragraph(0, o.text("grid.legend"), dim)
	return c.end()
}

const gridIndent = 2

// gridColumns are the heads of a row's facts.
var gridColumns = [...]string{"grid.head.connect", "grid.head.octets", "grid.head.segments", "grid.head.time"}

// A gridRow is what a line says of a pair, or of all of them.
type gridRow struct {
	pair  string
	facts [len(gridColumns)]string
	rest  string // what else there is to say
	style style
}

// gridRows are the lines of a story. Where all pairs have the same to say, it is one.
func (o *Options) gridRows(g *diff.Grid) []gridRow {
	var rows []gridRow
	if v := judgeGrid(g); v.ran == 0 && !v.failed {
		cannot := o.text("grid.cannot", GridLacks(g, o.Language))
		return []gridRow{{pair: o.text("grid.all-pairs", len(g.Stacks)*len(g.Stacks)), rest: cannot, style: dim}}
	}
	for i := range g.Cells {
		for j := range g.Cells[i] {
			r := o.gridRow(g, &g.Cells[i][j])
			r.pair = o.pair(g, i, j)
			rows = append(rows, r)
		}
	}
	same := func(r gridRow) bool {
		r.pair = rows[0].pair
		return r == rows[0]
	}
	if len(rows) > 1 && !slices.ContainsFunc(rows, func(r gridRow) bool { return !same(r) }) {
		rows[0].pair = o.text("grid.all-pairs", len(rows))
		return rows[:1]
	}
	return rows
}

// pair names the stacks of a cell.
func (o *Options) pair(g *diff.Grid, client, server int) string {
	return o.text("grid.pair", clean(g.Stacks[client]), clean(g.Stacks[server]))
}

func (o *Options) gridRow(g *diff.Grid, c *diff.Cell) gridRow {
	r := gridRow{style: plain}
	if len(c.Lacks) > 0 {
		r.rest, r.style = o.text("grid.cannot", o.lackList(g, c.Lacks)), dim
		return r
	}
	if c.Error != "" {
		r.rest, r.style = o.text("grid.error", clean(c.Error)), red
		return r
	}
	out := &c.Outcome
	r.facts = [...]string{o.gridConnect(out), o.gridOctets(out), gridSegments(out), gridSeconds(out.At)}
	var rest []string
	if n := len(c.Failures); n > 0 {
		rest, r.style = append(rest, o.count("grid.failures", int64(n))), red
	}
	if out.Reason != trace.Finished && !(out.Reason == trace.Idle && out.Blocked > 0) {
		rest = append(rest, o.text(keyed("grid.end.", out.Reason.String())))
	}
	if out.Blocked > 0 {
		rest = append(rest, o.count("grid.blocked", int64(out.Blocked)))
	}
	for i := range out.Hosts {
		h := &out.Hosts[i]
		if len(h.Errors) > 0 {
			rest = append(rest, clean(h.Host+" "+diff.Counted(h.Errors)))
		}
		if wrong := o.wrongPackets(h); wrong != nil {
			rest = append(rest, clean(h.Host)+" "+strings.Join(wrong, ", "))
			if r.style == plain {
				r.style = yellow
			}
		}
		if states := openStates(out, h.Host); states != "" {
			rest = append(rest, clean(h.Host)+" "+states)
		}
	}
	for i := range c.Differs {
		d := &c.Differs[i]
		words := o.gridFields(slices.Concat(d.Got, d.Went))
		if len(d.Got) > 0 && r.style == plain {
			r.style = yellow
		}
		rest = append(rest, o.text("grid.unlike", clean(d.With), strings.Join(words, ", ")))
	}
	r.rest = strings.Join(rest, "; ")
	return r
}

// wrongPackets are the packets of a host that no stack should send, counted by what is wrong; nil: there are none.
func (o *Options) wrongPackets(h *diff.HostOutcome) []string {
	var texts []string
	for _, wrong := range []struct {
		key string
		n   int
	}{{"grid.malformed", h.Malformed}, {"grid.checksum", h.BadChecksum}, {"grid.too-long", h.TooLong}} {
		if wrong.n > 0 {
			texts = append(texts, o.count(wrong.key, int64(wrong.n)))
		}
	}
	return texts
}

// lackList is what stacks cannot do: each need with the stacks that lack it, and as which host where a grid's story asks it of one alone.
func (o *Options) lackList(g *diff.Grid, lacks []diff.Lack) string {
	var needs, parts []string
	stacks := map[string][]string{}
	for _, l := range lacks {
		if stacks[l.Need] == nil {
			needs = append(needs, l.Need)
		}
		if !slices.Contains(stacks[l.Need], l.Stack) {
			stacks[l.Need] = append(stacks[l.Need], clean(l.Stack))
		}
	}
	for _, need := range needs {
		text := clean(need)
		if key := keyed("grid.need.", need); Has(key) {
			text = o.text(key)
		}
		key := "grid.lack"
		if host := askedOf(g, need); host != "" {
			key = keyed("grid.lack-", host)
		}
		parts = append(parts, o.text(key, text, strings.Join(stacks[need], ", ")))
	}
	return strings.Join(parts, ", ")
}

// askedOf is the only host of which a grid's story asks something; empty: of both. Of a stack that cannot do what is asked of both
// the grid has pairs in which it is either.
func askedOf(g *diff.Grid, need string) string {
	host := ""
	for _, l := range allLacks(g) {
		if l.Need == need {
			if host != "" && l.Host != host {
				return ""
			}
			host = l.Host
		}
	}
	return host
}

// allLacks are the lacks of all pairs.
func allLacks(g *diff.Grid) []diff.Lack {
	var lacks []diff.Lack
	for _, row := range g.Cells {
		for i := range row {
			lacks = append(lacks, row[i].Lacks...)
		}
	}
	return lacks
}

// GridLacks says what no pair of a grid can do, in a language: "ECN (gvisor)".
func GridLacks(g *diff.Grid, l Language) string {
	return (&Options{Language: l}).lackList(g, allLacks(g))
}

// gridConnect is what connect() returned, and how long it took: of several the longest, marked where they are not alike.
func (o *Options) gridConnect(out *diff.Outcome) string {
	var results []string
	var shortest, longest time.Duration
	came := false
	for i := range out.Connects {
		c := &out.Connects[i]
		switch {
		case !c.Returned:
			results = append(results, o.text("grid.blocked-connect"))
			continue
		default:
			results = append(results, clean(c.String()))
		}
		if !came {
			shortest = c.After
		}
		came, shortest, longest = true, min(shortest, c.After), max(longest, c.After)
	}
	text := diff.Counted(results)
	switch {
	case came && shortest < longest:
		text += ", ≤ " + o.span(longest)
	case came:
		text += ", " + o.span(longest)
	}
	return text
}

// gridOctets are the octets that the programs of the server and of the client received.
func (o *Options) gridOctets(out *diff.Outcome) string {
	var texts []string
	var wrong, unchecked bool
	for _, h := range slices.Backward(out.Hosts) {
		texts = append(texts, strconv.FormatInt(h.Received, 10))
		wrong = wrong || h.Wrong
		unchecked = unchecked || h.Checked < h.Received
	}
	text := strings.Join(texts, "+")
	if wrong {
		text += " " + o.text("grid.wrong")
	} else if unchecked {
		text += " " + o.text("grid.unchecked")
	}
	return text
}

func gridSegments(out *diff.Outcome) string {
	var texts []string
	for _, h := range out.Hosts {
		texts = append(texts, strconv.Itoa(h.Segments))
	}
	return strings.Join(texts, "+")
}

// gridSeconds is a time in seconds, to the last digit that is not 0.
func gridSeconds(d time.Duration) string {
	text := fmt.Sprintf("%d.%09d", d/time.Second, d%time.Second)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// openStates are the states in which a run left the sockets of a host that had a peer and are not closed; empty: there is none.
func openStates(out *diff.Outcome, host string) string {
	var states []string
	for _, e := range out.Ends {
		if e.Host == host && e.State != trace.Closed && e.State != trace.NotObserved {
			states = append(states, e.State.String())
		}
	}
	if states == nil {
		return ""
	}
	return diff.Counted(states)
}

// gridFields names what is different, each once.
func (o *Options) gridFields(differences []diff.Difference) []string {
	var words []string
	for _, d := range differences {
		if word := o.gridField(&d); !slices.Contains(words, word) {
			words = append(words, word)
		}
	}
	return words
}

// gridField is the word for what differs of two outcomes.
func (o *Options) gridField(d *diff.Difference) string {
	if d.Aspect == diff.Time {
		return o.text("grid.field.time")
	}
	if key := "grid.field." + d.Field; Has(key) {
		return o.text(key)
	}
	return clean(d.Field)
}

// gridDifferences says for each cell what its programs got otherwise than those of the pairs on the diagonal.
func (o *Options) gridDifferences(g *diff.Grid) []string {
	var texts []string
	for i := range g.Cells {
		for j := range g.Cells[i] {
			for _, d := range g.Cells[i][j].Differs {
				var parts []string
				for k := range d.Got {
					parts = append(parts, o.gridDifference(&d.Got[k]))
				}
				if with := slices.Index(g.Stacks, d.With); parts != nil && with >= 0 {
					texts = append(texts, o.text("grid.differs", o.pair(g, i, j), o.pair(g, with, with), strings.Join(parts, "; ")))
				}
			}
		}
	}
	return texts
}

func (o *Options) gridDifference(d *diff.Difference) string {
	value := func(text string) string { return o.gridValue(d.Field, text) }
	hostA, a, ofA := strings.Cut(d.A, ": ")
	hostB, b, ofB := strings.Cut(d.B, ": ")
	if !ofA || !ofB || hostA != hostB {
		return o.text("grid.difference", o.gridField(d), value(d.A), value(d.B))
	}
	return o.text("grid.difference-of", o.gridField(d), clean(hostA), value(a), value(b))
}

// gridValue is what one side of a difference has.
func (o *Options) gridValue(field, text string) string {
	switch {
	case text == "-":
		return o.text("grid.nothing")
	case field == "octets-wrong" && text == "true":
		return o.text("value.yes")
	case field == "octets-wrong":
		return o.text("value.no")
	case field == "reason" && Has(keyed("grid.end.", text)):
		return o.text(keyed("grid.end.", text))
	case field == "connect":
		text = strings.ReplaceAll(text, "blocked", o.text("grid.blocked-connect"))
	}
	return clean(text)
}

// gridVerdict says what a story's grid comes to.
func (o *Options) gridVerdict(g *diff.Grid) (string, style) {
	switch v := judgeGrid(g); {
	case v.failed:
		return o.text("grid.verdict.failed"), red
	case v.ran == 0:
		return o.text("grid.verdict.none"), dim
	case v.alone():
		return o.text("grid.verdict.alone"), dim
	case v.differs:
		return o.text("grid.verdict.differs"), yellow
	case v.lacks:
		return o.text("grid.verdict.same-of-some"), green
	}
	return o.text("grid.verdict.same"), green
}

// A gridJudgement counts the cells of a grid.
type gridJudgement struct {
	ran                    int
	lacks, failed, differs bool
}

// alone reports whether a single pair of several can do the story: nothing can be said of others then.
func (v *gridJudgement) alone() bool { return v.ran == 1 && v.lacks && !v.failed }

func judgeGrid(g *diff.Grid) (v gridJudgement) {
	for _, row := range g.Cells {
		for i := range row {
			c := &row[i]
			v.lacks = v.lacks || len(c.Lacks) > 0
			v.failed = v.failed || c.Error != "" || len(c.Failures) > 0
			if len(c.Lacks) == 0 && c.Error == "" {
				v.ran++
			}
			for _, d := range c.Differs {
				v.differs = v.differs || len(d.Got) > 0
			}
		}
	}
	return v
}

// gridSummary counts stories by what came of them.
func (o *Options) gridSummary(grids []*diff.Grid) []string {
	var differ, failed, none, alone []string
	same := 0
	for _, g := range grids {
		name := clean(g.Story)
		v := judgeGrid(g)
		if v.failed {
			failed = append(failed, name)
		}
		switch {
		case v.ran == 0 && !v.failed:
			none = append(none, name)
		case v.alone():
			alone = append(alone, name)
		case v.differs:
			differ = append(differ, name)
		default:
			same++
		}
	}
	texts := []string{o.text("grid.sum.same", len(grids), same)}
	for _, list := range []struct {
		key   string
		names []string
	}{{"grid.sum.differs", differ}, {"grid.sum.failed", failed}, {"grid.sum.alone", alone}, {"grid.sum.none", none}} {
		if list.names != nil {
			texts = append(texts, o.text(list.key, len(list.names), strings.Join(list.names, ", ")))
		}
	}
	return texts
}

// A gridWidth is how wide the columns of all rows are.
type gridWidth struct {
	above bool // the names of the pairs are too long to stand beside their facts
	pair  int
	facts [len(gridColumns)]int
}

// gridWidest is how wide each column is at most where there is no room for all, but in a story that has more to put there.
var gridWidest = [len(gridColumns)]int{10, 9, 8, 8}

func (w *gridWidth) add(rows []gridRow) {
	for i := range rows {
		w.pair = max(w.pair, width(rows[i].pair))
		for j, text := range rows[i].facts {
			w.facts[j] = max(w.facts[j], width(text))
		}
	}
}

// begin is where the facts of rows begin.
func (w *gridWidth) begin() int {
	if w.above {
		return gridIndent + 2
	}
	return gridIndent + w.pair + gridGap
}

// end is where they end.
func (w *gridWidth) end() int {
	end := w.begin() - gridGap
	for _, n := range w.facts {
		end += n + gridGap
	}
	return end
}

// narrowed is w with each column as wide as it is at most.
func (w gridWidth) narrowed() gridWidth {
	for i := range w.facts {
		w.facts[i] = min(w.facts[i], gridWidest[i])
	}
	return w
}

// gridWidths are those with which all rows line up, as far as there is room: what the last columns have too much is left out first, since
// it moves the fewest others.
func (o *Options) gridWidths(all [][]gridRow) gridWidth {
	var w gridWidth
	for _, rows := range all {
		w.add(rows)
	}
	narrowed := w.narrowed()
	w.above = narrowed.end() > o.columns()
	over := w.end() - o.columns()
	for i, n := range slices.Backward(w.facts[:]) {
		w.facts[i] = max(n-max(over, 0), narrowed.facts[i])
		over -= n - w.facts[i]
	}
	return w
}

// A gridLayout is where the columns of a story's rows stand.
type gridLayout struct {
	above bool // the names of a pair are too long to stand beside its facts
	below bool // the facts are too long to stand beside each other
	facts [len(gridColumns)]int
	rest  int
}

const (
	gridGap     = 2
	gridMinRest = 30 // cells for the rest; with fewer it stands below
)

// gridLayout is that of some rows among all. Those that find no room in the columns of all have their own.
func (o *Options) gridLayout(all gridWidth, rows []gridRow) gridLayout {
	w := all
	if w.add(rows); w.end() > o.columns() {
		w = all.narrowed()
		w.add(rows)
		w.above = w.above || w.end() > o.columns()
	}
	l := gridLayout{above: w.above, below: w.end() > o.columns()}
	x := w.begin()
	for i, n := range w.facts {
		l.facts[i] = x
		x += n + gridGap
	}
	l.rest = x
	return l
}

// row writes a line, and what does not fit into it below.
func (l *gridLayout) row(c *canvas, r *gridRow, st style) {
	empty := r.facts == [len(gridColumns)]string{}
	if l.above {
		c.paragraph(gridIndent, r.pair, st)
	} else {
		c.put(gridIndent, r.pair, st)
	}
	if l.below && !empty {
		c.paragraph(l.facts[0], strings.Join(r.facts[:], ";  "), st)
		if r.rest != "" {
			c.paragraph(gridIndent+2, r.rest, st)
		}
		return
	}
	for i, text := range r.facts {
		c.put(l.facts[i], text, st)
	}
	rest := l.rest
	if empty {
		rest = l.facts[0]
	}
	switch room := len(c.cells) - rest; {
	case r.rest == "":
		if !l.above || !empty {
			c.flush()
		}
	case room >= gridMinRest || width(r.rest) <= room:
		for i, line := range wrap(r.rest, room) {
			if i > 0 {
				c.flush()
			}
			c.put(rest, line, st)
		}
		c.flush()
	default:
		c.flush()
		c.paragraph(gridIndent+2, r.rest, st)
	}
}

// GridsMarkdown prints the same as one table in Markdown.
func GridsMarkdown(w io.Writer, grids []*diff.Grid, o Options) error {
	var b strings.Builder
	cells := func(texts ...string) {
		for _, text := range texts {
			b.WriteString("| " + markdown(text) + " ")
		}
		b.WriteString("|\n")
	}
	head := []string{o.text("grid.head.story"), o.text("grid.head.pair")}
	for _, key := range gridColumns {
		head = append(head, o.text(key))
	}
	cells(append(head, o.text("grid.head.rest"))...)
	b.WriteString(strings.Repeat("|---", len(head)+1) + "|\n")
	for _, g := range grids {
		for _, r := range o.gridRows(g) {
			cells(append(append([]string{clean(g.Story), r.pair}, r.facts[:]...), r.rest)...)
		}
	}
	begin := "\n"
	for _, g := range grids {
		for _, text := range o.gridDifferences(g) {
			fmt.Fprintf(&b, "%s- %s: %s\n", begin, markdown(clean(g.Story)), markdown(text))
			begin = ""
		}
	}
	if len(grids) > 1 {
		for _, text := range o.gridSummary(grids) {
			fmt.Fprintf(&b, "\n%s\n", markdown(text))
		}
	}
	fmt.Fprintf(&b, "\n%s\n", markdown(o.text("grid.legend")))
	_, err := io.WriteString(w, b.String())
	return err
}
