package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/book"
	"connectlab/trace/view"

	"github.com/clipperhouse/displaywidth"
	"github.com/google/go-cmp/cmp"
)

// row is a statement of book --stacks as JSON, as somebody would write it who has only read JSON.md.
type row struct {
	Statement, Scope string

	Differs bool
	Stacks  []struct {
		Stack string
		verdictOnStack
	}
	Items []struct {
		Item, Shared string
		Stacks       []struct {
			Stack           string
			Connected, Made struct {
				Held, Value string
				Elsewhere   bool
			}
		}
	}
}

type verdictOnStack struct {
	Verdict, Story, Client, Server, Expected, Observed string

	Evidence []int
	Also     []struct {
		Verdict, Story, Client, Server, Expected, Observed string

		Evidence []int
	}
	More int
}

func decodeRows(t *testing.T, text string) (rows []row) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&rows); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	return rows
}

const both = "gvisor,handwritten"

// TestBookColumnsAreThoseOfOneStack: what stands in a stack's column is what book says of a pair of that stack alone, but for B21, which
// is of two makers.
func TestBookColumnsAreThoseOfOneStack(t *testing.T) {
	t.Parallel()
	rows := decodeRows(t, mustRun(t, "book", "--stacks", both, "--format", "json"))
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.Statement)
	}
	var want []string
	for _, s := range book.Statements() {
		want = append(want, s.ID)
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Fatalf("statements (-want +got):\n%s", diff)
	}
	for i, stack := range []string{"gvisor", "handwritten"} {
		for j, one := range decodeVerdicts(t, mustRun(t, "book", "--client", stack, "--server", stack, "--format", "json")) {
			r := rows[j]
			if len(r.Stacks) != 2 || r.Stacks[i].Stack != stack || r.Scope != one.Scope || r.Differs != (r.Stacks[0].Verdict != r.Stacks[1].Verdict) {
				t.Fatalf("%s: %+v", r.Statement, r)
			}
			if (r.Items != nil) != (r.Statement == "B21") {
				t.Errorf("%s: %d items", r.Statement, len(r.Items))
			}
			got := r.Stacks[i].verdictOnStack
			if r.Statement == "B21" {
				if got.Client != stack || got.Server == stack || got.Story != "plain" || got.Verdict != "holds" {
					t.Errorf("B21 of %s: %+v", stack, got)
				}
				continue
			}
			alone := verdictOnStack{one.Verdict, one.Story, one.Client, one.Server, one.Expected, one.Observed, one.Evidence, one.Also, one.More}
			if diff := cmp.Diff(alone, got); diff != "" {
				t.Errorf("%s of %s (-alone +column):\n%s", r.Statement, stack, diff)
			}
		}
	}
}

