package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/diff"
	"connectlab/trace/rfc9293"
	"connectlab/trace/wire"

	"github.com/google/go-cmp/cmp"
)

// grid is what compare prints as JSON, as somebody would write it who has only read JSON.md.
type grid struct {
	Version int
	Stacks  []string
	Seed    uint64
	Stories []gridStory
}

type gridStory struct {
	Name  string
	Pairs []gridPair
}

type gridPair struct {
	Client, Server string
	Lacks          []struct{ Host, Stack, Need string }
	Error          string
	Connects       []struct {
		Host, Program string
		Event         int
		Returned      bool
		Result        int64
		Errno         string
		After         int64 `json:"after_ns"`
	}
	Hosts []gridHost
	Ends  []struct {
		Host   string
		Socket int
		State  string
	}
	Returned  int64 `json:"returned_at_ns"`
	End       string
	EndAt     int64 `json:"end_at_ns"`
	Blocked   int
	AsWritten bool `json:"as_written"`
	Failures  []string
	Differs   []struct {
		With      string
		Got, Went []struct{ Aspect, Field, A, B string }
		Diff      json.RawMessage
	}
}

type gridHost struct {
	Host     string
	Sent     int64 `json:"sent_octets"`
	Received int64 `json:"received_octets"`
	Checked  int64 `json:"checked_octets"`
	Wrong    bool
	Errors   []string
	Segments int
	Again    int `json:"segments_again"`
	wrongPackets
}

type wrongPackets struct {
	Malformed   int
	BadChecksum int `json:"bad_checksum"`
	TooLong     int `json:"too_long"`
}

func decodeGrid(t *testing.T, text string) (g grid) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&g); err != nil {
		t.Fatal(err)
	}
	if d.More() {
		t.Error("something stands behind the grid")
	}
	if !strings.Contains(text, `"diff"`) && strings.Contains(text, "null") {
		t.Error("a key is null")
	}
	return g
}

// pairs are the cells of a story's grid, by the names of client and server.
func (s *gridStory) pairs() map[string]*gridPair {
	m := map[string]*gridPair{}
	for i := range s.Pairs {
		m[s.Pairs[i].Client+" "+s.Pairs[i].Server] = &s.Pairs[i]
	}
	return m
}

// What a cell says is what the trace says that `connectlab run` makes of the pair.
func TestCompareSaysWhatTheTracesSay(t *testing.T) {
	t.Parallel()
	names := []string{"plain", "refused", "half-close", "half-open-a", "full-accept-queue"}
	g := decodeGrid(t, mustRun(t, append([]string{"compare", "--format", "json", "--seed", "3"}, names...)...))
	if diff := cmp.Diff([]string{"gvisor", "handwritten"}, g.Stacks); diff != "" || g.Version != 1 || g.Seed != 3 || len(g.Stories) != len(names) {
		t.Fatalf("version %d, seed %d, %d stories, stacks (-want +got)\n%s", g.Version, g.Seed, len(g.Stories), diff)
	}
	for n, story := range g.Stories {
		if story.Name != names[n] || len(story.Pairs) != 4 {
			t.Fatalf("story %d is %s with %d pairs, want %s with 4", n, story.Name, len(story.Pairs), names[n])
		}
		for i, p := range story.Pairs {
			if p.Client != g.Stacks[i/2] || p.Server != g.Stacks[i%2] {
				t.Errorf("%s, pair %d: %s to %s", story.Name, i, p.Client, p.Server)
			}
			tr, err := trace.Read(strings.NewReader(mustRun(t, "run", story.Name, "--seed", "3", "--client", p.Client, "--server", p.Server, "--format", "json")), "run", wire.Decode)
			if err != nil {
				t.Fatal(err)
			}
			segments := map[string]int{}
			returns := map[int]string{}
			for _, e := range tr.Events {
				switch d := e.Detail.(type) {
				case *trace.Sent:
					segments[e.Host]++
				case *trace.Return:
					returns[d.Call] = fmt.Sprintf("%s %d %s %d", e.Host, d.Result, d.Errno, e.At-tr.Event(d.Call).At)
				default:
				}
			}
			for _, c := range p.Connects {
				if got := fmt.Sprintf("%s %d %s %d", c.Host, c.Result, c.Errno, c.After); got != returns[c.Event] || tr.Event(c.Event).Detail.(*trace.Call).Name != "connect" {
					t.Errorf("%s, %s to %s: event %d is %q, in the trace %q", story.Name, p.Client, p.Server, c.Event, got, returns[c.Event])
				}
			}
			for _, h := range p.Hosts {
				if h.Segments != segments[h.Host] || h.Checked != h.Received || h.Wrong {
					t.Errorf("%s, %s to %s: %+v; the trace has %d segments", story.Name, p.Client, p.Server, h, segments[h.Host])
				}
			}
			if p.EndAt != int64(tr.End.At) || p.End != tr.End.Reason.String() || p.Blocked != len(tr.End.Blocked) || !p.AsWritten || len(p.Failures) > 0 {
				t.Errorf("%s, %s to %s: %+v; the trace ended %+v", story.Name, p.Client, p.Server, p, tr.End)
			}
		}
	}
	plain := g.Stories[0].pairs()
	if h := plain["gvisor handwritten"].Hosts; h[0].Received != 5 || h[1].Received != 5 || h[0].Sent != 5 || h[1].Sent != 5 {
		t.Errorf("plain: %+v, want 5 octets each way", h)
	}
	if d := plain["gvisor gvisor"].Differs; len(d) > 0 {
		t.Errorf("the first pair of the diagonal is unlike %v", d)
	}
	if d := plain["handwritten handwritten"].Differs; len(d) != 1 || d[0].With != "gvisor" || len(d[0].Got) > 0 || len(d[0].Went) == 0 {
		t.Errorf("the second pair of the diagonal differs %+v", d)
	}
}

