package view

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"connectlab/adapters/handwritten"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/diff"
	"connectlab/trace/rfc9293"
	"connectlab/trace/wire"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"
)

// again is a trace with nothing in common with t.
func again(t testing.TB, tr *trace.Trace) *trace.Trace {
	t.Helper()
	var b bytes.Buffer
	if err := trace.Write(&b, tr); err != nil {
		t.Fatal(err)
	}
	other, err := trace.Read(&b, "", wire.Decode)
	if err != nil {
		t.Fatal(err)
	}
	return other
}

// bent is a trace in which the nth segment with some control bits that a host sent is another, from the link to where it arrives.
func bent(t testing.TB, tr *trace.Trace, host string, flags trace.Flags, nth int, change func(*trace.Segment)) *trace.Trace {
	t.Helper()
	tr = again(t, tr)
	tr.Header.Hosts[slices.IndexFunc(tr.Header.Hosts, func(h trace.HostInfo) bool { return h.Name == host })].Stack = "bent"
	sent := 0
	alter := func(p *trace.Packet) {
		data := slices.Clone(p.Octets[len(p.Octets)-p.TCP.DataLen:])
		change(&p.TCP)
		p.Octets = wire.Append(nil, p, data)
		p.Len = len(p.Octets)
		wire.Decode(p)
	}
	for i := range tr.Events {
		e := &tr.Events[i]
		switch d := e.Detail.(type) {
		case *trace.Sent:
			if e.Host != host || d.Packet.TCP.Flags != flags {
				continue
			}
			if nth--; nth == 0 {
				sent = e.N
				alter(d.Packet)
			}
		case *trace.Arrived:
			if sent != 0 && e.Cause == sent {
				alter(d.Packet)
			}
		default:
		}
	}
	if sent == 0 {
		t.Fatalf("%s never sends that %v", host, flags)
	}
	return tr
}

// compared is a pair of traces with what is said of them.
type compared struct {
	name string
	a, b *trace.Trace
	r    *diff.Result
}

func (p *compared) draw(b *bytes.Buffer, o Options) error { return Divergence(b, p.a, p.b, p.r, o) }

// onHandwritten runs a story between two handwritten stacks.
func onHandwritten(t testing.TB, name string) *trace.Trace {
	t.Helper()
	s, err := script.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := script.Run(s, netns.Config{Client: &handwritten.Factory{}, Server: &handwritten.Factory{}})
	if err != nil {
		t.Fatal(err)
	}
	return r.Trace
}

// comparisons are runs of gVisor against itself, bent in one place, against another story, and against the handwritten stack.
func comparisons(t testing.TB) []compared {
	plain, lost := story(t, "plain"), story(t, "syn-lost")
	window := bent(t, plain, "server", trace.SYN|trace.ACK, 1, func(s *trace.Segment) { s.Window = 1000 })
	number := bent(t, plain, "client", trace.ACK, 1, func(s *trace.Segment) { s.Ack++ })
	broken := bent(t, window, "client", trace.ACK, 1, func(s *trace.Segment) { s.Ack++ })
	list := []compared{
		{name: "broken", a: broken, b: plain},
		{name: "same", a: plain, b: again(t, plain)},
		{name: "window", a: plain, b: window},
		{name: "number", a: plain, b: number},
		{name: "lost", a: plain, b: lost},
		{name: "stacks", a: plain, b: onHandwritten(t, "plain")},
	}
	for i := range list {
		list[i].r = diff.Compare(list[i].a, list[i].b, diff.Options{})
	}
	return list
}

