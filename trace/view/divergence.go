package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"connectlab/trace"
	"connectlab/trace/diff"
	"connectlab/trace/rfc9293"
)

// Divergence tells how two runs differ, a and b being what r compares: which two they are, what was made alike before, and
// what was not compared; where they part first, with both ladders around it, what differs there, and which rule is about it; then the
// rest in short. The only errors are w's.
func Divergence(w io.Writer, a, b *trace.Trace, r *diff.Result, o Options) error {
	return divergenceOf(w, a, b, r, o, true)
}

// DivergenceAlone is Divergence without what was made alike and what was not compared: that of several comparisons Basis tells.
func DivergenceAlone(w io.Writer, a, b *trace.Trace, r *diff.Result, o Options) error {
	return divergenceOf(w, a, b, r, o, false)
}

// Basis tells what several comparisons made alike, and what one or the other of them did not compare. The only errors are w's.
func Basis(w io.Writer, results []*diff.Result, o Options) error {
	var all diff.Result
	for _, r := range results {
		all.Normalized = union(all.Normalized, r.Normalized)
		all.Ignored = union(all.Ignored, r.Ignored)
		all.NotCompared = union(all.NotCompared, r.NotCompared)
	}
	v := &divergence{o: &o, c: newCanvas(w, &o), r: &all}
	v.basis()
	return v.c.end()
}

// union is a with what only b has, behind it.
func union[T comparable](a, b []T) []T {
	for _, v := range b {
		if !slices.Contains(a, v) {
			a = append(a, v)
		}
	}
	return a
}

func divergenceOf(w io.Writer, a, b *trace.Trace, r *diff.Result, o Options, basis bool) error {
	v := &divergence{o: &o, c: newCanvas(w, &o), r: r, traces: [2]*trace.Trace{a, b}}
	v.open(r.First)
	v.runs()
	if basis {
		v.basis()
	}
	if r.First == nil {
		v.none()
		return v.c.end()
	}
	v.part("diff.part.first")
	v.show(r.First)
	if d := r.FirstBroken; d != nil && (d.A != r.First.A || d.B != r.First.B) {
		v.part("diff.part.broken")
		v.open(d)
		v.show(d)
	}
	v.rest()
	v.apart()
	v.legend.draw(v.c, &o)
	return v.c.end()
}

// sideNames are how the two runs of a comparison are called.
var sideNames = [2]string{"A", "B"}

// longestValue is how many characters a view shows of a value: the text of a story can be one.
const longestValue = 160

// yesOrNo are the fields that are there or not: 1 or 0.
var yesOrNo = []string{"data", "control", "capture", "real-time", "option-SACK-permitted"}

// counted are the fields whose numbers are counted from others.
var counted = []string{"SEG.SEQ", "SEG.ACK", "option-timestamps", "option-SACK"}

const tableX = 3 // where the rows of a table begin

type divergence struct {
	o      *Options
	c      *canvas
	r      *diff.Result
	traces [2]*trace.Trace
	panes  [2]*pane
	legend legend
}

// open begins with both traces, to show a divergence; nil: none. A pane goes through its trace once.
func (v *divergence) open(d *diff.Divergence) {
	var keep [2]int
	if d != nil {
		keep = [2]int{d.A.Event, d.B.Event}
	}
	for s, t := range v.traces {
		v.panes[s] = newPane(t, v.o, &v.legend, keep[s])
	}
	for s, p := range v.panes { // times stand below each other, and are as long
		other := v.panes[1-s].clock
		p.clock = clock{digits: max(p.clock.digits, other.digits), width: max(p.clock.width, other.width)}
	}
}

// show tells of one divergence: where and what it is, the ladders around it, what differs field by field, and which rule is about it.
func (v *divergence) show(d *diff.Divergence) {
	v.place(d)
	v.c.flush()
	v.beside(d)
	v.fields(d)
	v.ruling(d)
}

// part begins a part of the view, behind an empty line.
func (v *divergence) part(key string) {
	v.c.flush()
	v.c.line(0, v.o.text(key), bold)
}

// stacks are those of a run, the client's first.
func (v *divergence) stacks(s int) string {
	h := &v.traces[s].Header
	if h.Capture {
		return v.o.text("diff.capture")
	}
	var names []string
	for _, host := range h.Hosts {
		name := clean(host.Stack)
		if name == "" {
			name = "?"
		}
		names = append(names, name)
	}
	return strings.Join(names, " → ")
}