// All stories are there, and of one that a pair cannot do, what it lacks.
func TestCompareAllStories(t *testing.T) {
	t.Parallel()
	g := decodeGrid(t, mustRun(t, "compare", "--format", "json"))
	var names []string
	for _, s := range g.Stories {
		names = append(names, s.Name)
		cannot := map[string]string{"ethernet": "handwritten Ethernet", "nobody-ethernet": "handwritten Ethernet", "ecn": "gvisor ECN", "urgent": "gvisor urgent data"}
		for _, p := range s.Pairs {
			var want []string
			stack, need, _ := strings.Cut(cannot[s.Name], " ")
			if s.Name == "syn-cookies" && p.Server == "handwritten" {
				want = []string{"server handwritten SYN cookies"}
			}
			for i, name := range []string{p.Client, p.Server} {
				if name == stack {
					want = append(want, fmt.Sprintf("%s %s %s", []string{"client", "server"}[i], name, need))
				}
			}
			var got []string
			for _, l := range p.Lacks {
				got = append(got, l.Host+" "+l.Stack+" "+l.Need)
			}
			if diff := cmp.Diff(want, got); diff != "" || (want == nil) != (p.End != "") {
				t.Errorf("%s, %s to %s: end %q, lacks (-want +got)\n%s", s.Name, p.Client, p.Server, p.End, diff)
			}
			if len(p.Failures) > 0 || p.Error != "" {
				t.Errorf("%s, %s to %s: %q %q", s.Name, p.Client, p.Server, p.Failures, p.Error)
			}
		}
	}
	if diff := cmp.Diff(script.Names(), names); diff != "" {
		t.Errorf("stories (-want +got)\n%s", diff)
	}
}

// The rows of the text have the numbers of the JSON, in both languages; so has Markdown.
func TestCompareAsTextAndMarkdown(t *testing.T) {
	t.Parallel()
	args := []string{"compare", "plain", "send-and-close", "fresh-send", "ecn"}
	g := decodeGrid(t, mustRun(t, append(args, "--format", "json")...))
	for _, more := range [][]string{{}, {"--lang", "ko"}, {"--columns", "200"}, {"--format", "markdown"}, {"--format", "markdown", "--lang", "ko"}} {
		text := mustRun(t, append(slices.Clone(args), more...)...)
		if again := mustRun(t, append(slices.Clone(args), more...)...); again != text {
			t.Errorf("%v: not the same a second time", more)
		}
		lines := strings.Split(text, "\n")
		for _, s := range g.Stories {
			for _, p := range s.Pairs {
				want := p.Client + " → " + p.Server
				pattern := regexp.QuoteMeta(want) + `.*`
				switch {
				case len(p.Lacks) > 0:
					pattern += `: ECN.*gvisor`
				default:
					pattern += fmt.Sprintf(`\b%d\+%d\b.*\b%d\+%d\b.*\b%s\b`, p.Hosts[1].Received, p.Hosts[0].Received, p.Hosts[0].Segments, p.Hosts[1].Segments,
						regexp.QuoteMeta(strings.TrimRight(fmt.Sprintf("%d.%09d", p.EndAt/1e9, p.EndAt%1e9), "0.")))
				}
				if !slices.ContainsFunc(lines, func(line string) bool { return regexp.MustCompile(pattern).MatchString(line) }) {
					t.Errorf("%v: %s, no line has %s:\n%s", more, s.Name, pattern, text)
				}
			}
		}
		for _, want := range []string{"send EPIPE", "send ENOTCONN", "≠ gvisor", "plain", "fresh-send"} {
			if !strings.Contains(text, want) {
				t.Errorf("%v: nothing says %q:\n%s", more, want, text)
			}
		}
		if slices.Contains(more, "markdown") {
			for _, line := range lines {
				if strings.HasPrefix(line, "|") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 8 {
					t.Errorf("%v: a row of another width: %s", more, line)
				}
			}
		}
	}
}

