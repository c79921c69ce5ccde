package script_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"connectlab/adapters/gvisor"
	"connectlab/netns"
	"connectlab/netns/script"
	"connectlab/trace/view"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("update", false, "rewrite the golden files in testdata")

// goldenStories are those whose ladders are held as a whole. Of the others facts_test.go holds the facts.
var goldenStories = []string{
	"plain", "refused", "syn-lost", "simultaneous-open", "simultaneous-close", "half-open-b", "syn-cookies", "abort",
	"ethernet", "nobody-ethernet", "slow-reader",
}

// TestGoldenLadders compares the ladder of a story with the one in testdata/STORY.txtar: the story and its ladder. The
// text there is the built-in story's; -update takes it over.
func TestGoldenLadders(t *testing.T) {
	for _, name := range goldenStories {
		t.Run(name, func(t *testing.T) {
			s, err := script.Builtin(name)
			if err != nil {
				t.Fatal(err)
			}
			r, err := script.Run(s, netns.Config{Client: &gvisor.Factory{}, Server: &gvisor.Factory{}, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			var ladder strings.Builder
			if err := view.Ladder(&ladder, r.Trace, view.Options{}); err != nil {
				t.Fatal(err)
			}
			got := txtar.Archive{Files: []txtar.File{{Name: "script", Data: []byte(s.Text)}, {Name: "want.ladder", Data: []byte(ladder.String())}}}
			file := filepath.Join("testdata", name+".txtar")
			if *update {
				if err := os.WriteFile(file, txtar.Format(&got), 0o666); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(txtar.Format(want)), string(txtar.Format(&got))); d != "" {
				t.Errorf("%s (-want +got); if the change is meant, go test ./netns/script -run Golden -update:\n%s", file, d)
			}
		})
	}
}
