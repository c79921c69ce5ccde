package view

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// diagram draws a trace that is not too long.
func diagram(t testing.TB, tr *trace.Trace, o Options) string {
	t.Helper()
	var b strings.Builder
	if leftOut, err := Mermaid(&b, tr, o); err != nil || leftOut != 0 {
		t.Fatalf("%d events left out, error %v", leftOut, err)
	}
	return b.String()
}

func TestMermaidOfTrouble(t *testing.T) {
	golden(t, "testdata/mermaid.txtar", troubled(t), []named{{"mermaid", func(w io.Writer, tr *trace.Trace, o Options) error {
		_, err := Mermaid(w, tr, o)
		return err
	}}})
}

// faulty runs a story with another seed and with rules of the link.
func faulty(t testing.TB, name string, seed uint64, rules ...string) *trace.Trace {
	t.Helper()
	cfg := netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: seed}
	for _, rule := range rules {
		f, err := netns.ParseFault(rule)
		if err != nil {
			t.Fatal(err)
		}
		cfg.Faults = append(cfg.Faults, f)
	}
	s, err := script.Builtin(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := script.Run(s, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r.Trace
}

// manyTraces are runs in which all happens that a diagram has to tell.
func manyTraces(t testing.TB) map[string]*trace.Trace {
	all := map[string]*trace.Trace{"trouble": troubled(t)}
	for _, name := range script.NamesFor(&gvisor.Factory{}, &gvisor.Factory{}) {
		if name == "many" { // is cut
			continue
		}
		for _, seed := range []uint64{1, 77} {
			all[fmt.Sprintf("%s, seed %d", name, seed)] = faulty(t, name, seed)
		}
	}
	for _, rule := range []string{
		"drop client any 30%", "delay client any 50% .013", "delay client SYN#1 2", "duplicate server any 50% .007", "duplicate client any", "corrupt client data#1 52.7",
		"reorder client any#2 2", "reorder server any 40% 1",
	} {
		all[rule] = faulty(t, "half-close", 3, rule)
	}
	return all
}

var (
	arrowLine = regexp.MustCompile(`^    (client|server)(->>|-->>|-x|--x)(client|server): (\d+\.\d+)(?: → (\d+\.\d+))?[ <]`)
	noteLine  = regexp.MustCompile(`^    Note (left of client|right of server|over client,server): (\d+\.\d+) `)
)

// TestMermaidIsTrueOfBothHosts: down a host's line time never goes back, at whichever end of an arrow the line is, and
// each packet's sending and landing stands there once.
func TestMermaidIsTrueOfBothHosts(t *testing.T) {
	whole, split := 0, 0
	for name, tr := range manyTraces(t) {
		var sent, landed, lost int
		first := steps(tr)
		for i := range tr.Events {
			e := &tr.Events[i]
			switch d := e.Detail.(type) {
			case *trace.Sent:
				sent++
			case *trace.Arrived:
				landed++
			case *trace.Fate:
				if d.Kind.Lost() && first[i] == first[e.Cause-1] {
					lost++
				} else if d.Kind.Lost() {
					landed++
				}
			default:
			}
		}
		gotSent, gotLanded, gotLost := 0, 0, 0
		at := map[string]float64{}
		seen := func(host, line, seconds string) {
			now, err := strconv.ParseFloat(seconds, 64)
			if err != nil {
				t.Fatal(err)
			}
			if now < at[host] {
				t.Errorf("%s: the line of %s goes back from %v to %v:\n%s", name, host, at[host], now, line)
			}
			at[host] = now
		}
		text := diagram(t, tr, Options{})
		for line := range strings.Lines(text) {
			if m := noteLine.FindStringSubmatch(line); m != nil {
				for _, host := range []string{"client", "server"} {
					if strings.Contains(m[1], host) {
						seen(host, line, m[2])
					}
				}
				gotSent += len(regexp.MustCompile(`[ >]sends(?: |<br/>)[A-Z\d]`).FindAllString(line, -1))
			}
			m := arrowLine.FindStringSubmatch(line)
			if m == nil {
				continue
			}
			from, sign, to, leaves, lands := m[1], m[2], m[3], m[4], cmp.Or(m[5], m[4])
			switch {
			case sign == "-x" && strings.Contains(line, "✗ lost") && m[5] == "":
				gotLost++
				gotSent++
				seen(from, line, leaves)
				continue
			case sign == "->>" || sign == "-x":
				whole++
				gotSent++
				seen(from, line, leaves)
			default:
				split++
			}
			gotLanded++
			seen(to, line, lands)
		}
		want, got := [3]int{sent, landed, lost}, [3]int{gotSent, gotLanded, gotLost}
		if want != got {
			t.Errorf("%s: sent, landed, lost: got %v, want %v\n%s", name, got, want, text)
		}
	}
	if whole < 100 || split < 100 {
		t.Errorf("%d arrows in one piece and %d in two: too few of one kind to show anything", whole, split)
	}
}

// misplaced draws a trace and holds, for each host, the order of its events down its line against their order in the
// record. It returns the first event that stands wrong; 0: none does.
func misplaced(tr *trace.Trace) int {
	m := newMermaid(tr, &Options{})
	m.head()
	eachStep(tr, m.step)
	type stands struct{ line, n int } // an event of number n, where the event of number line is drawn
	var hosts [2][]stands
	for i := range tr.Events {
		e := &tr.Events[i]
		s := m.side(e.Host)
		switch d := e.Detail.(type) {
		case *trace.Call, *trace.Timer, *trace.Note:
			hosts[s] = append(hosts[s], stands{e.N, e.N})
		case *trace.Return:
			if e.Cause != d.Call {
				hosts[s] = append(hosts[s], stands{e.N, e.N})
			}
		case *trace.StateChange:
			if d.From != d.To {
				hosts[s] = append(hosts[s], stands{e.N, e.N})
			}
		case *trace.HostChange:
			hosts[left], hosts[right] = append(hosts[left], stands{e.N, e.N}), append(hosts[right], stands{e.N, e.N})
		case *trace.Sent:
			h := m.hops[e.N]
			at := e.N
			if h.drawn == atArrival {
				at = h.landings[0]
			}
			hosts[s] = append(hosts[s], stands{at, e.N})
			for i, n := range h.landings {
				at := n
				if i == 0 && h.drawn == atSending {
					at = e.N
				}
				hosts[s.other()] = append(hosts[s.other()], stands{at, n})
			}
		case *trace.Arrived:
			if m.o.arrivalTrouble(d.Packet) != "" { // has a note of its own
				hosts[s] = append(hosts[s], stands{e.N, e.N})
			}
		case *trace.Fate, *trace.Control:
		}
	}
	for _, line := range hosts {
		slices.SortFunc(line, func(a, b stands) int { return a.line - b.line })
		for i := range line {
			if i > 0 && line[i].n < line[i-1].n {
				return line[i].n
			}
		}
	}
	return 0
}

// TestMermaidKeepsEachHostsOrder: to the event, also where many of them are at one time.
func TestMermaidKeepsEachHostsOrder(t *testing.T) {
	for name, tr := range manyTraces(t) {
		if n := misplaced(tr); n != 0 {
			t.Errorf("%s: event %d does not stand where it happened:\n%s", name, n, diagram(t, tr, Options{}))
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		var rules []string
		for range rapid.IntRange(1, 4).Draw(rt, "rules") {
			host := rapid.SampledFrom([]string{"client", "server"}).Draw(rt, "host")
			what := rapid.SampledFrom([]string{"any", "data", "ACK", "FIN,ACK"}).Draw(rt, "what")
			rules = append(rules, rapid.SampledFrom([]string{
				fmt.Sprintf("delay %s %s 40%% .0%d", host, what, rapid.IntRange(10, 30).Draw(rt, "ms")),
				fmt.Sprintf("reorder %s %s 40%% %d", host, what, rapid.IntRange(1, 3).Draw(rt, "many")),
				fmt.Sprintf("duplicate %s %s 40%% .0%d", host, what, rapid.IntRange(10, 30).Draw(rt, "later")),
				fmt.Sprintf("drop %s %s 30%%", host, what),
				fmt.Sprintf("corrupt %s %s 50%% 45.7", host, what),
			}).Draw(rt, "rule"))
		}
		name := rapid.SampledFrom([]string{"plain", "half-close", "simultaneous-close", "simultaneous-open", "full-accept-queue"}).Draw(rt, "story")
		if n := misplaced(faulty(t, name, rapid.Uint64().Draw(rt, "seed"), rules...)); n != 0 {
			rt.Fatalf("%s %q: event %d does not stand where it happened", name, rules, n)
		}
	})
}

// TestMermaidTellsEveryChangeOfState counts the states in the diagrams.
func TestMermaidTellsEveryChangeOfState(t *testing.T) {
	for name, tr := range manyTraces(t) {
		var want, got []string
		for i := range tr.Events {
			e := &tr.Events[i]
			if d, ok := e.Detail.(*trace.StateChange); ok && d.From != d.To {
				want = append(want, fmt.Sprintf("Note over %s: %d %s", e.Host, e.Socket, d.To))
			}
		}
		for line := range strings.Lines(diagram(t, tr, Options{})) {
			if line = strings.TrimSpace(line); regexp.MustCompile(`^Note over (client|server): `).MatchString(line) {
				got = append(got, line)
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("%s: states (-want +got)\n%s", name, diff)
		}
	}
}

func TestMermaidCutsWhatIsTooLong(t *testing.T) {
	tr := story(t, "many")
	for _, l := range languages {
		var b strings.Builder
		leftOut, err := Mermaid(&b, tr, Options{Language: l})
		if err != nil {
			t.Fatal(err)
		}
		all := len(tr.Events)
		if leftOut <= 0 || leftOut >= all {
			t.Fatalf("%d of %d events left out", leftOut, all)
		}
		if n := units(b.String()); n > MermaidLimit || n < MermaidLimit*9/10 {
			t.Errorf("%s: %d characters, want nearly %d and no more", l, n, MermaidLimit)
		}
		shown := html.UnescapeString(regexp.MustCompile(`#(\d+);`).ReplaceAllString(b.String(), "&#$1;"))
		shown = strings.ReplaceAll(shown, "<br/>", " ")
		if want := Text(l, "mermaid.cut", all-leftOut+1, all, leftOut, all, MermaidLimit); !strings.Contains(shown, want) {
			t.Errorf("%s: the diagram does not say %q", l, want)
		}
		if want := Text(l, "end.finished"); !strings.Contains(shown, want) {
			t.Errorf("%s: the diagram does not say how the run ended", l)
		}
	}
}

// TestMermaidKeepsWithinItsLimit: wherever the cut falls, and however many digits its numbers have.
func TestMermaidKeepsWithinItsLimit(t *testing.T) {
	tr := *story(t, "many")
	for _, l := range languages {
		most := 0
		for n := range 60 {
			tr.Header.Story.Name = strings.Repeat("a", n)
			var b strings.Builder
			if leftOut, err := Mermaid(&b, &tr, Options{Language: l}); err != nil || leftOut == 0 {
				t.Fatalf("%s: %d events left out, %v; want some", l, leftOut, err)
			}
			if most = max(most, units(b.String())); most > MermaidLimit {
				t.Fatalf("%s: %d characters with a name of %d, want at most %d", l, most, n, MermaidLimit)
			}
		}
		t.Logf("%s: at most %d characters", l, most)
	}
}

// hostile are texts that want to be more than a text.
var hostile = []string{
	"end", "END\nclient->>server: forged", "a; b #59; c #quot; &lt; &#60;", "%%{init: {\"theme\":\"dark\"}}%%", "%% gone", "<script>alert(1)</script>", "</br><b>bold</b>",
	"x$$\\frac{1}{2}$$", "wrap:nowrap:x", "style x:y#1;z", "classDef x:y#1;", "ﬂ°°60¶ß", "loop forever\r\nend", "@{ \"type\": \"actor\" }", "as \"x\"", "---\ntitle: x\n---",
	"호스트 끝; 🦊 e\u0301 \u202e", "\x1b[2J\x00\xff", "", " ", strings.Repeat("long ", 300), strings.Repeat("\u0301", 5000), "a\\nb<br/>c", "activate client", "()", "`x` *y* _z_ ~w~ [q](r)", "+client", "-x", "=;=",
}

// infested is a trace in which one text stands wherever a file can have one.
func infested(t testing.TB, text string) *trace.Trace {
	h := trace.Header{
		Story: trace.Story{Name: text}, Faults: []string{text}, Control: true,
		Hosts: []trace.HostInfo{{Name: text, Address: text, Stack: text}, {Name: text + "2", Address: text, Stack: text}},
	}
	r := trace.NewRecorder(h)
	call := r.Call(0, text, 1, trace.Call{Name: text, FD: 3, Len: trace.NoLen, Text: text})
	r.State(0, text, 1, call, trace.StateChange{To: trace.SynSent, Word: text})
	p := fromClient(trace.SYN, 0, 0, "")
	p.Malformed = text
	sent := r.Sent(0, text, 1, call, r.Keep(p))
	r.Fate(0, text, 1, sent, trace.Fate{Kind: trace.Delayed, Rule: text})
	r.Arrived(time.Millisecond, text+"2", 0, sent, r.Keep(p))
	r.Return(time.Millisecond, text, 1, sent, trace.Return{Call: call, Result: -1, Errno: text, Value: trace.Value{Kind: trace.Text, Text: text}})
	r.Timer(time.Millisecond, text, 1, text)
	r.Note(time.Millisecond, text, 1, trace.Note{Text: text, Failed: true})
	r.HostChange(time.Millisecond, text, trace.Reboot)
	tr, err := r.Finish(trace.End{At: time.Second, Reason: trace.Idle, Blocked: []int{1, 99}})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// lawful is all that a line of a diagram can be: no text of a trace makes another.
var lawful = func() *regexp.Regexp {
	const label = `(?:[\pL\pN (),.\-_=+/'!?*…→·•✗×–]|#\d+;|<br/>)+`
	return regexp.MustCompile(`^(?:sequenceDiagram|    (?:title|participant (?:client|server) as|Note (?:left of client|right of server|over (?:client|server|client,server)):` +
		`|(?:client|server)(?:->>|-->>|-x|--x)(?:client|server):) ` + label + `)$`)
}()

func checkLawful(t interface{ Fatalf(string, ...any) }, text string) {
	if n := units(text); n > MermaidLimit {
		t.Fatalf("%d characters, want at most %d", n, MermaidLimit)
	}
	for line := range strings.Lines(text) {
		if !lawful.MatchString(strings.TrimSuffix(line, "\n")) {
			t.Fatalf("this is no line of a diagram: %q", line)
		}
		if regexp.MustCompile(`(?i)\bend\b|style.*:\S*#`).MatchString(line) {
			t.Fatalf("a word that Mermaid gives a meaning: %q", line)
		}
	}
}

func TestMermaidLetsNoTextBreakOut(t *testing.T) {
	for _, text := range hostile {
		checkLawful(t, diagram(t, infested(t, text), Options{}))
	}
	rapid.Check(t, func(rt *rapid.T) {
		checkLawful(rt, diagram(t, infested(t, rapid.String().Draw(rt, "text")), Options{Language: Korean}))
		var b strings.Builder
		tr := anyTrace(rt)
		if _, err := Mermaid(&b, tr, Options{}); err != nil {
			rt.Fatal(err)
		}
		checkLawful(rt, b.String())
	})
}

func TestMermaidOfALongHeaderAndEndIsNotTooLong(t *testing.T) {
	long := strings.Repeat("끝;", 5_000)
	r := trace.NewRecorder(trace.Header{
		Story: trace.Story{Name: long}, Faults: []string{long, long, long, long, long, long, long, long},
		Hosts: []trace.HostInfo{{Name: long, Address: long, Stack: long}, {Name: long + "2", Address: long, Stack: long}},
	})
	var blocked []int
	for range 500 {
		blocked = append(blocked, r.Call(0, long, 1, trace.Call{Name: long, Len: trace.NoLen}))
	}
	tr, err := r.Finish(trace.End{Reason: trace.Idle, Blocked: blocked})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	leftOut, err := Mermaid(&b, tr, Options{Language: Korean})
	if err != nil || leftOut == 0 {
		t.Errorf("%d events left out, error %v", leftOut, err)
	}
	checkLawful(t, b.String())
}

// What Mermaid understood of a diagram.
type understood struct {
	Error    string
	Title    string
	Actors   [][2]string
	Messages []struct {
		From, To  string
		Type      int // as below
		Placement int
		Text      string
	}
	Limit int
}

// Mermaid's numbers for kinds of messages.
const (
	solid       = 0
	dotted      = 1
	note        = 2
	solidCross  = 3
	dottedCross = 4
)

// askMermaid has Mermaid itself read diagrams. It skips the test where Mermaid cannot be had.
func askMermaid(t *testing.T, diagrams []string) []understood {
	t.Helper()
	node, npm := tool(t, "node"), tool(t, "npm")
	folder, err := filepath.Abs("testdata/mermaid")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, filepath.Join(folder, "parse.mjs"), installed(t, npm, folder))
	in, err := json.Marshal(diagrams)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderrOf(err))
	}
	var all []understood
	if err := json.Unmarshal(out, &all); err != nil || len(all) != len(diagrams) {
		t.Fatalf("%d answers for %d diagrams, error %v", len(all), len(diagrams), err)
	}
	return all
}