// A terminal sees the same in colours; NO_COLOR takes them away.
func TestCompareInColour(t *testing.T) {
	t.Parallel()
	plain := mustRun(t, "compare", "fresh-send", "--columns", "100")
	if strings.Contains(plain, "\x1b") {
		t.Error("colours, and there is no terminal")
	}
	colour := with(program{outWidth: 100}, "compare", "fresh-send")
	if !strings.Contains(colour.stdout, "\x1b[") || regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(colour.stdout, "") != plain {
		t.Errorf("with colours: %q", colour.stdout)
	}
	if got := with(program{outWidth: 100, noColor: true}, "compare", "fresh-send"); got.stdout != plain {
		t.Errorf("without: %q", got.stdout)
	}
}

// bentFactory makes gVisor stacks with one thing wrong: to the program another stack.
type bentFactory struct {
	netns.Factory
	bend func(netns.Stack) netns.Stack
}

func (f bentFactory) Info() netns.Info {
	info := f.Factory.Info()
	info.Name = "bent"
	return info
}

func (f bentFactory) New(env netns.Env) (netns.Stack, error) {
	s, err := f.Factory.New(env)
	if err != nil {
		return nil, err
	}
	return f.bend(s), nil
}

// deaf does not hear RST.
type deaf struct{ netns.Stack }

func (d deaf) Deliver(packet []byte) {
	const flags = 20 + 13 // behind an IPv4 header without options
	if trace.Flags(packet[flags]).Has(trace.RST) {
		return
	}
	d.Stack.Deliver(packet)
}

func withBent(factory netns.Factory) program {
	return program{stacks: []namedStack{{"bent", factory}}}
}

// A wrong stack shows in the pairs that it is in, in what, and in the exit status where the story expected something else.
func TestCompareShowsAWrongStack(t *testing.T) {
	t.Parallel()
	p := withBent(bentFactory{&gvisor.Factory{}, func(s netns.Stack) netns.Stack { return deaf{s} }})
	got := with(p, "compare", "refused", "--stacks", "gvisor,bent", "--format", "json")
	g := decodeGrid(t, got.stdout)
	pairs := g.Stories[0].pairs()
	for name, wrong := range map[string]bool{"gvisor gvisor": false, "gvisor bent": false, "bent gvisor": true, "bent bent": true} {
		c := pairs[name].Connects[0]
		if errno := map[bool]string{false: "ECONNREFUSED", true: "ETIMEDOUT"}[wrong]; c.Errno != errno {
			t.Errorf("%s: connect() returned %s, want %s", name, c.Errno, errno)
		}
		var fields []string
		for _, d := range pairs[name].Differs {
			if len(d.Got) > 0 {
				fields = append(fields, d.With+" "+d.Got[0].Field+" "+d.Got[0].A)
			}
		}
		want := map[string][]string{
			"gvisor bent": {"bent connect client: -1 ECONNREFUSED"}, "bent gvisor": {"gvisor connect client: -1 ETIMEDOUT"}, "bent bent": {"gvisor connect client: -1 ETIMEDOUT"},
		}[name]
		if diff := cmp.Diff(want, fields); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		if (len(pairs[name].Failures) > 0) != wrong {
			t.Errorf("%s: failures %q", name, pairs[name].Failures)
		}
	}
	if got.status != exitFailed {
		t.Errorf("exit status %d, want %d", got.status, exitFailed)
	}
	said := strings.Split(strings.TrimSpace(got.stderr), "\n")
	for _, line := range said {
		if !regexp.MustCompile(`^connectlab: refused\.story \(bent → (gvisor|bent)\): line \d+: .*expected .*got `).MatchString(line) {
			t.Errorf("stderr %q", line)
		}
	}
	if len(said) != 2 {
		t.Errorf("stderr has %d lines, want one for each pair with a client that waits in vain", len(said))
	}
	text := with(p, "compare", "refused", "--stacks", "gvisor,bent").stdout
	for _, want := range []string{"-1 ETIMEDOUT", "not what the story expects", "≠ gvisor: connect()", "connect() of the client: -1 ETIMEDOUT, there -1 ECONNREFUSED"} {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("nothing says %q:\n%s", want, text)
		}
	}
}

