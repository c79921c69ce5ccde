package view

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"

	"connectlab/trace"
)

// MermaidLimit is how many characters a diagram has at most, counted as UTF-16 code units: Mermaid's own default
// (maxTextSize), with which GitHub draws. Of a longer text it draws nothing.
const MermaidLimit = 50_000

// Mermaid writes a trace as a Mermaid sequence diagram: the bare text, as Mermaid's tools and a file of its own (.mmd)
// want it; in Markdown it goes into a fence of the language mermaid.
//
// A host's line has what happened on the host, from top to bottom, and an arrow, which is one line for what happened
// on two hosts, must be true of both. So it stands where its packet was sent if nothing happened at the receiver until
// it arrived; else where it arrived if nothing happened at the sender meanwhile; else a note says where it was sent,
// and a dashed arrow stands where it arrived. The arrow of a lost packet ends in a cross.
//
// The steps that would make it longer than MermaidLimit are left out, from the first such on, and the diagram says so;
// leftOut is how many events they are. The options' columns and colour have no meaning here. The only errors are w's.
func Mermaid(w io.Writer, t *trace.Trace, o Options) (leftOut int, err error) {
	m := newMermaid(t, &o)
	m.head()
	room := MermaidLimit
	all := len(t.Events)
	for _, l := range []mermaidLine{m.cut(all, all), m.end(), m.legend()} { // no numbers of the cut are wider
		room -= units(l.text) + len("    \n")
	}
	eachStep(t, func(events []trace.Event) {
		if leftOut == 0 {
			was, last := *m, m.lines[len(m.lines)-1]
			m.step(events)
			if m.size <= room {
				return
			}
			*m = was
			m.lines[len(m.lines)-1] = last // the step may have added to it
		}
		leftOut += len(events)
	})
	if leftOut > 0 {
		m.add(m.cut(all-leftOut+1, leftOut))
	} else {
		m.pause(t.End.At)
	}
	m.add(m.end())
	if m.dashed {
		m.add(m.legend())
	}
	b := bufio.NewWriter(w)
	for i := range m.lines {
		b.WriteString(m.lines[i].text)
		b.WriteByte('\n')
	}
	return leftOut, b.Flush()
}

const (
	mermaidWidth = 48  // cells after which a text goes on in the next line
	mermaidText  = 400 // characters of one text
	mermaidNote  = 4000
)

type mermaid struct {
	t        *trace.Trace
	o        *Options
	clock    clock
	numbers  map[int]*numbering
	hosts    [2]string
	ports    bool
	programs map[string]int
	hops     map[int]*hop // by the N of their Sent
	awaited  []*hop       // those on their way whose arrow will stand where they arrive

	lines  []mermaidLine
	size   int           // of all lines
	at     time.Duration // of the last step
	dashed bool          // whether there is a dashed arrow
}

// A mermaidLine is one line of the text. A note's place and time let what follows at the same place and time join it.
type mermaidLine struct {
	place string
	at    time.Duration
	text  string
}

// A hop is the way of one packet over the link.
type hop struct {
	from     side
	packet   *trace.Packet
	sent     int           // N
	landings []int         // the N of its arrivals, and of its losses at the far end
	fates    []*trace.Fate // what the link did when it was sent
	drawn    place
}

// place is where a packet's arrow stands.
type place uint8

const (
	apart     place = iota // in two pieces: a note where it was sent, an arrow where it arrived
	atSending              // where it was sent, as if it arrived at once
	atArrival              // where it arrived, as if it had been sent then
)

func newMermaid(t *trace.Trace, o *Options) *mermaid {
	m := &mermaid{
		t: t, o: o, clock: newClock(t), numbers: numberings(t), hosts: hostsOf(t), ports: connections(t) > 1, programs: programs(t),
		hops: make(map[int]*hop),
	}
	first := steps(t)
	for i := range t.Events {
		e := &t.Events[i]
		h := m.hops[e.Cause]
		switch d := e.Detail.(type) {
		case *trace.Sent:
			m.hops[e.N] = &hop{from: m.side(e.Host), packet: d.Packet, sent: e.N}
		case *trace.Arrived:
			if h != nil {
				h.landings = append(h.landings, e.N)
			}
		case *trace.Fate:
			switch {
			case h == nil:
			case first[i] == first[h.sent-1]:
				h.fates = append(h.fates, d)
			case d.Kind.Lost():
				h.landings = append(h.landings, e.N)
			}
		default: // nothing else flies
		}
	}
	return m
}

func (m *mermaid) side(host string) side {
	if host == m.hosts[right] {
		return right
	}
	return left
}