// TestBookColumnsDiffer: A8 and B16, as the book was written with another stack in mind than gVisor.
func TestBookColumnsDiffer(t *testing.T) {
	t.Parallel()
	verdicts := map[string][]string{}
	for _, r := range decodeRows(t, mustRun(t, "book", "--stacks", "handwritten,gvisor", "--format", "json")) {
		for _, s := range r.Stacks {
			verdicts[r.Statement] = append(verdicts[r.Statement], s.Stack+" "+s.Verdict)
		}
	}
	for id, want := range map[string][]string{
		"A8": {"handwritten holds", "gvisor contradicted"}, "B16": {"handwritten holds", "gvisor contradicted"},
		"B2": {"handwritten contradicted", "gvisor holds"}, "C8": {"handwritten contradicted", "gvisor contradicted"},
		"B7": {"handwritten holds", "gvisor not-exercised"},
	} {
		if diff := cmp.Diff(want, verdicts[id]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
}

// TestBookColumnsAsText: in all widths and both languages no line is too long, what differs is marked and told, and what does not is not.
func TestBookColumnsAsText(t *testing.T) {
	t.Parallel()
	rows := decodeRows(t, mustRun(t, "book", "--stacks", both, "--format", "json"))
	for _, lang := range []string{"en", "ko"} {
		for _, columns := range []string{"60", "80", "120"} {
			out := mustRun(t, "book", "--stacks", both, "--lang", lang, "--columns", columns)
			for line := range strings.Lines(out) {
				if w := displaywidth.String(strings.TrimSuffix(line, "\n")); w > map[string]int{"60": 60, "80": 80, "120": 120}[columns] {
					t.Errorf("%s, %s columns: a line of %d: %s", lang, columns, w, line)
				}
			}
			for _, r := range rows {
				word := func(i int) string { return view.Text(view.Language(lang), "verdict."+r.Stacks[i].Verdict) }
				mark := map[bool]string{true: "≠", false: " "}[r.Differs]
				if !regexp.MustCompile(`(?m)^` + mark + ` ` + r.Statement + ` +` + word(0) + ` +` + word(1) + `( |$)`).MatchString(out) {
					t.Errorf("%s, %s columns: no row of %s", lang, columns, r.Statement)
				}
				if told := strings.Contains(out, "\n≠ "+r.Statement+"  "+view.Text(view.Language(lang), "book."+r.Statement)[:6]); told != r.Differs {
					t.Errorf("%s, %s columns: %s is told of: %v", lang, columns, r.Statement, told)
				}
			}
		}
	}
	wide := mustRun(t, "book", "--stacks", both, "--columns", "300")
	for _, want := range []string{
		`(?m)^  gvisor: contradicted\n    segments with options outside the connect operation: 8 of 8; within it: 3 · plain #`,
		`(?m)^  handwritten: holds\n    memory was taken after the connect operation had begun, before data came, on both sides · plain #`,
		`(?m)^gvisor: The state machine of RFC 9293: [1-9].*changes that it does not allow: 0\.$`, `(?m)^handwritten: The state machine of RFC 9293: [1-9].*changes that it does not allow: 0\.$`,
		`(?m)--statement B21$`,
	} {
		if !regexp.MustCompile(want).MatchString(wide) {
			t.Errorf("no %s in\n%s", want, wide)
		}
	}
	if md := mustRun(t, "book", "--stacks", both, "--format", "markdown"); !strings.Contains(md, "| ≠ | A8 | ") || !strings.Contains(md, "| A8 | gvisor | contradicted | ") {
		t.Errorf("as Markdown:\n%s", md)
	}
}

// TestStatementOfEachStack: one after the other, each with its own stack's ladder.
func TestStatementOfEachStack(t *testing.T) {
	t.Parallel()
	out := mustRun(t, "book", "plain", "--stacks", both, "--statement", "b16")
	head, rest, _ := strings.Cut(out, "\n━━ gvisor: ")
	first, second, found := strings.Cut(rest, "\n━━ handwritten: ")
	if !found || !strings.HasPrefix(head, "B16\n") {
		t.Fatalf("no stack after the other:\n%s", out)
	}
	for _, once := range []string{"What the book says", "How it is judged", "Why it matters", "Where it is ruled"} {
		if n := strings.Count(out, once); n != 1 {
			t.Errorf("%q stands there %d times", once, n)
		}
	}
	for _, tt := range []struct{ part, verdict, options string }{{first, "contradicted\n", "<TS>"}, {second, "holds\n", ""}} {
		if !strings.HasPrefix(tt.part, tt.verdict) || strings.Contains(tt.part, "TS") != (tt.options != "") || !strings.Contains(tt.part, "What was seen") {
			t.Errorf("want %s, options %q:\n%s", tt.verdict, tt.options, tt.part)
		}
	}
	one := decodeRows(t, mustRun(t, "book", "plain", "--stacks", both, "--statement", "B16", "--format", "json"))
	if len(one) != 1 || one[0].Statement != "B16" || !one[0].Differs {
		t.Errorf("%+v", one)
	}
}

// TestPairsOfMakersAreNamed: B21 is judged on pairs of two stacks, and says of each which it is.
func TestPairsOfMakersAreNamed(t *testing.T) {
	t.Parallel()
	out := mustRun(t, "book", "plain", "--stacks", both, "--statement", "B21", "--columns", "200")
	for _, want := range []string{"(client gvisor, server handwritten)\n", "(client handwritten, server gvisor)\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("nothing says %q:\n%s", want, out)
		}
	}
}

// TestItemsSideBySide: B21 shows what both makers record, then what one of them does, and what sockets just made hold.
func TestItemsSideBySide(t *testing.T) {
	t.Parallel()
	rows := decodeRows(t, mustRun(t, "book", "--stacks", both, "--statement", "B21", "--format", "json"))
	if len(rows) != 1 || len(rows[0].Items) != trace.NumItems+1 {
		t.Fatalf("%+v", rows)
	}
	shared := map[string]string{}
	for _, item := range rows[0].Items {
		shared[item.Item] = item.Shared
		for _, s := range item.Stacks {
			for _, v := range []struct {
				Held, Value string
				Elsewhere   bool
			}{s.Connected, s.Made} {
				if v.Elsewhere != (s.Stack == "handwritten" && slices.Contains([]string{"backlog", "SYN queue", "accept queue"}, item.Item) && v == s.Connected) || (v.Held == "held") != (v.Value != "") || !slices.Contains([]string{"held", "none", "not-observable"}, v.Held) {
					t.Errorf("%s of %s: %+v", item.Item, s.Stack, v)
				}
			}
		}
		if item.Item == "receive buffer limit" {
			if made := []string{item.Stacks[0].Made.Held, item.Stacks[1].Made.Held}; !slices.Equal(made, []string{"held", "none"}) {
				t.Errorf("the receive buffer's limit in a socket just made: %v, want it held by gVisor alone", made)
			}
		}
	}
	for item, want := range map[string]string{
		"protocol": "common", "local address": "common", "local port": "common", "remote address": "common", "remote port": "common", "state": "common",
		"cwnd": "common", "TS.Recent": "nobodys", "pending error": "nobodys",
	} {
		if shared[item] != want {
			t.Errorf("%s is %q, want %q", item, shared[item], want)
		}
	}
	text := mustRun(t, "book", "--stacks", both, "--statement", "B21")
	_, items, _ := strings.Cut(text, "Control information side by side")
	if !regexp.MustCompile(`(?s)Common to all.*state +ESTABLISHED +ESTABLISHED.*another socket\n +accept queue, limit +- +128 \*\n.*In a socket just made.*receive buffer, limit +\d+ octets +-\n`).MatchString(items) {
		t.Errorf("the items:\n%s", text)
	}
	// The run is that of the first ladder, and the counts are those of the rows.
	common := 0
	for _, item := range rows[0].Items {
		if item.Shared == "common" && item.Item != "state" {
			common++
		}
	}
	for _, want := range []string{
		"Both ends of one run: plain (client gvisor, server handwritten).", fmt.Sprintf("Common to all: %d items, and the state\n", common),
	} {
		if !strings.Contains(items, want) {
			t.Errorf("nothing says %q:\n%s", want, items)
		}
	}
	for i, s := range rows[0].Stacks {
		host := []string{"client", "server"}[i] // where gVisor is
		if want := fmt.Sprintf("%d items on both sides once connected; in a socket just made only the %s holds: ", common, host); !strings.HasPrefix(s.Observed, want) {
			t.Errorf("%s is said to be %q, want %q", s.Stack, s.Observed, want)
		}
	}
	// Without --stacks too, of a pair of two; of a pair of one there is nothing to be seen.
	pair := mustRun(t, "book", "plain", "--client", "gvisor", "--server", "handwritten", "--statement", "B21")
	if !strings.Contains(pair, "B21  holds") || !regexp.MustCompile(`(?m)^ +gvisor +handwritten$`).MatchString(pair) {
		t.Errorf("of a pair:\n%s", pair)
	}
	if !strings.Contains(mustRun(t, "book", "plain", "--client", "gvisor", "--server", "handwritten", "--statement", "B21", "--format", "json"), `"items": [`) {
		t.Error("of a pair JSON has no items")
	}
	if one := mustRun(t, "book", "plain", "--statement", "B21"); strings.Contains(one, "side by side") {
		t.Errorf("of one stack:\n%s", one)
	}
}

// TestBookColumnsLeaveOutWhatOneCannot: it is told, and the other stack's column has it.
func TestBookColumnsLeaveOutWhatOneCannot(t *testing.T) {
	t.Parallel()
	got := connectlab("book", "plain", "urgent", "--stacks", both, "--statement", "B7", "--format", "json")
	if problem := notOneLine(got.stderr, "left out", "urgent", "gvisor"); got.status != exitOK || problem != "" {
		t.Fatalf("exit status %d, stderr %q %s", got.status, got.stderr, problem)
	}
	r := decodeRows(t, got.stdout)[0]
	if r.Stacks[0].Verdict != "not-exercised" || r.Stacks[1].Verdict != "holds" || r.Stacks[1].Story != "urgent" {
		t.Errorf("%+v", r)
	}
}

// What no stack can do is told once, and not once a stack.
func TestBookColumnsTellOnceWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	got := connectlab("book", "--stacks", "gvisor,handwritten", "--mtu", "576", "--statement", "B1")
	if n := strings.Count(got.stderr, "left out: ipv6: "); n != 1 {
		t.Errorf("told %d times:\n%s", n, got.stderr)
	}
}

