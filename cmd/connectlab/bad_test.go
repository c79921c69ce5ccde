package main

import (
	"bytes"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// notOneLine reports what is wrong with a stderr that is to be one line of ours that says all of the words.
func notOneLine(stderr string, words ...string) string {
	if !strings.HasPrefix(stderr, "connectlab: ") || strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n") {
		return "is not one line of connectlab's"
	}
	for _, w := range words {
		if !strings.Contains(stderr, w) {
			return "does not say " + w
		}
	}
	return ""
}

// Whatever cannot be used gives one error that names it, nothing on stdout, exit status 2, and leaves no file.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	whole := mustRun(t, "run", "refused", "--format", "json")
	lines := strings.SplitAfter(whole, "\n")
	write(t, dir, "whole.trace", whole)
	write(t, dir, "empty.trace", "")
	write(t, dir, "capture.pcap", "\xd4\xc3\xb2\xa1\x02\x00\x04\x00")
	write(t, dir, "header-cut.trace", lines[0][:200])
	write(t, dir, "truncated.trace", strings.Join(lines[:9], ""))
	write(t, dir, "version.trace", strings.Replace(whole, `"version":2`, `"version":7`, 1))
	write(t, dir, "edited.trace", strings.Replace(whole, `"dst_port":80`, `"dst_port":81`, 1))
	write(t, dir, "gap.trace", strings.Join(append(append([]string{}, lines[:5]...), lines[6:]...), ""))
	write(t, dir, "one.story", "client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\nclient: conect(3, server:80) = 0\n")
	write(t, dir, "three.story", "--mtu=1\nclient: close(\n.1 state(nobody 3) = OPEN\n")
	write(t, dir, "empty.story", "")
	write(t, dir, "octets.story", "client: \xff\n")
	write(t, dir, "long.story", strings.Repeat("// nothing\n", maxStory/10))
	good := write(t, dir, "good.story", "client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n")
	l, err := net.Listen("unix", filepath.Join(dir, "device")) // what is not a plain file, and no harm if it is lost
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tests := []struct {
		args string // "·" between them
		says []string
	}{
		{"nosuch", []string{`"nosuch"`, "run, list, show, compare, diff, book, judge"}},
		{"", []string{`verb ""`}},
		{"help·nosuch", []string{`"nosuch"`}},
		{"--nosuch", []string{"--nosuch", "help"}},
		{"--seed·3", []string{"--seed"}},
		{"run·--nosuch", []string{"--nosuch", "help"}},
		{"run·--version", []string{"--version"}},
		{"run·-x", []string{"-x"}},
		{"run·--seed", []string{"--seed", "needs a value"}},
		{"run·--seed·--mtu·1500", []string{"--seed", "needs a value"}},
		{"run·--seed·-1", []string{"--seed", `"-1"`, "0 to 18446744073709551615"}},
		{"run·--seed·18446744073709551616", []string{"--seed"}},
		{"run·--seed·", []string{`--seed ""`}},
		{"run·--seed·0x1", []string{"0x1"}},
		{"run·--delay·-1", []string{"--delay", `"-1"`, "10ms"}},
		{"run·--delay·soon", []string{"--delay", `"soon"`}},
		{"run·--delay·1e400s", []string{"--delay"}},
		{"run·--delay·99999999999", []string{"--delay"}},
		{"run·--until·0", []string{"--until", `"0"`, "above 0"}},
		{"run·--until·", []string{"--until"}},
		{"run·--link·wifi", []string{"--link", `"wifi"`, "ip or ethernet"}},
		{"run·--link·", []string{"--link", `""`}},
		{"run·--ipv6=yes", []string{"--ipv6", `"yes"`}},
		{"run·--ipv6·--mtu·1279", []string{"MTU of 1279", "1280"}},
		{"run·ecn", []string{"ecn", "gvisor", "client", "ECN"}},
		{"run·plain·urgent", []string{"urgent", "gvisor", "client", "sending urgent data"}},
		{"run·ecn·--format·json", []string{"ecn", "gvisor"}},
		{"book·ecn", []string{"ecn", "gvisor"}},
		{"run·--mtu·575", []string{"--mtu", `"575"`, "576 to 65535"}},
		{"run·--mtu·65536", []string{"--mtu"}},
		{"run·--time·fast", []string{"--time", `"fast"`, "virtual or real"}},
		{"run·--bytes·0", []string{"--bytes", `"0"`, "from 1"}},
		{"run·--bytes·1.5", []string{"--bytes", `"1.5"`}},
		{"run·--bytes·2000000000", []string{"--bytes"}},
		{"run·refused·--bytes·9", []string{"--bytes", "refused"}},
		{"run·--backlog·-1", []string{"--backlog", `"-1"`}},
		{"run·--fault·", []string{`--fault ""`, "column 1", "ACTION"}},
		{"run·--fault·lose server any", []string{"--fault", `"lose"`, "drop"}},
		{"run·--fault·drop nobody any", []string{"--fault", `"nobody"`, "column 6"}},
		{"run·--fault·drop server SYN,ACK#x", []string{"SYN,ACK#x", "column"}},
		{"run·--fault·drop server any#1·--fault·delay client any", []string{`"delay client any"`}},
		{"run·--client·linux", []string{"--client", `"linux"`, "gvisor"}},
		{"run·--server·", []string{"--server"}},
		{"run·--show·", []string{"--show", "ladder, control, told, header"}},
		{"run·--show·ladder,", []string{`""`}},
		{"run·--show·ladders", []string{`"ladders"`}},
		{"run·--event·0", []string{"--event", `"0"`}},
		{"run·--event·99999", []string{"99999", "1 to 103"}},
		{"run·--event·5", []string{"event 5"}},
		{"run·--columns·59", []string{"--columns", `"59"`, "60 to 1000"}},
		{"run·--columns·wide", []string{"--columns", `"wide"`}},
		{"run·--format·xml", []string{"--format", `"xml"`, "text, json or mermaid"}},
		{"run·--format·json·--show·ladder", []string{"--show", "--format json"}},
		{"run·--format·json·--event·3", []string{"--event", "--format json"}},
		{"run·--format·json·plain·refused", []string{"2 stories", "--out"}},
		{"run·--lang·de", []string{"--lang", `"de"`, "en and ko"}},
		{"run·--lang", []string{"--lang"}},
		{"run·--absolute=maybe", []string{"--absolute", `"maybe"`}},
		{"run·--help=no", []string{"--help"}},
		{"run·nosuch", []string{`"nosuch"`, "plain", "many"}},
		{"run·plian", []string{`"plian"`, "plain"}},
		{"run·", []string{`story ""`}},
		{"run·a\x1b[31m\nb", []string{"story"}},
		{"run·plain·--·--seed", []string{"--seed"}},
		{"run·./nosuch.story", []string{"./nosuch.story", "connectlab list"}},
		{"run·.", []string{"folder"}},
		{"run·one.story", []string{"one.story:2:9", "conect", "connect"}},
		{"run·plain·one.story", []string{"one.story:2:9"}},
		{"run·three.story", []string{"three.story:"}},
		{"run·empty.story", []string{"empty.story"}},
		{"run·octets.story", []string{"octets.story:1:9"}},
		{"run·long.story", []string{"long.story", "1048576"}},
		{"run·whole.trace", []string{"whole.trace:1:"}},
		{"run·--out·", []string{`--out ""`}},
		{"run·--out·-", []string{`--out "-"`, "--format json"}},
		{"run·ipv6·--mtu·576·--out·small.trace·--pcapng·small", []string{"ipv6", "an MTU of 576", "1280"}},
		{"run·--out·nowhere/at/all", []string{"--out", "nowhere"}},
		{"run·--out·device", []string{"--out", "device"}},
		{"run·good.story·--out·good.story", []string{"--out", "good.story"}},
		{"run·plain·./plain.story·--out·both", []string{"plain.story"}},
		{"run·plain·plain·--out·both", []string{"--out", "plain.trace"}},
		{"run·plain·refused·--out·good.story", []string{"--out", "good.story"}},
		{"run·--pcapng·", []string{`--pcapng ""`}},
		{"run·--pcapng", []string{"--pcapng", "needs a value"}},
		{"run·--pcapng·good.story", []string{"--pcapng", "good.story"}},
		{"run·--pcapng·device", []string{"--pcapng", "device"}},
		{"run·plain·plain·--pcapng·both", []string{"--pcapng", "plain", "both"}},
		{"run·plain·refused·--pcapng·good.story", []string{"--pcapng", "good.story"}},
		{"show·whole.trace·--pcapng·good.story", []string{"--pcapng", "good.story"}},
		{"list·--pcapng·c", []string{"connectlab list", "--pcapng"}},
		{"list·plain", []string{`"plain"`}},
		{"list·--show·ladder", []string{"connectlab list", "--show"}},
		{"list·--format·yaml", []string{"--format"}},
		{"show", []string{"found 0"}},
		{"show·a·b", []string{"found 2"}},
		{"show·--seed·1·whole.trace", []string{"connectlab show", "--seed"}},
		{"show·nosuch.trace", []string{"nosuch.trace"}},
		{"show·.", []string{"directory"}},
		{"show·-", []string{"standard input:1", "empty"}},
		{"show·empty.trace", []string{"empty.trace:1", "empty"}},
		{"show·good.story", []string{"good.story:1", "not a trace"}},
		{"show·header-cut.trace", []string{"header-cut.trace:1"}},
		{"show·version.trace", []string{"version.trace:1", "version 7", "version 2"}},
		{"show·edited.trace", []string{"edited.trace:", "dst_port", "81", "80"}},
		{"show·gap.trace", []string{"gap.trace:6"}},
		{"show·truncated.trace·--format·json", []string{"truncated.trace:10", "truncated"}},
		{"book·nosuch", []string{`"nosuch"`, "plain"}},
		{"book·--ipv6·--mtu·600", []string{"plain", "an MTU of 600", "1280"}},
		{"book·--ipv6·--mtu·600·--statement·C8", []string{"plain", "an MTU of 600"}},
		{"book·--statement·Z9", []string{"--statement", `"Z9"`, "A1 to A8"}},
		{"book·--format·xml", []string{"--format", `"xml"`, "text, json or markdown"}},
		{"book·--format·markdown·--statement·C8", []string{"--statement", "markdown"}},
		{"book·--ladder·--statement·C8", []string{"--ladder", "--statement"}},
		{"book·--ladder·--format·markdown", []string{"--format", "--ladder"}},
		{"book·--ladder·--format·json·plain·refused", []string{"--ladder", "found 2"}},
		{"book·--ladder·ecn", []string{"ecn", "gvisor"}},
		{"book·--stacks·gvisor", []string{"--stacks", `"gvisor"`, "two stacks or more"}},
		{"book·--stacks·gvisor,nosuch", []string{"--stacks", `"nosuch"`, "gvisor"}},
		{"book·--stacks·gvisor,", []string{"--stacks", `""`, "gvisor"}},
		{"book·--stacks·", []string{"--stacks", `""`}},
		{"book·--stacks", []string{"--stacks", "needs a value"}},
		{"book·--stacks·gvisor,handwritten,gvisor", []string{"--stacks", `"gvisor"`, "twice"}},
		{"book·--stacks·handwritten+ts,gvisor,handwritten+ts", []string{`"handwritten+ts"`, "twice"}},
		{"book·--stacks·gvisor,handwritten+sack+ts", []string{`"handwritten+sack+ts"`, "handwritten"}},
		{"book·--stacks·gvisor,handwritten·--client·gvisor", []string{"--stacks", "--client"}},
		{"book·--stacks·gvisor,handwritten·--server·gvisor", []string{"--stacks", "--server"}},
		{"book·nosuch·--stacks·gvisor,handwritten", []string{`"nosuch"`, "plain"}},
		{"book·urgent·--stacks·gvisor,handwritten", []string{"urgent", "gvisor", "client"}},
		{"book·ethernet·--stacks·gvisor,handwritten", []string{"ethernet", "handwritten"}},
		{"book·--stacks·gvisor,handwritten·--link·ethernet", []string{"handwritten", "Ethernet"}},
		{"book·--stacks·gvisor,handwritten·--statement·Z9", []string{"--statement", `"Z9"`}},
		{"book·--stacks·gvisor,handwritten·--statement·C8·--format·markdown", []string{"--statement", "markdown"}},
		{"book·--stacks·gvisor,handwritten·--ladder·--statement·C8", []string{"--ladder", "--statement"}},
		{"book·--stacks·gvisor,handwritten·--ladder·--format·markdown", []string{"--format", "--ladder"}},
		{"book·--stacks·gvisor,handwritten·--ladder·--format·json", []string{"--ladder", "--client and --server"}},
		{"book·--stacks·gvisor,handwritten·--columns·59", []string{"--columns", "60 to 1000"}},
		{"run·--stacks·gvisor,gvisor", []string{"connectlab run", "--stacks"}},
		{"compare·nosuch", []string{`"nosuch"`, "plain"}},
		{"compare·nosuch.story", []string{"nosuch.story", "no such file"}},
		{"compare·one.story", []string{"one.story:2"}},
		{"compare·--stacks·gvisor", []string{"--stacks", `"gvisor"`, "two"}},
		{"compare·--stacks·gvisor,linux", []string{"--stacks", `"linux"`, "gvisor, handwritten"}},
		{"compare·--stacks·gvisor, gvisor", []string{"--stacks", `"gvisor"`, "twice"}},
		{"run·plain·--client·handwritten+sack+ts", []string{"--client", `"handwritten+sack+ts"`, "in the order +ws, +ts, +sack", "write handwritten+ts+sack"}},
		{"compare·--stacks·gvisor,handwritten+ts+ts", []string{"--stacks", `"handwritten+ts+ts"`, "write handwritten+ts"}},
		{"run·plain·--server·handwritten+ecn", []string{"--server", `"handwritten+ecn"`, "handwritten[+ws][+ts][+sack]"}},
		{"compare·--stacks·handwritten+ts,gvisor,handwritten+ts", []string{"--stacks", `"handwritten+ts"`, "twice"}},
		{"compare·--stacks·gvisor,", []string{"--stacks", `""`}},
		{"compare·--client·gvisor", []string{"connectlab compare", "--client"}},
		{"compare·--format·mermaid", []string{"--format", `"mermaid"`, "text, json or markdown"}},
		{"compare·--format·markdown·--diff", []string{"--diff", "markdown"}},
		{"compare·--columns·10", []string{"--columns", `"10"`}},
		{"compare·--seed·-1", []string{"--seed", `"-1"`}},
		{"compare·--fault·lose everything", []string{"--fault", `"lose everything"`}},
		{"compare·--mtu·70000", []string{"--mtu", `"70000"`}},
		{"compare·ipv6·--mtu·1000", []string{"ipv6: ", "1280"}},
		{"compare·refused·--bytes·7", []string{"--bytes", "refused"}},
		{"compare·ethernet·--stacks·handwritten,handwritten+ws", []string{"ethernet", "no pair", "Ethernet (handwritten, handwritten+ws)"}},
		{"compare·plain·--link·ethernet·--stacks·handwritten,handwritten+ws", []string{"plain", "no pair", "Ethernet"}},
		{"judge", []string{"judge", "FILE"}},
		{"judge·nosuch.pcap", []string{"nosuch.pcap"}},
		{"judge·.", []string{"directory"}},
		{"judge·good.story", []string{"good.story", "neither a trace nor a capture"}},
		{"judge·empty.trace", []string{"empty.trace", "neither a trace nor a capture"}},
		{"judge·-", []string{"standard input", "neither a trace nor a capture"}},
		{"judge·edited.trace", []string{"edited.trace:", "dst_port", "81", "80"}},
		{"judge·whole.trace·--seed·2", []string{"connectlab judge", "--seed"}},
		{"diff", []string{"found 0", "diff A B"}},
		{"diff·whole.trace", []string{"found 1"}},
		{"diff·whole.trace·whole.trace·whole.trace", []string{"found 3"}},
		{"diff·whole.trace·nosuch.trace", []string{"nosuch.trace"}},
		{"diff·.·whole.trace", []string{"directory"}},
		{"diff·good.story·whole.trace", []string{"good.story:1", "not a trace"}},
		{"diff·whole.trace·empty.trace", []string{"empty.trace:1", "empty"}},
		{"diff·whole.trace·edited.trace", []string{"edited.trace:", "dst_port"}},
		{"diff·whole.trace·capture.pcap", []string{"capture.pcap"}},
		{"diff·whole.trace·truncated.trace·--format·json", []string{"truncated.trace:10", "truncated"}},
		{"diff·-·-", []string{"standard input"}},
		{"diff·whole.trace·whole.trace·--ignore·windows", []string{"--ignore", `"windows"`, "calls, states, packets", "window, push"}},
		{"diff·whole.trace·whole.trace·--ignore·header", []string{"--ignore", `"header"`}},
		{"diff·whole.trace·whole.trace·--ignore·", []string{"--ignore", `""`}},
		{"diff·whole.trace·whole.trace·--raw·isn,port", []string{"--raw", `"port"`, "isn, ports, timestamps, option-order"}},
		{"diff·whole.trace·whole.trace·--format·mermaid", []string{"--format", `"mermaid"`, "text or json"}},
		{"diff·whole.trace·whole.trace·--format·json·--absolute", []string{"--absolute says how text looks: leave it"}},
		{"diff·whole.trace·whole.trace·--columns·5", []string{"--columns", "60 to 1000"}},
		{"diff·whole.trace·whole.trace·--seed·1", []string{"connectlab diff", "--seed"}},
		{"show·capture.pcap", []string{"capture.pcap", "packet capture", "judge"}},
		{"show·whole.trace·--event·1", []string{"event 1 "}},
		{"show·whole.trace·--format·json·--absolute", []string{"--absolute"}},
	}
	before := files(t, dir)
	for _, tt := range tests {
		got := connectlab(strings.Split(tt.args, "·")...)
		if got.status != exitUsage {
			t.Errorf("%q: exit status %d, want %d", tt.args, got.status, exitUsage)
		}
		if problem := notOneLine(got.stderr, tt.says...); problem != "" {
			t.Errorf("%q: stderr %q %s", tt.args, got.stderr, problem)
		}
		if got.stdout != "" {
			t.Errorf("%q: stdout %q, want none", tt.args, got.stdout)
		}
		if strings.Contains(tt.args, "--lang") {
			continue
		}
		ko := connectlab(append([]string{"--lang=ko"}, strings.Split(tt.args, "·")...)...)
		if ko.status != exitUsage || notOneLine(ko.stderr) != "" || ko.stdout != "" {
			t.Errorf("%q in Korean: %+v", tt.args, ko)
		}
	}
	if diff := cmp.Diff(before, files(t, dir)); diff != "" {
		t.Errorf("files were left or lost (-before +after):\n%s", diff)
	}
	if got := read(t, good); !strings.HasPrefix(got, "client:") {
		t.Errorf("good.story is %q now", got)
	}
}

