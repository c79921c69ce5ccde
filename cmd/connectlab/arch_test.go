package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"strings"
	"testing"
)

// arrows are the directions of imports: what the packages below a path may not depend on, directly or through
// others, and why. Tests may import what they like.
var arrows = []struct {
	from   string
	banned []string // import paths, with what lies below them
	but    []string
	why    string
}{
	{"connectlab/trace", []string{"connectlab", "gvisor.dev", "github.com", "golang.org", "charm.land"}, []string{"connectlab/trace"},
		"trace is the words and the log: the standard library is enough"},
	{"connectlab/trace/wire", []string{"connectlab", "gvisor.dev", "github.com/urfave"}, []string{"connectlab/trace", "connectlab/trace/wire"},
		"wire only turns octets into packets and back"},
	{"connectlab/trace/view", []string{"connectlab", "gvisor.dev", "github.com/urfave"}, []string{"connectlab/trace", "connectlab/trace/view"},
		"a view sees a finished trace, never the sandbox"},
	{"connectlab/netns", []string{"connectlab", "gvisor.dev", "github.com", "golang.org", "charm.land"}, []string{"connectlab/netns", "connectlab/trace", "connectlab/trace/wire"},
		"the sandbox does not know any stack, nor any view"},
	{"connectlab/netns/script", []string{"connectlab", "gvisor.dev", "github.com", "charm.land"},
		[]string{"connectlab/netns", "connectlab/netns/script", "connectlab/trace", "connectlab/trace/wire"},
		"a story runs on any stack"},
	{"connectlab/adapters/gvisor", []string{"connectlab", "github.com/urfave"},
		[]string{"connectlab/adapters/gvisor", "connectlab/netns", "connectlab/trace", "connectlab/trace/wire"},
		"an adapter knows the sandbox's interface and no more"},
}

func TestArrows(t *testing.T) {
	deps := goList(t)
	for _, a := range arrows {
		if deps[a.from] == nil {
			t.Errorf("%s: no such package", a.from)
		}
	next:
		for _, dep := range deps[a.from] {
			for _, ok := range a.but {
				if dep == ok {
					continue next
				}
			}
			for _, banned := range a.banned {
				if dep == banned || strings.HasPrefix(dep, banned+"/") {
					t.Errorf("%s depends on %s: %s", a.from, dep, a.why)
				}
			}
		}
	}
}

// TestRooms holds the packages to the folders that the project has.
func TestRooms(t *testing.T) {
	for p := range goList(t) {
		rest, ours := strings.CutPrefix(p, "connectlab/")
		if !ours {
			continue
		}
		switch room, _, _ := strings.Cut(rest, "/"); room {
		case "cmd", "netns", "trace", "adapters", "examples":
		default:
			t.Errorf("%s lies outside cmd, netns, trace, adapters and examples", p)
		}
		switch path.Base(p) {
		case "util", "common", "helpers":
			t.Errorf("%s: a package's name says what it is for", p)
		}
	}
}

// goList returns the dependencies of each package of the module, tests left out.
func goList(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Deps", "connectlab/...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatal(err)
	}
	deps := map[string][]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Deps       []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return deps
		} else if err != nil {
			t.Fatal(err)
		}
		deps[p.ImportPath] = append([]string{}, p.Deps...)
	}
}
