package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"connectlab/netns/script"
	"connectlab/trace"
	"connectlab/trace/view"
	"connectlab/trace/wire"

	"github.com/clipperhouse/displaywidth"
	"github.com/google/go-cmp/cmp"
)

// checkLines reports lines that are wider than the columns, or that hold what is no text.
func checkLines(t *testing.T, what, out string, columns int) {
	t.Helper()
	bad, n := 0, 0
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		n++
		if cells := displaywidth.String(line); cells > columns || strings.ContainsFunc(line, func(r rune) bool { return r < ' ' }) {
			if bad++; bad <= 3 {
				t.Errorf("%s: line %d has %d cells, want at most %d and no control characters:\n%q", what, n, cells, columns, line)
			}
		}
	}
	if n == 0 {
		t.Errorf("%s: nothing was printed", what)
	}
}

// Each story, in both languages and at three widths: it goes as it expects, and no line is too wide.
func TestStories(t *testing.T) {
	t.Parallel()
	for _, name := range script.NamesFor(stacks[0].factory, stacks[0].factory) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			widths, languages := []int{60, 80, 120}, []string{"en", "ko"}
			if name == "many" {
				widths, languages = widths[:1], languages[1:] // it prints a megabyte
			}
			for _, lang := range languages {
				for _, columns := range widths {
					out := mustRun(t, "run", name, "--lang", lang, "--columns", fmt.Sprint(columns), "--show", "ladder,control,told,header")
					checkLines(t, fmt.Sprintf("%s, %d columns", lang, columns), out, columns)
				}
			}
			checkLines(t, "without flags", mustRun(t, "run", name), 80)
			out := mustRun(t, "run", name, "--show", "ladder,control,told,header")
			l := view.English
			for i, want := range []string{
				"━━ " + name, view.Text(l, fmt.Sprintf("story.%s.1", name))[:20], view.Text(l, fmt.Sprintf("story.%s.3", name))[:20],
				view.Text(l, "cmd.heading.ladder"), "socket() = 3", view.Text(l, "cmd.heading.control"), "TCP",
				view.Text(l, "cmd.heading.told"), view.Text(l, "cmd.heading.header"), "\nAgain: connectlab run " + name + " --seed 1",
			} {
				// The views' places; what repeats the run stands last, with the flags that were set.
				if _, rest, ok := strings.Cut(out, want); ok {
					out = rest
				} else {
					t.Fatalf("text %d, %q, is missing or not in its place", i, want)
				}
			}
		})
	}
}

func TestHelpAndListFitTheColumns(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "ko"} {
		for _, args := range [][]string{{}, {"help"}, {"--help"}, {"-h"}, {"run", "-h"}, {"help", "run"}, {"help", "show"}, {"list", "--help"}, {"list"}} {
			out := mustRun(t, append(args, "--lang", lang)...)
			checkLines(t, fmt.Sprint(args, lang), out, 80)
			if strings.Contains(out, "`") || strings.Contains(out, "%!") {
				t.Errorf("%q in %s: half of a text:\n%s", args, lang, out)
			}
		}
		checkLines(t, "list "+lang, mustRun(t, "list", "--columns", "60", "--lang", lang), 60)
	}
}

func TestHelpNamesEachFlag(t *testing.T) {
	var p program
	for _, c := range p.app().Commands {
		help := mustRun(t, "help", c.Name)
		for _, f := range c.Flags {
			if !strings.Contains(help, "--"+f.Names()[0]) {
				t.Errorf("help %s does not name --%s", c.Name, f.Names()[0])
			}
		}
	}
}

func TestTheExamplesOfHelpRun(t *testing.T) {
	t.Chdir(t.TempDir())
	examples := regexp.MustCompile(`(?m)^  connectlab ((?:run|show|list)\b.*?)(?:  |$)`).FindAllStringSubmatch(mustRun(t), -1)
	if len(examples) < 5 {
		t.Fatalf("found %d examples in help, want 5", len(examples))
	}
	for _, e := range examples {
		if got := connectlab(shell(t, e[1])...); got.status != exitOK {
			t.Errorf("connectlab %s: exit status %d, stderr %q", e[1], got.status, got.stderr)
		}
	}
}