// participants are the names of both sides in the text. What they show comes from the trace.
var participants = [2]string{left: "client", right: "server"}

// Places of notes.
var (
	beside = [2]string{left: "Note left of client", right: "Note right of server"}
	onLine = [2]string{left: "Note over client", right: "Note over server"}
)

const acrossBoth = "Note over client,server"

// head declares the diagram and its sides, and says what it is of.
func (m *mermaid) head() {
	m.add(mermaidLine{text: "sequenceDiagram"})
	h := &m.t.Header
	if h.Story.Name != "" {
		m.add(mermaidLine{text: "title " + escapeMermaid(m.o.text("mermaid.title", h.Story.Name, h.Seed))})
	}
	for s, host := range m.hosts {
		texts := []string{host}
		if info := h.Host(host); info != nil {
			address, _, _ := strings.Cut(info.Address, "/")
			texts = append(texts, address, info.Stack)
		}
		m.add(mermaidLine{text: "participant " + participants[s] + " as " + joinMermaid(texts)})
	}
	about := []string{m.o.text("mermaid.link", m.o.span(h.Delay), h.MTU)}
	for _, rule := range h.Faults {
		about = append(about, m.o.text("mermaid.rule", rule))
	}
	m.add(mermaidLine{text: acrossBoth + ": " + joinMermaid(about)})
}

// end says how the run ended.
func (m *mermaid) end() mermaidLine {
	end := &m.t.End
	texts := []string{m.clock.print(end.At) + " " + m.o.text(endText(m.t))}
	for _, n := range end.Blocked {
		if e := m.t.Event(n); e != nil {
			if c, ok := e.Detail.(*trace.Call); ok {
				texts = append(texts, m.o.text("end.blocked", e.Host, callText(c), m.clock.print(e.At)))
			}
		}
	}
	aloft := 0
	for _, h := range m.hops {
		if len(h.landings) == 0 && !h.lost() {
			aloft++
		}
	}
	if aloft > 0 {
		texts = append(texts, m.o.text("end.aloft", aloft))
	}
	return mermaidLine{text: acrossBoth + ": " + joinMermaid(texts)}
}

func (m *mermaid) legend() mermaidLine {
	return mermaidLine{text: acrossBoth + ": " + joinMermaid([]string{m.o.text("mermaid.legend")})}
}

// cut says that the last events are not in the diagram, from number first on.
func (m *mermaid) cut(first, leftOut int) mermaidLine {
	all := len(m.t.Events)
	return mermaidLine{text: acrossBoth + ": " + joinMermaid([]string{m.o.text("mermaid.cut", first, all, leftOut, all, MermaidLimit)})}
}

// add appends a line.
func (m *mermaid) add(l mermaidLine) {
	if len(m.lines) > 0 {
		l.text = "    " + l.text
	}
	m.lines = append(m.lines, l)
	m.size += units(l.text) + 1
}

// note writes a remark with its time. What stands at the same place and time as the note before joins it.
func (m *mermaid) note(place string, texts ...string) {
	if last := &m.lines[len(m.lines)-1]; last.place == place && last.at == m.at && units(last.text) < mermaidNote {
		more := "<br/>" + joinMermaid(texts)
		last.text += more
		m.size += units(more)
		return
	}
	texts[0] = m.clock.print(m.at) + " " + texts[0]
	m.add(mermaidLine{place, m.at, place + ": " + joinMermaid(texts)})
}

// pause writes a long time in which nothing happened.
func (m *mermaid) pause(until time.Duration) {
	if m.silent(m.at, until) {
		m.add(mermaidLine{text: acrossBoth + ": " + joinMermaid([]string{m.o.text("ladder.silence", m.o.span(until-m.at))})})
	}
}

func (m *mermaid) silent(from, until time.Duration) bool {
	return until-from >= silence && until-from > m.t.Header.Delay
}

// step writes the events of one step.
func (m *mermaid) step(events []trace.Event) {
	m.pause(events[0].At)
	m.at = events[0].At
	for i := range events {
		e := &events[i]
		s := m.side(e.Host)
		switch d := e.Detail.(type) {
		case *trace.Call:
			m.note(beside[s], m.o.called(events, e.N, d))
		case *trace.Return:
			if e.Cause != d.Call {
				m.note(beside[s], "… "+m.o.cameBack(m.t, d, m.programs))
			}
		case *trace.Sent:
			m.sent(m.hops[e.N])
		case *trace.Arrived:
			m.landed(e, d.Packet, m.o.arrivalTrouble(d.Packet))
		case *trace.Fate:
			if h := m.hops[e.Cause]; h != nil && slices.Contains(h.landings, e.N) {
				m.landed(e, nil, m.o.fate(d))
			}
		case *trace.StateChange:
			if d.From != d.To {
				m.add(mermaidLine{text: fmt.Sprintf("%s: %d %s", onLine[s], e.Socket, escapeMermaid(m.o.stateName(d.To)))})
			}
		case *trace.Timer:
			m.note(beside[s], m.o.timer(d.Name))
		case *trace.HostChange:
			m.note(acrossBoth, m.o.hostChange(e, d))
		case *trace.Note:
			sign := "• "
			if d.Failed {
				sign = "✗ "
			}
			m.note(beside[s], sign+d.Text)
		case *trace.Control:
		}
	}
}

