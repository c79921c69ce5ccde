// Package examples_test runs each example and compares what it prints with output.txt beside it, and with what its README.md
// shows of it; -update rewrites both.
package examples_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// varies is what the examples in real time may print otherwise each time: which of several goroutines is first.
var varies = map[string]*regexp.Regexp{"http": regexp.MustCompile(`event \d+`)}

// shown is what a README.md shows of output.txt.
var shown = regexp.MustCompile("(?s)<!-- output.txt -->\n```\n(.*?)```\n")

var update = flag.Bool("update", false, "rewrite the files of wants")

func TestExamples(t *testing.T) {
	mains, err := filepath.Glob("*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if len(mains) < 7 {
		t.Fatalf("found %d examples, want at least 7", len(mains))
	}
	for _, main := range mains {
		dir := filepath.Dir(main)
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			run := exec.CommandContext(t.Context(), "go", "run", ".")
			run.Dir = dir // which may be a module of its own
			got, err := run.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, got)
			}
			if v := varies[dir]; v != nil {
				got = v.ReplaceAllLiteral(got, []byte("event N"))
			}
			file := filepath.Join(dir, "output.txt")
			if *update {
				if err := os.WriteFile(file, got, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("output (-want +got):\n%s", d)
			}
			checkReadme(t, dir, got)
		})
	}
}

// readmes are the examples whose README.md shows what they print.
var readmes = map[string]bool{"mystack": true, "seqs": true}

func checkReadme(t *testing.T, dir string, output []byte) {
	file := filepath.Join(dir, "README.md")
	text, err := os.ReadFile(file)
	if err != nil && !readmes[dir] {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	at := shown.FindSubmatchIndex(text)
	if at == nil {
		t.Fatalf("%s shows no output: no fence behind <!-- output.txt -->", file)
	}
	if *update {
		text = bytes.Join([][]byte{text[:at[2]], output, text[at[3]:]}, nil)
		if err := os.WriteFile(file, text, 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if d := cmp.Diff(string(text[at[2]:at[3]]), string(output)); d != "" {
		t.Errorf("the output in %s (-README +got):\n%s", file, d)
	}
}

// TestLeastAdapter: whoever brings a stack needs at most a hundred lines.
func TestLeastAdapter(t *testing.T) {
	text, err := os.ReadFile("mystack/mystack.go")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(text, []byte("\n")); n > 100 {
		t.Errorf("the adapter has %d lines, want at most 100", n)
	}
}