// shell splits a command line as a shell does.
func shell(t *testing.T, line string) []string {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell here: ", err)
	}
	out, err := exec.CommandContext(t.Context(), sh, "-c", `for word in `+line+"\ndo printf '%s\\0' \"$word\"; done").Output()
	if err != nil {
		t.Fatalf("sh does not understand %s: %v", line, err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// Who told it is printed for whoever asks.
func TestToldIsShownOnRequest(t *testing.T) {
	t.Parallel()
	heading := view.Text(view.English, "cmd.heading.told")
	if strings.Contains(mustRun(t, "run"), heading) {
		t.Error("run without --show prints it")
	}
	file := filepath.Join(t.TempDir(), "a.trace")
	mustRun(t, "run", "--out", file)
	if out := mustRun(t, "show", file, "--show", "told"); !strings.Contains(out, heading) || strings.Contains(out, view.Text(view.English, "cmd.heading.ladder")) {
		t.Errorf("show --show told prints\n%s", out)
	}
}

// The line below "Again" repeats the run, whatever its flags are.
func TestAgain(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, dir, "it's $1.story", "client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\nclient: connect(3, server:80) = -1\n")
	write(t, dir, "-x.story", "client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n")
	for _, args := range [][]string{
		{"run"},
		{"run", "syn-lost", "--seed", "18446744073709551615", "--lang", "ko"},
		{"--lang=ko", "run", "--absolute", "abort", "--show=header,ladder"},
		{"run", "--fault", "drop server SYN,ACK#1", "--fault=duplicate client any 50%  .003", "--mtu=700", "--bytes", "20000", "--backlog", "1", "--columns", "70", "--event", "21", "--delay", ".02"},
		{"run", "it's $1.story", "--until", "1h", "--show", "ladder"},
		{"run", "--show", "ladder", "--", "-x.story"},
	} {
		first := connectlab(append([]string{"--out", "first"}, args...)...)
		_, again, ok := strings.Cut(first.stdout, view.Text("", "cmd.again")+" connectlab ")
		if !ok {
			_, again, _ = strings.Cut(first.stdout, view.Text(view.Korean, "cmd.again")+" connectlab ")
		}
		if i := regexp.MustCompile(`[^\\]\n`).FindStringIndex(again); i != nil {
			again = again[:i[0]+1]
		}
		second := connectlab(append(shell(t, again), "--out", "second")...)
		if diff := cmp.Diff(first, second, cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("%q is not repeated by %q (-first +second):\n%s", args, again, diff)
		}
		if read(t, "first") != read(t, "second") {
			t.Errorf("%q: the trace is not that of %q", args, again)
		}
	}
}

func TestSelfIsWhatTheUserCalled(t *testing.T) {
	for arg, want := range map[string]string{
		"connectlab": "connectlab", "./bin/connectlab": "./bin/connectlab", "/a b/connectlab": "'/a b/connectlab'",
		"/tmp/go-build123/b001/exe/connectlab":           "go run ./cmd/connectlab",
		"/home/x/.cache/go-build/0a/0a1b2c-d/connectlab": "go run ./cmd/connectlab",
	} {
		p := program{args: []string{arg}}
		if got := p.self(); got != want {
			t.Errorf("self of %q is %q, want %q", arg, got, want)
		}
	}
}

func TestTwoRunsPrintTheSame(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"run", "half-open-b"}, {"run", "full-accept-queue", "--format", "json"}, {"list"}, {"run", "plain", "abort", "--show", "ladder"}} {
		first, second := mustRun(t, args...), mustRun(t, args...)
		if first != second {
			t.Errorf("%q printed something else the second time", args)
		}
	}
	if mustRun(t, "run") == mustRun(t, "run", "--seed", "2") {
		t.Error("seeds 1 and 2 print the same")
	}
}

func TestFlagsMayStandAnywhere(t *testing.T) {
	t.Parallel()
	want := mustRun(t, "run", "--seed", "7", "--lang", "ko", "abort")
	for _, args := range [][]string{{"run", "abort", "--seed", "7", "--lang", "ko"}, {"--lang=ko", "run", "abort", "-seed=7"}, {"--seed=7", "run", "--lang", "en", "--lang", "ko", "--", "abort"}} {
		got := regexp.MustCompile(`\n다시 실행:[^\n]*`).ReplaceAllString(mustRun(t, args...), "")
		if got != regexp.MustCompile(`\n다시 실행:[^\n]*`).ReplaceAllString(want, "") {
			t.Errorf("%q is not as good as the flags in front", args)
		}
	}
}