// sent writes a packet that leaves its host.
func (m *mermaid) sent(h *hop) {
	switch h.drawn = m.placeOf(h); {
	case h.drawn == atSending && len(h.landings) == 0:
		m.arrow(h, "-x", nil, m.full(h.packet, h))
	case h.drawn == atSending:
		m.first(h, m.t.Event(h.landings[0]))
	case h.drawn == atArrival:
		m.awaited = append(m.awaited, h)
	default:
		m.note(beside[h.from], append([]string{m.o.text("mermaid.sends", sentence(m.short(h.packet, h)))}, m.fates(h)...)...)
	}
}

// first writes the arrow of a packet, from its sending to its first landing, in one piece.
func (m *mermaid) first(h *hop, landing *trace.Event) {
	sign := "->>"
	if _, arrived := landing.Detail.(*trace.Arrived); !arrived {
		sign = "-x"
	}
	m.arrow(h, sign, landing, m.full(h.packet, h))
}

// landed writes the end of a packet's way. p is nil where nobody took it; trouble says why it is of no use.
func (m *mermaid) landed(e *trace.Event, p *trace.Packet, trouble string) {
	h := m.hops[e.Cause]
	to := m.side(e.Host)
	if h != nil {
		to = h.from.other()
	}
	sign := "-->>"
	if p == nil {
		sign = "--x"
	}
	switch {
	case h == nil:
		m.dashed = true
		m.arrow(&hop{from: to.other()}, sign, e, m.full(p, nil))
	case e.N == h.landings[0] && h.drawn == atSending:
	case e.N == h.landings[0] && h.drawn == atArrival:
		m.awaited = slices.DeleteFunc(m.awaited, func(other *hop) bool { return other == h })
		m.first(h, e)
	default:
		if p == nil {
			p = h.packet
		}
		text := m.short(p, h)
		if e.N == h.landings[0] {
			text = m.full(p, h)
		}
		m.dashed = true
		m.arrow(&hop{from: h.from, sent: h.sent}, sign, e, text)
	}
	if trouble != "" {
		m.note(beside[to], "✗ "+trouble)
	}
}

// arrow writes an arrow: when its packet was sent and when it landed, what it is, and what the link did to it.
func (m *mermaid) arrow(h *hop, sign string, landing *trace.Event, packet []token) {
	when := m.clock.print(m.at)
	if sent := m.t.Event(h.sent); sent != nil && landing != nil && sent.At != landing.At {
		when = m.clock.print(sent.At) + " → " + m.clock.print(landing.At)
	}
	var texts []string
	for _, line := range flow(append([]token{{text: when}}, packet...), mermaidWidth) {
		texts = append(texts, sentence(line))
	}
	texts = append(texts, m.fates(h)...)
	m.add(mermaidLine{text: participants[h.from] + sign + participants[h.from.other()] + ": " + joinMermaid(texts)})
}

// fates are what the link did to a packet when it was sent.
func (m *mermaid) fates(h *hop) []string {
	var texts []string
	for _, f := range h.fates {
		text := m.o.fate(f)
		if f.Kind.Lost() || f.Kind == trace.Corrupted {
			text = "✗ " + text
		}
		texts = append(texts, text)
	}
	return texts
}

// full describes a packet; h is its way, nil if that is not known.
func (m *mermaid) full(p *trace.Packet, h *hop) []token {
	return m.o.segmentTokens(p, m.numbering(h), m.ports)
}

// short describes as much of a packet as tells it from others.
func (m *mermaid) short(p *trace.Packet, h *hop) []token {
	return m.o.shortTokens(p, m.numbering(h), m.ports)
}

func (m *mermaid) numbering(h *hop) *numbering {
	if h == nil {
		return nil
	}
	return m.numbers[h.sent]
}

// sentence is tokens in one line.
func sentence(tokens []token) string {
	var b strings.Builder
	for i, t := range tokens {
		if i > 0 && !t.glued {
			b.WriteByte(' ')
		}
		b.WriteString(t.text)
	}
	return b.String()
}