// sloppy does something to each packet that it sends.
type sloppy struct {
	netns.Stack
	do func(packet []byte) []byte
}

func (s sloppy) Take(buf []byte) (packet []byte, lost, ok bool) {
	packet, lost, ok = s.Stack.Take(buf)
	if ok {
		packet = s.do(packet)
	}
	return packet, lost, ok
}

// Packets that no stack should send are counted where they were sent, in words and in JSON.
func TestCompareTellsOfWrongPackets(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]struct {
		do     func([]byte) []byte
		counts func(n int) wrongPackets
	}{
		"packets malformed": {
			func(b []byte) []byte { return append(b[:0], 1, 2, 3) },
			func(n int) wrongPackets { return wrongPackets{Malformed: n} },
		},
		"bad checksums": {
			func(b []byte) []byte {
				b[20+16] ^= 1 // of TCP
				return b
			},
			func(n int) wrongPackets { return wrongPackets{BadChecksum: n} },
		},
		"packets too long for the link": {
			func(b []byte) []byte { return append(b, make([]byte, 3000)...) },
			func(n int) wrongPackets { return wrongPackets{TooLong: n} },
		},
	} {
		p := withBent(bentFactory{&gvisor.Factory{}, func(s netns.Stack) netns.Stack { return sloppy{s, c.do} }})
		args := []string{"compare", "silent-host", "--stacks", "gvisor,bent", "--until", "5s"}
		text := strings.Join(strings.Fields(with(p, args...).stdout), " ")
		pairs := decodeGrid(t, with(p, append(args, "--format", "json")...).stdout).Stories[0].pairs()
		sent := pairs["gvisor gvisor"].Hosts[0].Segments
		for name, n := range map[string]int{"gvisor gvisor": 0, "gvisor bent": 0, "bent gvisor": sent, "bent bent": sent} {
			if diff := cmp.Diff(c.counts(n), pairs[name].Hosts[0].wrongPackets); diff != "" {
				t.Errorf("%s: %s of the client (-want +got)\n%s", want, name, diff)
			}
		}
		if want = fmt.Sprintf("client %d %s", sent, want); sent < 2 || strings.Count(text, want) != 2 {
			t.Errorf("%d lines say %q, want two:\n%s", strings.Count(text, want), want, text)
		}
	}
}

// Where no story at all can be run, one line says why, and the exit status that nothing was compared.
func TestCompareThatRunsNothing(t *testing.T) {
	t.Parallel()
	got := connectlab("compare", "--ipv6", "--mtu", "600")
	if problem := notOneLine(got.stderr, "plain", "MTU of 600"); got.status != exitUsage || got.stdout != "" || problem != "" {
		t.Errorf("exit status %d, stdout %q, %s", got.status, got.stdout, problem)
	}
}