func TestColour(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		p      program
		colour bool
	}{
		{"no terminal", program{}, false},
		{"terminal", program{outWidth: 100}, true},
		{"terminal and NO_COLOR", program{outWidth: 100, noColor: true}, false},
	}
	for _, tt := range tests {
		got := with(tt.p, "run", "syn-lost")
		if colour := strings.Contains(got.stdout, "\x1b["); got.status != exitOK || colour != tt.colour {
			t.Errorf("%s: exit status %d, colour %v, want %v", tt.name, got.status, colour, tt.colour)
		}
		plain := regexp.MustCompile(`\x1b\[\d*m`).ReplaceAllString(got.stdout, "")
		checkLines(t, tt.name, plain, max(tt.p.outWidth, 80))
	}
	if got := with(program{outWidth: 100}, "run", "--format", "json"); strings.Contains(got.stdout, "\x1b") {
		t.Error("JSON is coloured")
	}
}

// What run prints and what show prints of the saved trace is the same, and so are the traces that they print.
func TestShowPrintsWhatRunDid(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.trace")
	for _, name := range []string{"plain", "synack-lost", "fresh-send", "idle-year"} {
		for _, flags := range [][]string{{}, {"--lang", "ko", "--columns", "120", "--absolute"}, {"--show", "header"}} {
			run := mustRun(t, append([]string{"run", name, "--out", file}, flags...)...)
			want, _, _ := strings.Cut(run, "\n"+view.Text(view.English, "cmd.again"))
			want, _, _ = strings.Cut(want, "\n"+view.Text(view.Korean, "cmd.again"))
			if diff := cmp.Diff(want, mustRun(t, append([]string{"show", file}, flags...)...)); diff != "" {
				t.Errorf("%s %q (-run +show):\n%s", name, flags, diff)
			}
			if run != mustRun(t, append([]string{"run", name}, flags...)...) {
				t.Errorf("%s %q prints something else without --out", name, flags)
			}
		}
		saved := read(t, file)
		if diff := cmp.Diff(saved, mustRun(t, "show", file, "--format", "json")); diff != "" {
			t.Errorf("%s: show --format json (-file +shown):\n%s", name, diff)
		}
		if mustRun(t, "run", name, "--format", "json") != saved {
			t.Errorf("%s: run --format json does not print the file", name)
		}
		if both := mustRun(t, "run", name, "--format", "json", "--out", file); both != saved || read(t, file) != saved {
			t.Errorf("%s: with --format json and --out the two are not the same", name)
		}
		tr, err := trace.Read(strings.NewReader(saved), name, wire.Decode)
		if err != nil || tr.Header.Story.Name != name {
			t.Errorf("trace.Read: %v", err)
		}
	}
}

func TestProseIsOnlyOfBuiltInStories(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	write(t, dir, "plain.story", "client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n")
	prose := view.Text(view.English, "story.plain.1")[:20]
	if out := mustRun(t, "run", "./plain.story"); strings.Contains(out, prose) {
		t.Error("a user's story has the prose of the built-in one of its name")
	}
	if out := mustRun(t, "run", "plain"); !strings.Contains(out, prose) {
		t.Error("a file hides the built-in story of its name")
	}
	if out := mustRun(t, "run", "plain.story"); strings.Contains(out, prose) {
		t.Error("plain.story is not the file")
	}
}

func TestOut(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	want := mustRun(t, "run", "refused", "--format", "json")
	write(t, dir, "there.trace", "something older")
	if err := os.Mkdir("folder", 0o777); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args  []string
		files []string
	}{
		{[]string{"refused", "--out", "new.trace"}, []string{"new.trace"}},
		{[]string{"refused", "--out=there.trace"}, []string{"there.trace"}},
		{[]string{"refused", "--out", "folder"}, []string{"folder/refused.trace"}},
		{[]string{"refused", "--out", "made/on/the/way/"}, []string{"made/on/the/way/refused.trace"}},
		{[]string{"refused", "abort", "--out", "several"}, []string{"several/refused.trace", "several/abort.trace"}},
	} {
		mustRun(t, append([]string{"run", "--show", "header"}, tt.args...)...)
		if got := read(t, tt.files[0]); got != want {
			t.Errorf("%q: %s is not the trace", tt.args, tt.files[0])
		}
		for _, file := range tt.files {
			if _, err := os.Stat(file + ".part"); err == nil {
				t.Errorf("%q left %s.part", tt.args, file)
			}
			mustRun(t, "show", file, "--show", "ladder")
		}
	}
}