// TestLaddersOfStacks: one after the other.
func TestLaddersOfStacks(t *testing.T) {
	t.Parallel()
	out := mustRun(t, "book", "--ladder", "--stacks", both, "refused", "--columns", "100")
	first, second := strings.Index(out, "gvisor connects to gvisor"), strings.Index(out, "handwritten connects to handwritten")
	if first < 0 || second < first || strings.Count(out, "━━ refused ━") != 2 {
		t.Errorf("ladders at %d and %d:\n%s", first, second, out)
	}
}

// TestFailuresNameTheStack: of a story that runs on several.
func TestFailuresNameTheStack(t *testing.T) {
	t.Parallel()
	file := write(t, t.TempDir(), "own.story", "client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\nclient: connect(3, server:80) = 0\n")
	got := connectlab("book", file, "--stacks", both)
	if got.status != exitFailed || strings.Count(got.stderr, "\n") != 2 || !strings.Contains(got.stderr, file+" (gvisor):2: ") || !strings.Contains(got.stderr, file+" (handwritten):2: ") {
		t.Errorf("exit status %d, stderr %s", got.status, got.stderr)
	}
}

// TestEachStackTellsAllItCan: no built-in story that a stack can do is left out of its column.
func TestEachStackTellsAllItCan(t *testing.T) {
	t.Parallel()
	told := map[string]bool{}
	for _, r := range decodeRows(t, mustRun(t, "book", "--stacks", both, "--format", "json", "--statement", "B19")) {
		for _, also := range r.Stacks[1].Also {
			told[also.Story] = true
		}
		told[r.Stacks[1].Story] = true
	}
	hand, err := (&program{}).stack("stacks", "handwritten")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range script.NamesFor(hand, hand) {
		if !told[name] && name != "fresh-send" { // in which the stack itself brings nothing
			t.Errorf("%s is not in the column of handwritten", name)
		}
	}
}
