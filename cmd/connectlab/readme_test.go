package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestReadmeLadder: the ladder in the README is what the program prints.
func TestReadmeLadder(t *testing.T) {
	_, rest, _ := strings.Cut(readme(t), "```\n")
	ladder, _, found := strings.Cut(rest, "```")
	lines := strings.Split(strings.TrimRight(ladder, "\n"), "\n")
	if !found || len(lines) < 10 || strings.TrimSpace(lines[len(lines)-1]) != "…" {
		t.Fatalf("the README's first block is no ladder that goes on:\n%s", ladder)
	}
	beginning := strings.Join(lines[:len(lines)-1], "\n") + "\n"
	var out, errs bytes.Buffer
	if status := (program{args: []string{"connectlab", "run", "--show", "ladder"}, stdout: &out, stderr: &errs}).main(); status != exitOK {
		t.Fatalf("exit status %d: %s", status, &errs)
	}
	if !strings.Contains(out.String(), beginning) {
		t.Errorf("the README's ladder is not what is printed:\n%s\nprinted:\n%s", beginning, &out)
	}
}

// TestReadmeShowsWhatIsPrinted: what the README shows of other commands is what they print.
func TestReadmeShowsWhatIsPrinted(t *testing.T) {
	for fence, args := range map[string][]string{
		"```mermaid\n":            {"run", "refused", "--format", "mermaid"},
		"```\nC7   refined      ": {"book"},
		"```\nsilent-host ":       {"compare", "silent-host"},
	} {
		_, rest, found := strings.Cut(readme(t), fence)
		block, _, closed := strings.Cut(rest, "```")
		if _, begin, ok := strings.Cut(fence, "```\n"); ok {
			block = begin + block
		}
		if out := mustRun(t, args...); !found || !closed || !strings.Contains(out, block) {
			t.Errorf("%q prints\n%s\nand the README shows\n%s", args, out, block)
		}
	}
}

// TestReadmeCountsVerdicts: the README's counts are those of book.
func TestReadmeCountsVerdicts(t *testing.T) {
	count := map[string]string{}
	for _, m := range regexp.MustCompile(`(\d+) (holds|refined|contradicted|not exercised)`).FindAllStringSubmatch(mustRun(t, "book", "--columns", "200"), -1) {
		count[m[2]] = m[1]
	}
	want := fmt.Sprintf("%s hold, %s are refined", count["holds"], count["refined"])
	text := strings.Join(strings.Fields(readme(t)), " ")
	for _, want := range []string{want, count["contradicted"] + " are contradicted", count["not exercised"] + " are not exercised"} {
		if !strings.Contains(text, want) {
			t.Errorf("the README does not say %q", want)
		}
	}
}

// TestReadmeCommands: each command line of the README does its work, one after the other.
func TestReadmeCommands(t *testing.T) {
	commands := regexp.MustCompile(`(?m)^    go run ./cmd/connectlab (.*?)( +#.*)?$`).FindAllStringSubmatch(readme(t), -1)
	if len(commands) < 4 {
		t.Fatalf("%d commands, want at least 4", len(commands))
	}
	t.Chdir(t.TempDir())
	for _, c := range commands {
		words := []string{"connectlab"}
		for i, part := range strings.Split(c[1], `"`) {
			if i%2 == 1 {
				words = append(words, part) // what is quoted is one word
			} else {
				words = append(words, strings.Fields(part)...)
			}
		}
		var out, errs bytes.Buffer
		if status := (program{args: words, stdout: &out, stderr: &errs}).main(); status != exitOK || out.Len() == 0 {
			t.Errorf("%s: exit status %d, %d octets printed, stderr: %s", c[0], status, out.Len(), &errs)
		}
	}
}