// runs says which two runs these are, and what their headers differ in. A capture has nothing of a run's.
func (v *divergence) runs() {
	headers := v.r.Headers
	if v.traces[0].Header.Capture != v.traces[1].Header.Capture {
		headers = nil
	}
	if slices.ContainsFunc(headers, func(d diff.Difference) bool { return d.Field == "story" }) {
		v.c.paragraph(0, v.o.text("diff.other-story"), yellow)
	}
	for s, name := range sideNames {
		h := &v.traces[s].Header
		parts := []string{clean(h.Story.Name), v.stacks(s)}
		if !h.Capture {
			parts = append(parts, v.o.text("diff.seed", h.Seed))
		}
		parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
		v.c.row(column{x: 0, width: 3, text: name, style: bold}, column{x: 3, width: len(v.c.cells) - 3, text: strings.Join(parts, " · "), style: plain})
	}
	if len(headers) > 0 {
		v.table(headers)
	}
}

// table writes what differs, a row a field, with what each side has.
func (v *divergence) table(list []diff.Difference) {
	const x, gap = tableX, 2
	name := 0
	for _, d := range list {
		name = max(name, width(v.field(d.Field)))
	}
	columns := min(len(v.c.cells), maxLadder)
	name = min(name, (columns-x)/3)
	at := x + name + gap
	widest := [2]int{1, 1}
	for _, d := range list {
		widest = [2]int{max(widest[0], width(v.value(&d, d.A))), max(widest[1], width(v.value(&d, d.B)))}
	}
	// What one side does not need is the other's.
	room := columns - at - gap
	first := min(widest[0], max(room-widest[1], room/2))
	second := at + first + gap
	row := func(field, a, b string, st style) {
		v.c.row(column{x: x, width: name, text: field}, column{x: at, width: first, text: a, style: st},
			column{x: second, width: columns - second, text: b, style: st})
	}
	row("", sideNames[0], sideNames[1], bold)
	for _, d := range list {
		row(v.field(d.Field), v.value(&d, d.A), v.value(&d, d.B), plain)
	}
}

func (v *divergence) field(name string) string {
	if key := "diff.field." + name; Has(key) {
		return v.o.text(key)
	}
	return clean(name)
}

// value is what one side has.
func (v *divergence) value(d *diff.Difference, text string) string {
	switch {
	case text == "":
		return "–"
	case slices.Contains(yesOrNo, d.Field):
		return v.o.text(map[bool]string{true: "value.yes", false: "value.no"}[text == "1"])
	}
	text = v.duration(d.Field, clean(text))
	if r := []rune(text); len(r) > longestValue {
		text = string(r[:longestValue]) + " …"
	}
	return text
}

// durations are the fields that are a time.
var durations = []string{"delay", "until", "time", "returned", "ended"}

// duration is what a side has of a field, with a time in it as all views have it: the text itself where none is.
func (v *divergence) duration(field, text string) string {
	before, rest := "", text
	switch {
	case field == "item": // "RTO = 1s (segment, SEG.ACK)"
		name, value, _ := strings.Cut(text, " = ")
		before, rest = name+" = ", value
	case !slices.Contains(durations, field):
		return text
	}
	value, by, brought := strings.Cut(rest, " ")
	t, err := time.ParseDuration(value)
	if err != nil || value == "0" {
		return text
	}
	if brought {
		by = " " + by
	}
	return before + v.o.span(t) + by
}

// basis says what was made alike, what was left out because somebody asked for it, and what could not be compared.
func (v *divergence) basis() {
	row := func(text string) {
		v.c.row(column{x: 2, width: 1, text: "•", style: dim}, column{x: 4, width: len(v.c.cells) - 4, text: text})
	}
	if len(v.r.Normalized) > 0 {
		v.part("diff.part.normalized")
		for _, n := range v.r.Normalized {
			row(v.o.text("diff.normalized." + n.String()))
		}
	}
	var raw []string
	for _, n := range diff.Normalizations() {
		if !slices.Contains(v.r.Normalized, n) {
			raw = append(raw, n.String())
		}
	}
	if len(raw)+len(v.r.Ignored)+len(v.r.NotCompared) == 0 {
		return
	}
	v.part("diff.part.left-out")
	if len(raw) > 0 {
		row(v.o.text("diff.raw", strings.Join(raw, ", ")))
	}
	if len(v.r.Ignored) > 0 {
		row(v.o.text("diff.ignored", v.aspects(v.r.Ignored)))
	}
	for _, text := range v.omissions() {
		row(text)
	}
}

