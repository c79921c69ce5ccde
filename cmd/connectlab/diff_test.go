package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"connectlab/trace"
	"connectlab/trace/diff"
	"connectlab/trace/rfc9293"
	"connectlab/trace/view"

	"github.com/clipperhouse/displaywidth"
	"github.com/google/go-cmp/cmp"
)

// A jsonDifference, and what else diff's JSON has, as somebody would write it who has only read JSON.md.
type (
	jsonDifference struct{ Aspect, Field, A, B string }
	jsonPlace      struct {
		Event, Root, Socket int
		Host                string
		At                  int64 `json:"at_ns"`
	}
	jsonDivergence struct {
		A, B        jsonPlace
		State       string
		Differences []jsonDifference
		Ruling      *struct {
			Rule, Text, Section, Requirement, A, B string
			EventA                                 int `json:"event_a"`
			EventB                                 int `json:"event_b"`
		}
		Consequence bool
	}
	jsonRun struct {
		Story  string
		Seed   uint64
		Stacks []string
	}
	jsonComparison struct {
		Version                  int
		A, B                     jsonRun
		Headers                  []jsonDifference
		Normalized, Raw, Ignored []string
		NotCompared              []struct{ Aspect, Host, Why string } `json:"not_compared"`
		Moves                    int
		First                    *jsonDivergence
		FirstBroken              *jsonDivergence `json:"first_broken"`
		Rest                     []struct {
			Aspect, Rule, State string
			Count, Consequences int
			First               *jsonDivergence
		}
		Apart   *struct{ A, B jsonPlace }
		Bounded bool
	}
)

func decodeComparison(t *testing.T, text string) (c jsonComparison) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return c
}

// runs writes the traces of two runs, each as its words say ("·" between them), and returns their files.
func runs(t *testing.T, first, second string) (a, b string) {
	t.Helper()
	dir := t.TempDir()
	a, b = filepath.Join(dir, "a.trace"), filepath.Join(dir, "b.trace")
	for file, args := range map[string]string{a: first, b: second} {
		got := connectlab(append([]string{"run", "--out", file, "--show", "ladder"}, strings.Split(args, "·")...)...)
		if got.status != exitOK {
			t.Fatalf("run %s: %+v", args, got)
		}
	}
	return a, b
}

// TestDiffOfATraceWithItself: that there is no difference is said, with what was made alike and what was left out.
func TestDiffOfATraceWithItself(t *testing.T) {
	t.Parallel()
	a, _ := runs(t, "plain", "refused")
	text := mustRun(t, "diff", a, a, "--ignore", "window,time")
	for _, want := range []string{"No difference in what was compared", "isn:", "ports:", "timestamps:", "option-order:", "windows, times"} {
		if !strings.Contains(text, want) {
			t.Errorf("the comparison does not say %q:\n%s", want, text)
		}
	}
	c := decodeComparison(t, mustRun(t, "diff", a, a, "--raw", "isn", "--format", "json"))
	want := jsonComparison{
		Version: 1, A: jsonRun{"plain", 1, []string{"gvisor", "gvisor"}}, B: jsonRun{"plain", 1, []string{"gvisor", "gvisor"}},
		Headers: []jsonDifference{}, Normalized: []string{"ports", "timestamps", "option-order"}, Raw: []string{"isn"}, Ignored: []string{}, Moves: c.Moves,
	}
	want.NotCompared, want.Rest = c.NotCompared, c.Rest
	if diff := cmp.Diff(want, c); diff != "" || c.NotCompared == nil || len(c.NotCompared) > 0 || c.Rest == nil || len(c.Rest) > 0 || c.Moves < 50 {
		t.Errorf("%d moves, not compared %v, rest %v; (-want +got)\n%s", c.Moves, c.NotCompared, c.Rest, diff)
	}
}

// TestDiffFindsTheFirstDivergence: a rule of the link that drops a packet is where the runs part, and no failure.
func TestDiffFindsTheFirstDivergence(t *testing.T) {
	t.Parallel()
	a, b := runs(t, "plain", "plain·--fault=drop server SYN,ACK#1")
	c := decodeComparison(t, mustRun(t, "diff", a, b, "--format", "json"))
	if c.First == nil || len(c.First.Differences) == 0 || c.First.Differences[0] != (jsonDifference{"fates", "fate", "", "dropped"}) {
		t.Fatalf("first divergence %+v, want one in the fate of a packet", c.First)
	}
	if f := c.First; f.A.Host != "server" || f.A.Event == 0 || f.B.Event == 0 || f.A.At != 10_000_000 {
		t.Errorf("the first divergence is at %+v and %+v, want the server's SYN,ACK at 10 ms", f.A, f.B)
	}
	if c.Apart == nil || c.Apart.A.At >= c.Apart.B.At {
		t.Errorf("absolute times part at %+v, want B later", c.Apart)
	}
	if len(c.Headers) != 1 || c.Headers[0].Field != "faults" {
		t.Errorf("headers differ in %+v, want the faults", c.Headers)
	}
	for _, lang := range []string{"en", "ko"} {
		for _, columns := range []int{60, 80, 120, 160} {
			text := mustRun(t, "diff", a, b, "--lang", lang, "--columns", fmt.Sprint(columns))
			for line := range strings.Lines(text) {
				if w := displaywidth.String(strings.TrimSuffix(line, "\n")); w > columns {
					t.Errorf("%s, %d columns: a line is %d cells wide:\n%s", lang, columns, w, line)
				}
			}
		}
	}
}