// told is a result that has everything that one can have.
func toldInFull(a, b *trace.Trace) *diff.Result {
	find := func(t *trace.Trace, host string, flags trace.Flags) (place diff.Place) {
		for i := range t.Events {
			e := &t.Events[i]
			if s, ok := e.Detail.(*trace.Sent); ok && e.Host == host && s.Packet.TCP.Flags == flags {
				return diff.Place{Event: e.N, Root: e.Cause, Host: e.Host, Socket: e.Socket, At: e.At}
			}
		}
		return place
	}
	first := &diff.Divergence{
		A: find(a, "server", trace.SYN|trace.ACK), B: find(b, "server", trace.SYN|trace.ACK), State: trace.Listen,
		Differences: []diff.Difference{
			{Aspect: diff.Window, Field: "SEG.WND", A: "29184", B: "1000"},
			{Aspect: diff.TCPOptions, Field: "option-window-scale", A: "7"},
		},
		Ruling: diff.Ruling{
			Rule: "diff.rule.window-update", Section: "RFC 9293, Section 3.8.6.2.2", Requirement: "MUST-39", A: rfc9293.Keeps, B: rfc9293.Open, EventA: 21, EventB: 21,
		},
	}
	missing := &diff.Divergence{
		A: find(a, "client", trace.FIN|trace.ACK), B: diff.Place{Host: "client"}, State: trace.Established, Consequence: true,
		Differences: []diff.Difference{{Aspect: diff.Packets, Field: "packet", A: "FIN,ACK"}},
		Ruling:      diff.Ruling{Rule: "rfc.rule.not-in-the-catalogue", Section: "RFC 9293, Section 3.10.4", A: rfc9293.Keeps, B: rfc9293.Breaks, EventA: 60},
	}
	return &diff.Result{
		Headers:    []diff.Difference{{Field: "stack", A: "gvisor", B: "bent"}, {Field: "story-text", A: strings.Repeat("line\n", 100), B: "other"}},
		Normalized: diff.Normalizations()[:3], Ignored: []diff.Aspect{diff.Time, diff.End},
		NotCompared: []diff.Omission{
			{Aspect: diff.States, Host: "client", Why: "no-states"}, {Aspect: diff.Control, Host: "client", Why: "no-control"},
			{Aspect: diff.Control, Host: "server", Why: "no-control"}, {Aspect: diff.Time, Why: "no-times"},
		},
		Moves: 70, First: first, FirstBroken: missing, Bounded: true,
		Rest: []diff.Group{
			{Aspect: diff.Packets, Rule: missing.Ruling.Rule, State: trace.Established, N: 12, First: missing, Consequences: 3},
			{Aspect: diff.Window, State: trace.SynReceived, N: 1, First: first},
		},
		Apart: &diff.Apart{A: missing.A, B: diff.Place{Event: 61, Host: "client", At: missing.A.At + 200*time.Millisecond}},
	}
}

func TestDivergenceInFull(t *testing.T) {
	a := story(t, "plain")
	b := bent(t, a, "server", trace.SYN|trace.ACK, 1, func(s *trace.Segment) { s.Window = 1000 })
	goldenOf(t, "testdata/divergence-full.txtar", []compared{{"in-full", a, b, toldInFull(a, b)}})
}

func TestDivergence(t *testing.T) { goldenOf(t, "testdata/divergence.txtar", comparisons(t)) }

// goldenOf compares views of comparisons, in both languages and at two widths, with a file.
func goldenOf(t *testing.T, file string, list []compared) {
	t.Helper()
	var got txtar.Archive
	for i := range list {
		p := &list[i]
		for _, o := range []Options{{Columns: 80}, {Language: Korean, Columns: 120}, {Columns: 140, Absolute: true}} {
			var b bytes.Buffer
			if err := p.draw(&b, o); err != nil {
				t.Fatal(err)
			}
			got.Files = append(got.Files, txtar.File{Name: fmt.Sprintf("want.%s.%s.%d", p.name, max(o.Language, English), o.columns()), Data: b.Bytes()})
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(&got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(txtar.Parse(text).Files, got.Files); diff != "" {
		t.Errorf("%s: (-want +got)\n%s", file, diff)
	}
}

func TestNoDivergenceIsWiderThanItsColumns(t *testing.T) {
	a := story(t, "plain")
	b := bent(t, a, "server", trace.SYN|trace.ACK, 1, func(s *trace.Segment) { s.Window = 1000 })
	list := append(comparisons(t), compared{"in-full", a, b, toldInFull(a, b)})
	trouble := troubled(t)
	list = append(list, compared{"trouble", a, trouble, diff.Compare(a, trouble, diff.Options{})},
		compared{"trouble back", trouble, a, diff.Compare(trouble, a, diff.Options{})})
	for i := range list {
		p := &list[i]
		checkView(t, "divergence: "+p.name, p.draw)
		for _, l := range languages {
			var b bytes.Buffer
			if err := p.draw(&b, Options{Language: l, Columns: 160}); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if w := width(strings.TrimSuffix(line, "\n")); w > 160 {
					t.Errorf("%s in %s: %d cells, want at most 160:\n%s", p.name, l, w, line)
				}
			}
		}
	}
}

// Whatever two files hold, how they differ is drawn.
func TestDivergenceOfAnyTraces(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		a, b := anyTrace(rt), anyTrace(rt)
		o := Options{Columns: rapid.IntRange(0, 200).Draw(rt, "columns"), Language: rapid.SampledFrom(languages[:]).Draw(rt, "language")}
		var out bytes.Buffer
		if err := Divergence(&out, a, b, diff.Compare(a, b, diff.Options{}), o); err != nil {
			rt.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if w := width(strings.TrimSuffix(line, "\n")); w > o.columns() {
				rt.Fatalf("%d cells, want at most %d:\n%s", w, o.columns(), line)
			}
		}
		if strings.Contains(out.String(), "%!") || strings.ContainsAny(out.String(), "\x1b\r\t") {
			rt.Fatalf("a control character, or a text with the wrong arguments:\n%s", out.String())
		}
	})
}

