package script

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"connectlab/netns"
)

//go:embed stories/*.story
var storyFiles embed.FS

// names are the built-in stories, in the order in which somebody new to all this would read them.
var names = []string{
	"plain", "refused", "silent-host", "ipv6", "ethernet", "nobody-ethernet", "syn-lost", "synack-lost", "last-ack-lost", "fresh-send",
	"simultaneous-open", "simultaneous-close", "half-close", "abort", "half-open-a", "half-open-b", "full-accept-queue", "syn-cookies",
	"send-and-close", "corrupted", "reordered", "slow-reader", "ecn", "urgent", "idle-year", "many",
}

// Names are the names of the built-in stories, the simplest first. The slice is the caller's.
func Names() []string { return slices.Clone(names) }

// NamesFor are those of Names whose stories both stacks can do.
func NamesFor(client, server netns.Factory) []string {
	return slices.DeleteFunc(Names(), func(name string) bool {
		story, err := Builtin(name)
		if err != nil {
			panic("script: " + err.Error()) // a test reads them all
		}
		cfg := story.Config(netns.Config{Client: client, Server: server})
		return cfg.Capable() != nil
	})
}

// Builtin returns a built-in story. The error of an unknown name lists those that are near it.
func Builtin(name string) (*Story, error) {
	if !slices.Contains(names, name) {
		return nil, fmt.Errorf("unknown story %q: %s", clip(name), suggest(name))
	}
	text, err := storyFiles.ReadFile("stories/" + name + Extension)
	if err != nil {
		return nil, err
	}
	return Parse(name+Extension, string(text))
}

// suggest tells which names somebody may have meant.
func suggest(name string) string {
	name = strings.ToLower(strings.NewReplacer("_", "-", " ", "-").Replace(name))
	var near []string
	if len(name) <= 64 {
		for _, n := range names {
			if distance(name, n) <= 2+len(n)/6 || len(name) >= 3 && strings.Contains(n, name) {
				near = append(near, n)
			}
		}
	}
	if len(near) == 0 {
		return "the stories are " + strings.Join(names, ", ")
	}
	return "near it are " + strings.Join(near, ", ")
}

// distance is how many letters have to be put in, taken out or changed to make b of a (Levenshtein's distance).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