// TestDiffOfTwoStories: which two they are is told first.
func TestDiffOfTwoStories(t *testing.T) {
	t.Parallel()
	a, b := runs(t, "plain", "refused")
	text := mustRun(t, "diff", a, b)
	if story, first := strings.Index(text, "two different stories"), strings.Index(text, "Where they part first"); story < 0 || story > first {
		t.Errorf("that the stories are two is not said, or not first:\n%s", text)
	}
}

// TestDiffReadsStandardInput: one of the two may come from there.
func TestDiffReadsStandardInput(t *testing.T) {
	t.Parallel()
	a, _ := runs(t, "refused", "plain")
	got := with(program{stdin: strings.NewReader(read(t, a))}, "diff", "-", a)
	if got.status != exitOK || !strings.Contains(got.stdout, "No difference") || !strings.Contains(got.stdout, "standard input") {
		t.Errorf("%+v", got)
	}
}

func TestDiffIsColouredOnATerminalAlone(t *testing.T) {
	t.Parallel()
	a, b := runs(t, "plain", "plain·--mtu=600")
	for _, tt := range []struct {
		p    program
		want bool
	}{{program{}, false}, {program{outWidth: 120}, true}, {program{outWidth: 120, noColor: true}, false}} {
		if got := with(tt.p, "diff", a, b); got.status != exitOK || strings.Contains(got.stdout, "\x1b[") != tt.want {
			t.Errorf("width %d, no colour %t: status %d, coloured: %t", tt.p.outWidth, tt.p.noColor, got.status, !tt.want)
		}
	}
}

// TestWhatDiffCanLeaveOut: each aspect and each normalisation can be named on the command line, and is named when it is not known.
func TestWhatDiffCanLeaveOut(t *testing.T) {
	t.Parallel()
	a, _ := runs(t, "refused", "plain")
	aspects := strings.ReplaceAll(names(diff.Aspects()), ", ", ",")
	c := decodeComparison(t, mustRun(t, "diff", a, a, "--format", "json", "--ignore", aspects, "--raw", names(diff.Normalizations())))
	if len(c.Ignored) != len(diff.Aspects()) || len(c.Raw) != len(diff.Normalizations()) || len(c.Normalized) != 0 {
		t.Errorf("ignored %v, raw %v, normalized %v", c.Ignored, c.Raw, c.Normalized)
	}
	help := mustRun(t, "diff", "--help")
	for _, v := range diff.Aspects() {
		if !strings.Contains(help, v.String()) {
			t.Errorf("help does not name %v", v)
		}
		if !view.Has("diff.aspect." + v.String()) {
			t.Errorf("no text for %v", v)
		}
	}
}

// TestDiffTakesCaptures: a capture of one connection is compared in what it shows, and one of several is refused.
func TestDiffTakesCaptures(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, story := range []string{"plain", "half-close", "many"} {
		mustRun(t, "run", story, "--show", "ladder", "--out", filepath.Join(dir, story+".trace"), "--pcapng", filepath.Join(dir, story))
	}
	run, capture, other := filepath.Join(dir, "plain.trace"), filepath.Join(dir, "plain", "client.pcapng"), filepath.Join(dir, "half-close", "client.pcapng")
	text := mustRun(t, "diff", run, capture)
	for _, want := range []string{"No difference in what was compared", "a capture has no calls", "two for each frame"} {
		if !strings.Contains(text, want) {
			t.Errorf("a run and its capture: want %q in\n%s", want, text)
		}
	}
	if c := decodeComparison(t, mustRun(t, "diff", capture, other, "--format", "json")); c.First == nil || len(c.NotCompared) == 0 {
		t.Errorf("two captures: first divergence %+v, not compared %+v, want some", c.First, c.NotCompared)
	}
	got := connectlab("diff", run, filepath.Join(dir, "many", "client.pcapng"))
	if problem := notOneLine(got.stderr, "client.pcapng", "more than one connection"); got.status != exitUsage || problem != "" || got.stdout != "" {
		t.Errorf("a capture of many connections: %+v %s", got, problem)
	}
}