// A trace has its name when it is whole, and not before: what is there stays until then.
func TestOutWhileItIsWritten(t *testing.T) {
	file := write(t, t.TempDir(), "a.trace", "older")
	var p program
	part, err := p.createPart(file)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(part, "newer")
	if got := read(t, file); got != "older" {
		t.Errorf("the file is %q before the new one is whole", got)
	}
	if got := read(t, file+".part"); got != "newer" {
		t.Errorf("the part is %q", got)
	}
	if err := part.finish(true); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a.trace"}, files(t, filepath.Dir(file))); diff != "" || read(t, file) != "newer" {
		t.Errorf("the file is %q; (-want +got):\n%s", read(t, file), diff)
	}
}

func TestOutRefusesWhatIsNotToBeReplaced(t *testing.T) {
	dir := t.TempDir()
	readOnly := write(t, dir, "read-only", "precious")
	if err := os.Chmod(readOnly, 0o444); err != nil {
		t.Fatal(err)
	}
	got := connectlab("run", "--out", readOnly)
	if problem := notOneLine(got.stderr, readOnly, "read-only"); got.status != exitUsage || problem != "" || read(t, readOnly) != "precious" {
		t.Errorf("read-only file: %+v %s", got, problem)
	}
	target := write(t, dir, "target", "")
	if err := os.Symlink(target, filepath.Join(dir, "link")); err == nil {
		mustRun(t, "run", "--out", filepath.Join(dir, "link"))
		if info, err := os.Lstat(filepath.Join(dir, "link")); err != nil || info.Mode()&os.ModeSymlink == 0 || read(t, target) == "" {
			t.Errorf("the link was replaced, not what it points to: %v", err)
		}
	}
	stdout, err := os.Create(filepath.Join(dir, "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	var stderr strings.Builder
	p := program{args: []string{"connectlab", "run", "--out", stdout.Name()}, stdout: stdout, stderr: &stderr}
	if status := p.main(); status != exitUsage || notOneLine(stderr.String(), "standard output") != "" {
		t.Errorf("standard output: exit status %d, stderr %q", status, stderr.String())
	}
}

func TestProgress(t *testing.T) {
	var stderr strings.Builder
	p := program{stderr: &stderr, errTerminal: true}
	w := p.watch()
	now := w.start
	w.now = func() time.Time { return now }
	at := func(d time.Duration) { now = w.start.Add(d); w.tick("cmd.progress.run", "plain", d, 7) }
	at(999 * time.Millisecond)
	if stderr.String() != "" {
		t.Errorf("within the first second: %q", stderr.String())
	}
	at(time.Second)
	at(1100 * time.Millisecond) // too soon after the last
	at(1200 * time.Millisecond)
	w.done()
	w.done()
	want := "\r\x1b[Kplain: virtual time 1s, 7 steps\r\x1b[Kplain: virtual time 1.2s, 7 steps\r\x1b[K"
	if got := stderr.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	stderr.Reset()
	p.errTerminal = false
	at(time.Hour)
	if stderr.String() != "" {
		t.Errorf("where there is no terminal: %q", stderr.String())
	}
}

// A long story's control information is left out unless it is asked for, and what is left out is told.
func TestLongControlInformationIsLeftOut(t *testing.T) {
	const item = "SND.UNA"
	for _, tt := range []struct {
		args  []string
		shown bool
	}{{[]string{"run"}, true}, {[]string{"run", "many"}, false}, {[]string{"run", "many", "--show", "control"}, true}} {
		got := connectlab(tt.args...)
		if shown := strings.Contains(got.stdout, item); got.status != exitOK || shown != tt.shown {
			t.Errorf("%q: status %d, control information shown: %v, want %v", tt.args, got.status, shown, tt.shown)
		}
		if told := strings.Contains(strings.Join(strings.Fields(got.stdout), " "), "--show control prints it"); told == tt.shown {
			t.Errorf("%q: told that it is left out: %v, want %v", tt.args, told, !tt.shown)
		}
	}
}

// TestRealTime: with --time real the record is the same but for the header's word of it, and takes its time.
func TestRealTime(t *testing.T) {
	virtual := mustRun(t, "run", "refused", "--format", "json")
	start := time.Now()
	real := mustRun(t, "run", "refused", "--format", "json", "--time", "real")
	if d := cmp.Diff(virtual, strings.Replace(real, `,"real_time":true`, "", 1)); d != "" || real == virtual {
		t.Errorf("the record in real time (-virtual +real):\n%s", d)
	}
	if took := time.Since(start); took < 20*time.Millisecond {
		t.Errorf("20 ms took %v", took)
	}
}