func tool(t *testing.T, name string) string {
	t.Helper()
	file, err := exec.LookPath(name)
	if err != nil {
		missing(t, "Mermaid is a program for Node.js, and there is no %s here: %v", name, err)
	}
	return file
}

// missing skips a test for want of something that CI has. There it fails, since a test that is skipped is not seen.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI is to have it: "+format, args...)
	}
	t.Skipf(format, args...)
}

func stderrOf(err error) string {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return string(exit.Stderr)
	}
	return ""
}

// installed is a folder with the packages of package-lock.json. npm keeps what it has fetched, so that only the first
// time needs a network.
func installed(t *testing.T, npm, folder string) string {
	t.Helper()
	work := t.TempDir()
	if err := os.CopyFS(work, os.DirFS(folder)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), npm, "ci", "--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund")
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); noNetwork.Match(out) && err != nil {
		missing(t, "npm cannot fetch Mermaid here: %s", out)
	} else if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return work
}

// noNetwork finds npm's words for a registry that it does not reach. All else that npm complains of is a mistake.
var noNetwork = regexp.MustCompile(`(?m)^npm (?:ERR!|error) (?:network|code (?:E(?:NOTFOUND|AI_AGAIN|CONN\w+|TIMEDOUT|NETUNREACH|HOSTUNREACH)|ERR_SOCKET_TIMEOUT)$)`)

