package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"connectlab/netns/script"
	"connectlab/trace/book"

	"github.com/google/go-cmp/cmp"
)

// verdict is a statement of book's JSON, as somebody would write it who has only read JSON.md.
type verdict struct {
	Statement, Verdict, Scope, Story, Client, Server, Expected, Observed string

	Evidence []int
	Also     []struct {
		Verdict, Story, Client, Server, Expected, Observed string

		Evidence []int
	}
	More int
}

func decodeVerdicts(t *testing.T, text string) (list []verdict) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return list
}

// lastEvent is the number of the last event of a trace.
func lastEvent(t *testing.T, text string) int {
	t.Helper()
	numbers := regexp.MustCompile(`(?m)^{"n":(\d+),`).FindAllStringSubmatch(text, -1)
	n, err := strconv.Atoi(numbers[len(numbers)-1][1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBookJudgesAllStatements: one row each, with evidence that the story's trace has; not exercised is only what the pair
// of stacks lacks, and nothing is unobservable.
func TestBookJudgesAllStatements(t *testing.T) {
	t.Parallel()
	list := decodeVerdicts(t, mustRun(t, "book", "--format", "json"))
	last := map[string]int{}
	var ids, idle []string
	for _, v := range list {
		ids = append(ids, v.Statement)
		switch v.Verdict {
		case "not-exercised":
			idle = append(idle, v.Statement)
			if len(v.Evidence) > 0 {
				t.Errorf("%s: %v is evidence of nothing", v.Statement, v.Evidence)
			}
			continue
		case "holds", "refined", "contradicted":
		default:
			t.Errorf("%s is %s: %s", v.Statement, v.Verdict, v.Observed)
		}
		if v.Client != "gvisor" || v.Server != "gvisor" || v.Expected == "" || v.Observed == "" || v.Scope != "every" && v.Scope != "course" {
			t.Errorf("%+v", v)
		}
		if last[v.Story] == 0 {
			last[v.Story] = lastEvent(t, mustRun(t, "run", v.Story, "--format", "json"))
		}
		if len(v.Evidence) == 0 || !slices.IsSorted(v.Evidence) || v.Evidence[0] < 1 || v.Evidence[len(v.Evidence)-1] > last[v.Story] {
			t.Errorf("%s: evidence %v of %s, which has %d events", v.Statement, v.Evidence, v.Story, last[v.Story])
		}
	}
	var want []string
	for _, s := range book.Statements() {
		want = append(want, s.ID)
	}
	if diff := cmp.Diff(want, ids); diff != "" || len(ids) != 42 {
		t.Errorf("%d statements (-want +got):\n%s", len(ids), diff)
	}
	// Neither stack sends urgent data, and a pair of one maker does not show what another records.
	if diff := cmp.Diff([]string{"B7", "B15", "B21"}, idle); diff != "" {
		t.Errorf("not exercised (-want +got):\n%s", diff)
	}
}

// TestPlainIsTheBuiltInStory: a story of the user's that is named plain does not decide what the normal course is, live or saved.
func TestPlainIsTheBuiltInStory(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	own := filepath.Join(dir, "plain.story")
	text := "client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\nclient: connect(3, server:80) = -1 ECONNREFUSED (Connection refused)\n"
	if err := os.WriteFile(own, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	saved := func(story, name string) string {
		mustRun(t, "run", story, "--show", "ladder", "--out", filepath.Join(dir, name))
		return filepath.Join(dir, name)
	}
	builtin := saved("plain", "builtin.trace")
	for _, tt := range []struct {
		args []string
		want string // the story that decides
	}{
		{[]string{"book", own, "plain"}, "plain"},
		{[]string{"judge", saved(own, "own.trace"), builtin}, builtin},
	} {
		for _, v := range decodeVerdicts(t, mustRun(t, append(tt.args, "--format", "json")...)) {
			if (v.Statement == "C1" || v.Statement == "C6" || v.Statement == "C9") && v.Story != tt.want {
				t.Errorf("%v: %s is decided by %s, want %s", tt.args, v.Statement, v.Story, tt.want)
			}
		}
	}
}

// TestJudgeSaysWhatBookSays: of a saved trace, and of the capture of its wire where packets alone decide.
func TestJudgeSaysWhatBookSays(t *testing.T) {
	t.Parallel()
	wire := map[string]bool{}
	for _, s := range book.Statements() {
		wire[s.ID] = s.WireDecides
	}
	for _, stack := range []string{"gvisor", "handwritten"} {
		factory, err := (&program{}).stack("client", stack)
		if err != nil {
			t.Fatal(err)
		}
		dir, on := t.TempDir(), []string{"--client", stack, "--server", stack}
		mustRun(t, slices.Concat([]string{"run", "--show", "ladder", "--out", filepath.Join(dir, "traces") + "/", "--pcapng", filepath.Join(dir, "captures")},
			on, script.NamesFor(factory, factory))...)
		for _, name := range script.NamesFor(factory, factory) {
			want := decodeVerdicts(t, mustRun(t, append(on, "book", name, "--format", "json")...))
			judgedFromFiles(t, stack, dir, name, want, wire)
		}
	}
}

// judgedFromFiles holds what judge says of a story's trace and of its capture against what book says.
func judgedFromFiles(t *testing.T, stack, dir, name string, want []verdict, wire map[string]bool) {
	t.Helper()
	got := decodeVerdicts(t, mustRun(t, "judge", filepath.Join(dir, "traces", name+".trace"), "--format", "json"))
	for i := range want {
		want[i].Story, got[i].Story = "", ""
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s on %s: a saved trace (-live +saved):\n%s", name, stack, diff)
	}
	capture := filepath.Join(dir, "captures", name, "wire.pcapng")
	if _, err := os.Stat(capture); err != nil {
		t.Errorf("%s on %s: %v", name, stack, err)
		return
	}
	out := connectlab("judge", capture, "--format", "json")
	if out.status != exitOK {
		if !strings.Contains(out.stderr, "no TCP inside") {
			t.Errorf("%s on %s: exit status %d: %s", name, stack, out.status, out.stderr)
		}
		return
	}
	captured := decodeVerdicts(t, out.stdout)
	decided := 0
	for i := range want {
		if wire[want[i].Statement] {
			decided++
			if captured[i].Verdict != want[i].Verdict {
				t.Errorf("%s on %s: %s is %s by its capture and %s by its trace: %s / %s", name, stack, want[i].Statement, captured[i].Verdict, want[i].Verdict, captured[i].Observed, want[i].Observed)
			}
		}
	}
	if decided < 5 {
		t.Errorf("%s on %s: the wire decides %d statements", name, stack, decided)
	}
}

// TestBookCountsEdges: every change of state of the stories is a path of RFC 9293's machine.
func TestBookCountsEdges(t *testing.T) {
	t.Parallel()
	got := regexp.MustCompile(`(\d+) changes of state, along (\d+) of its (\d+) edges; changes that it does not allow: (\d+)\.`).FindStringSubmatch(mustRun(t, "book", "--columns", "200"))
	if got == nil || got[4] != "0" {
		t.Fatalf("%q", got)
	}
	for i, least := range []int{1: 400, 2: 15, 3: 60} {
		if n, err := strconv.Atoi(got[i]); i > 0 && (err != nil || n < least) {
			t.Errorf("%q: number %d is less than %d", got[0], i, least)
		}
	}
}

func TestStatementIsExplained(t *testing.T) {
	t.Parallel()
	got := mustRun(t, "book", "plain", "--statement", "c8")
	for _, want := range []string{"C8  contradicted", "What the book says", "SYN,ACK seq 0 ack 1", "⋮ ", "Why it matters", "RFC 9293, Section 3.5"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
	if one := decodeVerdicts(t, mustRun(t, "book", "plain", "--statement", "C8", "--format", "json")); len(one) != 1 || one[0].Statement != "C8" {
		t.Errorf("%+v", one)
	}
}

func TestBookLadderPutsBothBesideEachOther(t *testing.T) {
	t.Parallel()
	got := mustRun(t, "book", "--ladder", "--columns", "120")
	for _, want := range []string{`(?m)^C8 .* │ ≠ 0\.010 #28 · .*SYN,ACK`, `(?m)^ +│ \+ .*TIME-WAIT`, `(?m)^C11 .* │ = 0\.020 #34`, `(?m)^= as the book tells: [1-9]`} {
		if !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("no line is %s:\n%s", want, got)
		}
	}
	var steps []ladderStep
	if err := json.Unmarshal([]byte(mustRun(t, "book", "--ladder", "refused", "--format", "json")), &steps); err != nil {
		t.Fatal(err)
	}
	matches := map[string]int{}
	for _, s := range steps {
		matches[s.Match]++
	}
	if matches["none"] == 0 || matches["same"] == 0 {
		t.Errorf("a refused connect has %v", matches)
	}
	both := mustRun(t, "book", "--ladder", "plain", "refused")
	if strings.Count(both, "━━ ") != 2 {
		t.Errorf("two stories:\n%s", both)
	}
}

func TestRunEndsWithWhatTheBookSays(t *testing.T) {
	t.Parallel()
	got := mustRun(t, "run", "refused", "--show", "ladder")
	if !regexp.MustCompile(`(?m)^ +holds +A1 .*C1 `).MatchString(got) {
		t.Errorf("no statement that holds:\n%s", got)
	}
}

// TestJudgeBrokenFiles: what was there until the break is judged, and the error is told.
func TestJudgeBrokenFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mustRun(t, "run", "--show", "ladder", "--pcapng", dir, "--out", filepath.Join(dir, "a.trace"))
	whole := read(t, filepath.Join(dir, "wire.pcapng"))
	cut := write(t, dir, "cut.pcapng", whole[:len(whole)-10])
	got := connectlab("judge", cut, "--format", "json")
	if problem := notOneLine(got.stderr, "cut.pcapng", "truncated"); got.status != exitUsage || problem != "" || len(decodeVerdicts(t, got.stdout)) != 42 {
		t.Errorf("exit status %d, stderr %s %s\n%s", got.status, got.stderr, problem, got.stdout)
	}
	got = with(program{stdin: strings.NewReader(whole)}, "judge", "-")
	if got.status != exitOK || !strings.Contains(got.stdout, "standard input, connection 1") {
		t.Errorf("standard input: exit status %d, stderr %s", got.status, got.stderr)
	}
	text := read(t, filepath.Join(dir, "a.trace"))
	part := write(t, dir, "part.trace", text[:len(text)*3/4])
	got = connectlab("judge", part)
	if problem := notOneLine(got.stderr, "part.trace", "truncated"); got.status != exitUsage || problem != "" || !strings.Contains(got.stdout, "C8") {
		t.Errorf("exit status %d, stderr %s %s", got.status, got.stderr, problem)
	}
}