func TestATraceThatBrokeOffIsShownAndRefused(t *testing.T) {
	whole := mustRun(t, "run", "refused", "--format", "json")
	part := strings.Join(strings.SplitAfter(whole, "\n")[:11], "") + `{"n":11,"at_`
	got := with(program{stdin: strings.NewReader(part)}, "show", "-", "--show", "ladder")
	if problem := notOneLine(got.stderr, "standard input:12", "truncated"); got.status != exitUsage || problem != "" {
		t.Errorf("exit status %d, stderr %q %s", got.status, got.stderr, problem)
	}
	for _, want := range []string{"connect(3, 192.0.2.2:80) …", "The record breaks off here"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("stdout does not say %q:\n%s", want, got.stdout)
		}
	}
}

func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.trace")
	mustRun(t, "run", "refused", "--out", file)
	for _, args := range [][]string{
		{"run", "refused"}, {"run", "refused", "--format", "json"}, {"list"}, {"list", "--format", "json"}, {"show", file},
		{"show", file, "--format", "json"}, {"help"}, {}, {"run", "--help"},
	} {
		var stderr bytes.Buffer
		p := program{args: append([]string{"connectlab"}, args...), stdin: strings.NewReader(""), stdout: fullDisk{}, stderr: &stderr}
		if status := p.main(); status != exitUsage {
			t.Errorf("%q: exit status %d, want %d", args, status, exitUsage)
		}
		if problem := notOneLine(stderr.String(), "the disk"); problem != "" {
			t.Errorf("%q: stderr %q %s", args, stderr.String(), problem)
		}
	}
}