// lost reports whether the packet was lost where it was sent.
func (h *hop) lost() bool {
	for _, f := range h.fates {
		if f.Kind.Lost() {
			return len(h.landings) == 0
		}
	}
	return false
}

// placeOf finds out where a packet's arrow is true of both hosts. Those of the packets that were sent before it have
// their places.
func (m *mermaid) placeOf(h *hop) place {
	if len(h.landings) == 0 {
		if h.lost() {
			return atSending
		}
		return apart
	}
	quiet := [2]bool{true, true}
	for n := h.sent + 1; n <= h.landings[0]; n++ {
		if m.silent(m.t.Event(n-1).At, m.t.Event(n).At) {
			return apart // an arrow would stand before the silence or behind it, and its packet flew all the while
		}
		if n == h.landings[0] {
			break
		}
		for _, s := range m.touches(m.t.Event(n), h) {
			quiet[s] = false
		}
	}
	for _, other := range m.awaited {
		if other.from != h.from { // the receiver has sent that one already, and its line does not have it yet
			quiet[h.from.other()] = false
		}
	}
	switch {
	case quiet[h.from.other()]:
		return atSending
	case quiet[h.from]:
		return atArrival
	}
	return apart
}

// touches are the sides on whose lines an event stands between the sending of h and its arrival.
func (m *mermaid) touches(e *trace.Event, h *hop) []side {
	switch d := e.Detail.(type) {
	case *trace.Call, *trace.Timer, *trace.Note, *trace.Sent:
		return []side{m.side(e.Host)}
	case *trace.Return:
		if e.Cause != d.Call {
			return []side{m.side(e.Host)}
		}
	case *trace.StateChange:
		if d.From != d.To {
			return []side{m.side(e.Host)}
		}
	case *trace.HostChange:
		return []side{left, right}
	case *trace.Arrived, *trace.Fate:
		other := m.hops[e.Cause]
		switch {
		case other == nil:
			if _, ok := d.(*trace.Arrived); ok {
				return []side{m.side(e.Host)}
			}
		case len(other.landings) == 0 || e.N < other.landings[0]: // a fate at the sending: a part of the Sent
		case e.N == other.landings[0] && other.drawn == atSending && m.untroubled(e):
			// Its arrow stands above h's already: two packets of one direction, in their order.
		default:
			return []side{other.from.other()}
		}
	case *trace.Control:
	}
	return nil
}

// untroubled reports whether a packet's landing has nothing to say but that it landed.
func (m *mermaid) untroubled(e *trace.Event) bool {
	a, ok := e.Detail.(*trace.Arrived)
	return ok && m.o.arrivalTrouble(a.Packet) == ""
}

// joinMermaid makes texts the lines of one label.
func joinMermaid(texts []string) string {
	var b strings.Builder
	for i, text := range texts {
		if b.Len() > mermaidNote {
			fmt.Fprintf(&b, "<br/>… +%d", len(texts)-i)
			break
		}
		for j, line := range wrap(clean(shorten(text)), mermaidWidth) {
			if i+j > 0 {
				b.WriteString("<br/>")
			}
			b.WriteString(escapeMermaid(line))
		}
	}
	return b.String()
}

// shorten bounds a text: those of a trace can have any length.
func shorten(s string) string {
	n := 0
	for i := range s {
		if n++; n > mermaidText {
			return s[:i] + "…"
		}
	}
	return s
}

// wordEnd is the word that Mermaid's own description warns of: some of its versions take it for the end of a block.
var wordEnd = regexp.MustCompile(`(?i)\bend\b`)

// escapeMermaid makes any text one that Mermaid shows as it is: whatever is no letter, no digit and none of a few
// signs is written as its number. So no text of a trace can end a label (; and line breaks), begin a comment, a
// directive or an entity (# and %), markup (<) or a formula ($), or pass for the signs that stand for entities within
// Mermaid (ﬂ ° ¶ ß). The colon is among what is written as a number, for Mermaid takes "style…:x#59;" for a style.
func escapeMermaid(s string) string {
	var b strings.Builder
	for _, r := range clean(shorten(s)) {
		switch {
		case r < unicode.MaxASCII && strings.ContainsRune(" (),.-_=+/'!?*", r), strings.ContainsRune("…→·•✗×–", r),
			(unicode.IsLetter(r) || unicode.IsDigit(r)) && r != 'ﬂ' && r != 'ß':
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return wordEnd.ReplaceAllStringFunc(b.String(), func(end string) string { return fmt.Sprintf("#%d;%s", end[0], end[1:]) })
}

// units is the length of a text as Mermaid counts it.
func units(s string) int {
	n := 0
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}