// omissions says what was not compared, a text for each reason.
func (v *divergence) omissions() []string {
	type group struct {
		why     string
		hosts   []string
		aspects []diff.Aspect
	}
	var groups []*group
	for _, om := range v.r.NotCompared {
		i := slices.IndexFunc(groups, func(g *group) bool { return g.why == om.Why })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &group{why: om.Why})
		}
		g := groups[i]
		if !slices.Contains(g.aspects, om.Aspect) {
			g.aspects = append(g.aspects, om.Aspect)
		}
		if om.Host != "" && !slices.Contains(g.hosts, om.Host) {
			g.hosts = append(g.hosts, om.Host)
		}
	}
	var texts []string
	for _, g := range groups {
		what := v.aspects(g.aspects)
		if len(g.hosts) > 0 {
			what += " (" + clean(strings.Join(g.hosts, ", ")) + ")"
		}
		texts = append(texts, v.o.text("diff.omitted", what, v.o.text("diff.omitted."+g.why)))
	}
	return texts
}

func (v *divergence) aspects(list []diff.Aspect) string {
	var names []string
	for _, a := range list {
		names = append(names, v.o.text("diff.aspect."+a.String()))
	}
	return strings.Join(names, ", ")
}

// none says that nothing differs.
func (v *divergence) none() {
	v.c.flush()
	switch {
	case v.nothingLeft():
		v.c.paragraph(0, v.o.text("diff.nothing-left"), yellow)
	case v.r.Moves == 0:
		v.c.paragraph(0, v.o.text("diff.nothing"), yellow)
	case len(v.r.Ignored)+len(v.r.NotCompared) > 0:
		v.c.paragraph(0, v.o.count("diff.none-of-rest", int64(v.r.Moves)), green)
	default:
		v.c.paragraph(0, v.o.count("diff.none", int64(v.r.Moves)), green)
	}
	v.apart()
}

// nothingLeft reports whether all that could have been compared was left out.
func (v *divergence) nothingLeft() bool {
	return !slices.ContainsFunc(diff.Aspects(), func(a diff.Aspect) bool {
		return !slices.Contains(v.r.Ignored, a) && !slices.ContainsFunc(v.r.NotCompared, func(o diff.Omission) bool { return o.Aspect == a && o.Host == "" })
	})
}

// place says where a divergence is, and in one sentence what it is.
func (v *divergence) place(d *diff.Divergence) {
	where := clean(v.host(d))
	if where == "" {
		where = v.o.text("diff.world")
	}
	if d.State != trace.NotObserved {
		where += ", " + v.o.stateName(d.State)
	}
	for s, p := range []diff.Place{d.A, d.B} {
		if p.Event != 0 {
			where += " · " + v.o.text("diff.at", sideNames[s], v.panes[s].clock.print(p.At), p.Event)
		}
	}
	v.c.paragraph(2, where, dim)
	v.c.paragraph(2, v.sentence(d), bold)
	if d.Consequence {
		v.c.paragraph(2, v.o.text("diff.consequence"), dim)
	}
}

// host is that on which a divergence is; empty: it is about the world.
func (v *divergence) host(d *diff.Divergence) string {
	if d.A.Event == 0 {
		return d.B.Host
	}
	return d.A.Host
}

// sentence says what differs: that only one side has it, or the weightiest of what both have.
func (v *divergence) sentence(d *diff.Divergence) string {
	for s, p := range []diff.Place{d.A, d.B} {
		if other := [...]diff.Place{d.B, d.A}[s]; p.Event != 0 && other.Event == 0 {
			return v.o.text("diff.only", sideNames[s], v.move(d, s))
		}
	}
	if len(d.Differences) == 0 {
		return v.o.text("diff.says.header")
	}
	first := &d.Differences[0]
	text := v.o.text("diff.says." + first.Aspect.String())
	if first.A == "" && first.B == "" {
		return text + "."
	}
	return v.o.text("diff.says", text, v.field(first.Field), v.value(first, first.A), v.value(first, first.B))
}