// TestMermaidItselfReadsEachDiagram: Mermaid's own parser takes each diagram, and takes each line of it for what it is
// meant to be. What is no diagram it refuses.
func TestMermaidItselfReadsEachDiagram(t *testing.T) {
	var names, texts []string
	add := func(name, text string) { names, texts = append(names, name), append(texts, text) }
	for name, tr := range manyTraces(t) {
		for _, l := range languages {
			add(fmt.Sprintf("%s in %s", name, l), diagram(t, tr, Options{Language: l, Absolute: l == Korean}))
		}
	}
	var cut strings.Builder
	if _, err := Mermaid(&cut, story(t, "many"), Options{}); err != nil {
		t.Fatal(err)
	}
	add("many", cut.String())
	infestedFrom := len(texts)
	for _, text := range hostile {
		add(fmt.Sprintf("with %.40q", text), diagram(t, infested(t, text), Options{}))
	}
	good := len(texts)
	plainText := diagram(t, story(t, "plain"), Options{})
	add("an arrow without a text", regexp.MustCompile(`(?m)(->>server):.*$`).ReplaceAllString(plainText, "$1"))
	add("a text with a semicolon", strings.Replace(plainText, "SYN-SENT", "SYN-SENT; and so on", 1))
	add("an arrow of another kind", strings.Replace(plainText, "client->>server", "client=>>server", 1))
	add("a block that is not opened", plainText+"    end\n")

	answers := askMermaid(t, texts)
	read := 0
	for i, got := range answers {
		switch {
		case i >= good:
			if got.Error == "" {
				t.Errorf("%s: Mermaid does not refuse it", names[i])
			}
			continue
		case got.Error != "":
			t.Errorf("%s: Mermaid refuses it: %s\n%s", names[i], got.Error, texts[i])
			continue
		case got.Limit != MermaidLimit:
			t.Errorf("Mermaid's limit is %d characters, want %d", got.Limit, MermaidLimit)
		}
		read += compareWithMermaid(t, names[i], texts[i], got)
	}
	for i, text := range hostile {
		want := []string{shorten(clean(text)), shorten(clean(text + "2"))}
		for s, actor := range answers[infestedFrom+i].Actors {
			shown, _, _ := strings.Cut(actor[1], "\n")
			if first := wrap(want[s], mermaidWidth)[0]; shown != first {
				t.Errorf("the host's name %q is shown as %q, want %q", text, shown, first)
			}
		}
	}
	t.Logf("Mermaid read %d diagrams with %d messages and refused %d that are none", good, read, len(texts)-good)
}