// TestDiffOfATraceThatBrokeOff: what there is of it is compared, and the verb fails nevertheless.
func TestDiffOfATraceThatBrokeOff(t *testing.T) {
	t.Parallel()
	a, _ := runs(t, "plain", "refused")
	lines := strings.SplitAfter(read(t, a), "\n")
	part := write(t, t.TempDir(), "part.trace", strings.Join(lines[:40], ""))
	got := connectlab("diff", a, part)
	if problem := notOneLine(got.stderr, "part.trace:41", "truncated"); got.status != exitUsage || problem != "" {
		t.Errorf("exit status %d, stderr %q %s", got.status, got.stderr, problem)
	}
	if !strings.Contains(got.stdout, "Where they part first") {
		t.Errorf("what there is was not compared:\n%s", got.stdout)
	}
	said, first := strings.Index(got.stdout, "part.trace is not whole"), strings.Index(got.stdout, "\nA  ")
	if said < 0 || said > first || !strings.Contains(got.stdout, "up to event #39.") {
		t.Errorf("that a trace is not whole is not said before the comparison:\n%s", got.stdout)
	}
}

// TestDiffJSONIsDocumented: JSON.md names each key that diff prints.
func TestDiffJSONIsDocumented(t *testing.T) {
	t.Parallel()
	_, section, _ := strings.Cut(read(t, "JSON.md"), "\n## diff\n")
	section, _, _ = strings.Cut(section, "\n## ")
	n := 0
	for _, v := range []any{comparison{}, comparedRun{}, difference{}, omission{}, divergence{}, place{}, ruling{}, divergentGroup{}, apart{}} {
		for f := range reflect.TypeOf(v).NumField() {
			key := reflect.TypeOf(v).Field(f).Tag.Get("json")
			n++
			if key == "" || !strings.Contains(section, "`"+key+"`") {
				t.Errorf("JSON.md does not name %T's key %q", v, key)
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d keys were looked for", n)
	}
}

// TestDiffJSONHasEachValueInItsPlace: no two values of a divergence change places on their way.
func TestDiffJSONHasEachValueInItsPlace(t *testing.T) {
	t.Parallel()
	d := &diff.Divergence{
		A:           diff.Place{Event: 1, Root: 2, Host: "client", Socket: 3, At: 4},
		B:           diff.Place{Event: 5, Root: 6, Host: "server", Socket: 7, At: 8},
		Differences: []diff.Difference{{Aspect: diff.Window, Field: "SEG.WND", A: "9", B: "10"}}, State: trace.CloseWait, Consequence: true,
		Ruling: diff.Ruling{Rule: "diff.rule.window", Section: "S", Requirement: "R", A: rfc9293.Keeps, B: rfc9293.Breaks, EventA: 11, EventB: 12},
	}
	r := &diff.Result{
		Normalized: []diff.Normalization{diff.Ports}, Ignored: []diff.Aspect{diff.Time}, NotCompared: []diff.Omission{{Aspect: diff.Data, Host: "client", Why: "no-data"}},
		Moves: 13, First: d, Rest: []diff.Group{{Aspect: diff.Push, Rule: "diff.rule.push", State: trace.LastAck, N: 14, First: d, Consequences: 15}},
		Apart: &diff.Apart{A: d.B, B: d.A}, Bounded: true,
	}
	var b bytes.Buffer
	var p program
	if err := p.diffJSON(&b, [2]*trace.Trace{{Header: trace.Header{Seed: 16}}, {Header: trace.Header{Seed: 17}}}, r); err != nil {
		t.Fatal(err)
	}
	got := decodeComparison(t, b.String())
	first := &jsonDivergence{
		A: jsonPlace{Event: 1, Root: 2, Host: "client", Socket: 3, At: 4}, B: jsonPlace{Event: 5, Root: 6, Host: "server", Socket: 7, At: 8},
		State: "CLOSE-WAIT", Differences: []jsonDifference{{"window", "SEG.WND", "9", "10"}}, Consequence: true,
	}
	if err := json.Unmarshal([]byte(`{"rule":"diff.rule.window","section":"S","requirement":"R","a":"keeps","b":"breaks","event_a":11,"event_b":12}`), &first.Ruling); err != nil {
		t.Fatal(err)
	}
	first.Ruling.Text = view.Text(view.English, "diff.rule.window")
	want := jsonComparison{
		Version: 1, A: jsonRun{Seed: 16, Stacks: []string{}}, B: jsonRun{Seed: 17, Stacks: []string{}}, Headers: []jsonDifference{},
		Normalized: []string{"ports"}, Raw: []string{"isn", "timestamps", "option-order"}, Ignored: []string{"time"}, Moves: 13, First: first,
		Rest: got.Rest, NotCompared: got.NotCompared, Apart: got.Apart, Bounded: true,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if o := got.NotCompared; len(o) != 1 || o[0].Aspect != "data" || o[0].Host != "client" || o[0].Why != "no-data" {
		t.Errorf("not compared: %+v", o)
	}
	if a := got.Apart; a == nil || a.A != first.B || a.B != first.A {
		t.Errorf("apart: %+v", a)
	}
	g := got.Rest
	if len(g) != 1 || g[0].Aspect != "push" || g[0].Rule != "diff.rule.push" || g[0].State != "LAST-ACK" || g[0].Count != 14 || g[0].Consequences != 15 || !cmp.Equal(g[0].First, first) {
		t.Errorf("rest: %+v", g)
	}
}