// A story has the name in the table that run gives it; two of one name have those that the user gave them.
func TestCompareNamesStoriesAsRunDoes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "mine.story")
	if err := os.WriteFile(path, []byte(plainText(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	if head, _, _ := strings.Cut(connectlab("run", path).stdout, "\n"); !strings.HasPrefix(head, "━━ mine ━") {
		t.Fatalf("run heads it %q", head)
	}
	other := filepath.Join(t.TempDir(), "mine.story")
	if err := os.WriteFile(other, []byte(plainText(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, want []string }{
		{[]string{path, "plain"}, []string{"mine", "plain"}},
		{[]string{path, "plain", other}, []string{path, "plain", other}},
	} {
		var names []string
		for _, s := range decodeGrid(t, connectlab(append(append([]string{"compare"}, c.args...), "--format", "json")...).stdout).Stories {
			names = append(names, s.Name)
		}
		if diff := cmp.Diff(c.want, names); diff != "" {
			t.Errorf("compare %q (-want +got)\n%s", c.args, diff)
		}
	}
}

// plainText is the built-in story plain.
func plainText(t *testing.T) string {
	t.Helper()
	s, err := script.Builtin("plain")
	if err != nil {
		t.Fatal(err)
	}
	return s.Text
}

// That stacks differ is no failure: the story fresh-send leaves the error open.
func TestCompareDifferenceIsNoFailure(t *testing.T) {
	t.Parallel()
	got := connectlab("compare", "fresh-send")
	if got.status != exitOK || got.stderr != "" || !strings.Contains(got.stdout, "do not get the same") {
		t.Errorf("%+v", got)
	}
}

// A stack that breaks is told, and the other pairs are compared all the same.
func TestCompareWithAStackThatBreaks(t *testing.T) {
	t.Parallel()
	p := withBent(onceFactory{bentFactory{&gvisor.Factory{}, func(s netns.Stack) netns.Stack { return s }}})
	got := with(p, "compare", "half-open-a", "--stacks", "gvisor,bent")
	if got.status != exitFailed || strings.Count(got.stderr, "\n") != 2 || strings.Count(got.stderr, errOnce.Error()) != 2 || !strings.Contains(got.stderr, "half-open-a.story (gvisor → bent): ") {
		t.Errorf("exit status %d, stderr %q", got.status, got.stderr)
	}
	for _, want := range []string{"the run broke off", "recv ECONNRESET", "not what the story expects"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("nothing says %q:\n%s", want, got.stdout)
		}
	}
}

// In another world than the stories' own what observers see is not judged, and a story that cannot be there is left out.
func TestCompareInAnotherWorld(t *testing.T) {
	t.Parallel()
	got := connectlab("compare", "--mtu", "1000", "--delay", "50ms", "--format", "json")
	if got.status != exitOK || strings.Count(got.stderr, "\n") != 2 || !strings.Contains(got.stderr, "left out: ipv6: ") || !strings.Contains(got.stderr, "--delay, --mtu") {
		t.Errorf("exit status %d, stderr %q", got.status, got.stderr)
	}
	g := decodeGrid(t, got.stdout)
	for _, s := range g.Stories {
		for _, p := range s.Pairs {
			if p.AsWritten || s.Name == "ipv6" {
				t.Errorf("%s, %s to %s: as written %v", s.Name, p.Client, p.Server, p.AsWritten)
			}
		}
	}
	g = decodeGrid(t, connectlab("compare", "plain", "--bytes", "100000", "--fault", "drop client data#2", "--format", "json").stdout)
	for _, p := range g.Stories[0].Pairs {
		if p.Hosts[1].Checked != 100000 || p.Hosts[0].Checked != 100000 || p.Hosts[0].Again == 0 {
			t.Errorf("%s to %s: %+v; want 100,000 octets each way, and a segment again", p.Client, p.Server, p.Hosts)
		}
	}
}

// With --diff, what diff says of the two traces stands behind the table, for each pair that is unlike one of its stacks with itself.
func TestCompareWithDiff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := dir+"/a.trace", dir+"/b.trace"
	mustRun(t, "run", "half-close", "--client", "gvisor", "--server", "handwritten", "--out", a)
	mustRun(t, "run", "half-close", "--client", "handwritten", "--server", "handwritten", "--out", b)
	want := mustRun(t, "diff", a, b)
	_, want, _ = strings.Cut(want, "\n\n")              // the heading names the files
	runs, want, _ := strings.Cut(want, "\nMade alike ") // what is told once of all pairs
	basis, want, _ := strings.Cut(want, "\n\nWhere they part first")
	basis, _, _ = strings.Cut(basis, "\n\n")
	want = runs + "\nWhere they part first" + want
	text := mustRun(t, "compare", "half-close", "--diff")
	if table := mustRun(t, "compare", "half-close"); !strings.HasPrefix(text, table) {
		t.Error("--diff changes the table")
	}
	if !strings.Contains(text, want) {
		t.Errorf("nothing in\n%s\nis what diff says:\n%s", text, want)
	}
	if strings.Count(text, "\nMade alike "+basis) != 1 || strings.Count(text, "\nNot made alike") != 1 {
		t.Errorf("how they are compared is not told once:\n%s", text)
	}
	whole := mustRun(t, "diff", a, b, "--format", "json")
	for _, s := range decodeGrid(t, mustRun(t, "compare", "half-close", "refused", "--diff", "--format", "json")).Stories {
		n := 0
		for _, p := range s.Pairs {
			for _, d := range p.Differs {
				n++
				if !json.Valid(d.Diff) || len(d.Diff) == 0 {
					t.Errorf("%s, %s to %s: diff %q", s.Name, p.Client, p.Server, d.Diff)
				}
				if p.Client == "gvisor" && p.Server == "handwritten" && d.With == "handwritten" && compact(t, d.Diff) != compact(t, []byte(whole)) {
					t.Errorf("%s: the two are compared\n%s\nwant\n%s", s.Name, d.Diff, whole)
				}
			}
		}
		if want := map[string]int{"half-close": 5, "refused": 0}[s.Name]; n != want {
			t.Errorf("%s: %d comparisons, want %d", s.Name, n, want)
		}
	}
}

func compact(t *testing.T, text []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What cannot be written is an error.
func TestCompareOntoAFullDisk(t *testing.T) {
	t.Parallel()
	var said strings.Builder
	p := program{args: []string{"connectlab", "compare", "refused"}, stdin: strings.NewReader(""), stdout: fullDisk{}, stderr: &said}
	if status := p.main(); status != exitUsage || !strings.Contains(said.String(), "the disk") {
		t.Errorf("exit status %d, stderr %q", status, said.String())
	}
}

// Pairs that part in the same as one above are told in a line, which names a heading that stands above and is followed by what it tells.
func TestCompareTellsTheSamePartingOnce(t *testing.T) {
	t.Parallel()
	out := mustRun(t, "compare", "half-open-b", "silent-host", "--diff", "--columns", "200")
	refers := regexp.MustCompile(`(?m)^They part first in the same move, .* as above: (.*)\.$`).FindAllStringSubmatchIndex(out, -1)
	if len(refers) == 0 {
		t.Fatalf("none refers to another:\n%s", out)
	}
	for _, r := range refers {
		title := out[r[2]:r[3]]
		if at := strings.Index(out[:r[0]], "━━ "+title+" ━"); at < 0 || !strings.Contains(out[at:r[0]], "Where they part first") {
			t.Errorf("nothing above is %q", title)
		}
	}
	// Each pair is told, in the one way or the other.
	if told := strings.Count(out, "\nWhere they part first") + len(refers); told != strings.Count(out, " ≠ gvisor ━")+strings.Count(out, " ≠ handwritten ━") {
		t.Errorf("%d of the pairs are told:\n%s", told, out)
	}
}

// What is A and what is B is nothing that two partings differ in; all else is.
func TestPartingsAreTheSame(t *testing.T) {
	t.Parallel()
	d := func(change func(*diff.Divergence)) *diff.Result {
		d := &diff.Divergence{
			A: diff.Place{Event: 5, Host: "client", Socket: 1}, B: diff.Place{Event: 6, Host: "client", Socket: 1}, State: trace.SynSent,
			Differences: []diff.Difference{{Aspect: diff.Window, Field: "SEG.WND", A: "1", B: "2"}},
			Ruling:      diff.Ruling{Rule: "r", A: rfc9293.Keeps, B: rfc9293.Breaks},
		}
		change(d)
		return &diff.Result{First: d, FirstBroken: d}
	}
	want := partingOf("s", d(func(*diff.Divergence) {}))
	for name, tt := range map[string]struct {
		same   bool
		change func(*diff.Divergence)
	}{
		"mirrored": {true, func(d *diff.Divergence) {
			d.A, d.B = d.B, d.A
			d.Differences[0].A, d.Differences[0].B = "2", "1"
			d.Ruling.A, d.Ruling.B = d.Ruling.B, d.Ruling.A
		}},
		"other numbers of events": {true, func(d *diff.Divergence) { d.A.Event++ }},
		"half mirrored":           {false, func(d *diff.Divergence) { d.Ruling.A, d.Ruling.B = d.Ruling.B, d.Ruling.A }},
		"another value":           {false, func(d *diff.Divergence) { d.Differences[0].B = "3" }},
		"another rule":            {false, func(d *diff.Divergence) { d.Ruling.Rule = "q" }},
		"another time":            {false, func(d *diff.Divergence) { d.A.At++ }},
		"only one has it":         {false, func(d *diff.Divergence) { d.A.Event = 0 }},
	} {
		if got := partingOf("s", d(tt.change)) == want; got != tt.same {
			t.Errorf("%s: the same is %t", name, got)
		}
	}
	if partingOf("other", d(func(*diff.Divergence) {})) == want {
		t.Error("two stories part in the same")
	}
}
