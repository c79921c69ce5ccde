package main

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"connectlab/netns/script"

	"github.com/google/go-cmp/cmp"
)

// story is a story of the list's JSON, as somebody would write it who has only read JSON.md.
type story struct {
	Name, About, Client, Server, Connect, Errno, End string

	Result    int
	At        int64 `json:"at_ns"`
	EndAt     int64 `json:"end_at_ns"`
	AsWritten bool  `json:"as_written"`
	Failed    int
	Lacks     []string
}

type list struct {
	Version int
	Stories []story
	Stacks  []struct {
		Name, Version string
		Settings      []struct{ Name, Value string }
		Capabilities  []string
	}
}

func decodeList(t *testing.T, text string) (l list) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&l); err != nil {
		t.Fatal(err)
	}
	if d.More() {
		t.Error("something stands behind the list")
	}
	return l
}

func TestListAsJSON(t *testing.T) {
	t.Parallel()
	l := decodeList(t, mustRun(t, "list", "--format", "json"))
	var names []string
	got := map[string]story{}
	for _, s := range l.Stories {
		names = append(names, s.Name)
		if s.Connect == "not-run" {
			if diff := cmp.Diff(map[string][]string{"ecn": {"ECN"}, "urgent": {"urgent data"}}[s.Name], s.Lacks); diff != "" || !strings.Contains(s.About, "gvisor") || s.End != "" {
				t.Errorf("a story that is not run: %+v", s)
			}
			continue
		}
		if !strings.Contains(s.About, " ") || s.Client != "gvisor" || s.Server != "gvisor" || s.Failed != 0 || !s.AsWritten || s.End == "" {
			t.Errorf("%+v", s)
		}
		s.About = ""
		got[s.Name] = s
	}
	if diff := cmp.Diff(script.Names(), names); diff != "" {
		t.Errorf("stories (-want +got):\n%s", diff)
	}
	for _, want := range []story{
		{Name: "plain", Connect: "returned", At: 20e6, End: "finished", EndAt: 60.06e9},
		{Name: "refused", Connect: "returned", Result: -1, Errno: "ECONNREFUSED", At: 20e6, End: "finished"},
		{Name: "fresh-send", Connect: "none", End: "finished"},
	} {
		want.Client, want.Server, want.AsWritten, want.Lacks = "gvisor", "gvisor", true, []string{}
		want.EndAt = max(want.EndAt, got[want.Name].EndAt)
		if diff := cmp.Diff(want, got[want.Name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", want.Name, diff)
		}
	}
	if len(l.Stacks) != len(stacks) || l.Version != 1 || !strings.HasPrefix(l.Stacks[0].Version, "v") || len(l.Stacks[0].Settings) < 5 || !slices.Equal(l.Stacks[0].Capabilities, []string{"Ethernet", "IPv6", "SYN cookies"}) {
		t.Errorf("version %d, stacks %+v", l.Version, l.Stacks)
	}
	for _, s := range decodeList(t, mustRun(t, "list", "--format", "json", "--lang", "ko")).Stories {
		if !strings.ContainsFunc(s.About, func(r rune) bool { return r >= '가' && r <= '힣' }) {
			t.Errorf("%s: %q is not Korean", s.Name, s.About)
		}
	}
	if s := decodeList(t, connectlab("list", "--format", "json", "--until", "10s").stdout).Stories[2]; s.Connect != "blocked" || s.End != "until" || s.Failed != 0 || s.AsWritten {
		t.Errorf("cut off: %+v", s)
	}
}

// JSON.md has the keys that are printed, and no others.
func TestJSONIsDocumented(t *testing.T) {
	t.Parallel()
	for heading, args := range map[string][]string{
		"list":           {"list", "--format", "json"},
		"book and judge": {"book", "--format", "json"},
		"book --ladder":  {"book", "--ladder", "--format", "json"},
		"book --stacks":  {"book", "--stacks", both, "--format", "json"},
	} {
		_, section, found := strings.Cut(read(t, "JSON.md"), "\n## "+heading+"\n")
		if !found {
			t.Errorf("JSON.md has no section %q", heading)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		var documented []string
		for line := range strings.Lines(section) {
			if !strings.HasPrefix(line, "| `") {
				continue
			}
			cell, _, _ := strings.Cut(line[2:], "|")
			for _, m := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(cell, -1) {
				documented = append(documented, m[1])
			}
		}
		printed := []string{}
		for _, m := range regexp.MustCompile(`(?m)^ *"([a-z_]+)":`).FindAllStringSubmatch(mustRun(t, args...), -1) {
			printed = append(printed, m[1])
		}
		for _, keys := range []*[]string{&documented, &printed} {
			slices.Sort(*keys)
			*keys = slices.DeleteFunc(slices.Compact(*keys), func(k string) bool {
				return k == "value" || k == "more" // value stands beside name; only judge has more
			})
		}
		if diff := cmp.Diff(documented, printed); diff != "" {
			t.Errorf("%s (-documented +printed):\n%s", heading, diff)
		}
	}
}

func TestListTellsTheOutcome(t *testing.T) {
	t.Parallel()
	out := mustRun(t, "list", "--columns", "120")
	for _, want := range []string{`(?m)^plain +0 +20 ms +\S`, `(?m)^refused +-1 ECONNREFUSED +20 ms +\S`, `(?m)^silent-host +-1 ETIMEDOUT +2 min 7 s +\S`, `(?m)^fresh-send +- +- +\S`,
		`(?m)^ecn +cannot +- +the stack gvisor cannot do what it needs: ECN`, `(?m)^urgent +cannot +- +the stack gvisor cannot do what it needs: sending urgent`, `── stack gvisor v\S+ ─`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("no line is %s:\n%s", want, out)
		}
	}
	got := connectlab("list", "--until", "10s")
	if problem := notOneLine(got.stderr, "--until", "not judged"); got.status != exitOK || problem != "" || !regexp.MustCompile(`(?m)^silent-host +blocked +- +SYNs`).MatchString(got.stdout) {
		t.Errorf("cut off: exit status %d, stderr %s\n%s%s", got.status, problem, got.stderr, got.stdout)
	}
	got = connectlab("list", "--backlog", "3")
	if got.status != exitFailed || !strings.Contains(got.stderr, "many.story:") || !regexp.MustCompile(`(?m)^many +0 +20 ms +expectations`).MatchString(got.stdout) {
		t.Errorf("failed: exit status %d, stderr\n%s%s", got.status, got.stderr, got.stdout)
	}
}

// TestAnMTUThatDoesNotDoIsToldInTheLanguage: in the table without the story's name, which stands before it, and of several stacks once.
func TestAnMTUThatDoesNotDoIsToldInTheLanguage(t *testing.T) {
	t.Parallel()
	for lang, want := range map[string]string{
		"en": `(?m)^plain +cannot +- +an MTU of 600: it must be between 1280 and 65535 octets$`,
		"ko": `(?m)^plain +불가 +- +MTU 600은\(는\) 쓸 수 없다: 1280에서 65535바이트까지이다$`,
	} {
		if out := mustRun(t, "list", "--mtu", "600", "--ipv6", "--lang", lang, "--columns", "120"); !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%s: no line is %s:\n%s", lang, want, out)
		}
	}
	got := connectlab("book", "--stacks", both, "--mtu", "600", "--format", "json", "--statement", "B5")
	if n := strings.Count(got.stderr, "left out: ipv6: an MTU of 600"); got.status != exitOK || n != 1 {
		t.Errorf("exit status %d, told %d times:\n%s", got.status, n, got.stderr)
	}
}