// compareWithMermaid holds what Mermaid understood against the lines of the text.
func compareWithMermaid(t *testing.T, name, text string, got understood) int {
	t.Helper()
	line := regexp.MustCompile(`^    (?:Note (left of|right of|over) (client|server)(?:,server)?|(client|server)(->>|-->>|-x|--x)(client|server)): (.*)\n$`)
	kinds := map[string]int{"->>": solid, "-->>": dotted, "-x": solidCross, "--x": dottedCross}
	places := map[string]int{"left of": 0, "right of": 1, "over": 2}
	n := 0
	for l := range strings.Lines(text) {
		m := line.FindStringSubmatch(l)
		if m == nil {
			continue
		}
		if n == len(got.Messages) {
			t.Errorf("%s: Mermaid has read %d messages, the text has more", name, n)
			return n
		}
		msg := got.Messages[n]
		n++
		shown := html.UnescapeString(regexp.MustCompile(`#(\d+);`).ReplaceAllString(strings.ReplaceAll(m[6], "<br/>", "\n"), "&#$1;"))
		if msg.Text != strings.TrimSpace(shown) {
			t.Errorf("%s: a text was read as %q, want %q", name, msg.Text, shown)
		}
		switch {
		case m[1] != "":
			if msg.Type != note || msg.Placement != places[m[1]] || msg.From != m[2] {
				t.Errorf("%s: %q was read as %+v", name, l, msg)
			}
		case msg.Type != kinds[m[4]] || msg.From != m[3] || msg.To != m[5]:
			t.Errorf("%s: %q was read as %+v", name, l, msg)
		}
	}
	if n != len(got.Messages) {
		t.Errorf("%s: Mermaid has read %d messages, the text has %d", name, len(got.Messages), n)
	}
	return n
}