// Where the columns do for it the ladders stand beside each other, the parting in one line of both; else one below the other.
func TestLaddersStandBesideEachOtherWhereThereIsRoom(t *testing.T) {
	a := story(t, "plain")
	b := bent(t, a, "server", trace.SYN|trace.ACK, 1, func(s *trace.Segment) { s.Window = 1000 })
	r := diff.Compare(a, b, diff.Options{})
	for _, columns := range []int{60, 80, 120, 160} {
		var out bytes.Buffer
		if err := Divergence(&out, a, b, r, Options{Columns: columns}); err != nil {
			t.Fatal(err)
		}
		beside, marks := false, 0
		for line := range strings.Lines(out.String()) {
			marks += strings.Count(line, "▸")
			if strings.Contains(line, "≠") {
				beside = true
				if !strings.Contains(line, "win") && !strings.Contains(line, "SYN,ACK") || strings.Count(line, "▸") != 2 {
					t.Errorf("%d columns: the sign is not where the SYN,ACKs are:\n%s", columns, line)
				}
			}
		}
		if want := columns >= 120; beside != want {
			t.Errorf("%d columns: the ladders stand beside each other: %t, want %t", columns, beside, want)
		}
		if marks < 2 {
			t.Errorf("%d columns: %d marks, want one on each side at the least", columns, marks)
		}
	}
}

// What only one side has is said to be missing on the other, in the step in which it would have been.
func TestAMissingMoveIsMarkedOnBothSides(t *testing.T) {
	a := story(t, "plain")
	b := again(t, a)
	var gone trace.Event // the server's second ACK of data
	for i, e := range b.Events {
		if s, ok := e.Detail.(*trace.Sent); ok && e.Host == "server" && s.Packet.TCP.Flags == trace.ACK {
			gone = e
			b.Events[i].Detail = &trace.Note{Text: "nothing"}
			break
		}
	}
	if gone.N == 0 {
		t.Fatal("the server never sends a bare ACK")
	}
	r := &diff.Result{Moves: 1, First: &diff.Divergence{
		A: diff.Place{Event: gone.N, Root: gone.Cause, Host: "server", At: gone.At}, B: diff.Place{Root: gone.Cause, Host: "server", At: gone.At},
		Differences: []diff.Difference{{Aspect: diff.Packets, Field: "packet", A: "ACK"}},
	}}
	for _, columns := range []int{80, 140} {
		var out bytes.Buffer
		if err := Divergence(&out, a, b, r, Options{Columns: columns}); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"Only A has this: a packet is sent, ACK", "nothing like it here"} {
			if strings.Count(out.String(), want) != 1 {
				t.Errorf("%d columns: want %q once:\n%s", columns, want, out.String())
			}
		}
	}
}

// A change of control information has no line in a ladder, and is named where the runs part all the same.
func TestPartingInControlInformationIsShown(t *testing.T) {
	a := story(t, "plain")
	b := again(t, a)
	n := 0
	for i := range b.Events {
		if c, ok := b.Events[i].Detail.(*trace.Control); ok && b.Events[i].Host == "server" && n == 0 && len(c.Changes) > 0 {
			n = b.Events[i].N
		}
	}
	r := &diff.Result{Moves: 1, First: &diff.Divergence{
		A: diff.Place{Event: n, Root: 1, Host: "server"}, B: diff.Place{Event: n, Root: 1, Host: "server"},
		Differences: []diff.Difference{{Aspect: diff.Control, Field: "item", A: "RTO = 1.5s", B: "RTO = 3s (segment, SEG.ACK)"}},
	}}
	var out bytes.Buffer
	if err := Divergence(&out, a, b, r, Options{Columns: 140}); err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`▸.*control information: RTO = 1.5 s .*≠ ▸.*control information: RTO = 3 s`).MatchString(strings.ReplaceAll(out.String(), "a change of ", "")) {
		t.Errorf("the change is not told on both sides:\n%s", out.String())
	}
}

// Where all was left out that could have been compared, that no difference was found says nothing.
func TestNothingLeftToCompare(t *testing.T) {
	a := story(t, "plain")
	b := again(t, a)
	for _, tt := range []struct {
		o       diff.Options
		nothing bool
	}{{diff.Options{Ignore: diff.Aspects()}, true}, {diff.Options{Ignore: diff.Aspects()[1:]}, false}} {
		r := diff.Compare(a, b, tt.o)
		var out bytes.Buffer
		if err := Divergence(&out, a, b, r, Options{}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), Text(English, "diff.nothing-left")); got != tt.nothing {
			t.Errorf("%d aspects left out: nothing compared %t, want %t:\n%s", len(tt.o.Ignore), got, tt.nothing, out.String())
		}
	}
}
