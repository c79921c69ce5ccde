// Package examples_test runs each example and compares what it prints with output.txt beside it; -update rewrites that.
package examples_test

import (
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

var update = flag.Bool("update", false, "rewrite the files of wants")

func TestExamples(t *testing.T) {
	mains, err := filepath.Glob("*/main.go")
	if err != nil {
		t.Fatal(err)
	}
	if len(mains) < 5 {
		t.Fatalf("found %d examples, want at least 5", len(mains))
	}
	for _, main := range mains {
		dir := filepath.Dir(main)
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			got, err := exec.CommandContext(t.Context(), "go", "run", "./"+dir).CombinedOutput()
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
				return
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), string(got)); d != "" {
				t.Errorf("output (-want +got):\n%s", d)
			}
		})
	}
}