// move names what one side of a divergence did, as something that a host does.
func (v *divergence) move(d *diff.Divergence, s int) string {
	e := v.traces[s].Event([...]int{d.A.Event, d.B.Event}[s])
	if e == nil {
		return "?"
	}
	p := v.panes[s]
	tokens := func(t []token) string {
		var words []string
		for _, t := range t {
			words = append(words, t.text)
		}
		return strings.Join(words, " ")
	}
	changed := v.changed(d, s)
	switch d := e.Detail.(type) {
	case *trace.Call:
		return callText(d)
	case *trace.Return:
		return v.o.cameBack(p.t, d, p.programs)
	case *trace.Sent:
		return v.o.text("diff.move.sent", tokens(v.o.shortTokens(d.Packet, p.numbers[e.N], p.ports)))
	case *trace.Arrived:
		return v.o.text("diff.move.arrived", tokens(v.o.shortTokens(d.Packet, p.numbers[e.Cause], p.ports)))
	case *trace.Fate:
		return v.o.fate(d)
	case *trace.StateChange:
		return tokens(p.stateTokens(e, d))
	case *trace.Timer:
		return v.o.timer(d.Name)
	case *trace.HostChange:
		return v.o.hostChange(e, d)
	case *trace.Note:
		return clean(d.Text)
	case *trace.Control:
	}
	return v.o.text("diff.move.control", changed)
}

// changed is what differs of a side's control information.
func (v *divergence) changed(d *diff.Divergence, s int) string {
	var items []string
	for i := range d.Differences {
		if d := &d.Differences[i]; d.Aspect == diff.Control {
			items = append(items, v.value(d, [...]string{d.A, d.B}[s]))
		}
	}
	return strings.Join(items, "; ")
}

// fields lists what differs at a divergence, field by field.
func (v *divergence) fields(d *diff.Divergence) {
	v.part("diff.part.fields")
	v.table(d.Differences)
	for _, note := range []struct{ sign, key string }{{"=0", "diff.note.uncounted"}, {"'", "diff.note.before"}} {
		if slices.ContainsFunc(d.Differences, func(d diff.Difference) bool {
			return slices.Contains(counted, d.Field) && strings.Contains(d.A+d.B, note.sign)
		}) {
			v.c.paragraph(tableX, v.o.text(note.key), dim)
		}
	}
}

// ruling says which rule is about a divergence, and who keeps it.
func (v *divergence) ruling(d *diff.Divergence) {
	v.part("diff.part.ruling")
	r := &d.Ruling
	if r.Rule == "" {
		v.c.paragraph(2, v.o.text("diff.rule.none"), plain)
		return
	}
	v.c.paragraph(2, v.rule(r), plain)
	for s, k := range []rfc9293.Keeping{r.A, r.B} {
		text, st := v.o.text("diff.keeping."+k.String()), dim
		switch k {
		case rfc9293.Keeps:
			text, st = "✓ "+text, green
		case rfc9293.Breaks:
			text, st = "✗ "+text, red
		case rfc9293.Open:
			text, st = "○ "+text, plain
		case rfc9293.NotObservable:
			text = "– " + text
		}
		if n := [...]int{r.EventA, r.EventB}[s]; n != 0 {
			text += fmt.Sprintf(" · #%d", n)
		}
		v.c.row(column{x: 2, width: 3, text: sideNames[s], style: bold}, column{x: 5, width: len(v.c.cells) - 5, text: text, style: st})
	}
}

// rule is where a rule stands, and the rule.
func (v *divergence) rule(r *diff.Ruling) string {
	where := v.o.section(clean(r.Section))
	if r.Requirement != "" {
		where += " (" + clean(r.Requirement) + ")"
	}
	text := clean(r.Rule) // of a table that the catalogue does not know
	if Has(r.Rule) {
		text = v.o.text(r.Rule)
	}
	if where == "" {
		return text
	}
	return where + ": " + text
}

// A restRow is what differs in one aspect under one rule that the same sides break, in whatever states.
type restRow struct {
	aspect       diff.Aspect
	rule         string
	breaks       [2]bool
	n            int
	consequences int
	states       []string
	first        *diff.Divergence
}