func TestAnExpectationThatDoesNotHold(t *testing.T) {
	dir := t.TempDir()
	story := write(t, dir, "wrong.story", `client: socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
client: connect(3, server:80) = 0
.005 state(client 3) = LISTEN
`)
	got := connectlab("run", story, "refused", "--show", "ladder", "--out", filepath.Join(dir, "traces"))
	want := "connectlab: " + story + ":3: .005 state(client 3) = LISTEN: expected LISTEN, found SYN-SENT (event 9)\n" +
		"connectlab: " + story + ":2: connect(3, server:80) = 0: expected 0, found -1 ECONNREFUSED (Connection refused) (event 5)\n"
	if diff := cmp.Diff(outcome{exitFailed, got.stdout, want}, got, cmp.AllowUnexported(outcome{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(got.stdout, "━━ refused") {
		t.Error("the story after the one that failed was not run")
	}
	if diff := cmp.Diff([]string{"refused.trace", "wrong.trace"}, files(t, filepath.Join(dir, "traces"))); diff != "" {
		t.Errorf("traces (-want +got):\n%s", diff)
	}
}

func TestManyExpectationsThatDoNotHoldAreNotAllListed(t *testing.T) {
	t.Parallel()
	got := connectlab("run", "many", "--backlog", "3", "--show", "header")
	// The failures, how many more, and that the backlog is another.
	if n := strings.Count(got.stderr, "\n"); got.status != exitFailed || n != maxFailures+2 || !strings.Contains(got.stderr, "more that did not hold") {
		t.Errorf("exit status %d, %d lines on stderr, want %d:\n%s", got.status, n, maxFailures+2, got.stderr)
	}
}

func TestAnotherRunIsNotJudged(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"run", "--delay", "30ms"}, {"run", "--mtu", "600"}, {"run", "--fault", "drop server SYN,ACK#1"}, {"list", "--delay=30ms"},
		{"run", "--link", "ethernet"}, {"run", "ethernet", "--link", "ip"}, {"run", "--ipv6"}, {"run", "--until", "0.5"}, {"run", "--backlog", "0"}, {"run", "--bytes", "9"}, {"run", "full-accept-queue", "--backlog", "5000"}} {
		got := connectlab(args...)
		if problem := notOneLine(got.stderr, strings.SplitN(args[len(args)-2+strings.Count(args[len(args)-1], "=")], "=", 2)[0], "not judged"); got.status != exitOK || problem != "" {
			t.Errorf("%q: exit status %d, stderr %q %s", args, got.status, got.stderr, problem)
		}
		if args[0] == "run" && !strings.Contains(got.stdout, "As the story was written") {
			t.Errorf("%q: the prose does not say that it is about another run", args)
		}
	}
	mustRun(t, "run", "--link", "ip", "--delay", "10ms", "--mtu", "1500", "--bytes", "5", "--backlog", "128") // what it was written for
}