// restRows puts the groups of a result together that differ in nothing but the state, and in who keeps a rule that nobody breaks.
func (v *divergence) restRows() (rows []*restRow) {
	for i := range v.r.Rest {
		g := &v.r.Rest[i]
		breaks := [2]bool{g.First.Ruling.A == rfc9293.Breaks, g.First.Ruling.B == rfc9293.Breaks}
		at := slices.IndexFunc(rows, func(r *restRow) bool { return r.aspect == g.Aspect && r.rule == g.Rule && r.breaks == breaks })
		if at < 0 {
			at = len(rows)
			rows = append(rows, &restRow{aspect: g.Aspect, rule: g.Rule, breaks: breaks, first: g.First})
		}
		r := rows[at]
		r.n += g.N
		r.consequences += g.Consequences
		if name := v.o.stateName(g.State); g.State != trace.NotObserved && !slices.Contains(r.states, name) {
			r.states = append(r.states, name)
		}
	}
	return rows
}

// rest counts what differs behind the first divergence. A rule is told once where its section
// tells it from the others.
func (v *divergence) rest() {
	if len(v.r.Rest) == 0 {
		v.c.flush()
		v.c.paragraph(0, v.o.text("diff.rest.none"), plain)
		return
	}
	v.part("diff.part.rest")
	rows := v.restRows()
	cells := [][5]string{{v.o.text("diff.rest.count"), v.o.text("diff.rest.aspect"), sideNames[0], sideNames[1], v.o.text("diff.rest.state")}}
	for _, r := range rows {
		row := [5]string{fmt.Sprint(r.n), v.o.text("diff.aspect." + r.aspect.String()), "–", "–", "–"}
		for s, p := range []diff.Place{r.first.A, r.first.B} {
			if p.Event != 0 {
				row[2+s] = fmt.Sprintf("#%d", p.Event)
			}
		}
		if len(r.states) > 0 {
			row[4] = strings.Join(r.states, ", ")
		}
		cells = append(cells, row)
	}
	var widths [5]int
	for _, row := range cells {
		for i, text := range row {
			widths[i] = max(widths[i], width(text))
		}
	}
	told := make(map[string]bool)
	rules := make(map[string]int) // of a section
	for _, r := range rows {
		if !told[r.rule] {
			rules[r.first.Ruling.Section]++
		}
		told[r.rule] = true
	}
	clear(told)
	for i, row := range cells {
		columns := make([]column, len(row))
		x := 2
		for j, text := range row {
			st := plain
			if i == 0 {
				st = dim
			}
			columns[j] = column{x: x, width: max(min(widths[j], len(v.c.cells)-x), 1), text: text, style: st}
			x += widths[j] + 2
		}
		v.c.row(columns...)
		if i > 0 {
			r := rows[i-1]
			v.under(r, 4+widths[0], told[r.rule] && rules[r.first.Ruling.Section] == 1)
			told[r.rule] = true
		}
	}
	if v.r.Bounded {
		v.c.paragraph(0, v.o.text("diff.bounded"), yellow)
	}
}

// under writes below a row of the rest which rule is about it, and who keeps that. Of a rule that has been told it writes the section.
func (v *divergence) under(r *restRow, x int, told bool) {
	line := func(text string, st style) { v.c.row(column{x: x, width: len(v.c.cells) - x, text: text, style: st}) }
	if r.rule != "" {
		text := v.rule(&r.first.Ruling)
		if told {
			text = v.o.section(clean(r.first.Ruling.Section))
		}
		line(text, dim)
		if text, st := v.keepers(&r.first.Ruling); text != "" {
			line(text, st)
		}
	}
	if r.consequences > 0 {
		line(v.o.text("diff.rest.consequences", r.consequences), dim)
	}
}

// keepers is who keeps a rule and who does not, in short; empty where nobody breaks it.
func (v *divergence) keepers(r *diff.Ruling) (string, style) {
	if r.A != rfc9293.Breaks && r.B != rfc9293.Breaks {
		return "", plain
	}
	var parts []string
	for s, k := range []rfc9293.Keeping{r.A, r.B} {
		if k != rfc9293.NotObservable {
			parts = append(parts, sideNames[s]+" "+v.o.text("diff.keeping."+k.String()))
		}
	}
	return strings.Join(parts, ", "), red
}

// apart says where absolute times part.
func (v *divergence) apart() {
	a := v.r.Apart
	if a == nil {
		return
	}
	v.c.flush()
	at := func(s int, p diff.Place) string { return v.panes[s].clock.print(p.At) }
	later := a.B.At - a.A.At
	key := "diff.apart.later"
	if later < 0 {
		later, key = -later, "diff.apart.earlier"
	}
	v.c.paragraph(0, v.o.text(key, clean(a.A.Host), at(0, a.A), a.A.Event, at(1, a.B), a.B.Event, v.o.span(later)), plain)
}
